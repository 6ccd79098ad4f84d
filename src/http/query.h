/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query.h - the request target: path and query, decoded as Go's net/url does it. Pure; fuzzed.
 *
 * libmicrohttpd decodes too, but keeps broken escapes as they are and cuts values at %00, so the
 * raw target is decoded here. '+' is a space in the query only; ';' does not separate; a broken
 * escape, a ';' or a NUL is ERR_INVALID (400) with Go's text where Go has one.
 * Sources: WHATWG URL application/x-www-form-urlencoded, RFC 3986, RFC 9112 3.2 (absolute form).
 */
#pragma once

#include "base/err.h"

#define QUERY_PAIRS_MAX 1024

struct query;
void query_free(struct query *q);
DEFINE_AUTO(struct query, query_free);
int query_parse(const char *raw /* without '?'; NULL: none */, struct query **ret,
		struct err *e) MUST_CHECK;
const char *query_get(const struct query *q, const char *key); /* NULL if absent; first wins */
/* every value of a key given more than once: start with *pos = 0; NULL at the end */
const char *query_next(const struct query *q, const char *key, size_t *pos);
size_t query_len(const struct query *q);

/* "/path?query" or "http://host/path?query" -> decoded path (malloc'ed) and query */
int target_parse(const char *target, char **ret_path, struct query **ret_query,
		 struct err *e) MUST_CHECK;
