/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rootfs.c - a container's root: mounted, its volumes filled, unmounted when nobody needs it
 *
 * It is mounted while the container runs or starts, and for the time of a copy in or out of one
 * that does not. Never twice at once: overlayfs does not allow two mounts of one upper directory.
 */

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/internal.h"

int rootfs_mount(struct container *c, struct err *e)
{
	struct image *image;
	int r = image_find(c->en->images, c->image_id, &image, e);

	return r < 0 ? r
		     : storage_mount(c->en->storage, c->id, image_layers(image),
				     remap_on(c->en->config) && !remapped(c), e);
}

int rootfs_unmount(struct container *c)
{
	return c->root_users ? 0 : storage_unmount(c->en->storage, c->id, NULL);
}

void rootfs_take(struct container *c)
{
	c->root_users++;
}

void rootfs_give(struct engine *en, const char *id)
{
	struct container *c = map_get(en->by_id, id);

	if (!c || !c->root_users || --c->root_users)
		return;
	if (!container_running(c) && !c->starting && !c->cleaning && rootfs_unmount(c) < 0)
		log_debug("the root file system stays mounted until removal container=%s", c->id);
}

/* ---- volumes ---- */

struct fill {
	struct container *c;
	size_t next; /* of its mounts */
	engine_cb cb;
	void *data;
};

static void filled(int result, void *data);

/* Starts the next copy. Return: 1 it runs, 0 there is none, -errno */
static int fill_next(struct fill *f)
{
	struct container *c = f->c;
	char dir[4096];
	auto_free char *root = str_printf("%s/merged", container_dir(c, dir, sizeof(dir)));

	if (!root)
		return -ENOMEM;
	while (f->next < json_array_size(c->mounts)) {
		json_t *m = json_array_get(c->mounts, f->next++);
		int r;

		if (!jb(m, "_copy") || !streq(js(m, "Type"), "volume"))
			continue;
		r = storage_volume_copy_up(c->en->storage, js(m, "Name"), root,
					   js(m, "Destination"), filled, f);
		return r < 0 ? r : 1;
	}
	return 0;
}

static void filled(int result, void *data)
{
	struct fill *f = data;
	struct fill all = *f;
	struct err e = {0};

	if (result >= 0)
		result = fill_next(f);
	if (result > 0)
		return;
	free(f);
	if (result < 0)
		(void)err_sys(&e, -result, "cannot fill a volume of container %s from its image",
			      all.c->name);
	all.cb(result, result < 0 ? &e : NULL, all.data);
}

void rootfs_fill_volumes(struct container *c, engine_cb cb, void *data)
{
	struct fill *f = calloc(1, sizeof(*f));
	struct err e = {0};

	if (!f) {
		cb(err_nomem(&e), &e, data);
		return;
	}
	*f = (struct fill){.c = c, .cb = cb, .data = data};
	filled(0, f);
}
