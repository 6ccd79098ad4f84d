/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_save.c - GET /images/get?names= and /images/{name}/get: images as one archive
 *
 * The first piece opens the stream that takes the call's place; an error before it has its own
 * status, one after it breaks the archive off.
 */

#include <string.h>

#include "api/internal.h"
#include "base/str.h"

struct download {
	struct api_call *c; /* NULL: the stream is open, or the client left it */
	struct image_save *save;
	struct http_stream *stream;
};

static void client_left(struct api_call *c)
{
	struct download *d = c->data;

	image_save_abort(d->save); /* done() comes */
}

static void stream_gone(void *data)
{
	struct download *d = data;

	d->stream = NULL;
	image_save_abort(d->save);
}

static void drained(void *data)
{
	struct download *d = data;

	image_save_resume(d->save);
}

static int piece(const void *data, size_t len, void *x)
{
	struct download *d = x;

	if (d->c && d->c->r) {
		struct api_call *c = d->c;

		c->gone = NULL;
		d->c = NULL;
		d->stream = api_stream(c, 200, "application/x-tar", stream_gone, d);
		if (d->stream)
			http_stream_on_drained(d->stream, drained);
		else
			image_save_abort(d->save);
	}
	return d->stream && http_stream_write(d->stream, data, len) != 0;
}

static void done(int result, const struct err *e, void *data)
{
	struct download *d = data;

	if (d->stream)
		http_stream_end(d->stream);
	if (d->c) {
		d->c->gone = NULL;
		if (result < 0)
			api_error(d->c, e);
		else
			api_empty(d->c, 200);
	}
	free(d);
}

static void save(struct api_call *c, char *const *names)
{
	struct download *d = calloc(1, sizeof(*d));
	const struct image_save_ops ops = {.piece = piece, .done = done, .data = d};
	auto_strv char **ids = NULL;
	struct err e = {0};
	int r = d ? image_save_start(engine_images(c->en), names, &ops, &d->save, &ids, &e)
		  : err_nomem(&e);

	if (r < 0) {
		free(d);
		api_error(c, &e);
		return;
	}
	d->c = c;
	c->data = d;
	c->gone = client_left;
	for (char **id = ids; id && *id; id++)
		image_event(c->en, "save", *id);
}

void images_save(struct api_call *c)
{
	char *names[] = {c->params[0], NULL};

	save(c, names);
}

void images_save_all(struct api_call *c)
{
	auto_strv char **names = NULL;
	struct err e = {0};
	const char *v;

	for (size_t pos = 0; (v = http_query_next(c->r, "names", &pos));)
		if (strv_add(&names, v) < 0) {
			(void)err_nomem(&e);
			api_error(c, &e);
			return;
		}
	save(c, names);
}
