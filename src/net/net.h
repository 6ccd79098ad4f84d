/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.h - THE HEART: networks, endpoints, sandboxes, ports, names - one owner of all of them
 *
 * Who calls: the engine, on the loop thread. Who is called: netlink, nftables, the resolver's feed
 * and the store. Everything here is synchronous (kernel work of 0.1 to 3 ms) but for the reaper of
 * bridges. Every function that fails leaves kernel, firewall, resolver and store as they were.
 * Error texts and kinds are Docker's (docs/errors.md). Pointers returned are borrowed until the
 * object is removed. What a network has once a family is an array of N_FAMILIES (base/ip.h).
 *
 * Drivers are one file each in drivers/ and a row in a table: bridge, macvlan, ipvlan, host, none
 * ("null").
 * Predefined networks "bridge", "host", "none" exist always.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/list.h"
#include "base/portspec.h"
#include "base/rand.h"

struct db;
struct loop;
struct net;
struct network;
struct endpoint;
struct sandbox;
struct job_pool;

struct net_pool { /* --default-address-pool base=..,size=.. */
	struct cidr base;
	uint8_t size;
};

enum firewall_mode { /* --firewall: what other firewalls of this host are told (docs/firewall.md) */
		     FIREWALL_OPEN,
		     FIREWALL_RESPECT,
		     FIREWALL_NONE,
};

struct net_config {
	const char *exec_root;	 /* netns pins in <exec_root>/netns/ */
	const char *dns_program; /* atoll-dns */
	int life_fd;
	/* NULL: 172.17..22 as /16, then 172.23.0.0-172.31.255.255 as /24. Families it has none of
	 * come from the default ones */
	struct net_pool *pools;
	size_t n_pools;
	struct cidr ula;	     /* IPv6 networks without a subnet get a /64 of it */
	struct cidr bip[N_FAMILIES]; /* --bip, --bip6: "bridge"'s gateway/len; not set: automatic */
	struct cidr fixed[N_FAMILIES];	  /* --fixed-cidr, --fixed-cidr-v6: the range of "bridge" */
	struct ip default_gw[N_FAMILIES]; /* --default-gateway, --default-gateway-v6: of "bridge" */
	bool ipv6;			  /* --ipv6: "bridge" has IPv6, too */
	struct ip default_bind;		  /* --ip; not set: every address of both families */
	enum firewall_mode firewall;
	json_t *network_opts; /* --default-network-opt: driver name -> options, or NULL; borrowed */
	int mtu;	      /* --mtu, 0: the uplink's */
	bool icc;	      /* --icc of the default bridge */
	bool ip_forward, ip_masq;
	char **dns, **dns_search, **dns_opts; /* daemon-wide; borrowed */
	int userns; /* sandboxes belong to this user namespace; 0: to the host's. Borrowed */
};

/* Opens the parts, starts or finds the resolver, loads the store, replaces the firewall table,
 * heals the kernel: missing bridges and endpoints are made again, marked leftovers removed. Then
 * net_recover_sandbox() for each container the engine knows, then net_recovered(). */
int net_open(struct loop *l, struct db *db, struct job_pool *jobs, const struct net_config *c,
	     struct net **ret, struct err *e) MUST_CHECK;
void net_close(struct net *n, bool remove_all); /* remove_all: orderly shutdown with no containers
						   left: bridges, table, resolver go */

/* ---- networks ---- */
struct network_ipam {			   /* one IPAM.Config row */
	char *subnet, *ip_range, *gateway; /* as asked, NULL none */
	json_t *aux;			   /* object name -> address, or NULL */
};
struct network_spec {	     /* owned strings; network_spec_done() */
	char *name, *driver; /* NULL driver: bridge */
	bool internal, attachable, config_only;
	bool off[N_FAMILIES];	/* EnableIPv4 false; EnableIPv6 not true */
	bool given[N_FAMILIES]; /* the request said which */
	char *config_from;	/* name of a configuration-only network, or NULL */
	char *ipam_driver;
	json_t *ipam_options, *options, *labels; /* objects of strings, or NULL */
	struct network_ipam *ipam;
	size_t n_ipam;
};
void network_spec_done(struct network_spec *s);

/* takes what it wants from @spec by copy; @ret_warning malloc'ed or NULL */
int net_create(struct net *n, const struct network_spec *spec, struct network **ret,
	       char **ret_warning, struct err *e) MUST_CHECK;
int net_remove(struct net *n, struct network *nw, struct err *e)
	MUST_CHECK; /* attached endpoints: refused with their names; resting ones are forgotten */
/* id, then name, then unique id prefix: "network X not found", "network X is ambiguous (...)" */
int net_find(struct net *n, const char *ref, struct network **ret, struct err *e) MUST_CHECK;
struct network *net_next(struct net *n, struct network *prev); /* NULL starts; oldest first */
bool network_in_use(const struct network *nw);		       /* an attached endpoint */

const char *network_id(const struct network *nw);
const char *network_name(const struct network *nw);
const char *network_driver(const struct network *nw);
const char *network_bridge(const struct network *nw);	      /* interface name, NULL if none */
bool network_has(const struct network *nw, int fam);	      /* the family is on */
struct ip network_gateway(const struct network *nw, int fam); /* the host's address on it */
int64_t network_created_ns(const struct network *nw);
bool network_internal(const struct network *nw);
bool network_predefined(const struct network *nw);
bool network_is_default_bridge(const struct network *nw);
const struct network_spec *
network_spec_of(const struct network *nw); /* ipam rows filled with what was chosen */
bool network_label_match(const struct network *nw, const char *key, const char *value_or_null);
struct endpoint *network_endpoint_next(struct network *nw, struct endpoint *prev);

/* ---- endpoints: a container's place on a network. Made with the container (or by connect),
 * attached while it runs ---- */
struct endpoint_spec {
	const char *container_id, *container_name, *hostname;
	char **aliases;		    /* strv as asked */
	struct ip ip[N_FAMILIES];   /* --ip, --ip6; not set: automatic */
	char **link_local;	    /* --link-local-ip */
	uint8_t mac[6];		    /* zeros: from the address */
	char **links;		    /* "name:alias", for its names alone */
	int gw_priority;	    /* the highest has the default route */
	json_t *driver_opts;	    /* or NULL */
	bool by_user_on_default_ok; /* tests only */
};
/* Checks as Docker does: alias or static IP on the default bridge, IP outside the subnets or in
 * use, already there. */
int net_endpoint_add(struct net *n, struct network *nw, const struct endpoint_spec *spec,
		     struct endpoint **ret, struct err *e) MUST_CHECK;
int net_endpoint_remove(struct net *n, struct endpoint *ep,
			struct err *e) MUST_CHECK; /* detaches first */
struct endpoint *net_endpoint_find(struct net *n, struct network *nw, const char *container_id);
/* endpoints of a container in the order they were asked for */
struct endpoint *net_container_endpoint_next(struct net *n, const char *container_id,
					     struct endpoint *prev);
void net_container_renamed(struct net *n, const char *container_id, const char *name);

const char *endpoint_id(const struct endpoint *ep);
const char *endpoint_container_id(const struct endpoint *ep);
const char *endpoint_container_name(const struct endpoint *ep);
struct network *endpoint_network(const struct endpoint *ep);
char *const *endpoint_aliases(const struct endpoint *ep);   /* as asked */
char *const *endpoint_dns_names(const struct endpoint *ep); /* name, aliases, 12-digit id, hostname,
							       unique; NULL on the default bridge */
bool endpoint_attached(const struct endpoint *ep);
struct cidr endpoint_addr(const struct endpoint *ep, int fam);	  /* not set while resting */
struct ip endpoint_static_ip(const struct endpoint *ep, int fam); /* as asked */
char *const *endpoint_link_local(const struct endpoint *ep);	  /* as asked */
struct ip endpoint_gateway(const struct endpoint *ep, int fam);
int endpoint_gw_priority(const struct endpoint *ep);
const char *endpoint_ifname(const struct endpoint *ep); /* "" while resting */
const uint8_t *endpoint_mac(const struct endpoint *ep);
json_t *endpoint_driver_opts(const struct endpoint *ep);

/* ---- sandboxes: a container's network namespace with all its endpoints attached ---- */
struct sandbox_spec {
	const char *container_id, *container_name;
	const struct net_publish *publish;
	size_t n_publish;
	char **dns, **dns_search,
		**dns_opts; /* of the container; NULL: the daemon's or the host's */
	json_t *sysctls;    /* net.* ones only, object of strings, or NULL */
	bool host_userns;   /* whatever net_config says */
};
/* Namespace (or the resting one again), resolver sockets, every endpoint attached, ports published,
 * names known: one call, all or nothing. "port is already allocated" and "address already in use"
 * name the endpoint as Docker does and the holder. */
int net_sandbox_start(struct net *n, const struct sandbox_spec *spec, struct sandbox **ret,
		      struct err *e) MUST_CHECK;
/* Names, ports and links go at once; the namespace pin too. Idempotent; NULL allowed. */
void net_sandbox_stop(struct net *n, const char *container_id);
struct sandbox *net_sandbox_find(struct net *n, const char *container_id);
const char *sandbox_netns_path(const struct sandbox *s);
/* connect and disconnect of a running container: after net_endpoint_add / before
 * net_endpoint_remove */
int net_endpoint_attach(struct net *n, struct endpoint *ep, struct err *e) MUST_CHECK;
/* what is published now, for inspect and ps */
struct net_port {
	uint8_t proto;
	struct ip host_ip; /* 0.0.0.0 or ::: every address of the family */
	uint16_t host_port, port;
};
size_t sandbox_ports(const struct sandbox *s, const struct net_port **ret);

/* /etc/resolv.conf and the endpoint lines of /etc/hosts for this container, as text (feeds the
 * engine's files).
 * @sandbox_networks: user-defined networks: 127.0.0.11; only the default bridge: the host's
 * servers; host mode: the host's file */
int net_resolv_conf(struct net *n, const char *container_id, char **dns, char **search, char **opts,
		    struct buf *out, struct err *e) MUST_CHECK;
void net_host_resolv_conf(struct net *n, struct buf *out); /* network mode host */

/* ---- recovery, after net_open ---- */
/* the container runs (live_pid > 0): pins, links, names, ports as they were or made again; or not:
 * swept away */
int net_recover_sandbox(struct net *n, const char *container_id, const char *name, int live_pid,
			struct err *e) MUST_CHECK;
int net_recovered(struct net *n, struct err *e)
	MUST_CHECK; /* sweep what nobody claimed: sandboxes, veths, pins, names, held ports */

/* Tells the engine about what happened by itself, for events: "repair" (the table was made again),
 * "firewall" (another firewall's chain @detail got our rule), "overlap" (a route of the host
 * overlaps the network @detail) */
typedef void net_event_fn(const char *what, const char *detail, void *data);
void net_on_event(struct net *n, net_event_fn *fn, void *data);
