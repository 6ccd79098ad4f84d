/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fresh.c - connections that have not sent a byte yet, and those who sent all and left
 *
 * libmicrohttpd gets a connection with its first byte: before that it costs no memory of it. A new
 * one beyond the limit ends the oldest that has been silent for a while.
 *
 * A client that sends its request and closes at once shows as a hang-up on a unix socket (and
 * behind TLS), over which libmicrohttpd drops what it reads. What such a client wanted is done, as
 * it is by Docker: its bytes go into a new connection, whose other end is ours for a moment. That
 * is so for requests that change something and fit into one buffer. (A hang-up in the few
 * microseconds between our look and libmicrohttpd's still loses one.)
 */

#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "http/internal.h"

#define SILENT_MS    1000 /* younger ones may have bytes that were not looked at yet */
#define STANDINS_MAX 256
#define STANDIN_MS   1000 /* after which the stand-in leaves, unless there was an answer before */

struct fresh {
	struct list node; /* server->fresh, the oldest first */
	struct http_server *srv;
	int fd;
	struct peer peer;
	int64_t since_ns;
	struct source *io, *timer;
};

struct standin {
	struct list node; /* server->standins */
	struct http_server *srv;
	int fd;
	struct source *io, *timer;
};

static void hand_over(struct http_server *s, int fd, const struct peer *peer)
{
	/* closes fd itself where it fails */
	if (MHD_add_connection(s->mhd, fd, (const struct sockaddr *)&peer->sa, peer->len) !=
	    MHD_YES)
		log_warn("http: a connection was refused: %s", strerror(errno));
	s->dirty = true;
	(void)MHD_run(s->mhd); /* it takes it in now, so that the next is counted right */
}

/* ---- those who left ---- */

static void standin_free(struct standin *x)
{
	list_remove(&x->node);
	x->srv->n_standins--;
	x->io = source_free(x->io);
	x->timer = source_free(x->timer);
	(void)fd_close(x->fd);
	free(x);
}

static void standin_over(void *data)
{
	standin_free(data);
}

/* The answer: it may leave. */
static void standin_answered(int fd, uint32_t events, void *data)
{
	(void)fd;
	(void)events;
	standin_free(data);
}

static bool changes_something(const char *data, size_t len)
{
	static const char *const methods[] = {"POST /", "DELETE /", "PUT /"};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (len > strlen(methods[i]) && !memcmp(data, methods[i], strlen(methods[i])))
			return true;
	return false;
}

/* The value of a header line, NULL: there is none. @head ends with an empty line. */
static const char *header_value(const char *head, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (!strncasecmp(line + 2, name, len) && line[2 + len] == ':')
			return line + 2 + len + 1 + strspn(line + 2 + len + 1, " \t");
	return NULL;
}

/* A body that broke off is nobody's wish. */
static bool complete(const char *data, size_t len)
{
	static const char last_chunk[] = "0\r\n\r\n";
	/* never null, which GCC does not see in a build with sanitizers */
	const char *end = data ? memmem(data, len, "\r\n\r\n", 4) : NULL, *value;
	auto_free char *head = end ? strndup(data, (size_t)(end - data) + 4) : NULL;
	size_t body = end ? len - (size_t)(end - data) - 4 : 0;
	uint64_t want;

	if (!head)
		return false;
	if (header_value(head, "Transfer-Encoding"))
		return body >= strlen(last_chunk) &&
		       !memcmp(data + len - strlen(last_chunk), last_chunk, strlen(last_chunk));
	value = header_value(head, "Content-Length");
	if (!value)
		return true;
	auto_free char *digits = strndup(value, strspn(value, "0123456789"));

	return digits && parse_u64(digits, &want) >= 0 && body >= want;
}

static void standin_new(struct http_server *s, const char *data, size_t len,
			const struct peer *peer)
{
	struct standin *x = calloc(1, sizeof(*x));
	int pair[2];

	if (!x || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		log_warn("http: a request is lost, its client has left");
		free(x);
		return;
	}
	x->srv = s;
	x->fd = pair[0];
	s->n_standins++;
	list_append(&s->standins, &x->node);
	if (loop_timer(s->loop, STANDIN_MS, standin_over, x, &x->timer) < 0 ||
	    loop_io(s->loop, x->fd, EPOLLIN, standin_answered, x, &x->io) < 0 ||
	    send(x->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len) {
		(void)fd_close(pair[1]);
		standin_free(x);
		return;
	}
	hand_over(s, pair[1], peer);
}

/* Its client is gone; what it sent is all there. */
static void take_last(struct http_server *s, int fd, const struct peer *peer)
{
	auto_free char *data = NULL;
	int waiting = 0;
	ssize_t n;

	if (ioctl(fd, FIONREAD, &waiting) < 0 || waiting <= 0 || waiting > (int)LIMIT_HEADER_MEM ||
	    s->n_standins >= STANDINS_MAX)
		return;
	data = calloc(1, (size_t)waiting + 1);
	if (!data)
		return;
	n = recv(fd, data, (size_t)waiting, MSG_DONTWAIT);
	if (n > 0 && changes_something(data, (size_t)n) && complete(data, (size_t)n))
		standin_new(s, data, (size_t)n, peer);
}

/* ---- those who are silent yet ---- */

/* Return: its descriptor, the caller's now. */
static int fresh_take(struct fresh *f)
{
	int fd = f->fd;

	f->srv->n_fresh--;
	list_remove(&f->node);
	f->io = source_free(f->io);
	f->timer = source_free(f->timer);
	free(f);
	return fd;
}

static void fresh_end(void *data)
{
	struct fresh *f = data;
	struct http_server *s = f->srv;

	(void)fd_close(fresh_take(f));
	accept_resume(s);
}

bool fresh_end_one(struct http_server *s)
{
	struct fresh *oldest;

	if (list_empty(&s->fresh))
		return false;
	oldest = list_entry(s->fresh.next, struct fresh, node);
	if (clock_mono_ns() - oldest->since_ns < SILENT_MS * NS_PER_MS)
		return false;
	fresh_end(oldest);
	return true;
}

/* TLS on a plain port gets an answer that its client names for what it is. */
static void say_plain(int fd)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; "
				   "charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request";
	char junk[4096];

	while (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	(void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_first_byte(int fd, uint32_t events, void *data)
{
	struct fresh *f = data;
	struct http_server *s = f->srv;
	struct peer peer = f->peer;
	struct pollfd now = {.fd = fd, .events = POLLIN};
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fresh_end(f);
		return;
	}
	fd = fresh_take(f);
	if (byte == RECORD_HELLO) {
		say_plain(fd);
		(void)fd_close(fd);
		accept_resume(s);
	} else if (poll(&now, 1, 0) > 0 && (now.revents & POLLHUP)) {
		take_last(s, fd, &peer);
		(void)fd_close(fd);
		accept_resume(s);
	} else {
		hand_over(s, fd, &peer);
	}
}

void fresh_new(struct http_server *s, int fd, const struct peer *peer)
{
	struct fresh *f;

	if (s->open + s->n_fresh >= s->config.max_connections)
		(void)fresh_end_one(s);
	f = calloc(1, sizeof(*f));
	if (!f) {
		(void)fd_close(fd);
		return;
	}
	f->srv = s;
	f->fd = fd;
	f->peer = *peer;
	f->since_ns = clock_mono_ns();
	list_append(&s->fresh, &f->node);
	s->n_fresh++;
	if (loop_timer(s->loop, s->config.head_ms, fresh_end, f, &f->timer) < 0 ||
	    loop_io(s->loop, fd, EPOLLIN, on_first_byte, f, &f->io) < 0)
		fresh_end(f);
}

void fresh_close(struct http_server *s)
{
	struct standin *x;
	struct fresh *f;

	list_for_each (f, &s->fresh, node)
		(void)fd_close(fresh_take(f));
	list_for_each (x, &s->standins, node)
		standin_free(x);
}
