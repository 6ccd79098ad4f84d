/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fs.c - files, trees, descriptors */

#include "base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/str.h"

int fs_mkdir_p(const char *path, mode_t mode)
{
	auto_free char *copy = strdup(path);
	char *p;

	if (!copy)
		return -ENOMEM;
	if (!*copy)
		return -ENOENT;
	for (p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (mkdir(copy, mode) < 0) {
		struct stat st;

		if (errno != EEXIST)
			return -errno;
		if (stat(copy, &st) < 0)
			return -errno;
		if (!S_ISDIR(st.st_mode))
			return -ENOTDIR;
	}
	return 0;
}

static int read_fd(int fd, size_t max, struct buf *out)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if (out->len + (size_t)n > max)
			return -EFBIG;
		if (buf_add(out, chunk, (size_t)n) < 0)
			return buf_err(out) == -ENOBUFS ? -EFBIG : buf_err(out);
	}
}

int fs_read_at(int dirfd, const char *path, size_t max, struct buf *out)
{
	auto_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_fd(fd, max, out);
}

int fs_read(const char *path, size_t max, struct buf *out)
{
	return fs_read_at(AT_FDCWD, path, max, out);
}

int fs_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fs_write(const char *path, const void *data, size_t len, mode_t mode)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fs_write_all(fd, data, len);
}

int fs_write_str(const char *path, const char *s)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fs_write_all(fd, s, strlen(s));
}

int fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode)
{
	auto_free char *tmp = str_printf("%s.tmp.%d", path, (int)getpid());
	auto_close int fd = -EBADF;
	int r;

	if (!tmp)
		return -ENOMEM;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = fs_write_all(fd, data, len);
	if (r >= 0 && fsync(fd) < 0)
		r = -errno;
	if (r >= 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(tmp); /* ours, best effort */
	return r;
}

bool fs_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int fs_unlink(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* The mount a directory is on; two calls suffice to see a mount point below a tree. */
static int mount_id(int dirfd, const char *name, uint64_t *ret)
{
	struct statx sx;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH), STATX_MNT_ID,
		  &sx) < 0)
		return -errno;
	*ret = sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : 0;
	return 0;
}

/* Return: 1, -errno */
static int move_up(int rootfd, int fd, const char *name, unsigned *serial)
{
	char fresh[32];

	do {
		(void)snprintf(fresh, sizeof(fresh), ".rm-%u", (*serial)++);
		if (renameat2(fd, name, rootfd, fresh, RENAME_NOREPLACE) == 0 || errno == ENOENT)
			return 1;
	} while (errno == EEXIST);
	return -errno;
}

DIR *fs_dir(int dirfd)
{
	int own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);

	if (!d)
		(void)fd_close(own); /* keeps errno */
	return d;
}

/*
 * Empties the directory @fd: plain entries are unlinked; the first sub-directory found is moved up
 * into the root of the tree under a fresh name when it is not there yet, so that depth costs
 * neither stack nor descriptors. Return: 1 something was removed or moved, 0 empty, -errno.
 */
static int sweep(int rootfd, int fd, uint64_t mnt, unsigned *serial)
{
	DIR *d = fs_dir(fd);
	struct dirent *de;
	int r = 0;

	if (!d)
		return -errno;
	while (r >= 0 && (de = readdir(d))) {
		uint64_t id = 0;

		if (is_dot(de->d_name))
			continue;
		r = 1;
		if (unlinkat(fd, de->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			r = -errno;
			break;
		}
		if (unlinkat(fd, de->d_name, AT_REMOVEDIR) == 0)
			continue;
		if (errno != ENOTEMPTY && errno != EEXIST) {
			r = -errno;
			break;
		}
		r = mount_id(fd, de->d_name, &id);
		if (r >= 0 && id != mnt)
			r = -EXDEV;
		if (r < 0)
			break;
		/* in the root it waits for its own sweep */
		r = fd == rootfd ? 1 : move_up(rootfd, fd, de->d_name, serial);
	}
	(void)closedir(d);
	return r;
}

static int sweep_children(int rootfd, uint64_t mnt, unsigned *serial)
{
	DIR *d = fs_dir(rootfd);
	struct dirent *de;
	int r = 0;

	if (!d)
		return -errno;
	while (r >= 0 && (de = readdir(d))) {
		auto_close int fd = -EBADF;

		if (is_dot(de->d_name))
			continue;
		fd = openat(rootfd, de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		r = sweep(rootfd, fd, mnt, serial);
		if (r >= 0 && unlinkat(rootfd, de->d_name, AT_REMOVEDIR) < 0 &&
		    errno != ENOTEMPTY && errno != ENOENT)
			r = -errno;
	}
	(void)closedir(d);
	return r < 0 ? r : 0;
}

int fs_rm_tree(const char *path)
{
	auto_close int fd = -EBADF;
	unsigned serial = 0;
	uint64_t mnt = 0;
	int r;

	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = mount_id(fd, "", &mnt);
	while (r >= 0) {
		r = sweep(fd, fd, mnt, &serial);
		if (r > 0)
			r = sweep_children(fd, mnt, &serial);
		if (r < 0)
			break;
		if (rmdir(path) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			r = -errno;
	}
	return r;
}

int fs_open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

ssize_t fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
		struct cmsghdr align;
	} ctl = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > FD_PASS_MAX)
		return -EINVAL;
	if (n_fds) {
		struct cmsghdr *c;

		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t fd_recv(int sock, void *data, size_t room, int *fds, size_t *n_fds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
		struct cmsghdr align;
	} ctl;
	struct iovec iov = {.iov_base = data, .iov_len = room};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf)};
	size_t space = *n_fds, got = 0;
	ssize_t n;

	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (got < space)
				fds[got++] = fd;
			else
				(void)fd_close(fd); /* more than asked for */
		}
	}
	*n_fds = got;
	if (mh.msg_flags & MSG_TRUNC) {
		while (got)
			(void)fd_close(fds[--got]);
		*n_fds = 0;
		return -EMSGSIZE;
	}
	return n;
}

int fd_nonblock(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	return fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0 ? -errno : 0;
}
