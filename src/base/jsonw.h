/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jsonw.h - a streaming JSON writer (RFC 8259) into a struct buf
 *
 * Writes commas and quoting itself; integers keep all 64 bits. Invalid UTF-8 becomes U+FFFD.
 * Inside an object give the key; inside an array or at top level the key is NULL.
 * Errors are the buf's sticky error. Not thread-safe.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define JSONW_DEPTH_MAX 64

struct jsonw {
	struct buf *out;
	unsigned depth;
	uint64_t started; /* bit per depth: a value was written there */
};

#define JSONW_INIT(outbuf) ((struct jsonw){.out = (outbuf)})

void jsonw_object(struct jsonw *w, const char *key);		     /* { */
void jsonw_array(struct jsonw *w, const char *key);		     /* [ */
void jsonw_end_object(struct jsonw *w);				     /* } */
void jsonw_end_array(struct jsonw *w);				     /* ] */
void jsonw_str(struct jsonw *w, const char *key, const char *value); /* NULL value: "" */
void jsonw_strf(struct jsonw *w, const char *key, const char *fmt, ...) PRINTF(3, 4);
void jsonw_str_or_null(struct jsonw *w, const char *key, const char *value);
void jsonw_i64(struct jsonw *w, const char *key, int64_t value);
void jsonw_u64(struct jsonw *w, const char *key, uint64_t value);
void jsonw_bool(struct jsonw *w, const char *key, bool value);
void jsonw_null(struct jsonw *w, const char *key);
void jsonw_strv(struct jsonw *w, const char *key, char *const *v);	/* NULL list: [] */
void jsonw_raw(struct jsonw *w, const char *key, const char *json);	/* trusted JSON text */
void jsonw_json(struct jsonw *w, const char *key, const json_t *value); /* NULL: null */
