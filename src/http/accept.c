/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * accept.c - listening: new connections, and when there are too many
 *
 * We accept ourselves, because libmicrohttpd spins where no descriptor is left, and knows no
 * half-close over TLS. A connection goes through hello.c (TLS) and fresh.c (the first byte) before
 * libmicrohttpd has it.
 *
 * Beyond the limit and its surplus (which get their 503) nobody is accepted until one ends; the
 * rest waits in the kernel's queue. No descriptor left: one is kept back, over which each new
 * client in turn is told so (503), after the idle ones have made room.
 */

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "http/internal.h"

#define ACCEPTS_MAX 64	 /* in a row, before the other sources get their turn */
#define TURNED_AWAY 1000 /* ms for one that is told that there is no descriptor */

struct listener {
	struct list node; /* server->listeners */
	struct http_server *srv;
	int fd;
	struct tls *tls;
	struct source *io;
	bool paused;
};

/* On a unix socket this does nothing. */
static void tune_tcp(int fd)
{
	static const int on = 1, idle_s = 30, interval_s = 10, count = 3;

	if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s)) < 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* ---- no descriptor left ---- */

static void keep_spare(struct http_server *s)
{
	if (s->spare < 0)
		s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void turned_away(void *data)
{
	struct http_server *s = data;

	s->away_io = source_free(s->away_io);
	s->away = fd_close(s->away);
	keep_spare(s);
	accept_resume(s);
}

/* Its request is there: now an answer is understood as one. */
static void turn_away(int fd, uint32_t events, void *data)
{
	static const char text[] =
		"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
		"Content-Type: application/json\r\nContent-Length: 60\r\n\r\n"
		"{\"message\":\"the engine has no descriptor left, try again\"}  \n";
	char junk[65536];

	(void)events;
	if (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		(void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	source_timer_set(((struct http_server *)data)->away_timer, 0);
}

/* One client at a time over the descriptor that was kept back; the others wait for it. */
static void no_descriptor(struct listener *l)
{
	struct http_server *s = l->srv;

	if (fresh_end_one(s))
		return; /* its descriptor serves for this one */
	if (conn_end_idle(s)) {
		(void)MHD_run(s->mhd); /* likewise, once it is cleaned up */
		s->dirty = true;
		return;
	}
	if (s->away < 0 && clock_mono_ns() - s->warned_ns > 10 * NS_PER_S) {
		s->warned_ns = clock_mono_ns();
		log_warn("http: no descriptor is left for connections, they are refused");
	}
	accept_pause(s);
	if (s->away >= 0)
		return;
	s->spare = fd_close(s->spare);
	s->away = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	source_timer_set(s->away_timer, TURNED_AWAY);
	/* TLS cannot be spoken so: it is closed after a moment */
	if (s->away >= 0 && !l->tls)
		(void)loop_io(s->loop, s->away, EPOLLIN, turn_away, s, &s->away_io);
}

/* ---- listening ---- */

void accept_pause(struct http_server *s)
{
	struct listener *l;

	list_for_each (l, &s->listeners, node) {
		l->paused = true;
		(void)source_io_events(l->io, 0);
	}
}

/* A tunnel may outlive its connection: its client has not read the end yet. */
static bool full(const struct http_server *s)
{
	unsigned most = s->config.max_connections + LIMIT_SURPLUS;

	return s->open + s->n_hellos + s->n_fresh >= most || s->n_tunnels >= most;
}

void accept_resume(struct http_server *s)
{
	struct listener *l;

	if (full(s) || s->away >= 0)
		return;
	list_for_each (l, &s->listeners, node) {
		if (l->paused)
			(void)source_io_events(l->io, EPOLLIN);
		l->paused = false;
	}
}

static void on_connection(int fd, uint32_t events, void *data)
{
	struct listener *l = data;
	struct http_server *s = l->srv;

	(void)events;
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		struct peer peer = {.sa.ss_family = AF_UNIX, .len = sizeof(peer.sa)};
		int c;

		if (full(s)) {
			accept_pause(s);
			return;
		}
		c = accept4(fd, (struct sockaddr *)&peer.sa, &peer.len,
			    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (c < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
			no_descriptor(l);
		if (c < 0) /* EAGAIN, or one that has gone again */
			return;
		if (!peer.len) /* an unnamed unix socket */
			peer.len = sizeof(peer.sa.ss_family);
		if (peer.sa.ss_family != AF_UNIX)
			tune_tcp(c);
		if (l->tls)
			hello_new(s, l->tls, c, &peer);
		else
			fresh_new(s, c, &peer);
	}
}

int http_server_listen(struct http_server *s, int fd, struct tls *tls, struct err *e)
{
	struct listener *l = calloc(1, sizeof(*l));
	int r = l ? 0 : -ENOMEM;

	if (r < 0) {
		(void)fd_close(fd);
		return err_nomem(e);
	}
	l->srv = s;
	l->fd = fd;
	l->tls = tls;
	if (fd_nonblock(fd) < 0 || loop_io(s->loop, fd, EPOLLIN, on_connection, l, &l->io) < 0) {
		(void)fd_close(fd);
		free(l);
		return err_set(e, ERR_INTERNAL, EIO, "cannot watch a listening socket");
	}
	list_append(&s->listeners, &l->node);
	return 0;
}

int accept_open(struct http_server *s)
{
	list_init(&s->listeners);
	list_init(&s->hellos);
	list_init(&s->tunnels);
	list_init(&s->fresh);
	list_init(&s->standins);
	s->away = s->spare = -EBADF;
	keep_spare(s);
	return loop_timer(s->loop, -1, turned_away, s, &s->away_timer);
}

void accept_close(struct http_server *s)
{
	struct listener *l;

	list_for_each (l, &s->listeners, node) {
		list_remove(&l->node);
		(void)source_free(l->io);
		(void)fd_close(l->fd);
		free(l);
	}
	s->away_io = source_free(s->away_io);
	s->away_timer = source_free(s->away_timer);
	s->away = fd_close(s->away);
	s->spare = fd_close(s->spare);
}
