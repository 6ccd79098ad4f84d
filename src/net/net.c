/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.c - opening and closing: the parts, the last life's objects, the predefined networks
 *
 * Order: store read into memory, kernel links healed, the firewall replaced in one transaction with
 * the elements of all networks and of all ports that were published, then the resolver. The engine
 * then claims the sandboxes of live containers; net_recovered() sweeps the rest.
 */

#include <dirent.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"
#include "net/neighbours.h"

/* ---- the store ---- */

static int set_option(json_t *o, const char *key, const char *value)
{
	return json_object_set_new(o, key, json_string(value));
}

/* --bip, --fixed-cidr, --default-gateway: the IPAM row of one family. */
static int default_row(struct net *n, struct network *nw, int fam)
{
	const struct net_config *c = &n->config;
	struct cidr net = c->bip[fam].len ? cidr_net(c->bip[fam]) : c->fixed[fam];
	char subnet[CIDR_STR], gw[IP_STR], range[CIDR_STR];
	struct network_ipam *row;

	if (!net.len)
		return 0;
	row = &nw->spec.ipam[nw->spec.n_ipam++];
	if (str_set(&row->subnet, cidr_str(net, subnet)) < 0 ||
	    str_set(&row->gateway, c->bip[fam].len ? ip_str(c->bip[fam].ip, gw) : NULL) < 0 ||
	    str_set(&row->ip_range,
		    c->bip[fam].len && c->fixed[fam].len ? cidr_str(c->fixed[fam], range) : NULL) <
		    0)
		return -ENOMEM;
	return 0;
}

/* What the daemon's flags say about "bridge" holds from each start on. */
static int default_options(struct net *n, struct network *nw)
{
	const struct net_config *c = &n->config;
	json_t *o = nw->spec.options;
	char ip[IP_STR] = "0.0.0.0", mtu[12];
	struct rtnl_link l;
	const char *name = *nw->bridge ? nw->bridge : "docker0";
	bool drop[N_FAMILIES] = {false};
	int r, own_mtu = c->mtu ? c->mtu : host_uplink_mtu(n);

	if (streq(name, "docker0") && rtnl_link_get(n->rtnl, name, &l) >= 0 &&
	    l.group != GROUP_BRIDGE)
		name = "atoll0"; /* another engine's */
	if (ip_set(c->default_bind))
		(void)ip_str(c->default_bind, ip);
	(void)snprintf(mtu, sizeof(mtu), "%d", own_mtu ? own_mtu : 1500);
	r = set_option(o, "com.docker.network.bridge.default_bridge", "true");
	if (r >= 0)
		r = set_option(o, "com.docker.network.bridge.enable_icc",
			       c->icc ? "true" : "false");
	if (r >= 0)
		r = set_option(o, "com.docker.network.bridge.enable_ip_masquerade",
			       c->ip_masq ? "true" : "false");
	if (r >= 0)
		r = set_option(o, "com.docker.network.bridge.host_binding_ipv4", ip);
	if (r >= 0)
		r = set_option(o, "com.docker.network.bridge.name", name);
	if (r >= 0)
		r = set_option(o, "com.docker.network.driver.mtu", mtu);
	if (r < 0)
		return -ENOMEM;
	nw->spec.off[V6] = !c->ipv6;
	for (int fam = 0; r >= 0 && fam < N_FAMILIES; fam++) {
		drop[fam] = nw->spec.off[fam] || c->bip[fam].len || c->fixed[fam].len;
		network_spec_drop(&nw->spec, drop);
		drop[fam] = false;
		if (!nw->spec.off[fam])
			r = default_row(n, nw, fam); /* there is always room for one a family */
	}
	return r;
}

static int load_network(const struct network_row *row, void *data)
{
	struct net *n = data;
	auto_(network_free) struct network *nw = network_alloc(n);
	struct err e = {0};
	int r;

	if (!nw || str_set(&nw->spec.name, row->name) < 0)
		return -ENOMEM;
	(void)snprintf(nw->id, sizeof(nw->id), "%s", row->id);
	nw->created_ns = row->created_ns;
	if (row->bridge)
		(void)snprintf(nw->bridge, sizeof(nw->bridge), "%s", row->bridge);
	r = network_spec_from_json(row->spec_json, nw, &e);
	if (r < 0) {
		log_error("a network of the store is left out: %s", e.msg);
		return 0;
	}
	nw->driver = net_driver_find(nw->spec.driver);
	if (!nw->driver)
		return 0;
	if (row->phase != PHASE_READY) { /* half-made or half-removed: both end as removed */
		struct rtnl_link l;

		if (nw->driver == &driver_bridge && rtnl_link_get(n->rtnl, nw->bridge, &l) >= 0 &&
		    l.group == GROUP_BRIDGE && rtnl_link_del(n->rtnl, l.ifindex, &e) < 0)
			log_warn("a leftover bridge stays: %s", e.msg);
		return network_del(n->db, nw->id, &e);
	}
	if (nw->default_bridge && default_options(n, nw) < 0)
		return -ENOMEM;
	r = nw->driver->parse(n, nw, &e);
	if (r >= 0)
		r = nw->driver->create(n, nw, &e);
	if (r < 0) /* shown and removable; attaching to it tries again */
		log_error("a network could not be brought back network=%s error=%s", nw->spec.name,
			  e.msg);
	r = network_link(nw);
	if (r < 0)
		return r;
	nw = NULL;
	return 0;
}

static int load_endpoint(const struct endpoint_row *row, void *data)
{
	return endpoint_load(data, row, NULL);
}

static int load_sandbox(const struct sandbox_row *row, void *data)
{
	struct net *n = data;
	struct container_eps *c = container_eps_find(n, row->container_id);
	struct sandbox *sb;
	const char *name = c ? list_entry(c->endpoints.next, struct endpoint, cnode)->container_name
			     : "";

	sb = sandbox_alloc(n, row->container_id, name);
	if (!sb || map_put(n->sandboxes, sb->container_id, sb) < 0)
		return -ENOMEM;
	sb->dns_port = row->dns_port;
	if (c) {
		sb->dns = TAKE_PTR(c->dns);
		sb->ndots = c->ndots;
		sb->publish = TAKE_PTR(c->publish);
		sb->n_publish = c->n_publish;
	}
	return 0;
}

static int load_port(const struct port_row *row, void *data)
{
	struct sandbox *sb = map_get(((struct net *)data)->sandboxes, row->container_id);

	return sb ? ports_restore(sb, row, NULL) : 0;
}

/* As sandbox_elect() left it, without touching anything. */
static void restore_elements(struct net *n, struct sandbox *sb)
{
	struct container_eps *c = container_eps_find(n, sb->container_id);
	struct endpoint *ep;

	for (int fam = 0; fam < N_FAMILIES; fam++) {
		sb->gateway[fam] = sandbox_best_gateway(sb, fam);
		sb->external = sb->external || sb->gateway[fam];
	}
	sb->at = ports_where(sb);
	sb->relayed_to = ip_set(sb->at.target[V6]) ? sb->at.target[V6] : sb->at.target[V4];
	ports_elements(n->booting, sb, &sb->at, false);
	if (c)
		list_for_each (ep, &c->endpoints, cnode)
			if (ep->attached && ep->nw->driver->elements)
				ep->nw->driver->elements(n->booting, ep, false);
}

static int load(struct net *n, struct err *e)
{
	struct sandbox *sb;
	size_t pos = 0;
	int r = network_each(n->db, load_network, n, e);

	if (r >= 0)
		r = endpoint_each(n->db, load_endpoint, n, e);
	if (r >= 0)
		r = sandbox_each(n->db, load_sandbox, n, e);
	if (r >= 0)
		r = port_each(n->db, load_port, n, e);
	while (r >= 0 && (sb = map_next(n->sandboxes, &pos, NULL))) {
		if (!netns_is_pinned(sb->path))
			continue;
		restore_elements(n, sb);
	}
	return r < 0 ? (e && e->code ? r : err_sys(e, -r, "cannot read the store's networks")) : 0;
}

/* ---- predefined networks ---- */

static int predefined(struct net *n, const char *name, const char *driver, struct err *e)
{
	auto_(network_free) struct network *nw = NULL;
	struct network_spec spec = {.name = (char *)(uintptr_t)name,
				    .driver = (char *)(uintptr_t)driver,
				    .off = {[V6] = true}};
	int r;

	if (map_get(n->by_name, name))
		return 0;
	nw = network_alloc(n);
	if (!nw || network_spec_copy(&spec, &nw->spec) < 0)
		return err_nomem(e);
	rand_id(nw->id);
	nw->created_ns = clock_real_ns();
	nw->driver = net_driver_find(driver);
	nw->predefined = true;
	nw->default_bridge = streq(driver, "bridge");
	if (nw->default_bridge && default_options(n, nw) < 0)
		return err_nomem(e);
	r = nw->driver->parse(n, nw, e);
	if (r >= 0)
		r = nw->driver->create(n, nw, e);
	if (r >= 0)
		r = network_save(nw, PHASE_READY, e);
	if (r >= 0)
		r = network_link(nw) < 0 ? err_nomem(e) : 0;
	if (r < 0)
		return err_wrap(e, "cannot make the predefined network %s", name);
	nw = NULL;
	return 0;
}

/* ---- open and close ---- */

static void table_is_back(void *data)
{
	struct net *n = data;

	if (n->on_event)
		n->on_event("repair", NULL, n->on_event_data);
}

static const char *overlapped(struct cidr dst, void *data)
{
	struct net *n = data;
	const struct network *nw;

	list_for_each (nw, &n->networks, node)
		if (cidr_overlap(nw->fam[ip_fam(dst.ip)].subnet, dst))
			return nw->spec.name;
	return NULL;
}

static void neighbours_told(const char *what, const char *detail, void *data)
{
	struct net *n = data;

	if (n->on_event)
		n->on_event(what, detail, n->on_event_data);
}

static void each_bridge(void (*fn)(const char *bridge, void *ctx), void *ctx, void *data)
{
	struct net *n = data;
	struct network *nw;

	list_for_each (nw, &n->networks, node)
		if (*nw->bridge)
			fn(nw->bridge, ctx);
}

static int open_neighbours(struct net *n, struct err *e)
{
	struct neighbours_config c = {.loop = n->loop,
				      .nft = n->nft,
				      .mode = n->config.firewall,
				      .ours = host_is_ours,
				      .overlap = overlapped,
				      .bridges = each_bridge,
				      .event = neighbours_told,
				      .data = n};

	return neighbours_open(&c, &n->neighbours, e);
}

static int open_parts(struct net *n, struct err *e)
{
	auto_free char *pins = str_printf("%s/netns", n->config.exec_root);
	int r = pins ? fs_mkdir_p(pins, 0700) : -ENOMEM;

	if (r >= 0)
		r = map_new(&n->by_id);
	if (r >= 0)
		r = map_new(&n->by_name);
	if (r >= 0)
		r = map_new(&n->sandboxes);
	if (r >= 0)
		r = map_new(&n->containers);
	if (r >= 0)
		r = map_new(&n->ports);
	if (r >= 0)
		r = rtnl_open(&n->rtnl);
	if (r >= 0)
		r = host_open(n);
	if (r < 0)
		return err_sys(e, -r, "cannot open the network");
	r = nft_open(&n->nft, e);
	if (r < 0)
		return r;
	room_for_neighbours("/proc/sys");
	n->booting = nft_tx_new(n->nft);
	return n->booting ? 0 : err_nomem(e);
}

static int open_feed(struct net *n, struct err *e)
{
	auto_free char *socket = str_printf("%s/dns.sock", n->config.exec_root);
	struct feed_config fc = {.program = n->config.dns_program,
				 .socket_path = socket,
				 .mntns = -1,
				 .life_fd = n->config.life_fd,
				 .data = n};

	return socket ? feed_open(n->loop, &fc, &n->feed, e) : err_nomem(e);
}

int net_open(struct loop *l, struct db *db, struct job_pool *jobs, const struct net_config *c,
	     struct net **ret, struct err *e)
{
	struct net *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return err_nomem(e);
	n->loop = l;
	n->db = db;
	n->jobs = jobs;
	n->config = *c;
	list_init(&n->networks);
	list_init(&n->chores);
	brnf_open(n);
	r = open_parts(n, e);
	if (r >= 0)
		r = forwarding_resume(n, e);
	if (r >= 0)
		r = load(n, e);
	if (r >= 0)
		r = predefined(n, "bridge", "bridge", e);
	if (r >= 0)
		r = predefined(n, "host", "host", e);
	if (r >= 0)
		r = predefined(n, "none", "null", e);
	if (r >= 0)
		r = open_neighbours(n, e);
	if (r >= 0)
		r = nft_replace(n->booting, e);
	nft_tx_free(n->booting);
	n->booting = NULL;
	if (r >= 0 && nft_watch(n->nft, l, table_is_back, n) < 0)
		log_warn("the firewall table is not watched: somebody who flushes it opens this "
			 "host's containers");
	if (r >= 0)
		r = recover_sweep_links(n, e);
	if (r >= 0)
		r = open_feed(n, e);
	if (r < 0) {
		net_close(n, false);
		return r;
	}
	*ret = n;
	return 0;
}

/* Nothing of us stays but the store: the next start makes it all again. */
static void remove_all_of_us(struct net *n)
{
	static const uint32_t groups[] = {GROUP_ENDPOINT, GROUP_DEAD, GROUP_BRIDGE, GROUP_FREE,
					  GROUP_PARENT};

	forwarding_off(n); /* before the table that keeps uplinks apart */
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (rtnl_group_del(n->rtnl, groups[i], NULL) < 0)
			log_warn("links could not be deleted group=%#x", groups[i]);
	if (nft_delete(n->nft) < 0)
		log_warn("the firewall table could not be deleted");
}

static void free_sandboxes(struct net *n)
{
	struct sandbox *sb;
	size_t pos = 0;

	while ((sb = map_next(n->sandboxes, &pos, NULL))) {
		(void)map_del(n->sandboxes, sb->container_id);
		sandbox_free(sb);
	}
}

static void free_ports(struct net *n)
{
	struct port_users *us;
	size_t pos = 0;

	while ((us = map_next(n->ports, &pos, NULL))) {
		while (!list_empty(&us->users)) {
			struct port_user *u = list_entry(us->users.next, struct port_user, node);

			list_remove(&u->node);
			free(u);
		}
		free(us);
	}
	map_free(n->ports);
}

void net_close(struct net *n, bool remove_all)
{
	if (!n)
		return;
	neighbours_close(n->neighbours, remove_all);
	if (remove_all && n->rtnl && n->nft)
		remove_all_of_us(n);
	reaper_close(n);
	if (n->feed && remove_all)
		feed_shutdown(n->feed);
	else if (n->feed)
		feed_close(n->feed);
	if (n->sandboxes)
		free_sandboxes(n);
	if (n->ports)
		free_ports(n);
	while (n->networks.next && !list_empty(&n->networks)) {
		struct network *nw = list_entry(n->networks.next, struct network, node);

		while (!list_empty(&nw->endpoints))
			endpoint_free(list_entry(nw->endpoints.next, struct endpoint, node));
		network_free(nw);
	}
	nft_close(n->nft);
	brnf_close(n);
	rtnl_close(n->rtnl);
	host_close(n);
	map_free(n->by_id);
	map_free(n->by_name);
	map_free(n->sandboxes);
	map_free(n->containers);
	free(n);
}
