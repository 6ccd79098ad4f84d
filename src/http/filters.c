/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filters.c - both spellings of Docker's filters */

#include "http/filters.h"

#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define KEYS_MAX 32

struct filters {
	struct {
		char *key;
		char **values;
	} list[KEYS_MAX];
	size_t n;
};

void filters_free(struct filters *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		free(f->list[i].key);
		strv_free(f->list[i].values);
	}
	free(f);
}

/* Return: 0, -EINVAL of another shape, -ENOMEM. */
static int take_values(const json_t *v, char ***out)
{
	const char *key;
	json_t *x;
	size_t i;

	if (json_is_null(v))
		return 0;
	if (json_is_array(v)) {
		json_array_foreach(v, i, x)
		{
			if (!json_is_string(x))
				return -EINVAL;
			if (strv_add(out, json_string_value(x)) < 0)
				return -ENOMEM;
		}
		return 0;
	}
	if (!json_is_object(v))
		return -EINVAL;
	json_object_foreach((json_t *)(uintptr_t)v, key, x)
	{
		if (!json_is_boolean(x))
			return -EINVAL;
		if (json_is_true(x) && strv_add(out, key) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool known(const char *const *allowed, const char *key)
{
	for (; *allowed; allowed++)
		if (streq(*allowed, key))
			return true;
	return false;
}

int filters_parse(const char *text, const char *const *allowed, struct filters **ret, struct err *e)
{
	auto_(filters_free) struct filters *f = calloc(1, sizeof(*f));
	auto_json json_t *j = NULL;
	const char *key;
	json_t *v;
	int r;

	if (!f)
		return err_nomem(e);
	if (str_empty(text)) {
		*ret = TAKE_PTR(f);
		return 0;
	}
	r = json_read(text, strlen(text), &j, NULL);
	if (r < 0 || !(json_is_object(j) || json_is_null(j)))
		return err_invalid(e, "invalid filter");
	json_object_foreach(j, key, v)
	{
		if (!known(allowed, key))
			return err_invalid(e, "invalid filter '%s'", key);
		if (f->n == KEYS_MAX)
			return err_invalid(e, "invalid filter: too many keys");
		f->list[f->n].key = strdup(key);
		r = f->list[f->n].key ? take_values(v, &f->list[f->n].values) : -ENOMEM;
		f->n++;
		if (r == -ENOMEM)
			return err_nomem(e);
		if (r < 0)
			return err_invalid(e, "invalid filter"); /* as Docker: no key here */
	}
	*ret = TAKE_PTR(f);
	return 0;
}

char *const *filters_get(const struct filters *f, const char *key)
{
	for (size_t i = 0; i < f->n; i++)
		if (streq(f->list[i].key, key) && strv_len(f->list[i].values))
			return f->list[i].values;
	return NULL;
}

bool filters_exact(const struct filters *f, const char *key, const char *value)
{
	char *const *v = filters_get(f, key);

	return !v || strv_has(v, value);
}

bool filters_partial(const struct filters *f, const char *key, const char *value)
{
	char *const *v = filters_get(f, key);

	if (!v)
		return true;
	for (; *v; v++)
		if (strstr(value, *v))
			return true;
	return false;
}

bool filters_prefix(const struct filters *f, const char *key, const char *value)
{
	char *const *v = filters_get(f, key);

	if (!v)
		return true;
	for (; *v; v++)
		if (str_has_prefix(value, *v))
			return true;
	return false;
}

bool filters_labels(const struct filters *f, const char *key, const json_t *labels)
{
	char *const *v = filters_get(f, key);

	for (; v && *v; v++) {
		size_t n = strcspn(*v, "=");
		auto_free char *name = strndup(*v, n);
		const char *have = name ? json_string_value(json_object_get(labels, name)) : NULL;

		if (!have || ((*v)[n] && !streq(have, *v + n + 1)))
			return false;
	}
	return true;
}

static int bad_bool(const char *key, char *const *v, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(512);

	/* Go's %s of a list; a longer one is cut off by the buffer */
	for (; v && *v; v++)
		if (buf_printf(&text, "%s%s", text.len ? " " : "", *v) < 0)
			break;
	return err_invalid(e, "invalid filter '%s=[%s]'", key, buf_str(&text));
}

int filters_bool(const struct filters *f, const char *key, bool absent, bool *ret, struct err *e)
{
	char *const *v = filters_get(f, key);
	bool yes = v && (strv_has(v, "1") || strv_has(v, "true"));
	bool no = v && (strv_has(v, "0") || strv_has(v, "false"));

	if (v && yes == no)
		return bad_bool(key, v, e);
	*ret = v ? yes : absent;
	return 0;
}
