#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docker run -it and its like as a user has them: in a real terminal (tmux), typed at; with the docker
CLI that the machine has, and with Debian's."""
import contextlib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import clients  # noqa: E402
from testbed import IMAGE, Failed, Skip, check, contains, equal, main, timeout, until  # noqa: E402

missing = {}
OTHERS = {"docker 26.1": "docker-26", "docker 20.10": "docker-20"}  # names in clients.DOCKER and of tests/clients/get


class Tmux:
    """One window of a terminal multiplexer of our own, a shell in it, that has @docker as docker."""

    def __init__(self, w, docker, columns=100, rows=30):
        if not shutil.which("tmux"):
            raise Skip("no tmux")
        self.socket, self.asked = w.base + "/tmux", 0
        folder = "%s/bin-%s" % (w.base, re.sub(r"\W", "-", docker))
        os.makedirs(folder, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.symlink(clients.DOCKER.get(docker) or w.cli, folder + "/docker")
        self.env = dict(w.env, PATH=folder + ":" + w.env["PATH"], PS1="@ ", ENV="", LC_ALL="C.UTF-8")
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

    def waits(self, fn, what, seconds, every=0.1):
        """Until fn(the screen)."""
        try:
            return until(lambda: fn(self.screen()), what, seconds, every)
        except Failed as e:
            raise Failed("%s; on the screen: %s" % (e, self.screen()[-800:])) from None

    def until(self, text, seconds=40):
        self.waits(lambda screen: text in screen, repr(text), seconds)

    def prompt(self, end="#", seconds=40):
        """Trailing blanks are not told."""
        self.waits(lambda screen: screen.rstrip().endswith(end), "%r at the end" % end, seconds)

    def attached(self, command):
        """Gives a command that attaches to a shell, which is at its prompt then."""
        self.line(command)
        self.keys("Enter")
        self.prompt()

    def sized(self, columns, rows):
        """The shell in the container comes to see this size, however early it asks."""
        size = "%d %d" % (rows, columns)
        self.line("while [ \"$(stty size)\" != '%s' ]; do sleep 0.1; done; echo si''zed %s" % (size, size))
        self.until("sized " + size)
        self.prompt()

    def size(self, columns, rows):
        self.run("resize-window", "-x", str(columns), "-y", str(rows))

    def code(self):
        """The exit code of the last command, which has ended."""
        self.asked += 1
        self.prompt("@")
        self.line("echo code %d is $?." % self.asked)
        said = re.compile(r"^code %d is (\d+)\.$" % self.asked, re.M)
        return int(self.waits(said.search, "the exit code", 40)[1])

    def close(self):
        self.run("kill-server")


def setup(w):
    w.load({IMAGE: ([], {"Cmd": ["sleep", "600"]})})


def terminal(fn):
    """A test on a terminal, for each CLI one."""
    def with_cli(name):
        def test(w):
            if name in OTHERS and missing[name]:
                raise Skip(missing[name])
            t = Tmux(w, name)
            try:
                fn(w, t)
            finally:
                t.close()
        return timeout(200)(test)

    for name in OTHERS:
        other = with_cli(name)
        other.__name__ = "%s_with_%s" % (fn.__name__, re.sub(r"\W", "_", name))
        globals()[other.__name__] = other
    test = with_cli("docker")
    test.__name__ = fn.__name__
    return test


def running(w, name):
    return w.docker("inspect", "-f", "{{.State.Running}}", name) == "true"


@terminal
def test_run(w, t):
    """A shell with the terminal's size, which follows; Ctrl-C; the exit code; the terminal is whole again."""
    t.line("docker run -it --rm --name shell %s sh" % IMAGE)
    t.prompt()
    t.sized(100, 30)
    t.size(71, 23)
    t.sized(71, 23)
    t.line("sleep 100")
    until(lambda: "sleep 100" in w.docker("top", "shell"), "it sleeps", 40, every=0.1)
    t.keys("C-c")
    t.prompt()
    t.line("echo still he''re")
    t.until("still here")
    t.line("exit 42")
    equal(t.code(), 42, "the exit code")
    t.line("stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo | tr '\\n' ' '; echo as be''fore")
    t.until("icanon echo as before")


@terminal
def test_detach(w, t):
    """ctrl-p ctrl-q leaves it running; attach comes back; other keys, too."""
    t.line("docker run -it --name left %s sh" % IMAGE)
    t.prompt()
    t.keys("C-p", "C-q")
    t.prompt("@")
    check(running(w, "left"), "it runs on")
    t.attached("docker attach left")
    t.line("echo again $((40+2))")
    t.until("again 42")
    t.keys("C-p", "C-q")
    t.prompt("@")
    t.attached("docker attach --detach-keys=ctrl-a,d left")
    t.keys("C-p", "Enter")  # the shell's own key: the line before
    t.waits(lambda screen: len(re.findall("^again 42$", screen, re.M)) == 2, "again, twice", 40)
    t.line("echo other ke''ys")
    t.until("other keys")
    t.keys("C-a")
    t.keys("d")
    t.prompt("@")
    check(running(w, "left"), "it runs on")
    t.attached("docker attach left")
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
    t.sized(100, 30)
    t.size(64, 19)
    t.sized(64, 19)
    t.keys("C-c")
    t.until("^C")  # what is typed before it is thrown away
    t.prompt()
    t.line("exit 7")
    equal(t.code(), 7, "the exit code")
    t.line("docker exec -it --detach-keys=ctrl-x base sh")
    t.prompt()
    t.keys("C-x")
    t.prompt("@")
    contains(w.docker("top", "base"), " sh")


@terminal
def test_signals(w, t):
    """attach without a terminal in the container: Ctrl-C is the process's with --sig-proxy, else the client's."""
    def said(text, times):
        until(lambda: w.docker("logs", "trap").count(text) == times, "%r, %d times" % (text, times), 40, every=0.1)

    w.docker("run", "-d", "--name", "trap", IMAGE, "sh", "-c", "trap 'echo got it' INT; echo ready; while :; do sleep 0.2; echo beat; done")
    said("ready", 1)  # the first process ignores what it has no handler for
    t.line("docker attach trap")
    t.until("beat")  # docker 28 takes a signal before the first byte for its own end
    t.keys("C-c")
    t.until("got it")
    w.docker("kill", "trap")
    t.prompt("@")
    w.docker("start", "trap")
    said("ready", 2)
    with w.event('"Action":"attach"', 40):
        t.line("docker attach --sig-proxy=false trap")

    def gone(screen):
        t.keys("C-c")
        return screen.rstrip().endswith("@")
    t.waits(gone, "one Ctrl-C, or the three that docker 28 wants", 40, every=0.3)
    t.line("echo cli''ent")
    t.until("client")
    check(running(w, "trap"), "it runs on")
    said("got it", 1)


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
                       env=w.env, timeout=280)
    sums = r.stdout.split()
    equal(sums[0], sums[2], "its checksum (%s)" % r.stderr[-200:])


def attach(w, name):
    """A client that is attached: the engine has answered."""
    s = w.connect_api(60)
    s.sendall(("POST /containers/%s/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
               "Upgrade: tcp\r\n\r\n" % name).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += s.recv(1)
        check(head, "no answer")
    contains(head, b" 101 ")
    return s


@timeout(120)
def test_many_attached(w):
    """Ten who attach before the start see the first line, and the end."""
    w.docker("create", "--name", "stage", IMAGE, "sh", "-c", "echo first; sleep 0.5; echo last")
    viewers = [attach(w, "stage") for _ in range(10)]
    w.docker("start", "stage")
    for v in viewers:
        with v, v.makefile("rb") as f:
            text = f.read()
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


if __name__ == "__main__":
    missing = {name: clients.get(kind) for name, kind in OTHERS.items()}
    main(globals(), setup)
