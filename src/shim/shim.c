/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim.c - atoll-shim: stands beside one container or exec and outlives the engine
 *
 *   atoll-shim container=ID process=ID root=DIR [exit=FILE] [tty] [stdin] [once] [attached]
 *              [log=json:FILE | log=local:FILE] [log-size=N] [log-files=N] [log-attrs=JSON]
 *              [log-buffer=N]
 *
 * Runs the OCI runtime, is the parent of the process it makes, holds its terminal or pipes, writes
 * its log, serves whoever attaches (base/shim.h), and writes the exit code when the process has
 * ended and its last byte is logged. It is started in the bundle, where it notes its pid.
 *
 *   launching  the runtime runs; nothing is read but its console socket
 *   running    output flows, unless a client's queue is full
 *   draining   the process ended: what its pipes hold is taken, and a little longer is waited where
 *              another process holds them open
 *   over       the exit code is told; clients get the rest of what is theirs
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "shim/internal.h"
#include "shim/shim.h"

#define DRAIN_MS 2000 /* as long as Docker waits for the streams of an ended process */
#define OTHERS	 6    /* descriptors beside the clients' */

static struct shim shim;

/* ---- arguments ---- */

static bool value(const char *arg, const char *key, const char **ret)
{
	if (!str_has_prefix(arg, key))
		return false;
	*ret = arg + strlen(key);
	return true;
}

static bool number(const char *arg, const char *key, int64_t *ret)
{
	const char *text;

	return value(arg, key, &text) && parse_i64(text, ret) >= 0 && *ret >= 0;
}

static bool log_argument(struct log_options *l, const char *arg)
{
	int64_t n;

	if (value(arg, "log=json:", &l->path)) {
		l->json = true;
	} else if (number(arg, "log-files=", &n)) {
		l->max_files = (unsigned)MIN(n, 1000);
	} else if (!value(arg, "log=local:", &l->path) && !number(arg, "log-size=", &l->max_size) &&
		   !value(arg, "log-attrs=", &l->attrs) &&
		   !number(arg, "log-buffer=", &l->buffer)) {
		return false;
	}
	return true;
}

static bool argument(struct options *o, const char *arg)
{
	if (streq(arg, "tty"))
		o->tty = true;
	else if (streq(arg, "stdin"))
		o->open_stdin = true;
	else if (streq(arg, "once"))
		o->stdin_once = true;
	else if (streq(arg, "attached"))
		o->attached = true;
	else
		return value(arg, "container=", &o->container) ||
		       value(arg, "process=", &o->process) || value(arg, "root=", &o->root) ||
		       value(arg, "exit=", &o->exit_path) || log_argument(&o->log, arg);
	return true;
}

static bool arguments(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!argument(o, argv[i])) {
			(void)fprintf(stderr, "atoll-shim: unknown argument %s\n", argv[i]);
			return false;
		}
	o->is_exec = o->container && o->process && !streq(o->container, o->process);
	if (o->container && o->process && o->root && (o->is_exec || o->exit_path))
		return true;
	(void)fputs("atoll-shim is started by atolld\n", stderr);
	return false;
}

/* ---- set-up ---- */

static int note_pid(void)
{
	auto_close int fd = open("shim.pid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 || dprintf(fd, "%d\n", getpid()) < 0 ? -errno : 0;
}

/* The log first: its writer is not to inherit what comes later. */
static int open_log(struct shim *s)
{
	char text[512];
	int r = log_begin(&s->o.log), n;

	if (r >= 0)
		return 0;
	n = snprintf(text, sizeof(text), "failed to initialize logging driver: open %s: %s",
		     s->o.log.path, strerror(-r));
	say(s, &(struct shim_packet){
		       .kind = SHIM_FAILED, .data = text, .len = MIN((size_t)n, sizeof(text) - 1)});
	return r;
}

static int set_up(struct shim *s)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT};
	sigset_t set;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)sigaction(ignored[i], &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (int fd = FD_STATUS; fd <= FD_CLIENT; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)prctl(PR_SET_NAME, "atoll-shim");
	if (s->signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	r = open_log(s);
	if (r >= 0 && s->o.attached)
		r = clients_add(s, FD_CLIENT, SHIM_OUTPUT | (s->o.open_stdin ? SHIM_INPUT : 0));
	if (r >= 0 && !s->o.is_exec)
		r = note_pid();
	if (r >= 0 && !s->o.is_exec)
		r = clients_listen(s);
	return r;
}

/* ---- the loop ---- */

static void told(struct shim *s)
{
	char room[SHIM_PACKET_MAX];
	ssize_t n = recv(s->status, room, sizeof(room), MSG_DONTWAIT);
	struct shim_packet p;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		s->status = fd_close(s->status);
	else if (n > 0 && shim_parse(room, (size_t)n, &p) >= 0 && p.kind == SHIM_SIZE)
		streams_size(s, p.rows, p.cols);
}

/* How long may be waited, in ms. */
static int patience(const struct shim *s)
{
	int64_t left;

	if (!s->ended || s->drained)
		return -1;
	left = DRAIN_MS - (clock_mono_ns() - s->ended_ns) / NS_PER_MS;
	return left < 0 ? 0 : (int)left;
}

static void drained(struct shim *s)
{
	streams_close(s);
	s->drained = true;
	if (s->o.exit_path)
		launch_exit_file(s);
	say(s, &(struct shim_packet){.kind = SHIM_ENDED, .number = s->exit_code});
	s->listener = fd_close(s->listener);
}

static void consume_signals(int fd)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) > 0)
		;
}

enum { SIGNALS, STATUS, LISTENER, FIRST, SECOND, STDIN }; /* places in poll's array */

static struct pollfd interest(int fd, short events)
{
	return (struct pollfd){.fd = events ? fd : -1, .events = events};
}

/* Who is waited for. A terminal is read and written through one place; before it is there, that is
 * its socket's. Return: how many clients */
static size_t prepare(struct shim *s, struct pollfd *p)
{
	short reads = s->made && (s->ended || !clients_full(s)) ? POLLIN : 0;
	short writes = clients_input(s) ? POLLOUT : 0;

	p[SIGNALS] = interest(s->signals, POLLIN);
	p[STATUS] = interest(s->status, POLLIN);
	p[LISTENER] = interest(s->listener, POLLIN);
	p[FIRST] = s->console >= 0
			   ? interest(s->console, POLLIN)
			   : interest(s->out[0].fd, (short)(reads | (s->o.tty ? writes : 0)));
	p[SECOND] = interest(s->out[1].fd, reads);
	p[STDIN] = interest(s->in, writes);
	return clients_poll(s, p + OTHERS);
}

/* What was asked for, or a hang-up. */
static bool has_output(const struct pollfd *p)
{
	return p->fd >= 0 && (p->events & POLLIN) && (p->revents & (POLLIN | POLLHUP | POLLERR));
}

static void move_bytes(struct shim *s, const struct pollfd *p, size_t n)
{
	bool drop = s->made && clients_input(s) && streams_input_fd(s) < 0;

	if (p[LISTENER].revents)
		clients_accept(s);
	else
		clients_ready(s, p + OTHERS, n);
	if (p[FIRST].fd >= 0 && p[FIRST].fd == s->console) {
		if (p[FIRST].revents)
			launch_console(s);
	} else if (has_output(&p[FIRST])) {
		streams_read(s, &s->out[0]);
	}
	if (has_output(&p[SECOND]))
		streams_read(s, &s->out[1]);
	if (drop || p[STDIN].revents || ((p[FIRST].events & POLLOUT) && p[FIRST].revents))
		clients_feed(s);
}

static void turn(struct shim *s, struct pollfd *p)
{
	size_t n = prepare(s, p);

	if (poll(p, OTHERS + n, patience(s)) < 0)
		return;
	move_bytes(s, p, n);
	if (p[STATUS].revents)
		told(s);
	if (p[SIGNALS].revents) {
		consume_signals(s->signals);
		launch_reap(s);
	}
}

static void run(struct shim *s)
{
	static struct pollfd fds[OTHERS + 1024];

	while (!s->drained || clients_waiting(s)) {
		turn(s, fds);
		if (s->ended && !s->drained && (!streams_open(s) || patience(s) == 0))
			drained(s);
	}
	clients_close(s);
}

int shim_main(int argc, char **argv)
{
	struct shim *s = &shim;
	int r;

	/* field by field: the lines' room is not to be touched before it is used */
	s->status = FD_STATUS;
	s->signals = s->listener = s->console = s->in = s->out[0].fd = s->out[1].fd = -1;
	s->out[0].stream = 1;
	s->out[1].stream = 2;
	list_init(&s->clients);
	s->o.log.max_files = 1;
	if (!arguments(&s->o, argc, argv))
		return 2;
	r = set_up(s);
	if (r >= 0)
		r = launch_start(s);
	if (r < 0) {
		(void)fprintf(stderr, "atoll-shim: %s\n", strerror(-r));
		say(s, &(struct shim_packet){.kind = SHIM_FAILED,
					     .data = strerror(-r),
					     .len = strlen(strerror(-r))});
		return 1;
	}
	run(s);
	return 0;
}
