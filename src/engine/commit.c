/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commit.c - an image from a container: its config merged, its upper directory a layer
 *
 * The container's turn is held until the image is there, so that it is not removed meanwhile. What
 * the client's config does not say is taken from the container's, as moby daemon/commit.go merges.
 */

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/archive.h"
#include "engine/internal.h"
#include "engine/life_internal.h"
#include "image/ref.h"

struct commit {
	struct container *c; /* whose turn is held */
	char *name;	     /* "repo:tag", NULL none */
	char *author, *comment;
	json_t *config; /* the image's inner one */
	bool pause;
	void (*cb)(int result, const char *image_id, const struct err *e, void *data);
	void *data;
};

/* ---- the config ---- */

static const char *const image_keys[] = {
	"User",	      "ExposedPorts", "Env",	 "Cmd",	   "Healthcheck", "ArgsEscaped", "Volumes",
	"WorkingDir", "Entrypoint",   "OnBuild", "Labels", "StopSignal",  "Shell"};

/* nothing is said: absent, null, "", [] or {} */
static bool is_empty(const json_t *v)
{
	if (json_is_string(v))
		return !*json_string_value(v);
	if (json_is_array(v))
		return json_array_size(v) == 0;
	if (json_is_object(v))
		return json_object_size(v) == 0;
	return !v || json_is_null(v);
}

static void fill_in(json_t *config, const json_t *from, const char *key)
{
	json_t *v = json_object_get(from, key);

	if (is_empty(json_object_get(config, key)) && !is_empty(v))
		(void)json_object_set_new(config, key, json_deep_copy(v));
}

/* keys of an object that the client's lacks */
static void fill_object(json_t *config, const json_t *from, const char *key)
{
	json_t *mine = json_object_get(config, key), *theirs = json_object_get(from, key);

	if (json_is_object(mine) && json_is_object(theirs))
		(void)json_object_update_missing(mine, theirs);
	else
		fill_in(config, from, key);
}

static bool has_variable(const json_t *list, const char *pair)
{
	size_t len = strcspn(pair, "="), i;
	const json_t *v;

	json_array_foreach(list, i, v)
	{
		const char *s = json_string_value(v);

		if (s && strcspn(s, "=") == len && !strncmp(s, pair, len))
			return true;
	}
	return false;
}

static void fill_env(json_t *config, const json_t *from)
{
	json_t *mine = json_object_get(config, "Env"), *theirs = json_object_get(from, "Env"), *v;
	size_t i;

	if (is_empty(mine)) {
		fill_in(config, from, "Env");
		return;
	}
	json_array_foreach(theirs, i, v)
	{
		if (json_is_string(v) && !has_variable(mine, json_string_value(v)))
			(void)json_array_append(mine, v);
	}
}

static void merge(json_t *config, const json_t *from)
{
	fill_in(config, from, "User");
	fill_object(config, from, "ExposedPorts");
	fill_env(config, from);
	fill_object(config, from, "Labels");
	if (is_empty(json_object_get(config, "Entrypoint"))) {
		fill_in(config, from, "Cmd");
		fill_in(config, from, "ArgsEscaped");
		/* [] says: none; only what is not there is taken from the container */
		if (!json_get(config, "Entrypoint"))
			fill_in(config, from, "Entrypoint");
	}
	fill_object(config, from, "Healthcheck");
	fill_in(config, from, "WorkingDir");
	fill_object(config, from, "Volumes");
	fill_in(config, from, "StopSignal");
}

/* the client's part: only what an image has, each of its type */
static int take_config(const json_t *body, json_t **ret, struct err *e)
{
	auto_json json_t *whole = NULL, *host = NULL, *out = json_object();
	int r = 0;

	if (!out)
		return err_nomem(e);
	if (body)
		r = spec_normalise(body, NULL, &whole, &host, e); /* which checks the types */
	for (size_t i = 0; r >= 0 && body && i < ARRAY_SIZE(image_keys); i++) {
		const char *key = image_keys[i];
		json_t *v = json_get(body, key) ? json_object_get(whole, key) : NULL;

		if (v && json_object_set_new(out, key, json_deep_copy(v)) < 0)
			r = err_nomem(e);
	}
	if (r >= 0)
		*ret = TAKE_PTR(out);
	return r;
}

static int make_config(struct commit *m, const struct commit_spec *s, struct err *e)
{
	int r = take_config(s->config, &m->config, e);

	if (r >= 0)
		r = changes_apply(m->config, s->changes, e);
	if (r >= 0)
		merge(m->config, m->c->config);
	return r;
}

/* ---- the work ---- */

static void commit_free(struct commit *m)
{
	json_decref(m->config);
	free(m->name);
	free(m->author);
	free(m->comment);
	free(m);
}

static void tell(struct commit *m, const char *image_id)
{
	json_t *labels = jo(m->c->config, "Labels");
	json_t *attr = labels ? json_copy(labels) : json_object();

	(void)json_object_set_new(attr, "image", json_string(js(m->c->config, "Image")));
	(void)json_object_set_new(attr, "name", json_string(m->c->name));
	(void)json_object_set_new(attr, "comment", json_string(m->comment ? m->comment : ""));
	(void)json_object_set_new(attr, "imageID", json_string(image_id));
	(void)json_object_set_new(attr, "imageRef", json_string(m->name ? m->name : ""));
	engine_event(m->c->en, "container", "commit", m->c->id, attr);
	log_info("container committed container=%s image=%s", m->c->name, image_id);
}

static void done(int result, const char *image_id, const struct err *e, void *data)
{
	struct commit *m = data;

	container_let_go(m->c);
	if (result >= 0 && !m->c->en->closing)
		tell(m, image_id);
	m->cb(result, image_id, e, m->data);
	container_unlock(m->c);
	commit_free(m);
}

static int check(const struct container *c, struct err *e)
{
	if (c->gone || c->st.status == CONTAINER_REMOVING)
		return err_conflict(e, "You cannot commit container %s which is being removed",
				    c->id);
	if (c->st.status == CONTAINER_DEAD)
		return err_conflict(e, "You cannot commit container %s which is Dead", c->id);
	return 0;
}

static int start(struct commit *m, struct err *e)
{
	struct container *c = m->c;
	char dir[4096];
	auto_free char *upper = str_printf("%s/upper", container_dir(c, dir, sizeof(dir)));
	auto_strv char **cmd = jstrv(c->config, "Cmd");
	auto_buf struct buf by = BUF_INIT(1 << 20);

	if (!upper)
		return err_nomem(e);
	for (size_t i = 0; cmd && cmd[i]; i++)
		(void)buf_printf(&by, "%s%s", i ? " " : "", cmd[i]);
	const struct image_commit spec = {
		.parent_id = c->image_id,
		.upper = fs_exists(upper) ? upper : NULL, /* made by the first mount */
		.config = m->config,
		.author = m->author,
		.comment = m->comment,
		.created_by = buf_str(&by),
		.container_id = c->id,
		.repo_tag = m->name,
	};

	return image_commit_start(c->en->images, &spec, done, m, e);
}

static void stands_still(int result, const struct err *why, void *data)
{
	struct commit *m = data;
	struct err e = {0};

	if (result < 0) {
		done(result, NULL, why, m);
		return;
	}
	result = start(m, &e);
	if (result < 0)
		done(result, NULL, &e, m);
}

static void my_turn(struct container *c, void *data)
{
	struct commit *m = data;
	struct err e = {0};
	int r = check(c, &e);

	if (r < 0)
		done(r, NULL, &e, m);
	else if (m->pause)
		container_hold_still(c, stands_still, m);
	else
		stands_still(0, NULL, m);
}

/* the familiar form: clients send "docker.io/library/x" */
static int make_name(struct commit *m, const struct commit_spec *s, struct err *e)
{
	struct image_ref ref = {0};

	if (str_empty(s->repo))
		return 0;
	auto_free char *text = str_empty(s->tag) ? strdup(s->repo)
						 : str_printf("%s:%s", s->repo, s->tag);
	int r = text ? image_ref_parse(text, &ref, e) : err_nomem(e);

	if (r >= 0) {
		m->name = image_ref_familiar(&ref);
		r = m->name ? 0 : err_nomem(e);
	}
	image_ref_done(&ref);
	return r;
}

void engine_commit(struct container *c, const struct commit_spec *spec,
		   void (*cb)(int result, const char *image_id, const struct err *e, void *data),
		   void *data)
{
	struct commit *m = calloc(1, sizeof(*m));
	struct err e = {0};
	int r = m ? 0 : err_nomem(&e);

	if (m) {
		*m = (struct commit){.c = c, .pause = spec->pause, .cb = cb, .data = data};
		r = str_set(&m->author, spec->author) < 0 || str_set(&m->comment, spec->comment) < 0
			    ? err_nomem(&e)
			    : make_name(m, spec, &e);
	}
	if (r >= 0)
		r = make_config(m, spec, &e);
	if (r < 0) {
		if (m)
			commit_free(m);
		cb(r, NULL, &e, data);
		return;
	}
	container_lock(c, my_turn, m);
}

/* ---- changes ---- */

void engine_changes(struct container *c,
		    void (*cb)(int result, const struct changes *v, const struct err *e,
			       void *data),
		    void *data)
{
	struct image *image;
	struct err e = {0};
	int r = image_find(c->en->images, c->image_id, &image, &e);

	if (r >= 0) {
		r = storage_changes(c->en->storage, c->id, image_layers(image), cb, data);
		if (r >= 0)
			return;
		(void)err_sys(&e, -r, "cannot look for changes");
	}
	cb(r, NULL, &e, data);
}
