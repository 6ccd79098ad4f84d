# SPDX-License-Identifier: GPL-2.0-or-later
"""Published ports, many of them: what a connection through one of 1, 1,000 and 20,000 costs, and how
long a container with 1,000 takes to start."""

import testbed
from engine import Engine
from table import Row

FEW, SOME, MANY, SINGLE = 1, 1000, 20000, 18000
DOCKERD_SOME = 100  # a rule, two proxies and a tenth of a second for each: a thousand take two minutes

ROWS = [Row("connect through one of 1 published port", "µs", "ports of 1"),
        Row("connect through one of 1,000", "µs", "ports of 1,000", aim=("<=", 1.2, "connect through one of 1 published port")),
        Row("connect through one of 20,000", "µs", "ports of 20,000", aim=("<=", 1.2, "connect through one of 1 published port")),
        Row("start of a container with 1,000 published ports (dockerd: 100)", "ms", "1,000 ports", least=1000),
        Row("remove it", "ms", "1,000 ports"),
        Row("dockerd: connect through one of 100", "µs", "ports of 100")]
STEP = 2  # neighbours are not published: one element a port, no ranges


def host_ports(first, n):
    return [first + STEP * i for i in range(n)]


def published(e, net, ports, start=True):
    return e.container(net, start=start, exposed={"80/tcp": {}}, PortBindings={"80/tcp": [{"HostPort": str(p)} for p in ports]})


def published_range(e, net, first, n):
    """Host port = container port."""
    keys = ["%d/tcp" % p for p in range(first, first + n)]
    return e.container(net, exposed={k: {} for k in keys}, PortBindings={k: [{"HostPort": k.split("/")[0]}] for k in keys})


class Crowd:
    """An engine with @n ports published, a thousand a container, and where to connect to. Above SINGLE
    the rest is one range: each single port is a descriptor, of which there may be 20,000."""

    def __init__(self, e, load, n, row):
        self.e, self.row, self.ids = e, row, []
        self.net, left, first = e.network(), min(n, SINGLE), 1100
        while left:
            some = host_ports(first, min(left, 1000))
            self.ids.append(published(e, self.net, some))
            fd = e.w.netns_of(self.ids[-1])
            load.serve(e.w.at(fd), "serve", 80)
            left, first = left - len(some), some[-1] + STEP
        if n > SINGLE:
            try:
                self.ids.append(published_range(e, self.net, first + 1000, n - SINGLE))
            except RuntimeError as why:  # what there is can be measured all the same
                e.reasons["%d of 20,000 ports, as a range" % (n - SINGLE)] = str(why)[-120:]
        self.file = e.w.base + "/ports"
        every = host_ports(1100, min(n, SINGLE))
        with open(self.file, "w") as f:
            f.write("\n".join(str(every[(i * 7919) % len(every)]) for i in range(min(len(every), 1000))))

    def batch(self, load, n):
        r = load.run(self.e.w.at("internet"), "connect", testbed.HOST_UP, self.file, n, cpu=0)
        self.e.add(self.row, r["p50"])


def crowd(e, load, n, row):
    return Crowd(e, load, n, row)


def one_with(e, n, times):
    net = e.network()
    for _ in range(times):
        cid = published(e, net, host_ports(1100, n), start=False)
        e.timed(ROWS[3].label, "POST", "/containers/%s/start" % cid)
        e.timed(ROWS[4].label, "DELETE", "/containers/%s?force=1" % cid)
    e.remove_network(net)


def measure(bench):
    load, crowds, more = bench.load, [], []
    for e in bench.engines:
        if e.kind == "atolld":
            e.attempt("1,000 ports", one_with, SOME, 3)
        elif e.kind == "dockerd" and not bench.quick:
            e.attempt("1,000 ports", one_with, DOCKERD_SOME, 1)
    for e in bench.engines:
        if e.kind == "dockerd":
            crowds.append(e.attempt("ports of 1", crowd, load, FEW, ROWS[0].label))
    for n, row in ((FEW, ROWS[0]), (SOME, ROWS[1]), (2000 if bench.quick else MANY, ROWS[2])):
        e = Engine("%s/ports%d" % (bench.base, n), "atolld")
        more.append(e)
        if e.attempt(row.part, lambda x: x.start() or True):
            crowds.append(e.attempt(row.part, crowd, load, n, row.label, seconds=60))
    for _ in range(4 if bench.quick else 9):
        for c in crowds:
            if c:
                c.e.attempt("connecting", lambda e: c.batch(load, 300))
    load.end()
    for e in more:
        e.stop()
        bench.merge(e)
    for c in crowds:
        if c and c.e.kind == "dockerd":
            c.e.attempt("ports of 1", lambda e: [e.remove(i) for i in c.ids] + [e.remove_network(c.net)])
            if not bench.quick:
                d = c.e.attempt("ports of 100", crowd, load, DOCKERD_SOME, ROWS[5].label)
                for _ in range(9 if d else 0):
                    c.e.attempt("ports of 100", lambda e: d.batch(load, 300))
                load.end()
                if d:
                    c.e.attempt("ports of 100", lambda e: [e.remove(i) for i in d.ids] + [e.remove_network(d.net)])
