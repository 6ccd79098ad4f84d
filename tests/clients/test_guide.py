#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every docker command of the guide's ten use cases through a docker CLI, as it stands there, and what came of them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403
import clients  # noqa: E402
import compat  # noqa: E402
import guide  # noqa: E402


# What the guide's container is on already: Docker refuses it, with these words
REFUSED = {"docker network connect wordpress-backend wordpress-redis":
           "Error response from daemon: endpoint with name wordpress-redis already exists in network wordpress-backend"}


def use_case(number):
    def test(w):
        check(guide.commands(number), "the guide has no commands here")
        kept = clients.images(w)
        guide.prepare(w, number)
        for name in {c.split()[-1] for c in guide.commands(number) if c.startswith("docker network connect")} - set(guide.runs(number)):
            w.serve(name)  # use case 10 connects what runs already
        for command in guide.commands(number):
            if command in REFUSED:
                equal(w.docker_try(*command.split()[1:]).stderr.strip(), REFUSED[command])
            else:
                w.sh(command, timeout=60)
        guide.verify(w, number)
        w.reset()
        clients.remove_images(w, kept)
    test.__name__, test.timeout = "test_use_case_%d" % number, 200
    return test


for i in (1, 2, 3, 6, 7, 8, 9, 10):  # 4 are compose files, 5 is one script
    globals()["test_use_case_%d" % i] = use_case(i)


@timeout(200)
def test_use_case_5(w):
    kept = clients.images(w)
    guide.prepare(w, 5)
    (script,) = guide.scripts(5)
    env = dict(w.env, GIT_COMMIT="abc123")
    with w.at("host"):
        a, b = [subprocess.Popen(["bash", "-c", script.replace("$(date +%s)", "$(date +%s)" + n)], env=env, cwd=w.home, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True) for n in "12"]  # two builds at once, as the guide promises
    for child in (a, b):
        text = child.communicate(timeout=120)[0]
        equal(child.returncode, 0, text[-1000:])
        for part in ("npm run migrate", "npm run test:unit", "npm run test:integration", "npm run test:e2e", "All tests passed!"):
            contains(text, part)
    equal((w.get("/containers/json?all=1"), [n["Name"] for n in w.get("/networks") if n["Name"] not in PREDEFINED]), ([], []))
    clients.remove_images(w, kept)


def test_decision_tree(w):
    check(len(guide.examples()) == 2, "%s", guide.examples())
    for command in guide.examples():
        w.sh(command)
    equal({n["Name"]: n["Internal"] for n in w.get("/networks") if n["Name"] not in PREDEFINED}, {"myapp-net": False, "db-net": True})


def test_inspect_says_internal(w):
    """Use case 3 looks at what `network inspect` says."""
    for command in guide.commands(3):
        if command.startswith("docker network create"):
            w.sh(command)
    contains(w.sh("docker network inspect db-internal-net"), '"Internal": true')


if __name__ == "__main__":
    missing = clients.get("docker-26")
    main(globals() if not missing else {n: compat.skipped(n, missing) for n in globals() if n.startswith("test_")}, clients.use_newest_docker)
