#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Name servers for the tests: upstream.py ADDRESS=MODE[,MARK] ...

Each listens on ADDRESS:53, UDP and TCP, and answers A questions with MARK (an address, TTL 60), by
MODE: good; servfail; refused; silent; slow (700 ms late); forge (wrong id, then wrong question,
then, from another port, a right one; then the good answer); tc (UDP: cut, TCP: good); big (40
addresses); drop (the first UDP query of each name is not answered).
Names that begin with "nx" do not exist (SOA minimum 60). TXT of "count.test" tells how many
questions came but for those; TXT of "ports.test" how many different source ports and ids they had.
"""
import socket
import struct
import sys
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class Server:
    def __init__(self, address, mode, mark):
        self.address, self.mode, self.mark = address, mode, mark
        self.count, self.ports, self.ids, self.dropped = 0, set(), set(), set()
        self.lock = threading.Lock()

    def answer(self, wire, peer, tcp):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text().lower()
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if name in ("count.test.", "ports.test."):
            text = str(self.count) if name[0] == "c" else "%d %d" % (len(self.ports), len(self.ids))
            reply.answer.append(dns.rrset.from_text(question.name, 0, "IN", "TXT", text))
            return [reply.to_wire()]
        with self.lock:
            self.count += 1
            self.ports.add(peer[1])
            self.ids.add(query.id)
        if self.mode == "silent":
            return []
        if self.mode == "drop" and name not in self.dropped:
            self.dropped.add(name)
            return []
        if self.mode == "slow":
            time.sleep(0.7)
        if self.mode in ("servfail", "refused"):
            reply.set_rcode(dns.rcode.from_text(self.mode.upper()))
        elif name.startswith("nx"):
            reply.set_rcode(dns.rcode.NXDOMAIN)
            reply.authority.append(
                dns.rrset.from_text("test.", 60, "IN", "SOA", "a. b. 1 2 3 4 60"))
        elif self.mode == "tc" and not tcp:
            reply.flags |= dns.flags.TC
        elif question.rdtype == dns.rdatatype.A:
            marks = [self.mark]
            if self.mode == "big":
                marks = ["192.0.2.%d" % i for i in range(100, 140)]
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", *marks))
        if self.mode == "big" and not tcp:
            size = query.payload if query.edns >= 0 else 512
            if len(reply.to_wire()) > max(size, 512):
                reply.answer = []
                reply.flags |= dns.flags.TC
        out = [reply.to_wire()]
        if self.mode == "forge":
            reply.id ^= 1
            out.insert(0, reply.to_wire())
            reply.id ^= 1
            reply.question = dns.message.make_query("other.test.", "A").question
            out.insert(1, reply.to_wire())
        return out

    def udp(self, sock):
        def one(wire, peer):
            answers = self.answer(wire, peer, False)
            if self.mode == "forge":
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                    stranger.bind((self.address, 0))
                    bad = bytearray(answers[-1])
                    bad[-1] = 66
                    stranger.sendto(bytes(bad), peer)
            for a in answers:
                sock.sendto(a, peer)
        while True:
            wire, peer = sock.recvfrom(65535)
            if self.mode == "slow":
                threading.Thread(target=one, args=(wire, peer), daemon=True).start()
            else:
                one(wire, peer)

    def tcp(self, listener):
        def one(conn, peer):
            with conn:
                while True:
                    try:
                        head = conn.recv(2, socket.MSG_WAITALL)
                    except ConnectionResetError:  # connect(AF_UNSPEC) ends it so
                        return
                    if len(head) < 2:
                        return
                    wire = conn.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
                    for a in self.answer(wire, peer, True):
                        out = struct.pack(">H", len(a)) + a
                        conn.sendall(out[:7])  # in pieces
                        time.sleep(0.01)
                        conn.sendall(out[7:])
        while True:
            threading.Thread(target=one, args=listener.accept(), daemon=True).start()

    def start(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.bind((self.address, 53))
        tcp = socket.socket(family, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((self.address, 53))
        tcp.listen(64)
        threading.Thread(target=self.udp, args=(udp,), daemon=True).start()
        threading.Thread(target=self.tcp, args=(tcp,), daemon=True).start()


for arg in sys.argv[1:]:
    addr, _, rest = arg.partition("=")
    how, _, what = rest.partition(",")
    Server(addr, how, what or "192.0.2.1").start()
print("ready", flush=True)
threading.Event().wait()
