/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_logs.c - logs: what a container wrote */

#include "cli/commands.h"
#include "cli/stamp.h"
#include "client/demux.h"

static const struct opt logs_options[] = {
	OPT_SWITCH(0, "details", "Show extra details provided to logs"),
	OPT_SWITCH('f', "follow", "Follow log output"),
	OPT_VALUE(0, "since", "string",
		  "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. "
		  "\"42m\" for 42 minutes)"),
	OPT_PRESET('n', "tail", "string", "all",
		   "Number of lines to show from the end of the logs"),
	OPT_SWITCH('t', "timestamps", "Show timestamps"),
	OPT_VALUE(0, "until", "string",
		  "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. "
		  "\"42m\" for 42 minutes)"),
};

struct output {
	bool tty;
	struct demux demux;
	struct err *e;
};

static int write_piece(void *arg, int stream, const char *piece, size_t len)
{
	struct output *o = arg;

	return cli_write(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, piece, len, o->e);
}

static int on_data(void *data, const void *piece, size_t len)
{
	struct output *o = data;

	return o->tty ? write_piece(o, 1, piece, len)
		      : demux_feed(&o->demux, piece, len, write_piece, o);
}

static int logs_url(struct buf *u, const char *id, const struct args *a, struct err *e)
{
	int r;

	url_path(u, "/containers/%/logs", id);
	url_flag(u, "stdout", true);
	url_flag(u, "stderr", true);
	url_flag(u, "follow", arg_bool(a, "follow"));
	url_flag(u, "timestamps", arg_bool(a, "timestamps"));
	url_flag(u, "details", arg_bool(a, "details"));
	url_query(u, "tail", arg_str(a, "tail"));
	r = url_stamp(u, "since", arg_str(a, "since"), e);
	return r < 0 ? r : url_stamp(u, "until", arg_str(a, "until"), e);
}

static int logs(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *c = NULL;
	struct output out = {.e = e};
	struct http_call call = {.method = "GET", .on_data = on_data, .data = &out};
	struct http_resp resp;
	struct client *client;
	int r = inspect_one(cli, "container", args_operands(a)[0], false, &c, e);

	if (r >= 0)
		r = logs_url(&u, js(c, "Id"), a, e);
	if (r >= 0)
		r = cli_client(cli, &client, e);
	if (r < 0)
		return r;
	out.tty = jb(json_get(c, "Config"), "Tty");
	call.path = buf_str(&u);
	r = client_call(client, &call, &resp, e);
	http_resp_done(&resp);
	if (r == -EBADMSG && !*e->msg)
		return err_set(e, ERR_INTERNAL, EBADMSG, "Unrecognized input header");
	return r;
}

const struct command cmd_logs = {
	.operands = "CONTAINER",
	.summary = "Fetch the logs of a container",
	.tables = {OPT_TABLE(logs_options)},
	.min = 1,
	.max = 1,
	.run = logs,
};
