/* SPDX-License-Identifier: GPL-2.0-or-later */
/* errors.c - the one table from an error's kind to its HTTP status */

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
