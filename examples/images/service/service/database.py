# SPDX-License-Identifier: GPL-2.0-or-later
"""A plug: /db writes a row into PostgreSQL and reads all rows back.

The database is that of DATABASE_URL, or of DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD. The guide's
addresses have no password in them: what the variables leave out, the question may say, as in
/db?password=securepass or /db?host=db&name=postgres&password=devpass.
"""
import os
import socket
import urllib.parse

NAME = os.environ.get("SERVICE_NAME", "service")


def target(query):
    """The words of libpq that say where the database is."""
    url = urllib.parse.urlsplit(os.environ.get("DATABASE_URL", ""))
    name = url.path.lstrip("/")
    given = {"host": url.hostname, "port": url.port, "name": name, "user": url.username, "password": url.password}
    words = {k: query.get(k) or os.environ.get("DB_" + k.upper()) or v for k, v in given.items()}
    user = words["user"] or "postgres"
    return {"host": words["host"] or "db", "port": words["port"] or 5432, "dbname": words["name"] or user,
            "user": user, "password": words["password"]}


def visit(query):
    import psycopg2  # a service without a database does without its memory, too
    where = target(query)
    db = psycopg2.connect(connect_timeout=5, **where)
    try:
        with db, db.cursor() as c:
            c.execute("SELECT pg_advisory_xact_lock(1)")  # IF NOT EXISTS alone is no lock against replicas
            c.execute("CREATE TABLE IF NOT EXISTS visits (id serial PRIMARY KEY, service text, host text)")
            c.execute("INSERT INTO visits (service, host) VALUES (%s, %s) RETURNING id", (NAME, socket.gethostname()))
            written = c.fetchone()[0]
            c.execute("SELECT id, service, host FROM visits ORDER BY id DESC LIMIT 10")
            rows = [list(row) for row in c.fetchall()]
            c.execute("SELECT count(*) FROM visits")
            return {"database": "%(host)s:%(port)s/%(dbname)s" % where, "written": written,
                    "count": c.fetchone()[0], "last": rows}
    finally:
        db.close()


PATHS = {"/db": visit}
