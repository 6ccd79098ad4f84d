/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.h - what atoll-helper tells on its fd 3, checked line by line; pure, fuzzed
 *
 * The helper has read foreign bytes, so its lines are foreign too: each digest is computed again
 * from what it follows from (an image's id from its config's text, a chain id from diff ids), and
 * a directory's name is "l<n>" and nothing else.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "image/chain.h"

struct report_layer {
	char chain[DIGEST_SIZE], diff[DIGEST_SIZE];
	char dir[12];
	int64_t size;
};
struct report_image {
	char id[DIGEST_SIZE];
	char *text;	/* the config as it came */
	json_t *config; /* the same, read */
	char **layers;	/* chain ids, each of them reported before */
	int64_t *sizes; /* of @layers */
	char **tags;	/* familiar, each once; NULL none */
	char **digests; /* likewise: "busybox@sha256:..", set by who knows the registry */
	int64_t size;
};
struct report {
	struct map *layers; /* struct report_layer by chain id */
	struct report_image *images;
	size_t n_images, text_bytes;
	struct err error; /* the helper's last words, instead of an end */
	bool ended;
};

int report_new(struct report *r) MUST_CHECK;
void report_done(struct report *r);
/* one line without its newline */
int report_line(struct report *r, const char *line, size_t len, struct err *e) MUST_CHECK;
/* an image whose layers were reported; a second of the same id adds its tags to the first */
int report_add_image(struct report *r, const char *config, char *const *tags,
		     struct err *e) MUST_CHECK;
/* a layer that is here already, for an image that builds on it; @size -1: not known */
int report_known(struct report *r, const char *chain, const char *diff_id, int64_t size,
		 struct err *e) MUST_CHECK;
/* the layer that was reported as a base one goes on top of @parent (NULL: stays). @ret: its chain
 * id */
int report_stack(struct report *r, const char *diff_id, const char *parent, char ret[DIGEST_SIZE],
		 struct err *e) MUST_CHECK;
