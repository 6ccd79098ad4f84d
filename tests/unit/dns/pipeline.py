#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw clients that dig cannot be: pipeline.py PORT WHAT NAME, prints what came back."""
import select
import socket
import struct
import sys
import time

import dns.message
import dns.rcode

port, what, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def connect():
    return socket.create_connection(("127.0.0.11", port), 5)


def send(s, q):
    w = q.to_wire()
    s.sendall(struct.pack(">H", len(w)) + w)


def receive(s):
    head = s.recv(2, socket.MSG_WAITALL)
    if len(head) < 2:
        return None
    return dns.message.from_wire(s.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL))


if what == "pipeline":  # local and forwarded questions in one go, then a half-close
    s = connect()
    qs = [dns.message.make_query(n, "A") for n in (name, "p1.test", name, "p2.test", name)]
    for q in qs:
        send(s, q)
    s.shutdown(socket.SHUT_WR)
    rs = [receive(s) for _ in qs]
    print(all(r is not None and q.is_response(r) and r.answer for q, r in zip(qs, rs)),
          receive(s) is None)
elif what == "bytes":  # one byte at a time
    s = connect()
    w = dns.message.make_query(name, "A").to_wire()
    for b in struct.pack(">H", len(w)) + w:
        s.sendall(bytes([b]))
        time.sleep(0.002)
    print(receive(s).answer[0][0])
elif what == "many":  # more connections than there may be: the newest are served
    ss = [connect() for _ in range(150)]
    send(ss[-1], dns.message.make_query(name, "A"))
    answer = receive(ss[-1]).answer[0][0]
    time.sleep(0.1)
    closed = sum(1 for s in ss if select.select([s], [], [], 0)[0])
    print(answer, 150 - closed <= 64)
elif what == "garbage":  # then a sane question still is answered
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.connect(("127.0.0.11", port))
    rnd = __import__("random").Random(7)
    good = dns.message.make_query(name, "A").to_wire()
    for i in range(3000):
        b = bytearray(good if i & 1 else rnd.randbytes(rnd.randrange(0, 200)))
        for _ in range(rnd.randrange(0, 6)):
            if b:
                b[rnd.randrange(len(b))] = rnd.randrange(256)
        u.send(bytes(b))
    for junk in (b"\0\0", b"\xff\xff", b"\0\x0c" + bytes(12), b"\0\x05hello"):
        s = connect()
        s.sendall(junk)
        s.close()
    u2 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u2.connect(("127.0.0.11", port))
    u2.settimeout(1)
    for attempt in range(4):  # a datagram is lost while the socket's queue is full of garbage
        u2.send(good)
        try:
            print(dns.message.from_wire(u2.recv(4096)).answer[0][0])
            break
        except TimeoutError:
            pass
elif what == "refused":  # more than 1024 at once to a silent server
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    u.connect(("127.0.0.11", port))
    u.settimeout(3)
    refused = 0
    for i in range(1100):
        u.send(dns.message.make_query("q%d.test" % i, "A").to_wire())
        if i % 20 == 0:
            time.sleep(0.001)
    try:
        while True:
            r = dns.message.from_wire(u.recv(4096))
            refused += r.rcode() == dns.rcode.REFUSED
            if refused == 76:
                break
    except TimeoutError:
        pass
    print(refused)
