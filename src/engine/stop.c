/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stop.c - stopping, killing, restarting, removing */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "engine/mounts.h"

#define DEFAULT_GRACE_S 10
#define KILL_AGAIN_MS                                                                              \
	2000 /* SIGKILL is certain; a process in the kernel may take its time to see it */

struct signame {
	const char *name;
	int no;
};

static const struct signame signames[] = {
	{"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"BUS", SIGBUS},	     {"CHLD", SIGCHLD},
	{"CLD", SIGCHLD},  {"CONT", SIGCONT}, {"FPE", SIGFPE},	     {"HUP", SIGHUP},
	{"ILL", SIGILL},   {"INT", SIGINT},   {"IO", SIGIO},	     {"IOT", SIGIOT},
	{"KILL", SIGKILL}, {"PIPE", SIGPIPE}, {"POLL", SIGPOLL},     {"PROF", SIGPROF},
	{"PWR", SIGPWR},   {"QUIT", SIGQUIT}, {"SEGV", SIGSEGV},     {"STKFLT", SIGSTKFLT},
	{"STOP", SIGSTOP}, {"SYS", SIGSYS},   {"TERM", SIGTERM},     {"TRAP", SIGTRAP},
	{"TSTP", SIGTSTP}, {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
	{"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH},
	{"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
};

int engine_signal_parse(const char *s, int *ret, struct err *e)
{
	const char *name = str_has_prefix(s, "SIG") || str_has_prefix(s, "sig") ? s + 3 : s;
	uint32_t n;

	if (parse_u32(s, &n) >= 0 && n > 0 && n <= 64) {
		*ret = (int)n;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(signames); i++)
		if (!strcasecmp(name, signames[i].name)) {
			*ret = signames[i].no;
			return 0;
		}
	if (!strncasecmp(name, "RTMIN", 5) &&
	    (!name[5] || (name[5] == '+' && parse_u32(name + 6, &n) >= 0 && n <= 15))) {
		*ret = SIGRTMIN + (name[5] ? (int)n : 0);
		return 0;
	}
	return err_invalid(e, "Invalid signal: %s", s);
}

static int stop_signal(const struct container *c)
{
	int sig = SIGTERM;

	if (*js(c->config, "StopSignal"))
		(void)engine_signal_parse(js(c->config, "StopSignal"), &sig,
					  NULL); /* checked at create */
	return sig;
}

/* ---- stop ---- */

struct stop {
	struct container *c;
	engine_cb cb;
	void *data;
	struct source *timer;
	struct stopped_hook hook;
	bool killed;
};

static void stop_done(void *data)
{
	struct stop *s = data;
	engine_cb cb = s->cb;
	void *d = s->data;

	(void)source_free(s->timer);
	container_event(s->c, "stop", NULL, NULL);
	free(s);
	cb(0, NULL, d);
}

static void kill_event(struct container *c, int signal)
{
	char text[12];

	(void)snprintf(text, sizeof(text), "%d", signal);
	container_event(c, "kill", "signal", text);
}

static void grace_over(void *data)
{
	struct stop *s = data;
	int r = rt_signal(s->c->en->runtime, s->c->id, SIGKILL);

	if (r >= 0 && !s->killed)
		kill_event(s->c, SIGKILL);
	s->killed = true;
	if (r < 0 && r != -ESRCH)
		log_warn("SIGKILL failed container=%s error=%s", s->c->name, strerror(-r));
	source_timer_set(s->timer, KILL_AGAIN_MS);
}

void stop_locked(struct container *c, int signal, int timeout_s, engine_cb cb, void *data)
{
	struct err e = {0};
	struct stop *s;
	int r;

	if (c->st.status == CONTAINER_RESTARTING || c->restart_timer) {
		c->st.manual_stop = true;
		restart_cancel(c);
		(void)container_save_state(
			c, NULL); /* nothing runs: a lost mark only restarts it at boot */
		container_notify(c, WAIT_NEXT_EXIT, NULL); /* those who asked in between */
		container_event(c, "stop", NULL, NULL);
		cb(0, NULL, data);
		return;
	}
	if (c->st.status != CONTAINER_RUNNING) {
		cb(err_set(&e, ERR_NOT_MODIFIED, EALREADY, "container already stopped"), &e, data);
		return;
	}
	if (timeout_s == ENGINE_STOP_DEFAULT)
		timeout_s = json_is_integer(json_object_get(c->config, "StopTimeout"))
				    ? (int)ji(c->config, "StopTimeout")
				    : DEFAULT_GRACE_S;
	s = calloc(1, sizeof(*s));
	if (!s) {
		cb(err_nomem(&e), &e, data);
		return;
	}
	*s = (struct stop){.c = c, .cb = cb, .data = data, .hook = {.fn = stop_done, .data = s}};
	r = loop_timer(c->en->loop, timeout_s < 0 ? -1 : (int64_t)timeout_s * 1000, grace_over, s,
		       &s->timer);
	if (r < 0) {
		free(s);
		cb(err_nomem(&e), &e, data);
		return;
	}
	c->st.manual_stop = true;
	(void)container_save_state(c, NULL); /* told again with the exit */
	container_on_stopped(c, &s->hook);
	r = rt_signal(c->en->runtime, c->id, signal ? signal : stop_signal(c));
	if (r < 0 && r != -ESRCH)
		log_warn("the stop signal failed container=%s error=%s", c->name, strerror(-r));
	if (r >= 0)
		kill_event(c, signal ? signal : stop_signal(c));
	container_thaw(c);
}

/* ---- the public verbs ---- */

struct verb {
	struct container *c;
	engine_cb cb;
	void *data;
	int signal, timeout_s;
	bool force, volumes;
	struct stopped_hook hook;
};

static struct verb *verb_new(struct container *c, engine_cb cb, void *data)
{
	struct verb *v = calloc(1, sizeof(*v));
	struct err e = {0};

	if (!v) {
		cb(err_nomem(&e), &e, data);
		return NULL;
	}
	*v = (struct verb){.c = c, .cb = cb, .data = data};
	return v;
}

static void verb_done(int result, const struct err *e, void *data)
{
	struct verb *v = data;

	v->cb(result, e, v->data);
	container_unlock(v->c);
	free(v);
}

static bool verb_gone(struct verb *v)
{
	struct err e = {0};

	if (!v->c->gone)
		return false;
	verb_done(err_not_found(&e, "No such container: %s", v->c->id), &e, v);
	return true;
}

static void stop_turn(struct container *c, void *data)
{
	struct verb *v = data;

	if (!verb_gone(v))
		stop_locked(c, v->signal, v->timeout_s, verb_done, v);
}

void engine_stop(struct container *c, int signal, int timeout_s, engine_cb cb, void *data)
{
	struct verb *v = verb_new(c, cb, data);

	if (!v)
		return;
	v->signal = signal;
	v->timeout_s = timeout_s;
	container_lock(c, stop_turn, v);
}

static void restart_started(int result, const struct err *e, void *data)
{
	struct verb *v = data;

	if (result >= 0)
		container_event(v->c, "restart", NULL, NULL);
	verb_done(result, e, v);
}

static void restart_stopped(int result, const struct err *e, void *data)
{
	struct verb *v = data;

	if (result < 0 && (!e || e->kind != ERR_NOT_MODIFIED)) {
		verb_done(result, e, v);
		return;
	}
	v->c->st.restart_count = 0;
	v->c->failures = 0;
	start_locked(v->c, restart_started, v);
}

static void restart_verb_turn(struct container *c, void *data)
{
	struct verb *v = data;

	if (!verb_gone(v))
		stop_locked(c, v->signal, v->timeout_s, restart_stopped, v);
}

void engine_restart(struct container *c, int signal, int timeout_s, engine_cb cb, void *data)
{
	struct verb *v = verb_new(c, cb, data);

	if (!v)
		return;
	v->signal = signal;
	v->timeout_s = timeout_s;
	container_lock(c, restart_verb_turn, v);
}

static void nobody_waits(int result, const struct err *e, void *data)
{
	(void)data;
	if (result < 0 && e && e->kind != ERR_NOT_MODIFIED && e->kind != ERR_NOT_FOUND)
		log_warn("a restarting container could not be killed error=%s", e->msg);
}

int engine_kill(struct container *c, int signal, struct err *e)
{
	int r;

	if (c->st.status == CONTAINER_RESTARTING) {
		/* no process yet; or one that is just being made, behind which this waits */
		engine_stop(c, SIGKILL, 0, nobody_waits, NULL);
		return 0;
	}
	if (c->st.status != CONTAINER_RUNNING)
		return err_conflict(e, "cannot kill container: %s: container %s is not running",
				    c->name, c->id);
	if (!signal)
		signal = SIGKILL;
	if (signal == SIGKILL || signal == stop_signal(c))
		c->st.manual_stop = true;
	r = rt_signal(c->en->runtime, c->id, signal);
	if (r < 0 && r != -ESRCH)
		return err_sys(e, -r, "cannot kill container: %s", c->name);
	kill_event(c, signal);
	/* as Docker: with a stop signal of its own, others wait until it goes on */
	if (signal == SIGKILL || signal == stop_signal(c) || !*js(c->config, "StopSignal"))
		container_thaw(c);
	return 0;
}

/* ---- remove ---- */

static void drop_anonymous(struct container *c)
{
	size_t i;
	json_t *m;

	json_array_foreach(c->mounts, i, m)
	{
		struct volume *v = streq(js(m, "Type"), "volume")
					   ? map_get(c->en->volumes, js(m, "Name"))
					   : NULL;
		struct err e = {0};

		if (v && v->anonymous && volume_refs_without(c->en, v, c) == 0 &&
		    volume_delete(c->en, v, &e) < 0)
			log_warn("an anonymous volume stays volume=%s error=%s", js(m, "Name"),
				 e.msg);
	}
}

int remove_finish(struct container *c, struct err *e)
{
	int r;

	endpoints_remove(c);
	mounts_release(c);
	storage_container_remove(c->en->storage, c->id);
	if (c->remove_volumes)
		drop_anonymous(c);
	/* the row last: as long as it is there, the next life comes back to all this */
	r = container_del(c->en->db, c->id, e);
	if (r < 0)
		return r;
	image_release(c->en->images, c->image_id);
	container_unlink(c);
	c->gone = true;
	return 0;
}

static void remove_now(struct verb *v)
{
	struct container *c = v->c;
	enum container_status before;
	struct err e = {0};
	int r;

	restart_cancel(c);
	before = c->st.status;
	c->st.status = CONTAINER_REMOVING;
	c->remove_volumes = v->volumes;
	r = container_save_state(
		c, &e); /* from here on the removal is finished, if need be by recovery */
	if (r < 0) {
		c->st.status = before;
		verb_done(r, &e, v);
		return;
	}
	attachments_leave(c);
	r = remove_finish(c, &e);
	if (r < 0) {
		c->st.status = CONTAINER_DEAD;
		verb_done(r, &e, v);
		return;
	}
	container_event(c, "destroy", NULL, NULL);
	container_notify(c, WAIT_REMOVED, NULL);
	verb_done(0, NULL, v);
}

static void killed(void *data)
{
	remove_now(data);
}

static void remove_turn(struct container *c, void *data)
{
	struct verb *v = data;
	struct err e = {0};
	int r;

	if (verb_gone(v))
		return;
	if (c->st.status == CONTAINER_RUNNING && c->st.paused && !v->force) {
		verb_done(err_conflict(&e,
				       "cannot remove container \"%s\": container is paused and "
				       "must be unpaused first",
				       c->name),
			  &e, v);
		return;
	}
	if (c->st.status == CONTAINER_RUNNING && !v->force) {
		verb_done(err_conflict(&e,
				       "cannot remove container \"%s\": container is running: stop "
				       "the container before "
				       "removing or force remove",
				       c->name),
			  &e, v);
		return;
	}
	if (c->st.status == CONTAINER_RESTARTING && !v->force) {
		verb_done(err_conflict(&e,
				       "cannot remove container \"%s\": container is restarting: "
				       "stop the container "
				       "before removing or force remove",
				       c->name),
			  &e, v);
		return;
	}
	if (c->st.status != CONTAINER_RUNNING && !c->cleaning) {
		remove_now(v);
		return;
	}
	v->hook = (struct stopped_hook){.fn = killed, .data = v};
	container_on_stopped(c, &v->hook);
	if (c->st.status != CONTAINER_RUNNING)
		return;
	c->st.manual_stop = true;
	r = rt_signal(c->en->runtime, c->id, SIGKILL);
	if (r >= 0)
		kill_event(c, SIGKILL);
	else if (r != -ESRCH)
		log_warn("SIGKILL failed container=%s error=%s", c->name, strerror(-r));
	container_thaw(c);
}

void engine_remove(struct container *c, bool force, bool volumes, engine_cb cb, void *data)
{
	struct verb *v = verb_new(c, cb, data);

	if (!v)
		return;
	v->force = force;
	v->volumes = volumes;
	container_lock(c, remove_turn, v);
}
