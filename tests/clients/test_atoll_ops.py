#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""atoll, with docker's words: every operation of ops_cli.py that it has."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import clients  # noqa: E402
import compat  # noqa: E402
import ops_images  # noqa: E402
from testbed import main  # noqa: E402

NAME = "atoll"

if __name__ == "__main__":
    main(compat.tests(NAME, lambda w: clients.atoll(w)), ops_images.setup)
