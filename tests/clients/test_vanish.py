#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that vanish in the middle of a stream, 200 times a kind: afterwards the engine has no more descriptors, processes
and memory than before, and works."""
import contextlib
import hashlib
import http.server
import io
import json
import os
import socketserver
import sys
import tarfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

TIMES = 200
WARM = 20  # what is allocated once is there after so many
GROWTH = 6 << 20
CHATTY = ["run", "-d", "--name", "chatty", IMAGE, "sh", "-c", "while :; do echo a line of some length; done | while read l; do echo $l; sleep 0.01; done"]


class Engine:
    """What the engine holds."""

    def __init__(self, w):
        self.w = w

    def status(self, key):
        check(self.w.alive(), "the engine died")
        with open("/proc/%d/status" % self.w.engine.pid) as f:
            return int(re.search(r"(?m)^%s:\s+(\d+)" % key, f.read())[1])

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.w.engine.pid))

    def programs(self):
        """Its own: what runs in a container has one of them beside it."""
        return sorted(c.split()[0] for c in self.w.processes().values() if "/atoll" in c.split()[0])


def request(w, method, path, *headers, body=b""):
    s = w.connect_api(20)
    s.sendall("\r\n".join(["%s %s HTTP/1.1" % (method, path), "Host: x", *headers, "", ""]).encode() + body)
    return s


def head(s, status):
    """Reads an answer's head. What is not there yet skips the test."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(4096)
        check(part, "the engine hung up: %r", data)
        data += part
    if b" 501 " in data.split(b"\r\n")[0]:
        raise Skip("the engine does not have it: " + data.decode("utf-8", "replace").split("\r\n")[0])
    equal(int(data.split()[1]), status, data[:300].decode("utf-8", "replace"))
    return data.partition(b"\r\n\r\n")[2]


def works(w):
    """A short suite."""
    equal(w.docker("run", "--rm", "-i", IMAGE, "cat", input="alive"), "alive")
    w.docker("network", "create", "after")
    w.serve("last", "after", 80, "-p", "8099:80")
    equal(w.http_get("internet", "http://%s:8099/" % HOST_UP), "last\n")
    equal(w.docker("exec", "last", "wget", "-qO-", "http://last/"), "last")
    contains(w.docker("logs", "chatty"), "a line") if w.docker("ps", "-q", "--filter", "name=chatty") else None
    w.docker("rm", "-f", "last")
    w.docker("network", "rm", "after")


def vanish(w, once, times=TIMES):
    """@once(i) opens a stream and returns its socket, which is closed at once, every other time with the write side first."""
    engine, memory, before = Engine(w), 0, None
    programs = engine.programs()
    for i in range(times):
        s = once(i)
        if i % 2:
            s.shutdown(socket.SHUT_WR)
        s.close()
        if i == WARM:
            before = settle(engine, (1 << 20, programs, 1 << 10))  # what worked for the clients has ended
            memory = engine.status("VmRSS")
    settle(engine, before)
    grown = (engine.status("VmRSS") - memory) << 10
    check(w.sanitized() or grown < GROWTH, "the engine grew by %d bytes", grown)
    works(w)


def settle(engine, want):
    """Nothing changes any more; with @want, what is held is no more than that. Return: what is held."""
    def now():
        return engine.fds(), engine.programs(), engine.status("Threads")

    def still():
        a = now()
        time.sleep(0.3)
        return a == now() and (want is None or a[0] <= want[0] and a[1] == want[1] and a[2] <= want[2])
    try:
        until(still, "quiet", 30, 0.2)
    except Failed:
        raise Failed("held before: %s, now: %s" % (want, now())) from None
    return now()


UPGRADE = ("Upgrade: tcp", "Connection: Upgrade", "Content-Length: 0")


@timeout(200)
def test_attach(w):
    w.docker(*CHATTY)

    def once(i):
        s = request(w, "POST", "/containers/chatty/attach?stream=1&stdout=1&stderr=1&logs=%d" % (i % 3 == 0), *UPGRADE)
        head(s, 101)
        if i % 5 == 0:
            s.recv(100)
        return s
    vanish(w, once)


@timeout(200)
def test_attach_with_stdin(w):
    w.docker("run", "-di", "--name", "reader", IMAGE, "cat")

    def once(i):
        s = request(w, "POST", "/containers/reader/attach?stream=1&stdin=1&stdout=1", *UPGRADE)
        head(s, 101)
        s.sendall(b"half a li")
        return s
    vanish(w, once)


@timeout(200)
def test_logs(w):
    w.docker(*CHATTY)

    def once(i):
        s = request(w, "GET", "/containers/chatty/logs?follow=1&stdout=1&stderr=1&tail=%s" % ("all", "5")[i % 2])
        head(s, 200)
        if i % 3 == 0:
            s.recv(100)
        return s
    vanish(w, once)


@timeout(200)
def test_events(w):
    w.docker(*CHATTY)

    def once(i):
        s = request(w, "GET", "/events?since=1")
        head(s, 200)
        if i % 10 == 0:
            w.docker("rename", "chatty", "chatty%d" % i)
            w.docker("rename", "chatty%d" % i, "chatty")
        return s
    vanish(w, once)


@timeout(200)
def test_stats(w):
    w.docker(*CHATTY)

    def once(i):
        s = request(w, "GET", "/containers/chatty/stats?stream=1")
        head(s, 200)
        return s
    vanish(w, once)


@timeout(200)
def test_wait(w):
    w.docker(*CHATTY)

    def once(i):
        s = request(w, "POST", "/containers/chatty/wait?condition=" + ("not-running", "next-exit", "removed")[i % 3], "Content-Length: 0")
        head(s, 200)
        return s
    vanish(w, once)


@timeout(300)
def test_exec(w):
    """cat ends when its client does; what writes for nobody ends by itself."""
    w.docker("run", "-d", "--name", "room", IMAGE, "sleep", "600")

    def once(i):
        cmd = [["cat"], ["sh", "-c", "head -c 100000 /dev/zero"]][i % 2]
        made = w.api("POST", "/containers/room/exec", {"Cmd": cmd, "AttachStdin": True, "AttachStdout": True, "AttachStderr": True})
        equal(made.status, 201, made.text)
        body = b'{"Detach": false, "Tty": false}'
        s = request(w, "POST", "/exec/%s/start" % made.json["Id"], "Upgrade: tcp", "Connection: Upgrade", "Content-Type: application/json",
                    "Content-Length: %d" % len(body), body=body)
        head(s, 101)
        return s
    vanish(w, once)


def half_a_tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("big")
        info.size = 200000
        tar.addfile(info, io.BytesIO(b"x" * info.size))
    return out.getvalue()[:150000]


@timeout(300)
def test_load(w):
    data = standin.archive({"never/there:1": []})

    def once(i):
        s = request(w, "POST", "/images/load?quiet=1", "Content-Type: application/x-tar", "Content-Length: %d" % len(data))
        s.sendall(data[:[1000, 300000, len(data) - 700][i % 3]])
        return s
    vanish(w, once)
    equal(w.api("GET", "/images/never/there:1/json").status, 404)


@timeout(300)
def test_cp_in(w):
    w.docker("run", "-d", "--name", "room", IMAGE, "sleep", "600")
    data = half_a_tar()
    if w.api("PUT", "/containers/room/archive?path=/tmp", raw=b"\0" * 10240).status == 501:
        raise Skip("the engine does not have it")

    def once(i):
        s = request(w, "PUT", "/containers/room/archive?path=/tmp", "Content-Type: application/x-tar", "Content-Length: 204800")
        s.sendall(data[:100 + 700 * i])
        return s
    vanish(w, once)


@timeout(300)
def test_cp_out(w):
    w.docker("run", "-d", "--name", "room", IMAGE, "sh", "-c", "dd if=/dev/zero of=/big bs=1M count=20; exec sleep 600")
    until(lambda: w.docker_try("exec", "room", "pidof", "sleep").returncode == 0, "the file", 30)

    def once(i):
        s = request(w, "GET", "/containers/room/archive?path=/big")
        head(s, 200)
        s.recv(1000)
        return s
    vanish(w, once)


def rest(w, shims=0):
    """What works for clients alone has ended; so many containers run."""
    until(lambda: len([p for p in Engine(w).programs() if re.search("atoll-(helper|registry|shim)$", p)]) <= shims, "what worked for a client ends", 30, 0.1)


def paced(w, once, width=16, shims=0):
    """The engine does so many builds and pushes at once, and notices a half sent body's end within a second."""
    def one(i):
        if i % width == 0:
            rest(w, shims)
        return once(i)
    return one


@timeout(300)
def test_build(w):
    """One half hangs up while the context comes, the other while a RUN runs."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        standin.add(tar, "Dockerfile", "FROM %s\nRUN echo begun; sleep 600\n" % IMAGE)
        standin.add(tar, "filler", b"x" * 100000)
    data = out.getvalue()

    def once(i):
        s = request(w, "POST", "/build?nocache=1", "Content-Type: application/x-tar", "Content-Length: %d" % len(data))
        if i % 2:
            s.sendall(data[:50000])
            return s
        s.sendall(data)
        head(s, 200)
        text = b""
        while b"begun" not in text:
            part = s.recv(4096)
            check(part, "the build ended: %r", text)
            text += part
        return s
    s = once(0)  # skips where there is no build
    s.close()
    rest(w)
    vanish(w, paced(w, once))


LAYER = standin.layer()
CONFIG = json.dumps(standin.config("stalling", [], ["sha256:" + hashlib.sha256(LAYER).hexdigest()])).encode()
KIND = "application/vnd.docker."


def blob(data, media):
    return {"mediaType": KIND + media, "size": len(data), "digest": "sha256:" + hashlib.sha256(data).hexdigest()}


MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": KIND + "distribution.manifest.v2+json",
                       "config": blob(CONFIG, "container.image.v1+json"), "layers": [blob(LAYER, "image.rootfs.diff.tar")]}).encode()


class Stalling(http.server.BaseHTTPRequestHandler):
    """A registry whose layers come to half."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body, media = b"{}", "application/json"
        if "/manifests/" in self.path:
            body, media = MANIFEST, KIND + "distribution.manifest.v2+json"
        elif "/blobs/" in self.path:
            body, media = (CONFIG if blob(CONFIG, "")["digest"] in self.path else LAYER), "application/octet-stream"
        self.send_response(200)
        for name, value in (("Content-Type", media), ("Content-Length", len(body)), ("Docker-Distribution-Api-Version", "registry/2.0"),
                            ("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())):
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        if body is LAYER:
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            self.connection.recv(1)  # until the other side goes
            self.close_connection = True
        else:
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


class StallingServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass  # whoever asked is gone, as it must be


@timeout(400)
def test_pull(w):
    s = w._bound("host", "127.0.0.1", 5003)
    s.listen(64)
    server = StallingServer(("127.0.0.1", 5003), Stalling, bind_and_activate=False)
    server.socket.close()
    server.socket = s
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def once(i):
        s = request(w, "POST", "/images/create?fromImage=127.0.0.1:5003/stalling&tag=1", "Content-Length: 0")
        head(s, 200)
        text = b""
        while i % 2 and b"Downloading" not in text and b"Pulling fs layer" not in text:
            part = s.recv(4096)
            check(part, "the pull ended: %r", text)
            text += part
        return s
    try:
        vanish(w, once)
        equal(w.api("GET", "/images/127.0.0.1:5003/stalling:1/json").status, 404)
    finally:
        server.shutdown()
        server.server_close()


@timeout(400)
def test_push(w):
    """To a registry that answers nobody any more once it has been asked."""
    s = w._bound("host", "127.0.0.1", 5004)
    s.listen(256)
    w.docker("tag", IMAGE, "127.0.0.1:5004/mute:1")
    held = []

    def hold():
        with contextlib.suppress(OSError):
            while True:
                held.append(s.accept()[0])
    threading.Thread(target=hold, daemon=True).start()

    def once(i):
        c = request(w, "POST", "/images/127.0.0.1:5004/mute/push?tag=1", "X-Registry-Auth: e30=", "Content-Length: 0")
        if i % 2:
            before = len(held)
            until(lambda: len(held) > before, "the registry is asked", 20)
        return c
    try:
        vanish(w, paced(w, once))
    finally:
        s.shutdown(socket.SHUT_RDWR)
        s.close()
        for c in held:
            c.close()
        w.docker("rmi", "127.0.0.1:5004/mute:1")


@timeout(300)
def test_export_and_save(w):
    w.docker("run", "-d", "--name", "room", IMAGE, "sleep", "600")

    def once(i):
        s = request(w, "GET", ("/containers/room/export", "/images/get?names=" + IMAGE)[i // 2 % 2])
        head(s, 200)
        if i % 3:
            s.recv(1000)
        return s
    vanish(w, once)


@timeout(400)
def test_commit(w):
    """Who asked for an image and left has it all the same; it is whole."""
    w.docker("run", "-d", "--name", "room", IMAGE, "sh", "-c", "head -c 100000 /dev/urandom >/big; touch /ready; exec sleep 600")
    until(lambda: w.exec("room", "test", "-e", "/ready").returncode == 0, "the file", 30)
    vanish(w, paced(w, lambda i: request(w, "POST", "/commit?container=room&repo=made&tag=t%d" % (i % 5), "Content-Length: 0"), shims=1))
    equal(w.docker("run", "--rm", "made:t1", "sh", "-c", "wc -c </big"), "100000")
    for i in w.get("/images/json?all=1"):
        if i["RepoTags"] != [IMAGE]:
            w.api("DELETE", "/images/%s?force=1" % i["Id"])


@timeout(200)
def test_attach_by_websocket(w):
    w.docker("run", "-di", "--name", "reader", IMAGE, "cat")

    def once(i):
        s = request(w, "GET", "/containers/reader/attach/ws?stream=1&stdin=1&stdout=1", "Upgrade: websocket", "Connection: Upgrade",
                    "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        head(s, 101)
        if i % 3:
            s.sendall(b"\x81\x85\0\0\0\0hel")  # half a frame
        return s
    vanish(w, once)


@timeout(300)
def test_the_docker_cli_killed(w):
    """The real client, killed: ten at a time."""
    w.docker(*CHATTY)
    w.docker("run", "-di", "--name", "reader", IMAGE, "cat")
    kinds = [["attach", "chatty"], ["logs", "-f", "chatty"], ["events"], ["exec", "-i", "reader", "cat"], ["attach", "reader"], ["wait", "chatty"],
             ["run", "--rm", "-i", IMAGE, "cat"], ["stats", "chatty"]]
    engine, before, memory = Engine(w), None, 0
    for turn in range(TIMES // 8 + 1):
        children = [subprocess.Popen([w.cli, *k], env=w.env, cwd=w.home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                    for k in kinds]
        children[1].stdout.readline()
        time.sleep(0.02 * (turn % 5))
        for c in children:
            c.kill()
            c.wait()
            c.stdin.close()
            c.stdout.close()
        for r in w.get("/containers/json?all=1"):  # --rm is the engine's to carry out; cat has ended with its client
            if r["Names"][0] not in ("/chatty", "/reader"):
                w.api("DELETE", "/containers/%s?force=1" % r["Id"])
        if turn == 2:
            settle(engine, None)
            memory, before = engine.status("VmRSS"), (engine.fds(), engine.programs(), engine.status("Threads"))
    settle(engine, before)
    grown = (engine.status("VmRSS") - memory) << 10
    check(w.sanitized() or grown < GROWTH, "the engine grew by %d bytes", grown)
    works(w)


if __name__ == "__main__":
    main(globals())
