#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A small HTTP service. It plays each of the guide's services: its image says which, by variables.

    SERVICE_NAME, SERVICE_VERSION   who it is; every answer says it
    SERVICE_PORTS                   the ports that it listens on, with blanks between
    LOG_LEVEL                       debug, info (each request) or warn (failures); DEBUG=true means debug

    /                  who answers: name, version, and the container's host name
    /health            {"status": "ok"}
    /metrics           for Prometheus
    /headers           the request's headers, as they came
    /call?url=URL      asks another service, and tells its answer
    POST /crash        the program ends with exit code 1: see what a restart policy does
    /api/...           the guide's own paths: api.py
    /db, /redis, ...   the plugs: database.py, cache.py and, with RABBITMQ_HOST, bus.py

A plug is a module with PATHS, {path: function(query) -> what to answer}. Its start(), if it has one, is
called before the service listens. What a function raises is answered with status 503 and the reason.
"""
import http.server
import importlib
import json
import logging
import os
import signal
import socket
import socketserver
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

NAME = os.environ.get("SERVICE_NAME", "service")
VERSION = os.environ.get("SERVICE_VERSION", "1.0.0")
HOST = socket.gethostname()
PLUGS = ["api", "database", "cache"] + ["bus"] * ("RABBITMQ_HOST" in os.environ)

log = logging.getLogger(NAME)
paths, counts, counting, began = {}, {}, threading.Lock(), time.time()


def whoami(query):
    return {"service": NAME, "version": VERSION, "host": HOST}


def health(query):
    return {"status": "ok"}


def call(query):
    """What another service answers; its status 500, say, is an answer, too."""
    url = query["url"]
    try:
        with urllib.request.urlopen(url, timeout=5) as r:
            status, body = r.status, r.read()
    except urllib.error.HTTPError as e:
        status, body = e.code, e.read()
    text = body.decode("utf-8", "replace")
    try:
        answer = json.loads(text)
    except ValueError:
        answer = text
    return {"url": url, "status": status, "answer": answer}


def metrics():
    """The text format that Prometheus reads."""
    out = ["# HELP service_info Which service this is.", "# TYPE service_info gauge",
           'service_info{service="%s",version="%s",host="%s"} 1' % (NAME, VERSION, HOST),
           "# HELP process_start_time_seconds When the program started.",
           "# TYPE process_start_time_seconds gauge", "process_start_time_seconds %.3f" % began,
           "# HELP http_requests_total Requests answered.", "# TYPE http_requests_total counter"]
    with counting:
        for (path, status), n in sorted(counts.items()):
            out.append('http_requests_total{path="%s",code="%d"} %d' % (path, status, n))
    return "\n".join(out) + "\n"


class Request(http.server.BaseHTTPRequestHandler):
    """One request: GET, HEAD and POST are the same to a service as small as this."""
    server_version, timeout = NAME + "/" + VERSION, 30

    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self.answer(path, dict(urllib.parse.parse_qsl(query)))
        kind = "text/plain; version=0.0.4" if isinstance(answer, str) else "application/json"
        body = (answer if isinstance(answer, str) else json.dumps(answer) + "\n").encode()
        with counting:
            key = (path if status != 404 else "other", status)
            counts[key] = counts.get(key, 0) + 1
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET

    def answer(self, path, query):
        """(status, what to say)"""
        if path == "/metrics":
            return 200, metrics()
        if path == "/headers":
            return 200, dict(whoami(query), headers=dict(self.headers))
        if path == "/crash" and self.command == "POST":
            log.warning("asked to crash")
            os._exit(1)
        if path not in paths:
            return 404, dict(whoami(query), error="no such path: " + path)
        try:
            return 200, paths[path](query)
        except Exception as e:  # whatever it is, the one who asks is told
            log.warning("%s: %s: %s", path, type(e).__name__, e)
            return 503, dict(whoami(query), error="%s: %s" % (type(e).__name__, str(e).strip()))

    def log_request(self, code="-", size="-"):
        peer = self.client_address[0].removeprefix("::ffff:")  # IPv4, seen by a socket of both families
        log.info("%s %s %s from %s", self.command, self.path, code, peer)
        log.debug("headers: %s", dict(self.headers))

    def log_message(self, text, *args):
        log.warning(text, *args)


class Server(socketserver.ThreadingTCPServer):
    """Both families where the container has both; names of clients are never looked up."""
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128

    def __init__(self, port):
        six = socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if six else socket.AF_INET
        super().__init__(("", port), Request, bind_and_activate=False)
        if six:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.server_bind()
        self.server_activate()

    def handle_error(self, request, client_address):
        log.debug("%s went away: %s", client_address[0], sys.exc_info()[1])


def level():
    if os.environ.get("DEBUG") == "true":
        return logging.DEBUG
    return getattr(logging, os.environ.get("LOG_LEVEL", "info").upper(), logging.INFO)


def main():
    # process 1 of a container has no default action for a signal
    signal.signal(signal.SIGTERM, lambda signo, frame: sys.exit(0))
    logging.basicConfig(level=level(), stream=sys.stdout, format="%(levelname)s %(name)s: %(message)s")
    logging.addLevelName(logging.WARNING, "WARN")
    paths.update({"/": whoami, "/health": health, "/call": call})
    for name in PLUGS:
        plug = importlib.import_module(name)
        paths.update(plug.PATHS)
        if hasattr(plug, "start"):
            plug.start()
    for port in map(int, os.environ.get("SERVICE_PORTS", "8080").split()):
        threading.Thread(target=Server(port).serve_forever, daemon=True).start()
        log.info("version %s listens on port %d", VERSION, port)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
