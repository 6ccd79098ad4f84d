#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Internal networks: nothing in, nothing out, no questions forwarded, closed to the host's programs."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def pair(w):
    w.docker("network", "create", "--internal", "vault")
    w.serve("db-one", "vault", 5432)
    w.docker("run", "-d", "--name", "app-one", "--network", "vault", IMAGE, "sleep", "600")
    return w.address("db-one")


def test_inside_works(w):
    ip = pair(w)
    equal(w.network("vault")["Internal"], True)
    contains(w.http_get("app-one", "http://db-one:5432/"), "db-one")
    check(w.ping("app-one", ip))
    check("default" not in w.exec("app-one", "ip", "route").stdout, "there is a default route")


def test_nothing_out(w):
    pair(w)
    w.docker("network", "create", "open")
    w.docker("run", "-d", "--name", "free", "--network", "open", IMAGE, "sleep", "600")
    for target in (INTERNET, FAR, LAN):
        w.assert_forbidden(lambda: w.ping("free", target), lambda: w.ping("app-one", target), "to " + target)
    # also with a route of its own making
    w.docker("run", "-d", "--name", "tricky", "--network", "vault", "--cap-add", "NET_ADMIN", IMAGE, "sleep", "600")
    gateway = w.network("vault")["IPAM"]["Config"][0]["Gateway"]
    w.exec("tricky", "ip", "route", "add", "default", "via", gateway)
    for target in (INTERNET, LAN):
        w.assert_forbidden(lambda: w.ping("free", target), lambda: w.ping("tricky", target), "by a route of its own")
        w.assert_forbidden(lambda: w.tcp_reach("free", INTERNET, 80), lambda: w.tcp_reach("tricky", INTERNET, 80))


def test_nothing_in(w):
    ip = pair(w)
    w.docker("network", "create", "open")
    w.docker("run", "-d", "--name", "free", "--network", "open", IMAGE, "sleep", "600")
    for place in ("internet", "lan", "free"):
        w.assert_forbidden(lambda: w.tcp_reach("app-one", ip, 5432), lambda: w.tcp_reach(place, ip, 5432), place)


def test_closed_to_the_host(w):
    ip = pair(w)
    w.assert_forbidden(lambda: w.tcp_reach("app-one", ip, 5432), lambda: w.tcp_reach("host", ip, 5432), "host to container")
    gateway = w.network("vault")["IPAM"]["Config"][0].get("Gateway")
    server = servers.Echo(w._bound("host", "0.0.0.0", 7777))
    check(w.tcp_reach("lan", HOST_LAN, 7777), "the control")
    for address in filter(None, (gateway, HOST_UP, HOST_LAN)):
        check(not w.tcp_reach("app-one", address, 7777), "container to the host's %s", address)
    equal(len(server.clients), 1, "connections that the host saw")


def test_names_stay_inside(w):
    pair(w)
    w.docker("network", "create", "open")
    w.docker("run", "-d", "--name", "free", "--network", "open", IMAGE, "sleep", "600")
    check(w.resolve("free", "www.example.test"), "the control")
    asked = len(w.dns.queries)
    for name in ("example.test", "leak.secret.example.test"):
        for tcp in (False, True):
            began = time.monotonic()
            a = w.ask("app-one", name, tcp=tcp)
            check(a is not None and a.rcode == servers.NXDOMAIN, "%s: %r", name, a)
            check(time.monotonic() - began < 0.5 * (4 if w.sanitized() else 1), "not at once")
    equal(len(w.dns.queries), asked, "questions that got out: %s" % w.dns.queries[asked:])
    equal(w.resolve("app-one", "db-one"), [w.address("db-one")])


def test_publishing_does_nothing(w):
    w.docker("network", "create", "--internal", "vault")
    w.docker("run", "-d", "--name", "db-pub", "--network", "vault", "-p", "5433:5432", IMAGE, "nc", "-ll", "-p", "5432", "-e", "cat")
    w.docker("run", "-d", "--name", "near", "--network", "vault", IMAGE, "sleep", "600")
    w.listening("db-pub", 5432)
    w.assert_forbidden(lambda: w.tcp_reach("near", w.address("db-pub"), 5432), lambda: w.tcp_reach("internet", HOST_UP, 5433))


def test_second_network_opens_only_itself(w):
    ip = pair(w)
    w.docker("network", "create", "public")
    w.docker("network", "connect", "public", "app-one")
    contains(w.http_get("app-one", "http://example.test/"), "hello")
    contains(w.http_get("app-one", "http://db-one:5432/"), "db-one")
    check(not w.ping("db-one", INTERNET), "the neighbour got out")
    w.docker("network", "disconnect", "public", "app-one")
    check(not w.ping("app-one", INTERNET), "still out after disconnect")
    equal(w.ask("app-one", "www.example.test").rcode, servers.NXDOMAIN)
    check(w.tcp_reach("app-one", ip, 5432))


def test_what_the_address_did_before(w):
    """Connection tracking remembers who had an address; on an internal network that opens nothing to the next one."""
    def udp(container):
        with w.at("c:" + container):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with s:
            s.settimeout(1)
            s.bind(("", 40000))  # the same flow again
            try:
                s.sendto(servers.query("example.test"), (INTERNET, 53))
                return bool(s.recv(4096))
            except OSError:
                return False

    plan = ["--subnet", "10.97.0.0/24", "--gateway", "10.97.0.1"]
    w.docker("network", "create", *plan, "open")
    w.docker("run", "-d", "--name", "before", "--network", "open", "--ip", "10.97.0.9", IMAGE, "sleep", "600")
    check(w.ping("c:before", FAR) and udp("before"), "the control: out of an open network")
    w.docker("rm", "-f", "before")
    w.docker("network", "rm", "open")
    w.docker("network", "create", "--internal", *plan, "vault")
    w.docker("run", "-d", "--name", "after", "--network", "vault", "--ip", "10.97.0.9", IMAGE, "sleep", "600")
    w.ip("c:after", "route add default via 10.97.0.1")
    equal((w.ping("c:after", FAR), udp("after")), (False, False), "what gets out")


if __name__ == "__main__":
    main(globals())
