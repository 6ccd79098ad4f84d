/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jsonw.c - the streaming JSON writer */

#include "base/jsonw.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at @s (RFC 3629), 0 if there is none. */
static size_t utf8_len(const unsigned char *s)
{
	unsigned lo = 0x80, hi = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void escaped(struct buf *out, unsigned char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", code[] = "\"\\bfnrt";
	const char *p = c ? strchr(plain, c) : NULL;

	if (p)
		(void)buf_printf(out, "\\%c", code[p - plain]);
	else
		(void)buf_printf(out, "\\u%04x", c);
}

static void quoted(struct buf *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)(text ? text : ""), *run = s;

	(void)buf_putc(out, '"');
	while (*s) {
		size_t n = utf8_len(s);

		if (n && *s >= 0x20 && *s != '"' && *s != '\\') {
			s += n;
			continue;
		}
		(void)buf_add(out, run, (size_t)(s - run));
		if (n)
			escaped(out, *s);
		else
			(void)buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
		run = ++s;
	}
	(void)buf_add(out, run, (size_t)(s - run));
	(void)buf_putc(out, '"');
}

static void lead(struct jsonw *w, const char *key)
{
	uint64_t bit = 1ull << w->depth;

	if (w->started & bit)
		(void)buf_putc(w->out, ',');
	w->started |= bit;
	if (key) {
		quoted(w->out, key);
		(void)buf_putc(w->out, ':');
	}
}

static void open_scope(struct jsonw *w, const char *key, char c)
{
	lead(w, key);
	(void)buf_putc(w->out, c);
	if (w->depth + 1 >= JSONW_DEPTH_MAX) {
		w->out->fail = -ENOBUFS;
		return;
	}
	w->depth++;
	w->started &= ~(1ull << w->depth);
}

static void close_scope(struct jsonw *w, char c)
{
	(void)buf_putc(w->out, c);
	if (w->depth)
		w->depth--;
}

void jsonw_object(struct jsonw *w, const char *key)
{
	open_scope(w, key, '{');
}

void jsonw_array(struct jsonw *w, const char *key)
{
	open_scope(w, key, '[');
}

void jsonw_end_object(struct jsonw *w)
{
	close_scope(w, '}');
}

void jsonw_end_array(struct jsonw *w)
{
	close_scope(w, ']');
}

void jsonw_str(struct jsonw *w, const char *key, const char *value)
{
	lead(w, key);
	quoted(w->out, value);
}

void jsonw_strf(struct jsonw *w, const char *key, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		w->out->fail = -ENOMEM;
		return;
	}
	jsonw_str(w, key, text);
	free(text);
}

void jsonw_str_or_null(struct jsonw *w, const char *key, const char *value)
{
	if (value)
		jsonw_str(w, key, value);
	else
		jsonw_null(w, key);
}

void jsonw_i64(struct jsonw *w, const char *key, int64_t value)
{
	lead(w, key);
	(void)buf_printf(w->out, "%" PRId64, value);
}

void jsonw_u64(struct jsonw *w, const char *key, uint64_t value)
{
	lead(w, key);
	(void)buf_printf(w->out, "%" PRIu64, value);
}

void jsonw_bool(struct jsonw *w, const char *key, bool value)
{
	jsonw_raw(w, key, value ? "true" : "false");
}

void jsonw_null(struct jsonw *w, const char *key)
{
	jsonw_raw(w, key, "null");
}

void jsonw_strv(struct jsonw *w, const char *key, char *const *v)
{
	jsonw_array(w, key);
	for (; v && *v; v++)
		jsonw_str(w, NULL, *v);
	jsonw_end_array(w);
}

void jsonw_raw(struct jsonw *w, const char *key, const char *json)
{
	lead(w, key);
	(void)buf_puts(w->out, json);
}

static int dump_to_buf(const char *data, size_t len, void *out)
{
	return buf_add(out, data, len) < 0 ? -1 : 0;
}

void jsonw_json(struct jsonw *w, const char *key, const json_t *value)
{
	lead(w, key);
	if (!value)
		(void)buf_puts(w->out, "null");
	else if (json_dump_callback(value, dump_to_buf, w->out, JSON_COMPACT | JSON_ENCODE_ANY) <
			 0 &&
		 !w->out->fail)
		w->out->fail = -ENOMEM;
}
