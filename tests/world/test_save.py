#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docker save and load: each layer's tar byte for byte, the archive's two forms, names, other engines; a disk that is full."""
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def sha(data):
    return hashlib.sha256(data).hexdigest()


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isreg()}


def save(w, *names):
    return w.docker("save", *names, text=False)


def ids(w):
    return sorted((i["Id"], sorted(i["RepoTags"] or [])) for i in w.get("/images/json"))


def layer(*items):
    """(name, data) or (name, type, link): a tar that is not one of ours."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, what, *link in items:
            info = tarfile.TarInfo(name)
            if link:
                info.type, info.linkname = what, link[0]
                tar.addfile(info)
            else:
                info.size, info.mtime = len(what), 12345
                tar.addfile(info, io.BytesIO(what))
    return out.getvalue()


def archive(tag, *layers):
    config = json.dumps({"architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux",
                         "config": {"Cmd": ["sh"]}, "x": tag,
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(x) for x in layers]}}).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in [("c.json", config), *[("%d/layer.tar" % i, x) for i, x in enumerate(layers)],
                           ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": [tag] if tag else None,
                                                          "Layers": ["%d/layer.tar" % i for i in range(len(layers))]}]).encode())]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def load(w, data, status=200):
    r = w.api("POST", "/images/load?quiet=1", raw=data, headers={"Content-Type": "application/x-tar"}, timeout=120)
    equal(r.status, status, r.text[:300])
    return r


# ---- the archive ----

def test_layout(w):
    """Both forms say the same, each blob has its digest, the config is byte for byte what it was."""
    w.docker("run", "--name", "c1", IMAGE, "sh", "-c", "echo 1 >/one; rm /bin/vi")
    w.docker("commit", "c1", "mine:v1")
    w.docker("tag", "mine:v1", "other.example:5000/deep/name:v2")
    with w.event(r'"save"'):
        files = members(save(w, "mine:v1", "other.example:5000/deep/name:v2"))
    for name, data in files.items():
        if name.startswith("blobs/sha256/"):
            equal(sha(data), name[len("blobs/sha256/"):], name)
    equal(json.loads(files["oci-layout"]), {"imageLayoutVersion": "1.0.0"})
    listed = json.loads(files["manifest.json"])
    image = w.get("/images/mine:v1/json")
    equal(len(listed), 1)
    equal(listed[0]["Config"], "blobs/sha256/" + image["Id"][7:])
    equal(sorted(listed[0]["RepoTags"]), ["mine:v1", "other.example:5000/deep/name:v2"])
    equal(["sha256:" + x[len("blobs/sha256/"):] for x in listed[0]["Layers"]], image["RootFS"]["Layers"])
    index = json.loads(files["index.json"])["manifests"]
    equal(sorted(d["annotations"]["io.containerd.image.name"] for d in index),
          ["docker.io/library/mine:v1", "other.example:5000/deep/name:v2"])
    manifest = json.loads(files["blobs/sha256/" + index[0]["digest"][7:]])
    equal(manifest["config"]["digest"], image["Id"])
    equal([x["digest"] for x in manifest["layers"]], image["RootFS"]["Layers"])
    for d in [manifest["config"], *manifest["layers"]]:
        equal(len(files["blobs/sha256/" + d["digest"][7:]]), d["size"])
    equal(json.loads(files["repositories"]), {"mine": {"v1": image["RootFS"]["Layers"][-1][7:]},
                                              "other.example:5000/deep/name": {"v2": image["RootFS"]["Layers"][-1][7:]}})


def test_round_trip(w):
    """Saved, removed, loaded: the same images under the same names. The OCI form alone will do, too."""
    w.docker("run", "--name", "c1", IMAGE, "sh", "-c", "echo 1 >/one; chmod 4755 /one; rm /bin/vi; ln /one /two; mkfifo /p")
    w.docker("commit", "c1", "mine:v1")
    w.docker("rm", "c1")
    before = ids(w)
    data = save(w, "mine:v1", IMAGE)
    w.docker("rmi", "mine:v1")
    contains(w.docker("load", input=data, text=False).decode(), "Loaded image: mine:v1")
    equal(ids(w), before)
    equal(w.docker("run", "--rm", "mine:v1", "sh", "-c", "stat -c '%a %h' /one; ls /bin/vi 2>&1; cat /two").split("\n")[::2], ["4755 2", "1"])
    check(save(w, "mine:v1", IMAGE) == data, "the same archive again")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as oci:
            for m in tar:
                if m.name not in ("manifest.json", "repositories"):
                    oci.addfile(m, tar.extractfile(m) if m.isreg() else None)
    w.docker("rmi", "mine:v1")
    load(w, out.getvalue())
    equal(ids(w), before, "from the OCI layout")


def test_names(w):
    w.docker("tag", IMAGE, "a:1")
    w.docker("tag", IMAGE, "a:2")
    w.docker("tag", IMAGE, "a/b:1")
    image = w.get("/images/a:1/json")["Id"]

    def tags(*names):
        return [x["RepoTags"] for x in json.loads(members(save(w, *names))["manifest.json"])]
    equal(tags("a:1"), [["a:1"]])
    equal(sorted(tags("a")[0]), ["a:1", "a:2"], "a repository without a tag")
    equal(tags(image), [None], "an id has no name")
    equal(tags(image[7:19]), [None])
    equal(tags("a:1", image, "a/b:1"), [["a:1", "a/b:1"]])
    equal(w.api("GET", "/images/a/b:1/get").status, 200)
    r = w.api("GET", "/images/get?names=a:1&names=nothing")
    equal((r.status, r.message), (404, "No such image: nothing:latest"))
    equal(w.api("GET", "/images/get").status, 400)
    w.docker_fails("save", "nothing", code=1, says="No such image: nothing")
    w.atoll("save", "-o", w.base + "/s.tar", "a:1", "a:2")
    equal(sorted(json.loads(members(open(w.base + "/s.tar", "rb").read())["manifest.json"])[0]["RepoTags"]), ["a:1", "a:2"])
    equal(w.atoll_try("save", "-o", w.base + "/no.tar", "nothing").returncode, 1)
    check(not [x for x in os.listdir(w.base) if x.startswith("no.tar")], "no half file")


def test_foreign_layers(w):
    """Layers of other writers come out as they came in: long names, entries that replace others, odd ends."""
    layers = [
        layer(("d/" + "n" * 180, b"x" * 5000), ("f", b"first"), ("f", b"second"), ("hard", tarfile.LNKTYPE, "f"),
              ("l", tarfile.SYMTYPE, "d"), (".wh.gone", b"some content")),
        layer(("f", b"another layer"))[:-512],
        layer(("z", b"")) + b"behind the end" * 1000,
    ]
    sparse = w.base + "/sparse"
    os.makedirs(sparse)
    with open(sparse + "/holes", "wb") as f:
        f.write(b"begin")
        f.seek(10 << 20)
        f.write(b"end")
    open(sparse + "/hole", "wb").truncate(5 << 20)
    for how in (["--format=gnu"], ["--format=posix", "--sparse-version=1.0"], ["--format=posix", "--sparse-version=0.1"]):
        layers.append(subprocess.run(["tar", "-S", *how, "-C", sparse, "-cf", "-", "."], capture_output=True, check=True).stdout)
    for path, where in (("ustar", tarfile.USTAR_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=where) as tar:
            info = tarfile.TarInfo(path)
            info.size, info.pax_headers = 3, {"SCHILY.xattr.user.x": "y"}
            tar.addfile(info, io.BytesIO(b"abc"))
        layers.append(out.getvalue())
    load(w, archive("foreign:1", *layers))
    files = members(save(w, "foreign:1"))
    for i, data in enumerate(layers):
        check(files.get("blobs/sha256/" + sha(data)) == data, "layer %d", i)


def test_without_recipe(w):
    """A layer from before there were recipes: a clear error before the first byte; loading it again mends it."""
    data = archive("old:1", layer(("f", b"x")))
    load(w, data)
    chain = w.get("/images/old:1/json")["RootFS"]["Layers"][0][7:39]
    os.unlink(w.data + "/layers/%s/recipe" % chain)
    r = w.api("GET", "/images/old:1/get")
    equal(r.status, 500)
    contains(r.message, "load or pull its image again")
    load(w, data)
    equal(len(members(save(w, "old:1"))) > 0, True)
    with open(w.data + "/layers/%s/diff/f" % chain, "w") as f:
        f.write("y")
    with w.connect_api() as s:
        s.sendall(b"GET /images/old:1/get HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while part := s.recv(65536):
            got += part
    check(b"manifest.json" not in got, "a changed layer goes out whole")


@timeout(180)
def test_dockerd_loads_it(w):
    """What we save is an image to Docker, and what Docker saves is one to us."""
    if w.kind == "dockerd" or not os.path.exists(TOP + "/tests/.cache/dockerd/usr/sbin/dockerd"):
        raise Skip("no dockerd beside; bench/peer-get brings one")
    w.docker("run", "--name", "c1", IMAGE, "sh", "-c", "echo 1 >/one; rm /bin/vi; chmod 4711 /one; ln /one /two")
    w.docker("commit", "c1", "mine:v1")
    w.docker("rm", "c1")
    ours = save(w, "mine:v1")
    image = w.get("/images/mine:v1/json")
    other = World(w.base + "/peer", kind="dockerd")
    other.start()
    try:
        contains(other.docker("load", input=ours, text=False).decode(), "Loaded image: mine:v1")
        theirs = other.get("/images/mine:v1/json")
        equal((theirs["Id"], theirs["RootFS"]["Layers"]), (image["Id"], image["RootFS"]["Layers"]))
        data = save(other, "mine:v1")
    finally:
        other.stop()
    w.docker("rmi", "mine:v1")
    load(w, data)
    equal(w.get("/images/mine:v1/json")["Id"], image["Id"])


# ---- a full disk ----

@timeout(180)
def test_full_disk(w):
    """The data root's disk is full: a load, a commit, a copy fail with 500 and say so; nothing is left of them."""
    if os.environ.get("ATOLL_TEST_DISK") == "1":
        raise Skip("the data root is on a disk")
    fs = os.statvfs(w.base)

    def resize(size):
        r = run("mount", "-o", "remount,size=%d" % size, w.base)
        check(r.returncode == 0, "%s", r.stderr)
    resize((fs.f_blocks - fs.f_bfree) * fs.f_frsize + (24 << 20))
    try:
        before = (ids(w), sorted(os.listdir(w.data + "/layers")))
        big = layer(("big", os.urandom(30 << 20)))
        r = load(w, archive("big:1", big), 500)
        contains(r.message, "No space left on device")
        r = w.api("POST", "/images/create?fromSrc=-&repo=big", raw=big, timeout=60)
        equal(r.status, 500)
        contains(r.message, "No space left on device")
        w.docker("create", "--name", "c1", IMAGE, "true")
        r = w.api("PUT", "/containers/c1/archive?path=/tmp", raw=layer(("half", os.urandom(14 << 20))), timeout=60)
        equal(r.status, 200)
        r = w.api("PUT", "/containers/c1/archive?path=/tmp", raw=big, timeout=60)
        equal(r.status, 500)
        contains(r.message, "No space left on device")
        w.docker("cp", "-", "c1:/tmp", input=layer(("big", b"")), text=False)
        r = w.api("POST", "/commit?container=c1&repo=big", timeout=60)
        equal(r.status, 500, r.text[:300])
        contains(r.message, "No space left on device")
        w.docker("rm", "c1")
        until(lambda: (ids(w), sorted(os.listdir(w.data + "/layers"))) == before and not os.listdir(w.data + "/trash"), "nothing is left", 20)
        w.docker("save", "-o", w.base + "/s.tar", IMAGE)
        equal(w.docker("run", "--rm", IMAGE, "echo", "on"), "on")
    finally:
        resize(fs.f_blocks * fs.f_frsize)


if __name__ == "__main__":
    main(globals())
