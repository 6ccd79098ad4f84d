/* SPDX-License-Identifier: GPL-2.0-or-later */
/* save.c - images as one archive: what goes into it is chosen here, a helper writes it */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/image.h"
#include "image/internal.h"
#include "image/manifest.h"
#include "image/ref.h"
#include "image/task.h"
#include "storage/storage.h"

struct chosen { /* an image and the names it is saved with */
	struct image *image;
	char **tags;
};

struct image_save {
	struct images *im;
	struct helper_child *helper;
	struct image_save_ops ops;
	char **ids;	  /* held */
	struct chosen *v; /* until the start */
	size_t n;
};

static void chosen_free(struct image_save *s)
{
	for (size_t i = 0; i < s->n; i++)
		strv_free(s->v[i].tags);
	free(s->v);
	s->v = NULL;
	s->n = 0;
}

static void save_free(struct image_save *s)
{
	for (char **id = s->ids; id && *id; id++)
		image_release(s->im, *id);
	strv_free(s->ids);
	chosen_free(s);
	free(s);
}

/* ---- choosing ---- */

/* @tag NULL: only the image */
static int choose(struct image_save *s, struct image *i, const char *tag)
{
	size_t at = 0;

	while (at < s->n && s->v[at].image != i)
		at++;
	if (at == s->n) {
		struct chosen *v = reallocarray(s->v, s->n + 1, sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		v[s->n++] = (struct chosen){.image = i};
	}
	return tag ? MIN(strv_add_unique(&s->v[at].tags, tag), 0) : 0;
}

/* every tag of a repository. Return: how many, -errno */
static int choose_repo(struct image_save *s, const char *familiar)
{
	size_t len = strlen(familiar), found = 0;
	struct image *i;
	int r = 0;

	list_for_each (i, &s->im->all, node)
		for (char **t = i->tags; r >= 0 && t && *t; t++)
			if (!strncmp(*t, familiar, len) && (*t)[len] == ':' &&
			    !strchr(*t + len, '/')) {
				r = choose(s, i, *t);
				found++;
			}
	return r < 0 ? r : (int)found;
}

/* "repo" as it is shown, where @name is one without a tag; NULL: it is not */
static char *repo_of(const char *name)
{
	struct image_ref ref = {0};
	char *out = NULL;

	if (image_ref_parse(name, &ref, NULL) >= 0 && !ref.tag_given && !ref.digest)
		out = image_ref_familiar(&ref);
	image_ref_done(&ref);
	if (out && strrchr(out, ':'))
		*strrchr(out, ':') = '\0';
	return out;
}

static int choose_name(struct image_save *s, const char *name, struct err *e)
{
	auto_free char *repo = repo_of(name), *familiar = NULL;
	int r = repo ? choose_repo(s, repo) : 0;
	struct image *i;

	if (r)
		return r < 0 ? err_nomem(e) : 0;
	r = image_find(s->im, name, &i, e);
	if (r < 0)
		return r;
	bool named = tag_name(name, NULL, &familiar, NULL) >= 0 &&
		     map_get(s->im->by_tag, familiar) == i;

	return choose(s, i, named ? familiar : NULL) < 0 ? err_nomem(e) : 0;
}

/* ---- the request ---- */

static json_t *tags_json(char *const *tags)
{
	json_t *out = json_array();

	for (; tags && *tags; tags++) {
		auto_free char *canonical = tag_canonical(*tags);

		if (canonical)
			(void)json_array_append_new(out, json_pack("{s:s,s:s}", "familiar", *tags,
								   "canonical", canonical));
	}
	return out;
}

static int layers_json(const struct image *i, json_t **ret, struct err *e)
{
	auto_strv char **diff_ids = NULL;
	auto_json json_t *out = json_array();
	int r = config_diff_ids(i->config, &diff_ids, e);

	if (r >= 0 && strv_len(diff_ids) != strv_len(i->layers))
		r = err_set(e, ERR_INTERNAL, EINVAL, "image %s has lost layers", i->id);
	for (size_t k = 0; r >= 0 && diff_ids && diff_ids[k]; k++) {
		char dir[LAYER_ID_SIZE];

		r = storage_layer_id(i->layers[k], dir);
		if (r >= 0)
			r = json_array_append_new(
				out, json_pack("{s:s,s:s}", "dir", dir, "diff", diff_ids[k]));
		if (r < 0)
			r = err_nomem(e);
	}
	if (r >= 0)
		*ret = TAKE_PTR(out);
	return r;
}

static int image_json(struct image_save *s, const struct chosen *c, json_t *list, struct err *e)
{
	auto_free char *text = NULL;
	json_t *layers = NULL;
	int r = image_text(s->im, c->image, &text, e);

	if (r >= 0)
		r = layers_json(c->image, &layers, e);
	if (r < 0)
		return r;
	return json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:o}", "id", c->image->id,
						     "config", text, "tags", tags_json(c->tags),
						     "layers", layers)) < 0
		       ? err_nomem(e)
		       : 0;
}

static int make_request(struct image_save *s, json_t **ret, struct err *e)
{
	auto_json json_t *list = json_array();
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->n; i++) {
		r = image_json(s, &s->v[i], list, e);
		if (r >= 0 && strv_add(&s->ids, s->v[i].image->id) < 0)
			r = err_nomem(e);
		else if (r >= 0)
			image_hold(s->im, s->v[i].image->id);
	}
	if (r < 0)
		return r;
	*ret = json_pack("{s:O}", "images", list);
	return *ret ? 0 : err_nomem(e);
}

/* ---- the helper ---- */

static int piece(const void *data, size_t len, void *d)
{
	struct image_save *s = d;

	return s->ops.piece(data, len, s->ops.data);
}

static void done(int result, const struct err *e, void *d)
{
	struct image_save *s = d;
	struct image_save_ops ops = s->ops;

	save_free(s);
	ops.done(result, e, ops.data);
}

static int start(struct image_save *s, struct err *e)
{
	const struct helper_ops ops = {.out = piece, .done = done, .data = s};
	auto_free char *dir = storage_layers_dir(s->im->storage);
	struct helper_task t = HELPER_TASK_INIT;
	auto_json json_t *request = NULL;
	int r = dir ? make_request(s, &request, e) : err_nomem(e);

	if (r < 0)
		return r;
	t.verb = "save";
	t.dir = dir;
	t.request = request;
	return helper_start(s->im, &t, &ops, &s->helper, e);
}

int image_save_start(struct images *im, char *const *names, const struct image_save_ops *ops,
		     struct image_save **ret, char ***ret_ids, struct err *e)
{
	struct image_save *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return err_nomem(e);
	s->im = im;
	s->ops = *ops;
	for (; r >= 0 && names && *names; names++)
		r = choose_name(s, *names, e);
	if (r >= 0 && !s->n)
		r = err_invalid(e, "no image is named");
	if (r >= 0)
		r = start(s, e);
	if (r < 0) {
		save_free(s);
		return r;
	}
	chosen_free(s);
	*ret_ids = strv_copy(s->ids);
	*ret = s;
	return 0;
}

void image_save_resume(struct image_save *s)
{
	helper_resume(s->helper);
}

void image_save_abort(struct image_save *s)
{
	helper_abort(s->helper);
}
