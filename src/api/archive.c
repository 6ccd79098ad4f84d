/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * archive.c - files of a container as tars: HEAD, GET, PUT /containers/{id}/archive, and its export
 *
 * What goes out: the call is ended by the stream that takes its place (api_stream) once the first
 * is known of it, the path's stat or a first piece; before that an error has its own status, after
 * it the tar just breaks off, without its end. What comes in goes to transfer_write() as fast as
 * that takes it, as with a load.
 */

#include <string.h>

#include "api/internal.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "engine/archive.h"

#define STAT_HEADER "X-Docker-Container-Path-Stat"

struct passage {
	struct api_call *c; /* NULL: answered, by @stream or because the client left */
	struct transfer *t;
	struct http_stream *stream;
	char *ref, *path; /* as the client gave them */
	bool head, ended;
};

static void passage_free(struct passage *p)
{
	free(p->ref);
	free(p->path);
	free(p);
}

static struct passage *passage_new(struct api_call *c, const char *path)
{
	struct passage *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->c = c;
	if (str_set(&p->ref, c->params[0]) < 0 || str_set(&p->path, path) < 0) {
		passage_free(p);
		return NULL;
	}
	return p;
}

/* ---- the header ---- */

static char *stat_header(const struct path_stat *st)
{
	auto_buf struct buf b = BUF_INIT(64u << 10), coded = BUF_INIT(96u << 10);
	struct jsonw w = JSONW_INIT(&b);
	char when[RFC3339_SIZE];

	jsonw_object(&w, NULL);
	jsonw_str(&w, "name", st->name);
	jsonw_i64(&w, "size", st->size);
	jsonw_u64(&w, "mode", st->mode);
	jsonw_str(&w, "mtime", clock_rfc3339(st->mtime_ns, when));
	jsonw_str(&w, "linkTarget", st->target);
	jsonw_end_object(&w);
	if (buf_err(&b))
		return NULL;
	base64_encode(&coded, b.data, b.len, false);
	return buf_take(&coded);
}

/* ---- the ends ---- */

static void client_left(struct api_call *c)
{
	struct passage *p = c->data;

	transfer_abort(p->t); /* done() comes */
}

static void stream_gone(void *data)
{
	struct passage *p = data;

	p->stream = NULL;
	transfer_abort(p->t);
}

/* Docker's text has the container's name as the client gave it */
static void tell_error(struct passage *p, const struct err *e)
{
	struct err out = *e;

	if (e->kind == ERR_NOT_FOUND && p->path)
		(void)err_not_found(&out, "Could not find the file %.400s in container %.255s",
				    p->path, p->ref);
	api_error(p->c, &out);
}

static void done(int result, const struct err *e, void *data)
{
	struct passage *p = data;

	if (p->stream)
		http_stream_end(p->stream);
	if (p->c) {
		p->c->gone = NULL;
		if (!p->c->r)
			api_drop(p->c);
		else if (result < 0)
			tell_error(p, e);
		else
			api_empty(p->c, 200);
	}
	passage_free(p);
}

/* ---- out ---- */

static void drained(void *data)
{
	struct passage *p = data;

	transfer_resume(p->t);
}

static void open_stream(struct passage *p, const char *type)
{
	struct api_call *c = p->c;

	c->gone = NULL;
	p->c = NULL;
	p->stream = api_stream(c, 200, type, stream_gone, p);
	if (p->stream)
		http_stream_on_drained(p->stream, drained);
	else
		transfer_abort(p->t);
}

static void on_stat(const struct path_stat *st, void *data)
{
	struct passage *p = data;
	auto_free char *header = stat_header(st);

	if (!p->c || !p->c->r)
		return;
	if (header)
		http_header_add(p->c->r, STAT_HEADER, header);
	if (!p->head)
		open_stream(p, "application/x-tar");
}

static int on_piece(const void *piece, size_t len, void *data)
{
	struct passage *p = data;

	if (p->c && p->c->r) /* an export has no stat */
		open_stream(p, "application/octet-stream");
	if (!p->stream)
		return 0;
	return http_stream_write(p->stream, piece, len) != 0;
}

/* ---- in ---- */

static void writable(void *data)
{
	struct passage *p = data;

	if (p->c && p->c->r)
		http_body_resume(p->c->r);
}

/* After transfer_*() @p may be gone: done() may have come. */
static size_t body(struct http_req *r, const char *data, size_t len, void *d)
{
	struct passage *p = d;
	ssize_t n;

	(void)r;
	if (p->ended)
		return len;
	if (!len) {
		p->ended = true;
		transfer_eof(p->t);
		return 0;
	}
	n = transfer_write(p->t, data, len);
	return n < 0 ? len : (size_t)n; /* the helper has ended: done() says why */
}

/* ---- the routes ---- */

static void begin(struct api_call *c, enum transfer_verb verb, const char *path, unsigned flags)
{
	struct passage *p = passage_new(c, path);
	struct transfer_ops ops = {.done = done, .data = p};
	struct container *k;
	struct err e = {0};
	int r = p ? engine_find(c->en, c->params[0], &k, &e) : err_nomem(&e);

	if (verb == TRANSFER_STAT || verb == TRANSFER_GET)
		ops.stat = on_stat;
	if (verb == TRANSFER_GET || verb == TRANSFER_EXPORT)
		ops.piece = on_piece;
	if (verb == TRANSFER_PUT)
		ops.writable = writable;
	if (r >= 0) {
		p->head = verb == TRANSFER_STAT;
		r = engine_transfer(k, verb, path, flags, &ops, &p->t, &e);
	}
	if (r < 0) {
		if (p)
			passage_free(p);
		api_error(c, &e);
		return;
	}
	c->data = p;
	c->gone = client_left;
	if (verb == TRANSFER_PUT)
		http_body_stream(c->r, body, p);
}

static void with_path(struct api_call *c, enum transfer_verb verb, unsigned flags)
{
	const char *path = api_query(c, "path");
	struct err e = {0};

	if (str_empty(path)) {
		(void)err_invalid(&e, "bad parameter: path cannot be empty");
		api_error(c, &e);
		return;
	}
	begin(c, verb, path, flags);
}

void archive_stat(struct api_call *c)
{
	with_path(c, TRANSFER_STAT, 0);
}

void archive_get(struct api_call *c)
{
	with_path(c, TRANSFER_GET, 0);
}

void archive_put(struct api_call *c)
{
	with_path(c, TRANSFER_PUT,
		  (api_query_bool(c, "noOverwriteDirNonDir", false) ? TRANSFER_NO_OVERWRITE : 0) |
			  (api_query_bool(c, "copyUIDGID", false) ? TRANSFER_COPY_OWNER : 0));
}

void archive_export(struct api_call *c)
{
	begin(c, TRANSFER_EXPORT, NULL, 0);
}
