/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commit.c - a step's image: found by its key, or made
 *
 * A step is known by its parent and the hash of its key (runconfig.h). Once a stage has missed it
 * looks no further, as in Docker: what follows was made from another image.
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "build/internal.h"

static int key_hash(const json_t *key, char out[65])
{
	auto_free char *text = json_dumps(key, JSON_SORT_KEYS | JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	sha256_hex(text, strlen(text), out);
	return 0;
}

bool cache_probe(struct build *b)
{
	struct image *i = NULL;
	char hash[65];

	if (b->o.no_cache || b->missed)
		return false;
	if (key_hash(b->key, hash) >= 0)
		i = image_step_find(engine_images(b->bd->en), b->image, hash);
	if (!i) {
		b->missed = true;
		return false;
	}
	flow_printf(b, " ---> Using cache\n");
	(void)snprintf(b->image, sizeof(b->image), "%s", image_id(i));
	flow_step_done(b);
	return true;
}

/* the row of the image is there: without this one it is only never found again */
static void remember(struct build *b, const char *id)
{
	struct images *im = engine_images(b->bd->en);
	struct image *i;
	struct err e = {0};
	char hash[65];
	int r = key_hash(b->key, hash) < 0 ? err_nomem(&e) : image_find(im, id, &i, &e);

	if (r >= 0)
		r = image_step_set(im, i, b->image, hash, &e);
	if (r < 0)
		log_warn("a step of a build will not be found again image=%s error=%s", id, e.msg);
}

static void committed(int result, const char *id, const struct err *e, void *data)
{
	struct build *b = data;
	void (*then)(struct build * b) = b->then;

	b->then = NULL;
	if (b->bd && result >= 0)
		remember(b, id);
	if (flow_back(b))
		return;
	if (result < 0) {
		flow_fail(b, e);
		return;
	}
	(void)snprintf(b->image, sizeof(b->image), "%s", id);
	then(b);
}

void commit_step(struct build *b, const char *upper, void (*then)(struct build *b))
{
	auto_free char *by = runconfig_created_by(b->key);
	struct image_commit spec = {
		.parent_id = *b->image ? b->image : NULL,
		.upper = upper,
		.config = b->config,
		.author = b->maintainer,
		.created_by = by,
		.container_id = *b->container ? b->container : NULL,
	};
	struct err e = {0};

	if (!by) {
		(void)err_nomem(&e);
		flow_fail(b, &e);
		return;
	}
	b->then = then;
	b->awaiting = true;
	if (image_commit_start(engine_images(b->bd->en), &spec, committed, b, &e) < 0) {
		b->awaiting = false;
		flow_fail(b, &e);
	}
}
