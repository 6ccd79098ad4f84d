# SPDX-License-Identifier: GPL-2.0-or-later
"""An engine under measurement, whichever it is, behind Docker's API over its socket.

What an engine cannot do costs it that part of the bench and nothing else: attempt() notes the reason,
clears up and, if the engine died, starts it again.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import sandbox
import testbed

TOP = testbed.TOP
IMAGE = "bench:1"
PROGRAMS = {"atolld": ("atolld", "atoll-dns", "atoll-shim"), "podman": ("podman", "conmon", "aardvark-dns", "netavark"),
            "dockerd": ("dockerd", "containerd", "containerd-shim", "docker-proxy")}


def bridge_nf_off(at):
    with at:
        for knob in ("iptables", "ip6tables"):
            path = "/proc/sys/net/bridge/bridge-nf-call-" + knob
            if os.path.exists(path):
                with open(path, "w") as f:
                    f.write("0")


class Late(Exception):
    """A part took longer than it may."""


def _late(signo, frame):
    raise Late("not done in time")


class Podman(testbed.World):
    """podman's own service, out of the cache without a mount: it finds its helpers by a configuration."""

    def start(self):
        top = TOP + "/tests/.cache/podman"
        conf = self.base + "/containers.conf"
        with open(conf, "w") as f:
            f.write('[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nhelper_binaries_dir = ["%s/usr/lib/podman"]\n'
                    '[containers]\nlog_driver = "k8s-file"\n[network]\nnetwork_backend = "netavark"\n'
                    'network_config_dir = "%s/networks"\n' % (top, self.base))
        os.makedirs("/etc/containers", exist_ok=True)
        with open("/etc/containers/policy.json", "w") as f:
            f.write('{"default": [{"type": "insecureAcceptAnything"}]}')
        env = dict(self.env, CONTAINERS_CONF=conf, LD_LIBRARY_PATH=top + "/usr/lib/x86_64-linux-gnu",
                   PATH=top + "/usr/sbin:" + self.env["PATH"])
        with open(self.log_path, "ab") as log, self.at("host"):
            # crun refuses cgroups in hybrid mode: in a mount namespace without the second hierarchy there is none
            self.engine = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"", "sh",
                 top + "/usr/bin/podman", "--root", self.data, "--runroot", self.exec_root, "--cgroup-manager", "cgroupfs",
                 "system", "service", "--time=0", "unix://" + self.socket],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)
        testbed.until(lambda: os.path.exists(self.socket) and self.alive_api(), "podman", 20)


class Engine:
    """Samples are kept by the name of their row, in the row's unit."""

    def __init__(self, base, kind, flags=()):
        self.kind = kind
        os.makedirs(base)
        self.w = (Podman if kind == "podman" else testbed.World)(base, flags=flags, kind=kind)
        self.samples, self.reasons, self.conn, self.serial = {}, {}, None, 0

    def start(self):
        if self.kind == "atolld":
            # as on a machine where nobody has loaded br_netfilter, which dockerd does; where it is built
            # into the kernel every new namespace has it on
            bridge_nf_off(self.w.at("host"))
        self.w.start()
        self.w.load({IMAGE: ([], {"Cmd": ["true"]})})
        self.connect()

    def connect(self):
        if self.conn:
            self.conn.close()
        self.conn = testbed.UnixConnection(self.w.socket, 120)

    def call(self, method, path, body=None):
        data = json.dumps(body) if body is not None else None
        self.conn.request(method, path, body=data, headers={"Content-Type": "application/json"} if data else {})
        r = self.conn.getresponse()
        text = r.read()
        if r.status >= 400:
            raise RuntimeError("%s %s: %d %s" % (method, path.split("?")[0][:60], r.status, text[:200].decode("utf-8", "replace").strip()))
        return json.loads(text) if text and r.headers.get("Content-Type", "").startswith("application/json") else None

    def add(self, row, value):
        self.samples.setdefault(row, []).append(value)

    def timed(self, row, method, path, body=None):
        began = time.perf_counter()
        out = self.call(method, path, body)
        self.add(row, 1000 * (time.perf_counter() - began))
        return out

    def name(self):
        self.serial += 1
        return "bench-%d" % self.serial

    # ---- objects ----

    def network(self, **more):
        name = self.name()
        self.call("POST", "/networks/create", dict({"Name": name}, **more))
        return name

    def container(self, net, start=True, cmd=("sleep", "600"), exposed=None, **host):
        """Return: its id."""
        body = {"Image": IMAGE, "Cmd": list(cmd), "HostConfig": dict({"NetworkMode": net}, **host)}
        if exposed:
            body["ExposedPorts"] = exposed
        cid = self.call("POST", "/containers/create?name=" + self.name(), body)["Id"]
        if start:
            self.call("POST", "/containers/%s/start" % cid)
        return cid

    def remove(self, cid):
        self.call("DELETE", "/containers/%s?force=1" % cid)

    def remove_network(self, name):
        for i in range(100):  # dockerd's containers may be gone before their endpoints are
            try:
                return self.call("DELETE", "/networks/" + name)
            except RuntimeError:
                if i == 99:
                    raise
                time.sleep(0.05)

    def address(self, cid, net):
        return self.call("GET", "/containers/%s/json" % cid)["NetworkSettings"]["Networks"][net]["IPAddress"]

    # ---- its processes ----

    def programs(self):
        """The engine's own processes, those in containers left out."""
        out = []
        for pid in self.w.processes():
            with contextlib.suppress(OSError):
                about = b""
                for name in ("environ", "cmdline"):  # one of them names the world, with every program of every engine
                    with open("/proc/%d/%s" % (pid, name), "rb") as f:
                        about += f.read()
                exe = os.path.basename(os.readlink("/proc/%d/exe" % pid))
                if os.fsencode(self.w.base + "/") in about and exe.startswith(PROGRAMS[self.kind]):
                    out.append(pid)
        return out

    @contextlib.contextmanager
    def pinned(self):
        """All of them on processor 0, as the clients and servers of a round trip are: who happens to be
        woken where makes more of a difference than anything else."""
        everywhere, tasks = os.sched_getaffinity(0), []
        for pid in self.programs():
            with contextlib.suppress(OSError):
                tasks += [int(t) for t in os.listdir("/proc/%d/task" % pid)]

        def pin(cpus):
            for t in tasks:
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(t, cpus)
        pin({0})
        try:
            yield
        finally:
            pin(everywhere)

    # ---- parts ----

    def attempt(self, part, fn, *args, seconds=90):
        """fn(self, *args), unless this part has failed here before. Return: fn's, None if it failed."""
        if part in self.reasons or "*" in self.reasons:
            return None
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(seconds)
        try:
            return fn(self, *args)
        except KeyboardInterrupt:
            raise
        except Exception as e:
            signal.alarm(0)
            self.reasons[part] = " ".join(str(e).split())[:300] or type(e).__name__
            print("%s cannot: %s: %s" % (self.kind, part, self.reasons[part]), file=sys.stderr, flush=True)
            self.recover()
        finally:
            signal.alarm(0)
        return None

    def recover(self):
        signal.alarm(90)
        try:
            if not self.w.alive():
                self.w.start()
            self.connect()
            self.w.reset()
        except Exception as e:
            signal.alarm(0)
            self.reasons["*"] = "out of the race: " + " ".join(str(e).split())[:200]
            print("%s is %s" % (self.kind, self.reasons["*"]), file=sys.stderr, flush=True)
        finally:
            signal.alarm(0)

    def stop(self):
        with contextlib.suppress(Exception):
            self.w.stop()


def cpu_seconds(ksoftirqd=()):
    """What all processes of the sandbox have used, to the ns, and the kernel's threads for late softirqs."""
    total = 0
    for d in os.listdir("/proc"):
        if d.isdigit():
            with contextlib.suppress(OSError):
                for t in os.listdir("/proc/%s/task" % d):
                    with open("/proc/%s/task/%s/schedstat" % (d, t)) as f:
                        total += int(f.read().split()[0])
    return (total + sum(int(os.pread(fd, 100, 0).split()[0]) for fd in ksoftirqd)) / 1e9


def ksoftirqd():
    """To be called outside the sandbox, where they can be seen."""
    out = []
    for d in os.listdir("/proc"):
        if d.isdigit():
            with contextlib.suppress(OSError):
                with open("/proc/%s/comm" % d) as f:
                    if f.read().startswith("ksoftirqd/"):
                        out.append(os.open("/proc/%s/schedstat" % d, os.O_RDONLY))
    return out


class Spaces:
    """Network namespaces of the bench's own, for what the kernel does alone."""

    def __init__(self, base, names):
        self.base = base
        os.makedirs(base)
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.ns = {"own": own}
        for n in names:
            sandbox.unshare(sandbox.CLONE_NEWNET)
            open(base + "/" + n, "w").close()
            sandbox.mount("/proc/thread-self/ns/net", base + "/" + n, None, sandbox.MS_BIND)
            self.ns[n] = os.open(base + "/" + n, os.O_RDONLY | os.O_CLOEXEC)
            sandbox.setns(own, sandbox.CLONE_NEWNET)

    @contextlib.contextmanager
    def at(self, name):
        sandbox.setns(self.ns[name], sandbox.CLONE_NEWNET)
        try:
            yield
        finally:
            sandbox.setns(self.ns["own"], sandbox.CLONE_NEWNET)

    def ip(self, name, *lines):
        with self.at(name):
            r = testbed.run("ip", "-batch", "-", input="\n".join(lines) + "\n")
        testbed.check(r.returncode == 0, "ip in %s: %s", name, r.stderr)
