/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_scale.c - the 300th network costs what the first did, and so does a container on it */

#include "base/clock.h"
#include "net/internal.h"
#include "tap.h"
#include "world.h"

#define NETWORKS 300
#define PART	 20

static struct world w;

static double ms(int64_t ns)
{
	return (double)ns / 1e6;
}

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int64_t median(int64_t *list, size_t n)
{
	qsort(list, n, sizeof(*list), by_time);
	return list[n / 2];
}

static void life_of(int i, int64_t *start, int64_t *stop)
{
	char name[16];
	const char *const networks[] = {name, NULL};
	struct err e = {0};
	int64_t t0;

	(void)snprintf(name, sizeof(name), "net%d", i);
	if (world_join(&w, world_id('1'), "c", networks, &e) < 0)
		printf("# %s\n", e.msg);
	t0 = clock_mono_ns();
	if (world_start(&w, world_id('1'), "c", NULL, &e) < 0)
		printf("# %s\n", e.msg);
	*start = clock_mono_ns() - t0;
	t0 = clock_mono_ns();
	net_sandbox_stop(w.net, world_id('1'));
	*stop = clock_mono_ns() - t0;
	if (net_endpoint_remove(w.net, net_container_endpoint_next(w.net, world_id('1'), NULL),
				&e) < 0)
		printf("# %s\n", e.msg);
}

static void lives(const char *when, int first)
{
	int64_t start[PART], stop[PART];

	for (int i = 0; i < PART; i++)
		life_of(first + i, &start[i], &stop[i]);
	printf("# a container's network %s: start %.2f ms, stop %.2f ms\n", when,
	       ms(median(start, PART)), ms(median(stop, PART)));
	world_settle(&w);
}

int main(void)
{
	static int64_t create[NETWORKS], del[NETWORKS];
	const char *why = world_enter();
	int64_t t0, first, last;
	struct network *nw;
	struct err e = {0};
	char name[16];

	if (why)
		return tap_skip_all(why);
	if (!ok(world_open(&w, &e) >= 0, "a world (%s)", e.msg))
		return tap_done();
	for (int i = 0; i < NETWORKS; i++) {
		(void)snprintf(name, sizeof(name), "net%d", i);
		t0 = clock_mono_ns();
		nw = world_network(&w, name, NULL);
		create[i] = clock_mono_ns() - t0;
		if (!nw)
			break;
		if (i == PART)
			lives("of 20 networks", 0);
	}
	is_str(nw ? network_name(nw) : "none", "net299", "300 networks");
	lives("of 300 networks", NETWORKS - PART);
	t0 = clock_mono_ns();
	world_close(&w, false);
	printf("# closing %.1f ms\n", ms(clock_mono_ns() - t0));
	t0 = clock_mono_ns();
	ok(world_open(&w, &e) >= 0, "the next life (%s)", e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovers");
	printf("# opening with 300 networks %.1f ms\n", ms(clock_mono_ns() - t0));
	for (int i = NETWORKS - 1; i >= 0; i--) {
		(void)snprintf(name, sizeof(name), "net%d", i);
		if (net_find(w.net, name, &nw, &e) < 0)
			break;
		t0 = clock_mono_ns();
		if (net_remove(w.net, nw, &e) < 0)
			break;
		del[i] = clock_mono_ns() - t0;
	}
	is_int(net_find(w.net, "net0", &nw, &e), -ENOENT, "all are removed (%s)", e.msg);
	first = median(create, PART);
	last = median(create + NETWORKS - PART, PART);
	printf("# create: first %.2f ms, last %.2f ms\n", ms(first), ms(last));
	printf("# remove: first %.2f ms, last %.2f ms\n", ms(median(del, PART)),
	       ms(median(del + NETWORKS - PART, PART)));
	ok(last < first * 3 + 2000000, "the last is not much slower than the first");
	world_settle(&w);
	t0 = clock_mono_ns();
	world_close(&w, true);
	printf("# orderly end %.1f ms\n", ms(clock_mono_ns() - t0));
	return tap_done();
}
