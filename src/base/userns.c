/* SPDX-License-Identifier: GPL-2.0-or-later */
/* userns.c - user namespaces as files; see userns.h */

#include "base/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

#define MAP_TEXT_MAX 16384

/* ---- a process inside ---- */

/* Only system calls: the parent may have threads. Its death is the end of the socket. */
static void be_child(int userns_fd, int flags, int fd)
{
	int r = 0;
	char c;

	if (userns_fd >= 0 && !(flags & CLONE_NEWUSER) && setns(userns_fd, CLONE_NEWUSER) < 0)
		r = errno;
	if (!r && flags && unshare(flags) < 0)
		r = errno;
	if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) != sizeof(r))
		_exit(1);
	while (read(fd, &c, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

int userns_child(int userns_fd, int flags, struct userns_child *ret)
{
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret->pid = fork();
	if (ret->pid == 0) {
		(void)close(fds[0]);
		be_child(userns_fd, flags, fds[1]);
	}
	r = ret->pid < 0 ? errno : 0;
	(void)close(fds[1]);
	ret->wake = fds[0];
	if (r) {
		(void)close(fds[0]);
		return -r;
	}
	if (recv(ret->wake, &r, sizeof(r), MSG_WAITALL) != sizeof(r))
		r = EIO;
	if (r)
		userns_release(ret);
	return -r;
}

void userns_release(struct userns_child *c)
{
	c->wake = fd_close(c->wake);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- the pin ---- */

static int write_map(pid_t pid, const char *file, const struct idmap *m)
{
	auto_free char *path = str_printf("/proc/%d/%s", pid, file);
	auto_buf struct buf text = BUF_INIT(MAP_TEXT_MAX);

	if (!path || idmap_text(m, &text) < 0)
		return -ENOMEM;
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* the kernel takes all of it in one write */
	return fd < 0 || write(fd, text.data, text.len) < 0 ? -errno : 0;
}

/* /proc pads its columns: each run of white space becomes one space */
static void squeeze(char *s)
{
	char *to = s;

	for (; *s; s++)
		if (!strchr(" \n", *s))
			*to++ = *s;
		else if (s[1] && !strchr(" \n", s[1]))
			*to++ = ' ';
	*to = '\0';
}

/* Return: 0 it is @m, -ESTALE another, -errno */
static int compare_map(pid_t pid, const char *file, const struct idmap *m)
{
	auto_free char *path = str_printf("/proc/%d/%s", pid, file);
	auto_buf struct buf want = BUF_INIT(MAP_TEXT_MAX), have = BUF_INIT(MAP_TEXT_MAX);
	int r = path && buf_putc(&want, ' ') >= 0 && idmap_text(m, &want) >= 0
			? fs_read(path, MAP_TEXT_MAX, &have)
			: -ENOMEM;

	if (r < 0)
		return r;
	if (!have.len || !want.len)
		return -ESTALE;
	squeeze(want.data);
	squeeze(have.data);
	return streq(want.data, have.data) ? 0 : -ESTALE;
}

static int each_map(pid_t pid, const struct idmaps *m,
		    int (*fn)(pid_t pid, const char *file, const struct idmap *m))
{
	int r = fn(pid, "uid_map", &m->uid);

	return r < 0 ? r : fn(pid, "gid_map", &m->gid);
}

/* Return: 0 it has these maps, -ESTALE others, -errno */
static int check_pinned(const char *path, const struct idmaps *m, int *ret_fd)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct userns_child c = {0};
	int r = fd < 0 ? -errno : userns_child(fd, 0, &c);

	if (r < 0)
		return r;
	r = each_map(c.pid, m, compare_map);
	userns_release(&c);
	if (r >= 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int make_pinned(const char *path, const struct idmaps *m, int *ret_fd)
{
	struct userns_child c = {0};
	int r = fs_write(path, "", 0, 0444), fd = -EBADF;

	if (r >= 0)
		r = userns_child(-1, CLONE_NEWUSER, &c);
	if (r < 0)
		return r;
	auto_free char *ns = str_printf("/proc/%d/ns/user", c.pid);

	r = ns ? each_map(c.pid, m, write_map) : -ENOMEM;
	if (r >= 0 && mount(ns, path, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	if (r >= 0 && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		r = -errno;
	userns_release(&c);
	*ret_fd = fd;
	return r;
}

static void unmount(const char *path)
{
	while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
}

void userns_unpin(const char *path)
{
	unmount(path);
	(void)unlink(path);
}

int userns_pin(const char *path, const struct idmaps *m, int *ret_fd, struct err *e)
{
	int r = check_pinned(path, m, ret_fd);

	if (r >= 0)
		return 0;
	/* none, or of other maps: containers that run keep theirs */
	unmount(path);
	r = make_pinned(path, m, ret_fd);
	return r < 0 ? err_sys(e, -r, "cannot make the user namespace %s", path) : 0;
}

/* ---- the ids of what is made ---- */

int fsids_enter(uint32_t uid, uint32_t gid)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps) < 0)
		return -errno;
	(void)setfsgid(gid);
	(void)setfsuid(uid); /* which takes those capabilities away that concern files */
	if (syscall(SYS_capset, &head, caps) == 0)
		return 0;
	int r = -errno;

	fsids_leave();
	return r;
}

void fsids_leave(void)
{
	(void)setfsuid(0); /* gives them back */
	(void)setfsgid(0);
}
