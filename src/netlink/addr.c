/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.c - addresses and routes of both families, an endpoint's set-up */

#include <net/if.h> /* before the kernel's headers, which then leave its names alone */

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink/internal.h"

static uint8_t af(struct ip ip)
{
	return ip.family == 6 ? AF_INET6 : AF_INET;
}

static void put_ip(struct rtnl *nl, struct nlmsghdr *nh, uint16_t type, struct ip ip)
{
	uint8_t b[16];

	nlsock_put(&nl->s, nh, type, b, ip_bytes(ip, b));
}

static bool get_ip(const struct nlattr *a, struct ip *ret)
{
	return ip_from_bytes(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), ret) >= 0;
}

static struct nlmsghdr *addr_msg(struct rtnl *nl, uint16_t type, uint16_t flags, int ifindex,
				 struct cidr addr)
{
	struct nlmsghdr *nh = nlsock_begin(&nl->s, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nh, sizeof(*ifa));

	ifa->ifa_family = af(addr.ip);
	ifa->ifa_prefixlen = addr.len;
	ifa->ifa_index = (uint32_t)ifindex;
	ifa->ifa_scope = ip_is_link_local(addr.ip) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	ifa->ifa_flags = addr.ip.family == 6 ? IFA_F_NODAD : 0;
	put_ip(nl, nh, IFA_LOCAL, addr.ip);
	put_ip(nl, nh, IFA_ADDRESS, addr.ip);
	if (type == RTM_NEWADDR && addr.ip.family == 4 && addr.len < 31)
		put_ip(nl, nh, IFA_BROADCAST, cidr_last(addr));
	return nh;
}

int rtnl_addr_add(struct rtnl *nl, int ifindex, struct cidr addr, struct err *e)
{
	struct nlmsghdr *nh = addr_msg(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, addr);
	int r = nlsock_call(&nl->s, nh, NULL, NULL);
	char text[CIDR_STR];

	return r == -EEXIST ? 0 : rtnl_fail(nl, r, e, "cannot add address", cidr_str(addr, text));
}

int rtnl_addr_del(struct rtnl *nl, int ifindex, struct cidr addr, struct err *e)
{
	struct nlmsghdr *nh = addr_msg(nl, RTM_DELADDR, 0, ifindex, addr);
	int r = nlsock_call(&nl->s, nh, NULL, NULL);
	char text[CIDR_STR];

	return r == -EADDRNOTAVAIL || r == -ENODEV
		       ? 0
		       : rtnl_fail(nl, r, e, "cannot delete address", cidr_str(addr, text));
}

struct addr_walk {
	rtnl_addr_fn fn;
	void *data;
	int result;
};

static int walk_addr(const struct nlmsghdr *nh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nh);
	struct addr_walk *w = data;
	struct cidr c = {.len = ifa->ifa_prefixlen};
	const struct nlattr *a;
	bool local = false;

	if (w->result)
		return 0;
	/* of a point-to-point link IFA_ADDRESS is the peer's; IPv6 has no IFA_LOCAL otherwise */
	mnl_attr_for_each(a, nh, sizeof(*ifa))
	{
		if (mnl_attr_get_type(a) == IFA_LOCAL)
			local = get_ip(a, &c.ip);
		else if (mnl_attr_get_type(a) == IFA_ADDRESS && !local)
			(void)get_ip(a, &c.ip);
	}
	if (ip_set(c.ip))
		w->result = w->fn((int)ifa->ifa_index, c, w->data);
	return 0;
}

int rtnl_addr_each(struct rtnl *nl, rtnl_addr_fn fn, void *data)
{
	struct nlmsghdr *nh = nlsock_begin(&nl->s, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nh, sizeof(*ifa));
	struct addr_walk w = {fn, data, 0};
	int r;

	ifa->ifa_family = AF_UNSPEC;
	r = nlsock_call(&nl->s, nh, walk_addr, &w);
	return r < 0 ? r : w.result;
}

struct found {
	int ifindex;
	struct cidr list[16];
	size_t n;
};

static int collect(int ifindex, struct cidr addr, void *data)
{
	struct found *f = data;

	if (ifindex == f->ifindex && f->n < ARRAY_SIZE(f->list) &&
	    !(addr.ip.family == 6 && ip_is_link_local(addr.ip)))
		f->list[f->n++] = addr;
	return 0;
}

int rtnl_addr_flush(struct rtnl *nl, int ifindex, struct err *e)
{
	struct found f;
	int r;

	do {
		f = (struct found){.ifindex = ifindex};
		r = rtnl_addr_each(nl, collect, &f);
		for (size_t i = 0; r >= 0 && i < f.n; i++)
			r = rtnl_addr_del(nl, ifindex, f.list[i], e);
	} while (r >= 0 && f.n == ARRAY_SIZE(f.list));
	return r;
}

/* ---- routes ---- */

static struct nlmsghdr *route_msg(struct rtnl *nl, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nh = nlsock_begin(&nl->s, type, flags);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nh, sizeof(*rt));

	rt->rtm_family = family;
	if ((flags & NLM_F_DUMP) == NLM_F_DUMP) /* its bits are REPLACE and EXCL elsewhere */
		return nh;
	rt->rtm_table = RT_TABLE_MAIN;
	if (type == RTM_DELROUTE) { /* whoever made it: the rest of the zeros mean any */
		rt->rtm_scope = RT_SCOPE_NOWHERE;
		return nh;
	}
	rt->rtm_protocol = RTPROT_STATIC;
	rt->rtm_scope = RT_SCOPE_UNIVERSE; /* of what lies behind a gateway */
	rt->rtm_type = RTN_UNICAST;
	return nh;
}

int rtnl_route_default(struct rtnl *nl, int fam, struct ip gateway, int ifindex, struct err *e)
{
	struct nlmsghdr *nh = route_msg(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
					fam == V6 ? AF_INET6 : AF_INET);
	char ip[IP_STR];

	if (ip_set(gateway))
		put_ip(nl, nh, RTA_GATEWAY, gateway);
	else if (fam == V4)
		((struct rtmsg *)mnl_nlmsg_get_payload(nh))->rtm_scope = RT_SCOPE_LINK;
	nlsock_u32(&nl->s, nh, RTA_OIF, (uint32_t)ifindex);
	return rtnl_fail(nl, nlsock_call(&nl->s, nh, NULL, NULL), e, "cannot route by",
			 ip_set(gateway) ? ip_str(gateway, ip) : "the link");
}

int rtnl_route_default_del(struct rtnl *nl, int fam, struct err *e)
{
	struct nlmsghdr *nh = route_msg(nl, RTM_DELROUTE, 0, fam == V6 ? AF_INET6 : AF_INET);
	int r = nlsock_call(&nl->s, nh, NULL, NULL);

	/* IPv6 says the latter where its table is empty */
	return r == -ESRCH || r == -ENOENT ? 0
					   : rtnl_fail(nl, r, e, "cannot delete route", "default");
}

struct route_walk {
	rtnl_route_fn fn;
	void *data;
	int result;
};

static int walk_route(const struct nlmsghdr *nh, void *data)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nh);
	struct route_walk *w = data;
	struct cidr dst = {ip_any(rt->rtm_family == AF_INET6 ? V6 : V4), rt->rtm_dst_len};
	uint32_t table = rt->rtm_table;
	const struct nlattr *a;
	int oif = 0;

	if (w->result || (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6) ||
	    rt->rtm_type == RTN_LOCAL || rt->rtm_type == RTN_BROADCAST ||
	    rt->rtm_type == RTN_MULTICAST || rt->rtm_type == RTN_ANYCAST)
		return 0;
	mnl_attr_for_each(a, nh, sizeof(*rt))
	{
		if (mnl_attr_get_type(a) == RTA_DST)
			(void)get_ip(a, &dst.ip);
		else if (mnl_attr_get_type(a) == RTA_OIF)
			oif = (int)mnl_attr_get_u32(a);
		else if (mnl_attr_get_type(a) == RTA_TABLE)
			table = mnl_attr_get_u32(a);
	}
	w->result = w->fn(dst, oif, table, w->data);
	return 0;
}

int rtnl_route_each(struct rtnl *nl, rtnl_route_fn fn, void *data)
{
	struct nlmsghdr *nh = route_msg(nl, RTM_GETROUTE, NLM_F_DUMP, AF_UNSPEC);
	struct route_walk w = {fn, data, 0};
	int r = nlsock_call(&nl->s, nh, walk_route, &w);

	return r < 0 ? r : w.result;
}

/* ---- an endpoint's set-up ---- */

int rtnl_endpoint_setup(struct rtnl *nl, const struct rtnl_endpoint_setup *s, struct err *e)
{
	struct rtnl_link l;
	int r = rtnl_link_get(nl, s->ifname, &l);

	if (r < 0)
		return rtnl_fail(nl, r, e, "cannot find link", s->ifname);
	for (size_t i = 0; r >= 0 && i < s->n_addrs; i++)
		r = rtnl_addr_add(nl, l.ifindex, s->addrs[i], e);
	return r < 0 ? r : rtnl_link_up(nl, l.ifindex, true, e);
}
