/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * response.h - an incremental parser of HTTP/1.1 responses. Pure; fuzzed.
 *
 * Fed with bytes as they come; the body goes to @body in pieces that point into what was fed.
 * Interim responses (1xx but 101) are skipped. Sources: RFC 9110, RFC 9112.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define RESPONSE_HEAD_MAX (256u << 10) /* all header lines together */

enum response_state {
	RESPONSE_HEAD,
	RESPONSE_BODY,	/* Content-Length, or until close */
	RESPONSE_CHUNK, /* chunked: within a chunk, its size line, its end, the trailers */
	RESPONSE_CHUNK_SIZE,
	RESPONSE_CHUNK_END,
	RESPONSE_TRAILER,
	RESPONSE_DONE,
};

struct response {
	enum response_state state;
	bool head_request; /* set before: no body whatever the headers say */
	unsigned status;
	bool keep_alive;
	bool until_close;
	uint64_t left; /* of the body or chunk */
	char *content_type;
	char *api_version; /* the header of Docker's engines, or NULL */
	char *path_stat;   /* likewise, of GET and HEAD .../archive */
	struct buf line;   /* an unfinished line */
	size_t head_seen;  /* bytes of header and trailer lines */
	bool have_length, chunked;
	/* non-zero ends the parsing with that value */
	int (*body)(void *data, const char *piece, size_t len);
	void *data;
};

void response_init(struct response *p, bool head_request,
		   int (*body)(void *data, const char *piece, size_t len), void *data);
void response_done(struct response *p); /* frees what it holds */
/* Returns once at the end of the head, so that the caller can look at @status; feed the rest again.
 * Return: 0 (*@used < @len then, or in state DONE, else all was used); what @body returned if not
 * 0; -EBADMSG; -ENOMEM. */
int response_feed(struct response *p, const char *data, size_t len, size_t *used,
		  struct err *e) MUST_CHECK;
/* The connection ended. Return: 0 if that ends the response as it should, else -EBADMSG. */
int response_eof(struct response *p, struct err *e) MUST_CHECK;
