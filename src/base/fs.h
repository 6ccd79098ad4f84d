/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fs.h - files and descriptors: whole-file reads and writes, trees, openat2, descriptor passing
 *
 * All descriptors are O_CLOEXEC. Functions return 0 or -errno. Thread-safe.
 * Sources: openat2(2), unix(7) SCM_RIGHTS.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"

int fs_mkdir_p(const char *path, mode_t mode) MUST_CHECK; /* existing directories are fine */
int fs_read(const char *path, size_t max, struct buf *out) MUST_CHECK; /* -EFBIG over max */
int fs_read_at(int dirfd, const char *path, size_t max, struct buf *out) MUST_CHECK;
int fs_write(const char *path, const void *data, size_t len,
	     mode_t mode) MUST_CHECK; /* in place: open, truncate, write (keeps the inode; for
					 bind-mounted files and sysctls) */
int fs_write_str(const char *path,
		 const char *s) MUST_CHECK; /* existing file, no truncate: sysctls, cgroup files */
int fs_write_atomic(const char *path, const void *data, size_t len,
		    mode_t mode) MUST_CHECK; /* temp + fsync + rename */
bool fs_exists(const char *path);
int fs_unlink(const char *path); /* absent: 0 */
int fs_rm_tree(const char *path)
	MUST_CHECK; /* recursive, never follows links or crosses into a mount; absent: 0 */
/* the entries of an open directory from the first on, whatever was read of @dirfd, which stays the
 * caller's; for closedir(3). NULL: errno */
DIR *fs_dir(int dirfd) MUST_CHECK;
/* open inside a root that hostile content fills: openat2 RESOLVE_IN_ROOT | NO_MAGICLINKS. Return:
 * fd/-errno */
int fs_open_in_root(int rootfd, const char *path, int flags, mode_t mode) MUST_CHECK;
int fs_write_all(int fd, const void *data, size_t len) MUST_CHECK; /* blocking, EINTR-safe */

#define FD_PASS_MAX 16
/* one datagram or stream message with up to FD_PASS_MAX descriptors. Return: bytes/-errno */
ssize_t fd_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds);
/* received descriptors are the caller's (CLOEXEC). *n_fds in: room, out: count. 0 bytes: peer gone.
 */
ssize_t fd_recv(int sock, void *data, size_t room, int *fds, size_t *n_fds);
int fd_nonblock(int fd);
