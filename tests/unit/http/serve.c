/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c - the server of the tests and what its handlers do */

#include "serve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "http/router.h"
#include "http/server.h"
#include "loop/loop.h"

struct serve {
	pthread_t thread;
	struct loop *loop;
	struct http_server *server;
	int stop_fd;
	char dir[64], path[96], host[112], tcp_host[48];
	unsigned port;
	struct list waiters, streams, uploads, echoes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t counts[SEEN_MAX];
static struct serve *self; /* one at a time */
static sem_t unblock;

static void count(enum seen what, uint64_t n)
{
	pthread_mutex_lock(&lock);
	counts[what] += n;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

uint64_t seen(enum seen what)
{
	uint64_t n;

	pthread_mutex_lock(&lock);
	n = counts[what];
	pthread_mutex_unlock(&lock);
	return n;
}

bool await(enum seen what, uint64_t at_least)
{
	struct timespec until;
	bool good;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	pthread_mutex_lock(&lock);
	while (counts[what] < at_least)
		if (pthread_cond_timedwait(&changed, &lock, &until) != 0)
			break;
	good = counts[what] >= at_least;
	pthread_mutex_unlock(&lock);
	return good;
}

/* ---- handlers: plain ---- */

static void on_echo(struct http_req *r)
{
	auto_free char *text = NULL;
	const char *q = http_query(r, "q"), *h = http_header(r, "X-Test");

	text = str_printf("%s %s q=%s h=%s bool=%d", http_method(r), http_path(r), q ? q : "-",
			  h ? h : "-", http_query_bool(r, "b", false));
	http_header_add(r, "X-Answer", "yes");
	http_reply(r, 200, "text/plain", text, strlen(text));
}

static void on_empty(struct http_req *r)
{
	http_reply_empty(r, 204);
}

static void on_big(struct http_req *r)
{
	uint32_t mb;
	struct buf b = BUF_INIT(512u << 20);
	char block[4096];

	if (parse_u32(http_query(r, "mb"), &mb) < 0)
		mb = 1;
	memset(block, 'B', sizeof(block));
	for (size_t i = 0; i < (size_t)mb * 256; i++)
		(void)buf_add(&b, block, sizeof(block));
	http_reply_buf(r, 200, "application/octet-stream", &b);
}

static void on_fail(struct http_req *r)
{
	static const char text[] = "{\"message\":\"no such thing\"}";

	http_reply(r, 404, "application/json", text, sizeof(text) - 1);
}

/* ---- handlers: bodies ---- */

static void answer_sum(struct http_req *r, uint64_t len, uint32_t sum)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%llu %08x", (unsigned long long)len, sum);
	http_reply(r, 200, "text/plain", text, strlen(text));
}

static uint32_t add_sum(uint32_t sum, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)data[i];
	return sum;
}

static void gone(struct http_req *r, void *data)
{
	(void)r;
	(void)data;
	count(SEEN_GONE, 1);
}

static void collected(struct http_req *r, const char *body, size_t len, void *data)
{
	(void)data;
	answer_sum(r, len, add_sum(0, body, len));
}

static void on_collect(struct http_req *r)
{
	http_on_gone(r, gone, NULL);
	http_body_collect(r, 1u << 20, collected, NULL);
}

struct upload {
	struct list node;
	struct http_req *r;
	uint64_t len;
	uint32_t sum;
	unsigned turn;
	bool held; /* /upload?hold: takes nothing until /release */
	struct source *timer;
};

static void upload_free(struct upload *u)
{
	list_remove(&u->node);
	u->timer = source_free(u->timer);
	free(u);
}

static void upload_gone(struct http_req *r, void *data)
{
	(void)r;
	upload_free(data);
	count(SEEN_GONE, 1);
}

static void upload_on(void *data)
{
	struct upload *u = data;

	http_body_resume(u->r);
}

/* Takes most at once, at times a part, at times nothing. */
static size_t upload_piece(struct http_req *r, const char *data, size_t len, void *d)
{
	struct upload *u = d;
	size_t n = len;

	if (!len) {
		answer_sum(r, u->len, u->sum);
		upload_free(u);
		return 0;
	}
	if (u->held)
		n = 0;
	else if (++u->turn % 50 == 0)
		n = len / 3;
	else if (u->turn % 75 == 0)
		n = 0;
	u->sum = add_sum(u->sum, data, n);
	u->len += n;
	if (n < len) {
		count(SEEN_UPLOAD_PAUSED, 1);
		if (!u->held)
			source_timer_set(u->timer, 1);
	}
	return n;
}

static void on_upload(struct http_req *r)
{
	struct upload *u = calloc(1, sizeof(*u));

	u->r = r;
	u->held = http_query_bool(r, "hold", false);
	if (loop_timer(self->loop, -1, upload_on, u, &u->timer) < 0)
		abort();
	list_append(&self->uploads, &u->node);
	http_on_gone(r, upload_gone, u);
	http_body_stream(r, upload_piece, u);
}

/* ---- handlers: waiting ---- */

struct waiter {
	struct list node;
	struct http_req *r;
	bool hijack;
};

static void waiter_gone(struct http_req *r, void *data)
{
	struct waiter *w = data;

	(void)r;
	list_remove(&w->node);
	free(w);
	count(SEEN_GONE, 1);
}

static void wait_for_release(struct http_req *r, bool hijack)
{
	struct waiter *w = calloc(1, sizeof(*w));

	w->r = r;
	w->hijack = hijack;
	list_append(&self->waiters, &w->node);
	http_on_gone(r, waiter_gone, w);
	count(SEEN_WAITING, 1);
}

static void on_wait(struct http_req *r)
{
	wait_for_release(r, false);
}

/* What clients do meanwhile is seen by the server all at once. */
static void on_block(struct http_req *r)
{
	count(SEEN_BLOCKED, 1);
	while (sem_wait(&unblock) < 0)
		;
	http_reply_empty(r, 204);
}

void serve_unblock(void)
{
	(void)sem_post(&unblock);
}

static void do_hijack(struct http_req *r);

static void on_release(struct http_req *r)
{
	struct waiter *w;
	struct upload *u;

	list_for_each (w, &self->waiters, node) {
		list_remove(&w->node);
		if (w->hijack)
			do_hijack(w->r);
		else
			http_reply(w->r, 200, "text/plain", "released", 8);
		free(w);
	}
	list_for_each (u, &self->uploads, node) {
		u->held = false;
		http_body_resume(u->r);
	}
	http_reply_empty(r, 204);
}

/* ---- handlers: streams ---- */

struct out {
	struct list node;
	struct http_stream *s;
	uint64_t left;
	bool flood;
};

static void out_free(struct out *o)
{
	list_remove(&o->node);
	free(o);
}

static void out_gone(void *data)
{
	out_free(data);
	count(SEEN_STREAM_GONE, 1);
}

/* Writes until told to pause. */
static void out_write(struct out *o)
{
	static char block[16384];
	int r = 0;

	memset(block, 'S', sizeof(block));
	while (o->left && !r) {
		size_t n = MIN(o->left, sizeof(block));

		r = http_stream_write(o->s, block, n);
		if (r < 0)
			abort(); /* the writer obeys, so nothing may be refused */
		o->left -= n;
		count(SEEN_QUEUED, n);
	}
	if (r)
		count(SEEN_PAUSED, 1);
	if (!o->left) {
		http_stream_end(o->s);
		out_free(o);
	}
}

static void out_drained(void *data)
{
	count(SEEN_DRAINED, 1);
	out_write(data);
}

static struct out *new_out(struct http_req *r)
{
	struct out *o = calloc(1, sizeof(*o));

	o->s = http_reply_stream(r, 200, "application/octet-stream", out_gone, o);
	if (!o->s)
		abort();
	list_append(&self->streams, &o->node);
	return o;
}

static void on_flood(struct http_req *r)
{
	struct out *o;
	uint32_t mb;

	if (parse_u32(http_query(r, "mb"), &mb) < 0)
		mb = 1;
	o = new_out(r);
	o->left = (uint64_t)mb << 20;
	o->flood = true;
	http_stream_on_drained(o->s, out_drained);
	out_write(o);
}

static void on_events(struct http_req *r)
{
	(void)new_out(r);
}

static void emit(struct http_req *r, const char *body, size_t len, void *data)
{
	struct out *o;
	bool end = http_query_bool(r, "end", false);

	(void)data;
	list_for_each (o, &self->streams, node) {
		if (o->flood)
			continue;
		if (len && http_stream_write(o->s, body, len) < 0)
			abort();
		if (end) {
			http_stream_end(o->s);
			out_free(o);
		}
	}
	http_reply_empty(r, 204);
}

static void on_emit(struct http_req *r)
{
	http_body_collect(r, 8u << 20, emit, NULL);
}

/* ---- handlers: hijack: an echo that says "bye" at the client's end ---- */

struct echo {
	struct list node;
	struct http_hijacked *h;
	struct source *io;
	int fd;
};

static void echo_end(struct echo *x)
{
	x->io = source_free(x->io);
	list_remove(&x->node);
	http_hijack_close(x->h);
	free(x);
	count(SEEN_HIJACK_EOF, 1);
}

static void echo_io(int fd, uint32_t events, void *data)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0 && !(n == 4 && !memcmp(buf, "quit", 4))) {
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			echo_end(data);
		return;
	}
	if (n == 0)
		(void)send(fd, "bye", 3, MSG_NOSIGNAL);
	echo_end(data);
}

static void hijacked(struct http_hijacked *h, int fd, const char *early, size_t len, void *data)
{
	struct echo *x = calloc(1, sizeof(*x));

	(void)data;
	x->h = h;
	x->fd = fd;
	list_append(&self->echoes, &x->node);
	count(SEEN_HIJACKED, 1);
	if (len && send(fd, early, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
	if (loop_io(self->loop, fd, EPOLLIN, echo_io, x, &x->io) < 0)
		abort();
}

static void hijack_gone(void *data)
{
	(void)data;
	count(SEEN_HIJACK_GONE, 1);
}

static void do_hijack(struct http_req *r)
{
	if (http_wants_upgrade(r)) {
		http_hijack(r, "application/vnd.docker.raw-stream", hijacked, hijack_gone, NULL);
	} else { /* one-way output */
		struct out *o = new_out(r);

		(void)http_stream_write(o->s, "one-way", 7);
		http_stream_end(o->s);
		out_free(o);
	}
}

static void hijack_body(struct http_req *r, const char *body, size_t len, void *data)
{
	(void)body;
	(void)len;
	(void)data;
	if (http_query_bool(r, "hold", false))
		wait_for_release(r, true);
	else
		do_hijack(r);
}

static void on_hijack(struct http_req *r)
{
	http_body_collect(r, 1u << 16, hijack_body, NULL);
}

/* ---- routes ---- */

typedef void (*handler_fn)(struct http_req *r);

static const struct {
	const char *path;
	handler_fn fn;
} routes[] = {
	{"/empty", on_empty},	  {"/big", on_big},	  {"/fail", on_fail},
	{"/collect", on_collect}, {"/upload", on_upload}, {"/wait", on_wait},
	{"/release", on_release}, {"/flood", on_flood},	  {"/events", on_events},
	{"/emit", on_emit},	  {"/hijack", on_hijack}, {"/block", on_block},
};

static void handle(struct http_req *r, void *data)
{
	(void)data;
	count(SEEN_REQUEST, 1);
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (streq(http_path(r), routes[i].path)) {
			routes[i].fn(r);
			return;
		}
	on_echo(r);
}

/* ---- start and stop ---- */

static void stop_now(int fd, uint32_t events, void *data)
{
	struct serve *s = data;

	(void)fd;
	(void)events;
	loop_exit(s->loop, 0);
}

static void *thread_main(void *data)
{
	struct serve *s = data;
	struct out *o;
	struct echo *x;

	(void)loop_run(s->loop);
	http_server_free(s->server);
	list_for_each (x, &s->echoes, node) { /* their sockets are their owners' */
		(void)send(x->fd, "still", 5, MSG_NOSIGNAL);
		echo_end(x);
	}
	list_for_each (o, &s->streams, node)
		out_free(o); /* none is left: all heard that they are gone */
	loop_free(s->loop);
	return NULL;
}

static int listen_unix(struct serve *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/http-test-XXXXXX");
	if (!mkdtemp(s->dir))
		abort();
	(void)snprintf(s->path, sizeof(s->path), "%s/sock", s->dir);
	(void)snprintf(s->host, sizeof(s->host), "unix://%s", s->path);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 512) < 0)
		abort();
	return fd;
}

static int listen_tcp(struct serve *s)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 512) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		abort();
	s->port = ntohs(sa.sin_port);
	(void)snprintf(s->tcp_host, sizeof(s->tcp_host), "tcp://127.0.0.1:%u", s->port);
	return fd;
}

static struct serve *start(unsigned max_connections, unsigned slow_ms)
{
	struct serve *s = calloc(1, sizeof(*s));
	struct http_config c = {.handler = handle,
				.max_connections = max_connections,
				.server_name = "Test/1",
				.swallow_ms = 1000,
				.head_ms = slow_ms,
				.body_ms = slow_ms,
				.idle_ms = slow_ms};
	struct err e = {0};
	struct source *stop;

	if (getenv("HTTP_TEST_DEBUG"))
		log_setup("test", LOG_DEBUG, false);
	memset(counts, 0, sizeof(counts));
	self = s;
	(void)sem_init(&unblock, 0, 0);
	list_init(&s->waiters);
	list_init(&s->streams);
	list_init(&s->uploads);
	list_init(&s->echoes);
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop_new(&s->loop) < 0 ||
	    loop_io(s->loop, s->stop_fd, EPOLLIN, stop_now, s, &stop) < 0 ||
	    http_server_new(s->loop, &c, &s->server, &e) < 0 ||
	    http_server_listen(s->server, listen_unix(s), NULL, &e) < 0 ||
	    http_server_listen(s->server, listen_tcp(s), NULL, &e) < 0 ||
	    pthread_create(&s->thread, NULL, thread_main, s) != 0) {
		fprintf(stderr, "cannot start: %s\n", e.msg);
		abort();
	}
	return s;
}

struct serve *serve_start(unsigned max_connections)
{
	return start(max_connections, 0);
}

struct serve *serve_start_strict(unsigned ms)
{
	return start(0, ms);
}

void serve_stop(struct serve *s)
{
	uint64_t one = 1;

	if (write(s->stop_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	pthread_join(s->thread, NULL);
	(void)close(s->stop_fd);
	(void)unlink(s->path);
	(void)rmdir(s->dir);
	free(s);
}

const char *serve_host(const struct serve *s)
{
	return s->host;
}

const char *serve_path(const struct serve *s)
{
	return s->path;
}

unsigned serve_port(const struct serve *s)
{
	return s->port;
}

const char *serve_tcp_host(const struct serve *s)
{
	return s->tcp_host;
}

/* ---- raw clients ---- */

static int connected(int fd, const void *sa, socklen_t len)
{
	struct timeval tv = {.tv_sec = 20};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ||
	    connect(fd, sa, len) < 0) {
		perror("connect");
		abort();
	}
	return fd;
}

int raw_unix(const struct serve *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->path);
	return connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &sa, sizeof(sa));
}

int raw_tcp(const struct serve *s)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)s->port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};

	return connected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &sa, sizeof(sa));
}

bool raw_send(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

bool raw_puts(int fd, const char *s)
{
	return raw_send(fd, s, strlen(s));
}

size_t raw_read(int fd, char *buf, size_t want)
{
	size_t got = 0;

	while (got < want) {
		ssize_t n = recv(fd, buf + got, want - got, 0);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return got;
}

size_t raw_until(int fd, const char *text, char *buf, size_t room)
{
	size_t got = 0;

	buf[0] = '\0';
	while (got + 1 < room && !(text && strstr(buf, text))) {
		ssize_t n = recv(fd, buf + got, text ? 1 : room - 1 - got, 0);

		if (n <= 0)
			break;
		got += (size_t)n;
		buf[got] = '\0';
	}
	return got;
}

const char *raw_ask(const struct serve *s, const char *request, bool half_close)
{
	static char answer[65536];
	int fd = raw_unix(s);

	(void)raw_puts(fd, request);
	if (half_close)
		(void)shutdown(fd, SHUT_WR);
	(void)raw_until(fd, NULL, answer, sizeof(answer));
	(void)close(fd);
	return answer;
}
