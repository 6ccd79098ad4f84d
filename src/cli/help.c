/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help.c - --help out of the command and option tables, in the shape docker's users know */

#include <string.h>

#include "cli/cli.h"

#define WIDTH 80

const struct entry *entry_find(const char *path)
{
	for (size_t i = 0; i < cli_entries_len; i++)
		if (streq(cli_entries[i].path, path))
			return &cli_entries[i];
	return NULL;
}

static const char *summary(const struct entry *en)
{
	return en->cmd ? en->cmd->summary : en->summary;
}

/* ---- options ---- */

/* "-e, --env list" */
static void left_side(struct buf *out, const struct opt *o)
{
	buf_clear(out);
	if (o->letter)
		(void)buf_printf(out, "-%c, --%s", o->letter, o->name);
	else
		(void)buf_printf(out, "    --%s", o->name);
	if (o->type)
		(void)buf_printf(out, " %s", o->type);
}

/* Words of @text from column @from on, never past WIDTH where that can be. */
static void wrapped(struct buf *out, const char *text, size_t from)
{
	size_t column = from;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > from && column + 1 + n > WIDTH) {
			(void)buf_printf(out, "\n%*s", (int)from, "");
			column = from;
		} else if (column > from) {
			(void)buf_putc(out, ' ');
			column++;
		}
		(void)buf_add(out, text, n);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	(void)buf_putc(out, '\n');
}

static void option_line(struct buf *out, const struct opt *o, size_t width)
{
	auto_buf struct buf left = BUF_INIT(256), text = BUF_INIT(2048);

	left_side(&left, o);
	(void)buf_puts(&text, o->help);
	if (o->preset)
		(void)buf_printf(&text,
				 o->type && streq(o->type, "string") ? " (default \"%s\")"
								     : " (default %s)",
				 o->preset);
	(void)buf_printf(out, "  %-*s   ", (int)width, buf_str(&left));
	wrapped(out, buf_str(&text), width + 5);
}

static int by_name(const void *a, const void *b)
{
	const struct opt *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void help_options(struct buf *out, const struct opt_table *tables, const char *title)
{
	const struct opt *list[128];
	auto_buf struct buf left = BUF_INIT(256);
	size_t n = 0, width = 0;

	for (size_t t = 0; t < OPT_TABLES; t++)
		for (size_t i = 0; i < tables[t].n && n < ARRAY_SIZE(list); i++)
			if (tables[t].opts[i].help)
				list[n++] = &tables[t].opts[i];
	if (!n)
		return;
	qsort(list, n, sizeof(*list), by_name);
	for (size_t i = 0; i < n; i++) {
		left_side(&left, list[i]);
		width = MAX(width, left.len);
	}
	(void)buf_printf(out, "\n%s:\n", title);
	for (size_t i = 0; i < n; i++)
		option_line(out, list[i], width);
}

/* ---- commands ---- */

static void command_line(struct buf *out, const char *name, const char *text)
{
	(void)buf_printf(out, "  %-11s ", name);
	wrapped(out, text, 14);
}

/* The entries right below the group @path ("" for the top) that are in @section. */
static void section(struct buf *out, const char *path, int which, const char *title)
{
	size_t len = strlen(path);
	bool begun = false;

	for (size_t i = 0; i < cli_entries_len; i++) {
		const struct entry *en = &cli_entries[i];
		const char *rest = en->path;

		if ((int)en->section != which)
			continue;
		if (len && (strncmp(rest, path, len) != 0 || rest[len] != ' '))
			continue;
		rest += len ? len + 1 : 0;
		if (strchr(rest, ' '))
			continue;
		if (!begun)
			(void)buf_printf(out, "\n%s:\n", title);
		begun = true;
		command_line(out, rest, summary(en));
	}
}

void help_top(struct buf *out)
{
	const struct opt_table tables[OPT_TABLES] = {cli_global_options};

	(void)buf_puts(out, "Usage:  atoll [OPTIONS] COMMAND\n\n"
			    "A container engine whose heart is its networks\n");
	section(out, "", IN_COMMON, "Common Commands");
	section(out, "", IN_MANAGEMENT, "Management Commands");
	section(out, "", IN_COMMANDS, "Commands");
	help_options(out, tables, "Global Options");
	(void)buf_puts(out, "\nRun 'atoll COMMAND --help' for more information on a command.\n");
}

static bool has_options(const struct command *c)
{
	for (size_t t = 0; t < OPT_TABLES; t++)
		for (size_t i = 0; i < c->tables[t].n; i++)
			if (c->tables[t].opts[i].help)
				return true;
	return false;
}

void help_usage(struct buf *out, const struct entry *en)
{
	(void)buf_printf(out, "Usage:  atoll %s", en->path);
	if (!en->cmd) {
		(void)buf_puts(out, " COMMAND\n");
		return;
	}
	if (has_options(en->cmd))
		(void)buf_puts(out, " [OPTIONS]");
	if (en->cmd->operands)
		(void)buf_printf(out, " %s", en->cmd->operands);
	(void)buf_putc(out, '\n');
}

/* All paths to the same command, if there are several. */
static void aliases(struct buf *out, const struct entry *en)
{
	size_t n = 0;

	for (size_t i = 0; i < cli_entries_len; i++)
		n += cli_entries[i].cmd == en->cmd;
	if (n < 2)
		return;
	(void)buf_puts(out, "\nAliases:\n");
	for (size_t i = 0, k = 0; i < cli_entries_len; i++)
		if (cli_entries[i].cmd == en->cmd)
			(void)buf_printf(out, "%satoll %s", k++ ? ", " : "  ", cli_entries[i].path);
	(void)buf_putc(out, '\n');
}

void help_entry(struct buf *out, const struct entry *en)
{
	help_usage(out, en);
	(void)buf_printf(out, "\n%s\n", summary(en));
	if (en->cmd) {
		aliases(out, en);
		help_options(out, en->cmd->tables, "Options");
		return;
	}
	section(out, en->path, IN_COMMANDS, "Commands");
	(void)buf_printf(out,
			 "\nRun 'atoll %s COMMAND --help' for more information on a command.\n",
			 en->path);
}
