# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers of the testbed's internet: HTTP and DNS. Each is a thread over sockets that were made
in the right network namespace; a socket stays in the namespace where it was born."""
import socket
import struct
import threading

A, NS, CNAME, SOA, PTR, TXT, AAAA, OPT = 1, 2, 5, 6, 12, 16, 28, 41
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def thread(fn, *args):
    t = threading.Thread(target=fn, args=args, daemon=True)
    t.start()
    return t


class Http:
    """Answers any GET with "hello from internet, client ADDRESS" and remembers the clients."""

    def __init__(self, *socks):
        self.clients = []
        for sock in socks:
            sock.listen(128)
            thread(self.serve, sock)

    def serve(self, sock):
        while True:
            try:
                conn, peer = sock.accept()
            except OSError:
                return
            thread(self.one, conn, peer)

    def one(self, conn, peer):
        with conn:
            conn.settimeout(5)
            try:
                if not conn.recv(65536):
                    return
                self.clients.append(peer[0])
                body = ("hello from internet, client %s\n" % peer[0]).encode()
                conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            except OSError:
                pass


class Echo:
    """TCP: sends back what comes. The peers are remembered."""

    def __init__(self, sock):
        self.clients = []
        sock.listen(128)
        thread(self.serve, sock)

    def serve(self, sock):
        while True:
            try:
                conn, peer = sock.accept()
            except OSError:
                return
            self.clients.append(peer[0])
            thread(self.one, conn)

    def one(self, conn):
        with conn:
            try:
                while data := conn.recv(65536):
                    conn.sendall(data)
            except OSError:
                pass


class UdpEcho:
    """UDP: sends each datagram back with a mark before it."""

    def __init__(self, sock, mark=b"echo "):
        self.clients, self.sock, self.mark = [], sock, mark
        thread(self.serve)

    def serve(self):
        while True:
            try:
                data, peer = self.sock.recvfrom(65536)
                if peer is None:  # close() has shut it down
                    return
                self.clients.append(peer[0])
                self.sock.sendto(self.mark + data, peer)
            except OSError:
                return

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def encode_name(name):
    out = b""
    for label in name.strip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode("latin-1")
    return out + b"\0"


def decode_name(msg, at):
    labels, end, hops = [], None, 0
    while True:
        n = msg[at]
        if n & 0xc0 == 0xc0:
            end = at + 2 if end is None else end
            at = struct.unpack_from("!H", msg, at)[0] & 0x3fff
            hops += 1
            if hops > 30:
                raise ValueError("a loop of pointers")
            continue
        at += 1
        if n == 0:
            return ".".join(labels), end if end is not None else at
        labels.append(msg[at:at + n].decode("latin-1"))
        at += n


def query(name, qtype=A, qid=0x1234, rd=True):
    return struct.pack("!6H", qid, 0x100 if rd else 0, 1, 0, 0, 0) + encode_name(name) + struct.pack("!2H", qtype, 1)


class Answer:
    """A DNS answer, parsed: rcode, the records as (name, type, ttl, text), flags."""

    def __init__(self, msg):
        self.id, flags, qd, an, ns, ar = struct.unpack_from("!6H", msg)
        self.rcode, self.truncated = flags & 15, bool(flags & 0x200)
        self.authoritative, self.recursion = bool(flags & 0x400), bool(flags & 0x80)
        at = 12
        for _ in range(qd):
            _, at = decode_name(msg, at)
            at += 4
        self.records = []
        for _ in range(an):
            name, at = decode_name(msg, at)
            kind, _, ttl, length = struct.unpack_from("!HHIH", msg, at)
            at += 10
            data = msg[at:at + length]
            if kind == A:
                text = socket.inet_ntoa(data)
            elif kind == AAAA:
                text = socket.inet_ntop(socket.AF_INET6, data)
            elif kind in (PTR, CNAME, NS):
                text = decode_name(msg, at)[0]
            else:
                text = data.hex()
            self.records.append((name, kind, ttl, text))
            at += length

    def texts(self, kind=A):
        return [r[3] for r in self.records if r[1] == kind]

    def __repr__(self):
        return "Answer(rcode=%d, %s)" % (self.rcode, self.records)


class Dns:
    """Answers from @zone (name -> list of (type, text or bytes)). What is not there is NXDOMAIN.
    @queries remembers (name, type, "udp" or "tcp", client). A name in @truncate is cut over UDP; a
    name in @silent gets no answer."""

    def __init__(self, udp, tcp, zone):
        self.zone, self.queries, self.truncate, self.silent = zone, [], set(), set()
        self.ttl = 60
        self.listen(udp, tcp)

    def listen(self, udp, tcp):
        tcp.listen(64)
        thread(self.serve_udp, udp)
        thread(self.serve_tcp, tcp)

    def answer(self, msg, proto, client):
        qid, flags = struct.unpack_from("!2H", msg)
        name, at = decode_name(msg, 12)
        qtype = struct.unpack_from("!H", msg, at)[0]
        question = msg[12:at + 4]
        low = name.lower()
        self.queries.append((low, qtype, proto, client))
        if low in self.silent:
            return None
        known = self.zone.get(low)
        records = [r for r in known or [] if r[0] == qtype]
        rcode = NOERROR if known is not None else NXDOMAIN
        out = b""
        for kind, value in records:
            data = socket.inet_aton(value) if kind == A else (
                socket.inet_pton(socket.AF_INET6, value) if kind == AAAA else (
                    encode_name(value) if kind in (PTR, CNAME) else value))
            out += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, self.ttl, len(data)) + data
        tc = 0
        if proto == "udp" and (low in self.truncate or len(out) > 480):
            out, records, tc = b"", [], 0x200
        head = struct.pack("!6H", qid, 0x8180 | tc | rcode | (flags & 0x100), 1, len(records), 0, 0)
        return head + question + out

    def asked(self, name):
        return [q for q in self.queries if q[0] == name.lower()]

    def serve_udp(self, sock):
        while True:
            try:
                msg, peer = sock.recvfrom(4096)
                out = self.answer(msg, "udp", peer[0])
                if out:
                    sock.sendto(out, peer)
            except (struct.error, IndexError, ValueError):
                continue
            except OSError:
                return

    def serve_tcp(self, sock):
        while True:
            try:
                conn, peer = sock.accept()
            except OSError:
                return
            thread(self.one_tcp, conn, peer)

    def one_tcp(self, conn, peer):
        with conn:
            conn.settimeout(5)
            try:
                while True:
                    head = conn.recv(2, socket.MSG_WAITALL)
                    if len(head) < 2:
                        return
                    msg = conn.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                    out = self.answer(msg, "tcp", peer[0])
                    if out:
                        conn.sendall(struct.pack("!H", len(out)) + out)
            except (OSError, struct.error, IndexError, ValueError):
                return
