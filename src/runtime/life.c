/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life.c - create, start, delete; a terminal's size */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/shim.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/filters.h"
#include "runtime/internal.h"

/* ---- create ---- */

struct create {
	struct runtime *r;
	char id[65];
	void (*cb)(int pid_or_err, const struct err *e, void *data);
	void *data;
};

static void made(int pid_or_err, const struct err *e, void *data)
{
	struct create *c = data;
	struct err mine = {0};
	int r = pid_or_err;

	if (r > 0) {
		int fd = (int)syscall(SYS_pidfd_open, r, 0);

		if (fd < 0)
			r = err_sys(&mine, errno, "the process of container %s is gone", c->id);
		else if (proc_add(c->r, c->id, pid_or_err, fd, &mine) < 0)
			r = mine.code;
		e = r < 0 ? &mine : NULL;
		filter_learn(c->r, c->id);
	}
	c->cb(r, e, c->data);
	free(c);
}

static void never_made(void *data)
{
	free(data);
}

static void forget_exit(const struct runtime *r, const char *id)
{
	auto_free char *path = str_printf("%s/exits/%s", r->exec_root, id);

	if (path)
		(void)fs_unlink(path);
}

int rt_create(struct runtime *r, const struct rt_create *rc,
	      void (*cb)(int pid_or_err, const struct err *e, void *data), void *data,
	      struct err *e)
{
	struct create *c = calloc(1, sizeof(*c));
	struct sync_ops ops = {.made = made, .dropped = never_made, .data = c};
	struct shim_args a = {.id = rc->id,
			      .log = &rc->log,
			      .tty = rc->tty,
			      .open_stdin = rc->open_stdin,
			      .stdin_once = rc->stdin_once,
			      .client_fd = -EBADF};
	int rv;

	if (!c)
		return err_nomem(e);
	*c = (struct create){.r = r, .cb = cb, .data = data};
	(void)snprintf(c->id, sizeof(c->id), "%s", rc->id);
	forget_exit(r, rc->id);
	rv = shim_start(r, &a, &ops, e);
	if (rv < 0)
		free(c);
	return rv;
}

/* ---- start ---- */

struct start {
	struct runtime *r;
	void (*cb)(int result, const struct err *e, void *data);
	void *data;
};

static void started(int result, const char *text, void *data)
{
	struct start *s = data;
	struct err e = {0};

	if (result < 0)
		result = rt_failure(s->r, false, text, &e);
	s->cb(result, result < 0 ? &e : NULL, s->data);
	free(s);
}

static void released(void *data)
{
	started(0, "", data);
}

/*
 * crun holds a created container back at <root>/<id>/exec.fifo: its start opens the fifo, unlinks
 * it (a container with a fifo is "created", one without "running") and writes a byte. Doing that
 * ourselves saves a third of a container's start, a whole run of crun. Wherever it is not as
 * expected (runc, no reader yet), the program does it. tests/unit/runtime proves that crun then
 * says "running".
 */
static bool release_fifo(const struct runtime *r, const char *id)
{
	auto_free char *path = str_printf("%s/%s/exec.fifo", r->root, id);
	auto_close int fd = -EBADF;

	if (!r->is_crun || !path)
		return false;
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && unlink(path) == 0 && write(fd, "", 1) == 1;
}

int rt_start(struct runtime *r, const char *id,
	     void (*cb)(int result, const struct err *e, void *data), void *data, struct err *e)
{
	const char *const argv[] = {"start", id, NULL};
	struct start *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_nomem(e);
	*s = (struct start){r, cb, data};
	rc = release_fifo(r, id) ? call_later(r, 0, released, free, s)
				 : call_run(r, argv, started, free, s);
	if (rc < 0) {
		free(s);
		return err_sys(e, -rc, "cannot start %s", r->program);
	}
	return 0;
}

/* ---- delete ---- */

#define KILLED_CODE  (128 + SIGKILL)
#define SHIM_MS	     2000 /* for the shim to end behind its container, before it is killed */
#define LINGER_MS    10	  /* between looks at a cgroup whose processes were just killed */
#define LINGER_TRIES 100

/*
 * What still runs is killed; then the exit file or the shim's end is awaited, for a late exit file
 * would be taken for one of the container's next life; then what is left is removed: the bundle,
 * the runtime's state, the cgroups. That is all that the runtime's own delete does for containers
 * without hooks, and costs no run of it.
 */
struct del {
	struct list node; /* while it waits for the shim */
	struct runtime *r;
	char id[ID_LEN + 1];
	char *cgroup; /* read before the bundle goes */
	struct source *late;
	int tries;
	void (*cb)(int result, void *data);
	void *data;
};

static void del_free(void *data)
{
	struct del *d = data;

	list_remove(&d->node);
	(void)source_free(d->late);
	free(d->cgroup);
	free(d);
}

/* The last step: the cgroup, then the answer. A runtime that was killed half-way leaves processes
 * that no state of its own tells of. */
static void remove_cgroup(void *data)
{
	struct del *d = data;
	int rc = cgroup_remove(d->cgroup);

	if (rc == -EBUSY && d->tries++ < LINGER_TRIES && cgroup_kill(d->cgroup, 0) != -ENOMEM &&
	    call_later(d->r, LINGER_MS, remove_cgroup, del_free, d) >= 0)
		return;
	if (d->cb)
		d->cb(rc, d->data);
	del_free(d);
}

static void remove_rest(struct del *d)
{
	auto_free char *bundle = rt_path(d->r, d->id, NULL, NULL);
	auto_free char *state = str_printf("%s/%s", d->r->root, d->id);
	struct proc *p = proc_find(d->r, d->id);

	list_remove(&d->node);
	d->late = source_free(d->late);
	if (p)
		proc_exit(p, KILLED_CODE);
	forget_exit(d->r, d->id);
	if (!bundle || !state || fs_rm_tree(bundle) < 0 || fs_rm_tree(state) < 0)
		log_warn("a bundle cannot be removed container=%s", d->id);
	remove_cgroup(d);
}

static void shim_is_late(void *data)
{
	struct del *d = data;

	log_warn("a shim does not end, it is killed container=%s", d->id);
	shim_end(d->r, d->id);
}

static void await_shim(void *data)
{
	struct del *d = data;
	int64_t ns;
	int code;

	if (exit_file(d->r, d->id, &code, &ns) >= 0 || !shim_lives(d->r, d->id) ||
	    loop_timer(d->r->loop, SHIM_MS, shim_is_late, d, &d->late) < 0)
		remove_rest(d);
	else
		list_append(&d->r->dels, &d->node);
}

void dels_go_on(struct runtime *r, const char *id)
{
	struct del *d;

	list_for_each (d, &r->dels, node)
		if (streq(d->id, id)) {
			remove_rest(d);
			return;
		}
}

void dels_drop(struct runtime *r)
{
	struct del *d;

	list_for_each (d, &r->dels, node)
		del_free(d);
}

/* What runs, or is held back by the runtime, ends. */
static void kill_all(struct runtime *r, const struct del *d)
{
	const struct proc *p = proc_find(r, d->id);
	int64_t ns;
	int code;

	if (p && p->watch)
		(void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
	else if (exit_file(r, d->id, &code, &ns) >= 0)
		return;			/* the usual way: it ended by itself */
	else if (!shim_lives(r, d->id)) /* one of a life before may be about to make it */
		shim_kill(r, d->id);
	(void)cgroup_kill(d->cgroup, 0);
}

int rt_delete(struct runtime *r, const char *id, void (*cb)(int result, void *data), void *data)
{
	struct del *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return -ENOMEM;
	*d = (struct del){.r = r, .cgroup = rt_cgroup(r, id), .cb = cb, .data = data};
	(void)snprintf(d->id, sizeof(d->id), "%s", id);
	if (!d->cgroup) {
		del_free(d);
		return -ENOMEM;
	}
	kill_all(r, d);
	rc = call_later(r, 0, await_shim, del_free, d);
	if (rc < 0)
		del_free(d);
	return rc;
}

/* ---- terminals ---- */

int rt_resize(struct runtime *r, const char *id, const char *exec_id, unsigned rows, unsigned cols)
{
	struct shim_packet p = {.kind = SHIM_SIZE,
				.rows = (uint16_t)MIN(rows, 65535u),
				.cols = (uint16_t)MIN(cols, 65535u)};
	auto_close int fd = -EBADF;
	char room[8];
	size_t len = shim_format(&p, room, sizeof(room));

	if (exec_id)
		return shim_exec_size(r, id, exec_id, p.rows, p.cols);
	fd = attach_connect(r, id);
	if (fd < 0)
		return fd;
	return send(fd, room, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
