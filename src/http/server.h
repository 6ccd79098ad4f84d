/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.h - the HTTP/1.1 server: libmicrohttpd inside our loop (DESIGN: docs/architecture.md, API)
 *
 * One handler gets every request once its headers are in; it looks the route up (http/router.h) and
 * says how the body is read. A request lives until it is answered and its bytes are out, or the
 * client is gone.
 * Handlers answer at once or later, from any callback on the loop thread. Every queue is bounded.
 *
 * Whoever handles a request hears its end exactly once: by answering it himself (after
 * http_reply*() and http_hijack() @r is no longer his), or by @gone: the client left, or the server
 * answered in his stead (413). After @gone nothing of the request may be used: there is no way to
 * tell an old pointer. A stream or hijack has its own @gone from then on. None of these functions
 * runs a callback of the same request before it returns.
 * Sources: RFC 9110, RFC 9112, libmicrohttpd(3).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

struct loop;
struct tls;
struct http_server;
struct http_req;
struct http_stream;

typedef void (*http_handler_fn)(struct http_req *r, void *data);

struct http_config {
	http_handler_fn handler; /* headers are in */
	void *data;
	unsigned max_connections; /* 0: LIMIT_CONNECTIONS; beyond it 503 with a JSON message */
	const char *server_name;  /* Server header, e.g. "Atoll/0.1.0 (linux)"; not copied */
	unsigned swallow_ms;	  /* 0: 10 s; how long an answer waits for the rest of its upload */
	/* 0: 60 s for a request's headers, 120 s for a collected body, 300 s for the next request
	 */
	unsigned head_ms, body_ms, idle_ms;
	/* told of each request's end, with the status sent (0: none); NULL: nobody */
	void (*ended)(struct http_req *r, unsigned status, int64_t took_ns, void *ended_data);
	void *ended_data;
};
int http_server_new(struct loop *l, const struct http_config *c, struct http_server **ret,
		    struct err *e) MUST_CHECK;
/* takes a listening unix or TCP socket, even on failure; several allowed. @tls (borrowed): TCP
 * behind it; NULL: none */
int http_server_listen(struct http_server *s, int fd, struct tls *tls, struct err *e) MUST_CHECK;
void http_server_free(struct http_server *s); /* open requests see gone; hijacked sockets are not
					       * touched. Never from within one of our callbacks */
unsigned http_server_connections(const struct http_server *s); /* open now, hijacked ones, too */

/* ---- the request ---- */
const char *http_method(const struct http_req *r);
const char *http_path(const struct http_req *r); /* decoded, without the query */
const char *http_query(const struct http_req *r,
		       const char *key); /* decoded as Go does, NULL if absent; first wins. A
					  * broken query is answered (400) before the handler */
/* every value of a key given more than once: start with *pos = 0; NULL at the end */
const char *http_query_next(const struct http_req *r, const char *key, size_t *pos);
bool http_query_bool(const struct http_req *r, const char *key,
		     bool absent); /* Docker's: "", 0, no, false, none are false */
const char *http_header(const struct http_req *r, const char *name);
/* the value with which the handler marked the request (its route), for config.ended; NULL: none */
void http_set_mark(struct http_req *r, const void *mark);
const void *http_mark(const struct http_req *r);
uint64_t http_id(const struct http_req *r); /* the request id for logs */
void http_on_gone(struct http_req *r, void (*gone)(struct http_req *r, void *data), void *data);

/* ---- the body: call one of these from the handler, or none (the body is then read and dropped)
 * ---- */
/* collects up to @max bytes, then calls fn with the text (NUL-terminated; len 0 if there was none),
 * which is fn's until it returns; over it: @gone, and 413 by the server */
void http_body_collect(struct http_req *r, size_t max,
		       void (*fn)(struct http_req *r, const char *body, size_t len, void *data),
		       void *data);
/* pieces as they come; @fn returns how many bytes it took (0..len); fewer than len pauses the
 * upload until http_body_resume(), which calls fn again before the loop's next wait, with what was
 * left. fn with len 0: the end. After http_reply_*() fn is not called again: the rest is swallowed,
 * up to LIMIT_UPLOAD_SWALLOW bytes and swallow_ms. Any answer, a stream's too, goes out only after
 * the end of the body: a source that the body feeds must not be paused by its stream before that.
 */
void http_body_stream(struct http_req *r,
		      size_t (*fn)(struct http_req *r, const char *data, size_t len, void *d),
		      void *data);
void http_body_resume(struct http_req *r);

/* ---- the answer: exactly one ---- */
void http_header_add(struct http_req *r, const char *name,
		     const char *value); /* before the reply */
void http_reply(struct http_req *r, unsigned status, const char *content_type, const void *body,
		size_t len); /* body copied; HEAD sends none */
void http_reply_buf(struct http_req *r, unsigned status, const char *content_type,
		    struct buf *body); /* takes the content */
void http_reply_empty(struct http_req *r, unsigned status);
/* a chunked stream (HTTP/1.0: until close); headers go out at once. Freed by http_stream_end() or
 * after @gone (stream pointer then invalid); @gone also ends a stream that nobody reads (HEAD) */
struct http_stream *http_reply_stream(struct http_req *r, unsigned status, const char *content_type,
				      void (*gone)(void *data),
				      void *data); /* NULL on OOM: 500 was sent */
/* queue bytes. Return: 0; 1 queue is over LIMIT_STREAM_QUEUE now: pause your source until @drained
 * (called once it is below half of it; may write and end); -ENOBUFS refused, as twice the limit was
 * queued already (so one piece may be larger); -ENOMEM */
int http_stream_write(struct http_stream *s, const void *data, size_t len);
void http_stream_on_drained(struct http_stream *s, void (*drained)(void *data));
void http_stream_end(struct http_stream *s);

/* ---- hijack (Connection: Upgrade): 101 UPGRADED, then the raw socket is the caller's ---- */
bool http_wants_upgrade(const struct http_req *r); /* Upgrade header over HTTP/1.1 */
/* @fn gets the socket (non-blocking, end it with http_hijack_close) and bytes that came early (its
 * until it returns; an early half-close is seen on the socket). Content-Type as given. Only for a
 * request that wants it: others get a stream, one-way. */
struct http_hijacked;
/* a WebSocket instead of a raw socket for http_hijack(): @fn still gets a plain one, whose bytes
 * are messages to the client (@text, else binary) and from it. ERR_INVALID: it does not ask for
 * one as RFC 6455 says, with Go's texts */
int http_websocket(struct http_req *r, bool text, struct err *e) MUST_CHECK;
void http_hijack(
	struct http_req *r, const char *content_type,
	void (*fn)(struct http_hijacked *h, int fd, const char *early, size_t early_len,
		   void *data),
	void (*gone)(void *data) /* the client left before the 101 was out: fn will not come */,
	void *data);
/* ends it: what was written goes out, SHUT_WR, what still comes is dropped until the client's end
 * (10 s at most), close. Free your own sources on the socket before. */
void http_hijack_close(struct http_hijacked *h);
