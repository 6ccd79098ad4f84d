/* SPDX-License-Identifier: GPL-2.0-or-later */
/* work.c - roots for COPY, ADD and WORKDIR: an image's layers with a directory of their own on top
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/str.h"
#include "build/internal.h"
#include "storage/storage.h"

static char *work_path(struct build *b, const struct work *w, const char *what)
{
	char dir[4096];

	return str_printf(
		"%s/%s",
		storage_container_dir(engine_storage(b->bd->en), w->name, dir, sizeof(dir)), what);
}

static int open_root(struct build *b, struct work *w, const char *what, struct err *e)
{
	auto_free char *path = work_path(b, w, what);

	if (!path)
		return err_nomem(e);
	w->root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return w->root < 0 ? err_sys(e, errno, "cannot open %s", path) : 0;
}

/* FROM scratch: nothing lies below, so the upper directory itself is the root */
static int make_bare(struct build *b, struct work *w, struct err *e)
{
	auto_free char *path = work_path(b, w, "upper");

	if (!path)
		return err_nomem(e);
	if (mkdir(path, 0755) < 0 || chmod(path, 0755) < 0)
		return err_sys(e, errno, "cannot make %s", path);
	return open_root(b, w, "upper", e);
}

int work_open(struct build *b, struct work *w, char which, const char *image, struct err *e)
{
	struct storage *st = engine_storage(b->bd->en);
	struct image *i = NULL;
	int r = *image ? image_find(engine_images(b->bd->en), image, &i, e) : 0;

	if (r < 0)
		return r;
	(void)snprintf(w->name, sizeof(w->name), WORK_NAME, b->id, which);
	r = storage_container_add(st, w->name, e);
	if (r < 0)
		return r;
	if (!i || !strv_len(image_layers(i)))
		return make_bare(b, w, e);
	/* with the ids of the image, whatever containers see */
	r = storage_mount(st, w->name, image_layers(i), true, e);
	return r < 0 ? r : open_root(b, w, "merged", e);
}

int work_seal(struct build *b, struct work *w, char **ret_upper, struct err *e)
{
	int r;

	w->root = fd_close(w->root);
	r = storage_unmount(engine_storage(b->bd->en), w->name, e);
	if (r < 0)
		return r;
	*ret_upper = work_path(b, w, "upper");
	return *ret_upper ? 0 : err_nomem(e);
}

void work_close(struct build *b, struct work *w)
{
	w->root = fd_close(w->root);
	if (*w->name && b->bd)
		storage_container_remove(engine_storage(b->bd->en), w->name);
	w->name[0] = '\0';
}
