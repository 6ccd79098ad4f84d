/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pools.c - which subnet is the first free one */

#include "base/clock.h"
#include "net/internal.h"
#include "tap.h"

static const struct net_pool pools[] = {
	{{{0, 0xac110000, 4}, 16}, 16}, /* 172.17.0.0/16 */
	{{{0, 0xac120000, 4}, 16}, 16},
	{{{0, 0xac170000, 4}, 16}, 24}, /* 172.23.0.0/16 in /24s */
};

static struct span of(const char *text)
{
	struct cidr c = {0};

	if (cidr_parse(text, &c) < 0)
		printf("# not a subnet: %s\n", text);
	return (struct span){cidr_first(c), cidr_last(c)};
}

static const struct row {
	const char *blocked[6];
	const char *want; /* NULL: none left */
} rows[] = {
	{{NULL}, "172.17.0.0/16"},
	{{"172.17.0.0/16"}, "172.18.0.0/16"},
	{{"172.17.200.0/24"}, "172.18.0.0/16"},		       /* inside */
	{{"172.17.0.1/32"}, "172.18.0.0/16"},		       /* a nameserver */
	{{"172.17.255.255/32"}, "172.18.0.0/16"},	       /* its last address */
	{{"172.16.0.0/12"}, NULL},			       /* a VPN's route */
	{{"172.18.0.0/16", "172.17.0.0/16"}, "172.23.0.0/24"}, /* unsorted */
	{{"172.17.0.0/16", "172.18.0.0/16", "172.23.0.0/24", "172.23.1.0/25", "172.23.3.0/24"},
	 "172.23.2.0/24"},
	{{"172.17.0.0/16", "172.18.0.0/16", "172.23.0.0/17"}, "172.23.128.0/24"},
	{{"172.17.0.0/16", "172.17.0.0/16", "172.17.5.0/24", "172.18.0.0/15"}, "172.23.0.0/24"},
	{{"172.17.0.0/16", "172.18.0.0/16", "172.23.0.0/16"}, NULL},
	{{"0.0.0.0/0"}, NULL},
	{{"10.0.0.0/8", "192.168.0.0/16", "224.0.0.0/4"}, "172.17.0.0/16"},
};

static void table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct span list[6];
		struct cidr got;
		char text[CIDR_STR];
		size_t n = 0;
		int r;

		for (; n < 6 && rows[i].blocked[n]; n++)
			list[n] = of(rows[i].blocked[n]);
		r = pools_first_free(pools, ARRAY_SIZE(pools), list, n, &got);
		if (!rows[i].want)
			is_int(r, -ENOSPC, "row %zu: nothing is left", i);
		else
			is_str(r < 0 ? "none" : cidr_str(got, text), rows[i].want, "row %zu: %s", i,
			       rows[i].want);
	}
}

static void ends_of_the_world(void)
{
	static const struct net_pool top = {{{0, 0xffff0000, 4}, 16}, 24},
				     odd = {{{0, 0x0a000000, 4}, 24}, 16};
	struct span all = {ip_v4(0xffff0000), ip_v4(0xfffffeff)};
	struct cidr got;
	char text[CIDR_STR];

	is_int(pools_first_free(&top, 1, &all, 1, &got), 0, "the last /24 of all");
	is_str(cidr_str(got, text), "255.255.255.0/24", "is found");
	all.last = ip_v4(0xffffffff);
	is_int(pools_first_free(&top, 1, &all, 1, &got), -ENOSPC, "no walk over the end");
	is_int(pools_first_free(&odd, 1, NULL, 0, &got), -ENOSPC,
	       "a size larger than its pool is none");
}

static void many(void)
{
	static const struct net_pool wide = {{{0, 0xac180000, 4}, 13}, 24}; /* 2,048 of them */
	static struct span list[4 * 2047];
	struct cidr got;
	int64_t begin;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) { /* each four times, backwards */
		uint32_t first = 0xac180000 + (uint32_t)((ARRAY_SIZE(list) - 1 - i) / 4) * 256;

		list[i] = (struct span){ip_v4(first), ip_v4(first + 255)};
	}
	begin = clock_mono_ns();
	r = pools_first_free(&wide, 1, list, ARRAY_SIZE(list), &got);
	printf("# %zu spans: %.3f ms\n", ARRAY_SIZE(list), (double)(clock_mono_ns() - begin) / 1e6);
	is_int(r, 0, "the one of 2,048 that is free");
	ok(ip_eq(got.ip, ip_v4(0xac180000 + 2047 * 256)), "is the last");
}

static void six(void)
{
	static const struct net_pool ula = {{{0xfd00000000010000, 0, 6}, 48}, 64};
	struct span blocked[] = {of("fd00:0:1::/64"), of("0.0.0.0/0"), of("fd00:0:1:1::5/128")};
	struct span all = of("fd00::/8");
	struct cidr got;
	char text[CIDR_STR];

	is_int(pools_first_free(&ula, 1, blocked, 3, &got), 0, "a /64 of a /48");
	is_str(cidr_str(got, text), "fd00:0:1:2::/64", "IPv4 blocks none of it");
	is_int(pools_first_free(&ula, 1, &all, 1, &got), -ENOSPC, "all of it is taken");
	blocked[0] = of("fd00:0:1::/49");
	blocked[1] = of("fd00:0:1:8000::/50");
	is_int(pools_first_free(&ula, 1, blocked, 2, &got), 0, "three quarters are");
	is_str(cidr_str(got, text), "fd00:0:1:c000::/64", "the last quarter");
}

int main(void)
{
	table();
	ends_of_the_world();
	many();
	six();
	return tap_done();
}
