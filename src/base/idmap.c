/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idmap.c - the ranges of subuid(5) files */

#include "base/idmap.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define ID_LAST 4294967294ull /* 2^32 - 1 means "no id" */

static void add(struct idmap *m, uint32_t first, uint32_t count, uint64_t *inside)
{
	if (m->n == IDMAP_MAX || !count || first + (uint64_t)count - 1 > ID_LAST ||
	    *inside + count - 1 > ID_LAST)
		return;
	m->v[m->n].first = first;
	m->v[m->n++].count = count;
	*inside += count;
}

int idmap_parse(const char *text, const char *name, uint32_t id, struct idmap *ret)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *line;
	uint64_t inside = 0;

	ret->n = 0;
	if (!copy)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n"))) {
		const char *owner = strsep(&line, ":"), *first = strsep(&line, ":");
		uint32_t number, from, count;

		if (!line || parse_u32(first, &from) < 0 || parse_u32(line, &count) < 0)
			continue;
		if (streq(owner, name) || (parse_u32(owner, &number) >= 0 && number == id))
			add(ret, from, count, &inside);
	}
	return 0;
}

uint32_t idmap_size(const struct idmap *m)
{
	uint32_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->v[i].count;
	return n;
}

int idmap_text(const struct idmap *m, struct buf *out)
{
	uint32_t inside = 0;

	for (size_t i = 0; i < m->n; i++) {
		(void)buf_printf(out, "%u %u %u\n", inside, m->v[i].first, m->v[i].count);
		inside += m->v[i].count;
	}
	return buf_err(out);
}
