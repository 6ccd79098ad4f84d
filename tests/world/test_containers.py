#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A container's life: commands, exit codes, streams, terminals, signals, restarts, files, limits."""
import os
import pty
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def status(w, name):
    return w.inspect(name)["State"]["Status"]


def run_rm(w, *args, **kw):
    return w.docker("run", "--rm", *args, **kw)


def test_run_and_exit_codes(w):
    equal(run_rm(w, IMAGE, "echo", "hello", "there"), "hello there")
    for code in (0, 1, 42, 125, 255):
        equal(w.docker_try("run", "--rm", IMAGE, "sh", "-c", "exit %d" % code).returncode, code)
    equal(w.docker_try("run", "--rm", IMAGE, "sh", "-c", "trap 'exit 5' TERM; kill -TERM $$; sleep 1").returncode, 5)
    w.docker_fails("run", "--rm", IMAGE, "no-such-program", code=127, says="executable file not found in $PATH")
    for program in ("/etc/passwd", "/etc"):
        w.docker_fails("run", "--rm", IMAGE, program, code=126, says="permission denied")
    w.docker_fails("run", "--rm", "no-such-image:9", "true", code=125)
    equal(w.get("/containers/json?all=1"), [])


def test_stdout_stderr_stdin(w):
    r = w.docker_try("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2")
    equal((r.stdout, r.stderr), ("out\n", "err\n"))
    equal(run_rm(w, "-i", IMAGE, "cat", input="first\nsecond"), "first\nsecond")
    big = "x" * 70 + "\n"
    equal(run_rm(w, "-i", IMAGE, "wc", "-c", input=big * 20000).strip(), str(len(big) * 20000))
    r = w.docker_try("run", "--rm", IMAGE, "sh", "-c", "dd if=/dev/zero bs=1024 count=20000 2>/dev/null | tr '\\0' x")
    equal(len(r.stdout), 20000 * 1024, "20 MB of output")
    equal(run_rm(w, IMAGE, "sh", "-c", "cat; echo ended"), "ended")


def test_terminal(w):
    """run -it and exec -it under a real terminal, made by script(1)."""
    def script(command, typed=""):
        return subprocess.run(["script", "-qefc", command, "/dev/null"], input=typed, capture_output=True, text=True,
                              env=dict(w.env, TERM="xterm"), timeout=30)
    r = script("docker run --rm -it %s sh -c 'tty; stty size; exit 7'" % IMAGE)
    equal(r.returncode, 7, r.stdout)
    contains(r.stdout, "/dev/pts/")
    w.docker("run", "-d", "--name", "box", IMAGE, "sleep", "600")
    r = script("docker exec -it box sh -c 'tty; exit 5'")
    equal(r.returncode, 5, r.stdout)
    contains(r.stdout, "/dev/pts/")
    r = script("docker exec -it box sh", "echo a$((40+2))b\nexit\n")
    contains(r.stdout, "a42b")


def test_terminal_size(w):
    """The size of the client's terminal arrives, at the start and when it changes."""
    main, sub = pty.openpty()
    import fcntl
    import termios

    def size(rows, cols):
        fcntl.ioctl(sub, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
    size(33, 101)
    child = subprocess.Popen([w.cli, "run", "--rm", "-it", IMAGE, "sh", "-c", "sleep 0.7; stty size; read x; stty size"],
                             stdin=sub, stdout=sub, stderr=sub, env=dict(w.env, TERM="xterm"), start_new_session=True,
                             preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    text = b""

    def read_until(part):
        nonlocal text
        end = time.monotonic() + 15
        while part not in text:
            if not select.select([main], [], [], max(0, end - time.monotonic()))[0]:
                raise Failed("no %r in %r" % (part, text))
            text += os.read(main, 4096)
    try:
        read_until(b"33 101")
        size(44, 99)
        child.send_signal(signal.SIGWINCH)
        time.sleep(0.5)  # the client tells it to the engine in its own time
        os.write(main, b"\n")
        read_until(b"44 99")
        equal(child.wait(10), 0)
    finally:
        child.kill()
        child.wait()
        os.close(main)
        os.close(sub)


def test_logs(w):
    w.docker("run", "--name", "talk", IMAGE, "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2")
    equal(w.docker("logs", "talk").splitlines(), ["line %d" % i for i in range(1, 6)])
    equal(w.docker_try("logs", "talk").stderr, "oops\n")
    equal(w.docker("logs", "--tail", "2", "talk").splitlines()[-1], "line 5")
    first = w.docker("logs", "-t", "talk").splitlines()[0]
    matches(first, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line 1$")
    equal(w.docker("logs", "--since", "2100-01-01T00:00:00Z", "talk"), "")
    equal(len(w.docker("logs", "--since", "10m", "talk").splitlines()), 5)
    equal(w.docker("logs", "--until", "2001-01-01T00:00:00Z", "talk"), "")


def test_logs_follow(w):
    w.docker("run", "-d", "--name", "talk", IMAGE, "sh", "-c", "mkfifo /tmp/go; echo first; read x </tmp/go; echo second")
    follow = subprocess.Popen([w.cli, "logs", "-f", "talk"], stdout=subprocess.PIPE, text=True, env=w.env)
    try:
        equal(follow.stdout.readline(), "first\n")
        w.exec("talk", "sh", "-c", "echo >/tmp/go")
        equal(follow.stdout.readline(), "second\n")
        equal(follow.wait(10), 0, "logs -f ends with the container")
    finally:
        follow.kill()
        follow.wait()


def test_long_lines_and_binary(w):
    """JSON holds no bytes that are not UTF-8, in Docker neither; our local log has them all."""
    for driver, last in (("json-file", b"\xef\xbf\xbd"), ("local", b"\xff")):
        r = w.docker_try("run", "--name", driver, "--log-driver", driver, IMAGE, "sh", "-c",
                         "head -c 100000 /dev/zero | tr '\\0' y; echo; printf '\\377\\0\\1'", text=False)
        equal(r.stdout, b"y" * 100000 + b"\n\xff\0\1", "the stream")
        r = w.docker_try("logs", driver, text=False)
        equal(r.stdout, b"y" * 100000 + b"\n" + last + b"\0\1", "the log of " + driver)


def test_attach(w):
    w.docker("run", "-di", "--name", "cat", IMAGE, "cat")
    attach = subprocess.Popen([w.cli, "attach", "--sig-proxy=false", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, env=w.env)
    try:
        attach.stdin.write("ping\n")
        attach.stdin.flush()
        equal(attach.stdout.readline(), "ping\n")
    finally:
        attach.kill()
        attach.wait()
    equal(status(w, "cat"), "running", "a client that leaves does not end it")
    equal(w.docker("logs", "cat"), "ping")
    w.docker_fails("attach", "nobody", says="No such container: nobody")
    w.docker("stop", "-t", "0", "cat")
    equal(status(w, "cat"), "exited")


def test_exec(w):
    w.docker("run", "-d", "--name", "box", "-e", "HERE=container", "-w", "/tmp", "-u", "1000:1000", IMAGE, "sleep", "600")
    equal(w.docker("exec", "box", "sh", "-c", "echo $HERE $PWD $(id -u):$(id -g)"), "container /tmp 1000:1000")
    equal(w.docker("exec", "-u", "0", "-w", "/etc", "-e", "HERE=exec", "box", "sh", "-c", "echo $HERE $PWD $(id -u)"), "exec /etc 0")
    equal(w.docker("exec", "-i", "box", "cat", input="typed"), "typed")
    for code in (0, 3, 255):
        equal(w.docker_try("exec", "box", "sh", "-c", "exit %d" % code).returncode, code)
    r = w.docker_try("exec", "box", "no-such-program")
    check(r.returncode in (126, 127), "%d", r.returncode)
    contains(r.stderr + r.stdout, "executable file not found")
    w.docker("exec", "-d", "box", "sh", "-c", "echo done >/tmp/flag")
    until(lambda: w.exec("box", "cat", "/tmp/flag").stdout == "done\n", "a detached exec")
    w.docker("stop", "-t", "0", "box")
    w.docker_fails("exec", "box", "true", says="is not running")


def test_stop_signals_and_grace(w):
    w.docker("run", "-d", "--name", "polite", IMAGE, "sh", "-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done")
    until(lambda: w.docker("logs", "polite") == "up", "it runs")
    w.docker("stop", "polite")
    equal((w.docker("logs", "polite"), w.inspect("polite")["State"]["ExitCode"]), ("up\nbye", 3))
    w.docker("run", "-d", "--name", "stubborn", IMAGE, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    until(lambda: w.docker("logs", "stubborn") == "up", "it runs")
    began = time.monotonic()
    w.docker("stop", "-t", "1", "stubborn")
    took = time.monotonic() - began
    check(0.9 < took < 6, "the grace of 1 s took %.1f s", took)
    equal(w.inspect("stubborn")["State"]["ExitCode"], 137)
    w.docker("run", "-d", "--name", "special", "--stop-signal", "USR1", IMAGE, "sh", "-c",
             "trap 'exit 9' USR1; echo up; while :; do sleep 0.1; done")
    until(lambda: w.docker("logs", "special") == "up", "it runs")
    w.docker("stop", "special")
    equal(w.inspect("special")["State"]["ExitCode"], 9)
    w.docker("start", "special")
    w.docker("kill", "-s", "KILL", "special")
    until(lambda: status(w, "special") == "exited", "it is gone")
    equal(w.inspect("special")["State"]["ExitCode"], 137)
    w.docker_fails("kill", "special", says="is not running")


def test_long_stop_delays_nobody(w):
    w.docker("run", "-d", "--name", "slow", IMAGE, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    until(lambda: w.docker("logs", "slow") == "up", "it runs")
    stop = subprocess.Popen([w.cli, "stop", "-t", "4", "slow"], env=w.env, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    run_rm(w, IMAGE, "true")
    took = time.monotonic() - began
    check(took < 3 * (2 if w.sanitized() else 1) and stop.poll() is None, "another container waited %.1f s", took)
    w.docker("kill", "slow")
    stop.wait(10)


def test_restart_policies(w):
    w.docker("run", "-d", "--name", "never", IMAGE, "false")
    w.docker("run", "-d", "--name", "thrice", "--restart", "on-failure:3", IMAGE, "false")
    w.docker("run", "-d", "--name", "fine", "--restart", "on-failure", IMAGE, "true")
    w.docker("run", "-d", "--name", "ever", "--restart", "always", IMAGE, "sh", "-c", "sleep 0.2")
    until(lambda: w.inspect("thrice")["RestartCount"] == 3 and status(w, "thrice") == "exited", "three restarts", 20)
    until(lambda: w.inspect("ever")["RestartCount"] >= 2, "restarts for ever", 20)
    equal(w.inspect("never")["RestartCount"], 0)
    equal((w.inspect("fine")["RestartCount"], status(w, "fine")), (0, "exited"))
    w.docker("stop", "-t", "0", "ever")
    equal(status(w, "ever"), "exited", "a stop by the user is final")
    count = w.inspect("ever")["RestartCount"]
    time.sleep(1)
    equal((status(w, "ever"), w.inspect("ever")["RestartCount"]), ("exited", count))


def test_restart_keeps_its_place(w):
    w.docker("network", "create", "place")
    w.serve("web", "place", 80, "-p", "8080:80")
    address = w.address("web")
    w.docker("restart", "-t", "0", "web")
    w.listening("web", 80)
    equal(w.address("web"), address)
    contains(w.http_get("internet", "http://%s:8080/" % HOST_UP), "web")


def test_rm(w):
    w.docker("run", "-d", "--name", "live", IMAGE, "sleep", "600")
    matches(w.docker_fails("rm", "live"), "container is running|remove a running container")
    w.docker("rm", "-f", "live")
    w.docker_fails("rm", "live", says="No such container: live")
    cid = w.docker("create", IMAGE, "true")
    w.docker("rm", cid[:12])


def test_wait(w):
    w.docker("run", "-d", "--name", "some", IMAGE, "sh", "-c", "sleep 0.3; exit 4")
    equal(w.docker("wait", "some"), "4")
    equal(w.docker("wait", "some"), "4", "again, after its end")
    cid = w.docker("create", "--name", "next", IMAGE, "sh", "-c", "exit 6")
    got = []
    waiter = threading.Thread(target=lambda: got.append(w.api("POST", "/containers/%s/wait?condition=next-exit" % cid).json))
    waiter.start()
    time.sleep(0.2)
    w.docker("start", "next")
    waiter.join(10)
    equal(got[0]["StatusCode"], 6)


def test_binds_and_volumes(w):
    os.makedirs(w.base + "/share/sub")
    with open(w.base + "/share/file", "w") as f:
        f.write("from the host\n")
    share = w.base + "/share"
    equal(run_rm(w, "-v", share + ":/mnt", IMAGE, "cat", "/mnt/file"), "from the host")
    run_rm(w, "-v", share + ":/mnt", IMAGE, "sh", "-c", "echo back >/mnt/made")
    equal(open(share + "/made").read(), "back\n")
    contains(w.docker_fails("run", "--rm", "-v", share + ":/mnt:ro", IMAGE, "touch", "/mnt/no"), "Read-only")
    equal(run_rm(w, "--mount", "type=bind,src=%s/file,dst=/one,readonly" % share, IMAGE, "cat", "/one"), "from the host")
    w.docker_fails("run", "--rm", "--mount", "type=bind,src=/no/such/place,dst=/x", IMAGE, "true", code=125,
                   says="bind source path does not exist")
    w.docker("volume", "create", "--label", "x=y", "box")
    run_rm(w, "-v", "box:/data", IMAGE, "sh", "-c", "echo kept >/data/f")
    equal(run_rm(w, "-v", "box:/data", IMAGE, "cat", "/data/f"), "kept")
    equal(w.get("/volumes/box")["Labels"], {"x": "y"})
    w.docker("create", "--name", "holder", "-v", "box:/data", IMAGE, "true")
    w.docker_fails("volume", "rm", "box", says="volume is in use")
    w.docker("rm", "holder")
    w.docker("volume", "rm", "box")
    equal(w.api("GET", "/volumes/box").status, 404)


def test_anonymous_volumes(w):
    w.docker("run", "--rm", "-v", "/data", IMAGE, "true")
    equal(w.get("/volumes")["Volumes"] or [], [], "--rm removes it")
    w.docker("run", "--name", "keep", "-v", "/data", IMAGE, "sh", "-c", "echo 1 >/data/f")
    equal(len(w.get("/volumes")["Volumes"]), 1)
    w.docker("rm", "keep")
    equal(len(w.get("/volumes")["Volumes"]), 1, "rm without -v keeps it")
    w.docker("run", "--name", "drop", "-v", "/data", IMAGE, "true")
    w.docker("rm", "-v", "drop")
    equal(len(w.get("/volumes")["Volumes"]), 1)


def test_copy_up(w):
    """An empty volume gets what the image has there; a used one keeps its own."""
    equal(run_rm(w, "-v", "seeded:/etc", IMAGE, "sh", "-c", "grep -c root /etc/passwd"), "1")
    run_rm(w, "-v", "seeded:/etc", IMAGE, "rm", "/etc/group")
    equal(w.docker_try("run", "--rm", "-v", "seeded:/etc", IMAGE, "cat", "/etc/group").returncode, 1)


def test_tmpfs_and_readonly(w):
    out = run_rm(w, "--tmpfs", "/scratch:size=1m,mode=700", IMAGE, "sh", "-c", "grep ' /scratch ' /proc/mounts; stat -c %a /scratch")
    contains(out, "tmpfs")
    contains(out, "size=1024k")
    contains(out, "700")
    r = w.docker_try("run", "--rm", "--read-only", IMAGE, "touch", "/file")
    contains(r.stderr, "Read-only file system")
    equal(run_rm(w, "--read-only", "--tmpfs", "/tmp", IMAGE, "sh", "-c", "echo 1 >/tmp/x && cat /tmp/x"), "1")


def test_user_workdir_hostname_env(w):
    equal(run_rm(w, "-u", "1234:5678", IMAGE, "sh", "-c", "id -u; id -g").split(), ["1234", "5678"])
    equal(run_rm(w, "-u", "daemon", IMAGE, "id", "-un"), "daemon")
    w.docker_fails("run", "--rm", "-u", "nobody-here", IMAGE, "true", says="unable to find user nobody-here: no matching entries in passwd file")
    equal(run_rm(w, "-w", "/a/new/place", IMAGE, "pwd"), "/a/new/place")
    equal(run_rm(w, "-h", "named", "--domainname", "example.test", IMAGE, "sh", "-c", "hostname; cat /etc/hostname").split()[0], "named")
    equal(run_rm(w, "-e", "A=1", "-e", "B=two words", IMAGE, "sh", "-c", "echo $A-$B"), "1-two words")
    equal(run_rm(w, "--entrypoint", "/bin/echo", IMAGE, "as", "args"), "as args")
    contains(run_rm(w, "--add-host", "db.test:10.9.8.7", IMAGE, "cat", "/etc/hosts"), "10.9.8.7\tdb.test")


def cgroup_file(w, name, v1, v2):
    pid = w.inspect(name)["State"]["Pid"]
    with open("/proc/%d/cgroup" % pid) as f:
        for line in f.read().splitlines():
            _, controllers, path = line.split(":", 2)
            for c in controllers.split(","):
                if c == v1[0] and os.path.exists("/sys/fs/cgroup/%s%s/%s" % (c, path, v1[1])):
                    return open("/sys/fs/cgroup/%s%s/%s" % (c, path, v1[1])).read().strip()
            if not controllers and os.path.exists("/sys/fs/cgroup%s/%s" % (path, v2)):
                return open("/sys/fs/cgroup%s/%s" % (path, v2)).read().strip()
    raise Skip("no cgroup controller %s on this host" % v1[0])


def test_limits(w):
    w.docker("run", "-d", "--name", "small", "-m", "32m", "--pids-limit", "20", "--cpus", "0.5", IMAGE, "sleep", "600")
    equal(cgroup_file(w, "small", ("memory", "memory.limit_in_bytes"), "memory.max"), str(32 << 20))
    equal(cgroup_file(w, "small", ("pids", "pids.max"), "pids.max"), "20")
    cpu = cgroup_file(w, "small", ("cpu", "cpu.cfs_quota_us"), "cpu.max")
    equal(cpu.split()[0], "50000")
    r = w.exec("small", "sh", "-c", "for i in $(seq 40); do sleep 5 & done; jobs | wc -l")
    check("can't fork" in r.stderr or r.returncode != 0, "40 processes where 20 may be: %s %s", r.stdout, r.stderr)


def test_out_of_memory(w):
    r = w.docker_try("run", "--name", "hungry", "-m", "16m", "--memory-swap", "16m", IMAGE, "tail", "/dev/zero")
    equal(r.returncode, 137, r.stderr)
    equal(w.inspect("hungry")["State"]["OOMKilled"], True)


def test_default_confinement(w):
    caps = run_rm(w, IMAGE, "grep", "CapEff", "/proc/self/status").split()[1]
    equal(int(caps, 16), 0xa80425fb, "Docker's default capabilities")
    equal(int(run_rm(w, "--cap-drop", "ALL", IMAGE, "grep", "CapEff", "/proc/self/status").split()[1], 16), 0)
    equal(int(run_rm(w, "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", IMAGE, "grep", "CapEff", "/proc/self/status").split()[1], 16), 1 << 12)
    equal(run_rm(w, IMAGE, "grep", "Seccomp:", "/proc/self/status").split()[1], "2")
    for command in ("unshare -U true", "unshare -n true", "mount -t tmpfs none /mnt", "mount -t proc proc /tmp"):
        check(w.docker_try("run", "--rm", IMAGE, *command.split()).returncode != 0, "%s works in a container", command)
    equal(run_rm(w, IMAGE, "sh", "-c", "cat /proc/kcore 2>/dev/null | head -c 1 | wc -c"), "0")
    check(w.docker_try("run", "--rm", IMAGE, "sh", "-c", "echo 1 >/proc/sys/kernel/panic").returncode != 0, "/proc/sys can be written")
    equal(run_rm(w, "--security-opt", "no-new-privileges", IMAGE, "grep", "NoNewPrivs", "/proc/self/status").split()[1], "1")
    contains(run_rm(w, IMAGE, "ls", "-l", "/proc/self/fd"), "0 ->")
    fds = [x.split(" -> ")[0].split()[-1] for x in run_rm(w, IMAGE, "ls", "-l", "/proc/self/fd").splitlines() if " -> " in x]
    check(all(int(x) <= 3 for x in fds), "file descriptors of ours in a container: %s", fds)


def test_names_and_ids(w):
    w.docker("create", "--name", "taken", IMAGE, "true")
    cid = w.inspect("taken")["Id"]
    text = w.docker_fails("create", "--name", "taken", IMAGE, "true")
    contains(text, 'Conflict. The container name "/taken" is already in use by container "%s"' % cid)
    equal(w.docker("inspect", "-f", "{{.Name}}", cid[:8]), "/taken")
    w.docker("rename", "taken", "freed")
    w.docker("create", "--name", "taken", IMAGE, "true")
    auto = w.docker("create", IMAGE, "true")
    matches(w.inspect(auto)["Name"], "^/[a-z]+_[a-z]+")


def test_ps(w):
    w.docker("run", "-d", "--name", "up", "--label", "k=v", IMAGE, "sleep", "600")
    w.docker_fails("run", "--name", "down", IMAGE, "sh", "-c", "exit 2", code=2)
    equal(w.docker("ps", "--format", "{{.Names}}"), "up")
    equal(sorted(w.docker("ps", "-a", "--format", "{{.Names}}").split()), ["down", "up"])
    matches(w.docker("ps", "-a", "--filter", "name=down", "--format", "{{.Status}}"), r"^Exited \(2\)")
    for flag, want in (("status=exited", "down"), ("label=k=v", "up"), ("label=k", "up"), ("exited=2", "down"), ("name=^/up$", "up"),
                       ("ancestor=" + IMAGE, "down up")):
        got = w.docker("ps", "-a", "--filter", flag, "--format", "{{.Names}}").split()
        equal(" ".join(sorted(got)), want, flag)


def test_events(w):
    events = subprocess.Popen([w.cli, "events", "--format", "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}"],
                              stdout=subprocess.PIPE, text=True, env=w.env)
    try:
        until(lambda: w.docker("network", "create", "n%d" % int(time.monotonic() * 1000)) and
              select.select([events.stdout], [], [], 0.2)[0], "the stream begins")
        w.docker("network", "create", "evt")
        w.docker("run", "--name", "evc", "--network", "evt", IMAGE, "true")
        w.docker("rm", "evc")
        w.docker("network", "rm", "evt")
        seen, end = [], time.monotonic() + 10
        while "network destroy evt" not in seen and time.monotonic() < end:
            if select.select([events.stdout], [], [], 1)[0]:
                seen.append(events.stdout.readline().strip())
                while "network destroy evt" not in seen and (line := events.stdout.readline().strip()):
                    seen.append(line)
    finally:
        events.kill()
        events.wait()
    for want in ("network create evt", "container create evc", "network connect evt", "container start evc", "container die evc",
                 "network disconnect evt", "container destroy evc", "network destroy evt"):
        check(want in seen, "no %r in %s", want, seen)
    order = [seen.index(x) for x in ("container create evc", "container start evc", "container die evc", "container destroy evc")]
    equal(order, sorted(order), "the order of events")


def test_init_reaps(w):
    w.docker("run", "-d", "--name", "one", "--init", IMAGE, "sleep", "600")
    comm = w.exec("one", "cat", "/proc/1/comm").stdout.strip()
    check(comm != "sleep", "pid 1 is %s", comm)


if __name__ == "__main__":
    main(globals())
