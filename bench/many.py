# SPDX-License-Identifier: GPL-2.0-or-later
"""Many networks on one host: thirty, which is all that dockerd's default pools hold, and two thousand."""
import os
import statistics

import life
from engine import Engine
from table import Row

ROWS = [Row("network create beside 28 others", "ms", "30 networks", aim=(">=", 20, "dockerd")),
        Row("network remove beside 28 others", "ms", "30 networks", aim=(">=", 20, "dockerd")),
        Row("the first 50 of 2,000 networks, create", "ms", "2,000 networks"),
        Row("the last 50 of 2,000 networks, create", "ms", "2,000 networks", aim=("<=", 1.5, "the first 50 of 2,000 networks, create")),
        Row("remove all 2,000, each", "ms", "2,000 networks"),
        Row("memory per network (PSS)", "KiB", "2,000 networks")]


def thirty(e, rounds):
    held = [e.network() for _ in range(28)]
    for _ in range(rounds):
        x = e.name()
        e.timed("network create beside 28 others", "POST", "/networks/create", {"Name": x})
        e.timed("network remove beside 28 others", "DELETE", "/networks/" + x)
    for x in held:
        e.remove_network(x)


def thousands(e, n):
    names, took = [e.name() for _ in range(n)], []
    idle = life.memory(e)
    for x in names:
        e.timed("one of many", "POST", "/networks/create", {"Name": x})
    took = e.samples.pop("one of many")
    e.add("memory per network (PSS)", (life.memory(e) - idle) / n)
    e.add("the first 50 of 2,000 networks, create", statistics.median(took[:50]))
    e.add("the last 50 of 2,000 networks, create", statistics.median(took[-50:]))
    for x in names:
        e.timed("remove all 2,000, each", "DELETE", "/networks/" + x)


def measure(bench):
    for e in bench.engines:
        if e.kind != "podman":
            e.attempt("30 networks", thirty, 5 if bench.quick else 15)
    # an engine of its own: what it leaves to the kernel for later shall not meet the other parts
    e = Engine(bench.base + "/many", "atolld")
    if e.attempt("2,000 networks", lambda x: x.start() or True):
        e.attempt("2,000 networks", thousands, 200 if bench.quick else 2000, seconds=120)
        e.stop()
    bench.merge(e)
