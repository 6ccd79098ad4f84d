#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""atoll-shim as a program, with a runtime that only runs a shell: test_shim.py SHIM RUNTIME"""
import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SHIM, RUNTIME = map(os.path.abspath, sys.argv[1:3])
OUTPUT, INPUT, PARTIALS = 1, 2, 4
PATIENCE = 30
MB = 1 << 20


def packets():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Client:
    def __init__(self, sock, flags=None):
        self.sock, self.out, self.err = sock, b"", b""
        sock.settimeout(PATIENCE)
        if flags is not None:
            sock.send(b"h" + bytes([flags]))

    def read(self, until=None):
        """To the end, or until standard output has @until."""
        while until is None or until not in self.out:
            data = self.sock.recv(65536)
            if not data:
                return self
            if data[0] == 1:
                self.out += data[1:]
            else:
                self.err += data[1:]
        return self

    def write(self, data):
        for i in range(0, len(data), 32768):
            self.sock.send(b"i" + data[i:i + 32768])

    def close(self):
        self.sock.close()


class Shim:
    """One process under a shim, in a folder of its own."""

    def __init__(self, script, *args, is_exec=False, client=None, fsize=None, early=None):
        self.dir = tempfile.mkdtemp(prefix="atoll-shim-")
        self.exit = self.dir + "/exit"
        with open(self.dir + "/script", "w") as f:
            f.write(script)
        self.status, theirs = packets()
        self.status.settimeout(PATIENCE)
        if early:
            self.status.send(early)
        runtime = os.open(RUNTIME, os.O_PATH)
        high = [fcntl.fcntl(x, fcntl.F_DUPFD, 100) for x in (theirs.fileno(), runtime) + ((client.fileno(),) if client else ())]
        argv = [SHIM, "container=abc", "process=" + ("def" if is_exec else "abc"), "root=/nowhere"]
        argv += ([] if is_exec else ["exit=" + self.exit]) + (["attached"] if client else []) + list(args)

        def child():
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            os.closerange(3 + len(high), 200)
            if fsize:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (fsize, fsize))
        self.p = subprocess.Popen(argv, cwd=self.dir, close_fds=False, preexec_fn=child, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in high + [runtime]:
            os.close(fd)
        theirs.close()

    def said(self):
        data = self.status.recv(65536)
        kind = data[:1].decode()
        return (kind, struct.unpack("i", data[1:])[0]) if kind in ("P", "X") else (kind, data[1:].decode())

    def made(self):
        kind, pid = self.said()
        check(kind == "P", "made: %s %s" % (kind, pid))
        return pid

    def attach(self, flags=OUTPUT):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(self.dir + "/attach")
        return Client(sock, flags)

    def go(self):
        open(self.dir + "/go", "w").close()

    def end(self):
        """Return: the exit file's code, None where there is none."""
        self.p.wait(PATIENCE)
        self.status.close()
        try:
            with open(self.exit) as f:
                code, ns = f.read().split()
            check(abs(int(ns) / 1e9 - time.time()) < 600, "the time of the exit")
            return int(code)
        except FileNotFoundError:
            return None
        finally:
            shutil.rmtree(self.dir)


class Failed(AssertionError):
    pass


def check(ok, what):
    if not ok:
        raise Failed(what)


def equal(got, want, what):
    check(got == want, "%s: got %.300r, want %.300r" % (what, got, want))


WAIT = "while [ ! -e go ]; do sleep 0.02; done; "


def test_many_clients():
    """All that attach before the first byte get every byte."""
    s = Shim(WAIT + "echo out; echo err >&2; exit 7")
    s.made()
    clients = [s.attach() for _ in range(20)]
    s.go()
    for c in clients:
        c.read()
        equal((c.out, c.err), (b"out\n", b"err\n"), "a client's streams")
    equal(s.end(), 7, "the code")


def test_failure():
    s = Shim("FAIL crun: nothing to run\n")
    equal(s.said(), ("F", "crun: nothing to run"), "the runtime's words")
    equal(s.p.wait(PATIENCE), 1, "the shim's own code")
    equal(s.end(), None, "no process, no exit file")


def test_signal_code():
    s = Shim("kill -9 $$")
    s.made()
    equal(s.end(), 137, "128 and the signal")


def test_log():
    log = tempfile.mktemp()
    s = Shim("echo one; printf two >&2; " + WAIT, "log=json:" + log, 'log-attrs={"a":"b"}')
    s.made()
    c = s.attach(PARTIALS)
    s.go()
    c.read()
    equal(s.end(), 0, "the code")
    with open(log) as f:
        got = sorted((r["stream"], r["log"], r["attrs"]["a"]) for r in map(json.loads, f))
    equal(got, [("stderr", "two", "b"), ("stdout", "one\n", "b")], "the log")
    os.unlink(log)


def test_partial_lines():
    """An unfinished line is logged at its end, or at once for one who follows the log."""
    log = tempfile.mktemp()
    s = Shim("printf prompt; " + WAIT, "log=json:" + log)
    s.made()
    c = s.attach(PARTIALS | OUTPUT)
    s.go()
    c.read()
    s.end()
    with open(log) as f:
        equal([json.loads(x)["log"] for x in f], ["prompt"], "the piece")
    os.unlink(log)


def test_slow_client():
    """Who does not read holds the process up; when he leaves it goes on, others have it all."""
    s = Shim(WAIT + "head -c 3000000 /dev/zero; echo done >end")
    s.made()
    slow, good = s.attach(), s.attach()
    s.go()
    got = 0
    good.sock.settimeout(1)
    try:
        while True:
            got += len(good.sock.recv(65536)) - 1
    except socket.timeout:
        pass
    check(0 < got < 2 * MB and not os.path.exists(s.dir + "/end"), "held up after %d bytes" % got)
    with open("/proc/%d/status" % s.p.pid) as f:
        rss = [int(x.split()[1]) for x in f if x.startswith("VmRSS")][0]
    check(rss < 2048, "the shim's memory meanwhile: %d KiB" % rss)
    slow.close()
    good.sock.settimeout(PATIENCE)
    equal(got + len(good.read().out), 3000000, "the other one's bytes")
    equal(s.end(), 0, "the code")


def test_slow_client_at_the_end():
    """The exit is told although a client has not read all; it still gets every byte."""
    s = Shim(WAIT + "head -c 400000 /dev/zero")
    s.made()
    c = s.attach()
    s.go()
    end = time.monotonic() + PATIENCE
    first = c.sock.recv(65536)
    while not os.path.exists(s.exit) and time.monotonic() < end:
        if time.monotonic() > end - PATIENCE + 1:  # it fits not into pipe, queue and socket: read a little
            first += c.sock.recv(65536)[1:]
        time.sleep(0.02)
    check(os.path.exists(s.exit), "the exit file")
    equal(len(first) - 1 + len(c.read().out), 400000, "bytes")
    equal(s.end(), 0, "the code")


def test_input():
    s = Shim("cat", "stdin", "once")
    s.made()
    c = s.attach(OUTPUT | INPUT)
    s.attach(OUTPUT).close()  # he gave no input: his end is not the input's
    data = os.urandom(1000) * 5000
    pid = os.fork()
    if pid == 0:
        c.write(data)
        c.sock.send(b"e")
        os._exit(0)
    c.read()
    os.waitpid(pid, 0)
    check(c.out == data, "5 MB came back (%d bytes)" % len(c.out))
    equal(s.end(), 0, "the end of input ended it")


def test_input_once():
    s = Shim("cat", "stdin", "once")
    s.made()
    c = s.attach(OUTPUT | INPUT)
    c.write(b"last words")
    c.close()
    equal(s.end(), 0, "a client that leaves takes the input along")
    s = Shim("read a; echo got $a", "stdin")
    s.made()
    c = s.attach(INPUT)
    c.write(b"")
    c.close()
    c = s.attach(OUTPUT | INPUT)
    c.write(b"more\n")
    equal(c.read().out, b"got more\n", "but not where it is not so asked for")
    equal(s.end(), 0, "the code")


def test_unread_input():
    s = Shim("exec <&-; " + WAIT + "echo said; exit 4", "stdin", "once")
    s.made()
    c = s.attach(OUTPUT | INPUT)
    c.write(b"x" * 300000)
    s.go()
    equal(c.read().out, b"said\n", "output in spite of input that nobody reads")
    equal(s.end(), 4, "the code")


def test_terminal():
    s = Shim(WAIT + "echo up; read a; stty size; exit 6", "tty", "stdin")
    s.made()
    c = s.attach(OUTPUT | INPUT)
    s.go()
    c.read(b"up\r\n")
    for i in range(1000):
        for rows, cols in ((0, 0), (65535, 65535), (i, 2 * i), (41, 133)):
            r = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            r.connect(s.dir + "/attach")
            r.send(b"w" + struct.pack("HH", rows, cols))
            r.close()
    c.write(b"\n")
    equal(c.read().out, b"up\r\n\r\n41 133\r\n", "the terminal")
    equal(s.end(), 6, "the code")


def test_early_size():
    """A size that is told before the terminal is there counts."""
    s = Shim("read a; stty size", "tty", "stdin", early=b"w" + struct.pack("HH", 24, 80))
    s.made()
    c = s.attach(OUTPUT | INPUT)
    c.write(b"\n")
    equal(c.read().out, b"\r\n24 80\r\n", "the terminal")
    equal(s.end(), 0, "the code")


def test_garbage():
    s = Shim(WAIT + "echo fine", "stdin")
    s.made()
    for junk in (b"", b"h", b"hxx", b"w", b"w123", b"P\1\0\0\0", b"X\0\0\0\0", b"\0", b"i" * 40000, b"ee", b"?" * 100):
        r = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        r.connect(s.dir + "/attach")
        r.send(junk)
        r.close()
    c = s.attach()
    s.go()
    equal(c.read().out, b"fine\n", "nothing is harmed")
    equal(s.end(), 0, "the code")


def test_engine_dies():
    s = Shim(WAIT + "echo x; exit 3")
    s.made()
    s.status.close()
    c = s.attach()
    c.close()
    s.go()
    equal(s.end(), 3, "it goes on, and writes the code")


def test_exec():
    ours, theirs = packets()
    s = Shim("echo out; echo err >&2; exit 9", is_exec=True, client=theirs)
    theirs.close()
    s.made()
    c = Client(ours).read()
    equal((c.out, c.err), (b"out\n", b"err\n"), "its streams")
    equal(s.said(), ("X", 9), "its code")
    equal(s.end(), None, "and no exit file")


def test_exec_background():
    """What an exec leaves behind with its streams open is not waited for long."""
    ours, theirs = packets()
    s = Shim("echo $$; sleep 100 & echo bye", is_exec=True, client=theirs)
    theirs.close()
    s.made()
    began = time.monotonic()
    c = Client(ours).read()
    check(c.out.endswith(b"bye\n") and time.monotonic() - began < 10, "it ends after %.1f s" % (time.monotonic() - began))
    equal(s.said(), ("X", 0), "its code")
    os.killpg(int(c.out.split()[0]), signal.SIGKILL)
    s.end()


def test_disk_full():
    """A log that cannot be written harms nobody; whole lines stay."""
    log = tempfile.mktemp()
    s = Shim("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 5", "log=json:" + log, fsize=20000)
    s.made()
    c = s.attach()
    c.read()
    equal(s.end(), 5, "the code")
    with open(log) as f:
        text = f.read()
    check(0 < len(text) <= 20000 and text.endswith("}\n"), "%d bytes" % len(text))
    for i, line in enumerate(text.splitlines()):
        check(i > 100 or json.loads(line)["log"] == "line %d\n" % i, "line %d: %s" % (i, line))
    os.unlink(log)


def test_rotation():
    base = tempfile.mkdtemp()
    s = Shim("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done", "log=local:" + base + "/l", "log-size=10000", "log-files=3")
    s.made()
    equal(s.end(), 0, "the code")
    equal(sorted(os.listdir(base)), ["l", "l.1", "l.2"], "files")
    text = ""
    for name in ("l.2", "l.1", "l"):
        check(0 < os.path.getsize(base + "/" + name) <= 10000, "the size of " + name)
        with open(base + "/" + name) as f:
            text += f.read()
    nums = [int(x.split()[-1]) for x in text.splitlines()]
    equal(nums, list(range(nums[0], 2000)), "lines in order")
    shutil.rmtree(base)


def test_non_blocking():
    """A log that takes nothing does not hold up the process."""
    base = tempfile.mkdtemp()
    os.mkfifo(base + "/l")
    fd = os.open(base + "/l", os.O_RDWR)  # a reader who does not read
    s = Shim("head -c 2000000 /dev/zero | tr '\\0' '\\n'; exit 2", "log=json:" + base + "/l", "log-buffer=100000")
    s.made()
    c = s.attach()
    c.read()
    equal(s.end(), 2, "the code")
    os.close(fd)
    shutil.rmtree(base)


def test_killed():
    """A killed shim leaves the process alone, and no exit file."""
    s = Shim("sleep 100")
    pid = s.made()
    s.p.kill()
    s.p.wait()
    os.kill(pid, 0)
    os.kill(pid, signal.SIGKILL)
    equal(s.end(), None, "no exit file")


def test_memory():
    s = Shim(WAIT + "true", "log=json:" + tempfile.gettempdir() + "/atoll-shim-log")
    s.made()
    with open("/proc/%d/smaps_rollup" % s.p.pid) as f:
        kb = {x.split(":")[0]: int(x.split()[1]) for x in f if x.endswith("kB\n")}
    print("# Pss %(Pss)d KiB, Anonymous %(Anonymous)d KiB" % kb)
    s.go()
    s.end()
    check(kb["Anonymous"] <= 120, "its own memory: %d KiB" % kb["Anonymous"])
    os.unlink(tempfile.gettempdir() + "/atoll-shim-log")


def run_all():
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    failed = 0
    print("1..%d" % len(tests))
    for i, (name, fn) in enumerate(tests, 1):
        try:
            fn()
            print("ok %d - %s" % (i, name[5:]), flush=True)
        except Exception as e:
            failed += 1
            print("not ok %d - %s\n# %s: %s" % (i, name[5:], type(e).__name__, e), flush=True)
    return 1 if failed else 0


sys.exit(run_all())
