/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unpack.c - an archive's files into a directory of their own, by atoll-helper */

#include "base/str.h"
#include "image/internal.h"
#include "image/task.h"
#include "storage/storage.h"

struct image_unpack {
	struct images *im;
	struct image_unpack_ops ops;
	struct helper_child *child;
	char *dir; /* layers/tmp-*: swept at the next start, should we die */
	bool plain;
};

static void unpack_free(struct image_unpack *u)
{
	free(u->dir);
	free(u);
}

static int on_line(const json_t *line, void *data, struct err *e)
{
	struct image_unpack *u = data;

	if (!json_is_true(json_object_get(line, "plain")))
		return err_invalid(e, "the helper's report has an unknown line");
	u->plain = true;
	return 0;
}

static void on_writable(void *data)
{
	struct image_unpack *u = data;

	if (u->ops.writable)
		u->ops.writable(u->ops.data);
}

static void on_done(int result, const struct err *e, void *data)
{
	struct image_unpack *u = data;
	bool keep = result >= 0 && !u->plain;

	if (!keep)
		storage_trash(u->im->storage, u->dir);
	u->ops.done(result, keep ? u->dir : NULL, e, u->ops.data);
	unpack_free(u);
}

int image_unpack_start(struct images *im, int file, const struct image_unpack_ops *ops,
		       struct image_unpack **ret, struct err *e)
{
	struct helper_task task = HELPER_TASK_INIT;
	struct image_unpack *u = calloc(1, sizeof(*u));
	int r = u ? storage_layer_tmp(im->storage, &u->dir, e) : err_nomem(e);

	if (r < 0) {
		free(u);
		return r;
	}
	u->im = im;
	u->ops = *ops;
	const struct helper_ops own = {
		.line = on_line, .writable = on_writable, .done = on_done, .data = u};

	task.verb = "tree";
	task.dir = u->dir;
	task.in = file < 0;
	task.file = file;
	r = helper_start(im, &task, &own, &u->child, e);
	if (r < 0) {
		storage_trash(im->storage, u->dir);
		unpack_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

ssize_t image_unpack_write(struct image_unpack *u, const char *data, size_t len)
{
	return helper_write(u->child, data, len);
}

void image_unpack_eof(struct image_unpack *u)
{
	helper_eof(u->child);
}

void image_unpack_abort(struct image_unpack *u)
{
	helper_abort(u->child);
}
