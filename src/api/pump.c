/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pump.c - between a client and a container's streams
 *
 * Towards the client: the raw socket after 101 (@h, @fd), or a one-way stream (@s). Until one of
 * them is there, output waits in @out. From the client, over the socket only: read while @in has
 * room, given to the attachment as it takes them; a half-close is handed on when all before it was
 * taken. A client's hang-up ends nothing in the container: what it had sent is still given to the
 * process (@orphan), then it is detached.
 */

#include "api/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/log.h"
#include "loop/loop.h"

#define IN_MAX	 (64u << 10) /* no more is read than fits beside this */
#define IN_HARD	 (1u << 20)  /* ... but at a hang-up: all that the socket held */
#define OUT_HARD (LIMIT_STREAM_QUEUE + LIMIT_LOG_LINE + 64u) /* one piece over the limit fits */

struct pump {
	struct list node; /* api.pumps */
	struct loop *loop;
	struct pump_config config;
	struct attachment *a;
	struct http_hijacked *h;
	struct http_stream *s;
	int fd;
	struct source *io, *reap, *over;
	struct buf out, in;
	bool paused;	/* the source was told to wait */
	bool in_eof;	/* the client half-closed */
	bool eof_given; /* ... and the attachment knows */
	bool ended;	/* nothing more comes from the container */
	bool awaits;	/* the socket or stream is still to come */
	bool expects;	/* the attachment is, and knows this pump */
	bool gone;	/* the client */
	bool orphan;	/* ... and left input behind */
};

int pump_new(struct api_call *c, const struct pump_config *config, struct pump **ret)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct pump){.loop = c->api->loop, .config = *config, .fd = -EBADF};
	p->out = BUF_INIT(OUT_HARD);
	p->in = BUF_INIT(IN_HARD);
	list_append(&c->api->pumps, &p->node);
	*ret = p;
	return 0;
}

void pump_free(struct pump *p)
{
	void (*freed)(void *) = p->config.freed;
	void *data = p->config.data;

	list_remove(&p->node);
	(void)source_free(p->io);
	(void)source_free(p->reap);
	(void)source_free(p->over);
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
	if (p->a || p->h || p->s || p->awaits || p->expects || p->reap || !p->ended)
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

/* The source may go on: the attachment, or whoever calls pump_put(). */
static void resume(struct pump *p)
{
	p->paused = false;
	if (p->a)
		attachment_resume(p->a);
	if (p->config.resume)
		p->config.resume(p->config.data);
}

/* Return: 0, or -errno where the client is not there any more. */
static int send_out(struct pump *p)
{
	size_t done = 0;
	int r = 0;

	while (done < p->out.len && r == 0) {
		ssize_t n = send(p->fd, p->out.data + done, p->out.len - done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			r = -errno;
	}
	buf_consume(&p->out, done);
	return r == -EAGAIN ? 0 : r;
}

/* Sends what waits; ends the client's side when all is out and nothing follows. */
static void flush(struct pump *p)
{
	int r = 0;

	if (p->h && p->out.len) {
		r = send_out(p);
	} else if (p->s && p->out.len && !p->paused) {
		r = http_stream_write(p->s, p->out.data, p->out.len);
		p->paused = r > 0;
		buf_clear(&p->out);
	}
	if (r < 0) {
		client_left(p);
		return;
	}
	if (p->h && p->paused && p->out.len <= LIMIT_STREAM_QUEUE / 2)
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
	if (stream_frame(&p->out, p->config.tty || p->config.raw, stream, data, len) < 0) {
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

static int on_unused_output(int stream, const char *data, size_t len, void *d)
{
	(void)stream;
	(void)data;
	(void)len;
	(void)d;
	return 0;
}

static void on_closed(void *d)
{
	struct pump *p = d;

	p->a = NULL;
	p->ended = true;
	flush(p);
	maybe_free(p);
}

static void on_input_closed(void *d)
{
	struct pump *p = d;

	p->a = NULL;
	p->ended = p->ended || p->gone;
	maybe_free(p);
}

static void input_over(void *data)
{
	struct pump *p = data;

	p->over = NULL;
	pump_end(p, NULL);
}

/* The client's input is at its end, and the process has it all. The attachment, which may be up the
 * stack, is closed on the next turn. */
static void give_eof(struct pump *p)
{
	p->eof_given = true;
	if (!p->config.eof_ends)
		attachment_eof(p->a);
	if ((p->config.eof_ends || p->orphan) && !p->over &&
	    loop_defer(p->loop, input_over, p, &p->over) < 0)
		log_warn("out of memory, a client stays attached");
}

/* Gives the client's bytes to the process; what it does not take waits for on_writable. */
static void push_in(struct pump *p)
{
	while (p->a && p->in.len) {
		ssize_t n = attachment_write(p->a, p->in.data, p->in.len);

		if (n <= 0)
			break;
		buf_consume(&p->in, (size_t)n);
	}
	if (p->a && p->in_eof && !p->in.len && !p->eof_given && p->config.in)
		give_eof(p);
	interest(p);
}

static void on_writable(void *d)
{
	push_in(d);
}

struct rt_attach_ops pump_ops(struct pump *p)
{
	return (struct rt_attach_ops){
		.output = on_output,
		.closed = on_closed,
		.writable = on_writable,
		.data = p,
		.what = (p->config.in ? 0 : RT_ATTACH_NO_INPUT) |
			(p->config.out || p->config.err ? 0 : RT_ATTACH_NO_OUTPUT)};
}

struct rt_attach_ops pump_input_ops(struct pump *p)
{
	return (struct rt_attach_ops){.output = on_unused_output,
				      .closed = on_input_closed,
				      .writable = on_writable,
				      .data = p,
				      .what = RT_ATTACH_NO_OUTPUT | RT_ATTACH_LOG |
					      (p->config.in ? 0 : RT_ATTACH_NO_INPUT)};
}

void pump_expect(struct pump *p)
{
	p->expects = true;
}

void pump_attached(struct pump *p, struct attachment *a)
{
	p->expects = false;
	if (p->ended) { /* the client left meanwhile */
		attachment_close(a);
		maybe_free(p);
		return;
	}
	p->a = a;
	if (!p->paused) /* it may have been told to wait before it was known here */
		attachment_resume(a);
	push_in(p);
}

void pump_end(struct pump *p, const char *text)
{
	p->expects = false;
	if (p->a)
		attachment_close(p->a);
	p->a = NULL;
	if (!p->gone && text) {
		(void)stream_frame(&p->out, p->config.tty || p->config.raw, 1, text, strlen(text));
		(void)stream_frame(&p->out, p->config.tty || p->config.raw, 1, "\r\n", 2);
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
		push_in(p); /* what was typed before */
		if (p->config.detached)
			p->config.detached(p->config.data);
		client_left(p);
		return false;
	}
	if (r < 0)
		log_warn("input of a client is lost");
	return true;
}

/* One piece. Return: its length, 0 at the end (also after an error), -EAGAIN nothing now,
 * -ECANCELED the keys were pressed and @p is done. */
static ssize_t read_in(struct pump *p)
{
	char chunk[16 << 10];
	ssize_t n;

	do
		n = recv(p->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n <= 0) {
		p->in_eof = true;
		return 0;
	}
	return take_in(p, chunk, (size_t)n) ? n : -ECANCELED;
}

/* The client is gone, both ways. What it had sent before is still there to be read. */
static void hung_up(struct pump *p)
{
	ssize_t n = 1;

	while (n > 0 && !p->in_eof && p->in.len < IN_HARD / 2)
		n = read_in(p);
	if (n == -ECANCELED)
		return;
	push_in(p);
	if (p->ended || !p->in.len || !p->config.in) { /* nothing is left behind */
		client_left(p);
		return;
	}
	p->in_eof = p->orphan = true;
	client_close(p);
}

static void on_socket(int fd, uint32_t events, void *data)
{
	struct pump *p = data;

	(void)fd;
	if (events & (EPOLLHUP | EPOLLERR)) {
		hung_up(p);
		return;
	}
	if ((events & EPOLLIN) && !p->in_eof) {
		if (read_in(p) == -ECANCELED)
			return;
		push_in(p);
	}
	if (p->h)
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
	flush(p); /* what came in spite of the pause */
	if (!p->paused && !p->gone)
		resume(p);
}

void pump_answer(struct pump *p, struct api_call *c)
{
	const char *type = stream_type(p->config.tty, c->version);

	if (c->r && http_wants_upgrade(c->r)) {
		p->awaits = true;
		http_hijack(c->r, p->config.raw ? NULL : type, on_hijacked, on_gone, p);
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

void pumps_close(struct api *api)
{
	struct pump *p;

	list_for_each (p, &api->pumps, node) {
		if (p->a)
			attachment_close(p->a);
		p->a = NULL;
		client_close(p);
		pump_free(p);
	}
}
