/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - what the files of storage/ share: paths below data-root, the overlay mount, copying
 */
#pragma once

#include "base/auto.h"
#include "storage/storage.h"

struct storage {
	char *root;
	struct job_pool *jobs;
	char *mapped; /* remap.c: the folders as they are seen with mapped ids; NULL: nothing is */
	uint32_t uid, gid; /* of the mapped root; 0 */
};

/* of a folder that holds what containers mount */
static inline unsigned storage_gate_mode(const struct storage *s)
{
	return s->mapped ? 0711 : 0700; /* data-root itself keeps others out */
}

/* a name that is one path component and does not begin with a dot */
bool storage_name_ok(const char *name);
char *storage_path(const struct storage *s, const char *fmt, ...) PRINTF(2, 3); /* below root */

bool is_mount_point(const char *path);

/* options of mount(8) as mount(2) takes them */
struct mount_options {
	unsigned long flags, propagation; /* MS_*; propagation is a call of its own */
	char *data;			  /* malloc'ed; NULL: none */
};
/* Return: 0; -E2BIG more than a page; -ENOMEM. @ret untouched then */
int mount_options_parse(const char *text, struct mount_options *ret) MUST_CHECK;

struct overlay {
	char *const *lower; /* directories, base first */
	const char *upper, *work, *target;
	uint32_t uid, gid; /* who mounts: the root of mapped layers; 0 */
};
/* Return: 0; -E2BIG more layers than this kernel takes; -errno */
int overlay_mount(const struct overlay *o, struct err *e) MUST_CHECK;
int overlay_mount_text(const struct overlay *o, struct err *e) MUST_CHECK; /* kernels before 6.5 */

/* the content of one directory into another: owners, modes, times, extended attributes, hard links.
 * Never follows a link. Blocking: jobs only. */
int copy_tree(int from_dirfd, int to_dirfd) MUST_CHECK;
/* owner, mode and times of a directory */
int copy_attributes(int from_fd, int to_fd) MUST_CHECK;
