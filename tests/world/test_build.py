#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docker build by the classic builder: every instruction, the cache, stages, .dockerignore, arguments, networks,
failures, cancelling, kill -9 and what is left on the disk."""
import base64
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import registry  # noqa: E402

CLASSIC = {"DOCKER_BUILDKIT": "0"}


def context(w, files):
    """A directory with these files: text, bytes, or ("link", target)."""
    top = w.home + "/context"
    shutil.rmtree(top, ignore_errors=True)
    os.makedirs(top)
    for name, what in files.items():
        path = top + "/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(what, tuple):
            os.symlink(what[1], path)
        else:
            with open(path, "wb") as f:
                f.write(what if isinstance(what, bytes) else what.encode())
            os.chmod(path, 0o644)
    return top


def build_try(w, dockerfile, files=None, *args, timeout=120, **kw):
    top = context(w, dict(files or {}, Dockerfile=dockerfile))
    return w.docker_try("build", *args, top, env=CLASSIC, timeout=timeout, **kw)


def build(w, dockerfile, files=None, *args, tag="built", **kw):
    """Builds with the real CLI. Return: its output."""
    r = build_try(w, dockerfile, files, "-t", tag, *args, **kw)
    check(r.returncode == 0, "build: %s%s", r.stdout[-1500:], r.stderr[-1500:])
    return r.stdout


def build_fails(w, dockerfile, says, files=None, *args):
    r = build_try(w, dockerfile, files, *args)
    check(r.returncode != 0, "the build succeeded: %s", r.stdout)
    contains(r.stderr, says)
    return r


def run_in(w, *cmd, tag="built"):
    return w.docker("run", "--rm", tag, *cmd)


def config(w, tag="built"):
    return w.get("/images/%s/json" % tag)["Config"]


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            if isinstance(data, tarfile.TarInfo):
                tar.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            data = data if isinstance(data, bytes) else data.encode()
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def post(w, files, raw=None, timeout=120, headers=None, **query):
    """POST /build as the API has it. Return: the response."""
    q = urllib.parse.urlencode(query, doseq=True)
    return w.api("POST", "/v1.47/build?" + q, raw=raw if raw is not None else tar_of(files), timeout=timeout,
                 headers=dict({"Content-Type": "application/x-tar"}, **(headers or {})))


def lines(r):
    equal(r.status, 200, r.text[:300])
    return [json.loads(x) for x in r.text.splitlines() if x.strip()]


def said(r):
    return "".join(x.get("stream", "") for x in lines(r))


def untagged(w):
    return [i["Id"] for i in w.get("/images/json?all=1") if not i["RepoTags"]]


def prune(w):
    """All images but the built-in one go, and nothing is left of them."""
    w.docker("image", "prune", "-f")
    for image in w.get("/images/json"):
        if IMAGE not in image["RepoTags"]:
            w.docker("rmi", "-f", *(image["RepoTags"] or [image["Id"]]))
    w.docker("image", "prune", "-f")
    equal(untagged(w), [], "images without a name after prune")


# ---- instructions ----

def test_output(w):
    """The lines of the classic builder, first and with everything in the cache."""
    out = build(w, "FROM %s\nENV A=1\nRUN echo from the container\n" % IMAGE)
    base = w.get("/images/%s/json" % IMAGE)["Id"][7:19]
    final = w.get("/images/built/json")["Id"][7:19]
    m = matches(out, r"Step 1/3 : FROM (\S+)\n ---> (\w{12})\nStep 2/3 : ENV A=1\n ---> (\w{12})\n"
                r"Step 3/3 : RUN echo from the container\n ---> Running in (\w{12})\nfrom the container\n"
                r" ---> Removed intermediate container (\w{12})\n ---> (\w{12})\n"
                r"Successfully built (\w{12})\nSuccessfully tagged built:latest\n")
    equal((m[1], m[2], m[6], m[7]), (IMAGE, base, final, final))
    equal(m[4], m[5], "the container")
    again = build(w, "FROM %s\nENV A=1\nRUN echo from the container\n" % IMAGE)
    equal(again.count(" ---> Using cache\n"), 2, again)
    equal(w.get("/images/built/json")["Id"][7:19], final)
    check("from the container" not in again.split("Step 3/3")[1].split("\n", 1)[1], again)
    equal(w.docker("ps", "-aq"), "", "no container is left")


def test_api_lines(w):
    r = post(w, {"Dockerfile": "FROM %s\nLABEL a=b\n" % IMAGE}, t=["one", "two:three"], version="1")
    all_lines = lines(r)
    ident = w.get("/images/one/json")["Id"]
    equal([x["aux"] for x in all_lines if "aux" in x], [{"ID": ident}])
    equal(w.get("/images/two:three/json")["Id"], ident)
    equal(all_lines[0], {"stream": "Step 1/2 : FROM %s" % IMAGE})
    equal(all_lines[1], {"stream": "\n"})
    contains(r.text, "\r\n")
    quiet = post(w, {"Dockerfile": "FROM %s\nLABEL a=b\n" % IMAGE}, q="1")
    equal(lines(quiet), [{"stream": ident + "\n"}])


def test_config_instructions(w):
    build(w, r"""
# a comment
from %s
MAINTAINER Some One <one@example.test>
ENV ONE=1 TWO="two words" THREE=t\ hree
ENV FOUR the rest of it
ENV FIVE=${ONE}5 SIX=${none:-six} SEVEN=${ONE:+seven} EIGHT='$ONE' NINE=\$ONE
LABEL first=1 "second label"="a \
b"
EXPOSE 80 90/udp 8000-8002
VOLUME /data /more
VOLUME ["/a b", "/c"]
WORKDIR /srv
WORKDIR sub/../deep
USER daemon:daemon
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=5s --timeout=1m30s --retries=4 --start-period=1s CMD test -e /x
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["echo", "entry"]
CMD ["a", "b"]
ONBUILD RUN touch /tmp/triggered
""" % IMAGE)
    c = config(w)
    env = dict(x.split("=", 1) for x in c["Env"])
    equal({k: v for k, v in env.items() if k != "PATH"},
          {"ONE": "1", "TWO": "two words", "THREE": "t hree", "FOUR": "the rest of it", "FIVE": "15", "SIX": "six",
           "SEVEN": "seven", "EIGHT": "$ONE", "NINE": "$ONE"})
    equal(c["Labels"], {"first": "1", "second label": "a b"})
    equal(sorted(c["ExposedPorts"]), ["80/tcp", "8000/tcp", "8001/tcp", "8002/tcp", "90/udp"])
    equal(sorted(c["Volumes"]), ["/a b", "/c", "/data", "/more"])
    equal((c["WorkingDir"], c["User"], c["StopSignal"]), ("/srv/deep", "daemon:daemon", "SIGUSR1"))
    equal(c["Healthcheck"], {"Test": ["CMD-SHELL", "test -e /x"], "Interval": 5 * 10**9, "Timeout": 90 * 10**9,
                             "Retries": 4, "StartPeriod": 10**9})
    equal((c["Shell"], c["Entrypoint"], c["Cmd"]), (["/bin/sh", "-ec"], ["echo", "entry"], ["a", "b"]))
    equal(c["OnBuild"], ["RUN touch /tmp/triggered"])
    equal(w.get("/images/built/json")["Author"], "Some One <one@example.test>")
    equal(run_in(w), "entry a b")
    history = [h["CreatedBy"] for h in w.get("/images/built/history")]
    equal(history[1], '/bin/sh -ec #(nop)  CMD ["a" "b"]')
    check('/bin/sh -c #(nop) WORKDIR /srv/deep' in history, "%s", history)
    check('/bin/sh -c #(nop)  ENV FOUR=the rest of it' in history, "%s", history)
    out = build(w, "FROM built\nENTRYPOINT []\nUSER root\n", tag="child")
    contains(out, "# Executing 1 build trigger\n")
    equal(w.docker("run", "--rm", "child", "ls", "/tmp/triggered"), "/tmp/triggered")
    equal(config(w, "child")["OnBuild"], None)


def test_entrypoint_drops_the_bases_cmd(w):
    build(w, "FROM %s\nCMD [\"old\"]\n" % IMAGE, tag="base")
    build(w, "FROM base\nENTRYPOINT [\"echo\", \"x\"]\n")
    equal(config(w)["Cmd"], None)
    build(w, "FROM base\nCMD [\"new\"]\nENTRYPOINT [\"echo\", \"x\"]\n")
    equal(config(w)["Cmd"], ["new"])


def test_run_forms(w):
    build(w, "FROM %s\nENV X=env\nRUN [\"sh\", \"-c\", \"echo exec $X >/exec\"]\nRUN echo shell $X \\\n  # no\n\n  more \\\n"
          "  >/shell && id -u >/id\nUSER daemon\nRUN id -u >/tmp/id; pwd >/tmp/pwd\nSHELL [\"/bin/sh\", \"-xc\"]\n"
          "RUN echo $0 >/tmp/shell\n" % IMAGE)
    equal(run_in(w, "cat", "/exec", "/shell", "/id", "/tmp/id", "/tmp/pwd"), "exec env\nshell env more\n0\n1\n/")
    # an image's entrypoint and health check are no part of a RUN
    build(w, "FROM %s\nENTRYPOINT [\"/nonexistent\"]\nHEALTHCHECK CMD false\nRUN touch /went\n" % IMAGE, tag="entry")
    equal(w.docker("run", "--rm", "--entrypoint", "ls", "entry", "/went"), "/went")


def test_changes_and_deletions(w):
    """What a RUN removes and replaces is so in the next layer."""
    build(w, "FROM %s\nRUN mkdir /d && echo 1 >/d/one && echo 2 >/d/two && ln -s one /d/link && chmod 4755 /d/two\n"
          "RUN rm /d/one && rm -r /etc/passwd && mkdir -p /new/deep\nRUN rm -r /d && mkdir /d && echo 3 >/d/three\n" % IMAGE)
    equal(run_in(w, "ls", "/d"), "three")
    equal(w.docker("run", "--rm", "built", "sh", "-c", "test -e /etc/passwd || echo gone; ls -d /new/deep"), "gone\n/new/deep")


def test_scratch(w):
    build(w, "FROM %s AS tools\nFROM scratch\nLABEL from=nothing\nCOPY --from=tools /bin/busybox /busybox\nCOPY x /y/\nCMD [\"/busybox\", \"cat\", \"/y/x\"]\n"
          % IMAGE, {"x": "of the context\n"})
    equal(run_in(w), "of the context")
    equal(len(w.get("/images/built/json")["RootFS"]["Layers"]), 2)
    build_fails(w, "FROM scratch\nRUN true\n", "no such file or directory")
    build_fails(w, "FROM scratch\n", "No image was generated")


# ---- COPY and ADD ----

FILES = {"a.txt": "A", "b.txt": "B", "dir/c.txt": "C", "dir/sub/d.txt": "D", "dir/link": ("link", "c.txt"),
         "odd[1].txt": "odd", "other.bin": "bin"}


def listing(w, path, tag="built"):
    return run_in(w, "find", path, "!", "-name", "hold", tag=tag).split("\n")


def test_copy_places(w):
    build(w, """FROM %s
COPY a.txt /file
COPY a.txt /newdir/
COPY a.txt b.txt /two/
COPY *.txt /wild/
COPY dir /whole
COPY dir/ /whole2/
COPY dir/s?b /part
COPY ["odd[[]1].txt", "/with blank/"]
WORKDIR /wd
COPY a.txt .
COPY b.txt rel/
COPY a.txt /bin/../inside
RUN ln -s /target /to && mkdir /target && ln -s /target/f /flink
COPY a.txt /to
COPY b.txt /flink
COPY dir /to/more
""" % IMAGE, FILES)
    equal(run_in(w, "cat", "/file", "/newdir/a.txt", "/two/a.txt", "/two/b.txt", "/whole/c.txt", "/whole/sub/d.txt",
                 "/whole2/link", "/part/d.txt", "/with blank/odd[1].txt", "/wd/a.txt", "/wd/rel/b.txt", "/inside",
                 "/target/a.txt", "/target/f", "/target/more/sub/d.txt"), "AAABCDCDoddABAABD")
    equal(sorted(listing(w, "/wild")), ["/wild", "/wild/a.txt", "/wild/b.txt", "/wild/odd[1].txt"])
    equal(run_in(w, "readlink", "/whole/link"), "c.txt")
    equal(run_in(w, "readlink", "/to"), "/target")


def test_copy_attributes(w):
    top = context(w, dict(FILES, Dockerfile="""FROM %s
RUN echo me:x:1234:4321::/: >>/etc/passwd && echo grp:x:4321: >>/etc/group && echo me:x:77: >>/etc/group && mkdir -m 700 /had
COPY run /plain/run
COPY --chown=me:grp run /chown/run
COPY --chown=me run /chown/alone
COPY --chown=12:34 dir /chown/dir
COPY --chmod=0640 run /chmod
COPY dir /had
ARG who=5:6
COPY --chown=${who} run /arg
FROM %s
COPY --from=0 /chown /kept
COPY --from=0 --chown=9 /chown/run /over
""" % (IMAGE, IMAGE)))
    with open(top + "/run", "w") as f:
        f.write("x")
    os.chmod(top + "/run", 0o755)
    os.chmod(top + "/dir", 0o750)
    os.utime(top + "/run", (1e9, 1e9))
    w.docker("build", "-t", "attr", "--target", "0", top, env=CLASSIC)
    stat = ["stat", "-c", "%a %u:%g %n"]
    equal(w.docker("run", "--rm", "attr", *stat, "/plain/run", "/plain", "/chown/run", "/chown/alone", "/chown/dir",
                   "/chown/dir/sub/d.txt", "/chmod", "/had", "/had/c.txt", "/arg").split("\n"),
          ["755 0:0 /plain/run", "755 0:0 /plain", "755 1234:4321 /chown/run", "755 1234:77 /chown/alone",
           "755 12:34 /chown/dir", "644 12:34 /chown/dir/sub/d.txt", "640 0:0 /chmod", "700 0:0 /had",
           "644 0:0 /had/c.txt", "755 5:6 /arg"])
    equal(w.docker("run", "--rm", "attr", "stat", "-c", "%Y", "/plain/run"), "1000000000")
    w.docker("build", "-t", "attr2", top, env=CLASSIC)
    equal(w.docker("run", "--rm", "attr2", *stat, "/kept/run", "/kept/dir/c.txt", "/over").split("\n"),
          ["755 1234:4321 /kept/run", "644 12:34 /kept/dir/c.txt", "755 9:9 /over"])


def test_copy_over_what_is_there(w):
    """A file over a link, a directory over a link and over a file, a directory into one that is there."""
    build(w, """FROM %s
RUN mkdir -p /t/sub /else && echo keep >/t/keep && ln -s /else /t/dirlink && echo f >/t/file && ln -s /else/x /t/a.txt
COPY in /t
""" % IMAGE, {"in/a.txt": "new", "in/dirlink/n": "N", "in/file/n": "M", "in/sub/n": "S"})
    equal(run_in(w, "cat", "/t/keep", "/t/a.txt", "/t/dirlink/n", "/t/file/n", "/t/sub/n"), "keep\nnewNMS")
    equal(run_in(w, "ls", "/else"), "", "nothing went through the links")


def test_add_archives(w):
    inner = tar_of({"deep/x": "in the archive", "top": "T"})
    xz = subprocess.run(["xz", "-0c"], input=inner, capture_output=True, check=True).stdout
    build(w, """FROM %s
ADD plain.tar /tar
ADD g.tgz x.tar.xz /many/
ADD file.gz /gz/
COPY plain.tar /copied/
ADD empty /e
""" % IMAGE, {"plain.tar": inner, "g.tgz": gzip.compress(inner), "x.tar.xz": xz, "file.gz": gzip.compress(b"no tar"), "empty": ""})
    equal(run_in(w, "cat", "/tar/deep/x", "/tar/top", "/many/deep/x"), "in the archiveTin the archive")
    equal(run_in(w, "ls", "/gz", "/copied", "/e"), "/e\n\n/copied:\nplain.tar\n\n/gz:\nfile.gz")
    build_fails(w, "FROM %s\nADD http://203.0.113.1/x /x\n" % IMAGE, "fetches no URLs")
    build_fails(w, "FROM %s\nCOPY https://203.0.113.1/x /x\n" % IMAGE, "COPY failed: source can't be a URL for COPY")


def test_hostile_context(w):
    """Links of the context and of the image lead nowhere outside."""
    with open(w.base + "/secret", "w") as f:
        f.write("of the host")
    secret = w.base + "/secret"
    link = tarfile.TarInfo("out")
    link.type, link.linkname = tarfile.SYMTYPE, secret
    up = tarfile.TarInfo("up")
    up.type, up.linkname = tarfile.SYMTYPE, "../" * 12 + secret[1:]
    for name in ("out", "up"):
        r = post(w, {"Dockerfile": "FROM %s\nCOPY %s /got\n" % (IMAGE, name), "out": link, "up": up})
        equal(lines(r)[-1].get("error"), "COPY failed: file not found in build context or excluded by .dockerignore: stat %s: "
              "file does not exist" % name)
        r = post(w, {"out": link, "up": up}, dockerfile=name)
        contains(r.message, "Cannot locate specified Dockerfile: " + name)
    # an image whose directories are links to the host's: what is copied stays in the image
    r = post(w, {"Dockerfile": "FROM %s\nRUN ln -s %s /esc && ln -s ../../../../../..%s /esc2\nCOPY f /esc/\nCOPY f /esc2/g/\n"
                 % (IMAGE, w.base, w.base), "f": "copied"}, t="esc")
    contains(said(r), "Successfully built")
    equal(w.docker("run", "--rm", "esc", "cat", w.base + "/f", w.base + "/g/f"), "copiedcopied")
    check(not os.path.exists(w.base + "/f") and not os.path.exists(w.base + "/g"), "a file came onto the host")
    for name in ("../secret", "a/../../secret"):
        r = post(w, {"Dockerfile": "FROM %s\nCOPY %s /x\n" % (IMAGE, name)})
        contains(lines(r)[-1]["error"], "COPY failed: forbidden path outside the build context: %s ()" % name)
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../../evil"), io.BytesIO())
    r = post(w, None, raw=evil.getvalue())
    equal(r.status, 400, r.text)


def test_context_forms(w):
    files = {"sub/My.dockerfile": "FROM %s\nCOPY f /f\n" % IMAGE, "f": "x"}
    plain = tar_of(files)
    packed = {"tar": plain, "gzip": gzip.compress(plain),
              "xz": subprocess.run(["xz", "-0c"], input=plain, capture_output=True, check=True).stdout,
              "zstd": subprocess.run(["zstd", "-1qc"], input=plain, capture_output=True, check=True).stdout}
    ids = set()
    for how, data in packed.items():
        r = post(w, None, raw=data, dockerfile="sub/My.dockerfile", t="form")
        contains(said(r), "Successfully built")
        ids.add(w.get("/images/form/json")["Id"])
    equal(len(ids), 1, "the same files are the same image")
    equal(post(w, None, raw=b"no archive at all" * 100).status, 400)
    equal(post(w, None, raw=plain[:700] + os.urandom(3000)).status, 400)
    equal(post(w, files).message, "Cannot locate specified Dockerfile: Dockerfile")
    equal(post(w, {"Dockerfile": ""}).message, "The Dockerfile (Dockerfile) cannot be empty")
    # a Dockerfile alone, on standard input
    out = w.docker("build", "-q", "-", env=CLASSIC, input="FROM %s\nRUN echo stdin\n" % IMAGE)
    matches(out, r"^sha256:[0-9a-f]{64}$")


# ---- the cache ----

def hits(out):
    return [("Using cache" in part) for part in out.split("\nStep ")[2:]]


def test_cache(w):
    text = "FROM %s\nARG V=1\nCOPY f d /in/\nRUN echo $V >/v\nLABEL x=y\n" % IMAGE
    files = {"f": "1", "d/g": "2"}
    build(w, text, files)
    first = w.get("/images/built/json")["Id"]
    equal(hits(build(w, text, files)), [True] * 4)
    top = context(w, dict(files, Dockerfile=text))
    os.utime(top + "/f", (5e8, 5e8))
    equal(hits(w.docker("build", top, env=CLASSIC)), [True] * 4, "times do not count")
    equal(w.get("/images/built/json")["Id"], first)
    equal(hits(build(w, text, dict(files, f="other"))), [True, False, False, False], "content counts")
    equal(hits(build(w, text, files)), [True] * 4, "the old one is there still")
    equal(hits(build(w, text, {"f": "1", "d/h": "2"})), [True, False, False, False], "names count")
    top = context(w, dict(files, Dockerfile=text))
    os.chmod(top + "/f", 0o755)
    equal(hits(w.docker("build", top, env=CLASSIC)), [True, False, False, False], "modes count")
    equal(hits(build(w, text, files, "--build-arg", "V=2")), [True, True, False, False], "build arguments count")
    equal(run_in(w, "cat", "/v"), "2")
    equal(hits(build(w, text, files, "--no-cache")), [False] * 4)
    equal(hits(build(w, text.replace("x=y", "x=z"), files)), [True, True, True, False])
    w.restart()
    equal(hits(build(w, text, files)), [True] * 4, "over an engine's restart")


def test_cache_is_not_taken_from_archives(w):
    """An image that was loaded is no step of ours, whatever it says about itself."""
    with tarfile.open(w.build + "/data/busybox.tar") as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        config = json.load(tar.extractfile(manifest["Config"]))
        layers = {name: tar.extractfile(name).read() for name in manifest["Layers"]}
    command = ["/bin/sh", "-c", "echo good >/x"]
    config.update(parent=w.get("/images/%s/json" % IMAGE)["Id"], container_config=dict(config["config"], Cmd=command))
    config.setdefault("history", []).append({"created_by": " ".join(command), "empty_layer": True})
    manifest.update(Config="config.json", RepoTags=["poison:latest"])
    data = tar_of(dict(layers, **{"config.json": json.dumps(config), "manifest.json": json.dumps([manifest])}))
    r = w.api("POST", "/images/load?quiet=1", raw=data, headers={"Content-Type": "application/x-tar"}, timeout=60)
    contains(r.text, "poison:latest")
    equal(hits(build(w, "FROM %s\nRUN echo good >/x\n" % IMAGE)), [False])
    equal(run_in(w, "cat", "/x"), "good")


def test_intermediate_images(w):
    prune(w)
    before = {i["Id"] for i in w.get("/images/json?all=1")}
    build(w, "FROM %s\nENV A=1\nENV B=2\nRUN echo x >/x\nENV C=3\n" % IMAGE)
    shown = [i for i in w.get("/images/json") if i["Id"] not in before]
    equal([i["RepoTags"] for i in shown], [["built:latest"]], "intermediate images are hidden")
    everything = [i for i in w.get("/images/json?all=1") if i["Id"] not in before]
    equal(len(everything), 4)
    equal(w.docker("images", "-q", "-f", "dangling=true"), "")
    parent = shown[0]["ParentId"]
    w.docker_fails("rmi", parent, says="image has dependent child images")
    w.docker_fails("rmi", "-f", parent, says="image has dependent child images")
    equal(json.loads(w.docker("system", "df", "--format", "{{json .}}").split("\n")[0])["TotalCount"], str(len(before) + 1))
    # a new name for the same tag leaves the old one dangling, and prune takes all that only it kept
    build(w, "FROM %s\nENV A=1\nENV B=changed\n" % IMAGE)
    equal(len(w.docker("images", "-q", "-f", "dangling=true").split()), 1)
    w.docker("image", "prune", "-f")
    left = [i for i in w.get("/images/json?all=1") if i["Id"] not in before]
    equal(len(left), 2, "A=1 is still the parent of what has a name")
    r = w.docker("rmi", "built")
    equal(r.count("Deleted: sha256:"), 2, r)
    equal({i["Id"] for i in w.get("/images/json?all=1")}, before)
    answer = w.api("POST", "/build/prune")
    equal((answer.status, answer.json.get("SpaceReclaimed")), (200, 0))


def test_history_names_steps(w):
    build(w, "FROM %s\nENV A=1\nENV B=2\n" % IMAGE)
    rows = w.get("/images/built/history")
    equal(rows[0]["Id"], w.get("/images/built/json")["Id"])
    equal(rows[1]["Id"], w.get("/images/built/json")["Parent"])
    equal([r["CreatedBy"] for r in rows[:2]], ["/bin/sh -c #(nop)  ENV B=2", "/bin/sh -c #(nop)  ENV A=1"])


# ---- stages, arguments, .dockerignore ----

STAGES = """ARG base=%s
FROM ${base} AS One
RUN echo one >/one
FROM ${base} AS two
COPY --from=one /one /copied
RUN echo two >>/copied
FROM one
COPY --from=1 /copied /final
COPY --from=atoll/busybox /bin/busybox /bb
""" % IMAGE


def test_stages(w):
    out = build(w, STAGES)
    contains(out, "Step 1/9 : ARG base=%s\nStep 2/9 : FROM ${base} AS One" % IMAGE)
    equal(run_in(w, "cat", "/final", "/one"), "one\ntwo\none")
    out = build(w, STAGES, None, "--target", "two", tag="second")
    contains(out, "Step 6/6 : RUN echo two")
    equal(w.docker("run", "--rm", "second", "cat", "/copied"), "one\ntwo")
    build(w, STAGES, None, "--target", "ONE", tag="first")
    build_fails(w, STAGES, "failed to reach build target nine in Dockerfile", None, "--target", "nine")
    build_fails(w, "FROM %s\nCOPY --from=0 /x /x\n" % IMAGE, "refers to current build stage")
    build_fails(w, "FROM %s\nCOPY --from=7 /x /x\n" % IMAGE, "index out of bounds")
    build_fails(w, "FROM %s AS a\nFROM %s AS a\n" % (IMAGE, IMAGE), "duplicate name a")
    build_fails(w, "FROM %s\nCOPY --from=0 /nothing /x\nFROM %s\n" % (IMAGE, IMAGE), "refers to current build stage")
    build_fails(w, "FROM %s\nFROM %s\nCOPY --from=0 /nothing /x\n" % (IMAGE, IMAGE), "COPY failed: stat nothing: file does not exist")


def test_build_args(w):
    text = """ARG VERSION=global
FROM %s
ARG VERSION
ARG one=default two
RUN echo $VERSION $one ${two:-unset} $HTTP_PROXY >/out
ENV one=env
RUN echo $one >>/out
RUN env | grep -c HTTP_PROXY >>/out || true
""" % IMAGE
    build(w, text)
    equal(run_in(w, "cat", "/out"), "global default unset\nenv\n0")
    out = build(w, text, None, "--build-arg", "VERSION=given", "--build-arg", "one=1", "--build-arg", "two=2",
                "--build-arg", "HTTP_PROXY=http://p", "--build-arg", "unknown=x")
    equal(run_in(w, "cat", "/out"), "given 1 2 http://p\nenv\n1")
    contains(out, "[Warning] One or more build-args [unknown] were not consumed\n")
    check("HTTP_PROXY=http" not in json.dumps(w.get("/images/built/json")["Config"]), "an argument got into the image")
    history = [h["CreatedBy"] for h in w.get("/images/built/history")]
    check(any(h.startswith("|3 VERSION=given one=1 two=2 /bin/sh -c echo") for h in history), "%s", history)
    again = build(w, text, None, "--build-arg", "VERSION=given", "--build-arg", "one=1", "--build-arg", "two=2",
                  "--build-arg", "HTTP_PROXY=other")
    equal(again.count("Using cache"), 6, "a proxy is no part of the key")


def test_dockerignore(w):
    files = {"keep": "k", "drop.log": "x", "sub/deep/x.log": "x", "sub/deep/y": "y", "secret/a": "a", "secret/public": "p",
             ".dockerignore": "# a comment\n*.log\n**/x.log\nsecret/*\n!secret/public\nDockerfile\n.dockerignore\n"}
    build(w, "FROM %s\nCOPY . /all\n" % IMAGE, files)
    want = ["/all", "/all/keep", "/all/secret", "/all/secret/public", "/all/sub", "/all/sub/deep", "/all/sub/deep/y"]
    equal(sorted(listing(w, "/all")), want)
    build_fails(w, "FROM %s\nCOPY drop.log /x\n" % IMAGE, "COPY failed: file not found in build context or excluded by "
                ".dockerignore: stat drop.log: file does not exist", files)
    # the two files come along for the engine, which leaves them out then
    r = post(w, {"Dockerfile": "FROM %s\nCOPY . /all\n" % IMAGE, ".dockerignore": "Dockerfile\n.docker*\n", "f": "x"}, t="built")
    contains(said(r), "Successfully built")
    equal(sorted(listing(w, "/all")), ["/all", "/all/f"])


def test_labels_and_limits(w):
    build(w, "FROM %s\nLABEL a=1\nRUN cat /sys/fs/cgroup/memory.max >/max 2>/dev/null || cat "
          "/sys/fs/cgroup/memory/memory.limit_in_bytes >/max; df -k /dev/shm | tail -1 >/shm; grep added /etc/hosts >/hosts\n" % IMAGE,
          None, "--label", "b=$two", "--label", "c=3", "-m", "64m", "--shm-size", "1m", "--add-host", "added:192.0.2.9")
    equal(config(w)["Labels"], {"a": "1", "b": "$two", "c": "3"})
    equal(run_in(w, "cat", "/max"), str(64 << 20))
    contains(run_in(w, "cat", "/shm"), "1024")
    contains(run_in(w, "cat", "/hosts"), "192.0.2.9")


def test_networks(w):
    """A RUN reaches a container by its name on --network, and nothing with none."""
    w.docker("network", "create", "buildnet")
    w.serve("web", "buildnet")
    text = "FROM %s\nRUN timeout 5 wget -qO /got http://web/\n" % IMAGE
    build(w, text, None, "--network", "buildnet")
    equal(run_in(w, "cat", "/got"), "web")
    build_fails(w, text, "returned a non-zero code: 1", None, "--no-cache")
    build(w, "FROM %s\nRUN timeout 5 wget -qO /got http://%s/ && ip -o link >/links\n" % (IMAGE, INTERNET), None, "--no-cache")
    build(w, "FROM %s\nRUN ip -o link | wc -l >/links\n" % IMAGE, None, "--network", "none")
    equal(run_in(w, "cat", "/links"), "1")
    build(w, "FROM %s\nRUN ip -o addr | grep -c %s >/host\n" % (IMAGE, HOST_UP), None, "--network", "host")
    equal(run_in(w, "cat", "/host"), "1")
    build_fails(w, text, "network nowhere not found", None, "--no-cache", "--network", "nowhere")
    build(w, text, None, "--network", "container:web", "--no-cache")


# ---- what fails ----

def test_parse_errors(w):
    for text, says in (
            ("FROM %s\nFOO bar\n", "dockerfile parse error on line 2: unknown instruction: FOO"),
            ("\n# c\n\nRUN x\n", "dockerfile parse error on line 4: no build stage in current context"),
            ("FROM %s\nENV a\n", "dockerfile parse error on line 2: ENV must have two arguments"),
            ("FROM %s\nRUN a \\\n b\nENV x=1 y\n", "dockerfile parse error on line 4: Syntax error - can't find = in \"y\". Must be of the form: name=value"),
            ("FROM %s\nCOPY x\n", "COPY requires at least two arguments, but only one was provided"),
            ("FROM a b\n", "FROM requires either one or three arguments"),
            ("FROM %s AS 1a\n", "invalid name for build stage: \"1a\", name can't start with a number or contain symbols"),
            ("FROM %s\nCOPY --frm=x a b\n", "unknown flag: --frm"),
            ("FROM %s\nSHELL sh -c\n", "SHELL requires the arguments to be in JSON form"),
            ("FROM %s\nONBUILD ONBUILD RUN x\n", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
            ("FROM %s\nONBUILD FROM x\n", "FROM isn't allowed as an ONBUILD trigger"),
            ("FROM %s\nHEALTHCHECK FOO x\n", "Unknown type \"FOO\" in HEALTHCHECK (try CMD)"),
            ("FROM %s\nRUN <<EOF\necho\nEOF\n", "requires BuildKit"),
            ("# just a comment\n", "file with no instructions")):
        r = post(w, {"Dockerfile": text % IMAGE if "%s" in text else text})
        equal(r.status, 400, text)
        contains(r.message, says)
    r = build_fails(w, "FROM %s\nFOO\n" % IMAGE, "unknown instruction: FOO")
    equal(r.returncode, 1)


def test_step_errors(w):
    for text, says in (
            ("RUN --mount=type=cache,target=/x true", "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/"),
            ("COPY --link a b", "the --link option requires BuildKit"),
            ("COPY nope /x", "COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist"),
            ("ADD nope /x", "ADD failed: file not found"),
            ("COPY no*pe /x", "COPY failed: no source files were specified"),
            ("COPY a Dockerfile /x", "When using COPY with more than one source file, the destination must be a directory and end with a /"),
            ("COPY --chown=nobodyhere a /x", "unable to convert uid/gid chown string to host mapping"),
            ("COPY --chmod=u+x a /x", "invalid chmod parameter"),
            ("ENV a=\"${b:?is wanted}\"", "b: is wanted"),
            ("ENV a=${b", "missing '}'"),
            ("EXPOSE http", "http"),
            ("RUN exit 7", "The command '/bin/sh -c exit 7' returned a non-zero code: 7"),
            ("RUN [\"/nonexistent\"]", "/nonexistent")):
        r = post(w, {"Dockerfile": "FROM %s\n%s\n" % (IMAGE, text), "a": "x"}, forcerm="1")
        last = lines(r)[-1]
        contains(last.get("error"), says)
        equal(last["errorDetail"]["message"], last["error"])
    equal(lines(post(w, {"Dockerfile": "FROM %s\nRUN exit 7" % IMAGE}, forcerm="1"))[-1]["errorDetail"]["code"], 7)
    r = build_fails(w, "FROM %s\nRUN exit 7\n" % IMAGE, "The command '/bin/sh -c exit 7' returned a non-zero code: 7", None, "--force-rm")
    equal(r.returncode, 7, "exit code of docker build")
    prune(w)


def test_request_errors(w):
    files = {"Dockerfile": "FROM %s\n" % IMAGE}
    for query, status, says in (
            ({"version": "2"}, 400, "buildkit is not enabled on daemon"), ({"version": "7"}, 400, "invalid version 7"),
            ({"squash": "1"}, 400, "squash is only supported with experimental mode"),
            ({"remote": "https://example.test/x.git"}, 501, "remote context"),
            ({"t": "UPPER"}, 400, "repository name (library/UPPER) must be lowercase"),
            ({"buildargs": "[1]"}, 400, "error reading build args"), ({"buildargs": "{"}, 400, "error reading build args"),
            ({"labels": "3"}, 400, "error reading labels"), ({"memory": "x"}, 400, "invalid syntax"),
            ({"target": "x"}, 400, "failed to reach build target x in Dockerfile")):
        r = post(w, files, **query)
        equal(r.status, status, "%s: %s" % (query, r.text[:200]))
        contains(r.message, says)
    r = post(w, files, platform="windows/amd64")
    contains(lines(r)[-1]["error"], "platform")
    r = post(w, files, buildargs="null", labels="null", cachefrom="[]", ulimits="null", rm="1", pull="0", q="0")
    contains(said(r), "Successfully built")


def test_intermediate_containers(w):
    text = "FROM %s\nRUN echo kept >/k\n" % IMAGE
    build(w, text, None, "--rm=false")
    left = w.docker("ps", "-aq").split()
    equal(len(left), 1, "--rm=false keeps the container")
    w.docker("rm", *left)
    build_fails(w, "FROM %s\nRUN false\n" % IMAGE, "non-zero code: 1")
    left = w.docker("ps", "-aq").split()
    equal(len(left), 1, "a failed one is kept")
    w.restart()
    equal(w.docker("ps", "-aq").split(), left, "over a restart, too")
    w.docker("rm", *left)
    build_fails(w, "FROM %s\nRUN false\n" % IMAGE, "non-zero code: 1", None, "--force-rm")
    equal(w.docker("ps", "-aq"), "")
    prune(w)


# ---- cancel, crash, disk ----

def leftovers(w):
    out = []
    for where in ("layers", "containers", "build", "trash"):
        top = w.data + "/" + where
        out += [where + "/" + n for n in (os.listdir(top) if os.path.isdir(top) else ())
                if where != "layers" or n.startswith("tmp-")]
    return out


def clean(w):
    until(lambda: not leftovers(w), "nothing is left: %s" % leftovers(w), 20)
    equal(w.docker("ps", "-aq"), "", "containers")


def hanging(w, text, files=None):
    """Starts a build on a connection of its own, reads until the container runs. Return: the socket."""
    body = tar_of(dict(files or {}, Dockerfile=text))
    s = w.connect_api(60)
    s.sendall(b"POST /v1.47/build?rm=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    seen = b""
    while b"now it runs" not in seen:
        part = s.recv(65536)
        check(part, "the stream ended: %r", seen)
        seen += part
    return s


def test_cancel(w):
    s = hanging(w, "FROM %s\nRUN echo 'now it 'runs; sleep 600\n" % IMAGE)
    equal(len(w.docker("ps", "-q").split()), 1)
    s.close()
    until(lambda: not w.docker("ps", "-aq"), "the container of a cancelled build goes", 20)
    clean(w)
    # a client that leaves in the middle of its context
    s = w.connect_api()
    s.sendall(b"POST /v1.47/build HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + tar_of({"x": "y" * 5000})[:4000])
    until(lambda: leftovers(w), "the context comes", 10)
    s.close()
    clean(w)


@timeout(120)
def test_flood_is_bounded(w):
    """Nobody reads what a RUN writes: it waits, and the engine does not grow."""
    s = hanging(w, "FROM %s\nRUN echo 'now it 'runs; yes 0123456789012345678901234567890123456789\n" % IMAGE)

    def rss():
        with open("/proc/%d/statm" % w.engine.pid) as f:
            return int(f.read().split()[1]) * 4096
    before = rss()
    time.sleep(2)
    check(rss() - before < 32 << 20, "the engine grew by %d", rss() - before)
    s.close()
    until(lambda: not w.docker("ps", "-aq"), "its container goes", 20)
    clean(w)


@timeout(120)
def test_slow_reader_of_many_steps(w):
    """The lines of steps wait for their reader, too, and none is lost."""
    n = 1000
    body = tar_of({"Dockerfile": "FROM scratch\n" + "ARG a=%s\n" % ("x" * 1000) * n})
    s = w.connect_api(60)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.sendall(b"POST /v1.47/build HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    made, before = 0, -1
    while made != before:  # it comes to a halt
        time.sleep(1.5)
        made, before = len(w.get("/images/json?all=1")), made
    check(20 < made < n, "%d steps for a reader that does not read", made)
    s.close()
    clean(w)
    prune(w)


def test_output_is_whole(w):
    out = build(w, "FROM %s\nRUN seq 1 30000\n" % IMAGE)
    numbers = out.split("Running in")[1].split("\n")[1:30001]
    equal(numbers, [str(i) for i in range(1, 30001)])


def test_output_with_nul(w):
    for zeros in (1, 4000):  # first: what is behind a NUL is as long as what was read
        out = build(w, "FROM %s\nRUN sh -c 'head -c %d /dev/zero; seq -s . 1 5000'\n" % (IMAGE, zeros))
        contains(out, " " * zeros + ".".join(str(i) for i in range(1, 5001)))
    check(w.alive(), "the engine is there")


@timeout(180)
def test_kill9(w):
    for text, files in (("FROM %s\nRUN echo 'now it 'runs; sleep 600\n", None),
                        ("FROM %s\nRUN echo 'now it 'runs\nCOPY big /big\n", {"big": os.urandom(24 << 20)})):
        s = hanging(w, text % IMAGE, files)
        w.kill9()
        s.close()
        w.start()
        until(lambda: not w.docker("ps", "-aq"), "the container of the build goes", 20)
        until(lambda: not leftovers(w), "nothing is left: %s" % leftovers(w), 20)
        check("build-" not in open("/proc/self/mountinfo").read(), "a root of the build is mounted")
    contains(build(w, "FROM %s\nRUN echo after\n" % IMAGE), "Successfully built")


def test_orderly_stop_in_the_middle(w):
    s = hanging(w, "FROM %s\nRUN echo 'now it 'runs; sleep 600\n" % IMAGE)
    w.restart()
    s.close()
    until(lambda: not w.docker("ps", "-aq"), "the container of the build goes", 20)
    clean(w)


def test_disk_bounds(w):
    """A context that unpacks to a thousand times its size is refused, and nothing of it stays."""
    bomb = io.BytesIO()
    with tarfile.open(fileobj=bomb, mode="w") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 100 << 20
        tar.addfile(info, io.BytesIO(bytes(100 << 20)))
    r = post(w, None, raw=subprocess.run(["xz", "-0c"], input=bomb.getvalue(), capture_output=True, check=True).stdout, timeout=120)
    equal(r.status, 400, r.text[:300])
    contains(r.message, "times its size")
    clean(w)


def test_parallel(w):
    """Builds side by side share the cache and mix nothing up."""
    results = {}

    def one(n):
        files = {"Dockerfile": "FROM %s\nENV SHARED=1\nCOPY f /f\nRUN cat /f >/out\n" % IMAGE, "f": "number %d" % n}
        results[n] = post(w, files, t="par%d" % n)
    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n in range(4):
        contains(said(results[n]), "Successfully tagged par%d:latest" % n)
        equal(run_in(w, "cat", "/out", tag="par%d" % n), "number %d" % n)
    prune(w)


def test_images_survive_the_build(w):
    """What a build stands on cannot be pruned away meanwhile."""
    s = hanging(w, "FROM %s\nENV A=held\nRUN echo 'now it 'runs; sleep 1; echo x >/x\n" % IMAGE)
    w.docker("image", "prune", "-af")
    seen = b""
    while b"Successfully built" not in seen and (part := s.recv(65536)):
        seen += part
    s.close()
    contains(seen.decode(), "Successfully built")
    w.restart()  # brings the built-in image back


def test_events(w):
    with w.event(r'"Action": ?"tag".*"name": ?"evt|"status":"tag"'):
        build(w, "FROM %s\nLABEL e=1\n" % IMAGE, tag="evt")


def test_base_images_are_pulled(w):
    """FROM and COPY --from of what is not here, with the credentials of X-Registry-Config; --pull asks again."""
    users = w.base + "/htpasswd"
    subprocess.run(["htpasswd", "-Bbc", users, "who", "secret-word"], check=True, capture_output=True)
    basic = "Basic " + base64.b64encode(b"who:secret-word").decode()
    name = "127.0.0.1:5000/lib/base"

    def put(text):
        image = registry.Image([standin.layer(), registry.tar_of({"etc/pulled": text})])
        registry.push(w, "host", "127.0.0.1:5000", "lib/base", "1", image, headers={"Authorization": basic})
    config = {"127.0.0.1:5000": {"username": "who", "password": "secret-word"}}
    headers = {"X-Registry-Config": base64.urlsafe_b64encode(json.dumps(config).encode()).decode()}
    text = "FROM %s:1\nRUN cat /etc/pulled >/got\nFROM %s\nCOPY --from=%s:1 /etc/pulled /p\nCOPY --from=0 /got /got\n" % (name, IMAGE, name)
    with registry.Real(w, htpasswd=users):
        put(b"first")
        r = post(w, {"Dockerfile": text})
        contains(lines(r)[-1].get("error"), "no basic auth credentials")
        r = post(w, {"Dockerfile": text}, headers=headers, t="pulled")
        check(any(x.get("status") == "Pulling from lib/base" for x in lines(r)), r.text)
        contains(said(r), "Successfully tagged pulled:latest")
        equal(run_in(w, "cat", "/p", "/got", tag="pulled"), "firstfirst")
        r = post(w, {"Dockerfile": text})
        check(not any("status" in x for x in lines(r)), "what is here is not pulled: %s", r.text)
        put(b"second")
        r = post(w, {"Dockerfile": text}, t="pulled")
        equal(run_in(w, "cat", "/p", "/got", tag="pulled"), "firstfirst")
        # the built-in image is in no registry: the first stage alone
        r = post(w, {"Dockerfile": text}, headers=headers, t="pulled", pull="1", target="0")
        contains(said(r), "Successfully tagged pulled:latest")
        equal(run_in(w, "cat", "/got", tag="pulled"), "second")
        r = post(w, {"Dockerfile": "FROM 127.0.0.1:5000/lib/none\n"}, headers=headers)
        contains(lines(r)[-1]["error"], "127.0.0.1:5000/lib/none")
    clean(w)
    prune(w)


def test_atoll_build(w):
    """Our own CLI makes the context's tar: links, long names, .dockerignore, Dockerfiles from elsewhere."""
    long = "/".join(["directory-%02d" % i for i in range(20)]) + "/" + "n" * 120
    top = context(w, {"Dockerfile": "FROM %s\nARG who=nobody\nCOPY . /all\nRUN echo $who >/who\n" % IMAGE, long: "far",
                      "a.log": "x", "keep.log": "k", "sub/only": "o", "skip/in/again": "i", "link": ("link", long), "big": b"z" * 300000,
                      ".dockerignore": "*.log\n!keep.log\nskip\n!skip/in/again\nDockerfile\n.dockerignore\n"})
    os.chmod(top + "/sub/only", 0o4751)
    out = w.atoll("build", "-t", "own", "--build-arg", "who=me", "--label", "x=y", "--rm=true", top)
    contains(out, "Successfully tagged own:latest")
    got = sorted(w.docker("run", "--rm", "own", "sh", "-c", "cd /all && find . -type f -o -type l").split())
    equal(got, sorted("./" + x for x in (long, "keep.log", "sub/only", "skip/in/again", "link", "big")))
    equal(w.docker("run", "--rm", "own", "sh", "-c", "cat /all/link /who; wc -c </all/big; stat -c %a /all/sub/only"),
          "farme\n300000\n4751")
    equal(config(w, "own")["Labels"], {"x": "y"})
    # the same files make the same image, whoever packs them
    again = w.docker("build", "--build-arg", "who=me", "--label", "x=y", top, env=CLASSIC)
    equal(again.count("Using cache"), 4, again)
    with open(w.home + "/Other", "w") as f:
        f.write("FROM %s\nCOPY sub/only /o\n" % IMAGE)
    matches(w.atoll("build", "-q", "-f", w.home + "/Other", top), r"^sha256:[0-9a-f]{64}$")
    matches(w.atoll("build", "-q", "-", input="FROM %s\nRUN echo of stdin\n" % IMAGE), r"^sha256:[0-9a-f]{64}$")
    contains(w.atoll("build", "-f", "-", top, input="FROM %s\nCOPY big /b\n" % IMAGE), "Successfully built")
    with open(w.home + "/ctx.tar", "wb") as f:
        f.write(tar_of({"Dockerfile": "FROM %s\nCOPY f /f\n" % IMAGE, "f": "1"}))
    contains(w.sh("atoll build - <ctx.tar"), "Successfully built")
    r = w.atoll_try("build", "-", input="FROM %s\nRUN exit 9\n" % IMAGE)
    equal((r.returncode, r.stderr), (9, "The command '/bin/sh -c exit 9' returned a non-zero code: 9\n"))
    w.docker("rm", *w.docker("ps", "-aq").split())
    for args, says in ((["/nowhere"], "path \"/nowhere\" not found"), (["https://x.test/r.git"], "remote context"),
                       (["-f", "none", top], "none"), (["--target", "x", top], "failed to reach build target x")):
        r = w.atoll_try("build", *args)
        equal(r.returncode, 1, r.stderr)
        contains(r.stderr, says)


def test_docker_py(w):
    try:
        import docker
    except ImportError:
        raise Skip("python3-docker is not installed") from None
    client = docker.DockerClient(base_url="unix://" + w.socket, version="1.41", timeout=60)
    top = context(w, {"Dockerfile": "FROM %s\nARG x\nCOPY . /in\nRUN echo $x >/x\n" % IMAGE, "f": "1", "no": "2", ".dockerignore": "no\n"})
    image, log = client.images.build(path=top, tag="bypy", rm=True, buildargs={"x": "from py"}, labels={"l": "1"})
    contains("".join(x.get("stream", "") for x in log), "Successfully built")
    equal(client.containers.run("bypy", "cat /x", remove=True), b"from py\n")
    equal(image.labels, {"l": "1"})
    try:
        client.images.build(fileobj=io.BytesIO(b"FROM %s\nRUN exit 3\n" % IMAGE.encode()), rm=True, forcerm=True)
        check(False, "the build succeeded")
    except docker.errors.BuildError as e:
        equal(e.msg, "The command '/bin/sh -c exit 3' returned a non-zero code: 3")
    client.close()


def test_compose(w):
    if not shutil.which("docker-compose"):
        raise Skip("docker-compose is not installed")
    top = context(w, {"web/Dockerfile": "FROM %s\nARG word\nRUN echo $word >/w\nCMD cat /w\n" % IMAGE,
                      "docker-compose.yml": "version: '3.7'\nservices:\n  web:\n    build:\n      context: web\n      args: {word: composed}\n"})
    env = dict(w.env, COMPOSE_PROJECT_NAME="proj", DOCKER_BUILDKIT="0", COMPOSE_DOCKER_CLI_BUILD="0")
    r = subprocess.run(["docker-compose", "build"], cwd=top, env=env, capture_output=True, text=True, timeout=120)
    check(r.returncode == 0, "%s%s", r.stdout, r.stderr)
    names = [t for i in w.get("/images/json") for t in i["RepoTags"] if t.startswith("proj")]
    equal(len(names), 1)
    equal(w.docker("run", "--rm", names[0]), "composed")


main(globals())
