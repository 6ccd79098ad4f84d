/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task.c - one run of atoll-helper
 *
 * It is over when all three have ended: the process (reaped), its report and, where it has one, its
 * output. Output that nobody takes keeps it: a full pipe stops the helper, as it should.
 */

#include "image/task.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/helper.h"
#include "image/internal.h"
#include "loop/loop.h"
#include "loop/spawn.h"

#define TASKS_MAX      64		    /* side by side: processes */
#define LINE_MAX_BYTES (8 * LIMIT_MANIFEST) /* a config, each byte escaped */
#define CHUNK	       (64u << 10)

struct helper_child {
	struct list node;
	struct images *im;
	struct helper_ops ops;
	int in, out, report, pidfd;
	struct source *in_io, *out_io, *report_io, *child;
	struct buf line; /* of the report, not yet ended */
	struct err err;	 /* what it said, or what is wrong with what it said */
	int status;
	bool reaped, said_end, aborted, paused;
};

static void child_free(struct helper_child *h)
{
	list_remove(&h->node);
	(void)source_free(h->in_io);
	(void)source_free(h->out_io);
	(void)source_free(h->report_io);
	(void)source_free(h->child);
	(void)fd_close(h->in);
	(void)fd_close(h->out);
	(void)fd_close(h->report);
	(void)fd_close(h->pidfd);
	buf_done(&h->line);
	free(h);
}

static void kill_it(struct helper_child *h)
{
	if (h->pidfd >= 0 && !h->reaped)
		(void)syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0);
}

static void close_in(struct helper_child *h)
{
	h->in_io = source_free(h->in_io);
	h->in = fd_close(h->in);
}

static void close_out(struct helper_child *h)
{
	h->out_io = source_free(h->out_io);
	h->out = fd_close(h->out);
}

static void close_report(struct helper_child *h)
{
	h->report_io = source_free(h->report_io);
	h->report = fd_close(h->report);
}

/* ---- the end ---- */

static int result_of(const struct helper_child *h, struct err *e)
{
	if (h->aborted)
		return err_set(e, ERR_INTERNAL, ECANCELED, "the client is gone");
	if (h->err.code)
		return err_set(e, h->err.kind, -h->err.code, "%s", h->err.msg);
	if (!h->said_end || !WIFEXITED(h->status) || WEXITSTATUS(h->status))
		return err_set(e, ERR_INTERNAL, EIO, "atoll-helper ended early (%s %d)",
			       WIFSIGNALED(h->status) ? "signal" : "exit code",
			       WIFSIGNALED(h->status) ? WTERMSIG(h->status)
						      : WEXITSTATUS(h->status));
	return 0;
}

/* Return: true it is over, and @h is gone */
static bool finish_if_over(struct helper_child *h)
{
	struct helper_ops ops = h->ops;
	struct err e = {0};
	int r;

	if (!h->reaped || h->out >= 0 || h->report >= 0)
		return false;
	r = result_of(h, &e);
	child_free(h);
	ops.done(r, r < 0 ? &e : NULL, ops.data);
	return true;
}

static void on_child(pid_t pid, int status, void *data)
{
	struct helper_child *h = data;

	(void)pid;
	h->child = NULL; /* one-shot */
	h->reaped = true;
	h->status = status;
	(void)finish_if_over(h);
}

/* ---- its report ---- */

int helper_error(const json_t *line, struct err *ret)
{
	const char *text = json_string_value(json_object_get(line, "error"));
	const char *kind = json_string_value(json_object_get(line, "kind"));

	if (!text)
		return 0;
	if (streq(kind, "not found"))
		(void)err_not_found(ret, "%s", text);
	else if (streq(kind, "gone"))
		(void)err_set(ret, ERR_INTERNAL, EPIPE, "%s", text);
	else if (streq(kind, "internal"))
		(void)err_set(ret, ERR_INTERNAL, EIO, "%s", text);
	else
		(void)err_invalid(ret, "%s", text);
	return 1;
}

static int take_line(struct helper_child *h, const char *text, size_t len, struct err *e)
{
	auto_json json_t *line = NULL;
	struct err said = {0};
	int r = json_read(text, len, &line, e);

	if (r < 0)
		return err_wrap(e, "the helper's report");
	if (h->said_end)
		return err_invalid(e, "the helper's report goes on after its end");
	if (helper_error(line, &said)) {
		*e = said;
		return e->code;
	}
	if (json_is_true(json_object_get(line, "end"))) {
		h->said_end = true;
		return 0;
	}
	return h->ops.line ? h->ops.line(line, h->ops.data, e)
			   : err_invalid(e, "the helper's report has an unknown line");
}

static void take_lines(struct helper_child *h, const char *chunk, size_t n)
{
	int r = buf_add(&h->line, chunk, n) < 0
			? err_invalid(&h->err, "the helper's report has a line too long")
			: 0;
	const char *nl;

	while (r >= 0 && !h->aborted && (nl = memchr(h->line.data, '\n', h->line.len))) {
		size_t len = (size_t)(nl - h->line.data);

		r = take_line(h, h->line.data, len, &h->err);
		buf_consume(&h->line, len + 1);
	}
	if (r < 0)
		kill_it(h);
}

/* What it said before it wrote is heard before that. Return: bytes, 0 the end, -errno none now */
static ssize_t read_report(struct helper_child *h)
{
	char chunk[4096];
	ssize_t n = read(h->report, chunk, sizeof(chunk));

	if (n < 0)
		return -errno;
	if (n > 0 && !h->err.code && !h->aborted)
		take_lines(h, chunk, (size_t)n);
	return n;
}

static void on_report(int fd, uint32_t events, void *data)
{
	struct helper_child *h = data;

	(void)fd;
	(void)events;
	if (read_report(h) != 0)
		return;
	close_report(h);
	(void)finish_if_over(h);
}

/* ---- its output ---- */

static void on_out(int fd, uint32_t events, void *data)
{
	struct helper_child *h = data;
	char chunk[CHUNK];
	ssize_t n;

	(void)events;
	while (h->report >= 0 && read_report(h) > 0)
		;
	n = read(fd, chunk, sizeof(chunk));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_out(h);
		(void)finish_if_over(h);
	} else if (!h->aborted && h->ops.out(chunk, (size_t)n, h->ops.data) && h->out >= 0) {
		h->paused = true;
		(void)source_io_events(h->out_io, 0);
	}
}

void helper_resume(struct helper_child *h)
{
	if (!h->paused || h->out < 0)
		return;
	h->paused = false;
	(void)source_io_events(h->out_io, EPOLLIN);
}

/* ---- its input ---- */

static void on_in(int fd, uint32_t events, void *data)
{
	struct helper_child *h = data;

	(void)fd;
	if (events & (EPOLLERR | EPOLLHUP))
		close_in(h); /* it reads no more: the next write says so */
	else
		(void)source_io_events(h->in_io, 0);
	if (h->ops.writable && !h->aborted)
		h->ops.writable(h->ops.data);
}

ssize_t helper_write(struct helper_child *h, const char *data, size_t len)
{
	size_t done = 0;

	while (h->in >= 0 && done < len) {
		ssize_t n = send(h->in, data + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno == EAGAIN) {
			if (source_io_events(h->in_io, EPOLLOUT) >= 0)
				return (ssize_t)done;
			close_in(h);
		} else if (errno != EINTR) {
			close_in(h);
		}
	}
	return h->in < 0 ? -EPIPE : (ssize_t)done;
}

void helper_eof(struct helper_child *h)
{
	close_in(h);
}

void helper_abort(struct helper_child *h)
{
	h->aborted = true;
	close_in(h);
	if (h->reaped) /* what waits in its pipes would keep it */
		h->paused = false;
	if (h->out >= 0)
		(void)source_io_events(h->out_io, EPOLLIN);
	kill_it(h);
}

static void nobody(int result, const struct err *e, void *data)
{
	(void)result;
	(void)e;
	(void)data;
}

void helper_forget(struct helper_child *h)
{
	h->ops.done = nobody;
	helper_abort(h);
}

/* ---- the start ---- */

static int pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0;
}

static int make_request(const json_t *request, int *ret)
{
	auto_free char *text = json_dumps(request, JSON_COMPACT);
	auto_close int fd = memfd_create("request", MFD_CLOEXEC);
	int r = !text ? -ENOMEM : fd < 0 ? -errno : fs_write_all(fd, text, strlen(text));

	if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r >= 0)
		*ret = TAKE_FD(fd);
	return r;
}

static int watch(struct helper_child *h, pid_t pid)
{
	struct loop *l = h->im->loop;
	int r = fd_nonblock(h->report);

	if (r >= 0 && h->in >= 0)
		r = loop_io(l, h->in, 0, on_in, h, &h->in_io);
	if (r >= 0 && h->out >= 0)
		r = fd_nonblock(h->out);
	if (r >= 0 && h->out >= 0)
		r = loop_io(l, h->out, EPOLLIN, on_out, h, &h->out_io);
	if (r >= 0)
		r = loop_io(l, h->report, EPOLLIN, on_report, h, &h->report_io);
	return r < 0 ? r : loop_child(l, pid, h->pidfd, on_child, h, &h->child);
}

static void reap(struct helper_child *h)
{
	siginfo_t info;

	kill_it(h);
	while (waitid(P_PIDFD, (id_t)h->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	h->reaped = true;
}

struct ends { /* the helper's */
	int in, out, report, request;
};

static int spawn(struct helper_child *h, const struct helper_task *t, const struct ends *e)
{
	const char *const argv[] = {h->im->helper, t->verb, t->dir, NULL};
	struct spawn_fd fds[5] = {{e->report, REPORT_FD}};
	struct spawn s = SPAWN_INIT;
	pid_t pid;
	int r;

	s.argv = argv;
	s.in = e->in >= 0 ? e->in : t->file;
	s.out = e->out >= 0 ? e->out : t->out;
	s.fds = fds;
	s.n_fds = 1;
	s.die_with_parent = true;
	if (h->im->life_fd >= 0)
		fds[s.n_fds++] = (struct spawn_fd){h->im->life_fd, REPORT_FD + 1};
	if (e->request >= 0)
		fds[s.n_fds++] = (struct spawn_fd){e->request, REQUEST_FD};
	if (t->root >= 0)
		fds[s.n_fds++] = (struct spawn_fd){t->root, ROOT_FD};
	if (t->userns > 0)
		fds[s.n_fds++] = (struct spawn_fd){t->userns, USERNS_FD};
	pid = spawn_start(&s, &h->pidfd);
	if (pid < 0)
		return pid;
	r = watch(h, pid);
	if (r < 0)
		reap(h);
	return r;
}

static int begin(struct helper_child *h, const struct helper_task *t)
{
	auto_close int in = -EBADF, out = -EBADF, report = -EBADF, request = -EBADF;
	int fds[2], r = t->request ? make_request(t->request, &request) : 0;

	if (r >= 0 && t->in && (r = pair(fds)) >= 0) {
		h->in = fds[0];
		in = fds[1];
	}
	if (r >= 0 && h->ops.out) {
		r = pipe2(fds, O_CLOEXEC) < 0 ? -errno : 0;
		h->out = r < 0 ? -EBADF : fds[0];
		out = r < 0 ? -EBADF : fds[1];
	}
	if (r >= 0 && pipe2(fds, O_CLOEXEC) < 0)
		r = -errno;
	if (r < 0)
		return r;
	h->report = fds[0];
	report = fds[1];
	return spawn(h, t, &(struct ends){in, out, report, request});
}

int helper_start(struct images *im, const struct helper_task *t, const struct helper_ops *ops,
		 struct helper_child **ret, struct err *e)
{
	struct helper_child *h, *other;
	size_t n = 0;

	list_for_each (other, &im->tasks, node)
		n++;
	if (im->stopped)
		return err_set(e, ERR_UNAVAILABLE, ESHUTDOWN, "the engine ends");
	if (n >= TASKS_MAX)
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%d archives are in work already",
			       TASKS_MAX);
	h = calloc(1, sizeof(*h));
	if (!h)
		return err_nomem(e);
	*h = (struct helper_child){.im = im,
				   .ops = *ops,
				   .in = -EBADF,
				   .out = -EBADF,
				   .report = -EBADF,
				   .pidfd = -EBADF,
				   .line = BUF_INIT(LINE_MAX_BYTES)};
	list_append(&im->tasks, &h->node);
	int r = begin(h, t);

	if (r < 0) {
		child_free(h);
		return err_sys(e, -r, "cannot start %s", im->helper);
	}
	*ret = h;
	return 0;
}

void tasks_drop(struct images *im)
{
	while (!list_empty(&im->tasks)) {
		struct helper_child *h = list_entry(im->tasks.next, struct helper_child, node);

		helper_abort(h);
		if (!h->reaped)
			reap(h);
		close_out(h);
		close_report(h);
		(void)finish_if_over(h);
	}
}
