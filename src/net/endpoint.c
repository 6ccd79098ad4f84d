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
static void keep_address(const struct endpoint *ep, bool keep)
{
	if (ep->nw && ep->nw->ipam && ep->last_ip)
		ipam_keep(ep->nw->ipam, ep->last_ip, keep);
}

void endpoint_rest(struct endpoint *ep)
{
	if (ep->ip && ep->nw->ipam) {
		keep_address(ep, false);
		ep->last_ip = ep->ip;
		keep_address(ep, true);
		ipam_release(ep->nw->ipam, ep->ip);
	}
	ep->attached = false;
	ep->ip = 0;
	memset(ep->mac, 0, sizeof(ep->mac));
	ep->host_name[0] = '\0';
	ep->ifname[0] = '\0';
}

void endpoint_free(struct endpoint *ep)
{
	if (!ep)
		return;
	keep_address(ep, false);
	list_remove(&ep->node);
	list_remove(&ep->cnode);
	if (ep->owner && list_empty(&ep->owner->endpoints)) {
		(void)map_del(ep->nw->net->containers, ep->owner->id);
		strv_free(ep->owner->dns);
		free(ep->owner);
	}
	free(ep->container_name);
	free(ep->hostname);
	strv_free(ep->aliases);
	strv_free(ep->names);
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
	if (ep->nw->default_bridge || ep->nw->driver != &driver_bridge)
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
				   .addr = ep->ip};
	char mac[MAC_STR], ip[IP4_STR];

	jsonw_object(&w, NULL);
	jsonw_str(&w, "name", ep->container_name);
	jsonw_str(&w, "hostname", ep->hostname);
	jsonw_strv(&w, "aliases", ep->aliases);
	jsonw_str(&w, "static", ep->static_ip ? ip4_str(ep->static_ip, ip) : "");
	jsonw_str(&w, "last", ep->last_ip ? ip4_str(ep->last_ip, ip) : "");
	jsonw_str(&w, "asked_mac", mac_str(ep->asked_mac, mac));
	jsonw_str(&w, "mac", mac_str(ep->mac, mac));
	jsonw_str(&w, "link", ep->host_name);
	jsonw_str(&w, "ifname", ep->ifname);
	jsonw_json(&w, "driver_opts", ep->driver_opts);
	if (sb && sb->dns)
		jsonw_strv(&w, "dns", sb->dns);
	jsonw_end_object(&w);
	if (buf_err(&b))
		return err_nomem(e);
	row.spec_json = buf_str(&b);
	return endpoint_put(ep->nw->net->db, &row, e);
}

static void read_ip(const json_t *j, const char *key, uint32_t *ret)
{
	const char *s = json_string_value(json_object_get(j, key));

	if (s && *s && ip4_parse(s, ret) < 0)
		*ret = 0;
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
	read_ip(j, "static", &ep->static_ip);
	read_ip(j, "last", &ep->last_ip);
	read_mac(j, "asked_mac", ep->asked_mac);
	read_mac(j, "mac", ep->mac);
	ep->driver_opts = json_incref(json_get(j, "driver_opts"));
	if (str_set(&ep->container_name, json_string_value(json_object_get(j, "name"))) < 0 ||
	    str_set(&ep->hostname, json_string_value(json_object_get(j, "hostname"))) < 0)
		return err_nomem(e);
	return json_get_strv(j, "endpoint", "aliases", false, &ep->aliases, e);
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
	if (r >= 0 && !ep->owner->dns)
		r = json_get_strv(j, "endpoint", "dns", false, &ep->owner->dns, e);
	if (r < 0) {
		endpoint_free(ep);
		return r;
	}
	keep_address(ep, true);
	if (row->addr && nw->ipam && ipam_take(nw->ipam, row->addr, &ep->ip) < 0)
		ep->attached = false; /* its network changed: attached anew with another address */
	return 0;
}

/* ---- add and remove ---- */

static int check(struct network *nw, const struct endpoint_spec *s, struct err *e)
{
	if (nw->driver != &driver_bridge) {
		if (s->ip)
			return err_invalid(e, "invalid endpoint settings:\nuser-specified IP "
					      "address is supported on "
					      "user-defined networks only");
		return 0;
	}
	if (nw->default_bridge && s->ip)
		return err_invalid(e, "invalid endpoint settings:\nuser-specified IP address is "
				      "supported on user-defined "
				      "networks only");
	if (nw->default_bridge && strv_len(s->aliases))
		return err_invalid(
			e, "network-scoped aliases are only supported for user-defined networks");
	if (s->ip && !cidr4_has(nw->subnet, s->ip)) {
		char ip[IP4_STR];

		return err_invalid(
			e,
			"invalid endpoint settings:\nno configured subnet contains IP address %s",
			ip4_str(s->ip, ip));
	}
	return 0;
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
	ep->static_ip = spec->ip;
	memcpy(ep->asked_mac, spec->mac, 6);
	ep->driver_opts = spec->driver_opts ? json_deep_copy(spec->driver_opts) : NULL;
	ep->aliases = strv_copy(spec->aliases);
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

uint32_t endpoint_ip(const struct endpoint *ep)
{
	return ep->attached ? ep->ip : 0;
}

uint32_t endpoint_static_ip(const struct endpoint *ep)
{
	return ep->static_ip;
}

uint8_t endpoint_prefix_len(const struct endpoint *ep)
{
	return ep->attached ? ep->nw->subnet.len : 0;
}

uint32_t endpoint_gateway(const struct endpoint *ep)
{
	return ep->attached && !ep->nw->spec.internal ? ep->nw->gateway : 0;
}

const uint8_t *endpoint_mac(const struct endpoint *ep)
{
	return ep->mac;
}

json_t *endpoint_driver_opts(const struct endpoint *ep)
{
	return ep->driver_opts;
}
