/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_path.c - names inside a tree that a stranger fills
 *
 * Directories are opened with openat2(RESOLVE_BENEATH): no "..", no absolute link and no link that
 * leads out is ever followed, whatever stood in the archive before. What is made, is made with a
 * single name relative to such a directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "image/helper.h"

#define PATH_LEN_MAX 4000 /* below PATH_MAX */

int path_clean(const char *name, char **ret, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(PATH_LEN_MAX);
	unsigned depth = 0;

	for (const char *p = name; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return err_invalid(e, "entry \"%.200s\": \"..\" is not allowed in a path",
					   name);
		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (b.len > 0)
				(void)buf_putc(&b, '/');
			(void)buf_add(&b, p, len);
			depth++;
		}
		p += len + (p[len] == '/');
	}
	if (buf_err(&b) == -ENOBUFS || depth > PATH_DEPTH_MAX)
		return err_invalid(e, "entry \"%.200s\": the path is too %s", name,
				   depth > PATH_DEPTH_MAX ? "deep" : "long");
	if (b.len == 0)
		(void)buf_puts(&b, "");
	char *out = b.data ? buf_take(&b) : strdup("");

	if (!out)
		return err_nomem(e);
	*ret = out;
	return 0;
}

static int open_how(int root, const char *path, uint64_t resolve)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
			       .resolve = RESOLVE_NO_MAGICLINKS | resolve};
	int fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* after links were followed the text says nothing about the depth: count upwards */
static int check_depth(int root, int dir)
{
	struct stat top, st;
	auto_close int fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);

	if (fd < 0 || fstat(root, &top) < 0)
		return -errno;
	for (unsigned depth = 0; depth <= PATH_DEPTH_MAX; depth++) {
		if (fstat(fd, &st) < 0)
			return -errno;
		if (st.st_ino == top.st_ino && st.st_dev == top.st_dev)
			return 0;
		int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (up < 0)
			return -errno;
		(void)fd_close(fd);
		fd = up;
	}
	return -ENAMETOOLONG;
}

static int open_existing(int root, const char *path, bool plain)
{
	int fd = open_how(root, path, plain ? 0 : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

	if (plain || fd != -ELOOP)
		return fd;
	fd = open_how(root, path, RESOLVE_BENEATH);
	if (fd < 0)
		return fd;
	int r = check_depth(root, fd);

	if (r < 0)
		(void)fd_close(fd);
	return r < 0 ? r : fd;
}

bool path_is_direct(int root, const char *path)
{
	auto_close int fd = open_how(root, path, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

	return fd != -ELOOP;
}

bool is_whiteout(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(0, 0);
}

int set_opaque(int dirfd)
{
	return fsetxattr(dirfd, "user.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

int make_dir(int dirfd, const char *name)
{
	bool opaque = is_whiteout(dirfd, name);

	if (opaque && unlinkat(dirfd, name, 0) < 0)
		return -errno;
	if (mkdirat(dirfd, name, 0755) < 0)
		return -errno;
	if (!opaque)
		return 0;
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : set_opaque(fd);
}

/* opens each prefix of @path, making those that are missing */
static int open_or_make(int root, const char *path, bool plain)
{
	auto_free char *prefix = strdup(path);
	auto_close int dir = open_existing(root, "", plain);

	if (!prefix)
		return -ENOMEM;
	for (char *p = prefix; dir >= 0;) {
		char *slash = strchr(p, '/');

		if (slash)
			*slash = '\0';
		int next = open_existing(root, prefix, plain);

		if (next == -ENOENT || (next == -ENOTDIR && !plain && is_whiteout(dir, p))) {
			next = make_dir(dir, p);
			if (next >= 0 || next == -EEXIST) /* EEXIST: a link to nowhere */
				next = open_existing(root, prefix, plain);
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

int path_open_dir(int root, const char *path, bool plain, const char *entry, struct err *e)
{
	int fd = open_existing(root, path, plain);

	if (fd == -ENOENT || fd == -ENOTDIR)
		fd = open_or_make(root, path, plain);
	switch (fd) {
	case -EXDEV:
		return err_invalid(e, "entry \"%.200s\": a link in its path leads out of the layer",
				   entry);
	case -ENOTDIR:
		return err_invalid(e, "entry \"%.200s\": its parent is not a directory", entry);
	case -ELOOP:
	case -ENOENT:
		return err_invalid(e, "entry \"%.200s\": a link in its path leads nowhere", entry);
	case -ENAMETOOLONG:
		return err_invalid(e, "entry \"%.200s\": the path is too deep", entry);
	}
	return fd < 0 ? err_sys(e, -fd, "entry \"%.200s\"", entry) : fd;
}

static int empty_dir(int dirfd)
{
	DIR *d = fs_dir(dirfd);
	int r = 0;

	if (!d)
		return -errno;
	for (struct dirent *de; r >= 0 && (de = readdir(d));)
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			r = path_remove(dirfd, de->d_name);
	(void)closedir(d);
	return r;
}

int path_remove(int dirfd, const char *name) /* recursion: no tree is deeper than the limit */
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : empty_dir(fd);

	(void)fd_close(fd);
	if (r >= 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}
