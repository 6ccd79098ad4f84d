/* SPDX-License-Identifier: GPL-2.0-or-later */
/* router.c - matching a path against the route table */

#include "http/router.h"

#include <string.h>

#include "base/str.h"

void route_match_done(struct route_match *m)
{
	for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
		free(m->params[i]);
	*m = (struct route_match){0};
}

/* Reads up to three digits. Return: behind them, NULL if there is none. */
static const char *digits(const char *p, unsigned *ret)
{
	size_t n = strspn(p, "0123456789");

	if (!n || n > 3)
		return NULL;
	for (*ret = 0; n; n--)
		*ret = *ret * 10 + (unsigned)(*p++ - '0');
	return p;
}

/* "/v1.41/x" -> version 141 and "/x"; anything else stays as it is. */
static const char *strip_version(const char *path, unsigned *version)
{
	unsigned major, minor;
	const char *p;

	*version = 0;
	if (path[0] != '/' || path[1] != 'v')
		return path;
	p = digits(path + 2, &major);
	if (!p || *p != '.')
		return path;
	p = digits(p + 1, &minor);
	if (!p || (*p && *p != '/') || minor > 99)
		return path; /* 1.100 is not 2.0 */
	*version = major * 100 + minor;
	return *p ? p : "/";
}

static int take(struct route_match *m, size_t n, const char *from, size_t len)
{
	if (n == ROUTE_PARAMS_MAX)
		return -ENOMEM;
	free(m->params[n]); /* of an attempt that did not fit */
	m->params[n] = strndup(from, len);
	return m->params[n] ? 0 : -ENOMEM;
}

static int match(const char *pat, const char *path, struct route_match *m, size_t n);

/* {name...}: one part, then two, ... until the rest fits. @path starts with '/'. */
static int match_many(const char *rest, const char *path, struct route_match *m, size_t n)
{
	size_t len = 0;

	while (path[len] == '/') {
		size_t part = strcspn(path + len + 1, "/");
		int r;

		if (!part)
			return 0; /* an empty part */
		len += 1 + part;
		r = take(m, n, path + 1, len - 1);
		if (r >= 0)
			r = match(rest, path + len, m, n + 1);
		if (r)
			return r;
	}
	return 0;
}

/* Return: 1 match, 0 none (params are then anything), -ENOMEM. @n: params taken so far. */
static int match(const char *pat, const char *path, struct route_match *m, size_t n)
{
	while (*pat) {
		size_t pat_len = strcspn(pat + 1, "/") + 1, len;
		bool param = pat[1] == '{';

		if (*path != '/')
			return 0;
		if (param && pat_len > 5 && !strncmp(pat + pat_len - 4, "...}", 4))
			return match_many(pat + pat_len, path, m, n);
		len = strcspn(path + 1, "/") + 1;
		if (param) {
			int r = len > 1 ? take(m, n++, path + 1, len - 1) : -ENOENT;

			if (r < 0)
				return r == -ENOENT ? 0 : r;
		} else if (len != pat_len || strncmp(pat, path, len) != 0) {
			return 0;
		}
		pat += pat_len;
		path += len;
	}
	return *path == '\0';
}

int route_find(const struct route *table, size_t n, const char *method, const char *path,
	       struct route_match *ret)
{
	const char *rest;
	unsigned version;
	bool other = false;

	*ret = (struct route_match){0};
	rest = strip_version(path, &version);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			/* first the method itself, then GET for a HEAD */
			bool fits = pass ? streq(method, "HEAD") && streq(table[i].method, "GET")
					 : streq(method, table[i].method);
			int r = match(table[i].pattern, rest, ret, 0);

			if (r < 0) {
				route_match_done(ret);
				return r;
			}
			if (r && fits) {
				ret->route = &table[i];
				ret->version = version;
				return 0;
			}
			other = other || r;
			route_match_done(ret);
		}
	}
	return other ? -EPROTONOSUPPORT : -ENOENT;
}
