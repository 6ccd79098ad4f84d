/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cgroup.c - removing groups in every hierarchy of this host, and only those asked for */

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "tap.h"

static const char *hierarchy(void)
{
	switch (cgroup_layout()) {
	case CGROUP_V1:
	case CGROUP_HYBRID:
		return "/sys/fs/cgroup/pids";
	case CGROUP_V2:
		break;
	}
	return "/sys/fs/cgroup";
}

int main(void)
{
	auto_free char *name = str_printf("/atoll-test-%d", (int)getpid());
	auto_free char *top = str_printf("%s%s", hierarchy(), name);
	auto_free char *child = str_printf("%s/child", top);
	auto_free char *below = str_printf("%s/child/below", top);
	auto_free char *deep = str_printf("%s/child", name);

	is_int(cgroup_remove("/atoll-never-made"), 0, "an absent one");
	is_int(cgroup_remove("/"), -EINVAL, "never the root");
	is_int(cgroup_remove("///"), -EINVAL, "nor so");
	is_int(cgroup_remove(""), -EINVAL, "nor nothing");
	is_int(cgroup_remove("relative"), -EINVAL, "nor a relative one");
	is_int(cgroup_remove("/a/../.."), -EINVAL, "nor one that climbs");
	ok(!cgroup_oom_killed("/atoll-never-made"), "no kills in an absent one");
	if (mkdir(top, 0755) < 0) {
		printf("# no group can be made here\n");
		return tap_done();
	}
	ok(mkdir(child, 0755) == 0 && mkdir(below, 0755) == 0, "groups below it");
	is_int(cgroup_remove(deep), 0, "one below and its own");
	ok(!fs_exists(child) && fs_exists(top), "only that");
	ok(mkdir(child, 0755) == 0 && mkdir(below, 0755) == 0, "again");
	is_int(cgroup_remove(name), 0, "all of it");
	ok(!fs_exists(top), "gone");
	return tap_done();
}
