/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports.c - ordering ports and joining neighbours */

#include "cli/ports.h"

#include <string.h>

#include "cli/cli.h"

struct port {
	const char *ip, *type;	    /* ip "": exposed only */
	int64_t inner, outer, more; /* more: neighbours that follow */
};

static int compare(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/* So that the ports of a range stand side by side. */
static int by_range(const void *a, const void *b)
{
	const struct port *x = a, *y = b;
	int r = strcmp(x->type, y->type);

	r = r ? r : strcmp(x->ip, y->ip);
	r = r ? r : compare(x->inner, y->inner);
	return r ? r : compare(x->outer, y->outer);
}

/* As they are shown. */
static int by_number(const void *a, const void *b)
{
	const struct port *x = a, *y = b;
	int r = compare(x->inner, y->inner);

	return r ? r : by_range(a, b);
}

/* @b follows the range @a. */
static bool follows(const struct port *a, const struct port *b)
{
	return streq(a->ip, b->ip) && streq(a->type, b->type) &&
	       b->inner == a->inner + a->more + 1 &&
	       (!*a->ip || b->outer == a->outer + a->more + 1);
}

/* Joins neighbours. Return: how many are left */
static size_t join(struct port *ports, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept && follows(&ports[kept - 1], &ports[i]))
			ports[kept - 1].more++;
		else
			ports[kept++] = ports[i];
	}
	return kept;
}

static void span(struct buf *out, int64_t from, int64_t more)
{
	(void)buf_printf(out, "%lld", (long long)from);
	if (more)
		(void)buf_printf(out, "-%lld", (long long)from + more);
}

static void show(struct buf *out, const struct port *p)
{
	if (out->len)
		(void)buf_puts(out, ", ");
	if (*p->ip) {
		(void)buf_printf(out, strchr(p->ip, ':') ? "[%s]:" : "%s:", p->ip);
		span(out, p->outer, p->more);
		(void)buf_puts(out, "->");
	}
	span(out, p->inner, p->more);
	(void)buf_printf(out, "/%s", p->type);
}

void ports_text(struct buf *out, const json_t *list)
{
	size_t n = json_array_size(list), i;
	auto_free struct port *ports = need(calloc(n + 1, sizeof(*ports)));
	json_t *p;

	json_array_foreach(list, i, p)
	{
		bool published = ji(p, "PublicPort") != 0;

		ports[i] = (struct port){.ip = published ? (*js(p, "IP") ? js(p, "IP") : "0.0.0.0")
							 : "",
					 .type = js(p, "Type"),
					 .inner = ji(p, "PrivatePort"),
					 .outer = ji(p, "PublicPort")};
	}
	qsort(ports, n, sizeof(*ports), by_range);
	n = join(ports, n);
	qsort(ports, n, sizeof(*ports), by_number);
	for (i = 0; i < n; i++)
		show(out, &ports[i]);
}
