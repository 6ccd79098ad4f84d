# SPDX-License-Identifier: GPL-2.0-or-later
"""Registries for tests: Debian's docker-registry, and one in Python that tells lies when it is asked to.

Both listen on sockets of a place of the world. Real(...) is a process, to be stopped at the test's end;
Liar(...) is threads. Image makes the blobs and manifests of an image.
"""
import base64
import contextlib
import gzip
import hashlib
import http.server
import io
import json
import os
import re
import socket
import ssl
import subprocess
import tarfile
import threading
import time

import standin

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files):
    """One layer: {name: content}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            standin.add(tar, name, data)
    return out.getvalue()


def packed(data, how):
    if how == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-1qc"], input=data, capture_output=True, check=True).stdout
    return data


class Image:
    """Blobs and the manifest of an image of these layers (tars)."""

    def __init__(self, layers, how="gzip", oci=False, arch=None, variant=None, os_="linux", cmd=None):
        kinds = {"gzip": "gzip", "zstd": "zstd", "tar": None}
        config = standin.config("x", [], [sha(x) for x in layers], cmd or ["sh"])
        config["os"] = os_
        if arch:
            config["architecture"] = arch
        if variant:
            config["variant"] = variant
        self.config = json.dumps(config).encode()
        self.id = sha(self.config)
        self.packed = [packed(x, how) for x in layers]
        self.platform = {"architecture": config["architecture"], "os": os_}
        if variant:
            self.platform["variant"] = variant
        if oci or how == "zstd":
            self.type, layer_type = OCI, "application/vnd.oci.image.layer.v1.tar"
            layer_type += "+" + kinds[how] if kinds[how] else ""
            config_type = "application/vnd.oci.image.config.v1+json"
        else:
            self.type, config_type = DOCKER, "application/vnd.docker.container.image.v1+json"
            layer_type = "application/vnd.docker.image.rootfs.diff.tar" + (".gzip" if kinds[how] else "")
        self.descriptors = [{"mediaType": layer_type, "size": len(b), "digest": sha(b)} for b in self.packed]
        self.remake({"schemaVersion": 2, "mediaType": self.type, "config": {
            "mediaType": config_type, "size": len(self.config), "digest": self.id}, "layers": self.descriptors})

    def remake(self, manifest):
        self.json = manifest
        self.manifest = json.dumps(manifest).encode()
        self.digest = sha(self.manifest)

    def blobs(self):
        return {sha(b): b for b in [self.config, *self.packed]}


def index_of(images, oci=False):
    """A manifest list of images; (type, bytes)."""
    kind = OCI_INDEX if oci else DOCKER_LIST
    return kind, json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [
        {"mediaType": i.type, "size": len(i.manifest), "digest": i.digest, "platform": i.platform} for i in images]}).encode()


# ---- the one that lies ----

class Liar:
    """A registry (v2, pull only) whose answers can be bent: hooks are functions of the request (a Request) that
    return True once they have answered it."""

    def __init__(self, w, place="host", address="127.0.0.1", port=5000, tls=None, auth=None):
        self.w, self.address, self.port, self.auth = w, address, port, auth  # None, "basic", "token"
        self.user, self.password, self.refresh = "who", "secret-word", "refresh-me"
        self.blobs, self.manifests, self.hooks, self.log, self.lock = {}, {}, [], [], threading.Lock()
        self.realm = None  # of the token server, ours unless set
        self.closing = False
        sock = w._bound(place, address, port)
        sock.listen(64)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls[0], tls[1])
            if len(tls) > 2:
                context.load_verify_locations(tls[2])
                context.verify_mode = ssl.CERT_REQUIRED
            self.scheme, self.context = "https", context
        else:
            self.scheme, self.context = "http", None
        self.sock = sock
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    @property
    def name(self):
        return "%s:%d" % (self.address, self.port)

    def add(self, repo, tag, image):
        """An Image, or a list (type, bytes) with its images added before."""
        if isinstance(image, Image):
            self.blobs.update(image.blobs())
            kind, data = image.type, image.manifest
        else:
            kind, data = image
        for ref in (tag, sha(data)):
            if ref:
                self.manifests[repo, ref] = (kind, data)
        return sha(data)

    def requests(self, part):
        """(method, path, headers) of the requests whose path has @part in it."""
        with self.lock:
            return [x for x in self.log if part in x[1]]

    def _serve(self):
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def any(self):
                with contextlib.suppress(OSError, ValueError):
                    liar._answer(Request(self, liar))
            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = any

        def one(conn, peer):
            with contextlib.suppress(OSError, ValueError):
                if self.context:
                    conn = self.context.wrap_socket(conn, server_side=True)
                Handler(conn, peer, None)
            with contextlib.suppress(OSError):
                conn.close()

        while not self.closing:
            try:
                conn, peer = self.sock.accept()
            except OSError:
                return
            conn.settimeout(60)
            threading.Thread(target=one, args=(conn, peer), daemon=True).start()

    def _answer(self, r):
        with self.lock:
            self.log.append((r.method, r.path, dict(r.headers)))
        for hook in list(self.hooks):
            if hook(r):
                return
        if r.path.startswith("/token"):
            self._token(r)
        elif not self._known(r):
            self._challenge(r)
        elif r.path == "/v2/":
            r.reply(200, b"{}", {"Content-Type": "application/json"})
        elif m := re.match(r"/v2/(.+)/tags/list", r.path):
            tags = sorted(t for repo, t in self.manifests if repo == m[1] and ":" not in t)
            r.reply(200, json.dumps({"name": m[1], "tags": tags}).encode())
        elif m := re.match(r"/v2/(.+)/manifests/(.+)$", r.path):
            self._manifest(r, m[1], m[2])
        elif m := re.match(r"/v2/(.+)/blobs/(.+)$", r.path):
            if m[2] in self.blobs:
                r.blob(self.blobs[m[2]])
            else:
                r.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        else:
            r.error(404, "UNSUPPORTED", "no such place")

    def _manifest(self, r, repo, ref):
        if (repo, ref) in self.manifests:
            kind, data = self.manifests[repo, ref]
            r.reply(200, data, {"Content-Type": kind, "Docker-Content-Digest": sha(data)})
        elif not any(name == repo for name, _ in self.manifests):
            r.error(404, "NAME_UNKNOWN", "repository name not known to registry")
        else:
            r.error(404, "MANIFEST_UNKNOWN", "manifest unknown")

    # ---- who is it ----

    def _basic(self, r):
        want = "Basic " + base64.b64encode(("%s:%s" % (self.user, self.password)).encode()).decode()
        return r.headers.get("Authorization") == want

    def _known(self, r):
        if self.auth == "basic":
            return self._basic(r)
        return self.auth != "token" or r.headers.get("Authorization") == "Bearer good-token"

    def _challenge(self, r):
        if self.auth == "basic":
            how = 'Basic realm="here"'
        else:
            how = 'Bearer realm="%s",service="this, and that",scope="repository:x:pull"' % (
                self.realm or "%s://%s/token" % (self.scheme, self.name))
        r.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": how})

    def _token(self, r):
        body = r.body()
        if r.method == "POST":
            good = b"refresh_token=" + self.refresh.encode() in body and b"grant_type=refresh_token" in body
            key = "access_token"
        else:
            good, key = self._basic(r), "token"
        if good:
            r.reply(200, json.dumps({key: "good-token", "expires_in": 300}).encode())
        else:
            r.reply(401, b'{"details":"incorrect username or password"}')


class Request:
    def __init__(self, handler, liar):
        self.h, self.liar = handler, liar
        self.method, self.path, self.headers = handler.command, handler.path, handler.headers

    def body(self):
        return self.h.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status, data=b"", headers=None, length=None):
        self.h.send_response(status)
        for k, v in (headers or {}).items():
            self.h.send_header(k, v)
        self.h.send_header("Content-Length", str(len(data) if length is None else length))
        self.h.end_headers()
        if self.method != "HEAD":
            self.h.wfile.write(data)
        return True

    def error(self, status, code, message, headers=None):
        return self.reply(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), headers)

    def range_from(self):
        m = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(m[1]) if m else 0

    def blob(self, data, until=None):
        """With Range; @until: the connection is cut there."""
        start = self.range_from()
        headers = {"Content-Type": "application/octet-stream"}
        if start:
            headers["Content-Range"] = "bytes %d-%d/%d" % (start, len(data) - 1, len(data))
        part = data[start:]
        self.reply(206 if start else 200, part if until is None else part[:until], headers, len(part))
        if until is not None:
            self.cut()
        return True

    def cut(self):
        self.h.close_connection = True
        with contextlib.suppress(OSError):
            self.h.wfile.flush()
            self.h.connection.shutdown(socket.SHUT_RDWR)
        return True


# ---- Debian's ----

class Real:
    """docker-registry on an address of a place. @tls: (cert, key); @htpasswd: a file; @proxy: of which it is a mirror;
    @storage: a folder that outlives it, which @readonly keeps as it is."""

    def __init__(self, w, place="host", address="127.0.0.1", port=5000, tls=None, htpasswd=None, proxy=None, storage=None,
                 readonly=False):
        self.w, self.name = w, "%s:%d" % (address, port)
        root = "%s/registry-%d" % (w.base, port)
        storage = storage or root + "/data"
        os.makedirs(storage, exist_ok=True)
        os.makedirs(root, exist_ok=True)
        lines = ["version: 0.1", "log: {level: error}", "storage:", "  filesystem: {rootdirectory: %s}" % storage,
                 "  delete: {enabled: true}", "  maintenance: {readonly: {enabled: %s}}" % str(readonly).lower(), "http:", "  addr: %s" % self.name, "  secret: x"]
        if tls:
            lines += ["  tls: {certificate: %s, key: %s}" % (tls[0], tls[1])]
        if htpasswd:
            lines += ["auth:", "  htpasswd: {realm: here, path: %s}" % htpasswd]
        if proxy:
            lines += ["proxy:", "  remoteurl: %s" % proxy]
        with open(root + "/config.yml", "w") as f:
            f.write("\n".join(lines) + "\n")
        self.log = open(root + "/log", "ab")
        with w.at(place):
            self.process = subprocess.Popen(["docker-registry", "serve", root + "/config.yml"], stdin=subprocess.DEVNULL,
                                            stdout=self.log, stderr=self.log, cwd=root,
                                            env={"PATH": w.env["PATH"], "HOME": root, "OTEL_TRACES_EXPORTER": "none"})
        end = time.monotonic() + 30
        while not w.tcp_reach(place, address, port):
            if self.process.poll() is not None or time.monotonic() > end:
                with open(root + "/log", errors="replace") as f:
                    raise RuntimeError("docker-registry does not start: " + f.read()[-1000:])
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


def push(w, place, name, repo, tag, image, scheme="http", headers=None):
    """An Image (or a manifest list, its images pushed before) into a registry, by its API."""
    import http.client
    address, _, port = name.rpartition(":")

    def call(method, path, body=None, more=None):
        with w.at(place):
            sock = socket.create_connection((address, int(port)), 20)
        conn = http.client.HTTPConnection(address, int(port), timeout=20)
        if scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock)
        conn.sock = sock
        try:
            conn.request(method, path, body=body, headers=dict(headers or {}, **(more or {})))
            r = conn.getresponse()
            data = r.read()
            if r.status >= 300:
                raise RuntimeError("%s %s: %d %s" % (method, path, r.status, data[:300]))
            return r.headers
        finally:
            conn.close()

    if isinstance(image, Image):
        for digest, data in image.blobs().items():
            place_ = call("POST", "/v2/%s/blobs/uploads/" % repo)["Location"]
            path = re.sub(r"^https?://[^/]+", "", place_)
            call("PUT", path + ("&" if "?" in path else "?") + "digest=" + digest, data,
                 {"Content-Type": "application/octet-stream"})
        kind, data = image.type, image.manifest
    else:
        kind, data = image
    call("PUT", "/v2/%s/manifests/%s" % (repo, tag or sha(data)), data, {"Content-Type": kind})
    return sha(data)
