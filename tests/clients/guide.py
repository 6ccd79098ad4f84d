# SPDX-License-Identifier: GPL-2.0-or-later
"""The guide's commands and compose files, out of guide.md; what they make, checked by packets.

Stand-ins bear the images' names and answer on the ports that the guide publishes or asks for.
"""
import os
import re
import shlex
from urllib.parse import urlparse

import testbed
from testbed import *  # noqa: F403

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guide.md")
TAKES_VALUE = {"--name", "--network", "-e", "-v", "-p"}
FOLDERS = ("/etc/letsencrypt",)
FILES = ("nginx.conf", "nginx-staging.conf", "nginx-prod.conf", "prometheus.yml", "promtail-config.yml")


def blocks():
    """[(use case or 0, language, text)] in the guide's order."""
    out, case, lang, lines = [], 0, None, []
    with open(GUIDE) as f:
        for line in f.read().splitlines():
            if line.startswith("```"):
                if lang:
                    out.append((case, lang, "\n".join(lines)))
                lang, lines = None if lang else line[3:] or "text", []
            elif lang:
                lines.append(line)
            elif line.startswith("#"):
                m = re.match(r"### Use Case (\d+):", line)
                case = int(m[1]) if m else 0
    return out


def scripts(case):
    return [text for c, lang, text in blocks() if c == case and lang == "bash"]


def commands(case):
    """The docker commands of a use case, a string each as it stands."""
    text = "\n".join(scripts(case)).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip().startswith("docker ")]


def examples():
    """Commands that the guide names outside of its use cases' scripts."""
    return [m for c, lang, text in blocks() if lang == "text" for m in re.findall(r"Example: (docker .*)", text)]


class Run:
    """What a `docker run` of the guide says: name, image, ports [(host, container)], networks."""

    def __init__(self, command):
        words = shlex.split(command)[2:]
        self.detached, self.name, self.ports, self.networks, self.image, self.command = False, None, [], set(), None, []
        while words and words[0].startswith("-"):
            option = words.pop(0)
            self.detached |= option == "-d"
            if option in TAKES_VALUE:
                value = words.pop(0)
                if option == "--name":
                    self.name = value
                elif option == "--network":
                    self.networks.add(value)
                elif option == "-p":
                    self.ports.append(tuple(int(x) for x in value.split(":")))
            else:
                check(option in ("-d", "--rm"), "an option of the guide that this parser does not know: %s", option)
        self.image, self.command = words[0], words[1:]


def runs(case):
    """{name: Run} of a use case's containers that stay, with the networks that it connects them to."""
    out = {}
    for c in commands(case):
        words = shlex.split(c)
        if words[1] == "run":
            r = Run(c)
            if r.detached:
                out[r.name] = r
        elif words[1:3] == ["network", "connect"] and words[-1] in out:
            out[words[-1]].networks.add(words[-2])
    return out


def curls(case):
    """[(container, URL)]: what the guide asks for from inside, as its comments say from where."""
    text, out, place = "\n".join(scripts(case)), [], None
    for line in text.splitlines():
        if m := re.match(r"# From (\S+) container:", line):
            place = m[1]
        elif place and (m := re.match(r"curl (http://\S+)$", line)):
            out.append((place, m[1]))
    return out


def prepare(w, case):
    """The files and images that a use case takes for granted."""
    for name in FILES:
        with open(w.home + "/" + name, "w") as f:
            f.write("# %s\n" % name)
    for path in FOLDERS:
        os.makedirs(path, exist_ok=True)
    ports = {}
    for c in commands(case):
        if c.startswith("docker run"):
            r = Run(c)
            ports.setdefault(r.image, set()).update(p for _, p in r.ports)
    by_name = {n: r.image for n, r in runs(case).items()}
    for _, url in curls(case):
        u = urlparse(url)
        ports[by_name[u.hostname]].add(u.port or 80)
    tagged = {image if ":" in image else image + ":latest": sorted(p or {9999}) for image, p in ports.items()}
    w.load({image.replace("${GIT_COMMIT}", "abc123"): p for image, p in tagged.items()})


def verify(w, case):
    """All run, are on their networks and no other, find each other by name there alone, and answer on what they publish."""
    there = runs(case)
    for name, r in there.items():
        i = w.inspect(name)
        equal((i["State"]["Status"], set(i["NetworkSettings"]["Networks"])), ("running", r.networks), name)
        for host, port in r.ports:
            w.listening(name, port, 20)
            body = w.http_get("internet", "http://%s:%d/" % (HOST_UP, host), 5)
            contains(body or "", r.image)
    for a in there.values():
        for b in there.values():
            want = sorted(w.address(b.name, n) for n in a.networks & b.networks) if a is not b else None
            if want is not None:
                got = w.resolve(a.name, b.name)
                check(got == want if len(want) < 2 else set(got) & set(want), "%s finds %s at %s, not %s", a.name, b.name, got, want)
    for place, url in curls(case):
        contains(w.http_get(place, url) or "", urlparse(url).path)


# ---- use case 4: three environments by compose ----

# file, images with their ports, published ports and their services, variables
ENVIRONMENTS = {
    "dev": ({"myapp:dev": [3000], "postgres:15": [5432], "redis:alpine": [6379]}, {3000: "myapp:dev", 5432: "postgres:15", 6379: "redis:alpine"}, {}),
    "staging": ({"myapp:staging": [3000], "postgres:15": [5432], "nginx:alpine": [443]}, {443: "nginx:alpine"}, {"STAGING_DB_PASSWORD": "s"}),
    "prod": ({"myapp:prod": [3000], "postgres:15": [5432], "nginx:alpine": [443, 80]}, {443: "nginx:alpine", 80: "nginx:alpine"},
             {"PROD_DB_PASSWORD": "p"}),
}


def compose_file(env):
    texts = [text for c, lang, text in blocks() if c == 4 and lang == "yaml"]
    return texts[list(ENVIRONMENTS).index(env)] + "\n"


def of_service(w, service):
    rows = w.get('/containers/json?filters={"label":["com.docker.compose.service=%s"]}' % service)
    return sorted(r["Names"][0][1:] for r in rows)


def environment(env, project):
    images, published, variables = ENVIRONMENTS[env]

    def test(w):
        p = project(w)
        before = {i["Id"] for i in w.get("/images/json")}
        w.load(images)
        file = "docker-compose.%s.yml" % env
        p.write(compose_file(env), file)
        for name in FILES:
            p.write("# a stand-in\n", name)
        os.makedirs(FOLDERS[0], exist_ok=True)

        def compose(*args, **kw):
            return p("-f", file, *args, env=variables, **kw)
        compose("config", "-q")
        compose("up", "-d", timeout=180)
        reach(w, env, images, published)
        extra = int(env == "prod")  # its app has three already
        equal(len(of_service(w, "app")), 1 + 2 * extra, "copies of the app")
        if env != "dev":
            compose("up", "-d", "--scale", "app=%d" % (2 + 2 * extra), timeout=180)
            equal(len(of_service(w, "app")), 2 + 2 * extra)
            (asker,) = of_service(w, "nginx")
            equal(len(w.resolve(asker, "app")), 2 + 2 * extra)
        plain = {"COMPOSE_INTERACTIVE_NO_CLI": "1", **variables}
        contains(p("-f", file, "exec", "-T", "db", "env", env=plain), "POSTGRES_PASSWORD=" + (list(variables.values()) + ["devpass"])[0])
        compose("logs")
        equal(len(compose("ps", "-q").split()), len(w.get("/containers/json")))
        compose("down", "-v", timeout=180)
        equal((w.get("/containers/json?all=1"), [n["Name"] for n in w.get("/networks") if n["Name"] not in testbed.PREDEFINED]), ([], []))
        for i in w.get("/images/json"):
            if i["Id"] not in before:
                w.api("DELETE", "/images/%s?force=1" % i["Id"])
    test.__name__, test.timeout = "test_guide_" + env, 400
    return test


def reach(w, env, images, published):
    """Who reaches whom, as the guide's table of the environments has it."""
    db, app = of_service(w, "db")[0], of_service(w, "app")[0]
    for port, image in published.items():
        until(lambda: image in (w.http_get("internet", "http://%s:%d/" % (HOST_UP, port)) or ""), "%s on port %d" % (image, port), 20, 0.2)
    w.listening(db, 5432, 20)
    contains(w.http_get(app, "http://db:5432/") or "", "postgres:15")
    if env == "dev":
        return
    for port in (3000, 5432):
        check(not w.tcp_reach("internet", HOST_UP, port), "port %d is open to the internet", port)
    front = of_service(w, "nginx")[0]
    contains(w.http_get(front, "http://app:3000/") or "", "myapp")
    equal(w.resolve(front, "db"), [])
    net = next(n for n in w.inspect(db)["NetworkSettings"]["Networks"])
    w.assert_forbidden(lambda: w.tcp_reach("c:" + app, w.address(db, net), 5432), lambda: w.tcp_reach("c:" + front, w.address(db, net), 5432), "nginx to the database")
    w.assert_forbidden(lambda: w.tcp_reach("c:" + front, FAR, 80), lambda: w.tcp_reach("c:" + db, FAR, 80), "the database to the internet")


def environments(project, why=None):
    out = {}
    for env in ENVIRONMENTS:
        fn = environment(env, project)
        if why:
            def fn(w, why=why):
                raise Skip(why)
            fn.__name__ = "test_guide_" + env
        out[fn.__name__] = fn
    return out
