#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom, whole: two networks, an internal one, the default bridge, the host, the internet and
the LAN; IPv4 and IPv6; TCP, UDP, ICMP; by address, by name, by published port, by hand-made packets; with
bridge-nf-call off and on; and again after everything that others may do to the firewall.

What may be is computed from RULES. What may not is tried only after each listener concerned has
answered where it may, and those answer once more at the end.
"""
import collections
import ipaddress
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import probes  # noqa: E402
from probes import Probe  # noqa: E402

FAMILIES = os.environ.get("ATOLL_TEST_FAMILIES", "46")  # "4": an engine that has no IPv6 yet
SIX = "6" in FAMILIES
FLAGS = ["--ipv6", "--fixed-cidr-v6", "fd00:d0c::/64"] if SIX else []

# ---- the world: networks, containers and where they sit, what they publish ----

NETWORKS = {"red": [], "blue": [], "vault": ["--internal"]}
INTERNAL = {"vault"}
CONTAINERS = {"red1": ["red"], "red2": ["red"], "blue1": ["blue"], "blue2": ["blue"], "vault1": ["vault"], "vault2": ["vault"],
              "both": ["red", "vault"], "plain1": ["bridge"], "plain2": ["bridge"]}
OPEN, SECRET, LISTENS = 7001, 7000, 9000  # a published and an unpublished port of a container; a port of the others
ANYWHERE, LOOPBACK, LAN_ONLY = "anywhere", "loopback", "lan-only"
PUBLISHES = {"red1": 8001, "plain1": 8011, "both": 8021, "vault1": 8031}  # +0 anywhere, +1 127.0.0.1, +2 [::1], +3 the LAN's address

# ---- the rules: the first that fits decides. s asks, t is what it asks for (see Target) ----

RULES = [
    ("a published port works where it was published",
     lambda s, t: t.kind == "published" and not published_at(t), False),
    ("nothing of an internal network is published",
     lambda s, t: t.kind == "published" and internal_only(t.owner), False),
    ("an internal network leads to no published port",
     lambda s, t: t.kind == "published" and over_internal(s, t), False),
    ("a published port is reached from everywhere else",
     lambda s, t: t.kind == "published", True),

    ("neighbours on a network reach each other",
     lambda s, t: t.kind == "container" and t.network in networks(s), True),
    ("the host and an internal network ping each other, no more",
     lambda s, t: t.kind == "container" and t.network in INTERNAL and s == "host", "icmp"),
    ("the host reaches its containers",
     lambda s, t: t.kind == "container" and s == "host", True),
    ("nobody else reaches a container by its address: not other networks, not LAN and internet by routing",
     lambda s, t: t.kind == "container", False),

    ("the host and an internal network ping each other, no more",
     lambda s, t: t.kind == "host" and over_internal(s, t), "icmp"),
    ("the host's own programs are the host's business",
     lambda s, t: t.kind == "host", True),

    ("nothing leaves an internal network",
     lambda s, t: t.kind == "outside" and internal_only(s), False),
    ("running containers makes nobody a router between LAN and internet",
     lambda s, t: t.kind == "outside" and s in ("lan", "internet"), False),
    ("the host and all other containers get out",
     lambda s, t: t.kind == "outside", True),
]

# a packet made by hand, sent by @s over the gateway of its first network, with a source that may be a lie
SPOOF_RULES = [
    ("what is closed is closed, whoever one says one is",
     lambda s, source, owner: owner in CONTAINERS, False),
    ("nothing leaves an internal network",
     lambda s, source, owner: internal_only(s), False),
    ("running containers makes nobody a router between LAN and internet",
     lambda s, source, owner: s in ("lan", "internet") and owner != "host", False),
    ("a container has no address of the host's",
     lambda s, source, owner: source in ADDRESSES["host"], False),
    ("an address of the network that it comes from is no lie to the host",
     lambda s, source, owner: s in CONTAINERS and networks(s)[0] in subnet_of(source), True),
    ("one's own address is no lie",
     lambda s, source, owner: s not in CONTAINERS and source in ADDRESSES[s], True),
    ("a lie reaches nobody",
     lambda s, source, owner: True, False),
]


def subnet_of(address):
    return [n for subnet, n in SUBNETS.items() if ipaddress.ip_address(address) in subnet]


def networks(s):
    return CONTAINERS.get(s, ())


def internal_only(s):
    return s in CONTAINERS and all(n in INTERNAL for n in networks(s))


def over_internal(s, t):
    """Does @s get to @t's address over an internal network?"""
    return internal_only(s) or t.network in INTERNAL and t.network in networks(s)


def published_at(t):
    """Is @t's port published at the address that is asked?"""
    loopback = t.address in ("127.0.0.1", "::1")
    return {ANYWHERE: True, LOOPBACK: loopback and t.six == t.scope_six, LAN_ONLY: t.address in (HOST_LAN, HOST_LAN6)}[t.scope]


class Target:
    """Something one may ask for. @kind: container (its address on @network), host (one of its addresses;
    @network: whose gateway it is), outside, or published (@owner's port as @scope, by a host address)."""

    def __init__(self, kind, owner, address, port, network=None, scope=None, scope_six=None):
        self.kind, self.owner, self.address, self.port, self.network, self.scope = kind, owner, address, port, network, scope
        self.six, self.scope_six = ":" in address, scope_six

    def key(self, proto):
        """The listener behind it."""
        return self.owner, proto, self.six, OPEN if self.kind == "published" else self.port


SUBNETS, ADDRESSES = {}, {}  # of the world that was built: ip_network -> network; owner -> its addresses


def build(w, crowd):
    """The networks, containers, listeners. Return: the targets."""
    six = ["--ipv6"] if SIX else []
    SUBNETS.clear()
    ADDRESSES.clear()
    targets = []
    for name, options in NETWORKS.items():
        w.docker("network", "create", *options, *six, name)
    for name, places in CONTAINERS.items():
        ports = []
        if name in PUBLISHES:
            at = PUBLISHES[name]
            hosts = ["%d", "127.0.0.1:%d", "[::1]:%d", HOST_LAN + ":%d", "[" + HOST_LAN6 + "]:%d"]
            for host, port in zip(hosts, (at, at + 1, at + 2, at + 3, at + 3)):
                if SIX or "[" not in host:
                    for proto in ("tcp", "udp"):
                        ports += ["-p", "%s:%d/%s" % (host % port, OPEN, proto)]
        w.docker("run", "-d", "--name", name, *ports, "--network", places[0], IMAGE, "sleep", "600")
        for more in places[1:]:
            w.docker("network", "connect", more, name)
    gateways = {}
    for n in list(NETWORKS) + ["bridge"]:
        for row in w.network(n)["IPAM"]["Config"]:
            SUBNETS[ipaddress.ip_network(row["Subnet"])] = n
            gateways[row["Gateway"].split("/")[0]] = n
    for name in CONTAINERS:
        fd = w.netns_of(name)
        nets = w.inspect(name)["NetworkSettings"]["Networks"]
        ADDRESSES[name] = []
        for n in nets:
            found = [nets[n]["IPAddress"]] + ([nets[n]["GlobalIPv6Address"]] if SIX else [])
            check(all(found), "%s has no address of each family on %s: %s", name, n, nets[n])
            ADDRESSES[name] += found
            targets += [Target("container", name, a, p, n) for a in found for p in (SECRET, OPEN)]
        crowd.add(name, fd, (SECRET, OPEN), ADDRESSES[name])
        if internal_only(name):  # as one with NET_ADMIN would: it has a way out as far as it can see
            lines = ["route add default via " + g for g, n in gateways.items() if n == networks(name)[0]]
            w.ip(fd, *lines)
    ADDRESSES.update(host=[HOST_UP, HOST_LAN, *gateways] + ([HOST_UP6, HOST_LAN6] if SIX else []),
                     internet=[INTERNET, FAR] + ([INTERNET6, FAR6] if SIX else []), lan=[LAN] + ([LAN6] if SIX else []))
    loopback = ["127.0.0.1"] + (["::1"] if SIX else [])
    for place in PLACES:
        more = loopback if place == "host" else []
        crowd.add(place, place, (LISTENS,), ADDRESSES[place] + more)
        targets += [Target("host" if place == "host" else "outside", place, a, LISTENS, gateways.get(a)) for a in ADDRESSES[place]]
    for name, at in PUBLISHES.items():
        for address in ADDRESSES["host"] + loopback:
            six = ":" in address
            rows = [(ANYWHERE, at, None), (LOOPBACK, at + 1, False), (LOOPBACK, at + 2, True), (LAN_ONLY, at + 3, None)]
            targets += [Target("published", name, address, port, gateways.get(address), scope, scope_six)
                        for scope, port, scope_six in rows]
    crowd.start()
    return targets


def verdict(rules, proto, *asked):
    for why, fits, may in rules:
        if fits(*asked):
            return why, may is True or may == proto
    raise Failed("no rule fits %s" % (asked,))


def ask_addresses(targets):
    """A probe from everybody to everything, with what the rules say."""
    out = []
    for s in list(CONTAINERS) + list(PLACES):
        for t in targets:
            if s == t.owner and t.kind != "published" or t.address in ("127.0.0.1", "::1") and s != "host":
                continue
            if s == "host" and t.kind == "published" and t.network in INTERNAL and t.network in networks(t.owner):
                continue  # its source is an address of that network: the answer takes the other way home
            for proto in ("tcp", "udp", "icmp"):
                if proto == "icmp" and (t.port == OPEN or t.kind == "published"):
                    continue
                p = Probe(s, proto, t.address, t.port, t.owner)
                p.why, p.may = verdict(RULES, proto, s, t)
                p.key = t.key(proto)
                out.append(p)
    return out


def shown(some, what):
    lines = ["%s [%s] answer %r%s" % (p, p.why, p.answer, ", heard" if p.heard else "") for p in some[:25]]
    return "%d %s:\n  %s" % (len(some), what, "\n  ".join(lines))


def run_matrix(w, crowd, targets, what=""):
    asked = ask_addresses(targets)
    allowed, forbidden = [p for p in asked if p.may], [p for p in asked if not p.may]
    # every rule is tried, and every listener that is asked in vain answers somebody
    used = collections.Counter(p.why for p in asked)
    check(set(used) == {r[0] for r in RULES}, "rules that nothing tries: %s", {r[0] for r in RULES} - set(used))
    controls = {p.key: p for p in allowed}
    for p in forbidden:
        key = p.key if p.proto != "icmp" else (p.owner, "icmp", p.key[2], SECRET if p.owner in CONTAINERS else LISTENS)
        check(key in controls, "nobody may do what %s tries: no control", p)
    crowd.batch(allowed, 4)
    bad = [p for p in allowed if p.answer != p.owner]
    check(not bad, what + shown(bad, "of %d things that must work do not" % len(allowed)))
    crowd.batch(forbidden, 0.8)
    bad = [p for p in forbidden if p.answer is not None or p.heard]
    check(not bad, what + shown(bad, "of %d forbidden things work" % len(forbidden)))
    again = list(controls.values())
    crowd.batch(again, 4)
    bad = [p for p in again if p.answer != p.owner]
    check(not bad, what + shown(bad, "listeners do not answer any more"))
    ask_names(w, crowd, what)
    lie(w, crowd, what)
    return len(asked)


def ask_names(w, crowd, what):
    """A container finds those with whom it shares a network of its own making, by name, and nobody else."""
    out = []
    for s in CONTAINERS:
        for t in CONTAINERS:
            for kind in (servers.A, servers.AAAA):
                p = Probe(s, "dns", t, kind, t)
                shared = [n for n in networks(s) if n in networks(t) and n != "bridge"]
                p.may = sorted(a for a in ADDRESSES[t] if (":" in a) == (kind == servers.AAAA) and
                               any(SUBNETS[n] in shared for n in SUBNETS if ipaddress.ip_address(a) in n))
                out.append(p)
    yes, no = [p for p in out if p.may], [p for p in out if not p.may]
    crowd.batch(yes, 3)
    bad = ["%s asks for %s: %s, not of %s" % (p.place, p.address, p.answer, p.may) for p in yes
           if not p.answer or set(p.answer) - set(p.may)]
    check(not bad, what + "\n".join(bad))
    crowd.batch(no, 0.8)
    bad = ["%s asks for %s and gets %s" % (p.place, p.address, p.answer) for p in no if p.answer]
    check(not bad, what + "\n".join(bad))
    # and with a program of the container's own
    for s, t, may in (("red2", "red1", True), ("red2", "blue1", False), ("vault2", "vault1", True), ("red2", "vault1", False),
                      ("both", "vault1", True), ("plain2", "plain1", False)):
        r = w.exec(s, "nc", "-w", "3" if may else "1", t, str(OPEN))
        equal(r.stdout, t if may else "", what + "%s to %s by name, with nc: exit %d, %s" % (s, t, r.returncode, r.stderr))


def lies(w, crowd):
    """What lie() sends: (sender, its MAC, its gateway's MAC, who it says it is, that address, owner, the owner's address)."""
    link = {s: w.ip_json(crowd.places[s], "link", "show") for s in list(CONTAINERS) + list(PLACES)}
    mac = {(s, l["ifname"]): l["address"] for s in link for l in link[s]}
    sources = dict({o: ADDRESSES[o] for o in ("red2", "blue2", "vault2", "both", "plain2", *PLACES)},
                   loopback=["127.0.0.1", "::1"], stranger=["192.0.2.7", "2001:db8:99::7"])
    for s in list(CONTAINERS) + ["lan", "internet"]:
        hop = {"lan": "lan0", "internet": "up0"}.get(s) or w.bridge(networks(s)[0])
        for owner in ("red1", "blue1", "vault1", "plain1", *PLACES):
            if owner == s or set(networks(s)) & set(networks(owner)):
                continue  # the wire itself: nothing of ours lies between them
            for who, addresses in sources.items():
                if s not in CONTAINERS and owner == "host" and who not in (s, "loopback"):
                    continue  # whom the host believes on its own links is not ours
                for source in addresses:
                    if SIX or ":" not in source:
                        target = next(a for a in ADDRESSES[owner] if (":" in a) == (":" in source))
                        yield s, mac[s, "eth0"], mac["host", hop], who, source, owner, target


def lie(w, crowd, what):
    """Packets made by hand, with sources that are not the sender's, to the gateway's MAC."""
    rows = collections.defaultdict(list)
    for row in lies(w, crowd):
        why, may = verdict(SPOOF_RULES, None, row[0], row[4], row[5])
        rows[may].append((row, why))
    used = {why for some in rows.values() for _, why in some}
    check(used == {r[0] for r in SPOOF_RULES}, "rules that nothing tries: %s", {r[0] for r in SPOOF_RULES} - used)

    def send(some):
        """Return: {what it would be heard as: its text}."""
        sent = {}
        with crowd.lock:
            crowd.heard.clear()
        with contextlib.ExitStack() as stack:
            wires = {s: stack.enter_context(packets.wire(w, crowd.places[s])) for s in {row[0] for row, _ in some}}
            for (s, mac, hop, who, source, owner, target), why in some:
                port = SECRET if owner in CONTAINERS else LISTENS
                for proto in ("tcp", "udp"):
                    token = next(probes.TOKENS)
                    if proto == "tcp":
                        segment, number = packets.syn(source, target, token, port), packets.TCP
                    else:
                        segment, number = packets.udp(source, target, token, port, b"probe %d" % token), packets.UDP
                    wires[s].send(packets.frame(mac, hop, packets.ip(source, target, number, segment)))
                    sent[owner, proto, token] = "%s as %s (%s): %s to %s (%s) [%s]" % (s, who, source, proto, target, owner, why)
        return sent

    def heard(sent, yes):
        with crowd.lock:
            return [text for key, text in sent.items() if (key in crowd.heard) == yes]

    honest = send(rows[True])
    with contextlib.suppress(Failed):
        until(lambda: not heard(honest, False), "honest packets", 3)
    lost = heard(honest, False)
    check(not lost, "%s%d honest packets did not arrive:\n  %s", what, len(lost), "\n  ".join(lost[:25]))
    false = send(rows[False])
    # nothing tells that a packet does not come; by the time later ones have been answered it would have
    late = [Probe(s, "udp", ADDRESSES[t][0], SECRET if t in CONTAINERS else LISTENS, t) for s, t in (
        ("red2", "red1"), ("blue2", "blue1"), ("vault2", "vault1"), ("plain2", "plain1"), ("red2", "host"), ("red2", "internet"), ("red2", "lan"))]
    crowd.answers(late, 3)
    check(all(p.answer for p in late), "%s%s", what, [p for p in late if not p.answer])
    came = heard(false, True)
    check(not came, "%s%d lies came through:\n  %s", what, len(came), "\n  ".join(came[:25]))


@contextlib.contextmanager
def world(w):
    crowd = probes.Crowd(w)
    try:
        yield crowd, build(w, crowd)
    finally:
        if crowd.thread.is_alive():
            crowd.close()
        for place in crowd.places.values():
            if isinstance(place, int):
                os.close(place)


@timeout(150)
def test_matrix(w):
    with world(w) as (crowd, targets):
        for on in w.both_bridge_nf():
            run_matrix(w, crowd, targets, "with bridge-nf-call at %d: " % on)
        if not w.bridge_nf(0):
            raise Skip("no br_netfilter in this kernel: tried without it only")


# ---- what others do to us ----

DROP = "".join("""
table %s filter {
	chain FORWARD { type filter hook forward priority filter; policy drop; }
}
""" % t for t in ("ip", "ip6"))
# everything of everybody goes, and the rules of others come back: one transaction
RELOAD = "flush ruleset\n" + DROP + """
table inet firewalld {
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
		ct state invalid drop
	}
}
"""


def nft(w, text):
    with w.at("host"):
        r = run("nft", "-f", "-", input=text)
    check(r.returncode == 0, "nft: %s", r.stderr)


def until_let_through(w):
    """An engine that lives with others makes its way through their rules, at once but not in the same moment."""
    until(lambda: w.tcp_reach("c:red2", INTERNET, 80) and w.tcp_reach("internet", HOST_UP, PUBLISHES["red1"]),
          "containers get through the other firewall", 5)


def owned(w):
    """Then nobody else can flush the table (Linux 6.9, nft 1.1)."""
    return "flags owner" in w.nft()


def flushed(w):
    mark, before = w.log_size(), w.nft()
    if owned(w):
        nft(w, "flush ruleset\n")
        equal(w.nft(), before, "an owned table")
        return
    with w.event('"Action":"repair"'):
        nft(w, "flush ruleset\n")
    contains(w.log_tail(50, mark), "firewall")


def dropping(w):
    nft(w, DROP)
    until_let_through(w)


def reloaded(w):
    with contextlib.nullcontext() if owned(w) else w.event('"Action":"repair"'):
        nft(w, RELOAD)
    until_let_through(w)


def killed(w):
    w.kill9()
    w.start()


DISTURBANCES = [("nft flush ruleset", flushed), ("iptables -P FORWARD DROP", dropping), ("a firewall's reload", reloaded),
                ("kill -9 and a new life", killed)]


def disturbed(w, fn):
    """Calls fn(what) after each thing that others do to the engine or its firewall, with those before
    still in force; puts the host's rules back."""
    try:
        for what, disturb in DISTURBANCES:
            try:
                disturb(w)
                fn("after %s: " % what)
            except Failed as e:
                raise Failed("%s: %s" % (what, e)) from e
    finally:
        nft(w, "".join("table %s\ndelete table %s\n" % (t, t) for t in ("ip filter", "ip6 filter", "inet firewalld")))


@timeout(300)
def test_after_disturbances(w):
    with world(w) as (crowd, targets):
        run_matrix(w, crowd, targets, "before: ")
        disturbed(w, lambda what: run_matrix(w, crowd, targets, what))


if __name__ == "__main__":
    main(globals(), flags=FLAGS)
