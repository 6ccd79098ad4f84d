#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: the embedded resolver as containers see it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403



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
    a = w.ask("web", "web", servers.TXT)
    check(a is not None and a.rcode in (servers.NOERROR, servers.NXDOMAIN), "%r", a)


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
    w.ip("internet", "addr add 203.0.113.53/24 dev eth0")
    other = servers.Dns(w._bound("internet", "203.0.113.53", 53, socket.SOCK_DGRAM), w._bound("internet", "203.0.113.53", 53),
                        {"moved.test": [(servers.A, "198.18.0.9")]})
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
    w.ip("internet", "addr add 203.0.113.54/24 dev eth0")
    other = servers.Dns(w._bound("internet", "203.0.113.54", 53, socket.SOCK_DGRAM), w._bound("internet", "203.0.113.54", 53),
                        {"private.test": [(servers.A, "198.18.0.54")], "cut.private.test": [(servers.A, "198.18.0.55")]})
    other.truncate.add("cut.private.test")
    sleeper(w, "asker", "own-dns", "--dns", "203.0.113.54", "--dns-search", "private.test", "--dns-option", "ndots:2")
    equal(w.resolve("asker", "private.test"), ["198.18.0.54"])
    equal(w.ask("asker", "example.test").rcode, servers.NXDOMAIN)
    equal(w.resolve("asker", "cut.private.test", tcp=True), ["198.18.0.55"], "TCP behind a cut answer")
    text = w.exec("asker", "cat", "/etc/resolv.conf").stdout
    for line in ("nameserver 127.0.0.11", "search private.test", "ndots:2"):
        contains(text, line)


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
