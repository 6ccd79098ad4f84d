/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commit.c - an image from another one and a container's upper directory
 *
 * Two helpers, joined by a pipe: one packs the upper directory as a tar, the other unpacks it as it
 * does the layers of a load, so there is one way to make a layer. The image is stored once both
 * have ended well: a tar that broke off is no layer. The new layer stands on the parent's, which
 * are held until the end.
 * Source: moby image/image.go, NewChildImage (what a child's config has).
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "image/internal.h"
#include "image/manifest.h"
#include "image/task.h"

/* the diff id of a tar without an entry: 1024 zeros */
#define EMPTY_TAR "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

struct commit {
	struct images *im;
	char *parent_id, *reference;
	json_t *config; /* whole; rootfs is the parent's */
	json_t *entry;	/* of the history; NULL none */
	struct image_load *load;
	struct helper_child *packer;
	struct err err; /* of the packer */
	void (*done)(int result, const char *image_id, const struct err *e, void *data);
	void *data;
	int64_t more; /* bytes of the parent in layers whose own size is not known */
};

static void commit_free(struct commit *c)
{
	if (c->parent_id)
		image_release(c->im, c->parent_id);
	json_decref(c->config);
	json_decref(c->entry);
	free(c->parent_id);
	free(c->reference);
	free(c);
}

/* ---- the config ---- */

static int set(json_t *o, const char *key, const char *value, struct err *e)
{
	if (str_empty(value))
		return 0;
	return json_object_set_new(o, key, json_string(value)) < 0
		       ? err_invalid(e, "the %s is not valid UTF-8", key)
		       : 0;
}

static json_t *history_entry(const struct image_commit *s, const char *now, struct err *e)
{
	json_t *j = json_pack("{s:s}", "created", now);

	if (!j) {
		(void)err_nomem(e);
	} else if (set(j, "author", s->author, e) < 0 ||
		   set(j, "created_by", s->created_by, e) < 0 ||
		   set(j, "comment", s->comment, e) < 0) {
		json_decref(j);
		j = NULL;
	}
	return j;
}

/* what a child has from its parent */
static int inherit(json_t *config, const json_t *parent, struct err *e)
{
	static const char *const keys[] = {"architecture", "variant", "os",
					   "os.version",   "rootfs",  "history"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *v = json_object_get(parent, keys[i]);

		if (v && json_object_set_new(config, keys[i], json_deep_copy(v)) < 0)
			return err_nomem(e);
	}
	return 0;
}

static int make_config(struct commit *c, const struct image_commit *s, const json_t *parent,
		       struct err *e)
{
	char now[RFC3339_SIZE];

	(void)clock_rfc3339(clock_real_ns(), now);
	c->config = json_pack("{s:s,s:s,s:s,s:o,s:{s:s,s:[]},s:[]}", "architecture", machine_name(),
			      "os", "linux", "created", now, "config",
			      s->config ? json_deep_copy(s->config) : json_object(), "rootfs",
			      "type", "layers", "diff_ids", "history");
	if (!c->config)
		return err_nomem(e);
	int r = inherit(c->config, parent, e);

	if (r >= 0)
		r = set(c->config, "author", s->author, e);
	if (r >= 0)
		r = set(c->config, "comment", s->comment, e);
	if (r >= 0)
		r = set(c->config, "container", s->container_id, e);
	if (r >= 0 && !s->no_history) {
		c->entry = history_entry(s, now, e);
		r = c->entry ? 0 : e ? e->code : -ENOMEM;
	}
	return r;
}

/* ---- the image ---- */

static json_t *diff_ids_of(struct commit *c)
{
	return json_object_get(json_object_get(c->config, "rootfs"), "diff_ids");
}

static int add_parent_layers(struct commit *c, struct report *rep, char top[DIGEST_SIZE],
			     struct err *e)
{
	const struct image *parent = c->parent_id ? map_get(c->im->by_id, c->parent_id) : NULL;
	json_t *ids = diff_ids_of(c), *id;
	size_t i;
	int r = 0;

	c->more = parent ? parent->size : 0;
	*top = '\0';
	json_array_foreach(ids, i, id)
	{
		if (r < 0)
			break;
		chain_next(i ? top : NULL, json_string_value(id), top);
		int64_t size = layer_size(c->im, top);

		c->more -= MAX(size, 0);
		r = report_known(rep, top, json_string_value(id), size, e);
	}
	return r;
}

static int add_image(struct commit *c, struct report *rep, bool empty, struct err *e)
{
	char *tags[] = {c->reference, NULL};

	if (c->entry && empty && json_object_set_new(c->entry, "empty_layer", json_true()) < 0)
		return err_nomem(e);
	if (c->entry && json_array_append(json_object_get(c->config, "history"), c->entry) < 0)
		return err_nomem(e);
	auto_free char *text = json_dumps(c->config, JSON_COMPACT);

	int r = text ? report_add_image(rep, text, c->reference ? tags : NULL, e) : err_nomem(e);

	if (r >= 0)
		rep->images[0].size += MAX(c->more, 0);
	return r;
}

static int compose(struct report *rep, void *data, struct err *e)
{
	struct commit *c = data;
	size_t pos = 0;
	const struct report_layer *layer = map_next(rep->layers, &pos, NULL);
	char diff[DIGEST_SIZE], top[DIGEST_SIZE], chain[DIGEST_SIZE];

	if (c->err.code) /* what came may be the beginning of a tar */
		return err_set(e, c->err.kind, -c->err.code, "%s", c->err.msg);
	if (!layer)
		return err_invalid(e, "the changes came as no layer");
	bool empty = streq(layer->diff, EMPTY_TAR);

	memcpy(diff, layer->diff, sizeof(diff));
	int r = add_parent_layers(c, rep, top, e);

	if (r >= 0 && !empty) {
		r = report_stack(rep, diff, *top ? top : NULL, chain, e);
		if (r >= 0 && json_array_append_new(diff_ids_of(c), json_string(diff)) < 0)
			r = err_nomem(e);
	}
	return r < 0 ? r : add_image(c, rep, empty, e);
}

/* Without it nothing is lost but the link between the two. */
static void remember_parent(struct commit *c, const char *id)
{
	struct image *i = map_get(c->im->by_id, id);
	struct err e = {0};

	if (i && c->parent_id && !i->parent && image_step_set(c->im, i, c->parent_id, "", &e) < 0)
		log_warn("an image's parent could not be stored image=%s error=%s", id, e.msg);
}

/* ---- the two helpers ---- */

static bool packer_ended(void *data)
{
	return !((struct commit *)data)->packer;
}

static void packed(int result, const struct err *e, void *data)
{
	struct commit *c = data;

	c->packer = NULL;
	if (result < 0)
		c->err = *e;
	layer_go_on(c->load); /* @c may be gone now */
}

/* the load owns the commit; it asks for it in loaded() and frees it after */
static void drop(void *data)
{
	(void)data;
}

static void loaded(int result, char *const *ids, const struct err *e, void *data)
{
	struct commit *c = data;

	if (c->packer) { /* the engine ends: its end is told later, and to nobody */
		helper_forget(c->packer);
		c->packer = NULL;
	}
	/* the first cause: a tar that broke off, or a packer whose reader had ended */
	if (result < 0 && c->err.code && c->err.code != -EPIPE)
		e = &c->err;
	if (result >= 0)
		remember_parent(c, ids[0]);
	c->done(result, result < 0 ? NULL : ids[0], e, c->data);
	commit_free(c);
}

static int start_packer(struct commit *c, const char *upper, int out, struct err *e)
{
	struct helper_task t = HELPER_TASK_INIT;
	const struct helper_ops ops = {.done = packed, .data = c};

	t.verb = "pack";
	t.dir = upper;
	t.out = out;
	return helper_start(c->im, &t, &ops, &c->packer, e);
}

static int start_both(struct commit *c, const char *upper, struct err *e)
{
	const struct image_load_ops ops = {.done = loaded, .data = c};
	struct layer_plan plan = {
		.compose = compose, .ready = packer_ended, .drop = drop, .data = c};
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	auto_close int in = fds[0], out = fds[1];

	plan.archive = in;
	int r = start_packer(c, upper, out, e);

	if (r < 0)
		return r;
	r = layer_start(c->im, &plan, &ops, &c->load, e);
	if (r < 0)
		helper_forget(c->packer);
	return r;
}

/* only another config: nothing to wait for */
static int store_at_once(struct commit *c, struct err *e)
{
	struct report rep;
	char top[DIGEST_SIZE];
	int r = report_new(&rep) < 0 ? err_nomem(e) : add_parent_layers(c, &rep, top, e);

	if (r >= 0)
		r = add_image(c, &rep, true, e);
	if (r >= 0)
		r = images_store(c->im, &rep, e);
	if (r >= 0) {
		remember_parent(c, rep.images[0].id);
		c->done(0, rep.images[0].id, NULL, c->data);
	}
	report_done(&rep);
	return r;
}

/* ---- the start ---- */

static int prepare(struct commit *c, const struct image_commit *s, struct err *e)
{
	const struct image *parent = NULL;

	if (s->parent_id) {
		parent = map_get(c->im->by_id, s->parent_id);
		if (!parent)
			return err_not_found(e, "No such image: %s", s->parent_id);
		c->parent_id = strdup(s->parent_id);
		if (!c->parent_id)
			return err_nomem(e);
		image_hold(c->im, c->parent_id);
	}
	int r = str_empty(s->repo_tag) ? 0 : tag_name(s->repo_tag, NULL, &c->reference, e);

	return r < 0 ? r : make_config(c, s, parent ? parent->config : NULL, e);
}

int image_commit_start(struct images *im, const struct image_commit *spec,
		       void (*done)(int result, const char *image_id, const struct err *e,
				    void *data),
		       void *data, struct err *e)
{
	struct commit *c = calloc(1, sizeof(*c));
	struct err unused = {0};
	int r;

	e = e ? e : &unused;
	if (!c)
		return err_nomem(e);
	*c = (struct commit){.im = im, .done = done, .data = data};
	r = prepare(c, spec, e);
	if (r >= 0 && spec->upper) {
		r = start_both(c, spec->upper, e);
		if (r >= 0)
			return 0;
	} else if (r >= 0) {
		r = store_at_once(c, e);
	}
	commit_free(c);
	return r;
}
