# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways between containers and places: which of TCP, UDP and ICMP come through, seen at both ends.

A way is open if an answer comes back or if the packet was heard at the target: what gets out of a
closed network has got out, answered or not. Some words of real protocols are here, too.
"""
import contextlib
import http.client
import socket
import ssl
import struct
import time

import packets
import probes
import testbed
from testbed import check, until

PORT = 7007  # no server of an image listens there
WAIT = 0.5  # for what must not come; a control has shown that it would have come
ALL = ("tcp", "udp", "icmp")
PLACES = {"internet": [testbed.INTERNET, testbed.FAR], "lan": [testbed.LAN], "host": ["0.0.0.0"]}


class Ways:
    """Listeners and ears in the three places and in @containers, for as long as they run."""

    def __init__(self, w, *containers):
        self.w, self.crowd = w, probes.Crowd(w)
        for place, addresses in PLACES.items():
            self.crowd.add(place, place, [PORT], addresses)
        for c in containers:
            self.crowd.add(c, "c:" + c, [PORT], ["0.0.0.0"])
        self.crowd.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.crowd.close()

    def open(self, source, target, address, kinds=ALL, wait=WAIT):
        """Those of @kinds by which @source comes to @target at @address."""
        tried = [probes.Probe(source, kind, address, PORT, target) for kind in kinds]
        self.crowd.batch(tried, wait)
        return [p.proto for p in tried if p.heard or p.answer is not None]

    def all(self, source, target, address, kinds=ALL, seconds=20):
        """Are they all open? A lost packet is sent again: that is a busy machine's, no firewall's."""
        left, end = list(kinds), time.monotonic() + seconds
        while left and time.monotonic() < end:
            came = self.open(source, target, address, left, 1)
            left = [k for k in left if k not in came]
        return not left

    def lies(self, source, target, pretended, address, wait=WAIT):
        """Datagrams of @source, made by hand, one with each sender of @pretended. Return: those that @target hears."""
        tokens = {next(probes.TOKENS): p for p in pretended}
        with self.w.at(self.crowd.places[source]), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            for token, sender in tokens.items():
                segment = packets.udp(sender, address, token, PORT, b"probe %d" % token)
                with contextlib.suppress(OSError):
                    s.sendto(packets.ip(sender, address, packets.UDP, segment), (address, 0))

        def heard():
            return [p for token, p in tokens.items() if (target, "udp", token) in self.crowd.heard]
        with contextlib.suppress(testbed.Failed):
            until(lambda: len(heard()) == len(tokens), "the datagrams", wait)
        return heard()


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


def gateway(w, network):
    return w.network(network)["IPAM"]["Config"][0]["Gateway"]


def soon(fn, *args, seconds=20):
    """For controls: does fn(*args) become true?"""
    with contextlib.suppress(testbed.Failed):
        return until(lambda: fn(*args), "it", seconds)
    return False


def postgres(w, place, address, port=5432, wait=WAIT):
    """Does a PostgreSQL server answer there? Asked as each of its clients asks first: may we speak TLS?"""
    return _asks(w, place, address, port, struct.pack("!II", 8, 80877103), wait) in (b"S", b"N")


def redis(w, place, address, port=6379, wait=WAIT):
    return _asks(w, place, address, port, b"PING\r\n", wait) == b"+PONG\r\n"


def mysql(w, place, address, port=3306, wait=WAIT):
    """It speaks first: a packet whose fifth byte is the protocol's version."""
    return (_asks(w, place, address, port, b"", wait) or b"")[4:5] == b"\x0a"


def _asks(w, place, address, port, words, wait):
    with w.at(place):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with s:
        s.settimeout(wait)
        try:
            s.connect((address, port))
            s.sendall(words)
            return s.recv(64)
        except OSError:
            return None


def https(w, place, address, path, port=443, wait=20):
    """(status, text) of a GET over TLS, whoever signed the certificate."""
    with w.at(place):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(wait)
    s.connect((address, port))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.closing(http.client.HTTPConnection(address, port)) as c:
        c.sock = context.wrap_socket(s)
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.read().decode()


def get(w, container, name, port, path="/", wait=20):
    """The body of a GET from a container's namespace, of the server that its resolver knows as @name."""
    found = w.resolve(container, name)
    check(found, "%s does not find %s", container, name)
    return w.http_get("c:" + container, "http://%s:%d%s" % (found[0], port, path), wait)
