/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * life.h - a running container's life: health, pause, other limits, figures, processes
 *
 * As engine.h: loop thread; a callback comes exactly once, at once or later.
 */
#pragma once

#include "engine/engine.h"
#include "runtime/stats.h"

/* "paused" for one that is; else container_status_name() */
const char *container_state_name(const struct container_state *st);

/* ---- health.c ---- */
#define HEALTH_LOG_MAX 5
enum health_status { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
struct health_result {
	int64_t start_ns, end_ns;
	int exit_code; /* -1: it could not be run, or ran into its timeout */
	char *output;
};
struct container_health {
	enum health_status status;
	int streak;				  /* failures since the last success */
	struct health_result log[HEALTH_LOG_MAX]; /* oldest first */
	size_t n_log;
};
/* NULL: it has no health check, or was never started */
const struct container_health *container_health(const struct container *c);
const char *health_status_name(enum health_status s); /* "none", "starting", ... */

/* ---- pause.c ---- */
void engine_pause(struct container *c, engine_cb cb, void *data);
void engine_unpause(struct container *c, engine_cb cb, void *data);

/* ---- update.c ---- */
/* @body: an UpdateConfig, only read until this returns. @warnings: borrowed, NULL none */
typedef void (*update_cb)(int result, char *const *warnings, const struct err *e, void *data);
void engine_update(struct container *c, const json_t *body, update_cb cb, void *data);

/* ---- stats.c ---- */
struct stats_reader;
struct stats_ops {
	/* a sample a second, the first at once where nobody else reads. @s NULL: it does not run */
	void (*sample)(const struct rt_stats *s, void *data);
	/* the container is removed or the engine ends; nothing else comes, the reader is freed */
	void (*gone)(void *data);
	void *data;
};
int engine_stats_open(struct container *c, const struct stats_ops *ops,
		      struct stats_reader **ret) MUST_CHECK;
void engine_stats_close(struct stats_reader *r); /* NULL allowed; also from within sample() */

/* ---- top.c ---- */
struct top {
	char **titles;
	char ***processes; /* NULL-terminated; each as many cells as titles */
	size_t n;
};
/* Runs ps with @ps_args ("" or NULL: -ef) and keeps the container's processes. @t: borrowed. */
void engine_top(struct container *c, const char *ps_args,
		void (*cb)(int result, const struct top *t, const struct err *e, void *data),
		void *data);
