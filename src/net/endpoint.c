/* SPDX-License-Identifier: GPL-2.0-or-later */
/* endpoint.c - a container's place on a network: rows, rules, names; the kernel part is sandbox.c's
 */

#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

struct endpoint *endpoint_alloc(void)
{
	return calloc(1, sizeof(struct endpoint));
}

struct container_eps *container_eps_find(struct net *n, const char *id)
{
	return map_get(n->containers, id);
}

/* While it rests, others get its last address only when nothing else is free. */
static void keep_address(const struct endpoint *ep, int fam, bool keep)
{
	if (ep->nw && ep->nw->fam[fam].ipam && ip_set(ep->last_ip[fam]))
		ipam_keep(ep->nw->fam[fam].ipam, ep->last_ip[fam], keep);
}

static void rest_address(struct endpoint *ep, int fam)
{
	struct ipam *p = ep->nw->fam[fam].ipam;

	if (ip_set(ep->ip[fam]) && p) {
		keep_address(ep, fam, false);
		ep->last_ip[fam] = ep->ip[fam];
		keep_address(ep, fam, true);
		ipam_release(p, ep->ip[fam]);
	}
	ep->ip[fam] = (struct ip){0};
}

void endpoint_rest(struct endpoint *ep)
{
	for (int fam = 0; fam < N_FAMILIES; fam++)
		rest_address(ep, fam);
	plug_quiet(ep);
	ep->attached = false;
	memset(ep->mac, 0, sizeof(ep->mac));
	ep->host_name[0] = '\0';
	ep->ifname[0] = '\0';
}

void endpoint_free(struct endpoint *ep)
{
	if (!ep)
		return;
	for (int fam = 0; fam < N_FAMILIES; fam++)
		keep_address(ep, fam, false);
	plug_quiet(ep);
	list_remove(&ep->node);
	list_remove(&ep->cnode);
	if (ep->owner && list_empty(&ep->owner->endpoints)) {
		(void)map_del(ep->nw->net->containers, ep->owner->id);
		strv_free(ep->owner->dns);
		free(ep->owner->publish);
		free(ep->owner->last);
		free(ep->owner);
	}
	free(ep->container_name);
	free(ep->hostname);
	strv_free(ep->aliases);
	strv_free(ep->names);
	strv_free(ep->link_local);
	strv_free(ep->links);
	json_decref(ep->driver_opts);
	free(ep);
}

int endpoint_link(struct net *n, struct endpoint *ep, const char *container_id)
{
	struct container_eps *c = map_get(n->containers, container_id);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c || map_put(n->containers, container_id, c) < 0) {
			free(c);
			return -ENOMEM;
		}
		(void)snprintf(c->id, sizeof(c->id), "%s", container_id);
		list_init(&c->endpoints);
	}
	ep->owner = c;
	list_append(&c->endpoints, &ep->cnode);
	list_append(&ep->nw->endpoints, &ep->node);
	return 0;
}

/* Docker's order: container name, aliases, 12-digit id, hostname; each once. */
int endpoint_make_names(struct endpoint *ep)
{
	char short_id[13];
	int r = 0;

	strv_free(ep->names);
	ep->names = NULL;
	if (ep->nw->default_bridge || !ep->nw->driver->names || ep->nw->spec.config_only)
		return 0;
	(void)snprintf(short_id, sizeof(short_id), "%.12s", ep->owner->id);
	r = strv_add_unique(&ep->names, ep->container_name);
	for (size_t i = 0; r >= 0 && ep->aliases && ep->aliases[i]; i++)
		if (*ep->aliases[i])
			r = strv_add_unique(&ep->names, ep->aliases[i]);
	if (r >= 0)
		r = strv_add_unique(&ep->names, short_id);
	if (r >= 0 && !str_empty(ep->hostname))
		r = strv_add_unique(&ep->names, ep->hostname);
	return r < 0 ? r : 0;
}

static const char *const static_keys[N_FAMILIES] = {"static", "static6"};
static const char *const last_keys[N_FAMILIES] = {"last", "last6"};

/* What the container's start was given: kept here, it comes back with its endpoints. */
static void start_json(struct jsonw *w, const struct sandbox *sb)
{
	char text[PUBLISH_STR];

	if (sb->dns)
		jsonw_strv(w, "dns", sb->dns);
	jsonw_bool(w, "ndots", sb->ndots);
	jsonw_array(w, "publish");
	for (size_t i = 0; i < sb->n_publish; i++)
		jsonw_str(w, NULL, publish_str(&sb->publish[i], text));
	jsonw_end_array(w);
}

/* Ephemeral ports, as "-p 32768:80/tcp" has them. */
static void last_json(struct jsonw *w, const struct container_eps *c)
{
	char text[PUBLISH_STR];

	jsonw_array(w, "last_ports");
	for (size_t i = 0; i < c->n_last; i++) {
		const struct net_port *p = &c->last[i];
		struct net_publish as = {p->proto,   p->port,	   p->port,
					 p->host_ip, p->host_port, p->host_port};

		jsonw_str(w, NULL, publish_str(&as, text));
	}
	jsonw_end_array(w);
}

bool endpoint_is_spoke(const struct endpoint *ep)
{
	const char *role =
		json_string_value(json_object_get(ep->driver_opts, "com.atoll.endpoint.role"));

	return ep->nw->hub && (!role || !streq(role, "hub"));
}

int endpoint_save(struct endpoint *ep, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(LIMIT_JSON_BODY);
	struct jsonw w = JSONW_INIT(&b);
	const struct sandbox *sb = map_get(ep->nw->net->sandboxes, ep->owner->id);
	struct endpoint_row row = {.id = ep->id,
				   .network_id = ep->nw->id,
				   .container_id = ep->owner->id,
				   .phase = PHASE_READY,
				   .attached = ep->attached,
				   .addr = {ep->ip[V4], ep->ip[V6]}};
	char mac[MAC_STR], ip[IP_STR];

	jsonw_object(&w, NULL);
	jsonw_str(&w, "name", ep->container_name);
	jsonw_str(&w, "hostname", ep->hostname);
	jsonw_strv(&w, "aliases", ep->aliases);
	jsonw_strv(&w, "link_local", ep->link_local);
	jsonw_strv(&w, "links", ep->links);
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		jsonw_str(&w, static_keys[fam], ip_str(ep->static_ip[fam], ip));
		jsonw_str(&w, last_keys[fam], ip_str(ep->last_ip[fam], ip));
	}
	jsonw_i64(&w, "gw_priority", ep->gw_priority);
	jsonw_str(&w, "asked_mac", mac_str(ep->asked_mac, mac));
	jsonw_str(&w, "mac", mac_str(ep->mac, mac));
	jsonw_str(&w, "link", ep->host_name);
	jsonw_str(&w, "ifname", ep->ifname);
	jsonw_json(&w, "driver_opts", ep->driver_opts);
	if (sb)
		start_json(&w, sb);
	last_json(&w, ep->owner);
	jsonw_end_object(&w);
	if (buf_err(&b))
		return err_nomem(e);
	row.spec_json = buf_str(&b);
	return endpoint_put(ep->nw->net->db, &row, e);
}

static struct ip read_ip(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));
	struct ip ip = {0};

	return s && *s && ip_parse(s, &ip) >= 0 ? ip : (struct ip){0};
}

static void read_mac(const json_t *j, const char *key, uint8_t mac[6])
{
	const char *s = json_string_value(json_object_get(j, key));

	if (!s || mac_parse(s, mac) < 0)
		memset(mac, 0, 6);
}

static void read_name(const json_t *j, const char *key, char out[16])
{
	const char *s = json_string_value(json_object_get(j, key));

	(void)snprintf(out, 16, "%s", s ? s : "");
}

/* Fields of @ep that have no column of their own. */
static int read_spec(struct endpoint *ep, const json_t *j, struct err *e)
{
	read_name(j, "link", ep->host_name);
	read_name(j, "ifname", ep->ifname);
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		ep->static_ip[fam] = read_ip(j, static_keys[fam]);
		ep->last_ip[fam] = read_ip(j, last_keys[fam]);
	}
	ep->gw_priority = (int)json_integer_value(json_object_get(j, "gw_priority"));
	read_mac(j, "asked_mac", ep->asked_mac);
	read_mac(j, "mac", ep->mac);
	ep->driver_opts = json_incref(json_get(j, "driver_opts"));
	if (str_set(&ep->container_name, json_string_value(json_object_get(j, "name"))) < 0 ||
	    str_set(&ep->hostname, json_string_value(json_object_get(j, "hostname"))) < 0)
		return err_nomem(e);
	if (json_get_strv(j, "endpoint", "link_local", false, &ep->link_local, e) < 0 ||
	    json_get_strv(j, "endpoint", "links", false, &ep->links, e) < 0)
		return e ? e->code : -EINVAL;
	return json_get_strv(j, "endpoint", "aliases", false, &ep->aliases, e);
}

static int read_publish(const json_t *j, const char *key, struct net_publish **ret, size_t *ret_n,
			struct err *e)
{
	const json_t *list = json_object_get(j, key);
	struct net_publish *v = calloc(json_array_size(list) + 1, sizeof(*v));
	json_t *text;
	size_t i, n = 0;

	if (!v)
		return err_nomem(e);
	json_array_foreach(list, i, text)
	{
		const char *s = json_string_value(text);

		if (s && publish_parse(s, &v[n], NULL) >= 0)
			n++;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

/* Of the first endpoint that has them. */
static int read_start(struct container_eps *c, const json_t *j, struct err *e)
{
	auto_free struct net_publish *last = NULL;
	size_t n_last = 0;
	int r = 0;

	c->ndots = c->ndots || json_is_true(json_object_get(j, "ndots"));
	if (!c->dns)
		r = json_get_strv(j, "endpoint", "dns", false, &c->dns, e);
	if (r >= 0 && !c->n_publish) {
		free(c->publish);
		c->publish = NULL;
		r = read_publish(j, "publish", &c->publish, &c->n_publish, e);
	}
	if (r < 0 || c->n_last)
		return r;
	free(c->last);
	c->last = NULL;
	r = read_publish(j, "last_ports", &last, &n_last, e);
	c->last = r < 0 ? NULL : calloc(n_last + 1, sizeof(*c->last));
	for (size_t i = 0; c->last && i < n_last; i++)
		c->last[c->n_last++] = (struct net_port){last[i].proto, last[i].host_ip,
							 last[i].host_port, last[i].port};
	return r;
}

int endpoint_load(struct net *n, const struct endpoint_row *row, struct err *e)
{
	struct network *nw = map_get(n->by_id, row->network_id);
	struct endpoint *ep = nw ? endpoint_alloc() : NULL;
	auto_json json_t *j = NULL;
	int r;

	if (!nw)
		return endpoint_del(n->db, row->id, e);
	if (!ep)
		return err_nomem(e);
	ep->nw = nw;
	(void)snprintf(ep->id, sizeof(ep->id), "%s", row->id);
	ep->attached = row->attached;
	r = json_read(row->spec_json, strlen(row->spec_json), &j, e);
	if (r >= 0)
		r = read_spec(ep, j, e);
	if (r >= 0 && (endpoint_link(n, ep, row->container_id) < 0 || endpoint_make_names(ep) < 0))
		r = err_nomem(e);
	if (r >= 0)
		r = read_start(ep->owner, j, e);
	if (r < 0) {
		endpoint_free(ep);
		return r;
	}
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		struct ipam *p = nw->fam[fam].ipam;

		keep_address(ep, fam, true);
		if (ip_set(row->addr[fam]) && p && ipam_take(p, row->addr[fam], &ep->ip[fam]) < 0)
			ep->attached = false; /* its network changed: attached anew with another
						 address */
	}
	return 0;
}

/* ---- add and remove ---- */

static int check_ip(const struct network *nw, struct ip ip, struct err *e)
{
	char text[IP_STR];

	if (!nw->driver->names || nw->default_bridge)
		return err_invalid(e, "invalid endpoint settings:\nuser-specified IP address is "
				      "supported on user-defined networks only");
	if (!cidr_has(nw->fam[ip_fam(ip)].subnet, ip))
		return err_invalid(
			e,
			"invalid endpoint settings:\nno configured subnet contains IP address %s",
			ip_str(ip, text));
	return 0;
}

static int check(struct network *nw, const struct endpoint_spec *s, struct err *e)
{
	int r = plug_check(s, e);

	if (nw->spec.config_only)
		return err_forbidden(e, "cannot create endpoint on configuration-only network");
	for (int fam = 0; r >= 0 && fam < N_FAMILIES; fam++)
		if (ip_set(s->ip[fam]))
			r = check_ip(nw, s->ip[fam], e);
	if (r >= 0 && nw->default_bridge && strv_len(s->aliases))
		return err_invalid(
			e, "network-scoped aliases are only supported for user-defined networks");
	return r;
}

int net_endpoint_add(struct net *n, struct network *nw, const struct endpoint_spec *spec,
		     struct endpoint **ret, struct err *e)
{
	struct endpoint *ep;
	int r = check(nw, spec, e);

	if (r < 0)
		return r;
	if (net_endpoint_find(n, nw, spec->container_id))
		return err_forbidden(e, "endpoint with name %s already exists in network %s",
				     spec->container_name, nw->spec.name);
	ep = endpoint_alloc();
	if (!ep)
		return err_nomem(e);
	ep->nw = nw;
	rand_id(ep->id);
	memcpy(ep->static_ip, spec->ip, sizeof(ep->static_ip));
	ep->gw_priority = spec->gw_priority;
	memcpy(ep->asked_mac, spec->mac, 6);
	ep->driver_opts = spec->driver_opts ? json_deep_copy(spec->driver_opts) : NULL;
	ep->aliases = strv_copy(spec->aliases);
	ep->link_local = strv_copy(spec->link_local);
	ep->links = strv_copy(spec->links);
	if (str_set(&ep->container_name, spec->container_name) < 0 ||
	    str_set(&ep->hostname, spec->hostname) < 0 ||
	    endpoint_link(n, ep, spec->container_id) < 0 || endpoint_make_names(ep) < 0) {
		endpoint_free(ep);
		return err_nomem(e);
	}
	r = endpoint_save(ep, e);
	if (r < 0) {
		endpoint_free(ep);
		return r;
	}
	*ret = ep;
	return 0;
}

int net_endpoint_remove(struct net *n, struct endpoint *ep, struct err *e)
{
	struct sandbox *sb = map_get(n->sandboxes, ep->owner->id);
	struct err why = {0};
	int r = endpoint_del(n->db, ep->id, e);

	if (r < 0)
		return r;
	if (ep->attached && sb) {
		sandbox_detach(sb, ep);
		if (sandbox_elect(sb, &why) < 0)
			log_warn("the default route could not be moved container=%s error=%s",
				 sb->container_id, why.msg);
	}
	endpoint_free(ep);
	return 0;
}

struct endpoint *net_endpoint_find(struct net *n, struct network *nw, const char *container_id)
{
	struct container_eps *c = map_get(n->containers, container_id);
	struct endpoint *ep;

	if (!c)
		return NULL;
	list_for_each (ep, &c->endpoints, cnode)
		if (ep->nw == nw)
			return ep;
	return NULL;
}

struct endpoint *net_container_endpoint_next(struct net *n, const char *container_id,
					     struct endpoint *prev)
{
	struct container_eps *c = map_get(n->containers, container_id);
	struct list *next;

	if (!c)
		return NULL;
	next = prev ? prev->cnode.next : c->endpoints.next;
	return next == &c->endpoints ? NULL : list_entry(next, struct endpoint, cnode);
}

void net_container_renamed(struct net *n, const char *container_id, const char *name)
{
	struct container_eps *c = map_get(n->containers, container_id);
	struct sandbox *sb = map_get(n->sandboxes, container_id);
	struct endpoint *ep;
	struct err e = {0};

	if (!c)
		return;
	list_for_each (ep, &c->endpoints, cnode) {
		int r = str_set(&ep->container_name, name);

		if (r >= 0)
			r = endpoint_make_names(ep);
		if (r >= 0)
			r = endpoint_save(ep, &e);
		if (r >= 0 && sb && ep->attached)
			r = sandbox_announce(sb, ep, &e);
		if (r < 0)
			log_warn("a renamed container keeps its old name on a network container=%s "
				 "network=%s",
				 name, ep->nw->spec.name);
	}
}

/* ---- reading ---- */

const char *endpoint_id(const struct endpoint *ep)
{
	return ep->id;
}

const char *endpoint_container_id(const struct endpoint *ep)
{
	return ep->owner->id;
}

const char *endpoint_container_name(const struct endpoint *ep)
{
	return ep->container_name;
}

struct network *endpoint_network(const struct endpoint *ep)
{
	return ep->nw;
}

char *const *endpoint_aliases(const struct endpoint *ep)
{
	return ep->aliases;
}

char *const *endpoint_dns_names(const struct endpoint *ep)
{
	return ep->names;
}

bool endpoint_attached(const struct endpoint *ep)
{
	return ep->attached;
}

struct cidr endpoint_addr(const struct endpoint *ep, int fam)
{
	return ep->attached ? (struct cidr){ep->ip[fam], ep->nw->fam[fam].subnet.len}
			    : (struct cidr){0};
}

struct ip endpoint_static_ip(const struct endpoint *ep, int fam)
{
	return ep->static_ip[fam];
}

char *const *endpoint_link_local(const struct endpoint *ep)
{
	return ep->link_local;
}

struct ip endpoint_gateway(const struct endpoint *ep, int fam)
{
	bool has = ep->attached && !ep->nw->spec.internal && ip_set(ep->ip[fam]);
	const struct net_family *f = &ep->nw->fam[fam];

	return !has ? (struct ip){0} : ip_set(f->router) ? f->router : f->gateway;
}

int endpoint_gw_priority(const struct endpoint *ep)
{
	return ep->gw_priority;
}

const char *endpoint_ifname(const struct endpoint *ep)
{
	return ep->ifname;
}

const uint8_t *endpoint_mac(const struct endpoint *ep)
{
	return ep->mac;
}

json_t *endpoint_driver_opts(const struct endpoint *ep)
{
	return ep->driver_opts;
}
