#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The scale that the guide talks of: 700 services on the platform network of use case 1, and the short-lived
networks of use case 5, a hundred at once and a thousand in a row. Services are busybox, which answers HTTP with the
container's host name. Times and memory are reported as `# measured` lines; nothing is asserted about them."""
import os
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import usecase  # noqa: E402
from usecase import guide  # noqa: E402

SERVICES, BUILDS, IN_A_ROW, PORT = 700, 100, 1000, 8080
SERVE = ["httpd", "-f", "-p", str(PORT), "-h", "/etc"]  # http://NAME:8080/hostname
# service i calls the services i + s, for each s of a round: so each is called as often as it calls
ROUNDS = ((1, 2, 3, 5, 7, 20, 50, 99, 200, 350), (333,), (4, 150, 699))


def measured(text, *args):
    print("# measured: " + text % args, flush=True)


def memory(w):
    """{program: (how many, PSS in KiB)} of the engine's own processes."""
    out = {}
    for pid in w.processes():
        with contextlib.suppress(OSError, StopIteration):
            name = os.path.basename(os.readlink("/proc/%d/exe" % pid))
            with open("/proc/%d/smaps_rollup" % pid) as f:
                pss = next(int(x.split()[1]) for x in f if x.startswith("Pss:"))
            if name in ("atolld", "atoll-dns", "atoll-shim", "dockerd", "containerd", "containerd-shim-runc-v2"):
                n, kib = out.get(name, (0, 0))
                out[name] = (n + 1, kib + pss)
    return out


def tell_memory(w, when):
    for name, (n, kib) in sorted(memory(w).items()):
        measured("memory (PSS) of %s, %s: %d KiB%s", name, when, kib, " in %d processes, %d KiB each" % (n, kib // n) if n > 1 else "")


def start(w, name, network, image=IMAGE):
    """A service, through the API. Return: its id."""
    r = w.api("POST", "/containers/create?name=" + name, {"Image": image, "Cmd": SERVE, "HostConfig": {"NetworkMode": network}}, timeout=60)
    equal(r.status, 201, "creating %s: %r" % (name, r))
    r = w.api("POST", "/containers/%s/start" % name, timeout=60)
    equal(r.status, 204, "starting %s: %r" % (name, r))


def remove(w, *containers):
    for name in containers:
        r = w.api("DELETE", "/containers/%s?force=1" % name, timeout=60)
        equal(r.status, 204, "removing %s: %r" % (name, r))


def network(w, name):
    r = w.api("POST", "/networks/create", {"Name": name}, timeout=60)
    equal(r.status, 201, "creating network %s: %r" % (name, r))


def remove_network(w, name):
    equal(w.api("DELETE", "/networks/" + name, timeout=60).status, 204, "removing network " + name)


class Service:
    """A running service: its name, its host name, its address, and a way into its network namespace."""

    def __init__(self, w, name):
        i = w.inspect(name)
        (net,) = i["NetworkSettings"]["Networks"].values()
        self.name, self.host, self.address, self.pid = name, i["Config"]["Hostname"], net["IPAddress"], i["State"]["Pid"]

    @contextlib.contextmanager
    def inside(self):
        fd = os.open("/proc/%d/ns/net" % self.pid, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)


def call(w, place, other):
    """One look-up and one call from @place (a network namespace). Return: None, or what went wrong."""
    answer = w.ask(place, other.name, wait=20)
    if not answer or answer.texts() != [other.address]:
        return "look-up of %s: %s" % (other.name, answer)
    body = w.http_get(place, "http://%s:%d/hostname" % (other.address, PORT), 20)
    return None if (body or "").strip() == other.host else "call of %s: %r" % (other.name, body)


def calls(w, services, steps, when):
    """Every service calls the services @steps on from it, by name, several at a time."""
    def one(i):
        with services[i].inside() as place:
            return [call(w, place, services[(i + s) % len(services)]) for s in steps]
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        results = [x for part in pool.map(one, range(len(services))) for x in part]
    failed = [x for x in results if x]
    measured("%d look-ups and calls, %s: %.1f s, failed look-ups %d, failed calls %d", len(results), when, time.monotonic() - began,
             sum(x.startswith("look-up") for x in failed), sum(x.startswith("call") for x in failed))
    equal((len(results), failed[:5]), (len(services) * len(steps), []), when)
    return True


@timeout(600)
def test_700_services(w):
    tell_memory(w, "idle")
    images = {guide.Run(c).image for c in guide.commands(1) if c.startswith("docker run")}
    w.load({image: ([PORT], {"Cmd": SERVE}) for image in images})
    for command in guide.commands(1):  # the network and the first services are the guide's own
        w.sh(command)
    names, began = list(guide.runs(1)), time.monotonic()
    more = ["service-%d" % i for i in range(SERVICES - len(names))]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: start(w, name, "ecommerce-net"), more))
    measured("start of %d services beside the guide's: %.1f s", len(more), time.monotonic() - began)
    services = [Service(w, name) for name in names + more]
    for s in services:
        w.listening(s.name, PORT, 30)
    tell_memory(w, "%d services" % SERVICES)
    case = usecase.Case(w, 12)
    case.claim("700 services on one network: each finds and calls ten others by name, and none of 7,000 fails",
               calls, w, services, ROUNDS[0], "the engine running")
    w.kill9()
    case.claim("The engine is killed with -9 and away: each service finds and calls another, and none fails",
               calls, w, services, ROUNDS[1], "the engine killed with -9 and away")
    began = time.monotonic()
    w.start()
    measured("start of the engine beside %d services: %.1f s", SERVICES, time.monotonic() - began)
    case.claim("The engine is started again: each service finds and calls three others, and none fails",
               calls, w, services, ROUNDS[2], "the engine started again")
    tell_memory(w, "%d services after kill -9 and a start" % SERVICES)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda s: remove(w, s.name), services))
    remove_network(w, "ecommerce-net")
    measured("removal of %d services and their network: %.1f s", SERVICES, time.monotonic() - began)
    case.done()


def build(w, n, together):
    """One CI build: a network, a database and an application that calls it by name; then no trace."""
    net, db, app = "test-env-%d" % n, "test-db-%d" % n, "app-%d" % n
    network(w, net)
    start(w, db, net)
    start(w, app, net)
    together()
    services = [Service(w, db), Service(w, app)]
    w.listening(db, PORT, 60)
    with services[1].inside() as place:
        failed = call(w, place, services[0])
    together()
    remove(w, app, db)
    remove_network(w, net)
    return failed


def builds(w):
    barrier = threading.Barrier(BUILDS)  # all hundred networks are there at once

    def one(n):
        try:
            return build(w, n, lambda: barrier.wait(120))
        except threading.BrokenBarrierError:
            return None  # another one failed, and says why
        except Exception as e:  # also what a client's library says of an engine that does not answer
            barrier.abort()
            return str(e)
    with ThreadPoolExecutor(BUILDS) as pool:
        failed = [x for x in pool.map(one, range(BUILDS)) if x]
    equal(failed[:1], [])
    return not barrier.broken


def no_links(w):
    """The kernel takes its time with bridges, and the engine has it done beside other work."""
    until(lambda: set(w.links()) <= set(w.baseline["links"]), "the links of the networks are gone", 200, 0.2)
    return True


def in_a_row(w):
    """Each tenth is a whole build; the others are made and removed."""
    for n in range(IN_A_ROW):
        if n % 10 == 0:
            equal(build(w, n, lambda: None), None)
        else:
            network(w, "test-env-%d" % n)
            remove_network(w, "test-env-%d" % n)
    return True


def side_by_side(w):
    for n in range(IN_A_ROW):
        network(w, "side-%d" % n)
    tell_memory(w, "%d networks side by side" % IN_A_ROW)
    equal(build(w, IN_A_ROW, lambda: None), None, "one more, with containers")
    for n in range(IN_A_ROW):
        remove_network(w, "side-%d" % n)
    return True


class Apart(usecase.Case):
    """What a claim that fails leaves is not the next one's trouble."""

    def claim(self, text, fn, *args):
        holds = super().claim(text, fn, *args)
        if not holds:
            until(self.nothing_left, "what it left is removed", 200, 0.5)
        return holds

    def nothing_left(self):
        there = ["/containers/%s?force=1" % c["Id"] for c in self.w.get("/containers/json?all=1")]
        there += ["/networks/" + n["Id"] for n in self.w.get("/networks") if n["Name"] not in PREDEFINED]
        for path in there:
            self.w.api("DELETE", path, timeout=60)
        return not there


@timeout(600)
def test_networks(w):
    case = Apart(w, 12)
    began = time.monotonic()
    case.claim("100 builds at once: each has a network of its own, and its application calls its database by name", builds, w)
    measured("%d builds at once, each a network, two containers, a call by name: %.1f s", BUILDS, time.monotonic() - began)
    began = time.monotonic()
    case.claim("1,000 networks in a row, each tenth with two containers and a call by name", in_a_row, w)
    measured("%d networks in a row: %.1f s", IN_A_ROW, time.monotonic() - began)
    tell_memory(w, "after %d networks" % IN_A_ROW)
    began = time.monotonic()
    case.claim("1,000 networks side by side: there is always one more", side_by_side, w)
    measured("%d networks side by side, made and removed: %.1f s", IN_A_ROW, time.monotonic() - began)
    began = time.monotonic()
    case.claim("Of more than 2,000 networks no link is left in the kernel", no_links, w)
    measured("until the last link was gone: %.1f s", time.monotonic() - began)
    case.done()


def limit(path, value=None):
    with open(path, "r" if value is None else "w") as f:
        return int(f.read()) if value is None else f.write("%d\n" % value)


@contextlib.contextmanager
def room_for_neighbours():
    """The kernel has one table of neighbours for all network namespaces, and its limits can be written in the machine's
    own alone. There the engine raises them; for an engine in a world it is done here, and undone."""
    before = {}
    for family in ("ipv4", "ipv6"):
        for name, least in (("gc_thresh3", 65536), ("gc_thresh2", 49152), ("gc_thresh1", 8192)):
            path = "/proc/sys/net/%s/neigh/default/%s" % (family, name)
            if os.path.exists(path) and limit(path) < least:
                before[path] = limit(path)
                limit(path, least)
    try:
        yield
    finally:
        for path in reversed(before):
            limit(path, before[path])


if __name__ == "__main__":
    with room_for_neighbours():
        main(globals())
