/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ignore.c - .dockerignore: its lines to patterns, a path against them in order */

#include "base/ignore.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"

struct rule {
	struct glob *glob;
	char *text;
	bool exception;
};

struct ignore {
	struct rule *rules;
	size_t n, room;
};

void ignore_free(struct ignore *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++) {
		glob_free(g->rules[i].glob);
		free(g->rules[i].text);
	}
	free(g->rules);
	free(g);
}

static int add_rule(struct ignore *g, struct rule *r)
{
	if (g->n == g->room) {
		size_t room = g->room ? 2 * g->room : 16;
		struct rule *v = realloc(g->rules, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		g->rules = v;
		g->room = room;
	}
	g->rules[g->n++] = *r;
	return 0;
}

static const char *skip_space(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static void trim_end(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
}

int ignore_add(struct ignore *g, const char *line, struct err *e)
{
	auto_free char *copy = strdup(skip_space(line));
	struct rule rule = {0};
	const char *p = copy;
	int r;

	if (!copy)
		return err_nomem(e);
	trim_end(copy);
	if (!*p)
		return 0;
	if (*p == '!') {
		rule.exception = true;
		p = skip_space(p + 1);
		if (!*p)
			return err_invalid(e, "illegal exclusion pattern: \"!\"");
	}
	rule.text = path_clean_lexical(p);
	if (!rule.text)
		return err_nomem(e);
	if (rule.text[0] == '/' && rule.text[1])
		memmove(rule.text, rule.text + 1, strlen(rule.text));
	r = glob_new(rule.text, GLOB_DEEP, &rule.glob, e);
	if (r >= 0 && add_rule(g, &rule) < 0)
		r = err_nomem(e);
	if (r < 0) {
		glob_free(rule.glob);
		free(rule.text);
	}
	return r;
}

int ignore_parse(const char *text, size_t len, struct ignore **ret, struct err *e)
{
	auto_(ignore_free) struct ignore *g = calloc(1, sizeof(*g));
	const char *end = text + len;
	int r = 0;

	if (!g)
		return err_nomem(e);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	while (r >= 0 && text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);
		auto_free char *line = strndup(text, n);

		if (!line)
			return err_nomem(e);
		if (*line != '#')
			r = ignore_add(g, line, e);
		text += n + (nl != NULL);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

/* @path, or a directory above it */
static int rule_fits(const struct rule *rule, char *path)
{
	int r = glob_match(rule->glob, path);

	for (char *slash = strchr(path, '/'); r == 0 && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		r = glob_match(rule->glob, path);
		*slash = '/';
	}
	return r;
}

int ignore_match(const struct ignore *g, const char *path)
{
	auto_free char *copy = strdup(path);
	bool out = false;

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < g->n; i++) {
		if (g->rules[i].exception != out)
			continue; /* it would change nothing */
		int r = rule_fits(&g->rules[i], copy);

		if (r < 0)
			return r;
		if (r)
			out = !out;
	}
	return out;
}

bool ignore_may_reenter(const struct ignore *g, const char *dir)
{
	size_t len = strlen(dir);

	for (size_t i = 0; i < g->n; i++) {
		const char *t = g->rules[i].text;

		if (!g->rules[i].exception)
			continue;
		/* a pattern with signs of its own may fit anywhere */
		if (strpbrk(t, "*?[\\") || (!strncmp(t, dir, len) && (t[len] == '/' || !t[len])))
			return true;
	}
	return false;
}
