#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks: create with every option, list and filters, inspect, remove, prune, connect and disconnect
of running and stopped containers; what the kernel then has."""
import ipaddress
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403



def network_names(w, **filters):
    query = "" if not filters else "?filters=" + json.dumps({k: v for k, v in filters.items()}).replace(" ", "")
    return sorted(n["Name"] for n in w.get("/networks" + query))


def bridge_of(w, network):
    n = w.network(network)
    return n["Options"].get("com.docker.network.bridge.name") or "br-" + n["Id"][:12]


def test_predefined(w):
    for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
        n = w.network(name)
        equal((n["Driver"], n["Scope"], n["Internal"]), (driver, "local", False), name)
    n = w.network("bridge")
    equal(n["Options"]["com.docker.network.bridge.default_bridge"], "true")
    equal(len(n["IPAM"]["Config"]), 1)


def test_create_and_inspect(w):
    nid = w.docker("network", "create", "plain")
    matches(nid, "^[0-9a-f]{64}$")
    n = w.network("plain")
    equal(n["Id"], nid)
    equal((n["Driver"], n["Internal"], n["Attachable"], n["EnableIPv6"], n["Containers"]), ("bridge", False, False, False, {}))
    config = n["IPAM"]["Config"][0]
    check(ipaddress.ip_address(config["Gateway"]) in ipaddress.ip_network(config["Subnet"]), "%s", config)
    contains(w.links(), bridge_of(w, "plain"))
    for ref in (nid, nid[:12], "plain"):
        equal(w.network(ref)["Id"], nid, ref)
    w.docker("network", "rm", "plain")
    equal(w.api("GET", "/networks/plain").status, 404)
    check(bridge_of_gone(w, nid), "the bridge is still there")


def bridge_of_gone(w, nid):
    return "br-" + nid[:12] not in w.links()


def test_options(w):
    w.docker("network", "create", "--subnet", "10.77.0.0/16", "--ip-range", "10.77.5.0/24", "--gateway", "10.77.0.9",
             "--aux-address", "printer=10.77.5.1", "--label", "a=b", "--label", "flag",
             "-o", "com.docker.network.bridge.name=br-named", "-o", "com.docker.network.driver.mtu=1400", "opts")
    n = w.network("opts")
    equal(n["IPAM"]["Config"], [{"Subnet": "10.77.0.0/16", "IPRange": "10.77.5.0/24", "Gateway": "10.77.0.9",
                                 "AuxiliaryAddresses": {"printer": "10.77.5.1"}}])
    equal(n["Labels"], {"a": "b", "flag": ""})
    contains(w.links(), "br-named")
    w.docker("run", "-d", "--name", "first", "--network", "opts", IMAGE, "sleep", "600")
    address = ipaddress.ip_address(w.address("first"))
    check(address in ipaddress.ip_network("10.77.5.0/24"), "%s is not in the range", address)
    check(str(address) != "10.77.5.1", "the reserved address was given away")
    contains(w.exec("first", "ip", "link", "show", "eth0").stdout, "mtu 1400")
    contains(w.exec("first", "ip", "route").stdout, "default via 10.77.0.9")
    w.docker("run", "-d", "--name", "fixed", "--network", "opts", "--ip", "10.77.9.9", IMAGE, "sleep", "600")
    equal(w.address("fixed"), "10.77.9.9")
    check(w.ping("first", "10.77.9.9"), "neighbours do not reach each other")
    mac = w.inspect("fixed")["NetworkSettings"]["Networks"]["opts"]["MacAddress"]
    contains(w.exec("fixed", "ip", "link", "show", "eth0").stdout, mac)


def test_list_filters(w):
    w.docker("network", "create", "--label", "team=red", "red-net")
    w.docker("network", "create", "--label", "team=blue", "blue-net")
    equal(network_names(w, label={"team": True}), ["blue-net", "red-net"])
    equal(network_names(w, label=["team=red"]), ["red-net"])
    equal(network_names(w, name={"e-net": True}), ["blue-net"])
    equal(network_names(w, driver=["null"]), ["none"])
    equal(network_names(w, type=["builtin"]), ["bridge", "host", "none"])
    equal(network_names(w, type=["custom"]), ["blue-net", "red-net"])
    nid = w.network("red-net")["Id"]
    equal(network_names(w, id=[nid[:8]]), ["red-net"])
    equal(network_names(w, dangling=["true"]), ["blue-net", "red-net"])
    equal(network_names(w, scope=["swarm"]), [])


def test_connect_running(w):
    w.docker("network", "create", "left")
    w.docker("network", "create", "right")
    w.serve("server", "left")
    w.docker("run", "-d", "--name", "client", "--network", "right", IMAGE, "sleep", "600")
    w.assert_forbidden(lambda: w.tcp_reach("server", "127.0.0.1", 80), lambda: w.http_get("client", "http://server/"))
    w.docker("network", "connect", "--alias", "www", "left", "client")
    contains(w.http_get("client", "http://server/"), "server")
    equal(w.resolve("server", "www"), [w.address("client", "left")])
    equal(sorted(x for x in w.exec("client", "ls", "/sys/class/net").stdout.split() if x.startswith("eth")), ["eth0", "eth1"])
    n = w.network("left")
    equal(sorted(c["Name"] for c in n["Containers"].values()), ["client", "server"])
    for c in n["Containers"].values():
        matches(c["IPv4Address"], r"^\d+\.\d+\.\d+\.\d+/\d+$")
    w.docker("network", "disconnect", "left", "client")
    equal([x for x in w.exec("client", "ls", "/sys/class/net").stdout.split() if x.startswith("eth")], ["eth0"])
    check(w.http_get("client", "http://server/") is None, "reached after disconnect")
    equal(w.resolve("server", "www"), [])


def test_connect_stopped(w):
    w.docker("network", "create", "one")
    w.docker("network", "create", "two")
    w.docker("create", "--name", "rest", "--network", "one", IMAGE, "sleep", "600")
    w.docker("network", "connect", "two", "rest")
    equal(sorted(w.inspect("rest")["NetworkSettings"]["Networks"]), ["one", "two"])
    w.docker("network", "disconnect", "one", "rest")
    w.docker("start", "rest")
    equal(sorted(w.inspect("rest")["NetworkSettings"]["Networks"]), ["two"])
    check(w.address("rest"))


def test_modes(w):
    out = w.docker("run", "--rm", "--network", "none", IMAGE, "ls", "/sys/class/net")
    equal(out.split(), ["lo"])
    with w.at("host"):
        host = os.readlink("/proc/thread-self/ns/net")
    equal(w.docker("run", "--rm", "--network", "host", IMAGE, "readlink", "/proc/self/ns/net"), host)
    w.docker("network", "create", "shared")
    w.serve("owner", "shared", 8080)
    out = w.docker("run", "--rm", "--network", "container:owner", IMAGE, "timeout", "2", "wget", "-qO-", "http://127.0.0.1:8080/")
    equal(out, "owner")


def test_default_bridge(w):
    w.serve("one-db", None)
    w.docker("run", "-d", "--name", "two-db", IMAGE, "sleep", "600")
    contains(w.http_get("two-db", "http://%s/" % w.address("one-db", "bridge")), "one-db")
    check(w.http_get("two-db", "http://one-db/") is None, "names work on the default bridge")
    contains(w.http_get("two-db", "http://example.test/"), "client " + HOST_UP)
    contains(w.exec("two-db", "cat", "/etc/resolv.conf").stdout, "nameserver " + INTERNET)


def test_remove_in_use(w):
    w.docker("network", "create", "busy")
    w.docker("run", "-d", "--name", "user1", "--network", "busy", IMAGE, "sleep", "600")
    w.docker_fails("network", "rm", "busy", says="has active endpoints")
    check(w.address("user1"), "the failed removal changed something")
    w.docker("rm", "-f", "user1")
    w.docker("network", "rm", "busy")


def test_prune(w):
    w.docker("network", "create", "--label", "keep", "kept")
    w.docker("network", "create", "gone")
    w.docker("network", "create", "used")
    w.docker("run", "-d", "--name", "holder", "--network", "used", IMAGE, "sleep", "600")
    r = w.api("POST", "/networks/prune?filters=" + json.dumps({"label!": ["keep"]}).replace(" ", ""))
    equal((r.status, r.json), (200, {"NetworksDeleted": ["gone"]}))
    equal(network_names(w, type=["custom"]), ["kept", "used"])


def test_addresses_do_not_collide(w):
    """Many networks: no overlap with one another or with what the host routes."""
    nets = []
    for i in range(40):
        w.api("POST", "/networks/create", {"Name": "many-%02d" % i})
        nets.append(ipaddress.ip_network(w.network("many-%02d" % i)["IPAM"]["Config"][0]["Subnet"]))
    foreign = [ipaddress.ip_network(x) for x in ("203.0.113.0/24", "198.51.100.0/24")]
    for i, a in enumerate(nets):
        check(not any(a.overlaps(b) for b in nets[i + 1:] + foreign), "%s overlaps", a)
    check(nets[0].prefixlen == 16 and nets[-1].prefixlen == 24, "%s ... %s", nets[0], nets[-1])


def test_pool_avoids_routes(w):
    first = w.docker("network", "create", "probe-net")
    subnet = w.network(first)["IPAM"]["Config"][0]["Subnet"]
    w.docker("network", "rm", "probe-net")
    w.ip("host", "route add %s via %s table 77" % (subnet, INTERNET))
    try:
        w.docker("network", "create", "other-net")
        got = w.network("other-net")["IPAM"]["Config"][0]["Subnet"]
        check(not ipaddress.ip_network(got).overlaps(ipaddress.ip_network(subnet)), "%s is routed in table 77", got)
    finally:
        w.ip("host", "route del %s table 77" % subnet)


def test_pools_used_up(w):
    """--default-address-pool says where subnets come from; when all are taken, the next network says so."""
    w.stop()
    w.start("--default-address-pool", "base=10.99.0.0/23,size=24")
    try:
        for name in ("first", "second"):
            w.docker("network", "create", name)
        equal(sorted(w.network(n)["IPAM"]["Config"][0]["Subnet"] for n in ("first", "second")), ["10.99.0.0/24", "10.99.1.0/24"])
        r = w.api("POST", "/networks/create", {"Name": "third"})
        equal((r.status, r.message), (400, "all predefined address pools have been fully subnetted"))
        w.docker("network", "rm", "second")
        w.docker("network", "create", "third")
        w.docker("network", "rm", "first", "third")
    finally:
        w.restart()


def test_address_reuse(w):
    """A replaced container takes over its address at once: no neighbour waits for an old MAC."""
    w.docker("network", "create", "--subnet", "10.78.0.0/24", "quick")
    w.docker("run", "-d", "--name", "watcher", "--network", "quick", IMAGE, "sleep", "600")
    for i in range(3):
        w.serve("box%d" % i, "quick", 80, "--ip", "10.78.0.50")
        contains(w.http_get("watcher", "http://10.78.0.50/", wait=1), "box%d" % i)
        w.docker("rm", "-f", "box%d" % i)


def test_no_router_of_containers(w):
    """A container on two networks does not route between them."""
    for name in ("net-a", "net-b"):
        w.docker("network", "create", name)
    w.docker("run", "-d", "--name", "middle", "--network", "net-a", IMAGE, "sleep", "600")
    w.docker("network", "connect", "net-b", "middle")
    w.serve("target", "net-b", 80)
    w.docker("run", "-d", "--name", "source", "--network", "net-a", "--cap-add", "NET_ADMIN", IMAGE, "sleep", "600")
    target = w.address("target")
    equal(w.exec("source", "ip", "route", "add", target + "/32", "via", w.address("middle", "net-a")).returncode, 0)
    w.assert_forbidden(lambda: w.tcp_reach("middle", target, 80), lambda: w.tcp_reach("source", target, 80),
                       "routed by a container on both networks")


if __name__ == "__main__":
    main(globals())
