/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_server.c - requests and answers: plain, waiting, limits, bad ones */

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/client.h"
#include "serve.h"
#include "tap.h"

static bool has(const char *text, const char *part)
{
	bool good = strstr(text, part) != NULL;

	if (!good)
		printf("# \"%s\" is not in \"%.600s\"\n", part, text);
	return good;
}

static void is_answer(struct http_client *c, const char *method, const char *path, unsigned status,
		      const char *body)
{
	struct http_call call = {.method = method, .path = path};
	struct http_resp r;
	struct err e = {0};
	int x = http_client_call(c, &call, &r, &e);

	is_int(x, 0, "%s %s is answered%s%s", method, path, x ? ": " : "", x ? e.msg : "");
	is_int(r.status, status, "%s %s: status", method, path);
	if (body)
		is_str(buf_str(&r.body), body, "%s %s: body", method, path);
	http_resp_done(&r);
}

static void plain(struct serve *s, const char *host)
{
	auto_(http_client_free) struct http_client *c = NULL;
	struct err e = {0};

	(void)s;
	is_int(http_client_new(host, NULL, &c, &e), 0, "client for %s", host);
	is_answer(c, "GET", "/hello?q=a+b%20c%2B&q=second&b=1", 200,
		  "GET /hello q=a b c+ h=- bool=1");
	is_answer(c, "HEAD", "/hello", 200, "");
	is_answer(c, "DELETE", "/a%2Fb%20c+d?b=%20FALSE%20", 200, "DELETE /a/b c+d q=- h=- bool=0");
	is_answer(c, "POST", "/x?q=", 200, "POST /x q= h=- bool=0");
	is_answer(c, "GET", "/f?q=%7B%22label%22:+[%22a=b%22,+%22c%22]%7D&b", 200,
		  "GET /f q={\"label\": [\"a=b\", \"c\"]} h=- bool=0");
	is_answer(c, "GET", "/empty", 204, "");
	is_answer(c, "GET", "/x?q=%zz", 400, "{\"message\":\"invalid URL escape \\\"%zz\\\"\"}\n");
	is_answer(c, "GET", "/x?a;b", 400,
		  "{\"message\":\"invalid semicolon separator in query\"}\n");
	is_answer(c, "GET", "/x%00y", 400, "{\"message\":\"invalid NUL character in the URL\"}\n");
	is_answer(c, "PURGE-SOMETHING-LONG-INDEED", "/x", 200, "PURGE-SOMETHING /x q=- h=- bool=0");
}

static void many_on_one(struct serve *s)
{
	auto_(http_client_free) struct http_client *c = NULL;
	struct http_call call = {.method = "GET", .path = "/hello"};
	struct err e = {0};
	unsigned good = 0;

	if (http_client_new(serve_host(s), NULL, &c, &e) < 0)
		return;
	for (int i = 0; i < 2000; i++) {
		struct http_resp r;

		good += http_client_call(c, &call, &r, &e) == 0 && r.status == 200;
		http_resp_done(&r);
	}
	is_int(good, 2000, "2,000 requests on one connection");
}

static void heads(struct serve *s)
{
	const char *a = raw_ask(s, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Test: v\r\n\r\n", true);

	ok(has(a, "HTTP/1.1 200 OK\r\n"), "a half-closed client is answered");
	ok(has(a, "Content-Type: text/plain\r\n") && has(a, "X-Answer: yes\r\n") &&
		   has(a, "Server: Test/1\r\n"),
	   "headers");
	ok(has(a, "GET /hello q=- h=v bool=0"), "request header");
	a = raw_ask(s, "HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false);
	ok(has(a, "Content-Length: 26\r\n") && !strcmp(strstr(a, "\r\n\r\n"), "\r\n\r\n"),
	   "HEAD: the length, no body");
	a = raw_ask(s, "GET /hello HTTP/1.0\r\n\r\n", false);
	ok(has(a, "200 OK") && has(a, "GET /hello"), "HTTP/1.0 is answered and closed");
	a = raw_ask(s,
		    "GET http://localhost/abs?q=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		    false);
	ok(has(a, "GET /abs q=1"), "absolute form");
	a = raw_ask(s,
		    "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
		    "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		    false);
	ok(has(a, "GET /1 ") && has(a, "GET /2 ") && has(a, "GET /3 "), "pipelined requests");
}

static void big(struct serve *s)
{
	auto_(http_client_free) struct http_client *c = NULL;
	struct http_call call = {.method = "GET", .path = "/big?mb=20"};
	struct http_resp r;
	struct err e = {0};

	if (http_client_new(serve_host(s), NULL, &c, &e) < 0)
		return;
	is_int(http_client_call(c, &call, &r, &e), 0, "20 MB answer");
	is_int(r.body.len, 20u << 20, "its length");
	http_resp_done(&r);
}

/* Answered late: the connection was suspended. */
static void waiting(struct serve *s)
{
	uint64_t before = seen(SEEN_WAITING), gone = seen(SEEN_GONE);
	int a = raw_unix(s), b = raw_unix(s), c = raw_unix(s), d = raw_tcp(s);
	char text[4096];

	raw_puts(a, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_puts(b, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)shutdown(b, SHUT_WR);
	raw_puts(c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_puts(d, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
	ok(await(SEEN_WAITING, before + 4), "four wait");
	(void)shutdown(b, SHUT_WR);
	(void)close(c);
	ok(await(SEEN_GONE, gone + 1), "one left while suspended: gone");
	(void)shutdown(d, SHUT_WR);
	(void)raw_ask(s, "POST /release HTTP/1.0\r\n\r\n", false);
	ok(raw_until(a, "released", text, sizeof(text)) && has(text, "200 OK"), "answered late");
	raw_puts(a, "GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
	ok(raw_until(a, "GET /again", text, sizeof(text)) && has(text, "200 OK"),
	   "and the connection lives");
	(void)raw_until(b, NULL, text, sizeof(text));
	ok(has(text, "200 OK") && has(text, "released"), "a half-closed one is answered late");
	(void)raw_until(d, NULL, text, sizeof(text));
	ok(has(text, "200 OK") && has(text, "released"), "a half-closed TCP one, too");
	(void)close(a);
	(void)close(b);
	(void)close(d);
	is_int(seen(SEEN_GONE), gone + 1, "gone came once");
}

/* Bytes and a half-close that the server sees together: libmicrohttpd misses the second. */
static void both_at_once(struct serve *s, const char *what, const char *request, const char *answer)
{
	uint64_t blocked = seen(SEEN_BLOCKED);
	int a = raw_unix(s), b = raw_unix(s);
	char text[4096];

	/* b is accepted before the loop is held */
	raw_puts(b, "GET /first HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)raw_until(b, "bool=0", text, sizeof(text));
	raw_puts(a, "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
	ok(await(SEEN_BLOCKED, blocked + 1), "the server is busy");
	raw_puts(b, request);
	(void)shutdown(b, SHUT_WR);
	serve_unblock();
	errno = 0;
	(void)raw_until(b, NULL, text, sizeof(text));
	ok(errno != EAGAIN && has(text, answer), "%s and a half-close at once: ended", what);
	(void)close(a);
	(void)close(b);
}

static void many_at_once(struct serve *s)
{
	enum { N = 300 };
	static int fds[N];
	uint64_t before = seen(SEEN_WAITING);
	unsigned good = 0;
	char text[4096];

	for (int i = 0; i < N; i++) {
		fds[i] = i % 4 ? raw_unix(s) : raw_tcp(s);
		raw_puts(fds[i], "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
	}
	ok(await(SEEN_WAITING, before + N), "300 wait at once");
	(void)raw_ask(s, "POST /release HTTP/1.0\r\n\r\n", false);
	for (int i = 0; i < N; i++) {
		good += raw_until(fds[i], "released", text, sizeof(text)) &&
			strstr(text, "200 OK") != NULL;
		(void)close(fds[i]);
	}
	is_int(good, N, "300 are answered");
}

static const struct {
	const char *what, *request, *status; /* NULL: whatever, or nothing */
} malformed[] = {
	{"no request line", "\r\n\r\n\r\n", NULL},
	{"rubbish", "\x01\x02\xff\xfe rubbish\r\n\r\n", "HTTP/1.1 400"},
	{"one word", "GET\r\n\r\n", NULL},
	{"no version", "GET /\r\n\r\n", "HTTP/1.1 400"},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505"},
	{"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", "HTTP/1.1 505"},
	{"a header without a colon", "GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
	 "HTTP/1.1 400"},
	{"bad Content-Length", "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 12x\r\n\r\n",
	 "HTTP/1.1 400"},
	{"huge Content-Length",
	 "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	 "HTTP/1.1 413"},
	{"negative Content-Length",
	 "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400"},
	{"bad chunk size",
	 "POST /collect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
	 "HTTP/1.1 400"},
	{"huge chunk size",
	 "POST /collect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	 "fffffffffffffffff\r\nabc\r\n",
	 "HTTP/1.1 413"},
	{"bad chunk end",
	 "POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
	 "chunked\r\n\r\n3\r\nabcdef\r\n0\r\n"
	 "\r\n",
	 "HTTP/1.1 400"},
	{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200"},
	{"authority", "CONNECT host:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL},
	{"bare line feeds", "GET /lf HTTP/1.1\nHost: x\nConnection: close\n\n", NULL},
	{"upgrade of what cannot",
	 "GET /hello HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n"
	 "Connection: Upgrade, close\r\n\r\n",
	 "HTTP/1.1 200"},
};

/* libmicrohttpd 1.0 closes on rubbish without a word, and takes no chunk extensions. */
static bool newer_mhd(void)
{
	return MHD_get_version()[0] != '0';
}

static void bad_requests(struct serve *s)
{
	auto_buf struct buf b = BUF_INIT(2u << 20);

	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		const char *a = raw_ask(s, malformed[i].request, true);

		if (malformed[i].status && !(i == 1 && newer_mhd()))
			ok(has(a, malformed[i].status), "%s: %s", malformed[i].what,
			   malformed[i].status);
		else
			ok(true, "%s: survived", malformed[i].what);
	}
	(void)buf_puts(&b, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Test: ");
	for (int i = 0; i < 30000; i++)
		(void)buf_putc(&b, 'a');
	(void)buf_puts(&b, "\r\nConnection: close\r\n\r\n");
	ok(has(raw_ask(s, buf_str(&b), false), "HTTP/1.1 200"), "a header of 30 KB is taken");
	buf_clear(&b);
	(void)buf_puts(&b, "GET /hello HTTP/1.1\r\nHost: x\r\nX-Test: ");
	for (int i = 0; i < 200000; i++)
		(void)buf_putc(&b, 'a');
	(void)buf_puts(&b, "\r\n\r\n");
	ok(has(raw_ask(s, buf_str(&b), false), "HTTP/1.1 431"), "one of 200 KB is refused: 431");
	buf_clear(&b);
	(void)buf_puts(&b, "GET /");
	for (int i = 0; i < 200000; i++)
		(void)buf_putc(&b, 'a');
	ok(has(raw_ask(s, buf_str(&b), false), "HTTP/1.1 414"), "a target of 200 KB: 414");
	ok(has(raw_ask(s, "GET /hello HTTP/1.0\r\n\r\n", false), "200 OK"), "the server lives");
}

/* Random cuts of a request: each prefix, then the client is gone. */
static void prefixes(struct serve *s)
{
#define BEGIN "POST /upload?q=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	const char *text = newer_mhd() ? BEGIN "5\r\nabcde\r\n3\r\nfgh\r\n0\r\nT: u\r\n\r\n"
				       : BEGIN "5\r\nabcde\r\n3;x=y\r\nfgh\r\n0\r\nT: u\r\n\r\n";
	size_t len = strlen(text);
	char answer[1024];
	int fd;

	for (size_t n = 0; n < len; n++) {
		fd = raw_unix(s);
		(void)raw_send(fd, text, n);
		(void)close(fd);
	}
	fd = raw_unix(s);
	for (size_t n = 0; n < len; n++)
		(void)raw_send(fd, text + n, 1);
	ok(raw_until(fd, "8 ", answer, sizeof(answer)) && has(answer, "200 OK"),
	   "a request byte by byte; all its prefixes before");
	(void)close(fd);
}

static void limits(void)
{
	struct serve *s = serve_start(20);
	int busy[20], idle[12];
	char text[4096];
	const char *a;

	for (int i = 0; i < 10; i++) {
		idle[i] = raw_unix(s);
		raw_puts(idle[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
		(void)raw_until(idle[i], "bool=0", text, sizeof(text));
	}
	ok(!strstr(text, "Connection: close"), "up to half of the limit connections are kept");
	idle[10] = raw_unix(s);
	raw_puts(idle[10], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)raw_until(idle[10], NULL, text, sizeof(text));
	ok(has(text, "Connection: close"), "beyond it they are closed");
	(void)close(idle[10]);
	for (int i = 0; i < 20; i++) {
		busy[i] = raw_unix(s);
		raw_puts(busy[i], "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
		(void)raw_until(busy[i], "\r\n\r\n", text, sizeof(text));
		if (!strstr(text, "200 OK"))
			break;
	}
	ok(has(text, "200 OK"), "idle connections make room for 20 busy ones");
	is_int(recv(idle[0], text, 1, 0), 0, "the longest idle one was ended");
	a = raw_ask(s, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", false);
	ok(has(a, "HTTP/1.1 503") && has(a, "Connection: close") &&
		   has(a, "{\"message\":\"too many connections are open"),
	   "beyond the limit: 503 and why");
	(void)close(busy[0]);
	ok(await(SEEN_STREAM_GONE, 1), "one leaves");
	a = raw_ask(s, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", false);
	ok(has(a, "HTTP/1.1 200"), "and there is room again");
	for (int i = 1; i < 20; i++)
		(void)close(busy[i]);
	for (int i = 0; i < 10; i++)
		(void)close(idle[i]);
	serve_stop(s);
}

static void stop_with_open(void)
{
	struct serve *s = serve_start(0);
	int a = raw_unix(s), b = raw_unix(s), c = raw_unix(s), d = raw_unix(s);
	char text[1024];

	raw_puts(a, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_puts(b, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_puts(c, "POST /upload?hold=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
	raw_puts(d, "GET /flood?mb=100 HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)raw_until(b, "\r\n\r\n", text, sizeof(text));
	ok(await(SEEN_WAITING, 1) && await(SEEN_UPLOAD_PAUSED, 1) && await(SEEN_PAUSED, 1),
	   "one waits, one streams, one uploads, one floods");
	serve_stop(s);
	is_int(seen(SEEN_GONE), 2, "freeing the server: gone for the unanswered");
	is_int(seen(SEEN_STREAM_GONE), 2, "and for the streams");
	(void)raw_until(a, NULL, text, sizeof(text));
	is_str(text, "", "their connections are closed");
	(void)close(a);
	(void)close(b);
	(void)close(c);
	(void)close(d);
}

int main(void)
{
	struct serve *s = serve_start(0);

	plain(s, serve_host(s));
	plain(s, serve_tcp_host(s));
	many_on_one(s);
	heads(s);
	big(s);
	waiting(s);
	both_at_once(s, "a request", "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK");
	both_at_once(s, "half a request", "GET /hello HTTP/1.1\r\nHo", "");
	both_at_once(s, "empty lines", "\r\n\r\n", "");
	both_at_once(s, "half a body",
		     "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", "");
	both_at_once(s, "half a refused body",
		     "POST /fail HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
		     "no such thing");
	both_at_once(s, "a request that waits not", "POST /release HTTP/1.1\r\nHost: x\r\n\r\n",
		     "204");
	many_at_once(s);
	bad_requests(s);
	prefixes(s);
	serve_stop(s);
	limits();
	stop_with_open();
	return tap_done();
}
