/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logs.h - reading conmon's k8s-file logs: "2026-01-02T03:04:05.000000000Z stdout F text\n" (P:
 * partial)
 *
 * tail, since, until, follow (inotify). Loop thread; reads at most 256 KiB a turn.
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
struct log_reader_ops {
	/* one record (a line with its '\n', or a partial piece). @stream 1 or 2. Non-zero: pause
	 * until log_reader_resume() */
	int (*line)(int stream, int64_t ns, const char *text, size_t len, void *data);
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
