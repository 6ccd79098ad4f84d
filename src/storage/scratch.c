/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scratch.c - what a container's mounts need beside its root: containers/<id>/mounts
 *
 *   mounts/shm   the /dev/shm that other containers may join
 *   mounts/<n>   a subpath of a volume: bound here from an open descriptor, so that nobody who
 *                writes to the volume can put a link in its place between the check and the use
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "storage/internal.h"

char *storage_scratch_path(const struct storage *s, const char *id, const char *name)
{
	return storage_name_ok(id) && storage_name_ok(name)
		       ? storage_path(s, "containers/%s/mounts/%s", id, name)
		       : NULL;
}

int scratch_shm(const char *path, int64_t bytes, struct err *e)
{
	char data[64];
	int r = fs_mkdir_p(path, 0711);

	if (r < 0)
		return err_sys(e, -r, "cannot make %s", path);
	if (is_mount_point(path))
		return 0;
	(void)snprintf(data, sizeof(data), "mode=1777,size=%lld", (long long)bytes);
	if (mount("shm", path, "tmpfs", MS_NOEXEC | MS_NOSUID | MS_NODEV, data) < 0)
		return err_sys(e, errno, "mounting shm tmpfs");
	return 0;
}

/* An empty file or folder for a mount to lie on, as @what is. */
static int make_target(const char *path, const struct stat *what)
{
	auto_close int fd = -EBADF;

	if (S_ISDIR(what->st_mode))
		return fs_mkdir_p(path, 0700);
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : 0;
}

int scratch_subpath(const char *base, const char *sub, const char *path, struct err *e)
{
	auto_free char *dir = strndup(path, (size_t)(strrchr(path, '/') - path));
	auto_close int root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -EBADF;
	struct stat st;
	char from[64];
	int r = dir ? fs_mkdir_p(dir, 0711) : -ENOMEM;

	if (r < 0)
		return err_sys(e, -r, "cannot make the folder of %s", path);
	fd = root < 0 ? -errno : fs_open_in_root(root, sub, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, fd == -ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL,
			       fd < 0 ? -fd : errno, "cannot access path %s/%s: %s", base, sub,
			       strerror(fd < 0 ? -fd : errno));
	r = make_target(path, &st);
	if (r < 0)
		return err_sys(e, -r, "cannot make %s", path);
	(void)snprintf(from, sizeof(from), "/proc/thread-self/fd/%d", fd);
	if (mount(from, path, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(e, errno, "cannot bind %s/%s", base, sub);
	return 0;
}

/* A subpath may have been bound more than once, if a start was cut off. */
static void release(const char *path)
{
	while (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		;
	if (errno != EINVAL && errno != ENOENT)
		log_warn("cannot unmount path=%s error=%s", path, strerror(errno));
	if (rmdir(path) < 0 && errno == ENOTDIR)
		(void)unlink(path); /* what stays goes with the container's folder */
}

void storage_scratch_release(struct storage *s, const char *id)
{
	auto_free char *dir = storage_path(s, "containers/%s/mounts", id);
	DIR *d = dir ? opendir(dir) : NULL;

	if (!d)
		return;
	for (struct dirent *de; (de = readdir(d));) {
		auto_free char *path = str_printf("%s/%s", dir, de->d_name);

		if (path && !streq(de->d_name, ".") && !streq(de->d_name, ".."))
			release(path);
	}
	(void)closedir(d);
	(void)rmdir(dir);
}
