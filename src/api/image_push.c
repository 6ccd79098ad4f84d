/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_push.c - POST /images/{name}/push: an image to a registry; it ends with its client */
#include <string.h>

#include "api/internal.h"
#include "api/progress.h"
#include "base/str.h"
#include "image/ref.h"

struct push {
	struct engine *en;
	char *name; /* the repository, familiar */
	struct image_push *push;
	struct progress progress;
};

static void push_free(struct push *p)
{
	if (p)
		free(p->name);
	free(p);
}

static void on_progress(const char *id, const char *status, int64_t current, int64_t total,
			void *data)
{
	progress_line(&((struct push *)data)->progress, id, status, current, total);
}

static void on_pushed(const char *tag, const char *digest, int64_t size, void *data)
{
	struct push *p = data;
	auto_json json_t *aux =
		json_pack("{s:s,s:s,s:I}", "Tag", tag, "Digest", digest, "Size", (json_int_t)size);
	auto_free char *whole = str_printf("%s:%s", p->name, tag);

	if (aux)
		progress_aux(&p->progress, aux);
	engine_event(p->en, "image", "push", whole ? whole : p->name,
		     json_pack("{s:s}", "name", p->name));
}

static void on_done(int result, const struct err *e, void *data)
{
	struct push *p = data;

	progress_end(&p->progress, result < 0 ? e : NULL);
	push_free(p);
}

static void on_gone(void *data)
{
	image_push_abort(((struct push *)data)->push);
}

static int read_name(struct push *p, const char *name, struct err *e)
{
	struct image_ref ref = {0};
	int r = image_ref_parse(name, &ref, e);

	if (r < 0)
		return r;
	struct image_ref bare = {.domain = ref.domain, .path = ref.path};

	p->name = image_ref_familiar(&bare);
	image_ref_done(&ref);
	return p->name ? 0 : err_nomem(e);
}

void images_push(struct api_call *c)
{
	struct push *p = calloc(1, sizeof(*p));
	struct image_push_ops ops = {
		.progress = on_progress, .pushed = on_pushed, .done = on_done, .data = p};
	struct err e = {0};
	int r = p ? read_name(p, c->params[0], &e) : err_nomem(&e);

	if (r >= 0) {
		p->en = c->en;
		r = image_push_start(engine_images(c->en), c->params[0], api_query(c, "tag"),
				     http_header(c->r, "X-Registry-Auth"), &ops, &p->push, &e);
	}
	if (r >= 0) {
		progress_begin(&p->progress, c, on_gone, p);
		return;
	}
	push_free(p);
	api_error(c, &e);
}
