#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docker-py 5.0.3, Debian 12's, as programs use it: every operation of ops_py.py."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import clients  # noqa: E402
import compat  # noqa: E402
import ops_images  # noqa: E402
import ops_py  # noqa: E402
from testbed import main  # noqa: E402

if __name__ == "__main__":
    main(compat.tests("docker-py 5.0.3", ops_py.Subject, clients.inside_python()), ops_images.setup)
