/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h - the command line: one table of commands, one table of options each
 *
 * From these tables come parsing, --help, the man page and the shell's completion. A command is a
 * file (or a file of a small family) with a struct command, and a row in table.c.
 *
 * A command's function returns its exit code, or -errno with @e filled: main prints the text and
 * ends with the command's fail code (1; 125 for run, as docker has it).
 * Memory that runs out ends the program (need()): a command line has nothing to keep.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "client/client.h"

/* ---- options ---- */
struct opt {
	char letter; /* 0: none */
	const char *name;
	const char *type; /* of the value, for --help; NULL: a switch */
	const char *help; /* NULL: known, but not shown */
	const char *preset;
	bool list;					/* may be given several times */
	const char *same_as;				/* another spelling of that option */
	int (*check)(const char *value, struct err *e); /* at parsing; NULL: any text */
};
#define OPT_SWITCH(l, n, h)                                                                        \
	{                                                                                          \
		.letter = (l), .name = (n), .help = (h)                                            \
	}
#define OPT_VALUE(l, n, t, h)                                                                      \
	{                                                                                          \
		.letter = (l), .name = (n), .type = (t), .help = (h)                               \
	}
#define OPT_CHECK(l, n, t, c, h)                                                                   \
	{                                                                                          \
		.letter = (l), .name = (n), .type = (t), .check = (c), .help = (h)                 \
	}
#define OPT_PRESET(l, n, t, p, h)                                                                  \
	{                                                                                          \
		.letter = (l), .name = (n), .type = (t), .preset = (p), .help = (h)                \
	}
#define OPT_LIST(l, n, t, h)                                                                       \
	{                                                                                          \
		.letter = (l), .name = (n), .type = (t), .list = true, .help = (h)                 \
	}
#define OPT_LIST_CHECK(l, n, t, c, h)                                                              \
	{                                                                                          \
		.letter = (l), .name = (n), .type = (t), .list = true, .check = (c), .help = (h)   \
	}
#define OPT_SAME(n, t, as)                                                                         \
	{                                                                                          \
		.name = (n), .type = (t), .same_as = (as)                                          \
	}

struct opt_table {
	const struct opt *opts;
	size_t n;
};
#define OPT_TABLE(a)                                                                               \
	{                                                                                          \
		(a), ARRAY_SIZE(a)                                                                 \
	}
#define OPT_TABLES 3 /* a command has up to this many: what it shares with others, and its own */

/* ---- commands ---- */
struct cli;
struct args;
struct command {
	const char *operands; /* "CONTAINER [CONTAINER...]"; NULL: none */
	const char *summary;
	struct opt_table tables[OPT_TABLES];
	int min, max;	      /* operands; max -1: any number */
	bool stop_at_operand; /* what follows the first operand is not looked at */
	int fail_code;	      /* 0: 1 */
	int (*run)(struct cli *cli, const struct args *a, struct err *e);
};

/* A path of words and what it does. */
struct entry {
	const char *path;	   /* "network create" */
	const struct command *cmd; /* NULL: a group */
	const char *summary;	   /* of a group */
	enum { IN_COMMON, IN_MANAGEMENT, IN_COMMANDS, HIDDEN } section;
};
extern const struct entry cli_entries[];
extern const size_t cli_entries_len;
extern const struct opt_table cli_global_options;

/* ---- parsed arguments ---- */
int args_parse(const struct opt_table *tables, bool stop_at_operand, char *const *argv,
	       struct args **ret, struct err *e) MUST_CHECK; /* @argv: NULL-terminated, no name */
void args_free(struct args *a);
DEFINE_AUTO(struct args, args_free);
char *const *args_operands(const struct args *a); /* never NULL */
size_t args_n(const struct args *a);
bool args_help(const struct args *a); /* --help was among them */
/* @name must be in the tables. */
bool arg_given(const struct args *a, const char *name);
bool arg_bool(const struct args *a, const char *name);
const char *arg_str(const struct args *a, const char *name);   /* the last one; preset; NULL */
char *const *arg_list(const struct args *a, const char *name); /* NULL: none */
int64_t arg_int(const struct args *a, const char *name);   /* of an option checked with check_int */
int64_t arg_bytes(const struct args *a, const char *name); /* check_bytes, check_swap */

/* checks for struct opt */
int check_int(const char *value, struct err *e);
int check_bytes(const char *value, struct err *e);
int check_swap(const char *value, struct err *e); /* bytes or -1 */

/* ---- what a command has around it ---- */
struct cli {
	struct client_wish wish; /* -H, --context, --tls... */
	const char *path;	 /* the words of the command that runs: "network create" */
	struct client *client;
};
int cli_main(int argc, char **argv);
/* the engine's client; made on first use */
int cli_client(struct cli *cli, struct client **ret, struct err *e) MUST_CHECK;
/* one request without a body of interest: @path as url_path(), @json as client_json() */
int cli_request(struct cli *cli, const char *method, const struct buf *url, const char *json,
		json_t **ret, struct err *e) MUST_CHECK;
/* @one for each operand: prints the name, or the error on stderr. Return: 0, or 1 if one failed */
int cli_each(struct cli *cli, const struct args *a,
	     int (*one)(struct cli *cli, const struct args *a, const char *name, struct err *e),
	     bool print);
/* Ends the program by a signal as if it had never been caught, the terminal restored. */
void cli_die_by(int number);
/* Writes all. A reader that has gone ends the program by SIGPIPE, as it ends others. */
int cli_write(int fd, const void *data, size_t len, struct err *e) MUST_CHECK;
bool cli_confirm(const char *warning); /* asks on the terminal: y or not; NULL: warned already */
/* -f/--filter, --format and friends that many commands share */
#define FORMAT_HELP "Format output: 'table', 'table TEMPLATE', 'json', or a Go template"

/* ---- help (help.c), man page (man.c), completion (completion.c) ---- */
void help_top(struct buf *out);
void help_entry(struct buf *out, const struct entry *en);
void help_usage(struct buf *out, const struct entry *en); /* the Usage: line */
void help_options(struct buf *out, const struct opt_table *tables, const char *title);
const struct entry *entry_find(const char *path);
void man_page(struct buf *out);
void completion_bash(struct buf *out);

/* ---- small things ---- */
/* @p unless it is NULL: then the program ends */
#define need(p)                                                                                    \
	({                                                                                         \
		typeof(p) needed_ = (p);                                                           \
		if (!needed_)                                                                      \
			cli_no_memory();                                                           \
		needed_;                                                                           \
	})
void cli_no_memory(void) __attribute__((noreturn));
void list_add(char ***v, const char *s);
void list_addf(char ***v, const char *fmt, ...) PRINTF(2, 3);
const char *js(const json_t *obj, const char *key); /* the string, or "" */
int64_t ji(const json_t *obj, const char *key);
bool jb(const json_t *obj, const char *key);
