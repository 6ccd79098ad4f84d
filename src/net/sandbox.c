/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.c - a container's network namespace: links, default route, resolver sockets, names, ports
 *
 * Order at the start: namespace, links of all endpoints, resolver, default route and ports, names.
 * At the end the other way round: names go first, so that nobody is sent to a dying container.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"
#include "netlink/diag.h"

#define RESOLVER_ADDR 0x7f00000bu /* 127.0.0.11 */

static const struct published nowhere;

struct sandbox *sandbox_alloc(struct net *n, const char *container_id, const char *name)
{
	struct sandbox *sb = calloc(1, sizeof(*sb));

	if (!sb)
		return NULL;
	sb->net = n;
	sb->netns = -EBADF;
	(void)snprintf(sb->container_id, sizeof(sb->container_id), "%s", container_id);
	sb->path = str_printf("%s/netns/%.12s", n->config.exec_root, container_id);
	if (!sb->path || str_set(&sb->container_name, name) < 0) {
		sandbox_free(sb);
		return NULL;
	}
	return sb;
}

void sandbox_free(struct sandbox *sb)
{
	if (!sb)
		return;
	(void)fd_close(sb->netns);
	free(sb->path);
	free(sb->container_name);
	strv_free(sb->dns);
	free(sb->publish);
	free(sb->ports);
	free(sb);
}

/* ---- the resolver ---- */

static int bound_socket(int type, uint16_t *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(RESOLVER_ADDR),
				 .sin_port = htons(*port)};
	socklen_t len = sizeof(sa);
	auto_close int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0 ||
	    (type == SOCK_STREAM &&
	     setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0) ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) < 0) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	*port = ntohs(sa.sin_port);
	return TAKE_FD(fd);
}

/* UDP and TCP on one port: that of the last life, or a random one until both are free. */
static int open_sockets(uint16_t *port, int *ret_udp, int *ret_tcp)
{
	uint16_t want = *port;

	for (int tries = 0; tries < 32; tries++) {
		auto_close int udp = -EBADF, tcp = -EBADF;

		*port = want;
		udp = bound_socket(SOCK_DGRAM, port);
		if (udp < 0 && !want)
			return udp;
		tcp = udp < 0 ? udp : bound_socket(SOCK_STREAM, port);
		if (tcp >= 0) {
			*ret_udp = TAKE_FD(udp);
			*ret_tcp = TAKE_FD(tcp);
			return 0;
		}
		want = 0;
	}
	return -EADDRINUSE;
}

static int dns_inside(struct sandbox *sb, struct feed_sandbox *fs, struct err *e)
{
	struct netns_visit v;
	int r = netns_enter(sb->netns, &v);

	if (r < 0)
		return err_sys(e, -r, "cannot enter the namespace of container %s",
			       sb->container_name);
	r = open_sockets(&sb->dns_port, &fs->udp, &fs->tcp);
	if (r >= 0)
		fs->n_pool = feed_pool_open(sb->dns, fs->pool);
	if (r < 0)
		(void)err_sys(e, -r, "cannot open the resolver's sockets in container %s",
			      sb->container_name);
	else
		r = nft_dns_redirect(sb->dns_port, e);
	netns_leave(&v);
	return r;
}

int sandbox_dns(struct sandbox *sb, struct err *e)
{
	int pool[FEED_POOL_MAX];
	struct feed_sandbox fs = {
		.id = sb->container_id, .udp = -EBADF, .tcp = -EBADF, .pool = pool};
	struct sandbox_row row = {.container_id = sb->container_id};
	int r;

	if (sb->dns_port && feed_sandbox_known(sb->net->feed, sb->container_id))
		return 0;
	r = dns_inside(sb, &fs, e);
	if (r < 0) {
		(void)fd_close(fs.udp);
		(void)fd_close(fs.tcp);
		while (fs.n_pool)
			(void)fd_close(pool[--fs.n_pool]);
		return r;
	}
	fs.port = row.dns_port = sb->dns_port;
	fs.external = sb->external;
	fs.ndots = sb->ndots;
	fs.servers = sb->dns;
	r = feed_sandbox_add(sb->net->feed, &fs, e); /* takes the sockets */
	return r < 0 ? r : sandbox_put(sb->net->db, &row, e);
}

int sandbox_announce(struct sandbox *sb, struct endpoint *ep, struct err *e)
{
	struct feed_endpoint fe = {.network_id = ep->nw->id,
				   .network_name = ep->nw->spec.name,
				   .sandbox = sb->container_id,
				   .names = ep->names,
				   .addr = {ep->ip[V4], ep->ip[V6]},
				   .spoke = endpoint_is_spoke(ep),
				   .links = ep->links};

	return ep->names ? feed_endpoint_set(sb->net->feed, &fe, e) : 0;
}

/* ---- the default route and what follows it ---- */

/* Docker's order of gateways: the priority asked for, then the network's name. */
static bool before(const struct endpoint *a, const struct endpoint *b)
{
	if (a->gw_priority != b->gw_priority)
		return a->gw_priority > b->gw_priority;
	return strcmp(a->nw->spec.name, b->nw->spec.name) < 0;
}

static bool leads_out(const struct endpoint *ep, int fam)
{
	return ip_set(endpoint_gateway(ep, fam)) ||
	       (ep->attached && ep->nw->link_route && ip_set(ep->ip[fam]));
}

struct endpoint *sandbox_best_gateway(const struct sandbox *sb, int fam)
{
	struct container_eps *c = container_eps_find(sb->net, sb->container_id);
	struct endpoint *ep, *best = NULL;

	if (!c)
		return NULL;
	list_for_each (ep, &c->endpoints, cnode)
		if (leads_out(ep, fam) && (!best || before(ep, best)))
			best = ep;
	return best;
}

int sandbox_rtnl(const struct sandbox *sb, struct rtnl **ret, struct err *e)
{
	struct netns_visit v;
	int r = netns_enter(sb->netns, &v);

	if (r < 0)
		return err_sys(e, -r, "cannot enter the namespace of container %s",
			       sb->container_name);
	r = rtnl_open(ret);
	netns_leave(&v);
	return r < 0 ? err_sys(e, -r, "cannot open a netlink socket") : 0;
}

static int set_route(struct sandbox *sb, int fam, const struct endpoint *gw, struct err *e)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	struct rtnl_link l;
	int r = sandbox_rtnl(sb, &nl, e);

	if (r < 0)
		return r;
	if (!gw)
		return rtnl_route_default_del(nl, fam, e);
	r = rtnl_link_get(nl, gw->ifname, &l);
	if (r < 0)
		return err_sys(e, -r, "container %s has no interface %s", sb->container_name,
			       gw->ifname);
	return rtnl_route_default(nl, fam, endpoint_gateway(gw, fam), l.ifindex, e);
}

int sandbox_elect(struct sandbox *sb, struct err *e)
{
	struct endpoint *best[N_FAMILIES] = {sandbox_best_gateway(sb, V4),
					     sandbox_best_gateway(sb, V6)};
	struct published at;
	bool external = best[V4] || best[V6];
	int r = 0;

	if (external != sb->external) {
		sb->external = external;
		if (sb->dns_port)
			r = feed_sandbox_external(sb->net->feed, sb->container_id, external);
	}
	for (int fam = 0; r >= 0 && fam < N_FAMILIES; fam++) {
		if (best[fam] == sb->gateway[fam])
			continue;
		r = set_route(sb, fam, best[fam], e);
		if (r >= 0)
			sb->gateway[fam] = best[fam];
	}
	at = ports_where(sb);
	return r < 0 ? r : ports_program(sb, &at, e);
}

/* ---- endpoints ---- */

/* @alive: the namespace lives on without the endpoint */
static void leave(struct sandbox *sb, struct endpoint *ep, bool alive)
{
	ep->nw->driver->detach(sb->net, ep, sb, alive);
	endpoint_rest(ep);
	for (int fam = 0; fam < N_FAMILIES; fam++)
		if (sb->gateway[fam] == ep)
			sb->gateway[fam] = NULL;
}

int sandbox_attach(struct sandbox *sb, struct endpoint *ep, struct err *e)
{
	int r = ep->nw->driver->attach(sb->net, ep, sb, e);

	if (r < 0) {
		leave(sb, ep, true);
		return r;
	}
	ep->attached = true;
	r = endpoint_save(ep, e);
	if (r >= 0 && ep->names)
		r = sandbox_dns(sb, e);
	if (r < 0)
		sandbox_detach(sb, ep);
	return r;
}

void sandbox_detach(struct sandbox *sb, struct endpoint *ep)
{
	if (ep->names)
		feed_endpoint_del(sb->net->feed, ep->nw->id, sb->container_id);
	leave(sb, ep, true);
}

static int join(struct sandbox *sb, struct endpoint *ep, struct err *e)
{
	int r = sandbox_attach(sb, ep, e);

	if (r >= 0 && !sb->n_ports) /* until now it was on internal networks alone */
		r = ports_reserve(sb, e);
	if (r >= 0)
		r = sandbox_elect(sb, e);
	return r < 0 ? r : sandbox_announce(sb, ep, e);
}

/* What join() did, undone. The error to tell is join()'s. */
static void unjoin(struct sandbox *sb, struct endpoint *ep, bool had_ports)
{
	struct err why = {0};
	int r = 0;

	if (ep->attached)
		sandbox_detach(sb, ep);
	if (!had_ports && sb->n_ports) {
		r = ports_program(sb, &nowhere, &why);
		ports_release(sb);
	}
	if (r >= 0)
		r = sandbox_elect(sb, &why);
	if (r < 0)
		log_warn("a failed connect is not wholly undone container=%s error=%s",
			 sb->container_name, why.msg);
}

int net_endpoint_attach(struct net *n, struct endpoint *ep, struct err *e)
{
	struct sandbox *sb = map_get(n->sandboxes, ep->owner->id);
	bool had_ports;
	int r;

	if (!sb)
		return err_conflict(e, "container %s is not running", ep->owner->id);
	if (ep->attached)
		return 0;
	had_ports = sb->n_ports > 0;
	r = db_begin(n->db, e);
	if (r < 0)
		return r;
	r = join(sb, ep, e);
	if (r >= 0)
		r = db_commit(n->db, e);
	else
		db_rollback(n->db);
	if (r < 0)
		unjoin(sb, ep, had_ports);
	return r;
}

/* ---- start and stop ---- */

static int write_sysctl(const char *key, const char *value)
{
	auto_free char *path = strdup(key);

	if (!path)
		return -ENOMEM;
	for (char *p = path; *p; p++)
		*p = *p == '.' ? '/' : *p; /* so "..", the way out, cannot be written */
	return value ? netns_sysctl(path, value) : -EINVAL;
}

/* Twice: before the links, for what new links inherit, when what belongs to a link is not there
 * yet. */
static int apply_sysctls(struct sandbox *sb, json_t *sysctls, bool links, struct err *e)
{
	struct netns_visit v;
	const char *key;
	json_t *value;
	int r = 0;

	if (!json_object_size(sysctls))
		return 0;
	r = netns_enter(sb->netns, &v);
	if (r < 0)
		return err_sys(e, -r, "cannot enter the namespace of container %s",
			       sb->container_name);
	json_object_foreach(sysctls, key, value)
	{
		r = write_sysctl(key, json_string_value(value));
		if (r == -ENOENT && !links)
			r = 0;
		if (r < 0) {
			(void)err_set(e, ERR_INVALID, -r, "cannot set the sysctl %s to %s: %s", key,
				      json_is_string(value) ? json_string_value(value) : "?",
				      strerror(-r));
			break;
		}
	}
	netns_leave(&v);
	return r < 0 ? r : 0;
}

/*
 * What links inherit that are born here. They tell their neighbours who they are (plug.c tells
 * when), take no router's word for anything, and do not wait for duplicate addresses: ours are
 * unique. A container is no router unless --sysctl asks: one on two networks would otherwise route
 * past every rule of ours. (A new namespace inherits the first one's IPv4 settings.)
 */
static int link_defaults(struct sandbox *sb, struct err *e)
{
	static const char *const keys[][2] = {
		{"net/ipv4/ip_forward", "0"},
		{"net/ipv4/conf/default/arp_notify", "1"},
		{"net/ipv6/conf/default/ndisc_notify", "1"},
		{"net/ipv6/conf/default/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_ra", "0"},
	};
	struct netns_visit v;
	const char *key = NULL;
	int r = netns_enter(sb->netns, &v);

	if (r < 0)
		return err_sys(e, -r, "cannot enter the namespace of container %s",
			       sb->container_name);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(keys); i++) {
		key = keys[i][0];
		r = netns_sysctl(key, keys[i][1]);
		if (r == -ENOENT && str_has_prefix(key, "net/ipv6")) /* a kernel without it */
			r = 0;
	}
	netns_leave(&v);
	return r < 0 ? err_sys(e, -r, "cannot set %s in container %s", key, sb->container_name) : 0;
}

static int make_netns(struct sandbox *sb, int userns, struct err *e)
{
	return userns ? netns_create_in(sb->path, userns, &sb->netns, e)
		      : netns_create(sb->path, &sb->netns, e);
}

static int bring_up(struct sandbox *sb, const struct sandbox_spec *spec, struct err *e)
{
	struct container_eps *c = container_eps_find(sb->net, sb->container_id);
	struct sandbox_row row = {.container_id = sb->container_id};
	struct endpoint *ep;
	int r = sandbox_put(sb->net->db, &row, e);

	if (r >= 0)
		r = netns_unpin(sb->path) < 0
			    ? err_set(e, ERR_INTERNAL, EBUSY, "the namespace file %s is in the way",
				      sb->path)
			    : make_netns(sb, spec->host_userns ? 0 : sb->net->config.userns, e);
	if (r >= 0)
		r = link_defaults(sb, e);
	if (r >= 0)
		r = apply_sysctls(sb, spec->sysctls, false, e);
	if (r >= 0 && c)
		list_for_each (ep, &c->endpoints, cnode)
			if ((r = sandbox_attach(sb, ep, e)) < 0)
				break;
	if (r >= 0)
		r = apply_sysctls(sb, spec->sysctls, true, e);
	if (r >= 0)
		r = ports_reserve(sb, e);
	if (r >= 0)
		r = sandbox_elect(sb, e);
	if (r >= 0 && c)
		list_for_each (ep, &c->endpoints, cnode)
			if ((r = sandbox_announce(sb, ep, e)) < 0)
				break;
	return r;
}

static int take_spec(struct sandbox *sb, const struct sandbox_spec *spec)
{
	char *const *dns = spec->dns ? spec->dns : sb->net->config.dns;

	sb->ndots = resolv_has_ndots(sb->net, spec->dns_opts);
	sb->dns = strv_copy(dns);
	if (strv_len(dns) && !sb->dns)
		return -ENOMEM;
	if (!spec->n_publish)
		return 0;
	sb->publish = calloc(spec->n_publish, sizeof(*sb->publish));
	if (!sb->publish)
		return -ENOMEM;
	memcpy(sb->publish, spec->publish, spec->n_publish * sizeof(*sb->publish));
	sb->n_publish = spec->n_publish;
	return 0;
}

int net_sandbox_start(struct net *n, const struct sandbox_spec *spec, struct sandbox **ret,
		      struct err *e)
{
	struct sandbox *sb;
	int r;

	if (map_get(n->sandboxes, spec->container_id))
		net_sandbox_stop(n, spec->container_id); /* of a life whose end was not seen */
	sb = sandbox_alloc(n, spec->container_id, spec->container_name);
	if (!sb || map_put(n->sandboxes, sb->container_id, sb) < 0) {
		sandbox_free(sb);
		return err_nomem(e);
	}
	sb->claimed = true;
	r = take_spec(sb, spec) < 0 ? err_nomem(e) : db_begin(n->db, e);
	if (r >= 0) {
		r = bring_up(sb, spec, e);
		if (r >= 0)
			r = db_commit(n->db, e);
		else
			db_rollback(n->db);
	}
	if (r < 0) {
		net_sandbox_stop(n, spec->container_id);
		return r;
	}
	*ret = sb;
	return 0;
}

static int forget_rows(struct sandbox *sb)
{
	struct container_eps *c = container_eps_find(sb->net, sb->container_id);
	struct endpoint *ep;
	int r = db_begin(sb->net->db, NULL);

	if (r < 0)
		return r;
	r = port_del_container(sb->net->db, sb->container_id, NULL);
	if (r >= 0)
		r = sandbox_del(sb->net->db, sb->container_id, NULL);
	if (r >= 0 && c)
		list_for_each (ep, &c->endpoints, cnode)
			if ((r = endpoint_save(ep, NULL)) < 0)
				break;
	if (r >= 0)
		return db_commit(sb->net->db, NULL);
	db_rollback(sb->net->db);
	return r;
}

void net_sandbox_stop(struct net *n, const char *container_id)
{
	struct sandbox *sb = map_get(n->sandboxes, container_id);
	struct container_eps *c = container_eps_find(n, container_id);
	struct endpoint *ep;
	struct err e = {0};

	if (!sb)
		return;
	if (c)
		list_for_each (ep, &c->endpoints, cnode)
			if (ep->names)
				feed_endpoint_del(n->feed, ep->nw->id, container_id);
	feed_sandbox_del(n->feed, container_id);
	if (ports_program(sb, &nowhere, &e) < 0)
		log_warn("published ports could not be taken away container=%s error=%s",
			 container_id, e.msg);
	ports_release(sb);
	if (c)
		list_for_each (ep, &c->endpoints, cnode)
			if (ep->attached || *ep->host_name)
				leave(sb, ep, false);
	sb->netns = fd_close(sb->netns);
	if (netns_unpin(sb->path) < 0)
		log_warn("a namespace could not be unpinned path=%s", sb->path);
	if (forget_rows(sb) < 0)
		log_warn("the store keeps a stopped namespace until the next start container=%s",
			 container_id);
	(void)map_del(n->sandboxes, container_id);
	sandbox_free(sb);
}

struct sandbox *net_sandbox_find(struct net *n, const char *container_id)
{
	return map_get(n->sandboxes, container_id);
}

const char *sandbox_netns_path(const struct sandbox *s)
{
	return s->path;
}

size_t sandbox_ports(const struct sandbox *s, const struct net_port **ret)
{
	*ret = s->ports;
	return s->n_ports;
}
