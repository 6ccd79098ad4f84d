/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call.c - one short run of the runtime: crun start, crun delete; or only a moment's wait
 *
 * Its standard error goes to a file without a name, read when it fails. It holds the life lock, so
 * that the next life of the engine waits for it.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "runtime/internal.h"

#define ARGS_MAX 16
#define TEXT_MAX 4096

struct call {
	struct list node;
	struct runtime *r;
	struct source *child, *timer;
	int pidfd, err;
	call_fn done;
	loop_fn later;
	loop_fn drop;
	void *data;
};

static void call_free(struct call *c)
{
	list_remove(&c->node);
	(void)source_free(c->child);
	(void)source_free(c->timer);
	(void)fd_close(c->pidfd);
	(void)fd_close(c->err);
	free(c);
}

static void ended(pid_t pid, int status, void *data)
{
	struct call *c = data;
	call_fn done = c->done;
	void *d = c->data;
	char text[TEXT_MAX] = "";
	ssize_t n = 0;
	bool good = status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;

	(void)pid;
	if (!good)
		n = pread(c->err, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	call_free(c);
	done(good ? 0 : -EIO, text, d);
}

static void passed(void *data)
{
	struct call *c = data;
	loop_fn later = c->later;
	void *d = c->data;

	call_free(c);
	later(d);
}

static pid_t start(struct runtime *r, const char *const *argv, int err, int *ret_pidfd)
{
	const char *all[ARGS_MAX] = {r->program, "--root", r->root};
	struct spawn_fd life = {r->life_fd, 3};
	struct spawn s = SPAWN_INIT;
	size_t n = 3;

	for (; *argv && n < ARGS_MAX - 1; argv++)
		all[n++] = *argv;
	s.argv = all;
	s.err = err;
	s.fds = &life;
	s.n_fds = r->life_fd >= 0;
	return spawn_start(&s, ret_pidfd);
}

static struct call *call_new(struct runtime *r, loop_fn drop, void *data)
{
	struct call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct call){.r = r, .pidfd = -EBADF, .err = -EBADF, .drop = drop, .data = data};
	list_append(&r->calls, &c->node);
	return c;
}

int call_later(struct runtime *r, int64_t ms, loop_fn fn, loop_fn drop, void *data)
{
	struct call *c = call_new(r, drop, data);
	int rc;

	if (!c)
		return -ENOMEM;
	c->later = fn;
	rc = loop_timer(r->loop, ms, passed, c, &c->timer);
	if (rc < 0)
		call_free(c);
	return rc;
}

int call_run(struct runtime *r, const char *const *argv, call_fn done, loop_fn drop, void *data)
{
	struct call *c = call_new(r, drop, data);
	pid_t pid;
	int rc;

	if (!c)
		return -ENOMEM;
	c->done = done;
	c->err = memfd_create("stderr", MFD_CLOEXEC);
	pid = c->err < 0 ? -errno : start(r, argv, c->err, &c->pidfd);
	rc = pid < 0 ? (int)pid : loop_child(r->loop, pid, c->pidfd, ended, c, &c->child);
	if (rc < 0)
		call_free(c);
	return rc;
}

int call_wait(struct runtime *r, const char *const *argv)
{
	int status;
	pid_t pid = start(r, argv, -1, NULL);

	if (pid < 0)
		return (int)pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

void calls_drop(struct runtime *r)
{
	struct call *c;

	list_for_each (c, &r->calls, node) {
		c->drop(c->data);
		call_free(c);
	}
}
