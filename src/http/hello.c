/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hello.c - TLS connections: the handshake, and what makes an ordinary connection of them
 *
 * A TLS connection ends here: a relay (http/relay.h) makes a plain socket of it, and from there on
 * nothing tells it from a local one. Bounds: HELLOS_MAX handshakes at a time, HELLO_MS each; a new
 * one ends the oldest, so that the silent keep nobody out.
 */

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/log.h"
#include "http/internal.h"
#include "http/relay.h"
#include "http/tls.h"

#define HELLOS_MAX  128
#define HELLO_MS    10000
#define FAREWELL_MS 2000 /* a refused one is read so long, that it can see why */

/* A TLS connection before it is one: first byte, handshake, or the end of a refused one. */
struct hello {
	struct list node; /* server->hellos, the oldest first */
	struct http_server *srv;
	struct tls *tls;
	struct wire *wire; /* NULL before the first byte */
	int fd;
	struct peer peer;
	struct source *io, *timer;
};

/* A finished one. */
struct tunnel {
	struct list node; /* server->tunnels */
	struct http_server *srv;
	struct relay *relay;
};

static void hello_free(struct hello *h)
{
	h->srv->n_hellos--;
	list_remove(&h->node);
	h->io = source_free(h->io);
	h->timer = source_free(h->timer);
	if (h->wire)
		wire_free(h->wire); /* closes the descriptor, too */
	else
		(void)fd_close(h->fd);
	accept_resume(h->srv);
	free(h);
}

static void hello_over(void *data)
{
	struct hello *h = data;

	log_debug("http: a TLS handshake took too long");
	hello_free(h);
}

static void drop_input(int fd, uint32_t events, void *data)
{
	char junk[4096];
	ssize_t n;

	(void)events;
	do
		n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0 || errno != EAGAIN)
		hello_free(data);
}

/* Ends one so that it can still read what it was told. */
static void refuse(struct hello *h)
{
	h->io = source_free(h->io);
	if (shutdown(h->fd, SHUT_WR) < 0 ||
	    loop_io(h->srv->loop, h->fd, EPOLLIN, drop_input, h, &h->io) < 0) {
		hello_free(h);
		return;
	}
	source_timer_set(h->timer, FAREWELL_MS);
}

static void tunnel_done(void *data)
{
	struct tunnel *t = data;

	list_remove(&t->node);
	t->srv->n_tunnels--;
	accept_resume(t->srv);
	free(t);
}

int tunnel_new(struct http_server *s, struct wire *w, int plain)
{
	struct tunnel *t = calloc(1, sizeof(*t));
	int r;

	if (!t) {
		wire_free(w);
		(void)fd_close(plain);
		return -ENOMEM;
	}
	t->srv = s;
	r = relay_new(s->loop, w, plain, tunnel_done, t, &t->relay);
	if (r < 0) {
		free(t);
		return r;
	}
	list_append(&s->tunnels, &t->node);
	s->n_tunnels++;
	return 0;
}

/* The handshake is through: from here on it is an ordinary connection. */
static void open_tunnel(struct hello *h)
{
	static const int on = 1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		log_warn("http: a TLS connection is ended: %s", strerror(errno));
		hello_free(h);
		return;
	}
	h->io = source_free(h->io);
	/* a client without TCP_NODELAY holds its request back until its handshake is acknowledged,
	 * which we, having nothing to say, would do 40 ms later */
	(void)setsockopt(h->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	h->fd = -EBADF; /* the relay's */
	if (tunnel_new(h->srv, TAKE_PTR(h->wire), pair[0]) < 0)
		(void)fd_close(pair[1]);
	else
		fresh_new(h->srv, pair[1], &h->peer);
	hello_free(h);
}

/* An HTTP request on a TLS port gets the answer that Docker gives. */
static void say_tls(struct hello *h)
{
	static const char text[] = "HTTP/1.0 400 Bad Request\r\n\r\n"
				   "Client sent an HTTP request to an HTTPS server.\n";

	if (send(h->fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		hello_free(h);
	else
		refuse(h);
}

/* Return: whether the first byte is there and is one of TLS; else @h waits, or is gone. */
static bool first_byte(struct hello *h)
{
	unsigned char first;
	ssize_t n = recv(h->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		hello_free(h);
		return false;
	}
	if (first != RECORD_HELLO) {
		say_tls(h);
		return false;
	}
	if (tls_accept(h->tls, h->fd, &h->wire) < 0) {
		h->fd = -EBADF;
		hello_free(h);
		return false;
	}
	return true;
}

static void on_hello(int fd, uint32_t events, void *data)
{
	struct hello *h = data;
	uint32_t wanted = EPOLLIN;
	char why[256];
	int r;

	(void)fd;
	(void)events;
	if (!h->wire && !first_byte(h))
		return;
	r = tls_handshake(h->wire, &wanted, why, sizeof(why));
	if (r == 0) {
		open_tunnel(h);
	} else if (r == -EAGAIN) {
		(void)source_io_events(h->io, wanted);
	} else {
		log_info("http: a TLS handshake failed error=\"%s\"", why);
		refuse(h);
	}
}

void hello_new(struct http_server *s, struct tls *tls, int fd, const struct peer *peer)
{
	struct hello *h;

	if (s->n_hellos >= HELLOS_MAX)
		hello_free(list_entry(s->hellos.next, struct hello, node));
	h = calloc(1, sizeof(*h));
	if (!h) {
		(void)fd_close(fd);
		return;
	}
	h->srv = s;
	h->tls = tls;
	h->fd = fd;
	h->peer = *peer;
	list_append(&s->hellos, &h->node);
	s->n_hellos++;
	if (loop_timer(s->loop, HELLO_MS, hello_over, h, &h->timer) < 0 ||
	    loop_io(s->loop, fd, EPOLLIN, on_hello, h, &h->io) < 0)
		hello_free(h);
}

void hello_close(struct http_server *s)
{
	struct hello *h;

	list_for_each (h, &s->hellos, node)
		hello_free(h);
}

void hello_close_tunnels(struct http_server *s)
{
	struct tunnel *t;

	list_for_each (t, &s->tunnels, node) {
		list_remove(&t->node);
		relay_free(t->relay);
		free(t);
	}
}
