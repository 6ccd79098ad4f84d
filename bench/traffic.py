# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets: throughput, round trips and new connections on every way there is to a container, beside the
same way over the kernel alone. And load.c, which makes the load."""
import contextlib
import json
import os
import socket
import struct
import subprocess
import time

import testbed
from engine import Spaces, bridge_nf_off, cpu_seconds
from table import Row

STREAM, ROUND = 5001, 5002  # the servers' ports, on a processor each
OUT_STREAM, OUT_ROUND = 18081, 18082  # published
BIG = 192 << 10

SAME = ("<=", 1.05, "kernel")  # no longer, but for the measure's noise
NEAR = (">=", 0.95, "kernel")
TRANSLATED = "connection tracking, translation and the bridge take their time; see the kernel's own with one DNAT rule and a bridge"
COPIES = "with packets of 64 KiB most of it is the programs' own copying, which both engines have"

# way: (its name, throughput's aim, CPU's aim, round trip's aim, new connections' aim)
WAYS = {"ordinary": ("container to container", (">=", 1, "dockerd"), ("<=", 0.9, "dockerd"), SAME, None),
        "internal": ("internal network", (">=", 1.3, "dockerd"), ("<=", 0.75, "dockerd"), SAME, None),
        "outside": ("published port, from outside", NEAR, None, NEAR, None),
        "localhost": ("published port, from localhost", NEAR, None, NEAR, (">=", 3, "dockerd")),
        "hairpin": ("published port, from a container", NEAR, None, NEAR, None),
        "nat": ("the kernel's own: one DNAT rule and a bridge, from outside", None, None, None, None)}


def label(way, what):
    return "%s: %s" % (WAYS[way][0], what)


ROWS = []
for _way, (_name, _flow, _cpu, _rtt, _new) in WAYS.items():
    ROWS += [Row(label(_way, "throughput"), "Gbit/s", "traffic, " + _way, "high", _flow, why=TRANSLATED if _flow == NEAR else COPIES if _flow else ""),
             Row(label(_way, "CPU"), "ms per Gbit", "traffic, " + _way, "low", _cpu, why=COPIES if _cpu else ""),
             Row(label(_way, "round trip"), "µs", "traffic, " + _way, "low", _rtt, why=TRANSLATED if _rtt == NEAR else ""),
             Row(label(_way, "new connections"), "per s", "traffic, " + _way, "high", _new)]


class Load:
    """The program, its servers and its runs."""

    def __init__(self, base):
        self.program, self.servers = base + "/load", []
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", self.program, testbed.TOP + "/bench/load.c"], check=True)

    def _popen(self, args, cpu):
        env = dict(os.environ)
        if cpu is not None and (os.cpu_count() or 1) > 1:
            env["LOAD_CPU"] = str(cpu)
        return subprocess.Popen([self.program] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)

    def serve(self, at, kind, port, cpu=None):
        """@at: a context in which the namespace is entered. Return: the server, to be ended by end()."""
        with at:
            p = self._popen((kind, port), cpu)
        if p.stdout.readline() != "ready\n":
            raise RuntimeError("load %s %d: %s" % (kind, port, p.communicate()[1].strip()))
        self.servers.append(p)
        return p

    def end(self, *servers):
        for p in servers or list(self.servers):
            p.kill()
            p.communicate()
            self.servers.remove(p)

    def run(self, at, *args, cpu=None):
        with at:
            p = self._popen(args, cpu)
        try:
            out, err = p.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            raise RuntimeError("load %s: no end" % " ".join(map(str, args))) from None
        if p.returncode:
            raise RuntimeError("load %s: %s" % (" ".join(map(str, args)), err.strip()))
        return json.loads(out)


class Way:
    """From where to what, and who is measured by it."""

    def __init__(self, who, name, at, host, stream=STREAM, rounds=ROUND):
        self.who, self.name, self.at, self.host, self.stream, self.rounds = who, name, at, host, stream, rounds

    def batch(self, load, add, quick, late):
        ms = 300 if quick else 600
        before = cpu_seconds(late)
        r = load.run(self.at(), "stream", self.host, self.stream, ms, cpu=0)
        used = cpu_seconds(late) - before + r["cpu"]
        gbit = r["count"] * 8 / 1e9
        add(label(self.name, "throughput"), gbit / r["seconds"])
        add(label(self.name, "CPU"), 1000 * used / gbit)
        with contextlib.nullcontext() if self.who == "kernel" else self.who.pinned():
            r = load.run(self.at(), "rr", self.host, self.rounds, ms // 2, cpu=0)
        add(label(self.name, "round trip"), r["p50"])
        n = 200 if quick else 400
        r = load.run(self.at(), "crr", self.host, self.rounds, n, cpu=0)
        add(label(self.name, "new connections"), n / r["seconds"])


# ---- the kernel alone ----

def big_tcp(name):
    """192 KiB for both families on a link of this namespace; iproute2 6.1 cannot set IPv4's."""
    attrs = b"".join(struct.pack("HHI", 8, kind, BIG) for kind in (41, 58, 63, 64))  # general ones first: they reset IPv4's
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    body = struct.pack("BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0) + attrs
    s.send(struct.pack("IHHII", 16 + len(body), 16, 5, 1, 0) + body)
    eno = -struct.unpack_from("i", s.recv(4096), 16)[0]
    s.close()
    if eno:
        raise OSError(eno, "BIG TCP on %s: %s" % (name, os.strerror(eno)))


class Floor:
    """A bare bridge with two ends, another with BIG TCP, a router with three neighbours on veths, and one that
    translates, with one neighbour on a bridge."""

    def __init__(self, base, load):
        self.s = s = Spaces(base, ("router", "out", "r1", "r2", "nat", "n0", "n1", "br", "b1", "b2", "big", "g1", "g2"))
        pin = base + "/"
        for n in s.ns:
            if n != "own":
                s.ip(n, "link set lo up")
        for router, ends in (("router", ("out", "r1", "r2")), ("nat", ("n0", "n1"))):
            for i, n in enumerate(ends):
                s.ip(router, "link add v%d type veth peer name eth0 netns %s" % (i, pin + n), "addr add 10.90.%d.1/24 dev v%d" % (i, i),
                     "link set v%d up" % i)
                s.ip(n, "addr add 10.90.%d.2/24 dev eth0" % i, "link set eth0 up", "route add default via 10.90.%d.1" % i)
            with s.at(router), open("/proc/sys/net/ipv4/ip_forward", "w") as f:
                f.write("1")
        s.ip("nat", "link add br0 type bridge", "link set br0 up", "addr del 10.90.1.1/24 dev v1", "link set v1 master br0",
             "addr add 10.90.1.1/24 dev br0")
        bridge_nf_off(s.at("nat"))
        with s.at("nat"):
            subprocess.run(["nft", "add table ip t; add chain ip t c { type nat hook prerouting priority -100; }; add rule ip t c "
                            "ip daddr 10.90.0.1 tcp dport { %d, %d } dnat to 10.90.1.2" % (STREAM, ROUND)], check=True)
        for br, ends in (("br", ("b1", "b2")), ("big", ("g1", "g2"))):
            s.ip(br, "link add br0 type bridge", "link set br0 up")
            for i, n in enumerate(ends, 1):
                s.ip(br, "link add p%d type veth peer name eth0 netns %s" % (i, pin + n), "link set p%d master br0 up" % i)
                s.ip(n, "addr add 10.91.0.%d/24 dev eth0" % i, "link set eth0 up")
            bridge_nf_off(s.at(br))
        for n, links in (("big", ("p1", "p2", "br0")), ("g1", ("eth0",)), ("g2", ("eth0",))):
            with s.at(n):
                for x in links:
                    big_tcp(x)
        for n in ("r2", "n1", "b2", "g2"):
            for port, cpu in ((STREAM, 1), (ROUND, 0)):
                load.serve(s.at(n), "serve", port, cpu)

    def ways(self):
        def at(name):
            return lambda: self.s.at(name)
        return [Way("kernel", "ordinary", at("b1"), "10.91.0.2"), Way("kernel", "internal", at("g1"), "10.91.0.2"),
                Way("kernel", "outside", at("out"), "10.90.2.2"), Way("kernel", "localhost", at("router"), "10.90.2.2"),
                Way("kernel", "hairpin", at("r1"), "10.90.2.2"), Way("kernel", "nat", at("n0"), "10.90.0.1")]


# ---- the engines ----

def prepare(e, load):
    """Two containers on an ordinary network, one with published ports, and two on an internal one."""
    net, inner = e.network(), e.network(Internal=True)
    ids = [e.container(net), e.container(net, exposed={"%d/tcp" % p: {} for p in (STREAM, ROUND)}, PortBindings={
        "%d/tcp" % STREAM: [{"HostPort": str(OUT_STREAM)}], "%d/tcp" % ROUND: [{"HostPort": str(OUT_ROUND)}]}),
        e.container(inner), e.container(inner)]
    fds = [e.w.netns_of(c) for c in ids]
    servers = [load.serve(e.w.at(fds[i]), "serve", port, cpu) for i in (1, 3) for port, cpu in ((STREAM, 1), (ROUND, 0))]

    def at(place):
        return lambda: e.w.at(place)
    out = {"stream": OUT_STREAM, "rounds": OUT_ROUND}
    ways = [Way(e, "ordinary", at(fds[0]), e.address(ids[1], net)), Way(e, "internal", at(fds[2]), e.address(ids[3], inner)),
            Way(e, "outside", at("internet"), testbed.HOST_UP, **out), Way(e, "localhost", at("host"), "127.0.0.1", **out),
            Way(e, "hairpin", at(fds[0]), testbed.HOST_UP, **out)]

    def undo(e):
        load.end(*servers)
        for fd in fds:
            os.close(fd)
        for c in ids:
            e.remove(c)
        for n in (net, inner):
            e.remove_network(n)
    return ways, undo


def measure(bench):
    load, ways, undos = bench.load, Floor(bench.base + "/floor", bench.load).ways(), []
    for e in bench.engines:
        if e.kind != "podman":
            got = e.attempt("traffic", prepare, load)
            if got:
                ways += got[0]
                undos.append((e, got[1]))
    time.sleep(0.2)
    for i in range(3 if bench.quick else 6):
        for name in WAYS:
            for way in ways:
                if way.name != name:
                    continue
                if way.who == "kernel":
                    # the first round warms up
                    way.batch(load, bench.floor_add if i else lambda row, x: None, bench.quick, bench.ksoftirqd)
                else:
                    way.who.attempt("traffic, " + name, lambda e: way.batch(
                        load, e.add if i else lambda row, x: None, bench.quick, bench.ksoftirqd))
    for e, undo in undos:
        e.attempt("traffic", undo)
