/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filters.h - Docker's ?filters=: {"k":["v"]} and {"k":{"v":true}} alike. Pure; fuzzed.
 *
 * Unknown keys are refused with Docker's text: invalid filter 'x' (ERR_INVALID).
 */
#pragma once

#include <stdbool.h>

#include "base/json.h"

struct filters;
int filters_parse(const char *text /* NULL or "": none */,
		  const char *const *allowed /* NULL-terminated */, struct filters **ret,
		  struct err *e) MUST_CHECK;
void filters_free(struct filters *f);
DEFINE_AUTO(struct filters, filters_free);
char *const *filters_get(const struct filters *f,
			 const char *key); /* NULL-terminated list, NULL if not asked */
bool filters_exact(const struct filters *f, const char *key,
		   const char *value); /* true if not asked, or one equals */
bool filters_partial(const struct filters *f, const char *key,
		     const char *value); /* ... or one is a substring */
bool filters_prefix(const struct filters *f, const char *key,
		    const char *value); /* ... or one is a prefix of value */
bool filters_labels(const struct filters *f, const char *key,
		    const json_t *labels); /* all asked "k" or "k=v" hold */
int filters_bool(const struct filters *f, const char *key, bool absent, bool *ret,
		 struct err *e) MUST_CHECK;
