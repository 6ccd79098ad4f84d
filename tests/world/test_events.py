#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""GET /events: what is told of whom, filters, times, readers that do not read. Runs on dockerd, too."""
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testbed import IMAGE, Skip, check, contains, equal, main, timeout, until  # noqa: E402


class Watch:
    """The events of a block, from the engine's memory of it."""

    def __init__(self, w, **filters):
        self.w, self.filters, self.since = w, filters, time.time()

    def all(self):
        query = "since=%.9f&until=%.9f" % (self.since, time.time())
        if self.filters:
            query += "&filters=" + json.dumps({k: [v] if isinstance(v, str) else v for k, v in self.filters.items()})
        r = self.w.api("GET", "/v1.41/events?" + query.replace(" ", ""))
        equal(r.status, 200, repr(r))
        return [json.loads(line) for line in r.text.splitlines()]

    def actions(self):
        return ["%s %s" % (e["Type"], e["Action"]) for e in self.all()]


def attributes(events, kind, action):
    found = [e["Actor"]["Attributes"] for e in events if (e["Type"], e["Action"]) == (kind, action)]
    check(found, "no %s %s in %s", kind, action, [e["Action"] for e in events])
    return found[0]


def test_the_life_of_a_container(w):
    watch = Watch(w)
    w.docker("run", "-d", "--name", "one", "--label", "a=b", "-v", "vol:/v", IMAGE, "sleep", "1000")
    cid = w.inspect("one")["Id"]
    w.docker("rename", "one", "two")
    w.docker("stop", "-t", "0", "two")
    w.docker("rm", "two")
    w.docker("volume", "rm", "vol")
    events = watch.all()
    equal([e["Type"] + " " + e["Action"] for e in events],
          ["volume create", "container create", "volume mount", "network connect", "container start", "container rename",
           "container kill", "container kill", "container die", "network disconnect", "volume unmount",
           "container stop", "container destroy", "volume destroy"] if w.kind != "dockerd" else
          [e["Type"] + " " + e["Action"] for e in events])
    start = [e for e in events if e["Action"] == "start"][0]
    equal((start["status"], start["id"], start["from"], start["scope"]), ("start", cid, IMAGE, "local"))
    equal(start["Actor"], {"ID": cid, "Attributes": {"image": IMAGE, "name": "one", "a": "b"}})
    equal(start["timeNano"] // 10**9, start["time"])
    equal(attributes(events, "container", "rename")["oldName"], "/one")
    equal(attributes(events, "container", "kill")["signal"], "15")
    die = attributes(events, "container", "die")
    equal(die["exitCode"], "137")
    check(w.kind == "dockerd" or int(die["execDuration"]) < 60, "%s", die)
    mount = attributes(events, "volume", "mount")
    equal({k: mount[k] for k in ("driver", "destination", "read/write", "container")},
          {"driver": "local", "destination": "/v", "read/write": "true", "container": cid})
    equal(attributes(events, "volume", "unmount"), {"driver": "local", "container": cid})
    equal(attributes(events, "network", "connect")["container"], cid)


def test_restart_and_forced_removal(w):
    w.docker("run", "-d", "--name", "one", IMAGE, "sleep", "1000")
    watch = Watch(w, type="container")
    w.docker("restart", "-t", "0", "one")
    w.docker("rm", "-f", "one")
    got = [a.split()[1] for a in watch.actions()]
    for want in ("kill", "die", "stop", "start", "restart", "destroy"):
        check(want in got, "%s is not in %s", want, got)
    check(got.index("die") < got.index("stop") < got.index("start") < got.index("restart") < got.index("destroy"), got)
    equal(got[-3:], ["kill", "die", "destroy"])


def test_attach_and_resize(w):
    watch = Watch(w, type="container")
    w.docker("run", "--name", "one", IMAGE, "true")
    check("container attach" in watch.actions(), "%s", watch.actions())
    w.docker("run", "-d", "-it", "--name", "two", IMAGE, "sh")
    w.api("POST", "/containers/two/resize?h=30&w=70")
    size = attributes(watch.all(), "container", "resize")
    equal((size["height"], size["width"]), ("30", "70"))


def test_images_and_prunes(w):
    watch = Watch(w)
    w.load({"events/one:1": []})
    w.docker("tag", "events/one:1", "events/two:1")
    w.docker("rmi", "events/two:1", "events/one:1")
    w.docker("create", "--name", "gone", IMAGE)
    w.docker("network", "create", "nw")
    w.api("POST", "/containers/prune")
    w.api("POST", "/networks/prune")
    w.api("POST", "/volumes/prune")
    w.api("POST", "/images/prune")
    events = watch.all()
    got = [e["Type"] + " " + e["Action"] for e in events]
    for want in ("image load", "image tag", "image untag", "image delete", "network create", "network destroy",
                 "container prune", "network prune", "volume prune", "image prune"):
        check(want in got, "%s is not in %s", want, got)
    equal(attributes(events, "image", "tag")["name"], "events/two:1")
    equal(attributes(events, "container", "prune")["reclaimed"], "0")


def test_filters(w):
    watch = Watch(w)
    one = w.docker("run", "-d", "--name", "one", "--label", "a=b", "-v", "vol:/v", IMAGE, "true")
    w.docker("wait", "one")
    w.docker("run", "-d", "--name", "two", IMAGE, "true")
    w.docker("wait", "two")
    until(lambda: watch.actions().count("container die") == 2, "both ends")

    def got(**filters):
        watch.filters = filters
        return watch.all()

    def actors(**filters):
        return {e["Actor"]["ID"] for e in got(**filters)}

    equal(actors(container="one"), {one})
    equal(actors(container=one[:12]), {one})
    equal({e["Action"] for e in got(event="die")}, {"die"})
    equal({e["Action"] for e in got(event=["die", "start"], container="one")}, {"die", "start"})
    equal({e["Type"] for e in got(type="volume")}, {"volume"})
    equal(actors(volume="vol"), {"vol"})
    equal(actors(label="a=b"), {one})
    equal(actors(label="a=c"), set())
    equal(len(actors(image=IMAGE)), 2)
    equal(len(actors(image=IMAGE.split(":")[0])), 2)
    check(all(e["Type"] == "network" for e in got(network="bridge")) and got(network="bridge"), "network=bridge")
    equal(got(scope="swarm"), [])
    equal(got(daemon="nobody"), [])
    r = w.api("GET", "/events?until=1&filters=nonsense")
    check(r.status == 400 or w.kind == "dockerd", "%r", r)


def test_times(w):
    before = time.time()
    w.docker("volume", "create", "timed")
    between = time.time()
    w.docker("volume", "rm", "timed")

    def got(since, until_):
        r = w.api("GET", "/events?since=%s&until=%s&filters={\"type\":[\"volume\"]}" % (since, until_))
        equal(r.status, 200, repr(r))
        return [json.loads(x)["Action"] for x in r.text.splitlines()]

    equal(got("%.9f" % before, "%.9f" % between), ["create"], "fractions of a second")
    equal(got("%.9f" % between, "%.9f" % time.time()), ["destroy"])
    out = w.docker("events", "--since", "1m", "--until", "-1s", "--filter", "volume=timed", "--format", "{{.Action}}")
    equal(out.split(), ["create", "destroy"], "relative to now")
    began = time.monotonic()
    equal(got("%.9f" % between, "%.9f" % (time.time() + 1)), ["destroy"])
    check(time.monotonic() - began > 0.8, "it did not wait until")
    r = w.api("GET", "/events?since=2&until=1")
    equal(r.status, 400)
    contains(r.message, "`since` time (2) cannot be after `until` time (1)")
    check(w.api("GET", "/events?since=nonsense").status in ((400,) if w.kind != "dockerd" else (400, 500)), "nonsense")


@timeout(120)
def test_a_reader_that_does_not_read_is_cut_off(w):
    if w.kind == "dockerd":
        raise Skip("drops events instead")

    def resident():
        with open("/proc/%d/status" % w.engine.pid) as f:
            return [int(x.split()[1]) for x in f if x.startswith("VmRSS")][0]

    lazy = w.connect_api()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    label = "x" * 60000
    before = resident()
    # 2 events of more than 60,000 bytes each
    for _ in range(200):
        r = w.api("POST", "/containers/create", {"Image": IMAGE, "Labels": {"l": label}})
        equal(w.api("DELETE", "/containers/" + r.json["Id"]).status, 204)
    grown = resident() - before
    check(w.sanitized() or grown < 64 << 10, "%d KiB more", grown)  # freed memory is kept by ASan
    lazy.settimeout(20)
    total = 0
    while True:
        part = lazy.recv(1 << 20)
        if not part:
            break
        total += len(part)
    check(total < 20 << 20, "%d bytes were kept for it", total)
    contains(w.log_tail(4000), "an event watcher is too far behind")
    equal(w.api("GET", "/_ping").text, "OK")


def test_what_is_remembered_is_bounded(w):
    if w.kind == "dockerd":
        raise Skip("256 of them")
    for _ in range(30):  # the history is of 1,000 events; a flood of large ones is bounded by their bytes
        r = w.api("POST", "/containers/create", {"Image": IMAGE, "Labels": {"l": "x" * 1000000}})
        w.api("DELETE", "/containers/" + r.json["Id"])
    r = w.api("GET", "/events?since=1&until=%.9f" % time.time())
    check(len(r.body) < 20 << 20, "%d bytes of history", len(r.body))
    check(r.body.endswith(b"\n"), "whole lines")


if __name__ == "__main__":
    main(globals())
