#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Living with others: what strangers do to our table is put right; beside firewalls that drop what is
forwarded our networks work as --firewall says, with nft's tables and both kinds of iptables; a VPN's
route over one of our networks is reported; another engine on the same host, started before or after us.

That the whole matrix of who reaches whom holds after each disturbance is test_matrix.py's."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from testbed import *  # noqa: E402,F403
import standin  # noqa: E402
import test_matrix as matrix  # noqa: E402

PROGRAM = """#!/bin/sh
export LD_LIBRARY_PATH=%(top)s/usr/lib/x86_64-linux-gnu:%(top)s/lib/x86_64-linux-gnu XTABLES_LIBDIR=%(top)s/usr/lib/x86_64-linux-gnu/xtables
exec %(path)s "$@"
"""
COMMENT = "atoll: its own table has judged these"
DOCKERD = TOP + "/tests/.cache/dockerd"
FAMILIES = ("ip", "ip6")


def setup(w):
    """Where they are not installed: dockerd, iptables and what they need, as bench/peer-get fetched them."""
    for d in ("/usr/sbin/", "/usr/bin/"):
        for name in os.listdir(DOCKERD + d) if os.path.isdir(DOCKERD + d) else ():
            if not shutil.which(name):
                with open(w.base + "/bin/" + name, "w") as f:
                    f.write(PROGRAM % {"top": DOCKERD, "path": DOCKERD + d + name})
                os.chmod(w.base + "/bin/" + name, 0o755)
    w.bridge_nf(False)


def there(w, name):
    return shutil.which(name, path=w.env["PATH"])


def nft(w, text):
    with w.at("host"):
        r = run("nft", "-f", "-", input=text)
    check(r.returncode == 0, "nft: %s", r.stderr)


def rules(w, chain):
    """A chain's rules, ours as OURS; None without the chain."""
    with w.at("host"):
        r = run("nft", "list", "chain", *chain.split())
    if r.returncode != 0:
        return None
    lines = [x.strip() for x in r.stdout.splitlines() if x.startswith("\t\t")][1:]
    return ["OURS" if COMMENT in x else x for x in lines]


def shop(w):
    """A network with a published port and one that is not; its neighbour; who must not reach it."""
    w.docker("network", "create", "--ipv6", "shop")
    w.docker("network", "create", "--ipv6", "other")
    w.serve("web", "shop", 80, "-p", "8080:80", "-p", "127.0.0.1:8081:80")
    for name, net in (("client", "shop"), ("stranger", "other")):
        w.docker("run", "-d", "--name", name, "--network", net, IMAGE, "sleep", "600")


def out(w):
    """Do containers get out, by both families?"""
    return all(w.tcp_reach("c:client", a, 80) for a in (INTERNET, INTERNET6))


def inside(w):
    """Does the internet reach what is published, by both families?"""
    return all(w.tcp_reach("internet", a, 8080) for a in (HOST_UP, HOST_UP6))


def closed(w):
    """What must not be, with its controls."""
    for web in (w.address("web"), w.address6("web")):
        for place in ("c:stranger", "internet", "lan"):
            w.assert_forbidden(lambda: w.tcp_reach("c:client", web, 80), lambda: w.tcp_reach(place, web, 80, 0.5),
                               "%s to %s" % (place, web))
    w.assert_forbidden(lambda: w.tcp_reach("host", "127.0.0.1", 8081), lambda: w.tcp_reach("internet", HOST_UP, 8081, 0.5))


def owned(w):
    return "flags owner" in w.nft()


# ---- our own table ----

STRANGERS = ["flush ruleset", "delete table inet atoll", "flush chain inet atoll forward", "flush set inet atoll pair_ok",
             "delete element inet atoll nets { \"%s\" }", "add element inet atoll pair_ok { \"%s\" . \"up0\" }",
             "insert rule inet atoll forward accept", "delete element inet atoll pub4_any { tcp . 8080 }"]


@timeout(90)
def test_what_strangers_do_is_put_right(w):
    shop(w)
    bridge, before = w.bridge("shop"), w.nft()
    if owned(w):
        for text in STRANGERS[1:]:
            with w.at("host"):
                r = run("nft", text.replace("%s", bridge))
            check(r.returncode != 0, "%s is not refused", text)
        nft(w, STRANGERS[0])
        equal(w.nft(), before, "an owned table")
    else:
        for text in STRANGERS:
            mark = w.log_size()
            with w.event('"Action":"repair"'):
                nft(w, text.replace("%s", bridge) + "\n")
            equal(w.nft(), before, "the table after " + text)
            contains(w.log_tail(20, mark), "the firewall table was changed by somebody and is as it was")
    check(out(w) and inside(w), "all works")
    closed(w)
    # our own changes are no reason to repair
    mark = w.log_size()
    w.docker("rm", "-f", "web")
    w.serve("web2", "shop", 80, "-p", "8080:80")
    check(inside(w), "a new container is reached")
    check("was changed by somebody" not in w.log_tail(100, mark), "we repaired what we did ourselves")


# ---- firewalls that drop what is forwarded ----

def firewall(families=FAMILIES, policy="drop", rule=""):
    return "".join("table %s filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy %s;\n%s\t}\n}\n"
                   % (f, policy, rule) for f in families)


def no_firewall(w, *tables):
    nft(w, "".join("table %s\ndelete table %s\n" % (t, t) for t in tables or ("ip filter", "ip6 filter")))


def in_mode(w, mode):
    equal(w.stop(), 0, "exit code of the engine")
    w.start("--firewall=" + mode)


def let_by(w, *chains):
    until(lambda: all((rules(w, c) or [None])[0] == "OURS" for c in chains), "our rule is the first of %s" % ", ".join(chains))


@timeout(120)
def test_open_beside_a_firewall_that_drops(w):
    shop(w)
    chains = ["ip filter FORWARD", "ip6 filter FORWARD"]
    try:
        # a firewall that lets by what it does not name is none of our business
        nft(w, firewall(policy="accept", rule="\t\ttcp dport 9 drop\n"))
        check(out(w) and inside(w), "beside one that lets by")
        equal(rules(w, chains[0]), ["tcp dport 9 drop"], "the other's chain")
        # its policy changes
        with w.event('"Action":"firewall"'):
            nft(w, firewall())
        let_by(w, *chains)
        check(out(w) and inside(w), "open")
        closed(w)
        # flushed, as a reload does
        nft(w, "flush chain ip filter FORWARD\nflush chain ip6 filter FORWARD\n")
        let_by(w, *chains)
        check(out(w) and inside(w), "open after a flush")
        # the engine dies, and packets pass as before; its next life finds its rule and adds none
        w.kill9()
        check(inside(w), "while the engine is dead")
        w.start()
        check(out(w) and inside(w), "the next life")
        equal([rules(w, c) for c in chains], [["OURS"]] * 2, "one rule of ours")
        closed(w)
        # and at its end nothing of us is there, when no container is
        w.reset()
        equal(w.stop(), 0, "exit code of the engine")
        equal([rules(w, c) for c in chains], [[]] * 2, "rules of ours after the end")
        w.start()
    finally:
        no_firewall(w)


@timeout(120)
def test_respect_and_none(w):
    shop(w)
    try:
        nft(w, firewall())
        in_mode(w, "none")
        check(rules(w, "ip filter FORWARD") == [], "none: a rule of ours is there")
        for what in (out, inside):
            w.assert_forbidden(lambda: w.tcp_reach("host", "127.0.0.1", 8081), lambda: what(w), "none: " + what.__name__)
        check(w.tcp_reach("c:client", w.address("web"), 80), "none: within a network")
        in_mode(w, "respect")
        let_by(w, "ip filter FORWARD", "ip6 filter FORWARD")
        w.assert_forbidden(lambda: out(w), lambda: inside(w), "respect: what comes in")
        closed(w)
        # as `ufw route allow` would
        for f, a in zip(FAMILIES, (w.address("web"), w.address6("web"))):
            nft(w, "add rule %s filter FORWARD %s daddr %s tcp dport 80 accept\n" % (f, f, a))
        check(inside(w), "respect: what the host's firewall lets in")
        closed(w)
        in_mode(w, "open")
        let_by(w, "ip filter FORWARD", "ip6 filter FORWARD")
        check(out(w) and inside(w), "open again")
    finally:
        no_firewall(w)
        w.restart()


FIREWALLD = """table inet firewalld
delete table inet firewalld
table inet firewalld {
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
		ct state established,related accept
		iifname "lo" accept
		ct state invalid drop
		jump filter_FORWARD_POLICIES
		reject with icmpx admin-prohibited
	}
	chain filter_FORWARD_POLICIES {
	}
}
"""


@timeout(60)
def test_a_firewall_reloads(w):
    shop(w)
    try:
        nft(w, FIREWALLD)
        let_by(w, "inet firewalld filter_FORWARD")
        check(out(w) and inside(w), "beside a firewall that rejects at its end")
        for _ in range(3):
            with w.event('"Action":"firewall"'):
                nft(w, FIREWALLD)
            let_by(w, "inet firewalld filter_FORWARD")
            check(out(w) and inside(w), "after its reload")
        closed(w)
    finally:
        no_firewall(w, "inet firewalld")


@timeout(90)
def test_iptables(w):
    """Both kinds of the real program, if they are there."""
    tried = 0
    shop(w)
    for kind in ("nft", "legacy"):
        names = ["iptables-" + kind, "ip6tables-" + kind]
        if not all(there(w, n) for n in names) or kind == "legacy" and not os.path.exists("/proc/net/ip_tables_names"):
            continue
        tried += 1
        has = " && ".join("%s -S FORWARD | sed -n 2p | grep -q -- '%s'" % (n, COMMENT) for n in names)
        try:
            w.sh("; ".join(n + " -P FORWARD DROP" for n in names))
            # nobody is told of what iptables-legacy does: it is found at the next look
            until(lambda: w.sh("(%s) && echo yes || true" % has) == "yes", "our rule is in %s" % names, 15, 0.2)
            check(out(w) and inside(w), kind)
            closed(w)
            w.sh("; ".join(n + " -F FORWARD" for n in names))
            until(lambda: w.sh("(%s) && echo yes || true" % has) == "yes", "our rule is back in %s" % names, 15, 0.2)
            check(out(w) and inside(w), kind + " after a flush")
        finally:
            w.sh("; ".join("%s -P FORWARD ACCEPT; %s -F FORWARD" % (n, n) for n in names))
            no_firewall(w)
    if not tried:
        raise Skip("no iptables here")


# ---- routes that come later ----

@timeout(60)
def test_a_route_over_our_network(w):
    for family, subnet, part in (("-4", "172.30.0.0/16", "172.30.5.0/24"), ("-6", "fd00:77::/64", "fd00:77::4:0/112")):
        w.docker("network", "create", *(["--ipv6"] if family == "-6" else []), "--subnet", subnet, "office")
        mark = w.log_size()
        try:
            with w.event('"Action":"overlap"'):
                w.ip("host", "link add tun0 type bridge", "link set tun0 up", "route add %s dev tun0" % part)
            contains(w.log_tail(20, mark), "network=office route=%s dev=tun0" % part)
            # a second look is no second report, and neither is a route of no concern
            mark = w.log_size()
            w.ip("host", "route add 10.99.0.0/16 dev tun0")
            w.docker("network", "create", "more")
            check("overlaps a network" not in w.log_tail(50, mark), "told twice: %s", w.log_tail(50, mark))
            w.docker("network", "rm", "more")
            # a new network keeps away from what is there
            w.ip("host", "route add 172.18.0.0/15 dev tun0")
            w.docker("network", "create", "new")
            check(not w.network("new")["IPAM"]["Config"][0]["Subnet"].startswith(("172.18.", "172.19.")), "over a route of the VPN")
        finally:
            w.ip("host", "link del tun0")
            w.reset()


# ---- another engine ----

class Dockerd:
    """Debian's, in the host's place, with folders of its own."""

    def __init__(self, w, *flags):
        self.w, base = w, w.base + "/dockerd"
        os.makedirs(base, exist_ok=True)
        self.socket = base + "/docker.sock"
        with open(base + "/log", "ab") as log, w.at("host"):
            self.process = subprocess.Popen(
                ["dockerd", "-H", "unix://" + self.socket, "--data-root", base + "/d", "--exec-root", base + "/x",
                 "--pidfile", base + "/pid", "--cgroup-parent", "/" + w.name, "--log-level", "warn",
                 "--default-address-pool", "base=172.28.0.0/16,size=24", *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=w.env, start_new_session=True)
        until(lambda: self.docker_try("version").returncode == 0, "dockerd", 60, 0.1)
        with open(base + "/image.tar", "wb") as f:
            f.write(standin.archive({IMAGE: ([], {"Cmd": ["sh"]})}))
        self.docker("load", "-q", "-i", base + "/image.tar")

    def docker_try(self, *args):
        return self.w.docker_try(*args, env={"DOCKER_HOST": "unix://" + self.socket})

    def docker(self, *args):
        return self.w.docker(*args, env={"DOCKER_HOST": "unix://" + self.socket})

    def build(self):
        """Two networks of its own, a published port."""
        for n in ("d-red", "d-blue"):
            self.docker("network", "create", n)
        serve = "mkdir -p /w && echo docker >/w/index.html && exec httpd -f -p 80 -h /w"
        self.docker("run", "-d", "--name", "d-web", "--network", "d-red", "-p", "9080:80", IMAGE, "sh", "-c", serve)
        self.docker("run", "-d", "--name", "d-client", "--network", "d-red", IMAGE, "sleep", "600")
        self.docker("run", "-d", "--name", "d-other", "--network", "d-blue", IMAGE, "sleep", "600")
        self.ip = self.docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "d-web")

    def reach(self, name, ip, port):
        return self.docker_try("exec", name, "nc", "-w", "1", ip, str(port)).returncode == 0

    def works(self, when):
        until(lambda: self.w.tcp_reach("internet", HOST_UP, 9080), when + ": dockerd's published port", 5)
        check(self.reach("d-client", INTERNET, 80), "%s: dockerd's containers get out", when)
        check(self.reach("d-client", self.ip, 80), "%s: dockerd's containers talk", when)
        self.w.assert_forbidden(lambda: self.reach("d-client", self.ip, 80), lambda: self.reach("d-other", self.ip, 80),
                                when + ": dockerd's networks")

    def close(self):
        with contextlib.suppress(Exception):
            self.docker("rm", "-f", "d-web", "d-client", "d-other")
            self.docker("network", "rm", "d-red", "d-blue")
        self.process.terminate()
        self.process.wait(30)
        tables = [t for f in FAMILIES for t in (f + " filter", f + " nat")]
        no_firewall(self.w, *tables)
        self.w.bridge_nf(False)


def both(w, d):
    """Both engines' claims, and that its containers do not reach ours. (Ours reach its as far as it lets them.)"""
    with matrix.world(w) as (crowd, targets):
        d.works("beside us")
        matrix.run_matrix(w, crowd, targets, "beside dockerd: ")
        for name, port in (("red1", matrix.OPEN), ("red1", matrix.SECRET), ("plain1", matrix.SECRET)):
            w.assert_forbidden(lambda: w.tcp_reach("c:%s2" % name[:-1], w.address(name), port),
                               lambda: d.reach("d-client", w.address(name), port), "dockerd's containers to ours")
        check(d.reach("d-client", HOST_UP, matrix.PUBLISHES["red1"]), "dockerd's containers reach what we publish")
        check(w.tcp_reach("c:red2", HOST_UP, 9080), "ours reach what dockerd publishes")


def dockerd_or_skip(w):
    if not there(w, "dockerd"):
        raise Skip("no dockerd; bench/peer-get fetches it")


@timeout(240)
def test_dockerd_starts_after_us(w):
    dockerd_or_skip(w)
    d = Dockerd(w, "--bridge", "none")  # docker0 is ours
    try:
        d.build()
        both(w, d)
    finally:
        d.close()


@timeout(240)
def test_dockerd_was_there_first(w):
    dockerd_or_skip(w)
    equal(w.stop(), 0, "exit code of the engine")
    d = Dockerd(w, "--bip", "172.29.0.1/24")
    try:
        d.build()
        w.start()
        let_by(w, "ip filter FORWARD")  # dockerd made it drop
        equal(w.network("bridge")["Options"]["com.docker.network.bridge.name"], "atoll0", "docker0 is the other's")
        both(w, d)
    finally:
        w.reset()
        d.close()
        w.stop()
        w.ip("host", "link del docker0")
        w.sysctl("host", "net/ipv4/ip_forward", 0)  # dockerd switched it on
        w.start()


if __name__ == "__main__":
    main(globals(), setup, flags=matrix.FLAGS)
