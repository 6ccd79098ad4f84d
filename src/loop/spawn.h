/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spawn.h - start a program: descriptors placed, namespaces entered, signals reset
 *
 * vfork-fast (CLONE_VM|CLONE_VFORK|CLONE_PIDFD through posix rules: the child calls only
 * async-signal-safe functions). All descriptors but 0, 1, 2 and those listed are closed.
 * Called on the loop thread. Source: clone(2), close_range(2).
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/auto.h"

struct spawn_fd {
	int fd;	    /* ours, stays ours */
	int target; /* its number in the child, >= 3 */
};

struct spawn {
	const char *const *argv; /* argv[0] is a path, or a name looked up in PATH */
	const char *const *env;	 /* NULL: PATH only */
	const char *cwd;	 /* NULL: / */
	int in, out, err;	 /* -1: /dev/null */
	const struct spawn_fd *fds;
	size_t n_fds;
	int netns; /* entered before exec, -1: ours */
	int mntns; /* likewise */
	bool new_session;
	bool die_with_parent; /* PR_SET_PDEATHSIG SIGKILL */
};

#define SPAWN_INIT ((struct spawn){.in = -1, .out = -1, .err = -1, .netns = -1, .mntns = -1})

/* @ret_pidfd is the caller's; may be NULL. Failure to exec is reported here. Return: pid or -errno
 */
pid_t spawn_start(const struct spawn *s, int *ret_pidfd) MUST_CHECK;
/* runs to the end, output of fd 1 and 2 collected up to 64 KiB. Blocks: start-up, tools and tests
 * only. Return: exit code, 128+signal, or -errno */
struct buf;
int spawn_wait(const struct spawn *s, struct buf *output) MUST_CHECK;
