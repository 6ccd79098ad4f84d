/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_inspect.c - inspect: whole objects, of any kind or of one */

#include <string.h>

#include "cli/commands.h"
#include "cli/format.h"

static const struct {
	const char *kind, *path;
} kinds_known[] = {
	{"container", "/containers/%/json"},
	{"image", "/images/%/json"},
	{"network", "/networks/%"},
	{"volume", "/volumes/%"},
};

int inspect_one(struct cli *cli, const char *kind, const char *name, bool size, json_t **ret,
		struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(kinds_known); i++)
		if (streq(kinds_known[i].kind, kind))
			url_path(&u, kinds_known[i].path, name);
	url_flag(&u, "size", size && streq(kind, "container"));
	r = *name ? cli_request(cli, "GET", &u, NULL, ret, e)
		  : err_invalid(e, "an empty name is no %s", kind);
	if (r >= 0 && !json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		r = err_set(e, ERR_INTERNAL, EPROTO, "the engine's answer about %s is no object",
			    name);
	}
	return r;
}

/* The first of @kinds that has @name. */
static int find(struct cli *cli, const char *const *kinds, const char *name, bool size,
		json_t **ret, struct err *e)
{
	bool several = kinds[1] != NULL;
	int r = -ENOENT;

	for (; *kinds; kinds++) {
		struct err why = {0};

		r = inspect_one(cli, *kinds, name, size, ret, &why);
		if (r >= 0)
			return r;
		if (!several || why.kind != ERR_NOT_FOUND)
			return err_set(e, why.kind, -r, "%s", why.msg);
	}
	return err_not_found(e, "Error: No such object: %s", name);
}

/* Prints what was found; says on stderr what was not, and fails then. */
int inspect(struct cli *cli, const struct args *a, const char *const *kinds, struct err *e)
{
	bool size = streq(kinds[0], "container") && arg_bool(a, "size");
	auto_json json_t *all = need(json_array());
	auto_strv char **problems = NULL;
	int r;

	for (char *const *name = args_operands(a); *name; name++) {
		struct err why = {0};
		json_t *o = NULL;

		if (find(cli, kinds, *name, size, &o, &why) < 0)
			list_add(&problems, why.msg);
		else if (json_array_append_new(all, o) < 0)
			cli_no_memory();
	}
	r = inspect_print(all, arg_str(a, "format"), e);
	(void)fflush(stdout);
	for (size_t i = 0; problems && problems[i]; i++)
		(void)fprintf(stderr, "%s\n", problems[i]);
	return r < 0 ? r : problems ? 1 : 0;
}

/* ---- inspect, container inspect, image inspect ---- */

static const struct opt inspect_options[] = {
	OPT_VALUE('f', "format", "string", "Format output: 'json' or a Go template"),
	OPT_SWITCH('s', "size", "Display total file sizes of a container"),
};
static const struct opt type_options[] = {
	OPT_VALUE(0, "type", "string",
		  "Only look at \"container\", \"image\", \"network\" or "
		  "\"volume\""),
};

static int inspect_any(struct cli *cli, const struct args *a, struct err *e)
{
	static const char *const all[] = {"container", "image", "network", "volume", NULL};
	const char *type = arg_str(a, "type");
	const char *const one[] = {type, NULL};

	if (str_empty(type))
		return inspect(cli, a, all, e);
	for (size_t i = 0; all[i]; i++)
		if (streq(all[i], type))
			return inspect(cli, a, one, e);
	return err_invalid(e, "\"%s\" is not a valid value for --type", type);
}

const struct command cmd_inspect = {
	.operands = "NAME|ID [NAME|ID...]",
	.summary = "Return low-level information on objects of any kind",
	.tables = {OPT_TABLE(inspect_options), OPT_TABLE(type_options)},
	.min = 1,
	.max = -1,
	.run = inspect_any,
};

static int inspect_container(struct cli *cli, const struct args *a, struct err *e)
{
	static const char *const kinds[] = {"container", NULL};

	return inspect(cli, a, kinds, e);
}

const struct command cmd_container_inspect = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Display detailed information on one or more containers",
	.tables = {OPT_TABLE(inspect_options)},
	.min = 1,
	.max = -1,
	.run = inspect_container,
};

static const struct opt format_options[] = {
	OPT_VALUE('f', "format", "string", "Format output: 'json' or a Go template"),
};

static int inspect_image(struct cli *cli, const struct args *a, struct err *e)
{
	static const char *const kinds[] = {"image", NULL};

	return inspect(cli, a, kinds, e);
}

const struct command cmd_image_inspect = {
	.operands = "IMAGE [IMAGE...]",
	.summary = "Display detailed information on one or more images",
	.tables = {OPT_TABLE(format_options)},
	.min = 1,
	.max = -1,
	.run = inspect_image,
};

static int inspect_network(struct cli *cli, const struct args *a, struct err *e)
{
	static const char *const kinds[] = {"network", NULL};

	return inspect(cli, a, kinds, e);
}

const struct command cmd_network_inspect = {
	.operands = "NETWORK [NETWORK...]",
	.summary = "Display detailed information on one or more networks",
	.tables = {OPT_TABLE(format_options)},
	.min = 1,
	.max = -1,
	.run = inspect_network,
};

static int inspect_volume(struct cli *cli, const struct args *a, struct err *e)
{
	static const char *const kinds[] = {"volume", NULL};

	return inspect(cli, a, kinds, e);
}

const struct command cmd_volume_inspect = {
	.operands = "VOLUME [VOLUME...]",
	.summary = "Display detailed information on one or more volumes",
	.tables = {OPT_TABLE(format_options)},
	.min = 1,
	.max = -1,
	.run = inspect_volume,
};
