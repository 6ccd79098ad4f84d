# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of real protocols, said from any place of a world, and real clients run there."""
import contextlib
import http.client
import socket
import ssl
import struct
import subprocess
from urllib.parse import urlsplit

from testbed import HOST_LAN, HOST_UP, Failed, Response, check, run, until

NEAR = {"host": "127.0.0.1", "lan": HOST_LAN, "internet": HOST_UP}  # the host as a place sees it
ANYONE = "*"  # a CA: certificates of whomever
SOON = 0.5  # for what must not come


# ---- HTTP ----

def connected(w, place, address, port, wait=20):
    """A TCP connection; raises OSError if none comes about."""
    with w.at(place):
        s = socket.socket()
    s.settimeout(wait)
    try:
        s.connect((address, port))
    except BaseException:
        s.close()
        raise
    return s


def tls(ca):
    """@ca: a file, or a certificate's text."""
    if ca == ANYONE:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    return ssl.create_default_context(cadata=ca) if ca.startswith("-----") else ssl.create_default_context(cafile=ca)


def fetch(w, place, url, ca=None, method="GET", wait=20, **headers):
    """A Response; raises OSError if none comes. A name in @url is the host, which each place sees at another address; over
    https the certificate must be for that name, and of @ca."""
    u = urlsplit(url)
    port = u.port or {"http": 80, "https": 443}[u.scheme]
    c = http.client.HTTPConnection(u.hostname, port)
    with contextlib.closing(c):
        c.sock = connected(w, place, u.hostname if u.hostname[0].isdigit() else NEAR[place], port, wait)
        if u.scheme == "https":
            c.sock = tls(ca).wrap_socket(c.sock, server_hostname=u.hostname)
        c.request(method, (u.path or "/") + ("?" + u.query if u.query else ""), headers={k.replace("_", "-"): v for k, v in headers.items()})
        r = c.getresponse()
        return Response(r.status, r.headers, r.read())


def status(*args, **kw):
    """The status of fetch(), None without an answer."""
    try:
        return fetch(*args, **kw).status
    except (OSError, http.client.HTTPException):
        return None


# ---- does a server of that kind answer there? ----

def postgres_answers(w, place, address, port=5432, wait=SOON):
    """Asked as each of its clients asks first: may we speak TLS?"""
    return _said(w, place, address, port, struct.pack("!II", 8, 80877103), wait) in (b"S", b"N")


def redis_answers(w, place, address, port=6379, wait=SOON):
    return _said(w, place, address, port, b"PING\r\n", wait) == b"+PONG\r\n"


def mysql_answers(w, place, address, port=3306, wait=SOON):
    """It speaks first: a packet whose fifth byte is the protocol's version."""
    return (_said(w, place, address, port, b"", wait) or b"")[4:5] == b"\x0a"


def _said(w, place, address, port, words, wait):
    with contextlib.suppress(OSError), connected(w, place, address, port, wait) as s:
        s.sendall(words)
        return s.recv(64)


def open_ports(w, place, ports=range(1, 10241)):
    """Those of the host's TCP ports that answer to @place."""
    out = []
    with w.at(place):
        for port in ports:
            with socket.socket() as s:
                s.settimeout(5)
                with contextlib.suppress(ConnectionRefusedError):
                    s.connect((NEAR[place], port))
                    out.append(port)
    return out


def listens(w, container, port, seconds=60):
    """Waits until a container's service is ready at its port, also one that is just being restarted."""
    def there():
        with contextlib.suppress(Failed, OSError):
            return w.tcp_reach("c:" + container, "127.0.0.1", port)
    until(there, "%s listens on %d" % (container, port), seconds, 0.05)
    if port == 5432:  # PostgreSQL listens before it is ready
        until(lambda: w.exec(container, "pg_isready", "-q", "-h", "127.0.0.1").returncode == 0, container + " is ready", seconds, 0.1)


# ---- real clients ----

def program(w, container, place, *args, **env):
    """What a program of a container's image prints when it is run in another place, as if it were installed there."""
    root = "/proc/%d/root" % w.inspect(container)["State"]["Pid"]
    words = ["%s=%s" % item for item in env.items()]
    with w.at(place):
        r = run("chroot", root, "env", "PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin", *words, *args, stdin=subprocess.DEVNULL)
    check(r.returncode == 0, "%s from %s: %s%s", args[0], place, r.stdout, r.stderr)
    return r.stdout.strip()


def psql(w, container, place, password, query, port=5432):
    return program(w, container, place, "psql", "-h", NEAR[place], "-p", str(port), "-U", "postgres", "-Atc", query,
                   PGPASSWORD=password, PGCONNECT_TIMEOUT="10")


def redis(w, container, place, *words, port=6379):
    return program(w, container, place, "redis-cli", "-h", NEAR[place], "-p", str(port), *words)
