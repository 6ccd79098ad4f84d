/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl.h - rtnetlink verbs over libmnl: links, addresses, routes, bridge ports. No policy.
 *
 * A struct rtnl is one NETLINK_ROUTE socket bound to the network namespace it was opened in, with
 * extended acks. Calls block for the kernel's answer (0.1 to 0.5 ms). Not thread-safe: one socket,
 * one thread; a job that removes links opens its own. Failures return -errno and, where @e is
 * given, "<verb> <name>: <strerror> (<kernel's ext-ack text>)". A walk
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

/* The longest TCP packet that is handed from one link to the next uncut: BIG TCP where above 64 KiB
 * (Linux 5.19 for IPv6, 6.3 for IPv4). 0: as it is. Where such a packet must leave by a link that
 * takes less, the kernel cuts it in software. */
struct rtnl_gso {
	uint32_t ipv4, ipv6; /* bytes */
};
#define RTNL_BIG_TCP (192u << 10)
#define RTNL_TCP     (64u << 10) /* what links have unasked */

struct rtnl_link {
	int ifindex;
	int master; /* 0 none */
	int mtu;
	uint32_t group;
	uint32_t flags;	     /* IFF_* */
	struct rtnl_gso gso; /* 0: the kernel does not tell */
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
	struct rtnl_gso gso; /* both ends; a kernel that refuses it makes the veth without */
};
/* one message: host end up and enslaved, the peer down until it has its address
 * (rtnl_endpoint_setup). @ret_ifindex: host end */
int rtnl_veth_add(struct rtnl *nl, const struct rtnl_veth *v, int *ret_ifindex,
		  struct err *e) MUST_CHECK;
enum rtnl_port {
	RTNL_PORT_HAIRPIN = 1,	/* frames may leave where they came in */
	RTNL_PORT_ISOLATED = 2, /* none to another isolated port */
};
int rtnl_port_set(struct rtnl *nl, int ifindex, unsigned mask, unsigned flags,
		  struct err *e) MUST_CHECK;				   /* those of @mask */
int rtnl_link_del(struct rtnl *nl, int ifindex, struct err *e) MUST_CHECK; /* gone already: 0 */
int rtnl_group_del(struct rtnl *nl, uint32_t group,
		   struct err *e) MUST_CHECK; /* all links of a group */
int rtnl_link_up(struct rtnl *nl, int ifindex, bool up, struct err *e) MUST_CHECK;
int rtnl_link_rename(struct rtnl *nl, int ifindex, const char *name, struct err *e) MUST_CHECK;
int rtnl_link_group(struct rtnl *nl, int ifindex, uint32_t group, struct err *e) MUST_CHECK;
int rtnl_link_mac(struct rtnl *nl, int ifindex, const uint8_t mac[6], struct err *e) MUST_CHECK;
int rtnl_link_mtu(struct rtnl *nl, int ifindex, int mtu, struct err *e) MUST_CHECK;
int rtnl_link_netns(struct rtnl *nl, int ifindex, int netns_fd, struct err *e) MUST_CHECK;
int rtnl_link_gso(struct rtnl *nl, int ifindex, struct rtnl_gso gso, struct err *e) MUST_CHECK;

/* ---- virtual.c: interfaces on top of another one, and the one on top of none ---- */
struct rtnl_virtual {
	const char *name;
	int parent;	/* ifindex here; none for a dummy */
	int netns;	/* fd: born there and down, as a veth's peer is; -1 here, and up */
	uint8_t mac[6]; /* zero: the kernel's choice; an ipvlan has its parent's */
	int mtu;	/* 0 the parent's */
	uint32_t group;
};
/* the kernel's numbers */
enum rtnl_macvlan {
	RTNL_MACVLAN_PRIVATE = 1,
	RTNL_MACVLAN_VEPA = 2,
	RTNL_MACVLAN_BRIDGE = 4,
	RTNL_MACVLAN_PASSTHRU = 8,
};
enum rtnl_ipvlan { RTNL_IPVLAN_L2, RTNL_IPVLAN_L3, RTNL_IPVLAN_L3S };
enum rtnl_ipvlan_flag { RTNL_IPVLAN_BRIDGE, RTNL_IPVLAN_PRIVATE, RTNL_IPVLAN_VEPA };
/* A kind that the kernel lacks: -EOPNOTSUPP, "this kernel has no <kind>: ...". */
int rtnl_macvlan_add(struct rtnl *nl, const struct rtnl_virtual *v, enum rtnl_macvlan mode,
		     struct err *e) MUST_CHECK;
int rtnl_ipvlan_add(struct rtnl *nl, const struct rtnl_virtual *v, enum rtnl_ipvlan mode,
		    enum rtnl_ipvlan_flag flag, struct err *e) MUST_CHECK;
int rtnl_vlan_add(struct rtnl *nl, const struct rtnl_virtual *v, uint16_t id,
		  struct err *e) MUST_CHECK; /* 802.1q */
int rtnl_dummy_add(struct rtnl *nl, const struct rtnl_virtual *v, struct err *e) MUST_CHECK;

/* Broadcast set; IPv6 without duplicate-address detection; there already: 0 */
int rtnl_addr_add(struct rtnl *nl, int ifindex, struct cidr addr, struct err *e) MUST_CHECK;
int rtnl_addr_del(struct rtnl *nl, int ifindex, struct cidr addr,
		  struct err *e) MUST_CHECK; /* gone: 0 */
/* all but IPv6's link-local ones */
int rtnl_addr_flush(struct rtnl *nl, int ifindex, struct err *e) MUST_CHECK;
/* both families; non-zero ends, is returned */
typedef int (*rtnl_addr_fn)(int ifindex, struct cidr addr, void *data);
int rtnl_addr_each(struct rtnl *nl, rtnl_addr_fn fn, void *data) MUST_CHECK;
/* replace; @gateway not set: @fam's route goes to the link itself */
int rtnl_route_default(struct rtnl *nl, int fam, struct ip gateway, int ifindex,
		       struct err *e) MUST_CHECK;
int rtnl_route_default_del(struct rtnl *nl, int fam, struct err *e) MUST_CHECK; /* none: 0 */
/* Unicast routes of ALL tables and both families. @dst.len 0 is a default route; its address is set
 */
typedef int (*rtnl_route_fn)(struct cidr dst, int oif, uint32_t table, void *data);
int rtnl_route_each(struct rtnl *nl, rtnl_route_fn fn, void *data) MUST_CHECK;

/* Inside a container's namespace, for one interface that was just born there with its MAC and MTU:
 * addresses, up. They come first, so that what the kernel announces when the link comes up
 * (arp_notify, ndisc_notify) is complete. */
struct rtnl_endpoint_setup {
	const char *ifname;
	const struct cidr *addrs;
	size_t n_addrs;
};
int rtnl_endpoint_setup(struct rtnl *nl, const struct rtnl_endpoint_setup *s,
			struct err *e) MUST_CHECK;
