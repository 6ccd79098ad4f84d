# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's own files, for the checks: what git knows or would add, else a walk."""
import os
import shutil
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(*under, ext=()):
    """Paths below @under (all if none), relative to the top, ending in one of @ext (all if none)."""
    out = None
    if shutil.which("git"):
        out = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP, "ls-files", "-z", "--cached",
                              "--others", "--exclude-standard"], capture_output=True)
    if out and out.returncode == 0:
        names = [n for n in out.stdout.decode().split("\0") if n]
    else:
        names = [os.path.relpath(os.path.join(d, f), TOP) for d, dirs, fs in walk() for f in fs]
    names = sorted(set(n for n in names if os.path.isfile(os.path.join(TOP, n))))
    if under:
        names = [n for n in names if n.startswith(tuple(u.rstrip("/") + "/" for u in under))]
    return [n for n in names if not ext or n.endswith(tuple(ext))]


def walk():
    for d, dirs, fs in os.walk(TOP):
        dirs[:] = [x for x in dirs if not (d == TOP and (x.startswith("build") or x == ".git"))
                   and x not in ("__pycache__", ".cache")]
        yield d, dirs, fs


def read(name):
    with open(os.path.join(TOP, name), encoding="utf-8", errors="replace") as f:
        return f.read()


def without_comments(text, strings=False):
    """C text with comments (and, if @strings, string contents) blanked; line numbers stay."""
    out, i, n = [], 0, len(text)
    while i < n:
        two = text[i:i + 2]
        if two == "/*":
            end = text.find("*/", i + 2)
            end = n if end < 0 else end + 2
            out.append("\n" * text.count("\n", i, end) or " ")
            i = end
        elif two == "//":
            end = text.find("\n", i)
            i = n if end < 0 else end
        elif text[i] in "\"'":
            end = i + 1
            while end < n and text[end] != text[i]:
                end += 2 if text[end] == "\\" else 1
            end = min(end + 1, n)
            out.append(text[i] * 2 if strings else text[i:end])
            i = end
        else:
            out.append(text[i])
            i += 1
    return "".join(out)
