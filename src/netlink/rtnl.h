/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl.h - rtnetlink verbs over libmnl: links, addresses, routes, bridge ports. No policy.
 *
 * A struct rtnl is one NETLINK_ROUTE socket bound to the network namespace it was opened in, with
 * extended acks. Calls block for the kernel's answer (0.1 to 0.5 ms). Not thread-safe: one socket,
 * one thread; a job that removes links opens its own. Failures return -errno and, where @e is
 * given, "<verb> <name>: <strerror> (<kernel's ext-ack text>)". Addresses in HOST order. A walk
 * (*_each) during which something changes may see entries twice.
 * Sources: rtnetlink(7), linux/if_link.h, Documentation/netlink/.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"

struct rtnl;
int rtnl_open(struct rtnl **ret) MUST_CHECK; /* in the calling thread's namespace */
void rtnl_close(struct rtnl *nl);
DEFINE_AUTO(struct rtnl, rtnl_close);

struct rtnl_link {
	int ifindex;
	int master; /* 0 none */
	int mtu;
	uint32_t group;
	uint32_t flags; /* IFF_* */
	uint8_t mac[6];
	char name[16];
	char kind[16]; /* "bridge", "veth", "" */
	char alias[256];
};
int rtnl_link_get(struct rtnl *nl, const char *name,
		  struct rtnl_link *ret) MUST_CHECK; /* -ENODEV */
int rtnl_link_by_index(struct rtnl *nl, int ifindex, struct rtnl_link *ret) MUST_CHECK;
typedef int (*rtnl_link_fn)(const struct rtnl_link *l, void *data); /* non-zero ends, is returned */
int rtnl_link_each(struct rtnl *nl, rtnl_link_fn fn, void *data) MUST_CHECK;

struct rtnl_bridge {
	const char *name;
	uint8_t mac[6]; /* fixed in the create message */
	int mtu;	/* 0: kernel's default */
	uint32_t group; /* IFLA_GROUP */
};
int rtnl_bridge_add(struct rtnl *nl, const struct rtnl_bridge *b, int *ret_ifindex,
		    struct err *e) MUST_CHECK; /* up, stp off */

struct rtnl_veth {
	const char *host_name;
	const char *peer_name;
	uint8_t peer_mac[6];
	int peer_netns; /* fd: the peer is born there */
	int master;	/* bridge ifindex the host end is born into, 0 none */
	int mtu;	/* 0 default */
	uint32_t group;
};
/* one message: host end up and enslaved, the peer down until it has its address
 * (rtnl_endpoint_setup). @ret_ifindex: host end */
int rtnl_veth_add(struct rtnl *nl, const struct rtnl_veth *v, int *ret_ifindex,
		  struct err *e) MUST_CHECK;
int rtnl_port_flags(struct rtnl *nl, int ifindex, bool hairpin, bool isolated,
		    struct err *e) MUST_CHECK;
int rtnl_link_del(struct rtnl *nl, int ifindex, struct err *e) MUST_CHECK; /* gone already: 0 */
int rtnl_group_del(struct rtnl *nl, uint32_t group,
		   struct err *e) MUST_CHECK; /* all links of a group */
int rtnl_link_up(struct rtnl *nl, int ifindex, bool up, struct err *e) MUST_CHECK;
int rtnl_link_rename(struct rtnl *nl, int ifindex, const char *name, struct err *e) MUST_CHECK;
int rtnl_link_group(struct rtnl *nl, int ifindex, uint32_t group, struct err *e) MUST_CHECK;
int rtnl_link_mac(struct rtnl *nl, int ifindex, const uint8_t mac[6], struct err *e) MUST_CHECK;
int rtnl_link_mtu(struct rtnl *nl, int ifindex, int mtu, struct err *e) MUST_CHECK;
int rtnl_link_netns(struct rtnl *nl, int ifindex, int netns_fd, struct err *e) MUST_CHECK;

int rtnl_addr_add(struct rtnl *nl, int ifindex, struct cidr4 addr,
		  struct err *e) MUST_CHECK; /* broadcast set; there already: 0 */
int rtnl_addr_del(struct rtnl *nl, int ifindex, struct cidr4 addr,
		  struct err *e) MUST_CHECK; /* gone: 0 */
int rtnl_addr_flush(struct rtnl *nl, int ifindex, struct err *e) MUST_CHECK;
typedef int (*rtnl_addr_fn)(int ifindex, struct cidr4 addr, void *data);
int rtnl_addr_each(struct rtnl *nl, rtnl_addr_fn fn, void *data) MUST_CHECK; /* IPv4 */
int rtnl_route_default(struct rtnl *nl, uint32_t gateway, int ifindex,
		       struct err *e) MUST_CHECK;		       /* replace */
int rtnl_route_default_del(struct rtnl *nl, struct err *e) MUST_CHECK; /* none: 0 */
/* IPv4 routes of ALL tables; local and broadcast types left out. @dst.len 0 is a default route */
typedef int (*rtnl_route_fn)(struct cidr4 dst, int oif, uint32_t table, void *data);
int rtnl_route_each(struct rtnl *nl, rtnl_route_fn fn, void *data) MUST_CHECK;

/* Inside a container's namespace, for one interface that was just born there with its MAC and MTU:
 * lo up (if @lo), address, up, default route (gateway 0: none). The address comes first, so that
 * what the kernel announces when the link comes up (arp_notify) is complete. */
struct rtnl_endpoint_setup {
	const char *ifname;
	struct cidr4 addr;
	uint32_t gateway;
	bool lo;
};
int rtnl_endpoint_setup(struct rtnl *nl, const struct rtnl_endpoint_setup *s,
			struct err *e) MUST_CHECK;
