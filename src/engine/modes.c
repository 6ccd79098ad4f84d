/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modes.c - whose namespaces a container uses: its own, the host's, another container's
 *
 * IpcMode: private (own, /dev/shm only for itself), shareable (own, others may join), none (own,
 * without /dev/shm), host, container:X. PidMode: own, host, container:X. UTSMode and UsernsMode:
 * own, host. CgroupnsMode: private, host.
 */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/mounts.h"

#define JOIN "container:"

/* ---- at create ---- */

static int set_default(json_t *host, const char *key, const char *value, struct err *e)
{
	if (*js(host, key))
		return 0;
	return json_object_set_new(host, key, json_string(value)) < 0 ? err_nomem(e) : 0;
}

int modes_defaults(struct engine *en, json_t *host, struct err *e)
{
	const struct daemon_config *conf = en->config;
	bool v1 = en->runtime && runtime_cgroup_version(en->runtime) == 1;
	const char *cgroupns = conf->default_cgroupns_mode;
	int64_t shm = 64 << 20;
	int r = set_default(host, "IpcMode",
			    conf->default_ipc_mode ? conf->default_ipc_mode : "private", e);

	if (r < 0)
		return r;
	if (!cgroupns)
		cgroupns = v1 ? "host" : "private";
	if (v1 && jb(host, "Privileged"))
		cgroupns = "host";
	r = set_default(host, "CgroupnsMode", cgroupns, e);
	if (r < 0 || ji(host, "ShmSize"))
		return r;
	if (conf->default_shm_size && parse_ram(conf->default_shm_size, &shm) < 0)
		return err_invalid(e, "invalid size: '%s'", conf->default_shm_size);
	return json_object_set_new(host, "ShmSize", json_integer(shm)) < 0 ? err_nomem(e) : 0;
}

static bool joins(const char *mode)
{
	return str_has_prefix(mode, JOIN);
}

static bool one_of(const char *mode, const char *const *words)
{
	for (; *words; words++)
		if (streq(*words, mode))
			return true;
	return joins(mode) && mode[strlen(JOIN)];
}

int modes_check(const json_t *config, const json_t *host, struct err *e)
{
	static const char *const ipc[] = {"", "none", "private", "shareable", "host", NULL};
	static const char *const pid[] = {"", "host", NULL};
	const char *uts = js(host, "UTSMode"), *cgroup = js(host, "CgroupnsMode");
	const char *userns = js(host, "UsernsMode");

	if (!one_of(js(host, "IpcMode"), ipc))
		return err_invalid(e, "invalid IPC mode: %s", js(host, "IpcMode"));
	if (!one_of(js(host, "PidMode"), pid))
		return err_invalid(e, "invalid PID mode: %s", js(host, "PidMode"));
	if (*uts && !streq(uts, "host"))
		return err_invalid(e, "invalid UTS mode: %s", uts);
	if (*cgroup && !streq(cgroup, "host") && !streq(cgroup, "private"))
		return err_invalid(e, "invalid cgroup namespace mode: %s", cgroup);
	if (*userns && !streq(userns, "host"))
		return err_invalid(e, "invalid user namespace mode: %s", userns);
	if (streq(uts, "host") && *js(config, "Hostname"))
		return err_invalid(e, "conflicting options: hostname and the UTS mode");
	return 0;
}

static int by_id(struct container *c, const char *key, struct err *e)
{
	const char *mode = js(c->host_config, key);
	auto_free char *text = NULL;
	struct container *peer;
	int r;

	if (!joins(mode))
		return 0;
	r = engine_find(c->en, mode + strlen(JOIN), &peer, e);
	if (r < 0)
		return r;
	text = str_printf(JOIN "%s", peer->id);
	return !text || json_object_set_new(c->host_config, key, json_string(text)) < 0
		       ? err_nomem(e)
		       : 0;
}

int modes_resolve(struct container *c, struct err *e)
{
	static const char *const keys[] = {"NetworkMode", "IpcMode", "PidMode"};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(keys); i++)
		r = by_id(c, keys[i], e);
	return r;
}

/* ---- at start ---- */

int modes_peer(struct container *c, const char *key, struct container **ret, struct err *e)
{
	const char *mode = js(c->host_config, key), *what = streq(key, "IpcMode") ? "IPC" : "PID";
	struct container *peer;
	int r = 0;

	*ret = NULL;
	if (!joins(mode))
		return 0;
	r = engine_find(c->en, mode + strlen(JOIN), &peer, e);
	if (r >= 0 && peer->st.status == CONTAINER_RESTARTING)
		r = err_conflict(e,
				 "container %s is restarting, wait until the container is running",
				 peer->id);
	else if (r >= 0 && peer->st.status != CONTAINER_RUNNING)
		r = err_conflict(e, "container %s is not running", peer->id);
	else if (r >= 0 && streq(key, "IpcMode") && !shm_owner(peer) &&
		 !streq(js(peer->host_config, "IpcMode"), "host"))
		r = err_invalid(e,
				"container %s: non-shareable IPC (hint: use IpcMode:shareable for "
				"the donor container)",
				peer->id);
	if (r >= 0)
		r = remap_join_check(c, peer, what, e);
	if (r < 0) {
		(void)err_wrap(e, "failed to join %s namespace", what);
		return r;
	}
	*ret = peer;
	return 0;
}

/* A chain of joined ones ends at the one that shares; a peer that is gone ends it, too. */
struct container *shm_owner(struct container *c)
{
	for (int depth = 0; c && depth < 16; depth++) {
		const char *mode = js(c->host_config, "IpcMode");

		if (streq(mode, "shareable"))
			return c;
		if (!joins(mode) || engine_find(c->en, mode + strlen(JOIN), &c, NULL) < 0)
			return NULL;
	}
	return NULL;
}
