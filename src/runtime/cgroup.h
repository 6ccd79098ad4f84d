/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup.h - which cgroup layout this host has; removing a container's empty cgroup; oom counts.
 * v1, hybrid and v2 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

enum cgroup_layout { CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
enum cgroup_layout cgroup_layout(void);
int cgroup_remove(const char *path /* "/atoll/<id>" */)
	MUST_CHECK; /* in every hierarchy; absent: 0 */
/* SIGKILL to every process in it, again and again until none is left, up to @wait_ms. Absent: 0.
 * Return: 0, -EBUSY. Blocks: start-up only */
int cgroup_kill(const char *path, int wait_ms) MUST_CHECK;
bool cgroup_oom_killed(const char *path);
