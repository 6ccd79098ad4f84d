#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Log drivers and docker logs: files, rotation, options, following, many and slow readers."""
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import IMAGE, check, contains, equal, main, matches, timeout, until  # noqa: E402

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"


def setup(w):
    w.load({IMAGE: ([], {"Cmd": ["sleep", "600"]})})


def run(w, name, script, *opts):
    return w.docker("run", "--name", name, *opts, IMAGE, "sh", "-c", script)


def logs(w, *args, **kw):
    r = w.docker_try("logs", *args, text=False, **kw)
    equal(r.returncode, 0, "docker logs: %s" % r.stderr[:200])
    return r.stdout.decode()


def log_path(w, name):
    return w.inspect(name)["LogPath"]


def records(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def test_json_file(w):
    """Docker's format, at Docker's place: other programs read it."""
    w.docker("run", "-d", "--name", "plain", IMAGE, "sh", "-c", "echo one; echo two >&2; printf '<a&b>\\t\"q\" \\377 é'")
    w.docker("wait", "plain")
    path = log_path(w, "plain")
    cid = w.inspect("plain")["Id"]
    equal(path, "%s/containers/%s/%s-json.log" % (w.data, cid, cid), "its place")
    with open(path) as f:
        text = f.read()
    by = {}
    for r in records(path):
        equal(sorted(r), ["log", "stream", "time"], "the keys")
        matches(r["time"], STAMP)
        by[r["stream"]] = by.get(r["stream"], "") + r["log"]
    equal(by, {"stdout": 'one\n<a&b>\t"q" \ufffd é', "stderr": "two\n"}, "the text")
    contains(text, r"\u003ca\u0026b\u003e")
    matches(text.splitlines()[0], r'^\{"log":"one\\n","stream":"stdout","time":"' + STAMP + r'"\}$')
    equal(logs(w, "plain"), 'one\n<a&b>\t"q" \ufffd é', "docker logs")


def test_long_line(w):
    run(w, "long", "head -c 40000 /dev/zero | tr '\\0' x; echo; echo end")
    got = records(log_path(w, "long"))
    equal([len(r["log"]) for r in got], [16384, 16384, 40000 - 32768 + 1, 4], "pieces of 16 KiB")
    equal(len({r["time"] for r in got[:3]}), 1, "with one time")
    check([r["log"][-1] for r in got] == ["x", "x", "\n", "\n"], "the last one ends the line")
    equal(logs(w, "long"), "x" * 40000 + "\nend\n", "docker logs")
    lines = logs(w, "-t", "long").splitlines()
    equal(len(lines), 2, "lines with a time")
    matches(lines[0], "^" + STAMP + " x{40000}$")


def test_rotation(w):
    script = "i=0; while [ $i -lt 3000 ]; do echo line $i of a log that grows; i=$((i+1)); done"
    run(w, "turns", script, "--log-opt", "max-size=20k", "--log-opt", "max-file=4")
    path = log_path(w, "turns")
    sizes = [os.path.getsize(path + x) for x in ("", ".1", ".2", ".3")]
    check(all(0 < s <= 20000 for s in sizes) and not os.path.exists(path + ".4"), "files: %s", sizes)
    got = logs(w, "turns").splitlines()
    first = int(got[0].split()[1])
    check(first > 0, "the oldest are gone")
    equal(got, ["line %d of a log that grows" % i for i in range(first, 3000)], "the rest in order")
    equal(logs(w, "--tail", "500", "turns").splitlines(), got[-500:], "a tail over files")
    equal(logs(w, "--tail", "0", "turns"), "", "no tail")
    run(w, "one", script, "--log-opt", "max-size=20k")
    path = log_path(w, "one")
    check(os.path.getsize(path) <= 20000 and not os.path.exists(path + ".1"), "one file only")
    check(logs(w, "one").splitlines()[-1] == "line 2999 of a log that grows", "its end")


@timeout(90)
def test_follow_over_rotation(w):
    """Whoever follows gets every line, however often the file turns."""
    w.docker("run", "-d", "--name", "flow", "--log-opt", "max-size=10k", "--log-opt", "max-file=3", IMAGE,
             "sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); "
             "[ $((i % 50)) = 0 ] && sleep 0.02; done")
    out = {}

    def follow(k):
        out[k] = logs(w, "-f", "flow", timeout=80)
    readers = [threading.Thread(target=follow, args=(k,)) for k in range(3)]
    for t in readers:
        t.start()
    time.sleep(1)
    w.docker("exec", "flow", "touch", "/go")
    for t in readers:
        t.join()
    for k in range(3):
        equal(out[k].splitlines(), [str(i) for i in range(2000)], "reader %d" % k)


def test_removed_while_followed(w):
    w.docker("run", "-d", "--name", "gone", IMAGE, "sh", "-c", "echo up; sleep 600")
    until(lambda: logs(w, "gone") == "up\n", "its output")
    out = {}
    t = threading.Thread(target=lambda: out.update(r=w.docker_try("logs", "-f", "gone", timeout=30)))
    t.start()
    time.sleep(0.5)
    w.docker("rm", "-f", "gone")
    t.join()
    equal((out["r"].returncode, out["r"].stdout), (0, "up\n"), "the follower ends well")


def test_details(w):
    run(w, "known", "echo text", "--log-opt", "labels=team,none", "--log-opt", "env=USER_ID", "--log-opt", "tag={{.Name}}/{{.ID}}",
        "--label", "team=a b", "--label", "other=x", "-e", "USER_ID=7")
    cid = w.inspect("known")["Id"][:12]
    equal(records(log_path(w, "known"))[0]["attrs"], {"team": "a b", "USER_ID": "7", "tag": "known/" + cid}, "attrs")
    equal(logs(w, "known"), "text\n", "without details")
    equal(logs(w, "--details", "known"), "USER_ID=7,tag=known%%2F%s,team=a+b text\n" % cid, "with details")
    matches(logs(w, "--details", "-t", "known"), "^" + STAMP + " USER_ID=7,.* text\n$")


def test_local(w):
    run(w, "lean", "echo one; echo two >&2", "--log-driver", "local")
    equal(w.inspect("lean")["LogPath"], "", "Docker names no path of this driver")
    equal(logs(w, "lean"), "one\n", "its log")
    check(os.path.exists("%s/containers/%s/local-logs/container.log" % (w.data, w.inspect("lean")["Id"])), "its file")
    run(w, "small", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done", "--log-driver", "local",
        "--log-opt", "max-size=10k", "--log-opt", "max-file=2")
    got = logs(w, "small").splitlines()
    check(10 < len(got) < 1000 and got[-1] == "line 1999", "two files of 10 KiB: %d lines", len(got))


def test_none(w):
    run(w, "mute", "echo x", "--log-driver", "none")
    w.docker_fails("logs", "mute", says="configured logging driver does not support reading")
    equal(w.inspect("mute")["LogPath"], "", "no log, no path")


def test_refused(w):
    def refused(says, *opts):
        w.docker_fails("create", *opts, IMAGE, says=says)
    refused("logger: no log driver named 'syslogd' is registered", "--log-driver", "syslogd")
    refused("unknown log opt 'max-sise' for json-file log driver", "--log-opt", "max-sise=1m")
    refused("unknown log opt 'tag' for log driver local", "--log-driver", "local", "--log-opt", "tag=x")
    refused("logger: logging mode not supported: fast", "--log-opt", "mode=fast")
    refused("logger: max-buffer-size option is only supported with 'mode=non-blocking'", "--log-opt", "max-buffer-size=1m")

    def fails(says, *opts):
        w.docker_fails("run", "--rm", *opts, IMAGE, "true", says="failed to initialize logging driver: " + says)
    fails("max-file cannot be less than 1", "--log-opt", "max-file=0")
    fails("invalid size: 'big'", "--log-opt", "max-size=big")
    fails("compress cannot be true when max-file is less than 2 or max-size is not set", "--log-opt", "compress=true")


def test_non_blocking(w):
    run(w, "quick", "i=0; while [ $i -lt 500 ]; do echo $i; i=$((i+1)); done", "--log-opt", "mode=non-blocking",
        "--log-opt", "max-buffer-size=4m")
    equal(logs(w, "quick").split(), [str(i) for i in range(500)], "nothing is lost while the disk is quick")


@timeout(60)
def test_slow_disk_and_flood(w):
    """A flood with nobody attached is logged whole, and the container is not held up for ever."""
    run(w, "flood", "yes 0123456789012345678901234567890123456789 | head -n 200000")
    equal(logs(w, "flood").count("\n"), 200000, "lines")


def test_since_until(w):
    run(w, "times", "echo a; sleep 1.2; echo b; sleep 1.2; echo c")
    stamps = dict(reversed(x.split()) for x in logs(w, "-t", "times").splitlines())
    equal(logs(w, "--since", stamps["b"], "times"), "b\nc\n", "since")
    equal(logs(w, "--until", stamps["b"], "times"), "a\nb\n", "until")
    equal(logs(w, "--since", stamps["b"], "--until", stamps["b"], "times"), "b\n", "both")


def test_daemon_wide(w):
    w.stop()
    w.start("--log-driver", "local", "--log-opt", "max-size=30k")
    try:
        equal(w.get("/info")["LoggingDriver"], "local", "info")
        run(w, "std", "echo x")
        equal(w.inspect("std")["HostConfig"]["LogConfig"], {"Type": "local", "Config": {"max-size": "30k"}}, "its own")
        run(w, "own", "echo x", "--log-driver", "json-file")
        equal(w.inspect("own")["HostConfig"]["LogConfig"], {"Type": "json-file", "Config": {}}, "another's options are not taken")
        run(w, "more", "echo x", "--log-opt", "max-file=2")
        equal(w.inspect("more")["HostConfig"]["LogConfig"]["Config"], {"max-size": "30k", "max-file": "2"}, "both")
    finally:
        w.stop()
        w.start()
    equal(logs(w, "std"), "x\n", "it keeps its driver")


def test_old_log(w):
    """A data root of the version before: its logs are read, and gone on with."""
    run(w, "old", "echo new")
    cid = w.inspect("old")["Id"]
    w.stop()
    folder = "%s/containers/%s/" % (w.data, cid)
    os.unlink(folder + cid + "-json.log")
    with open(folder + cid + ".log", "w") as f:
        f.write("2026-01-02T03:04:05.000000000+00:00 stdout F before\n2026-01-02T03:04:06.000000000+00:00 stdout P par\n"
                "2026-01-02T03:04:06.000000000+00:00 stdout F tial\n")
    w.start()
    equal(logs(w, "old"), "before\npartial\n", "the old log")
    w.docker("start", "-a", "old")
    equal(logs(w, "old"), "before\npartial\nnew\n", "old and new")
    equal(logs(w, "--tail", "2", "old"), "partial\nnew\n", "the last two")


def engine_rss(w):
    with open("/proc/%d/status" % w.engine.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


@timeout(90)
def test_slow_and_vanished_readers(w):
    """A reader who never reads costs little, one who is killed leaves nothing."""
    run(w, "much", "yes 0123456789012345678901234567890123456789 | head -n 300000")
    logs(w, "--tail", "1", "much")
    before = engine_rss(w)
    slow = [subprocess.Popen(["docker", "logs", "-f", "much"], env=dict(w.env, DOCKER_HOST="unix://" + w.socket),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(8)]
    for p in slow:  # it has begun, and then nobody reads
        p.stdout.read(1)
    time.sleep(1)
    grown = engine_rss(w) - before
    check(grown < 16 * 1024 * (3 if w.sanitized() else 1), "eight slow readers cost %d KiB", grown)  # sanitizers keep freed memory
    fds = len(os.listdir("/proc/%d/fd" % w.engine.pid))
    for p in slow:
        p.kill()
        p.wait()
        p.stdout.close()
    until(lambda: len(os.listdir("/proc/%d/fd" % w.engine.pid)) <= fds - 8, "their connections are gone")


main(globals(), setup)
