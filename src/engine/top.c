/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top.c - GET /containers/{id}/top: ps of the host, asked for the container's processes
 *
 * As Docker: first with -q and the pids, which saves reading all of /proc; some options of ps do
 * not go together with that, and then once more without.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "loop/spawn.h"
#include "runtime/control.h"

#define OUTPUT_MAX (16u << 20)
#define ERROR_MAX  1024
#define PS_MS	   30000

struct ps {
	struct list node;
	struct engine *en;
	char **args; /* of ps, without the name */
	pid_t *pids;
	size_t n_pids;
	bool filtered; /* it runs with -q */
	int pidfd, out, err;
	struct source *child, *io, *late;
	bool ended, too_much;
	int status;
	struct buf text;
	void (*cb)(int result, const struct top *t, const struct err *e, void *data);
	void *data;
};

static void run_free(struct ps *p)
{
	p->child = source_free(p->child);
	p->io = source_free(p->io);
	p->late = source_free(p->late);
	p->pidfd = fd_close(p->pidfd);
	p->out = fd_close(p->out);
	p->err = fd_close(p->err);
	buf_clear(&p->text);
	p->ended = p->too_much = false;
}

static void ps_free(struct ps *p)
{
	run_free(p);
	list_remove(&p->node);
	strv_free(p->args);
	free(p->pids);
	buf_done(&p->text);
	free(p);
}

static void fail(struct ps *p, const struct err *e)
{
	p->cb(e->code, NULL, e, p->data);
	ps_free(p);
}

static void answer(struct ps *p)
{
	struct top t = {0};
	struct err e = {0};

	if (top_parse(buf_str(&p->text), p->pids, p->n_pids, &t, &e) < 0) {
		fail(p, &e);
		return;
	}
	p->cb(0, &t, NULL, p->data);
	top_done(&t);
	ps_free(p);
}

static int run(struct ps *p, struct err *e);

/* The first line of what it complains of. */
static void complain(struct ps *p, struct err *e)
{
	char text[ERROR_MAX] = "";
	ssize_t n = pread(p->err, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	if (p->too_much)
		(void)err_set(e, ERR_INTERNAL, EFBIG, "ps: more than %u MiB of output",
			      OUTPUT_MAX >> 20);
	else if (*text)
		(void)err_set(e, ERR_INTERNAL, EIO, "ps: %.*s", (int)strcspn(text, "\n"), text);
	else
		(void)err_set(e, ERR_INTERNAL, EIO, "ps: %s %d",
			      WIFSIGNALED(p->status) ? "ended by signal" : "exit status",
			      WIFSIGNALED(p->status) ? WTERMSIG(p->status)
						     : WEXITSTATUS(p->status));
}

static void over(struct ps *p)
{
	bool good = !p->too_much && WIFEXITED(p->status) && WEXITSTATUS(p->status) == 0;
	struct err e = {0};

	if (!p->ended || p->io)
		return;
	if (good && !buf_err(&p->text)) {
		answer(p);
		return;
	}
	if (p->filtered && !p->too_much) {
		run_free(p);
		p->filtered = false;
		if (run(p, &e) >= 0)
			return;
	} else {
		complain(p, &e);
	}
	fail(p, &e);
}

static void stop_it(struct ps *p)
{
	if (!p->ended)
		(void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
}

static void readable(int fd, uint32_t events, void *data)
{
	struct ps *p = data;
	char chunk[65536];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && buf_add(&p->text, chunk, (size_t)n) >= 0)
		return;
	p->too_much = n > 0;
	if (p->too_much)
		stop_it(p);
	p->io = source_free(p->io);
	over(p);
}

static void ended(pid_t pid, int status, void *data)
{
	struct ps *p = data;

	(void)pid;
	p->child = NULL;
	p->ended = true;
	p->status = status;
	over(p);
}

static void takes_too_long(void *data)
{
	struct ps *p = data;

	log_warn("ps does not end, it is killed");
	stop_it(p);
}

/* "-q1,2,3" */
static char *pids_arg(const struct ps *p)
{
	auto_buf struct buf b = BUF_INIT(1u << 20);

	for (size_t i = 0; i < p->n_pids; i++)
		(void)buf_printf(&b, "%s%d", i ? "," : "-q", (int)p->pids[i]);
	return buf_err(&b) ? NULL : strdup(buf_str(&b));
}

static int spawn_ps(struct ps *p, int out)
{
	auto_strv char **argv = NULL;
	auto_free char *q = p->filtered ? pids_arg(p) : NULL;
	struct spawn s = SPAWN_INIT;
	int r = strv_add(&argv, "ps");

	for (char **a = p->args; r >= 0 && a && *a; a++)
		r = strv_add(&argv, *a);
	if (r >= 0 && q)
		r = strv_add(&argv, q);
	if (r < 0 || (p->filtered && !q))
		return -ENOMEM;
	s.argv = (const char *const *)argv;
	s.out = out;
	s.err = p->err;
	s.die_with_parent = true;
	return spawn_start(&s, &p->pidfd);
}

static int run(struct ps *p, struct err *e)
{
	auto_close int wr = -EBADF;
	int fds[2], pid, r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot start ps");
	p->out = fds[0];
	wr = fds[1];
	p->err = memfd_create("ps", MFD_CLOEXEC);
	pid = p->err < 0 || fd_nonblock(p->out) < 0 ? -errno : spawn_ps(p, wr);
	if (pid == -ENOENT)
		return err_set(e, ERR_INTERNAL, ENOENT,
			       "ps is not installed on this host (apt-get install procps)");
	r = pid < 0 ? pid : loop_child(p->en->loop, pid, p->pidfd, ended, p, &p->child);
	if (r >= 0)
		r = loop_io(p->en->loop, p->out, EPOLLIN, readable, p, &p->io);
	if (r >= 0)
		r = loop_timer(p->en->loop, PS_MS, takes_too_long, p, &p->late);
	return r < 0 ? err_sys(e, -r, "cannot start ps") : 0;
}

/* ---- the request ---- */

/* Another column must not take the name of the one that tells whose a line is. */
static int check_args(char *const *args, struct err *e)
{
	for (; args && *args; args++) {
		const char *eq = strchr(*args, '='), *title = eq ? eq + 1 : "";

		if (eq && !*title && args[1])
			title = args[1];
		if (str_has_prefix(title, "PID") &&
		    (eq - *args != 3 || memcmp(*args, "pid", 3) != 0))
			return err_set(e, ERR_INTERNAL, EINVAL,
				       "specifying \"%.*s=%s\" is not allowed", (int)(eq - *args),
				       *args, title);
	}
	return 0;
}

static int split_args(const char *text, char ***ret, struct err *e)
{
	auto_strv char **parts = NULL;
	int r = strv_split(str_empty(text) ? "-ef" : text, " ", &parts);

	for (size_t i = 0; r >= 0 && parts && parts[i]; i++)
		if (*parts[i])
			r = strv_add(ret, parts[i]);
	return r < 0 ? err_nomem(e) : check_args(*ret, e);
}

static int prepare(struct ps *p, struct container *c, const char *ps_args, struct err *e)
{
	int r;

	if (c->st.status == CONTAINER_RESTARTING)
		return err_conflict(
			e, "Container %s is restarting, wait until the container is running",
			c->id);
	if (c->st.status != CONTAINER_RUNNING)
		return err_conflict(e, "Container %s is not running", c->id);
	r = split_args(ps_args, &p->args, e);
	if (r < 0)
		return r;
	r = rt_pids(c->en->runtime, c->id, &p->pids, &p->n_pids);
	if (r < 0)
		return err_sys(e, -r, "cannot list the processes of container %s", c->id);
	p->filtered = p->n_pids > 0;
	return run(p, e);
}

void engine_top(struct container *c, const char *ps_args,
		void (*cb)(int result, const struct top *t, const struct err *e, void *data),
		void *data)
{
	struct ps *p = calloc(1, sizeof(*p));
	struct err e = {0};

	if (!p) {
		cb(err_nomem(&e), NULL, &e, data);
		return;
	}
	*p = (struct ps){.en = c->en,
			 .pidfd = -EBADF,
			 .out = -EBADF,
			 .err = -EBADF,
			 .text = BUF_INIT(OUTPUT_MAX),
			 .cb = cb,
			 .data = data};
	list_append(&c->en->tops, &p->node);
	if (prepare(p, c, ps_args, &e) < 0)
		fail(p, &e);
}

void tops_drop(struct engine *en)
{
	struct err e = {0};

	(void)err_set(&e, ERR_UNAVAILABLE, ECANCELED, "the engine ends");
	while (!list_empty(&en->tops)) {
		struct ps *p = list_entry(en->tops.next, struct ps, node);

		stop_it(p);
		fail(p, &e);
	}
}
