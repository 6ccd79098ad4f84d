/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lines.c - a Dockerfile's text to logical lines: parser directives, continuation, comments */

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/str.h"
#include "build/dockerfile.h"

struct reader {
	const char *p, *end;
	unsigned number; /* of the line read last */
	struct buf line; /* that line */
	struct lines *out;
	size_t room;
	bool escape_given;
};

static bool read_line(struct reader *rd)
{
	const char *nl;
	size_t n;

	if (rd->p >= rd->end)
		return false;
	nl = memchr(rd->p, '\n', (size_t)(rd->end - rd->p));
	n = (size_t)((nl ? nl : rd->end) - rd->p);
	buf_clear(&rd->line);
	(void)buf_add(&rd->line, rd->p, n - (n && rd->p[n - 1] == '\r'));
	rd->p += n + (nl != NULL);
	rd->number++;
	return true;
}

static const char *skip_blanks(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

/* ---- directives: "# key=value" before anything else ---- */

static int set_escape(struct reader *rd, const char *value, size_t len, struct err *e)
{
	if (rd->escape_given)
		return err_invalid(e,
				   "dockerfile parse error on line %u: only one escape parser "
				   "directive can be used",
				   rd->number);
	if (len != 1 || (*value != '\\' && *value != '`'))
		return err_invalid(e,
				   "dockerfile parse error on line %u: invalid escape token '%.*s' "
				   "does not match ` or \\",
				   rd->number, (int)MIN(len, 100u), value);
	rd->escape_given = true;
	rd->out->escape = *value;
	return 0;
}

/* Return: 1 it is one, 0 it is none and none follows, -errno */
static int directive(struct reader *rd, struct err *e)
{
	static const char *const known[] = {"check", "escape", "syntax"};
	const char *p = skip_blanks(buf_str(&rd->line)), *key;
	size_t len;

	if (*p != '#')
		return 0;
	key = p = skip_blanks(p + 1);
	if (!isalpha((unsigned char)*p))
		return 0;
	while (isalnum((unsigned char)*p))
		p++;
	len = (size_t)(p - key);
	p = skip_blanks(p);
	if (*p != '=')
		return 0;
	p = skip_blanks(p + 1);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		size_t n = strlen(p);

		if (len != strlen(known[i]) || strncasecmp(key, known[i], len) != 0)
			continue;
		while (n && isspace((unsigned char)p[n - 1]))
			n--;
		int r = i == 1 ? set_escape(rd, p, n, e) : 0;

		return r < 0 ? r : 1;
	}
	return 0;
}

/* ---- logical lines ---- */

static bool is_comment(const char *line)
{
	return *skip_blanks(line) == '#';
}

/* How long @line is without a continuation mark at its end; *more: it has one. */
static size_t without_mark(const char *line, char escape, bool *more)
{
	size_t n = strlen(line), at = n;

	while (at && (line[at - 1] == ' ' || line[at - 1] == '\t'))
		at--;
	*more = at && line[at - 1] == escape && !(at > 1 && line[at - 2] == escape);
	return *more ? at - 1 : n;
}

static int add_line(struct reader *rd, unsigned number, const char *text, struct err *e)
{
	struct lines *l = rd->out;

	if (l->n == rd->room) {
		size_t room = rd->room ? 2 * rd->room : 32;
		struct line *v = realloc(l->v, room * sizeof(*v));

		if (!v)
			return err_nomem(e);
		l->v = v;
		rd->room = room;
	}
	char *copy = strdup(text);

	if (!copy)
		return err_nomem(e);
	l->v[l->n++] = (struct line){number, copy};
	return 0;
}

/* The line in hand begins an instruction: what continues it is taken too. */
static int gather(struct reader *rd, struct err *e)
{
	auto_buf struct buf whole = BUF_INIT(DOCKERFILE_MAX);
	unsigned number = rd->number;
	const char *text = skip_blanks(buf_str(&rd->line));
	bool more;
	size_t n = without_mark(text, rd->out->escape, &more);

	(void)buf_add(&whole, text, n);
	while (more && read_line(rd)) {
		text = buf_str(&rd->line);
		if (is_comment(text) || !*skip_blanks(text))
			continue;
		n = without_mark(text, rd->out->escape, &more);
		(void)buf_add(&whole, text, n);
	}
	if (buf_err(&whole))
		return err_nomem(e);
	n = whole.len;
	while (n && isspace((unsigned char)whole.data[n - 1]))
		whole.data[--n] = '\0';
	return n ? add_line(rd, number, buf_str(&whole), e) : 0;
}

int lines_parse(const char *text, size_t len, struct lines *ret, struct err *e)
{
	struct reader rd = {.p = text, .end = text + len, .line = BUF_INIT(DOCKERFILE_MAX + 1)};
	struct lines out = {.escape = '\\'};
	int r = 1;

	if (len > DOCKERFILE_MAX)
		return err_invalid(e, "the Dockerfile is larger than %u bytes", DOCKERFILE_MAX);
	if (memchr(text, '\0', len))
		return err_invalid(e, "the Dockerfile has a NUL byte");
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		rd.p += 3;
	rd.out = &out;
	for (bool head = true; r >= 0 && read_line(&rd);) {
		if (head) {
			r = directive(&rd, e);
			head = r > 0;
		}
		if (r < 0 || head)
			continue;
		if (!is_comment(buf_str(&rd.line)) && *skip_blanks(buf_str(&rd.line)))
			r = gather(&rd, e);
	}
	buf_done(&rd.line);
	if (r >= 0 && !out.n)
		r = err_invalid(e, "file with no instructions");
	if (r < 0) {
		lines_done(&out);
		return r;
	}
	*ret = out;
	return 0;
}

void lines_done(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].text);
	free(l->v);
	*l = (struct lines){0};
}
