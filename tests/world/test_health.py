#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Health checks: forms, merging with the image, intervals, results, events, over stops and engine restarts."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

SECOND = 10 ** 9


def health(w, name):
    return w.inspect(name)["State"].get("Health")


def is_status(w, name, want, seconds=20):
    return until(lambda: (health(w, name) or {}).get("Status") == want and health(w, name), "%s is %s" % (name, want), seconds)


def up(w, name):
    return w.get("/containers/json?all=1&filters=" + json.dumps({"name": ["^/%s$" % name]}).replace(" ", ""))[0]["Status"]


def checked(w, name, test, command="sleep 600", **more):
    """A running container with this health check, made through the API."""
    check_ = {"Test": test, "Interval": SECOND // 5, "Timeout": 5 * SECOND, "Retries": 2}
    check_.update(more)
    r = w.api("POST", "/containers/create?name=" + name,
              {"Image": IMAGE, "Cmd": ["sh", "-c", command], "Healthcheck": check_, "HostConfig": {"NetworkMode": "none"}})
    equal(r.status, 201, r.text)
    equal(w.api("POST", "/containers/%s/start" % name).status, 204)


def listed(w, state):
    return sorted(c["Names"][0][1:] for c in w.get("/containers/json?all=1&filters=" + json.dumps({"health": [state]}).replace(" ", "")))


def test_docker_run(w):
    """The CLI's options: starting, healthy, unhealthy, each with its event."""
    with w.event('"health_status: healthy"', 30):
        w.docker("run", "-d", "--name", "web", "--health-cmd", "test -e /ok", "--health-interval", "200ms", "--health-timeout", "10s",
                 "--health-retries", "20", IMAGE, "sh", "-c", "mkfifo /go; read x </go; touch /ok; sleep 600")
        equal(health(w, "web")["Status"], "starting")
        matches(up(w, "web"), r"^Up .* \(health: starting\)$")
        equal(listed(w, "starting"), ["web"])
        until(lambda: health(w, "web")["FailingStreak"], "a failure", 20)
        w.exec("web", "sh", "-c", "echo >/go")
    matches(up(w, "web"), r"^Up .* \(healthy\)$")
    matches(w.docker("ps", "--filter", "health=healthy", "--format", "{{.Names}} {{.Status}}"), r"^web Up .* \(healthy\)$")
    matches(w.atoll("ps"), r"\(healthy\)")
    with w.event('"health_status: unhealthy"', 30):
        w.exec("web", "rm", "/ok")
    h = health(w, "web")
    check(h["FailingStreak"] >= 20, "twenty failures in a row: %s", h)
    equal(len(h["Log"]), 5, "the last five are kept")
    equal(h["Log"][-1]["ExitCode"], 1)
    equal(listed(w, "unhealthy"), ["web"])
    equal(w.inspect("web")["Config"]["Healthcheck"],
          {"Test": ["CMD-SHELL", "test -e /ok"], "Interval": SECOND // 5, "Timeout": 10 * SECOND, "Retries": 20})


def test_forms(w):
    checked(w, "args", ["CMD", "echo", "two words", "$HOME"])
    checked(w, "shell", ["CMD-SHELL", "echo $((40+2)); echo err >&2"])
    checked(w, "none", ["NONE"])
    w.docker("run", "-d", "--name", "bare", IMAGE, "sleep", "600")
    equal(is_status(w, "args", "healthy")["Log"][0]["Output"], "two words $HOME\n", "no shell between")
    log = is_status(w, "shell", "healthy")["Log"][0]
    equal((sorted(log["Output"].split()), log["ExitCode"]), (["42", "err"], 0))
    check(log["Start"] < log["End"], "times: %s", log)
    equal((health(w, "none"), health(w, "bare")), (None, None))
    equal(listed(w, "none"), ["bare", "none"])
    checked(w, "missing", ["CMD", "/no/such/program"], Retries=1)
    h = is_status(w, "missing", "unhealthy")
    contains(h["Log"][-1]["Output"], "/no/such/program")
    check(h["Log"][-1]["ExitCode"] != 0, "exit code: %s", h)
    r = w.api("GET", "/containers/json?filters=" + json.dumps({"health": ["fine"]}).replace(" ", ""))
    equal(r.status, 400)


def test_output_is_bounded(w):
    checked(w, "loud", ["CMD-SHELL", "head -c 100000 /dev/zero | tr '\\0' x"])
    out = is_status(w, "loud", "healthy")["Log"][0]["Output"]
    equal(out, "x" * 4096 + "...")


def test_timeout(w):
    """A check that hangs is killed; also where something it started keeps its output open."""
    checked(w, "hang", ["CMD-SHELL", "echo begun; sleep 300 & exec sleep 301"], Timeout=SECOND // 2, Retries=2)
    h = is_status(w, "hang", "unhealthy", 30)
    equal(h["Log"][-1]["ExitCode"], -1)
    equal(h["Log"][-1]["Output"], "Health check exceeded timeout (500ms): begun\n")
    top = [p[-1] for p in w.get("/containers/hang/top")["Processes"]]
    check(sum("sleep 301" in p for p in top) <= 1, "the hanging ones are gone: %s", top)


def test_the_image_and_the_client(w):
    """What the client leaves out is the image's, key by key; --no-healthcheck wins."""
    w.load({"checked:1": ([], {"Cmd": ["sleep", "600"], "Healthcheck": {"Test": ["CMD", "true"], "Interval": SECOND // 5, "Retries": 7}})})
    w.docker("run", "-d", "--name", "image", "checked:1")
    is_status(w, "image", "healthy")
    w.docker("run", "-d", "--name", "off", "--no-healthcheck", "checked:1")
    equal((health(w, "off"), w.inspect("off")["Config"]["Healthcheck"]["Test"]), (None, ["NONE"]))
    w.docker("create", "--name", "mixed", "--health-retries", "1", "--health-cmd", "false", "checked:1")
    equal(w.inspect("mixed")["Config"]["Healthcheck"], {"Test": ["CMD-SHELL", "false"], "Interval": SECOND // 5, "Retries": 1})
    w.docker("start", "mixed")
    is_status(w, "mixed", "unhealthy")


def test_refused(w):
    for body, text in (({"Interval": 5}, "Interval in Healthcheck cannot be less than 1ms"),
                       ({"Timeout": 999999}, "Timeout in Healthcheck cannot be less than 1ms"),
                       ({"StartPeriod": -1}, "StartPeriod in Healthcheck cannot be less than 1ms"),
                       ({"StartInterval": 7}, "StartInterval in Healthcheck cannot be less than 1ms"),
                       ({"Retries": -1}, "Retries in Healthcheck cannot be negative"),
                       ({"Test": 5}, "HealthConfig.Test")):
        r = w.api("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["true"], "Healthcheck": body})
        equal(r.status, 400, r.text)
        contains(r.message, text)
    body = {"Image": IMAGE, "Cmd": ["true"], "Healthcheck": {"Test": ["CMD", "true"], "StartInterval": 2 * SECOND}}
    for version, want in (("1.43", None), ("1.44", 2 * SECOND)):
        r = w.api("POST", "/v%s/containers/create?name=v%s" % (version, version[2:]), body)
        equal(r.status, 201, r.text)
        equal(w.inspect("v" + version[2:])["Config"]["Healthcheck"].get("StartInterval"), want, version)


def test_start_interval(w):
    """Within the start period it is asked more often."""
    checked(w, "slow", ["CMD-SHELL", "test -e /ok"], Interval=3600 * SECOND, StartPeriod=600 * SECOND, StartInterval=SECOND // 5)
    until(lambda: len(health(w, "slow")["Log"]) >= 2, "checks in the start period", 20)
    w.exec("slow", "touch", "/ok")
    h = is_status(w, "slow", "healthy")
    equal(h["FailingStreak"], 0)


def test_exec_events(w):
    """A probe is an exec, with an exec's events."""
    seen = []
    conn = UnixConnection(w.socket, 30)
    conn.request("GET", "/events?filters=" + json.dumps({"container": ["probed"]}).replace(" ", ""))
    stream = conn.getresponse()
    try:
        checked(w, "probed", ["CMD", "echo", "hi"])
        while not any(e["Action"].startswith("health_status") for e in seen):
            seen.append(json.loads(stream.readline()))
    finally:
        conn.close()
    actions = [e["Action"] for e in seen]
    for want in ("exec_create: echo hi", "exec_start: echo hi", "exec_die", "health_status: healthy"):
        check(want in actions, "no %r in %s", want, actions)
    die = next(e for e in seen if e["Action"] == "exec_die")["Actor"]["Attributes"]
    equal((die["exitCode"], len(die["execID"])), ("0", 64))
    equal(w.inspect("probed")["ExecIDs"] or [], [], "probes leave no execs")


def test_stop_and_start(w):
    checked(w, "again", ["CMD", "true"])
    is_status(w, "again", "healthy")
    w.docker("stop", "-t", "0", "again")
    equal(health(w, "again")["Status"], "unhealthy", "as Docker says of one that is stopped")
    matches(up(w, "again"), "^Exited")
    count = len(health(w, "again")["Log"])
    w.docker("start", "again")
    h = health(w, "again")
    check(h["Status"] in ("starting", "healthy") and h["FailingStreak"] == 0 and len(h["Log"]) >= min(count, 5), "after a start: %s", h)
    is_status(w, "again", "healthy")
    with w.event('"health_status: healthy"', 30):
        w.docker("restart", "-t", "0", "again")


def test_engine_restart(w):
    """The state is kept, also over kill -9, and it is asked again."""
    checked(w, "kept", ["CMD-SHELL", "test -e /ok"], Retries=2)
    is_status(w, "kept", "unhealthy")
    w.kill9()
    w.start()
    h = health(w, "kept")
    equal(h["Status"], "unhealthy")
    check(h["FailingStreak"] >= 2 and h["Log"], "its failures are remembered: %s", h)
    with w.event('"health_status: healthy"', 30):
        w.exec("kept", "touch", "/ok")
    w.restart()
    equal(health(w, "kept")["Status"], "healthy")
    with w.event('"exec_die"', 30):
        pass


def test_pause(w):
    """No probes while it is paused; then they go on."""
    checked(w, "frozen", ["CMD", "true"])
    is_status(w, "frozen", "healthy")
    w.docker("pause", "frozen")
    before = health(w, "frozen")
    matches(up(w, "frozen"), r"\(Paused\)$")
    time.sleep(1)  # nothing happens, which no event tells
    equal(health(w, "frozen"), before)
    with w.event('"exec_die"', 30):
        w.docker("unpause", "frozen")
    is_status(w, "frozen", "healthy")


def test_removed_in_a_probe(w):
    checked(w, "busy", ["CMD", "sleep", "600"], Timeout=600 * SECOND)
    until(lambda: any("sleep 600" in p[-1] for p in w.get("/containers/busy/top")["Processes"][1:]), "the probe runs", 20)
    w.docker("rm", "-f", "busy")
    equal(w.api("GET", "/containers/busy/json").status, 404)


def test_atoll_run(w):
    w.atoll("run", "-d", "--name", "mine", "--health-cmd", "true", "--health-interval", "200ms", "--health-timeout", "2s",
            "--health-start-period", "1m", "--health-start-interval", "300ms", "--health-retries", "4", IMAGE, "sleep", "600")
    is_status(w, "mine", "healthy")
    equal(w.inspect("mine")["Config"]["Healthcheck"],
          {"Test": ["CMD-SHELL", "true"], "Interval": SECOND // 5, "Timeout": 2 * SECOND, "StartPeriod": 60 * SECOND,
           "StartInterval": 3 * SECOND // 10, "Retries": 4})
    w.atoll("create", "--name", "never", "--no-healthcheck", IMAGE, "true")
    equal(w.inspect("never")["Config"]["Healthcheck"], {"Test": ["NONE"]})


if __name__ == "__main__":
    main(globals())
