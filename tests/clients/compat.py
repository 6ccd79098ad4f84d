#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""compat.py [--write | --check] [CLIENT...] - which command of which client works: docs/compatibility.md.

An operation is a function of ops_*.py: it drives the engine by one client and checks what came of
it; without an exception, the cell is "yes". The files test_*.py beside this one run them, and fail where
a cell is worse than the committed table says. --write runs all clients and writes the table anew,
--check only tells whether the table has all operations and no others.
"""
import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib")]
import clients  # noqa: E402
import testbed  # noqa: E402

DOC = testbed.TOP + "/docs/compatibility.md"
# the tables: title, the module with the operations, and the columns with the file that runs each
TABLES = [
    ("Commands", [("docker 28", "test_docker_28.py"), ("docker 26.1", "test_docker_26.py"), ("docker 20.10", "test_docker_20.py"),
                  ("atoll", "test_atoll_ops.py"), ("docker-py 5.0.3", "test_docker_py.py"), ("dockerode 4.0.2", "test_dockerode.py")]),
    ("Compose", [("docker-compose 1.29.2", "test_compose.py"), ("docker compose 2.26", "test_compose_v2.py")]),
]
MODULES = {"docker-py 5.0.3": "ops_py", "dockerode 4.0.2": "ops_node", "docker-compose 1.29.2": "ops_compose", "docker compose 2.26": "ops_compose"}
YES, LACKS = "yes", "–"
NOT_THERE = "The engine does not have it yet, and says so (HTTP 501, or a flag that it refuses)."
MAY_LACK = ("atoll", "docker-compose 1.29.2")  # share their operations with clients that have more commands


def operations(client):
    """{section: {operation: function}} of a client, in the table's order."""
    return importlib.import_module(MODULES.get(client, "ops_cli")).OPS


class Ops(dict):
    """What ops_*.py fills: @OPS("network create") above a function; OPS.section = "..." before it."""
    section = ""

    def __call__(self, name):
        def mark(fn):
            testbed.check(not any(name in ops for ops in self.values()), "%s stands twice", name)
            self.setdefault(self.section, {})[name] = fn
            return fn
        return mark


def rows(table):
    """The rows of a table: {section: [operation]}, those of its first column and then what others add."""
    out = {}
    for client, _ in TABLES[table][1]:
        for section, ops in operations(client).items():
            into = out.setdefault(section, [])
            into += [o for o in ops if o not in into]
    return out


def committed():
    """The table in docs/: {client: {operation: cell}}."""
    out, heads = {}, []
    with open(DOC) as f:
        for line in f:
            cells = [c.strip() for c in line.strip().strip("|").split("|")] if line.startswith("|") else []
            if cells and cells[0] == "operation":
                heads = cells[1:]
                for h in heads:
                    out.setdefault(h, {})
            elif len(cells) == len(heads) + 1 and not set(cells[0]) <= set("-: "):
                for h, cell in zip(heads, cells[1:]):
                    out[h][cells[0]] = cell
    return out


def reason(e):
    """One line that says why."""
    lines = [re.sub("^.*: exit", "exit", x) if 'level=warning' in x else x for x in str(e).replace("|", "/").splitlines()]
    lines = [re.sub(r'time="[^"]*" level=warning msg=".*"', "", x).strip() for x in lines]
    lines = [x for x in lines if x] or [type(e).__name__]
    text = re.sub(r"[0-9a-f]{64}|/tmp/atw-\w+", "…", " ".join(lines))
    return text if len(text) < 300 else text[:150] + " … " + text[-140:]


def outcome(fn, subject):
    """Runs one operation. Return: its cell, with the reason behind a "no"."""
    try:
        fn(subject)
        return YES
    except clients.Lacks:
        return LACKS
    except testbed.Skip:
        raise
    except Exception as e:
        if isinstance(e, testbed.Failed) and str(e) == "timeout":
            raise
        return "no: " + reason(e if isinstance(e, (testbed.Failed, clients.Lacks)) else "%s: %s" % (type(e).__name__, e))


def group(client, section, ops, make, table):
    """A test that runs a section's operations with one client. @make(w) gives what they take."""
    def test(w):
        subject, worse, kept = make(w), [], clients.images(w)
        for name, fn in ops.items():
            cell = outcome(fn, subject)
            was = table.get(name, "absent")
            record(client, name, cell)
            w.reset()
            if was == YES and cell != YES or was == LACKS and cell.startswith("no"):
                worse.append("%s: %s" % (name, cell))
            elif cell != was[:len(cell)] and cell[:2] != was[:2]:
                print("# %s: the table says %s, and now it is %s" % (name, was, cell))
        clients.remove_images(w, kept)
        testbed.check(not worse, "worse than docs/compatibility.md says:\n%s", "\n".join(worse))
    test.__name__ = "test_" + re.sub(r"\W+", "_", section.lower())
    test.timeout = 400
    return test


def record(client, name, cell):
    if os.environ.get("ATOLL_COMPAT_RECORD"):
        with open(os.environ["ATOLL_COMPAT_RECORD"], "a") as f:
            print(json.dumps([client, name, cell]), file=f, flush=True)


def tests(client, make, why=None):
    """The tests of a client's file: {name: function}. @why: they are all skipped for that."""
    table, out = committed().get(client, {}), {}
    for section, ops in operations(client).items():
        fn = group(client, section, ops, make, table)
        if why:
            fn = skipped(fn.__name__, why)
        out[fn.__name__] = fn
    return out


def skipped(name, why):
    def test(w):
        raise testbed.Skip(why)
    test.__name__ = name
    return test


# ---- the document ----

def measure(wanted):
    """Runs the clients' files. Return: {client: {operation: cell}}, and {client: version}."""
    cells = {}
    for _, columns in TABLES:
        for client, program in columns:
            if wanted and client not in wanted:
                continue
            with tempfile.NamedTemporaryFile("r") as f:
                env = dict(os.environ, ATOLL_COMPAT_RECORD=f.name)
                r = subprocess.run(["/usr/bin/python3", os.path.join(HERE, program)], env=env, capture_output=True, text=True)
                for line in f:
                    who, name, cell = json.loads(line)
                    cells.setdefault(who, {})[name] = cell
            print("%s: %d operations, %d yes%s" % (client, len(cells.get(client, {})), sum(c == YES for c in cells.get(client, {}).values()),
                                                   "" if r.returncode in (0, 1) else ", exit %d" % r.returncode), flush=True)
            if not cells.get(client):
                print(r.stdout[-1500:] + r.stderr[-500:])
    return cells


def note_of(text):
    """A reason as a reader of the table wants it: what any client is told alike is said once."""
    if re.search("not implemented by this engine|not supported yet|(engine|version) does not have it|HTTP 501", text):
        return NOT_THERE
    return text.split("Error response from daemon: ")[-1]


def text_of(cells):
    out, notes = [INTRO], []
    for i, (title, columns) in enumerate(TABLES):
        names = [c for c, _ in columns]
        out.append("## %s\n" % title)
        for section, ops in rows(i).items():
            out.append("### %s\n" % section)
            out.append("| operation | %s |" % " | ".join(names))
            out.append("|---|%s|" % "|".join("---" for _ in names))
            for name in ops:
                line = []
                for client in names:
                    cell = cells.get(client, {}).get(name, LACKS)
                    if cell.startswith("no"):
                        note = note_of(cell[3:].strip())
                        if note not in notes:
                            notes.append(note)
                        cell = "no (%d)" % (notes.index(note) + 1)
                    line.append(cell)
                out.append("| %s | %s |" % (name, " | ".join(line)))
            out.append("")
    if notes:
        out += ["## What happens instead\n"] + ["%d. %s" % (n + 1, note.replace("<", "&lt;")) for n, note in enumerate(notes)]
    return "\n".join(out).rstrip("\n") + "\n"


INTRO = """# Compatibility

<!-- generated by tests/clients/compat.py --write -->

Which command of which client works with `atolld`. Each cell stands for a test that runs the command with the real
client and checks what came of it: packets, bytes, the kernel's state. "yes": it does what it does with Docker; "no": it does not, and
its number below the tables says what happens; "–": the client has no such command. `tests/clients` fails
when a cell becomes worse than it stands here.

docker 28 is run where it is installed; docker 26.1 and docker compose 2.26 are Debian 13's, docker 20.10, docker-compose
1.29.2 and docker-py 5.0.3 Debian 12's, dockerode the npm registry's.
"""


def check_document():
    """Return: what is wrong with the committed table, as lines."""
    table, out = committed(), []
    for i, (_, columns) in enumerate(TABLES):
        want = [o for ops in rows(i).values() for o in ops]
        for client, _ in columns:
            have = table.get(client, {})
            out += ["%s: %s is not in the table" % (client, o) for o in want if o not in have]
            known = {o for ops in operations(client).values() for o in ops}
            out += ["%s: %s is in the table and nowhere else" % (client, o) for o in have if o not in want]
            out += ["%s: %s has a test, and the table says that the client lacks it" % (client, o)
                    for o in known if have.get(o) == LACKS and client not in MAY_LACK]
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--write", action="store_true")
    p.add_argument("--check", action="store_true")
    p.add_argument("clients", nargs="*", help="measure these alone; the other columns stay as they are")
    options = p.parse_args()
    if options.check:
        wrong = check_document()
        print("\n".join(wrong) if wrong else "%d operations" % sum(len(t) for t in committed().values()))
        return 1 if wrong else 0
    cells = measure(options.clients)
    if options.write:
        old = committed() if os.path.exists(DOC) else {}
        notes = dict(re.findall(r"(?m)^(\d+)\. (.*)$", open(DOC).read())) if old else {}
        for client, column in old.items():
            if client not in cells:
                cells[client] = {o: "no: " + notes.get(c[4:-1], "") if c.startswith("no") else c for o, c in column.items()}
        with open(DOC, "w") as f:
            f.write(text_of(cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
