/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_load.c - load, import: archives streamed to the engine, its progress to the user */

#include <fcntl.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/progress.h"

static ssize_t read_fd(void *data, void *buf, size_t room)
{
	struct progress *p = data;
	ssize_t n;

	do
		n = read(p->fd, buf, room);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Sends the file @path (NULL, "-": standard input) to @url and shows what comes back. */
static int upload(struct cli *cli, const struct buf *url, const char *path, bool quiet,
		  struct err *e)
{
	auto_close int fd = -EBADF;
	struct progress p = {.line = BUF_INIT(1u << 20), .fd = STDIN_FILENO, .quiet = quiet};
	struct http_call call = {.method = "POST",
				 .path = buf_str(url),
				 .content_type = "application/x-tar",
				 .read_body = read_fd,
				 .on_data = progress_data,
				 .data = &p};
	struct http_resp resp;
	struct client *c;
	int r;

	if (path && !streq(path, "-")) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, errno, "open %s", path);
		p.fd = fd;
	}
	r = cli_client(cli, &c, e);
	if (r < 0)
		return r;
	r = client_call(c, &call, &resp, e);
	if (r >= 0)
		r = progress_end(&p, e);
	http_resp_done(&resp);
	buf_done(&p.line);
	return r;
}

/* ---- load ---- */

static const struct opt load_options[] = {
	OPT_VALUE('i', "input", "string", "Read from tar archive file, instead of STDIN"),
	OPT_SWITCH('q', "quiet", "Suppress the load output"),
};

static int load(struct cli *cli, const struct args *a, struct err *e)
{
	const char *input = arg_str(a, "input");
	auto_buf struct buf u = URL_INIT;

	if (!input && isatty(STDIN_FILENO))
		return err_invalid(e, "requested load from stdin, but stdin is empty");
	url_path(&u, "/images/load", NULL);
	url_query(&u, "quiet", "1"); /* no progress bars are drawn */
	return upload(cli, &u, input, arg_bool(a, "quiet"), e);
}

const struct command cmd_load = {
	.summary = "Load an image from a tar archive or STDIN",
	.tables = {OPT_TABLE(load_options)},
	.run = load,
};

/* ---- import ---- */

static const struct opt import_options[] = {
	OPT_LIST('c', "change", "list", "Apply Dockerfile instruction to the created image"),
	OPT_VALUE('m', "message", "string", "Set commit message for imported image"),
};

static int import_url(struct cli *cli, const struct buf *u, struct err *e)
{
	struct progress p = {.line = BUF_INIT(1u << 20), .fd = -EBADF};
	struct http_call call = {
		.method = "POST", .path = buf_str(u), .on_data = progress_data, .data = &p};
	struct http_resp resp = {0};
	struct client *c;
	int r = cli_client(cli, &c, e);

	if (r >= 0)
		r = client_call(c, &call, &resp, e);
	if (r >= 0)
		r = progress_end(&p, e);
	http_resp_done(&resp);
	buf_done(&p.line);
	return r;
}

static int import(struct cli *cli, const struct args *a, struct err *e)
{
	char *const *words = args_operands(a), *const *change = arg_list(a, "change");
	bool url = strstr(words[0], "://") != NULL;
	auto_buf struct buf u = URL_INIT;

	url_path(&u, "/images/create", NULL);
	url_query(&u, "fromSrc", url ? words[0] : "-");
	url_query(&u, "repo", words[1]);
	url_query(&u, "message", arg_str(a, "message"));
	for (; change && *change; change++)
		url_query(&u, "changes", *change);
	if (buf_err(&u))
		return err_invalid(e, "the request is too large");
	return url ? import_url(cli, &u, e) : upload(cli, &u, words[0], false, e);
}

const struct command cmd_import = {
	.operands = "file|URL|- [REPOSITORY[:TAG]]",
	.summary = "Import the contents from a tarball to create a filesystem image",
	.tables = {OPT_TABLE(import_options)},
	.min = 1,
	.max = 2,
	.run = import,
};
