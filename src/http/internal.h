/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - what server.c, request.c, reply.c and hijack.c share; nobody else includes it */
#pragma once

#include <microhttpd.h>

#include "base/limits.h"
#include "base/list.h"
#include "http/query.h"
#include "http/server.h"
#include "loop/loop.h"

#define DAEMONS_MAX 8

struct http_server {
	struct loop *loop;
	struct http_config config;
	struct {
		struct MHD_Daemon *mhd;
		struct source *io;
	} daemons[DAEMONS_MAX];
	size_t n_daemons;
	struct source *prepare;
	struct list requests;
	struct list idle;     /* struct conn without a request, the longest idle first */
	struct list half;     /* struct conn whose client has half-closed */
	struct list hijacked; /* struct http_hijacked */
	struct list resumed;  /* requests whose upload goes on before the next wait */
	unsigned open;	      /* connections and hijacked sockets */
	uint64_t next_id;
	bool dirty; /* a connection was resumed: run libmicrohttpd before the next wait */
};

/* of an active connection; HUP and ERR come unasked */
#define CONN_EVENTS ((uint32_t)EPOLLRDHUP | (uint32_t)EPOLLET)

/* A connection: the socket_context of libmicrohttpd. */
struct conn {
	struct http_server *srv;
	struct list idle_node, half_node;
	int fd;
	struct source *watch; /* half-close and end; the end alone while suspended */
	struct http_req *req; /* the current one, or NULL */
	bool ended;	      /* by us, to make room: no longer counted */
	bool handed_over;     /* the socket is somebody else's: never shut it down */
};

enum body_mode { BODY_DROP, BODY_COLLECT, BODY_STREAM };

#define BODY_LEN_UNKNOWN UINT64_MAX /* chunked */

struct http_req {
	struct list node; /* server->requests */
	struct http_server *srv;
	struct MHD_Connection *mhd;
	struct conn *conn;
	uint64_t id;
	int64_t started_ns;
	char method[16];
	char *target, *path;
	struct query *query;
	bool http11, begun;
	bool dead;   /* the owner was told that it is over */
	bool broken; /* out of memory: the connection is closed */

	bool suspended, parked;

	/* the body; @body holds the collected text, or what a paused reader did not take */
	enum body_mode mode;
	uint64_t body_expected, body_seen, swallowed;
	size_t body_max;
	struct buf body;
	bool paused, body_ended;
	struct list resume_node;
	void (*collect)(struct http_req *r, const char *body, size_t len, void *data);
	size_t (*piece)(struct http_req *r, const char *data, size_t len, void *d);
	void *body_data;
	struct source *swallow_timer;

	/* the answer, from http_reply*() until it is queued */
	struct MHD_Response *response;
	unsigned status;
	const char *text; /* of a plain answer: belongs to the response */
	size_t text_len;
	bool answered, sent_raw;
	char **headers; /* name, value, name, value ... */
	bool header_lost;
	struct http_stream *stream;

	void *data;
	void (*gone)(struct http_req *r, void *data);
	void *gone_data;
	void (*hijacked)(struct http_hijacked *h, int fd, const char *early, size_t len,
			 void *data);
	void (*hijack_gone)(void *data);
	void *hijack_data;
};

/* conn.c */
void conn_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
		 enum MHD_ConnectionNotificationCode toe);
struct conn *conn_of(struct MHD_Connection *mhd);
void conn_busy(struct conn *c, struct http_req *r);
void conn_idle(struct conn *c);
void conn_hand_over(struct conn *c);
void conn_end_half(struct http_server *s);

/* request.c */
void req_suspend(struct http_req *r);
void req_wake(struct http_req *r);
void req_tell_gone(struct http_req *r);
void req_body_take(struct http_req *r, const char *data, size_t len);
void req_body_end(struct http_req *r);
void req_body_deliver(struct http_req *r);
void req_swallow_start(struct http_req *r);

/* reply.c */
void req_answer(struct http_req *r, unsigned status, const char *content_type,
		struct MHD_Response *resp);
void req_message(struct http_req *r, unsigned status, const char *message);
void req_send_raw(struct http_req *r);
void req_stream_gone(struct http_req *r);

/* hijack.c */
void hijack_forget(struct http_server *s);
