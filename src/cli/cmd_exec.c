/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_exec.c - exec: a command in a running container */

#include "base/jsonw.h"
#include "cli/commands.h"
#include "cli/envfile.h"
#include "cli/tty.h"

static const struct opt exec_options[] = {
	OPT_SWITCH('d', "detach", "Detached mode: run command in the background"),
	OPT_VALUE(0, "detach-keys", "string", "Override the key sequence for detaching"),
	OPT_LIST_CHECK('e', "env", "list", check_env, "Set environment variables"),
	OPT_LIST(0, "env-file", "list", "Read in a file of environment variables"),
	OPT_SWITCH('i', "interactive", "Keep STDIN open even if not attached"),
	OPT_SWITCH(0, "privileged", "Give extended privileges to the command"),
	OPT_SWITCH('t', "tty", "Allocate a pseudo-TTY"),
	OPT_VALUE('u', "user", "string", "Username or UID (format: \"<name|uid>[:<group|gid>]\")"),
	OPT_VALUE('w', "workdir", "string", "Working directory inside the container"),
};

static void console_size(struct jsonw *w)
{
	unsigned rows, columns;

	if (!tty_size(&rows, &columns))
		return;
	jsonw_array(w, "ConsoleSize");
	jsonw_i64(w, NULL, rows);
	jsonw_i64(w, NULL, columns);
	jsonw_end_array(w);
}

static void create_body(struct buf *out, const struct args *a, char *const *env)
{
	struct jsonw w = JSONW_INIT(out);
	bool detach = arg_bool(a, "detach"), tty = arg_bool(a, "tty");

	jsonw_object(&w, NULL);
	jsonw_str(&w, "User", arg_str(a, "user"));
	jsonw_bool(&w, "Privileged", arg_bool(a, "privileged"));
	jsonw_bool(&w, "Tty", tty);
	if (tty)
		console_size(&w);
	jsonw_bool(&w, "AttachStdin", arg_bool(a, "interactive") && !detach);
	jsonw_bool(&w, "AttachStderr", !detach);
	jsonw_bool(&w, "AttachStdout", !detach);
	jsonw_bool(&w, "Detach", detach);
	jsonw_str(&w, "DetachKeys", arg_str(a, "detach-keys"));
	if (env)
		jsonw_strv(&w, "Env", env);
	jsonw_str(&w, "WorkingDir", arg_str(a, "workdir"));
	jsonw_strv(&w, "Cmd", args_operands(a) + 1);
	jsonw_end_object(&w);
}

/* POST /containers/x/exec. Return: the exec's id in *@ret */
static int create_exec(struct cli *cli, const struct args *a, char **ret, struct err *e)
{
	auto_buf struct buf u = URL_INIT, body = BUF_INIT(16u << 20);
	auto_json json_t *answer = NULL;
	auto_strv char **env = NULL;
	int r = env_collect(arg_list(a, "env-file"), arg_list(a, "env"), &env, e);

	if (r < 0)
		return r;
	create_body(&body, a, env);
	if (buf_err(&body))
		return err_invalid(e, "the command is too large");
	url_path(&u, "/containers/%/exec", args_operands(a)[0]);
	r = cli_request(cli, "POST", &u, buf_str(&body), &answer, e);
	if (r >= 0 && !*js(answer, "Id"))
		r = err_set(e, ERR_INTERNAL, EPROTO, "exec ID empty");
	if (r >= 0)
		*ret = need(strdup(js(answer, "Id")));
	return r;
}

static int exit_code(struct cli *cli, const char *id, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *answer = NULL;
	int r;

	url_path(&u, "/exec/%/json", id);
	r = cli_request(cli, "GET", &u, NULL, &answer, e);
	return r < 0 ? r : (int)(ji(answer, "ExitCode") & 0xff);
}

static int exec_attached(struct cli *cli, const struct args *a, const char *id, struct err *e)
{
	auto_buf struct buf u = URL_INIT, body = BUF_INIT(4096);
	struct jsonw w = JSONW_INIT(&body);
	struct session s = {.cli = cli,
			    .id = id,
			    .resize = "/exec/%/resize",
			    .detach_keys = arg_str(a, "detach-keys"),
			    .tty = arg_bool(a, "tty"),
			    .in = arg_bool(a, "interactive")};
	int r;

	url_path(&u, "/exec/%/start", id);
	jsonw_object(&w, NULL);
	jsonw_bool(&w, "Detach", false);
	jsonw_bool(&w, "Tty", s.tty);
	if (s.tty)
		console_size(&w);
	jsonw_end_object(&w);
	s.attach = buf_str(&u);
	s.body = buf_str(&body);
	r = session_run(&s, e);
	return r < 0 ? r : exit_code(cli, id, e); /* after detaching it has none yet: 0 */
}

static int exec(struct cli *cli, const struct args *a, struct err *e)
{
	auto_free char *id = NULL;
	auto_buf struct buf u = URL_INIT;
	int r = session_check_tty(arg_bool(a, "tty"),
				  arg_bool(a, "interactive") && !arg_bool(a, "detach"), e);

	if (r >= 0)
		r = create_exec(cli, a, &id, e);
	if (r < 0)
		return r;
	if (arg_bool(a, "detach")) {
		url_path(&u, "/exec/%/start", id);
		r = cli_request(cli, "POST", &u, "{\"Detach\":true}", NULL, e);
	} else {
		r = exec_attached(cli, a, id, e);
	}
	if (r < 0 && e->kind != ERR_UNAVAILABLE && exit_code_of(e) != 125) {
		(void)fprintf(stderr, "%s\n", e->msg);
		return exit_code_of(e);
	}
	return r;
}

const struct command cmd_exec = {
	.operands = "CONTAINER COMMAND [ARG...]",
	.summary = "Execute a command in a running container",
	.tables = {OPT_TABLE(exec_options)},
	.min = 2,
	.max = -1,
	.stop_at_operand = true,
	.run = exec,
};
