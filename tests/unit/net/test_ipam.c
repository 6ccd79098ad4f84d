/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ipam.c - the addresses of one subnet */

#include "net/ipam.h"
#include "tap.h"

static struct ipam *make(const char *subnet, const char *range)
{
	struct cidr s, r;
	struct ipam *p = NULL;

	if (cidr_parse(subnet, &s) < 0 || cidr_parse(range ? range : subnet, &r) < 0 ||
	    ipam_new(s, r, &p) < 0)
		return NULL;
	return p;
}

static struct ip ip(const char *s)
{
	struct ip a = {0};

	return s && ip_parse(s, &a) >= 0 ? a : (struct ip){0};
}

/* takes @want (NULL: any) and gets @get */
static void gives(struct ipam *p, const char *want, const char *get)
{
	char text[IP_STR];
	struct ip a = {0};

	is_int(ipam_take(p, ip(want), &a), 0, "an address is given");
	is_str(ip_str(a, text), get, "it is %s", get);
}

static void next_fit(void)
{
	auto_(ipam_free) struct ipam *p = make("10.0.0.0/29", NULL);
	struct ip a = {0};

	for (int i = 1; i <= 6; i++) {
		char want[IP_STR];

		(void)snprintf(want, sizeof(want), "10.0.0.%d", i);
		gives(p, NULL, want);
	}
	is_int(ipam_take(p, ip(NULL), &a), -ENOSPC,
	       "a /29 has six: neither network nor broadcast address");
	ok(!ip_set(a), "untouched on failure");
	ipam_release(p, ip("10.0.0.2"));
	ipam_release(p, ip("10.0.0.5"));
	gives(p, NULL, "10.0.0.2");
	ipam_release(p, ip("10.0.0.2"));
	gives(p, NULL, "10.0.0.5");
	gives(p, NULL, "10.0.0.2");
}

static void reused_last(void)
{
	auto_(ipam_free) struct ipam *p = make("10.1.0.0/24", NULL);
	struct ip a = {0}, first = {0};

	is_int(ipam_take(p, ip(NULL), &first), 0, "the first");
	for (int i = 0; i < 253; i++) {
		ipam_release(p, first);
		if (ipam_take(p, ip(NULL), &a) < 0 || ip_eq(a, first)) {
			ok(false, "given again after %d others", i);
			return;
		}
		ipam_release(p, a);
	}
	is_int(ipam_take(p, ip(NULL), &a), 0, "after all others");
	ok(ip_eq(a, first), "the first comes again");
}

static void wanted(void)
{
	auto_(ipam_free) struct ipam *p = make("172.20.0.0/16", "172.20.10.0/24");
	struct ip a = {0};

	gives(p, NULL, "172.20.10.0");
	gives(p, "172.20.10.5", "172.20.10.5");
	is_int(ipam_take(p, ip("172.20.10.5"), &a), -EADDRINUSE, "taken");
	gives(p, "172.20.99.1", "172.20.99.1");
	is_int(ipam_take(p, ip("172.20.99.1"), &a), -EADDRINUSE, "taken outside the range");
	ipam_release(p, ip("172.20.99.1"));
	gives(p, "172.20.99.1", "172.20.99.1");
	is_int(ipam_take(p, ip("172.21.0.1"), &a), -ERANGE, "outside the subnet");
	is_int(ipam_take(p, ip("172.20.0.0"), &a), -ERANGE, "the network's address");
	is_int(ipam_take(p, ip("172.20.255.255"), &a), -ERANGE, "the broadcast address");
	ipam_release(p, ip("9.9.9.9")); /* nobody's: nothing happens */
}

static void kept(void)
{
	auto_(ipam_free) struct ipam *p = make("10.2.0.0/29", NULL);
	struct ip a = {0};

	ipam_keep(p, ip("10.2.0.1"), true);
	ipam_keep(p, ip("10.2.0.4"), true);
	ipam_keep(p, ip("10.9.0.4"), true); /* not of this subnet */
	for (int i = 0; i < 3; i++) {
		is_int(ipam_take(p, ip(NULL), &a), 0, "a free one");
		ok(!ip_eq(a, ip("10.2.0.1")) && !ip_eq(a, ip("10.2.0.4")), "not one that is kept");
	}
	gives(p, "10.2.0.4", "10.2.0.4");
	is_int(ipam_take(p, ip(NULL), &a), 0, "the last free one");
	ok(ip_eq(a, ip("10.2.0.6")), "is the sixth");
	gives(p, NULL, "10.2.0.1"); /* rather a kept one than none */
	is_int(ipam_take(p, ip(NULL), &a), -ENOSPC, "now it is full");
	ipam_release(p, ip("10.2.0.1"));
	ipam_keep(p, ip("10.2.0.1"), false);
	gives(p, NULL, "10.2.0.1");
}

static void large(void)
{
	auto_(ipam_free) struct ipam *p = make("10.0.0.0/8", NULL),
				     *one = make("10.0.0.0/16", "10.0.7.7/32");
	struct ip a = {0};
	uint32_t n = 0;

	for (; n < 60000 && ipam_take(p, ip(NULL), &a) >= 0; n++)
		;
	is_int(n, 60000, "many of a /8");
	ok(ip_eq(a, ip_add(ip("10.0.0.0"), 60000)), "in order");
	gives(one, NULL, "10.0.7.7");
	is_int(ipam_take(one, ip(NULL), &a), -ENOSPC, "a range of one address");
}

static void six(void)
{
	auto_(ipam_free) struct ipam *p = make("fd00:1::/64", NULL),
				     *small = make("fd00:2::/126", NULL);
	struct ip a = {0};

	gives(p, NULL, "fd00:1::1"); /* :: is the routers' anycast address */
	gives(p, NULL, "fd00:1::2");
	gives(p, "fd00:1::ffff:ffff:ffff:ffff", "fd00:1::ffff:ffff:ffff:ffff");
	is_int(ipam_take(p, ip("fd00:1::ffff:ffff:ffff:ffff"), &a), -EADDRINUSE, "once");
	is_int(ipam_take(p, ip("fd00:1::"), &a), -ERANGE, "the anycast address");
	is_int(ipam_take(p, ip("10.0.0.1"), &a), -ERANGE, "of another family");
	for (int i = 1; i <= 3; i++) {
		char want[IP_STR];

		(void)snprintf(want, sizeof(want), "fd00:2::%d", i);
		gives(small, NULL, want);
	}
	is_int(ipam_take(small, ip(NULL), &a), -ENOSPC, "a /126 has three: no broadcast address");
}

int main(void)
{
	next_fit();
	reused_last();
	wanted();
	kept();
	large();
	six();
	return tap_done();
}
