/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logs.h - reading containers' logs: Docker's json-file format and our local one (log_record.h)
 *
 * All files of a log that is rotated; tail, since, until, follow (inotify). Loop thread; reads at
 * most 256 KiB a turn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;
struct log_reader;
struct log_query {
	const char *path;
	bool out, err, follow;
	int64_t tail;		    /* lines, -1 all */
	int64_t since_ns, until_ns; /* 0: none */
};
struct log_line {   /* borrowed for the call */
	int stream; /* 1 or 2 */
	int64_t ns;
	const char *text; /* a line with its '\n', or a piece of one without */
	size_t len;
	const char *attrs; /* JSON object of what --log-opt labels, env, tag ask for, or NULL */
	size_t attrs_len;
};
struct log_reader_ops {
	/* one record. Non-zero: pause until log_reader_resume() */
	int (*line)(const struct log_line *line, void *data);
	void (*done)(void *data); /* the end (not in follow mode before log_reader_finish()); the
				     reader is freed after */
	void *data;
};
int log_reader_open(struct loop *l, const struct log_query *q, const struct log_reader_ops *ops,
		    struct log_reader **ret, struct err *e) MUST_CHECK;
void log_reader_resume(struct log_reader *r);
void log_reader_finish(
	struct log_reader *r);		     /* the container ended: read what is left, then done */
void log_reader_close(struct log_reader *r); /* done is not called */
