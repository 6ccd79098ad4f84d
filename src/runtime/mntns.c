/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mntns.c - the private mount namespace where the host's cgroups are hybrid
 *
 * crun refuses a host with cgroup v1 controllers and a v2 mount below. There this process, the
 * runtime and the containers live in a mount namespace without that mount. It is made once, pinned
 * as a file (nsfs) at <exec-root>/mntns in the host's namespace, and entered again by each later
 * life: the overlays and namespace pins of running containers are in it.
 *
 * The kernel does not bind a mount namespace where the bind would propagate into it, so the
 * exec-root becomes a private mount of its own first; and the pin is set by a child that stays in
 * the host's namespace. Nor does it bind a namespace whose number is lower than that of the one the
 * bind happens in, and since Linux 6.18 each CPU numbers from a range of its own: make() tries the
 * CPUs one after the other. Sources: mount_namespaces(7), setns(2).
 */

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/internal.h"

#define V2_MOUNT "/sys/fs/cgroup/unified"

static bool is_pin(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && (unsigned long)st.f_type == NSFS_MAGIC;
}

/* The exec-root as a private mount of its own; done once. */
static int own_mount(const char *dir)
{
	if (mount(NULL, dir, NULL, MS_PRIVATE, NULL) == 0)
		return 0;
	if (errno != EINVAL) /* EINVAL: no mount point yet */
		return -errno;
	if (mount(dir, dir, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, dir, NULL, MS_PRIVATE, NULL) < 0)
		return -errno;
	return 0;
}

/* In the child, in the host's namespace: waits for the parent's new one, then pins it. */
static void pin_and_exit(int wake, pid_t parent, const char *pin)
{
	char ns[40], c;

	(void)snprintf(ns, sizeof(ns), "/proc/%d/ns/mnt", parent);
	if (read(wake, &c, 1) != 1)
		_exit(1);
	_exit(mount(ns, pin, NULL, MS_BIND, NULL) < 0 ? errno : 0);
}

static int leave_host(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	/* what the host mounts later is seen; nothing of ours goes back */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	return umount2(V2_MOUNT, MNT_DETACH) < 0 ? -errno : 0;
}

/* -EINVAL: the kernel does not like the new namespace's number */
static int make_here(const char *pin)
{
	int wake[2], status, r;
	pid_t child;

	if (pipe2(wake, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		(void)close(wake[1]);
		pin_and_exit(wake[0], getppid(), pin);
	}
	(void)close(wake[0]);
	r = child < 0 ? -errno : leave_host();
	if (r >= 0 && write(wake[1], "x", 1) != 1)
		r = -EIO;
	(void)close(wake[1]);
	if (child < 0)
		return r;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (r < 0)
		return r;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int make(const char *pin)
{
	auto_close int host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	cpu_set_t mine, one;
	int r = host < 0 ? -errno : fs_write(pin, "", 0, 0600);

	if (r >= 0 && sched_getaffinity(0, sizeof(mine), &mine) < 0)
		r = -errno;
	if (r < 0)
		return r;
	r = make_here(pin);
	for (int cpu = 0; r == -EINVAL && cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &mine))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (setns(host, CLONE_NEWNS) < 0 || sched_setaffinity(0, sizeof(one), &one) < 0)
			r = -errno;
		else
			r = make_here(pin);
	}
	(void)sched_setaffinity(0, sizeof(mine), &mine); /* it was allowed before */
	return r;
}

static int enter(const char *pin)
{
	auto_close int fd = open(pin, O_RDONLY | O_CLOEXEC);

	return fd < 0 || setns(fd, CLONE_NEWNS) < 0 ? -errno : 0;
}

static bool crun_is_there(void)
{
	return fs_exists("/usr/bin/crun") || fs_exists("/usr/local/bin/crun");
}

int runtime_enter_mntns(const char *exec_root, bool *ret_private, struct err *e)
{
	auto_free char *pin = str_printf("%s/mntns", exec_root);
	int r;

	*ret_private = false;
	if (!pin)
		return err_nomem(e);
	if (!is_pin(pin) && (cgroup_layout() != CGROUP_HYBRID || !crun_is_there()))
		return 0;
	r = fs_mkdir_p(exec_root, 0711);
	if (r >= 0 && is_pin(pin)) {
		r = enter(pin);
		log_debug("the mount namespace of the last life is entered");
	} else if (r >= 0) {
		r = own_mount(exec_root);
		if (r >= 0)
			r = make(pin);
		if (r >= 0)
			log_info("the host's cgroups are hybrid, which crun refuses: a private "
				 "mount "
				 "namespace without " V2_MOUNT " is used");
	}
	if (r < 0)
		return err_sys(e, -r, "cannot make or enter the private mount namespace at %s",
			       pin);
	*ret_private = true;
	return 0;
}
