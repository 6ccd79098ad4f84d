/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.c - sandboxes: datagrams in batches, answers, questions passed on
 *
 * Each turn of the loop serves at most one batch of each sandbox, so a flood in one delays another
 * by no more than the batches of those before it. What is under way with the servers is limited
 * for each sandbox, and for all together beyond a share that each may always have.
 */

#include "dns/server.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "loop/loop.h"

#define BATCH	      32
#define QUERY_ROOM    2048 /* questions are small; options may pad them */
#define INFLIGHT_ALL  16384
#define INFLIGHT_FREE 16 /* a sandbox may have so many whatever the others do */
#define REFUSED_LOG   (60 * NS_PER_S)
#define SELF	      "127.0.0.11" /* in the container: asking it would go round in circles */

/* One batch; there is one thread. */
static struct batch {
	uint8_t rx[BATCH][QUERY_ROOM];
	uint8_t tx[BATCH][DNS_UDP_MAX];
	struct sockaddr_in peer[BATCH];
	struct iovec rx_iov[BATCH], tx_iov[BATCH];
	struct mmsghdr in[BATCH], out[BATCH];
} batch;

/* ---- questions passed on ---- */

void pending_free(struct pending *p)
{
	ask_cancel(p->ask);
	list_remove(&p->node);
	p->sb->n_pendings--;
	p->sb->srv->inflight--;
	if (p->conn)
		conn_forget(p->conn, p);
	free(p);
}

static void send_back(struct pending *p, const uint8_t *msg, size_t len)
{
	struct conn *c = p->conn;

	p->ask = NULL;
	if (!c) /* a full or closed socket of the client is the client's loss */
		(void)sendto(p->sb->udp, msg, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			     (struct sockaddr *)&p->client, sizeof(p->client));
	pending_free(p);
	if (c)
		conn_answer(c, msg, len);
}

static struct upstream *upstream_of(const struct sandbox *sb)
{
	return sb->own ? sb->own : sb->srv->host;
}

static void on_answer(uint8_t *msg, size_t len, const struct dns_response *info, void *data)
{
	uint8_t fail[DNS_UDP_MIN];
	struct wire_out o = WIRE_OUT(fail, sizeof(fail));
	struct pending *p = data;

	p->ask = NULL;
	if (!msg) {
		answer_rcode(&p->q, RCODE_SERVFAIL, &o);
		send_back(p, o.data, o.len);
		return;
	}
	if (info->cacheable)
		cache_put(p->sb->srv->cache, upstream_scope(upstream_of(p->sb)), &p->q,
			  &(struct cached){msg, len, info->ttl}, clock_mono_ns());
	send_back(p, msg, response_fit(msg, len, &p->q));
}

static bool too_many(struct sandbox *sb)
{
	int64_t now;

	if (sb->n_pendings < LIMIT_DNS_INFLIGHT &&
	    (sb->srv->inflight < INFLIGHT_ALL || sb->n_pendings < INFLIGHT_FREE))
		return false;
	now = clock_mono_ns();
	if (!sb->refused_ns || now - sb->refused_ns > REFUSED_LOG) {
		log_warn("more than %d concurrent queries container=%.12s queries=%zu",
			 LIMIT_DNS_INFLIGHT, sb->id, sb->n_pendings);
		sb->refused_ns = now;
	}
	return true;
}

static enum answer refuse(const struct dns_query *q, enum dns_rcode rcode, struct wire_out *o)
{
	answer_rcode(q, rcode, o);
	return ANSWER_DONE;
}

static enum answer pass_on(struct sandbox *sb, const struct pending *way_back,
			   const struct dns_query *q, struct wire_out *o)
{
	struct upstream *u = upstream_of(sb);
	struct server *srv = sb->srv;
	struct pending *p;

	if (!sb->own)
		resolv_look(srv->resolv);
	o->len = cache_get(srv->cache, upstream_scope(u), q, clock_mono_ns(), o->data);
	if (o->len)
		return ANSWER_DONE;
	if (too_many(sb))
		return refuse(q, RCODE_REFUSED, o);
	p = malloc(sizeof(*p));
	if (!p)
		return refuse(q, RCODE_SERVFAIL, o);
	*p = *way_back;
	p->node = (struct list){NULL, NULL};
	p->sb = sb;
	p->q = *q;
	if (ask_new(u, q, on_answer, p, &p->ask) < 0) { /* no way to any of them */
		free(p);
		return refuse(q, sb->external ? RCODE_SERVFAIL : RCODE_NXDOMAIN, o);
	}
	list_append(&sb->pendings, &p->node);
	sb->n_pendings++;
	srv->inflight++;
	if (p->conn)
		conn_wait(p->conn, p);
	return ANSWER_FORWARD;
}

enum answer sandbox_answer(struct sandbox *sb, const uint8_t *msg, size_t len,
			   const struct pending *way_back, struct wire_out *o)
{
	struct server *srv = sb->srv;
	struct answer_scope scope = {
		.view = zone_view(srv->zone, sb->id), .external = sb->external, .ndots = sb->ndots};
	struct dns_query q;
	enum answer a;

	if (sb->external && !sb->own && !upstream_has_servers(srv->host))
		resolv_look(srv->resolv);
	/* the host's servers would be a way out of an internal network; its own are asked from
	 * within, where there is none */
	scope.has_servers = (sb->own || sb->external) && upstream_has_servers(upstream_of(sb));
	a = answer_query(&scope, msg, len, way_back->conn, &q, o);
	return a == ANSWER_FORWARD ? pass_on(sb, way_back, &q, o) : a;
}

/* ---- datagrams ---- */

/* Up to @max. One alone is cheaper than a batch of one. Return: how many, <= 0 none */
static int receive(int fd, unsigned max)
{
	ssize_t n;

	for (unsigned i = 0; i < max; i++) {
		batch.rx_iov[i] = (struct iovec){batch.rx[i], QUERY_ROOM};
		batch.in[i].msg_hdr = (struct msghdr){.msg_name = &batch.peer[i],
						      .msg_namelen = sizeof(batch.peer[i]),
						      .msg_iov = &batch.rx_iov[i],
						      .msg_iovlen = 1};
	}
	if (max > 1)
		return recvmmsg(fd, batch.in, max, MSG_DONTWAIT, NULL);
	n = recvfrom(fd, batch.rx[0], QUERY_ROOM, MSG_DONTWAIT, (struct sockaddr *)&batch.peer[0],
		     &batch.in[0].msg_hdr.msg_namelen);
	batch.in[0].msg_len = (unsigned)n;
	return n < 0 ? -1 : 1;
}

static void send_all(int fd, unsigned n)
{
	unsigned at = 0;

	if (n == 1) {
		const struct msghdr *m = &batch.out[0].msg_hdr;

		(void)sendto(fd, m->msg_iov->iov_base, m->msg_iov->iov_len,
			     MSG_DONTWAIT | MSG_NOSIGNAL, m->msg_name, m->msg_namelen);
		return;
	}
	while (at < n) {
		int sent = sendmmsg(fd, batch.out + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		at += sent > 0 ? (unsigned)sent : 1; /* one that cannot be sent is left out */
	}
}

/* Answers up to @max questions. Return: false when there were none, or the sandbox is gone */
static bool serve(struct sandbox *sb, int fd, unsigned max)
{
	struct server *srv = sb->srv;
	int n = receive(fd, max);
	unsigned replies = 0;

	sb->burst = n > 1;
	if (n <= 0)
		return false;
	srv->current = sb;
	control_drain(srv->control);
	if (!srv->current)
		return false;
	for (int i = 0; i < n; i++) {
		struct wire_out o = WIRE_OUT(batch.tx[replies], DNS_UDP_MAX);
		struct pending way_back = {.client = batch.peer[i]};

		if (batch.in[i].msg_hdr.msg_namelen < sizeof(struct sockaddr_in) ||
		    sandbox_answer(sb, batch.rx[i], batch.in[i].msg_len, &way_back, &o) !=
			    ANSWER_DONE)
			continue;
		batch.tx_iov[replies] = (struct iovec){o.data, o.len};
		batch.out[replies].msg_hdr = (struct msghdr){.msg_name = &batch.peer[i],
							     .msg_namelen = sizeof(batch.peer[i]),
							     .msg_iov = &batch.tx_iov[replies],
							     .msg_iovlen = 1};
		replies++;
	}
	send_all(fd, replies);
	return true;
}

/* A client that waits for each answer is served by the cheaper calls; whether more came meanwhile
 * is looked at when it has its answer. */
static void on_udp(int fd, UNUSED uint32_t events, void *data)
{
	struct sandbox *sb = data;

	if (sb->burst || serve(sb, fd, 1))
		(void)serve(sb, fd, BATCH);
}

/* ---- sandboxes ---- */

static void sandbox_free(struct sandbox *sb)
{
	struct server *srv = sb->srv;

	if (srv->current == sb)
		srv->current = NULL;
	conns_close(sb);
	while (!list_empty(&sb->pendings))
		pending_free(list_entry(sb->pendings.next, struct pending, node));
	upstream_free(sb->own);
	/* the sources first: another process holds duplicates, so closing alone ends no epoll */
	(void)source_free(sb->udp_io);
	(void)source_free(sb->tcp_io);
	(void)fd_close(sb->udp);
	(void)fd_close(sb->tcp);
	while (sb->n_pool)
		(void)fd_close(sb->pool[--sb->n_pool]);
	strv_free(sb->servers);
	free(sb->id);
	free(sb);
}

static int own_upstream(struct sandbox *sb)
{
	struct servers list = {.n = 0};
	int r = upstream_new(sb->srv->loop, sb->id, false, &sb->own);

	for (char *const *s = sb->servers; r >= 0 && *s && list.n < SERVERS_MAX; s++)
		if (!streq(*s, SELF) && server_parse(*s, &list.list[list.n]) == 0)
			list.n++;
	if (r >= 0)
		upstream_set(sb->own, &list);
	for (size_t i = 0; r >= 0 && i < sb->n_pool; i++)
		r = upstream_lend(sb->own, sb->pool[i]);
	return r;
}

static int sandbox_start(struct sandbox *sb, const struct sandbox_args *a)
{
	struct server *srv = sb->srv;
	int r;

	sb->id = strdup(a->id);
	sb->servers = strv_copy(a->servers);
	if (!sb->id || (a->servers && a->servers[0] && !sb->servers))
		return -ENOMEM;
	if (sb->servers && (r = own_upstream(sb)) < 0)
		return r;
	r = fd_nonblock(sb->udp);
	if (r >= 0)
		r = fd_nonblock(sb->tcp);
	if (r >= 0)
		r = loop_io(srv->loop, sb->udp, EPOLLIN, on_udp, sb, &sb->udp_io);
	if (r >= 0)
		r = conns_listen(sb);
	if (r >= 0)
		r = map_put(srv->sandboxes, sb->id, sb);
	return r;
}

int sandbox_set(struct server *s, const struct sandbox_args *a, struct err *e)
{
	struct sandbox *sb = a->n_fds >= 2 ? calloc(1, sizeof(*sb)) : NULL;
	int r;

	if (!sb) {
		for (size_t i = 0; i < a->n_fds; i++)
			(void)fd_close(a->fds[i]);
		return a->n_fds < 2 ? err_invalid(e, "sandbox %s without sockets", a->id)
				    : err_nomem(e);
	}
	*sb = (struct sandbox){
		.srv = s, .port = a->port, .external = a->external, .ndots = a->ndots};
	list_init(&sb->pendings);
	list_init(&sb->conns);
	sb->udp = a->fds[0];
	sb->tcp = a->fds[1];
	for (size_t i = 2; i < a->n_fds; i++)
		sb->pool[sb->n_pool++] = a->fds[i];
	sandbox_del(s, a->id);
	r = sandbox_start(sb, a);
	if (r < 0) {
		sandbox_free(sb);
		return err_sys(e, -r, "cannot serve sandbox %s", a->id);
	}
	return 0;
}

void sandbox_del(struct server *s, const char *id)
{
	struct sandbox *sb = map_del(s->sandboxes, id);

	if (sb)
		sandbox_free(sb);
}

/* ---- the server ---- */

static void on_servers(const struct servers *list, void *data)
{
	struct server *s = data;

	upstream_set(s->host, list);
}

int server_new(struct loop *l, const char *resolv_path, struct server **ret, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	s->loop = l;
	r = zone_new(&s->zone);
	if (r >= 0)
		r = cache_new(&s->cache);
	if (r >= 0)
		r = map_new(&s->sandboxes);
	if (r >= 0)
		r = upstream_new(l, "host", true, &s->host);
	if (r >= 0)
		r = relays_new(l, &s->relays);
	if (r >= 0)
		r = resolv_new(l, resolv_path, on_servers, s, &s->resolv);
	if (r < 0) {
		server_free(s);
		return err_sys(e, -r, "cannot set up the resolver");
	}
	upstream_set(s->host, resolv_servers(s->resolv));
	*ret = s;
	return 0;
}

void server_free(struct server *s)
{
	struct sandbox *sb;
	size_t pos = 0;

	if (!s)
		return;
	while ((sb = map_next(s->sandboxes, &pos, NULL)))
		sandbox_free(sb);
	map_free(s->sandboxes);
	control_free(s->control);
	relays_free(s->relays);
	resolv_free(s->resolv);
	upstream_free(s->host);
	cache_free(s->cache);
	zone_free(s->zone);
	free(s);
}
