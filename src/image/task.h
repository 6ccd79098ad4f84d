/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task.h - atoll-helper run for one task: its request, its streams, its report, its end
 *
 * For what is neither a load nor an import (load.c): the files of a container, an upper directory
 * as a tar, images as an archive. Loop thread; the helper dies with the engine. What is heard comes
 * from a process that reads foreign bytes: each line is checked by whoever takes it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct images;
struct helper_child;

struct helper_ops {
	/* one object of its report that is neither end nor error; -errno with @e ends it. NULL:
	 * none is expected */
	int (*line)(const json_t *line, void *data, struct err *e);
	/* a piece of its standard output; non-zero: no more until helper_resume(). NULL: it has
	 * none, or it goes to @out of the task */
	int (*out)(const void *piece, size_t len, void *data);
	void (*writable)(void *data); /* after helper_write() returned less than asked */
	/* the end, exactly once, never from within helper_start(), also after helper_abort():
	 * 0, or -errno with @e. All that it wrote has been heard before */
	void (*done)(int result, const struct err *e, void *data);
	void *data;
};
struct helper_task {
	const char *verb, *dir; /* image/helper.h */
	const json_t *request;	/* NULL: none */
	int root;		/* a detached mount, stays the caller's; negative: none */
	int userns;		/* whose ids the files have, stays the caller's; 0: the host's */
	bool in;		/* helper_write() will be used */
	int file;		/* its input instead, stays the caller's; negative: none */
	int out;		/* where its output goes, stays the caller's; negative: ops->out */
};
#define HELPER_TASK_INIT ((struct helper_task){.root = -1, .file = -1, .out = -1})

/* ERR_UNAVAILABLE: too many run already */
int helper_start(struct images *im, const struct helper_task *t, const struct helper_ops *ops,
		 struct helper_child **ret, struct err *e) MUST_CHECK;
/* bytes taken, 0..len; -EPIPE: it reads no more, done comes */
ssize_t helper_write(struct helper_child *h, const char *data, size_t len);
void helper_eof(struct helper_child *h);
void helper_resume(struct helper_child *h);
void helper_abort(struct helper_child *h);  /* done(-ECANCELED) comes; nothing else is heard */
void helper_forget(struct helper_child *h); /* aborts; nothing is called any more */

/* an {"error":..,"kind":..} of a report. Return: 1 it is one, and @ret is filled; 0 */
int helper_error(const json_t *line, struct err *ret);
