/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec_resources.c - the limits of a cgroup: memory, CPU, processes, block devices */

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/spec.h"

#define CPU_PERIOD 100000 /* microseconds: what Docker takes for --cpus */

/* ---- memory and CPU ---- */

/* Whether this host counts swap; Docker goes without that limit where it does not. */
static bool swap_limits(void)
{
	auto_buf struct buf own = BUF_INIT(4096);
	auto_free char *file = NULL;
	char *path;

	if (cgroup_layout() != CGROUP_V2)
		return fs_exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
	if (fs_read("/proc/self/cgroup", 4096, &own) < 0)
		return false;
	path = strstr(buf_str(&own), "0::/");
	if (!path)
		return false;
	path += strlen("0::");
	path[strcspn(path, "\n")] = '\0';
	if (streq(path, "/"))
		return true; /* the root has no such file; those below do */
	file = str_printf("/sys/fs/cgroup%s/memory.swap.max", path);
	return file && fs_exists(file);
}

static void memory(struct jsonw *w, const struct rt_spec *s)
{
	int64_t swap = s->memory_swap;

	if (!swap && s->memory > 0 && s->memory <= INT64_MAX / 2)
		swap = s->memory * 2; /* Docker's default: as much swap as memory */
	if (s->memory <= 0 && s->memory_reservation <= 0 && !s->oom_kill_disable &&
	    !s->memory_swappiness)
		return;
	jsonw_object(w, "memory");
	if (s->memory > 0)
		jsonw_i64(w, "limit", s->memory);
	if (s->memory_reservation > 0)
		jsonw_i64(w, "reservation", s->memory_reservation);
	if (s->memory > 0 && swap && swap_limits())
		jsonw_i64(w, "swap", swap);
	else if (s->memory_swap)
		log_warn("this host does not limit swap; memory limited without it "
			 "container=%.12s",
			 s->id);
	if (s->memory_swappiness && cgroup_layout() != CGROUP_V2)
		jsonw_i64(w, "swappiness", *s->memory_swappiness);
	if (s->oom_kill_disable && cgroup_layout() != CGROUP_V2)
		jsonw_bool(w, "disableOOMKiller", true);
	jsonw_end_object(w);
}

static void cpu(struct jsonw *w, const struct rt_spec *s)
{
	int64_t quota = s->cpu_quota, period = s->cpu_period;

	if (s->nano_cpus > 0) {
		period = CPU_PERIOD;
		quota = s->nano_cpus / (1000000000 / CPU_PERIOD);
	}
	if (!s->cpu_shares && !quota && !period && !s->cpuset_cpus && !s->cpuset_mems &&
	    !s->cpu_rt_period && !s->cpu_rt_runtime)
		return;
	jsonw_object(w, "cpu");
	if (s->cpu_shares > 0)
		jsonw_i64(w, "shares", s->cpu_shares);
	if (quota)
		jsonw_i64(w, "quota", quota);
	if (period > 0)
		jsonw_i64(w, "period", period);
	if (s->cpu_rt_runtime)
		jsonw_i64(w, "realtimeRuntime", s->cpu_rt_runtime);
	if (s->cpu_rt_period > 0)
		jsonw_i64(w, "realtimePeriod", s->cpu_rt_period);
	if (s->cpuset_cpus)
		jsonw_str(w, "cpus", s->cpuset_cpus);
	if (s->cpuset_mems)
		jsonw_str(w, "mems", s->cpuset_mems);
	jsonw_end_object(w);
}

/* ---- block devices ---- */

/* [{"Path": ..., "Weight" or "Rate": ...}] of a HostConfig as the spec's list @key */
static int devices(struct jsonw *w, const json_t *list, const char *key, const char *field,
		   struct err *e)
{
	bool weight = streq(field, "Weight");
	json_t *one;
	size_t i;

	if (!json_array_size(list))
		return 0;
	jsonw_array(w, key);
	json_array_foreach(list, i, one)
	{
		const char *path;
		struct stat st;
		int64_t n;
		int r = json_get_str(one, "blkiodev", "Path", &path, e);

		if (r >= 0)
			r = json_get_i64(one, "blkiodev", field, &n, e);
		if (r < 0)
			return r;
		if (!path || stat(path, &st) < 0)
			return err_invalid(e, "stat %s: no such file or directory",
					   path ? path : "");
		jsonw_object(w, NULL);
		jsonw_i64(w, "major", major(st.st_rdev));
		jsonw_i64(w, "minor", minor(st.st_rdev));
		jsonw_i64(w, weight ? "weight" : "rate", n);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	return 0;
}

static int blkio(struct jsonw *w, const json_t *host, struct err *e)
{
	static const struct {
		const char *asked, *field, *key;
	} lists[] = {
		{"BlkioWeightDevice", "Weight", "weightDevice"},
		{"BlkioDeviceReadBps", "Rate", "throttleReadBpsDevice"},
		{"BlkioDeviceWriteBps", "Rate", "throttleWriteBpsDevice"},
		{"BlkioDeviceReadIOps", "Rate", "throttleReadIOPSDevice"},
		{"BlkioDeviceWriteIOps", "Rate", "throttleWriteIOPSDevice"},
	};
	int64_t weight = json_integer_value(json_get(host, "BlkioWeight"));
	bool any = weight > 0;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		any = any || json_array_size(json_get(host, lists[i].asked));
	if (!any)
		return 0;
	jsonw_object(w, "blockIO");
	if (weight > 0)
		jsonw_i64(w, "weight", weight);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(lists); i++)
		r = devices(w, json_get(host, lists[i].asked), lists[i].key, lists[i].field, e);
	jsonw_end_object(w);
	return r;
}

int spec_resources(struct jsonw *w, const struct rt_spec *s, const char *device_rules,
		   struct err *e)
{
	int r;

	jsonw_object(w, device_rules ? "resources" : NULL);
	if (device_rules)
		jsonw_raw(w, "devices", device_rules);
	memory(w, s);
	cpu(w, s);
	if (s->pids_limit > 0) { /* none is a cgroup's own default; crun 1.8 knows no word for it */
		jsonw_object(w, "pids");
		jsonw_i64(w, "limit", s->pids_limit);
		jsonw_end_object(w);
	}
	r = blkio(w, s->blkio, e);
	jsonw_end_object(w);
	return r;
}
