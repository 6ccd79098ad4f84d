/* SPDX-License-Identifier: GPL-2.0-or-later */
/* runconfig.c - what each instruction does to the config; cache keys */

#include "build/runconfig.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/portspec.h"
#include "base/str.h"
#include "build/expand.h"

#define TEXT_MAX     (4u << 20)
#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct change {
	json_t *config;
	const struct instr *i;
	char *const *args;
	bool *cmd_set;
	struct buf comment;
};

/* ---- small ones ---- */

static int set(json_t *config, const char *key, json_t *value, struct err *e)
{
	return json_object_set_new(config, key, value) < 0
		       ? err_invalid(e, "the Dockerfile is not valid UTF-8")
		       : 0;
}

static json_t *object_of(json_t *config, const char *key)
{
	if (!json_is_object(json_object_get(config, key)))
		(void)json_object_set_new(config, key, json_object());
	return json_object_get(config, key);
}

static json_t *list_of(json_t *config, const char *key)
{
	if (!json_is_array(json_object_get(config, key)))
		(void)json_object_set_new(config, key, json_array());
	return json_object_get(config, key);
}

/* a Go string literal */
static void quote(struct buf *b, const char *s)
{
	(void)buf_putc(b, '"');
	for (; *s; s++) {
		const char *named = strchr("\a\a\b\b\f\f\n\n\r\r\t\t\v\v", *s);

		if (*s == '"' || *s == '\\')
			(void)buf_printf(b, "\\%c", *s);
		else if (named)
			(void)buf_printf(b, "\\%c",
					 "aabbffnnrrttvv"[named - "\a\a\b\b\f\f\n\n\r\r\t\t\v\v"]);
		else if ((unsigned char)*s < 32 || *s == 127)
			(void)buf_printf(b, "\\x%02x", (unsigned char)*s);
		else
			(void)buf_putc(b, *s);
	}
	(void)buf_putc(b, '"');
}

/* ["a" "b"] or [a b] */
static void list_text(struct buf *b, char *const *v, bool quoted)
{
	(void)buf_putc(b, '[');
	for (size_t i = 0; v && v[i]; i++) {
		if (i)
			(void)buf_putc(b, ' ');
		if (quoted)
			quote(b, v[i]);
		else
			(void)buf_puts(b, v[i]);
	}
	(void)buf_putc(b, ']');
}

/* ---- the config ---- */

json_t *runconfig_new(const json_t *image_config)
{
	static const char *const keys[] = {
		"User",	      "ExposedPorts", "Env",	 "Cmd",	   "Healthcheck", "Volumes",
		"WorkingDir", "Entrypoint",   "OnBuild", "Labels", "StopSignal",  "Shell"};
	const json_t *from = json_get(image_config, "config");
	json_t *config = json_object();
	bool good = config != NULL;

	for (size_t i = 0; good && i < ARRAY_SIZE(keys); i++) {
		json_t *v = json_get(from, keys[i]);

		if (v)
			good = json_object_set_new(config, keys[i], json_deep_copy(v)) >= 0;
	}
	if (good && !env_get(json_object_get(config, "Env"), "PATH"))
		good = json_array_append_new(list_of(config, "Env"), json_string(PATH_DEFAULT)) >=
		       0;
	if (good)
		return config;
	json_decref(config);
	return NULL;
}

static int put_env(json_t *config, const char *name, const char *value, struct err *e)
{
	auto_free char *pair = str_printf("%s=%s", name, value);
	json_t *env = list_of(config, "Env"), *s, *v = pair ? json_string(pair) : NULL;
	size_t len = strlen(name), i;

	if (!v)
		return pair ? err_invalid(e, "the Dockerfile is not valid UTF-8") : err_nomem(e);
	json_array_foreach(env, i, s)
	{
		const char *text = json_string_value(s);

		if (text && !strncmp(text, name, len) && text[len] == '=')
			return json_array_set_new(env, i, v) < 0 ? err_nomem(e) : 0;
	}
	return json_array_append_new(env, v) < 0 ? err_nomem(e) : 0;
}

static int do_pairs(struct change *c, struct err *e)
{
	const char *word = c->i->verb == DO_ENV ? "ENV" : "LABEL";
	int r = 0;

	(void)buf_puts(&c->comment, word);
	for (char *const *p = c->args; r >= 0 && p && p[0] && p[1]; p += 2) {
		if (!*p[0])
			return err_invalid(e, "%s names can not be blank", word);
		(void)buf_printf(&c->comment, " %s=%s", p[0], p[1]);
		r = c->i->verb == DO_ENV
			    ? put_env(c->config, p[0], p[1], e)
			    : set(object_of(c->config, "Labels"), p[0], json_string(p[1]), e);
	}
	return r;
}

int runconfig_command(const json_t *config, char *const *args, bool json, char ***ret)
{
	const json_t *shell = json_object_get(config, "Shell");
	auto_strv char **v = NULL;
	json_t *s;
	size_t i;

	if (!json && json_array_size(shell)) {
		json_array_foreach((json_t *)shell, i, s)
		{
			if (json_is_string(s) && strv_add(&v, json_string_value(s)) < 0)
				return -ENOMEM;
		}
	} else if (!json && (strv_add(&v, "/bin/sh") < 0 || strv_add(&v, "-c") < 0)) {
		return -ENOMEM;
	}
	for (; args && *args; args++)
		if (strv_add(&v, *args) < 0)
			return -ENOMEM;
	*ret = TAKE_PTR(v);
	return 0;
}

static int do_command(struct change *c, struct err *e)
{
	bool entry = c->i->verb == DO_ENTRYPOINT;
	const char *key = entry ? "Entrypoint" : "Cmd";
	auto_strv char **v = NULL;

	if (c->args && runconfig_command(c->config, c->args, c->i->json, &v) < 0)
		return err_nomem(e);
	(void)buf_printf(&c->comment, "%s ", entry ? "ENTRYPOINT" : "CMD");
	list_text(&c->comment, v, true);
	if (entry && !*c->cmd_set)
		(void)json_object_del(c->config, "Cmd"); /* it was the base image's */
	if (!entry)
		*c->cmd_set = true;
	if (v)
		return set(c->config, key, json_strings(v), e);
	(void)json_object_del(c->config, key);
	return 0;
}

static int do_shell(struct change *c, struct err *e)
{
	(void)buf_puts(&c->comment, "SHELL ");
	list_text(&c->comment, c->args, false);
	return set(c->config, "Shell", json_strings(c->args), e);
}

static int put_port(struct change *c, const char *text, char ***ports, struct err *e)
{
	uint16_t port, end;
	uint8_t proto;
	int r = port_parse(text, &proto, &port, &end, e);

	for (uint32_t n = port; r >= 0 && n <= end; n++) {
		char key[24];

		(void)snprintf(key, sizeof(key), "%u/%s", n, proto_name(proto));
		r = set(object_of(c->config, "ExposedPorts"), key, json_object(), e);
		if (r >= 0 && strv_add(ports, key) < 0)
			r = err_nomem(e);
	}
	return r;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int do_expose(struct change *c, struct err *e)
{
	auto_strv char **ports = NULL;
	int r = 0;

	for (char *const *p = c->args; r >= 0 && p && *p; p++)
		r = put_port(c, *p, &ports, e);
	if (r < 0)
		return r;
	(void)buf_puts(&c->comment, "EXPOSE");
	if (ports)
		qsort(ports, strv_len(ports), sizeof(*ports), by_text);
	for (char **p = ports; p && *p; p++)
		(void)buf_printf(&c->comment, " %s", *p);
	return 0;
}

static int do_volume(struct change *c, struct err *e)
{
	int r = 0;

	for (char *const *v = c->args; r >= 0 && v && *v; v++) {
		if (!**v)
			return err_invalid(e, "VOLUME specified can not be an empty string");
		r = set(object_of(c->config, "Volumes"), *v, json_object(), e);
	}
	(void)buf_puts(&c->comment, "VOLUME ");
	list_text(&c->comment, c->args, false);
	return r;
}

static int do_text(struct change *c, struct err *e)
{
	bool user = c->i->verb == DO_USER;
	const char *text = c->args && *c->args ? *c->args : "";

	(void)buf_printf(&c->comment, "%s %s", user ? "USER" : "STOPSIGNAL", text);
	return set(c->config, user ? "User" : "StopSignal", json_string(text), e);
}

static int do_workdir(struct change *c, struct err *e)
{
	const char *old = json_string_value(json_object_get(c->config, "WorkingDir"));
	const char *text = c->args && *c->args ? *c->args : "";
	auto_free char *above = path_join("/", str_empty(old) ? "/" : old), *path = NULL;

	if (!*text)
		return err_invalid(e, "cannot normalize nothing");
	path = above ? path_join(above, text) : NULL;
	if (!path)
		return err_nomem(e);
	(void)buf_printf(&c->comment, "WORKDIR %s", path);
	return set(c->config, "WorkingDir", json_string(path), e);
}

static int do_onbuild(struct change *c, struct err *e)
{
	const char *text = c->i->args[0];

	(void)buf_printf(&c->comment, "ONBUILD %s", text);
	return json_array_append_new(list_of(c->config, "OnBuild"), json_string(text)) < 0
		       ? err_invalid(e, "the Dockerfile is not valid UTF-8")
		       : 0;
}

/* Go's text of a duration, to the millisecond */
static void duration_text(struct buf *b, int64_t ns)
{
	int64_t ms = ns / NS_PER_MS, s = ms / 1000;

	if (ms && s == 0) {
		(void)buf_printf(b, "\"%" PRId64 "ms\"", ms);
		return;
	}
	(void)buf_putc(b, '"');
	if (s >= 3600)
		(void)buf_printf(b, "%" PRId64 "h", s / 3600);
	if (s >= 60)
		(void)buf_printf(b, "%" PRId64 "m", s / 60 % 60);
	(void)buf_printf(b, "%" PRId64, s % 60);
	if (ms % 1000)
		(void)buf_printf(b, ".%03" PRId64, ms % 1000);
	(void)buf_puts(b, "s\"");
}

static int do_health(struct change *c, struct err *e)
{
	static const char *const times[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
	bool none = streq(c->args[0], "NONE");
	json_t *health = none || !c->i->health ? json_object() : json_deep_copy(c->i->health);

	(void)buf_puts(&c->comment, "HEALTHCHECK &{");
	list_text(&c->comment, c->args, true);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		(void)buf_putc(&c->comment, ' ');
		duration_text(&c->comment, json_integer_value(json_object_get(health, times[i])));
	}
	(void)buf_printf(&c->comment, " '\\x%02x'}",
			 (unsigned)json_integer_value(json_object_get(health, "Retries")) & 0xff);
	if (json_object_set_new(health, "Test", json_strings(c->args)) < 0) {
		json_decref(health);
		return err_invalid(e, "the Dockerfile is not valid UTF-8");
	}
	return set(c->config, "Healthcheck", health, e);
}

static int do_maintainer(struct change *c, struct err *e)
{
	(void)e;
	(void)buf_printf(&c->comment, "MAINTAINER %s", c->args[0]);
	return 0;
}

int runconfig_apply(json_t *config, const struct instr *i, char *const *args, bool *cmd_set,
		    char **ret_comment, struct err *e)
{
	static int (*const table[])(struct change * c, struct err * e) = {
		[DO_CMD] = do_command,	   [DO_ENTRYPOINT] = do_command,
		[DO_ENV] = do_pairs,	   [DO_LABEL] = do_pairs,
		[DO_EXPOSE] = do_expose,   [DO_HEALTHCHECK] = do_health,
		[DO_ONBUILD] = do_onbuild, [DO_MAINTAINER] = do_maintainer,
		[DO_SHELL] = do_shell,	   [DO_STOPSIGNAL] = do_text,
		[DO_USER] = do_text,	   [DO_VOLUME] = do_volume,
		[DO_WORKDIR] = do_workdir,
	};
	struct change c = {config, i, args, cmd_set, BUF_INIT(TEXT_MAX)};
	int r = (size_t)i->verb < ARRAY_SIZE(table) && table[i->verb]
			? table[i->verb](&c, e)
			: err_set(e, ERR_INTERNAL, EINVAL, "not a step about the config");
	char *comment = r >= 0 ? buf_take(&c.comment) : NULL;

	buf_done(&c.comment);
	if (r < 0)
		return r;
	if (!comment)
		return err_nomem(e);
	*ret_comment = comment;
	return 0;
}

/* ---- keys ---- */

json_t *runconfig_key_comment(const json_t *config, const char *comment, bool one_word)
{
	auto_free char *whole = str_printf("#(nop) %s%s", one_word ? comment : "", "");
	char *words[] = {whole, one_word ? NULL : (char *)comment, NULL};
	auto_strv char **cmd = NULL;
	json_t *key = json_deep_copy(config);

	if (!key || !whole || runconfig_command(config, words, false, &cmd) < 0 ||
	    json_object_set_new(key, "Cmd", json_strings(cmd)) < 0) {
		json_decref(key);
		return NULL;
	}
	return key;
}

json_t *runconfig_key_run(const json_t *config, const struct args *a, char *const *command,
			  char *const *pairs)
{
	json_t *key = json_deep_copy(config), *cmd = json_array();
	size_t n = 0;
	bool good = key && cmd;

	for (char *const *p = pairs; p && *p; p++)
		n += args_in_key(a, *p);
	if (good && pairs) {
		char count[24];

		(void)snprintf(count, sizeof(count), "|%zu", n);
		good = json_array_append_new(cmd, json_string(count)) >= 0;
	}
	for (char *const *p = pairs; good && p && *p; p++)
		if (args_in_key(a, *p))
			good = json_array_append_new(cmd, json_string(*p)) >= 0;
	for (; good && command && *command; command++)
		good = json_array_append_new(cmd, json_string(*command)) >= 0;
	if (good)
		(void)json_object_del(key, "Entrypoint"); /* a RUN goes without one */
	if (!good || json_object_set(key, "Cmd", cmd) < 0) {
		json_decref(key);
		key = NULL;
	}
	json_decref(cmd);
	return key;
}

char *runconfig_created_by(const json_t *key)
{
	struct buf b = BUF_INIT(TEXT_MAX);
	const json_t *cmd = json_object_get(key, "Cmd");
	json_t *s;
	size_t i;

	json_array_foreach((json_t *)cmd, i, s)(void)
		buf_printf(&b, "%s%s", i ? " " : "", json_string_value(s));
	return b.len ? buf_take(&b) : strdup("");
}

/* ---- variables ---- */

struct seen {
	const json_t *env;
	const struct args *args;
};

static const char *lookup(const char *name, void *data)
{
	const struct seen *s = data;
	const char *v = env_get(s->env, name);

	return v ? v : args_get(s->args, name);
}

int runconfig_expand_word(const json_t *config, const struct args *a, char escape, const char *word,
			  char **ret, struct err *e)
{
	struct seen s = {json_object_get(config, "Env"), a};
	struct expand_env env = {escape, lookup, &s};

	return expand_word(&env, word, ret, e);
}

static bool expands(const struct instr *i)
{
	switch (i->verb) {
	case DO_ADD:
	case DO_ARG:
	case DO_COPY:
	case DO_ENV:
	case DO_EXPOSE:
	case DO_STOPSIGNAL:
	case DO_USER:
	case DO_VOLUME:
	case DO_WORKDIR:
		return true;
	case DO_LABEL:
		return !i->no_expand;
	case DO_CMD:
	case DO_ENTRYPOINT:
	case DO_FROM:
	case DO_HEALTHCHECK:
	case DO_MAINTAINER:
	case DO_ONBUILD:
	case DO_RUN:
	case DO_SHELL:
		break;
	}
	return false;
}

/* "name=value" of an ARG: each side by itself, so that quotes in the value are seen as such */
int runconfig_expand(const json_t *config, const struct args *a, char escape, const struct instr *i,
		     char ***ret, struct err *e)
{
	struct seen s = {json_object_get(config, "Env"), a};
	struct expand_env env = {escape, lookup, &s};
	auto_strv char **out = NULL;
	int r = 0;

	for (char **v = i->args; r >= 0 && v && *v; v++) {
		auto_free char *word = NULL;
		auto_strv char **words = NULL;

		if (i->verb == DO_EXPOSE) {
			r = expand_words(&env, *v, &words, e);
			for (char **w = words; r >= 0 && w && *w; w++)
				r = strv_add(&out, *w) < 0 ? err_nomem(e) : 0;
			continue;
		}
		if (expands(i))
			r = expand_word(&env, *v, &word, e);
		if (r >= 0 && strv_add(&out, word ? word : *v) < 0)
			r = err_nomem(e);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(out);
	return 0;
}
