/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - networks: made, found, listed, removed */

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"
#include "net/neighbours.h"

static const struct net_driver *const drivers[] = {&driver_bridge, &driver_macvlan, &driver_ipvlan,
						   &driver_host, &driver_null};

const struct net_driver *net_driver_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (streq(drivers[i]->name, name))
			return drivers[i];
	return NULL;
}

struct network *network_alloc(struct net *n)
{
	struct network *nw = calloc(1, sizeof(*nw));

	if (!nw)
		return NULL;
	nw->net = n;
	nw->icc = nw->masq = true;
	list_init(&nw->endpoints);
	return nw;
}

void network_free(struct network *nw)
{
	if (!nw)
		return;
	list_remove(&nw->node);
	network_spec_done(&nw->spec);
	for (int fam = 0; fam < N_FAMILIES; fam++)
		ipam_free(nw->fam[fam].ipam);
	strv_free(nw->trusted);
	free(nw);
}

int network_link(struct network *nw)
{
	int r = map_put(nw->net->by_id, nw->id, nw);

	if (r >= 0)
		r = map_put(nw->net->by_name, nw->spec.name, nw);
	if (r < 0) {
		(void)map_del(nw->net->by_id, nw->id);
		return r;
	}
	list_append(&nw->net->networks, &nw->node);
	return 0;
}

void network_unlink(struct network *nw)
{
	(void)map_del(nw->net->by_id, nw->id);
	(void)map_del(nw->net->by_name, nw->spec.name);
	list_remove(&nw->node);
}

int network_save(struct network *nw, enum phase phase, struct err *e)
{
	auto_free char *spec = NULL;
	struct network_row row = {.id = nw->id,
				  .name = nw->spec.name,
				  .phase = phase,
				  .created_ns = nw->created_ns,
				  .bridge = *nw->bridge ? nw->bridge : NULL};
	int r = network_spec_to_json(nw, &spec, e);

	if (r < 0)
		return r;
	row.spec_json = spec;
	return network_put(nw->net->db, &row, e);
}

/* ---- create ---- */

static bool blank(const char *s)
{
	return str_empty(s) || strspn(s, " \t\r\n") == strlen(s);
}

static bool reserved_name(const char *name)
{
	return streq(name, "bridge") || streq(name, "host") || streq(name, "none") ||
	       streq(name, "default");
}

static int check_spec(struct net *n, const struct network_spec *s, struct err *e)
{
	const char *driver = s->driver && *s->driver ? s->driver : "bridge";
	const struct net_driver *d = net_driver_find(driver);

	if (blank(s->name))
		return err_invalid(e, "invalid name: name is empty");
	if (strlen(s->name) > LIMIT_NAME)
		return err_invalid(e, "invalid name: name is longer than %d bytes", LIMIT_NAME);
	if (reserved_name(s->name))
		return err_forbidden(e, "operation is not permitted on predefined %s network ",
				     s->name);
	if (map_get(n->by_name, s->name))
		return err_conflict(e, "network with name %s already exists", s->name);
	if (streq(driver, "host") || streq(driver, "null"))
		return err_forbidden(e, "only one instance of \"%s\" network is allowed", driver);
	if (!d)
		return err_not_found(e, "plugin \"%s\" not found", driver);
	if (!str_empty(s->ipam_driver) && !streq(s->ipam_driver, "default") &&
	    !streq(s->ipam_driver, "null"))
		return err_not_found(e, "plugin \"%s\" not found", s->ipam_driver);
	return 0;
}

struct leftovers {
	struct net *net;
	char **ids;
};

static int note_leftover(const struct network_row *row, void *data)
{
	struct leftovers *l = data;

	return map_get(l->net->by_id, row->id) ? 0 : strv_add(&l->ids, row->id);
}

/* Rows of networks that are not there: their making failed, and their row could not be deleted
 * either, the disk being full. Return: 0, <0: the store cannot do it now */
static int drop_leftovers(struct net *n)
{
	struct leftovers l = {.net = n};
	int r = network_each(n->db, note_leftover, &l, NULL);

	for (size_t i = 0; r >= 0 && l.ids && l.ids[i]; i++)
		r = network_del(n->db, l.ids[i], NULL);
	strv_free(l.ids);
	return r;
}

static int make(struct net *n, struct network *nw, struct err *e)
{
	int r = network_save(nw, PHASE_MAKING, e);

	if (r == -EEXIST && drop_leftovers(n) >= 0)
		r = network_save(nw, PHASE_MAKING, e);
	if (r < 0)
		return r == -EEXIST ? err_conflict(e, "network with name %s already exists",
						   nw->spec.name)
				    : r;
	r = nw->driver->create(n, nw, e);
	if (r < 0) {
		(void)network_del(n->db, nw->id, NULL); /* recovery removes what stays in MAKING */
		return r;
	}
	r = network_save(nw, PHASE_READY, e);
	if (r < 0) {
		nw->driver->destroy(n, nw);
		(void)network_del(n->db, nw->id, NULL);
	}
	return r;
}

int net_create(struct net *n, const struct network_spec *spec, struct network **ret,
	       char **ret_warning, struct err *e)
{
	auto_(network_free) struct network *nw = NULL;
	int r = check_spec(n, spec, e);

	if (r < 0)
		return r;
	nw = network_alloc(n);
	if (!nw || network_spec_copy(spec, &nw->spec) < 0)
		return err_nomem(e);
	rand_id(nw->id);
	nw->created_ns = clock_real_ns();
	if (nw->spec.config_only && str_set(&nw->spec.driver, "null") < 0)
		return err_nomem(e);
	nw->driver = net_driver_find(nw->spec.driver);
	r = network_settle(n, nw, e);
	if (r >= 0)
		r = nw->driver->parse(n, nw, e);
	if (r >= 0)
		r = make(n, nw, e);
	if (r < 0)
		return r;
	if (network_link(nw) < 0) {
		nw->driver->destroy(n, nw);
		(void)network_del(n->db, nw->id, NULL);
		return err_nomem(e);
	}
	if (ret_warning)
		*ret_warning = NULL;
	*ret = TAKE_PTR(nw);
	neighbours_networks(n->neighbours);
	return 0;
}

/* ---- remove ---- */

static int in_use(const struct network *nw, struct err *e)
{
	auto_buf struct buf who = BUF_INIT(800);
	const struct endpoint *ep;

	list_for_each (ep, &nw->endpoints, node)
		if (ep->attached)
			(void)buf_printf(&who, "%sname:\"%s\" id:\"%.12s\"", who.len ? ", " : "",
					 ep->container_name, ep->id);
	if (!who.len && !buf_err(&who))
		return 0;
	return err_forbidden(e,
			     "error while removing network: network %s has active endpoints (%s)",
			     nw->spec.name, buf_str(&who));
}

static int config_in_use(const struct network *nw, struct err *e)
{
	const struct network *other;

	if (nw->spec.config_only)
		list_for_each (other, &nw->net->networks, node)
			if (other->spec.config_from &&
			    streq(other->spec.config_from, nw->spec.name))
				return err_forbidden(e, "configuration network \"%s\" is in use",
						     nw->spec.name);
	return 0;
}

int net_remove(struct net *n, struct network *nw, struct err *e)
{
	int r;

	if (nw->predefined)
		return err_forbidden(e, "%s is a pre-defined network and cannot be removed",
				     nw->spec.name);
	r = config_in_use(nw, e);
	if (r >= 0)
		r = in_use(nw, e);
	if (r >= 0)
		r = network_save(nw, PHASE_REMOVING,
				 e); /* from here on it is finished, if need be by recovery */
	if (r < 0)
		return r;
	nw->driver->destroy(n, nw);
	r = network_del(n->db, nw->id, e);
	if (r < 0) { /* as it was, as far as the store lets us; else the next start finishes the
			removal */
		if (nw->driver->create(n, nw, NULL) < 0 || network_save(nw, PHASE_READY, NULL) < 0)
			log_warn("a network is half removed until the next start network=%s",
				 nw->spec.name);
		return r;
	}
	while (!list_empty(&nw->endpoints))
		endpoint_free(list_entry(nw->endpoints.next, struct endpoint, node));
	network_unlink(nw);
	network_free(nw);
	forwarding_settle(n);
	neighbours_networks(n->neighbours);
	return 0;
}

/* ---- find and read ---- */

int net_find(struct net *n, const char *ref, struct network **ret, struct err *e)
{
	struct network *nw, *found = NULL;
	size_t len = ref ? strlen(ref) : 0;
	unsigned hits = 0;

	if (!len)
		return err_not_found(e, "network %s not found", ref ? ref : "");
	found = map_get(n->by_id, ref);
	if (!found)
		found = map_get(n->by_name, ref);
	if (!found && str_is_hex(ref) && len < ID_LEN) {
		list_for_each (nw, &n->networks, node)
			if (!strncmp(nw->id, ref, len)) {
				found = nw;
				hits++;
			}
		if (hits > 1)
			return err_invalid(
				e, "network %s is ambiguous (%u matches found based on ID prefix)",
				ref, hits);
	}
	if (!found)
		return err_not_found(e, "network %s not found", ref);
	*ret = found;
	return 0;
}

struct network *net_next(struct net *n, struct network *prev)
{
	struct list *next = prev ? prev->node.next : n->networks.next;

	return next == &n->networks ? NULL : list_entry(next, struct network, node);
}

bool network_in_use(const struct network *nw)
{
	return in_use(nw, NULL) < 0;
}

const char *network_id(const struct network *nw)
{
	return nw->id;
}

const char *network_name(const struct network *nw)
{
	return nw->spec.name;
}

const char *network_driver(const struct network *nw)
{
	return nw->driver->name;
}

const char *network_bridge(const struct network *nw)
{
	return *nw->bridge ? nw->bridge : NULL;
}

int64_t network_created_ns(const struct network *nw)
{
	return nw->created_ns;
}

bool network_has(const struct network *nw, int fam)
{
	return !nw->spec.off[fam];
}

struct ip network_gateway(const struct network *nw, int fam)
{
	return nw->fam[fam].gateway;
}

bool network_internal(const struct network *nw)
{
	return nw->spec.internal;
}

bool network_predefined(const struct network *nw)
{
	return nw->predefined;
}

bool network_is_default_bridge(const struct network *nw)
{
	return nw->default_bridge;
}

const struct network_spec *network_spec_of(const struct network *nw)
{
	return &nw->spec;
}

bool network_label_match(const struct network *nw, const char *key, const char *value_or_null)
{
	const char *v = json_string_value(json_object_get(nw->spec.labels, key));

	return v && (!value_or_null || streq(v, value_or_null));
}

struct endpoint *network_endpoint_next(struct network *nw, struct endpoint *prev)
{
	struct list *next = prev ? prev->node.next : nw->endpoints.next;

	return next == &nw->endpoints ? NULL : list_entry(next, struct endpoint, node);
}

void net_on_event(struct net *n, net_event_fn *fn, void *data)
{
	n->on_event = fn;
	n->on_event_data = data;
}
