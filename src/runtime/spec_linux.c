/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec_linux.c - the linux section: namespaces, sysctls, devices, paths, seccomp */

#include <string.h>
#include <sys/utsname.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/seccomp.h"
#include "runtime/spec.h"

#define SECTION_MAX (8u << 20)

/* ---- namespaces ---- */

static void write_ns(struct jsonw *w, const char *type, const char *path)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "type", type);
	if (path)
		jsonw_str(w, "path", path);
	jsonw_end_object(w);
}

/* "host": the host's; "container:<pid>": that process's; all else: one of its own. */
static int write_shared_ns(struct jsonw *w, const char *type, const char *file, const char *mode,
			   struct err *e)
{
	char path[64];
	uint32_t pid;

	if (streq(mode, "host"))
		return 0;
	if (!str_has_prefix(mode ? mode : "", "container:")) {
		write_ns(w, type, NULL);
		return 0;
	}
	if (parse_u32(mode + strlen("container:"), &pid) < 0 || !pid)
		return err_invalid(e, "invalid %s namespace: %s", type, mode);
	(void)snprintf(path, sizeof(path), "/proc/%u/ns/%s", pid, file);
	write_ns(w, type, path);
	return 0;
}

static bool own_cgroupns(const struct rt_spec *s)
{
	if (!str_empty(s->cgroupns_mode))
		return !streq(s->cgroupns_mode, "host");
	return cgroup_layout() == CGROUP_V2; /* Docker's default */
}

static int namespaces(struct jsonw *w, const struct rt_spec *s, struct err *e)
{
	int r;

	jsonw_array(w, "namespaces");
	if (s->userns_path)
		write_ns(w, "user", s->userns_path);
	write_ns(w, "mount", NULL);
	if (s->netns_path)
		write_ns(w, "network", s->netns_path);
	if (own_cgroupns(s))
		write_ns(w, "cgroup", NULL);
	r = write_shared_ns(w, "pid", "pid", s->pid_mode, e);
	if (r >= 0)
		r = write_shared_ns(w, "ipc", "ipc", s->ipc_mode, e);
	if (r >= 0)
		r = write_shared_ns(w, "uts", "uts", s->uts_mode, e);
	jsonw_end_array(w);
	return r;
}

/* ---- ids ---- */

static void mappings(struct jsonw *w, const char *key, const struct idmap *m)
{
	uint32_t inside = 0;

	jsonw_array(w, key);
	for (size_t i = 0; i < m->n; i++) {
		jsonw_object(w, NULL);
		jsonw_i64(w, "containerID", inside);
		jsonw_i64(w, "hostID", m->v[i].first);
		jsonw_i64(w, "size", m->v[i].count);
		jsonw_end_object(w);
		inside += m->v[i].count;
	}
	jsonw_end_array(w);
}

/* ---- sysctls ---- */

/* A network namespace made for this container, not one it shares. */
static bool own_netns(const struct rt_spec *s)
{
	const char *name = s->netns_path ? strrchr(s->netns_path, '/') : NULL;

	return name && !strncmp(name + 1, s->id, 12);
}

/* Docker lets every user of a container bind low ports and ping. */
static void default_sysctl(struct jsonw *w, const struct rt_spec *s, const char *key,
			   const char *value)
{
	if (own_netns(s) && !json_object_get(s->sysctls, key))
		jsonw_str(w, key, value);
}

static void sysctls(struct jsonw *w, const struct rt_spec *s)
{
	char groups[32];
	const char *key;
	json_t *v;

	jsonw_object(w, "sysctl");
	json_object_foreach(s->sysctls, key, v)
	{
		/* net/ has set these when it made the namespace */
		if (json_is_string(v) && !(s->netns_path && str_has_prefix(key, "net.")))
			jsonw_str(w, key, json_string_value(v));
	}
	default_sysctl(w, s, "net.ipv4.ip_unprivileged_port_start", "0");
	(void)snprintf(groups, sizeof(groups), "0 %u",
		       s->maps ? idmap_size(&s->maps->gid) - 1 : INT32_MAX);
	default_sysctl(w, s, "net.ipv4.ping_group_range", groups);
	if (!str_empty(s->domainname) && !streq(s->uts_mode, "host") &&
	    !json_object_get(s->sysctls, "kernel.domainname"))
		jsonw_str(w, "kernel.domainname", s->domainname);
	jsonw_end_object(w);
}

/* ---- the cgroup ---- */

static int cgroups_path(struct jsonw *w, const struct spec *sp, struct err *e)
{
	const char *parent = sp->s->cgroup_parent ? sp->s->cgroup_parent : sp->r->cgroup_parent;
	auto_strv char **parts = NULL;

	parent += strspn(parent, "/");
	if (strv_split(parent, "/", &parts) < 0)
		return err_nomem(e);
	if (strv_has(parts, ".."))
		return err_invalid(e, "invalid cgroup parent: %s", parent);
	jsonw_strf(w, "cgroupsPath", "/%s%s%s", parent, *parent ? "/" : "", sp->s->id);
	return 0;
}

/* ---- paths ---- */

const char *const rt_masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
	NULL,
};
const char *const rt_readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};

static void paths(struct jsonw *w, const char *key, const char *const *list)
{
	jsonw_array(w, key);
	for (; list && *list; list++)
		jsonw_str(w, NULL, *list);
	jsonw_end_array(w);
}

/* ---- seccomp ---- */

int spec_seccomp(const struct spec *sp, struct buf *out, struct err *e)
{
	const char *profile = sp->s->seccomp;
	struct seccomp_target t = {.caps = sp->caps};
	struct utsname u;
	int r;

	if (streq(profile, "unconfined") || (!profile && sp->s->privileged))
		return 0;
	if (uname(&u) < 0)
		return err_sys(e, errno, "uname");
	t.machine = u.machine;
	t.release = u.release;
	r = seccomp_resolve(profile ? profile : seccomp_default, &t, out, e);
	return r < 0 ? r : 0;
}

int spec_linux(struct jsonw *w, const struct spec *sp, struct err *e)
{
	auto_buf struct buf rules = BUF_INIT(SECTION_MAX);
	struct jsonw rw = JSONW_INIT(&rules);
	const struct rt_spec *s = sp->s;
	int r;

	jsonw_object(w, "linux");
	r = namespaces(w, s, e);
	if (r >= 0 && s->maps) {
		mappings(w, "uidMappings", &s->maps->uid);
		mappings(w, "gidMappings", &s->maps->gid);
	}
	if (r >= 0)
		r = spec_devices(w, &rw, s, e);
	if (r >= 0)
		r = cgroups_path(w, sp, e);
	if (r < 0)
		return r;
	if (sp->seccomp)
		jsonw_raw(w, "seccomp", sp->seccomp);
	if (buf_err(&rules))
		return err_sys(e, -buf_err(&rules), "cannot write the device rules");
	sysctls(w, s);
	r = spec_resources(w, s, buf_str(&rules), e);
	if (r < 0)
		return r;
	if (!s->privileged) {
		paths(w, "maskedPaths", s->masked_paths);
		paths(w, "readonlyPaths", s->readonly_paths);
	}
	if (spec_propagation(s))
		jsonw_str(w, "rootfsPropagation", spec_propagation(s));
	jsonw_end_object(w);
	return 0;
}
