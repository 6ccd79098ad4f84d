# SPDX-License-Identifier: GPL-2.0-or-later
"""The service, with its log in a file as well, where a log collector of the host finds it: /var/log/apps/NAME.log."""
import logging
import os
import sys

sys.path.insert(0, "/usr/local/lib/service")
import main  # noqa: E402

FOLDER = "/var/log/apps"

os.makedirs(FOLDER, exist_ok=True)
to_file = logging.FileHandler("%s/%s.log" % (FOLDER, main.NAME))
to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
main.log.addHandler(to_file)
main.main()
