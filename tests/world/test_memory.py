#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine holds in memory: little for what is there, next to nothing for what is gone."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testbed import IMAGE, Skip, check, equal, main, timeout, until  # noqa: E402


def heap(w):
    """KiB of the engine's heap that are in memory."""
    with open("/proc/%d/smaps" % w.engine.pid) as f:
        m = re.search(r"\[heap\]\n(?:.*\n)*?Rss: *(\d+)", f.read())
    return int(m[1])


def below(w, kib, what):
    """Memory is given back a moment after the last change."""
    until(lambda: heap(w) <= kib, "%s: a heap of at most %d KiB (it has %d)" % (what, kib, heap(w)), 15)


def create(w, n):
    """Return: ids."""
    body = {"Image": IMAGE, "Cmd": ["true"], "Labels": {"key": "v" * 100}, "HostConfig": {"NetworkMode": "none"}}
    made = [w.api("POST", "/containers/create", body) for _ in range(n)]
    check(all(r.status == 201 for r in made), "create: %r", made[-1])
    return [r.json["Id"] for r in made]


@timeout(120)
def test_what_is_gone_costs_nothing(w):
    if w.sanitized():
        raise Skip("a sanitizer has its own heap")
    w.stop()
    w.start()  # what other tests left in memory is not measured
    before = heap(w)
    ids = create(w, 300)
    equal(len(w.get("/containers/json?all=1")), 300)
    full = heap(w)
    check(full - before > 2048, "300 containers take %d KiB: this test measures nothing", full - before)
    for cid in ids:
        equal(w.api("DELETE", "/containers/" + cid).status, 204)
    # what stays: the last thousand events, the store's cache
    below(w, before + 3072, "after 300 containers (%d KiB with them, %d before)" % (full, before))


@timeout(120)
def test_what_is_there_costs_little(w):
    if w.sanitized():
        raise Skip("a sanitizer has its own heap")
    w.stop()
    w.start()
    before = heap(w)
    create(w, 100)
    below(w, before + 100 * 32, "with 100 containers (%d KiB before)" % before)


main(globals())
