/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * completion.c - bash completion out of the tables
 *
 * The script knows for each path its words and options; names of containers, images, networks and
 * volumes are asked from the engine by atoll itself, by what the command's operands are called.
 */

#include <string.h>

#include "cli/cli.h"

static void words_of_group(struct buf *out, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < cli_entries_len; i++) {
		const char *p = cli_entries[i].path;

		if (cli_entries[i].section == HIDDEN)
			continue;
		if (len ? strncmp(p, path, len) != 0 || p[len] != ' ' : strchr(p, ' ') != NULL)
			continue;
		(void)buf_printf(out, " %s", p + (len ? len + 1 : 0));
	}
}

static void options(struct buf *out, const struct opt_table *tables)
{
	for (size_t t = 0; t < OPT_TABLES; t++)
		for (size_t i = 0; i < tables[t].n; i++)
			if (tables[t].opts[i].help)
				(void)buf_printf(out, " --%s", tables[t].opts[i].name);
}

static const char *names_of(const char *operands)
{
	static const struct {
		const char *word, *call;
	} known[] = {
		{"NETWORK CONTAINER", "network ls --format {{.Name}}; ps -a --format {{.Names}}"},
		{"CONTAINER", "ps -a --format {{.Names}}"},
		{"IMAGE", "images --format {{.Repository}}:{{.Tag}}"},
		{"SOURCE_IMAGE", "images --format {{.Repository}}:{{.Tag}}"},
		{"NETWORK", "network ls --format {{.Name}}"},
		{"VOLUME", "volume ls -q"},
		{"NAME|ID",
		 "ps -a --format {{.Names}}; network ls --format {{.Name}}; volume ls -q"},
	};

	for (size_t i = 0; operands && i < ARRAY_SIZE(known); i++)
		if (str_has_prefix(operands, known[i].word))
			return known[i].call;
	return "";
}

/* "network create" is the shell's key network_create */
static void key(struct buf *out, const char *path)
{
	for (; *path; path++)
		(void)buf_putc(out, *path == ' ' ? '_' : *path);
}

static void one_case(struct buf *out, const struct entry *en)
{
	(void)buf_putc(out, '\t');
	key(out, en->path);
	(void)buf_puts(out, ") words='");
	if (!en->cmd) {
		words_of_group(out, en->path);
		(void)buf_puts(out, "' ;;\n");
		return;
	}
	options(out, en->cmd->tables);
	/* creating takes a new name, not one that is there */
	(void)buf_printf(out, " --help' names='%s' ;;\n",
			 strstr(en->path, "network create") || strstr(en->path, "volume create")
				 ? ""
				 : names_of(en->cmd->operands));
}

void completion_bash(struct buf *out)
{
	(void)buf_puts(out,
		       "# bash completion for atoll; written by 'atoll help --completion'\n"
		       "_atoll()\n{\n"
		       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} path= i w call words= names= IFS\n"
		       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		       "\t\tw=${COMP_WORDS[i]}\n"
		       "\t\tcase $w in -*) continue ;; esac\n"
		       "\t\tcase ${path:-top} in\n"
		       "\t\ttop) path=$w ;;\n\t\t");
	for (size_t i = 0, n = 0; i < cli_entries_len; i++)
		if (!cli_entries[i].cmd)
			(void)buf_printf(out, "%s%s", n++ ? " | " : "", cli_entries[i].path);
	(void)buf_puts(out, ") path=${path}_$w ;;\n\t\t*) break ;;\n\t\tesac\n\tdone\n"
			    "\tcase $path in\n\t'') words='");
	words_of_group(out, "");
	(void)buf_puts(out, " --host --version --help' ;;\n");
	for (size_t i = 0; i < cli_entries_len; i++)
		one_case(out, &cli_entries[i]);
	(void)buf_puts(out, "\tesac\n"
			    "\tcase $cur in\n"
			    "\t-*) ;;\n"
			    "\t*)\n"
			    "\t\tIFS=';'\n"
			    "\t\tfor call in $names; do\n"
			    "\t\t\tIFS=' '\n"
			    "\t\t\twords=\"$words $(atoll $call 2>/dev/null | tr '\\n' ' ')\"\n"
			    "\t\tdone\n"
			    "\t\tIFS=$' \\t\\n'\n"
			    "\t\t;;\n"
			    "\tesac\n"
			    "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
			    "}\n"
			    "complete -o default -F _atoll atoll\n");
}
