/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * archive.c - archives in and out of containers: a helper inside the container's root
 *
 * A transfer waits for the container's turn where it does not run (it may be starting), has the
 * root mounted and the volumes filled from the image as a start does, and starts the helper with a
 * detached clone of the root: from then on nothing that becomes of the container disturbs it. The
 * turn ends with that; the mount stays until the helper has ended (rootfs.c).
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/archive.h"
#include "engine/internal.h"
#include "image/task.h"
#include "runtime/users.h"

struct transfer {
	struct engine *en;
	char id[ID_LEN + 1]; /* of the container, which may go meanwhile */
	enum transfer_verb verb;
	char *path;
	unsigned flags;
	struct transfer_ops ops;
	struct helper_child *helper; /* NULL: not started yet */
	struct container *locked;    /* whose turn it is */
	bool taken, eof, aborted;
	bool inside; /* engine_transfer(): failures are returned */
	struct err err;
};

static const char *verb_name(enum transfer_verb v)
{
	static const char *const names[] = {"stat", "get", "put", "export"};

	return names[v];
}

static void transfer_free(struct transfer *t)
{
	free(t->path);
	free(t);
}

static void end(struct transfer *t, int result, const struct err *e)
{
	struct transfer_ops ops = t->ops;

	if (t->taken && !t->en->closing)
		rootfs_give(t->en, t->id);
	if (t->locked)
		container_unlock(t->locked);
	if (t->inside) {
		t->inside = false;
		t->err = *e;
		return;
	}
	transfer_free(t);
	ops.done(result, e, ops.data);
}

/* ---- what the helper says ---- */

static void container_tell(struct transfer *t, const char *action)
{
	struct container *c = map_get(t->en->by_id, t->id);

	if (c)
		container_event(c, action, NULL, NULL);
}

static int on_line(const json_t *line, void *data, struct err *e)
{
	struct transfer *t = data;
	const json_t *st = json_object_get(line, "stat");
	struct path_stat out = {.name = js(st, "name"),
				.size = ji(st, "size"),
				.mode = (uint32_t)ji(st, "mode"),
				.mtime_ns = ji(st, "mtime"),
				.target = js(st, "target")};

	if (!st)
		return err_invalid(e, "the helper's report has an unknown line");
	if (t->verb == TRANSFER_GET)
		container_tell(t, "archive-path");
	t->ops.stat(&out, t->ops.data);
	return 0;
}

static int on_piece(const void *piece, size_t len, void *data)
{
	struct transfer *t = data;

	return t->ops.piece(piece, len, t->ops.data);
}

static void on_writable(void *data)
{
	struct transfer *t = data;

	t->ops.writable(t->ops.data);
}

static void on_done(int result, const struct err *e, void *data)
{
	struct transfer *t = data;

	if (result >= 0 && t->verb == TRANSFER_PUT && !t->en->closing)
		container_tell(t, "extract-to-dir");
	end(t, result, e);
}

/* ---- the start ---- */

static bool is_read_only(const char *options)
{
	auto_strv char **v = NULL;

	return strv_split(options, ",", &v) >= 0 && (strv_has(v, "ro") || strv_has(v, "rro"));
}

/* what the runtime mounts, but file systems of the kernel's and of memory: they are not ours */
static int add_mounts(struct container *c, json_t *request)
{
	json_t *list = json_array();
	struct rt_mount *m;
	char dir[4096];
	size_t n = 0;
	int r = 0;

	(void)storage_container_dir(c->en->storage, "", dir, sizeof(dir));
	m = mounts_for_spec(c, &n);
	if (json_object_set_new(request, "mounts", list) < 0 || !m)
		r = -ENOMEM;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (streq(m[i].type, "bind"))
			r = json_array_append_new(
				list, json_pack("{s:s,s:s,s:b,s:b}", "source", m[i].source,
						"target", m[i].target, "ro",
						m[i].options && is_read_only(m[i].options),
						/* hosts and the like are made by the first start */
						"optional", str_has_prefix(m[i].source, dir)));
	mounts_free(m, n);
	return r < 0 ? -ENOMEM : 0;
}

/* all belongs to the container's user, as its own files say who that is */
static int add_owner(struct container *c, const char *root, json_t *request, struct err *e)
{
	const char *user = js(c->config, "User");
	auto_user_ids struct user_ids ids = {0};

	if (!*user)
		return 0;
	int r = users_resolve(root, user, NULL, &ids, e);

	if (r < 0)
		return r;
	return json_object_set_new(request, "chown",
				   json_pack("[I,I]", (json_int_t)ids.uid, (json_int_t)ids.gid)) < 0
		       ? err_nomem(e)
		       : 0;
}

/* files are seen and made with the ids that they have inside */
static int add_userns_root(const struct container *c, json_t *request, struct err *e)
{
	const struct idmaps *m = &c->en->config->remap;

	return json_object_set_new(request, "userns_root",
				   json_pack("[I,I]", (json_int_t)m->uid.v[0].first,
					     (json_int_t)m->gid.v[0].first)) < 0
		       ? err_nomem(e)
		       : 0;
}

static int make_request(struct transfer *t, struct container *c, const char *root, json_t **ret,
			struct err *e)
{
	auto_json json_t *j = json_pack("{s:s,s:b,s:b}", "path", t->path ? t->path : "/",
					"read_only", jb(c->host_config, "ReadonlyRootfs"),
					"no_overwrite", !!(t->flags & TRANSFER_NO_OVERWRITE));
	int r = 0;

	if (!j)
		return err_invalid(e, "the path is not valid UTF-8");
	if (t->verb != TRANSFER_EXPORT && add_mounts(c, j) < 0)
		return err_nomem(e);
	if (t->flags & TRANSFER_COPY_OWNER)
		r = add_owner(c, root, j, e);
	if (r >= 0 && remapped(c))
		r = add_userns_root(c, j, e);
	if (r >= 0)
		*ret = TAKE_PTR(j);
	return r;
}

static int start_helper(struct transfer *t, struct container *c, struct err *e)
{
	char dir[4096];
	auto_free char *root = str_printf("%s/merged", container_dir(c, dir, sizeof(dir)));
	auto_json json_t *request = NULL;
	bool reads = t->verb == TRANSFER_GET || t->verb == TRANSFER_EXPORT;
	const struct helper_ops ops = {.line = t->ops.stat ? on_line : NULL,
				       .out = reads ? on_piece : NULL,
				       .writable = t->ops.writable ? on_writable : NULL,
				       .done = on_done,
				       .data = t};
	struct helper_task task = HELPER_TASK_INIT;

	if (!root)
		return err_nomem(e);
	int r = make_request(t, c, root, &request, e);

	if (r < 0)
		return r;
	auto_close int clone = open_tree(AT_FDCWD, root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (clone < 0)
		return err_sys(e, errno, "cannot open the root file system of container %s",
			       c->name);
	task.verb = verb_name(t->verb);
	task.dir = root;
	task.request = request;
	task.root = clone;
	task.userns = remapped(c) ? c->en->userns : 0;
	task.in = t->verb == TRANSFER_PUT;
	return helper_start(c->en->images, &task, &ops, &t->helper, e);
}

/* The root is mounted and its volumes are filled. */
static void go(struct transfer *t, struct container *c)
{
	struct err e = {0};
	int r = t->aborted ? err_set(&e, ERR_INTERNAL, ECANCELED, "the client is gone")
			   : start_helper(t, c, &e);

	if (r < 0) {
		end(t, r, &e);
		return;
	}
	if (t->locked)
		container_unlock(t->locked);
	t->locked = NULL;
	if (t->verb == TRANSFER_EXPORT)
		container_tell(t, "export");
	if (t->eof)
		helper_eof(t->helper);
	else if (t->ops.writable && !t->inside)
		t->ops.writable(t->ops.data);
}

static void volumes_filled(int result, const struct err *e, void *data)
{
	struct transfer *t = data;

	if (result < 0)
		end(t, result, e);
	else
		go(t, t->locked);
}

static int check(const struct container *c, struct err *e)
{
	if (c->gone || c->st.status == CONTAINER_REMOVING)
		return err_conflict(e,
				    "container %s is marked for removal and its files cannot be "
				    "reached",
				    c->id);
	if (c->st.status == CONTAINER_DEAD)
		return err_conflict(e, "container %s is dead and its files cannot be reached",
				    c->id);
	return 0;
}

static void my_turn(struct container *c, void *data)
{
	struct transfer *t = data;
	struct err e = {0};
	int r = check(c, &e);

	t->locked = c;
	if (r >= 0)
		r = rootfs_mount(c, &e);
	if (r < 0) {
		end(t, r, &e);
		return;
	}
	rootfs_take(c);
	t->taken = true;
	if (container_running(c) || t->verb == TRANSFER_EXPORT)
		go(t, c);
	else
		rootfs_fill_volumes(c, volumes_filled, t);
}

int engine_transfer(struct container *c, enum transfer_verb verb, const char *path, unsigned flags,
		    const struct transfer_ops *ops, struct transfer **ret, struct err *e)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t)
		return err_nomem(e);
	*t = (struct transfer){
		.en = c->en, .verb = verb, .flags = flags, .ops = *ops, .inside = true};
	(void)snprintf(t->id, sizeof(t->id), "%s", c->id);
	if (str_set(&t->path, path) < 0) {
		transfer_free(t);
		return err_nomem(e);
	}
	if (container_running(c) && !c->cleaning) {
		rootfs_take(c);
		t->taken = true;
		go(t, c);
	} else {
		container_lock(c, my_turn, t);
	}
	if (!t->inside) { /* it failed at once */
		int r = err_set(e, t->err.kind, -t->err.code, "%s", t->err.msg);

		transfer_free(t);
		return r;
	}
	t->inside = false;
	*ret = t;
	return 0;
}

/* ---- the bytes ---- */

ssize_t transfer_write(struct transfer *t, const char *data, size_t len)
{
	return t->helper ? helper_write(t->helper, data, len) : 0;
}

void transfer_eof(struct transfer *t)
{
	t->eof = true;
	if (t->helper)
		helper_eof(t->helper);
}

void transfer_resume(struct transfer *t)
{
	if (t->helper)
		helper_resume(t->helper);
}

void transfer_abort(struct transfer *t)
{
	t->aborted = true;
	if (t->helper)
		helper_abort(t->helper);
}
