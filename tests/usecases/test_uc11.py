#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rest of the guide: the ten do's, the ten don'ts, and a network per tenant; each as a behaviour shown.

A practice is a function that sets its containers up and returns what states its claims. These are stated, the
engine is killed, and they are stated again.
"""
import ipaddress
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import usecase  # noqa: E402
import ways  # noqa: E402
from talk import postgres_answers, redis_answers  # noqa: E402
from usecase import clients  # noqa: E402

REDIS, NGINX, POSTGRES = "redis:alpine", "nginx:alpine", "postgres:15"
LISTENS = {REDIS: 6379, NGINX: 80, POSTGRES: 5432}
METRICS = "127.0.0.1:9323"
ADMIN_PORTS = itertools.count(9900)  # one a test: a server of the testbed stays
OVERLAP = "Pool overlaps with other one on this address space"
COMPOSE = """services:
  web: {image: "nginx:alpine", networks: [frontend]}
  app: {image: "nginx:alpine", networks: [frontend, backend]}
  db: {image: "redis:alpine", networks: [backend]}
networks:
  frontend:
  backend: {internal: true}
"""
DO, DONT, TENANTS = "Do %d: ", "Don't %d: ", "Multi-tenant: "


class Practice(usecase.Case):
    """A case of which the guide has no commands."""

    def say(self, *words):
        return (self.w.atoll if self.how == "atoll" else self.w.docker)(*words)

    def refused(self, *words):
        """The error of a command that must not succeed."""
        r = (self.w.atoll_try if self.how == "atoll" else self.w.docker_try)(*words)
        check(r.returncode != 0, "it succeeds: %s", words)
        return r.stderr

    def network(self, name, *options):
        self.say("network", "create", *[o for o in options if usecase.ISOLATED or o != "--internal"], name)

    def start(self, name, image, network=None, *options):
        """A server, and waits until it listens."""
        self.say("run", "-d", "--name", name, *(["--network", network] if network else []), *options, image)
        self.w.listening(name, LISTENS[image], 60)

    def redis(self, container, host, *words, tries=5):
        """What redis-cli in @container hears from the server that it knows as @host; "" if it does not answer."""
        for _ in range(tries):
            said = self.w.exec(container, "timeout", "2", "redis-cli", "-h", host, *words).stdout.strip()
            if said:
                return said
        return ""

    def put(self, container, host, key, value):
        until(lambda: self.redis(container, host, "set", key, value, tries=1) == "OK", "%s sets %s at %s" % (container, key, host), 30, 0.2)

    def is_there(self, source, target, address=None):
        """Does @source reach @target by every protocol?"""
        with ways.Ways(self.w, source, target) as way:
            return way.all(source, target, address or self.w.address(target))

    def apart(self, text, source, target, neighbour, address=None):
        """Forbidden: @source to @target, by all protocols; @neighbour may."""
        address = address or self.w.address(target)
        with ways.Ways(self.w, source, target, neighbour) as way:
            self.forbidden(text, lambda: way.all(neighbour, target, address), lambda: way.open(source, target, address))


# ---- do's ----

def custom_networks(case):
    """Do 1 and don't 1."""
    w = case.w
    case.network("shop-net")
    for prefix, network in (("shop", "shop-net"), ("plain", None)):
        case.start(prefix + "-db", REDIS, network)
        case.start(prefix + "-web", NGINX, network)

    def knows(asker, name):
        return w.exec(asker, "getent", "hosts", name).returncode == 0

    def claims():
        case.claim(DO % 1 + "on a custom network containers find each other by name",
                   lambda: w.resolve("shop-web", "shop-db") == [w.address("shop-db")])
        case.forbidden(DO % 1 + "on the default bridge there are no names", lambda: knows("shop-web", "shop-db"),
                       lambda: knows("plain-web", "plain-db"))
        case.claim(DONT % 1 + "whatever names no network lands on the default bridge, where all reach each other",
                   case.is_there, "plain-web", "plain-db")
        case.apart(DONT % 1 + "what is on a custom network is not reached from the default bridge", "plain-web", "shop-db",
                   "shop-web")
    return claims


def descriptive_names(case):
    """Do 2."""
    w = case.w
    for name in ("ecommerce-backend-net", "ecommerce-frontend-net"):
        case.network(name)
    case.start("stock", REDIS, "ecommerce-backend-net")
    case.start("both-sides", REDIS, "ecommerce-frontend-net")
    case.say("network", "connect", "ecommerce-backend-net", "both-sides")

    def claims():
        case.claim(DO % 2 + "a network is found by a part of its name",
                   lambda: case.say("network", "ls", "--format", "{{.Name}}", "--filter", "name=ecommerce-back") == "ecommerce-backend-net")
        case.claim(DO % 2 + "a name is one network's alone",
                   lambda: "network with name ecommerce-backend-net already exists" in case.refused("network", "create", "ecommerce-backend-net"))
        case.claim(DO % 2 + "CONTAINER.NETWORK says on which network a container is meant", lambda: all(
            w.resolve("both-sides", "both-sides.%s" % n) == [w.address("both-sides", n)] for n in ("ecommerce-backend-net", "ecommerce-frontend-net")))
    return claims


def internal_for_databases(case):
    """Do 3."""
    w = case.w
    case.network("vault-net", "--internal")
    case.start("vault-db", REDIS, "vault-net")
    case.start("vault-app", REDIS, "vault-net")

    def claims():
        case.claim(DO % 3 + "on an internal network the database serves its neighbours",
                   lambda: case.redis("vault-app", "vault-db", "ping") == "PONG")
        with ways.Ways(w, "vault-db", "vault-app", "shop-web") as way, ways.route(w, "vault-db", "default", ways.gateway(w, "vault-net")):
            case.forbidden(DO % 3 + "on an internal network the database cannot reach the internet, not even with a route of its own",

                           lambda: way.all("shop-web", "internet", INTERNET), lambda: way.open("vault-db", "internet", INTERNET))
            for place in ("internet", "lan"):
                case.forbidden(DO % 3 + "on an internal network the database is not reached from %s" % place,
                               lambda: way.all("vault-app", "vault-db", w.address("vault-db")),
                               lambda: way.open(place, "vault-db", w.address("vault-db")))
    return claims


def documentation(case):
    """Do 4 and don't 8."""
    w = case.w
    case.network("orders-net", "--label", "owner=team-orders", "--label", "purpose=orders and their database")
    case.say("network", "connect", "orders-net", "stock")

    def undocumented():
        """[(example, network)] of the ready examples whose README does not name a network that run.sh makes."""
        out, top = [], TOP + "/examples"
        for name in sorted(os.listdir(top)):
            if os.path.exists("%s/%s/run.sh" % (top, name)):
                with open("%s/%s/run.sh" % (top, name)) as script, open("%s/%s/README.md" % (top, name)) as readme:
                    text = readme.read()
                    made = re.findall(r"network create (?:--?\S+ )*([a-z][\w.-]*)", script.read())
                    out += [(name, n) for n in made if n not in text]
        return out

    def drawn():
        there = {c["Name"]: c["IPv4Address"].split("/")[0] for c in w.network("orders-net")["Containers"].values()}
        return there == {"stock": w.address("stock", "orders-net")}

    def claims():
        case.claim(DO % 4 + "each example's README names every network that its script makes", lambda: undocumented() == [])
        case.claim(DO % 4 + "labels keep who owns a network and what it is for", lambda: case.say(
            "network", "inspect", "-f", '{{index .Labels "owner"}}: {{index .Labels "purpose"}}', "orders-net") == "team-orders: orders and their database")
        case.claim(DONT % 8 + "where no README helps, network inspect tells who is on a network, at which address", drawn)
    return claims


def names_instead_of_addresses(case):
    """Do 6 and don't 4. The catalog moves, and somebody else gets its address."""
    w = case.w
    case.network("moving-net", "--subnet", "10.76.0.0/24")
    case.start("visitor", REDIS, "moving-net")

    def catalog():
        case.start("catalog", REDIS, "moving-net")
        case.put("visitor", "catalog", "who", "catalog")

    def claims():
        old = w.address("catalog")
        case.say("rm", "-f", "catalog")
        case.start("stranger", REDIS, "moving-net", "--ip", old)
        case.put("stranger", "127.0.0.1", "who", "stranger")
        catalog()
        case.claim(DO % 6 + "a name leads to the container that was made anew, at another address",
                   lambda: w.address("catalog") != old and case.redis("visitor", "catalog", "get", "who") == "catalog")
        case.claim(DONT % 4 + "the address of old leads to whoever has it now",
                   lambda: case.redis("visitor", old, "get", "who") == "stranger")
        case.say("rm", "-f", "stranger")
    catalog()
    return claims


def tiers(case):
    """Do 7 and don't 3."""
    w = case.w
    for name in ("tier-front", "tier-back", "tier-data", "flat-net"):
        case.network(name)
    at = {"t-web": ["tier-front"], "t-gate": ["tier-front", "tier-back"], "t-api": ["tier-back", "tier-data"], "t-db": ["tier-data"]}
    for name, (first, *more) in at.items():
        case.start(name, REDIS if name == "t-db" else NGINX, first)
        for network in more:
            case.say("network", "connect", network, name)
    case.start("flat-web", NGINX, "flat-net")
    case.start("flat-db", REDIS, "flat-net")

    def claims():
        with ways.Ways(w, *at) as way:
            for a, b in itertools.permutations(at, 2):
                common = [n for n in at[a] if n in at[b]]
                if common:
                    case.claim(DO % 7 + "%s and its neighbour %s reach each other, asked from the first" % (a, b),
                               lambda: way.all(a, b, w.address(b, common[0])))
                else:
                    near = next(n for n in at if n != b and set(at[n]) & set(at[b]))
                    shared = next(n for n in at[near] if n in at[b])
                    case.forbidden(DO % 7 + "%s cannot reach %s, two tiers away" % (a, b),
                                   lambda: way.all(near, b, w.address(b, shared)),
                                   lambda: [n for n in at[b] if way.open(a, b, w.address(b, n))] or w.resolve(a, b))
        case.claim(DONT % 3 + "on one network for all, a web server that was taken over speaks with the database",
                   lambda: ways.soon(redis_answers, w, "c:flat-web", w.address("flat-db")))
        case.forbidden(DONT % 3 + "on separate networks it does not",
                       lambda: ways.soon(redis_answers, w, "c:t-api", w.address("t-db")),
                       lambda: redis_answers(w, "c:t-web", w.address("t-db")))
    return claims


def aliases(case):
    """Do 8."""
    w = case.w
    case.network("pool-net")
    members = ["worker-%d" % i for i in (1, 2, 3)]
    case.start("asker", REDIS, "pool-net")
    for name in members:
        case.start(name, REDIS, "pool-net", "--network-alias", "workers")
        case.put("asker", name, "who", name)

    def of(*names):
        return sorted(w.address(n) for n in names)

    def met():
        """Who answers to somebody who takes the first address each time."""
        seen = set()
        until(lambda: seen.add(case.redis("asker", "workers", "get", "who")) or seen >= set(members), "each has answered", 60)
        return seen <= {*members, ""}  # "": a lost packet

    def claims():
        case.claim(DO % 8 + "an alias names every member of the group", lambda: w.resolve("asker", "workers") == of(*members))
        case.claim(DO % 8 + "asked by the alias again and again, each member answers", met)
        case.say("stop", "-t", "5", members[2])
        case.claim(DO % 8 + "a member that stopped is named no more", lambda: w.resolve("asker", "workers") == of(*members[:2]))
        case.say("start", members[2])
        w.listening(members[2], 6379, 30)
        case.put("asker", members[2], "who", members[2])
        case.claim(DO % 8 + "a member that is back is named again", lambda: w.resolve("asker", "workers") == of(*members))
    return claims


def metrics(case):
    """Do 9."""
    w, size = case.w, 1 << 20
    case.network("busy-net")
    case.start("busy-db", REDIS, "busy-net")
    case.start("busy-web", NGINX, "busy-net", "-p", "8090:80")

    def counted(name, key):
        return w.get("/containers/%s/stats?stream=0&one-shot=1" % name)["networks"]["eth0"][key]

    def bandwidth():
        before = counted("busy-db", "rx_bytes")
        with w.at("c:busy-web"):
            s = socket.create_connection((w.address("busy-db"), 6379), 30)
        with s:
            s.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n" % size + b"x" * size + b"\r\n")
            equal(s.recv(64), b"+OK\r\n")
        grown = counted("busy-db", "rx_bytes") - before
        return size < grown < 2 * size

    def table():
        shown = case.say("stats", "--no-stream", "--format", "{{.Name}} {{.NetIO}}", "busy-db")
        return re.match(r"busy-db [\d.]+MB / [\d.]+[kM]?B$", shown)

    def connections():
        with w.at("internet"):
            s = socket.create_connection((HOST_UP, 8090), 30)
        with s:
            return "%s:%d" % s.getsockname() in w.exec("busy-web", "ss", "-Htn", "state", "established").stdout

    def page():
        text = w.http_get("host", "http://%s/metrics" % METRICS, 10)
        return (re.search(r'atoll_network_endpoints\{network="busy-net",[^}]*attached[^}]*\} 2\n', text)
                and re.search(r'atoll_published_ports\{protocol="tcp"\} [1-9]', text))

    def claims():
        case.claim(DO % 9 + "a container's statistics count each byte that it was sent", bandwidth)
        case.claim(DO % 9 + "stats shows what each container sent and received", table)
        case.claim(DO % 9 + "a server sees its connections, with the address of who is at the other end", connections)
        case.claim(DO % 9 + "the engine's metrics count each network's containers, and the published ports", page)
    return claims


def planned_ranges(case):
    """Do 10."""
    w = case.w
    case.network("planned-net", "--subnet", "10.80.0.0/16", "--ip-range", "10.80.5.0/24", "--gateway", "10.80.0.1")
    case.start("planned-any", REDIS, "planned-net")
    case.start("planned-fixed", REDIS, "planned-net", "--ip", "10.80.77.7")

    def no_conflict():
        """Networks that nobody planned keep out of the way of each other, of the planned ones and of the host's routes."""
        names = ["auto-%d" % i for i in range(5)]
        for name in names:
            case.network(name)
        taken = [ipaddress.ip_network(c["Subnet"]) for n in w.get("/networks") for c in n["IPAM"]["Config"] or []]
        taken += [ipaddress.ip_network(r["dst"]) for r in w.ip_json("host", "route") if r["dst"] != "default" and r["dev"] in ("up0", "lan0")]
        case.say("network", "rm", *names)
        return not [(a, b) for a, b in itertools.combinations(taken, 2) if a.version == b.version and a.overlaps(b)]

    def claims():
        case.claim(DO % 10 + "addresses come from --ip-range",
                   lambda: ipaddress.ip_address(w.address("planned-any")) in ipaddress.ip_network("10.80.5.0/24"))
        case.claim(DO % 10 + "the gateway is the one that was planned",
                   lambda: [r["gateway"] for r in w.ip_json("c:planned-any", "route") if r["dst"] == "default"] == ["10.80.0.1"])
        case.claim(DO % 10 + "a fixed address outside of the range is the container's, and answers",
                   lambda: case.redis("planned-any", "10.80.77.7", "ping") == "PONG")
        case.claim(DO % 10 + "a range that overlaps another network's is refused",
                   lambda: OVERLAP in case.refused("network", "create", "--subnet", "10.80.128.0/17", "late-net"))
        case.claim(DO % 10 + "networks that nobody planned conflict with nothing", no_conflict)
    return claims


# ---- don'ts ----

def database_ports(case):
    """Don't 2 and don't 10."""
    w = case.w
    case.network("ports-net")
    secret = ("-e", "POSTGRES_PASSWORD=devpass")
    case.start("open-db", POSTGRES, "ports-net", "-p", "5432:5432", "-p", "127.0.0.1:5434:5432", *secret)
    case.start("closed-db", POSTGRES, "ports-net", *secret)

    def claims():
        for place, address in (("lan", HOST_LAN), ("internet", HOST_UP)):
            def published():
                return ways.soon(postgres_answers, w, place, address)

            def listens():
                return ways.soon(postgres_answers, w, "c:open-db", w.address("closed-db"))
            case.claim(DONT % 2 + "a published database port is open to the %s" % place, published)
            case.forbidden(DONT % 2 + "a database that is not published is not reached from the %s, not by a route over the host" % place,
                           lambda: published() and listens(), lambda: postgres_answers(w, place, w.address("closed-db")))
            case.forbidden(DONT % 10 + "a database published on 127.0.0.1 is not reached from the %s" % place,
                           lambda: published() and ways.soon(postgres_answers, w, "host", "127.0.0.1", 5434),
                           lambda: postgres_answers(w, place, address, 5434))
        case.claim(DONT % 10 + "a database published on 127.0.0.1 serves the developer on the host",
                   lambda: ways.soon(postgres_answers, w, "host", "127.0.0.1", 5434))
    return claims


def shared_networks(case):
    """Don't 5. Two applications each call their database db."""
    w = case.w
    for name in ("shared-net", "blog-net", "wiki-net"):
        case.network(name)
    for app in ("blog", "wiki"):
        case.start(app + "-db", REDIS, "shared-net", "--network-alias", "db")
        case.say("network", "connect", "--alias", "db", app + "-net", app + "-db")
        case.start(app + "-app", REDIS, app + "-net")
        case.put(app + "-app", "db", "who", app)
    case.start("either-app", REDIS, "shared-net")

    def claims():
        case.claim(DONT % 5 + "on a shared network one name means the databases of both applications",
                   lambda: w.resolve("either-app", "db") == sorted(w.address(d, "shared-net") for d in ("blog-db", "wiki-db")))
        case.claim(DONT % 5 + "on a network of its own each application finds its own database by the same name",
                   lambda: [case.redis(a + "-app", "db", "get", "who") for a in ("blog", "wiki")] == ["blog", "wiki"])
        case.apart(DONT % 5 + "on networks of their own unrelated applications cannot reach each other", "blog-app", "wiki-db",
                   "wiki-app", w.address("wiki-db", "wiki-net"))
    return claims


def cleanup(case):
    """Don't 6."""
    w = case.w

    def claims():
        case.network("forgotten-net", "--subnet", "10.90.0.0/16")
        bridge, used = w.bridge("forgotten-net"), sorted(n["Name"] for n in w.get("/networks") if n["Name"] != "forgotten-net")
        case.claim(DONT % 6 + "a forgotten network keeps its range from others",
                   lambda: OVERLAP in case.refused("network", "create", "--subnet", "10.90.0.0/16", "wants-it"))
        case.claim(DONT % 6 + "network prune removes what nobody uses, and only that",
                   lambda: "forgotten-net" in case.say("network", "prune", "-f") and sorted(n["Name"] for n in w.get("/networks")) == used)
        case.claim(DONT % 6 + "nothing of a pruned network is left on the host", lambda: bridge not in w.links())
        case.network("wants-it", "--subnet", "10.90.0.0/16")
        case.claim(DONT % 6 + "its range is free again",
                   lambda: w.network("wants-it")["IPAM"]["Config"][0]["Subnet"] == "10.90.0.0/16")
        case.say("network", "rm", "wants-it")
    return claims


def host_network(case):
    """Don't 7."""
    w, port = case.w, next(ADMIN_PORTS)
    servers.Echo(w._bound("host", "127.0.0.1", port))
    case.start("on-host", REDIS, "host")
    case.network("ordinary-net")
    for name in ("ordinary-one", "ordinary-two"):
        case.start(name, REDIS, "ordinary-net")

    def clash():
        """A second server of the same port."""
        case.say("run", "-d", "--name", "on-host-too", "--network", "host", REDIS)
        code = w.api("POST", "/containers/on-host-too/wait", timeout=30).json["StatusCode"]
        r = w.docker_try("logs", "on-host-too")
        case.say("rm", "-f", "on-host-too")
        return code == 1 and "Address already in use" in r.stdout + r.stderr

    def claims():
        case.claim(DONT % 7 + "on the host network every port that a program opens is open to the LAN, without -p",
                   lambda: ways.soon(redis_answers, w, "lan", HOST_LAN))
        case.claim(DONT % 7 + "two containers on the host network share its ports: the second fails", clash)
        case.claim(DONT % 7 + "on bridge networks as many as there are have the same port",
                   lambda: case.redis("ordinary-one", "ordinary-two", "ping") == case.redis("ordinary-two", "ordinary-one", "ping") == "PONG")
        case.forbidden(DONT % 7 + "what listens on the host's 127.0.0.1 is reached from the host network, and not from a bridge network",

                       lambda: w.tcp_reach("c:on-host", "127.0.0.1", port, 10),
                       lambda: [a for a in ("127.0.0.1", ways.gateway(w, "ordinary-net"), HOST_UP) if w.tcp_reach("c:ordinary-one", a, port)])
    return claims


def mixed_environments(case):
    """Don't 9."""
    w = case.w
    for name in ("mixed-net", "only-dev-net", "only-prod-net"):
        case.network(name)
    case.start("mixed-prod-db", REDIS, "mixed-net")
    case.start("mixed-dev-app", REDIS, "mixed-net")
    case.start("apart-prod-db", REDIS, "only-prod-net")
    case.start("apart-prod-app", REDIS, "only-prod-net")
    case.start("apart-dev-app", REDIS, "only-dev-net")

    def slip(app, target):
        """Development empties the database that it takes for its own: is the order of a customer gone?"""
        name = target.split("/")[0]
        case.put(name, "127.0.0.1", "order", "7")
        for host in (w.address(name), name):
            case.redis(app, host, "flushall", tries=1)
        return case.redis(name, "127.0.0.1", "exists", "order") == "0"

    def claims():
        case.claim(DONT % 9 + "on one network a slip in development empties production's database", ways.soon, slip,
                   "mixed-dev-app", "mixed-prod-db")
        case.forbidden(DONT % 9 + "on networks of their own it does not",
                       lambda: ways.soon(slip, "apart-prod-app", "apart-prod-db"),
                       lambda: slip("apart-dev-app", "apart-prod-db"))
    return claims


def compose_for_many_networks(case):
    """Do 5, and whether what it made goes away."""
    w = case.w
    compose = clients.Client(w, "compose", clients.COMPOSE2)
    with open(w.home + "/compose.yml", "w") as f:
        f.write(COMPOSE if usecase.ISOLATED else COMPOSE.replace("internal: true", "internal: false"))

    def claims():
        links = w.links()
        compose("-p", "layers", "up", "-d", timeout=150)
        names = {s: "layers-%s-1" % s for s in ("web", "app", "db")}
        for s, port in (("web", 80), ("app", 80), ("db", 6379)):
            w.listening(names[s], port, 60)
        case.claim(DO % 5 + "one file and one command make every network and connect each service to its own", lambda: {
            s: sorted(w.inspect(n)["NetworkSettings"]["Networks"]) for s, n in names.items()} == {
                "web": ["layers_frontend"], "app": ["layers_backend", "layers_frontend"], "db": ["layers_backend"]})
        case.apart(DO % 5 + "its networks are apart, as the file says", names["web"], names["db"], names["app"])
        compose("-p", "layers", "down", timeout=100)
        case.claim(DO % 5 + "one command takes all of it away",
                   lambda: not [n for n in w.get("/networks") if n["Name"].startswith("layers")]
                   and not [x for x in w.links() if x.startswith("br-") and x not in links])
    return claims


# ---- a network per tenant ----

def tenant(case, name):
    case.network("tenant-" + name)
    case.start(name + "-db", REDIS, "tenant-" + name, "--network-alias", "db")
    case.start(name + "-app", REDIS, "tenant-" + name)
    case.put(name + "-app", "db", "owner", name)


def tenants(case):
    """The selection table's row: complete tenant isolation. A front server on all networks serves each."""
    w, names = case.w, ("acme", "globex")
    for name in names:
        tenant(case, name)
    case.start("front", NGINX, "tenant-acme", "-p", "8081:80")
    case.say("network", "connect", "tenant-globex", "front")

    def left():
        """What there is of networks, bridges and containers."""
        return (sorted(n["Name"] for n in w.get("/networks")), [x for x in w.links() if x.startswith("br-")],
                sorted(c["Names"][0] for c in w.get("/containers/json?all=1")))

    def between(way, a, b):
        """@a's containers at @b's, each by all that there is."""
        ip = w.address(b + "-db")

        def as_a_neighbour():
            return way.lies(a + "-app", b + "-db", [w.address(b + "-app")], ip)

        def over_front():
            with ways.route(w, a + "-app", ip, w.address("front", "tenant-" + a)):
                return way.open(a + "-app", b + "-db", ip)

        def by_name():
            return w.resolve(a + "-app", b + "-db") or w.resolve(a + "-app", "db.tenant-" + b)
        for text, probe in (("reach %s's database by TCP, UDP or ICMP", lambda: way.open(a + "-app", b + "-db", ip)),
                            ("send to %s's database as one of its neighbours", as_a_neighbour),
                            ("reach %s's database through the server that is on both networks", over_front),
                            ("find the names of %s", by_name)):
            case.forbidden(TENANTS + "%s cannot %s" % (a, text % b),
                           lambda: way.all(b + "-app", b + "-db", ip) and w.resolve(b + "-app", b + "-db"), probe)

    def claims():
        case.claim(TENANTS + "each tenant's db is its own, with its own data",
                   lambda: [case.redis(n + "-app", "db", "get", "owner") for n in names] == list(names))
        with ways.Ways(w, "front", *[n + s for n in names for s in ("-app", "-db")]) as way:
            between(way, "acme", "globex")
            between(way, "globex", "acme")
            case.claim(TENANTS + "a server on all networks reaches every tenant",
                       lambda: all(way.all("front", n + "-app", w.address(n + "-app")) for n in names))
            for n in names:
                case.forbidden(TENANTS + "the internet cannot reach what %s has not published" % n,
                               lambda: way.all(n + "-app", n + "-db", w.address(n + "-db")),
                               lambda: way.open("internet", n + "-db", w.address(n + "-db")))
        before = left()
        tenant(case, "late")
        case.claim(TENANTS + "a new tenant disturbs nobody",
                   lambda: [case.redis(n + "-app", "db", "get", "owner") for n in (*names, "late")] == [*names, "late"])
        case.say("rm", "-f", "-v", "late-db", "late-app")
        case.say("network", "rm", "tenant-late")
        case.claim(TENANTS + "a tenant that leaves leaves nothing",
                   lambda: until(lambda: left() == before, "all is as before", 10))
    return claims


DOS = (custom_networks, descriptive_names, internal_for_databases, documentation, compose_for_many_networks, names_instead_of_addresses,
       tiers, aliases, metrics, planned_ranges)
DONTS = (database_ports, shared_networks, cleanup, host_network, mixed_environments)


def practise(w, how, practices):
    """@how "docker": all claims, before and after the engine was killed. "atoll": it is killed in the middle of the lines."""
    case, stated = Practice(w, 11, how), []
    for i, practice in enumerate(practices):
        if how == "atoll" and i == len(practices) // 2:
            case.kill9()
        stated.append(practice(case))
    for claims in stated:
        claims()
    if how == "docker":
        case.kill9()
        for claims in stated:
            claims()
    case.done()


@timeout(300)
def test_docker_dos(w):
    practise(w, "docker", DOS)


@timeout(300)
def test_docker_donts(w):
    practise(w, "docker", DONTS)


@timeout(200)
def test_docker_tenants(w):
    practise(w, "docker", [tenants])


@timeout(300)
def test_atoll_dos(w):
    practise(w, "atoll", DOS)


@timeout(300)
def test_atoll_donts(w):
    practise(w, "atoll", DONTS)


@timeout(200)
def test_atoll_tenants(w):
    practise(w, "atoll", [tenants])


if __name__ == "__main__":
    usecase.main(globals(), 11, flags=["--metrics-addr", METRICS] + ["--experimental"] * (ENGINE == "dockerd"))
