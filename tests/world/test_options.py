#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of a container beside network, volumes and resources: whose namespaces, what security. Runs on dockerd, too,
as far as its version has the feature."""
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testbed import IMAGE, Skip, check, contains, equal, main, timeout, until  # noqa: E402


def sleeper(w, name, *args):
    return w.docker("run", "-d", "--name", name, *args, IMAGE, "sleep", "1000")


def namespace(w, name, kind):
    return os.readlink("/proc/%d/ns/%s" % (w.inspect(name)["State"]["Pid"], kind))


def host_namespace(w, kind):
    return os.readlink("/proc/%d/ns/%s" % (w.engine.pid, kind))


def refused(w, status, text, **host):
    config = host.pop("config", {})
    r = w.api("POST", "/containers/create", dict({"Image": IMAGE, "HostConfig": host}, **config))
    check(r.status == status or w.kind == "dockerd", "%s: %r, want %d", host, r, status)
    check(r.status >= 400, "%s: %r", host, r)
    contains(r.message, text)


# ---- ipc ----

def test_ipc_is_shared_with_its_shm(w):
    sleeper(w, "donor", "--ipc", "shareable", "--shm-size", "2m")
    sleeper(w, "joins", "--ipc", "container:donor")
    equal(namespace(w, "joins", "ipc"), namespace(w, "donor", "ipc"))
    w.docker("exec", "donor", "sh", "-c", "echo hello >/dev/shm/f")
    equal(w.docker("exec", "joins", "cat", "/dev/shm/f"), "hello")
    contains(w.docker("exec", "joins", "df", "-k", "/dev/shm"), "2048")
    equal(w.docker("exec", "joins", "stat", "-c", "%a", "/dev/shm"), "1777")
    equal(w.inspect("donor")["HostConfig"]["IpcMode"], "shareable")
    sleeper(w, "third", "--ipc", "container:joins")  # a chain
    equal(namespace(w, "third", "ipc"), namespace(w, "donor", "ipc"))
    equal(w.docker("exec", "third", "cat", "/dev/shm/f"), "hello")
    w.docker("restart", "-t", "0", "donor")
    equal(w.docker("exec", "donor", "ls", "/dev/shm"), "", "a new life has a new /dev/shm")


def test_ipc_of_one_that_does_not_share(w):
    donor = sleeper(w, "private")
    equal(w.inspect("private")["HostConfig"]["IpcMode"], "private")
    said = w.docker_fails("run", "--rm", "--ipc", "container:private", IMAGE, "true")
    contains(said, "non-shareable IPC (hint: use IpcMode:shareable for the donor container)")
    w.docker("rm", "-f", "private")
    w.docker("create", "--name", "stopped", "--ipc", "shareable", IMAGE, "true")
    w.docker("create", "--name", "joins", "--ipc", "container:stopped", IMAGE, "true")
    said = w.docker_fails("start", "joins")
    contains(said, "is not running" if w.kind == "dockerd" else
             "failed to join IPC namespace: container %s is not running" % w.inspect("stopped")["Id"])
    check(donor not in said, "")
    if w.kind != "dockerd":  # resolves it at start alone
        refused(w, 404, "No such container: nobody", IpcMode="container:nobody")


def test_ipc_host_and_none(w):
    sleeper(w, "onhost", "--ipc", "host")
    equal(namespace(w, "onhost", "ipc"), host_namespace(w, "ipc"))
    sleeper(w, "none", "--ipc", "none")
    check(namespace(w, "none", "ipc") != host_namespace(w, "ipc"), "none has one of its own")
    equal(w.exec("none", "grep", "-c", " /dev/shm ", "/proc/mounts").stdout.strip(), "0")
    for mode in ("nonsense", "container:") if w.kind != "dockerd" else ():  # 20.10 tells at start
        refused(w, 400, "invalid IPC mode: " + mode, IpcMode=mode)


def test_shm_size(w):
    contains(w.docker("run", "--rm", "--shm-size", "3m", IMAGE, "df", "-k", "/dev/shm"), "3072")
    contains(w.docker("run", "--rm", IMAGE, "df", "-k", "/dev/shm"), "65536")
    refused(w, 400, "SHM size can not be less than 0", ShmSize=-1)


@timeout(90)
def test_shareable_ipc_outlives_the_engine(w):
    if w.kind == "dockerd":
        raise Skip("its own matter")
    sleeper(w, "donor", "--ipc", "shareable")
    w.docker("exec", "donor", "touch", "/dev/shm/kept")
    w.kill9()
    w.start()
    equal(w.docker("run", "--rm", "--ipc", "container:donor", IMAGE, "ls", "/dev/shm"), "kept")


# ---- pid, uts, cgroup ----

def test_pid_modes(w):
    sleeper(w, "one")
    equal(w.docker("run", "--rm", "--pid", "container:one", IMAGE, "sh", "-c", "tr '\\0' ' ' </proc/1/cmdline"),
          "sleep 1000 ")
    sleeper(w, "onhost", "--pid", "host")
    equal(namespace(w, "onhost", "pid"), host_namespace(w, "pid"))
    w.docker("kill", "onhost")
    until(lambda: w.inspect("onhost")["State"]["Status"] == "exited", "the end of one without a pid namespace")
    w.docker("create", "--name", "stopped", IMAGE, "true")
    w.docker("create", "--name", "joins", "--pid", "container:stopped", IMAGE, "true")
    said = w.docker_fails("start", "joins")
    contains(said, "is not running" if w.kind == "dockerd" else
             "failed to join PID namespace: container %s is not running" % w.inspect("stopped")["Id"])
    if w.kind != "dockerd":  # 20.10 tells at start
        refused(w, 400, "invalid PID mode: nonsense", PidMode="nonsense")


def test_init_has_no_place_in_a_shared_pid_namespace(w):
    sleeper(w, "one")
    out = w.docker("run", "--rm", "--init", "--pid", "container:one", IMAGE, "sh", "-c", "tr '\\0' ' ' </proc/$$/cmdline")
    check("docker-init" not in out, out)


def test_uts_host(w):
    sleeper(w, "onhost", "--uts", "host")
    equal(namespace(w, "onhost", "uts"), host_namespace(w, "uts"))
    refused(w, 400, "conflicting options: hostname and the UTS mode", UTSMode="host", config={"Hostname": "hh"})
    if w.kind != "dockerd":
        refused(w, 400, "invalid UTS mode: nonsense", UTSMode="nonsense")


def test_cgroupns(w):
    sleeper(w, "own", "--cgroupns", "private")
    check(namespace(w, "own", "cgroup") != host_namespace(w, "cgroup"), "private")
    sleeper(w, "onhost", "--cgroupns", "host")
    equal(namespace(w, "onhost", "cgroup"), host_namespace(w, "cgroup"))
    sleeper(w, "silent")
    v2 = w.get("/info")["CgroupVersion"] == "2"
    equal(w.inspect("silent")["HostConfig"]["CgroupnsMode"], "private" if v2 else "host")
    refused(w, 400, "invalid cgroup namespace mode: nonsense", CgroupnsMode="nonsense")


def test_userns_host_is_taken(w):
    equal(w.docker("run", "--rm", "--userns", "host", IMAGE, "id", "-u"), "0")


def test_a_joined_one_is_kept_by_id(w):
    if w.kind == "dockerd":
        raise Skip("keeps pid and ipc by name")
    donor = sleeper(w, "donor", "--ipc", "shareable")
    w.docker("create", "--name", "joins", "--ipc", "container:donor", "--pid", "container:donor", IMAGE, "true")
    w.docker("rename", "donor", "other")
    host = w.inspect("joins")["HostConfig"]
    equal((host["IpcMode"], host["PidMode"]), ("container:" + donor,) * 2)
    w.docker("start", "-a", "joins")


# ---- security ----

def test_no_new_privileges(w):
    def flag(*opts):
        return w.docker("run", "--rm", *opts, IMAGE, "grep", "NoNewPrivs", "/proc/self/status").split()[1]

    equal(flag(), "0")
    for opt in ("no-new-privileges", "no-new-privileges=true", "no-new-privileges:true"):
        equal(flag("--security-opt", opt), "1", opt)
    equal(flag("--security-opt", "no-new-privileges=false"), "0")
    refused(w, 400, 'invalid --security-opt 2: "no-new-privileges=perhaps"', SecurityOpt=["no-new-privileges=perhaps"])


def test_seccomp(w):
    privileged_possible(w)
    def mode(*opts):
        return w.docker("run", "--rm", *opts, IMAGE, "grep", "Seccomp:", "/proc/self/status").split()[1]

    equal(mode(), "2")
    equal(mode("--security-opt", "seccomp=unconfined"), "0")
    equal(mode("--privileged"), "0")
    path = w.base + "/profile.json"
    with open(path, "w") as f:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}, f)
    w.docker_fails("run", "--rm", "--security-opt", "seccomp=" + path, IMAGE, "mkdir", "/x",
                   says="Operation not permitted")
    w.docker("run", "--rm", "--security-opt", "seccomp=" + path, IMAGE, "touch", "/x")
    if w.kind != "dockerd":
        equal(w.atoll("run", "--rm", "--security-opt", "seccomp=builtin", IMAGE, "grep", "Seccomp:", "/proc/self/status").split()[1],
              "2")  # docker's clients of old take it for a file
        refused(w, 400, "decoding seccomp profile failed", SecurityOpt=["seccomp={nonsense"])


def test_labels_and_profiles_of_others(w):
    for opt in ("label=disable", "label=type:x", "apparmor=unconfined"):
        if "type:" in opt and w.kind == "dockerd":
            continue
        equal(w.docker("run", "--rm", "--security-opt", opt, IMAGE, "echo", "fine"), "fine", opt)
    refused(w, 400, 'invalid --security-opt 1: "nonsense"', SecurityOpt=["nonsense"])
    refused(w, 400, 'invalid --security-opt 2: "nonsense=1"', SecurityOpt=["nonsense=1"])


def test_masked_paths(w):
    privileged_possible(w)
    # a mask is a mount over what is to be hidden
    look = "grep -c -E ' /proc/(kcore|keys|timer_list) ' /proc/mounts || true; touch /proc/sys/kernel/domainname"
    r = w.docker_try("run", "--rm", "--name", "masked", IMAGE, "sh", "-c", look)
    check(int(r.stdout) > 0, "masked: %s", r.stdout)
    contains(r.stderr, "Read-only file system")
    r = w.docker_try("run", "--rm", "--security-opt", "systempaths=unconfined", IMAGE, "sh", "-c", look)
    equal((r.stdout.strip(), r.stderr), ("0", ""), "systempaths=unconfined")
    sleeper(w, "plain")
    host = w.inspect("plain")["HostConfig"]
    check("/proc/kcore" in host["MaskedPaths"] and "/proc/sys" in host["ReadonlyPaths"], "%s", host)
    sleeper(w, "open", "--security-opt", "systempaths=unconfined")
    host = w.inspect("open")["HostConfig"]
    equal((host["MaskedPaths"], host["ReadonlyPaths"]), ([], []))
    sleeper(w, "strong", "--privileged")
    host = w.inspect("strong")["HostConfig"]
    equal((host["MaskedPaths"], host["ReadonlyPaths"]), (None, None))


def privileged_possible(w):
    """runc gives up where a capability is missing; crun takes what there is."""
    if w.kind == "dockerd" and w.docker_try("run", "--rm", "--privileged", IMAGE, "true").returncode != 0:
        raise Skip("this host has not all capabilities, and runc wants them")


def caps(w, *opts):
    out = w.docker("run", "--rm", *opts, IMAGE, "grep", "CapEff", "/proc/self/status")
    return int(out.split()[1], 16)


def test_capabilities(w):
    privileged_possible(w)
    net_admin, chown, net_raw = 1 << 12, 1 << 0, 1 << 13
    equal(caps(w), 0xa80425fb, "Docker's default set")
    equal(caps(w, "--cap-add", "NET_ADMIN") & net_admin, net_admin)
    equal(caps(w, "--cap-add", "cap_net_admin") & net_admin, net_admin)
    equal(caps(w, "--cap-drop", "CHOWN") & chown, 0)
    equal(caps(w, "--cap-drop", "ALL"), 0)
    equal(caps(w, "--cap-drop", "ALL", "--cap-add", "NET_RAW"), net_raw)
    equal(caps(w, "--cap-add", "ALL", "--cap-drop", "NET_RAW") & net_raw, 0)
    check(caps(w, "--privileged") > 0xa80425fb, "all of them")
    w.docker_fails("run", "--rm", "--cap-drop", "CHOWN", IMAGE, "chown", "7", "/etc", says="Operation not permitted")
    contains(w.docker_fails("create", "--cap-add", "NONSENSE", IMAGE), 'invalid CapAdd: unknown capability: "CAP_NONSENSE"')
    contains(w.docker_fails("create", "--cap-drop", "NONSENSE", IMAGE),
             'invalid CapDrop: unknown capability: "CAP_NONSENSE"')


def test_privileged(w):
    privileged_possible(w)
    out = w.docker("run", "--rm", "--privileged", IMAGE, "sh", "-c",
                   "ls /dev | wc -l; grep ' /sys ' /proc/mounts; mkdir /m; mount -t tmpfs x /m && echo mounted")
    check(int(out.split()[0]) > 20 or len(os.listdir("/dev")) < 20, "devices: %s", out)
    contains(out, " rw,")
    contains(out, "mounted")
    w.docker_fails("run", "--rm", IMAGE, "mount", "-t", "tmpfs", "x", "/tmp", says="ermission denied")


def test_devices(w):
    look = "ls -l /dev/mine; head -c 4 /dev/mine | wc -c"
    out = w.docker("run", "--rm", "--device", "/dev/zero:/dev/mine", IMAGE, "sh", "-c", look)
    contains(out, "1,   5")
    equal(out.split()[-1], "4")
    r = w.docker_try("run", "--rm", "--device", "/dev/full:/dev/mine:r", IMAGE, "sh", "-c",
                     "head -c 4 /dev/mine | wc -c; echo x >/dev/null")
    equal(r.stdout.split()[-1], "4", r.stderr)
    os.makedirs("/dev/atoll-test", exist_ok=True)
    try:
        os.mknod("/dev/atoll-test/zz", 0o20666, os.makedev(1, 5))
        equal(w.docker("run", "--rm", "--device", "/dev/atoll-test", IMAGE, "sh", "-c", "ls /dev/atoll-test"), "zz")
    except PermissionError:
        pass
    finally:
        w.sh("rm -rf /dev/atoll-test")
    said = w.docker_fails("run", "--rm", "--device", "/dev/nonsense", IMAGE, "true")
    contains(said, 'error gathering device information while adding custom device "/dev/nonsense"')


def test_gpus_are_refused(w):
    said = w.docker_fails("run", "--rm", "--gpus", "all", IMAGE, "true")
    contains(said, 'could not select device driver "" with capabilities: [[gpu]]')
    r = w.api("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"DeviceRequests": [
        {"Driver": "nonsense", "Count": 1, "Capabilities": [["a", "b"], ["c"]]}]}})
    if r.status == 201:  # Docker tells at start
        r = w.api("POST", "/containers/%s/start" % r.json["Id"])
    contains(r.message, 'could not select device driver "nonsense" with capabilities: [[a b] [c]]')


def test_read_only(w):
    w.docker_fails("run", "--rm", "--read-only", IMAGE, "touch", "/x", says="Read-only file system")
    w.docker("run", "--rm", "--read-only", "--tmpfs", "/t", "-v", "vol:/v", IMAGE, "touch", "/t/x", "/v/x", "/dev/shm/x")


def test_sysctls(w):
    equal(w.docker("run", "--rm", "--sysctl", "net.ipv4.ip_default_ttl=77", "--sysctl", "kernel.msgmax=4096", IMAGE,
                   "cat", "/proc/sys/net/ipv4/ip_default_ttl", "/proc/sys/kernel/msgmax"), "77\n4096")
    equal(w.docker("run", "--rm", IMAGE, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "0")
    contains(w.docker_fails("run", "--rm", "--sysctl", "kernel.nonsense=1", IMAGE, "true"), "nonsense")
    contains(w.docker_fails("run", "--rm", "--sysctl", "vm.swappiness=1", IMAGE, "true"), "vm.swappiness")
    contains(w.docker_fails("run", "--rm", "--network", "host", "--sysctl", "net.ipv4.ip_default_ttl=1", IMAGE, "true"),
             "not allowed in host network namespace")
    contains(w.docker_fails("run", "--rm", "--ipc", "host", "--sysctl", "kernel.msgmax=4096", IMAGE, "true"), "kernel.msgmax")


def test_groups(w):
    out = w.docker("run", "--rm", "--group-add", "4242", "--group-add", "daemon", IMAGE, "id")
    contains(out, "4242")
    contains(out, "daemon")
    out = w.docker("run", "--rm", "-u", "1000:1001", "--group-add", "77", IMAGE, "id")
    contains(out, "uid=1000")
    contains(out, "77")
    contains(w.docker_fails("run", "--rm", "--group-add", "nonsense", IMAGE, "true"), "nonsense")


# ---- signals, stop, rename ----

def test_stop_signal_and_timeout(w):
    trap = "trap 'echo got; exit 7' USR1; echo up; while :; do sleep 0.1; done"
    w.docker("run", "-d", "--name", "one", "--stop-signal", "USR1", IMAGE, "sh", "-c", trap)
    until(lambda: "up" in w.docker("logs", "one"), "the trap")
    w.docker("stop", "one")
    equal((w.docker("logs", "one"), w.inspect("one")["State"]["ExitCode"]), ("up\ngot", 7))
    w.docker("run", "-d", "--name", "deaf", "--stop-timeout", "1", IMAGE, "sh", "-c", "trap '' TERM; sleep 1000")
    w.docker("stop", "deaf")
    equal(w.inspect("deaf")["State"]["ExitCode"], 137)
    equal(w.inspect("deaf")["Config"]["StopTimeout"], 1)
    sleeper(w, "now")
    w.docker("stop", "-t", "0", "now")
    equal(w.inspect("now")["State"]["ExitCode"], 137)
    refused(w, 400, "nvalid signal: NONSENSE", config={"StopSignal": "NONSENSE"})


def test_kill_and_wait(w):
    w.docker("run", "-d", "--name", "one", IMAGE, "sh", "-c",
             "trap 'echo hup' HUP; echo up; while :; do sleep 0.1; done")
    until(lambda: "up" in w.docker("logs", "one"), "the trap")
    w.docker("kill", "-s", "HUP", "one")
    until(lambda: "hup" in w.docker("logs", "one"), "the signal")
    contains(w.docker_fails("kill", "-s", "NONSENSE", "one"), "nvalid signal: NONSENSE")
    w.docker("kill", "one")
    equal(w.docker("wait", "one"), "137")
    contains(w.docker_fails("kill", "one"), "is not running")


def test_rename_while_running(w):
    w.docker("network", "create", "nw")
    sleeper(w, "before", "--network", "nw")
    sleeper(w, "other", "--network", "nw")
    equal(w.resolve("other", "before"), [w.address("before", "nw")])
    w.docker("rename", "before", "after")
    until(lambda: w.resolve("other", "after") == [w.address("after", "nw")], "the new name")
    equal(w.resolve("other", "before"), [])
    equal(w.inspect("after")["Name"], "/after")
    contains(w.docker_fails("rename", "after", "other"), 'Conflict. The container name "/other" is already in use')
    contains(w.docker_fails("rename", "after", "a/b"), "a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")


@timeout(120)
def test_dependents_come_back_after_those_they_join(w):
    if w.kind == "dockerd":
        raise Skip("waits for the network's owner only")
    sleeper(w, "donor", "--ipc", "shareable", "--restart", "always")
    sleeper(w, "heir", "--ipc", "container:donor", "--pid", "container:donor", "--network", "container:donor",
            "--restart", "always")
    pids = [w.inspect(n)["State"]["Pid"] for n in ("heir", "donor")]
    w.kill9()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it shared the namespace of the other
    w.start()
    until(lambda: all(w.inspect(n)["State"]["Running"] and w.inspect(n)["State"]["Pid"] for n in ("donor", "heir")),
          "both run again", 30)
    equal(namespace(w, "heir", "pid"), namespace(w, "donor", "pid"))
    equal(namespace(w, "heir", "ipc"), namespace(w, "donor", "ipc"))
    equal(namespace(w, "heir", "net"), namespace(w, "donor", "net"))


# ---- what the daemon was told ----

@timeout(90)
def test_defaults_of_the_daemon(w):
    if w.kind == "dockerd":
        raise Skip("one set of flags a file")
    w.stop()
    profile = w.base + "/daemon-profile.json"
    with open(profile, "w") as f:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}, f)
    w.start("--default-ipc-mode", "shareable", "--default-shm-size", "5m", "--no-new-privileges", "--default-cgroupns-mode",
            "private", "--seccomp-profile", profile)
    try:
        sleeper(w, "one")
        host = w.inspect("one")["HostConfig"]
        equal((host["IpcMode"], host["ShmSize"], host["CgroupnsMode"]), ("shareable", 5 << 20, "private"))
        equal(w.docker("exec", "one", "grep", "NoNewPrivs", "/proc/1/status").split()[1], "1")
        equal(w.docker("run", "--rm", "--security-opt", "no-new-privileges=false", IMAGE, "grep", "NoNewPrivs",
                       "/proc/self/status").split()[1], "0")
        w.docker_fails("run", "--rm", IMAGE, "mkdir", "/x", says="Operation not permitted")
        w.atoll("run", "--rm", "--security-opt", "seccomp=builtin", IMAGE, "mkdir", "/x")
        options = w.get("/info")["SecurityOptions"]
        check("name=seccomp,profile=" + profile in options and "name=no-new-privileges" in options, "%s", options)
        w.docker("rm", "-f", "one")
    finally:
        w.restart()


if __name__ == "__main__":
    main(globals())
