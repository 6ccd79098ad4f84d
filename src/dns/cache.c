/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.c - a map of answers, and two lists in the order of their last use: asked for once, and
 * again. What came once goes first, so that a flood of names nobody asks for twice leaves alone
 * what others live on.
 */

#include "dns/cache.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

#define AGAIN_MAX (CACHE_ENTRIES / 4 * 3)

struct entry {
	struct list node; /* cache->once or ->again: the longest unused first */
	bool again;
	char *key;
	int64_t born_ns, dies_ns;
	size_t len;
	uint8_t msg[];
};

struct cache {
	struct map *entries;
	struct list once, again;
	size_t n_again;
	size_t bytes;
};

static char *key_of(const char *scope, const struct dns_query *q)
{
	char name[DNAME_TEXT];

	return str_printf("%s %s %u %u %d%d%d", scope, dname_text(&q->name, name), q->type,
			  q->class, q->edns, q->dnssec_ok, q->flags & (DNS_RD | DNS_AD | DNS_CD));
}

static size_t weight(const struct entry *en)
{
	return sizeof(*en) + en->len + 2 * strlen(en->key);
}

static void drop(struct cache *c, struct entry *en)
{
	c->bytes -= weight(en);
	c->n_again -= en->again;
	list_remove(&en->node);
	(void)map_del(c->entries, en->key);
	free(en->key);
	free(en);
}

static bool drop_oldest(struct cache *c)
{
	struct list *from = list_empty(&c->once) ? &c->again : &c->once;

	if (list_empty(from))
		return false;
	drop(c, list_entry(from->next, struct entry, node));
	return true;
}

static void used(struct cache *c, struct entry *en)
{
	list_remove(&en->node);
	list_append(&c->again, &en->node);
	c->n_again += !en->again;
	en->again = true;
	if (c->n_again <= AGAIN_MAX)
		return;
	en = list_entry(c->again.next, struct entry, node); /* back, as if it had just come */
	list_remove(&en->node);
	list_append(&c->once, &en->node);
	en->again = false;
	c->n_again--;
}

void cache_put(struct cache *c, const char *scope, const struct dns_query *q,
	       const struct cached *answer, int64_t now_ns)
{
	char *key = answer->len <= CACHE_MESSAGE ? key_of(scope, q) : NULL;
	struct entry *old = key ? map_get(c->entries, key) : NULL, *en;

	if (!key)
		return;
	if (old)
		drop(c, old);
	while ((map_len(c->entries) >= CACHE_ENTRIES || c->bytes >= CACHE_BYTES) && drop_oldest(c))
		;
	en = malloc(sizeof(*en) + answer->len);
	if (!en || map_put(c->entries, key, en) < 0) {
		free(en);
		free(key);
		return;
	}
	*en = (struct entry){.key = key, .born_ns = now_ns, .len = answer->len};
	en->dies_ns = now_ns + (int64_t)answer->ttl * NS_PER_S;
	memcpy(en->msg, answer->msg, answer->len);
	c->bytes += weight(en);
	list_append(&c->once, &en->node);
}

size_t cache_get(struct cache *c, const char *scope, const struct dns_query *q, int64_t now_ns,
		 uint8_t *out)
{
	auto_free char *key = key_of(scope, q);
	struct entry *en = key ? map_get(c->entries, key) : NULL;

	if (!en)
		return 0;
	if (now_ns >= en->dies_ns) {
		drop(c, en);
		return 0;
	}
	used(c, en);
	memcpy(out, en->msg, en->len);
	response_age(out, en->len, (uint32_t)((now_ns - en->born_ns) / NS_PER_S));
	return response_fit(out, en->len, q);
}

size_t cache_len(const struct cache *c)
{
	return map_len(c->entries);
}

int cache_new(struct cache **ret)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	list_init(&c->once);
	list_init(&c->again);
	if (map_new(&c->entries) < 0) {
		free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	while (drop_oldest(c))
		;
	map_free(c->entries);
	free(c);
}
