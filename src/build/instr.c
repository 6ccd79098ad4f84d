/* SPDX-License-Identifier: GPL-2.0-or-later */
/* instr.c - one line of a Dockerfile to a typed instruction: flags, arguments, checks */

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "build/dockerfile.h"

struct parse {
	struct instr *i;
	const char *word; /* the instruction, upper case */
	char *flags;	  /* "--x=y --z=w", or "" */
	char *rest;	  /* the arguments */
	char escape;
};

typedef int (*parse_fn)(struct parse *ps, struct err *e);

struct verb_row {
	const char *word;
	enum verb verb;
	parse_fn fn;
	const char *flags;    /* names, each with a blank behind it */
	const char *buildkit; /* those that only BuildKit has */
};

/* ---- errors ---- */

static int needs(const struct parse *ps, const char *what, struct err *e)
{
	return err_invalid(e, "%s requires %s", ps->word, what);
}

static int blank_name(const struct parse *ps, struct err *e)
{
	return err_invalid(e, "%s names can not be blank", ps->word);
}

/* ---- arguments ---- */

static int add(struct parse *ps, const char *word, struct err *e)
{
	return strv_add(&ps->i->args, word) < 0 ? err_nomem(e) : 0;
}

/* the list form, or all of the text as one word */
static int list_or_text(struct parse *ps, struct err *e)
{
	int r = words_json(ps->rest, &ps->i->args, e);

	if (r < 0)
		return r;
	ps->i->json = r > 0;
	return r == 0 && *ps->rest ? add(ps, ps->rest, e) : 0;
}

/* the list form, or words between blanks */
static int list_or_words(struct parse *ps, struct err *e)
{
	int r = words_json(ps->rest, &ps->i->args, e);

	if (r < 0)
		return r;
	ps->i->json = r > 0;
	for (char *save = NULL, *w = r ? NULL : strtok_r(ps->rest, " \t\v\f\r", &save); w;
	     w = strtok_r(NULL, " \t\v\f\r", &save))
		if (add(ps, w, e) < 0)
			return -ENOMEM;
	return 0;
}

/* Does a word of @text begin a here-document? */
static bool has_heredoc(const char *text)
{
	for (const char *p = text; (p = strstr(p, "<<")); p += 2) {
		const char *at = p;
		const char *to = p + 2 + (p[2] == '-');

		while (at > text && isdigit((unsigned char)at[-1]))
			at--;
		if ((at == text || isspace((unsigned char)at[-1])) &&
		    (isalpha((unsigned char)*to) || *to == '_' || *to == '"' || *to == '\''))
			return true;
	}
	return false;
}

static int refuse_heredoc(struct parse *ps, struct err *e)
{
	if (ps->i->json || !has_heredoc(ps->rest))
		return 0;
	return err_invalid(e,
			   "a here-document (<<) in %s requires BuildKit. Refer to "
			   "https://docs.docker.com/go/buildkit/ to learn how to build images "
			   "with BuildKit enabled",
			   ps->word);
}

static int do_run(struct parse *ps, struct err *e)
{
	int r = refuse_heredoc(ps, e);

	if (r >= 0)
		r = list_or_text(ps, e);
	if (r >= 0 && !ps->i->args)
		r = needs(ps, "at least one argument", e);
	return r;
}

static int do_shell(struct parse *ps, struct err *e)
{
	int r = list_or_text(ps, e);

	if (r >= 0 && !ps->i->args)
		r = needs(ps, "at least one argument", e);
	if (r >= 0 && !ps->i->json)
		r = needs(ps, "the arguments to be in JSON form", e);
	return r;
}

static int do_copy(struct parse *ps, struct err *e)
{
	int r = refuse_heredoc(ps, e);

	if (r >= 0)
		r = list_or_words(ps, e);
	if (r < 0)
		return r;
	switch (strv_len(ps->i->args)) {
	case 0:
		return needs(ps, "at least two arguments, but none were provided", e);
	case 1:
		return needs(ps,
			     "at least two arguments, but only one was provided. Destination could "
			     "not be determined",
			     e);
	}
	return 0;
}

static int do_text(struct parse *ps, struct err *e)
{
	return *ps->rest ? add(ps, ps->rest, e) : needs(ps, "exactly one argument", e);
}

static int do_expose(struct parse *ps, struct err *e)
{
	int r = list_or_words(ps, e);

	return r >= 0 && !ps->i->args ? needs(ps, "at least one argument", e) : r;
}

static int do_volume(struct parse *ps, struct err *e)
{
	int r = list_or_words(ps, e);

	if (r >= 0 && !ps->i->args)
		r = needs(ps, "at least one argument", e);
	for (char **v = ps->i->args; r >= 0 && v && *v; v++)
		if (!(*v)[strspn(*v, " \t")])
			r = err_invalid(e, "VOLUME specified can not be an empty string");
	return r;
}

static int do_arg(struct parse *ps, struct err *e)
{
	int r = words_split(ps->rest, ps->escape, &ps->i->args, e);

	if (r >= 0 && !ps->i->args)
		r = needs(ps, "at least one argument", e);
	for (char **v = ps->i->args; r >= 0 && v && *v; v++)
		if (**v == '=')
			r = blank_name(ps, e);
	return r;
}

/* ENV name the value */
static int old_pair(struct parse *ps, struct err *e)
{
	size_t n = strcspn(ps->rest, " \t\v\f\r");
	const char *value = ps->rest + n + strspn(ps->rest + n, " \t\v\f\r");
	auto_free char *name = strndup(ps->rest, n);

	if (!name)
		return err_nomem(e);
	if (!*value)
		return err_invalid(e, "%s must have two arguments", ps->word);
	int r = add(ps, name, e);

	return r < 0 ? r : add(ps, value, e);
}

static int do_pairs(struct parse *ps, struct err *e)
{
	auto_strv char **words = NULL;
	int r = words_split(ps->rest, ps->escape, &words, e);

	if (r < 0)
		return r;
	if (!words)
		return needs(ps, "at least one argument", e);
	if (!strchr(words[0], '='))
		return old_pair(ps, e);
	for (char **w = words; r >= 0 && *w; w++) {
		char *eq = strchr(*w, '=');

		if (!eq)
			return err_invalid(e,
					   "Syntax error - can't find = in \"%.200s\". Must be of "
					   "the form: name=value",
					   *w);
		if (eq == *w)
			return blank_name(ps, e);
		*eq = '\0';
		r = add(ps, *w, e);
		if (r >= 0)
			r = add(ps, eq + 1, e);
	}
	return r;
}

static bool stage_name_ok(const char *s)
{
	if (!islower((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) &&
		    !strchr("-_.", *s))
			return false;
	return true;
}

static int do_from(struct parse *ps, struct err *e)
{
	auto_strv char **words = NULL;
	struct instr *i = ps->i;
	int r = list_or_words(ps, e);

	if (r < 0)
		return r;
	words = TAKE_PTR(i->args);
	i->json = false;
	if (strv_len(words) == 3 && !strcasecmp(words[1], "as")) {
		for (char *p = words[2]; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		if (!stage_name_ok(words[2]))
			return err_invalid(e,
					   "invalid name for build stage: \"%.100s\", name can't "
					   "start with a number or contain symbols",
					   words[2]);
		if (str_set(&i->name, words[2]) < 0)
			return err_nomem(e);
	} else if (strv_len(words) != 1) {
		return needs(ps, "either one or three arguments", e);
	}
	return add(ps, words[0], e);
}

static int do_onbuild(struct parse *ps, struct err *e)
{
	size_t n = strcspn(ps->rest, " \t\v\f\r");
	char word[16];

	if (!*ps->rest)
		return needs(ps, "at least one argument", e);
	(void)snprintf(word, sizeof(word), "%.*s", (int)MIN(n, sizeof(word) - 1), ps->rest);
	for (char *p = word; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (streq(word, "ONBUILD"))
		return err_invalid(e, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (streq(word, "FROM") || streq(word, "MAINTAINER"))
		return err_invalid(e, "%s isn't allowed as an ONBUILD trigger", word);
	return add(ps, ps->rest, e);
}

static int do_cmd(struct parse *ps, struct err *e)
{
	return list_or_text(ps, e);
}

static int health_test(struct parse *ps, const char *type, struct err *e)
{
	auto_strv char **words = NULL;
	int r = words_json(ps->rest, &words, e);

	if (r < 0)
		return r;
	if (r == 0 && *ps->rest && strv_add(&words, ps->rest) < 0)
		return err_nomem(e);
	if (streq(type, "NONE"))
		return words ? err_invalid(e, "HEALTHCHECK NONE takes no arguments")
			     : add(ps, type, e);
	if (!streq(type, "CMD"))
		return err_invalid(e, "Unknown type \"%s\" in HEALTHCHECK (try CMD)", type);
	if (!words)
		return err_invalid(e, "Missing command after HEALTHCHECK CMD");
	ps->i->json = r > 0;
	r = add(ps, ps->i->json ? "CMD" : "CMD-SHELL", e);
	for (char **w = words; r >= 0 && *w; w++)
		r = add(ps, *w, e);
	return r;
}

static int do_health(struct parse *ps, struct err *e)
{
	size_t n = strcspn(ps->rest, " \t\v\f\r");
	char type[32];

	if (!n)
		return needs(ps, "at least one argument", e);
	(void)snprintf(type, sizeof(type), "%.*s", (int)MIN(n, sizeof(type) - 1), ps->rest);
	for (char *p = type; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	n += strspn(ps->rest + n, " \t\v\f\r");
	memmove(ps->rest, ps->rest + n, strlen(ps->rest + n) + 1);
	if (!ps->i->health && !streq(type, "NONE") && !(ps->i->health = json_object()))
		return err_nomem(e);
	return health_test(ps, type, e);
}

/* ---- flags ---- */

static int health_number(struct parse *ps, const char *key, int64_t value, struct err *e)
{
	if (!ps->i->health && !(ps->i->health = json_object()))
		return err_nomem(e);
	return json_object_set_new(ps->i->health, key, json_integer(value)) < 0 ? err_nomem(e) : 0;
}

static int health_flag(struct parse *ps, const char *name, const char *value, struct err *e)
{
	static const struct {
		const char *flag, *key;
	} times[] = {{"interval", "Interval"},
		     {"timeout", "Timeout"},
		     {"start-period", "StartPeriod"},
		     {"start-interval", "StartInterval"}};
	uint32_t retries;
	int64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (!streq(name, times[i].flag))
			continue;
		if (clock_parse_duration(value, &ns) < 0)
			return err_invalid(e, "time: invalid duration \"%.60s\"", value);
		if (ns && ns < NS_PER_MS)
			return err_invalid(e, "Interval \"%s\" cannot be less than 1ms", name);
		return health_number(ps, times[i].key, ns, e);
	}
	if (parse_u32(value, &retries) < 0)
		return err_invalid(e, "strconv.ParseInt: parsing \"%.60s\": invalid syntax", value);
	return health_number(ps, "Retries", retries, e);
}

static int set_flag(struct parse *ps, const char *name, const char *value, struct err *e)
{
	const struct {
		const char *name;
		char **to;
	} texts[] = {{"from", &ps->i->from},
		     {"chown", &ps->i->chown},
		     {"chmod", &ps->i->chmod},
		     {"platform", &ps->i->platform}};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!streq(name, texts[i].name))
			continue;
		if (*texts[i].to)
			return err_invalid(e, "duplicate flag specified: --%s", name);
		return str_set(texts[i].to, value) < 0 ? err_nomem(e) : 0;
	}
	return health_flag(ps, name, value, e);
}

static bool in_list(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; p && *p; p += strcspn(p, " ") + 1)
		if (strcspn(p, " ") == n && !strncmp(p, name, n))
			return true;
	return false;
}

static int one_flag(struct parse *ps, const struct verb_row *row, char *word, struct err *e)
{
	char *name = word + 2, *eq = strchr(name, '=');

	if (eq)
		*eq = '\0';
	if (in_list(row->buildkit, name)) {
		if (ps->i->needs)
			return 0;
		ps->i->needs = str_printf("--%s option", name);
		return ps->i->needs ? 0 : err_nomem(e);
	}
	if (!in_list(row->flags, name))
		return err_invalid(e, "unknown flag: --%.60s", name);
	if (!eq)
		return err_invalid(e, "missing a value on flag: %s", name);
	return set_flag(ps, name, eq + 1, e);
}

static int parse_flags(struct parse *ps, const struct verb_row *row, struct err *e)
{
	auto_strv char **words = NULL;
	int r = words_split(ps->flags, ps->escape, &words, e);

	for (char **w = words; r >= 0 && w && *w; w++)
		r = one_flag(ps, row, *w, e);
	return r;
}

/* "--a=b --c rest" -> flags and rest; "--" alone ends the flags and belongs to the rest */
static int split_flags(struct parse *ps, const char *args, struct err *e)
{
	auto_strv char **words = NULL;
	const char *p = args;
	int r = words_split(args, ps->escape, &words, e);

	for (char **w = words; r >= 0 && w && *w; w++) {
		if ((*w)[0] != '-' || (*w)[1] != '-' || !(*w)[2])
			break;
		p += strlen(*w);
		p += strspn(p, " \t\v\f\r");
	}
	if (r < 0)
		return r;
	ps->flags = strndup(args, (size_t)(p - args));
	ps->rest = strdup(p);
	return ps->flags && ps->rest ? 0 : err_nomem(e);
}

/* ---- the table ---- */

#define COPY_BUILDKIT "link parents exclude checksum keep-git-dir unpack "

static const struct verb_row rows[] = {
	{"ADD", DO_ADD, do_copy, "chown chmod ", COPY_BUILDKIT},
	{"ARG", DO_ARG, do_arg, NULL, NULL},
	{"CMD", DO_CMD, do_cmd, NULL, NULL},
	{"COPY", DO_COPY, do_copy, "from chown chmod ", COPY_BUILDKIT},
	{"ENTRYPOINT", DO_ENTRYPOINT, do_cmd, NULL, NULL},
	{"ENV", DO_ENV, do_pairs, NULL, NULL},
	{"EXPOSE", DO_EXPOSE, do_expose, NULL, NULL},
	{"FROM", DO_FROM, do_from, "platform ", NULL},
	{"HEALTHCHECK", DO_HEALTHCHECK, do_health,
	 "interval timeout start-period start-interval retries ", NULL},
	{"LABEL", DO_LABEL, do_pairs, NULL, NULL},
	{"MAINTAINER", DO_MAINTAINER, do_text, NULL, NULL},
	{"ONBUILD", DO_ONBUILD, do_onbuild, NULL, NULL},
	{"RUN", DO_RUN, do_run, NULL, "mount network security device "},
	{"SHELL", DO_SHELL, do_shell, NULL, NULL},
	{"STOPSIGNAL", DO_STOPSIGNAL, do_text, NULL, NULL},
	{"USER", DO_USER, do_text, NULL, NULL},
	{"VOLUME", DO_VOLUME, do_volume, NULL, NULL},
	{"WORKDIR", DO_WORKDIR, do_text, NULL, NULL},
};

static const struct verb_row *row_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!strcasecmp(word, rows[i].word))
			return &rows[i];
	return NULL;
}

static int parse_line(struct instr *i, const char *text, char escape, struct err *e)
{
	size_t n = strcspn(text, " \t\v\f\r");
	auto_free char *word = strndup(text, n), *flags = NULL, *rest = NULL;
	struct parse ps = {.i = i, .escape = escape};
	const struct verb_row *row = word ? row_of(word) : NULL;

	if (!word)
		return err_nomem(e);
	if (!row)
		return err_invalid(e, "unknown instruction: %.100s", word);
	i->verb = row->verb;
	ps.word = row->word;
	int r = split_flags(&ps, text + n + strspn(text + n, " \t\v\f\r"), e);

	flags = ps.flags;
	rest = ps.rest;
	if (r >= 0)
		r = parse_flags(&ps, row, e);
	return r < 0 ? r : row->fn(&ps, e);
}

int instr_parse(const char *text, unsigned line, char escape, struct instr **ret, struct err *e)
{
	auto_(instr_free) struct instr *i = calloc(1, sizeof(*i));
	int r;

	if (!i || !(i->source = strdup(text)))
		return err_nomem(e);
	i->line = line;
	r = parse_line(i, text, escape, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(i);
	return 0;
}

int instr_label(const char *name, const char *value, struct instr **ret, struct err *e)
{
	auto_(instr_free) struct instr *i = calloc(1, sizeof(*i));

	if (!i || !(i->source = str_printf("LABEL %s=%s", name, value)) ||
	    strv_add(&i->args, name) < 0 || strv_add(&i->args, value) < 0)
		return err_nomem(e);
	i->verb = DO_LABEL;
	i->no_expand = true;
	*ret = TAKE_PTR(i);
	return 0;
}

void instr_free(struct instr *i)
{
	if (!i)
		return;
	free(i->source);
	strv_free(i->args);
	free(i->name);
	free(i->from);
	free(i->chown);
	free(i->chmod);
	free(i->platform);
	free(i->needs);
	json_decref(i->health);
	free(i);
}
