/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create.c - Config of run and create, and the whole body */

#include "cli/create.h"

#include <string.h>
#include <strings.h>

#include "cli/envfile.h"
#include "cli/pairs.h"

struct attached create_attached(const struct args *a, bool detach)
{
	struct attached at = {0};
	char *const *list = arg_list(a, "attach");

	if (detach)
		return at;
	if (!list)
		return (struct attached){arg_bool(a, "interactive"), true, true};
	for (; *list; list++) {
		at.in = at.in || !strcasecmp(*list, "stdin");
		at.out = at.out || !strcasecmp(*list, "stdout");
		at.err = at.err || !strcasecmp(*list, "stderr");
	}
	return at;
}

/* "-v /data": an anonymous volume */
static void volumes(struct jsonw *w, char *const *values)
{
	jsonw_object(w, "Volumes");
	for (; values && *values; values++) {
		if (strchr(*values, ':'))
			continue;
		jsonw_object(w, *values);
		jsonw_end_object(w);
	}
	jsonw_end_object(w);
}

static int env_and_labels(struct jsonw *w, const struct args *a, struct err *e)
{
	auto_strv char **env = NULL, **labels = NULL;
	int r = env_collect(arg_list(a, "env-file"), arg_list(a, "env"), &env, e);

	if (r >= 0)
		r = labels_collect(arg_list(a, "label-file"), arg_list(a, "label"), &labels, e);
	if (r < 0)
		return r;
	if (env)
		jsonw_strv(w, "Env", env);
	pairs_object(w, "Labels", labels);
	return 0;
}

static void command(struct jsonw *w, const struct args *a)
{
	char *const *words = args_operands(a);

	jsonw_str(w, "Image", words[0]);
	if (words[1])
		jsonw_strv(w, "Cmd", words + 1);
	if (arg_given(a, "entrypoint")) {
		jsonw_array(w, "Entrypoint");
		jsonw_str(w, NULL, arg_str(a, "entrypoint"));
		jsonw_end_array(w);
	}
}

void options_json(struct jsonw *w, const struct args *a, const struct option_key *keys, size_t n)
{
	for (const struct option_key *k = keys; k < keys + n; k++) {
		if (!arg_given(a, k->option))
			continue;
		switch (k->as) {
		case OPTION_TEXT:
			jsonw_str(w, k->key, arg_str(a, k->option));
			break;
		case OPTION_LIST:
			jsonw_strv(w, k->key, arg_list(a, k->option));
			break;
		case OPTION_NUMBER:
			jsonw_i64(w, k->key, arg_int(a, k->option));
			break;
		case OPTION_BYTES:
			jsonw_i64(w, k->key, arg_bytes(a, k->option));
			break;
		case OPTION_SWITCH:
			jsonw_bool(w, k->key, arg_bool(a, k->option));
			break;
		case OPTION_MAP:
			pairs_object(w, k->key, arg_list(a, k->option));
			break;
		}
	}
}

static int config(struct jsonw *w, const struct args *a, const struct attached *at,
		  unsigned version, struct err *e)
{
	static const struct option_key texts[] = {{"hostname", "Hostname", OPTION_TEXT},
						  {"domainname", "Domainname", OPTION_TEXT},
						  {"user", "User", OPTION_TEXT},
						  {"workdir", "WorkingDir", OPTION_TEXT},
						  {"stop-signal", "StopSignal", OPTION_TEXT}};
	bool in = arg_bool(a, "interactive");

	options_json(w, a, texts, ARRAY_SIZE(texts));
	jsonw_bool(w, "AttachStdin", at->in);
	jsonw_bool(w, "AttachStdout", at->out);
	jsonw_bool(w, "AttachStderr", at->err);
	jsonw_bool(w, "Tty", arg_bool(a, "tty"));
	jsonw_bool(w, "OpenStdin", in);
	jsonw_bool(w, "StdinOnce", in && at->in);
	if (arg_given(a, "stop-timeout"))
		jsonw_i64(w, "StopTimeout", arg_int(a, "stop-timeout"));
	if (arg_given(a, "mac-address") && version < 144)
		jsonw_str(w, "MacAddress", arg_str(a, "mac-address"));
	command(w, a);
	volumes(w, arg_list(a, "volume"));
	return env_and_labels(w, a, e);
}

int create_body(struct buf *out, const struct args *a, const struct attached *at, unsigned version,
		struct err *e)
{
	struct jsonw w = JSONW_INIT(out);
	int r;

	jsonw_object(&w, NULL);
	r = config(&w, a, at, version, e);
	if (r >= 0)
		r = create_health(&w, a, e);
	if (r >= 0)
		r = create_exposed(&w, a, e);
	if (r >= 0)
		r = create_host_config(&w, a, e);
	if (r >= 0)
		r = create_networks(&w, a, version, e);
	jsonw_end_object(&w);
	if (r >= 0 && buf_err(out))
		r = err_invalid(e, "the request is too large");
	return r;
}
