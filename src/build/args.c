/* SPDX-License-Identifier: GPL-2.0-or-later */
/* args.c - build arguments */

#include "build/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

static const char *const proxies[] = {
	"ALL_PROXY", "FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
	"all_proxy", "ftp_proxy", "https_proxy", "http_proxy", "no_proxy",
};

static bool is_proxy(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		if (streq(name, proxies[i]))
			return true;
	return false;
}

int args_init(struct args *a, const json_t *given, struct err *e)
{
	const char *name;
	json_t *v;

	*a = (struct args){.given = json_object(),
			   .global = json_object(),
			   .stage = json_object(),
			   .declared = json_object()};
	if (!a->given || !a->global || !a->stage || !a->declared)
		return err_nomem(e);
	json_object_foreach((json_t *)given, name, v)
	{
		if (!json_is_string(v) && !json_is_null(v))
			return err_invalid(e, "error reading build args: json: cannot unmarshal "
					      "into Go value of type string");
		if (json_object_set(a->given, name, v) < 0)
			return err_nomem(e);
	}
	return 0;
}

void args_done(struct args *a)
{
	json_decref(a->given);
	json_decref(a->global);
	json_decref(a->stage);
	json_decref(a->declared);
	*a = (struct args){0};
}

int args_stage(struct args *a)
{
	return json_object_clear(a->stage) < 0 ? -ENOMEM : 0;
}

int args_declare(struct args *a, const char *text, bool global)
{
	const char *eq = strchr(text, '=');
	auto_free char *name = strndup(text, eq ? (size_t)(eq - text) : strlen(text));
	json_t *value = eq ? json_string(eq + 1) : json_null();

	if (!name || !value || json_object_set_new(a->declared, name, json_true()) < 0) {
		json_decref(value);
		return -ENOMEM;
	}
	return json_object_set_new(global ? a->global : a->stage, name, value) < 0 ? -ENOMEM : 0;
}

static const char *get(const struct args *a, const json_t *declared, const char *name)
{
	const json_t *v = json_object_get(declared, name);
	const char *text;

	if (!v && !is_proxy(name))
		return NULL;
	if (json_object_get(a->given, name)) /* null: named without a value, so not set */
		return json_string_value(json_object_get(a->given, name));
	text = json_string_value(v);
	return text ? text : json_string_value(json_object_get(a->global, name));
}

const char *args_get(const struct args *a, const char *name)
{
	return get(a, a->stage, name);
}

const char *args_get_global(const struct args *a, const char *name)
{
	return get(a, a->global, name);
}

const char *env_get(const json_t *env, const char *name)
{
	size_t len = strlen(name), i;
	json_t *s;

	json_array_foreach((json_t *)env, i, s)
	{
		const char *text = json_string_value(s);

		if (text && !strncmp(text, name, len) && text[len] == '=')
			return text + len + 1;
	}
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(char **v)
{
	if (v)
		qsort(v, strv_len(v), sizeof(*v), by_text);
}

static int list_one(const struct args *a, const json_t *env, const char *name, char ***v)
{
	const char *value = args_get(a, name);

	return value && !env_get(env, name) ? strv_addf(v, "%s=%s", name, value) : 0;
}

int args_list(const struct args *a, const json_t *env, char ***ret)
{
	auto_strv char **v = NULL;
	const char *name;
	json_t *ignored;
	int r = 0;

	json_object_foreach(a->stage, name, ignored)
	{
		if (r >= 0)
			r = list_one(a, env, name, &v);
	}
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(proxies); i++)
		if (!json_object_get(a->stage, proxies[i]))
			r = list_one(a, env, proxies[i], &v);
	if (r < 0)
		return r;
	sort(v);
	*ret = TAKE_PTR(v);
	return 0;
}

bool args_in_key(const struct args *a, const char *pair)
{
	auto_free char *name = strndup(pair, strcspn(pair, "="));

	return !name || !is_proxy(name) || json_object_get(a->declared, name);
}

int args_unused(const struct args *a, char ***ret)
{
	auto_strv char **v = NULL;
	const char *name;
	json_t *ignored;

	json_object_foreach(a->given, name, ignored)
	{
		if (!json_object_get(a->declared, name) && !is_proxy(name) &&
		    strv_add(&v, name) < 0)
			return -ENOMEM;
	}
	sort(v);
	*ret = TAKE_PTR(v);
	return 0;
}
