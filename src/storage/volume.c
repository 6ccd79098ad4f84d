/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * volume.c - volume directories and Docker's copy-up
 *
 * Copy-up fills volumes/<name>/copy-up first and then moves its entries into _data, so a crash
 * leaves an empty volume (or, between two renames, one that lacks entries), never half a file. A
 * volume with a file system of its own is filled directly, for nothing can be moved into it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "loop/job.h"
#include "storage/internal.h"

int storage_volume_add(struct storage *s, const char *name, struct err *e)
{
	static const char *const folders[] = {"", "/_data"};

	if (!storage_name_ok(name))
		return err_invalid(e, "not a volume name: %s", name);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		auto_free char *path = storage_path(s, "volumes/%s%s", name, folders[i]);

		if (!path)
			return err_nomem(e);
		if (mkdir(path, storage_gate_mode(s)) < 0) {
			if (errno == EEXIST)
				continue;
			return err_sys(e, errno, "cannot make %s", path);
		}
		if (i == 1 && chmod(path, 0755) < 0) /* whatever the umask */
			return err_sys(e, errno, "cannot make %s", path);
		if (i == 1 && s->mapped && lchown(path, s->uid, s->gid) < 0)
			return err_sys(e, errno, "cannot make %s", path);
	}
	return 0;
}

int storage_volume_path(struct storage *s, const char *name, char **ret)
{
	if (!storage_name_ok(name))
		return -EINVAL;
	char *path = storage_path(s, "volumes/%s/_data", name);

	if (!path)
		return -ENOMEM;
	*ret = path;
	return 0;
}

void storage_volume_remove(struct storage *s, const char *name)
{
	if (!storage_name_ok(name))
		return;
	auto_free char *path = storage_path(s, "volumes/%s", name);

	if (path)
		storage_trash(s, path);
}

struct copy_up {
	char *volume; /* volumes/<name> */
	char *rootfs, *path;
	bool mounted; /* _data is a mount */
	void (*done)(int result, void *data);
	void *data;
};

static void copy_up_free(struct copy_up *c)
{
	free(c->volume);
	free(c->rootfs);
	free(c->path);
	free(c);
}

/* Return: 1 empty, 0 not, -errno */
static int is_empty(int dirfd)
{
	DIR *d = fs_dir(dirfd);
	int empty = 1;

	if (!d)
		return -errno;
	for (struct dirent *de; (de = readdir(d));)
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			empty = 0;
	rewinddir(d);
	(void)closedir(d);
	return empty;
}

static int move_entries(int from, int to)
{
	DIR *d = fs_dir(from);
	int r = 0;

	if (!d)
		return -errno;
	for (struct dirent *de; r >= 0 && (de = readdir(d));) {
		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		if (renameat(from, de->d_name, to, de->d_name) < 0)
			r = -errno;
	}
	(void)closedir(d);
	return r;
}

static int fill(int volume, int data, int source)
{
	if (mkdirat(volume, "copy-up", 0700) < 0)
		return -errno;
	auto_close int tmp =
		openat(volume, "copy-up", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = tmp < 0 ? -errno : copy_tree(source, tmp);

	if (r >= 0)
		r = move_entries(tmp, data);
	return r < 0 ? r : copy_attributes(source, data);
}

static int copy_up_work(void *data)
{
	struct copy_up *c = data;
	auto_close int root = open(c->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	auto_close int source = fs_open_in_root(root, c->path, O_RDONLY | O_DIRECTORY, 0);

	if (source == -ENOENT || source == -ENOTDIR)
		return 0; /* nothing there to copy */
	if (source < 0)
		return source;
	auto_free char *tmp = str_printf("%s/copy-up", c->volume);
	auto_close int volume = open(c->volume, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!tmp || volume < 0)
		return tmp ? -errno : -ENOMEM;
	auto_close int to =
		openat(volume, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = to < 0 ? -errno : is_empty(to);

	if (r <= 0)
		return r;
	if (c->mounted) {
		r = copy_tree(source, to);
		return r < 0 ? r : copy_attributes(source, to);
	}
	r = fs_rm_tree(tmp); /* of a life that was killed */
	if (r >= 0)
		r = fill(volume, to, source);
	int removed = fs_rm_tree(tmp);

	return r < 0 ? r : removed;
}

static void copy_up_done(int result, void *data)
{
	struct copy_up *c = data;

	c->done(result, c->data);
	copy_up_free(c);
}

int storage_volume_copy_up(struct storage *s, const char *volume, const char *rootfs_dir,
			   const char *path, void (*done)(int result, void *data), void *data)
{
	if (!storage_name_ok(volume))
		return -EINVAL;
	struct copy_up *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct copy_up){.volume = storage_path(s, "volumes/%s", volume),
			      .rootfs = strdup(rootfs_dir),
			      .path = strdup(path),
			      .mounted = storage_volume_mounted(s, volume),
			      .done = done,
			      .data = data};
	int r = c->volume && c->rootfs && c->path ? job_run(s->jobs, copy_up_work, copy_up_done, c)
						  : -ENOMEM;

	if (r < 0)
		copy_up_free(c);
	return r;
}
