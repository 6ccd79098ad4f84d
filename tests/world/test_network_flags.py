#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every flag of docker network create and connect, every network flag of docker run, through the real CLI:
what each does in the kernel or to packets. And the errors about networks that test_errors.py has not."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

BRIDGE, NET, ENDPOINT = "com.docker.network.bridge.", "com.docker.network.", "com.docker.network.endpoint."


def need(w, version, what):
    """Skips what the docker CLI at hand is too old for."""
    api = w.docker("version", "--format", "{{.Client.DefaultAPIVersion}}")
    if tuple(map(int, api.split("."))) < version:
        raise Skip("this docker CLI (API %s) has no %s" % (api, what))


def sleeper(w, name, *args):
    return w.docker("run", "-d", "--name", name, *args, IMAGE, "sleep", "600")


def link(w, place, name):
    """A link as `ip -j -d link` has it, None if there is none."""
    return next((x for x in w.ip_json(place, "link", "show") if x["ifname"] == name), None)


def addresses(w, place, name, scope=("global",), six=None):
    rows = next((x["addr_info"] for x in w.ip_json(place, "addr", "show") if x["ifname"] == name), [])
    return sorted("%s/%d" % (a["local"], a["prefixlen"]) for a in rows if a["scope"] in scope and
                  (six is None or (a["family"] == "inet6") == six))


def default_route(w, container, six=False):
    """(gateway, interface) of the default route, None without one."""
    rows = w.ip_json("c:" + container, *(["-6"] if six else []), "route", "show", "default")
    return (rows[0].get("gateway"), rows[0]["dev"]) if rows else None


def options(*rows):
    return [x for row in rows for x in ("-o", row)]


def client_of(w, url, container):
    """The address that the internet sees when @container asks."""
    before = len(w.http.clients)
    check(w.http_get("c:" + container, url), "%s gets out", container)
    return w.http.clients[before]


def subnet(w, network, six=False):
    return next(c for c in w.network(network)["IPAM"]["Config"] if (":" in c["Subnet"]) == six)


# ---- network create ----

def test_driver_bridge(w):
    w.docker("network", "create", "--driver", "bridge", "net-a")
    equal(link(w, "host", w.bridge("net-a"))["linkinfo"]["info_kind"], "bridge")


def test_driver_host_and_null(w):
    for driver in ("host", "null"):
        w.docker_fails("network", "create", "-d", driver, "second", says='only one instance of "%s" network is allowed' % driver)


def test_driver_macvlan(w):
    w.docker("network", "create", "-d", "macvlan", "-o", "parent=lan0", "--subnet", "198.51.100.0/24", "--gateway", HOST_LAN,
             "--ip-range", "198.51.100.64/28", "on-lan")
    sleeper(w, "near", "--network", "on-lan")
    eth = link(w, "c:near", "eth0")
    equal((eth["linkinfo"]["info_kind"], eth["linkinfo"]["info_data"]["mode"]), ("macvlan", "bridge"))
    check(w.tcp_reach("c:near", LAN, 7777) is False, "nobody listens yet")
    server = servers.Echo(w._bound("lan", LAN, 7777))
    check(w.tcp_reach("c:near", LAN, 7777), "the LAN is reached without the host")
    until(lambda: server.clients, "the connection")
    equal(server.clients, [w.address("near")], "with an address of its own")
    equal(default_route(w, "near"), (HOST_LAN, "eth0"))
    sleeper(w, "next", "--network", "on-lan")
    check(w.ping("c:near", w.address("next")), "neighbours on one parent")
    w.docker("rm", "-f", "near", "next")
    w.docker("network", "rm", "on-lan")
    for mode in ("private", "vepa", "passthru"):
        w.docker("network", "create", "-d", "macvlan", "-o", "parent=lan0", "-o", "macvlan_mode=" + mode, "--subnet", "198.51.100.0/24",
                 "--gateway", HOST_LAN, "--ip-range", "198.51.100.64/28", "on-lan")
        sleeper(w, "near", "--network", "on-lan")
        equal(link(w, "c:near", "eth0")["linkinfo"]["info_data"]["mode"], mode)
        w.docker("rm", "-f", "near")
        w.docker("network", "rm", "on-lan")


def test_macvlan_internal_and_vlan(w):
    w.docker_fails("network", "create", "-d", "macvlan", "-o", "parent=lan0", "--internal", "--subnet", "198.51.100.0/24", "closed",
                   says="an internal macvlan network has no parent interface")
    with w.at("host"):
        vlans = run("ip", "link", "add", "link", "lan0", "name", "lan0.9", "type", "vlan", "id", "9").returncode == 0
    if vlans:
        w.ip("host", "link del lan0.9")
        w.docker("network", "create", "-d", "macvlan", "-o", "parent=lan0.7", "tagged")
        sleeper(w, "inner", "--network", "tagged")
        equal(link(w, "host", "lan0.7")["linkinfo"]["info_data"]["id"], 7)
    else:
        text = w.docker_fails("network", "create", "-d", "macvlan", "-o", "parent=lan0.7", "tagged")
        matches(text.lower(), "vlan")
        contains(text.lower(), "kernel")


def test_driver_ipvlan(w):
    with w.at("host"):
        there = run("ip", "link", "add", "link", "lan0", "name", "ipv0", "type", "ipvlan").returncode == 0
    args = ("network", "create", "-d", "ipvlan", "-o", "parent=lan0", "--subnet", "198.51.100.0/24", "--ip-range", "198.51.100.64/28", "on-lan")
    if there:
        w.ip("host", "link del ipv0")
        w.docker(*args)
        sleeper(w, "near", "--network", "on-lan")
        equal(link(w, "c:near", "eth0")["linkinfo"]["info_kind"], "ipvlan")
        check(w.ping("c:near", LAN))
    else:
        text = w.docker_fails(*args).lower()
        contains(text, "ipvlan")
        contains(text, "kernel")
    check(not any(n["Name"] == "on-lan" for n in w.get("/networks")) or there, "a refused network is there")


def test_label_attachable_scope(w):
    """They say something about the network and change nothing in it."""
    w.docker("network", "create", "--label", "a=b", "--label", "flag", "--attachable", "--scope", "local", "net-a")
    n = w.network("net-a")
    equal((n["Labels"], n["Attachable"], n["Scope"]), ({"a": "b", "flag": ""}, True, "local"))
    w.serve("web", "net-a")
    sleeper(w, "client", "--network", "net-a")
    contains(w.http_get("client", "http://web/"), "web")
    w.docker_fails("network", "create", "--scope", "swarm", "other")
    w.docker_fails("network", "create", "--ingress", "other")


def test_internal(w):
    w.docker("network", "create", "--internal", "net-a")
    w.docker("network", "create", "net-b")
    sleeper(w, "inner", "--network", "net-a")
    sleeper(w, "outer", "--network", "net-b")
    equal(default_route(w, "inner"), None)
    equal(default_route(w, "outer"), (subnet(w, "net-b")["Gateway"], "eth0"))
    w.ip("c:inner", "route add default via " + subnet(w, "net-a")["Gateway"])
    w.assert_forbidden(lambda: w.ping("c:outer", INTERNET), lambda: w.ping("c:inner", INTERNET))


def test_ipv6(w):
    w.docker("network", "create", "--ipv6", "net-a")
    sleeper(w, "box", "--network", "net-a")
    found = addresses(w, "c:box", "eth0", six=True)
    equal(found, [w.address6("box") + "/64"])
    contains(subnet(w, "net-a", True)["Subnet"], "fd")
    equal(default_route(w, "box", True), (subnet(w, "net-a", True)["Gateway"], "eth0"))
    equal(w.network("net-a")["EnableIPv6"], True)
    w.docker("network", "create", "net-b")
    sleeper(w, "four", "--network", "net-b")
    equal(addresses(w, "c:four", "eth0", six=True), [], "without --ipv6")
    equal(default_route(w, "four", True), None)


def test_ipv4_off(w):
    need(w, (1, 48), "--ipv4")
    w.docker("network", "create", "--ipv4=false", "--ipv6", "net-a")
    n = w.network("net-a")
    equal((n["EnableIPv4"], n["EnableIPv6"]), (False, True))
    sleeper(w, "box", "--network", "net-a")
    equal(addresses(w, "c:box", "eth0", six=False), [])
    equal(addresses(w, "host", w.bridge("net-a"), six=False), [])
    equal(len(addresses(w, "c:box", "eth0", six=True)), 1)
    equal(default_route(w, "box"), None)
    w.docker_fails("network", "create", "--ipv4=false", "none-left", says="IPv4 or IPv6 must be enabled")


def test_config_only_and_from(w):
    w.docker("network", "create", "--config-only", "--subnet", "10.81.0.0/24", "--gateway", "10.81.0.9", "--label", "of=config",
             "-o", NET + "driver.mtu=1380", "plan")
    n = w.network("plan")
    equal((n["ConfigOnly"], n["Driver"]), (True, "null"))
    equal([x for x in w.links() if x == "br-" + n["Id"][:12]], [], "a plan has no bridge")
    w.docker_fails("run", "--rm", "--network", "plan", IMAGE, "true")
    w.docker("network", "create", "--config-from", "plan", "made")
    n = w.network("made")
    equal((n["ConfigFrom"], n["ConfigOnly"]), ({"Network": "plan"}, False))
    sleeper(w, "box", "--network", "made")
    equal(link(w, "c:box", "eth0")["mtu"], 1380)
    equal(default_route(w, "box"), ("10.81.0.9", "eth0"))
    matches(addresses(w, "c:box", "eth0", six=False)[0], r"^10\.81\.0\.\d+/24$")
    text = w.docker_fails("network", "rm", "plan")
    contains(text, 'configuration network "plan" is in use')
    equal(w.api("DELETE", "/networks/plan").status, 403)
    w.docker("rm", "-f", "box")
    w.docker("network", "rm", "made")
    w.docker("network", "rm", "plan")
    r = w.api("POST", "/networks/create", {"Name": "x", "ConfigFrom": {"Network": "no-such"}})
    check(r.status in (400, 403, 404) and "no-such" in r.message, "%r", r)


def test_ipam_driver(w):
    w.docker("network", "create", "--ipam-driver", "default", "net-a")
    sleeper(w, "box", "--network", "net-a")
    equal(len(addresses(w, "c:box", "eth0", six=False)), 1)
    w.docker("network", "create", "--ipam-driver", "null", "bare")
    sleeper(w, "naked", "--network", "bare")
    check(link(w, "c:naked", "eth0"), "an interface")
    equal(addresses(w, "c:naked", "eth0"), [], "and no address")
    text = w.docker_fails("network", "create", "--ipam-driver", "nothing-like-it", "x")
    contains(text, "nothing-like-it")


def test_ipam_opt(w):
    w.docker("network", "create", "--ipam-opt", "some.key=value", "net-a")
    equal(w.network("net-a")["IPAM"]["Options"], {"some.key": "value"})
    sleeper(w, "box", "--network", "net-a")
    equal(len(addresses(w, "c:box", "eth0", six=False)), 1, "the default driver passes over it")


def test_addresses_of_a_network(w):
    """--subnet --ip-range --gateway --aux-address, both families."""
    w.docker("network", "create", "--ipv6", "--subnet", "10.82.0.0/16", "--ip-range", "10.82.4.0/29", "--gateway", "10.82.0.9",
             "--aux-address", "nas=10.82.4.1", "--subnet", "2001:db8:c:82::/64", "--ip-range", "2001:db8:c:82::40/124",
             "--gateway", "2001:db8:c:82::9", "--aux-address", "nas6=2001:db8:c:82::41", "net-a")
    equal(addresses(w, "host", w.bridge("net-a")), ["10.82.0.9/16", "2001:db8:c:82::9/64"])
    given4, given6 = set(), set()
    for i in range(3):
        sleeper(w, "box%d" % i, "--network", "net-a")
        found = addresses(w, "c:box%d" % i, "eth0")
        given4.add(found[0])
        given6.add(found[1])
    for found, inside, taken in ((given4, r"^10\.82\.4\.[0-7]/16$", "10.82.4.1/16"), (given6, r"^2001:db8:c:82::4[0-9a-f]/64$", "2001:db8:c:82::41/64")):
        equal(len(found), 3)
        for a in found:
            matches(a, inside)
        check(taken not in found, "the reserved address was given away")
    equal(default_route(w, "box0"), ("10.82.0.9", "eth0"))
    equal(default_route(w, "box0", True), ("2001:db8:c:82::9", "eth0"))
    check(w.ping("c:box0", "2001:db8:c:82::9"), "the gateway answers")


def test_subnet_of_a_size(w):
    """0.0.0.0/BITS and ::/BITS ask the pools for a size."""
    w.docker("network", "create", "--ipv6", "--subnet", "0.0.0.0/27", "--subnet", "::/96", "net-a")
    for six, bits in ((False, "/27"), (True, "/96")):
        s = subnet(w, "net-a", six)["Subnet"]
        check(s.endswith(bits) and not s.startswith(("0.", "::/")), "%s", s)
    sleeper(w, "box", "--network", "net-a")
    equal([a.split("/")[1] for a in addresses(w, "c:box", "eth0")], ["27", "96"])


# ---- network create -o ----

def test_opt_bridge_name(w):
    w.docker("network", "create", *options(BRIDGE + "name=br-mine"), "net-a")
    equal(link(w, "host", "br-mine")["linkinfo"]["info_kind"], "bridge")


def test_opt_masquerade(w):
    w.docker("network", "create", "net-a")
    w.docker("network", "create", *options(BRIDGE + "enable_ip_masquerade=false"), "net-b")
    sleeper(w, "hidden", "--network", "net-a")
    sleeper(w, "shown", "--network", "net-b")
    equal(client_of(w, "http://%s/" % INTERNET, "hidden"), HOST_UP)
    equal(client_of(w, "http://%s/" % INTERNET, "shown"), w.address("shown"))


def test_opt_gateway_mode_nat_unprotected(w):
    w.docker("network", "create", "net-a")
    w.docker("network", "create", "--ipv6", *options(BRIDGE + "gateway_mode_ipv4=nat-unprotected", BRIDGE + "gateway_mode_ipv6=nat-unprotected"),
             "net-b")
    w.serve("closed", "net-a")
    w.serve("open", "net-b")
    for address in (w.address("open"), w.address6("open")):
        w.assert_forbidden(lambda: w.tcp_reach("lan", address, 80), lambda: w.tcp_reach("lan", w.address("closed"), 80))
    equal(client_of(w, "http://%s/" % INTERNET, "open"), HOST_UP, "still NAT on the way out")


def test_opt_gateway_mode_routed(w):
    w.docker("network", "create", "--ipv6", *options(BRIDGE + "gateway_mode_ipv4=routed", BRIDGE + "gateway_mode_ipv6=routed"), "net-a")
    w.serve("web", "net-a", 80, "-p", "8080:80", "--expose", "81")
    servers.Echo(w._bound("c:web", "0.0.0.0", 81))
    servers.Echo(w._bound("c:web", "::", 81))
    for address, host in ((w.address("web"), HOST_LAN), (w.address6("web"), HOST_LAN6)):
        for place in ("lan", "internet"):
            w.assert_forbidden(lambda: w.tcp_reach(place, address, 80), lambda: w.tcp_reach(place, address, 81), "routed, not published")
            w.assert_forbidden(lambda: w.tcp_reach(place, address, 80), lambda: w.tcp_reach(place, host, 8080), "routed, no host port")
        check(w.ping("lan", address), "a routed network answers echo")
    equal(client_of(w, "http://%s/" % INTERNET, "web"), w.address("web"), "no NAT")
    equal(client_of(w, "http://[%s]/" % INTERNET6, "web"), w.address6("web"), "no NAT, IPv6")


def test_opt_gateway_mode_isolated(w):
    w.docker("network", "create", "--internal", "--ipv6", *options(BRIDGE + "gateway_mode_ipv4=isolated", BRIDGE + "gateway_mode_ipv6=isolated"),
             "net-a")
    sleeper(w, "one-box", "--network", "net-a")
    sleeper(w, "two-box", "--network", "net-a")
    equal(addresses(w, "host", w.bridge("net-a"), ("global", "link")), [], "the host has no address there")
    for on in w.both_bridge_nf():
        for address in (w.address("two-box"), w.address6("two-box")):
            w.assert_forbidden(lambda: w.ping("c:one-box", address), lambda: w.ping("host", address), "bridge-nf-call at %d" % on)
    r = w.api("POST", "/networks/create", {"Name": "x", "Options": {BRIDGE + "gateway_mode_ipv4": "isolated"}})
    check(r.status in (400, 500), "%r", r)
    contains(r.message, "gateway mode 'isolated' can only be used for an internal network")


def test_opt_icc(w):
    w.docker("network", "create", "--ipv6", *options(BRIDGE + "enable_icc=false"), "net-a")
    w.serve("web", "net-a", 80, "-p", "8080:80")
    sleeper(w, "near", "--network", "net-a")
    for address in (w.address("web"), w.address6("web")):
        w.assert_forbidden(lambda: w.tcp_reach("host", address, 80), lambda: w.tcp_reach("c:near", address, 80), "icc off")
        w.assert_forbidden(lambda: w.ping("host", address), lambda: w.ping("c:near", address), "icc off")
    check(w.tcp_reach("c:near", INTERNET, 80) and w.tcp_reach("internet", HOST_UP, 8080), "the way out and in")
    # nor over the gateway, with a route of its own
    w.ip("c:near", "route add %s/32 via %s" % (w.address("web"), subnet(w, "net-a")["Gateway"]))
    for on in w.both_bridge_nf():
        check(not w.tcp_reach("c:near", w.address("web"), 80), "by the detour over the gateway, bridge-nf-call at %d", on)


def test_opt_inhibit_ipv4(w):
    w.docker("network", "create", *options(BRIDGE + "inhibit_ipv4=true"), "net-a")
    equal(addresses(w, "host", w.bridge("net-a"), six=False), [])
    sleeper(w, "one-box", "--network", "net-a")
    sleeper(w, "two-box", "--network", "net-a")
    for on in w.both_bridge_nf():
        check(w.ping("c:one-box", w.address("two-box")), "neighbours, bridge-nf-call at %d", on)


def test_opt_host_binding(w):
    w.docker("network", "create", *options(BRIDGE + "host_binding_ipv4=" + HOST_LAN), "net-a")
    w.serve("web", "net-a", 80, "-p", "8080:80")
    w.assert_forbidden(lambda: w.tcp_reach("lan", HOST_LAN, 8080), lambda: w.tcp_reach("internet", HOST_UP, 8080))
    contains(w.docker("port", "web"), HOST_LAN + ":8080")
    w.docker("network", "create", *options(BRIDGE + "host_binding_ipv4=::1"), "--ipv6", "net-b")
    w.serve("six", "net-b", 80, "-p", "8081:80")
    w.assert_forbidden(lambda: w.tcp_reach("host", "::1", 8081), lambda: w.tcp_reach("host", "127.0.0.1", 8081))


def test_opt_trusted_host_interfaces(w):
    """From these interfaces published ports are reached at the container's address; the others stay closed."""
    w.docker("network", "create", "--ipv6", *options(BRIDGE + "trusted_host_interfaces=lan0"), "net-a")
    w.serve("web", "net-a", 80, "-p", "127.0.0.1:8080:80", "-p", "[::1]:8080:80")
    servers.Echo(w._bound("c:web", "0.0.0.0", 81))
    servers.Echo(w._bound("c:web", "::", 81))
    for address in (w.address("web"), w.address6("web")):
        w.assert_forbidden(lambda: w.tcp_reach("lan", address, 80), lambda: w.tcp_reach("internet", address, 80), "not trusted")
        w.assert_forbidden(lambda: w.tcp_reach("host", address, 81), lambda: w.tcp_reach("lan", address, 81), "not published")


def test_opt_mtu(w):
    w.docker("network", "create", *options(NET + "driver.mtu=1390"), "net-a")
    sleeper(w, "box", "--network", "net-a")
    equal(link(w, "c:box", "eth0")["mtu"], 1390)
    equal(link(w, "host", w.bridge("net-a"))["mtu"], 1390)
    w.ip("host", "link set up0 mtu 1444")
    try:
        w.docker("network", "create", "net-b")
        sleeper(w, "like-up", "--network", "net-b")
        equal(link(w, "c:like-up", "eth0")["mtu"], 1444, "the uplink's")
    finally:
        w.ip("host", "link set up0 mtu 1500")


def test_opt_container_iface_prefix(w):
    w.docker("network", "create", *options(NET + "container_iface_prefix=lan"), "net-a")
    sleeper(w, "box", "--network", "net-a")
    equal([x for x in w.links("c:box") if x != "lo"], ["lan0"])


def test_opt_host_address(w):
    """host_ipv4, host_ipv6: the source outside."""
    w.docker("network", "create", "--ipv6", *options(NET + "host_ipv4=" + HOST_LAN, NET + "host_ipv6=" + HOST_LAN6), "net-a")
    sleeper(w, "box", "--network", "net-a")
    equal(client_of(w, "http://%s/" % INTERNET, "box"), HOST_LAN)
    equal(client_of(w, "http://[%s]/" % INTERNET6, "box"), HOST_LAN6)


def test_opt_advertise_addr(w):
    """Neighbours are told of a new address, as often as is asked."""
    w.docker("network", "create", "--ipv6", *options(NET + "advertise_addr_nmsgs=3", NET + "advertise_addr_ms=100"),
             "--subnet", "10.83.0.0/24", "--subnet", "2001:db8:c:83::/64", "net-a")
    sleeper(w, "watcher", "--network", "net-a")
    with packets.wire(w, "c:watcher", wait=5) as wire:
        sleeper(w, "box", "--network", "net-a", "--ip", "10.83.0.77", "--ip6", "2001:db8:c:83::77")
        want4, want6, four, six = packets.packed("10.83.0.77"), packets.packed("2001:db8:c:83::77"), 0, 0
        try:
            while four < 3 or six < 3:
                data = wire.recv(4096)
                four += data[12:14] == b"\x08\x06" and data[28:32] == want4 == data[38:42]
                six += data[12:14] == b"\x86\xdd" and data[20] == packets.ICMP6 and data[54] == packets.NEIGHBOUR_ADVERT and data[62:78] == want6
        except socket.timeout:
            raise Failed("%d of 3 ARP and %d of 3 neighbour announcements came" % (four, six)) from None
    for value in ("nmsgs=9", "nmsgs=x", "ms=99", "ms=2001"):
        r = w.api("POST", "/networks/create", {"Name": "x", "Options": {NET + "advertise_addr_" + value.split("=")[0]: value.split("=")[1]}})
        equal(r.status, 400, "%s: %r" % (value, r))


# ---- network connect ----

def two(w, *args):
    """Two networks, a server on the second, a client on the first; the client connected with @args."""
    w.docker("network", "create", "--ipv6", "--subnet", "10.84.0.0/24", "--subnet", "2001:db8:c:84::/64", "net-a")
    w.docker("network", "create", "--ipv6", "--subnet", "10.85.0.0/24", "--subnet", "2001:db8:c:85::/64", "net-b")
    sleeper(w, "client", "--network", "net-a")
    w.serve("server", "net-b")
    w.docker("network", "connect", *args, "net-b", "client")


def test_connect_addresses(w):
    two(w, "--ip", "10.85.0.77", "--ip6", "2001:db8:c:85::77")
    equal(addresses(w, "c:client", "eth1"), ["10.85.0.77/24", "2001:db8:c:85::77/64"])
    check(w.ping("c:server", "10.85.0.77", 5) and w.ping("c:server", "2001:db8:c:85::77", 5))


def test_connect_alias(w):
    two(w, "--alias", "shop", "--alias", "till")
    for name in ("shop", "till"):
        equal(w.resolve("server", name), [w.address("client", "net-b")])


def test_connect_link(w):
    """An alias that the connected container alone knows."""
    two(w, "--link", "server:db")
    sleeper(w, "third", "--network", "net-b")
    w.assert_forbidden(lambda: w.resolve("client", "db") == [w.address("server")], lambda: w.resolve("third", "db"), "a link's alias")


def test_connect_link_local(w):
    two(w, "--link-local-ip", "169.254.8.8", "--link-local-ip", "fe80::8:8")
    found = addresses(w, "c:client", "eth1", ("global", "link"))
    contains(" ".join(found), "169.254.8.8/16")
    contains(" ".join(found), "fe80::8:8/64")
    w.docker("network", "disconnect", "net-b", "server")
    w.docker("network", "connect", "--link-local-ip", "169.254.8.9", "net-b", "server")
    check(w.ping("c:server", "169.254.8.8"), "by packets")


def test_connect_driver_opt(w):
    need(w, (1, 46), "endpoint options of that kind")
    two(w, "--driver-opt", ENDPOINT + "ifname=back0", "--driver-opt",  # the CLI splits at commas that are not quoted
        '"%ssysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.IFNAME.hop_limit=77"' % ENDPOINT)
    equal([x for x in w.links("c:client") if x != "lo"], ["back0", "eth0"])
    equal(w.sysctl("c:client", "net/ipv4/conf/back0/log_martians"), "1")
    equal(w.sysctl("c:client", "net/ipv6/conf/back0/hop_limit"), "77")
    equal(w.sysctl("c:client", "net/ipv6/conf/eth0/hop_limit"), "64", "of the other interface")


def test_connect_gw_priority(w):
    need(w, (1, 48), "--gw-priority")
    two(w, "--gw-priority", "5")
    for six in (False, True):
        equal(default_route(w, "client", six), (subnet(w, "net-b", six)["Gateway"], "eth1"))
    w.docker("network", "disconnect", "net-b", "client")
    for six in (False, True):
        equal(default_route(w, "client", six), (subnet(w, "net-a", six)["Gateway"], "eth0"), "after disconnect")
    w.docker("network", "connect", "--gw-priority", "-5", "net-b", "client")
    equal(default_route(w, "client"), (subnet(w, "net-a")["Gateway"], "eth0"), "a lower one")


def test_connect_to_a_second_network_keeps_the_gateway(w):
    """Without priorities the gateway is predictable: the first by name, as in Docker."""
    w.docker("network", "create", "zoo")
    w.docker("network", "create", "ant")
    w.docker("network", "create", "--internal", "aaa")
    sleeper(w, "box", "--network", "zoo")
    w.docker("network", "connect", "aaa", "box")
    equal(default_route(w, "box")[0], subnet(w, "zoo")["Gateway"], "an internal network has no gateway")
    w.docker("network", "connect", "ant", "box")
    equal(default_route(w, "box")[0], subnet(w, "ant")["Gateway"])
    w.docker("restart", "-t", "0", "box")
    equal(default_route(w, "box")[0], subnet(w, "ant")["Gateway"], "after a restart")


# ---- run ----

def test_run_network_long_form(w):
    need(w, (1, 48), "all keys of --network")
    w.docker("network", "create", "--ipv6", "--subnet", "10.86.0.0/24", "--subnet", "2001:db8:c:86::/64", "net-a")
    w.docker("network", "create", "net-b")
    sleeper(w, "box", "--network", "net-b", "--network",
            "name=net-a,alias=shop,alias=till,ip=10.86.0.50,ip6=2001:db8:c:86::50,mac-address=02:42:0a:56:00:50,link-local-ip=169.254.9.9,"
            "driver-opt=%sifname=front0,gw-priority=7" % ENDPOINT)
    equal(sorted(x for x in w.links("c:box") if x != "lo"), ["eth0", "front0"])
    equal(link(w, "c:box", "front0")["address"], "02:42:0a:56:00:50")
    equal(addresses(w, "c:box", "front0", ("global", "link"))[:3], ["10.86.0.50/24", "169.254.9.9/16", "2001:db8:c:86::50/64"])
    equal(default_route(w, "box"), (subnet(w, "net-a")["Gateway"], "front0"))
    equal(default_route(w, "box", True), (subnet(w, "net-a", True)["Gateway"], "front0"))
    sleeper(w, "asker", "--network", "net-a")
    for name in ("shop", "till", "box"):
        equal(w.resolve("asker", name), ["10.86.0.50"])
    check(w.ping("c:asker", "2001:db8:c:86::50"))


def test_run_networks_in_order(w):
    need(w, (1, 44), "several networks at run")
    for name in ("zoo", "mid", "ant"):
        w.docker("network", "create", name)
    sleeper(w, "box", "--network", "zoo", "--network", "ant", "--network", "mid")
    for name, eth in (("zoo", "eth0"), ("ant", "eth1"), ("mid", "eth2")):
        contains(addresses(w, "c:box", eth)[0], w.address("box", name) + "/")


def test_run_alias_and_addresses(w):
    w.docker("network", "create", "--ipv6", "--subnet", "10.87.0.0/24", "--subnet", "2001:db8:c:87::/64", "net-a")
    sleeper(w, "box", "--network", "net-a", "--network-alias", "shop", "--ip", "10.87.0.9", "--ip6", "2001:db8:c:87::9", "--mac-address",
            "02:42:ac:11:99:99", "--link-local-ip", "169.254.7.7")
    for address in ("10.87.0.9/24", "2001:db8:c:87::9/64", "169.254.7.7/16"):
        contains(" ".join(addresses(w, "c:box", "eth0", ("global", "link"))), address)
    equal(link(w, "c:box", "eth0")["address"], "02:42:ac:11:99:99")
    sleeper(w, "asker", "--network", "net-a")
    equal(w.resolve("asker", "shop"), ["10.87.0.9"])
    equal(w.ask("asker", "shop", servers.AAAA).texts(servers.AAAA), ["2001:db8:c:87::9"])
    check(w.ping("c:asker", "10.87.0.9") and w.ping("c:asker", "2001:db8:c:87::9"))
    w.docker("restart", "-t", "0", "box")
    equal(link(w, "c:box", "eth0")["address"], "02:42:ac:11:99:99", "after a restart")


def test_run_link_on_the_default_bridge(w):
    w.serve("db-box", None, 80, "-e", "TOKEN=1")
    sleeper(w, "app", "--link", "db-box:db")
    address = w.address("db-box", "bridge")
    matches(w.exec("app", "cat", "/etc/hosts").stdout, re.escape(address) + r"\s+db\s.*db-box")
    contains(w.http_get("app", "http://db/"), "db-box")
    sleeper(w, "other")
    check(w.http_get("other", "http://db/") is None, "somebody else's link")
    w.docker("restart", "-t", "0", "db-box")
    w.listening("db-box", 80)
    contains(w.http_get("app", "http://db/"), "db-box")


def test_run_link_on_a_network(w):
    w.docker("network", "create", "net-a")
    w.serve("db-box", "net-a")
    sleeper(w, "app", "--network", "net-a", "--link", "db-box:db")
    contains(w.http_get("app", "http://db/"), "db-box")


def test_run_publish(w):
    w.docker("network", "create", "--ipv6", "net-a")
    w.serve("web", "net-a", 80, "-p", "8080:80", "-p", HOST_LAN + ":8081:80/tcp", "-p", "127.0.0.1:8082:80", "-p", "[%s]:8083:80" % HOST_LAN6,
            "-p", "8084-8086:80-82", "-p", "8087:53/udp")
    w.udp_echo("web", 53)
    w.udp_echo("web", 53, "::")
    for place, address, port, may in (
            ("internet", HOST_UP, 8080, True), ("internet", HOST_UP6, 8080, True), ("host", "127.0.0.1", 8080, True), ("host", "::1", 8080, True),
            ("lan", HOST_LAN, 8081, True), ("internet", HOST_UP, 8081, False), ("host", "127.0.0.1", 8082, True), ("lan", HOST_LAN, 8082, False),
            ("lan", HOST_LAN6, 8083, True), ("internet", HOST_UP6, 8083, False), ("internet", HOST_UP, 8084, True), ("internet", HOST_UP6, 8084, True)):
        equal(w.tcp_reach(place, address, port), may, "%s to %s, %d" % (place, address, port))
    for address in (HOST_UP, HOST_UP6):
        equal(w.udp("internet", address, 8087), b"echo hello")


def test_run_publish_all_and_expose(w):
    w.docker("network", "create", "--ipv6", "net-a")
    w.serve("web", "net-a", 80, "-P", "--expose", "80", "--expose", "9000-9001/udp")
    ports = w.inspect("web")["NetworkSettings"]["Ports"]
    equal(sorted(ports), ["80/tcp", "9000/udp", "9001/udp"])
    for row in ports["80/tcp"]:
        address = HOST_UP6 if ":" in row["HostIp"] else HOST_UP
        check(w.tcp_reach("internet", address, int(row["HostPort"])), "%s", row)
    w.udp_echo("web", 9001)
    four = next(r for r in ports["9001/udp"] if ":" not in r["HostIp"])
    equal(w.udp("internet", HOST_UP, int(four["HostPort"])), b"echo hello")
    w.serve("shy", "net-a", 80, "--expose", "80")
    equal(w.inspect("shy")["NetworkSettings"]["Ports"], {"80/tcp": None})
    w.assert_forbidden(lambda: w.tcp_reach("host", w.address("shy"), 80), lambda: w.tcp_reach("lan", w.address("shy"), 80), "exposed only")


def test_run_dns(w):
    """--dns, --dns-search, --dns-option: who is asked, from where, and what the container's file says."""
    w.ip("internet", "addr add 203.0.113.53/32 dev lo")
    w.ip("host", "route add 203.0.113.53/32 via " + INTERNET)
    try:
        other = servers.Dns(w._bound("internet", "203.0.113.53", 53, socket.SOCK_DGRAM), w._bound("internet", "203.0.113.53", 53),
                            {"box.corp.test": [(servers.A, "198.18.0.9")]})
        w.docker("network", "create", "net-a")
        flags = ("--dns", "203.0.113.53", "--dns-search", "corp.test", "--dns-option", "timeout:1", "--dns-option", "use-vc")
        sleeper(w, "asker", "--network", "net-a", *flags)
        text = w.exec("asker", "cat", "/etc/resolv.conf").stdout
        for line in ("nameserver 127.0.0.11", "search corp.test", "timeout:1", "use-vc"):
            contains(text, line)
        equal(w.resolve("asker", "box.corp.test"), ["198.18.0.9"])
        check(other.asked("box.corp.test") and not w.dns.asked("box.corp.test"), "the named server alone is asked")
        contains(w.exec("asker", "nslookup", "box.corp.test").stdout, "198.18.0.9")
        sleeper(w, "plain", *flags)
        text = w.exec("plain", "cat", "/etc/resolv.conf").stdout
        contains(text, "nameserver 203.0.113.53")
        contains(text, "search corp.test")
        check("127.0.0.11" not in text, "%s", text)
    finally:
        w.ip("host", "route del 203.0.113.53/32")
        w.ip("internet", "addr del 203.0.113.53/32 dev lo")


def test_run_add_host(w):
    w.docker("network", "create", "net-a")
    for net, extra in (("net-a", ["--network", "net-a"]), ("bridge", [])):
        sleeper(w, "box-" + net, *extra, "--add-host", "printer:10.1.2.3", "--add-host", "six:2001:db8::5", "--add-host", "up.host:host-gateway")
        hosts = w.exec("box-" + net, "cat", "/etc/hosts").stdout
        matches(hosts, r"10\.1\.2\.3\s+printer")
        matches(hosts, r"2001:db8::5\s+six")
        address = matches(hosts, r"(\d+\.\d+\.\d+\.\d+)\s+up\.host")[1]
        servers.Echo(w._bound("host", address, 7000))
        equal(w.exec("box-" + net, "nc", "-w", "1", "up.host", "7000", input="").returncode, 0, "the host by that name")


def test_run_hostname_and_domain(w):
    w.docker("network", "create", "net-a")
    sleeper(w, "box", "--network", "net-a", "-h", "boxy", "--domainname", "corp.test")
    equal(w.exec("box", "cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname").stdout.split(), ["boxy", "corp.test"])
    matches(w.exec("box", "cat", "/etc/hosts").stdout, re.escape(w.address("box")) + r"\s+boxy\.corp\.test\s+boxy")
    equal(w.exec("box", "hostname", "-f").stdout.strip(), "boxy.corp.test")
    sleeper(w, "asker", "--network", "net-a")
    equal(w.resolve("asker", "boxy"), [w.address("box")])


def test_run_sysctl(w):
    sleeper(w, "box", "--sysctl", "net.core.somaxconn=77", "--sysctl", "net.ipv4.ip_default_ttl=33")
    equal((w.sysctl("c:box", "net/core/somaxconn"), w.sysctl("c:box", "net/ipv4/ip_default_ttl")), ("77", "33"))
    sleeper(w, "plain")
    check(w.sysctl("c:plain", "net/ipv4/ip_default_ttl") != "33", "of another container")
    w.docker_fails("run", "--rm", "--network", "host", "--sysctl", "net.core.somaxconn=77", IMAGE, "true", says="net.core.somaxconn")


def test_run_sysctl_of_an_interface(w):
    need(w, (1, 46), "endpoint options of that kind")
    w.docker("network", "create", "net-a")
    sleeper(w, "box", "--network", "name=net-a,\"driver-opt=%ssysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.arp_notify=1\"" % ENDPOINT)
    for key in ("log_martians", "arp_notify"):
        equal(w.sysctl("c:box", "net/ipv4/conf/eth0/" + key), "1")


# ---- errors ----

def refuses(w, method, path, body, status, message):
    r = w.api(method, path, body)
    check(r.status in (status if isinstance(status, tuple) else (status,)), "%s %s: %r", path, body, r)
    contains(r.message, message)
    return r.message


def create(**kw):
    return dict({"Name": "x"}, **kw)


def ipam(*rows):
    return {"Config": list(rows)}


def test_errors_create(w):
    before = (w.links(), w.nft())
    for body, status, text in (
            (create(EnableIPv4=False), 400, "IPv4 or IPv6 must be enabled"),
            (create(Options={BRIDGE + "gateway_mode_ipv4": "bogus"}), 400, "unknown gateway mode bogus"),
            (create(Options={BRIDGE + "enable_icc": "bogus"}), 400, "failed to parse com.docker.network.bridge.enable_icc value: bogus"),
            (create(Options={BRIDGE + "enable_ip_masquerade": "7x"}), 400, "failed to parse com.docker.network.bridge.enable_ip_masquerade value: 7x"),
            (create(Options={BRIDGE + "inhibit_ipv4": "maybe"}), 400, "failed to parse com.docker.network.bridge.inhibit_ipv4 value: maybe"),
            (create(Options={BRIDGE + "host_binding_ipv4": "here"}), 400, "host_binding_ipv4"),
            (create(Options={NET + "host_ipv4": "here"}), 400, "host_ipv4"),
            (create(Options={BRIDGE + "name": "a-name-too-long-for-it"}), 400, "a-name-too-long-for-it"),
            (create(EnableIPv6=True, IPAM=ipam({"Subnet": "fd00:1::1/64"})), 400,
             "invalid network config:\ninvalid subnet fd00:1::1/64: it should be fd00:1::/64"),
            (create(EnableIPv6=True, IPAM=ipam({"Subnet": "fd00:1::/64"}, {"Subnet": "fd00:2::/64"})), 403,
             "bridge driver doesn't support multiple subnets"),
            (create(EnableIPv6=True, IPAM=ipam({"Subnet": "fe80::/64"})), (400, 403), "fe80::/64"),
            (create(EnableIPv6=True, IPAM=ipam({"Subnet": "fd00:1::/64", "IPRange": "fd00:2::/80"})), 400,
             "invalid ip-range fd00:2::/80: parent subnet fd00:1::/64 doesn't contain ip-range"),
            (create(EnableIPv6=True, IPAM=ipam({"Subnet": "fd00:1::/64", "Gateway": "fd00:2::1"})), 400,
             "invalid gateway fd00:2::1: parent subnet fd00:1::/64 doesn't contain this address"),
            (create(EnableIPv6=True, IPAM=ipam({"Subnet": "fd00:1::/64", "AuxiliaryAddresses": {"p": "fd00:2::1"}})), 400,
             "invalid auxiliary address p: ")):
        refuses(w, "POST", "/networks/create", body, status, text)
    equal([n["Name"] for n in w.get("/networks") if n["Name"] == "x"], [])
    equal((w.links(), w.nft()), before, "what a refused network leaves")
    w.docker("network", "create", "--ipv6", "--subnet", "fd00:5::/64", "taken")
    refuses(w, "POST", "/networks/create", create(EnableIPv6=True, IPAM=ipam({"Subnet": "fd00:5::/80"})), 403,
            "invalid pool request: Pool overlaps with other one on this address space")


def test_error_ambiguous(w):
    """By pigeonhole two of seventeen ids begin with the same digit."""
    heads = {}
    for i in range(17):
        nid = w.api("POST", "/networks/create", {"Name": "many%d" % i}).json["Id"]
        heads.setdefault(nid[0], []).append(nid)
    known = [n["Id"] for n in w.get("/networks")]
    head = next(h for h in heads if len(heads[h]) > 1)
    n = sum(1 for i in known if i.startswith(head))
    refuses(w, "GET", "/networks/" + head, None, 400, "network %s is ambiguous (%d matches found based on ID prefix)" % (head, n))


def test_errors_connect(w):
    w.docker("network", "create", "--ipv6", "--subnet", "10.88.0.0/24", "--subnet", "fd00:6::/64", "net-a")
    w.docker("network", "create", "net-b")
    sleeper(w, "one-box", "--network", "net-a", "--ip6", "fd00:6::9")
    sleeper(w, "two-box", "--network", "net-b")
    connect = "/networks/net-a/connect"
    for config, status, text in (
            ({"IPAMConfig": {"IPv6Address": "fd00:7::1"}}, 400, "no configured subnet contains IP address fd00:7::1"),
            ({"IPAMConfig": {"IPv6Address": "fd00:6::9"}}, 403, "Address already in use"),
            ({"IPAMConfig": {"IPv6Address": "10.88.0.9"}}, 400, "10.88.0.9"),
            ({"IPAMConfig": {"IPv4Address": "fd00:6::10"}}, 400, "fd00:6::10"),
            ({"IPAMConfig": {"LinkLocalIPs": ["nonsense"]}}, 400, "nonsense"),
            ({"MacAddress": "zz:zz"}, 400, "zz:zz"),
            ({"DriverOpts": {ENDPOINT + "sysctls": "net.ipv4.conf.eth0.log_martians=1"}}, 400,
             "unrecognised network interface sysctl 'net.ipv4.conf.eth0.log_martians=1'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', "
             "'X' must be 'ipv4', 'ipv6' or 'mpls'")):
        refuses(w, "POST", connect, {"Container": "two-box", "EndpointConfig": config}, status, text)
    equal(sorted(w.inspect("two-box")["NetworkSettings"]["Networks"]), ["net-b"])
    equal([x for x in w.links("c:two-box") if x != "lo"], ["eth0"])
    r = w.api("POST", connect, {"Container": "two-box", "EndpointConfig": {"DriverOpts": {ENDPOINT + "ifname": "eth0"}}})
    check(r.status >= 400, "an interface name that is taken: %r", r)
    equal([x for x in w.links("c:two-box") if x != "lo"], ["eth0"])


def test_connect_twice_when_stopped(w):
    """A stopped container's second connect is taken, and changes nothing."""
    w.docker("network", "create", "net-a")
    w.docker("create", "--name", "rest", "--network", "net-a", IMAGE, "sleep", "600")
    equal(w.api("POST", "/networks/net-a/connect", {"Container": "rest"}).status, 200)
    equal(sorted(w.inspect("rest")["NetworkSettings"]["Networks"]), ["net-a"])
    w.docker("start", "rest")


def test_start_on_a_missing_network(w):
    w.docker("network", "create", "gone-net")
    w.docker("create", "--name", "late", "--network", "gone-net", IMAGE, "sleep", "600")
    w.docker("network", "rm", "gone-net")
    r = w.api("POST", "/containers/late/start")
    equal(r.status, 404)
    matches(r.message, "failed to set up container networking: network (gone-net|[0-9a-f]{64}) not found")


def test_internal_gateway(w):
    """`no gateway can be set on an internal bridge network`: the gateway that a container would get."""
    r = w.api("POST", "/networks/create", create(Internal=True, IPAM=ipam({"Subnet": "10.89.0.0/24", "Gateway": "10.89.0.9"})))
    if r.status == 201:  # as Docker: the bridge's own address, and nobody's route
        sleeper(w, "box", "--network", "x")
        equal(default_route(w, "box"), None)
        equal(addresses(w, "host", w.bridge("x")), ["10.89.0.9/24"])
    else:
        contains(r.message, "no gateway can be set on an internal bridge network")


def test_remove_force(w):
    """network rm -f passes over what is not there."""
    r = w.docker_try("network", "rm", "-f", "not-there")
    if "unknown shorthand flag" in r.stderr:
        raise Skip("this docker CLI has no network rm -f")
    equal(r.returncode, 0, r.stderr)


if __name__ == "__main__":
    main(globals())
