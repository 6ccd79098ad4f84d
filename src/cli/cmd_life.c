/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_life.c - stop, restart, kill, rm, wait, rename: one request for each container */

#include <string.h>

#include "cli/cli.h"
#include "cli/commands.h"

/* ---- stop, restart ---- */

static const struct opt stop_options[] = {
	OPT_VALUE('s', "signal", "string", "Signal to send to the container"),
	OPT_CHECK('t', "timeout", "int", check_int, "Seconds to wait before killing the container"),
	OPT_SAME("time", "int", "timeout"),
};

static int halt(struct cli *cli, const struct args *a, const char *name, const char *pattern,
		struct err *e)
{
	auto_buf struct buf u = URL_INIT;

	url_path(&u, pattern, name);
	url_query(&u, "signal", arg_str(a, "signal"));
	url_query(&u, "t", arg_str(a, "timeout"));
	return cli_request(cli, "POST", &u, NULL, NULL, e);
}

static int stop_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	return halt(cli, a, name, "/containers/%/stop", e);
}

static int stop(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, stop_one, true);
}

const struct command cmd_stop = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Stop one or more running containers",
	.tables = {OPT_TABLE(stop_options)},
	.min = 1,
	.max = -1,
	.run = stop,
};

static int restart_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	return halt(cli, a, name, "/containers/%/restart", e);
}

static int restart(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, restart_one, true);
}

const struct command cmd_restart = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Restart one or more containers",
	.tables = {OPT_TABLE(stop_options)},
	.min = 1,
	.max = -1,
	.run = restart,
};

/* ---- kill ---- */

static const struct opt kill_options[] = {
	OPT_VALUE('s', "signal", "string", "Signal to send to the container (default KILL)"),
};

static int kill_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	auto_buf struct buf u = URL_INIT;

	url_path(&u, "/containers/%/kill", name);
	url_query(&u, "signal", arg_str(a, "signal"));
	return cli_request(cli, "POST", &u, NULL, NULL, e);
}

static int kill_(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, kill_one, true);
}

const struct command cmd_kill = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Kill one or more running containers",
	.tables = {OPT_TABLE(kill_options)},
	.min = 1,
	.max = -1,
	.run = kill_,
};

/* ---- rm ---- */

static const struct opt rm_options[] = {
	OPT_SWITCH('f', "force", "Remove a running container too (it is killed)"),
	OPT_SWITCH('v', "volumes", "Remove the container's anonymous volumes as well"),
};

/* As docker: with --force, what is not there is said and no failure. */
static int rm_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	struct err why = {0};
	int r;

	while (*name == '/')
		name++;
	url_path(&u, "/containers/%", name);
	url_flag(&u, "v", arg_bool(a, "volumes"));
	url_flag(&u, "force", arg_bool(a, "force"));
	r = cli_request(cli, "DELETE", &u, NULL, NULL, &why);
	if (r < 0 && why.kind == ERR_NOT_FOUND && arg_bool(a, "force")) {
		(void)fprintf(stderr, "%s\n", why.msg);
		return 0;
	}
	if (r < 0)
		return err_set(e, why.kind, -r, "%s", why.msg);
	(void)printf("%s\n", name);
	return 0;
}

static int rm(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, rm_one, false);
}

const struct command cmd_rm = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Remove one or more containers",
	.tables = {OPT_TABLE(rm_options)},
	.min = 1,
	.max = -1,
	.run = rm,
};

/* ---- wait ---- */

static int wait_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *result = NULL;
	int r;

	(void)a;
	url_path(&u, "/containers/%/wait", name);
	r = cli_request(cli, "POST", &u, NULL, &result, e);
	if (r < 0)
		return r;
	if (*js(json_get(result, "Error"), "Message"))
		return err_set(e, ERR_INTERNAL, EIO, "%s",
			       js(json_get(result, "Error"), "Message"));
	(void)printf("%lld\n", (long long)ji(result, "StatusCode"));
	(void)fflush(stdout);
	return 0;
}

static int wait_(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, wait_one, false);
}

const struct command cmd_wait = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Block until one or more containers stop, then print their exit codes",
	.min = 1,
	.max = -1,
	.run = wait_,
};

/* ---- rename ---- */

static int rename_(struct cli *cli, const struct args *a, struct err *e)
{
	char *const *names = args_operands(a);
	auto_buf struct buf u = URL_INIT;

	url_path(&u, "/containers/%/rename", names[0]);
	url_query(&u, "name", names[1]);
	if (cli_request(cli, "POST", &u, NULL, NULL, e) >= 0)
		return 0;
	(void)fprintf(stderr, "%s\nError: failed to rename container named %s\n", e->msg, names[0]);
	return 1;
}

const struct command cmd_rename = {
	.operands = "CONTAINER NEW_NAME",
	.summary = "Rename a container",
	.min = 2,
	.max = 2,
	.run = rename_,
};

/* ---- container prune ---- */

static const struct opt prune_options[] = {
	OPT_LIST(0, "filter", "filter",
		 "Only what fits (\"until=<timestamp>\", \"label=<label>\")"),
	OPT_SWITCH('f', "force", "Do not ask for confirmation"),
};

/* An image's entry says what happened to a name or to the image itself. */
static void print_pruned(const json_t *o)
{
	if (*js(o, "Untagged"))
		(void)printf("untagged: %s\n", js(o, "Untagged"));
	else if (*js(o, "Deleted"))
		(void)printf("deleted: %s\n", js(o, "Deleted"));
	else
		(void)printf("%s\n", json_is_string(o) ? json_string_value(o) : "");
}

int prune_part(struct cli *cli, const struct prune *p, int64_t *sum, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *result = NULL;
	size_t i;
	json_t *o;
	int r;

	url_path(&u, p->path, NULL);
	r = url_filters(&u, p->filters, e);
	if (r >= 0)
		r = cli_request(cli, "POST", &u, NULL, &result, e);
	if (r < 0)
		return r;
	if (json_array_size(json_get(result, p->key)))
		(void)printf("%s\n", p->title);
	json_array_foreach(json_get(result, p->key), i, o)
	{
		print_pruned(o);
	}
	if (json_array_size(json_get(result, p->key)))
		(void)printf("\n");
	*sum += ji(result, "SpaceReclaimed");
	return 0;
}

int prune(struct cli *cli, const struct args *a, const struct prune *p, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(64);
	struct prune what = *p;
	int64_t sum = 0;
	int r;

	if (!arg_bool(a, "force") && !cli_confirm(p->warning))
		return 1;
	if (!what.filters)
		what.filters = arg_list(a, "filter");
	r = prune_part(cli, &what, &sum, e);
	if (r < 0 || !p->space)
		return r;
	human_size(&text, sum, 4);
	(void)printf("Total reclaimed space: %s\n", buf_str(&text));
	return 0;
}

static int container_prune(struct cli *cli, const struct args *a, struct err *e)
{
	static const struct prune what = {
		.path = "/containers/prune",
		.warning = "This will remove all stopped containers.",
		.key = "ContainersDeleted",
		.title = "Deleted Containers:",
		.space = true,
	};

	return prune(cli, a, &what, e);
}

const struct command cmd_container_prune = {
	.summary = "Remove all stopped containers",
	.tables = {OPT_TABLE(prune_options)},
	.run = container_prune,
};
