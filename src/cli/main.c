/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - from the arguments to a command: global options, words, operands, errors, exit codes */

#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "base/fs.h"
#include "cli/cli.h"
#include "cli/tty.h"

static const struct opt global_options[] = {
	OPT_LIST('H', "host", "string",
		 "Engine to connect to (default ATOLL_HOST, DOCKER_HOST or " CLIENT_DEFAULT_HOST
		 ")"),
	OPT_VALUE(
		'c', "context", "string",
		"Name of the context to use to connect (overrides DOCKER_HOST and the context set "
		"with \"atoll context use\")"),
	OPT_SWITCH(0, "tls", "Use TLS; implied by --tlsverify"),
	OPT_VALUE(0, "tlscacert", "string", "Trust certs signed only by this CA"),
	OPT_VALUE(0, "tlscert", "string", "Path to TLS certificate file"),
	OPT_VALUE(0, "tlskey", "string", "Path to TLS key file"),
	OPT_SWITCH(0, "tlsverify", "Use TLS and verify the remote"),
	OPT_SWITCH('v', "version", "Print version information and quit"),
	{.letter = 'D', .name = "debug"},
	{.letter = 'l', .name = "log-level", .type = "string"},
};
const struct opt_table cli_global_options = OPT_TABLE(global_options);

/* ---- small things ---- */

void cli_no_memory(void)
{
	(void)fputs("atoll: out of memory\n", stderr);
	_exit(1);
}

void list_add(char ***v, const char *s)
{
	if (strv_add(v, s) < 0)
		cli_no_memory();
}

void list_addf(char ***v, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		cli_no_memory();
	va_end(ap);
	list_add(v, s);
	free(s);
}

const char *js(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_get(obj, key));

	return s ? s : "";
}

int64_t ji(const json_t *obj, const char *key)
{
	const json_t *v = json_get(obj, key);

	return json_is_real(v) ? (int64_t)json_real_value(v) : json_integer_value(v);
}

bool jb(const json_t *obj, const char *key)
{
	return json_is_true(json_get(obj, key));
}

void cli_die_by(int number)
{
	struct sigaction usual = {.sa_handler = SIG_DFL};
	sigset_t set;

	tty_restore();
	(void)sigaction(number, &usual, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, number);
	(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int cli_write(int fd, const void *data, size_t len, struct err *e)
{
	int r = fs_write_all(fd, data, len);

	if (r == -EPIPE)
		cli_die_by(SIGPIPE);
	return r < 0 ? err_sys(e, -r, "cannot write") : 0;
}

bool cli_confirm(const char *warning)
{
	char line[16];

	if (warning)
		(void)printf("WARNING! %s\n", warning);
	(void)printf("Are you sure you want to continue? [y/N] ");
	(void)fflush(stdout);
	return fgets(line, sizeof(line), stdin) && (*line | 0x20) == 'y';
}

/* ---- requests ---- */

int cli_client(struct cli *cli, struct client **ret, struct err *e)
{
	int r = cli->client ? 0 : client_new(&cli->wish, &cli->client, e);

	*ret = cli->client;
	return r;
}

int cli_request(struct cli *cli, const char *method, const struct buf *url, const char *json,
		json_t **ret, struct err *e)
{
	struct client *c;
	int r = buf_err(url) ? err_invalid(e, "the request is too large") : 0;

	if (r >= 0)
		r = cli_client(cli, &c, e);
	if (r >= 0)
		r = client_json(c, method, buf_str(url), json, ret, e);
	return r;
}

int cli_each(struct cli *cli, const struct args *a,
	     int (*one)(struct cli *cli, const struct args *a, const char *name, struct err *e),
	     bool print)
{
	int failed = 0;

	for (char *const *name = args_operands(a); *name; name++) {
		struct err e = {0};

		if (one(cli, a, *name, &e) < 0) {
			(void)fprintf(stderr, "%s\n", e.msg);
			failed = 1;
			if (e.code == -ECONNREFUSED || e.code == -EACCES)
				break; /* no engine: the others would say the same */
		} else if (print) {
			(void)printf("%s\n", *name);
			(void)fflush(stdout);
		}
	}
	return failed;
}

/* ---- running ---- */

static int show(struct buf *text, FILE *to)
{
	(void)fputs(buf_str(text), to);
	return buf_err(text) ? 1 : 0;
}

/* The arguments were wrong: why, the usage, where to read on. */
static int misused(const struct entry *en, const char *why, int code)
{
	auto_buf struct buf text = BUF_INIT(1u << 20);

	(void)buf_printf(&text, "%s\n\n", why);
	help_usage(&text, en);
	(void)buf_printf(&text, "\nRun 'atoll %s --help' for more information\n", en->path);
	(void)show(&text, stderr);
	return code;
}

static int check_count(const struct entry *en, const struct args *a, struct err *e)
{
	size_t n = args_n(a);
	int min = en->cmd->min, max = en->cmd->max;
	const char *how = max == min ? "" : n < (size_t)min ? "at least " : "at most ";
	int bound = n < (size_t)min ? min : max;

	if (n >= (size_t)min && (max < 0 || n <= (size_t)max))
		return 0;
	if (!max)
		return err_invalid(e, "atoll: 'atoll %s' accepts no arguments", en->path);
	return err_invalid(e, "atoll: 'atoll %s' requires %s%d argument%s", en->path, how, bound,
			   bound == 1 ? "" : "s");
}

static int run_command(struct cli *cli, const struct entry *en, char *const *argv)
{
	auto_(args_free) struct args *a = NULL;
	auto_buf struct buf text = BUF_INIT(1u << 20);
	struct err e = {0};
	int fail = en->cmd->fail_code ? en->cmd->fail_code : 1, r;

	cli->path = en->path;
	if (args_parse(en->cmd->tables, en->cmd->stop_at_operand, argv, &a, &e) < 0)
		return misused(en, e.msg, 125);
	if (args_help(a)) {
		help_entry(&text, en);
		return show(&text, stdout);
	}
	if (check_count(en, a, &e) < 0)
		return misused(en, e.msg, 1);
	r = en->cmd->run(cli, a, &e);
	if (r < 0 && fail == 1)
		(void)fprintf(stderr, "%s\n", e.msg);
	else if (r < 0) /* as docker run does */
		(void)fprintf(stderr, "atoll: %s\n\nRun 'atoll %s --help' for more information\n",
			      e.msg, en->path);
	if (fflush(stdout) != 0 && errno == EPIPE)
		cli_die_by(SIGPIPE);
	if (ferror(stdout) && r == 0) {
		(void)fprintf(stderr, "atoll: cannot write: %s\n", strerror(errno));
		return 1;
	}
	return r < 0 ? fail : r;
}

/* What docker has and we have not: better said than "unknown". */
static const char *missing(const char *word)
{
	static const struct {
		const char *word, *text;
	} known[] = {
		{"swarm", "swarm mode is not supported"},
		{"service", "swarm mode is not supported"},
		{"stack", "swarm mode is not supported"},
		{"node", "swarm mode is not supported"},
		{"config", "swarm mode is not supported"},
		{"secret", "swarm mode is not supported"},
		{"plugin", "plugins are not supported"},
		{"checkpoint", "checkpoints are not supported"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(word, known[i].word))
			return known[i].text;
	return NULL;
}

static int unknown(const struct entry *group, const char *word)
{
	const char *text = group ? NULL : missing(word);

	if (text)
		(void)fprintf(stderr, "atoll: %s: %s\n", word, text);
	else
		(void)fprintf(stderr,
			      "atoll: unknown command: atoll %s%s%s\n\n"
			      "Run 'atoll %s%s--help' for more information\n",
			      group ? group->path : "", group ? " " : "", word,
			      group ? group->path : "", group ? " " : "");
	return 1;
}

static int show_help(const struct entry *en)
{
	auto_buf struct buf text = BUF_INIT(1u << 20);

	if (en)
		help_entry(&text, en);
	else
		help_top(&text);
	return show(&text, stdout);
}

/* The words of @argv down to a command, a group, or something unknown. */
static int dispatch(struct cli *cli, char *const *argv)
{
	const struct entry *en = entry_find(argv[0]), *sub;
	auto_free char *path = NULL;

	if (!en)
		return unknown(NULL, argv[0]);
	if (en->cmd)
		return run_command(cli, en, argv + 1);
	if (!argv[1] || streq(argv[1], "--help") || streq(argv[1], "-h"))
		return show_help(en);
	path = need(str_printf("%s %s", argv[0], argv[1]));
	sub = entry_find(path);
	if (!sub || !sub->cmd)
		return unknown(en, argv[1]);
	return run_command(cli, sub, argv + 2);
}

/* atoll help [--man | --completion | COMMAND [COMMAND]] */
static int help_command(char *const *argv)
{
	auto_buf struct buf text = BUF_INIT(1u << 20);
	auto_free char *path = NULL;
	const struct entry *en;

	if (!argv[0])
		return show_help(NULL);
	if (streq(argv[0], "--man") || streq(argv[0], "--completion")) {
		if (argv[0][2] == 'm')
			man_page(&text);
		else
			completion_bash(&text);
		return show(&text, stdout);
	}
	path = need(argv[1] ? str_printf("%s %s", argv[0], argv[1]) : strdup(argv[0]));
	en = entry_find(path);
	return en ? show_help(en) : unknown(NULL, path);
}

int cli_main(int argc, char **argv)
{
	const struct opt_table tables[OPT_TABLES] = {cli_global_options};
	auto_(args_free) struct args *a = NULL;
	struct cli cli = {0};
	struct err e = {0};
	char *const *words;
	int r;

	(void)argc;
	if (args_parse(tables, true, argv + (argv[0] != NULL), &a, &e) < 0) {
		(void)fprintf(stderr, "%s\n\nRun 'atoll --help' for more information\n", e.msg);
		return 125;
	}
	words = args_operands(a);
	if (arg_bool(a, "version")) {
		(void)printf("Atoll version %s\n", ATOLL_VERSION);
		return 0;
	}
	if (args_help(a) || !*words)
		return show_help(NULL);
	if (streq(*words, "help"))
		return help_command(words + 1);
	cli.wish = (struct client_wish){.host = arg_str(a, "host"),
					.context = arg_str(a, "context"),
					.ca = arg_str(a, "tlscacert"),
					.cert = arg_str(a, "tlscert"),
					.key = arg_str(a, "tlskey"),
					.tls = arg_bool(a, "tls"),
					.verify = arg_bool(a, "tlsverify"),
					.verify_said = arg_given(a, "tlsverify")};
	r = dispatch(&cli, words);
	client_free(cli.client);
	return r;
}
