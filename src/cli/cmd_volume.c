/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_volume.c - volume create, ls, rm, prune */

#include "base/jsonw.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/pairs.h"

/* ---- create ---- */

static const struct opt create_options[] = {
	OPT_PRESET('d', "driver", "string", "local", "Specify volume driver name"),
	OPT_LIST(0, "label", "list", "Set metadata for a volume"),
	OPT_VALUE(0, "name", "string", NULL),
	OPT_LIST_CHECK('o', "opt", "map", check_pair, "Set driver specific options"),
};

static int create(struct cli *cli, const struct args *a, struct err *e)
{
	const char *name = args_n(a) ? args_operands(a)[0] : arg_str(a, "name");
	auto_buf struct buf u = URL_INIT, body = BUF_INIT(4u << 20);
	struct jsonw w = JSONW_INIT(&body);
	auto_json json_t *answer = NULL;
	int r;

	if (args_n(a) && arg_given(a, "name"))
		return err_invalid(e, "conflicting options: cannot specify a volume-name through "
				      "both --name and as a positional arg");
	jsonw_object(&w, NULL);
	jsonw_str(&w, "Name", name);
	jsonw_str(&w, "Driver", arg_str(a, "driver"));
	pairs_object(&w, "DriverOpts", arg_list(a, "opt"));
	pairs_object(&w, "Labels", arg_list(a, "label"));
	jsonw_end_object(&w);
	if (buf_err(&body))
		return err_invalid(e, "the request is too large");
	url_path(&u, "/volumes/create", NULL);
	r = cli_request(cli, "POST", &u, buf_str(&body), &answer, e);
	if (r >= 0)
		(void)printf("%s\n", js(answer, "Name"));
	return r;
}

const struct command cmd_volume_create = {
	.operands = "[VOLUME]",
	.summary = "Create a volume",
	.tables = {OPT_TABLE(create_options)},
	.max = 1,
	.run = create,
};

/* ---- ls ---- */

static const struct opt ls_options[] = {
	OPT_LIST('f', "filter", "filter", "Only volumes that fit (e.g. \"dangling=true\")"),
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_SWITCH('q', "quiet", "Only display volume names"),
};

static const struct column columns[] = {
	{"Name", "VOLUME NAME"}, {"Driver", "DRIVER"},
	{"Scope", "SCOPE"},	 {"Mountpoint", "MOUNTPOINT"},
	{"Labels", "LABELS"},	 {"Links", "LINKS"},
	{"Size", "SIZE"},
};
static const struct listing volumes = {columns, ARRAY_SIZE(columns), "{{.Driver}}\t{{.Name}}",
				       "{{.Name}}"};

static json_t *volume_row(const json_t *v, bool whole)
{
	json_t *row = need(json_object());

	(void)whole;
	row_set(row, "Name", js(v, "Name"));
	row_set(row, "Driver", js(v, "Driver"));
	row_set(row, "Scope", js(v, "Scope"));
	row_set(row, "Mountpoint", js(v, "Mountpoint"));
	row_set(row, "Links", "N/A");
	row_set(row, "Size", "N/A");
	row_set_labels(row, json_get(v, "Labels"));
	return row;
}

static int ls(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *rows = NULL;
	int r;

	url_path(&u, "/volumes", NULL);
	r = url_filters(&u, arg_list(a, "filter"), e);
	if (r >= 0)
		r = rows_by_name(cli, &u, "Volumes", volume_row, false, &rows, e);
	return r < 0 ? r
		     : list_print(&volumes, rows, arg_str(a, "format"), arg_bool(a, "quiet"), e);
}

const struct command cmd_volume_ls = {
	.summary = "List volumes",
	.tables = {OPT_TABLE(ls_options)},
	.run = ls,
};

/* ---- rm ---- */

static const struct opt rm_options[] = {
	OPT_SWITCH('f', "force", "Do not fail if the volume does not exist"),
};

static int rm_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	auto_buf struct buf u = URL_INIT;

	url_path(&u, "/volumes/%", name);
	url_flag(&u, "force", arg_bool(a, "force"));
	return cli_request(cli, "DELETE", &u, NULL, NULL, e);
}

static int rm(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, rm_one, true);
}

const struct command cmd_volume_rm = {
	.operands = "VOLUME [VOLUME...]",
	.summary = "Remove one or more volumes",
	.tables = {OPT_TABLE(rm_options)},
	.min = 1,
	.max = -1,
	.run = rm,
};

/* ---- prune ---- */

static const struct opt prune_options[] = {
	OPT_SWITCH('a', "all", "Remove all unused volumes, not just anonymous ones"),
	OPT_LIST(0, "filter", "filter", "Only what fits (e.g. \"label=<label>\")"),
	OPT_SWITCH('f', "force", "Do not ask for confirmation"),
};

static int prune_volumes(struct cli *cli, const struct args *a, struct err *e)
{
	auto_strv char **filters = NULL;
	struct prune what = {
		.path = "/volumes/prune",
		.warning = "This will remove anonymous local volumes not used by at least one "
			   "container.",
		.key = "VolumesDeleted",
		.title = "Deleted Volumes:",
		.space = true,
	};

	for (char *const *f = arg_list(a, "filter"); f && *f; f++)
		list_add(&filters, *f);
	if (arg_bool(a, "all")) {
		list_add(&filters, "all=true");
		what.warning = "This will remove all local volumes not used by at least one "
			       "container.";
	}
	what.filters = filters;
	return prune(cli, a, &what, e);
}

const struct command cmd_volume_prune = {
	.summary = "Remove unused local volumes",
	.tables = {OPT_TABLE(prune_options)},
	.run = prune_volumes,
};
