#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's flags about networks, each by what the kernel has then."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


@contextlib.contextmanager
def started(w, *flags):
    """The engine with these flags, and after it as it was."""
    equal(w.stop(), 0, "exit code of the engine")
    w.start(*flags)
    try:
        yield
    finally:
        w.reset()
        w.restart()


def box(w, name="box", *args):
    return w.docker("run", "-d", "--name", name, *args, IMAGE, "sleep", "600")


def addresses(w, place, link, six=False):
    rows = next(x for x in w.ip_json(place, "-6" if six else "-4", "addr", "show") if x.get("ifname") == link)
    return ["%s/%d" % (a["local"], a["prefixlen"]) for a in rows["addr_info"] if a["scope"] == "global"]


def default_route(w, name, six=False):
    rows = [r for r in w.ip_json("c:" + name, "-6" if six else "-4", "route", "show") if r.get("dst") == "default"]
    return [r.get("gateway") for r in rows]


def bridge0(w):
    return w.bridge("bridge")


def test_bip(w):
    with started(w, "--bip=10.91.0.5/24"):
        equal(addresses(w, "host", bridge0(w)), ["10.91.0.5/24"])
        box(w)
        equal(default_route(w, "box"), ["10.91.0.5"])
        check(addresses(w, "c:box", "eth0")[0].startswith("10.91.0."), "%s", addresses(w, "c:box", "eth0"))


def test_fixed_cidr_and_default_gateway(w):
    with started(w, "--bip=10.92.0.1/16", "--fixed-cidr=10.92.7.0/24", "--default-gateway=10.92.7.9"):
        box(w)
        check(addresses(w, "c:box", "eth0")[0].startswith("10.92.7."), "%s", addresses(w, "c:box", "eth0"))
        equal(default_route(w, "box"), ["10.92.7.9"])
        ips = set()
        for i in range(9):
            box(w, "more%d" % i)
            ips.add(w.address("more%d" % i, "bridge"))
        check("10.92.7.9" not in ips and len(ips) == 9, "the router's address is nobody else's: %s", ips)


def test_ipv6_of_the_default_bridge(w):
    with started(w, "--ipv6", "--bip6=2001:db8:c::1/64", "--fixed-cidr-v6=2001:db8:c::40/122"):
        equal(addresses(w, "host", bridge0(w), True), ["2001:db8:c::1/64"])
        before = addresses(w, "host", bridge0(w))
        box(w)
        equal(default_route(w, "box", True), ["2001:db8:c::1"])
        matches(addresses(w, "c:box", "eth0", True)[0], r"^2001:db8:c::[4-7][0-9a-f]/64$")
        check(w.ping("c:box", INTERNET6), "the way out")
        w.kill9()
        w.start("--ipv6", "--bip6=2001:db8:c::1/64", "--fixed-cidr-v6=2001:db8:c::40/122")
        equal(addresses(w, "host", bridge0(w)), before, "IPv4 stays as it was")
        check(w.ping("c:box", INTERNET6) and w.ping("c:box", INTERNET), "after kill -9")


def test_ipv6_without_a_subnet(w):
    with started(w, "--ipv6"):
        box(w)
        check(addresses(w, "c:box", "eth0", True)[0].startswith("fd"), "%s", addresses(w, "c:box", "eth0", True))


def test_default_network_opts(w):
    with started(w, "--default-network-opt=bridge=com.docker.network.driver.mtu=1333",
                 "--default-network-opt=bridge=com.docker.network.enable_ipv6=true"):
        w.docker("network", "create", "net-a")
        box(w, "box", "--network", "net-a")
        equal(w.ip_json("c:box", "link", "show", "dev", "eth0")[0]["mtu"], 1333)
        check(addresses(w, "c:box", "eth0", True), "IPv6 by default")
        w.docker("network", "create", "-o", "com.docker.network.driver.mtu=1444", "net-b")
        box(w, "own", "--network", "net-b")
        equal(w.ip_json("c:own", "link", "show", "dev", "eth0")[0]["mtu"], 1444, "what is asked for goes before")


def test_default_address_pools(w):
    with started(w, "--default-address-pool=base=10.93.0.0/16,size=26", "--default-address-pool=base=2001:db8:d::/48,size=72"):
        for i in range(2):
            w.docker("network", "create", "--ipv6", "net-%d" % i)
            equal([c["Subnet"] for c in w.network("net-%d" % i)["IPAM"]["Config"]],
                  (["10.93.0.0/26", "2001:db8:d::/72"], ["10.93.0.64/26", "2001:db8:d:0:100::/72"])[i])


def test_host_gateway_ip(w):
    with started(w, "--host-gateway-ip=198.51.100.77", "--host-gateway-ip=2001:db8:2::77"):
        w.docker("network", "create", "--ipv6", "net-a")
        box(w, "box", "--network", "net-a", "--add-host", "hub:host-gateway")
        hosts = w.exec("box", "cat", "/etc/hosts").stdout
        matches(hosts, r"198\.51\.100\.77\s+hub\n")
        matches(hosts, r"2001:db8:2::77\s+hub\n")


def test_ip(w):
    with started(w, "--ip=" + HOST_LAN):
        w.serve("web", None, 80, "-p", "8080:80")
        w.assert_forbidden(lambda: w.tcp_reach("lan", HOST_LAN, 8080), lambda: w.tcp_reach("internet", HOST_UP, 8080))


def test_mtu(w):
    with started(w, "--mtu=1350"):
        box(w)
        equal(w.ip_json("c:box", "link", "show", "dev", "eth0")[0]["mtu"], 1350)


def test_icc_and_masquerade(w):
    with started(w, "--icc=false", "--ip-masq=false"):
        w.serve("web", None, 80)
        box(w)
        address = w.address("web", "bridge")
        w.assert_forbidden(lambda: w.tcp_reach("host", address, 80), lambda: w.tcp_reach("c:box", address, 80), "icc off")
        got = w.http_get("box", "http://%s/" % INTERNET)
        contains(got, "client " + w.address("box", "bridge"))


def test_bad_values(w):
    equal(w.stop(), 0)
    try:
        for flag, text in (("--bip=10.0.0.0/24", "10.0.0.0/24 is no bridge address"), ("--bip6=10.0.0.1/24", "invalid CIDR address"),
                           ("--fixed-cidr=x", "invalid CIDR address: x"), ("--default-gateway=x", "x is not an ip address"),
                           ("--default-network-opt=bridge", "must be a driver=key=value"), ("--firewall=shut", "must be open, respect or none"),
                           ("--default-address-pool=base=2001:db8::/48,size=40", "size is a prefix length"),
                           ("--host-gateway-ip=x", "x is not an ip address")):
            since = w.log_size()
            with w.at("host"):
                r = run(w.build + "/src/bin/atolld", "--data-root", w.data, "--exec-root", w.exec_root, flag, env=w.env)
            check(r.returncode != 0, "%s is taken", flag)
            contains(r.stdout + r.stderr + w.log_tail(since=since), text)
    finally:
        w.start()


if __name__ == "__main__":
    main(globals())
