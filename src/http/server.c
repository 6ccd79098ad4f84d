/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.c - libmicrohttpd inside our loop
 *
 * A request passes: target read (req_new) -> headers in (begin: the handler is called) -> body
 * (request.c) -> answered, or parked and then suspended until it is -> queued in libmicrohttpd ->
 * completed. Answers are queued only once the body was read, because libmicrohttpd closes a
 * connection that answers early and the client would lose the text; to a client that asked with
 * Expect: 100-continue the answer goes at once, since it has not sent its body.
 *
 * Parking: libmicrohttpd 0.9.75 reads from a resumed connection if it was last waiting to read,
 * and closes it if the client has half-closed, its answer unsent. A connection that has been
 * through one turn with its request complete and nothing to answer is "blocked", not reading; so
 * the first turn only parks the request and the second suspends it.
 */

#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "http/internal.h"

#define TURNS_MAX  8 /* of libmicrohttpd in a row before the other sources get theirs */
#define SWALLOW_MS 10000
#define HEAD_MS	   60000
#define BODY_MS	   120000
#define IDLE_MS	   300000

/* ---- a request's way ---- */

/* The first word of a request. The result is libmicrohttpd's req_cls until completed_cb(). */
static void *target_cb(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct http_server *srv = cls;
	struct http_req *r = calloc(1, sizeof(*r));
	struct conn *c = conn_of(mhd);

	if (!r || !c) {
		free(r);
		return NULL;
	}
	r->target = strdup(target ? target : "");
	if (!r->target) {
		free(r);
		return NULL;
	}
	r->srv = srv;
	r->mhd = mhd;
	r->conn = c;
	r->id = ++srv->next_id;
	r->started_ns = clock_mono_ns();
	list_append(&srv->requests, &r->node);
	list_append(&srv->heads, &r->slow_node);
	conn_busy(c, r);
	return r;
}

static void read_body_length(struct http_req *r)
{
	const char *len = http_header(r, "Content-Length");

	if (http_header(r, "Transfer-Encoding"))
		r->body_expected = BODY_LEN_UNKNOWN;
	else if (len && parse_u64(len, &r->body_expected) < 0)
		r->body_expected = BODY_LEN_UNKNOWN; /* libmicrohttpd read it otherwise */
}

static enum MHD_Result queue(struct http_req *r)
{
	struct MHD_Response *resp = TAKE_PTR(r->response);
	enum MHD_Result ok = MHD_NO;

	if (resp && !r->broken && !r->sent_raw)
		ok = MHD_queue_response(r->mhd, r->status, resp);
	if (resp)
		MHD_destroy_response(resp); /* libmicrohttpd holds its own reference */
	return ok;
}

static void too_many(struct http_req *r)
{
	http_header_add(r, "Retry-After", "1");
	req_message(r, MHD_HTTP_SERVICE_UNAVAILABLE,
		    "too many connections are open: close some, or try again later");
}

/* Headers are in. */
static enum MHD_Result begin(struct http_req *r, const char *method, const char *version)
{
	struct http_server *srv = r->srv;
	const char *expect = http_header(r, "Expect");
	struct err e = {0};

	r->begun = true;
	list_remove(&r->slow_node);
	(void)snprintf(r->method, sizeof(r->method), "%s", method);
	r->http11 = !streq(version, "HTTP/1.0");
	read_body_length(r);
	if (srv->open > srv->config.max_connections)
		too_many(r);
	else if (target_parse(r->target, &r->path, &r->query, &e) < 0)
		req_message(r,
			    e.kind == ERR_INVALID ? MHD_HTTP_BAD_REQUEST
						  : MHD_HTTP_INTERNAL_SERVER_ERROR,
			    e.msg);
	else
		srv->config.handler(r, srv->config.data);
	if (r->answered && r->text && r->body_expected && expect &&
	    !strcasecmp(expect, "100-continue")) {
		r->swallow_timer = source_free(r->swallow_timer);
		return queue(r);
	}
	return MHD_YES;
}

static enum MHD_Result access_cb(void *cls, struct MHD_Connection *mhd, const char *url,
				 const char *method, const char *version, const char *upload,
				 size_t *upload_len, void **req_cls)
{
	struct http_req *r = *req_cls;

	(void)cls;
	(void)mhd;
	(void)url;
	if (!r)
		return MHD_NO; /* out of memory */
	if (!r->begun)
		return begin(r, method, version);
	if (r->dead || r->broken)
		return MHD_NO;
	if (*upload_len) {
		req_body_take(r, upload, *upload_len);
		*upload_len = 0;
		return r->broken ? MHD_NO : MHD_YES;
	}
	if (!r->body_ended)
		req_body_end(r);
	if (r->answered)
		return queue(r);
	if (r->parked)
		req_suspend(r);
	r->parked = true;
	return MHD_YES;
}

static void completed_cb(void *cls, struct MHD_Connection *mhd, void **req_cls,
			 enum MHD_RequestTerminationCode toe)
{
	struct http_req *r = *req_cls;

	(void)cls;
	(void)mhd;
	if (!r)
		return;
	*req_cls = NULL;
	/* half-closed within its body: the answer may still reach it */
	if (toe == MHD_REQUEST_TERMINATED_CLIENT_ABORT && r->text && r->response && !r->sent_raw)
		req_send_raw(r);
	r->swallow_timer = source_free(r->swallow_timer);
	req_tell_gone(r);
	if (r->begun)
		log_debug("http: request %s %s status=%u%s ms=%lld req=%llu", r->method,
			  r->path ? r->path : "-", r->status,
			  toe == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " cut=true",
			  (long long)((clock_mono_ns() - r->started_ns) / NS_PER_MS),
			  (unsigned long long)r->id);
	if (r->begun && r->srv->config.ended)
		r->srv->config.ended(r, r->status, clock_mono_ns() - r->started_ns,
				     r->srv->config.ended_data);
	if (r->response)
		MHD_destroy_response(r->response);
	conn_idle(r->conn);
	list_remove(&r->node);
	list_remove(&r->slow_node);
	buf_done(&r->body);
	strv_free(r->headers);
	query_free(r->query);
	free(r->path);
	free(r->target);
	free(r);
}

/* ---- the server ---- */

static void ready(int fd, uint32_t events, void *data)
{
	(void)fd;
	(void)events;
	(void)MHD_run(data);
}

/* Return: how long the loop may wait for this one, in ms; -1: any. */
static int patience(struct MHD_Daemon *d)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(d, &ms) != MHD_YES)
		return -1;
	return (int)MIN(ms, (MHD_UNSIGNED_LONG_LONG)60000);
}

static void deliver_resumed(struct http_server *s)
{
	struct list now;

	/* those that come while we run wait for the next turn */
	list_init(&now);
	while (!list_empty(&s->resumed)) {
		struct list *n = s->resumed.next;

		list_remove(n);
		list_append(&now, n);
	}
	while (!list_empty(&now)) {
		struct http_req *r = list_entry(now.next, struct http_req, resume_node);

		list_remove(&r->resume_node);
		req_body_deliver(r);
	}
}

static int before_wait(void *data)
{
	struct http_server *s = data;

	for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
		bool again;
		int least;

		deliver_resumed(s);
		again = s->dirty;
		s->dirty = false;
		least = patience(s->mhd);
		if (again || !least) {
			(void)MHD_run(s->mhd);
			least = patience(s->mhd);
		}
		if (least != 0 && !s->dirty && list_empty(&s->resumed)) {
			conn_end_half(s);
			return least;
		}
	}
	return 0;
}

__attribute__((format(printf, 2, 0))) static void mhd_log(void *cls, const char *fmt, va_list ap)
{
	char text[512];

	(void)cls;
	if (!log_enabled(LOG_DEBUG))
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	if (strstr(text, "TCP_") || str_has_prefix(text, "Failed to push"))
		return; /* it tries TCP's options on unix sockets that are added to it */
	text[strcspn(text, "\n")] = '\0';
	log_debug("http: %s", text);
}

/* libmicrohttpd's own decoding is not used (http/query.h): do not let it work for nothing. */
static size_t leave_escaped(void *cls, struct MHD_Connection *mhd, char *s)
{
	(void)cls;
	(void)mhd;
	return strlen(s);
}

static void fill_config(struct http_config *c)
{
	struct rlimit rl;

	if (!c->max_connections)
		c->max_connections = LIMIT_CONNECTIONS;
	/* the other half is for containers' pipes, sockets and files */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur / 2 < c->max_connections)
		c->max_connections = MAX((unsigned)rl.rlim_cur / 2, 16u);
	c->swallow_ms = c->swallow_ms ? c->swallow_ms : SWALLOW_MS;
	c->head_ms = c->head_ms ? c->head_ms : HEAD_MS;
	c->body_ms = c->body_ms ? c->body_ms : BODY_MS;
	c->idle_ms = c->idle_ms ? c->idle_ms : IDLE_MS;
}

/* It listens nowhere (accept.c does) and runs when we say so. */
static int start_mhd(struct http_server *s)
{
	const union MHD_DaemonInfo *info;

	/* clang-format off: an option a line */
	s->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG |
			MHD_USE_NO_LISTEN_SOCKET,
		0, NULL, NULL, access_cb, s, MHD_OPTION_EXTERNAL_LOGGER, mhd_log, NULL,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_HEADER_MEM,
		MHD_OPTION_CONNECTION_LIMIT, s->config.max_connections + 4 * LIMIT_SURPLUS,
		MHD_OPTION_URI_LOG_CALLBACK, target_cb, s, MHD_OPTION_UNESCAPE_CALLBACK,
		leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, completed_cb, s,
		MHD_OPTION_NOTIFY_CONNECTION, conn_notify, s, MHD_OPTION_END);
	/* clang-format on */
	if (!s->mhd)
		return -EIO;
	info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	return info ? loop_io(s->loop, info->epoll_fd, EPOLLIN, ready, s->mhd, &s->mhd_io) : -EIO;
}

int http_server_new(struct loop *l, const struct http_config *c, struct http_server **ret,
		    struct err *e)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	s->loop = l;
	s->config = *c;
	fill_config(&s->config);
	list_init(&s->requests);
	list_init(&s->idle);
	list_init(&s->heads);
	list_init(&s->bodies);
	list_init(&s->half);
	list_init(&s->hijacked);
	list_init(&s->resumed);
	r = accept_open(s);
	if (r >= 0)
		r = conn_open(s);
	if (r >= 0)
		r = loop_prepare(l, before_wait, s, &s->prepare);
	if (r >= 0)
		r = start_mhd(s);
	if (r < 0) {
		http_server_free(s);
		return err_sys(e, -r, "cannot start the HTTP server");
	}
	*ret = s;
	return 0;
}

unsigned http_server_connections(const struct http_server *s)
{
	return s->open + s->n_fresh;
}

void http_server_free(struct http_server *s)
{
	struct http_req *r;

	if (!s)
		return;
	(void)source_free(s->prepare);
	accept_close(s);
	hello_close(s);
	fresh_close(s);
	hijack_forget(s);
	/* libmicrohttpd aborts if it is stopped with suspended connections */
	list_for_each (r, &s->requests, node) {
		req_tell_gone(r);
		req_wake(r);
	}
	(void)source_free(s->mhd_io);
	if (s->mhd)
		MHD_stop_daemon(s->mhd);
	conn_close(s);
	hello_close_tunnels(s);
	free(s);
}
