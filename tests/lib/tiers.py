# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways between the containers of a use case, the host's outside and one another: all are tried, honest and not.

Ways knows the containers and a TCP port of each; it adds a UDP echo and an ear to each. What is asked in parallel
is asked by threads, as World.at moves only the thread that calls it.
"""
import http.client
import itertools
import os
import select
import socket
import ssl
import struct
from concurrent.futures import ThreadPoolExecutor

from testbed import HOST_LAN, HOST_UP, Response, check, contextlib

ECHO, EAR = 7007, 7008  # UDP ports
OUTSIDE = {"lan": HOST_LAN, "internet": HOST_UP}  # who is not of the host, and the host's address for it
ALL = {"TCP", "UDP", "ICMP"}
SOON, LATE = 0.6, 4  # how long an answer may take that must not come, and one that must


class Ways:
    """@ports: {container: a TCP port that it listens on}."""

    def __init__(self, w, ports):
        self.w, self.ports, self.echoes, self.ears = w, ports, [], {}
        self.nets = {name: {n: e["IPAddress"] for n, e in w.inspect(name)["NetworkSettings"]["Networks"].items()} for name in ports}

    def __enter__(self):
        for name in self.ports:
            self.echoes.append(self.w.udp_echo(name, ECHO))
            self.ears[name] = self.w._bound("c:" + name, "0.0.0.0", EAR, socket.SOCK_DGRAM)
        return self

    def __exit__(self, *_):
        for s in [*self.echoes, *self.ears.values()]:
            s.close()

    def mate(self, name, network):
        """Another container of the network."""
        return next(n for n in self.ports if n != name and network in self.nets[n])

    def names(self, name, network):
        return [name, "%s.%s" % (name, network), self.w.inspect(name)["Id"][:12]]

    # ---- honest ways ----

    def reached(self, place, name, address, wait):
        """Those of TCP, UDP and ICMP by which @place reaches @name at @address."""
        w = self.w
        tries = {"TCP": lambda: w.tcp_reach(place, address, self.ports[name], wait),
                 "UDP": lambda: w.udp(place, address, ECHO, wait=wait), "ICMP": lambda: w.ping(place, address, wait)}
        with ThreadPoolExecutor(len(tries)) as pool:
            return {proto for proto, came in zip(tries, pool.map(lambda fn: fn(), tries.values())) if came}

    def all_reach(self, place, name, addresses):
        """By each of the three at each of @addresses; a datagram may be lost on a busy machine, not twice."""
        for address in addresses:
            missing = ALL - self.reached(place, name, address, LATE)
            missing = missing and missing - self.reached(place, name, address, LATE)
            check(not missing, "%s does not reach %s at %s by %s", place, name, address, missing)
        return bool(addresses)

    def any_reach(self, place, targets):
        """@targets: [(container, address)]"""
        with ThreadPoolExecutor(len(targets)) as pool:
            return set().union(*pool.map(lambda t: self.reached(place, *t, SOON), targets))

    def finds(self, who, name, network):
        """@who finds @name on @network, by each of its names."""
        for n in self.names(name, network):
            if self.w.resolve(who, n) != [self.nets[name][network]]:
                return False
        return True

    def open_ports(self, place, address, ports):
        """Those of @ports that accept a connection."""
        found = []
        for i in range(0, len(ports), 400):
            found += self._open(place, address, ports[i:i + 400])
        return found

    def _open(self, place, address, ports):
        poll, waiting, found = select.poll(), {}, []
        with self.w.at(place):
            for port in ports:
                s = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                s.connect_ex((address, port))
                waiting[s.fileno()] = s, port
                poll.register(s, select.POLLOUT)
        while waiting and (ready := poll.poll(SOON * 1000)):
            for fd, _ in ready:
                s, port = waiting.pop(fd)
                poll.unregister(fd)
                if not s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    found.append(port)
                s.close()
        for s, _ in waiting.values():
            s.close()
        return found

    # ---- claims, many at once: rows of (text, function) ----

    def claim(self, case, rows):
        """Tries all @rows side by side, as each waits for what does not come; then claims them in order."""
        with ThreadPoolExecutor(8) as pool:
            for text, job in [(text, pool.submit(fn)) for text, fn in rows]:
                case.claim(text, job.result)

    def no(self, control, probe):
        """For a row: what Case.forbidden claims."""
        def tried():
            check(control(), "the control fails: what must be forbidden cannot be tried")
            check(not probe(), "it works, and must not")
            return True
        return tried

    def pairs(self):
        """What each container may do to each other one follows from the networks that they share."""
        for a, b in itertools.permutations(self.ports, 2):
            for net in sorted(self.nets[b]):
                if net in self.nets[a]:
                    yield self.open_row(a, b, net)
                else:
                    yield from self.closed_rows(a, b, net)

    def open_row(self, a, b, net):
        return ("%s reaches %s on %s, by name and address, over TCP, UDP and ICMP" % (a, b, net),
                lambda: self.finds(a, b, net) and self.all_reach("c:" + a, b, [self.nets[b][net]]))

    def closed_rows(self, a, b, net):
        address, mate = self.nets[b][net], self.mate(b, net)
        yield ("%s does not reach %s on %s by its address, over TCP, UDP or ICMP" % (a, b, net),
               self.no(lambda: self.all_reach("c:" + mate, b, [address]), lambda: self.any_reach("c:" + a, [(b, address)])))
        yield ("%s does not find %s's address on %s by any name" % (a, b, net),
               self.no(lambda: self.finds(mate, b, net),
                       lambda: any(address in self.w.resolve(a, n, wait=1) for n in self.names(b, net))))

    def outside(self, names, place):
        """Containers by their own addresses, from a machine that has a route to them over the host."""
        for name in names:
            addresses = list(self.nets[name].values())
            yield ("%s does not reach %s by its own address, over TCP, UDP or ICMP" % (place, name),
                   self.no(lambda n=name, at=addresses: self.all_reach("host", n, at),
                           lambda n=name, at=addresses: self.any_reach(place, [(n, a) for a in at])))

    # ---- dishonest ways ----

    def claim_taken_over(self, case, says, who, name, net):
        """Root in @who's network namespace tries what it can to get to @name on @net; @says: what the guide says of it."""
        mate = self.mate(name, net)
        case.forbidden("%s: root in %s, with routes of its own and borrowed sources, gets nothing to %s on %s" % (says, who, name, net),
                       lambda: self.arrives("c:" + mate, name, net),
                       lambda: self.break_in(who, name, net))

    def hops(self, who):
        """Each way that a route of @who may take: the gateway of each network, each neighbour, the wire itself."""
        out = []
        for link in self.w.ip_json("c:" + who, "-4", "addr", "show"):
            if link["ifname"] == "lo":
                continue
            mine = link["addr_info"][0]["local"]
            net = next(n for n, a in self.nets[who].items() if a == mine)
            vias = [c["Gateway"] for c in self.w.network(net)["IPAM"]["Config"] if "." in c["Gateway"]]
            vias += [self.nets[n][net] for n in self.ports if n != who and net in self.nets[n]]
            out += ["via %s dev %s" % (v, link["ifname"]) for v in vias] + ["dev %s scope link" % link["ifname"]]
        return out

    def break_in(self, who, name, net):
        """True if a connection of @who comes about or one datagram arrives, answered or not. A neighbour of @name gets
        in, of course: to a neighbour all of its addresses are one machine."""
        w, place, target = self.w, "c:" + who, self.nets[name][net]
        borrowed = [self.nets[n][net] for n in self.ports if n != name and net in self.nets[n] and net not in self.nets[who]]
        for s in borrowed:
            w.ip(place, "addr add %s/32 dev lo" % s)
        token, hops = os.urandom(8), self.hops(who)
        try:
            with contextlib.ExitStack() as calls:
                calling = []
                for hop in hops:
                    w.ip(place, "route replace %s/32 %s" % (target, hop))
                    calling.append(calls.enter_context(self.call(place, target, self.ports[name])))
                    for source in [None, *borrowed]:
                        self.send(place, source, target, token)
                return self.hears(name, token, SOON) or any(connects(s) for s in calling)
        finally:
            w.ip(place, "route flush %s/32" % target, *["addr del %s/32 dev lo" % s for s in borrowed])

    def arrives(self, place, name, net):
        token = os.urandom(8)
        self.send(place, None, self.nets[name][net], token)
        return self.hears(name, token, LATE)

    def call(self, place, target, port):
        """A connection that is on its way; nobody waits for it."""
        with self.w.at(place):
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        s.connect_ex((target, port))
        return s

    def send(self, place, source, target, token):
        with self.w.at(place), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
            if source:
                s.bind((source, 0))
            s.sendto(token, (target, EAR))

    def hears(self, name, token, wait):
        """Does a datagram come to @name's ear?"""
        ear = self.ears[name]
        while select.select([ear], [], [], wait)[0]:
            if ear.recv(64) == token:
                return True
        return False


def connects(s):
    return bool(select.select([], [s], [], 0)[1]) and not s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def try_readme(w, folder):
    """What a README says to try: its indented lines below "## Try", on the host; curl fails where HTTP does."""
    with open(folder + "/README.md") as f:
        part = f.read().split("\n## Try\n")[1].split("\n## ")[0]
    with open(w.home + "/.curlrc", "w") as f:
        f.write("fail\n")
    lines = [line[4:] for line in part.splitlines() if line.startswith("    ")]
    w.sh("\n".join(lines))
    return len(lines) > 0


# ---- HTTP with TLS ----

def connected(w, place, address, port, ca=None, wait=10):
    """A connection from @place; with @ca, a CA's certificate as text, over TLS, to one who can prove to be localhost."""
    with w.at(place):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(wait)
    try:
        s.connect((address, port))
        return ssl.create_default_context(cadata=ca).wrap_socket(s, server_hostname="localhost") if ca else s
    except BaseException:
        s.close()
        raise


def fetch(w, place, address, port, path, ca=None, wait=20, **headers):
    """A Response to a GET; raises OSError if none comes."""
    c = http.client.HTTPConnection(address, port, timeout=wait)
    c.sock = connected(w, place, address, port, ca, wait)
    with contextlib.closing(c):
        c.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        r = c.getresponse()
        return Response(r.status, r.headers, r.read())


def status(*args, **kw):
    """The status of fetch(), None without an answer."""
    try:
        return fetch(*args, **kw).status
    except (OSError, http.client.HTTPException, struct.error):
        return None
