/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.c - connections: who is idle, who has half-closed, who is gone
 *
 * Those without a request are on a list, the longest idle first; beyond the limit the first of them
 * is ended for each new connection, so that only busy ones can lead to a 503.
 *
 * Each descriptor is watched in our epoll as well as in libmicrohttpd's, for two things:
 * - While suspended it is out of libmicrohttpd's: HUP (or an error) means that the client is gone.
 *   RDHUP alone is a half-close and ends nothing. On TCP a client that closed looks half-closed;
 *   keep-alive probes tell.
 * - libmicrohttpd 0.9.75 misses a half-close that comes together with bytes (it takes a short read
 *   from an edge-triggered descriptor for "nothing more"). Once such a client can complete no more
 *   requests, idle or with one cut off, the connection is ended here.
 *
 * Slow ones: who takes too long for a request's headers, for a body that is collected, or between
 * two requests, is ended by a sweep over three lists, each the oldest first.
 */

#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/internal.h"

#define SWEEPS_A_TIME 4 /* sweeps in the shortest of the times */

struct conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *ci =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return ci ? ci->socket_context : NULL;
}

static void conn_event(int fd, uint32_t events, void *data)
{
	struct conn *c = data;

	(void)fd;
	if (events & (EPOLLHUP | EPOLLERR)) {
		if (c->req && c->req->suspended) { /* else libmicrohttpd sees it, too */
			req_tell_gone(c->req);
			req_wake(c->req);
		}
	} else if (!list_linked(&c->half_node)) {
		list_append(&c->srv->half, &c->half_node);
	}
}

bool conn_end_idle(struct http_server *srv)
{
	struct conn *c;

	if (list_empty(&srv->idle))
		return false;
	c = list_entry(srv->idle.next, struct conn, idle_node);
	list_remove(&c->idle_node);
	c->ended = true;
	srv->open--;
	(void)shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd sees it and cleans up */
	return true;
}

/* ---- slow ones ---- */

static void end_conn(struct conn *c, const char *why)
{
	log_debug("http: a connection is ended: %s", why);
	if (!c->ended && list_linked(&c->idle_node)) {
		c->ended = true;
		c->srv->open--;
	}
	list_remove(&c->idle_node);
	(void)shutdown(c->fd, SHUT_RDWR);
}

static void sweep_requests(struct list *slow, int64_t before_ns, const char *why)
{
	struct http_req *r;

	list_for_each (r, slow, slow_node) {
		if (r->started_ns > before_ns)
			return;
		list_remove(&r->slow_node);
		end_conn(r->conn, why);
	}
}

static int64_t sweep_ms(const struct http_server *s)
{
	const struct http_config *c = &s->config;

	return MAX(MIN(MIN(c->head_ms, c->body_ms), c->idle_ms) / SWEEPS_A_TIME, 1u);
}

static void sweep(void *data)
{
	struct http_server *s = data;
	int64_t now = clock_mono_ns();
	struct conn *c;

	sweep_requests(&s->heads, now - s->config.head_ms * NS_PER_MS, "its headers take too long");
	sweep_requests(&s->bodies, now - s->config.body_ms * NS_PER_MS, "its body takes too long");
	list_for_each (c, &s->idle, idle_node)
		if (now - c->since_ns >
		    (c->served ? s->config.idle_ms : s->config.head_ms) * NS_PER_MS)
			end_conn(c, "it was idle for too long");
	source_timer_set(s->sweep, sweep_ms(s));
}

int conn_open(struct http_server *s)
{
	return loop_timer(s->loop, sweep_ms(s), sweep, s, &s->sweep);
}

void conn_close(struct http_server *s)
{
	s->sweep = source_free(s->sweep);
}

/* ---- connections ---- */

static struct conn *conn_new(struct http_server *srv, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *ci =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct conn *c = calloc(1, sizeof(*c));

	if (!c || !ci ||
	    loop_io(srv->loop, ci->connect_fd, CONN_EVENTS, conn_event, c, &c->watch)) {
		if (ci) /* without a watch it could hang: better refused */
			(void)shutdown(ci->connect_fd, SHUT_RDWR);
		free(c);
		return NULL;
	}
	c->srv = srv;
	c->fd = ci->connect_fd;
	c->since_ns = clock_mono_ns();
	return c;
}

void conn_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
		 enum MHD_ConnectionNotificationCode toe)
{
	struct http_server *srv = cls;
	struct conn *c = *socket_context;

	if (toe == MHD_CONNECTION_NOTIFY_STARTED) {
		srv->open++;
		if (srv->open > srv->config.max_connections)
			(void)conn_end_idle(srv);
		c = conn_new(srv, mhd);
		if (c)
			list_append(&srv->idle, &c->idle_node);
		*socket_context = c;
		return;
	}
	if (!c || !c->ended)
		srv->open--;
	accept_resume(srv);
	if (!c)
		return;
	c->watch = source_free(c->watch);
	list_remove(&c->idle_node);
	list_remove(&c->half_node);
	free(c);
	*socket_context = NULL;
}

void conn_busy(struct conn *c, struct http_req *r)
{
	c->req = r;
	c->served = true;
	list_remove(&c->idle_node);
}

void conn_idle(struct conn *c)
{
	c->req = NULL;
	c->since_ns = clock_mono_ns();
	if (!c->ended && !c->handed_over && !list_linked(&c->idle_node))
		list_append(&c->srv->idle, &c->idle_node);
}

void conn_hand_over(struct conn *c)
{
	c->handed_over = true;
	c->watch = source_free(c->watch);
	list_remove(&c->half_node);
}

/* Called when libmicrohttpd has done all that it can: what it did not read will not be complete. */
void conn_end_half(struct http_server *s)
{
	struct conn *c;

	list_for_each (c, &s->half, half_node) {
		struct http_req *r = c->req;
		char byte;

		if (r && (r->body_ended || r->suspended))
			continue; /* a whole request: it gets its answer */
		if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
			continue;
		if (r && r->text && r->response && !r->sent_raw)
			req_send_raw(r);
		list_remove(&c->half_node);
		(void)shutdown(c->fd, SHUT_RDWR);
	}
}
