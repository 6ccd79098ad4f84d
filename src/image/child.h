/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * child.h - the engine's side of a helper process: started, its report read by lines, its end told
 *
 * Loop thread. The child gets @in as fd 0, the report's pipe as fd 3 and the life lock, and dies
 * with the engine.
 */
#pragma once

#include "base/err.h"

struct child;
struct images;

struct child_ops {
	/* one line without its newline; a failure kills the child and is told by ended() */
	int (*line)(const char *line, size_t len, void *data, struct err *e);
	/* the child has been reaped and all its lines were told: exactly once, unless child_free()
	 * came before. @e: why it did not end well, NULL if it did */
	void (*ended)(const struct err *e, void *data);
	void *data;
};
/* @in stays the caller's */
int child_start(struct images *im, const char *const *argv, int in, const struct child_ops *ops,
		struct child **ret, struct err *e) MUST_CHECK;
/* kills it if it still runs (waits for the moment that takes); also from within its callbacks. NULL
 * allowed */
void child_free(struct child *c);
