# SPDX-License-Identifier: GPL-2.0-or-later
"""The operations of the table with docker-py 5.0.3: a program that uses the library's objects and, where they lack it,
its API client. Each takes a Subject."""
import io
import os
import tarfile
import threading
import time

import ops_images
from compat import Ops
from testbed import *  # noqa: F403

OPS = Ops()


class Subject:
    def __init__(self, w):
        import docker
        self.w, self.docker = w, docker
        self.home = w.home
        os.environ["HOME"] = w.home
        self.c = docker.DockerClient(base_url="unix://" + w.socket, version="auto", timeout=60)
        self.errors = docker.errors

    @property
    def api(self):
        return self.c.api

    def sleeper(self, name, **kw):
        return self.c.containers.run(IMAGE, ["sleep", "600"], detach=True, name=name, **kw)

    def run(self, *cmd, image=IMAGE, **kw):
        """The text of a container's stdout; it is removed."""
        return self.c.containers.run(image, list(cmd) or None, remove=True, **kw).decode().rstrip("\n")

    def fails(self, kind, part, fn, *args, **kw):
        try:
            fn(*args, **kw)
        except kind as e:
            contains(str(e), part)
            return e
        raise Failed("%s succeeded" % getattr(fn, "__name__", fn))


# ---- networks ----

OPS.section = "Networks"


@OPS("network create")
def network_create(s):
    types = s.docker.types
    ipam = types.IPAMConfig(pool_configs=[types.IPAMPool(subnet="10.77.0.0/24", gateway="10.77.0.9", iprange="10.77.0.128/25",
                                                         aux_addresses={"x": "10.77.0.130"})])
    n = s.c.networks.create("made", driver="bridge", ipam=ipam, labels={"a": "b"}, check_duplicate=True,
                            options={"com.docker.network.bridge.name": "cmp0"})
    config = s.w.network("made")["IPAM"]["Config"][0]
    equal((config["Gateway"], config["AuxiliaryAddresses"]), ("10.77.0.9", {"x": "10.77.0.130"}))
    check("10.77.0.9" in str(s.w.ip_json("host", "addr", "show", "dev", "cmp0")), "the bridge has not its address")
    equal(n.attrs["Labels"], {"a": "b"})
    s.fails(s.errors.APIError, "network with name made already exists", s.c.networks.create, "made", check_duplicate=True)


@OPS("network create --internal")
def network_internal(s):
    s.c.networks.create("shut", internal=True)
    s.c.networks.create("free")
    for n in ("shut", "free"):
        s.sleeper("in-" + n, network=n)
    s.w.assert_forbidden(lambda: s.w.tcp_reach("c:in-free", FAR, 80), lambda: s.w.tcp_reach("c:in-shut", FAR, 80), "out of an internal network")


@OPS("network create --ipv6")
def network_ipv6(s):
    types = s.docker.types
    s.c.networks.create("six", enable_ipv6=True, ipam=types.IPAMConfig(pool_configs=[types.IPAMPool(subnet="fd00:77::/64")]))
    s.sleeper("in-six", network="six")
    until(lambda: s.w.ping("c:in-six", FAR6), "IPv6 to the internet")


@OPS("network create -d macvlan")
def network_macvlan(s):
    types = s.docker.types
    pool = types.IPAMPool(subnet="198.51.100.0/24", iprange="198.51.100.64/28")
    s.c.networks.create("mac", driver="macvlan", options={"parent": "lan0"}, ipam=types.IPAMConfig(pool_configs=[pool]))
    s.sleeper("in-mac", network="mac")
    check(s.w.ping("c:in-mac", LAN), "the LAN does not answer")


@OPS("network ls")
def network_ls(s):
    n = s.c.networks.create("listed", labels={"x": "1"})
    check({"listed", "bridge", "host", "none"} <= {x.name for x in s.c.networks.list()}, "%s", s.c.networks.list())
    equal([x.id for x in s.c.networks.list(filters={"label": ["x=1"]})], [n.id])
    equal([x.name for x in s.c.networks.list(names=["listed"])], ["listed"])
    equal(s.c.networks.list(filters={"driver": "macvlan"}), [])


@OPS("network inspect")
def network_inspect(s):
    s.c.networks.create("seen")
    c = s.sleeper("in-seen", network="seen")
    n = s.c.networks.get("seen")
    equal([x.id for x in n.containers], [c.id])
    s.fails(s.errors.NotFound, "network nothing not found", s.c.networks.get, "nothing")


@OPS("network connect")
def network_connect(s):
    types = s.docker.types
    for n, subnet in (("left", "10.78.1.0/24"), ("right", "10.78.2.0/24")):
        s.c.networks.create(n, ipam=types.IPAMConfig(pool_configs=[types.IPAMPool(subnet=subnet)]))
    s.sleeper("mover", network="left")
    s.w.serve("stayer", "right")
    check(not s.w.http_get("c:mover", "http://%s/" % s.w.address("stayer")), "reached before the connect")
    s.c.networks.get("right").connect("mover", ipv4_address="10.78.2.77", aliases=["guest"])
    equal(s.w.http_get("mover", "http://stayer/"), "stayer\n")
    equal(s.w.resolve("stayer", "guest"), ["10.78.2.77"])


@OPS("network disconnect")
def network_disconnect(s):
    n = s.c.networks.create("leave")
    s.w.serve("here", "leave")
    c = s.sleeper("there", network="leave")
    equal(s.w.http_get("there", "http://here/"), "here\n")
    n.disconnect(c)
    check(not s.w.http_get("there", "http://%s/" % s.w.address("here")), "reached after the disconnect")
    s.fails(s.errors.APIError, "is not connected to", n.disconnect, "there")


@OPS("network rm")
def network_rm(s):
    n = s.c.networks.create("doomed")
    c = s.sleeper("user", network="doomed")
    s.fails(s.errors.APIError, "has active endpoints", n.remove)
    bridge = s.w.bridge("doomed")
    c.remove(force=True)
    n.remove()
    check(bridge not in s.w.links(), "its bridge is there")


@OPS("network prune")
def network_prune(s):
    for n in ("used", "unused"):
        s.c.networks.create(n)
    s.sleeper("holder", network="used")
    equal(s.c.networks.prune()["NetworksDeleted"], ["unused"])


# ---- run ----

OPS.section = "Run"


@OPS("run: output and exit code")
def run_plain(s):
    equal(s.c.containers.run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True, stdout=True), b"out\nerr\n")
    e = s.fails(s.errors.ContainerError, "non-zero exit status 9", s.c.containers.run, IMAGE, ["sh", "-c", "echo why >&2; exit 9"], remove=True)
    equal((e.exit_status, e.stderr), (9, b"why\n"))
    s.fails(s.errors.APIError, "executable file not found", s.c.containers.run, IMAGE, ["no-such-program"])
    s.fails(s.errors.ImageNotFound, "No such image", s.c.containers.create, "no/such:image", "true")


@OPS("run -i: a megabyte through stdin")
def run_stdin(s):
    data = os.urandom(1 << 20)
    c = s.c.containers.create(IMAGE, ["sh", "-c", "cat | sha256sum"], stdin_open=True)
    into = c.attach_socket(params={"stdin": 1, "stream": 1})
    c.start()
    sock = getattr(into, "_sock", into)
    sock.sendall(data)
    sock.shutdown(1)
    equal(c.wait(timeout=40)["StatusCode"], 0)
    into.close()
    import hashlib
    equal(c.logs().decode().split()[0], hashlib.sha256(data).hexdigest())


@OPS("run -t: a terminal")
def run_tty(s):
    c = s.c.containers.create(IMAGE, ["sh", "-c", "tty; echo done"], tty=True)
    c.start()
    c.wait(timeout=30)
    matches(c.logs().decode(), r"/dev/(pts/\d|console)\r\ndone\r\n")


@OPS("run -d")
def run_detached(s):
    c = s.sleeper("back")
    equal((s.w.inspect("back")["Id"], s.c.containers.get("back").status), (c.id, "running"))


@OPS("run -p, -P")
def run_ports(s):
    cmd = ["sh", "-c", "mkdir /w; echo by port >/w/index.html; exec httpd -f -p 80 -h /w"]
    s.c.containers.run(IMAGE, cmd, detach=True, name="web", ports={"80/tcp": [8081, ("127.0.0.1", 8082)]})
    s.c.containers.run(IMAGE, cmd, detach=True, name="any", ports={"80/tcp": None})
    for name in ("web", "any"):
        s.w.listening(name, 80, 20)
    port = s.c.containers.get("any").ports["80/tcp"][0]["HostPort"]
    for p in (8081, int(port)):
        equal(s.w.http_get("internet", "http://%s:%d/" % (HOST_UP, p)), "by port\n", "port %s" % p)
    equal(s.w.http_get("host", "http://127.0.0.1:8082/"), "by port\n")


@OPS("run --network, --network-alias, --ip")
def run_network(s):
    types = s.docker.types
    s.c.networks.create("runs", ipam=types.IPAMConfig(pool_configs=[types.IPAMPool(subnet="10.79.0.0/24")]))
    s.w.serve("peer", "runs")
    endpoint = s.api.create_endpoint_config(ipv4_address="10.79.0.50", aliases=["other"])
    made = s.api.create_container(IMAGE, ["sleep", "600"], networking_config=s.api.create_networking_config({"runs": endpoint}),
                                  host_config=s.api.create_host_config(network_mode="runs"))
    s.api.start(made)
    equal(s.w.resolve("peer", "other"), ["10.79.0.50"])
    equal(s.run("wget", "-qO-", "http://peer/", network="runs"), "peer")


@OPS("run --network host, none, container:")
def run_network_modes(s):
    contains(s.run("ip", "-o", "link", network_mode="host"), "lan0")
    equal(s.run("ls", "/sys/class/net", network_mode="none"), "lo")
    s.w.serve("owner", None)
    equal(s.run("wget", "-qO-", "http://127.0.0.1/", network_mode="container:owner"), "owner")


@OPS("run -e, --env-file, -w, -u, -h, -l")
def run_settings(s):
    equal(s.run("sh", "-c", "echo $A $(pwd) $(id -u):$(id -g) $(hostname)", environment={"A": "one"}, working_dir="/tmp", user="7:8",
                hostname="inner"), "one /tmp 7:8 inner")
    equal(s.sleeper("marked", labels={"k": "v"}).labels["k"], "v")


@OPS("run --entrypoint, --init, --read-only")
def run_start(s):
    equal(s.run("entry", "x", entrypoint=["/bin/echo"]), "entry x")
    matches(s.run("cat", "/proc/1/comm", init=True), "init|tini")
    s.fails(s.errors.ContainerError, "Read-only file system", s.run, "touch", "/x", read_only=True)


@OPS("run -v, --mount, --tmpfs")
def run_mounts(s):
    types = s.docker.types
    os.makedirs(s.home + "/bound", exist_ok=True)
    with open(s.home + "/bound/f", "w") as f:
        f.write("from the host")
    equal(s.run("cat", "/b/f", volumes={s.home + "/bound": {"bind": "/b", "mode": "ro"}}), "from the host")
    s.run("sh", "-c", "echo kept >/v/f", volumes={"named": {"bind": "/v", "mode": "rw"}})
    equal(s.run("cat", "/w/f", mounts=[types.Mount("/w", "named", type="volume")]), "kept")
    contains(s.run("sh", "-c", "grep ' /t ' /proc/mounts", tmpfs={"/t": "size=1m"}), "size=1024k")


@OPS("run -m, --cpus, --pids-limit")
def run_limits(s):
    c = s.sleeper("held", mem_limit="64m", nano_cpus=500000000, pids_limit=33)
    seen = set()
    for path in s.w.cgroups():
        for name in ("memory.max", "memory.limit_in_bytes", "pids.max", "cpu.max", "cpu.cfs_quota_us") if c.id in path else ():
            with contextlib.suppress(OSError), open(path + "/" + name) as f:
                seen.add(f.read().split()[0])
    check({"67108864", "33", "50000"} <= seen, "the kernel has %s", seen)


@OPS("run --cap-drop, --cap-add, --privileged, --security-opt")
def run_rights(s):
    s.fails(s.errors.ContainerError, "Operation not permitted", s.run, "chown", "1", "/etc", cap_drop=["CHOWN"])
    s.run("ip", "link", "set", "lo", "mtu", "1400", cap_add=["NET_ADMIN"])
    contains(s.run("grep", "NoNewPrivs", "/proc/self/status", security_opt=["no-new-privileges"]), "1")


@OPS("run --sysctl, --ulimit, --device, --shm-size")
def run_kernel(s):
    equal(s.run("cat", "/proc/sys/net/ipv4/ip_default_ttl", sysctls={"net.ipv4.ip_default_ttl": 77}), "77")
    equal(s.run("sh", "-c", "ulimit -n", ulimits=[s.docker.types.Ulimit(name="nofile", soft=99, hard=99)]), "99")
    equal(s.run("sh", "-c", "test -c /dev/mine && echo c", devices=["/dev/null:/dev/mine:rwm"]), "c")
    contains(s.run("df", "-k", "/dev/shm", shm_size="8m"), "8192")


@OPS("run --dns, --add-host, --link")
def run_names(s):
    text = s.run("cat", "/etc/resolv.conf", "/etc/hosts", dns=["192.0.2.9"], dns_search=["corp.test"], extra_hosts={"db.test": "192.0.2.5"})
    for part in ("corp.test", "192.0.2.9", "db.test"):
        contains(text, part)
    s.w.serve("linked", None)
    equal(s.run("wget", "-qO-", "http://alias/", links={"linked": "alias"}), "linked")


@OPS("run --restart")
def run_restart(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "exit 3"], detach=True, restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
    until(lambda: c.reload() or c.attrs["RestartCount"] == 2 and c.status == "exited", "two restarts", 30)


@OPS("run --health-cmd")
def run_health(s):
    test = {"test": ["CMD-SHELL", "test -e /ok"], "interval": 200000000, "retries": 2}
    c = s.sleeper("well", healthcheck=test)
    until(lambda: c.reload() or c.attrs["State"].get("Health", {}).get("Status") == "unhealthy", "unhealthy", 15)
    c.exec_run("touch /ok")
    until(lambda: c.reload() or c.attrs["State"]["Health"]["Status"] == "healthy", "healthy", 15)


# ---- containers ----

OPS.section = "Containers"


@OPS("create, start, stop, restart")
def life(s):
    c = s.c.containers.create(IMAGE, ["sh", "-c", "trap 'exit 5' TERM; echo up; sleep 600 & wait"], name="life")
    equal(c.status, "created")
    c.start()
    c.reload()
    first = c.attrs["State"]["Pid"]
    until(lambda: c.logs() == b"up\n", "the trap is set")
    c.restart(timeout=20)
    c.reload()
    check(c.status == "running" and c.attrs["State"]["Pid"] != first, "not another process")
    until(lambda: c.logs() == b"up\nup\n", "the trap is set again")
    c.stop(timeout=20)
    c.reload()
    equal((c.status, c.attrs["State"]["ExitCode"]), ("exited", 5))
    c.stop()


@OPS("kill")
def kill(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "trap 'echo hup' HUP; echo up; while :; do sleep 0.1; done"], detach=True)
    until(lambda: c.logs() == b"up\n", "up")
    c.kill("SIGHUP")
    until(lambda: c.logs() == b"up\nhup\n", "the signal")
    c.kill()
    equal(c.wait(timeout=20)["StatusCode"], 137)
    s.fails(s.errors.APIError, "is not running", c.kill)


@OPS("rm")
def rm(s):
    c = s.sleeper("kept")
    s.fails(s.errors.APIError, "409", c.remove)
    c.remove(force=True, v=True)
    s.fails(s.errors.NotFound, "No such container: kept", s.c.containers.get, "kept")


@OPS("rename")
def rename(s):
    s.c.networks.create("names")
    c = s.sleeper("before", network="names")
    s.sleeper("asks", network="names")
    c.rename("after")
    equal(s.w.resolve("asks", "after"), [s.w.address("after")])
    equal(s.w.resolve("asks", "before"), [])


@OPS("pause, unpause")
def pause(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "while :; do date +%N; sleep 0.05; done"], detach=True)
    until(c.logs, "a line")
    c.pause()
    c.reload()
    equal(c.status, "paused")
    frozen = c.logs()
    time.sleep(0.3)
    equal(c.logs(), frozen, "it goes on")
    c.unpause()
    until(lambda: c.logs() != frozen, "it goes on")


@OPS("update")
def update(s):
    c = s.sleeper("grow", mem_limit="64m")
    c.update(mem_limit="96m", memswap_limit="192m", restart_policy={"Name": "always"})
    values = set()
    for path in s.w.cgroups():
        for name in ("memory.max", "memory.limit_in_bytes") if c.id in path else ():
            with contextlib.suppress(OSError), open(path + "/" + name) as f:
                values.add(f.read().strip())
    check(str(96 << 20) in values, "the kernel has %s", values)


@OPS("wait")
def wait(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "sleep 1; exit 6"], detach=True)
    equal(c.wait(timeout=30)["StatusCode"], 6)
    c = s.c.containers.create(IMAGE, ["sh", "-c", "exit 7"])
    got = []
    t = threading.Thread(target=lambda: got.append(c.wait(condition="next-exit", timeout=40)["StatusCode"]))
    t.start()
    time.sleep(0.2)
    c.start()
    t.join(40)
    equal(got, [7])


@OPS("ps")
def ps(s):
    c = s.sleeper("shown", ports={"80/tcp": 8083}, labels={"m": "1"})
    s.c.containers.run(IMAGE, ["true"], name="ended")
    equal([x.name for x in s.c.containers.list()], ["shown"])
    equal(sorted(x.name for x in s.c.containers.list(all=True)), ["ended", "shown"])
    for f in ({"label": ["m=1"]}, {"status": "running"}, {"name": "sho"}, {"id": c.id[:8]}, {"ancestor": IMAGE, "publish": "8083"}):
        equal([x.name for x in s.c.containers.list(all=True, filters=f)], ["shown"], str(f))
    equal([x.name for x in s.c.containers.list(all=True, filters={"exited": 0})], ["ended"])
    equal([x.name for x in s.c.containers.list(limit=1)], ["ended"])


@OPS("ps --size")
def ps_size(s):
    s.c.containers.run(IMAGE, ["sh", "-c", "dd if=/dev/zero of=/big bs=1000 count=3000 2>/dev/null"], name="fat")
    row = s.api.containers(all=True, size=True)[0]
    check(3000000 <= row["SizeRw"] < 3100000 and row["SizeRootFs"] > row["SizeRw"], "%s", row)


@OPS("inspect")
def inspect(s):
    c = s.sleeper("object", ports={"80/tcp": 8084})
    got = s.api.inspect_container("object")
    equal((got["Id"], got["Config"]["Image"], got["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]), (c.id, IMAGE, "8084"))
    equal(c.image.tags, [IMAGE])


@OPS("port")
def port(s):
    s.sleeper("ports", ports={"80/tcp": 8085, "81/udp": ("127.0.0.1", 8086)})
    equal(s.api.port("ports", 80)[0]["HostPort"], "8085")
    equal(s.api.port("ports", "81/udp"), [{"HostIp": "127.0.0.1", "HostPort": "8086"}])


@OPS("logs")
def logs(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "for i in 1 2 3; do echo o$i; done; sleep 0.1; echo e1 >&2"], detach=True)
    c.wait(timeout=20)
    equal((c.logs(stdout=True, stderr=False), c.logs(stdout=False, stderr=True)), (b"o1\no2\no3\n", b"e1\n"))
    equal(c.logs(tail=2, stderr=False), b"o3\n")
    matches(c.logs(timestamps=True).decode(), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z o1\n")
    equal(c.logs(since=int(time.time()) + 1000), b"")


@OPS("logs -f")
def logs_follow(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "echo first; while ! test -e /go; do sleep 0.05; done; echo last"], detach=True)
    lines = c.logs(stream=True, follow=True)
    equal(next(lines), b"first\n")
    s.w.exec(c.id, "touch", "/go")
    equal(list(lines), [b"last\n"])


@OPS("attach")
def attach(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "read x; echo got $x; echo e >&2; sleep 0.2"], detach=True, stdin_open=True)
    out = c.attach(stream=True, logs=True, demux=True)
    sock = c.attach_socket(params={"stdin": 1, "stream": 1})
    getattr(sock, "_sock", sock).sendall(b"hello\n")
    got = [b"", b""]
    for a, b in out:
        got = [got[0] + (a or b""), got[1] + (b or b"")]
    sock.close()
    equal(got, [b"got hello\n", b"e\n"])


@OPS("exec")
def exec_(s):
    c = s.sleeper("room")
    r = c.exec_run(["sh", "-c", "echo $X $(pwd) $(id -u); echo e >&2; exit 4"], environment={"X": "1"}, workdir="/tmp", user="5", demux=True)
    equal((r.exit_code, r.output), (4, (b"1 /tmp 5\n", b"e\n")))
    equal(b"".join(c.exec_run(["sh", "-c", "echo a; sleep 0.2; echo b"], stream=True).output), b"a\nb\n")
    made = s.api.exec_create(c.id, ["cat"], stdin=True)
    sock = s.api.exec_start(made["Id"], socket=True)
    raw = getattr(sock, "_sock", sock)
    raw.sendall(b"through a socket")
    raw.shutdown(1)
    data = b""
    while part := raw.recv(4096):
        data += part
    sock.close()
    contains(data, b"through a socket")
    until(lambda: s.api.exec_inspect(made["Id"])["ExitCode"] == 0, "its exit code")
    c.exec_run("touch /later", detach=True)
    until(lambda: c.exec_run("test -e /later").exit_code == 0, "the detached one")


@OPS("top")
def top(s):
    c = s.sleeper("proc")
    until(lambda: "sleep 600" in str(c.top()["Processes"]), "the program; a start does not await it", 20, 0.1)
    equal(c.top()["Titles"][:3], ["UID", "PID", "PPID"])
    equal(c.top(ps_args="-o pid,comm")["Processes"], [[str(s.w.inspect("proc")["State"]["Pid"]), "sleep"]])


@OPS("stats")
def stats(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "while :; do :; done"], detach=True, mem_limit="64m")
    one = c.stats(stream=False)
    equal((one["memory_stats"]["limit"], one["pids_stats"]["current"]), (64 << 20, 1))
    check(one["cpu_stats"]["cpu_usage"]["total_usage"] > one["precpu_stats"]["cpu_usage"]["total_usage"] > 0, "%s", one["cpu_stats"])
    stream = c.stats(stream=True, decode=True)
    a, b = next(stream), next(stream)
    check(b["cpu_stats"]["cpu_usage"]["total_usage"] > a["cpu_stats"]["cpu_usage"]["total_usage"], "no time passes")
    stream.close()


@OPS("cp into a container")
def cp_in(s):
    c = s.sleeper("filled")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in ("tree/a", "tree/sub/b"):
            info = tarfile.TarInfo(name)
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))
    equal(c.put_archive("/tmp", data.getvalue()), True)
    equal(c.exec_run("cat /tmp/tree/sub/b").output, b"tree/sub/b")
    s.fails(s.errors.NotFound, "", c.put_archive, "/no/such/place", data.getvalue())


@OPS("cp out of a container")
def cp_out(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "mkdir -p /data/sub; echo two >/data/sub/b; ln -s b /data/l"], detach=True)
    c.wait(timeout=20)
    bits, stat = c.get_archive("/data")
    equal(stat["name"], "data")
    with tarfile.open(fileobj=io.BytesIO(b"".join(bits))) as tar:
        equal(tar.extractfile("data/sub/b").read(), b"two\n")
        equal(tar.getmember("data/l").linkname, "b")
    s.fails(s.errors.NotFound, "", c.get_archive, "/nothing")


@OPS("diff")
def diff(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "echo x >/new; rm /etc/group; echo y >>/etc/passwd"], detach=True)
    c.wait(timeout=20)
    got = {x["Path"]: x["Kind"] for x in c.diff()}
    equal([got.get(p) for p in ("/new", "/etc/group", "/etc/passwd")], [1, 2, 0])


@OPS("export")
def export(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "echo exported >/mark"], detach=True)
    c.wait(timeout=20)
    with tarfile.open(fileobj=io.BytesIO(b"".join(c.export()))) as tar:
        equal(tar.extractfile("mark").read(), b"exported\n")


@OPS("commit")
def commit(s):
    c = s.c.containers.run(IMAGE, ["sh", "-c", "echo committed >/mark"], detach=True)
    c.wait(timeout=20)
    i = c.commit("made/commit", "1", message="why", author="a", changes=["ENV K=v"], conf={"Cmd": ["cat", "/mark"]})
    equal(i.tags, ["made/commit:1"])
    equal(s.run(image="made/commit:1"), "committed")


@OPS("container prune")
def container_prune(s):
    c = s.c.containers.run(IMAGE, ["true"], detach=True)
    s.sleeper("alive")
    c.wait(timeout=20)
    equal(s.c.containers.prune()["ContainersDeleted"], [c.id])
    equal([x.name for x in s.c.containers.list(all=True)], ["alive"])


# ---- images ----

OPS.section = "Images"


@OPS("pull")
def pull(s):
    digest = ops_images.registry(s.w).seed("team/pulled", "1", [], Cmd=["echo", "from the registry"])
    i = s.c.images.pull("127.0.0.1:5000/team/pulled", tag="1")
    equal((i.tags, i.attrs["RepoDigests"]), (["127.0.0.1:5000/team/pulled:1"], ["127.0.0.1:5000/team/pulled@" + digest]))
    equal(s.run(image="127.0.0.1:5000/team/pulled:1"), "from the registry")
    lines = list(s.api.pull("127.0.0.1:5000/team/pulled", tag="1", stream=True, decode=True))
    check(any("up to date" in x.get("status", "") for x in lines), "%s", lines)
    s.fails(s.errors.APIError, "", s.c.images.pull, "127.0.0.1:5000/team/nothing", tag="1")
    equal(s.c.images.get_registry_data("127.0.0.1:5000/team/pulled:1").id, digest)


@OPS("push")
def push(s):
    s.c.images.get(IMAGE).tag("127.0.0.1:5000/by-py", "v1")
    lines = list(s.c.images.push("127.0.0.1:5000/by-py", tag="v1", stream=True, decode=True))
    matches(str(lines), r"v1: digest: sha256:[0-9a-f]{64}")
    equal(ops_images.registry(s.w).tags("by-py"), ["v1"])


@OPS("login, logout")
def login(s):
    closed = ops_images.closed_registry(s.w)
    closed.seed("secret", "1", [], Cmd=["echo", "opened"])
    s.fails(s.errors.APIError, "401", s.c.login, "ann", "wrong", registry=closed.address)
    equal(s.c.login("ann", "open sesame", registry=closed.address)["Status"], "Login Succeeded")
    s.c.images.pull(closed.address + "/secret", tag="1", auth_config={"username": "ann", "password": "open sesame"})
    equal(s.run(image=closed.address + "/secret:1"), "opened")


@OPS("search")
def search(s):
    equal(s.c.images.search(ops_images.index(s.w) + "/web")[0]["name"], "nginx")


@OPS("build")
def build(s):
    i, lines = s.c.images.build(path=ops_images.context(s.home + "/py-context"), tag="made/build:1", buildargs={"WHO": "py"}, rm=True)
    check(any("Successfully tagged made/build:1" in x.get("stream", "") for x in lines), "no such line")
    equal(s.run(image="made/build:1"), "built for py: from the context")
    e = s.fails(s.errors.BuildError, "returned a non-zero code: 3", s.c.images.build, fileobj=io.BytesIO(b"FROM %s\nRUN exit 3\n" % IMAGE.encode()))
    check(e.build_log is not None, "no log")


@OPS("image ls")
def image_ls(s):
    s.c.images.get(IMAGE).tag("listed/one", "v1")
    equal([x.id for x in s.c.images.list("listed/one")], [s.c.images.get(IMAGE).id])
    check(any("listed/one:v1" in x.tags for x in s.c.images.list(filters={"reference": "listed/*"})), "the filter")
    equal(s.c.images.list(filters={"dangling": True}), [])
    s.c.images.remove("listed/one:v1")


@OPS("image inspect, history")
def image_inspect(s):
    i = s.c.images.get(IMAGE)
    equal((i.attrs["Os"], i.attrs["RootFS"]["Type"], IMAGE in i.tags, len(i.history()) > 0), ("linux", "layers", True, True))


@OPS("tag, rmi")
def tag(s):
    equal(s.c.images.get(IMAGE).tag("tagged/twice", "v1"), True)
    s.c.images.remove("tagged/twice:v1")
    s.fails(s.errors.ImageNotFound, "No such image: tagged/twice:v1", s.c.images.get, "tagged/twice:v1")


@OPS("save, load")
def save_load(s):
    s.c.images.get(IMAGE).tag("saved/it", "v1")
    data = b"".join(s.c.images.get("saved/it:v1").save(named="saved/it:v1"))
    s.c.images.remove("saved/it:v1")
    equal(s.c.images.load(data)[0].id, s.c.images.get(IMAGE).id)
    equal(s.run("echo", "loaded", image="saved/it:v1"), "loaded")


@OPS("load, import")
def load_import(s):
    equal(s.c.images.load(standin.archive({"loaded/it:1": ([], {"Cmd": ["echo", "from a tar"]})}))[0].tags, ["loaded/it:1"])
    equal(s.run(image="loaded/it:1"), "from a tar")
    s.api.import_image_from_data(standin.layer(), repository="imported/it", tag="1", changes=['CMD ["echo", "imported"]'])
    equal(s.run("echo", "imported", image="imported/it:1"), "imported")


@OPS("image prune")
def image_prune(s):
    s.w.load({"pruned/b:1": ([], {"Cmd": ["b"]})})
    old = s.c.images.get("pruned/b:1").id
    s.w.load({"pruned/b:1": ([], {"Cmd": ["another"]})})
    contains(str(s.c.images.prune(filters={"dangling": True})["ImagesDeleted"]), old)


# ---- volumes ----

OPS.section = "Volumes"


@OPS("volume create, ls, inspect, rm")
def volume(s):
    v = s.c.volumes.create("vol", driver="local", labels={"a": "b"})
    equal([x.name for x in s.c.volumes.list(filters={"label": "a=b"})], ["vol"])
    equal(s.c.volumes.get("vol").attrs["Labels"], {"a": "b"})
    c = s.sleeper("mounts", volumes=["vol:/v"])
    s.fails(s.errors.APIError, "volume is in use", v.remove)
    c.remove(force=True)
    v.remove()
    s.fails(s.errors.NotFound, "no such volume", s.c.volumes.get, "vol")


@OPS("volume create -o")
def volume_options(s):
    s.c.volumes.create("small", driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})
    contains(s.run("df", "-k", "/s", volumes=["small:/s"]), "1024")


@OPS("volume prune")
def volume_prune(s):
    s.sleeper("holds", volumes=["held:/v"])
    c = s.c.containers.run(IMAGE, ["true"], volumes=["/anonymous"], detach=True)
    c.wait(timeout=20)
    name = s.w.inspect(c.id)["Mounts"][0]["Name"]
    c.remove()
    equal(s.c.volumes.prune()["VolumesDeleted"], [name])


# ---- the engine ----

OPS.section = "Engine"


@OPS("version, info")
def version_info(s):
    equal((s.c.ping(), s.c.version()["Os"]), (True, "linux"))
    s.sleeper("counted")
    info = s.c.info()
    equal((info["ContainersRunning"], info["DockerRootDir"]), (1, s.w.data))


@OPS("system df")
def system_df(s):
    c = s.sleeper("uses", volumes=["dfvol:/v"])
    c.exec_run(["sh", "-c", "dd if=/dev/zero of=/v/f bs=1000 count=2000; dd if=/dev/zero of=/f bs=1000 count=3000"])
    df = s.c.df()
    usage, written = df["Volumes"][0]["UsageData"], df["Containers"][0].get("SizeRw", 0)
    check(usage["Size"] >= 2000000 and usage["RefCount"] == 1 and written >= 3000000, "a volume's %s, a container's %d bytes", usage, written)


@OPS("events")
def events(s):
    began = time.time()
    stream = s.c.events(decode=True, filters={"type": "container", "event": ["start", "die"]})
    c = s.c.containers.run(IMAGE, ["sh", "-c", "exit 5"], detach=True, name="noisy")
    seen = [next(stream), next(stream)]
    stream.close()
    equal([(e["Action"], e["id"], e["Actor"]["Attributes"].get("exitCode")) for e in seen], [("start", c.id, None), ("die", c.id, "5")])
    past = list(s.c.events(decode=True, since=int(began), until=int(time.time()) + 1, filters={"container": c.id}))
    equal([e["Action"] for e in past], ["create", "start", "die"])


@OPS("-H tcp://")
def host_tcp(s):
    s.w.stop()
    s.w.start("-H", "tcp://127.0.0.1:2375")
    try:
        with s.w.at("host"):
            c = s.docker.DockerClient(base_url="tcp://127.0.0.1:2375", version="auto")
            equal(c.containers.run(IMAGE, ["echo", "over tcp"], remove=True), b"over tcp\n")
            c.close()
    finally:
        s.w.restart()
