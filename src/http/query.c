/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query.c - decoding the request target */

#include "http/query.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

struct query {
	size_t n;
	struct {
		char *key; /* malloc'ed; the value lies behind it in the same block */
		const char *value;
	} pairs[];
};

void query_free(struct query *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < q->n; i++)
		free(q->pairs[i].key);
	free(q);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes into @out, which has room for @len + 1 bytes; @plus: a '+' is a space. */
static int unescape(const char *s, size_t len, bool plus, char *out, struct err *e)
{
	for (size_t i = 0; i < len; i++) {
		int hi, lo;

		if (s[i] != '%') {
			*out++ = plus && s[i] == '+' ? ' ' : s[i];
			continue;
		}
		hi = i + 2 < len ? hex(s[i + 1]) : -1;
		lo = i + 2 < len ? hex(s[i + 2]) : -1;
		if (hi < 0 || lo < 0)
			return err_invalid(e, "invalid URL escape \"%.*s\"", (int)MIN(len - i, 3u),
					   s + i);
		if (!hi && !lo)
			return err_invalid(e, "invalid NUL character in the URL");
		*out++ = (char)(hi << 4 | lo);
		i += 2;
	}
	*out = '\0';
	return 0;
}

static int add_pair(struct query *q, const char *s, size_t len, struct err *e)
{
	size_t key_len = strcspn(s, "=&"), value_at = MIN(key_len + 1, len);
	char *text;
	int r;

	if (memchr(s, ';', len))
		return err_invalid(e, "invalid semicolon separator in query");
	text = calloc(1, len + 2);
	if (!text)
		return err_nomem(e);
	q->pairs[q->n].key = text;
	q->pairs[q->n].value = text + key_len + 1;
	q->n++;
	r = unescape(s, key_len, true, text, e);
	if (r < 0)
		return r;
	return unescape(s + value_at, len - value_at, true, text + key_len + 1, e);
}

int query_parse(const char *raw, struct query **ret, struct err *e)
{
	auto_(query_free) struct query *q = NULL;
	size_t room = 1;

	for (const char *p = raw; p && *p; p++)
		room += *p == '&';
	if (room > QUERY_PAIRS_MAX)
		return err_invalid(e, "the query has more than %d parameters", QUERY_PAIRS_MAX);
	q = calloc(1, sizeof(*q) + room * sizeof(q->pairs[0]));
	if (!q)
		return err_nomem(e);
	for (const char *p = raw; p && *p;) {
		size_t len = strcspn(p, "&");
		int r = len ? add_pair(q, p, len, e) : 0;

		if (r < 0)
			return r;
		p += len;
		p += *p == '&';
	}
	*ret = TAKE_PTR(q);
	return 0;
}

const char *query_next(const struct query *q, const char *key, size_t *pos)
{
	while (q && *pos < q->n) {
		size_t i = (*pos)++;

		if (streq(q->pairs[i].key, key))
			return q->pairs[i].value;
	}
	return NULL;
}

const char *query_get(const struct query *q, const char *key)
{
	size_t pos = 0;

	return query_next(q, key, &pos);
}

size_t query_len(const struct query *q)
{
	return q ? q->n : 0;
}

int target_parse(const char *target, char **ret_path, struct query **ret_query, struct err *e)
{
	auto_free char *path = NULL;
	const char *p = target;
	size_t len;
	int r;

	if (!strncasecmp(p, "http://", 7)) /* absolute form, as through a proxy */
		p += 7 + strcspn(p + 7, "/?");
	len = strcspn(p, "?");
	path = calloc(1, len + 2);
	if (!path)
		return err_nomem(e);
	r = unescape(p, len, false, path, e);
	if (r < 0)
		return r;
	if (!*path)
		memcpy(path, "/", 2);
	r = query_parse(p[len] ? p + len + 1 : NULL, ret_query, e);
	if (r < 0)
		return r;
	*ret_path = TAKE_PTR(path);
	return 0;
}
