/* SPDX-License-Identifier: GPL-2.0-or-later */
/* abilities.c - which limits this host's kernel and cgroup hierarchies can set */

#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/control.h"

#define ROOT "/sys/fs/cgroup"
#define TEXT 4096

static bool there(const char *file)
{
	auto_free char *path = str_printf(ROOT "/%s", file);

	return path && fs_exists(path);
}

static void line(const char *path, char *out, size_t room)
{
	auto_buf struct buf text = BUF_INIT(TEXT);

	*out = '\0';
	if (fs_read(path, TEXT - 1, &text) < 0)
		return;
	(void)snprintf(out, room, "%.*s", (int)strcspn(buf_str(&text), "\n"), buf_str(&text));
}

static void look_v1(struct rt_abilities *a)
{
	a->memory = there("memory/memory.limit_in_bytes");
	a->swap = there("memory/memory.memsw.limit_in_bytes");
	a->reservation = there("memory/memory.soft_limit_in_bytes");
	a->swappiness = there("memory/memory.swappiness");
	a->oom_kill_disable = there("memory/memory.oom_control");
	a->cpu_cfs = there("cpu/cpu.cfs_quota_us");
	a->cpu_shares = there("cpu/cpu.shares");
	a->cpu_realtime = there("cpu/cpu.rt_runtime_us");
	a->cpuset = there("cpuset/cpuset.cpus");
	a->pids = there("pids/cgroup.procs");
	a->freezer = there("freezer/cgroup.procs");
	a->devices = there("devices/cgroup.procs");
	/* bfq's weights are in the groups below the root only, and there only where it schedules */
	a->blkio_weight = there("blkio/blkio.weight");
	a->blkio_weight_device = there("blkio/blkio.weight_device");
	a->blkio_read_bps = there("blkio/blkio.throttle.read_bps_device");
	a->blkio_write_bps = there("blkio/blkio.throttle.write_bps_device");
	a->blkio_read_iops = there("blkio/blkio.throttle.read_iops_device");
	a->blkio_write_iops = there("blkio/blkio.throttle.write_iops_device");
	line(ROOT "/cpuset/cpuset.cpus", a->cpus, sizeof(a->cpus));
	line(ROOT "/cpuset/cpuset.mems", a->mems, sizeof(a->mems));
}

/* A controller is there if the root has it; its files are in the groups below the root alone. */
static bool has_controller(const char *list, const char *name)
{
	auto_strv char **v = NULL;

	return strv_split(list, " ", &v) >= 0 && strv_has(v, name);
}

static void look_v2(struct rt_abilities *a)
{
	char list[TEXT];
	bool io;

	line(ROOT "/cgroup.controllers", list, sizeof(list));
	io = has_controller(list, "io");
	a->memory = a->reservation = has_controller(list, "memory");
	a->swap = a->memory && fs_exists("/proc/swaps");
	a->cpu_cfs = a->cpu_shares = has_controller(list, "cpu");
	a->cpuset = has_controller(list, "cpuset");
	a->pids = has_controller(list, "pids");
	a->freezer = a->devices = true;
	a->blkio_weight = a->blkio_weight_device = io;
	a->blkio_read_bps = a->blkio_write_bps = a->blkio_read_iops = a->blkio_write_iops = io;
	line(ROOT "/cpuset.cpus.effective", a->cpus, sizeof(a->cpus));
	line(ROOT "/cpuset.mems.effective", a->mems, sizeof(a->mems));
}

const struct rt_abilities *rt_abilities(void)
{
	static struct rt_abilities a;
	static bool known;

	if (known)
		return &a;
	a.v2 = cgroup_layout() == CGROUP_V2;
	if (a.v2)
		look_v2(&a);
	else
		look_v1(&a);
	if (!*a.cpus)
		line("/sys/devices/system/cpu/online", a.cpus, sizeof(a.cpus));
	known = true;
	return &a;
}

/* ---- lists of numbers ---- */

#define LIST_MAX 8192 /* more than the kernel takes CPUs */

static int list_bits(const char *list, uint8_t bits[LIST_MAX / 8])
{
	auto_strv char **parts = NULL;

	memset(bits, 0, LIST_MAX / 8);
	if (strv_split(list, ",", &parts) < 0)
		return -ENOMEM;
	for (size_t i = 0; parts && parts[i]; i++) {
		char *dash = strchr(parts[i], '-');
		uint32_t first, last;

		if (!*parts[i])
			continue;
		if (dash)
			*dash = '\0';
		if (parse_u32(parts[i], &first) < 0 || first >= LIST_MAX)
			return -EINVAL;
		last = first;
		if (dash && (parse_u32(dash + 1, &last) < 0 || last >= LIST_MAX || last < first))
			return -EINVAL;
		for (uint32_t n = first; n <= last; n++)
			bits[n / 8] |= (uint8_t)(1u << n % 8);
	}
	return 0;
}

int cpu_list_within(const char *list, const char *available, bool *ret)
{
	uint8_t want[LIST_MAX / 8], have[LIST_MAX / 8];
	int r = list_bits(list, want);

	if (r < 0)
		return r;
	*ret = true;
	if (list_bits(available, have) < 0)
		return 0; /* not known here: the kernel will say */
	for (size_t i = 0; i < sizeof(want); i++)
		*ret = *ret && !(want[i] & (uint8_t)~have[i]);
	return 0;
}
