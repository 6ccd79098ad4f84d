#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 9, a message bus: services that know RabbitMQ by its name, and nothing of one another."""
import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import usecase  # noqa: E402
from usecase import clients, guide  # noqa: E402

NET, OTHER, BROKER, AMQP, MANAGEMENT = "event-bus-net", "other-net", "rabbitmq", 5672, 15672
EXAMPLE = TOP + "/examples/uc09-message-bus"
PORTS = {"order-service": 8000, "inventory-service": 4000, "payment-service": 8080, "email-service": 7000,
         "notification-service": 9000, "analytics-service": 7000, "loyalty-service": 8080}
# what the guide's picture says that each does about an order
DID = {"inventory-service": "reduced stock", "payment-service": "processed payment", "email-service": "sent confirmation email",
       "notification-service": "sent push notification", "analytics-service": "logged for reporting"}
MANY = 300


# ---- the services and the broker, asked ----

def answer(w, container, path):
    text = w.http_get("host", "http://%s:%d%s" % (w.address(container, NET), PORTS[container], path), 15)
    return json.loads(text) if text else None


def acted(w, container, event="OrderCreated"):
    """{id of an order: what this service did about it}"""
    return {e["id"]: e["did"] for e in (answer(w, container, "/events") or {"events": []})["events"] if e["event"] == event}


def hears(w, container):
    until(lambda: (answer(w, container, "/events") or {}).get("connected"), container + " hears the broker", 90, 0.1)


def manage(w, path, place="host", to=HOST_UP, login="admin:secret"):
    """What the management API says; None if nothing, or no to this login."""
    head = "Authorization: Basic " + base64.b64encode(login.encode()).decode()
    with w.at(place):
        r = run("curl", "-sfm", "10", "-H", head, "http://%s:%d%s" % (to, MANAGEMENT, path))
    return r.stdout if r.returncode == 0 else None


def connections(w):
    """The broker's AMQP connections, by the addresses and ports of both ends. The management hears of new ones late."""
    def all_there():
        names = sorted(c["name"] for c in json.loads(manage(w, "/api/connections") or "[]") if "name" in c)
        return all(any(c.startswith(w.address(s, NET) + ":") for c in names) for s in DID) and names
    return until(all_there, "each service has a connection to the broker", 30, 0.2)


def ready(w):
    w.listening(BROKER, AMQP, 120)
    w.listening(BROKER, MANAGEMENT, 120)
    for name in DID:
        hears(w, name)
    until(lambda: answer(w, "order-service", "/health"), "order-service answers", 30)


def order(w):
    """The id of an order that the broker has confirmed."""
    mark = os.urandom(6).hex()
    until(lambda: (answer(w, "order-service", "/publish?id=" + mark) or {}).get("confirmed"), "an order is taken", 60, 0.1)
    return mark


def reaches(w, mark, *consumers, seconds=60):
    for name in consumers or DID:
        until(lambda: mark in acted(w, name), "%s hears of the order" % name, seconds, 0.1)
    return True


# ---- what the guide says ----

def flow(w, name):
    mark = order(w)
    reaches(w, mark, name)
    return acted(w, name)[mark] == DID[name]


def also_published(w):
    """inventory-service and payment-service are producers, too: what they did is an event."""
    mark = order(w)
    for event in ("StockReduced", "PaymentProcessed"):
        until(lambda: mark in acted(w, "analytics-service", event), event + " is logged", 60, 0.1)
    return True


def knows_the_broker_only(w):
    """No name and no address of another service is in any service's variables or hosts."""
    for name in guide.runs(9):
        if name == BROKER:
            continue
        text = "\n".join(w.inspect(name)["Config"]["Env"]) + w.exec(name, "cat", "/etc/hosts").stdout
        contains(text, "RABBITMQ_HOST=" + BROKER)
        for other in set(guide.runs(9)) - {BROKER, name}:
            check(other not in text and w.address(other, NET) not in text.split(), "%s knows %s", name, other)
    return True


def peers_are_the_broker(w):
    """Every AMQP connection has the broker at one end, and each service has one."""
    broker = w.address(BROKER, NET)
    return all(c.endswith(" -> %s:%d" % (broker, AMQP)) for c in connections(w))


def new_consumer(w):
    w.docker("run", "-d", "--name", "loyalty-service", "--network", NET, "-e", "RABBITMQ_HOST=" + BROKER, "-e",
             "SERVICE_NAME=loyalty-service", "-e", "SUBSCRIBE=OrderCreated", "service:latest")
    hears(w, "loyalty-service")
    try:
        return reaches(w, order(w), *DID, "loyalty-service")
    finally:
        w.docker("rm", "-f", "loyalty-service")


def asynchronous(w):
    """Orders are taken while a consumer is away; it gets them when it is back."""
    w.docker("stop", "-t", "5", "email-service")
    marks = [order(w) for _ in range(5)]
    others = all(reaches(w, m, "payment-service", "notification-service") for m in marks)
    w.docker("start", "email-service")
    hears(w, "email-service")
    return others and all(reaches(w, m, "email-service") for m in marks)


class Run:
    """Orders, one after another, from a thread; those that were confirmed."""

    def __init__(self, w):
        self.w, self.confirmed, self.refused, self.end = w, [], 0, False
        self.url = "http://%s:%d/publish?id=" % (w.address("order-service", NET), PORTS["order-service"])
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.end:
            mark = os.urandom(6).hex()
            if self.w.http_get("host", self.url + mark, 15):
                self.confirmed.append(mark)
            else:
                self.refused += 1
                time.sleep(0.05)  # the broker is away; it is asked again

    def at_least(self, n):
        until(lambda: len(self.confirmed) >= n, "%d orders are confirmed" % n, 120, 0.05)

    def over(self):
        self.end = True
        self.thread.join(30)
        return set(self.confirmed)


def all_arrive(w, marks):
    """Whatever was confirmed is acted on, by each."""
    for name in DID:
        until(lambda: marks <= set(acted(w, name)), "%s gets all %d" % (name, len(marks)), 90, 0.2)
    return True


def broker_restarts(w):
    r = Run(w)
    r.at_least(MANY // 3)
    w.docker("restart", "-t", "30", BROKER, timeout=120)
    w.listening(BROKER, AMQP, 120)
    r.at_least(len(r.confirmed) + MANY // 3)
    for name in DID:
        hears(w, name)
    marks = r.over()
    print("# measured: %d orders confirmed around a restart of the broker, %d refused while it was away" % (len(marks), r.refused), flush=True)
    return all_arrive(w, marks)


def engine_dies(case):
    w, before = case.w, connections(case.w)
    r = Run(w)
    r.at_least(MANY // 3)
    case.kill9()
    r.at_least(len(r.confirmed) + MANY // 3)
    marks = r.over()
    check(r.refused == 0, "%d orders were refused", r.refused)
    return all_arrive(w, marks) and set(before) <= set(connections(w))


# ---- who may reach the broker ----

def doors(case):
    w = case.w
    ip = w.address(BROKER, NET)
    for place, to in (("host", "127.0.0.1"), ("lan", HOST_LAN), ("internet", HOST_UP)):
        case.claim("The management API answers on port 15672, asked from the %s" % place,
                   lambda: '"rabbitmq_version"' in (manage(w, "/api/overview", place, to) or ""))
    case.claim("The management pages are there", lambda: "RabbitMQ Management" in (manage(w, "/") or ""))
    case.forbidden("The management API wants the password", lambda: manage(w, "/api/whoami"), lambda: manage(w, "/api/whoami", login="admin:wrong"))
    case.forbidden("The broker's usual account guest is not there", lambda: manage(w, "/api/whoami"), lambda: manage(w, "/api/whoami", login="guest:guest"))

    def amqp(place, to=ip, port=AMQP):
        return w.tcp_reach(place, to, port, 2)
    control = lambda: until(lambda: amqp("c:order-service"), "a control", 20)  # noqa: E731
    for place, to in (("lan", HOST_LAN), ("internet", HOST_UP)):
        case.forbidden("AMQP is not published to the %s" % place, control, lambda: amqp(place, to))
        case.forbidden("AMQP is not reached by address from the %s, which has a route" % place, control, lambda: amqp(place))
        case.forbidden("The broker does not answer to ping from the %s" % place, lambda: w.ping("c:order-service", ip, 2), lambda: w.ping(place, ip))
    w.docker("network", "create", OTHER)
    w.docker("run", "-d", "--name", "stranger", "--network", OTHER, "service:latest")
    case.forbidden("A container of another network does not find the broker by name",
                   lambda: w.resolve("order-service", BROKER) == [ip], lambda: w.resolve("stranger", BROKER))
    case.forbidden("A container of another network does not reach AMQP by address", control, lambda: amqp("c:stranger"))
    case.forbidden("A container of another network does not reach the management by address",
                   lambda: amqp("c:order-service", ip, MANAGEMENT), lambda: amqp("c:stranger", ip, MANAGEMENT))
    case.forbidden("A container of another network gets no answer to ping", lambda: w.ping("c:order-service", ip, 2), lambda: w.ping("c:stranger", ip))
    w.docker("rm", "-f", "stranger")
    w.docker("network", "rm", OTHER)


def claims(case):
    w = case.w
    ready(w)
    for name, did in DID.items():
        case.claim("An order: %s has %s" % (name, did), flow, w, name)
    case.claim("Inventory and payment publish what they did, and analytics logs it", also_published, w)
    case.claim("Loose coupling: a service's container knows no name but the broker's", knows_the_broker_only, w)
    case.claim("All communication through the broker: each connection is one to it", peers_are_the_broker, w)
    case.claim("A new consumer joins while all runs, and hears of the next order", new_consumer, w)
    doors(case)


def hard(case):
    """What costs more time; once a client."""
    w = case.w
    case.claim("Asynchronous: a consumer that was stopped gets its messages when it is back", asynchronous, w)
    case.claim("The engine dies with kill -9 amid hundreds of orders: none is lost, no AMQP connection breaks", engine_dies, case)
    case.claim("The broker restarts amid hundreds of orders: none that was confirmed is lost", broker_restarts, w)


@timeout(600)
def test_docker(w):
    case = usecase.Case(w, 9)
    case.run()
    claims(case)
    hard(case)
    case.kill9()
    claims(case)
    case.done()


@timeout(600)
def test_atoll(w):
    case = usecase.Case(w, 9, "atoll")
    case.run(kill=True)
    claims(case)
    case.done()


@timeout(400)
def test_example(w):
    """The folder of examples: its script is the guide's lines, its compose file makes the same."""
    case = usecase.Case(w, 9, "compose v2")
    with open(EXAMPLE + "/run.sh") as f:
        lines = [x.strip() for x in f.read().replace("\\\n", " ").splitlines() if x.startswith("docker ")]
    case.claim("The example's script has the guide's lines", lambda: [x.split() for x in lines] == [x.split() for x in guide.commands(9)])
    compose = clients.Client(w, "compose v2", clients.COMPOSE2, "-p", "bus", "-f", EXAMPLE + "/compose.yml")
    compose("up", "-d", timeout=200)
    w.listening("rabbitmq", AMQP, 120)
    ip = w.address("rabbitmq")

    def did(name):
        port = PORTS[name]
        text = w.http_get("host", "http://%s:%d/events" % (w.address(name), port), 10)
        return json.loads(text) if text else {}
    for name in DID:
        until(lambda: did(name).get("connected"), name + " hears the broker", 90, 0.1)
    case.claim("An order reaches all five by the compose file, too", lambda: until(
        lambda: w.http_get("host", "http://%s:8000/publish?id=one" % w.address("order-service"), 15), "an order", 60) and all(
        until(lambda: any(e["id"] == "one" for e in did(name)["events"]), name, 60, 0.1) for name in DID))
    case.forbidden("AMQP is not published by the compose file", lambda: w.tcp_reach("c:order-service", ip, AMQP), lambda: w.tcp_reach("lan", HOST_LAN, AMQP))
    compose("down", "-v", timeout=120)
    case.done()


if __name__ == "__main__":
    usecase.main(globals(), 9)
