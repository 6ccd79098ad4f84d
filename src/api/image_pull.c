/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_pull.c - POST /images/create?fromImage=: an image from a registry
 *
 * The pull ends with its client: one that leaves has it aborted, and nothing is left.
 */
#include <string.h>

#include "api/internal.h"
#include "api/progress.h"
#include "base/str.h"
#include "image/ref.h"

struct pull {
	struct engine *en;
	struct image_pull *pull;
	struct progress progress;
};

static void on_progress(const char *id, const char *status, int64_t current, int64_t total,
			void *data)
{
	progress_line(&((struct pull *)data)->progress, id, status, current, total);
}

/* "busybox:latest" -> the event's name is the repository */
static void on_pulled(const char *name, const char *id, void *data)
{
	struct pull *p = data;
	const char *at = strchr(name, '@'), *colon = at ? at : strrchr(name, ':');
	auto_free char *repository = strndup(name, colon ? (size_t)(colon - name) : strlen(name));

	(void)id;
	engine_event(p->en, "image", "pull", name,
		     json_pack("{s:s}", "name", repository ? repository : name));
}

static void on_done(int result, const struct err *e, void *data)
{
	struct pull *p = data;

	progress_end(&p->progress, result < 0 ? e : NULL);
	free(p);
}

static void on_gone(void *data)
{
	image_pull_abort(((struct pull *)data)->pull);
}

/* fromImage= and tag= (which may be a digest) as one reference. Neither a tag nor a digest: all */
static int read_name(const struct api_call *c, char **ret, bool *all, struct err *e)
{
	const char *tag = api_query(c, "tag");
	struct image_ref ref = {0};
	int r = image_ref_parse(api_query(c, "fromImage"), &ref, e);

	if (r < 0)
		return r;
	*all = str_empty(tag) && !ref.tag_given && !ref.digest;
	if (str_empty(tag))
		*ret = image_ref_canonical(&ref);
	else
		*ret = str_printf("%s/%s%c%s", ref.domain, ref.path, strchr(tag, ':') ? '@' : ':',
				  tag);
	image_ref_done(&ref);
	return *ret ? 0 : err_nomem(e);
}

void images_pull(struct api_call *c)
{
	struct pull *p = calloc(1, sizeof(*p));
	const char *platform = api_query(c, "platform");
	auto_free char *name = NULL;
	struct image_pull_spec s = {.platform = str_empty(platform) ? NULL : platform,
				    .auth = http_header(c->r, "X-Registry-Auth")};
	struct image_pull_ops ops = {
		.progress = on_progress, .pulled = on_pulled, .done = on_done, .data = p};
	struct err e = {0};
	int r = p ? read_name(c, &name, &s.all_tags, &e) : err_nomem(&e);

	if (r >= 0) {
		p->en = c->en;
		s.name = name;
		r = image_pull_start(engine_images(c->en), &s, &ops, &p->pull, &e);
	}
	if (r < 0) {
		free(p);
		api_error(c, &e);
		return;
	}
	progress_begin(&p->progress, c, on_gone, p);
}
