# SPDX-License-Identifier: GPL-2.0-or-later
"""The testbed: a small world of network namespaces with an engine in it, and probes from each place.

    internet 203.0.113.1/24 ── up0  host  lan0 ── 198.51.100.2/24 lan
       2001:db8:1::1           203.0.113.2        2001:db8:2::2
       HTTP :80, DNS :53       2001:db8:1::2      routes to the containers
       198.18.0.1 "far away"   198.51.100.1       go over the host
       2001:db8:f::1           2001:db8:2::1

The engine runs in `host`. `lan` and `internet` route the containers' addresses of both families to the
host, so that direct routing is really tried. A claim is proven by packets from the real place; what must be
forbidden is probed only after the same probe has succeeded from where it is allowed.

A test file is a program: functions test_*(w) in order, main(globals()) at the end. After each test
its objects are removed through the API and the kernel, the exec-root and the data-root must be as
they were before the first one.
"""
import contextlib
import glob
import http.client
import json
import os
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packets  # noqa: E402
import sandbox  # noqa: E402
import servers  # noqa: E402
import standin  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACES = ("host", "internet", "lan")
INTERNET, HOST_UP, HOST_LAN, LAN, FAR = "203.0.113.1", "203.0.113.2", "198.51.100.1", "198.51.100.2", "198.18.0.1"
INTERNET6, HOST_UP6, HOST_LAN6, LAN6, FAR6 = ("2001:db8:1::1", "2001:db8:1::2", "2001:db8:2::1", "2001:db8:2::2",
                                              "2001:db8:f::1")
CONTAINERS = ("172.16.0.0/12", "10.0.0.0/8", "192.168.0.0/16")
CONTAINERS6 = ("fd00::/8", "2001:db8:c::/48")
IMAGE = "atoll/busybox:latest"
ENGINE = os.environ.get("ATOLL_TEST_ENGINE", "atolld")
PREDEFINED = ("bridge", "host", "none")


class Skip(Exception):
    """This test cannot be run here; the text says why."""


class Failed(AssertionError):
    pass


def check(condition, text="", *args):
    if not condition:
        raise Failed(text % args if args else text or "check failed")


def short(value, room=600):
    text = repr(value)
    return text if len(text) <= room else "%s ... %s (%d characters)" % (text[:room // 2], text[-room // 2:], len(text))


def equal(got, want, what=""):
    if got != want:
        raise Failed("%sgot %s, want %s" % (what + ": " if what else "", short(got), short(want)))


def contains(text, part):
    if text is None or part not in text:
        raise Failed("%r is not in %r" % (part, text and text[-2000:]))


def matches(text, pattern):
    m = re.search(pattern, text, re.S)
    if not m:
        raise Failed("%r does not match %r" % (text[-2000:], pattern))
    return m


def until(fn, what="condition", seconds=10.0, every=0.02):
    """Waits for what tells nobody of itself. Where there is an event, wait for that instead."""
    end = time.monotonic() + seconds
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed("%s: not within %g s" % (what, seconds))
        time.sleep(every)


def timeout(seconds):
    def mark(fn):
        fn.timeout = seconds
        return fn
    return mark


def run(*args, **kw):
    kw.setdefault("capture_output", True)
    kw.setdefault("text", True)
    kw.setdefault("timeout", 60)
    return subprocess.run(list(args), **kw)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def enterable(place):
    """Probes from there are sockets of the testbed's own; from a container's name they are its programs."""
    return not isinstance(place, str) or place in PLACES or place.startswith("c:")


def literal(address):
    """An address as it stands in a URL or in -p."""
    return "[%s]" % address if ":" in address else address


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body) if self.body else None

    @property
    def message(self):
        """The engine's error text."""
        try:
            return self.json["message"]
        except (ValueError, KeyError, TypeError):
            return None

    def __repr__(self):
        return "%d %s" % (self.status, self.text[:500])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class World:
    """See the head of this file. One per sandbox; close() is not needed: the sandbox's end is enough."""

    def __init__(self, base, flags=(), kind=ENGINE, data_size=None):
        # the name is the engine's cgroup parent too; the sandbox removes what is below its first part
        self.base, self.name, self.flags = base, os.path.relpath(base, "/tmp"), list(flags)
        self.kind, self.peer = kind.partition("-")[0], kind  # "dockerd-26" is a dockerd
        self.data, self.exec_root, self.socket = base + "/d", base + "/x", base + "/x/docker.sock"
        self.build = os.environ.get("ATOLL_BUILD", TOP + "/build")
        self.cli = os.environ.get("DOCKER_CLI") or run(TOP + "/tools/docker-cli").stdout.strip()
        self.log_path, self.engine, self.ns, self.home = base + "/log", None, {}, base + "/home"
        self.baseline = None
        for d in (self.data, self.exec_root, base + "/ns", self.home, base + "/bin"):
            os.makedirs(d, exist_ok=True)
        if data_size:  # a disk of its own that a test may fill
            sandbox.mount("tmpfs", self.data, "tmpfs", 0, "mode=755,size=" + data_size)
        if self.cli:
            os.symlink(self.cli, base + "/bin/docker")
        os.symlink(self.build + "/src/bin/atoll", base + "/bin/atoll")
        self.env = dict(os.environ, PATH=base + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                        DOCKER_HOST="unix://" + self.socket, HOME=self.home, LC_ALL="C.UTF-8")
        for name in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION", "NOTIFY_SOCKET"):
            self.env.pop(name, None)
        self._namespaces()
        self._internet()

    # ---- namespaces ----

    def _namespaces(self):
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.ns["own"] = own
        for place in PLACES:
            path = self.base + "/ns/" + place
            sandbox.unshare(sandbox.CLONE_NEWNET)
            open(path, "w").close()
            sandbox.mount("/proc/thread-self/ns/net", path, None, sandbox.MS_BIND)
            self.ns[place] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            sandbox.setns(own, sandbox.CLONE_NEWNET)
        pin = self.base + "/ns/"
        self.ip("host", "link set lo up", "link add up0 type veth peer name eth0 netns %sinternet" % pin,
                "link add lan0 type veth peer name eth0 netns %slan" % pin)
        for place, link in (("host", "up0"), ("host", "lan0"), ("internet", "eth0"), ("lan", "eth0")):
            self.sysctl(place, "net/ipv6/conf/%s/accept_dad" % link, 0)  # nobody waits for these addresses
            self.sysctl(place, "net/ipv4/ip_forward", 0)  # where init's is on, it is inherited
        self.bridge_nf(os.environ.get("ATOLL_TEST_BRIDGE_NF", "0"))  # a new namespace has it on, a host without others off
        self.ip("host", "addr add %s/24 dev up0" % HOST_UP, "addr add %s/64 dev up0 nodad" % HOST_UP6,
                "addr add %s/24 dev lan0" % HOST_LAN, "addr add %s/64 dev lan0 nodad" % HOST_LAN6,
                "link set up0 up", "link set lan0 up", "route add default via %s" % INTERNET,
                "route add default via %s" % INTERNET6)
        self.ip("internet", "link set lo up", "addr add %s/24 dev eth0" % INTERNET, "addr add %s/32 dev lo" % FAR,
                "addr add %s/64 dev eth0 nodad" % INTERNET6, "addr add %s/128 dev lo nodad" % FAR6,
                "link set eth0 up", "route add 198.51.100.0/24 via %s" % HOST_UP,
                "route add 2001:db8:2::/64 via %s" % HOST_UP6,
                *["route add %s via %s" % (r, HOST_UP) for r in CONTAINERS],
                *["route add %s via %s" % (r, HOST_UP6) for r in CONTAINERS6])
        self.ip("lan", "link set lo up", "addr add %s/24 dev eth0" % LAN, "addr add %s/64 dev eth0 nodad" % LAN6,
                "link set eth0 up", "route add default via %s" % HOST_LAN, "route add default via %s" % HOST_LAN6,
                *["route add %s via %s" % (r, HOST_LAN) for r in CONTAINERS],
                *["route add %s via %s" % (r, HOST_LAN6) for r in CONTAINERS6])
        if os.path.lexists("/etc/resolv.conf"):
            os.unlink("/etc/resolv.conf")
        self.host_resolv_conf("nameserver %s\n" % INTERNET)

    def host_resolv_conf(self, text):
        with open("/etc/resolv.conf", "w") as f:
            f.write(text)

    def ip(self, place, *lines):
        with self.at(place):
            r = run("ip", "-batch", "-", input="\n".join(lines) + "\n")
        check(r.returncode == 0, "ip in %s: %s", place, r.stderr)

    def ip_json(self, place, *args):
        """What `ip -j` says in a place (see at): links, addresses, routes as the kernel has them."""
        with self.at(place):
            r = run("ip", "-j", "-d", *args)
        check(r.returncode == 0, "ip %s in %s: %s", shlex.join(args), place, r.stderr)
        return json.loads(r.stdout or "[]")

    def sysctl(self, place, key, value=None):
        """Writes net/... in a place, or reads it."""
        with self.at(place), open("/proc/sys/" + key, "r" if value is None else "w") as f:
            return f.read().strip() if value is None else f.write("%s\n" % value)

    def bridge_nf(self, on):
        """bridge-nf-call of the host's namespace: a neighbour engine switches it on for all. False: not in this kernel."""
        keys = ["net/bridge/bridge-nf-call-" + k for k in ("iptables", "ip6tables")]
        there = all(os.path.exists("/proc/sys/" + k) for k in keys)
        for key in keys if there else ():
            self.sysctl("host", key, int(on))
        if there and self.alive() and self.kind == "atolld":  # which tells nobody that it has noticed
            until(lambda: all(d.get("hairpin", bool(int(on))) == bool(int(on)) for d in self.bridge_ports()),
                  "bridge ports in hairpin mode as bridge-nf-call is", 5)
        return there

    def bridge_ports(self):
        return [x["linkinfo"]["info_slave_data"] for x in self.ip_json("host", "link", "show")
                if x.get("linkinfo", {}).get("info_slave_kind") == "bridge"]

    def both_bridge_nf(self):
        """Yields 0 and, where the kernel has it, 1, with bridge-nf-call so; then it is as before."""
        before = os.environ.get("ATOLL_TEST_BRIDGE_NF", "0")
        try:
            for on in (0, 1):
                if self.bridge_nf(on) or not on:
                    yield on
        finally:
            self.bridge_nf(before)

    @contextlib.contextmanager
    def at(self, place):
        """The calling thread in a network namespace: a place, or "c:NAME" for a running container, or
        an open file descriptor."""
        fd, own = place, None
        if isinstance(place, str):
            if place.startswith("c:"):
                own = fd = self.netns_of(place[2:])
            else:
                fd = self.ns[place]
        sandbox.setns(fd, sandbox.CLONE_NEWNET)
        try:
            yield
        finally:
            sandbox.setns(self.ns["own"], sandbox.CLONE_NEWNET)
            if own is not None:
                os.close(own)

    def netns_of(self, container):
        """A file descriptor of a running container's network namespace; the caller closes it."""
        pid = self.inspect(container)["State"]["Pid"]
        check(pid > 0, "%s does not run", container)
        return os.open("/proc/%d/ns/net" % pid, os.O_RDONLY | os.O_CLOEXEC)

    def _bound(self, place, addr, port, kind=socket.SOCK_STREAM):
        with self.at(place):
            s = socket.socket(family(addr), kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if s.family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind((addr, port))
        return s

    def _internet(self):
        self.http = servers.Http(self._bound("internet", "0.0.0.0", 80), self._bound("internet", "::", 80))
        self.dns = servers.Dns(self._bound("internet", INTERNET, 53, socket.SOCK_DGRAM),
                               self._bound("internet", INTERNET, 53),
                               {"example.test": [(servers.A, "198.18.0.1"), (servers.TXT, b"\x05hello")],
                                "www.example.test": [(servers.A, "198.18.0.1")],
                                "six.example.test": [(servers.AAAA, FAR6)],
                                "both.example.test": [(servers.A, FAR), (servers.AAAA, FAR6)],
                                "cut.example.test": [(servers.A, "198.18.0.7")],
                                "many.example.test": [(servers.A, "198.18.1.%d" % i) for i in range(1, 60)]})
        self.dns.listen(self._bound("internet", INTERNET6, 53, socket.SOCK_DGRAM), self._bound("internet", INTERNET6, 53))
        self.dns.truncate.add("cut.example.test")

    # ---- the engine ----

    def start(self, *flags, wait=True):
        """Starts the engine and waits until it says that it is ready."""
        if self.kind == "dockerd":
            return self._start_dockerd(*flags)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        path = self.base + "/n"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        notify.bind(path)
        program = self.build + "/src/bin/atolld"
        check(os.path.exists(program), "%s is not built", program)
        env = dict(self.env, NOTIFY_SOCKET=path)
        env.setdefault("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=1:strict_string_checks=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        args = [program, "-H", "unix://" + self.socket, "--data-root", self.data, "--exec-root", self.exec_root,
                "--pidfile", self.base + "/pid", "--cgroup-parent", "/" + self.name, "--log-level", "debug"]
        args += self.flags + list(flags)
        with open(self.log_path, "ab") as log, self.at("host"):
            self.engine = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                           start_new_session=True)
        if not wait:
            notify.close()
            return None
        pidfd = os.pidfd_open(self.engine.pid)
        end = time.monotonic() + (60 if self.sanitized() else 20)
        try:
            while True:
                ready, _, _ = select.select([notify, pidfd], [], [], max(0, end - time.monotonic()))
                if notify in ready:
                    if b"READY=1" in notify.recv(4096).split(b"\n"):
                        break
                elif pidfd in ready:
                    raise Failed("atolld ended with %d:\n%s" % (self.engine.wait(), self.log_tail(15)))
                else:
                    raise Failed("atolld is not ready in time:\n" + self.log_tail(15))
        finally:
            os.close(pidfd)
            notify.close()
        if self.baseline is None:
            self.baseline = self.settled()
        return self

    def _start_dockerd(self, *flags):
        """The same tests against the real thing, to test the tests: ATOLL_TEST_ENGINE=dockerd, the machine's or
        Debian's, or dockerd-26, as bench/peer-get brings them."""
        cache = "%s/tests/.cache/%s" % (TOP, self.peer)
        installed = self.peer == "dockerd" and os.path.exists("/usr/sbin/dockerd")
        if not installed and self.engine is None:
            check(os.path.exists(cache), "no %s; bench/peer-get %s brings it", self.peer, self.peer)
            sandbox.mount("overlay", "/usr", "overlay", 1, "lowerdir=%s/usr:/usr" % cache)
        env = dict(self.env, LD_LIBRARY_PATH=":".join(glob.glob(cache + "/lib/*-linux-gnu")))
        with open(self.log_path, "ab") as log, self.at("host"):
            self.engine = subprocess.Popen(
                ["dockerd", "-H", "unix://" + self.socket, "--data-root", self.data, "--exec-root", self.exec_root,
                 "--pidfile", self.base + "/pid", "--cgroup-parent", "/" + self.name, "--live-restore",
                 "--log-level", "error"] + self.flags + list(flags),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)
        try:
            until(lambda: os.path.exists(self.socket) and self.alive_api(), "dockerd", 60)
        except Failed:
            raise Failed("dockerd is not ready in time:\n" + self.log_tail(15)) from None
        if self.baseline is None:
            self.load({IMAGE: ([], {"Cmd": ["sh"]})})
            self.baseline = self.settled()
        return self

    def alive_api(self):
        try:
            return self.api("GET", "/_ping").status == 200
        except OSError:
            return False

    def sanitized(self):
        return "build-san" in self.build

    def alive(self):
        return self.engine is not None and self.engine.poll() is None

    def cpu_ticks(self):
        with open("/proc/%d/stat" % self.engine.pid) as f:
            part = f.read().rsplit(")", 1)[1].split()
        return int(part[11]) + int(part[12])

    def idles(self, seconds=20):
        """The engine sleeps: in some second from now it uses less than a tenth of a processor."""
        end = time.monotonic() + seconds
        while True:
            before = self.cpu_ticks()
            time.sleep(1)
            used = self.cpu_ticks() - before
            if used < os.sysconf("SC_CLK_TCK") // 10:
                return
            check(time.monotonic() < end, "the engine does not come to rest: %d ticks a second", used)

    def kill9(self):
        self.engine.kill()
        self.engine.wait()

    def stop(self):
        """An orderly end. Return: exit code."""
        self.engine.terminate()
        try:
            return self.engine.wait(30)
        except subprocess.TimeoutExpired:
            self.engine.kill()
            self.engine.wait()
            raise Failed("the engine did not end within 30 s of SIGTERM")

    def restart(self):
        if self.alive():
            equal(self.stop(), 0, "exit code of the engine")
        return self.start()

    def log_tail(self, lines=40, since=0):
        try:
            with open(self.log_path, errors="replace") as f:
                f.seek(since)
                return "".join(x[:300].rstrip("\n") + "\n" for x in f.readlines()[-lines:])
        except FileNotFoundError:
            return ""

    def log_size(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    # ---- clients ----

    def docker_try(self, *args, input=None, timeout=60, env=None, text=True):
        check(self.cli, "no docker CLI; tools/docker-cli says why")
        return subprocess.run([self.cli, *map(str, args)], input=input, capture_output=True, text=text,
                              timeout=timeout, env=dict(self.env, **(env or {})), cwd=self.home,
                              stdin=subprocess.DEVNULL if input is None else None)

    def docker(self, *args, **kw):
        """The docker CLI; must succeed. Return: what it printed, without the last newline."""
        r = self.docker_try(*args, **kw)
        check(r.returncode == 0, "docker %s: exit %d: %s%s", shlex.join(map(str, args)), r.returncode, r.stdout[-500:],
              r.stderr[-1500:])
        return r.stdout.rstrip("\n") if isinstance(r.stdout, str) else r.stdout

    def docker_fails(self, *args, code=None, says=None, **kw):
        """The docker CLI; must fail. Return: what it wrote to stderr."""
        r = self.docker_try(*args, **kw)
        check(r.returncode != 0, "docker %s succeeded: %s", shlex.join(map(str, args)), r.stdout[-500:])
        if code is not None:
            equal(r.returncode, code, "exit code of docker " + shlex.join(map(str, args)) + ": " + r.stderr[-500:])
        if says is not None:
            contains(r.stderr, says)
        return r.stderr

    def atoll_try(self, *args, input=None, timeout=60):
        return subprocess.run([self.base + "/bin/atoll", *map(str, args)], input=input, capture_output=True, text=True,
                              timeout=timeout, env=self.env, cwd=self.home,
                              stdin=subprocess.DEVNULL if input is None else None)

    def atoll(self, *args, **kw):
        r = self.atoll_try(*args, **kw)
        check(r.returncode == 0, "atoll %s: exit %d: %s%s", shlex.join(map(str, args)), r.returncode, r.stdout[-500:],
              r.stderr[-1500:])
        return r.stdout.rstrip("\n")

    def sh(self, script, timeout=120):
        """A shell script in the host's place, as a user would type it; must succeed."""
        with self.at("host"):
            r = run("sh", "-euc", script, env=self.env, cwd=self.home, timeout=timeout, stdin=subprocess.DEVNULL)
        check(r.returncode == 0, "script: exit %d: %s%s", r.returncode, r.stdout[-500:], r.stderr[-1500:])
        return r.stdout.rstrip("\n")

    def connect_api(self, timeout=30):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(self.socket)
        return s

    def api(self, method, path, body=None, headers=None, timeout=30, raw=None):
        """One call over the socket. @body becomes JSON; @raw is sent as it is."""
        conn = UnixConnection(self.socket, timeout)
        headers = dict(headers or {})
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            conn.request(method, path, body=data, headers=headers)
            r = conn.getresponse()
            return Response(r.status, r.headers, r.read())
        finally:
            conn.close()

    def get(self, path, status=200):
        r = self.api("GET", path)
        equal(r.status, status, "GET %s: %s" % (path, r.text[:300]))
        return r.json

    def inspect(self, container):
        return self.get("/containers/%s/json" % container)

    def network(self, name):
        return self.get("/networks/%s" % name)

    def address(self, container, network=None, key="IPAddress"):
        """A container's IPv4 address on a network (the only one, if not named)."""
        nets = self.inspect(container)["NetworkSettings"]["Networks"]
        if network is None:
            equal(len(nets), 1, "networks of " + container)
            network = next(iter(nets))
        check(network in nets and nets[network][key], "%s has no address on %s: %s", container, network, nets)
        return nets[network][key]

    def address6(self, container, network=None):
        return self.address(container, network, "GlobalIPv6Address")

    def bridge(self, network):
        """The name of a network's bridge."""
        n = self.network(network)
        return n["Options"].get("com.docker.network.bridge.name") or "br-" + n["Id"][:12]

    @contextlib.contextmanager
    def event(self, pattern, seconds=10):
        """What the block does is followed by an event of the engine that matches @pattern (its JSON)."""
        conn = UnixConnection(self.socket, seconds)
        conn.request("GET", "/events")
        stream = conn.getresponse()
        yield
        try:
            while line := stream.readline():
                if re.search(pattern, line.decode()):
                    return
            raise Failed("the stream of events ended before %s" % pattern)
        except socket.timeout:
            raise Failed("no event that matches %s within %g s" % (pattern, seconds)) from None
        finally:
            conn.close()

    def load(self, images):
        """Loads stand-ins: {reference: ports} (see standin.archive)."""
        r = self.api("POST", "/images/load?quiet=1", raw=standin.archive(images),
                     headers={"Content-Type": "application/x-tar"}, timeout=60)
        check(r.status == 200 and b'"error"' not in r.body, "loading stand-ins: %r", r)

    def serve(self, name, network=None, port=80, *more, image=IMAGE):
        """A container that answers HTTP on @port with "@name"; returns its id."""
        args = ["run", "-d", "--name", name]
        if network:
            args += ["--network", network]
        cmd = "mkdir -p /w && echo %s >/w/index.html && exec httpd -f -p %d -h /w" % (name, port)
        cid = self.docker(*args, *more, image, "sh", "-c", cmd)
        self.listening(name, port)
        return cid

    def listening(self, container, port, seconds=5):
        """Waits until a container listens on a TCP port."""
        want = "%04X" % port
        pid = self.inspect(container)["State"]["Pid"]

        def there():
            for table in ("tcp", "tcp6"):
                with contextlib.suppress(FileNotFoundError):
                    with open("/proc/%d/net/%s" % (pid, table)) as f:
                        for line in f.read().splitlines()[1:]:
                            part = line.split()
                            if part[1].endswith(":" + want) and part[3] == "0A":
                                return True
            return False
        until(there, "%s listens on %d" % (container, port), seconds)

    # ---- probes: from a place, or from inside a container (its name) ----

    def exec(self, container, *cmd, input=None, timeout=30):
        return self.docker_try("exec", *(["-i"] if input is not None else []), container, *cmd, input=input,
                               timeout=timeout)

    def tcp_reach(self, place, ip, port, wait=1.0):
        """Does a TCP connection from @place come about?"""
        if enterable(place):
            with self.at(place):
                s = socket.socket(family(ip), socket.SOCK_STREAM)
            with s:
                s.settimeout(wait)
                try:
                    s.connect((ip, port))
                    return True
                except OSError:
                    return False
        return self.exec(place, "nc", "-w", str(max(1, int(wait))), ip, str(port)).returncode == 0

    def http_get(self, place, url, wait=2.0, source=None):
        """The body of an HTTP GET from @place, None without an answer. In a container it is wget's."""
        if not enterable(place):
            r = self.exec(place, "timeout", str(max(1, int(wait))), "wget", "-qO-", url)
            return r.stdout if r.returncode == 0 else None
        m = re.match(r"http://\[?([^/:]+|[0-9a-f:]+(?=\]))\]?(?::(\d+))?(/.*)?$", url)
        with self.at(place):
            s = socket.socket(family(m[1]), socket.SOCK_STREAM)
        with s:
            s.settimeout(wait)
            try:
                if source:
                    s.bind((source, 0))
                s.connect((m[1], int(m[2] or 80)))
                s.sendall(("GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" % (m[3] or "/", m[1])).encode())
                data = b""
                while part := s.recv(65536):
                    data += part
            except OSError:
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        return body.decode("utf-8", "replace") if b" 200 " in head.split(b"\r\n")[0] else None

    def udp(self, place, ip, port, data=b"hello", wait=1.0):
        """The answer to one datagram from @place ("c:NAME" for a container), None without one."""
        with self.at(place):
            s = socket.socket(family(ip), socket.SOCK_DGRAM)
        with s:
            s.settimeout(wait)
            try:
                s.connect((ip, port))
                s.send(data)
                return s.recv(65536)
            except OSError:
                return None

    def udp_echo(self, container, port, address="0.0.0.0"):
        """An echo server inside a container's network namespace."""
        return servers.UdpEcho(self._bound("c:" + container, address, port, socket.SOCK_DGRAM))

    def ping(self, place, ip, wait=1):
        if not enterable(place):
            return self.exec(place, "ping", "-c", "1", "-W", str(wait), ip).returncode == 0
        six = ":" in ip
        with self.at(place):
            s = socket.socket(family(ip), socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
        with s:
            s.settimeout(wait)
            request = packets.echo_request(six, os.getpid() & 0xffff, 1)
            try:
                s.sendto(request, (ip, 0))
                while True:
                    data, peer = s.recvfrom(2048)
                    at = 0 if six else (data[0] & 15) * 4
                    if peer[0] == ip and data[at] == (packets.ECHO_REPLY6 if six else packets.ECHO_REPLY):
                        return True
            except OSError:
                return False

    def ask(self, container, name, qtype=servers.A, tcp=False, server="127.0.0.11", wait=3.0):
        """A DNS question from inside a container's namespace (a name, or an open descriptor of it).
        Return: servers.Answer, or None without an answer."""
        place = "c:" + container if isinstance(container, str) and container not in PLACES else container
        msg = servers.query(name, qtype, int.from_bytes(os.urandom(2), "big"))
        with self.at(place):
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        with s:
            s.settimeout(wait)
            try:
                s.connect((server, 53))
                if tcp:
                    s.sendall(struct.pack("!H", len(msg)) + msg)
                    got = s.recv(struct.unpack("!H", s.recv(2, socket.MSG_WAITALL))[0], socket.MSG_WAITALL)
                else:
                    s.send(msg)
                    got = s.recv(65536)
            except (OSError, struct.error):
                return None
        equal(got[:2], msg[:2], "id of the DNS answer")
        return servers.Answer(got)

    def resolve(self, container, name, **kw):
        """The IPv4 addresses of @name as @container sees them, sorted; [] if there is none."""
        a = self.ask(container, name, **kw)
        return sorted(a.texts()) if a else []

    def assert_forbidden(self, control, probe, what=""):
        """@control must succeed and @probe, the same from where it is forbidden, must not."""
        check(control(), "the control of a forbidden probe fails: %s", what)
        check(not probe(), "forbidden, and it works: %s", what)

    # ---- what is there, and that nothing is left ----

    def nft(self):
        """Our tables' elements as text, counters and handles left out; "" without a table."""
        with self.at("host"):
            text = "".join(run("nft", "list", "table", kind, "atoll").stdout for kind in ("inet", "bridge"))
        text = re.sub(r"counter packets \d+ bytes \d+", "counter", text)
        return re.sub(r"\s*# handle \d+", "", text)

    def links(self, place="host"):
        with self.at(place):
            return sorted(n for _, n in socket.if_nameindex())

    def processes(self):
        """Programs in this sandbox that are not of the testbed: {pid: command line}."""
        out = {}
        for p in os.listdir("/proc"):
            if p.isdigit() and int(p) not in (1, os.getpid()):
                with contextlib.suppress(OSError):
                    with open("/proc/%s/cmdline" % p, "rb") as f:
                        text = f.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                    if text:  # a zombie has none
                        out[int(p)] = text
        return out

    def cgroups(self):
        found = []
        tops = [sandbox.CGROUPS] + [sandbox.CGROUPS + "/" + d for d in os.listdir(sandbox.CGROUPS)]
        for top in tops:
            for d, dirs, _ in os.walk(top + "/" + self.name):
                found += [os.path.join(d, x) for x in dirs]
        return sorted(found)

    def mounts(self):
        """Mount points below the world's folder, seen by the engine."""
        pid = self.engine.pid if self.alive() else "self"
        with open("/proc/%s/mountinfo" % pid) as f:
            points = [line.split()[4] for line in f]
        return sorted(p for p in points if p.startswith(self.base + "/"))

    def tree(self, root, depth=3):
        """Names below @root, as far as they tell about objects (a database's own files, the runtime's cache of
        seccomp filters and the mark that forwarding was switched on for good do not)."""
        out = []
        for d, dirs, files in os.walk(root):
            level = d[len(root):].count("/")
            if level >= depth - 1:
                dirs[:] = []
            out += [os.path.join(d, f)[len(root):] for f in files + dirs]
        return sorted(n for n in out if not re.search(r"-(wal|shm|journal)$|/layers/|^/crun/\.cache|^/forwarding|/overlay2/|/image/|/buildkit", n))

    def snapshot(self):
        programs = sorted(re.sub(r"\s.*", "", c) for c in self.processes().values())
        return {"links": self.links(), "nft": self.nft(), "processes": programs, "cgroups": self.cgroups(),
                "mounts": self.mounts(), "exec-root": self.tree(self.exec_root), "data-root": self.tree(self.data)}

    def settled(self):
        """A snapshot that was the same twice."""
        before = self.snapshot()
        for _ in range(50):
            time.sleep(0.1)
            now = self.snapshot()
            if now == before:
                break
            before = now
        return now

    def difference(self):
        now, out = self.snapshot(), []
        for key, was in self.baseline.items():
            a, b = (was, now[key]) if isinstance(was, list) else (was.splitlines(), now[key].splitlines())
            more, less = [x for x in b if x not in a], [x for x in a if x not in b]
            if more or less or (isinstance(was, list) and sorted(was) != sorted(now[key])):
                out.append("%s: left %s, gone %s" % (key, more[:8], less[:8]))
        return out

    def assert_clean(self, seconds=8):
        """The world is as before the first test. Deferred work (the reaper of bridges, trees deleted by
        a job) gets a moment."""
        if self.kind == "dockerd":
            return
        end = time.monotonic() + seconds
        while True:
            diff = self.difference()
            if not diff:
                return
            if time.monotonic() > end:
                raise Failed("something is left: " + "; ".join(diff))
            time.sleep(0.1)

    def reset(self):
        """Removes every container, user network and volume through the API."""
        for c in self.get("/containers/json?all=1"):
            r = self.api("DELETE", "/containers/%s?force=1&v=1" % c["Id"], timeout=40)
            check(r.status in (204, 404, 409), "removing container %s: %r", c["Names"], r)
        until(lambda: not self.get("/containers/json?all=1"), "the containers are gone")
        for n in self.get("/networks"):
            if n["Name"] not in PREDEFINED or n["Driver"] == "bridge" and n["Name"] != "bridge":
                r = self.api("DELETE", "/networks/" + n["Id"])
                check(r.status in (204, 404), "removing network %s: %r", n["Name"], r)
        for v in (self.get("/volumes") or {}).get("Volumes") or []:
            r = self.api("DELETE", "/volumes/%s?force=1" % v["Name"])
            check(r.status in (204, 404), "removing volume %s: %r", v["Name"], r)


# ---- a test file as a program ----

def _alarm(signo, frame):
    raise Failed("timeout")


def _one(w, fn, quiet):
    """Runs one test with its clean-up. Return: None, or the text of its failure; Skip is raised."""
    mark, failure = w.log_size(), None
    signal.alarm(int(getattr(fn, "timeout", 60) * (4 if w.sanitized() else 1)))
    try:
        if not w.alive():
            w.start()
        fn(w)
    except Skip:
        signal.alarm(60)
        w.reset()  # it may have found out late
        raise
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        failure = traceback.format_exc(limit=-4) if not isinstance(e, Failed) else "%s\n%s" % (
            e, "".join(traceback.format_tb(e.__traceback__)[-3:]))
    finally:
        signal.alarm(0)
    signal.alarm(60)
    try:
        if not w.alive():
            if not failure and w.engine:
                failure = "the engine died: exit %s" % w.engine.poll()
            w.start()
        w.reset()
        w.assert_clean()
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        text = "clean-up: %s" % (e if isinstance(e, Failed) else traceback.format_exc(limit=-3))
        failure = text if not failure else failure + "\n" + text
        with contextlib.suppress(Exception):
            w.baseline = w.settled()  # each failure is told once
    finally:
        signal.alarm(0)
    text = w.log_tail(400, mark)
    if "AddressSanitizer" in text or "runtime error:" in text or "LeakSanitizer" in text:
        failure = (failure or "") + "\na sanitizer spoke"
    if failure and not quiet:
        failure += "\n-- the engine's log --\n" + w.log_tail(30, mark)
    return failure


def _inside(base, tests, setup, flags, data_size):
    signal.signal(signal.SIGALRM, _alarm)
    w, failed, broken = None, 0, None
    try:
        w = World(base, flags, data_size=data_size)
        w.start()
        if setup:
            setup(w)
            w.baseline = w.settled()
    except BaseException:
        broken = traceback.format_exc(limit=-2) + (w.log_tail(15) if w else "")
    print("1..%d" % len(tests), flush=True)
    for i, fn in enumerate(tests, 1):
        name, began = fn.__name__[5:], time.monotonic()
        try:
            failure = broken or _one(w, fn, False)
        except Skip as e:
            print("ok %d - %s # SKIP %s" % (i, name, e), flush=True)
            continue
        took = time.monotonic() - began
        if failure:
            failed += 1
            print("not ok %d - %s (%.1f s)" % (i, name, took))
            for line in failure.rstrip().splitlines():
                print("# " + line[:1000])
            if broken:
                broken = "as above"
        else:
            print("ok %d - %s (%.1f s)" % (i, name, took))
        sys.stdout.flush()
    if w and w.alive():
        code = w.stop()
        if code != 0:
            failed += 1
            print("not ok %d - the engine's end" % (len(tests) + 1))
            print("# exit code %d at SIGTERM\n# %s" % (code, w.log_tail(20).replace("\n", "\n# ")))
    return 1 if failed else 0


def main(names, setup=None, flags=(), data_size=None):
    """Runs the test_* functions of a file (its globals()) in a sandbox of their own. Arguments: parts of
    names to choose tests by. @data_size: the data root is a tmpfs of so much ("64m")."""
    tests = [f for n, f in names.items() if n.startswith("test_") and callable(f)]
    if len(sys.argv) > 1:
        tests = [f for f in tests if any(a in f.__name__ for a in sys.argv[1:])]
    why = sandbox.possible()
    if why:
        print("1..0 # SKIP " + why)
        sys.exit(77)
    sys.exit(sandbox.run(lambda base: _inside(base, tests, setup, flags, data_size)))
