/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clients.c - who is attached, any number of them
 *
 * Each has a queue of its own for what its socket does not take. While one of the queues is full no
 * output is read: the process waits, as it does in Docker. Once the process has ended all that its
 * pipes still hold is taken in.
 *
 * One packet of input is under way at a time; the others wait in their sockets. Input that has
 * nowhere to go is dropped.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/internal.h"

#define BACKLOG	   128
#define CLIENTS	   1024		/* nobody has so many; a bound for poll(2)'s array */
#define QUEUE_FULL (128u << 10) /* no more is read */
#define QUEUE_MAX  (4u << 20)	/* the client is given up: only after the process's end */

struct client {
	struct list node;
	int fd;
	unsigned flags;
	bool greeted, sends, gone;
	char *queue; /* packets, each behind its length */
	size_t at, len, room;
};

static char input[SHIM_PACKET_MAX];
static size_t in_at, in_len;
static bool eof_waits; /* for the input before it */

int clients_listen(struct shim *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "attach"};

	s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(s->listener, BACKLOG) < 0)
		return -errno;
	return 0;
}

int clients_add(struct shim *s, int fd, unsigned flags)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c || s->n_clients >= CLIENTS) {
		free(c);
		(void)close(fd);
		return -ENOMEM;
	}
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	c->fd = fd;
	c->flags = flags;
	c->greeted = flags != 0;
	c->sends = true;
	s->n_clients++;
	list_append(&s->clients, &c->node);
	return 0;
}

/* ---- input ---- */

bool clients_input(const struct shim *s)
{
	(void)s;
	return in_len > 0;
}

static void end_input(struct shim *s)
{
	if (in_len)
		eof_waits = true;
	else
		streams_eof(s);
}

void clients_feed(struct shim *s)
{
	ssize_t n = in_len ? streams_write(s, input + in_at, in_len) : 0;

	if (n < 0) {
		in_len = 0;
	} else {
		in_at += (size_t)n;
		in_len -= (size_t)n;
	}
	if (!in_len && eof_waits) {
		eof_waits = false;
		streams_eof(s);
	}
}

static void take(struct shim *s, struct client *c, const struct shim_packet *p)
{
	switch (p->kind) {
	case SHIM_HELLO:
		c->flags = p->flags;
		c->greeted = true;
		break;
	case SHIM_DATA:
		in_at = (size_t)(p->data - input);
		in_len = p->len;
		clients_feed(s);
		break;
	case SHIM_EOF:
		end_input(s);
		break;
	case SHIM_SIZE:
		streams_size(s, p->rows, p->cols);
		break;
	default: /* what only the shim says */
		break;
	}
}

static void no_more_from(struct shim *s, struct client *c)
{
	c->sends = false;
	if (s->o.stdin_once && (c->flags & SHIM_INPUT))
		end_input(s);
	if (!(c->flags & SHIM_OUTPUT) || !c->len)
		c->gone = true;
}

/* One packet. Return: whether there may be another. */
static bool hear(struct shim *s, struct client *c)
{
	static char other[SHIM_PACKET_MAX]; /* input[] may still hold someone's */
	char *room = in_len ? other : input;
	struct shim_packet p;
	ssize_t n;

	if (in_len && (c->flags & SHIM_INPUT))
		return false;
	n = recv(c->fd, room, sizeof(input), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		no_more_from(s, c);
		return false;
	}
	/* who did not announce input has none to give */
	if (shim_parse(room, (size_t)n, &p) >= 0 &&
	    (p.kind != SHIM_DATA || (room == input && (c->flags & SHIM_INPUT))))
		take(s, c, &p);
	return true;
}

void clients_accept(struct shim *s)
{
	struct client *c;
	int fd;

	if (s->listener < 0)
		return;
	while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		(void)clients_add(s, fd, 0);
	list_for_each (c, &s->clients, node)
		while (!c->greeted && c->sends && hear(s, c))
			;
}

/* ---- output ---- */

static void drop_queue(struct client *c)
{
	free(c->queue);
	c->queue = NULL;
	c->at = c->len = c->room = 0;
}

static void keep(struct client *c, int stream, const char *data, size_t len)
{
	uint32_t size = (uint32_t)len + 1;
	size_t want = c->at + c->len + sizeof(size) + size;
	char *more, *p;

	if (want > c->room && c->at) {
		memmove(c->queue, c->queue + c->at, c->len);
		want -= c->at;
		c->at = 0;
	}
	if (want > c->room) {
		size_t room = MAX(2 * c->room, want + SHIM_DATA_MAX);

		more = room > QUEUE_MAX ? NULL : realloc(c->queue, room);
		if (!more) {
			c->gone = true;
			return;
		}
		c->queue = more;
		c->room = room;
	}
	p = c->queue + c->at + c->len;
	memcpy(p, &size, sizeof(size));
	p[sizeof(size)] = (char)stream;
	memcpy(p + sizeof(size) + 1, data, len);
	c->len += sizeof(size) + size;
}

/* Return: 1 sent, 0 not now; a client that is gone is marked. */
static int pass(struct client *c, const struct iovec *v, size_t n)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = n};
	ssize_t sent;

	do
		sent = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 1;
	if (errno == EAGAIN || errno == ENOBUFS)
		return 0;
	c->flags &= ~(unsigned)SHIM_OUTPUT; /* its input, if any, is still taken */
	drop_queue(c);
	c->gone = !c->sends;
	return 1;
}

static void send_queue(struct client *c)
{
	while (c->len) {
		char *p = c->queue + c->at;
		struct iovec v;
		uint32_t size;

		memcpy(&size, p, sizeof(size));
		v = (struct iovec){p + sizeof(size), size};
		if (!pass(c, &v, 1))
			return;
		if (c->len) {
			c->at += sizeof(size) + size;
			c->len -= sizeof(size) + size;
		}
	}
	drop_queue(c);
	if (!c->sends)
		c->gone = true;
}

void clients_output(struct shim *s, int stream, const char *data, size_t len)
{
	char kind = (char)stream;
	struct iovec v[2] = {{&kind, 1}, {(void *)(uintptr_t)data, len}};
	struct client *c;

	clients_accept(s); /* who came before these bytes gets them */
	list_for_each (c, &s->clients, node)
		if ((c->flags & SHIM_OUTPUT) && !c->gone && (c->len || !pass(c, v, 2)))
			keep(c, stream, data, len);
}

bool clients_full(const struct shim *s)
{
	struct client *c;

	list_for_each (c, &s->clients, node)
		if (c->len >= QUEUE_FULL && !c->gone)
			return true;
	return false;
}

bool clients_partials(const struct shim *s)
{
	struct client *c;

	list_for_each (c, &s->clients, node)
		if (c->flags & SHIM_PARTIALS)
			return true;
	return false;
}

bool clients_waiting(const struct shim *s)
{
	struct client *c;

	list_for_each (c, &s->clients, node)
		if (c->len && !c->gone)
			return true;
	return false;
}

/* ---- poll ---- */

static void reap(struct shim *s)
{
	struct client *c;

	list_for_each (c, &s->clients, node)
		if (c->gone) {
			list_remove(&c->node);
			(void)close(c->fd);
			drop_queue(c);
			free(c);
			s->n_clients--;
		}
}

size_t clients_poll(struct shim *s, struct pollfd *fds)
{
	struct client *c;
	size_t n = 0;

	reap(s);
	list_for_each (c, &s->clients, node) {
		bool hears = c->sends && !(in_len && (c->flags & SHIM_INPUT));

		/* a hang-up is told whether asked for or not: who has nothing to do is left out */
		fds[n++] = (struct pollfd){
			.fd = hears || c->len ? c->fd : -1,
			.events = (short)((hears ? POLLIN : 0) | (c->len ? POLLOUT : 0))};
	}
	return n;
}

void clients_ready(struct shim *s, const struct pollfd *fds, size_t n)
{
	struct client *c;
	size_t i = 0;

	list_for_each (c, &s->clients, node) {
		if (i == n) /* who came meanwhile */
			break;
		if (fds[i].revents && c->len)
			send_queue(c);
		if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) && c->sends && !c->gone)
			(void)hear(s, c);
		i++;
	}
}

void clients_close(struct shim *s)
{
	struct client *c;

	list_for_each (c, &s->clients, node)
		c->gone = true;
	reap(s);
	s->listener = fd_close(s->listener);
}
