/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * child.h - the engine's side of a helper process: its streams, its report by lines, its end
 *
 * Loop thread. The child gets its input as fd 0, the report's pipe as fd 3 and the life lock as
 * fd 4 (image/helper.h), and dies with the engine. It is over when it has been reaped, all its
 * lines were told and, where it has an output, that has ended. Output that nobody takes keeps it: a
 * full pipe stops the helper, as it should.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct child;
struct images;
struct spawn_fd;

struct child_spec {
	const char *const *argv;
	const char *what;	    /* in texts, a literal: "WHAT ended early (signal 9)" */
	int in;			    /* its fd 0, stays the caller's; negative: nothing */
	bool write;		    /* child_write() will be used instead of @in */
	int out;		    /* its fd 1, stays the caller's; negative: child_ops.out */
	const struct spawn_fd *fds; /* what else it gets, the caller's */
	size_t n_fds;		    /* at most CHILD_FDS */
	size_t line_max;	    /* bytes; 0: enough for a config */
};
#define CHILD_FDS	3
#define CHILD_SPEC_INIT ((struct child_spec){.what = "a helper process", .in = -1, .out = -1})

struct child_ops {
	/* one line without its newline; a failure kills the child and is told by ended() */
	int (*line)(const char *line, size_t len, void *data, struct err *e);
	/* a piece of its output, after what it had reported before; non-zero: no more until
	 * child_resume(). NULL: it has none */
	int (*out)(const void *piece, size_t len, void *data);
	void (*writable)(void *data); /* after child_write() returned less than asked; NULL */
	/* it is over: exactly once, never from within another call of this file, and not after
	 * child_free(). @e: why it did not end well, NULL if it did */
	void (*ended)(const struct err *e, void *data);
	void *data;
};
int child_start(struct images *im, const struct child_spec *s, const struct child_ops *ops,
		struct child **ret, struct err *e) MUST_CHECK;
/* bytes taken, 0..len; -EPIPE: it reads no more, the end comes */
ssize_t child_write(struct child *c, const char *data, size_t len);
void child_eof(struct child *c);
void child_resume(struct child *c);
void child_abort(struct child *c); /* kills it: nothing but ended() is called any more */
/* kills it if it still runs (waits for the moment that takes); also from within its callbacks. NULL
 * allowed */
void child_free(struct child *c);
