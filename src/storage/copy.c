/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy.c - a directory's content into another, by a job
 *
 * Both sides may be changed by a container meanwhile, so every name is opened relative to its
 * directory and no link is followed. Hard links inside the tree stay hard links.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/str.h"
#include "storage/internal.h"

#define DEPTH_MAX 256	/* descriptors and stack: two and a frame per level */
#define BLOCK	  65536 /* XATTR_SIZE_MAX, and a good size to copy by */

struct copy {
	int to_root;
	struct map *links; /* "dev:ino" -> path below to_root of its first copy */
	char *path;	   /* of the directory being filled, "" or ending in '/' */
	char *block;	   /* on the heap: the functions below call each other */
	unsigned depth;
};

struct entry {
	int from, to; /* directories */
	const char *name;
	struct stat st;
};

static int copy_dir(struct copy *c, int from, int to);

static int copy_xattrs(struct copy *c, int from, int to)
{
	char names[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		if (!str_has_prefix(p, "user.") && !streq(p, "security.capability"))
			continue;
		ssize_t len = fgetxattr(from, p, c->block, BLOCK);

		if (len >= 0 && fsetxattr(to, p, c->block, (size_t)len, 0) < 0 && errno != ENOTSUP)
			return -errno;
	}
	return 0;
}

int copy_attributes(int from, int to)
{
	struct stat st;

	if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return -errno;
	return 0;
}

static int copy_times(int to, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	return futimens(to, times) < 0 ? -errno : 0;
}

static int copy_all(struct copy *c, int from, int to)
{
	for (;;) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, 1u << 30, 0);

		if (n == 0)
			return 0;
		if (n < 0)
			break;
	}
	for (;;) { /* not between these file systems: by hand, from where it stands */
		ssize_t n = read(from, c->block, BLOCK);

		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (ssize_t off = 0; off < n;) {
			ssize_t w = write(to, c->block + off, (size_t)(n - off));

			if (w < 0)
				return -errno;
			off += w;
		}
	}
}

static int finish_fd(struct copy *c, int from, int to, const struct stat *st)
{
	int r = copy_attributes(from, to);

	if (r >= 0)
		r = copy_xattrs(c, from, to);
	return r < 0 ? r : copy_times(to, st);
}

static int copy_file(struct copy *c, const struct entry *en)
{
	auto_close int from =
		openat(en->from, en->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (from < 0)
		return -errno;
	auto_close int to = openat(en->to, en->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (to < 0)
		return -errno;
	int r = copy_all(c, from, to);

	return r < 0 ? r : finish_fd(c, from, to, &en->st);
}

static int copy_link(const struct entry *en)
{
	char target[4097];
	ssize_t n = readlinkat(en->from, en->name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, en->to, en->name) < 0 ? -errno : 0;
}

static int copy_subdir(struct copy *c, const struct entry *en)
{
	if (mkdirat(en->to, en->name, 0700) < 0)
		return -errno;
	auto_close int from =
		openat(en->from, en->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int to =
		openat(en->to, en->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (from < 0 || to < 0)
		return -errno;
	char *outer = c->path;

	c->path = str_printf("%s%s/", outer, en->name);
	int r = c->path ? copy_dir(c, from, to) : -ENOMEM;

	free(c->path);
	c->path = outer;
	return r < 0 ? r : finish_fd(c, from, to, &en->st);
}

/* Return: 1 linked to its first copy, 0 to be copied */
static int copy_hard_link(struct copy *c, const struct entry *en)
{
	char key[48];

	if (en->st.st_nlink < 2 || S_ISDIR(en->st.st_mode))
		return 0;
	(void)snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)en->st.st_dev,
		       (unsigned long long)en->st.st_ino);
	const char *first = map_get(c->links, key);

	if (first)
		return linkat(c->to_root, first, en->to, en->name, 0) < 0 ? -errno : 1;
	char *path = str_printf("%s%s", c->path, en->name);
	int r = path ? map_put(c->links, key, path) : -ENOMEM;

	if (r < 0)
		free(path);
	return r < 0 ? r : 0;
}

static int copy_entry(struct copy *c, const struct entry *en)
{
	int r = copy_hard_link(c, en);

	if (r)
		return r < 0 ? r : 0;
	if (S_ISDIR(en->st.st_mode))
		return copy_subdir(c, en);
	if (S_ISREG(en->st.st_mode))
		return copy_file(c, en);
	if (S_ISLNK(en->st.st_mode))
		r = copy_link(en);
	else if (S_ISSOCK(en->st.st_mode))
		return 0; /* means nothing without who listens */
	else if (mknodat(en->to, en->name, en->st.st_mode, en->st.st_rdev) < 0)
		r = -errno;
	const struct timespec times[2] = {en->st.st_atim, en->st.st_mtim};

	if (r >= 0 &&
	    (fchownat(en->to, en->name, en->st.st_uid, en->st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	     utimensat(en->to, en->name, times, AT_SYMLINK_NOFOLLOW) < 0))
		r = -errno;
	if (r >= 0 && !S_ISLNK(en->st.st_mode) &&
	    fchmodat(en->to, en->name, en->st.st_mode & 07777, 0) < 0)
		r = -errno;
	return r;
}

static int copy_dir(struct copy *c, int from, int to)
{
	DIR *d = fs_dir(from);
	int r = 0;

	if (!d)
		return -errno;
	if (++c->depth > DEPTH_MAX)
		r = -ELOOP;
	while (r >= 0) {
		errno = 0;
		struct dirent *de = readdir(d);

		if (!de) {
			r = -errno;
			break;
		}
		struct entry en = {from, to, de->d_name, {0}};

		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		if (fstatat(from, de->d_name, &en.st, AT_SYMLINK_NOFOLLOW) < 0)
			r = -errno;
		else
			r = copy_entry(c, &en);
	}
	c->depth--;
	(void)closedir(d);
	return r;
}

int copy_tree(int from_dirfd, int to_dirfd)
{
	char top[] = "";
	struct copy c = {.to_root = to_dirfd, .path = top};
	auto_free char *block = malloc(BLOCK);
	int r = block ? map_new(&c.links) : -ENOMEM;

	if (r < 0)
		return r;
	c.block = block;
	r = copy_dir(&c, from_dirfd, to_dirfd);
	size_t pos = 0;

	for (void *p; (p = map_next(c.links, &pos, NULL));)
		free(p);
	map_free(c.links);
	return r;
}
