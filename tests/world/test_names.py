#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: the embedded resolver as containers see it."""
import contextlib
import ipaddress
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403



MX, HTTPS = 15, 65


class Refusing(servers.Dns):
    """Answers every question with an rcode."""

    def __init__(self, rcode, udp, tcp):
        self.rcode = rcode
        super().__init__(udp, tcp, {})

    def answer(self, msg, proto, client):
        out = bytearray(super().answer(msg, proto, client))
        out[3] = out[3] & 0xf0 | self.rcode
        return bytes(out)


def outside(w, address):
    """Sockets of a name server in the internet, on an address of its own."""
    w.ip("internet", "addr replace %s dev eth0" % (address + ("/64 nodad" if ":" in address else "/24")))
    return w._bound("internet", address, 53, socket.SOCK_DGRAM), w._bound("internet", address, 53)


def resolve6(w, container, name, **kw):
    a = w.ask(container, name, servers.AAAA, **kw)
    return sorted(a.texts(servers.AAAA)) if a else []


def sleeper(w, name, network, *more):
    return w.docker("run", "-d", "--name", name, "--network", network, *more, IMAGE, "sleep", "600")


def test_names_of_a_container(w):
    w.docker("network", "create", "names")
    cid = sleeper(w, "web", "names", "--network-alias", "www", "--network-alias", "shop", "--hostname", "boxy")
    sleeper(w, "asker", "names")
    want = [w.address("web")]
    for name in ("web", "WEB", "www", "shop", cid[:12], "boxy", "web.names"):
        equal(w.resolve("asker", name), want, name)
    equal(w.resolve("asker", "web", tcp=True), want, "over TCP")
    contains(w.exec("asker", "cat", "/etc/resolv.conf").stdout, "nameserver 127.0.0.11")
    contains(w.exec("asker", "nslookup", "web").stdout, want[0])
    contains(w.exec("web", "cat", "/etc/hosts").stdout, want[0])
    equal(w.exec("web", "hostname").stdout.strip(), "boxy")


def test_other_family_is_no_data(w):
    w.docker("network", "create", "family")
    sleeper(w, "web", "family")
    a = w.ask("web", "web", servers.AAAA)
    equal((a.rcode, a.records), (servers.NOERROR, []))
    equal(w.dns.asked("web"), [], "a local name went outside")
    for kind in (MX, servers.TXT, HTTPS):
        a = w.ask("web", "web", kind)
        equal((a.rcode, a.records), (servers.NOERROR, []), "type %d" % kind)
    equal(w.dns.asked("web"), [], "a local name went outside")


def test_alias_that_is_a_domain(w):
    """It stands for the domain's addresses and mail; other types are asked of the servers."""
    w.docker("network", "create", "shadow")
    sleeper(w, "web", "shadow", "--network-alias", "example.test", "--network-alias", "gone.example.test")
    for name in ("example.test", "gone.example.test"):
        equal(w.resolve("web", name), [w.address("web")])
        for kind in (servers.AAAA, MX, HTTPS):
            a = w.ask("web", name, kind)
            equal((a.rcode, a.records), (servers.NOERROR, []), "%s type %d" % (name, kind))
        equal(w.dns.asked(name), [], "a local name went outside")
    equal(w.ask("web", "example.test", servers.TXT).texts(servers.TXT), ["0568656c6c6f"])
    a = w.ask("web", "gone.example.test", servers.TXT)
    equal((a.rcode, a.records), (servers.NOERROR, []), "it is there, whatever they say")
    equal(len(w.dns.asked("gone.example.test")), 1, "the control")


def test_reverse(w):
    w.docker("network", "create", "reverse")
    sleeper(w, "web", "reverse")
    name = ".".join(reversed(w.address("web").split("."))) + ".in-addr.arpa"
    a = w.ask("web", name, servers.PTR)
    equal(a.texts(servers.PTR), ["web.reverse"])


def test_alias_shared_by_several(w):
    w.docker("network", "create", "group")
    for i in range(3):
        sleeper(w, "node%d" % i, "group", "--network-alias", "pool")
    want = sorted(w.address("node%d" % i) for i in range(3))
    equal(w.resolve("node0", "pool"), want)
    firsts = {w.ask("node0", "pool").texts()[0] for _ in range(40)}
    check(len(firsts) > 1, "the order of the answers never changes")
    w.docker("stop", "-t", "0", "node2")
    equal(len(w.resolve("node0", "pool")), 2, "after one stopped")


def test_only_own_networks(w):
    w.docker("network", "create", "mine")
    w.docker("network", "create", "theirs")
    sleeper(w, "me-here", "mine")
    sleeper(w, "friend", "mine")
    sleeper(w, "them", "theirs")
    w.assert_forbidden(lambda: w.resolve("me-here", "friend"), lambda: w.resolve("me-here", "them"))
    w.assert_forbidden(lambda: w.resolve("me-here", "friend"), lambda: w.resolve("me-here", "them.theirs"))


def test_forwarding(w):
    w.docker("network", "create", "forward")
    sleeper(w, "asker", "forward")
    equal(w.resolve("asker", "example.test"), ["198.18.0.1"])
    equal(w.resolve("asker", "example.test", tcp=True), ["198.18.0.1"])
    equal(w.ask("asker", "nothing.example.test").rcode, servers.NXDOMAIN)
    a = w.ask("asker", "example.test", servers.TXT)
    equal(a.texts(servers.TXT), ["0568656c6c6f"])


def test_truncated_answers_come_over_tcp(w):
    w.docker("network", "create", "long")
    sleeper(w, "asker", "long")
    equal(len(w.resolve("asker", "many.example.test", tcp=True)), 59)
    a = w.ask("asker", "many.example.test")
    check(a.truncated or len(a.records) == 59, "a short answer that does not say so: %r", a)


def test_silent_upstream_delays_nobody(w):
    w.docker("network", "create", "quiet")
    sleeper(w, "asker", "quiet")
    w.dns.silent.add("hole.example.test")
    thread = servers.thread(lambda: w.ask("asker", "hole.example.test", wait=1))
    began = time.monotonic()
    equal(w.resolve("asker", "asker"), [w.address("asker")])
    equal(w.resolve("asker", "www.example.test"), ["198.18.0.1"])
    check(time.monotonic() - began < 1.0, "others waited %.2f s", time.monotonic() - began)
    thread.join()


def test_host_servers_are_followed(w):
    w.docker("network", "create", "follow")
    sleeper(w, "asker", "follow")
    check(w.resolve("asker", "example.test"), "the control")
    other = servers.Dns(*outside(w, "203.0.113.53"), {"moved.test": [(servers.A, "198.18.0.9")]})
    try:
        w.host_resolv_conf("nameserver 203.0.113.53\n")
        until(lambda: w.resolve("asker", "moved.test") == ["198.18.0.9"], "the new server is asked")
        check(other.asked("moved.test"), "somebody else answered")
    finally:
        w.host_resolv_conf("nameserver %s\n" % INTERNET)
    until(lambda: w.resolve("asker", "www.example.test") == ["198.18.0.1"], "the old server is asked again")


def test_own_servers(w):
    """--dns is asked from the container's place."""
    w.docker("network", "create", "own-dns")
    other = servers.Dns(*outside(w, "203.0.113.54"),
                        {"private.test": [(servers.A, "198.18.0.54")], "cut.private.test": [(servers.A, "198.18.0.55")]})
    other.truncate.add("cut.private.test")
    sleeper(w, "asker", "own-dns", "--dns", "203.0.113.54", "--dns-search", "private.test", "--dns-option", "ndots:2")
    equal(w.resolve("asker", "private.test"), ["198.18.0.54"])
    equal(w.ask("asker", "example.test").rcode, servers.NXDOMAIN)
    equal(w.resolve("asker", "cut.private.test", tcp=True), ["198.18.0.55"], "TCP behind a cut answer")
    text = w.exec("asker", "cat", "/etc/resolv.conf").stdout
    for line in ("nameserver 127.0.0.11", "search private.test", "ndots:2"):
        contains(text, line)


# ---- IPv6 ----

def test_both_families(w):
    w.docker("network", "create", "--ipv6", "dual")
    sleeper(w, "web", "dual", "--network-alias", "pool")
    sleeper(w, "api", "dual", "--network-alias", "pool")
    equal(w.resolve("api", "web"), [w.address("web")])
    for name in ("web", "WEB", "web.dual"):
        equal(resolve6(w, "api", name), [w.address6("web")], name)
    equal(resolve6(w, "api", "web", tcp=True), [w.address6("web")], "over TCP")
    equal(resolve6(w, "api", "pool"), sorted(w.address6(c) for c in ("web", "api")))
    firsts = {w.ask("api", "pool", servers.AAAA).texts(servers.AAAA)[0] for _ in range(40)}
    check(len(firsts) > 1, "the order of the answers never changes")
    reverse = ipaddress.ip_address(w.address6("web")).reverse_pointer
    equal(w.ask("api", reverse, servers.PTR).texts(servers.PTR), ["web.dual"])
    equal(w.dns.asked("web") + w.dns.asked(reverse), [], "a local name went outside")
    w.docker("stop", "-t", "0", "web")
    equal(resolve6(w, "api", "pool"), [w.address6("api")], "after one stopped")


def test_ipv6_alone(w):
    r = w.api("POST", "/networks/create", {"Name": "six", "EnableIPv4": False, "EnableIPv6": True})
    equal(r.status, 201, r.text)
    sleeper(w, "web", "six")
    sleeper(w, "api", "six")
    equal(resolve6(w, "api", "web"), [w.address6("web")])
    a = w.ask("api", "web")
    equal((a.rcode, a.records), (servers.NOERROR, []), "no data in the other family")
    equal(w.resolve("api", "example.test"), ["198.18.0.1"], "the host's servers are asked by the host's way")


def test_servers_of_ipv6(w):
    """The host's, and a container's own, asked from its place."""
    w.docker("network", "create", "--ipv6", "dual")
    sleeper(w, "asker", "dual")
    own = servers.Dns(*outside(w, "2001:db8:1::54"), {"six.test": [(servers.A, "198.18.0.64")], "tcp.six.test": [(servers.A, "198.18.0.65")]})
    sleeper(w, "own", "dual", "--dns", "2001:db8:1::54")
    equal(w.resolve("own", "six.test"), ["198.18.0.64"])
    equal(w.resolve("own", "tcp.six.test", tcp=True), ["198.18.0.65"])
    equal({q[2] for q in own.queries}, {"udp", "tcp"}, "asked by")
    try:
        w.host_resolv_conf("nameserver %s\n" % INTERNET6)
        names = iter(range(1000))  # none twice: it would be cached
        until(lambda: w.ask("asker", "n%d.test" % next(names)) and ":" in w.dns.queries[-1][3], "the new server is asked")
        equal(resolve6(w, "asker", "six.example.test"), [FAR6])
        check(all(":" in q[3] for q in w.dns.asked("six.example.test")), "%s", w.dns.asked("six.example.test"))
    finally:
        w.host_resolv_conf("nameserver %s\n" % INTERNET)


# ---- servers ----

def test_next_server_where_one_refuses(w):
    w.docker("network", "create", "three")
    sleeper(w, "asker", "three")
    bad = [Refusing(rcode, *outside(w, "203.0.113.%d" % (60 + rcode))) for rcode in (2, 5)]
    try:
        w.host_resolv_conf("nameserver 203.0.113.62\nnameserver 203.0.113.65\nnameserver %s\n" % INTERNET)
        until(lambda: w.resolve("asker", "www.example.test") and all(b.queries for b in bad), "servers are followed")
        equal(w.resolve("asker", "both.example.test"), [FAR])
        equal([len(b.asked("both.example.test")) for b in bad], [1, 1], "asked before")
    finally:
        w.host_resolv_conf("nameserver %s\n" % INTERNET)


def test_nobody_to_ask(w):
    w.docker("network", "create", "alone")
    sleeper(w, "asker", "alone")
    check(w.resolve("asker", "example.test"), "the control")
    try:
        w.host_resolv_conf("# nobody\n")
        until(lambda: w.ask("asker", "some.example.test", wait=1).rcode == servers.SERVFAIL, "a dotted name fails")
        equal(w.ask("asker", "nobody", wait=1).rcode, servers.NXDOMAIN, "a single label is not there")
        equal(w.resolve("asker", "asker"), [w.address("asker")])
    finally:
        w.host_resolv_conf("nameserver %s\n" % INTERNET)


def test_cache_lives_as_long_as_the_answer(w):
    w.docker("network", "create", "cached")
    sleeper(w, "one", "cached")
    sleeper(w, "two", "cached")
    w.dns.zone["ttl.test"] = [(servers.A, "198.18.0.77")]
    w.dns.ttl = 2
    try:
        for who in ("one", "two", "one"):
            equal(w.resolve(who, "ttl.test"), ["198.18.0.77"])
        equal(len(w.dns.asked("ttl.test")), 1, "questions to the server")
        check(w.ask("one", "ttl.test").records[0][2] <= 2, "the TTL is aged")
        w.dns.zone["ttl.test"] = [(servers.A, "198.18.0.78")]
        until(lambda: w.resolve("two", "ttl.test") == ["198.18.0.78"], "asked anew")
    finally:
        w.dns.ttl = 60
        del w.dns.zone["ttl.test"]


def test_ndots(w):
    """Set by the user, single labels do not leave: the client goes on with its search domains."""
    w.docker("network", "create", "dots")
    sleeper(w, "plain", "dots")
    sleeper(w, "dotted", "dots", "--dns-search", "example.test", "--dns-option", "ndots:2")
    contains(w.exec("dotted", "cat", "/etc/resolv.conf").stdout, "ndots:2")
    contains(w.exec("plain", "cat", "/etc/resolv.conf").stdout, "ndots:0")
    equal(w.ask("plain", "lonely").rcode, servers.NXDOMAIN)
    equal(len(w.dns.asked("lonely")), 1, "the control: asked outside")
    for kind in (servers.A, servers.AAAA):
        a = w.ask("dotted", "lonely", kind)
        equal((a.rcode, a.records), (servers.NOERROR, []))
    equal(len(w.dns.asked("lonely")), 1, "asked outside")
    equal(w.resolve("dotted", "plain"), [w.address("plain")], "a container's name")
    contains(w.exec("dotted", "ping", "-c", "1", "-W", "2", "www").stdout, "198.18.0.1")


def test_internal_with_a_server_within(w):
    """--dns on an internal network: a neighbour is asked; who is outside cannot be."""
    w.docker("network", "create", "--internal", "vault")
    sleeper(w, "ns", "vault")
    inner = servers.Dns(w._bound("c:ns", "0.0.0.0", 53, socket.SOCK_DGRAM), w._bound("c:ns", "0.0.0.0", 53),
                        {"inner.test": [(servers.A, "10.1.2.3")]})
    sleeper(w, "asker", "vault", "--dns", w.address("ns"))
    sleeper(w, "shut", "vault", "--dns", INTERNET)
    equal(w.resolve("asker", "inner.test"), ["10.1.2.3"])
    equal(w.ask("asker", "leak.example.test").rcode, servers.NXDOMAIN)
    equal(len(inner.asked("leak.example.test")), 1, "who said so")
    equal(w.ask("shut", "leak.example.test", wait=1).rcode, servers.NXDOMAIN)
    equal(w.dns.asked("inner.test") + w.dns.asked("leak.example.test"), [], "questions that got out")


# ---- life ----

def test_gone_at_once(w):
    w.docker("network", "create", "come-and-go")
    w.docker("network", "create", "second")
    sleeper(w, "asker", "come-and-go")
    w.docker("network", "connect", "second", "asker")

    def gone(name, other):
        a = w.ask("asker", name)
        equal((a.rcode, a.records), (servers.NXDOMAIN, []), name)
        equal(w.resolve("asker", other), [w.address(other, "come-and-go")], "the control")
    for name in ("one", "two", "three", "four"):
        sleeper(w, name, "come-and-go")
        equal(w.resolve("asker", name), [w.address(name)])
    reverse = ipaddress.ip_address(w.address("one")).reverse_pointer
    w.docker("stop", "-t", "0", "one")
    gone("one", "two")
    equal(w.ask("asker", reverse, servers.PTR).rcode, servers.NXDOMAIN)
    with w.event('"die"'):
        w.docker("kill", "two")
    gone("two", "three")
    w.docker("network", "disconnect", "come-and-go", "three")
    gone("three", "four")
    w.docker("network", "connect", "second", "four")
    w.docker("network", "disconnect", "come-and-go", "four")
    equal(w.resolve("asker", "four"), [w.address("four", "second")], "on the network that is left")
    w.docker("start", "one")
    equal(w.resolve("asker", "one"), [w.address("one")], "started again")


def test_engine_dies(w):
    w.docker("network", "create", "survives")
    sleeper(w, "web", "survives")
    sleeper(w, "asker", "survives")
    equal(w.resolve("asker", "web"), [w.address("web")], "the control")
    want, inside = [w.address("web")], w.netns_of("asker")
    try:
        w.kill9()
        equal(w.resolve(inside, "web"), want, "the engine is dead")
        equal(w.resolve(inside, "www.example.test"), ["198.18.0.1"])
    finally:
        os.close(inside)
    w.start()
    equal(w.resolve("asker", "web"), want, "and back")
    w.docker("rm", "-f", "web")
    equal(w.resolve("asker", "web"), [], "it speaks to the same resolver")


# ---- hostile containers ----

def test_flood(w):
    """Questions of one container, as fast as it can: its neighbours' are all answered."""
    w.docker("network", "create", "busy")
    sleeper(w, "bad", "busy")
    sleeper(w, "good", "busy")
    w.dns.silent.update("f%d.example.test" % i for i in range(3000))
    with w.at("c:bad"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stop = threading.Event()

    def flood():
        s.connect(("127.0.0.11", 53))
        questions = [servers.query("good"), b"\xff" * 700]
        while not stop.is_set():
            for i in range(3000):
                for q in (servers.query("f%d.example.test" % i, qid=i), *questions):
                    with contextlib.suppress(OSError):
                        s.send(q)
                if stop.is_set():
                    break
    thread = servers.thread(flood)
    try:
        until(lambda: len(w.dns.queries) > 500, "the flood comes through")
        want = [w.address("bad")]
        good = sum(w.resolve("good", "bad") == want for _ in range(200))
        passed = sum(w.resolve("good", "www.example.test") == ["198.18.0.1"] for _ in range(20))
    finally:
        stop.set()
        thread.join()
        s.close()
        w.dns.silent.clear()
    equal((good, passed), (200, 20), "answers to the neighbour")


def test_replaced_container_is_found(w):
    w.docker("network", "create", "swap")
    sleeper(w, "asker", "swap")
    for ip in range(3):
        sleeper(w, "service", "swap")
        sleeper(w, "filler%d" % ip, "swap")  # takes the address that the service leaves
        equal(w.resolve("asker", "service"), [w.address("service")])
        w.docker("rm", "-f", "service")
        equal(w.resolve("asker", "service"), [])


def test_dns_server_inside(w):
    """A container may run a DNS server on port 53 itself."""
    w.docker("network", "create", "serving")
    sleeper(w, "nameserver", "serving")
    sleeper(w, "asker", "serving")
    servers.Dns(w._bound("c:nameserver", "0.0.0.0", 53, socket.SOCK_DGRAM), w._bound("c:nameserver", "0.0.0.0", 53),
                {"inner.test": [(servers.A, "10.1.2.3")]})
    equal(w.resolve("asker", "inner.test", server=w.address("nameserver")), ["10.1.2.3"])
    equal(w.resolve("nameserver", "asker"), [w.address("asker")], "the embedded resolver beside it")


def test_hostile_packets(w):
    """Broken questions are answered with an error or not at all; the resolver lives."""
    w.docker("network", "create", "hostile")
    sleeper(w, "asker", "hostile")
    good = servers.query("asker")
    bad = [b"", b"\0", good[:11], good[:14], good[:-1], b"\xff" * 512, good[:12] + b"\xc0\x0c\0\1\0\1",
           good[:4] + b"\xff\xff" + good[6:], good[:12] + b"\x3f" * 400, b"\0" * 12,
           servers.query("a." * 120 + "test"), good + b"\0" * 1000]
    with w.at("c:asker"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.connect(("127.0.0.11", 53))
        for msg in bad:
            s.send(msg)
    for text in (b"\0", b"\xff\xff", b"\0\5abc", b"\0\x1d" + good):
        with w.at("c:asker"):
            t = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with t:
            t.connect(("127.0.0.11", 53))
            t.sendall(text)
    equal(w.resolve("asker", "asker"), [w.address("asker")])
    equal(w.resolve("asker", "asker", tcp=True), [w.address("asker")])


if __name__ == "__main__":
    main(globals())
