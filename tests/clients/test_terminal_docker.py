#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docker run -it and its like as a user has them: in a real terminal (tmux), typed at."""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import IMAGE, Skip, check, contains, equal, main, timeout, until  # noqa: E402


class Tmux:
    """One window of a terminal multiplexer of our own, a shell in it."""

    def __init__(self, w, columns=100, rows=30):
        if not shutil.which("tmux"):
            raise Skip("no tmux")
        self.socket, self.asked = w.base + "/tmux", 0
        env = dict(w.env, DOCKER_HOST="unix://" + w.socket, PS1="@ ", ENV="", LC_ALL="C.UTF-8")
        self.env = env
        self.run("new-session", "-d", "-x", str(columns), "-y", str(rows), "sh")
        self.prompt("#")
        self.line("PS1='@ '")
        self.prompt("@")

    def run(self, *args):
        r = subprocess.run(["tmux", "-f", "/dev/null", "-S", self.socket, *args], env=self.env, capture_output=True, text=True,
                           timeout=20)
        check(r.returncode == 0, "tmux %s: %s", args, r.stderr)
        return r.stdout

    def keys(self, *keys):
        self.run("send-keys", *keys)

    def line(self, text):
        self.run("send-keys", "-l", text)
        self.keys("Enter")

    def screen(self):
        return "\n".join(x for x in self.run("capture-pane", "-p", "-S", "-200").splitlines() if x)

    def until(self, text, seconds=30):
        until(lambda: text in self.screen(), "%r on the screen: %s" % (text, self.screen()[-400:]), seconds, every=0.1)

    def prompt(self, end="#", seconds=30):
        """Trailing blanks are not told."""
        until(lambda: self.screen().rstrip().endswith(end), "%r at the end of: %s" % (end, self.screen()[-400:]), seconds, every=0.1)

    def size(self, columns, rows):
        self.run("resize-window", "-x", str(columns), "-y", str(rows))

    def code(self):
        """The exit code of the last command."""
        self.asked += 1
        self.line("echo code %d is $?." % self.asked)
        found = []

        def there():
            found[:] = re.findall(r"^code %d is (\d+)\.$" % self.asked, self.screen(), re.M)
            return found
        until(there, "the exit code", 30)
        return int(found[0])

    def close(self):
        self.run("kill-server")


def setup(w):
    w.load({IMAGE: ([], {"Cmd": ["sleep", "600"]})})


def terminal(fn):
    def test(w):
        t = Tmux(w)
        try:
            fn(w, t)
        finally:
            t.close()
    test.__name__ = fn.__name__
    return timeout(120)(test)


def running(w, name):
    return w.docker("inspect", "-f", "{{.State.Running}}", name) == "true"


@terminal
def test_run(w, t):
    """A shell with the terminal's size, which follows; Ctrl-C; the exit code; the terminal is whole again."""
    t.line("docker run -it --rm --name shell %s sh" % IMAGE)
    t.prompt()
    t.line("stty size")
    t.until("30 100")
    t.size(71, 23)
    until(lambda: w.docker("exec", "shell", "sh", "-c", "stty size </dev/pts/0") == "23 71", "the new size", 20)
    t.line("sleep 100")
    time.sleep(0.5)
    t.keys("C-c")
    t.line("echo still he''re")
    t.until("still here")
    t.line("exit 42")
    t.prompt("@")
    equal(t.code(), 42, "the exit code")


@terminal
def test_detach(w, t):
    """ctrl-p ctrl-q leaves it running; attach comes back; other keys, too."""
    t.line("docker run -it --name left %s sh" % IMAGE)
    t.prompt()
    t.keys("C-p", "C-q")
    t.prompt("@")
    t.line("echo ba''ck")
    t.until("back")
    check(running(w, "left"), "it runs on")
    t.line("docker attach left")
    t.keys("Enter")
    t.prompt()
    t.line("echo again $((40+2))")
    t.until("again 42")
    t.keys("C-p", "C-q")
    t.line("docker attach --detach-keys=ctrl-a,d left")
    time.sleep(1)
    t.keys("C-p", "Enter")
    t.line("echo other ke''ys")
    t.until("other keys")
    t.keys("C-a")
    t.keys("d")
    t.prompt("@")
    t.line("echo ou''t")
    t.until("out")
    check(running(w, "left"), "it runs on")
    t.line("docker attach left")
    t.keys("Enter")
    t.prompt()
    t.line("exit 5")
    equal(t.code(), 5, "the code comes to whoever is attached")
    t.line("docker start -ai left")
    t.prompt()
    t.line("exit 6")
    equal(t.code(), 6, "start -ai")


@terminal
def test_exec(w, t):
    w.docker("run", "-d", "--name", "base", IMAGE)
    t.line("docker exec -it base sh")
    t.prompt()
    t.line("stty size; tty")
    t.until("30 100")
    t.size(64, 19)
    t.line("while [ \"$(stty size)\" != '19 64' ]; do sleep 0.1; done; echo si''zed")
    t.until("sized")
    t.prompt()
    t.keys("C-c")
    t.until("^C")  # what is typed before it is thrown away
    t.prompt()
    t.line("exit 7")
    equal(t.code(), 7, "the exit code")
    t.line("docker exec -it --detach-keys=ctrl-x base sh")
    t.prompt()
    t.keys("C-x")
    t.line("echo aw''ay")
    t.until("away")


@terminal
def test_signals(w, t):
    """attach without a terminal in the container: Ctrl-C is the process's with --sig-proxy, else the client's."""
    script = "trap 'echo got it' INT; while :; do sleep 0.1; done"
    w.docker("run", "-d", "--name", "trap", IMAGE, "sh", "-c", script)
    with w.event('"Action":"attach"'):
        t.line("docker attach trap")
    t.keys("C-c")
    t.until("got it")
    w.docker("kill", "trap")
    w.docker("wait", "trap")
    t.prompt("@")
    w.docker("start", "trap")
    with w.event('"Action":"attach"'):
        t.line("docker attach --sig-proxy=false trap")

    def gone():
        t.keys("C-c")
        return t.screen().rstrip().endswith("@")
    until(gone, "one Ctrl-C, or the three that docker 28 wants", 30, every=0.3)
    t.line("echo cli''ent")
    t.until("client")
    check(running(w, "trap"), "it did not hear of it")


@timeout(120)
def test_half_close(w):
    """A pipe's end is the process's end of input; its output after that still comes."""
    equal(w.docker("run", "-i", "--rm", IMAGE, "sh", "-c", "sort; echo end", input="b\na\n"), "a\nb\nend", "run -i")
    w.docker("run", "-d", "--name", "base", IMAGE)
    equal(w.docker("exec", "-i", "base", "sh", "-c", "wc -c; sleep 1; echo end", input="12345"), "5\nend", "exec -i")


@timeout(300)
def test_big_input(w):
    """100 MB through cat, every byte in order."""
    r = subprocess.run("head -c 100000000 /dev/zero | tr '\\0' 'x' | docker run -i --rm %s cat | md5sum; "
                       "head -c 100000000 /dev/zero | tr '\\0' 'x' | md5sum" % IMAGE, shell=True, capture_output=True, text=True,
                       env=dict(w.env, DOCKER_HOST="unix://" + w.socket), timeout=280)
    sums = r.stdout.split()
    equal(sums[0], sums[2], "its checksum (%s)" % r.stderr[-200:])


@timeout(120)
def test_many_attached(w):
    """Ten who attach before the start see the first line, and the end."""
    w.docker("create", "--name", "stage", IMAGE, "sh", "-c", "echo first; sleep 0.5; echo last")
    viewers = [subprocess.Popen(["curl", "-sN", "--unix-socket", w.socket, "-X", "POST",
                                 "http://x/containers/stage/attach?stream=1&stdout=1"], stdout=subprocess.PIPE) for _ in range(10)]
    until(lambda: w.log_size() and all(v.poll() is None for v in viewers), "viewers")
    time.sleep(1)
    w.docker("start", "stage")
    for v in viewers:
        text = v.communicate(timeout=60)[0]
        contains(text, b"first\n")
        contains(text, b"last\n")


@timeout(120)
def test_wild_sizes(w):
    w.docker("run", "-dit", "--name", "wild", IMAGE, "sh")
    for i in range(1000):
        h, width = ((0, 0), (65535, 65535), (i, 1))[i % 3]
        r = w.api("POST", "/containers/wild/resize?h=%d&w=%d" % (h, width))
        equal(r.status, 200, "resize to %d x %d" % (h, width))
    check(w.api("POST", "/containers/wild/resize?h=70000&w=1").status >= 400, "beyond what a terminal may be")
    equal(w.api("POST", "/containers/wild/resize?h=40&w=90").status, 200, "resize")
    until(lambda: w.docker("exec", "wild", "sh", "-c", "stty size </dev/pts/0") == "40 90", "the last one counts")


main(globals(), setup)
