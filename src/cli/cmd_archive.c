/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_archive.c - save, export: archives to a file or the standard output; diff, commit */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/commands.h"

/* ---- archives out ---- */

struct output {
	const char *path; /* NULL: standard output */
	char *part;	  /* what is written until it is whole */
	int fd;
	struct err err;
};

static int on_piece(void *data, const void *piece, size_t len)
{
	struct output *o = data;

	return cli_write(o->fd, piece, len, &o->err);
}

static int output_open(struct output *o, struct err *e)
{
	if (!o->path) {
		o->fd = STDOUT_FILENO;
		return isatty(STDOUT_FILENO)
			       ? err_invalid(e, "cowardly refusing to save to a "
						"terminal. Use the -o flag or redirect")
			       : 0;
	}
	o->part = need(str_printf("%s.part-%d", o->path, (int)getpid()));
	o->fd = open(o->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return o->fd < 0 ? err_sys(e, errno, "open %s", o->part) : 0;
}

/* The file is there whole, or not at all. */
static int output_close(struct output *o, int r, struct err *e)
{
	if (!o->part)
		return r;
	if (o->fd >= 0 && close(o->fd) < 0 && r >= 0)
		r = err_sys(e, errno, "write %s", o->path);
	if (r >= 0 && rename(o->part, o->path) < 0)
		r = err_sys(e, errno, "rename %s", o->path);
	if (r < 0 && o->fd >= 0)
		(void)unlink(o->part);
	free(o->part);
	return r;
}

static int download(struct cli *cli, const struct buf *url, const char *path, struct err *e)
{
	struct output o = {.path = path, .fd = -EBADF};
	struct http_call call = {
		.method = "GET", .path = buf_str(url), .on_data = on_piece, .data = &o};
	struct http_resp resp = {0};
	struct client *c;
	int r = cli_client(cli, &c, e);

	if (r >= 0)
		r = output_open(&o, e);
	if (r >= 0)
		r = client_call(c, &call, &resp, e);
	if (r < 0 && o.err.code)
		*e = o.err;
	http_resp_done(&resp);
	return output_close(&o, r, e);
}

static const struct opt output_options[] = {
	OPT_VALUE('o', "output", "string", "Write to a file, instead of STDOUT"),
};

static int save(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT;

	url_path(&u, "/images/get", NULL);
	for (char *const *name = args_operands(a); *name; name++)
		url_query(&u, "names", *name);
	return buf_err(&u) ? err_invalid(e, "the request is too large")
			   : download(cli, &u, arg_str(a, "output"), e);
}

const struct command cmd_save = {
	.operands = "IMAGE [IMAGE...]",
	.summary = "Save one or more images to a tar archive (streamed to STDOUT by default)",
	.tables = {OPT_TABLE(output_options)},
	.min = 1,
	.max = -1,
	.run = save,
};

static int export(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT;

	url_path(&u, "/containers/%/export", args_operands(a)[0]);
	return download(cli, &u, arg_str(a, "output"), e);
}

const struct command cmd_export = {
	.operands = "CONTAINER",
	.summary = "Export a container's filesystem as a tar archive",
	.tables = {OPT_TABLE(output_options)},
	.min = 1,
	.max = 1,
	.run = export,
};

/* ---- diff ---- */

static int diff(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *list = NULL;
	json_t *o;
	size_t i;

	url_path(&u, "/containers/%/changes", args_operands(a)[0]);
	int r = cli_request(cli, "GET", &u, NULL, &list, e);

	if (r < 0)
		return r;
	json_array_foreach(list, i, o)
	{
		int64_t kind = ji(o, "Kind");

		(void)printf("%c %s\n", kind >= 0 && kind < 3 ? "CAD"[kind] : '?', js(o, "Path"));
	}
	return 0;
}

const struct command cmd_diff = {
	.operands = "CONTAINER",
	.summary = "Inspect changes to files or directories on a container's filesystem",
	.min = 1,
	.max = 1,
	.run = diff,
};

/* ---- commit ---- */

static const struct opt commit_options[] = {
	OPT_VALUE('a', "author", "string",
		  "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"),
	OPT_LIST('c', "change", "list", "Apply Dockerfile instruction to the created image"),
	OPT_VALUE('m', "message", "string", "Commit message"),
	OPT_PRESET('p', "pause", "bool", "true", "Pause container during commit"),
};

static int commit(struct cli *cli, const struct args *a, struct err *e)
{
	char *const *words = args_operands(a), *const *change = arg_list(a, "change");
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *made = NULL;
	bool pause = true;

	if (parse_bool(arg_str(a, "pause"), &pause) < 0)
		return err_invalid(e, "invalid argument \"%s\" for \"-p, --pause\" flag",
				   arg_str(a, "pause"));
	url_path(&u, "/commit", NULL);
	url_query(&u, "container", words[0]);
	url_query(&u, "repo", words[1]);
	url_query(&u, "author", arg_str(a, "author"));
	url_query(&u, "comment", arg_str(a, "message"));
	url_query(&u, "pause", pause ? "1" : "0");
	for (; change && *change; change++)
		url_query(&u, "changes", *change);
	if (buf_err(&u))
		return err_invalid(e, "the request is too large");
	int r = cli_request(cli, "POST", &u, NULL, &made, e);

	if (r >= 0)
		(void)printf("%s\n", js(made, "Id"));
	return r;
}

const struct command cmd_commit = {
	.operands = "CONTAINER [REPOSITORY[:TAG]]",
	.summary = "Create a new image from a container's changes",
	.tables = {OPT_TABLE(commit_options)},
	.min = 1,
	.max = 2,
	.run = commit,
};
