# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets made by hand, for those who lie: Ethernet, IPv4, IPv6, TCP SYN, UDP, echo, ARP, ND."""
import contextlib
import ipaddress
import socket
import struct

ETH_IP, ETH_ARP, ETH_IP6, ETH_ALL = 0x800, 0x806, 0x86dd, 3
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
ECHO, ECHO_REPLY, ECHO6, ECHO_REPLY6, NEIGHBOUR_ADVERT = 8, 0, 128, 129, 136
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return ipaddress.ip_address(address).packed


def summed(source, target, proto, segment, at):
    """@segment with its checksum, over the pseudo header, at offset @at."""
    tail = struct.pack("!I3xB", len(segment), proto) if ":" in target else struct.pack("!BBH", 0, proto, len(segment))
    total = checksum(packed(source) + packed(target) + tail + segment)
    return segment[:at] + struct.pack("!H", total) + segment[at + 2:]


def udp(source, target, sport, dport, data):
    return summed(source, target, UDP, struct.pack("!4H", sport, dport, 8 + len(data), 0) + data, 6)


def syn(source, target, sport, dport):
    return summed(source, target, TCP, struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, 2, 1024, 0, 0), 16)


def echo_request(six, ident, seq):
    """For a raw socket; the kernel sums ICMPv6 itself."""
    body = struct.pack("!BBHHH", ECHO6 if six else ECHO, 0, 0, ident, seq)
    return body if six else body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def ip(source, target, proto, segment, ttl=64):
    if ":" in target:
        return struct.pack("!IHBB", 6 << 28, len(segment), proto, ttl) + packed(source) + packed(target) + segment
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, ttl, proto, 0) + packed(source) + packed(target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + segment


def frame(source_mac, target_mac, packet, kind=None):
    if kind is None:
        kind = ETH_IP6 if packet[0] >> 4 == 6 else ETH_IP
    return mac_bytes(target_mac) + mac_bytes(source_mac) + struct.pack("!H", kind) + packet


def arp(op, source_mac, source, target_mac, target):
    return struct.pack("!HHBBH", 1, ETH_IP, 6, 4, op) + mac_bytes(source_mac) + packed(source) + mac_bytes(target_mac) + packed(target)


def advert(source, target, about, mac):
    """A neighbour advertisement, with override: @about is at @mac."""
    body = struct.pack("!BBHI", NEIGHBOUR_ADVERT, 0, 0, 0x60000000) + packed(about) + struct.pack("!BB", 2, 1) + mac_bytes(mac)
    return ip(source, target, ICMP6, summed(source, target, ICMP6, body, 2), 255)


@contextlib.contextmanager
def wire(w, place, link="eth0", wait=0.7):
    """A packet socket on a link of a place: what is sent leaves as it is, what comes is seen first."""
    with w.at(place):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
    with s:
        s.bind((link, ETH_ALL))
        s.settimeout(wait)
        yield s


def sees(s, part):
    """Does a packet that contains @part come in within the socket's time?"""
    try:
        while True:
            data, where = s.recvfrom(4096)
            if where[2] != socket.PACKET_OUTGOING and part in data:
                return True
    except OSError:
        return False
