#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Images: docker-archive and OCI layouts with every compression, import, list, inspect, tag, remove, what
is shared; archives that mean harm."""
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def packed(data, how):
    if how == "tar":
        return data
    tool = {"gzip": ["gzip", "-1nc"], "zstd": ["zstd", "-1qc"], "xz": ["xz", "-0c"], "bzip2": ["bzip2", "-1c"]}[how]
    return subprocess.run(tool, input=data, capture_output=True, check=True).stdout


def tar_of(*entries):
    """Entries: (name, data, mode) for files, or (name, type, link) for others."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, what, extra in entries:
            if isinstance(what, bytes) and len(what) == 1 and isinstance(extra, str):
                standin.add(tar, name, kind=what, link=extra, mode=0o755)
            else:
                standin.add(tar, name, what, extra or 0o644)
    return out.getvalue()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def config_of(layers, cmd=None, **extra):
    return json.dumps(standin.config("x", [], ["sha256:" + sha(x) for x in layers], cmd or ["sh"], **extra)).encode()


def docker_archive(ref, layers, compress="tar", config=None, manifest=None):
    config = config or config_of(layers)
    entries = [(sha(config) + ".json", config, 0), *[("l%d/layer.tar" % i, packed(x, compress), 0) for i, x in enumerate(layers)]]
    manifest = manifest or [{"Config": sha(config) + ".json", "RepoTags": [ref] if ref else None,
                             "Layers": ["l%d/layer.tar" % i for i in range(len(layers))]}]
    return tar_of(*entries, ("manifest.json", json.dumps(manifest).encode(), 0))


def oci_archive(ref, layers, compress="gzip", index=None):
    config = config_of(layers)
    blobs = [packed(x, compress) for x in layers]
    kind = "application/vnd.oci.image.layer.v1.tar" + {"tar": "", "gzip": "+gzip", "zstd": "+zstd"}[compress]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + sha(config), "size": len(config)},
        "layers": [{"mediaType": kind, "digest": "sha256:" + sha(b), "size": len(b)} for b in blobs]}).encode()
    index = index or json.dumps({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + sha(manifest), "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": ref.split(":")[-1], "io.containerd.image.name": "docker.io/library/" + ref}}]}).encode()
    entries = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0), ("index.json", index, 0)]
    entries += [("blobs/sha256/" + sha(b), b, 0) for b in [config, manifest, *blobs]]
    return tar_of(*entries)


def load(w, data):
    r = w.api("POST", "/images/load?quiet=1", raw=data, headers={"Content-Type": "application/x-tar"}, timeout=60)
    if r.status != 200:
        return r.message
    errors = [json.loads(line).get("error") for line in r.text.splitlines() if line.strip()]
    return next((e for e in errors if e), None)


def drop(w, *refs):
    for ref in refs:
        w.api("DELETE", "/images/%s?force=1" % ref)


def base():
    return standin.layer()


TOP_LAYER = tar_of(("etc/top", b"top layer\n", 0))


def test_docker_archives(w):
    """One image in every compression has the same id, and runs."""
    ids = set()
    for how in ("tar", "gzip", "xz", "zstd"):
        if how != "tar" and not standin.have_compressor(how):
            continue
        equal(load(w, docker_archive("packed:1", [base(), TOP_LAYER], how)), None, how)
        ids.add(w.get("/images/packed:1/json")["Id"])
        equal(w.docker("run", "--rm", "packed:1", "cat", "/etc/top"), "top layer", how)
        drop(w, "packed:1")
    equal(len(ids), 1, "ids")


def test_oci_layouts(w):
    for how in ("tar", "gzip", "zstd"):
        if how != "tar" and not standin.have_compressor(how):
            continue
        equal(load(w, oci_archive("layout:2", [base(), TOP_LAYER], how)), None, how)
        equal(w.docker("run", "--rm", "layout:2", "cat", "/etc/top"), "top layer", how)
        drop(w, "layout:2")


def test_docker_load_command(w):
    with open(w.base + "/image.tar", "wb") as f:
        f.write(docker_archive("cli:1", [base()]))
    contains(w.docker("load", "-i", w.base + "/image.tar"), "Loaded image: cli:1")
    with open(w.base + "/image.tar.gz", "wb") as f:
        f.write(packed(docker_archive("cli:2", [base()]), "gzip"))
    contains(w.docker("load", "-q", "-i", w.base + "/image.tar.gz"), "cli:2")
    drop(w, "cli:1", "cli:2")


def test_whiteouts_links_and_modes(w):
    low = tar_of(("data/keep", b"keep", 0), ("data/gone", b"gone", 0), ("old/one", b"1", 0), ("old/two", b"2", 0),
                 ("sticky", tarfile.DIRTYPE, ""), ("run-me", b"#!/bin/sh\necho ran\n", 0o4755), ("hard", b"linked", 0))
    high = tar_of(("data/.wh.gone", b"", 0), ("old/.wh..wh..opq", b"", 0), ("old/three", b"3", 0), ("soft", tarfile.SYMTYPE, "data/keep"),
                  ("data/new", b"new", 0), ("hard2", tarfile.LNKTYPE, "data/new"))
    equal(load(w, docker_archive("layers:1", [base(), low, high])), None)
    out = w.docker("run", "--rm", "layers:1", "sh", "-c",
                   "ls data old; cat soft; stat -c %h hard2; stat -c %a run-me; ls -a / | grep -c wh; true")
    for part in ("keep\nnew", "old:\nthree", "keep2", "4755"):
        contains(out, part)
    check("gone" not in out and "one" not in out.split(), out)
    drop(w, "layers:1")


def test_config_is_used(w):
    layers = [base()]
    config = config_of(layers, ["echo", "from", "cmd"], Entrypoint=["/bin/busybox"], Env=["PATH=/bin", "X=1"], WorkingDir="/tmp", User="1000",
                       Labels={"who": "me"}, ExposedPorts={"81/tcp": {}}, Volumes={"/vol": {}}, StopSignal="SIGUSR1")
    equal(load(w, docker_archive("configured:1", layers, config=config)), None)
    info = w.get("/images/configured:1/json")
    for key, want in (("Labels", {"who": "me"}), ("User", "1000"), ("WorkingDir", "/tmp"), ("StopSignal", "SIGUSR1"), ("Env", ["PATH=/bin", "X=1"])):
        equal(info["Config"][key], want, key)
    equal(w.docker("run", "--rm", "configured:1"), "from cmd")
    equal(w.docker("run", "--rm", "configured:1", "id", "-u"), "1000")
    equal(w.docker("run", "--rm", "configured:1", "pwd"), "/tmp")
    w.docker("create", "--name", "some", "configured:1")
    got = w.inspect("some")
    equal([m["Destination"] for m in got["Mounts"]], ["/vol"])
    equal(got["Config"]["Labels"], {"who": "me"})
    w.docker("rm", "-v", "some")
    drop(w, "configured:1")


def test_list_inspect_tag(w):
    equal(load(w, docker_archive("listed:1", [base(), TOP_LAYER])), None)
    iid = w.get("/images/listed:1/json")["Id"]
    matches(iid, "^sha256:[0-9a-f]{64}$")
    w.docker("tag", "listed:1", "other/name:2")
    w.docker("tag", iid[7:19], "third")
    row = next(i for i in w.get("/images/json") if i["Id"] == iid)
    equal(sorted(row["RepoTags"]), ["listed:1", "other/name:2", "third:latest"])
    check(row["Size"] > 500000, "%d bytes", row["Size"])
    equal(w.api("GET", "/images/listed/json").status, 404, "without a tag, latest is meant")
    for ref in (iid, iid[7:], iid[7:15], "docker.io/library/listed:1", "other/name:2"):
        equal(w.get("/images/%s/json" % ref)["Id"], iid, ref)
    contains(w.docker("images"), "other/name")
    equal(w.docker("images", "-q", "--filter", "reference=other/*"), iid[7:19])
    text = w.docker("rmi", "other/name:2")
    contains(text, "Untagged: other/name:2")
    check("Deleted" not in text, "the image has other names")
    w.docker("rmi", "third")
    contains(w.docker("rmi", "listed:1"), "Deleted: " + iid)
    equal(w.api("GET", "/images/%s/json" % iid).status, 404)


def test_remove_conflicts(w):
    equal(load(w, docker_archive("busy:1", [base(), TOP_LAYER])), None)
    iid = w.get("/images/busy:1/json")["Id"]
    w.docker("tag", "busy:1", "busy:2")
    w.docker_fails("rmi", iid[7:19], says="must be forced")
    w.docker("rmi", "busy:2")
    cid = w.docker("run", "-d", "--name", "holder", "busy:1", "sleep", "600")
    text = w.docker_fails("rmi", "busy:1")
    matches(text, "conflict: unable to remove repository reference \"busy:1\" \\(must force\\) - container %s is using its referenced image %s"
            % (cid[:12], iid[7:19]))
    matches(w.docker_fails("rmi", "-f", iid[7:19]), "cannot be forced.*image is being used by running container " + cid[:12])
    w.docker("rm", "-f", "holder")
    w.docker("rmi", "busy:1")


def test_same_name_moves(w):
    equal(load(w, docker_archive("moving:1", [base(), TOP_LAYER])), None)
    first = w.get("/images/moving:1/json")["Id"]
    equal(load(w, docker_archive("moving:1", [base(), tar_of(("etc/top", b"second\n", 0))])), None)
    second = w.get("/images/moving:1/json")["Id"]
    check(first != second)
    equal([i["RepoTags"] for i in w.get("/images/json") if i["Id"] == first] in ([[]], [None], [["<none>:<none>"]]), True)
    drop(w, first, "moving:1")


def test_import(w):
    with open(w.base + "/root.tar", "wb") as f:
        f.write(base())
    iid = w.docker("import", "-c", 'CMD ["echo","imported"]', "-c", "ENV A=b", "-m", "a message", w.base + "/root.tar", "imp:1")
    matches(iid, "^sha256:[0-9a-f]{64}$")
    equal(w.docker("run", "--rm", "imp:1"), "imported")
    contains(w.get("/images/imp:1/json")["Config"]["Env"], "A=b")
    drop(w, "imp:1")


def test_layers_are_shared(w):
    before = set(os.listdir(w.data + "/layers")) if os.path.isdir(w.data + "/layers") else set()
    big = tar_of(("big", os.urandom(1 << 20), 0))
    for i in range(3):
        equal(load(w, docker_archive("share:%d" % i, [base(), big, tar_of(("n", b"%d" % i, 0))])), None)
    if before or os.path.isdir(w.data + "/layers"):
        new = set(os.listdir(w.data + "/layers")) - before
        check(len(new) <= 5, "%d layers for 3 images that share two", len(new))
    drop(w, *["share:%d" % i for i in range(3)])
    if os.path.isdir(w.data + "/layers"):
        until(lambda: set(os.listdir(w.data + "/layers")) <= before, "layers nobody uses are deleted")


def test_hostile_layers(w):
    """Archives that try to write outside their root: an error, or harmless; never a file outside."""
    target = w.base + "/victim"
    os.makedirs(target)
    dots = "../" * 12
    layers = {
        "dot-dot": tar_of((dots + target[1:] + "/a", b"x", 0)),
        "absolute": tar_of((target + "/b", b"x", 0)),
        "symlink": tar_of(("out", tarfile.SYMTYPE, target), ("out/c", b"x", 0)),
        "symlink-up": tar_of(("out", tarfile.SYMTYPE, dots + target[1:]), ("out/d", b"x", 0)),
        "chain": tar_of(("a", tarfile.SYMTYPE, "."), ("a/b", tarfile.SYMTYPE, target), ("a/b/e", b"x", 0)),
        "hardlink": tar_of(("shadow", tarfile.LNKTYPE, "/etc/hostname"), ("shadow", b"overwritten\n", 0)),
        "hardlink-up": tar_of(("shadow", tarfile.LNKTYPE, dots + "etc/hostname")),
        "whiteout-up": tar_of(("../.wh.etc", b"", 0)), "whiteout-dots": tar_of(("x/.wh...", b"", 0)),
        "empty-name": tar_of(("", b"x", 0)), "long-name": tar_of(("n/" * 3000 + "f", b"x", 0)),
        "dots-only": tar_of((".", tarfile.DIRTYPE, ""), ("..", tarfile.DIRTYPE, "")),
        "device": tar_of(("dev/evil", tarfile.CHRTYPE, "")),
        "swap": tar_of(("d", tarfile.DIRTYPE, ""), ("d/f", b"1", 0), ("d", tarfile.SYMTYPE, target), ("d/g", b"2", 0)),
    }
    hostname = open("/etc/hostname").read() if os.path.exists("/etc/hostname") else None
    for name, layer in layers.items():
        error = load(w, docker_archive("hostile:1", [layer]))
        equal(os.listdir(target), [], name)
        if hostname is not None:
            equal(open("/etc/hostname").read(), hostname, name)
        if error is None:
            drop(w, "hostile:1")
        equal(w.api("GET", "/_ping").status, 200, name)
    equal(w.get("/images/json?filters=%7B%22reference%22%3A%5B%22hostile%22%5D%7D"), [])
    os.rmdir(target)


def test_hostile_archives(w):
    good = docker_archive("broken:1", [base()])
    layers = [TOP_LAYER]
    config = config_of(layers)
    bad = {
        "empty": b"", "text": b"hello", "zeros": b"\0" * 10240, "cut": good[:len(good) // 2], "cut early": good[:700],
        "no manifest": tar_of(("x", b"y", 0)),
        "manifest is not JSON": tar_of(("manifest.json", b"{", 0)),
        "manifest is an object": tar_of(("manifest.json", b"{}", 0)),
        "manifest of wrong types": tar_of(("manifest.json", b'[{"Config":5,"Layers":"x","RepoTags":{}}]', 0)),
        "missing config": docker_archive("broken:1", layers, manifest=[{"Config": "nope.json", "RepoTags": ["broken:1"], "Layers": ["l0/layer.tar"]}]),
        "missing layer": docker_archive("broken:1", layers, manifest=[{"Config": sha(config) + ".json", "RepoTags": ["broken:1"], "Layers": ["gone"]}]),
        "path outside": docker_archive("broken:1", layers, manifest=[{"Config": "../../../etc/passwd", "RepoTags": ["broken:1"], "Layers": ["l0/layer.tar"]}]),
        "other number of layers": docker_archive("broken:1", layers, config=config_of(layers + layers)),
        "wrong diff id": docker_archive("broken:1", layers, config=config_of([b"other"])),
        "bad reference": docker_archive("UPPER CASE:!!", layers),
        "deep JSON": tar_of(("manifest.json", b"[" * 200000, 0)),
        "gzip bomb in gzip": packed(packed(b"\0" * (64 << 20), "gzip"), "gzip"),
        "oci: digest does not fit": oci_archive("broken:1", layers, index=json.dumps({"schemaVersion": 2, "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + "0" * 64, "size": 5}]}).encode()),
        "oci: path in a digest": oci_archive("broken:1", layers, index=json.dumps({"schemaVersion": 2, "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:../../../../etc/passwd", "size": 5}]}).encode()),
    }
    before = sorted(i["Id"] for i in w.get("/images/json?all=1"))
    for name, data in bad.items():
        error = load(w, data)
        check(error, "%s: loaded without an error", name)
        equal(sorted(i["Id"] for i in w.get("/images/json?all=1")), before, name)
    equal(load(w, good), None, "a good one afterwards")
    drop(w, "broken:1")


@timeout(180)
def test_bomb(w):
    """A small archive that unpacks to more than fits is refused before the disk is full; other work goes on."""
    bomb = io.BytesIO()
    with tarfile.open(fileobj=bomb, mode="w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo("huge")
        info.size = 3 << 30

        class Zeros:
            left = info.size

            def read(self, n):
                n = min(n, self.left)
                self.left -= n
                return b"\0" * n
        tar.addfile(info, Zeros())
    layer = bomb.getvalue()
    error = load(w, tar_of(("c.json", config_of([b"x"]), 0), ("l", layer, 0), (
        "manifest.json", b'[{"Config":"c.json","RepoTags":["bomb:1"],"Layers":["l"]}]', 0)))
    check(error, "3 GB of zeros were taken")
    equal(w.docker("run", "--rm", IMAGE, "echo", "alive"), "alive")


if __name__ == "__main__":
    main(globals())
