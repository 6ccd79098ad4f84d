/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logs.c - GET /containers/{id}/logs
 *
 * Follow ends when the container does (also where a policy starts it again, as in Docker): the wait
 * tells, the reader gives what is left, the stream ends. A slow client pauses the reader.
 */

#include "api/logs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/stream.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"

struct logs {
	struct http_stream *s;
	struct log_reader *reader;
	struct waiter *wait;
	bool tty, stamps, details;
	bool inside[3]; /* the last record of the stream was no whole line: no new time stamp */
};

static void logs_free(struct logs *l)
{
	engine_wait_cancel(l->wait);
	if (l->reader)
		log_reader_close(l->reader);
	free(l);
}

static void gone(void *data)
{
	struct logs *l = data;

	l->s = NULL;
	logs_free(l);
}

/* Go's url.QueryEscape */
static void query_escape(const char *s, struct buf *out)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (isalnum(c) || strchr("-_.~", c))
			(void)buf_putc(out, *s);
		else if (c == ' ')
			(void)buf_putc(out, '+');
		else
			(void)buf_printf(out, "%%%02X", c);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted by key; nothing where the log has none. */
static void details_text(const char *attrs, size_t len, struct buf *out)
{
	auto_json json_t *all = NULL;
	const char *keys[64], *key;
	size_t n = 0;
	json_t *v;

	if (!attrs || json_read(attrs, len, &all, NULL) < 0)
		return;
	json_object_foreach(all, key, v) if (json_is_string(v) && n < ARRAY_SIZE(keys))
		keys[n++] = key;
	qsort(keys, n, sizeof(keys[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		(void)buf_puts(out, i ? "," : "");
		query_escape(keys[i], out);
		(void)buf_putc(out, '=');
		query_escape(json_string_value(json_object_get(all, keys[i])), out);
	}
}

/* What comes before the text of a line: the time, and the attributes as "key=value,key=value ". */
static void prefix(struct logs *l, const struct log_line *line, struct buf *out)
{
	char when[RFC3339_SIZE];

	if (l->inside[line->stream])
		return;
	if (l->stamps)
		(void)buf_printf(out, "%s ", clock_rfc3339(line->ns, when));
	if (l->details) {
		details_text(line->attrs, line->attrs_len, out);
		(void)buf_putc(out, ' ');
	}
}

static int line(const struct log_line *line, void *data)
{
	auto_buf struct buf piece = BUF_INIT(2 * LIMIT_LOG_LINE),
			    out = BUF_INIT(4 * LIMIT_LOG_LINE);
	struct logs *l = data;
	int r;

	prefix(l, line, &piece);
	l->inside[line->stream] = !line->len || line->text[line->len - 1] != '\n';
	(void)buf_add(&piece, line->text, line->len);
	(void)stream_frame(&out, l->tty, line->stream, buf_str(&piece), piece.len);
	r = buf_err(&piece) < 0 ? buf_err(&piece) : buf_err(&out);
	if (r == 0)
		r = http_stream_write(l->s, out.data, out.len);
	if (r >= 0)
		return r;
	log_warn("a log is cut off error=%s", strerror(-r));
	http_stream_end(l->s);
	logs_free(l);
	return 0;
}

static void drained(void *data)
{
	struct logs *l = data;

	if (l->reader)
		log_reader_resume(l->reader);
}

static void done(void *data)
{
	struct logs *l = data;

	l->reader = NULL;
	http_stream_end(l->s);
	logs_free(l);
}

static void stopped(int exit_code, const char *error, void *data)
{
	struct logs *l = data;

	(void)exit_code;
	(void)error;
	l->wait = NULL;
	if (l->reader)
		log_reader_finish(l->reader);
}

static int stamp(const struct api_call *c, const char *key, int64_t *ret, struct err *e)
{
	const char *text = api_query(c, key);

	*ret = 0;
	if (str_empty(text) || streq(text, "0"))
		return 0;
	return clock_parse_stamp(text, clock_real_ns(), ret) < 0
		       ? err_invalid(e, "invalid value for \"%s\": %s", key, text)
		       : 0;
}

static int read_query(const struct api_call *c, struct log_query *q, struct err *e)
{
	const char *tail = api_query(c, "tail");
	int r;

	q->out = api_query_bool(c, "stdout", false);
	q->err = api_query_bool(c, "stderr", false);
	q->follow = api_query_bool(c, "follow", false);
	if (str_empty(tail) || parse_i64(tail, &q->tail) < 0 || q->tail < 0)
		q->tail = -1; /* "all", and what is no number, as Docker does */
	if (!q->out && !q->err)
		return err_invalid(e, "Bad parameters: you must choose at least one stream");
	r = stamp(c, "since", &q->since_ns, e);
	return r < 0 ? r : stamp(c, "until", &q->until_ns, e);
}

int container_log_open(struct engine *en, struct container *k, struct log_query *q,
		       const struct log_reader_ops *ops, struct log_reader **ret, struct err *e)
{
	const json_t *driver = json_get(json_get(container_host_config(k), "LogConfig"), "Type");
	auto_free char *path = NULL;
	int r;

	if (streq(json_string_value(driver), "none"))
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP,
			       "configured logging driver does not support reading");
	if (container_log_path(k, &path) < 0)
		return err_nomem(e);
	/* its folder is watched for the file to come */
	r = container_log_folder(k, path);
	if (r < 0)
		return err_sys(e, -r, "%s", path);
	q->path = path; /* copied by the reader */
	return log_reader_open(engine_loop(en), q, ops, ret, e);
}

static int begin(const struct api_call *c, struct logs *l, struct container *k, struct err *e)
{
	struct log_reader_ops ops = {.line = line, .done = done, .data = l};
	struct log_query q = {0};
	int r = read_query(c, &q, e);

	l->tty = container_tty(k);
	l->stamps = api_query_bool(c, "timestamps", false);
	l->details = api_query_bool(c, "details", false);
	q.follow = q.follow && container_running(k);
	if (r >= 0)
		r = container_log_open(c->en, k, &q, &ops, &l->reader, e);
	if (r >= 0 && q.follow && engine_wait(k, WAIT_NEXT_EXIT, stopped, l, &l->wait) < 0)
		r = err_nomem(e);
	return r;
}

void containers_logs(struct api_call *c)
{
	struct container *k;
	struct logs *l = NULL;
	struct err e = {0};
	int r = engine_find(c->en, c->params[0], &k, &e);

	if (r >= 0) {
		l = calloc(1, sizeof(*l));
		r = l ? begin(c, l, k, &e) : err_nomem(&e);
	}
	if (r < 0) {
		if (l)
			logs_free(l);
		api_error(c, &e);
		return;
	}
	/* the reader begins on the loop's next turn */
	l->s = api_stream(c, 200, stream_type(l->tty, c->version), gone, l);
	if (!l->s) {
		logs_free(l);
		return;
	}
	http_stream_on_drained(l->s, drained);
}
