/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feed_link.c - the connection to atoll-dns: found or started, lost and made again
 *
 * DOWN -> HELLO (somebody listens) or STARTING -> HELLO -> UP; from HELLO over QUITTING to STARTING
 * where the resolver is of another version. Any loss leads to DOWN and, after a pause that grows
 * while it keeps failing, to another try. The same steps run from the loop and, in feed_open(),
 * from a poll(): they never block but for sending into a full queue.
 */

#include "dns/feed_link.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "dns/protocol.h"
#include "loop/loop.h"
#include "loop/spawn.h"

#define OPEN_MS	   2000
#define SEND_MS	   2000 /* a resolver that reads nothing for so long is given up */
#define QUIT_MS	   1000
#define RETRY_MS   50 /* doubled with each failure in a row */
#define RETRY_MAX  10000
#define GOOD_AFTER (10 * NS_PER_S) /* up for so long, and earlier failures are forgotten */

static void step_start(struct feed *f);

/* ---- down ---- */

static void on_retry(void *data)
{
	struct feed *f = data;

	if (f->state == LINK_DOWN)
		step_start(f);
}

static void disconnect(struct feed *f)
{
	f->sock_io = source_free(f->sock_io);
	f->ready_io = source_free(f->ready_io);
	f->sock = fd_close(f->sock);
	f->ready = fd_close(f->ready);
	f->peer_pid = 0;
	f->state = LINK_DOWN;
}

/* The link is lost, or could not be made: f->last says why. */
static void lost(struct feed *f)
{
	int64_t ms = 0;

	if (f->state == LINK_UP && clock_mono_ns() - f->up_ns > GOOD_AFTER)
		f->failures = 0;
	disconnect(f);
	if (f->opening)
		return;
	if (f->failures)
		ms = MIN((int64_t)RETRY_MS << MIN(f->failures, 10u), (int64_t)RETRY_MAX);
	/* a dying process may close its listening socket last: on_child() comes earlier then */
	else if (f->child)
		ms = RETRY_MS;
	f->failures++;
	log_warn("resolver lost, trying again in %d ms: %s", (int)ms, f->last.msg);
	source_timer_set(f->retry, ms);
}

static void fail(struct feed *f, int eno, const char *what)
{
	(void)err_sys(&f->last, eno, "%s %s", what, f->path);
	lost(f);
}

/* ---- sending ---- */

static int send_patiently(struct feed *f, const struct buf *msg, const int *fds, size_t n_fds)
{
	int64_t end = clock_mono_ns() + SEND_MS * NS_PER_MS;

	for (;;) {
		ssize_t n = fd_send(f->sock, msg->data, msg->len, fds, n_fds);
		struct pollfd p = {.fd = f->sock, .events = POLLOUT};

		if (n >= 0)
			return 0;
		if ((n != -EAGAIN && n != -ETOOMANYREFS) || clock_mono_ns() > end)
			return n == -EAGAIN ? -ETIMEDOUT : (int)n;
		/* too many descriptors on their way: the queue itself may have room */
		(void)poll(&p, n == -EAGAIN, n == -EAGAIN ? 100 : 1);
	}
}

int link_say(struct feed *f, const struct buf *msg, const int *fds, size_t n_fds)
{
	int r = buf_err(msg);

	if (r < 0)
		return r == -ENOBUFS ? -E2BIG : r;
	if (f->state != LINK_UP)
		return 0;
	r = send_patiently(f, msg, fds, n_fds);
	if (r < 0)
		fail(f, -r, "cannot write to"); /* the mirror has it; the next resolver gets it */
	return 0;
}

/* ---- hello ---- */

static void on_child(pid_t pid, int status, void *data)
{
	struct feed *f = data;

	f->child = NULL; /* one-shot */
	f->pid = 0;
	log_warn("resolver ended pid=%d status=%d", (int)pid, status);
	if (f->state == LINK_DOWN && f->failures == 1)
		source_timer_set(f->retry, 0);
}

static void say_quit(struct feed *f)
{
	static const char quit[] = "{\"op\":\"quit\"}";

	(void)fd_send(f->sock, quit, sizeof(quit) - 1, NULL, 0); /* its end is what counts */
}

static void end_of_hello(struct feed *f)
{
	if (f->version != DNS_PROTOCOL) {
		log_info("resolver of another version replaced version=%d pid=%d", (int)f->version,
			 f->peer_pid);
		feed_forget_reports(f);
		f->state = LINK_QUITTING;
		say_quit(f);
		return;
	}
	f->state = LINK_UP;
	f->up_ns = clock_mono_ns();
	if (!f->child && f->peer_pid > 0) /* one of an earlier life of ours */
		(void)loop_child(f->loop, f->peer_pid, -1, on_child, f,
				 &f->child); /* best effort */
	feed_say_all(f);
	if (f->state == LINK_UP)
		log_debug("resolver up pid=%d", f->peer_pid);
}

void link_told(struct feed *f, const char *text, size_t len, int *fds, size_t n_fds)
{
	auto_json json_t *msg = NULL;
	const char *op = NULL;
	int64_t v;

	if (json_read(text, len, &msg, NULL) < 0 ||
	    json_get_str(msg, "message", "op", &op, NULL) < 0)
		op = NULL;
	if (streq(op, "sandbox")) {
		feed_told_sandbox(f, msg, fds, n_fds);
		return;
	}
	if (streq(op, "hold")) {
		feed_told_hold(f, msg, fds, n_fds);
		return;
	}
	while (n_fds)
		(void)fd_close(fds[--n_fds]);
	if (streq(op, "hello")) {
		if (json_get_i64(msg, "message", "version", &v, NULL) >= 0)
			f->version = v;
	} else if (streq(op, "end")) {
		end_of_hello(f);
	} /* what a later version says besides is not for us */
}

/* One message, or the end of the connection. Return: false when there is no more for now */
static bool step_read(struct feed *f)
{
	static char buf[DNS_MESSAGE_MAX];
	int fds[FD_PASS_MAX];
	size_t n_fds = FD_PASS_MAX;
	ssize_t n = fd_recv(f->sock, buf, sizeof(buf), fds, &n_fds);

	if (n == -EAGAIN)
		return false;
	if (n > 0 && (f->state == LINK_HELLO)) {
		link_told(f, buf, (size_t)n, fds, n_fds);
		return f->sock >= 0;
	}
	while (n > 0 && n_fds)
		(void)fd_close(fds[--n_fds]);
	if (n > 0)
		return true;
	if (f->state == LINK_QUITTING) {
		disconnect(f);
		(void)fs_unlink(f->path); /* else we might meet the dying one again */
		step_start(f);
	} else {
		fail(f, n < 0 ? (int)-n : ECONNRESET, "no connection to");
	}
	return false;
}

static void on_sock(UNUSED int fd, UNUSED uint32_t events, void *data)
{
	while (step_read(data))
		;
}

/* Return: 0, -ECONNREFUSED or -ENOENT: nobody is there, other -errno */
static int connect_to(struct feed *f)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t len = strlen(f->path);
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred cred = {.pid = 0};
	socklen_t cred_len = sizeof(cred);
	int r;

	if (len >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, f->path, len);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	r = loop_io(f->loop, fd, EPOLLIN, on_sock, f, &f->sock_io);
	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len) == 0)
		f->peer_pid = cred.pid;
	f->sock = TAKE_FD(fd);
	f->version = 0;
	feed_forget_reports(f);
	f->state = LINK_HELLO;
	return 0;
}

/* ---- starting one ---- */

static void step_ready(struct feed *f)
{
	int r;

	f->ready_io = source_free(f->ready_io);
	f->ready = fd_close(f->ready);
	r = connect_to(f);
	if (r < 0)
		fail(f, -r, "the resolver was started but does not serve");
}

static void on_ready(UNUSED int fd, UNUSED uint32_t events, void *data)
{
	step_ready(data);
}

/* A pipe's reader would wait for the end of a process that outlives us. */
static int log_target(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) < 0 || S_ISFIFO(st.st_mode) ? -1 : STDERR_FILENO;
}

static int spawn_resolver(struct feed *f)
{
	const char *argv[] = {f->program,
			      "--socket",
			      f->path,
			      "--log-level",
			      log_enabled(LOG_DEBUG) ? "debug" : "info",
			      NULL};
	auto_close int wr = -EBADF, pidfd = -EBADF;
	struct spawn s = SPAWN_INIT;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	f->ready = fds[0];
	wr = fds[1];
	s.argv = argv;
	s.out = wr; /* closed when it serves */
	s.err = log_target();
	s.new_session = true;
	pid = spawn_start(&s, &pidfd);
	if (pid < 0)
		return pid;
	f->pid = pid;
	r = loop_child(f->loop, pid, pidfd, on_child, f, &f->child);
	if (r >= 0)
		r = loop_io(f->loop, f->ready, EPOLLIN, on_ready, f, &f->ready_io);
	return r;
}

/* Connects to the one that is there or starts one. */
static void step_start(struct feed *f)
{
	int r = connect_to(f);

	if (r >= 0)
		return;
	if (r != -ECONNREFUSED && r != -ENOENT) {
		fail(f, -r, "cannot connect to");
		return;
	}
	f->child = source_free(f->child); /* an earlier one that hangs is nobody's any more */
	f->state = LINK_STARTING;
	r = spawn_resolver(f);
	if (r < 0) {
		(void)err_sys(&f->last, -r, "cannot start the resolver %s", f->program);
		lost(f);
	}
}

/* ---- blocking, for feed_open() and feed_shutdown() ---- */

/* Runs steps until @done says so. 0, -ETIMEDOUT, or the state is DOWN */
static int run_until(struct feed *f, enum link_state want, int ms)
{
	int64_t end = clock_mono_ns() + ms * NS_PER_MS;

	while (f->state != want && f->state != LINK_DOWN) {
		int64_t left = (end - clock_mono_ns()) / NS_PER_MS;
		struct pollfd p = {.fd = f->state == LINK_STARTING ? f->ready : f->sock,
				   .events = POLLIN};

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		if (f->state == LINK_STARTING)
			step_ready(f);
		else
			(void)step_read(f);
	}
	return 0;
}

/* Reaps our child; it has @ms to end by itself. */
static void end_child(struct feed *f, int ms)
{
	auto_close int pidfd = f->pid ? (int)syscall(SYS_pidfd_open, f->pid, 0) : -1;
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (!f->pid)
		return;
	f->child = source_free(f->child);
	if (pidfd < 0 || poll(&p, 1, ms) <= 0)
		(void)kill(f->pid, SIGKILL); /* not reaped yet, so still ours */
	while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
		;
	f->pid = 0;
}

int link_open(struct feed *f, struct err *e)
{
	int r = loop_timer(f->loop, -1, on_retry, f, &f->retry);

	if (r < 0)
		return err_sys(e, -r, "cannot open the resolver's feed");
	f->opening = true;
	for (int64_t end = clock_mono_ns() + OPEN_MS * NS_PER_MS;;) {
		int64_t left = (end - clock_mono_ns()) / NS_PER_MS;

		step_start(f);
		r = run_until(f, LINK_UP, (int)left);
		/* a dying one accepted us with its last breath */
		if (f->state != LINK_DOWN || f->last.code != -ECONNRESET || left <= 0)
			break;
		(void)poll(NULL, 0, 10);
	}
	f->opening = false;
	if (f->state == LINK_UP)
		return 0;
	if (r == -ETIMEDOUT)
		(void)err_sys(&f->last, ETIMEDOUT,
			      "the resolver (process %d) does not answer on %s",
			      f->pid ? (int)f->pid : f->peer_pid, f->path);
	end_child(f, 0);
	if (e)
		*e = f->last;
	return f->last.code;
}

void link_close(struct feed *f)
{
	disconnect(f);
	f->retry = source_free(f->retry);
	f->child = source_free(f->child);
}

void link_quit(struct feed *f)
{
	struct pollfd p = {.fd = f->sock, .events = POLLIN};

	if (f->state == LINK_UP || f->state == LINK_HELLO) {
		if (f->state == LINK_HELLO)
			(void)run_until(f, LINK_UP, QUIT_MS);
		say_quit(f);
		f->opening = true; /* its end is no loss */
		f->state = LINK_QUITTING;
		p.fd = f->sock;
		while (p.fd >= 0 && poll(&p, 1, QUIT_MS) > 0 && !(p.revents & POLLHUP)) {
			char drop[256];

			if (recv(f->sock, drop, sizeof(drop), MSG_DONTWAIT) == 0)
				break;
		}
	}
	end_child(f, QUIT_MS);
	(void)fs_unlink(f->path);
	link_close(f);
}
