/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volumes.c - /volumes: list, inspect, create, remove, prune */

#include "api/internal.h"
#include "api/sizes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"

void volume_json(struct jsonw *w, const struct volume *v, struct engine *en, const int64_t *bytes)
{
	auto_free char *path = volume_mountpoint(v);
	int64_t ns = volume_created_ns(v);
	char when[RFC3339_SIZE];

	jsonw_object(w, NULL);
	jsonw_str(w, "Name", volume_name(v));
	jsonw_str(w, "Driver", "local");
	jsonw_str(w, "Mountpoint", path);
	/* whole seconds, as Docker */
	jsonw_str(w, "CreatedAt", clock_rfc3339_short(ns - ns % NS_PER_S, when));
	jsonw_json(w, "Labels", volume_labels(v));
	jsonw_json(w, "Options", volume_options(v));
	jsonw_str(w, "Scope", "local");
	if (bytes) {
		jsonw_object(w, "UsageData");
		jsonw_i64(w, "Size", *bytes);
		jsonw_i64(w, "RefCount", volume_refs(en, v));
		jsonw_end_object(w);
	}
	jsonw_end_object(w);
}

static void reply_volume(struct api_call *c, unsigned status, const struct volume *v)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);

	volume_json(&w, v, c->en, NULL);
	api_json(c, status, &b);
}

void volumes_list(struct api_call *c)
{
	static const char *const keys[] = {"dangling", "driver", "label", "name", NULL};
	auto_(filters_free) struct filters *f = NULL;
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct err e = {0};
	bool dangling;

	if (api_filters(c, keys, &f, &e) < 0 ||
	    filters_bool(f, "dangling", false, &dangling, &e) < 0) {
		api_error(c, &e);
		return;
	}
	jsonw_object(&w, NULL);
	jsonw_array(&w, "Volumes");
	for (struct volume *v = NULL; (v = engine_volume_next(c->en, v));) {
		if (!filters_exact(f, "driver", "local") ||
		    !filters_partial(f, "name", volume_name(v)) ||
		    !filters_labels(f, "label", volume_labels(v)))
			continue;
		if (filters_get(f, "dangling") && (volume_refs(c->en, v) == 0) != dangling)
			continue;
		volume_json(&w, v, c->en, NULL);
	}
	jsonw_end_array(&w);
	jsonw_null(&w, "Warnings");
	jsonw_end_object(&w);
	api_json(c, 200, &b);
}

void volumes_inspect(struct api_call *c)
{
	struct volume *v;
	struct err e = {0};

	if (engine_volume_find(c->en, c->params[0], &v, &e) < 0)
		api_error(c, &e);
	else
		reply_volume(c, 200, v);
}

static int create(struct api_call *c, struct volume **ret, struct err *e)
{
	static const char owner[] = "CreateOptions";
	const char *name, *driver;
	json_t *labels, *options, *cluster;
	int r;

	if ((r = json_get_str(c->body, owner, "Name", &name, e)) < 0 ||
	    (r = json_get_str(c->body, owner, "Driver", &driver, e)) < 0 ||
	    (r = json_get_strmap(c->body, owner, "DriverOpts", &options, e)) < 0 ||
	    (r = json_get_strmap(c->body, owner, "Labels", &labels, e)) < 0 ||
	    (r = json_get_obj(c->body, owner, "ClusterVolumeSpec", &cluster, e)) < 0)
		return r;
	if (cluster)
		return err_set(e, ERR_UNAVAILABLE, EAGAIN,
			       "volume create failed: cluster volumes require swarm mode");
	if ((r = engine_volume_driver_check(driver, e)) < 0)
		return r;
	return engine_volume_create(c->en, name, labels, options, ret, e);
}

void volumes_create(struct api_call *c)
{
	struct volume *v = NULL;
	struct err e = {0};

	if (create(c, &v, &e) < 0)
		api_error(c, &e);
	else
		reply_volume(c, 201, v);
}

void volumes_remove(struct api_call *c)
{
	struct err e = {0};
	int r = engine_volume_remove(c->en, c->params[0], api_query_bool(c, "force", false), &e);

	api_done(r, &e, c);
}

void volumes_update(struct api_call *c)
{
	struct err e = {0};

	(void)err_set(&e, ERR_UNAVAILABLE, EAGAIN,
		      "volume update only valid for cluster volumes, but swarm is unavailable");
	api_error(c, &e);
}

/* ---- prune: the sizes are counted first, for the sum in the answer ---- */

/* One with options is no data of this host's, as Docker sees it. */
static bool prunable(struct api_call *c, const struct filters *f, const struct volume *v, bool all)
{
	return (all || volume_anonymous(v)) && !json_object_size(volume_options(v)) &&
	       volume_refs(c->en, v) == 0 && prune_labels(f, volume_labels(v));
}

static void prune_counted(struct api_call *c, const struct sizes *s)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	int64_t sum = 0;

	jsonw_object(&w, NULL);
	jsonw_array(&w, "VolumesDeleted");
	for (size_t i = 0; s->ids && s->ids[i]; i++)
		if (engine_volume_remove(c->en, s->ids[i], false, NULL) >= 0) {
			jsonw_str(&w, NULL, s->ids[i]);
			sum += s->bytes[i];
		}
	jsonw_end_array(&w);
	jsonw_i64(&w, "SpaceReclaimed", sum);
	jsonw_end_object(&w);
	prune_event(c->en, "volume", sum);
	api_json(c, 200, &b);
}

void volumes_prune(struct api_call *c)
{
	static const char *const keys[] = {"all", "label", "label!", NULL};
	auto_(filters_free) struct filters *f = NULL;
	char **names = NULL, **dirs = NULL;
	struct err e = {0};
	bool all;

	/* before 1.42 named volumes went, too, without being asked for */
	if (api_filters(c, keys, &f, &e) < 0 ||
	    filters_bool(f, "all", c->version < 142, &all, &e) < 0) {
		api_error(c, &e);
		return;
	}
	for (struct volume *v = NULL; (v = engine_volume_next(c->en, v));) {
		auto_free char *dir = volume_mountpoint(v);

		if (prunable(c, f, v, all || c->version < 142) &&
		    (!dir || strv_add(&names, volume_name(v)) < 0 || strv_add(&dirs, dir) < 0))
			break; /* out of memory, which is told */
	}
	sizes_count_dirs(c, names, dirs, prune_counted);
}
