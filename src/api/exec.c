/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.c - /containers/{id}/exec and /exec/{id}/...: one more process in a container */

#include <stdlib.h>
#include <string.h>

#include "api/pump.h"
#include "base/str.h"

static int keys_ok(const json_t *body, struct err *e)
{
	struct detach unused;
	const char *keys;
	int r = json_get_str(body, "ExecConfig", "DetachKeys", &keys, e);

	if (r >= 0 && detach_parse(keys, &unused) < 0)
		return err_invalid(e, "Invalid escape keys (%s) provided", keys);
	return r;
}

void containers_exec(struct api_call *c)
{
	auto_buf struct buf out = BUF_INIT(4096);
	struct jsonw w = JSONW_INIT(&out);
	struct container *k;
	struct exec_info info;
	struct exec *x;
	struct err e = {0};
	int r = engine_find(c->en, c->params[0], &k, &e);

	if (r >= 0)
		r = keys_ok(c->body, &e);
	if (r >= 0)
		r = engine_exec_create(k, c->body, &x, &e);
	if (r < 0) {
		api_error(c, &e);
		return;
	}
	engine_exec_info(x, &info);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "Id", info.id);
	jsonw_end_object(&w);
	api_json(c, 201, &out);
}

/* ---- start ---- */

struct run {
	struct engine *en;
	char *container, *id;
	struct pump *pump;
	struct api_call *call; /* detached: not answered yet */
	unsigned rows, cols;
	bool started, pump_gone;
};

static void run_free(struct run *x)
{
	free(x->container);
	free(x->id);
	free(x);
}

static void pump_freed(void *data)
{
	struct run *x = data;

	x->pump_gone = true;
	x->pump = NULL;
	if (x->started) /* started() has been here */
		run_free(x);
}

static void detached(void *data)
{
	struct run *x = data;

	detach_event(x->en, x->container, x->id);
}

static void first_size(struct run *x)
{
	struct container *k;
	struct exec *ex;

	if (!x->rows || !x->cols || engine_find(x->en, x->container, &k, NULL) < 0 ||
	    engine_exec_find(x->en, x->id, &ex, NULL) < 0)
		return;
	if (engine_resize(k, ex, x->rows, x->cols, NULL) < 0)
		return; /* the client resizes again, as it does after each start */
}

static void started(int result, struct attachment *a, const struct err *e, void *data)
{
	struct run *x = data;

	x->started = true;
	if (x->call) { /* detached */
		if (result < 0)
			api_error(x->call, e);
		else
			api_empty(x->call, 200);
		run_free(x);
		return;
	}
	if (result >= 0)
		first_size(x);
	if (x->pump_gone) {
		if (a)
			attachment_close(a);
		run_free(x);
	} else if (result < 0) {
		pump_end(x->pump, e->msg);
	} else if (a) {
		pump_attached(x->pump, a);
	} else {
		pump_end(x->pump, NULL);
	}
}

/* A side of a terminal; what is none counts as not given. */
static unsigned side(const json_t *size, size_t i)
{
	json_int_t n = json_integer_value(json_array_get(size, i));

	return n > 0 && n <= UINT16_MAX ? (unsigned)n : 0;
}

static int read_body(const struct api_call *c, bool *detach, bool *tty, struct run *x,
		     struct err *e)
{
	static const char o[] = "ExecStartOptions";
	json_t *size = NULL;
	int r = json_get_bool(c->body, o, "Detach", detach, e);

	if (r >= 0)
		r = json_get_bool(c->body, o, "Tty", tty, e);
	if (r >= 0)
		r = json_get_arr(c->body, o, "ConsoleSize", &size, e);
	if (r >= 0 && json_array_size(size) == 2) {
		x->rows = side(size, 0);
		x->cols = side(size, 1);
	}
	return r;
}

static int make_pump(struct api_call *c, struct run *x, const struct exec_info *info, struct err *e)
{
	struct pump_config config = {.tty = info->tty,
				     .in = info->open_stdin,
				     .out = info->open_stdout,
				     .err = info->open_stderr && !info->tty,
				     .eof_ends = info->tty,
				     .detachable = info->tty && info->open_stdin,
				     .detached = detached,
				     .data = x,
				     .freed = pump_freed};

	if (detach_parse(info->detach_keys, &config.keys) < 0) /* looked at when it was made */
		return err_invalid(e, "Invalid escape keys (%s) provided", info->detach_keys);
	return pump_new(c, &config, &x->pump) < 0 ? err_nomem(e) : 0;
}

static void run_attached(struct api_call *c, struct exec *ex, struct run *x, bool tty)
{
	struct rt_attach_ops ops = pump_ops(x->pump);
	struct err e = {0};

	pump_expect(x->pump);
	if (engine_exec_start(ex, false, tty, &ops, started, x, &e) < 0) {
		x->started = true; /* the pump's end frees it */
		pump_free(x->pump);
		api_error(c, &e);
		return;
	}
	pump_answer(x->pump, c);
}

void exec_start(struct api_call *c)
{
	struct run *x = calloc(1, sizeof(*x));
	bool detach = false, tty = false;
	struct exec_info info;
	struct exec *ex = NULL;
	struct err e = {0};
	int r = x ? engine_exec_find(c->en, c->params[0], &ex, &e) : err_nomem(&e);

	if (r >= 0)
		r = read_body(c, &detach, &tty, x, &e);
	if (r >= 0) {
		engine_exec_info(ex, &info);
		x->en = c->en;
		x->id = strdup(info.id);
		x->container = strdup(info.container_id);
		if (!x->id || !x->container)
			r = err_nomem(&e);
	}
	if (r >= 0 && !detach)
		r = make_pump(c, x, &info, &e);
	if (r >= 0 && !detach) {
		run_attached(c, ex, x, tty);
		return;
	}
	if (r >= 0) {
		x->call = c;
		r = engine_exec_start(ex, true, tty, NULL, started, x, &e);
		if (r >= 0)
			return;
	}
	if (x)
		run_free(x);
	api_error(c, &e);
}

/* ---- inspect, resize ---- */

static void process_config(struct jsonw *w, const struct exec_info *x)
{
	jsonw_object(w, "ProcessConfig");
	jsonw_bool(w, "tty", x->tty);
	jsonw_str(w, "entrypoint", x->args && x->args[0] ? x->args[0] : "");
	jsonw_strv(w, "arguments", x->args && x->args[0] ? x->args + 1 : NULL);
	jsonw_bool(w, "privileged", x->privileged);
	if (!str_empty(x->user))
		jsonw_str(w, "user", x->user);
	jsonw_end_object(w);
}

void exec_inspect(struct api_call *c)
{
	auto_buf struct buf out = BUF_INIT(1u << 20);
	struct jsonw w = JSONW_INIT(&out);
	struct exec_info x;
	struct exec *ex;
	struct err e = {0};

	if (engine_exec_find(c->en, c->params[0], &ex, &e) < 0) {
		api_error(c, &e);
		return;
	}
	engine_exec_info(ex, &x);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "ID", x.id);
	jsonw_bool(&w, "Running", x.running);
	if (x.running || !x.started)
		jsonw_null(&w, "ExitCode");
	else
		jsonw_i64(&w, "ExitCode", x.exit_code);
	process_config(&w, &x);
	jsonw_bool(&w, "OpenStdin", x.open_stdin);
	jsonw_bool(&w, "OpenStderr", x.open_stderr);
	jsonw_bool(&w, "OpenStdout", x.open_stdout);
	jsonw_bool(&w, "CanRemove", !x.running && x.started);
	jsonw_str(&w, "ContainerID", x.container_id);
	jsonw_str(&w, "DetachKeys", "");
	jsonw_i64(&w, "Pid", x.pid);
	jsonw_end_object(&w);
	api_json(c, 200, &out);
}

static int size_of(const struct api_call *c, unsigned *rows, unsigned *cols, struct err *e)
{
	int64_t h, w;
	int r = api_query_i64(c, "h", 0, &h, e);

	if (r >= 0)
		r = api_query_i64(c, "w", 0, &w, e);
	if (r < 0)
		return r;
	if (h < 0 || w < 0 || h > UINT16_MAX || w > UINT16_MAX)
		return err_invalid(e, "a terminal of %lld rows and %lld columns is not possible",
				   (long long)h, (long long)w);
	*rows = (unsigned)h;
	*cols = (unsigned)w;
	return 0;
}

void containers_resize(struct api_call *c)
{
	unsigned rows = 0, cols = 0;
	struct container *k;
	struct err e = {0};
	int r = engine_find(c->en, c->params[0], &k, &e);

	if (r >= 0)
		r = size_of(c, &rows, &cols, &e);
	if (r >= 0)
		r = engine_resize(k, NULL, rows, cols, &e);
	if (r < 0)
		api_error(c, &e);
	else
		api_empty(c, 200);
}

void exec_resize(struct api_call *c)
{
	unsigned rows = 0, cols = 0;
	struct exec_info info;
	struct container *k;
	struct exec *ex;
	struct err e = {0};
	int r = engine_exec_find(c->en, c->params[0], &ex, &e);

	if (r >= 0) {
		engine_exec_info(ex, &info);
		r = engine_find(c->en, info.container_id, &k, &e);
	}
	if (r >= 0)
		r = size_of(c, &rows, &cols, &e);
	if (r >= 0)
		r = engine_resize(k, ex, rows, cols, &e);
	if (r < 0)
		api_error(c, &e);
	else
		api_empty(c, 200);
}
