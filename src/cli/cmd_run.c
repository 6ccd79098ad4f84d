/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_run.c - run and create */

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "cli/commands.h"
#include "cli/create.h"

#define FAILED 125 /* docker's exit code where the engine, not the container, has failed */

/* ---- making the container ---- */

static int open_cidfile(const char *path, int *ret, struct err *e)
{
	if (str_empty(path))
		return 0;
	*ret = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (*ret >= 0)
		return 0;
	if (errno == EEXIST)
		return err_conflict(e,
				    "container ID file found, make sure the other container isn't "
				    "running or delete %s",
				    path);
	return err_sys(e, errno, "failed to create the container ID file");
}

/* Progress goes to standard error: what the container says is not mixed with it. */
static int fetch(struct cli *cli, const struct args *a, struct err *e)
{
	return pull_image(cli, args_operands(a)[0], arg_str(a, "platform"), false,
			  arg_bool(a, "quiet"), stderr, e);
}

/* The image is not here: as --pull says. */
static int no_image(struct cli *cli, const struct args *a, struct err *e)
{
	const char *image = args_operands(a)[0], *slash = strrchr(image, '/');
	bool tagged = strchr(slash ? slash : image, ':') || strchr(image, '@');
	struct err none = {0};

	if (!streq(arg_str(a, "pull"), "missing"))
		return e->code;
	if (!arg_bool(a, "quiet"))
		(void)fprintf(stderr, "Unable to find image '%s%s' locally\n", image,
			      tagged ? "" : ":latest");
	*e = none;
	return fetch(cli, a, e);
}

static int request(struct cli *cli, const struct args *a, const struct attached *at, char **ret,
		   struct err *e)
{
	auto_buf struct buf u = URL_INIT, body = BUF_INIT(16u << 20);
	auto_json json_t *answer = NULL;
	struct client *c;
	unsigned version;
	size_t i;
	json_t *w;
	int r = cli_client(cli, &c, e);

	if (r >= 0)
		r = client_version(c, &version, e);
	if (r >= 0)
		r = create_body(&body, a, at, version, e);
	if (r < 0)
		return r;
	url_path(&u, "/containers/create", NULL);
	url_query(&u, "name", arg_str(a, "name"));
	url_query(&u, "platform", arg_str(a, "platform"));
	r = cli_request(cli, "POST", &u, buf_str(&body), &answer, e);
	if (r < 0 && strstr(e->msg, "No such image")) {
		r = no_image(cli, a, e);
		if (r >= 0)
			r = cli_request(cli, "POST", &u, buf_str(&body), &answer, e);
	}
	if (r >= 0 && !*js(answer, "Id"))
		r = err_set(e, ERR_INTERNAL, EPROTO, "the engine gave no container ID");
	if (r < 0)
		return r;
	json_array_foreach(json_get(answer, "Warnings"), i, w)
	{
		if (json_is_string(w))
			(void)fprintf(stderr, "WARNING: %s\n", json_string_value(w));
	}
	*ret = need(strdup(js(answer, "Id")));
	return 0;
}

static int make(struct cli *cli, const struct args *a, const struct attached *at, char **ret,
		struct err *e)
{
	const char *path = arg_str(a, "cidfile");
	auto_close int cidfile = -EBADF;
	int r = 0;

	if (streq(arg_str(a, "pull"), "always"))
		r = fetch(cli, a, e);
	if (r >= 0)
		r = open_cidfile(path, &cidfile, e);
	if (r >= 0)
		r = request(cli, a, at, ret, e);
	if (cidfile < 0)
		return r;
	if (r < 0)
		(void)fs_unlink(path); /* ours, and empty */
	else if (fs_write_all(cidfile, *ret, strlen(*ret)) < 0)
		r = err_sys(e, errno, "failed to write the container ID file");
	return r;
}

/* ---- create ---- */

static int create(struct cli *cli, const struct args *a, struct err *e)
{
	struct attached at = create_attached(a, false);
	auto_free char *id = NULL;
	int r = make(cli, a, &at, &id, e);

	if (r >= 0)
		(void)printf("%s\n", id);
	return r;
}

static const struct opt run_options[] = {
	OPT_SWITCH('d', "detach", "Run container in background and print container ID"),
	OPT_VALUE(0, "detach-keys", "string", "Override the key sequence for detaching"),
	OPT_PRESET(0, "sig-proxy", NULL, "true", "Proxy received signals to the process"),
};

const struct command cmd_create = {
	.operands = "IMAGE [COMMAND] [ARG...]",
	.summary = "Create a new container",
	.tables = {{create_options, CREATE_OPTIONS}, {create_life_options, CREATE_LIFE_OPTIONS}},
	.min = 1,
	.max = -1,
	.stop_at_operand = true,
	.run = create,
};

/* ---- run ---- */

static int start(struct session *s, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	int r;

	url_path(&u, "/containers/%/start", s->id);
	r = cli_request(s->cli, "POST", &u, NULL, NULL, e);
	if (r < 0)
		*(bool *)s->data = true;
	return r;
}

/* A start that failed: the text, and 126 or 127 where it is about the program. */
static int start_failed(struct cli *cli, const struct err *e)
{
	(void)fprintf(stderr, "atoll: %s\n\nRun 'atoll %s --help' for more information\n", e->msg,
		      cli->path);
	return exit_code_of(e);
}

static void attach_target(struct buf *u, const char *id, const struct attached *at,
			  const char *keys)
{
	url_path(u, "/containers/%/attach", id);
	url_flag(u, "stream", true);
	url_flag(u, "stdin", at->in);
	url_flag(u, "stdout", at->out);
	url_flag(u, "stderr", at->err);
	url_query(u, "detachKeys", keys);
}

static int run_attached(struct cli *cli, const struct args *a, const struct attached *at,
			const char *id, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	bool failed = false;
	struct session s = {.cli = cli,
			    .id = id,
			    .condition = arg_bool(a, "rm") ? "removed" : "next-exit",
			    .resize = "/containers/%/resize",
			    .detach_keys = arg_str(a, "detach-keys"),
			    .tty = arg_bool(a, "tty"),
			    .in = at->in,
			    .proxy = arg_bool(a, "sig-proxy") && !arg_bool(a, "tty"),
			    .start = start,
			    .data = &failed};
	int r;

	attach_target(&u, id, at, s.detach_keys);
	s.attach = buf_str(&u);
	r = session_run(&s, e);
	return r < 0 && failed ? start_failed(cli, e) : r;
}

static int run_detached(struct cli *cli, const char *id, struct err *e)
{
	bool failed = false;
	struct session s = {.cli = cli, .id = id, .data = &failed};
	int r = start(&s, e);

	if (r < 0)
		return start_failed(cli, e);
	(void)printf("%s\n", id);
	return 0;
}

static int run(struct cli *cli, const struct args *a, struct err *e)
{
	bool detach = arg_bool(a, "detach");
	struct attached at = create_attached(a, detach);
	auto_free char *id = NULL;
	int r;

	if (detach && arg_given(a, "attach"))
		return err_invalid(e, "Conflicting options: -a and -d");
	r = session_check_tty(arg_bool(a, "tty"), at.in, e);
	if (r >= 0)
		r = make(cli, a, &at, &id, e);
	if (r < 0)
		return r;
	return detach || (!at.in && !at.out && !at.err) ? run_detached(cli, id, e)
							: run_attached(cli, a, &at, id, e);
}

const struct command cmd_run = {
	.operands = "IMAGE [COMMAND] [ARG...]",
	.summary = "Create and run a new container from an image",
	.tables = {{create_options, CREATE_OPTIONS},
		   {create_life_options, CREATE_LIFE_OPTIONS},
		   OPT_TABLE(run_options)},
	.min = 1,
	.max = -1,
	.stop_at_operand = true,
	.fail_code = FAILED,
	.run = run,
};
