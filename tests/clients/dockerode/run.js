// SPDX-License-Identifier: GPL-2.0-or-later
// run.js OPERATION - one operation of the table with dockerode, on the engine at ATOLL_SOCKET. Checks what came
// of it; an exit status other than 0, with the reason on stderr, is a "no". The names are those of ops_cli.py.
'use strict';
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { PassThrough } = require('node:stream');
const Docker = require('dockerode');
const tar = require('tar-stream');

const docker = new Docker({ socketPath: process.env.ATOLL_SOCKET });
const IMAGE = process.env.ATOLL_IMAGE;
const operations = {};
const op = (section, name, fn) => { operations[name] = fn; };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// All of a stream.
const all = (stream) => new Promise((done, fail) => {
	const parts = [];
	stream.on('data', (part) => parts.push(part));
	stream.on('end', () => done(Buffer.concat(parts)));
	stream.on('error', fail);
});

// The lines of a stream of JSON, once it has ended.
const progress = (stream) => new Promise((done, fail) => {
	docker.modem.followProgress(stream, (err, lines) => (err ? fail(err) : done(lines)));
});

// stdout and stderr of a stream with frames, once it has ended; over(text) ends it earlier.
const demux = (stream, over) => new Promise((done, fail) => {
	const text = { out: '', err: '' };
	const into = (key) => {
		const to = new PassThrough();
		to.on('data', (part) => {
			text[key] += part;
			if (over && over(text)) stream.destroy();
		});
		return to;
	};
	docker.modem.demuxStream(stream, into('out'), into('err'));
	stream.on('end', () => setImmediate(done, text));
	stream.on('close', () => setImmediate(done, text));
	stream.on('error', fail);
});

const until = async (fn, what) => {
	for (const end = Date.now() + 15000; Date.now() < end; await pause(50)) if (await fn()) return;
	throw new Error(`${what}: not in time`);
};

const start = async (name, options = {}) => {
	const c = await docker.createContainer({ name, Image: IMAGE, Cmd: ['sleep', '600'], ...options });
	await c.start();
	return c;
};

// What a command prints in a container of its own.
const run = async (cmd, options = {}, image = IMAGE) => {
	const c = await docker.createContainer({ Image: image, Cmd: cmd, ...options });
	const stream = await c.attach({ stream: true, stdout: true, stderr: true });
	const text = demux(stream);
	await c.start();
	const { StatusCode } = await c.wait();
	const { out, err } = await text;
	await c.remove({ v: true });
	return { out, err, code: StatusCode };
};

const exec = async (c, cmd, options = {}) => {
	const e = await c.exec({ Cmd: cmd, AttachStdout: true, AttachStderr: true, ...options });
	const { out, err } = await demux(await e.start({ hijack: true, stdin: false }));
	return { out, err, code: (await e.inspect()).ExitCode };
};

const pack = (files) => {
	const t = tar.pack();
	for (const [name, text] of Object.entries(files)) t.entry({ name }, text);
	t.finalize();
	return t;
};

const unpack = async (stream) => {
	const files = {};
	const t = tar.extract();
	t.on('entry', async (head, data, next) => {
		files[head.name] = head.type === 'symlink' ? `-> ${head.linkname}` : (await all(data)).toString();
		data.resume();
		next();
	});
	const ended = new Promise((done, fail) => t.on('finish', done).on('error', fail));
	stream.pipe(t);
	await ended;
	return files;
};

const status = (code, part) => (e) => {
	assert.strictEqual(e.statusCode, code, e.message);
	assert.ok(e.message.includes(part), e.message);
	return true;
};

// ---- networks ----

op('Networks', 'network create', async () => {
	const n = await docker.createNetwork({ Name: 'made', Labels: { a: 'b' }, IPAM: { Config: [{ Subnet: '10.77.0.0/24', Gateway: '10.77.0.9' }] } });
	const seen = await n.inspect();
	assert.deepStrictEqual([seen.IPAM.Config, seen.Labels], [[{ Subnet: '10.77.0.0/24', Gateway: '10.77.0.9' }], { a: 'b' }]);
	await assert.rejects(docker.createNetwork({ Name: 'made', CheckDuplicate: true }), status(409, 'already exists'));
});
op('Networks', 'network ls', async () => {
	const { id } = await docker.createNetwork({ Name: 'listed', Labels: { x: '1' } });
	const names = (await docker.listNetworks()).map((n) => n.Name);
	for (const name of ['bridge', 'host', 'none', 'listed']) assert.ok(names.includes(name), String(names));
	assert.deepStrictEqual((await docker.listNetworks({ filters: { label: ['x=1'] } })).map((n) => n.Id), [id]);
});
op('Networks', 'network inspect', async () => {
	const n = await docker.createNetwork({ Name: 'seen', Internal: true });
	const c = await start('in-seen', { HostConfig: { NetworkMode: 'seen' } });
	const got = await n.inspect();
	assert.deepStrictEqual([got.Internal, got.Containers[c.id].Name], [true, 'in-seen']);
	await assert.rejects(docker.getNetwork('nothing').inspect(), status(404, 'network nothing not found'));
});
op('Networks', 'network connect', async () => {
	await docker.createNetwork({ Name: 'left' });
	const right = await docker.createNetwork({ Name: 'right', IPAM: { Config: [{ Subnet: '10.78.2.0/24' }] } });
	const mover = await start('mover', { HostConfig: { NetworkMode: 'left' } });
	const stayer = await start('stayer', { HostConfig: { NetworkMode: 'right' }, Cmd: ['sh', '-c', 'mkdir /w; echo here >/w/index.html; exec httpd -f -p 80 -h /w'] });
	assert.notStrictEqual((await exec(mover, ['wget', '-qO-', 'http://stayer/'])).code, 0);
	await right.connect({ Container: mover.id, EndpointConfig: { IPAMConfig: { IPv4Address: '10.78.2.77' }, Aliases: ['guest'] } });
	await until(async () => (await exec(mover, ['wget', '-qO-', 'http://stayer/'])).out === 'here\n', 'the neighbour');
	assert.match((await exec(stayer, ['nslookup', 'guest'])).out, /10\.78\.2\.77/);
});
op('Networks', 'network disconnect', async () => {
	const n = await docker.createNetwork({ Name: 'leave' });
	const c = await start('there', { HostConfig: { NetworkMode: 'leave' } });
	await n.disconnect({ Container: 'there' });
	assert.doesNotMatch((await exec(c, ['ls', '/sys/class/net'])).out, /eth/);
	await assert.rejects(n.disconnect({ Container: 'there' }), (e) => e.message.includes('is not connected to'));
});
op('Networks', 'network rm', async () => {
	const n = await docker.createNetwork({ Name: 'doomed' });
	const c = await start('user', { HostConfig: { NetworkMode: 'doomed' } });
	await assert.rejects(n.remove(), status(403, 'has active endpoints'));
	await c.remove({ force: true });
	await n.remove();
	await assert.rejects(n.inspect(), status(404, 'not found'));
});
op('Networks', 'network prune', async () => {
	await docker.createNetwork({ Name: 'unused' });
	assert.deepStrictEqual((await docker.pruneNetworks()).NetworksDeleted, ['unused']);
});

// ---- run ----

op('Run', 'run: output and exit code', async () => {
	const got = await run(['sh', '-c', 'echo out; echo err >&2; exit 9']);
	assert.deepStrictEqual(got, { out: 'out\n', err: 'err\n', code: 9 });
	const to = new PassThrough();
	const text = all(to);
	const [data, c] = await docker.run(IMAGE, ['echo', 'by run'], to, { Tty: true });
	assert.strictEqual(data.StatusCode, 0);
	assert.strictEqual((await text).toString(), 'by run\r\n');
	await c.remove(); // with AutoRemove it may be gone before dockerode waits for it
	await assert.rejects(docker.createContainer({ Image: 'no/such:image' }), status(404, 'No such image'));
});
op('Run', 'run -i: a megabyte through stdin', async () => {
	const data = crypto.randomBytes(1 << 20);
	const c = await docker.createContainer({ Image: IMAGE, Cmd: ['sha256sum'], OpenStdin: true, StdinOnce: true, AttachStdin: true });
	const stream = await c.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
	const text = demux(stream);
	await c.start();
	stream.end(data);
	assert.strictEqual((await text).out.split(' ')[0], crypto.createHash('sha256').update(data).digest('hex'));
});
op('Run', 'run -t: a terminal', async () => {
	const c = await docker.createContainer({ Image: IMAGE, Cmd: ['sh'], Tty: true, OpenStdin: true });
	const stream = await c.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
	let text = '';
	stream.on('data', (part) => { text += part; });
	await c.start();
	await c.resize({ h: 33, w: 101 });
	stream.write('stty size; exit 3\n');
	assert.strictEqual((await c.wait()).StatusCode, 3);
	await until(() => /33 101\r\n/.test(text), `the size in ${JSON.stringify(text)}`);
});
op('Run', 'run -d', async () => {
	const c = await start('back');
	assert.strictEqual((await c.inspect()).State.Status, 'running');
});
op('Run', 'run -p, -P', async () => {
	const c = await start('web', { ExposedPorts: { '80/tcp': {}, '81/udp': {} }, HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8087' }] }, PublishAllPorts: true } });
	const { Ports } = (await c.inspect()).NetworkSettings;
	assert.strictEqual(Ports['80/tcp'][0].HostPort, '8087');
	assert.match(Ports['81/udp'][0].HostPort, /^\d+$/);
});
op('Run', 'run -e, --env-file, -w, -u, -h, -l', async () => {
	const { out } = await run(['sh', '-c', 'echo $A $(pwd) $(id -u):$(id -g) $(hostname)'], { Env: ['A=one'], WorkingDir: '/tmp', User: '7:8', Hostname: 'inner' });
	assert.strictEqual(out, 'one /tmp 7:8 inner\n');
});
op('Run', 'run -v, --mount, --tmpfs', async () => {
	await run(['sh', '-c', 'echo kept >/v/f'], { HostConfig: { Binds: ['named:/v'] } });
	const { out } = await run(['cat', '/w/f'], { HostConfig: { Mounts: [{ Type: 'volume', Source: 'named', Target: '/w', ReadOnly: true }] } });
	assert.strictEqual(out, 'kept\n');
	assert.match((await run(['cat', '/proc/mounts'], { HostConfig: { Tmpfs: { '/t': 'size=1m' } } })).out, / \/t tmpfs .*size=1024k/);
});

// ---- containers ----

op('Containers', 'create, start, stop, restart', async () => {
	const c = await docker.createContainer({ Image: IMAGE, Cmd: ['sh', '-c', "trap 'exit 5' TERM; echo up; sleep 600 & wait"] });
	assert.strictEqual((await c.inspect()).State.Status, 'created');
	await c.start();
	await assert.rejects(c.start(), (e) => e.statusCode === 304);
	const up = (n) => until(async () => (await c.logs({ stdout: true })).toString().split('up').length > n, 'the trap');
	await up(1);
	const { Pid } = (await c.inspect()).State;
	await c.restart({ t: 20 });
	assert.notStrictEqual((await c.inspect()).State.Pid, Pid);
	await up(2);
	await c.stop({ t: 20 });
	assert.strictEqual((await c.inspect()).State.ExitCode, 5);
});
op('Containers', 'kill', async () => {
	const c = await start('sig');
	await c.kill({ signal: 'SIGKILL' });
	assert.strictEqual((await c.wait()).StatusCode, 137);
	await assert.rejects(c.kill(), status(409, 'is not running'));
});
op('Containers', 'rm', async () => {
	const c = await start('kept');
	await assert.rejects(c.remove(), (e) => e.statusCode === 409);
	await c.remove({ force: true, v: true });
	await assert.rejects(c.inspect(), status(404, 'No such container'));
});
op('Containers', 'rename', async () => {
	const c = await start('before');
	await c.rename({ name: 'after' });
	assert.strictEqual((await docker.getContainer('after').inspect()).Id, c.id);
});
op('Containers', 'pause, unpause', async () => {
	const c = await start('tick', { Cmd: ['sh', '-c', 'while :; do date +%N; sleep 0.05; done'] });
	const text = async () => (await c.logs({ stdout: true })).toString();
	await until(async () => (await text()).length > 0, 'a line');
	await c.pause();
	assert.strictEqual((await c.inspect()).State.Paused, true);
	const frozen = await text();
	await pause(300);
	assert.strictEqual(await text(), frozen);
	await c.unpause();
	await until(async () => (await text()) !== frozen, 'it goes on');
});
op('Containers', 'update', async () => {
	const c = await start('grow', { HostConfig: { Memory: 64 << 20 } });
	await c.update({ Memory: 96 << 20, MemorySwap: 192 << 20 });
	assert.strictEqual((await c.inspect()).HostConfig.Memory, 96 << 20);
	const { out } = await exec(c, ['sh', '-c', 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null']);
	assert.strictEqual(out, `${96 << 20}\n`);
});
op('Containers', 'wait', async () => {
	const c = await start('slow', { Cmd: ['sh', '-c', 'sleep 1; exit 6'] });
	assert.strictEqual((await c.wait()).StatusCode, 6);
	assert.strictEqual((await c.wait({ condition: 'not-running' })).StatusCode, 6);
});
op('Containers', 'ps', async () => {
	const c = await start('shown', { Labels: { m: '1' } });
	const [row] = await docker.listContainers({ filters: { label: ['m=1'], status: ['running'] } });
	assert.deepStrictEqual([row.Id, row.Names, row.Image, row.State], [c.id, ['/shown'], IMAGE, 'running']);
	assert.match(row.Status, /^Up /);
	assert.deepStrictEqual(await docker.listContainers({ filters: { name: ['nothing'] } }), []);
});
op('Containers', 'inspect', async () => {
	const c = await start('object');
	const got = await docker.getContainer('object').inspect({ size: false });
	assert.deepStrictEqual([got.Id, got.Config.Image, got.Name], [c.id, IMAGE, '/object']);
});
op('Containers', 'logs', async () => {
	const c = await start('talk', { Cmd: ['sh', '-c', 'echo o1; echo o2; sleep 0.1; echo e1 >&2'] });
	await c.wait();
	const frames = new PassThrough();
	const text = demux(frames);
	frames.end(await c.logs({ stdout: true, stderr: true }));
	assert.deepStrictEqual(await text, { out: 'o1\no2\n', err: 'e1\n' });
	assert.match((await c.logs({ stdout: true, tail: 2, timestamps: true })).toString(), /Z o2\n$/);
});
op('Containers', 'logs -f', async () => {
	const c = await start('flow', { Cmd: ['sh', '-c', 'echo first; while ! test -e /go; do sleep 0.05; done; echo last'] });
	const stream = await c.logs({ follow: true, stdout: true, stderr: true });
	const text = demux(stream);
	const go = await c.exec({ Cmd: ['touch', '/go'] });
	await go.start({ Detach: true }); // the container ends, and its execs with it
	assert.strictEqual((await text).out, 'first\nlast\n');
});
op('Containers', 'attach', async () => {
	const c = await start('shell', { Cmd: ['sh'], OpenStdin: true });
	const stream = await c.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
	const text = demux(stream);
	stream.write('echo $((6 * 7)); echo e >&2; exit 8\n');
	assert.deepStrictEqual(await text, { out: '42\n', err: 'e\n' });
	assert.strictEqual((await c.wait()).StatusCode, 8);
});
op('Containers', 'exec', async () => {
	const c = await start('room');
	const got = await exec(c, ['sh', '-c', 'echo $X $(pwd); echo e >&2; exit 4'], { Env: ['X=1'], WorkingDir: '/tmp' });
	assert.deepStrictEqual(got, { out: '1 /tmp\n', err: 'e\n', code: 4 });
	const data = crypto.randomBytes(1 << 18);
	const e = await c.exec({ Cmd: ['sha256sum'], AttachStdin: true, AttachStdout: true });
	const stream = await e.start({ hijack: true, stdin: true });
	const text = demux(stream);
	stream.end(data);
	assert.strictEqual((await text).out.split(' ')[0], crypto.createHash('sha256').update(data).digest('hex'));
});
op('Containers', 'top', async () => {
	const c = await start('proc');
	const top = () => c.top({ ps_args: '-o pid,comm' });
	await until(async () => (await top()).Processes[0]?.[1] === 'sleep', 'the program; a start does not await it');
	assert.deepStrictEqual((await top()).Processes, [[String((await c.inspect()).State.Pid), 'sleep']]);
});
op('Containers', 'stats', async () => {
	const c = await start('busy', { HostConfig: { Memory: 64 << 20 } });
	const one = await c.stats({ stream: false });
	assert.deepStrictEqual([one.memory_stats.limit, one.pids_stats.current], [64 << 20, 1]);
	const stream = await c.stats({ stream: true });
	let text = '';
	stream.on('data', (part) => { text += part; });
	await until(() => text.split('\n').length > 2, 'two figures');
	assert.strictEqual(JSON.parse(text.split('\n')[1]).id, c.id);
	stream.destroy();
});
op('Containers', 'cp into a container', async () => {
	const c = await start('filled');
	await c.putArchive(pack({ 'tree/a': 'one', 'tree/sub/b': 'two' }), { path: '/tmp' });
	assert.strictEqual((await exec(c, ['cat', '/tmp/tree/a', '/tmp/tree/sub/b'])).out, 'onetwo');
	await assert.rejects(c.putArchive(pack({ a: 'b' }), { path: '/no/such' }), (e) => e.statusCode === 404);
});
op('Containers', 'cp out of a container', async () => {
	const c = await start('source', { Cmd: ['sh', '-c', 'mkdir -p /data/sub; echo two >/data/sub/b; ln -s b /data/l'] });
	await c.wait();
	const files = await unpack(await c.getArchive({ path: '/data' }));
	assert.deepStrictEqual([files['data/sub/b'], files['data/l']], ['two\n', '-> b']);
	await assert.rejects(c.getArchive({ path: '/nothing' }), (e) => e.statusCode === 404);
});
op('Containers', 'diff', async () => {
	const c = await start('changed', { Cmd: ['sh', '-c', 'echo x >/new; rm /etc/group'] });
	await c.wait();
	const kinds = Object.fromEntries((await c.changes()).map((x) => [x.Path, x.Kind]));
	assert.deepStrictEqual([kinds['/new'], kinds['/etc/group'], kinds['/etc']], [1, 2, 0]);
});
op('Containers', 'export', async () => {
	const c = await start('out', { Cmd: ['sh', '-c', 'echo exported >/mark'] });
	await c.wait();
	assert.strictEqual((await unpack(await c.export())).mark, 'exported\n');
});
op('Containers', 'commit', async () => {
	const c = await start('base', { Cmd: ['sh', '-c', 'echo committed >/mark'] });
	await c.wait();
	const { Id } = await c.commit({ repo: 'made/commit', tag: '1', comment: 'why' });
	assert.match(Id, /^sha256:/);
	assert.strictEqual((await run(['cat', '/mark'], {}, 'made/commit:1')).out, 'committed\n');
});
op('Containers', 'container prune', async () => {
	const c = await start('over', { Cmd: ['true'] });
	await c.wait();
	assert.deepStrictEqual((await docker.pruneContainers()).ContainersDeleted, [c.id]);
});

// ---- images ----

op('Images', 'pull', async () => {
	const lines = await progress(await docker.pull('127.0.0.1:5000/team/pulled:1'));
	assert.ok(lines.some((x) => /Downloaded newer image|up to date/.test(x.status)), JSON.stringify(lines));
	assert.strictEqual((await run([], {}, '127.0.0.1:5000/team/pulled:1')).out, 'from the registry\n');
});
op('Images', 'push', async () => {
	const image = docker.getImage(IMAGE);
	await image.tag({ repo: '127.0.0.1:5000/by-node', tag: 'v1' });
	const lines = await progress(await docker.getImage('127.0.0.1:5000/by-node').push({ tag: 'v1' }));
	assert.ok(lines.some((x) => x.aux && /^sha256:/.test(x.aux.Digest)), JSON.stringify(lines));
	const pulled = await progress(await docker.pull('127.0.0.1:5000/by-node:v1'));
	assert.ok(pulled.some((x) => /up to date/.test(x.status)), JSON.stringify(pulled));
});
op('Images', 'login, logout', async () => {
	const auth = { username: 'ann', password: 'open sesame', serveraddress: '127.0.0.1:5001' };
	await assert.rejects(docker.checkAuth({ ...auth, password: 'wrong' }), (e) => e.statusCode >= 400);
	assert.strictEqual((await docker.checkAuth(auth)).Status, 'Login Succeeded');
	await progress(await docker.pull('127.0.0.1:5001/secret:1', { authconfig: auth }));
	assert.strictEqual((await run([], {}, '127.0.0.1:5001/secret:1')).out, 'opened\n');
});
op('Images', 'search', async () => {
	assert.strictEqual((await docker.searchImages({ term: '127.0.0.1:5002/web' }))[0].name, 'nginx');
});
op('Images', 'build', async () => {
	const context = process.env.ATOLL_CONTEXT;
	const lines = await progress(await docker.buildImage({ context, src: ['Dockerfile', 'file'] }, { t: 'made/build:1', buildargs: { WHO: 'node' } }));
	assert.ok(lines.some((x) => x.aux && /^sha256:/.test(x.aux.ID)), JSON.stringify(lines));
	assert.strictEqual((await run([], {}, 'made/build:1')).out, 'built for node: from the context\n');
	const failed = await docker.buildImage(pack({ Dockerfile: `FROM ${IMAGE}\nRUN exit 3\n` })).then(progress);
	assert.match(JSON.stringify(failed), /"errorDetail":.*returned a non-zero code: 3/);
});
op('Images', 'image ls', async () => {
	await docker.getImage(IMAGE).tag({ repo: 'listed/one', tag: 'v1' });
	const found = await docker.listImages({ filters: { reference: ['listed/*'] } });
	assert.ok(found.length === 1 && found[0].RepoTags.includes('listed/one:v1'), JSON.stringify(found));
	await docker.getImage('listed/one:v1').remove();
});
op('Images', 'image inspect, history', async () => {
	assert.strictEqual((await docker.getImage(IMAGE).inspect()).Os, 'linux');
	assert.ok((await docker.getImage(IMAGE).history()).length > 0);
});
op('Images', 'tag, rmi', async () => {
	await docker.getImage(IMAGE).tag({ repo: 'tagged/twice', tag: 'v1' });
	assert.deepStrictEqual(await docker.getImage('tagged/twice:v1').remove(), [{ Untagged: 'tagged/twice:v1' }]);
	await assert.rejects(docker.getImage('tagged/twice:v1').inspect(), status(404, 'No such image'));
});
op('Images', 'save, load', async () => {
	await docker.getImage(IMAGE).tag({ repo: 'saved/it', tag: 'v1' });
	const data = await all(await docker.getImage('saved/it:v1').get());
	await docker.getImage('saved/it:v1').remove();
	await all(await docker.loadImage((() => { const s = new PassThrough(); s.end(data); return s; })()));
	assert.strictEqual((await run(['echo', 'loaded'], {}, 'saved/it:v1')).out, 'loaded\n');
});
op('Images', 'load, import', async () => {
	const text = (await all(await docker.loadImage(fs.createReadStream(process.env.ATOLL_ARCHIVE)))).toString();
	assert.match(text, /Loaded image: loaded\/it:1/);
	assert.strictEqual((await run([], {}, 'loaded/it:1')).out, 'from a tar\n');
});
op('Images', 'image prune', async () => {
	assert.deepStrictEqual((await docker.pruneImages({ filters: { dangling: ['true'] } })).SpaceReclaimed, 0);
});

// ---- volumes ----

op('Volumes', 'volume create, ls, inspect, rm', async () => {
	await docker.createVolume({ Name: 'vol', Labels: { a: 'b' } });
	assert.deepStrictEqual((await docker.listVolumes({ filters: { label: ['a=b'] } })).Volumes.map((v) => v.Name), ['vol']);
	const v = docker.getVolume('vol');
	assert.strictEqual((await v.inspect()).Driver, 'local');
	const c = await start('mounts', { HostConfig: { Binds: ['vol:/v'] } });
	await assert.rejects(v.remove(), status(409, 'volume is in use'));
	await c.remove({ force: true });
	await v.remove();
	await assert.rejects(v.inspect(), status(404, 'no such volume'));
});
op('Volumes', 'volume prune', async () => {
	const c = await start('left', { Volumes: { '/anonymous': {} }, Cmd: ['true'] });
	await c.wait();
	const { Name } = (await c.inspect()).Mounts[0];
	await c.remove();
	assert.deepStrictEqual((await docker.pruneVolumes()).VolumesDeleted, [Name]);
});

// ---- the engine ----

op('Engine', 'version, info', async () => {
	assert.strictEqual((await docker.ping()).toString(), 'OK');
	assert.strictEqual((await docker.version()).Os, 'linux');
	await start('counted');
	assert.strictEqual((await docker.info()).ContainersRunning, 1);
});
op('Engine', 'system df', async () => {
	const c = await start('uses', { HostConfig: { Binds: ['dfvol:/v'] } });
	await exec(c, ['sh', '-c', 'dd if=/dev/zero of=/v/f bs=1000 count=2000; dd if=/dev/zero of=/f bs=1000 count=3000']);
	const df = await docker.df();
	const sizes = [df.Volumes[0].UsageData.Size, df.Containers[0].SizeRw];
	assert.ok(sizes[0] >= 2000000 && sizes[1] >= 3000000, `a volume's and a container's bytes: ${sizes}`);
});
op('Engine', 'events', async () => {
	const stream = await docker.getEvents({ filters: { type: ['container'], event: ['start', 'die'] } });
	let text = '';
	stream.on('data', (part) => { text += part; });
	const c = await start('noisy', { Cmd: ['sh', '-c', 'exit 5'] });
	await until(() => text.trim().split('\n').length === 2 && text.endsWith('\n'), 'two events');
	stream.destroy();
	const seen = text.trim().split('\n').map((line) => JSON.parse(line));
	assert.deepStrictEqual(seen.map((e) => [e.Action, e.Actor.ID]), [['start', c.id], ['die', c.id]]);
	assert.strictEqual(seen[1].Actor.Attributes.exitCode, '5');
});

const wanted = operations[process.argv[2]];
if (!wanted) {
	console.error(`no operation ${process.argv[2]}`);
	process.exit(2);
}
wanted().then(() => process.exit(0), (e) => {
	console.error(e && e.message ? `${e.name}: ${e.message}` : String(e));
	process.exit(1);
});
