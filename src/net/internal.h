/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - the objects behind net.h and the verbs its files share */
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

struct net_driver;
struct chore;

struct stale_flow { /* conntrack entries to flush: of a published port, or (port 0) of an address */
	uint32_t addr;
	uint16_t port;
	uint8_t proto;
};

struct span { /* addresses, both ends included */
	uint32_t first, last;
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
	bool switched_forwarding;
	/* host.c: the host's routes and addresses */
	struct mnl_socket *changes;
	struct map *our_links; /* ifindex as text, of every bridge we have or had */
	struct spans host;
	bool host_known;
	void (*on_event)(const char *what, struct network *nw, void *data);
	void *on_event_data;
};

struct network {
	struct net *net;
	struct list node;
	char id[ID_LEN + 1];
	struct network_spec spec;
	int64_t created_ns;
	const struct net_driver *driver;
	bool predefined, default_bridge;
	/* bridge networks */
	struct cidr4 subnet; /* len 0: none */
	uint32_t gateway;
	struct ipam *ipam;
	char bridge[16];
	bool bridge_named; /* by the user */
	int ifindex;
	uint8_t mac[6];
	int mtu;
	bool icc, masq;
	uint32_t bind_ip;
	char ifprefix[12];
	struct list endpoints;
};

struct endpoint {
	struct list node;  /* of the network */
	struct list cnode; /* of the container, in the order asked */
	struct network *nw;
	struct container_eps *owner;
	char id[ID_LEN + 1];
	char *container_name, *hostname;
	char **aliases, **names; /* names: NULL on networks without DNS */
	uint32_t static_ip, last_ip, ip;
	uint8_t asked_mac[6], mac[6];
	json_t *driver_opts;
	bool attached;
	char host_name[16], ifname[16];
};

struct container_eps { /* the endpoints of one container */
	char id[ID_LEN + 1];
	char **dns; /* loading: the --dns servers of its last start, kept in the endpoints' rows */
	struct list endpoints;
};

struct port_user { /* one reserved host port */
	struct list node;
	struct sandbox *sb;
	uint32_t host_ip;
};

struct port_users {
	struct list users;
};

struct sandbox {
	struct net *net;
	char container_id[ID_LEN + 1];
	char *container_name;
	char *path;
	int netns;
	uint16_t dns_port; /* 0: no resolver */
	bool external;
	char **dns;
	struct endpoint *gateway;    /* whose default route and published ports it has */
	struct net_publish *publish; /* as asked, for a network that is connected later */
	size_t n_publish;
	struct net_port *ports; /* what is reserved */
	size_t n_ports;
	uint32_t ports_target; /* the address the elements point to, 0: none programmed */
	bool claimed;	       /* recovery: the engine knows it */
};

struct net_driver {
	const char *name;
	bool user_creatable;
	int (*parse)(struct net *n, struct network *nw, struct err *e); /* options and IPAM */
	int (*create)(struct net *n, struct network *nw,
		      struct err *e); /* kernel and firewall; undoes itself on failure */
	void (*destroy)(struct net *n, struct network *nw); /* idempotent */
	int (*attach)(struct net *n, struct endpoint *ep, struct sandbox *sb, struct err *e);
	/* @sb: the namespace lives on and must not see the link any more; NULL: it goes too.
	 * Idempotent */
	void (*detach)(struct net *n, struct endpoint *ep, struct sandbox *sb);
};

extern const struct net_driver driver_bridge, driver_host, driver_null;
const struct net_driver *net_driver_find(const char *name);

/* network.c */
struct network *network_alloc(struct net *n);
void network_free(struct network *nw);
DEFINE_AUTO(struct network, network_free);
int network_link(struct network *nw) MUST_CHECK;
void network_unlink(struct network *nw);
int network_save(struct network *nw, enum phase phase, struct err *e) MUST_CHECK;
/* spec.c */
int network_spec_to_json(const struct network *nw, char **ret, struct err *e) MUST_CHECK;
int network_spec_from_json(const char *text, struct network *nw, struct err *e) MUST_CHECK;
int network_spec_copy(const struct network_spec *from, struct network_spec *to) MUST_CHECK;
const char *network_option(const struct network *nw, const char *key); /* NULL: not given */
int network_ipam_check(const struct network_spec *s,
		       struct err *e) MUST_CHECK; /* pure; Docker's texts, all at once */
/* pools.c */
int pools_pick(struct net *n, struct cidr4 *ret, struct err *e) MUST_CHECK;
int pools_check(struct net *n, struct cidr4 subnet,
		struct err *e) MUST_CHECK; /* an asked subnet against our networks */
/* Pure: the first subnet of @pools that touches none of @blocked (sorted and merged in place).
 * Return: 0, -ENOSPC. Complexity: O(n log n) of blocked, never of candidates */
int pools_first_free(const struct net_pool *pools, size_t n_pools, struct span *blocked,
		     size_t n_blocked, struct cidr4 *ret) MUST_CHECK;
/* host.c */
int host_open(struct net *n) MUST_CHECK;
void host_close(struct net *n);
void host_ours(struct net *n, int ifindex); /* a bridge of ours: its routes are not the host's */
int host_blocked(struct net *n, struct spans *out, struct err *e) MUST_CHECK; /* appends */
void spans_add(struct spans *s, struct cidr4 c);
/* endpoint.c */
struct endpoint *endpoint_alloc(void);
void endpoint_free(struct endpoint *ep);
void endpoint_rest(struct endpoint *ep); /* gives the address back, to be wanted again */
int endpoint_save(struct endpoint *ep, struct err *e) MUST_CHECK;
int endpoint_link(struct net *n, struct endpoint *ep, const char *container_id) MUST_CHECK;
int endpoint_load(struct net *n, const struct endpoint_row *r, struct err *e) MUST_CHECK;
int endpoint_make_names(struct endpoint *ep) MUST_CHECK;
struct container_eps *container_eps_find(struct net *n, const char *id);
/* sandbox.c */
void sandbox_free(struct sandbox *sb);
int sandbox_attach(struct sandbox *sb, struct endpoint *ep, struct err *e) MUST_CHECK;
void sandbox_detach(struct sandbox *sb, struct endpoint *ep);	 /* of a sandbox that lives on */
struct endpoint *sandbox_best_gateway(const struct sandbox *sb); /* NULL: none */
int sandbox_elect(struct sandbox *sb,
		  struct err *e) MUST_CHECK; /* default route and ports to the right endpoint */
int sandbox_dns(struct sandbox *sb, struct err *e) MUST_CHECK; /* sockets and redirect, once */
struct sandbox *sandbox_alloc(struct net *n, const char *container_id, const char *name);
int sandbox_announce(struct sandbox *sb, struct endpoint *ep,
		     struct err *e) MUST_CHECK; /* names to the resolver */
/* ports.c */
int ports_reserve(struct sandbox *sb, struct err *e) MUST_CHECK; /* sb->publish */
int ports_restore(struct sandbox *sb, const struct port_row *r,
		  struct err *e) MUST_CHECK;   /* recovery: a row */
int ports_hold(struct sandbox *sb) MUST_CHECK; /* recovery: sockets that nobody holds any more */
int ports_program(struct sandbox *sb, uint32_t target,
		  struct err *e) MUST_CHECK; /* 0: take them away */
void ports_elements(struct nft_tx *tx, const struct sandbox *sb, uint32_t target, bool del);
void ports_release(struct sandbox *sb);
/* Pure: how many ports from @i on are one run: same protocol and address, numbers kept, each one
 * more */
size_t ports_run(const struct net_port *list, size_t n, size_t i);
/* resolv.c */
int resolv_host_servers(char ***ret) MUST_CHECK;
/* recover.c */
int recover_sweep_links(struct net *n, struct err *e)
	MUST_CHECK; /* marked links that no endpoint or network has */
/* reaper.c */
int reaper_take(struct net *n,
		struct network *nw) MUST_CHECK; /* 1: a free bridge is nw's now, 0: none */
void reaper_put(struct net *n, int ifindex);	/* a bridge nobody needs */
void reaper_dead(struct net *n);		/* links were put into GROUP_DEAD */
void reaper_stale(struct net *n, struct stale_flow flow);
void reaper_close(
	struct net *n); /* free and dead links go now; running jobs are left to themselves */
