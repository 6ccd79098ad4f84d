/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spec.c - what stands in config.json and in an exec's process, without running it */

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/internal.h"
#include "tap.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char root[] = "/tmp/atoll-spec-XXXXXX";
static char parent[] = "/atoll";
static char *rootfs;
static struct runtime rt = {.exec_root = root, .cgroup_parent = parent, .is_crun = true};

static char *const args[] = {(char *)"true", NULL};

static struct rt_spec plain(void)
{
	return (struct rt_spec){.id = ID,
				.rootfs = rootfs,
				.args = args,
				.cwd = "/",
				.masked_paths = rt_masked_paths,
				.readonly_paths = rt_readonly_paths};
}

/* config.json as it was written; what is too large for this parser reads as -1 */
static json_t *config(const struct rt_spec *s)
{
	auto_free char *path = str_printf("%s/run/" ID "/config.json", root);
	auto_buf struct buf text = BUF_INIT(4 << 20);
	struct err e = {0};
	json_t *j = NULL;
	char *p;

	if (rt_spec_write(&rt, s, &e) < 0 || fs_read(path, 4 << 20, &text) < 0) {
		printf("# %s\n", e.msg);
		return NULL;
	}
	while ((p = strstr(text.data, ":18446744073709551615")))
		memcpy(p, ":-1                  ", 21);
	if (json_read(text.data, text.len, &j, &e) < 0)
		printf("# %s\n", e.msg);
	return j;
}

/* the value at "a.b.2.c" as text */
static const char *at(const json_t *j, const char *where)
{
	static char *text;
	auto_strv char **keys = NULL;

	free(text);
	text = NULL;
	if (strv_split(where, ".", &keys) < 0)
		return NULL;
	for (size_t i = 0; j && keys[i]; i++) {
		uint32_t n;

		j = json_is_array(j) && parse_u32(keys[i], &n) >= 0 ? json_array_get(j, n)
								    : json_object_get(j, keys[i]);
	}
	if (json_is_string(j))
		return json_string_value(j);
	text = j ? json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	return text;
}

static const json_t *find(const json_t *list, const char *key, const char *value)
{
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		if (streq(json_string_value(json_object_get(v, key)), value))
			return v;
	}
	return NULL;
}

static const json_t *mount_at(const json_t *j, const char *target)
{
	return find(json_object_get(j, "mounts"), "destination", target);
}

static const json_t *ns(const json_t *j, const char *type)
{
	return find(json_object_get(json_object_get(j, "linux"), "namespaces"), "type", type);
}

static void test_defaults(void)
{
	struct rt_spec s = plain();
	auto_json json_t *j = config(&s);

	is_str(at(j, "ociVersion"), "1.0.2", "the version");
	is_str(at(j, "root.path"), rootfs, "the rootfs");
	is_str(at(j, "process.args"), "[\"true\"]", "args");
	is_str(at(j, "process.env"), "[\"HOME=/\"]", "HOME is set");
	is_str(at(j, "process.user"), "{\"uid\":0,\"gid\":0,\"additionalGids\":[0]}", "root");
	is_str(at(j, "process.noNewPrivileges"), "false", "no-new-privileges");
	is_str(at(j, "linux.cgroupsPath"), "/atoll/" ID, "the cgroup");
	is_str(at(j, "linux.resources.devices.0"), "{\"allow\":false,\"access\":\"rwm\"}",
	       "devices are refused first");
	ok(at(j, "linux.seccomp.defaultAction") != NULL, "seccomp");
	is_str(at(j, "linux.maskedPaths.3"), "/proc/kcore", "masked paths");
	is_str(at(j, "linux.readonlyPaths.3"), "/proc/sys", "read-only paths");
	ok(!at(j, "linux.resources.memory") && !at(j, "linux.resources.cpu") &&
		   !at(j, "linux.resources.pids") && !at(j, "hostname"),
	   "no limits, no name");
	ok(mount_at(j, "/proc") && mount_at(j, "/dev/shm") && mount_at(j, "/sys/fs/cgroup"),
	   "mounts");
	ok(ns(j, "mount") && ns(j, "pid") && ns(j, "ipc") && ns(j, "uts") && !ns(j, "network") &&
		   !ns(j, "user"),
	   "namespaces");
}

static void test_privileged(void)
{
	struct rt_spec s = plain();
	auto_json json_t *j = NULL, *own = NULL;

	s.privileged = true;
	j = config(&s);
	ok(!at(j, "linux.seccomp") && !at(j, "linux.maskedPaths") && !at(j, "linux.readonlyPaths"),
	   "nothing is hidden");
	is_str(at(j, "linux.resources.devices"), "[{\"allow\":true,\"access\":\"rwm\"}]",
	       "all devices");
	ok(find(json_object_get(json_object_get(j, "linux"), "devices"), "path", "/dev/null") !=
		   NULL,
	   "the host's nodes");
	is_str(at(mount_at(j, "/sys"), "options.3"), "rw", "/sys can be written");
	s.seccomp = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[]}";
	own = config(&s);
	is_str(at(own, "linux.seccomp.defaultAction"), "SCMP_ACT_ALLOW", "a profile asked for");
}

static void test_namespaces(void)
{
	struct rt_spec s = plain();
	auto_json json_t *j = NULL, *host = NULL, *shared = NULL;
	auto_free char *own = str_printf("/run/x/netns/%.12s", ID);
	struct err e = {0};

	s.netns_path = own;
	s.hostname = "named";
	s.domainname = "example.test";
	j = config(&s);
	is_str(at(ns(j, "network"), "path"), own, "the network namespace");
	is_str(at(j, "hostname"), "named", "hostname");
	is_str(at(j, "linux.sysctl"),
	       "{\"net.ipv4.ip_unprivileged_port_start\":\"0\",\"net.ipv4.ping_group_range\":\"0 "
	       "2147483647\",\"kernel.domainname\":\"example.test\"}",
	       "sysctls of a namespace of its own");
	s.netns_path = "/run/x/netns/ffffffffffff";
	s.uts_mode = s.ipc_mode = s.pid_mode = s.cgroupns_mode = "host";
	host = config(&s);
	is_str(at(host, "linux.sysctl"), "{}", "none where it is another's");
	ok(!ns(host, "pid") && !ns(host, "ipc") && !ns(host, "uts") && !ns(host, "cgroup") &&
		   !at(host, "hostname"),
	   "the host's");
	s.pid_mode = s.ipc_mode = "container:4711";
	shared = config(&s);
	is_str(at(ns(shared, "pid"), "path"), "/proc/4711/ns/pid", "another's processes");
	is_str(at(ns(shared, "ipc"), "path"), "/proc/4711/ns/ipc", "another's ipc");
	s.pid_mode = "container:x/../1";
	is_err(rt_spec_write(&rt, &s, &e), e, ERR_INVALID,
	       "invalid pid namespace: container:x/../1");
}

static void test_resources(void)
{
	struct rt_spec s = plain();
	auto_json json_t *j = NULL, *parted = NULL;
	struct err e = {0};

	s.memory = 64 << 20;
	s.memory_reservation = 1 << 20;
	s.memory_swap = -1;
	s.nano_cpus = 1500000000;
	s.cpuset_cpus = "0-1";
	s.pids_limit = -1;
	s.cgroup_parent = "other/place/";
	j = config(&s);
	is_str(at(j, "linux.resources.memory.limit"), "67108864", "memory");
	is_str(at(j, "linux.resources.memory.reservation"), "1048576", "reservation");
	is_str(at(j, "linux.resources.cpu"),
	       "{\"quota\":150000,\"period\":100000,\"cpus\":\"0-1\"}", "cpu");
	ok(!at(j, "linux.resources.pids"), "no limit of processes: a cgroup's own default");
	s.cgroup_parent = "/";
	parted = config(&s);
	is_str(at(parted, "linux.cgroupsPath"), "/" ID, "directly below the root");
	s.cgroup_parent = "/atoll/../..";
	ok(rt_spec_write(&rt, &s, &e) == -EINVAL, "a climbing parent: %s", e.msg);
}

/* Limits that few need. /dev/null has the numbers 1:3, whatever it is. */
static void test_rare_resources(void)
{
	static char *const rules[] = {(char *)"c 42:* rw", (char *)"a *:7 m", NULL};
	static char *const bad[] = {(char *)"c 42 rw", NULL};
	int64_t swappiness = 0;
	auto_json json_t *host = json_loads(
		"{\"BlkioWeight\": 300, \"BlkioWeightDevice\": [{\"Path\": \"/dev/null\", "
		"\"Weight\": 20}], \"BlkioDeviceReadBps\": [{\"Path\": \"/dev/null\", \"Rate\": "
		"1000}], \"BlkioDeviceWriteIOps\": [{\"Path\": \"/dev/null\", \"Rate\": 7}]}",
		0, NULL);
	auto_json json_t *gone = json_loads(
		"{\"BlkioDeviceReadBps\": [{\"Path\": \"/dev/no-such\", \"Rate\": 1}]}", 0, NULL);
	struct rt_spec s = plain();
	auto_json json_t *j = NULL;
	struct err e = {0};

	s.blkio = host;
	s.device_rules = rules;
	s.memory_swappiness = &swappiness;
	s.cpu_rt_period = 1000;
	s.cpu_rt_runtime = 900;
	j = config(&s);
	is_str(at(j, "linux.resources.blockIO"),
	       "{\"weight\":300,\"weightDevice\":[{\"major\":1,\"minor\":3,\"weight\":20}],"
	       "\"throttleReadBpsDevice\":[{\"major\":1,\"minor\":3,\"rate\":1000}],"
	       "\"throttleWriteIOPSDevice\":[{\"major\":1,\"minor\":3,\"rate\":7}]}",
	       "block devices");
	is_str(at(j, "linux.resources.cpu"), "{\"realtimeRuntime\":900,\"realtimePeriod\":1000}",
	       "real time");
	is_str(at(j, "linux.resources.devices.12"),
	       "{\"allow\":true,\"type\":\"c\",\"major\":42,\"access\":\"rw\"}", "every minor");
	is_str(at(j, "linux.resources.devices.13"),
	       "{\"allow\":true,\"type\":\"a\",\"minor\":7,\"access\":\"m\"}", "every major");
	if (cgroup_layout() != CGROUP_V2)
		is_str(at(j, "linux.resources.memory.swappiness"), "0", "no swapping is said");
	s.blkio = gone;
	is_err(rt_spec_write(&rt, &s, &e), e, ERR_INVALID,
	       "stat /dev/no-such: no such file or directory");
	s.blkio = NULL;
	s.device_rules = bad;
	is_err(rt_spec_write(&rt, &s, &e), e, ERR_INVALID,
	       "invalid device cgroup rule format: 'c 42 rw'");
}

static void test_mounts(void)
{
	struct rt_mount m[] = {
		{(char *)"/tmp", (char *)"/dev/shm", (char *)"bind", (char *)"rbind,rw,rslave"},
		{NULL, (char *)"/t", (char *)"tmpfs", (char *)"nosuid,size=1m"}};
	struct rt_spec s = plain();
	auto_json json_t *j = NULL;

	s.mounts = m;
	s.n_mounts = 2;
	j = config(&s);
	is_str(at(mount_at(j, "/dev/shm"), "source"), "/tmp", "the user's instead of the default");
	is_str(at(mount_at(j, "/t"), "options"), "[\"nosuid\",\"size=1m\"]", "options");
	is_str(at(j, "linux.rootfsPropagation"), "rslave", "propagation");
}

static void test_devices(void)
{
	auto_json json_t *devices =
		json_pack("[{s:s, s:s}]", "PathOnHost", "/dev/null", "CgroupPermissions", "r");
	auto_json json_t *absent = json_pack("[{s:s}]", "PathOnHost", "/dev/none");
	auto_json json_t *file = json_pack("[{s:s}]", "PathOnHost", "/etc/passwd");
	struct rt_spec s = plain();
	auto_json json_t *j = NULL;
	struct err e = {0};

	s.devices = devices;
	j = config(&s);
	is_str(at(j, "linux.devices.0.path"), "/dev/null", "a device");
	is_str(at(j, "linux.resources.devices.12"),
	       "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"r\"}",
	       "and its rule");
	s.devices = absent;
	is_err(rt_spec_write(&rt, &s, &e), e, ERR_INVALID,
	       "error gathering device information while adding custom device \"/dev/none\": no "
	       "such file or directory");
	s.devices = file;
	is_err(rt_spec_write(&rt, &s, &e), e, ERR_INVALID,
	       "error gathering device information while adding custom device \"/etc/passwd\": "
	       "not a device node");
}

static void test_rlimits(void)
{
	struct rt_rlimit l = {(char *)"core", UINT64_MAX, UINT64_MAX};
	struct rt_spec s = plain();
	auto_json json_t *j = NULL;
	struct err e = {0};

	s.rlimits = &l;
	s.n_rlimits = 1;
	j = config(&s);
	is_str(at(j, "process.rlimits"), "[{\"type\":\"RLIMIT_CORE\",\"soft\":-1,\"hard\":-1}]",
	       "no limit");
	l.name = (char *)"nonsense";
	is_err(rt_spec_write(&rt, &s, &e), e, ERR_INVALID, "invalid ulimit type: nonsense");
	l = (struct rt_rlimit){(char *)"nofile", 20, 10};
	is_err(rt_spec_write(&rt, &s, &e), e, ERR_INVALID,
	       "ulimit soft limit must be less than or equal to hard limit: 20 > 10");
}

static const char *exec_process(const struct rt_exec *x)
{
	static struct buf out;
	struct err e = {0};

	buf_done(&out);
	out = BUF_INIT(1 << 20);
	if (spec_exec_process(&rt, x, &out, &e) < 0)
		(void)buf_puts(&out, e.msg);
	return buf_str(&out);
}

/* Arguments and variables that look like the places the reader looks for. */
static void test_exec_of_hostile(void)
{
	static char *const hostile_args[] = {(char *)"\"process\":{}",
					     (char *)":18446744073709551615",
					     (char *)"\"hard\":18446744073709551615", NULL};
	static char *const env[] = {(char *)"X=,\"process\":{\"args\":[\"evil\"]}",
				    (char *)"Y=hard\":18446744073709551615", (char *)"HOME=/own",
				    NULL};
	static char *const groups[] = {(char *)"7", (char *)"8", NULL};
	struct rt_rlimit l = {(char *)"core", 5, UINT64_MAX};
	struct rt_spec s = plain();
	struct rt_exec x = {.id = ID, .args = args};
	static const char unlimited[] = "\"soft\":5,\"hard\":18446744073709551615";
	auto_buf struct buf text = BUF_INIT(1 << 20);
	auto_json json_t *j = NULL;
	struct err e = {0};
	char *limit;

	s.args = hostile_args;
	s.env = env;
	s.rlimits = &l;
	s.n_rlimits = 1;
	s.group_add = groups;
	s.no_new_privileges = true;
	is_int(rt_spec_write(&rt, &s, &e), 0, "a container of odd words");
	(void)buf_puts(&text, exec_process(&x));
	limit = strstr(buf_str(&text), unlimited);
	ok(limit != NULL, "no limit survives");
	if (limit)
		memset(limit + strlen(unlimited) - 20, '1', 18); /* small enough for this parser */
	if (limit)
		memset(limit + strlen(unlimited) - 2, ' ', 2);
	ok(json_read(text.data, text.len, &j, &e) >= 0, "it is JSON: %s", e.msg);
	is_str(at(j, "env.0"), env[0], "a variable comes back as it was");
	is_str(at(j, "env.1"), env[1], "another");
	is_str(at(j, "env.2"), "HOME=/", "HOME is the user's");
	is_str(at(j, "args"), "[\"true\"]", "its own arguments");
	is_str(at(j, "noNewPrivileges"), "true", "no-new-privileges");
	is_str(at(j, "user.additionalGids"), "[0,7,8]", "added groups");
	x.id = "absent";
	ok(strstr(exec_process(&x), "cannot read the spec of container absent") != NULL, "absent");
}

static void test_speed(void)
{
	struct rt_spec s = plain();
	int64_t began = clock_mono_ns();
	struct err e = {0};

	for (int i = 0; i < 20; i++)
		if (rt_spec_write(&rt, &s, &e) < 0)
			break;
	printf("# rt_spec_write: %.2f ms\n", (double)(clock_mono_ns() - began) / 20e6);
	began = clock_mono_ns();
	for (int i = 0; i < 20; i++)
		(void)exec_process(&(struct rt_exec){.id = ID, .args = args});
	printf("# spec_exec_process: %.2f ms\n", (double)(clock_mono_ns() - began) / 20e6);
}

int main(void)
{
	if (!mkdtemp(root) || !(rootfs = str_printf("%s/rootfs", root)) ||
	    fs_mkdir_p(rootfs, 0755) < 0)
		return tap_skip_all("no temporary directory");
	test_defaults();
	test_privileged();
	test_namespaces();
	test_resources();
	test_rare_resources();
	test_mounts();
	test_devices();
	test_rlimits();
	test_exec_of_hostile();
	test_speed();
	ok(fs_rm_tree(root) >= 0, "cleaned up");
	free(rootfs);
	return tap_done();
}
