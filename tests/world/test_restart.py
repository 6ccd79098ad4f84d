#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Restart policies: when, how often, after how long; what a user's stop and an engine's restart make of them."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def state(w, name):
    return w.inspect(name)["State"]


def status(w, name):
    return state(w, name)["Status"]


def up(w, name, policy, command="sleep 600"):
    return w.docker("run", "-d", "--name", name, "--network", "none", "--restart", policy, IMAGE, "sh", "-c", command)


def failing(w, name, policy="always", lives=6):
    """One that has failed a few times: the next try is some seconds away."""
    conn = UnixConnection(w.socket, 40)
    conn.request("GET", '/events?filters={"container":["%s"],"event":["die"]}' % name)
    stream = conn.getresponse()
    cid = up(w, name, policy, "exit 3")
    for _ in range(lives):
        check(stream.readline(), "the events go on")
    conn.close()
    until(lambda: status(w, name) == "restarting", "it waits")
    return cid


def crash(w, name):
    os.kill(state(w, name)["Pid"], signal.SIGKILL)


def test_back_off(w):
    """100 ms, then twice as long each time."""
    conn = UnixConnection(w.socket, 40)
    conn.request("GET", '/events?filters={"container":["again"],"event":["die","start"]}')
    stream = conn.getresponse()
    up(w, "again", "on-failure:5", "exit 3")
    seen = [json.loads(stream.readline()) for _ in range(12)]
    conn.close()
    equal([e["Action"] for e in seen], ["start", "die"] * 6, "six lives")
    gaps = [(start["timeNano"] - die["timeNano"]) / 1e9 for die, start in zip(seen[1::2], seen[2::2])]
    for i, gap in enumerate(gaps):
        check(gap >= 0.1 * 2 ** i, "gap %d is %.3f s of %s", i, gap, gaps)
    check(gaps[0] < 1, "the first one is short: %s", gaps)
    until(lambda: status(w, "again") == "exited", "it gives up")
    equal((w.inspect("again")["RestartCount"], state(w, "again")["ExitCode"]), (5, 3))


def test_while_it_waits(w):
    cid = failing(w, "loop")
    s = state(w, "loop")
    equal((s["Running"], s["Restarting"], s["Pid"], s["ExitCode"]), (True, True, 0, 3))
    row = w.get('/containers/json?filters={"status":["restarting"]}')[0]
    equal((row["Id"], row["State"]), (cid, "restarting"))
    matches(row["Status"], r"^Restarting \(3\) .* ago$")
    waits = "Container %s is restarting, wait until the container is running" % cid
    for method, path, body, text in (("POST", "exec", {"Cmd": ["true"]}, waits), ("POST", "pause", None, waits), ("GET", "top", None, waits)):
        r = w.api(method, "/containers/loop/" + path, body)
        equal((r.status, r.message), (409, text), path)
    r = w.api("DELETE", "/containers/loop")
    equal(r.status, 409)
    contains(r.message, "container is restarting: stop the container before removing or force remove")


def test_stop_while_it_waits(w):
    """A stop, a kill and a removal end the waiting; who waits for the end is told."""
    failing(w, "loop")
    got = []
    waiter = threading.Thread(target=lambda: got.append(w.api("POST", "/containers/loop/wait").json))
    waiter.start()
    count = w.inspect("loop")["RestartCount"]
    with w.event('"Action":"stop"'):
        w.docker("stop", "loop")
    waiter.join(20)
    check(not waiter.is_alive() and got[0]["StatusCode"] == 3, "the wait: %s", got)
    equal((status(w, "loop"), w.inspect("loop")["RestartCount"]), ("exited", count))
    failing(w, "killed")
    w.docker("kill", "killed")
    until(lambda: status(w, "killed") == "exited", "killed")
    up(w, "quick", "always", "exit 3")
    until(lambda: w.inspect("quick")["RestartCount"] >= 2, "it comes and goes", 20)
    w.docker("stop", "-t", "0", "quick")
    failing(w, "removed")
    w.docker("rm", "-f", "removed")
    equal(w.api("GET", "/containers/removed/json").status, 404)
    time.sleep(1)  # that nothing comes back is told by no event
    equal([status(w, n) for n in ("loop", "killed", "quick")], ["exited"] * 3)


def test_start_forgets(w):
    """A start by hand begins anew: count and delay."""
    failing(w, "anew", "on-failure:20")
    w.docker("stop", "anew")
    w.docker("start", "anew")
    check(w.inspect("anew")["RestartCount"] <= 3, "counted anew: %d", w.inspect("anew")["RestartCount"])
    w.docker("stop", "anew")


def test_policies(w):
    for name, policy, command, comes_back in (("always", "always", "exit 0", True), ("unless", "unless-stopped", "exit 0", True),
                                              ("good", "on-failure", "exit 0", False), ("bad", "on-failure", "exit 1", True),
                                              ("never", "no", "exit 1", False)):
        up(w, name, policy, command)
        if comes_back:
            until(lambda: w.inspect(name)["RestartCount"] >= 1, "%s comes back" % name, 20)
        else:
            until(lambda: status(w, name) == "exited", "%s ends" % name)
            equal(w.inspect(name)["RestartCount"], 0)


def test_killed_by_hand(w):
    """docker kill is a user's word; a crash is not."""
    up(w, "web", "always")
    crash(w, "web")
    until(lambda: w.inspect("web")["RestartCount"] == 1 and status(w, "web") == "running", "it comes back", 20)
    w.docker("kill", "web")
    until(lambda: status(w, "web") == "exited", "killed")
    time.sleep(0.5)  # longer than the first delay
    equal((status(w, "web"), w.inspect("web")["RestartCount"]), ("exited", 1))


def test_engine_restart(w):
    """Who was stopped by hand stays down but for `always`; who crashed meanwhile comes back by his policy."""
    for policy in ("always", "unless-stopped", "on-failure", "no"):
        up(w, "stopped-" + policy, policy)
        w.docker("stop", "-t", "0", "stopped-" + policy)
        up(w, "crashed-" + policy, policy)
    up(w, "runs", "always")
    pids = {n: state(w, n)["Pid"] for n in ["crashed-" + p for p in ("always", "unless-stopped", "on-failure", "no")]}
    runs = state(w, "runs")["Pid"]
    w.kill9()
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    w.start()
    for name in ("stopped-always", "crashed-always", "crashed-unless-stopped", "crashed-on-failure"):
        until(lambda: status(w, name) == "running", "%s comes back" % name, 20)
    equal([status(w, n) for n in ("stopped-unless-stopped", "stopped-on-failure", "crashed-no")], ["exited"] * 3)
    equal((status(w, "runs"), state(w, "runs")["Pid"]), ("running", runs), "one that ran goes on")


def test_engine_restart_while_it_waits(w):
    failing(w, "loop")
    w.kill9()
    w.start()
    count = w.inspect("loop")["RestartCount"]
    until(lambda: w.inspect("loop")["RestartCount"] > count, "it goes on trying", 40)
    w.docker("stop", "loop")
    w.restart()
    check(status(w, "loop") in ("running", "restarting", "exited"), "%s", status(w, "loop"))
    w.docker("rm", "-f", "loop")


def test_refused(w):
    for policy, text in (({"Name": "sometimes"}, "unknown policy 'sometimes'"), ({"Name": "always", "MaximumRetryCount": 2}, "maximum retry count"),
                         ({"Name": "on-failure", "MaximumRetryCount": -1}, "cannot be negative")):
        r = w.api("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"RestartPolicy": policy}})
        equal(r.status, 400)
        contains(r.message, text)
    r = w.api("POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}})
    contains(r.message, "can't create 'AutoRemove' container with restart policy")


if __name__ == "__main__":
    main(globals())
