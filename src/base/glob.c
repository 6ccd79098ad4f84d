/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * glob.c - path patterns
 *
 * A pattern becomes a row of tokens, and a match is the set of tokens that may come next, moved
 * over the text one character at a time: no backtracking, so no pattern takes long.
 */
#include "base/glob.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	LITERAL,
	ONE,	   /* any character but '/' */
	SET,	   /* one of a set */
	MANY,	   /* any characters but '/' */
	DEEP_DIRS, /* nothing, or anything that ends in '/' */
	DEEP_ALL,  /* anything */
};

struct range {
	uint32_t low, high;
};

struct token {
	enum kind kind;
	bool negated;
	uint32_t ch;
	size_t first, n; /* of the ranges */
};

struct glob {
	struct token *tokens;
	struct range *ranges;
	size_t n, n_ranges;
	bool text; /* a slash is a character like others */
};

/* One character; a byte that is no UTF-8 stands for itself, beyond all characters. */
static uint32_t next_char(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;
	unsigned more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
	uint32_t c = more == 3 ? s[0] & 7u : more == 2 ? s[0] & 15u : s[0] & 31u;

	for (unsigned i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			more = 0;
			break;
		}
		c = c << 6 | (s[i] & 0x3fu);
	}
	*p += more + 1;
	if (more)
		return c;
	return s[0] < 0x80 ? s[0] : 0x110000u + s[0];
}

/* ---- a pattern to tokens ---- */

static int bad(struct err *e)
{
	return err_invalid(e, "syntax error in pattern");
}

/* one end of a range in a set */
static int set_char(const char **p, uint32_t *ret, struct err *e)
{
	if (**p == '-' || **p == ']')
		return bad(e);
	if (**p == '\\')
		(*p)++;
	if (!**p)
		return bad(e);
	*ret = next_char(p);
	return **p ? 0 : bad(e); /* the set's end must still come */
}

static int read_set(struct glob *g, struct token *t, const char **p, struct err *e)
{
	int r = 0;

	t->kind = SET;
	t->first = g->n_ranges;
	if (**p == '^') {
		t->negated = true;
		(*p)++;
	}
	for (bool first = true; r >= 0 && (first || **p != ']'); first = false) {
		struct range *v = &g->ranges[g->n_ranges++];

		r = set_char(p, &v->low, e);
		v->high = v->low;
		if (r >= 0 && **p == '-') {
			(*p)++;
			r = set_char(p, &v->high, e);
		}
	}
	if (r < 0)
		return r;
	(*p)++;
	t->n = g->n_ranges - t->first;
	return 0;
}

static void read_star(struct token *t, const char **p, unsigned flags)
{
	if (flags & GLOB_TEXT) {
		t->kind = DEEP_ALL;
		return;
	}
	if (!(flags & GLOB_DEEP) || **p != '*') {
		t->kind = MANY;
		return;
	}
	(*p)++;
	if (**p == '/')
		(*p)++;
	t->kind = **p ? DEEP_DIRS : DEEP_ALL;
}

static int read_token(struct glob *g, const char **p, unsigned flags, struct err *e)
{
	struct token *t = &g->tokens[g->n++];
	uint32_t c = next_char(p);

	switch (c) {
	case '*':
		read_star(t, p, flags);
		return 0;
	case '?':
		t->kind = ONE;
		return 0;
	case '[':
		return read_set(g, t, p, e);
	case '\\':
		if (!**p)
			return bad(e);
		c = next_char(p);
		break;
	default:
		break;
	}
	t->kind = LITERAL;
	t->ch = c;
	return 0;
}

int glob_new(const char *pattern, unsigned flags, struct glob **ret, struct err *e)
{
	auto_(glob_free) struct glob *g = calloc(1, sizeof(*g));
	size_t room = strlen(pattern) + 1; /* each token and each range takes a character */
	int r = 0;

	if (!g || !(g->tokens = calloc(room, sizeof(*g->tokens))) ||
	    !(g->ranges = calloc(room, sizeof(*g->ranges))))
		return err_nomem(e);
	g->text = flags & GLOB_TEXT;
	for (const char *p = pattern; r >= 0 && *p;)
		r = read_token(g, &p, flags, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

void glob_free(struct glob *g)
{
	if (!g)
		return;
	free(g->tokens);
	free(g->ranges);
	free(g);
}

/* ---- matching ---- */

enum { AT = 1, INSIDE = 2 }; /* before a token; in what a DEEP_DIRS takes */

/* @state may come next, and what follows a token that takes nothing */
static void enter(const struct glob *g, uint8_t *set, size_t state)
{
	for (;; state++) {
		set[state] |= AT;
		if (state == g->n || g->tokens[state].kind < MANY)
			return;
		if (g->tokens[state].kind == DEEP_DIRS)
			set[state] |= INSIDE;
	}
}

static bool in_set(const struct glob *g, const struct token *t, uint32_t c)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct range *v = &g->ranges[t->first + i];

		if (c >= v->low && c <= v->high)
			return !t->negated;
	}
	return t->negated;
}

static void step(const struct glob *g, size_t i, uint8_t flags, uint32_t c, uint8_t *next)
{
	const struct token *t = &g->tokens[i];

	switch (t->kind) {
	case LITERAL:
		if (t->ch == c)
			enter(g, next, i + 1);
		break;
	case ONE:
		if (c != '/' || g->text)
			enter(g, next, i + 1);
		break;
	case SET:
		if ((c != '/' || g->text) && in_set(g, t, c))
			enter(g, next, i + 1);
		break;
	case MANY:
		if (c != '/')
			enter(g, next, i);
		break;
	case DEEP_ALL:
		enter(g, next, i);
		break;
	case DEEP_DIRS:
		if (!(flags & INSIDE))
			break;
		next[i] |= INSIDE;
		if (c == '/')
			enter(g, next, i + 1);
		break;
	}
}

int glob_match(const struct glob *g, const char *text)
{
	auto_free uint8_t *now = calloc(g->n + 1, 1), *next = calloc(g->n + 1, 1);

	if (!now || !next)
		return -ENOMEM;
	enter(g, now, 0);
	while (*text) {
		uint32_t c = next_char(&text);
		uint8_t *swap = now;

		memset(next, 0, g->n + 1);
		for (size_t i = 0; i < g->n; i++)
			if (now[i])
				step(g, i, now[i], c, next);
		now = next;
		next = swap;
	}
	return now[g->n] & AT ? 1 : 0;
}
