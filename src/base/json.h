/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json.h - reading JSON with jansson: strict, depth-limited, keys exact first, then ignoring case
 *
 * Go servers read keys case-insensitively and clients rely on it. Getters with a wrong type fail
 * with ERR_INVALID and Go's wording, naming the key:
 *   json: cannot unmarshal string into Go struct field .Internal of type bool
 * (@owner goes before the dot, e.g. "NetworkCreateRequest"). null and absent mean "not given": the
 * out-parameter is set to its zero value. Returned pointers are borrowed from the object.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

static inline void json_decref_auto_(json_t **j)
{
	json_decref(*j);
}
#define auto_json __attribute__((cleanup(json_decref_auto_)))

/* json_read() - parse @len bytes; duplicate keys allowed (last wins). ERR_INVALID with position. */
int json_read(const char *text, size_t len, json_t **ret, struct err *e) MUST_CHECK;
json_t *json_get(const json_t *obj, const char *key); /* borrowed, NULL if absent or null */
int json_get_str(const json_t *obj, const char *owner, const char *key, const char **ret,
		 struct err *e) MUST_CHECK; /* absent: NULL */
int json_get_bool(const json_t *obj, const char *owner, const char *key, bool *ret,
		  struct err *e) MUST_CHECK;
int json_get_i64(const json_t *obj, const char *owner, const char *key, int64_t *ret,
		 struct err *e) MUST_CHECK; /* numbers with a fraction are refused */
int json_get_obj(const json_t *obj, const char *owner, const char *key, json_t **ret,
		 struct err *e) MUST_CHECK;
int json_get_arr(const json_t *obj, const char *owner, const char *key, json_t **ret,
		 struct err *e) MUST_CHECK;
/* array of strings, or (where @one_string) a single string, into a new strv (NULL if absent) */
int json_get_strv(const json_t *obj, const char *owner, const char *key, bool one_string,
		  char ***ret, struct err *e) MUST_CHECK;
/* object whose values are all strings: borrowed */
int json_get_strmap(const json_t *obj, const char *owner, const char *key, json_t **ret,
		    struct err *e) MUST_CHECK;
/* an array of the strings of @v (NULL: none). New; NULL: one is not valid UTF-8, or no memory */
json_t *json_strings(char *const *v);
