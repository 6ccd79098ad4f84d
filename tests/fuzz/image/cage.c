/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cage.c - see cage.h */

#include "cage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "image/helper.h"

#define DIR_NAME "/mnt" /* nobody has a corpus there */
#define SKIPPED	 77

static int write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;

	(void)fd_close(fd);
	return r;
}

/* only this process sees what is mounted from here on */
static __attribute__((constructor)) void enter(void)
{
	char uid[32], gid[32];

	snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
	    write_map("/proc/self/setgroups", "deny") < 0 ||
	    write_map("/proc/self/uid_map", uid) < 0 || write_map("/proc/self/gid_map", gid) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("user namespaces cannot be made here\n");
		_exit(SKIPPED);
	}
}

static int base = -1;

static void fill(void)
{
	/* not before main(): the arguments may lie in /tmp */
	if (mount("tmpfs", DIR_NAME, "tmpfs", 0, "size=64m,nr_inodes=20000") < 0 ||
	    (base = open(DIR_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(base, "beside", 0755) < 0)
		abort();
}

int cage_root(void)
{
	if (base < 0)
		fill();
	if (mkdirat(base, "root", 0755) < 0)
		abort();
	return openat(base, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static unsigned entries(const char *name)
{
	int fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;

	if (!d)
		abort();
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

void cage_check(int root)
{
	struct stat st;

	(void)close(root);
	if (entries(".") != 2 || entries("beside") != 0 ||
	    fstatat(base, "beside", &st, AT_SYMLINK_NOFOLLOW) < 0 || (st.st_mode & 07777) != 0755)
		abort();
	if (fs_rm_tree(DIR_NAME "/root") < 0)
		abort();
}

int cage_file(const uint8_t *data, size_t n)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || fs_write_all(fd, data, n) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}
