/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session.c - attached input and output of a container or an exec
 *
 * Theory of operation. The order is docker's: attach first, so that nothing of the output is lost;
 * then wait, whose answer's head says that the engine listens for the exit; then start; then the
 * pump, until the engine ends the output; then the rest of wait's answer is the exit code. The wait
 * is one call on a connection of its own, and everything after its head happens in the callback
 * that announces that head (on_head).
 *
 * The pump polls standard input, the hijacked socket and a signalfd. Input is read only while
 * nothing of it waits to be sent, so memory is bounded. The end of input half-closes the socket.
 * Signals are taken by the signalfd: window sizes become resize calls, the others are passed on to
 * the container where the session says so, and end us as ever (terminal restored) where not.
 */

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "cli/commands.h"
#include "cli/tty.h"
#include "client/demux.h"

#define PIECE 32768

/* how a turn of the pump, and the pump, can end */
enum { ENDED = 1, DETACHED };

struct pump {
	struct session *s;
	struct client *control; /* resize and kill, while the wait is open */
	int sock, signals;
	bool in_open, half_closed, resize_again;
	struct demux demux;
	struct detach detach;
	char out[PIECE + DETACH_KEYS_MAX]; /* input on its way to the socket */
	size_t out_at, out_len;
	struct err *e;
	int result; /* of begin(), in the wait's callback */
};

static const struct {
	int number;
	const char *name;
} passed_on[] = {{SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGTERM, "TERM"},
		 {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}, {SIGALRM, "ALRM"}};

/* ---- signals and sizes ---- */

/* Return: false if there was something to say and the engine refused. */
static bool resize(struct pump *p)
{
	auto_buf struct buf u = URL_INIT;
	char number[16];
	unsigned rows, columns;

	if (!p->s->tty || !tty_size(&rows, &columns))
		return true;
	url_path(&u, p->s->resize, p->s->id);
	(void)snprintf(number, sizeof(number), "%u", rows);
	url_query(&u, "h", number);
	(void)snprintf(number, sizeof(number), "%u", columns);
	url_query(&u, "w", number);
	return client_json(p->control, "POST", buf_str(&u), NULL, NULL, NULL) >= 0;
}

static void pass_on(struct pump *p, const char *name)
{
	auto_buf struct buf u = URL_INIT;

	url_path(&u, "/containers/%/kill", p->s->id);
	url_query(&u, "signal", name);
	/* it may have ended just now, which the output's end will say */
	(void)client_json(p->control, "POST", buf_str(&u), NULL, NULL, NULL);
}

static void on_signal(struct pump *p)
{
	struct signalfd_siginfo info;

	if (read(p->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH) {
		(void)resize(p); /* the next change comes with the right size */
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
		if ((int)info.ssi_signo != passed_on[i].number)
			continue;
		if (p->s->proxy)
			pass_on(p, passed_on[i].name);
		else
			cli_die_by((int)info.ssi_signo);
	}
}

static int open_signals(sigset_t *old, struct err *e)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGWINCH);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		(void)sigaddset(&set, passed_on[i].number);
	(void)sigprocmask(SIG_BLOCK, &set, old);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, errno, "cannot watch signals") : fd;
}

/* ---- the pump ---- */

static int show(void *arg, int stream, const char *piece, size_t len)
{
	struct pump *p = arg;
	int r = cli_write(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, piece, len, p->e);

	if (p->resize_again) {
		p->resize_again = false;
		(void)resize(p); /* once more is enough */
	}
	return r;
}

static int output(struct pump *p, const char *data, size_t len)
{
	int r = p->s->tty ? show(p, 1, data, len) : demux_feed(&p->demux, data, len, show, p);

	if (r == -EBADMSG)
		return err_set(p->e, ERR_INTERNAL, EBADMSG, "Unrecognized input header");
	return r;
}

/* Return: ENDED, 0, -errno */
static int from_socket(struct pump *p)
{
	char data[PIECE];
	ssize_t n = recv(p->sock, data, sizeof(data), 0);

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return ENDED;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? 0
			       : err_sys(p->e, errno, "cannot read the output");
	return output(p, data, (size_t)n);
}

/* Return: DETACHED when the keys for it were typed, 0 */
static int from_input(struct pump *p)
{
	char data[PIECE];
	ssize_t n = read(STDIN_FILENO, data, sizeof(data));
	bool hit;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		p->in_open = false;
		return 0;
	}
	p->out_at = 0;
	p->out_len = detach_filter(&p->detach, data, (size_t)n, p->out, &hit);
	return hit ? DETACHED : 0;
}

static void to_socket(struct pump *p)
{
	ssize_t n = send(p->sock, p->out + p->out_at, p->out_len - p->out_at,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0) {
		p->out_at += (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		p->out_at = p->out_len; /* nobody reads input any more; its output may still come */
		p->in_open = false;
		p->half_closed = true;
	}
}

static void half_close(struct pump *p)
{
	if (p->in_open || p->half_closed || !p->s->in || p->out_at < p->out_len)
		return;
	(void)shutdown(p->sock, SHUT_WR); /* a connection that has ended shows when it is read */
	p->half_closed = true;
}

/* One round. Return: 0 to go on, ENDED, DETACHED, -errno */
static int turn(struct pump *p)
{
	bool pending = p->out_at < p->out_len;
	struct pollfd fds[3] = {
		{.fd = p->sock, .events = (short)(POLLIN | (pending ? POLLOUT : 0))},
		{.fd = p->signals, .events = POLLIN},
		{.fd = p->in_open && !pending ? STDIN_FILENO : -1, .events = POLLIN},
	};
	int r = 0;

	half_close(p);
	if (poll(fds, 3, -1) < 0)
		return errno == EINTR ? 0 : err_sys(p->e, errno, "cannot wait");
	if (fds[1].revents)
		on_signal(p);
	if (fds[0].revents & POLLOUT)
		to_socket(p);
	if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
		r = from_socket(p);
	if (r == 0 && fds[2].revents)
		r = from_input(p);
	return r;
}

static int pump_run(struct pump *p)
{
	int r = 0;

	while (r == 0)
		r = turn(p);
	tty_restore();
	if (r == DETACHED)
		(void)fputs("read escape sequence\n", stderr);
	return r;
}

/* ---- the session ---- */

/* Attached and waited for: start, and pump. Return: 0 at the end of the output, DETACHED, -errno */
static int begin(struct pump *p)
{
	struct session *s = p->s;
	int r = s->start ? s->start(s, p->e) : 0;

	if (r >= 0 && s->tty && s->in)
		r = tty_raw(p->e);
	if (r < 0)
		return r;
	/* a process that is not there yet refuses: again with its first output */
	p->resize_again = !resize(p);
	r = pump_run(p);
	return r == ENDED ? 0 : r;
}

static int on_wait_head(void *data, unsigned status)
{
	struct pump *p = data;

	if (status >= 300)
		return 0; /* the wait itself was refused */
	p->result = begin(p);
	return p->result;
}

/* Return: the exit code, or -errno */
static int wait_and_begin(struct pump *p, struct client *waiter)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *result = NULL;
	struct http_call call = {.method = "POST", .on_head = on_wait_head, .data = p};
	struct http_resp resp;
	int r;

	url_path(&u, "/containers/%/wait", p->s->id);
	url_query(&u, "condition", p->s->condition);
	call.path = buf_str(&u);
	r = client_call(waiter, &call, &resp, p->e);
	if (r == DETACHED && p->result == DETACHED)
		r = 0;
	else if (r == 0)
		r = json_read(buf_str(&resp.body), resp.body.len, &result, p->e);
	if (r == 0 && *js(json_get(result, "Error"), "Message"))
		r = err_set(p->e, ERR_INTERNAL, EIO, "%s",
			    js(json_get(result, "Error"), "Message"));
	http_resp_done(&resp);
	return r < 0 ? r : (int)(ji(result, "StatusCode") & 0xff);
}

static int attach(struct pump *p, struct client *c)
{
	auto_buf struct buf early = BUF_INIT(1u << 20);
	int r = client_hijack(c, p->s->attach, p->s->body, &p->sock, &early, p->e);

	if (r >= 0 && early.len)
		r = output(p, early.data, early.len);
	return r;
}

static int with_clients(struct pump *p, struct client *c)
{
	auto_(client_free) struct client *waiter = NULL;
	int r = client_dup(c, &p->control, p->e);

	if (r >= 0 && p->s->condition)
		r = client_dup(c, &waiter, p->e);
	if (r >= 0)
		r = attach(p, c);
	if (r < 0)
		return r;
	if (waiter)
		return wait_and_begin(p, waiter);
	r = begin(p);
	return MIN(r, 0);
}

int session_run(struct session *s, struct err *e)
{
	struct pump *p = need(calloc(1, sizeof(*p)));
	struct client *c;
	sigset_t old;
	int r = cli_client(s->cli, &c, e);

	*p = (struct pump){.s = s, .sock = -EBADF, .signals = -EBADF, .in_open = s->in, .e = e};
	if (r >= 0 && s->tty && s->in)
		r = detach_parse(s->detach_keys ? s->detach_keys : DETACH_DEFAULT, &p->detach, e);
	if (r >= 0) {
		r = p->signals = open_signals(&old, e);
		if (r >= 0)
			r = with_clients(p, c);
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
	}
	tty_restore();
	client_free(p->control);
	(void)fd_close(p->sock);
	(void)fd_close(p->signals);
	free(p);
	return r;
}

int session_check_tty(bool tty, bool in, struct err *e)
{
	if (tty && in && !isatty(STDIN_FILENO))
		return err_invalid(e, "cannot attach stdin to a TTY-enabled container because "
				      "stdin is not a terminal");
	return 0;
}

int exit_code_of(const struct err *e)
{
	static const char *const not_found[] = {"executable file", "no such file or directory",
						"No such file or directory"};
	static const char *const refused[] = {"permission denied", "Permission denied",
					      "is a directory"};

	for (size_t i = 0; i < ARRAY_SIZE(not_found); i++)
		if (strstr(e->msg, not_found[i]))
			return 127;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (strstr(e->msg, refused[i]))
			return 126;
	return 125;
}
