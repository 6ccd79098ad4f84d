# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom among containers, the host, a LAN and the internet: by name and address, over TCP, UDP and ICMP,
honestly and as one who has taken a container over.

Two questions are asked. Does an answer come back? So it must for whoever may. Does anything arrive at the target, answered
or not? Nothing may of those who must not; the same was seen to work before from where it is allowed.
"""
import contextlib
import itertools
import socket
import time

import packets
import probes
import servers
import testbed
from testbed import FAR, INTERNET, LAN, Failed, check, equal, until

PORT = 17007  # no server of an image listens there
WAIT = 0.5  # for what must not come
ALL = ("tcp", "udp", "icmp")
OUTSIDE = ("lan", "internet")


def addresses(w, container):
    """{network: address}"""
    nets = w.inspect(container)["NetworkSettings"]["Networks"]
    return {n: e["IPAddress"] for n, e in nets.items() if e["IPAddress"]}


def names(w, container):
    """{network: the names that its DNS has of a container}; the default network has none."""
    nets = w.inspect(container)["NetworkSettings"]["Networks"]
    return {n: sorted({container, "%s.%s" % (container, n), *(e.get("Aliases") or ()), *(e.get("DNSNames") or ())})
            for n, e in nets.items() if n not in testbed.PREDEFINED}


def handmade(kind, sender, address, token):
    """A packet by which an ear knows @token."""
    if kind == "tcp":
        return packets.ip(sender, address, packets.TCP, packets.syn(sender, address, token, PORT))
    if kind == "udp":
        return packets.ip(sender, address, packets.UDP, packets.udp(sender, address, token, PORT, b"probe %d" % token))
    return packets.ip(sender, address, packets.ICMP, packets.echo_request(False, token, 1))


class Ways(probes.Crowd):
    """Listeners and ears in the three places and in @containers. @ports: {container: the TCP ports of its service}."""

    def __init__(self, w, *containers, ports=None):
        super().__init__(w)
        self.ports, self.tried, self.seen = ports or {}, None, None
        self.at = {c: addresses(w, c) for c in containers}
        self.names = {c: names(w, c) for c in containers}
        self.internal = {n: w.network(n)["Internal"] for nets in self.at.values() for n in nets}
        host = [a["local"] for link in w.ip_json("host", "-4", "addr", "show") for a in link["addr_info"]]
        for place, own in (("host", host), ("lan", [LAN]), ("internet", [INTERNET, FAR])):
            self.add(place, place, [PORT], own)
        for c in containers:
            self.add(c, "c:" + c, [PORT], self.at[c].values())
        self.start()

    # ---- one way ----

    def open(self, source, target, address, kinds=ALL, wait=WAIT):
        """Those of @kinds by which something of @source comes to @target at @address."""
        tried = [probes.Probe(source, kind, address, PORT, target) for kind in kinds]
        self.batch(tried, wait)
        return [p.proto for p in tried if p.heard or p.answer is not None]

    def all(self, source, target, address, kinds=ALL):
        """Does @target answer to all of @kinds?"""
        tried = [probes.Probe(source, kind, address, PORT, target) for kind in kinds]
        return len(self._answered(tried)) == len(kinds)

    def _answered(self, tried, seconds=20):
        """Those that are answered; again and again, as a packet may be lost on a busy machine."""
        left, end = tried, time.monotonic() + seconds
        while left and time.monotonic() < end:
            self.batch(left, 1)
            left = [p for p in left if p.answer is None or not self._arrives(p)]
        return [p for p in tried if p not in left]

    def _arrives(self, p):
        if p.proto != "dns":
            return p.heard or p.answer is not None
        _, target, network = p.key
        return self.at[target][network] in (p.answer or ())

    # ---- all ways between those who share a network, or do not ----

    def shared(self, source, network):
        """Is @source on it? The host is, unless it is internal."""
        return not self.internal[network] if source == "host" else network in self.at.get(source, ())

    def _probes(self, source, target, network):
        """Every way to @target's address on @network: at our port, at its service's, by each of its names there."""
        address = self.at[target][network]
        out = [probes.Probe(source, proto, address, PORT, target) for proto in ALL]
        out += [probes.Probe(source, "tcp", address, port, target, mute=True) for port in self.ports.get(target, ())]
        if source not in testbed.PLACES:
            out += [probes.Probe(source, "dns", name, servers.A, target) for name in self.names[target].get(network, ())]
        for p in out:
            p.key = source, target, network
        return out

    def _between(self, pairs, shared):
        return [p for a, b in pairs for n in self.at[b] if self.shared(a, n) == shared for p in self._probes(a, b, n)]

    def reaches(self, source, target, network=None):
        """@source reaches @target by all ways, on each network that both are on, or on that one."""
        tried = self._probes(source, target, network) if network else self._between([(source, target)], True)
        check(tried, "%s and %s share no network", source, target)
        answered = self._answered(tried)
        check(len(answered) == len(tried), "does not get through: %s", [p for p in tried if p not in answered][:5])
        return True

    def none(self, pairs, protos=(*ALL, "dns"), network=None, anew=False):
        """No source of @pairs reaches its target on a network (or that one) that the source is not on. One look at all
        containers and places serves all such questions, but for one that wants to look @anew."""
        if anew:
            seen = self._look(pairs)
        else:
            everyone = [*self.at, *testbed.PLACES]
            seen = self.seen = self.seen or self._look([(a, b) for a in everyone for b in self.at if a != b])
        asked = [p for p in seen if p.key[:2] in pairs and p.proto in protos and network in (None, p.key[2])]
        check(asked, "nothing to try: %s", pairs)
        for p in asked:
            check(self._way(p) in self.tried, "the control fails, nobody gets an answer: %s", p)
        through = [p for p in asked if self._arrives(p)]
        check(not through, "gets through: %s", through[:5])
        return True

    @staticmethod
    def _way(p):
        return p.owner, p.proto, p.address, p.port

    def _look(self, pairs):
        """The probes of all ways that must be closed. The controls come before: who shares the network is answered,
        and who is alone there finds his own name."""
        everyone = [*self.at, "host"]
        if self.tried is None:
            allowed = self._between([(a, b) for a in everyone for b in self.at if a != b], True)
            allowed += [p for c in self.at for n in self.at[c] for p in self._probes(c, c, n) if p.proto == "dns"]
            self.tried = {self._way(p) for p in self._answered(allowed)}
        out = self._between(pairs, False)
        with contextlib.ExitStack() as stack:
            for c in {a for a, _ in pairs if a not in testbed.PLACES}:
                stack.enter_context(way_out(self.w, c))
            self.batch(out, 1.5)
        return out

    # ---- dishonest ways ----

    def forge(self, source, address, senders):
        """Packets made by hand, of each kind and with each sender of @senders. Return: {(kind, token): sender}"""
        out = {}
        with self.w.at(self.places[source]), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            for sender, kind in itertools.product(senders, ALL):
                token = next(probes.TOKENS)
                with contextlib.suppress(OSError):
                    s.sendto(handmade(kind, sender, address, token), (address, 0))
                out[kind, token] = sender
        return out

    def arrived(self, target, forged, wait=WAIT):
        """Those packets that @target hears, as forge() returns them."""
        def heard():
            return {what: sender for what, sender in forged.items() if (target, *what) in self.heard}
        with contextlib.suppress(Failed):
            until(lambda: heard() == forged, "the packets", wait)
        return heard()

    def lies(self, source, target, senders, address):
        """Those packets of @source that come to @target, with whichever sender of @senders."""
        return self.arrived(target, self.forge(source, address, senders))

    def by_hand(self, source, target, address):
        """The control of lies: made by hand, with an address of @source's own, packets of each kind come to @target."""
        def come():
            return {kind for kind, _ in self.arrived(target, self.forge(source, address, self.at[source].values()), 1)} == set(ALL)
        return soon(come)

    def hops(self, source):
        """Each way that a route of a container may take: its networks' gateways, each neighbour, the wire itself."""
        out = []
        for link in self.w.ip_json("c:" + source, "-4", "addr", "show"):
            network = next((n for n, a in self.at[source].items() if a == link["addr_info"][0]["local"]), None)
            if network:
                near = [gateway(self.w, network)] + [nets[network] for c, nets in self.at.items() if c != source and network in nets]
                out += ["via %s dev %s" % (a, link["ifname"]) for a in near] + ["dev %s scope link" % link["ifname"]]
        return out

    def break_in(self, source, target, network):
        """Root in @source's namespace tries every route and every sender: is anything heard at @target's address there?
        A neighbour of @target gets in, of course: to a neighbour all of its addresses are one machine."""
        address, place, forged = self.at[target][network], "c:" + source, {}
        borrowed = [nets[network] for c, nets in self.at.items() if c not in (source, target) and network in nets]
        try:
            for hop in self.hops(source):
                self.w.ip(place, "route replace %s/32 %s" % (address, hop))
                forged.update(self.forge(source, address, [*self.at[source].values(), *borrowed]))
            return self.arrived(target, forged)
        finally:
            self.w.ip(place, "route flush %s/32" % address)

    # ---- claims that use cases make in the same words ----

    def claim_open(self, case, a, b, network):
        case.claim("%s reaches %s on %s, by name and address, over TCP, UDP and ICMP" % (a, b, network), self.reaches, a, b, network)

    def claim_closed(self, case, a, b, network):
        case.claim("%s does not reach %s on %s by its address, over TCP, UDP or ICMP" % (a, b, network), self.none, [(a, b)], ALL, network)
        case.claim("%s does not find %s's address on %s by any name" % (a, b, network), self.none, [(a, b)], ["dns"], network)

    def claim_outside(self, case, place):
        """Containers by their own addresses, from a machine that has a route to them over the host."""
        for name in self.at:
            case.claim("%s does not reach %s by its own address, over TCP, UDP or ICMP" % (place, name), self.none, [(place, name)])

    def claim_taken_over(self, case, says, source, target, network):
        """@says: what the guide says of it."""
        near = next(c for c in self.at if c != target and network in self.at[c])
        case.forbidden("%s: root in %s, with routes of its own and borrowed sources, gets nothing to %s on %s" % (says, source, target, network),
                       lambda: self.by_hand(near, target, self.at[target][network]),
                       lambda: self.break_in(source, target, network))


# ---- routes ----

@contextlib.contextmanager
def route(w, container, target, router):
    """Somebody with all rights in a container's namespace sets a route there; after the block it is as before."""
    place = "c:" + container
    before = w.ip_json(place, "route", "show", target)
    w.ip(place, "route replace %s via %s" % (target, router))
    try:
        yield
    finally:
        w.ip(place, "route %s %s via %s" % (("replace", target, before[0]["gateway"]) if before else ("del", target, router)))


@contextlib.contextmanager
def way_out(w, container):
    """A container that was given no default route takes one, as an internal network's gives none."""
    with contextlib.ExitStack() as stack:
        if not w.ip_json("c:" + container, "route", "show", "default"):
            stack.enter_context(route(w, container, "default", gateway(w, next(iter(addresses(w, container))))))
        yield


def gateway(w, network):
    return w.network(network)["IPAM"]["Config"][0]["Gateway"]


def gets_out(w, container):
    """What of it reaches the internet: TCP, UDP, ICMP, a name?"""
    place = "c:" + container
    return [what for what, there in (
        ("TCP", w.tcp_reach(place, FAR, 80)), ("UDP", w.ask(container, "example.test", server=INTERNET, wait=1)),
        ("ICMP", w.ping(place, FAR)), ("DNS", w.resolve(container, "example.test"))) if there]


def shut_in(w, container, control):
    """True if nothing of @container reaches the internet, even if it takes a route; after @control has reached it."""
    equal(gets_out(w, control), ["TCP", "UDP", "ICMP", "DNS"], "control: what gets out of " + control)
    with way_out(w, container):
        return equal(gets_out(w, container), [], "what gets out of " + container) is None


def soon(fn, *args, seconds=20):
    """For controls: does fn(*args) become true?"""
    with contextlib.suppress(Failed):
        return until(lambda: fn(*args), "it", seconds)
    return False
