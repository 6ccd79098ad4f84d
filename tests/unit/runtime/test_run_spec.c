/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_run_spec.c - containers that crun really runs from what rt_spec_write() writes */

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "box.h"
#include "loop/spawn.h"
#include "runtime/caps.h"
#include "runtime/cgroup.h"
#include "tap.h"

static char *const env[] = {(char *)"PATH=/bin", (char *)"A=two words", NULL};

static struct rt_spec plain(void)
{
	return (struct rt_spec){.id = BOX_ID,
				.rootfs = BOX_ROOTFS,
				.env = env,
				.cwd = "/",
				.user = "",
				.hostname = "named",
				.uts_mode = "",
				.pid_mode = "",
				.ipc_mode = "private",
				.masked_paths = rt_masked_paths,
				.readonly_paths = rt_readonly_paths};
}

static void contains(const char *text, const char *part)
{
	if (!ok(strstr(text, part) != NULL, "it says %s", part))
		printf("# \"%s\"\n", text);
}

static void test_defaults(void)
{
	struct rt_spec s = plain();
	char caps[32];

	is_str(box_sh(&s, "echo up"), "up", "a container runs");
	is_str(box_sh(&s, "hostname; pwd; id -u; id -g; echo $A $HOME $$"),
	       "named\n/\n0\n0\ntwo words /root 1", "its names, place, user and environment");
	(void)snprintf(caps, sizeof(caps), "%016llx",
		       (unsigned long long)(caps_default() & caps_available()));
	contains(box_sh(&s, "grep CapEff /proc/self/status"), caps);
	contains(box_sh(&s, "grep CapBnd /proc/self/status"), caps);
	contains(box_sh(&s, "grep CapInh /proc/self/status"), "0000000000000000");
	contains(box_sh(&s, "grep Seccomp: /proc/self/status"), "2");
	is_str(box_sh(&s, "cat /proc/kcore 2>/dev/null | dd bs=1 count=1 2>/dev/null"), "",
	       "kcore is masked");
	contains(box_sh(&s, "(echo 1 >/proc/sys/kernel/panic) 2>&1; true"),
		 "Read-only file system");
	contains(box_sh(&s, "mkdir /sys/x 2>&1; true"), "Read-only file system");
	is_str(box_sh(&s, "grep -c ' /dev/shm .*size=65536k' /proc/mounts"), "1", "/dev/shm");
	contains(box_sh(&s, "grep ' /dev/mqueue ' /proc/mounts"), "mqueue");
	contains(box_sh(&s, "grep ' /dev ' /proc/mounts"), "size=65536k,mode=755");
	contains(box_sh(&s, "ls /dev"), "null");
	s.shm_size = 1 << 20;
	contains(box_sh(&s, "grep ' /dev/shm ' /proc/mounts"), "size=1024k");
}

static void test_seccomp(void)
{
	struct rt_mount probe = {.source = (char *)PROBE,
				 .target = (char *)"/probe",
				 .type = (char *)"bind",
				 .options = (char *)"rbind,ro,rprivate"};
	static const char *const want[] = {
		"getpid works",	 "unshare-user EPERM", "unshare-net EPERM", "clone-user EPERM",
		"clone3 ENOSYS", "mount EPERM",	       "keyctl EPERM",	    "add_key EPERM",
		"bpf EPERM",	 "io_uring EPERM",     "userfaultfd EPERM", "vsock EPERM",
		"inet works"};
	static char *const admin[] = {(char *)"SYS_ADMIN", NULL};
	struct rt_spec s = plain();
	const char *text;

	s.mounts = &probe;
	s.n_mounts = 1;
	text = box_sh(&s, "/probe");
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		contains(text, want[i]);
	contains(box_sh(&s, "unshare -U true 2>&1; true"), "Operation not permitted");
	s.cap_add = admin;
	text = box_sh(&s, "/probe");
	contains(text, "mount works");
	contains(text, "unshare-user works");
	contains(text, "keyctl EPERM");
	s.cap_add = NULL;
	s.seccomp = "unconfined";
	contains(box_sh(&s, "grep Seccomp: /proc/self/status"), "0");
	contains(box_sh(&s, "/probe"), "keyctl works");
	s.seccomp = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"mkdir\","
		    "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":28}]}";
	contains(box_sh(&s, "mkdir /tmp/x 2>&1; true"), "No space left");
	s.seccomp = NULL;
	s.no_new_privileges = true;
	contains(box_sh(&s, "grep NoNewPrivs /proc/self/status"), "1");
}

static void test_users(void)
{
	static char *const more[] = {(char *)"audio", (char *)"4242", NULL};
	struct rt_spec s = plain();
	auto_buf struct buf out = BUF_INIT(4096);

	s.user = "1234:5678";
	is_str(box_sh(&s, "id -u; id -g; echo $HOME"), "1234\n5678\n/", "numbers");
	s.user = "555:666";
	is_str(box_sh(&s, "id -u; id -g; id -G; echo $HOME"), "555\n666\n666\n/", "others");
	contains(box_sh(&s, "grep CapEff /proc/self/status"), "0000000000000000");
	s.user = "worker";
	s.group_add = more;
	is_str(box_sh(&s, "id -u; id -G; echo $HOME"), "1000\n1000 6 29 4242\n/srv/worker",
	       "groups of a user, and added ones");
	s.user = "nobody-here";
	is_int(box_run(&s, &out), -EINVAL, "an unknown user");
	is_str(buf_str(&out), "unable to find user nobody-here: no matching entries in passwd file",
	       "says so");
}

static void test_places(void)
{
	struct rt_mount m[] = {
		{NULL, (char *)"/scratch", (char *)"tmpfs",
		 (char *)"noexec,nosuid,nodev,size=1m,mode=700"},
		{(char *)BOX "/volume", (char *)"/data", (char *)"bind",
		 (char *)"rbind,rw,rprivate"},
		{(char *)BOX "/volume", (char *)"/fixed", (char *)"bind",
		 (char *)"rbind,ro,rprivate"},
	};
	struct rt_spec s = plain();
	struct stat st;

	ok(fs_mkdir_p(BOX "/volume", 0755) >= 0, "a volume");
	s.mounts = m;
	s.n_mounts = ARRAY_SIZE(m);
	s.cwd = "/a/new/place";
	is_str(box_sh(&s, "pwd"), "/a/new/place", "a working directory is made");
	s.cwd = "/data/below/it";
	is_str(box_sh(&s, "pwd; echo hello >file"), "/data/below/it", "one in a volume");
	ok(stat(BOX "/volume/below/it/file", &st) == 0, "it is the volume's");
	s.cwd = "/scratch/below";
	is_str(box_sh(&s, "pwd"), "/scratch/below", "one in a tmpfs");
	s.cwd = "/etc/passwd";
	is_str(box_sh(&s, "pwd"), "Cannot mkdir: /etc/passwd is not a directory", "a file");
	s.cwd = "/";
	contains(box_sh(&s, "grep ' /scratch ' /proc/mounts; stat -c %a /scratch"), "size=1024k");
	is_str(box_sh(&s, "stat -c %a /scratch"), "700", "its mode");
	contains(box_sh(&s, "touch /fixed/x 2>&1; true"), "Read-only file system");
	s.readonly_rootfs = true;
	contains(box_sh(&s, "touch /file 2>&1; true"), "Read-only file system");
	is_str(box_sh(&s, "echo 1 >/scratch/x; cat /scratch/x"), "1", "a tmpfs on it is not");
}

/* A limit as the container itself sees it. */
static const char *limit(struct rt_spec *s, const char *v1, const char *v2)
{
	auto_free char *script =
		str_printf("cat /sys/fs/cgroup/%s", cgroup_layout() == CGROUP_V2 ? v2 : v1);

	return box_sh(s, script);
}

static void test_limits(void)
{
	bool v2 = cgroup_layout() == CGROUP_V2;
	struct rt_rlimit files[] = {{(char *)"nofile", 100, 200},
				    {(char *)"core", UINT64_MAX, UINT64_MAX},
				    {(char *)"nproc", 50, UINT64_MAX}};
	struct rt_spec s = plain();

	s.memory = 32 << 20;
	s.pids_limit = 20;
	s.nano_cpus = 500000000;
	s.cpu_shares = 512;
	is_str(limit(&s, "memory/memory.limit_in_bytes", "memory.max"), "33554432", "memory");
	is_str(limit(&s, "pids/pids.max", "pids.max"), "20", "processes");
	is_str(limit(&s, "cpu/cpu.cfs_quota_us", "cpu.max"), v2 ? "50000 100000" : "50000", "cpu");
	if (!v2)
		is_str(limit(&s, "cpu/cpu.shares", ""), "512", "shares");
	contains(box_sh(&s, "grep ' /sys/fs/cgroup' /proc/mounts"), "ro,nosuid,nodev,noexec");
	s = plain();
	s.rlimits = files;
	s.n_rlimits = ARRAY_SIZE(files);
	is_str(box_sh(&s, "ulimit -Sn; ulimit -Hn; ulimit -c"), "100\n200\nunlimited", "rlimits");
	contains(box_sh(&s, "grep processes /proc/self/limits"), " 50 ");
	files[0] = (struct rt_rlimit){(char *)"nofile", 1ull << 40, 1ull << 40};
	ok(strlen(box_sh(&s, "ulimit -n")) > 0, "more than this host allows is clamped");
	s.oom_score_adj = -1000;
	ok(strlen(box_sh(&s, "cat /proc/self/oom_score_adj")) > 0, "and so is oom_score_adj");
	s.oom_score_adj = 300;
	is_str(box_sh(&s, "cat /proc/self/oom_score_adj"), "300", "a harmless one is set");
}

static void test_namespaces(void)
{
	auto_json json_t *sysctls = json_pack("{s:s}", "kernel.msgmax", "4096");
	struct rt_spec s = plain();

	s.domainname = "example.test";
	s.sysctls = sysctls;
	is_str(box_sh(&s, "cat /proc/sys/kernel/domainname /proc/sys/kernel/msgmax"),
	       "example.test\n4096", "sysctls and the domain name");
	s = plain();
	s.pid_mode = "host";
	ok(!streq(box_sh(&s, "echo $$"), "1"), "the host's processes");
	s.pid_mode = "";
	s.uts_mode = "host";
	ok(!streq(box_sh(&s, "hostname"), "named"), "the host's name");
	s.uts_mode = "";
	s.ipc_mode = "host";
	is_str(box_sh(&s, "echo up"), "up", "the host's ipc");
	s.ipc_mode = "none";
	is_str(box_sh(&s, "ls -d /dev/shm 2>/dev/null; grep -c /dev/shm /proc/mounts; true"), "0",
	       "no shared memory");
	s.ipc_mode = "";
	s.cgroupns_mode = "private";
	is_str(box_sh(&s, "echo up"), "up", "a cgroup namespace");
	s.cgroupns_mode = "host";
	contains(box_sh(&s, "cat /proc/self/cgroup"), BOX_PARENT "/" BOX_ID);
}

static void test_privileged(void)
{
	auto_json json_t *devices = json_pack("[{s:s, s:s, s:s}]", "PathOnHost", "/dev/null",
					      "PathInContainer", "/dev/other", "CgroupPermissions",
					      "rw");
	struct rt_spec s = plain();
	char caps[32];

	(void)snprintf(caps, sizeof(caps), "%016llx", (unsigned long long)caps_available());
	s.devices = devices;
	is_str(box_sh(&s, "echo x >/dev/other; stat -c %t:%T /dev/other"), "1:3", "a device");
	s = plain();
	s.privileged = true;
	contains(box_sh(&s, "grep CapEff /proc/self/status"), caps);
	contains(box_sh(&s, "grep Seccomp: /proc/self/status"), "0");
	is_str(box_sh(&s, "mount -t tmpfs none /tmp && echo mounted"), "mounted",
	       "a privileged one may mount");
	contains(box_sh(&s, "grep ' /sys sysfs' /proc/mounts"), "rw");
}

/* The probe stands for docker-init, where this test alone sees it. */
static void test_init(void)
{
	auto_buf struct buf program = BUF_INIT(16 << 20);
	struct rt_spec s = plain();

	if (mount("tmpfs", "/usr/local/bin", "tmpfs", 0, NULL) < 0)
		return;
	ok(fs_read(PROBE, 16 << 20, &program) >= 0 &&
		   fs_write("/usr/local/bin/docker-init", program.data, program.len, 0755) >= 0,
	   "an init on this host");
	s.init = true;
	is_str(box_sh(&s, "cat /proc/1/comm; [ $$ = 1 ] || echo child"), "docker-init\nchild",
	       "it is the first process");
	s.readonly_rootfs = true;
	is_str(box_sh(&s, "cat /proc/1/comm"), "docker-init", "of a read-only container, too");
	(void)umount2("/usr/local/bin", MNT_DETACH);
}

/* A new network namespace, pinned as net/ does it. */
static bool pin_netns(const char *path)
{
	pid_t pid;
	int status;

	if (fs_write(path, "", 0, 0600) < 0)
		return false;
	pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ||
		      mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void test_network(void)
{
	auto_free char *path = str_printf(BOX "/%.12s", BOX_ID);
	struct rt_spec s = plain();

	ok(path && pin_netns(path), "a network namespace");
	s.netns_path = path;
	s.user = "worker";
	is_str(box_sh(&s, "cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range"),
	       "0\n0\t2147483647", "any user may bind low ports and ping");
	is_str(box_sh(&s, "(echo 5 >/proc/sys/net/ipv4/ip_default_ttl) 2>/dev/null || echo no"),
	       "no", "none may change the namespace");
	(void)umount2(path, MNT_DETACH);
}

/* ---- exec ---- */

static int run_exec(const struct rt_exec *x, struct buf *out)
{
	struct runtime rt = box_runtime();
	auto_buf struct buf process = BUF_INIT(1 << 20);
	const char *const argv[] = {"crun", "exec", "--process", BOX "/process.json", BOX_ID, NULL};
	struct spawn p = SPAWN_INIT;
	struct err e = {0};
	int r = spec_exec_process(&rt, x, &process, &e);

	if (r < 0) {
		(void)buf_puts(out, e.msg);
		return r;
	}
	if (fs_write(BOX "/process.json", process.data, process.len, 0600) < 0)
		return -EIO;
	p.argv = argv;
	return spawn_wait(&p, out);
}

static const char *exec_sh(struct rt_exec *x, const char *script)
{
	static struct buf out;
	char *const args[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};

	buf_done(&out);
	out = BUF_INIT(64 << 10);
	x->id = BOX_ID;
	x->args = args;
	if (run_exec(x, &out) != 0)
		printf("# %s: %s\n", script, buf_str(&out));
	while (out.len && out.data[out.len - 1] == '\n')
		out.data[--out.len] = '\0';
	return buf_str(&out);
}

static const char *const create[] = {"crun", "create", "--bundle", BOX "/exec/run/" BOX_ID,
				     BOX_ID, NULL};
static const char *const start[] = {"crun", "start", BOX_ID, NULL};
static const char *const delete[] = {"crun", "delete", "--force", BOX_ID, NULL};

static bool crun(const char *const *argv)
{
	struct spawn p = SPAWN_INIT; /* no output: the container would keep it open */

	p.argv = argv;
	return spawn_wait(&p, NULL) == 0;
}

/* The first process of the running container, as this namespace counts. */
static int first_pid(void)
{
	static const char *const state[] = {"crun", "state", BOX_ID, NULL};
	auto_buf struct buf out = BUF_INIT(65536);
	auto_json json_t *j = NULL;
	struct spawn p = SPAWN_INIT;

	p.argv = state;
	if (spawn_wait(&p, &out) != 0 || json_read(out.data, out.len, &j, NULL) < 0)
		return -1;
	return (int)json_integer_value(json_object_get(j, "pid"));
}

/* Another container that joins the running one. */
static void test_joined(void)
{
	auto_free char *mode = str_printf("container:%d", first_pid());
	struct rt_spec s = plain();

	s.id = "fedcba9876543210";
	s.pid_mode = mode;
	contains(box_sh(&s, "cat /proc/1/comm"), "sleep");
	s.pid_mode = "";
	s.ipc_mode = mode;
	is_str(box_sh(&s, "echo up"), "up", "another's ipc");
}

static void test_exec(void)
{
	static char *const args[] = {(char *)"sh", (char *)"-c", (char *)"sleep 60", NULL};
	static char *const added[] = {(char *)"audio", NULL};
	static char *const own[] = {(char *)"PATH=/bin", (char *)"A=other", NULL};
	struct rt_rlimit files[] = {{(char *)"nofile", 100, 200},
				    {(char *)"core", UINT64_MAX, UINT64_MAX}};
	struct runtime rt = box_runtime();
	struct rt_spec s = plain();
	struct rt_exec x = {0};
	struct err e = {0};
	char want[32];

	s.args = args;
	s.user = "worker";
	s.cwd = "/tmp";
	s.group_add = added;
	s.rlimits = files;
	s.n_rlimits = ARRAY_SIZE(files);
	is_int(rt_spec_write(&rt, &s, &e), 0, "a container to exec in: %s", e.msg);
	ok(crun(create) && crun(start), "it is created and started");
	is_str(exec_sh(&x, "id -u; id -G; pwd; echo $HOME $A"),
	       "1000\n1000 6 29\n/tmp\n/srv/worker two words", "the container's own");
	is_str(exec_sh(&x, "ulimit -Sn; ulimit -Hn; ulimit -c"), "100\n200\nunlimited", "limits");
	contains(exec_sh(&x, "grep Seccomp: /proc/self/status"), "2");
	contains(exec_sh(&x, "grep CapEff /proc/self/status"), "0000000000000000");
	x.user = "0";
	x.cwd = "/etc";
	x.env = own;
	is_str(exec_sh(&x, "id -u; pwd; echo $HOME $A"), "0\n/etc\n/root other", "its own wishes");
	(void)snprintf(want, sizeof(want), "%016llx",
		       (unsigned long long)(caps_default() & caps_available()));
	contains(exec_sh(&x, "grep CapEff /proc/self/status"), want);
	x.privileged = true;
	(void)snprintf(want, sizeof(want), "%016llx", (unsigned long long)caps_available());
	contains(exec_sh(&x, "grep CapEff /proc/self/status"), want);
	test_joined();
	x.user = "nope";
	is_str(exec_sh(&x, "id"), "unable to find user nope: no matching entries in passwd file",
	       "an unknown user");
	ok(crun(delete), "it is deleted");
}

/* The kernel kills a container that eats more than it may: its cgroup remembers. */
static void test_out_of_memory(void)
{
	static char *const eater[] = {(char *)"tail", (char *)"/dev/zero", NULL};
	struct pollfd end = {.fd = -1, .events = POLLIN};
	struct runtime rt = box_runtime();
	struct rt_spec s = plain();
	struct err e = {0};

	s.args = eater;
	s.memory = s.memory_swap = 16 << 20;
	is_int(rt_spec_write(&rt, &s, &e), 0, "a hungry container: %s", e.msg);
	ok(crun(create), "is created");
	end.fd = (int)syscall(SYS_pidfd_open, first_pid(), 0);
	ok(!cgroup_oom_killed(BOX_PARENT "/" BOX_ID), "nothing was killed yet");
	ok(crun(start) && poll(&end, 1, 20000) == 1, "it ends");
	ok(cgroup_oom_killed(BOX_PARENT "/" BOX_ID), "killed for memory");
	(void)close(end.fd);
	ok(crun(delete), "it is deleted");
	is_int(cgroup_remove(BOX_PARENT "/" BOX_ID), 0, "its cgroup is gone or goes");
}

int main(void)
{
	const char *why = box_enter(true);

	if (why)
		return tap_skip_all(why);
	test_defaults();
	test_seccomp();
	test_users();
	test_places();
	test_limits();
	test_namespaces();
	test_network();
	test_privileged();
	test_init();
	test_exec();
	test_out_of_memory();
	return tap_done();
}
