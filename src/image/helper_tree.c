/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_tree.c - one layer's entries into its directory, in the form overlayfs reads
 *
 * An entry replaces what an earlier one of the same name made; only a directory over a directory
 * keeps its content. Owners, then modes and extended attributes (a change of owner clears both
 * set-id bits and capabilities), then times; the times of directories come last of all.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/limits.h"
#include "base/str.h"
#include "image/helper.h"
#include "image/recipe.h"

#define WHITEOUT                                                                                   \
	"."                                                                                        \
	"wh."
#define HOLE		4096ul		  /* a block of most file systems */
#define WHITEOUT_META	WHITEOUT WHITEOUT /* aufs's own files */
#define WHITEOUT_OPAQUE WHITEOUT_META ".opq"

struct dir_time {
	char *path;
	struct timespec mtime;
};

struct tree {
	struct tree_rules rules;
	int root;
	int parent; /* of the last entry: most follow in the same directory */
	char *parent_path;
	bool parent_direct; /* no link is in its path */
	uint64_t size, entries;
	struct dir_time *dirs;
	size_t n_dirs, room_dirs;
};

struct item { /* the entry in hand */
	struct archive *a;
	struct archive_entry *ae;
	const char *entry; /* its name as the archive has it */
	char *path;	   /* cleaned */
	const char *name;  /* last component, "" for the root */
	int dir;	   /* its parent, borrowed */
	uid_t uid;
	gid_t gid;
};

int tree_new(int dirfd, const struct tree_rules *rules, struct tree **ret, struct err *e)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (!t)
		return err_nomem(e);
	*t = (struct tree){.root = dirfd, .parent = -EBADF};
	if (rules)
		t->rules = *rules;
	*ret = t;
	return 0;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_dirs; i++)
		free(t->dirs[i].path);
	free(t->dirs);
	free(t->parent_path);
	(void)fd_close(t->parent);
	free(t);
}

uint64_t tree_size(const struct tree *t)
{
	return t->size;
}

static void forget_parent(struct tree *t)
{
	t->parent = fd_close(t->parent);
	free(TAKE_PTR(t->parent_path));
}

static int fail(const struct item *it, int r, struct err *e)
{
	return err_sys(e, -r, "entry \"%.200s\"", it->entry);
}

/* splits @path; the parent is opened, or found open from the entry before */
static int open_parent(struct tree *t, const char *path, const char *entry, const char **ret_name,
		       struct err *e)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	if (t->parent_path && strlen(t->parent_path) == len && !strncmp(t->parent_path, path, len))
		return t->parent;
	auto_free char *parent = strndup(path, len);

	if (!parent)
		return err_nomem(e);
	int fd = path_open_dir(t->root, parent, t->rules.plain, entry, e);

	if (fd < 0)
		return fd;
	forget_parent(t);
	t->parent_direct = !t->rules.recipe || path_is_direct(t->root, parent);
	t->parent = fd;
	t->parent_path = TAKE_PTR(parent);
	return fd;
}

static int remember_times(struct tree *t, const struct item *it)
{
	if (t->n_dirs == t->room_dirs) {
		size_t room = t->room_dirs ? 2 * t->room_dirs : 64;
		struct dir_time *v = realloc(t->dirs, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		t->dirs = v;
		t->room_dirs = room;
	}
	char *path = strdup(it->path);

	if (!path)
		return -ENOMEM;
	t->dirs[t->n_dirs++] = (struct dir_time){
		path,
		{archive_entry_mtime(it->ae), archive_entry_mtime_nsec(it->ae)},
	};
	return 0;
}

static void times_of(const struct item *it, struct timespec out[2])
{
	out[0] = out[1] =
		(struct timespec){archive_entry_mtime(it->ae), archive_entry_mtime_nsec(it->ae)};
}

static bool wanted_xattr(const char *name)
{
	if (streq(name, "security.capability"))
		return true;
	return str_has_prefix(name, "user.") && !str_has_prefix(name, "user.overlay.");
}

static int set_xattrs(const struct item *it, int fd)
{
	const char *name;
	const void *value;
	size_t size;

	if (archive_entry_xattr_reset(it->ae) == 0)
		return 0;
	while (archive_entry_xattr_next(it->ae, &name, &value, &size) == ARCHIVE_OK)
		if (wanted_xattr(name) && fsetxattr(fd, name, value, size, 0) < 0 &&
		    errno != ENOTSUP)
			return -errno;
	return 0;
}

static int set_attributes(const struct item *it, int fd)
{
	struct timespec times[2];

	times_of(it, times);
	if (fchown(fd, it->uid, it->gid) < 0 || fchmod(fd, archive_entry_perm(it->ae) & 07777) < 0)
		return -errno;
	int r = set_xattrs(it, fd);

	return r < 0 ? r : futimens(fd, times) < 0 ? -errno : 0;
}

/* makes room for an entry: what an earlier one made goes, or is kept for the recipe */
static int replace(const struct tree *t, const struct item *it)
{
	struct recipe *recipe = t->rules.recipe;
	struct stat st;
	int r = 0;

	if (recipe && t->parent_direct)
		r = recipe_keep(recipe, it->dir, it->name, it->path);
	else if (recipe && fstatat(it->dir, it->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		 !S_ISLNK(st.st_mode))
		recipe_drop(recipe); /* what this was called in the recipe is not known */
	return r ? MIN(r, 0) : path_remove(it->dir, it->name);
}

static int add_dir(struct tree *t, const struct item *it)
{
	struct stat st;
	int r = 0;

	if (*it->name) {
		if (fstatat(it->dir, it->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			r = errno == ENOENT ? make_dir(it->dir, it->name) : -errno;
		else if (is_whiteout(it->dir, it->name))
			r = make_dir(it->dir, it->name);
		else if (!S_ISDIR(st.st_mode) && (r = replace(t, it)) >= 0)
			r = make_dir(it->dir, it->name);
	}
	if (r < 0)
		return r;
	auto_close int fd = openat(it->dir, *it->name ? it->name : ".",
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	r = fd < 0 ? -errno : set_attributes(it, fd);
	return r < 0 ? r : remember_times(t, it);
}

static int write_data(int fd, const char *data, size_t len, int64_t offset)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, offset);

		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

static bool all_zeros(const char *data, size_t len)
{
	return len == HOLE && !*data && !memcmp(data, data + 1, len - 1);
}

/* What is all zeros stays a hole: the size is set at the end. */
static int write_at(int fd, const char *data, size_t len, int64_t offset)
{
	size_t from = 0; /* not written yet */
	int r = 0;

	for (size_t at = 0, piece; at < len && r >= 0; at += piece) {
		piece = MIN(len - at, HOLE);
		if (!all_zeros(data + at, piece))
			continue;
		r = write_data(fd, data + from, at - from, offset + (int64_t)from);
		from = at + piece;
	}
	return r < 0 ? r : write_data(fd, data + from, len - from, offset + (int64_t)from);
}

static int add_file(struct tree *t, const struct item *it, struct err *e)
{
	int64_t size = archive_entry_size(it->ae), offset;
	const void *data;
	size_t len;
	int r;

	if (size < 0 || (uint64_t)size > LIMIT_LAYER_BYTES - t->size)
		return err_invalid(e, "entry \"%.200s\": the layer unpacks to more than %llu GiB",
				   it->entry, LIMIT_LAYER_BYTES >> 30);
	t->size += (uint64_t)size;
	auto_close int fd = openat(it->dir, it->name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(it, -errno, e);
	while ((r = archive_read_data_block(it->a, &data, &len, &offset)) == ARCHIVE_OK) {
		if (offset < 0 || offset > size || len > (uint64_t)(size - offset))
			return err_invalid(e, "entry \"%.200s\": more data than its size",
					   it->entry);
		r = write_at(fd, data, len, offset);
		if (r < 0)
			return fail(it, r, e);
	}
	if (r != ARCHIVE_EOF)
		return err_invalid(e, "entry \"%.200s\": %s", it->entry,
				   archive_error_string(it->a));
	if (ftruncate(fd, size) < 0) /* a hole at the end */
		return fail(it, -errno, e);
	r = set_attributes(it, fd);
	return r < 0 ? fail(it, r, e) : 0;
}

static int add_hard_link(struct tree *t, const struct item *it, struct err *e)
{
	const char *target = archive_entry_hardlink(it->ae);
	auto_free char *path = NULL;
	int r = path_clean(target, &path, e);

	if (r < 0)
		return err_invalid(e, "entry \"%.200s\": hard link to \"%.200s\", out of the layer",
				   it->entry, target);
	const char *slash = strrchr(path, '/');
	auto_free char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);

	if (!parent)
		return err_nomem(e);
	auto_close int dir = path_open_dir(t->root, parent, t->rules.plain, it->entry, e);

	if (dir < 0)
		return dir;
	const char *name = slash ? slash + 1 : path;

	if (linkat(dir, name, it->dir, it->name, 0) == 0)
		return 0;
	return err_invalid(e, "entry \"%.200s\": cannot link to \"%.200s\": %s", it->entry, target,
			   strerror(errno));
}

static int set_node_attributes(const struct item *it, bool mode)
{
	struct timespec times[2];

	times_of(it, times);
	if (fchownat(it->dir, it->name, it->uid, it->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (mode && fchmodat(it->dir, it->name, archive_entry_perm(it->ae) & 07777, 0) < 0) ||
	    utimensat(it->dir, it->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int add_symlink(const struct item *it)
{
	const char *target = archive_entry_symlink(it->ae);

	if (str_empty(target))
		return -EINVAL;
	if (symlinkat(target, it->dir, it->name) < 0)
		return -errno;
	return set_node_attributes(it, false);
}

static int add_node(const struct item *it)
{
	mode_t type = archive_entry_filetype(it->ae);
	dev_t dev = type == AE_IFIFO ? 0
				     : makedev((unsigned)archive_entry_rdevmajor(it->ae),
					       (unsigned)archive_entry_rdevminor(it->ae));

	if (mknodat(it->dir, it->name, type | 0600, dev) < 0)
		return -errno;
	return set_node_attributes(it, true);
}

/* Return: 1 it was one (also one without meaning for us), 0 no whiteout, -errno */
static int add_whiteout(const struct item *it, struct err *e)
{
	if (!str_has_prefix(it->name, WHITEOUT))
		return 0;
	if (streq(it->name, WHITEOUT_OPAQUE)) {
		int r = set_opaque(it->dir);

		return r < 0 ? fail(it, r, e) : 1;
	}
	if (str_has_prefix(it->name, WHITEOUT_META))
		return 1;
	const char *hidden = it->name + strlen(WHITEOUT);
	struct stat st;

	if (!*hidden || streq(hidden, ".") || streq(hidden, ".."))
		return err_invalid(e, "entry \"%.200s\": an invalid whiteout", it->entry);
	if (fstatat(it->dir, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		/* this layer's own stays; of a directory only what lies below it is hidden */
		if (!S_ISDIR(st.st_mode))
			return 1;
		auto_close int fd =
			openat(it->dir, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int r = fd < 0 ? -errno : set_opaque(fd);

		return r < 0 ? fail(it, r, e) : 1;
	}
	if (mknodat(it->dir, hidden, S_IFCHR, makedev(0, 0)) < 0)
		return fail(it, -errno, e);
	return 1;
}

/* Return: 1 @it is a hard link to its own name, which removing first would lose */
static int links_itself(const struct item *it)
{
	const char *target = archive_entry_hardlink(it->ae);
	auto_free char *path = NULL;

	return target && path_clean(target, &path, NULL) >= 0 && streq(path, it->path);
}

static int add_other(struct tree *t, const struct item *it, struct err *e)
{
	int r;

	switch (archive_entry_filetype(it->ae)) {
	case AE_IFREG:
		return add_file(t, it, e);
	case AE_IFLNK:
		r = add_symlink(it);
		break;
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		r = add_node(it);
		break;
	default:
		return err_invalid(e, "entry \"%.200s\": unknown type %o", it->entry,
				   (unsigned)archive_entry_filetype(it->ae));
	}
	return r < 0 ? fail(it, r, e) : 0;
}

/* Docker's two refusals of a copy into a container */
static int check_overwrite(const struct item *it, bool dir, struct err *e)
{
	struct stat st;

	if (!*it->name || fstatat(it->dir, it->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(st.st_mode) && !dir)
		return err_invalid(e, "cannot overwrite directory \"%.400s\" with non-directory",
				   it->entry);
	if (!S_ISDIR(st.st_mode) && dir)
		return err_invalid(e, "cannot overwrite non-directory \"%.400s\" with directory",
				   it->entry);
	return 0;
}

static int add(struct tree *t, const struct item *it, struct err *e)
{
	bool hard = archive_entry_hardlink(it->ae) != NULL;
	bool dir = !hard && archive_entry_filetype(it->ae) == AE_IFDIR;
	int r = t->rules.plain ? 0 : add_whiteout(it, e); /* by its name, whatever its type */

	if (!r && t->rules.no_overwrite)
		r = check_overwrite(it, dir, e);
	if (r)
		return r;
	if (dir) {
		if (t->rules.plain && !*it->name)
			return 0; /* the place itself stays as it is */
		r = add_dir(t, it);
		return r < 0 ? fail(it, r, e) : 0;
	}
	if (!*it->name)
		return err_invalid(e, "entry \"%.200s\": the root must be a directory", it->entry);
	if (links_itself(it))
		return 0;
	r = replace(t, it);
	if (r < 0)
		return fail(it, r, e);
	return hard ? add_hard_link(t, it, e) : add_other(t, it, e);
}

/* aufs's own files at the top, with what lies below them */
static bool is_aufs_meta(const char *path)
{
	return str_has_prefix(path, WHITEOUT_META) && !streq(path, WHITEOUT_OPAQUE);
}

char *tree_path(const struct tree *t, struct archive_entry *ae)
{
	const char *name = archive_entry_pathname(ae);
	auto_free char *path = NULL;

	if (!name || path_clean(name, &path, NULL) < 0)
		return NULL;
	char *slash = strrchr(path, '/');

	if (!*path || is_aufs_meta(path) || str_has_prefix(slash ? slash + 1 : path, WHITEOUT))
		return NULL;
	if (!slash)
		return TAKE_PTR(path);
	*slash = '\0';
	bool direct = streq(t->parent_path, path) ? t->parent_direct
						  : path_is_direct(t->root, path);

	*slash = '/';
	return direct ? TAKE_PTR(path) : NULL;
}

static bool id_ok(int64_t id)
{
	return id >= 0 && id < UINT32_MAX; /* the last one means "no change" to chown */
}

int tree_add(struct tree *t, struct archive *a, struct archive_entry *ae, struct err *e)
{
	struct item it = {.a = a, .ae = ae, .entry = archive_entry_pathname(ae)};
	auto_free char *path = NULL;

	if (++t->entries > LIMIT_LAYER_FILES)
		return err_invalid(e, "the layer has more than %d entries", LIMIT_LAYER_FILES);
	if (!it.entry)
		return err_invalid(e, "an entry has no readable name: %s", archive_error_string(a));
	if (!id_ok(archive_entry_uid(ae)) || !id_ok(archive_entry_gid(ae)))
		return err_invalid(e, "entry \"%.200s\": owner out of range", it.entry);
	int r = path_clean(it.entry, &path, e);

	if (r < 0 || (!t->rules.plain && is_aufs_meta(path)))
		return r;
	it.path = path;
	it.uid = t->rules.chown ? t->rules.uid : (uid_t)archive_entry_uid(ae);
	it.gid = t->rules.chown ? t->rules.gid : (gid_t)archive_entry_gid(ae);
	it.dir = open_parent(t, path, it.entry, &it.name, e);
	if (it.dir < 0)
		return it.dir;
	r = add(t, &it, e);
	return r < 0 ? r : 0;
}

int tree_finish(struct tree *t, struct err *e)
{
	for (size_t i = 0; i < t->n_dirs; i++) {
		const struct dir_time *d = &t->dirs[i];
		const struct timespec times[2] = {d->mtime, d->mtime};
		const char *slash = strrchr(d->path, '/');
		const char *name = slash ? slash + 1 : d->path;
		auto_free char *parent = strndup(d->path, slash ? (size_t)(slash - d->path) : 0);
		struct stat st;

		if (!parent)
			return err_nomem(e);
		auto_close int dir = path_open_dir(t->root, parent, t->rules.plain, d->path, NULL);

		if (dir < 0 || (*name && (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
					  !S_ISDIR(st.st_mode))))
			continue; /* a later entry took its place */
		if (utimensat(dir, *name ? name : ".", times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, errno, "directory \"%.200s\"", d->path);
	}
	return 0;
}
