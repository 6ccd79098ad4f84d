/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sizes.c - the sizes of containers, volumes and layers, counted in a job that walks their trees */

#include "api/sizes.h"

#include <fts.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/str.h"
#include "image/image.h"
#include "loop/job.h"
#include "storage/storage.h"

struct count {
	struct api_call *c;
	struct sizes sizes;
	char **dirs;
	void (*done)(struct api_call *c, const struct sizes *s);
};

static void count_free(struct count *x)
{
	strv_free(x->sizes.ids);
	strv_free(x->dirs);
	free(x->sizes.bytes);
	free(x);
}

/* A file of several names counts once. */
static bool seen_before(struct map *links, const struct stat *st)
{
	char key[48];

	if (st->st_nlink < 2 || !links)
		return false;
	(void)snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)st->st_dev,
		       (unsigned long long)st->st_ino);
	return map_put(links, key, links) == 0;
}

static int64_t tree_bytes(char *dir)
{
	char *paths[] = {dir, NULL};
	auto_(map_free) struct map *links = NULL;
	int64_t bytes = 0;
	FTSENT *f;
	FTS *tree;

	if (map_new(&links) < 0)
		links = NULL; /* then each name counts */
	tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	while (tree && (f = fts_read(tree)))
		if ((f->fts_info == FTS_F || f->fts_info == FTS_SL) &&
		    !seen_before(links, f->fts_statp))
			bytes += f->fts_statp->st_size;
	if (tree)
		(void)fts_close(tree);
	return bytes;
}

static int work(void *data)
{
	struct count *x = data;

	for (size_t i = 0; x->dirs && x->dirs[i]; i++)
		x->sizes.bytes[i] = tree_bytes(x->dirs[i]);
	return 0;
}

static void worked(int result, void *data)
{
	struct count *x = data;

	(void)result;
	if (x->c->r)
		x->done(x->c, &x->sizes);
	else /* also where the engine ends: nothing of it is looked at any more */
		api_drop(x->c);
	count_free(x);
}

void sizes_count_dirs(struct api_call *c, char **ids, char **dirs,
		      void (*done)(struct api_call *c, const struct sizes *s))
{
	struct count *x = calloc(1, sizeof(*x));
	struct err e = {0};

	if (!x) {
		strv_free(ids);
		strv_free(dirs);
	} else {
		*x = (struct count){.c = c, .sizes.ids = ids, .dirs = dirs, .done = done};
		x->sizes.bytes = calloc(strv_len(ids) + 1, sizeof(*x->sizes.bytes));
		if (x->sizes.bytes && strv_len(ids) == strv_len(dirs) &&
		    job_run(engine_jobs(c->en), work, worked, x) >= 0)
			return;
		count_free(x);
	}
	(void)err_nomem(&e);
	api_error(c, &e);
}

void sizes_count(struct api_call *c, char **ids,
		 void (*done)(struct api_call *c, const struct sizes *s))
{
	char **dirs = NULL, dir[4096];
	int r = 0;

	for (size_t i = 0; r >= 0 && ids && ids[i]; i++) {
		struct container *k;

		if (engine_find(c->en, ids[i], &k, NULL) < 0)
			r = strv_add(&dirs, "/nonexistent"); /* keeps the places */
		else
			r = strv_addf(&dirs, "%s/upper", container_dir(k, dir, sizeof(dir)));
	}
	sizes_count_dirs(c, ids, dirs, done); /* too short a list: no memory */
}

/* ---- layers: their sizes are stored; those of older stores are counted once a life ---- */

#define LAYER "layer:"

static int layers_wanted(struct api_call *c, const struct image *i, char ***ids, char ***dirs)
{
	char *const *l = image_layers(i);
	int r = 0;

	for (size_t n = 0; r >= 0 && l && l[n]; n++) {
		auto_free char *id = NULL, *dir = NULL;

		if (image_layer_size(i, n) >= 0)
			continue;
		id = str_printf(LAYER "%s", l[n]);
		if (!id || storage_layer_path(engine_storage(c->en), l[n], &dir) < 0)
			return -ENOMEM;
		if (strv_has(*ids, id))
			continue;
		r = strv_add(ids, id);
		if (r >= 0)
			r = strv_add(dirs, dir);
	}
	return r;
}

int sizes_layers_wanted(struct api_call *c, struct image *of, char ***ids, char ***dirs)
{
	struct image *i = of;
	int r = 0;

	if (of)
		return layers_wanted(c, of, ids, dirs);
	while (r >= 0 && (i = image_next(engine_images(c->en), i)))
		r = layers_wanted(c, i, ids, dirs);
	return r;
}

void sizes_layers_known(struct api_call *c, const struct sizes *s)
{
	for (size_t i = 0; s->ids && s->ids[i]; i++)
		if (str_has_prefix(s->ids[i], LAYER) && s->bytes[i]) /* 0: perhaps gone */
			image_layer_counted(engine_images(c->en), s->ids[i] + strlen(LAYER),
					    s->bytes[i]);
}

int64_t sizes_layers_sum(const struct api_call *c)
{
	auto_(map_free) struct map *seen = NULL;
	int64_t sum = 0;

	if (map_new(&seen) < 0)
		return 0;
	for (struct image *i = NULL; (i = image_next(engine_images(c->en), i));)
		for (size_t n = 0; n < strv_len(image_layers(i)); n++)
			if (map_put(seen, image_layers(i)[n], i) > 0)
				sum += MAX(image_layer_size(i, n), 0);
	return sum;
}

int64_t sizes_shared(const struct api_call *c, const struct image *i)
{
	int64_t sum = 0;

	for (size_t n = 0; n < strv_len(image_layers(i)); n++) {
		bool shared = false;

		for (struct image *o = NULL; !shared && (o = image_next(engine_images(c->en), o));)
			shared = o != i && strv_has(image_layers(o), image_layers(i)[n]);
		sum += shared ? MAX(image_layer_size(i, n), 0) : 0;
	}
	return sum;
}

int64_t sizes_image(const struct container *k, const struct api_call *c)
{
	struct image *i;

	return image_find(engine_images(c->en), container_image_id(k), &i, NULL) < 0
		       ? 0
		       : image_size(i);
}

void sizes_json(struct jsonw *w, const struct container *k, int64_t bytes, const struct api_call *c)
{
	jsonw_i64(w, "SizeRw", bytes);
	jsonw_i64(w, "SizeRootFs", bytes + sizes_image(k, c));
}
