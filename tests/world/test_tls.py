#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The API over TCP with TLS: who gets in and who does not, and that every stream works over it.

The clients sit in `lan`, another machine; the engine listens on the host's address there.
"""
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import certs  # noqa: E402
from testbed import *  # noqa: E402,F403

PORT, OPEN_PORT, PLAIN = 2376, 2377, 2375
NAME = "engine.test"
URL = "tcp://%s:%d" % (HOST_LAN, PORT)


def setup(w):
    """The certificates, and an engine that listens with them."""
    w.ca = certs.Authority(w.base + "/pki")
    w.other = certs.Authority(w.base + "/pki2", "another ca")
    w.ca.sign("server", "serverAuth", "DNS:%s,IP:%s,IP:127.0.0.1" % (NAME, HOST_LAN))
    w.ca.sign("client", "clientAuth")
    w.ca.sign("expired", "clientAuth", days=-1)
    w.ca.sign("wrong-use", "serverAuth")
    w.other.sign("stranger", "clientAuth")
    w.good = w.ca.folder_for("client", w.base + "/good")
    w.flags += ["--tlsverify", "--tlscacert", w.ca.path("ca"), "--tlscert", w.ca.path("server"), "--tlskey", w.ca.path("server-key"),
                "-H", URL, "-H", "tcp://127.0.0.1:%d" % PORT]
    w.restart()


def client(w, *args, place="lan", url=URL, folder=None, program=None, env=None, **kw):
    """The docker CLI, or another program, on the other machine."""
    more = {"DOCKER_HOST": url, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": folder or w.good, **(env or {})}
    clean = {k: v for k, v in {**w.env, **more}.items() if v != ""}  # to docker 20.10 an empty one is one
    text = kw.pop("text", True)
    with w.at(place):
        return subprocess.run([program or w.cli, *args], env=clean, capture_output=True, text=text, timeout=60, cwd=w.home,
                              stdin=subprocess.DEVNULL if kw.get("input") is None else None, **kw)


def good(r):
    check(r.returncode == 0, "exit %d: %r %r", r.returncode, r.stdout[-300:], r.stderr[-600:])
    return r.stdout


def refused(r, pattern):
    check(r.returncode != 0, "it was let in: %r", r.stdout)
    matches(r.stdout + r.stderr, pattern)


def context(w, cert="client", ca=None, low=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.load_verify_locations(ca or w.ca.path("ca"))
    if cert:
        c.load_cert_chain(w.ca.path(cert), w.ca.path(cert + "-key"))
    if low:
        c.minimum_version = low
        c.maximum_version = low
    return c


def connect(w, place="lan", port=PORT, address=HOST_LAN):
    with w.at(place):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(30)
    s.connect((address, port))
    return s


def tls(w, c=None):
    return (c or context(w)).wrap_socket(connect(w), server_hostname=HOST_LAN)


def everything(s):
    parts = []
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        while part := s.recv(65536):
            parts.append(part)
    return b"".join(parts)


# ---- what works ----

def test_commands(w):
    contains(good(client(w, "version", "--format", "{{.Server.Version}}")), ".")
    equal(good(client(w, "run", "--rm", IMAGE, "echo", "over tls")), "over tls\n")
    r = client(w, "run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7")
    equal((r.returncode, r.stdout, r.stderr), (7, "out\n", "err\n"))
    r = client(w, "--tlsverify", "--tlscacert", w.ca.path("ca"), "--tlscert", w.ca.path("client"), "--tlskey", w.ca.path("client-key"),
               "-H", URL, "ps", env={"DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": "", "DOCKER_HOST": ""})
    contains(good(r), "CONTAINER ID")


@timeout(120)
def test_input_ends(w):
    """Half-closes: the end of input arrives, and the output after it."""
    data = os.urandom(3 << 20)
    want = good(subprocess.run(["md5sum"], input=data, capture_output=True)).split()[0].decode()
    r = client(w, "run", "--rm", "-i", IMAGE, "sh", "-c", "md5sum; echo after", input=data, text=False)
    equal(good(r).decode().split(), [want, "-", "after"])
    w.docker("run", "-d", "--name", "box", IMAGE, "sleep", "600")
    r = client(w, "exec", "-i", "box", "md5sum", input=data, text=False)
    equal(good(r).decode().split()[0], want)
    r = client(w, "exec", "box", "sh", "-c", "dd if=/dev/zero bs=65536 count=100 2>/dev/null | tr '\\0' x")
    equal(len(good(r)), 6553600)


@timeout(120)
def test_streams(w):
    w.docker("run", "-d", "--name", "talk", IMAGE, "sh", "-c", "for i in 1 2 3 4 5 6; do echo line$i; sleep 0.3; done")
    equal(good(client(w, "logs", "-f", "talk")).split(), ["line%d" % i for i in range(1, 7)])
    with w.at("lan"):
        p = subprocess.Popen([w.cli, "events", "--format", "{{.Action}}"], env={**w.env, "DOCKER_HOST": URL, "DOCKER_TLS_VERIFY": "1",
                                                                               "DOCKER_CERT_PATH": w.good},
                             stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: w.docker("run", "--rm", IMAGE, "true") == "" and select.select([p.stdout], [], [], 0)[0], "an event", 30)
        matches(p.stdout.readline(), r"create|\w+")
    finally:
        p.kill()
        p.wait()
        p.stdout.close()


def test_atoll(w):
    """Our own client, with flags, environment and an attached session."""
    program = w.base + "/bin/atoll"
    equal(good(client(w, "run", "--rm", IMAGE, "echo", "hello", program=program)), "hello\n")
    w.docker("run", "-d", "--name", "box", IMAGE, "sleep", "600")
    data = "x" * 1000000
    r = client(w, "exec", "-i", "box", "wc", "-c", program=program, input=data)
    equal(good(r).strip(), "1000000")
    refused(client(w, "ps", program=program, folder=w.other.folder_for("stranger", w.base + "/bad-atoll", ca=w.ca.path("ca"))),
            r"refused|certificate|no TLS|ended")
    refused(client(w, "ps", program=program, url="tcp://127.0.0.1:%d" % PLAIN, place="host"), "Cannot connect")
    refused(client(w, "ps", program=program, env={"DOCKER_TLS_VERIFY": ""}), "Client sent an HTTP request to an HTTPS server")


# ---- contexts, shared by both programs ----

def test_contexts(w):
    program, env = w.base + "/bin/atoll", {"DOCKER_HOST": "", "DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": ""}
    endpoint = "host=%s,ca=%s,cert=%s,key=%s" % (URL, *("%s/%s.pem" % (w.good, n) for n in ("ca", "cert", "key")))

    def call(*args, **kw):
        return client(w, *args, url="", env=env, **kw)

    equal(good(call("context", "create", "far", "--description", "of docker", "--docker", endpoint)), "far\n")
    rows = [line.split() for line in good(call("context", "ls", program=program)).splitlines()]
    contains(rows, ["far", "of", "docker", URL])
    equal(good(call("--context", "far", "run", "--rm", IMAGE, "echo", "1", program=program)), "1\n")
    equal(good(call("context", "use", "far", program=program)), "far\n")
    equal(good(call("run", "--rm", IMAGE, "echo", "2")), "2\n")
    equal(good(call("context", "show", program=program)), "far\n")
    # the other way round
    equal(good(call("context", "create", "ours", "--description", "of atoll", "--docker", endpoint, program=program)), "ours\n")
    refused(call("context", "create", "ours", "--docker", endpoint, program=program), 'context "ours" already exists')
    equal(good(call("--context", "ours", "run", "--rm", IMAGE, "echo", "3")), "3\n")
    contains(good(call("context", "ls")), "of atoll")
    mine, theirs = (json.loads(good(call("context", "inspect", "ours", program=p)))[0] for p in (program, None))
    equal({k: mine[k] for k in ("Name", "Endpoints", "TLSMaterial", "Storage")},
          {k: theirs[k] for k in ("Name", "Endpoints", "TLSMaterial", "Storage")})
    equal(os.stat(mine["Storage"]["TLSPath"] + "/docker/key.pem").st_mode & 0o777, 0o600)
    refused(call("context", "rm", "far", program=program), "in use")
    equal(good(call("context", "rm", "-f", "far", program=program)), "far\n")
    refused(call("context", "use", "far", program=program), 'context "far": context not found')
    equal(good(call("context", "ls", "-q")), "default\nours\n")
    equal(good(call("context", "rm", "ours")), "ours\n")
    equal(good(call("context", "ls", "-q", program=program)), "default\n")
    refused(call("-H", URL, "--context", "x", "ps", program=program), "conflicting options")


# ---- who is not let in ----

def test_strangers(w):
    """Each beside the same call with the right certificate, which works."""
    good(client(w, "ps"))
    says = r"(?i)bad certificate|certificate required|unknown (certificate )?authority|certificate (has )?expired|unsupported certificate|handshake|reset by peer"
    for name, authority in (("stranger", w.other), ("expired", w.ca), ("wrong-use", w.ca)):
        folder = authority.folder_for(name, w.base + "/bad-" + name, ca=w.ca.path("ca"))
        refused(client(w, "ps", folder=folder), says)
        contains(w.log_tail(200), "TLS handshake failed")
    none = w.base + "/none"
    os.makedirs(none, exist_ok=True)
    with open(none + "/ca.pem", "w") as f, open(w.ca.path("ca")) as g:
        f.write(g.read())
    refused(client(w, "--tlscacert", none + "/ca.pem", "ps", folder=none), says)
    good(client(w, "ps"))


def test_clients_check_the_server(w):
    for program in (None, w.base + "/bin/atoll"):
        folder = w.ca.folder_for("client", w.base + "/wrong-ca", ca=w.other.path("ca"))
        refused(client(w, "ps", folder=folder, program=program), r"(?i)unknown authority|not trusted|isn't trusted|verify")
        with open("/etc/hosts", "a") as f:
            f.write("%s other.test %s\n" % (HOST_LAN, NAME))
        refused(client(w, "ps", url="tcp://other.test:%d" % PORT, program=program), r"is valid for engine.test|name in the certificate does not match")
        good(client(w, "ps", url="tcp://%s:%d" % (NAME, PORT), program=program))


def test_plain_to_tls_and_back(w):
    s = connect(w)
    s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
    data = everything(s)
    check(data.startswith(b"HTTP/1.0 400 Bad Request\r\n"), "%r", data)
    contains(data, b"Client sent an HTTP request to an HTTPS server.")
    r = client(w, "ps", env={"DOCKER_TLS_VERIFY": ""})
    refused(r, "HTTP request to an HTTPS server")
    s.close()


def test_old_protocols(w):
    for version, allowed in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
        c = context(w)
        try:
            c.set_ciphers("DEFAULT:@SECLEVEL=0")
            c.minimum_version = c.maximum_version = version
            with tls(w, c) as s:
                s.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                got = everything(s)
        except (ssl.SSLError, OSError) as e:
            check(not allowed, "%s: %s", version, e)
            continue
        check(allowed and got.endswith(b"OK"), "%s: %r", version, got)


# ---- hostile and slow ones ----

@timeout(120)
def test_handshakes_are_bounded(w):
    """Hundreds that connect and say nothing, or half a hello, keep nobody out and do not stay."""
    silent = [connect(w) for _ in range(300)]
    for s in silent[::2]:
        s.sendall(b"\x16\x03\x01\x02\x00\x01")
    began = time.monotonic()
    good(client(w, "ps"))
    check(time.monotonic() - began < 30, "a good client waited %.1f s", time.monotonic() - began)
    open_fds = len(os.listdir("/proc/%d/fd" % w.engine.pid))
    check(open_fds < 250, "%d descriptors are open", open_fds)
    for s in silent:
        s.settimeout(60)
        equal(everything(s)[:1] in (b"", b"\x15"), True, "how it ended")  # nothing, or an alert
        s.close()
    w.idles()


def test_garbage(w):
    for data in (b"\x16" + os.urandom(2000), b"\x16\x03\x01\xff\xff" + b"\0" * 70000, b"\x80" * 100, os.urandom(500), b"\0"):
        s = connect(w)
        with contextlib.suppress(OSError):
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        everything(s)
        s.close()
    with tls(w) as s:  # the connection cut in the middle of a request
        s.sendall(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        s.shutdown(socket.SHUT_RDWR)
    s = tls(w)  # renegotiation, key updates and half a record are the library's
    s.unwrap()
    good(client(w, "ps"))
    w.idles()


@timeout(120)
def test_half_close_and_slow_reader(w):
    """close_notify half-closes; who does not read stops its source and nobody else."""
    w.docker("run", "-d", "--name", "flood", IMAGE, "sh", "-c", "yes | head -c 6000000")
    w.docker("wait", "flood")
    slow = tls(w)
    slow.sendall(b"GET /containers/flood/logs?stdout=1 HTTP/1.0\r\n\r\n")
    began = time.monotonic()
    good(client(w, "ps"))
    check(time.monotonic() - began < 20, "another client waits")
    w.idles()
    equal(len(everything(slow)) > 30000000, True, "all of it comes")
    slow.close()


def test_request_of_one_who_leaves(w):
    """All in one go, and the connection is closed over it: carried out, as by Docker."""
    s = tls(w)
    s.sendall(b"POST /volumes/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"Name\":\"left\"}")
    s.close()
    until(lambda: w.api("GET", "/volumes/left").status == 200, "the volume")


def test_many_clients(w):
    def one(i):
        with tls(w) as s:
            s.sendall(b"GET /containers/json HTTP/1.0\r\n\r\n")
            results[i] = everything(s)
    results = [None] * 200
    threads = [threading.Thread(target=one, args=(i,)) for i in range(200)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal([i for i, r in enumerate(results) if not r or b" 200 OK" not in r], [])
    w.idles()


# ---- configuration ----

def start_fails(w, *flags, says):
    flags_before, w.flags = w.flags, []
    equal(w.stop(), 0)
    try:
        w.start(*flags)
        raise AssertionError("it started")
    except Failed as e:
        contains(str(e), says)
    finally:
        w.flags = flags_before
        os.chmod(w.ca.path("server-key"), 0o600)
        w.start()


def test_refusals(w):
    pair = ["--tlscert", w.ca.path("server"), "--tlskey", w.ca.path("server-key")]
    verify = ["--tlsverify", "--tlscacert", w.ca.path("ca")]
    start_fails(w, "-H", "tcp://0.0.0.0:2375", says="start with --tlsverify")
    start_fails(w, "-H", "tcp://0.0.0.0:2376", "--tls", *pair, says="start with --tlsverify")
    start_fails(w, "-H", "tcp://[::]:2376", says="start with --tlsverify")
    start_fails(w, *verify, says="TLS needs a certificate")
    start_fails(w, *verify, "--tlscert", "/nowhere", "--tlskey", w.ca.path("server-key"), says="could not read the TLS certificate /nowhere")
    start_fails(w, *verify, "--tlscert", w.ca.path("server"), "--tlskey", w.ca.path("client-key"), says="could not load the X509 key pair")
    start_fails(w, "--tlsverify", "--tlscacert", w.ca.path("server-key"), *pair, says="no CA certificate could be read")
    os.chmod(w.ca.path("server-key"), 0o644)
    start_fails(w, *verify, *pair, says="may be read or changed by others (mode 0644)")


def test_from_the_file(w):
    """daemon.json's keys; plain TCP on loopback and IPv6 beside it."""
    path = w.base + "/daemon.json"
    with open(path, "w") as f:
        json.dump({"tlsverify": True, "tlscacert": w.ca.path("ca"), "tlscert": w.ca.path("server"), "tlskey": w.ca.path("server-key")}, f)
    before, w.flags = w.flags, ["--config-file", path, "-H", URL, "-H", "tcp://[::1]", "-H", "tcp://127.0.0.1:%d" % OPEN_PORT]
    try:
        w.restart()
        good(client(w, "ps"))
        refused(client(w, "ps", env={"DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": ""}), "HTTPS server")
        good(client(w, "--tlscacert", w.ca.path("ca"), "ps", url="tcp://127.0.0.1:%d" % OPEN_PORT, place="host"))
        check(w.tcp_reach("host", "::1", 2376), "the port of TLS by default, IPv6")
    finally:
        w.flags = before
        w.restart()


def test_said_openly(w):
    """--tls=false: plain TCP where it is asked for with these words."""
    before, w.flags = w.flags, ["-H", "tcp://%s:%d" % (HOST_LAN, PLAIN), "--tls=false"]
    try:
        w.restart()
        good(client(w, "ps", url="tcp://%s:%d" % (HOST_LAN, PLAIN), env={"DOCKER_TLS_VERIFY": ""}))
        contains(w.log_tail(60), "clients need no certificate")
        for program, says in ((None, "server gave HTTP response to HTTPS client"), (w.base + "/bin/atoll", "does not speak TLS")):
            for _ in range(10):  # each hello has other bytes
                refused(client(w, "ps", url="tcp://%s:%d" % (HOST_LAN, PLAIN), program=program), says)
    finally:
        w.flags = before
        w.restart()


def test_dial_stdio(w):
    """What docker -H ssh:// runs over there, by a stand-in for ssh that runs it here."""
    ssh = w.base + "/bin/ssh"
    with open(ssh, "w") as f:
        f.write("#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\n"
                "[ \"$1\" = docker ] && shift && set -- %s/bin/atoll \"$@\"\nDOCKER_HOST=unix://%s exec \"$@\"\n" % (w.base, w.socket))
    os.chmod(ssh, 0o755)
    try:
        env = {"DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": ""}
        for program in (w.cli, w.base + "/bin/atoll"):
            equal(good(client(w, "run", "--rm", IMAGE, "echo", "by ssh", url="ssh://me@far.test", program=program, env=env)), "by ssh\n")
            r = client(w, "run", "--rm", "-i", IMAGE, "wc", "-c", url="ssh://me@far.test", program=program, env=env, input="x" * 500000)
            equal(good(r).strip(), "500000")
    finally:
        os.unlink(ssh)
    until(lambda: not [c for c in w.processes().values() if "dial-stdio" in c], "nothing is left running")


main(globals(), setup)
