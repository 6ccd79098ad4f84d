#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Registries: pull by tag and digest, over TLS and without, with passwords and tokens, from mirrors, with every
compression; and a registry that lies, breaks off, is slow or sends us elsewhere: a clear error, and nothing is left."""
import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import registry  # noqa: E402
import servers  # noqa: E402
from registry import Image, Liar, Real, index_of, tar_of  # noqa: E402

BASE = standin.layer()
TOP = tar_of({"etc/top": b"from the registry\n"})
HOST = "127.0.0.1:5000"


def pull(w, name, tag="latest", auth=None, timeout=60, **query):
    """POST /images/create: (status, lines)."""
    headers = {}
    if auth:
        headers["X-Registry-Auth"] = base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()
    q = "&".join("%s=%s" % x for x in dict({"fromImage": name}, **({"tag": tag} if tag else {}), **query).items())
    r = w.api("POST", "/images/create?" + q, headers=headers, timeout=timeout)
    if r.status != 200:
        return r.status, r.message
    return r.status, [json.loads(x) for x in r.text.splitlines() if x.strip()]


def error_of(answer):
    """The text of a pull that failed, before its stream or in it."""
    status, lines = answer
    if status != 200:
        return lines
    return next((x["error"] for x in lines if "error" in x), None)


def good(answer):
    equal(error_of(answer), None, "pull")
    return answer[1]


def statuses(lines):
    return [x.get("status") for x in lines]


def drop(w, *refs):
    for ref in refs:
        w.api("DELETE", "/images/%s?force=1" % ref)


def layers(w):
    return sorted(os.listdir(w.data + "/layers"))


class unchanged:
    """What happens inside leaves no image, no layer and no process."""

    def __init__(self, w):
        self.w = w

    def __enter__(self):
        self.images = sorted(x["Id"] for x in self.w.get("/images/json?all=1"))
        self.layers = layers(self.w)

    def __exit__(self, kind, value, trace):
        if kind:
            return
        until(lambda: layers(self.w) == self.layers, "layers as before: %s" % layers(self.w))
        until(lambda: not [c for c in self.w.processes().values() if "atoll-helper" in c or "atoll-registry" in c],
              "no helper is left")
        equal(sorted(x["Id"] for x in self.w.get("/images/json?all=1")), self.images)


def plain(*tars, **kw):
    return Image(list(tars) or [BASE, TOP], **kw)


# ---- a registry that is one ----

def test_pull_and_run(w):
    """By the docker CLI, with its output; the layers run; the digest is known and can be run by."""
    image = plain()
    with Real(w) as real:
        digest = registry.push(w, "host", real.name, "some/app", "1", image)
        out = w.docker("pull", HOST + "/some/app:1")
        for part in ("1: Pulling from some/app", "Pull complete", "Digest: " + digest,
                     "Status: Downloaded newer image for %s/some/app:1" % HOST):
            contains(out, part)
        equal(w.docker("run", "--rm", HOST + "/some/app:1", "cat", "/etc/top"), "from the registry")
        info = w.get("/images/%s/some/app:1/json" % HOST)
        equal(info["Id"], image.id)
        equal(info["RepoDigests"], ["%s/some/app@%s" % (HOST, digest)])
        contains(w.docker("images", "--digests"), digest)
        equal(w.docker("run", "--rm", "%s/some/app@%s" % (HOST, digest), "cat", "/etc/top"), "from the registry")
        contains(w.docker("pull", HOST + "/some/app:1"), "Image is up to date for %s/some/app:1" % HOST)
        w.restart()
        equal(w.get("/images/%s/some/app:1/json" % HOST)["RepoDigests"], ["%s/some/app@%s" % (HOST, digest)])
        out = w.docker("rmi", HOST + "/some/app:1")
        for part in ("Untagged: %s/some/app:1" % HOST, "Untagged: %s/some/app@%s" % (HOST, digest), "Deleted: " + image.id):
            contains(out, part)


def test_reference_filter(w):
    """Of an image's names and digests, those alone that the filter asks for."""
    image = plain()
    with Liar(w) as liar:
        liar.add("some/app", "1", image)
        w.docker("pull", HOST + "/some/app:1")
        digest = "%s/some/app@%s" % (HOST, image.digest)
        w.docker("tag", HOST + "/some/app:1", "listed/one:v1")

        def names(pattern):
            found = w.get('/images/json?filters={"reference":["%s"]}' % pattern)
            return [(x["RepoTags"], x["RepoDigests"]) for x in found]

        equal(names("listed/*"), [(["listed/one:v1"], [])])
        for pattern in (HOST + "/some/app", HOST + "/*/app"):
            equal(names(pattern), [([HOST + "/some/app:1"], [digest])], pattern)
        equal(names(digest), [([], [digest])], "a digest is a reference")
        equal(names("*/app"), [])
        equal(w.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=listed/*"), "listed/one:v1")
        drop(w, HOST + "/some/app:1")
        drop(w, "listed/one:v1")


def test_progress_lines(w):
    """The lines as clients read them."""
    with Liar(w) as liar:
        liar.add("app", "latest", plain())
        lines = good(pull(w, HOST + "/app"))
        ids = [x["digest"][7:19] for x in plain().descriptors]
        equal(lines[0], {"status": "Pulling from app", "id": "latest"})
        equal(lines[1:3], [{"status": "Pulling fs layer", "progressDetail": {}, "id": i} for i in ids])
        for i in ids:
            of = [x for x in lines if x.get("id") == i]
            seen = [x["status"] for x in of]
            order = [s for k, s in enumerate(seen) if k == 0 or seen[k - 1] != s]
            equal(order, ["Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"])
            last = [x for x in of if x["status"] == "Downloading"][-1]
            equal(last["progressDetail"]["current"], last["progressDetail"]["total"])
            matches(last["progress"], r"^\[=+> *\] +[\d.]+k?M?B/[\d.]+k?M?B$")
        equal(statuses(lines[-2:]), ["Digest: " + plain().digest, "Status: Downloaded newer image for %s/app:latest" % HOST])
        drop(w, HOST + "/app")


def test_layers_that_are_here(w):
    with Liar(w) as liar:
        liar.add("one", "latest", plain(BASE))
        liar.add("two", "latest", plain(BASE, TOP))
        good(pull(w, HOST + "/one"))
        lines = good(pull(w, HOST + "/two"))
        equal(statuses([x for x in lines if x.get("id") == plain().descriptors[0]["digest"][7:19]]), ["Already exists"])
        equal(len(liar.requests(plain().descriptors[0]["digest"])), 1, "fetches of the shared layer")
        equal(w.docker("run", "--rm", HOST + "/two", "cat", "/etc/top"), "from the registry")
        sizes = [x["Size"] for x in w.get("/images/%s/two/history" % HOST)]
        check(all(s > 0 for s in sizes), sizes)
        drop(w, HOST + "/one", HOST + "/two")


def test_layer_that_goes_meanwhile(w):
    """A layer that was here when the pull began and went with its last image is fetched after all."""
    held = threading.Event()
    with Liar(w) as liar:
        liar.add("one", "latest", plain(BASE))
        liar.add("two", "latest", plain(BASE, TOP))
        good(pull(w, HOST + "/one"))
        liar.hooks.append(lambda r: plain().descriptors[1]["digest"] in r.path and not held.wait(20) and False)
        got = []
        t = threading.Thread(target=lambda: got.append(error_of(pull(w, HOST + "/two"))))
        t.start()
        until(lambda: liar.requests(plain().descriptors[1]["digest"]), "the other layer is asked for")
        w.docker("rmi", HOST + "/one")
        held.set()
        t.join()
        equal(got, [None])
        equal(w.docker("run", "--rm", HOST + "/two", "cat", "/etc/top"), "from the registry")
        drop(w, HOST + "/two")


def test_every_compression(w):
    with Real(w) as real:
        for how in ("gzip", "zstd", "tar"):
            if how == "zstd" and not standin.have_compressor(how):
                continue
            for oci in (False, True):
                registry.push(w, "host", real.name, "app", how, plain(how=how, oci=oci))
                w.docker("pull", "-q", HOST + "/app:" + how)
                equal(w.docker("run", "--rm", HOST + "/app:" + how, "cat", "/etc/top"), "from the registry", how)
                drop(w, HOST + "/app:" + how)


def test_manifest_lists(w):
    """Of an index the image of this machine; another by --platform; one that is not there is refused."""
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    ours, other = plain(BASE, tar_of({"etc/top": b"ours\n"}), arch=here), plain(BASE, TOP, arch="s390x")
    for oci in (False, True):
        with Real(w) as real:
            for i in (ours, other):
                registry.push(w, "host", real.name, "many", None, i)
            digest = registry.push(w, "host", real.name, "many", "latest", index_of([other, ours], oci))
            w.docker("pull", HOST + "/many")
            equal(w.docker("run", "--rm", HOST + "/many", "cat", "/etc/top"), "ours")
            equal(w.get("/images/%s/many/json" % HOST)["RepoDigests"], ["%s/many@%s" % (HOST, digest)])
            drop(w, HOST + "/many")
            w.docker("pull", "--platform", "linux/s390x", HOST + "/many")
            equal(w.get("/images/%s/many/json" % HOST)["Id"], other.id)
            drop(w, HOST + "/many")
            with unchanged(w):
                equal(error_of(pull(w, HOST + "/many", platform="linux/mips64le")),
                      "no matching manifest for linux/mips64le in the manifest list entries")
                equal(pull(w, HOST + "/many", platform="no/such/thing/at/all")[0], 400)


def test_by_digest(w):
    image = plain()
    with Liar(w) as liar:
        liar.add("app", "latest", image)
        name = "%s/app@%s" % (HOST, image.digest)
        contains(w.docker("pull", name), "Status: Downloaded newer image for " + name)
        info = w.get("/images/%s/json" % name)
        equal((info["RepoTags"], info["RepoDigests"]), ([], [name]))
        equal([x["RepoTags"] for x in w.get('/images/json?filters={"dangling":["true"]}') if x["Id"] == image.id], [])
        equal(w.docker("run", "--rm", name, "cat", "/etc/top"), "from the registry")
        liar.manifests["app", image.digest] = (image.type, image.manifest + b" ")
        drop(w, name)
        with unchanged(w):
            contains(error_of(pull(w, HOST + "/app", tag=image.digest)), "manifest verification failed for digest " + image.digest)


def test_all_tags(w):
    with Liar(w) as liar:
        for i in range(4):
            liar.add("app", "v%d" % i, plain(BASE, tar_of({"etc/top": b"%d" % i})))
        out = w.docker("pull", "-a", HOST + "/app")
        equal(out.count("Digest: "), 4)
        for i in range(4):
            equal(w.docker("run", "--rm", HOST + "/app:v%d" % i, "cat", "/etc/top"), "%d" % i)
        drop(w, *[HOST + "/app:v%d" % i for i in range(4)])


def test_event(w):
    with Liar(w) as liar:
        liar.add("app", "latest", plain())
        with w.event(r'"Type":"image".*"Action":"pull".*"ID":"127.0.0.1:5000/app:latest".*"name":"127.0.0.1:5000/app"'):
            good(pull(w, HOST + "/app"))
        drop(w, HOST + "/app")


def test_two_at_once(w):
    """Two pulls of the same layers side by side: both end well, the layers are there once."""
    slow = threading.Event()
    with Liar(w) as liar:
        liar.add("app", "latest", plain())
        liar.hooks.append(lambda r: "/blobs/" in r.path and not slow.wait(5) and False)
        got = []
        both = [threading.Thread(target=lambda: got.append(error_of(pull(w, HOST + "/app")))) for _ in range(2)]
        for t in both:
            t.start()
        until(lambda: len(liar.requests("/blobs/")) >= 2, "both ask for blobs")
        slow.set()
        for t in both:
            t.join()
        equal(got, [None, None])
        equal(w.docker("run", "--rm", HOST + "/app", "cat", "/etc/top"), "from the registry")
        drop(w, HOST + "/app")


# ---- push ----

def test_push_and_pull_back(w):
    """An image made here goes to a real registry, comes back the same, and goes again without a byte."""
    with Real(w):
        for c in w.docker("create", "--name", "made", IMAGE, "true").splitlines():
            w.docker("commit", "-c", "LABEL who=me", c, HOST + "/made:1")
        w.docker("rm", "made")
        out = w.docker("push", HOST + "/made:1")
        contains(out, "The push refers to repository [%s/made]" % HOST)
        contains(out, "Pushed")
        digest, size = matches(out, r"1: digest: (sha256:[0-9a-f]{64}) size: (\d+)").groups()
        info = w.get("/images/%s/made:1/json" % HOST)
        equal(info["RepoDigests"], ["%s/made@%s" % (HOST, digest)])
        contains(w.docker("push", HOST + "/made:1"), "Layer already exists")
        w.docker("tag", HOST + "/made:1", HOST + "/other/name:2")
        out = w.docker("push", HOST + "/other/name:2")
        contains(out, "Mounted from made")
        contains(out, digest)
        w.restart()  # which forgets what blobs there are: they are made again, the same
        contains(w.docker("push", HOST + "/made:1"), "Layer already exists")
        w.docker("rmi", HOST + "/made:1", HOST + "/other/name:2")
        w.docker("pull", HOST + "/made:1")
        back = w.get("/images/%s/made:1/json" % HOST)
        equal((back["Id"], back["RepoDigests"]), (info["Id"], info["RepoDigests"]))
        equal(w.docker("run", "--rm", HOST + "/made:1", "echo", "works"), "works")
        w.docker("tag", HOST + "/made:1", HOST + "/made:2")
        equal(w.docker("push", "-a", HOST + "/made").count("digest: " + digest), 2)
        drop(w, HOST + "/made:1", HOST + "/made:2")
        for name in os.listdir(w.data + "/layers"):
            check(not name.startswith("tmp-"), "left: %s", name)


def test_push_of_what_came(w):
    """An image that came goes to another registry, its layers made again from their recipes, and is the same."""
    image = plain()
    with Real(w) as real, Real(w, port=5001):
        registry.push(w, "host", real.name, "app", "latest", image)
        w.docker("pull", HOST + "/app")
        w.docker("tag", HOST + "/app", "127.0.0.1:5001/copy")
        w.docker("push", "127.0.0.1:5001/copy")
        drop(w, HOST + "/app", "127.0.0.1:5001/copy")
        w.docker("pull", "127.0.0.1:5001/copy")
        equal(w.get("/images/127.0.0.1:5001/copy/json")["Id"], image.id)
        equal(w.docker("run", "--rm", "127.0.0.1:5001/copy", "cat", "/etc/top"), "from the registry")
        drop(w, "127.0.0.1:5001/copy")


def test_push_refused(w):
    users = w.base + "/htpasswd"
    subprocess.run(["htpasswd", "-Bbc", users, "who", "secret-word"], check=True, capture_output=True)
    with Real(w, htpasswd=users):
        w.docker("tag", IMAGE, HOST + "/app")
        contains(w.docker_fails("push", HOST + "/app"), "no basic auth credentials")
        contains(w.docker_fails("push", HOST + "/nothere"), "An image does not exist locally with the tag: %s/nothere" % HOST)
        w.docker("login", "-u", "who", "--password-stdin", HOST, input="secret-word")
        contains(w.docker("push", HOST + "/app"), "latest: digest: sha256:")
        w.docker("logout", HOST)
        w.docker("rmi", HOST + "/app")
    w.docker("tag", IMAGE, HOST + "/app")
    contains(w.docker_fails("push", HOST + "/app"), "connect: connection refused")
    w.docker("rmi", HOST + "/app")


# ---- our own command line ----

def test_atoll(w):
    """atoll pull, push, run of what is not here, login, logout, search, with docker's files."""
    with Real(w) as real:
        registry.push(w, "host", real.name, "app", "latest", plain())
        equal(w.atoll("run", "--rm", HOST + "/app", "cat", "/etc/top"), "from the registry")
        drop(w, HOST + "/app")
        contains(w.atoll_try("run", "--rm", "--pull", "never", HOST + "/app", "true").stderr, "No such image")
        out = w.atoll("pull", HOST + "/app")
        for part in ("Using default tag: latest", "latest: Pulling from app", "Pull complete", HOST + "/app:latest"):
            contains(out, part)
        equal(w.atoll("pull", "-q", HOST + "/app"), HOST + "/app:latest")
        w.atoll("tag", HOST + "/app", HOST + "/again:3")
        contains(w.atoll("push", HOST + "/again:3"), "3: digest: sha256:")
        contains(w.atoll("run", "--rm", "--pull", "always", HOST + "/again:3", "cat", "/etc/top"), "from the registry")
        drop(w, HOST + "/app", HOST + "/again:3")
    with Liar(w, auth="basic") as liar:
        liar.add("app", "latest", plain())
        config = w.home + "/.docker/config.json"
        contains(w.atoll_try("login", "-u", liar.user, "-p", "wrong", HOST).stderr, "401 Unauthorized")
        check(not os.path.exists(config) or HOST not in open(config).read(), "a refused login is kept")
        contains(w.atoll("login", "-u", liar.user, "--password-stdin", HOST, input=liar.password + "\n"), "Login Succeeded")
        equal(os.stat(config).st_mode & 0o777, 0o600)
        w.atoll("pull", "-q", HOST + "/app")
        drop(w, HOST + "/app")
        w.docker("pull", "-q", HOST + "/app")  # docker reads the same file
        drop(w, HOST + "/app")
        contains(w.atoll("logout", HOST), "Removing login credentials for " + HOST)
        contains(w.atoll_try("pull", HOST + "/app").stderr, "no basic auth credentials")
        with open(w.base + "/bin/docker-credential-box", "w") as f:
            f.write('#!/bin/sh\nf=%s/box\ncase $1 in\nstore) cat >$f;;\nget) [ -e $f ] && cat $f || { echo "credentials not found in '
                    'native keychain"; exit 1; };;\nerase) rm -f $f;;\nesac\n' % w.base)
        os.chmod(w.base + "/bin/docker-credential-box", 0o755)
        with open(config, "w") as f:
            json.dump({"credsStore": "box"}, f)
        contains(w.atoll_try("pull", HOST + "/app").stderr, "no basic auth credentials")
        w.atoll("login", "-u", liar.user, "--password-stdin", HOST, input=liar.password)
        check(liar.password not in open(config).read() and "auth" in open(config).read(), "the store was not used")
        w.atoll("pull", "-q", HOST + "/app")
        w.atoll("logout", HOST)
        check(not os.path.exists(w.base + "/box"), "erased")
        os.unlink(config)
        liar.auth = None
        liar.hooks.append(lambda r: r.path.startswith("/v1/search") and r.reply(200, b'{"results":[{"name":"found","star_count":7}]}'))
        contains(w.atoll("search", HOST + "/x"), "found")
        drop(w, HOST + "/app")


# ---- names that are not there ----

def test_errors_before_the_stream(w):
    with Liar(w) as liar, unchanged(w):
        liar.add("app", "latest", plain())
        equal(pull(w, HOST + "/app", "no"), (404, "manifest for %s/app:no not found: manifest unknown: manifest unknown" % HOST))
        equal(pull(w, HOST + "/no"), (404, "repository %s/no not found: name unknown: repository name not known to registry" % HOST))
        liar.hooks.append(lambda r: "/manifests/" in r.path and r.error(403, "DENIED", "requested access to the resource is denied"))
        equal(pull(w, HOST + "/app"), (404, "pull access denied for %s/app, repository does not exist or may require "
                                            "'docker login': denied: requested access to the resource is denied" % HOST))
        equal(pull(w, HOST + "/UPPER")[0], 400)
        contains(w.docker_fails("pull", HOST + "/app"), "pull access denied for")
    with unchanged(w):
        equal(pull(w, "127.0.0.1:5009/x"),
              (500, 'Get "http://127.0.0.1:5009/v2/": dial tcp 127.0.0.1:5009: connect: connection refused'))
        status, text = pull(w, "nosuch.example.test:5000/x")
        equal(status, 500)
        equal(text, 'Get "https://nosuch.example.test:5000/v2/": dial tcp: lookup nosuch.example.test on %s:53: no such host' % INTERNET)


def test_schema1_is_refused(w):
    with Liar(w) as liar, unchanged(w):
        liar.manifests["old", "latest"] = ("application/vnd.docker.distribution.manifest.v1+prettyjws",
                                           b'{"schemaVersion":1,"name":"old","tag":"latest","fsLayers":[],"history":[]}')
        contains(error_of(pull(w, HOST + "/old")), "manifest version 2, schema 1 support is disabled by default")


# ---- who we are ----

def test_basic_auth(w):
    """htpasswd of a real registry: without, with the wrong one, with the right one; docker login."""
    users = w.base + "/htpasswd"
    subprocess.run(["htpasswd", "-Bbc", users, "who", "secret-word"], check=True, capture_output=True)
    with Real(w, htpasswd=users) as real:
        basic = {"Authorization": "Basic " + base64.b64encode(b"who:secret-word").decode()}
        registry.push(w, "host", real.name, "app", "latest", plain(), headers=basic)
        with unchanged(w):
            contains(w.docker_fails("pull", HOST + "/app"), "no basic auth credentials")
            contains(error_of(pull(w, HOST + "/app", auth={"username": "who", "password": "wrong"})), "unauthorized: authentication required")
        contains(w.docker_fails("login", "-u", "who", "--password-stdin", HOST, input="wrong"), "401 Unauthorized")
        contains(w.docker("login", "-u", "who", "--password-stdin", HOST, input="secret-word"), "Login Succeeded")
        w.docker("pull", HOST + "/app")
        w.docker("logout", HOST)
        drop(w, HOST + "/app")
    check("secret-word" not in w.log_tail(100000), "the password is in the log")


def test_token_auth(w):
    """A token server: GET with basic, POST with an identity token, a registry token as it is."""
    with Liar(w, auth="token") as liar:
        liar.add("app", "latest", plain())
        for auth in ({"username": liar.user, "password": liar.password}, {"identitytoken": liar.refresh}, {"registrytoken": "good-token"}):
            liar.log.clear()
            good(pull(w, HOST + "/app", auth=auth))
            equal(len(liar.requests("/token")), 0 if "registrytoken" in auth else 1, "tokens for %s" % list(auth))
            drop(w, HOST + "/app")
        asked = None
        liar.log.clear()
        good(pull(w, HOST + "/app", auth={"username": liar.user, "password": liar.password}))
        asked = liar.requests("/token")[0][1]
        for part in ("service=this%2C%20and%20that", "scope=repository%3Aapp%3Apull", "account=who"):
            contains(asked, part)
        drop(w, HOST + "/app")
        with unchanged(w):
            for auth in (None, {"username": "who", "password": "wrong"}):
                contains(error_of(pull(w, HOST + "/app", auth=auth)), "unauthorized: incorrect username or password")
        equal(w.api("POST", "/auth", {"username": "who", "password": "no", "serveraddress": HOST}).status, 401)
        equal(w.api("POST", "/auth", {"username": liar.user, "password": liar.password, "serveraddress": HOST}).json,
              {"Status": "Login Succeeded", "IdentityToken": ""})


def test_credentials_stay_at_home(w):
    """A blob is redirected to another host: it comes, and who we are does not go there."""
    with Liar(w, auth="basic") as liar, Liar(w, port=5001) as other:
        liar.add("app", "latest", plain())
        other.add("app", "latest", plain())
        liar.hooks.append(lambda r: "/blobs/" in r.path and r.reply(307, b"", {"Location": "http://127.0.0.1:5001" + r.path}))
        good(pull(w, HOST + "/app", auth={"username": liar.user, "password": liar.password}))
        check(len(other.requests("/blobs/")) >= 3, other.log)
        check(not [x for x in other.log if "Authorization" in x[2]], "credentials went to another host: %s", other.log)
        check([x for x in liar.requests("/blobs/") if "Authorization" in x[2]], "the control: none went to the registry")
        drop(w, HOST + "/app")


# ---- TLS ----

def authority(w, name, addresses):
    """A CA, and a certificate of it: {"ca", "cert", "key"}."""
    d = w.base + "/tls-" + name
    os.makedirs(d, exist_ok=True)
    run_in = {"cwd": d, "check": True, "capture_output": True}
    with open(d + "/ca.cfg", "w") as f:
        f.write("cn = CA of %s\nca\ncert_signing_key\nexpiration_days = 100\n" % name)
    with open(d + "/cert.cfg", "w") as f:
        f.write("cn = %s\ntls_www_server\ntls_www_client\nsigning_key\nexpiration_days = 100\n" % name)
        f.writelines("%s = %s\n" % ("ip_address" if re.match(r"[\d.]+$", a) else "dns_name", a) for a in addresses)
    for who in ("ca", "cert"):
        subprocess.run(["certtool", "--generate-privkey", "--key-type=ecdsa", "--outfile", who + ".key"], **run_in)
    subprocess.run(["certtool", "--generate-self-signed", "--load-privkey", "ca.key", "--template", "ca.cfg", "--outfile", "ca.pem"], **run_in)
    subprocess.run(["certtool", "--generate-certificate", "--load-privkey", "cert.key", "--load-ca-certificate", "ca.pem", "--load-ca-privkey",
                    "ca.key", "--template", "cert.cfg", "--outfile", "cert.pem"], **run_in)
    return {"ca": d + "/ca.pem", "cert": d + "/cert.pem", "key": d + "/cert.key"}


def trust(folder, host, ca, **client):
    d = "%s/certs.d/%s" % (folder, host)
    os.makedirs(d, exist_ok=True)
    for name, path in dict({"ca.crt": ca}, **client).items():
        with open(path) as f, open("%s/%s" % (d, name), "w") as out:
            out.write(f.read())


def test_tls(w):
    """A registry of the internet with a CA of its own: refused, then trusted by certs.d; insecure by the option."""
    tls = authority(w, "registry", [INTERNET])
    name = "%s:5443" % INTERNET
    with Real(w, "internet", INTERNET, 5443, tls=(tls["cert"], tls["key"])) as real:
        registry.push(w, "internet", real.name, "app", "latest", plain(), "https")
        with unchanged(w):
            status, text = pull(w, name + "/app")
            equal((status, text), (500, 'Get "https://%s/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority' % name))
        for folder in ("/etc/docker", "/etc/atoll"):
            trust(folder, name, tls["ca"])
            w.docker("pull", name + "/app")
            drop(w, name + "/app")
            subprocess.run(["rm", "-r", "%s/certs.d/%s" % (folder, name)], check=True)
        w.stop()
        w.start("--insecure-registry", "203.0.113.0/24")
        w.docker("pull", name + "/app")
        equal(w.docker("run", "--rm", name + "/app", "cat", "/etc/top"), "from the registry")
        drop(w, name + "/app")
    w.restart()


def test_client_certificate(w):
    tls = authority(w, "both", [INTERNET])
    name = "%s:5443" % INTERNET
    with Liar(w, "internet", INTERNET, 5443, tls=(tls["cert"], tls["key"], tls["ca"])) as liar:
        liar.add("app", "latest", plain())
        trust("/etc/atoll", name, tls["ca"])
        with unchanged(w):
            equal(pull(w, name + "/app")[0], 500)
        trust("/etc/atoll", name, tls["ca"], **{"client.cert": tls["cert"]})
        with unchanged(w):
            contains(error_of(pull(w, name + "/app")), "missing key client.key for client certificate client.cert")
        trust("/etc/atoll", name, tls["ca"], **{"client.cert": tls["cert"], "client.key": tls["key"]})
        good(pull(w, name + "/app"))
        drop(w, name + "/app")
    subprocess.run(["rm", "-r", "/etc/atoll/certs.d/" + name], check=True)


def test_names_and_plain_http(w):
    """A name of the DNS; plain HTTP only where that is allowed; TLS asked of who has none."""
    w.dns.zone["registry.example.test"] = [(servers.A, INTERNET)]
    with Liar(w, "internet", INTERNET, 5000) as liar:
        liar.add("app", "latest", plain())
        with unchanged(w):
            contains(error_of(pull(w, "registry.example.test:5000/app")), "http: server gave HTTP response to HTTPS client")
        w.stop()
        w.start("--insecure-registry", "registry.example.test:5000")
        good(pull(w, "registry.example.test:5000/app"))
        drop(w, "registry.example.test:5000/app")
    w.restart()


# ---- mirrors and proxies ----

def test_mirrors(w):
    """docker.io by its mirrors, in order; one that fails is passed over; the hub has the last word."""
    with Liar(w, "internet", INTERNET, 5001) as broken, Liar(w, "internet", INTERNET, 5002) as mirror:
        mirror.add("library/app", "latest", plain())
        broken.hooks.append(lambda r: r.path != "/v2/" and r.error(500, "UNKNOWN", "out of order"))
        w.stop()
        w.start(*["--registry-mirror=http://%s:%d/" % (INTERNET, port) for port in (5000, 5001, 5002)])  # nobody is at the first
        contains(w.docker("pull", "app"), "Status: Downloaded newer image for app:latest")
        check(broken.requests("/manifests/"), "the first mirror was not asked")
        for mirror_at, why in ((5000, "connection refused"), (5001, "unexpected HTTP status: 500")):
            contains(w.log_tail(), "a mirror is passed over mirror=http://%s:%d error=" % (INTERNET, mirror_at))
            contains(w.log_tail(), why)
        equal(w.docker("run", "--rm", "app", "cat", "/etc/top"), "from the registry")
        equal(w.get("/images/app/json")["RepoDigests"], ["app@" + plain().digest])
        check(not [x for x in mirror.log if "Authorization" in x[2]], "a mirror was given credentials")
        drop(w, "app")
        with unchanged(w):
            equal(pull(w, "nothere"), (500, 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io '
                                            'on %s:53: no such host' % INTERNET))
    w.restart()


def test_a_real_mirror(w):
    """docker-registry as a cache of another one."""
    with Real(w, "internet", INTERNET, 5001) as hub, Real(w, "internet", INTERNET, 5002, proxy="http://%s:5001" % INTERNET):
        registry.push(w, "internet", hub.name, "library/app", "latest", plain())
        w.stop()
        w.start("--registry-mirror", "http://%s:5002" % INTERNET)
        w.docker("pull", "app")
        equal(w.docker("run", "--rm", "app", "cat", "/etc/top"), "from the registry")
        drop(w, "app")
    w.restart()


def test_proxy(w):
    """A proxy for what is not local; NO_PROXY is obeyed."""
    with Liar(w, "internet", INTERNET, 3128) as proxy:
        proxy.add("app", "latest", plain())
        proxy.hooks.append(lambda r: setattr(r, "path", re.sub(r"^http://[^/]+", "", r.path)))
        w.stop()
        w.start("--http-proxy", "http://%s:3128" % INTERNET, "--insecure-registry", "far.example.test:5000", "--no-proxy", "127.0.0.0/8,localhost")
        good(pull(w, "far.example.test:5000/app"))
        check(proxy.requests("/manifests/"), "the proxy was not asked")
        drop(w, "far.example.test:5000/app")
        with Liar(w) as liar, unchanged(w):
            liar.hooks.append(lambda r: r.error(404, "NAME_UNKNOWN", "repository name not known to registry"))
            contains(error_of(pull(w, HOST + "/app")), "repository name not known")
            check(liar.log, "NO_PROXY was not obeyed")
    w.restart()


def test_options_are_checked(w):
    for flags, text in ((["--registry-mirror", "ftp://x"], 'unsupported scheme "ftp"'), (["--registry-mirror", "http://u:p@x"], "username/password not allowed"),
                        (["--max-concurrent-downloads", "0"], "invalid max concurrent downloads: 0")):
        r = run(w.build + "/src/bin/atolld", *flags)
        equal(r.returncode, 1)
        contains(r.stderr, text)
    w.stop()
    with open(w.base + "/daemon.json", "w") as f:
        json.dump({"insecure-registries": ["10.0.0.0/8", "plain:5000"], "registry-mirrors": ["https://mirror.example.test"],
                   "max-concurrent-downloads": 7, "max-download-attempts": 2, "proxies": {"http-proxy": "http://p:1", "no-proxy": "x"}}, f)
    w.start("--config-file", w.base + "/daemon.json")
    info = w.get("/info")
    equal((info["HttpProxy"], info["NoProxy"]), ("http://p:1", "x"))
    equal(info["RegistryConfig"]["InsecureRegistryCIDRs"], ["10.0.0.0/8", "::1/128", "127.0.0.0/8"])
    equal(info["RegistryConfig"]["IndexConfigs"]["plain:5000"]["Secure"], False)
    equal(info["RegistryConfig"]["Mirrors"], ["https://mirror.example.test/"])
    with open(w.base + "/daemon.json", "w") as f:
        json.dump({"registry-mirrors": ["https://other.example.test"]}, f)
    with w.event('"Type":"daemon","Action":"reload"'):
        w.engine.send_signal(signal.SIGHUP)
    equal(w.get("/info")["RegistryConfig"]["Mirrors"], ["https://other.example.test/"])
    with open(w.base + "/daemon.json", "w") as f:
        f.write("{broken")
    w.engine.send_signal(signal.SIGHUP)
    until(lambda: "the configuration stays as it was" in w.log_tail(), "the log tells of it")
    equal(w.get("/info")["RegistryConfig"]["Mirrors"], ["https://other.example.test/"])
    w.restart()


# ---- lies and accidents ----

def big(n=400000):
    """A layer that does not compress: random, the same each time."""
    import random
    return tar_of({"blob": random.Random(7).randbytes(n)})


def test_resume(w):
    """A download that breaks off twice goes on by Range where it stopped; also where Range is not known."""
    image = plain(BASE, big(), how="tar")
    layer = image.packed[1]
    with Liar(w) as liar:
        liar.add("app", "latest", image)
        for knows in (True, False):
            cuts = [100000, 150000]

            def hook(r):
                if image.descriptors[1]["digest"] not in r.path:
                    return None
                if not knows:
                    if "Range" in r.headers:
                        del r.headers["Range"]
                return r.blob(layer, cuts.pop(0)) if cuts else None
            liar.hooks[:] = [hook]
            liar.log.clear()
            lines = good(pull(w, HOST + "/app"))
            contains(" ".join(statuses(lines)), "Retrying in 1 second")
            ranges = [x[2].get("Range") for x in liar.requests(image.descriptors[1]["digest"])]
            if knows:
                equal(ranges[0], None)
                check(len(ranges) == 3 and ranges[1] == "bytes=100000-" and ranges[2] == "bytes=250000-", ranges)
            equal(w.docker("run", "--rm", HOST + "/app", "sh", "-c", "wc -c </blob"), "400000")
            drop(w, HOST + "/app")


def test_lies(w):
    """Each gives a clear error and leaves nothing; then a good image comes."""
    image, liar = plain(), None
    first, second = [d["digest"] for d in image.descriptors]
    bad = "filesystem layer verification failed for digest "
    long_text = "layers from manifest don't match image configuration"

    def blob(digest, fn):
        return lambda r: digest in r.path and fn(r)

    def endless(r):
        r.reply(200, image.packed[0], length=1 << 40)
        for _ in range(4096):
            r.h.wfile.write(b"x" * 65536)
        return r.cut()
    cases = [
        (blob(second, lambda r: r.reply(200, b"x" * len(image.packed[1]))), bad + second),
        (blob(second, lambda r: r.reply(200, image.packed[1][:-3])), bad + second),
        (blob(second, lambda r: r.reply(200, image.packed[1] + b"more")), bad + second),
        (blob(first, endless), bad + first),
        (blob(second, lambda r: r.error(404, "BLOB_UNKNOWN", "blob unknown to registry")), "blob unknown: blob unknown to registry"),
        (blob(image.id, lambda r: r.reply(200, b"{}")), "image config verification failed for digest " + image.id),
        (blob("/manifests/", lambda r: r.reply(200, b"{", {"Content-Type": registry.DOCKER})), "invalid manifest: invalid JSON"),
        (blob("/manifests/", lambda r: r.reply(200, b"{}")), "unsupported manifest media type"),
        (blob("/manifests/", lambda r: r.reply(200, b" " * (5 << 20))), "the answer is larger than 4194304 bytes"),
        (blob("/manifests/", lambda r: r.reply(302, b"", {"Location": r.path})), "stopped after 10 redirects"),
        (blob("/manifests/", lambda r: r.reply(302, b"", {"Location": "file:///etc/passwd"})), "not supported"),
        (blob("/manifests/", lambda r: r.reply(404, b"<html>")), "error parsing HTTP 404 response body"),
        (blob("/manifests/", lambda r: r.reply(200, b"", {"X-%d" % i: "y" * 8000 for i in range(60)})), "the answer is larger than 262144 bytes"),
        (blob("/manifests/", lambda r: r.cut()), "EOF"),
    ]
    with Liar(w) as liar:
        liar.add("app", "latest", image)
        for i, (hook, text) in enumerate(cases):
            liar.hooks[:] = [hook]
            with unchanged(w):
                got = error_of(pull(w, HOST + "/app"))
                check(got and text in got, "case %d: %r, want %r", i, got, text)
        liar.hooks.clear()
        other = plain(BASE, tar_of({"etc/top": b"other"}))
        liar.add("swapped", "latest", image)
        manifest = dict(image.json, layers=other.descriptors)  # its layers are others than its config says
        liar.blobs.update(other.blobs())
        image.remake(manifest)
        liar.add("swapped", "latest", image)
        with unchanged(w):
            equal(error_of(pull(w, HOST + "/swapped")), long_text)
        good(pull(w, HOST + "/app"))
        drop(w, HOST + "/app")


def test_hostile_layers(w):
    """What is no tar, and what unpacks to too much."""
    with Liar(w) as liar:
        for name, layer, text in (("rubbish", b"this is no tar archive" * 1000, "failed to register layer: "),
                                  ("up", tar_of({"../../up": b"x"}), "failed to register layer: ")):
            liar.add(name, "latest", plain(BASE, layer))
            with unchanged(w):
                contains(error_of(pull(w, "%s/%s" % (HOST, name))), text)
        image = plain(BASE, TOP, os_="windows")
        liar.add("windows", "latest", image)
        with unchanged(w):
            contains(error_of(pull(w, HOST + "/windows")), 'cannot download image with operating system "windows" when requested "linux"')


def test_busy_registry(w):
    """429 and 500 are asked again; a registry that stays so is given up."""
    image = plain()
    with Liar(w) as liar:
        liar.add("app", "latest", image)
        left = {"/manifests/": 1, image.descriptors[0]["digest"]: 2}

        def busy(r):
            for part, n in left.items():
                if part in r.path and n:
                    left[part] -= 1
                    return r.error(429, "TOOMANYREQUESTS", "slow down", {"Retry-After": "1"}) if n == 1 else r.reply(500)
            return None
        liar.hooks.append(busy)
        good(pull(w, HOST + "/app"))
        equal(set(left.values()), {0})
        drop(w, HOST + "/app")
        liar.hooks[:] = [lambda r: "/manifests/" in r.path and r.reply(503)]
        with unchanged(w):
            equal(pull(w, HOST + "/app"), (500, "received unexpected HTTP status: 503 Service Unavailable"))


class Gate:
    """Stands before a registry: from @limit bytes in one direction on nothing passes before open()."""

    def __init__(self, w, target, limit, up=False):
        self.w, self.target, self.limit, self.up = w, target, limit, up
        self.passed, self.requests, self.reached, self.go = 0, b"", threading.Event(), threading.Event()
        self.listener = w._bound("host", "127.0.0.1", 5000)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def open(self):
        self.go.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near):
        try:
            with self.w.at("host"):
                far = socket.create_connection(self.target, 5)
            far.settimeout(None)
        except OSError:
            near.close()  # nobody is there
            return
        back = threading.Thread(target=self._copy, args=(far, near, not self.up), daemon=True)
        back.start()
        self._copy(near, far, self.up)
        back.join()
        near.close()
        far.close()

    def _copy(self, src, dst, counted):
        try:
            while data := src.recv(65536):
                if not counted:
                    self.requests += data[:4096]
                else:
                    self.passed += len(data)
                    if self.passed > self.limit and not self.go.is_set():
                        self.reached.set()
                        self.go.wait(60)
                dst.sendall(data)
        except OSError:
            pass
        for s in (src, dst):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def whole(w):
    """The engine does its daily work."""
    w.docker("network", "create", "whole")
    w.serve("last", "whole", 80, "-p", "8099:80")
    until(lambda: w.http_get("internet", "http://%s:8099/" % HOST_UP) == "last\n", "an answer from the published port")
    equal(w.docker("exec", "last", "wget", "-qO-", "http://last/"), "last")
    out = w.docker("build", "-q", "--no-cache", "-", input="FROM %s\nRUN echo yes >/made\n" % IMAGE, env={"DOCKER_BUILDKIT": "0"})
    equal(w.docker("run", "--rm", out, "cat", "/made"), "yes")
    w.docker("rmi", out)
    w.docker("rm", "-f", "last")
    w.docker("network", "rm", "whole")


@timeout(240)
def test_registry_dies_in_a_pull(w):
    """A real registry, killed in the middle of a layer: once it is back the download goes on where it was; else a clear error."""
    image = plain(BASE, big(32 << 20), how="tar")
    with Gate(w, ("127.0.0.1", 5001), 6 << 20) as gate:
        with Real(w, port=5001) as real:
            registry.push(w, "host", real.name, "app", "latest", image)
            child = subprocess.Popen([w.cli, "pull", HOST + "/app"], env=w.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            check(gate.reached.wait(30), "the pull does not go so far")
        gate.open()
        with Real(w, port=5001):
            out, err = child.communicate(timeout=120)
            equal((child.returncode, err), (0, ""), out)
            check(re.search(rb"(?i)range: bytes=[1-9]", gate.requests), "the download began anew")
            equal(w.docker("run", "--rm", HOST + "/app", "sh", "-c", "wc -c </blob"), str(32 << 20))
            drop(w, HOST + "/app")
    with Gate(w, ("127.0.0.1", 5001), 6 << 20) as gate, unchanged(w):
        with Real(w, port=5001):
            child = subprocess.Popen([w.cli, "pull", HOST + "/app"], env=w.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            check(gate.reached.wait(30), "the pull does not go so far")
        gate.open()
        out, err = child.communicate(timeout=120)
        check(child.returncode == 1 and re.search("EOF|(?i:connection re(fused|set))", err), "%r, %r", out, err)
    whole(w)


@timeout(240)
def test_registry_dies_in_a_push(w):
    """A real registry, killed in the middle of an upload: the push goes on or tells of it, and the next one makes it whole."""
    image = plain(BASE, big(32 << 20), how="tar")
    with Real(w, port=5001) as real:
        registry.push(w, "host", real.name, "app", "latest", image)
        w.docker("pull", real.name + "/app")
    w.docker("tag", "127.0.0.1:5001/app", HOST + "/copy")
    with Gate(w, ("127.0.0.1", 5001), 2 << 20, up=True) as gate:
        with Real(w, port=5001):
            child = subprocess.Popen([w.cli, "push", HOST + "/copy"], env=w.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            check(gate.reached.wait(30), "the push does not go so far")
        gate.open()
        out, err = child.communicate(timeout=120)  # it stays away
        check(child.returncode == 1 and re.search("EOF|(?i:broken pipe)|(?i:connection re(fused|set))", err), "%r, %r", out, err)
        with Real(w, port=5001):
            w.docker("push", HOST + "/copy", timeout=120)
            drop(w, HOST + "/copy", "127.0.0.1:5001/app")
            w.docker("pull", HOST + "/copy")
            equal(w.get("/images/%s/copy/json" % HOST)["Id"], image.id)
            equal(w.docker("run", "--rm", HOST + "/copy", "sh", "-c", "wc -c </blob"), str(32 << 20))
            drop(w, HOST + "/copy")
    whole(w)


def test_client_leaves(w):
    """The pull ends with its client, in the middle of a layer."""
    image, held = plain(), threading.Event()
    with Liar(w) as liar, unchanged(w):
        liar.add("app", "latest", image)

        def slow(r):
            if image.descriptors[0]["digest"] not in r.path:
                return None
            r.reply(200, image.packed[0][:1000], length=len(image.packed[0]))
            held.wait(30)
            return r.cut()
        liar.hooks.append(slow)
        s = w.connect_api()
        s.sendall(b"POST /images/create?fromImage=%s/app&tag=latest HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % HOST.encode())
        got = b""
        while b"Downloading" not in got and b"Waiting" not in got and b"Verifying" not in got:
            part = s.recv(4096)
            check(part, "the stream ended: %r", got)
            got += part
        s.close()
        until(lambda: "context canceled" in w.log_tail(50) or not [c for c in w.processes().values() if "atoll-registry" in c], "the pull ends")
        held.set()


def test_killed_engine(w):
    """kill -9 in the middle of a pull: the next life has nothing of it."""
    image, held, began = plain(), threading.Event(), threading.Event()
    with Liar(w) as liar, unchanged(w):
        liar.add("app", "latest", image)

        def slow(r):
            if image.descriptors[0]["digest"] not in r.path:
                return None
            r.reply(200, image.packed[0][:-100], length=len(image.packed[0]))
            began.set()
            held.wait(30)
            return r.cut()
        liar.hooks.append(slow)
        s = w.connect_api()
        s.sendall(b"POST /images/create?fromImage=%s/app&tag=latest HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % HOST.encode())
        check(began.wait(20), "the layer was not asked for")
        w.kill9()
        s.close()
        held.set()
        w.start()


@timeout(120)
def test_many_tags(w):
    """10,000 tags: the list is read, tag after tag comes, and the client may leave."""
    with Liar(w) as liar:
        liar.add("app", "v0", plain())
        liar.hooks.append(lambda r: r.path.endswith("/tags/list") and r.reply(200, json.dumps({"name": "app", "tags": ["v%d" % i for i in range(10000)]}).encode()))
        liar.hooks.append(lambda r: "/manifests/" in r.path and r.reply(200, plain().manifest, {"Content-Type": registry.DOCKER}))
        s = w.connect_api()
        s.sendall(b"POST /images/create?fromImage=%s/app HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % HOST.encode())
        got = b""
        while got.count(b"Digest: ") < 20:
            part = s.recv(65536)
            check(part, "the stream ended: %r", got[-300:])
            got += part
        s.close()
        until(lambda: not [c for c in w.processes().values() if "atoll-registry" in c], "the pull ends")
        w.api("DELETE", "/images/%s?force=1" % plain().id)
        liar.hooks[0] = lambda r: r.path.endswith("/tags/list") and r.reply(200, json.dumps({"tags": ["v%d" % i for i in range(70000)]}).encode())
        contains(error_of(pull(w, HOST + "/app", tag=None)), "the list of tags is broken or has more than")


def test_confinement(w):
    """What the registry client has while it works: nobody's uid, no capability, no file of the host."""
    image, held, began = plain(), threading.Event(), threading.Event()
    with Liar(w) as liar:
        liar.add("app", "latest", image)

        def slow(r):
            if image.descriptors[0]["digest"] not in r.path:
                return None
            began.set()
            held.wait(30)
            return None
        liar.hooks.append(slow)
        t = threading.Thread(target=lambda: good(pull(w, HOST + "/app")))
        t.start()
        check(began.wait(20), "the layer was not asked for")
        pid = next(p for p, c in w.processes().items() if "atoll-registry" in c)
        with open("/proc/%d/status" % pid) as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        equal(status["Uid"].split(), ["65534"] * 4)
        equal(int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapBnd"], 16), 0)
        equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        root = sorted(os.listdir("/proc/%d/root" % pid))
        check(set(root) <= {"etc", "ca-0.pem", "ca-1.pem"}, root)
        check("passwd" not in os.listdir("/proc/%d/root/etc" % pid), "it sees /etc/passwd")
        held.set()
        t.join()
        drop(w, HOST + "/app")


# ---- questions ----

def test_distribution(w):
    image = plain()
    with Liar(w, auth="basic") as liar:
        liar.add("app", "latest", image)
        auth = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps({"username": liar.user, "password": liar.password}).encode()).decode()}
        r = w.api("GET", "/distribution/%s/app:latest/json" % HOST, headers=auth)
        equal(r.status, 200, r.text)
        equal(r.json["Descriptor"], {"mediaType": registry.DOCKER, "digest": image.digest, "size": len(image.manifest)})
        equal(r.json["Platforms"], [image.platform])
        equal(w.api("GET", "/distribution/%s/app:no/json" % HOST, headers=auth).status, 404)
        equal(w.api("GET", "/distribution/%s/app/json" % HOST).status, 401)


def test_search(w):
    with Liar(w) as liar:
        found = [{"name": "one", "description": "d", "star_count": 5, "is_official": True, "is_automated": False},
                 {"name": "two", "description": "e", "star_count": 1, "is_official": False, "is_automated": False}]
        liar.hooks.append(lambda r: r.path.startswith("/v1/search?q=thing&n=") and r.reply(200, json.dumps({"results": found}).encode()))
        out = w.docker("search", "--filter", "stars=2", HOST + "/thing")
        contains(out, "one")
        check("two" not in out, out)
        equal([x["name"] for x in w.get("/images/search?term=%s/thing&limit=10" % HOST)], ["one", "two"])
        equal(w.api("GET", "/images/search?term=x&limit=101").status, 400)
    r = w.api("GET", "/images/search?term=x")
    equal(r.status, 500)
    contains(r.message, 'Get "https://index.docker.io/v1/search?q=x&n=25": dial tcp: lookup index.docker.io')


if __name__ == "__main__":
    main(globals())
