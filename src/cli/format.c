/* SPDX-License-Identifier: GPL-2.0-or-later */
/* format.c - tables, templates, JSON */

#include "cli/format.h"

#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/template.h"

#define OUTPUT_MAX (256u << 20)
#define COLUMNS	   32
#define CELL_MIN   10 /* as Go's tabwriter is set up by docker: minimal width and padding */
#define CELL_SPACE 3

/* ---- rows ---- */

void row_set(json_t *row, const char *key, const char *value)
{
	if (json_object_set_new(row, key, json_string_nocheck(value)) < 0)
		cli_no_memory();
}

void row_setf(json_t *row, const char *key, const char *fmt, ...)
{
	auto_free char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		cli_no_memory();
	va_end(ap);
	row_set(row, key, s);
}

void row_set_buf(json_t *row, const char *key, struct buf *value)
{
	row_set(row, key, buf_str(value));
	buf_clear(value);
}

void row_set_labels(json_t *row, const json_t *labels)
{
	auto_buf struct buf b = BUF_INIT(OUTPUT_MAX);
	const char *k;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)labels, k, v)
	{
		(void)buf_printf(&b, "%s%s=%s", b.len ? "," : "", k,
				 json_is_string(v) ? json_string_value(v) : "");
	}
	row_set_buf(row, "Labels", &b);
	v = json_is_object(labels) ? json_copy((json_t *)(uintptr_t)labels) : json_object();
	if (json_object_set_new(row, "_labels", v) < 0)
		cli_no_memory();
}

const char *short_id(const char *id, bool whole, char out[80])
{
	const char *colon = strchr(id, ':');

	if (whole)
		(void)snprintf(out, 80, "%s", id);
	else
		(void)snprintf(out, 80, "%.12s", colon ? colon + 1 : id);
	return out;
}

/* ---- columns ---- */

/* Characters of UTF-8 text: bytes that do not continue one. */
static size_t width(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

/* The widths of the cells that a tab ends. */
static void measure(const char *lines, size_t widths[COLUMNS])
{
	size_t column = 0;

	for (const char *p = lines; *p;) {
		size_t len = strcspn(p, "\t\n");

		if (p[len] == '\t' && column < COLUMNS) {
			widths[column] = MAX(widths[column], width(p, len) + CELL_SPACE);
			column++;
		} else {
			column = 0;
		}
		p += len + (p[len] != '\0');
	}
}

void columns_align(struct buf *out, const char *lines)
{
	size_t widths[COLUMNS], column = 0;

	for (size_t i = 0; i < COLUMNS; i++)
		widths[i] = CELL_MIN;
	measure(lines, widths);
	for (const char *p = lines; *p;) {
		size_t len = strcspn(p, "\t\n"), w = width(p, len);

		(void)buf_add(out, p, len);
		if (p[len] == '\t') {
			if (column < COLUMNS && widths[column] > w)
				(void)buf_printf(out, "%*s", (int)(widths[column] - w), "");
			column++;
		} else {
			(void)buf_putc(out, '\n');
			column = 0;
		}
		p += len + (p[len] != '\0');
	}
}

/* ---- formats ---- */

/* "\t" and "\n" as a shell passes them on, malloc'ed. */
static char *unescape(const char *s)
{
	char *out = need(strdup(s)), *to = out;

	while (*s) {
		if (s[0] == '\\' && (s[1] == 't' || s[1] == 'n')) {
			*to++ = s[1] == 't' ? '\t' : '\n';
			s += 2;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
	return out;
}

static int put(struct buf *out, struct err *e)
{
	if (buf_err(out))
		return err_invalid(e, "the output is too large");
	if (out->len && fwrite(out->data, 1, out->len, stdout) != out->len)
		return err_sys(e, errno, "cannot write");
	return 0;
}

/* A row without what is only for the evaluator. */
static json_t *public_part(const json_t *row)
{
	json_t *out = need(json_copy((json_t *)(uintptr_t)row)), *v;
	const char *k;
	void *tmp;

	json_object_foreach_safe(out, tmp, k, v)
	{
		if (*k == '_')
			(void)json_object_del(out, k);
	}
	return out;
}

static int json_line(const json_t *row, struct buf *out, struct err *e)
{
	auto_json json_t *shown = public_part(row);
	auto_free char *text = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return err_invalid(e, "a row is no valid text");
	(void)buf_puts(out, text);
	return buf_putc(out, '\n');
}

/* @row by the template, a line break behind; "{{json .}}" shows the public part. */
static int line(const struct tmpl *t, const json_t *row, struct buf *out, struct err *e)
{
	auto_json json_t *shown = NULL;
	int r;

	if (!json_object_get(row, "_labels")) {
		shown = public_part(row);
		row = shown;
	}
	r = tmpl_run(t, row, out, e);
	if (r >= 0)
		(void)buf_putc(out, '\n');
	return r;
}

static int table(const struct listing *l, const json_t *rows, const char *text, struct err *e)
{
	auto_buf struct buf lines = BUF_INIT(OUTPUT_MAX), out = BUF_INIT(OUTPUT_MAX);
	auto_(tmpl_free) struct tmpl *t = NULL;
	auto_json json_t *titles = need(json_object());
	size_t i;
	json_t *row;
	int r = tmpl_parse(text, &t, e);

	if (r < 0)
		return r;
	for (i = 0; i < l->n; i++)
		row_set(titles, l->columns[i].key, l->columns[i].title);
	/* `.Label "x"` has the key itself as its title in docker; an empty one here */
	if (json_object_set_new(titles, "_labels", json_object()) < 0)
		cli_no_memory();
	r = line(t, titles, &lines, e);
	json_array_foreach(rows, i, row)
	{
		if (r >= 0)
			r = line(t, row, &lines, e);
	}
	if (r < 0)
		return r;
	columns_align(&out, buf_str(&lines));
	return put(&out, e);
}

int row_print(const json_t *row, const char *format, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(OUTPUT_MAX);
	auto_free char *text = unescape(format);
	auto_(tmpl_free) struct tmpl *t = NULL;
	int r;

	if (streq(format, "json") || streq(format, "{{json .}}")) {
		r = json_line(row, &out, e);
	} else {
		r = tmpl_parse(text, &t, e);
		if (r >= 0)
			r = line(t, row, &out, e);
	}
	return r < 0 ? r : put(&out, e);
}

int list_print(const struct listing *l, const json_t *rows, const char *format, bool quiet,
	       struct err *e)
{
	auto_free char *text = NULL;
	size_t i;
	json_t *row;
	int r = 0;

	if (str_empty(format) || streq(format, "table")) {
		if (!quiet || !l->quiet)
			return table(l, rows, l->table, e);
		format = l->quiet;
	}
	if (str_has_prefix(format, "table ")) {
		text = unescape(format + strlen("table "));
		return table(l, rows, text, e);
	}
	json_array_foreach(rows, i, row)
	{
		if (r >= 0)
			r = row_print(row, format, e);
	}
	return r;
}

int inspect_print(const json_t *objects, const char *format, struct err *e)
{
	auto_free char *text = NULL;
	size_t i;
	json_t *o;
	int r = 0;

	if (str_empty(format) || streq(format, "json")) {
		text = json_dumps(objects, str_empty(format) ? JSON_INDENT(4) : JSON_COMPACT);
		if (!text)
			return err_invalid(e, "the answer is no valid text");
		(void)printf("%s\n", text);
		return 0;
	}
	json_array_foreach(objects, i, o)
	{
		if (r >= 0)
			r = row_print(o, format, e);
	}
	return r;
}
