/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - the lines of JSON that load, import and events answer with */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

struct progress {
	struct buf line; /* an unfinished one; BUF_INIT by the owner, who frees it */
	int fd;		 /* of the upload beside it */
	bool quiet;
	FILE *out;	   /* NULL: standard output */
	bool steps;	   /* lines of layers: "id: status", on a terminal each on its place */
	char **ids;	   /* places, from the top */
	struct err failed; /* what the engine reported */
	int code;	   /* of a program that failed, with it; 0: none */
};
int progress_data(void *data, const void *piece, size_t len); /* on_data of struct http_call */
/* after a call that went well: the last line, and the failure that the engine reported, if any */
int progress_end(struct progress *p, struct err *e) MUST_CHECK;

void progress_done(struct progress *p); /* frees what is in it */

/* whole lines of @piece (and of @rest, which keeps what is unfinished) to @line. Return: 0, what
 * @line returned, -ENOBUFS, -ENOMEM */
int lines_feed(struct buf *rest, const char *piece, size_t len,
	       int (*line)(void *data, const char *text, size_t len), void *data) MUST_CHECK;
