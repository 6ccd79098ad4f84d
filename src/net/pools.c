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

	return ip_cmp(x->first, y->first);
}

static struct ip later(struct ip a, struct ip b)
{
	return ip_cmp(a, b) < 0 ? b : a;
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
		if (ip_cmp(list[i].first, list[k].last) <= 0) /* so they are of one family */
			list[k].last = later(list[k].last, list[i].last);
		else
			list[++k] = list[i];
	}
	return k + 1;
}

/* The first span that ends at or behind @addr. */
static size_t behind(const struct span *list, size_t n, struct ip addr)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (ip_cmp(list[mid].last, addr) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Jumps from one span's end to the next candidate behind it: as many turns as there are spans at
 * most. */
static bool first_in_pool(const struct net_pool *pool, const struct span *list, size_t n,
			  struct cidr *ret)
{
	struct ip last = cidr_last(pool->base);
	struct cidr c = {cidr_first(pool->base), pool->size};

	if (pool->size < pool->base.len || pool->size > ip_width(last) - 2)
		return false;
	for (;;) {
		size_t i = behind(list, n, c.ip);
		struct ip end;

		if (i == n || ip_cmp(list[i].first, cidr_last(c)) > 0) {
			*ret = c;
			return true;
		}
		end = later(list[i].last, cidr_last(c));
		end = cidr_last((struct cidr){end, c.len});
		if (ip_cmp(end, last) >= 0)
			return false;
		c.ip = ip_add(end, 1);
	}
}

int pools_first_free(const struct net_pool *pools, size_t n_pools, struct span *blocked,
		     size_t n_blocked, struct cidr *ret)
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
		struct cidr c;

		if (ip_parse(servers[i], &c.ip) < 0)
			continue;
		c.len = ip_width(c.ip);
		spans_add(s, c);
	}
	list_for_each (nw, &n->networks, node)
		for (int fam = 0; fam < N_FAMILIES; fam++)
			if (nw->fam[fam].subnet.len)
				spans_add(s, nw->fam[fam].subnet);
	return s->fail ? err_nomem(e) : 0;
}

/* /16s as users know them, then 2,304 /24s; never 192.168/16 or 10/8 unasked */
#define POOL(addr, len, size)                                                                      \
	{                                                                                          \
		{{0, (addr), 4}, (len)}, (size)                                                    \
	}
static const struct net_pool defaults[] = {
	POOL(0xac110000, 16, 16), POOL(0xac120000, 16, 16), POOL(0xac130000, 16, 16),
	POOL(0xac140000, 16, 16), POOL(0xac150000, 16, 16), POOL(0xac160000, 16, 16),
	POOL(0xac170000, 16, 24), POOL(0xac180000, 13, 24),
};

/* The pools of one family, each cut into subnets of @size if one was asked for. Configured ones
 * replace the default ones of their family. */
static size_t pools_of(const struct net *n, int fam, uint8_t size, struct net_pool **ret)
{
	const struct net_config *c = &n->config;
	struct net_pool *list = calloc(c->n_pools + ARRAY_SIZE(defaults) + 1, sizeof(*list));
	size_t k = 0;

	for (size_t i = 0; list && i < c->n_pools; i++)
		if (ip_fam(c->pools[i].base.ip) == fam)
			list[k++] = c->pools[i];
	for (size_t i = 0; list && !k && fam == V4 && i < ARRAY_SIZE(defaults); i++)
		list[i] = defaults[i];
	if (!k && fam == V4)
		k = ARRAY_SIZE(defaults);
	if (list && !k && c->ula.len)
		list[k++] = (struct net_pool){c->ula, 64};
	for (size_t i = 0; list && size && i < k; i++)
		list[i].size = size;
	*ret = list;
	return k;
}

int pools_pick(struct net *n, int fam, uint8_t size, struct cidr *ret, struct err *e)
{
	struct spans s = {0};
	auto_free struct net_pool *list = NULL;
	size_t n_pools = pools_of(n, fam, size, &list);
	int r = list ? collect(n, &s, e) : err_nomem(e);

	if (r >= 0 && (r = pools_first_free(list, n_pools, s.list, s.n, ret)) < 0)
		r = err_invalid(e, "all predefined address pools have been fully subnetted");
	free(s.list);
	return r;
}

int pools_check(struct net *n, struct cidr subnet, struct err *e)
{
	struct network *nw;

	list_for_each (nw, &n->networks, node)
		if (cidr_overlap(nw->fam[ip_fam(subnet.ip)].subnet, subnet))
			return err_forbidden(e, "invalid pool request: Pool overlaps with other "
						"one on this address space");
	return 0;
}
