/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create_host.c - HostConfig of run and create */

#include <ctype.h>
#include <string.h>

#include "base/fs.h"
#include "cli/create.h"
#include "cli/pairs.h"

#define SECCOMP_MAX (4u << 20)

static void objects(struct jsonw *w, const char *key, char *const *values,
		    void (*one)(struct jsonw *w, const char *value))
{
	if (!values)
		return;
	jsonw_array(w, key);
	for (; *values; values++)
		one(w, *values);
	jsonw_end_array(w);
}

/* "-v /a:/b" and "-v name:/b"; "-v /b" alone is Config.Volumes */
static void binds(struct jsonw *w, char *const *values)
{
	if (!values)
		return;
	jsonw_array(w, "Binds");
	for (; *values; values++) {
		const char *colon = strchr(*values, ':');
		auto_free char *source = NULL, *absolute = NULL;

		if (!colon)
			continue;
		source = need(strndup(*values, (size_t)(colon - *values)));
		absolute = absolute_path(source);
		jsonw_strf(w, NULL, "%s%s", absolute, colon);
	}
	jsonw_end_array(w);
}

static void tmpfs(struct jsonw *w, char *const *values)
{
	if (!values)
		return;
	jsonw_object(w, "Tmpfs");
	for (; *values; values++) {
		size_t len = strcspn(*values, ":");
		auto_free char *path = need(strndup(*values, len));

		jsonw_str(w, path, (*values)[len] ? *values + len + 1 : "");
	}
	jsonw_end_object(w);
}

int restart_object(struct jsonw *w, const char *key, const char *value, struct err *e)
{
	const char *colon = strchr(value, ':');
	auto_free char *name = need(strndup(value, strcspn(value, ":")));
	int64_t max = 0;

	if (colon && parse_i64(colon + 1, &max) < 0)
		return err_invalid(e, "invalid restart policy format: maximum retry count must be "
				      "an integer");
	jsonw_object(w, key);
	jsonw_str(w, "Name", name);
	jsonw_i64(w, "MaximumRetryCount", max);
	jsonw_end_object(w);
	return 0;
}

static int restart_policy(struct jsonw *w, const struct args *a, struct err *e)
{
	const char *text = arg_str(a, "restart");

	if (arg_bool(a, "rm") && *text && !streq(text, "no"))
		return err_invalid(e,
				   "conflicting options: cannot specify both --restart and --rm");
	return restart_object(w, "RestartPolicy", text, e);
}

/* "seccomp=FILE" carries the file's content. */
static int security(struct jsonw *w, char *const *values, struct err *e)
{
	if (!values)
		return 0;
	jsonw_array(w, "SecurityOpt");
	for (; *values; values++) {
		const char *file = str_has_prefix(*values, "seccomp=") ||
						   str_has_prefix(*values, "seccomp:")
					   ? *values + strlen("seccomp=")
					   : NULL;
		auto_buf struct buf text = BUF_INIT(SECCOMP_MAX);
		int r;

		if (!file || streq(file, "unconfined") || streq(file, "builtin")) {
			jsonw_str(w, NULL, *values);
			continue;
		}
		r = fs_read(file, SECCOMP_MAX, &text);
		if (r < 0)
			return err_sys(e, -r, "opening seccomp profile (%s) failed", file);
		jsonw_strf(w, NULL, "seccomp=%s", buf_str(&text));
	}
	jsonw_end_array(w);
	return 0;
}

/* "net_admin" -> "CAP_NET_ADMIN" */
static void capabilities(struct jsonw *w, const char *key, char *const *values)
{
	if (!values)
		return;
	jsonw_array(w, key);
	for (; *values; values++) {
		auto_buf struct buf b = BUF_INIT(256);

		for (const char *p = *values; *p; p++)
			(void)buf_putc(&b, (char)toupper((unsigned char)*p));
		if (!str_has_prefix(buf_str(&b), "CAP_") && !streq(buf_str(&b), "ALL"))
			jsonw_strf(w, NULL, "CAP_%s", buf_str(&b));
		else
			jsonw_str(w, NULL, buf_str(&b));
	}
	jsonw_end_array(w);
}

/* "host=ip" is written "host:ip" for the engine */
static void extra_hosts(struct jsonw *w, char *const *values)
{
	if (!values)
		return;
	jsonw_array(w, "ExtraHosts");
	for (; *values; values++) {
		size_t n = strcspn(*values, ":=");

		jsonw_strf(w, NULL, "%.*s:%s", (int)n, *values, *values + n + 1);
	}
	jsonw_end_array(w);
}

static void logging(struct jsonw *w, const struct args *a)
{
	jsonw_object(w, "LogConfig");
	jsonw_str(w, "Type", arg_str(a, "log-driver"));
	pairs_object(w, "Config", arg_list(a, "log-opt"));
	jsonw_end_object(w);
}

/* Options that go to the API as they are. */
static void plain(struct jsonw *w, const struct args *a)
{
	static const struct option_key keys[] = {
		{"cidfile", "ContainerIDFile", OPTION_TEXT},
		{"ipc", "IpcMode", OPTION_TEXT},
		{"pid", "PidMode", OPTION_TEXT},
		{"uts", "UTSMode", OPTION_TEXT},
		{"userns", "UsernsMode", OPTION_TEXT},
		{"cgroupns", "CgroupnsMode", OPTION_TEXT},
		{"cgroup-parent", "CgroupParent", OPTION_TEXT},
		{"runtime", "Runtime", OPTION_TEXT},
		{"cpuset-cpus", "CpusetCpus", OPTION_TEXT},
		{"cpuset-mems", "CpusetMems", OPTION_TEXT},
		{"volumes-from", "VolumesFrom", OPTION_LIST},
		{"dns", "Dns", OPTION_LIST},
		{"dns-option", "DnsOptions", OPTION_LIST},
		{"dns-search", "DnsSearch", OPTION_LIST},
		{"group-add", "GroupAdd", OPTION_LIST},
		{"oom-score-adj", "OomScoreAdj", OPTION_NUMBER},
		{"cpu-shares", "CpuShares", OPTION_NUMBER},
		{"cpu-period", "CpuPeriod", OPTION_NUMBER},
		{"cpu-quota", "CpuQuota", OPTION_NUMBER},
		{"pids-limit", "PidsLimit", OPTION_NUMBER},
		{"memory", "Memory", OPTION_BYTES},
		{"memory-reservation", "MemoryReservation", OPTION_BYTES},
		{"memory-swap", "MemorySwap", OPTION_BYTES},
		{"shm-size", "ShmSize", OPTION_BYTES},
		{"rm", "AutoRemove", OPTION_SWITCH},
		{"privileged", "Privileged", OPTION_SWITCH},
		{"publish-all", "PublishAllPorts", OPTION_SWITCH},
		{"read-only", "ReadonlyRootfs", OPTION_SWITCH},
		{"init", "Init", OPTION_SWITCH},
		{"oom-kill-disable", "OomKillDisable", OPTION_SWITCH},
		{"sysctl", "Sysctls", OPTION_MAP},
		{"annotation", "Annotations", OPTION_MAP},
	};

	options_json(w, a, keys, ARRAY_SIZE(keys));
}

int create_host_config(struct jsonw *w, const struct args *a, struct err *e)
{
	auto_free char *mode = create_network_mode(a);
	int r;

	jsonw_object(w, "HostConfig");
	jsonw_str(w, "NetworkMode", mode);
	plain(w, a);
	if (arg_given(a, "cpus"))
		jsonw_i64(w, "NanoCpus", cpus_nano(arg_str(a, "cpus")));
	if (arg_given(a, "link"))
		jsonw_strv(w, "Links", arg_list(a, "link"));
	binds(w, arg_list(a, "volume"));
	tmpfs(w, arg_list(a, "tmpfs"));
	capabilities(w, "CapAdd", arg_list(a, "cap-add"));
	capabilities(w, "CapDrop", arg_list(a, "cap-drop"));
	extra_hosts(w, arg_list(a, "add-host"));
	logging(w, a);
	objects(w, "Mounts", arg_list(a, "mount"), mount_object);
	objects(w, "Ulimits", arg_list(a, "ulimit"), ulimit_object);
	objects(w, "Devices", arg_list(a, "device"), device_object);
	create_limits(w, a);
	r = restart_policy(w, a, e);
	if (r >= 0)
		r = security(w, arg_list(a, "security-opt"), e);
	if (r >= 0)
		r = create_bindings(w, a, e);
	jsonw_end_object(w);
	return r;
}
