/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * health.c - health checks: a command in the container, again and again
 *
 *   waiting   the timer runs to the next probe
 *   probing   the exec runs; the timer runs to its timeout, then its process is killed
 *   ending    it was killed, or has ended and its output has not: the timer gives that a moment
 *
 * The next interval begins with a result. A probe whose container is paused or stopped meanwhile is
 * let go (p->h == NULL): it ends by itself and nobody listens. There is never a second one before
 * the first has ended, so that checks which cannot be killed do not pile up.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"

#define OUTPUT_MAX 4096
#define ENDING_MS  1000

struct probe {
	struct health *h; /* NULL: let go */
	struct exec *x;	  /* valid while it is starting */
	struct attachment *a;
	struct buf output;
	int64_t start_ns;
	int pidfd, exit_code;
	bool starting; /* on_started() is still to come */
	bool started;  /* the exec runs or has run: its end will be told */
	bool ended;    /* it was told */
	bool closed;   /* nothing more will be written */
	bool cut;      /* there was more output than is kept */
	bool late;     /* killed for its timeout */
	bool told;     /* its result is in the log */
};

struct health {
	struct container *c;
	struct container_health state;
	struct health_rules rules;
	struct source *timer;
	struct probe *probe;
};

const struct container_health *container_health(const struct container *c)
{
	return c->health ? &c->health->state : NULL;
}

static void wait_for_next(struct health *h);

static void probe_free(struct probe *p)
{
	if (p->a)
		attachment_close(p->a);
	if (p->h)
		p->h->probe = NULL;
	(void)fd_close(p->pidfd);
	buf_done(&p->output);
	free(p);
}

static void probe_kill(struct probe *p)
{
	if (p->pidfd >= 0)
		(void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0); /* it may have ended */
}

/* ---- a result ---- */

/* Go's text of a duration, as far as timeouts need it: "30s", "1m30s", "500ms" */
static void duration(struct buf *out, int64_t ns)
{
	int64_t s = ns / NS_PER_S, ms = ns % NS_PER_S / NS_PER_MS;

	if (ns < NS_PER_S) {
		(void)buf_printf(out, "%lldms", (long long)ms);
		return;
	}
	if (s >= 3600)
		(void)buf_printf(out, "%lldh", (long long)s / 3600);
	if (s >= 60)
		(void)buf_printf(out, "%lldm", (long long)s / 60 % 60);
	(void)buf_printf(out, "%lld", (long long)s % 60);
	if (ms) {
		while (ms % 10 == 0)
			ms /= 10;
		(void)buf_printf(out, ".%lld", (long long)ms);
	}
	(void)buf_puts(out, "s");
}

static char *output_text(struct probe *p, const char *error)
{
	auto_buf struct buf b = BUF_INIT(2 * OUTPUT_MAX);

	if (error)
		return strndup(error, OUTPUT_MAX);
	if (p->late) {
		(void)buf_puts(&b, "Health check exceeded timeout (");
		duration(&b, p->h->rules.timeout_ns);
		(void)buf_puts(&b, p->output.len ? "): " : ")");
	}
	(void)buf_add(&b, buf_str(&p->output), p->output.len);
	if (p->cut)
		(void)buf_puts(&b, "...");
	return buf_err(&b) ? NULL : strdup(buf_str(&b));
}

static void save(struct health *h)
{
	struct err e = {0};

	if (container_save_state(h->c, &e) < 0)
		log_warn("a health check's result could not be stored container=%s error=%s",
			 h->c->name, e.msg);
}

static void tell(struct probe *p, const char *error)
{
	struct health *h = p->h;
	struct container_health was = h->state;
	struct health_result result = {.start_ns = p->start_ns,
				       .end_ns = clock_real_ns(),
				       .exit_code = error || p->late ? -1 : p->exit_code,
				       .output = output_text(p, error)};

	p->told = true;
	if (health_note(&h->state, &h->rules, h->c->st.started_ns, result) < 0) {
		log_error("out of memory, a health check's result is lost container=%s",
			  h->c->name);
		return;
	}
	/* a check that succeeds as it did before is not worth a commit */
	if (was.status != h->state.status || was.streak != h->state.streak)
		save(h);
	if (was.status != h->state.status) {
		auto_free char *action =
			str_printf("health_status: %s", health_status_name(h->state.status));

		container_event(h->c, action ? action : "health_status", NULL, NULL);
	}
}

/* Something of a probe is over: says so where it can, and goes on to the next. */
static void settle(struct probe *p, const char *error, bool patient)
{
	struct health *h = p->h;

	if (h && !p->told && (error || (p->ended && p->closed) || !patient))
		tell(p, error);
	if ((h && !p->told) || p->starting || (p->started && !p->ended))
		return;
	probe_free(p);
	if (h)
		wait_for_next(h);
}

/* ---- the exec ---- */

static int on_output(int stream, const char *data, size_t len, void *data_)
{
	struct probe *p = data_;
	size_t n = MIN(len, OUTPUT_MAX - p->output.len);

	(void)stream;
	(void)buf_add(&p->output, data, n); /* lost without memory */
	p->cut = p->cut || n < len;
	return 0;
}

static void on_closed(void *data)
{
	struct probe *p = data;

	p->a = NULL;
	p->closed = true;
	settle(p, NULL, true);
}

static void on_ended(int exit_code, void *data)
{
	struct probe *p = data;

	p->ended = true;
	p->exit_code = exit_code;
	if (!p->closed && p->h && !p->told)
		source_timer_set(p->h->timer, ENDING_MS); /* what it has started may go on */
	settle(p, NULL, true);
}

static void on_started(int result, struct attachment *a, const struct err *e, void *data)
{
	struct probe *p = data;

	p->starting = false;
	if (result < 0) {
		settle(p, e && *e->msg ? e->msg : strerror(-result), true);
		return;
	}
	p->started = true;
	p->a = a;
	p->closed = !a;
	p->pidfd = (int)syscall(SYS_pidfd_open, exec_pid(p->x), 0); /* fails if it has ended */
	if (p->h)
		source_timer_set(p->h->timer, p->h->rules.timeout_ns / NS_PER_MS);
	else
		probe_kill(p);
}

static json_t *exec_body(const struct health_rules *rules)
{
	return json_pack("{s:o, s:b, s:b}", "Cmd", json_strings(rules->args), "AttachStdout", 1,
			 "AttachStderr", 1);
}

static void probe_begin(struct health *h)
{
	struct rt_attach_ops ops = {.output = on_output, .closed = on_closed};
	auto_json json_t *body = exec_body(&h->rules);
	struct probe *p = calloc(1, sizeof(*p));
	struct exec *x = NULL;
	struct err e = {0};
	int r;

	if (!p || !body) {
		free(p);
		wait_for_next(h);
		return;
	}
	*p = (struct probe){.h = h,
			    .output = BUF_INIT(OUTPUT_MAX + 1),
			    .start_ns = clock_real_ns(),
			    .pidfd = -EBADF};
	h->probe = p;
	ops.data = p;
	r = engine_exec_create(h->c, body, &x, &e);
	if (r >= 0) {
		exec_on_end(x, on_ended, p);
		p->x = x;
		p->starting = true;
		r = engine_exec_start(x, false, false, &ops, on_started, p, &e);
		if (r < 0)
			exec_forget(x);
	}
	if (r < 0) {
		p->starting = false;
		settle(p, e.msg, true);
	}
}

/* ---- the timer ---- */

static void timer_fired(void *data)
{
	struct health *h = data;
	struct probe *p = h->probe;

	if (!p) {
		probe_begin(h);
		return;
	}
	if (p->ended || p->late) {
		settle(p, NULL, false);
		return;
	}
	log_debug("a health check takes too long, it is killed container=%s", h->c->name);
	p->late = true;
	probe_kill(p);
	source_timer_set(h->timer, ENDING_MS);
}

static void wait_for_next(struct health *h)
{
	int64_t lived = clock_real_ns() - h->c->st.started_ns;
	int64_t ms = health_next_ns(&h->state, &h->rules, lived) / NS_PER_MS;

	if (h->timer)
		source_timer_set(h->timer, ms);
	else if (loop_timer(h->c->en->loop, ms, timer_fired, h, &h->timer) < 0)
		log_error("out of memory, health checks end container=%s", h->c->name);
}

/* ---- the container's life ---- */

static struct health *health_of(struct container *c)
{
	struct health *h = c->health;
	struct health_rules rules;

	if (h)
		return h;
	if (health_rules_read(c->config, &rules) < 0 || !rules.args)
		return NULL;
	h = calloc(1, sizeof(*h));
	if (!h) {
		health_rules_done(&rules);
		return NULL;
	}
	h->c = c;
	h->rules = rules;
	c->health = h;
	return h;
}

void health_reset(struct container *c)
{
	struct health *h = health_of(c);

	if (!h)
		return;
	h->state.status = HEALTH_STARTING;
	h->state.streak = 0;
}

void health_watch(struct container *c)
{
	struct health *h = health_of(c);

	if (h && !h->timer && c->st.status == CONTAINER_RUNNING && !c->st.paused)
		wait_for_next(h);
}

void health_suspend(struct container *c)
{
	struct health *h = c->health;
	struct probe *p = h ? h->probe : NULL;

	if (!h)
		return;
	h->timer = source_free(h->timer);
	if (!p)
		return;
	h->probe = NULL;
	p->h = NULL;
	probe_kill(p);
	settle(p, NULL, true);
}

void health_stop(struct container *c)
{
	health_suspend(c);
	if (c->health) /* as Docker, for clients that look at nothing else */
		c->health->state.status = HEALTH_UNHEALTHY;
}

void health_free(struct container *c)
{
	struct health *h = c->health;

	if (!h)
		return;
	health_suspend(c);
	health_log_done(&h->state);
	health_rules_done(&h->rules);
	free(h);
	c->health = NULL;
}

/* ---- the store ---- */

void health_write(struct jsonw *w, const struct container *c)
{
	const struct container_health *h = container_health(c);

	if (!h)
		return;
	jsonw_object(w, "health");
	jsonw_i64(w, "status", h->status);
	jsonw_i64(w, "streak", h->streak);
	jsonw_array(w, "log");
	for (size_t i = 0; i < h->n_log; i++) {
		jsonw_object(w, NULL);
		jsonw_i64(w, "start", h->log[i].start_ns);
		jsonw_i64(w, "end", h->log[i].end_ns);
		jsonw_i64(w, "code", h->log[i].exit_code);
		jsonw_str(w, "output", h->log[i].output);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	jsonw_end_object(w);
}

int health_read(struct container *c, const json_t *state)
{
	const json_t *stored = jo(state, "health");
	struct health *h = stored ? health_of(c) : NULL;
	json_t *one;
	size_t i;

	if (!h)
		return 0;
	h->state.status = (enum health_status)MIN(ji(stored, "status"), HEALTH_UNHEALTHY);
	h->state.streak = (int)ji(stored, "streak");
	json_array_foreach(jo(stored, "log"), i, one)
	{
		struct health_result r = {.start_ns = ji(one, "start"),
					  .end_ns = ji(one, "end"),
					  .exit_code = (int)ji(one, "code"),
					  .output = strdup(js(one, "output"))};

		if (!r.output)
			return -ENOMEM;
		if (h->state.n_log == HEALTH_LOG_MAX) {
			free(r.output);
			break;
		}
		h->state.log[h->state.n_log++] = r;
	}
	return 0;
}
