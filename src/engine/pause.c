/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pause.c - a container stands still by its cgroup's freezer, and goes on */

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/life_internal.h"
#include "runtime/control.h"

struct verb {
	struct container *c;
	engine_cb cb;
	void *data;
};

static void verb_done(struct verb *v, int result, const struct err *e)
{
	v->cb(result, e, v->data);
	container_unlock(v->c);
	free(v);
}

static void begin(struct container *c, void (*turn)(struct container *c, void *data), engine_cb cb,
		  void *data)
{
	struct verb *v = calloc(1, sizeof(*v));
	struct err e = {0};

	if (!v) {
		cb(err_nomem(&e), &e, data);
		return;
	}
	*v = (struct verb){c, cb, data};
	container_lock(c, turn, v);
}

/* ---- pause ---- */

static int may_pause(const struct container *c, struct err *e)
{
	if (c->gone)
		return err_not_found(e, "No such container: %s", c->id);
	if (c->st.status == CONTAINER_RESTARTING)
		return err_conflict(
			e, "Container %s is restarting, wait until the container is running",
			c->id);
	if (c->st.status != CONTAINER_RUNNING)
		return err_conflict(e, "Container %s is not running", c->id);
	if (c->st.paused)
		return err_conflict(e, "Container %s is already paused", c->id);
	return 0;
}

static void frozen(int result, void *data)
{
	struct verb *v = data;
	struct container *c = v->c;
	struct err e = {0};

	if (result >= 0 && c->st.status != CONTAINER_RUNNING)
		result = err_conflict(&e, "Container %s is not running", c->id);
	else if (result < 0)
		(void)err_sys(&e, -result, "Cannot pause container %s", c->id);
	if (result < 0) {
		health_watch(c);
		verb_done(v, result, &e);
		return;
	}
	c->st.paused = true;
	result = container_save_state(c, &e);
	if (result < 0) {
		c->st.paused = false;
		if (rt_thaw(c->en->runtime, c->id) < 0)
			log_error("a container stays frozen container=%s", c->name);
		health_watch(c);
		verb_done(v, result, &e);
		return;
	}
	container_event(c, "pause", NULL, NULL);
	verb_done(v, 0, NULL);
}

static void pause_turn(struct container *c, void *data)
{
	struct verb *v = data;
	struct err e = {0};
	int r = may_pause(c, &e);

	if (r >= 0) {
		health_suspend(c); /* a frozen check would only run into its timeout */
		r = rt_freeze(c->en->runtime, c->id, frozen, v);
		if (r >= 0)
			return;
		health_watch(c);
		(void)err_sys(&e, -r, "Cannot pause container %s", c->id);
	}
	verb_done(v, r, &e);
}

void engine_pause(struct container *c, engine_cb cb, void *data)
{
	begin(c, pause_turn, cb, data);
}

/* ---- for the holder of the container's turn ---- */

struct hold {
	struct container *c;
	engine_cb cb;
	void *data;
};

static void held(int result, void *data)
{
	struct hold *h = data;
	struct container *c = h->c;
	struct err e = {0};

	if (c->st.status != CONTAINER_RUNNING) {
		result = 0; /* it ended meanwhile: nothing moves either */
		c->held = false;
	} else if (result >= 0) {
		c->st.paused = true;
		container_event(c, "pause", NULL, NULL);
	} else {
		(void)err_sys(&e, -result, "Cannot pause container %s", c->id);
		c->held = false;
		health_watch(c);
	}
	h->cb(result, result < 0 ? &e : NULL, h->data);
	free(h);
}

void container_hold_still(struct container *c, engine_cb cb, void *data)
{
	bool moves = c->st.status == CONTAINER_RUNNING && !c->st.paused;
	struct hold *h = moves ? calloc(1, sizeof(*h)) : NULL;
	struct err e = {0};
	int r;

	if (!h) {
		cb(moves ? err_nomem(&e) : 0, moves ? &e : NULL, data);
		return;
	}
	*h = (struct hold){c, cb, data};
	c->held = true;
	health_suspend(c);
	r = rt_freeze(c->en->runtime, c->id, held, h);
	if (r < 0)
		held(r, h);
}

void container_let_go(struct container *c)
{
	if (!c->held)
		return;
	container_thaw(c); /* unless it ended, or was killed, which thawed it */
	c->held = false;
}

/* ---- unpause ---- */

static int thaw(struct container *c, struct err *e)
{
	int r = rt_thaw(c->en->runtime, c->id);

	if (r < 0)
		return err_sys(e, -r, "Cannot unpause container %s", c->id);
	c->st.paused = false;
	/* where this is lost, recovery looks at the freezer itself */
	if (container_save_state(c, NULL) < 0)
		log_warn("a container's state could not be stored container=%s", c->name);
	container_event(c, "unpause", NULL, NULL);
	health_watch(c);
	return 0;
}

static void unpause_turn(struct container *c, void *data)
{
	struct err e = {0};
	int r;

	if (c->gone)
		r = err_not_found(&e, "No such container: %s", c->id);
	else if (c->st.status != CONTAINER_RUNNING || !c->st.paused)
		r = err_set(&e, ERR_INTERNAL, EINVAL, "Container %s is not paused", c->id);
	else
		r = thaw(c, &e);
	verb_done(data, r, r < 0 ? &e : NULL);
}

void engine_unpause(struct container *c, engine_cb cb, void *data)
{
	begin(c, unpause_turn, cb, data);
}

void container_thaw(struct container *c)
{
	struct err e = {0};

	if (c->st.status == CONTAINER_RUNNING && c->st.paused && thaw(c, &e) < 0)
		log_error("a paused container does not see its signal: %s", e.msg);
}
