/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_map.c - the hash map against plain arrays; the intrusive list */

#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"
#include "tap.h"

#define KEYS 500

static int values[KEYS];
static bool present[KEYS];

static void small(void)
{
	auto_(map_free) struct map *m = NULL;
	char key[] = "k";
	const char *got = NULL;
	size_t pos = 0;

	ok(!map_get(NULL, "x") && map_len(NULL) == 0, "no map is an empty one");
	is_int(map_new(&m), 0, "made");
	ok(!map_get(m, "x") && !map_del(m, "x"), "what is not there");
	is_int(map_put(m, key, &values[0]), 1, "put");
	key[0] = 'x';
	ok(map_get(m, "k") == &values[0] && !map_get(m, "x"), "keys are copied");
	is_int(map_put(m, "k", &values[1]), 0, "replaced");
	is_int(map_len(m), 1, "still one");
	ok(map_next(m, &pos, &got) == &values[1] && !strcmp(got, "k"), "walked");
	ok(!map_next(m, &pos, &got), "to its end");
	ok(map_del(m, "k") == &values[1] && map_len(m) == 0, "deleted");
	is_int(map_put(m, "", &values[2]), 1, "an empty key is a key");
}

/* Many puts and deletes at random: the map holds what the array says, in the order it came. */
static void large(void)
{
	auto_(map_free) struct map *m = NULL;
	unsigned wrong = 0, left = 0;
	size_t pos = 0;
	char key[16];

	is_int(map_new(&m), 0, "made");
	for (int i = 0; i < 20000; i++) {
		uint32_t k = rand_below(KEYS);

		(void)snprintf(key, sizeof(key), "key-%u", k);
		wrong += map_get(m, key) != (present[k] ? &values[k] : NULL);
		if (rand_below(5) < 2) {
			wrong += map_del(m, key) != (present[k] ? &values[k] : NULL);
			present[k] = false;
		} else {
			wrong += map_put(m, key, &values[k]) != !present[k];
			present[k] = true;
		}
	}
	is_int(wrong, 0, "20,000 changes at random");
	for (size_t i = 0; i < KEYS; i++)
		left += present[i];
	is_int(map_len(m), left, "as many as there should be");
	while (map_next(m, &pos, NULL))
		left--;
	is_int(left, 0, "each walked over once");
}

static void ordered(void)
{
	auto_(map_free) struct map *m = NULL;
	unsigned next = 0, wrong = 0;
	const char *name;
	size_t pos = 0;
	char key[16];
	void *v;

	is_int(map_new(&m), 0, "made");
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		wrong += map_put(m, key, &values[i]) != 1;
	}
	while ((v = map_next(m, &pos, &name))) {
		wrong += v != &values[next++];
		wrong += map_del(m, name) != v; /* the entry just returned */
	}
	ok(!wrong && next == 100 && map_len(m) == 0, "walked in the order they came, deleting");
}

struct item {
	struct list node;
	int n;
};

static void lists(void)
{
	struct item a = {.n = 1}, b = {.n = 2}, c = {.n = 3}, *it;
	struct list head = {0};
	int sum = 0;

	ok(list_empty(&head), "a zeroed head is empty");
	list_init(&head);
	ok(list_empty(&head) && !list_linked(&a.node), "and one that was made");
	list_append(&head, &a.node);
	list_append(&head, &b.node);
	list_append(&head, &c.node);
	list_for_each (it, &head, node) {
		sum = sum * 10 + it->n;
		if (it->n == 2)
			list_remove(&it->node);
	}
	is_int(sum, 123, "in order, while the body removes one");
	list_remove(&b.node);
	sum = 0;
	list_for_each (it, &head, node)
		sum = sum * 10 + it->n;
	is_int(sum, 13, "which is gone; removing twice does no harm");
}

int main(void)
{
	small();
	large();
	ordered();
	lists();
	return tap_done();
}
