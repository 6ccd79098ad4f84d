/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec_oci.c - a container as the runtime's spec: Config and HostConfig to struct rt_spec */

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/internal.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What a spec borrows and somebody must own while it is written. */
struct loan {
	char **args, **env, **group_add, **cap_add, **cap_drop, **masked, **readonly, **rules;
	int64_t swappiness;
	char *rootfs, *netns, *ipc, *pid;
	struct rt_mount *mounts;
	struct rt_rlimit *rlimits;
	size_t n_mounts, n_rlimits;
	struct buf seccomp;
};

static void loan_done(struct loan *l)
{
	strv_free(l->args);
	strv_free(l->env);
	strv_free(l->group_add);
	strv_free(l->cap_add);
	strv_free(l->cap_drop);
	strv_free(l->masked);
	strv_free(l->readonly);
	strv_free(l->rules);
	free(l->rootfs);
	free(l->netns);
	free(l->ipc);
	free(l->pid);
	mounts_free(l->mounts, l->n_mounts);
	free(l->rlimits);
	buf_done(&l->seccomp);
}

static bool env_has(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return true;
	return false;
}

static int fill_env(struct container *c, struct loan *l)
{
	auto_strv char **own = jstrv(c->config, "Env");
	int r = 0;

	if (!env_has(own, "PATH"))
		r = strv_add(&l->env, DEFAULT_PATH);
	if (r >= 0 && !env_has(own, "HOSTNAME"))
		r = strv_addf(&l->env, "HOSTNAME=%s", js(c->config, "Hostname"));
	if (r >= 0 && jb(c->config, "Tty") && !env_has(own, "TERM"))
		r = strv_add(&l->env, "TERM=xterm");
	for (size_t i = 0; r >= 0 && own && own[i]; i++)
		r = strv_add(&l->env, own[i]);
	return r;
}

static int fill_args(struct container *c, struct loan *l)
{
	json_t *args = NULL, *s;
	auto_free char *path = container_argv0(c, &args);
	size_t i;
	int r = path ? strv_add(&l->args, path) : -ENOMEM;

	json_array_foreach(args, i, s) r = r < 0 ? r : strv_add(&l->args, json_string_value(s));
	json_decref(args);
	return r;
}

static int fill_rlimits(struct container *c, struct loan *l)
{
	json_t *list = jo(c->host_config, "Ulimits"), *u;
	size_t i;

	l->rlimits = calloc(json_array_size(list) + 1, sizeof(*l->rlimits));
	if (!l->rlimits)
		return -ENOMEM;
	json_array_foreach(list, i, u)
		l->rlimits[l->n_rlimits++] = (struct rt_rlimit){.name = (char *)js(u, "Name"),
								.soft = (uint64_t)ji(u, "Soft"),
								.hard = (uint64_t)ji(u, "Hard")};
	return 0;
}

/* "container:x" namespaces become "container:<pid>" for the runtime. */
static int share_mode(struct container *c, const char *key, char **ret, struct err *e)
{
	const char *mode = js(c->host_config, key);
	struct container *peer;
	int r = modes_peer(c, key, &peer, e);

	if (r < 0)
		return r;
	*ret = peer ? str_printf("container:%d", peer->st.pid)
		    : strdup(streq(mode, "shareable") ? "private" : mode);
	return *ret ? 0 : err_nomem(e);
}

static int fill_network(struct container *c, struct rt_spec *s, struct loan *l, struct err *e)
{
	struct container *peer = container_netns_peer(c);
	struct sandbox *sb = net_sandbox_find(c->en->net, peer ? peer->id : c->id);

	if (peer && streq(container_network_mode(peer), "host"))
		return 0;
	if (streq(container_network_mode(c), "host"))
		return 0;
	if (!sb)
		return err_set(e, ERR_INTERNAL, ENOENT, "container %s has no network namespace",
			       c->name);
	l->netns = strdup(sandbox_netns_path(sb));
	s->netns_path = l->netns;
	return l->netns ? 0 : err_nomem(e);
}

static int security(struct container *c, struct rt_spec *s, struct loan *l, struct err *e)
{
	struct security sec;
	int r = security_parse(c->en, c->host_config, &sec, e);

	if (r < 0)
		return r;
	s->no_new_privileges = sec.no_new_privileges;
	if (sec.seccomp && buf_puts(&l->seccomp, sec.seccomp) < 0)
		return err_nomem(e);
	s->seccomp = sec.seccomp ? buf_str(&l->seccomp) : NULL;
	return 0;
}

/* Of a container that was made when the defaults were not stored with it. */
static const char *const *paths_of(struct container *c, const char *key, char **list,
				   const char *const *defaults)
{
	bool said = jo(c->host_config, key) || jb(c->host_config, "Privileged");

	return said ? (const char *const *)list : defaults;
}

static void resources(const struct container *c, struct rt_spec *s)
{
	const json_t *h = c->host_config;
	const json_t *pids = json_object_get(h, "PidsLimit");

	s->memory = ji(h, "Memory");
	s->memory_swap = ji(h, "MemorySwap");
	s->memory_reservation = ji(h, "MemoryReservation");
	s->nano_cpus = ji(h, "NanoCpus");
	s->cpu_shares = ji(h, "CpuShares");
	s->cpu_period = ji(h, "CpuPeriod");
	s->cpu_quota = ji(h, "CpuQuota");
	s->cpuset_cpus = *js(h, "CpusetCpus") ? js(h, "CpusetCpus") : NULL;
	s->cpuset_mems = *js(h, "CpusetMems") ? js(h, "CpusetMems") : NULL;
	s->pids_limit = json_integer_value(pids);
	s->oom_score_adj = (int)ji(h, "OomScoreAdj");
	s->oom_kill_disable = jb(h, "OomKillDisable");
	s->cpu_rt_period = ji(h, "CpuRealtimePeriod");
	s->cpu_rt_runtime = ji(h, "CpuRealtimeRuntime");
	s->blkio = h;
	s->shm_size = ji(h, "ShmSize");
	s->cgroup_parent = *js(h, "CgroupParent") ? js(h, "CgroupParent") : NULL;
}

static int fill(struct container *c, struct rt_spec *s, struct loan *l, struct err *e)
{
	char dir[4096];
	const json_t *h = c->host_config;
	int r = fill_network(c, s, l, e);

	if (r >= 0)
		r = share_mode(c, "IpcMode", &l->ipc, e);
	if (r >= 0)
		r = share_mode(c, "PidMode", &l->pid, e);
	if (r >= 0)
		r = security(c, s, l, e);
	if (r < 0)
		return r;
	l->rootfs = str_printf("%s/merged", container_dir(c, dir, sizeof(dir)));
	l->mounts = mounts_for_spec(c, &l->n_mounts);
	l->group_add = jstrv(h, "GroupAdd");
	l->cap_add = jstrv(h, "CapAdd");
	l->cap_drop = jstrv(h, "CapDrop");
	l->masked = jstrv(h, "MaskedPaths");
	l->readonly = jstrv(h, "ReadonlyPaths");
	l->rules = jstrv(h, "DeviceCgroupRules");
	l->swappiness = ji(h, "MemorySwappiness");
	if (!l->rootfs || !l->mounts || fill_env(c, l) < 0 || fill_args(c, l) < 0 ||
	    fill_rlimits(c, l) < 0)
		return err_nomem(e);
	s->rootfs = l->rootfs;
	s->mounts = l->mounts;
	s->n_mounts = l->n_mounts;
	s->args = l->args;
	s->env = l->env;
	s->group_add = l->group_add;
	s->cap_add = l->cap_add;
	s->cap_drop = l->cap_drop;
	s->masked_paths = paths_of(c, "MaskedPaths", l->masked, rt_masked_paths);
	s->readonly_paths = paths_of(c, "ReadonlyPaths", l->readonly, rt_readonly_paths);
	s->device_rules = l->rules;
	if (json_is_integer(json_object_get(h, "MemorySwappiness")) && l->swappiness >= 0)
		s->memory_swappiness = &l->swappiness;
	s->rlimits = l->rlimits;
	s->n_rlimits = l->n_rlimits;
	s->ipc_mode = l->ipc;
	s->pid_mode = l->pid;
	if (remapped(c)) {
		s->userns_path = c->en->userns_path;
		s->maps = &c->en->config->remap;
	}
	return 0;
}

int spec_write(struct container *c, struct err *e)
{
	const json_t *h = c->host_config;
	const char *wd = js(c->config, "WorkingDir"), *init = "Init";
	struct rt_spec s = {.id = c->id,
			    .readonly_rootfs = jb(h, "ReadonlyRootfs"),
			    .cwd = *wd ? wd : "/",
			    .user = js(c->config, "User"),
			    .hostname = js(c->config, "Hostname"),
			    .domainname = js(c->config, "Domainname"),
			    .tty = jb(c->config, "Tty"),
			    .privileged = jb(h, "Privileged"),
			    .init = !*js(h, "PidMode") &&
				    (json_object_get(h, init) ? jb(h, init) : c->en->config->init),
			    .init_path = c->en->config->init_path,
			    .uts_mode = js(h, "UTSMode"),
			    .cgroupns_mode = js(h, "CgroupnsMode"),
			    .sysctls = jo(h, "Sysctls"),
			    .devices = jo(h, "Devices")};
	struct loan l = {.seccomp = BUF_INIT(4u << 20)};
	int r = fill(c, &s, &l, e);

	if (r >= 0)
		resources(c, &s);
	if (r >= 0)
		r = rt_spec_write(c->en->runtime, &s, e);
	loan_done(&l);
	return r;
}
