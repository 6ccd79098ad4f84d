#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 2, three tiers: each layer talks to its neighbours and to nobody else, even when it is taken over."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import clients  # noqa: E402
import usecase  # noqa: E402
from tiers import LATE, OUTSIDE, SOON, Ways, fetch, status, try_readme  # noqa: E402

EXAMPLE = TOP + "/examples/uc02-three-tiers"
PORTS = {"web-ui": 80, "api-gateway": 443, "api-server": 3000, "postgres-db": 5432}
# the guide's security matrix
MATRIX = {"web-ui": {"frontend-net"}, "api-gateway": {"frontend-net", "backend-net"}, "api-server": {"backend-net", "database-net"},
          "postgres-db": {"database-net"}}
NETS = ("frontend-net", "backend-net", "database-net")
DATABASE = "postgres://postgres:securepass@postgres-db:5432/appdb"
SCANNED = list(range(1, 10241))


def ready(w):
    for name, port in PORTS.items():
        w.listening(name, port, 60)
    until(lambda: status(w, "host", w.address("api-server", "backend-net"), 3000, "/health") == 200, "the API is healthy", 30)
    until(lambda: psql(w, "select 1").returncode == 0, "the database lets the API in", 60, 0.2)


def psql(w, sql, at="api-server"):
    return w.exec(at, "psql", DATABASE, "-Atc", sql)


def ca(w):
    return w.exec("api-gateway", "cat", "/var/lib/kong/tls/ca.pem").stdout


def asked(w, place, path):
    """What @place gets over HTTPS, certificate verified, at the host's address."""
    r = fetch(w, place, OUTSIDE[place], 443, path, ca(w))
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
    r = fetch(w, place, OUTSIDE[place], 443, "/")
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

def matrix(ways):
    """The guide's table, cell by cell: a component is on a network if it has an address there, and reaches who else has."""
    for name, nets in MATRIX.items():
        for net in NETS:
            others = [n for n in MATRIX if n != name and net in MATRIX[n]]
            yield ("Matrix: %s is %son %s" % (name, "" if net in nets else "not ", net),
                   on_net(ways, name, net, others) if net in nets else off_net(ways, name, net, others))


def on_net(ways, name, net, others):
    return lambda: net in ways.nets[name] and all(ways.all_reach("c:" + name, o, [ways.nets[o][net]]) for o in others)


def off_net(ways, name, net, others):
    a, b = others[0], others[-1]
    return ways.no(lambda: ways.all_reach("c:" + a, b, [ways.nets[b][net]]),
                   lambda: net in ways.nets[name] or ways.any_reach("c:" + name, [(o, ways.nets[o][net]) for o in others]))


def benefits(ways):
    """Each benefit in the guide's words, with the real protocol; how it may be broken is tried elsewhere."""
    w = ways.w

    def backend(*places):
        """Is one of them answered over HTTP by the API?"""
        return any(status(w, "c:" + p, ways.nets["api-server"]["backend-net"], 3000, "/health", wait=LATE if p == "api-gateway" else SOON)
                   for p in places)

    def database(*places):
        """Is one of them answered by PostgreSQL? It is asked whether TLS may be spoken."""
        for place in places:
            with w.at("c:" + place):
                s = socket.socket()
            with s, contextlib.suppress(OSError):
                s.settimeout(LATE if place == "api-server" else SOON)
                s.connect((ways.nets["postgres-db"]["database-net"], 5432))
                s.sendall(struct.pack("!II", 8, 80877103))
                return s.recv(1) in (b"S", b"N")
        return False
    yield "Frontend CANNOT directly access database", ways.no(lambda: database("api-server"), lambda: database("web-ui"))
    yield "Frontend CANNOT directly access backend APIs", ways.no(lambda: backend("api-gateway"), lambda: backend("web-ui"))
    yield "Only API server can reach database", ways.no(lambda: database("api-server"), lambda: database("api-gateway", "web-ui"))
    yield "Only API Gateway can reach backend services", ways.no(lambda: backend("api-gateway"), lambda: backend("web-ui", "postgres-db"))


def taken_over(case, ways):
    for says, who, targets in (
            ("If frontend is compromised, cannot access backend/database", "web-ui",
             (("api-server", "backend-net"), ("api-server", "database-net"), ("postgres-db", "database-net"))),
            ("If API gateway is compromised, cannot access database", "api-gateway", (("postgres-db", "database-net"),)),
            ("If backend is compromised, cannot affect frontend directly", "api-server", (("web-ui", "frontend-net"),)),
            ("Lateral movement is prevented", "postgres-db", (("api-gateway", "backend-net"), ("web-ui", "frontend-net")))):
        for name, net in targets:
            ways.claim_taken_over(case, says, who, name, net)


def outside(ways):
    w = ways.w
    for place, host in OUTSIDE.items():
        yield from ways.outside(PORTS, place)
        yield ("%s finds port 443 open on the host, and no other" % place,
               lambda p=place, h=host: equal(ways.open_ports(p, h, SCANNED), [443]) or True)
    yield ("Nothing but the gateway is published",
           lambda: {n: list(w.inspect(n)["HostConfig"]["PortBindings"] or ()) for n in PORTS} ==
           dict.fromkeys(PORTS, []) | {"api-gateway": ["443/tcp"]})


def claims(case):
    ready(case.w)
    traffic(case)
    with Ways(case.w, PORTS) as ways:
        ways.claim(case, [*matrix(ways), *benefits(ways), *ways.pairs(), *outside(ways)])
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
    compose = clients.Client(w, "compose", clients.COMPOSE2, "-f", EXAMPLE + "/compose.yml", cwd=EXAMPLE)
    compose("up", "-d", timeout=180)
    ready(w)
    traffic(case)
    with Ways(w, PORTS) as ways:
        ways.claim(case, matrix(ways))
    case.claim("README: what it says to try works", try_readme, w, EXAMPLE)
    compose("down", "-v", timeout=120)
    case.claim("The compose file: nothing is left when it is down", lambda: not w.get("/containers/json?all=1"))
    case.done()


if __name__ == "__main__":
    usecase.main(globals(), 2)
