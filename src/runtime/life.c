/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life.c - create, start, delete; signals */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup.h"
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
	}
	c->cb(r, e, c->data);
	free(c);
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
	struct sync_ops ops = {.made = made, .data = c};
	struct conmon_args a = {.id = rc->id,
				.log_path = rc->log_path,
				.log_max_bytes = rc->log_max_bytes,
				.tty = rc->tty,
				.open_stdin = rc->open_stdin,
				.stdin_once = rc->stdin_once};
	int rv;

	if (!c)
		return err_nomem(e);
	*c = (struct create){.r = r, .cb = cb, .data = data};
	(void)snprintf(c->id, sizeof(c->id), "%s", rc->id);
	forget_exit(r, rc->id);
	rv = conmon_start(r, &a, &ops, e);
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
	rc = release_fifo(r, id) ? loop_defer(r->loop, released, s, NULL)
				 : call_run(r, argv, started, s);
	if (rc < 0) {
		free(s);
		return err_sys(e, -rc, "cannot start %s", r->program);
	}
	return 0;
}

/* ---- delete ---- */

struct del {
	struct runtime *r;
	char id[65];
	void (*cb)(int result, void *data);
	void *data;
};

static void deleted(int result, const char *text, void *data)
{
	struct del *d = data;
	auto_free char *bundle = rt_path(d->r, d->id, NULL, NULL);
	auto_free char *cgroup = str_printf("%s/%s", d->r->cgroup_parent, d->id);
	int rc = bundle ? fs_rm_tree(bundle) : -ENOMEM;

	forget_exit(d->r, d->id);
	if (result < 0 && *text)
		log_debug("%s delete container=%s: %s", d->r->name, d->id, text);
	if (cgroup && rc >= 0)
		rc = cgroup_remove(cgroup);
	if (d->cb)
		d->cb(rc, d->data);
	free(d);
}

static void nothing_to_delete(void *data)
{
	deleted(0, "", data);
}

int rt_delete(struct runtime *r, const char *id, void (*cb)(int result, void *data), void *data)
{
	const char *const argv[] = {"delete", "--force", id, NULL};
	auto_free char *state = str_printf("%s/%s", r->root, id);
	struct proc *p = proc_find(r, id);
	struct del *d = calloc(1, sizeof(*d));
	int rc;

	if (!d || !state) {
		free(d);
		return -ENOMEM;
	}
	*d = (struct del){.r = r, .cb = cb, .data = data};
	(void)snprintf(d->id, sizeof(d->id), "%s", id);
	if (p) {
		(void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
		proc_free(p); /* asked for: no exit is told */
	}
	rc = fs_exists(state) ? call_run(r, argv, deleted, d)
			      : loop_defer(r->loop, nothing_to_delete, d, NULL);
	if (rc < 0)
		free(d);
	return rc;
}

/* ---- signals ---- */

int rt_signal(struct runtime *r, const char *id, int signo)
{
	struct proc *p = proc_find(r, id);

	if (!p)
		return -ESRCH;
	return pidfd_send_signal(p->pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

static void killed(int result, const char *text, void *data)
{
	(void)data;
	if (result < 0)
		log_debug("kill --all: %s", text);
}

int rt_kill_all(struct runtime *r, const char *id)
{
	const char *const argv[] = {"kill", "--all", id, "KILL", NULL};

	return proc_find(r, id) ? call_run(r, argv, killed, NULL) : -ESRCH;
}

int rt_resize(struct runtime *r, const char *id, const char *exec_id, unsigned rows, unsigned cols)
{
	auto_free char *path = rt_path(r, id, exec_id, "winsz");
	auto_close int fd = -EBADF;
	char line[32];
	int n = snprintf(line, sizeof(line), "%u %u\n", MIN(rows, 65535u), MIN(cols, 65535u));

	if (!path)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, line, (size_t)n) == n ? 0 : -EIO;
}
