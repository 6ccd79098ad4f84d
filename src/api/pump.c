/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pump.c - between a client and a container's streams
 *
 * Towards the client: the raw socket after 101 (@h, @fd), or a one-way stream (@s). Until one of
 * them is there, output waits in @out. From the client, over the socket only: read while @in has
 * room, given to the attachment as it takes them; a half-close is handed on when all before it was
 * taken. A client's hang-up detaches and ends nothing in the container.
 */

#include "api/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/log.h"
#include "loop/loop.h"

#define IN_MAX	 (64u << 10)
#define OUT_HARD (4u * LIMIT_STREAM_QUEUE) /* a packet more than the limit fits */

struct pump {
	struct loop *loop;
	struct pump_config config;
	struct attachment *a;
	struct http_hijacked *h;
	struct http_stream *s;
	int fd;
	struct source *io, *reap;
	struct buf out, in;
	bool paused;	/* the attachment was told to wait */
	bool in_eof;	/* the client half-closed */
	bool eof_given; /* ... and the attachment knows */
	bool ended;	/* nothing more comes from the container */
	bool awaits;	/* the socket or stream is still to come */
	bool gone;	/* the client */
};

int pump_new(struct api_call *c, const struct pump_config *config, struct pump **ret)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct pump){.loop = c->api->loop, .config = *config, .fd = -EBADF};
	p->out = BUF_INIT(OUT_HARD);
	p->in = BUF_INIT(2 * IN_MAX);
	*ret = p;
	return 0;
}

void pump_free(struct pump *p)
{
	void (*freed)(void *) = p->config.freed;
	void *data = p->config.data;

	(void)source_free(p->io);
	(void)source_free(p->reap);
	buf_done(&p->out);
	buf_done(&p->in);
	free(p);
	if (freed)
		freed(data);
}

static void reap(void *data)
{
	struct pump *p = data;

	p->reap = NULL;
	pump_free(p);
}

/* Both sides are done: freed on the next turn, for callers up the stack still look at it. */
static void maybe_free(struct pump *p)
{
	if (p->a || p->h || p->s || p->awaits || p->reap || !p->ended)
		return;
	p->io = source_free(p->io);
	if (loop_defer(p->loop, reap, p, &p->reap) < 0)
		log_error("out of memory, a stream's remains stay");
}

static void client_close(struct pump *p)
{
	p->io = source_free(p->io);
	if (p->h)
		http_hijack_close(p->h);
	if (p->s)
		http_stream_end(p->s);
	p->h = NULL;
	p->s = NULL;
	p->gone = true;
}

/* The client left or detached: the container goes on. */
static void client_left(struct pump *p)
{
	if (p->a)
		attachment_close(p->a);
	p->a = NULL;
	p->ended = true;
	client_close(p);
	maybe_free(p);
}

static void interest(struct pump *p)
{
	uint32_t events = 0;

	if (!p->io)
		return;
	if (!p->in_eof && p->in.len < IN_MAX)
		events |= (uint32_t)EPOLLIN;
	if (p->out.len)
		events |= (uint32_t)EPOLLOUT;
	(void)source_io_events(p->io, events);
}

static void resume(struct pump *p)
{
	if (!p->paused || p->out.len > LIMIT_STREAM_QUEUE / 2)
		return;
	p->paused = false;
	if (p->a)
		attachment_resume(p->a);
}

/* Sends what waits; ends the client's side when all is out and nothing follows. */
static void flush(struct pump *p)
{
	while (p->fd >= 0 && p->h && p->out.len) {
		ssize_t n = send(p->fd, p->out.data, p->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			client_left(p);
			return;
		}
		buf_consume(&p->out, (size_t)n);
	}
	if (p->s && p->out.len && !p->paused) {
		p->paused = http_stream_write(p->s, p->out.data, p->out.len) > 0;
		buf_clear(&p->out);
	}
	if (p->h)
		resume(p);
	if (p->ended && !p->out.len && (p->h || p->s) && !p->gone) {
		client_close(p);
		maybe_free(p);
		return;
	}
	interest(p);
}

/* ---- from the container ---- */

int pump_put(struct pump *p, int stream, const char *data, size_t len)
{
	if (p->gone || (stream == 2 ? !p->config.err : !p->config.out))
		return 0;
	if (stream_frame(&p->out, p->config.tty, stream, data, len) < 0) {
		log_warn("a client is too slow for its stream, it is detached");
		client_left(p);
		return 0;
	}
	flush(p);
	if (p->gone)
		return 0;
	if (p->out.len >= LIMIT_STREAM_QUEUE)
		p->paused = true;
	return p->paused;
}

static int on_output(int stream, const char *data, size_t len, void *d)
{
	return pump_put(d, stream, data, len);
}

static void on_closed(void *d)
{
	struct pump *p = d;

	p->a = NULL;
	p->ended = true;
	flush(p);
	maybe_free(p);
}

/* Gives the client's bytes to the process; what it does not take waits for on_writable. */
static void push_in(struct pump *p)
{
	if (!p->a)
		return;
	while (p->in.len) {
		ssize_t n = attachment_write(p->a, p->in.data, p->in.len);

		if (n <= 0)
			break;
		buf_consume(&p->in, (size_t)n);
	}
	if (p->in_eof && !p->in.len && !p->eof_given && p->config.in) {
		p->eof_given = true;
		attachment_eof(p->a);
	}
	interest(p);
}

static void on_writable(void *d)
{
	push_in(d);
}

struct rt_attach_ops pump_ops(struct pump *p)
{
	return (struct rt_attach_ops){
		.output = on_output, .closed = on_closed, .writable = on_writable, .data = p};
}

void pump_attached(struct pump *p, struct attachment *a)
{
	if (p->ended) { /* the client left meanwhile */
		attachment_close(a);
		return;
	}
	p->a = a;
	push_in(p);
}

void pump_failed(struct pump *p, const char *text)
{
	p->a = NULL;
	if (!p->gone && text) {
		(void)stream_frame(&p->out, p->config.tty, 1, text, strlen(text));
		(void)stream_frame(&p->out, p->config.tty, 1, "\r\n", 2);
	}
	p->ended = true;
	flush(p);
	maybe_free(p);
}

/* ---- from the client ---- */

/* Return: whether the pump goes on. */
static bool take_in(struct pump *p, const char *data, size_t len)
{
	int r;

	if (!p->config.in)
		return true; /* nobody asked for it */
	r = p->config.detachable ? detach_feed(&p->config.keys, data, len, &p->in)
				 : buf_add(&p->in, data, len);
	if (r == 1) {
		if (p->config.detached)
			p->config.detached(p->config.data);
		client_left(p);
		return false;
	}
	if (r < 0)
		log_warn("input of a client is lost");
	return true;
}

static void on_socket(int fd, uint32_t events, void *data)
{
	struct pump *p = data;
	char chunk[16 << 10];

	if (events & (EPOLLHUP | EPOLLERR)) {
		client_left(p);
		return;
	}
	if ((events & EPOLLIN) && !p->in_eof) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client_left(p);
			return;
		}
		if (n == 0)
			p->in_eof = true;
		if (n > 0 && !take_in(p, chunk, (size_t)n))
			return;
		push_in(p);
	}
	flush(p);
}

static void on_hijacked(struct http_hijacked *h, int fd, const char *early, size_t len, void *data)
{
	struct pump *p = data;

	p->awaits = false;
	p->h = h;
	p->fd = fd;
	if (loop_io(p->loop, fd, EPOLLIN, on_socket, p, &p->io) < 0) {
		client_left(p);
		return;
	}
	if (len && !take_in(p, early, len))
		return;
	push_in(p);
	flush(p);
}

static void on_gone(void *data) /* before the 101 was out, or of a one-way stream */
{
	struct pump *p = data;

	p->awaits = false;
	p->s = NULL;
	client_left(p);
}

static void on_drained(void *data)
{
	struct pump *p = data;

	p->paused = false;
	flush(p);
	if (p->a && !p->paused)
		attachment_resume(p->a);
}

void pump_answer(struct pump *p, struct api_call *c)
{
	const char *type = stream_type(p->config.tty, c->version);

	if (c->r && http_wants_upgrade(c->r)) {
		p->awaits = true;
		http_hijack(c->r, type, on_hijacked, on_gone, p);
		api_drop(c);
		return;
	}
	p->s = api_stream(c, 200, type, on_gone, p);
	if (!p->s) {
		client_left(p);
		return;
	}
	http_stream_on_drained(p->s, on_drained);
	flush(p);
}
