# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for the tests of TLS, made with openssl: CAs, servers, clients, good and bad ones."""
import os
import subprocess


class Authority:
    """A CA in a folder of its own; what it signs lands beside it as NAME.pem and NAME-key.pem."""

    def __init__(self, folder, name="ca"):
        self.folder, self.serial = folder, 1
        os.makedirs(folder, exist_ok=True)
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=" + name,
                  "-keyout", self.path("ca-key"), "-out", self.path("ca"), "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def path(self, name):
        return "%s/%s.pem" % (self.folder, name)

    def _run(self, *args):
        r = subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=120)
        if r.returncode != 0:
            raise AssertionError("openssl %s: %s" % (args[0], r.stderr))

    def sign(self, name, usage, names="", days=30):
        """@usage: serverAuth, clientAuth; @names: "DNS:x,IP:y"; @days negative: expired since yesterday."""
        ext = self.folder + "/ext"
        with open(ext, "w") as f:
            f.write("extendedKeyUsage = %s\n" % usage + ("subjectAltName = %s\n" % names if names else ""))
        request = self.folder + "/request"
        self._run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                  "-keyout", self.path(name + "-key"), "-out", request)
        os.chmod(self.path(name + "-key"), 0o600)
        self.serial += 1
        self._run("x509", "-req", "-in", request, "-CA", self.path("ca"), "-CAkey", self.path("ca-key"), "-set_serial", str(self.serial),
                  "-days", str(days), "-extfile", ext, "-out", self.path(name))
        return self.path(name), self.path(name + "-key")

    def folder_for(self, client, where, ca=None):
        """A folder as DOCKER_CERT_PATH wants it."""
        os.makedirs(where, exist_ok=True)
        for name, source in (("ca", ca or self.path("ca")), ("cert", self.path(client)), ("key", self.path(client + "-key"))):
            target = "%s/%s.pem" % (where, name)
            with open(source, "rb") as f, open(target, "wb") as g:
                g.write(f.read())
            os.chmod(target, 0o600)
        return where
