/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.c - POST /containers/{id}/attach: a client on a container's streams
 *
 * stream=1 (also before the container runs) gives the live streams. With logs=1 as well all output
 * comes from the log, first what is there and then as it grows, until the container ends: so no
 * byte is lost or doubled where one goes over into the other; the attachment then carries only the
 * input, and sees to it that unfinished lines are in the log at once. Either way stdin goes to the
 * process as it comes. Over a websocket (GET .../attach/ws) both outputs come as they are, without
 * frames.
 */

#include <stdlib.h>
#include <string.h>

#include "api/logs.h"
#include "api/pump.h"
#include "base/str.h"

#define BINARY_SINCE 128 /* the API version since when websockets carry binary messages */

struct attach {
	struct engine *en;
	char *id;
	struct pump *pump;
	struct log_reader *log;
	struct waiter *wait;
};

static void attach_free(struct attach *a)
{
	if (!a)
		return;
	engine_wait_cancel(a->wait);
	if (a->log)
		log_reader_close(a->log);
	free(a->id);
	free(a);
}

/* ---- what the pump tells ---- */

static void pump_freed(void *data)
{
	attach_free(data);
}

static void resume_log(void *data)
{
	struct attach *a = data;

	if (a->log)
		log_reader_resume(a->log);
}

void detach_event(struct engine *en, const char *container_id, const char *exec_id)
{
	struct container *k;
	json_t *attr, *labels;

	if (engine_find(en, container_id, &k, NULL) < 0)
		return;
	labels = json_get(container_config(k), "Labels");
	attr = labels ? json_copy(labels) : json_object();
	(void)json_object_set(attr, "image", json_get(container_config(k), "Image"));
	(void)json_object_set_new(attr, "name", json_string(container_name(k)));
	if (exec_id)
		(void)json_object_set_new(attr, "execID", json_string(exec_id));
	engine_event(en, "container", exec_id ? "exec_detach" : "detach", container_id, attr);
}

static void detached(void *data)
{
	struct attach *a = data;

	detach_event(a->en, a->id, NULL);
}

/* ---- the log ---- */

static int log_line(const struct log_line *line, void *data)
{
	struct attach *a = data;

	return pump_put(a->pump, line->stream, line->text, line->len);
}

static void log_done(void *data)
{
	struct attach *a = data;

	a->log = NULL;
	pump_end(a->pump, NULL);
}

static void container_ended(int exit_code, const char *error, void *data)
{
	struct attach *a = data;

	(void)exit_code;
	(void)error;
	a->wait = NULL;
	if (a->log)
		log_reader_finish(a->log);
}

static int open_log(struct attach *a, struct container *k, bool follow, struct err *e)
{
	struct log_query q = {.out = true, .err = true, .tail = -1, .follow = follow};
	struct log_reader_ops ops = {.line = log_line, .done = log_done, .data = a};
	int r = container_log_open(a->en, k, &q, &ops, &a->log, e);

	if (r >= 0 && follow && engine_wait(k, WAIT_NEXT_EXIT, container_ended, a, &a->wait) < 0)
		r = err_nomem(e);
	return r;
}

/* ---- the request ---- */

static int read_query(const struct api_call *c, const struct container *k, struct pump_config *ret,
		      struct err *e)
{
	const json_t *once = json_get(container_config(k), "StdinOnce");
	const char *keys = api_query(c, "detachKeys");

	*ret = (struct pump_config){.tty = container_tty(k),
				    .in = api_query_bool(c, "stdin", false),
				    .out = api_query_bool(c, "stdout", false),
				    .err = api_query_bool(c, "stderr", false),
				    .detached = detached,
				    .resume = resume_log,
				    .freed = pump_freed};
	ret->detachable = ret->in && ret->tty;
	ret->eof_ends = ret->tty || !json_is_true(once);
	if (detach_parse(keys, &ret->keys) < 0)
		return err_invalid(e, "Invalid detach keys (%s) provided", keys);
	if (container_state(k)->status == CONTAINER_RESTARTING)
		return err_conflict(
			e, "container %s is restarting, wait until the container is running",
			c->params[0]);
	return 0;
}

static struct attach *attach_new(struct api_call *c, struct container *k,
				 struct pump_config *config)
{
	struct attach *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->en = c->en;
	a->id = strdup(container_id(k));
	config->data = a;
	if (!a->id || pump_new(c, config, &a->pump) < 0) {
		attach_free(a);
		return NULL;
	}
	return a;
}

/* All that may fail, before the answer, so that it has a status. */
static int connect_all(struct attach *a, struct container *k, bool logs, bool stream, struct err *e)
{
	struct rt_attach_ops ops = logs ? pump_input_ops(a->pump) : pump_ops(a->pump);
	struct attachment *at;
	int r = logs ? open_log(a, k, stream, e) : 0;

	if (r < 0 || !stream)
		return r;
	r = engine_attach(k, &ops, &at, e);
	if (r >= 0)
		pump_attached(a->pump, at);
	return r;
}

static void attach_call(struct api_call *c, bool websocket)
{
	bool stream = api_query_bool(c, "stream", false), logs = api_query_bool(c, "logs", false);
	struct pump_config config;
	struct container *k;
	struct attach *a = NULL;
	struct pump *p;
	struct err e = {0};
	int r = engine_find(c->en, c->params[0], &k, &e);

	if (r >= 0)
		r = read_query(c, k, &config, &e);
	if (r >= 0 && websocket) {
		config.raw = true;
		r = http_websocket(c->r, c->version < BINARY_SINCE, &e);
	}
	if (r >= 0) {
		a = attach_new(c, k, &config);
		r = a ? connect_all(a, k, logs, stream, &e) : err_nomem(&e);
	}
	if (r < 0) {
		if (a)
			pump_free(a->pump); /* frees the rest, too */
		api_error(c, &e);
		return;
	}
	p = a->pump;
	pump_answer(p, c);
	if (!stream && !logs)
		pump_end(p, NULL);
}

void containers_attach(struct api_call *c)
{
	attach_call(c, false);
}

/* GET /containers/{id}/attach/ws */
void containers_attach_ws(struct api_call *c)
{
	attach_call(c, true);
}
