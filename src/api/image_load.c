/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_load.c - archives from the client: POST /images/load, and /images/create for an import
 *
 * Bytes go from the request's body to image_load_write() as fast as that takes them; what it leaves
 * pauses the upload until it is writable again. An answer goes out only after the body's end, so
 * the lines are gathered in @out and sent when the load is done. States: feeding (@load, the body
 * comes in), ended (the helper takes no more: the rest is dropped), done (all is freed).
 */

#include <string.h>

#include "api/internal.h"
#include "base/limits.h"
#include "base/str.h"

struct upload {
	struct api_call *c;
	struct image_load *load;
	struct buf out;
	bool import, ended;
};

void image_event_named(struct engine *en, const char *action, const char *id, const char *name)
{
	struct image *i = NULL;
	json_t *labels = NULL, *attr;

	if (image_find(engine_images(en), id, &i, NULL) >= 0)
		labels = json_get(json_get(image_config(i), "config"), "Labels");
	attr = json_is_object(labels) ? json_copy(labels) : json_object();
	(void)json_object_set_new(attr, "name", json_string(name));
	engine_event(en, "image", action, id, attr);
}

void image_event(struct engine *en, const char *action, const char *id)
{
	struct image *i;
	char *const *tags = image_find(engine_images(en), id, &i, NULL) >= 0 ? image_tags(i) : NULL;

	image_event_named(en, action, id, tags && tags[0] ? tags[0] : id);
}

static void line(struct buf *out, const char *key, const char *value, const char *end)
{
	struct jsonw w = JSONW_INIT(out);

	if (out->len)
		(void)buf_puts(out, "\r\n"); /* the buffer's error is looked at when it is sent */
	jsonw_object(&w, NULL);
	jsonw_strf(&w, key, "%s%s", value, end);
	jsonw_end_object(&w);
}

static void error_line(struct buf *out, const char *message)
{
	(void)buf_puts(out, "\r\n"); /* likewise */
	api_error_line(out, 0, message);
}

static void progress(const char *text, void *data)
{
	struct upload *u = data;

	line(&u->out, "stream", text, str_has_suffix(text, "\n") ? "" : "\n");
}

static void writable(void *data)
{
	struct upload *u = data;

	if (u->c->r)
		http_body_resume(u->c->r);
}

/* Nothing told yet: the error has its own status; else it is the last line, as Docker does. */
static void done(int result, char *const *ids, const struct err *e, void *data)
{
	struct upload *u = data;
	struct api_call *c = u->c;

	c->gone = NULL;
	for (char *const *id = ids; result >= 0 && id && *id; id++) {
		image_event(c->en, u->import ? "import" : "load", *id);
		if (u->import)
			line(&u->out, "status", *id, "");
	}
	if (!c->r) { /* the client left, and had it aborted */
		api_drop(c);
	} else if (result < 0 && !u->out.len) {
		api_error(c, e);
	} else {
		if (result < 0)
			error_line(&u->out, e ? e->msg : "the archive could not be read");
		api_json(c, 200, &u->out);
	}
	buf_done(&u->out);
	free(u);
}

static void client_left(struct api_call *c)
{
	struct upload *u = c->data;

	image_load_abort(u->load); /* done() comes */
}

/* After image_load_*() @u may be gone: done() may have come. */
static size_t piece(struct http_req *r, const char *data, size_t len, void *d)
{
	struct upload *u = d;
	ssize_t n;

	(void)r;
	if (u->ended)
		return len;
	if (!len) {
		u->ended = true;
		image_load_eof(u->load);
		return 0;
	}
	n = image_load_write(u->load, data, len);
	return n < 0 ? len : (size_t)n; /* the helper has ended: done() says why */
}

/* an import tells the id alone, in done() */
static struct image_load_ops ops_of(struct upload *u)
{
	return (struct image_load_ops){.progress = u->import ? NULL : progress,
				       .writable = writable,
				       .done = done,
				       .data = u};
}

static struct upload *upload_new(struct api_call *c, bool import)
{
	struct upload *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->c = c;
	u->import = import;
	u->out = BUF_INIT(LIMIT_JSON_REPLY);
	return u;
}

/* The load has begun (@r >= 0) or not. */
static void feed(struct api_call *c, struct upload *u, int r, const struct err *e)
{
	if (r < 0) {
		free(u);
		api_error(c, e);
		return;
	}
	c->data = u;
	c->gone = client_left;
	http_body_stream(c->r, piece, u);
}

void images_load(struct api_call *c)
{
	struct upload *u = upload_new(c, false);
	struct err e = {0};
	int r = err_nomem(&e);

	/* quiet= leaves out progress bars, and there are none */
	if (u) {
		struct image_load_ops ops = ops_of(u);

		r = image_load_start(engine_images(c->en), &ops, &u->load, &e);
	}
	feed(c, u, r, &e);
}

/* ---- import ---- */

static int collect_changes(const struct api_call *c, char ***ret, struct err *e)
{
	const char *v;

	for (size_t pos = 0; (v = http_query_next(c->r, "changes", &pos));)
		if (strv_add(ret, v) < 0)
			return err_nomem(e);
	return 0;
}

static int start_import(struct api_call *c, struct upload *u, struct err *e)
{
	const char *repo = api_query(c, "repo"), *tag = api_query(c, "tag");
	const char *message = api_query(c, "message");
	struct image_load_ops ops = ops_of(u);
	auto_strv char **changes = NULL;
	auto_free char *name = NULL;
	int r = collect_changes(c, &changes, e);

	if (r < 0)
		return r;
	if (!str_empty(repo)) {
		name = str_empty(tag) ? strdup(repo) : str_printf("%s:%s", repo, tag);
		if (!name)
			return err_nomem(e);
	}
	return image_import_start(engine_images(c->en), name, changes,
				  str_empty(message) ? "Imported from -" : message, &ops, &u->load,
				  e);
}

static int check_create(struct api_call *c, struct err *e)
{
	const char *src = api_query(c, "fromSrc");

	if (str_empty(src))
		return err_invalid(e, "fromImage or fromSrc must be given");
	if (!streq(src, "-"))
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP,
			       "importing from the URL %.200s is not implemented by this engine: "
			       "fetch it and use docker import -",
			       src);
	return 0;
}

void images_create(struct api_call *c)
{
	struct upload *u = NULL;
	struct err e = {0};
	int r;

	if (!str_empty(api_query(c, "fromImage"))) {
		images_pull(c);
		return;
	}
	r = check_create(c, &e);

	if (r >= 0) {
		u = upload_new(c, true);
		r = u ? start_import(c, u, &e) : err_nomem(&e);
	}
	feed(c, u, r, &e);
}
