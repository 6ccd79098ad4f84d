# SPDX-License-Identifier: GPL-2.0-or-later
"""The real clients that tests drive the engine with, and what they need beside it: a registry.

tests/clients/get unpacks them into tests/.cache; what cannot be had says why in get(), and its tests
are skipped with that reason. A client is run in the host's place, as its user would.
"""
import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import threading

import standin
from testbed import TOP, Failed, Skip, check, equal, run, until  # noqa: F401

CACHE = TOP + "/tests/.cache"
DOCKER = {"docker 26.1": CACHE + "/docker-26/usr/bin/docker", "docker 20.10": CACHE + "/docker-20/usr/bin/docker"}
PYTHON = CACHE + "/python/usr/bin/python3.11"
COMPOSE1 = CACHE + "/python/usr/bin/docker-compose"
COMPOSE2 = CACHE + "/docker-26/usr/libexec/docker/cli-plugins/docker-compose"
NODE_PROGRAM = TOP + "/tests/clients/dockerode/run.js"
LACKS = ("unknown command", "unknown flag", "unknown shorthand", "is not a docker command", "No such command")


class Lacks(Exception):
    """This client has no such command."""


def get(name):
    """Has the client @name (of tests/clients/get) at hand, fetched if it must be; outside of any sandbox. Return: None,
    or why it cannot be had."""
    r = subprocess.run([TOP + "/tests/clients/get", name], capture_output=True, text=True, timeout=600)
    return None if r.returncode == 0 else r.stderr.strip() or "tests/clients/get failed"


def newest_docker(w):
    """The path of a docker CLI that knows the guide's -v ./FILE, which is beyond 20.10."""
    version = run(w.cli, "--version").stdout if w.cli else ""
    m = re.search(r"version (\d+)", version)
    return w.cli if m and int(m[1]) >= 23 else DOCKER["docker 26.1"]


def use_newest_docker(w):
    """It is `docker` in this world's PATH from now on."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(w.base + "/bin/docker")
    os.symlink(newest_docker(w), w.base + "/bin/docker")


def inside_python():
    """This program again, in the Python that docker-py 5.0.3 was made for. Return: None where it is that one, or why not."""
    why = get("python")
    if why or os.path.realpath(sys.executable) == os.path.realpath(PYTHON):
        return why
    os.execve(PYTHON, [PYTHON] + sys.argv, dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))


class Client:
    """A command line of docker's words: the docker CLI in some version, a compose, atoll."""

    def __init__(self, w, name, *program, cwd=None, **env):
        self.w, self.name, self.program, self.cwd = w, name, list(program), cwd or w.home
        self.env = dict(w.env, PYTHONDONTWRITEBYTECODE="1", **env)
        self.atoll = name == "atoll"

    def start(self, *args, env=None, **kw):
        """The running client, its streams pipes; in the host's place."""
        kw = dict({"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}, **kw)
        env = {k: v for k, v in dict(self.env, **(env or {})).items() if v is not None}
        with self.w.at("host"):
            return subprocess.Popen(self.program + [str(a) for a in args], cwd=self.cwd, env=env, **kw)

    def try_(self, *args, input=None, timeout=90, env=None, text=True):
        if isinstance(input, bytes):
            text = False
        child = self.start(*args, env=env, text=text, stdin=subprocess.DEVNULL if input is None else subprocess.PIPE)
        try:
            out, err = child.communicate(input, timeout)
        except BaseException as e:
            child.kill()
            child.communicate()
            if isinstance(e, subprocess.TimeoutExpired):
                raise Failed("%s %s: hangs" % (self.name, shlex.join(map(str, args)))) from None
            raise
        return subprocess.CompletedProcess(args, child.returncode, out, err)

    def __call__(self, *args, code=0, **kw):
        """Must end with @code. Return: what it printed, without the last newline."""
        r = self.try_(*args, **kw)
        err = r.stderr if isinstance(r.stderr, str) else r.stderr.decode("utf-8", "replace")
        if r.returncode != code:
            if any(part in err for part in LACKS):
                raise Lacks(err.strip().splitlines()[0])
            raise Failed("%s %s: exit %d: %s%s" % (self.name, shlex.join(map(str, args)), r.returncode, str(r.stdout)[-300:], err[-1500:]))
        return r.stdout.rstrip("\n") if isinstance(r.stdout, str) else r.stdout

    def fails(self, *args, **kw):
        """Must not succeed. Return: what it wrote to stderr."""
        r = self.try_(*args, **kw)
        check(r.returncode != 0, "%s %s succeeded: %s", self.name, shlex.join(map(str, args)), str(r.stdout)[-500:])
        return r.stderr

    @contextlib.contextmanager
    def running(self, *args, **kw):
        """A client that is ended at the block's end, however it stands."""
        child = self.start(*args, **kw)
        try:
            yield child
        finally:
            child.kill()
            child.wait()
            for f in (child.stdin, child.stdout, child.stderr):
                if f:
                    with contextlib.suppress(OSError):
                        f.close()

    def version(self):
        """As in "28.2.2"."""
        r = run(*self.program, "--version") if "compose" not in self.name else run(*self.program, "version", "--short", env=self.env)
        words = [x.strip(",v") for x in (r.stdout + r.stderr).split()]
        return next((x.split("+")[0].split("-")[0] for x in words if x[:1].isdigit()), "?")


def docker(w, name):
    """The docker CLI @name: one of DOCKER, or "docker": the machine's own."""
    return Client(w, name, DOCKER.get(name) or w.cli)


def atoll(w):
    return Client(w, "atoll", w.base + "/bin/atoll")


class Registry:
    """Debian's docker-registry on 127.0.0.1 of the host's place, empty; with @user, none without a password."""

    def __init__(self, w, port=5000, user=None, password=None):
        self.w, self.address, self.auth = w, "127.0.0.1:%d" % port, {}
        folder = "%s/registry-%d" % (w.base, port)
        os.makedirs(folder)
        config = {"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}}, "http": {"addr": self.address},
                  "storage": {"filesystem": {"rootdirectory": folder}, "delete": {"enabled": True}}}
        if user:
            r = run("htpasswd", "-Bbn", "-C", "5", user, password)
            check(r.returncode == 0, "htpasswd: %s", r.stderr)
            with open(folder + "/users", "w") as f:
                f.write(r.stdout)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": folder + "/users"}}
            self.auth = {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}
        with open(folder + "/config.yml", "w") as f:
            json.dump(config, f)  # which is YAML too
        with w.at("host"), open(folder + "/log", "w") as log:
            self.child = subprocess.Popen(["docker-registry", "serve", folder + "/config.yml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self.answers, "the registry answers", 30, 0.1)

    def answers(self):
        check(self.child.poll() is None, "the registry ended")
        with contextlib.suppress(OSError):
            return self.call("GET", "/v2/").status == 200

    def call(self, method, path, body=None, **headers):
        with self.w.at("host"):
            host, port = self.address.split(":")
            c = http.client.HTTPConnection(host, int(port), timeout=30)
            c.connect()
        c.request(method, path, body, dict(self.auth, **headers))
        r = c.getresponse()
        r.text = r.read()
        c.close()
        return r

    def blob(self, repo, data):
        r = self.call("POST", "/v2/%s/blobs/uploads/" % repo)
        equal(r.status, 202, "an upload")
        where = r.getheader("Location").split(self.address, 1)[-1]
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        r = self.call("PUT", where + ("&" if "?" in where else "?") + "digest=" + digest, data, **{"Content-Type": "application/octet-stream"})
        equal(r.status, 201, "a blob")
        return {"size": len(data), "digest": digest}

    def seed(self, repo, tag, ports=(), **extra):
        """Puts a stand-in there without any engine. Return: the manifest's digest."""
        layer = standin.layer()
        diff = "sha256:" + hashlib.sha256(layer).hexdigest()
        config = json.dumps(standin.config(repo + ":" + tag, list(ports), [diff], **extra)).encode()
        kind = "application/vnd.docker."
        manifest = {"schemaVersion": 2, "mediaType": kind + "distribution.manifest.v2+json",
                    "config": dict(self.blob(repo, config), mediaType=kind + "container.image.v1+json"),
                    "layers": [dict(self.blob(repo, layer), mediaType=kind + "image.rootfs.diff.tar")]}
        r = self.call("PUT", "/v2/%s/manifests/%s" % (repo, tag), json.dumps(manifest), **{"Content-Type": manifest["mediaType"]})
        equal(r.status, 201, "a manifest: %s" % r.text)
        return r.getheader("Docker-Content-Digest")

    def tags(self, repo):
        r = self.call("GET", "/v2/%s/tags/list" % repo)
        return json.loads(r.text)["tags"] or [] if r.status == 200 else []


def certificates(folder):
    """A CA, a server's certificate for 127.0.0.1 and a client's, in the files that docker's flags take."""
    os.makedirs(folder, exist_ok=True)

    def openssl(*args):
        r = run("openssl", *args, cwd=folder)
        check(r.returncode == 0, "openssl %s: %s", args[0], r.stderr)
    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=a test's CA", "-keyout", "ca-key.pem", "-out", "ca.pem")
    for name, use in (("server", "serverAuth"), ("", "clientAuth")):
        key, cert = (name + "-key.pem", name + "-cert.pem") if name else ("key.pem", "cert.pem")
        with open(folder + "/ext", "w") as f:
            f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=%s\n" % use)
        openssl(*new, "-subj", "/CN=" + (name or "client"), "-keyout", key, "-out", "request.pem")
        openssl("x509", "-req", "-days", "2", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial",
                "-extfile", "ext", "-out", cert)
    return folder


def images(w):
    """{id: its names}, as remove_images takes it."""
    return {i["Id"]: set((i["RepoTags"] or []) + (i["RepoDigests"] or [])) for i in w.get("/images/json?all=1")}


def remove_images(w, keep):
    """Removes every image and name that is not in @keep; no container may need them."""
    for image, names in images(w).items():
        for name in names - keep[image] if image in keep else [image]:
            w.api("DELETE", "/images/%s?force=1" % name)


def wait_line(child, part, seconds=30):
    """Reads what a running client prints until a line has @part. Return: that line."""
    seen, guard = [], threading.Timer(seconds, child.kill)
    guard.start()
    try:
        while line := child.stdout.readline():
            seen.append(line)
            if part in line:
                return line
    finally:
        guard.cancel()
    raise Failed("no line with %r, but %r" % (part, "".join(seen)[-800:]))
