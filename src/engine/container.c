/* SPDX-License-Identifier: GPL-2.0-or-later */
/* container.c - the container object: memory, store, lookup, turns, waiters */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"

const char *container_status_name(enum container_status s)
{
	switch (s) {
	case CONTAINER_CREATED:
		return "created";
	case CONTAINER_RUNNING:
		return "running";
	case CONTAINER_RESTARTING:
		return "restarting";
	case CONTAINER_REMOVING:
		return "removing";
	case CONTAINER_EXITED:
		return "exited";
	case CONTAINER_DEAD:
		return "dead";
	}
	return "";
}

const char *container_state_name(const struct container_state *st)
{
	return st->status == CONTAINER_RUNNING && st->paused ? "paused"
							     : container_status_name(st->status);
}

static int status_parse(const char *s, enum container_status *ret)
{
	for (enum container_status i = CONTAINER_CREATED; i <= CONTAINER_DEAD; i++)
		if (streq(container_status_name(i), s)) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

struct container *container_alloc(struct engine *en)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->en = en;
	list_init(&c->turns);
	list_init(&c->waiters);
	list_init(&c->attachments);
	list_init(&c->execs);
	list_init(&c->stopped);
	return c;
}

void container_free(struct container *c)
{
	struct turn *t;

	if (!c)
		return;
	list_for_each (t, &c->turns, node) {
		list_remove(&t->node);
		free(t);
	}
	execs_drop(c);
	health_free(c);
	oom_forget(c);
	samplers_drop(c);
	(void)source_free(c->restart_timer);
	list_remove(&c->node);
	json_decref(c->config);
	json_decref(c->host_config);
	json_decref(c->mounts);
	json_decref(c->wanted);
	free(c->st.error);
	free(c->image_id);
	free(c->name);
	free(c);
}

int container_link(struct container *c)
{
	int r = map_put(c->en->by_id, c->id, c);

	if (r >= 0)
		r = map_put(c->en->by_name, c->name, c);
	if (r < 0) {
		(void)map_del(c->en->by_id, c->id);
		return r;
	}
	list_append(&c->en->containers, &c->node);
	return 0;
}

void container_unlink(struct container *c)
{
	(void)map_del(c->en->by_id, c->id);
	if (map_get(c->en->by_name, c->name) == c)
		(void)map_del(c->en->by_name, c->name);
	list_remove(&c->node);
}

/* ---- the store ---- */

static void spec_text(const struct container *c, struct buf *out)
{
	struct jsonw w = JSONW_INIT(out);

	jsonw_object(&w, NULL);
	jsonw_json(&w, "config", c->config);
	jsonw_json(&w, "host", c->host_config);
	jsonw_json(&w, "mounts", c->mounts);
	jsonw_json(&w, "wanted", c->wanted);
	jsonw_end_object(&w);
}

static void state_text(const struct container *c, struct buf *out)
{
	struct jsonw w = JSONW_INIT(out);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "status", container_status_name(c->st.status));
	jsonw_bool(&w, "starting", c->starting);
	jsonw_i64(&w, "pid", c->st.pid);
	jsonw_i64(&w, "exit_code", c->st.exit_code);
	jsonw_bool(&w, "oom", c->st.oom_killed);
	jsonw_str(&w, "error", c->st.error);
	jsonw_i64(&w, "started", c->st.started_ns);
	jsonw_i64(&w, "finished", c->st.finished_ns);
	jsonw_i64(&w, "restarts", c->st.restart_count);
	jsonw_bool(&w, "manual_stop", c->st.manual_stop);
	jsonw_bool(&w, "remove_volumes", c->remove_volumes);
	jsonw_bool(&w, "paused", c->st.paused && !c->held);
	health_write(&w, c);
	jsonw_end_object(&w);
}

static enum phase phase_of(const struct container *c)
{
	return c->st.status == CONTAINER_REMOVING ? PHASE_REMOVING : PHASE_READY;
}

int container_save(struct container *c, struct err *e)
{
	auto_buf struct buf spec = BUF_INIT(LIMIT_JSON_BODY * 2), state = BUF_INIT(LIMIT_JSON_BODY);
	struct container_row row = {.id = c->id,
				    .name = c->name,
				    .phase = phase_of(c),
				    .created_ns = c->created_ns,
				    .image_id = c->image_id};

	spec_text(c, &spec);
	state_text(c, &state);
	if (buf_err(&spec) || buf_err(&state))
		return err_nomem(e);
	row.spec_json = buf_str(&spec);
	row.state_json = buf_str(&state);
	return container_put(c->en->db, &row, e);
}

int container_save_state(struct container *c, struct err *e)
{
	auto_buf struct buf state = BUF_INIT(LIMIT_JSON_BODY);

	state_text(c, &state);
	if (buf_err(&state))
		return err_nomem(e);
	return container_put_state(c->en->db, c->id, phase_of(c), buf_str(&state), e);
}

int container_load(struct engine *en, const struct container_row *r, struct container **ret,
		   struct err *e)
{
	auto_(container_free) struct container *c = container_alloc(en);
	auto_json json_t *spec = NULL, *state = NULL;
	int rc;

	if (!c)
		return err_nomem(e);
	rc = json_read(r->spec_json, strlen(r->spec_json), &spec, e);
	if (rc >= 0)
		rc = json_read(r->state_json, strlen(r->state_json), &state, e);
	if (rc < 0)
		return rc;
	(void)snprintf(c->id, sizeof(c->id), "%s", r->id);
	c->created_ns = r->created_ns;
	c->config = json_incref(json_object_get(spec, "config"));
	c->host_config = json_incref(json_object_get(spec, "host"));
	c->mounts = json_incref(json_object_get(spec, "mounts"));
	c->wanted = json_incref(json_object_get(spec, "wanted"));
	c->starting = jb(state, "starting");
	c->remove_volumes = jb(state, "remove_volumes");
	c->st = (struct container_state){.pid = (int)ji(state, "pid"),
					 .exit_code = (int)ji(state, "exit_code"),
					 .oom_killed = jb(state, "oom"),
					 .started_ns = ji(state, "started"),
					 .finished_ns = ji(state, "finished"),
					 .restart_count = (int)ji(state, "restarts"),
					 .manual_stop = jb(state, "manual_stop"),
					 .paused = jb(state, "paused")};
	if (status_parse(js(state, "status"), &c->st.status) < 0 || !c->config || !c->host_config)
		return err_set(e, ERR_INTERNAL, EBADMSG,
			       "the store's row of container %s is unreadable", r->id);
	if (str_set(&c->name, r->name) < 0 || str_set(&c->image_id, r->image_id) < 0 ||
	    str_set(&c->st.error, js(state, "error")) < 0 || health_read(c, state) < 0)
		return err_nomem(e);
	*ret = TAKE_PTR(c);
	return 0;
}

/* ---- lookup ---- */

int engine_find(struct engine *en, const char *ref, struct container **ret, struct err *e)
{
	const char *name = ref && *ref == '/' ? ref + 1 : ref;
	struct container *c, *found = NULL;
	size_t len = ref ? strlen(ref) : 0;
	unsigned n = 0;

	if (!len)
		return err_not_found(e, "No such container: ");
	c = map_get(en->by_id, ref);
	if (!c)
		c = map_get(en->by_name, name);
	if (!c && len < ID_LEN && str_is_hex(ref)) {
		list_for_each (c, &en->containers, node)
			if (!strncmp(c->id, ref, len)) {
				found = c;
				n++;
			}
		c = n == 1 ? found : NULL;
		if (n > 1)
			return err_invalid(e, "Multiple IDs found with provided prefix: %s", ref);
	}
	if (!c)
		return err_not_found(e, "No such container: %s", ref);
	*ret = c;
	return 0;
}

struct container *engine_container_next(struct engine *en, struct container *prev)
{
	struct list *n = prev ? prev->node.prev : en->containers.prev;

	return n == &en->containers || !n ? NULL : list_entry(n, struct container, node);
}

/* ---- turns: an asynchronous mutex a container ---- */

void container_lock(struct container *c, void (*run)(struct container *c, void *data), void *data)
{
	struct turn *t;

	if (!c->locked) {
		c->locked = true;
		run(c, data);
		return;
	}
	t = calloc(1, sizeof(*t));
	if (!t) { /* going ahead out of turn would be worse than waiting for memory */
		log_error("out of memory while queueing an operation container=%s", c->id);
		abort();
	}
	t->run = run;
	t->data = data;
	list_append(&c->turns, &t->node);
}

static void next_turn(void *data)
{
	struct container *c = data;
	struct turn *t = list_entry(c->turns.next, struct turn, node);
	void (*run)(struct container *, void *) = t->run;
	void *d = t->data;

	list_remove(&t->node);
	free(t);
	run(c, d);
}

static void free_gone(void *data)
{
	container_free(data);
}

void container_unlock(struct container *c)
{
	if (!list_empty(&c->turns)) {
		/* a fresh stack for each turn: long queues must not recurse */
		if (loop_defer(c->en->loop, next_turn, c, NULL) < 0)
			next_turn(c);
		return;
	}
	c->locked = false;
	if (c->gone) {
		c->locked = true; /* nobody may take a turn any more */
		if (loop_defer(c->en->loop, free_gone, c, NULL) < 0)
			log_error("out of memory, a removed container stays in memory container=%s",
				  c->id);
	}
}

/* ---- waiters ---- */

int engine_wait(struct container *c, enum wait_condition when, wait_cb cb, void *data,
		struct waiter **ret)
{
	struct waiter *w;
	bool stopped = c->st.status != CONTAINER_RUNNING && c->st.status != CONTAINER_RESTARTING &&
		       !c->starting && !c->cleaning;

	*ret = NULL;
	if (when == WAIT_NOT_RUNNING && stopped) {
		cb(c->st.exit_code, NULL, data);
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	*w = (struct waiter){.when = when, .cb = cb, .data = data};
	list_append(&c->waiters, &w->node);
	*ret = w;
	return 0;
}

void engine_wait_cancel(struct waiter *w)
{
	if (!w)
		return;
	list_remove(&w->node);
	free(w);
}

/* Tells everybody whose condition is met: an exit meets NOT_RUNNING and NEXT_EXIT, a removal all.
 */
void container_notify(struct container *c, enum wait_condition what, const char *error)
{
	struct list due;
	struct waiter *w;

	list_init(&due);
	list_for_each (w, &c->waiters, node)
		if (what == WAIT_REMOVED || w->when != WAIT_REMOVED) {
			list_remove(&w->node);
			list_append(&due, &w->node);
		}
	while (!list_empty(&due)) {
		w = list_entry(due.next, struct waiter, node);
		list_remove(&w->node);
		w->cb(c->st.exit_code, error, w->data);
		free(w);
	}
}

/* ---- reading ---- */

const char *container_id(const struct container *c)
{
	return c->id;
}

const char *container_name(const struct container *c)
{
	return c->name;
}

const char *container_image_id(const struct container *c)
{
	return c->image_id;
}

int64_t container_created_ns(const struct container *c)
{
	return c->created_ns;
}

const json_t *container_config(const struct container *c)
{
	return c->config;
}

const json_t *container_host_config(const struct container *c)
{
	return c->host_config;
}

const struct container_state *container_state(const struct container *c)
{
	return &c->st;
}

bool container_running(const struct container *c)
{
	return c->st.status == CONTAINER_RUNNING;
}

bool container_tty(const struct container *c)
{
	return jb(c->config, "Tty");
}

const char *container_network_mode(const struct container *c)
{
	return js(c->host_config, "NetworkMode");
}

struct container *container_netns_peer(const struct container *c)
{
	const char *mode = container_network_mode(c);
	struct container *peer = NULL;

	if (!str_has_prefix(mode, "container:"))
		return NULL;
	return engine_find(c->en, mode + strlen("container:"), &peer, NULL) < 0 ? NULL : peer;
}

char *container_argv0(const struct container *c, json_t **ret_args)
{
	json_t *all = json_array();
	char *path;

	if (jo(c->config, "Entrypoint"))
		(void)json_array_extend(all, jo(c->config, "Entrypoint"));
	if (jo(c->config, "Cmd"))
		(void)json_array_extend(all, jo(c->config, "Cmd"));
	path = strdup(json_array_size(all) ? json_string_value(json_array_get(all, 0)) : "");
	(void)json_array_remove(all, 0);
	*ret_args = all;
	return path;
}

void container_command(const struct container *c, struct buf *out)
{
	json_t *args = NULL, *s;
	auto_free char *path = container_argv0(c, &args);
	size_t i;

	(void)buf_puts(out, path ? path : "");
	json_array_foreach(args, i, s)
	{
		const char *a = json_string_value(s);
		bool quote = strpbrk(a, " \t\n\"'") != NULL;

		(void)buf_printf(out, quote ? " '%s'" : " %s", a);
	}
	json_decref(args);
}

const char *container_dir(struct container *c, char *out, size_t room)
{
	return storage_container_dir(c->en->storage, c->id, out, room);
}

void container_event_more(struct container *c, const char *action, json_t *more)
{
	json_t *labels = jo(c->config, "Labels");
	json_t *attr = labels ? json_copy(labels) : json_object();

	(void)json_object_set_new(attr, "image", json_string(js(c->config, "Image")));
	(void)json_object_set_new(attr, "name", json_string(c->name));
	if (more)
		(void)json_object_update(attr, more);
	json_decref(more);
	engine_event(c->en, "container", action, c->id, attr);
}

void container_event(struct container *c, const char *action, const char *key, const char *value)
{
	container_event_more(c, action, key ? json_pack("{s:s}", key, value) : NULL);
}
