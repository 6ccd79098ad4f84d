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

#define OPT_BRIDGE "com.docker.network.bridge."
#define OPT_NET	   "com.docker.network."

/* ---- what was asked ---- */

static int opt_bool(const struct network *nw, const char *key, bool *ret, struct err *e)
{
	const char *v = network_option(nw, key);

	if (v && *v && parse_bool(v, ret) < 0)
		return err_invalid(e,
				   "failed to parse %s value: %s (strconv.ParseBool: parsing "
				   "\"%s\": invalid syntax)",
				   key, v, v);
	return 0;
}

/* Also goes into the firewall's text and below /proc/sys/net/ipv4/conf. */
static bool link_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < 16 && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       n;
}

static int parse_options(struct network *nw, struct err *e)
{
	const char *name = network_option(nw, OPT_BRIDGE "name"),
		   *mtu = network_option(nw, OPT_NET "driver.mtu");
	const char *ip = network_option(nw, OPT_BRIDGE "host_binding_ipv4");
	const char *prefix = network_option(nw, OPT_NET "container_iface_prefix");
	uint16_t n;
	int r = opt_bool(nw, OPT_BRIDGE "enable_icc", &nw->icc, e);

	if (r >= 0)
		r = opt_bool(nw, OPT_BRIDGE "enable_ip_masquerade", &nw->masq, e);
	if (r < 0)
		return r;
	if (!str_empty(mtu)) {
		if (parse_u16(mtu, &n) < 0)
			return err_invalid(e,
					   "failed to parse " OPT_NET
					   "driver.mtu value: %s (strconv.Atoi: parsing \"%s\": "
					   "invalid syntax)",
					   mtu, mtu);
		if (n && n < 68)
			return err_invalid(e, "invalid MTU number: %u: 68 is the least IPv4 allows",
					   n);
		nw->mtu = n;
	}
	if (!str_empty(name)) {
		if (!link_name_ok(name))
			return err_invalid(e,
					   "invalid bridge name %s: 1 to 15 letters, digits, '.', "
					   "'_' and '-' are wanted",
					   name);
		(void)snprintf(nw->bridge, sizeof(nw->bridge), "%s", name);
		nw->bridge_named = true;
	}
	if (!str_empty(ip) && ip4_parse(ip, &nw->bind_ip) < 0)
		return err_invalid(
			e, "failed to parse " OPT_BRIDGE "host_binding_ipv4 value: %s (invalid ip)",
			ip);
	if (!str_empty(prefix) && (!link_name_ok(prefix) || strlen(prefix) > 10))
		return err_invalid(e,
				   "invalid interface prefix %s: 1 to 10 letters, digits, '.', '_' "
				   "and '-' are wanted",
				   prefix);
	(void)snprintf(nw->ifprefix, sizeof(nw->ifprefix), "%s",
		       str_empty(prefix) ? "eth" : prefix);
	return 0;
}

/* The rows were checked by network_ipam_check(), or come from the store; what is left is to take
 * them. */
static int bad_row(const struct network_ipam *row, struct err *e)
{
	return err_invalid(
		e, "invalid network config:\ninvalid subnet %s: invalid CIDR block notation",
		row->subnet ? row->subnet : "");
}

static int parse_subnet(struct net *n, struct network *nw, struct network_ipam *row, struct err *e)
{
	char text[CIDR4_STR];
	int r;

	if (!str_empty(row->subnet)) {
		if (cidr4_parse(row->subnet, &nw->subnet) < 0 || nw->subnet.len > 30)
			return bad_row(row, e);
		return pools_check(n, nw->subnet, e);
	}
	r = pools_pick(n, &nw->subnet, e);
	if (r < 0)
		return r;
	return str_set(&row->subnet, cidr4_str(nw->subnet, text)) < 0 ? err_nomem(e) : 0;
}

static int parse_aux(struct network *nw, const struct network_ipam *row, struct err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach(row->aux, name, v)
	{
		const char *text = json_string_value(v);
		uint32_t addr;

		if (!text || ip4_parse(text, &addr) < 0)
			return bad_row(row, e);
		if (ipam_take(nw->ipam, addr, &addr) < 0)
			return err_forbidden(e,
					     "failed to allocate secondary ip address (%s:%s): "
					     "Address already in use",
					     name, text);
	}
	return 0;
}

static int parse_gateway(struct network *nw, struct network_ipam *row, struct err *e)
{
	char text[IP4_STR];

	if (!str_empty(row->gateway)) {
		if (ip4_parse(row->gateway, &nw->gateway) < 0)
			return bad_row(row, e);
		if (ipam_take(nw->ipam, nw->gateway, &nw->gateway) < 0)
			return err_forbidden(
				e, "failed to allocate gateway (%s): Address already in use",
				row->gateway);
		return 0;
	}
	if (ipam_take(nw->ipam, 0, &nw->gateway) < 0)
		return err_invalid(
			e, "invalid network config:\nno address of %s is left for the gateway",
			row->subnet);
	return str_set(&row->gateway, ip4_str(nw->gateway, text)) < 0 ? err_nomem(e) : 0;
}

static int parse_ipam(struct net *n, struct network *nw, struct err *e)
{
	struct network_ipam *row = &nw->spec.ipam[0];
	struct cidr4 range;
	int r;

	nw->spec.n_ipam = 1; /* copying left room for one row */
	r = parse_subnet(n, nw, row, e);
	if (r < 0)
		return r;
	range = nw->subnet;
	if (!str_empty(row->ip_range) &&
	    (cidr4_parse(row->ip_range, &range) < 0 || range.len < nw->subnet.len ||
	     !cidr4_has(nw->subnet, range.addr)))
		return bad_row(row, e);
	if (ipam_new(nw->subnet, range, &nw->ipam) < 0)
		return err_nomem(e);
	/* what was asked for by name goes before what is chosen */
	if (!str_empty(row->gateway))
		r = parse_gateway(nw, row, e);
	if (r >= 0)
		r = parse_aux(nw, row, e);
	if (r >= 0 && !nw->gateway)
		r = parse_gateway(nw, row, e);
	return r;
}

static int bridge_parse(struct net *n, struct network *nw, struct err *e)
{
	struct network *other;
	int r = parse_options(nw, e);

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
	return parse_ipam(n, nw, e);
}

/* ---- the kernel ---- */

static void elements(struct nft_tx *tx, const struct network *nw, bool del)
{
	void (*const put)(struct nft_tx *, const char *, const char *, ...) = del ? nft_del
										  : nft_add;
	struct cidr4 net = {cidr4_first(nw->subnet), nw->subnet.len};
	char subnet[CIDR4_STR], mac[MAC_STR];

	(void)cidr4_str(net, subnet);
	put(tx, "nets", "\"%s\"", nw->bridge);
	put(tx, "pair_ok", "\"%s\" . \"%s\"", nw->bridge, nw->bridge);
	put(tx, "same4", "%s . \"%s\"", subnet, nw->bridge);
	if (nw->spec.internal) {
		put(tx, "internal", "\"%s\"", nw->bridge);
		put(tx, "nohost", "\"%s\"", nw->bridge);
	} else if (nw->masq) {
		put(tx, "masq4", "\"%s\"", nw->bridge);
	}
	if (!nw->icc)
		put(tx, "iso_gw", "\"%s\" . \"%s\" . %s", nw->bridge, nw->bridge,
		    mac_str(nw->mac, mac));
}

struct adopt {
	int ifindex;
	struct cidr4 want;
	bool foreign;
};

static int note_foreign(int ifindex, struct cidr4 addr, void *data)
{
	struct adopt *a = data;

	a->foreign = a->foreign || (ifindex == a->ifindex &&
				    (addr.addr != a->want.addr || addr.len != a->want.len));
	return 0;
}

/* A bridge of ours, of a life before: untouched if it is as we want it. */
static int adopt(struct net *n, struct network *nw, const struct rtnl_link *l, struct err *e)
{
	struct adopt a = {l->ifindex, {nw->gateway, nw->subnet.len}, false};
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
	if (rtnl_addr_del(n->rtnl, l.ifindex, (struct cidr4){nw->gateway, nw->subnet.len}, &e) < 0)
		log_warn("the address of a removed network stays network=%s error=%s",
			 nw->spec.name, e.msg);
	reaper_put(n, l.ifindex);
}

/* @family: 4 or 6 */
static int bridge_sysctl(const struct network *nw, int family, const char *name, const char *value)
{
	auto_free char *key = str_printf("net/ipv%d/conf/%s/%s", family, nw->bridge, name);

	return key ? netns_sysctl(key, value) : -ENOMEM;
}

static void bridge_sysctls(const struct network *nw)
{
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
}

static int bridge_create(struct net *n, struct network *nw, struct err *e)
{
	auto_(nft_tx_free) struct nft_tx *own = NULL;
	struct cidr4 addr = {nw->gateway, nw->subnet.len};
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
		r = bridge_link(n, nw, e);
	if (r >= 0)
		r = rtnl_addr_add(n->rtnl, nw->ifindex, addr, e);
	if (r >= 0)
		bridge_sysctls(nw);
	if (r < 0 && !n->booting)
		bridge_destroy(n, nw);
	return r;
}

/* ---- endpoints ---- */

static int choose_address(struct endpoint *ep, struct err *e)
{
	struct network *nw = ep->nw;
	char ip[IP4_STR];
	int r;

	if (ep->static_ip) {
		r = ipam_take(nw->ipam, ep->static_ip, &ep->ip);
		if (r == -ERANGE)
			return err_invalid(e,
					   "invalid endpoint settings:\nno configured subnet "
					   "contains IP address %s",
					   ip4_str(ep->static_ip, ip));
		return r == -ENOMEM ? err_nomem(e)
		       : r < 0	    ? err_forbidden(e, "Address already in use")
				    : 0;
	}
	/* the address of its last life, if nobody took it meanwhile */
	if (ep->last_ip && ipam_take(nw->ipam, ep->last_ip, &ep->ip) >= 0)
		return 0;
	r = ipam_take(nw->ipam, 0, &ep->ip);
	if (r < 0)
		return err_set(
			e, ERR_INTERNAL, ENOSPC,
			"no available IPv4 addresses on this network's address pools: %s (%s)",
			nw->spec.name, nw->id);
	return 0;
}

static void choose_mac(struct endpoint *ep)
{
	static const uint8_t none[6];

	if (memcmp(ep->asked_mac, none, 6) != 0) {
		memcpy(ep->mac, ep->asked_mac, 6);
		return;
	}
	ep->mac[0] = 0x02;
	ep->mac[1] = 0x42;
	for (int i = 0; i < 4; i++)
		ep->mac[2 + i] = (uint8_t)(ep->ip >> (24 - 8 * i));
}

static bool name_is_taken(struct net *n, const struct endpoint *ep)
{
	struct endpoint *other = NULL;

	while ((other = net_container_endpoint_next(n, ep->owner->id, other)))
		if (other != ep && other->attached && streq(other->ifname, ep->ifname))
			return true;
	return false;
}

/* The one asked for, else the first free ethN: endpoints of other networks of this container have
 * theirs. */
static int choose_ifname(struct net *n, struct endpoint *ep, struct err *e)
{
	const char *asked =
		json_string_value(json_object_get(ep->driver_opts, OPT_NET "endpoint.ifname"));

	if (!str_empty(asked)) {
		if (!link_name_ok(asked) || streq(asked, "lo"))
			return err_invalid(e,
					   "invalid interface name %s: 1 to 15 letters, digits, "
					   "'.', '_' and '-' are wanted",
					   asked);
		(void)snprintf(ep->ifname, sizeof(ep->ifname), "%s", asked);
		return name_is_taken(n, ep)
			       ? err_conflict(e,
					      "the interface name %s is in use in this container",
					      asked)
			       : 0;
	}
	for (unsigned i = 0; i < 10000; i++) {
		(void)snprintf(ep->ifname, sizeof(ep->ifname), "%.11s%u", ep->nw->ifprefix, i);
		if (!name_is_taken(n, ep))
			return 0;
	}
	return err_conflict(e, "no interface name is left in this container");
}

/*
 * Address, link up, and the neighbours told: a reused address is otherwise unanswered for seconds.
 * The namespace's arp_notify makes the kernel send a gratuitous ARP when a link comes up or is
 * given its MAC address. At the first the bridge's port does not forward yet: it learns of the
 * carrier from the kernel's link watch, which a look at both ends brings up to date (since
 * Linux 6.9; before, it runs within a millisecond). So the MAC address is set once more. (A packet
 * socket of ours would cost 8 to 15 ms to close.)
 */
static int inside(struct net *n, struct endpoint *ep, struct sandbox *sb, struct err *e)
{
	struct rtnl_endpoint_setup s = {.ifname = ep->ifname, .addr = {ep->ip, ep->nw->subnet.len}};
	auto_(rtnl_close) struct rtnl *nl = NULL;
	struct rtnl_link l, host;
	struct netns_visit v;
	int r = netns_enter(sb->netns, &v);

	if (r < 0)
		return err_sys(e, -r, "cannot enter the namespace of container %s",
			       sb->container_name);
	r = rtnl_open(&nl);
	netns_leave(&v); /* the socket stays bound to the namespace it was opened in */
	if (r < 0)
		return err_sys(e, -r, "cannot open a netlink socket");
	r = rtnl_endpoint_setup(nl, &s, e);
	if (r < 0)
		return r;
	if (rtnl_link_get(nl, ep->ifname, &l) < 0 ||
	    rtnl_link_get(n->rtnl, ep->host_name, &host) < 0 ||
	    rtnl_link_mac(nl, l.ifindex, ep->mac, NULL) < 0)
		log_debug("an address is not announced container=%s", sb->container_name);
	return 0;
}

static int plug(struct net *n, struct endpoint *ep, struct sandbox *sb, int *ret_ifindex,
		struct err *e)
{
	struct network *nw = ep->nw;
	struct rtnl_veth v = {.host_name = ep->host_name,
			      .peer_name = ep->ifname,
			      .peer_netns = sb->netns,
			      .master = nw->ifindex,
			      .mtu = nw->mtu,
			      .group = GROUP_ENDPOINT};
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

/* Where bridge-nf-call is on (others switch it, at any time) a packet to a port that the sender
 * itself has published is translated within the bridge, and must leave where it came in. */
static bool nf_call(void)
{
	auto_buf struct buf b = BUF_INIT(16);

	return fs_read("/proc/sys/net/bridge/bridge-nf-call-iptables", 8, &b) >= 0 &&
	       buf_str(&b)[0] == '1';
}

static int bridge_attach(struct net *n, struct endpoint *ep, struct sandbox *sb, struct err *e)
{
	struct network *nw = ep->nw;
	bool hairpin = nf_call();
	int ifindex, r = nw->ipam ? 0
				  : err_set(e, ERR_INTERNAL, EIO,
					    "network %s could not be read from the store",
					    nw->spec.name);

	if (r >= 0)
		r = ensure_bridge(n, nw, e);
	if (r >= 0)
		r = choose_address(ep, e);
	if (r < 0)
		return r;
	choose_mac(ep);
	r = choose_ifname(n, ep, e);
	if (r >= 0)
		r = plug(n, ep, sb, &ifindex, e);
	if (r >= 0 && (hairpin || !nw->icc))
		r = rtnl_port_flags(n->rtnl, ifindex, hairpin, !nw->icc, e);
	return r < 0 ? r : inside(n, ep, sb, e);
}

/* Out of the container's sight at once, so that its name is free: down, without address, renamed.
 */
static void hide(const struct endpoint *ep, const struct sandbox *sb)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	struct netns_visit v;
	struct rtnl_link l;
	char name[16];
	int r = netns_enter(sb->netns, &v);

	if (r < 0)
		return;
	r = rtnl_open(&nl);
	netns_leave(&v);
	if (r < 0 || rtnl_link_get(nl, ep->ifname, &l) < 0)
		return;
	(void)snprintf(name, sizeof(name), "gone%s", ep->host_name + 4);
	r = rtnl_link_up(nl, l.ifindex, false, NULL);
	if (r >= 0)
		r = rtnl_addr_flush(nl, l.ifindex, NULL);
	if (r >= 0)
		r = rtnl_link_rename(nl, l.ifindex, name, NULL);
	if (r < 0)
		log_debug("a link stays in sight for a moment container=%s", sb->container_name);
}

static void bridge_detach(struct net *n, struct endpoint *ep, struct sandbox *sb)
{
	struct rtnl_link l;
	struct err e = {0};
	int r;

	if (!*ep->host_name)
		return;
	if (sb && sb->netns >= 0)
		hide(ep, sb);
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

const struct net_driver driver_bridge = {
	.name = "bridge",
	.user_creatable = true,
	.parse = bridge_parse,
	.create = bridge_create,
	.destroy = bridge_destroy,
	.attach = bridge_attach,
	.detach = bridge_detach,
};
