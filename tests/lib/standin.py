# SPDX-License-Identifier: GPL-2.0-or-later
"""Stand-in images: busybox with a web server on the ports that the real image would have, made as one
docker-archive. Every port answers http; / says which image and which container, any path of the
guide answers too. `npm` says what it was called with, `curl` inside is a word for wget -qO- (never with -T: busybox 1.35 built statically crashes on it)."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

SERVE = """#!/bin/sh
# serve PORT...: a web server on each port; ends at SIGTERM
trap 'kill $(jobs -p) 2>/dev/null; exit 0' TERM INT
mkdir -p /www/api/user
echo "${STANDIN:-standin} $(hostname)" >/www/index.html
for path in process-payment check-stock user/email; do
	echo "${STANDIN:-standin} /api/$path" >"/www/api/$path"
done
for port; do
	httpd -f -p "$port" -h /www &
done
wait
"""
CURL = "#!/bin/sh\nexec timeout 3 wget -qO- \"$@\"\n"
NPM = "#!/bin/sh\necho \"npm $*\"\n"
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
                  "www:x:1000:1000:www:/www:/bin/sh\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\nwww:x:1000:\nextra:x:1001:www\n",
}


def busybox():
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path):
            return path
    raise FileNotFoundError("busybox-static is not installed; run tools/deps")


def add(tar, name, data=None, mode=0o644, kind=None, link=""):
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = mode, 1700000000
    if kind:
        info.type, info.linkname = kind, link
        tar.addfile(info)
    else:
        data = data.encode() if isinstance(data, str) else data
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def layer():
    """The one layer of all stand-ins, as an uncompressed tar."""
    out = io.BytesIO()
    program = busybox()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for d in ("bin", "etc", "home", "proc", "root", "sys", "dev", "tmp", "usr", "usr/bin", "var",
                  "var/log", "www"):
            add(tar, d, mode=0o1777 if d in ("tmp", "www") else 0o755, kind=tarfile.DIRTYPE)
        with open(program, "rb") as f:
            add(tar, "bin/busybox", f.read(), 0o755)
        for applet in subprocess.run([program, "--list"], capture_output=True, text=True).stdout.split():
            if applet != "busybox" and "/" not in applet:
                add(tar, "bin/" + applet, kind=tarfile.SYMTYPE, link="busybox")
        add(tar, "bin/serve", SERVE, 0o755)
        add(tar, "usr/bin/curl", CURL, 0o755)
        add(tar, "usr/bin/npm", NPM, 0o755)
        for name, text in FILES.items():
            add(tar, name, text)
    return out.getvalue()


def config(ref, ports, diff_ids, cmd=None, **extra):
    inner = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "STANDIN=" + ref],
             "Cmd": cmd or ["serve"] + [str(p) for p in ports], "WorkingDir": "/"}
    if ports:
        inner["ExposedPorts"] = {"%d/tcp" % p: {} for p in ports}
    inner.update(extra)
    return {"architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux", "created": "2023-11-14T22:13:20Z", "config": inner,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created": "2023-11-14T22:13:20Z", "created_by": "a stand-in"}]}


def archive(images):
    """@images: {reference: ports}, or {reference: (ports, extra config)}. Return: a docker-archive."""
    data = layer()
    diff = "sha256:" + hashlib.sha256(data).hexdigest()
    out, manifest = io.BytesIO(), []
    with tarfile.open(fileobj=out, mode="w") as tar:
        add(tar, "layer.tar", data)
        for ref, ports in images.items():
            extra = {}
            if isinstance(ports, tuple):
                ports, extra = ports
            text = json.dumps(config(ref, ports, [diff], **extra))
            name = hashlib.sha256(text.encode()).hexdigest() + ".json"
            add(tar, name, text)
            manifest.append({"Config": name, "RepoTags": [ref], "Layers": ["layer.tar"]})
        add(tar, "manifest.json", json.dumps(manifest))
    return out.getvalue()


def have_compressor(name):
    return shutil.which(name) is not None
