#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files in and out of containers: docker cp through volumes and binds, running or not, hostile paths and tars."""
import base64
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

DIR, LINK = 1 << 31, 1 << 27


def tar_of(*members):
    """(name, data) files; (name, {attributes of TarInfo}, data)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, *more in members:
            info, data = tarfile.TarInfo(name), more[-1]
            info.mode, info.mtime = 0o644, 1700000000
            for key, value in (more[0] if len(more) > 1 else {}).items():
                setattr(info, key, value)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def url(container, path, **more):
    return "/containers/%s/archive?%s" % (container, urllib.parse.urlencode(dict(path=path, **more)))


def put(w, container, path, data, **more):
    return w.api("PUT", url(container, path, **more), raw=data, headers={"Content-Type": "application/x-tar"})


def get(w, container, path):
    r = w.api("GET", url(container, path))
    equal(r.status, 200, r.text[:300] if r.status != 200 else "")
    equal(r.headers["Content-Type"], "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(r.body)) as tar:
        return {m.name: (m, tar.extractfile(m).read() if m.isreg() else None) for m in tar}


def stat(w, container, path, method="HEAD"):
    r = w.api(method, url(container, path))
    equal(r.status, 200)
    return json.loads(base64.b64decode(r.headers["X-Docker-Container-Path-Stat"]))


def mounted(w):
    """As the engine sees it: it may have a mount namespace of its own."""
    with open("/proc/%d/mounts" % w.engine.pid) as f:
        return [x for x in f if w.data + "/containers/" in x]


def three_states(w, *options):
    """The same container created, running and stopped."""
    w.docker("create", "--name", "new", *options, IMAGE, "true")
    w.docker("run", "-d", "--name", "up", *options, IMAGE, "sleep", "600")
    w.docker("run", "--name", "ended", *options, IMAGE, "true")
    return "new", "up", "ended"


# ---- docker cp ----

def test_cp_in_and_out(w):
    """A file and a tree make the way there and back, whatever the container does; nothing stays mounted."""
    names = three_states(w)
    before = mounted(w)
    tree = w.base + "/tree"
    os.makedirs(tree + "/deep/er")
    for path, text in (("a", "one"), ("deep/b", "two"), ("deep/er/c", "x" * 200000)):
        with open(tree + "/" + path, "w") as f:
            f.write(text)
    os.symlink("deep/b", tree + "/link")
    os.link(tree + "/a", tree + "/hard")
    os.chmod(tree + "/deep/b", 0o4751)
    for name in names:
        w.docker("cp", tree, name + ":/in")
        w.docker("cp", tree + "/a", name + ":/in/renamed")
        out = w.base + "/out-" + name
        w.docker("cp", name + ":/in", out)
        equal(subprocess.run(["diff", "-r", "--no-dereference", tree, out], capture_output=True, text=True).stdout,
              "Only in %s: renamed\n" % out)
        equal(os.readlink(out + "/link"), "deep/b")
        equal(os.stat(out + "/deep/b").st_mode & 0o7777, 0o4751)
        equal(os.stat(out + "/a").st_ino, os.stat(out + "/hard").st_ino, "hard links")
        w.docker("cp", name + ":/in/a", w.base + "/one")
        equal(open(w.base + "/one").read(), "one")
        equal(w.docker("cp", name + ":/in/a", "-", text=False)[:1], b"a", "a stream")
    equal(w.docker("exec", "up", "cat", "/in/renamed"), "one", "the running one sees it")
    equal(mounted(w), before, "mounts of the engine's")
    w.docker("start", "ended")
    w.docker("wait", "ended")
    equal(stat(w, "ended", "/in/renamed")["size"], 3, "it survives the next start")


def test_cp_errors(w):
    names = three_states(w)
    with open(w.base + "/file", "w") as f:
        f.write("text")
    for name in names:
        matches(w.docker_fails("cp", name + ":/nowhere/file", w.base + "/x", code=1),  # older clients have words of their own
                "Could not find the file /nowhere/file in container %s|No such container:path: %s:/nowhere/file" % (name, name))
        w.docker_fails("cp", w.base + "/file", name + ":/nowhere/", code=1)
        w.docker("exec" if name == "up" else "cp", *(["up", "mkdir", "/d"] if name == "up" else [w.base + "/ns", name + ":/d"]))
        w.docker_fails("cp", w.base + "/ns", name + ":/bin/busybox", code=1)
        r = put(w, name, "/bin/busybox", tar_of(("x", b"")))
        equal((r.status, r.message), (400, "extraction point is not a directory"))
        r = put(w, name, "/nowhere", tar_of(("x", b"")))
        equal((r.status, r.message), (404, "Could not find the file /nowhere in container " + name))
        equal(put(w, name, "/d", b"this is no tar at all" * 100).status, 400)
        r = put(w, name, "/", tar_of(("d", b"file")), noOverwriteDirNonDir="true")
        equal(r.status, 400)
        contains(r.message, "cannot overwrite directory")
        r = put(w, name, "/bin", tar_of(("busybox", {"type": tarfile.DIRTYPE}, b"")), noOverwriteDirNonDir="1")
        contains(r.message, "cannot overwrite non-directory")
        equal(put(w, name, "/", tar_of(("d", b"file"))).status, 200, "without the flag it is replaced")
        equal(stat(w, name, "/d")["size"], 4)
    equal(w.api("HEAD", url("nobody", "/")).status, 404)
    equal(w.api("GET", "/containers/up/archive").status, 400, "without a path")
    equal(w.api("GET", url("nobody", "/")).message, "No such container: nobody")


def test_stat(w):
    w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c",
             "mkdir /d && chmod 1777 /d && echo 12345 >/d/f && chmod 4755 /d/f && ln -s /d/f /l && ln -s l /m && ln -s no/where /b &&"
             "ln -s /d /ld && mkfifo /p && mknod /n c 1 3; touch /ready; sleep 600")
    until(lambda: w.exec("c1", "test", "-e", "/ready").returncode == 0, "prepared", 20)
    for name, path, want in (("d", "/d", (DIR | 1 << 20 | 0o777, "")), ("f", "/d/f", (1 << 23 | 0o755, "")),
                             ("l", "/l", (LINK | 0o777, "/d/f")), ("m", "m", (LINK | 0o777, "/d/f")),
                             ("b", "/b", (LINK | 0o777, "/no/where")), ("ld", "/ld/", (DIR | 1 << 20 | 0o777, "")),
                             ("p", "/p", (1 << 25 | 0o644, "")), ("n", "/n", (1 << 26 | 1 << 21 | 0o644, "")),
                             ("/", "/", (DIR | 0o755, "")), (".", "/d/.", (DIR | 1 << 20 | 0o777, ""))):
        got = stat(w, "c1", path)
        equal((got["name"], got["mode"], got["linkTarget"]), (name, *want), path)
    equal(stat(w, "c1", "/d/f")["size"], 6)
    equal(stat(w, "c1", "/d/f", "GET")["name"], "f", "GET tells it too")
    matches(stat(w, "c1", "/d/f")["mtime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def test_names_in_the_tar(w):
    w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c",
             "mkdir -p /d/e && echo 1 >/d/e/f && ln -s d /l && ln /d/e/f /d/g && touch /ready; sleep 600")
    until(lambda: w.exec("c1", "test", "-e", "/ready").returncode == 0, "prepared", 20)
    equal(sorted(get(w, "c1", "/d")), ["d", "d/e", "d/e/f", "d/g"])
    equal(sorted(get(w, "c1", "/d/.")), [".", "./e", "./e/f", "./g"])
    equal(sorted(get(w, "c1", "/l/")), ["l", "l/e", "l/e/f", "l/g"])
    equal(sorted(get(w, "c1", "/l")), ["l"])
    check(get(w, "c1", "/l")["l"][0].issym(), "a link is itself")
    equal(get(w, "c1", "/d/e/f")["f"][1], b"1\n")
    check(get(w, "c1", "/d")["d/g"][0].islnk(), "hard links")
    check("/d/e/f" in get(w, "c1", "/"), "of the root each begins with a slash")
    w.docker("cp", "-L", "c1:/l", w.base + "/followed")
    equal(os.listdir(w.base + "/followed/e"), ["f"])
    with w.event(r'"archive-path"'):
        get(w, "c1", "/d")
    with w.event(r'"extract-to-dir"'):
        put(w, "c1", "/d", tar_of(("x", b"")))


def test_owner(w):
    data = tar_of(("f", {"uid": 1234, "gid": 5678}, b"x"), ("d", {"type": tarfile.DIRTYPE, "uid": 1234, "gid": 5678}, b""))
    for name, user in (("root", []), ("other", ["--user", "33:44"])):
        w.docker("create", "--name", name, *user, IMAGE, "true")
        equal(put(w, name, "/tmp", data).status, 200)
        members = get(w, name, "/tmp")
        equal([(m.uid, m.gid) for m, _ in (members["tmp/f"], members["tmp/d"])], [(1234, 5678)] * 2, "the archive's")
        equal(put(w, name, "/tmp", data, copyUIDGID="true").status, 200)
        members = get(w, name, "/tmp")
        want = (33, 44) if user else (1234, 5678)
        equal([(m.uid, m.gid) for m, _ in (members["tmp/f"], members["tmp/d"])], [want] * 2, "the container's user's")
    with open(w.base + "/file", "w") as f:
        f.write("text")
    w.docker("cp", "-a", w.base + "/file", "other:/tmp/a")
    m = get(w, "other", "/tmp/a")["a"][0]
    equal((m.uid, m.gid), (33, 44))


def test_compressed(w):
    w.docker("create", "--name", "c1", IMAGE, "true")
    plain = tar_of(("f", b"some text"))
    zstd = subprocess.run(["zstd", "-qc"], input=plain, capture_output=True, check=True).stdout
    for how, data in (("gzip", gzip.compress(plain)), ("xz", lzma.compress(plain)), ("zstd", zstd), ("tar", plain)):
        w.docker("cp", "-", "c1:/tmp", input=data, text=False)
        equal(get(w, "c1", "/tmp/f")["f"][1], b"some text", how)
        equal(put(w, "c1", "/tmp", tar_of(("f", b""))).status, 200)
    equal(put(w, "c1", "/tmp", b"").status, 200, "nothing is an empty archive")


def test_atoll_cp(w):
    """Our own cp has docker's cases: names, directories that are there or not, contents, links, streams."""
    w.docker("run", "-d", "--name", "c1", IMAGE, "sleep", "600")
    src = w.base + "/s&[r].c"
    os.makedirs(src + "/sub")
    for path, text in (("a", "one"), ("sub/b", "two")):
        with open(src + "/" + path, "w") as f:
            f.write(text)
    os.symlink("a", src + "/l")

    def inside(script):
        return w.docker("exec", "c1", "sh", "-c", script)
    w.atoll("cp", src + "/a", "c1:/new.name")
    w.atoll("cp", src + "/a", "c1:/tmp")
    w.atoll("cp", src, "c1:/tmp")
    w.atoll("cp", src, "c1:/renamed")
    w.atoll("cp", src + "/.", "c1:/content")
    w.atoll("cp", "-L", src + "/l", "c1:/followed")
    w.atoll("cp", src + "/l", "c1:/kept")
    equal(inside("cat /new.name /tmp/a '/tmp/s&[r].c/sub/b' /renamed/a /content/sub/b /followed; readlink /kept"),
          "oneonetwoonetwoonea")
    w.atoll("cp", "-a", src + "/a", "c1:/renamed/a")
    equal(w.atoll_try("cp", src, "c1:/new.name").returncode, 1, "a directory over a file")
    equal(w.atoll_try("cp", src + "/a", "c1:/nowhere/").returncode, 1)
    equal(w.atoll_try("cp", "c1:/a", "c1:/b").stderr.strip(), "copying between containers is not supported")
    contains(w.atoll_try("cp", "c1:/nowhere", w.base).stderr, "Could not find the file /nowhere in container c1")
    out = w.base + "/out"
    w.atoll("cp", "c1:/renamed", out)
    w.atoll("cp", "c1:/renamed", out)
    w.atoll("cp", "c1:/renamed/.", w.base + "/content")
    w.atoll("cp", "c1:/renamed/a", w.base + "/x.y")
    w.atoll("cp", "c1:/renamed/a", out + "/sub")
    for path in (out, out + "/renamed", w.base + "/content"):
        equal(open(path + "/sub/b").read(), "two", path)
        equal(os.readlink(path + "/l"), "a")
    equal((open(w.base + "/x.y").read(), open(out + "/sub/a").read()), ("one", "one"))
    w.atoll("cp", "c1:/", w.base + "/all")
    check(os.path.exists(w.base + "/all/renamed/sub/b"), "the root")
    data = subprocess.run([w.base + "/bin/atoll", "cp", "c1:/renamed", "-"], env=w.env, capture_output=True).stdout
    r = subprocess.run([w.base + "/bin/atoll", "cp", "-", "c1:/tmp"], env=w.env, input=data, capture_output=True)
    equal((r.returncode, r.stderr), (0, b""))
    equal(inside("cat /tmp/renamed/sub/b"), "two")


# ---- export and diff ----

def exported(w, container):
    data = w.docker("export", container, text=False)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: (m, tar.extractfile(m).read() if m.isreg() else None) for m in tar}


def test_export(w):
    names = three_states(w, "-v", "vol:/vol")
    for name in names:
        equal(put(w, name, "/tmp", tar_of(("mine", b"text"))).status, 200)
        equal(put(w, name, "/vol", tar_of(("not-this", b"x"))).status, 200)
        files = exported(w, name)
        equal(files["tmp/mine"][1], b"text")
        check("bin/busybox" in files and "vol/not-this" not in files and "" not in files, "%s", sorted(files)[:20])
        w.atoll("export", "-o", w.base + "/e.tar", name)
        equal(sorted(tarfile.open(w.base + "/e.tar").getnames()), sorted(files))
    w.docker("import", w.base + "/e.tar", "again:1")
    equal(w.docker("run", "--rm", "again:1", "cat", "/tmp/mine"), "text")
    equal(w.api("GET", "/containers/nobody/export").status, 404)
    w.docker_fails("export", "nobody", code=1, says="No such container: nobody")


def test_diff(w):
    """As Docker says it: modified directories, added, deleted, replaced; not what the runtime made."""
    w.docker("create", "--name", "new", IMAGE, "true")
    equal(w.docker("diff", "new"), "")
    equal(w.api("GET", "/containers/new/changes").body.strip(), b"null")
    w.docker("run", "--name", "idle", "--hostname", "h", IMAGE, "true")
    equal(w.docker("diff", "idle"), "")
    w.docker("run", "--name", "base", IMAGE, "sh", "-c", "mkdir -p /d/e /gone/deep /again /same; echo 1 >/d/e/f; echo 1 >/gone/deep/f;"
             "echo 1 >/again/a; echo 1 >/again/b; echo 1 >/file; ln -s x /link; echo 1 >/same/s")
    w.docker("commit", "base", "base:1")
    w.docker("run", "--name", "c1", "base:1", "sh", "-c", "echo 2 >>/d/e/f; echo 3 >/d/new; mkdir -p /n/o; echo 1 >/n/o/p; rm -r /gone;"
             "rm -r /again; mkdir /again; echo 99 >/again/b; echo 9 >/again/z; rm /file; mkdir /file; echo >/file/in; ln -sfn yy /link;"
             "chmod 700 /same; rm /bin/vi; cat /same/s >/dev/null; echo x >/etc/hosts; echo y >/etc/mine")
    want = """C /again
D /again/a
C /again/b
A /again/z
C /bin
D /bin/vi
C /d
C /d/e
C /d/e/f
A /d/new
C /etc
A /etc/mine
C /file
A /file/in
D /gone
C /link
A /n
A /n/o
A /n/o/p
C /same"""
    equal(w.docker("diff", "c1"), want)
    equal(w.atoll("diff", "c1"), want)
    equal(w.get("/containers/c1/changes")[:2], [{"Path": "/again", "Kind": 0}, {"Path": "/again/a", "Kind": 2}])
    w.docker_fails("diff", "nobody", code=1, says="No such container: nobody")


@timeout(300)
def test_many_files(w):
    """100,000 files: in by a tar, told by diff, committed, exported."""
    n = 100000
    data = tar_of(*[("f/%d/%d" % (i // 1000, i), b"") for i in range(n)])
    w.docker("create", "--name", "c1", IMAGE, "true")
    r = w.api("PUT", url("c1", "/tmp"), raw=data, headers={"Content-Type": "application/x-tar"}, timeout=200)
    equal(r.status, 200)
    equal(len(w.api("GET", "/containers/c1/changes", timeout=200).json), n + n // 1000 + 2)
    r = w.api("POST", "/commit?container=c1&repo=many", timeout=200)
    equal(r.status, 201, r.text[:300])
    equal(w.docker("run", "--rm", "many", "sh", "-c", "find /tmp/f -type f | wc -l", timeout=200), str(n))
    w.docker("rmi", "many")


# ---- volumes, binds, read-only ----

def test_through_volumes_and_binds(w):
    os.makedirs(w.base + "/host/sub")
    for name in three_states(w, "-v", "vol:/vol", "-v", w.base + "/host:/bind", "-v", w.base + "/host:/ro:ro", "--tmpfs", "/mem"):
        equal(put(w, name, "/vol", tar_of(("v-" + name, b"v"))).status, 200)
        equal(put(w, name, "/bind/sub", tar_of(("b-" + name, b"b"))).status, 200)
        check(os.path.exists(w.data + "/volumes/vol/_data/v-" + name), "in the volume")
        check(os.path.exists(w.base + "/host/sub/b-" + name), "in the bind")
        equal(get(w, name, "/ro/sub/b-" + name)["b-" + name][1], b"b")
        r = put(w, name, "/ro/sub", tar_of(("x", b"")))
        equal((r.status, r.message), (400, "mounted volume is marked read-only"))
        w.docker("cp", name + ":/vol/v-" + name, w.base + "/v")
        check("hosts" in get(w, name, "/etc/hosts"))
    equal(w.docker("run", "--rm", "-v", "vol:/vol", IMAGE, "ls", "/vol").split(), ["v-ended", "v-new", "v-up"])


def test_volume_of_a_created_container(w):
    """Its volume has the image's content before the first copy, as after a start."""
    w.docker("create", "--name", "c1", "-v", "filled:/bin", IMAGE, "true")
    equal(put(w, "c1", "/bin", tar_of(("mine", b"1"))).status, 200)
    names = os.listdir(w.data + "/volumes/filled/_data")
    check("mine" in names and "busybox" in names, "%s", names)
    equal(w.docker("start", "-a", "c1"), "")


def test_read_only_root(w):
    for name in three_states(w, "--read-only", "-v", "vol:/vol"):
        r = put(w, name, "/tmp", tar_of(("x", b"")))
        equal((r.status, r.message), (400, "container rootfs is marked read-only"))
        equal(put(w, name, "/vol", tar_of(("x", b""))).status, 200, "a volume can be written")
        equal(sorted(get(w, name, "/vol")), ["vol", "vol/x"])


# ---- links and hostile tars ----

def test_links_stay_inside(w):
    """Links of the container lead around in the container, not on the host."""
    marker = w.base + "/secret"
    os.makedirs(marker)
    with open(marker + "/key", "w") as f:
        f.write("host")
    w.docker("run", "-d", "--name", "c1", "-v", "/proc:/hostproc", IMAGE, "sh", "-c",
             "ln -s %s /abs; ln -s ../../../../../..%s /rel; mkdir -p %s; ln -s / /root-link; touch /ready; sleep 600" % (
                 marker, marker, marker))
    until(lambda: w.exec("c1", "test", "-e", "/ready").returncode == 0, "prepared", 20)
    for link in ("/abs", "/rel", "/root-link" + marker):
        check("./key" not in get(w, "c1", link + "/."), "%s leads to the host", link)
        equal(put(w, "c1", link, tar_of(("put", b"1"))).status, 200)
        equal(w.api("GET", url("c1", link + "/key")).status, 404)
        check(not os.path.exists(marker + "/put"), "%s leads to the host", link)
    equal(w.docker("exec", "c1", "ls", marker), "put")
    for path in ("/hostproc/1/root" + marker, "/hostproc/self/root" + marker, "/hostproc/1/cwd/"):
        check(w.api("GET", url("c1", path)).status >= 400, "%s", path)
        check(put(w, "c1", path, tar_of(("put", b"1"))).status >= 400, "%s", path)
    check(not os.path.exists(marker + "/put"), "a link of /proc leads to the host")


def test_hostile_tars(w):
    w.docker("run", "-d", "--name", "c1", IMAGE, "sleep", "600")
    link, hard, node = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE
    for what, data in (("dots", tar_of(("../../escaped", b"x"))),
                       ("hard", tar_of(("h", {"type": hard, "linkname": "../../../etc/passwd"}, b"")))):
        equal(put(w, "c1", "/tmp", data).status, 400, what)
    check(not os.path.exists("/escaped") and not os.path.exists(w.base + "/escaped"), "a file on the host")
    data = tar_of(("l", {"type": link, "linkname": w.base}, b""), ("l/through", b"x"))
    put(w, "c1", "/tmp", data)
    check(not os.path.exists(w.base + "/through"), "through a link of the tar")
    equal(put(w, "c1", "/tmp", tar_of(("n", {"type": node, "devmajor": 1, "devminor": 3}, b""), ("s", {"mode": 0o6755}, b"x"))).status, 200)
    equal(w.docker("exec", "c1", "stat", "-c", "%F %a", "/tmp/n", "/tmp/s").split("\n")[1], "regular file 6755")
    bomb = gzip.compress(b"\0" * (200 << 20), 9)
    equal(put(w, "c1", "/tmp", bomb).status, 400, "a bomb")
    names = [(".wh.etc", b""), (".wh..wh..opq", b"")]
    equal(put(w, "c1", "/tmp", tar_of(*names)).status, 200)
    equal(w.docker("exec", "c1", "ls", "-A", "/tmp").split()[:2], [".wh..wh..opq", ".wh.etc"], "plain names here")


@timeout(120)
def test_large_and_aborted(w):
    """A client that leaves in the middle: the helper ends, the engine goes on, nothing stays mounted."""
    w.docker("create", "--name", "c1", IMAGE, "true")
    blob = os.urandom(1 << 20) * 24
    equal(put(w, "c1", "/tmp", tar_of(("big", blob))).status, 200)
    check(get(w, "c1", "/tmp/big")["big"][1] == blob, "the same bytes back")
    with w.connect_api() as s:
        s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % url("c1", "/tmp/big")).encode())
        check(s.recv(100).startswith(b"HTTP/1.1 200"))
    with w.connect_api() as s:
        s.sendall(("PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n" % url("c1", "/tmp")).encode())
        s.sendall(tar_of(("half", blob))[:1 << 20])
    until(lambda: not mounted(w), "all is unmounted", 20)
    equal(stat(w, "c1", "/tmp/big")["size"], len(blob))
    w.docker("rm", "c1")


@timeout(120)
def test_killed(w):
    """kill -9 in the middle of a copy into a container that does not run: it is unmounted, and starts."""
    w.docker("create", "--name", "c1", IMAGE, "true")
    with w.connect_api() as s:
        s.sendall(("PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n" % url("c1", "/tmp")).encode())
        s.sendall(tar_of(("half", os.urandom(1 << 20)))[:1 << 19])
        until(lambda: mounted(w), "it began", 20)
        w.kill9()
    w.start()
    until(lambda: not mounted(w), "it is unmounted", 20)
    w.docker("start", "-a", "c1")
    equal(put(w, "c1", "/tmp", tar_of(("x", b"1"))).status, 200)


def test_removed_meanwhile(w):
    w.docker("run", "-d", "--name", "c1", IMAGE, "sleep", "600")
    with w.connect_api() as s:
        s.sendall(("PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n" % url("c1", "/tmp")).encode())
        s.sendall(tar_of(("half", os.urandom(1 << 20)))[:1 << 19])
        until(lambda: w.exec("c1", "test", "-e", "/tmp/half").returncode == 0, "the copy is under way", 20)
        w.docker("stop", "-t", "0", "c1")
        w.docker("start", "c1")
        w.docker("rm", "-f", "c1")
    equal(w.get("/containers/json?all=1"), [])


if __name__ == "__main__":
    main(globals())
