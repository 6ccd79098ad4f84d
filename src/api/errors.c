/* SPDX-License-Identifier: GPL-2.0-or-later */
/* errors.c - the one table from an error's kind to its HTTP status; an error within a stream */

#include "api/internal.h"

unsigned api_status_of(enum err_kind kind)
{
	static const unsigned status[] = {
		[ERR_INTERNAL] = 500,	  [ERR_INVALID] = 400,	   [ERR_NOT_FOUND] = 404,
		[ERR_CONFLICT] = 409,	  [ERR_FORBIDDEN] = 403,   [ERR_UNAVAILABLE] = 503,
		[ERR_UNAUTHORIZED] = 401, [ERR_UNSUPPORTED] = 501, [ERR_NOT_MODIFIED] = 304,
	};

	return (size_t)kind < ARRAY_SIZE(status) ? status[kind] : 500;
}

void api_error_line(struct buf *out, int code, const char *message)
{
	struct jsonw w = JSONW_INIT(out);

	jsonw_object(&w, NULL);
	jsonw_object(&w, "errorDetail");
	if (code)
		jsonw_i64(&w, "code", code);
	jsonw_str(&w, "message", message);
	jsonw_end_object(&w);
	jsonw_str(&w, "error", message);
	jsonw_end_object(&w);
}
