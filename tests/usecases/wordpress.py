# SPDX-License-Identifier: GPL-2.0-or-later
"""A browser that installs and uses WordPress: over TLS, from a place of the world, with cookies."""
import http.client
import json
import re
import urllib.parse

from talk import connected, tls
from testbed import HOST_UP, Failed, check, equal

NAME = "blog.example.test"
USER, PASSWORD, TITLE = "editor", "a-word-nobody-guesses", "Notes from the island"


class Browser:
    """Asks for https://blog.example.test at @address, from @place; trusts @ca alone."""

    def __init__(self, w, ca, place="internet", address=HOST_UP):
        self.w, self.place, self.address, self.cookies, self.nonce = w, place, address, {}, None
        self.context = tls(ca)

    def connect(self, port=443, wait=100):
        s = connected(self.w, self.place, self.address, port, wait)
        return self.context.wrap_socket(s, server_hostname=NAME) if port == 443 else s

    def ask(self, path, fields=None, body=None, headers=(), port=443, between=None):
        """One request, its redirections not followed; @fields of a form are posted. @between: called in its midst."""
        headers = {"Host": NAME, "Connection": "close", **dict(headers)}
        if self.cookies:
            headers["Cookie"] = "; ".join("%s=%s" % x for x in self.cookies.items())
        if fields is not None:
            body, headers["Content-Type"] = urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded"
        if body is not None:
            headers["Content-Length"] = len(body)
        lines = ["%s %s HTTP/1.1" % ("GET" if body is None else "POST", path)] + ["%s: %s" % x for x in headers.items()]
        request = "\r\n".join(lines + ["", ""]).encode() + (body or b"")
        with self.connect(port) as s:
            s.sendall(request[:20])
            if between:
                between()
            s.sendall(request[20:])
            reply = http.client.HTTPResponse(s)
            reply.begin()
            reply.text = reply.read().decode("utf-8", "replace")
        for line in reply.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return reply

    def page(self, path, between=None):
        """The text of a page, redirections followed."""
        for _ in range(5):
            reply = self.ask(path, between=between)
            if reply.status not in (301, 302):
                equal(reply.status, 200, path)
                return reply.text
            where, between = urllib.parse.urlsplit(reply.headers["Location"]), None
            path = where.path + ("?" + where.query if where.query else "")
        raise Failed("%s leads in a circle" % path)

    # ---- what one does with WordPress ----

    def install(self):
        """The installer's form. Return: was it a success?"""
        reply = self.ask("/wp-admin/install.php?step=2", {
            "weblog_title": TITLE, "user_name": USER, "admin_password": PASSWORD, "admin_password2": PASSWORD, "pw_weak": "on",
            "admin_email": "editor@example.test", "blog_public": "0", "Submit": "Install WordPress", "language": ""})
        return reply.status == 200 and "<h1>Success!</h1>" in reply.text

    def login(self, password=PASSWORD):
        """Return: did WordPress let us in?"""
        self.cookies = {"wordpress_test_cookie": "WP%20Cookie%20check"}
        reply = self.ask("/wp-login.php", {"log": USER, "pwd": password, "wp-submit": "Log In", "testcookie": "1"})
        if reply.status != 302 or not any(name.startswith("wordpress_logged_in_") for name in self.cookies):
            return False
        reply = self.ask("/wp-admin/admin-ajax.php?action=rest-nonce")
        check(re.fullmatch("[0-9a-f]{10}", reply.text), "no nonce: %d %s", reply.status, reply.text[:200])
        self.nonce = reply.text
        return TITLE in self.page("/wp-admin/profile.php")

    def _rest(self, kind, body, headers):
        reply = self.ask("/?rest_route=/wp/v2/" + kind, body=body, headers={"X-WP-Nonce": self.nonce or "", **headers})
        check(reply.status == 201, "%s: %d %s", kind, reply.status, reply.text[:300])
        return json.loads(reply.text)

    def write(self, title, text):
        """A new post. Return: the path at which it is read."""
        body = json.dumps({"title": title, "content": text, "status": "publish"}).encode()
        return "/?p=%d" % self._rest("posts", body, {"Content-Type": "application/json"})["id"]

    def upload(self, name, text):
        """A file for the site's library. Return: its path."""
        headers = {"Content-Type": "text/plain", "Content-Disposition": 'attachment; filename="%s"' % name}
        url = self._rest("media", text.encode(), headers)["source_url"]
        check(url.startswith("https://%s/" % NAME), "the file is at %s", url)
        return urllib.parse.urlsplit(url).path
