# SPDX-License-Identifier: GPL-2.0-or-later
"""embed.py OUT FILE... - writes a C file with the migrations, in order, as strings.

A file is named NNNN_words.sql; the numbers must run 1, 2, 3 without a gap.
"""
import os
import sys


def c_lines(text):
    for line in text.splitlines():
        if line.startswith("--") or not line.strip():
            continue
        yield '\t"' + line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", " ") + '\\n"'


def main():
    out, files = sys.argv[1], sorted(sys.argv[2:], key=os.path.basename)
    parts = []
    for number, path in enumerate(files, 1):
        name = os.path.basename(path)
        if int(name.split("_")[0]) != number:
            sys.exit(f"{name}: expected number {number:04d}")
        with open(path, encoding="utf-8") as f:
            parts.append(f"\t/* {name} */\n" + "\n".join(c_lines(f.read())) + ",\n")
    with open(out, "w", encoding="utf-8") as f:
        f.write('#include "state/internal.h"\n\nconst char *const state_migrations[] = {\n')
        f.write("".join(parts))
        f.write("};\nconst unsigned state_n_migrations = %d;\n" % len(files))


main()
