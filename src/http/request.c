/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.c - a request's data, its body, and its waiting
 *
 * Body: collected, streamed or dropped. libmicrohttpd closes a connection whose client half-closed
 * while body bytes lie unread in its buffer, so every byte is taken at once: what a paused reader
 * leaves is kept here, and the connection is suspended only once that is BACKLOG or more. The kept
 * part is so at most BACKLOG and one libmicrohttpd buffer.
 *
 * Once a request is answered the rest of its body is swallowed, since the answer can be queued only
 * after the body. Over LIMIT_UPLOAD_SWALLOW bytes or swallow_ms the answer is written past
 * libmicrohttpd, and the connection ended LINGER_MS later; a client that reads while it sends
 * (all but the simplest do) sees the text.
 */

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/str.h"
#include "http/internal.h"

#define BACKLOG	  LIMIT_HEADER_MEM
#define LINGER_MS 2000

/* ---- reading a request ---- */

const char *http_method(const struct http_req *r)
{
	return r->method;
}

const char *http_path(const struct http_req *r)
{
	return r->path;
}

const char *http_query(const struct http_req *r, const char *key)
{
	return query_get(r->query, key);
}

const char *http_query_next(const struct http_req *r, const char *key, size_t *pos)
{
	return query_next(r->query, key, pos);
}

bool http_query_bool(const struct http_req *r, const char *key, bool absent)
{
	static const char *const no[] = {"", "0", "no", "false", "none"};
	const char *v = http_query(r, key);
	size_t len;

	if (!v)
		return absent;
	v += strspn(v, " \t\r\n");
	for (len = strlen(v); len && strchr(" \t\r\n", v[len - 1]);)
		len--;
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (len == strlen(no[i]) && !strncasecmp(v, no[i], len))
			return false;
	return true;
}

const char *http_header(const struct http_req *r, const char *name)
{
	return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

void http_set_mark(struct http_req *r, const void *mark)
{
	r->mark = mark;
}

const void *http_mark(const struct http_req *r)
{
	return r->mark;
}

uint64_t http_id(const struct http_req *r)
{
	return r->id;
}

void http_on_gone(struct http_req *r, void (*gone)(struct http_req *r, void *data), void *data)
{
	if (r->answered || r->dead)
		return;
	r->gone = gone;
	r->gone_data = data;
}

bool http_wants_upgrade(const struct http_req *r)
{
	const char *connection = http_header(r, "Connection");

	return r->http11 && http_header(r, "Upgrade") && connection &&
	       strcasestr(connection, "upgrade");
}

/* ---- waiting ---- */

/* Each of the three owners hears it once: its pointer is cleared before the call. */
void req_tell_gone(struct http_req *r)
{
	void (*gone)(struct http_req *, void *) = TAKE_PTR(r->gone);
	void (*hijack_gone)(void *) = TAKE_PTR(r->hijack_gone);

	r->dead = true;
	r->paused = false;
	list_remove(&r->resume_node);
	req_stream_gone(r);
	if (hijack_gone)
		hijack_gone(r->hijack_data);
	if (gone)
		gone(r, r->gone_data);
}

void req_wake(struct http_req *r)
{
	if (!r->suspended)
		return;
	r->suspended = false;
	r->srv->dirty = true;
	(void)source_io_events(r->conn->watch, CONN_EVENTS);
	MHD_resume_connection(r->mhd);
}

/* Only from within libmicrohttpd's callbacks for this very connection. */
void req_suspend(struct http_req *r)
{
	if (r->suspended)
		return;
	r->suspended = true;
	(void)source_io_events(r->conn->watch, 0);
	MHD_suspend_connection(r->mhd);
}

/* ---- swallowing what is left of an upload ---- */

static void swallow_over(void *data)
{
	struct http_req *r = data;

	if (!r->sent_raw && r->text) {
		req_send_raw(r);
		source_timer_set(r->swallow_timer, LINGER_MS);
		return;
	}
	/* libmicrohttpd sees the end of the connection and completes the request */
	(void)shutdown(r->conn->fd, SHUT_RDWR);
}

/* The answer is there and the body is not: from here the time is limited. */
void req_swallow_start(struct http_req *r)
{
	if (r->swallow_timer || r->body_ended || !r->body_expected)
		return;
	if (loop_timer(r->srv->loop, r->srv->config.swallow_ms, swallow_over, r,
		       &r->swallow_timer) < 0)
		r->broken = true;
}

static void swallow(struct http_req *r, size_t len)
{
	uint64_t before = r->swallowed;

	r->swallowed += len;
	if (r->answered && before <= LIMIT_UPLOAD_SWALLOW && r->swallowed > LIMIT_UPLOAD_SWALLOW &&
	    r->swallow_timer)
		swallow_over(r);
}

/* ---- the body ---- */

void http_body_collect(struct http_req *r, size_t max,
		       void (*fn)(struct http_req *r, const char *body, size_t len, void *data),
		       void *data)
{
	r->mode = BODY_COLLECT;
	r->body_max = max;
	r->body = BUF_INIT(max);
	r->collect = fn;
	r->body_data = data;
	if (r->body_expected)
		list_append(&r->srv->bodies, &r->slow_node);
}

void http_body_stream(struct http_req *r,
		      size_t (*fn)(struct http_req *r, const char *data, size_t len, void *d),
		      void *data)
{
	r->mode = BODY_STREAM;
	r->body = BUF_INIT(BACKLOG + LIMIT_HEADER_MEM);
	r->piece = fn;
	r->body_data = data;
}

/* The server itself ends the request: its owner is told before the answer goes out. */
static void refuse(struct http_req *r, unsigned status, const char *message)
{
	buf_done(&r->body);
	req_tell_gone(r);
	r->dead = false; /* only for the owner; the client still gets its answer */
	req_message(r, status, message);
}

static void collect_piece(struct http_req *r, const char *data, size_t len)
{
	bool known_too_large = r->body_expected != BODY_LEN_UNKNOWN &&
			       r->body_expected > r->body_max;
	int e = known_too_large ? -ENOBUFS : buf_add(&r->body, data, len);

	if (e == -ENOBUFS)
		refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "the request body is too large");
	else if (e < 0)
		refuse(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
}

static void stream_piece(struct http_req *r, const char *data, size_t len)
{
	size_t n = 0;

	if (!r->paused) {
		n = r->piece(r, data, len, r->body_data);
		if (r->answered || n >= len)
			return;
		r->paused = true;
	}
	if (buf_add(&r->body, data + n, len - n) < 0)
		r->broken = true;
	else if (r->body.len >= BACKLOG && r->body_seen != r->body_expected)
		req_suspend(r);
}

/* Takes all of what libmicrohttpd read. */
void req_body_take(struct http_req *r, const char *data, size_t len)
{
	r->body_seen += len;
	if (r->answered || r->mode == BODY_DROP)
		swallow(r, len);
	else if (r->mode == BODY_COLLECT)
		collect_piece(r, data, len);
	else
		stream_piece(r, data, len);
	/* collect_piece() and the owner's callback may have answered just now */
}

static void finish_body(struct http_req *r)
{
	enum body_mode mode = r->mode;

	r->mode = BODY_DROP;
	if (mode == BODY_COLLECT) {
		struct buf body = r->body;

		/* the text is the callee's for the call only: a long wait keeps no 4 MiB */
		r->body = BUF_INIT(0);
		r->collect(r, buf_str(&body), body.len, r->body_data);
		buf_done(&body);
	} else if (mode == BODY_STREAM) {
		buf_done(&r->body);
		(void)r->piece(r, NULL, 0, r->body_data);
	}
}

/* libmicrohttpd has the whole body; a paused reader gets its end later. */
void req_body_end(struct http_req *r)
{
	r->body_ended = true;
	list_remove(&r->slow_node);
	r->swallow_timer = source_free(r->swallow_timer);
	if (!r->answered && !r->paused)
		finish_body(r);
}

void http_body_resume(struct http_req *r)
{
	/* later, not from here: the caller may be in the middle of anything */
	if (!r->dead && !list_linked(&r->resume_node))
		list_append(&r->srv->resumed, &r->resume_node);
}

void req_body_deliver(struct http_req *r)
{
	size_t at = 0;

	if (!r->paused || r->answered)
		return;
	r->paused = false;
	while (at < r->body.len && !r->paused) {
		size_t n = r->piece(r, r->body.data + at, r->body.len - at, r->body_data);

		if (r->answered)
			return;
		r->paused = n < r->body.len - at;
		at += n;
	}
	buf_consume(&r->body, at);
	if (r->paused)
		return;
	if (r->body_ended)
		finish_body(r);
	else
		req_wake(r);
}
