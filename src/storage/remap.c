/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remap.c - layers and containers as they are seen with mapped ids (--userns-remap)
 *
 * On disk all owners are those of the images. Two clones of the folders' mounts, one of layers/ and
 * one of containers/, have the user namespace's map; an overlay over directories in them shows the
 * owners shifted and writes them back unshifted. So loading, committing and comparing know nothing
 * of it. The clones are made anew by each life of the engine: overlays keep copies of their own.
 * Sources: mount_setattr(2), MOUNT_ATTR_IDMAP; Documentation/filesystems/idmappings.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "storage/internal.h"

static int cannot(int r, const char *path, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, -r,
		       "userns-remap: the kernel or the file system of %s cannot map ids of a "
		       "mount (Linux 5.19 or later, ext4, xfs, btrfs or tmpfs): %s",
		       path, strerror(-r));
}

static int view(const char *from, const char *to, int userns, struct err *e)
{
	struct mount_attr map = {.attr_set = MOUNT_ATTR_IDMAP,
				 .propagation = MS_PRIVATE,
				 .userns_fd = (uint64_t)userns};
	int r = fs_mkdir_p(to, 0700);

	if (r < 0)
		return err_sys(e, -r, "cannot make %s", to);
	while (umount2(to, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) /* of the last life */
		;
	auto_close int tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return cannot(-errno, from, e);
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &map, sizeof(map)) < 0)
		return cannot(-errno, from, e);
	if (move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, errno, "cannot mount %s", to);
	return 0;
}

/* The mapped root may pass to what is its own, nobody else. */
static int open_gates(const struct storage *s, struct err *e)
{
	static const char *const folders[] = {"containers", "volumes"};

	if (chown(s->root, 0, s->gid) < 0 || chmod(s->root, 0710) < 0)
		return err_sys(e, errno, "cannot open %s for containers", s->root);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		auto_free char *path = storage_path(s, "%s", folders[i]);

		if (!path)
			return err_nomem(e);
		if (chmod(path, 0711) < 0)
			return err_sys(e, errno, "cannot open %s for containers", path);
	}
	return 0;
}

static void close_view(const char *dir, const char *folder)
{
	auto_free char *path = str_printf("%s/%s", dir, folder);

	while (path && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
	if (path)
		(void)rmdir(path);
}

void storage_remap_sweep(const char *dir)
{
	close_view(dir, "layers");
	close_view(dir, "containers");
	(void)rmdir(dir);
}

int storage_remap(struct storage *s, const struct storage_remap *m, struct err *e)
{
	static const char *const folders[] = {"layers", "containers"};
	int r = 0;

	s->uid = m->uid;
	s->gid = m->gid;
	s->mapped = strdup(m->dir);
	if (!s->mapped)
		return err_nomem(e);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(folders); i++) {
		auto_free char *from = storage_path(s, "%s", folders[i]);
		auto_free char *to = str_printf("%s/%s", m->dir, folders[i]);

		r = from && to ? view(from, to, m->userns, e) : err_nomem(e);
	}
	return r < 0 ? r : open_gates(s, e);
}
