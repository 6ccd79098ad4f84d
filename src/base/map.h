/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.h - a hash map from strings (copied) to pointers (borrowed), iterated in insertion order
 *
 * Keyed with a random seed per map (hostile names cannot build long chains). Expected O(1).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"

struct map;
int map_new(struct map **ret) MUST_CHECK;
void map_free(struct map *m); /* NULL allowed; values are the caller's */
DEFINE_AUTO(struct map, map_free);
void *map_get(const struct map *m, const char *key); /* NULL if absent */
/* map_put() - insert or replace. Return: 1 new, 0 replaced, -ENOMEM. @value must not be NULL. */
int map_put(struct map *m, const char *key, void *value) MUST_CHECK;
void *map_del(struct map *m, const char *key); /* the removed value or NULL */
size_t map_len(const struct map *m);
/*
 * map_next() - iterate: start with *pos = 0; returns the value and its key, NULL at the end.
 * Deleting the entry just returned is allowed while iterating; inserting is not.
 */
void *map_next(const struct map *m, size_t *pos, const char **ret_key);
