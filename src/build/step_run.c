/* SPDX-License-Identifier: GPL-2.0-or-later */
/* step_run.c - RUN: a container of the engine, its output, its end, its changes as the next image
 */

#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "build/internal.h"

static struct container *find_container(const struct build *b)
{
	struct container *c;

	return *b->container && engine_find(b->bd->en, b->container, &c, NULL) >= 0 ? c : NULL;
}

/* ---- the container's end ---- */

static char *command_text(const struct build *b)
{
	auto_strv char **v = NULL;
	struct buf text = BUF_INIT(1u << 20);

	if (runconfig_command(b->config, b->words, b->now->json, &v) < 0)
		return NULL;
	for (size_t i = 0; v && v[i]; i++)
		(void)buf_printf(&text, "%s%s", i ? " " : "", v[i]);
	return buf_take(&text);
}

static void failed(struct build *b)
{
	auto_free char *text = command_text(b);
	struct err e = {0};

	b->code = b->exit_code;
	(void)err_set(&e, ERR_INTERNAL, EIO, "The command '%.900s' returned a non-zero code: %d",
		      text ? text : "", b->exit_code);
	flow_fail(b, &e);
}

static void commit(struct build *b)
{
	struct container *c = find_container(b);
	char dir[4096];
	auto_free char *upper = NULL;
	struct err e = {0};

	if (!c) {
		(void)err_not_found(&e, "No such container: %s", b->container);
		flow_fail(b, &e);
		return;
	}
	upper = str_printf("%s/upper", container_dir(c, dir, sizeof(dir)));
	if (!upper) {
		(void)err_nomem(&e);
		flow_fail(b, &e);
		return;
	}
	commit_step(b, upper, flow_step_done);
}

/* All three have come: the answer of the start, the exit, the end of the output. */
static void check_end(struct build *b)
{
	if (b->starting || b->output_open || !b->exited || flow_back(b))
		return;
	if (b->exit_code)
		failed(b);
	else
		commit(b);
}

/* ---- what the container tells ---- */

static int on_output(int stream, const char *data, size_t len, void *d)
{
	struct build *b = d;

	(void)stream;
	if (b->o.quiet || atomic_load(&b->cancelled))
		return 0;
	b->paused = b->ops.text(data, len, b->ops.data) != 0;
	return b->paused;
}

static void on_closed(void *d)
{
	struct build *b = d;

	b->attached = NULL;
	b->paused = b->output_open = false;
	check_end(b);
}

static void on_exit_code(int code, const char *error, void *d)
{
	struct build *b = d;

	(void)error;
	b->wait = NULL;
	b->exited = true;
	b->exit_code = code;
	check_end(b);
}

void run_resume(struct build *b)
{
	if (!b->paused || !b->attached)
		return;
	b->paused = false;
	attachment_resume(b->attached);
}

static void kill_it(struct build *b)
{
	struct container *c = find_container(b);
	struct err e = {0};

	if (c && container_running(c) && engine_kill(c, SIGKILL, &e) < 0)
		log_warn("a cancelled build's container goes on container=%.12s error=%s",
			 b->container, e.msg);
}

void run_cancel(struct build *b)
{
	if (*b->container && !b->starting && !b->exited)
		kill_it(b);
	run_resume(b);
}

static void stop_listening(struct build *b)
{
	engine_wait_cancel(b->wait);
	b->wait = NULL;
	if (b->attached)
		attachment_close(b->attached);
	b->attached = NULL;
	b->output_open = false;
}

static void started(int result, const struct err *e, void *d)
{
	struct build *b = d;

	b->starting = false;
	if (result >= 0) {
		if (atomic_load(&b->cancelled) && b->bd)
			kill_it(b);
		check_end(b);
		return;
	}
	if (b->bd)
		stop_listening(b);
	if (!flow_back(b))
		flow_fail(b, e);
}

/* ---- the container's begin ---- */

static json_t *make_body(struct build *b, char *const *command, char *const *pairs)
{
	/* an entrypoint of one empty word: none, whatever the image has */
	return json_pack("{s:s,s:o,s:o,s:[s],s:{s:[s]},s:O}", "Image", b->image, "Cmd",
			 json_strings(command), "Env", json_strings(pairs), "Entrypoint", "",
			 "Healthcheck", "Test", "NONE", "HostConfig", b->o.host);
}

static int create(struct build *b, char *const *command, char *const *pairs, struct err *e)
{
	auto_json json_t *body = make_body(b, command, pairs);
	auto_strv char **warnings = NULL;
	struct container *c;
	int r = body ? engine_create(b->bd->en, NULL, body, &c, &warnings, e)
		     : err_invalid(e, "the command is not valid UTF-8");

	if (r < 0)
		return r;
	(void)snprintf(b->container, sizeof(b->container), "%s", container_id(c));
	for (char **w = warnings; w && *w; w++)
		flow_printf(b, " ---> [Warning] %s\n", *w);
	flow_printf(b, " ---> Running in %.12s\n", b->container);
	return 0;
}

static void start(struct build *b)
{
	const struct rt_attach_ops ops = {.output = on_output, .closed = on_closed, .data = b};
	struct container *c = find_container(b);
	struct err e = {0};
	int r = c ? engine_attach(c, &ops, &b->attached, &e) : err_nomem(&e);

	b->exited = false;
	b->output_open = r >= 0;
	if (r >= 0 && engine_wait(c, WAIT_NEXT_EXIT, on_exit_code, b, &b->wait) < 0)
		r = err_nomem(&e);
	if (r < 0) {
		stop_listening(b);
		flow_fail(b, &e);
		return;
	}
	b->starting = b->awaiting = true;
	engine_start(c, started, b);
}

void step_run(struct build *b)
{
	auto_strv char **command = NULL, **pairs = NULL;
	struct err e = {0};

	if (!*b->image) {
		(void)err_invalid(&e,
				  "RUN needs an image: exec: \"%.100s\": stat %.100s: no such "
				  "file or directory",
				  b->now->json ? b->words[0] : "/bin/sh",
				  b->now->json ? b->words[0] : "/bin/sh");
		flow_fail(b, &e);
		return;
	}
	if (runconfig_command(b->config, b->words, b->now->json, &command) < 0 ||
	    args_list(&b->args, json_object_get(b->config, "Env"), &pairs) < 0 ||
	    !(b->key = runconfig_key_run(b->config, &b->args, command, pairs))) {
		(void)err_nomem(&e);
		flow_fail(b, &e);
		return;
	}
	if (cache_probe(b))
		return;
	if (create(b, command, pairs, &e) < 0)
		flow_fail(b, &e);
	else
		start(b);
}

/* ---- what is left of it ---- */

static void removed(int result, const struct err *e, void *d)
{
	struct build *b = d;
	void (*then)(struct build * b) = b->then;

	b->awaiting = false;
	if (!b->bd) {
		build_end(b);
		return;
	}
	if (result >= 0)
		flow_printf(b, " ---> Removed intermediate container %.12s\n", b->container);
	else
		flow_printf(b, "Error removing intermediate container %.12s: %s\n", b->container,
			    e ? e->msg : "");
	b->container[0] = '\0';
	b->then = NULL;
	then(b);
}

void run_cleanup(struct build *b, bool has_failed, void (*then)(struct build *b))
{
	struct container *c = find_container(b);
	bool wanted = atomic_load(&b->cancelled) || (has_failed ? b->o.force_remove : b->o.remove);

	if (!c || !wanted) {
		b->container[0] = '\0';
		then(b);
		return;
	}
	b->then = then;
	b->awaiting = true;
	engine_remove(c, true, true, removed, b);
}
