/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * networks.c - networks as the API sees them: net/ plus events, what a container asked for, and its
 * files
 *
 * c->wanted says on which networks a container shall be at its next start; connect and disconnect
 * change it together with the endpoint. A container with a sandbox (it runs, or is just starting)
 * is attached at once.
 */

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/internal.h"

void network_event(struct engine *en, struct network *nw, const char *action,
		   const char *container_id)
{
	json_t *attr = json_object();

	if (container_id)
		(void)json_object_set_new(attr, "container", json_string(container_id));
	(void)json_object_set_new(attr, "name", json_string(network_name(nw)));
	(void)json_object_set_new(attr, "type", json_string(network_driver(nw)));
	engine_event(en, "network", action, network_id(nw), attr);
}

void container_network_events(struct container *c, const char *action)
{
	struct endpoint *ep = NULL;

	while ((ep = net_container_endpoint_next(c->en->net, c->id, ep)))
		network_event(c->en, endpoint_network(ep), action, c->id);
}

int engine_network_create(struct engine *en, const struct network_spec *spec, struct network **ret,
			  char **ret_warning, struct err *e)
{
	int r = net_create(en->net, spec, ret, ret_warning, e);

	if (r < 0)
		return r;
	network_event(en, *ret, "create", NULL);
	log_info("network created network=%s id=%.12s", network_name(*ret), network_id(*ret));
	return 0;
}

int engine_network_remove(struct engine *en, struct network *nw, struct err *e)
{
	char id[ID_LEN + 1];
	auto_free char *name = strdup(network_name(nw));
	json_t *attr =
		json_pack("{s:s, s:s}", "name", network_name(nw), "type", network_driver(nw));
	int r;

	(void)snprintf(id, sizeof(id), "%s", network_id(nw));
	r = net_remove(en->net, nw, e);
	if (r < 0) {
		json_decref(attr);
		return r;
	}
	engine_event(en, "network", "destroy", id, attr);
	log_info("network removed network=%s id=%.12s", name ? name : "", id);
	return 0;
}

/* ---- connect ---- */

static bool is_none(const char *driver)
{
	return streq(driver, "null");
}

/* Docker's rules about what goes together. */
static int may_connect(struct container *c, struct network *nw, struct err *e)
{
	const char *mode = container_network_mode(c), *driver = network_driver(nw);
	struct endpoint *ep = NULL;

	if (c->gone || c->st.status == CONTAINER_REMOVING || c->st.status == CONTAINER_DEAD)
		return err_conflict(e,
				    "container %s is marked for removal and cannot be connected or "
				    "disconnected to the network",
				    c->id);
	if (str_has_prefix(mode, "container:") || (streq(mode, "host") && !streq(driver, "host")))
		return err_invalid(e, "container sharing network namespace with another container "
				      "or host cannot be connected to any other network");
	if (streq(driver, "host") && !streq(mode, "host"))
		return err_invalid(e, "cannot connect container to host network - container must "
				      "be created in host network mode");
	while ((ep = net_container_endpoint_next(c->en->net, c->id, ep))) {
		struct network *other = endpoint_network(ep);

		if (other != nw && (is_none(network_driver(other)) || is_none(driver)))
			return err_invalid(e, "container cannot be connected to multiple networks "
					      "with one of the networks in private (none) mode");
	}
	return 0;
}

/* hosts and resolv.conf follow; a container that lost a line in them still has its network. */
static void rewrite_files(struct container *c)
{
	struct err e = {0};

	if (net_sandbox_find(c->en->net, c->id) && files_write(c, &e) < 0)
		log_warn("the files of a container are not up to date container=%s error=%s",
			 c->name, e.msg);
}

/* The key in c->wanted that means @nw: its name, its id or the beginning of it. */
static const char *wanted_key(struct container *c, struct network *nw)
{
	const char *key;
	json_t *v;

	json_object_foreach(c->wanted, key, v)
	{
		struct network *found;

		if (net_find(c->en->net, key, &found, NULL) >= 0 && found == nw)
			return key;
	}
	return NULL;
}

const json_t *container_endpoint_links(const struct container *c, struct network *nw)
{
	const char *key = wanted_key((struct container *)(uintptr_t)c, nw);
	const json_t *links = key ? jo(json_object_get(c->wanted, key), "Links") : NULL;

	return json_array_size(links) ? links : NULL;
}

static int want(struct container *c, struct network *nw, json_t *endpoint, struct err *e)
{
	json_t *cfg = endpoint ? json_deep_copy(endpoint) : json_null();
	int r;

	if (!c->wanted)
		c->wanted = json_object();
	if (!cfg || json_object_set_new(c->wanted, network_name(nw), cfg) < 0)
		return err_nomem(e);
	r = container_save(c, e);
	if (r < 0)
		(void)json_object_del(c->wanted, network_name(nw));
	return r;
}

int engine_connect(struct engine *en, struct network *nw, struct container *c, json_t *endpoint,
		   struct err *e)
{
	struct endpoint *ep = net_endpoint_find(en->net, nw, c->id);
	struct endpoint_spec spec;
	struct sandbox *sb = net_sandbox_find(en->net, c->id);
	int r = may_connect(c, nw, e);

	if (r < 0)
		return r;
	if (ep && sb)
		return err_forbidden(e, "endpoint with name %s already exists in network %s",
				     c->name, network_name(nw));
	if (ep)
		return 0; /* at rest: it keeps what it has, as in Docker */
	r = endpoint_spec_parse(c, endpoint, &spec, e);
	if (r < 0)
		return r;
	ep = NULL;
	r = db_begin(en->db, e);
	if (r >= 0) {
		r = net_endpoint_add(en->net, nw, &spec, &ep, e);
		if (r >= 0 && sb)
			r = net_endpoint_attach(en->net, ep, e);
		if (r >= 0)
			r = want(c, nw, endpoint, e);
		if (r >= 0)
			r = db_commit(en->db, e);
		else
			db_rollback(en->db);
	}
	endpoint_spec_done(&spec);
	if (r < 0) { /* its rows are gone by now: this needs no room on the disk */
		(void)json_object_del(c->wanted, network_name(nw));
		if (ep && net_endpoint_remove(en->net, ep, NULL) < 0)
			log_warn("an endpoint stays that could not be connected container=%s "
				 "network=%s",
				 c->name, network_name(nw));
		return r;
	}
	rewrite_files(c);
	links_changed(c);
	network_event(en, nw, "connect", c->id);
	return 0;
}

/* ---- disconnect ---- */

static struct endpoint *endpoint_by_name(struct network *nw, const char *name)
{
	struct endpoint *ep = NULL;

	while ((ep = network_endpoint_next(nw, ep)))
		if (streq(endpoint_container_name(ep), name) ||
		    streq(endpoint_container_id(ep), name))
			return ep;
	return NULL;
}

/* --force for a container that is not there any more: its endpoint is all that is left. */
static int disconnect_stray(struct engine *en, struct network *nw, const char *ref, struct err *e)
{
	struct endpoint *ep = endpoint_by_name(nw, ref);
	auto_free char *id = ep ? strdup(endpoint_container_id(ep)) : NULL;
	int r;

	if (!ep)
		return err_not_found(e, "No such container: %s", ref);
	r = net_endpoint_remove(en->net, ep, e);
	if (r >= 0)
		network_event(en, nw, "disconnect", id);
	return r;
}

static int unwant(struct container *c, struct network *nw, struct err *e)
{
	const char *key = wanted_key(c, nw);
	auto_free char *name = key ? strdup(key) : NULL;
	json_t *cfg;
	int r;

	if (!name)
		return key ? err_nomem(e) : 0;
	cfg = json_incref(json_object_get(c->wanted, name));
	(void)json_object_del(c->wanted, name);
	r = container_save(c, e);
	if (r < 0)
		(void)json_object_set(c->wanted, name, cfg);
	json_decref(cfg);
	return r;
}

int engine_disconnect(struct engine *en, struct network *nw, const char *container_ref, bool force,
		      struct err *e)
{
	struct container *c;
	struct endpoint *ep;
	int r = engine_find(en, container_ref, &c, e);

	if (r < 0)
		return force ? disconnect_stray(en, nw, container_ref, e) : r;
	if (c->gone || c->st.status == CONTAINER_REMOVING || c->st.status == CONTAINER_DEAD)
		return err_conflict(e,
				    "container %s is marked for removal and cannot be connected or "
				    "disconnected to the network",
				    c->id);
	if (streq(network_driver(nw), "host") && streq(container_network_mode(c), "host"))
		return err_invalid(e, "cannot disconnect container from host network - container "
				      "was created in host network mode");
	ep = net_endpoint_find(en->net, nw, c->id);
	if (!ep)
		return err_set(e, ERR_INTERNAL, ENOTCONN,
			       "container %s is not connected to %snetwork %s", c->id,
			       net_sandbox_find(en->net, c->id) ? "" : "the ", network_name(nw));
	r = unwant(c, nw, e);
	if (r >= 0)
		r = net_endpoint_remove(en->net, ep, e);
	if (r < 0)
		return r;
	rewrite_files(c);
	links_changed(c);
	network_event(en, nw, "disconnect", c->id);
	return 0;
}
