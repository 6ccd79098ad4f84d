/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - the engine's side of image/: the objects its files share (the helper has its own) */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "image/chain.h"
#include "image/image.h"
#include "image/report.h"

struct images {
	struct loop *loop;
	struct db *db;
	struct storage *storage;
	char *helper, *builtin, *registry_program;
	const struct registry_config *registry;
	int life_fd;
	struct list all;       /* struct image, newest first; hidden ones too */
	struct map *by_id;     /* "sha256:..", hidden ones too */
	struct map *by_tag;    /* by familiar name */
	struct map *by_digest; /* by "busybox@sha256:.." */
	size_t n_hidden;
	struct map *holds; /* struct hold by image id; an image may be gone and come back */
	bool stopped;
	bool hold_lost;	   /* one could not be counted: nothing is deleted from then on */
	struct list loads; /* struct image_load */
	struct list pulls, pushes, asks;
	struct map *blobs;  /* struct blob_known by diff id: of this life */
	unsigned downloads; /* running, of all pulls */
	struct list tasks;  /* struct helper_child */
};

struct image {
	struct list node;
	char id[DIGEST_SIZE];
	json_t *config;
	char **layers;	/* chain ids, base first */
	int64_t *sizes; /* of them, -1 not known; NULL: none is */
	char **tags;	/* familiar, oldest first */
	char **digests; /* likewise, of registries' manifests */
	int64_t size, created_ns;
	bool hidden;		 /* deleted while containers use its layers */
	char *parent, *step_key; /* what it was made from here and by which step, else NULL */
};

/* images.c */
int image_new(const char *id, json_t *config, struct image **ret) MUST_CHECK; /* shares @config */
void image_free(struct image *i); /* memory alone; unlinked before */
DEFINE_AUTO(struct image, image_free);
int image_link(struct images *im, struct image *i) MUST_CHECK;
void image_unlink(struct images *im, struct image *i); /* from all lists and maps */

/* tag.c: names are familiar */
char *tag_canonical(const char *familiar); /* what the store holds */
/* in memory; taken from the image that had it */
int tag_link(struct images *im, struct image *i, const char *name) MUST_CHECK;
void tag_unlink(struct images *im, const char *name);
int tag_drop(struct images *im, const char *name, struct err *e) MUST_CHECK; /* row and memory */
/* "repo[:tag]" with @tag (NULL: its own, or latest) -> the familiar name */
int tag_name(const char *repo, const char *tag, char **ret, struct err *e) MUST_CHECK;

/* step.c */
int steps_load(struct images *im, struct err *e) MUST_CHECK;

/* digest.c: "busybox@sha256:..", what a registry calls an image; a row among the tags */
/* in memory; taken from the image that had it */
int digest_link(struct images *im, struct image *i, const char *name) MUST_CHECK;
void digest_unlink(struct images *im, const char *name);
int digest_drop(struct images *im, const char *name, struct err *e) MUST_CHECK;
bool digest_of_repository(const char *digest, const char *tag); /* both of one repository */
int64_t layer_size(const struct images *im, const char *chain); /* -1: not known */

/* store.c: rows first, then memory */
/* the images of a report with their names, in one transaction; their layers are in place */
int images_store(struct images *im, const struct report *r, struct err *e) MUST_CHECK;
/* the config as it came: its digest is the id. malloc'ed */
int image_text(struct images *im, const struct image *i, char **ret, struct err *e) MUST_CHECK;
int image_unhide(struct images *im, struct image *i, struct err *e) MUST_CHECK;
/* deletes it for good, or hides it while containers hold it; @ret_layers those that went with it
 * (NULL none) */
int image_delete(struct images *im, struct image *i, char ***ret_layers, struct err *e) MUST_CHECK;
/* hidden ones whose last container went with a crash; only after all holds of this life are made */
void images_sweep_hidden(struct images *im);
/* layers of @layers that no image has any more are removed */
int layers_collect(struct images *im, char *const *layers, char ***ret_gone) MUST_CHECK;
bool layer_used(const struct images *im, const char *hex); /* a prefix of the digits */

/* load.c: @archive, where not negative, is read by the helper itself */
int load_start(struct images *im, int archive, const struct image_load_ops *ops,
	       struct image_load **ret, struct err *e) MUST_CHECK;
void loads_drop(struct images *im); /* all end with -ECANCELED now */
void pulls_drop(struct images *im); /* likewise */
void pushes_drop(struct images *im);

/* push.c: a layer as a registry has it, compressed with gzip */
struct blob_known {
	char digest[DIGEST_SIZE];
	int64_t size;
	char *name; /* "docker.io/library/busybox": of that repository */
};
void blob_learn(struct images *im, const char *diff_id, const struct blob_known *b); /* copies */
void blobs_forget(struct images *im);
void asks_drop(struct images *im); /* no answer comes */
/* One layer of which an image is made here: an import, a commit. */
struct layer_plan {
	int archive; /* a descriptor that the helper reads, the caller's; negative: image_load_write
		      */
	/* the one layer is in @rep: report_add_image() */
	int (*compose)(struct report *rep, void *data, struct err *e);
	/* asked once the helper has ended: false holds the end until layer_go_on(). NULL: true */
	bool (*ready)(void *data);
	void (*drop)(void *data); /* frees @data, after the end or a failed start */
	void *data;
};
int layer_start(struct images *im, const struct layer_plan *p, const struct image_load_ops *ops,
		struct image_load **ret, struct err *e) MUST_CHECK;
void layer_go_on(struct image_load *l);

/* task.c */
void tasks_drop(struct images *im); /* likewise */
