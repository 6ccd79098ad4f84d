/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats.c - a container's figures, a sample a second for all who read them
 *
 * One sampler a container, there while somebody reads. The kernel's files are read by a job, whose
 * end may find the container gone; a slow host skips a second rather than have two under way.
 */

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"

#define PERIOD_MS 1000

struct sampler {
	struct container *c; /* NULL: gone; freed when its job ends */
	struct list readers;
	struct source *timer;
	int64_t next_ns; /* when the next sample is due, monotonic */
	bool busy;	 /* a job is under way */
	bool telling;	 /* readers are called: it is freed after that */
};

struct stats_reader {
	struct list node;
	struct sampler *s;
	struct stats_ops ops;
};

struct sample {
	struct sampler *s;
	char *place;
	pid_t pid;
	struct rt_stats stats;
};

static void sampler_free(struct sampler *s)
{
	if (s->c)
		s->c->sampler = NULL;
	s->c = NULL;
	s->timer = source_free(s->timer);
	if (!s->busy && !s->telling)
		free(s);
}

static void tell(struct sampler *s, const struct rt_stats *stats)
{
	struct stats_reader *r;
	struct list due;

	/* a reader may leave from within, and another begin */
	list_init(&due);
	while (!list_empty(&s->readers)) {
		struct list *n = s->readers.next;

		list_remove(n);
		list_append(&due, n);
	}
	s->telling = true;
	while (!list_empty(&due)) {
		r = list_entry(due.next, struct stats_reader, node);
		list_remove(&r->node);
		list_append(&s->readers, &r->node);
		r->ops.sample(stats, r->ops.data);
	}
	s->telling = false;
	if (!s->c || list_empty(&s->readers))
		sampler_free(s);
}

static void wait_for_next(struct sampler *s)
{
	int64_t now = clock_mono_ns();

	s->next_ns += PERIOD_MS * NS_PER_MS;
	if (s->next_ns < now) /* it took longer than a period */
		s->next_ns = now;
	source_timer_set(s->timer, (s->next_ns - now) / NS_PER_MS);
}

/* ---- the job ---- */

static int read_figures(void *data)
{
	struct sample *j = data;

	return rt_stats_read(j->place, j->pid, &j->stats);
}

static void sample_free(struct sample *j)
{
	rt_stats_done(&j->stats);
	free(j->place);
	free(j);
}

static void figures_read(int result, void *data)
{
	struct sample *j = data;
	struct sampler *s = j->s;
	bool same = s->c && s->c->st.status == CONTAINER_RUNNING;

	s->busy = false;
	if (!s->c) {
		sampler_free(s);
	} else {
		wait_for_next(s);
		tell(s, result >= 0 && same ? &j->stats : NULL);
	}
	sample_free(j);
}

/* The network of the host is nobody's own. */
static pid_t network_pid(const struct container *c)
{
	const struct container *peer = container_netns_peer(c);

	return streq(container_network_mode(peer ? peer : c), "host") ? 0 : c->st.pid;
}

static int begin(struct sampler *s)
{
	struct container *c = s->c;
	struct sample *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	j->s = s;
	j->pid = network_pid(c);
	j->place = rt_stats_place(c->en->runtime, c->id);
	r = j->place ? job_run(c->en->jobs, read_figures, figures_read, j) : -ENOMEM;
	if (r < 0)
		sample_free(j);
	else
		s->busy = true;
	return r;
}

static void due(void *data)
{
	struct sampler *s = data;

	if (s->busy)
		return;
	if (s->c->st.status == CONTAINER_RUNNING && begin(s) >= 0)
		return;
	wait_for_next(s);
	tell(s, NULL);
}

/* ---- readers ---- */

static int sampler_of(struct container *c, struct sampler **ret)
{
	struct sampler *s = c->sampler;
	int r;

	*ret = s;
	if (s)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->c = c;
	s->next_ns = clock_mono_ns();
	list_init(&s->readers);
	r = loop_timer(c->en->loop, 0, due, s, &s->timer);
	if (r < 0) {
		free(s);
		return r;
	}
	c->sampler = *ret = s;
	return 0;
}

int engine_stats_open(struct container *c, const struct stats_ops *ops, struct stats_reader **ret)
{
	struct stats_reader *r = calloc(1, sizeof(*r));
	int rc = r ? sampler_of(c, &r->s) : -ENOMEM;

	if (rc < 0) {
		free(r);
		return rc;
	}
	r->ops = *ops;
	list_append(&r->s->readers, &r->node);
	*ret = r;
	return 0;
}

void engine_stats_close(struct stats_reader *r)
{
	struct sampler *s = r ? r->s : NULL;

	if (!r)
		return;
	list_remove(&r->node);
	free(r);
	if (list_empty(&s->readers) && !s->telling)
		sampler_free(s);
}

void samplers_drop(struct container *c)
{
	struct sampler *s = c->sampler;

	if (!s)
		return;
	while (!list_empty(&s->readers)) {
		struct stats_reader *r = list_entry(s->readers.next, struct stats_reader, node);

		list_remove(&r->node);
		r->ops.gone(r->ops.data);
		free(r);
	}
	sampler_free(s);
}
