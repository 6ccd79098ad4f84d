#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The atoll CLI: docker's words and flags on the same engine, and its help."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def test_help(w):
    text = w.atoll("--help")
    for word in ("run", "create", "start", "stop", "rm", "ps", "logs", "exec", "inspect", "images", "load", "import", "rmi", "network",
                 "volume", "version", "info", "events"):
        matches(text, r"(?m)^\s+%s\s" % word)
    contains(w.atoll("run", "--help"), "--network")
    r = w.atoll_try("no-such-command")
    check(r.returncode != 0, "an unknown command succeeded")
    contains(r.stderr, "no-such-command")
    r = w.atoll_try("run", "--no-such-flag", IMAGE)
    equal(r.returncode, 125)
    contains(r.stderr, "--no-such-flag")


def test_run(w):
    equal(w.atoll("run", "--rm", IMAGE, "echo", "hello"), "hello")
    equal(w.atoll_try("run", "--rm", IMAGE, "sh", "-c", "exit 9").returncode, 9)
    equal(w.atoll("run", "-i", "--rm", IMAGE, "cat", input="typed\n"), "typed")
    equal(w.atoll_try("run", "--rm", IMAGE, "no-such-program").returncode, 127)
    r = w.atoll_try("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2")
    equal((r.stdout, r.stderr), ("out\n", "err\n"))


def test_life(w):
    w.atoll("network", "create", "--label", "a=b", "anet")
    contains(w.atoll("network", "ls"), "anet")
    equal(json.loads(w.atoll("network", "inspect", "anet"))[0]["Labels"], {"a": "b"})
    cid = w.atoll("run", "-d", "--name", "box", "--network", "anet", "-p", "8080:80", "-e", "A=1", IMAGE, "sh", "-c",
                  "mkdir /w; echo $A >/w/index.html; exec httpd -f -p 80 -h /w")
    matches(cid, "^[0-9a-f]{64}$")
    w.listening("box", 80)
    contains(w.http_get("internet", "http://%s:8080/" % HOST_UP), "1")
    row = next(x for x in w.atoll("ps").splitlines() if cid[:12] in x)
    for part in (IMAGE, "Up ", "0.0.0.0:8080->80/tcp", "box"):
        contains(row, part)
    equal(w.atoll("exec", "box", "echo", "in"), "in")
    equal(w.atoll_try("exec", "box", "sh", "-c", "exit 6").returncode, 6)
    equal(json.loads(w.atoll("inspect", "box"))[0]["Id"], cid)
    equal(w.atoll("stop", "-t", "0", "box"), "box")
    matches(w.atoll("ps", "-a"), r"Exited \(\d+\)")
    w.atoll("start", "box")
    w.listening("box", 80)
    r = w.atoll_try("rm", "box")
    check(r.returncode != 0, "removed while running")
    equal(w.atoll("rm", "-f", "box"), "box")
    equal(w.atoll("network", "rm", "anet"), "anet")
    r = w.atoll_try("network", "rm", "anet")
    equal(r.returncode, 1)
    contains(r.stderr, "network anet not found")


def test_create_start_logs(w):
    w.atoll("create", "--name", "talk", IMAGE, "sh", "-c", "echo one; echo two")
    w.atoll("start", "talk")
    until(lambda: w.atoll("logs", "talk") == "one\ntwo", "the output")
    equal(w.atoll("logs", "--tail", "1", "talk"), "two")


def test_images_and_volumes(w):
    with open(w.base + "/i.tar", "wb") as f:
        f.write(standin.archive({"mine:1": ([], {"Cmd": ["echo", "loaded"]})}))
    contains(w.atoll("load", "-i", w.base + "/i.tar"), "Loaded image: mine:1")
    contains(w.atoll("images"), "mine")
    equal(w.atoll("run", "--rm", "mine:1"), "loaded")
    contains(w.atoll("rmi", "mine:1"), "Untagged: mine:1")
    equal(w.atoll("volume", "create", "vol"), "vol")
    contains(w.atoll("volume", "ls"), "vol")
    equal(w.atoll("volume", "rm", "vol"), "vol")


def test_version_and_info(w):
    contains(w.atoll("version"), "Server")
    contains(w.atoll("info"), w.data)


if __name__ == "__main__":
    main(globals())
