/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridge.c - the bridge driver: a bridge with an address, elements in our sets, veths as endpoints
 *
 * A network is one bridge with a fixed MAC and the gateway's address, and its elements in the sets
 * of the firewall; the elements come first and go last, so no packet passes a bridge that is not
 * known. An endpoint is a veth born in two places by one message: its host end in the bridge, its
 * other end in the container's namespace. Links carry our groups (internal.h); one without is never
 * touched.
 */

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

#define MTU 1500 /* what the kernel gives a link unasked */

/* ---- what was asked ---- */

/* --default-gateway: a router among the containers, or behind an interface put into the bridge. */
static int take_router(struct net_family *f, struct ip router, struct err *e)
{
	char text[IP_STR];

	if (!f->ipam || !ip_set(router) || ip_eq(router, f->gateway))
		return 0;
	if (ipam_take(f->ipam, router, &f->router) < 0)
		return err_invalid(e, "the default gateway %s is not in the subnet of the bridge",
				   ip_str(router, text));
	return 0;
}

static int bridge_parse(struct net *n, struct network *nw, struct err *e)
{
	struct network *other;
	int uplink, r = options_bridge(nw, e);

	if (r < 0)
		return r;
	if (!*nw->bridge)
		(void)snprintf(nw->bridge, sizeof(nw->bridge), "br-%.12s", nw->id);
	list_for_each (other, &n->networks, node)
		if (streq(other->bridge, nw->bridge))
			return err_forbidden(e,
					     "cannot create network %s (%s): conflicts with "
					     "network %s (%s): networks have "
					     "same bridge name",
					     nw->id, nw->bridge, other->id, other->bridge);
	if (nw->mac[0] == 0) {
		rand_bytes(nw->mac, sizeof(nw->mac));
		nw->mac[0] = (uint8_t)((nw->mac[0] & 0xfc) | 0x02); /* local, unicast */
	}
	uplink = nw->mtu ? 0 : host_uplink_mtu(n);
	if (uplink >= 1280 && uplink != MTU)
		nw->mtu = uplink;
	r = subnets_take(n, nw, e);
	for (int fam = 0; r >= 0 && nw->default_bridge && fam < N_FAMILIES; fam++)
		r = take_router(&nw->fam[fam], n->config.default_gw[fam], e);
	return r;
}

/* ---- the kernel ---- */

/* The host's address on the bridge; false: it has none of this family. */
static bool host_addr(const struct network *nw, int fam, struct cidr *ret)
{
	const struct net_family *f = &nw->fam[fam];

	if (!f->on || !ip_set(f->gateway) || f->mode == GATEWAY_ISOLATED ||
	    (fam == V4 && nw->inhibit4))
		return false;
	*ret = (struct cidr){f->gateway, f->subnet.len};
	return true;
}

static void family_elements(struct nft_tx *tx, const struct network *nw, int fam, bool del)
{
	static const char *const sets[N_FAMILIES][6] = {
		{"same4", "snat4", "masq4", "open4", "ping4", "src_ok4"},
		{"same6", "snat6", "masq6", "open6", "ping6", "src_ok6"}};
	enum { SAME, SNAT, MASQ, OPEN, PING, SOURCE };
	void (*const put)(struct nft_tx *, const char *, const char *, ...) = del ? nft_del
										  : nft_add;
	const struct net_family *f = &nw->fam[fam];
	bool translated = f->mode == GATEWAY_NAT || f->mode == GATEWAY_UNPROTECTED;
	struct cidr host;
	char text[CIDR_STR];

	if (!f->subnet.len)
		return;
	/* without an address of the host no route says that the subnet is there */
	if (!host_addr(nw, fam, &host))
		put(tx, sets[fam][SOURCE], "\"%s\" . %s", nw->bridge,
		    cidr_str(cidr_net(f->subnet), text));
	put(tx, sets[fam][SAME], "%s . \"%s\"", cidr_str(cidr_net(f->subnet), text), nw->bridge);
	if (nw->spec.internal)
		return;
	if (translated && nw->masq && ip_set(f->snat))
		put(tx, sets[fam][SNAT], "\"%s\" : %s", nw->bridge, ip_str(f->snat, text));
	else if (translated && nw->masq)
		put(tx, sets[fam][MASQ], "\"%s\"", nw->bridge);
	if (f->mode == GATEWAY_UNPROTECTED)
		put(tx, sets[fam][OPEN], "\"%s\"", nw->bridge);
	if (f->mode == GATEWAY_ROUTED)
		put(tx, sets[fam][PING], "\"%s\"", nw->bridge);
}

static void elements(struct nft_tx *tx, const struct network *nw, bool del)
{
	void (*const put)(struct nft_tx *, const char *, const char *, ...) = del ? nft_del
										  : nft_add;
	char mac[MAC_STR];

	put(tx, "nets", "\"%s\"", nw->bridge);
	put(tx, "pair_ok", "\"%s\" . \"%s\"", nw->bridge, nw->bridge);
	for (char **t = nw->trusted; t && *t; t++)
		put(tx, "trusted", "\"%s\" . \"%s\"", *t, nw->bridge);
	if (nw->spec.internal)
		put(tx, "internal", "\"%s\"", nw->bridge);
	if (nw->spec.internal && !nw->open_host)
		put(tx, "nohost", "\"%s\"", nw->bridge);
	if (!nw->icc || nw->hub)
		put(tx, "iso_gw", "\"%s\" . \"%s\" . %s", nw->bridge, nw->bridge,
		    mac_str(nw->mac, mac));
	for (int fam = 0; fam < N_FAMILIES; fam++)
		family_elements(tx, nw, fam, del);
}

struct adopt {
	const struct network *nw;
	int ifindex;
	bool foreign;
};

static int note_foreign(int ifindex, struct cidr addr, void *data)
{
	struct adopt *a = data;
	struct cidr want;

	if (ifindex != a->ifindex || (addr.ip.family == 6 && ip_is_link_local(addr.ip)))
		return 0;
	if (!host_addr(a->nw, ip_fam(addr.ip), &want) || !ip_eq(addr.ip, want.ip) ||
	    addr.len != want.len)
		a->foreign = true;
	return 0;
}

/* A bridge of ours, of a life before: untouched if it is as we want it. */
static int adopt(struct net *n, struct network *nw, const struct rtnl_link *l, struct err *e)
{
	struct adopt a = {nw, l->ifindex, false};
	int r = rtnl_addr_each(n->rtnl, note_foreign, &a);

	nw->ifindex = l->ifindex;
	if (r < 0)
		return err_sys(e, -r, "cannot list addresses");
	if (a.foreign)
		r = rtnl_addr_flush(n->rtnl, l->ifindex, e);
	if (r >= 0 && memcmp(l->mac, nw->mac, 6) != 0)
		r = rtnl_link_mac(n->rtnl, l->ifindex, nw->mac, e);
	if (r >= 0 && nw->mtu && l->mtu != nw->mtu)
		r = rtnl_link_mtu(n->rtnl, l->ifindex, nw->mtu, e);
	return r < 0 ? r : rtnl_link_up(n->rtnl, l->ifindex, true, e);
}

static int bridge_link(struct net *n, struct network *nw, struct err *e)
{
	struct rtnl_bridge b = {.name = nw->bridge, .mtu = nw->mtu, .group = GROUP_BRIDGE};
	struct rtnl_link there;
	int r;

	memcpy(b.mac, nw->mac, 6);
	if (rtnl_link_get(n->rtnl, nw->bridge, &there) >= 0) {
		if (there.group != GROUP_BRIDGE)
			return err_forbidden(e,
					     "cannot create network %s (%s): the host has another "
					     "interface of that name",
					     nw->id, nw->bridge);
		r = adopt(n, nw, &there, e);
	} else {
		r = reaper_take(n, nw) ? 0 : rtnl_bridge_add(n->rtnl, &b, &nw->ifindex, e);
	}
	if (r >= 0)
		host_ours(n, nw->ifindex);
	return r;
}

static void bridge_destroy(struct net *n, struct network *nw)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n->nft);
	struct rtnl_link l;
	struct err e = {0};

	if (tx) {
		elements(tx, nw, true);
		if (nft_apply(tx, &e) < 0)
			log_warn("elements of a removed network stay network=%s error=%s",
				 nw->spec.name, e.msg);
	}
	nw->ifindex = 0;
	if (rtnl_link_get(n->rtnl, nw->bridge, &l) < 0 || l.group != GROUP_BRIDGE)
		return;
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		struct cidr addr;

		if (host_addr(nw, fam, &addr) && rtnl_addr_del(n->rtnl, l.ifindex, addr, &e) < 0)
			log_warn("the address of a removed network stays network=%s error=%s",
				 nw->spec.name, e.msg);
	}
	reaper_put(n, l.ifindex);
}

/* Forwarded IPv6 of that size breaks on kernels of today: of networks that lead out IPv4 alone. */
static struct rtnl_gso big_tcp(const struct network *nw)
{
	struct rtnl_gso big = {RTNL_BIG_TCP, nw->spec.internal ? RTNL_BIG_TCP : RTNL_TCP};

	return nw->big_tcp ? big : (struct rtnl_gso){0};
}

/* A bridge that served another network before has that one's. One without ports takes no more than
 * they would have: it is tried again with the first. */
static int set_gso(struct net *n, const struct network *nw, struct err *e)
{
	struct rtnl_gso want = nw->big_tcp ? big_tcp(nw) : (struct rtnl_gso){RTNL_TCP, RTNL_TCP};
	struct rtnl_link l;
	int r = rtnl_link_by_index(n->rtnl, nw->ifindex, &l);

	if (r < 0 || !l.gso.ipv4 || (l.gso.ipv4 == want.ipv4 && l.gso.ipv6 == want.ipv6))
		return 0;
	r = rtnl_link_gso(n->rtnl, nw->ifindex, want, e);
	return r == -EOPNOTSUPP || r == -EINVAL ? 0 : r; /* an older kernel */
}

/* @family: 4 or 6 */
static int bridge_sysctl(const struct network *nw, int family, const char *name, const char *value)
{
	auto_free char *key = str_printf("net/ipv%d/conf/%s/%s", family, nw->bridge, name);

	return key ? netns_sysctl(key, value) : -ENOMEM;
}

/* Else the bridge would have a link-local address, which nobody asked for. */
static int disable_v6(const struct network *nw, struct err *e)
{
	int r = bridge_sysctl(nw, 6, "disable_ipv6", "1");

	return r < 0 && r != -ENOENT
		       ? err_sys(e, -r, "cannot disable IPv6 on bridge %s", nw->bridge)
		       : 0;
}

static bool bridge_says(const struct network *nw, const char *name, char value)
{
	auto_free char *key = str_printf("net/ipv6/conf/%s/%s", nw->bridge, name);

	return key && netns_sysctl_first(key) == value;
}

/* Off and on again, so that the link-local address is made without duplicate-address detection:
 * until that is over (seconds) the host asks for no neighbour. A bridge of the last life, which has
 * been through it, keeps its addresses and routes. */
static int enable_v6(const struct network *nw, struct err *e)
{
	int r;

	if (bridge_says(nw, "accept_dad", '0') && bridge_says(nw, "disable_ipv6", '0'))
		return 0;
	r = bridge_sysctl(nw, 6, "disable_ipv6", "1");
	if (r >= 0)
		r = bridge_sysctl(nw, 6, "accept_dad", "0");
	if (r >= 0)
		r = bridge_sysctl(nw, 6, "disable_ipv6", "0");
	return r < 0 ? err_sys(e, -r, "cannot enable IPv6 on bridge %s", nw->bridge) : 0;
}

static int bridge_sysctls(const struct network *nw, struct err *e)
{
	struct cidr addr;
	int r = bridge_sysctl(nw, 4, "route_localnet", "1");

	if (r < 0)
		log_warn("published ports are not reachable from this host itself bridge=%s "
			 "error=%s",
			 nw->bridge, strerror(-r));
	/* else a container could make itself the host's IPv6 router */
	r = bridge_sysctl(nw, 6, "accept_ra", "0");
	if (r < 0 && r != -ENOENT)
		log_warn("router advertisements from containers are not refused bridge=%s error=%s",
			 nw->bridge, strerror(-r));
	return host_addr(nw, V6, &addr) ? enable_v6(nw, e) : disable_v6(nw, e);
}

/* Link, addresses and what depends on them; the firewall knows the bridge already. */
static int bring_up(struct net *n, struct network *nw, struct err *e)
{
	int r = bridge_link(n, nw, e);

	if (r >= 0)
		r = set_gso(n, nw, e);
	if (r >= 0)
		r = bridge_sysctls(nw, e);
	for (int fam = 0; r >= 0 && fam < N_FAMILIES; fam++) {
		struct cidr addr;

		if (host_addr(nw, fam, &addr))
			r = rtnl_addr_add(n->rtnl, nw->ifindex, addr, e);
		if (r >= 0 && nw->fam[fam].on && !nw->spec.internal)
			r = forwarding_on(n, fam, e);
	}
	return r;
}

static int bridge_create(struct net *n, struct network *nw, struct err *e)
{
	auto_(nft_tx_free) struct nft_tx *own = NULL;
	struct nft_tx *tx = n->booting;
	int r;

	if (!tx)
		tx = own = nft_tx_new(n->nft);
	if (!tx)
		return err_nomem(e);
	/* the firewall first: no packet passes a bridge it does not know */
	elements(tx, nw, false);
	r = n->booting ? 0 : nft_apply(tx, e);
	if (r >= 0)
		r = bring_up(n, nw, e);
	if (r < 0 && !n->booting)
		bridge_destroy(n, nw);
	return r;
}

/* ---- endpoints ---- */

static int plug(struct net *n, struct endpoint *ep, struct sandbox *sb, int *ret_ifindex,
		struct err *e)
{
	struct network *nw = ep->nw;
	struct rtnl_veth v = {.host_name = ep->host_name,
			      .peer_name = ep->ifname,
			      .peer_netns = sb->netns,
			      .master = nw->ifindex,
			      .mtu = nw->mtu,
			      .group = GROUP_ENDPOINT,
			      .gso = big_tcp(nw)};
	uint8_t tag[4];
	int r;

	rand_bytes(tag, sizeof(tag));
	(void)snprintf(ep->host_name, sizeof(ep->host_name), "veth%02x%02x%02x%x", tag[0], tag[1],
		       tag[2], tag[3] & 15);
	memcpy(v.peer_mac, ep->mac, 6);
	r = rtnl_veth_add(n->rtnl, &v, ret_ifindex, e);
	if (r < 0)
		ep->host_name[0] = '\0';
	return r;
}

/* The bridge may be gone: somebody deleted it, or it could not be brought back at the start. */
static int ensure_bridge(struct net *n, struct network *nw, struct err *e)
{
	struct rtnl_link l;

	if (nw->ifindex && rtnl_link_by_index(n->rtnl, nw->ifindex, &l) >= 0)
		return 0;
	log_warn("the bridge of a network is gone and made again network=%s bridge=%s",
		 nw->spec.name, nw->bridge);
	return bridge_create(n, nw, e);
}

/* Isolated ports reach the host and the ports that are not isolated: of a hub network its hubs. */
static bool is_isolated(const struct endpoint *ep)
{
	return !ep->nw->icc || endpoint_is_spoke(ep);
}

static bool unreadable(const struct network *nw)
{
	for (int fam = 0; fam < N_FAMILIES; fam++)
		if (nw->fam[fam].on && nw->fam[fam].subnet.len && !nw->fam[fam].ipam)
			return true;
	return !nw->fam[V4].on && !nw->fam[V6].on;
}

#define GUARD_MAX 16 /* addresses */

/* What it sends from a link-local address given by --link-local-ip is not taken for spoofed. */
static void endpoint_elements(struct nft_tx *tx, const struct endpoint *ep, bool del)
{
	struct ip ips[GUARD_MAX];
	struct nft_guard guard = {.port = ep->host_name, .ips = ips};

	for (int fam = 0; fam < N_FAMILIES; fam++)
		if (ip_set(ep->ip[fam]))
			ips[guard.n_ips++] = ep->ip[fam];
	for (char **l = ep->link_local; l && *l; l++) {
		struct ip ip;
		char text[IP_STR];

		if (ip_parse(*l, &ip) < 0)
			continue;
		if (guard.n_ips < GUARD_MAX)
			ips[guard.n_ips++] = ip;
		(del ? nft_del : nft_add)(tx, ip.family == 6 ? "src_ok6" : "src_ok4", "\"%s\" . %s",
					  ep->nw->bridge, ip_str(ip, text));
	}
	memcpy(guard.mac, ep->mac, 6);
	if (ep->nw->antispoof)
		nft_guard(tx, &guard, del);
}

static int tell_firewall(struct net *n, const struct endpoint *ep, bool del, struct err *e)
{
	auto_(nft_tx_free) struct nft_tx *tx = NULL;

	if (!ep->link_local && !ep->nw->antispoof)
		return 0;
	tx = nft_tx_new(n->nft);
	if (!tx)
		return err_nomem(e);
	endpoint_elements(tx, ep, del);
	return nft_apply(tx, e);
}

static int bridge_attach(struct net *n, struct endpoint *ep, struct sandbox *sb, struct err *e)
{
	struct network *nw = ep->nw;
	bool hairpin = brnf_look(n), isolated = is_isolated(ep);
	int ifindex, r = unreadable(nw) ? err_set(e, ERR_INTERNAL, EIO,
						  "network %s could not be read from the store",
						  nw->spec.name)
					: ensure_bridge(n, nw, e);

	if (r >= 0)
		r = plug_choose(n, ep, e);
	if (r >= 0)
		r = plug(n, ep, sb, &ifindex, e);
	if (r >= 0 && nw->big_tcp)
		r = set_gso(n, nw, e);
	if (r >= 0 && (hairpin || isolated))
		r = rtnl_port_set(
			n->rtnl, ifindex, RTNL_PORT_HAIRPIN | RTNL_PORT_ISOLATED,
			(hairpin ? RTNL_PORT_HAIRPIN : 0) | (isolated ? RTNL_PORT_ISOLATED : 0), e);
	if (r >= 0)
		r = tell_firewall(n, ep, false, e);
	return r < 0 ? r : plug_inside(ep, sb, e);
}

static void bridge_detach(struct net *n, struct endpoint *ep, struct sandbox *sb, bool alive)
{
	struct rtnl_link l;
	struct err e = {0};
	int r;

	if (!*ep->host_name)
		return;
	if (alive && sb && sb->netns >= 0)
		plug_hide(ep, sb);
	if (tell_firewall(n, ep, true, &e) < 0)
		log_warn("elements of a removed endpoint stay: %s", e.msg);
	if (rtnl_link_get(n->rtnl, ep->host_name, &l) < 0 || l.group != GROUP_ENDPOINT)
		return;
	/* down: from now on its address may be another's (reaper.c tells why) */
	r = rtnl_link_up(n->rtnl, l.ifindex, false, &e);
	if (r >= 0)
		r = rtnl_link_group(n->rtnl, l.ifindex, GROUP_DEAD, &e);
	if (r < 0 && rtnl_link_del(n->rtnl, l.ifindex, &e) < 0)
		log_warn("a link could not be removed: %s", e.msg);
	reaper_dead(n);
}

static bool bridge_whole(struct net *n, const struct endpoint *ep, const struct sandbox *sb)
{
	struct rtnl_link l;

	(void)sb;
	return *ep->host_name && rtnl_link_get(n->rtnl, ep->host_name, &l) >= 0 &&
	       l.master == ep->nw->ifindex && l.group == GROUP_ENDPOINT;
}

const struct net_driver driver_bridge = {
	.name = "bridge",
	.user_creatable = true,
	.names = true,
	.publishes = true,
	.parse = bridge_parse,
	.create = bridge_create,
	.destroy = bridge_destroy,
	.attach = bridge_attach,
	.detach = bridge_detach,
	.whole = bridge_whole,
	.elements = endpoint_elements,
};
