/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sizes.h - bytes of all files of a tree: containers' own layers, volumes, images' layers */
#pragma once

#include "api/internal.h"

struct sizes {
	char **ids;
	int64_t *bytes; /* of each; what cannot be read counts nothing */
};
/* Walks the trees of @ids (a strv, taken) in a job, then calls @done, which ends the call; not for
 * a client that has left: its call is ended here. */
void sizes_count(struct api_call *c, char **ids,
		 void (*done)(struct api_call *c, const struct sizes *s));
/* Likewise of @dirs (a strv, taken), named by @ids, one of which each has. */
void sizes_count_dirs(struct api_call *c, char **ids, char **dirs,
		      void (*done)(struct api_call *c, const struct sizes *s));
/* Adds the layers of an image (NULL: of all) whose size is not known, for sizes_count_dirs(): of
 * images that were stored before sizes were. Return: 0, -ENOMEM */
int sizes_layers_wanted(struct api_call *c, struct image *of, char ***ids, char ***dirs) MUST_CHECK;
void sizes_layers_known(struct api_call *c, const struct sizes *s); /* keeps them */
int64_t sizes_layers_sum(const struct api_call *c); /* of all layers of images, each once */
int64_t sizes_shared(const struct api_call *c, const struct image *i);	  /* with other images */
int64_t sizes_image(const struct container *k, const struct api_call *c); /* of its image */
/* "SizeRw" and "SizeRootFs" of one of them */
void sizes_json(struct jsonw *w, const struct container *k, int64_t bytes,
		const struct api_call *c);
