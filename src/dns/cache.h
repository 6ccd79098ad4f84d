/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.h - servers' answers, kept as long as their TTLs allow
 *
 * Pure: time is given. Bounded in entries and bytes; what was asked for once goes first, then the
 * least recently used. Answers of
 * different @scope (who was asked, from where) are never mixed; a container that asks servers of
 * its own can spoil nobody else's. Keyed by name, type, class and the flags that change an answer.
 */
#pragma once

#include "dns/wire.h"

#define CACHE_ENTRIES 4096
#define CACHE_BYTES   (4u << 20)
#define CACHE_MESSAGE 4096 /* longer answers are not worth it */

struct cache;
int cache_new(struct cache **ret) MUST_CHECK;
void cache_free(struct cache *c);
DEFINE_AUTO(struct cache, cache_free);
struct cached {
	const uint8_t *msg;
	size_t len;
	uint32_t ttl; /* seconds it may be kept */
};
/* Keeps a copy of the answer; failing for want of memory is no failure. */
void cache_put(struct cache *c, const char *scope, const struct dns_query *q,
	       const struct cached *answer, int64_t now_ns);
/* The answer with its TTLs aged, fitted to @q, in @out (CACHE_MESSAGE). Return: length, 0 none */
size_t cache_get(struct cache *c, const char *scope, const struct dns_query *q, int64_t now_ns,
		 uint8_t *out);
size_t cache_len(const struct cache *c);
