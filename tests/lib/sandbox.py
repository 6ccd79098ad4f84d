# SPDX-License-Identifier: GPL-2.0-or-later
"""A sandbox that leaves nothing: own pid, mount, network, uts and ipc namespaces for a function.

run(fn) forks twice. The process that called stays outside and cleans up; inside, a tiny init (pid 1
of the sandbox) reaps orphans as a real host's init does. When init ends, for whatever reason, the
kernel kills every process of the sandbox, and with them go its mounts and network namespaces. What
is left then are cgroup directories and one empty directory, which the outside process removes.

Inside: /proc is the sandbox's; /run is empty; /etc and /var/lib are overlays (writes stay inside);
BASE, a short path below /tmp, is a tmpfs (ATOLL_TEST_DISK=1: the disk). The cgroup file systems stay
as the host mounts them.
"""
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
CGROUPS = "/sys/fs/cgroup"

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    if getattr(libc, name)(*args) < 0:
        eno = ctypes.get_errno()
        raise OSError(eno, "%s: %s" % (name, os.strerror(eno)))


def unshare(flags):
    call("unshare", flags)


def setns(fd, kind=0):
    call("setns", fd, kind)


def mount(src, dst, kind=None, flags=0, data=None):
    def enc(x):
        return x.encode() if x is not None else None
    call("mount", enc(src), enc(dst), enc(kind), ctypes.c_ulong(flags), enc(data))


def umount(path, flags=2):
    call("umount2", path.encode(), flags)


def possible():
    """None, or why a sandbox cannot be made here."""
    if os.geteuid() != 0:
        return "not root"
    pid = os.fork()
    if pid == 0:
        try:
            unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET)
            os._exit(0)
        except OSError as e:
            os._exit(e.errno or 1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return None if code == 0 else "no new namespaces here: " + os.strerror(code)


def remove_cgroups(name):
    """Removes every cgroup directory called @name at the top of a hierarchy, children first. Return:
    those that stayed."""
    left = []
    tops = [CGROUPS] + [os.path.join(CGROUPS, d) for d in os.listdir(CGROUPS)]
    for top in tops:
        root = os.path.join(top, name)
        for path, _, _ in os.walk(root, topdown=False):
            for _ in range(100):  # a dying process may hold it for a moment
                try:
                    os.rmdir(path)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)
            else:
                left.append(path)
    return left


def _build_inside(base):
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    if not os.environ.get("ATOLL_TEST_DISK"):
        mount("tmpfs", base, "tmpfs", 0, "mode=755,size=2g")
    for path in ("/run", "/var/log"):
        mount("tmpfs", path, "tmpfs", 0, "mode=755")
    os.mkdir("/run/lock", 0o1777)
    os.mkdir("/run/o")
    mount("tmpfs", "/run/o", "tmpfs", 0, "mode=755")
    for i, path in enumerate(("/etc", "/var/lib")):
        for kind in ("u", "w"):
            os.makedirs("/run/o/%s%d" % (kind, i))
        mount("overlay", path, "overlay", 0,
              "lowerdir=%s,upperdir=/run/o/u%d,workdir=/run/o/w%d" % (path, i, i))
    import socket
    socket.sethostname("sandbox")


def _init(base, fn):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _build_inside(base)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = fn(base) or 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def run(fn):
    """fn(base) inside a new sandbox. Return: its exit code; 99 if it left a cgroup behind."""
    base = tempfile.mkdtemp(prefix="atw-", dir="/tmp")
    os.chmod(base, 0o755)
    outside = os.getpid()
    sys.stdout.flush()
    middle = os.fork()
    if middle == 0:
        code = 98
        try:
            call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != outside:
                os._exit(98)
            unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)
            pid = os.fork()
            if pid == 0:
                _init(base, fn)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xff
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)

    def end(signo, frame):
        os.kill(middle, signal.SIGKILL)
    old = [(s, signal.signal(s, end)) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    code = os.waitstatus_to_exitcode(os.waitpid(middle, 0)[1])
    # the kernel is killing what was inside; the directory is free once its mounts are gone
    left = remove_cgroups(os.path.basename(base))
    for _ in range(200):
        shutil.rmtree(base, ignore_errors=True)
        if not os.path.exists(base):
            break
        time.sleep(0.02)
    for s, h in old:
        signal.signal(s, h)
    if left:
        print("# cgroups left behind: " + " ".join(left))
        return 99
    return code if code >= 0 else 128 - code
