#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes and mounts: options of the local driver, -v, --mount, --volumes-from, filters, prune. Most of it runs on
dockerd, too."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testbed import IMAGE, check, contains, equal, main, timeout, until  # noqa: E402


def mounts_of(w, name):
    return {m["Destination"]: m for m in w.inspect(name)["Mounts"]}


def is_mounted(w, path):
    with open("/proc/%d/mountinfo" % w.engine.pid) as f:
        return any(line.split()[4] == path for line in f)


def in_engine(w, script):
    """A script in the engine's mount namespace, which is its own on some hosts."""
    w.sh("nsenter -t %d -m sh -euc '%s'" % (w.engine.pid, script))


def sleeper(w, name, *args):
    return w.docker("run", "-d", "--name", name, *args, IMAGE, "sleep", "1000")


# ---- the local driver's options ----

def test_a_tmpfs_volume_lives_as_long_as_its_users(w):
    w.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,mode=700", "tt")
    v = w.get("/volumes/tt")
    equal(v["Options"], {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=700"})
    check(not is_mounted(w, v["Mountpoint"]), "mounted before anybody uses it")
    sleeper(w, "aa", "-v", "tt:/t")
    check(is_mounted(w, v["Mountpoint"]), "not mounted while a uses it")
    contains(w.exec("aa", "df", "-k", "/t").stdout, "1024")
    equal(w.exec("aa", "stat", "-c", "%a %T", "-f", "/t").returncode, 0)
    equal(w.exec("aa", "stat", "-c", "%a", "/t").stdout.strip(), "700")
    w.docker("exec", "aa", "touch", "/t/kept")
    sleeper(w, "bb", "-v", "tt:/t")
    equal(w.exec("bb", "ls", "/t").stdout.strip(), "kept", "one file system for both")
    w.docker("rm", "-f", "aa")
    check(is_mounted(w, v["Mountpoint"]), "gone though b uses it")
    w.docker("rm", "-f", "bb")
    until(lambda: not is_mounted(w, v["Mountpoint"]), "the unmount")
    equal(w.docker("run", "--rm", "-v", "tt:/t", IMAGE, "ls", "/t"), "", "a new one is empty")
    w.docker("volume", "rm", "tt")


def test_a_bind_volume(w):
    src = w.base + "/src"
    os.makedirs(src)
    with open(src + "/f", "w") as f:
        f.write("hello\n")
    w.docker("volume", "create", "-o", "type=none", "-o", "device=" + src, "-o", "o=bind", "bb")
    equal(w.docker("run", "--rm", "-v", "bb:/b", IMAGE, "cat", "/b/f"), "hello")
    w.docker("run", "--rm", "-v", "bb:/b", IMAGE, "sh", "-c", "echo more >/b/g")
    check(os.path.exists(src + "/g"), "written through")
    w.docker("volume", "create", "-o", "type=none", "-o", "device=" + src, "-o", "o=bind,ro", "rr")
    w.docker_fails("run", "--rm", "-v", "rr:/b", IMAGE, "touch", "/b/h", says="Read-only file system")
    w.docker("volume", "rm", "bb", "rr")
    check(os.path.exists(src + "/f"), "what it was bound to stays")


def test_a_mount_that_fails(w):
    w.docker("volume", "create", "-o", "type=none", "-o", "device=/nonexistent/x", "-o", "o=bind", "bad")
    said = w.docker_fails("run", "--name", "cc", "-v", "bad:/b", IMAGE, "true")
    contains(said, "failed to mount local volume: mount /nonexistent/x:")
    contains(said, "no such file or directory")
    w.docker("volume", "create", "-o", "type=cifs", "-o", "device=//192.0.2.1/s", "-o",
             "o=addr=192.0.2.1,password=secret,username=u,vers=99", "cc")
    said = w.docker_fails("run", "--name", "dd", "-v", "cc:/b", IMAGE, "true")
    if w.kind != "dockerd":  # 20.10 tells it
        check("secret" not in said, "the password is told: %s", said)
        contains(said, "password=********")
    w.docker("volume", "create", "-o", "type=nfs", "-o", "device=:/x", "-o", "o=addr=nowhere.invalid", "nn")
    contains(w.docker_fails("run", "--name", "ee", "-v", "nn:/b", IMAGE, "true"),
             "error resolving passed in network volume address")


def test_bad_options_are_told(w):
    for opts, text in (({"nonsense": "1"}, 'invalid option: "nonsense"'),
                       ({"type": "tmpfs"}, 'missing required option: "device"'),
                       ({"device": "/x"}, 'missing required option: "type"'),
                       ({"o": "bind", "type": "none"}, 'missing required option: "device"'),
                       ({"size": "10m"}, "quota size requested but no quota support"),
                       ({"type": "cifs", "device": "//h:445/x"}, "port not allowed in CIFS device URL")):
        if w.kind == "dockerd" and "cifs" in opts.values():
            continue  # newer than 20.10
        r = w.api("POST", "/volumes/create", {"Name": "vv", "DriverOpts": opts})
        equal(r.status, 400 if w.kind != "dockerd" else r.status, "%s: %r" % (opts, r))
        contains(r.message, text)
    r = w.api("POST", "/volumes/create", {"Name": "vv", "Driver": "nonsense"})
    contains(r.message, 'error looking up volume plugin nonsense: plugin "nonsense" not found')
    r = w.api("POST", "/volumes/create", {"Name": "a/b"})
    equal(r.status, 400)
    contains(r.message, "includes invalid characters for a local volume name")
    equal(w.get("/volumes")["Volumes"] or [], [], "nothing was made")


def test_update_needs_swarm(w):
    w.docker("volume", "create", "vv")
    if w.kind == "dockerd":
        return  # 20.10 has no such route
    r = w.api("PUT", "/volumes/vv?version=1", {"Spec": {}})
    equal(r.status, 503)
    contains(r.message, "volume update only valid for cluster volumes, but swarm is unavailable")


@timeout(90)
def test_two_starts_at_once_mount_once(w):
    w.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "tt")
    ids = [w.docker("create", "-v", "tt:/t", IMAGE, "sleep", "1000") for _ in range(4)]
    w.docker("start", *ids)
    with open("/proc/%d/mountinfo" % w.engine.pid) as f:
        equal(sum(line.split()[4].endswith("/volumes/tt/_data") for line in f), 1, "mounts")
    w.docker("rm", "-f", *ids)
    w.docker("volume", "rm", "tt")


@timeout(90)
def test_a_kill_keeps_what_is_used_and_drops_the_rest(w):
    if w.kind == "dockerd":
        return
    w.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "tt")
    w.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "uu")
    t, u = (w.get("/volumes/" + n)["Mountpoint"] for n in ("tt", "uu"))
    sleeper(w, "aa", "-v", "tt:/t")
    sleeper(w, "bb", "-v", "uu:/u", "--ipc", "shareable")
    w.docker("exec", "aa", "touch", "/t/kept")
    pid = w.inspect("bb")["State"]["Pid"]
    w.kill9()
    os.kill(pid, 9)  # while no engine runs
    w.start()
    equal(w.exec("aa", "ls", "/t").stdout.strip(), "kept")
    until(lambda: not is_mounted(w, u), "the unmount of what ended meanwhile")
    check(is_mounted(w, t), "the running one's volume is gone")
    w.docker("rm", "-f", "aa", "bb")
    until(lambda: not is_mounted(w, t), "the unmount after an adoption")


@timeout(120)
def test_a_start_that_fails_at_any_step_unmounts(w):
    if w.kind == "dockerd":
        return
    w.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "tt")
    w.docker("run", "--rm", "-v", "vv:/v", IMAGE, "mkdir", "/v/sub")
    r = w.api("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["sleep", "1000"], "HostConfig": {
        "IpcMode": "shareable", "Binds": ["tt:/t"], "Mounts": [
            {"Type": "volume", "Source": "vv", "Target": "/m", "VolumeOptions": {"Subpath": "sub"}}]}})
    equal(r.status, 201, repr(r))
    before = w.mounts()
    try:
        for step in range(1, 12):
            w.env["ATOLL_FAIL_STEP"] = "start:%d" % step
            w.restart()
            r2 = w.api("POST", "/containers/%s/start" % r.json["Id"])
            equal(r2.status, 500, "step %d: %r" % (step, r2))
            contains(r2.message, "fault injected at step")
            until(lambda: w.mounts() == before, "all is unmounted after step %d" % step)
    finally:
        del w.env["ATOLL_FAIL_STEP"]
        w.restart()
    equal(w.api("POST", "/containers/%s/start" % r.json["Id"]).status, 204)
    equal(len(w.mounts()), len(before) + 5, "root, shm, subpath, volume and the network's pin: %s" % w.mounts())
    w.docker("rm", "-f", r.json["Id"])
    until(lambda: w.mounts() == before, "all is unmounted at the end")


# ---- copy-up, subpaths, read-only ----

def test_copy_up(w):
    equal(w.docker("run", "--rm", "-v", "full:/etc", IMAGE, "sh", "-c", "ls /etc | grep -c passwd"), "1")
    equal(w.docker("run", "--rm", "-v", "bare:/etc:nocopy", IMAGE, "sh", "-c", "ls /etc | grep -c passwd || true"), "0")
    equal(w.docker("run", "--rm", "--mount", "type=volume,src=bare2,dst=/etc,volume-nocopy", IMAGE, "sh", "-c",
                   "ls /etc | grep -c passwd || true"), "0")
    if w.kind == "dockerd":
        return  # fills it at create, and unmounts what it filled
    w.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mounted")
    equal(w.docker("run", "--rm", "-v", "mounted:/etc", IMAGE, "sh", "-c", "ls /etc | grep -c passwd"), "1",
          "a file system of its own is filled, too")


def test_a_subpath_of_a_volume(w):
    if w.kind == "dockerd":
        return  # 1.45
    w.docker("run", "--rm", "-v", "vv:/v", IMAGE, "sh", "-c",
             "mkdir -p /v/a/b; echo deep >/v/a/b/f; echo one >/v/file; ln -s /etc /v/out; ln -s ../../../../etc /v/up")

    def create(sub, source="vv", target="/m"):
        return w.api("POST", "/containers/create", {
            "Image": IMAGE, "Cmd": ["cat", "/m/f"], "HostConfig": {"Mounts": [
                {"Type": "volume", "Source": source, "Target": target, "VolumeOptions": {"Subpath": sub}}]}})

    r = create("a/b")
    equal(r.status, 201, repr(r))
    equal(w.docker("start", "-a", r.json["Id"]), "deep")
    equal(w.docker("start", "-a", r.json["Id"]), "deep", "again")
    r = create("file", target="/m/f")
    equal(w.docker("start", "-a", r.json["Id"]), "one", "a file")
    for sub, source, text in (("../x", "vv", "subpath must be a relative path within the volume"),
                              ("/x", "vv", "subpath must be a relative path within the volume"),
                              ("x", "", "must not set Subpath when using anonymous volumes")):
        r = create(sub, source)
        equal(r.status, 400, repr(r))
        contains(r.message, text)
    r = create("none")
    contains(w.docker_fails("start", r.json["Id"]), "cannot access path")
    for sub in ("out", "up"):  # a link leads to what is below the volume, never out
        r = create(sub)
        equal(r.status, 201)
        contains(w.docker_fails("start", r.json["Id"]), "cannot access path")


def test_binds(w):
    top = w.base + "/bind"
    w.docker("run", "--rm", "-v", top + "/made:/m", IMAGE, "touch", "/m/f")
    check(os.path.isdir(top + "/made"), "-v makes what is not there")
    said = w.docker_fails("create", "--mount", "type=bind,src=%s/none,dst=/m" % top, IMAGE)
    contains(said, 'invalid mount config for type "bind": bind source path does not exist: %s/none' % top)
    if w.kind != "dockerd":
        body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"Mounts": [
            {"Type": "bind", "Source": top + "/wanted", "Target": "/m", "BindOptions": {"CreateMountpoint": True}}]}}
        r = w.api("POST", "/containers/create", body)
        equal(r.status, 201, repr(r))
        w.docker("start", "-a", r.json["Id"])
        check(os.path.isdir(top + "/wanted"), "CreateMountpoint makes it")
    w.docker_fails("run", "--rm", "-v", top + ":/m:ro", IMAGE, "touch", "/m/x", says="Read-only file system")
    w.docker("run", "--rm", "-v", top + ":/m:cached,z", IMAGE, "touch", "/m/x")
    for mode in ("ro,rw", "nonsense", "rshared,rslave"):
        contains(w.docker_fails("create", "-v", "%s:/m:%s" % (top, mode), IMAGE), "invalid mode: " + mode)


def test_what_is_mounted_below_a_bind(w):
    top = w.base + "/tree"
    os.makedirs(top + "/sub")
    in_engine(w, "mount -t tmpfs tmpfs %s/sub && touch %s/sub/inner" % (top, top))
    try:
        equal(w.docker("run", "--rm", "-v", top + ":/m", IMAGE, "ls", "/m/sub"), "inner")
        equal(w.docker("run", "--rm", "--mount", "type=bind,src=%s,dst=/m,bind-nonrecursive" % top, IMAGE, "ls",
                       "/m/sub"), "")
        if w.kind == "dockerd":
            return
        r = w.atoll_try("run", "--rm", "-v", top + ":/m:ro", IMAGE, "touch", "/m/sub/x")  # docker's old clients mean less by ro
        check(r.returncode and "Read-only file system" in r.stderr, "%s", r)
        body = {"Image": IMAGE, "Cmd": ["touch", "/m/sub/x"], "HostConfig": {"Mounts": [
            {"Type": "bind", "Source": top, "Target": "/m", "ReadOnly": True,
             "BindOptions": {"ReadOnlyNonRecursive": True}}]}}
        r = w.api("POST", "/containers/create", body)
        w.docker("start", "-a", r.json["Id"])
        equal(w.inspect(r.json["Id"])["State"]["ExitCode"], 0, "ReadOnlyNonRecursive")
        body["HostConfig"] = {"Binds": [top + ":/m:ro"]}
        r = w.api("POST", "/v1.43/containers/create", body)
        w.docker("start", "-a", r.json["Id"])
        equal(w.inspect(r.json["Id"])["State"]["ExitCode"], 0, "an old client's ro")
        for ro, o, text in ((False, {"ReadOnlyNonRecursive": True}, "!ReadOnly && BindOptions.ReadOnlyNonRecursive"),
                            (True, {"ReadOnlyNonRecursive": True, "ReadOnlyForceRecursive": True},
                             "ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive")):
            body["HostConfig"] = {"Mounts": [{"Type": "bind", "Source": top, "Target": "/m", "ReadOnly": ro,
                                              "BindOptions": o}]}
            contains(w.api("POST", "/containers/create", body).message, "mount options conflict: " + text)
    finally:
        in_engine(w, "umount %s/sub" % top)


def test_flags_of_the_source_stay(w):
    top = w.base + "/flags"
    os.makedirs(top)
    in_engine(w, "mount -t tmpfs -o nosuid,nodev tmpfs {0} && mount -o remount,bind,ro,nosuid,noexec {0}".format(top))
    try:
        w.docker_fails("run", "--rm", "-v", top + ":/m", IMAGE, "touch", "/m/x", says="Read-only file system")
        out = w.docker("run", "--rm", "-v", top + ":/m", IMAGE, "grep", " /m ", "/proc/mounts")
        for word in ("ro", "nosuid", "noexec"):
            check(word in out.split()[3].split(","), "%s is lost: %s", word, out)
    finally:
        in_engine(w, "umount " + top)


def test_propagation(w):
    top = w.base + "/prop"
    os.makedirs(top + "/p")
    in_engine(w, "mount --bind {0} {0} && mount --make-private {0}".format(top))
    try:
        said = w.docker_fails("run", "--rm", "-v", top + "/p:/p:rshared", IMAGE, "true")
        contains(said, "path %s/p is mounted on %s but it is not a shared mount" % (top, top))
        said = w.docker_fails("run", "--rm", "-v", top + "/p:/p:rslave", IMAGE, "true")
        contains(said, "but it is not a shared or slave mount")
        in_engine(w, "mount --make-shared " + top)
        sleeper(w, "ss", "-v", top + "/p:/p:rslave")
        equal(mounts_of(w, "ss")["/p"]["Propagation"], "rslave")
        os.makedirs(top + "/p/x")
        in_engine(w, "mount -t tmpfs tmpfs %s/p/x && touch %s/p/x/late" % (top, top))
        until(lambda: w.exec("ss", "ls", "/p/x").stdout.strip() == "late", "the mount comes through")
        in_engine(w, "umount %s/p/x" % top)
    finally:
        w.docker_try("rm", "-f", "ss")
        in_engine(w, "umount " + top)


def test_tmpfs(w):
    out = w.docker("run", "--rm", "--tmpfs", "/a:size=1m,mode=750", "--mount",
                   "type=tmpfs,dst=/b,tmpfs-size=2m,tmpfs-mode=1700", IMAGE, "sh", "-c",
                   "stat -c %a /a; stat -c %a /b; grep -E ' /[ab] ' /proc/mounts")
    contains(out, "750\n1700\n")
    contains(out, "size=1024k")
    contains(out, "size=2048k")
    contains(out, "noexec")
    contains(w.docker("run", "--rm", "--tmpfs", "/a:exec", IMAGE, "grep", " /a ", "/proc/mounts"), "nodev")
    check("noexec" not in w.docker("run", "--rm", "--tmpfs", "/a:exec", IMAGE, "grep", " /a ", "/proc/mounts"), "exec")
    contains(w.docker_fails("run", "--rm", "--tmpfs", "/a:nonsense", IMAGE, "true"), 'nvalid tmpfs option ["nonsense"]')
    contains(w.docker_fails("create", "--tmpfs", "/", IMAGE, "true"), "destination can't be '/'")
    contains(w.docker_fails("create", "--tmpfs", "/a", "-v", "xx:/a", IMAGE), "Duplicate mount point: /a")


# ---- --volumes-from ----

def test_volumes_from(w):
    top = w.base + "/from"
    os.makedirs(top)
    w.docker("create", "--name", "data", "-v", "named:/n", "-v", "/anon", "-v", top + ":/b:ro", "--tmpfs", "/t", IMAGE)
    w.docker("run", "--rm", "--volumes-from", "data", IMAGE, "sh", "-c", "echo x >/n/f; echo y >/anon/f")
    equal(w.docker("run", "--rm", "--volumes-from", "data:ro", IMAGE, "cat", "/n/f", "/anon/f"), "x\ny")
    w.docker_fails("run", "--rm", "--volumes-from", "data:ro", IMAGE, "touch", "/n/g", says="Read-only file system")
    w.docker("create", "--name", "heir", "--volumes-from", "data:z", "-v", "other:/n", IMAGE)
    heir, data = mounts_of(w, "heir"), mounts_of(w, "data")
    equal(sorted(heir), ["/anon", "/b", "/n"])
    equal(heir["/n"]["Name"], "other", "an own -v wins")
    equal(heir["/anon"]["Name"], data["/anon"]["Name"])
    equal((heir["/b"]["RW"], heir["/b"]["Source"]), (False, top))
    equal(w.inspect("heir")["HostConfig"]["VolumesFrom"], ["data:z"])
    contains(w.docker_fails("volume", "rm", "named"), "volume is in use - [%s]" % w.inspect("data")["Id"])
    contains(w.docker_fails("create", "--volumes-from", "nobody", IMAGE), "No such container: nobody")
    r = w.api("POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"VolumesFrom": ["data:rslave"]}})
    equal(r.status, 400)
    contains(r.message, "invalid mode: rslave")


# ---- list, inspect, prune ----

def test_inspect(w):
    w.docker("volume", "create", "--label", "a=b", "vv")
    v = w.get("/volumes/vv")
    equal(v, {"Name": "vv", "Driver": "local", "Mountpoint": w.data + "/volumes/vv/_data", "CreatedAt": v["CreatedAt"],
              "Labels": {"a": "b"}, "Options": v["Options"], "Scope": "local"})
    check(not v["Options"], "options of one without: %s", v["Options"])
    equal(w.get("/volumes/nobody", 404)["message"], "get nobody: no such volume")
    again = w.api("POST", "/volumes/create", {"Name": "vv", "Labels": {"c": "d"}})
    equal((again.status, again.json["Labels"]), (201, {"a": "b"}), "one that is there stays as it is")
    equal(w.api("DELETE", "/volumes/nobody").status, 404)
    equal(w.api("DELETE", "/volumes/nobody?force=1").status, 204)


def test_list_filters(w):
    w.docker("volume", "create", "--label", "a=b", "--label", "k", "one")
    w.docker("volume", "create", "--label", "a=c", "two")
    w.docker("create", "--name", "cc", "-v", "two:/t", "-v", "/anon", IMAGE)

    def names(*filters):
        out = w.docker("volume", "ls", "-q", *[x for f in filters for x in ("-f", f)])
        return sorted(n for n in out.split() if len(n) < 64)

    equal(names("name=on"), ["one"])
    equal(names("label=a"), ["one", "two"])
    equal(names("label=a=b"), ["one"])
    equal(names("label=a", "label=k"), ["one"])
    equal(names("dangling=true"), ["one"])
    equal(names("dangling=false"), ["two"])
    equal(names("driver=local"), ["one", "two"])
    equal(names("driver=other"), [])
    contains(w.docker_fails("volume", "ls", "-f", "nonsense=1"), "nvalid filter")
    contains(w.docker_fails("volume", "ls", "-f", "dangling=perhaps"), "nvalid filter 'dangling")


def test_prune(w):
    def fill(name, size):
        w.docker("run", "--name", "f-" + name, "-v", name + ":/v", IMAGE, "sh", "-c",
                 "head -c %d /dev/zero >/v/f" % size)
        w.docker("rm", "f-" + name)

    for n, size in (("one", 100000), ("two", 50000)):
        w.docker("volume", "create", "--label", "n=" + n, n)
        fill(n, size)
    w.docker("run", "--name", "anon", "-v", "/v", IMAGE, "sh", "-c", "head -c 30000 /dev/zero >/v/f")
    anon = mounts_of(w, "anon")["/v"]["Name"]
    w.docker("rm", "anon")  # without -v: its volume stays
    w.docker("create", "--name", "keeps", "-v", "two:/v", IMAGE)
    if w.kind != "dockerd":
        check("com.docker.volume.anonymous" in w.get("/volumes/" + anon)["Labels"], "an anonymous one has the label")
        r = w.api("POST", "/v1.44/volumes/prune")
        equal(r.json, {"VolumesDeleted": [anon], "SpaceReclaimed": 30000}, "anonymous ones only since 1.42")
        r = w.api("POST", '/v1.44/volumes/prune?filters={"all":["perhaps"]}')
        equal(r.status, 400)
        r = w.api("POST", '/v1.44/volumes/prune?filters={"all":["true"],"label!":["n=one"]}')
        equal(r.json, {"VolumesDeleted": [], "SpaceReclaimed": 0})
    r = w.api("POST", '/v1.41/volumes/prune?filters={"label":["n=one"]}')
    equal(r.json, {"VolumesDeleted": ["one"], "SpaceReclaimed": 100000}, "named ones, too, before 1.42")
    r = w.api("POST", "/v1.41/volumes/prune")
    if w.kind != "dockerd":
        equal(r.json, {"VolumesDeleted": [], "SpaceReclaimed": 0}, "two is in use")


def test_df_counts_volumes(w):
    w.docker("run", "--name", "aa", "-v", "vv:/v", IMAGE, "sh", "-c", "head -c 70000 /dev/zero >/v/f; ln /v/f /v/g")
    df = w.get("/system/df")
    use = {v["Name"]: v["UsageData"] for v in df["Volumes"]}
    equal(use["vv"], {"Size": 70000, "RefCount": 1})
    out = w.docker("system", "df", "-v")
    contains(out, "70kB")


def test_options_of_a_mounts_volume(w):
    w.docker("run", "--name", "aa", "--mount", "type=volume,src=vv,dst=/v,volume-label=x=y,volume-driver=local,"
             "volume-opt=type=tmpfs,volume-opt=device=tmpfs,\"volume-opt=o=size=2m,mode=711\"", IMAGE, "stat", "-c",
             "%a", "/v")
    equal(w.docker("logs", "aa"), "711")
    v = w.get("/volumes/vv")
    equal((v["Labels"], v["Options"]["o"]), ({"x": "y"}, "size=2m,mode=711"))
    r = w.api("POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"VolumeDriver": "nonsense",
                                                                            "Binds": ["nn:/x"]}})
    contains(r.message, 'error looking up volume plugin nonsense: plugin "nonsense" not found')


if __name__ == "__main__":
    main(globals())
