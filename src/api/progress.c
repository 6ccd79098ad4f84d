/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.c - lines of progress */
#include "api/progress.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"

#define LINE_MAX_BYTES (64u << 10)
#define BAR_CELLS      50

/* units.HumanSize: four digits, decimal units */
static void human_size(int64_t n, char out[24])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)n;
	size_t i = 0;

	for (; v >= 1000.0 && i + 1 < ARRAY_SIZE(units); i++)
		v /= 1000.0;
	(void)snprintf(out, 24, "%.4g%s", v, units[i]);
}

void progress_bar(int64_t current, int64_t total, char *out, size_t room)
{
	static const char equals[] = "==================================================";
	char now[24], all[24];
	int cells;

	*out = '\0';
	if (current <= 0 && total <= 0)
		return;
	human_size(current, now);
	human_size(total, all);
	if (total <= 0 || current > total) {
		(void)snprintf(out, room, "%8s", now);
		return;
	}
	cells = (int)((double)current / (double)total * 100) / 2;
	cells = MIN(MAX(cells, 0), BAR_CELLS);
	(void)snprintf(out, room, "[%.*s>%*s] %8s/%s", cells, equals, BAR_CELLS - cells, "", now,
		       all);
}

/* ---- the stream ---- */

static void call_gone(struct api_call *c)
{
	struct progress *p = c->data;

	p->call = NULL;
	api_drop(c);
	p->gone(p->data);
}

static void stream_gone(void *data)
{
	struct progress *p = data;

	p->stream = NULL;
	p->gone(p->data);
}

static void drained(void *data)
{
	((struct progress *)data)->behind = false;
}

void progress_begin(struct progress *p, struct api_call *c, void (*gone)(void *data), void *data)
{
	*p = (struct progress){.call = c, .gone = gone, .data = data};
	c->data = p;
	c->gone = call_gone;
}

static void open_stream(struct progress *p)
{
	struct api_call *c = TAKE_PTR(p->call);

	c->gone = NULL;
	p->stream = api_stream(c, 200, "application/json", stream_gone, p);
	if (p->stream)
		http_stream_on_drained(p->stream, drained);
}

static void put(struct progress *p, struct buf *b)
{
	int r;

	if (p->call)
		open_stream(p);
	(void)buf_puts(b, "\r\n"); /* looked at below */
	r = !p->stream || buf_err(b) ? 0 : http_stream_write(p->stream, b->data, b->len);
	p->behind = p->behind || r > 0;
	if (r < 0) { /* it does not read: what it missed cannot be told any more */
		http_stream_end(TAKE_PTR(p->stream));
		p->behind = true;
	}
}

void progress_object(struct jsonw *w, const char *id, const char *status, int64_t current,
		     int64_t total)
{
	char bar[160];

	jsonw_object(w, NULL);
	jsonw_str(w, "status", status);
	if (current >= 0) {
		jsonw_object(w, "progressDetail");
		if (current > 0) {
			jsonw_i64(w, "current", current);
			jsonw_i64(w, "total", total);
		}
		jsonw_end_object(w);
		progress_bar(current, total, bar, sizeof(bar));
		if (*bar)
			jsonw_str(w, "progress", bar);
	}
	if (id)
		jsonw_str(w, "id", id);
	jsonw_end_object(w);
}

void progress_line(struct progress *p, const char *id, const char *status, int64_t current,
		   int64_t total)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);
	struct jsonw w = JSONW_INIT(&b);

	if (current > 0 && p->behind)
		return; /* the next one tells more */
	progress_object(&w, id, status, current, total);
	put(p, &b);
}

void progress_aux(struct progress *p, const json_t *aux)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_raw(&w, "progressDetail", "{}");
	jsonw_json(&w, "aux", aux);
	jsonw_end_object(&w);
	put(p, &b);
}

static void error_line(struct progress *p, const char *message)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);

	api_error_line(&b, 0, message);
	put(p, &b);
}

void progress_end(struct progress *p, const struct err *e)
{
	if (p->call && e) {
		p->call->gone = NULL;
		api_error(TAKE_PTR(p->call), e);
		return;
	}
	if (p->call)
		open_stream(p);
	if (e && p->stream)
		error_line(p, e->msg);
	if (p->stream)
		http_stream_end(TAKE_PTR(p->stream));
}
