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

static int one(void *data, const char *text, size_t len)
{
	struct progress *p = data;
	auto_json json_t *j = NULL;
	const char *said;

	if (json_read(text, len, &j, NULL) < 0)
		return 0;
	said = *js(j, "error") ? js(j, "error") : js(json_get(j, "errorDetail"), "message");
	if (*said) {
		(void)err_set(&p->failed, ERR_INTERNAL, EIO, "%s", said);
		return 0;
	}
	if (p->quiet)
		return 0;
	if (*js(j, "stream"))
		(void)fputs(js(j, "stream"), stdout);
	else if (*js(j, "status") && !json_get(j, "progressDetail"))
		(void)printf("%s\n", js(j, "status"));
	(void)fflush(stdout);
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
