#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input: Docker's texts and codes, broken JSON, wrong types, huge headers, half-sent bodies, clients
that hang up. Nothing changes, nothing is left, the engine lives."""
import fcntl
import json
import os
import random
import sys
import termios
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
from testbed import *  # noqa: E402,F403


def says(w, method, path, body, status, message, exact=True):
    r = w.api(method, path, body)
    equal(r.status, status, "%s %s: %s" % (method, path, r.text[:300]))
    if exact:
        equal(r.message, message, "%s %s" % (method, path))
    else:
        matches(r.message or "", message)
    contains(r.headers.get("Content-Type", ""), "application/json")


def create(w, name, **kw):
    return w.api("POST", "/networks/create", dict({"Name": name}, **kw))


def ipam(*rows):
    return {"IPAM": {"Config": list(rows)}}


def test_network_create(w):
    equal(create(w, "here").status, 201)
    says(w, "POST", "/networks/create", {"Name": "here"}, 409, "network with name here already exists")
    says(w, "POST", "/networks/create", {"Name": ""}, 400, "invalid name: name is empty")
    for name in ("bridge", "host", "none"):
        says(w, "POST", "/networks/create", {"Name": name}, 403, "operation is not permitted on predefined %s network " % name)
    equal(create(w, "taken", **ipam({"Subnet": "10.50.0.0/16"})).status, 201)
    says(w, "POST", "/networks/create", dict({"Name": "x"}, **ipam({"Subnet": "10.50.3.0/24"})), 403,
         "invalid pool request: Pool overlaps with other one on this address space")
    says(w, "POST", "/networks/create", dict({"Name": "x"}, **ipam({"Subnet": "10.0.0.1/24"})), 400,
         "invalid network config:\ninvalid subnet 10.0.0.1/24: it should be 10.0.0.0/24")
    bad = {"Subnet": "10.51.0.0/16"}
    says(w, "POST", "/networks/create", dict({"Name": "x"}, **ipam(dict(bad, IPRange="10.52.0.0/24"))), 400,
         r"invalid ip-range 10\.52\.0\.0/24: parent subnet 10\.51\.0\.0/16 doesn't contain ip-range", False)
    says(w, "POST", "/networks/create", dict({"Name": "x"}, **ipam(dict(bad, Gateway="10.52.0.1"))), 400,
         r"invalid gateway 10\.52\.0\.1: parent subnet 10\.51\.0\.0/16 doesn't contain this address", False)
    says(w, "POST", "/networks/create", dict({"Name": "x"}, **ipam(dict(bad, AuxiliaryAddresses={"p": "10.52.0.1"}))), 400,
         "invalid auxiliary address p: ", False)
    says(w, "POST", "/networks/create", dict({"Name": "x"}, **ipam({"Subnet": "10.53.0.0/24"}, {"Subnet": "10.54.0.0/24"})), 403,
         "bridge driver doesn't support multiple subnets")
    says(w, "POST", "/networks/create", {"Name": "x", "Options": {"com.docker.network.driver.mtu": "abc"}}, 400,
         "failed to parse com.docker.network.driver.mtu value: abc", False)
    says(w, "POST", "/networks/create", {"Name": "x", "Driver": "nothing-like-it"}, 404, "nothing-like-it", False)
    equal(create(w, "named1", Options={"com.docker.network.bridge.name": "br-same"}).status, 201)
    says(w, "POST", "/networks/create", {"Name": "x", "Options": {"com.docker.network.bridge.name": "br-same"}}, 403,
         "networks have same bridge name", False)
    equal(sorted(n["Name"] for n in w.get("/networks")), ["bridge", "here", "host", "named1", "none", "taken"])


def test_network_lookups(w):
    for method, path in (("GET", "/networks/nope"), ("DELETE", "/networks/nope")):
        says(w, method, path, None, 404, "network nope not found")
    for name in ("bridge", "host", "none"):
        says(w, "DELETE", "/networks/" + name, None, 403, name + " is a pre-defined network and cannot be removed")
    says(w, "GET", "/networks?filters={broken", None, 400, "invalid|filter", False)
    says(w, "GET", "/networks?filters=%7B%22nonsense%22%3A%5B%22x%22%5D%7D", None, 400, "invalid filter", False)


def test_network_in_use(w):
    create(w, "used")
    cid = w.docker("run", "-d", "--name", "user1", "--network", "used", IMAGE, "sleep", "600")
    says(w, "DELETE", "/networks/used", None, 403,
         r'^error while removing network: network used has active endpoints \(name:"user1" id:"[0-9a-f]{12}"\)$', False)
    says(w, "POST", "/networks/used/connect", {"Container": cid}, 403, "endpoint with name user1 already exists in network used")
    create(w, "other")
    says(w, "POST", "/networks/other/disconnect", {"Container": cid}, 500,
         "container %s is not connected to network other" % cid)
    says(w, "POST", "/networks/other/connect", {"Container": "nobody"}, 404, "No such container: nobody")
    says(w, "POST", "/networks/nope/connect", {"Container": cid}, 404, "network nope not found")


def test_host_and_shared_modes(w):
    create(w, "nets")
    w.docker("run", "-d", "--name", "hosted", "--network", "host", IMAGE, "sleep", "600")
    w.docker("run", "-d", "--name", "owner", "--network", "nets", IMAGE, "sleep", "600")
    w.docker("run", "-d", "--name", "guest", "--network", "container:owner", IMAGE, "sleep", "600")
    w.docker("run", "-d", "--name", "alone", "--network", "none", IMAGE, "sleep", "600")
    says(w, "POST", "/networks/host/disconnect", {"Container": "hosted"}, 400,
         "cannot disconnect container from host network - container was created in host network mode")
    says(w, "POST", "/networks/host/connect", {"Container": "owner"}, 400,
         "cannot connect container to host network - container must be created in host network mode")
    says(w, "POST", "/networks/nets/connect", {"Container": "guest"}, 400,
         "container sharing network namespace with another container or host cannot be connected to any other network")
    says(w, "POST", "/networks/nets/connect", {"Container": "alone"}, 400,
         "container cannot be connected to multiple networks with one of the networks in private (none) mode")
    w.docker("create", "--name", "late", "--network", "container:owner", IMAGE, "true")
    w.docker("stop", "-t", "0", "guest", "owner")
    says(w, "POST", "/containers/late/start", None, 409, "cannot join network namespace of a non running container: container .* is exited",
         False)
    says(w, "POST", "/containers/create", {"Image": IMAGE, "HostConfig": {"NetworkMode": "container:owner", "PortBindings": {
        "80/tcp": [{"HostPort": "80"}]}}}, 400, "conflicting options: port publishing and the container type network mode")


def endpoint(net, **config):
    return {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": net}, "NetworkingConfig": {"EndpointsConfig": {net: config}}}


def start_fails(w, body, status, message, exact=False):
    """Where Docker complains at create in newer versions and at start in older ones: once is enough."""
    r = w.api("POST", "/containers/create", body)
    if r.status == 201:
        r = w.api("POST", "/containers/%s/start" % r.json["Id"])
    equal(r.status, status, r.text[:300])
    (equal if exact else matches)(r.message, message)


def test_addresses(w):
    create(w, "small", **ipam({"Subnet": "10.60.0.0/30"}))
    start_fails(w, endpoint("bridge", IPAMConfig={"IPv4Address": "172.17.0.9"}), 400,
                "user-specified IP address is supported on user-defined networks only")
    start_fails(w, endpoint("bridge", Aliases=["x"]), 400, "network-scoped aliases are only supported for user-defined networks")
    start_fails(w, endpoint("small", IPAMConfig={"IPv4Address": "1.2.3.4"}), 400, "no configured subnet contains IP address 1.2.3.4")
    start_fails(w, endpoint("small", IPAMConfig={"IPv4Address": "not-one"}), 400, "not-one")
    w.docker("run", "-d", "--name", "one-box", "--network", "small", "--ip", "10.60.0.2", IMAGE, "sleep", "600")
    start_fails(w, endpoint("small", IPAMConfig={"IPv4Address": "10.60.0.2"}), 403, "Address already in use")
    start_fails(w, endpoint("small"), 500, "no available IPv4 addresses on this network's address pools: small ")


def test_containers(w):
    for method, path in (("GET", "/containers/nope/json"), ("POST", "/containers/nope/start"), ("POST", "/containers/nope/stop"),
                         ("POST", "/containers/nope/wait"), ("DELETE", "/containers/nope"),
                         ("GET", "/containers/nope/logs?stdout=1"), ("POST", "/containers/nope/attach?stream=1&stdout=1"),
                         ("POST", "/containers/nope/resize?h=1&w=1"), ("POST", "/containers/nope/restart")):
        says(w, method, path, None, 404, "No such container: nope")
    says(w, "POST", "/containers/nope/kill", None, 404, "^([Cc]annot kill container: nope: )?No such container: nope$", False)
    says(w, "POST", "/containers/nope/exec", {"Cmd": ["true"]}, 404, "No such container: nope")
    says(w, "POST", "/exec/nope/start", {}, 404, "No such exec instance: nope")
    says(w, "GET", "/exec/nope/json", None, 404, "No such exec instance: nope")
    says(w, "POST", "/containers/create", {"Image": "no-such:1"}, 404, "No such image: no-such:1")
    says(w, "POST", "/containers/create?name=-bad", {"Image": IMAGE}, 400,
         "Invalid container name (-bad), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    says(w, "POST", "/containers/create?name=a%2Fb", {"Image": IMAGE}, 400, "Invalid container name", False)
    cid = w.api("POST", "/containers/create?name=first", {"Image": IMAGE, "Cmd": ["sleep", "600"]}).json["Id"]
    says(w, "POST", "/containers/create?name=first", {"Image": IMAGE}, 409,
         'Conflict. The container name "/first" is already in use by container "%s". You have to remove (or rename) that container to '
         "be able to reuse that name." % cid)
    says(w, "POST", "/containers/first/kill", None, 409, "is not running", False)
    says(w, "POST", "/containers/first/exec", {"Cmd": ["true"]}, 409, "is not running", False)
    equal(w.api("POST", "/containers/first/stop").status, 304)
    equal(w.api("POST", "/containers/first/start").status, 204)
    equal(w.api("POST", "/containers/first/start").status, 304)
    says(w, "POST", "/containers/first/kill?signal=NONSENSE", None, 400, "[Ii]nvalid signal: NONSENSE", False)
    says(w, "POST", "/containers/first/wait?condition=nonsense", None, 400, "nonsense", False)
    says(w, "DELETE", "/containers/first", None, 409, "running container|container is running", False)
    r = w.api("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "no-such-net"}})
    if r.status == 201:
        r = w.api("POST", "/containers/%s/start" % r.json["Id"])
    equal(r.status, 404)
    contains(r.message, "network no-such-net not found")
    equal(w.inspect("first")["State"]["Running"], True)


def test_host_config(w):
    for host, part in (({"PortBindings": {"80/tcp": [{"HostPort": "99999"}]}}, "99999"),
                       ({"PortBindings": {"eighty/tcp": [{"HostPort": "80"}]}}, "eighty"),
                       ({"PortBindings": {"80/tcp": [{"HostIp": "not-ip", "HostPort": "80"}]}}, "not-ip"),
                       ({"Binds": ["relative/path:/x"]}, "relative/path"), ({"Binds": ["/a:relative"]}, "relative"),
                       ({"Binds": ["/a:/b:nonsense"]}, "nonsense"), ({"Memory": 1024}, "[Mm]inimum memory limit"),
                       ({"Memory": -5}, ""), ({"NanoCpus": -1}, ""), ({"PidMode": "container:nope"}, ""),
                       ({"RestartPolicy": {"Name": "sometimes"}}, "sometimes"),
                       ({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}, "[Mm]aximum"),
                       ({"AutoRemove": True, "RestartPolicy": {"Name": "always"}}, ""),
                       ({"CapAdd": ["NO_SUCH_CAP"]}, "NO_SUCH_CAP"), ({"Tmpfs": {"relative": ""}}, "")):
        r = w.api("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["true"], "HostConfig": host})
        if r.status == 201:
            r = w.api("POST", "/containers/%s/start" % r.json["Id"])
        check(400 <= r.status < 500 and r.message, "%s: %r", host, r)
        matches(r.message, part)


def test_images_and_volumes(w):
    for method, path in (("GET", "/images/nope/json"), ("DELETE", "/images/nope"), ("POST", "/images/nope/tag?repo=x")):
        says(w, method, path, None, 404, "No such image: nope", False)
    says(w, "POST", "/images/%s/tag?repo=UPPER" % IMAGE, None, 400, "invalid reference format: repository name .* must be lowercase", False)
    says(w, "GET", "/volumes/nope", None, 404, "get nope: no such volume")
    says(w, "DELETE", "/volumes/nope", None, 404, "no such volume", False)
    says(w, "POST", "/volumes/create", {"Name": "../up"}, 400, "includes invalid characters for a local volume name", False)
    says(w, "POST", "/volumes/create", {"Name": "x", "Driver": "no-such"}, 404, "no-such", False)


def test_routes_and_versions(w):
    for path in ("/nonsense", "/v1.41/nonsense", "/containers", "/"):
        r = w.api("GET", path)
        equal((r.status, r.message), (404, "page not found"), path)
    r = w.api("GET", "/v1.99/version")
    equal(r.status, 400)
    matches(r.message, r"client version 1\.99 is too new\. Maximum supported API version is 1\.\d+")
    r = w.api("GET", "/v1.12/version")
    equal(r.status, 400)
    matches(r.message, r"client version 1\.12 is too old\. Minimum supported API version is 1\.\d+")
    for v in ("v1.24", "v1.41", "v1.44", "v1.51"):
        equal(w.api("GET", "/%s/version" % v).status, 200, v)
    check(w.api("PATCH", "/containers/json").status in (404, 405))


def test_swarm_is_off(w):
    for method, path in (("GET", "/services"), ("GET", "/nodes"), ("GET", "/swarm"), ("GET", "/tasks"), ("GET", "/secrets")):
        r = w.api(method, path)
        equal(r.status, 503, path)
        matches(r.message, "This node is not a swarm manager")
    r = w.api("GET", "/plugins")
    equal((r.status, r.json), (200, []))


def test_unimplemented_says_so(w):
    """What is not there yet: 501 and the route, never a wrong answer."""
    for method, path in (("POST", "/build"), ("GET", "/images/search?term=x"), ("POST", "/session")):
        r = w.api(method, path)
        if r.status == 501:
            contains(r.message, path.split("?")[0])


def test_broken_json(w):
    broken = [b"", b"{", b"[]", b"null", b'"text"', b"{]", b'{"Name":', b'{"Name":"x"} trailing', b"\xff\xfe{}", b'{"Name":"\\ud800"}',
              b"{" * 5000, b"[" * 100000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b'{"Name":"x","Name":"y"', b"\0"]
    for path in ("/networks/create", "/containers/create", "/volumes/create", "/networks/bridge/connect", "/exec/nope/start"):
        for raw in broken:
            r = w.api("POST", path, raw=raw, headers={"Content-Type": "application/json"})
            ok = (path == "/volumes/create" and raw in (b"", b"null", b"[]")) and r.status in (201, 400)
            check(ok or 400 <= r.status < 500 and r.message, "%s %r: %r", path, raw[:40], r)
    r = w.api("POST", "/containers/create", raw=b'{"Image":"x"}', headers={"Content-Type": "text/plain"})
    check(400 <= r.status < 500, "text/plain: %r", r)
    equal(sorted(n["Name"] for n in w.get("/networks")), ["bridge", "host", "none"])


def test_wrong_types(w):
    values = [None, True, 7, -1, 1.5, "text", [], {}, [[]], [None], {"a": None}, {"a": 1}, "x" * 70000, 2 ** 63, -2 ** 63]
    fields = {"/networks/create": ("Name", "Driver", "Internal", "EnableIPv6", "IPAM", "Options", "Labels", "Attachable"),
              "/containers/create": ("Image", "Cmd", "Env", "Entrypoint", "Labels", "ExposedPorts", "Volumes", "User", "Tty",
                                     "HostConfig", "NetworkingConfig", "StopTimeout", "StopSignal", "Healthcheck"),
              "/volumes/create": ("Name", "Driver", "DriverOpts", "Labels"),
              "/networks/bridge/connect": ("Container", "EndpointConfig")}
    base = {"/networks/create": {"Name": "typed"}, "/containers/create": {"Image": IMAGE, "Cmd": ["true"]}, "/volumes/create": {},
            "/networks/bridge/connect": {"Container": "nope"}}
    for path, names in fields.items():
        for name in names:
            for value in values:
                body = dict(base[path], **{name: value})
                r = w.api("POST", path, body)
                check(r.status < 500 or r.status == 501, "%s %s=%s: %r", path, name, short(value, 60), r)
                check(r.status < 400 or r.message, "%s %s=%s: no message", path, name, short(value, 60))
                if r.status == 201 and path == "/networks/create":
                    w.api("DELETE", "/networks/" + r.json["Id"])
                elif r.status == 201 and path == "/containers/create":
                    w.api("DELETE", "/containers/%s?v=1" % r.json["Id"])


def test_mutated_host_config(w):
    rng = random.Random(7)
    names = ("Binds", "Mounts", "Memory", "NanoCpus", "PortBindings", "RestartPolicy", "CapAdd", "Dns", "ExtraHosts", "Tmpfs", "Ulimits",
             "Sysctls", "NetworkMode", "SecurityOpt", "Devices", "LogConfig", "ShmSize", "UTSMode", "IpcMode", "PidMode", "GroupAdd",
             "OomScoreAdj", "CpusetCpus", "PidsLimit", "Init", "ReadonlyRootfs", "VolumesFrom", "Links", "MaskedPaths", "Runtime")
    values = [None, True, 0, -1, 2 ** 62, "", "x", "a:b:c:d:e", [], [""], [None], ["x"], [{}], {}, {"": ""}, {"x": "y"}, {"x": None},
              {"80/tcp": [{}]}, {"80/tcp": None}, {"Name": 5}, [{"Type": "bind"}], [{"Type": "tmpfs", "Target": "/t"}], "\u0000", "é\n"]
    for _ in range(400):
        host = {rng.choice(names): rng.choice(values) for _ in range(rng.randint(1, 3))}
        r = w.api("POST", "/containers/create", {"Image": IMAGE, "Cmd": ["true"], "HostConfig": host})
        check(r.status < 500 or r.status == 501, "%s: %r", host, r)
        if r.status == 201:
            w.api("DELETE", "/containers/%s?v=1&force=1" % r.json["Id"])


def raw_answer(w, data, half_close=False, wait=10):
    s = w.connect_api(wait)
    with s:
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            out = b""
            while part := s.recv(65536):
                out += part
                if b"\r\n\r\n" in out and not half_close:
                    break
        except OSError:
            pass
    return out


def test_bad_http(w):
    for data in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                 b"GET /_ping HTTP/1.1\r\nHost: x\r\nX-Big: " + b"b" * 200000 + b"\r\n\r\n",
                 b"POST /networks/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"POST /networks/create HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"POST /networks/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET /containers/%00/json HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /containers/%zz/json HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET /images/../../etc/passwd/json HTTP/1.1\r\nHost: x\r\n\r\n"):
        out = raw_answer(w, data, half_close=True)
        check(not out.startswith(b"HTTP/1.1 5") or out.startswith(b"HTTP/1.1 505"), "%r: %r", data[:40], out[:200])
        equal(w.api("GET", "/_ping").status, 200)
    # headers of 30 KB are needed: registry logins travel there
    r = w.api("GET", "/_ping", headers={"X-Registry-Auth": "a" * 30000})
    equal(r.status, 200)


def unread(s):
    """Bytes of a unix socket that the other side has not taken yet (SIOCOUTQ)."""
    room = bytearray(4)
    fcntl.ioctl(s, termios.TIOCOUTQ, room)
    return int.from_bytes(room, sys.byteorder)


def test_half_sent_bodies_and_hang_ups(w):
    """A client may go at any byte of any call."""
    create(w, "hang")
    cid = w.api("POST", "/containers/create?name=hangbox", {"Image": IMAGE, "Cmd": ["sleep", "600"], "HostConfig": {"NetworkMode": "hang"}}).json["Id"]
    w.api("POST", "/containers/hangbox/start")
    body = json.dumps({"Name": "never-made"}).encode()
    calls = [b"POST /networks/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (len(body) + 50) + body,
             b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 5000,
             b"POST /images/load HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + b"y" * 1000,
             b"POST /containers/hangbox/wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
             b"GET /containers/hangbox/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n",
             b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n",
             b"POST /containers/hangbox/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n",
             b"POST /containers/hangbox/stop?t=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"]
    for call in calls:
        for cut in (len(call), len(call) - 1, len(call) // 2, 10):
            s = w.connect_api()
            s.sendall(call[:cut])
            if cut == len(call):  # a whole call counts once the engine has read it
                until(lambda: not unread(s), "the engine reads the call")
            if cut % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        equal(w.api("GET", "/_ping").status, 200)
    check("never-made" not in [n["Name"] for n in w.get("/networks")], "half a body made a network")
    until(lambda: w.inspect(cid)["State"]["Status"] == "exited", "a stop goes on without its client", 15)
    w.api("DELETE", "/containers/hangbox?force=1")
    w.api("DELETE", "/networks/hang")


def test_many_connections(w):
    """Idle clients do not keep others out."""
    idle = []
    try:
        for _ in range(300):
            s = w.connect_api()
            s.sendall(b"GET /_ping HTTP/1.1\r\n")
            idle.append(s)
        equal(w.api("GET", "/_ping").status, 200)
        equal(w.docker("run", "--rm", IMAGE, "echo", "alive"), "alive")
    finally:
        for s in idle:
            s.close()
    equal(w.api("GET", "/_ping").status, 200)


def test_no_descriptor_leaks(w):
    def count():
        return len(os.listdir("/proc/%d/fd" % w.engine.pid))

    def one(i):
        create(w, "leak%d" % i)
        w.api("POST", "/containers/create?name=leak%d" % i, {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "leak%d" % i}})
        w.api("POST", "/containers/leak%d/start" % i)
        w.api("POST", "/containers/leak%d/wait" % i)
        w.api("GET", "/containers/leak%d/logs?stdout=1" % i)
        w.api("DELETE", "/containers/leak%d?v=1" % i)
        w.api("DELETE", "/networks/leak%d" % i)
    for i in range(3):
        one(i)
    w.assert_clean()
    before = count()
    threads = [threading.Thread(target=one, args=(10 + i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    w.assert_clean()
    until(lambda: count() <= before + 1, "file descriptors: %d before, %d after" % (before, count()), 5)


if __name__ == "__main__":
    main(globals())
