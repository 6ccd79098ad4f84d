/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * changes.c - import's --change: Dockerfile lines applied to an image's config
 *
 * CMD, ENTRYPOINT (JSON list or shell form), ENV, LABEL, EXPOSE, STOPSIGNAL, USER, VOLUME, WORKDIR;
 * each change may hold several lines, with comments and lines continued by a backslash. $NAME and
 * ${NAME} stand for what ENV has set, but in CMD and ENTRYPOINT, where the shell sees them.
 * Source: the Dockerfile reference.
 */

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/portspec.h"
#include "base/str.h"
#include "image/internal.h"

#define TEXT_MAX (64u << 10)

struct change {
	json_t *config;
	const char *word; /* the instruction, upper case */
	const char *rest; /* its arguments */
	bool cmd_set;	  /* in these changes */
};

static int set_new(json_t *object, const char *key, json_t *value, struct err *e)
{
	return json_object_set_new(object, key, value) < 0
		       ? err_invalid(e, "a change is not valid UTF-8")
		       : 0;
}

static json_t *sub_object(json_t *config, const char *key)
{
	if (!json_object_get(config, key))
		(void)json_object_set_new(config, key, json_object());
	return json_object_get(config, key);
}

/* ---- words and variables ---- */

static const char *env_value(const json_t *config, const char *name, size_t len)
{
	const json_t *list = json_object_get(config, "Env"), *s;
	size_t i;

	json_array_foreach(list, i, s)
	{
		const char *pair = json_string_value(s);

		if (pair && !strncmp(pair, name, len) && pair[len] == '=')
			return pair + len + 1;
	}
	return "";
}

/* "$NAME" or "${NAME}" at @p. Return: behind it; @p itself if there is no name */
static const char *add_variable(const struct change *c, const char *p, struct buf *out)
{
	bool braces = p[1] == '{';
	const char *name = p + 1 + braces, *end = name;

	while (isalnum((unsigned char)*end) || *end == '_')
		end++;
	if (end == name || (braces && *end != '}'))
		return p;
	(void)buf_puts(out, env_value(c->config, name, (size_t)(end - name)));
	return end + braces;
}

/* One word, or with @all the whole text: quotes and backslashes taken off, variables put in.
 * Return: 1 one, 0 the end, -errno */
static int next_word(const struct change *c, const char **at, bool all, char **ret)
{
	auto_buf struct buf b = BUF_INIT(TEXT_MAX);
	const char *p = *at + strspn(*at, " \t");
	char quote = '\0';

	if (!*p)
		return 0;
	while (*p && (all || quote || !strchr(" \t", *p))) {
		const char *next = *p == '$' && quote != '\'' ? add_variable(c, p, &b) : p;

		if (next != p) {
			p = next;
			continue;
		}
		if (!quote && strchr("\"'", *p))
			quote = *p;
		else if (quote && *p == quote)
			quote = '\0';
		else
			(void)buf_putc(&b, *p == '\\' && p[1] && quote != '\'' ? *++p : *p);
		p++;
	}
	*at = p;
	(void)buf_puts(&b, "");
	*ret = b.len || buf_err(&b) ? buf_take(&b) : strdup("");
	return *ret ? 1 : -ENOMEM;
}

/* ["a","b"] of strings. Return: the list, NULL if it is none */
static json_t *string_list(const char *text)
{
	json_t *list = NULL, *s;
	size_t i;

	if (*text != '[' || json_read(text, strlen(text), &list, NULL) < 0)
		return NULL;
	json_array_foreach(list, i, s)
	{
		if (!json_is_string(s)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* ---- instructions ---- */

static int command(struct change *c, const char *key, struct err *e)
{
	json_t *list = string_list(c->rest);

	if (!list)
		list = json_pack("[s,s,s]", "/bin/sh", "-c", c->rest);
	return set_new(c->config, key, list, e);
}

static int do_cmd(struct change *c, struct err *e)
{
	c->cmd_set = true;
	return command(c, "Cmd", e);
}

/* the arguments of another program would make no sense */
static int do_entrypoint(struct change *c, struct err *e)
{
	if (!c->cmd_set)
		(void)json_object_del(c->config, "Cmd");
	return command(c, "Entrypoint", e);
}

static int put_env(struct change *c, const char *pair, struct err *e)
{
	json_t *list = json_object_get(c->config, "Env");
	size_t len = strcspn(pair, "=") + 1, i;
	json_t *s, *value = json_string(pair);

	if (!value)
		return err_invalid(e, "a change is not valid UTF-8");
	if (!list) {
		list = json_array();
		(void)json_object_set_new(c->config, "Env", list);
	}
	json_array_foreach(list, i, s)
	{
		if (!strncmp(json_string_value(s), pair, len))
			return json_array_set_new(list, i, value) < 0 ? err_nomem(e) : 0;
	}
	return json_array_append_new(list, value) < 0 ? err_nomem(e) : 0;
}

static int put_pair(struct change *c, const char *pair, struct err *e)
{
	const char *eq = strchr(pair, '=');

	if (!eq)
		return err_invalid(e,
				   "Syntax error - can't find = in \"%.200s\". Must be of the "
				   "form: name=value",
				   pair);
	if (eq == pair)
		return err_invalid(e, "%s names can not be blank", c->word);
	if (streq(c->word, "ENV"))
		return put_env(c, pair, e);
	auto_free char *key = strndup(pair, (size_t)(eq - pair));

	return key ? set_new(sub_object(c->config, "Labels"), key, json_string(eq + 1), e)
		   : err_nomem(e);
}

/* name=value ..., or the old form: one name, and all that follows is its value */
static int do_pairs(struct change *c, struct err *e)
{
	const char *p = c->rest, *space = p + strcspn(p, " \t");
	auto_free char *first = strndup(p, (size_t)(space - p));
	int r;

	if (!first)
		return err_nomem(e);
	if (*space && !strchr(first, '=')) {
		auto_free char *value = NULL, *pair = NULL;

		if (next_word(c, &space, true, &value) < 0 ||
		    !(pair = str_printf("%s=%s", first, value)))
			return err_nomem(e);
		return put_pair(c, pair, e);
	}
	for (;;) {
		auto_free char *pair = NULL;

		r = next_word(c, &p, false, &pair);
		if (r <= 0)
			return r < 0 ? err_nomem(e) : 0;
		r = put_pair(c, pair, e);
		if (r < 0)
			return r;
	}
}

static int put_port(struct change *c, const char *text, struct err *e)
{
	uint16_t port, end;
	uint8_t proto;
	int r = port_parse(text, &proto, &port, &end, e);

	for (uint32_t n = port; r >= 0 && n <= end; n++) {
		char key[24];

		(void)snprintf(key, sizeof(key), "%u/%s", n, proto_name(proto));
		r = set_new(sub_object(c->config, "ExposedPorts"), key, json_object(), e);
	}
	return r;
}

static int put_volume(struct change *c, const char *text, struct err *e)
{
	if (!*text)
		return err_invalid(e, "VOLUME specified can not be an empty string");
	return set_new(sub_object(c->config, "Volumes"), text, json_object(), e);
}

static int each_word(struct change *c, int (*fn)(struct change *c, const char *word, struct err *e),
		     struct err *e)
{
	const char *p = c->rest;

	for (;;) {
		auto_free char *word = NULL;
		int r = next_word(c, &p, false, &word);

		if (r <= 0)
			return r < 0 ? err_nomem(e) : 0;
		r = fn(c, word, e);
		if (r < 0)
			return r;
	}
}

static int do_expose(struct change *c, struct err *e)
{
	return each_word(c, put_port, e);
}

static int do_volume(struct change *c, struct err *e)
{
	auto_json json_t *list = string_list(c->rest);
	json_t *s;
	size_t i;
	int r = 0;

	if (!list)
		return each_word(c, put_volume, e);
	json_array_foreach(list, i, s)
	{
		if (r >= 0)
			r = put_volume(c, json_string_value(s), e);
	}
	return r;
}

static int set_text(struct change *c, const char *key, struct err *e)
{
	const char *p = c->rest;
	auto_free char *text = NULL;

	return next_word(c, &p, true, &text) < 0 ? err_nomem(e)
						 : set_new(c->config, key, json_string(text), e);
}

static int do_user(struct change *c, struct err *e)
{
	return set_text(c, "User", e);
}

static int do_stop_signal(struct change *c, struct err *e)
{
	return set_text(c, "StopSignal", e);
}

/* a relative one goes on from the one before */
static int do_workdir(struct change *c, struct err *e)
{
	auto_free char *before = NULL, *joined = NULL;
	const char *old = json_string_value(json_object_get(c->config, "WorkingDir"));
	int r;

	if (old && !(before = strdup(old)))
		return err_nomem(e);
	r = set_text(c, "WorkingDir", e);
	if (r < 0)
		return r;
	const char *now = json_string_value(json_object_get(c->config, "WorkingDir"));

	if (*now == '/')
		return 0;
	joined = str_printf("%s%s%s", before ? before : "",
			    before && str_has_suffix(before, "/") ? "" : "/", now);
	return joined ? set_new(c->config, "WorkingDir", json_string(joined), e) : err_nomem(e);
}

static const struct instruction {
	const char *word;
	int (*fn)(struct change *c, struct err *e);
} instructions[] = {
	{"CMD", do_cmd},       {"ENTRYPOINT", do_entrypoint}, {"ENV", do_pairs},
	{"EXPOSE", do_expose}, {"LABEL", do_pairs},	      {"STOPSIGNAL", do_stop_signal},
	{"USER", do_user},     {"VOLUME", do_volume},	      {"WORKDIR", do_workdir},
};

static int apply(struct change *c, const char *line, struct err *e)
{
	size_t len = strcspn(line, " \t");
	auto_free char *word = strndup(line, len);

	if (!word)
		return err_nomem(e);
	for (char *p = word; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	c->word = word;
	c->rest = line + len + strspn(line + len, " \t");
	if (streq(word, "ONBUILD") || streq(word, "HEALTHCHECK"))
		return err_invalid(e, "%s is not supported as a change by this engine", word);
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		if (!streq(word, instructions[i].word))
			continue;
		return *c->rest ? instructions[i].fn(c, e)
				: err_invalid(e, "%s requires at least one argument", word);
	}
	return err_invalid(e, "%.60s is not a valid change command", word);
}

/* ---- lines ---- */

static void trim_end(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
}

/* comments and empty lines fall out, also between continued ones */
static int apply_text(struct change *c, const char *text, struct err *e)
{
	auto_buf struct buf whole = BUF_INIT(TEXT_MAX);
	auto_strv char **lines = NULL;
	int r = 0;

	if (strv_split(text, "\n", &lines) < 0)
		return err_nomem(e);
	for (char **l = lines; r >= 0 && l && *l; l++) {
		char *line = *l;

		trim_end(line);
		line += strspn(line, " \t");
		size_t n = strlen(line);
		bool more = n > 0 && line[n - 1] == '\\';

		if (*line != '#')
			(void)buf_add(&whole, line, n - more);
		if ((more || !*line || *line == '#') && l[1])
			continue;
		if (buf_err(&whole))
			return err_invalid(e, "a change is too long");
		if (whole.len)
			r = apply(c, buf_str(&whole), e);
		buf_clear(&whole);
	}
	return r;
}

int changes_apply(json_t *config, char *const *changes, struct err *e)
{
	struct change c = {.config = config};
	int r = 0;

	for (; r >= 0 && changes && *changes; changes++)
		r = apply_text(&c, *changes, e);
	return r;
}
