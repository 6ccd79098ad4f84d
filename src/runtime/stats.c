/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats.c - reads a container's figures from its cgroup and its network namespace */

#include "runtime/stats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_file.h"
#include "runtime/internal.h"

#define NS_PER_US 1000

char *rt_stats_place(const struct runtime *r, const char *id)
{
	return rt_cgroup(r, id);
}

void stat_cpu_done(struct stat_cpu *c)
{
	free(c->percpu);
	*c = (struct stat_cpu){0};
}

int stat_cpu_copy(const struct stat_cpu *from, struct stat_cpu *to)
{
	uint64_t *percpu = NULL;

	if (from->n_percpu) {
		percpu = reallocarray(NULL, from->n_percpu, sizeof(*percpu));
		if (!percpu)
			return -ENOMEM;
		memcpy(percpu, from->percpu, from->n_percpu * sizeof(*percpu));
	}
	*to = *from;
	to->percpu = percpu;
	return 0;
}

void rt_stats_done(struct rt_stats *s)
{
	stat_cpu_done(&s->cpu);
	free(s->memory_stat);
	free(s->io_bytes);
	free(s->io_count);
	free(s->links);
	*s = (struct rt_stats){0};
}

static uint64_t tick_ns(void)
{
	long hz = sysconf(_SC_CLK_TCK);

	return NS_PER_S / (uint64_t)(hz > 0 ? hz : 100);
}

static uint64_t value(const struct buf *text, const char *key)
{
	uint64_t n = 0;

	return stats_value(buf_str(text), key, &n) ? n : 0;
}

/* A file that this kernel does not have reads as nothing. */
static const char *text_of(const char *controller, const char *path, const char *name,
			   struct buf *room)
{
	if (cgroup_read(controller, path, name, room) < 0)
		buf_clear(room);
	return buf_str(room);
}

static int read_v1(const char *path, struct rt_stats *s)
{
	auto_buf struct buf b = BUF_INIT(CGROUP_FILE_MAX);
	const char *io;
	int r;

	s->cpu.total = stats_number(text_of("cpuacct", path, "cpuacct.usage", &b));
	r = stats_percpu(text_of("cpuacct", path, "cpuacct.usage_percpu", &b), &s->cpu);
	(void)text_of("cpuacct", path, "cpuacct.stat", &b);
	s->cpu.user = value(&b, "user") * tick_ns();
	s->cpu.kernel = value(&b, "system") * tick_ns();
	(void)text_of("cpu", path, "cpu.stat", &b);
	s->cpu.periods = value(&b, "nr_periods");
	s->cpu.throttled = value(&b, "nr_throttled");
	s->cpu.throttled_ns = value(&b, "throttled_time");
	s->memory = stats_number(text_of("memory", path, "memory.usage_in_bytes", &b));
	s->memory_max = stats_number(text_of("memory", path, "memory.max_usage_in_bytes", &b));
	s->memory_limit = stats_number(text_of("memory", path, "memory.limit_in_bytes", &b));
	s->memory_failures = stats_number(text_of("memory", path, "memory.failcnt", &b));
	if (r >= 0)
		r = stats_memory(text_of("memory", path, "memory.stat", &b), s);
	io = text_of("blkio", path, "blkio.throttle.io_service_bytes_recursive", &b);
	if (!*io)
		io = text_of("blkio", path, "blkio.throttle.io_service_bytes", &b);
	if (r >= 0)
		r = stats_io_v1(io, &s->io_bytes, &s->n_io_bytes);
	io = text_of("blkio", path, "blkio.throttle.io_serviced_recursive", &b);
	if (!*io)
		io = text_of("blkio", path, "blkio.throttle.io_serviced", &b);
	return r < 0 ? r : stats_io_v1(io, &s->io_count, &s->n_io_count);
}

static int read_v2(const char *path, struct rt_stats *s)
{
	auto_buf struct buf b = BUF_INIT(CGROUP_FILE_MAX);
	int r;

	(void)text_of("", path, "cpu.stat", &b);
	s->cpu.total = value(&b, "usage_usec") * NS_PER_US;
	s->cpu.user = value(&b, "user_usec") * NS_PER_US;
	s->cpu.kernel = value(&b, "system_usec") * NS_PER_US;
	s->cpu.periods = value(&b, "nr_periods");
	s->cpu.throttled = value(&b, "nr_throttled");
	s->cpu.throttled_ns = value(&b, "throttled_usec") * NS_PER_US;
	s->memory = stats_number(text_of("", path, "memory.current", &b));
	s->memory_max = stats_number(text_of("", path, "memory.peak", &b));
	s->memory_limit = stats_number(text_of("", path, "memory.max", &b));
	(void)text_of("", path, "memory.events", &b);
	s->memory_failures = value(&b, "oom");
	r = stats_memory(text_of("", path, "memory.stat", &b), s);
	return r < 0 ? r : stats_io_v2(text_of("", path, "io.stat", &b), s);
}

static int read_host(struct rt_stats *s, pid_t pid)
{
	auto_buf struct buf b = BUF_INIT(CGROUP_FILE_MAX);
	struct sysinfo si = {0};
	char file[64];

	s->cpu.online = (unsigned)get_nprocs();
	(void)sysinfo(&si); /* fails for a bad pointer only */
	s->memory_limit = MIN(s->memory_limit, (uint64_t)si.totalram * si.mem_unit);
	if (fs_read("/proc/stat", CGROUP_FILE_MAX, &b) >= 0)
		s->cpu.host = stats_host_ticks(buf_str(&b)) * tick_ns();
	if (!pid)
		return 0;
	(void)snprintf(file, sizeof(file), "/proc/%d/net/dev", (int)pid);
	buf_clear(&b);
	if (fs_read(file, CGROUP_FILE_MAX, &b) < 0)
		return 0; /* it has just ended */
	return stats_links(buf_str(&b), s);
}

int rt_stats_read(const char *place, pid_t pid, struct rt_stats *ret)
{
	auto_buf struct buf b = BUF_INIT(CGROUP_FILE_MAX);
	struct rt_stats s = {.v2 = cgroup_layout() == CGROUP_V2};
	int r;

	if (!cgroup_has("memory", place, "cgroup.procs") &&
	    !cgroup_has("cpuacct", place, "cgroup.procs"))
		return -ENOENT;
	s.read_ns = clock_real_ns();
	s.pids = stats_number(text_of("pids", place, "pids.current", &b));
	s.pids_limit = stats_number(text_of("pids", place, "pids.max", &b));
	r = s.v2 ? read_v2(place, &s) : read_v1(place, &s);
	if (r >= 0)
		r = read_host(&s, pid);
	if (r < 0)
		rt_stats_done(&s);
	else
		*ret = s;
	return r;
}
