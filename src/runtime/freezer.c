/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * freezer.c - all processes of a container stand still, or go on
 *
 * The freezer's file is written directly: a run of the runtime for it would take ten times as long.
 * v1: freezer.state, which reads FREEZING until all stand (a process that is being made meanwhile
 * needs the word again). v2: cgroup.freeze, and "frozen 1" in cgroup.events.
 */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_file.h"
#include "runtime/control.h"
#include "runtime/internal.h"

#define FREEZE_MS     5000
#define LOOK_FIRST_MS 1
#define LOOK_MAX_MS   50

struct freeze {
	struct runtime *r;
	char *cgroup;
	int64_t deadline;
	int64_t pause_ms;
	int result;
	void (*cb)(int result, void *data);
	void *data;
};

static void freeze_free(void *data)
{
	struct freeze *f = data;

	free(f->cgroup);
	free(f);
}

static int set(const char *cgroup, bool frozen)
{
	if (cgroup_layout() == CGROUP_V2)
		return cgroup_write("", cgroup, "cgroup.freeze", frozen ? "1" : "0");
	return cgroup_write("freezer", cgroup, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

static bool stands(const char *cgroup)
{
	auto_buf struct buf text = BUF_INIT(CGROUP_FILE_MAX);

	if (cgroup_layout() == CGROUP_V2)
		return cgroup_read("", cgroup, "cgroup.events", &text) >= 0 &&
		       strstr(buf_str(&text), "frozen 1");
	return cgroup_read("freezer", cgroup, "freezer.state", &text) >= 0 &&
	       str_has_prefix(buf_str(&text), "FROZEN");
}

static void told(void *data)
{
	struct freeze *f = data;

	f->cb(f->result, f->data);
	freeze_free(f);
}

static void look(void *data)
{
	struct freeze *f = data;

	if (stands(f->cgroup)) {
		told(f);
		return;
	}
	if (clock_mono_ns() < f->deadline && set(f->cgroup, true) >= 0) {
		f->pause_ms = MIN(f->pause_ms * 2, (int64_t)LOOK_MAX_MS);
		if (call_later(f->r, f->pause_ms, look, freeze_free, f) >= 0)
			return;
	}
	(void)set(f->cgroup, false); /* some of them may stand */
	f->result = -ETIMEDOUT;
	told(f);
}

int rt_freeze(struct runtime *r, const char *id, void (*cb)(int result, void *data), void *data)
{
	struct freeze *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return -ENOMEM;
	*f = (struct freeze){.r = r,
			     .cgroup = rt_cgroup(r, id),
			     .deadline = clock_mono_ns() + FREEZE_MS * NS_PER_MS,
			     .pause_ms = LOOK_FIRST_MS,
			     .cb = cb,
			     .data = data};
	rc = f->cgroup ? set(f->cgroup, true) : -ENOMEM;
	if (rc >= 0) /* most stand when the write returns; the answer comes later in any case */
		rc = call_later(r, stands(f->cgroup) ? 0 : f->pause_ms, look, freeze_free, f);
	if (rc < 0) {
		if (f->cgroup)
			(void)set(f->cgroup, false);
		freeze_free(f);
	}
	return rc;
}

int rt_thaw(struct runtime *r, const char *id)
{
	auto_free char *cgroup = rt_cgroup(r, id);

	return cgroup ? set(cgroup, false) : -ENOMEM;
}

bool rt_frozen(struct runtime *r, const char *id)
{
	auto_free char *cgroup = rt_cgroup(r, id);
	auto_buf struct buf text = BUF_INIT(CGROUP_FILE_MAX);

	/* what was asked for, not whether the last process stands already */
	if (!cgroup)
		return false;
	if (cgroup_layout() == CGROUP_V2)
		return cgroup_read("", cgroup, "cgroup.freeze", &text) >= 0 &&
		       str_has_prefix(buf_str(&text), "1");
	return cgroup_read("freezer", cgroup, "freezer.state", &text) >= 0 &&
	       str_has_prefix(buf_str(&text), "FR");
}

int rt_pids(struct runtime *r, const char *id, pid_t **ret, size_t *ret_n)
{
	auto_free char *cgroup = rt_cgroup(r, id);

	return cgroup ? cgroup_pids(cgroup, ret, ret_n) : -ENOMEM;
}
