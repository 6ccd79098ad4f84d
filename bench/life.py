# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks and containers made, joined and removed, one at a time and a hundred of them."""
import contextlib
import json
import os
import statistics
import threading
import time

import testbed
from table import Row

ROWS = [Row("network create", "ms", "networks", aim=(">=", 20, "dockerd")),
        Row("network remove", "ms", "networks", aim=(">=", 20, "dockerd")),
        Row("connect, running container", "ms", "connect", aim=(">=", 10, "dockerd")),
        Row("disconnect, running container", "ms", "connect", aim=(">=", 10, "dockerd")),
        Row("container create", "ms", "containers"),
        Row("container start, user network", "ms", "containers", aim=(">=", 10, "dockerd")),
        Row("container kill and wait", "ms", "containers"),
        Row("container remove", "ms", "containers", aim=(">=", 5, "dockerd")),
        Row("exec true", "ms", "containers", aim=(">=", 5, "dockerd")),
        Row("run --rm true, user network", "ms", "runs", aim=(">=", 8, "dockerd")),
        Row("run --rm true, one port published", "ms", "runs with a port"),
        Row("run --rm true, four clients at once", "per s", "four clients", better="high", aim=(">=", 8, "dockerd")),
        Row("list of 500 containers", "ms", "500 containers", least=20),
        Row("start of one of 100 containers", "ms", "100 containers"),
        Row("the last 20 of them", "ms", "100 containers", aim=("<=", 1.3, "the first 20 of them")),
        Row("the first 20 of them", "ms", "100 containers"),
        Row("memory of the idle engine (PSS)", "KiB", "100 containers"),
        Row("memory of the engine alone beside 100 containers (PSS)", "KiB", "100 containers", least=15360),
        Row("memory per running container (PSS)", "KiB", "100 containers", least=400)]
BESIDE = ("atoll-shim", "containerd-shim", "docker-proxy", "conmon")  # programs that are there once a container


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


def four_clients(e, n):
    """Each runs @n containers, one after the other: how many are done in a second."""
    net, failed = e.network(), []

    def client(k):
        conn = testbed.UnixConnection(e.w.socket, 120)

        def call(method, path, body=None):
            conn.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"} if body else {})
            r = conn.getresponse()
            text = r.read()
            testbed.check(r.status < 400, "%s: %s", path, text[:200])
            return json.loads(text) if text else None
        try:
            for i in range(n):
                body = {"Image": "bench:1", "Cmd": ["true"], "HostConfig": {"NetworkMode": net}}
                cid = call("POST", "/containers/create?name=four-%d-%d" % (k, i), body)["Id"]
                call("POST", "/containers/%s/start" % cid)
                call("POST", "/containers/%s/wait" % cid)
                call("DELETE", "/containers/%s?force=1" % cid)
        except Exception as why:
            failed.append(why)
        conn.close()
    threads = [threading.Thread(target=client, args=(k,)) for k in range(4)]
    began = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]
    e.add("run --rm true, four clients at once", 4 * n / (time.perf_counter() - began))
    e.remove_network(net)


def five_hundred(e, n):
    ids = [e.container("none", start=False) for _ in range(n)]
    for _ in range(10):
        e.timed("list of 500 containers", "GET", "/containers/json?all=1")
    for cid in ids:
        e.remove(cid)


def memory(e, alone=False):
    """PSS of the engine's processes in KiB, those in containers left out; @alone: and those of one container each."""
    total = 0
    for pid in e.programs():
        with contextlib.suppress(OSError):
            if alone and os.path.basename(os.readlink("/proc/%d/exe" % pid)).startswith(BESIDE):
                continue
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
    each, alone = (memory(e) - idle) / n, memory(e, alone=True)
    part = max(5, n // 5)
    for row, values in (("start of one of 100 containers", took), ("the first 20 of them", took[:part]),
                        ("the last 20 of them", took[-part:]), ("memory of the idle engine (PSS)", [idle]),
                        ("memory of the engine alone beside 100 containers (PSS)", [alone]),
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
            e.reasons.update(PODMAN, **{"four clients": PODMAN["runs"]})
    steps = (("networks", networks, 8), ("containers", containers, 5), ("connect", connects, 5), ("runs", runs, 5),
             ("runs with a port", runs_with_a_port, 3), ("four clients", four_clients, 4))
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
            e.attempt("500 containers", five_hundred, 50 if bench.quick else 500, seconds=150)
            e.attempt("100 containers", hundred, 20 if bench.quick else 100, seconds=150)
