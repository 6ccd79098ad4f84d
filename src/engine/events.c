/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - what happened: to those who listen now, and the last thousand for those who ask later
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/internal.h"

#define EVENTS_KEPT	1000
#define EVENTS_KEPT_MAX (4u << 20) /* bytes of attributes: labels may be large */

struct kept {
	int64_t ns;
	char *type, *action, *actor;
	json_t *attributes;
	size_t bytes; /* of the attributes */
};

struct event_log {
	struct kept ring[EVENTS_KEPT];
	size_t next, count, bytes;
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

static size_t attributes_bytes(json_t *attributes)
{
	const char *key;
	size_t n = 0;
	json_t *v;

	json_object_foreach(attributes, key, v)
	{
		n += strlen(key) + json_string_length(v);
	}
	return n;
}

static struct kept *oldest(struct event_log *log)
{
	return &log->ring[(log->next + EVENTS_KEPT - log->count) % EVENTS_KEPT];
}

/* The oldest go for a new one: at the latest a thousand later, sooner where they are large. */
static void make_room(struct event_log *log)
{
	while (log->count && (log->count == EVENTS_KEPT || log->bytes > EVENTS_KEPT_MAX)) {
		struct kept *k = oldest(log);

		log->bytes -= k->bytes;
		kept_done(k);
		log->count--;
	}
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

	make_room(en->events);
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
	en->events->count++;
	k->bytes = attributes_bytes(k->attributes);
	en->events->bytes += k->bytes;
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

size_t engine_events_subscribers(const struct engine *en)
{
	return list_len(&en->event_subs);
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
