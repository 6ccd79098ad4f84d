/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remove.c - DELETE /images/{ref}: untag, and delete when no name is left
 *
 * By a name: the name goes; with the last one the image does too, unless a container uses it. By
 * an id: it and all its names, if there is at most one or force. A running container's image is
 * never deleted; of a stopped one's only by force, and its layers stay as long as the container.
 * Source: the words and decisions of moby's daemon/images/image_delete.go.
 */

#include <string.h>

#include "base/str.h"
#include "image/internal.h"
#include "image/ref.h"

typedef int (*used_fn)(const char *image_id, char short_id[13], void *data);

struct removal {
	struct images *im;
	struct image *i;
	const char *ref;
	bool force, prune;
	int used; /* 1 by a stopped container, 2 by a running one */
	char container[13], id[13];
	json_t *out;
	used_fn used_by;
	void *data; /* of @used_by */
};

static int tell(const struct removal *rm, const char *key, const char *value, struct err *e)
{
	return json_array_append_new(rm->out, json_pack("{s:s}", key, value)) < 0 ? err_nomem(e)
										  : 0;
}

static int conflict(const struct removal *rm, const char *how, const char *what,
		    const char *container, struct err *e)
{
	return err_conflict(e, "conflict: unable to delete %s (%s) - image is %s%s", rm->id, how,
			    what, container);
}

static bool several_names(const struct removal *rm)
{
	return strv_len(rm->i->tags) > 1;
}

static int check_id(const struct removal *rm, struct err *e)
{
	if (image_has_children(rm->im, rm->i))
		return err_conflict(e,
				    "conflict: unable to delete %s (cannot be forced) - image has "
				    "dependent child images",
				    rm->id);
	if (rm->used == 2)
		return conflict(rm, "cannot be forced", "being used by running container ",
				rm->container, e);
	if (rm->force)
		return 0;
	if (several_names(rm))
		return conflict(rm, "must be forced", "referenced in multiple repositories", "", e);
	if (rm->used)
		return conflict(rm, "must be forced", "being used by stopped container ",
				rm->container, e);
	return 0;
}

static int untag(const struct removal *rm, const char *name, struct err *e)
{
	auto_free char *copy = strdup(name); /* @name goes */
	int r = copy ? tag_drop(rm->im, copy, e) : err_nomem(e);

	return r < 0 ? r : tell(rm, "Untagged", copy, e);
}

static int drop_digest(const struct removal *rm, const char *name, struct err *e)
{
	auto_free char *copy = strdup(name); /* likewise */
	int r = copy ? digest_drop(rm->im, copy, e) : err_nomem(e);

	return r < 0 ? r : tell(rm, "Untagged", copy, e);
}

static bool has_repository(char *const *tags, const char *digest)
{
	for (; tags && *tags; tags++)
		if (digest_of_repository(digest, *tags))
			return true;
	return false;
}

/* A repository's digests go with its last tag. */
static int drop_lonely(const struct removal *rm, const char *tag, struct err *e)
{
	int r = 0;

	for (size_t n = 0; r >= 0 && rm->i->digests && rm->i->digests[n];) {
		const char *d = rm->i->digests[n];

		if (digest_of_repository(d, tag) && !has_repository(rm->i->tags, d))
			r = drop_digest(rm, d, e);
		else
			n++;
	}
	return r;
}

static int delete_one(const struct removal *rm, struct err *e)
{
	auto_strv char **layers = NULL;
	char id[DIGEST_SIZE];
	int r = 0;

	(void)snprintf(id, sizeof(id), "%s", rm->i->id);
	while (r >= 0 && rm->i->tags)
		r = untag(rm, rm->i->tags[0], e);
	while (r >= 0 && rm->i->digests)
		r = drop_digest(rm, rm->i->digests[0], e);
	if (r >= 0)
		r = image_delete(rm->im, rm->i, &layers, e);
	if (r >= 0)
		r = tell(rm, "Deleted", id, e);
	for (char **l = layers; r >= 0 && l && *l; l++)
		r = tell(rm, "Deleted", *l, e);
	return r;
}

/* What it was made from goes too, as long as that has no name, no other child and no container. */
static int delete_it(struct removal *rm, struct err *e)
{
	for (;;) {
		const char *up = image_parent(rm->im, rm->i);
		auto_free char *parent = up ? strdup(up) : NULL;
		int r = delete_one(rm, e);

		if (r < 0 || !parent || !rm->prune)
			return r;
		rm->i = map_get(rm->im->by_id, parent);
		/* one that says no parent was not made here: the user's own */
		if (!rm->i || rm->i->tags || rm->i->digests || !rm->i->parent ||
		    image_has_children(rm->im, rm->i) ||
		    (rm->used_by && rm->used_by(parent, rm->container, rm->data)))
			return 0;
	}
}

/* The name of this image that @ref is, NULL if it is an id. */
static const char *as_name(const struct removal *rm, char **buf)
{
	if (digest_ok(rm->ref) || tag_name(rm->ref, NULL, buf, NULL) < 0)
		return NULL;
	return map_get(rm->im->by_tag, *buf) == rm->i ? *buf : NULL;
}

/* likewise "busybox@sha256:.." */
static const char *as_digest(const struct removal *rm, char **buf)
{
	struct image_ref r = {0};

	if (digest_ok(rm->ref) || image_ref_parse(rm->ref, &r, NULL) < 0)
		return NULL;
	if (r.digest) {
		struct image_ref by = {.domain = r.domain, .path = r.path, .digest = r.digest};

		*buf = image_ref_familiar(&by);
	}
	image_ref_done(&r);
	return *buf && map_get(rm->im->by_digest, *buf) == rm->i ? *buf : NULL;
}

static int remove_name(struct removal *rm, const char *name, bool digest, struct err *e)
{
	auto_free char *tag = strdup(name);
	int r;

	if (!tag)
		return err_nomem(e);
	if (rm->used && !rm->force && !digest && !several_names(rm))
		return err_conflict(e,
				    "conflict: unable to remove repository reference \"%s\" (must "
				    "force) - container %s is using its referenced image %s",
				    rm->ref, rm->container, rm->id);
	r = digest ? drop_digest(rm, name, e) : untag(rm, name, e);
	if (r >= 0 && !digest)
		r = drop_lonely(rm, tag, e);
	/* a running container keeps it, nameless, and so does what was made from it */
	if (r < 0 || rm->i->tags || rm->i->digests || rm->used == 2 ||
	    image_has_children(rm->im, rm->i))
		return r;
	return delete_it(rm, e);
}

int image_remove(struct images *im, const char *ref, unsigned flags, used_fn used, void *data,
		 json_t *out, struct err *e)
{
	struct removal rm = {.im = im,
			     .ref = ref,
			     .force = flags & IMAGE_FORCE,
			     .prune = !(flags & IMAGE_NO_PRUNE),
			     .out = out,
			     .used_by = used,
			     .data = data};
	auto_free char *buf = NULL, *other = NULL;
	const char *name;
	int r;

	images_sweep_hidden(im);
	r = image_find(im, ref, &rm.i, e);
	if (r < 0)
		return r;
	if (rm.i->hidden) /* a container's; for everybody else it is gone */
		return err_not_found(e, "No such image: %s", ref);
	(void)snprintf(rm.id, sizeof(rm.id), "%.12s", rm.i->id + strlen("sha256:"));
	rm.used = used ? used(rm.i->id, rm.container, data) : 0;
	name = as_name(&rm, &buf);
	if (name)
		return remove_name(&rm, name, false, e);
	name = as_digest(&rm, &other);
	if (name)
		return remove_name(&rm, name, true, e);
	r = check_id(&rm, e);
	return r < 0 ? r : delete_it(&rm, e);
}
