/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.c - further processes in a running container */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/rand.h"
#include "base/str.h"
#include "engine/life_internal.h"

#define EXECS_KEPT     256 /* ended ones a container remembers for inspect */
#define EXEC_EVENT_MAX (1u << 20)

struct exec {
	struct list node;
	struct engine *en;
	struct container *c; /* NULL once it is dropped */
	char id[ID_LEN + 1];
	char **args, **env;
	char *user, *cwd, *detach_keys;
	bool tty, in, out, err, privileged;
	bool started, running, dropped;
	bool starting; /* @cb is still to come */
	int exit_code, pid;
	struct attachment *attachment; /* until it is ready */
	void (*cb)(int result, struct attachment *a, const struct err *e, void *data);
	void *data;
	void (*ended)(int exit_code, void *data); /* of one of the engine's own; NULL: told */
	void *ended_data;
	bool own; /* nobody asks for it later: it is forgotten at its end */
};

static void exec_free(struct exec *x)
{
	if (!x)
		return;
	list_remove(&x->node);
	strv_free(x->args);
	strv_free(x->env);
	free(x->user);
	free(x->cwd);
	free(x->detach_keys);
	free(x);
}
DEFINE_AUTO(struct exec, exec_free);

/* The engine ends before the runtime has answered. */
static void start_given_up(struct exec *x)
{
	struct err e = {0};
	int r = err_set(&e, ERR_UNAVAILABLE, ECANCELED, "the engine ends");

	if (x->attachment)
		attachment_discard(TAKE_PTR(x->attachment));
	x->cb(r, NULL, &e, x->data);
}

static void tell_end(struct exec *x, int exit_code)
{
	void (*ended)(int exit_code, void *data) = x->ended;

	x->ended = NULL;
	if (ended)
		ended(exit_code, x->ended_data);
}

/* An exec whose process still runs is freed when the runtime reports its end, which it does not
 * when all is being closed. */
static void forget(struct exec *x)
{
	bool awaited = x->running && !(x->c && x->c->en->closing);

	if (x->c)
		(void)map_del(x->c->en->execs, x->id);
	list_remove(&x->node);
	x->dropped = true;
	x->c = NULL;
	if (!awaited) {
		if (x->starting)
			start_given_up(x);
		else
			tell_end(x, -1);
		exec_free(x);
	}
}

void exec_on_end(struct exec *x, void (*ended)(int exit_code, void *data), void *data)
{
	x->ended = ended;
	x->ended_data = data;
	x->own = true;
}

void exec_forget(struct exec *x)
{
	x->ended = NULL;
	forget(x);
}

int exec_pid(const struct exec *x)
{
	return x->pid;
}

void execs_drop(struct container *c)
{
	while (!list_empty(&c->execs))
		forget(list_entry(c->execs.next, struct exec, node));
}

static void trim(struct container *c)
{
	struct exec *x;
	unsigned ended = 0;

	list_for_each (x, &c->execs, node)
		ended += x->started && !x->running;
	list_for_each (x, &c->execs, node)
		if (ended > EXECS_KEPT && x->started && !x->running) {
			forget(x);
			ended--;
		}
}

static int parse(struct exec *x, const json_t *body, struct err *e)
{
	static const char o[] = "ExecConfig";
	const char *user, *cwd, *keys;
	int r = json_get_strv(body, o, "Cmd", true, &x->args, e);

	if (r >= 0)
		r = json_get_strv(body, o, "Env", false, &x->env, e);
	if (r >= 0)
		r = json_get_str(body, o, "User", &user, e);
	if (r >= 0)
		r = json_get_str(body, o, "WorkingDir", &cwd, e);
	if (r >= 0)
		r = json_get_str(body, o, "DetachKeys", &keys, e);
	if (r >= 0)
		r = json_get_bool(body, o, "Tty", &x->tty, e);
	if (r >= 0)
		r = json_get_bool(body, o, "AttachStdin", &x->in, e);
	if (r >= 0)
		r = json_get_bool(body, o, "AttachStdout", &x->out, e);
	if (r >= 0)
		r = json_get_bool(body, o, "AttachStderr", &x->err, e);
	if (r >= 0)
		r = json_get_bool(body, o, "Privileged", &x->privileged, e);
	if (r < 0)
		return r;
	if (!x->args)
		return err_invalid(e, "No exec command specified");
	if (str_set(&x->user, str_empty(user) ? NULL : user) < 0 ||
	    str_set(&x->cwd, str_empty(cwd) ? NULL : cwd) < 0 ||
	    str_set(&x->detach_keys, str_empty(keys) ? NULL : keys) < 0)
		return err_nomem(e);
	return 0;
}

static int running(const struct container *c, struct err *e)
{
	if (c->st.status == CONTAINER_RUNNING)
		return 0;
	if (c->st.status == CONTAINER_RESTARTING)
		return err_conflict(
			e, "Container %s is restarting, wait until the container is running",
			c->id);
	return err_conflict(e, "container %s is not running", c->id);
}

static int active(const struct container *c, struct err *e)
{
	int r = running(c, e);

	if (r >= 0 && c->st.paused)
		return err_conflict(e, "Container %s is paused, unpause the container before exec",
				    c->name);
	return r;
}

/* As Docker: "exec_create: sh -c x", the program alone with a blank behind it. */
static void exec_event(const struct exec *x, const char *what)
{
	auto_buf struct buf action = BUF_INIT(EXEC_EVENT_MAX);

	(void)buf_printf(&action, "%s: %s ", what, x->args[0]);
	for (char **a = x->args + 1; *a; a++)
		(void)buf_printf(&action, "%s%s", *a, a[1] ? " " : "");
	container_event(x->c, buf_err(&action) ? what : buf_str(&action), "execID", x->id);
}

int engine_exec_create(struct container *c, json_t *body, struct exec **ret, struct err *e)
{
	auto_(exec_free) struct exec *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_nomem(e);
	r = active(c, e);
	if (r >= 0)
		r = parse(x, body, e);
	if (r < 0)
		return r;
	rt_warm(c->en->runtime, c->en->jobs); /* its start is likely to follow */
	rand_id(x->id);
	x->c = c;
	x->en = c->en;
	if (map_put(c->en->execs, x->id, x) < 0)
		return err_nomem(e);
	trim(c);
	list_append(&c->execs, &x->node);
	*ret = x;
	exec_event(x, "exec_create");
	x = NULL;
	return 0;
}

int engine_exec_find(struct engine *en, const char *id, struct exec **ret, struct err *e)
{
	struct exec *x = map_get(en->execs, id);

	if (!x)
		return err_not_found(e, "No such exec instance: %s", id);
	*ret = x;
	return 0;
}

static void exec_started(int pid_or_err, struct rt_attach *rt, const struct err *e, void *data)
{
	struct exec *x = data;
	struct attachment *a = TAKE_PTR(x->attachment);
	struct err mine = {0};

	x->starting = false;
	if (pid_or_err < 0) {
		x->running = false;
		x->exit_code = e && strstr(e->msg, "permission denied") ? 126 : 127;
		if (a)
			attachment_discard(a);
		if (e)
			mine = *e;
		x->cb(pid_or_err, NULL, &mine, x->data);
		if (x->dropped)
			exec_free(x);
		else if (x->own)
			exec_forget(x);
		return;
	}
	x->pid = pid_or_err;
	if (a && x->en->closing) { /* the clients' side is closed already: nobody is there */
		rt_attach_close(rt);
		attachment_discard(TAKE_PTR(a));
	}
	if (a)
		attachment_ready(a, rt); /* before the callback, which may close it */
	x->cb(0, a, NULL, x->data);
}

static void exec_ended(int exit_code, void *data)
{
	struct exec *x = data;
	char text[12];

	x->running = false;
	x->exit_code = exit_code;
	x->pid = 0;
	(void)snprintf(text, sizeof(text), "%d", exit_code);
	if (!x->dropped)
		container_event_more(x->c, "exec_die",
				     json_pack("{s:s, s:s}", "execID", x->id, "exitCode", text));
	tell_end(x, exit_code);
	if (x->dropped)
		exec_free(x);
	else if (x->own)
		forget(x);
}

/* The container's variables, then the exec's own over them. */
static int merged_env(const struct exec *x, char ***ret)
{
	auto_strv char **base = jstrv(x->c->config, "Env");
	auto_strv char **all = NULL;
	int r = 0;

	for (size_t i = 0; r >= 0 && base && base[i]; i++) {
		size_t len = strcspn(base[i], "=");
		bool over = false;

		for (size_t k = 0; x->env && x->env[k]; k++)
			over = over || (strcspn(x->env[k], "=") == len &&
					!strncmp(x->env[k], base[i], len));
		if (!over)
			r = strv_add(&all, base[i]);
	}
	for (size_t k = 0; r >= 0 && x->env && x->env[k]; k++)
		r = strv_add(&all, x->env[k]);
	if (r >= 0 && !str_empty(js(x->c->config, "Hostname")))
		r = strv_addf(&all, "HOSTNAME=%s", js(x->c->config, "Hostname"));
	if (r >= 0 && x->tty)
		r = strv_add(&all, "TERM=xterm");
	if (r >= 0)
		*ret = TAKE_PTR(all);
	return r < 0 ? r : 0;
}

static bool has_path(char *const *env)
{
	for (; env && *env; env++)
		if (str_has_prefix(*env, "PATH="))
			return true;
	return false;
}

int engine_exec_start(struct exec *x, bool detach, bool tty, const struct rt_attach_ops *ops,
		      void (*cb)(int result, struct attachment *a, const struct err *e, void *data),
		      void *data, struct err *e)
{
	struct rt_attach_ops relay;
	auto_strv char **env = NULL;
	struct rt_exec rx;
	int r = active(x->c, e);

	(void)tty; /* the exec's own Tty decides, as in Docker */
	if (r < 0)
		return r;
	if (x->running)
		return err_conflict(e, "exec %s is already running", x->id);
	if (x->started)
		return err_conflict(e, "exec %s has already run", x->id);
	if (merged_env(x, &env) < 0 ||
	    (!has_path(env) &&
	     strv_add(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") <
		     0))
		return err_nomem(e);
	if (!detach && ops) {
		relay = attachment_for_exec(x->c, ops, &x->attachment);
		if (!x->attachment)
			return err_nomem(e);
	}
	rx = (struct rt_exec){.id = x->c->id,
			      .exec_id = x->id,
			      .args = x->args,
			      .env = env,
			      .user = x->user,
			      .cwd = x->cwd,
			      .tty = x->tty,
			      .open_stdin = x->in && !detach,
			      .privileged = x->privileged};
	if (!rx.user && *js(x->c->config, "User"))
		rx.user = js(x->c->config, "User");
	if (!rx.cwd && *js(x->c->config, "WorkingDir"))
		rx.cwd = js(x->c->config, "WorkingDir");
	rt_warm(x->c->en->runtime, x->c->en->jobs);
	x->cb = cb;
	x->data = data;
	x->started = x->running = x->starting = true;
	r = rt_exec_start(x->c->en->runtime, &rx, x->attachment ? &relay : NULL, exec_started,
			  exec_ended, x, e);
	if (r < 0) {
		x->running = x->starting = false;
		if (x->attachment)
			attachment_discard(TAKE_PTR(x->attachment));
		return r;
	}
	exec_event(x, "exec_start");
	return 0;
}

void engine_exec_info(const struct exec *x, struct exec_info *ret)
{
	*ret = (struct exec_info){.id = x->id,
				  .container_id = x->c->id,
				  .running = x->running,
				  .started = x->started,
				  .tty = x->tty,
				  .open_stdin = x->in,
				  .open_stdout = x->out,
				  .open_stderr = x->err,
				  .privileged = x->privileged,
				  .exit_code = x->exit_code,
				  .pid = x->pid,
				  .user = x->user,
				  .detach_keys = x->detach_keys,
				  .args = x->args};
}

struct exec *container_exec_next(struct container *c, struct exec *prev)
{
	struct list *n = prev ? prev->node.next : c->execs.next;

	return !n || n == &c->execs ? NULL : list_entry(n, struct exec, node);
}

static void resize_event(struct container *c, unsigned rows, unsigned cols)
{
	char height[12], width[12];

	(void)snprintf(height, sizeof(height), "%u", rows);
	(void)snprintf(width, sizeof(width), "%u", cols);
	container_event_more(c, "resize",
			     json_pack("{s:s, s:s}", "height", height, "width", width));
}

int engine_resize(struct container *c, struct exec *x, unsigned rows, unsigned cols, struct err *e)
{
	int r = running(c, e);

	if (r < 0)
		return r;
	if (x && !x->running)
		return err_conflict(e, "exec %s is not running", x->id);
	r = rt_resize(c->en->runtime, c->id, x ? x->id : NULL, rows, cols);
	if (r >= 0 && !x)
		resize_event(c, rows, cols);
	return r < 0 ? err_sys(e, -r, "cannot resize the terminal of container %s", c->id) : 0;
}
