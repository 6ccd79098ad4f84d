/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_pause.c - pause, unpause */

#include "cli/commands.h"

static int post(struct cli *cli, const char *pattern, const char *name, struct err *e)
{
	auto_buf struct buf u = URL_INIT;

	url_path(&u, pattern, name);
	return cli_request(cli, "POST", &u, NULL, NULL, e);
}

static int pause_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	(void)a;
	return post(cli, "/containers/%/pause", name, e);
}

static int pause_all(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, pause_one, true);
}

const struct command cmd_pause = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Pause all processes within one or more containers",
	.min = 1,
	.max = -1,
	.run = pause_all,
};

static int unpause_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	(void)a;
	return post(cli, "/containers/%/unpause", name, e);
}

static int unpause_all(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, unpause_one, true);
}

const struct command cmd_unpause = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Unpause all processes within one or more containers",
	.min = 1,
	.max = -1,
	.run = unpause_all,
};
