/* SPDX-License-Identifier: GPL-2.0-or-later */
/* expand.c - variables, quotes and escapes in a Dockerfile's words */

#include "build/expand.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/glob.h"
#include "base/str.h"

#define WORD_MAX  (1u << 20)
#define DEPTH_MAX 50 /* of ${a:-${b:-...}} */

struct lexer {
	const struct expand_env *env;
	const char *p;
	struct buf out;
	unsigned depth;
	bool split;
	bool open; /* a word has begun, even if it is empty */
	char ***words;
};

static int fail(struct err *e, const char *text)
{
	return err_invalid(e, "%s", text);
}

static int end_word(struct lexer *x, struct err *e)
{
	int r = 0;

	if (buf_err(&x->out))
		return err_invalid(e, "the word is too long");
	if (x->open)
		r = strv_add(x->words, buf_str(&x->out)) < 0 ? err_nomem(e) : 0;
	x->open = false;
	buf_clear(&x->out);
	return r;
}

/* one character outside of quotes */
static int put_bare(struct lexer *x, char c, struct err *e)
{
	if (x->split && isspace((unsigned char)c))
		return end_word(x, e);
	x->open = true;
	(void)buf_putc(&x->out, c);
	return 0;
}

static int put_text(struct lexer *x, const char *text, bool quoted, struct err *e)
{
	int r = 0;

	if (quoted)
		(void)buf_puts(&x->out, text);
	for (; !quoted && r >= 0 && *text; text++)
		r = put_bare(x, *text, e);
	return r;
}

/* ---- names and modifiers ---- */

static size_t name_len(const char *s)
{
	size_t n = 0;

	if (isalpha((unsigned char)*s) || *s == '_') {
		while (isalnum((unsigned char)s[n]) || s[n] == '_')
			n++;
	} else if (isdigit((unsigned char)*s)) {
		while (isdigit((unsigned char)s[n]))
			n++;
	} else if (*s && strchr("@*#?-$!", *s)) {
		n = 1;
	}
	return n;
}

static int lex(struct lexer *x, char stop, bool quoted, struct err *e);

/* the word after a modifier, up to the closing brace, expanded as one */
static int read_operand(struct lexer *x, char **ret, struct err *e)
{
	struct lexer in = {
		.env = x->env, .p = x->p, .out = BUF_INIT(WORD_MAX), .depth = x->depth + 1};
	int r = in.depth > DEPTH_MAX ? fail(e, "substitutions are nested too deep")
				     : lex(&in, '}', false, e);

	if (r >= 0 && *in.p != '}')
		r = fail(e, "syntax error: missing '}'");
	if (r >= 0) {
		x->p = in.p + 1;
		*ret = strdup(buf_str(&in.out));
		if (!*ret || buf_err(&in.out))
			r = err_nomem(e);
	}
	buf_done(&in.out);
	return r;
}

/* @value without what @pattern fits at its front ('#') or end ('%'): the shortest, or the longest
 */
static int cut(const char *value, const char *pattern, char side, bool longest, char **ret,
	       struct err *e)
{
	auto_(glob_free) struct glob *g = NULL;
	size_t len = strlen(value);
	int r = glob_new(pattern, GLOB_TEXT, &g, e);

	for (size_t i = 0; r >= 0 && i <= len; i++) {
		size_t n = longest ? len - i : i; /* characters that go */
		auto_free char *part = side == '#' ? strndup(value, n) : strdup(value + len - n);
		int fits = part ? glob_match(g, part) : -ENOMEM;

		if (fits < 0)
			return err_nomem(e);
		if (!fits)
			continue;
		*ret = side == '#' ? strdup(value + n) : strndup(value, len - n);
		return *ret ? 0 : err_nomem(e);
	}
	if (r < 0)
		return r;
	*ret = strdup(value);
	return *ret ? 0 : err_nomem(e);
}

static int modified(struct lexer *x, const char *name, const char *value, char **ret, struct err *e)
{
	bool colon = *x->p == ':';
	char how = x->p[colon], *operand = NULL;
	bool set = value && (!colon || *value), twice = false;
	int r;

	if (!how)
		return fail(e, "syntax error: missing '}'");
	if (!strchr(colon ? "-+?" : "-+?#%", how))
		return err_invalid(e, "unsupported modifier (%s%c) in substitution",
				   colon ? ":" : "", how);
	x->p += colon + 1;
	if ((how == '#' || how == '%') && *x->p == how) {
		twice = true;
		x->p++;
	}
	r = read_operand(x, &operand, e);
	if (r < 0)
		return r;
	auto_free char *word = operand;

	if (how == '?' && !set)
		return err_invalid(e, "%s: %s", name, *word ? word : "parameter not set");
	if (how == '#' || how == '%')
		return cut(value ? value : "", word, how, twice, ret, e);
	if (how == '-')
		*ret = strdup(set ? value : word);
	else if (how == '+')
		*ret = strdup(set ? word : "");
	else
		*ret = strdup(set ? value : "");
	return *ret ? 0 : err_nomem(e);
}

static int braces(struct lexer *x, bool quoted, struct err *e)
{
	size_t n = name_len(x->p);
	auto_free char *name = strndup(x->p, n), *text = NULL;
	const char *value;
	int r;

	if (!name)
		return err_nomem(e);
	if (!n)
		return fail(e,
			    *x->p ? "syntax error: bad substitution" : "syntax error: missing '}'");
	x->p += n;
	value = x->env->get(name, x->env->data);
	if (*x->p == '}') {
		x->p++;
		return put_text(x, value ? value : "", quoted, e);
	}
	r = modified(x, name, value, &text, e);
	return r < 0 ? r : put_text(x, text, quoted, e);
}

static int dollar(struct lexer *x, bool quoted, struct err *e)
{
	size_t n;

	x->p++;
	if (*x->p == '{') {
		x->p++;
		return braces(x, quoted, e);
	}
	n = name_len(x->p);
	if (!n)
		return put_text(x, "$", quoted, e);
	auto_free char *name = strndup(x->p, n);

	if (!name)
		return err_nomem(e);
	x->p += n;
	const char *value = x->env->get(name, x->env->data);

	return put_text(x, value ? value : "", quoted, e);
}

/* ---- quotes ---- */

static int single(struct lexer *x, struct err *e)
{
	const char *end = strchr(++x->p, '\'');

	if (!end)
		return fail(e, "unexpected end of statement while looking for matching "
			       "single-quote");
	x->open = true;
	(void)buf_add(&x->out, x->p, (size_t)(end - x->p));
	x->p = end + 1;
	return 0;
}

static int doubled(struct lexer *x, struct err *e)
{
	int r;

	x->p++;
	x->open = true;
	r = lex(x, '"', true, e);
	if (r < 0)
		return r;
	if (*x->p != '"')
		return fail(e, "unexpected end of statement while looking for matching "
			       "double-quote");
	x->p++;
	return 0;
}

/* In double quotes an escape stays before what needs none. */
static int escaped(struct lexer *x, bool quoted, struct err *e)
{
	char c = x->p[1];

	if (!c) {
		x->p++;
		return 0;
	}
	x->p += 2;
	x->open = true;
	if (quoted && c != '"' && c != '$' && c != x->env->escape)
		(void)buf_putc(&x->out, x->env->escape);
	(void)buf_putc(&x->out, c);
	(void)e;
	return 0;
}

static int lex(struct lexer *x, char stop, bool quoted, struct err *e)
{
	int r = 0;

	while (r >= 0 && *x->p && *x->p != stop) {
		if (*x->p == x->env->escape)
			r = escaped(x, quoted, e);
		else if (*x->p == '$')
			r = dollar(x, quoted, e);
		else if (*x->p == '\'' && !quoted)
			r = single(x, e);
		else if (*x->p == '"' && !quoted)
			r = doubled(x, e);
		else if (quoted)
			(void)buf_putc(&x->out, *x->p++);
		else
			r = put_bare(x, *x->p++, e);
	}
	if (r >= 0 && buf_err(&x->out))
		r = err_invalid(e, "the word is too long");
	return r;
}

static int explain(int r, const char *word, struct err *e)
{
	return r == -ENOMEM ? r : err_wrap(e, "failed to process \"%.200s\"", word);
}

int expand_word(const struct expand_env *env, const char *word, char **ret, struct err *e)
{
	struct lexer x = {.env = env, .p = word, .out = BUF_INIT(WORD_MAX)};
	int r = lex(&x, '\0', false, e);
	char *text = r >= 0 ? strdup(buf_str(&x.out)) : NULL;

	buf_done(&x.out);
	if (r < 0)
		return explain(r, word, e);
	if (!text)
		return err_nomem(e);
	*ret = text;
	return 0;
}

int expand_words(const struct expand_env *env, const char *word, char ***ret, struct err *e)
{
	auto_strv char **words = NULL;
	struct lexer x = {
		.env = env, .p = word, .out = BUF_INIT(WORD_MAX), .split = true, .words = &words};
	int r = lex(&x, '\0', false, e);

	if (r >= 0)
		r = end_word(&x, e);
	buf_done(&x.out);
	if (r < 0)
		return explain(r, word, e);
	*ret = TAKE_PTR(words);
	return 0;
}
