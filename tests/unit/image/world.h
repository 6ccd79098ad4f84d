/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - a test of image/ with the real helper: namespaces of its own, a data root, archives
 *
 * world_enter() moves the test into new process, network and mount namespaces with a directory that
 * a process outside removes at the end, however the test ends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "image/image.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "state/db.h"
#include "storage/storage.h"

struct world {
	char *dir; /* what the test may fill; dir/data is the data root */
	struct loop *loop;
	struct job_pool *jobs;
	struct db *db;
	struct storage *storage;
	struct images *images;
	struct images_config config;
};

const char *world_enter(struct world *w); /* NULL, or why it cannot be */
void world_open(struct world *w);	  /* aborts where it cannot */
void world_close(struct world *w);
void world_settle(struct world *w); /* until all jobs are done */
/* entries of a folder below the data root */
unsigned world_count(struct world *w, const char *folder);
/* Return: malloc'ed path of the layer's file */
char *world_layer_file(struct world *w, const char *chain, const char *name);

/* ---- archives ---- */

struct item {
	const char *name;
	char type;	  /* f, d, s symbolic link, h hard link, c, b, p */
	const char *data; /* text, or the link's target */
	unsigned mode;	  /* 0: 0644, 0755 */
	size_t len;	  /* of @data, 0: its text's */
	unsigned uid, major, minor;
	int64_t mtime;
};
/* @how: "tar", "gzip", "zstd", "xz", "bzip2"; appended to @out */
void tar_make(struct buf *out, const struct item *v, size_t n, const char *how);
#define TAR(out, how, ...)                                                                         \
	tar_make((out), (const struct item[]){__VA_ARGS__},                                        \
		 sizeof((const struct item[]){__VA_ARGS__}) / sizeof(struct item), (how))

struct spec { /* an image of layers, each an uncompressed tar */
	const struct buf *layers;
	size_t n;
	const char *tag;    /* NULL none */
	const char *how;    /* the layers' compression */
	const char *config; /* NULL: a fitting one */
	const char *extra;  /* members put into a fitting config, `"a":1,` */
};
char *config_text(const struct spec *s);
void docker_archive(struct buf *out, const struct spec *s);
void oci_archive(struct buf *out, const struct spec *s);

/* ---- loads ---- */

struct outcome {
	bool done;
	int result;
	struct err e;
	char **ids, **told;
	unsigned writable;
};
void outcome_done(struct outcome *o);
struct image_load_ops outcome_ops(struct outcome *o);
/* feeds all of it in pieces of @piece bytes and waits for the end */
void load_all(struct world *w, struct image_load *l, const struct buf *data, size_t piece,
	      struct outcome *o);
void load_bytes(struct world *w, const struct buf *data, struct outcome *o);
void wait_done(struct world *w, struct outcome *o);
