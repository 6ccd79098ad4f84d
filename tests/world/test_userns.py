#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""userns-remap: containers whose root is nobody on the host, by what the kernel says of them."""
import contextlib
import io
import os
import re
import shutil
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import Failed, HOST_UP, IMAGE, Skip, check, contains, equal, main, matches, until  # noqa: E402

USER, FIRST, COUNT = "daemon", 200000, 65536
FLAG = "--userns-remap=" + USER


@contextlib.contextmanager
def etc(**files):
    """These files of /etc, which is the sandbox's own, for a while."""
    old = {}
    for name, text in files.items():
        with contextlib.suppress(FileNotFoundError), open("/etc/" + name) as f:
            old[name] = f.read()
        with open("/etc/" + name, "w") as f:
            f.write(text)
    try:
        yield old
    finally:
        for name in files:
            with open("/etc/" + name, "w") as f:
                f.write(old.get(name, ""))


@contextlib.contextmanager
def remapped(w, *flags):
    line = "%s:%d:%d\n" % (USER, FIRST, COUNT)
    with etc(subuid="other:1000000:65536\n" + line, subgid=line):
        equal(w.stop(), 0, "exit code of the engine")
        try:
            w.start(FLAG, *flags)
        except Failed as e:
            w.start()
            if "cannot map ids of a mount" in str(e):  # tmpfs before Linux 6.3, and the tests' data lie on one
                raise Skip("no mapped mounts on this kernel")
            raise
        try:
            yield
        finally:
            w.reset()
            equal(w.stop(), 0, "exit code of the engine")
            shutil.rmtree("%s/%d.%d" % (w.data, FIRST, FIRST))
            w.start()


def sleeper(w, name, *args):
    w.docker("run", "-d", "--name", name, *args, IMAGE, "sleep", "1000")
    return w.inspect(name)["State"]["Pid"]


def ids(pid, key="Uid"):
    with open("/proc/%d/status" % pid) as f:
        return re.search(r"^%s:\s+(\d+)" % key, f.read(), re.M).group(1)


def owner(path):
    st = os.lstat(path)
    return st.st_uid, st.st_gid


def sh(w, name, script):
    r = w.exec(name, "sh", "-euc", script)
    equal(r.returncode, 0, "%s: %s" % (script, r.stderr))
    return r.stdout.strip()


def test_who_is_who(w):
    with remapped(w):
        info = w.get("/info")
        check("name=userns" in info["SecurityOptions"], "%s", info["SecurityOptions"])
        matches(info["DockerRootDir"], r"/%d\.%d$" % (FIRST, FIRST))
        pid = sleeper(w, "box")
        equal((ids(pid), ids(pid, "Gid")), (str(FIRST), str(FIRST)), "root of the container, seen by the host")
        equal(sh(w, "box", "id -u; cat /proc/self/uid_map").split(), ["0", "0", str(FIRST), str(COUNT)])
        check(os.readlink("/proc/%d/ns/user" % pid) != os.readlink("/proc/self/ns/user"), "a user namespace of its own")
        two = sleeper(w, "two", "--user", "1234:5678")
        equal((ids(two), ids(two, "Gid")), (str(FIRST + 1234), str(FIRST + 5678)))
        equal(w.exec("two", "id", "-u").stdout.strip(), "1234", "an exec")
        equal(sh(w, "box", "stat -c %u:%g / /bin /etc/hosts /etc/resolv.conf /etc/hostname").split(), ["0:0"] * 5)
        equal(sh(w, "box", "touch /f; chown 12:34 /f; stat -c %u:%g /f; echo x >>/etc/hosts; tail -n1 /etc/hosts").split(),
              ["12:34", "x"])
        equal(sh(w, "box", "rm /bin/ls; test ! -e /bin/ls; mkdir /tmp/d; rmdir /tmp/d; mv /f /g; stat -c %u /g"), "12",
              "whiteouts and renames")
        contains(w.docker("top", "box"), "sleep 1000")
        sh(w, "box", "echo u:x:21:22::/:/bin/sh >>/etc/passwd; cp /bin/busybox /tmp/sleep\n"
           "start-stop-daemon -S -b -c u -x /tmp/sleep -- 999")
        changed = until(lambda: [p for p in w.get("/containers/box/top")["Processes"] if p[-1] == "/tmp/sleep 999"], "setuid")
        equal((ids(int(changed[0][1])), ids(int(changed[0][1]), "Gid")), (str(FIRST + 21), str(FIRST + 22)))


def test_the_kernel_inside(w):
    with remapped(w):
        sleeper(w, "box", "--sysctl", "net.ipv4.ip_default_ttl=77", "--init", "-w", "/new/folder")
        equal(sh(w, "box", "cat /proc/sys/net/ipv4/ip_default_ttl"), "77")
        equal(sh(w, "box", "ls /sys/class/net").split(), ["eth0", "lo"], "sysfs is that of its network namespace")
        equal(sh(w, "box", "echo x >/dev/null; head -c 3 /dev/zero | wc -c; stat -c %u:%g /new/folder; pwd").split(),
              ["3", "0:0", "/new/folder"])
        w.docker("run", "--rm", "-t", "--device", "/dev/full:/dev/my", IMAGE, "test", "-c", "/dev/my")
        sleeper(w, "dev", "--device", "/dev/full:/dev/my")
        w.docker("restart", "-t", "0", "dev")
        equal(sh(w, "dev", "stat -c %F /dev/my; echo x 2>&1 >/dev/my || true").split("\n")[0], "character special file")
        equal(w.docker("run", "--rm", "-t", IMAGE, "sh", "-c", "tty; stat -c %u:%g $(tty)").split(), ["/dev/pts/0", "0:5"])
        check(w.exec("box", "sh", "-c", "echo 1 >/proc/sys/kernel/sysrq").returncode != 0, "the host's settings are safe")
        check(w.exec("box", "mount", "-t", "tmpfs", "x", "/tmp").returncode != 0, "seccomp and capabilities as ever")
        other = w.docker("run", "--rm", "--network", "container:box", "--ipc", "private", IMAGE, "ls", "/sys/class/net")
        equal(other.split(), ["eth0", "lo"])


def test_binds_and_volumes(w):
    with remapped(w):
        src = w.base + "/src"
        os.makedirs(src)
        os.chown(src, FIRST, FIRST)
        sleeper(w, "box", "-v", src + ":/b", "-v", "vol:/v", "-v", "home:/etc", "--tmpfs", "/t",
                "--ipc", "shareable")
        sh(w, "box", "touch /b/f; touch /b/g; chown 5:6 /b/g; touch /v/f; touch /t/f; touch /dev/shm/f")
        equal((owner(src + "/f"), owner(src + "/g")), ((FIRST, FIRST), (FIRST + 5, FIRST + 6)))
        vol = w.get("/volumes/vol")["Mountpoint"]
        equal((owner(vol), owner(vol + "/f")), ((FIRST, FIRST), (FIRST, FIRST)))
        home = w.get("/volumes/home")["Mountpoint"]
        equal(owner(home + "/passwd"), (FIRST, FIRST), "copied up from the image")
        equal(sh(w, "box", "stat -c %u:%g /v /etc/passwd"), "0:0\n0:0")
        root = w.base + "/closed"
        os.makedirs(root)
        os.chmod(root, 0o700)
        check(w.docker_try("run", "--rm", "-v", root + ":/c", IMAGE, "touch", "/c/f").returncode != 0,
              "the host's root's folder is closed")
        w.docker("run", "--rm", "-v", "vol:/v", "--mount", "type=volume,source=vol,target=/w", IMAGE, "test", "-f", "/w/f")


def tar_of(raw):
    with tarfile.open(fileobj=io.BytesIO(raw)) as t:
        return {m.name.rstrip("/"): (m.uid, m.gid) for m in t}


def test_copies_and_commits(w):
    with remapped(w):
        sleeper(w, "box")
        sh(w, "box", "mkdir /d; touch /d/f; chown 12:34 /d/f")
        raw = w.api("GET", "/containers/box/archive?path=/d").body
        equal(tar_of(raw), {"d": (0, 0), "d/f": (12, 34)}, "out of it")
        equal(put(w, "box", "/tmp", raw), 200)
        equal(sh(w, "box", "stat -c %u:%g /tmp/d/f"), "12:34", "into it")
        equal(tar_of(w.api("GET", "/containers/box/export").body).get("d/f"), (12, 34), "export")
        w.docker("commit", "box", "new:1")
        equal(w.docker("run", "--rm", "new:1", "stat", "-c", "%u:%g", "/d/f"), "12:34", "commit")
        contains(w.docker("diff", "box"), "A /d/f")
        w.docker("create", "--name", "idle", IMAGE)
        equal(put(w, "idle", "/tmp", raw), 200)
        equal(tar_of(w.api("GET", "/containers/idle/archive?path=/tmp/d").body)["d/f"], (12, 34), "not running")


def put(w, name, path, raw):
    r = w.api("PUT", "/containers/%s/archive?path=%s" % (name, path), raw=raw,
              headers={"Content-Type": "application/x-tar"})
    return r.status


def test_networks_and_ports(w):
    with remapped(w):
        w.docker("network", "create", "net-a")
        w.serve("web", "net-a", 80, "-p", "8080:80")
        sleeper(w, "box", "--network", "net-a")
        contains(w.http_get("box", "http://web/") or "", "web")
        contains(w.http_get("internet", "http://%s:8080/" % HOST_UP) or "", "web")
        w.docker("network", "create", "net-b")
        w.docker("network", "connect", "net-b", "box")
        equal(sh(w, "box", "ls /sys/class/net").split(), ["eth0", "eth1", "lo"])
        w.docker("network", "disconnect", "net-b", "box")


def test_builds(w):
    folder = w.base + "/context"
    os.makedirs(folder)
    with open(folder + "/f", "w") as f:
        f.write("hello\n")
    with open(folder + "/Dockerfile", "w") as f:
        f.write("FROM %s\nCOPY --chown=12:34 f /d/f\nRUN touch /d/g && chown 56:78 /d/g\nWORKDIR /x\n" % IMAGE)
    with remapped(w):
        w.docker("build", "-t", "built", folder, env={"DOCKER_BUILDKIT": "0"}, timeout=120)
        equal(w.docker("run", "--rm", "built", "stat", "-c", "%u:%g", "/d/f", "/d/g", "/x").split(), ["12:34", "56:78", "0:0"])


def test_kill9(w):
    with remapped(w):
        pid = sleeper(w, "box", "-p", "8081:80", "-v", "vol:/v")
        first = os.readlink("/proc/%d/ns/user" % pid)
        w.kill9()
        w.start(FLAG)
        equal(w.inspect("box")["State"]["Pid"], pid)
        sh(w, "box", "touch /v/f")
        other = sleeper(w, "other", "--network", "container:box")
        equal(os.readlink("/proc/%d/ns/user" % other), first, "one user namespace for all lives")
        w.docker("restart", "-t", "0", "box")
        equal(sh(w, "box", "cat /v/f; id -u"), "0")


def test_the_host_s_user_namespace(w):
    with remapped(w):
        pid = sleeper(w, "box", "--userns", "host", "--ipc", "shareable")
        equal(ids(pid), "0")
        equal(os.readlink("/proc/%d/ns/user" % pid), os.readlink("/proc/self/ns/user"))
        equal(sh(w, "box", "stat -c %u:%g /bin; touch /f; stat -c %u /f; ls /sys/class/net").split(), ["0:0", "0", "eth0", "lo"])
        for mode in ("--network", "--ipc", "--pid"):
            w.docker_fails("run", "--rm", mode, "container:box", IMAGE, "true",
                           says="namespace of container box, which is in the host's user namespace")
        w.docker("run", "--rm", "--userns", "host", "--privileged", IMAGE, "mount", "-t", "tmpfs", "x", "/tmp")
        equal(w.docker("run", "--rm", "--userns", "host", "--network", "host", IMAGE, "id", "-u"), "0")


def test_refusals(w):
    with remapped(w):
        w.docker_fails("run", "--rm", "--privileged", IMAGE, "true",
                       says="privileged mode is incompatible with user namespaces.  You must run the container in the "
                            "host namespace when running privileged mode")
        w.docker_fails("run", "--rm", "--network", "host", IMAGE, "true",
                       says="cannot share the host's network namespace when user namespaces are enabled")
        w.docker_fails("run", "--rm", "--pid", "host", IMAGE, "true",
                       says="cannot share the host PID namespace when user namespaces are enabled")


def ends_with(w, flag, text, *more):
    size = w.log_size()
    w.start(flag, *more, wait=False)
    check(w.engine.wait(20) != 0, "%s is refused", flag)
    contains(w.log_tail(since=size), text)


def test_folders_that_will_not_do(w):
    line = "%s:%d:%d\n" % (USER, FIRST, COUNT)
    with etc(subuid=line, subgid=line):
        w.stop()
        closed = w.base + "/shut"
        os.makedirs(closed, 0o700)
        ends_with(w, FLAG, "(%s) restricts access to the remapped root" % closed, "--data-root", closed + "/data")
        # /var/lib of the sandbox is an overlay, whose ids cannot be mapped
        ends_with(w, FLAG, "cannot map ids of a mount", "--data-root", "/var/lib/remapped")
        w.start()
        check(not os.path.exists(w.exec_root + "/userns"), "a life without it leaves nothing of it")


def without(path):
    with open(path) as f:
        return re.sub(r"(?m)^dockremap:.*\n", "", f.read())


def test_who_has_no_ids(w):
    passwd, group = without("/etc/passwd"), without("/etc/group")
    w.stop()
    with etc(passwd=passwd, group=group, subuid="dockremap:300000:65536\n",
             subgid="dockremap:300000:1000\ndockremap:500000:64536\n"):
        ends_with(w, "--userns-remap=default", "useradd --system --user-group dockremap")
        ends_with(w, "--userns-remap=nobody-there", "no such user")
        ends_with(w, "--userns-remap=daemon", 'No subordinate ids found for "daemon" in /etc/subuid')
        with etc(passwd=passwd + "dockremap:x:4321:4321::/:/bin/false\n", group=group + "dockremap:x:4321:\n"):
            w.start("--userns-remap=default")
            equal(w.docker("run", "--rm", IMAGE, "cat", "/proc/self/gid_map").split(),
                  "0 300000 1000 1000 500000 64536".split())
            w.reset()
            w.stop()
            shutil.rmtree(w.data + "/300000.300000")
        w.start()


if __name__ == "__main__":
    main(globals())
