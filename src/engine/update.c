/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * update.c - POST /containers/{id}/update: other limits and another restart policy
 *
 * Only what the request names changes. A running container's cgroup changes first, then the store:
 * whoever finds a limit in inspect finds it in force.
 */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "runtime/control.h"

struct update {
	struct container *c;
	json_t *asked; /* HostConfig keys of the request, zero and absent ones left out */
	json_t *fresh; /* the whole HostConfig as it will be */
	char **warnings;
	update_cb cb;
	void *data;
};

static void update_done(struct update *u, int result, const struct err *e)
{
	u->cb(result, u->warnings, e, u->data);
	if (u->c)
		container_unlock(u->c);
	json_decref(u->asked);
	json_decref(u->fresh);
	strv_free(u->warnings);
	free(u);
}

/* ---- the request ---- */

static const char *const numbers[] = {"Memory",	     "MemorySwap",	  "MemoryReservation",
				      "NanoCpus",    "CpuShares",	  "CpuPeriod",
				      "CpuQuota",    "CpuRealtimePeriod", "CpuRealtimeRuntime",
				      "BlkioWeight", "PidsLimit"};
static const char *const texts[] = {"CpusetCpus", "CpusetMems"};
/* Docker takes the rest of Resources and leaves it as it was */

static int read_policy(const json_t *body, json_t *out, struct err *e)
{
	const char *name;
	int64_t max;
	json_t *policy;
	int r = json_get_obj(body, "UpdateConfig", "RestartPolicy", &policy, e);

	if (r < 0 || !policy)
		return r;
	r = json_get_str(policy, "RestartPolicy", "Name", &name, e);
	if (r >= 0)
		r = json_get_i64(policy, "RestartPolicy", "MaximumRetryCount", &max, e);
	if (r < 0 || str_empty(name))
		return r;
	(void)json_object_set_new(
		out, "RestartPolicy",
		json_pack("{s:s, s:I}", "Name", name, "MaximumRetryCount", (json_int_t)max));
	return restart_policy_valid(out, e);
}

static int read_body(const json_t *body, json_t **ret, struct err *e)
{
	auto_json json_t *out = json_object();
	int r = out ? 0 : err_nomem(e);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(numbers); i++) {
		int64_t n;

		r = json_get_i64(body, "UpdateConfig", numbers[i], &n, e);
		/* a process limit of 0 is said, and means none */
		if (r >= 0 && (n || (streq(numbers[i], "PidsLimit") && json_get(body, numbers[i]))))
			(void)json_object_set_new(out, numbers[i], json_integer(n));
	}
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++) {
		const char *s;

		r = json_get_str(body, "UpdateConfig", texts[i], &s, e);
		if (r >= 0 && !str_empty(s))
			(void)json_object_set_new(out, texts[i], json_string(s));
	}
	if (r >= 0)
		r = read_policy(body, out, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(out);
	return 0;
}

/* ---- what does not go together with what is set ---- */

static int conflict(const json_t *asked, const json_t *now, struct err *e)
{
	static const struct {
		const char *asked, *set, *text;
	} rows[] = {
		{"NanoCpus", "CpuPeriod",
		 "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been "
		 "set"},
		{"NanoCpus", "CpuQuota",
		 "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been "
		 "set"},
		{"CpuPeriod", "NanoCpus",
		 "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been "
		 "set"},
		{"CpuQuota", "NanoCpus",
		 "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been "
		 "set"},
	};
	int64_t mem = ji(asked, "Memory"), swap = ji(now, "MemorySwap");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (ji(asked, rows[i].asked) > 0 && ji(now, rows[i].set) > 0)
			return err_conflict(e, "%s", rows[i].text);
	/* one that has no limit at all gets the default one for swap */
	if (mem > 0 && swap > 0 && mem > swap && !ji(asked, "MemorySwap"))
		return err_conflict(e, "Memory limit should be smaller than already set "
				       "memoryswap limit, update the memoryswap at the same time");
	if (ji(asked, "MemorySwap") > 0 && !mem && !ji(now, "Memory"))
		return err_invalid(e, "You should always set the Memory limit when using "
				      "Memoryswap limit, see usage");
	if (jb(now, "AutoRemove") && jo(asked, "RestartPolicy") &&
	    !streq(js(jo(asked, "RestartPolicy"), "Name"), "no"))
		return err_conflict(e, "Restart policy cannot be updated because AutoRemove is "
				       "enabled for the container");
	return 0;
}

static int merge(struct update *u, struct err *e)
{
	struct container *c = u->c;
	int64_t mem = ji(u->asked, "Memory");
	int r;

	if (c->gone)
		return err_not_found(e, "No such container: %s", c->id);
	if (c->st.status == CONTAINER_REMOVING || c->st.status == CONTAINER_DEAD)
		r = err_conflict(e, "Container is marked for removal and cannot be \"update\".");
	else
		r = conflict(u->asked, c->host_config, e);
	if (r < 0)
		return err_wrap(e, "Cannot update container %s", c->id);
	u->fresh = json_copy(c->host_config);
	if (!u->fresh || json_object_update(u->fresh, u->asked) < 0)
		return err_nomem(e);
	if (mem > 0 && !ji(u->fresh, "MemorySwap"))
		(void)json_object_set_new(u->fresh, "MemorySwap", json_integer(2 * mem));
	return 0;
}

/* ---- doing it ---- */

/* The limits of @host that @asked names. */
static struct rt_spec limits(const struct container *c, const json_t *asked, const json_t *host)
{
	bool memory = ji(asked, "Memory") || ji(asked, "MemorySwap");
	int64_t pids = ji(asked, "PidsLimit");
	struct rt_spec s = {.id = c->id,
			    .memory_reservation = ji(asked, "MemoryReservation"),
			    .nano_cpus = ji(asked, "NanoCpus"),
			    .cpu_shares = ji(asked, "CpuShares"),
			    .cpu_period = ji(asked, "CpuPeriod"),
			    .cpu_quota = ji(asked, "CpuQuota"),
			    .cpu_rt_period = ji(asked, "CpuRealtimePeriod"),
			    .cpu_rt_runtime = ji(asked, "CpuRealtimeRuntime"),
			    .blkio = asked};

	if (memory) { /* they change together: one bounds the other */
		s.memory = ji(host, "Memory");
		s.memory_swap = ji(host, "MemorySwap");
	}
	if (json_object_get(asked, "PidsLimit"))
		s.pids_limit = pids > 0 ? pids : -1;
	if (json_object_get(asked, "CpusetCpus"))
		s.cpuset_cpus = js(asked, "CpusetCpus");
	if (json_object_get(asked, "CpusetMems"))
		s.cpuset_mems = js(asked, "CpusetMems");
	return s;
}

static void back(int result, const struct err *e, void *data)
{
	(void)data;
	if (result < 0)
		log_error("limits that could not be stored stay in force: %s", e->msg);
}

static void commit(struct update *u)
{
	struct container *c = u->c;
	json_t *old = c->host_config;
	struct err e = {0};
	int r;

	c->host_config = u->fresh;
	r = container_save(c, &e);
	if (r < 0) {
		struct rt_spec s = limits(c, u->asked, old);

		c->host_config = old;
		if (c->st.status == CONTAINER_RUNNING &&
		    rt_update(c->en->runtime, &s, back, NULL, NULL) < 0)
			back(-ENOMEM, &e, NULL);
		update_done(u, r, &e);
		return;
	}
	u->fresh = old; /* freed with the rest */
	container_event(c, "update", NULL, NULL);
	update_done(u, 0, NULL);
}

static void updated(int result, const struct err *e, void *data)
{
	struct update *u = data;
	struct err mine = {0};

	/* one that has ended meanwhile has its new limits the next time */
	if (result < 0 && u->c->st.status == CONTAINER_RUNNING) {
		if (e)
			mine = *e;
		result = err_wrap(&mine, "Cannot update container %s", u->c->id);
		update_done(u, result, &mine);
		return;
	}
	commit(u);
}

static bool any_limit(const json_t *asked)
{
	return json_object_size(asked) > (json_object_get(asked, "RestartPolicy") ? 1 : 0);
}

static void update_turn(struct container *c, void *data)
{
	struct update *u = data;
	struct rt_spec s;
	struct err e = {0};
	int r;

	u->c = c;
	r = merge(u, &e);
	if (r >= 0 && c->st.status == CONTAINER_RUNNING && any_limit(u->asked)) {
		s = limits(c, u->asked, u->fresh);
		r = rt_update(c->en->runtime, &s, updated, u, &e);
		if (r >= 0)
			return;
	}
	if (r < 0)
		update_done(u, r, &e);
	else
		commit(u);
}

/* Takes out what this host cannot do. */
static int adjust(struct update *u)
{
	bool swap = json_object_get(u->asked, "MemorySwap") != NULL;
	int r = resources_adjust(u->asked, &u->warnings);

	if (!swap) /* the default is made of what the container has */
		(void)json_object_del(u->asked, "MemorySwap");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!ji(u->asked, numbers[i]) && !streq(numbers[i], "PidsLimit"))
			(void)json_object_del(u->asked, numbers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!*js(u->asked, texts[i]))
			(void)json_object_del(u->asked, texts[i]);
	return r;
}

void engine_update(struct container *c, const json_t *body, update_cb cb, void *data)
{
	struct update *u = calloc(1, sizeof(*u));
	struct err e = {0};
	int r;

	if (!u) {
		cb(err_nomem(&e), NULL, &e, data);
		return;
	}
	*u = (struct update){.cb = cb, .data = data};
	r = read_body(body, &u->asked, &e);
	if (r >= 0)
		r = resources_valid(u->asked, true, &e);
	if (r >= 0)
		r = adjust(u) < 0 ? err_nomem(&e) : 0;
	if (r < 0)
		update_done(u, r, &e);
	else
		container_lock(c, update_turn, u);
}
