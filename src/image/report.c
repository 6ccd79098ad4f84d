/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - the helper's lines, checked */

#include "image/report.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/manifest.h"
#include "image/ref.h"
#include "image/task.h"

#define IMAGES_MAX 1024	       /* of one archive */
#define LAYERS_MAX 16384       /* the helper takes no more files than that */
#define TEXT_MAX   (64u << 20) /* all configs together */

int report_new(struct report *r)
{
	*r = (struct report){0};
	return map_new(&r->layers);
}

static void image_done(struct report_image *i)
{
	free(i->text);
	json_decref(i->config);
	strv_free(i->layers);
	strv_free(i->tags);
	strv_free(i->digests);
	free(i->sizes);
}

void report_done(struct report *r)
{
	size_t pos = 0;
	void *layer;

	while (r->layers && (layer = map_next(r->layers, &pos, NULL)))
		free(layer);
	map_free(r->layers);
	for (size_t i = 0; i < r->n_images; i++)
		image_done(&r->images[i]);
	free(r->images);
	*r = (struct report){0};
}

/* ---- layers ---- */

/* l<n>: one name inside the helper's directory */
static bool dir_ok(const char *name)
{
	uint32_t n;

	return name && name[0] == 'l' && strlen(name) < sizeof(((struct report_layer *)0)->dir) &&
	       parse_u32(name + 1, &n) >= 0;
}

static int read_layer(const json_t *j, struct report_layer *out, struct err *e)
{
	const char *chain, *diff, *dir;
	int r = json_get_str(j, "layer", "chain", &chain, e);

	if (r >= 0)
		r = json_get_str(j, "layer", "diff", &diff, e);
	if (r >= 0)
		r = json_get_str(j, "layer", "dir", &dir, e);
	if (r >= 0)
		r = json_get_i64(j, "layer", "size", &out->size, e);
	if (r < 0)
		return r;
	if (!digest_ok(chain) || !digest_ok(diff) || !dir_ok(dir) || out->size < 0 ||
	    out->size > (int64_t)LIMIT_LAYER_BYTES)
		return err_invalid(e, "a layer is out of range");
	(void)snprintf(out->chain, sizeof(out->chain), "%s", chain);
	(void)snprintf(out->diff, sizeof(out->diff), "%s", diff);
	(void)snprintf(out->dir, sizeof(out->dir), "%s", dir);
	return 0;
}

static int add_layer(struct report *r, const json_t *j, struct err *e)
{
	auto_free struct report_layer *l = calloc(1, sizeof(*l));
	int rc = l ? read_layer(j, l, e) : err_nomem(e);

	if (rc < 0)
		return rc;
	if (map_get(r->layers, l->chain))
		return err_invalid(e, "layer %s came twice", l->chain);
	if (map_len(r->layers) >= LAYERS_MAX)
		return err_invalid(e, "too many layers");
	if (map_put(r->layers, l->chain, l) < 0)
		return err_nomem(e);
	(void)TAKE_PTR(l);
	return 0;
}

static int put_layer(struct report *r, const struct report_layer *like, struct err *e)
{
	auto_free struct report_layer *l = calloc(1, sizeof(*l));

	if (!l)
		return err_nomem(e);
	*l = *like;
	if (map_put(r->layers, l->chain, l) < 0)
		return err_nomem(e);
	(void)TAKE_PTR(l);
	return 0;
}

int report_known(struct report *r, const char *chain, const char *diff_id, int64_t size,
		 struct err *e)
{
	struct report_layer l = {.size = size};

	(void)snprintf(l.chain, sizeof(l.chain), "%s", chain);
	(void)snprintf(l.diff, sizeof(l.diff), "%s", diff_id);
	return map_get(r->layers, chain) ? 0 : put_layer(r, &l, e);
}

int report_stack(struct report *r, const char *diff_id, const char *parent, char ret[DIGEST_SIZE],
		 struct err *e)
{
	const struct report_layer *base = map_get(r->layers, diff_id);
	struct report_layer l;

	if (!base)
		return err_invalid(e, "layer %s did not come", diff_id);
	l = *base;
	chain_next(parent, diff_id, l.chain);
	memcpy(ret, l.chain, DIGEST_SIZE);
	return parent && !map_get(r->layers, l.chain) ? put_layer(r, &l, e) : 0;
}

/* ---- images ---- */

static int find_layers(const struct report *r, struct report_image *i, struct err *e)
{
	auto_strv char **diff_ids = NULL;
	char chain[DIGEST_SIZE];
	int rc = config_diff_ids(i->config, &diff_ids, e);

	i->sizes = calloc(strv_len(diff_ids) + 1, sizeof(*i->sizes));
	if (!i->sizes)
		return err_nomem(e);
	for (size_t k = 0; rc >= 0 && diff_ids && diff_ids[k]; k++) {
		const struct report_layer *l;

		chain_next(k ? chain : NULL, diff_ids[k], chain);
		l = map_get(r->layers, chain);
		if (!l || !streq(l->diff, diff_ids[k]))
			return err_invalid(e, "layer %s of the image did not come", diff_ids[k]);
		i->sizes[k] = l->size;
		if (__builtin_add_overflow(i->size, MAX(l->size, 0), &i->size))
			return err_invalid(e, "the image's size is out of range");
		if (strv_add(&i->layers, chain) < 0)
			return err_nomem(e);
	}
	return rc;
}

static int check_os(const json_t *config, struct err *e)
{
	const char *os;
	int r = json_get_str(config, "Image", "os", &os, e);

	if (r >= 0 && !str_empty(os) && !streq(os, "linux"))
		r = err_invalid(e, "cannot load %.60s image on linux", os);
	return r;
}

static int add_tag(struct report_image *i, const char *text, struct err *e)
{
	auto_free char *name = NULL;
	struct image_ref ref = {0};
	int r = image_ref_parse(text, &ref, e);

	if (r < 0)
		return err_wrap(e, "invalid tag \"%.300s\"", text);
	if (!ref.tag_given || ref.digest)
		r = err_invalid(e, "invalid tag \"%.300s\"", text);
	else
		name = image_ref_familiar(&ref);
	image_ref_done(&ref);
	if (r < 0)
		return r;
	return !name || strv_add_unique(&i->tags, name) < 0 ? err_nomem(e) : 0;
}

static int add_tags(struct report_image *i, char *const *tags, struct err *e)
{
	int r = 0;

	for (; r >= 0 && tags && *tags; tags++)
		r = add_tag(i, *tags, e);
	return r;
}

static struct report_image *same_image(const struct report *r, const char *id)
{
	for (size_t i = 0; i < r->n_images; i++)
		if (streq(r->images[i].id, id))
			return &r->images[i];
	return NULL;
}

static int fill(const struct report *r, struct report_image *i, const char *config,
		char *const *tags, struct err *e)
{
	int rc;

	digest_of(config, strlen(config), i->id);
	i->text = strdup(config);
	if (!i->text)
		return err_nomem(e);
	rc = json_read(config, strlen(config), &i->config, e);
	if (rc >= 0)
		rc = find_layers(r, i, e);
	if (rc >= 0)
		rc = check_os(i->config, e);
	return rc < 0 ? rc : add_tags(i, tags, e);
}

int report_add_image(struct report *r, const char *config, char *const *tags, struct err *e)
{
	struct report_image i = {0}, *v, *same;
	int rc;

	r->text_bytes += strlen(config);
	if (r->n_images >= IMAGES_MAX || r->text_bytes > TEXT_MAX)
		return err_invalid(e, "the archive has too many images");
	rc = fill(r, &i, config, tags, e);
	same = rc < 0 ? NULL : same_image(r, i.id);
	if (rc < 0 || same) {
		if (same)
			rc = add_tags(same, i.tags, e);
		image_done(&i);
		return rc;
	}
	v = reallocarray(r->images, r->n_images + 1, sizeof(*v));
	if (!v) {
		image_done(&i);
		return err_nomem(e);
	}
	r->images = v;
	v[r->n_images++] = i;
	return 0;
}

static int add_image(struct report *r, const json_t *j, struct err *e)
{
	auto_strv char **tags = NULL;
	const char *config;
	int rc = json_get_str(j, "image", "config", &config, e);

	if (rc >= 0)
		rc = json_get_strv(j, "image", "tags", false, &tags, e);
	if (rc < 0)
		return rc;
	return config ? report_add_image(r, config, tags, e)
		      : err_invalid(e, "an image has no config");
}

/* ---- lines ---- */

int report_line(struct report *r, const char *line, size_t len, struct err *e)
{
	auto_json json_t *j = NULL;
	const json_t *v;
	int rc = json_read(line, len, &j, e);

	if (rc < 0)
		return err_wrap(e, "the helper's report");
	if (r->ended || r->error.code)
		return err_invalid(e, "the helper's report goes on after its end");
	if ((v = json_object_get(j, "layer"))) {
		rc = add_layer(r, v, e);
	} else if ((v = json_object_get(j, "image"))) {
		return add_image(r, v, e); /* what is wrong here is the archive's fault */
	} else if (json_is_true(json_object_get(j, "end"))) {
		r->ended = true;
	} else if (!helper_error(j, &r->error)) {
		rc = err_invalid(e, "an unknown line");
	}
	return rc < 0 ? err_wrap(e, "the helper's report") : 0;
}
