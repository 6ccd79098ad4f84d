/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - the verbs that net/'s files share, file by file */
#pragma once

#include "net/objects.h"

extern const struct net_driver driver_bridge, driver_macvlan, driver_ipvlan, driver_host,
	driver_null;
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
/* the IPAM rows of these families go */
void network_spec_drop(struct network_spec *s, const bool fam[N_FAMILIES]);
const char *network_option(const struct network *nw, const char *key); /* NULL: not given */
/* settle.c: what the daemon and a configuration-only network add to what was asked */
int network_settle(struct net *n, struct network *nw, struct err *e) MUST_CHECK;
/* ipam_check.c. Pure; Docker's texts, all mistakes at once */
int network_ipam_check(const struct network_spec *s, struct err *e) MUST_CHECK;
/* options.c: what all drivers have (MTU, interface prefix), and what bridges have */
int options_common(struct network *nw, struct err *e) MUST_CHECK;
int options_bridge(struct network *nw, struct err *e) MUST_CHECK;
int options_advertise(const json_t *opts, int *ret_n, int *ret_ms, struct err *e) MUST_CHECK;
bool link_name_ok(const char *name); /* also safe in the firewall's text and below /proc/sys */
/* subnets.c: fam[].subnet, gateway and ipam from the IPAM rows, or chosen (and written into them)
 */
int subnets_take(struct net *n, struct network *nw, struct err *e) MUST_CHECK;
/* plug.c: an endpoint's own half, whatever the driver */
int plug_choose(struct net *n, struct endpoint *ep,
		struct err *e) MUST_CHECK; /* addresses, MAC, interface name */
/* the interface ep->ifname in @sb's namespace: addresses, up, announced; then its sysctls */
int plug_inside(struct endpoint *ep, struct sandbox *sb, struct err *e) MUST_CHECK;
/* out of the container's sight at once, so that its name is free */
void plug_hide(const struct endpoint *ep, const struct sandbox *sb);
int plug_check(const struct endpoint_spec *s, struct err *e) MUST_CHECK; /* pure: driver options */
bool endpoint_is_spoke(const struct endpoint *ep);			 /* of a hub network */
void plug_quiet(struct endpoint *ep);					 /* announces no more */
void plug_remove(const struct endpoint *ep, const struct sandbox *sb);	 /* deletes its interface */
bool plug_there(const struct endpoint *ep, const struct sandbox *sb);	 /* its interface exists */
/* drivers/parent.c: networks on top of an interface of the host */
typedef int upper_add(struct rtnl *nl, const struct rtnl_virtual *v, const struct network *nw,
		      struct err *e);
int parent_parse(struct net *n, struct network *nw, struct err *e) MUST_CHECK;
int parent_create(struct net *n, struct network *nw, struct err *e) MUST_CHECK;
void parent_destroy(struct net *n, struct network *nw);
int parent_attach(struct net *n, struct endpoint *ep, struct sandbox *sb, upper_add *add,
		  struct err *e) MUST_CHECK;
void parent_detach(struct net *n, struct endpoint *ep, struct sandbox *sb, bool alive);
bool parent_whole(struct net *n, const struct endpoint *ep, const struct sandbox *sb);
/* brnf.c */
void brnf_open(struct net *n);
void brnf_close(struct net *n);
bool brnf_look(struct net *n); /* is bridge-nf-call on? Ports of all networks follow a change */
/* forward.c */
int forwarding_on(struct net *n, int fam, struct err *e) MUST_CHECK; /* once a life */
/* at the start: IPv4, and what a life before has switched on */
int forwarding_resume(struct net *n, struct err *e) MUST_CHECK;
void forwarding_settle(
	struct net *n);		    /* a network went: IPv6 off again with the last that needs it */
void forwarding_off(struct net *n); /* at the end, with the table */
/* room.c; @proc_sys: where /proc/sys is */
void room_for_neighbours(const char *proc_sys);
/* pools.c */
/* @size: prefix length asked for, 0: the pool's */
int pools_pick(struct net *n, int fam, uint8_t size, struct cidr *ret, struct err *e) MUST_CHECK;
int pools_check(struct net *n, struct cidr subnet,
		struct err *e) MUST_CHECK; /* an asked subnet against our networks */
/* Pure: the first subnet of @pools that touches none of @blocked (sorted and merged in place).
 * Return: 0, -ENOSPC. Complexity: O(n log n) of blocked, never of candidates */
int pools_first_free(const struct net_pool *pools, size_t n_pools, struct span *blocked,
		     size_t n_blocked, struct cidr *ret) MUST_CHECK;
/* host.c */
int host_open(struct net *n) MUST_CHECK;
void host_close(struct net *n);
void host_ours(struct net *n, int ifindex); /* a bridge of ours: its routes are not the host's */
int host_blocked(struct net *n, struct spans *out, struct err *e) MUST_CHECK; /* appends */
bool host_is_ours(int ifindex, void *net);
int host_uplink_mtu(struct net *n); /* 0: unknown */
void spans_add(struct spans *s, struct cidr c);
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
/* a netlink socket of its namespace, to which it stays bound */
int sandbox_rtnl(const struct sandbox *sb, struct rtnl **ret, struct err *e) MUST_CHECK;
int sandbox_attach(struct sandbox *sb, struct endpoint *ep, struct err *e) MUST_CHECK;
void sandbox_detach(struct sandbox *sb, struct endpoint *ep); /* of a sandbox that lives on */
struct endpoint *sandbox_best_gateway(const struct sandbox *sb, int fam); /* NULL: none */
int sandbox_elect(struct sandbox *sb,
		  struct err *e) MUST_CHECK; /* default route and ports to the right endpoint */
int sandbox_dns(struct sandbox *sb, struct err *e) MUST_CHECK; /* sockets and redirect, once */
struct sandbox *sandbox_alloc(struct net *n, const char *container_id, const char *name);
int sandbox_announce(struct sandbox *sb, struct endpoint *ep,
		     struct err *e) MUST_CHECK; /* names to the resolver */
/* reserve.c: host ports in sb->ports, each with a socket where @keep; port 0 is filled in. Errors
 * name the holder */
int reserve_port(struct sandbox *sb, struct net_port *p, bool keep, struct err *e) MUST_CHECK;
/* on every address of both families, by one number: two entries, one socket */
int reserve_both(struct sandbox *sb, struct net_port *p, bool keep, struct err *e) MUST_CHECK;
/* likewise @count ports from @first on; on failure some may be reserved */
int reserve_both_range(struct sandbox *sb, const struct net_port *first, uint32_t count, bool keep,
		       struct err *e) MUST_CHECK;
void reserve_undo(struct sandbox *sb); /* the last one of sb->ports */
int reserve_restore(struct sandbox *sb, const struct net_port *p, struct err *e) MUST_CHECK;
int reserve_again(struct sandbox *sb,
		  const struct net_port *p) MUST_CHECK; /* nobody's socket any more */
int reserve_move_relay(struct sandbox *sb, struct ip to, struct err *e) MUST_CHECK;
bool reserve_has_ipv6(void);
/* ports.c */
int ports_reserve(struct sandbox *sb, struct err *e) MUST_CHECK; /* sb->publish */
int ports_restore(struct sandbox *sb, const struct port_row *r,
		  struct err *e) MUST_CHECK;   /* recovery: a row */
int ports_hold(struct sandbox *sb) MUST_CHECK; /* recovery: sockets that nobody holds any more */
int ports_program(struct sandbox *sb, const struct published *to, struct err *e) MUST_CHECK;
void ports_elements(struct nft_tx *tx, const struct sandbox *sb, const struct published *at,
		    bool del);
struct published ports_where(const struct sandbox *sb); /* by its gateways */
void ports_release(struct sandbox *sb);
/* Pure: how many ports from @i on are one run: same protocol and address, numbers kept, each one
 * more */
size_t ports_run(const struct net_port *list, size_t n, size_t i);
/* owner.c: " (by NAME, pid N)" of the program that has a host port, "" where nobody is found */
void owner_of_port(const struct net_port *p, char *out, size_t size);
/* resolv.c */
bool resolv_has_ndots(struct net *n,
		      char *const *opts); /* of the container, the daemon or the host */
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
