#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The docker CLI 26.1, Debian 13's: every operation of ops_cli.py."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import clients  # noqa: E402
import compat  # noqa: E402
import ops_images  # noqa: E402
from testbed import main  # noqa: E402

NAME = "docker 26.1"

if __name__ == "__main__":
    main(compat.tests(NAME, lambda w: clients.docker(w, NAME), clients.get("docker-26")), ops_images.setup)
