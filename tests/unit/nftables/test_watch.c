/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_watch.c - the table is put back when somebody takes it away, and nothing else wakes us */

#include "base/buf.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "loop/spawn.h"
#include "nftables/nft.h"
#include "space.h"
#include "tap.h"

static struct loop *l;
static struct nft *n;
static unsigned repairs;

static void repaired(void *data)
{
	(void)data;
	repairs++;
}

static int nft(const char *command)
{
	const char *argv[] = {"nft", command, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	return spawn_wait(&s, NULL);
}

static void turn_until(unsigned want, int64_t ms)
{
	int64_t end = clock_mono_ns() + ms * NS_PER_MS;

	while (repairs < want && clock_mono_ns() < end)
		(void)loop_run_once(l, 20);
}

/* Kernel and libnftables know tables that are their owner's alone. */
static bool owned(void)
{
	const char *argv[] = {"sh", "-c", "nft list table inet atoll | grep -q 'flags owner'",
			      NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	return spawn_wait(&s, NULL) == 0;
}

static void refused(const char *way)
{
	bool intact = false, flush = !strcmp(way, "flush ruleset");

	ok((nft(way) == 0) == flush, "%s: %s", way, flush ? "leaves it out" : "refused");
	turn_until(1, 200);
	is_int(repairs, 0, "nothing to repair");
	ok(!nft_verify(n, &intact) && intact, "whole");
	is_int(nft("get element inet atoll nets { br1 }"), 0, "with its elements");
}

static void takes_away(void)
{
	static const char *const ways[] = {
		"delete table inet atoll",
		"flush ruleset",
		"flush table inet atoll",
		"flush chain inet atoll forward",
		"flush chain inet atoll detour",
		"insert rule inet atoll forward accept",
		"delete element inet atoll nets { br1 }",
		"add element inet atoll pair_ok { br1 . br9 }",
		"flush set inet atoll nets",
		/* as many as before */
		"delete element inet atoll nets { br1 } ; add element inet atoll nets { br9 }",
	};
	bool intact;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		repairs = 0;
		if (owned()) {
			refused(ways[i]);
			continue;
		}
		is_int(nft(ways[i]), 0, "%s", ways[i]);
		if (i + 1 < ARRAY_SIZE(ways)) /* the last is known by who did it alone */
			ok(!nft_verify(n, &intact) && !intact, "is seen");
		turn_until(1, 1000);
		is_int(repairs, 1, "and repaired within a second");
		ok(!nft_verify(n, &intact) && intact, "whole");
		is_int(nft("get element inet atoll nets { br1 }"), 0, "with its elements");
		ok(nft("get element inet atoll nets { br9 }") != 0 &&
			   nft("get element inet atoll pair_ok { br1 . br9 }") != 0,
		   "and no others");
	}
	repairs = 0;
	turn_until(1, 300);
	is_int(repairs, 0, "once: our own repair is no reason for another");
}

/* What is none of our business, and our own changes. */
static void leaves_alone(void)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);
	struct err e = {0};

	repairs = 0;
	is_int(nft("add table inet other"), 0, "a table of somebody's");
	is_int(nft("add chain inet other c"), 0, "its chain");
	is_int(nft("add rule inet other c accept"), 0, "its rule");
	is_int(nft("add table ip atoll"), 0, "a table named as ours in another family");
	is_int(nft("delete table ip atoll"), 0, "goes");
	is_int(nft("delete table inet other"), 0, "and the other");
	nft_add(tx, "nets", "\"br2\"");
	is_int(nft_apply(tx, &e), 0, "an element of ours");
	nft_del(tx, "nets", "\"br2\"");
	is_int(nft_apply(tx, &e), 0, "comes and goes");
	turn_until(1, 300);
	is_int(repairs, 0, "nothing is repaired");
}

int main(void)
{
	const char *why = space_enter();
	struct nft_tx *tx;
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (loop_new(&l) < 0 || nft_open(&n, &e) < 0)
		return 1;
	tx = nft_tx_new(n);
	nft_add(tx, "nets", "\"br1\"");
	is_int(nft_replace(tx, &e), 0, "the table %s", e.msg);
	nft_tx_free(tx);
	is_int(nft_watch(n, l, repaired, NULL), 0, "is watched");
	takes_away();
	leaves_alone();
	nft_close(n);
	is_int(nft("list table inet atoll"), 0, "closed, the table stays");
	(void)loop_run_once(l, 0);
	loop_free(l);
	return tap_done();
}
