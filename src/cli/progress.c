/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.c - streams of JSON lines */

#include "cli/progress.h"

#include <string.h>

#include "cli/cli.h"

int lines_feed(struct buf *rest, const char *piece, size_t len,
	       int (*line)(void *data, const char *text, size_t len), void *data)
{
	while (len) {
		const char *nl = memchr(piece, '\n', len);
		size_t n = nl ? (size_t)(nl - piece) : len;
		int r = buf_add(rest, piece, n);

		if (r == 0 && nl && rest->len)
			r = line(data, rest->data, rest->len);
		if (r)
			return r;
		if (nl)
			buf_clear(rest);
		n += nl != NULL;
		piece += n;
		len -= n;
	}
	return 0;
}

/* the line of a layer: a terminal's cursor goes to its place and back */
static void show_place(struct progress *p, const char *id, const char *text, FILE *out)
{
	size_t at = 0, n = strv_len(p->ids);

	while (at < n && !streq(p->ids[at], id))
		at++;
	if (at == n) {
		list_add(&p->ids, id);
		(void)fprintf(out, "%s: %s\n", id, text);
		return;
	}
	(void)fprintf(out, "\033[%zuA\r\033[2K%s: %s\r\033[%zuB", n - at, id, text, n - at);
}

static void show_step(struct progress *p, const json_t *j, FILE *out)
{
	const char *id = js(j, "id"), *status = js(j, "status"), *bar = js(j, "progress");
	auto_free char *text = need(str_printf("%s%s%s", status, *bar ? " " : "", bar));

	if (json_get(j, "aux"))
		return;
	if (*id && json_get(j, "progressDetail") && isatty(fileno(out))) {
		show_place(p, id, text, out);
		return;
	}
	if (*bar) /* where lines cannot be taken back only steps are told */
		return;
	strv_free(p->ids); /* what follows is below them */
	p->ids = NULL;
	(void)fprintf(out, "%s%s%s\n", id, *id ? ": " : "", status);
}

void progress_done(struct progress *p)
{
	buf_done(&p->line);
	strv_free(p->ids);
	p->ids = NULL;
}

static int one(void *data, const char *text, size_t len)
{
	struct progress *p = data;
	FILE *out = p->out ? p->out : stdout;
	auto_json json_t *j = NULL;
	const char *said;

	if (json_read(text, len, &j, NULL) < 0)
		return 0;
	said = *js(j, "error") ? js(j, "error") : js(json_get(j, "errorDetail"), "message");
	if (*said) {
		(void)err_set(&p->failed, ERR_INTERNAL, EIO, "%s", said);
		p->code = (int)ji(json_get(j, "errorDetail"), "code");
		return 0;
	}
	if (p->quiet)
		return 0;
	if (*js(j, "stream"))
		(void)fputs(js(j, "stream"), out);
	else if (p->steps)
		show_step(p, j, out);
	else if (*js(j, "status") && !json_get(j, "progressDetail"))
		(void)fprintf(out, "%s\n", js(j, "status"));
	(void)fflush(out);
	return 0;
}

int progress_data(void *data, const void *piece, size_t len)
{
	struct progress *p = data;

	return lines_feed(&p->line, piece, len, one, p);
}

int progress_end(struct progress *p, struct err *e)
{
	if (p->line.len)
		(void)one(p, p->line.data, p->line.len);
	if (!p->failed.code)
		return 0;
	return err_set(e, p->failed.kind, -p->failed.code, "%s", p->failed.msg);
}
