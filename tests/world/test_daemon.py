#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon itself: its metrics, SIGHUP, --validate, --init-path."""
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

from prometheus_client.parser import text_string_to_metric_families  # noqa: E402  (python3-prometheus-client)

METRICS = "127.0.0.1:9323"


def setup(w):
    w.config = w.base + "/daemon.json"
    write(w, {})
    w.flags += ["--config-file", w.config, "--metrics-addr", METRICS]
    w.restart()


def write(w, what):
    with open(w.config, "w") as f:
        f.write(what if isinstance(what, str) else json.dumps(what))


def scrape(w):
    """{name: [(labels, value)]} as a scraper sees it; the page is checked by Prometheus's own parser."""
    text = w.http_get("host", "http://%s/metrics" % METRICS)
    check(text, "no metrics")
    out = {}
    for family in text_string_to_metric_families(text):
        check(family.documentation and family.type != "unknown", "%s has no help or type", family.name)
        for s in family.samples:
            check((s.name, s.labels) not in [(s.name, x) for x, _ in out.get(s.name, [])], "%s %s twice", s.name, s.labels)
            out.setdefault(s.name, []).append((s.labels, s.value))
    return out


def value(metrics, name, **labels):
    got = [v for have, v in metrics.get(name, []) if all(have.get(k) == x for k, x in labels.items())]
    equal(len(got), 1, "samples of %s %s" % (name, labels))
    return got[0]


def total(metrics, name, **labels):
    return sum(v for have, v in metrics.get(name, []) if all(have.get(k) == x for k, x in labels.items()))


# ---- metrics ----

def test_metrics(w):
    before = scrape(w)
    w.docker("network", "create", 'odd-net')
    w.docker("run", "-d", "--name", "one", "--network", "odd-net", "-p", "8080:80", "-p", "8081:81/udp", IMAGE, "sleep", "600")
    w.docker("create", "--name", "two", "--network", "odd-net", IMAGE, "true")
    for _ in range(3):
        w.docker_fails("inspect", "--type", "container", "nobody")
    m = scrape(w)
    states = "engine_daemon_container_states_containers"
    equal([value(m, states, state=s) for s in ("running", "paused", "stopped")], [1, 0, 1])
    w.docker("pause", "one")
    equal([value(scrape(w), states, state=s) for s in ("running", "paused", "stopped")], [0, 1, 1])
    w.docker("unpause", "one")
    for action, more in (("create", 2), ("start", 1), ("delete", 0)):
        equal(value(m, "engine_daemon_container_actions_seconds_count", action=action) -
              value(before, "engine_daemon_container_actions_seconds_count", action=action), more, action)
        equal(value(m, "engine_daemon_container_actions_seconds_bucket", action=action, le="+Inf"),
              value(m, "engine_daemon_container_actions_seconds_count", action=action))
    equal([value(m, "atoll_network_endpoints", network="odd-net", driver="bridge", state=s) for s in ("attached", "resting")], [1, 1])
    equal(value(m, "atoll_networks"), 4)
    check(value(m, "atoll_published_ports", protocol="tcp") >= 1 and value(m, "atoll_published_ports", protocol="udp") >= 1, "ports")
    requests = "atoll_http_request_duration_seconds_count"
    equal(total(m, requests, route="/containers/{id}/json", code="404") - total(before, requests, route="/containers/{id}/json", code="404"), 3)
    check(value(m, "engine_daemon_events_total") > value(before, "engine_daemon_events_total"), "events")
    info = m["engine_daemon_engine_info"][0][0]
    equal((info["daemon_id"], info["kernel"], info["version"]), (w.get("/info")["ID"], os.uname().release, w.get("/version")["Version"]))
    equal(value(m, "engine_daemon_engine_cpus_cpus"), w.get("/info")["NCPU"])
    equal(value(m, "engine_daemon_engine_memory_bytes"), w.get("/info")["MemTotal"])
    check(1e6 < value(m, "process_resident_memory_bytes") < 1e9 and value(m, "process_open_fds") > 10 and value(m, "process_cpu_seconds_total") > 0 and
          abs(value(m, "process_start_time_seconds") - time.time()) < 3600, "the process")
    stream = w.connect_api()
    stream.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    stream.recv(10)
    m = scrape(w)
    equal(value(m, "engine_daemon_events_subscribers_total"), 1)
    check(value(m, "atoll_http_connections") >= 1)
    stream.close()


def test_metrics_has_no_api(w):
    for path in ("/", "/containers/json", "/_ping", "/metrics/x"):
        equal(w.http_get("host", "http://%s%s" % (METRICS, path)), None, path)
    check(w.http_get("host", "http://%s/metrics?x=1" % METRICS))


# ---- SIGHUP ----

def hup(w, what):
    """Reloads. Return: the log since, once the event of it has come."""
    write(w, what)
    mark = w.log_size()
    with w.event('"Action":"reload"'):
        w.engine.send_signal(signal.SIGHUP)
    return w.log_tail(50, mark)


def test_reload(w):
    text = hup(w, {"labels": ["a=b", "c=d"], "insecure-registries": ["reg.test:5000"], "registry-mirrors": ["https://mirror.test"],
                   "shutdown-timeout": 3, "debug": True})
    contains(text, "keys=")
    for key in ("labels", "insecure-registries", "registry-mirrors", "shutdown-timeout", "debug"):
        contains(text, key)
    info = w.get("/info")
    equal((info["Labels"], info["Debug"]), (["a=b", "c=d"], True))
    contains(info["RegistryConfig"]["Mirrors"], "https://mirror.test/")
    # what cannot change is named and stays
    text = hup(w, {"labels": ["a=b"], "mtu": 1400, "debug": True})
    matches(text, r"need a restart of the engine keys=mtu")
    equal(w.get("/info")["Labels"], ["a=b"])
    contains(hup(w, {"labels": ["a=b"], "mtu": 1400, "debug": True}), "mtu")
    # a file that is wrong changes nothing
    for wrong in ("{", '{"nonsense": 1}', '{"labels": 3}', '{"labels": ["x=y"], "mtu": "big"}'):
        write(w, wrong)
        mark = w.log_size()
        w.engine.send_signal(signal.SIGHUP)
        until(lambda: "the configuration stays as it was" in w.log_tail(50, mark), "refused: " + wrong)
        equal(w.get("/info")["Labels"], ["a=b"])
    hup(w, {})
    equal(w.get("/info")["Labels"] or [], [])


def test_event_of_a_reload(w):
    write(w, {"labels": ["x=1"]})
    stream = w.connect_api()
    stream.sendall(b"GET /events HTTP/1.0\r\n\r\n")
    got = b""
    while b"\r\n\r\n" not in got:
        got += stream.recv(4096)
    w.engine.send_signal(signal.SIGHUP)
    while b"\n" not in got.split(b"\r\n\r\n", 1)[1]:
        got += stream.recv(4096)
    ev = json.loads(got.split(b"\r\n\r\n", 1)[1])
    equal((ev["Type"], ev["Action"], ev["Actor"]["ID"]), ("daemon", "reload", w.get("/info")["ID"]))
    equal(ev["Actor"]["Attributes"]["labels"], '["x=1"]')
    stream.close()


# ---- --validate, --init-path ----

def test_validate(w):
    def validate(*args):
        r = run(w.build + "/src/bin/atolld", "--validate", *args, env=w.env)
        return r.returncode, r.stderr.strip()

    path = w.base + "/other.json"
    with open(path, "w") as f:
        json.dump({"labels": ["a=b"], "hosts": ["unix://%s/never.sock" % w.base]}, f)
    equal(validate("--config-file", path), (0, "configuration OK"))
    check(not os.path.exists(w.base + "/never.sock"), "it listens")
    with open(path, "w") as f:
        json.dump({"unheard-of": 1}, f)
    code, text = validate("--config-file", path)
    equal(code, 1)
    contains(text, "the following directives don't match any configuration option: unheard-of")
    equal(validate("--mtu", "x")[0], 1)
    code, text = validate("--tlsverify", "--tlscacert", "/nowhere/ca", "--tlscert", "/nowhere/c", "--tlskey", "/nowhere/k")
    equal(code, 1)
    contains(text, "/nowhere/k")


def test_init_path(w):
    """The program that --init puts in front, named by the option."""
    own = w.base + "/own-init"
    with open(own, "w") as f:
        f.write("#!/bin/sh\necho own init\nshift\nexec \"$@\"\n")
    os.chmod(own, 0o755)
    before = list(w.flags)
    try:
        w.flags = before + ["--init-path", own]
        w.restart()
        equal(w.docker("run", "--rm", "--init", IMAGE, "echo", "x"), "own init\nx")
        equal(w.get("/info")["InitBinary"], own)
        w.flags = before + ["--init-path", "/nowhere/init"]
        w.restart()
        contains(w.docker_fails("run", "--rm", "--init", IMAGE, "true"), "/nowhere/init")
    finally:
        w.flags = before
        w.restart()


main(globals(), setup)
