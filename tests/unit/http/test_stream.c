/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stream.c - streamed answers: at once, slow readers, clients that leave, HTTP/1.0 */

#include <poll.h>
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

static void emit(struct serve *s, const char *text, bool end)
{
	char request[512];

	snprintf(request, sizeof(request),
		 "POST /emit?end=%d HTTP/1.0\r\nContent-Length: %zu\r\n\r\n%s", end, strlen(text),
		 text);
	if (!strstr(raw_ask(s, request, false), "204"))
		printf("# emit failed\n");
}

static void events(struct serve *s)
{
	int a = raw_unix(s), b = raw_unix(s), c = raw_tcp(s);
	char text[4096];

	raw_puts(a, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	ok(raw_until(a, "\r\n\r\n", text, sizeof(text)) && has(text, "200 OK") &&
		   has(text, "Transfer-Encoding: chunked"),
	   "the headers of a stream come at once");
	raw_puts(b, "GET /events HTTP/1.0\r\n\r\n");
	(void)shutdown(b, SHUT_WR);
	ok(raw_until(b, "\r\n\r\n", text, sizeof(text)) && has(text, "200 OK") &&
		   !strstr(text, "chunked"),
	   "to HTTP/1.0 without chunks");
	raw_puts(c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)raw_until(c, "\r\n\r\n", text, sizeof(text));
	emit(s, "one", false);
	ok(raw_until(a, "3\r\none\r\n", text, sizeof(text)) == 8, "a piece is a chunk");
	ok(raw_until(b, "one", text, sizeof(text)) == 3, "or as it is");
	emit(s, "two", true);
	ok(raw_until(a, "0\r\n\r\n", text, sizeof(text)) && !strcmp(text, "3\r\ntwo\r\n0\r\n\r\n"),
	   "the last piece and the end");
	(void)raw_until(b, NULL, text, sizeof(text));
	is_str(text, "two", "the half-closed HTTP/1.0 client got all, then the close");
	raw_puts(a, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	ok(raw_until(a, "GET /hello", text, sizeof(text)) && has(text, "200 OK"),
	   "the connection goes on");
	(void)close(a);
	(void)close(b);
	(void)close(c);
	is_int(seen(SEEN_STREAM_GONE), 0, "none was gone");
}

static void gone(struct serve *s)
{
	uint64_t before = seen(SEEN_STREAM_GONE), paused = seen(SEEN_PAUSED);
	auto_(http_client_free) struct http_client *c = NULL;
	struct http_call head = {.method = "HEAD", .path = "/events"};
	struct http_resp r;
	struct err e = {0};
	char text[4096];
	int a = raw_unix(s), b = raw_unix(s);

	raw_puts(a, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)raw_until(a, "\r\n\r\n", text, sizeof(text));
	(void)close(a);
	ok(await(SEEN_STREAM_GONE, before + 1), "a client that leaves a silent stream: gone");
	raw_puts(b, "GET /flood?mb=100 HTTP/1.1\r\nHost: x\r\n\r\n");
	ok(await(SEEN_PAUSED, paused + 1), "a flood is paused");
	(void)close(b);
	ok(await(SEEN_STREAM_GONE, before + 2), "a client that leaves a full stream: gone");
	is_int(http_client_new(serve_host(s), NULL, &c, &e), 0, "client");
	is_int(http_client_call(c, &head, &r, &e), 0, "HEAD of a stream");
	is_int(r.status, 200, "answered");
	http_resp_done(&r);
	ok(await(SEEN_STREAM_GONE, before + 3), "HEAD of a stream: gone");
	emit(s, "nobody", true);
	is_int(seen(SEEN_STREAM_GONE), before + 3, "gone came once for each");
}

struct sum {
	uint64_t len, stop_at;
};

static int add(void *data, const void *piece, size_t len)
{
	struct sum *t = data;

	(void)piece;
	t->len += len;
	return t->stop_at && t->len > t->stop_at ? 77 : 0;
}

static void flood(struct serve *s, const char *host)
{
	auto_(http_client_free) struct http_client *c = NULL;
	struct sum t = {0};
	struct http_call call = {
		.method = "GET", .path = "/flood?mb=64", .on_data = add, .data = &t};
	struct http_resp r;
	struct err e = {0};
	uint64_t gone_before = seen(SEEN_STREAM_GONE);

	(void)s;
	is_int(http_client_new(host, NULL, &c, &e), 0, "client");
	is_int(http_client_call(c, &call, &r, &e), 0, "64 MB stream: %s", host);
	is_int(t.len, 64u << 20, "all of it");
	http_resp_done(&r);
	t = (struct sum){.stop_at = 1u << 20};
	is_int(http_client_call(c, &call, &r, &e), 77, "the reader's own end");
	http_resp_done(&r);
	ok(await(SEEN_STREAM_GONE, gone_before + 1), "the writer hears it");
	call = (struct http_call){.method = "GET", .path = "/hello"};
	is_int(http_client_call(c, &call, &r, &e), 0, "the client goes on");
	http_resp_done(&r);
}

/* Nobody reads: the writer is stopped within the queue, the limit and the socket's buffer. */
static void slow(struct serve *s)
{
	uint64_t before = seen(SEEN_QUEUED), paused = seen(SEEN_PAUSED), drained, queued;
	int fd = raw_unix(s);
	char *buf = malloc(1u << 20);
	size_t got = 0, n;

	raw_puts(fd, "GET /flood?mb=16 HTTP/1.0\r\n\r\n");
	ok(await(SEEN_PAUSED, paused + 1), "a stream that nobody reads is paused");
	for (int calm = 0; calm < 10; calm++) /* turns, to let it settle */
		(void)raw_ask(s, "GET /hello HTTP/1.0\r\n\r\n", false);
	queued = seen(SEEN_QUEUED) - before;
	ok(queued < 3 * LIMIT_STREAM_QUEUE + (1u << 20), "it took %llu KB",
	   (unsigned long long)queued >> 10);
	drained = seen(SEEN_DRAINED);
	while ((n = raw_read(fd, buf, 200000)) > 0)
		got += n;
	ok(got > 16u << 20 && got < (16u << 20) + 400, "then read: all of it");
	ok(seen(SEEN_DRAINED) > drained + 30, "drained came for each refill");
	free(buf);
	(void)close(fd);
}

/* One piece larger than the whole queue. */
static void large_piece(struct serve *s)
{
	auto_(http_client_free) struct http_client *c = NULL;
	char *body = calloc(1, 5u << 20), *got = malloc(6u << 20);
	struct http_call call = {
		.method = "POST", .path = "/emit?end=1", .body = body, .body_len = 5u << 20};
	struct http_resp r;
	struct err e = {0};
	int fd = raw_unix(s);
	char text[4096];

	memset(body, 'L', 5u << 20);
	raw_puts(fd, "GET /events HTTP/1.0\r\n\r\n");
	(void)raw_until(fd, "\r\n\r\n", text, sizeof(text));
	is_int(http_client_new(serve_host(s), NULL, &c, &e), 0, "client");
	is_int(http_client_call(c, &call, &r, &e), 0, "a piece of 5 MB");
	is_int(r.status, 204, "was accepted");
	http_resp_done(&r);
	is_int(raw_read(fd, got, 6u << 20), 5u << 20, "and arrives");
	ok(!memcmp(got, body, 5u << 20), "unharmed");
	(void)close(fd);
	free(body);
	free(got);
}

int main(void)
{
	struct serve *s = serve_start(0);

	events(s);
	gone(s);
	flood(s, serve_host(s));
	flood(s, serve_tcp_host(s));
	slow(s);
	large_piece(s);
	serve_stop(s);
	return tap_done();
}
