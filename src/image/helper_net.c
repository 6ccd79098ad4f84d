/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_net.c - what the registry client gives up before it hears the first foreign byte
 *
 * It needs the network, so that stays; all else goes: the file system but for copies of a few files
 * in a read-only tmpfs, the user, every capability, every system call that is not for TCP, TLS,
 * name look-ups and threads.
 * Sources: mount_namespaces(7), capabilities(7), prctl(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "image/helper.h"
#include "image/registry.h"

#define NOBODY	   65534
#define FILES_OPEN 256
#define MEMORY_MAX (2ull << 30)

/* what is written below is for this process alone: nobody else sees its mounts */
static int put_file(int dir, const struct net_file *f)
{
	const char *slash = strchr(f->name, '/');

	if (slash) {
		char folder[16];

		(void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - f->name), f->name);
		if (mkdirat(dir, folder, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	auto_close int fd = openat(dir, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	return fd < 0 ? -errno : fs_write_all(fd, f->data, f->len);
}

static int fill_root(const char *dir, const struct net_file *files, size_t n, struct err *e)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", flags, "mode=0755,size=64m") < 0)
		return err_sys(e, errno, "cannot mount a tmpfs on %s", dir);
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = put_file(fd, &files[i]);
	return r < 0 ? err_sys(e, -r, "cannot copy a file into %s", dir) : 0;
}

/* A user without rights of its own; where there is none (in a user namespace), root without any. */
static int become_nobody(struct err *e)
{
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(e, errno, "cannot drop groups");
	if ((setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0) &&
	    errno != EINVAL)
		return err_sys(e, errno, "cannot change the user");
	/* forgotten when the user changed; whoever died meanwhile has closed our commands */
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0
		       ? err_sys(e, errno, "cannot ask for the parent's end")
		       : 0;
}

int confine_net(const char *dir, const struct net_file *files, size_t n, struct err *e)
{
	const struct confine_limits limits = {
		.files = FILES_OPEN, .memory = MEMORY_MAX, .file_bytes = 64u << 20};

	const struct view view = {.dir = dir, .root = -1, .read_only = true};

	(void)umask(022);
	int r = confine_limits(&limits, e);

	if (r >= 0 && unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		r = err_sys(e, errno, "cannot make namespaces");
	if (r >= 0)
		r = fill_root(dir, files, n, e);
	if (r >= 0)
		r = view_enter(&view, e);
	if (r >= 0)
		r = confine_bounding(0, e);
	if (r >= 0)
		r = become_nobody(e);
	if (r >= 0)
		r = confine_capabilities(0, e);
	return r < 0 ? r : confine_syscalls(CONFINE_NETWORK, e);
}
