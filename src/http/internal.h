/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - what the files of the server share */
#pragma once

#include <microhttpd.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/list.h"
#include "http/query.h"
#include "http/server.h"
#include "loop/loop.h"

#define RECORD_HELLO  0x16 /* the first byte of TLS (RFC 8446, 5.1) */
#define LIMIT_SURPLUS 64   /* connections beyond our limit that still get their 503 */

struct http_server {
	struct loop *loop;
	struct http_config config;
	struct MHD_Daemon *mhd;
	struct source *mhd_io, *prepare;

	/* accept.c, hello.c, fresh.c */
	struct list listeners;
	struct list hellos, tunnels; /* TLS: before and after the handshake */
	struct list fresh, standins; /* before the first byte; behind those who left */
	unsigned n_hellos, n_fresh, n_standins, n_tunnels;
	int spare; /* a descriptor kept back for when there is none left */
	int away;  /* the client that has it meanwhile, or -EBADF */
	struct source *away_io, *away_timer;
	int64_t warned_ns;

	/* conn.c */
	struct source *sweep;

	struct list requests;
	struct list idle;     /* struct conn without a request, the longest idle first */
	struct list half;     /* struct conn whose client has half-closed */
	struct list heads;    /* requests whose headers are still coming, the oldest first */
	struct list bodies;   /* ... whose collected body is */
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
	int64_t since_ns;     /* idle since */
	bool served;	      /* it had a request before */
	bool ended;	      /* by us, to make room: no longer counted */
	bool handed_over;     /* the socket is somebody else's: never shut it down */
};

enum body_mode { BODY_DROP, BODY_COLLECT, BODY_STREAM };

#define BODY_LEN_UNKNOWN UINT64_MAX /* chunked */

struct http_req {
	struct list node;      /* server->requests */
	struct list slow_node; /* server->heads or ->bodies */
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

	const void *mark;
	void (*gone)(struct http_req *r, void *data);
	void *gone_data;
	void (*hijacked)(struct http_hijacked *h, int fd, const char *early, size_t len,
			 void *data);
	void (*hijack_gone)(void *data);
	void *hijack_data;
	bool websocket, websocket_text;
};

/* accept.c */
int accept_open(struct http_server *s) MUST_CHECK;
void accept_close(struct http_server *s);
void accept_pause(struct http_server *s);
void accept_resume(struct http_server *s); /* if there is room again */

/* hello.c: a new connection that is to speak TLS; takes @fd */
struct peer {
	struct sockaddr_storage sa;
	socklen_t len;
};
void hello_new(struct http_server *s, struct tls *tls, int fd, const struct peer *peer);
void hello_close(struct http_server *s);
/* a relay that the server keeps until both sides have ended; takes both. 0/-errno */
struct wire;
int tunnel_new(struct http_server *s, struct wire *w, int plain) MUST_CHECK;
void hello_close_tunnels(struct http_server *s); /* after libmicrohttpd's end */

/* fresh.c: a new connection that speaks HTTP; takes @fd */
void fresh_new(struct http_server *s, int fd, const struct peer *peer);
bool fresh_end_one(struct http_server *s); /* one that was silent for long; false: none was */
void fresh_close(struct http_server *s);

/* conn.c */
int conn_open(struct http_server *s) MUST_CHECK;
void conn_close(struct http_server *s);
bool conn_end_idle(struct http_server *s); /* the longest idle one; false: there is none */
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
