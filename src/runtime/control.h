/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * control.h - a running container's cgroup: frozen and thawed, its limits changed, its processes;
 * and what of all limits this host can set at all
 *
 * Loop thread. Sources: the kernel's admin-guide/cgroup-v1 and cgroup-v2, OCI runtime-spec 1.0.2.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/runtime.h"

/* ---- freezer.c ---- */
/* cb(0) once every process stands still; cb(-ETIMEDOUT) where one does not within five seconds
 * (all are thawed again). Not called if the runtime is closed before. */
int rt_freeze(struct runtime *r, const char *id, void (*cb)(int result, void *data),
	      void *data) MUST_CHECK;
int rt_thaw(struct runtime *r, const char *id) MUST_CHECK; /* at once; not frozen: 0 */
bool rt_frozen(struct runtime *r, const char *id);

/* ---- update.c ---- */
/* The limits of @s, which are all of those it has (no others are touched), by the runtime's
 * update. */
int rt_update(struct runtime *r, const struct rt_spec *s,
	      void (*cb)(int result, const struct err *e, void *data), void *data,
	      struct err *e) MUST_CHECK;

/* all processes in the container, execs included; *@ret malloc'ed */
int rt_pids(struct runtime *r, const char *id, pid_t **ret, size_t *ret_n) MUST_CHECK;

/* ---- oom.c ---- */
struct rt_oom;
/* fn(data) each time the kernel has killed a process of the container for memory, while it runs.
 * Where the host tells of no such thing: -EOPNOTSUPP */
int rt_oom_watch(struct runtime *r, const char *id, void (*fn)(void *data), void *data,
		 struct rt_oom **ret) MUST_CHECK;
void rt_oom_free(struct rt_oom *o); /* NULL allowed */

/* ---- abilities.c ---- */
struct rt_abilities {
	bool v2;
	bool memory, swap, reservation, swappiness, oom_kill_disable;
	bool cpu_cfs, cpu_shares, cpu_realtime, cpuset;
	char cpus[256], mems[256]; /* those there are, "0-3" */
	bool pids, freezer, devices;
	bool blkio_weight, blkio_weight_device;
	bool blkio_read_bps, blkio_write_bps, blkio_read_iops, blkio_write_iops;
};
/* looked up once, on the first call */
const struct rt_abilities *rt_abilities(void);
/* "0-2,7": every number of @list is one of @available. -EINVAL: @list is no list */
int cpu_list_within(const char *list, const char *available, bool *ret) MUST_CHECK;
