# SPDX-License-Identifier: GPL-2.0-or-later
"""Names: queries per second, what one query takes beside a bare UDP echo, and a hundred networks' names."""
import os

from engine import Engine, Spaces
from table import Row

FULL = 50  # questions under way
WOKEN = "an echo sleeps in the very call that reads; the resolver is woken by epoll, and has a seccomp filter"

ROWS = [Row("DNS, 50 questions under way", "per s", "names", "high", (">=", 3, "dockerd")),
        Row("DNS, one question (kernel alone: a UDP echo)", "µs", "names", "low", ("<=", 1.2, "kernel"), why=WOKEN),
        Row("the names of 100 networks, one question", "µs", "100 networks' names", "low",
            ("<=", 1.1, "DNS, one question (kernel alone: a UDP echo)")),
        Row("the names of 100 networks, 50 questions under way", "per s", "100 networks' names", "high")]


class Asker:
    """A container that asks for what others are called."""

    def __init__(self, e, rows, networks, names):
        self.e, self.rows, self.names, self.networks = e, rows, names, networks
        self.ids = [e.container(networks[0]) for _ in range(2)]
        for net, name in zip(networks, names):
            if net == networks[0]:
                e.call("POST", "/networks/%s/disconnect" % net, {"Container": self.ids[1]})
            e.call("POST", "/networks/%s/connect" % net, {"Container": self.ids[1], "EndpointConfig": {"Aliases": [name]}})
            if net != networks[0]:
                e.call("POST", "/networks/%s/connect" % net, {"Container": self.ids[0]})
        self.fd = e.w.netns_of(self.ids[0])

    def batch(self, e, load, ms):
        with e.pinned():
            r = load.run(e.w.at(self.fd), "dns", "127.0.0.11", 53, ms, 1, *self.names, cpu=0)
        e.add(self.rows[0], r["p50"])
        r = load.run(e.w.at(self.fd), "dns", "127.0.0.11", 53, ms, FULL, *self.names)
        e.add(self.rows[1], r["count"] / r["seconds"])

    def undo(self, e):
        os.close(self.fd)
        for c in self.ids:
            e.remove(c)
        for n in self.networks:
            e.remove_network(n)


def asker(e, rows, n):
    return Asker(e, rows, [e.network() for _ in range(n)], ["web%d" % i for i in range(n)])


def measure(bench):
    load, askers = bench.load, []
    space = Spaces(bench.base + "/echo", ["a"])
    space.ip("a", "link set lo up")
    load.serve(space.at("a"), "echo", 5003, 0)
    for e in bench.engines:
        if e.kind != "podman":
            askers.append((e, "names", e.attempt("names", asker, (ROWS[1].label, ROWS[0].label), 1)))
    crowd = Engine(bench.base + "/names", "atolld")
    if crowd.attempt("100 networks' names", lambda x: x.start() or True):
        askers.append((crowd, "100 networks' names", crowd.attempt(
            "100 networks' names", asker, (ROWS[2].label, ROWS[3].label), 20 if bench.quick else 100)))
    ms = 200 if bench.quick else 400
    for _ in range(3 if bench.quick else 7):
        bench.floor_add(ROWS[1].label, load.run(space.at("a"), "udp", "127.0.0.1", 5003, ms, cpu=0)["p50"])
        for e, part, a in askers:
            if a:
                e.attempt(part, a.batch, load, ms)
    load.end()
    for e, part, a in askers:
        if a and e is not crowd:
            e.attempt(part, a.undo)
    crowd.stop()
    bench.merge(crowd)
