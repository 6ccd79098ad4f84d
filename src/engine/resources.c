/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resources.c - the limits of a HostConfig: Docker's checks and warnings over what this host can */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "runtime/control.h"

#define MEMORY_MIN (6 << 20)

/* ---- what is refused ---- */

static int check_memory(const json_t *h, bool update, struct err *e)
{
	int64_t mem = ji(h, "Memory"), swap = ji(h, "MemorySwap");
	int64_t soft = ji(h, "MemoryReservation"), swappiness = ji(h, "MemorySwappiness");

	if (mem < 0 || (mem > 0 && mem < MEMORY_MIN))
		return err_invalid(e, "Minimum memory limit allowed is 6MB");
	if (mem > 0 && swap > 0 && swap < mem)
		return err_invalid(e,
				   "Minimum memoryswap limit should be larger than memory limit, "
				   "see usage");
	if (mem == 0 && swap > 0 && !update)
		return err_invalid(e,
				   "You should always set the Memory limit when using Memoryswap "
				   "limit, see usage");
	if (swappiness < -1 || swappiness > 100)
		return err_invalid(e, "Invalid value: %lld, valid memory swappiness range is 0-100",
				   (long long)swappiness);
	if (soft < 0 || (soft > 0 && soft < MEMORY_MIN))
		return err_invalid(e, "Minimum memory reservation allowed is 6MB");
	if (mem > 0 && soft > mem)
		return err_invalid(e,
				   "Minimum memory limit can not be less than memory reservation "
				   "limit, see usage");
	return 0;
}

static int check_cpu(const json_t *h, struct err *e)
{
	int64_t cpus = ji(h, "NanoCpus"), online = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t period = ji(h, "CpuPeriod"), quota = ji(h, "CpuQuota");
	int64_t rt_period = ji(h, "CpuRealtimePeriod"), rt_run = ji(h, "CpuRealtimeRuntime");

	if (cpus > 0 && period > 0)
		return err_invalid(
			e, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
	if (cpus > 0 && quota > 0)
		return err_invalid(
			e, "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
	if (cpus < 0 || (online > 0 && cpus > online * 1000000000LL))
		return err_invalid(
			e,
			"range of CPUs is from 0.01 to %lld.00, as there are only %lld CPUs "
			"available",
			(long long)online, (long long)online);
	if (period && (period < 1000 || period > 1000000))
		return err_invalid(e,
				   "CPU cfs period can not be less than 1ms (i.e. 1000) or larger "
				   "than 1s (i.e. 1000000)");
	if (quota > 0 && quota < 1000)
		return err_invalid(e, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
	if ((rt_period || rt_run) && !rt_abilities()->cpu_realtime)
		return err_invalid(e, "Your kernel does not support CPU real-time scheduler");
	if (rt_period && rt_run && rt_run > rt_period)
		return err_invalid(
			e, "cpu real-time runtime cannot be higher than cpu real-time period");
	return 0;
}

static int check_set(const char *what, const char *things, const char *list, const char *have,
		     struct err *e)
{
	bool within;

	if (!*list)
		return 0;
	if (cpu_list_within(list, have, &within) < 0)
		return err_invalid(e, "Invalid value %s for %s", list, what);
	if (!within)
		return err_invalid(e,
				   "Requested %s are not available - requested %s, available: %s",
				   things, list, have);
	return 0;
}

static int check_cpuset(const json_t *h, struct err *e)
{
	const struct rt_abilities *a = rt_abilities();
	int r = check_set("cpuset cpus", "CPUs", js(h, "CpusetCpus"), a->cpus, e);

	return r < 0 ? r
		     : check_set("cpuset mems", "memory nodes", js(h, "CpusetMems"), a->mems, e);
}

static int check_blkio(const json_t *h, struct err *e)
{
	int64_t weight = ji(h, "BlkioWeight");
	json_t *one;
	size_t i;

	if (weight < 0 || (weight > 0 && (weight < 10 || weight > 1000)))
		return err_invalid(e, "Range of blkio weight is from 10 to 1000");
	json_array_foreach(jo(h, "BlkioWeightDevice"), i, one)
	{
		int64_t w = ji(one, "Weight");

		if (w && (w < 10 || w > 1000))
			return err_invalid(e, "Range of blkio weight is from 10 to 1000");
	}
	if (ji(h, "IOMaximumBandwidth"))
		return err_invalid(e, "Invalid QoS settings: linux does not support configuration "
				      "of maximum bandwidth");
	if (ji(h, "IOMaximumIOps"))
		return err_invalid(e, "Invalid QoS settings: linux does not support configuration "
				      "of maximum IOPs");
	return 0;
}

int resources_valid(const json_t *h, bool update, struct err *e)
{
	int r = check_memory(h, update, e);

	if (r >= 0)
		r = check_cpu(h, e);
	if (r >= 0)
		r = check_cpuset(h, e);
	if (r >= 0)
		r = check_blkio(h, e);
	if (r < 0)
		return r;
	if (ji(h, "ShmSize") < 0)
		return err_invalid(e, "SHM size can not be less than 0");
	if (ji(h, "OomScoreAdj") < -1000 || ji(h, "OomScoreAdj") > 1000)
		return err_invalid(e,
				   "Invalid value %lld, range for oom score adj is [-1000, 1000]",
				   (long long)ji(h, "OomScoreAdj"));
	return 0;
}

/* a number or "*" */
static bool number_or_all(const char *s, size_t len)
{
	return (len == 1 && *s == '*') || (len && strspn(s, "0123456789") >= len);
}

/* "c 42:* rwm" */
static bool device_rule(const char *s)
{
	const char *colon = strchr(s, ':'), *blank = colon ? strchr(colon, ' ') : NULL;
	const char *access = blank ? blank + 1 : "";
	size_t n = strlen(access);

	return strchr("acb", *s) && *s && s[1] == ' ' && colon && blank && colon > s + 1 &&
	       number_or_all(s + 2, (size_t)(colon - s - 2)) &&
	       number_or_all(colon + 1, (size_t)(blank - colon - 1)) && n >= 1 && n <= 3 &&
	       strspn(access, "rwm") == n;
}

int device_rules_valid(const json_t *h, struct err *e)
{
	json_t *s;
	size_t i;

	json_array_foreach(jo(h, "DeviceCgroupRules"), i, s) if (
		!device_rule(json_string_value(
			s))) return err_invalid(e, "invalid device cgroup rule format: '%s'",
						json_string_value(s));
	return 0;
}

/* ---- what is discarded ---- */

static bool asked(const json_t *h, const char *key)
{
	const json_t *v = json_object_get(h, key);

	return json_is_true(v) || (json_is_integer(v) && json_integer_value(v) > 0) ||
	       (json_is_string(v) && *json_string_value(v)) || json_array_size(v) > 0;
}

static json_t *nothing_like(const json_t *v)
{
	return json_is_integer(v)  ? json_integer(0)
	       : json_is_string(v) ? json_string("")
	       : json_is_array(v)  ? json_array()
				   : json_false();
}

static int discard(json_t *h, const char *key, const char *text, char ***warnings)
{
	if (!asked(h, key))
		return 0;
	if (json_object_set_new(h, key, nothing_like(json_object_get(h, key))) < 0)
		return -ENOMEM;
	return strv_add_unique(warnings, text);
}

#define NO_CGROUP(what, rest)                                                                      \
	"Your kernel does not support " what " or the cgroup is not mounted. " rest

static int discard_all(json_t *h, char ***warnings)
{
	const struct rt_abilities *a = rt_abilities();
	const struct {
		const char *key;
		bool can;
		const char *text;
	} rows[] = {
		{"Memory", a->memory,
		 NO_CGROUP("memory limit capabilities", "Limitation discarded.")},
		{"MemoryReservation", a->reservation,
		 NO_CGROUP("memory soft limit capabilities", "Limitation discarded.")},
		{"CpuShares", a->cpu_shares, NO_CGROUP("CPU shares", "Shares discarded.")},
		{"NanoCpus", a->cpu_cfs,
		 "Your kernel does not support CPU CFS scheduler. CPU limit discarded."},
		{"CpuPeriod", a->cpu_cfs,
		 "Your kernel does not support CPU CFS scheduler. CPU period discarded."},
		{"CpuQuota", a->cpu_cfs,
		 "Your kernel does not support CPU CFS scheduler. CPU quota discarded."},
		{"CpusetCpus", a->cpuset, NO_CGROUP("cpuset", "Cpuset discarded.")},
		{"CpusetMems", a->cpuset, NO_CGROUP("cpuset", "Cpuset discarded.")},
		{"CpuPercent", false, "linux does not support CPU percent. Percent discarded."},
		{"PidsLimit", a->pids,
		 NO_CGROUP("PIDs limit capabilities", "PIDs limit discarded.")},
		{"BlkioWeight", a->blkio_weight,
		 NO_CGROUP("Block I/O weight", "Weight discarded.")},
		{"BlkioWeightDevice", a->blkio_weight_device,
		 NO_CGROUP("Block I/O weight_device", "Weight-device discarded.")},
		{"BlkioDeviceReadBps", a->blkio_read_bps,
		 NO_CGROUP("BPS Block I/O read limit", "Block I/O BPS read limit discarded.")},
		{"BlkioDeviceWriteBps", a->blkio_write_bps,
		 NO_CGROUP("BPS Block I/O write limit", "Block I/O BPS write limit discarded.")},
		{"BlkioDeviceReadIOps", a->blkio_read_iops,
		 NO_CGROUP("IOPS Block read limit", "Block I/O IOPS read limit discarded.")},
		{"BlkioDeviceWriteIOps", a->blkio_write_iops,
		 NO_CGROUP("IOPS Block write limit", "Block I/O IOPS write limit discarded.")},
		{"OomKillDisable", a->oom_kill_disable,
		 "Your kernel does not support OomKillDisable. OomKillDisable discarded."},
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(rows); i++)
		if (!rows[i].can)
			r = discard(h, rows[i].key, rows[i].text, warnings);
	return r;
}

/* As much swap as memory where nothing is said; no swap limit where the kernel does not count it.
 */
static int adjust_swap(json_t *h, char ***warnings)
{
	const struct rt_abilities *a = rt_abilities();
	int64_t mem = ji(h, "Memory"), swap = ji(h, "MemorySwap"), to = swap;
	int r = 0;

	if (mem > 0 && !swap && mem <= INT64_MAX / 2)
		to = 2 * mem;
	if (mem > 0 && swap != -1 && !a->swap) {
		to = -1;
		r = strv_add(warnings,
			     "Your kernel does not support swap limit capabilities or the cgroup "
			     "is not mounted. Memory limited without swap.");
	}
	if (r >= 0 && to != swap)
		r = json_object_set_new(h, "MemorySwap", json_integer(to));
	return r < 0 ? -ENOMEM : 0;
}

int resources_adjust(json_t *h, char ***warnings)
{
	const struct rt_abilities *a = rt_abilities();
	const json_t *swappiness = json_object_get(h, "MemorySwappiness");
	int r = discard_all(h, warnings);

	if (r >= 0)
		r = adjust_swap(h, warnings);
	if (json_is_integer(swappiness) && (json_integer_value(swappiness) < 0 || !a->swappiness)) {
		/* the CLI says -1 for "not given" */
		if (r >= 0 && json_integer_value(swappiness) >= 0)
			r = strv_add(warnings, NO_CGROUP("memory swappiness capabilities",
							 "Memory swappiness discarded."));
		if (json_object_set_new(h, "MemorySwappiness", json_null()) < 0)
			r = -ENOMEM;
	}
	if (r >= 0 && asked(h, "OomKillDisable") && !ji(h, "Memory"))
		r = strv_add(warnings, "OOM killer is disabled for the container, but no memory "
				       "limit is set, this can result in the system running out of "
				       "resources.");
	return r < 0 ? r : 0;
}
