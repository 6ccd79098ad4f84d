/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sizes.c - the sizes of containers, counted in a job by walking their upper directories */

#include "api/sizes.h"

#include <fts.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/str.h"
#include "image/image.h"
#include "loop/job.h"

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

static int collect_dirs(struct count *x)
{
	char dir[4096];
	int r = 0;

	for (size_t i = 0; r >= 0 && x->sizes.ids && x->sizes.ids[i]; i++) {
		struct container *k;

		if (engine_find(x->c->en, x->sizes.ids[i], &k, NULL) < 0)
			r = strv_add(&x->dirs, "/nonexistent"); /* keeps the places */
		else
			r = strv_addf(&x->dirs, "%s/upper", container_dir(k, dir, sizeof(dir)));
	}
	return r;
}

void sizes_count(struct api_call *c, char **ids,
		 void (*done)(struct api_call *c, const struct sizes *s))
{
	struct count *x = calloc(1, sizeof(*x));
	struct err e = {0};

	if (!x) {
		strv_free(ids);
	} else {
		*x = (struct count){.c = c, .sizes.ids = ids, .done = done};
		x->sizes.bytes = calloc(strv_len(ids) + 1, sizeof(*x->sizes.bytes));
		if (x->sizes.bytes && collect_dirs(x) >= 0 &&
		    job_run(engine_jobs(c->en), work, worked, x) >= 0)
			return;
		count_free(x);
	}
	(void)err_nomem(&e);
	api_error(c, &e);
}

void sizes_json(struct jsonw *w, const struct container *k, int64_t bytes, const struct api_call *c)
{
	struct image *i;
	int64_t image = 0;

	if (image_find(engine_images(c->en), container_image_id(k), &i, NULL) >= 0)
		image = image_size(i);
	jsonw_i64(w, "SizeRw", bytes);
	jsonw_i64(w, "SizeRootFs", bytes + image);
}
