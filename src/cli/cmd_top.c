/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_top.c - top: the processes in a container, as ps lists them */

#include <unistd.h>

#include "cli/commands.h"
#include "cli/format.h"

static void line(struct buf *out, const json_t *cells)
{
	size_t i;
	json_t *s;

	json_array_foreach(cells, i, s)(void)
		buf_printf(out, "%s%s", i ? "\t" : "", json_string_value(s));
	(void)buf_putc(out, '\n');
}

static int top(struct cli *cli, const struct args *a, struct err *e)
{
	char *const *words = args_operands(a);
	auto_buf struct buf u = URL_INIT, ps = BUF_INIT(1u << 20), lines = BUF_INIT(16u << 20),
			    out = BUF_INIT(64u << 20);
	auto_json json_t *answer = NULL;
	size_t i;
	json_t *p;
	int r;

	for (char *const *w = words + 1; *w; w++)
		(void)buf_printf(&ps, "%s%s", ps.len ? " " : "", *w);
	url_path(&u, "/containers/%/top", words[0]);
	url_query(&u, "ps_args", ps.len ? buf_str(&ps) : NULL);
	r = cli_request(cli, "GET", &u, NULL, &answer, e);
	if (r < 0)
		return r;
	line(&lines, json_get(answer, "Titles"));
	json_array_foreach(json_get(answer, "Processes"), i, p) line(&lines, p);
	columns_align(&out, buf_str(&lines));
	if (buf_err(&lines) || buf_err(&out))
		cli_no_memory();
	return cli_write(STDOUT_FILENO, out.data, out.len, e);
}

const struct command cmd_top = {
	.operands = "CONTAINER [ps OPTIONS]",
	.summary = "Display the running processes of a container",
	.min = 1,
	.max = -1,
	.stop_at_operand = true,
	.run = top,
};
