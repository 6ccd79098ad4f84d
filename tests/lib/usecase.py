# SPDX-License-Identifier: GPL-2.0-or-later
"""A use case of the guide in a world: its lines as they stand, and claims about what came of them.

A use case's file is a program as every file of tests is (see testbed), and ends with main(globals(), number). In
its world a registry in `internet` stands in for docker.io, with the images of tests/usecases/images. A test makes a
Case, runs the guide's lines, and states claims; each is tried, and becomes a line

    # claim {"case": 2, "text": "...", "holds": true, "why": null, "how": "docker"}

of the file's output. A claim that does not hold does not end the test: done() does, with all of them.
ATOLL_TEST_ISOLATION=off switches isolation off on purpose, by the engine's own options: every network lets in
whatever is routed to it, and none is internal. Then claims of isolation must fail.
"""
import json
import os
import sys

import registry
import testbed
from testbed import *  # noqa: F403

sys.path.insert(0, testbed.TOP + "/tests/clients")
import clients  # noqa: E402
import guide  # noqa: E402

HUB = ("internet", testbed.INTERNET, 5000)
STORE = testbed.TOP + "/tests/.cache/images/registry"
ISOLATED = os.environ.get("ATOLL_TEST_ISOLATION") != "off"
OPEN = ["--default-network-opt=bridge=com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected"]


def hub(w):
    """The stand-in for docker.io, for as long as the world is there."""
    w.hub = registry.Real(w, *HUB, storage=STORE, readonly=True)
    clients.use_newest_docker(w)


def why_not(fn, args):
    """None if fn(*args) is true, or why it is not."""
    try:
        return None if fn(*args) else "it is not so"
    except Exception as e:  # a claim that cannot be tried does not hold; a timeout of the test goes on
        if str(e) == "timeout":
            raise
        text = " ".join(("%s" % e or type(e).__name__).split()).replace(testbed.TOP + "/", "")
        return text if len(text) <= 400 else text[:200] + " … " + text[-200:]  # what a program says last is often why


class Case:
    """@how: what the lines are said with ("docker", "atoll", or the name of another client), a word for the table."""

    def __init__(self, w, number, how="docker"):
        self.w, self.number, self.how, self.failed, self.count = w, number, how, [], 0

    # ---- the guide's lines ----

    def commands(self):
        """The docker commands of the guide's use case, in the words of the client."""
        lines = guide.commands(self.number)
        if not ISOLATED:
            lines = [c.replace(" --internal ", " ") for c in lines]
        return ["atoll" + c[len("docker"):] for c in lines] if self.how == "atoll" else lines

    def run(self, kill=False, refused=None, between=None, timeout=180):
        """Runs them all. @kill: in the middle the engine is killed with -9. @refused: {command as the guide has it:
        the error that it must end with}. @between: called with each of the guide's commands before it."""
        commands = list(zip(guide.commands(self.number), self.commands()))
        check(commands, "the guide has no commands in use case %d", self.number)
        for i, (original, command) in enumerate(commands):
            if kill and i == len(commands) // 2:
                self.kill9()
            if between:
                between(original)
            if refused and original in refused:
                with self.w.at("host"):
                    r = run("sh", "-c", command, env=self.w.env, cwd=self.w.home, timeout=timeout)
                check(r.returncode != 0, "%s succeeded", command)
                contains(r.stderr, refused[original])
            else:
                self.w.sh(command, timeout=timeout)

    def kill9(self):
        """The engine dies at once and is started again; what runs goes on."""
        self.w.kill9()
        self.w.start()

    # ---- claims ----

    def claim(self, text, fn, *args):
        """@text is so if fn(*args) is true. Return: does it hold?"""
        why = why_not(fn, args)
        self._row(text, why)
        return why is None

    def forbidden(self, text, control, probe):
        """@text is so if @control() is true, and @probe(), the same from where it is forbidden, is not."""
        def both():
            check(control(), "the control fails: what must be forbidden cannot be tried")
            check(not probe(), "it works, and must not")
            return True
        return self.claim(text, both)

    def _row(self, text, why):
        self.count += 1
        if why:
            self.failed.append("%s: %s" % (text, why))
        row = {"case": self.number, "text": text, "holds": not why, "why": why, "how": self.how}
        print("# claim " + json.dumps(row), flush=True)

    def done(self):
        """The end of the test: fails if a claim did."""
        check(self.count, "no claim was made")
        check(not self.failed, "%d of %d claims do not hold:\n%s", len(self.failed), self.count, "\n".join(self.failed))


@contextlib.contextmanager
def composed(case, folder, *options):
    """An example's compose file is up; yields the client. Then it is down, and nothing of it may be left."""
    compose = clients.Client(case.w, "compose", clients.COMPOSE2, "-f", folder + "/compose.yml", cwd=folder)
    compose("up", "-d", *options, timeout=180)
    yield compose
    compose("down", "-v", timeout=120)
    case.claim("The compose file: nothing is left when it is down", lambda: not case.w.get("/containers/json?all=1"))


def try_readme(w, folder):
    """What a README says to try: its indented lines below "## Try", on the host; curl fails where HTTP does."""
    with open(folder + "/README.md") as f:
        part = f.read().split("\n## Try\n")[1].split("\n## ")[0]
    with open(w.home + "/.curlrc", "w") as f:
        f.write("fail\n")
    lines = [line[4:] for line in part.splitlines() if line.startswith("    ")]
    w.sh("\n".join(lines))
    return len(lines) > 0


def main(names, number=None, setup=None, flags=(), data_size=None):
    """testbed.main with docker.io in reach; images that are not up to date are built first. @setup(w) comes after it."""
    r = run(testbed.TOP + "/tests/usecases/images", timeout=3600)
    missing = clients.get("docker-26")
    if r.returncode or missing:
        sys.exit((r.stdout + r.stderr)[-3000:] or missing)

    def before(w):
        hub(w)
        if setup:
            setup(w)
    testbed.main(names, before, ["--registry-mirror", "http://%s:%d" % HUB[1:], *([] if ISOLATED else OPEN), *flags], data_size)
