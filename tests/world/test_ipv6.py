#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6: dual stack, IPv6 alone, addresses, routes, names, published ports, [::1], and no waiting for it."""
import ipaddress
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def sleeper(w, name, network, *more):
    return w.docker("run", "-d", "--name", name, "--network", network, *more, IMAGE, "sleep", "600")


def rows(w, place, name):
    """The IPv6 addresses of a link as the kernel has them."""
    link = next(x for x in w.ip_json(place, "-6", "addr", "show") if x.get("ifname") == name)
    return link["addr_info"]


def v6_only(w, name):
    r = w.api("POST", "/networks/create", {"Name": name, "EnableIPv4": False, "EnableIPv6": True})
    equal(r.status, 201, r.text)


def test_ula_by_default(w):
    seen = []
    for name in ("net-a", "net-b", "net-c"):
        w.docker("network", "create", "--ipv6", name)
        n = w.network(name)
        equal(n["EnableIPv6"], True)
        config = next(c for c in n["IPAM"]["Config"] if ":" in c["Subnet"])
        subnet = ipaddress.ip_network(config["Subnet"])
        check(subnet.subnet_of(ipaddress.ip_network("fd00::/8")) and subnet.prefixlen == 64, "%s", subnet)
        check(ipaddress.ip_address(config["Gateway"]) in subnet, "%s", config)
        check(not any(subnet.overlaps(s) for s in seen), "%s is given twice", subnet)
        seen.append(subnet)
        equal([a["local"] for a in rows(w, "host", w.bridge(name)) if a["scope"] == "global"], [config["Gateway"]])
    equal(len({s.supernet(new_prefix=48) for s in seen}), 1, "one site, as RFC 4193 has it")
    w.restart()
    w.docker("network", "create", "--ipv6", "net-d")
    subnet = ipaddress.ip_network(next(c["Subnet"] for c in w.network("net-d")["IPAM"]["Config"] if ":" in c["Subnet"]))
    equal(subnet.supernet(new_prefix=48), seen[0].supernet(new_prefix=48), "after a restart of the engine")


def test_pool_avoids_routes(w):
    w.docker("network", "create", "--ipv6", "probe-net")
    subnet = next(c["Subnet"] for c in w.network("probe-net")["IPAM"]["Config"] if ":" in c["Subnet"])
    w.docker("network", "rm", "probe-net")
    w.ip("host", "route add %s via %s table 77" % (subnet, INTERNET6))
    try:
        w.docker("network", "create", "--ipv6", "net-a")
        got = next(c["Subnet"] for c in w.network("net-a")["IPAM"]["Config"] if ":" in c["Subnet"])
        check(not ipaddress.ip_network(got).overlaps(ipaddress.ip_network(subnet)), "%s is routed in table 77", got)
    finally:
        w.ip("host", "route del %s table 77" % subnet)


def test_nobody_waits(w):
    """No address is tentative when the container's first program runs, nor on the bridge before it."""
    w.docker("network", "create", "--ipv6", "net-a")
    out = w.docker("run", "--rm", "--network", "net-a", IMAGE, "ip", "-6", "addr", "show", "dev", "eth0")
    contains(out, "inet6 fd")
    check("tentative" not in out, "%s", out)
    sleeper(w, "box", "net-a")
    for place, name in (("c:box", "eth0"), ("host", w.bridge("net-a"))):
        check(not any(a.get("tentative") for a in rows(w, place, name)), "%s: %s", name, rows(w, place, name))
    # and it is at work at once: the first program's first packet has an answer
    w.docker("run", "--rm", "--network", "net-a", IMAGE, "ping", "-6", "-c", "1", "-W", "1", w.address6("box"))
    w.docker("run", "--rm", "--network", "net-a", IMAGE, "ping", "-6", "-c", "1", "-W", "1", INTERNET6)
    w.docker("network", "create", "--ipv6", "net-b")
    w.docker("network", "connect", "net-b", "box")
    check(not any(a.get("tentative") for a in rows(w, "c:box", "eth1")), "%s", rows(w, "c:box", "eth1"))


def test_dual_stack(w):
    w.docker("network", "create", "--ipv6", "net-a")
    w.serve("web", "net-a")
    sleeper(w, "client", "net-a")
    for address in (w.address("web"), w.address6("web")):
        contains(w.http_get("client", "http://%s/" % literal(address)), "web")
        check(w.ping("client", address), "%s", address)
    route = w.ip_json("c:client", "-6", "route", "show", "default")
    gateway = next(c["Gateway"] for c in w.network("net-a")["IPAM"]["Config"] if ":" in c["Subnet"])
    equal([(r["gateway"], r["dev"]) for r in route], [(gateway, "eth0")])
    contains(w.http_get("client", "http://[%s]/" % INTERNET6), "client " + HOST_UP6)
    check(w.ping("client", FAR6) and w.ping("client", LAN6), "the way out")
    contains(w.docker("network", "inspect", "net-a"), w.address6("web") + "/64")
    n = w.inspect("web")["NetworkSettings"]["Networks"]["net-a"]
    equal((n["GlobalIPv6PrefixLen"], n["IPv6Gateway"]), (64, gateway))


def test_names(w):
    w.docker("network", "create", "--ipv6", "net-a")
    w.docker("network", "create", "net-b")
    v6_only(w, "net-c")
    sleeper(w, "dual", "net-a", "--network-alias", "www")
    sleeper(w, "asker", "net-a")
    for name in ("dual", "www", "dual.net-a", "DUAL"):
        equal(w.resolve("asker", name), [w.address("dual")])
        equal(w.ask("asker", name, servers.AAAA).texts(servers.AAAA), [w.address6("dual")], name)
        equal(w.ask("asker", name, servers.AAAA, tcp=True).texts(servers.AAAA), [w.address6("dual")], name)
    pointer = ipaddress.ip_address(w.address6("dual")).reverse_pointer
    equal(w.ask("asker", pointer, servers.PTR).texts(servers.PTR), ["dual.net-a"])
    contains(w.exec("asker", "cat", "/etc/hosts").stdout, w.address6("asker"))
    contains(w.exec("dual", "nslookup", "asker").stdout, w.address6("asker"))
    sleeper(w, "four", "net-b")
    sleeper(w, "ask-four", "net-b")
    a = w.ask("ask-four", "four", servers.AAAA)
    equal((a.rcode, a.records), (servers.NOERROR, []), "the other family is no data")
    sleeper(w, "six", "net-c")
    sleeper(w, "ask-six", "net-c")
    equal(w.ask("ask-six", "six", servers.AAAA).texts(servers.AAAA), [w.address6("six")])
    a = w.ask("ask-six", "six")
    equal((a.rcode, a.records), (servers.NOERROR, []), "the other family is no data")
    equal(w.ask("ask-six", "six.example.test", servers.AAAA).texts(servers.AAAA), [FAR6], "forwarding")
    for i in range(2):
        sleeper(w, "node%d" % i, "net-a", "--network-alias", "pool")
    equal(sorted(w.ask("asker", "pool", servers.AAAA).texts(servers.AAAA)), sorted(w.address6("node%d" % i) for i in range(2)))
    w.docker("rm", "-f", "node0")
    equal(w.ask("asker", "pool", servers.AAAA).texts(servers.AAAA), [w.address6("node1")])


def test_ipv6_alone(w):
    v6_only(w, "net-a")
    equal((w.network("net-a")["EnableIPv4"], len(w.network("net-a")["IPAM"]["Config"])), (False, 1))
    w.serve("web", "net-a", 80, "-p", "8080:80")
    sleeper(w, "client", "net-a")
    n = w.inspect("web")["NetworkSettings"]["Networks"]["net-a"]
    equal((n["IPAddress"], n["IPPrefixLen"], n["Gateway"]), ("", 0, ""))
    contains(w.http_get("client", "http://web/"), "web")
    contains(w.http_get("client", "http://[%s]/" % w.address6("web")), "web")
    contains(w.http_get("client", "http://six.example.test/"), "client " + HOST_UP6)
    four = w.ip_json("c:client", "-4", "addr", "show", "dev", "eth0")
    equal([a for x in four for a in x.get("addr_info", [])], [])
    equal(w.ip_json("c:client", "-4", "route", "show"), [])
    for place, address in (("internet", HOST_UP6), ("lan", HOST_LAN6), ("host", "::1"), ("host", HOST_UP6)):
        contains(w.http_get(place, "http://[%s]:8080/" % address), "web")
    v6_only(w, "net-b")
    sleeper(w, "other", "net-b")
    w.assert_forbidden(lambda: w.tcp_reach("c:client", w.address6("web"), 80), lambda: w.tcp_reach("c:other", w.address6("web"), 80))


def test_published(w):
    w.docker("network", "create", "--ipv6", "net-a")
    w.docker("network", "create", "--ipv6", "net-b")
    w.serve("web", "net-a", 80, "-p", "8080:80", "-p", "8080:80/udp")
    w.udp_echo("web", 80)
    w.udp_echo("web", 80, "::")
    sleeper(w, "near", "net-a")
    sleeper(w, "far-box", "net-b")
    for place, address in (("internet", HOST_UP6), ("lan", HOST_LAN6), ("lan", HOST_UP6), ("host", "::1"), ("host", HOST_UP6),
                           ("host", HOST_LAN6), ("c:near", HOST_UP6), ("c:web", HOST_UP6), ("c:far-box", HOST_UP6),
                           ("internet", HOST_UP), ("host", "127.0.0.1")):
        contains(w.http_get(place, "http://%s:8080/" % literal(address)), "web")
        equal(w.udp(place, address, 8080), b"echo hello", "%s, %s" % (place, address))
    rows = w.inspect("web")["NetworkSettings"]["Ports"]["80/tcp"]
    equal(sorted(r["HostIp"] for r in rows), ["0.0.0.0", "::"])
    equal({r["HostPort"] for r in rows}, {"8080"})
    matches(w.docker("port", "web", "80/tcp"), r"\[?::\]?:8080")  # older clients write no brackets
    for place in ("internet", "lan", "c:far-box"):
        w.assert_forbidden(lambda: w.tcp_reach("c:near", w.address6("web"), 80), lambda: w.tcp_reach(place, w.address6("web"), 80), place)
    w.docker("stop", "-t", "0", "web")
    for address in (HOST_UP6, "::1"):
        check(not w.tcp_reach("host", address, 8080), "open while stopped: %s", address)


def test_client_address_is_kept(w):
    w.docker("network", "create", "--ipv6", "net-a")
    sleeper(w, "echo", "net-a", "-p", "9001:9001")
    echo = servers.Echo(w._bound("c:echo", "::", 9001))
    check(w.tcp_reach("internet", HOST_UP6, 9001))
    until(lambda: echo.clients, "the connection")
    equal(echo.clients, [INTERNET6])


def test_published_at_one_address(w):
    w.docker("network", "create", "--ipv6", "net-a")
    w.serve("web", "net-a", 80, "-p", "[%s]:8081:80" % HOST_LAN6, "-p", "[::1]:8082:80")
    w.assert_forbidden(lambda: w.tcp_reach("lan", HOST_LAN6, 8081), lambda: w.tcp_reach("internet", HOST_UP6, 8081))
    for place, address in (("lan", HOST_LAN6), ("internet", HOST_UP6), ("host", HOST_UP6), ("host", "127.0.0.1")):
        w.assert_forbidden(lambda: w.tcp_reach("host", "::1", 8082), lambda: w.tcp_reach(place, address, 8082), "%s to %s" % (place, address))
    text = w.docker_fails("run", "-d", "--name", "late", "--network", "net-a", "-p", "[%s]:8081:80" % HOST_LAN6, IMAGE, "true", code=125)
    contains(text, "Bind for [%s]:8081 failed: port is already allocated" % HOST_LAN6)
    w.docker("rm", "-f", "late")
    w.docker("run", "-d", "--name", "other", "--network", "net-a", "-p", HOST_LAN + ":8081:80", IMAGE, "sleep", "600")


def test_loopback_relay(w):
    """[::1] is no address of packets: a relay carries it; many, big, half-closed, and while the engine is dead."""
    w.docker("network", "create", "--ipv6", "net-a")
    sleeper(w, "echo", "net-a", "-p", "9001:9001", "-p", "9001:9001/udp")
    servers.Echo(w._bound("c:echo", "::", 9001))
    w.udp_echo("echo", 9001, "::")

    def through(size):
        with w.at("host"):
            s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        with s:
            s.settimeout(10)
            s.connect(("::1", 9001))
            data, got = os.urandom(size), b""
            t = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
            t.start()
            while part := s.recv(65536):
                got += part
            t.join()
            return got == data
    check(through(3 << 20), "3 MB and a half-close")
    threads = []
    good = []
    for _ in range(40):
        threads.append(threading.Thread(target=lambda: good.append(through(10000))))
        threads[-1].start()
    for t in threads:
        t.join()
    equal(good, [True] * 40)
    w.kill9()
    check(through(1000), "while the engine is dead")
    equal(w.udp("host", "::1", 9001), b"echo hello", "while the engine is dead")
    w.start()
    check(through(1000), "in its next life")
    equal(w.udp("host", "::1", 9001), b"echo hello")


def test_an_ipv4_container_is_reached_over_ipv6(w):
    """A port published on :: of a container without IPv6: localhost works in both families, as with Docker's proxy."""
    w.docker("network", "create", "net-a")
    w.serve("web", "net-a", 80, "-p", "8080:80")
    contains(w.http_get("host", "http://127.0.0.1:8080/"), "web")
    contains(w.http_get("host", "http://[::1]:8080/"), "web")


def test_addresses_stay(w):
    w.docker("network", "create", "--ipv6", "--subnet", "2001:db8:c:9::/64", "net-a")
    sleeper(w, "fixed", "net-a", "--ip6", "2001:db8:c:9::99")
    sleeper(w, "given", "net-a")
    before = {n: (w.address(n), w.address6(n)) for n in ("fixed", "given")}
    equal(before["fixed"][1], "2001:db8:c:9::99")
    w.docker("stop", "-t", "0", "given")
    for i in range(3):
        sleeper(w, "extra%d" % i, "net-a")
    w.docker("start", "given")
    w.docker("restart", "-t", "0", "fixed")
    equal({n: (w.address(n), w.address6(n)) for n in before}, before, "over stop and start")
    for name in before:
        equal([a["local"] for a in rows(w, "c:" + name, "eth0") if a["scope"] == "global"], [before[name][1]])
    w.docker("stop", "-t", "0", "given")
    w.restart()
    w.docker("start", "given")
    equal({n: (w.address(n), w.address6(n)) for n in before}, before, "over a restart of the engine")
    w.kill9()
    w.start()
    equal({n: (w.address(n), w.address6(n)) for n in before}, before, "over its death")
    check(w.ping("c:fixed", before["given"][1]))


def test_a_replaced_container_is_found_at_once(w):
    w.docker("network", "create", "--ipv6", "--subnet", "2001:db8:c:10::/64", "net-a")
    sleeper(w, "watcher", "net-a")
    for i in range(3):
        w.serve("box%d" % i, "net-a", 80, "--ip6", "2001:db8:c:10::50")
        contains(w.http_get("watcher", "http://[2001:db8:c:10::50]/", wait=1), "box%d" % i)
        w.docker("rm", "-f", "box%d" % i)


def test_internal(w):
    w.docker("network", "create", "--internal", "--ipv6", "vault")
    w.serve("db-one", "vault", 5432)
    sleeper(w, "app-one", "vault")
    address = w.address6("db-one")
    contains(w.http_get("app-one", "http://[%s]:5432/" % address), "db-one")
    equal(w.ip_json("c:app-one", "-6", "route", "show", "default"), [])
    gateway = next(c["Gateway"] for c in w.network("vault")["IPAM"]["Config"] if ":" in c["Subnet"])
    w.ip("c:app-one", "route add default via " + gateway)
    w.docker("network", "create", "--ipv6", "open")
    sleeper(w, "free", "open")
    for target in (INTERNET6, FAR6, LAN6):
        w.assert_forbidden(lambda: w.ping("c:free", target), lambda: w.ping("c:app-one", target), target)
    check(w.ping("host", address) and w.ping("c:app-one", gateway), "ping of the host, as in Docker")
    for place in PLACES + ("c:free",):
        w.assert_forbidden(lambda: w.tcp_reach("c:app-one", address, 5432), lambda: w.tcp_reach(place, address, 5432), place)


def test_containers_take_no_router_advertisements(w):
    """A neighbour that calls itself a router gets no traffic."""
    w.docker("network", "create", "--ipv6", "net-a")
    sleeper(w, "box", "net-a")
    sleeper(w, "liar", "net-a")
    mac = w.ip_json("c:liar", "link", "show", "eth0")[0]["address"]
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 86400, 86400, 0) + packets.packed("2001:db8:bad::")
    segment = packets.summed("fe80::bad", "ff02::1", packets.ICMP6, body + prefix, 2)
    before = rows(w, "c:box", "eth0"), w.ip_json("c:box", "-6", "route", "show")
    with packets.wire(w, "c:liar") as wire, packets.wire(w, "c:box") as ear:
        wire.send(packets.frame(mac, "33:33:00:00:00:01", packets.ip("fe80::bad", "ff02::1", packets.ICMP6, segment, 255)))
        check(packets.sees(ear, packets.packed("2001:db8:bad::")), "the advertisement comes")
    after = rows(w, "c:box", "eth0"), w.ip_json("c:box", "-6", "route", "show")
    equal([a["local"] for a in after[0]], [a["local"] for a in before[0]])
    equal([(r["dst"], r.get("gateway")) for r in after[1]], [(r["dst"], r.get("gateway")) for r in before[1]])


def test_the_hosts_own_route_stays(w):
    """Forwarding switches off what a host learns from its router, unless it is told otherwise."""
    w.sysctl("host", "net/ipv6/conf/up0/accept_ra", 1)
    w.docker("network", "create", "--ipv6", "net-a")
    force = os.path.exists("/proc/sys/net/ipv6/conf/all/force_forwarding")
    if w.sysctl("host", "net/ipv6/conf/all/forwarding") == "1":
        equal(w.sysctl("host", "net/ipv6/conf/up0/accept_ra"), "2")
    else:
        check(force, "nothing forwards")
        equal(w.sysctl("host", "net/ipv6/conf/%s/force_forwarding" % w.bridge("net-a")), "1")


if __name__ == "__main__":
    main(globals())
