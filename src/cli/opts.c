/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opts.c - arguments against option tables, with the rules and texts of docker's
 *
 * --name=value, --name value, -n value, -nvalue, -n=value, bundles of switches (-it), switches with
 * a value (--rm=false), "--" ends the options, "-" is an operand.
 */

#include <string.h>

#include "cli/cli.h"

#define OPTS_MAX 128

struct args {
	const struct opt *opts[OPTS_MAX];
	char **values[OPTS_MAX];
	size_t n_opts;
	char **operands;
	bool help;
};

void args_free(struct args *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_opts; i++)
		strv_free(a->values[i]);
	strv_free(a->operands);
	free(a);
}

/* ---- parsing ---- */

static ssize_t find_name(const struct args *a, const char *name, size_t len)
{
	for (size_t i = 0; i < a->n_opts; i++)
		if (strlen(a->opts[i]->name) == len && !strncmp(a->opts[i]->name, name, len))
			return a->opts[i]->same_as ? find_name(a, a->opts[i]->same_as,
							       strlen(a->opts[i]->same_as))
						   : (ssize_t)i;
	return -1;
}

static ssize_t find_letter(const struct args *a, char letter)
{
	for (size_t i = 0; i < a->n_opts; i++)
		if (a->opts[i]->letter == letter)
			return (ssize_t)i;
	return -1;
}

static int wrong_value(const struct opt *o, const char *value, const char *why, struct err *e)
{
	return o->letter ? err_invalid(e, "invalid argument \"%s\" for \"-%c, --%s\" flag: %s",
				       value, o->letter, o->name, why)
			 : err_invalid(e, "invalid argument \"%s\" for \"--%s\" flag: %s", value,
				       o->name, why);
}

static int take(struct args *a, size_t i, const char *value, struct err *e)
{
	const struct opt *o = a->opts[i];
	struct err why = {0};
	bool b;

	if (!o->type && parse_bool(value, &b) < 0) {
		auto_free char *text = need(
			str_printf("strconv.ParseBool: parsing \"%s\": invalid syntax", value));

		return wrong_value(o, value, text, e);
	}
	if (o->check && o->check(value, &why) < 0)
		return wrong_value(o, value, why.msg, e);
	list_add(&a->values[i], value);
	return 0;
}

/* "--name", "--name=value". Return: arguments used, or -EINVAL */
static int take_long(struct args *a, char *const *argv, struct err *e)
{
	const char *name = argv[0] + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	ssize_t i = find_name(a, name, len);
	int r;

	if (i < 0 && len == 4 && !strncmp(name, "help", 4)) {
		a->help = true;
		return 1;
	}
	if (i < 0)
		return err_invalid(e, "unknown flag: --%.*s", (int)len, name);
	if (eq) {
		r = take(a, (size_t)i, eq + 1, e);
		return r < 0 ? r : 1;
	}
	if (!a->opts[i]->type) {
		r = take(a, (size_t)i, "true", e);
		return r < 0 ? r : 1;
	}
	if (!argv[1])
		return err_invalid(e, "flag needs an argument: --%s", name);
	r = take(a, (size_t)i, argv[1], e);
	return r < 0 ? r : 2;
}

/* "-it", "-p80:80", "-p 80:80", "-t=false". Return: arguments used, or -EINVAL */
static int take_short(struct args *a, char *const *argv, struct err *e)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		ssize_t i = find_letter(a, *p);
		const char *rest = p + 1;
		int r;

		if (i < 0 && *p == 'h') {
			a->help = true;
			return 1;
		}
		if (i < 0)
			return err_invalid(e, "unknown shorthand flag: '%c' in %s", *p, argv[0]);
		if (!a->opts[i]->type && *rest != '=') {
			r = take(a, (size_t)i, "true", e);
			if (r < 0)
				return r;
			continue;
		}
		if (!*rest && !argv[1])
			return err_invalid(e, "flag needs an argument: '%c' in %s", *p, argv[0]);
		r = take(a, (size_t)i, *rest ? rest + (*rest == '=') : argv[1], e);
		return r < 0 ? r : *rest ? 1 : 2;
	}
	return 1;
}

static int parse(struct args *a, bool stop_at_operand, char *const *argv, struct err *e)
{
	while (*argv) {
		int used = 1;

		if (streq(*argv, "--")) {
			argv++;
			break;
		}
		if (**argv != '-' || streq(*argv, "-")) {
			list_add(&a->operands, *argv);
			argv++;
			if (stop_at_operand)
				break;
			continue;
		}
		used = (*argv)[1] == '-' ? take_long(a, argv, e) : take_short(a, argv, e);
		if (used < 0)
			return used;
		argv += used;
	}
	for (; *argv; argv++)
		list_add(&a->operands, *argv);
	return 0;
}

int args_parse(const struct opt_table *tables, bool stop_at_operand, char *const *argv,
	       struct args **ret, struct err *e)
{
	auto_(args_free) struct args *a = need(calloc(1, sizeof(*a)));
	int r;

	for (size_t t = 0; t < OPT_TABLES; t++)
		for (size_t i = 0; i < tables[t].n && a->n_opts < OPTS_MAX; i++)
			a->opts[a->n_opts++] = &tables[t].opts[i];
	r = parse(a, stop_at_operand, argv, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}

/* ---- reading ---- */

char *const *args_operands(const struct args *a)
{
	static char *const none[] = {NULL};

	return a->operands ? a->operands : none;
}

size_t args_n(const struct args *a)
{
	return strv_len(a->operands);
}

bool args_help(const struct args *a)
{
	return a->help;
}

/* A name that is in no table is a mistake of the program. */
static size_t at(const struct args *a, const char *name)
{
	ssize_t i = find_name(a, name, strlen(name));

	if (i < 0)
		abort();
	return (size_t)i;
}

bool arg_given(const struct args *a, const char *name)
{
	return a->values[at(a, name)] != NULL;
}

char *const *arg_list(const struct args *a, const char *name)
{
	return a->values[at(a, name)];
}

const char *arg_str(const struct args *a, const char *name)
{
	size_t i = at(a, name), n = strv_len(a->values[i]);

	return n ? a->values[i][n - 1] : a->opts[i]->preset;
}

bool arg_bool(const struct args *a, const char *name)
{
	const char *s = arg_str(a, name);
	bool b = false;

	return s && parse_bool(s, &b) >= 0 && b;
}

int64_t arg_int(const struct args *a, const char *name)
{
	const char *s = arg_str(a, name);
	int64_t v = 0;

	return s && parse_i64(s, &v) >= 0 ? v : 0;
}

int64_t arg_bytes(const struct args *a, const char *name)
{
	const char *s = arg_str(a, name);
	int64_t v = 0;

	if (streq(s, "-1"))
		return -1;
	return s && parse_ram(s, &v) >= 0 ? v : 0;
}

/* ---- checks ---- */

int check_int(const char *value, struct err *e)
{
	int64_t v;

	if (parse_i64(value, &v) < 0)
		return err_invalid(e, "strconv.ParseInt: parsing \"%s\": invalid syntax", value);
	return 0;
}

int check_bytes(const char *value, struct err *e)
{
	int64_t v;

	if (parse_ram(value, &v) < 0)
		return err_invalid(e, "invalid size: '%s'", value);
	return 0;
}

int check_swap(const char *value, struct err *e)
{
	return streq(value, "-1") ? 0 : check_bytes(value, e);
}
