#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/try: every example comes up and goes, all in one sandbox; and the shell that it gives."""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRY = TOP + "/examples/try"


def call(*args, **kw):
    r = subprocess.run([TRY, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=800, **kw)
    return r.returncode, r.stdout


def test_check():
    code, out = call("--check")
    names = sorted(n for n in os.listdir(TOP + "/examples") if n.startswith("uc"))
    return code == 0 and re.findall(r"(?m)^ok (\S+)$", out) == names, out


def test_shell():
    """Its words are typed; the sandbox's end takes what they have made."""
    typed = "docker ps --format '{{.Names}}:{{.State}}'; internet curl -skI -m 60 --retry 9 --retry-all-errors https://203.0.113.2/\nexit\n"
    code, out = call("7", input=typed)
    return code == 0 and all(part in out for part in ("wordpress-app:running", "nginx-proxy:running", "443 -> 443", "Server: nginx")), out


def main():
    tests = {n[5:]: f for n, f in globals().items() if n.startswith("test_") and (len(sys.argv) < 2 or any(a in n for a in sys.argv[1:]))}
    print("1..%d" % len(tests), flush=True)
    failed = 0
    for i, (name, fn) in enumerate(tests.items(), 1):
        good, out = fn()
        failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", i, name))
        if not good:
            print("# " + out[-6000:].replace("\n", "\n# "))
        sys.stdout.flush()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
