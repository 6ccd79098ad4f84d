# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom among a use case's containers and the places outside, and the real clients that show it.

What is forbidden is tried as one who has taken a container over would: from its network namespace, with a route
that it was not given, to each address of the other, by TCP, UDP and ICMP, and by name. An ear at the target notices
what arrives, also if no answer comes back.
"""
import http.client
import socket
import ssl
import subprocess
from urllib.parse import urlsplit

import servers
from probes import Crowd, Probe
from testbed import *  # noqa: F403

NEAR = {"host": "127.0.0.1", "lan": HOST_LAN, "internet": HOST_UP}  # the host as a place sees it
EAR = 9999  # each container listens here, by TCP and UDP, beside what its service listens on


def addresses(w, container):
    """{network: address}"""
    nets = w.inspect(container)["NetworkSettings"]["Networks"]
    return {n: e["IPAddress"] for n, e in nets.items() if e["IPAddress"]}


def listens(w, container, port, seconds=60):
    """Waits until a container's service is ready at its port, also one that is just being restarted."""
    def there():
        with contextlib.suppress(Failed, OSError):
            return w.tcp_reach("c:" + container, "127.0.0.1", port)
    until(there, "%s listens on %d" % (container, port), seconds, 0.05)
    if port == 5432:  # PostgreSQL listens before it is ready
        until(lambda: w.exec(container, "pg_isready", "-q", "-h", "127.0.0.1").returncode == 0, container + " is ready", seconds, 0.1)


class Reach(Crowd):
    """@containers: {name: (the ports of its service, other names that it is found by)}."""

    def __init__(self, w, containers):
        super().__init__(w)
        self.containers, self.tried, self.seen = containers, None, None
        self.at = {name: addresses(w, name) for name in containers}
        own = {n for nets in self.at.values() for n in nets if not w.network(n)["Internal"]}
        self.at["host"] = dict.fromkeys(own)  # it is on the bridges
        for name in containers:
            self.add(name, "c:" + name, [EAR], self.at[name].values())
        for place in PLACES:
            self.add(place, place, [], [])
        self.start()

    def _probes(self, source, target, allowed):
        """@allowed: to the addresses on networks of both, and by name; else to the others, and by name if both share none."""
        ports, names = self.containers[target]
        shared = set(self.at.get(source, ())) & set(self.at[target])
        out = []
        for network, address in self.at[target].items():
            if (network in shared) == allowed or source == "host" and not allowed:
                out += [Probe(source, proto, address, EAR, target) for proto in ("tcp", "udp", "icmp")]
                out += [Probe(source, "tcp", address, port, target) for port in ports]
        if source not in PLACES and bool(shared) == allowed:
            out += [Probe(source, "dns", name, servers.A, target) for name in (target, *names)]
        return out

    def _through(self, p):
        if p.proto == "dns":
            return bool(p.answer) and bool(set(p.answer) & set(self.at[p.owner].values()))
        return p.answer is not None or p.heard

    def all_open(self, pairs):
        """Returns what was tried if each source of @pairs reaches its target at each address on a network of both."""
        tried = left = [p for pair in pairs for p in self._probes(*pair, True)]
        check(left, "nothing to try")
        for _ in range(10):  # a loaded machine may be slow
            self.batch(left, 1)
            left = [p for p in left if not self._through(p) or p.answer is None]
            if not left:
                return tried
        raise Failed("does not get through: %s" % left[:5])

    def neighbours(self):
        """Who must reach whom: those on the same network, and the host all that is not on an internal one."""
        return [(a, b) for a in self.at for b in self.containers if a != b and set(self.at[a]) & set(self.at[b])]

    def look(self, pairs):
        """{(source, target): the probes that come through} at addresses and names that are not for the source. The
        control comes before: each of these addresses, ports and names answers to a neighbour."""
        if self.tried is None:
            self.tried = {(p.owner, p.proto, p.address, p.port) for p in self.all_open(self.neighbours())}
        probes = [p for pair in pairs for p in self._probes(*pair, False)]
        with self.taken_over({source for source, _ in pairs}):
            self.batch(probes, 1.5)
        out = {}
        for p in probes:
            check((p.owner, p.proto, p.address, p.port) in self.tried, "no control for %s", p)
            out.setdefault((p.place, p.owner), []).extend([p] * self._through(p))
        return out

    def none_open(self, pairs, protos=("tcp", "udp", "icmp", "dns"), anew=False):
        """True if no source of @pairs reaches its target. One look at all containers and places serves all such
        questions, but for one that wants to look @anew."""
        if anew:
            seen = self.look(pairs)
        else:
            everyone = [*self.containers, *PLACES]
            seen = self.seen = self.seen or self.look([(a, b) for a in everyone for b in self.containers if a != b])
        through = [p for pair in pairs for p in seen[pair] if p.proto in protos]
        check(not through, "gets through: %s", through[:5])
        return True

    @contextlib.contextmanager
    def taken_over(self, sources):
        """Containers without a way out, which internal networks give none, take one."""
        added = []
        for name in sources - set(PLACES):
            if not self.w.ip_json("c:" + name, "route", "show", "default"):
                network = self.w.network(next(iter(self.at[name])))
                added.append((name, "default via %s" % network["IPAM"]["Config"][0]["Gateway"]))
                self.w.ip("c:" + name, "route add " + added[-1][1])
        try:
            yield
        finally:
            for name, route in added:
                self.w.ip("c:" + name, "route del " + route)


# ---- the way out ----

def gets_out(w, container):
    """Does anything of it reach the internet: TCP, UDP, ICMP, a name?"""
    place = "c:" + container
    return [what for what, there in (
        ("TCP", w.tcp_reach(place, FAR, 80)), ("UDP", w.ask(container, "example.test", server=INTERNET, wait=1)),
        ("ICMP", w.ping(place, FAR)), ("DNS", w.resolve(container, "example.test"))) if there]


def shut_in(w, container, control):
    """True if nothing of @container reaches the internet, even if it takes a route; after @control has reached it."""
    equal(gets_out(w, control), ["TCP", "UDP", "ICMP", "DNS"], "control: what gets out of " + control)
    with Reach(w, {container: ((), ())}) as reach, reach.taken_over({container}):
        return equal(gets_out(w, container), [], "what gets out of " + container) is None


# ---- real clients ----

def open_ports(w, place, ports=range(1, 10001)):
    """Those of the host's TCP ports that answer to @place."""
    out = []
    with w.at(place):
        for port in ports:
            with socket.socket() as s:
                s.settimeout(5)
                with contextlib.suppress(ConnectionRefusedError):
                    s.connect((NEAR[place], port))
                    out.append(port)
    return out


def fetch(w, place, url, ca=None, method="GET", wait=10):
    """(status, headers, text) of @url, whose host is the one that @place sees, whatever the name in @url; a
    certificate must be for that name and of @ca."""
    u = urlsplit(url)
    with w.at(place):
        s = socket.socket()
    s.settimeout(wait)
    conn = http.client.HTTPConnection(u.hostname, u.port or {"http": 80, "https": 443}[u.scheme])
    with contextlib.closing(conn):
        conn.sock = s
        s.connect((NEAR[place], conn.port))
        if u.scheme == "https":
            conn.sock = ssl.create_default_context(cafile=ca).wrap_socket(s, server_hostname=u.hostname)
        conn.request(method, (u.path or "/") + ("?" + u.query if u.query else ""))
        r = conn.getresponse()
        return r.status, r.headers, r.read().decode()


def program(w, container, place, *args, **env):
    """What a program of a container's image prints when it is run in another place, as if it were installed there."""
    root = "/proc/%d/root" % w.inspect(container)["State"]["Pid"]
    words = ["%s=%s" % item for item in env.items()]
    with w.at(place):
        r = run("chroot", root, "env", "PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin", *words, *args, stdin=subprocess.DEVNULL)
    check(r.returncode == 0, "%s from %s: %s%s", args[0], place, r.stdout, r.stderr)
    return r.stdout.strip()


def psql(w, container, place, password, query, port=5432):
    return program(w, container, place, "psql", "-h", NEAR[place], "-p", str(port), "-U", "postgres", "-Atc", query,
                   PGPASSWORD=password, PGCONNECT_TIMEOUT="10")


def redis(w, container, place, *words, port=6379):
    return program(w, container, place, "redis-cli", "-h", NEAR[place], "-p", str(port), *words)
