#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk is full, at any step of anything: a clear error, nothing lost, nothing left, and the engine lives; with room
again all works. The data root is a small file system of its own here, filled but for so many bytes."""
import contextlib
import io
import json
import os
import random
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
from registry import Image, Liar, tar_of  # noqa: E402

FULL = "no space left on device"
PAGE = 4096
BIG = random.Random(5).randbytes(3 << 20)
HOST = "127.0.0.1:5000"


def room(w):
    v = os.statvfs(w.data)
    return v.f_bavail * v.f_frsize


@contextlib.contextmanager
def full(w, leave=0):
    """The data root has @leave bytes of room."""
    path = w.data + "/filler"
    try:
        with open(path, "wb") as f:
            os.posix_fallocate(f.fileno(), 0, max(PAGE, room(w) - leave))
        yield
    finally:
        os.unlink(path)


def objects(w):
    """Every object as the engine tells of it, and their folders."""
    out = {"containers": sorted((c["Id"], c["Names"][0], c["State"]) for c in w.get("/containers/json?all=1")),
           "networks": sorted((n["Id"], n["Name"]) for n in w.get("/networks")),
           "volumes": sorted(v["Name"] for v in w.get("/volumes")["Volumes"] or []),
           "images": sorted((i["Id"], tuple(i["RepoTags"])) for i in w.get("/images/json?all=1"))}
    for kind in ("layers", "containers", "volumes", "tmp"):
        out[kind + " on disk"] = sorted(os.listdir(w.data + "/" + kind)) if os.path.exists(w.data + "/" + kind) else []
    out["links"] = [x for x in w.links() if not x.startswith("atoll-free-")]  # bridges that are being taken down
    out["cgroups"], out["mounts"] = w.cgroups(), w.mounts()
    out["exec-root"] = w.tree(w.exec_root)
    return out


def same(w, before, what):
    """Deferred work may still take something away."""
    def gone():
        now = objects(w)
        return all(now[k] == before[k] for k in before)
    try:
        until(gone, "objects as before", 10, 0.1)
    except Failed:
        now = objects(w)
        raise Failed("%s: %s" % (what, "; ".join("%s: was %s, is %s" % (k, short(before[k]), short(now[k]))
                                                 for k in before if now[k] != before[k]))) from None


def works(w, n=[0]):
    """A short suite: the engine is whole."""
    n[0] += 1
    net, name = "whole%d" % n[0], "last%d" % n[0]
    equal(w.docker("run", "--rm", "-i", IMAGE, "cat", input="alive"), "alive")
    w.docker("network", "create", net)
    w.serve(name, net, 80, "-p", "8099:80")
    equal(w.http_get("internet", "http://%s:8099/" % HOST_UP), name + "\n")
    equal(w.docker("exec", name, "wget", "-qO-", "http://%s/" % name), name)
    equal(w.resolve(name, name), [w.address(name)])
    out = w.docker("build", "-q", "--no-cache", "-", input="FROM %s\nRUN echo %s >/made\nCMD cat /made\n" % (IMAGE, name),
                   env={"DOCKER_BUILDKIT": "0"}, timeout=120)
    equal(w.docker("run", "--rm", out), name)
    w.docker("rmi", out)
    with Liar(w, port=5009) as liar:
        liar.add("whole", "1", Image([standin.layer(), tar_of({"w": name.encode()})]))
        w.docker("pull", "127.0.0.1:5009/whole:1", timeout=120)
        equal(w.docker("run", "--rm", "127.0.0.1:5009/whole:1", "cat", "/w"), name)
        w.docker("rmi", "127.0.0.1:5009/whole:1")
    w.docker("rm", "-f", name)
    w.docker("network", "rm", net)


def answer(r):
    """An answer of the API: None, or the error's text; errors of streams come in them."""
    if r.status >= 400:
        check(r.message, "an error without a message: %r", r)
        return r.message
    for line in r.text.splitlines():
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                if "error" in json.loads(line):
                    return json.loads(line)["error"]
    return None


def use_up(w):
    """Until the store itself is full: there is room in its own files for a while."""
    for size in (200000, 3000, 10):
        for i in range(1000):
            error = post(w, "/volumes/create", {"Name": "fill-%d-%d" % (size, i), "Labels": {"x": "y" * size}})
            if error:
                break
        check(error and FULL in error.lower(), "the store was never full: %r", error)


def drop_fillers(w):
    for v in w.get("/volumes")["Volumes"] or []:
        if v["Name"].startswith("fill-"):
            equal(w.api("DELETE", "/volumes/" + v["Name"]).status, 204)


STORE_FULL = -1  # no room, and the store's own is used up as well
DEGREES = (STORE_FULL, 0, PAGE, 2 * PAGE, 4 * PAGE, 8 * PAGE, 16 * PAGE, 32 * PAGE, 64 * PAGE, 1 << 20, 2 << 20)


def at_each_degree(w, what, do, undo=None, degrees=DEGREES, must_fail=True):
    """@do returns None or an error. With less and less room: it works, or it says that there is none and nothing is left."""
    failures = 0
    for leave in degrees:
        before = objects(w)
        with full(w, max(leave, 0)):
            if leave == STORE_FULL:
                use_up(w)
                before = objects(w)
            error = do()
            check(w.alive(), "%s with %d bytes: the engine died", what, leave)
            if error is not None:
                failures += 1
                check(FULL in error.lower(), "%s with %d bytes: %r", what, leave, error)
                same(w, before, "%s with %d bytes" % (what, leave))
        if error is None and undo:
            undo()
        same(w, before, "%s with %d bytes, and room again" % (what, leave))
        drop_fillers(w)
    check(failures or not must_fail, "%s never failed", what)
    equal(do(), None, what + " with room")
    if undo:
        undo()


def failed(r):
    """Of a docker command: None, or what it wrote."""
    return None if r.returncode == 0 else r.stderr + r.stdout


def post(w, path, body=None, timeout=60, **kw):
    return answer(w.api("POST", path, body, timeout=timeout, **kw))


# ---- objects ----

@timeout(200)
def test_create(w):
    many = {"k%d" % i: "x" * 4000 for i in range(8)}
    at_each_degree(w, "create", lambda: post(w, "/containers/create?name=c1", {"Image": IMAGE, "Labels": many}),
                   lambda: w.docker("rm", "c1"))
    works(w)


@timeout(300)
def test_run(w):
    """create, start, a published port, a network and a volume of its own."""
    w.docker("network", "create", "n1")

    def undo():
        w.docker("rm", "-fv", "c1")

    def do():
        error = failed(w.docker_try("run", "-d", "--name", "c1", "--network", "n1", "-p", "8080:80", "-v", "/vol", IMAGE, "sleep", "600"))
        if error and w.docker("ps", "-aq", "--filter", "name=c1"):
            equal(w.inspect("c1")["State"]["Status"], "created", "of what did not start")
            undo()
        return error
    at_each_degree(w, "run", do, undo, DEGREES[1:])  # what did not start is removed without any room
    works(w)


@timeout(200)
def test_start(w):
    """Of a container that is there: it stays as it was, and starts with room."""
    w.docker("create", "--name", "c1", "-p", "8080:80", IMAGE, "sleep", "600")
    w.docker("create", "--name", "c2", "--mount", "type=tmpfs,dst=/t", IMAGE, "sleep", "600")
    for name in ("c1", "c2"):
        before = objects(w)
        for leave in (0, PAGE, 4 * PAGE, 16 * PAGE):
            with full(w, leave):
                error = failed(w.docker_try("start", name))
                if error is None:
                    w.docker("kill", name)
                else:
                    contains(error.lower(), FULL)
                    check(not w.inspect(name)["State"]["Running"], "it runs")
            kept = ("links", "cgroups", "mounts", "exec-root")
            same(w, {k: before[k] for k in kept}, "start of %s with %d bytes" % (name, leave))
        w.docker("start", name)
        equal(w.docker("exec", name, "echo", "yes"), "yes")
    works(w)


@timeout(200)
def test_network_and_volume(w):
    many = {"k%d" % i: "x" * 4000 for i in range(8)}
    at_each_degree(w, "network create", lambda: post(w, "/networks/create", {"Name": "n1", "Labels": many}),
                   lambda: w.docker("network", "rm", "n1"))
    at_each_degree(w, "volume create", lambda: post(w, "/volumes/create", {"Name": "v1", "Labels": many}),
                   lambda: w.docker("volume", "rm", "v1"))
    w.docker("network", "create", "n2")
    w.docker("run", "-d", "--name", "c1", IMAGE, "sleep", "600")

    at_each_degree(w, "connect", lambda: post(w, "/networks/n2/connect", {"Container": "c1"}),
                   lambda: w.docker("network", "disconnect", "n2", "c1"), must_fail=False)
    equal(list(w.inspect("c1")["NetworkSettings"]["Networks"]), ["bridge"])
    works(w)


@timeout(120)
def test_removal_makes_room(w):
    """Without a byte of room everything can be removed, twenty times over."""
    for turn in range(20):
        w.docker("volume", "create", "v1")
        w.docker("network", "create", "n1")
        w.docker("run", "-d", "--name", "c1", "--network", "n1", "-v", "/anonymous", "-v", "v1:/named", IMAGE, "sleep", "600")
        post(w, "/images/create?fromSrc=-&repo=imported&tag=1", raw=tar_of({"x%d" % turn: b"x"}), headers={"Content-Type": "application/x-tar"})
        with full(w):
            if turn % 5 == 0:
                equal(w.stop(), 0)
                w.start()
            w.docker("rm", "-fv", "c1")
            w.docker("network", "rm", "n1")
            w.docker("volume", "rm", "v1")
            w.docker("rmi", "imported:1")
            equal(w.get("/volumes")["Volumes"] or [], [])
    works(w)


@timeout(200)
def test_small_changes(w):
    """rename, tag, update, pause, exec, stop, rm: without a byte of room."""
    w.docker("network", "create", "n1")
    w.docker("run", "-d", "--name", "c1", "--network", "n1", IMAGE, "sleep", "600")
    with full(w):
        use_up(w)
        now, seen = "c1", 0
        for i in range(10):
            new = "x%d-%s" % (i, "y" * 200)
            error = post(w, "/containers/%s/rename?name=%s" % (now, new))
            seen += error is not None
            check(error is None or FULL in error.lower(), "rename: %r", error)
            old, now = now, now if error else new
            equal(w.get("/containers/json")[0]["Names"], ["/" + now])
            equal(w.inspect(now)["Name"], "/" + now)
        check(seen, "a rename never failed")
        for what, error in (("tag", post(w, "/images/%s/tag?repo=other&tag=1" % IMAGE)),
                            ("update", post(w, "/containers/%s/update" % now, {"Memory": 64 << 20, "MemorySwap": 64 << 20}))):
            check(error is None or FULL in error.lower(), "%s: %r", what, error)
        equal(w.docker("exec", now, "echo", "still"), "still")
        w.docker_try("pause", now)
        if w.inspect(now)["State"]["Paused"]:
            w.docker("unpause", now)
        equal(w.docker("exec", now, "echo", "still"), "still")
        w.docker("kill", now)
        until(lambda: w.inspect(now)["State"]["Status"] == "exited", "it ends")
        failed(w.docker_try("rm", now))
    w.docker_try("rm", now)
    equal(w.docker("ps", "-aq"), "")
    w.api("DELETE", "/images/other:1")
    works(w)


# ---- what is large ----

@timeout(300)
def test_load_and_import(w):
    data = standin.archive({"loaded:1": []})
    tar = tar_of({"big": BIG, "bin/x": b"x"})
    at_each_degree(w, "import", lambda: post(w, "/images/create?fromSrc=-&repo=imported&tag=1", raw=tar, headers={"Content-Type": "application/x-tar"}),
                   lambda: w.docker("rmi", "imported:1"))
    other = docker_archive([tar_of({"a": BIG}), tar_of({"b": BIG[:100000]})], "loaded:2")
    for archive, name in ((other, "loaded:2"), (data, "loaded:1")):
        at_each_degree(w, "load", lambda: post(w, "/images/load?quiet=1", raw=archive, headers={"Content-Type": "application/x-tar"}),
                       lambda: w.docker("rmi", name), must_fail=archive is other)
    works(w)


def docker_archive(layers, name):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for i, layer in enumerate(layers):
            standin.add(tar, "%d.tar" % i, layer)
        standin.add(tar, "config.json", Image(layers).config)
        standin.add(tar, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": [name],
                                                       "Layers": ["%d.tar" % i for i in range(len(layers))]}]))
    return out.getvalue()


@timeout(300)
def test_pull(w):
    with Liar(w) as liar:
        liar.add("app", "1", Image([standin.layer(), tar_of({"big": BIG})]))
        at_each_degree(w, "pull", lambda: post(w, "/images/create?fromImage=%s/app&tag=1" % HOST), lambda: w.docker("rmi", HOST + "/app:1"))
    works(w)


@timeout(300)
def test_commit_and_build(w):
    w.docker("run", "--name", "c1", IMAGE, "sh", "-c", "head -c 3000000 /dev/urandom >/big")
    at_each_degree(w, "commit", lambda: post(w, "/commit?container=c1&repo=made&tag=1"), lambda: w.docker("rmi", "made:1"))
    w.docker("rm", "c1")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        standin.add(tar, "Dockerfile", "FROM %s\nCOPY big /\nRUN cp /big /two && echo ran\nLABEL a=b\n" % IMAGE)
        standin.add(tar, "big", BIG)

    def do():
        error = post(w, "/build?t=built:1&nocache=1&rm=1&forcerm=1", raw=out.getvalue(), headers={"Content-Type": "application/x-tar"}, timeout=120)
        if error:
            w.docker("image", "prune", "-f")  # the steps that it got done are its cache, as in Docker
        if error and "returned a non-zero code" in error:  # its own program's words were in the stream
            return FULL
        return error

    def undo():
        w.docker("rmi", "built:1")
        w.docker("image", "prune", "-f")
    at_each_degree(w, "build", do, undo, DEGREES + (4 << 20, 7 << 20, 10 << 20))
    works(w)


@timeout(300)
def test_cp_in(w):
    """Into a running container and into one that does not run."""
    w.docker("run", "-d", "--name", "c1", IMAGE, "sleep", "600")
    w.docker("create", "--name", "c2", IMAGE)
    tar = tar_of({"big": BIG})
    for name in ("c1", "c2"):
        def do():
            return answer(w.api("PUT", "/containers/%s/archive?path=/tmp" % name, raw=tar, timeout=60))

        def undo():
            if name == "c1":
                w.docker("exec", name, "rm", "-f", "/tmp/big")
        at_each_degree(w, "cp into " + name, do, undo, DEGREES[:6] if name == "c2" else DEGREES)
    works(w)


# ---- what goes on meanwhile ----

@timeout(120)
def test_flood_of_logs(w):
    """A container writes a log that has no room: it is not held up nor harmed, the log goes on with room."""
    w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c",
             "i=0; while [ ! -e /stop ]; do i=$((i+1)); echo line $i of a flood of logs that fills what there is; done; echo the end; sleep 600")
    with full(w, 1 << 20):
        until(lambda: room(w) == 0, "the disk is full", 60, 0.1)
        equal(w.docker("exec", "c1", "echo", "lives"), "lives")
        with w.event(r'"kill"'):
            w.docker("kill", "-s", "WINCH", "c1")
        w.docker("logs", "--tail", "3", "c1")
        equal(w.inspect("c1")["State"]["Running"], True)
    w.docker("exec", "c1", "touch", "/stop")
    until(lambda: "the end" in w.docker("logs", "--tail", "5", "c1"), "the log goes on", 20, 0.2)
    for line in w.docker("logs", "--tail", "20000", "c1").splitlines()[1:]:
        check(re.match(r"line \d+ of a flood of logs that fills what there is$|the end$|\(\d+ lines of this log were lost\)$", line), "a line is spoilt: %r", line)
    works(w)


@timeout(200)
def test_container_fills_the_disk(w):
    """From inside: it sees the error; what else runs and the engine are not harmed."""
    w.serve("c1", None, 80, "-p", "8080:80")
    r = w.docker_try("run", "--name", "c2", IMAGE, "sh", "-c", "cat /dev/zero >/fill; echo $?; sleep 1", timeout=120)
    contains(r.stderr.lower(), FULL)
    equal(w.http_get("lan", "http://%s:8080/" % HOST_LAN), "c1\n")
    equal(w.inspect("c2")["State"]["Status"], "exited")
    w.docker("rm", "c2")
    works(w)


@timeout(200)
def test_killed_while_full(w):
    """kill -9 without room; the next life begins without room too, and nothing is lost."""
    w.docker("network", "create", "n1")
    w.docker("volume", "create", "v1")
    w.serve("web", "n1", 80, "-p", "8080:80", "-v", "v1:/v")
    with full(w):
        use_up(w)
        before = objects(w)
        w.kill9()
        w.start()
        same(w, before, "the next life, without room")
        equal(w.http_get("lan", "http://%s:8080/" % HOST_LAN), "web\n")
        w.docker("exec", "web", "true")
        w.kill9()
    w.start()
    same(w, before, "the life after, with room")
    equal(w.http_get("lan", "http://%s:8080/" % HOST_LAN), "web\n")
    works(w)


@timeout(200)
def test_exit_while_full(w):
    """What ends while there is no room is told rightly after an orderly restart; its code is lost at most where the store
    has used up its own room as well."""
    for used_up in (False, True):
        w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c", "sleep 600 & trap 'kill $!; exit 7' TERM; touch /ready; wait")
        w.docker("run", "-d", "--name", "c2", IMAGE, "sleep", "600")
        until(lambda: w.exec("c1", "test", "-e", "/ready").returncode == 0, "c1 is ready", 20)
        with full(w):
            if used_up:
                use_up(w)
            w.docker("kill", "-s", "TERM", "c1")
            until(lambda: w.inspect("c1")["State"]["Status"] == "exited", "c1 ends")
            equal(w.inspect("c1")["State"]["ExitCode"], 7)
            equal(w.stop(), 0, "the engine's end")
            w.start()
            equal(len(w.get("/containers/json?all=1")), 2)
            equal(w.inspect("c1")["State"]["Status"], "exited")
        w.restart()
        c1 = w.inspect("c1")["State"]
        equal(c1["Status"], "exited")
        check(c1["ExitCode"] in ((7, 255) if used_up else (7,)), "exit code %d", c1["ExitCode"])
        w.docker("rm", "-f", "c1", "c2")
        drop_fillers(w)
    works(w)


if __name__ == "__main__":
    main(globals(), data_size="64m")
