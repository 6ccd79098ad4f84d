# SPDX-License-Identifier: GPL-2.0-or-later
"""The operations of the table with dockerode: each is one run of dockerode/run.js, which names them."""
import os
import re

import clients
import ops_images
from compat import Ops
from testbed import *  # noqa: F403

OPS = Ops()


class Subject:
    def __init__(self, w):
        self.w, self.archive, self.context = w, w.base + "/loaded.tar", ops_images.context(w.base + "/node-context")
        with open(self.archive, "wb") as f:
            f.write(standin.archive({"loaded/it:1": ([], {"Cmd": ["echo", "from a tar"]})}))

    def run(self, name):
        env = dict(self.w.env, NODE_PATH=clients.CACHE + "/dockerode/node_modules", ATOLL_SOCKET=self.w.socket, ATOLL_IMAGE=IMAGE,
                   ATOLL_CONTEXT=self.context, ATOLL_ARCHIVE=self.archive, DOCKER_HOST="")
        r = run("node", clients.NODE_PROGRAM, name, env=env, timeout=90)
        check(r.returncode == 0, "%s", r.stderr.strip()[-600:])


def operation(name):
    def fn(s):
        if name == "pull":
            ops_images.registry(s.w).seed("team/pulled", "1", [], Cmd=["echo", "from the registry"])
        elif name.startswith("login"):
            ops_images.closed_registry(s.w).seed("secret", "1", [], Cmd=["echo", "opened"])
        s.run(name)
    return fn


with open(clients.NODE_PROGRAM) as program:
    for section, name in re.findall(r"(?m)^op\('(.*?)', '(.*?)',", program.read()):
        OPS.section = section
        OPS(name)(operation(name))
