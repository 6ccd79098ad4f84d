/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pull.h - between the files of a pull: pull.c has its course, pull_layer.c one layer's */
#pragma once

#include "image/internal.h"
#include "image/ref.h"
#include "image/registry_auth.h"
#include "image/registry_manifest.h"
#include "image/registry_parse.h"

enum layer_state {
	LAYER_HERE,    /* nothing to do */
	LAYER_WAITING, /* for a free download */
	LAYER_RUNNING, /* comes, and is unpacked meanwhile */
	LAYER_DONE,    /* unpacked beside, its digests right */
};

struct pull_layer {
	struct image_pull *p;
	struct child *child; /* who unpacks */
	enum layer_state state;
	char chain[DIGEST_SIZE], diff[DIGEST_SIZE];
	char *dir; /* the unpacker's */
	struct report rep;
	int64_t have; /* bytes that came */
	bool slot, fetched, unread, unpacked, told;
};

struct image_pull {
	struct list node; /* in images.pulls */
	struct images *im;
	struct image_pull_ops ops;
	struct image_ref ref;
	struct registry_auth auth;
	char *tag;
	struct remote *remote;
	char **tags; /* still to pull, of all */
	size_t at;
	/* of the image at hand */
	char digest[DIGEST_SIZE]; /* what the reference names */
	char *config;
	struct registry_manifest manifest;
	struct pull_layer *layers; /* of manifest.n */
	bool found, all, any;
};

/* pull.c */
void pull_tell(struct image_pull *p, const char *id, const char *status);
void pull_fail(struct image_pull *p, const struct err *e); /* ends it; @p is gone */
void pull_advance(struct image_pull *p);		   /* likewise it may be gone */
void pulls_go_on(struct images *im); /* a download has become free: whoever waits */

/* pull_layer.c */
const struct descriptor *layer_descriptor(const struct pull_layer *l);
void layer_tell(struct pull_layer *l, const char *status);
void layer_tell_whole(struct pull_layer *l);
int pull_layer_start(struct pull_layer *l, struct err *e) MUST_CHECK;
/* answers of the session about it */
void layer_progress(struct pull_layer *l, int64_t bytes);
int layer_fetched(struct pull_layer *l, struct err *e) MUST_CHECK;
/* its unpacker reads no more; the pull may be gone after it */
void layer_unread(struct pull_layer *l);
/* goes on where both its ends have come; the pull may be gone after it */
void layer_settle(struct pull_layer *l);
void layer_done(struct pull_layer *l); /* frees what it holds */
