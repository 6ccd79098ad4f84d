#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Attach by websocket, with a client that is not ours (python3-websocket), and raw frames beside it."""
import base64
import hashlib
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

import websocket  # noqa: E402  (Debian's python3-websocket)

ALL = "?stream=1&stdin=1&stdout=1&stderr=1"
PORT = 2375


def attach(w, name, query=ALL, version="", **kw):
    s = w.connect_api(60)
    return websocket.create_connection("ws://localhost%s/containers/%s/attach/ws%s" % (version, name, query), socket=s, timeout=60, **kw)


def read_until(ws, text):
    data = b""
    while text not in data:
        part = ws.recv()
        if not part:
            raise Failed("the end came before %r: %r" % (text, data[-200:]))
        data += part if isinstance(part, bytes) else part.encode()
    return data


def rest(ws):
    """All until the server's close frame. Return: the bytes and the close code."""
    parts = []
    while True:
        opcode, part = ws.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return b"".join(parts), struct.unpack("!H", part[:2])[0]
        parts.append(part)


def echo(w, name="box", *more, cmd=("cat",)):
    w.docker("run", "-d", "-i", "--name", name, *more, IMAGE, *cmd)
    return name


def test_terminal(w):
    echo(w, "box", "-t", cmd=("sh",))
    ws = attach(w, "box")
    ws.send("echo $((6 * 7))\n")
    read_until(ws, b"42\r\n")
    ws.send_binary(b"exit 3\n")
    data, code = rest(ws)
    contains(data, b"exit 3")
    equal(code, 1000)
    ws.close()
    equal(w.docker("wait", "box"), "3")


def test_both_outputs_without_frames(w):
    echo(w, "box", cmd=("sh", "-c", "read x; echo out-$x; echo err-$x >&2; read y"))
    ws = attach(w, "box")
    ws.send("1\n")
    data = read_until(ws, b"-1\n")
    if data.count(b"-1\n") < 2:
        data += read_until(ws, b"-1\n")
    equal(sorted(data.split()), [b"err-1", b"out-1"])
    ws.close()
    only = attach(w, "box", "?stream=1&stdout=1")
    only.close()


def test_binary_and_text(w):
    """Binary messages since API 1.28, text before."""
    echo(w)
    for version, opcode in (("", websocket.ABNF.OPCODE_BINARY), ("/v1.41", websocket.ABNF.OPCODE_BINARY), ("/v1.28", websocket.ABNF.OPCODE_BINARY),
                            ("/v1.27", websocket.ABNF.OPCODE_TEXT)):
        ws = attach(w, "box", version=version)
        ws.send("ping\n")
        equal(ws.recv_data(), (opcode, b"ping\n"), version)
        ws.close()


def test_every_byte_and_long_messages(w):
    echo(w, cmd=("sh", "-c", "head -c 2000256 | md5sum; cat"))
    data = bytes(range(256)) + os.urandom(2000000)
    ws = attach(w, "box")
    ws.send_binary(data)
    equal(read_until(ws, b"\n").split()[0].decode(), hashlib.md5(data).hexdigest())
    for size in (0, 1, 125, 126, 65535, 65536):  # each way to write a length
        ws.send_binary(b"x" * size + b"\n")
        equal(read_until(ws, b"\n"), b"x" * size + b"\n", size)
    ws.close()


def test_large_output(w):
    echo(w, cmd=("sh", "-c", "read x; head -c 20000000 /dev/zero | tr '\\0' z; echo; echo done"))
    ws = attach(w, "box")
    ws.send("\n")
    data, code = rest(ws)
    equal((len(data), data[-6:], code), (20000006, b"\ndone\n", 1000))
    ws.close()


def test_fragments_and_pings(w):
    echo(w)
    ws = attach(w, "box")
    frame = websocket.ABNF
    ws.send_frame(frame.create_frame(b"one ", frame.OPCODE_BINARY, 0))
    ws.ping(b"are you there")
    ws.send_frame(frame.create_frame(b"two ", frame.OPCODE_CONT, 0))
    ws.send_frame(frame.create_frame(b"three\n", frame.OPCODE_CONT, 1))
    got, pongs = b"", []
    while not got.endswith(b"three\n") or not pongs:
        opcode, part = ws.recv_data(control_frame=True)
        if opcode == frame.OPCODE_PONG:
            pongs.append(part)
        else:
            got += part
    equal((got, pongs), (b"one two three\n", [b"are you there"]))
    ws.pong(b"unasked")
    ws.send("on\n")
    equal(ws.recv(), b"on\n")
    ws.close()


def test_close_leaves_the_container_alone(w):
    echo(w)
    ws = attach(w, "box")
    ws.send_close(1000)
    equal(ws.recv_frame().opcode, websocket.ABNF.OPCODE_CLOSE)
    equal(ws.sock.recv(1), b"", "the connection's end")
    ws.shutdown()
    check(w.inspect("box")["State"]["Running"])
    with contextlib.closing(attach(w, "box")) as again:
        again.send("still\n")
        equal(again.recv(), b"still\n")
        again.sock.close()  # without a word
    check(w.inspect("box")["State"]["Running"])


def test_logs_and_detach_keys(w):
    echo(w, "box", "-t", cmd=("sh", "-c", "echo first; cat"))
    until(lambda: "first" in w.docker("logs", "box"), "the first line")
    ws = attach(w, "box", ALL + "&logs=1&detachKeys=ctrl-a,x")
    read_until(ws, b"first\r\n")
    with w.event('"Action":"detach"'):
        ws.send("\x01x")
        data, code = rest(ws)
    equal(code, 1000)
    ws.shutdown()
    check(w.inspect("box")["State"]["Running"])


# ---- what is no websocket, and what no client may send ----

def handshake(w, name, *headers, key="dGhlIHNhbXBsZSBub25jZQ=="):
    s = w.connect_api(30)
    lines = ["GET /containers/%s/attach/ws%s HTTP/1.1" % (name, ALL), "Host: x", "Connection: Upgrade", "Upgrade: websocket",
             "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key]
    for h in headers:
        name = h.split(":")[0]
        lines = [line for line in lines if not line.startswith(name + ":")] + ([h] if ": " in h else [])
    s.sendall("\r\n".join(lines + ["", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        part = s.recv(1)
        if not part:
            break
        head += part
    return s, head.decode()


def test_handshake(w):
    echo(w)
    s, head = handshake(w, "box")
    check(head.startswith("HTTP/1.1 101 "), "%r", head)
    contains(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")  # the RFC's own example
    contains(head, "Upgrade: websocket\r\n")
    s.close()
    for header in ("Upgrade", "Upgrade: tcp", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Key",
                   "Sec-WebSocket-Key: short", "Sec-WebSocket-Key: !!!!"):
        s, head = handshake(w, "box", header)
        check(head.startswith("HTTP/1.1 400 "), "%s: %r", header, head)
        s.close()
    s, head = handshake(w, "nobody")
    check(head.startswith("HTTP/1.1 404 "), "%r", head)
    s.close()


def masked(first, payload=b"", length=None):
    key, n = b"\x01\x02\x03\x04", len(payload) if length is None else length
    head = bytes([first]) + (bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack("!H", n) if n < 65536 else b"\xff" + struct.pack("!Q", n))
    return head + key + bytes(b ^ key[i & 3] for i, b in enumerate(payload))


def test_protocol_errors(w):
    echo(w)
    bad = {"without a mask": b"\x82\x02hi", "reserved bits": masked(0xc2, b"hi"), "unknown opcode": masked(0x83, b"hi"),
           "unknown control": masked(0x8b, b""), "a long ping": masked(0x89, b"x" * 126), "a ping in pieces": masked(0x09, b"x"),
           "a continuation of nothing": masked(0x80, b"x"), "a message within one": masked(0x02, b"x") + masked(0x82, b"y"),
           "a length that is not minimal": b"\x82\xfe\x00\x02\1\2\3\4ab", "a length beyond 63 bits": b"\x82\xff" + b"\xff" * 8 + b"\1\2\3\4"}
    for what, data in bad.items():
        s, head = handshake(w, "box")
        check(head.startswith("HTTP/1.1 101 "), "%r", head)
        s.sendall(data)
        got = b""
        while part := s.recv(4096):
            got += part
        check(got.endswith(b"\x88\x02" + struct.pack("!H", 1002)), "%s: %r", what, got)
        s.close()
    with contextlib.closing(attach(w, "box")) as ws:
        ws.send("alive\n")
        read_until(ws, b"alive\n")
    w.idles()


def test_one_who_pings_and_does_not_read(w):
    echo(w)
    s, _ = handshake(w, "box")
    s.setblocking(False)
    for _ in range(2000):
        with contextlib.suppress(BlockingIOError):
            s.send(masked(0x89, b"p" * 100) * 50)
    with contextlib.closing(attach(w, "box")) as ws:
        ws.send("others\n")
        read_until(ws, b"others\n")
    w.idles()
    s.close()


def test_early_bytes(w):
    """Frames sent before the answer to the handshake."""
    echo(w)
    s = w.connect_api(30)
    key = base64.b64encode(os.urandom(16)).decode()
    s.sendall(("GET /containers/box/attach/ws%s HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % (ALL, key)).encode() + masked(0x82, b"early\n"))
    got = b""
    while not got.endswith(b"early\n"):
        part = s.recv(4096)
        check(part, "the end came: %r", got)
        got += part
    s.close()


def test_docker_py(w):
    try:
        import docker
    except ImportError:
        raise Skip("python3-docker is not installed") from None
    before, w.flags = w.flags, ["-H", "tcp://127.0.0.1:%d" % PORT]
    try:
        w.restart()
        echo(w)
        with w.at("host"):
            c = docker.APIClient(base_url="tcp://127.0.0.1:%d" % PORT, version="auto", timeout=60)
            ws = c.attach_socket("box", {"stdin": 1, "stdout": 1, "stream": 1}, ws=True)
        ws.send("by docker-py\n")
        equal(ws.recv(), b"by docker-py\n")
        ws.close()
        c.close()
        w.api("DELETE", "/containers/box?force=1")
    finally:
        w.flags = before
        w.restart()


main(globals())
