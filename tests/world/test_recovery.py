#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine dies at any moment: containers keep running and talking, ports and names keep working,
and its next life finds everything, with nothing left over."""
import json
import os
import random
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


KILLS = int(os.environ.get("ATOLL_TEST_KILLS", "20"))
SEED = int(os.environ.get("ATOLL_TEST_SEED", "20251020"))


def test_life_without_the_engine(w):
    w.docker("network", "create", "alive")
    w.docker("network", "create", "--internal", "vault")
    w.serve("web", "alive", 80, "-p", "8080:80", "--network-alias", "www")
    w.serve("db-srv", "vault", 5432)
    w.docker("network", "connect", "vault", "web")
    w.docker("run", "-d", "--name", "client", "--network", "alive", IMAGE, "sleep", "600")
    web, db = w.address("web", "alive"), w.address("db-srv")
    before = {n: w.inspect(n) for n in ("web", "db-srv", "client")}
    client, inner = w.netns_of("client"), w.netns_of("web")
    pids = {n: before[n]["State"]["Pid"] for n in before}
    try:
        for death in range(2):
            w.kill9()
            for name, pid in pids.items():
                check(os.path.exists("/proc/%d" % pid), "%s died with the engine", name)
            check(w.tcp_reach(client, web, 80), "containers talk")
            check(w.tcp_reach(inner, db, 5432), "on the internal network, too")
            contains(w.http_get("internet", "http://%s:8080/" % HOST_UP), "web")
            contains(w.http_get("host", "http://127.0.0.1:8080/"), "web")
            for name in ("web", "www", "WEB.alive"):
                equal(w.resolve(client, name), [web], name + " while the engine is dead")
            equal(w.resolve(client, "www.example.test"), ["198.18.0.1"], "forwarding while the engine is dead")
            equal(w.resolve(client, "web", tcp=True), [web])
            check(not w.tcp_reach("internet", web, 80, 0.7), "closed as before")
            equal(w.ask(inner, "db-srv").texts(), [db])
            w.start()
            for name in before:
                now = w.inspect(name)
                for key in ("Id", "Name", "Created", "Image", "Config", "HostConfig", "Mounts"):
                    equal(now[key], before[name][key], "%s of %s" % (key, name))
                equal(now["State"]["Pid"], pids[name])
                equal(now["State"]["StartedAt"], before[name]["State"]["StartedAt"])
                equal(now["NetworkSettings"]["Networks"], before[name]["NetworkSettings"]["Networks"], name)
                equal(now["NetworkSettings"]["Ports"], before[name]["NetworkSettings"]["Ports"], name)
            contains(w.http_get("internet", "http://%s:8080/" % HOST_UP), "web")
            equal(w.resolve("client", "web"), [web])
    finally:
        os.close(client)
        os.close(inner)
    # every object is usable
    equal(w.exec("web", "echo", "hi").stdout, "hi\n")
    w.docker("network", "connect", "alive", "db-srv")
    equal(w.resolve("client", "db-srv"), [w.address("db-srv", "alive")])
    w.docker("network", "disconnect", "alive", "db-srv")
    w.docker("restart", "-t", "0", "web")
    w.listening("web", 80)
    contains(w.http_get("internet", "http://%s:8080/" % HOST_UP), "web")
    w.docker("run", "--rm", "--network", "alive", IMAGE, "timeout", "2", "wget", "-qO-", "http://web/")


def test_exits_while_the_engine_is_dead(w):
    w.docker("run", "-d", "--name", "leaver", IMAGE, "sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done")
    w.docker("run", "-d", "--name", "again", "--restart", "always", IMAGE, "sh", "-c", "trap 'exit 6' TERM; echo up; while :; do sleep 0.1; done")
    w.docker("run", "-d", "--name", "temp", "--rm", IMAGE, "sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done")
    for name in ("leaver", "again", "temp"):
        until(lambda: w.docker("logs", name) == "up", name + " runs")
    pids = [w.inspect(n)["State"]["Pid"] for n in ("leaver", "again", "temp")]
    w.kill9()
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not any(os.path.exists("/proc/%d" % p) for p in pids), "they end")
    w.start()
    state = w.inspect("leaver")["State"]
    equal((state["Status"], state["ExitCode"]), ("exited", 5))
    until(lambda: w.inspect("again")["State"]["Status"] == "running", "the restart policy holds")
    until(lambda: w.api("GET", "/containers/temp/json").status == 404, "--rm holds")
    equal(w.docker("logs", "leaver"), "up")


def test_logs_go_on(w):
    w.docker("run", "-d", "--name", "ticker", IMAGE, "sh", "-c", "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.05; done")
    until(lambda: "tick 3" in w.docker("logs", "ticker"), "it ticks")
    w.kill9()
    time.sleep(0.5)
    w.start()
    lines = w.docker("logs", "ticker").splitlines()
    equal(lines, ["tick %d" % (i + 1) for i in range(len(lines))], "no line lost or doubled")
    check(len(lines) >= 10, "%d lines", len(lines))


def test_orderly_restart(w):
    w.docker("network", "create", "calm")
    w.serve("web", "calm", 80, "-p", "8080:80")
    w.docker("volume", "create", "kept")
    w.docker("create", "--name", "rest", "-v", "kept:/data", "--network", "calm", IMAGE, "true")
    w.restart()
    contains(w.http_get("internet", "http://%s:8080/" % HOST_UP), "web")
    equal(w.docker("start", "-a", "rest"), "")
    equal(w.docker("volume", "ls", "-q"), "kept")
    equal(w.docker("images", "-q", IMAGE) != "", True)


def test_lost_in_the_kernel(w):
    """What somebody took away from under the dead engine is made again at its start."""
    w.docker("network", "create", "fragile")
    w.docker("network", "create", "empty")
    w.serve("web", "fragile", 80, "-p", "8080:80")
    bridge, other = "br-" + w.network("fragile")["Id"][:12], "br-" + w.network("empty")["Id"][:12]
    w.kill9()
    w.ip("host", "link del " + bridge, "link del " + other)
    with w.at("host"):
        run("nft", "delete", "table", "inet", "atoll")  # refused where the engine's table has an owner: fine, too
    w.start()
    contains(w.links(), bridge)
    contains(w.links(), other)
    w.docker("run", "-d", "--name", "probe", "--network", "fragile", IMAGE, "sleep", "600")
    contains(w.http_get("probe", "http://web/"), "web")
    contains(w.http_get("internet", "http://%s:8080/" % HOST_UP), "web")


def test_two_on_one_data_root(w):
    second = subprocess.run([w.build + "/src/bin/atolld", "-H", "unix://" + w.base + "/other.sock", "--data-root", w.data,
                             "--exec-root", w.base + "/x2"], capture_output=True, text=True, timeout=20, env=w.env)
    check(second.returncode != 0, "a second engine started on the same data root")
    matches(second.stderr + second.stdout, "data.?root|already|in use")
    equal(w.api("GET", "/_ping").status, 200)


def worker(w, stop, number):
    """Creates and removes whatever there is, minding no error, for the engine may be dead."""
    turn = 0
    while not stop.is_set():
        turn += 1
        net, box = "k%d-net-%d" % (number, turn), "k%d-box-%d" % (number, turn)
        calls = [("POST", "/networks/create", {"Name": net, "Internal": turn % 3 == 0}),
                 ("POST", "/containers/create?name=" + box, {
                     "Image": IMAGE, "Cmd": ["sleep", "600"], "Volumes": {"/v": {}} if turn % 4 == 0 else {},
                     "HostConfig": {"NetworkMode": net, "AutoRemove": turn % 5 == 0, "PortBindings": {
                         "80/tcp": [{"HostPort": str(9000 + number * 300 + turn % 300)}]}}}),
                 ("POST", "/containers/%s/start" % box, None),
                 ("POST", "/networks/bridge/connect", {"Container": box}),
                 ("POST", "/containers/%s/stop?t=0" % box, None),
                 ("DELETE", "/containers/%s?force=1&v=1" % box, None),
                 ("DELETE", "/networks/" + net, None)]
        for method, path, body in calls:
            if stop.is_set():
                return
            try:
                w.api(method, path, body, timeout=20)
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(0.01)


@timeout(400)
def test_random_kills(w):
    """Kills at random moments of a create and remove loop. After each: every object that the API shows
    is consistent and usable. After the last, when all is removed, kernel and store are as before."""
    rng = random.Random(SEED)
    w.docker("network", "create", "steady")
    w.serve("web", "steady", 80, "-p", "8080:80")
    web = w.inspect("web")["Id"]
    for kill in range(KILLS):
        stop = threading.Event()
        threads = [servers.thread(worker, w, stop, kill * 2 + i) for i in range(2)]
        time.sleep(rng.uniform(0.02, 0.6))
        w.kill9()
        stop.set()
        for t in threads:
            t.join(30)
            check(not t.is_alive(), "kill %d: a client hangs", kill)
        w.start()
        contains(w.http_get("internet", "http://%s:8080/" % HOST_UP), "web")
        for c in w.get("/containers/json?all=1"):
            info = w.inspect(c["Id"])
            running = info["State"]["Running"]
            check(not running or os.path.exists("/proc/%d" % info["State"]["Pid"]), "kill %d: %s does not run", kill, c["Names"])
            for name, ep in info["NetworkSettings"]["Networks"].items():
                check(w.api("GET", "/networks/" + name).status == 200, "kill %d: %s is on %s, which is not there", kill,
                      c["Names"], name)
                check(not running or ep["IPAddress"], "kill %d: %s runs without an address on %s", kill, c["Names"], name)
            if c["Id"] != web:
                r = w.api("DELETE", "/containers/%s?force=1&v=1" % c["Id"])
                check(r.status in (204, 404, 409), "kill %d: removing %s: %r", kill, c["Names"], r)
        for n in w.get("/networks"):
            if n["Name"].startswith("k"):
                r = w.api("DELETE", "/networks/" + n["Id"])
                equal(r.status, 204, "kill %d: removing %s: %r" % (kill, n["Name"], r))
    w.docker("rm", "-f", "web")
    w.docker("network", "rm", "steady")
    left = json.dumps([w.get("/containers/json?all=1"), sorted(n["Name"] for n in w.get("/networks"))])
    equal(left, '[[], ["bridge", "host", "none"]]', "objects left")
    w.assert_clean()


if __name__ == "__main__":
    main(globals())
