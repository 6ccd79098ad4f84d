# SPDX-License-Identifier: GPL-2.0-or-later
"""Many probes at once: sockets made in the places they belong to, driven together by one loop.

A Crowd listens in each place it is given (TCP, UDP; the kernel itself answers echo), says its name to
whoever reaches it, and hears with raw sockets what is delivered to the place, so that a packet which
came in one way only, without an answer, is noticed too. A Probe knows by its token (source port, echo
id, payload) what was heard of it.
"""
import collections
import itertools
import resource
import selectors
import socket
import struct
import threading
import time

import packets
import servers

TOKENS = itertools.cycle(range(10241, 32768))  # no source port that the kernel chooses itself: nobody else's connection is heard


class Probe:
    """@proto "tcp", "udp", "icmp" or "dns" (then @address is the name that is asked for) from @place to
    @address, @port. @owner: whom it should reach. After a batch: @answer is what came back (a name; ""
    for an answer without one; None for nothing), @heard is true if the packet came to @owner. @mute: over TCP
    a connection is all that is awaited, for the server there says no name."""
    __slots__ = ("place", "proto", "address", "port", "owner", "mute", "answer", "heard", "token", "why", "may", "key")

    def __init__(self, place, proto, address, port=0, owner=None, mute=False):
        self.mute = mute
        self.place, self.proto, self.address, self.port, self.owner = place, proto, address, port, owner
        self.answer, self.heard, self.token, self.why, self.may, self.key = None, False, 0, None, None, None

    def __repr__(self):
        where = self.address if self.proto in ("icmp", "dns") else "%s port %d" % (self.address, self.port)
        return "%s: %s to %s (%s)" % (self.place, self.proto, where, self.owner)


class Crowd:
    """Listeners and ears of several places; see the head of the file. @w: the World."""

    def __init__(self, w):
        self.w, self.places, self.heard, self.lock = w, {}, set(), threading.Lock()
        self.selector, self.sockets = selectors.DefaultSelector(), []
        self.wake, self.waker = socket.socketpair()
        self.selector.register(self.waker, selectors.EVENT_READ, None)
        self.thread = threading.Thread(target=self._loop, daemon=True)

    def add(self, name, place, ports, addresses):
        """@place (as for World.at) listens on each of @ports at each of its @addresses."""
        self.places[name] = place
        with self.w.at(place):
            for kind in (socket.AF_INET, socket.AF_INET6):
                icmp = socket.IPPROTO_ICMP if kind == socket.AF_INET else socket.IPPROTO_ICMPV6
                self._ear(name, kind, socket.IPPROTO_TCP, self._hear_tcp)
                self._ear(name, kind, icmp, self._hear_icmp)
                self._ear(name, kind, socket.IPPROTO_UDP, self._hear_udp)
            for address in addresses:
                kind = socket.AF_INET6 if ":" in address else socket.AF_INET
                for port in ports:
                    for sort, fn in ((socket.SOCK_STREAM, self._accept), (socket.SOCK_DGRAM, self._echo)):
                        s = self._socket(kind, sort)
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        if kind == socket.AF_INET6:
                            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        s.bind((address, port))
                        if sort == socket.SOCK_STREAM:
                            s.listen(512)
                        self.selector.register(s, selectors.EVENT_READ, (fn, name))

    def _socket(self, kind, sort, proto=0):
        s = socket.socket(kind, sort | socket.SOCK_NONBLOCK, proto)
        s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE: an ear misses nothing
        self.sockets.append(s)
        return s

    def _ear(self, name, kind, proto, fn):
        self.selector.register(self._socket(kind, socket.SOCK_RAW, proto), selectors.EVENT_READ, (fn, (name, kind)))

    def start(self):
        self.thread.start()
        return self

    def close(self):
        self.wake.close()
        self.thread.join()
        for s in self.sockets:
            s.close()
        self.waker.close()
        self.selector.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.thread.is_alive():
            self.close()

    def _loop(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                fn, name = key.data
                try:
                    fn(key.fileobj, name)
                except (OSError, struct.error, IndexError):
                    pass

    def _accept(self, s, name):
        conn, _ = s.accept()
        with conn:
            conn.sendall(name.encode())

    def _echo(self, s, name):
        data, peer = s.recvfrom(2048)
        s.sendto(name.encode() + b" " + data, peer)

    def _note(self, name, proto, token):
        with self.lock:
            self.heard.add((name, proto, token))

    def _segment(self, s, where):
        data = s.recv(4096)
        return data[(data[0] & 15) * 4:] if where[1] == socket.AF_INET else data

    def _hear_tcp(self, s, where):
        data = self._segment(s, where)
        if data[13] & 0x12 == 2:  # SYN
            self._note(where[0], "tcp", struct.unpack_from("!H", data)[0])

    def _hear_udp(self, s, where):
        data = self._segment(s, where)[8:]
        if data.startswith(b"probe "):
            self._note(where[0], "udp", int(data[6:]))

    def _hear_icmp(self, s, where):
        data = self._segment(s, where)
        if data[0] in (packets.ECHO, packets.ECHO6):
            self._note(where[0], "icmp", struct.unpack_from("!H", data, 4)[0])

    # ---- probing ----

    def batch(self, probes, wait):
        """Runs @probes, each for at most @wait seconds, as many at a time as there may be open files. Ends
        early when all have been answered."""
        with self.lock:
            self.heard.clear()
        self.answers(probes, wait)
        with self.lock:
            for p in probes:
                p.heard = (p.owner, p.proto, p.token) in self.heard

    def answers(self, probes, wait):
        """As batch, without a look at what was heard."""
        room = min(1500, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 250)
        for i in range(0, len(probes), room):
            self._some(probes[i:i + room], wait)

    def _some(self, probes, wait):
        selector, echo, open_ = selectors.DefaultSelector(), {}, []
        by_place = collections.defaultdict(list)
        for p in probes:
            p.answer, p.token = None, next(TOKENS)
            by_place[p.place].append(p)
        waiting = set(probes)
        try:
            for place, some in by_place.items():
                with self.w.at(self.places[place]):
                    for p in some:
                        s = self._open(p, place, echo, selector, open_)
                        try:
                            self._send(s, p)
                            if p.proto != "icmp":
                                selector.register(s, selectors.EVENT_WRITE if p.proto == "tcp" else selectors.EVENT_READ, p)
                        except OSError:
                            waiting.discard(p)
            end = time.monotonic() + wait
            while waiting and (left := end - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    if isinstance(key.data, Probe):
                        if self._progress(selector, key.fileobj, key.data):
                            waiting.discard(key.data)
                    else:
                        self._echo_reply(key.fileobj, key.data, waiting)
        finally:
            selector.close()
            for s in open_:
                s.close()

    def _open(self, p, place, echo, selector, open_):
        kind = socket.AF_INET6 if ":" in p.address and p.proto != "dns" else socket.AF_INET
        if p.proto == "icmp":  # one raw socket serves all of a place
            if (place, kind) not in echo:
                proto = socket.IPPROTO_ICMP if kind == socket.AF_INET else socket.IPPROTO_ICMPV6
                s = socket.socket(kind, socket.SOCK_RAW | socket.SOCK_NONBLOCK, proto)
                s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
                echo[place, kind] = s, {}
                open_.append(s)
                selector.register(s, selectors.EVENT_READ, echo[place, kind][1])
            echo[place, kind][1][p.token] = p
            return echo[place, kind][0]
        s = socket.socket(kind, (socket.SOCK_STREAM if p.proto == "tcp" else socket.SOCK_DGRAM) | socket.SOCK_NONBLOCK)
        open_.append(s)
        if p.proto == "tcp":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if kind == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for _ in range(20):
                try:
                    s.bind(("::" if kind == socket.AF_INET6 else "", p.token))
                    break
                except OSError:  # the kernel gave that port to somebody
                    p.token = next(TOKENS)
        return s

    def _send(self, s, p):
        if p.proto == "icmp":
            s.sendto(packets.echo_request(":" in p.address, p.token, 1), (p.address, 0))
        elif p.proto == "tcp":
            try:
                s.connect((p.address, p.port))
            except BlockingIOError:
                pass
        elif p.proto == "udp":
            s.connect((p.address, p.port))
            s.send(b"probe %d" % p.token)
        else:
            s.connect(("127.0.0.11", 53))
            s.send(servers.query(p.address, p.port, p.token))

    def _progress(self, selector, s, p):
        """Is @p done?"""
        try:
            if p.proto == "tcp" and p.answer is None:
                if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    selector.unregister(s)
                    return True
                p.answer = ""
                if p.mute:
                    selector.unregister(s)
                else:
                    selector.modify(s, selectors.EVENT_READ, p)
                return p.mute
            data = s.recv(4096)
            selector.unregister(s)
            p.answer = servers.Answer(data).texts(p.port) if p.proto == "dns" else data.decode().partition(" ")[0]
        except BlockingIOError:
            return False
        except (OSError, struct.error, IndexError):
            selector.unregister(s)
        return True

    def _echo_reply(self, s, known, waiting):
        try:
            while True:
                data, peer = s.recvfrom(2048)
                if s.family == socket.AF_INET:
                    data = data[(data[0] & 15) * 4:]
                p = known.get(struct.unpack_from("!H", data, 4)[0])
                if p and data[0] in (packets.ECHO_REPLY, packets.ECHO_REPLY6) and peer[0] == p.address:
                    p.answer = p.owner  # nothing but its address says who answers
                    waiting.discard(p)
        except BlockingIOError:
            pass
