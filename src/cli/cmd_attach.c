/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_attach.c - attach, and start with or without it */

#include <string.h>

#include "cli/commands.h"

/* Target of the hijacked attach: which streams, and the keys. */
static void attach_target(struct buf *u, const char *id, bool in, const char *keys)
{
	url_path(u, "/containers/%/attach", id);
	url_flag(u, "stream", true);
	url_flag(u, "stdin", in);
	url_flag(u, "stdout", true);
	url_flag(u, "stderr", true);
	url_query(u, "detachKeys", keys);
}

/* ---- attach ---- */

static const struct opt attach_options[] = {
	OPT_VALUE(0, "detach-keys", "string", "Override the key sequence for detaching"),
	OPT_SWITCH(0, "no-stdin", "Do not attach standard input"),
	OPT_PRESET(0, "sig-proxy", NULL, "true", "Proxy received signals to the process"),
};

static int check_state(const json_t *c, struct err *e)
{
	const json_t *state = json_get(c, "State");

	if (!jb(state, "Running"))
		return err_invalid(e, "You cannot attach to a stopped container, start it first");
	if (jb(state, "Paused"))
		return err_invalid(e, "You cannot attach to a paused container, unpause it first");
	if (jb(state, "Restarting"))
		return err_invalid(e, "You cannot attach to a restarting container, wait until it "
				      "is running");
	return 0;
}

static int attach(struct cli *cli, const struct args *a, struct err *e)
{
	const char *keys = arg_str(a, "detach-keys");
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *c = NULL;
	struct session s = {.cli = cli,
			    .condition = "not-running",
			    .resize = "/containers/%/resize",
			    .detach_keys = keys};
	int r = inspect_one(cli, "container", args_operands(a)[0], false, &c, e);

	if (r >= 0)
		r = check_state(c, e);
	if (r < 0)
		return r;
	s.id = js(c, "Id");
	s.tty = jb(json_get(c, "Config"), "Tty");
	s.in = jb(json_get(c, "Config"), "OpenStdin") && !arg_bool(a, "no-stdin");
	s.proxy = arg_bool(a, "sig-proxy") && !s.tty;
	r = session_check_tty(s.tty, s.in, e);
	if (r < 0)
		return r;
	attach_target(&u, s.id, s.in, keys);
	s.attach = buf_str(&u);
	return session_run(&s, e);
}

const struct command cmd_attach = {
	.operands = "CONTAINER",
	.summary = "Attach local standard input, output, and error streams to a running container",
	.tables = {OPT_TABLE(attach_options)},
	.min = 1,
	.max = 1,
	.run = attach,
};

/* ---- start ---- */

static const struct opt start_options[] = {
	OPT_SWITCH('a', "attach", "Attach STDOUT/STDERR and forward signals"),
	OPT_SWITCH('i', "interactive", "Attach container's STDIN"),
	OPT_VALUE(0, "detach-keys", "string", "Override the key sequence for detaching"),
};

static int start_by_id(struct cli *cli, const char *id, struct err *e)
{
	auto_buf struct buf u = URL_INIT;

	url_path(&u, "/containers/%/start", id);
	return cli_request(cli, "POST", &u, NULL, NULL, e);
}

static int start_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	(void)a;
	return start_by_id(cli, name, e);
}

static int start_session(struct session *s, struct err *e)
{
	return start_by_id(s->cli, s->id, e);
}

static int start_attached(struct cli *cli, const struct args *a, struct err *e)
{
	const char *keys = arg_str(a, "detach-keys");
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *c = NULL;
	struct session s = {.cli = cli,
			    .resize = "/containers/%/resize",
			    .detach_keys = keys,
			    .start = start_session};
	int r;

	if (args_n(a) > 1)
		return err_invalid(e, "you cannot start and attach multiple containers at once");
	r = inspect_one(cli, "container", args_operands(a)[0], false, &c, e);
	if (r < 0)
		return r;
	s.id = js(c, "Id");
	s.condition = jb(json_get(c, "HostConfig"), "AutoRemove") ? "removed" : "next-exit";
	s.tty = jb(json_get(c, "Config"), "Tty");
	s.in = arg_bool(a, "interactive") && jb(json_get(c, "Config"), "OpenStdin");
	s.proxy = !s.tty;
	r = session_check_tty(s.tty, s.in, e);
	if (r < 0)
		return r;
	attach_target(&u, s.id, s.in, keys);
	s.attach = buf_str(&u);
	return session_run(&s, e);
}

static int start(struct cli *cli, const struct args *a, struct err *e)
{
	if (arg_bool(a, "attach") || arg_bool(a, "interactive"))
		return start_attached(cli, a, e);
	return cli_each(cli, a, start_one, true);
}

const struct command cmd_start = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Start one or more stopped containers",
	.tables = {OPT_TABLE(start_options)},
	.min = 1,
	.max = -1,
	.run = start,
};
