#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile containers: they forge ARP, ND, MACs and sources, send frames by hand to whomever they like, flood
the resolver, look for the engine's socket. And hub networks, where neighbours must not meet at all."""
import os
import select
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import probes  # noqa: E402

ANTISPOOF, HUB, ROLE = "com.atoll.bridge.antispoof", "com.atoll.bridge.hub", "com.atoll.endpoint.role"
LIES = b"these are lies"


def sleeper(w, name, network, *more):
    return w.docker("run", "-d", "--name", name, "--network", network, *more, IMAGE, "sleep", "600")


def mac(w, place, name="eth0"):
    return w.ip_json(place, "link", "show", name)[0]["address"]


def gateways(w, network):
    return [c["Gateway"] for c in w.network(network)["IPAM"]["Config"]]


def both(w, container, network=None):
    return [w.address(container, network), w.address6(container, network)]


def lie(w, place, frame):
    with packets.wire(w, place) as wire:
        wire.send(frame)


class Lie:
    """A hand-made datagram from @place: as @source to @target, @port, to the MAC @hop; @ear is the socket where it must not come."""

    def __init__(self, what, place, source, target, port, ear, hop, source_mac=None):
        self.what, self.place, self.source, self.target, self.port, self.ear, self.hop = what, place, source, target, port, ear, hop
        self.source_mac, self.token = source_mac, LIES + os.urandom(6)

    def __repr__(self):
        return "%s: %s as %s to %s" % (self.what, self.place, self.source, self.target)


def arrived(w, *lies, wait=0.8):
    """Sends them all. Return: those that come."""
    came, missing = [], {x.token: x for x in lies}
    with contextlib.ExitStack() as stack:
        wires = {place: stack.enter_context(packets.wire(w, place)) for place in {x.place for x in lies}}
        macs = {place: mac(w, place) for place in wires}
        for x in lies:
            wires[x.place].send(packets.frame(x.source_mac or macs[x.place], x.hop, packets.ip(
                x.source, x.target, packets.UDP, packets.udp(x.source, x.target, 4444, x.port, x.token))))
        end = time.monotonic() + wait
        while missing and (left := end - time.monotonic()) > 0:
            for s in select.select({x.ear for x in lies}, [], [], left)[0]:
                x = missing.pop(s.recv(2048), None)
                if x:
                    came.append(x)
    return came


def none_arrives(w, controls, lies, what=""):
    """The controls come, before and after the lies; none of those does."""
    for _ in range(2):
        for x in controls:
            x.token = LIES + os.urandom(6)
        lost = set(controls) - set(arrived(w, *controls, wait=3))
        if lost:  # a datagram may be lost on a busy machine; not twice
            lost -= set(arrived(w, *lost, wait=3))
        check(not lost, "%sof the controls these do not come: %s", what, lost)
        if lies:
            came = arrived(w, *lies)
            check(not came, "%s%d come that must not:\n  %s", what, len(came), "\n  ".join(map(repr, came)))
            lies = None


def ears(w, place, port):
    """Datagram sockets on a port of a place: {False: IPv4, True: IPv6}."""
    return {False: w._bound(place, "0.0.0.0", port, socket.SOCK_DGRAM), True: w._bound(place, "::", port, socket.SOCK_DGRAM)}


# ---- neighbours that lie ----

def neighbours(w, *options):
    w.docker("network", "create", "--ipv6", *options, "net-a")
    for name in ("victim", "friend", "liar"):
        sleeper(w, name, "net-a")
    for address in both(w, "friend"):
        check(w.ping("c:victim", address), "before")


def neighbour_of(w, container, address):
    rows = w.ip_json("c:" + container, "neigh", "show", address)
    return rows[0].get("lladdr") if rows else None


def poison(w):
    """The liar says that the friend's addresses are his. Return: those that the victim believes."""
    liar, victim = mac(w, "c:liar"), mac(w, "c:victim")
    four, six = both(w, "friend")
    lie(w, "c:liar", packets.frame(liar, victim, packets.arp(2, liar, four, victim, w.address("victim")), packets.ETH_ARP))
    lie(w, "c:liar", packets.frame(liar, packets.BROADCAST, packets.arp(1, liar, four, packets.BROADCAST, four), packets.ETH_ARP))
    lie(w, "c:liar", packets.frame(liar, victim, packets.advert(six, w.address6("victim"), six, liar)))
    with contextlib.suppress(Failed):
        until(lambda: all(neighbour_of(w, "victim", a) == liar for a in (four, six)), "the lies are believed", 1)
    return [a for a in (four, six) if neighbour_of(w, "victim", a) == liar]


def test_arp_and_nd_spoofing(w):
    """On an ordinary network a neighbour is believed, as everywhere; with the option he is not."""
    neighbours(w)
    equal(poison(w), both(w, "friend"), "the control: an ordinary network")
    w.docker("rm", "-f", "victim", "friend", "liar")
    w.docker("network", "rm", "net-a")
    neighbours(w, "-o", ANTISPOOF + "=true")
    equal(poison(w), [])
    for address in both(w, "friend"):
        check(w.ping("c:victim", address), "honest ones still talk")
        equal(neighbour_of(w, "victim", address), mac(w, "c:friend"))
    check(w.ping("c:victim", INTERNET) and w.ping("c:victim", INTERNET6), "and get out")


def test_gateway_spoofing(w):
    neighbours(w, "-o", ANTISPOOF + "=true")
    liar, victim = mac(w, "c:liar"), mac(w, "c:victim")
    for gateway in gateways(w, "net-a"):
        check(w.ping("c:victim", gateway))
        if ":" in gateway:
            frame = packets.frame(liar, victim, packets.advert(gateway, w.address6("victim"), gateway, liar))
        else:
            frame = packets.frame(liar, victim, packets.arp(2, liar, gateway, victim, w.address("victim")), packets.ETH_ARP)
        with packets.wire(w, "c:victim") as ear:
            lie(w, "c:liar", frame)
            check(not packets.sees(ear, frame[14:]), "a lie about %s arrives", gateway)
        equal(neighbour_of(w, "victim", gateway), mac(w, "host", w.bridge("net-a")))


def test_source_and_mac_spoofing(w):
    """With the option each port has its own MAC and addresses and no others, towards neighbours and outside."""
    def packets_of_the_liar():
        """(honest, lies)"""
        ear, out = ears(w, "c:victim", 7000), ears(w, "internet", 7001)
        near, hop = mac(w, "c:victim"), mac(w, "host", w.bridge("net-a"))
        honest, lies = [], []
        for six in (False, True):
            own, friend, victim, world = both(w, "liar")[six], both(w, "friend")[six], both(w, "victim")[six], (INTERNET, INTERNET6)[six]
            honest += [Lie("itself", "c:liar", own, victim, 7000, ear[six], near), Lie("itself", "c:liar", own, world, 7001, out[six], hop)]
            lies += [Lie("a neighbour's address", "c:liar", friend, victim, 7000, ear[six], near),
                     Lie("a MAC of its own making", "c:liar", own, victim, 7000, ear[six], near, "02:00:00:00:00:77"),
                     Lie("a neighbour's MAC and address", "c:liar", friend, victim, 7000, ear[six], near, mac(w, "c:friend")),
                     Lie("a stranger's address", "c:liar", ("192.0.2.9", "2001:db8:99::9")[six], victim, 7000, ear[six], near),
                     Lie("a neighbour's address, outside", "c:liar", friend, world, 7001, out[six], hop)]
        return honest, lies
    neighbours(w)
    honest, lies = packets_of_the_liar()
    came = arrived(w, *honest, *lies, wait=3)
    equal(set(honest + lies) - set(came), set(), "the control, an ordinary network: lost")
    for x in honest + lies:
        x.ear.close()
    w.docker("rm", "-f", "victim", "friend", "liar")
    w.docker("network", "rm", "net-a")
    neighbours(w, "-o", ANTISPOOF + "=true")
    honest, lies = packets_of_the_liar()
    none_arrives(w, honest, lies)
    for what, disturb in (("nft flush ruleset", lambda: w.sh("nft flush ruleset")), ("a new life", lambda: (w.kill9(), w.start()))):
        disturb()
        until(lambda: not arrived(w, lies[0], wait=0.1), "the guard is back after " + what, 3)
        none_arrives(w, honest, lies, "after %s: " % what)


def test_a_stolen_mac(w):
    """Frames with the friend's MAC as their source draw the bridge's frames to the liar; not with the option."""
    def stolen():
        friend = mac(w, "c:friend")
        with packets.wire(w, "c:liar", wait=1) as wire:
            wire.send(packets.frame(friend, packets.BROADCAST, b"\0" * 46, 0x9000))
            token = LIES + os.urandom(4)
            source, target = w.address("victim"), w.address("friend")
            lie(w, "c:victim", packets.frame(mac(w, "c:victim"), friend, packets.ip(
                source, target, packets.UDP, packets.udp(source, target, 4444, 7000, token))))
            return packets.sees(wire, token)
    neighbours(w)
    until(stolen, "the control: an ordinary network", 10)  # the friend may speak in between
    w.docker("rm", "-f", "victim", "friend", "liar")
    w.docker("network", "rm", "net-a")
    neighbours(w, "-o", ANTISPOOF + "=true")
    check(not stolen(), "the friend's frames come to the liar")
    check(w.ping("c:victim", w.address("friend")))


def test_antispoof_keeps_what_is_asked_for(w):
    """--mac-address, --ip, --link-local-ip, a second network: all of them are the container's own."""
    w.docker("network", "create", "--ipv6", "-o", ANTISPOOF + "=true", "--subnet", "10.90.0.0/24", "--subnet", "2001:db8:c:90::/64", "net-a")
    w.docker("network", "create", "-o", ANTISPOOF + "=true", "net-b")
    sleeper(w, "odd", "net-a", "--mac-address", "02:42:aa:bb:cc:dd", "--ip", "10.90.0.99", "--link-local-ip", "169.254.3.3")
    sleeper(w, "near", "net-a")
    sleeper(w, "beside", "net-b")
    w.docker("network", "connect", "net-b", "odd")
    w.ip("c:near", "addr add 169.254.3.4/16 dev eth0")
    for place, address in (("c:near", "10.90.0.99"), ("c:near", w.address6("odd", "net-a")), ("c:beside", w.address("odd", "net-b"))):
        check(w.ping(place, address), "%s to %s", place, address)
    w.docker("restart", "-t", "0", "odd")
    check(w.ping("c:near", "10.90.0.99") and w.ping("c:near", w.address6("odd", "net-a")), "after a restart")


# ---- frames by hand to the gateway ----

@timeout(120)
def test_frames_to_the_gateways_mac(w):
    """The gateway's MAC is no way into other networks, to the host's loopback, or out of an internal one."""
    w.docker("network", "create", "--ipv6", "net-a")
    w.docker("network", "create", "--ipv6", "net-b")
    w.docker("network", "create", "--ipv6", "--internal", "vault")
    for name, network in (("liar", "net-a"), ("other", "net-b"), ("near", "net-b"), ("inner", "vault"), ("inner2", "vault")):
        sleeper(w, name, network)
    w.docker("run", "-d", "--name", "lo-only", "--network", "net-b", "-p", "127.0.0.1:7002:7000/udp", "-p", "[::1]:7002:7000/udp", IMAGE,
             "sleep", "600")
    place = {name: ears(w, "c:" + name, 7000) for name in ("other", "inner2", "lo-only")}
    host, out = ears(w, "host", 7003), ears(w, "internet", 7004)
    hop_a, hop_v, hop_b = (mac(w, "host", w.bridge(n)) for n in ("net-a", "vault", "net-b"))
    controls, lies = [], []
    for six in (False, True):
        own, inner, other = both(w, "liar")[six], both(w, "inner")[six], both(w, "other")[six]
        loopback, up, world = (("127.0.0.1", HOST_UP, INTERNET), ("::1", HOST_UP6, INTERNET6))[six]
        gateway_b, gateway_v = (next(g for g in gateways(w, n) if (":" in g) == six) for n in ("net-b", "vault"))
        controls += [Lie("the host", "c:liar", own, up, 7003, host[six], hop_a), Lie("the world", "c:liar", own, world, 7004, out[six], hop_a),
                     Lie("a neighbour", "c:near", both(w, "near")[six], other, 7000, place["other"][six], mac(w, "c:other")),
                     Lie("a neighbour", "c:near", both(w, "near")[six], both(w, "lo-only")[six], 7000, place["lo-only"][six], mac(w, "c:lo-only")),
                     Lie("inside", "c:inner", inner, both(w, "inner2")[six], 7000, place["inner2"][six], mac(w, "c:inner2"))]
        lies += [Lie("another network's container", "c:liar", own, other, 7000, place["other"][six], hop_a),
                 Lie("an internal network's container", "c:liar", own, both(w, "inner2")[six], 7000, place["inner2"][six], hop_a),
                 Lie("the host's loopback", "c:liar", own, loopback, 7003, host[six], hop_a),
                 Lie("a port published on the loopback", "c:liar", own, loopback, 7002, place["lo-only"][six], hop_a),
                 Lie("the same, from its own network", "c:near", both(w, "near")[six], loopback, 7002, place["lo-only"][six], hop_b),
                 Lie("as the host's loopback", "c:liar", loopback, up, 7003, host[six], hop_a),
                 Lie("as the other gateway", "c:liar", gateway_b, other, 7000, place["other"][six], hop_a),
                 Lie("out of an internal network", "c:inner", inner, world, 7004, out[six], hop_v),
                 Lie("from an internal network into another", "c:inner", inner, other, 7000, place["other"][six], hop_v),
                 Lie("from an internal network to the host", "c:inner", inner, up, 7003, host[six], hop_v),
                 Lie("from an internal network to its gateway", "c:inner", inner, gateway_v, 7003, host[six], hop_v),
                 Lie("from an internal network to another's gateway", "c:inner", inner, gateway_b, 7003, host[six], hop_v),
                 Lie("from an internal network to the host's loopback", "c:inner", inner, loopback, 7003, host[six], hop_v)]
        for where, hop, source in (("lan", mac(w, "host", "lan0"), (LAN, LAN6)[six]), ("internet", mac(w, "host", "up0"), (INTERNET, INTERNET6)[six])):
            controls += [Lie("the host", where, source, up, 7003, host[six], hop)]
            lies += [Lie("the host's loopback", where, source, loopback, 7003, host[six], hop),
                     Lie("a port published on the loopback", where, source, loopback, 7002, place["lo-only"][six], hop),
                     Lie("as the loopback", where, loopback, up, 7003, host[six], hop),
                     Lie("as the loopback, to its port", where, loopback, loopback, 7002, place["lo-only"][six], hop),
                     Lie("as a neighbour", where, other, both(w, "lo-only")[six], 7000, place["lo-only"][six], hop)]
    for on in w.both_bridge_nf():
        none_arrives(w, controls, lies, "with bridge-nf-call at %d: " % on)


def test_routes_of_its_own(w):
    """A container with NET_ADMIN gives itself the routes it likes: to the loopback, over others' gateways."""
    w.docker("network", "create", "--ipv6", "net-a")
    w.docker("network", "create", "--ipv6", "net-b")
    sleeper(w, "liar", "net-a")
    w.serve("web", "net-b")
    sleeper(w, "near", "net-b")
    servers.Echo(w._bound("host", "127.0.0.1", 7005))
    servers.Echo(w._bound("host", "::1", 7005))
    hop4, hop6 = gateways(w, "net-a")
    w.ip("c:liar", "addr flush dev lo", "route add 127.0.0.0/8 via %s" % hop4, "route add ::1/128 via %s" % hop6)
    for address in ("127.0.0.1", "::1"):
        w.assert_forbidden(lambda: w.tcp_reach("host", address, 7005), lambda: w.tcp_reach("c:liar", address, 7005), "the host's " + address)
    for gateway in gateways(w, "net-b"):
        # another network's gateway is an address of the host's, no more: not a next hop, not a way in
        w.ip("c:liar", "route add %s via %s" % (gateway, hop6 if ":" in gateway else hop4))
    for address in both(w, "web"):
        w.assert_forbidden(lambda: w.tcp_reach("c:near", address, 80), lambda: w.tcp_reach("c:liar", address, 80), "routed to " + address)
        # an address of the other network's, as if it were there
        other = both(w, "near")[":" in address]
        w.ip("c:liar", "addr add %s dev eth0 %s" % (other + ("/128" if ":" in other else "/32"), "nodad" if ":" in other else ""))
        with w.at("c:liar"):
            s = socket.socket(family(address), socket.SOCK_STREAM)
        with s:
            s.settimeout(0.7)
            s.bind((other, 0))
            check(s.connect_ex((address, 80)) != 0, "as %s to %s", other, address)
    check(w.tcp_reach("c:near", w.address("web"), 80), "the neighbour is not disturbed")


def test_internal_network_and_the_hosts_services(w):
    w.docker("network", "create", "--ipv6", "--internal", "vault")
    w.docker("network", "create", "--ipv6", "net-a")
    sleeper(w, "inner", "vault")
    sleeper(w, "free", "net-a")
    hops = gateways(w, "vault")
    w.ip("c:inner", *["route add default via " + g for g in hops])
    for address in ("0.0.0.0", "::"):
        servers.Echo(w._bound("host", address, 7006))
    udp = ears(w, "host", 7006)
    for address in [HOST_UP, HOST_LAN, HOST_UP6, HOST_LAN6] + hops + gateways(w, "net-a"):
        w.assert_forbidden(lambda: w.tcp_reach("c:free" if address not in hops else "host", address, 7006),
                           lambda: w.tcp_reach("c:inner", address, 7006), "TCP to " + address)
        ear = udp[":" in address]
        w.udp("c:free", HOST_UP6 if ":" in address else HOST_UP, 7006, b"control", wait=0.01)
        ear.settimeout(1)
        equal(ear.recv(100), b"control")
        w.udp("c:inner", address, 7006, LIES, wait=0.2)
        ear.settimeout(0.1)
        try:
            raise Failed("UDP to %s: %r" % (address, ear.recv(100)))
        except socket.timeout:
            pass


# ---- the resolver ----

def test_a_flood_starves_nobody(w):
    """One container asks as fast as it can for names that nobody answers; its neighbour's questions are all answered."""
    w.docker("network", "create", "net-a")
    sleeper(w, "flooder", "net-a")
    sleeper(w, "asker", "net-a")
    w.dns.silent.update("s%d.silent.test" % i for i in range(3000))
    want = [w.address("flooder")]

    def answered(n):
        """How many of n questions are answered at the first try: half of them local, half forwarded."""
        good = 0
        for i in range(n):
            if i % 2:
                a = w.ask("asker", "flooder", wait=2)
                good += a is not None and a.texts() == want
            else:
                a = w.ask("asker", "both.example.test", wait=2)
                good += a is not None and a.texts() == [FAR]
        return good
    equal(answered(60), 60, "the control: in peace")
    with w.at("c:flooder"):
        socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
    stop = threading.Event()
    sent = [0]

    def flood():
        i = 0
        for s in socks:
            s.setblocking(False)
            s.connect(("127.0.0.11", 53))
        while not stop.is_set():
            for s in socks:
                with contextlib.suppress(OSError):
                    s.send(servers.query("s%d.silent.test" % (i % 3000), servers.A, i & 0xffff))
                    sent[0] += 1
                i += 1
            if i % 400 == 0:
                select.select([], [], [], 0.01)
    t = threading.Thread(target=flood)
    t.start()
    try:
        until(lambda: sent[0] > 3000, "the flood")
        equal(answered(120), 120, "beside the flood")
        check(stop.is_set() is False and sent[0] > 3000)
    finally:
        stop.set()
        t.join()
        for s in socks:
            s.close()
    equal(answered(20), 20, "after it")
    check(w.ask("flooder", "asker") is not None, "the flooder itself is answered again")


def test_rubbish_questions(w):
    """Broken, giant and endless messages over UDP and TCP; the next honest question is answered."""
    w.docker("network", "create", "net-a")
    sleeper(w, "box", "net-a")
    good = servers.query("box")
    rubbish = [b"", b"\0", good[:11], good[:-3], b"\xff" * 512, b"\0" * 60000, good[:12] + b"\xc0\x0c" + good[-4:], good[:12] + b"\x3f" + b"a" * 20,
               good[:4] + b"\xff\xff" * 4 + good[12:], good + good * 50, good[:2] + b"\x81\x80" + good[4:],
               struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"".join(b"\x3f" + b"x" * 63 for _ in range(5)) + b"\0\0\1\0\1"]
    for data in rubbish:
        with w.at("c:box"):
            u, t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with u, t:
            with contextlib.suppress(OSError):
                u.sendto(data, ("127.0.0.11", 53))
            t.settimeout(2)
            with contextlib.suppress(OSError):
                t.connect(("127.0.0.11", 53))
                t.sendall(struct.pack("!H", min(len(data), 65535)) + data)
                t.sendall(b"\xff\xff")
        equal(w.resolve("box", "box"), [w.address("box")], "after %r" % data[:20])
    with w.at("c:box"):
        idle = [socket.create_connection(("127.0.0.11", 53), 2) for _ in range(100)]
    try:
        equal(w.resolve("box", "box", tcp=False), [w.address("box")], "beside a hundred idle connections")
        for s in idle[:50]:
            s.sendall(b"\0")
        equal(w.resolve("box", "box"), [w.address("box")])
    finally:
        for s in idle:
            s.close()


# ---- the engine itself ----

def sockets_of(w, *programs):
    """(unix, tcp): [(program, path)] of the named unix sockets of the engine's programs, an abstract one begins with @; and what
    they listen on by TCP in the host's place."""
    inodes = {}
    for pid, cmd in w.processes().items():
        if any(p in cmd.split(" ")[0] for p in programs):
            for fd in os.listdir("/proc/%d/fd" % pid):
                with contextlib.suppress(OSError):
                    m = re.match(r"socket:\[(\d+)\]", os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                    if m:
                        inodes[m[1]] = cmd.split(" ")[0]
    with w.at("host"), open("/proc/thread-self/net/unix") as f:
        rows = [line.split() for line in f.read().splitlines()[1:]]
    tcp = []
    for table in ("tcp", "tcp6"):
        with w.at("host"), open("/proc/thread-self/net/" + table) as f:
            tcp += [(inodes[x[9]], x[1]) for x in map(str.split, f.read().splitlines()[1:]) if x[3] == "0A" and x[9] in inodes]
    return [(inodes[r[6]], r[7]) for r in rows if r[6] in inodes and len(r) > 7], tcp


def test_the_sockets_of_the_engine(w):
    """No container finds a way to talk to the engine: nothing abstract, no TCP, no path that others may open."""
    sleeper(w, "hosted", "host")
    sleeper(w, "box", "bridge")
    found, tcp = sockets_of(w, "atolld", "atoll-dns", "atoll-shim")
    check(any(path == w.socket for _, path in found), "the API socket itself: %s", found)
    equal([x for x in found if x[1].startswith("@")], [], "abstract sockets are open to every container on the host's network")
    for program, path in found:
        if not os.path.exists(path):
            continue
        mode, parents = os.stat(path), path
        closed = stat.S_ISSOCK(mode.st_mode) and not mode.st_mode & 0o007
        while parents != "/":
            parents = os.path.dirname(parents)
            closed = closed or not os.stat(parents).st_mode & 0o001
        check(closed and mode.st_uid == 0, "%s of %s: %o", path, program, mode.st_mode)
    equal(tcp, [], "TCP listeners of the engine")
    for name in ("hosted", "box"):
        r = w.exec(name, "find", "/", "-xdev", "-type", "s")
        equal(r.stdout, "", "sockets in a container's files")
        check(w.socket not in w.exec(name, "cat", "/proc/self/mountinfo").stdout, "the socket is mounted")


# ---- hub networks ----

def hub_network(w, *options):
    w.docker("network", "create", "--ipv6", "-o", HUB + "=true", *options, "monitor-net")
    sleeper(w, "monitor", "name=monitor-net,driver-opt=%s=hub" % ROLE)
    for name in ("spoke1", "spoke2"):
        sleeper(w, name, "monitor-net")


@timeout(120)
def test_hub_network(w):
    """Spokes reach the hub's containers and nobody else on that network."""
    hub_network(w)
    names = ("monitor", "spoke1", "spoke2")
    hop = mac(w, "host", w.bridge("monitor-net"))
    udp = {n: ears(w, "c:" + n, 7001) for n in names}
    with probes.Crowd(w) as crowd:
        asked = []
        for name in names:
            crowd.add(name, "c:" + name, (7000,), both(w, name))
        for source in names + ("host",):
            for target in names:
                for address in both(w, target) if source != target else ():
                    for proto in ("tcp", "udp", "icmp"):
                        p = probes.Probe(source, proto, address, 7000, target)
                        p.may = not (source.startswith("spoke") and target.startswith("spoke"))
                        asked.append(p)
        crowd.places["host"] = "host"
        crowd.start()
        for on in w.both_bridge_nf():
            for routed in (False, True):
                what = "bridge-nf-call at %d%s: " % (on, ", by routes over the gateway" if routed else "")
                if routed:
                    for g in gateways(w, "monitor-net"):
                        w.ip("c:spoke1", "route replace %s via %s" % (both(w, "spoke2")[":" in g] + ("/128" if ":" in g else "/32"), g))
                crowd.batch([p for p in asked if p.may], 4)
                equal([p for p in asked if p.may and p.answer != p.owner], [], what + "of what must work does not")
                crowd.batch([p for p in asked if not p.may], 0.8)
                equal([p for p in asked if not p.may and (p.answer is not None or p.heard)], [], what + "forbidden, and it works")
            for six in (False, True):
                w.ip("c:spoke1", "route del %s" % (both(w, "spoke2")[six] + ("/128" if six else "/32")))
            controls, lies = [], []
            for six in (False, True):
                at = {n: both(w, n)[six] for n in names}
                controls += [Lie("the hub", "c:spoke1", at["spoke1"], at["monitor"], 7001, udp["monitor"][six], mac(w, "c:monitor")),
                             Lie("a spoke", "c:monitor", at["monitor"], at["spoke2"], 7001, udp["spoke2"][six], mac(w, "c:spoke2"))]
                for who in ("spoke1", "monitor"):
                    lies += [Lie("straight", "c:spoke1", at[who], at["spoke2"], 7001, udp["spoke2"][six], mac(w, "c:spoke2")),
                             Lie("over the gateway", "c:spoke1", at[who], at["spoke2"], 7001, udp["spoke2"][six], hop),
                             Lie("to everybody", "c:spoke1", at[who], at["spoke2"], 7001, udp["spoke2"][six], packets.BROADCAST)]
            none_arrives(w, controls, lies, "bridge-nf-call at %d: " % on)
    check(w.tcp_reach("c:spoke1", INTERNET, 80) and w.tcp_reach("c:spoke1", INTERNET6, 80), "the way out stays")
    for address in ("0.0.0.0", "::"):
        servers.Echo(w._bound("c:monitor", address, 7002))
    equal(w.exec("spoke1", "nc", "-w", "1", "monitor", "7002", input="").returncode, 0, "by name")


def test_hub_network_by_name(w):
    hub_network(w)
    for spoke, other in (("spoke1", "spoke2"), ("spoke2", "spoke1")):
        for kind, address in ((servers.A, w.address("monitor")), (servers.AAAA, w.address6("monitor"))):
            equal(w.ask(spoke, "monitor", kind).texts(kind), [address])
            equal(w.ask("monitor", spoke, kind).texts(kind), [both(w, spoke)[kind == servers.AAAA]])
            for name in (other, other + ".monitor-net"):
                a = w.ask(spoke, name, kind)
                check(a is None or not a.records, "%s finds %s: %r", spoke, name, a)


def test_hub_network_broadcasts(w):
    """Not even ARP and neighbour discovery go from spoke to spoke."""
    hub_network(w)
    own = mac(w, "c:spoke1")
    for target in (packets.BROADCAST, "33:33:00:00:00:01", "02:12:34:56:78:9a", mac(w, "c:spoke2")):
        token = LIES + os.urandom(4)
        frame = packets.frame(own, target, token + b"\0" * 40, 0x9000)
        with packets.wire(w, "c:monitor") as hub, packets.wire(w, "c:spoke2") as spoke:
            lie(w, "c:spoke1", frame)
            if target != mac(w, "c:spoke2"):
                check(packets.sees(hub, token), "the hub hears it: %s", target)
            check(not packets.sees(spoke, token), "the other spoke hears what was sent to %s", target)


def test_hub_joins_environments(w):
    """The guide's use case 8: three environments, one monitor; isolated for good with a hub network."""
    envs = ("dev", "staging", "prod")
    w.docker("network", "create", "--ipv6", "-o", HUB + "=true", "monitor-net")
    sleeper(w, "monitor", "name=monitor-net,driver-opt=%s=hub" % ROLE)
    for env in envs:
        w.docker("network", "create", env + "-net")
        w.serve(env + "-app", env + "-net")
        w.docker("network", "connect", "monitor-net", env + "-app")
    for env in envs:
        for address in both(w, env + "-app", "monitor-net"):
            check(w.tcp_reach("c:monitor", address, 80) or ":" in address, "the monitor reaches %s", env)
        for other in envs:
            if other != env:
                for address in both(w, other + "-app", "monitor-net"):
                    w.assert_forbidden(lambda: w.ping("c:monitor", address), lambda: w.ping("c:%s-app" % env, address), "%s to %s" % (env, other))
                check(not w.resolve(env + "-app", other + "-app"), "%s finds %s by name", env, other)


def test_hub_role_by_connect_and_over_restarts(w):
    hub_network(w)
    w.docker("network", "create", "--ipv6", "net-a")
    sleeper(w, "second", "net-a")
    w.docker("network", "connect", "--driver-opt", ROLE + "=hub", "monitor-net", "second")

    def claims(what):
        for hub in ("monitor", "second"):
            for address in both(w, hub, "monitor-net"):
                check(w.ping("c:spoke1", address), "%s: spoke1 to %s at %s", what, hub, address)
        for address in both(w, "second", "monitor-net"):
            check(w.ping("c:monitor", address), "%s: hub to hub", what)
        for address in both(w, "spoke2", "monitor-net"):
            w.assert_forbidden(lambda: w.ping("c:monitor", address), lambda: w.ping("c:spoke1", address), what)
    claims("at first")
    w.docker("restart", "-t", "0", "spoke2", "second")
    claims("after a restart of containers")
    w.kill9()
    w.start()
    claims("after the engine's death")
    w.docker("network", "disconnect", "monitor-net", "second")
    w.docker("network", "connect", "monitor-net", "second")
    w.assert_forbidden(lambda: w.ping("c:monitor", w.address("second", "monitor-net")),
                       lambda: w.ping("c:spoke1", w.address("second", "monitor-net")), "a spoke now")


def test_hub_published_ports(w):
    """What is published is reached by the host's address, as from anywhere; with bridge-nf-call too, for the hub's."""
    hub_network(w)
    w.docker("rm", "-f", "spoke2")
    w.serve("spoke2", "monitor-net", 80, "-p", "8080:80")
    w.serve("gate", "name=monitor-net,driver-opt=%s=hub" % ROLE, 80, "-p", "8081:80")
    for address in (HOST_UP, HOST_UP6):
        for port in (8080, 8081):
            for place in ("internet", "c:spoke1", "c:monitor"):
                check(w.tcp_reach(place, address, port), "%s to %s, %d", place, address, port)
    for address in both(w, "spoke2"):
        check(not w.tcp_reach("c:spoke1", address, 80), "its own address stays closed")


def test_hub_options_are_checked(w):
    r = w.api("POST", "/networks/create", {"Name": "x", "Options": {HUB: "perhaps"}})
    equal(r.status, 400, "%r" % r)
    contains(r.message, "failed to parse %s value: perhaps" % HUB)
    r = w.api("POST", "/networks/create", {"Name": "x", "Options": {ANTISPOOF: "perhaps"}})
    equal(r.status, 400, "%r" % r)
    w.docker("network", "create", "-o", HUB + "=true", "monitor-net")
    w.docker("network", "create", "plain-net")
    sleeper(w, "box", "plain-net")
    r = w.api("POST", "/networks/monitor-net/connect", {"Container": "box", "EndpointConfig": {"DriverOpts": {ROLE: "king"}}})
    equal(r.status, 400, "%r" % r)
    contains(r.message, "king")


if __name__ == "__main__":
    main(globals())
