#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The docker CLI 28, where it is installed: every operation of ops_cli.py."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import clients  # noqa: E402
import compat  # noqa: E402
import ops_images  # noqa: E402
from testbed import main, run  # noqa: E402

NAME = "docker 28"


def missing():
    """Why not, or None. Debian's versions have files of their own."""
    try:
        said = run("docker", "--version").stdout
    except OSError:
        return "no docker CLI is installed"
    return None if "version 28." in said else "the docker CLI here is another one: " + said.strip()


if __name__ == "__main__":
    main(compat.tests(NAME, lambda w: clients.docker(w, NAME), missing()), ops_images.setup)
