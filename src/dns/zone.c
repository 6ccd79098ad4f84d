/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zone.c - networks, names, endpoints and views
 *
 * A network lives while an endpoint is on it, a view while its sandbox has an endpoint. An endpoint
 * is on the name lists of its network by each of its keys and on the network's address map, and has
 * a place in its sandbox's view. Setting it again keeps that place.
 */

#include "dns/zone.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/map.h"
#include "base/str.h"

struct zone_network {
	char *id;
	char *key;	   /* the network's name as text, NULL if no query can spell it */
	struct map *names; /* text -> struct zone_name */
	struct map *addrs; /* text of an address -> struct zone_endpoint */
	size_t endpoints;
};

struct zone_view {
	char *sandbox;
	struct zone_endpoint **eps;
	size_t n, room;
};

struct zone_endpoint {
	struct zone_network *net;
	struct zone_view *view;
	char *id;    /* key in zone->endpoints */
	char **keys; /* its names as text */
	bool has_ptr;
	struct dname ptr;
	struct ip addr[N_FAMILIES];
	bool spoke;
	char **links; /* texts: name, alias, name, alias */
	unsigned generation;
};

struct zone {
	struct map *networks, *views, *endpoints;
};

/* ---- growing lists of endpoints ---- */

static int add_ep(struct zone_endpoint ***eps, size_t *n, size_t *room, struct zone_endpoint *ep)
{
	if (*n == *room) {
		size_t more = MAX((size_t)2, *room * 2);
		struct zone_endpoint **p = reallocarray(*eps, more, sizeof(*p));

		if (!p)
			return -ENOMEM;
		*eps = p;
		*room = more;
	}
	(*eps)[(*n)++] = ep;
	return 0;
}

static void del_ep(struct zone_endpoint **eps, size_t *n, const struct zone_endpoint *ep)
{
	for (size_t i = 0; i < *n; i++) {
		if (eps[i] != ep)
			continue;
		memmove(eps + i, eps + i + 1, (*n - i - 1) * sizeof(*eps));
		(*n)--;
		return;
	}
}

/* ---- networks ---- */

static char *key_of(const char *text)
{
	char key[DNAME_TEXT];
	struct dname n;

	return dname_from_text(text, &n) < 0 ? NULL : strdup(dname_text(&n, key));
}

static void network_free(struct zone_network *n)
{
	struct zone_name *name;
	size_t pos = 0;

	while ((name = map_next(n->names, &pos, NULL))) {
		free(name->eps);
		free(name);
	}
	map_free(n->names);
	map_free(n->addrs);
	free(n->key);
	free(n->id);
	free(n);
}

static struct zone_network *network_get(struct zone *z, const char *id)
{
	struct zone_network *n = map_get(z->networks, id);

	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->id = strdup(id);
	if (!n->id || map_new(&n->names) < 0 || map_new(&n->addrs) < 0 ||
	    map_put(z->networks, id, n) < 0) {
		network_free(n);
		return NULL;
	}
	return n;
}

static void network_drop_if_empty(struct zone *z, struct zone_network *n)
{
	if (n->endpoints)
		return;
	(void)map_del(z->networks, n->id);
	network_free(n);
}

/* ---- views ---- */

static void view_free(struct zone_view *v)
{
	free(v->eps);
	free(v->sandbox);
	free(v);
}

static struct zone_view *view_get(struct zone *z, const char *sandbox)
{
	struct zone_view *v = map_get(z->views, sandbox);

	if (v)
		return v;
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->sandbox = strdup(sandbox);
	if (!v->sandbox || map_put(z->views, sandbox, v) < 0) {
		view_free(v);
		return NULL;
	}
	return v;
}

static void view_drop_if_empty(struct zone *z, struct zone_view *v)
{
	if (v->n)
		return;
	(void)map_del(z->views, v->sandbox);
	view_free(v);
}

/* ---- endpoints ---- */

/* Takes the endpoint out of its network's names and addresses; its place in the view stays. */
static void unlist(struct zone_endpoint *ep)
{
	char text[IP_STR];

	for (size_t i = 0; ep->keys && ep->keys[i]; i++) {
		struct zone_name *name = map_get(ep->net->names, ep->keys[i]);

		if (!name)
			continue;
		del_ep(name->eps, &name->n, ep);
		if (name->n)
			continue;
		(void)map_del(ep->net->names, ep->keys[i]);
		free(name->eps);
		free(name);
	}
	strv_free(ep->keys);
	strv_free(ep->links);
	ep->keys = ep->links = NULL;
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		if (ip_set(ep->addr[fam]) &&
		    map_get(ep->net->addrs, ip_str(ep->addr[fam], text)) == ep)
			(void)map_del(ep->net->addrs, text);
		ep->addr[fam] = (struct ip){0};
	}
	ep->has_ptr = false;
}

static void endpoint_free(struct zone *z, struct zone_endpoint *ep)
{
	if (ep->id)
		(void)map_del(z->endpoints, ep->id);
	if (ep->net) {
		unlist(ep);
		ep->net->endpoints--;
		network_drop_if_empty(z, ep->net);
	}
	if (ep->view) {
		del_ep(ep->view->eps, &ep->view->n, ep);
		view_drop_if_empty(z, ep->view);
	}
	free(ep->id);
	free(ep);
}

static int endpoint_new(struct zone *z, const struct zone_record *rec, struct zone_endpoint **ret)
{
	struct zone_endpoint *ep = calloc(1, sizeof(*ep));
	struct zone_view *view;

	if (!ep)
		return -ENOMEM;
	ep->net = network_get(z, rec->network_id);
	if (ep->net)
		ep->net->endpoints++;
	view = view_get(z, rec->sandbox);
	if (view && add_ep(&view->eps, &view->n, &view->room, ep) == 0)
		ep->view = view;
	else if (view)
		view_drop_if_empty(z, view);
	ep->id = str_printf("%s %s", rec->network_id, rec->sandbox);
	if (!ep->net || !ep->view || !ep->id || map_put(z->endpoints, ep->id, ep) < 0) {
		endpoint_free(z, ep);
		return -ENOMEM;
	}
	*ret = ep;
	return 0;
}

static int list_name(struct zone_endpoint *ep, const char *key)
{
	struct zone_name *name = map_get(ep->net->names, key);

	if (!name) {
		name = calloc(1, sizeof(*name));
		if (!name)
			return -ENOMEM;
		if (map_put(ep->net->names, key, name) < 0) {
			free(name);
			return -ENOMEM;
		}
	}
	return add_ep(&name->eps, &name->n, &name->room, ep);
}

static void set_ptr(struct zone_endpoint *ep, const struct zone_record *rec)
{
	auto_free char *text = NULL;

	if (!rec->names || !rec->names[0])
		return;
	text = str_printf("%s.%s", rec->names[0], rec->network_name);
	ep->has_ptr = text && dname_from_text(text, &ep->ptr) == 0;
}

static int set_links(struct zone_endpoint *ep, char *const *links)
{
	for (; links && *links; links++) {
		const char *colon = strchr(*links, ':');
		auto_free char *name = colon ? strndup(*links, (size_t)(colon - *links)) : NULL;
		auto_free char *key = name ? key_of(name) : NULL;
		auto_free char *alias = colon ? key_of(colon + 1) : NULL;

		if (key && alias &&
		    (strv_add(&ep->links, key) < 0 || strv_add(&ep->links, alias) < 0))
			return -ENOMEM;
	}
	return 0;
}

static int enlist(struct zone_endpoint *ep, const struct zone_record *rec)
{
	char text[IP_STR];
	int r = 0;

	/* keys first: unlist() goes by them, also when we stop half way */
	for (char *const *name = rec->names; name && *name && r >= 0; name++) {
		auto_free char *key = key_of(*name);

		if (!key)
			continue;
		r = strv_add_unique(&ep->keys, key);
		if (r > 0)
			r = list_name(ep, key);
	}
	if (r < 0)
		return r;
	set_ptr(ep, rec);
	ep->spoke = rec->spoke;
	r = set_links(ep, rec->links);
	for (int fam = 0; fam < N_FAMILIES && r >= 0; fam++) {
		ep->addr[fam] = rec->addr[fam];
		if (ip_set(ep->addr[fam]))
			r = map_put(ep->net->addrs, ip_str(ep->addr[fam], text), ep);
	}
	return r;
}

int zone_set(struct zone *z, const struct zone_record *rec)
{
	auto_free char *id = str_printf("%s %s", rec->network_id, rec->sandbox);
	struct zone_endpoint *ep;
	char *key;
	int r;

	if (!id)
		return -ENOMEM;
	ep = map_get(z->endpoints, id);
	if (ep)
		unlist(ep);
	else if ((r = endpoint_new(z, rec, &ep)) < 0)
		return r;
	key = key_of(rec->network_name);
	free(ep->net->key);
	ep->net->key = key;
	ep->generation = rec->generation;
	r = enlist(ep, rec);
	if (r < 0)
		endpoint_free(z, ep);
	return r < 0 ? r : 0;
}

void zone_del(struct zone *z, const char *network_id, const char *sandbox)
{
	auto_free char *id = str_printf("%s %s", network_id, sandbox);
	struct zone_endpoint *ep = id ? map_get(z->endpoints, id) : NULL;

	if (ep)
		endpoint_free(z, ep);
}

void zone_sweep(struct zone *z, unsigned generation)
{
	struct zone_endpoint *ep;
	size_t pos = 0;

	while ((ep = map_next(z->endpoints, &pos, NULL)))
		if (ep->generation != generation)
			endpoint_free(z, ep);
}

size_t zone_len(const struct zone *z)
{
	return map_len(z->endpoints);
}

int zone_new(struct zone **ret)
{
	struct zone *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	if (map_new(&z->networks) < 0 || map_new(&z->views) < 0 || map_new(&z->endpoints) < 0) {
		zone_free(z);
		return -ENOMEM;
	}
	*ret = z;
	return 0;
}

void zone_free(struct zone *z)
{
	struct zone_endpoint *ep;
	size_t pos = 0;

	if (!z)
		return;
	while ((ep = map_next(z->endpoints, &pos, NULL)))
		endpoint_free(z, ep);
	map_free(z->endpoints);
	map_free(z->views);
	map_free(z->networks);
	free(z);
}

/* ---- looking up ---- */

const struct zone_view *zone_view(const struct zone *z, const char *sandbox)
{
	return map_get(z->views, sandbox);
}

bool zone_sees(const struct zone_view *v, const struct zone_endpoint *ep)
{
	if (!ep->spoke || ep->view == v)
		return true;
	for (size_t i = 0; i < v->n; i++)
		if (v->eps[i]->net == ep->net && !v->eps[i]->spoke)
			return true;
	return false;
}

/* The name on one network of @v's, if anybody who has it is seen. */
static const struct zone_name *on_network(const struct zone_view *v, const struct zone_network *net,
					  const char *name)
{
	const struct zone_name *found = map_get(net->names, name);

	for (size_t i = 0; found && i < found->n; i++)
		if (zone_sees(v, found->eps[i]))
			return found;
	return NULL;
}

static const struct zone_name *qualified(const struct zone_view *v, const char *name, size_t len,
					 const char *network)
{
	char key[DNAME_TEXT];

	for (size_t i = 0; i < v->n; i++) {
		const struct zone_network *net = v->eps[i]->net;
		const struct zone_name *found;

		if (!net->key || strcmp(net->key, network) != 0)
			continue;
		memcpy(key, name, len);
		key[len] = '\0';
		found = on_network(v, net, key);
		if (found)
			return found;
	}
	return NULL;
}

static const struct zone_name *linked(const struct zone_view *v, const char *alias)
{
	for (size_t i = 0; i < v->n; i++)
		for (char **l = v->eps[i]->links; l && *l; l += 2) {
			const struct zone_name *found =
				streq(l[1], alias) ? on_network(v, v->eps[i]->net, l[0]) : NULL;

			if (found)
				return found;
		}
	return NULL;
}

const struct zone_name *zone_find(const struct zone_view *v, const char *name, bool *ret_whole)
{
	const struct zone_name *found;

	*ret_whole = true;
	if (!v || strlen(name) >= DNAME_TEXT)
		return NULL;
	found = linked(v, name);
	for (size_t i = 0; !found && i < v->n; i++)
		found = on_network(v, v->eps[i]->net, name);
	if (found)
		return found;
	*ret_whole = false;
	/* the shortest network name first, as Docker does: a.b in c, then a in b.c */
	for (size_t at = strlen(name); at-- > 1;) {
		if (name[at] != '.')
			continue;
		found = qualified(v, name, at, name + at + 1);
		if (found)
			return found;
	}
	return NULL;
}

struct ip zone_addr(const struct zone_endpoint *ep, int fam)
{
	return ep->addr[fam];
}

bool zone_ptr(const struct zone_view *v, struct ip addr, struct dname *ret)
{
	char text[IP_STR];

	(void)ip_str(addr, text);
	for (size_t i = 0; v && i < v->n; i++) {
		const struct zone_endpoint *ep = map_get(v->eps[i]->net->addrs, text);

		if (!ep || !ep->has_ptr || !zone_sees(v, ep))
			continue;
		*ret = ep->ptr;
		return true;
	}
	return false;
}
