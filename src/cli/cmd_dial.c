/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_dial.c - system dial-stdio: the engine's socket on standard input and output
 *
 * What runs at the far end of "docker -H ssh://HOST". Ends of input and output go through in both
 * directions; it ends with the engine's side, or with its own output.
 */

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "cli/commands.h"

/* One direction: @from is read while nothing waits for @to. */
struct flow {
	int from, to;
	char data[32768];
	size_t at, len;
	bool ended, told;
};

static void end_of(struct flow *f)
{
	if (!f->ended || f->len || f->told)
		return;
	f->told = true;
	if (shutdown(f->to, SHUT_WR) < 0) /* a pipe ends by being closed */
		(void)fd_close(f->to);
}

static void fill(struct flow *f)
{
	ssize_t n = read(f->from, f->data, sizeof(f->data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	f->at = 0;
	f->len = n > 0 ? (size_t)n : 0;
	f->ended = n <= 0;
}

/* Return: false if nobody reads any more. */
static bool drain(struct flow *f)
{
	ssize_t n = write(f->to, f->data + f->at, f->len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	f->at += (size_t)n;
	f->len -= (size_t)n;
	return true;
}

static struct pollfd wanted(const struct flow *f, bool reading)
{
	struct pollfd p = {.fd = -1, .events = reading ? POLLIN : POLLOUT};

	if (reading && !f->len && !f->ended)
		p.fd = f->from;
	else if (!reading && f->len)
		p.fd = f->to;
	return p;
}

static int pump(struct flow *up, struct flow *down, struct err *e)
{
	while (!down->told) {
		struct pollfd p[] = {wanted(up, true), wanted(up, false), wanted(down, true),
				     wanted(down, false)};

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot wait");
		if (p[0].revents)
			fill(up);
		if (p[1].revents && !drain(up)) {
			up->len = 0; /* the engine reads no more; its answer may still come */
			up->ended = true;
		}
		if (p[2].revents)
			fill(down);
		if (p[3].revents && !drain(down))
			return 0;
		end_of(up);
		end_of(down);
	}
	return 0;
}

static int dial(struct cli *cli, const struct args *a, struct err *e)
{
	static struct flow up = {.from = STDIN_FILENO}, down = {.to = STDOUT_FILENO};
	auto_close int fd = -EBADF;
	struct client *c;
	int r = cli_client(cli, &c, e);

	(void)a;
	if (r >= 0)
		r = client_raw(c, &fd, e);
	if (r < 0)
		return r;
	(void)fd_nonblock(fd); /* standard input and output may be shared with others: they block */
	up.to = down.from = fd;
	return pump(&up, &down, e);
}

const struct command cmd_dial_stdio = {
	.summary = "Proxy the stdio stream to the daemon connection",
	.run = dial,
};
