/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - reading JSON: getters that say what was wrong in Go's words */

#include "base/json.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

int json_read(const char *text, size_t len, json_t **ret, struct err *e)
{
	json_error_t je;
	json_t *j = json_loadb(text, len, JSON_DECODE_ANY, &je);

	if (!j)
		return err_invalid(e, "invalid JSON: %s (line %d, column %d)", je.text, je.line,
				   je.column);
	*ret = j;
	return 0;
}

json_t *json_get(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);
	const char *k;

	if (!v && json_is_object(obj)) {
		json_t *other;

		json_object_foreach((json_t *)obj, k, other) if (!strcasecmp(k, key)) v = other;
	}
	return json_is_null(v) ? NULL : v;
}

static const char *type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "bool";
	case JSON_NULL:
		break;
	}
	return "null";
}

static int wrong(const json_t *v, const char *owner, const char *key, const char *go_type,
		 struct err *e)
{
	return err_invalid(e, "json: cannot unmarshal %s into Go struct field %s.%s of type %s",
			   type_name(v), owner, key, go_type);
}

int json_get_str(const json_t *obj, const char *owner, const char *key, const char **ret,
		 struct err *e)
{
	const json_t *v = json_get(obj, key);

	if (v && !json_is_string(v))
		return wrong(v, owner, key, "string", e);
	*ret = json_string_value(v);
	return 0;
}

int json_get_bool(const json_t *obj, const char *owner, const char *key, bool *ret, struct err *e)
{
	const json_t *v = json_get(obj, key);

	if (v && !json_is_boolean(v))
		return wrong(v, owner, key, "bool", e);
	*ret = json_is_true(v);
	return 0;
}

int json_get_i64(const json_t *obj, const char *owner, const char *key, int64_t *ret, struct err *e)
{
	const json_t *v = json_get(obj, key);
	double d = json_is_real(v) ? json_real_value(v) : 0;

	if (v && !json_is_integer(v) &&
	    !(json_is_real(v) && fabs(d) < 9e15 && d == (double)(int64_t)d))
		return wrong(v, owner, key, "int64", e);
	*ret = json_is_real(v) ? (int64_t)d : json_integer_value(v);
	return 0;
}

int json_get_obj(const json_t *obj, const char *owner, const char *key, json_t **ret, struct err *e)
{
	json_t *v = json_get(obj, key);

	if (v && !json_is_object(v))
		return wrong(v, owner, key, "map[string]interface {}", e);
	*ret = v;
	return 0;
}

int json_get_arr(const json_t *obj, const char *owner, const char *key, json_t **ret, struct err *e)
{
	json_t *v = json_get(obj, key);

	if (v && !json_is_array(v))
		return wrong(v, owner, key, "[]interface {}", e);
	*ret = v;
	return 0;
}

int json_get_strv(const json_t *obj, const char *owner, const char *key, bool one_string,
		  char ***ret, struct err *e)
{
	auto_strv char **out = NULL;
	const json_t *v = json_get(obj, key);
	json_t *s;
	size_t i;

	if (one_string && json_is_string(v)) {
		if (strv_add(&out, json_string_value(v)) < 0)
			return err_nomem(e);
		*ret = TAKE_PTR(out);
		return 0;
	}
	if (v && !json_is_array(v))
		return wrong(v, owner, key, "[]string", e);
	json_array_foreach(v, i, s)
	{
		if (!json_is_string(s))
			return wrong(s, owner, key, "string", e);
		if (strv_add(&out, json_string_value(s)) < 0)
			return err_nomem(e);
	}
	*ret = TAKE_PTR(out);
	return 0;
}

int json_get_strmap(const json_t *obj, const char *owner, const char *key, json_t **ret,
		    struct err *e)
{
	json_t *v = json_get(obj, key), *s;
	const char *k;

	if (v && !json_is_object(v))
		return wrong(v, owner, key, "map[string]string", e);
	json_object_foreach(v, k, s) if (!json_is_string(s)) return wrong(s, owner, key, "string",
									  e);
	*ret = v;
	return 0;
}

json_t *json_strings(char *const *v)
{
	json_t *list = json_array();

	for (; list && v && *v; v++)
		if (json_array_append_new(list, json_string(*v)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}
