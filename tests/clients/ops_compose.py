# SPDX-License-Identifier: GPL-2.0-or-later
"""The operations of the table with docker-compose 1.29.2 and docker compose 2. Each takes a Project, a folder with
a compose file of its own, and checks what came of it by packets, bytes or the kernel's state."""
import json
import os
import signal
import threading

import clients
import ops_images
from compat import Ops
from testbed import *  # noqa: F403

OPS = Ops()
FILE = """version: '3.8'
services:
  web:
    image: %(image)s
    command: sh -c "mkdir /w; echo $$WHO >/w/index.html; echo serving; exec httpd -f -p 80 -h /w"
    environment:
      - WHO=${WHO:-nobody}
    ports:
      - "80"
    networks:
      front:
      back:
        aliases: [www]
    depends_on:
      - db
    labels:
      tests.role: web
    stop_grace_period: 1s
  db:
    image: %(image)s
    command: sh -c "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done"
    networks:
      back:
        ipv4_address: 10.96.0.10
    volumes:
      - data:/data
    restart: unless-stopped
networks:
  front:
  back:
    internal: true
    ipam:
      config:
        - subnet: 10.96.0.0/24
volumes:
  data:
""" % {"image": IMAGE}


class Project:
    """A compose in a folder with FILE. Calling it runs it."""

    def __init__(self, w, client):
        self.w, self.two = w, client == "docker compose 2.26"
        self.folder = w.base + "/shop"
        os.makedirs(self.folder, exist_ok=True)
        if self.two:
            plugins = w.home + "/.docker/cli-plugins"
            os.makedirs(plugins, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.symlink(clients.COMPOSE2, plugins + "/docker-compose")
            program = [clients.DOCKER["docker 26.1"], "compose"]
        else:
            program = [clients.PYTHON, clients.COMPOSE1]
        self.client = clients.Client(w, client, *program, cwd=self.folder, COMPOSE_HTTP_TIMEOUT="120", DOCKER_BUILDKIT="0", COMPOSE_DOCKER_CLI_BUILD="0")
        self.write(FILE)

    def write(self, text, name="docker-compose.yml"):
        with open(self.folder + "/" + name, "w") as f:
            f.write(text)

    def __call__(self, *args, **kw):
        return self.client(*args, **kw)

    def name(self, service, n=1):
        return ("shop-%s-%d" if self.two else "shop_%s_%d") % (service, n)

    def up(self, *args, **kw):
        self.write(FILE)
        self("up", "-d", *args, **kw)

    def state(self, service, n=1):
        return self.w.inspect(self.name(service, n))["State"]

    def port(self, n=1):
        return int(self.w.inspect(self.name("web", n))["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"])


OPS.section = "Projects"


@OPS("compose up -d")
def up(p):
    p.up(env={"WHO": "me"})
    p.w.listening(p.name("web"), 80, 20)
    equal(p.w.http_get("internet", "http://%s:%d/" % (HOST_UP, p.port())), "me\n")
    equal(p.w.http_get(p.name("db"), "http://www/"), "me\n")
    equal(p.w.address(p.name("db"), "shop_back"), "10.96.0.10")
    check(not p.w.tcp_reach("c:" + p.name("db"), FAR, 80), "the database reaches the internet")
    before = p.w.inspect(p.name("web"))["Id"]
    p.up(env={"WHO": "me"})
    equal(p.w.inspect(p.name("web"))["Id"], before, "an up without a change makes it anew")
    p.up(env={"WHO": "you"})
    check(p.w.inspect(p.name("web"))["Id"] != before, "an up with a change leaves it")


@OPS("compose up in the foreground")
def up_foreground(p):
    p.write(FILE)
    with p.client.running("up") as child:
        clients.wait_line(child, "serving", 60)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
    equal({p.state(s)["Status"] for s in ("web", "db")}, {"exited"})


@OPS("compose up --scale, scale")
def scale(p):
    p.up("--scale", "web=3")
    for n in (1, 2, 3):
        p.w.listening(p.name("web", n), 80, 20)
    equal(p.w.resolve(p.name("db"), "www"), sorted(p.w.address(p.name("web", n), "shop_back") for n in (1, 2, 3)))
    equal(len({p.port(n) for n in (1, 2, 3)}), 3)
    p("scale", *(["--no-deps"] if p.two else []), "web=1")
    until(lambda: len(p.w.resolve(p.name("db"), "www")) == 1, "one is left")


@OPS("compose up --force-recreate, -V, --remove-orphans")
def recreate(p):
    p.up()
    before = {s: p.w.inspect(p.name(s))["Id"] for s in ("web", "db")}
    p.w.exec(p.name("db"), "sh", "-c", "echo kept >/data/f")
    p.up("--force-recreate")
    check(all(p.w.inspect(p.name(s))["Id"] != i for s, i in before.items()), "a container was kept")
    equal(p.w.exec(p.name("db"), "cat", "/data/f").stdout, "kept\n")
    p.write(FILE.replace("  db:\n", "  other:\n").replace("- db", "- other"))
    p("up", "-d", "--remove-orphans")
    check(not p.w.get('/containers/json?all=1&filters={"label":["com.docker.compose.service=db"]}'), "the orphan is there")


@OPS("compose down")
def down(p):
    p.up()
    p("down")
    equal((p.w.get("/containers/json?all=1"), [v["Name"] for v in p.w.get("/volumes")["Volumes"]]), ([], ["shop_data"]))
    check(not [n for n in p.w.get("/networks") if n["Name"].startswith("shop")], "a network is left")
    p.up()
    p("down", "-v", "--remove-orphans")
    check(not p.w.get("/volumes")["Volumes"], "the volume is left")


@OPS("compose up --no-start, start, stop, kill, rm")
def life(p):
    p.write(FILE)
    p("up", "--no-start")
    equal(p.state("db")["Status"], "created")
    p("start")
    equal(p.state("db")["Status"], "running")
    p("stop")
    equal((p.state("db")["Status"], p.state("db")["ExitCode"]), ("exited", 0))
    p("start", "db")
    p("kill", "db")
    equal(p.state("db")["ExitCode"], 137)
    p("rm", "-f")
    equal(p.w.get("/containers/json?all=1"), [])


@OPS("compose restart")
def restart(p):
    p.up()
    before = p.state("web")["Pid"]
    p("restart", "web")
    check(p.state("web")["Running"] and p.state("web")["Pid"] != before, "the same process")


@OPS("compose pause, unpause")
def pause(p):
    p.up()
    p("pause", "db")
    equal(p.state("db")["Status"], "paused")
    p("unpause", "db")
    equal(p.state("db")["Status"], "running")


@OPS("compose ps")
def ps(p):
    p.up()
    text = p("ps")
    for part in (p.name("web"), p.name("db"), "->80/tcp", "Up"):
        contains(text, part)
    equal(sorted(p("ps", "-q").split()), sorted(p.w.inspect(p.name(s))["Id"] for s in ("web", "db")))


@OPS("compose logs")
def logs(p):
    p.up()
    until(lambda: "serving" in p("logs"), "serving", 20, 0.2)
    matches(p("logs", "--no-color", "db"), r"db[-_]1\s+\| +up")
    with p.client.running("logs", "-f", "db") as child:
        clients.wait_line(child, "up", 40)


@OPS("compose exec")
def exec_(p):
    p.up()
    plain = {"COMPOSE_INTERACTIVE_NO_CLI": "1"}
    equal(p("exec", "-T", "-e", "X=1", "web", "sh", "-c", "echo $X from $(hostname)", env=plain), "1 from " + p.w.inspect(p.name("web"))["Id"][:12])
    equal(p.client.try_("exec", "-T", "web", "sh", "-c", "exit 7", env=plain).returncode, 7)
    equal(p("exec", "-T", "--index", "1", "web", "cat", input="through stdin\n"), "through stdin")


@OPS("compose run")
def run_(p):
    p.up()
    equal(p("run", "--rm", "-T", "-e", "WHO=once", "web", "sh", "-c", "echo $WHO; wget -qO- http://www/").split(), ["once", "nobody"])
    equal(p.client.try_("run", "--rm", "-T", "--no-deps", "web", "sh", "-c", "exit 6").returncode, 6)
    p("run", "-d", "--name", "kept", "--service-ports", "web")
    p.w.listening("kept", 80, 20)
    check(p.w.inspect("kept")["NetworkSettings"]["Ports"]["80/tcp"], "no port")


@OPS("compose config")
def config(p):
    p.write(FILE)
    text = p("config", env={"WHO": "configured"})
    for part in ("configured", "10.96.0.0/24", "unless-stopped"):
        contains(text, part)
    equal(sorted(p("config", "--services").split()), ["db", "web"])
    p.write("services: [")
    p.client.fails("config")
    p.write(FILE)


@OPS("compose top")
def top(p):
    p.up()
    text = p("top")
    for part in (p.name("web"), "httpd -f -p 80 -h /w"):
        contains(text, part)


@OPS("compose port")
def port(p):
    p.up()
    matches(p("port", "web", "80"), r"^0\.0\.0\.0:%d" % p.port())


@OPS("compose events")
def events(p):
    p.up()
    with p.client.running("events", "--json") as child:
        over = threading.Event()

        def restart_until_over():  # what listens tells nobody that it does
            while not over.wait(1.5):
                p("restart", "-t", "0", "web")
        again = threading.Thread(target=restart_until_over)
        again.start()
        try:
            got = json.loads(clients.wait_line(child, '"start"', 60))
        finally:
            over.set()
            again.join()
    equal((got["service"], got["action"], got["type"]), ("web", "start", "container"))


@OPS("compose images")
def images(p):
    p.up()
    contains(p("images"), "atoll/busybox")


@OPS("compose pull")
def pull(p):
    ops_images.registry(p.w).seed("team/composed", "1", [], Cmd=["sleep", "600"])
    p.write("version: '3.8'\nservices:\n  one:\n    image: 127.0.0.1:5000/team/composed:1\n")
    p("pull")
    check(p.w.get("/images/127.0.0.1:5000/team/composed:1/json")["Id"], "no image")
    p("up", "-d")
    equal(p.state("one")["Status"], "running")


@OPS("compose build")
def build(p):
    ops_images.context(p.folder + "/context")
    p.write("version: '3.8'\nservices:\n  one:\n    image: made/composed:1\n    build:\n      context: ./context\n      args: {WHO: compose}\n")
    p("build")
    equal(p("run", "--rm", "-T", "one"), "built for compose: from the context")


@OPS("compose push")
def push(p):
    repo = "by-compose%d" % (2 if p.two else 1)
    ops_images.context(p.folder + "/context")
    p.w.api("POST", "/images/%s/tag?repo=127.0.0.1:5000/%s&tag=1" % (IMAGE, repo))
    p.write("version: '3.8'\nservices:\n  one:\n    image: 127.0.0.1:5000/%s:1\n    build: ./context\n" % repo)
    p("push")
    equal(ops_images.registry(p.w).tags(repo), ["1"])


@OPS("compose cp")
def cp(p):
    if not p.two:
        raise clients.Lacks("cp")
    p.up()
    with open(p.folder + "/f", "w") as f:
        f.write("copied")
    p("cp", "f", "web:/tmp/g")
    equal(p.w.exec(p.name("web"), "cat", "/tmp/g").stdout, "copied")


@OPS("compose ls, wait, stats")
def ls(p):
    if not p.two:
        raise clients.Lacks("ls")
    p.up()
    matches(p("ls"), r"shop\s+running\(2\)")
    contains(p("stats", "--no-stream", "web"), p.name("web"))
    w, mark = p.client.w, p.client.w.log_size()
    with p.client.running("wait", "db") as child:
        until(lambda: re.search("request GET /v[0-9.]+/containers/json", w.log_tail(100, mark)), "it has found the container", 30, 0.1)
        p("stop", "db")
        contains(child.stdout.readline(), "exited with status code 0")


@OPS("compose healthcheck, depends_on: condition")
def health(p):
    condition = """version: '2.4'
services:
  slow:
    image: %s
    command: sh -c "sleep 1; touch /ok; exec sleep 600"
    healthcheck: {test: "test -e /ok", interval: 300ms, retries: 20}
  after:
    image: %s
    command: sleep 600
    depends_on: {slow: {condition: service_healthy}}
""" % (IMAGE, IMAGE)
    p.write(condition)
    p("up", "-d", timeout=60)
    equal((p.state("slow")["Health"]["Status"], p.state("after")["Status"]), ("healthy", "running"))


@OPS("compose limits, secrets, configs, extra_hosts, sysctls")
def settings(p):
    p.write("secret", "s.txt")
    p.write("""version: '3.8'
services:
  one:
    image: %s
    command: sh -c "cat /run/secrets/s; echo; grep db.test /etc/hosts; cat /proc/sys/net/ipv4/ip_default_ttl; ulimit -n; id -u"
    secrets: [s]
    extra_hosts: ["db.test:192.0.2.5"]
    sysctls: {net.ipv4.ip_default_ttl: 77}
    ulimits: {nofile: 99}
    user: "7"
    read_only: true
    tmpfs: /tmp
    cap_drop: [ALL]
    init: true
    logging: {driver: json-file, options: {max-size: 1m}}
secrets:
  s: {file: ./s.txt}
""" % IMAGE)
    text = p("run", "--rm", "-T", "one").split()
    equal((text[0], text[-3:]), ("secret", ["77", "99", "7"]))
    check("192.0.2.5" in text, "%s", text)
