#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 6, an API gateway: one door with TLS, limits and tokens, and services that nobody reaches but through it."""
import base64
import hashlib
import hmac
import os
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import certs  # noqa: E402
import usecase  # noqa: E402
from talk import NEAR, connected, fetch, open_ports, status  # noqa: E402
from usecase import guide  # noqa: E402
from ways import OUTSIDE, Ways  # noqa: E402

EXAMPLE = TOP + "/examples/uc06-api-gateway"
GATEWAY, VISITOR = "kong-gateway", "visitor"
SERVICES = {"auth-service": 3000, "user-service": 4000, "analytics-service": 7000, "billing-service": 7100}
PRIVATE = "private-services-net"
ROUTES = {"/api/auth": "auth-service", "/api/users": "user-service"}
FLOOD, IN_FLIGHT = 300, 100  # what one client sends at once; what the gateway lets it have in flight


# ---- the gateway and its admin API ----

def ready(w):
    for name, port in {GATEWAY: 8000, **SERVICES}.items():
        w.listening(name, port, 60)


def configure(w):
    """The guide's second script as it stands, on the host; it has done its work when the routes answer."""
    w.listening(GATEWAY, 8001, 60)
    w.sh(guide.scripts(6)[1])
    wait_routes(w)


def wait_routes(w):
    for path in ROUTES:
        until(lambda: status(w, "internet", "http://localhost" + path) == 200, path + " answers", 30, 0.1)


def admin(w, method, path, place="host", address="127.0.0.1", **form):
    """An admin call, as curl -d sends it."""
    with w.at(place):
        c = http.client.HTTPConnection(address, 8001, timeout=10)
        c.connect()
    with contextlib.closing(c):
        body = "&".join("%s=%s" % (k.replace("__", "."), v) for k, v in form.items())
        c.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        r = c.getresponse()
        return Response(r.status, r.headers, r.read())


@contextlib.contextmanager
def plugin(w, service, **form):
    r = admin(w, "POST", "/services/%s/plugins" % service, **form)
    equal(r.status, 201, "%r" % r)
    try:
        yield
    finally:
        equal(admin(w, "DELETE", "/plugins/" + r.json["id"]).status, 204)


def ca(w):
    return w.exec(GATEWAY, "cat", "/var/lib/kong/tls/ca.pem").stdout


def ask(w, place, path, tls=True, **kw):
    return fetch(w, place, ("https" if tls else "http") + "://localhost" + path, ca(w) if tls else None, **kw)


def configured(w):
    """What the guide's calls have made, as Kong lists it."""
    services = {s["name"]: s for s in admin(w, "GET", "/services").json["data"]}
    equal({n: (s["protocol"], s["host"], s["port"]) for n, s in services.items()},
          {n: ("http", n, SERVICES[n]) for n in ROUTES.values()})
    for path, name in ROUTES.items():
        (route,) = admin(w, "GET", "/services/%s/routes" % name).json["data"]
        equal((route["paths"], route["strip_path"], route["service"]["id"]), ([path], True, services[name]["id"]))
    return True


def admin_errors(w):
    again = admin(w, "POST", "/services", name="auth-service", url="http://auth-service:3000")
    equal((again.status, again.json["name"]), (409, "unique constraint violation"))
    equal(admin(w, "POST", "/services/nobody/routes", **{"paths[]": "/x"}).status, 404)
    equal(admin(w, "GET", "/services/nobody").status, 404)
    equal(admin(w, "POST", "/services", name="x", url="nonsense").status, 400)
    return True


# ---- what works ----

def routed(w, place, tls):
    """/api/auth/* goes to auth-service, /api/users/* to user-service, without what the route matched; no other path goes anywhere."""
    for path, name in ROUTES.items():
        for more in ("", "/", "/headers?x=1"):
            r = ask(w, place, path + more, tls)
            equal((r.status, r.json.get("service")), (200, name), path + more)
    for path in ("/", "/api", "/api/billing", "/metrics"):
        r = ask(w, place, path, tls)
        equal((r.status, r.message), (404, "no Route matched with those values"), path)
    return True


def tls_ends_here(w):
    """The client's question is not to be read on the internet's wire, and is on that of the service."""
    with packets.wire(w, "internet", wait=5) as out, packets.wire(w, "c:auth-service", wait=5) as inside:
        headers = ask(w, "internet", "/api/auth/headers?secret=word").json["headers"]
        equal(headers["X-Forwarded-Proto"], "https")
        check(packets.sees(inside, b"GET /headers?secret=word"), "the service's wire has the request in the clear")
        out.settimeout(0.5)
        check(not packets.sees(out, b"secret=word"), "the internet's wire has it, too")
    return not_verified(w)


def not_verified(w):
    """Without the gateway's CA nobody believes its certificate: the check of it is real."""
    other = certs.Authority(w.base + "/other-ca")
    with open(other.path("ca")) as f:
        text = f.read()
    try:
        fetch(w, "internet", "https://localhost/api/auth", text)
    except ssl.SSLCertVerificationError:
        return True
    return False


def limited(w):
    """Of a client's requests so many pass in a day; other clients and services have their own count."""
    with plugin(w, "auth-service", name="rate-limiting", config__day=5):
        equal([ask(w, "internet", "/api/auth").status for _ in range(8)], [200] * 5 + [429] * 3)
        r = ask(w, "internet", "/api/auth")
        equal((r.message, r.headers["X-RateLimit-Limit-Day"]), ("API rate limit exceeded", "5"))
        check(int(r.headers["Retry-After"]) > 0)
        equal((ask(w, "lan", "/api/auth").status, ask(w, "internet", "/api/users").status), (200, 200))
    return ask(w, "internet", "/api/auth").status == 200


def token(key, secret, algorithm="HS256", **claims):
    parts = [base64.urlsafe_b64encode(json.dumps(x).encode()).rstrip(b"=") for x in ({"alg": algorithm, "typ": "JWT"}, dict(claims, iss=key))]
    signature = hmac.new(secret.encode(), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def authenticated(w):
    equal(admin(w, "POST", "/consumers", username="ada").status, 201)
    try:
        credential = admin(w, "POST", "/consumers/ada/jwt", key="ada-key", secret="ada-secret")
        equal((credential.status, credential.json["algorithm"]), (201, "HS256"))
        with plugin(w, "user-service", name="jwt", config__claims_to_verify="exp"):
            return tokens(w)
    finally:
        admin(w, "DELETE", "/consumers/ada")


def tokens(w):
    soon, past = int(time.time()) + 600, int(time.time()) - 600

    def bearer(text):
        return ask(w, "internet", "/api/users/headers", Authorization="Bearer " + text, X_Consumer_Username="root")
    equal(ask(w, "internet", "/api/users").status, 401, "without a token")
    good = bearer(token("ada-key", "ada-secret", exp=soon))
    equal((good.status, good.json["headers"].get("X-Consumer-Username")), (200, "ada"))
    for what, text in (("a wrong secret", token("ada-key", "guess", exp=soon)), ("nobody's key", token("bob-key", "ada-secret", exp=soon)),
                       ("no signature", token("ada-key", "", "none", exp=soon)), ("an old one", token("ada-key", "ada-secret", exp=past)),
                       ("nonsense", "a.b.c")):
        equal(bearer(text).status, 401, what)
    return ask(w, "internet", "/api/auth").status == 200  # which has no such plugin


def recreated(w):
    """auth-service is made anew and has another address: the gateway finds it."""
    before, line, holders = w.address("auth-service"), next(c for c in guide.commands(6) if "--name auth-service" in c), []
    try:
        while not holders or w.address("auth-service") == before and len(holders) < 5:
            w.docker("rm", "-f", "auth-service")
            holders.append("holder-%d" % len(holders))  # it may take the address that is free now
            w.docker("run", "-d", "--name", holders[-1], "--network", PRIVATE, "billing-service:latest")
            w.sh(line)
        check(w.address("auth-service") != before, "it has the address that it had")
        wait_routes(w)
        return ask(w, "internet", "/api/auth").json["host"] == w.inspect("auth-service")["Config"]["Hostname"]
    finally:
        w.docker("rm", "-f", *holders)
        w.listening("auth-service", 3000, 30)


def restarted(w):
    """The gateway keeps what it was told, and its certificate."""
    before = ca(w)
    w.docker("restart", GATEWAY)
    w.listening(GATEWAY, 8443, 30)
    wait_routes(w)
    return ca(w) == before and configured(w) and routed(w, "internet", True)


def features(case):
    w = case.w
    case.claim("The admin calls have made Kong's services and routes", configured, w)
    case.claim("Admin calls that cannot be are answered as Kong does: 400, 404, 409", admin_errors, w)
    for place in OUTSIDE:
        case.claim("Routes work from %s over port 80" % place, routed, w, place, False)
        case.claim("Routes work from %s over port 443, the certificate verified" % place, routed, w, place, True)
    case.claim("SSL Termination: HTTPS at gateway, HTTP internally", tls_ends_here, w)
    case.claim("Rate Limiting: Gateway enforces limits, 429 beyond them", limited, w)
    case.claim("Authentication: JWT validation at gateway, 401 without a good token, 200 with one", authenticated, w)
    case.claim("A service that is made anew with another address is found again", recreated, w)
    case.claim("The gateway restarted keeps its routes and its certificate", restarted, w)


# ---- attacks ----

def metrics(w):
    return fetch(w, "host", "http://%s:4000/metrics" % w.address("user-service")).text


def counted(w, path, code=200):
    """How many requests user-service says that it has answered."""
    m = re.search(r'http_requests_total\{path="%s",code="%d"\} (\d+)' % (path, code), metrics(w))
    return int(m[1]) if m else 0


def flood(w, path):
    """{status: how many} of FLOOD requests from the internet, all at once: the connections are there before the first one."""
    with contextlib.ExitStack() as stack:
        calls = [stack.enter_context(connected(w, "internet", HOST_UP, 80, wait=60)) for _ in range(FLOOD)]
        for s in calls:
            s.sendall(b"GET %s HTTP/1.1\r\nHost: flood\r\nConnection: close\r\n\r\n" % path.encode())
        got = [int(s.recv(4096).split()[1]) for s in calls]
    return {s: got.count(s) for s in set(got)}


def flood_limited(w):
    with plugin(w, "user-service", name="rate-limiting", config__day=20):
        before = counted(w, "/health")
        equal(flood(w, "/api/users/health"), {200: 20, 429: FLOOD - 20})
        equal(counted(w, "/health") - before, 20, "requests that the service has seen")
        equal(ask(w, "lan", "/api/users/health").status, 200, "another client")
    return True


def flood_in_flight(w):
    """Each request holds its connection for 5 s: a client may have so many in flight, and the service sees no more."""
    before = counted(w, "/call", 503)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(flood, w, "/api/users/call?url=http://198.18.0.99:9/")
        until(lambda: metrics(w), "the service answers", 10)
        began = time.monotonic()
        equal(ask(w, "lan", "/api/auth").status, 200, "another client, meanwhile")
        print("# another client is answered after %.2f s in the flood" % (time.monotonic() - began), flush=True)
        got = job.result()
    check(got.get(429, 0) > 0 and set(got) <= {429, 503}, "%s", got)
    equal(counted(w, "/call", 503) - before, got[503], "requests that the service has seen")
    return got[503] <= IN_FLIGHT


def idle_connections(w):
    """Those who only connect keep nobody out."""
    with contextlib.ExitStack() as stack:
        for _ in range(FLOOD):
            stack.enter_context(connected(w, "internet", HOST_UP, 443)).send(b"\x16")
        return all(ask(w, p, "/api/auth").status == 200 for p in OUTSIDE)


def attacks(case):
    case.claim("DDoS Protection: of a flood the service sees only what the limit lets pass", flood_limited, case.w)
    case.claim("DDoS Protection: one client has no more than %d requests in flight, others are answered meanwhile" % IN_FLIGHT,
               flood_in_flight, case.w)
    case.claim("DDoS Protection: connections that say nothing keep nobody out", idle_connections, case.w)


# ---- who reaches what ----

def protection(case):
    w = case.w
    ports = {GATEWAY: 8000, VISITOR: 80, **SERVICES}
    with Ways(w, *ports, ports={c: [p] for c, p in ports.items()}) as ways:
        for name in SERVICES:
            ways.claim_open(case, GATEWAY, name, PRIVATE)
            ways.claim_closed(case, VISITOR, name, PRIVATE)
        ways.claim_open(case, VISITOR, GATEWAY, "public-net")
        ways.claim_closed(case, VISITOR, GATEWAY, PRIVATE)
        for place in OUTSIDE:
            ways.claim_outside(case, place)
            case.claim("Single Entry Point: %s finds the ports open that the guide publishes, and no other" % place,
                       lambda: equal(open_ports(w, place), [80, 443, 8001]) is None)
        for name in SERVICES:
            ways.claim_taken_over(case, "Service Protection", VISITOR, name, PRIVATE)


def admin_open(w):
    """As the guide publishes it, whoever reaches the host may change the routes."""
    return all(admin(w, "GET", "/services", place, NEAR[place]).status == 200 for place in OUTSIDE)


def admin_loopback(case):
    """The guide's line with the admin port on loopback, as the example's README has it."""
    w = case.w
    (line,) = [c for c in case.commands() if "--name kong-gateway" in c]
    w.docker("rm", "-f", GATEWAY)
    w.sh(line.replace("-p 8001:8001", "-p 127.0.0.1:8001:8001"))
    w.docker("network", "connect", PRIVATE, GATEWAY)
    configure(w)
    case.claim("With -p 127.0.0.1:8001:8001 the guide's calls work on the host, and the routes from the internet",
               lambda: configured(w) and routed(w, "internet", True))
    addresses = [w.address(GATEWAY, net) for net in ("public-net", PRIVATE)]
    for place in OUTSIDE:
        case.forbidden("With -p 127.0.0.1:8001:8001 %s does not reach the admin port" % place, lambda: w.tcp_reach("host", "127.0.0.1", 8001, 4),
                       lambda: any(w.tcp_reach(place, a, 8001) for a in [NEAR[place], *addresses]))


def visitor(w):
    w.docker("run", "-d", "--name", VISITOR, "--network", "public-net", "nginx:alpine", timeout=180)
    w.listening(VISITOR, 80, 30)


def claims(case):
    ready(case.w)
    features(case)
    protection(case)
    attacks(case)
    case.claim("The admin port is open to all, as the guide publishes it", admin_open, case.w)


@timeout(400)
def test_docker(w):
    case = usecase.Case(w, 6)
    case.run()
    visitor(w)
    configure(w)
    claims(case)
    case.kill9()
    claims(case)
    admin_loopback(case)
    case.done()


@timeout(300)
def test_atoll(w):
    case = usecase.Case(w, 6, "atoll")
    case.run(kill=True)
    visitor(w)
    configure(w)
    claims(case)
    case.done()


@timeout(200)
def test_compose(w):
    """The example's compose file makes the same, the admin port on loopback."""
    case = usecase.Case(w, 6, "compose")
    with usecase.composed(case, EXAMPLE):
        ready(w)
        configure(w)
        for place in OUTSIDE:
            case.claim("The compose file: routes work from %s over port 443, the certificate verified" % place, routed, w, place, True)
            case.forbidden("The compose file: %s does not reach the admin port" % place, lambda: w.tcp_reach("host", "127.0.0.1", 8001, 4),
                           lambda: w.tcp_reach(place, NEAR[place], 8001))
        case.claim("README: what it says to try works", usecase.try_readme, w, EXAMPLE)
        w.docker("rm", "-f", "auth-service")  # which the README has made anew, without compose
    case.done()


if __name__ == "__main__":
    usecase.main(globals(), 6)
