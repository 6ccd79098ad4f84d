/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * events.c - GET /events: what happened since, what happens, until
 *
 * A watcher is either passing on (its stream takes what comes) or behind (the stream is full: lines
 * gather in @late until it has drained). One that is @LATE_MAX behind is cut off. It ends with its
 * client, at @until, or when it is cut off.
 */

#include <string.h>

#include "api/internal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/loop.h"

#define LATE_MAX (16u << 20) /* all that is remembered fits in */

struct watcher {
	unsigned version;
	struct filters *filters;
	struct http_stream *stream;
	struct event_sub *sub;
	struct source *until;
	struct buf late;
	bool behind;
	bool ending; /* at the end of @late the stream ends */
};

static void watcher_free(struct watcher *w)
{
	engine_events_unsubscribe(w->sub);
	source_free(w->until);
	filters_free(w->filters);
	buf_done(&w->late);
	free(w);
}

static void watcher_gone(void *data)
{
	watcher_free(data);
}

/* ---- what fits ---- */

static const char *attribute(const struct event *ev, const char *key)
{
	const char *s = json_string_value(json_object_get(ev->attributes, key));

	return s ? s : "";
}

/* "exec_start: sh -c x" is also asked for as "exec_start" */
static bool action_fits(const struct filters *f, const struct event *ev)
{
	auto_free char *verb = strndup(ev->action, strcspn(ev->action, ":"));

	return filters_exact(f, "event", ev->action) || (verb && filters_exact(f, "event", verb));
}

static bool named(const struct filters *f, const char *key, const struct event *ev)
{
	return filters_prefix(f, key, ev->actor) || filters_prefix(f, key, attribute(ev, "name"));
}

/* The image of an image event, or a container's; with or without its tag. */
static bool image_fits(const struct filters *f, const struct event *ev)
{
	const char *name = attribute(ev, streq(ev->type, "image") ? "name" : "image");
	const char *tag = strrchr(name, ':');
	auto_free char *repo =
		strndup(name, tag && !strchr(tag, '/') ? (size_t)(tag - name) : strlen(name));

	return filters_exact(f, "image", ev->actor) || filters_exact(f, "image", name) ||
	       (repo && filters_exact(f, "image", repo));
}

static bool event_fits(const struct filters *f, const struct event *ev)
{
	return filters_exact(f, "type", ev->type) && filters_exact(f, "scope", "local") &&
	       action_fits(f, ev) && named(f, "container", ev) && named(f, "network", ev) &&
	       named(f, "volume", ev) && named(f, "daemon", ev) && named(f, "plugin", ev) &&
	       image_fits(f, ev) && filters_labels(f, "label", ev->attributes);
}

/* ---- writing ---- */

static void event_json(struct buf *b, const struct event *ev, unsigned version)
{
	struct jsonw w = JSONW_INIT(b);
	bool container = streq(ev->type, "container");

	jsonw_object(&w, NULL);
	if (version < 152 && (container || streq(ev->type, "image"))) { /* from before 1.22 */
		jsonw_str(&w, "status", ev->action);
		jsonw_str(&w, "id", ev->actor);
		if (container)
			jsonw_str(&w, "from", attribute(ev, "image"));
	}
	jsonw_str(&w, "Type", ev->type);
	jsonw_str(&w, "Action", ev->action);
	jsonw_object(&w, "Actor");
	jsonw_str(&w, "ID", ev->actor);
	jsonw_json(&w, "Attributes", ev->attributes);
	jsonw_end_object(&w);
	jsonw_str(&w, "scope", "local");
	jsonw_i64(&w, "time", ev->ns / NS_PER_S);
	jsonw_i64(&w, "timeNano", ev->ns);
	jsonw_end_object(&w);
	(void)buf_putc(b, '\n'); /* the buffer's error is looked at by pass_on() */
}

static void watcher_end(struct watcher *w)
{
	http_stream_end(w->stream);
	watcher_free(w);
}

static void drained(void *data)
{
	struct watcher *w = data;

	w->behind = false;
	while (w->late.len && !w->behind) {
		size_t n = MIN(w->late.len, (size_t)LIMIT_STREAM_QUEUE / 2);
		int r = http_stream_write(w->stream, w->late.data, n);

		if (r < 0) {
			watcher_end(w);
			return;
		}
		buf_consume(&w->late, n);
		w->behind = r > 0;
	}
	if (w->ending && !w->late.len)
		watcher_end(w);
}

static void cut_off(struct watcher *w)
{
	log_warn("an event watcher is too far behind and is cut off bytes=%u", LATE_MAX);
	watcher_end(w);
}

/* A whole line more, or none. Return: false: too far behind, or no memory. */
static bool add_line(struct watcher *w, const struct event *ev)
{
	auto_buf struct buf line = BUF_INIT(LATE_MAX);

	event_json(&line, ev, w->version);
	if (buf_err(&line) || w->late.len + line.len > LATE_MAX - 1)
		return false;
	return buf_add(&w->late, line.data, line.len) >= 0;
}

/* Also where it would fit at once: one way for all, through @late. */
static void pass_on(const struct event *ev, void *data)
{
	struct watcher *w = data;

	if (w->ending || !event_fits(w->filters, ev))
		return;
	if (!add_line(w, ev)) {
		cut_off(w);
		return;
	}
	if (!w->behind)
		drained(w);
}

/* ---- the request ---- */

static int stamp(struct api_call *c, const char *key, int64_t *ret, struct err *e)
{
	const char *s = api_query(c, key);

	*ret = 0;
	if (str_empty(s) || clock_parse_stamp(s, clock_real_ns(), ret) >= 0)
		return 0;
	return err_invalid(e,
			   "invalid value for \"%s\": failed to parse value as time or "
			   "duration: \"%.64s\"",
			   key, s);
}

static int parse(struct api_call *c, struct watcher *w, int64_t *since, int64_t *until,
		 struct err *e)
{
	static const char *const keys[] = {"config", "container", "daemon", "event",  "image",
					   "label",  "network",	  "node",   "plugin", "scope",
					   "secret", "service",	  "type",   "volume", NULL};
	int r = api_filters(c, keys, &w->filters, e);

	if (r < 0 || (r = stamp(c, "since", since, e)) < 0 || (r = stamp(c, "until", until, e)) < 0)
		return r;
	if (*since && *until && *since > *until)
		return err_invalid(e, "`since` time (%.64s) cannot be after `until` time (%.64s)",
				   api_query(c, "since"), api_query(c, "until"));
	return 0;
}

static void past(const struct event *ev, void *data)
{
	struct watcher *w = data;

	if (event_fits(w->filters, ev) && !w->ending && !add_line(w, ev))
		w->ending = true;
}

static void time_is_up(void *data)
{
	struct watcher *w = data;

	w->ending = true;
	engine_events_unsubscribe(w->sub);
	w->sub = NULL;
	if (!w->behind)
		drained(w);
}

static int subscribe(struct api_call *c, struct watcher *w, int64_t until, struct err *e)
{
	int64_t left_ms = (until - clock_real_ns() + NS_PER_MS - 1) / NS_PER_MS;

	if (until && left_ms <= 0) {
		w->ending = true;
		return 0;
	}
	if (engine_events_subscribe(c->en, pass_on, w, &w->sub) < 0 ||
	    (until && loop_timer(c->api->loop, left_ms, time_is_up, w, &w->until) < 0))
		return err_nomem(e);
	return 0;
}

void system_events(struct api_call *c)
{
	struct watcher *w = calloc(1, sizeof(*w));
	struct err e = {0};
	int64_t since, until;
	int r = w ? parse(c, w, &since, &until, &e) : err_nomem(&e);

	if (r >= 0) {
		w->version = c->version;
		w->late = BUF_INIT(LATE_MAX);
		if (since || until) /* as Docker: until alone ends at the past */
			engine_events_past(c->en, since, until, past, w);
		r = subscribe(c, w, until, &e);
	}
	if (r < 0) {
		if (w)
			watcher_free(w);
		api_error(c, &e);
		return;
	}
	w->stream = api_stream(c, 200, "application/json", watcher_gone, w);
	if (!w->stream) {
		watcher_free(w);
		return;
	}
	http_stream_on_drained(w->stream, drained);
	drained(w); /* what is past */
}
