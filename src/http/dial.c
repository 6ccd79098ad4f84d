/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dial.c - ways to an engine */

#include "http/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"
#include "http/relay.h"
#include "http/tls.h"
#include "loop/loop.h"

#define PORT_PLAIN "2375" /* Docker's */
#define PORT_TLS   "2376"

/* ---- what was asked for ---- */

void dial_done(struct dial *d)
{
	free(d->host);
	free(d->path);
	free(d->name);
	free(d->port);
	free(d->user);
	tls_free(d->tls);
	*d = (struct dial){0};
}

/* "127.0.0.1:2375", "[::1]:2375", "name"; a slash at the end is nothing. @preset: the port then;
 * NULL: none. Return: 0, -EINVAL, -ENOMEM */
static int split_address(struct dial *d, const char *s, const char *preset)
{
	size_t len = strlen(s), name;
	const char *colon;
	uint16_t port;

	if (len && s[len - 1] == '/')
		len--;
	if (*s == '[') {
		const char *end = strchr(s, ']');

		if (!end)
			return -EINVAL;
		colon = end[1] == ':' ? end + 1 : NULL;
		name = (size_t)(end - s) - 1;
		if (!colon && (size_t)(end - s) + 1 != len)
			return -EINVAL;
		s++;
		len--;
	} else {
		colon = memchr(s, ':', len);
		name = colon ? (size_t)(colon - s) : len;
	}
	if (!name)
		return -EINVAL;
	d->name = strndup(s, name);
	if (colon)
		d->port = strndup(colon + 1, (size_t)(s + len - colon - 1));
	else if (preset)
		d->port = strdup(preset);
	if (!d->name || ((colon || preset) && !d->port))
		return -ENOMEM;
	return d->port && (parse_u16(d->port, &port) < 0 || !port) ? -EINVAL : 0;
}

static int parse_ssh(struct dial *d, const char *s)
{
	const char *at = strrchr(s, '@');

	d->ssh = true;
	if (at) {
		d->user = strndup(s, (size_t)(at - s));
		if (!d->user)
			return -ENOMEM;
		s = at + 1;
	}
	/* neither may be taken for an option of ssh */
	return *s == '-' || (d->user && *d->user == '-') ? -EINVAL : split_address(d, s, NULL);
}

static int parse_unix(struct dial *d, const char *path)
{
	if (!*path || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return -EINVAL;
	d->path = strdup(path);
	return d->path ? 0 : -ENOMEM;
}

int dial_parse(struct dial *d, const char *host, const struct http_security *sec, struct err *e)
{
	int r = -EINVAL;

	*d = (struct dial){.host = strdup(host)};
	if (!d->host)
		return err_nomem(e);
	if (str_has_prefix(host, "unix://"))
		r = parse_unix(d, host + 7);
	else if (str_has_prefix(host, "tcp://"))
		r = split_address(d, host + 6, sec ? PORT_TLS : PORT_PLAIN);
	else if (str_has_prefix(host, "ssh://"))
		r = parse_ssh(d, host + 6);
	if (r == -ENOMEM)
		return err_nomem(e);
	if (r < 0)
		return err_invalid(e,
				   "invalid host '%s': unix:///path, tcp://address:port or "
				   "ssh://user@host",
				   host);
	return sec && !d->path && !d->ssh ? tls_client_new(&sec->files, sec->verify, &d->tls, e)
					  : 0;
}

/* ---- sockets ---- */

static int cannot(const struct dial *d, const char *why, struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, ECONNREFUSED, "cannot connect to %s: %s", d->host, why);
}

static int open_unix(const struct dial *d, int *ret, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return cannot(d, strerror(errno), e);
	memcpy(sa.sun_path, d->path, strlen(d->path)); /* parse_unix() checked the length */
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return cannot(d, strerror(errno), e);
	*ret = TAKE_FD(fd);
	return 0;
}

static int open_tcp(const struct dial *d, int *ret, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *all;
	int r = getaddrinfo(d->name, d->port, &hints, &all), last = 0, got = -EBADF;
	static const int on = 1;

	if (r != 0)
		return cannot(d, gai_strerror(r), e);
	for (const struct addrinfo *a = all; a && got < 0; a = a->ai_next) {
		int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			got = fd;
		} else {
			last = errno;
			(void)fd_close(fd);
		}
	}
	freeaddrinfo(all);
	if (got < 0)
		return cannot(d, strerror(last), e);
	(void)setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*ret = got;
	return 0;
}

/* ---- TLS ---- */

static void relayed(void *data)
{
	loop_exit(data, 0);
}

static void *relay_thread(void *data)
{
	(void)loop_run(data);
	loop_free(data);
	return NULL;
}

/* A thread between the session and a socketpair. Takes both. */
static int start_relay(struct wire *w, int plain)
{
	struct relay *relay;
	struct loop *loop;
	sigset_t all, old;
	pthread_t thread;
	int r = loop_new(&loop);

	if (r < 0) {
		wire_free(w);
		(void)fd_close(plain);
		return r;
	}
	r = relay_new(loop, w, plain, relayed, loop, &relay);
	if (r >= 0) {
		(void)sigfillset(&all); /* signals are the main thread's */
		(void)pthread_sigmask(SIG_SETMASK, &all, &old);
		r = -pthread_create(&thread, NULL, relay_thread, loop);
		(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
		if (r < 0)
			relay_free(relay);
	}
	if (r < 0)
		loop_free(loop);
	else
		(void)pthread_detach(thread);
	return r;
}

static int open_tls(const struct dial *d, int *ret, struct err *e)
{
	struct wire *w;
	struct err why = {0};
	int fd, pair[2], r = open_tcp(d, &fd, e);

	if (r < 0)
		return r;
	if (tls_connect(d->tls, fd, d->name, &w, &why) < 0)
		return err_set(e, ERR_UNAVAILABLE, EPROTO, "no TLS with %s: %s", d->host, why.msg);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		wire_free(w);
		return cannot(d, strerror(-r), e);
	}
	/* the relay's end never blocks: it asks for that in each call */
	r = start_relay(w, pair[0]);
	if (r < 0) {
		(void)fd_close(pair[1]);
		return cannot(d, strerror(-r), e);
	}
	*ret = pair[1];
	return 0;
}

/* ---- ssh ---- */

static _Noreturn void exec_ssh(const struct dial *d, int fd)
{
	const char *argv[16];
	size_t n = 0;

	argv[n++] = "ssh";
	argv[n++] = "-T";
	argv[n++] = "-o";
	argv[n++] = "ConnectTimeout=30";
	if (d->user) {
		argv[n++] = "-l";
		argv[n++] = d->user;
	}
	if (d->port) {
		argv[n++] = "-p";
		argv[n++] = d->port;
	}
	argv[n++] = "--";
	argv[n++] = d->name;
	argv[n++] = "atoll";
	argv[n++] = "system";
	argv[n++] = "dial-stdio";
	argv[n] = NULL;
	(void)setsid(); /* the terminal's signals are ours to pass on */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
		(void)execvp("ssh", (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int open_ssh(const struct dial *d, int *ret, struct err *e)
{
	int pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return cannot(d, strerror(errno), e);
	child = fork();
	if (child == 0)
		exec_ssh(d, pair[0]);
	(void)fd_close(pair[0]);
	if (child < 0) {
		(void)fd_close(pair[1]);
		return cannot(d, strerror(errno), e);
	}
	*ret = pair[1];
	return 0;
}

int dial_open(const struct dial *d, int *ret_fd, struct err *e)
{
	if (d->path)
		return open_unix(d, ret_fd, e);
	if (d->ssh)
		return open_ssh(d, ret_fd, e);
	return d->tls ? open_tls(d, ret_fd, e) : open_tcp(d, ret_fd, e);
}
