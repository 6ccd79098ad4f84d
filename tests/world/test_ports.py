#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Published ports, tried from the internet, the LAN, the host and containers."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def url(address, port):
    return "http://%s:%d/" % (address, port)


def published(w, name, port="80/tcp"):
    return [(b["HostIp"], int(b["HostPort"])) for b in w.inspect(name)["NetworkSettings"]["Ports"][port] or []]


def test_everywhere(w):
    w.docker("network", "create", "pub")
    w.serve("web", "pub", 80, "-p", "8080:80")
    for place, address in (("internet", HOST_UP), ("lan", HOST_LAN), ("lan", HOST_UP), ("host", "127.0.0.1"),
                           ("host", HOST_UP), ("host", HOST_LAN)):
        contains(w.http_get(place, url(address, 8080)), "web")
    w.docker("network", "create", "else")
    for net in ("pub", "else"):  # hairpin, and from a container of another network, by the host's address
        w.docker("run", "-d", "--name", "client-" + net, "--network", net, IMAGE, "sleep", "600")
        contains(w.http_get("client-" + net, url(HOST_UP, 8080)), "web")
    contains(w.http_get("web", url(HOST_UP, 8080)), "web")
    ports = w.get("/containers/json?filters={%22name%22:[%22web%22]}")[0]["Ports"]
    check({"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"} in ports, "%s", ports)
    contains(w.docker("port", "web"), "80/tcp -> 0.0.0.0:8080")


def test_direct_routing_is_closed(w):
    w.docker("network", "create", "closed")
    w.serve("web", "closed", 80, "-p", "8080:80")
    w.docker("run", "-d", "--name", "near", "--network", "closed", IMAGE, "sleep", "600")
    ip = w.address("web")
    for place in ("internet", "lan"):
        w.assert_forbidden(lambda: w.tcp_reach("near", ip, 80), lambda: w.tcp_reach(place, ip, 80), "%s, direct" % place)
        w.assert_forbidden(lambda: w.ping("near", ip), lambda: w.ping(place, ip), "%s, ping" % place)
    check(w.tcp_reach("host", ip, 80), "the host reaches its own containers")


def test_loopback_only(w):
    w.docker("network", "create", "local")
    w.serve("web", "local", 80, "-p", "127.0.0.1:8081:80")
    for place, address in (("internet", HOST_UP), ("lan", HOST_LAN)):
        w.assert_forbidden(lambda: w.tcp_reach("host", "127.0.0.1", 8081), lambda: w.tcp_reach(place, address, 8081),
                           "%s to a port on loopback" % place)
    # a neighbour sends to 127.0.0.1 over the wire (route_localnet is on at our bridges, not at his)
    w.ip("lan", "route add 127.0.0.0/8 via %s table 66" % HOST_LAN)
    with w.at("lan"):
        with open("/proc/sys/net/ipv4/conf/eth0/route_localnet", "w") as f:
            f.write("1")
    w.ip("lan", "rule add to 127.0.0.0/8 table 66 pref 0", "rule add table local pref 1", "rule del table local pref 0")
    try:
        check(not w.tcp_reach("lan", "127.0.0.1", 8081), "the LAN reaches a port on 127.0.0.1")
    finally:
        w.ip("lan", "rule add table local pref 0", "rule del to 127.0.0.0/8 table 66 pref 0", "rule del table local pref 1",
             "route del 127.0.0.0/8 table 66")


def test_one_address(w):
    w.docker("network", "create", "one-addr")
    w.serve("web", "one-addr", 80, "-p", "%s:8082:80" % HOST_LAN)
    w.assert_forbidden(lambda: w.http_get("lan", url(HOST_LAN, 8082)), lambda: w.tcp_reach("internet", HOST_UP, 8082))


def test_client_address_is_kept(w):
    w.docker("network", "create", "seen")
    w.docker("run", "-d", "--name", "echo", "--network", "seen", "-p", "9001:9001", IMAGE, "sleep", "600")
    echo = servers.Echo(w._bound("c:echo", "0.0.0.0", 9001))
    check(w.tcp_reach("internet", HOST_UP, 9001))
    until(lambda: echo.clients, "the connection")
    equal(echo.clients, [INTERNET])


def test_udp(w):
    w.docker("network", "create", "udp-net")
    w.docker("run", "-d", "--name", "echo", "--network", "udp-net", "-p", "5300:53/udp", "-p", "5300:53/tcp", IMAGE, "sleep", "600")
    w.udp_echo("echo", 53)
    for place, address in (("internet", HOST_UP), ("lan", HOST_LAN), ("host", "127.0.0.1")):
        equal(w.udp(place, address, 5300), b"echo hello", place)
    w.assert_forbidden(lambda: w.udp("internet", HOST_UP, 5300), lambda: w.udp("internet", w.address("echo"), 53))


def test_ephemeral_and_all(w):
    w.load({"exposed:latest": [80, 81]})
    w.docker("network", "create", "eph")
    w.docker("run", "-d", "--name", "some", "--network", "eph", "-p", "80", "exposed:latest")
    w.docker("run", "-d", "--name", "every", "--network", "eph", "-P", "exposed:latest")
    w.listening("some", 80)
    w.listening("every", 81)
    address, port = published(w, "some")[0]
    equal(address, "0.0.0.0")
    check(port >= 32768, "%d", port)
    contains(w.http_get("internet", url(HOST_UP, port)), "exposed")
    for inner in ("80/tcp", "81/tcp"):
        port = published(w, "every", inner)[0][1]
        contains(w.http_get("internet", url(HOST_UP, port)), "exposed")


def test_ranges(w):
    w.docker("network", "create", "range")
    w.docker("run", "-d", "--name", "echo", "--network", "range", "-p", "7000-7004:6000-6004", IMAGE, "sleep", "600")
    servers.Echo(w._bound("c:echo", "0.0.0.0", 6003))
    check(w.tcp_reach("internet", HOST_UP, 7003), "in the range")
    w.docker("run", "-d", "--name", "pick", "--network", "range", "-p", "7000-7009:6000", IMAGE, "sleep", "600")
    port = published(w, "pick", "6000/tcp")[0][1]
    check(7005 <= port <= 7009, "%d of the free ones", port)


def test_a_long_range_is_one_element(w):
    """The client writes it out; here it is one again, without a descriptor a port."""
    w.docker("network", "create", "--ipv6", "long")
    before = len(os.listdir("/proc/%d/fd" % w.engine.pid))
    w.docker("run", "-d", "--name", "wide", "--network", "long", "-p", "20000-23999:20000-23999", IMAGE, "sleep", "600")
    for family, target in (("4", w.address("wide")), ("6", w.address6("wide"))):
        contains(w.sh("nft list map inet atoll range" + family), "tcp . 20000-23999 : " + target)
    check(len(os.listdir("/proc/%d/fd" % w.engine.pid)) < before + 100, "descriptors")
    servers.Echo(w._bound("c:wide", "0.0.0.0", 23999))
    servers.Echo(w._bound("c:wide", "::", 23999))
    check(w.tcp_reach("internet", HOST_UP, 23999) and w.tcp_reach("internet", HOST_UP6, 23999), "its last port")
    equal(len(w.inspect("wide")["NetworkSettings"]["Ports"]), 4000)
    text = w.docker_fails("run", "-d", "--name", "late", "--network", "long", "-p", "23999:80", IMAGE, "true", code=125)
    contains(text, "port is already allocated (by container wide)")
    w.kill9()
    w.start()
    check(w.tcp_reach("internet", HOST_UP6, 23999), "after kill -9")



def test_clash_names_the_holder(w):
    w.docker("network", "create", "clash")
    w.serve("first", "clash", 80, "-p", "8090:80")
    text = w.docker_fails("run", "-d", "--name", "second", "--network", "clash", "-p", "8090:80", IMAGE, "sleep", "600", code=125)
    contains(text, "Bind for 0.0.0.0:8090 failed: port is already allocated")
    equal(w.inspect("second")["State"]["Status"], "created")
    contains(w.http_get("internet", url(HOST_UP, 8090)), "first")
    w.docker("rm", "-f", "first")
    w.docker("start", "second")
    equal(published(w, "second"), [("0.0.0.0", 8090), ("::", 8090)])


def test_clash_with_a_program_of_the_host(w):
    held = w._bound("host", "0.0.0.0", 8091)
    held.listen()
    with held:
        text = w.docker_fails("run", "-d", "--name", "late", "-p", "8091:80", IMAGE, "sleep", "600", code=125)
        contains(text, "address already in use")
    w.docker("start", "late")


def test_the_host_cannot_take_a_published_port(w):
    w.serve("web", None, 80, "-p", "8092:80")
    try:
        w._bound("host", "0.0.0.0", 8092).listen()
    except OSError:
        return
    raise Failed("a program of the host took a published port")


def test_stop_closes_start_opens(w):
    w.docker("network", "create", "cycle")
    w.serve("web", "cycle", 80, "-p", "8093:80")
    for _ in range(2):
        check(w.http_get("internet", url(HOST_UP, 8093)))
        w.docker("stop", "-t", "0", "web")
        check(not w.tcp_reach("internet", HOST_UP, 8093), "open while stopped")
        w.docker("start", "web")
        w.listening("web", 80)


def test_established_flows_end(w):
    """Unpublishing flushes what conntrack knew."""
    w.docker("network", "create", "flows")
    w.docker("run", "-d", "--name", "echo", "--network", "flows", "-p", "5301:5301/udp", IMAGE, "sleep", "600")
    w.udp_echo("echo", 5301)
    with w.at("internet"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.settimeout(1)
        s.connect((HOST_UP, 5301))
        s.send(b"1")
        equal(s.recv(100), b"echo 1")
        w.docker("rm", "-f", "echo")
        w.docker("run", "-d", "--name", "echo", "--network", "flows", IMAGE, "sleep", "600")
        w.udp_echo("echo", 5301)
        try:
            s.send(b"2")
            got = s.recv(100)
        except OSError:
            got = None
        equal(got, None, "an old flow still reaches the address")


def test_many_ports(w):
    began = time.monotonic()
    w.docker("run", "-d", "--name", "many", "-p", "20000-20299:3000-3299", IMAGE, "sleep", "600")
    took = time.monotonic() - began
    servers.Echo(w._bound("c:many", "0.0.0.0", 3299))
    check(w.tcp_reach("internet", HOST_UP, 20299), "the last one")
    check(took < 3 * (5 if w.sanitized() else 1), "300 ports took %.1f s", took)


def test_spoofed_source(w):
    """A container's packets with a foreign source are dropped."""
    w.docker("network", "create", "spoof")
    w.docker("run", "-d", "--name", "liar", "--network", "spoof", IMAGE, "sleep", "600")
    with w.at("internet"):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    raw.settimeout(0.7)

    def send(source):
        packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(INTERNET))
        packet += struct.pack("!4H", 4444, 4445, 12, 0) + b"lies"
        with w.at("c:liar"):
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        with s:
            s.sendto(packet, (INTERNET, 0))
        try:
            while True:
                if raw.recv(2048).endswith(b"lies"):
                    return True
        except OSError:
            return False
    w.assert_forbidden(lambda: send(w.address("liar")), lambda: send("172.17.200.200"), "a foreign source")
    w.assert_forbidden(lambda: send(w.address("liar")), lambda: send("127.0.0.1"), "a loopback source")


@timeout(120)
def test_thousands(w):
    """Of one container as of several: the engine has thousands of descriptors then."""
    w.docker("network", "create", "--ipv6", "many")
    for k in range(3):
        bindings = {"%d/tcp" % (1000 + i): [{"HostPort": str(10000 + 1000 * k + i)}] for i in range(1000)}
        r = w.api("POST", "/containers/create?name=many%d" % k, {"Image": IMAGE, "Cmd": ["sleep", "600"],
                                                                  "HostConfig": {"NetworkMode": "many", "PortBindings": bindings}})
        equal(r.status, 201, r.text)
        equal(w.api("POST", "/containers/many%d/start" % k).status, 204)
        servers.Echo(w._bound("c:many%d" % k, "0.0.0.0", 1999))
        servers.Echo(w._bound("c:many%d" % k, "::", 1999))
    for k in range(3):
        for place, address in (("internet", HOST_UP), ("internet", HOST_UP6), ("host", "127.0.0.1"), ("host", "::1")):
            check(w.tcp_reach(place, address, 10999 + 1000 * k), "%s to %s, container %d", place, address, k)
    fds = len(os.listdir("/proc/%d/fd" % w.engine.pid))
    check(fds > 3000, "only %d descriptors: this test is about more than select() takes", fds)
    w.docker("network", "create", "later")
    w.docker("run", "-d", "--name", "late", "--network", "later", IMAGE, "sleep", "600")
    w.kill9()
    w.start()
    check(w.tcp_reach("internet", HOST_UP6, 12999), "after kill -9")
    w.docker("run", "-d", "--name", "later-still", "--network", "later", IMAGE, "sleep", "600")


if __name__ == "__main__":
    main(globals())
