#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients read: lists, inspects, disk use, info. The shapes are those of a real dockerd 20.10 at API 1.41, where
the same file runs: ATOLL_TEST_ENGINE=dockerd."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testbed import IMAGE, Skip, check, contains, equal, main, timeout, until  # noqa: E402

STR, INT, BOOL, NULL, LIST, MAP = "str", "int", "bool", "null", "list", "map"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$")  # as Go writes it: no zeros at the end


def kind(v):
    if v is None:
        return NULL
    return {str: STR, int: INT, bool: BOOL, list: LIST, dict: MAP}[type(v)]


def shape(got, want, what):
    """Each key of @want is there with one of its kinds ("str|null"); a dict goes on below."""
    for key, kinds in want.items():
        check(key in got, "%s.%s is absent", what, key)
        if isinstance(kinds, dict):
            equal(kind(got[key]), MAP, "%s.%s" % (what, key))
            shape(got[key], kinds, what + "." + key)
        else:
            check(kind(got[key]) in kinds.split("|"), "%s.%s is %r, want %s", what, key, got[key], kinds)


def absent(got, keys, what):
    for key in keys.split():
        check(key not in got, "%s.%s is there: %r", what, key, got.get(key))


def sleeper(w, name, *args):
    return w.docker("run", "-d", "--name", name, *args, IMAGE, "sleep", "1000")


HOST_CONFIG = {
    "Binds": "list|null", "ContainerIDFile": STR, "LogConfig": {"Type": STR, "Config": MAP}, "NetworkMode": STR,
    "PortBindings": MAP, "RestartPolicy": {"Name": STR, "MaximumRetryCount": INT}, "AutoRemove": BOOL, "VolumeDriver": STR,
    "VolumesFrom": NULL, "CapAdd": NULL, "CapDrop": NULL, "CgroupnsMode": STR, "Dns": LIST, "DnsOptions": LIST,
    "DnsSearch": LIST, "ExtraHosts": NULL, "GroupAdd": NULL, "IpcMode": STR, "Cgroup": STR, "Links": NULL,
    "OomScoreAdj": INT, "PidMode": STR, "Privileged": BOOL, "PublishAllPorts": BOOL, "ReadonlyRootfs": BOOL,
    "SecurityOpt": NULL, "UTSMode": STR, "UsernsMode": STR, "ShmSize": INT, "Runtime": STR, "ConsoleSize": LIST,
    "Isolation": STR, "CpuShares": INT, "Memory": INT, "NanoCpus": INT, "CgroupParent": STR, "BlkioWeight": INT,
    "BlkioWeightDevice": LIST, "CpuPeriod": INT, "CpuQuota": INT, "CpuRealtimePeriod": INT, "CpuRealtimeRuntime": INT,
    "CpusetCpus": STR, "CpusetMems": STR, "Devices": LIST, "DeviceCgroupRules": NULL, "DeviceRequests": NULL,
    "MemoryReservation": INT, "MemorySwap": INT, "MemorySwappiness": NULL, "OomKillDisable": BOOL, "PidsLimit": NULL,
    "Ulimits": "list|null", "CpuCount": INT, "CpuPercent": INT, "IOMaximumIOps": INT, "IOMaximumBandwidth": INT,
    "MaskedPaths": LIST, "ReadonlyPaths": LIST}
ENDPOINT = {"IPAMConfig": "map|null", "Links": NULL, "Aliases": "list|null", "NetworkID": STR, "EndpointID": STR,
            "Gateway": STR, "IPAddress": STR, "IPPrefixLen": INT, "IPv6Gateway": STR, "GlobalIPv6Address": STR,
            "GlobalIPv6PrefixLen": INT, "MacAddress": STR, "DriverOpts": NULL}
CONFIG = {"Hostname": STR, "Domainname": STR, "User": STR, "AttachStdin": BOOL, "AttachStdout": BOOL, "AttachStderr": BOOL,
          "Tty": BOOL, "OpenStdin": BOOL, "StdinOnce": BOOL, "Env": LIST, "Cmd": LIST, "Image": STR, "Volumes": "map|null",
          "WorkingDir": STR, "Entrypoint": NULL, "OnBuild": NULL, "Labels": MAP}
SETTINGS = {"Bridge": STR, "SandboxID": STR, "HairpinMode": BOOL, "LinkLocalIPv6Address": STR, "LinkLocalIPv6PrefixLen": INT,
            "Ports": MAP, "SandboxKey": STR, "SecondaryIPAddresses": NULL, "SecondaryIPv6Addresses": NULL,
            "EndpointID": STR, "Gateway": STR, "GlobalIPv6Address": STR, "GlobalIPv6PrefixLen": INT, "IPAddress": STR,
            "IPPrefixLen": INT, "IPv6Gateway": STR, "MacAddress": STR, "Networks": MAP}
STATE = {"Status": STR, "Running": BOOL, "Paused": BOOL, "Restarting": BOOL, "OOMKilled": BOOL, "Dead": BOOL, "Pid": INT,
         "ExitCode": INT, "Error": STR, "StartedAt": STR, "FinishedAt": STR}
CONTAINER = {"Id": STR, "Created": STR, "Path": STR, "Args": LIST, "State": STATE, "Image": STR, "ResolvConfPath": STR,
             "HostnamePath": STR, "HostsPath": STR, "LogPath": STR, "Name": STR, "RestartCount": INT, "Driver": STR,
             "Platform": STR, "MountLabel": STR, "ProcessLabel": STR, "AppArmorProfile": STR, "ExecIDs": NULL,
             "HostConfig": HOST_CONFIG, "GraphDriver": {"Name": STR, "Data": {
                 "LowerDir": STR, "MergedDir": STR, "UpperDir": STR, "WorkDir": STR}},
             "Mounts": LIST, "Config": CONFIG, "NetworkSettings": SETTINGS}


def test_container_inspect(w):
    w.docker("network", "create", "nw")
    sleeper(w, "one", "--network", "nw", "--network-alias", "al", "-p", "8080:80/tcp", "--expose", "81", "-v", "vol:/v",
            "-v", "/anon", "--label", "a=b", "-e", "X=1", "-w", "/tmp", "--memory", "64m")
    c = w.get("/v1.41/containers/one/json")
    want = dict(CONTAINER, HostConfig=dict(HOST_CONFIG, Binds=LIST))
    shape(c, want, "container")
    shape(c["NetworkSettings"]["Networks"]["nw"], dict(ENDPOINT, IPAMConfig="map|null", Aliases=LIST), "endpoint")
    equal(c["NetworkSettings"]["Ports"]["80/tcp"][0], {"HostIp": "0.0.0.0", "HostPort": "8080"})
    check("81/tcp" in c["NetworkSettings"]["Ports"] and c["NetworkSettings"]["Ports"]["81/tcp"] is None, "exposed only")
    equal(c["Config"]["ExposedPorts"], {"80/tcp": {}, "81/tcp": {}})
    equal(c["Config"]["Env"][0], "X=1", "the container's variables first")
    equal(c["HostConfig"]["MemorySwap"], 128 << 20, "as much swap as memory")
    equal(c["NetworkSettings"]["Networks"]["nw"]["Aliases"], ["al", c["Id"][:12]])
    mounts = {m["Destination"]: m for m in c["Mounts"]}
    equal(mounts["/v"], {"Type": "volume", "Name": "vol", "Source": w.data + "/volumes/vol/_data", "Destination": "/v",
                         "Driver": "local", "Mode": "z", "RW": True, "Propagation": ""})
    equal(mounts["/anon"]["Mode"], "")
    for when in (c["Created"], c["State"]["StartedAt"]):
        check(TIME.match(when), "a time: %s", when)
    equal(c["State"]["FinishedAt"], "0001-01-01T00:00:00Z")
    absent(c, "SizeRw SizeRootFs ImageManifestDescriptor", "container")
    absent(c["State"], "Health", "State")
    absent(c["Config"], "Healthcheck StopTimeout Shell NetworkDisabled", "Config")
    absent(c["HostConfig"], "Annotations Init Mounts Tmpfs Sysctls StorageOpt", "HostConfig")
    sized = w.get("/v1.41/containers/one/json?size=1")
    check(sized["SizeRw"] >= 0 and sized["SizeRootFs"] > 0, "sizes")


def test_container_inspect_at_rest(w):
    w.docker("create", "--name", "three", "-it", "--restart", "on-failure:3", "--tmpfs", "/t:size=1m", IMAGE)
    c = w.get("/v1.41/containers/three/json")
    shape(c, CONTAINER, "container")
    equal((c["State"]["Status"], c["State"]["Pid"], c["State"]["StartedAt"]), ("created", 0, "0001-01-01T00:00:00Z"))
    equal(c["HostConfig"]["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 3})
    equal(c["HostConfig"]["Tmpfs"], {"/t": "size=1m"})
    equal((c["Mounts"], c["Config"]["Volumes"], c["HostConfig"]["Binds"]), ([], None, None))
    equal(c["NetworkSettings"]["SandboxKey"], "")
    w.docker("run", "--name", "four", "--network", "host", "--pid", "host", "--cap-add", "NET_ADMIN", IMAGE, "true")
    c = w.get("/v1.41/containers/four/json")
    equal(c["HostConfig"]["SecurityOpt"], ["label=disable"], "one of the host's pid namespace has no label")
    equal(c["HostConfig"]["CapAdd"], ["CAP_NET_ADMIN"] if c["HostConfig"]["CapAdd"][0].startswith("CAP") else ["NET_ADMIN"])
    equal(list(c["NetworkSettings"]["Networks"]), ["host"])
    equal(c["NetworkSettings"]["Ports"], {})


SUMMARY = {"Id": STR, "Names": LIST, "Image": STR, "ImageID": STR, "Command": STR, "Created": INT, "Ports": LIST,
           "Labels": MAP, "State": STR, "Status": STR, "HostConfig": {"NetworkMode": STR},
           "NetworkSettings": {"Networks": MAP}, "Mounts": LIST}


def test_container_list(w):
    sleeper(w, "one", "-p", "8080:80", "-v", "vol:/v")
    w.docker("exec", "one", "sh", "-c", "head -c 50000 /dev/zero >/f")
    row = w.get("/v1.41/containers/json")[0]
    shape(row, SUMMARY, "summary")
    shape(row["NetworkSettings"]["Networks"]["bridge"], dict(ENDPOINT, Aliases=NULL, IPAMConfig="null|map"), "endpoint")
    check({"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"} in row["Ports"], "%s", row["Ports"])
    absent(row, "SizeRw SizeRootFs", "summary")
    row = w.get("/v1.41/containers/json?size=1")[0]
    check(row["SizeRw"] >= 50000, "SizeRw %d", row["SizeRw"])
    check(row["SizeRootFs"] > row["SizeRw"], "SizeRootFs")
    w.docker("create", "--name", "idle", IMAGE)
    rows = {r["Names"][0]: r for r in w.get("/v1.41/containers/json?all=1&size=1")}
    absent(rows["/idle"], "SizeRw", "summary of one without a layer of its own")


@timeout(120)
def test_container_filters(w):
    w.docker("network", "create", "nw")
    one = sleeper(w, "one", "--label", "a=b", "--label", "k", "-p", "8080:80", "-v", "vol:/v", "--network", "nw")
    two = w.docker("run", "-d", "--name", "two", "--expose", "81", "-v", w.base + ":/b", IMAGE, "sh", "-c", "exit 3")
    w.docker("wait", "two")
    w.docker("create", "--name", "twenty", IMAGE)

    def names(*filters, **query):
        q = "".join("&%s=%s" % i for i in query.items())
        f = {}
        for x in filters:
            k, v = x.split("=", 1)
            f.setdefault(k, []).append(v)
        r = w.api("GET", "/v1.41/containers/json?filters=%s%s" % (json.dumps(f).replace(" ", ""), q))
        equal(r.status, 200, "%s: %r" % (filters, r))
        return [c["Names"][0][1:] for c in r.json]

    equal(names(), ["one"])
    equal(names(all=1), ["twenty", "two", "one"], "newest first")
    equal(names(limit=2), ["twenty", "two"])
    for f, want in (("status=running", ["one"]), ("status=exited", ["two"]), ("status=created", ["twenty"]),
                    ("exited=3", ["two"]), ("exited=0", []), ("name=tw", ["twenty", "two"]), ("name=^/?two$", ["two"]),
                    ("id=" + one[:10], ["one"]), ("label=a", ["one"]), ("label=a=b", ["one"]), ("label=a=c", []),
                    ("ancestor=" + IMAGE, ["twenty", "two", "one"]), ("ancestor=nonsense", []), ("network=nw", ["one"]),
                    ("network=" + w.network("nw")["Id"][:10], ["one"]), ("volume=vol", ["one"]), ("volume=/v", ["one"]),
                    ("volume=" + w.base, ["two"]), ("publish=8080", ["one"]), ("publish=8000-8100/tcp", ["one"]),
                    ("publish=8080/udp", []), ("expose=80", ["one"]), ("before=two", ["one"]), ("since=two", ["twenty"]),
                    ("since=one", ["twenty", "two"]), ("health=none", ["twenty", "two", "one"]), ("is-task=true", []),
                    ("is-task=false", ["twenty", "two", "one"]), ("isolation=default", ["twenty", "two", "one"])):
        equal(names(f, all=1), want, f)
    equal(names("status=exited", "status=created", all=1), ["twenty", "two"])
    equal(names("label=a=b", "label=k", all=1), ["one"])
    equal(names("publish=8080", "expose=7", all=1), ["one"], "publish and expose are one question")
    check(two, "")
    for f, text in (('{"status":["nonsense"]}', "status"), ('{"nonsense":["1"]}', "nonsense"), ('{"exited":["x"]}', "invalid syntax"),
                    ('{"publish":["1:2"]}', "should not contain ':'"), ('{"before":["nobody"]}', "")):
        r = w.api("GET", "/v1.41/containers/json?filters=" + f)
        check(r.status >= 400, "%s: %r", f, r)
        contains(r.message, text)


IMAGE_SUMMARY = {"Containers": INT, "Created": INT, "Id": STR, "Labels": "map|null", "ParentId": STR,
                 "RepoDigests": "list|null", "RepoTags": LIST, "SharedSize": INT, "Size": INT, "VirtualSize": INT}


def test_images(w):
    rows = w.get("/v1.41/images/json")
    for row in rows:
        shape(row, IMAGE_SUMMARY, "image")
        equal((row["SharedSize"], row["Containers"]), (-1, -1), "not counted unless asked for")
    i = w.get("/v1.41/images/%s/json" % IMAGE)
    shape(i, {"Id": STR, "RepoTags": LIST, "RepoDigests": LIST, "Parent": STR, "Comment": STR, "Created": STR,
              "Container": STR, "ContainerConfig": dict(CONFIG, Cmd="list|null", Env="list|null", Labels="map|null"),
              "DockerVersion": STR,
              "Author": STR, "Config": dict(CONFIG, Labels="map|null"), "Architecture": STR, "Os": STR, "Size": INT,
              "VirtualSize": INT, "GraphDriver": {"Name": STR, "Data": {"MergedDir": STR, "UpperDir": STR, "WorkDir": STR}},
              "RootFS": {"Type": STR, "Layers": LIST}, "Metadata": {"LastTagTime": STR}}, "image")
    check(TIME.match(i["Created"]), i["Created"])
    h = w.get("/v1.41/images/%s/history" % IMAGE)
    shape(h[0], {"Comment": STR, "Created": INT, "CreatedBy": STR, "Id": STR, "Size": INT, "Tags": LIST}, "history")
    check(sum(x["Size"] for x in h) > 1000000, "the layers' sizes: %s", h)
    if w.kind != "dockerd":
        i = w.get("/v1.51/images/%s/json" % IMAGE)
        absent(i, "Container VirtualSize", "image at 1.51")  # ContainerConfig stays: docker-compose 1.29 wants it
        absent(i["Config"], "Hostname Domainname AttachStdin Image", "Config at 1.51")


def test_image_filters(w):
    w.load({"filters/one:1": [], "filters/one:2": [], "other/two:1": []})

    def tags(f, **query):
        q = "".join("&%s=%s" % x for x in query.items())
        r = w.api("GET", "/v1.41/images/json?filters=%s%s" % (json.dumps(f).replace(" ", ""), q))
        equal(r.status, 200, repr(r))
        return sorted(t for i in r.json for t in i["RepoTags"] or [])

    equal(tags({"reference": ["filters/*"]}), ["filters/one:1", "filters/one:2"])
    equal(tags({"reference": ["filters/one:2"]}), ["filters/one:2"])
    equal(tags({"reference": ["filters/one", "other/*"]}), ["filters/one:1", "filters/one:2", "other/two:1"])
    equal(tags({"dangling": ["true"]}), [])
    check(IMAGE in tags({"dangling": ["false"]}), "not dangling")
    equal(w.api("GET", '/v1.41/images/json?filters={"nonsense":["1"]}').status, 400)
    w.docker("rmi", "filters/one:1", "filters/one:2", "other/two:1")


def test_df(w):
    sleeper(w, "one", "-v", "vol:/v")
    w.docker("exec", "one", "sh", "-c", "head -c 60000 /dev/zero >/f; head -c 7000 /dev/zero >/v/f")
    df = w.get("/v1.41/system/df")
    shape(df, {"LayersSize": INT, "Images": LIST, "Containers": LIST, "Volumes": LIST, "BuildCache": "list|null",
               "BuilderSize": INT}, "df")
    check(df["LayersSize"] > 1000000, "LayersSize %d", df["LayersSize"])
    check(df["Containers"][0]["SizeRw"] >= 60000, "SizeRw")
    equal({v["Name"]: v["UsageData"] for v in df["Volumes"]}["vol"], {"Size": 7000, "RefCount": 1})
    mine = [i for i in df["Images"] if IMAGE in (i["RepoTags"] or [])][0]
    equal(mine["Containers"], 1)
    check(mine["SharedSize"] >= 0, "SharedSize is counted")
    contains(w.docker("system", "df"), "Local Volumes")
    if w.kind == "dockerd":
        return
    df = w.get("/v1.44/system/df?type=volume")
    check(df["Volumes"] and df["Images"] is None and df["Containers"] is None and df["BuildCache"] is None, "type: %s", df)
    df = w.get("/v1.44/system/df?type=image&type=container")
    check(df["Volumes"] is None and df["Images"] and df["Containers"], "two types")
    equal(w.api("GET", "/v1.44/system/df?type=nonsense").message, "unknown object type: nonsense")
    absent(w.get("/v1.44/system/df"), "BuilderSize", "df")


def test_shared_layers(w):
    if w.kind == "dockerd":
        raise Skip("1.42")
    w.load({"shared/one:1": []})
    images = {t: i for i in w.get("/v1.44/images/json?shared-size=1") for t in i["RepoTags"]}
    check(all(i["SharedSize"] >= 0 for i in images.values()), "counted")
    w.docker("rmi", "shared/one:1")


def test_info(w):
    i = w.get("/v1.41/info")
    shape(i, {"ID": STR, "Containers": INT, "ContainersRunning": INT, "ContainersPaused": INT, "ContainersStopped": INT,
              "Images": INT, "Driver": STR, "DriverStatus": LIST, "Plugins": {"Volume": LIST, "Network": LIST,
                                                                              "Authorization": NULL, "Log": LIST},
              "MemoryLimit": BOOL, "SwapLimit": BOOL, "CpuCfsPeriod": BOOL, "CpuCfsQuota": BOOL, "CPUShares": BOOL,
              "CPUSet": BOOL, "PidsLimit": BOOL, "IPv4Forwarding": BOOL, "BridgeNfIptables": BOOL,
              "BridgeNfIp6tables": BOOL, "Debug": BOOL, "NFd": INT, "OomKillDisable": BOOL, "NGoroutines": INT,
              "SystemTime": STR, "LoggingDriver": STR, "CgroupDriver": STR, "CgroupVersion": STR, "NEventsListener": INT,
              "KernelVersion": STR, "OperatingSystem": STR, "OSVersion": STR, "OSType": STR, "Architecture": STR,
              "IndexServerAddress": STR, "RegistryConfig": {"InsecureRegistryCIDRs": LIST, "IndexConfigs": MAP,
                                                            "Mirrors": "list|null"},
              "NCPU": INT, "MemTotal": INT, "GenericResources": NULL, "DockerRootDir": STR, "HttpProxy": STR,
              "HttpsProxy": STR, "NoProxy": STR, "Name": STR, "Labels": LIST, "ExperimentalBuild": BOOL, "ServerVersion": STR,
              "Runtimes": MAP, "DefaultRuntime": STR, "Swarm": MAP, "LiveRestoreEnabled": BOOL, "Isolation": STR,
              "InitBinary": STR, "ContainerdCommit": MAP, "RuncCommit": MAP, "InitCommit": MAP, "SecurityOptions": LIST,
              "Warnings": "list|null"}, "info")
    check(any(x[0] == "Backing Filesystem" and x[1] not in ("", "<unknown>") for x in i["DriverStatus"]), "%s",
          i["DriverStatus"])
    check("macvlan" in i["Plugins"]["Network"], "%s", i["Plugins"])
    before = i["NEventsListener"]
    s = w.connect_api()
    s.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    s.recv(20)
    equal(w.get("/v1.41/info")["NEventsListener"], before + 1)
    s.close()
    if w.kind != "dockerd":
        check("FirewallBackend" in w.get("/v1.51/info") and "FirewallBackend" not in i, "since 1.49")
        absent(w.get("/v1.51/info"), "BridgeNfIptables", "info at 1.51")


# ---- prune ----

@timeout(120)
def test_system_prune(w):
    def clutter():
        w.docker("network", "create", "unused")
        w.docker("run", "--name", "ended", IMAGE, "sh", "-c", "head -c 80000 /dev/zero >/f")
        w.docker("volume", "create", "named")
        w.load({"clutter/one:1": []})

    sleeper(w, "runs")
    for tool in (w.docker, w.atoll):
        clutter()
        out = tool("system", "prune", "-f")
        contains(out, "Deleted Containers:")
        contains(out, "Deleted Networks:\nunused")
        contains(out, "Total reclaimed space: 80")
        check([c["Names"] for c in w.get("/containers/json?all=1")] == [["/runs"]], "one container stays")
        check("clutter/one:1" in [t for i in w.get("/images/json") for t in i["RepoTags"] or []], "a named image stays")
        w.docker("rmi", "clutter/one:1")
        w.docker("volume", "rm", "named")
    w.docker("network", "create", "--label", "keep=1", "kept")
    w.docker("system", "prune", "-f", "--filter", "label!=keep")
    equal(w.network("kept")["Labels"], {"keep": "1"})


def test_prune_filters_and_sums(w):
    for n in ("one", "two"):
        w.docker("run", "--name", n, "--label", "n=" + n, IMAGE, "sh", "-c", "head -c 40000 /dev/zero >/f")
    r = w.api("POST", '/v1.41/containers/prune?filters={"until":["24h"]}')
    equal((r.json["ContainersDeleted"], r.json["SpaceReclaimed"]), (None, 0), "too young")
    r = w.api("POST", '/v1.41/containers/prune?filters={"label!":["n=two"]}')
    equal(len(r.json["ContainersDeleted"]), 1)
    check(40000 <= r.json["SpaceReclaimed"] < 60000, "%r", r)
    equal([c["Names"][0] for c in w.get("/containers/json?all=1")], ["/two"])
    for path in ("containers", "networks", "volumes", "images"):
        r = w.api("POST", '/v1.41/%s/prune?filters={"nonsense":["1"]}' % path)
        check(r.status >= 400, "%s: %r", path, r)
    equal(w.api("POST", '/v1.41/networks/prune').json, {"NetworksDeleted": None})


def test_image_prune_counts_what_is_gained(w):
    if w.kind == "dockerd":
        raise Skip("counts on its own")
    w.load({"prune/one:1": []})
    w.docker("tag", "prune/one:1", "prune/same:1")
    before = w.get("/v1.44/system/df?type=image")["LayersSize"]
    sleeper(w, "uses")
    out = w.atoll("image", "prune", "-f")
    contains(out, "Total reclaimed space: 0B")
    r = w.api("POST", '/images/prune?filters={"dangling":["false"]}')
    gained = before - w.get("/v1.44/system/df?type=image")["LayersSize"]
    equal(r.json["SpaceReclaimed"], gained)
    check(IMAGE in [t for i in w.get("/images/json") for t in i["RepoTags"]], "the one in use stays")


# ---- atoll ----

def test_atoll_shows_disk_use(w):
    if w.kind == "dockerd":
        raise Skip("atoll's words")
    sleeper(w, "one", "-v", "vol:/v")
    w.docker("exec", "one", "sh", "-c", "head -c 7000 /dev/zero >/v/f")
    rows = {x.split("  ")[0]: x.split() for x in w.atoll("system", "df").splitlines()}
    equal(rows["Containers"][1:3], ["1", "1"])
    equal(rows["Local Volumes"][2:5], ["1", "1", "7kB"])
    equal(rows["Build Cache"][2:4], ["0", "0"])
    docker = {x.split("  ")[0]: x.split() for x in w.docker("system", "df").splitlines()}
    equal(rows["Local Volumes"], docker["Local Volumes"])
    contains(w.atoll("system", "df", "-v"), "vol")
    contains(w.atoll("system", "df", "--format", "{{.Type}}={{.TotalCount}}"), "Containers=1")
    w.docker("rm", "-f", "one")
    contains(w.atoll("volume", "prune", "-af"), "Total reclaimed space: 7kB")


if __name__ == "__main__":
    main(globals())
