/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.c - helper processes as the engine sees them */
#include "image/child.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "image/helper.h"
#include "image/internal.h"
#include "loop/loop.h"
#include "loop/spawn.h"

#define LINE_MAX_BYTES (8 * LIMIT_MANIFEST) /* a config, each byte escaped */
#define CHUNK	       (64u << 10)

struct child {
	struct child_ops ops;
	const char *what;
	int in, out, report, pidfd;
	struct source *in_io, *out_io, *report_io, *end;
	struct buf line; /* of the report, not yet ended */
	struct err err;	 /* why it was killed, or how it ended */
	unsigned busy;	 /* callbacks that run */
	bool gone;	 /* freed meanwhile */
	bool reaped, aborted, paused;
};

static void kill_it(struct child *c)
{
	if (c->pidfd >= 0 && !c->reaped)
		(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

/* Blocks for the moment that a killed process takes to end. */
static void kill_and_reap(struct child *c)
{
	siginfo_t info;

	kill_it(c);
	while (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
	c->reaped = true;
}

static void close_in(struct child *c)
{
	c->in_io = source_free(c->in_io);
	c->in = fd_close(c->in);
}

static void close_out(struct child *c)
{
	c->out_io = source_free(c->out_io);
	c->out = fd_close(c->out);
}

static void destroy(struct child *c)
{
	close_in(c);
	close_out(c);
	(void)source_free(c->report_io);
	(void)source_free(c->end);
	(void)fd_close(c->report);
	(void)fd_close(c->pidfd);
	buf_done(&c->line);
	free(c);
}

void child_free(struct child *c)
{
	if (!c || c->gone)
		return;
	c->end = source_free(c->end);
	if (!c->reaped)
		kill_and_reap(c);
	c->gone = true;
	if (!c->busy)
		destroy(c);
}

/* Each entry from the loop is between these two: callbacks may free it. */
static void enter(struct child *c)
{
	c->busy++;
}

static void leave(struct child *c)
{
	if (!--c->busy && c->gone)
		destroy(c);
}

/* ---- the report ---- */

static void fail_line(struct child *c, int r)
{
	if (r < 0 && !c->gone)
		kill_it(c);
}

/* Return: 0, -errno: nothing more is heard */
static int take_chunk(struct child *c, const char *chunk, size_t n)
{
	int r = 0;

	for (const char *end = chunk + n; r >= 0 && chunk < end && !c->gone && !c->aborted;) {
		const char *nl = memchr(chunk, '\n', (size_t)(end - chunk));
		size_t len = (size_t)((nl ? nl + 1 : end) - chunk);

		if (buf_add(&c->line, chunk, len) < 0)
			return err_invalid(&c->err, "the helper's report has a line too long");
		if (nl) {
			r = c->ops.line(c->line.data, c->line.len - 1, c->ops.data, &c->err);
			buf_clear(&c->line);
		}
		chunk += len;
	}
	return r;
}

/* Return: true more may come at once */
static bool read_report(struct child *c)
{
	char chunk[CHUNK];
	ssize_t n = read(c->report, chunk, sizeof(chunk));

	if (n == 0)
		c->report_io = source_free(c->report_io);
	if (n > 0 && !c->err.code && !c->aborted)
		fail_line(c, take_chunk(c, chunk, (size_t)n));
	return n > 0 && !c->gone;
}

static void on_report(int fd, uint32_t events, void *data)
{
	struct child *c = data;

	(void)fd;
	(void)events;
	enter(c);
	(void)read_report(c);
	leave(c);
}

/* ---- the end ---- */

static void tell_if_over(struct child *c)
{
	if (c->reaped && c->out < 0 && !c->gone)
		c->ops.ended(c->err.code ? &c->err : NULL, c->ops.data);
}

static void on_end(pid_t pid, int status, void *data)
{
	struct child *c = data;

	(void)pid;
	c->end = NULL; /* one-shot */
	c->reaped = true;
	enter(c);
	while (c->report_io && read_report(c))
		; /* at most what a pipe holds: nobody writes any more */
	if (!c->err.code && (!WIFEXITED(status) || WEXITSTATUS(status)))
		(void)err_set(&c->err, ERR_INTERNAL, EIO, "%s ended early (%s %d)", c->what,
			      WIFSIGNALED(status) ? "signal" : "exit code",
			      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	tell_if_over(c);
	leave(c);
}

/* ---- its output ---- */

static void take_out(struct child *c)
{
	char chunk[CHUNK];
	ssize_t n = read(c->out, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_out(c);
		tell_if_over(c);
	} else if (!c->aborted && c->ops.out(chunk, (size_t)n, c->ops.data) && !c->gone &&
		   !c->aborted) {
		c->paused = true;
		(void)source_io_events(c->out_io, 0);
	}
}

static void on_out(int fd, uint32_t events, void *data)
{
	struct child *c = data;

	(void)fd;
	(void)events;
	enter(c);
	while (c->report_io && read_report(c))
		;
	if (!c->gone)
		take_out(c);
	leave(c);
}

void child_resume(struct child *c)
{
	if (!c->paused || c->out < 0)
		return;
	c->paused = false;
	(void)source_io_events(c->out_io, EPOLLIN);
}

/* ---- its input ---- */

static void on_in(int fd, uint32_t events, void *data)
{
	struct child *c = data;

	(void)fd;
	if (events & (EPOLLERR | EPOLLHUP))
		close_in(c); /* it reads no more: the next write says so */
	else
		(void)source_io_events(c->in_io, 0);
	enter(c);
	if (c->ops.writable && !c->aborted)
		c->ops.writable(c->ops.data);
	leave(c);
}

ssize_t child_write(struct child *c, const char *data, size_t len)
{
	size_t done = 0;

	while (c->in >= 0 && done < len) {
		ssize_t n = send(c->in, data + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno == EAGAIN) {
			if (source_io_events(c->in_io, EPOLLOUT) >= 0)
				return (ssize_t)done;
			close_in(c);
		} else if (errno != EINTR) {
			close_in(c);
		}
	}
	return c->in < 0 ? -EPIPE : (ssize_t)done;
}

void child_eof(struct child *c)
{
	close_in(c);
}

void child_abort(struct child *c)
{
	c->aborted = true;
	close_in(c);
	child_resume(c); /* what waits in the pipe would keep it */
	kill_it(c);
}

/* ---- the start ---- */

struct ends { /* the child's */
	int in, out, report;
};

static int open_streams(struct child *c, const struct child_spec *s, struct ends *theirs)
{
	int fds[2];

	if (s->write) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
			return -errno;
		c->in = fds[0];
		theirs->in = fds[1];
	}
	if (c->ops.out) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return -errno;
		c->out = fds[0];
		theirs->out = fds[1];
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	c->report = fds[0];
	theirs->report = fds[1];
	return 0;
}

static pid_t spawn(struct images *im, const struct child_spec *s, const struct ends *theirs,
		   int *pidfd)
{
	struct spawn_fd fds[2 + CHILD_FDS] = {{theirs->report, REPORT_FD}};
	struct spawn sp = SPAWN_INIT;

	sp.argv = s->argv;
	sp.in = theirs->in >= 0 ? theirs->in : s->in;
	sp.out = theirs->out >= 0 ? theirs->out : s->out;
	sp.fds = fds;
	sp.n_fds = 1;
	sp.die_with_parent = true;
	if (im->life_fd >= 0)
		fds[sp.n_fds++] = (struct spawn_fd){im->life_fd, REPORT_FD + 1};
	for (size_t i = 0; i < MIN(s->n_fds, (size_t)CHILD_FDS); i++)
		fds[sp.n_fds++] = s->fds[i];
	return spawn_start(&sp, pidfd);
}

static int watch(struct child *c, struct loop *l, pid_t pid)
{
	int r = fd_nonblock(c->report);

	if (r >= 0 && c->in >= 0)
		r = loop_io(l, c->in, 0, on_in, c, &c->in_io);
	if (r >= 0 && c->out >= 0)
		r = fd_nonblock(c->out);
	if (r >= 0 && c->out >= 0)
		r = loop_io(l, c->out, EPOLLIN, on_out, c, &c->out_io);
	if (r >= 0)
		r = loop_io(l, c->report, EPOLLIN, on_report, c, &c->report_io);
	return r < 0 ? r : loop_child(l, pid, c->pidfd, on_end, c, &c->end);
}

static int begin(struct images *im, struct child *c, const struct child_spec *s)
{
	struct ends theirs = {-EBADF, -EBADF, -EBADF};
	int r = open_streams(c, s, &theirs);
	pid_t pid = r < 0 ? r : spawn(im, s, &theirs, &c->pidfd);

	(void)fd_close(theirs.in);
	(void)fd_close(theirs.out);
	(void)fd_close(theirs.report);
	if (pid < 0)
		return pid;
	r = watch(c, im->loop, pid);
	if (r < 0)
		kill_and_reap(c);
	return r;
}

int child_start(struct images *im, const struct child_spec *s, const struct child_ops *ops,
		struct child **ret, struct err *e)
{
	struct child *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_nomem(e);
	*c = (struct child){.ops = *ops,
			    .what = s->what,
			    .in = -EBADF,
			    .out = -EBADF,
			    .report = -EBADF,
			    .pidfd = -EBADF,
			    .line = BUF_INIT(s->line_max ? s->line_max : LINE_MAX_BYTES)};
	r = begin(im, c, s);
	if (r < 0) {
		destroy(c);
		return err_sys(e, -r, "cannot start %s", s->argv[0]);
	}
	*ret = c;
	return 0;
}
