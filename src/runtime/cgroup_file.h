/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup_file.h - one file of a container's cgroup, wherever this host's hierarchies have it */
#pragma once

#include <sys/types.h>

#include "base/buf.h"

#define CGROUP_FILE_MAX (1u << 20)

/* @controller: the v1 hierarchy ("memory"), of no meaning on v2. malloc'ed, NULL: out of memory */
char *cgroup_file(const char *controller, const char *path /* "/atoll/<id>" */, const char *name);
int cgroup_read(const char *controller, const char *path, const char *name,
		struct buf *out) MUST_CHECK;
int cgroup_write(const char *controller, const char *path, const char *name,
		 const char *text) MUST_CHECK;
bool cgroup_has(const char *controller, const char *path, const char *name);
/* every process in it and in the groups below; *@ret malloc'ed. Absent: 0 of them */
int cgroup_pids(const char *path, pid_t **ret, size_t *ret_n) MUST_CHECK;
