/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.c - images into the store and out of it: rows first, then memory, then layers
 *
 * A layer is on disk before the row that names it, and goes after that row: what a crash leaves is
 * a layer without a row, which the next start removes. An image deleted while containers hold it
 * becomes a hidden row that keeps its layers; it goes with the last of them.
 */

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "image/internal.h"
#include "state/tables.h"
#include "storage/storage.h"

/* ---- rows ---- */

static int put_row(struct images *im, const struct image *i, const char *config, bool hidden,
		   struct err *e)
{
	json_t *layers = json_array();
	auto_free char *text = NULL;
	bool full = layers != NULL;

	for (size_t n = 0; full && i->layers && i->layers[n]; n++) {
		int64_t size = image_layer_size(i, n);
		json_t *l = size < 0 ? json_string(i->layers[n])
				     : json_pack("{s:s,s:I}", "id", i->layers[n], "size",
						 (json_int_t)size);

		full = json_array_append_new(layers, l) >= 0;
	}
	if (full)
		text = json_dumps(layers, JSON_COMPACT);
	json_decref(layers);
	if (!text)
		return err_nomem(e);
	return image_put(im->db,
			 &(struct image_row){.id = i->id,
					     .created_ns = clock_real_ns(),
					     .size = i->size,
					     .layers_json = text,
					     .config_json = config,
					     .hidden = hidden},
			 e);
}

struct text_of {
	const char *id;
	char *text;
};

static int take_text(const struct image_row *row, void *data)
{
	struct text_of *t = data;

	if (!streq(row->id, t->id))
		return 0;
	t->text = strdup(row->config_json);
	return t->text ? 1 : -ENOMEM;
}

int image_text(struct images *im, const struct image *i, char **ret, struct err *e)
{
	struct text_of t = {.id = i->id};
	int r = image_each(im->db, take_text, &t, e);

	if (r >= 0 && !t.text)
		r = err_set(e, ERR_INTERNAL, ENOENT, "image %s is not in the store", i->id);
	if (r >= 0)
		*ret = t.text;
	return MIN(r, 0);
}

/* the same row again with another flag */
static int put_hidden(struct images *im, const struct image *i, bool hidden, struct err *e)
{
	auto_free char *text = NULL;
	int r = image_text(im, i, &text, e);

	return r < 0 ? r : put_row(im, i, text, hidden, e);
}

static void set_hidden(struct images *im, struct image *i, bool hidden)
{
	im->n_hidden += hidden;
	im->n_hidden -= i->hidden;
	i->hidden = hidden;
}

int image_unhide(struct images *im, struct image *i, struct err *e)
{
	int r = put_hidden(im, i, false, e);

	if (r >= 0)
		set_hidden(im, i, false);
	return r;
}

/* ---- what a load brought ---- */

static int put_one(struct images *im, const struct report_image *n, const struct image *i,
		   bool whole, struct err *e)
{
	int r = whole ? put_row(im, i, n->text, false, e) : 0;

	for (char **t = n->tags; r >= 0 && t && *t; t++) {
		auto_free char *canonical = tag_canonical(*t);

		r = canonical ? tag_put(im->db, canonical, i->id, e) : err_nomem(e);
	}
	for (char **d = n->digests; r >= 0 && d && *d; d++) {
		auto_free char *canonical = tag_canonical(*d);

		r = canonical ? tag_put(im->db, canonical, i->id, e) : err_nomem(e);
	}
	return r;
}

/* @fresh[k]: the new object of report image k, NULL where we have it */
static int put_all(struct images *im, const struct report *r, struct image **fresh, struct err *e)
{
	int rc = db_begin(im->db, e);

	if (rc < 0)
		return rc;
	for (size_t k = 0; k < r->n_images && rc >= 0; k++) {
		const struct image *i = fresh[k] ? fresh[k] : map_get(im->by_id, r->images[k].id);

		rc = put_one(im, &r->images[k], i, fresh[k] || i->hidden, e);
	}
	if (rc < 0) {
		db_rollback(im->db);
		return rc;
	}
	return db_commit(im->db, e);
}

static int make_fresh(const struct report_image *n, struct image **ret, struct err *e)
{
	auto_(image_free) struct image *i = NULL;

	if (image_new(n->id, n->config, &i) < 0)
		return err_nomem(e);
	i->layers = strv_copy(n->layers);
	if (!i->layers && n->layers)
		return err_nomem(e);
	i->size = n->size;
	i->sizes = calloc(strv_len(n->layers) + 1, sizeof(*i->sizes));
	if (!i->sizes)
		return err_nomem(e);
	memcpy(i->sizes, n->sizes, strv_len(n->layers) * sizeof(*i->sizes));
	*ret = TAKE_PTR(i);
	return 0;
}

/* The rows are there: what memory fails here the next start has. */
static int link_one(struct images *im, const struct report_image *n, struct image **fresh,
		    struct err *e)
{
	struct image *i = *fresh ? *fresh : map_get(im->by_id, n->id);

	if (*fresh && image_link(im, i) < 0)
		return err_nomem(e);
	*fresh = NULL;
	set_hidden(im, i, false);
	for (char **t = n->tags; t && *t; t++)
		if (tag_link(im, i, *t) < 0)
			return err_nomem(e);
	for (char **d = n->digests; d && *d; d++)
		if (digest_link(im, i, *d) < 0)
			return err_nomem(e);
	return 0;
}

int images_store(struct images *im, const struct report *r, struct err *e)
{
	struct image **fresh = calloc(r->n_images + 1, sizeof(*fresh));
	int rc = fresh ? 0 : err_nomem(e);

	for (size_t k = 0; k < r->n_images && rc >= 0; k++)
		if (!map_get(im->by_id, r->images[k].id))
			rc = make_fresh(&r->images[k], &fresh[k], e);
	if (rc >= 0)
		rc = put_all(im, r, fresh, e);
	for (size_t k = 0; k < r->n_images && rc >= 0; k++)
		rc = link_one(im, &r->images[k], &fresh[k], e);
	for (size_t k = 0; fresh && k < r->n_images; k++)
		image_free(fresh[k]);
	free(fresh);
	return rc;
}

/* ---- layers ---- */

bool layer_used(const struct images *im, const char *hex)
{
	struct image *i;

	list_for_each (i, &im->all, node)
		for (char **l = i->layers; l && *l; l++)
			if (str_has_prefix(*l + strlen("sha256:"), hex))
				return true;
	return false;
}

int layers_collect(struct images *im, char *const *layers, char ***ret_gone)
{
	int r = 0;

	for (size_t n = strv_len(layers); n-- > 0;) { /* from the top down, as they are listed */
		if (layer_used(im, layers[n] + strlen("sha256:")))
			continue;
		if (ret_gone && strv_add(ret_gone, layers[n]) < 0)
			r = -ENOMEM;
		storage_layer_remove(im->storage, layers[n]);
	}
	return r;
}

/* ---- holding and deleting ---- */

struct hold { /* containers made from an image */
	unsigned n;
};

static bool held(const struct images *im, const char *id)
{
	return im->hold_lost || map_get(im->holds, id);
}

void image_hold(struct images *im, const char *image_id)
{
	struct hold *h = map_get(im->holds, image_id);

	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h || map_put(im->holds, image_id, h) < 0) {
			log_error("out of memory: images are only hidden from now on when deleted");
			im->hold_lost = true;
			free(h);
			return;
		}
	}
	h->n++;
}

void image_release(struct images *im, const char *image_id)
{
	struct hold *h = map_get(im->holds, image_id);
	struct image *i = map_get(im->by_id, image_id);
	struct err e = {0};

	if (!h || --h->n)
		return;
	free(map_del(im->holds, image_id));
	if (i && i->hidden && image_delete(im, i, NULL, &e) < 0)
		log_warn("a deleted image stays image=%s error=%s", image_id, e.msg);
}

static int hide(struct images *im, struct image *i, struct err *e)
{
	int r = i->hidden ? 0 : db_begin(im->db, e);

	if (r < 0 || i->hidden)
		return r;
	r = put_hidden(im, i, true, e);
	for (char **t = i->tags; r >= 0 && t && *t; t++) {
		auto_free char *canonical = tag_canonical(*t);

		r = canonical ? tag_del(im->db, canonical, e) : err_nomem(e);
	}
	for (char **d = i->digests; r >= 0 && d && *d; d++) {
		auto_free char *canonical = tag_canonical(*d);

		r = canonical ? tag_del(im->db, canonical, e) : err_nomem(e);
	}
	if (r < 0)
		db_rollback(im->db);
	else
		r = db_commit(im->db, e);
	if (r < 0)
		return r;
	while (i->tags)
		tag_unlink(im, i->tags[0]);
	while (i->digests)
		digest_unlink(im, i->digests[0]);
	set_hidden(im, i, true);
	return 0;
}

int image_delete(struct images *im, struct image *i, char ***ret_layers, struct err *e)
{
	auto_strv char **gone = NULL;
	int r;

	if (held(im, i->id))
		return hide(im, i, e);
	r = image_del(im->db, i->id, e);
	if (r < 0)
		return r;
	image_unlink(im, i);
	r = layers_collect(im, i->layers, &gone);
	image_free(i);
	if (r < 0)
		return err_nomem(e);
	if (ret_layers)
		*ret_layers = TAKE_PTR(gone);
	return 0;
}

void images_sweep_hidden(struct images *im)
{
	struct image *i;
	struct err e = {0};

	if (!im->n_hidden)
		return;
	list_for_each (i, &im->all, node)
		if (i->hidden && !held(im, i->id) && image_delete(im, i, NULL, &e) < 0)
			log_warn("a deleted image stays image=%s error=%s", i->id, e.msg);
}
