/* SPDX-License-Identifier: GPL-2.0-or-later */
/* box.c - namespaces, a root file system and crun for the tests of runtime/ */

#include "box.h"

#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "own.h"
#include "runtime/cgroup.h"
#include "tap.h"

static const char passwd[] = "# users\n"
			     "root:x:0:0:root:/root:/bin/sh\n"
			     "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
			     "worker:x:1000:1000::/srv/worker:/bin/sh\n"
			     "homeless:x:1001:1001:::\n"
			     "1234:x:77:78::/digits:/bin/sh\n";
static const char group[] = "root:x:0:\n"
			    "daemon:x:1:\n"
			    "disk:x:6:root,worker\n"
			    "audio:x:29:worker\n"
			    "nearly:x:30:workers,work\n"
			    "worker:x:1000:\n";

static int own_files(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 || mkdir(BOX, 0755) < 0)
		return -errno;
	return mount("proc", "/proc", "proc", 0, NULL) < 0 ? -errno : 0;
}

/* what would outlive the namespaces */
static void leave(const char *unused)
{
	(void)unused;
	if (cgroup_remove(BOX_PARENT) < 0)
		printf("# a cgroup %s was left behind\n", BOX_PARENT);
}

const char *box_enter(bool containers)
{
	static const char *const crun[] = {"crun", "--version", NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = crun;
	if (geteuid() != 0)
		return "not root";
	if (containers && spawn_wait(&s, NULL) != 0)
		return "crun is not installed";
	if (containers && !fs_exists("/bin/busybox"))
		return "no /bin/busybox";
	if (own_processes(leave, NULL) < 0 ||
	    unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) < 0 ||
	    own_files() < 0)
		return "namespaces cannot be made here";
	/* crun refuses hybrid hosts while it sees the v2 hierarchy */
	if (containers && cgroup_layout() == CGROUP_HYBRID &&
	    umount2("/sys/fs/cgroup/unified", MNT_DETACH) < 0)
		return "the v2 cgroup mount cannot be taken away here";
	return box_rootfs() < 0 ? "the root file system cannot be made" : NULL;
}

static int put(const char *path, const char *text, size_t len)
{
	return fs_write(path, text, len, 0644);
}

int box_rootfs(void)
{
	static const char *const dirs[] = {"bin", "etc", "root", "tmp", "proc", "sys", "dev"};
	static const char *const tools[] = {"sh",    "cat",	"id",	 "pwd",	 "touch",
					    "mount", "ls",	"stat",	 "env",	 "hostname",
					    "grep",  "unshare", "mkdir", "true", "sysctl",
					    "dd",    "sleep",	"tail",	 "echo"};
	auto_buf struct buf box = BUF_INIT(16 << 20);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(dirs); i++) {
		auto_free char *path = str_printf(BOX_ROOTFS "/%s", dirs[i]);

		r = path ? fs_mkdir_p(path, 0755) : -ENOMEM;
	}
	if (r >= 0)
		r = fs_read("/bin/busybox", 16 << 20, &box);
	if (r >= 0)
		r = fs_write(BOX_ROOTFS "/bin/busybox", box.data, box.len, 0755);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(tools); i++) {
		auto_free char *path = str_printf(BOX_ROOTFS "/bin/%s", tools[i]);

		r = path && symlink("busybox", path) == 0 ? 0 : -EIO;
	}
	if (r >= 0)
		r = put(BOX_ROOTFS "/etc/passwd", passwd, sizeof(passwd) - 1);
	if (r >= 0)
		r = put(BOX_ROOTFS "/etc/group", group, sizeof(group) - 1);
	return r;
}

struct runtime box_runtime(void)
{
	static char root[] = BOX "/exec", parent[] = BOX_PARENT;

	return (struct runtime){.exec_root = root, .cgroup_parent = parent, .is_crun = true};
}

int box_run(const struct rt_spec *s, struct buf *out)
{
	struct runtime rt = box_runtime();
	auto_free char *bundle = str_printf("%s/run/%s", rt.exec_root, s->id);
	const char *const argv[] = {"crun", "run", "--bundle", bundle, s->id, NULL};
	struct spawn p = SPAWN_INIT;
	struct err e = {0};
	int r = rt_spec_write(&rt, s, &e);

	if (r < 0) {
		(void)buf_puts(out, e.msg);
		return r;
	}
	p.argv = argv;
	return spawn_wait(&p, out);
}

const char *box_sh(struct rt_spec *s, const char *script)
{
	static struct buf out;
	char *const args[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
	int code;

	buf_done(&out);
	out = BUF_INIT(256 << 10);
	s->args = args;
	code = box_run(s, &out);
	s->args = NULL;
	if (code != 0)
		printf("# exit %d of: %s: %s\n", code, script, buf_str(&out));
	while (out.len && out.data[out.len - 1] == '\n')
		out.data[--out.len] = '\0';
	return buf_str(&out);
}
