#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 3: a database on an internal network, an application server on that and on another, a proxy in front."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import usecase  # noqa: E402
import ways  # noqa: E402
from talk import ANYONE, fetch, postgres_answers  # noqa: E402
from usecase import clients, guide  # noqa: E402

EXAMPLE = TOP + "/examples/uc03-isolated-database"
INSIDE, OUTSIDE = "db-internal-net", "web-public-net"
DB, APP, PROXY = "production-db", "app-server", "nginx-proxy"
DATA = "/var/lib/postgresql/data"
PASSWORD = "super_secret_password"
TARGETS = {"the internet": ("internet", INTERNET), "what lies behind the internet's router": ("internet", FAR), "the LAN": ("lan", LAN)}


def psql(w, statement, password=PASSWORD):
    """What psql says in app-server, told by the variables of the guide where the database is."""
    return w.exec(APP, "sh", "-c", 'PGPASSWORD=%s exec psql -AtX -h "$DB_HOST" -p "$DB_PORT" -U postgres "$DB_NAME" -c "$1"' % password,
                  "sh", statement)


def ready(w):
    w.listening(DB, 5432, 60)
    w.listening(APP, 3000, 60)
    w.listening(PROXY, 80, 60)


def writes_and_reads(w):
    """A row that was not there before, by psql; the table grows over the whole test."""
    mark = os.urandom(8).hex()
    r = psql(w, "CREATE TABLE IF NOT EXISTS orders (mark text); INSERT INTO orders VALUES ('%s')" % mark)
    equal(r.returncode, 0, r.stderr)
    return mark in psql(w, "SELECT mark FROM orders").stdout.split()


def claims(case):
    w = case.w
    ready(w)
    network(case)
    with ways.Ways(w, DB, APP, PROXY) as way:
        inside(case, way)
        out(case, way)
        compromised(case, way)
        into(case, way)
        dual_homed(case, way)
    questions(case)
    published(case)
    through_the_proxy(case)


def network(case):
    w = case.w
    case.claim('network inspect says "Internal": true',
               lambda: '"Internal": true' in w.sh(case.how + " network inspect " + INSIDE))
    case.claim("the database is on the internal network and on no other",
               lambda: list(w.inspect(DB)["NetworkSettings"]["Networks"]) == [INSIDE])
    case.claim("the database has no default route",
               lambda: not [r for r in w.ip_json("c:" + DB, "route") if r["dst"] == "default"])


def inside(case, way):
    w = case.w
    case.claim("containers on the same internal network can communicate",
               lambda: way.all(APP, DB, w.address(DB)) and way.all(DB, APP, w.address(APP, INSIDE)))
    case.claim("app-server finds the database by the name in DB_HOST", lambda: w.resolve(APP, DB) == [w.address(DB)])
    case.claim("app-server writes rows into the database and reads them back", writes_and_reads, w)
    case.claim("over the network the database wants its password",
               lambda: "password authentication failed" in psql(w, "SELECT 1", "a_guess").stderr)


def out(case, way):
    w = case.w
    for name, (place, address) in TARGETS.items():
        case.forbidden("the database cannot reach %s by TCP, UDP or ICMP" % name,
                       lambda: way.all(APP, place, address), lambda: way.open(DB, place, address))
    case.forbidden("the database cannot reach services of the host", lambda: way.all(APP, "host", HOST_UP, ("tcp", "udp")),
                   lambda: way.open(DB, "host", ways.gateway(w, INSIDE), ("tcp", "udp")) or way.open(DB, "host", HOST_UP, ("tcp", "udp")))
    case.forbidden("the database cannot reach containers of other networks", lambda: way.all(APP, PROXY, w.address(PROXY)),
                   lambda: way.open(DB, PROXY, w.address(PROXY)))


def compromised(case, way):
    """The intruder is root in the database's namespace, with every capability."""
    w = case.w

    def with_route(router, place, address, kinds=ways.ALL):
        with ways.route(w, DB, "default", router):
            return way.open(DB, place, address, kinds)

    def lies():
        with ways.route(w, DB, "default", ways.gateway(w, INSIDE)):
            return way.lies(DB, "internet", [w.address(DB), w.address(APP, OUTSIDE), HOST_UP, LAN], INTERNET)
    for name, (place, address) in TARGETS.items():
        case.forbidden("a compromised database that sets a default route cannot reach %s" % name,
                       lambda: way.all(APP, place, address), lambda: with_route(ways.gateway(w, INSIDE), place, address))
    case.forbidden("a compromised database that sets a default route cannot reach services of the host",
                   lambda: way.all(APP, "host", HOST_UP, ("tcp", "udp")),
                   lambda: with_route(ways.gateway(w, INSIDE), "host", HOST_UP, ("tcp", "udp")))
    case.forbidden("a compromised database that sets a default route cannot reach containers of other networks",
                   lambda: way.all(APP, PROXY, w.address(PROXY)),
                   lambda: with_route(ways.gateway(w, INSIDE), PROXY, w.address(PROXY)))
    case.forbidden("a compromised database cannot send data out in packets made by hand, whatever sender they bear",
                   lambda: way.by_hand(APP, "internet", INTERNET), lies)
    case.forbidden("a compromised database cannot use app-server as its router",
                   lambda: way.all(APP, "internet", INTERNET), lambda: with_route(w.address(APP, INSIDE), "internet", INTERNET))
    case.forbidden("a compromised database cannot ask a DNS server in the internet",
                   lambda: w.ask(APP, "example.test", server=INTERNET, wait=5), lambda: asks_outside(w))


def asks_outside(w):
    name = "row-%s.example.test" % os.urandom(4).hex()
    with ways.route(w, DB, "default", ways.gateway(w, INSIDE)):
        return w.ask(DB, name, server=INTERNET, wait=0.5) or w.ask(DB, name, server=INTERNET, wait=0.5, tcp=True) or w.dns.asked(name)


def into(case, way):
    w, ip = case.w, case.w.address(DB)
    sources = {"the internet": "internet", "the LAN": "lan", "another container of the host, nginx-proxy,": PROXY}
    for name, source in sources.items():
        case.forbidden("%s cannot reach the database by TCP, UDP or ICMP" % name, lambda: way.all(APP, DB, ip),
                       lambda: way.open(source, DB, ip))
        case.forbidden("%s cannot speak PostgreSQL with the database" % name,
                       lambda: ways.soon(postgres_answers, w, "c:" + APP, ip), lambda: postgres_answers(w, way.places[source], ip))
    case.forbidden("the host's own programs cannot reach the database", lambda: way.all(APP, DB, ip, ("tcp", "udp")),
                   lambda: way.open("host", DB, ip, ("tcp", "udp")))
    case.forbidden("the internet cannot send to the database with a neighbour's address as the sender",
                   lambda: way.by_hand(APP, DB, ip), lambda: way.lies("internet", DB, [w.address(APP, INSIDE)], ip))


def dual_homed(case, way):
    w = case.w
    case.claim("app-server reaches the database, the proxy and the internet",
               lambda: way.all(APP, DB, w.address(DB)) and way.all(APP, PROXY, w.address(PROXY)) and way.all(APP, "internet", INTERNET))
    case.claim("nginx-proxy reaches app-server, by its name and on their common network",
               lambda: w.resolve(PROXY, APP) == [w.address(APP, OUTSIDE)] and way.all(PROXY, APP, w.address(APP, OUTSIDE)))
    case.forbidden("nginx-proxy does not find the database's name", lambda: w.resolve(APP, DB), lambda: w.resolve(PROXY, DB))

    def over_app():
        with ways.route(w, PROXY, w.address(DB), w.address(APP, OUTSIDE)):
            return way.open(PROXY, DB, w.address(DB))
    case.forbidden("app-server is no router: nginx-proxy cannot reach the database through it",
                   lambda: way.all(PROXY, APP, w.address(APP, OUTSIDE)), over_app)


def questions(case):
    w = case.w

    def leaks():
        name = "row-%s.example.test" % os.urandom(4).hex()
        answers = [w.ask(DB, name, tcp=tcp) for tcp in (False, True)]
        w.exec(DB, "getent", "hosts", name)
        return w.dns.asked(name) or [a for a in answers if a and a.texts()]

    def leaves():
        name = "seen-%s.example.test" % os.urandom(4).hex()
        w.ask(APP, name)
        return w.dns.asked(name)
    case.forbidden("no question of the database for an outer name leaves the host (DNS over UDP and TCP)", leaves, leaks)
    case.claim("the database is told at once that there is no such name",
               lambda: [a.rcode for a in [w.ask(DB, "example.test", wait=2)] if a] == [servers.NXDOMAIN])
    case.claim("the database resolves the names of its own network", lambda: w.resolve(DB, APP) == [w.address(APP, INSIDE)])


def published(case):
    """Somebody adds -p in haste: on an internal network it opens nothing."""
    w = case.w
    w.docker("run", "-d", "--name", "hasty-db", "--network", INSIDE, "-p", "5433:5432", "-e", "POSTGRES_PASSWORD=x", "postgres:15")
    w.listening("hasty-db", 5432, 60)
    for place, address in (("internet", HOST_UP), ("lan", HOST_LAN), ("host", "127.0.0.1")):
        case.forbidden("a port published by a container of the internal network is not reached from %s" % place,
                       lambda: ways.soon(postgres_answers, w, "c:" + APP, w.address("hasty-db")), lambda: postgres_answers(w, place, address, 5433))
    w.docker("rm", "-f", "-v", "hasty-db")


def through_the_proxy(case):
    """nginx:alpine listens on 80 alone; the example's tls.sh teaches it 443."""
    w = case.w
    w.sh("DOCKER=%s %s/tls.sh" % (case.how, EXAMPLE))
    w.listening(PROXY, 443, 20)

    def row():
        r = fetch(w, "internet", "https://nginx/db?password=" + PASSWORD, ANYONE)
        equal(r.status, 200, r.text)
        return r.json["database"] == DB + ":5432/production" and r.json["written"] in [row[0] for row in r.json["last"]]
    case.claim("a request from the internet to port 443 passes nginx-proxy and app-server, and is a row in the database", row)
    case.forbidden("only the proxy is published: app-server and the database are not reached from the internet",
                   lambda: fetch(w, "internet", "https://nginx/health", ANYONE).status == 200,
                   lambda: [p for p in (3000, 5432) for c in (APP, DB) for ip in [*ways.addresses(w, c).values(), HOST_UP] if w.tcp_reach("internet", ip, p, 0.3)])


def survives(case):
    """The container goes, the data stay on the host, and the guide's line finds them again."""
    w = case.w
    mark = os.urandom(8).hex()
    equal(psql(w, "INSERT INTO orders VALUES ('%s')" % mark).returncode, 0)
    w.sh("%s rm -f %s" % (case.how, DB))
    case.claim("without its container the database's name is gone", lambda: w.resolve(APP, DB) == [])
    w.sh(next(c for c in case.commands() if "--name %s " % DB in c))
    w.listening(DB, 5432, 60)
    case.claim("the data survive: a new container over the same folder of the host has every row",
               lambda: mark in psql(w, "SELECT mark FROM orders").stdout.split())
    case.claim("app-server finds the new container by the same name", lambda: w.resolve(APP, DB) == [w.address(DB)])


def fresh():
    shutil.rmtree(os.path.dirname(DATA), ignore_errors=True)


@timeout(300)
def test_docker(w):
    fresh()
    case = usecase.Case(w, 3)
    case.run()
    claims(case)
    survives(case)
    case.kill9()
    claims(case)
    w.sh(EXAMPLE + "/down.sh")
    case.claim("the example's down.sh takes containers and networks away, and leaves the data",
               lambda: not w.get("/containers/json?all=1")
               and not {INSIDE, OUTSIDE} & {n["Name"] for n in w.get("/networks")} and os.path.exists(DATA + "/PG_VERSION"))
    case.done()


@timeout(200)
def test_atoll(w):
    fresh()
    case = usecase.Case(w, 3, "atoll")
    case.run(kill=True)
    claims(case)
    survives(case)
    case.done()


@timeout(200)
def test_compose(w):
    """The example's compose file makes the same."""
    fresh()
    compose = clients.Client(w, "compose", clients.COMPOSE2, cwd=EXAMPLE)
    compose("-p", "uc03", "up", "-d", timeout=150)
    ready(w)
    net = "uc03_" + INSIDE
    case = usecase.Case(w, 3, "compose")
    case.claim("the compose file: its database network is internal", lambda: w.network(net)["Internal"])
    case.claim("the compose file: app-server writes rows and reads them back", writes_and_reads, w)
    with ways.Ways(w, DB, APP) as way:
        case.forbidden("the compose file: the database cannot reach the internet", lambda: way.all(APP, "internet", INTERNET),
                       lambda: way.open(DB, "internet", INTERNET))
        case.forbidden("the compose file: the internet cannot reach the database", lambda: way.all(APP, DB, w.address(DB)),
                       lambda: way.open("internet", DB, w.address(DB)))
    compose("-p", "uc03", "down", timeout=100)
    case.claim("the compose file: down leaves nothing",
               lambda: not w.get("/containers/json?all=1") and net not in [n["Name"] for n in w.get("/networks")])
    case.done()


def test_example(w):
    """The example's script says what the guide says."""
    with open(EXAMPLE + "/run.sh") as f:
        lines = f.read().replace("\\\n", " ").splitlines()
    equal([x.split() for x in lines if x.startswith("docker ")], [c.split() for c in guide.commands(3)])


if __name__ == "__main__":
    usecase.main(globals(), 3)
