/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.c - the host's own routes and addresses, which no subnet of ours may touch
 *
 * Reading them all for every new network costs more the more networks there are (0.9 ms with 300),
 * most of it our own. So what is not ours is kept, and read again when the kernel has told of a
 * change of a route or an address that is not on a bridge of ours. Its messages wait in a socket
 * that is looked into when the answer is needed: nothing is missed and nothing is late.
 *
 * Source: rtnetlink(7)
 */

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "net/internal.h"

void spans_add(struct spans *s, struct cidr c)
{
	if (s->n == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct span *more = reallocarray(s->list, room, sizeof(*more));

		if (!more) {
			s->fail = -ENOMEM;
			return;
		}
		s->list = more;
		s->room = room;
	}
	s->list[s->n++] = (struct span){cidr_first(c), cidr_last(c)};
}

/* ---- whose is it ---- */

static bool is_ours(const struct net *n, int ifindex)
{
	char key[12];

	(void)snprintf(key, sizeof(key), "%d", ifindex);
	return ifindex && map_get(n->our_links, key);
}

bool host_is_ours(int ifindex, void *net)
{
	return is_ours(net, ifindex);
}

void host_ours(struct net *n, int ifindex)
{
	static char present;
	char key[12];

	(void)snprintf(key, sizeof(key), "%d", ifindex);
	/* unknown, it only costs reading once more */
	if (map_put(n->our_links, key, &present) < 0)
		n->host_known = false;
}

/* ---- changes ---- */

static int message_ifindex(const struct nlmsghdr *nh)
{
	const struct nlattr *a;

	switch (nh->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (mnl_nlmsg_get_payload_len(nh) < sizeof(struct ifaddrmsg))
			return 0;
		return (int)((const struct ifaddrmsg *)mnl_nlmsg_get_payload(nh))->ifa_index;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (mnl_nlmsg_get_payload_len(nh) < sizeof(struct rtmsg))
			return 0;
		mnl_attr_for_each(
			a, nh, sizeof(struct rtmsg)) if (mnl_attr_get_type(a) == RTA_OIF &&
							 mnl_attr_get_payload_len(a) ==
								 4) return (int)mnl_attr_get_u32(a);
	}
	return 0;
}

static void take_changes(struct net *n)
{
	_Alignas(struct nlmsghdr) char buf[8192];

	for (;;) {
		ssize_t got = recv(mnl_socket_get_fd(n->changes), buf, sizeof(buf), MSG_DONTWAIT);
		const struct nlmsghdr *nh = (const struct nlmsghdr *)buf;
		int len = (int)got;

		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (got < 0 && errno != EINTR) /* ENOBUFS: some were lost */
			n->host_known = false;
		if (got == 0)
			return;
		for (; got > 0 && mnl_nlmsg_ok(nh, len); nh = mnl_nlmsg_next(nh, &len))
			if (!is_ours(n, message_ifindex(nh)))
				n->host_known = false;
	}
}

/* ---- reading ---- */

static void note_uplink(struct net *n, int oif)
{
	struct rtnl_link l;

	if (oif && rtnl_link_by_index(n->rtnl, oif, &l) >= 0 && l.mtu > 0 &&
	    (!n->uplink_mtu || l.mtu < n->uplink_mtu))
		n->uplink_mtu = l.mtu;
}

struct uplinks {
	int list[8];
	size_t n;
};

struct reading {
	struct net *net;
	struct uplinks up;
};

static int block_route(struct cidr dst, int oif, uint32_t table, void *data)
{
	struct reading *r = data;

	(void)table;
	if (is_ours(r->net, oif))
		return 0;
	if (dst.len == 0 && r->up.n < ARRAY_SIZE(r->up.list))
		r->up.list[r->up.n++] = oif;
	/* a default route, also split in two halves, blocks nothing; every link has its fe80::/64
	 */
	if (dst.len > 1 && !(dst.ip.family == 6 && ip_is_link_local(dst.ip)))
		spans_add(&r->net->host, dst);
	return 0;
}

static int block_addr(int ifindex, struct cidr addr, void *data)
{
	struct reading *r = data;

	if (!is_ours(r->net, ifindex) && !(addr.ip.family == 6 && ip_is_link_local(addr.ip)))
		spans_add(&r->net->host, addr);
	return 0;
}

/* What is not ours, unless it is known from the last time. */
static int read_host(struct net *n)
{
	struct reading rd = {.net = n};
	int r;

	take_changes(n);
	if (n->host_known)
		return 0;
	n->host.n = 0;
	n->host.fail = 0;
	n->uplink_mtu = 0;
	r = rtnl_route_each(n->rtnl, block_route, &rd);
	if (r >= 0)
		r = rtnl_addr_each(n->rtnl, block_addr, &rd);
	if (r >= 0)
		r = n->host.fail;
	for (size_t i = 0; r >= 0 && i < rd.up.n; i++)
		note_uplink(n, rd.up.list[i]);
	n->host_known = r >= 0;
	return r;
}

int host_uplink_mtu(struct net *n)
{
	return read_host(n) < 0 ? 0 : n->uplink_mtu;
}

int host_blocked(struct net *n, struct spans *out, struct err *e)
{
	int r = read_host(n);

	if (r < 0)
		return err_sys(e, -r, "cannot read the host's routes and addresses");
	for (size_t i = 0; i < n->host.n; i++) {
		spans_add(out, (struct cidr){n->host.list[i].first, 0});
		if (!out->fail)
			out->list[out->n - 1] = n->host.list[i];
	}
	return 0;
}

int host_open(struct net *n)
{
	static const int groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_ROUTE,
				     RTNLGRP_IPV6_IFADDR};
	int r = map_new(&n->our_links);

	if (r < 0)
		return r;
	n->changes = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!n->changes || mnl_socket_bind(n->changes, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (mnl_socket_setsockopt(n->changes, NETLINK_ADD_MEMBERSHIP,
					  (void *)(uintptr_t)&groups[i], sizeof(int)) < 0)
			return -errno;
	return 0;
}

void host_close(struct net *n)
{
	if (n->changes)
		(void)mnl_socket_close(n->changes);
	map_free(n->our_links);
	free(n->host.list);
}
