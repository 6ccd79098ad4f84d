/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start.c - starting a container: a step list under the container's turn
 *
 *   claim    the store says "starting": what a death leaves half-made is undone at the next start
 *   mount    the root file system (overlay)
 *   mounts   what the mounts need outside of it (mounted.c); taken back with the claim
 *   volumes  empty volumes get the image's content (jobs, one after the other)
 *   network  namespace, links, names, ports: net/
 *   files    hosts, hostname, resolv.conf
 *   spec     config.json
 *   create   the shim and the runtime: the process exists, stopped before its first instruction
 *   attach   clients that attached before get their streams: no byte is lost
 *   start    the process runs
 *   commit   the store says "running"
 *
 * A process that ends before the commit is remembered (early_exit) and told after it.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "engine/logging.h"
#include "engine/mounts.h"

struct start {
	struct container *c;
	struct steps *steps;
	engine_cb cb;
	void *data;
	enum container_status before;
	struct stopped_hook deleted;
};

static void step_result(int result, const struct err *e, void *data)
{
	struct start *s = data;

	steps_resume(s->steps, result, e);
}

/* ---- claim ---- */

static int do_claim(struct steps *st, void *ctx, struct err *e)
{
	struct container *c = ((struct start *)ctx)->c;

	((struct start *)ctx)->steps = st;
	c->starting = true;
	c->early_exit = false;
	c->st.pid = 0;
	return container_save_state(c, e);
}

static int undo_claim(struct steps *st, void *ctx)
{
	struct container *c = ((struct start *)ctx)->c;

	(void)st;
	c->starting = false;
	c->early_exit = false;
	c->st.pid = 0;
	mounts_release(c); /* only now: who starts uses its volumes */
	return container_save_state(c, NULL);
}

/* ---- mount ---- */

static int do_mount(struct steps *st, void *ctx, struct err *e)
{
	(void)st;
	return rootfs_mount(((struct start *)ctx)->c, e);
}

static int undo_mount(struct steps *st, void *ctx)
{
	struct container *c = ((struct start *)ctx)->c;

	(void)st;
	return rootfs_unmount(c);
}

static int do_mounts(struct steps *st, void *ctx, struct err *e)
{
	(void)st;
	return mounts_prepare(((struct start *)ctx)->c, step_result, ctx, e);
}

/* ---- volumes ---- */

static int do_volumes(struct steps *st, void *ctx, struct err *e)
{
	struct start *s = ctx;

	(void)st;
	(void)e;
	rootfs_fill_volumes(s->c, step_result, s);
	return STEP_WAIT;
}

/* ---- network ---- */

static json_t *net_sysctls(const struct container *c)
{
	json_t *all = jo(c->host_config, "Sysctls"), *out = NULL, *v;
	const char *key;

	json_object_foreach(all, key, v) if (str_has_prefix(key, "net."))
	{
		out = out ? out : json_object();
		(void)json_object_set(out, key, v);
	}
	return out;
}

static int start_sandbox(struct container *c, struct err *e)
{
	auto_strv char **dns = jstrv(c->host_config, "Dns");
	auto_strv char **search = jstrv(c->host_config, "DnsSearch");
	auto_strv char **opts = jstrv(c->host_config, "DnsOptions");
	auto_json json_t *sysctls = net_sysctls(c);
	struct sandbox_spec spec = {.container_id = c->id,
				    .container_name = c->name,
				    .dns = dns,
				    .dns_search = search,
				    .dns_opts = opts,
				    .sysctls = sysctls,
				    .host_userns = !remapped(c)};
	struct net_publish *publish = NULL;
	struct sandbox *sb;
	int r = publish_collect(c, &publish, &spec.n_publish, e);

	if (r < 0)
		return r;
	spec.publish = publish;
	r = net_sandbox_start(c->en->net, &spec, &sb, e);
	free(publish);
	return r;
}

static int do_network(struct steps *st, void *ctx, struct err *e)
{
	struct container *c = ((struct start *)ctx)->c;
	const char *mode = container_network_mode(c);
	struct container *peer = container_netns_peer(c);
	int r;

	(void)st;
	if (str_has_prefix(mode, "container:")) {
		if (!peer)
			return err_not_found(e, "No such container: %s",
					     mode + strlen("container:"));
		if (peer->st.status != CONTAINER_RUNNING)
			return err_conflict(e,
					    "cannot join network namespace of a non running "
					    "container: container "
					    "%s is %s",
					    peer->name, container_status_name(peer->st.status));
		return remap_join_check(c, peer, "network", e);
	}
	r = endpoints_ensure(c, e);
	if (r >= 0 && !streq(mode, "host"))
		r = start_sandbox(c, e);
	return r < 0 ? err_wrap(e, "failed to set up container networking") : r;
}

static int undo_network(struct steps *st, void *ctx)
{
	struct container *c = ((struct start *)ctx)->c;

	(void)st;
	net_sandbox_stop(c->en->net, c->id);
	return 0;
}

static int do_files(struct steps *st, void *ctx, struct err *e)
{
	(void)st;
	return files_write(((struct start *)ctx)->c, e);
}

/* ---- create, attach, start ---- */

static int do_spec(struct steps *st, void *ctx, struct err *e)
{
	(void)st;
	return spec_write(((struct start *)ctx)->c, e);
}

static void created(int pid_or_err, const struct err *e, void *data)
{
	struct start *s = data;

	if (pid_or_err > 0)
		s->c->st.pid = pid_or_err;
	step_result(pid_or_err < 0 ? pid_or_err : 0, e, s);
}

static int do_create(struct steps *st, void *ctx, struct err *e)
{
	struct container *c = ((struct start *)ctx)->c;
	struct logging log;
	struct rt_create rc = {.id = c->id,
			       .tty = jb(c->config, "Tty"),
			       .open_stdin = jb(c->config, "OpenStdin"),
			       .stdin_once = jb(c->config, "StdinOnce")};
	int r = logging_open(c, &log, e);

	(void)st;
	if (r < 0)
		return r;
	rc.log = log.log;
	r = rt_create(c->en->runtime, &rc, created, ctx, e);
	logging_done(&log);
	return r < 0 ? r : STEP_WAIT;
}

static void deleted(int result, void *data)
{
	struct start *s = data;

	if (result < 0)
		log_warn("the runtime could not be cleaned up container=%s error=%s", s->c->id,
			 strerror(-result));
	steps_resume(s->steps, 0, NULL);
}

static int undo_create(struct steps *st, void *ctx)
{
	struct start *s = ctx;
	int r = rt_delete(s->c->en->runtime, s->c->id, deleted, s);

	(void)st;
	return r < 0 ? r : STEP_WAIT;
}

static int do_attach(struct steps *st, void *ctx, struct err *e)
{
	(void)st;
	return attachments_open(((struct start *)ctx)->c, e);
}

static int do_start(struct steps *st, void *ctx, struct err *e)
{
	struct start *s = ctx;
	int r;

	(void)st;
	s->c->st.started_ns = clock_real_ns();
	r = rt_start(s->c->en->runtime, s->c->id, step_result, s, e);
	return r < 0 ? r : STEP_WAIT;
}

/* ---- commit ---- */

static int do_commit(struct steps *st, void *ctx, struct err *e)
{
	struct container *c = ((struct start *)ctx)->c;
	struct container_state old = c->st;
	int r;

	(void)st;
	c->st.status = CONTAINER_RUNNING;
	c->starting = false;
	c->st.exit_code = 0;
	c->st.oom_killed = false;
	c->st.manual_stop = false;
	c->st.error = NULL;
	c->st.paused = false;
	health_reset(c);
	r = container_save_state(c, e);
	if (r < 0) {
		c->st = old;
		c->starting = true;
		return r;
	}
	free(old.error);
	return 0;
}

static const struct step start_steps[] = {
	{"claim", do_claim, undo_claim},
	{"mount", do_mount, undo_mount},
	{"mounts", do_mounts, NULL},
	{"volumes", do_volumes, NULL},
	{"network", do_network, undo_network},
	{"files", do_files, NULL},
	{"spec", do_spec, NULL},
	{"create", do_create, undo_create},
	{"attach", do_attach, NULL},
	{"start", do_start, NULL},
	{"commit", do_commit, NULL},
};

/* What a shell would say of a command that cannot be run; 128 for all else. */
static int failed_code(const char *text)
{
	if (strstr(text, "executable file not found") || strstr(text, "no such file or directory"))
		return 127;
	return strstr(text, "permission denied") || strstr(text, "is a directory") ? 126 : 128;
}

static void removed_itself(int result, const struct err *e, void *data)
{
	(void)data;
	if (result < 0 && e && e->kind != ERR_NOT_FOUND)
		log_warn("automatic removal failed error=%s", e->msg);
}

static void failed(struct container *c, int result, const struct err *e)
{
	(void)str_set(&c->st.error, e ? e->msg : strerror(-result));
	if (c->st.status != CONTAINER_RESTARTING)
		c->st.exit_code = failed_code(c->st.error ? c->st.error : "");
	(void)container_save_state(c, NULL); /* the error text is a courtesy */
	attachments_drop(&c->attachments);
	container_notify(c, WAIT_NEXT_EXIT, c->st.error);
	log_info("start failed container=%s error=%s", c->name, c->st.error ? c->st.error : "");
	if (jb(c->host_config, "AutoRemove") && !c->en->closing)
		engine_remove(c, true, true, removed_itself, NULL); /* its turn comes after ours */
}

static void finished(int result, const struct err *e, void *ctx)
{
	struct start *s = ctx;
	struct container *c = s->c;
	engine_cb cb = s->cb;
	void *data = s->data;

	free(s);
	if (result < 0) {
		failed(c, result, e);
		cb(result, e, data);
		return;
	}
	container_network_events(c, "connect");
	links_changed(c);
	container_event(c, "start", NULL, NULL);
	health_watch(c);
	oom_watch(c);
	cb(0, NULL, data);
	if (c->early_exit)
		container_exited(c, c->early_code, c->early_oom, c->early_ns);
}

static void run(void *data)
{
	static const struct steps_def def = {"start", start_steps, ARRAY_SIZE(start_steps)};
	struct start *s = data;
	struct err e = {0};
	int r = steps_run(s->c->en->loop, &def, s, finished, &s->steps);

	if (r < 0) {
		(void)err_nomem(&e);
		finished(r, &e, s);
	}
}

void start_locked(struct container *c, engine_cb cb, void *data)
{
	struct start *s;
	struct err e = {0};

	if (c->gone || c->st.status == CONTAINER_REMOVING) {
		cb(err_conflict(&e, "container is marked for removal and cannot be started"), &e,
		   data);
		return;
	}
	if (c->st.status == CONTAINER_RUNNING && c->st.paused) {
		cb(err_conflict(&e, "cannot start a paused container, try unpause instead"), &e,
		   data);
		return;
	}
	if (c->st.status == CONTAINER_RUNNING) {
		cb(err_set(&e, ERR_NOT_MODIFIED, EALREADY, "container already started"), &e, data);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		cb(err_nomem(&e), &e, data);
		return;
	}
	*s = (struct start){.c = c, .cb = cb, .data = data, .before = c->st.status};
	if (!c->cleaning) {
		run(s);
		return;
	}
	s->deleted.fn = run; /* the last life's leftovers first */
	s->deleted.data = s;
	container_on_stopped(c, &s->deleted);
}

/* ---- the public verb: take the turn, start, give it back ---- */

struct verb {
	engine_cb cb;
	void *data;
	struct container *c;
};

static void verb_done(int result, const struct err *e, void *data)
{
	struct verb *v = data;

	v->cb(result, e, v->data);
	container_unlock(v->c);
	free(v);
}

static void verb_turn(struct container *c, void *data)
{
	rt_warm(c->en->runtime, c->en->jobs);
	restart_cancel(c);
	c->failures = 0;
	if (c->st.status != CONTAINER_RUNNING)
		c->st.restart_count = 0; /* stored with the start */
	start_locked(c, verb_done, data);
}

void engine_start(struct container *c, engine_cb cb, void *data)
{
	struct verb *v = calloc(1, sizeof(*v));
	struct err e = {0};

	if (!v) {
		cb(err_nomem(&e), &e, data);
		return;
	}
	*v = (struct verb){cb, data, c};
	container_lock(c, verb_turn, v);
}
