#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 8: development, staging and production on one host, with a shared monitoring. The guide's lines as they
stand; then the databases with the passwords they need, and the monitoring that keeps the environments apart."""
import os
import shutil
import sys
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import testbed  # noqa: E402
from testbed import *  # noqa: E402,F403
import usecase  # noqa: E402
from usecase import clients, guide  # noqa: E402
from talk import fetch, listens, open_ports, program, psql, redis  # noqa: E402
from ways import Ways, route  # noqa: E402

EXAMPLE = testbed.TOP + "/examples/uc08-many-environments"
ENVS = {"dev": ("1.4.0-dev", 3001), "staging": ("1.3.0-rc1", 3002), "prod": ("1.2.0", 443)}  # the API's version and port
PORTS = {"api": (3000,), "db": (5432,), "redis": (6379,)}
WATCHERS = {"prometheus": (9090,), "grafana": (3000,)}
ALL = {**{"%s-%s" % (env, s): ports for env in ENVS for s, ports in PORTS.items()}, **WATCHERS}


def containers(env):
    return ["%s-%s" % (env, s) for s in PORTS]


def others(env):
    return [e for e in ENVS if e != env]


def say(case, script):
    """A script of the example, in the words of the case's client."""
    with open("%s/%s.sh" % (EXAMPLE, script)) as f:
        text = f.read().replace('"$(dirname "$0")"', EXAMPLE)
    if not usecase.ISOLATED:
        text = text.replace(" --internal ", " ")
    case.w.sh(text.replace("docker ", "atoll ") if case.how == "atoll" else text)


def ready(w):
    for name, ports in ALL.items():
        listens(w, name, ports[0])


# ---- the guide's lines as they stand ----

def ended(w, name):
    """A database without a password."""
    until(lambda: w.inspect(name)["State"]["Status"] == "exited", name + " ends", 30)
    equal(w.inspect(name)["State"]["ExitCode"], 1)
    return "POSTGRES_PASSWORD" in w.docker_try("logs", name).stderr


def claims_verbatim(case):
    with open(EXAMPLE + "/run.sh") as f:
        equal([line for line in f.read().splitlines() if line.startswith("docker ")], guide.commands(8), "the example's lines")
    case.claim("the guide's lines give the databases no password: postgres:15 ends with 1, and says that it wants POSTGRES_PASSWORD",
               lambda: all([ended(case.w, env + "-db") for env in ENVS]))


# ---- with passwords ----

def api(env, w, place="internet", path="/"):
    r = fetch(w, place, "http://%s:%d%s" % (env, ENVS[env][1], path))
    equal(r.status, 200, "%s of %s from %s: %s" % (path, env, place, r.text))
    return r.json


def answers(env, w):
    """The API of @env from each place, as itself."""
    return all(equal((a["service"], a["version"]), ("api", ENVS[env][0])) is None for a in [api(env, w, place) for place in PLACES])


def own_data(env, w):
    """The API writes into its own database and cache; nobody else sees it."""
    def counts():
        return {e: psql_rows(w, e) for e in ENVS}, {e: program(w, e + "-redis", "c:%s-redis" % e, "redis-cli", "get", "visits:api") for e in ENVS}
    before = counts()
    answer = api(env, w, path="/db?host=%s-db&name=postgres&password=%s" % (env, quote(env + "-secret")))
    equal(answer["database"], env + "-db:5432/postgres")
    visits = api(env, w, path="/redis?host=%s-redis" % env)["visits"]
    before[0][env] += 1
    before[1][env] = str(visits)
    return equal(counts(), before) is None


def psql_rows(w, env):
    text = w.docker("exec", env + "-db", "psql", "-U", "postgres", "-Atc", "select to_regclass('visits') is not null")
    return int(w.docker("exec", env + "-db", "psql", "-U", "postgres", "-Atc", "select count(*) from visits")) if text == "t" else 0


def claims_table(case):
    """The guide's isolation matrix, its columns of ports."""
    w = case.w
    for env, (version, port) in ENVS.items():
        case.claim("%s, App Port: %d answers to the host, the LAN and the internet, version %s of the API" % (env, port, version), answers, env, w)
    case.claim("different versions run simultaneously", lambda: equal({e: api(e, w)["version"] for e in ENVS}, {e: v for e, (v, _) in ENVS.items()}) is None)
    case.claim("dev, DB: psql talks to PostgreSQL 15 on 5433 from the host, the LAN and the internet", lambda: all(
        psql(w, "dev-db", place, "dev-secret", "show server_version", 5433).startswith("15.") for place in PLACES))
    case.claim("dev: redis-cli talks to Redis on 6380 from the host, the LAN and the internet", lambda: all(
        redis(w, "dev-redis", place, "set", "from", place, port=6380) == "OK" for place in PLACES))
    for place in ("LAN", "internet"):
        case.claim("staging, prod, DB: N/A, of the host's first 10000 ports the %s finds what the guide publishes alone" % place, lambda place=place: (
            equal(open_ports(w, place.lower()), [443, 3000, 3001, 3002, 5433, 6380, 9090]) is None))
    for env in ENVS:
        case.claim("%s: the API uses its own database and cache by name, and the others' rows and keys stay as they are" % env, own_data, env, w)


def claims_apart(case, ways):
    """Complete isolation between environments."""
    for a in ENVS:
        for b in others(a):
            case.claim("nothing of %s reaches anything of %s on its own network, by address or name" % (a, b), ways.none,
                       [(x, y) for x in containers(a) for y in containers(b)])
    for text, envs in (("staging and prod: neither the LAN nor the internet reaches a database or cache", ("staging", "prod")),
                       ("dev: the LAN and the internet reach database and cache by the published ports alone, not at their own addresses", ("dev",))):
        case.claim(text, ways.none, [(place, "%s-%s" % (env, s)) for place in ("lan", "internet") for env in envs for s in ("db", "redis")])
    case.claim("no API, taken over, can use another one as a router into its network", no_router, ways)


def no_router(ways):
    """With a route to each other environment's network over its API's address on the shared one."""
    w, pairs = ways.w, []
    with contextlib.ExitStack() as routes:
        for a in ENVS:
            for b in others(a):
                subnet = w.network(b + "-network")["IPAM"]["Config"][0]["Subnet"]
                routes.enter_context(route(w, a + "-api", subnet, ways.at[b + "-api"]["monitoring-network"]))
                pairs += [(a + "-api", "%s-%s" % (b, s)) for s in ("db", "redis")]
        return ways.none(pairs, anew=True)


# ---- monitoring ----

def prometheus(w, what):
    """An answer of its API."""
    return fetch(w, "lan", "http://prometheus:9090/api/v1/" + what).json["data"]


def promql(w, query):
    """{labels of interest: value} of an instant query."""
    return {r["metric"].get("environment") or r["metric"]["instance"]: r["value"][1] for r in prometheus(w, "query?query=" + quote(query))["result"]}


def targets(w, job):
    """{instance: (health, last error)}"""
    there = prometheus(w, "targets?state=active")["activeTargets"]
    return {t["labels"]["instance"]: (t["health"], t["lastError"]) for t in there if t["labels"]["job"] == job}


def sees_all(w):
    want = {env: "1" for env in ENVS}
    until(lambda: promql(w, 'up{job="apis"}') == want, "Prometheus sees the three", 30, 0.3)
    versions = {r: v for r, v in promql(w, "count by (environment) (service_info)").items()}
    return equal(versions, want) is None


def finds_none(w):
    """Prometheus is told of the databases and caches, and cannot even find them."""
    def all_tried():
        there = targets(w, "out-of-reach")
        return there if len(there) == 6 and all(health == "down" for health, _ in there.values()) else None
    got = until(all_tried, "Prometheus has tried", 30, 0.3)
    check(all("no such host" in error for _, error in got.values()), "%s", got)
    return set(promql(w, 'up{job="out-of-reach"}').values()) == {"0"}


def claims_monitoring(case, ways):
    w = case.w
    case.claim("shared monitoring sees all environments: PromQL up is 1 for the three APIs, each with its own version", sees_all, w)
    case.claim("shared monitoring finds no database and no cache, though it is told to: no such host", finds_none, w)
    case.claim("shared monitoring reaches no database and no cache, by address or name", ways.none,
               [(x, "%s-%s" % (env, s)) for x in WATCHERS for env in ENVS for s in ("db", "redis")])
    case.claim("no database and no cache reaches the monitoring", ways.none,
               [("%s-%s" % (env, s), x) for x in WATCHERS for env in ENVS for s in ("db", "redis")])
    case.claim("grafana reaches prometheus by name", lambda: "Prometheus" in w.docker(
        "exec", "grafana", "python3", "-c", "import urllib.request as u; print(u.urlopen('http://prometheus:9090/-/healthy').read().decode())"))


def calls(w, a, b):
    """What the API of @a is told by that of @b, which it asks by name."""
    return api(a, w, path="/call?url=http://%s-api:3000/" % b)


def claims_hole(case):
    case.claim("the hole of the pattern, as in Docker: over the shared monitoring-network each API reaches the others, by name", lambda: all(
        calls(case.w, a, b)["answer"]["version"] == ENVS[b][0] for a in ENVS for b in others(a)))


def claims_mended(case):
    with Ways(case.w, *ALL, ports=ALL) as ways:
        for a in ENVS:
            case.claim("with a monitoring network for each environment: the API of %s reaches no other, by address or name" % a,
                       ways.none, [(a + "-api", b + "-api") for b in others(a)])
    case.claim("with a monitoring network for each environment: Prometheus sees all three still", sees_anew, case.w)


def sees_anew(w):
    """By scrapes that began after now."""
    now = prometheus(w, "query?query=time()")["result"][0]
    query = 'min by (environment) (timestamp(up{job="apis"} == 1)) > bool %s' % now
    return bool(until(lambda: promql(w, query) == {env: "1" for env in ENVS}, "Prometheus sees the three", 30, 0.3))


def claims(case):
    claims_table(case)
    with Ways(case.w, *ALL, ports=ALL) as ways:
        claims_apart(case, ways)
        claims_monitoring(case, ways)


def no_interference(case):
    """An environment comes and goes; the others do not notice."""
    w, before = case.w, {c: case.w.inspect(c)["State"]["StartedAt"] for env in ("staging", "prod") for c in containers(env)}

    def holds():
        w.docker("rm", "-f", "-v", *containers("dev"))
        w.docker("network", "rm", "dev-network")
        check(not w.tcp_reach("lan", HOST_LAN, 3001), "dev's port is open")
        check(all(answers(env, w) and own_data_alone(env, w) for env in ("staging", "prod")), "another environment suffers")
        return equal({c: w.inspect(c)["State"]["StartedAt"] for c in before}, before) is None
    case.claim("no interference: dev is removed, staging and prod run and work on", holds)


def own_data_alone(env, w):
    return api(env, w, path="/db?host=%s-db&name=postgres&password=%s-secret" % (env, env))["count"] > 0


@timeout(400)
def test_docker(w):
    case = usecase.Case(w, 8)
    case.run()
    claims_verbatim(case)
    say(case, "databases")
    say(case, "monitor")
    ready(w)
    for again in (False, True):
        if again:
            case.kill9()
        claims(case)
        claims_hole(case)
    say(case, "apart")
    claims_mended(case)
    case.kill9()
    claims_mended(case)
    no_interference(case)
    case.done()


@timeout(400)
def test_atoll(w):
    case = usecase.Case(w, 8, "atoll")
    case.run(kill=True)
    claims_verbatim(case)
    say(case, "databases")
    say(case, "monitor")
    ready(w)
    claims(case)
    claims_hole(case)
    say(case, "apart")
    claims_mended(case)
    case.done()


@timeout(200)
def test_compose(w):
    """The example's compose file."""
    case, folder = usecase.Case(w, 8, "docker compose 2.26"), w.base + "/uc08"
    shutil.copytree(EXAMPLE, folder)
    client = clients.Client(w, "docker compose 2.26", clients.COMPOSE2, cwd=folder)
    client("up", "-d", timeout=180)
    ready(w)
    claims_table(case)
    case.claim("shared monitoring sees all environments: PromQL up is 1 for the three APIs, each with its own version", sees_all, w)
    client("down", "-v")
    case.claim("compose: down leaves nothing", lambda: not w.get("/containers/json?all=1") and not [
        n for n in w.get("/networks") if n["Name"] not in PREDEFINED])
    case.done()


if __name__ == "__main__":
    usecase.main(globals(), 8)
