#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine's door as raw bytes: what Docker's server answers, hundreds of connections, and those who misuse them."""
import grp
import json
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

LIMIT = 1000  # of connections


def ask(w, text, close=True):
    """One exchange on a connection of its own, to its end."""
    with contextlib.closing(w.connect_api(60)) as s:
        parts = []
        with contextlib.suppress(ConnectionError):  # it may be refused before all is sent
            s.sendall(text if isinstance(text, bytes) else text.encode())
            if close:
                s.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while part := s.recv(65536):
                parts.append(part)
    return b"".join(parts).decode("latin-1")


def status(answer):
    return int(answer.split(" ", 2)[1]) if answer.startswith("HTTP/1.") else None


def request(method, path, *headers, body=""):
    return "\r\n".join(["%s %s HTTP/1.1" % (method, path), "Host: x", "Connection: close", *headers, "", ""]) + body


def stream_of_events(w):
    s = w.connect_api(60)
    s.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        part = s.recv(4096)
        check(part, "no stream of events: %r", head)
        head += part
    contains(head, b" 200 OK")
    return s


# ---- what Docker answers ----

def test_not_found(w):
    for method, path in (("GET", "/nothing"), ("PUT", "/containers/json"), ("DELETE", "/version"), ("POST", "/_ping"), ("PATCH", "/info"),
                         ("GET", "/v1.41/nothing"), ("GET", "/"), ("GET", "//containers/json")):
        a = ask(w, request(method, path))
        equal(status(a), 404, "%s %s" % (method, path))
        contains(a, '{"message":"page not found"}\n')
        contains(a, "Content-Type: application/json")
    contains(ask(w, request("GET", "/containers/nope/json")), '{"message":"No such container: nope"}')


def test_versions(w):
    for version, text in (("1.99", "client version 1.99 is too new. Maximum supported API version is 1.51"),
                          ("2.0", "client version 2.0 is too new. Maximum supported API version is 1.51"),
                          ("1.23", "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"),
                          ("1.1", "client version 1.1 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version")):
        r = w.api("GET", "/v%s/info" % version)
        equal((r.status, r.message), (400, text))
    for version in ("1.24", "1.41", "1.51"):
        r = w.api("GET", "/v%s/version" % version)
        equal((r.status, r.headers["Api-Version"], r.headers["Ostype"], r.headers["Docker-Experimental"]), (200, "1.51", "linux", "false"))
        matches(r.headers["Server"], r"^\S+/\S+ \(linux\)$")


def test_bodies(w):
    def create(raw, **headers):
        r = w.api("POST", "/volumes/create", raw=raw, headers=headers)
        return r.status, r.message

    text = "must be 'application/json'"
    equal(create(b"{}", **{"Content-Type": "text/plain"}), (400, "unsupported Content-Type header (text/plain): " + text))
    equal(create(b"{}", **{"Content-Type": "application/x-www-form-urlencoded"})[0], 400)
    equal(create(b'{"Name":"one"}', **{"Content-Type": "application/json; charset=utf-8"})[0], 201)
    for raw in (b"{", b"[]", b'"x"', b'{"Name": 1}', b'{"Name":"x"} trailing', b"\xff\xfe", b"nul\0"):
        got = create(raw, **{"Content-Type": "application/json"})
        equal(got[0], 400, raw)
        check(got[1], "%r without a text", raw)
    r = w.api("POST", "/containers/create", headers={"Content-Type": "application/json"})
    equal((r.status, r.message), (400, "invalid JSON: got EOF while reading request body"))
    big = b'{"Name":"' + b"x" * (5 << 20) + b'"}'
    equal(w.api("POST", "/volumes/create", raw=big, headers={"Content-Type": "application/json"}).status, 413)


def test_chunks_expect_and_http10(w):
    body = '{"Name":"chunked"}'
    chunked = "".join("%x\r\n%s\r\n" % (len(c), c) for c in (body[:3], body[3:10], body[10:])) + "0\r\nTrailer: x\r\n\r\n"
    equal(status(ask(w, request("POST", "/volumes/create", "Content-Type: application/json", "Transfer-Encoding: chunked", body=chunked))), 201)
    equal(status(ask(w, request("POST", "/volumes/create", "Content-Type: application/json", "Transfer-Encoding: chunked", body="zz\r\n"))), 400)
    with contextlib.closing(w.connect_api(30)) as s:
        s.sendall(request("POST", "/volumes/create", "Content-Type: application/json", "Content-Length: 17", "Expect: 100-continue").encode())
        equal(s.recv(4096), b"HTTP/1.1 100 Continue\r\n\r\n")
        s.sendall(b'{"Name":"waited"}')
        contains(s.recv(4096), b"201 Created")
    with contextlib.closing(w.connect_api(30)) as s:  # refused before the body
        s.sendall(request("POST", "/nothing", "Content-Length: 1000000000", "Expect: 100-continue").encode())
        contains(s.recv(4096), b"404 Not Found")
    a = ask(w, "GET /_ping HTTP/1.0\r\n\r\n", close=False)
    check(a.endswith("\r\n\r\nOK") and "chunked" not in a, "%r", a)
    a = ask(w, "GET /events?since=1&until=2 HTTP/1.0\r\n\r\n", close=False)
    check(status(a) == 200 and "chunked" not in a, "%r", a)


def test_pipelining_and_heads(w):
    a = ask(w, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n" * 5 + "HEAD /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    equal((a.count("HTTP/1.1 200 OK"), a.count("\r\n\r\nOK")), (6, 5))
    w.docker("volume", "create", "one")
    for path in ("/_ping", "/version", "/info", "/containers/json", "/images/json", "/networks", "/networks/bridge", "/volumes/one", "/system/df"):
        a = ask(w, request("HEAD", path))
        equal(status(a), 200, path)
        check(a.endswith("\r\n\r\n"), "a body: %r", a[-80:])


def test_odd_requests(w):
    for text, want in (("GET /_ping\r\n\r\n", (400, 505, None)), ("GARBAGE\r\n\r\n", (400, 505, None)), ("GET /_ping HTTP/9.9\r\n\r\n", (400, 505, None)),
                       ("GET /_ping HTTP/1.1\r\n\r\n", (400, 200)), ("\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (200,)),
                       (request("POST", "/volumes/create", "Content-Length: x"), (400, None)),
                       (request("POST", "/volumes/create", "Content-Length: -1"), (400, None)),
                       (request("GET", "/containers/json?filters=%zz"), (400,)), (request("GET", "/containers/%00/json"), (400, 404)),
                       (request("GET", "/_ping", "X: " + "y" * 200000), (431, None)), (request("GET", "/" + "y" * 200000), (414, 431, None)),
                       (request("GET", "/_ping", *("X-%d: y" % i for i in range(20000))), (431, None)), (b"\0" * 1000, (400, None)),
                       (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 500, (400, None))):
        a = ask(w, text)
        check(status(a) in want, "%r: %r", text[:60], a[:200])
    equal(w.api("GET", "/_ping").status, 200)
    w.idles()


def test_upload_refused_early(w):
    """The answer comes although the body is never sent to its end."""
    with contextlib.closing(w.connect_api(60)) as s:
        s.sendall(request("POST", "/containers/nope/exec", "Content-Type: application/json", "Content-Length: 100000000").encode())
        with contextlib.suppress(ConnectionError):
            for _ in range(2000):
                s.sendall(b" " * 65536)
        head = b""
        with contextlib.suppress(ConnectionError):
            while part := s.recv(65536):
                head += part
        matches(head.decode(), r"HTTP/1.1 (413|404)")


# ---- those who leave ----

def test_gone_before_read(w):
    """Sent in one go and closed over it: carried out; of a GET nobody waits for nothing is left."""
    for i in range(30):
        s = w.connect_api()
        body = '{"Name":"left-%d"}' % i
        s.sendall(request("POST", "/volumes/create", "Content-Type: application/json", "Content-Length: %d" % len(body), body=body).encode())
        s.close()
    until(lambda: len(w.get("/volumes")["Volumes"]) == 30, "the volumes of those who have left", 20)
    for i in range(30):
        s = w.connect_api()
        s.sendall(request("DELETE", "/volumes/left-%d" % i).encode())
        s.close()
    until(lambda: not w.get("/volumes")["Volumes"], "the volumes are removed", 20)
    w.idles()


@timeout(180)
def test_hundreds_vanish(w):
    """Streams whose clients go without a word are forgotten, their descriptors too."""
    w.docker("run", "-d", "--name", "talk", IMAGE, "sh", "-c", "while :; do echo line; usleep 20000; done")
    began = len(os.listdir("/proc/%d/fd" % w.engine.pid))
    paths = ("/events", "/containers/talk/logs?follow=1&stdout=1", "/containers/talk/attach?stream=1&stdout=1", "/containers/talk/wait")
    socks = []
    for i in range(400):
        s = w.connect_api(60)
        path = paths[i % 4]
        s.sendall(("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (
            "POST" if i % 4 > 1 else "GET", path, "Connection: Upgrade\r\nUpgrade: tcp\r\n" if i % 4 == 2 else "")).encode())
        socks.append(s)
    for s in socks:
        contains(s.recv(64), b"HTTP/1.1 ")
    check(len(os.listdir("/proc/%d/fd" % w.engine.pid)) > began + 300, "they are connected")
    for s in socks:
        s.close()
    until(lambda: len(os.listdir("/proc/%d/fd" % w.engine.pid)) <= began + 20, "their descriptors are closed", 60)
    equal(w.api("GET", "/_ping").status, 200)


@timeout(180)
def test_slow_readers(w):
    """Those who do not read cost a bounded queue, and nobody else waits for them."""
    def resident():
        with open("/proc/%d/statm" % w.engine.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    w.docker("run", "-d", "--name", "flood", IMAGE, "sh", "-c", "yes 0123456789012345678901234567890123456789 | head -c 40000000")
    w.docker("wait", "flood")
    before, socks = resident(), []
    for _ in range(100):
        s = w.connect_api(60)
        s.sendall(b"GET /containers/flood/logs?stdout=1&follow=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        socks.append(s)
    for _ in range(100):
        socks.append(stream_of_events(w))
    began = time.monotonic()
    for i in range(200):
        equal(w.api("POST", "/volumes/create", {"Name": "v%d" % i}).status, 201)
    equal(w.docker("run", "--rm", IMAGE, "echo", "x"), "x")
    check(time.monotonic() - began < 60, "the others wait")
    check(w.sanitized() or resident() - before < 100 << 20, "they cost %d MiB", (resident() - before) >> 20)
    w.idles(60)
    for s in socks:
        s.close()


# ---- too many ----

@timeout(240)
def test_beyond_the_limit(w):
    """Busy connections up to the limit; then 503 for each more, the open ones unharmed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    socks, refused = [], 0
    try:
        for i in range(LIMIT):
            socks.append(stream_of_events(w))
        for i in range(100):
            a = ask(w, request("GET", "/_ping"))
            equal(status(a), 503, "number %d" % (LIMIT + i))
            contains(a, "Retry-After: 1\r\n")
            contains(a, '{"message":"too many connections are open: close some, or try again later"}')
            refused += 1
        silent = [w.connect_api(60) for _ in range(200)]  # more than get an answer at once
        w.idles(60)
        for s in silent:
            s.close()
        socks.pop().close()
        until(lambda: status(ask(w, request("GET", "/_ping"))) == 200, "one that left makes room")
        for s in socks[:10]:
            s.close()
        until(lambda: status(ask(w, request("GET", "/_ping"))) == 200, "room for more")
        w.docker("volume", "create", "seen")
        for s in socks[10:]:
            data = b""
            while b'"seen"' not in data:
                part = s.recv(65536)
                check(part, "an open stream has ended")
                data += part
    finally:
        for s in socks:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: len(os.listdir("/proc/%d/fd" % w.engine.pid)) < 200, "all is closed", 60)


@timeout(120)
def test_no_descriptor_left(w):
    """Fewer descriptors than connections: the rest is told so; open streams and containers go on."""
    w.docker("run", "-d", "-i", "--name", "box", IMAGE, "cat")
    old = resource.prlimit(w.engine.pid, resource.RLIMIT_NOFILE)
    first = stream_of_events(w)
    count = max(map(int, os.listdir("/proc/%d/fd" % w.engine.pid))) + 1
    answers, lock = [], threading.Lock()
    socks = []
    resource.prlimit(w.engine.pid, resource.RLIMIT_NOFILE, (count + 20, old[1]))
    try:
        for _ in range(60):
            s = w.connect_api(100)
            s.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            socks.append(s)

        def read(s):
            got = s.recv(4096)
            with lock:
                answers.append(got)
        threads = [threading.Thread(target=read, args=(s,)) for s in socks]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        served = [a for a in answers if b" 200 OK" in a]
        refused = [a for a in answers if a.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1\r\n" in a]
        equal(len(served) + len(refused), 60, "answers: %s" % [a[:40] for a in answers if a not in served and a not in refused])
        check(served and refused, "%d served, %d refused", len(served), len(refused))
        body = refused[0].split(b"\r\n\r\n", 1)[1]
        contains(json.loads(body)["message"], "no descriptor left")
        w.idles()
    finally:
        resource.prlimit(w.engine.pid, resource.RLIMIT_NOFILE, old)
        for s in socks:
            s.close()
    until(lambda: w.api("GET", "/_ping").status == 200, "it serves again")
    equal(w.docker("exec", "box", "echo", "in"), "in")
    w.docker("volume", "create", "after")
    data = b""
    while b'"after"' not in data:
        part = first.recv(65536)
        check(part, "the open stream has ended")
        data += part
    first.close()


# ---- sockets ----

def test_several_hosts(w):
    """Several -H at once; unix sockets' mode and group."""
    second = w.base + "/second/e.sock"
    group = grp.getgrall()[-1].gr_name
    before, w.flags = w.flags, ["-H", "unix://" + second, "-H", "tcp://127.0.0.1:2375", "-H", "tcp://[::1]:2375", "-G", group]
    try:
        w.restart()
        st = os.stat(second)
        equal((stat.S_IMODE(st.st_mode), st.st_gid), (0o660, grp.getgrnam(group).gr_gid))
        equal(w.docker("-H", "unix://" + second, "ps", "-q"), "")
        with w.at("host"):
            for host in ("tcp://127.0.0.1:2375", "tcp://[::1]:2375"):
                equal(w.docker("-H", host, "ps", "-q"), "")
    finally:
        w.flags = before
        w.restart()
    check(not os.path.exists(second), "its socket stays")


@timeout(120)
def test_socket_activation(w):
    """-H fd:// with systemd's protocol: the sockets outlive the engine, and what came between waits."""
    equal(w.stop(), 0)
    path = w.base + "/activated.sock"
    with w.at("host"):
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.bind(path)
        unix.listen(16)
        tcp = w._bound("host", "127.0.0.1", 2375)
        tcp.listen(16)
    early = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    early.settimeout(60)
    early.connect(path)
    early.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
    try:
        for _ in range(2):
            notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            notify.settimeout(60)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(w.base + "/n2")
            notify.bind(w.base + "/n2")
            # the shell knows its process id, which the program keeps
            script = "export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$@\" 3<&%d 4<&%d" % (unix.fileno(), tcp.fileno())
            args = [w.build + "/src/bin/atolld", "-H", "fd://", "--data-root", w.data, "--exec-root", w.exec_root, "--pidfile", w.base + "/pid",
                    "--cgroup-parent", "/" + w.name]
            with open(w.log_path, "ab") as log, w.at("host"):
                p = subprocess.Popen(["bash", "-c", script, "x"] + args, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     env=dict(w.env, NOTIFY_SOCKET=w.base + "/n2"), pass_fds=(unix.fileno(), tcp.fileno()))
            contains(notify.recv(4096), b"READY=1")
            notify.close()
            if early:
                contains(early.recv(4096), b"200 OK")
                early.close()
                early = None
            equal(w.docker("-H", "unix://" + path, "run", "--rm", IMAGE, "echo", "activated"), "activated")
            with w.at("host"):
                equal(w.docker("-H", "tcp://127.0.0.1:2375", "ps", "-q"), "")
            p.terminate()
            equal(p.wait(30), 0)
            check(os.path.exists(path), "the socket is systemd's, it stays")
        out = run(w.build + "/src/bin/atolld", "-H", "fd://", "--data-root", w.data, "--exec-root", w.exec_root, "--pidfile", "", env=w.env)
        contains(out.stdout + out.stderr, "no sockets found via socket activation")
    finally:
        unix.close()
        tcp.close()
        w.start()


main(globals())
