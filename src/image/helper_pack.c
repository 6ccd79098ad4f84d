/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_pack.c - a tree as a tar: the files of a container, or its upper directory as a layer
 *
 * The container may run and change all this meanwhile: a name is opened relative to its directory
 * and never followed, a file that shrank is filled with zeros, one that grew is cut, what is gone
 * is left out. Names of one directory are in order, so that the same tree makes the same tar.
 * Sources: OCI image-spec layer.md (whiteouts); overlayfs.rst; tar(5), "pax".
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mountpoint.h"
#include "base/str.h"
#include "image/helper.h"

#define XATTR_ROOM 65536 /* XATTR_SIZE_MAX, XATTR_LIST_MAX */
#define WHITEOUT   ".wh."

struct packer {
	struct archive *a;
	const struct pack *p;
	struct map *links; /* "dev:ino" -> the name of its first entry */
	int out;
	int failed; /* writing: -errno */
	unsigned depth;
	char block[ARCHIVE_BLOCK];
	char xattr[XATTR_ROOM];
};

struct item {
	int dir;
	const char *name;   /* in @dir */
	const char *path;   /* in the tar */
	const char *inside; /* below the root, without a slash before it */
	struct stat st;
};

static int pack_dir(struct packer *k, int dirfd, const char *path, const char *inside,
		    struct err *e);

/* ---- writing ---- */

static la_ssize_t write_out(struct archive *a, void *data, const void *buffer, size_t len)
{
	struct packer *k = data;
	int r = fs_write_all(k->out, buffer, len);

	if (r < 0) {
		k->failed = r;
		archive_set_error(a, -r, "cannot write: %s", strerror(-r));
	}
	return r < 0 ? -1 : (la_ssize_t)len;
}

static int fail(struct packer *k, const char *path, struct err *e)
{
	const char *text = archive_error_string(k->a);

	if (k->failed)
		return err_sys(e, -k->failed, "cannot write the archive");
	return err_set(e, ERR_INTERNAL, EIO, "%.300s: %s", path, text ? text : "cannot be packed");
}

static int write_header(struct packer *k, struct archive_entry *ae, struct err *e)
{
	int r = archive_write_header(k->a, ae);

	/* a warning: a name that is no UTF-8 goes out as its bytes */
	return r < ARCHIVE_WARN ? fail(k, archive_entry_pathname(ae), e) : 0;
}

/* an empty file: what layers have for what is not there */
static int write_marker(struct packer *k, const char *dir, const char *before, const char *name,
			struct err *e)
{
	struct archive_entry *ae = archive_entry_new();
	auto_free char *path = str_printf("%s%s%s", dir, before, name);
	int r = ae && path ? 0 : err_nomem(e);

	if (r >= 0) {
		archive_entry_set_pathname(ae, path);
		archive_entry_set_filetype(ae, AE_IFREG);
		archive_entry_set_perm(ae, 0600);
		archive_entry_set_size(ae, 0);
		r = write_header(k, ae, e);
	}
	archive_entry_free(ae);
	return r;
}

/* ---- one entry ---- */

static bool wanted_xattr(const char *name)
{
	if (streq(name, "security.capability"))
		return true;
	return str_has_prefix(name, "user.") && !str_has_prefix(name, "user.overlay.");
}

/* one that goes meanwhile was not there */
static void add_xattrs(struct packer *k, struct archive_entry *ae, int fd)
{
	char names[4096];
	ssize_t n = flistxattr(fd, names, sizeof(names));

	for (const char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
		ssize_t len = wanted_xattr(p) ? fgetxattr(fd, p, k->xattr, sizeof(k->xattr)) : -1;

		if (len >= 0)
			archive_entry_xattr_add_entry(ae, p, k->xattr, (size_t)len);
	}
}

static bool is_opaque(int fd)
{
	char value[2];

	return fgetxattr(fd, "user.overlay.opaque", value, sizeof(value)) == 1 && *value == 'y';
}

static int read_block(struct packer *k, int fd, int64_t at, size_t len)
{
	off_t data = lseek(fd, at, SEEK_DATA);
	ssize_t n = 0;

	if (data < 0 && errno == ENXIO) /* nothing but a hole, or the end */
		data = at + (off_t)len;
	if (data < at) /* a file system that cannot tell */
		data = at;
	size_t hole = MIN((size_t)(data - at), len);

	memset(k->block, 0, len);
	if (hole < len)
		n = pread(fd, k->block + hole, len - hole, at + (off_t)hole);
	return n < 0 ? -errno : 0;
}

static int write_data(struct packer *k, const struct item *it, int fd, struct err *e)
{
	for (int64_t at = 0; at < it->st.st_size;) {
		size_t len = (size_t)MIN(it->st.st_size - at, (int64_t)sizeof(k->block));
		int r = read_block(k, fd, at, len);

		if (r < 0)
			return err_sys(e, -r, "cannot read %.300s", it->path);
		if (archive_write_data(k->a, k->block, len) != (la_ssize_t)len)
			return fail(k, it->path, e);
		at += (int64_t)len;
	}
	return 0;
}

static void set_attributes(const struct item *it, struct archive_entry *ae)
{
	archive_entry_set_pathname(ae, it->path);
	archive_entry_set_filetype(ae, it->st.st_mode & S_IFMT);
	archive_entry_set_perm(ae, it->st.st_mode & 07777);
	archive_entry_set_uid(ae, it->st.st_uid);
	archive_entry_set_gid(ae, it->st.st_gid);
	archive_entry_set_mtime(ae, it->st.st_mtim.tv_sec, it->st.st_mtim.tv_nsec);
	archive_entry_set_size(ae, 0);
}

static int write_file(struct packer *k, struct item *it, struct archive_entry *ae, struct err *e)
{
	auto_close int fd =
		openat(it->dir, it->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &it->st) < 0)
		return errno == ENOENT || errno == ELOOP
			       ? 0
			       : err_sys(e, errno, "cannot open %.300s", it->path);
	if (!S_ISREG(it->st.st_mode))
		return 0; /* another thing since we looked */
	set_attributes(it, ae);
	archive_entry_set_size(ae, it->st.st_size);
	add_xattrs(k, ae, fd);
	int r = write_header(k, ae, e);

	return r < 0 ? r : write_data(k, it, fd, e);
}

static int write_link(struct packer *k, const struct item *it, struct archive_entry *ae,
		      struct err *e)
{
	char target[4097];
	ssize_t n = readlinkat(it->dir, it->name, target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT || errno == EINVAL
			       ? 0
			       : err_sys(e, errno, "cannot read %.300s", it->path);
	target[n] = '\0';
	archive_entry_set_symlink(ae, target);
	return write_header(k, ae, e);
}

/* Return: 1 the name of its first entry was written, 0 it is the first, -errno */
static int write_hard_link(struct packer *k, const struct item *it, struct archive_entry *ae,
			   struct err *e)
{
	char key[48];

	if (it->st.st_nlink < 2)
		return 0;
	(void)snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)it->st.st_dev,
		       (unsigned long long)it->st.st_ino);
	const char *first = map_get(k->links, key);

	if (first) {
		archive_entry_set_hardlink(ae, first);
		int r = write_header(k, ae, e);

		return r < 0 ? r : 1;
	}
	char *path = strdup(it->path);
	int r = path ? map_put(k->links, key, path) : -ENOMEM;

	if (r < 0)
		free(path);
	return r < 0 ? err_nomem(e) : 0;
}

static int write_other(struct packer *k, struct item *it, struct archive_entry *ae, struct err *e)
{
	set_attributes(it, ae);
	int r = write_hard_link(k, it, ae, e);

	if (r)
		return r < 0 ? r : 0;
	if (S_ISREG(it->st.st_mode))
		return write_file(k, it, ae, e);
	if (S_ISLNK(it->st.st_mode))
		return write_link(k, it, ae, e);
	archive_entry_set_rdevmajor(ae, major(it->st.st_rdev));
	archive_entry_set_rdevminor(ae, minor(it->st.st_rdev));
	return write_header(k, ae, e);
}

/* ---- directories ---- */

static bool is_mount_point(const struct item *it)
{
	return (S_ISDIR(it->st.st_mode) || (S_ISREG(it->st.st_mode) && !it->st.st_size)) &&
	       mountpoint_is(it->inside);
}

struct names {
	char **v;
	size_t n, room;
};

static void names_done(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(struct names *l, const char *name)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 32;
		char **v = realloc(l->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->room = room;
	}
	l->v[l->n] = strdup(name);
	return l->v[l->n] ? (int)(l->n++, 0) : -ENOMEM;
}

static int names_read(int dirfd, struct names *l)
{
	DIR *d = fs_dir(dirfd);
	int r = 0;

	if (!d)
		return -errno;
	for (struct dirent *de; r >= 0 && (errno = 0, de = readdir(d));)
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			r = names_add(l, de->d_name);
	if (r >= 0 && errno)
		r = -errno;
	(void)closedir(d);
	if (r >= 0 && l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	return r;
}

/* a directory as the runtime makes it, or as images have it */
static bool is_untouched(const struct item *it)
{
	return is_mount_point(it) && (it->st.st_mode & 07777) == 0755 && !it->st.st_uid &&
	       !it->st.st_gid;
}

/* Return: 1 the runtime's own doing and nothing else is in it, 0, -errno */
static int left_out(const struct item *it, int fd)
{
	struct names l = {0};
	bool only = true;

	if (!is_untouched(it) || is_opaque(fd))
		return 0;
	int r = names_read(fd, &l);

	for (size_t i = 0; r >= 0 && only && i < l.n; i++) {
		auto_free char *below = str_printf("%s/%s", it->inside, l.v[i]);
		struct item child = {.dir = fd, .name = l.v[i], .inside = below};

		if (!below)
			r = -ENOMEM;
		else
			only = fstatat(fd, l.v[i], &child.st, AT_SYMLINK_NOFOLLOW) == 0 &&
			       is_mount_point(&child);
	}
	names_done(&l);
	return r < 0 ? r : only;
}

static int pack_subdir(struct packer *k, struct item *it, struct archive_entry *ae, struct err *e)
{
	auto_close int fd =
		openat(it->dir, it->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &it->st) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : err_sys(e, errno, "cannot open %.300s", it->path);
	int r = k->p->layer ? left_out(it, fd) : 0;

	if (r)
		return r < 0 ? err_sys(e, -r, "cannot read %.300s", it->path) : 0;
	set_attributes(it, ae);
	add_xattrs(k, ae, fd);
	r = write_header(k, ae, e);
	return r < 0 ? r : pack_dir(k, fd, it->path, it->inside, e);
}

static int pack_entry(struct packer *k, struct item *it, const char *dir_path, struct err *e)
{
	if (fstatat(it->dir, it->name, &it->st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot read %.300s", it->path);
	if (S_ISSOCK(it->st.st_mode))
		return 0; /* means nothing without who listens */
	if (k->p->layer && S_ISCHR(it->st.st_mode) && it->st.st_rdev == makedev(0, 0))
		return write_marker(k, dir_path, WHITEOUT, it->name, e);
	if (k->p->layer && S_ISREG(it->st.st_mode) && is_mount_point(it))
		return 0;
	struct archive_entry *ae = archive_entry_new();
	int r = !ae			  ? err_nomem(e)
		: S_ISDIR(it->st.st_mode) ? pack_subdir(k, it, ae, e)
					  : write_other(k, it, ae, e);

	archive_entry_free(ae);
	return r;
}

static int pack_dir(struct packer *k, int dirfd, const char *path, const char *inside,
		    struct err *e)
{
	auto_free char *slashed =
		str_printf("%s%s", path, *path && !str_has_suffix(path, "/") ? "/" : "");
	struct names l = {0};

	if (!slashed)
		return err_nomem(e);
	if (++k->depth > PATH_DEPTH_MAX)
		return err_sys(e, ENAMETOOLONG, "directory %.300s", path);
	int r = names_read(dirfd, &l);

	if (r < 0)
		r = err_sys(e, -r, "cannot read %.300s", *path ? path : "/");
	if (r >= 0 && k->p->layer && *inside && is_opaque(dirfd))
		r = write_marker(k, slashed, WHITEOUT WHITEOUT, ".opq", e);
	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		auto_free char *in_tar = str_printf("%s%s", slashed, l.v[i]);
		auto_free char *below = str_printf("%s%s%s", inside, *inside ? "/" : "", l.v[i]);
		struct item it = {.dir = dirfd, .name = l.v[i], .path = in_tar, .inside = below};

		r = in_tar && below ? pack_entry(k, &it, slashed, e) : err_nomem(e);
	}
	k->depth--;
	names_done(&l);
	return r;
}

/* ---- a whole tar ---- */

static int open_archive(struct packer *k, struct err *e)
{
	k->a = archive_write_new();
	if (!k->a || map_new(&k->links) < 0)
		return err_nomem(e);
	if (archive_write_set_format_pax_restricted(k->a) != ARCHIVE_OK ||
	    archive_write_set_format_option(k->a, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(k->a, ARCHIVE_BLOCK) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(k->a, 1) != ARCHIVE_OK ||
	    archive_write_open(k->a, k, NULL, write_out, NULL) != ARCHIVE_OK)
		return fail(k, "the archive", e);
	return 0;
}

static int close_archive(struct packer *k, int r, struct err *e)
{
	size_t pos = 0;

	if (r < 0)
		(void)archive_write_fail(
			k->a); /* no end: whoever reads must not take it for whole */
	else if (archive_write_close(k->a) != ARCHIVE_OK)
		r = fail(k, "the archive", e);
	(void)archive_write_free(k->a);
	for (void *path; k->links && (path = map_next(k->links, &pos, NULL));)
		free(path);
	map_free(k->links);
	free(k);
	return r;
}

int pack_tree(int dirfd, const struct pack *p, int out, struct err *e)
{
	struct packer *k = calloc(1, sizeof(*k));

	if (!k)
		return err_nomem(e);
	k->p = p;
	k->out = out;
	int r = open_archive(k, e);

	if (r >= 0 && p->prefix) {
		struct item it = {.dir = dirfd, .name = ".", .path = p->prefix, .inside = ""};

		r = pack_entry(k, &it, "", e);
	} else if (r >= 0) {
		r = pack_dir(k, dirfd, "", "", e);
	}
	return close_archive(k, r, e);
}

int pack_one(int dirfd, const char *name, int out, struct err *e)
{
	static const struct pack as_it_is = {0};
	struct packer *k = calloc(1, sizeof(*k));
	struct item it = {.dir = dirfd, .name = name, .path = name, .inside = name};

	if (!k)
		return err_nomem(e);
	k->p = &as_it_is;
	k->out = out;
	int r = open_archive(k, e);

	if (r >= 0)
		r = pack_entry(k, &it, "", e);
	return close_archive(k, r, e);
}
