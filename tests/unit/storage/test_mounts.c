/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mounts.c - volumes with file systems of their own, scratch mounts, options of mount(8) */

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "storage/internal.h"
#include "tap.h"
#include "world.h"

static struct world w;

static void options(void)
{
	static const struct {
		const char *text, *data;
		unsigned long flags, propagation;
	} rows[] = {
		{"", NULL, 0, 0},
		{"defaults", NULL, 0, 0},
		{"bind,ro", NULL, MS_BIND | MS_RDONLY, 0},
		{"rbind,rslave", NULL, MS_BIND | MS_REC, MS_SLAVE | MS_REC},
		{"nosuid,suid,noexec", NULL, MS_NOEXEC, 0},
		{"size=1m,ro,mode=700", "size=1m,mode=700", MS_RDONLY, 0},
		{"addr=10.0.0.1,vers=4,,soft", "addr=10.0.0.1,vers=4,soft", 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mount_options o = {0};

		is_int(mount_options_parse(rows[i].text, &o), 0, "'%s'", rows[i].text);
		is_str(o.data, rows[i].data, "its data");
		ok(o.flags == rows[i].flags && o.propagation == rows[i].propagation, "its flags");
		free(o.data);
	}
}

static int last = 1;
static char text[1024];

static void done(int result, const struct err *e, void *data)
{
	(void)data;
	last = result;
	(void)snprintf(text, sizeof(text), "%s", e ? e->msg : "");
}

static void volumes(void)
{
	const struct volume_source tmpfs = {"tmpfs", "tmpfs", "size=64k,mode=701"};
	const struct volume_source bad = {"none", "/nonexistent/x", "bind,password=secret"};
	auto_free char *path = NULL;
	struct err e = {0};
	struct stat st;

	is_int(storage_volume_add(w.storage, "own", &e), 0, "a volume");
	is_int(storage_volume_path(w.storage, "own", &path), 0, "its path");
	ok(!storage_volume_mounted(w.storage, "own"), "not mounted");
	is_int(storage_volume_mount(w.storage, "own", &tmpfs, done, NULL), 0, "a job");
	world_settle(&w);
	is_int(last, 0, "mounted: %s", text);
	ok(storage_volume_mounted(w.storage, "own"), "really");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0701, "with its options");
	is_int(storage_volume_unmount(w.storage, "own", done, NULL), 0, "a job");
	world_settle(&w);
	ok(last == 0 && !storage_volume_mounted(w.storage, "own"), "unmounted");
	is_int(storage_volume_unmount(w.storage, "own", done, NULL), 0, "again");
	world_settle(&w);
	is_int(last, 0, "is fine");
	is_int(storage_volume_mount(w.storage, "own", &bad, done, NULL), 0, "a job that fails");
	world_settle(&w);
	ok(last < 0 && strstr(text, "failed to mount local volume: mount /nonexistent/x:") &&
		   strstr(text, "no such file or directory"),
	   "%s", text);
	ok(!strstr(text, "secret") && strstr(text, "password=********"), "no password is told");
	is_int(storage_volume_mount(w.storage, "own", &tmpfs, done, NULL), 0, "a job");
	world_settle(&w);
	storage_volume_detach(w.storage, "own");
	ok(!storage_volume_mounted(w.storage, "own"), "detached at once");
	is_int(storage_volume_mount(w.storage, "../own", &tmpfs, done, NULL), -EINVAL, "no name");
	storage_volume_remove(w.storage, "own");
	world_settle(&w);
}

static void scratch(void)
{
	static const char id[] = "0123456789ab";
	auto_free char *shm = NULL, *sub = NULL, *base = NULL, *file = NULL;
	auto_free char *folder = NULL, *out = NULL;
	struct err e = {0};
	struct stat st;

	is_int(storage_container_add(w.storage, id, &e), 0, "a container");
	shm = storage_scratch_path(w.storage, id, "shm");
	sub = storage_scratch_path(w.storage, id, "0");
	base = str_printf("%s/base", w.dir);
	file = str_printf("%s/base/a/f", w.dir);
	folder = str_printf("%s/base/a", w.dir);
	out = str_printf("%s/base/out", w.dir);
	is_int(scratch_shm(shm, 1 << 20, &e), 0, "shm: %s", e.msg);
	is_int(scratch_shm(shm, 1 << 20, &e), 0, "again");
	ok(stat(shm, &st) == 0 && (st.st_mode & 07777) == 01777, "its mode");
	(void)fs_mkdir_p(base, 0755);
	(void)fs_mkdir_p(folder, 0755);
	(void)fs_write(file, "x", 1, 0644);
	ok(symlink("/etc", out) == 0, "a link that leads out");
	is_int(scratch_subpath(base, "a", sub, &e), 0, "a folder: %s", e.msg);
	{
		auto_free char *seen = str_printf("%s/f", sub);

		ok(fs_exists(seen), "is bound");
	}
	storage_scratch_release(w.storage, id);
	ok(!fs_exists(sub) && !fs_exists(shm), "all released");
	is_int(scratch_subpath(base, "a/f", sub, &e), 0, "a file: %s", e.msg);
	ok(stat(sub, &st) == 0 && st.st_size == 1, "is bound");
	ok(scratch_subpath(base, "none", sub, &e) < 0 && e.kind == ERR_NOT_FOUND, "%s", e.msg);
	ok(scratch_subpath(base, "out", sub, &e) < 0, "never outside: %s", e.msg);
	storage_scratch_release(w.storage, id);
	storage_scratch_release(w.storage, id);
	ok(!fs_exists(sub), "released");
	storage_container_remove(w.storage, id);
	world_settle(&w);
}

static void propagation(void)
{
	auto_free char *dir = str_printf("%s/a b", w.dir), *below = str_printf("%s/a b/c", w.dir);
	struct err e = {0};

	(void)fs_mkdir_p(below, 0755);
	ok(mount(dir, dir, NULL, MS_BIND, NULL) == 0 &&
		   mount(NULL, dir, NULL, MS_PRIVATE, NULL) == 0,
	   "a private mount");
	ok(storage_propagation_check(below, true, &e) < 0, "%s", e.msg);
	ok(strstr(e.msg, "/a b but it is not a shared or slave mount"), "the mount is named");
	ok(storage_propagation_check(below, false, &e) < 0 &&
		   strstr(e.msg, "is not a shared mount"),
	   "%s", e.msg);
	ok(mount(NULL, dir, NULL, MS_SHARED, NULL) == 0, "made shared");
	is_int(storage_propagation_check(below, false, &e), 0, "shared");
	ok(umount2(dir, MNT_DETACH) == 0, "unmounted");
}

int main(void)
{
	const char *why = world_enter(&w);

	if (why)
		return tap_skip_all(why);
	world_open(&w);
	options();
	volumes();
	scratch();
	propagation();
	world_close(&w);
	free(w.dir);
	free(w.root);
	return tap_done();
}
