/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pools.c - which subnet the next network gets
 *
 * Candidates come in the order of the pools. What blocks them - routes of all tables, addresses and
 * nameservers of the host, our own networks - is collected and sorted once a call; one walk over
 * both finds the first free candidate, whatever their numbers.
 */

#include <string.h>

#include "base/str.h"
#include "net/internal.h"

/* ---- pure ---- */

static int by_first(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorted and disjoint, so that one comparison answers for each candidate. Return: how many are
 * left. */
static size_t merge(struct span *list, size_t n)
{
	size_t k = 0;

	if (!n)
		return 0;
	qsort(list, n, sizeof(*list), by_first);
	for (size_t i = 1; i < n; i++) {
		if (list[i].first <= list[k].last)
			list[k].last = MAX(list[k].last, list[i].last);
		else
			list[++k] = list[i];
	}
	return k + 1;
}

/* The first span that ends at or behind @addr. */
static size_t behind(const struct span *list, size_t n, uint32_t addr)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (list[mid].last < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Jumps from one span's end to the next candidate behind it: as many turns as there are spans at
 * most. */
static bool first_in_pool(const struct net_pool *pool, const struct span *list, size_t n,
			  struct cidr4 *ret)
{
	uint32_t last = cidr4_last(pool->base);
	struct cidr4 c = {cidr4_first(pool->base), pool->size};

	if (pool->size < pool->base.len || pool->size > 30)
		return false;
	for (;;) {
		size_t i = behind(list, n, c.addr);
		uint32_t end;

		if (i == n || list[i].first > cidr4_last(c)) {
			*ret = c;
			return true;
		}
		end = MAX(list[i].last, cidr4_last(c)) | ~cidr4_mask(c.len);
		if (end >= last)
			return false;
		c.addr = end + 1;
	}
}

int pools_first_free(const struct net_pool *pools, size_t n_pools, struct span *blocked,
		     size_t n_blocked, struct cidr4 *ret)
{
	size_t n = merge(blocked, n_blocked);

	for (size_t i = 0; i < n_pools; i++)
		if (first_in_pool(&pools[i], blocked, n, ret))
			return 0;
	return -ENOSPC;
}

/* ---- what is blocked now ---- */

static int collect(struct net *n, struct spans *s, struct err *e)
{
	auto_strv char **servers = NULL;
	struct network *nw;
	int r = host_blocked(n, s, e);

	if (r >= 0 && (r = resolv_host_servers(&servers)) < 0)
		(void)err_nomem(e);
	if (r < 0)
		return r;
	for (size_t i = 0; servers && servers[i]; i++) {
		struct cidr4 c = {0, 32};

		if (ip4_parse(servers[i], &c.addr) >= 0)
			spans_add(s, c);
	}
	list_for_each (nw, &n->networks, node)
		if (nw->subnet.len)
			spans_add(s, nw->subnet);
	return s->fail ? err_nomem(e) : 0;
}

static const struct net_pool *pools(const struct net *n, size_t *ret_n)
{
	/* /16s as users know them, then 2,304 /24s; never 192.168/16 or 10/8 unasked */
	static const struct net_pool defaults[] = {
		{{0xac110000, 16}, 16}, {{0xac120000, 16}, 16}, {{0xac130000, 16}, 16},
		{{0xac140000, 16}, 16}, {{0xac150000, 16}, 16}, {{0xac160000, 16}, 16},
		{{0xac170000, 16}, 24}, {{0xac180000, 13}, 24},
	};

	*ret_n = n->config.n_pools ? n->config.n_pools : ARRAY_SIZE(defaults);
	return n->config.n_pools ? n->config.pools : defaults;
}

int pools_pick(struct net *n, struct cidr4 *ret, struct err *e)
{
	struct spans s = {0};
	size_t n_pools;
	const struct net_pool *list = pools(n, &n_pools);
	int r = collect(n, &s, e);

	if (r >= 0 && (r = pools_first_free(list, n_pools, s.list, s.n, ret)) < 0)
		r = err_invalid(e, "all predefined address pools have been fully subnetted");
	free(s.list);
	return r;
}

int pools_check(struct net *n, struct cidr4 subnet, struct err *e)
{
	struct network *nw;

	list_for_each (nw, &n->networks, node)
		if (nw->subnet.len && cidr4_overlap(nw->subnet, subnet))
			return err_forbidden(e, "invalid pool request: Pool overlaps with other "
						"one on this address space");
	return 0;
}
