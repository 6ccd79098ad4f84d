/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy.c - files into an image's root
 *
 * A directory's content goes into the destination, a file to it or into it. What stands in the way
 * is replaced, but a directory over a directory keeps its content and its own attributes. Hard
 * links inside one source stay hard links.
 */
#include "build/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/path.h"
#include "base/str.h"

#define LINKS_MAX 40	/* as the kernel has it */
#define BLOCK	  65536 /* XATTR_SIZE_MAX, and a good size to copy by */

struct copier {
	struct copy_job *job;
	bool preserve; /* of this source */
	int top;       /* the directory that @path is below */
	struct map *links;
	char *path; /* of the directory being filled, "" or ending in '/' */
	char *block;
	unsigned depth;
};

struct entry {
	int from, to; /* directories */
	const char *name, *to_name;
	struct stat st;
};

/* ---- attributes ---- */

static int copy_xattrs(struct copier *c, int from, int to)
{
	char names[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		ssize_t len;

		if (!streq(p, "security.capability") &&
		    (!str_has_prefix(p, "user.") || str_has_prefix(p, "user.overlay.")))
			continue;
		len = fgetxattr(from, p, c->block, BLOCK);
		if (len >= 0 && fsetxattr(to, p, c->block, (size_t)len, 0) < 0 && errno != ENOTSUP)
			return -errno;
	}
	return 0;
}

static uid_t owner(const struct copier *c, const struct stat *st)
{
	return c->preserve ? st->st_uid : c->job->uid;
}

static gid_t group(const struct copier *c, const struct stat *st)
{
	return c->preserve ? st->st_gid : c->job->gid;
}

static mode_t mode_of(const struct copier *c, const struct stat *st)
{
	return c->job->mode >= 0 ? (mode_t)c->job->mode : st->st_mode & 07777;
}

/* owner first: it clears set-id bits and capabilities */
static int finish_fd(struct copier *c, int from, int to, const struct stat *st)
{
	const struct timespec times[2] = {st->st_mtim, st->st_mtim};
	int r;

	if (fchown(to, owner(c, st), group(c, st)) < 0 || fchmod(to, mode_of(c, st)) < 0)
		return -errno;
	r = copy_xattrs(c, from, to);
	return r < 0 ? r : futimens(to, times) < 0 ? -errno : 0;
}

static int finish_name(const struct copier *c, const struct entry *en)
{
	const struct timespec times[2] = {en->st.st_mtim, en->st.st_mtim};

	if (fchownat(en->to, en->to_name, owner(c, &en->st), group(c, &en->st),
		     AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(en->st.st_mode) && fchmodat(en->to, en->to_name, mode_of(c, &en->st), 0) < 0)
		return -errno;
	return utimensat(en->to, en->to_name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* ---- removing what is in the way ---- */

static int remove_name(int dir, const char *name, unsigned depth)
{
	auto_strv char **names = NULL;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth > TREE_DEPTH_MAX)
		return -ELOOP;
	auto_close int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = below < 0 ? -errno : read_names(below, &names);

	for (char **n = names; r >= 0 && n && *n; n++)
		r = remove_name(below, *n, depth + 1);
	if (r >= 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

/* ---- one entry ---- */

static int copy_dir(struct copier *c, int from, int to);

static int copy_bytes(struct copier *c, int from, int to)
{
	for (;;) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, 64u << 20, 0);

		if (n == 0)
			break; /* the end; or a kernel that cannot: read() tells */
		if (n < 0)
			break;
		if (atomic_load(c->job->cancelled))
			return -ECANCELED;
	}
	for (;;) {
		ssize_t n = read(from, c->block, BLOCK);
		int r;

		if (n <= 0)
			return n < 0 ? -errno : 0;
		r = fs_write_all(to, c->block, (size_t)n);
		if (r < 0)
			return r;
		if (atomic_load(c->job->cancelled))
			return -ECANCELED;
	}
}

static int copy_open_file(struct copier *c, int from, const struct entry *en)
{
	auto_close int to = openat(en->to, en->to_name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (to < 0)
		return -errno;
	int r = copy_bytes(c, from, to);

	return r < 0 ? r : finish_fd(c, from, to, &en->st);
}

static int copy_file(struct copier *c, const struct entry *en)
{
	auto_close int from = open_file(en->from, en->name);

	return from < 0 ? from : copy_open_file(c, from, en);
}

static int copy_link(const struct copier *c, const struct entry *en)
{
	char target[4097];
	ssize_t n = readlinkat(en->from, en->name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, en->to, en->to_name) < 0 ? -errno : finish_name(c, en);
}

static int copy_subdir(struct copier *c, const struct entry *en)
{
	struct stat st;
	char *outer = c->path;
	int r;

	if (fstatat(en->to, en->to_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) {
		r = remove_name(en->to, en->to_name, 0);
		if (r < 0)
			return r;
		if (mkdirat(en->to, en->to_name, 0700) < 0)
			return -errno;
	}
	auto_close int from =
		openat(en->from, en->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int to =
		openat(en->to, en->to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (from < 0 || to < 0)
		return -errno;
	c->path = str_printf("%s%s/", outer, en->to_name);
	r = c->path ? copy_dir(c, from, to) : -ENOMEM;
	free(c->path);
	c->path = outer;
	return r < 0 ? r : finish_fd(c, from, to, &en->st);
}

/* Return: 1 linked to its first copy, 0 to be copied */
static int copy_hard_link(struct copier *c, const struct entry *en)
{
	const char *first;
	char key[48], *path;
	int r;

	if (en->st.st_nlink < 2 || S_ISDIR(en->st.st_mode))
		return 0;
	(void)snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)en->st.st_dev,
		       (unsigned long long)en->st.st_ino);
	first = map_get(c->links, key);
	if (first) {
		if (linkat(c->top, first, en->to, en->to_name, 0) == 0)
			return 1;
		return errno == EMLINK || errno == EXDEV ? 0 : -errno;
	}
	path = str_printf("%s%s", c->path, en->to_name);
	r = path ? map_put(c->links, key, path) : -ENOMEM;
	if (r < 0)
		free(path);
	return r < 0 ? r : 0;
}

static int copy_entry(struct copier *c, const struct entry *en)
{
	int r;

	if (atomic_load(c->job->cancelled))
		return -ECANCELED;
	if (S_ISDIR(en->st.st_mode))
		return copy_subdir(c, en);
	if (S_ISSOCK(en->st.st_mode))
		return 0; /* means nothing without who listens */
	r = remove_name(en->to, en->to_name, 0);
	if (r >= 0)
		r = copy_hard_link(c, en);
	if (r)
		return r < 0 ? r : 0;
	if (S_ISREG(en->st.st_mode))
		return copy_file(c, en);
	if (S_ISLNK(en->st.st_mode))
		return copy_link(c, en);
	if (mknodat(en->to, en->to_name, (en->st.st_mode & S_IFMT) | 0600, en->st.st_rdev) < 0)
		return -errno;
	return finish_name(c, en);
}

static int copy_dir(struct copier *c, int from, int to)
{
	auto_strv char **names = NULL;
	int r = ++c->depth > TREE_DEPTH_MAX ? -ELOOP : read_names(from, &names);

	for (char **n = names; r >= 0 && n && *n; n++) {
		struct entry en = {from, to, *n, *n, {0}};

		r = fstatat(from, *n, &en.st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
								       : copy_entry(c, &en);
	}
	c->depth--;
	return r;
}

/* ---- the destination ---- */

/* A link to what is not there yet stands at @name: the path that it leads to, with @rest behind. */
static char *past_link(int dir, const char *above, const char *name, const char *rest)
{
	char target[4097];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	return *target == '/' ? str_printf("%s/%s", target + 1, rest)
			      : str_printf("%s/%s/%s", above, target, rest);
}

static int make_here(int dir, const char *name, uid_t uid, gid_t gid)
{
	if (mkdirat(dir, name, 0755) < 0 || fchmodat(dir, name, 0755, 0) < 0 ||
	    fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* @path below @root, links followed; what is missing is made. Return: descriptor, -errno */
static int open_or_make(int root, const char *path, uid_t uid, gid_t gid, unsigned hops)
{
	auto_free char *prefix = strdup(path), *onward = NULL;
	auto_close int dir = open_inside(root, "", O_RDONLY | O_DIRECTORY);

	if (!prefix || hops > LINKS_MAX)
		return prefix ? -ELOOP : -ENOMEM;
	for (char *p = prefix; dir >= 0 && *p;) {
		char *slash = strchr(p, '/');
		int next;

		if (slash)
			*slash = '\0';
		next = *p ? open_inside(root, prefix, O_RDONLY | O_DIRECTORY)
			  : fcntl(dir, F_DUPFD_CLOEXEC, 0);
		if (next == -ENOENT) {
			next = make_here(dir, p, uid, gid);
			if (next >= 0)
				next = open_inside(root, prefix, O_RDONLY | O_DIRECTORY);
		}
		if (next == -EEXIST) {
			auto_free char *above = strndup(prefix, (size_t)(p - prefix));

			onward = above ? past_link(dir, above, p, slash ? slash + 1 : "") : NULL;
			return onward ? open_or_make(root, onward, uid, gid, hops + 1) : -ENOTDIR;
		}
		(void)fd_close(dir);
		dir = next;
		if (!slash)
			break;
		*slash = '/';
		p = slash + 1;
	}
	return TAKE_FD(dir);
}

int copy_mkdir(int root, const char *path, struct err *e)
{
	auto_close int fd = open_or_make(root, path + (*path == '/'), 0, 0, 0);

	if (fd == -ENOTDIR)
		return err_invalid(e, "mkdir %.500s: not a directory", path);
	return fd < 0 ? err_sys(e, -fd, "mkdir %.500s", path) : 0;
}

static bool is_dir_inside(int root, const char *path)
{
	auto_close int fd = open_inside(root, path, O_PATH | O_DIRECTORY);

	return fd >= 0;
}

/* A tree's content into the directory @dest. */
static int put_tree(struct copier *c, int from)
{
	const struct copy_job *j = c->job;
	const char *dest = j->dest + 1;
	uid_t uid = c->preserve ? 0 : j->uid;
	gid_t gid = c->preserve ? 0 : j->gid;
	auto_free char *clean = path_clean_lexical(*dest ? dest : ".");

	if (!clean)
		return -ENOMEM;
	auto_close int to = open_or_make(j->to, streq(clean, ".") ? "" : clean, uid, gid, 0);

	if (to < 0)
		return to;
	c->top = to;
	return copy_dir(c, from, to);
}

/* Where a file goes: its directory and name, the destination's last link followed. */
static int file_place(const struct copy_job *j, const char *name, char **ret_dir, char **ret_name)
{
	size_t len = strlen(j->dest);
	bool into = j->dest[len - 1] == '/' || is_dir_inside(j->to, j->dest + 1);
	auto_free char *path = into ? path_join(j->dest, name) : path_clean_lexical(j->dest);
	char target[4097];

	for (unsigned hops = 0; path && hops < LINKS_MAX; hops++) {
		const char *base = path_base(path);
		auto_free char *dir = strndup(path, (size_t)(base - path));

		if (!dir)
			return -ENOMEM;
		auto_close int fd = open_inside(j->to, dir + 1, O_PATH | O_DIRECTORY);
		ssize_t n = fd < 0 ? -1 : readlinkat(fd, base, target, sizeof(target) - 1);

		if (n < 0 || into) { /* inside a directory a link is replaced */
			*ret_dir = TAKE_PTR(dir);
			*ret_name = strdup(base);
			return *ret_name ? 0 : -ENOMEM;
		}
		target[n] = '\0';
		char *next = path_join(dir, target);

		free(path);
		path = next;
	}
	return path ? -ELOOP : -ENOMEM;
}

static int put_file(struct copier *c, const struct source *s)
{
	const struct copy_job *j = c->job;
	auto_free char *dir = NULL, *name = NULL;
	struct entry en = {.from = -EBADF};
	int r = file_place(j, path_base(s->path), &dir, &name);

	if (r < 0)
		return r;
	auto_close int from = open_inside(j->from, s->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	auto_close int to =
		open_or_make(j->to, dir + 1, c->preserve ? 0 : j->uid, c->preserve ? 0 : j->gid, 0);

	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	if (fstat(from, &en.st) < 0)
		return -errno;
	if (!S_ISREG(en.st.st_mode))
		return -EINVAL;
	en.to = to;
	en.to_name = name;
	r = remove_name(to, name, 0);
	return r < 0 ? r : copy_open_file(c, from, &en);
}

static int put_source(struct copier *c, const struct source *s)
{
	c->preserve = c->job->preserve;
	if (s->unpacked >= 0) { /* an archive's owners are its own */
		c->preserve = true;
		return put_tree(c, s->unpacked);
	}
	if (!s->dir)
		return put_file(c, s);
	auto_close int from = open_inside(c->job->from, s->path, O_RDONLY | O_DIRECTORY);

	return from < 0 ? from : put_tree(c, from);
}

static void forget_links(struct map *links)
{
	size_t pos = 0;

	for (void *p; links && (p = map_next(links, &pos, NULL));)
		free(p);
	map_free(links);
}

int copy_work(void *job)
{
	struct copy_job *j = job;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < j->n; i++) {
		char top[] = "";
		struct copier c = {.job = j, .path = top, .block = malloc(BLOCK)};

		r = c.block ? map_new(&c.links) : -ENOMEM;
		if (r >= 0)
			r = put_source(&c, &j->sources[i]);
		forget_links(c.links);
		free(c.block);
		if (r == -ECANCELED)
			return err_set(&j->err, ERR_INTERNAL, ECANCELED, "the build was cancelled");
		if (r < 0)
			return err_sys(&j->err, -r, "failed to copy files: %.300s to %.300s",
				       j->sources[i].path, j->dest);
	}
	return 0;
}

void copy_done(struct copy_job *j)
{
	free(j->dest);
	j->dest = NULL;
}
