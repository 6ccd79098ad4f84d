/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp.c - questions by TCP (RFC 7766)
 *
 * A connection handles one question after another and leaves the next in the kernel's queue
 * meanwhile:  reading (length, then message) -> waiting for a server -> writing -> reading ...
 * Nothing is read ahead, so nothing is to be kept. A connection without progress for IDLE_MS goes;
 * when a sandbox has CONNS_MAX, a new one takes the place of the one that is longest idle.
 */

#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "dns/server.h"
#include "loop/loop.h"

#define IDLE_MS	     10000
#define CONNS_MAX    64
#define ACCEPT_MAX   8	  /* at once, for fairness */
#define QUESTION_MAX 4096 /* a question as long as that is an attack */

struct conn {
	struct list node; /* sandbox->conns, the longest idle first */
	struct sandbox *sb;
	int fd;
	struct source *io, *timer;
	uint8_t in[2 + QUESTION_MAX];
	size_t have;
	struct pending *pending;
	uint8_t *out; /* with its length bytes; NULL: nothing to write */
	size_t out_len, out_at;
};

static void conn_free(struct conn *c)
{
	struct pending *p = c->pending;

	c->pending = NULL;
	if (p)
		pending_free(p);
	(void)source_free(c->io);
	(void)source_free(c->timer);
	(void)fd_close(c->fd);
	list_remove(&c->node);
	c->sb->n_conns--;
	free(c->out);
	free(c);
}

void conn_wait(struct conn *c, struct pending *p)
{
	c->pending = p;
}

void conn_forget(struct conn *c, struct pending *p)
{
	if (c->pending == p)
		c->pending = NULL;
}

static void on_idle(void *data)
{
	conn_free(data);
}

/* Progress: to the end of the line, and time anew. */
static void touch(struct conn *c)
{
	list_remove(&c->node);
	list_append(&c->sb->conns, &c->node);
	source_timer_set(c->timer, IDLE_MS);
}

/* false: the connection is gone */
static bool flush(struct conn *c)
{
	ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		conn_free(c);
		return false;
	}
	if (n > 0) {
		c->out_at += (size_t)n;
		touch(c);
	}
	if (c->out_at == c->out_len) {
		free(c->out);
		c->out = NULL;
	}
	if (source_io_events(c->io, c->out ? EPOLLOUT : EPOLLIN) < 0) {
		conn_free(c);
		return false;
	}
	return true;
}

static bool send_message(struct conn *c, const uint8_t *msg, size_t len)
{
	c->out = malloc(len + 2);
	if (!c->out) {
		conn_free(c);
		return false;
	}
	c->out[0] = (uint8_t)(len >> 8);
	c->out[1] = (uint8_t)len;
	memcpy(c->out + 2, msg, len);
	c->out_len = len + 2;
	c->out_at = 0;
	return flush(c);
}

void conn_answer(struct conn *c, const uint8_t *msg, size_t len)
{
	(void)send_message(c, msg, len);
}

/* The question is whole. false: the connection is gone */
static bool answer(struct conn *c, size_t len)
{
	static uint8_t out[DNS_TCP_MAX];
	struct wire_out o = WIRE_OUT(out, sizeof(out));
	struct pending way_back = {.conn = c};
	struct server *srv = c->sb->srv;

	srv->current = c->sb;
	control_drain(srv->control);
	if (!srv->current)
		return false; /* it went with its sandbox */
	c->have = 0;
	switch (sandbox_answer(c->sb, c->in + 2, len, &way_back, &o)) {
	case ANSWER_DONE:
		return send_message(c, o.data, o.len);
	case ANSWER_DROP:
		conn_free(c);
		return false;
	case ANSWER_FORWARD:
		break;
	}
	touch(c);
	if (source_io_events(c->io, 0) < 0) { /* hang-ups still come */
		conn_free(c);
		return false;
	}
	return true;
}

/* One read. 1 go on, 0 no more for now or the connection is gone */
static int read_some(struct conn *c)
{
	size_t len = c->have < 2 ? 0 : (size_t)(c->in[0] << 8 | c->in[1]);
	size_t want = c->have < 2 ? 2 - c->have : len + 2 - c->have;
	ssize_t n = recv(c->fd, c->in + c->have, want, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		conn_free(c);
		return 0;
	}
	c->have += (size_t)n;
	touch(c);
	if (c->have < 2)
		return 1;
	len = (size_t)(c->in[0] << 8 | c->in[1]);
	if (len < DNS_HEADER || len > QUESTION_MAX) {
		conn_free(c);
		return 0;
	}
	if (c->have < len + 2)
		return 1;
	(void)answer(c, len);
	return 0; /* others' turn */
}

static void on_conn(UNUSED int fd, uint32_t events, void *data)
{
	struct conn *c = data;

	if (events & (EPOLLERR | EPOLLHUP)) {
		conn_free(c);
		return;
	}
	if (c->out) {
		(void)flush(c);
		return;
	}
	if (c->pending)
		return;
	while (read_some(c))
		;
}

static int conn_new(struct sandbox *sb, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	c->sb = sb;
	c->fd = fd;
	list_append(&sb->conns, &c->node);
	sb->n_conns++;
	r = loop_io(sb->srv->loop, fd, EPOLLIN, on_conn, c, &c->io);
	if (r >= 0)
		r = loop_timer(sb->srv->loop, IDLE_MS, on_idle, c, &c->timer);
	if (r < 0)
		conn_free(c);
	return r;
}

static void on_listen(int fd, UNUSED uint32_t events, void *data)
{
	struct sandbox *sb = data;

	for (unsigned i = 0; i < ACCEPT_MAX; i++) {
		int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (conn < 0)
			return;
		if (sb->n_conns >= CONNS_MAX)
			conn_free(list_entry(sb->conns.next, struct conn, node));
		if (conn_new(sb, conn) < 0)
			log_debug("no connection for container=%.12s", sb->id);
	}
}

int conns_listen(struct sandbox *sb)
{
	return loop_io(sb->srv->loop, sb->tcp, EPOLLIN, on_listen, sb, &sb->tcp_io);
}

void conns_close(struct sandbox *sb)
{
	while (!list_empty(&sb->conns))
		conn_free(list_entry(sb->conns.next, struct conn, node));
}
