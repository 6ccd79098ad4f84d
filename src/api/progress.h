/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * progress.h - the stream of JSON lines that tells how a transfer goes (pull, push)
 *
 * Until the first line nothing has been answered, and an error has a status of its own; after it an
 * error is the last line (Docker's pkg/streamformatter and jsonmessage). A client that does not
 * read misses steps of progress; one that is too far behind is taken for gone.
 */
#pragma once

#include "api/internal.h"

struct progress {
	struct api_call *call;	    /* until the first line, NULL after it */
	struct http_stream *stream; /* from then on; NULL: the client has gone */
	bool behind;
	void (*gone)(void *data); /* the client left: stop. Not from within these functions */
	void *data;
};
/* takes the call */
void progress_begin(struct progress *p, struct api_call *c, void (*gone)(void *data), void *data);
/* {"status":..,"progressDetail":{..},"progress":"[=>  ]","id":..}; @current -1: without progress.
 * @id NULL: none */
void progress_line(struct progress *p, const char *id, const char *status, int64_t current,
		   int64_t total);
/* the object alone, as a line of another stream */
void progress_object(struct jsonw *w, const char *id, const char *status, int64_t current,
		     int64_t total);
/* {"progressDetail":{},"aux":..} */
void progress_aux(struct progress *p, const json_t *aux);
/* the end: @e NULL, or the error; ends the call or the stream */
void progress_end(struct progress *p, const struct err *e);
/* "[=====>     ]  1.2MB/4.5MB", Docker's bar; 0 of 0: "" */
void progress_bar(int64_t current, int64_t total, char *out, size_t room);
