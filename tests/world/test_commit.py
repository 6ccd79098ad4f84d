#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docker commit: a container's changes as a layer, its config merged, the image whole or not there."""
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403

EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def commit(w, container, body=None, **query):
    r = w.api("POST", "/commit?" + urllib.parse.urlencode(dict(container=container, **query), doseq=True), body)
    equal(r.status, 201, r.text[:500])
    return r.json["Id"]


def image(w, ref):
    return w.get("/images/%s/json" % ref)


def files(w, ref, *command):
    return w.docker("run", "--rm", ref, *command)


def ready(w, name):
    until(lambda: w.exec(name, "test", "-e", "/ready").returncode == 0, "prepared", 20)


def test_commit(w):
    """What a container wrote, changed and removed is so in its image, running or not."""
    w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c",
             "mkdir -p /d/e; echo new >/d/e/f; ln /d/e/f /d/hard; ln -s e/f /d/soft; chown 12:34 /d/e/f; chmod 4711 /d/e/f;"
             "mknod /d/node b 7 9; mkfifo /d/pipe; rm -r /tmp; mkdir /tmp; echo t >/tmp/t; rm /bin/vi;"
             "truncate -s 1G /d/sparse; echo end >>/d/sparse; touch /d/%s /ready; sleep 600" % ("n" * 200))
    ready(w, "c1")
    for state in ("running", "stopped"):
        made = commit(w, "c1", repo="made", tag=state, author="me", comment="a comment")
        i = image(w, "made:" + state)
        base = image(w, IMAGE)
        equal((i["Id"], i["Parent"], i["Author"], i["Comment"]), (made, base["Id"], "me", "a comment"))
        equal(i["RootFS"]["Layers"][:-1], base["RootFS"]["Layers"], "the parent's layers, and one more")
        check(i["Size"] > base["Size"], "its size counts")
        out = files(w, "made:" + state, "sh", "-c", "cat /d/hard /d/soft; stat -c '%a %u:%g %h' /d/e/f; stat -c '%F %t:%T' /d/node; "
                    "stat -c %F /d/pipe; ls /tmp; ls /bin/vi 2>&1; stat -c %s /d/sparse; tail -c 4 /d/sparse; ls /d | tail -n 1 | wc -c")
        equal(out.split("\n"), ["new", "new", "4711 12:34 2", "block special file 7:9", "fifo", "t",
                                "ls: /bin/vi: No such file or directory", "1073741828", "end", "7"])
        equal(files(w, "made:" + state, "sh", "-c", "ls /d | grep -c nnn"), "1", "a long name")
        w.docker("stop", "-t", "0", "c1")
    disk = run("du", "-sk", w.data).stdout.split()[0]
    check(int(disk) < 200000, "a hole stays a hole: %s KiB", disk)
    entry = w.get("/images/made:running/history")[0]
    equal((entry["Comment"], entry["Tags"]), ("a comment", ["made:running"]))
    contains(entry["CreatedBy"], "mkdir -p /d/e")


def test_cli(w):
    w.docker("run", "--name", "c1", "-e", "A=1", "-e", "B=2", "-l", "one=1", "-w", "/tmp", IMAGE, "sh", "-c", "echo hi >/x")
    with w.event(r'"commit".*"imageRef": ?"mine:v2"'):
        out = w.docker("commit", "-a", "me <me@example.test>", "-m", "why", "-c", "CMD cat /x", "-c", "ENV B=3 C=4", "-c", "EXPOSE 80",
                       "-c", 'ENTRYPOINT []', "-c", "LABEL two=2", "c1", "mine:v2")
    equal(out, image(w, "mine:v2")["Id"])
    config = image(w, "mine:v2")["Config"]
    equal(config["Cmd"], ["/bin/sh", "-c", "cat /x"])
    check({"A=1", "B=3", "C=4"} <= set(config["Env"]) and "B=2" not in config["Env"], "%s", config["Env"])
    equal((config["Labels"], config["WorkingDir"], list(config["ExposedPorts"])), ({"one": "1", "two": "2"}, "/tmp", ["80/tcp"]))
    equal(files(w, "mine:v2"), "hi")
    bare = w.docker("commit", "c1")
    equal(image(w, bare)["RepoTags"], [], "no name")
    equal(image(w, bare)["Config"]["Cmd"], ["sh", "-c", "echo hi >/x"], "the container's own")
    w.docker_fails("commit", "nobody", "x", code=1, says="No such container: nobody")
    w.docker_fails("commit", "-c", "RUN x", "c1", "x", code=1, says="is not a valid change command")
    w.docker_fails("commit", "c1", "UPPER", code=1)


def test_atoll_commit(w):
    w.docker("run", "--name", "c1", IMAGE, "sh", "-c", "echo hi >/x")
    out = w.atoll("commit", "-m", "why", "-a", "me", "-c", "CMD cat /x", "--pause=false", "c1", "ours:1")
    equal(out, image(w, "ours:1")["Id"])
    equal(files(w, "ours:1"), "hi")
    equal(w.atoll_try("commit", "nobody").returncode, 1)


def test_body(w):
    """A client's Config goes before the container's."""
    w.docker("create", "--name", "c1", "-e", "A=1", "-v", "/v", "--user", "5", IMAGE, "sleep", "1")
    i = image(w, commit(w, "c1", {"Env": ["A=2", "Z=9"], "Cmd": ["ls"], "Labels": {"x": "y"}, "Hostname": "not-kept"}))["Config"]
    equal(i["Env"][:2], ["A=2", "Z=9"])
    equal((i["Cmd"], i["Labels"], i["User"], list(i["Volumes"])), (["ls"], {"x": "y"}, "5", ["/v"]))
    r = w.api("POST", "/commit?container=c1", {"Cmd": 5})
    equal(r.status, 400)
    contains(r.message, "cannot unmarshal number into Go struct field")


def test_nothing_changed(w):
    """A container that only ran, or never did, adds no layer: what the runtime mounts over is no change."""
    base = image(w, IMAGE)
    w.docker("create", "--name", "new", IMAGE, "true")
    w.docker("run", "--name", "ran", IMAGE, "true")
    for name in ("new", "ran"):
        i = image(w, commit(w, name))
        equal(i["RootFS"]["Layers"], base["RootFS"]["Layers"], name)
        equal(i["Size"], base["Size"])
    w.docker("run", "--name", "volumes", "-v", "vol:/a/b", IMAGE, "sh", "-c", "echo x >/a/b/c; echo y >/etc/mine")
    i = commit(w, "volumes")
    equal(files(w, i, "sh", "-c", "ls /a/b; cat /etc/mine"), "y", "a volume's content is not of the image")


def test_chain(w):
    """Images of images; their layers are shared, and go when the last one goes."""
    layers = len(os.listdir(w.data + "/layers"))
    ref = IMAGE
    for n in range(3):
        w.docker("run", "--name", "c%d" % n, ref, "sh", "-c", "echo %d >/f%d; rm -f /f%d; mkdir -p /o; rm -rf /o; mkdir /o; echo >/o/%d" % (
            n, n, n - 1, n))
        ref = commit(w, "c%d" % n, repo="chain", tag="t%d" % n)
    equal(files(w, ref, "sh", "-c", "ls -d /f*; ls /o").split(), ["/f2", "2"], "whiteouts and opaque directories")
    equal(len(os.listdir(w.data + "/layers")), layers + 3)
    sizes = [x["Size"] for x in w.get("/images/%s/history" % ref)]
    equal(sizes[:3], [3, 3, 3], "what each step added")
    equal(sum(sizes), image(w, ref)["Size"], "all layers")
    w.docker("rm", "c0", "c1", "c2")
    w.docker("rmi", "chain:t2", "chain:t1", "chain:t0")
    until(lambda: len(os.listdir(w.data + "/layers")) == layers, "the layers go", 10)


def test_parents(w):
    """A step on the way to other images is not listed, not deleted under them, and goes with the last of them."""
    base = image(w, IMAGE)["Id"]
    w.docker("run", "--name", "c1", IMAGE, "sh", "-c", "echo 1 >/one")
    step = commit(w, "c1")
    w.docker("run", "--name", "c2", step, "sh", "-c", "echo 2 >/two")
    commit(w, "c2", repo="child", tag="1")
    w.docker("rm", "c1", "c2")
    listed = {i["Id"]: i["ParentId"] for i in w.get("/images/json?all=1")}
    equal((listed[step], listed[image(w, "child:1")["Id"]]), (base, step))
    check(step not in [i["Id"] for i in w.get("/images/json")], "without all")
    check(step not in [i["Id"] for i in w.get("/images/json?filters=" + urllib.parse.quote('{"dangling":["true"]}'))], "it does not dangle")
    for force in ("0", "1"):
        r = w.api("DELETE", "/images/%s?force=%s" % (step, force))
        equal((r.status, r.message), (409, "conflict: unable to delete %s (cannot be forced) - image has dependent child images" % step[7:19]))
    w.docker("tag", step, "step:1")
    equal(w.docker("rmi", "step:1"), "Untagged: step:1")
    gone = w.docker("rmi", "child:1").split("\n")
    equal([x for x in gone if step in x], ["Deleted: " + step])
    left = [i["Id"] for i in w.get("/images/json?all=1")]
    check(base in left and step not in left, "the parent with a name stays")


HOSTILE = """
mknod /null c 1 3; mknod /disk b 8 0; echo x >/suid; chmod 6755 /suid; mkdir -p /deep; cd /deep
for i in $(seq 1 120); do mkdir d; cd d; done; cd /
ln -s /etc /out; ln -s ../../../../../../etc/passwd /up; mkdir /q; echo 1 >'/q/.wh.x'; echo 1 >'/q/.wh..wh..opq'
printf 1 >"/$(printf 'bad\\377name')"; printf 1 >"/$(printf 'new\\nline')"; truncate -s 2T /huge-hole 2>/dev/null || truncate -s 100G /huge-hole
rm -rf /etc /home /root 2>/dev/null; touch /ready; sleep 600
"""


def test_hostile_container(w):
    """Whatever stands in a container's root: an image of the like, or an error; never harm."""
    w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c", HOSTILE)
    ready(w, "c1")
    r = w.api("POST", "/commit?container=c1&repo=hostile", timeout=120)
    equal(r.status, 400, r.text[:300])
    matches(r.message, "more than 64 GiB")
    equal([x for x in os.listdir(w.data + "/layers") if x.startswith("tmp-")], [], "left")
    w.docker("exec", "c1", "sh", "-c", "rm /huge-hole")
    made = commit(w, "c1", repo="hostile")
    out = w.docker("run", "--rm", "hostile", "sh", "-c", "stat -c '%F %a' /suid; ls -l /null /disk | cut -c1; readlink /out; readlink /up")
    contains(out, "regular file 6755\nb\nc\n/etc\n../../../../../../etc/passwd")
    data = w.docker("save", made, text=False)
    check(len(data) > 1000000, "it can be saved")


def test_pieces_that_stay_whole(w):
    """The parent is removed while its child is made; the container is removed only after."""
    w.load({"parent:1": ([], {"Cmd": ["sh"]})})
    w.docker("run", "-d", "--name", "c1", "parent:1", "sh", "-c", "head -c 60000000 /dev/urandom >/big; touch /ready; sleep 600")
    ready(w, "c1")
    with w.connect_api() as s:
        s.sendall(b"POST /commit?container=c1&repo=child HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        w.docker("rmi", "-f", "parent:1")
        w.docker("rm", "-f", "c1")
        check(s.recv(100).startswith(b"HTTP/1.1 201"))
    equal(files(w, "child", "sh", "-c", "wc -c </big"), "60000000")


@timeout(120)
def test_killed(w):
    """kill -9 in the middle of a commit leaves no half image, no layer, nothing mounted."""
    before = (sorted(os.listdir(w.data + "/layers")), len(w.get("/images/json")))
    w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c", "head -c 90000000 /dev/urandom >/big; touch /ready; sleep 600")
    ready(w, "c1")
    with w.connect_api() as s:
        s.sendall(b"POST /commit?container=c1&repo=half HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        until(lambda: any(x.startswith("tmp-") for x in os.listdir(w.data + "/layers")), "it began", 20)
        w.kill9()
    w.start()
    until(lambda: (sorted(os.listdir(w.data + "/layers")), len(w.get("/images/json"))) == before, "nothing is left", 10)
    commit(w, "c1", repo="whole")
    equal(files(w, "whole", "sh", "-c", "wc -c </big"), "90000000")


WRITES = ("i=0; while :; do i=$((i+1)); echo $i >/a; echo $i >/b; [ $i = 50 ] && head -c 60000000 /dev/urandom >/big && touch /ready; "
          "[ $i -gt 50 ] || continue; done")


@timeout(120)
def test_pause(w):
    """A container stands still while its changes are packed, unless that is not wanted, and then goes on."""
    w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c", WRITES)
    ready(w, "c1")
    with w.event(r'"Action": ?"unpause"'):
        with w.event(r'"Action": ?"pause"'):
            commit(w, "c1", repo="made", tag="1")
    check(not w.inspect("c1")["State"]["Paused"], "it stays paused")
    was = w.docker("exec", "c1", "cat", "/a")
    until(lambda: w.docker("exec", "c1", "cat", "/a") not in ("", was), "it goes on", 10)
    a, b = files(w, "made:1", "sh", "-c", 'echo "$(cat /a):$(cat /b)"').split(":")
    check(not a or not b or int(a) - int(b) in (0, 1), "not of one moment: %s, %s", a, b)
    w.docker("pause", "c1")
    commit(w, "c1", repo="made", tag="2")
    equal(w.inspect("c1")["State"]["Paused"], True, "what was paused stays so")
    w.docker("unpause", "c1")


@timeout(120)
def test_killed_while_it_stands_still(w):
    """kill -9 of the engine, and the container's end, in the middle of a commit: nothing stays frozen."""
    w.docker("run", "-d", "--name", "c1", IMAGE, "sh", "-c", WRITES)
    ready(w, "c1")
    for how in ("kill9", "stop", "kill"):
        s = w.connect_api()
        with w.event(r'"Action": ?"pause"'):
            s.sendall(b"POST /commit?container=c1&repo=made&tag=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        if how == "kill":
            w.docker("kill", "c1")
            until(lambda: w.inspect("c1")["State"]["Status"] == "exited", "it ends")
            contains(s.recv(4096).decode(), " 201 ")
        else:
            w.kill9() if how == "kill9" else equal(w.stop(), 0)
            w.start()
            equal(w.inspect("c1")["State"]["Status"], "running")
            was = w.docker("exec", "c1", "cat", "/a")
            until(lambda: w.docker("exec", "c1", "cat", "/a") not in ("", was), "it goes on", 10)
        s.close()


if __name__ == "__main__":
    main(globals())
