/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.c - load and import: the archive goes to atoll-helper, its report comes back
 *
 * The helper (image/child.h) gets the bytes on fd 0 (a socket, or the archive itself) and an empty
 * directory (layers/tmp-*), and reports by lines (image/helper.h, image/report.h).
 *
 * A load lives until its child has been reaped. Before that bytes are taken as long as the helper
 * reads them and lines are checked as they come; the first bad one, or an abort, kills the helper.
 * After it, in one turn of the loop: layers move to their places, the rows commit, the rest of the
 * directory is trashed, the end is told. So nothing is stored unless the helper ended well, and no
 * other operation comes between.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "image/child.h"
#include "image/internal.h"
#include "storage/storage.h"

#define LOADS_MAX 32 /* side by side; each is a process and its disk */
#define WHAT	  "the process that reads the archive"

struct image_load {
	struct list node;
	struct images *im;
	struct image_load_ops ops;
	char *dir; /* the helper's */
	struct child *child;
	struct report rep;
	struct err err;		/* why the helper did not end well, while the end is held */
	struct layer_plan plan; /* compose NULL: a load */
	bool aborted, held;
};

static void load_free(struct image_load *l)
{
	list_remove(&l->node);
	child_free(l->child);
	if (l->dir)
		storage_trash(l->im->storage, l->dir);
	report_done(&l->rep);
	if (l->plan.drop)
		l->plan.drop(l->plan.data);
	free(l->dir);
	free(l);
}

static int on_line(const char *line, size_t len, void *data, struct err *e)
{
	struct image_load *l = data;

	return report_line(&l->rep, line, len, e);
}

/* ---- the end ---- */

/* A layer's directory is the helper's work too: only a real one becomes a layer. */
static int commit_layer(struct image_load *l, const char *chain, struct err *e)
{
	const struct report_layer *layer = map_get(l->rep.layers, chain);
	auto_free char *path = str_printf("%s/%s", l->dir, layer->dir);
	struct stat st;

	if (!path)
		return err_nomem(e);
	if (!*layer->dir) /* was here before: the parent's of a commit */
		return 0;
	if (lstat(path, &st) < 0) /* another image of this load may have placed it */
		return storage_layer_exists(l->im->storage, chain)
			       ? 0
			       : err_sys(e, errno, "layer %s", chain);
	if (!S_ISDIR(st.st_mode))
		return err_invalid(e, "layer %s is not a directory", chain);
	return storage_layer_commit(l->im->storage, path, chain, e);
}

static int store(struct image_load *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->rep.n_images; i++)
		for (char **c = l->rep.images[i].layers; r >= 0 && c && *c; c++)
			r = commit_layer(l, *c, e);
	if (r >= 0)
		r = images_store(l->im, &l->rep, e);
	for (size_t i = 0; r < 0 && i < l->rep.n_images; i++)
		(void)layers_collect(l->im, l->rep.images[i].layers, NULL);
	return r;
}

static int check_end(const struct image_load *l, struct err *e)
{
	const struct err *why = l->rep.error.code ? &l->rep.error : &l->err;

	if (l->aborted)
		return err_set(e, ERR_INTERNAL, ECANCELED, "the client is gone");
	if (why->code)
		return err_set(e, why->kind, -why->code, "%s", why->msg);
	if (!l->rep.ended)
		return err_set(e, ERR_INTERNAL, EIO, WHAT " ended early (exit code 0)");
	return 0;
}

struct outcome {
	char **ids, **told;
};

/* before the names move: what they leave is told too */
static int tell_image(struct image_load *l, const struct report_image *n, struct outcome *out)
{
	int r = strv_add(&out->ids, n->id);

	if (r >= 0 && !n->tags)
		r = strv_addf(&out->told, "Loaded image ID: %s", n->id);
	for (char **t = n->tags; r >= 0 && t && *t; t++) {
		const struct image *old = map_get(l->im->by_tag, *t);

		if (old && !streq(old->id, n->id))
			r = strv_addf(&out->told,
				      "The image %s already exists, renaming the old one with ID "
				      "%s to empty string",
				      *t, old->id);
		if (r >= 0)
			r = strv_addf(&out->told, "Loaded image: %s", *t);
	}
	return r;
}

static int settle(struct image_load *l, struct outcome *out, struct err *e)
{
	int r = check_end(l, e);

	if (r >= 0 && l->plan.compose && (map_len(l->rep.layers) != 1 || l->rep.n_images))
		r = err_invalid(e, "the archive is not one root file system");
	if (r >= 0 && l->plan.compose)
		r = l->plan.compose(&l->rep, l->plan.data, e);
	if (r >= 0 && !l->rep.n_images)
		r = err_invalid(e, "the archive has no image");
	for (size_t i = 0; r >= 0 && i < l->rep.n_images; i++)
		if (tell_image(l, &l->rep.images[i], out) < 0)
			r = err_nomem(e);
	return r < 0 ? r : store(l, e);
}

static void finish(struct image_load *l)
{
	struct image_load_ops ops = l->ops;
	struct outcome out = {0};
	struct err e = {0};
	int r;

	r = settle(l, &out, &e);
	load_free(l);
	for (char **t = out.told; r >= 0 && ops.progress && t && *t; t++)
		ops.progress(*t, ops.data);
	ops.done(MIN(r, 0), r < 0 ? NULL : out.ids, r < 0 ? &e : NULL, ops.data);
	strv_free(out.ids);
	strv_free(out.told);
}

static void on_ended(const struct err *e, void *data)
{
	struct image_load *l = data;

	if (e)
		l->err = *e;
	if (l->plan.ready && !l->plan.ready(l->plan.data))
		l->held = true;
	else
		finish(l);
}

void layer_go_on(struct image_load *l)
{
	if (l->held)
		finish(l);
}

void loads_drop(struct images *im)
{
	while (!list_empty(&im->loads)) {
		struct image_load *l = list_entry(im->loads.next, struct image_load, node);

		l->aborted = true;
		child_free(l->child); /* before its directory goes */
		l->child = NULL;
		finish(l);
	}
}

/* ---- the archive's bytes ---- */

static void on_writable(void *data)
{
	struct image_load *l = data;

	if (l->ops.writable)
		l->ops.writable(l->ops.data);
}

ssize_t image_load_write(struct image_load *l, const char *data, size_t len)
{
	return child_write(l->child, data, len);
}

void image_load_eof(struct image_load *l)
{
	child_eof(l->child);
}

void image_load_abort(struct image_load *l)
{
	l->aborted = true;
	child_abort(l->child);
}

/* ---- the start ---- */

static int begin(struct image_load *l, int archive, struct err *e)
{
	const struct child_ops ops = {
		.line = on_line, .writable = on_writable, .ended = on_ended, .data = l};
	struct child_spec s = CHILD_SPEC_INIT;
	int r = storage_layer_tmp(l->im->storage, &l->dir, e);
	const char *const argv[] = {l->im->helper, l->plan.compose ? "import" : "load", l->dir,
				    NULL};

	s.argv = argv;
	s.what = WHAT;
	s.in = archive;
	s.write = archive < 0;
	return r < 0 ? r : child_start(l->im, &s, &ops, &l->child, e);
}

static int load_new(struct images *im, const struct image_load_ops *ops, struct image_load **ret,
		    struct err *e)
{
	struct image_load *l;

	if (im->stopped)
		return err_set(e, ERR_UNAVAILABLE, ESHUTDOWN, "the engine ends");
	if (list_len(&im->loads) >= LOADS_MAX)
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%d images are being loaded already",
			       LOADS_MAX);
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_nomem(e);
	*l = (struct image_load){.im = im, .ops = *ops};
	list_append(&im->loads, &l->node);
	if (report_new(&l->rep) < 0) {
		load_free(l);
		return err_nomem(e);
	}
	*ret = l;
	return 0;
}

int load_start(struct images *im, int archive, const struct image_load_ops *ops,
	       struct image_load **ret, struct err *e)
{
	struct image_load *l;
	int r = load_new(im, ops, &l, e);

	if (r < 0)
		return r;
	r = begin(l, archive, e);
	if (r < 0)
		load_free(l);
	else
		*ret = l;
	return r;
}

int image_load_start(struct images *im, const struct image_load_ops *ops, struct image_load **ret,
		     struct err *e)
{
	return load_start(im, -1, ops, ret, e);
}

int layer_start(struct images *im, const struct layer_plan *p, const struct image_load_ops *ops,
		struct image_load **ret, struct err *e)
{
	struct image_load *l;
	int r = load_new(im, ops, &l, e);

	if (r < 0) {
		p->drop(p->data);
		return r;
	}
	l->plan = *p;
	r = begin(l, p->archive, e);
	if (r < 0)
		load_free(l);
	else
		*ret = l;
	return r;
}
