/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volumes.c - named and anonymous volumes: directories with a row in the store */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "engine/mounts.h"

/* How Docker's clients know one that nobody named. */
#define ANONYMOUS_LABEL "com.docker.volume.anonymous"

int engine_volume_driver_check(const char *driver, struct err *e)
{
	if (str_empty(driver) || streq(driver, "local"))
		return 0;
	return err_not_found(e,
			     "error looking up volume plugin %.200s: plugin \"%.200s\" not found",
			     driver, driver);
}

void volume_free(struct volume *v)
{
	if (!v)
		return;
	json_decref(v->labels);
	json_decref(v->options);
	free(v->name);
	free(v);
}
DEFINE_AUTO(struct volume, volume_free);

int volume_save(struct volume *v, enum phase phase, struct err *e)
{
	auto_json json_t *spec = json_object();
	auto_free char *text = NULL;
	struct volume_row row = {.name = v->name,
				 .phase = phase,
				 .created_ns = v->created_ns,
				 .anonymous = v->anonymous};

	if (v->labels)
		(void)json_object_set(spec, "labels", v->labels);
	if (v->options)
		(void)json_object_set(spec, "options", v->options);
	text = json_dumps(spec, JSON_COMPACT);
	if (!text)
		return err_nomem(e);
	row.spec_json = text;
	return volume_put(v->en->db, &row, e);
}

int volume_load(struct engine *en, const struct volume_row *r, struct err *e)
{
	auto_(volume_free) struct volume *v = calloc(1, sizeof(*v));
	auto_json json_t *spec = NULL;
	int rc;

	if (!v || str_set(&v->name, r->name) < 0)
		return err_nomem(e);
	rc = json_read(r->spec_json, strlen(r->spec_json), &spec, e);
	if (rc < 0)
		return rc;
	v->en = en;
	list_init(&v->waits);
	v->anonymous = r->anonymous;
	v->created_ns = r->created_ns;
	v->labels = json_incref(json_object_get(spec, "labels"));
	v->options = json_incref(json_object_get(spec, "options"));
	if (r->phase != PHASE_READY) { /* half-made or half-removed: finish removing it */
		storage_volume_detach(en->storage, v->name);
		storage_volume_remove(en->storage, v->name);
		return volume_del(en->db, v->name, e);
	}
	if (map_put(en->volumes, v->name, v) < 0)
		return err_nomem(e);
	v = NULL;
	return 0;
}

static int check_name(const char *name, struct err *e)
{
	bool ok = name[0] && name[1] && strlen(name) <= LIMIT_NAME;

	for (size_t i = 0; ok && name[i]; i++) {
		bool alnum = (name[i] >= '0' && name[i] <= '9') ||
			     (name[i] >= 'a' && name[i] <= 'z') ||
			     (name[i] >= 'A' && name[i] <= 'Z');

		ok = alnum || (i > 0 && strchr("_.-", name[i]));
	}
	if (name[0] && !name[1])
		return err_invalid(e,
				   "create %s: volume name is too short, names should be at least "
				   "two alphanumeric characters",
				   name);
	if (!ok)
		return err_invalid(e,
				   "create %.255s: \"%.255s\" includes invalid characters for a "
				   "local volume name, "
				   "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you "
				   "intended to pass a host "
				   "directory, use absolute path",
				   name, name);
	return 0;
}

int engine_volume_create(struct engine *en, const char *name, json_t *labels, json_t *options,
			 struct volume **ret, struct err *e)
{
	auto_(volume_free) struct volume *v = NULL;
	bool anonymous = str_empty(name);
	char id[ID_LEN + 1];
	struct volume *there;
	int r;

	if (!anonymous && (there = map_get(en->volumes, name))) {
		*ret = there;
		return 0;
	}
	rand_id(id);
	if (!anonymous && (r = check_name(name, e)) < 0)
		return r;
	r = volume_options_check(options, e);
	if (r < 0)
		return r;
	v = calloc(1, sizeof(*v));
	if (!v || str_set(&v->name, anonymous ? id : name) < 0)
		return err_nomem(e);
	v->en = en;
	v->anonymous = anonymous;
	v->created_ns = clock_real_ns();
	v->labels = labels ? json_copy(labels) : NULL;
	v->options = json_object_size(options) ? json_incref(options) : NULL;
	list_init(&v->waits);
	if (anonymous) {
		v->labels = v->labels ? v->labels : json_object();
		(void)json_object_set_new(v->labels, ANONYMOUS_LABEL, json_string(""));
	}
	/* the directory first: a row without one would be a volume that cannot be mounted */
	r = storage_volume_add(en->storage, v->name, e);
	if (r < 0)
		return r;
	r = volume_save(v, PHASE_READY, e);
	if (r >= 0 && map_put(en->volumes, v->name, v) < 0) {
		(void)volume_del(en->db, v->name, NULL); /* the error below is the one to tell */
		r = err_nomem(e);
	}
	if (r < 0) {
		storage_volume_remove(en->storage, v->name);
		return r;
	}
	engine_event(en, "volume", "create", v->name, json_pack("{s:s}", "driver", "local"));
	*ret = TAKE_PTR(v);
	return 0;
}

int engine_volume_find(struct engine *en, const char *name, struct volume **ret, struct err *e)
{
	struct volume *v = map_get(en->volumes, name);

	if (!v)
		return err_not_found(e, "get %s: no such volume", name);
	*ret = v;
	return 0;
}

int volume_refs_without(struct engine *en, const struct volume *v, const struct container *skip)
{
	struct container *c;
	int n = 0;

	list_for_each (c, &en->containers, node) {
		size_t i;
		json_t *m;

		if (c == skip)
			continue;
		json_array_foreach(c->mounts, i, m) if (streq(js(m, "Type"), "volume") &&
							streq(js(m, "Name"), v->name)) n++;
	}
	return n;
}

int volume_refs(struct engine *en, const struct volume *v)
{
	return volume_refs_without(en, v, NULL);
}

static void users(struct engine *en, const struct volume *v, struct buf *out)
{
	struct container *c;

	list_for_each (c, &en->containers, node) {
		size_t i;
		json_t *m;

		json_array_foreach(c->mounts, i, m) if (streq(js(m, "Type"), "volume") &&
							streq(js(m, "Name"), v->name))(void)
			buf_printf(out, "%s%s", out->len ? ", " : "", c->id);
	}
}

static int is_row_of(const struct volume_row *row, void *data)
{
	const struct volume *v = data;

	return streq(row->name, v->name);
}

bool volume_stored(struct volume *v)
{
	return volume_each(v->en->db, is_row_of, v, NULL) != 0; /* in doubt it is */
}

static void forget(struct engine *en, struct volume *v)
{
	(void)map_del(en->volumes, v->name);
	engine_event(en, "volume", "destroy", v->name, json_pack("{s:s}", "driver", "local"));
	volume_free(v);
}

void volume_drop(struct engine *en, struct volume *v)
{
	storage_volume_detach(en->storage, v->name);
	storage_volume_remove(en->storage, v->name);
	forget(en, v);
}

int volume_delete(struct engine *en, struct volume *v, struct err *e)
{
	/* a death between the two finds the row and finishes the removal (volume_load) */
	int r = volume_save(v, PHASE_REMOVING, e);

	if (r < 0)
		return r;
	storage_volume_detach(en->storage, v->name);
	storage_volume_remove(en->storage, v->name);
	r = volume_del(en->db, v->name, e);
	if (r < 0)
		return r;
	forget(en, v);
	return 0;
}

int engine_volume_remove(struct engine *en, const char *name, bool force, struct err *e)
{
	auto_buf struct buf who = BUF_INIT(1 << 20);
	struct volume *v = map_get(en->volumes, name);

	if (!v && force)
		return 0;
	if (!v)
		return err_not_found(e, "get %s: no such volume", name);
	users(en, v, &who);
	if (who.len)
		return err_conflict(e, "remove %s: volume is in use - [%s]", name, buf_str(&who));
	return volume_delete(en, v, e);
}

struct volume *engine_volume_next(struct engine *en, struct volume *prev)
{
	size_t pos = 0;
	struct volume *v;
	bool take = !prev;

	while ((v = map_next(en->volumes, &pos, NULL))) {
		if (take)
			return v;
		take = v == prev;
	}
	return NULL;
}

const char *volume_name(const struct volume *v)
{
	return v->name;
}

bool volume_anonymous(const struct volume *v)
{
	return v->anonymous;
}

int64_t volume_created_ns(const struct volume *v)
{
	return v->created_ns;
}

json_t *volume_labels(const struct volume *v)
{
	return v->labels;
}

json_t *volume_options(const struct volume *v)
{
	return v->options;
}

char *volume_mountpoint(const struct volume *v)
{
	char *path = NULL;

	return storage_volume_path(v->en->storage, v->name, &path) < 0 ? NULL : path;
}
