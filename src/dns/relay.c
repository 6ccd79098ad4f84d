/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.c - all relays, and TCP
 *
 * A connection is connecting -> relaying -> gone. Each of its two directions has a pipe only while
 * bytes are in it: one splice() in, one out, an event. A side is watched for reading while its pipe
 * is empty, for writing while the other's is not. The end of one direction is passed on by
 * shutdown(); both ended, or one side broken: gone, the latter with a reset for both.
 * Over the limits, or out of descriptors, listening sockets are left alone until one has gone or a
 * moment has passed; clients wait in the kernel's queue meanwhile.
 */

#include "dns/relay.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/fs.h"
#include "base/map.h"
#include "dns/relay_internal.h"
#include "loop/loop.h"

#define EVENTS_A_TURN 4
#define CHUNK	      (256u << 10) /* a pipe holds less bytes, or larger pieces */
#define BACKLOG	      1024
#define RETRY_MS      100
#define KEEPALIVE_S   60
#define CONNECT_SYNS  4 /* about half a minute */

enum { CLIENT, TARGET };

struct half {
	int pipe[2]; /* -EBADF: none */
	size_t held;
	bool eof, over; /* its end was read; was passed on */
};

struct conn {
	struct list node; /* relay->conns */
	struct relay *relay;
	struct watch side[2];
	struct half from[2]; /* what came from that side */
	bool connecting;
};

/* ---- the epoll of all relays ---- */

int watch_set(struct relays *all, struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};
	int op = !events ? EPOLL_CTL_DEL : !w->events ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (events == w->events)
		return 0;
	w->events = events;
	return epoll_ctl(all->epfd, op, w->fd, &ev) < 0 ? -errno : 0;
}

static void on_epoll(int epfd, UNUSED uint32_t events, UNUSED void *data)
{
	struct epoll_event ev;

	/* one by one: what one frees cannot be among others already taken */
	for (unsigned i = 0; i < EVENTS_A_TURN && epoll_wait(epfd, &ev, 1, 0) == 1; i++) {
		struct watch *w = ev.data.ptr;

		w->fn(w, ev.events);
	}
}

/* ---- pipes ---- */

static int pipe_take(struct relays *all, struct half *h)
{
	if (h->pipe[0] >= 0)
		return 0;
	if (all->n_pipes) {
		all->n_pipes--;
		h->pipe[0] = all->pipes[all->n_pipes][0];
		h->pipe[1] = all->pipes[all->n_pipes][1];
		return 0;
	}
	return pipe2(h->pipe, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

static void pipe_give(struct relays *all, struct half *h)
{
	if (h->pipe[0] < 0)
		return;
	if (!h->held && all->n_pipes < PIPES_KEPT) {
		all->pipes[all->n_pipes][0] = h->pipe[0];
		all->pipes[all->n_pipes][1] = h->pipe[1];
		all->n_pipes++;
	} else {
		(void)fd_close(h->pipe[0]);
		(void)fd_close(h->pipe[1]);
	}
	h->pipe[0] = h->pipe[1] = -EBADF;
}

/* ---- connections ---- */

static bool full(const struct relay *r)
{
	return r->n_conns >= RELAY_CONNS_EACH || r->all->n_conns >= RELAY_CONNS_MAX;
}

static void resume(struct relays *all)
{
	struct relay *r;

	list_for_each (r, &all->paused, paused) {
		if (full(r))
			continue;
		list_remove(&r->paused);
		(void)watch_set(all, &r->in, EPOLLIN);
	}
}

static void on_retry(void *data)
{
	resume(data);
}

static void pause_accept(struct relay *r)
{
	(void)watch_set(r->all, &r->in, 0);
	list_append(&r->all->paused, &r->paused);
	if (!full(r))
		source_timer_set(r->all->retry, RETRY_MS);
}

static void side_close(struct relays *all, struct watch *w, bool reset)
{
	const struct linger hard = {.l_onoff = 1};

	if (w->fd < 0)
		return;
	(void)watch_set(all, w, 0);
	if (reset)
		(void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	w->fd = fd_close(w->fd);
}

static void conn_free(struct conn *c, bool reset)
{
	struct relay *r = c->relay;

	for (int i = CLIENT; i <= TARGET; i++) {
		side_close(r->all, &c->side[i], reset);
		pipe_give(r->all, &c->from[i]);
	}
	list_remove(&c->node);
	r->n_conns--;
	r->all->n_conns--;
	free(c);
	resume(r->all);
}

/* One step of what comes from @side. Return: 0, or -errno: the connection is broken */
static int pump(struct conn *c, int side)
{
	struct half *h = &c->from[side];
	int in = c->side[side].fd, out = c->side[!side].fd, r;
	ssize_t n;

	if (!h->held && !h->eof) {
		r = pipe_take(c->relay->all, h);
		if (r < 0)
			return r;
		n = splice(in, NULL, h->pipe[1], NULL, CHUNK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		h->eof = n == 0;
		h->held = n > 0 ? (size_t)n : 0;
	}
	if (h->held) {
		n = splice(h->pipe[0], NULL, out, NULL, h->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		h->held -= n > 0 ? (size_t)n : 0;
	}
	if (!h->held)
		pipe_give(c->relay->all, h);
	if (h->eof && !h->held && !h->over) {
		h->over = true;
		(void)shutdown(out, SHUT_WR); /* fails only where that side is gone too */
	}
	return 0;
}

static int watch_sides(struct conn *c)
{
	for (int i = CLIENT; i <= TARGET; i++) {
		uint32_t events = (!c->from[i].held && !c->from[i].eof ? (uint32_t)EPOLLIN : 0) |
				  (c->from[!i].held ? (uint32_t)EPOLLOUT : 0);
		int r = watch_set(c->relay->all, &c->side[i], events);

		if (r < 0)
			return r;
	}
	return 0;
}

static int connected(const struct conn *c)
{
	int eno = 0;
	socklen_t len = sizeof(eno);

	return getsockopt(c->side[TARGET].fd, SOL_SOCKET, SO_ERROR, &eno, &len) < 0 ? -errno : -eno;
}

static void on_side(struct conn *c, int side, uint32_t events)
{
	int r = 0;

	if (c->connecting) {
		r = connected(c);
		c->connecting = false;
	} else {
		/* a hang-up or an error shows in the splice that we wait for */
		if (!c->from[side].held && !c->from[side].eof)
			r = pump(c, side);
		if (r >= 0 && c->from[!side].held && events & ~(uint32_t)EPOLLIN)
			r = pump(c, !side);
	}
	if (r >= 0)
		r = watch_sides(c);
	if (r < 0 || (c->from[CLIENT].over && c->from[TARGET].over))
		conn_free(c, r < 0);
}

static void on_client(struct watch *w, uint32_t events)
{
	on_side(CONTAINER_OF(w, struct conn, side[CLIENT]), CLIENT, events);
}

static void on_target(struct watch *w, uint32_t events)
{
	on_side(CONTAINER_OF(w, struct conn, side[TARGET]), TARGET, events);
}

static void prepare(int fd)
{
	const int on = 1, idle = KEEPALIVE_S, syns = CONNECT_SYNS;

	/* each only makes things better */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &syns, sizeof(syns));
}

static int conn_begin(struct conn *c)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(c->relay->to.target, c->relay->to.port, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	c->side[TARGET].fd = fd;
	prepare(c->side[CLIENT].fd);
	prepare(fd);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS)
		return -errno;
	return watch_set(c->relay->all, &c->side[TARGET], EPOLLOUT);
}

static void on_accept(struct watch *w, UNUSED uint32_t events)
{
	struct relay *r = CONTAINER_OF(w, struct relay, in);
	struct conn *c = NULL;
	int fd = -EBADF;

	if (!full(r)) {
		fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
		    errno != ENOMEM)
			return; /* nobody there any more */
		c = fd >= 0 ? calloc(1, sizeof(*c)) : NULL;
	}
	if (!c) {
		(void)fd_close(fd);
		pause_accept(r);
		return;
	}
	*c = (struct conn){.relay = r, .connecting = true};
	c->side[CLIENT] = (struct watch){.fd = fd, .fn = on_client};
	c->side[TARGET] = (struct watch){.fd = -EBADF, .fn = on_target};
	for (int i = CLIENT; i <= TARGET; i++)
		c->from[i].pipe[0] = c->from[i].pipe[1] = -EBADF;
	list_append(&r->conns, &c->node);
	r->n_conns++;
	r->all->n_conns++;
	if (conn_begin(c) < 0)
		conn_free(c, true);
}

/* ---- relays ---- */

int relay_new(struct relays *all, int fd, const struct relay_to *to, struct relay **ret)
{
	struct relay *r = calloc(1, sizeof(*r));
	const int on = 1;
	int none = 0, err;

	if (!r)
		return -ENOMEM;
	*r = (struct relay){.all = all, .to = *to, .in = {.fd = fd, .fn = on_accept}};
	list_init(&r->conns);
	/* a socket that only reserves its port takes nothing */
	(void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
	/* connections inherit it, and what is left of them keeps nobody from the port; while it
	 * listens it is ours alone all the same */
	if (to->proto == IPPROTO_TCP)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	err = fd_nonblock(fd);
	if (err >= 0)
		err = to->proto == IPPROTO_UDP	? flows_start(r)
		      : listen(fd, BACKLOG) < 0 ? -errno
						: 0;
	if (err >= 0)
		err = watch_set(all, &r->in, EPOLLIN);
	if (err < 0) {
		(void)relay_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

void relay_move(struct relay *r, const struct relay_to *to)
{
	r->to = *to;
	if (to->proto == IPPROTO_UDP)
		flows_end(r); /* a client of a dead target would keep its flow alive for ever */
}

struct relay *relay_free(struct relay *r)
{
	if (!r)
		return NULL;
	(void)watch_set(r->all, &r->in, 0);
	list_remove(&r->paused);
	if (r->to.proto == IPPROTO_TCP) /* others hold duplicates: closing alone ends nothing */
		(void)shutdown(r->in.fd, SHUT_RDWR);
	while (!list_empty(&r->conns))
		conn_free(list_entry(r->conns.next, struct conn, node), true);
	flows_end(r);
	map_free(r->flows);
	free(r);
	return NULL;
}

int relays_new(struct loop *l, struct relays **ret)
{
	struct relays *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	all->loop = l;
	list_init(&all->paused);
	list_init(&all->flows);
	all->epfd = epoll_create1(EPOLL_CLOEXEC);
	r = all->epfd < 0 ? -errno : loop_io(l, all->epfd, EPOLLIN, on_epoll, all, &all->io);
	if (r >= 0)
		r = loop_timer(l, -1, on_retry, all, &all->retry);
	if (r >= 0)
		r = loop_timer(l, -1, flows_on_idle, all, &all->idle);
	if (r < 0) {
		relays_free(all);
		return r;
	}
	*ret = all;
	return 0;
}

void relays_free(struct relays *all)
{
	if (!all)
		return;
	while (all->n_pipes) {
		all->n_pipes--;
		(void)fd_close(all->pipes[all->n_pipes][0]);
		(void)fd_close(all->pipes[all->n_pipes][1]);
	}
	(void)source_free(all->io);
	(void)source_free(all->retry);
	(void)source_free(all->idle);
	(void)fd_close(all->epfd);
	free(all);
}
