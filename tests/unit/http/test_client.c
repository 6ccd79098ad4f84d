/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_client.c - the response parser, and the client against servers of one script each */

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/client.h"
#include "http/response.h"
#include "tap.h"

/* ---- the parser ---- */

static int to_buf(void *data, const char *piece, size_t len)
{
	return buf_add(data, piece, len);
}

static const struct {
	const char *what, *text;
	bool head;
	const char *body; /* NULL: malformed or cut off */
	unsigned status;
	bool keep_alive;
	size_t extra; /* bytes behind the answer */
} answers[] = {
	{"length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 0, "abc", 200, 1, 0},
	{"length and more", "HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabcde", 0, "abc", 200, 1,
	 2},
	{"chunked",
	 "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\nA\r\n0123456789\r\n"
	 "0\r\nT: x\r\n\r\n!",
	 0, "abc0123456789", 200, 1, 1},
	{"chunked beats length",
	 "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: "
	 "chunked\r\n\r\n1\r\nx\r\n0\r\n"
	 "\r\n",
	 0, "x", 200, 1, 0},
	{"until close", "HTTP/1.1 200 OK\r\n\r\nabc", 0, "abc", 200, 0, 0},
	{"close", "HTTP/1.1 500 No\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", 0, "",
	 500, 0, 0},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 0, "x", 200, 0, 0},
	{"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
	 0, "x", 200, 1, 0},
	{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 1, "", 200, 1, 0},
	{"204", "HTTP/1.1 204 No Content\r\n\r\n", 0, "", 204, 1, 0},
	{"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 0, "", 304, 1, 0},
	{"100 first",
	 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\ny", 0, "y",
	 201, 1, 0},
	{"101", "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\nraw", 0, "", 101, 1, 3},
	{"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 0, "x", 200, 1, 0},
	{"cut in the head", "HTTP/1.1 200 OK\r\nContent-", 0, NULL, 0, 0, 0},
	{"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 0, NULL, 0, 0, 0},
	{"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", 0, NULL,
	 0, 0, 0},
	{"cut before the last chunk",
	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", 0, NULL, 0, 0, 0},
	{"no chunk end",
	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 0, NULL, 0,
	 0, 0},
	{"bad chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 0, NULL,
	 0, 0, 0},
	{"overflowing chunk size",
	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx", 0, NULL, 0,
	 0, 0},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 0,
	 NULL, 0, 0, 0},
	{"bad length", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\na", 0, NULL, 0, 0, 0},
	{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na", 0, NULL, 0, 0, 0},
	{"no colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", 0, NULL, 0, 0, 0},
	{"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na", 0, NULL, 0, 0,
	 0},
	{"HTTP/2", "HTTP/2 200\r\n\r\n", 0, NULL, 0, 0, 0},
	{"bad status", "HTTP/1.1 20x OK\r\n\r\n", 0, NULL, 0, 0, 0},
	{"long status", "HTTP/1.1 2000 OK\r\n\r\n", 0, NULL, 0, 0, 0},
	{"rubbish", "\x01\x02\x03\n", 0, NULL, 0, 0, 0},
	{"nothing", "", 0, NULL, 0, 0, 0},
};

/* Fed in pieces of @step bytes. */
static void parse(size_t i, size_t step)
{
	auto_buf struct buf body = BUF_INIT(1000);
	struct response p;
	struct err e = {0};
	size_t at = 0, len = strlen(answers[i].text);
	int r = 0;

	response_init(&p, answers[i].head, to_buf, &body);
	while (at < len && r == 0 && p.state != RESPONSE_DONE) {
		size_t used;

		r = response_feed(&p, answers[i].text + at, MIN(step, len - at), &used, &e);
		at += used;
	}
	if (r == 0)
		r = response_eof(&p, &e);
	if (!answers[i].body) {
		ok(r < 0 && e.code == r && e.msg[0], "%s, step %zu: refused: %s", answers[i].what,
		   step, e.msg);
	} else if (ok(r == 0, "%s, step %zu: taken %s", answers[i].what, step, e.msg)) {
		is_str(buf_str(&body), answers[i].body, "body");
		is_int(p.status, answers[i].status, "status");
		is_int(p.keep_alive, answers[i].keep_alive, "keep-alive");
		is_int(len - at, answers[i].extra, "bytes behind");
	}
	response_done(&p);
}

static void too_long(void)
{
	static char line[RESPONSE_HEAD_MAX + 100];
	struct response p;
	struct err e = {0};
	size_t used;
	int r;

	memset(line, 'a', sizeof(line));
	response_init(&p, false, NULL, NULL);
	r = response_feed(&p, "HTTP/1.1 200 OK\r\n", 17, &used, &e);
	if (r == 0)
		r = response_feed(&p, line, sizeof(line), &used, &e);
	is_int(r, -EBADMSG, "an endless header line");
	response_done(&p);
	response_init(&p, false, NULL, NULL);
	r = response_feed(&p, "HTTP/1.1 200 OK\r\n", 17, &used, &e);
	for (int i = 0; i < 100000 && r == 0; i++)
		r = response_feed(&p, "a: b\r\n", 6, &used, &e);
	is_int(r, -EBADMSG, "endless headers");
	response_done(&p);
}

/* ---- the client ---- */

struct script {
	int listen_fd;
	const char *answers[4]; /* one a request; "": the connection is closed without a word */
	char got[4][512];
	pthread_t thread;
	char dir[64], host[128], path[96];
};

static bool read_head(int fd, char *got, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && recv(fd, got + n, 1, 0) == 1) {
		got[++n] = '\0';
		if (n >= 4 && !memcmp(got + n - 4, "\r\n\r\n", 4))
			return true;
	}
	return false;
}

static void *serve(void *data)
{
	struct script *s = data;
	int fd = -1;

	for (size_t i = 0; i < 4 && s->answers[i]; i++) {
		if (fd < 0)
			fd = accept(s->listen_fd, NULL, NULL);
		if (fd < 0 || !read_head(fd, s->got[i], sizeof(s->got[i])))
			break;
		if (send(fd, s->answers[i], strlen(s->answers[i]), MSG_NOSIGNAL) < 0)
			break;
		if (!*s->answers[i]) {
			(void)close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		(void)close(fd);
	return NULL;
}

static void script_start(struct script *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(s->dir, sizeof(s->dir), "/tmp/http-test-XXXXXX");
	if (!mkdtemp(s->dir))
		abort();
	snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
	snprintf(s->host, sizeof(s->host), "unix://%s", s->path);
	memcpy(sa.sun_path, s->path, strlen(s->path) + 1);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(s->listen_fd, 8) < 0 || pthread_create(&s->thread, NULL, serve, s) != 0)
		abort();
}

static void script_end(struct script *s)
{
	(void)shutdown(s->listen_fd, SHUT_RDWR); /* wakes accept() */
	pthread_join(s->thread, NULL);
	(void)close(s->listen_fd);
	(void)unlink(s->path);
	(void)rmdir(s->dir);
}

static int call(struct http_client *c, const char *method, unsigned *status, struct err *e)
{
	struct http_call x = {.method = method, .path = "/p?q=1"};
	struct http_resp r;
	int ret = http_client_call(c, &x, &r, e);

	*status = r.status;
	http_resp_done(&r);
	return ret;
}

#define OK200 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void kept_alive(void)
{
	struct script s = {.answers = {OK200, OK200}};
	auto_(http_client_free) struct http_client *c = NULL;
	struct err e = {0};
	unsigned status;

	script_start(&s);
	is_int(http_client_new(s.host, NULL, &c, &e), 0, "client");
	is_int(call(c, "POST", &status, &e), 0, "a call");
	is_int(call(c, "GET", &status, &e), 0, "another over the same connection");
	script_end(&s);
	ok(!strncmp(s.got[0], "POST /p?q=1 HTTP/1.1\r\n", 22) &&
		   strstr(s.got[0], "Content-Length: 0\r\n") && strstr(s.got[0], "Host: "),
	   "a POST without body says so");
	ok(!strstr(s.got[1], "Content-Length"), "a GET does not");
}

/* The second request is read, then the connection closed without an answer. */
static void sent_again(const char *method, bool again)
{
	struct script s = {.answers = {OK200, "", OK200}};
	auto_(http_client_free) struct http_client *c = NULL;
	struct err e = {0};
	unsigned status;

	script_start(&s);
	is_int(http_client_new(s.host, NULL, &c, &e), 0, "client");
	is_int(call(c, "GET", &status, &e), 0, "a call");
	if (again) {
		is_int(call(c, method, &status, &e), 0, "%s is sent again", method);
	} else {
		ok(call(c, method, &status, &e) < 0, "%s is not sent again: %s", method, e.msg);
		is_int(call(c, "GET", &status, &e), 0, "the next call: a new connection");
	}
	is_int(status, 200, "answered");
	script_end(&s);
}

static int head_seen(void *data, unsigned status)
{
	*(unsigned *)data = status;
	return status == 404 ? 7 : 0;
}

/* The head is told once, before the body; its answer can end the call. */
static void on_head(void)
{
	struct script s = {.answers = {"HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\n"
				       "Content-Length: 2\r\n\r\nab",
				       "HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\nnot all"}};
	auto_(http_client_free) struct http_client *c = NULL;
	unsigned status = 0;
	struct http_call x = {
		.method = "POST", .path = "/p", .on_head = head_seen, .data = &status};
	struct http_resp r;
	struct err e = {0};

	script_start(&s);
	is_int(http_client_new(s.host, NULL, &c, &e), 0, "client");
	is_int(http_client_call(c, &x, &r, &e), 0, "a head that goes on");
	is_int(status, 200, "its status");
	is_str(buf_str(&r.body), "ab", "the body follows");
	is_str(r.api_version, "1.44", "the engine's version");
	http_resp_done(&r);
	is_int(http_client_call(c, &x, &r, &e), 7, "a head that ends the call");
	http_resp_done(&r);
	script_end(&s);
}

static void bad_hosts(void)
{
	static const char *const bad[] = {"",	      "unix://",       "http://x",   "ssh://-x",
					  "tcp://:1", "tcp://x:99999", "tcp://x:0y", "/run/x.sock"};
	auto_(http_client_free) struct http_client *c = NULL;
	struct http_call evil = {.method = "GET", .path = "/x\r\nEvil: 1"};
	struct http_resp r;
	struct err e = {0};
	unsigned status;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int x = http_client_new(bad[i], NULL, &c, &e);

		is_int(x, -EINVAL, "host \"%s\"", bad[i]);
	}
	is_int(http_client_new("unix:///nowhere/x.sock", NULL, &c, &e), 0,
	       "a socket that is not there");
	ok(call(c, "GET", &status, &e) < 0 && e.kind == ERR_UNAVAILABLE, "unavailable");
	is_str(e.msg, "cannot connect to unix:///nowhere/x.sock: No such file or directory",
	       "and why");
	is_int(http_client_call(c, &evil, &r, &e), -ECONNREFUSED, "no connection, no request");
	http_resp_done(&r);
}

static void evil_request(void)
{
	struct script s = {.answers = {OK200}};
	auto_(http_client_free) struct http_client *c = NULL;
	struct http_call evil = {.method = "GET", .path = "/x\r\nEvil: 1"};
	struct http_resp r;
	struct err e = {0};

	script_start(&s);
	is_int(http_client_new(s.host, NULL, &c, &e), 0, "client");
	is_int(http_client_call(c, &evil, &r, &e), -EINVAL, "a line break in the path");
	http_resp_done(&r);
	evil.path = "/x y";
	is_int(http_client_call(c, &evil, &r, &e), -EINVAL, "a space in the path");
	http_resp_done(&r);
	evil.path = "/x";
	evil.headers = (const char *const[]){"A", "b\r\nc", NULL};
	is_int(http_client_call(c, &evil, &r, &e), -EINVAL, "a line break in a header");
	http_resp_done(&r);
	script_end(&s);
	is_str(s.got[0], "", "nothing of it was sent");
}

static void escape(void)
{
	auto_buf struct buf b = BUF_INIT(100);

	is_int(http_url_escape(&b, "aZ09-._~ /?&=%+:ä\"{"), 0, "escaped");
	is_str(buf_str(&b), "aZ09-._~%20%2F%3F%26%3D%25%2B%3A%C3%A4%22%7B", "as RFC 3986 has it");
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		parse(i, 1);
		parse(i, 7);
		parse(i, 100000);
	}
	too_long();
	kept_alive();
	sent_again("GET", true);
	sent_again("HEAD", true);
	sent_again("POST", false);
	on_head();
	bad_hosts();
	evil_request();
	escape();
	return tap_done();
}
