#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Paused containers: they stand still, their words, what is refused, over stops and engine restarts."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def beating(w, name):
    """A container that goes on by a count in a file a tenth of a second."""
    w.docker("run", "-d", "--name", name, IMAGE, "sh", "-c", "n=0; while :; do n=$((n+1)); echo $n >/beat; usleep 20000; done")
    root = "/proc/%d/root/beat" % w.inspect(name)["State"]["Pid"]
    until(lambda: os.path.exists(root) and open(root).read(), "the first beat", 10)
    return root


def count(path):
    with open(path) as f:
        return f.read()


def goes_on(path):
    was = count(path)
    until(lambda: count(path) not in ("", was), "it goes on", 10)


def stands(path):
    was = count(path)
    time.sleep(0.3)  # nothing happens, which no event tells
    equal(count(path), was, "it stands still")


def paused(w, name):
    s = w.inspect(name)["State"]
    return s["Paused"], s["Running"], s["Status"]


def test_pause_and_unpause(w):
    path = beating(w, "web")
    cid = w.inspect("web")["Id"]
    with w.event('"Action":"pause"'):
        equal(w.docker("pause", "web"), "web")
    stands(path)
    equal(paused(w, "web"), (True, True, "paused"))
    row = w.get("/containers/json")[0]
    matches(row["Status"], r"^Up .* \(Paused\)$")
    equal(row["State"], "paused")
    equal([c["Id"] for c in w.get('/containers/json?filters={"status":["paused"]}')], [cid])
    equal(w.get('/containers/json?filters={"status":["running"]}'), [])
    info = w.get("/info")
    equal((info["ContainersRunning"], info["ContainersPaused"], info["ContainersStopped"]), (0, 1, 0))
    with w.event('"Action":"unpause"'):
        equal(w.docker("unpause", "web"), "web")
    goes_on(path)
    equal(paused(w, "web"), (False, True, "running"))


def test_refused(w):
    cid = w.docker("create", "--name", "still", IMAGE, "sleep", "600")
    for verb, status, text in (("pause", 409, "Container %s is not running" % cid), ("unpause", 500, "Container %s is not paused" % cid)):
        r = w.api("POST", "/containers/still/" + verb)
        equal((r.status, r.message), (status, text))
    w.docker("start", "still")
    equal(w.api("POST", "/containers/still/unpause").message, "Container %s is not paused" % cid)
    w.docker("pause", "still")
    r = w.api("POST", "/containers/still/pause")
    equal((r.status, r.message), (409, "Container %s is already paused" % cid))
    r = w.api("POST", "/containers/still/exec", {"Cmd": ["true"]})
    equal((r.status, r.message), (409, "Container still is paused, unpause the container before exec"))
    r = w.api("POST", "/containers/still/start")
    equal((r.status, r.message), (409, "cannot start a paused container, try unpause instead"))
    r = w.api("DELETE", "/containers/still")
    equal((r.status, r.message), (409, 'cannot remove container "still": container is paused and must be unpaused first'))
    r = w.api("POST", "/containers/nobody/pause")
    equal((r.status, r.message), (404, "No such container: nobody"))


def test_stop_kill_restart(w):
    """A paused container sees the signal that ends it: it is thawed for that."""
    w.docker("run", "-d", "--name", "polite", IMAGE, "sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done")
    until(lambda: w.docker("logs", "polite") == "up", "it runs")
    w.docker("pause", "polite")
    w.docker("stop", "-t", "20", "polite")
    s = w.inspect("polite")["State"]
    equal((s["Status"], s["ExitCode"], s["Paused"]), ("exited", 7, False), "it had its say")
    w.docker("start", "polite")
    w.docker("pause", "polite")
    w.docker("kill", "polite")
    until(lambda: w.inspect("polite")["State"]["Status"] == "exited", "killed")
    equal(w.inspect("polite")["State"]["ExitCode"], 137)
    w.docker("start", "polite")
    w.docker("pause", "polite")
    w.docker("restart", "-t", "0", "polite")
    equal(paused(w, "polite"), (False, True, "running"))


def test_remove(w):
    w.docker("run", "-d", "--name", "gone", IMAGE, "sleep", "600")
    w.docker("pause", "gone")
    w.docker("rm", "-f", "gone")
    equal(w.api("GET", "/containers/gone/json").status, 404)


def test_engine_restart(w):
    path = beating(w, "kept")
    w.docker("pause", "kept")
    w.restart()
    equal(paused(w, "kept"), (True, True, "paused"))
    stands(path)
    w.kill9()
    w.start()
    equal(paused(w, "kept"), (True, True, "paused"))
    w.docker("unpause", "kept")
    goes_on(path)


def test_killed_while_paused(w):
    """Another process of the host ends it."""
    w.docker("run", "-d", "--name", "prey", IMAGE, "sleep", "600")
    w.docker("pause", "prey")
    pid = w.inspect("prey")["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)
    w.docker_try("unpause", "prey")  # v1 kills it only then, v2 has done so
    until(lambda: w.inspect("prey")["State"]["Status"] == "exited", "it is seen")
    equal(paused(w, "prey"), (False, False, "exited"))


def test_many_processes(w):
    """One that makes processes all the time is frozen as well."""
    w.docker("run", "-d", "--name", "busy", IMAGE, "sh", "-c", "while :; do for i in 1 2 3 4 5 6 7 8; do true & done; wait; done")
    for _ in range(3):
        w.docker("pause", "busy")
        equal(paused(w, "busy"), (True, True, "paused"))
        w.docker("unpause", "busy")


def test_atoll(w):
    path = beating(w, "mine")
    equal(w.atoll("pause", "mine"), "mine")
    stands(path)
    contains(w.atoll("ps"), "(Paused)")
    equal(w.atoll("unpause", "mine"), "mine")
    goes_on(path)
    r = w.atoll_try("unpause", "mine")
    check(r.returncode == 1 and "is not paused" in r.stderr, "%s", r)


if __name__ == "__main__":
    main(globals())
