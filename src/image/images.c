/* SPDX-License-Identifier: GPL-2.0-or-later */
/* images.c - the images in memory: opening, finding, walking */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "image/internal.h"
#include "image/ref.h"
#include "state/tables.h"
#include "storage/storage.h"

#define HEX_LEN 64

/* ---- one image in memory ---- */

int image_new(const char *id, json_t *config, struct image **ret)
{
	const char *created = json_string_value(json_object_get(config, "created"));
	struct image *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	(void)snprintf(i->id, sizeof(i->id), "%s", id);
	i->config = json_incref(config);
	if (created && clock_parse_rfc3339(created, &i->created_ns) < 0)
		i->created_ns = 0;
	*ret = i;
	return 0;
}

void image_free(struct image *i)
{
	if (!i)
		return;
	json_decref(i->config);
	strv_free(i->layers);
	strv_free(i->tags);
	free(i->parent);
	free(i->step_key);
	strv_free(i->digests);
	free(i->sizes);
	free(i);
}

/* newest first; of the same age, what came last */
static struct list *place(struct images *im, const struct image *i)
{
	struct image *at;

	list_for_each (at, &im->all, node)
		if (at->created_ns <= i->created_ns)
			return &at->node;
	return &im->all;
}

int image_link(struct images *im, struct image *i)
{
	if (map_put(im->by_id, i->id, i) < 0)
		return -ENOMEM;
	list_append(place(im, i), &i->node); /* before that one */
	im->n_hidden += i->hidden;
	return 0;
}

void image_unlink(struct images *im, struct image *i)
{
	while (i->tags)
		tag_unlink(im, i->tags[0]);
	while (i->digests)
		digest_unlink(im, i->digests[0]);
	(void)map_del(im->by_id, i->id);
	list_remove(&i->node);
	im->n_hidden -= i->hidden;
}

/* ---- open and close ---- */

struct loading {
	struct images *im;
	struct err *e;
	bool bad;
};

static int read_layers(struct image *i, const char *text, struct err *e)
{
	auto_json json_t *layers = NULL;
	const json_t *s;
	size_t k;
	int r = json_read(text, strlen(text), &layers, e);

	if (r < 0)
		return r;
	i->sizes = calloc(json_array_size(layers) + 1, sizeof(*i->sizes));
	if (!i->sizes)
		return err_nomem(e);
	json_array_foreach(layers, k, s)
	{
		/* {"id":..,"size":..}; the id alone before layers' sizes were kept */
		const json_t *id = json_is_object(s) ? json_object_get(s, "id") : s;
		const json_t *size = json_object_get(s, "size");

		if (!digest_ok(json_string_value(id)))
			return err_invalid(e, "a layer's chain id is no digest");
		i->sizes[k] = json_is_integer(size) ? json_integer_value(size) : -1;
		if (strv_add(&i->layers, json_string_value(id)) < 0)
			return err_nomem(e);
	}
	return 0;
}

static int read_row(struct images *im, const struct image_row *row, struct err *e)
{
	auto_(image_free) struct image *i = NULL;
	auto_json json_t *config = NULL;
	int r = json_read(row->config_json, strlen(row->config_json), &config, e);

	if (r < 0)
		return r;
	if (image_new(row->id, config, &i) < 0)
		return err_nomem(e);
	r = read_layers(i, row->layers_json, e);
	if (r < 0)
		return r;
	i->size = row->size;
	i->hidden = row->hidden;
	if (image_link(im, i) < 0)
		return err_nomem(e);
	(void)TAKE_PTR(i);
	return 0;
}

static int load_row(const struct image_row *row, void *data)
{
	struct loading *l = data;
	struct err e = {0};
	int r = read_row(l->im, row, &e);

	if (r == -ENOMEM)
		return err_nomem(l->e);
	if (r < 0) { /* one bad row must not keep the others from coming back */
		log_error("an image of the store is left out image=%s error=%s", row->id, e.msg);
		l->bad = true;
	}
	return 0;
}

static int load_tag(const char *tag, const char *image_id, void *data)
{
	struct loading *l = data;
	struct image *i = map_get(l->im->by_id, image_id);
	auto_free char *name = NULL;

	if (!i)
		return 0;
	if (strchr(tag, '@')) {
		struct image_ref r = {0};

		if (image_ref_parse(tag, &r, NULL) >= 0)
			name = image_ref_familiar(&r);
		image_ref_done(&r);
		return name && digest_link(l->im, i, name) < 0 ? err_nomem(l->e) : 0;
	}
	return tag_name(tag, NULL, &name, NULL) >= 0 && tag_link(l->im, i, name) < 0
		       ? err_nomem(l->e)
		       : 0;
}

/* A layer whose image never got its row, or lost it before the layer went. */
static int sweep_layer(const char *id, void *data)
{
	struct images *im = data;

	if (!layer_used(im, id))
		storage_layer_remove(im->storage, id);
	return 0;
}

static int load_all(struct images *im, struct err *e)
{
	struct loading l = {.im = im, .e = e};
	int r = image_each(im->db, load_row, &l, e);

	if (r >= 0)
		r = tag_each(im->db, load_tag, &l, e);
	if (r >= 0)
		r = steps_load(im, e);
	if (r < 0 || l.bad) /* what a row that cannot be read needs is not known */
		return r;
	r = storage_layer_each(im->storage, sweep_layer, im);
	return r < 0 ? err_sys(e, -r, "cannot look through the layers") : 0;
}

int images_open(struct loop *l, struct db *db, struct storage *st, const struct images_config *c,
		struct images **ret, struct err *e)
{
	struct images *im = calloc(1, sizeof(*im));
	int r;

	if (!im)
		return err_nomem(e);
	im->loop = l;
	im->db = db;
	im->storage = st;
	im->life_fd = c->life_fd;
	im->registry = c->registries;
	list_init(&im->pulls);
	list_init(&im->pushes);
	list_init(&im->asks);
	list_init(&im->all);
	list_init(&im->loads);
	list_init(&im->tasks);
	if (str_set(&im->helper, c->helper) < 0 || str_set(&im->builtin, c->builtin) < 0 ||
	    str_set(&im->registry_program, c->registry) < 0 || map_new(&im->by_id) < 0 ||
	    map_new(&im->by_tag) < 0 || map_new(&im->by_digest) < 0 || map_new(&im->blobs) < 0 ||
	    map_new(&im->holds) < 0)
		r = err_nomem(e);
	else
		r = load_all(im, e);
	if (r < 0) {
		images_close(im);
		return r;
	}
	*ret = im;
	return 0;
}

void images_stop(struct images *im)
{
	im->stopped = true;
	loads_drop(im);
	tasks_drop(im);
	pulls_drop(im);
	pushes_drop(im);
	asks_drop(im);
}

void images_close(struct images *im)
{
	struct image *i;
	void *hold;
	size_t pos = 0;

	if (!im)
		return;
	images_stop(im);
	list_for_each (i, &im->all, node)
		image_free(i);
	while (im->holds && (hold = map_next(im->holds, &pos, NULL)))
		free(hold);
	map_free(im->by_id);
	map_free(im->by_tag);
	map_free(im->by_digest);
	blobs_forget(im);
	map_free(im->holds);
	free(im->helper);
	free(im->registry_program);
	free(im->builtin);
	free(im);
}

/* ---- finding ---- */

static int no_such(const char *shown, struct err *e)
{
	return err_not_found(e, "No such image: %s", shown);
}

/* the only one that begins so */
static struct image *by_prefix(const struct images *im, const char *ref)
{
	const char *hex = str_has_prefix(ref, "sha256:") ? ref + strlen("sha256:") : ref;
	struct image *i, *found = NULL;

	if (!str_is_hex(hex))
		return NULL;
	list_for_each (i, &im->all, node) {
		if (i->hidden || !str_has_prefix(i->id + strlen("sha256:"), hex))
			continue;
		if (found)
			return NULL;
		found = i;
	}
	return found;
}

/* Return: 1 @ref is a whole id, 0 not */
static int by_digest(const struct images *im, const char *ref, struct image **ret)
{
	char id[DIGEST_SIZE];

	if (strlen(ref) == HEX_LEN && str_is_hex(ref))
		(void)snprintf(id, sizeof(id), "sha256:%s", ref);
	else if (digest_ok(ref))
		(void)snprintf(id, sizeof(id), "%s", ref);
	else
		return 0;
	*ret = map_get(im->by_id, id);
	/* a container's reference: its image is there as long as the container is */
	if (*ret && (*ret)->hidden && !digest_ok(ref))
		*ret = NULL;
	return 1;
}

static struct image *by_name(const struct images *im, const struct image_ref *r, const char *name)
{
	struct image *i;

	if (!r->digest)
		return map_get(im->by_tag, name);
	struct image_ref by = {.domain = r->domain, .path = r->path, .digest = r->digest};
	auto_free char *digest = image_ref_familiar(&by); /* a tag beside it counts nothing */

	i = digest ? map_get(im->by_digest, digest) : NULL;
	if (!i)
		i = map_get(im->by_id, r->digest); /* whatever the name says */
	return i && !i->hidden ? i : NULL;
}

int image_find(struct images *im, const char *ref, struct image **ret, struct err *e)
{
	auto_free char *name = NULL;
	struct image_ref r = {0};
	struct image *i = NULL;
	int rc;

	if (by_digest(im, ref, &i)) {
		if (!i)
			return err_not_found(e, "No such image: %s%s",
					     str_has_prefix(ref, "sha256:") ? "" : "sha256:", ref);
		*ret = i;
		return 0;
	}
	rc = image_ref_parse(ref, &r, e);
	if (rc < 0)
		return rc;
	name = image_ref_familiar(&r);
	i = name ? by_name(im, &r, name) : NULL;
	image_ref_done(&r);
	if (!name)
		return err_nomem(e);
	if (!i)
		i = by_prefix(im, ref);
	if (!i)
		return no_such(name, e);
	*ret = i;
	return 0;
}

struct image *image_next(struct images *im, struct image *prev)
{
	for (struct list *n = prev ? prev->node.next : im->all.next; n != &im->all; n = n->next)
		if (!list_entry(n, struct image, node)->hidden)
			return list_entry(n, struct image, node);
	return NULL;
}

size_t images_count(const struct images *im)
{
	return map_len(im->by_id) - im->n_hidden;
}

const char *image_id(const struct image *i)
{
	return i->id;
}

const json_t *image_config(const struct image *i)
{
	return i->config;
}

char *const *image_layers(const struct image *i)
{
	return i->layers;
}

char *const *image_tags(const struct image *i)
{
	return i->tags;
}

char *const *image_digests(const struct image *i)
{
	return i->digests;
}

int64_t image_layer_size(const struct image *i, size_t n)
{
	if (i->sizes && i->sizes[n] >= 0)
		return i->sizes[n];
	return strv_len(i->layers) == 1 ? i->size : -1;
}

void image_layer_counted(struct images *im, const char *chain_id, int64_t bytes)
{
	struct image *i;

	list_for_each (i, &im->all, node)
		for (size_t n = 0; i->sizes && i->layers && i->layers[n]; n++)
			if (i->sizes[n] < 0 && streq(i->layers[n], chain_id))
				i->sizes[n] = bytes;
}

int64_t image_size(const struct image *i)
{
	return i->size;
}

int64_t image_created_ns(const struct image *i)
{
	return i->created_ns;
}
