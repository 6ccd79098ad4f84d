#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docker compose 2.26, Debian 13's, as the plugin of docker 26.1: every operation of ops_compose.py, and the guide's three environments."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import clients  # noqa: E402
import compat  # noqa: E402
import guide  # noqa: E402
import ops_compose  # noqa: E402
import ops_images  # noqa: E402
from testbed import main  # noqa: E402

NAME = "docker compose 2.26"


def project(w):
    return ops_compose.Project(w, NAME)


if __name__ == "__main__":
    why = clients.get("docker-26")
    tests = compat.tests(NAME, project, why)
    tests.update(guide.environments(project, why))
    main(tests, ops_images.setup)
