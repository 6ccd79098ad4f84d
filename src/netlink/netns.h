/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns.h - network namespaces pinned as files; short visits to them from the calling thread
 *
 * netns_enter()/netns_leave() switch only the calling thread (setns(2)). The loop thread visits for
 * microseconds and always returns before anything else runs.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* A new namespace bound onto @path (created), lo up, net.ipv4.ip_forward=0 there. @ret_fd: the
 * caller's */
int netns_create(const char *path, int *ret_fd, struct err *e) MUST_CHECK;
/* likewise, but the namespace belongs to the user namespace @userns: its root governs it */
int netns_create_in(const char *path, int userns, int *ret_fd, struct err *e) MUST_CHECK;
int netns_open(const char *path, int *ret_fd,
	       struct err *e) MUST_CHECK; /* -ESTALE: a file that pins nothing (fstatfs != nsfs) */
int netns_unpin(const char *path) MUST_CHECK; /* umount + unlink; absent: 0 */
bool netns_is_pinned(const char *path);
int netns_pin_pid(int pid, const char *path,
		  struct err *e) MUST_CHECK; /* re-make a lost pin from a live process */

struct netns_visit {
	int home; /* fd of the namespace to return to */
};
int netns_enter(int fd, struct netns_visit *ret) MUST_CHECK;
void netns_leave(struct netns_visit *v); /* aborts if the way back fails: going on in the wrong
					    namespace would be worse */
/* write a sysctl ("net/ipv4/ip_forward") in the namespace the calling thread is in */
int netns_sysctl(const char *key, const char *value) MUST_CHECK;
/* the first character of its value; '\0' where there is none */
char netns_sysctl_first(const char *key);
