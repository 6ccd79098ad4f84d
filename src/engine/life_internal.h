/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life_internal.h - what the files behind life.h share with the engine's others */
#pragma once

#include "base/jsonw.h"
#include "engine/internal.h"
#include "engine/life.h"

/* ---- health.c ---- */
/* Config.Healthcheck completed from the image's; checked */
int health_merge(json_t *config, const json_t *image_config, struct err *e) MUST_CHECK;
int health_valid(const json_t *config, struct err *e) MUST_CHECK;
void health_reset(struct container *c);	  /* it starts: "starting", no failures */
void health_watch(struct container *c);	  /* it runs: the first probe in an interval's time */
void health_suspend(struct container *c); /* paused */
void health_stop(struct container *c);	  /* it ended */
void health_free(struct container *c);
void health_write(struct jsonw *w, const struct container *c); /* for the store */
int health_read(struct container *c, const json_t *state) MUST_CHECK;

/* ---- pause.c: for the holder of the container's turn ---- */
/* Paused until container_let_go(), by no user: a life that begins after ours thaws it. One that
 * does not run, or is paused, stays so. */
void container_hold_still(struct container *c, engine_cb cb, void *data);
void container_let_go(struct container *c);

/* ---- health_log.c: pure ---- */
struct health_rules {
	int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
	int retries;
	char **args; /* what is run; NULL: no check */
};
/* Docker's defaults filled in. -ENOMEM */
int health_rules_read(const json_t *config, struct health_rules *ret) MUST_CHECK;
void health_rules_done(struct health_rules *r);
/* takes @output; @started_ns: of the container */
int health_note(struct container_health *h, const struct health_rules *rules, int64_t started_ns,
		struct health_result result) MUST_CHECK;
int64_t health_next_ns(const struct container_health *h, const struct health_rules *rules,
		       int64_t lived_ns); /* from now to the next probe */
void health_log_done(struct container_health *h);

/* ---- pause.c ---- */
/* A signal that ends it was sent: it has to run to see it. Tells "unpause". */
void container_thaw(struct container *c);

/* ---- oom.c: a kill for memory is told when it happens ---- */
void oom_watch(struct container *c);
void oom_forget(struct container *c);

/* ---- resources.c ---- */
int resources_valid(const json_t *host, bool update, struct err *e) MUST_CHECK;
/* what this host cannot do is taken out, with Docker's warnings; defaults */
int resources_adjust(json_t *host, char ***warnings) MUST_CHECK;
int device_rules_valid(const json_t *host, struct err *e) MUST_CHECK;
int restart_policy_valid(const json_t *host, struct err *e) MUST_CHECK; /* validate.c */

/* ---- backoff.c: pure ---- */
#define RESTART_FIRST_MS 100
/* @failures: short lives in a row before this one; counted on. 100 ms, doubled up to a minute */
int64_t restart_delay_ms(int *failures, int64_t lived_ns);

/* ---- stats.c, top.c ---- */
void samplers_drop(struct container *c);
void tops_drop(struct engine *en);
/* top_parse.c: pure. @text: what ps wrote; rows of @pids are kept */
int top_parse(const char *text, const pid_t *pids, size_t n, struct top *ret,
	      struct err *e) MUST_CHECK;
void top_done(struct top *t);

/* ---- exec.c ---- */
/* @ended once it has run to its end (its exit code) or is dropped (-1); a start that failed says so
 * by its own callback alone. It is forgotten then by itself. */
void exec_on_end(struct exec *x, void (*ended)(int exit_code, void *data), void *data);
void exec_forget(struct exec *x); /* one that does not run */
int exec_pid(const struct exec *x);
