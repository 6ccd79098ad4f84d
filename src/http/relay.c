/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.c - between a wire and a plain socket
 *
 * Theory of operation. Each direction holds at most one block and one mark, "at its end". A turn
 * moves blocks until neither direction can go on, then says to epoll what it waits for. A socket
 * that has hung up is reported by epoll for ever: it leaves epoll (@wire_over, @plain_over) and is
 * read to its end without it, as the other side makes room.
 *
 * Ends, as they pass through:
 *   the wire's peer ends its side -> SHUT_WR on the plain socket; it may still read
 *   ... and then its connection   -> it is gone: the plain socket is closed
 *   the plain side ends           -> end() on the wire
 *   ... and is closed             -> input is dropped; the wire lingers until its peer's end, since
 *                                    a socket closed over unread bytes loses the last output
 */

#include "http/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "loop/loop.h"

#define LINGER_MS  10000 /* without any progress, once one side is closed */
#define ROUNDS_MAX 16	 /* blocks each way before other sources get their turn */

struct flow {
	char data[RELAY_BLOCK];
	size_t at, len;
	bool ended; /* nothing more comes */
	bool told;  /* ... and the other side knows */
};

struct relay {
	struct loop *loop;
	struct wire *wire;
	int plain;
	struct source *wire_io, *plain_io, *linger, *again;
	struct flow in, out;	    /* wire to plain, plain to wire */
	bool wire_over, plain_over; /* hung up: out of epoll */
	bool lost;		    /* the wire: what is in @in is all there is */
	bool deaf;		    /* the plain side reads no more: input is dropped */
	bool shut;		    /* ... and the wire's socket was told */
	void (*done)(void *data);
	void *data;
};

void relay_free(struct relay *r)
{
	if (!r)
		return;
	(void)source_free(r->wire_io);
	(void)source_free(r->plain_io);
	(void)source_free(r->linger);
	(void)source_free(r->again);
	wire_free(r->wire);
	(void)fd_close(r->plain);
	free(r);
}

static void finish(struct relay *r)
{
	void (*done)(void *) = r->done;
	void *data = r->data;

	if (done)
		done(data);
	relay_free(r);
}

static void linger_over(void *data)
{
	finish(data);
}

/* ---- wire to plain ---- */

static bool fill_in(struct relay *r)
{
	ssize_t n;

	if (r->in.len || r->in.ended || r->lost)
		return false;
	n = r->wire->ops->recv(r->wire, r->in.data, sizeof(r->in.data));
	if (n == -EAGAIN)
		return false;
	if (n > 0) {
		r->in.at = 0;
		r->in.len = (size_t)n;
	} else if (n == 0) {
		r->in.ended = true;
	} else {
		r->lost = r->in.ended = true;
	}
	return true;
}

static bool drain_in(struct relay *r)
{
	ssize_t n;

	if (!r->in.len)
		return false;
	n = r->deaf ? (ssize_t)r->in.len
		    : send(r->plain, r->in.data + r->in.at, r->in.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		r->deaf = true;
		n = (ssize_t)r->in.len;
	}
	r->in.at += (size_t)n;
	r->in.len -= (size_t)n;
	return true;
}

/* ---- plain to wire ---- */

static bool fill_out(struct relay *r)
{
	ssize_t n;

	if (r->out.len || r->out.ended)
		return false;
	n = recv(r->plain, r->out.data, sizeof(r->out.data), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0) {
		r->out.at = 0;
		r->out.len = (size_t)n;
	} else {
		r->out.ended = true;
	}
	return true;
}

static bool drain_out(struct relay *r)
{
	ssize_t n;

	if (!r->out.len)
		return false;
	n = r->lost ? (ssize_t)r->out.len
		    : r->wire->ops->send(r->wire, r->out.data + r->out.at, r->out.len);
	if (n == -EAGAIN)
		return false;
	if (n < 0) {
		r->lost = r->in.ended = true;
		n = (ssize_t)r->out.len;
	}
	r->out.at += (size_t)n;
	r->out.len -= (size_t)n;
	return true;
}

/* ---- both ---- */

static void tell_ends(struct relay *r)
{
	if (r->in.ended && !r->in.len && !r->in.told) {
		r->in.told = true;
		(void)shutdown(r->plain, SHUT_WR); /* a closed one knows already */
	}
	if (r->out.ended && !r->out.len && !r->out.told && !r->lost) {
		int x = r->wire->ops->end(r->wire);

		r->out.told = x == 0;
		if (x < 0 && x != -EAGAIN)
			r->lost = r->in.ended = true;
	}
	if (!r->lost) {
		int x = r->wire->ops->flush(r->wire);

		if (x < 0 && x != -EAGAIN)
			r->lost = r->in.ended = true;
		if (x == 0 && r->out.told && r->plain_over && !r->shut)
			r->shut = shutdown(r->wire->fd, SHUT_WR) == 0;
	}
}

static bool over(const struct relay *r)
{
	if (r->lost)
		return !r->in.len;
	return r->in.told && r->out.told && r->wire->ops->flush(r->wire) == 0;
}

static void wait_for(struct relay *r)
{
	uint32_t wire = 0, plain = 0;

	if (!r->in.len && !r->in.ended)
		wire |= (uint32_t)EPOLLIN;
	if (r->in.ended)
		wire |= (uint32_t)EPOLLRDHUP; /* it has ended its side: now the connection */
	if (r->out.len || (r->out.ended && !r->out.told) || r->wire->ops->flush(r->wire) == -EAGAIN)
		wire |= (uint32_t)EPOLLOUT;
	if (r->in.len)
		plain |= (uint32_t)EPOLLOUT;
	if (!r->out.len && !r->out.ended)
		plain |= (uint32_t)EPOLLIN;
	if (r->wire_io)
		(void)source_io_events(r->wire_io, wire);
	if (r->plain_io)
		(void)source_io_events(r->plain_io, plain);
}

static void turn(struct relay *r);

static void turn_again(void *data)
{
	struct relay *r = data;

	r->again = NULL;
	turn(r);
}

/* As far as it goes. @r may be freed by it. */
static void turn(struct relay *r)
{
	bool moved = true, ever = false;

	for (int i = 0; i < ROUNDS_MAX && moved; i++) {
		moved = drain_in(r);
		moved = fill_in(r) || moved;
		moved = drain_in(r) || moved;
		moved = drain_out(r) || moved;
		moved = fill_out(r) || moved;
		moved = drain_out(r) || moved;
		tell_ends(r);
		ever = ever || moved;
	}
	if (over(r)) {
		finish(r);
		return;
	}
	if (moved && !r->again && loop_defer(r->loop, turn_again, r, &r->again) < 0) {
		finish(r);
		return;
	}
	if ((r->plain_over || r->wire_over || r->lost) && (ever || !r->linger)) {
		if (r->linger)
			source_timer_set(r->linger, LINGER_MS);
		else if (loop_timer(r->loop, LINGER_MS, linger_over, r, &r->linger) < 0) {
			finish(r);
			return;
		}
	}
	wait_for(r);
}

static void on_wire(int fd, uint32_t events, void *data)
{
	struct relay *r = data;

	(void)fd;
	if (r->in.ended && (events & EPOLLRDHUP))
		r->lost = true;
	if (events & (EPOLLHUP | EPOLLERR)) {
		r->wire_over = true;
		r->wire_io = source_free(r->wire_io);
		r->lost = r->lost || r->in.ended;
	}
	turn(r);
}

static void on_plain(int fd, uint32_t events, void *data)
{
	struct relay *r = data;

	(void)fd;
	if (events & (EPOLLHUP | EPOLLERR)) {
		r->plain_over = r->deaf = true;
		r->plain_io = source_free(r->plain_io);
	}
	turn(r);
}

int relay_new(struct loop *l, struct wire *w, int plain, void (*done)(void *data), void *data,
	      struct relay **ret)
{
	struct relay *r = calloc(1, sizeof(*r));
	int x = r ? 0 : -ENOMEM;

	if (x < 0) {
		wire_free(w);
		(void)fd_close(plain);
		return x;
	}
	r->loop = l;
	r->wire = w;
	r->plain = plain;
	r->done = done;
	r->data = data;
	x = loop_io(l, w->fd, EPOLLIN, on_wire, r, &r->wire_io);
	if (x >= 0)
		x = loop_io(l, plain, EPOLLIN, on_plain, r, &r->plain_io);
	/* bytes may wait in the protocol's own buffers, where epoll does not see them */
	if (x >= 0)
		x = loop_defer(l, turn_again, r, &r->again);
	if (x < 0) {
		relay_free(r);
		return x;
	}
	if (ret)
		*ret = r;
	return 0;
}
