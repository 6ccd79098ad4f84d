/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_cp.c - cp: files between a container and the local file system
 *
 * The engine speaks tar; the local side is tar(1), started with no shell in between. What is copied
 * has the name of its source, unless the destination says another: tar renames it on the way. The
 * cases are docker's: a source that ends in "/." is a directory's content, a destination that
 * exists and is a directory is copied into.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/base64.h"
#include "cli/commands.h"

#define MODE_DIR  (1ll << 31) /* of Go's os.FileMode */
#define MODE_LINK (1ll << 27)

/* ---- paths ---- */

struct side {
	char *container; /* NULL: local */
	char *path;
};

static void side_done(struct side *s)
{
	free(s->container);
	free(s->path);
}

/* "name:path"; a local path with a colon begins with "/" or "." */
static void side_parse(const char *text, struct side *out)
{
	const char *colon = strchr(text, ':');

	if (*text == '/' || *text == '.' || !colon || colon == text) {
		*out = (struct side){.path = need(strdup(text))};
		return;
	}
	out->container = need(strndup(text, (size_t)(colon - text)));
	out->path = need(strdup(colon + 1));
}

static bool is_content(const char *path)
{
	return str_has_suffix(path, "/.") || streq(path, ".");
}

/* "a/b/" -> "a" and "b"; "/" -> "/" and "" */
static void split(const char *path, char **ret_dir, char **ret_base)
{
	auto_free char *copy = need(strdup(path));
	size_t n = strlen(copy);

	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	char *slash = strrchr(copy, '/');

	*ret_base = need(strdup(slash ? slash + 1 : copy));
	if (slash)
		slash[slash == copy] = '\0';
	*ret_dir = need(strdup(slash ? copy : "."));
}

/* ---- the container's side ---- */

struct remote {
	bool there, dir;
	char *target; /* of a link */
};

static int parse_stat(const char *header, struct remote *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(64u << 10);
	auto_json json_t *j = NULL;

	if (base64_decode(&text, header, strlen(header)) < 0 ||
	    json_read(buf_str(&text), text.len, &j, NULL) < 0)
		return err_set(e, ERR_INTERNAL, EPROTO,
			       "unable to decode container path stat header");
	out->there = true;
	out->dir = ji(j, "mode") & MODE_DIR;
	if (ji(j, "mode") & MODE_LINK)
		out->target = need(strdup(js(j, "linkTarget")));
	return 0;
}

static int remote_stat(struct cli *cli, const struct side *s, struct remote *out, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	struct http_call call = {.method = "HEAD"};
	struct http_resp resp = {0};
	struct client *c;
	int r = cli_client(cli, &c, e);

	*out = (struct remote){0};
	url_path(&u, "/containers/%/archive", s->container);
	url_query(&u, "path", s->path);
	call.path = buf_str(&u);
	if (r >= 0)
		r = client_call(c, &call, &resp, e);
	if (r >= 0 && resp.path_stat)
		r = parse_stat(resp.path_stat, out, e);
	http_resp_done(&resp);
	return r;
}

/* a link is followed, as far as that leads to something */
static int remote_follow(struct cli *cli, struct side *s, struct remote *out, struct err *e)
{
	int r = remote_stat(cli, s, out, e);

	if (r < 0 || !out->target)
		return r;
	free(s->path);
	s->path = TAKE_PTR(out->target);
	r = remote_stat(cli, s, out, e);
	return r < 0 && e->kind == ERR_NOT_FOUND ? 0 : r;
}

/* ---- tar(1) ---- */

/* what begins with @from is to begin with @to: sed's s, with what it would take for more escaped */
static char *rename_rule(const char *from, const char *to)
{
	auto_buf struct buf b = BUF_INIT(64u << 10);

	(void)buf_puts(&b, "s\n^");
	for (; *from; from++)
		(void)buf_printf(&b, "%s%c", strchr(".[]*^$\\", *from) ? "\\" : "", *from);
	(void)buf_puts(&b, "\n");
	for (; *to; to++)
		(void)buf_printf(&b, "%s%c", strchr("&\\", *to) ? "\\" : "", *to);
	(void)buf_puts(&b, "\nrSh");
	return need(buf_take(&b));
}

struct tar {
	const char *dir;       /* where it works */
	const char *from, *to; /* a rename; NULL none */
	const char *name;      /* what it packs; NULL: it unpacks */
	bool owners, follow;
	pid_t pid;
	int fd;
	struct err err;
};

static void tar_child(const struct tar *t, int fd)
{
	const char *argv[16] = {"tar", "--numeric-owner"};
	size_t n = 2;

	if (t->from) {
		argv[n++] = "--transform";
		argv[n++] = rename_rule(t->from, t->to);
	}
	if (t->follow)
		argv[n++] = "-h";
	if (!t->name) {
		argv[n++] = t->owners ? "--same-owner" : "--no-same-owner";
		argv[n++] = "-p";
	}
	argv[n++] = "-C";
	argv[n++] = t->dir;
	argv[n++] = t->name ? "-cf" : "-xf";
	argv[n++] = "-";
	if (t->name) {
		argv[n++] = "--";
		argv[n++] = t->name;
	}
	if (dup2(fd, t->name ? STDOUT_FILENO : STDIN_FILENO) >= 0)
		(void)execvp("tar", (char *const *)(uintptr_t)argv);
	(void)fprintf(stderr, "cannot start tar: %s\n", strerror(errno));
	_exit(127);
}

static int tar_start(struct tar *t, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	int theirs = t->name ? fds[1] : fds[0];

	t->fd = t->name ? fds[0] : fds[1];
	t->pid = fork();
	if (t->pid == 0)
		tar_child(t, theirs);
	(void)close(theirs);
	return t->pid < 0 ? err_sys(e, errno, "cannot start tar") : 0;
}

static int tar_end(struct tar *t, int r, struct err *e)
{
	int status;

	t->fd = fd_close(t->fd);
	if (t->pid <= 0)
		return r;
	while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r >= 0 && (!WIFEXITED(status) || WEXITSTATUS(status)))
		r = err_set(e, ERR_INTERNAL, EIO, "tar failed");
	return r;
}

static ssize_t from_tar(void *data, void *buf, size_t room)
{
	struct tar *t = data;
	ssize_t n;

	do
		n = read(t->fd, buf, room);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int to_tar(void *data, const void *piece, size_t len)
{
	struct tar *t = data;

	return cli_write(t->fd, piece, len, &t->err);
}

/* ---- into a container ---- */

static int put(struct cli *cli, const struct side *dst, const char *path, struct tar *t,
	       bool owners, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	struct http_call call = {.method = "PUT",
				 .content_type = "application/x-tar",
				 .read_body = from_tar,
				 .data = t};
	struct http_resp resp = {0};
	struct client *c;
	int r = cli_client(cli, &c, e);

	url_path(&u, "/containers/%/archive", dst->container);
	url_query(&u, "path", path);
	url_query(&u, "noOverwriteDirNonDir", "true");
	url_flag(&u, "copyUIDGID", owners);
	call.path = buf_str(&u);
	if (r >= 0)
		r = client_call(c, &call, &resp, e);
	http_resp_done(&resp);
	return r;
}

static int local_stat(const char *path, bool follow, struct stat *st, struct err *e)
{
	int r = follow ? stat(path, st) : lstat(path, st);

	return r < 0 ? err_sys(e, errno, "%s", path) : 0;
}

static int copy_in(struct cli *cli, const struct args *a, const struct side *src, struct side *dst,
		   struct err *e)
{
	auto_free char *dir = NULL, *base = NULL, *to_dir = NULL, *to_base = NULL;
	struct tar t = {.fd = -EBADF, .follow = false};
	struct remote there;
	struct stat st;
	int r = remote_follow(cli, dst, &there, e);

	if (r < 0 && e->kind != ERR_NOT_FOUND)
		return r;
	*e = (struct err){0};
	if (streq(src->path, "-")) {
		t.fd = STDIN_FILENO;
		return there.there && !there.dir
			       ? err_invalid(e, "destination \"%s:%s\" must be a directory",
					     dst->container, dst->path)
			       : put(cli, dst, dst->path, &t, arg_bool(a, "archive"), e);
	}
	r = local_stat(src->path, arg_bool(a, "follow-link") || str_has_suffix(src->path, "/"), &st,
		       e);
	if (r < 0)
		return r;
	if (!there.there && str_has_suffix(dst->path, "/") && !S_ISDIR(st.st_mode))
		return err_invalid(e, "destination directory \"%s:%s\" must exist", dst->container,
				   dst->path);
	if (there.there && !there.dir && S_ISDIR(st.st_mode))
		return err_invalid(e, "cannot copy directory");
	split(src->path, &dir, &base);
	split(dst->path, &to_dir, &to_base);
	t.follow = arg_bool(a, "follow-link") && !S_ISDIR(st.st_mode);
	t.dir = is_content(src->path) ? src->path : dir;
	t.name = is_content(src->path) ? "." : base;
	if (!there.dir) { /* it gets the destination's own name, in its directory */
		t.from = t.name;
		t.to = to_base;
	}
	r = tar_start(&t, e);
	if (r >= 0)
		r = put(cli, dst, there.dir ? dst->path : to_dir, &t, arg_bool(a, "archive"), e);
	return tar_end(&t, r, e);
}

/* ---- out of a container ---- */

static int get(struct cli *cli, const struct side *src,
	       int (*on_data)(void *, const void *, size_t), struct tar *t, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	struct http_call call = {.method = "GET", .on_data = on_data, .data = t};
	struct http_resp resp = {0};
	struct client *c;
	int r = cli_client(cli, &c, e);

	url_path(&u, "/containers/%/archive", src->container);
	url_query(&u, "path", src->path);
	call.path = buf_str(&u);
	if (r >= 0)
		r = client_call(c, &call, &resp, e);
	if (r < 0 && t->err.code)
		*e = t->err;
	http_resp_done(&resp);
	return r;
}

struct names { /* of a source and a destination */
	char *dir, *base, *to_dir, *to_base;
};

static void names_done(struct names *n)
{
	free(n->dir);
	free(n->base);
	free(n->to_dir);
	free(n->to_base);
}

/* a directory's content into one that is not there: it is made */
static int content_into(const struct side *dst, struct tar *t, struct err *e)
{
	if (mkdir(dst->path, 0777) < 0)
		return err_sys(e, errno, "mkdir %s", dst->path);
	t->dir = dst->path;
	return 0;
}

static int plan_out(const struct side *src, const struct side *dst, bool from_dir, struct names *n,
		    struct tar *t, struct err *e)
{
	struct stat st;
	bool there = stat(dst->path, &st) == 0, dir = there && S_ISDIR(st.st_mode);

	if (there && !dir && from_dir)
		return err_invalid(e, "cannot copy directory");
	if (!there && str_has_suffix(dst->path, "/") && !from_dir)
		return err_invalid(e, "destination directory \"%s\" must exist", dst->path);
	if (!there && is_content(src->path))
		return content_into(dst, t, e);
	if (dir) {
		t->dir = dst->path;
		return 0;
	}
	split(src->path, &n->dir, &n->base);
	split(dst->path, &n->to_dir, &n->to_base);
	t->dir = n->to_dir;
	if (!*n->base) { /* the root: its names begin with a slash */
		char *whole = need(str_printf("%s/", n->to_base));

		free(n->to_base);
		n->to_base = whole;
	}
	t->from = *n->base ? n->base : "/";
	t->to = n->to_base;
	return 0;
}

static int copy_out(struct cli *cli, const struct args *a, struct side *src, const struct side *dst,
		    struct err *e)
{
	struct names n = {0};
	struct tar t = {.fd = -EBADF, .owners = arg_bool(a, "archive")};
	struct remote from;
	int r = remote_stat(cli, src, &from, e);

	if (r >= 0 && from.target && arg_bool(a, "follow-link"))
		r = remote_follow(cli, src, &from, e);
	free(from.target);
	if (r < 0)
		return e->kind == ERR_NOT_FOUND
			       ? err_not_found(e, "Could not find the file %s in container %s",
					       src->path, src->container)
			       : r;
	if (streq(dst->path, "-")) {
		t.fd = STDOUT_FILENO;
		return get(cli, src, to_tar, &t, e);
	}
	r = plan_out(src, dst, from.dir, &n, &t, e);
	if (r >= 0)
		r = tar_start(&t, e);
	if (r >= 0)
		r = get(cli, src, to_tar, &t, e);
	r = tar_end(&t, r, e);
	names_done(&n);
	return r;
}

/* ---- the command ---- */

static const struct opt cp_options[] = {
	OPT_SWITCH('a', "archive", "Archive mode (copy all uid/gid information)"),
	OPT_SWITCH('L', "follow-link", "Always follow symbol link in SRC_PATH"),
	OPT_SWITCH('q', "quiet", "Suppress progress output during copy (there is none)"),
};

static int cp(struct cli *cli, const struct args *a, struct err *e)
{
	char *const *words = args_operands(a);
	struct side src = {0}, dst = {0};
	int r;

	side_parse(words[0], &src);
	side_parse(words[1], &dst);
	if (src.container && dst.container)
		r = err_invalid(e, "copying between containers is not supported");
	else if (!src.container && !dst.container)
		r = err_invalid(e, "must specify at least one container source");
	else if (src.container)
		r = copy_out(cli, a, &src, &dst, e);
	else
		r = copy_in(cli, a, &src, &dst, e);
	side_done(&src);
	side_done(&dst);
	return r;
}

const struct command cmd_cp = {
	.operands = "CONTAINER:SRC_PATH DEST_PATH|-, or SRC_PATH|- CONTAINER:DEST_PATH",
	.summary = "Copy files/folders between a container and the local filesystem",
	.tables = {OPT_TABLE(cp_options)},
	.min = 2,
	.max = 2,
	.run = cp,
};
