/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events.c - what happened: to those who listen now, and the last thousand for those who ask later
 *
 * What is kept is one text an event, a fifth of the same as read JSON: who asks for the past pays
 * for reading it.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/heap.h"
#include "engine/internal.h"

#define EVENTS_KEPT	1000
#define EVENTS_KEPT_MAX (4u << 20) /* bytes: labels may be large */

struct kept {
	int64_t ns;
	size_t bytes;
	char *text; /* type, action, actor, attributes as JSON: one after the other, each with its
		       end */
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
	free(k->text);
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

static int kept_write(struct kept *k, const struct event *ev)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_JSON_BODY * 2);
	struct jsonw w = JSONW_INIT(&text);

	for (size_t i = 0; i < 3; i++) {
		(void)buf_puts(&text, i == 0 ? ev->type : i == 1 ? ev->action : ev->actor);
		(void)buf_putc(&text, '\0');
	}
	jsonw_json(&w, NULL, ev->attributes);
	(void)buf_putc(&text, '\0');
	if (buf_err(&text))
		return buf_err(&text);
	*k = (struct kept){ev->ns, text.len, malloc(text.len)};
	if (!k->text)
		return -ENOMEM;
	memcpy(k->text, buf_str(&text), text.len);
	return 0;
}

static int kept_read(const struct kept *k, struct event *ret, json_t **ret_attributes)
{
	const char *at = k->text;

	ret->ns = k->ns;
	ret->type = at;
	ret->action = at += strlen(at) + 1;
	ret->actor = at += strlen(at) + 1;
	at += strlen(at) + 1;
	if (json_read(at, strlen(at), ret_attributes, NULL) < 0)
		return -ENOMEM;
	ret->attributes = *ret_attributes;
	return 0;
}

void engine_event(struct engine *en, const char *type, const char *action, const char *actor,
		  json_t *attributes)
{
	auto_json json_t *all = attributes ? attributes : json_object();
	struct event ev = {clock_real_ns(), type, action, actor, all};
	struct event_log *log = en->events;
	struct event_sub *s;

	make_room(log);
	if (kept_write(&log->ring[log->next], &ev) < 0) {
		log_error("out of memory, an event is lost type=%s action=%s", type, action);
		return;
	}
	log->bytes += log->ring[log->next].bytes;
	log->next = (log->next + 1) % EVENTS_KEPT;
	log->count++;
	log_debug("event type=%s action=%s actor=%s", type, action, actor);
	heap_used(en->heap);
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
		auto_json json_t *attributes = NULL;
		struct event ev;

		if (k->ns < since_ns || (until_ns && k->ns > until_ns))
			continue;
		if (kept_read(k, &ev, &attributes) < 0)
			log_error("out of memory, an event of the past is left out");
		else
			fn(&ev, data);
	}
}
