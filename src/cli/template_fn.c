/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template_fn.c - the functions of templates, and values as text */

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/template_tree.h"

#define PRINT_DEPTH 64

typedef int (*fn)(json_t **argv, size_t argc, json_t **ret, struct err *e);

/* ---- values ---- */

bool tmpl_true(const json_t *v)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_TRUE:
		return true;
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_INTEGER:
		return json_integer_value(v) != 0;
	case JSON_REAL:
		return json_real_value(v) != 0;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	case JSON_OBJECT:
		return json_object_size(v) > 0;
	}
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int print_object(struct buf *out, const json_t *v, int depth)
{
	size_t n = 0;
	auto_free const char **keys = calloc(json_object_size(v) + 1, sizeof(*keys));
	const char *key;
	json_t *x;

	if (!keys)
		return -ENOMEM;
	json_object_foreach((json_t *)(uintptr_t)v, key, x)
	{
		keys[n++] = key;
	}
	qsort(keys, n, sizeof(*keys), by_text);
	(void)buf_puts(out, "map[");
	for (size_t i = 0; i < n; i++) {
		(void)buf_printf(out, "%s%s:", i ? " " : "", keys[i]);
		(void)tmpl_print(out, json_object_get(v, keys[i]), depth + 1);
	}
	return buf_putc(out, ']');
}

static int print_array(struct buf *out, const json_t *v, int depth)
{
	size_t i;
	json_t *x;

	(void)buf_putc(out, '[');
	json_array_foreach(v, i, x)
	{
		if (i)
			(void)buf_putc(out, ' ');
		(void)tmpl_print(out, x, depth + 1);
	}
	return buf_putc(out, ']');
}

int tmpl_print(struct buf *out, const json_t *v, int depth)
{
	if (depth > PRINT_DEPTH || buf_err(out))
		return buf_puts(out, "...");
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_NULL:
		return buf_puts(out, depth ? "<nil>" : "<no value>");
	case JSON_TRUE:
		return buf_puts(out, "true");
	case JSON_FALSE:
		return buf_puts(out, "false");
	case JSON_STRING:
		return buf_add(out, json_string_value(v), json_string_length(v));
	case JSON_INTEGER:
		return buf_printf(out, "%lld", (long long)json_integer_value(v));
	case JSON_REAL:
		return buf_printf(out, "%g", json_real_value(v));
	case JSON_ARRAY:
		return print_array(out, v, depth);
	case JSON_OBJECT:
		return print_object(out, v, depth);
	}
	return 0;
}

/* The text of @v, malloc'ed. */
static char *text_of(const json_t *v)
{
	auto_buf struct buf b = BUF_INIT(16u << 20);

	(void)tmpl_print(&b, v, 0);
	return b.len || buf_err(&b) ? buf_take(&b) : strdup("");
}

static int give_text(char *text, json_t **ret, struct err *e)
{
	*ret = text ? json_string_nocheck(text) : NULL;
	free(text);
	return *ret ? 0 : err_nomem(e);
}

static int give_bool(bool b, json_t **ret)
{
	*ret = json_boolean(b);
	return 0;
}

/* ---- functions ---- */

static int fn_json(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	return give_text(argv[0] ? json_dumps(argv[0], JSON_ENCODE_ANY | JSON_COMPACT)
				 : strdup("null"),
			 ret, e);
}

static int fn_index(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	json_t *v = argv[0];

	for (size_t i = 1; i < argc; i++) {
		json_t *key = argv[i];

		if (json_is_object(v) && json_is_string(key)) {
			v = json_object_get(v, json_string_value(key));
			continue;
		}
		if (json_is_array(v) && json_is_integer(key)) {
			if (json_integer_value(key) < 0 ||
			    (size_t)json_integer_value(key) >= json_array_size(v))
				return err_invalid(
					e,
					"template: error calling index: index out of range: %lld",
					(long long)json_integer_value(key));
			v = json_array_get(v, (size_t)json_integer_value(key));
			continue;
		}
		if (v && !json_is_null(v))
			return err_invalid(e,
					   "template: error calling index: a map takes a string, "
					   "an array a number");
		v = NULL;
	}
	/* Go's zero value of a map of strings is what templates rely on */
	*ret = v ? json_incref(v) : json_string("");
	return *ret ? 0 : err_nomem(e);
}

static int fn_len(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	json_t *v = argv[0];

	(void)argc;
	if (v && !json_is_null(v) && !json_is_string(v) && !json_is_array(v) && !json_is_object(v))
		return err_invalid(e, "template: error calling len: the value has no length");
	*ret = json_integer((json_int_t)(json_is_string(v)  ? json_string_length(v)
					 : json_is_array(v) ? json_array_size(v)
							    : json_object_size(v)));
	return *ret ? 0 : err_nomem(e);
}

static int fn_join(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(16u << 20);
	const char *sep = json_string_value(argv[1]);
	size_t i;
	json_t *x;

	(void)argc;
	if ((argv[0] && !json_is_array(argv[0]) && !json_is_null(argv[0])) || !sep)
		return err_invalid(e, "template: error calling join: join ARRAY SEPARATOR");
	json_array_foreach(argv[0], i, x)
	{
		if (i)
			(void)buf_puts(&b, sep);
		(void)tmpl_print(&b, x, 0);
	}
	return give_text(b.len || buf_err(&b) ? buf_take(&b) : strdup(""), ret, e);
}

static int fn_split(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	auto_json json_t *out = json_array();
	auto_strv char **v = NULL;
	const char *s = json_string_value(argv[0]), *sep = json_string_value(argv[1]);

	(void)argc;
	if (!s || !sep || !*sep)
		return err_invalid(e, "template: error calling split: split STRING SEPARATOR");
	if (strv_split(s, sep, &v) < 0)
		return err_nomem(e);
	for (size_t i = 0; v && v[i]; i++)
		if (json_array_append_new(out, json_string_nocheck(v[i])) < 0)
			return err_nomem(e);
	*ret = TAKE_PTR(out);
	return 0;
}

static int change_case(json_t *v, int (*first)(int), int (*rest)(int), json_t **ret, struct err *e)
{
	char *s = text_of(v);
	bool begin = true;

	for (char *p = s; p && *p; p++) {
		*p = (char)(begin ? first : rest)((unsigned char)*p);
		begin = *p == ' ';
	}
	return give_text(s, ret, e);
}

static int same(int c)
{
	return c;
}

static int fn_upper(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	return change_case(argv[0], toupper, toupper, ret, e);
}

static int fn_lower(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	return change_case(argv[0], tolower, tolower, ret, e);
}

static int fn_title(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	return change_case(argv[0], toupper, same, ret, e);
}

static int print_all(json_t **argv, size_t argc, const char *end, json_t **ret, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(16u << 20);

	for (size_t i = 0; i < argc; i++) {
		if (i)
			(void)buf_putc(&b, ' ');
		(void)tmpl_print(&b, argv[i], 0);
	}
	(void)buf_puts(&b, end);
	return give_text(b.len || buf_err(&b) ? buf_take(&b) : strdup(""), ret, e);
}

static int fn_print(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	return print_all(argv, argc, "", ret, e);
}

static int fn_println(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	return print_all(argv, argc, "\n", ret, e);
}

/* "-20.12" behind a '%'. Return: behind it */
static const char *width_of(const char *p, bool *left, int *width, int *precision)
{
	*left = *p == '-';
	p += *left;
	*width = 0;
	*precision = -1;
	for (; isdigit((unsigned char)*p) && *width < 1000; p++)
		*width = *width * 10 + (*p - '0');
	if (*p == '.')
		for (p++, *precision = 0; isdigit((unsigned char)*p) && *precision < 1000; p++)
			*precision = *precision * 10 + (*p - '0');
	return p;
}

/* One verb at @p (behind '%') for @v. Return: behind it, NULL if it is not known. */
static const char *verb(struct buf *out, const char *p, const json_t *v)
{
	auto_free char *text = text_of(v), *quoted = NULL;
	bool left;
	int width, precision;

	p = width_of(p, &left, &width, &precision);
	if (!text || !*p || !strchr("svdqt", *p))
		return NULL;
	if (*p == 'q') {
		auto_json json_t *s = json_string_nocheck(text);

		quoted = json_dumps(s, JSON_ENCODE_ANY);
	}
	if (precision >= 0)
		(void)buf_printf(out, left ? "%-*.*s" : "%*.*s", width, precision,
				 quoted ? quoted : text);
	else
		(void)buf_printf(out, left ? "%-*s" : "%*s", width, quoted ? quoted : text);
	return p + 1;
}

static int fn_printf(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(16u << 20);
	const char *p = json_string_value(argv[0]);
	size_t at = 1;

	if (!p)
		return err_invalid(e, "template: error calling printf: the format is no string");
	while (*p) {
		if (*p != '%') {
			(void)buf_putc(&b, *p++);
		} else if (p[1] == '%') {
			(void)buf_putc(&b, '%');
			p += 2;
		} else {
			const char *next = at < argc ? verb(&b, p + 1, argv[at]) : NULL;

			if (!next)
				return err_invalid(e,
						   "template: error calling printf: \"%.20s\": "
						   "%%s, %%v, %%d, %%q and %%t are known, each "
						   "with a value",
						   p);
			p = next;
			at++;
		}
	}
	return give_text(b.len || buf_err(&b) ? buf_take(&b) : strdup(""), ret, e);
}

/* slice STRING FROM [TO] */
static int fn_slice(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	const char *s = json_string_value(argv[0]);
	size_t len = s ? strlen(s) : 0;
	json_int_t from = argc > 1 ? json_integer_value(argv[1]) : 0;
	json_int_t to = argc > 2 ? json_integer_value(argv[2]) : (json_int_t)len;

	if (!s || from < 0 || to < from || (size_t)to > len)
		return err_invalid(e, "template: error calling slice: out of range, or no string");
	return give_text(strndup(s + from, (size_t)(to - from)), ret, e);
}

/* -1, 0, 1, or -2 where two values cannot be compared */
static int compare(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b)) {
		double x = json_number_value(a), y = json_number_value(b);

		return x < y ? -1 : x > y;
	}
	if (json_is_string(a) && json_is_string(b)) {
		int r = strcmp(json_string_value(a), json_string_value(b));

		return r < 0 ? -1 : r > 0;
	}
	if (json_is_boolean(a) && json_is_boolean(b))
		return json_is_true(a) == json_is_true(b) ? 0 : -1;
	if ((!a || json_is_null(a)) && (!b || json_is_null(b)))
		return 0;
	return -2;
}

static int incomparable(const char *name, struct err *e)
{
	return err_invalid(e, "template: error calling %s: incompatible types for comparison",
			   name);
}

/* eq A B [C...]: A is one of the others */
static int fn_eq(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	bool any = false;

	for (size_t i = 1; i < argc; i++) {
		int r = compare(argv[0], argv[i]);

		if (r == -2)
			return incomparable("eq", e);
		any = any || r == 0;
	}
	return give_bool(any, ret);
}

static int fn_ne(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	int r = compare(argv[0], argv[1]);

	(void)argc;
	return r == -2 ? incomparable("ne", e) : give_bool(r != 0, ret);
}

static int ordered(json_t **argv, const char *name, json_t **ret, struct err *e)
{
	int r = compare(argv[0], argv[1]);

	if (r == -2 || json_is_boolean(argv[0]))
		return incomparable(name, e);
	return give_bool(streq(name, "lt")   ? r < 0
			 : streq(name, "le") ? r <= 0
			 : streq(name, "gt") ? r > 0
					     : r >= 0,
			 ret);
}

static int fn_lt(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	return ordered(argv, "lt", ret, e);
}

static int fn_le(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	return ordered(argv, "le", ret, e);
}

static int fn_gt(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	return ordered(argv, "gt", ret, e);
}

static int fn_ge(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	return ordered(argv, "ge", ret, e);
}

/* the first that decides, else the last */
static int decide(json_t **argv, size_t argc, bool until, json_t **ret)
{
	size_t i = 0;

	while (i + 1 < argc && tmpl_true(argv[i]) != until)
		i++;
	*ret = argv[i] ? json_incref(argv[i]) : json_null();
	return 0;
}

static int fn_and(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)e;
	return decide(argv, argc, false, ret);
}

static int fn_or(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)e;
	return decide(argv, argc, true, ret);
}

static int fn_not(json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	(void)argc;
	(void)e;
	return give_bool(!tmpl_true(argv[0]), ret);
}

static const struct {
	const char *name;
	fn call;
	size_t min, max; /* max 0: any number */
} functions[] = {
	{"json", fn_json, 1, 1},       {"index", fn_index, 1, 0},   {"len", fn_len, 1, 1},
	{"join", fn_join, 2, 2},       {"split", fn_split, 2, 2},   {"upper", fn_upper, 1, 1},
	{"lower", fn_lower, 1, 1},     {"title", fn_title, 1, 1},   {"print", fn_print, 0, 0},
	{"println", fn_println, 0, 0}, {"printf", fn_printf, 1, 0}, {"slice", fn_slice, 1, 3},
	{"eq", fn_eq, 2, 0},	       {"ne", fn_ne, 2, 2},	    {"lt", fn_lt, 2, 2},
	{"le", fn_le, 2, 2},	       {"gt", fn_gt, 2, 2},	    {"ge", fn_ge, 2, 2},
	{"and", fn_and, 1, 0},	       {"or", fn_or, 1, 0},	    {"not", fn_not, 1, 1},
};

bool tmpl_function_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (streq(functions[i].name, name))
			return true;
	return false;
}

int tmpl_function(const char *name, json_t **argv, size_t argc, json_t **ret, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (!streq(functions[i].name, name))
			continue;
		if (argc < functions[i].min || (functions[i].max && argc > functions[i].max))
			return err_invalid(e, "template: wrong number of args for %s: got %zu",
					   name, argc);
		return functions[i].call(argv, argc, ret, e);
	}
	return err_invalid(e, "template: function \"%s\" not defined", name);
}
