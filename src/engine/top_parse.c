/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_parse.c - what ps writes, cut into cells; only a container's processes are kept. Pure;
 * fuzzed: a process chooses the text of its command line. */

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/life_internal.h"

#define CELLS_MAX 256

void top_done(struct top *t)
{
	for (size_t i = 0; i < t->n; i++)
		strv_free(t->processes[i]);
	free(t->processes);
	strv_free(t->titles);
	*t = (struct top){0};
}

/* At most @max cells, the last of them with all that follows. */
static int cells(const char *line, size_t len, size_t max, char ***ret)
{
	const char *end = line + len;
	size_t n = 0;

	while (n < max) {
		const char *from;
		size_t size;

		while (line < end && strchr(" \t\r\v\f", *line))
			line++;
		if (line >= end)
			break;
		from = line;
		while (line < end && !strchr(" \t\r\v\f", *line))
			line++;
		if (++n == max) { /* without the blanks at the end */
			line = end;
			while (line > from && strchr(" \t\r\v\f", line[-1]))
				line--;
		}
		size = (size_t)(line - from);
		if (strv_addf(ret, "%.*s", (int)MIN(size, (size_t)INT32_MAX), from) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int pid_column(char *const *titles)
{
	for (int i = 0; titles && titles[i]; i++)
		if (streq(titles[i], "PID"))
			return i;
	return -1;
}

static bool among(uint32_t pid, const pid_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((uint32_t)pids[i] == pid)
			return true;
	return false;
}

static int keep(struct top *t, char **row)
{
	char ***v = reallocarray(t->processes, t->n + 2, sizeof(*v));

	if (!v)
		return -ENOMEM;
	t->processes = v;
	v[t->n++] = row;
	v[t->n] = NULL;
	return 0;
}

int top_parse(const char *text, const pid_t *pids, size_t n, struct top *ret, struct err *e)
{
	struct top t = {0};
	bool thread = false; /* lines of "-" belong to the process above them */
	int column = -1, r = 0;
	size_t titles = 0;

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		auto_strv char **row = NULL;
		size_t len = strcspn(p, "\n");
		uint32_t pid;

		r = cells(p, len, titles ? titles : CELLS_MAX, titles ? &row : &t.titles);
		if (r < 0)
			break;
		if (!titles) {
			titles = strv_len(t.titles);
			column = pid_column(t.titles);
			if (column < 0)
				break;
			continue;
		}
		if (strv_len(row) <= (size_t)column)
			continue;
		if (parse_u32(row[column], &pid) >= 0) {
			thread = among(pid, pids, n);
		} else if (!streq(row[column], "-")) {
			r = err_set(e, ERR_INTERNAL, EBADMSG, "Unexpected pid '%.100s'",
				    row[column]);
			break;
		}
		if (thread && (r = keep(&t, row)) < 0)
			break;
		if (thread)
			row = NULL;
	}
	if (r == -ENOMEM)
		(void)err_nomem(e);
	else if (r >= 0 && column < 0)
		r = err_set(e, ERR_INTERNAL, ENOENT, "Couldn't find PID field in ps output");
	if (r < 0) {
		top_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}
