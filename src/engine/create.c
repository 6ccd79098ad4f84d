/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.c - POST /containers/create: check everything, then one transaction
 *
 * What is not in the store (the container's directory) is made before the commit, so a death in
 * between leaves a directory without a row, which recovery sweeps.
 */

#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "engine/logging.h"
#include "engine/mounts.h"

static int choose_name(struct engine *en, const char *name, struct container *c, struct err *e)
{
	const struct container *other;
	int r;

	if (str_empty(name)) {
		c->name = name_random(en);
		return c->name ? 0 : err_nomem(e);
	}
	name += *name == '/';
	r = name_check(name, e);
	if (r < 0)
		return r;
	other = map_get(en->by_name, name);
	if (other)
		return err_conflict(
			e,
			"Conflict. The container name \"/%s\" is already in use by container "
			"\"%s\". You "
			"have to remove (or rename) that container to be able to reuse that name.",
			name, other->id);
	return str_set(&c->name, name) < 0 ? err_nomem(e) : 0;
}

static int hostname_default(struct container *c, struct err *e)
{
	const char *mode = container_network_mode(c);
	struct container *peer = container_netns_peer(c);
	char host[256], *dot;

	if (*js(c->config, "Hostname"))
		return 0;
	(void)snprintf(host, sizeof(host), "%.12s", c->id);
	if (peer)
		(void)snprintf(host, sizeof(host), "%s", js(peer->config, "Hostname"));
	else if (streq(mode, "host") && gethostname(host, sizeof(host)) < 0)
		return err_sys(e, errno, "cannot read the host's name");
	host[sizeof(host) - 1] = '\0';
	dot = streq(mode, "host") ? NULL : strchr(host, '.');
	if (dot)
		*dot = '\0';
	return json_object_set_new(c->config, "Hostname", json_string(host)) < 0 ? err_nomem(e) : 0;
}

static int default_network(struct container *c, struct err *e)
{
	if (!streq(container_network_mode(c), "default"))
		return 0;
	return json_object_set_new(c->host_config, "NetworkMode", json_string("bridge")) < 0
		       ? err_nomem(e)
		       : 0;
}

/* Docker notes that such a container gets no SELinux label, whether or not the host has them. */
static int default_label(struct container *c, struct err *e)
{
	json_t *h = c->host_config, *list = jo(h, "SecurityOpt");

	if (!jb(h, "Privileged") && !streq(js(h, "IpcMode"), "host") &&
	    !streq(js(h, "PidMode"), "host"))
		return 0;
	if (!list) {
		list = json_array();
		if (json_object_set_new(h, "SecurityOpt", list) < 0)
			return err_nomem(e);
	}
	return json_array_append_new(list, json_string("label=disable")) < 0 ? err_nomem(e) : 0;
}

/* What inspect shows of a container that is not privileged and did not say otherwise. */
static int default_paths(struct container *c, struct err *e)
{
	const struct {
		const char *key;
		const char *const *paths;
	} rows[] = {{"MaskedPaths", rt_masked_paths}, {"ReadonlyPaths", rt_readonly_paths}};

	for (size_t i = 0; i < ARRAY_SIZE(rows) && !jb(c->host_config, "Privileged"); i++) {
		json_t *list;

		if (jo(c->host_config, rows[i].key))
			continue;
		list = json_array();
		for (const char *const *p = rows[i].paths; *p; p++)
			(void)json_array_append_new(list, json_string(*p));
		if (json_object_set_new(c->host_config, rows[i].key, list) < 0)
			return err_nomem(e);
	}
	return 0;
}

static int build(struct container *c, const char *name, json_t *body, struct image *image,
		 struct err *e)
{
	json_t *args = NULL;
	auto_free char *path = NULL;
	int r = spec_normalise(body, image_config(image), &c->config, &c->host_config, e);

	if (r >= 0)
		r = modes_defaults(c->en, c->host_config, e);
	if (r >= 0)
		r = spec_validate(c->en, c->config, c->host_config, e);
	if (r >= 0)
		r = default_paths(c, e);
	if (r >= 0)
		r = default_label(c, e);
	if (r >= 0)
		r = logging_merge(c->en->config, c->host_config, e);
	if (r >= 0)
		r = choose_name(c->en, name, c, e);
	if (r >= 0)
		r = default_network(c, e);
	if (r >= 0)
		r = modes_resolve(c, e);
	if (r >= 0)
		r = hostname_default(c, e);
	if (r < 0)
		return r;
	path = container_argv0(c, &args);
	json_decref(args);
	if (str_empty(path))
		return err_invalid(e, "no command specified");
	return str_set(&c->image_id, image_id(image)) < 0 ? err_nomem(e) : 0;
}

static int claim(struct container *c, json_t *body, char ***warnings, struct err *e)
{
	json_t *networking = NULL;
	int r = json_get_obj(body, "ContainerConfigWrapper", "NetworkingConfig", &networking, e);

	if (r >= 0)
		r = mounts_resolve(c, NULL, warnings, e);
	if (r >= 0)
		r = container_link(c) < 0 ? err_nomem(e) : 0;
	if (r >= 0)
		r = container_save(c, e); /* before its endpoints: their rows refer to it */
	if (r >= 0)
		r = endpoints_create(c, networking, e);
	if (r >= 0)
		r = links_check(c, e);
	if (r >= 0)
		r = container_save(c, e);
	return r;
}

/* The transaction took back the rows of volumes that a failed create had made: those it made for
 * itself go, named ones stay, as in Docker, if the store can still take them. */
static void volumes_after_failure(struct container *c)
{
	size_t i;
	json_t *m;

	json_array_foreach(c->mounts, i, m)
	{
		struct volume *v = map_get(c->en->volumes, js(m, "Name"));

		if (!v || volume_stored(v) ||
		    (!v->anonymous && volume_save(v, PHASE_READY, NULL) >= 0))
			continue;
		if (volume_refs(c->en, v) == 0)
			volume_drop(c->en, v);
	}
}

/* What a client of an older API meant by silence, and cannot have meant by what came later. */
static int older_client(struct container *c, unsigned api, json_t *body, struct err *e)
{
	json_t *host = jo(body, "HostConfig"), *m;
	size_t i;

	c->ro_flat = api < 144;
	if (host && api < 140 && !*js(host, "IpcMode"))
		(void)json_object_set_new(host, "IpcMode", json_string("shareable"));
	if (host && api < 141 && !*js(host, "CgroupnsMode"))
		(void)json_object_set_new(host, "CgroupnsMode", json_string("host"));
	json_array_foreach(jo(host, "Mounts"), i, m)
	{
		if (api < 140)
			(void)json_object_del(jo(m, "BindOptions"), "NonRecursive");
		if (api < 142)
			(void)json_object_del(jo(m, "BindOptions"), "CreateMountpoint");
		if (api < 144) {
			(void)json_object_del(jo(m, "BindOptions"), "ReadOnlyNonRecursive");
			(void)json_object_del(jo(m, "BindOptions"), "ReadOnlyForceRecursive");
		}
		if (api < 145 && *js(jo(m, "VolumeOptions"), "Subpath"))
			return err_invalid(e, "VolumeOptions.Subpath needs API v1.45 or newer");
	}
	return 0;
}

int engine_create(struct engine *en, const char *name, json_t *body, struct container **ret,
		  char ***warnings, struct err *e)
{
	return engine_create_as(en, UINT_MAX, name, body, ret, warnings, e);
}

int engine_create_as(struct engine *en, unsigned api, const char *name, json_t *body,
		     struct container **ret, char ***warnings, struct err *e)
{
	auto_(container_free) struct container *c = container_alloc(en);
	const char *ref;
	struct image *image;
	int r;

	if (!c)
		return err_nomem(e);
	r = json_get_str(body, "ContainerConfigWrapper", "Image", &ref, e);
	if (r >= 0 && str_empty(ref))
		r = err_invalid(e, "no image specified");
	if (r >= 0)
		r = image_find(en->images, ref, &image, e);
	if (r < 0)
		return r;
	rand_id(c->id);
	c->created_ns = clock_real_ns();
	r = older_client(c, api, body, e);
	if (r < 0)
		return r;
	r = build(c, name, body, image, e);
	if (r < 0)
		return r;
	if (resources_adjust(c->host_config, warnings) < 0)
		return err_nomem(e);
	r = storage_container_add(en->storage, c->id, e);
	if (r >= 0)
		r = db_begin(en->db, e);
	if (r >= 0) {
		r = claim(c, body, warnings, e);
		if (r >= 0)
			r = db_commit(en->db, e);
		else
			db_rollback(en->db);
	}
	if (r < 0) {
		endpoints_remove(c);
		container_unlink(c);
		volumes_after_failure(c);
		storage_container_remove(en->storage, c->id);
		return r;
	}
	image_hold(en->images, c->image_id);
	rt_warm(c->en->runtime, c->en->jobs); /* a start is likely to follow */
	container_event(c, "create", NULL, NULL);
	*ret = TAKE_PTR(c);
	return 0;
}

int engine_rename(struct container *c, const char *name, struct err *e)
{
	auto_free char *old = strdup(c->name), *slashed = str_printf("/%s", c->name), *fresh = NULL;
	int r;

	name += *name == '/';
	if (!*name)
		return err_invalid(e, "Neither old nor new names may be empty");
	r = name_check(name, e);
	if (r < 0)
		return r;
	if (streq(name, c->name))
		return err_conflict(e,
				    "Renaming a container with the same name as its current name");
	if (map_get(c->en->by_name, name))
		return err_conflict(
			e,
			"Conflict. The container name \"/%s\" is already in use by container "
			"\"%s\". You "
			"have to remove (or rename) that container to be able to reuse that name.",
			name, ((struct container *)map_get(c->en->by_name, name))->id);
	fresh = strdup(name);
	if (!old || !slashed || !fresh || map_put(c->en->by_name, name, c) < 0)
		return err_nomem(e);
	(void)map_del(c->en->by_name, c->name);
	free(c->name);
	c->name = TAKE_PTR(fresh);
	r = container_save(c, e);
	if (r < 0) {
		(void)map_del(c->en->by_name, c->name);
		(void)str_set(&c->name, old);
		(void)map_put(c->en->by_name, c->name, c); /* its slot was just freed */
		return r;
	}
	net_container_renamed(c->en->net, c->id, c->name);
	container_event(c, "rename", "oldName", slashed);
	return 0;
}
