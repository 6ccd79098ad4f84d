/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward.c - asks, their tries, and the sockets they use
 *
 * An ask has one try a server, begun in the servers' order. A try is
 *   unused -> live (its query is on a socket) -> over (failed, or the ask ended).
 * A UDP socket is idle (unconnected, so without a port) or busy: connected to one server, with one
 * try, or with several once no other socket is to be had; they differ by id then. connect() keeps
 * strangers' datagrams out and brings refusals in; connect(AF_UNSPEC) lets the port go, so that the
 * next try gets another. A TCP socket carries one try: connect, send, read length, read message.
 * Timers: one an ask, for the next of: another server, the second sending, the end.
 * A server that let SLOW_AFTER asks in a row wait keeps no head start for SLOW_NS: the next one is
 * asked with it.
 */

#include "dns/forward.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/list.h"
#include "base/rand.h"
#include "base/str.h"
#include "loop/loop.h"

#define OWN_UDP_MAX   256 /* host sockets at once; more queries share them */
#define OWN_UDP_IDLE  32  /* kept for the next query */
#define OWN_TCP_MAX   128
#define SHARE_MAX     1024 /* tries on one socket */
#define READ_AT_ONCE  32
#define SLOW_AFTER    2
#define SLOW_NS	      (10 * NS_PER_S)
#define QUERY_BYTES   (DNS_HEADER + 255 + 4 + DNS_OPT_BYTES)
#define DATAGRAM_ROOM (DNS_UDP_MAX + 1)

struct usock {
	struct list node; /* upstream->idle or ->busy */
	struct list tries;
	size_t n_tries;
	struct upstream *up;
	struct source
		*io; /* UDP: always; TCP: while busy (an unconnected one is always "hung up") */
	int fd;
	bool own, tcp;
	int family;
	struct nameserver peer; /* while busy */
	/* TCP */
	uint8_t out[2 + QUERY_BYTES];
	size_t out_len, out_at;
	uint8_t head[2];
	uint8_t *in;
	size_t in_len, in_at; /* in_at counts the two length bytes */
};

struct
try {
	struct list node; /* usock->tries while live */
	struct usock *sock;
	struct ask *ask;
	struct nameserver server;
	uint16_t id;
	int64_t born_ns;
	bool live;
};

struct ask {
	struct upstream *up;
	struct dns_query q;
	struct try tries[SERVERS_MAX];
	size_t n, next; /* servers, and the first not yet tried */
	bool resent;
	unsigned generation; /* of the servers it asks */
	int64_t born_ns;
	struct source *timer;
	ask_fn fn;
	void *data;
};

struct upstream {
	struct loop *loop;
	char *name, *scope;
	unsigned generation;
	bool own;
	struct servers servers;
	struct patience {
		unsigned missed; /* asks in a row that it let wait */
		int64_t since_ns;
	} patience[SERVERS_MAX];
	struct list idle, busy;
	size_t n_udp, n_tcp, n_idle_udp;
};

/* ---- randomness in bulk ---- */

static uint16_t random_id(void)
{
	static uint16_t stock[128];
	static size_t left;

	if (!left) {
		rand_bytes(stock, sizeof(stock));
		left = ARRAY_SIZE(stock);
	}
	return stock[--left];
}

/* ---- sockets ---- */

static void on_udp(int fd, uint32_t events, void *data);
static void on_tcp(int fd, uint32_t events, void *data);

static void sock_free(struct usock *s)
{
	(void)source_free(s->io);
	list_remove(&s->node);
	if (s->tcp)
		s->up->n_tcp--;
	else
		s->up->n_udp--;
	if (s->own)
		(void)fd_close(s->fd);
	free(s->in);
	free(s);
}

/* @own: @fd is ours to close, also on failure */
static int sock_new(struct upstream *u, int fd, bool own, struct usock **ret)
{
	struct usock *s = calloc(1, sizeof(*s));
	int type = 0, r = 0;
	socklen_t len = sizeof(type);
	struct sockaddr_storage ss = {0};
	socklen_t ss_len = sizeof(ss);

	if (!s || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&ss, &ss_len) < 0) {
		r = s ? -errno : -ENOMEM;
		free(s);
		if (own)
			(void)fd_close(fd);
		return r;
	}
	*s = (struct usock){.up = u, .fd = fd, .own = own, .tcp = type == SOCK_STREAM};
	s->family = ss.ss_family;
	list_init(&s->tries);
	list_append(&u->idle, &s->node);
	if (s->tcp)
		u->n_tcp++;
	else
		u->n_udp++;
	u->n_idle_udp += !s->tcp;
	if (!s->tcp)
		r = loop_io(u->loop, fd, EPOLLIN, on_udp, s, &s->io);
	if (r < 0) {
		u->n_idle_udp--;
		sock_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static void sock_idle(struct usock *s)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct upstream *u = s->up;

	free(s->in);
	s->in = NULL;
	if (s->tcp)
		s->io = source_free(s->io);
	if (s->own && (s->tcp || u->n_idle_udp >= OWN_UDP_IDLE)) {
		sock_free(s);
		return;
	}
	(void)connect(s->fd, &none, sizeof(none)); /* else the next connect() replaces the peer */
	list_remove(&s->node);
	list_append(&u->idle, &s->node);
	u->n_idle_udp += !s->tcp;
}

static struct usock *sock_open(struct upstream *u, int family, bool tcp)
{
	struct usock *s = NULL;
	int fd;

	if (!u->own || (tcp ? u->n_tcp >= OWN_TCP_MAX : u->n_udp >= OWN_UDP_MAX))
		return NULL;
	fd = socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 || sock_new(u, fd, true, &s) < 0 ? NULL : s;
}

static struct usock *sock_shared(struct upstream *u, const struct nameserver *server)
{
	struct usock *s;

	list_for_each (s, &u->busy, node) {
		if (s->tcp || s->n_tries >= SHARE_MAX || !server_eq(&s->peer, server))
			continue;
		list_remove(&s->node); /* the next goes to another one */
		list_append(&u->busy, &s->node);
		return s;
	}
	return NULL;
}

static struct usock *sock_unused(struct upstream *u, int family, bool tcp)
{
	struct usock *s;

	list_for_each (s, &u->idle, node)
		if (s->family == family && s->tcp == tcp)
			return s;
	return sock_open(u, family, tcp);
}

static bool has_socket(const struct upstream *u, const struct nameserver *server)
{
	struct usock *s;

	list_for_each (s, &u->busy, node)
		if (!s->tcp && server_eq(&s->peer, server))
			return true;
	return false;
}

/* A dead server's waiting tries must not take the last socket from those that answer. */
static bool scarce(const struct upstream *u, const struct nameserver *server)
{
	size_t left = u->n_idle_udp + (u->own ? OWN_UDP_MAX - u->n_udp : 0), needed = 0;

	if (left >= u->servers.n)
		return false;
	for (size_t i = 0; i < u->servers.n; i++)
		needed += !server_eq(&u->servers.list[i], server) &&
			  !has_socket(u, &u->servers.list[i]);
	return left <= needed;
}

/* A socket connected to @server, or on the way for TCP. NULL: none */
static struct usock *sock_get(struct upstream *u, const struct nameserver *server, bool tcp)
{
	struct usock *s = !tcp && scarce(u, server) ? sock_shared(u, server) : NULL;

	if (s)
		return s;
	s = sock_unused(u, server->addr.sa.sa_family, tcp);
	if (!s)
		return tcp ? NULL : sock_shared(u, server);
	list_remove(&s->node);
	list_append(&u->busy, &s->node);
	u->n_idle_udp -= !tcp;
	if (connect(s->fd, &server->addr.sa, server->len) < 0 && errno != EINPROGRESS) {
		sock_idle(s);
		return NULL;
	}
	s->peer = *server;
	s->out_at = s->in_at = 0;
	if (tcp && loop_io(u->loop, s->fd, EPOLLOUT, on_tcp, s, &s->io) < 0) {
		sock_idle(s);
		return NULL;
	}
	return s;
}

/* ---- tries ---- */

static void try_over(struct try *t)
{
	struct usock *s = t->sock;

	if (!t->live)
		return;
	t->live = false;
	list_remove(&t->node);
	if (--s->n_tries == 0)
		sock_idle(s);
}

static bool id_taken(const struct usock *s, uint16_t id)
{
	struct try *t;

	list_for_each (t, &s->tries, node)
		if (t->id == id)
			return true;
	return false;
}

static int send_udp(const struct try *t)
{
	uint8_t msg[QUERY_BYTES];
	ssize_t len = query_build(&t->ask->q, t->id, msg, sizeof(msg));

	if (len < 0)
		return (int)len;
	return send(t->sock->fd, msg, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int prepare_tcp(const struct try *t)
{
	struct usock *s = t->sock;
	ssize_t len = query_build(&t->ask->q, t->id, s->out + 2, sizeof(s->out) - 2);

	if (len < 0)
		return (int)len;
	s->out[0] = (uint8_t)(len >> 8);
	s->out[1] = (uint8_t)len;
	s->out_len = (size_t)len + 2;
	return 0;
}

/* false: this server cannot be asked */
static bool try_begin(struct ask *a, size_t i)
{
	struct try *t = &a->tries[i];
	struct usock *s = sock_get(a->up, &t->server, a->q.tcp);

	if (!s && a->q.tcp) /* a container without TCP sockets: better than nothing */
		s = sock_get(a->up, &t->server, false);
	if (!s)
		return false;
	t->ask = a;
	t->sock = s;
	do
		t->id = random_id();
	while (id_taken(s, t->id));
	t->born_ns = clock_mono_ns();
	t->live = true;
	list_append(&s->tries, &t->node);
	s->n_tries++;
	if ((s->tcp ? prepare_tcp(t) : send_udp(t)) < 0) {
		try_over(t);
		return false;
	}
	return true;
}

/* ---- asks ---- */

static bool any_live(const struct ask *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->tries[i].live)
			return true;
	return false;
}

/* What is known of the server of @t; NULL: it is none of today's. */
static struct patience *patience_of(const struct try *t)
{
	const struct ask *a = t->ask;

	return a->generation == a->up->generation ? &a->up->patience[t - a->tries] : NULL;
}

static bool is_slow(const struct try *t)
{
	struct patience *p = patience_of(t);

	if (!p || p->missed < SLOW_AFTER)
		return false;
	if (t->born_ns - p->since_ns < SLOW_NS)
		return true;
	p->missed = SLOW_AFTER - 1; /* another chance */
	return false;
}

/* The ask ends without an answer of @t. */
static void note_silence(const struct try *t, int64_t now)
{
	struct patience *p = t->live ? patience_of(t) : NULL;

	if (!p || now - t->born_ns < FORWARD_NEXT_MS * NS_PER_MS)
		return;
	p->missed++;
	p->since_ns = now;
}

/* Begins with the next server that can be asked, and with one more beside a slow one. */
static void next_server(struct ask *a)
{
	while (a->next < a->n) {
		size_t i = a->next++;

		if (try_begin(a, i) && !is_slow(&a->tries[i]))
			return;
	}
}

static void arm(struct ask *a)
{
	int64_t age = (clock_mono_ns() - a->born_ns) / NS_PER_MS;
	int64_t due = a->next < a->n ? age + FORWARD_NEXT_MS
		      : !a->resent   ? FORWARD_RESEND_MS
				     : FORWARD_TOTAL_MS;

	source_timer_set(a->timer, MAX(MIN(due, (int64_t)FORWARD_TOTAL_MS) - age, 0));
}

void ask_cancel(struct ask *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		try_over(&a->tries[i]);
	(void)source_free(a->timer);
	free(a);
}

static void finish(struct ask *a, uint8_t *msg, size_t len, const struct dns_response *info)
{
	ask_fn fn = a->fn;
	void *data = a->data;
	int64_t now = clock_mono_ns();

	for (size_t i = 0; i < a->n; i++)
		note_silence(&a->tries[i], now);
	ask_cancel(a);
	fn(msg, len, info, data);
}

/* A try is over without an answer: the next server, or the end. */
static void move_on(struct ask *a)
{
	next_server(a);
	if (any_live(a))
		arm(a);
	else
		finish(a, NULL, 0, NULL);
}

static void resend(struct ask *a)
{
	a->resent = true;
	for (size_t i = 0; i < a->n; i++) {
		const struct try *t = &a->tries[i];

		if (t->live && !t->sock->tcp)
			(void)send_udp(t); /* a refusal comes back by the socket */
	}
}

static void on_timer(void *data)
{
	struct ask *a = data;

	if (clock_mono_ns() - a->born_ns >= FORWARD_TOTAL_MS * NS_PER_MS) {
		finish(a, NULL, 0, NULL);
		return;
	}
	if (a->next < a->n)
		next_server(a);
	else if (!a->resent)
		resend(a);
	arm(a);
}

/* A message for @t came. @return false: it is none of its answers, wait on */
static bool answered(struct try *t, uint8_t *msg, size_t len)
{
	struct ask *a = t->ask;
	struct dns_response info;
	int r = response_parse(msg, len, &a->q, t->id, &info);

	if (r == -ENOMSG)
		return false;
	if (patience_of(t))
		patience_of(t)->missed = 0;
	try_over(t);
	/* cut short, and there is no TCP socket to ask again by */
	if (r >= 0 && info.truncated && a->q.tcp)
		r = -EBADMSG;
	if (r < 0 || info.rcode == RCODE_SERVFAIL || info.rcode == RCODE_REFUSED) {
		move_on(a);
	} else {
		/* of servers that were replaced meanwhile: good for who asked them, for nobody else
		 */
		info.cacheable = info.cacheable && a->generation == a->up->generation;
		finish(a, msg, len, &info);
	}
	return true;
}

/* ---- what comes in ---- */

/* Every try on a socket that broke. The socket may be idle or gone afterwards. */
static void broken(struct usock *s)
{
	size_t n = s->n_tries;

	while (n--) {
		struct try *t = list_entry(s->tries.next, struct try, node);
		struct ask *a = t->ask;

		try_over(t); /* with the last one @s may be freed */
		move_on(a);
	}
}

static void datagram(struct usock *s, uint8_t *msg, size_t len)
{
	uint16_t id = len >= 2 ? (uint16_t)(msg[0] << 8 | msg[1]) : 0;
	struct try *t;

	list_for_each (t, &s->tries, node) {
		if (t->id != id)
			continue;
		(void)answered(t, msg, len); /* not his: a forgery or a late one; ignored */
		return;
	}
}

/* Return: false when there is nothing more to read, or nobody left who wants it */
static bool read_udp(struct usock *s)
{
	static uint8_t buf[DATAGRAM_ROOM];
	struct nameserver from = {.len = sizeof(from.addr)};
	ssize_t n = recvfrom(s->fd, buf, sizeof(buf), MSG_DONTWAIT, &from.addr.sa, &from.len);
	size_t before = s->n_tries;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		broken(s);
	if (n < 0)
		return false;
	if (!before || !server_eq(&from, &s->peer))
		return true;
	if ((size_t)n == sizeof(buf)) /* more than we said we take */
		buf[2] |= DNS_TC >> 8;
	datagram(s, buf, (size_t)n);
	return before > 1; /* with its last try the socket may be gone */
}

static void on_udp(UNUSED int fd, UNUSED uint32_t events, void *data)
{
	for (unsigned i = 0; i < READ_AT_ONCE && read_udp(data); i++)
		;
}

/* 1 the whole message is there, 0 not yet, -errno */
static int read_tcp(struct usock *s)
{
	for (;;) {
		bool head = s->in_at < 2;
		uint8_t *to = head ? s->head + s->in_at : s->in + s->in_at - 2;
		size_t want = head ? 2 - s->in_at : s->in_len + 2 - s->in_at;
		ssize_t n = recv(s->fd, to, want, MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		s->in_at += (size_t)n;
		if (s->in_at == 2 && !s->in) {
			s->in_len = (size_t)(s->head[0] << 8 | s->head[1]);
			s->in = s->in_len >= DNS_HEADER ? malloc(s->in_len) : NULL;
			if (!s->in)
				return s->in_len < DNS_HEADER ? -EBADMSG : -ENOMEM;
		}
		if (s->in_at >= 2 && s->in_at == s->in_len + 2)
			return 1;
	}
}

static int write_tcp(struct usock *s)
{
	ssize_t n = send(s->fd, s->out + s->out_at, s->out_len - s->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	s->out_at += (size_t)n;
	return s->out_at == s->out_len ? source_io_events(s->io, EPOLLIN) : 0;
}

static void on_tcp(UNUSED int fd, UNUSED uint32_t events, void *data)
{
	struct usock *s = data;
	int r = s->out_at < s->out_len ? write_tcp(s) : read_tcp(s);
	auto_free uint8_t *msg = NULL;
	struct try *t;

	if (r == 0)
		return;
	t = list_entry(s->tries.next, struct try, node);
	msg = TAKE_PTR(s->in); /* the socket may go before the answer was used */
	if (r < 0 || !answered(t, msg, s->in_len))
		broken(s);
}

/* ---- the outside ---- */

int ask_new(struct upstream *u, const struct dns_query *q, ask_fn fn, void *data, struct ask **ret)
{
	struct ask *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	*a = (struct ask){.up = u, .q = *q, .n = u->servers.n, .fn = fn, .data = data};
	a->generation = u->generation;
	a->born_ns = clock_mono_ns();
	for (size_t i = 0; i < a->n; i++)
		a->tries[i].server = u->servers.list[i];
	r = loop_timer(u->loop, -1, on_timer, a, &a->timer);
	if (r >= 0) {
		next_server(a);
		r = any_live(a) ? 0 : -EHOSTUNREACH;
	}
	if (r < 0) {
		ask_cancel(a);
		return r;
	}
	arm(a);
	*ret = a;
	return 0;
}

int upstream_lend(struct upstream *u, int fd)
{
	struct usock *s;
	int r = fd_nonblock(fd);

	return r < 0 ? r : sock_new(u, fd, false, &s);
}

void upstream_set(struct upstream *u, const struct servers *s)
{
	char *scope = str_printf("%s/%u", u->name, ++u->generation);

	/* each once: an ask has at most one try on a socket */
	u->servers.n = 0;
	memset(u->patience, 0, sizeof(u->patience));
	for (size_t i = 0; i < s->n; i++) {
		size_t seen = 0;

		while (seen < u->servers.n && !server_eq(&s->list[i], &u->servers.list[seen]))
			seen++;
		if (seen == u->servers.n)
			u->servers.list[u->servers.n++] = s->list[i];
	}
	if (!scope)
		return; /* the old one still tells containers apart */
	free(u->scope);
	u->scope = scope;
}

bool upstream_has_servers(const struct upstream *u)
{
	return u->servers.n > 0;
}

const char *upstream_scope(const struct upstream *u)
{
	return u->scope;
}

int upstream_new(struct loop *l, const char *scope, bool own_sockets, struct upstream **ret)
{
	struct upstream *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	*u = (struct upstream){.loop = l, .own = own_sockets};
	list_init(&u->idle);
	list_init(&u->busy);
	u->name = strdup(scope);
	u->scope = strdup(scope);
	if (!u->name || !u->scope) {
		upstream_free(u);
		return -ENOMEM;
	}
	*ret = u;
	return 0;
}

void upstream_free(struct upstream *u)
{
	if (!u)
		return;
	while (!list_empty(&u->busy))
		sock_free(list_entry(u->busy.next, struct usock, node));
	while (!list_empty(&u->idle))
		sock_free(list_entry(u->idle.next, struct usock, node));
	free(u->name);
	free(u->scope);
	free(u);
}
