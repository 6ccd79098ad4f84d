#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""attach, exec and logs byte by byte, as clients other than the docker CLI use them: what comes early,
half-closes, hang-ups, slow readers, detach keys. No byte is lost or doubled, nobody else is disturbed."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

STREAM = "stream=1&stdin=1&stdout=1&stderr=1"


class Hijacked:
    """A connection after its 101, or after the head of a one-way 200."""

    def __init__(self, w, path, body=b"", upgrade=True, early=b"", status=101):
        self.s = w.connect_api(20)
        head = "POST %s HTTP/1.%d\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (path, upgrade, len(body))
        head += "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n" if upgrade else "\r\n"
        self.s.sendall(head.encode() + body + early)
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.s.recv(65536)
            check(part, "the answer ends in its head: %r", data)
            data += part
        self.head, self.rest = data.split(b"\r\n\r\n", 1)
        equal(int(self.head.split()[1]), status, "%r" % data[:400])

    def send(self, data):
        self.s.sendall(data)

    def half_close(self):
        self.s.shutdown(socket.SHUT_WR)

    def close(self):
        self.s.close()

    def until(self, part):
        while part not in self.rest:
            data = self.s.recv(65536)
            check(data, "no %r in %r", part, self.rest[-300:])
            self.rest += data
        return self.rest

    def all(self):
        parts = [self.rest]
        while data := self.s.recv(65536):
            parts.append(data)
        self.s.close()
        return b"".join(parts)


def split(data):
    """Return: (stdout, stderr) of multiplexed frames."""
    out, at = {1: [], 2: []}, 0
    while at < len(data):
        head = data[at:at + 8]
        check(len(head) == 8 and head[1:4] == b"\0\0\0" and head[0] in out, "no frame: %r", head)
        n = int.from_bytes(head[4:], "big")
        check(len(data) >= at + 8 + n, "a frame is cut off")
        out[head[0]].append(data[at + 8:at + 8 + n])
        at += 8 + n
    return b"".join(out[1]), b"".join(out[2])


def create(w, name, *cmd, host=None, **config):
    r = w.api("POST", "/containers/create?name=" + name, dict({"Image": IMAGE, "Cmd": list(cmd), "HostConfig": host or {}}, **config))
    equal(r.status, 201, r.text)
    return r.json["Id"]


def start(w, name):
    equal(w.api("POST", "/containers/%s/start" % name).status, 204)


def status(w, name):
    return w.inspect(name)["State"]["Status"]


ONCE = {"OpenStdin": True, "StdinOnce": True}


def test_content_types(w):
    create(w, "plain", "sleep", "600")
    create(w, "tty", "sleep", "600", Tty=True)
    for name, version, want in (("plain", "v1.41", b"raw-stream"), ("plain", "v1.42", b"multiplexed-stream"), ("tty", "v1.51", b"raw-stream")):
        for upgrade, code in ((True, 101), (False, 200)):
            h = Hijacked(w, "/%s/containers/%s/attach?stream=1&stdout=1" % (version, name), upgrade=upgrade, status=code)
            contains(h.head, b"application/vnd.docker." + want)
            h.close()


def test_early_bytes_and_half_close(w):
    """All input and its end come before the container runs, even with the request itself."""
    create(w, "early", "sh", "-c", "cat; echo end >&2", **ONCE)
    h = Hijacked(w, "/containers/early/attach?" + STREAM, early=b"with the request\n")
    h.send(b"after it\n")
    h.half_close()
    time.sleep(0.2)
    equal(status(w, "early"), "created")
    start(w, "early")
    equal(split(h.all()), (b"with the request\nafter it\n", b"end\n"))


def test_input_of_a_client_that_is_gone(w):
    """What was sent arrives, though its sender hung up, before the start and while it runs."""
    create(w, "late", "sh", "-c", "cat >/got; sleep 600", **ONCE)
    h = Hijacked(w, "/containers/late/attach?" + STREAM)
    h.send(b"x" * 100000)
    h.close()
    time.sleep(0.2)
    start(w, "late")
    until(lambda: w.exec("late", "sh", "-c", "wc -c </got").stdout.strip() == "100000", "the input")
    create(w, "kept", "sh", "-c", "cat >/got", OpenStdin=True)
    start(w, "kept")
    for i in range(5):
        h = Hijacked(w, "/containers/kept/attach?stream=1&stdin=1")
        h.send(b"line %d\n" % i)
        h.close()
        until(lambda: w.exec("kept", "cat", "/got").stdout.endswith("line %d\n" % i), "line %d" % i)
    equal(w.exec("kept", "cat", "/got").stdout, "".join("line %d\n" % i for i in range(5)))
    equal(status(w, "kept"), "running")


def test_end_of_input_without_stdin_once(w):
    """echo x | docker attach: the client's end ends the stream, never the container's input."""
    create(w, "open", "cat", OpenStdin=True)
    start(w, "open")
    for word in (b"one\n", b"two\n"):
        h = Hijacked(w, "/containers/open/attach?" + STREAM)
        h.send(word)
        h.half_close()
        h.all()
        until(lambda: word.decode() in w.docker("logs", "open") + "\n", "%r arrives" % word)
    equal(status(w, "open"), "running")
    # without stdin=1 a half-close says nothing
    h = Hijacked(w, "/containers/open/attach?stream=1&stdout=1")
    h.half_close()
    g = Hijacked(w, "/containers/open/attach?stream=1&stdin=1")
    g.send(b"three\n")
    h.until(b"three\n")
    g.close()
    h.close()


def test_slow_reader(w):
    """A client that does not read stops the container's output, not the engine; then all is there."""
    size = 12 << 20
    streams = {}
    for name, upgrade in (("raw", True), ("oneway", False)):
        create(w, name, "sh", "-c", "head -c %d /dev/zero | tr '\\0' x; echo; echo end >&2" % size, host={"LogConfig": {"Type": "none"}})
        streams[name] = Hijacked(w, "/containers/%s/attach?stream=1&stdout=1&stderr=1" % name, upgrade=upgrade, status=101 if upgrade else 200)
        start(w, name)
    time.sleep(0.7)
    with open("/proc/%d/status" % w.engine.pid) as f:
        rss = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
    check(rss < (80 if not w.sanitized() else 400) << 10, "the engine holds %d KiB", rss)
    for name, h in streams.items():
        equal(status(w, name), "running", "it waits for its reader")
        out, err = split(h.all())
        equal((len(out), err), (size + 1, b"end\n"), name)


def test_reader_outlives_the_container(w):
    """What a slow client has not read yet when its container has ended and is removed (--rm) still comes."""
    for size in (300_000, 450_000, 550_000):  # more than the client's socket and the engine's queue hold
        create(w, "short", "sh", "-c", "head -c %d /dev/zero | tr '\\0' x" % size, host={"AutoRemove": True})
        h = Hijacked(w, "/containers/short/attach?stream=1&stdout=1&stderr=1")
        with w.event('"Action":"destroy"'):
            start(w, "short")
        out, err = split(h.all())
        equal((len(out), err), (size, b""), "of %d bytes" % size)


def test_log_then_stream(w):
    """logs=1&stream=1: what was said before and what comes, each byte once, however long the log is."""
    count = 60000
    create(w, "counter", "sh", "-c", "seq 1 %d; while ! [ -e /go ]; do sleep 0.05; done; seq %d %d" % (count, count + 1, 2 * count))
    start(w, "counter")
    until(lambda: w.docker("logs", "--tail", "1", "counter") == str(count), "the first half", 20)
    h = Hijacked(w, "/containers/counter/attach?logs=1&stream=1&stdout=1&stderr=1")
    time.sleep(0.3)  # it reads slowly, and nothing is dropped
    w.exec("counter", "touch", "/go")
    equal(split(h.all())[0].split(), [str(i).encode() for i in range(1, 2 * count + 1)])
    again = Hijacked(w, "/containers/counter/attach?logs=1&stdout=1", upgrade=False, status=200)
    contains(again.all(), str(2 * count).encode())


def test_log_then_stream_with_input(w):
    create(w, "parrot", "cat", **ONCE)
    h = Hijacked(w, "/containers/parrot/attach?logs=1&" + STREAM)
    h.send(b"hello\n")
    start(w, "parrot")
    h.until(b"hello\n")
    h.half_close()
    equal(split(h.all()), (b"hello\n", b""))
    until(lambda: status(w, "parrot") == "exited", "its input has ended")


def test_no_log_to_read(w):
    create(w, "mute", "echo", "x", host={"LogConfig": {"Type": "none"}})
    for method, path in (("GET", "logs?stdout=1"), ("POST", "attach?logs=1&stdout=1")):
        r = w.api(method, "/containers/mute/" + path)
        equal((r.status, r.message), (501, "configured logging driver does not support reading"))
    equal(w.inspect("mute")["LogPath"], "")
    r = w.api("GET", "/containers/mute/logs")
    equal((r.status, r.message), (400, "Bad parameters: you must choose at least one stream"))


def test_detach_keys(w):
    create(w, "term", "sh", Tty=True, **ONCE)
    events = []
    s = w.connect_api()
    s.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    start(w, "term")
    for keys, typed in (("", b"\x10\x11"), ("ctrl-a,d", b"\x01d"), ("DEL", b"\x7f")):
        h = Hijacked(w, "/containers/term/attach?%s&detachKeys=%s" % (STREAM, keys))
        h.send(b"echo $((40+2))\n" + typed + b"never typed\n")
        h.all()
        equal(status(w, "term"), "running", "detached by %r" % keys)
    h = Hijacked(w, "/containers/term/attach?" + STREAM)
    h.send(b"\x10echo a$((1+1))b\n")
    h.until(b"a2b")
    check(b"never" not in h.rest, "%r", h.rest)
    h.send(b"exit 7\n")
    h.all()
    until(lambda: status(w, "term") == "exited", "exit")
    equal(w.inspect("term")["State"]["ExitCode"], 7)
    while b'"die"' not in (events[-1] if events else b""):
        events.append(s.recv(65536))
    s.close()
    equal(b"".join(events).count(b'"Action":"detach"'), 3)
    for keys in ("ctrl-A,a", "shift-a", "a,,b"):
        r = w.api("POST", "/containers/term/attach?stream=1&stdout=1&detachKeys=" + keys)
        equal((r.status, r.message), (400, "Invalid detach keys (%s) provided" % keys))


def exec_create(w, name, *cmd, **config):
    r = w.api("POST", "/containers/%s/exec" % name,
              dict({"Cmd": list(cmd), "AttachStdin": True, "AttachStdout": True, "AttachStderr": True}, **config))
    equal(r.status, 201, r.text)
    return r.json["Id"]


def test_exec(w):
    create(w, "box", "sleep", "600")
    start(w, "box")
    x = exec_create(w, "box", "sh", "-c", "cat; echo err >&2; exit 3")
    equal(w.get("/exec/%s/json" % x)["ExitCode"], None)
    h = Hijacked(w, "/exec/%s/start" % x, b"{}", early=b"early\n")
    h.send(b"late\n")
    h.half_close()
    equal(split(h.all()), (b"early\nlate\n", b"err\n"))
    info = w.get("/exec/%s/json" % x)
    equal((info["Running"], info["ExitCode"], info["ContainerID"]), (False, 3, w.inspect("box")["Id"]))
    equal(w.api("POST", "/exec/%s/start" % x, {}).status, 409, "it has run")
    # one way, and a program that is not there
    x = exec_create(w, "box", "echo", "hi")
    contains(Hijacked(w, "/exec/%s/start" % x, b"{}", upgrade=False, status=200).all(), b"\1\0\0\0\0\0\0\3hi\n")
    x = exec_create(w, "box", "no-such-program")
    contains(Hijacked(w, "/exec/%s/start" % x, b"{}").all(), b"executable file not found in $PATH")
    equal(w.get("/exec/%s/json" % x)["ExitCode"], 127)


def test_exec_whose_client_leaves(w):
    create(w, "box", "sleep", "600")
    start(w, "box")
    for i in range(20):
        x = exec_create(w, "box", "sh", "-c", "cat >>/got; echo done >>/got")
        h = Hijacked(w, "/exec/%s/start" % x, b"{}")
        h.send(b"%d\n" % i)
        h.close()
    until(lambda: w.exec("box", "sh", "-c", "grep -c done /got").stdout.strip() == "20", "all have ended")
    got = w.exec("box", "sh", "-c", "grep -v done /got").stdout.split()
    equal(sorted(map(int, got)), list(range(20)))


def test_exec_terminal(w):
    create(w, "box", "sleep", "600")
    start(w, "box")
    x = exec_create(w, "box", "sh", Tty=True, DetachKeys="ctrl-x")
    h = Hijacked(w, "/exec/%s/start" % x, b'{"Tty":true,"ConsoleSize":[21,77]}')
    h.send(b"stty size; touch /there; sleep 600\n")
    h.until(b"21 77")
    until(lambda: w.exec("box", "ls", "/there").returncode == 0, "it works")
    h.send(b"\x18")
    h.all()
    equal(w.get("/exec/%s/json" % x)["Running"], True, "detached, it runs on")
    r = w.api("POST", "/containers/box/exec", {"Cmd": ["true"], "DetachKeys": "shift-a"})
    equal((r.status, r.message), (400, "Invalid escape keys (shift-a) provided"))
    for path in ("/containers/box/resize", "/exec/%s/resize" % x):
        equal(w.api("POST", path + "?h=abc&w=1").status, 400)
        equal(w.api("POST", path + "?h=99999&w=1").status, 400)


def test_logs_of_a_slow_reader(w):
    count = 200000
    create(w, "many", "seq", "1", str(count))
    start(w, "many")
    equal(w.api("POST", "/containers/many/wait").json["StatusCode"], 0)
    s = w.connect_api(30)
    s.sendall(b"GET /containers/many/logs?stdout=1&follow=1 HTTP/1.0\r\nHost: x\r\n\r\n")
    time.sleep(0.5)
    parts = []
    while part := s.recv(65536):
        parts.append(part)
    s.close()
    equal(split(b"".join(parts).split(b"\r\n\r\n", 1)[1])[0].split(), [b"%d" % i for i in range(1, count + 1)])


def test_open_streams_at_the_end(w):
    """An orderly end with streams open, and the next life."""
    create(w, "box", "cat", OpenStdin=True)
    start(w, "box")
    for _ in range(5):  # the exec is mostly still being made
        h = [Hijacked(w, "/containers/box/attach?" + STREAM), Hijacked(w, "/containers/box/attach?logs=1&" + STREAM),
             Hijacked(w, "/containers/box/attach?stream=1&stdout=1", upgrade=False, status=200),
             Hijacked(w, "/exec/%s/start" % exec_create(w, "box", "cat"), b"{}")]
        w.restart()
        for x in h:
            x.close()
    equal(status(w, "box"), "running")
    g = Hijacked(w, "/containers/box/attach?" + STREAM)
    g.send(b"again\n")
    g.until(b"again\n")
    g.close()


def test_sizes(w):
    create(w, "sized", "sh", "-c", "head -c 100000 /dev/zero >/a; ln /a /b; head -c 5000 /dev/zero >/etc/c")
    start(w, "sized")
    w.api("POST", "/containers/sized/wait")
    i = w.get("/containers/sized/json?size=1")
    check(105000 <= i["SizeRw"] < 107000, "SizeRw %d", i["SizeRw"])
    check(i["SizeRootFs"] > i["SizeRw"], "%d", i["SizeRootFs"])
    check("SizeRw" not in w.inspect("sized"), "sizes unasked")
    row = w.get("/containers/json?all=1&size=1")[0]
    equal((row["SizeRw"], row["SizeRootFs"]), (i["SizeRw"], i["SizeRootFs"]))
    r = w.api("POST", "/containers/prune").json
    equal((r["ContainersDeleted"], r["SpaceReclaimed"]), ([i["Id"]], i["SizeRw"]))
    equal(w.api("POST", "/containers/prune").json, {"ContainersDeleted": None, "SpaceReclaimed": 0})


def test_create_variants(w):
    for n in ("left", "right"):
        w.api("POST", "/networks/create", {"Name": n})
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "left"}, "NetworkingConfig": {"EndpointsConfig": {"left": {}, "right": {}}}}
    r = w.api("POST", "/v1.43/containers/create", body)
    equal((r.status, r.message), (400, "Container cannot be connected to network endpoints: left, right"))
    r = w.api("POST", "/v1.44/containers/create", body)
    equal(sorted(w.inspect(r.json["Id"])["NetworkSettings"]["Networks"]), ["left", "right"])
    for platform, code in (("linux", 201), ("linux/amd64" if os.uname().machine == "x86_64" else "linux", 201), ("linux/s390x", 404),
                           ("windows/amd64", 400), ("", 201)):
        r = w.api("POST", "/containers/create?platform=" + platform, {"Image": IMAGE, "Cmd": ["true"]})
        equal(r.status, code, "%s: %s" % (platform, r.text))


def test_list_filters(w):
    ids = {}
    for name in ("first", "second", "third"):
        ids[name] = create(w, name, "sleep", "600", ExposedPorts={"7000/tcp": {}})
    start(w, "second")

    def names(**filters):
        query = {k: v if isinstance(v, list) else [v] for k, v in filters.items()}
        return sorted(c["Names"][0] for c in w.get("/containers/json?all=1&filters=" + json.dumps(query).replace(" ", "%20")))
    equal(names(before="third"), ["/first", "/second"])
    equal(names(since="first"), ["/second", "/third"])
    equal(names(id=ids["first"][20:40]), ["/first"])
    equal(names(expose="7000-7001/tcp"), ["/second"])  # what runs alone exposes, as in Docker
    equal(names(status=["created"]), ["/first", "/third"])
    equal(names(network="bridge", name="o"), ["/second"])
    equal([c["Names"] for c in w.get("/containers/json")], [["/second"]])
    equal(len(w.get("/containers/json?limit=2")), 2)
    for bad in ({"status": ["odd"]}, {"exited": ["x"]}, {"before": ["nobody"]}, {"odd": ["x"]}):
        check(w.api("GET", "/containers/json?filters=" + json.dumps(bad).replace(" ", "")).status in (400, 404), "%s", bad)


if __name__ == "__main__":
    main(globals())
