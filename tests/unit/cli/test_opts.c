/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_opts.c - arguments against option tables */

#include "cli/cli.h"
#include "tap.h"

static const struct opt options[] = {
	OPT_SWITCH('i', "interactive", "in"),
	OPT_SWITCH('t', "tty", "tty"),
	OPT_SWITCH(0, "rm", "rm"),
	OPT_PRESET(0, "proxy", NULL, "true", "on by default"),
	OPT_LIST('p', "publish", "list", "ports"),
	OPT_VALUE('w', "workdir", "string", "directory"),
	OPT_PRESET(0, "tail", "string", "all", "lines"),
	OPT_CHECK('m', "memory", "bytes", check_bytes, "memory"),
	OPT_CHECK(0, "swap", "bytes", check_swap, "swap"),
	OPT_CHECK('n', "last", "int", check_int, "number"),
	OPT_SAME("ports", "list", "publish"),
};
static const struct opt_table tables[OPT_TABLES] = {OPT_TABLE(options)};

static struct args *parse(bool stop, const char *const *argv)
{
	struct args *a = NULL;
	struct err e = {0};

	if (!ok(args_parse(tables, stop, (char *const *)(uintptr_t)argv, &a, &e) == 0,
		"taken: %s %s", argv[0], e.msg))
		abort();
	return a;
}
#define PARSE(stop, ...) parse(stop, (const char *[]){__VA_ARGS__, NULL})

static void refused(const char *says, const char *const *argv)
{
	struct args *a = NULL;
	struct err e = {0};
	int r = args_parse(tables, false, (char *const *)(uintptr_t)argv, &a, &e);

	is_err(r, e, ERR_INVALID, says);
	args_free(a);
}
#define REFUSED(says, ...) refused(says, (const char *[]){__VA_ARGS__, NULL})

static char *joined(char *const *v)
{
	auto_buf struct buf b = BUF_INIT(4096);

	for (; v && *v; v++)
		(void)buf_printf(&b, "%s%s", b.len ? " " : "", *v);
	return strdup(buf_str(&b));
}

static void is_list(char *const *v, const char *want)
{
	auto_free char *got = joined(v);

	is_str(got, want, "list %s", want);
}

static void values(void)
{
	struct args *a = PARSE(false, "-it", "--rm", "-p", "80", "-p81", "-p=82", "--publish=83",
			       "--ports", "84", "-w/x", "one", "--memory", "1k", "two");

	ok(arg_bool(a, "interactive") && arg_bool(a, "tty") && arg_bool(a, "rm"), "switches");
	is_list(arg_list(a, "publish"), "80 81 82 83 84");
	is_str(arg_str(a, "workdir"), "/x", "value glued to its letter");
	is_int(arg_bytes(a, "memory"), 1024, "bytes");
	is_list(args_operands(a), "one two");
	is_str(arg_str(a, "tail"), "all", "a preset");
	ok(!arg_given(a, "tail") && arg_bool(a, "proxy"), "is not given");
	args_free(a);
	a = PARSE(false, "--rm=false", "--proxy=0", "-t=true", "--tail=", "--swap", "-1", "-n",
		  "-5");
	ok(!arg_bool(a, "rm") && arg_given(a, "rm") && !arg_bool(a, "proxy") && arg_bool(a, "tty"),
	   "switches with values");
	is_str(arg_str(a, "tail"), "", "an empty value");
	is_int(arg_bytes(a, "swap"), -1, "unlimited swap");
	is_int(arg_int(a, "last"), -5, "a negative number");
	args_free(a);
}

static void operands(void)
{
	struct args *a = PARSE(true, "-i", "image", "-t", "--no-such", "--", "x");

	is_list(args_operands(a), "image -t --no-such -- x");
	ok(!arg_bool(a, "tty"), "behind the first operand nothing is an option");
	args_free(a);
	a = PARSE(true, "--", "-i");
	is_list(args_operands(a), "-i");
	args_free(a);
	a = PARSE(false, "a", "-", "--", "-t", "--rm");
	is_list(args_operands(a), "a - -t --rm");
	args_free(a);
	a = PARSE(false, "x", "--help");
	ok(args_help(a), "--help");
	args_free(a);
	a = PARSE(false, "-h");
	ok(args_help(a), "-h where no option has that letter");
	args_free(a);
}

static void errors(void)
{
	REFUSED("unknown flag: --nope", "--nope=1");
	REFUSED("unknown shorthand flag: 'z' in -iz", "-iz");
	REFUSED("flag needs an argument: --workdir", "--workdir");
	REFUSED("flag needs an argument: 'w' in -tw", "-tw");
	REFUSED("invalid argument \"maybe\" for \"--rm\" flag: strconv.ParseBool: parsing "
		"\"maybe\": "
		"invalid syntax",
		"--rm=maybe");
	REFUSED("invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'", "-m",
		"abc");
	REFUSED("invalid argument \"x\" for \"-n, --last\" flag: strconv.ParseInt: parsing \"x\": "
		"invalid syntax",
		"-nx");
}

/* Each command's help, usage and completion can be made: the tables are whole. */
static void all_tables(void)
{
	auto_buf struct buf text = BUF_INIT(4u << 20);

	for (size_t i = 0; i < cli_entries_len; i++) {
		const struct entry *en = &cli_entries[i];

		buf_clear(&text);
		help_entry(&text, en);
		ok(!buf_err(&text) && strstr(buf_str(&text), en->path), "help of %s", en->path);
		for (size_t t = 0; en->cmd && t < OPT_TABLES; t++)
			for (size_t k = 0; k < en->cmd->tables[t].n; k++)
				if (!en->cmd->tables[t].opts[k].name)
					ok(false, "an option of %s has no name", en->path);
	}
	buf_clear(&text);
	man_page(&text);
	ok(strstr(buf_str(&text), "\\-\\-network\\-alias"), "the man page has the options");
	buf_clear(&text);
	completion_bash(&text);
	ok(strstr(buf_str(&text), "network_create)"), "the completion has the commands");
}

int main(void)
{
	values();
	operands();
	errors();
	all_tables();
	return tap_done();
}
