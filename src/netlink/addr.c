/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.c - IPv4 addresses and routes, an endpoint's set-up */

#include <net/if.h> /* before the kernel's headers, which then leave its names alone */

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink/internal.h"

static struct nlmsghdr *addr_msg(struct rtnl *nl, uint16_t type, uint16_t flags, int ifindex,
				 struct cidr4 addr)
{
	struct nlmsghdr *nh = nlsock_begin(&nl->s, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nh, sizeof(*ifa));
	uint32_t be = htonl(addr.addr), brd = htonl(cidr4_last(addr));

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = addr.len;
	ifa->ifa_index = (uint32_t)ifindex;
	nlsock_put(&nl->s, nh, IFA_LOCAL, &be, sizeof(be));
	nlsock_put(&nl->s, nh, IFA_ADDRESS, &be, sizeof(be));
	if (type == RTM_NEWADDR && addr.len < 31)
		nlsock_put(&nl->s, nh, IFA_BROADCAST, &brd, sizeof(brd));
	return nh;
}

int rtnl_addr_add(struct rtnl *nl, int ifindex, struct cidr4 addr, struct err *e)
{
	struct nlmsghdr *nh = addr_msg(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, addr);
	int r = nlsock_call(&nl->s, nh, NULL, NULL);
	char text[CIDR4_STR];

	return r == -EEXIST ? 0 : rtnl_fail(nl, r, e, "cannot add address", cidr4_str(addr, text));
}

int rtnl_addr_del(struct rtnl *nl, int ifindex, struct cidr4 addr, struct err *e)
{
	struct nlmsghdr *nh = addr_msg(nl, RTM_DELADDR, 0, ifindex, addr);
	int r = nlsock_call(&nl->s, nh, NULL, NULL);
	char text[CIDR4_STR];

	return r == -EADDRNOTAVAIL || r == -ENODEV
		       ? 0
		       : rtnl_fail(nl, r, e, "cannot delete address", cidr4_str(addr, text));
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
	const struct nlattr *a;

	if (w->result || ifa->ifa_family != AF_INET)
		return 0;
	mnl_attr_for_each(a, nh, sizeof(*ifa)) if (mnl_attr_get_type(a) == IFA_LOCAL &&
						   mnl_attr_get_payload_len(a) == 4)
	{
		struct cidr4 c = {ntohl(mnl_attr_get_u32(a)), ifa->ifa_prefixlen};

		w->result = w->fn((int)ifa->ifa_index, c, w->data);
		break;
	}
	return 0;
}

int rtnl_addr_each(struct rtnl *nl, rtnl_addr_fn fn, void *data)
{
	struct nlmsghdr *nh = nlsock_begin(&nl->s, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nh, sizeof(*ifa));
	struct addr_walk w = {fn, data, 0};
	int r;

	ifa->ifa_family = AF_INET;
	r = nlsock_call(&nl->s, nh, walk_addr, &w);
	return r < 0 ? r : w.result;
}

struct found {
	int ifindex;
	struct cidr4 list[16];
	size_t n;
};

static int collect(int ifindex, struct cidr4 addr, void *data)
{
	struct found *f = data;

	if (ifindex == f->ifindex && f->n < ARRAY_SIZE(f->list))
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

static struct nlmsghdr *route_msg(struct rtnl *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nh = nlsock_begin(&nl->s, type, flags);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nh, sizeof(*rt));

	rt->rtm_family = AF_INET;
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

int rtnl_route_default(struct rtnl *nl, uint32_t gateway, int ifindex, struct err *e)
{
	struct nlmsghdr *nh = route_msg(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	uint32_t be = htonl(gateway);
	char ip[IP4_STR];

	nlsock_put(&nl->s, nh, RTA_GATEWAY, &be, sizeof(be));
	nlsock_u32(&nl->s, nh, RTA_OIF, (uint32_t)ifindex);
	return rtnl_fail(nl, nlsock_call(&nl->s, nh, NULL, NULL), e, "cannot route by",
			 ip4_str(gateway, ip));
}

int rtnl_route_default_del(struct rtnl *nl, struct err *e)
{
	struct nlmsghdr *nh = route_msg(nl, RTM_DELROUTE, 0);
	int r = nlsock_call(&nl->s, nh, NULL, NULL);

	return r == -ESRCH ? 0 : rtnl_fail(nl, r, e, "cannot delete route", "default");
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
	struct cidr4 dst = {0, rt->rtm_dst_len};
	uint32_t table = rt->rtm_table;
	const struct nlattr *a;
	int oif = 0;

	if (w->result || rt->rtm_family != AF_INET || rt->rtm_type == RTN_LOCAL ||
	    rt->rtm_type == RTN_BROADCAST)
		return 0;
	mnl_attr_for_each(a, nh, sizeof(*rt))
	{
		if (mnl_attr_get_type(a) == RTA_DST && mnl_attr_get_payload_len(a) == 4)
			dst.addr = ntohl(mnl_attr_get_u32(a));
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
	struct nlmsghdr *nh = route_msg(nl, RTM_GETROUTE, NLM_F_DUMP);
	struct route_walk w = {fn, data, 0};
	int r = nlsock_call(&nl->s, nh, walk_route, &w);

	return r < 0 ? r : w.result;
}

/* ---- an endpoint's set-up ---- */

int rtnl_endpoint_setup(struct rtnl *nl, const struct rtnl_endpoint_setup *s, struct err *e)
{
	struct rtnl_link l;
	int r = s->lo ? rtnl_link_up(nl, 1, true, e)
		      : 0; /* lo is always the first link of a namespace */

	if (r >= 0) {
		r = rtnl_link_get(nl, s->ifname, &l);
		if (r < 0)
			return rtnl_fail(nl, r, e, "cannot find link", s->ifname);
	}
	if (r >= 0)
		r = rtnl_addr_add(nl, l.ifindex, s->addr, e);
	if (r >= 0)
		r = rtnl_link_up(nl, l.ifindex, true, e);
	if (r >= 0 && s->gateway)
		r = rtnl_route_default(nl, s->gateway, l.ifindex, e);
	return r;
}
