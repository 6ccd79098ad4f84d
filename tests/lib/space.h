/* SPDX-License-Identifier: GPL-2.0-or-later */
/* space.h - network and mount namespaces for one test, a tmpfs of its own, a look into sysfs */
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPACE_DIR "/tmp/atoll-space"

/* NULL, or why it cannot be. Nothing of it outlives the process. */
static inline const char *space_enter(void)
{
	if (geteuid() != 0)
		return "not root";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    (mkdir(SPACE_DIR, 0700) < 0 && access(SPACE_DIR, F_OK) < 0) ||
	    mount("tmpfs", SPACE_DIR, "tmpfs", 0, NULL) < 0 || mkdir(SPACE_DIR "/sys", 0700) < 0 ||
	    mount("sysfs", SPACE_DIR "/sys", "sysfs", 0, NULL) < 0)
		return "namespaces cannot be made here";
	return NULL;
}

/* "br0/mtu" of this namespace as text without the newline, "" if absent: the kernel's own word */
static inline const char *space_link(const char *name)
{
	static char text[128];
	char path[256];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), SPACE_DIR "/sys/class/net/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}
