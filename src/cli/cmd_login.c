/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_login.c - login and logout: credentials checked by the engine, kept as docker keeps them */

#include <string.h>
#include <termios.h>

#include "base/fs.h"
#include "cli/authfile.h"
#include "cli/commands.h"
#include "cli/refname.h"

#define SECRET_MAX 16384

static const struct opt login_options[] = {
	OPT_VALUE('p', "password", "string", "Password or Personal Access Token (PAT)"),
	OPT_SWITCH(0, "password-stdin",
		   "Take the Password or Personal Access Token (PAT) from stdin"),
	OPT_VALUE('u', "username", "string", "Username"),
};

/* a line from the terminal, without echo where it is a secret; "" at its end */
static char *ask(const char *prompt, bool secret)
{
	struct termios old, quiet;
	char line[SECRET_MAX] = "";
	bool tty = tcgetattr(STDIN_FILENO, &old) == 0;
	char *copy;

	(void)fputs(prompt, stdout);
	(void)fflush(stdout);
	if (tty && secret) {
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	if (!fgets(line, sizeof(line), stdin))
		*line = '\0';
	if (tty && secret) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		(void)putchar('\n');
	}
	line[strcspn(line, "\r\n")] = '\0';
	copy = need(strdup(line));
	explicit_bzero(line, sizeof(line));
	return copy;
}

/* all of standard input, without its last line break */
static char *read_secret(struct err *e)
{
	auto_buf struct buf b = BUF_INIT(SECRET_MAX);
	char piece[1024];
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		if (buf_add(&b, piece, (size_t)n) < 0) {
			(void)err_invalid(e, "the password is too long");
			return NULL;
		}
	explicit_bzero(piece, sizeof(piece));
	while (b.len && strchr("\r\n", b.data[b.len - 1]))
		b.data[--b.len] = '\0';
	return need(strdup(buf_str(&b)));
}

static int read_credentials(const struct args *a, char **user, char **password, struct err *e)
{
	if (arg_bool(a, "password-stdin") && arg_given(a, "password"))
		return err_invalid(e, "--password and --password-stdin are mutually exclusive");
	if (arg_bool(a, "password-stdin") && !arg_given(a, "username"))
		return err_invalid(e, "Must provide --username with --password-stdin");
	if (arg_given(a, "password"))
		(void)fprintf(stderr, "WARNING! Using --password via the CLI is insecure. Use "
				      "--password-stdin.\n");
	else if (!arg_bool(a, "password-stdin") && !isatty(STDIN_FILENO))
		return err_invalid(e, "Cannot perform an interactive login from a non TTY device");
	*user = arg_given(a, "username") ? need(strdup(arg_str(a, "username")))
					 : ask("Username: ", false);
	*password = arg_given(a, "password")	    ? need(strdup(arg_str(a, "password")))
		    : arg_bool(a, "password-stdin") ? read_secret(e)
						    : ask("Password: ", true);
	if (!*password)
		return -EINVAL;
	if (!**user || !**password)
		return err_invalid(e, "%s is required", **user ? "password" : "username");
	return 0;
}

/* what the user calls a server, as the configuration file calls it */
static char *server_name(const struct args *a)
{
	const char *given = args_operands(a)[0], *p;

	if (!given || streq(given, "docker.io") || streq(given, "index.docker.io"))
		return need(strdup(refname_server("docker.io")));
	if (streq(given, refname_server("docker.io")))
		return need(strdup(given));
	p = strstr(given, "://");
	p = p ? p + 3 : given;
	return need(strndup(p, strcspn(p, "/")));
}

static int login(struct cli *cli, const struct args *a, struct err *e)
{
	auto_free char *user = NULL, *password = NULL, *server = server_name(a), *file = NULL;
	auto_json json_t *auth = NULL, *answer = NULL;
	auto_free char *body = NULL;
	auto_buf struct buf u = URL_INIT;
	int r = read_credentials(a, &user, &password, e);

	if (r < 0)
		return r;
	auth = need(json_pack("{s:s,s:s,s:s}", "username", user, "password", password,
			      "serveraddress", server));
	body = need(json_dumps(auth, JSON_COMPACT));
	url_path(&u, "/auth", NULL);
	r = cli_request(cli, "POST", &u, body, &answer, e);
	if (r < 0)
		return r;
	if (*js(answer, "IdentityToken")) {
		(void)json_object_set(auth, "identitytoken", json_get(answer, "IdentityToken"));
		(void)json_object_set_new(auth, "password", json_string(""));
	}
	r = auth_store(server, auth, &file, e);
	if (r < 0)
		return err_wrap(e, "Error saving credentials");
	if (file)
		(void)fprintf(stderr,
			      "\nWARNING! Your credentials are stored unencrypted in '%s'.\n"
			      "Configure a credential helper to remove this warning.\n\n",
			      file);
	(void)printf("%s\n", js(answer, "Status"));
	return 0;
}

const struct command cmd_login = {
	.operands = "[SERVER]",
	.summary = "Authenticate to a registry",
	.tables = {OPT_TABLE(login_options)},
	.max = 1,
	.run = login,
};

/* ---- logout ---- */

static int logout(struct cli *cli, const struct args *a, struct err *e)
{
	auto_free char *server = server_name(a);
	int r = auth_erase(server, e);

	(void)cli;
	if (r < 0)
		return r;
	(void)printf(r ? "Removing login credentials for %s\n" : "Not logged in to %s\n", server);
	return 0;
}

const struct command cmd_logout = {
	.operands = "[SERVER]",
	.summary = "Log out from a registry",
	.max = 1,
	.run = logout,
};
