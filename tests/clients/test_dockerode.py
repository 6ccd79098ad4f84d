#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dockerode, the npm package: every operation of dockerode/run.js."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import clients  # noqa: E402
import compat  # noqa: E402
import ops_images  # noqa: E402
import ops_node  # noqa: E402
from testbed import main  # noqa: E402

if __name__ == "__main__":
    main(compat.tests("dockerode 4.0.2", ops_node.Subject, clients.get("dockerode")), ops_images.setup)
