/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - what happened: to those who listen now, and the last thousand for those who ask later
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/internal.h"

#define EVENTS_KEPT 1000

struct kept {
	int64_t ns;
	char *type, *action, *actor;
	json_t *attributes;
};

struct event_log {
	struct kept ring[EVENTS_KEPT];
	size_t next, count;
};

struct event_sub {
	struct list node;
	event_fn fn;
	void *data;
};

static void kept_done(struct kept *k)
{
	free(k->type);
	free(k->action);
	free(k->actor);
	json_decref(k->attributes);
	*k = (struct kept){0};
}

int events_open(struct engine *en)
{
	list_init(&en->event_subs);
	en->events = calloc(1, sizeof(*en->events));
	return en->events ? 0 : -ENOMEM;
}

void events_close(struct engine *en)
{
	struct event_sub *s;

	list_for_each (s, &en->event_subs, node) {
		list_remove(&s->node);
		free(s);
	}
	for (size_t i = 0; en->events && i < EVENTS_KEPT; i++)
		kept_done(&en->events->ring[i]);
	free(en->events);
	en->events = NULL;
}

static struct event view(const struct kept *k)
{
	return (struct event){.ns = k->ns,
			      .type = k->type,
			      .action = k->action,
			      .actor = k->actor,
			      .attributes = k->attributes};
}

void engine_event(struct engine *en, const char *type, const char *action, const char *actor,
		  json_t *attributes)
{
	struct kept *k = &en->events->ring[en->events->next];
	struct event_sub *s;
	struct event ev;

	kept_done(k);
	k->ns = clock_real_ns();
	k->type = strdup(type);
	k->action = strdup(action);
	k->actor = strdup(actor);
	k->attributes = attributes ? attributes : json_object();
	if (!k->type || !k->action || !k->actor || !k->attributes) {
		log_error("out of memory, an event is lost type=%s action=%s", type, action);
		kept_done(k);
		return;
	}
	en->events->next = (en->events->next + 1) % EVENTS_KEPT;
	en->events->count = MIN(en->events->count + 1, (size_t)EVENTS_KEPT);
	log_debug("event type=%s action=%s actor=%s", type, action, actor);
	ev = view(k);
	list_for_each (s, &en->event_subs, node)
		s->fn(&ev, s->data);
}

int engine_events_subscribe(struct engine *en, event_fn fn, void *data, struct event_sub **ret)
{
	struct event_sub *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->data = data;
	list_append(&en->event_subs, &s->node);
	*ret = s;
	return 0;
}

void engine_events_unsubscribe(struct event_sub *s)
{
	if (!s)
		return;
	list_remove(&s->node);
	free(s);
}

void engine_events_past(struct engine *en, int64_t since_ns, int64_t until_ns, event_fn fn,
			void *data)
{
	size_t n = en->events->count, at = (en->events->next + EVENTS_KEPT - n) % EVENTS_KEPT;

	for (size_t i = 0; i < n; i++) {
		const struct kept *k = &en->events->ring[(at + i) % EVENTS_KEPT];
		struct event ev = view(k);

		if (k->ns >= since_ns && (!until_ns || k->ns <= until_ns))
			fn(&ev, data);
	}
}
