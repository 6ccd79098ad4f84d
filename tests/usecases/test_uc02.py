#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 2, three tiers: each layer talks to its neighbours and to nobody else, even when it is taken over."""
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import usecase  # noqa: E402
from talk import fetch, open_ports, postgres_answers, status  # noqa: E402
from ways import OUTSIDE, Ways, soon  # noqa: E402

EXAMPLE = TOP + "/examples/uc02-three-tiers"
PORTS = {"web-ui": 80, "api-gateway": 443, "api-server": 3000, "postgres-db": 5432}
# the guide's security matrix
MATRIX = {"web-ui": {"frontend-net"}, "api-gateway": {"frontend-net", "backend-net"}, "api-server": {"backend-net", "database-net"},
          "postgres-db": {"database-net"}}
NETS = ("frontend-net", "backend-net", "database-net")
DATABASE = "postgres://postgres:securepass@postgres-db:5432/appdb"


def ready(w):
    for name, port in PORTS.items():
        w.listening(name, port, 60)
    until(lambda: health(w, "host") == 200, "the API is healthy", 30)
    until(lambda: psql(w, "select 1").returncode == 0, "the database lets the API in", 60, 0.2)


def health(w, place):
    """The status with which the API answers, at its address on the backend network."""
    return status(w, place, "http://%s:3000/health" % w.address("api-server", "backend-net"), wait=1)


def psql(w, sql, at="api-server"):
    return w.exec(at, "psql", DATABASE, "-Atc", sql)


def ca(w):
    return w.exec("api-gateway", "cat", "/var/lib/kong/tls/ca.pem").stdout


def asked(w, place, path):
    """What @place gets over HTTPS, certificate verified, at the host's address."""
    r = fetch(w, place, "https://localhost" + path, ca(w))
    check(r.status == 200, "%s: %r", path, r)
    return r


# ---- what works ----

def written_and_read(w):
    word = os.urandom(6).hex()
    check(psql(w, "create table if not exists words (word text)").returncode == 0, "a table is made")
    check(psql(w, "insert into words values ('%s')" % word).returncode == 0, "a row is written")
    return word in psql(w, "select word from words").stdout.split()


def through_all_tiers(w, place):
    """Over HTTPS a row is written by the API; the database has it."""
    row = asked(w, place, "/api/db?password=securepass").json
    return psql(w, "select host from visits where id = %d" % row["written"]).stdout.strip() == w.inspect("api-server")["Config"]["Hostname"]


def no_plain_http(w, place):
    """Port 443 speaks TLS: a plain request is told so."""
    r = fetch(w, place, "http://localhost:443/")
    return r.status == 400 and "HTTPS" in r.text


def traffic(case):
    w = case.w
    case.claim("The API server writes to the database and reads it back (psql, by its name)", written_and_read, w)
    for place in OUTSIDE:
        case.claim("%s gets the web page over HTTPS on port 443 through the gateway" % place, lambda: "nginx" in asked(w, place, "/").text)
        case.claim("%s gets the API's answer over HTTPS on port 443 through the gateway" % place,
                   lambda: asked(w, place, "/api/health").json == {"status": "ok"})
        case.claim("A request of %s goes through all tiers: gateway, API, a row in the database" % place, through_all_tiers, w, place)
        case.claim("Port 443 speaks TLS and nothing else to %s" % place, no_plain_http, w, place)


# ---- what does not ----

def matrix(case, ways):
    """The guide's table, cell by cell: a component is on a network if it has an address there, and reaches who else has."""
    for name, nets in MATRIX.items():
        for net in NETS:
            others = [n for n in MATRIX if n != name and net in MATRIX[n]]
            case.claim("Matrix: %s is %son %s" % (name, "" if net in nets else "not ", net), on if net in nets else off, ways, name, net, others)


def on(ways, name, net, others):
    return net in ways.at[name] and all(ways.reaches(name, o, net) for o in others)


def off(ways, name, net, others):
    return net not in ways.at[name] and ways.none([(name, o) for o in others], network=net)


def benefits(case):
    """Each benefit in the guide's words, with the real protocol; how it may be broken is tried elsewhere."""
    w = case.w

    def database(place):
        return postgres_answers(w, "c:" + place, w.address("postgres-db"))

    def backend(place):
        return health(w, "c:" + place)
    for text, reaches, who, others in (
            ("Frontend CANNOT directly access database", database, "api-server", ["web-ui"]),
            ("Frontend CANNOT directly access backend APIs", backend, "api-gateway", ["web-ui"]),
            ("Only API server can reach database", database, "api-server", ["api-gateway", "web-ui"]),
            ("Only API Gateway can reach backend services", backend, "api-gateway", ["web-ui", "postgres-db"])):
        case.forbidden(text, lambda: soon(reaches, who), lambda: [o for o in others if reaches(o)])


def pairs(case, ways):
    """What each container may do to each other one follows from the networks that they share."""
    for a, b in itertools.permutations(PORTS, 2):
        for net in sorted(ways.at[b]):
            (ways.claim_open if net in ways.at[a] else ways.claim_closed)(case, a, b, net)


def taken_over(case, ways):
    for says, who, targets in (
            ("If frontend is compromised, cannot access backend/database", "web-ui",
             (("api-server", "backend-net"), ("api-server", "database-net"), ("postgres-db", "database-net"))),
            ("If API gateway is compromised, cannot access database", "api-gateway", (("postgres-db", "database-net"),)),
            ("If backend is compromised, cannot affect frontend directly", "api-server", (("web-ui", "frontend-net"),)),
            ("Lateral movement is prevented", "postgres-db", (("api-gateway", "backend-net"), ("web-ui", "frontend-net")))):
        for name, net in targets:
            ways.claim_taken_over(case, says, who, name, net)


def outside(case, ways):
    w = case.w
    for place in OUTSIDE:
        ways.claim_outside(case, place)
        case.claim("%s finds port 443 open on the host, and no other" % place, lambda: equal(open_ports(w, place), [443]) is None)
    case.claim("Nothing but the gateway is published",
               lambda: {n: list(w.inspect(n)["HostConfig"]["PortBindings"] or ()) for n in PORTS} ==
               dict.fromkeys(PORTS, []) | {"api-gateway": ["443/tcp"]})


def claims(case):
    ready(case.w)
    traffic(case)
    with Ways(case.w, *PORTS, ports={n: [p] for n, p in PORTS.items()}) as ways:
        matrix(case, ways)
        benefits(case)
        pairs(case, ways)
        outside(case, ways)
        taken_over(case, ways)


@timeout(400)
def test_docker(w):
    case = usecase.Case(w, 2)
    case.run()
    claims(case)
    case.kill9()
    claims(case)
    case.done()


@timeout(300)
def test_atoll(w):
    case = usecase.Case(w, 2, "atoll")
    case.run(kill=True)
    claims(case)
    case.done()


@timeout(200)
def test_compose(w):
    """The example's compose file makes the same."""
    case = usecase.Case(w, 2, "compose")
    with usecase.composed(case, EXAMPLE):
        ready(w)
        traffic(case)
        with Ways(w, *PORTS) as ways:
            matrix(case, ways)
        case.claim("README: what it says to try works", usecase.try_readme, w, EXAMPLE)
    case.done()


if __name__ == "__main__":
    usecase.main(globals(), 2)
