/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.c - helper processes as the engine sees them */
#include "image/child.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "image/helper.h"
#include "image/internal.h"
#include "loop/loop.h"
#include "loop/spawn.h"

#define LINE_MAX_BYTES (24 * LIMIT_MANIFEST) /* two manifests and a config, each byte escaped */
#define CHUNK	       (64u << 10)

struct child {
	struct child_ops ops;
	int report, pidfd;
	struct source *report_io, *end;
	struct buf line; /* not yet ended */
	struct err err;	 /* why it was killed */
	bool busy, gone; /* in a callback; freed meanwhile */
};

static void kill_it(struct child *c)
{
	if (c->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

static void reap(struct child *c)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)c->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		;
}

static void destroy(struct child *c)
{
	(void)source_free(c->report_io);
	(void)fd_close(c->report);
	(void)fd_close(c->pidfd);
	buf_done(&c->line);
	free(c);
}

void child_free(struct child *c)
{
	if (!c || c->gone)
		return;
	if (c->end) { /* it was not reaped yet */
		kill_it(c);
		c->end = source_free(c->end);
		reap(c);
	}
	c->gone = true;
	if (!c->busy)
		destroy(c);
}

/* ---- lines ---- */

/* Return: false it was freed */
static bool take_line(struct child *c)
{
	size_t len = c->line.len - 1;
	int r;

	c->busy = true;
	r = c->ops.line(c->line.data, len, c->ops.data, &c->err);
	c->busy = false;
	if (c->gone) {
		destroy(c);
		return false;
	}
	buf_clear(&c->line);
	if (r < 0)
		kill_it(c);
	return true;
}

static bool take_chunk(struct child *c, const char *chunk, size_t n)
{
	for (const char *end = chunk + n; chunk < end && !c->err.code;) {
		const char *nl = memchr(chunk, '\n', (size_t)(end - chunk));
		size_t len = (size_t)((nl ? nl + 1 : end) - chunk);

		if (buf_add(&c->line, chunk, len) < 0) {
			(void)err_invalid(&c->err, "the helper's report has a line too long");
			kill_it(c);
		} else if (nl && !take_line(c)) {
			return false;
		}
		chunk += len;
	}
	return true;
}

/* Return: 1 more may come, 0 not now or the end, -1 it was freed */
static int read_report(struct child *c)
{
	char chunk[CHUNK];
	ssize_t n = read(c->report, chunk, sizeof(chunk));

	if (n == 0)
		c->report_io = source_free(c->report_io);
	if (n <= 0)
		return 0;
	return take_chunk(c, chunk, (size_t)n) ? 1 : -1;
}

static void on_report(int fd, uint32_t events, void *data)
{
	(void)fd;
	(void)events;
	(void)read_report(data);
}

/* ---- the end ---- */

static void on_end(pid_t pid, int status, void *data)
{
	struct child *c = data;
	int r;

	(void)pid;
	c->end = NULL; /* one-shot */
	do
		r = read_report(c); /* at most what a pipe holds: nobody writes any more */
	while (r > 0);
	if (r < 0)
		return;
	if (!c->err.code && (!WIFEXITED(status) || WEXITSTATUS(status)))
		(void)err_set(&c->err, ERR_INTERNAL, EIO, "a helper process ended early (%s %d)",
			      WIFSIGNALED(status) ? "signal" : "exit code",
			      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	c->busy = true;
	c->ops.ended(c->err.code ? &c->err : NULL, c->ops.data);
	c->busy = false;
	if (c->gone)
		destroy(c);
}

/* ---- the start ---- */

static pid_t spawn(struct images *im, const char *const *argv, int in, int report, int *pidfd)
{
	const struct spawn_fd fds[] = {{report, REPORT_FD}, {im->life_fd, REPORT_FD + 1}};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	s.in = in;
	s.fds = fds;
	s.n_fds = im->life_fd >= 0 ? 2 : 1;
	s.die_with_parent = true;
	return spawn_start(&s, pidfd);
}

int child_start(struct images *im, const char *const *argv, int in, const struct child_ops *ops,
		struct child **ret, struct err *e)
{
	struct child *c = calloc(1, sizeof(*c));
	auto_close int theirs = -EBADF;
	int out[2], r;
	pid_t pid;

	if (!c)
		return err_nomem(e);
	*c = (struct child){
		.ops = *ops, .report = -EBADF, .pidfd = -EBADF, .line = BUF_INIT(LINE_MAX_BYTES)};
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = err_sys(e, errno, "cannot make a pipe");
		destroy(c);
		return r;
	}
	c->report = out[0];
	theirs = out[1];
	pid = spawn(im, argv, in, theirs, &c->pidfd);
	r = pid < 0 ? pid : fd_nonblock(c->report);
	if (r >= 0)
		r = loop_io(im->loop, c->report, EPOLLIN, on_report, c, &c->report_io);
	if (r >= 0)
		r = loop_child(im->loop, pid, c->pidfd, on_end, c, &c->end);
	if (r < 0) {
		if (pid > 0) {
			kill_it(c);
			reap(c);
		}
		destroy(c);
		return err_sys(e, -r, "cannot start %s", argv[0]);
	}
	*ret = c;
	return 0;
}
