/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - the blocking HTTP client */

#include "http/client.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/dial.h"
#include "http/response.h"

#define PIECE 65536

struct http_client {
	struct dial to;
	int fd;
	bool used; /* an answer came over it before */
	char in[PIECE];
};

/* one call: where its pieces go */
struct exchange {
	struct http_client *c;
	const struct http_call *call;
	struct http_resp *ret;
	struct response parser;
	bool upgrade, cut; /* cut: the request was not sent to its end */
	bool heard;	   /* at least a byte of the answer */
	bool told;	   /* on_head was called */
	int sink_error;
};

/* ---- the client ---- */

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	(void)fd_close(c->fd);
	dial_done(&c->to);
	free(c);
}

int http_client_new(const char *host, const struct http_security *sec, struct http_client **ret,
		    struct err *e)
{
	auto_(http_client_free) struct http_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_nomem(e);
	c->fd = -EBADF;
	r = dial_parse(&c->to, host, sec, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

int http_client_raw(struct http_client *c, int *ret_fd, struct err *e)
{
	return dial_open(&c->to, ret_fd, e);
}

static void hang_up(struct http_client *c)
{
	c->fd = fd_close(c->fd);
	c->used = false;
}

/* An idle connection that has something to read has its end, or rubbish. */
static int dial(struct http_client *c, struct err *e)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};

	if (c->fd >= 0 && poll(&p, 1, 0) != 0)
		hang_up(c);
	if (c->fd >= 0)
		return 0;
	return dial_open(&c->to, &c->fd, e);
}

/* ---- the request ---- */

static bool clean(const char *s, bool spaces)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f || (*s == ' ' && !spaces))
			return false;
	return true;
}

static int body_headers(const struct http_call *call, struct buf *out, struct err *e)
{
	const char *type = call->content_type ? call->content_type : "application/json";
	bool bare = streq(call->method, "GET") || streq(call->method, "HEAD");

	if (!call->read_body && !call->body_len) {
		if (!bare)
			(void)buf_puts(out, "Content-Length: 0\r\n");
		return 0;
	}
	if (!clean(type, true))
		return err_invalid(e, "invalid content type");
	(void)buf_printf(out, "Content-Type: %s\r\n", type);
	if (call->read_body)
		(void)buf_puts(out, "Transfer-Encoding: chunked\r\n");
	else
		(void)buf_printf(out, "Content-Length: %zu\r\n", call->body_len);
	return 0;
}

/* Fills @out, whose error is looked at last. */
static int head(const struct exchange *x, struct buf *out, struct err *e)
{
	const struct http_call *call = x->call;

	if (!clean(call->method, false) || !clean(call->path, false) || call->path[0] != '/')
		return err_invalid(e, "invalid request path");
	(void)buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: atoll/%s\r\n",
			 call->method, call->path, x->c->to.path ? "localhost" : x->c->to.name,
			 ATOLL_VERSION);
	if (x->upgrade)
		(void)buf_puts(out, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
	for (size_t i = 0; call->headers && call->headers[i] && call->headers[i + 1]; i += 2) {
		if (!clean(call->headers[i], false) || !clean(call->headers[i + 1], true))
			return err_invalid(e, "invalid request header");
		(void)buf_printf(out, "%s: %s\r\n", call->headers[i], call->headers[i + 1]);
	}
	if (body_headers(call, out, e) < 0)
		return -EINVAL;
	(void)buf_puts(out, "\r\n");
	if (!call->read_body)
		(void)buf_add(out, call->body, call->body_len);
	return buf_err(out) ? err_nomem(e) : 0;
}

/* Sends all, or stops once an answer or the end is there to be read: x->cut. */
static int push(struct exchange *x, const char *data, size_t len, struct err *e)
{
	while (len && !x->cut) {
		struct pollfd p = {.fd = x->c->fd, .events = POLLIN | POLLOUT};
		ssize_t n = send(p.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			x->cut = true;
		} else if (errno == EAGAIN) {
			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return err_sys(e, errno, "cannot wait for %s", x->c->to.host);
			x->cut = p.revents & (POLLIN | POLLHUP | POLLERR);
		} else if (errno != EINTR) {
			return err_sys(e, errno, "cannot send to %s", x->c->to.host);
		}
	}
	return 0;
}

/* The answer is there before the request was sent: a refusal. */
static bool answered_early(struct exchange *x)
{
	struct pollfd p = {.fd = x->c->fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static int push_chunks(struct exchange *x, struct err *e)
{
	auto_free char *piece = malloc(PIECE + 32);

	if (!piece)
		return err_nomem(e);
	while (!x->cut) {
		/* the size goes before the data: "%08x\r\n" is ten bytes */
		ssize_t n = x->call->read_body(x->call->data, piece + 10, PIECE);
		char size[16];
		int r;

		if (n > PIECE)
			n = -EOVERFLOW;
		if (n < 0)
			return err_set(e, ERR_INTERNAL, (int)-n,
				       "cannot read the request's body: %s", strerror((int)-n));
		if (!n)
			return push(x, "0\r\n\r\n", 5, e);
		(void)snprintf(size, sizeof(size), "%08x\r\n", (unsigned)n);
		memcpy(piece, size, 10);
		memcpy(piece + 10 + n, "\r\n", 2);
		r = push(x, piece, (size_t)n + 12, e);
		if (r < 0)
			return r;
		x->cut = x->cut || answered_early(x);
	}
	return 0;
}

static int push_request(struct exchange *x, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(x->call->body_len + (1u << 20));
	int r = head(x, &out, e);

	if (r >= 0)
		r = push(x, out.data, out.len, e);
	if (r >= 0 && x->call->read_body)
		r = push_chunks(x, e);
	return r;
}

/* ---- the answer ---- */

static int sink(void *data, const char *piece, size_t len)
{
	struct exchange *x = data;

	if (x->call->on_data && x->parser.status < 300)
		return x->call->on_data(x->call->data, piece, len);
	x->sink_error = buf_add(&x->ret->body, piece, len);
	return x->sink_error;
}

/* Return: bytes, 0 at the end, -errno */
static ssize_t pull(struct http_client *c)
{
	ssize_t n;

	do
		n = recv(c->fd, c->in, sizeof(c->in), 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Once, when the head is whole. Return: what on_head says. */
static int tell_head(struct exchange *x)
{
	if (x->told || !x->call->on_head || x->parser.state == RESPONSE_HEAD)
		return 0;
	x->told = true;
	return x->call->on_head(x->call->data, x->parser.status);
}

/* Reads the answer; bytes past its end go to @early. */
static int take_answer(struct exchange *x, struct buf *early, struct err *e)
{
	while (x->parser.state != RESPONSE_DONE) {
		ssize_t n = pull(x->c);
		size_t at = 0;

		if (n == 0 || n == -ECONNRESET)
			return response_eof(&x->parser, e);
		if (n < 0)
			return err_sys(e, (int)-n, "cannot read from %s", x->c->to.host);
		x->heard = true;
		while (at < (size_t)n && x->parser.state != RESPONSE_DONE) {
			size_t used;
			int r = response_feed(&x->parser, x->c->in + at, (size_t)n - at, &used, e);

			if (x->sink_error)
				return err_set(e, ERR_INTERNAL, -x->sink_error,
					       "the answer of %s is too large", x->c->to.host);
			if (r == 0)
				r = tell_head(x);
			if (r)
				return r;
			at += used;
		}
		if (at < (size_t)n) {
			x->parser.keep_alive = false; /* an answer to nothing, or hijacked bytes */
			if (early && buf_add(early, x->c->in + at, (size_t)n - at) < 0)
				return err_nomem(e);
		}
	}
	return 0;
}

void http_resp_done(struct http_resp *r)
{
	buf_done(&r->body);
	free(r->content_type);
	free(r->api_version);
	free(r->path_stat);
	r->content_type = r->api_version = r->path_stat = NULL;
}

static int attempt(struct exchange *x, struct buf *early, struct err *e)
{
	int r = dial(x->c, e);

	if (r < 0)
		return r;
	x->cut = x->heard = x->told = false;
	response_init(&x->parser, streq(x->call->method, "HEAD"), sink, x);
	r = push_request(x, e);
	if (r >= 0)
		r = take_answer(x, early, e);
	if (r == 0) {
		x->ret->status = x->parser.status;
		x->ret->content_type = TAKE_PTR(x->parser.content_type);
		x->ret->api_version = TAKE_PTR(x->parser.api_version);
		x->ret->path_stat = TAKE_PTR(x->parser.path_stat);
		x->c->used = true;
	}
	if (r != 0 || (x->parser.status == 101 && !x->upgrade) ||
	    (x->parser.status != 101 && (x->cut || !x->parser.keep_alive)))
		hang_up(x->c);
	response_done(&x->parser);
	return r;
}

static int run(struct exchange *x, struct buf *early, struct err *e)
{
	const char *m = x->call->method;
	bool again = x->c->used && !x->call->read_body && (streq(m, "GET") || streq(m, "HEAD"));
	int r;

	*x->ret = (struct http_resp){.body = BUF_INIT(LIMIT_JSON_REPLY)};
	r = attempt(x, early, e);
	if (r < 0 && again && !x->heard)
		r = attempt(x, early, e);
	return r;
}

int http_client_call(struct http_client *c, const struct http_call *call, struct http_resp *ret,
		     struct err *e)
{
	struct exchange x = {.c = c, .call = call, .ret = ret};

	return run(&x, NULL, e);
}

int http_client_hijack(struct http_client *c, const struct http_call *call, int *ret_fd,
		       struct buf *early, struct http_resp *ret, struct err *e)
{
	struct exchange x = {.c = c, .call = call, .ret = ret, .upgrade = true};
	int r;

	*ret_fd = -1;
	hang_up(c); /* the socket is given away: take a new one */
	r = run(&x, early, e);
	if (r == 0 && ret->status == 101) {
		*ret_fd = TAKE_FD(c->fd);
		c->used = false;
	}
	return r;
}

int http_url_escape(struct buf *out, const char *s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;
		char esc[3] = {'%', digits[ch >> 4], digits[ch & 15]};
		bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
			     (ch >= '0' && ch <= '9') || strchr("-._~", ch);
		int r = plain ? buf_putc(out, *s) : buf_add(out, esc, 3);

		if (r < 0)
			return r;
	}
	return 0;
}
