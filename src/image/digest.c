/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * digest.c - what registries call an image, "busybox@sha256:..": RepoDigests
 *
 * The digest is that of the manifest (or of the index) a name led to when the image was pulled or
 * pushed. Kept among the tags' rows: a tag has no '@'.
 */
#include <string.h>

#include "base/str.h"
#include "image/internal.h"
#include "state/tables.h"

void digest_unlink(struct images *im, const char *name)
{
	struct image *i = map_del(im->by_digest, name);
	char **to, *gone = NULL;

	if (!i)
		return;
	to = i->digests;
	for (char **d = i->digests; *d; d++)
		if (streq(*d, name))
			gone = *d;
		else
			*to++ = *d;
	*to = NULL;
	free(gone); /* @name may be it */
	if (to == i->digests) {
		free(i->digests);
		i->digests = NULL;
	}
}

int digest_link(struct images *im, struct image *i, const char *name)
{
	if (map_get(im->by_digest, name) == i)
		return 0;
	digest_unlink(im, name);
	if (strv_add(&i->digests, name) < 0)
		return -ENOMEM;
	if (map_put(im->by_digest, name, i) < 0) {
		size_t n = strv_len(i->digests);

		free(i->digests[n - 1]);
		i->digests[n - 1] = NULL;
		return -ENOMEM;
	}
	return 0;
}

int digest_drop(struct images *im, const char *name, struct err *e)
{
	auto_free char *canonical = tag_canonical(name);
	int r = canonical ? tag_del(im->db, canonical, e) : err_nomem(e);

	if (r >= 0)
		digest_unlink(im, name);
	return r;
}

bool digest_of_repository(const char *digest, const char *tag)
{
	const char *at = strchr(digest, '@'), *colon = strrchr(tag, ':');
	size_t n = at ? (size_t)(at - digest) : 0;

	return n && colon && (size_t)(colon - tag) == n && !strncmp(digest, tag, n);
}

int64_t layer_size(const struct images *im, const char *chain)
{
	const struct image *i;

	list_for_each (i, &im->all, node)
		for (size_t n = 0; i->layers && i->layers[n]; n++)
			if (streq(i->layers[n], chain) && image_layer_size(i, n) >= 0)
				return image_layer_size(i, n);
	return -1;
}
