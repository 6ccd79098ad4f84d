# SPDX-License-Identifier: GPL-2.0-or-later
"""The operations of the table that docker's words ask for: the docker CLI in each version, and atoll. Each takes
a clients.Client and checks what came of it by packets, bytes or the kernel's state."""
import io
import json
import os
import re
import socket
import tarfile
import time

import clients
import ops_images
from compat import Ops
from testbed import *  # noqa: F403

OPS = Ops()
RUN = ("run", "--rm")


def sleeper(d, name, *options, image=IMAGE):
    return d("run", "-d", "--name", name, *options, image, "sleep", "600")


def says(d, want, *args, image=IMAGE, **kw):
    """`run --rm`, whose output must be @want; options stand before a "--", the command behind it."""
    at = args.index("--")
    equal(d(*RUN, *args[:at], image, *args[at + 1:], **kw), want)


# ---- networks ----

OPS.section = "Networks"


@OPS("network create")
def network_create(d):
    d("network", "create", "--subnet", "10.77.0.0/24", "--gateway", "10.77.0.9", "--ip-range", "10.77.0.128/25", "--label", "a=b",
      "-o", "com.docker.network.bridge.name=cmp0", "made")
    n = d.w.network("made")
    equal(n["IPAM"]["Config"], [{"Subnet": "10.77.0.0/24", "IPRange": "10.77.0.128/25", "Gateway": "10.77.0.9"}])
    equal(n["Labels"], {"a": "b"})
    check("10.77.0.9" in str(d.w.ip_json("host", "addr", "show", "dev", "cmp0")), "the bridge has not its address")
    contains(d.fails("network", "create", "made"), "network with name made already exists")
    sleeper(d, "in-made", "--network", "made")
    check(d.w.address("in-made").startswith("10.77.0.1"), "an address outside of the range: %s", d.w.address("in-made"))


@OPS("network create --internal")
def network_internal(d):
    d("network", "create", "--internal", "shut")
    d("network", "create", "free")
    for n in ("shut", "free"):
        sleeper(d, "in-" + n, "--network", n)
    d.w.assert_forbidden(lambda: d.w.tcp_reach("c:in-free", FAR, 80), lambda: d.w.tcp_reach("c:in-shut", FAR, 80), "out of an internal network")


@OPS("network create --ipv6")
def network_ipv6(d):
    d("network", "create", "--ipv6", "--subnet", "fd00:77::/64", "six")
    sleeper(d, "in-six", "--network", "six")
    until(lambda: d.w.ping("c:in-six", FAR6), "IPv6 to the internet")


@OPS("network create -d macvlan")
def network_macvlan(d):
    d("network", "create", "-d", "macvlan", "-o", "parent=lan0", "--subnet", "198.51.100.0/24", "--ip-range", "198.51.100.64/28", "mac")
    sleeper(d, "in-mac", "--network", "mac")
    check(d.w.ping("c:in-mac", LAN), "the LAN does not answer")


@OPS("network ls")
def network_ls(d):
    d("network", "create", "--label", "x=1", "listed")
    rows = [line.split()[1:] for line in d("network", "ls").splitlines()]
    for row in (["listed", "bridge", "local"], ["bridge", "bridge", "local"], ["host", "host", "local"], ["none", "null", "local"]):
        check(row in rows, "%s is not in %s", row, rows)
    equal(d("network", "ls", "-q", "--no-trunc", "--filter", "label=x=1"), d.w.network("listed")["Id"])
    equal(d("network", "ls", "--format", "{{.Name}} {{.Driver}}", "--filter", "name=list"), "listed bridge")
    equal(d("network", "ls", "-q", "--filter", "driver=macvlan"), "")


@OPS("network inspect")
def network_inspect(d):
    d("network", "create", "seen")
    cid = sleeper(d, "in-seen", "--network", "seen")
    n = json.loads(d("network", "inspect", "seen"))[0]
    equal((n["Name"], n["Containers"][cid]["Name"], n["Containers"][cid]["IPv4Address"].split("/")[0]), ("seen", "in-seen", d.w.address("in-seen")))
    equal(d("network", "inspect", "-f", "{{.Name}} {{.Internal}} {{len .Containers}}", "seen"), "seen false 1")


@OPS("network connect")
def network_connect(d):
    for n, subnet in (("left", "10.78.1.0/24"), ("right", "10.78.2.0/24")):
        d("network", "create", "--subnet", subnet, n)
    sleeper(d, "mover", "--network", "left")
    d.w.serve("stayer", "right")
    check(not d.w.http_get("c:mover", "http://%s/" % d.w.address("stayer")), "reached before the connect")
    d("network", "connect", "--ip", "10.78.2.77", "--alias", "guest", "right", "mover")
    equal(d.w.http_get("mover", "http://stayer/"), "stayer\n")
    equal(d.w.resolve("stayer", "guest"), ["10.78.2.77"])


@OPS("network disconnect")
def network_disconnect(d):
    d("network", "create", "leave")
    d.w.serve("here", "leave")
    sleeper(d, "there", "--network", "leave")
    address = d.w.address("here")
    equal(d.w.http_get("there", "http://here/"), "here\n")
    d("network", "disconnect", "leave", "there")
    check(not d.w.http_get("there", "http://%s/" % address), "reached after the disconnect")
    contains(d.fails("network", "disconnect", "leave", "there"), "is not connected to")


@OPS("network rm")
def network_rm(d):
    d("network", "create", "doomed")
    sleeper(d, "user", "--network", "doomed")
    contains(d.fails("network", "rm", "doomed"), "has active endpoints")
    bridge = d.w.bridge("doomed")
    d("rm", "-f", "user")
    equal(d("network", "rm", "doomed"), "doomed")
    check(bridge not in d.w.links(), "its bridge is there")
    matches(d.fails("network", "rm", "doomed"), "network doomed not found|No such network: doomed")


@OPS("network prune")
def network_prune(d):
    for n in ("used", "unused"):
        d("network", "create", n)
    sleeper(d, "holder", "--network", "used")
    text = d("network", "prune", "-f")
    contains(text, "unused")
    check("used" not in text.split(), "%s", text)
    equal(d("network", "ls", "-q", "--filter", "name=unused"), "")


# ---- run ----

OPS.section = "Run"


@OPS("run: output and exit code")
def run_plain(d):
    r = d.try_(*RUN, IMAGE, "sh", "-c", "echo out; echo err >&2; exit 9")
    equal((r.stdout, r.stderr, r.returncode), ("out\n", "err\n", 9))
    equal(d.try_(*RUN, IMAGE, "no-such-program").returncode, 127)
    equal(d.try_(*RUN, IMAGE, "/etc").returncode, 126)
    equal(d.w.get("/containers/json?all=1"), [])


@OPS("run -i: a megabyte through stdin")
def run_stdin(d):
    data = os.urandom(1 << 20)
    check(d(*RUN, "-i", IMAGE, "cat", input=data) == data, "other bytes came back")


@OPS("run -t: a terminal")
def run_tty(d):
    import pty
    import termios
    main, sub = pty.openpty()
    termios.tcsetwinsize(sub, (33, 101)) if hasattr(termios, "tcsetwinsize") else None
    with d.running(*RUN, "-it", IMAGE, "sh", stdin=sub, stdout=sub, stderr=sub, text=False, start_new_session=True, env={"TERM": "xterm"}):
        os.close(sub)
        try:
            os.write(main, b"tty; echo do''ne\n")
            text = b""
            while b"done" not in text:
                check(select.select([main], [], [], 20)[0], "no answer: %r", text)
                text += os.read(main, 4096)
            matches(text.decode(), r"/dev/(pts/\d|console)")
            os.write(main, b"exit\n")
        finally:
            os.close(main)


@OPS("run -d")
def run_detached(d):
    cid = sleeper(d, "back")
    matches(cid, "^[0-9a-f]{64}$")
    equal((d.w.inspect("back")["Id"], d.w.inspect("back")["State"]["Status"]), (cid, "running"))


@OPS("run -p, -P")
def run_ports(d):
    cmd = "mkdir /w; echo by port >/w/index.html; exec httpd -f -p 80 -h /w"
    d("run", "-d", "--name", "web", "-p", "8081:80", "-p", "127.0.0.1:8082:80", IMAGE, "sh", "-c", cmd)
    d("run", "-d", "--name", "any", "-P", "--expose", "80", IMAGE, "sh", "-c", cmd)
    for name in ("web", "any"):
        d.w.listening(name, 80, 20)
    port = d.w.inspect("any")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
    for p in (8081, int(port)):
        equal(d.w.http_get("internet", "http://%s:%d/" % (HOST_UP, p)), "by port\n", "port %s" % p)
    equal(d.w.http_get("host", "http://127.0.0.1:8082/"), "by port\n")
    contains(d.fails("run", "-d", "--name", "second", "-p", "8081:80", IMAGE, "sleep", "600"), "port is already allocated")


@OPS("run --network, --network-alias, --ip")
def run_network(d):
    d("network", "create", "--subnet", "10.79.0.0/24", "runs")
    d.w.serve("peer", "runs")
    sleeper(d, "named", "--network", "runs", "--network-alias", "other", "--ip", "10.79.0.50")
    equal(d.w.resolve("peer", "other"), ["10.79.0.50"])
    says(d, "peer", "--network", "runs", "--", "wget", "-qO-", "http://peer/")


@OPS("run --network host, none, container:")
def run_network_modes(d):
    contains(d(*RUN, "--network", "host", IMAGE, "ip", "-o", "link"), "lan0")
    equal(len(d(*RUN, "--network", "none", IMAGE, "ls", "/sys/class/net").split()), 1)
    d.w.serve("owner", None)
    says(d, "owner", "--network", "container:owner", "--", "wget", "-qO-", "http://127.0.0.1/")


@OPS("run -e, --env-file, -w, -u, -h, -l")
def run_settings(d):
    with open(d.cwd + "/env", "w") as f:
        f.write("FROM_FILE=f\n# no\n")
    says(d, "one f /tmp 7:8 inner", "-e", "A=one", "--env-file", d.cwd + "/env", "-w", "/tmp", "-u", "7:8", "-h", "inner", "--", "sh", "-c",
         "echo $A $FROM_FILE $(pwd) $(id -u):$(id -g) $(hostname)")
    sleeper(d, "marked", "-l", "k=v", "--label", "only")
    equal({k: v for k, v in d.w.inspect("marked")["Config"]["Labels"].items() if k in ("k", "only")}, {"k": "v", "only": ""})


@OPS("run --entrypoint, --init, --read-only")
def run_start(d):
    says(d, "entry x", "--entrypoint", "/bin/echo", "--", "entry", "x")
    matches(d(*RUN, "--init", IMAGE, "cat", "/proc/1/comm"), "init|tini")
    check(d.try_(*RUN, "--read-only", IMAGE, "touch", "/x").returncode != 0, "written on a read-only root")


@OPS("run -v, --mount, --tmpfs")
def run_mounts(d):
    os.makedirs(d.cwd + "/bound", exist_ok=True)
    with open(d.cwd + "/bound/f", "w") as f:
        f.write("from the host")
    says(d, "from the host", "-v", d.cwd + "/bound:/b:ro", "--", "cat", "/b/f")
    check(d.try_(*RUN, "-v", d.cwd + "/bound:/b:ro", IMAGE, "touch", "/b/x").returncode != 0, "written on a read-only bind")
    d(*RUN, "-v", "named:/v", IMAGE, "sh", "-c", "echo kept >/v/f")
    says(d, "kept", "--mount", "type=volume,src=named,dst=/w", "--", "cat", "/w/f")
    contains(d(*RUN, "--tmpfs", "/t:size=1m", IMAGE, "sh", "-c", "grep ' /t ' /proc/mounts"), "size=1024k")


@OPS("run -m, --cpus, --pids-limit")
def run_limits(d):
    cid = sleeper(d, "held", "-m", "64m", "--cpus", "0.5", "--pids-limit", "33")
    want = {"memory.max": "67108864", "cpu.max": "50000 100000", "pids.max": "33"}
    old = {"memory.limit_in_bytes": "67108864", "cpu.cfs_quota_us": "50000", "pids.max": "33"}
    seen = {}
    for path in d.w.cgroups():
        if cid in path:
            for name in set(want) | set(old):
                with contextlib.suppress(OSError), open(path + "/" + name) as f:
                    seen.setdefault(name, set()).add(f.read().strip())
    for name, value in (want if "memory.max" in seen else old).items():
        check(value in seen.get(name, ()), "%s is not %s but %s", name, value, seen.get(name))


@OPS("run --cap-drop, --cap-add, --privileged, --security-opt")
def run_rights(d):
    check(d.try_(*RUN, "--cap-drop", "CHOWN", IMAGE, "chown", "1", "/etc").returncode != 0, "chown without its capability")
    check(d.try_(*RUN, IMAGE, "ip", "link", "set", "lo", "mtu", "1400").returncode != 0, "a network's settings without their capability")
    d(*RUN, "--cap-add", "NET_ADMIN", IMAGE, "ip", "link", "set", "lo", "mtu", "1400")
    with open("/proc/self/status") as f:
        everything = re.search("CapBnd:.*?([0-9a-f]+)", f.read())[1]
    equal(d(*RUN, "--privileged", IMAGE, "grep", "CapEff", "/proc/self/status").split()[1], everything)
    contains(d(*RUN, "--security-opt", "no-new-privileges", IMAGE, "grep", "NoNewPrivs", "/proc/self/status"), "1")


@OPS("run --sysctl, --ulimit, --device, --shm-size")
def run_kernel(d):
    says(d, "77", "--sysctl", "net.ipv4.ip_default_ttl=77", "--", "cat", "/proc/sys/net/ipv4/ip_default_ttl")
    says(d, "99", "--ulimit", "nofile=99:99", "--", "sh", "-c", "ulimit -n")
    says(d, "c", "--device", "/dev/null:/dev/mine", "--", "sh", "-c", "test -c /dev/mine && echo c")
    contains(d(*RUN, "--shm-size", "8m", IMAGE, "df", "-k", "/dev/shm"), "8192")


@OPS("run --dns, --add-host, --link")
def run_names(d):
    text = d(*RUN, "--dns", "192.0.2.9", "--dns-search", "corp.test", "--add-host", "db.test:192.0.2.5", IMAGE, "cat", "/etc/resolv.conf", "/etc/hosts")
    for part in ("corp.test", "192.0.2.9"):
        contains(text, part)
    matches(text, r"192\.0\.2\.5\s+db\.test")
    d.w.serve("linked", None)
    says(d, "linked", "--link", "linked:alias", "--", "wget", "-qO-", "http://alias/")


@OPS("run --restart")
def run_restart(d):
    d("run", "-d", "--name", "again", "--restart", "on-failure:2", IMAGE, "sh", "-c", "exit 3")
    until(lambda: d.w.inspect("again")["RestartCount"] == 2 and d.w.inspect("again")["State"]["Status"] == "exited", "two restarts", 30)
    equal(d.w.inspect("again")["State"]["ExitCode"], 3)


@OPS("run --health-cmd")
def run_health(d):
    d("run", "-d", "--name", "well", "--health-cmd", "test -e /ok", "--health-interval", "200ms", "--health-retries", "2", IMAGE, "sleep", "600")
    until(lambda: d.w.inspect("well")["State"].get("Health", {}).get("Status") == "unhealthy", "unhealthy", 15)
    d.w.exec("well", "touch", "/ok")
    until(lambda: d.w.inspect("well")["State"]["Health"]["Status"] == "healthy", "healthy", 15)


@OPS("run --cidfile, --pull, --stop-signal")
def run_rest(d):
    path = d.cwd + "/cid"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    cid = sleeper(d, "filed", "--cidfile", path, "--stop-signal", "SIGUSR1", "--pull", "never")
    with open(path) as f:
        equal(f.read(), cid)
    equal(d.w.inspect("filed")["Config"]["StopSignal"], "SIGUSR1")


# ---- containers ----

OPS.section = "Containers"


@OPS("create, start, stop, restart")
def life(d):
    cid = d("create", "--name", "life", IMAGE, "sh", "-c", "trap 'exit 5' TERM; sleep 600 & wait")
    equal(d.w.inspect("life")["State"]["Status"], "created")
    equal(d("start", "life"), "life")
    first = d.w.inspect("life")["State"]["Pid"]
    check(os.path.exists("/proc/%d" % first), "no process")
    d("restart", "-t", "20", "life")
    second = d.w.inspect("life")["State"]
    check(second["Running"] and second["Pid"] != first, "not another process: %s", second)
    until(lambda: d.try_("exec", "life", "pidof", "sleep").returncode == 0, "the trap is set")
    equal(d("stop", "-t", "20", cid[:12]), cid[:12])
    equal((d.w.inspect("life")["State"]["Status"], d.w.inspect("life")["State"]["ExitCode"]), ("exited", 5))


@OPS("kill")
def kill(d):
    d("run", "-d", "--name", "sig", IMAGE, "sh", "-c", "trap 'echo hup' HUP; echo up; while :; do sleep 0.1; done")
    until(lambda: "up" in d("logs", "sig"), "up")
    d("kill", "-s", "HUP", "sig")
    until(lambda: "hup" in d("logs", "sig"), "the signal")
    equal(d("kill", "sig"), "sig")
    until(lambda: d.w.inspect("sig")["State"]["ExitCode"] == 137, "exit code 137")
    contains(d.fails("kill", "sig"), "is not running")


@OPS("rm")
def rm(d):
    sleeper(d, "kept")
    matches(d.fails("rm", "kept"), "container is running|cannot remove a running container")
    equal(d("rm", "-f", "kept"), "kept")
    contains(d.fails("rm", "kept"), "No such container: kept")


@OPS("rename")
def rename(d):
    d("network", "create", "names")
    sleeper(d, "before", "--network", "names")
    sleeper(d, "asks", "--network", "names")
    d("rename", "before", "after")
    equal(d.w.resolve("asks", "after"), [d.w.address("after")])
    equal(d.w.resolve("asks", "before"), [])
    contains(d.fails("rename", "after", "asks"), "is already in use by container")


@OPS("pause, unpause")
def pause(d):
    d("run", "-d", "--name", "tick", IMAGE, "sh", "-c", "while :; do date +%N; sleep 0.05; done")
    until(lambda: d("logs", "tick"), "a line")
    equal(d("pause", "tick"), "tick")
    equal(d.w.inspect("tick")["State"]["Status"], "paused")
    contains(d("ps"), "(Paused)")
    contains(d.fails("exec", "tick", "true"), "is paused")
    frozen = d("logs", "tick")
    time.sleep(0.3)
    equal(d("logs", "tick"), frozen, "it goes on")
    d("unpause", "tick")
    until(lambda: d("logs", "tick") != frozen, "it goes on")


@OPS("update")
def update(d):
    cid = sleeper(d, "grow", "-m", "64m")
    d("update", "-m", "96m", "--memory-swap", "192m", "--restart", "always", "grow")
    values = []
    for path in d.w.cgroups():
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError), open("%s/%s" % (path, name)) as f:
                values += [f.read().strip()] if cid in path else []
    check(str(96 << 20) in values, "the kernel has %s", values)
    host = d.w.inspect("grow")["HostConfig"]
    equal((host["Memory"], host["RestartPolicy"]["Name"]), (96 << 20, "always"))


@OPS("wait")
def wait(d):
    d("run", "-d", "--name", "slow", IMAGE, "sh", "-c", "sleep 1; exit 6")
    equal(d("wait", "slow"), "6")
    equal(d("wait", "slow"), "6")


@OPS("ps")
def ps(d):
    cid = sleeper(d, "shown", "-p", "8083:80", "-l", "m=1")
    d("run", "--name", "ended", IMAGE, "sh", "-c", "exit 4", code=4)
    row = next(r for r in d("ps", "--no-trunc").splitlines() if cid in r)
    for part in (IMAGE, "sleep 600", "Up ", "0.0.0.0:8083->80/tcp", "shown"):
        contains(row, part)
    matches(d("ps", "-a"), r"Exited \(4\)")
    equal(d("ps", "-aq", "--no-trunc", "--filter", "label=m=1"), cid)
    equal(d("ps", "-a", "--filter", "exited=4", "--format", "{{.Names}}"), "ended")
    equal(d("ps", "-a", "--filter", "status=exited", "--filter", "name=end", "--format", "{{.Names}}"), "ended")
    check("ended" not in d("ps", "-n", "5", "--filter", "status=running"), "a filter and -n")


@OPS("ps --size")
def ps_size(d):
    d("run", "--name", "fat", IMAGE, "sh", "-c", "dd if=/dev/zero of=/big bs=1000 count=3000 2>/dev/null")
    matches(d("ps", "-as", "--format", "{{.Size}}"), r"^3(\.\d+)?MB \(virtual \d+(\.\d+)?MB\)")


@OPS("inspect")
def inspect(d):
    cid = sleeper(d, "object", "-p", "8084:80")
    got = json.loads(d("inspect", "object"))[0]
    equal((got["Id"], got["Config"]["Image"], got["State"]["Running"]), (cid, IMAGE, True))
    equal(d("inspect", "-f", "{{.State.Status}} {{.Name}} {{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}", "object"), "running /object 8084")
    equal(d("inspect", "--type", "image", "-f", "{{.Os}}", IMAGE), "linux")
    d.fails("inspect", "nothing-like-it")


@OPS("port")
def port(d):
    sleeper(d, "ports", "-p", "8085:80", "-p", "127.0.0.1:8086:81/udp")
    contains(d("port", "ports"), "81/udp -> 127.0.0.1:8086")
    equal(d("port", "ports", "80/tcp").splitlines()[0], "0.0.0.0:8085")
    d.fails("port", "ports", "99")


@OPS("logs")
def logs(d):
    d("run", "--name", "talk", IMAGE, "sh", "-c", "for i in 1 2 3; do echo o$i; done; echo e1 >&2")
    r = d.try_("logs", "talk")
    equal((r.stdout, r.stderr), ("o1\no2\no3\n", "e1\n"))
    equal(d("logs", "--tail", "2", "talk").splitlines()[-1], "o3")
    matches(d("logs", "-t", "talk"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z o1\n")
    equal(d("logs", "--since", "2099-01-01", "talk"), "")
    equal(d("logs", "--until", "2001-01-01", "talk"), "")


@OPS("logs -f")
def logs_follow(d):
    d("run", "-d", "--name", "flow", IMAGE, "sh", "-c", "echo first; while ! test -e /go; do sleep 0.05; done; echo last")
    with d.running("logs", "-f", "flow") as child:
        equal(child.stdout.readline(), "first\n")
        d.w.exec("flow", "touch", "/go")
        equal(child.stdout.readline(), "last\n")
        equal(child.wait(20), 0)


@OPS("attach")
def attach(d):
    d("run", "-di", "--name", "shell", IMAGE, "sh")
    with d.running("attach", "shell") as child:
        child.stdin.write("echo $((6 * 7)); exit 8\n")
        child.stdin.flush()
        equal(child.stdout.readline(), "42\n")
        equal(child.wait(20), 8)


@OPS("exec")
def exec_(d):
    sleeper(d, "room")
    r = d.try_("exec", "-e", "X=1", "-w", "/tmp", "-u", "5", "room", "sh", "-c", "echo $X $(pwd) $(id -u); echo e >&2; exit 4")
    equal((r.stdout, r.stderr, r.returncode), ("1 /tmp 5\n", "e\n", 4))
    data = os.urandom(1 << 18)
    check(d("exec", "-i", "room", "cat", input=data) == data, "other bytes came back")
    d("exec", "-d", "room", "touch", "/later")
    until(lambda: d.try_("exec", "room", "test", "-e", "/later").returncode == 0, "the detached one")
    check(d.try_("exec", "room", "no-such").returncode in (126, 127), "a program that is not there")  # 126 before 23.0


@OPS("top")
def top(d):
    sleeper(d, "proc")
    until(lambda: "sleep 600" in d("top", "proc"), "the program; a start does not await it", 20, 0.1)
    matches(d("top", "proc").splitlines()[0], r"UID +PID +PPID")
    pid = str(d.w.inspect("proc")["State"]["Pid"])
    equal(d("top", "proc", "-o", "pid,comm").split(), ["PID", "COMMAND", pid, "sleep"])


@OPS("stats")
def stats(d):
    d("run", "-d", "--name", "busy", "-m", "64m", IMAGE, "sh", "-c", "while :; do :; done")
    row = d("stats", "--no-stream", "--format", "{{.Name}};{{.CPUPerc}};{{.MemUsage}};{{.NetIO}};{{.PIDs}}", "busy").split(";")
    equal((row[0], row[4]), ("busy", "1"))
    check(float(row[1].rstrip("%")) > 1, "a busy loop takes %s", row[1])
    contains(row[2], "64MiB")
    with d.running("stats", "--format", "{{.Name}}:{{.PIDs}}", "busy") as child:
        for _ in range(2):
            clients.wait_line(child, "busy:1")


@OPS("cp into a container")
def cp_in(d):
    sleeper(d, "filled")
    os.makedirs(d.cwd + "/tree/sub", exist_ok=True)
    for name in ("tree/a", "tree/sub/b"):
        with open(d.cwd + "/" + name, "w") as f:
            f.write(name)
    d("cp", "tree", "filled:/tmp/copied")
    d("cp", "tree/a", "filled:/tmp/")
    equal(d("exec", "filled", "cat", "/tmp/copied/sub/b", "/tmp/a"), "tree/sub/btree/a")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        info = tarfile.TarInfo("piped")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"pipe"))
    d("cp", "-", "filled:/tmp", input=data.getvalue())
    equal(d("exec", "filled", "cat", "/tmp/piped"), "pipe")
    matches(d.fails("cp", "tree", "filled:/no/such/place"), "(?i)no such|could not find")


@OPS("cp out of a container")
def cp_out(d):
    d("run", "--name", "source", IMAGE, "sh", "-c", "mkdir -p /data/sub; echo one >/data/a; echo two >/data/sub/b; ln -s a /data/l")
    run("rm", "-rf", d.cwd + "/got")
    d("cp", "source:/data", "got")
    with open(d.cwd + "/got/sub/b") as f:
        equal(f.read(), "two\n")
    equal(os.readlink(d.cwd + "/got/l"), "a")
    data = d("cp", "source:/data/a", "-", text=False)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        equal(tar.extractfile("a").read(), b"one\n")
    matches(d.fails("cp", "source:/nothing", "x"), "(?i)could not find the file|no such")


@OPS("diff")
def diff(d):
    d("run", "--name", "changed", IMAGE, "sh", "-c", "echo x >/new; rm /etc/group; echo y >>/etc/passwd")
    lines = d("diff", "changed").splitlines()
    for line in ("A /new", "D /etc/group", "C /etc/passwd", "C /etc"):
        check(line in lines, "%s is not in %s", line, lines)


@OPS("export")
def export(d):
    d("run", "--name", "out", IMAGE, "sh", "-c", "echo exported >/mark")
    with tarfile.open(fileobj=io.BytesIO(d("export", "out", text=False))) as tar:
        equal(tar.extractfile("mark").read(), b"exported\n")
        check("bin/busybox" in tar.getnames(), "no busybox")


@OPS("commit")
def commit(d):
    d("run", "--name", "base", IMAGE, "sh", "-c", "echo committed >/mark")
    matches(d("commit", "-m", "why", "-c", "ENV K=v", "-c", 'CMD ["cat", "/mark"]', "base", "made/commit:1"), "^sha256:")
    equal(d(*RUN, "made/commit:1"), "committed")
    equal(d(*RUN, "made/commit:1", "sh", "-c", "echo $K"), "v")
    contains(d("history", "made/commit:1"), "why")


@OPS("container prune")
def container_prune(d):
    cid = d("run", "-d", "--name", "over", IMAGE, "true")
    sleeper(d, "alive")
    d("wait", "over")
    contains(d("container", "prune", "-f"), cid)
    equal(d("ps", "-a", "--format", "{{.Names}}"), "alive")


# ---- images ----

OPS.section = "Images"


@OPS("pull")
def pull(d):
    ops_images.registry(d.w).seed("team/pulled", "1", [], Cmd=["echo", "from the registry"])
    contains(d("pull", "127.0.0.1:5000/team/pulled:1"), "Downloaded newer image")
    equal(d(*RUN, "127.0.0.1:5000/team/pulled:1"), "from the registry")
    contains(d("pull", "127.0.0.1:5000/team/pulled:1"), "Image is up to date")
    matches(d.fails("pull", "127.0.0.1:5000/team/nothing"), "not found|manifest unknown")
    equal(d(*RUN, "--pull", "always", "127.0.0.1:5000/team/pulled:1").splitlines()[-1], "from the registry")


@OPS("push")
def push(d):
    name = "127.0.0.1:5000/by-%s" % re.sub(r"\W", "", d.name)
    d("tag", IMAGE, name + ":v1")
    matches(d("push", name + ":v1"), r"v1: digest: sha256:[0-9a-f]{64} size: \d+")
    equal(ops_images.registry(d.w).tags(name.split("/")[1]), ["v1"])
    d("rmi", name + ":v1")
    d("pull", "-q", name + ":v1")
    equal(d(*RUN, name + ":v1", "echo", "came back"), "came back")


@OPS("login, logout")
def login(d):
    closed = ops_images.closed_registry(d.w)
    closed.seed("secret", "1", [], Cmd=["echo", "opened"])
    contains(d.fails("login", "-u", "ann", "--password-stdin", closed.address, input="wrong").lower(), "unauthorized")
    d.fails("pull", closed.address + "/secret:1")
    contains(d("login", "-u", "ann", "--password-stdin", closed.address, input="open sesame"), "Login Succeeded")
    d("pull", closed.address + "/secret:1")
    equal(d(*RUN, closed.address + "/secret:1"), "opened")
    d("logout", closed.address)
    d("rmi", closed.address + "/secret:1")
    d.fails("pull", closed.address + "/secret:1")


@OPS("search")
def search(d):
    contains(d("search", "--limit", "3", ops_images.index(d.w) + "/web"), "nginx")


@OPS("build")
def build(d):
    folder = d.cwd + "/context"
    ops_images.context(folder)
    legacy = {"DOCKER_BUILDKIT": "0"}
    d("build", "-t", "made/build:1", "--build-arg", "WHO=cli", folder, env=legacy)
    equal(d(*RUN, "made/build:1"), "built for cli: from the context")
    contains(d("history", "--no-trunc", "made/build:1"), "COPY")
    d("build", "-t", "made/build:2", "--build-arg", "WHO=cli", folder, env=legacy)
    equal(d.w.get("/images/made/build:2/json")["Id"], d.w.get("/images/made/build:1/json")["Id"], "the cache")
    contains(d.fails("build", "-", input="FROM %s\nRUN exit 3\n" % IMAGE, env=legacy), "returned a non-zero code: 3")


@OPS("image ls")
def image_ls(d):
    d("tag", IMAGE, "listed/one:v1")
    rows = [line.split() for line in d("images").splitlines()]
    equal(rows[0][:3], ["REPOSITORY", "TAG", "IMAGE"])
    check(any(r[:2] == ["listed/one", "v1"] for r in rows), "%s", rows)
    equal(d("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=listed/*"), "listed/one:v1")
    equal(d("images", "-q", "--no-trunc", "listed/one:v1"), d.w.get("/images/listed/one:v1/json")["Id"])
    d("rmi", "listed/one:v1")


@OPS("image inspect, history")
def image_inspect(d):
    got = json.loads(d("image", "inspect", IMAGE))[0]
    equal((got["Os"], got["RootFS"]["Type"], IMAGE in got["RepoTags"]), ("linux", "layers", True))
    contains(d("history", "--no-trunc", IMAGE), "IMAGE")


@OPS("tag, rmi")
def tag(d):
    d("tag", IMAGE, "tagged/twice:v1")
    contains(d("rmi", "tagged/twice:v1"), "Untagged: tagged/twice:v1")
    contains(d.fails("rmi", "tagged/twice:v1"), "No such image: tagged/twice:v1")


@OPS("save, load")
def save_load(d):
    d("tag", IMAGE, "saved/it:v1")
    data = d("save", "saved/it:v1", text=False)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))
        equal(manifest[0]["RepoTags"], ["saved/it:v1"])
    d("rmi", "saved/it:v1")
    equal(d("load", input=data), b"Loaded image: saved/it:v1\n")
    equal(d(*RUN, "saved/it:v1", "echo", "loaded"), "loaded")
    d("rmi", "saved/it:v1")


@OPS("load, import")
def load_import(d):
    with open(d.cwd + "/i.tar", "wb") as f:
        f.write(standin.archive({"loaded/it:1": ([], {"Cmd": ["echo", "from a tar"]})}))
    contains(d("load", "-i", "i.tar"), "Loaded image: loaded/it:1")
    equal(d(*RUN, "loaded/it:1"), "from a tar")
    with open(d.cwd + "/root.tar", "wb") as f:
        f.write(standin.layer())
    d("import", "-c", 'CMD ["echo", "imported"]', "root.tar", "imported/it:1")
    equal(d(*RUN, "imported/it:1"), "imported")
    d("rmi", "loaded/it:1", "imported/it:1")


@OPS("image prune")
def image_prune(d):
    d.w.load({"pruned/a:1": ([], {"Cmd": ["a"]}), "pruned/b:1": ([], {"Cmd": ["b"]})})
    sleeper(d, "user", image="pruned/a:1")
    d("tag", "pruned/b:1", "pruned/c:1")
    d("rmi", "pruned/b:1", "pruned/c:1")
    equal(d("image", "ls", "-q", "--filter", "dangling=true"), "")
    d.w.load({"pruned/b:1": ([], {"Cmd": ["b"]})})
    d.w.load({"pruned/b:1": ([], {"Cmd": ["another"]})})
    old = d("image", "ls", "-q", "--no-trunc", "--filter", "dangling=true")
    matches(old, "^sha256:[0-9a-f]{64}$")
    contains(d("image", "prune", "-f"), old)
    d("rmi", "pruned/b:1")


# ---- volumes ----

OPS.section = "Volumes"


@OPS("volume create, ls, inspect, rm")
def volume(d):
    equal(d("volume", "create", "--label", "a=b", "vol"), "vol")
    equal(d("volume", "ls", "-q", "--filter", "label=a=b"), "vol")
    v = json.loads(d("volume", "inspect", "vol"))[0]
    equal((v["Name"], v["Driver"], v["Labels"]), ("vol", "local", {"a": "b"}))
    check(os.path.isdir(v["Mountpoint"]), "no folder %s", v["Mountpoint"])
    sleeper(d, "mounts", "-v", "vol:/v")
    contains(d.fails("volume", "rm", "vol"), "volume is in use")
    d("rm", "-f", "mounts")
    equal(d("volume", "rm", "vol"), "vol")
    check(not os.path.exists(v["Mountpoint"]), "its folder is there")


@OPS("volume create -o")
def volume_options(d):
    d("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m", "small")
    contains(d(*RUN, "-v", "small:/s", IMAGE, "df", "-k", "/s"), "1024")


@OPS("volume prune")
def volume_prune(d):
    sleeper(d, "holds", "-v", "held:/v")
    d("run", "--name", "left", "-v", "/anonymous", IMAGE, "true")
    name = d.w.inspect("left")["Mounts"][0]["Name"]
    d("rm", "left")
    contains(d("volume", "prune", "-f"), name)
    equal(d("volume", "ls", "-q"), "held")


# ---- the engine ----

OPS.section = "Engine"


@OPS("version, info")
def version_info(d):
    contains(d("version"), "Server")
    equal(d("version", "--format", "{{.Server.Os}}"), "linux")
    sleeper(d, "counted")
    equal(d("info", "--format", "{{.Containers}} {{.ContainersRunning}} {{.DockerRootDir}}"), "1 1 " + d.w.data)
    r = d.try_("info")
    check(r.returncode == 0 and "ERROR" not in r.stdout + r.stderr, "%s", r.stdout[-300:] + r.stderr)


@OPS("system df")
def system_df(d):
    sleeper(d, "uses", "-v", "dfvol:/v")
    d.w.exec("uses", "sh", "-c", "dd if=/dev/zero of=/v/f bs=1000 count=2000 2>/dev/null; dd if=/dev/zero of=/f bs=1000 count=3000 2>/dev/null")
    rows = {r.split(";")[0]: r.split(";")[1:] for r in d("system", "df", "--format", "{{.Type}};{{.TotalCount}};{{.Active}};{{.Size}}").splitlines()}
    equal(rows["Containers"], ["1", "1", "3MB"])
    equal(rows["Local Volumes"], ["1", "1", "2MB"])
    check(int(rows["Images"][0]) >= 1 and rows["Images"][1] == "1", "%s", rows)
    contains(d("system", "df", "-v"), "dfvol")


@OPS("system prune")
def system_prune(d):
    d("network", "create", "idle")
    sleeper(d, "lives")
    d("run", "--name", "dead", IMAGE, "true")
    text = d("system", "prune", "-f")
    for part in ("Deleted Containers", "Deleted Networks", "idle", "Total reclaimed space"):
        contains(text, part)
    equal(d("ps", "-a", "--format", "{{.Names}}"), "lives")


@OPS("events")
def events(d):
    began = "%.6f" % (time.time() - 0.001)
    with d.running("events", "--filter", "type=container", "--filter", "event=start", "--filter", "event=die", "--format", "{{json .}}") as child:
        time.sleep(0.5)  # what is being asked for tells nobody that it listens
        cid = d("run", "-d", "--name", "noisy", IMAGE, "sh", "-c", "exit 5")
        seen = [json.loads(clients.wait_line(child, cid)) for _ in range(2)]
    equal([(e["Action"], e["Actor"]["Attributes"].get("exitCode")) for e in seen], [("start", None), ("die", "5")])
    text = d("events", "--since", began, "--until", "%.6f" % time.time(), "--filter", "container=noisy", "--format", "{{.Action}}")
    equal(text.split(), ["create", "start", "die"])


@OPS("context create, use")
def context(d):
    with contextlib.suppress(Failed):
        d("context", "rm", "-f", "there")
    d("context", "create", "there", "--docker", "host=unix://" + d.w.socket)
    without = {"DOCKER_HOST": None}
    d("context", "use", "there", env=without)
    try:
        equal(d("version", "--format", "{{.Server.Os}}", env=without), "linux")
        contains(d("context", "ls", env=without), "there *")
    finally:
        d("context", "use", "default", env=without)
        d("context", "rm", "-f", "there")


@OPS("-H unix://, DOCKER_HOST")
def host_unix(d):
    elsewhere = {"DOCKER_HOST": "unix:///nowhere.sock"}
    equal(d("-H", "unix://" + d.w.socket, "version", "--format", "{{.Server.Os}}", env=elsewhere), "linux")
    matches(d.fails("ps", env=elsewhere), "(?i)nowhere.sock")


@OPS("-H tcp://")
def host_tcp(d):
    d.w.stop()
    d.w.start("-H", "tcp://127.0.0.1:2375")
    try:
        env = {"DOCKER_HOST": "tcp://127.0.0.1:2375"}
        equal(d(*RUN, "-i", IMAGE, "cat", input="over tcp", env=env), "over tcp")
        equal(d("version", "--format", "{{.Server.Os}}", env=env), "linux")
    finally:
        d.w.restart()


@OPS("--tlsverify")
def host_tls(d):
    folder = clients.certificates(d.w.base + "/tls")
    flags = ["--tlscacert", folder + "/ca.pem"]
    mine = ["--tlsverify", *flags, "--tlscert", folder + "/cert.pem", "--tlskey", folder + "/key.pem"]
    d.w.stop()
    try:
        d.w.start("-H", "tcp://127.0.0.1:2376", "--tlsverify", *flags, "--tlscert", folder + "/server-cert.pem", "--tlskey", folder + "/server-key.pem")
        env = {"DOCKER_HOST": "tcp://127.0.0.1:2376"}
        equal(d(*mine, *RUN, "-i", IMAGE, "cat", input="over tls", env=env), "over tls")
        equal(d("version", "--format", "{{.Server.Os}}", env=dict(env, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=folder)), "linux")
        d.fails("--tls", *flags, "ps", env=env)
        d.fails("ps", env=env)
    finally:
        if d.w.alive():
            d.w.stop()
        d.w.start()
