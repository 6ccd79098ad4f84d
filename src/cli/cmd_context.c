/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_context.c - context create, inspect, ls, rm, show, use: docker's files, docker's texts */

#include <string.h>

#include "cli/commands.h"
#include "cli/format.h"
#include "client/context.h"
#include "client/target.h"

/* ---- create ---- */

static const struct opt create_options[] = {
	OPT_VALUE(0, "description", "string", "Description of the context"),
	OPT_VALUE(0, "docker", "stringToString",
		  "set the docker endpoint (host=...,ca=...,cert=...,key=...,skip-tls-verify=...)"),
	OPT_VALUE(0, "from", "string", "create context from a named context"),
};

/* "host=tcp://h:2376,ca=/c" into @c */
static int parse_endpoint(const char *text, struct context *c, struct err *e)
{
	auto_strv char **part = NULL;

	if (strv_split(text, ",", &part) < 0)
		return err_nomem(e);
	for (size_t i = 0; part && part[i]; i++) {
		char *eq = strchr(part[i], '=');
		const struct {
			const char *key;
			char **to;
		} keys[] = {
			{"host", &c->host}, {"ca", &c->ca}, {"cert", &c->cert}, {"key", &c->key}};
		bool known = false;

		if (!eq)
			return err_invalid(e, "%s must be formatted as key=value", part[i]);
		*eq = '\0';
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			if (!streq(part[i], keys[k].key))
				continue;
			known = true;
			if (str_set(keys[k].to, eq[1] ? eq + 1 : NULL) < 0)
				return err_nomem(e);
		}
		if (streq(part[i], "skip-tls-verify")) {
			known = true;
			if (parse_bool(eq + 1, &c->skip_verify) < 0)
				return err_invalid(e, "skip-tls-verify: invalid syntax: %s",
						   eq + 1);
		}
		if (!known)
			return err_invalid(e, "unrecognized config key: %s", part[i]);
	}
	return 0;
}

/* The default context as it is now. */
static int from_default(struct context *c, struct err *e)
{
	struct target t;
	const struct client_wish w = {.context = CONTEXT_DEFAULT};
	int r = target_find(&w, &t, e);

	if (r < 0)
		return r;
	c->host = TAKE_PTR(t.host);
	c->skip_verify = t.tls && !t.verify;
	c->ca = TAKE_PTR(t.ca);
	c->cert = TAKE_PTR(t.cert);
	c->key = TAKE_PTR(t.key);
	target_done(&t);
	return 0;
}

static int fill(struct context *c, const struct args *a, struct err *e)
{
	const char *from = arg_str(a, "from");
	int r = 0;

	if (arg_given(a, "docker") && from)
		return err_invalid(e, "cannot use --docker flag when --from is set");
	if (arg_given(a, "docker"))
		r = parse_endpoint(arg_str(a, "docker"), c, e);
	else if (from && !streq(from, CONTEXT_DEFAULT))
		r = context_load(from, c, e);
	else
		r = from_default(c, e);
	if (r >= 0 && (!c->cert) != (!c->key))
		r = err_invalid(e, "a certificate needs its key: cert=...,key=...");
	if (r >= 0 && arg_given(a, "description") &&
	    str_set(&c->description, arg_str(a, "description")) < 0)
		r = err_nomem(e);
	if (r >= 0 && str_set(&c->name, args_operands(a)[0]) < 0)
		r = err_nomem(e);
	return r;
}

static int create(struct cli *cli, const struct args *a, struct err *e)
{
	struct context c = {0};
	int r = context_check_name(args_operands(a)[0], e);

	(void)cli;
	if (r >= 0)
		r = fill(&c, a, e);
	if (r >= 0)
		r = context_save(&c, e);
	if (r >= 0) {
		(void)printf("%s\n", c.name);
		(void)fprintf(stderr, "Successfully created context \"%s\"\n", c.name);
	}
	context_done(&c);
	return r;
}

const struct command cmd_context_create = {
	.operands = "CONTEXT",
	.summary = "Create a context",
	.tables = {OPT_TABLE(create_options)},
	.min = 1,
	.max = 1,
	.run = create,
};

/* ---- which is current ---- */

static int current(const struct cli *cli, char **ret, struct err *e)
{
	const char *said = cli->wish.context;

	if (!said && cli->wish.host)
		said = CONTEXT_DEFAULT;
	if (!said)
		return context_current(ret, e);
	*ret = need(strdup(said));
	return 0;
}

static int show(struct cli *cli, const struct args *a, struct err *e)
{
	auto_free char *name = NULL;
	int r = current(cli, &name, e);

	(void)a;
	if (r >= 0)
		(void)printf("%s\n", name);
	return r;
}

const struct command cmd_context_show = {
	.summary = "Print the name of the current context",
	.run = show,
};

static int use(struct cli *cli, const struct args *a, struct err *e)
{
	const char *name = args_operands(a)[0], *host = getenv("DOCKER_HOST");
	struct context c = {0};
	int r = streq(name, CONTEXT_DEFAULT) ? 0 : context_load(name, &c, e);

	(void)cli;
	context_done(&c);
	if (r >= 0)
		r = context_use(name, e);
	if (r < 0)
		return r;
	(void)printf("%s\n", name);
	(void)fprintf(stderr, "Current context is now \"%s\"\n", name);
	if (!str_empty(host) && !streq(name, CONTEXT_DEFAULT))
		(void)fprintf(stderr,
			      "Warning: DOCKER_HOST environment variable overrides the active "
			      "context. To use \"%s\", either set the global --context flag, or "
			      "unset DOCKER_HOST environment variable.\n",
			      name);
	return 0;
}

const struct command cmd_context_use = {
	.operands = "CONTEXT",
	.summary = "Set the default context",
	.min = 1,
	.max = 1,
	.run = use,
};

/* ---- ls ---- */

static const struct opt ls_options[] = {
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_SWITCH('q', "quiet", "Only show context names"),
};

static const struct column columns[] = {{"Name", "NAME"},
					{"Description", "DESCRIPTION"},
					{"DockerEndpoint", "DOCKER ENDPOINT"},
					{"Error", "ERROR"},
					{"Current", ""}};
static const struct listing contexts = {
	columns, ARRAY_SIZE(columns),
	"{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
	"{{.Name}}"};

static json_t *context_row(const char *name, const char *now)
{
	json_t *row = need(json_object());
	struct context c = {0};
	struct err e = {0};

	if (streq(name, CONTEXT_DEFAULT)) {
		c.description = need(strdup("Current DOCKER_HOST based configuration"));
		if (from_default(&c, &e) < 0)
			row_set(row, "Error", e.msg);
	} else if (context_load(name, &c, &e) < 0) {
		row_set(row, "Error", e.msg);
	}
	row_set(row, "Name", name);
	row_set(row, "Description", c.description ? c.description : "");
	row_set(row, "DockerEndpoint", c.host ? c.host : "");
	if (!json_get(row, "Error"))
		row_set(row, "Error", "");
	(void)json_object_set_new(row, "Current", json_boolean(streq(name, now)));
	context_done(&c);
	return row;
}

static int ls(struct cli *cli, const struct args *a, struct err *e)
{
	auto_json json_t *rows = need(json_array());
	auto_strv char **names = NULL;
	auto_free char *now = NULL;
	int r = current(cli, &now, e);

	if (r >= 0)
		r = context_names(&names, e);
	if (r < 0)
		return r;
	(void)json_array_append_new(rows, context_row(CONTEXT_DEFAULT, now));
	for (size_t i = 0; names && names[i]; i++)
		(void)json_array_append_new(rows, context_row(names[i], now));
	return list_print(&contexts, rows, arg_str(a, "format"), arg_bool(a, "quiet"), e);
}

const struct command cmd_context_ls = {
	.summary = "List contexts",
	.tables = {OPT_TABLE(ls_options)},
	.run = ls,
};

/* ---- inspect ---- */

static const struct opt inspect_options[] = {
	OPT_VALUE('f', "format", "string", "Format output: 'json' or a Go template"),
};

static json_t *tls_material(const struct context *c)
{
	json_t *list = need(json_array());

	if (c->ca)
		(void)json_array_append_new(list, json_string("ca.pem"));
	if (c->cert)
		(void)json_array_append_new(list, json_string("cert.pem"));
	if (c->key)
		(void)json_array_append_new(list, json_string("key.pem"));
	if (json_array_size(list))
		return need(json_pack("{s:o}", "docker", list));
	json_decref(list);
	return need(json_object());
}

static int inspect_context(const char *name, json_t *into, struct err *e)
{
	bool stored = !streq(name, CONTEXT_DEFAULT);
	auto_free char *meta = need(stored ? context_meta_path(name) : strdup("<IN MEMORY>"));
	auto_free char *tls = need(stored ? context_tls_path(name) : strdup("<IN MEMORY>"));
	struct context c = {0};
	int r = stored ? context_load(name, &c, e) : from_default(&c, e);

	if (r >= 0)
		(void)json_array_append_new(
			into,
			need(json_pack("{s:s, s:{s:s*}, s:{s:{s:s*, s:b}}, s:o, s:{s:s, s:s}}",
				       "Name", name, "Metadata", "Description", c.description,
				       "Endpoints", "docker", "Host", c.host, "SkipTLSVerify",
				       c.skip_verify, "TLSMaterial", tls_material(&c), "Storage",
				       "MetadataPath", meta, "TLSPath", tls)));
	context_done(&c);
	return r;
}

static int inspect_contexts(struct cli *cli, const struct args *a, struct err *e)
{
	auto_json json_t *all = need(json_array());
	auto_free char *now = NULL;
	char *const *name = args_operands(a);
	int r = 0;

	if (!*name) {
		r = current(cli, &now, e);
		if (r >= 0)
			r = inspect_context(now, all, e);
	}
	for (; r >= 0 && *name; name++)
		r = inspect_context(*name, all, e);
	return r < 0 ? r : inspect_print(all, arg_str(a, "format"), e);
}

const struct command cmd_context_inspect = {
	.operands = "[CONTEXT] [CONTEXT...]",
	.summary = "Display detailed information on one or more contexts",
	.tables = {OPT_TABLE(inspect_options)},
	.max = -1,
	.run = inspect_contexts,
};

/* ---- rm ---- */

static const struct opt rm_options[] = {
	OPT_SWITCH('f', "force", "Force the removal of a context in use"),
};

static int rm_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	auto_free char *now = NULL;
	int r = current(cli, &now, e);

	if (r < 0)
		return r;
	if (streq(name, CONTEXT_DEFAULT))
		return err_invalid(e, "context \"default\" cannot be removed");
	if (streq(name, now) && !arg_bool(a, "force"))
		return err_conflict(e, "context \"%s\" is in use, set -f flag to force remove",
				    name);
	if (streq(name, now))
		r = context_use(CONTEXT_DEFAULT, e);
	return r < 0 ? r : context_remove(name, e);
}

static int rm(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, rm_one, true);
}

const struct command cmd_context_rm = {
	.operands = "CONTEXT [CONTEXT...]",
	.summary = "Remove one or more contexts",
	.tables = {OPT_TABLE(rm_options)},
	.min = 1,
	.max = -1,
	.run = rm,
};
