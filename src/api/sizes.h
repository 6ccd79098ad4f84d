/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sizes.h - what containers hold in layers of their own: bytes of all their files */
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
/* "SizeRw" and "SizeRootFs" of one of them */
void sizes_json(struct jsonw *w, const struct container *k, int64_t bytes,
		const struct api_call *c);
