/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exit.c - the end of a container's process, and what its restart policy makes of it
 *
 * At once, without a turn: state, store, event, names, ports, links. Then the runtime's leftovers
 * (cleaning); when they are gone the waiters are told, and the policy restarts or --rm removes.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "engine/mounts.h"

bool should_restart(const struct container *c)
{
	const json_t *rp = jo(c->host_config, "RestartPolicy");
	const char *name = js(rp, "Name");
	int64_t max = ji(rp, "MaximumRetryCount");
	/* "always" comes back with the engine even if somebody had stopped it, as in Docker */
	bool stopped = c->st.manual_stop && !(c->boot && streq(name, "always"));

	if (stopped || c->gone || c->en->closing || c->st.status != CONTAINER_EXITED ||
	    !c->st.started_ns)
		return false;
	if (streq(name, "always") || streq(name, "unless-stopped"))
		return true;
	return streq(name, "on-failure") && c->st.exit_code != 0 &&
	       (!max || c->st.restart_count < max);
}

void restart_cancel(struct container *c)
{
	c->restart_timer = source_free(c->restart_timer);
	if (c->st.status == CONTAINER_RESTARTING)
		c->st.status = CONTAINER_EXITED;
}

static void restarted(int result, const struct err *e, void *data)
{
	struct container *c = data;

	(void)e;
	if (result < 0 && c->st.status == CONTAINER_RESTARTING) {
		/* a start that cannot succeed (port taken, network gone): Docker gives up here too
		 */
		c->st.status = CONTAINER_EXITED;
		(void)container_save_state(c, NULL);
		container_notify(c, WAIT_NEXT_EXIT, c->st.error);
	}
	container_unlock(c);
}

static void restart_due(void *data);

/* It joins a namespace of one that is just coming up itself (at the start of the engine). */
static bool peer_is_coming(const struct container *c)
{
	static const char *const keys[] = {"NetworkMode", "IpcMode", "PidMode"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *mode = js(c->host_config, keys[i]);
		struct container *peer;

		if (str_has_prefix(mode, "container:") &&
		    engine_find(c->en, mode + strlen("container:"), &peer, NULL) >= 0 &&
		    peer->st.status != CONTAINER_RUNNING &&
		    (peer->starting || peer->locked || peer->st.status == CONTAINER_RESTARTING))
			return true;
	}
	return false;
}

static void restart_turn(struct container *c, void *data)
{
	(void)data;
	if (c->st.status != CONTAINER_RESTARTING) { /* stopped or removed while it waited */
		container_unlock(c);
		return;
	}
	if (peer_is_coming(c) &&
	    loop_timer(c->en->loop, RESTART_FIRST_MS, restart_due, c, &c->restart_timer) >= 0) {
		container_unlock(c);
		return;
	}
	c->st.restart_count += !c->boot;
	c->boot = false;
	start_locked(c, restarted, c);
}

static void restart_due(void *data)
{
	struct container *c = data;

	c->restart_timer = source_free(c->restart_timer);
	if (!c->en->closing) /* else the next life decides */
		container_lock(c, restart_turn, NULL);
}

static void schedule_restart(struct container *c)
{
	int64_t lived = c->boot ? INT64_MAX : c->st.finished_ns - c->st.started_ns;
	int64_t ms = restart_delay_ms(&c->failures, lived);

	c->st.status = CONTAINER_RESTARTING;
	(void)container_save_state(c, NULL); /* recovery decides anew from the policy anyway */
	if (loop_timer(c->en->loop, ms, restart_due, c, &c->restart_timer) < 0) {
		log_error("out of memory, a restart is given up container=%s", c->name);
		c->st.status = CONTAINER_EXITED;
	}
}

static void removed_itself(int result, const struct err *e, void *data)
{
	(void)data;
	if (result < 0 && e && e->kind != ERR_NOT_FOUND)
		log_warn("automatic removal failed error=%s", e->msg);
}

void container_settle(struct container *c)
{
	bool over = c->st.status == CONTAINER_EXITED && !c->en->closing;

	/* a restarting container goes from one life to the next: only "next exit" has come */
	if (should_restart(c))
		schedule_restart(c);
	else if (over && jb(c->host_config, "AutoRemove"))
		engine_remove(c, false, true, removed_itself, NULL);
}

static void cleaned(int result, void *data)
{
	struct container *c = data;
	struct list due;

	if (result < 0)
		log_warn("the runtime could not be cleaned up container=%s error=%s", c->id,
			 strerror(-result));
	mounts_release(c);
	if (rootfs_unmount(c) < 0)
		log_debug("the root file system stays mounted until removal container=%s", c->id);
	c->cleaning = false;
	list_init(&due);
	while (!list_empty(&c->stopped)) {
		struct list *n = c->stopped.next;

		list_remove(n);
		list_append(&due, n);
	}
	container_settle(c);
	container_notify(c, WAIT_NEXT_EXIT, NULL);
	while (!list_empty(&due)) {
		struct stopped_hook *h = list_entry(due.next, struct stopped_hook, node);

		list_remove(&h->node);
		h->fn(h->data);
	}
}

void container_clean(struct container *c)
{
	c->cleaning = true;
	if (rt_delete(c->en->runtime, c->id, cleaned, c) < 0)
		cleaned(-ENOMEM, c);
}

void container_on_stopped(struct container *c, struct stopped_hook *h)
{
	list_append(&c->stopped, &h->node);
}

void container_exited(struct container *c, int code, bool oom, int64_t when_ns)
{
	bool oom_told;
	char text[12], lasted[24];

	if (c->starting) { /* the start is still being committed: it comes back to us */
		c->early_exit = true;
		c->early_code = code;
		c->early_oom = oom;
		c->early_ns = when_ns;
		return;
	}
	if (c->st.status != CONTAINER_RUNNING)
		return;
	c->st.status = CONTAINER_EXITED;
	c->st.pid = 0;
	c->st.exit_code = code;
	oom_told = c->st.oom_killed;
	c->st.oom_killed = oom || oom_told;
	c->st.finished_ns = when_ns ? when_ns : clock_real_ns();
	c->early_exit = false;
	c->st.paused = false;
	health_stop(c);
	oom_forget(c);
	execs_drop(c);
	net_sandbox_stop(c->en->net, c->id);
	if (container_save_state(c, NULL) < 0)
		log_error("an exit could not be stored, it is found again at the next start "
			  "container=%s",
			  c->name);
	(void)snprintf(text, sizeof(text), "%d", code);
	(void)snprintf(lasted, sizeof(lasted), "%lld",
		       (long long)MAX(0, (c->st.finished_ns - c->st.started_ns) / NS_PER_S));
	if (oom && !oom_told)
		container_event(c, "oom", NULL, NULL);
	container_event_more(c, "die",
			     json_pack("{s:s, s:s}", "exitCode", text, "execDuration", lasted));
	container_network_events(c, "disconnect");
	links_changed(c);
	container_clean(c);
}
