#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The atoll CLI on a terminal, and its streams: raw mode and its end, window sizes, detach keys,
half-close, signals, large input, readers that leave."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


class Terminal:
    """atoll on a terminal of its own."""

    def __init__(self, w, *args, rows=33, columns=77):
        self.out = b""
        self.master, slave = pty.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen([w.base + "/bin/atoll", *args], stdin=slave, stdout=slave, stderr=slave,
                                        env=w.env, cwd=w.home, start_new_session=True)
        # the terminal is the controlling one of nobody: window changes are told by signal
        os.set_blocking(self.master, False)

    def size(self, rows, columns, tell=False):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def type(self, data):
        os.write(self.master, data)

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.out += os.read(self.master, 65536)
        return True

    def until(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.out:
            check(self.read(max(0, end - time.monotonic())), "no %r in %r", text, self.out)

    def end(self, seconds=20):
        """What is left of the output is read. Return: exit code."""
        code = self.process.wait(seconds)
        while self.read(0):
            pass
        return code

    def restored(self):
        equal(termios.tcgetattr(self.slave), self.before, "the terminal's modes")


def test_run(w):
    t = Terminal(w, "run", "-it", "--rm", IMAGE, "sh")
    t.until(b"# ")
    check(t.raw(), "not in raw mode")
    t.type(b"stty size\r")
    t.until(b"33 77")
    t.size(20, 40, tell=True)
    t.type(b"while [ \"$(stty size)\" != '20 40' ]; do :; done; echo si''zed\r")
    t.until(b"sized")
    t.type(b"exit 3\r")
    equal(t.end(), 3)
    t.restored()


def test_killed(w):
    """A signal ends the client as ever, with the terminal as it was; the container lives on."""
    t = Terminal(w, "run", "-it", "--name", "lives", IMAGE, "sh")
    until(t.raw, "raw mode")
    t.process.send_signal(signal.SIGTERM)
    equal(t.end(), -signal.SIGTERM)
    t.restored()
    equal(w.atoll("inspect", "-f", "{{.State.Running}}", "lives"), "true")
    w.atoll("rm", "-f", "lives")


def test_detach(w):
    t = Terminal(w, "run", "-it", "--name", "left", IMAGE, "sh")
    t.until(b"# ")
    t.type(b"\x10\x11")
    equal(t.end(), 0)
    contains(t.out.decode(), "read escape sequence")
    t.restored()
    equal(w.atoll("inspect", "-f", "{{.State.Running}}", "left"), "true")
    t = Terminal(w, "attach", "--detach-keys", "ctrl-a,z", "left")
    until(t.raw, "raw mode")
    t.type(b"echo hi$((1+1))\r")
    t.until(b"hi2")
    t.type(b"\x01z")
    equal(t.end(), 0)
    t = Terminal(w, "attach", "left")
    until(t.raw, "raw mode")
    t.type(b"exit 9\r")
    equal(t.end(), 9)
    t = Terminal(w, "start", "-ai", "left")
    t.until(b"# ")
    t.type(b"exit 4\r")
    equal(t.end(), 4)
    w.atoll("rm", "-f", "left")


def test_exec(w):
    w.atoll("run", "-d", "--name", "base", IMAGE, "sleep", "1000")
    t = Terminal(w, "exec", "-it", "base", "sh")
    t.until(b"# ")
    t.type(b"stty size; tty\r")
    t.until(b"33 77")
    t.until(b"/dev/pts/")
    t.type(b"exit 6\r")
    equal(t.end(), 6)
    t.restored()
    t = Terminal(w, "exec", "-it", "base", "sh")
    t.until(b"# ")
    t.type(b"\x10\x11")
    equal(t.end(), 0)
    equal(w.atoll("exec", "-i", "base", "cat", input="abc\n"), "abc")
    w.atoll("rm", "-f", "base")


def test_no_terminal(w):
    r = w.atoll_try("run", "-it", "--rm", IMAGE, "true")
    equal(r.returncode, 125)
    contains(r.stderr, "is not a terminal")


def test_large(w):
    data = os.urandom(8 << 20)
    program = [w.base + "/bin/atoll", "run", "-i", "--rm", IMAGE]
    r = subprocess.run(program + ["cat"], input=data, capture_output=True, env=w.env, timeout=120)
    equal((r.returncode, r.stderr), (0, b""))
    check(r.stdout == data, "%d bytes came back, or others", len(r.stdout))
    r = subprocess.run(program + ["head", "-c", "10"], input=data, capture_output=True, env=w.env, timeout=120)
    equal((r.returncode, r.stdout), (0, data[:10]))


def test_reader_leaves(w):
    w.atoll("run", "-d", "--name", "writer", IMAGE, "sh", "-c", "while :; do echo y; done")
    p = subprocess.Popen([w.base + "/bin/atoll", "logs", "-f", "writer"], stdout=subprocess.PIPE, env=w.env)
    equal(p.stdout.readline(), b"y\n")
    p.stdout.close()
    equal(p.wait(30), -signal.SIGPIPE)
    w.atoll("rm", "-f", "writer")


def test_signals(w):
    program = [w.base + "/bin/atoll", "run"]
    script = "trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    p = subprocess.Popen(program + ["--rm", IMAGE, "sh", "-c", script], stdout=subprocess.PIPE, env=w.env, text=True)
    equal(p.stdout.readline(), "up\n")
    p.send_signal(signal.SIGTERM)
    equal(p.wait(30), 5)
    equal(p.stdout.read(), "got\n")
    p = subprocess.Popen(program + ["--name", "deaf", "--sig-proxy=false", IMAGE, "sh", "-c", "echo up; sleep 1000"],
                         stdout=subprocess.PIPE, env=w.env, text=True)
    equal(p.stdout.readline(), "up\n")
    p.send_signal(signal.SIGTERM)
    equal(p.wait(30), -signal.SIGTERM)
    equal(w.atoll("inspect", "-f", "{{.State.Running}}", "deaf"), "true")
    w.atoll("rm", "-f", "deaf")


def test_follow(w):
    w.atoll("run", "-d", "--name", "counts", IMAGE, "sh", "-c", "for i in 0 1 2 3; do echo $i; sleep 0.1; done")
    equal(w.atoll("logs", "-f", "counts"), "0\n1\n2\n3")
    w.atoll("rm", "counts")


if __name__ == "__main__":
    main(globals())
