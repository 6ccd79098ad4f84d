/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats.c - GET /containers/{id}/stats: a stream of samples, or one
 *
 * One sample alone shows no use of CPU: without one-shot=1 the answer is the second, with the first
 * as its precpu_stats. A client that does not keep up misses samples; nothing is queued for it.
 */

#include "api/stats_json.h"

#include <stdlib.h>

#include "api/internal.h"
#include "base/limits.h"
#include "base/str.h"
#include "engine/life.h"

struct watch {
	struct engine *en;
	struct api_call *c;	/* of one sample; NULL: a stream */
	struct http_stream *s;	/* NULL: one sample */
	struct stats_reader *r; /* NULL once it is gone */
	char *id;
	bool prime; /* the first sample is for precpu_stats alone */
	bool behind;
	bool have_before;
	struct stat_cpu before;
	int64_t before_ns;
};

static void watch_free(struct watch *x)
{
	engine_stats_close(x->r);
	stat_cpu_done(&x->before);
	free(x->id);
	free(x);
}

static void stream_gone(void *data)
{
	watch_free(data);
}

static void client_gone(struct api_call *c)
{
	watch_free(c->data);
	api_drop(c);
}

static void drained(void *data)
{
	((struct watch *)data)->behind = false;
}

/* ---- samples ---- */

static void keep(struct watch *x, const struct rt_stats *s)
{
	stat_cpu_done(&x->before);
	x->have_before = s && stat_cpu_copy(&s->cpu, &x->before) >= 0;
	x->before_ns = s ? s->read_ns : 0;
}

static void compose(const struct watch *x, const struct rt_stats *s, struct buf *out)
{
	struct jsonw w = JSONW_INIT(out);
	struct stats_view v = {.id = x->id,
			       .name = "",
			       .now = s,
			       .before = x->have_before ? &x->before : NULL,
			       .before_ns = x->before_ns};
	struct container *k;

	if (engine_find(x->en, x->id, &k, NULL) >= 0)
		v.name = container_name(k);
	stats_json(&w, &v);
}

static void one_sample(const struct rt_stats *s, void *data)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_REPLY);
	struct watch *x = data;
	struct api_call *c = x->c;

	if (x->prime && s) {
		x->prime = false;
		keep(x, s);
		return;
	}
	compose(x, s, &out);
	c->gone = NULL;
	watch_free(x);
	api_json(c, 200, &out);
}

static void next_sample(const struct rt_stats *s, void *data)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_REPLY);
	struct watch *x = data;
	int r = 0;

	if (!x->behind) {
		compose(x, s, &out);
		(void)buf_putc(&out, '\n'); /* its error is sticky */
		r = buf_err(&out) ? buf_err(&out) : http_stream_write(x->s, out.data, out.len);
	}
	keep(x, s);
	if (r > 0)
		x->behind = true;
	if (r < 0) { /* no memory: a whole end, no half line */
		http_stream_end(x->s);
		watch_free(x);
	}
}

static void container_gone(void *data)
{
	struct watch *x = data;
	struct err e = {0};

	x->r = NULL;
	if (x->s) {
		http_stream_end(x->s);
	} else {
		(void)err_not_found(&e, "No such container: %s", x->id);
		x->c->gone = NULL;
		api_error(x->c, &e);
	}
	watch_free(x);
}

/* ---- the request ---- */

static void answer_stopped(struct api_call *c, struct container *k)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&out);
	struct stats_view v = {.id = container_id(k), .name = container_name(k)};

	stats_json(&w, &v);
	api_json(c, 200, &out);
}

static int open_reader(struct watch *x, struct container *k,
		       void (*sample)(const struct rt_stats *s, void *data))
{
	struct stats_ops ops = {.sample = sample, .gone = container_gone, .data = x};

	x->id = strdup(container_id(k));
	return x->id ? engine_stats_open(k, &ops, &x->r) : -ENOMEM;
}

/* The reader's first sample comes on a later turn of the loop. */
static int begin_one(struct api_call *c, struct container *k, bool one_shot)
{
	struct watch *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->en = c->en;
	x->c = c;
	x->prime = !one_shot;
	if (open_reader(x, k, one_sample) < 0) {
		watch_free(x);
		return -ENOMEM;
	}
	c->data = x;
	c->gone = client_gone;
	return 0;
}

static int begin_stream(struct api_call *c, struct container *k)
{
	struct watch *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->en = c->en;
	if (open_reader(x, k, next_sample) < 0) {
		watch_free(x);
		return -ENOMEM;
	}
	x->s = api_stream(c, 200, "application/json", stream_gone, x);
	if (x->s)
		http_stream_on_drained(x->s, drained);
	else
		watch_free(x);
	return 0;
}

void containers_stats(struct api_call *c)
{
	bool stream = api_query_bool(c, "stream", true);
	bool one_shot = c->version >= 141 && api_query_bool(c, "one-shot", false);
	struct container *k;
	struct err e = {0};
	int r = engine_find(c->en, c->params[0], &k, &e);

	if (r >= 0 && stream && one_shot)
		r = err_invalid(&e, "cannot have stream=true and one-shot=true");
	if (r >= 0 && !stream && !container_running(k)) {
		answer_stopped(c, k);
		return;
	}
	if (r >= 0)
		r = (stream ? begin_stream(c, k) : begin_one(c, k, one_shot)) < 0 ? err_nomem(&e)
										  : 0;
	if (r < 0)
		api_error(c, &e);
}
