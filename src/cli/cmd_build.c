/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_build.c - build: a context sent to the engine, its steps shown */

#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/path.h"
#include "base/rand.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/envfile.h"
#include "cli/pairs.h"
#include "cli/progress.h"

#define DOCKERFILE_MAX (1u << 20)
#define PEEK	       1024 /* of standard input: a tar's magic is at 257 */

static const struct opt build_options[] = {
	OPT_LIST(0, "add-host", "list", "Add a line to the hosts file of RUN: host:ip"),
	OPT_LIST_CHECK(0, "build-arg", "list", check_env, "Set a build argument"),
	OPT_LIST(0, "cache-from", "strings", NULL),
	OPT_VALUE('f', "file", "string",
		  "Name of the Dockerfile (default PATH/Dockerfile; -: stdin)"),
	OPT_SWITCH(0, "force-rm", "Remove the containers of steps that failed, too"),
	OPT_LIST_CHECK(0, "label", "list", check_pair, "Set a label of the image"),
	OPT_CHECK('m', "memory", "bytes", check_bytes, "Memory limit of RUN"),
	OPT_VALUE(0, "network", "string", "Network of RUN"),
	OPT_SWITCH(0, "no-cache", "Make every step anew"),
	OPT_VALUE(0, "platform", "string", "Platform of the base images"),
	OPT_SWITCH(0, "pull", "Always pull the base images"),
	OPT_SWITCH('q', "quiet", "Print only the image's ID"),
	OPT_SWITCH(0, "rm", "Remove the containers of steps that went well (default true)"),
	OPT_CHECK(0, "shm-size", "bytes", check_bytes, "Size of /dev/shm in RUN"),
	OPT_LIST('t', "tag", "list", "Name the image: name[:tag]"),
	OPT_VALUE(0, "target", "string", "Stop after this stage"),
};

struct upload {
	struct progress p; /* first: what progress_data() gets */
	struct context *context;
	char peek[PEEK]; /* of standard input */
	size_t peeked, sent;
};

static ssize_t read_some(int fd, void *buf, size_t room)
{
	ssize_t n;

	do
		n = read(fd, buf, room);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t read_body(void *data, void *buf, size_t room)
{
	struct upload *u = data;
	size_t n = MIN(room, u->peeked - u->sent);

	if (u->context)
		return context_read(u->context, buf, room);
	if (!n)
		return u->p.fd < 0 ? 0 : read_some(u->p.fd, buf, room);
	memcpy(buf, u->peek + u->sent, n);
	u->sent += n;
	return (ssize_t)n;
}

/* ---- the Dockerfile ---- */

static int read_all(int fd, const char *name, struct buf *out, struct err *e)
{
	char chunk[16384];
	ssize_t n;

	while ((n = read_some(fd, chunk, sizeof(chunk))) > 0)
		if (buf_add(out, chunk, (size_t)n) < 0)
			return err_invalid(e, "%s is larger than %u bytes", name, DOCKERFILE_MAX);
	return n < 0 ? err_sys(e, (int)-n, "cannot read %s", name) : 0;
}

/* A Dockerfile that is not in the context goes along under a name of its own. */
static int from_elsewhere(int fd, const char *name, const char *dir, struct upload *u,
			  struct buf *text, char **ret_name, struct err *e)
{
	char id[ID_LEN + 1];
	struct context_extra x;
	int r = read_all(fd, name, text, e);

	if (r < 0)
		return r;
	rand_id(id);
	*ret_name = need(str_printf(".dockerfile.%.20s", id));
	x = (struct context_extra){*ret_name, buf_str(text), text->len};
	return context_new(dir, *ret_name, &x, &u->context, e);
}

/* where @file is below @dir: its path there; else NULL */
static char *path_below(const char *dir, const char *file)
{
	auto_free char *top = realpath(dir, NULL), *path = realpath(file, NULL);
	size_t len = top ? strlen(top) : 0;

	if (!top || !path || strncmp(path, top, len) != 0)
		return NULL;
	if (len == 1) /* the root */
		return need(strdup(path + 1));
	return path[len] == '/' ? need(strdup(path + len + 1)) : NULL;
}

static int open_context(const struct args *a, const char *dir, struct upload *u, struct buf *text,
			char **ret_name, struct err *e)
{
	const char *file = arg_str(a, "file");
	auto_free char *usual = need(str_printf("%s/Dockerfile", dir)), *name = NULL;

	if (file && streq(file, "-"))
		return from_elsewhere(STDIN_FILENO, "-", dir, u, text, ret_name, e);
	name = path_below(dir, file ? file : usual);
	if (name) {
		*ret_name = TAKE_PTR(name);
		return context_new(dir, *ret_name, NULL, &u->context, e);
	}
	if (!file) { /* there is none: the engine says so */
		*ret_name = need(strdup("Dockerfile"));
		return context_new(dir, *ret_name, NULL, &u->context, e);
	}
	auto_close int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "unable to prepare context: open %s", file);
	return from_elsewhere(fd, file, dir, u, text, ret_name, e);
}

/* ---- standard input: an archive, or a Dockerfile alone ---- */

static bool looks_packed(const struct upload *u)
{
	static const struct {
		size_t at, len;
		const char *magic;
	} known[] = {{257, 5, "ustar"},
		     {0, 2, "\x1f\x8b"},
		     {0, 6,
		      "\xfd"
		      "7zXZ\0"},
		     {0, 4, "\x28\xb5\x2f\xfd"}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (u->peeked >= known[i].at + known[i].len &&
		    !memcmp(u->peek + known[i].at, known[i].magic, known[i].len))
			return true;
	return false;
}

static int from_stdin(const struct args *a, struct upload *u, struct buf *text, char **ret_name,
		      struct err *e)
{
	const char *file = arg_str(a, "file");
	ssize_t n = 1;

	while (u->peeked < PEEK && n > 0) {
		n = read_some(STDIN_FILENO, u->peek + u->peeked, PEEK - u->peeked);
		u->peeked += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		return err_sys(e, (int)-n, "cannot read standard input");
	if (looks_packed(u)) {
		u->p.fd = n > 0 ? STDIN_FILENO : -EBADF;
		*ret_name = need(strdup(file ? file : "Dockerfile"));
		return 0;
	}
	char empty[] = "/tmp/atoll-build-XXXXXX";

	(void)buf_add(text, u->peek, u->peeked); /* far below its limit */
	if (!mkdtemp(empty))
		return err_sys(e, errno, "cannot make a directory");
	int r = from_elsewhere(STDIN_FILENO, "-", empty, u, text, ret_name, e);

	(void)rmdir(empty);
	return r;
}

/* ---- the request ---- */

static void put_lists(struct buf *url, const struct args *a, char *const *env)
{
	auto_buf struct buf args = BUF_INIT(1u << 20), labels = BUF_INIT(1u << 20);
	struct jsonw w = JSONW_INIT(&args), l = JSONW_INIT(&labels);
	char *const *v;

	jsonw_object(&w, NULL);
	for (v = env; v && *v; v++) {
		const char *eq = strchr(*v, '=');
		auto_free char *name = need(strndup(*v, strcspn(*v, "=")));

		jsonw_str_or_null(&w, name, eq ? eq + 1 : NULL);
	}
	jsonw_end_object(&w);
	pairs_object(&l, NULL, arg_list(a, "label"));
	url_query(url, "buildargs", buf_str(&args));
	url_query(url, "labels", buf_str(&labels));
	for (v = arg_list(a, "tag"); v && *v; v++)
		url_query(url, "t", *v);
	for (v = arg_list(a, "add-host"); v && *v; v++)
		url_query(url, "extrahosts", *v);
}

static int make_url(struct buf *url, const struct args *a, const char *dockerfile,
		    const char *remote, struct err *e)
{
	auto_strv char **env = NULL;
	char number[24];
	bool rm = !arg_given(a, "rm") || arg_bool(a, "rm");
	int r = env_collect(NULL, arg_list(a, "build-arg"), &env, e);

	if (r < 0)
		return r;
	url_path(url, "/build", NULL);
	url_query(url, "version", "1");
	url_query(url, "dockerfile", dockerfile);
	url_query(url, "remote", remote);
	url_query(url, "rm", rm ? "1" : "0");
	url_flag(url, "forcerm", arg_bool(a, "force-rm"));
	url_flag(url, "nocache", arg_bool(a, "no-cache"));
	url_flag(url, "pull", arg_bool(a, "pull"));
	url_flag(url, "q", arg_bool(a, "quiet"));
	url_query(url, "networkmode", arg_str(a, "network"));
	url_query(url, "platform", arg_str(a, "platform"));
	url_query(url, "target", arg_str(a, "target"));
	for (const char *const *o = (const char *const[]){"memory", "shm-size", NULL}; *o; o++) {
		if (!arg_given(a, *o))
			continue;
		(void)snprintf(number, sizeof(number), "%lld", (long long)arg_bytes(a, *o));
		url_query(url, streq(*o, "memory") ? "memory" : "shmsize", number);
	}
	put_lists(url, a, env);
	return buf_err(url) ? err_invalid(e, "the request is too large") : 0;
}

static int send_it(struct cli *cli, struct upload *u, const struct buf *url, struct err *e)
{
	struct http_call call = {.method = "POST",
				 .path = buf_str(url),
				 .content_type = "application/x-tar",
				 .read_body = read_body,
				 .on_data = progress_data,
				 .data = u};
	struct http_resp resp = {0};
	struct client *c;
	int r = cli_client(cli, &c, e);

	if (r < 0)
		return r;
	r = client_call(c, &call, &resp, e);
	if (r < 0 && u->context && context_error(u->context)->code)
		*e = *context_error(u->context);
	else if (r >= 0)
		r = progress_end(&u->p, e);
	http_resp_done(&resp);
	return r;
}

static bool is_url(const char *s)
{
	return strstr(s, "://") || str_has_prefix(s, "git@") || str_has_prefix(s, "github.com/");
}

static int build(struct cli *cli, const struct args *a, struct err *e)
{
	const char *where = args_operands(a)[0];
	auto_buf struct buf url = URL_INIT, text = BUF_INIT(DOCKERFILE_MAX);
	struct upload u = {.p = {.line = BUF_INIT(1u << 20), .fd = -EBADF}};
	auto_free char *dockerfile = NULL;
	bool remote = is_url(where);
	int r = 0;

	if (streq(where, "-") && arg_str(a, "file") && streq(arg_str(a, "file"), "-"))
		return err_invalid(e,
				   "invalid argument: can't use stdin for both build context and "
				   "dockerfile");
	if (streq(where, "-"))
		r = from_stdin(a, &u, &text, &dockerfile, e);
	else if (!remote)
		r = open_context(a, where, &u, &text, &dockerfile, e);
	if (r >= 0)
		r = make_url(&url, a, dockerfile, remote ? where : NULL, e);
	if (r >= 0)
		r = send_it(cli, &u, &url, e);
	context_free(u.context);
	buf_done(&u.p.line);
	if (r < 0 && u.p.code > 0 && u.p.code < 256) { /* a RUN's own exit code */
		(void)fprintf(stderr, "%s\n", e->msg);
		return u.p.code;
	}
	return r;
}

const struct command cmd_build = {
	.operands = "PATH | URL | -",
	.summary = "Build an image from a Dockerfile",
	.tables = {OPT_TABLE(build_options)},
	.min = 1,
	.max = 1,
	.run = build,
};
