/* SPDX-License-Identifier: GPL-2.0-or-later */
/* networks.c - /networks: list, inspect, create, remove, connect, disconnect, prune */

#include <string.h>

#include "api/internal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"

/* ---- the create request ---- */

#define OWNER "NetworkCreateRequest"

/* A string or null to an owned one; empty counts as not given. */
static int take_str(const json_t *obj, const char *owner, const char *key, char **ret,
		    struct err *e)
{
	const char *s;
	int r = json_get_str(obj, owner, key, &s, e);

	if (r < 0)
		return r;
	return str_set(ret, str_empty(s) ? NULL : s) < 0 ? err_nomem(e) : 0;
}

/* An object of strings or null to a reference of our own. */
static int take_map(const json_t *obj, const char *owner, const char *key, json_t **ret,
		    struct err *e)
{
	json_t *m;
	int r = json_get_strmap(obj, owner, key, &m, e);

	if (r >= 0)
		*ret = json_incref(m);
	return r;
}

static int parse_row(const json_t *j, struct network_ipam *row, struct err *e)
{
	static const char owner[] = "IPAMConfig";
	int r;

	if (!json_is_object(j))
		return err_invalid(e,
				   "json: cannot unmarshal %s into Go struct field " OWNER
				   ".IPAM.Config of type network.IPAMConfig",
				   json_is_array(j)    ? "array"
				   : json_is_string(j) ? "string"
				   : json_is_number(j) ? "number"
						       : "bool");
	if ((r = take_str(j, owner, "Subnet", &row->subnet, e)) < 0 ||
	    (r = take_str(j, owner, "IPRange", &row->ip_range, e)) < 0 ||
	    (r = take_str(j, owner, "Gateway", &row->gateway, e)) < 0)
		return r;
	return take_map(j, owner, "AuxiliaryAddresses", &row->aux, e);
}

static bool row_empty(const struct network_ipam *row)
{
	return !row->subnet && !row->ip_range && !row->gateway && !json_object_size(row->aux);
}

static int parse_ipam(const json_t *body, struct network_spec *s, struct err *e)
{
	json_t *ipam, *rows, *j;
	size_t i;
	int r = json_get_obj(body, OWNER, "IPAM", &ipam, e);

	if (r < 0 || !ipam)
		return r;
	if ((r = take_str(ipam, "IPAM", "Driver", &s->ipam_driver, e)) < 0 ||
	    (r = take_map(ipam, "IPAM", "Options", &s->ipam_options, e)) < 0 ||
	    (r = json_get_arr(ipam, "IPAM", "Config", &rows, e)) < 0)
		return r;
	s->ipam = calloc(json_array_size(rows) + 1, sizeof(*s->ipam));
	if (!s->ipam)
		return err_nomem(e);
	json_array_foreach(rows, i, j)
	{
		struct network_ipam *row = &s->ipam[s->n_ipam];

		if (json_is_null(j)) /* Go: an empty row */
			continue;
		s->n_ipam++; /* what a broken row took is freed with the others */
		r = parse_row(j, row, e);
		if (r < 0)
			return r;
		if (row_empty(row)) {
			json_decref(row->aux);
			*row = (struct network_ipam){0};
			s->n_ipam--;
		}
	}
	return 0;
}

/* Of swarm: known, and refused. */
static int refuse_swarm(const json_t *body, struct err *e)
{
	bool check_duplicate, ingress;
	const char *scope;
	int r;

	if ((r = json_get_bool(body, OWNER, "CheckDuplicate", &check_duplicate, e)) < 0 ||
	    (r = json_get_bool(body, OWNER, "Ingress", &ingress, e)) < 0 ||
	    (r = json_get_str(body, OWNER, "Scope", &scope, e)) < 0)
		return r;
	if (ingress || (!str_empty(scope) && !streq(scope, "local")))
		return err_set(e, ERR_UNAVAILABLE, EAGAIN,
			       "This node is not a swarm manager. Use \"docker swarm init\" or "
			       "\"docker swarm join\" to connect this node to swarm and try "
			       "again.");
	return 0;
}

static int parse_config(const json_t *body, struct network_spec *s, struct err *e)
{
	json_t *from;
	int r = json_get_bool(body, OWNER, "ConfigOnly", &s->config_only, e);

	if (r >= 0)
		r = json_get_obj(body, OWNER, "ConfigFrom", &from, e);
	if (r < 0 || !from)
		return r;
	return take_str(from, "ConfigReference", "Network", &s->config_from, e);
}

static int parse_families(const json_t *body, struct network_spec *s, struct err *e)
{
	static const char *const keys[N_FAMILIES] = {"EnableIPv4", "EnableIPv6"};
	bool on[N_FAMILIES] = {true, false};

	for (int fam = 0; fam < N_FAMILIES; fam++) {
		s->given[fam] = json_get(body, keys[fam]) != NULL;
		if (s->given[fam] && json_get_bool(body, OWNER, keys[fam], &on[fam], e) < 0)
			return -EINVAL;
		s->off[fam] = !on[fam];
	}
	return 0;
}

static int parse_create(const json_t *body, struct network_spec *s, struct err *e)
{
	const char *name;
	int r;

	if ((r = json_get_str(body, OWNER, "Name", &name, e)) < 0 ||
	    (r = take_str(body, OWNER, "Driver", &s->driver, e)) < 0 ||
	    (r = json_get_bool(body, OWNER, "Internal", &s->internal, e)) < 0 ||
	    (r = json_get_bool(body, OWNER, "Attachable", &s->attachable, e)) < 0 ||
	    (r = take_map(body, OWNER, "Options", &s->options, e)) < 0 ||
	    (r = take_map(body, OWNER, "Labels", &s->labels, e)) < 0 ||
	    (r = parse_families(body, s, e)) < 0 || (r = parse_ipam(body, s, e)) < 0 ||
	    (r = parse_config(body, s, e)) < 0 || (r = refuse_swarm(body, e)) < 0)
		return r;
	return str_set(&s->name, name ? name : "") < 0 ? err_nomem(e) : 0;
}

int network_create_parse(const json_t *body, struct network_spec *ret, struct err *e)
{
	struct network_spec s = {0};
	int r = parse_create(body, &s, e);

	if (r < 0)
		network_spec_done(&s);
	else
		*ret = s;
	return r;
}

static void reply_created(struct api_call *c, const char *id, const char *warning)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "Id", id);
	jsonw_str(&w, "Warning", warning);
	jsonw_end_object(&w);
	api_json(c, 201, &b);
}

void networks_create(struct api_call *c)
{
	auto_free char *warning = NULL;
	struct network_spec spec;
	struct network *nw;
	struct err e = {0};
	int r = network_create_parse(c->body, &spec, &e);

	if (r < 0) {
		api_error(c, &e);
		return;
	}
	if (c->version < 147 && spec.off[V6]) /* those clients say false whatever was asked */
		spec.given[V6] = false;
	r = engine_network_create(c->en, &spec, &nw, &warning, &e);
	network_spec_done(&spec);
	if (r < 0)
		api_error(c, &e);
	else
		reply_created(c, network_id(nw), warning);
}

/* ---- list and inspect ---- */

/* type=custom|builtin; several: any of them */
static bool type_fits(const struct filters *f, const struct network *nw)
{
	return filters_exact(f, "type", network_predefined(nw) ? "builtin" : "custom");
}

static int check_types(const struct filters *f, struct err *e)
{
	for (char *const *v = filters_get(f, "type"); v && *v; v++)
		if (!streq(*v, "custom") && !streq(*v, "builtin"))
			return err_invalid(e, "invalid filter: 'type'='%.64s'", *v);
	return 0;
}

static bool network_fits(const struct filters *f, struct network *nw, bool dangling)
{
	const struct network_spec *s = network_spec_of(nw);
	bool unused = !network_predefined(nw) && !network_in_use(nw);

	return filters_partial(f, "name", network_name(nw)) &&
	       filters_partial(f, "id", network_id(nw)) &&
	       filters_exact(f, "driver", network_driver(nw)) &&
	       filters_exact(f, "scope", "local") && filters_labels(f, "label", s->labels) &&
	       type_fits(f, nw) && (!filters_get(f, "dangling") || unused == dangling);
}

void networks_list(struct api_call *c)
{
	static const char *const keys[] = {"dangling", "driver", "id",	 "label",
					   "name",     "scope",	 "type", NULL};
	auto_(filters_free) struct filters *f = NULL;
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct err e = {0};
	bool dangling;

	if (api_filters(c, keys, &f, &e) < 0 || check_types(f, &e) < 0 ||
	    filters_bool(f, "dangling", false, &dangling, &e) < 0) {
		api_error(c, &e);
		return;
	}
	jsonw_array(&w, NULL);
	for (struct network *nw = NULL; (nw = net_next(engine_net(c->en), nw));)
		if (network_fits(f, nw, dangling))
			network_json(&w, nw, c, c->version < 128);
	jsonw_end_array(&w);
	api_json(c, 200, &b);
}

void networks_inspect(struct api_call *c)
{
	const char *scope = api_query(c, "scope");
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct network *nw;
	struct err e = {0};
	int r = net_find(engine_net(c->en), c->params[0], &nw, &e);

	if (r >= 0 && !str_empty(scope) && !streq(scope, "local"))
		r = err_not_found(&e, "network %.255s not found", c->params[0]);
	if (r < 0) {
		api_error(c, &e);
		return;
	}
	network_json(&w, nw, c, true); /* verbose adds what swarm services have: nothing here */
	api_json(c, 200, &b);
}

/* ---- remove, connect, disconnect ---- */

void networks_remove(struct api_call *c)
{
	struct network *nw;
	struct err e = {0};
	int r = net_find(engine_net(c->en), c->params[0], &nw, &e);

	if (r >= 0)
		r = engine_network_remove(c->en, nw, &e);
	api_done(r, &e, c);
}

static void reply_ok(struct api_call *c, int r, const struct err *e)
{
	if (r < 0)
		api_error(c, e);
	else
		api_empty(c, 200);
}

void networks_connect(struct api_call *c)
{
	struct container *k;
	struct network *nw;
	json_t *endpoint;
	const char *who;
	struct err e = {0};
	int r;

	if ((r = json_get_str(c->body, "NetworkConnect", "Container", &who, &e)) >= 0 &&
	    (r = json_get_obj(c->body, "NetworkConnect", "EndpointConfig", &endpoint, &e)) >= 0 &&
	    (r = net_find(engine_net(c->en), c->params[0], &nw, &e)) >= 0 &&
	    (r = engine_find(c->en, who, &k, &e)) >= 0)
		r = engine_connect(c->en, nw, k, endpoint, &e);
	reply_ok(c, r, &e);
}

void networks_disconnect(struct api_call *c)
{
	struct network *nw;
	const char *who;
	bool force;
	struct err e = {0};
	int r;

	if ((r = json_get_str(c->body, "NetworkDisconnect", "Container", &who, &e)) >= 0 &&
	    (r = json_get_bool(c->body, "NetworkDisconnect", "Force", &force, &e)) >= 0 &&
	    (r = net_find(engine_net(c->en), c->params[0], &nw, &e)) >= 0)
		r = engine_disconnect(c->en, nw, who ? who : "", force, &e);
	reply_ok(c, r, &e);
}

/* ---- prune ---- */

void prune_event(struct engine *en, const char *type, int64_t bytes)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)bytes);
	engine_event(en, type, "prune", "", json_pack("{s:s}", "reclaimed", text));
}

int prune_until(const struct filters *f, int64_t *ret_ns, struct err *e)
{
	char *const *v = filters_get(f, "until");

	*ret_ns = INT64_MAX;
	if (!v)
		return 0;
	if (v[1])
		return err_invalid(e, "more than one until filter specified");
	if (clock_parse_stamp(v[0], clock_real_ns(), ret_ns) < 0)
		return err_invalid(e, "failed to parse value as time or duration: \"%.64s\"", v[0]);
	return 0;
}

bool prune_labels(const struct filters *f, const json_t *labels)
{
	for (char *const *v = filters_get(f, "label!"); v && *v; v++) {
		size_t n = strcspn(*v, "=");
		auto_free char *key = strndup(*v, n);
		const char *have = key ? json_string_value(json_object_get(labels, key)) : NULL;

		if (have && (!(*v)[n] || streq(have, *v + n + 1)))
			return false;
	}
	return filters_labels(f, "label", labels);
}

/* The ids of those to remove: removing one ends the walk over them. */
static char **unused_networks(struct api_call *c, const struct filters *f, int64_t until)
{
	char **ids = NULL;

	for (struct network *nw = NULL; (nw = net_next(engine_net(c->en), nw));)
		if (!network_predefined(nw) && !network_in_use(nw) &&
		    network_created_ns(nw) < until &&
		    prune_labels(f, network_spec_of(nw)->labels) &&
		    strv_add(&ids, network_id(nw)) < 0)
			break; /* out of memory: some are left for the next time */
	return ids;
}

void networks_prune(struct api_call *c)
{
	static const char *const keys[] = {PRUNE_KEYS, NULL};
	auto_(filters_free) struct filters *f = NULL;
	auto_strv char **ids = NULL;
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct err e = {0};
	int64_t until;

	if (api_filters(c, keys, &f, &e) < 0 || prune_until(f, &until, &e) < 0) {
		api_error(c, &e);
		return;
	}
	ids = unused_networks(c, f, until);
	jsonw_object(&w, NULL);
	if (ids)
		jsonw_array(&w, "NetworksDeleted");
	else
		jsonw_null(&w, "NetworksDeleted");
	for (char **id = ids; id && *id; id++) {
		auto_free char *name = NULL;
		struct network *nw;

		if (net_find(engine_net(c->en), *id, &nw, NULL) < 0 ||
		    str_set(&name, network_name(nw)) < 0 ||
		    engine_network_remove(c->en, nw, NULL) < 0)
			continue; /* in use by now: as Docker, the others go on */
		jsonw_str(&w, NULL, name);
	}
	if (ids)
		jsonw_end_array(&w);
	jsonw_end_object(&w);
	prune_event(c->en, "network", 0);
	api_json(c, 200, &b);
}
