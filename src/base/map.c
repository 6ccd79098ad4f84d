/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.c - chained hash map with entries kept in insertion order
 *
 * Entries live in one array in the order they came; buckets hold indices into it. Deleting leaves a
 * hole (value NULL) that the next growth squeezes out, so iteration by index survives deletion.
 */

#include "base/map.h"

#include <stdint.h>
#include <string.h>

#include "base/rand.h"

struct entry {
	char *key;
	void *value; /* NULL: a hole */
	uint64_t hash;
	uint32_t next; /* index + 1 of the next in the bucket, 0: none */
};

struct map {
	uint64_t seed;
	struct entry *entries;
	uint32_t *buckets;
	uint32_t n_buckets, used, room, live;
};

/* FNV-1a over a seed, mixed: short keys, and the seed is unknown to strangers. */
static uint64_t hash(const struct map *m, const char *key)
{
	uint64_t h = m->seed;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return h ^ (h >> 29);
}

int map_new(struct map **ret)
{
	struct map *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	rand_bytes(&m->seed, sizeof(m->seed));
	*ret = m;
	return 0;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->used; i++)
		free(m->entries[i].key);
	free(m->entries);
	free(m->buckets);
	free(m);
}

static struct entry *find(const struct map *m, const char *key, uint64_t h)
{
	uint32_t i;

	if (!m || !m->n_buckets)
		return NULL;
	for (i = m->buckets[h & (m->n_buckets - 1)]; i; i = m->entries[i - 1].next) {
		struct entry *en = &m->entries[i - 1];

		if (en->value && en->hash == h && !strcmp(en->key, key))
			return en;
	}
	return NULL;
}

void *map_get(const struct map *m, const char *key)
{
	struct entry *en = m && key ? find(m, key, hash(m, key)) : NULL;

	return en ? en->value : NULL;
}

/* Squeezes out holes and doubles the room where it is still needed. */
static int grow(struct map *m)
{
	uint32_t room = MAX(8u, m->live * 2), n_buckets = 8, used = 0;
	struct entry *entries = calloc(room, sizeof(*entries));
	uint32_t *buckets;

	while (n_buckets < room)
		n_buckets *= 2;
	buckets = calloc(n_buckets, sizeof(*buckets));
	if (!entries || !buckets) {
		free(entries);
		free(buckets);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < m->used; i++) {
		struct entry *en = &m->entries[i];
		uint32_t *b = &buckets[en->hash & (n_buckets - 1)];

		if (!en->value)
			continue;
		entries[used] = *en;
		entries[used].next = *b;
		*b = ++used;
	}
	free(m->entries);
	free(m->buckets);
	m->entries = entries;
	m->buckets = buckets;
	m->room = room;
	m->n_buckets = n_buckets;
	m->used = used;
	return 0;
}

int map_put(struct map *m, const char *key, void *value)
{
	uint64_t h = hash(m, key);
	struct entry *en = find(m, key, h);
	uint32_t *b;
	char *copy;

	if (en) {
		en->value = value;
		return 0;
	}
	copy = strdup(key);
	if (!copy || (m->used == m->room && grow(m) < 0)) {
		free(copy);
		return -ENOMEM;
	}
	b = &m->buckets[h & (m->n_buckets - 1)];
	m->entries[m->used] = (struct entry){.key = copy, .value = value, .hash = h, .next = *b};
	*b = ++m->used;
	m->live++;
	return 1;
}

void *map_del(struct map *m, const char *key)
{
	uint64_t h = m ? hash(m, key) : 0;
	struct entry *en = find(m, key, h);
	uint32_t *link;
	void *value;

	if (!en)
		return NULL;
	link = &m->buckets[h & (m->n_buckets - 1)];
	while (*link != (uint32_t)(en - m->entries) + 1)
		link = &m->entries[*link - 1].next;
	*link = en->next;
	value = en->value;
	free(en->key);
	*en = (struct entry){0};
	m->live--;
	return value;
}

size_t map_len(const struct map *m)
{
	return m ? m->live : 0;
}

void *map_next(const struct map *m, size_t *pos, const char **ret_key)
{
	while (m && *pos < m->used) {
		const struct entry *en = &m->entries[(*pos)++];

		if (!en->value)
			continue;
		if (ret_key)
			*ret_key = en->key;
		return en->value;
	}
	return NULL;
}
