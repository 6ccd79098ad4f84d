/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache.c - a map of answers and a list in the order of their last use */

#include "dns/cache.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

struct entry {
	struct list node; /* cache->used: the longest unused first */
	char *key;
	int64_t born_ns, dies_ns;
	size_t len;
	uint8_t msg[];
};

struct cache {
	struct map *entries;
	struct list used;
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
	list_remove(&en->node);
	(void)map_del(c->entries, en->key);
	free(en->key);
	free(en);
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
	while (!list_empty(&c->used) &&
	       (map_len(c->entries) >= CACHE_ENTRIES || c->bytes >= CACHE_BYTES))
		drop(c, list_entry(c->used.next, struct entry, node));
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
	list_append(&c->used, &en->node);
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
	list_remove(&en->node);
	list_append(&c->used, &en->node);
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
	list_init(&c->used);
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
	while (!list_empty(&c->used))
		drop(c, list_entry(c->used.next, struct entry, node));
	map_free(c->entries);
	free(c);
}
