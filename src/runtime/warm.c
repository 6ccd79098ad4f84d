/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * warm.c - a start's longest wait begun before it is met
 *
 * Putting a process into a cgroup takes a lock of all process groups (cgroup_threadgroup_rwsem),
 * whose first taking waits for an RCU grace period, here 8 to 15 ms: a third of a container's
 * start, inside `crun create`. For about 20 ms after that it is free. So when a start (or a create,
 * which a start is likely to follow) begins, a thread of the pool takes the same lock by moving
 * this process into the cgroup where it is, which changes nothing; the runtime then finds the
 * period over, or half over. Where the host's cgroups are mounted with "favordynmods" there is
 * nothing to wait for. Source: kernel/cgroup/cgroup.c and Documentation/admin-guide/cgroup-v2.rst
 * of Linux.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/job.h"
#include "runtime/cgroup.h"
#include "runtime/internal.h"

#define FREE_NS	   (10 * NS_PER_MS) /* so long after one nothing is gained by another */
#define CGROUP_MAX (64u << 10)

/* /proc/self/cgroup's line of @hierarchy ("name=systemd", or "" of v2) as a file. */
static char *procs_file(const char *text, const char *hierarchy, const char *mount)
{
	auto_strv char **lines = NULL;

	if (strv_split(text, "\n", &lines) < 0)
		return NULL;
	for (size_t i = 0; lines && lines[i]; i++) {
		const char *name = strchr(lines[i], ':');
		const char *path = name ? strchr(name + 1, ':') : NULL;
		size_t len = strlen(hierarchy);

		if (path && (size_t)(path - name - 1) == len && !strncmp(name + 1, hierarchy, len))
			return str_printf("%s%s/cgroup.procs", mount, path + 1);
	}
	return NULL;
}

char *warm_file(void)
{
	auto_buf struct buf text = BUF_INIT(CGROUP_MAX);
	char *v1;

	if (fs_read("/proc/self/cgroup", CGROUP_MAX - 1, &text) < 0)
		return NULL;
	if (cgroup_layout() == CGROUP_V2)
		return procs_file(buf_str(&text), "", "/sys/fs/cgroup");
	v1 = procs_file(buf_str(&text), "name=systemd", "/sys/fs/cgroup/systemd");
	return v1 ? v1 : procs_file(buf_str(&text), "pids", "/sys/fs/cgroup/pids");
}

static int work(void *data)
{
	return fs_write_str(data, "0");
}

static void done(int result, void *data)
{
	if (result < 0) /* costs time only */
		log_debug("a start cannot be prepared file=%s error=%s", (char *)data,
			  strerror(-result));
	free(data);
}

void rt_warm(struct runtime *r, struct job_pool *jobs)
{
	int64_t now = clock_mono_ns();
	char *file;

	if (!r->warm_file || now - r->warmed_ns < FREE_NS)
		return;
	r->warmed_ns = now;
	file = strdup(r->warm_file);
	if (file && job_run(jobs, work, done, file) < 0)
		free(file);
}
