/* SPDX-License-Identifier: GPL-2.0-or-later */
/* objects.h - what stands behind net.h: networks, endpoints, sandboxes, ports, and their owner */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "dns/feed.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "net/ipam.h"
#include "net/net.h"
#include "netlink/netns.h"
#include "netlink/rtnl.h"
#include "nftables/nft.h"
#include "state/tables.h"

/* IFLA_GROUP marks every link of ours, so that recovery knows them without a name */
#define GROUP_BRIDGE   0xa7011001u
#define GROUP_ENDPOINT 0xa7011002u
#define GROUP_FREE     0xa7011003u /* bridges of removed networks, kept a moment for the next */
#define GROUP_DEAD     0xa7011004u /* host ends of gone endpoints, deleted by a job */

#define GROUP_PARENT 0xa7011005u /* VLAN and dummy interfaces that macvlan networks made */

struct net_driver;
struct chore;

struct stale_flow { /* conntrack entries to flush: of a published port, or (port 0) of an address */
	struct ip addr; /* 0.0.0.0 or ::: any of the family */
	uint16_t port;
	uint8_t proto;
};

struct span { /* addresses of one family, both ends included */
	struct ip first, last;
};

struct spans {
	struct span *list;
	size_t n, room;
	int fail; /* sticky */
};

struct net {
	struct loop *loop;
	struct db *db;
	struct job_pool *jobs;
	struct net_config config;
	struct rtnl *rtnl;
	struct nft *nft;
	struct feed *feed;
	struct list networks;	     /* oldest first */
	struct map *by_id, *by_name; /* networks */
	struct map *sandboxes;	     /* by container id */
	struct map *containers;	     /* struct container_eps by container id */
	struct map *ports;	     /* "proto port" -> struct port_users */
	int64_t released_ns;	     /* when ports were last given up */
	struct nft_tx *booting;	     /* elements collected for the replacement at start */
	/* reaper.c: what is deleted later */
	struct source *bridge_timer, *dead_timer, *flush_soon;
	unsigned free_serial;
	char *free_names[64]; /* renamed bridges ready for reuse */
	size_t n_free;
	struct chore *flushing;	  /* the running job that flushes conntrack entries, or NULL */
	struct list chores;	  /* every running job: cut off from us by net_close() */
	struct stale_flow *stale; /* what the next flush takes */
	size_t n_stale;
	bool switched[N_FAMILIES]; /* forwarding was off and is on by us */
	/* host.c: the host's routes and addresses */
	struct mnl_socket *changes;
	struct map *our_links; /* ifindex as text, of every bridge we have or had */
	struct spans host;
	int uplink_mtu; /* of the links with a default route, the smallest; 0: none */
	bool host_known;
	struct neighbours *neighbours;
	/* brnf.c */
	struct source *brnf_io;
	int brnf_notify, brnf_files[2];
	bool brnf_on;
	net_event_fn *on_event;
	void *on_event_data;
};

enum gateway_mode { /* com.docker.network.bridge.gateway_mode_ipv4, _ipv6 */
		    GATEWAY_NAT,
		    GATEWAY_UNPROTECTED, /* nat, and every port reachable by routing */
		    GATEWAY_ROUTED,	 /* no NAT; what is published is reachable by routing */
		    GATEWAY_ISOLATED,	 /* the host has no address on it */
};

struct net_family { /* what a network has once a family */
	bool on;
	struct cidr subnet; /* not set: no addresses (null IPAM, host, none) */
	struct ip gateway;  /* the host's address on it */
	struct ip router;   /* --default-gateway: another default route; not set: the gateway */
	struct ipam *ipam;
	enum gateway_mode mode;
	struct ip snat; /* com.docker.network.host_ipv4, _ipv6; not set: the way out decides */
};

struct network {
	struct net *net;
	struct list node;
	char id[ID_LEN + 1];
	struct network_spec spec;
	int64_t created_ns;
	const struct net_driver *driver;
	bool predefined, default_bridge;
	struct net_family fam[N_FAMILIES];
	int mtu; /* 0: the kernel's */
	char ifprefix[12];
	struct list endpoints;
	/* bridge: */
	char bridge[16];
	bool bridge_named; /* by the user */
	int ifindex;
	uint8_t mac[6];
	bool icc, masq, inhibit4, hub, antispoof, open_host, big_tcp;
	struct ip bind_ip; /* where ports are published; not set: everywhere */
	char **trusted;	   /* host interfaces that reach what is published at its own address */
	/* macvlan, ipvlan: */
	char parent[16];
	int mode, flag;	 /* as rtnl's */
	bool own_parent; /* it was made by us */
	bool link_route; /* the default route is the link, without a gateway */
};

struct endpoint {
	struct list node;  /* of the network */
	struct list cnode; /* of the container, in the order asked */
	struct network *nw;
	struct container_eps *owner;
	char id[ID_LEN + 1];
	char *container_name, *hostname;
	char **aliases, **names; /* names: NULL on networks without DNS */
	char **link_local, **links;
	struct ip static_ip[N_FAMILIES], last_ip[N_FAMILIES], ip[N_FAMILIES];
	uint8_t asked_mac[6], mac[6];
	int gw_priority;
	json_t *driver_opts;
	bool attached;
	char host_name[16], ifname[16];
	struct source *announcing; /* plug.c: more announcements to come */
	int announce_left, announce_ms;
};

struct container_eps { /* the endpoints of one container */
	char id[ID_LEN + 1];
	/* loading: what its last start was given, kept in the endpoints' rows */
	char **dns;
	bool ndots;
	struct net_publish *publish;
	size_t n_publish;
	struct net_port *last; /* ephemeral ports of its last life, wanted again */
	size_t n_last;
	struct list endpoints;
};

struct port_user { /* one reserved host port */
	struct list node;
	struct sandbox *sb;
	struct ip host_ip;
};

struct port_users {
	struct list users;
};

struct published {		      /* the container's addresses that ports lead to */
	struct ip target[N_FAMILIES]; /* not set: none of this family */
	bool routed[N_FAMILIES];      /* no translation: let through to the address itself */
	bool trusted[N_FAMILIES];     /* likewise, beside it, from trusted interfaces */
};

struct sandbox {
	struct net *net;
	char container_id[ID_LEN + 1];
	char *container_name;
	char *path;
	int netns;
	uint16_t dns_port; /* 0: no resolver */
	bool external, ndots;
	char **dns;
	/* whose default route and published ports it has, a family */
	struct endpoint *gateway[N_FAMILIES];
	struct net_publish *publish; /* as asked, for a network that is connected later */
	size_t n_publish;
	struct net_port *ports; /* what is reserved */
	size_t n_ports;
	struct published at;  /* where the firewall's elements point to */
	struct ip relayed_to; /* what the relay of [::] serves (dns/feed.h) */
	bool claimed;	      /* recovery: the engine knows it */
};

struct net_driver {
	const char *name;
	bool user_creatable;
	bool names;	/* its networks have names */
	bool publishes; /* its endpoints publish ports */
	int (*parse)(struct net *n, struct network *nw, struct err *e); /* options and IPAM */
	int (*create)(struct net *n, struct network *nw,
		      struct err *e); /* kernel and firewall; undoes itself on failure */
	void (*destroy)(struct net *n, struct network *nw); /* idempotent */
	int (*attach)(struct net *n, struct endpoint *ep, struct sandbox *sb, struct err *e);
	/* @sb NULL: its namespace is gone. @alive: it lives on and must not see the link any more.
	 * Idempotent */
	void (*detach)(struct net *n, struct endpoint *ep, struct sandbox *sb, bool alive);
	/* recovery: the kernel has all of an attached endpoint */
	bool (*whole)(struct net *n, const struct endpoint *ep, const struct sandbox *sb);
	/* NULL: none. What the firewall knows of an attached endpoint */
	void (*elements)(struct nft_tx *tx, const struct endpoint *ep, bool del);
};
