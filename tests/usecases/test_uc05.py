#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Use case 5, isolated builds: the guide's pipeline script with real migrations and tests, one at a time and many at once.

The script names a build by the second in which it starts, and waits five seconds for the database. Where builds start in
the same second a `date` of the test's gives each a number of its own; where the test must look at builds that stand still,
a `sleep` waits at a gate (a FIFO) instead. Neither changes a word of the script.
"""
import ipaddress
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import clients  # noqa: E402
import usecase  # noqa: E402
from usecase import guide  # noqa: E402
from ways import OUTSIDE, Ways, soon  # noqa: E402

EXAMPLE = TOP + "/examples/uc05-ci-builds"
GOOD, BAD_UNIT, BAD_E2E = "4f2a9c1", "9b0d3e7", "c71e05a"
IMAGES = ["postgres:15", "cypress:latest"] + ["myapp:" + commit for commit in (GOOD, BAD_UNIT, BAD_E2E)]
# what a build of a good commit says, stage by stage
STAGES = {"migrations": ("applied 001-items.sql", "applied 002-orders.sql"),
          "unit tests": ("\nok 2 - ten are a tenth cheaper", "\nok 4 - no part of a lamp is sold"),
          "integration tests": ("\nok 1 - the database is fresh: nobody has ordered", "\nok 4 - the database keeps its own rules, too"),
          "end-to-end tests": ("\nok 2 - the page shows what there is to buy", "\nok 3 - an order is taken, and listed")}
WRAPPERS = {"date": '#!/bin/sh\necho "$BUILD_NUMBER"\n',
            "sleep": '#!/bin/sh\nif [ "$GATE" ]; then exec cat "$GATE"; fi\nexec /bin/sleep "$@"\n'}
numbers = iter(range(1698234567, 1698334567, 11))  # the first is the guide's


class Build:
    """A run of the guide's script. @gate: it stands still where it waits for its database, until open()."""

    def __init__(self, case, commit, gate=False):
        self.w, self.number, self.code, self.text = case.w, next(numbers), None, None
        self.db, self.net = "test-db-%d" % self.number, "test-env-%d" % self.number
        self.gate = "%s/gate-%d" % (self.w.base, self.number) if gate else ""
        if gate:
            os.mkfifo(self.gate)
        env = dict(self.w.env, PATH=words(case) + ":" + self.w.env["PATH"], GIT_COMMIT=commit,
                   BUILD_NUMBER=str(self.number), GATE=self.gate)
        (script,) = guide.scripts(5)
        with self.w.at("host"):
            self.child = subprocess.Popen(["bash", "-c", script], env=env, cwd=self.w.home, stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def arrived(self):
        """At the gate, and its database listens."""
        self.held = open(self.gate, "w")  # waits for the reader
        self.w.listening(self.db, 5432, 180)

    def open(self):
        self.held.close()

    def end(self, seconds=300):
        self.text = "\n" + self.child.communicate(timeout=seconds)[0]
        self.code = self.child.returncode
        return self

    def passed(self):
        for stage, lines in STAGES.items():
            for line in lines:
                check(line in self.text, "build %d, %s: %r is not in %s", self.number, stage, line.strip(), self.trouble())
        return (self.code, self.text.splitlines()[-1]) == (0, "All tests passed!") and "not ok" not in self.text

    def trouble(self):
        """What the first test that failed says, or the end of it all."""
        m = re.search(r"(?ms)^not ok .*?^  \.\.\.$", self.text)
        return m[0][:350] if m else self.text[-350:]

    def failed_by(self, line):
        """It failed by this test alone, and has cleaned up."""
        equal(re.findall(r"(?m)^not ok (.*)$", self.text), [line], "tests that failed")
        contains(self.text, "Cleaning up test environment: " + self.net)
        return (self.code, self.text.splitlines()[-1]) == (1, "Tests failed!")

    def sql(self, text):
        return self.w.docker("exec", self.db, "psql", "-U", "postgres", "-Atc", text, "testdb")


def words(case):
    """A folder with the programs that the script finds first: `docker` as the case says it, and WRAPPERS."""
    folder = "%s/words-%s" % (case.w.base, case.how)
    if not os.path.isdir(folder):
        os.mkdir(folder)
        for name, text in WRAPPERS.items():
            with open("%s/%s" % (folder, name), "w") as f:
                f.write(text)
            os.chmod("%s/%s" % (folder, name), 0o755)
        os.symlink("%s/bin/%s" % (case.w.base, case.how), folder + "/docker")
    return folder


def tests_said(build):
    """The tests' names and outcomes, in order."""
    return re.findall(r"(?m)^(?:not )?ok \d+ - .*$", build.text)


def no_trace(w, builds):
    """Containers, networks, links, rules, mounts, cgroups, processes: as before. `docker rm` without -v leaves the
    database's own volume, here as with Docker, and nothing else."""
    equal(w.get("/containers/json?all=1"), [])
    equal([n["Name"] for n in w.get("/networks") if n["Name"] not in PREDEFINED], [])
    volumes = [v["Name"] for v in w.get("/volumes")["Volumes"] or []]
    check(len(volumes) == builds and all(re.fullmatch("[0-9a-f]{64}", v) for v in volumes), "volumes: %s", volumes)
    for v in volumes:
        equal(w.api("DELETE", "/volumes/" + v).status, 204)
    w.assert_clean(30)
    return True


def no_conflict(w, builds):
    for b in builds:
        equal(w.inspect(b.db)["HostConfig"]["PortBindings"] or {}, {})
        check(soon(w.tcp_reach, "host", w.address(b.db), 5432), "%s listens", b.db)
    return len({w.address(b.db) for b in builds}) == len(builds)


def own_ranges(w, builds):
    ranges = [ipaddress.ip_network(w.network(b.net)["IPAM"]["Config"][0]["Subnet"]) for b in builds]
    return not any(a.overlaps(b) for a in ranges for b in ranges if a is not b)


def own_rows(builds):
    """Each writes a row; none sees another's."""
    for b in builds:
        b.sql("CREATE TABLE IF NOT EXISTS build (number bigint); INSERT INTO build VALUES (%d)" % b.number)
    for b in builds:
        equal(set(b.sql("SELECT number FROM build").split()), {str(b.number)}, b.db)
    return True


def interference(case, builds):
    """No build finds or reaches another: tried from within each database, for each other one."""
    names = [b.db for b in builds]
    pairs = list(itertools.permutations(names, 2))
    with Ways(case.w, *names, ports=dict.fromkeys(names, [5432])) as ways:
        case.claim("Zero interference: no build finds another's database by its name", ways.none, pairs, ["dns"])
        case.claim("Zero interference: no build reaches another's database by its address, TCP", ways.none, pairs, ["tcp"])
        case.claim("Zero interference: no build reaches another by its address, UDP", ways.none, pairs, ["udp"])
        case.claim("Zero interference: no build reaches another by its address, ICMP", ways.none, pairs, ["icmp"])
        for place in OUTSIDE:
            case.claim("Isolation: a build's database is not reached from %s" % place, ways.none, [(place, n) for n in names])


def three_at_once(case, kill=("before", "after")):
    """The claims about three builds that stand still, before the engine is killed or after it or both; then they go on."""
    w = case.w
    builds = [Build(case, GOOD, gate=True) for _ in range(3)]
    for b in builds:
        b.arrived()
    for when in kill:
        if when == "after":
            case.kill9()
        case.claim("Parallel execution: three builds are in their environments at once", lambda: len(w.get("/networks")) == len(PREDEFINED) + 3)
        case.claim("No port conflicts: each database is on port 5432, none on a port of the host", no_conflict, w, builds)
        case.claim("Each build has an address range of its own", own_ranges, w, builds)
        case.claim("Zero interference: each database has the rows of its build and no others", own_rows, builds)
        interference(case, builds)
    for b in builds:
        b.open()
    for b in builds:
        b.end()
    case.claim("Clean state: all three builds find a fresh database, and all their tests pass", lambda: all(b.passed() for b in builds))
    case.claim("Reproducible: the same commit says the same in each build", lambda: len({tuple(tests_said(b)) for b in builds}) == 1)
    case.claim("Easy cleanup: three builds leave no trace but their databases' volumes", no_trace, w, 3)


def one_of_a_kind(case):
    """A good commit and two bad ones; the guide's own five seconds."""
    good, unit, e2e = [Build(case, commit) for commit in (GOOD, BAD_UNIT, BAD_E2E)]
    for b in (good, unit, e2e):
        b.end()
    case.claim("The guide's script: migrations, unit, integration and end-to-end tests run and pass", good.passed)
    case.claim("A commit that breaks a unit test: exit code 1, Tests failed!, cleaned up", unit.failed_by, "2 - ten are a tenth cheaper")
    case.claim("A commit that breaks an end-to-end test: exit code 1, Tests failed!, cleaned up", e2e.failed_by, "4 - what is not in stock is refused")
    case.claim("Easy cleanup: builds leave no trace but their databases' volumes, passed or failed", no_trace, case.w, 3)


def killed_in_a_test(case):
    """The client that waits for the unit tests loses its engine: then they have not passed, whatever they did. The
    script goes on when the engine is back; what it had asked for in between it would not have got."""
    w = case.w
    with w.event('"Action":"start".*"name":"unit-tests-', 90):
        build = Build(case, GOOD)
    build.child.send_signal(signal.SIGSTOP)
    case.kill9()
    build.child.send_signal(signal.SIGCONT)
    build.end()
    told = re.findall(r"(?m)^# fail 0$", build.text)
    check(len(told) == 3 or build.code == 1, "exit %d: %s", build.code, build.text[-800:])
    equal(build.text.splitlines()[-1], "All tests passed!" if build.code == 0 else "Tests failed!")
    print("# the engine was killed in the unit tests: exit code %d" % build.code, flush=True)
    return no_trace(w, 1)


def scripts(case):
    """run.sh is the guide's script; down.sh removes a build that was broken off, here and no other thing."""
    w = case.w
    with open(EXAMPLE + "/run.sh") as f:
        text = f.read().replace("# SPDX-License-Identifier: GPL-2.0-or-later\n", "")
    equal([text.strip()], [x.strip() for x in guide.scripts(5)])
    build = Build(case, GOOD, gate=True)
    build.arrived()
    build.child.kill()
    build.open()
    build.end()
    w.docker("network", "create", "of-somebody-else")
    w.sh(EXAMPLE + "/down.sh")
    w.docker("network", "rm", "of-somebody-else")
    return no_trace(w, 1)


def setup(w):
    for image in IMAGES:
        w.docker("pull", "-q", image, timeout=300)


@timeout(900)
def test_docker(w):
    case = usecase.Case(w, 5)
    one_of_a_kind(case)
    three_at_once(case)
    case.claim("The engine dies in the midst of a test: it is not taken for passed, and nothing is left", killed_in_a_test, case)
    case.claim("The example's scripts: run.sh is the guide's, down.sh removes a build that was broken off", scripts, case)
    case.done()


@timeout(700)
def test_atoll(w):
    case = usecase.Case(w, 5, "atoll")
    one_of_a_kind(case)
    three_at_once(case, ["after"])
    case.done()


@timeout(1500)
def test_thirty(w):
    case = usecase.Case(w, 5)
    began = time.monotonic()
    builds = [Build(case, GOOD) for _ in range(30)]
    for b in builds:
        b.end(1400)
    print("# thirty builds at once: %.0f s" % (time.monotonic() - began), flush=True)
    case.claim("Parallel execution: thirty builds at once all pass", lambda: all(b.passed() for b in builds))
    case.claim("Easy cleanup: thirty builds leave no trace but their databases' volumes", no_trace, w, 30)
    case.done()


@timeout(500)
def test_compose(w):
    """The example's compose file: two builds as two projects."""
    case = usecase.Case(w, 5, "compose")
    projects = {p: clients.Client(w, "compose", clients.COMPOSE2, "-f", EXAMPLE + "/compose.yml", "-p", p, cwd=EXAMPLE)
                for p in ("build-123", "build-124")}

    def tests():
        for compose in projects.values():
            said = "\n".join(compose("run", "--rm", "-T", stage, timeout=180) for stage in ("migrate", "unit", "integration", "e2e"))
            for line in sum(STAGES.values(), ()):
                contains("\n" + said, line)
        return True

    def fails():
        r = projects["build-123"].try_("run", "--rm", "-T", "unit", env={"GIT_COMMIT": BAD_UNIT}, timeout=180)
        return r.returncode == 1 and "not ok 2 - ten are a tenth cheaper" in r.stdout
    case.claim("The compose file: two projects run migrations and all tests side by side", tests)
    case.claim("The compose file: a test's exit code is compose's", fails)
    case.forbidden("The compose file: one project does not reach the other's database",
                   lambda: soon(w.tcp_reach, "c:build-123-app-1", w.address("build-123-db-1"), 5432),
                   lambda: w.tcp_reach("c:build-123-app-1", w.address("build-124-db-1"), 5432))
    for compose in projects.values():
        compose("down", "-v", timeout=120)
    case.claim("The compose file: nothing is left when it is down", no_trace, w, 0)
    case.done()


if __name__ == "__main__":
    usecase.main(globals(), 5, setup)
