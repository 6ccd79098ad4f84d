/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountpoint.c - the runtime's own mount points */
#include "base/mountpoint.h"

#include "base/str.h"

bool mountpoint_is(const char *path)
{
	static const char *const names[] = {"dev",
					    "etc",
					    "proc",
					    "sys",
					    "etc/hosts",
					    "etc/hostname",
					    "etc/resolv.conf",
					    "dev/console",
					    "dev/mqueue",
					    "dev/pts",
					    "dev/shm"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(path, names[i]))
			return true;
	return false;
}
