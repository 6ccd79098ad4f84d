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

void spans_add(struct spans *s, struct cidr4 c)
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
	s->list[s->n++] = (struct span){cidr4_first(c), cidr4_last(c)};
}

/* ---- whose is it ---- */

static bool is_ours(const struct net *n, int ifindex)
{
	char key[12];

	(void)snprintf(key, sizeof(key), "%d", ifindex);
	return ifindex && map_get(n->our_links, key);
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

static int block_route(struct cidr4 dst, int oif, uint32_t table, void *data)
{
	struct net *n = data;

	(void)table;
	if (dst.len > 1 &&
	    !is_ours(n, oif)) /* a default route, also split in two halves, blocks nothing */
		spans_add(&n->host, dst);
	return 0;
}

static int block_addr(int ifindex, struct cidr4 addr, void *data)
{
	struct net *n = data;

	if (!is_ours(n, ifindex))
		spans_add(&n->host, addr);
	return 0;
}

int host_blocked(struct net *n, struct spans *out, struct err *e)
{
	int r = 0;

	take_changes(n);
	if (!n->host_known) {
		n->host.n = 0;
		n->host.fail = 0;
		r = rtnl_route_each(n->rtnl, block_route, n);
		if (r >= 0)
			r = rtnl_addr_each(n->rtnl, block_addr, n);
		if (r >= 0)
			r = n->host.fail;
		if (r < 0)
			return err_sys(e, -r, "cannot read the host's routes and addresses");
		n->host_known = true;
	}
	for (size_t i = 0; i < n->host.n; i++) {
		spans_add(out, (struct cidr4){0, 32});
		if (!out->fail)
			out->list[out->n - 1] = n->host.list[i];
	}
	return 0;
}

int host_open(struct net *n)
{
	static const int groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_IFADDR};
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
