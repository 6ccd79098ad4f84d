/* SPDX-License-Identifier: GPL-2.0-or-later */
/* context.c - a directory as a tar */

#include "cli/context.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/ignore.h"
#include "base/str.h"
#include "base/tar.h"
#include "cli/cli.h"

#define DEPTH_MAX  256
#define IGNORE_MAX (1u << 20)
#define AHEAD	   (128u << 10)

struct file {
	char *name;
	struct stat st;
};

struct context {
	int dir;
	struct ignore *ignore;
	struct file *files;
	size_t n, room, at; /* @at: the one to be sent next */
	struct buf ahead;   /* bytes to be sent */
	int fd;		    /* the file being sent, negative: none */
	uint64_t left;	    /* of it */
	size_t padding;	    /* behind it */
	bool ended;
	struct err err;
};

void context_free(struct context *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		free(c->files[i].name);
	free(c->files);
	ignore_free(c->ignore);
	buf_done(&c->ahead);
	(void)fd_close(c->fd);
	(void)fd_close(c->dir);
	free(c);
}

/* ---- the walk ---- */

static void add_file(struct context *c, const char *name, const struct stat *st)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		c->files = need(realloc(c->files, c->room * sizeof(*c->files)));
	}
	c->files[c->n++] = (struct file){need(strdup(name)), *st};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(int dir, char ***ret)
{
	DIR *d = fs_dir(dir);
	struct dirent *de;

	if (!d)
		return -errno;
	while ((de = readdir(d)))
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			list_add(ret, de->d_name);
	(void)closedir(d);
	if (*ret)
		qsort(*ret, strv_len(*ret), sizeof(**ret), by_name);
	return 0;
}

static int walk(struct context *c, int dir, const char *above, unsigned depth, struct err *e);

static int walk_one(struct context *c, int dir, const char *above, const char *name, unsigned depth,
		    struct err *e)
{
	auto_free char *path = need(*above ? str_printf("%s/%s", above, name) : strdup(name));
	int out = ignore_match(c->ignore, path);
	struct stat st;

	if (out < 0)
		return err_nomem(e);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return out ? 0 : err_sys(e, errno, "cannot read %s of the context", path);
	if (!out && !S_ISSOCK(st.st_mode))
		add_file(c, path, &st);
	if (!S_ISDIR(st.st_mode) || (out && !ignore_may_reenter(c->ignore, path)))
		return 0;
	auto_close int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (below < 0)
		return err_sys(e, errno, "cannot read %s of the context", path);
	return walk(c, below, path, depth + 1, e);
}

static int walk(struct context *c, int dir, const char *above, unsigned depth, struct err *e)
{
	auto_strv char **names = NULL;
	int r = depth > DEPTH_MAX ? -ELOOP : read_names(dir, &names);

	if (r < 0)
		return err_sys(e, -r, "cannot read %s of the context", *above ? above : ".");
	for (char **n = names; r >= 0 && n && *n; n++)
		r = walk_one(c, dir, above, *n, depth, e);
	return r;
}

/* what is matched though the engine needs it */
static int keep(struct context *c, const char *name, struct err *e)
{
	auto_free char *line = need(str_printf("!%s", name));
	int out = ignore_match(c->ignore, name);

	return out > 0 ? ignore_add(c->ignore, line, e) : out < 0 ? err_nomem(e) : 0;
}

static int read_ignore(struct context *c, const char *dockerfile, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(IGNORE_MAX);
	int r = fs_read_at(c->dir, ".dockerignore", IGNORE_MAX, &text);

	if (r < 0 && r != -ENOENT)
		return err_sys(e, -r, "error reading .dockerignore");
	r = ignore_parse(buf_str(&text), text.len, &c->ignore, e);
	if (r < 0)
		return err_wrap(e, "error reading .dockerignore");
	r = keep(c, ".dockerignore", e);
	return r < 0 ? r : keep(c, dockerfile, e);
}

static int add_extra(struct context *c, const struct context_extra *x, struct err *e)
{
	const struct tar_entry en = {.name = x->name, .mode = S_IFREG | 0644, .size = x->len};

	if (tar_header(&c->ahead, &en) < 0 || buf_add(&c->ahead, x->text, x->len) < 0)
		return err_invalid(e, "the Dockerfile is too large");
	c->padding = tar_padding(x->len);
	return 0;
}

int context_new(const char *dir, const char *dockerfile, const struct context_extra *extra,
		struct context **ret, struct err *e)
{
	auto_(context_free) struct context *c = need(calloc(1, sizeof(*c)));
	int r = 0;

	*c = (struct context){.fd = -EBADF, .ahead = BUF_INIT(4u << 20)};
	c->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir < 0)
		return err_invalid(e, "unable to prepare context: path \"%s\" %s", dir,
				   errno == ENOENT ? "not found" : strerror(errno));
	r = read_ignore(c, dockerfile, e);
	if (r >= 0)
		r = walk(c, c->dir, "", 0, e);
	if (r >= 0 && extra)
		r = add_extra(c, extra, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

/* ---- sending ---- */

static int fail(struct context *c, int r, const char *name)
{
	return err_sys(&c->err, -r, "cannot read %s of the context", name);
}

static int begin_file(struct context *c, const struct file *f)
{
	char target[4097] = "";
	struct tar_entry en = {.name = f->name,
			       .mode = f->st.st_mode,
			       .mtime = f->st.st_mtim.tv_sec,
			       .rdev = f->st.st_rdev};

	if (S_ISREG(f->st.st_mode)) {
		c->fd = openat(c->dir, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (c->fd < 0)
			return fail(c, -errno, f->name);
		en.size = c->left = (uint64_t)f->st.st_size;
		c->padding = tar_padding(en.size);
	} else if (S_ISLNK(f->st.st_mode)) {
		if (readlinkat(c->dir, f->name, target, sizeof(target) - 1) < 0)
			return fail(c, -errno, f->name);
		en.link = target;
	}
	int r = tar_header(&c->ahead, &en);

	return r < 0 ? fail(c, r, f->name) : 0;
}

static int zeros(struct context *c, size_t n)
{
	static const char block[TAR_END];
	int r = 0;

	for (size_t piece; n && r >= 0; n -= piece) {
		piece = MIN(n, sizeof(block));
		r = buf_add(&c->ahead, block, piece);
	}
	return r;
}

static int read_file(struct context *c)
{
	char chunk[65536];
	ssize_t n = c->left ? read(c->fd, chunk, (size_t)MIN(c->left, sizeof(chunk))) : 0;

	if (n < 0)
		return fail(c, -errno, c->files[c->at - 1].name);
	if (n == 0 && c->left) { /* it has shrunk */
		n = (ssize_t)MIN(c->left, sizeof(chunk));
		memset(chunk, 0, (size_t)n);
	}
	c->left -= (uint64_t)n;
	if (!c->left)
		c->fd = fd_close(c->fd);
	return n && buf_add(&c->ahead, chunk, (size_t)n) < 0 ? fail(c, -ENOMEM, "a file") : 0;
}

/* some bytes more into @ahead, or @ended */
static int go_on(struct context *c)
{
	int r = 0;

	if (c->fd >= 0)
		return read_file(c);
	r = zeros(c, c->padding);
	c->padding = 0;
	if (r >= 0 && c->at < c->n)
		return begin_file(c, &c->files[c->at++]);
	if (r >= 0)
		r = zeros(c, TAR_END);
	c->ended = true;
	return r < 0 ? fail(c, r, "the end") : 0;
}

ssize_t context_read(struct context *c, void *buf, size_t room)
{
	size_t n;

	while (!c->ended && c->ahead.len < MIN(room, AHEAD)) {
		int r = go_on(c);

		if (r < 0)
			return r;
	}
	n = MIN(room, c->ahead.len);
	if (n)
		memcpy(buf, c->ahead.data, n);
	buf_consume(&c->ahead, n);
	return (ssize_t)n;
}

const struct err *context_error(const struct context *c)
{
	return &c->err;
}
