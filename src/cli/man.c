/* SPDX-License-Identifier: GPL-2.0-or-later */
/* man.c - atoll(1) out of the tables, as troff for man(7) */

#include <string.h>

#include "cli/cli.h"

/* Text with what troff would take for its own made harmless. */
static void text(struct buf *out, const char *s)
{
	bool begin = true;

	for (; *s; s++) {
		if (begin && (*s == '.' || *s == '\''))
			(void)buf_puts(out, "\\&");
		if (*s == '\\')
			(void)buf_puts(out, "\\e");
		else if (*s == '-')
			(void)buf_puts(out, "\\-");
		else if (*s == '\'')
			(void)buf_puts(out, "\\(aq");
		else
			(void)buf_putc(out, *s);
		begin = *s == '\n';
	}
}

static void option(struct buf *out, const struct opt *o)
{
	if (!o->help)
		return;
	(void)buf_puts(out, ".TP\n");
	if (o->letter)
		(void)buf_printf(out, "\\fB\\-%c\\fR, ", o->letter);
	(void)buf_puts(out, "\\fB\\-\\-");
	text(out, o->name);
	(void)buf_puts(out, "\\fR");
	if (o->type)
		(void)buf_printf(out, " \\fI%s\\fR", o->type);
	(void)buf_putc(out, '\n');
	text(out, o->help);
	if (o->preset) {
		(void)buf_puts(out, " (default ");
		text(out, o->preset);
		(void)buf_putc(out, ')');
	}
	(void)buf_putc(out, '\n');
}

static void options(struct buf *out, const struct opt_table *tables)
{
	for (size_t t = 0; t < OPT_TABLES; t++)
		for (size_t i = 0; i < tables[t].n; i++)
			option(out, &tables[t].opts[i]);
}

/* The first entry with this command; the others are its aliases. */
static bool is_first(const struct entry *en)
{
	for (const struct entry *x = cli_entries; x < en; x++)
		if (x->cmd == en->cmd)
			return false;
	return true;
}

static void command(struct buf *out, const struct entry *en)
{
	auto_buf struct buf usage = BUF_INIT(4096);
	bool also = false;

	help_usage(&usage, en);
	(void)buf_puts(out, ".SS ");
	text(out, buf_str(&usage) + strlen("Usage:  "));
	text(out, en->cmd->summary);
	(void)buf_puts(out, ".\n");
	for (size_t i = 0; i < cli_entries_len; i++) {
		const struct entry *x = &cli_entries[i];

		if (x == en || x->cmd != en->cmd || x->section == HIDDEN)
			continue;
		(void)buf_printf(out, "%s\\fBatoll %s\\fR", also ? ", " : "Also: ", x->path);
		also = true;
	}
	if (also)
		(void)buf_puts(out, ".\n");
	options(out, en->cmd->tables);
}

static const char head[] = ".SH NAME\n"
			   "atoll \\- run containers and shape their networks\n"
			   ".SH SYNOPSIS\n"
			   ".B atoll\n"
			   "[OPTIONS] COMMAND [ARG...]\n"
			   ".SH DESCRIPTION\n"
			   ".B atoll\n"
			   "is the command line of the Atoll container engine,\n"
			   ".BR atolld (8).\n"
			   "Its commands, options and output are those of\n"
			   ".BR docker (1);\n"
			   "it speaks the Engine API and works with any engine that does.\n"
			   ".SH GLOBAL OPTIONS\n";

static const char tail[] =
	".SH FORMATS\n"
	"\\fB\\-\\-format\\fR takes \\fBtable\\fR, \\fBtable TEMPLATE\\fR, \\fBjson\\fR, or a\n"
	"template of Go\\(aqs text/template: fields, variables, \\fBif\\fR, \\fBwith\\fR and\n"
	"\\fBrange\\fR, and the functions json, index, len, join, split, upper, lower, title, "
	"print,\n"
	"println, printf, slice, eq, ne, lt, le, gt, ge, and, or, not.\n"
	".SH EXIT STATUS\n"
	"0, or 1 where something failed; 125 for wrong options.\n"
	"\\fBrun\\fR ends with the exit code of the container; 125 if the engine failed, 126 if "
	"the\n"
	"command cannot be invoked, 127 if it cannot be found.\n"
	"\\fBexec\\fR ends with the exit code of the command.\n"
	".SH ENVIRONMENT\n"
	".TP\n.B ATOLL_HOST\nThe engine to connect to, as \\fB\\-\\-host\\fR.\n"
	".TP\n.B DOCKER_HOST\nThe same, where ATOLL_HOST is not set.\n"
	".TP\n.B DOCKER_API_VERSION\nSpeak this version of the API (1.24 to 1.51) and do not ask.\n"
	".SH FILES\n"
	".TP\n.I /run/atoll.sock\nThe engine\\(aqs socket where nothing else is said.\n"
	".SH SEE ALSO\n"
	".BR atolld (8)\n";

void man_page(struct buf *out)
{
	const struct opt_table tables[OPT_TABLES] = {cli_global_options};

	(void)buf_printf(out, ".TH ATOLL 1 \"\" \"Atoll %s\" \"User Commands\"\n%s", ATOLL_VERSION,
			 head);
	options(out, tables);
	(void)buf_puts(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < cli_entries_len; i++)
		if (cli_entries[i].cmd && is_first(&cli_entries[i]))
			command(out, &cli_entries[i]);
	(void)buf_puts(out, tail);
}
