# SPDX-License-Identifier: GPL-2.0-or-later
"""What several clients' operations on images need: registries, made when first asked for, and a folder to build from."""
import http.server
import os
import threading

import clients
from testbed import *  # noqa: F403

DOCKERFILE = """FROM %s
ARG WHO=nobody
ENV WHO=$WHO
WORKDIR /app
COPY file .
RUN test "$(pwd)" = /app && echo "built for $WHO: $(cat file)" >said
USER 7
CMD ["cat", "/app/said"]
""" % IMAGE


def context(folder):
    """A folder with a Dockerfile of the classic builder's instructions."""
    os.makedirs(folder, exist_ok=True)
    for name, text in (("Dockerfile", DOCKERFILE), ("file", "from the context"), (".dockerignore", "left-out\n"), ("left-out", "x")):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    return folder


def registry(w):
    """The open one, 127.0.0.1:5000."""
    if not hasattr(w, "registry"):
        w.registry = clients.Registry(w)
    return w.registry


def closed_registry(w):
    """127.0.0.1:5001: ann's, with a password."""
    if not hasattr(w, "closed_registry"):
        w.closed_registry = clients.Registry(w, 5001, "ann", "open sesame")
    return w.closed_registry


class Index(http.server.BaseHTTPRequestHandler):
    """The search of an index server of the first kind."""
    def do_GET(self):
        body = json.dumps({"query": "web", "num_results": 1, "results": [
            {"name": "nginx", "description": "a stand-in", "star_count": 7, "is_official": True, "is_automated": False}]}).encode()
        self.send_response(200 if self.path.startswith(("/v1/search", "/v1/_ping")) else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Docker-Registry-Version", "0.6")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def index(w):
    """The address of an index server in the host's place."""
    if not hasattr(w, "index"):
        s = w._bound("host", "127.0.0.1", 5002)
        s.listen(8)
        w.index = http.server.HTTPServer(("127.0.0.1", 5002), Index, bind_and_activate=False)
        w.index.socket.close()
        w.index.socket = s
        threading.Thread(target=w.index.serve_forever, daemon=True).start()
    return "127.0.0.1:5002"


def setup(w):
    registry(w)
    closed_registry(w)
    index(w)
