/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.c - POST /containers/{id}/attach: a client on a container's streams
 *
 * With logs=1 the log so far goes first; with stream=1 (also before the container runs) the live
 * streams follow.
 */

#include <stdlib.h>
#include <string.h>

#include "api/pump.h"
#include "base/str.h"
#include "runtime/logs.h"

struct attach {
	struct engine *en;
	char *id;
	struct pump *pump;
	struct log_reader *log;
};

static void attach_free(void *data)
{
	struct attach *a = data;

	if (a->log)
		log_reader_close(a->log);
	free(a->id);
	free(a);
}

static void detached(void *data)
{
	struct attach *a = data;

	engine_event(a->en, "container", "detach", a->id, NULL);
}

static int parse(struct api_call *c, struct container *k, struct pump_config *ret, struct err *e)
{
	*ret = (struct pump_config){.tty = container_tty(k),
				    .in = api_query_bool(c, "stdin", false),
				    .out = api_query_bool(c, "stdout", false),
				    .err = api_query_bool(c, "stderr", false),
				    .detached = detached,
				    .freed = attach_free};
	ret->detachable = ret->in && ret->tty;
	if (ret->tty)
		ret->err = false;
	return detach_parse(api_query(c, "detachKeys"), &ret->keys, e);
}

static void live(struct attach *a)
{
	struct rt_attach_ops ops = pump_ops(a->pump);
	struct attachment *at;
	struct container *k;
	struct err e = {0};
	int r = engine_find(a->en, a->id, &k, &e);

	if (r >= 0)
		r = engine_attach(k, &ops, &at, &e);
	if (r < 0)
		pump_failed(a->pump, e.msg);
	else
		pump_attached(a->pump, at);
}

static int log_line(int stream, int64_t ns, const char *text, size_t len, void *data)
{
	struct attach *a = data;

	(void)ns;
	(void)pump_put(a->pump, stream, text, len);
	return 0; /* at most the queue's hard limit: then the client is detached */
}

static void log_then_live(void *data)
{
	struct attach *a = data;

	a->log = NULL;
	live(a);
}

static void log_then_end(void *data)
{
	struct attach *a = data;

	a->log = NULL;
	pump_failed(a->pump, NULL);
}

static int replay(struct api_call *c, struct attach *a, struct container *k, bool stream)
{
	auto_free char *path = NULL;
	struct log_query q = {.out = true, .err = true, .tail = -1};
	struct log_reader_ops ops = {
		.line = log_line, .done = stream ? log_then_live : log_then_end, .data = a};

	if (container_log_path(k, &path) < 0)
		return -ENOMEM;
	q.path = path;
	return log_reader_open(c->api->loop, &q, &ops, &a->log, NULL);
}

/* Docker's refusals of an attach that makes no sense. */
static int check(struct container *k, bool stream, struct err *e)
{
	const struct container_state *st = container_state(k);

	if (stream && st->status == CONTAINER_RESTARTING)
		return err_conflict(e,
				    "container %s is restarting, wait until the container is "
				    "running",
				    container_id(k));
	return 0;
}

void containers_attach(struct api_call *c)
{
	bool stream = api_query_bool(c, "stream", false), logs = api_query_bool(c, "logs", false);
	struct pump_config config;
	struct rt_attach_ops ops;
	struct attachment *at = NULL;
	struct container *k;
	struct attach *a;
	struct err e = {0};
	int r = engine_find(c->en, c->params[0], &k, &e);

	if (r >= 0)
		r = check(k, stream, &e);
	if (r >= 0)
		r = parse(c, k, &config, &e);
	if (r < 0) {
		api_error(c, &e);
		return;
	}
	a = calloc(1, sizeof(*a));
	if (a) {
		config.data = a;
		a->en = c->en;
		a->id = strdup(container_id(k));
	}
	if (!a || !a->id || pump_new(c, &config, &a->pump) < 0) {
		if (a)
			free(a->id);
		free(a);
		(void)err_nomem(&e);
		api_error(c, &e);
		return;
	}
	if (!logs && stream) { /* before the answer, so that its failure has a status */
		ops = pump_ops(a->pump);
		if (engine_attach(k, &ops, &at, &e) < 0) {
			pump_free(a->pump);
			api_error(c, &e);
			return;
		}
		pump_attached(a->pump, at);
		pump_answer(a->pump, c);
		return;
	}
	r = logs ? replay(c, a, k, stream) : -ENODATA;
	pump_answer(a->pump, c);
	if (r < 0)
		pump_failed(a->pump, NULL);
}
