/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userns.h - a user namespace pinned as a file; namespaces that belong to it; acting as its root
 *
 * Sources: user_namespaces(7), setns(2), setfsuid(2), mount_setattr(2).
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/idmap.h"

/* The user namespace with these maps at @path: the one that is pinned there, or a new one where
 * there is none or its maps are others. Forks: before any thread. @ret_fd: the caller's */
int userns_pin(const char *path, const struct idmaps *maps, int *ret_fd, struct err *e) MUST_CHECK;

void userns_unpin(const char *path); /* whoever is in it stays */

/* A process that is in the user namespace @userns_fd and in new namespaces of @flags, CLONE_NEW*
 * (CLONE_NEWUSER in them: a new one; @userns_fd is then not entered). It waits for
 * userns_release(). Whoever wants to keep a namespace opens or binds /proc/<pid>/ns/... before. */
struct userns_child {
	pid_t pid;
	int wake;
};
int userns_child(int userns_fd, int flags, struct userns_child *ret) MUST_CHECK;
void userns_release(struct userns_child *c); /* and waits for its end, which comes at once */

/* What this thread makes in file systems belongs to these ids, with all its capabilities. Layers
 * that are mounted with mapped ids have no place for the host's root. */
int fsids_enter(uint32_t uid, uint32_t gid) MUST_CHECK;
void fsids_leave(void); /* root again */
