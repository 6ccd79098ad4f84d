/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * str.h - strict parsing and string lists
 *
 * Numbers: the whole string must be a decimal number without sign, space or excess; otherwise
 * -EINVAL, out of range -ERANGE, and the out-parameter is untouched. Thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"

int parse_u16(const char *s, uint16_t *ret) MUST_CHECK;
int parse_u32(const char *s, uint32_t *ret) MUST_CHECK;
int parse_u64(const char *s, uint64_t *ret) MUST_CHECK;
int parse_i64(const char *s, int64_t *ret) MUST_CHECK; /* a leading '-' allowed */
int parse_bool(const char *s, bool *ret) MUST_CHECK;   /* 1 t T TRUE true True, 0 f F FALSE ... */

/* Go's strconv-less size: "64m", "1g", "10kb", "1.5GiB" -> bytes (docker/go-units RAMInBytes) */
int parse_ram(const char *s, int64_t *ret_bytes) MUST_CHECK;

static inline bool streq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
bool str_is_hex(const char *s);			     /* non-empty, [0-9a-f] only */
char *str_printf(const char *fmt, ...) PRINTF(1, 2); /* malloc'ed, NULL on OOM */
int str_set(char **dst, const char *src); /* replaces *dst by a copy (src NULL: NULL); 0/-ENOMEM */

/* A NULL-terminated list of malloc'ed strings; NULL is the empty list. */
void strv_free(char **v);
size_t strv_len(char *const *v);
int strv_add(char ***v, const char *s);	       /* appends a copy; 0/-ENOMEM */
int strv_add_unique(char ***v, const char *s); /* 1 added, 0 was there, -ENOMEM */
int strv_addf(char ***v, const char *fmt, ...) PRINTF(2, 3);
bool strv_has(char *const *v, const char *s);
char **strv_copy(char *const *v);					/* NULL for empty or OOM */
int strv_split(const char *s, const char *sep, char ***ret) MUST_CHECK; /* keeps empty parts */
DEFINE_AUTO(char *, strv_free);
#define auto_strv auto_(strv_free)
