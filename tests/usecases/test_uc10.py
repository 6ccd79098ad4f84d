#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 10: Prometheus asks the applications for metrics, Promtail sends log files to Loki, Grafana shows both.

The applications of examples/uc10-monitoring/apps.sh run before, on networks of their own; the
world's /var/log is an empty one.
"""
import base64
import os
import shutil
import sys
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import clients  # noqa: E402
import usecase  # noqa: E402
import guide  # noqa: E402

EXAMPLE = TOP + "/examples/uc10-monitoring"
APPS = {"my-web-app": 8080, "my-api-server": 3000, "my-database": 9187}
STACK = {"prometheus": 9090, "grafana": 3000, "loki": 3100}
SOURCES = {"prometheus": "http://prometheus:9090", "loki": "http://loki:3100"}
OUTSIDE = {"internet": "the internet", "lan": "the LAN"}
ADMIN, MONITORING = ("admin", "admin"), "monitoring-net"


# ---- asking ----

def ask(w, port, path, body=None, auth=None, place="internet"):
    """(status, text) of a request to a published port."""
    with w.at(place):
        sock = socket.create_connection((HOST_UP, port), 10)
    conn = http.client.HTTPConnection(HOST_UP, port, timeout=20)
    conn.sock = sock
    headers = {"Content-Type": "application/json"} if body else {}
    if auth:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    try:
        conn.request("POST" if body else "GET", path, body and json.dumps(body), headers)
        r = conn.getresponse()
        return r.status, r.read().decode()
    finally:
        conn.close()


def asked(w, *args, **kw):
    status, text = ask(w, *args, **kw)
    equal(status, 200, text[:300])
    return text


def promql(w, query):
    """{instance: value} of a query's result."""
    answer = json.loads(asked(w, 9090, "/api/v1/query?" + urllib.parse.urlencode({"query": query})))
    return {r["metric"].get("instance", ""): float(r["value"][1]) for r in answer["data"]["result"]}


def lines(text):
    """[(labels, line)] of what Loki answers to a query_range."""
    return [(s["stream"], line) for s in json.loads(text)["data"]["result"] for _, line in s["values"]]


def query_range(query):
    return "/loki/api/v1/query_range?" + urllib.parse.urlencode({"query": query})


def proxied(w, source, path):
    """What a data source answers through Grafana."""
    return asked(w, 3000, "/api/datasources/proxy/uid/%s%s" % (source, path), auth=ADMIN)


def soon(fn, what, seconds=40):
    """Scrapes and log collectors come round by the clock; nobody is told when."""
    return until(fn, what, seconds, 0.2)


def reaches(w, place, address, port):
    """What must get through is tried again; what must not, once."""
    return until(lambda: w.tcp_reach(place, address, port), "%s reaches %s port %d" % (place, address, port), 10, 0.2)


def any_reached(w, place, targets):
    """Does a connection from @place to one of [(address, port)] come about? All are tried at once."""
    with ThreadPoolExecutor(len(targets)) as pool:
        return any(list(pool.map(lambda t: w.tcp_reach(place, *t), targets)))


def up(w, wanted, job="apps"):
    return soon(lambda: promql(w, 'up{job="%s"}' % job) == wanted, "up is %s" % wanted)


def instances(value=1.0, **other):
    return {"%s:%d" % (name, port): other.get(name.replace("-", "_"), value) for name, port in APPS.items()}


# ---- before the guide's lines, and after them ----

def before(case):
    w = case.w
    for name in ("prometheus.yml", "promtail-config.yml"):
        shutil.copy("%s/%s" % (EXAMPLE, name), w.home)
    with open(EXAMPLE + "/apps.sh") as f:
        text = f.read()
    w.sh(re.sub(r"(?m)^docker ", case.how + " ", text), timeout=300)
    for name, port in {**APPS, "my-database": 5432}.items():
        w.listening(name, port, 60)
    case.forbidden("Before they share a network, the web application does not reach the database",
                   lambda: reaches(w, "c:my-api-server", w.address("my-database"), 5432),
                   lambda: w.tcp_reach("c:my-web-app", w.address("my-database"), 5432))


def claims(case):
    ready(case.w)
    published(case)
    metrics(case)
    grafana(case)
    logs(case)
    inside_only(case)
    joining(case)
    shared(case)


def ready(w):
    for name, port in {**STACK, **APPS}.items():
        w.listening(name, port, 60)
    soon(lambda: ask(w, 9090, "/-/ready")[0] == 200, "Prometheus is ready")


def published(case):
    w = case.w
    for place, words in OUTSIDE.items():
        case.claim("Prometheus answers PromQL on port 9090, asked from %s" % words,
                   lambda: json.loads(asked(w, 9090, "/api/v1/query?query=1", place=place))["status"] == "success")
        case.claim("Grafana answers on port 3000, asked from %s" % words, lambda: asked(w, 3000, "/api/health", place=place))
        case.claim("Loki is ready on port 3100, asked from %s" % words, lambda: asked(w, 3100, "/ready", place=place) == "ready\n")


def metrics(case):
    w = case.w
    case.claim("PromQL up is 1 for the three applications", lambda: up(w, instances()))
    case.claim("The database exposes metrics: Prometheus has pg_up 1 of its exporter",
               lambda: soon(lambda: promql(w, "pg_up") == {"my-database:9187": 1.0}, "pg_up"))
    case.claim("Prometheus has the web application's count of requests",
               lambda: soon(lambda: promql(w, 'sum by (instance) (http_requests_total{instance="my-web-app:8080"})').get("my-web-app:8080", 0) > 0,
                            "a count"))
    case.claim("On monitoring-net everyone finds everyone by name", names, w)


def names(w):
    """Who shares another network too may be told the address there."""
    everyone = [*STACK, "promtail", *APPS]
    nets = {n: w.inspect(n)["NetworkSettings"]["Networks"] for n in everyone}
    for a in everyone:
        for b in set(everyone) - {a}:
            there = {nets[b][n]["IPAddress"] for n in nets[a].keys() & nets[b].keys()}
            got = set(w.resolve(a, b))
            check(got and got <= there, "%s finds %s at %s, not at %s", a, b, got, there)
    return True


def grafana(case):
    w = case.w
    case.claim("Grafana wants a login, with the password of GF_SECURITY_ADMIN_PASSWORD", lambda: (
        ask(w, 3000, "/api/datasources")[0], ask(w, 3000, "/api/datasources", auth=("admin", "guess"))[0],
        ask(w, 3000, "/api/datasources", auth=ADMIN)[0]) == (401, 401, 200))
    there = {s["uid"] for s in json.loads(asked(w, 3000, "/api/datasources", auth=ADMIN))}
    for uid, url in SOURCES.items():
        if uid not in there:
            asked(w, 3000, "/api/datasources", {"name": uid, "type": uid, "uid": uid, "access": "proxy", "url": url}, ADMIN)
    case.claim("Grafana shows the metrics of Prometheus, found by its name", lambda: all(
        '"%s"' % i in proxied(w, "prometheus", "/api/v1/query?query=up") for i in instances()))


def logs(case):
    """Each time with a mark of its own: what is found is what was written now."""
    w, mark = case.w, "mark-" + os.urandom(6).hex()
    check(w.http_get("c:loki", "http://%s:8080/health?%s" % (w.address("my-web-app", MONITORING), mark)), "the web application answers")
    with open("/var/log/host.log", "a") as f:
        f.write('a "line" of the host, %s\n' % mark)
    asked_for = query_range('{job="apps"} |= "%s"' % mark)

    def arrived():
        found = lines(asked(w, 3100, asked_for))
        return found and found[0][0]["filename"] == "/var/log/apps/my-web-app.log" and "/health" in found[0][1]
    case.claim("A request is a line of the application's log, and Promtail brings it to Loki", lambda: soon(arrived, "the line"))
    case.claim("The line of the log is seen through Grafana, which finds Loki by its name", lambda: soon(
        lambda: [line for _, line in lines(proxied(w, "loki", asked_for)) if mark in line], "the line"))
    case.claim("A line of a log file of the host arrives as it was written", lambda: soon(
        lambda: [line for _, line in lines(asked(w, 3100, query_range('{job="varlogs"} |= "%s"' % mark)))] == ['a "line" of the host, ' + mark],
        "the line"))


def inside_only(case):
    """The applications' metrics are for monitoring-net alone."""
    w = case.w
    web = w.address("my-web-app", MONITORING)
    for name, port in APPS.items():
        address = w.address(name, MONITORING)
        everywhere = [(n["IPAddress"], port) for n in w.inspect(name)["NetworkSettings"]["Networks"].values()]
        for place, words in OUTSIDE.items():
            case.forbidden("The metrics of %s are not for %s" % (name, words),
                           lambda: soon(lambda: w.http_get("c:prometheus", "http://%s:%d/metrics" % (address, port), 5), "metrics"),
                           lambda: any_reached(w, place, everywhere))
    for place, words in OUTSIDE.items():
        case.forbidden("No port of the host leads %s to an application" % words, lambda: reaches(w, place, HOST_UP, 9090),
                       lambda: any_reached(w, place, [(HOST_UP, p) for p in (8080, 9187, 5432)]))
        case.forbidden("A ping from %s does not reach an application" % words,
                       lambda: soon(lambda: w.ping("c:prometheus", web), "a ping"), lambda: w.ping(place, web))
        echo = w.udp_echo("my-web-app", 8125)
        case.forbidden("A datagram from %s does not reach an application" % words,
                       lambda: soon(lambda: w.udp("c:prometheus", web, 8125), "an echo"), lambda: w.udp(place, web, 8125))
        echo.close()


def joining(case):
    """An application more, and one that leaves."""
    w, name, say = case.w, "my-new-app", case.how
    w.sh("%s run -d --name %s --network web-net -v /var/log/apps:/var/log/apps my-web-app" % (say, name))
    w.listening(name, 8080, 30)
    new = "%s:8080" % w.address(name, "web-net")
    case.forbidden("Prometheus does not reach an application that has not joined by address",
                   lambda: reaches(w, "c:prometheus", w.address("my-web-app", MONITORING), 8080),
                   lambda: w.tcp_reach("c:prometheus", w.address(name, "web-net"), 8080))
    case.forbidden("Prometheus does not find an application that has not joined by name",
                   lambda: w.resolve("prometheus", "my-web-app"), lambda: w.resolve("prometheus", name))
    for target, port in (("prometheus", 9090), ("loki", 3100)):
        case.forbidden("An application that has not joined does not reach %s by address" % target,
                       lambda: reaches(w, "c:my-web-app", w.address(target), port), lambda: w.tcp_reach("c:" + name, w.address(target), port))
    w.sh("%s network connect --alias monitored %s %s" % (say, MONITORING, name))
    joined = "%s:8080" % w.address(name, MONITORING)
    check(joined != new, "another address on another network")
    case.claim("A new application is in up as soon as it has joined; no configuration changes", lambda: up(w, {joined: 1.0}, "joined"))
    w.sh("%s network disconnect %s %s" % (say, MONITORING, name))
    case.claim("An application that leaves is gone from up", lambda: up(w, {}, "joined"))
    w.sh("%s rm -f %s" % (say, name))
    w.sh("%s network disconnect %s my-api-server" % (say, MONITORING))
    case.claim("An application that was disconnected has up 0, the others stay 1", lambda: up(w, instances(my_api_server=0.0)))
    w.sh("%s network connect %s my-api-server" % (say, MONITORING))
    case.claim("An application that is connected again has up 1", lambda: up(w, instances()))


def shared(case):
    """What a shared network means: no isolation between those that share it, on Docker as here."""
    w = case.w
    case.claim("The applications reach each other on monitoring-net: a shared network does not isolate",
               lambda: reaches(w, "c:my-web-app", w.address("my-database", MONITORING), 5432))
    case.forbidden("Their addresses on networks of their own stay closed to those that are not on them",
                   lambda: reaches(w, "c:my-api-server", w.address("my-database", "api-net"), 5432),
                   lambda: w.tcp_reach("c:my-web-app", w.address("my-database", "api-net"), 5432))


# ---- the tests ----

@timeout(400)
def test_docker(w):
    with open(EXAMPLE + "/run.sh") as f:
        contains(f.read(), guide.scripts(10)[0])
    case = usecase.Case(w, 10)
    before(case)
    case.run(timeout=300)
    claims(case)
    case.kill9()
    claims(case)
    w.sh(EXAMPLE + "/down.sh")
    case.claim("down.sh leaves no container and no network", lambda: not w.get("/containers/json?all=1") and not [
        n for n in w.get("/networks") if n["Name"] not in PREDEFINED])
    case.done()


@timeout(400)
def test_atoll(w):
    case = usecase.Case(w, 10, "atoll")
    before(case)
    case.run(kill=True, timeout=300)
    claims(case)
    case.done()


@timeout(300)
def test_compose(w):
    case = usecase.Case(w, 10, "compose")
    folder = w.home + "/uc10-monitoring"
    shutil.copytree(EXAMPLE, folder)
    compose = clients.Client(w, "docker compose 2.26", clients.COMPOSE2)
    compose.cwd = folder
    compose("up", "-d", timeout=300)
    names = {s: "uc10-monitoring-%s-1" % s for s in [*STACK, "promtail", *APPS]}
    w.listening(names["my-database"], 9187, 60)
    soon(lambda: w.tcp_reach("internet", HOST_UP, 9090) and ask(w, 9090, "/-/ready")[0] == 200, "Prometheus is ready")
    case.claim("compose.yml makes the same: up is 1 for the three applications", lambda: up(w, instances()))
    case.claim("compose.yml makes the same: a line of a log file arrives", lambda: soon(lambda: lines(asked(w, 3100, query_range(
        '{filename="/var/log/apps/my-web-app.log"} |= "/metrics"'))), "a line"))
    database = [(n["IPAddress"], 9187) for n in w.inspect(names["my-database"])["NetworkSettings"]["Networks"].values()]
    case.forbidden("compose.yml makes the same: the metrics of the database are not for the internet",
                   lambda: reaches(w, "c:" + names["prometheus"], w.address(names["my-database"], "uc10-monitoring_monitoring-net"), 9187),
                   lambda: any_reached(w, "internet", database))
    compose("down", "-v", timeout=120)
    case.done()


if __name__ == "__main__":
    usecase.main(globals(), 10)
