#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 7: WordPress between two networks, MySQL and Redis behind it, nginx with TLS in front.

The installer, posts and files are asked for from the internet, over nginx, as a browser does.
"""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import certs  # noqa: E402
import usecase  # noqa: E402
import ways  # noqa: E402
from talk import mysql_answers, redis_answers  # noqa: E402
from usecase import clients, guide  # noqa: E402
from wordpress import NAME, TITLE, Browser  # noqa: E402

EXAMPLE = TOP + "/examples/uc07-wordpress"
FRONT, BACK = "wordpress-frontend", "wordpress-backend"
MYSQL, APP, NGINX, REDIS, NEIGHBOUR = "wordpress-mysql", "wordpress-app", "nginx-proxy", "wordpress-redis", "front-neighbour"
LIVE = "/etc/letsencrypt/live/" + NAME
# What the guide's container is on already: Docker refuses it, with these words
REFUSED = {"docker network connect wordpress-backend wordpress-redis":
           "endpoint with name wordpress-redis already exists in network wordpress-backend"}
OUTSIDE = {"the internet": "internet", "the LAN": "lan"}
FRONTEND = {"nginx": NGINX, "another container of the frontend": NEIGHBOUR}


def setup(w):
    """Certificates where certbot leaves them, nginx.conf where the guide's line looks for it."""
    ca = certs.Authority(w.base + "/ca")
    os.makedirs(LIVE)
    for source, target in zip(ca.sign(NAME, "serverAuth", "DNS:" + NAME), ("fullchain", "privkey")):
        shutil.copy(source, "%s/%s.pem" % (LIVE, target))
    shutil.copy(EXAMPLE + "/nginx.conf", w.home)


class Site:
    """The blog, what was written to it, and a browser that is its editor's."""

    def __init__(self, case):
        self.case, self.w, self.wrote = case, case.w, []
        self.editor = self.browser()

    def browser(self):
        return Browser(self.w, self.w.base + "/ca/ca.pem")

    def wait(self):
        """Until nginx, WordPress and the database answer, as somebody who asks again would."""
        def there():
            with contextlib.suppress(OSError):
                return self.browser().ask("/wp-login.php").status in (200, 302)
        until(there, "the site answers", 100, 0.3)

    def install(self):
        """With the engine killed once WordPress has begun to make its tables."""
        made = []
        worker = threading.Thread(target=lambda: made.append(self.editor.install()))
        worker.start()
        until(lambda: b"wp_" in query(self.w, "SHOW TABLES") or made, "WordPress makes tables", 60)
        self.case.kill9()
        worker.join(120)
        return made == [True]

    def write(self, title):
        """A post and a file, written and read back by somebody who is not logged in."""
        check(self.editor.login(), "no login")
        text = "Mark %s of this post." % os.urandom(8).hex()
        self.wrote.append((self.editor.write(title, text), text))
        text = "Mark %s of this file." % os.urandom(8).hex()
        self.wrote.append((self.editor.upload(title + ".txt", text), text))
        return self.all_there()

    def all_there(self, between=None):
        return all(text in self.browser().page(path, between) for path, text in self.wrote)


def query(w, sql):
    """What mysql says in the database's container to the guide's user."""
    r = w.exec(MYSQL, "mysql", "-uwpuser", "-pwppass", "-NB", "wordpress", "-e", sql)
    return r.stdout.encode()


BEHIND = {"MySQL": (MYSQL, mysql_answers), "Redis": (REDIS, redis_answers)}


# ---- claims ----

def claims(case, site):
    site.wait()
    with ways.Ways(case.w, MYSQL, REDIS, APP, NGINX, NEIGHBOUR) as way:
        for name in BEHIND:
            behind(case, way, name)
        wordpress_itself(case, way)
    cache(case)
    tls(case, site)
    content(case, site)


def behind(case, way, name):
    """MySQL, or Redis: who reaches it, who does not."""
    w, (target, answers) = case.w, BEHIND[name]
    ip = w.address(target)
    case.claim("%s is on the backend network and on no other, and publishes no port" % name,
               lambda: set(w.inspect(target)["NetworkSettings"]["Networks"]) == {BACK} and not w.inspect(target)["HostConfig"]["PortBindings"])

    def control():
        return way.all(APP, target, ip) and answers(w, "c:" + APP, ip, wait=20)
    case.claim("WordPress finds %s by its name and speaks with it" % name, lambda: w.resolve(APP, target) == [ip] and control())
    for who, source in {**OUTSIDE, **FRONTEND}.items():
        place = way.places[source]
        case.forbidden("%s cannot reach %s by its address: TCP, UDP, ICMP, its protocol" % (who, name),
                       control, lambda: way.open(source, target, ip) or answers(w, place, ip))
    for who, source in FRONTEND.items():
        case.forbidden("%s does not find %s by its name" % (who, name), lambda: w.resolve(APP, target), lambda: w.resolve(source, target))

    def over_wordpress():
        with ways.route(w, NGINX, ip, w.address(APP, FRONT)):
            return way.open(NGINX, target, ip) or answers(w, "c:" + NGINX, ip)
    case.forbidden("a compromised nginx cannot reach %s through WordPress as its router" % name,
                   lambda: way.all(NGINX, APP, w.address(APP, FRONT)) and answers(w, "c:" + APP, ip, wait=20), over_wordpress)
    port = 3306 if name == "MySQL" else 6379
    case.forbidden("%s is not to be had at the host's address" % name, lambda: w.tcp_reach("internet", HOST_UP, 443, 10),
                   lambda: w.tcp_reach("internet", HOST_UP, port, ways.WAIT) or w.tcp_reach("lan", HOST_LAN, port, ways.WAIT))


def wordpress_itself(case, way):
    w = case.w
    front, back = w.address(APP, FRONT), w.address(APP, BACK)
    case.claim("nginx finds WordPress by its name, on their common network", lambda: w.resolve(NGINX, APP) == [front])
    for who, source in OUTSIDE.items():
        case.forbidden("%s cannot reach WordPress directly, at neither of its addresses" % who,
                       lambda: way.all(NGINX, APP, front) and way.all(MYSQL, APP, back) and w.tcp_reach("c:" + NGINX, front, 80, 10),
                       lambda: [a for a in (front, back) if way.open(source, APP, a) or w.tcp_reach(source, a, 80, ways.WAIT)])
    case.claim("WordPress publishes no port, nginx 80 and 443", lambda: [
        sorted(w.inspect(c)["HostConfig"]["PortBindings"] or {}) for c in (APP, NGINX)] == [[], ["443/tcp", "80/tcp"]])


def cache(case):
    """Redis through PHP, as a cache plugin would use it."""
    w, mark = case.w, os.urandom(8).hex()
    code = '$r = new Redis(); $r->connect("%s", 6379, 20); $r->set("mark", "%s"); echo $r->ping(), " ", $r->get("mark");' % (REDIS, mark)
    case.claim("PHP in WordPress's container stores a value in Redis and reads it back", lambda: w.exec(APP, "php", "-r", code).stdout == "1 " + mark)
    case.claim("Redis has it", lambda: w.exec(REDIS, "redis-cli", "GET", "mark").stdout.strip() == mark)


def tls(case, site):
    w, browser = case.w, site.browser()
    case.claim("TLS ends at nginx, with the certificate below /etc/letsencrypt", lambda: browser.ask("/").headers["Server"].startswith("nginx"))
    case.forbidden("WordPress itself speaks no TLS", lambda: w.tcp_reach("c:" + NGINX, w.address(APP, FRONT), 80, 10),
                   lambda: w.tcp_reach("c:" + NGINX, w.address(APP, FRONT), 443))

    def redirected():
        r = browser.ask("/?p=1", port=80)
        return (r.status, r.headers["Location"]) == (301, "https://%s/?p=1" % NAME)
    case.claim("port 80 sends browsers to port 443", redirected)


def content(case, site):
    w = case.w
    case.claim("the site's page has its title, and links to itself by https", lambda: all(
        part in site.browser().page("/") for part in ("<title>%s</title>" % TITLE, "https://%s/" % NAME)))
    case.forbidden("a wrong password lets nobody in", site.editor.login, lambda: site.browser().login("a-guess"))
    case.claim("a post and a file are written and read back through nginx", site.write, "Post %d" % len(site.wrote))
    case.claim("the posts are in the database", lambda: all(
        text.encode() in query(w, "SELECT post_content FROM wp_posts WHERE post_status = 'publish'") for _, text in site.wrote[::2]))


def install(case, site):
    site.wait()
    case.claim("the installer works through nginx, and a kill -9 of the engine in its midst changes nothing", site.install)
    case.w.sh("docker run -d --name %s --network %s redis:alpine" % (NEIGHBOUR, FRONT), 60)
    case.claim("a kill -9 of the engine in the midst of page loads changes nothing",
               lambda: site.write("First words") and site.all_there(case.kill9))


def made_anew(case, site):
    """Both containers of the volumes go; the guide's lines make them again, WordPress at another address."""
    w, before = case.w, case.w.address(APP, FRONT)
    w.sh("docker rm -f %s %s && docker run -d --name placeholder --network %s redis:alpine" % (APP, MYSQL, FRONT), 60)
    for original, command in zip(guide.commands(7), case.commands()):
        if any("--name %s " % c in original for c in (APP, MYSQL)) or original.endswith(" " + APP):
            w.sh(command, timeout=60)
    case.claim("WordPress made anew has another address", lambda: w.address(APP, FRONT) != before)
    case.claim("nginx, which went on, finds WordPress made anew by its name", lambda: site.wait() is None)
    case.claim("posts and files are there after both containers were made anew: the volumes keep them", site.all_there)


@timeout(400)
def test_docker(w):
    case = usecase.Case(w, 7)
    case.run(refused=REFUSED)
    site = Site(case)
    install(case, site)
    claims(case, site)
    made_anew(case, site)
    case.kill9()
    claims(case, site)
    case.done()


@timeout(300)
def test_atoll(w):
    case = usecase.Case(w, 7, "atoll")
    case.run(kill=True, refused=REFUSED)
    site = Site(case)
    install(case, site)
    claims(case, site)
    made_anew(case, site)
    case.done()


@timeout(200)
def test_compose(w):
    """The example's compose file makes the same."""
    compose = clients.Client(w, "compose", clients.COMPOSE2, cwd=EXAMPLE)
    compose("-p", "uc07", "up", "-d", timeout=150)
    case = usecase.Case(w, 7, "compose")
    site = Site(case)
    site.wait()
    case.claim("the compose file: the installer works, a post and a file are read back", lambda: site.editor.install() and site.write("By compose"))
    with ways.Ways(w, MYSQL, APP, NGINX) as way:
        for who, source in {**OUTSIDE, "nginx": NGINX}.items():
            case.forbidden("the compose file: %s cannot reach MySQL" % who, lambda: way.all(APP, MYSQL, w.address(MYSQL)),
                           lambda: way.open(source, MYSQL, w.address(MYSQL)))
    compose("-p", "uc07", "down", timeout=100)
    compose("-p", "uc07", "up", "-d", timeout=150)
    case.claim("the compose file: down and up again keeps posts and files", lambda: site.wait() is None and site.all_there())
    compose("-p", "uc07", "down", "-v", timeout=100)
    case.claim("the compose file: down -v takes containers and named volumes", lambda: not w.get("/containers/json?all=1") and not [
        v["Name"] for v in w.get("/volumes")["Volumes"] or [] if v["Name"].startswith("uc07_")])
    case.done()


def test_example(w):
    """The example's script says what the guide says."""
    with open(EXAMPLE + "/run.sh") as f:
        lines = f.read().replace("\\\n", " ").replace(" || true", "").splitlines()
    equal([x.split() for x in lines if x.startswith("docker ")], [c.split() for c in guide.commands(7)])


def test_mysql_refuses(w):
    """Without a password for root the database is not made, and the container says why."""
    r = w.docker_try("run", "--rm", "mysql:8.0", timeout=60)
    equal(r.returncode, 1)
    contains(r.stderr, "set MYSQL_ROOT_PASSWORD")
    contains(w.docker("run", "--rm", "mysql:8.0", "mysqld", "--version"), "MariaDB")


if __name__ == "__main__":
    usecase.main(globals(), 7, setup)
