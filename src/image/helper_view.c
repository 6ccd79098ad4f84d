/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_view.c - the only files that atoll-helper sees from the first foreign byte on
 *
 * A staging directory, or the root of a container with its volumes and binds mounted in it. The
 * container may run meanwhile and change its tree: what is mounted goes to a descriptor that was
 * opened with RESOLVE_IN_ROOT, never to a name. No set-id bit, device or program works in the view.
 * Sources: pivot_root(2), open_tree(2), move_mount(2), mount_setattr(2), openat2(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/str.h"
#include "image/helper.h"

/* in the text the place as the user knows it */
static int fail(const struct view_mount *m, int r, struct err *e)
{
	return err_sys(e, -r, "cannot mount %.300s", m->target);
}

/* each directory on the way to @path, as the runtime makes them at a start */
static int make_parents(int root, const char *path)
{
	auto_free char *prefix = strdup(path);
	int r = prefix ? 0 : -ENOMEM;

	for (char *p = prefix; r >= 0 && (p = strchr(p + 1, '/'));) {
		*p = '\0';
		auto_close int there = fs_open_in_root(root, prefix, O_PATH | O_DIRECTORY, 0);

		if (there == -ENOENT) {
			char *name = strrchr(prefix, '/');

			*name = '\0';
			auto_close int dir = fs_open_in_root(root, *prefix ? prefix : "/",
							     O_PATH | O_DIRECTORY, 0);

			r = dir < 0 ? dir : mkdirat(dir, name + 1, 0755) < 0 ? -errno : 0;
			*name = '/';
		} else if (there < 0) {
			r = there;
		}
		*p = '/';
	}
	return r;
}

/* Return: the place, made where it is missing; -errno */
static int open_target(int root, const char *target, bool dir)
{
	int fd = fs_open_in_root(root, target, O_PATH, 0);

	if (fd != -ENOENT)
		return fd;
	int r = make_parents(root, target);

	if (r < 0)
		return r;
	if (!dir)
		return fs_open_in_root(root, target, O_RDONLY | O_CREAT | O_EXCL, 0644);
	auto_free char *whole = str_printf("%s/", target); /* make_parents() makes it then */

	r = whole ? make_parents(root, whole) : -ENOMEM;
	return r < 0 ? r : fs_open_in_root(root, target, O_PATH, 0);
}

static int mount_one(int root, const struct view_mount *m, struct err *e)
{
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	struct stat st;
	auto_close int tree =
		open_tree(AT_FDCWD, m->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0)
		return m->optional && errno == ENOENT ? 0 : fail(m, -errno, e);
	if (fstat(tree, &st) < 0 ||
	    (m->read_only && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only,
					   sizeof(read_only)) < 0))
		return fail(m, -errno, e);
	auto_close int target = open_target(root, m->target, S_ISDIR(st.st_mode));

	if (target < 0)
		return fail(m, target, e);
	if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return fail(m, -errno, e);
	return 0;
}

static int place_root(const struct view *v)
{
	if (v->root < 0)
		return mount(v->dir, v->dir, NULL, MS_BIND, NULL);
	return move_mount(v->root, "", AT_FDCWD, v->dir, MOVE_MOUNT_F_EMPTY_PATH);
}

static int build(const struct view *v, struct err *e)
{
	struct mount_attr all = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					     MOUNT_ATTR_NOEXEC};
	struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || place_root(v) < 0)
		return err_sys(e, errno, "cannot prepare %s", v->dir);
	auto_close int root = open(v->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; root >= 0 && i < v->n_mounts; i++) {
		int r = mount_one(root, &v->mounts[i], e);

		if (r < 0)
			return r;
	}
	if (root < 0 ||
	    mount_setattr(root, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof(all)) < 0 ||
	    (v->read_only &&
	     mount_setattr(root, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)) < 0) ||
	    fchdir(root) < 0)
		return err_sys(e, errno, "cannot prepare %s", v->dir);
	return 0;
}

int view_enter(const struct view *v, struct err *e)
{
	int r = build(v, e);

	if (r < 0)
		return r;
	if (syscall(SYS_pivot_root, ".", ".") == 0) { /* the old root lies over the new one now */
		if (umount2(".", MNT_DETACH) < 0)
			return err_sys(e, errno, "cannot leave the old root");
	} else if (errno != EINVAL || chroot(".") < 0) { /* EINVAL: the root is an initramfs */
		return err_sys(e, errno, "cannot change the root to %s", v->dir);
	}
	return chdir("/") < 0 ? err_sys(e, errno, "cannot enter %s", v->dir) : 0;
}
