#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 1, microservices: six services of a shop find each other by name on a network that is theirs alone."""
import ipaddress
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import usecase  # noqa: E402
from talk import open_ports  # noqa: E402
from usecase import guide  # noqa: E402
from ways import OUTSIDE, Ways, soon  # noqa: E402

NET, OTHER = "ecommerce-net", "other-net"
EXAMPLE = TOP + "/examples/uc01-microservices"
# as the guide's picture has them
PORTS = {"user-service": 5000, "product-service": 3000, "order-service": 8000, "payment-service": 8080,
         "inventory-service": 4000, "notification-service": 9000}


def answer(w, container, path, network=NET, port=None):
    """What a service says to the host, which reaches its containers; None if nothing."""
    port = port or PORTS[container]
    text = w.http_get("host", "http://%s:%d%s" % (w.address(container, network), port, path), 10)
    return json.loads(text) if text else None


def called(w, asker, url, **kw):
    """What @url says to a service that asks it: its own program looks the name up, and connects."""
    got = answer(w, asker, "/call?url=" + url, **kw)
    check(got and got["status"] == 200, "%s asks %s: %s", asker, url, got)
    return got["answer"]


def ready(w, container, network=NET, port=None):
    until(lambda: answer(w, container, "/health", network, port), container + " answers", 40)


def pairs():
    return [(a, b) for a in PORTS for b in PORTS if a != b]


# ---- what the guide says ----

def curl_line(w, place, url):
    """The guide's line, typed into the container: the service that the name means says that it is it."""
    got = json.loads(w.docker("exec", place, "curl", url))
    return got["service"] == re.match(r"http://([^:]+)", url)[1]


def all_call_all(w):
    for a, b in pairs():
        equal(called(w, a, "http://%s:%d/" % (b, PORTS[b]))["service"], b, "%s calls %s" % (a, b))
    return True


def all_resolve_all(w):
    at = {name: w.address(name, NET) for name in PORTS}
    for a, b in pairs():
        equal(w.resolve(a, b), [at[b]], "%s looks up %s" % (a, b))
    equal(w.resolve("order-service", "no-such-service"), [])
    return True


def range_of_its_own(w):
    """A range that no other network and no address of the host has."""
    ours = ipaddress.ip_network(w.network(NET)["IPAM"]["Config"][0]["Subnet"])
    check(ours.is_private, "%s is no private range", ours)
    others = [c["Subnet"] for n in w.get("/networks") if n["Name"] != NET for c in n["IPAM"]["Config"] or []]
    others += [HOST_UP + "/24", HOST_LAN + "/24"]
    return others and not any(ours.overlaps(ipaddress.ip_network(x, strict=False)) for x in others if ":" not in x)


def picture(w):
    """Each service on its port, and no port on the host."""
    for name, port in PORTS.items():
        equal(answer(w, name, "/")["service"], name)
        equal((w.inspect(name)["HostConfig"]["PortBindings"] or {}, list(w.inspect(name)["NetworkSettings"]["Networks"])), ({}, [NET]))
    return True


def discovery(case):
    w = case.w
    for place, url in guide.curls(1):
        case.claim("From %s container: curl %s" % (place, url), curl_line, w, place, url)
    case.claim("Service discovery: each service calls each other one by its name", all_call_all, w)
    case.claim("DNS resolution: each name has the address of its container, a name that nobody has none", all_resolve_all, w)
    case.claim("The network has an address range that no other network and nothing of the host has", range_of_its_own, w)
    case.claim("Each service is on its port of the picture, on one network, with nothing published", picture, w)


# ---- isolation ----

def isolation(case):
    w, service = case.w, "payment-service"
    ip = w.address(service, NET)
    with Ways(w, *PORTS, "other-app", "plain-app", ports={**{n: [p] for n, p in PORTS.items()}, "other-app": [3000]}) as ways:
        case.claim("Isolation: another application does not find a service by its name", ways.none, [("other-app", n) for n in PORTS], ["dns"])
        for source, who in (("other-app", "another application"), ("plain-app", "a container on the default network"),
                            ("lan", "a machine of the LAN"), ("internet", "the internet")):
            for proto in ("TCP", "UDP", "ICMP"):
                case.claim("Isolation: %s does not reach a service by address, %s" % (who, proto), ways.none,
                           [(source, n) for n in PORTS], [proto.lower()])
        case.claim("Isolation: a service does not reach another application", ways.none, [(n, "other-app") for n in PORTS])
        case.forbidden("Isolation: who takes over another application does not get in with routes of its own either",
                       lambda: ways.by_hand("order-service", service, ip),
                       lambda: ways.break_in("other-app", service, NET))
        for place in OUTSIDE:
            case.forbidden("Isolation: nothing of it is published on the host, seen from %s" % place, lambda: soon(w.tcp_reach, "host", ip, 8080),
                           lambda: open_ports(w, place, PORTS.values()))
        case.claim("The host reaches its own containers, as Docker's does", ways.reaches, "host", service)


def others(case):
    """Neighbours on the same host: another application, and a container on the default network."""
    w = case.w
    w.docker("network", "create", OTHER)
    w.docker("run", "-d", "--name", "other-app", "--network", OTHER, "api:latest", timeout=180)
    w.docker("run", "-d", "--name", "plain-app", "api:latest")
    ready(w, "other-app", OTHER, 3000)


# ---- scale ----

def added(w):
    """A service that is added to the running ones: the first question after it finds it."""
    try:
        w.docker("run", "-d", "--name", "billing-service", "--network", NET, "billing-service:latest", timeout=180)
        for name in PORTS:
            equal(w.resolve(name, "billing-service"), [w.address("billing-service", NET)], name)
        ready(w, "billing-service", port=7100)
        equal(called(w, "order-service", "http://billing-service:7100/")["service"], "billing-service")
        equal(called(w, "billing-service", "http://user-service:5000/", port=7100)["service"], "user-service")
    finally:
        w.docker("rm", "-f", "billing-service")
    return w.resolve("order-service", "billing-service") == []


REPLICAS = ("stock-1", "stock-2", "stock-3")


def replicas(w):
    for name in REPLICAS:
        w.docker("run", "-d", "--name", name, "--network", NET, "--network-alias", "stock", "--restart", "on-failure", "inventory-service:latest")
    for name in REPLICAS:
        ready(w, name, port=3000)


def hosts(w, calls):
    """{host name of the replica: how many of so many calls by the common name it has answered}"""
    out = {}
    for _ in range(calls):
        host = called(w, "order-service", "http://stock:3000/")["host"]
        out[host] = out.get(host, 0) + 1
    return out


def share(w):
    equal(w.resolve("order-service", "stock"), sorted(w.address(n, NET) for n in REPLICAS))
    first = {w.ask("order-service", "stock").texts()[0] for _ in range(60)}
    equal(len(first), 3, "addresses that came first in an answer")
    return set(hosts(w, 60)) == {w.inspect(n)["Config"]["Hostname"] for n in REPLICAS}


def fewer(w):
    """One that is stopped is asked no more, and is back with its start."""
    w.docker("stop", "stock-3")
    equal(w.resolve("order-service", "stock"), sorted(w.address(n, NET) for n in REPLICAS[:2]))
    stopped = w.inspect("stock-3")["Config"]["Hostname"]
    check(stopped not in hosts(w, 20), "what does not run has answered")
    w.docker("start", "stock-3")
    ready(w, "stock-3", port=3000)
    return len(w.resolve("order-service", "stock")) == 3


def crash(w, by):
    """The program fails: it is started again, found under its name, and answers."""
    state = w.inspect("stock-2")["State"]
    count = w.inspect("stock-2")["RestartCount"]
    began = time.monotonic()
    if by == "itself":
        w.exec("order-service", "curl", "-sX", "POST", "http://stock-2:3000/crash")
    else:
        os.kill(state["Pid"], signal.SIGKILL)
    until(lambda: w.inspect("stock-2")["RestartCount"] > count and w.resolve("order-service", "stock-2"), "it is found again", 20, 0.01)
    found = time.monotonic() - began
    ready(w, "stock-2", port=3000)
    print("# a replica that was ended by %s: found again after %.2f s, answers after %.2f s" % (by, found, time.monotonic() - began), flush=True)
    equal(w.resolve("order-service", "stock"), sorted(w.address(n, NET) for n in REPLICAS))
    return called(w, "order-service", "http://stock-2:3000/")["host"] == w.inspect("stock-2")["Config"]["Hostname"]


def scale(case):
    w = case.w
    case.claim("Scalability: a service that is added while all run is found at once, finds the others, and is gone with its end", added, w)
    replicas(w)
    case.claim("Three replicas share the load by name: all of them answer", share, w)
    case.claim("A replica that is stopped is asked no more, and is found again when it is started", fewer, w)
    case.claim("A replica that crashes by itself comes back and is found again", crash, w, "itself")
    case.claim("A replica that is killed comes back and is found again", crash, w, "a signal")
    w.docker("rm", "-f", *REPLICAS)


# ---- the same setup everywhere ----

def parity(w):
    """The same names in two more environments: each finds its own."""
    for env in ("staging", "production"):
        w.docker("network", "create", env + "-net")
        for name in ("order-service", "payment-service"):
            w.docker("run", "-d", "--name", env + "-" + name, "--network", env + "-net", "--network-alias", name,
                     "-e", "SERVICE_VERSION=" + env, name + ":latest")
    for env in ("staging", "production"):
        for name in ("order-service", "payment-service"):
            ready(w, env + "-" + name, env + "-net", PORTS[name])
        for place, url in guide.curls(1)[:1]:  # the guide's line, to the letter
            equal(json.loads(w.docker("exec", env + "-" + place, "curl", "-s", url))["version"], env)
    place, url = guide.curls(1)[0]
    equal(json.loads(w.docker("exec", place, "curl", "-s", url))["version"], "1.0.0")
    for env in ("staging", "production"):
        w.docker("rm", "-f", env + "-order-service", env + "-payment-service")
        w.docker("network", "rm", env + "-net")
    return True


def claims(case):
    for name in PORTS:
        ready(case.w, name)
    discovery(case)
    isolation(case)
    scale(case)
    case.claim("Development/production parity: the same lines and names serve in each environment, and stay in it", parity, case.w)


@timeout(900)
def test_docker(w):
    case = usecase.Case(w, 1)
    case.run()
    others(case)
    claims(case)
    case.kill9()
    claims(case)
    case.done()


@timeout(600)
def test_atoll(w):
    case = usecase.Case(w, 1, "atoll")
    case.run(kill=True)
    others(case)
    claims(case)
    case.done()


def scripts(w):
    with open(EXAMPLE + "/run.sh") as f:
        equal([line for line in f.read().splitlines() if line.startswith("docker ")], guide.commands(1))
    w.sh(EXAMPLE + "/run.sh", timeout=180)
    ready(w, "notification-service")
    w.sh(EXAMPLE + "/down.sh")
    return not w.get("/containers/json?all=1") and NET not in [n["Name"] for n in w.get("/networks")]


@timeout(300)
def test_compose(w):
    """The example's compose file: the same names, and three of a service behind one of them."""
    case = usecase.Case(w, 1, "compose")
    project = os.path.basename(EXAMPLE)
    net, one = project + "_" + NET, project + "-%s-1"

    def each_finds_all():
        for a in PORTS:
            for b in PORTS:
                equal(len(w.resolve(one % a, b)), 3 if b == "inventory-service" else 1, "%s looks up %s" % (a, b))
        return True

    def calls():
        for name in ("order-service", "payment-service"):
            ready(w, one % name, net, PORTS[name])
        got = called(w, one % "order-service", "http://payment-service:8080/api/process-payment", network=net, port=8000)
        return got["payment"] == "accepted"
    with usecase.composed(case, EXAMPLE, "--scale", "inventory-service=3"):
        case.claim("The compose file: each service finds all others by name, and three of one by one name", each_finds_all)
        case.claim("The compose file: the order service has its payment accepted", calls)
    case.claim("The example's scripts: run.sh has the guide's lines and works, down.sh takes all of it down", scripts, w)
    case.done()


if __name__ == "__main__":
    usecase.main(globals(), 1)
