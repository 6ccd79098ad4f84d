#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The real docker CLI: every command that concerns what is there, as a user types it, and its output."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def test_version_and_info(w):
    v = json.loads(w.docker("version", "--format", "{{json .}}"))
    matches(v["Server"]["ApiVersion"], r"^1\.\d+$")
    check(v["Server"]["Version"] and v["Server"]["Os"] == "linux", "%s", v["Server"])
    contains(w.docker("version"), "Server:")
    info = json.loads(w.docker("info", "--format", "{{json .}}"))
    for key in ("ID", "Containers", "Images", "Driver", "OperatingSystem", "KernelVersion", "NCPU", "MemTotal", "DockerRootDir", "ServerVersion",
                "CgroupDriver", "CgroupVersion", "DefaultRuntime", "Runtimes", "Plugins", "SecurityOptions", "LoggingDriver"):
        check(key in info, "%s is not in info", key)
    equal((info["Containers"], info["DockerRootDir"]), (0, w.data))
    r = w.docker_try("info")
    equal(r.returncode, 0)
    check("ERROR" not in r.stdout + r.stderr, "%s", r.stdout[-1000:] + r.stderr)
    w.docker("run", "-d", "--name", "one", IMAGE, "sleep", "600")
    info = json.loads(w.docker("info", "--format", "{{json .}}"))
    equal((info["Containers"], info["ContainersRunning"]), (1, 1))


def test_old_api_versions(w):
    for version in ("1.24", "1.30", "1.41", "1.44"):
        env = {"DOCKER_API_VERSION": version}
        equal(w.docker("version", "--format", "{{.Client.APIVersion}}", env=env), version)
        equal(w.docker("run", "--rm", IMAGE, "echo", "v" + version, env=env), "v" + version)
        w.docker("network", "create", "old-net", env=env)
        w.docker("network", "rm", "old-net", env=env)


def test_network_commands(w):
    w.docker("network", "create", "--driver", "bridge", "--attachable", "--label", "x=1", "cli-net")
    lines = w.docker("network", "ls").splitlines()
    matches(lines[0], "NETWORK ID +NAME +DRIVER +SCOPE")
    check(any(line.split()[1:] == ["cli-net", "bridge", "local"] for line in lines), "%s", lines)
    equal(w.docker("network", "ls", "-q", "--no-trunc", "--filter", "label=x=1"), w.network("cli-net")["Id"])
    equal(json.loads(w.docker("network", "inspect", "cli-net"))[0]["Attachable"], True)
    equal(w.docker("network", "inspect", "-f", "{{.Name}} {{.Driver}}", "cli-net", "none").splitlines(), ["cli-net bridge", "none null"])
    matches(w.docker_fails("network", "inspect", "nope"), "network nope not found|No such network: nope")  # older clients have words of their own
    equal(w.docker("network", "rm", "cli-net"), "cli-net")
    matches(w.docker_fails("network", "rm", "cli-net"), "network cli-net not found|No such network: cli-net")
    w.docker("network", "create", "cli-two")
    contains(w.docker("network", "prune", "-f"), "cli-two")


def test_container_commands(w):
    cid = w.docker("create", "--name", "box", "-p", "8080:80", "-l", "a=b", IMAGE, "sleep", "600")
    equal(w.docker("start", "box"), "box")
    row = next(r for r in w.docker("ps", "--no-trunc").splitlines() if cid in r)
    for part in (IMAGE, "sleep 600", "Up ", "0.0.0.0:8080->80/tcp", "box"):
        contains(row, part)
    equal(w.docker("port", "box", "80/tcp").splitlines()[0], "0.0.0.0:8080")
    equal(w.docker("inspect", "-f", "{{.State.Status}} {{.Config.Labels.a}} {{len .NetworkSettings.Networks}}", "box"), "running b 1")
    equal(w.docker("exec", "box", "echo", "in"), "in")
    equal(w.docker("rename", "box", "chest"), "")
    equal(w.docker("restart", "-t", "0", "chest"), "chest")
    equal(w.docker("kill", "chest"), "chest")
    equal(w.docker("wait", "chest"), "137")
    equal(w.docker("rm", "chest"), "chest")
    w.docker("run", "--name", "gone", IMAGE, "true")
    w.docker("container", "inspect", "gone")
    w.docker_fails("inspect", "nothing-like-it", code=1)


def test_multiple_networks_at_run(w):
    api = w.docker("version", "--format", "{{.Client.DefaultAPIVersion}}")
    if tuple(map(int, api.split("."))) < (1, 44):
        raise Skip("this docker CLI (API %s) takes one network at run" % api)
    for n in ("first", "second"):
        w.docker("network", "create", n)
    w.docker("run", "-d", "--name", "dual", "--network", "name=first,alias=f1", "--network", "name=second,alias=s1", IMAGE, "sleep", "600")
    w.docker("run", "-d", "--name", "peer", "--network", "second", IMAGE, "sleep", "600")
    equal(sorted(w.inspect("dual")["NetworkSettings"]["Networks"]), ["first", "second"])
    equal(w.resolve("peer", "s1"), [w.address("dual", "second")])
    equal(w.resolve("peer", "f1"), [])


def test_image_and_volume_commands(w):
    w.docker("tag", IMAGE, "mine/tagged:v1")
    lines = w.docker("images").splitlines()
    matches(lines[0], "REPOSITORY +TAG +IMAGE ID")
    check(any(line.split()[:2] == ["mine/tagged", "v1"] for line in lines), "%s", lines)
    equal(w.docker("image", "inspect", "-f", "{{index .RepoTags 0}}", "mine/tagged:v1") in (IMAGE, "mine/tagged:v1"), True)
    contains(w.docker("rmi", "mine/tagged:v1"), "Untagged: mine/tagged:v1")
    equal(w.docker("volume", "create", "vol"), "vol")
    equal(w.docker("volume", "ls", "-q"), "vol")
    equal(json.loads(w.docker("volume", "inspect", "vol"))[0]["Driver"], "local")
    equal(w.docker("volume", "rm", "vol"), "vol")


def test_run_interactive_stream(w):
    """A dialogue over run -i: what is typed comes back line by line while the stream is open."""
    child = subprocess.Popen([w.cli, "run", "-i", "--rm", "--name", "talk", IMAGE, "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=w.env)
    try:
        for i in range(5):
            child.stdin.write("echo answer $((%d * 2))\n" % i)
            child.stdin.flush()
            equal(child.stdout.readline(), "answer %d\n" % (i * 2))
        child.stdin.write("exit 3\n")
        child.stdin.close()
        equal(child.wait(15), 3)
    finally:
        child.kill()
        child.wait()
        for f in (child.stdin, child.stdout, child.stderr):
            f.close()


def test_signals_reach_the_container(w):
    """SIGINT to `docker run` in the foreground goes to the container."""
    child = subprocess.Popen([w.cli, "run", "--rm", "--name", "sig", IMAGE, "sh", "-c", "trap 'echo got; exit 4' INT; echo up; while :; do sleep 0.1; done"],
                             stdout=subprocess.PIPE, text=True, env=w.env, start_new_session=True)
    try:
        equal(child.stdout.readline(), "up\n")
        child.send_signal(signal.SIGINT)
        equal(child.stdout.readline(), "got\n")
        equal(child.wait(15), 4)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_parallel_clients(w):
    w.docker("network", "create", "busy")
    children = [subprocess.Popen([w.cli, "run", "--rm", "--network", "busy", IMAGE, "sh", "-c", "echo %d; exit %d" % (i, i)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=w.env) for i in range(8)]
    for i, c in enumerate(children):
        out, err = c.communicate(timeout=60)
        equal((out, c.returncode), ("%d\n" % i, i), err)


def test_exec_many(w):
    w.docker("run", "-d", "--name", "box", IMAGE, "sleep", "600")
    children = [subprocess.Popen([w.cli, "exec", "box", "sh", "-c", "echo %d; exit %d" % (i, i)], stdout=subprocess.PIPE, text=True,
                                 env=w.env) for i in range(8)]
    for i, c in enumerate(children):
        out, _ = c.communicate(timeout=60)
        equal((out, c.returncode), ("%d\n" % i, i))


def test_logs_of_a_terminal(w):
    w.docker("run", "-dt", "--name", "tty", IMAGE, "sh", "-c", "echo one; tty; sleep 600")
    until(lambda: "/dev/" in w.docker("logs", "tty"), "output")
    contains(w.docker("logs", "tty"), "one")


def test_detach_keys(w):
    """run -dit, attach, ctrl-p ctrl-q: the container runs on."""
    import pty
    w.docker("run", "-dit", "--name", "shell", IMAGE, "sh")
    main, sub = pty.openpty()
    child = subprocess.Popen([w.cli, "attach", "shell"], stdin=sub, stdout=sub, stderr=sub, env=dict(w.env, TERM="xterm"), start_new_session=True)
    os.close(sub)
    try:
        os.write(main, b"echo he''re\n")
        text = b""
        while b"here" not in text:
            check(select.select([main], [], [], 10)[0], "no answer: %r", text)
            text += os.read(main, 4096)
        os.write(main, b"\x10\x11")
        child.wait(10)
        equal(w.inspect("shell")["State"]["Status"], "running")
    finally:
        child.kill()
        child.wait()
        os.close(main)


if __name__ == "__main__":
    main(globals())
