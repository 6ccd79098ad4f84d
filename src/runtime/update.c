/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * update.c - other limits for a running container
 *
 * The runtime's own update: it knows what of the spec is which file on v1 and v2, and in which
 * order memory and swap must change.
 */

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "runtime/cgroup_file.h"
#include "runtime/control.h"
#include "runtime/spec.h"

#define RESOURCES_MAX (1u << 20)

struct update {
	struct runtime *r;
	char id[ID_LEN + 1];
	char *file;
	bool no_pids_limit;
	void (*cb)(int result, const struct err *e, void *data);
	void *data;
};

static void update_free(void *data)
{
	struct update *u = data;

	if (u->file)
		(void)fs_unlink(u->file);
	free(u->file);
	free(u);
}

/* The spec has no word for it that every runtime knows. */
static int lift_pids(const struct update *u, struct err *e)
{
	auto_free char *cgroup = rt_cgroup(u->r, u->id);
	int r = cgroup ? cgroup_write("pids", cgroup, "pids.max", "max") : -ENOMEM;

	return r < 0 ? err_sys(e, -r, "cannot lift the limit of processes") : 0;
}

/* The runtime's last line, without its own "error" words. */
static void updated(int result, const char *text, void *data)
{
	struct update *u = data;
	struct err e = {0};

	if (result < 0)
		result = err_set(&e, ERR_INTERNAL, EIO, "%s update: %.*s", u->r->name,
				 (int)strcspn(text, "\n"), text);
	else if (u->no_pids_limit)
		result = lift_pids(u, &e);
	u->cb(result, result < 0 ? &e : NULL, u->data);
	update_free(u);
}

static int write_file(struct update *u, const struct rt_spec *s, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(RESOURCES_MAX);
	struct jsonw w = JSONW_INIT(&text);
	int r = spec_resources(&w, s, NULL, e);

	u->file = rt_path(u->r, s->id, NULL, "update.json");
	if (r < 0)
		return r;
	if (buf_err(&text) || !u->file)
		return err_nomem(e);
	r = fs_write(u->file, text.data, text.len, 0600);
	return r < 0 ? err_sys(e, -r, "cannot write %s", u->file) : 0;
}

int rt_update(struct runtime *r, const struct rt_spec *s,
	      void (*cb)(int result, const struct err *e, void *data), void *data, struct err *e)
{
	struct update *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return err_nomem(e);
	*u = (struct update){.r = r, .no_pids_limit = s->pids_limit == -1, .cb = cb, .data = data};
	(void)snprintf(u->id, sizeof(u->id), "%s", s->id);
	rc = write_file(u, s, e);
	if (rc >= 0) {
		const char *const argv[] = {"update", "--resources", u->file, s->id, NULL};

		rc = call_run(r, argv, updated, update_free, u);
		if (rc < 0)
			(void)err_sys(e, -rc, "cannot start %s", r->program);
	}
	if (rc < 0)
		update_free(u);
	return rc;
}
