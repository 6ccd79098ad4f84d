/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns.c - network namespaces as files */

#include "netlink/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "base/fs.h"
#include "base/str.h"
#include "base/userns.h"
#include "netlink/rtnl.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

int netns_enter(int fd, struct netns_visit *ret)
{
	int r;

	ret->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ret->home < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET) < 0) {
		r = -errno;
		ret->home = fd_close(ret->home);
		return r;
	}
	return 0;
}

void netns_leave(struct netns_visit *v)
{
	if (v->home >= 0 && setns(v->home, CLONE_NEWNET) < 0)
		abort();
	v->home = fd_close(v->home);
}

int netns_sysctl(const char *key, const char *value)
{
	auto_free char *path = str_printf("/proc/sys/%s", key);

	return path ? fs_write_str(path, value) : -ENOMEM;
}

char netns_sysctl_first(const char *key)
{
	auto_free char *path = str_printf("/proc/sys/%s", key);
	auto_buf struct buf b = BUF_INIT(16);

	return path && fs_read(path, 8, &b) >= 0 ? buf_str(&b)[0] : '\0';
}

static int make_pin(const char *path)
{
	auto_close int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);

	return fd < 0 ? -errno : 0;
}

static int bind_to(const char *source, const char *path)
{
	int r = make_pin(path);

	if (r >= 0 && mount(source, path, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(path);
	return r;
}

static int lo_up(void)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	int r = rtnl_open(&nl);

	return r < 0 ? r : rtnl_link_up(nl, 1, true, NULL);
}

int netns_create(const char *path, int *ret_fd, struct err *e)
{
	struct netns_visit v = {.home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
	auto_close int fd = -EBADF;
	int r = 0;

	if (v.home < 0)
		return err_sys(e, errno, "cannot open the network namespace of this thread");
	if (unshare(CLONE_NEWNET) < 0) {
		r = -errno;
		(void)fd_close(v.home);
		return err_sys(e, -r, "cannot make a network namespace");
	}
	r = bind_to("/proc/thread-self/ns/net", path);
	if (r >= 0) {
		fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : lo_up();
	}
	if (r >= 0)
		r = netns_sysctl("net/ipv4/ip_forward", "0");
	netns_leave(&v);
	if (r < 0) {
		(void)netns_unpin(path); /* half-made: the error below tells */
		return err_sys(e, -r, "cannot make the network namespace %s", path);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int settings(int fd)
{
	struct netns_visit v;
	int r = netns_enter(fd, &v);

	if (r < 0)
		return r;
	r = lo_up();
	if (r >= 0)
		r = netns_sysctl("net/ipv4/ip_forward", "0");
	netns_leave(&v);
	return r;
}

int netns_create_in(const char *path, int userns, int *ret_fd, struct err *e)
{
	struct userns_child c;
	int r = userns_child(userns, CLONE_NEWNET, &c);
	auto_close int fd = -EBADF;

	if (r < 0)
		return err_sys(e, -r, "cannot make a network namespace");
	auto_free char *source = str_printf("/proc/%d/ns/net", c.pid);

	r = source ? bind_to(source, path) : -ENOMEM;
	userns_release(&c);
	if (r >= 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : settings(fd);
	}
	if (r < 0) {
		(void)netns_unpin(path); /* half-made: the error below tells */
		return err_sys(e, -r, "cannot make the network namespace %s", path);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

bool netns_is_pinned(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == NSFS_MAGIC;
}

int netns_open(const char *path, int *ret_fd, struct err *e)
{
	int fd;

	if (!netns_is_pinned(path))
		return err_set(e, ERR_INTERNAL, ESTALE, "%s pins no network namespace", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "cannot open the network namespace %s", path);
	*ret_fd = fd;
	return 0;
}

int netns_unpin(const char *path)
{
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
	return errno == EINVAL || errno == ENOENT ? fs_unlink(path) : -errno;
}

int netns_pin_pid(int pid, const char *path, struct err *e)
{
	auto_free char *source = str_printf("/proc/%d/ns/net", pid);
	int r;

	if (!source)
		return err_nomem(e);
	r = netns_unpin(path);
	if (r >= 0)
		r = bind_to(source, path);
	return r < 0 ? err_sys(e, -r, "cannot pin the network namespace of process %d", pid) : 0;
}
