/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mntns.c - the private mount namespace: made once, entered again, seen from the right side */

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "box.h"
#include "runtime/cgroup.h"
#include "tap.h"

#define EXEC   BOX "/exec"
#define SHARED BOX "/shared"

enum {
	PRIVATE = 1,	 /* it says so */
	NO_V2 = 2,	 /* the v2 hierarchy is out of sight */
	SEES_HOST = 4,	 /* what the host mounted since */
	SEES_EARLIER = 8 /* what the life before mounted */
};

/* One life of the engine. Return: what it found; 128 + on failure */
static int life(const char *mount_on)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = {0};
		bool private = false;
		int r = runtime_enter_mntns(EXEC, &private, &e);

		if (r < 0)
			printf("# %s\n", e.msg);
		if (r < 0 || (mount_on && mount("tmpfs", mount_on, "tmpfs", 0, NULL) < 0) ||
		    (mount_on && mkdir(SHARED "/own/inside", 0755) < 0))
			_exit(128);
		_exit((private ? PRIVATE : 0) | (cgroup_layout() != CGROUP_HYBRID ? NO_V2 : 0) |
		      (fs_exists(SHARED "/host/inside") ? SEES_HOST : 0) |
		      (fs_exists(SHARED "/own/inside") ? SEES_EARLIER : 0));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 128;
	return WEXITSTATUS(status);
}

int main(void)
{
	const char *why = box_enter(false);

	if (why)
		return tap_skip_all(why);
	if (cgroup_layout() != CGROUP_HYBRID)
		return tap_skip_all("the host's cgroups are not hybrid");
	if (!fs_exists("/usr/bin/crun") && !fs_exists("/usr/local/bin/crun"))
		return tap_skip_all("crun is not installed");
	ok(mkdir(SHARED, 0755) == 0 && mount("tmpfs", SHARED, "tmpfs", 0, NULL) == 0 &&
		   mount(NULL, SHARED, NULL, MS_SHARED, NULL) == 0 &&
		   mkdir(SHARED "/own", 0755) == 0 && mkdir(SHARED "/host", 0755) == 0,
	   "a host whose mounts propagate, as they do under systemd");
	is_int(life(SHARED "/own"), PRIVATE | NO_V2 | SEES_EARLIER, "the first life makes it");
	ok(!fs_exists(SHARED "/own/inside"), "the host does not see what is mounted there");
	ok(cgroup_layout() == CGROUP_HYBRID, "and keeps its hierarchies");
	ok(mount("tmpfs", SHARED "/host", "tmpfs", 0, NULL) == 0 &&
		   mkdir(SHARED "/host/inside", 0755) == 0,
	   "the host mounts something");
	is_int(life(NULL), PRIVATE | NO_V2 | SEES_EARLIER | SEES_HOST,
	       "the next life finds the last one's mounts, and the host's");
	is_int(life(NULL), PRIVATE | NO_V2 | SEES_EARLIER | SEES_HOST, "and the one after it");
	ok(umount2(EXEC "/mntns", MNT_DETACH) == 0, "the pin is lost");
	is_int(life(NULL), PRIVATE | NO_V2 | SEES_HOST, "a new one is made");
	return tap_done();
}
