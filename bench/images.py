# SPDX-License-Identifier: GPL-2.0-or-later
"""An image from a registry on loopback: five layers of this machine's own programs and libraries, gzipped."""
import io
import os
import tarfile
import time

import registry
import testbed
from table import Row

PULL = "pull, 5 layers, 200 MB unpacked"
AGAIN = "pull of what is there"
ROWS = [Row(PULL, "ms", "pulls", aim=(">=", 1, "dockerd")), Row(AGAIN, "ms", "pulls")]
LAYERS, SIZE = 5, 40 << 20
PODMAN = {"pulls": "its API asks a registry on loopback for TLS"}


def files():
    for top in ("/usr/lib", "/usr/bin", "/usr/share"):
        for d, dirs, names in os.walk(top):
            dirs.sort()
            for name in sorted(names):
                path = os.path.join(d, name)
                if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 8 << 20:
                    yield path


def image():
    """Each layer has whole files until it is full."""
    source, layers = files(), []
    for _ in range(LAYERS):
        out, size = io.BytesIO(), 0
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            while size < SIZE:
                path = next(source)
                tar.add(path, path.lstrip("/"), recursive=False)
                size += os.path.getsize(path)
        layers.append(out.getvalue())
    return registry.Image(layers)


def fetch(e, row=None):
    conn = testbed.UnixConnection(e.w.socket, 300)
    began = time.perf_counter()
    conn.request("POST", "/images/create?fromImage=127.0.0.1:5000/bench&tag=latest")
    text = conn.getresponse().read()
    took = 1000 * (time.perf_counter() - began)
    conn.close()
    testbed.check(b"Status: " in text and b'"error"' not in text, "pull: %s", text[-300:])
    if row:
        e.add(row, took)


def pulls(e, n):
    for _ in range(n):
        fetch(e, PULL)
        fetch(e, AGAIN)
        e.call("DELETE", "/images/127.0.0.1:5000/bench:latest?force=1")
        os.sync()  # what one leaves to be written must not meet the other


def measure(bench):
    made, running = image(), []
    try:
        for e in bench.engines:
            if e.kind == "podman":
                e.reasons.update(PODMAN)
                continue
            real = registry.Real(e.w)
            running.append(real)
            registry.push(e.w, "host", real.name, "bench", "latest", made)
        for e in bench.engines:
            if e.kind != "podman":
                e.attempt("pulls", pulls, 1, seconds=120)
                e.samples.pop(PULL, None)
                e.samples.pop(AGAIN, None)
        for _ in range(2 if bench.quick else 4):
            for e in bench.engines:
                if e.kind != "podman":
                    e.attempt("pulls", pulls, 1, seconds=120)
    finally:
        for real in running:
            real.__exit__()
