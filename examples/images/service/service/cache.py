# SPDX-License-Identifier: GPL-2.0-or-later
"""A plug: /redis counts visits in Redis, at REDIS_HOST and REDIS_PORT or as in /redis?host=dev-redis."""
import os

NAME = os.environ.get("SERVICE_NAME", "service")


def visit(query):
    import redis  # a service without a cache does without its memory, too
    host = query.get("host") or os.environ.get("REDIS_HOST", "redis")
    port = int(query.get("port") or os.environ.get("REDIS_PORT", "6379"))
    with redis.Redis(host, port, socket_timeout=5, socket_connect_timeout=5) as r:
        return {"redis": "%s:%d" % (host, port), "visits": r.incr("visits:" + NAME)}


PATHS = {"/redis": visit}
