/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volumes: their folders, and the copy-up of an image's directory into an empty one */

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "tap.h"
#include "world.h"

#define DATA "volumes/vol/_data/"

static void folders(struct world *w)
{
	auto_free char *path = NULL, *want = at(w, "volumes/vol/_data");
	struct err e = {0};
	struct stat st;

	(void)umask(077);
	is_int(storage_volume_add(w->storage, "vol", &e), 0, "a volume");
	(void)umask(022);
	is_int(storage_volume_add(w->storage, "vol", &e), 0, "again");
	is_int(storage_volume_path(w->storage, "vol", &path), 0, "its path");
	is_str(path, want, "is where it should be");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0755, "readable whatever the umask");
	is_err(storage_volume_add(w->storage, "../x", &e), e, ERR_INVALID,
	       "not a volume name: ../x");
	ok(storage_volume_path(w->storage, "a/b", &path) < 0, "nor has it a path");
}

static void copied(int result, void *data)
{
	*(int *)data = result;
}

static int copy_up(struct world *w, const char *volume, const char *path)
{
	auto_free char *root = at(w, "root");
	int result = 1;
	int r = storage_volume_copy_up(w->storage, volume, root, path, copied, &result);

	if (r < 0)
		return r;
	while (result == 1)
		(void)loop_run_once(w->loop, 100);
	return result;
}

static void put_root(struct world *w)
{
	auto_free char *dir = at(w, "root/etc/app"), *file = at(w, "root/etc/app/file");
	auto_free char *hard = at(w, "root/etc/app/sub/hard"), *soft = at(w, "root/etc/app/soft");
	auto_free char *fifo = at(w, "root/etc/app/fifo"), *dev = at(w, "root/etc/app/dev");
	auto_free char *out = at(w, "root/out"), *sock = at(w, "root/etc/app/sock");
	const struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	auto_close int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	put_file(w, "root/etc/app/file", "content");
	put_file(w, "root/etc/app/sub/deep/file", "deep");
	put_file(w, "precious/secret", "secret");
	ok(chown(file, 5, 6) == 0 && chmod(file, 04711) == 0, "owner and mode");
	ok(setxattr(file, "user.note", "hello", 5, 0) == 0, "an attribute");
	ok(utimensat(AT_FDCWD, file, times, 0) == 0, "times");
	ok(link(file, hard) == 0, "a hard link");
	ok(symlink("/etc/passwd", soft) == 0 && lchown(soft, 8, 9) == 0, "a symbolic link");
	ok(mkfifo(fifo, 0600) == 0 && mknod(dev, S_IFCHR, makedev(1, 3)) == 0 &&
		   chmod(dev, 0666) == 0,
	   "nodes");
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", sock);
	ok(bind(s, (struct sockaddr *)&sun, sizeof(sun)) == 0, "a socket");
	ok(chown(dir, 3, 4) == 0 && chmod(dir, 01770) == 0, "the directory");
	ok(symlink("/../../precious", out) == 0, "a link out of the root");
}

static void whole(struct world *w)
{
	auto_free char *data = at(w, "volumes/vol/_data"), *file = at(w, DATA "file");
	auto_free char *soft = at(w, DATA "soft"), *dev = at(w, DATA "dev");
	auto_free char *text = NULL, *deep = NULL;
	char v[8] = "", target[64] = "";
	struct stat st;

	is_int(copy_up(w, "vol", "/etc/app"), 0, "copied");
	text = text_of(w, DATA "sub/hard");
	deep = text_of(w, DATA "sub/deep/file");
	is_str(text, "content", "a file");
	is_str(deep, "deep", "below");
	ok(stat(file, &st) == 0 && st.st_uid == 5 && st.st_gid == 6 &&
		   (st.st_mode & 07777) == 04711 && st.st_mtime == 1000000000,
	   "owner, mode, time");
	is_int(st.st_nlink, 2, "a hard link stays one");
	ok(getxattr(file, "user.note", v, sizeof(v)) == 5 && !memcmp(v, "hello", 5), "attributes");
	ok(readlink(soft, target, sizeof(target) - 1) > 0 && streq(target, "/etc/passwd"),
	   "a link as it is");
	ok(lstat(soft, &st) == 0 && st.st_uid == 8 && st.st_gid == 9, "with its owner");
	ok(lstat(dev, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) &&
		   (st.st_mode & 07777) == 0666,
	   "a device");
	ok(there(w, DATA "fifo") && !there(w, DATA "sock"), "a fifo, no socket");
	ok(stat(data, &st) == 0 && st.st_uid == 3 && st.st_gid == 4 &&
		   (st.st_mode & 07777) == 01770,
	   "the volume is as the directory was");
	is_int(count(w, "volumes/vol"), 1, "nothing beside _data");
}

static void not_empty(struct world *w)
{
	struct err e = {0};

	is_int(storage_volume_add(w->storage, "used", &e), 0, "a volume");
	put_file(w, "volumes/used/_data/mine", "mine");
	is_int(copy_up(w, "used", "/etc/app"), 0, "one with content");
	is_int(count(w, "volumes/used/_data"), 1, "is left as it is");
	storage_volume_remove(w->storage, "used");
}

static void odd_paths(struct world *w)
{
	struct err e = {0};

	is_int(storage_volume_add(w->storage, "odd", &e), 0, "a volume");
	is_int(copy_up(w, "odd", "/none"), 0, "nothing there");
	is_int(copy_up(w, "odd", "/etc/app/file"), 0, "a file is not copied");
	is_int(copy_up(w, "odd", "/out"), 0, "a link out of the root ends inside it");
	is_int(copy_up(w, "odd", "/etc/../../../precious"), 0, "dots too");
	is_int(count(w, "volumes/odd/_data"), 0, "nothing was copied");
	ok(copy_up(w, "../odd", "/etc/app") < 0, "not a name");
	ok(copy_up(w, "absent", "/etc/app") < 0, "no such volume");
	/* a life that was killed in the middle */
	put_file(w, "volumes/odd/copy-up/half", "x");
	is_int(copy_up(w, "odd", "/etc/app/sub"), 0, "after one that was cut short");
	ok(there(w, "volumes/odd/_data/hard") && !there(w, "volumes/odd/_data/half") &&
		   !there(w, "volumes/odd/copy-up"),
	   "only the whole one counts");
	storage_volume_remove(w->storage, "odd");
	ok(!there(w, "volumes/odd"), "removed at once");
	storage_volume_remove(w->storage, "odd");
	storage_volume_remove(w->storage, "../layers");
	world_settle(w);
	ok(there(w, "layers") && count(w, "trash") == 0, "and deleted, nothing else");
}

int main(void)
{
	struct world w;
	const char *why = world_enter(&w);

	if (why)
		return tap_skip_all(why);
	world_open(&w);
	folders(&w);
	put_root(&w);
	whole(&w);
	not_empty(&w);
	odd_paths(&w);
	world_close(&w);
	free(w.dir);
	free(w.root);
	return tap_done();
}
