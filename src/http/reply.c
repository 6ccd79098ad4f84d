/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply.c - answers: plain ones and streams
 *
 * A stream has two owners, whoever answers and libmicrohttpd's response, and is freed when both are
 * done with it: the first by http_stream_end() or by being told @gone, the second by stream_free().
 * A HEAD request ends without a byte read, so there, too, @gone comes.
 */

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/jsonw.h"
#include "base/log.h"
#include "base/str.h"
#include "http/internal.h"

#define KEEP_MAX     128   /* connections; above it answers close theirs */
#define STREAM_BLOCK 16384 /* libmicrohttpd's buffer for a stream to an HTTP/1.0 client */

struct http_stream {
	struct http_req *req; /* NULL once the request is completed */
	struct buf queue;
	size_t at; /* sent of queue */
	bool ended, over;
	bool owner_done, mhd_done;
	void (*gone)(void *data);
	void (*drained)(void *data);
	void *data;
};

/* ---- the answer ---- */

void http_header_add(struct http_req *r, const char *name, const char *value)
{
	if (strv_add(&r->headers, name) < 0 || strv_add(&r->headers, value) < 0)
		r->header_lost = true;
}

static void add_header(struct http_req *r, const char *name, const char *value)
{
	/* refused: empty, or with a line break in it */
	if (MHD_add_response_header(r->response, name, value) != MHD_YES)
		log_debug("http: the header %s is left out req=%llu", name,
			  (unsigned long long)r->id);
}

static void add_headers(struct http_req *r, const char *content_type)
{
	const struct http_config *config = &r->srv->config;

	if (content_type)
		add_header(r, "Content-Type", content_type);
	for (size_t i = 0; r->headers && r->headers[i] && r->headers[i + 1]; i += 2)
		add_header(r, r->headers[i], r->headers[i + 1]);
	if (config->server_name)
		add_header(r, "Server", config->server_name);
	/* many clients: let none keep a connection that others wait for, nor its 64 KiB */
	if (r->srv->open > MIN(config->max_connections / 2, KEEP_MAX) && !r->hijacked)
		add_header(r, "Connection", "close");
}

/* Takes @resp. NULL, or a header that memory did not suffice for: the connection is closed without
 * an answer. */
void req_answer(struct http_req *r, unsigned status, const char *content_type,
		struct MHD_Response *resp)
{
	if (r->answered || r->dead) {
		if (resp)
			MHD_destroy_response(resp);
		return;
	}
	r->answered = true;
	r->status = status;
	r->response = resp;
	r->gone = NULL;
	r->broken = r->broken || !resp || r->header_lost;
	if (resp)
		add_headers(r, content_type);
	r->paused = false;
	buf_done(&r->body);
	req_swallow_start(r);
	req_wake(r);
}

/* Takes @text, which is malloc'ed; NULL: out of memory. */
static void answer_text(struct http_req *r, unsigned status, const char *content_type, char *text,
			size_t len)
{
	struct MHD_Response *resp = NULL;

	if (r->answered || r->dead) {
		free(text);
		return;
	}
	if (text)
		resp = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!resp) {
		free(text);
	} else {
		r->text = text;
		r->text_len = len;
	}
	req_answer(r, status, content_type, resp);
}

void http_reply(struct http_req *r, unsigned status, const char *content_type, const void *body,
		size_t len)
{
	char *text = malloc(len + 1);

	if (text && len)
		memcpy(text, body, len);
	answer_text(r, status, content_type, text, len);
}

void http_reply_buf(struct http_req *r, unsigned status, const char *content_type, struct buf *body)
{
	size_t len = body->len;
	int fail = buf_err(body);
	char *text = buf_take(body);

	if (text) {
		answer_text(r, status, content_type, text, len);
		return;
	}
	buf_done(body);
	req_message(r, MHD_HTTP_INTERNAL_SERVER_ERROR,
		    fail == -ENOBUFS ? "the answer is too large" : "out of memory");
}

void http_reply_empty(struct http_req *r, unsigned status)
{
	http_reply(r, status, NULL, "", 0);
}

void req_message(struct http_req *r, unsigned status, const char *message)
{
	auto_buf struct buf text = BUF_INIT(8192);
	struct jsonw w = JSONW_INIT(&text);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "message", message);
	jsonw_end_object(&w);
	(void)buf_putc(&text, '\n'); /* the buffer's error is looked at below */
	http_reply(r, status, "application/json", buf_str(&text), buf_err(&text) ? 0 : text.len);
}

static enum MHD_Result add_raw_header(void *cls, enum MHD_ValueKind kind, const char *name,
				      const char *value)
{
	(void)kind;
	if (strcasecmp(name, "Connection") != 0)
		(void)buf_printf(cls, "%s: %s\r\n", name, value);
	return MHD_YES;
}

/*
 * Writes the answer past libmicrohttpd, which queues none before it has read the whole body. All or
 * nothing: what does not fit into the socket's buffer at once is not sent at all or cut off, and
 * either way the client sees the connection end.
 */
void req_send_raw(struct http_req *r)
{
	auto_buf struct buf out = BUF_INIT(r->text_len + 2 * LIMIT_HEADER_MEM);

	r->sent_raw = true;
	if (!r->response)
		return;
	(void)buf_printf(&out, "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
			 r->status, MHD_get_reason_phrase_for(r->status), r->text_len);
	(void)MHD_get_response_headers(r->response, add_raw_header, &out);
	(void)buf_puts(&out, "\r\n");
	(void)buf_add(&out, r->text, r->text_len);
	if (!buf_err(&out) && send(r->conn->fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("http: an early answer was not sent: %s req=%llu", strerror(errno),
			  (unsigned long long)r->id);
	(void)shutdown(r->conn->fd, SHUT_WR);
}

/* ---- streams ---- */

static void stream_put(struct http_stream *s)
{
	if (!s->owner_done || !s->mhd_done)
		return;
	if (s->req)
		s->req->stream = NULL;
	buf_done(&s->queue);
	free(s);
}

/* The request ends, its client gone or not: s is freed here or by stream_free(). */
void req_stream_gone(struct http_req *r)
{
	struct http_stream *s = TAKE_PTR(r->stream);

	if (!s)
		return;
	s->req = NULL;
	if (!s->owner_done) {
		s->owner_done = true;
		if (s->gone)
			s->gone(s->data);
	}
	stream_put(s);
}

static void stream_free(void *cls)
{
	struct http_stream *s = cls;

	s->mhd_done = true;
	stream_put(s);
}

static void queue_sent(struct http_stream *s)
{
	if (s->at == s->queue.len) {
		if (s->queue.cap > 2 * LIMIT_STREAM_QUEUE)
			buf_done(&s->queue); /* one large piece: do not keep its memory */
		else
			buf_clear(&s->queue);
		s->at = 0;
	}
	if (s->over && s->queue.len - s->at < LIMIT_STREAM_QUEUE / 2) {
		s->over = false;
		if (s->drained && !s->ended)
			s->drained(s->data);
	}
}

static ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct http_stream *s = cls;
	size_t n = s->queue.len - s->at;

	(void)pos;
	if (!s->req)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (!n && s->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!n) { /* returning 0 without this would spin */
		req_suspend(s->req);
		return 0;
	}
	n = MIN(n, max);
	memcpy(out, s->queue.data + s->at, n);
	s->at += n;
	queue_sent(s);
	return (ssize_t)n;
}

struct http_stream *http_reply_stream(struct http_req *r, unsigned status, const char *content_type,
				      void (*gone)(void *data), void *data)
{
	struct http_stream *s;
	struct MHD_Response *resp = NULL;

	if (r->answered || r->dead)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s)
		resp = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
							 stream_read, s, stream_free);
	if (!resp) {
		free(s);
		req_message(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
		return NULL;
	}
	s->req = r;
	s->queue = BUF_INIT(LIMIT_JSON_REPLY);
	s->gone = gone;
	s->data = data;
	r->stream = s;
	req_answer(r, status, content_type, resp);
	return s;
}

int http_stream_write(struct http_stream *s, const void *data, size_t len)
{
	int r;

	if (s->queue.len - s->at > 2 * LIMIT_STREAM_QUEUE)
		return -ENOBUFS;
	if (s->at > LIMIT_STREAM_QUEUE) {
		buf_consume(&s->queue, s->at);
		s->at = 0;
	}
	r = buf_add(&s->queue, data, len);
	s->queue.fail = 0; /* a refused piece does not poison the next */
	if (r < 0)
		return r;
	if (s->req && len)
		req_wake(s->req);
	s->over = s->over || s->queue.len - s->at > LIMIT_STREAM_QUEUE;
	return s->over;
}

void http_stream_on_drained(struct http_stream *s, void (*drained)(void *data))
{
	s->drained = drained;
}

void http_stream_end(struct http_stream *s)
{
	struct http_req *r = s->req;

	s->ended = true;
	s->owner_done = true;
	s->gone = NULL;
	s->drained = NULL;
	stream_put(s);
	if (r)
		req_wake(r);
}
