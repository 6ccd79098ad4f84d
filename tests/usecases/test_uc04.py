#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 4: development, staging and production, the guide's compose files as they stand, through docker-compose
1.29.2 and docker compose 2.26. Each row of the guide's table, with the real servers and clients."""
import itertools
import json
import os
import shutil
import sys
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import testbed  # noqa: E402
from testbed import *  # noqa: E402,F403
import usecase  # noqa: E402
from usecase import clients, guide  # noqa: E402
from talk import fetch, listens, open_ports, psql, redis  # noqa: E402
from ways import Ways, addresses, gets_out, shut_in  # noqa: E402

EXAMPLE = testbed.TOP + "/examples/uc04-environments"
SECRETS = {"STAGING_DB_PASSWORD": "st@ging $1 word", "PROD_DB_PASSWORD": "prod:/'s password"}
CLASH = "Bind for 0.0.0.0:443 failed: port is already allocated"
WWW, STAGING = "https://www.example.com", "https://staging.example.com"
PORTS = {"app": (3000,), "db": (5432,), "redis": (6379,)}


def make_ready(w, folder):
    """The example's files, its certificates, and compose as a plugin of the docker CLI."""
    shutil.copytree(EXAMPLE, folder)
    for env in () if usecase.ISOLATED else guide.ENVIRONMENTS:
        path = "%s/docker-compose.%s.yml" % (folder, env)
        text = read(path).replace("internal: true", "internal: false")
        with open(path, "w") as f:
            f.write(text)
    w.sh(folder + "/certificates.sh")
    with open(folder + "/staging.pem", "w") as f:
        f.write(re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", read(folder + "/nginx-staging.conf"), re.S)[0])
    plugins = w.home + "/.docker/cli-plugins"
    os.makedirs(plugins, exist_ok=True)
    os.symlink(clients.COMPOSE2, plugins + "/docker-compose")


def read(path):
    with open(path) as f:
        return f.read()


class Environment:
    """One of the guide's compose files in a folder of its own, and a compose that runs it as project @env."""

    def __init__(self, w, how, env):
        self.w, self.env, self.folder = w, env, w.base + "/uc04"
        if not os.path.isdir(self.folder):
            make_ready(w, self.folder)
        program = [clients.PYTHON, clients.COMPOSE1] if "1.29" in how else [clients.DOCKER["docker 26.1"], "compose"]
        self.client = clients.Client(w, how, *program, cwd=self.folder, COMPOSE_HTTP_TIMEOUT="180", **SECRETS)
        self.files = ["docker-compose.%s.yml" % env]

    def words(self, *args):
        return [x for f in self.files for x in ("-f", f)] + ["-p", self.env, *args]

    def __call__(self, *args, **kw):
        return self.client(*self.words(*args), timeout=240, **kw)

    def script(self, name, *args):
        """One of the example's scripts, which are for compose 2."""
        words = ["%s=%s" % item for item in SECRETS.items()] + ["%s/%s.sh" % (self.folder, name), self.env, *args]
        self.w.sh("env " + shlex.join(words), timeout=240)

    def fails(self, *args, **kw):
        return self.client.fails(*self.words(*args), timeout=240, **kw)

    def all(self, service):
        """The names of a service's containers that run."""
        labels = ["com.docker.compose.project=" + self.env, "com.docker.compose.service=" + service]
        return sorted(c["Names"][0][1:] for c in self.w.get("/containers/json?filters=" + json.dumps({"label": labels}).replace(" ", "")))

    def one(self, service):
        there = self.all(service)
        equal(len(there), 1, "containers of " + service)
        return there[0]

    def ways(self, *services):
        """Those of all containers of these services."""
        ports = {c: PORTS.get(s, ()) for s in services for c in self.all(s)}
        return Ways(self.w, *ports, ports=ports)

    def ask(self, path, service="app"):
        """The app's answer, asked from its own network."""
        with self.w.at("c:" + self.all(service)[0]):
            r = run("curl", "-sS", "--max-time", "15", "http://127.0.0.1:3000" + path)
        check(r.returncode == 0, "%s", r.stderr)
        return json.loads(r.stdout)

    def database(self, password, wrong=False):
        """What the app's /db says: it writes a row and reads it back. @wrong: the error that it must meet."""
        answer = self.ask("/db?host=db&name=postgres&password=" + quote(password, safe=""))
        check(("error" in answer) == wrong, "%s", answer)
        return answer

    def ready(self):
        """All services listen."""
        for service, ports in PORTS.items():
            for container in self.all(service):
                listens(self.w, container, ports[0])
        for container in self.all("nginx"):
            listens(self.w, container, 443)

    def logs(self, service="app"):
        return "".join(self.w.docker("logs", c, timeout=30) + "\n" for c in self.all(service))


def up(case, env):
    """In the middle of it the engine dies, where nothing else kills it; `up` again goes on from there."""
    if "1.29" in case.how:
        env("up", "-d", "db")
        case.kill9()
        env("up", "-d")
    elif len(env.files) == 1:
        env.script("run")
    else:
        env("up", "-d")
    env.ready()


def says(env, place, url, ca=None, **want):
    """The app answers at @url, and what it says of itself."""
    r = fetch(env.w, place, url, ca)
    equal(r.status, 200, url)
    equal({k: r.json.get(k) for k in want}, want)
    return r.json


def everywhere(fn, *args):
    return all(fn(place, *args) for place in PLACES)


def networks(env):
    """{its networks without the project's name: is it internal?}"""
    own = [n for n in env.w.get("/networks") if (n["Labels"] or {}).get("com.docker.compose.project") == env.env]
    return {n["Name"].split("_", 1)[1]: n["Internal"] for n in own}


def gone(env):
    return not env.w.get("/containers/json?all=1") and not networks(env)


# ---- development ----

def claims_dev(case, env):
    w, db, cache = env.w, env.one("db"), env.one("redis")
    case.claim("dev, Network Type: a single bridge, all three services on it", lambda: (
        equal(networks(env), {"dev-net": False}) is None and all(list(addresses(w, env.one(s))) == ["dev_dev-net"] for s in PORTS)))
    case.claim("dev, Exposed Ports: the app answers on 3000 to the host, the LAN and the internet", everywhere,
               lambda place: says(env, place, "http://app:3000/", service="myapp"))
    case.claim("dev, DB Access: direct, psql talks to PostgreSQL 15 on 5432 from the host, the LAN and the internet", everywhere,
               lambda place: psql(w, db, place, "devpass", "show server_version").startswith("15."))
    case.claim("dev, Exposed Ports: redis-cli talks to Redis on 6379 from the host, the LAN and the internet", everywhere,
               lambda place: redis(w, cache, place, "set", "from", place) == "OK" and redis(w, cache, place, "get", "from") == place)
    case.claim("dev, Exposed Ports: all, and no other port of the host is open", lambda: (
        equal(open_ports(w, "internet"), [3000, 5432, 6379]) is None))
    case.claim("dev: the app finds db and redis by name", lambda: (
        env.database("devpass")["database"] == "db:5432/postgres" and env.ask("/redis?host=redis")["visits"] > 0))
    case.claim("dev, Logging: debug", lambda: "DEBUG myapp" in env.logs() and "INFO myapp" in env.logs())
    case.claim("dev, Security: minimal, every service reaches every other and the internet", dev_open, env)


def dev_open(env):
    names = [env.one(s) for s in PORTS]
    with env.ways(*PORTS) as ways:
        for a, b in itertools.permutations(names, 2):
            ways.reaches(a, b)
    return all(gets_out(env.w, n) == ["TCP", "UDP", "ICMP", "DNS"] for n in names)


# ---- staging and production: more tiers ----

def claims_tiers(case, env, url, ca, published):
    """What the guide says of both."""
    w, label = env.w, env.env
    app, db, front = env.all("app"), env.one("db"), env.one("nginx")
    case.claim("%s, Exposed Ports: HTTPS answers on 443, the app's answer through nginx, to the host, the LAN and the internet" % label,
               everywhere, lambda place: says(env, place, url + "/", ca, service="myapp"))
    for place in ("internet", "lan"):
        case.claim("%s, Exposed Ports: of the host's first 10000 ports the %s finds %s alone" % (label, place, " and ".join(map(str, published))),
                   lambda place=place: equal(open_ports(w, place), published) is None)
    case.claim("%s, DB Access: the app reaches it by name, with the password of the environment" % label, lambda: (
        env.database(SECRETS[label.upper() + "_DB_PASSWORD"])["database"] == "db:5432/postgres"))
    case.claim("%s, DB Access: another password is refused" % label, lambda: "password authentication failed" in env.database("devpass", wrong=True)["error"])
    with env.ways("app", "db", "nginx") as ways:
        case.claim("%s, DB Access: app only, nginx reaches it by no name, no address and no protocol" % label, ways.none, [(front, db)])
        case.claim("%s, DB Access: app only, neither the LAN nor the internet reaches it" % label, ways.none, [("lan", db), ("internet", db)])
        case.claim("%s, DB Access: app only, not even the host's programs reach its ports" % label, ways.none, [("host", db)], ("tcp", "udp"))
        case.claim("%s: neither the LAN nor the internet reaches app or nginx at their own addresses" % label, ways.none,
                   [(place, c) for place in ("lan", "internet") for c in app + [front]])
        case.claim("%s: the database, taken over, does not reach nginx" % label, ways.none, [(db, front)])
    case.claim("%s: the database reaches nothing of the internet, though the app does" % label, shut_in, w, db, app[0])


def claims_staging(case, env):
    case.claim("staging, Network Type: multi-tier, the database's is internal", lambda: (
        equal(networks(env), {"staging-frontend": False, "staging-backend": False, "staging-db": True}) is None))
    claims_tiers(case, env, STAGING, env.folder + "/staging.pem", [443])
    case.claim("staging, Logging: info, and not debug", lambda: "INFO myapp" in env.logs() and "DEBUG" not in env.logs())


def hosts(env, rounds=60):
    """Who answered in so many requests over HTTPS."""
    return {says(env, "internet", WWW + "/", CA, service="myapp")["host"] for _ in range(rounds)}


def replicas(env):
    return {env.w.inspect(c)["Config"]["Hostname"] for c in env.all("app")}


def claims_prod(case, env):
    w = env.w
    case.claim("prod, Network Type: multi-tier and internal", lambda: (
        equal(networks(env), {"prod-frontend": False, "prod-backend": False, "prod-db": True}) is None))
    case.claim("prod, Exposed Ports: on 80 nothing but the redirect to HTTPS", everywhere, redirected, env)
    claims_tiers(case, env, WWW, CA, [80, 443])
    case.claim("prod: the app's name has the addresses of all three replicas", lambda: (
        equal(w.resolve(env.one("nginx"), "app"), sorted(addresses(w, c)["prod_prod-backend"] for c in env.all("app"))) is None
        and len(env.all("app")) == 3))
    case.claim("prod: three replicas share the load by name", lambda: equal(hosts(env), replicas(env)) is None and len(replicas(env)) == 3)
    case.claim("prod, Logging: warn, and neither info nor debug", lambda: (
        "WARN myapp" in env.logs() and "INFO" not in env.logs() and "DEBUG" not in env.logs()))
    case.claim("prod: a replica that crashes comes back by itself (restart_policy on-failure) and is found again", crash, env)
    case.claim("prod: so does one that is killed", killed, env)


def redirected(place, env):
    r = fetch(env.w, place, "http://www.example.com/a/path?of=it")
    return (r.status, r.headers["Location"]) == (301, WWW + "/a/path?of=it")


def restarts(env):
    return {c: env.w.inspect(c)["RestartCount"] for c in env.all("app")}


def back(env, before, count):
    """After some end of a replica: @count more restarts, all three run and answer, at most a second after they listen."""
    until(lambda: len(env.all("app")) == 3 and sum(restarts(env).values()) == before + count, "the replica is back", 40)
    env.ready()
    until(lambda: hosts(env, 20) == replicas(env), "all three answer", 15)
    return True


def crash(env):
    before = sum(restarts(env).values())
    equal(fetch(env.w, "internet", WWW + "/crash", CA, "POST").status, 502, "what nginx says of it")
    return back(env, before, 1)


def killed(env):
    before = sum(restarts(env).values())
    os.kill(env.w.inspect(env.all("app")[0])["State"]["Pid"], 9)
    return back(env, before, 1)


def rows(env):
    """How many rows the app's table has, with one more."""
    return env.database(SECRETS["PROD_DB_PASSWORD"])["count"]


def volumes(w):
    return [v["Name"] for v in w.get("/volumes")["Volumes"] or [] if not re.fullmatch("[0-9a-f]{64}", v["Name"])]


def kept(env, *lines):
    before = rows(env)
    for line in lines:
        env(*line)
    env.ready()
    return rows(env) == before + 1


def claims_volume(case, env):
    case.claim("prod: the volume prod-db-data keeps the database when its container is made anew", kept, env,
               ("up", "-d", "--force-recreate", "--no-deps", "db"))
    case.claim("prod: the volume prod-db-data survives down and up", kept, env, ("down",), ("up", "-d"))
    env("down")
    case.claim("prod: down leaves the volume and nothing else", lambda: gone(env) and volumes(env.w) == ["prod_prod-db-data"])
    env("down", "-v")
    case.claim("prod: down -v removes the volume", lambda: gone(env) and volumes(env.w) == [])


# ---- the tests, for each compose ----

CA = "/etc/letsencrypt/live/www.example.com/fullchain.pem"


def environment(env_name, how, claims):
    def test(w):
        case, env = usecase.Case(w, 4, how), Environment(w, how, env_name)
        case.claim("%s: the compose file is the guide's" % env_name, the_guides, env)
        if env_name != "dev":
            unset(case, env)
        up(case, env)
        claims(case, env)
        if "1.29" not in how:
            case.kill9()
            claims(case, env)
        if env_name == "prod":
            claims_volume(case, env)
        elif "1.29" not in how:
            env.script("down", "-v")
            case.claim("%s: down.sh leaves nothing" % env_name, gone, env)
        case.done()
    return test


def the_guides(env):
    """But for blanks at the ends of lines."""
    return equal(read(env.folder + "/" + env.files[0]), re.sub("(?m) +$", "", guide.compose_file(env.env))) is None


def unset(case, env):
    """Without its variable the password is empty, and the database says so and ends."""
    name = env.env.upper() + "_DB_PASSWORD"

    def ends():
        err = env.client.try_(*env.words("up", "-d", "db"), env={name: None}, timeout=240).stderr
        matches(err, name + r".*variable is not set. Defaulting to a blank string")
        (row,) = env.w.get("/containers/json?all=1")
        until(lambda: env.w.inspect(row["Id"])["State"]["Status"] == "exited", "it ends", 30)
        return "POSTGRES_PASSWORD" in env.w.docker_try("logs", row["Id"]).stderr
    case.claim("%s: without ${%s} the database does not start, and says why" % (env.env, name), ends)
    env("down", "-v")


# ---- all of them on one host ----

def nets(w):
    return {n["Name"]: n["Id"] for n in w.get("/networks")}


def refused(w, staging, prod):
    says(staging, "internet", STAGING + "/", staging.folder + "/staging.pem", service="myapp")
    check(not prod.all("nginx"), "the refused nginx runs")
    return not w.tcp_reach("internet", HOST_UP, 80)


def claims_clash(case, dev, staging, prod):
    w, before = case.w, nets(case.w)
    case.claim("staging and prod on one host both want port 443: the second one is refused, with Docker's words", lambda: (
        contains(prod.fails("up", "-d"), CLASH) is None))
    case.claim("the one that is refused holds no port, the other one answers still", refused, w, staging, prod)
    prod("down", "-v")
    case.claim("the one that is refused is removed without a trace", lambda: equal(nets(w), before) is None)


def claims_beside(case, *envs):
    """@envs: dev, staging and prod."""
    w, there = case.w, {e.env: [c for s in ("app", "db", "redis", "nginx", "nginx-8443") for c in e.all(s)] for e in envs}
    urls = ("http://dev:3000/", STAGING + ":8443/", WWW + "/")
    case.claim("side by side: dev answers on 3000, staging on 8443, prod on 443", everywhere, lambda place: all(
        says(e, place, url, ca, service="myapp")["host"] in replicas(e) for e, url, ca in zip(envs, urls, (None, envs[1].folder + "/staging.pem", CA))))
    case.claim("side by side: the name db is each environment's own database", lambda: all(
        equal(w.resolve(e.all("app")[0], "db"), sorted(addresses(w, e.one("db")).values())) is None for e in envs))
    case.claim("side by side: each database has its own rows", own_rows, envs)
    with Ways(w, *[c for names in there.values() for c in names]) as ways:
        for a in envs:
            for b in envs:
                if a is not b:
                    case.claim("side by side: nothing of %s reaches anything of %s" % (a.env, b.env), ways.none,
                               [(x, y) for x in there[a.env] for y in there[b.env]])


def own_rows(envs):
    """A row more in one database is none in another."""
    passwords = ("devpass", *SECRETS.values())
    counts = [e.database(p)["count"] for e, p in zip(envs, passwords)]
    envs[0].database(passwords[0])
    return [e.database(p)["count"] for e, p in zip(envs, passwords)] == [counts[0] + 2, counts[1] + 1, counts[2] + 1]


def side_by_side(how):
    def test(w):
        case = usecase.Case(w, 4, how)
        dev, staging, prod = envs = [Environment(w, how, e) for e in guide.ENVIRONMENTS]
        for env in (dev, staging):
            up(case, env)
        claims_clash(case, dev, staging, prod)
        staging("down")
        staging.files.append("docker-compose.staging-8443.yml")
        for env in (staging, prod):
            up(case, env)
        claims_beside(case, *envs)
        if "1.29" not in how:
            case.kill9()
            claims_beside(case, *envs)
        for env in envs:
            env("down", "-v")
        case.done()
    return test


for word, name in (("docker_compose_1", "docker-compose 1.29.2"), ("docker_compose_2", "docker compose 2.26")):
    for which, fn in (("dev", claims_dev), ("staging", claims_staging), ("prod", claims_prod)):
        globals()["test_%s_%s" % (which, word)] = environment(which, name, fn)
    globals()["test_side_by_side_" + word] = side_by_side(name)
for test_name in [n for n in globals() if n.startswith("test_")]:
    globals()[test_name].__name__, globals()[test_name].timeout = test_name, 600


if __name__ == "__main__":
    missing = clients.get("python")
    if missing:
        sys.exit(missing)
    usecase.main(globals(), 4)
