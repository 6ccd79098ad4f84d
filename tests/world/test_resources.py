#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits: what each flag sets, read from /proc and the cgroup's files; changed while it runs (update)."""
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

MB = 1 << 20


def cgroup_dir(w, name, controller):
    """A container's cgroup: of @controller on v1, the one there is on v2."""
    with open("/proc/%d/cgroup" % w.inspect(name)["State"]["Pid"]) as f:
        rows = [line.split(":", 2) for line in f.read().splitlines()]
    for _, controllers, path in rows:
        if controller in controllers.split(","):
            return "/sys/fs/cgroup/%s%s" % (controller, path)
    return "/sys/fs/cgroup" + next(path for _, controllers, path in rows if not controllers)


def v2():
    return os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def value(w, name, v1, v2_name):
    """A file of the cgroup: "memory.limit_in_bytes" on v1, "memory.max" on v2."""
    controller = v1.split(".")[0] if not v1.startswith("cpu.cfs") else "cpu"
    path = cgroup_dir(w, name, controller) + "/" + (v2_name if v2() else v1)
    if not os.path.exists(path):
        raise Skip("this kernel has no %s" % os.path.basename(path))
    with open(path) as f:
        return f.read().strip()


def box(w, name, *args):
    return w.docker("run", "-d", "--name", name, "--network", "none", *args, IMAGE, "sleep", "600")


def refused(w, body, text, status=400, path="/containers/create"):
    r = w.api("POST", path, body)
    equal(r.status, status, r.text[:300])
    contains(r.message, text)


def create(w, name, host):
    """Return: the answer of a create through the API."""
    host.setdefault("NetworkMode", "none")
    r = w.api("POST", "/containers/create?name=" + name, {"Image": IMAGE, "Cmd": ["sleep", "600"], "HostConfig": host})
    equal(r.status, 201, r.text)
    return r.json


def test_memory(w):
    box(w, "mem", "-m", "64m", "--memory-reservation", "32m", "--memory-swap", "96m")
    equal(value(w, "mem", "memory.limit_in_bytes", "memory.max"), str(64 * MB))
    equal(value(w, "mem", "memory.soft_limit_in_bytes", "memory.low"), str(32 * MB))
    if w.get("/info")["SwapLimit"]:
        equal(value(w, "mem", "memory.memsw.limit_in_bytes", "memory.swap.max"), str((32 if v2() else 96) * MB))
    box(w, "twice", "-m", "64m")
    equal(w.inspect("twice")["HostConfig"]["MemorySwap"], 128 * MB, "as much swap as memory, and inspect says so")


def test_swappiness(w):
    if v2():
        contains(" ".join(create(w, "v2", {"MemorySwappiness": 40})["Warnings"]), "memory swappiness")
        return
    box(w, "swappy", "--memory-swappiness", "40")
    equal(value(w, "swappy", "memory.swappiness", ""), "40")
    equal(w.inspect("swappy")["HostConfig"]["MemorySwappiness"], 40)
    box(w, "plain")  # the CLI says -1
    equal(w.inspect("plain")["HostConfig"]["MemorySwappiness"], None)


def test_oom_kill_disable(w):
    said = create(w, "guard", {"OomKillDisable": True, "Memory": 64 * MB})["Warnings"]
    if v2():
        equal(said, ["Your kernel does not support OomKillDisable. OomKillDisable discarded."])
        return
    equal(said, [])
    w.docker("start", "guard")
    contains(value(w, "guard", "memory.oom_control", ""), "oom_kill_disable 1")
    said = create(w, "rash", {"OomKillDisable": True})["Warnings"]
    contains(" ".join(said), "OOM killer is disabled for the container, but no memory limit is set")


def test_cpu(w):
    box(w, "shares", "--cpu-shares", "512", "--cpuset-cpus", "0")
    if v2():
        equal(value(w, "shares", "", "cpu.weight"), "20")
    else:
        equal(value(w, "shares", "cpu.shares", ""), "512")
    equal(value(w, "shares", "cpuset.cpus", "cpuset.cpus"), "0")
    equal(w.docker("exec", "shares", "sh", "-c", "grep Cpus_allowed_list /proc/self/status").split()[1], "0")
    box(w, "quota", "--cpu-period", "50000", "--cpu-quota", "20000")
    if v2():
        equal(value(w, "quota", "", "cpu.max"), "20000 50000")
    else:
        equal((value(w, "quota", "cpu.cfs_quota_us", ""), value(w, "quota", "cpu.cfs_period_us", "")), ("20000", "50000"))
    box(w, "cpus", "--cpus", "0.25")
    equal(value(w, "cpus", "cpu.cfs_quota_us", "cpu.max").split()[0], "25000")


def test_pids(w):
    box(w, "few", "--pids-limit", "20")
    equal(value(w, "few", "pids.max", "pids.max"), "20")
    box(w, "many", "--pids-limit", "-1")
    equal(value(w, "many", "pids.max", "pids.max"), "max")


def block_device(w):
    """A device node of a disk this host has."""
    for name in sorted(os.listdir("/sys/block")):
        with open("/sys/block/%s/dev" % name) as f:
            major, minor = map(int, f.read().split(":"))
        path = "/dev/" + name
        if not os.path.exists(path):
            path = w.base + "/disk"
            if not os.path.exists(path):
                os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(major, minor))
        return path, "%d:%d" % (major, minor)
    raise Skip("no block device on this host")


def test_block_io(w):
    path, number = block_device(w)
    create(w, "slow", {"BlkioDeviceReadBps": [{"Path": path, "Rate": MB}], "BlkioDeviceWriteBps": [{"Path": path, "Rate": 2 * MB}],
                       "BlkioDeviceReadIOps": [{"Path": path, "Rate": 100}], "BlkioDeviceWriteIOps": [{"Path": path, "Rate": 200}]})
    w.docker("start", "slow")
    if v2():
        equal(sorted(value(w, "slow", "blkio", "io.max").split()[1:]), sorted(["rbps=%d" % MB, "wbps=%d" % (2 * MB), "riops=100", "wiops=200"]))
    else:
        for what, want in (("read_bps", MB), ("write_bps", 2 * MB), ("read_iops", 100), ("write_iops", 200)):
            equal(value(w, "slow", "blkio.throttle.%s_device" % what, ""), "%s %d" % (number, want))
    create(w, "nodev", {"BlkioDeviceReadBps": [{"Path": "/dev/no-such", "Rate": MB}]})
    contains(w.docker_fails("start", "nodev"), "stat /dev/no-such: no such file or directory")
    refused(w, {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"BlkioWeight": 5}}, "Range of blkio weight is from 10 to 1000")


def test_block_weight(w):
    said = create(w, "heavy", {"BlkioWeight": 300})["Warnings"]
    w.docker("start", "heavy")
    if said:  # this kernel has no scheduler with weights
        equal(said, ["Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."])
        equal(w.inspect("heavy")["HostConfig"]["BlkioWeight"], 0)
    else:
        contains(value(w, "heavy", "blkio.weight", "io.bfq.weight"), "300")


def test_devices(w):
    box(w, "plain")
    equal(w.exec("plain", "test", "-e", "/dev/my-null").returncode, 1)
    box(w, "dev", "--device", "/dev/null:/dev/my-null:rw")
    equal(w.docker("exec", "dev", "sh", "-c", "echo x >/dev/my-null && stat -c %t:%T /dev/my-null"), "1:3")
    w.docker_fails("run", "--rm", "--device", "/dev/no-such", IMAGE, "true",
                   says='error gathering device information while adding custom device "/dev/no-such": no such file or directory')


def test_device_rules(w):
    """A node may be made, and used only where a rule says so."""
    path = next((p for p in ("/dev/fuse", "/dev/net/tun", "/dev/loop-control") if os.path.exists(p)), None)
    if not path:
        raise Skip("no device here that anybody may open")
    major, minor = os.major(os.stat(path).st_rdev), os.minor(os.stat(path).st_rdev)
    probe = "mknod /k c %d %d && head -c 0 /k" % (major, minor)
    r = w.docker_try("run", "--rm", "--network", "none", IMAGE, "sh", "-c", probe)
    contains(r.stderr, "Operation not permitted")
    w.docker("run", "--rm", "--network", "none", "--device-cgroup-rule", "c %d:%d rw" % (major, minor), IMAGE, "sh", "-c", probe)
    w.docker("run", "--rm", "--network", "none", "--device-cgroup-rule", "c %d:* rwm" % major, IMAGE, "sh", "-c", probe)
    for bad in ("x 1:1 r", "c 1:1", "c one:1 r", "c 1:1 q", "c 1:1 rwmr", "", "c 1 r"):
        refused(w, {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"DeviceCgroupRules": [bad]}},
                "invalid device cgroup rule format: '%s'" % bad)


def test_oom_score_and_limits(w):
    box(w, "score", "--oom-score-adj", "321", "--ulimit", "nofile=123:456", "--ulimit", "core=0")
    equal(w.docker("exec", "score", "cat", "/proc/1/oom_score_adj"), "321")
    limits = w.docker("exec", "score", "cat", "/proc/1/limits")
    matches(limits, r"Max open files +123 +456 ")
    matches(limits, r"Max core file size +0 +0 ")
    equal(w.docker("exec", "score", "sh", "-c", "ulimit -n"), "123", "an exec has them, too")


def test_init(w):
    """--init has an init that reaps: no zombie stays of a child whose parent has gone."""
    r = w.docker_try("run", "-d", "--name", "tidy", "--init", IMAGE, "sh", "-c", "sh -c 'sleep 0.1 & exec true'; exec sleep 600")
    equal(r.returncode, 0, r.stderr)
    comm = w.docker("exec", "tidy", "cat", "/proc/1/comm")
    check("init" in comm or "tini" in comm, "pid 1 is %s", comm)
    until(lambda: not any(p[-1].endswith("<defunct>") for p in w.get("/containers/tidy/top")["Processes"]), "no zombies", 10)


def test_cgroup_parent(w):
    parent = "/%s/own-parent" % w.name
    box(w, "child", "--cgroup-parent", parent)
    cid = w.inspect("child")["Id"]
    with open("/proc/%d/cgroup" % w.inspect("child")["State"]["Pid"]) as f:
        rows = [line.strip().split(":", 2) for line in f]
    check(any(path == "%s/%s" % (parent, cid) for _, _, path in rows), "%s", rows)
    w.docker("rm", "-f", "child")
    for top in [sandbox.CGROUPS] + [sandbox.CGROUPS + "/" + d for d in os.listdir(sandbox.CGROUPS)]:
        with contextlib.suppress(OSError):
            os.rmdir(top + parent)


def test_realtime(w):
    """Refused where the kernel has no group scheduling for it; where it has, the parent must have time to give."""
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"CpuRealtimePeriod": 1000, "CpuRealtimeRuntime": 2000}}
    refused(w, body, "real-time")


def test_kernel_memory(w):
    """Gone from the API with 1.42; before that it is discarded with a warning."""
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"KernelMemory": 64 * MB}}
    contains(" ".join(w.api("POST", "/v1.41/containers/create", body).json["Warnings"]), "kernel memory limit")
    equal(w.api("POST", "/v1.42/containers/create", body).json["Warnings"], [])


def test_refused(w):
    for host, text in (({"CpusetCpus": "0,9999999"}, "Invalid value 0,9999999 for cpuset cpus"),
                       ({"CpusetCpus": "77"}, "Requested CPUs are not available - requested 77, available: "),
                       ({"CpusetMems": "x"}, "Invalid value x for cpuset mems"),
                       ({"CpusetMems": "63"}, "Requested memory nodes are not available - requested 63, available: "),
                       ({"NanoCpus": 10 ** 9, "CpuPeriod": 5000}, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
                       ({"NanoCpus": 10 ** 9, "CpuQuota": 5000}, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
                       ({"MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
                       ({"MemoryReservation": 1000}, "Minimum memory reservation allowed is 6MB"),
                       ({"IOMaximumIOps": 7}, "does not support configuration of maximum IOPs")):
        refused(w, {"Image": IMAGE, "Cmd": ["true"], "HostConfig": host}, text)
    equal(create(w, "percent", {"CpuPercent": 10})["Warnings"], ["linux does not support CPU percent. Percent discarded."])


def test_oom(w):
    """The kernel kills for memory: an event, and State says so; a restart forgets it."""
    with w.event('"Action":"oom"', 30):
        w.docker_try("run", "--name", "hungry", "--network", "none", "-m", "16m", "--memory-swap", "16m", IMAGE, "tail", "/dev/zero")
    s = w.inspect("hungry")["State"]
    equal((s["OOMKilled"], s["ExitCode"]), (True, 137))
    w.docker("run", "-d", "--name", "sober", "--network", "none", "-m", "16m", IMAGE, "true")
    until(lambda: w.inspect("sober")["State"]["Status"] == "exited", "it ends")
    equal(w.inspect("sober")["State"]["OOMKilled"], False)


def test_oom_of_a_child(w):
    """The kernel kills one process, the container goes on: told at once, also by an engine that found it running."""
    for again in (False, True):
        name = "parent%d" % again
        w.docker("run", "-d", "--name", name, "--network", "none", "-m", "24m", "--memory-swap", "24m", IMAGE, "sh", "-c",
                 "mkfifo /go; read x </go; tail /dev/zero; echo survived; sleep 600")
        until(lambda: w.exec(name, "test", "-p", "/go").returncode == 0, "it waits", 10)
        if again:
            w.kill9()
            w.start()
        equal(w.inspect(name)["State"]["OOMKilled"], False)
        with w.event('"Action":"oom"', 30):
            w.exec(name, "sh", "-c", "echo >/go")
        s = w.inspect(name)["State"]
        equal((s["OOMKilled"], s["Running"]), (True, True))
        w.docker("rm", "-f", name)


# ---- update ----


def update(w, name, body, status=200):
    r = w.api("POST", "/containers/%s/update" % name, body)
    equal(r.status, status, r.text[:400])
    return r.json


def test_update(w):
    """In force at once, kept in the store, there after a restart of both."""
    box(w, "grow", "-m", "64m")
    with w.event('"Action":"update"'):
        equal(w.docker("update", "-m", "128m", "--memory-swap", "256m", "--cpu-shares", "700", "--pids-limit", "44", "--cpuset-cpus", "0",
                       "--restart", "on-failure:3", "grow"), "grow")

    def there():
        equal(value(w, "grow", "memory.limit_in_bytes", "memory.max"), str(128 * MB))
        equal(value(w, "grow", "pids.max", "pids.max"), "44")
        equal(value(w, "grow", "cpuset.cpus", "cpuset.cpus"), "0")
        if not v2():
            equal(value(w, "grow", "cpu.shares", ""), "700")
        if w.get("/info")["SwapLimit"]:
            equal(value(w, "grow", "memory.memsw.limit_in_bytes", "memory.swap.max"), str((128 if v2() else 256) * MB))
        h = w.inspect("grow")["HostConfig"]
        equal((h["Memory"], h["MemorySwap"], h["CpuShares"], h["PidsLimit"], h["CpusetCpus"]), (128 * MB, 256 * MB, 700, 44, "0"))
        equal(h["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 3})
    there()
    w.kill9()
    w.start()
    there()
    w.docker("restart", "-t", "0", "grow")
    there()
    w.docker("update", "-m", "32m", "--memory-swap", "-1", "grow")
    equal(value(w, "grow", "memory.limit_in_bytes", "memory.max"), str(32 * MB), "smaller")
    update(w, "grow", {"PidsLimit": 0})
    equal(value(w, "grow", "pids.max", "pids.max"), "max")


def test_update_cpu(w):
    box(w, "fast")
    w.docker("update", "--cpus", "0.5", "fast")
    equal(value(w, "fast", "cpu.cfs_quota_us", "cpu.max").split()[0], "50000")
    equal(w.inspect("fast")["HostConfig"]["NanoCpus"], 500000000)
    cid = w.inspect("fast")["Id"]
    r = w.api("POST", "/containers/fast/update", {"CpuPeriod": 50000})
    equal((r.status, r.message), (409, "Cannot update container %s: Conflicting options: CPU Period cannot be updated as NanoCPUs has "
                                       "already been set" % cid))
    r = w.api("POST", "/containers/fast/update", {"CpuQuota": 50000})
    contains(r.message, "CPU Quota cannot be updated as NanoCPUs has already been set")
    box(w, "period", "--cpu-period", "50000", "--cpu-quota", "10000")
    contains(w.api("POST", "/containers/period/update", {"NanoCpus": 10 ** 9}).message, "Nano CPUs cannot be updated as CPU Period has")
    equal(update(w, "period", {"CpuQuota": 25000}), {"Warnings": None})
    equal(value(w, "period", "cpu.cfs_quota_us", "cpu.max").split()[0], "25000")
    equal(w.inspect("period")["HostConfig"]["CpuPeriod"], 50000, "what is not named stays")


def test_update_refused(w):
    cid = box(w, "tight", "-m", "64m")
    before = w.inspect("tight")["HostConfig"]
    for body, status, text in (
            ({"Memory": 200 * MB}, 409, "Cannot update container %s: Memory limit should be smaller than already set memoryswap limit, "
                                        "update the memoryswap at the same time" % cid),
            ({"Memory": 1000}, 400, "Minimum memory limit allowed is 6MB"),
            ({"Memory": 64 * MB, "MemorySwap": 32 * MB}, 400, "Minimum memoryswap limit should be larger than memory limit, see usage"),
            ({"CpusetCpus": "77"}, 400, "Requested CPUs are not available"),
            ({"RestartPolicy": {"Name": "sometimes"}}, 400, "invalid restart policy"),
            ({"Memory": "big"}, 400, "cannot unmarshal string")):
        refused(w, body, text, status, "/containers/tight/update")
    equal(w.inspect("tight")["HostConfig"], before, "nothing has changed")
    equal(value(w, "tight", "memory.limit_in_bytes", "memory.max"), str(64 * MB))
    refused(w, {}, "No such container: nobody", 404, "/containers/nobody/update")
    w.docker("run", "-d", "--rm", "--name", "brief", "--network", "none", IMAGE, "sleep", "600")
    refused(w, {"RestartPolicy": {"Name": "always"}}, "Restart policy cannot be updated because AutoRemove is enabled for the container",
            409, "/containers/brief/update")


def test_update_too_small(w):
    """The kernel refuses a limit below what is in use: all stays as it was."""
    if v2():
        raise Skip("v2 takes any limit and reclaims")
    w.docker("run", "-d", "--name", "full", "--network", "none", "-m", "64m", "--memory-swap", "64m", IMAGE, "sh", "-c",
             "head -c 20000000 /dev/zero >/dev/shm/f; echo full; sleep 600")
    until(lambda: w.docker("logs", "full") == "full", "it has its memory", 20)
    r = w.api("POST", "/containers/full/update", {"Memory": 8 * MB, "MemorySwap": 8 * MB})
    equal(r.status, 500, r.text)
    contains(r.message, "Cannot update container %s: " % w.inspect("full")["Id"])
    equal(w.inspect("full")["HostConfig"]["Memory"], 64 * MB)
    equal(value(w, "full", "memory.limit_in_bytes", ""), str(64 * MB))


def test_update_stopped(w):
    """A stopped one has its new limits when it starts; a paused one at once."""
    w.docker("create", "--name", "later", "--network", "none", IMAGE, "sleep", "600")
    w.docker("update", "-m", "48m", "later")
    w.docker("start", "later")
    equal(value(w, "later", "memory.limit_in_bytes", "memory.max"), str(48 * MB))
    equal(w.inspect("later")["HostConfig"]["MemorySwap"], 96 * MB)
    w.docker("pause", "later")
    w.docker("update", "--pids-limit", "9", "later")
    equal(value(w, "later", "pids.max", "pids.max"), "9")


def test_update_policy(w):
    """Another restart policy holds at the next end."""
    w.docker("run", "-d", "--name", "back", "--network", "none", IMAGE, "sleep", "600")
    w.docker("update", "--restart", "always", "back")
    os.kill(w.inspect("back")["State"]["Pid"], signal.SIGKILL)
    until(lambda: w.inspect("back")["RestartCount"] == 1 and w.inspect("back")["State"]["Running"], "it comes back", 20)
    w.docker("update", "--restart", "no", "back")
    os.kill(w.inspect("back")["State"]["Pid"], signal.SIGKILL)
    until(lambda: w.inspect("back")["State"]["Status"] == "exited", "it stays down")
    equal(w.inspect("back")["RestartCount"], 1)


def test_atoll(w):
    w.atoll("run", "-d", "--name", "mine", "--network", "none", "--device-cgroup-rule", "c 1:11 r", IMAGE, "sleep", "600")
    equal(w.inspect("mine")["HostConfig"]["DeviceCgroupRules"], ["c 1:11 r"])
    equal(w.atoll("update", "-m", "40m", "--cpus", "0.5", "--restart", "on-failure:2", "mine"), "mine")
    h = w.inspect("mine")["HostConfig"]
    equal((h["Memory"], h["NanoCpus"], h["RestartPolicy"]), (40 * MB, 500000000, {"Name": "on-failure", "MaximumRetryCount": 2}))
    equal(value(w, "mine", "memory.limit_in_bytes", "memory.max"), str(40 * MB))
    r = w.atoll_try("update", "mine")
    check(r.returncode == 1 and "one or more flags" in r.stderr, "%s", r)
    r = w.atoll_try("update", "-m", "1k", "mine")
    check(r.returncode == 1 and "Minimum memory limit" in r.stderr, "%s", r)


if __name__ == "__main__":
    main(globals())
