#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What containers use (stats) and what runs in them (top), read by docker's CLI and ours."""
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def one(w, name, more=""):
    r = w.api("GET", "/containers/%s/stats?stream=0%s" % (name, more))
    equal(r.status, 200, r.text[:300])
    return r.json


def spinning(w, name, *more):
    w.docker("run", "-d", "--name", name, *more, IMAGE, "sh", "-c", "while :; do :; done")


def cpu_percent(s):
    """As docker's CLI reckons."""
    used = s["cpu_stats"]["cpu_usage"]["total_usage"] - s["precpu_stats"]["cpu_usage"]["total_usage"]
    host = s["cpu_stats"]["system_cpu_usage"] - s["precpu_stats"]["system_cpu_usage"]
    return used / host * s["cpu_stats"]["online_cpus"] * 100


def test_one_sample(w):
    spinning(w, "spin", "-m", "64m", "--pids-limit", "33", "--cpus", "0.1")
    until(lambda: one(w, "spin", "&one-shot=1")["cpu_stats"]["throttling_data"]["throttled_periods"], "it is throttled", 30)
    s = one(w, "spin")
    equal((s["name"], s["id"]), ("/spin", w.inspect("spin")["Id"]))
    check(1 < cpu_percent(s) < 25, "a tenth of a CPU: %.1f%% %s", cpu_percent(s), s["cpu_stats"])
    check(s["preread"] < s["read"] and not s["preread"].startswith("0001"), "times: %s %s", s["preread"], s["read"])
    check(s["cpu_stats"]["throttling_data"]["throttled_time"] > 0, "throttled: %s", s["cpu_stats"]["throttling_data"])
    equal(s["cpu_stats"]["online_cpus"], os.cpu_count())
    m = s["memory_stats"]
    equal(m["limit"], 64 << 20)
    check(0 < m["usage"] < m["limit"], "memory: %s", m["usage"])
    check("total_inactive_file" in m["stats"] or "inactive_file" in m["stats"], "what the CLI subtracts: %s", sorted(m["stats"]))
    equal(s["pids_stats"], {"current": 1, "limit": 33})
    equal(sorted(s["networks"]), ["eth0"])
    equal(s["num_procs"], 0)
    for key in ("io_service_bytes_recursive", "io_serviced_recursive"):
        check(key in s["blkio_stats"], "no %s", key)


def test_no_limit(w):
    """Without a limit it is the host's memory."""
    w.docker("run", "-d", "--name", "free", IMAGE, "sleep", "600")
    s = one(w, "free", "&one-shot=1")
    equal(s["memory_stats"]["limit"], w.get("/info")["MemTotal"])
    check("limit" not in s["pids_stats"] or s["pids_stats"]["limit"] > 0, "%s", s["pids_stats"])
    equal(s["precpu_stats"]["cpu_usage"]["total_usage"], 0, "one-shot has no sample before")
    check("system_cpu_usage" not in s["precpu_stats"], "%s", s["precpu_stats"])
    r = w.api("GET", "/containers/free/stats?stream=1&one-shot=1")
    equal((r.status, r.message), (400, "cannot have stream=true and one-shot=true"))
    equal(w.api("GET", "/containers/nobody/stats").status, 404)


def test_network_counts(w):
    """Bytes of each interface from the container's side."""
    w.docker("network", "create", "one")
    w.docker("network", "create", "two")
    w.serve("web", "one", 80)
    w.docker("network", "connect", "two", "web")
    w.exec("web", "sh", "-c", "head -c 200000 /dev/zero >/w/big")
    before = one(w, "web", "&one-shot=1")["networks"]
    equal(sorted(before), ["eth0", "eth1"])
    check(w.http_get("host", "http://%s/big" % w.address("web", "one")), "fetched")
    after = one(w, "web", "&one-shot=1")["networks"]
    check(after["eth0"]["tx_bytes"] - before["eth0"]["tx_bytes"] >= 200000, "sent: %s %s", before["eth0"], after["eth0"])
    check(0 < after["eth0"]["rx_bytes"] - before["eth0"]["rx_bytes"] < 100000, "received: %s %s", before["eth0"], after["eth0"])
    check(after["eth1"]["tx_bytes"] - before["eth1"]["tx_bytes"] < 10000, "the other: %s %s", before["eth1"], after["eth1"])
    check(after["eth0"]["tx_packets"] > before["eth0"]["tx_packets"], "packets")
    equal(sorted(after["eth0"]), sorted("%s_%s" % (d, k) for d in ("rx", "tx") for k in ("bytes", "packets", "errors", "dropped")))
    w.docker("run", "-d", "--name", "beside", "--network", "container:web", IMAGE, "sleep", "600")
    equal(sorted(one(w, "beside", "&one-shot=1")["networks"]), ["eth0", "eth1"], "of the namespace it shares")
    w.docker("run", "-d", "--name", "hosted", "--network", "host", IMAGE, "sleep", "600")
    check("networks" not in one(w, "hosted", "&one-shot=1"), "the host's are nobody's own")
    w.docker("run", "-d", "--name", "alone", "--network", "none", IMAGE, "sleep", "600")
    check("networks" not in one(w, "alone", "&one-shot=1"), "none has none")


def stream_of(w, name):
    conn = UnixConnection(w.socket, 30)
    conn.request("GET", "/containers/%s/stats" % name)
    r = conn.getresponse()
    equal(r.status, 200)
    return conn, r


def test_stream(w):
    """A line a second, to several readers; while it is stopped, and on; it ends with the container."""
    spinning(w, "spin")
    streams = [stream_of(w, "spin") for _ in range(3)]
    try:
        lines = [[json.loads(r.readline()) for _ in range(3)] for _, r in streams]
        for got in lines:
            equal([x["preread"] for x in got[1:]], [x["read"] for x in got[:-1]], "each goes on from the one before")
            check(cpu_percent(got[2]) > 1, "it is busy: %s", got[2]["cpu_stats"])
        check({x["read"] for x in lines[0]} & {x["read"] for x in lines[1]}, "one sample for all")
        w.docker("stop", "-t", "0", "spin")
        conn, r = streams[0]
        until(lambda: json.loads(r.readline())["memory_stats"] == {}, "empty ones while it is stopped", 20)
        w.docker("start", "spin")
        until(lambda: json.loads(r.readline())["memory_stats"].get("usage"), "it is back", 20)
        w.docker("rm", "-f", "spin")
        while r.readline():
            pass
    finally:
        for conn, _ in streams:
            conn.close()


def test_readers_are_apart(w):
    """One that does not read, and then leaves, takes nothing from the other."""
    w.docker("run", "-d", "--name", "box", IMAGE, "sleep", "600")
    conn, _ = stream_of(w, "box")
    fast, r = stream_of(w, "box")
    try:
        for _ in range(3):
            check(json.loads(r.readline())["memory_stats"]["usage"] > 0, "the fast one goes on")
    finally:
        conn.close()
        check(json.loads(r.readline())["memory_stats"]["usage"] > 0, "and on")
        fast.close()


def test_stopped(w):
    cid = w.docker("create", "--name", "cold", IMAGE, "true")
    s = one(w, "cold")
    equal((s["name"], s["id"], s["memory_stats"], s["pids_stats"]), ("/cold", cid, {}, {}))
    equal((s["read"], s["cpu_stats"]["cpu_usage"]["total_usage"]), ("0001-01-01T00:00:00Z", 0))
    check("networks" not in s, "%s", s)


def test_disk(w):
    """Bytes that go past the page cache are counted, where this kernel counts them at all."""
    w.docker("run", "-d", "--name", "disk", IMAGE, "sleep", "600")
    r = w.exec("disk", "sh", "-c", "dd if=/dev/zero of=/f bs=1M count=8 conv=fsync 2>&1; sync")
    equal(r.returncode, 0, r.stdout)
    s = one(w, "disk", "&one-shot=1")["blkio_stats"]["io_service_bytes_recursive"]
    w.docker("rm", "-f", "disk")
    if not s:
        raise Skip("this kernel counts no block I/O of the data root's device")
    check(all(set(x) == {"major", "minor", "op", "value"} for x in s), "%s", s)


def test_docker_stats(w):
    spinning(w, "spin", "-m", "64m")
    w.docker("create", "--name", "cold", IMAGE, "true")
    out = w.docker("stats", "--no-stream", "--format", "{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.MemPerc}}|{{.NetIO}}|{{.PIDs}}").split("|")
    equal((out[0], out[5]), ("spin", "1"))
    check(float(out[1].rstrip("%")) > 1, "CPU: %s", out)
    matches(out[2], r"^\d.*iB / 64MiB$")
    check(0 < float(out[3].rstrip("%")) < 100, "memory: %s", out)
    equal(len(w.docker("stats", "--no-stream", "-a").splitlines()), 3)
    p = subprocess.Popen([w.cli, "stats", "--format", "{{.Name}} {{.CPUPerc}}", "spin"], stdout=subprocess.PIPE, text=True, env=w.env)
    try:
        seen = ""
        while not re.search(r"spin [1-9][\d.]*%", seen):
            got = os.read(p.stdout.fileno(), 4096).decode()
            check(got, "the stream ended: %s", seen)
            seen += got
    finally:
        p.kill()
        p.wait()


def test_atoll_stats(w):
    spinning(w, "spin", "-m", "64m")
    w.docker("create", "--name", "cold", IMAGE, "true")
    lines = w.atoll("stats", "--no-stream").splitlines()
    matches(lines[0], r"^CONTAINER ID +NAME +CPU % +MEM USAGE / LIMIT +MEM % +NET I/O +BLOCK I/O +PIDS$")
    equal(len(lines), 2)
    matches(lines[1], r"^[0-9a-f]{12} +spin +\d+\.\d\d% +\S+iB / 64MiB +\d+\.\d\d% .* 1$")
    out = w.atoll("stats", "--no-stream", "-a", "--format", "{{.Name}} {{.CPUPerc}} {{.PIDs}}").splitlines()
    matches("\n".join(sorted(out)), r"^cold -- --\nspin [1-9]\d*\.\d\d% 1$")
    contains(w.atoll_try("stats", "--no-stream", "nobody").stderr, "No such container: nobody")


# ---- top ----


def top(w, name, ps_args=None):
    return w.get("/containers/%s/top%s" % (name, "?ps_args=" + urllib.parse.quote(ps_args) if ps_args else ""))


def test_top(w):
    w.docker("run", "-d", "--name", "box", IMAGE, "sh", "-c", "sleep 601 & exec sleep 602")
    pid = str(w.inspect("box")["State"]["Pid"])
    t = until(lambda: len(top(w, "box")["Processes"]) == 2 and top(w, "box"), "two processes", 10)
    equal(t["Titles"], ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"])
    equal(sorted(p[-1] for p in t["Processes"]), ["sleep 601", "sleep 602"], "the last cell has the blanks")
    check(pid in [p[1] for p in t["Processes"]], "the host's pids: %s", t)
    equal(top(w, "box", "-o pid,comm")["Titles"], ["PID", "COMMAND"])
    equal(sorted(p[1] for p in top(w, "box", "-o pid,comm")["Processes"]), ["sleep", "sleep"])
    equal(top(w, "box", "-o pid=PID")["Titles"], ["PID"])
    equal(top(w, "box", "aux")["Titles"][:2], ["USER", "PID"])
    with_exec = subprocess.Popen([w.cli, "exec", "box", "sleep", "603"], env=w.env, stdin=subprocess.DEVNULL)
    try:
        until(lambda: "sleep 603" in [p[-1] for p in top(w, "box")["Processes"]], "execs are among them", 10)
    finally:
        with_exec.kill()
        with_exec.wait()
    out = w.docker("top", "box").splitlines()
    matches(out[0], r"^UID +PID +PPID")
    check(len(out) >= 3, "%s", out)
    matches(w.docker("top", "box", "-o", "pid,args"), r"PID +COMMAND\n")
    out = w.atoll("top", "box", "-o", "pid,args").splitlines()
    matches(out[0], r"^PID +COMMAND")
    check(any(x.startswith(pid) and x.endswith("sleep 602") for x in out[1:]), "%s", out)
    w.docker("pause", "box")
    check(len(top(w, "box")["Processes"]) >= 2, "of a paused one as well")


def test_top_refused(w):
    cid = w.docker("run", "-d", "--name", "box", IMAGE, "sleep", "600")
    for args, status, text in (("-o comm", 500, "Couldn't find PID field in ps output"),
                               ("--no-such-option", 500, "ps: "),
                               ("-o pid,ppid=PID", 500, 'specifying "pid,ppid=PID" is not allowed')):
        r = w.api("GET", "/containers/box/top?ps_args=" + urllib.parse.quote(args))
        equal(r.status, status, r.text)
        contains(r.message, text)
    w.docker("kill", "box")
    until(lambda: w.inspect("box")["State"]["Status"] == "exited", "it has ended")
    r = w.api("GET", "/containers/box/top")
    equal((r.status, r.message), (409, "Container %s is not running" % cid))


def test_without_ps(w):
    """A host that has no ps is told what to install."""
    w.docker("run", "-d", "--name", "box", IMAGE, "sleep", "600")
    path = w.env["PATH"]
    try:
        w.stop()
        w.env["PATH"] = w.base + "/bin"
        w.start()
        r = w.api("GET", "/containers/box/top")
        equal((r.status, r.message), (500, "ps is not installed on this host (apt-get install procps)"))
    finally:
        w.env["PATH"] = path
        w.restart()
    equal(len(top(w, "box")["Processes"]), 1)


if __name__ == "__main__":
    main(globals())
