/* SPDX-License-Identifier: GPL-2.0-or-later */
/* step.c - the steps of builds: parents and children, the cache by key */

#include <string.h>

#include "base/str.h"
#include "image/internal.h"
#include "state/tables.h"

const char *image_parent(struct images *im, const struct image *i)
{
	const struct image *parent = i->parent ? map_get(im->by_id, i->parent) : NULL;

	return parent && !parent->hidden ? parent->id : NULL;
}

int image_step_set(struct images *im, struct image *i, const char *parent, const char *key,
		   struct err *e)
{
	char *p = strdup(parent), *k = strdup(key);
	int r = p && k ? image_step_put(im->db, &(struct image_step_row){i->id, parent, key}, e)
		       : err_nomem(e);

	if (r < 0) {
		free(p);
		free(k);
		return r;
	}
	free(i->parent);
	free(i->step_key);
	i->parent = p;
	i->step_key = k;
	return 0;
}

/* the list is newest first */
struct image *image_step_find(struct images *im, const char *parent, const char *key)
{
	struct image *i;

	list_for_each (i, &im->all, node)
		if (!i->hidden && streq(i->step_key, key) && streq(i->parent, parent))
			return i;
	return NULL;
}

bool image_has_children(struct images *im, const struct image *i)
{
	struct image *at;

	list_for_each (at, &im->all, node)
		if (!at->hidden && streq(at->parent, i->id))
			return true;
	return false;
}

bool image_intermediate(struct images *im, const struct image *i)
{
	return !i->tags && !i->digests && image_has_children(im, i);
}

static int load_step(const struct image_step_row *row, void *data)
{
	struct images *im = data;
	struct image *i = map_get(im->by_id, row->image_id);

	if (!i)
		return 0;
	return str_set(&i->parent, row->parent_id) < 0 || str_set(&i->step_key, row->key) < 0
		       ? -ENOMEM
		       : 0;
}

int steps_load(struct images *im, struct err *e)
{
	int r = image_step_each(im->db, load_step, im, e);

	return r == -ENOMEM ? err_nomem(e) : r;
}
