/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tag.c - names of images: familiar in memory ("busybox:latest"), canonical in the store */

#include <string.h>

#include "base/str.h"
#include "image/internal.h"
#include "image/ref.h"
#include "state/tables.h"

char *tag_canonical(const char *familiar)
{
	struct image_ref ref = {0};
	char *text = NULL;

	if (image_ref_parse(familiar, &ref, NULL) >= 0)
		text = image_ref_canonical(&ref);
	image_ref_done(&ref);
	return text;
}

void tag_unlink(struct images *im, const char *name)
{
	struct image *i = map_get(im->by_tag, name);
	char **to;

	if (!i)
		return;
	to = i->tags;
	for (char **t = i->tags; *t; t++)
		if (streq(*t, name))
			free(*t);
		else
			*to++ = *t;
	*to = NULL;
	if (to == i->tags) {
		free(i->tags);
		i->tags = NULL;
	}
	(void)map_del(im->by_tag, name);
}

int tag_link(struct images *im, struct image *i, const char *name)
{
	if (map_get(im->by_tag, name) == i)
		return 0;
	tag_unlink(im, name);
	if (strv_add(&i->tags, name) < 0)
		return -ENOMEM;
	if (map_put(im->by_tag, name, i) < 0) {
		size_t n = strv_len(i->tags);

		free(i->tags[n - 1]);
		i->tags[n - 1] = NULL;
		return -ENOMEM;
	}
	return 0;
}

int tag_drop(struct images *im, const char *name, struct err *e)
{
	auto_free char *canonical = tag_canonical(name);
	int r = canonical ? tag_del(im->db, canonical, e) : err_nomem(e);

	if (r >= 0)
		tag_unlink(im, name);
	return r;
}

static int take_tag(struct image_ref *ref, const char *tag, struct err *e)
{
	if (ref->digest)
		return err_invalid(e, "refusing to create a tag with a digest reference");
	if (str_empty(tag))
		return 0;
	if (!image_tag_ok(tag))
		return err_invalid(e, "invalid tag format");
	return str_set(&ref->tag, tag) < 0 ? err_nomem(e) : 0;
}

int tag_name(const char *repo, const char *tag, char **ret, struct err *e)
{
	struct image_ref ref = {0};
	char *name = NULL;
	int r = image_ref_parse(repo, &ref, e);

	if (r >= 0)
		r = take_tag(&ref, tag, e);
	if (r >= 0) {
		name = image_ref_familiar(&ref);
		r = name ? 0 : err_nomem(e);
	}
	image_ref_done(&ref);
	if (r >= 0)
		*ret = name;
	return r;
}

int image_name_check(const char *name, struct err *e)
{
	auto_free char *familiar = NULL;

	return tag_name(name, NULL, &familiar, e);
}

int image_tag(struct images *im, struct image *i, const char *repo, const char *tag, struct err *e)
{
	auto_free char *name = NULL, *canonical = NULL;
	int r = tag_name(repo, tag, &name, e);

	if (r >= 0 && i->hidden)
		r = image_unhide(im, i, e);
	if (r < 0)
		return r;
	canonical = tag_canonical(name);
	r = canonical ? tag_put(im->db, canonical, i->id, e) : err_nomem(e);
	if (r < 0)
		return r;
	return tag_link(im, i, name) < 0 ? err_nomem(e) : 0;
}
