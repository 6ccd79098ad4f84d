# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks and containers made, joined and removed, one at a time and a hundred of them."""
import contextlib
import json
import statistics
import time

import testbed
from table import Row

ROWS = [Row("network create", "ms", "networks", aim=(">=", 20, "dockerd")),
        Row("network remove", "ms", "networks", aim=(">=", 20, "dockerd")),
        Row("connect, running container", "ms", "connect", aim=(">=", 10, "dockerd")),
        Row("disconnect, running container", "ms", "connect", aim=(">=", 10, "dockerd")),
        Row("container create", "ms", "containers"),
        Row("container start, user network", "ms", "containers", aim=(">=", 6, "dockerd")),
        Row("container kill and wait", "ms", "containers"),
        Row("container remove", "ms", "containers"),
        Row("exec true", "ms", "containers"),
        Row("run --rm true, user network", "ms", "runs", aim=(">=", 5, "dockerd")),
        Row("run --rm true, one port published", "ms", "runs with a port"),
        Row("start of one of 100 containers", "ms", "100 containers"),
        Row("the last 20 of them", "ms", "100 containers", aim=("<=", 1.3, "the first 20 of them")),
        Row("the first 20 of them", "ms", "100 containers"),
        Row("memory of the idle engine (PSS)", "KiB", "100 containers"),
        Row("memory per running container (PSS)", "KiB", "100 containers")]


def networks(e, n):
    names = [e.name() for _ in range(n)]
    for x in names:
        e.timed("network create", "POST", "/networks/create", {"Name": x})
    for x in names:
        e.timed("network remove", "DELETE", "/networks/" + x)


def containers(e, n):
    net = e.network()
    for _ in range(n):
        cid = e.timed("container create", "POST", "/containers/create?name=" + e.name(),
                      {"Image": "bench:1", "Cmd": ["sleep", "600"], "HostConfig": {"NetworkMode": net}})["Id"]
        e.timed("container start, user network", "POST", "/containers/%s/start" % cid)
        began = time.perf_counter()
        xid = e.call("POST", "/containers/%s/exec" % cid, {"Cmd": ["true"], "AttachStdout": True})["Id"]
        e.call("POST", "/exec/%s/start" % xid, {"Detach": False})
        e.add("exec true", 1000 * (time.perf_counter() - began))
        if e.kind == "podman":
            e.remove(cid)
            continue
        began = time.perf_counter()
        e.call("POST", "/containers/%s/kill" % cid)
        e.call("POST", "/containers/%s/wait" % cid)
        e.add("container kill and wait", 1000 * (time.perf_counter() - began))
        e.timed("container remove", "DELETE", "/containers/" + cid)
    e.remove_network(net)


def connects(e, n):
    net, other = e.network(), e.network()
    cid = e.container(net)
    for _ in range(n):
        e.timed("connect, running container", "POST", "/networks/%s/connect" % other, {"Container": cid})
        e.timed("disconnect, running container", "POST", "/networks/%s/disconnect" % other, {"Container": cid})
    e.remove(cid)
    for x in (net, other):
        e.remove_network(x)


def runs(e, n, row="run --rm true, user network", **host):
    net = e.network()
    for _ in range(n):
        began = time.perf_counter()
        cid = e.container(net, start=False, cmd=["true"], AutoRemove=True, **host)
        waiter = testbed.UnixConnection(e.w.socket, 60)  # as the CLI does: wait first, then start
        waiter.request("POST", "/containers/%s/wait?condition=removed" % cid)
        answer = waiter.getresponse()
        e.call("POST", "/containers/%s/start" % cid)
        code = json.loads(answer.read())["StatusCode"]
        e.add(row, 1000 * (time.perf_counter() - began))
        waiter.close()
        testbed.equal(code, 0, "true")
    e.remove_network(net)


def runs_with_a_port(e, n):
    runs(e, n, "run --rm true, one port published", PortBindings={"80/tcp": [{"HostPort": "18080"}]})


def memory(e):
    """PSS of the engine's processes in KiB, those in containers left out."""
    total = 0
    for pid in e.programs():
        with contextlib.suppress(OSError, StopIteration), open("/proc/%d/smaps_rollup" % pid) as f:
            total += next(int(x.split()[1]) for x in f if x.startswith("Pss:"))
    return total


def hundred(e, n):
    net, ids, took = e.network(), [], []
    idle = memory(e)
    for _ in range(n):
        ids.append(e.container(net, start=False))
        began = time.perf_counter()
        e.call("POST", "/containers/%s/start" % ids[-1])
        took.append(1000 * (time.perf_counter() - began))
    each = (memory(e) - idle) / n
    part = max(5, n // 5)
    for row, values in (("start of one of 100 containers", took), ("the first 20 of them", took[:part]),
                        ("the last 20 of them", took[-part:]), ("memory of the idle engine (PSS)", [idle]),
                        ("memory per running container (PSS)", [each])):
        e.add(row, statistics.median(values))
    for cid in ids:
        e.remove(cid)
    e.remove_network(net)


# podman's wait, asked over Docker's API, comes back after 40 s or not at all
PODMAN = {"runs": "its wait does not answer in time", "runs with a port": "its wait does not answer in time"}


def measure(bench):
    for e in bench.engines:
        if e.kind == "podman":
            e.reasons.update(PODMAN)
    steps = (("networks", networks, 8), ("containers", containers, 5), ("connect", connects, 5), ("runs", runs, 5),
             ("runs with a port", runs_with_a_port, 3))
    for e in bench.engines:
        for part, fn, _ in steps:
            e.attempt(part, fn, 1)
        e.samples.clear()
    for _ in range(2 if bench.quick else 4):
        for part, fn, n in steps:
            for e in bench.engines:
                e.attempt(part, fn, n)
    for e in bench.engines:
        if e.kind != "podman":
            e.attempt("100 containers", hundred, 20 if bench.quick else 100, seconds=150)
