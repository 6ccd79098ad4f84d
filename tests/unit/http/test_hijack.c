/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_hijack.c - upgrades: early bytes, half-closes in both orders, lingering, the server's end */

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/client.h"
#include "serve.h"
#include "tap.h"

#define UPGRADE "Connection: Upgrade\r\nUpgrade: tcp\r\n"

static bool has(const char *text, const char *part)
{
	bool good = strstr(text, part) != NULL;

	if (!good)
		printf("# \"%s\" is not in \"%.600s\"\n", part, text);
	return good;
}

static int open_one(struct serve *s, const char *path, const char *early)
{
	int fd = raw_unix(s);
	char request[512];

	snprintf(request, sizeof(request),
		 "POST %s HTTP/1.1\r\nHost: x\r\n" UPGRADE "Content-Type: application/json\r\n"
		 "Content-Length: 2\r\n\r\n{}%s",
		 path, early);
	raw_puts(fd, request);
	return fd;
}

static void handshake(struct serve *s)
{
	char text[4096];
	int fd = open_one(s, "/hijack", "");

	(void)raw_until(fd, "\r\n\r\n", text, sizeof(text));
	ok(!strncmp(text, "HTTP/1.1 101 ", 13) && has(text, "Connection: Upgrade\r\n") &&
		   has(text, "Upgrade: tcp\r\n") &&
		   has(text, "Content-Type: application/vnd.docker.raw-stream\r\n") &&
		   !strstr(text, "Content-Length") && !strstr(text, "Transfer-Encoding"),
	   "101 as the clients want it");
	raw_puts(fd, "ping");
	ok(raw_until(fd, "ping", text, sizeof(text)) == 4, "the socket is raw");
	(void)shutdown(fd, SHUT_WR);
	(void)raw_until(fd, NULL, text, sizeof(text));
	is_str(text, "bye", "a half-close is an end of input, output goes on");
	(void)close(fd);
}

static void early(struct serve *s)
{
	uint64_t waiting = seen(SEEN_WAITING), gone = seen(SEEN_HIJACK_GONE),
		 left = seen(SEEN_GONE);
	char text[4096];
	int fd = open_one(s, "/hijack", "early bytes");

	(void)raw_until(fd, "\r\n\r\n", text, sizeof(text));
	ok(raw_until(fd, "early bytes", text, sizeof(text)) == 11, "early bytes are handed over");
	(void)close(fd);

	/* all comes before the 101: bytes and the half-close; then the 101 late */
	fd = open_one(s, "/hijack?hold=1", "before");
	(void)shutdown(fd, SHUT_WR);
	ok(await(SEEN_WAITING, waiting + 1), "a hijack waits");
	(void)raw_ask(s, "POST /release HTTP/1.0\r\n\r\n", false);
	(void)raw_until(fd, NULL, text, sizeof(text));
	ok(has(text, "HTTP/1.1 101 ") && has(text, "\r\n\r\nbeforebye"),
	   "an early half-close is kept for the owner");
	(void)close(fd);

	/* the same in one go: the half-close lies in the socket when the 101 is written */
	fd = open_one(s, "/hijack", "now");
	(void)shutdown(fd, SHUT_WR);
	(void)raw_until(fd, NULL, text, sizeof(text));
	ok(has(text, "\r\n\r\nnowbye"), "at once, too");
	(void)close(fd);

	fd = open_one(s, "/hijack?hold=1", "");
	ok(await(SEEN_WAITING, waiting + 2), "another waits");
	(void)close(fd);
	ok(await(SEEN_GONE, left + 1), "it leaves before: gone");
	is_int(seen(SEEN_HIJACK_GONE), gone, "of the request, not of the hijack");
}

/* The other order: the server ends first, the client goes on sending. */
static void server_first(struct serve *s)
{
	uint64_t eof = seen(SEEN_HIJACK_EOF);
	char text[4096], block[4096] = {0};
	struct pollfd p = {.events = POLLIN};
	ssize_t n = 0;
	int fd = open_one(s, "/hijack", "");

	(void)raw_until(fd, "\r\n\r\n", text, sizeof(text));
	raw_puts(fd, "quit");
	ok(await(SEEN_HIJACK_EOF, eof + 1), "the server ends it");
	is_int(recv(fd, text, sizeof(text), 0), 0, "the client reads the end");
	for (int i = 0; i < 64 && n >= 0; i++)
		n = send(fd, block, sizeof(block), MSG_NOSIGNAL);
	ok(n > 0, "what the client still sends is taken");
	p.fd = fd;
	(void)poll(&p, 1, 0);
	ok(!(p.revents & POLLERR), "and is no reset");
	(void)shutdown(fd, SHUT_WR);
	is_int(recv(fd, text, sizeof(text), 0), 0, "the end stays an end");
	(void)close(fd);
}

static void one_way(struct serve *s)
{
	const char *a =
		raw_ask(s, "POST /hijack HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false);

	ok(has(a, "HTTP/1.1 200 OK") && has(a, "chunked") && has(a, "7\r\none-way\r\n0\r\n"),
	   "without Upgrade: a one-way stream");
	a = raw_ask(s, "POST /hijack HTTP/1.0\r\n" UPGRADE "\r\n", true);
	ok(has(a, "200 OK") && has(a, "\r\n\r\none-way") && !strstr(a, "chunked"),
	   "HTTP/1.0 with Upgrade: the same until close");
}

static void by_client(struct serve *s)
{
	auto_(http_client_free) struct http_client *c = NULL;
	auto_buf struct buf first = BUF_INIT(4096);
	struct http_call call = {.method = "POST", .path = "/hijack", .body = "{}", .body_len = 2};
	struct http_call hello = {.method = "GET", .path = "/hello"};
	struct http_resp r;
	struct err e = {0};
	char text[64] = "";
	int fd;

	is_int(http_client_new(serve_host(s), NULL, &c, &e), 0, "client");
	is_int(http_client_call(c, &hello, &r, &e), 0, "a call before");
	http_resp_done(&r);
	is_int(http_client_hijack(c, &call, &fd, &first, &r, &e), 0, "client: hijack");
	is_int(r.status, 101, "client: 101");
	ok(fd >= 0, "client: the socket");
	http_resp_done(&r);
	raw_puts(fd, "over");
	(void)raw_read(fd, text, 4);
	is_str(text, "over", "client: raw");
	is_int(http_client_call(c, &hello, &r, &e), 0,
	       "client: its next call has a new connection");
	is_int(r.status, 200, "client: answered");
	http_resp_done(&r);
	(void)close(fd);
	call.path = "/fail";
	is_int(http_client_hijack(c, &call, &fd, &first, &r, &e), 0, "client: refused hijack");
	is_int(r.status, 404, "client: the status");
	is_int(fd, -1, "client: no socket");
	is_str(buf_str(&r.body), "{\"message\":\"no such thing\"}", "client: the text");
	http_resp_done(&r);
}

static void many(struct serve *s)
{
	enum { N = 100 };
	uint64_t ends = seen(SEEN_HIJACK_EOF);
	unsigned good = 0;
	int fds[N];
	char text[4096];

	for (int i = 0; i < N; i++)
		fds[i] = open_one(s, "/hijack", "x");
	for (int i = 0; i < N; i++) {
		(void)raw_until(fds[i], "\r\n\r\n", text, sizeof(text));
		(void)shutdown(fds[i], SHUT_WR);
		good += raw_until(fds[i], NULL, text, sizeof(text)) && !strcmp(text, "xbye");
		(void)close(fds[i]);
	}
	is_int(good, N, "100 at once");
	ok(await(SEEN_HIJACK_EOF, ends + N), "all ended");
}

int main(void)
{
	struct serve *s = serve_start(0);
	char text[4096];
	int fd, slow;

	handshake(s);
	early(s);
	server_first(s);
	one_way(s);
	by_client(s);
	many(s);
	fd = open_one(s, "/hijack", "");
	(void)raw_until(fd, "\r\n\r\n", text, sizeof(text));
	/* one that lingers: its client does not close */
	slow = open_one(s, "/hijack", "");
	(void)raw_until(slow, "\r\n\r\n", text, sizeof(text));
	raw_puts(slow, "quit");
	is_int(recv(slow, text, 1, 0), 0, "one lingers");
	serve_stop(s);
	(void)raw_until(fd, NULL, text, sizeof(text));
	is_str(text, "still", "a hijacked socket outlives the server");
	(void)close(fd);
	(void)close(slow);
	return tap_done();
}
