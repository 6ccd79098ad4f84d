#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guide's use cases 1, 2 and 3, with exactly its commands through the real docker CLI; every
allowed path works by name, every forbidden one fails by name and by address, from containers, from
the internet and from the LAN."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

SHOP = {"user-service:latest": [5000], "product-service:latest": [3000], "order-service:latest": [8000],
        "payment-service:latest": [8080], "inventory-service:latest": [3000], "notification-service:latest": [9000]}
STANDINS = dict(SHOP, **{"postgres:15": [5432], "api:latest": [8080], "nginx:alpine": [80, 443],
                         "gateway:latest": [443], "myapp:latest": [8080]})


def setup(w):
    w.load(STANDINS)


def listening(w, **ports):
    for name, port in ports.items():
        w.listening(name.replace("_", "-"), port)


def outside_closed(w, container, port, network=None):
    """Neither the internet nor the LAN reaches a container's own address; a neighbour does."""
    ip = w.address(container, network)
    net = network or next(iter(w.inspect(container)["NetworkSettings"]["Networks"]))
    w.docker("run", "-d", "--name", "control", "--network", net, IMAGE, "sleep", "600")
    for place in ("internet", "lan"):
        w.assert_forbidden(lambda: w.tcp_reach("control", ip, port), lambda: w.tcp_reach(place, ip, port, 0.7),
                           "%s to %s %s:%d" % (place, container, ip, port))
    w.docker("rm", "-f", "control")


def reach_by_name(w, source, target, port):
    return w.http_get(source, "http://%s:%d/" % (target, port)) is not None


def forbidden_pair(w, source, target, port, network, control):
    """@source reaches @target neither by name nor by its address on @network; @control does both."""
    ip = w.address(target, network)
    w.assert_forbidden(lambda: reach_by_name(w, control, target, port), lambda: reach_by_name(w, source, target, port),
                       "%s to %s by name" % (source, target))
    w.assert_forbidden(lambda: w.resolve(control, target), lambda: w.resolve(source, target),
                       "%s resolves %s" % (source, target))
    w.assert_forbidden(lambda: w.tcp_reach(control, ip, port), lambda: w.tcp_reach(source, ip, port),
                       "%s to %s at %s" % (source, target, ip))


@timeout(120)
def test_use_case_1_microservices(w):
    w.sh("""
docker network create ecommerce-net

docker run -d --name user-service --network ecommerce-net user-service:latest
docker run -d --name product-service --network ecommerce-net product-service:latest
docker run -d --name order-service --network ecommerce-net order-service:latest
docker run -d --name payment-service --network ecommerce-net payment-service:latest
docker run -d --name inventory-service --network ecommerce-net inventory-service:latest
docker run -d --name notification-service --network ecommerce-net notification-service:latest
""")
    for ref, ports in SHOP.items():
        w.listening(ref.split(":")[0], ports[0])
    for source, url in (("order-service", "http://payment-service:8080/api/process-payment"),
                        ("product-service", "http://inventory-service:3000/api/check-stock"),
                        ("notification-service", "http://user-service:5000/api/user/email")):
        r = w.exec(source, "curl", url)
        equal(r.returncode, 0, "%s: curl %s: %s" % (source, url, r.stderr))
        contains(r.stdout, url.split("/")[2].split(":")[0])
        contains(r.stdout, "/api/")
    for source in SHOP:
        for target, ports in SHOP.items():
            source, target = source.split(":")[0], target.split(":")[0]
            equal(w.resolve(source, target), [w.address(target)], "%s as %s sees it" % (target, source))
    # another application on the same host: isolated from it
    w.docker("network", "create", "other-net")
    w.docker("run", "-d", "--name", "stranger", "--network", "other-net", IMAGE, "sleep", "600")
    for target, ports in (("payment-service", 8080), ("user-service", 5000)):
        forbidden_pair(w, "stranger", target, ports, "ecommerce-net", "order-service")
    outside_closed(w, "payment-service", 8080)
    w.docker("run", "-d", "--name", "late-service", "--network", "ecommerce-net", "user-service:latest")
    w.listening("late-service", 5000)
    check(reach_by_name(w, "order-service", "late-service", 5000), "a new service is not reached")


@timeout(180)
def test_use_case_2_three_tiers(w):
    w.sh("""
docker network create frontend-net
docker network create backend-net
docker network create database-net

docker run -d --name postgres-db \\
  --network database-net \\
  -e POSTGRES_PASSWORD=securepass \\
  -e POSTGRES_DB=appdb \\
  postgres:15

docker run -d --name api-server \\
  --network backend-net \\
  -e DATABASE_URL=postgres://postgres-db:5432/appdb \\
  api:latest

docker network connect database-net api-server

docker run -d --name web-ui \\
  --network frontend-net \\
  nginx:alpine

docker run -d --name api-gateway \\
  --network frontend-net \\
  -p 443:443 \\
  gateway:latest

docker network connect backend-net api-gateway
""")
    port = {"web-ui": 80, "api-gateway": 443, "api-server": 8080, "postgres-db": 5432}
    on = {"web-ui": ["frontend-net"], "api-gateway": ["frontend-net", "backend-net"],
          "api-server": ["backend-net", "database-net"], "postgres-db": ["database-net"]}
    for name, number in port.items():
        w.listening(name, number)
        equal(sorted(w.inspect(name)["NetworkSettings"]["Networks"]), sorted(on[name]), "networks of " + name)
    for source in port:
        for target in port:
            if source == target:
                continue
            shared = [n for n in on[source] if n in on[target]]
            if shared:
                body = w.http_get(source, "http://%s:%d/" % (target, port[target]))
                check(body is not None, "%s does not reach %s by name", source, target)
                for net in shared:
                    check(w.tcp_reach(source, w.address(target, net), port[target]), "%s to %s on %s", source, target, net)
            else:
                for net in on[target]:
                    control = next(c for c in port if c not in (source, target) and net in on[c])
                    forbidden_pair(w, source, target, port[target], net, control)
    # a container that shares one network reaches the other's address there, not those on its other networks
    w.assert_forbidden(lambda: w.tcp_reach("web-ui", w.address("api-gateway", "frontend-net"), 443),
                       lambda: w.tcp_reach("web-ui", w.address("api-gateway", "backend-net"), 443),
                       "web-ui to the gateway's backend address")
    w.assert_forbidden(lambda: w.tcp_reach("api-gateway", w.address("api-server", "backend-net"), 8080),
                       lambda: w.tcp_reach("api-gateway", w.address("api-server", "database-net"), 8080),
                       "the gateway to the API server's database address")
    contains(w.http_get("internet", "http://%s:443/" % HOST_UP), "gateway:latest")
    contains(w.http_get("lan", "http://%s:443/" % HOST_LAN), "gateway:latest")
    for name in ("web-ui", "postgres-db"):
        outside_closed(w, name, port[name])
    outside_closed(w, "api-server", 8080, "backend-net")
    outside_closed(w, "api-server", 8080, "database-net")
    for place, address in (("internet", HOST_UP), ("lan", HOST_LAN)):
        for number in (80, 8080, 5432):
            w.assert_forbidden(lambda: w.tcp_reach(place, address, 443), lambda: w.tcp_reach(place, address, number, 0.7),
                               "%s to the host's %d" % (place, number))


@timeout(150)
def test_use_case_3_internal_database(w):
    w.sh("""
docker network create --internal db-internal-net

docker run -d --name production-db \\
  --network db-internal-net \\
  -e POSTGRES_PASSWORD=super_secret_password \\
  -e POSTGRES_DB=production \\
  -v /var/lib/postgresql/data:/var/lib/postgresql/data \\
  postgres:15

docker run -d --name app-server \\
  --network db-internal-net \\
  -e DB_HOST=production-db \\
  -e DB_PORT=5432 \\
  -e DB_NAME=production \\
  myapp:latest

docker network create web-public-net

docker run -d --name nginx-proxy \\
  --network web-public-net \\
  -p 443:443 \\
  nginx:alpine

docker network connect web-public-net app-server
""")
    listening(w, production_db=5432, app_server=8080, nginx_proxy=443)
    contains(w.docker("network", "inspect", "db-internal-net"), '"Internal": true')
    contains(w.http_get("app-server", "http://production-db:5432/"), "postgres:15")
    contains(w.http_get("nginx-proxy", "http://app-server:8080/"), "myapp:latest")
    contains(w.http_get("app-server", "http://nginx-proxy:443/"), "nginx:alpine")
    contains(w.http_get("internet", "http://%s:443/" % HOST_UP), "nginx:alpine")
    contains(w.http_get("app-server", "http://example.test/"), "hello from internet")
    db = w.address("production-db")
    for url in ("http://example.test/", "http://%s/" % INTERNET, "http://%s/" % LAN):
        w.assert_forbidden(lambda: w.http_get("app-server", "http://%s/" % INTERNET),
                           lambda: w.http_get("production-db", url), "the database to " + url)
    w.assert_forbidden(lambda: w.ping("app-server", INTERNET), lambda: w.ping("production-db", INTERNET))
    asked = len(w.dns.asked("example.test"))
    answer = w.ask("production-db", "example.test")
    check(answer is not None and answer.rcode == servers.NXDOMAIN, "an internal container asks outside: %r", answer)
    equal(len(w.dns.asked("example.test")), asked, "questions of the database that reached the internet")
    for place in ("internet", "lan", "host"):
        w.assert_forbidden(lambda: w.tcp_reach("app-server", db, 5432), lambda: w.tcp_reach(place, db, 5432, 0.7),
                           "%s to the database" % place)
    forbidden_pair(w, "nginx-proxy", "production-db", 5432, "db-internal-net", "app-server")
    equal(w.exec("production-db", "sh", "-c", "echo row >/var/lib/postgresql/data/table").returncode, 0, "write")
    equal(open("/var/lib/postgresql/data/table").read(), "row\n", "the bind on the host")
    os.unlink("/var/lib/postgresql/data/table")


if __name__ == "__main__":
    main(globals(), setup)
