/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_seccomp.c - profiles resolved for a container and a machine */

#include <linux/capability.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/caps.h"
#include "runtime/seccomp.h"
#include "tap.h"

static struct seccomp_target pc(uint64_t caps)
{
	return (struct seccomp_target){
		.caps = caps, .machine = "x86_64", .release = "6.1.0-18-amd64"};
}

static json_t *resolve(const char *profile, struct seccomp_target t)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);
	struct err e = {0};
	json_t *j = NULL;

	if (seccomp_resolve(profile, &t, &out, &e) < 1) {
		printf("# %s\n", e.msg);
		return NULL;
	}
	if (json_read(out.data, out.len, &j, &e) < 0)
		printf("# %s: %s\n", e.msg, buf_str(&out));
	return j;
}

/* The action of the first unconditional line for @name: "" where there is none. */
static const char *action(const json_t *profile, const char *name)
{
	json_t *line, *n;
	size_t i, k;

	json_array_foreach(json_object_get(profile, "syscalls"), i, line)
	{
		if (json_array_size(json_object_get(line, "args")))
			continue;
		json_array_foreach(json_object_get(line, "names"), k, n)
		{
			if (streq(json_string_value(n), name))
				return json_string_value(json_object_get(line, "action"));
		}
	}
	return "";
}

static void test_default(void)
{
	static const char *const denied[] = {"unshare",
					     "mount",
					     "umount2",
					     "setns",
					     "keyctl",
					     "add_key",
					     "request_key",
					     "bpf",
					     "perf_event_open",
					     "userfaultfd",
					     "io_uring_setup",
					     "kexec_load",
					     "init_module",
					     "open_by_handle_at",
					     "reboot",
					     "swapon",
					     "iopl",
					     "clone",
					     "pivot_root",
					     "personality",
					     "settimeofday",
					     "syslog",
					     "nfsservctl",
					     "socket",
					     "acct"};
	auto_json json_t *p = resolve(seccomp_default, pc(caps_default()));
	const json_t *arches = json_object_get(p, "architectures");

	is_str(json_string_value(json_object_get(p, "defaultAction")), "SCMP_ACT_ERRNO", "refuse");
	is_int(json_integer_value(json_object_get(p, "defaultErrnoRet")), 1, "with EPERM");
	is_int(json_array_size(arches), 3, "three architectures");
	is_str(json_string_value(json_array_get(arches, 0)), "SCMP_ARCH_X86_64", "the native");
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		is_str(action(p, denied[i]), "", "%s is not allowed as such", denied[i]);
	is_str(action(p, "read"), "SCMP_ACT_ALLOW", "read");
	is_str(action(p, "ptrace"), "SCMP_ACT_ALLOW", "ptrace, on this kernel");
	is_str(action(p, "chroot"), "SCMP_ACT_ALLOW", "chroot, by a default capability");
	is_str(action(p, "arch_prctl"), "SCMP_ACT_ALLOW", "arch_prctl, on this machine");
	is_str(action(p, "clone3"), "SCMP_ACT_ERRNO", "clone3 says ENOSYS");
	ok(!json_object_get(json_array_get(json_object_get(p, "syscalls"), 0), "includes"),
	   "no conditions are left");
}

static void test_conditions(void)
{
	struct seccomp_target t = pc(caps_default() | CAP_BIT(CAP_SYS_ADMIN));
	auto_json json_t *admin = resolve(seccomp_default, t);
	auto_json json_t *old = NULL, *arm = NULL, *odd = NULL;

	is_str(action(admin, "mount"), "SCMP_ACT_ALLOW", "CAP_SYS_ADMIN: mount");
	is_str(action(admin, "clone3"), "SCMP_ACT_ALLOW", "and clone3");
	is_str(action(admin, "keyctl"), "", "never keyctl");
	t = pc(0);
	t.release = "4.7.9";
	old = resolve(seccomp_default, t);
	is_str(action(old, "ptrace"), "", "an old kernel: no ptrace");
	is_str(action(old, "chroot"), "", "no capabilities: no chroot");
	t = pc(0);
	t.machine = "aarch64";
	arm = resolve(seccomp_default, t);
	is_str(json_string_value(json_array_get(json_object_get(arm, "architectures"), 0)),
	       "SCMP_ARCH_AARCH64", "another machine");
	is_str(action(arm, "arch_prctl"), "", "has no arch_prctl");
	is_str(action(arm, "set_tls"), "SCMP_ACT_ALLOW", "but set_tls");
	t.machine = "vax";
	odd = resolve(seccomp_default, t);
	is_int(json_array_size(json_object_get(odd, "architectures")), 0, "an unknown machine");
	is_str(action(odd, "read"), "SCMP_ACT_ALLOW", "is served too");
}

static void test_given(void)
{
	auto_json json_t *p = resolve(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
		"\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
		"\"syscalls\":[{\"name\":\"chmod\",\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7},"
		"{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ERRNO\",\"excludes\":{\"caps\":["
		"\"CAP_CHOWN\"]}},{\"names\":[\"rmdir\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{"
		"\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}],\"excludes\":{\"arches\":["
		"\"arm64\"]},\"includes\":{\"caps\":[\"CAP_CHOWN\",\"CAP_KILL\"]}}]}",
		pc(caps_default()));
	const json_t *lines = json_object_get(p, "syscalls");

	is_int(json_array_size(lines), 2, "one is left out");
	is_int(json_integer_value(json_object_get(json_array_get(lines, 0), "errnoRet")), 7,
	       "errno");
	is_int(json_array_size(json_object_get(json_array_get(lines, 1), "args")), 1, "arguments");
	is_int(json_array_size(json_object_get(p, "flags")), 1, "flags");
}

static void test_refusals(void)
{
	static const struct {
		const char *profile, *want;
	} rows[] = {
		{"[]", "Decoding seccomp profile failed: not an object"},
		{"{\"defaultAction\":\"ALLOW\"}",
		 "Decoding seccomp profile failed: no valid defaultAction"},
		{"{\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		 "Decoding seccomp profile failed: no valid defaultAction"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[5]}",
		 "Decoding seccomp profile failed: a system call is not an object"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"]}]}",
		 "Decoding seccomp profile failed: a system call without a valid action"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"a\",\"names\":["
		 "\"a\"],\"action\":\"SCMP_ACT_ALLOW\"}]}",
		 "Decoding seccomp profile failed: both 'name' and 'names' are specified in the "
		 "seccomp profile, use either 'name' or 'names'"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"a\"],\"archMap\":[{}]"
		 "}",
		 "Decoding seccomp profile failed: both 'architectures' and 'archMap' are "
		 "specified in the seccomp profile, use either 'architectures' or 'archMap'"},
	};
	struct seccomp_target t = pc(0);
	auto_buf struct buf out = BUF_INIT(65536);
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_clear(&out);
		is_err(seccomp_resolve(rows[i].profile, &t, &out, &e), e, ERR_INVALID,
		       rows[i].want);
	}
	ok(seccomp_resolve("{", &t, &out, &e) < 0, "broken JSON: %s", e.msg);
	buf_clear(&out);
	is_int(seccomp_resolve("{}", &t, &out, &e), 0, "an empty profile says nothing");
	is_int(out.len, 0, "nothing is written");
}

int main(void)
{
	test_default();
	test_conditions();
	test_given();
	test_refusals();
	return tap_done();
}
