/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.h - the resolver as a whole: sandboxes, their sockets and questions, the control socket
 *
 * Shared by the files of atoll-dns alone (server.c, tcp.c, control.c). One thread, one loop.
 * Order that must hold (feed.h): a question that was asked after atolld said something is answered
 * with that known. So whoever has read questions calls control_drain() before answering any of
 * them; and as that may remove the very sandbox, looks at server->current afterwards.
 */
#pragma once

#include <netinet/in.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/list.h"
#include "dns/answer.h"
#include "dns/cache.h"
#include "dns/forward.h"
#include "dns/relay.h"
#include "dns/servers.h"
#include "dns/zone.h"

#define POOL_MAX (FD_PASS_MAX - 2) /* beside the two listening sockets in one message */

struct loop;
struct map;
struct sandbox;
struct source;
struct control;

struct server {
	struct loop *loop;
	struct zone *zone;
	struct cache *cache;
	struct resolv *resolv;
	struct upstream *host;
	struct map *sandboxes;
	struct sandbox *current; /* whose questions are being answered; NULL once it is removed */
	size_t inflight;
	struct relays *relays;
	struct control *control;
};

/* A question with the servers. */
struct pending {
	struct list node; /* sandbox->pendings */
	struct sandbox *sb;
	struct dns_query q;
	struct ask *ask;
	struct sockaddr_in client; /* UDP */
	struct conn *conn;	   /* TCP */
};

struct sandbox {
	struct server *srv;
	char *id;
	uint16_t port;
	bool external, ndots;
	char **servers; /* as given; NULL: the host's */
	int udp, tcp;
	int pool[POOL_MAX];
	size_t n_pool;
	struct upstream *own; /* NULL: the host's */
	struct source *udp_io, *tcp_io;
	struct list pendings, conns;
	size_t n_pendings, n_conns;
	bool burst;	    /* several questions came at once */
	int64_t refused_ns; /* when a refusal was last logged */
};

int server_new(struct loop *l, const char *resolv_path, struct server **ret,
	       struct err *e) MUST_CHECK;
void server_free(struct server *s);

/* What a sandbox is made of; the descriptors are taken, also on failure. */
struct sandbox_args {
	const char *id;
	uint16_t port;
	bool external, ndots;
	char *const *servers;
	const int *fds; /* udp, tcp, pool... */
	size_t n_fds;
};
/* Replaces one of the same id: what that had under way is forgotten. */
int sandbox_set(struct server *s, const struct sandbox_args *a, struct err *e) MUST_CHECK;
void sandbox_del(struct server *s, const char *id);

/* Return: ANSWER_DONE: @o is to be sent; ANSWER_FORWARD: pending_send() or conn_answer() later;
 * ANSWER_DROP. @way_back: its client or conn */
enum answer sandbox_answer(struct sandbox *sb, const uint8_t *msg, size_t len,
			   const struct pending *way_back, struct wire_out *o) MUST_CHECK;
void pending_free(struct pending *p); /* nobody wants the answer any more */

/* tcp.c */
int conns_listen(struct sandbox *sb) MUST_CHECK;
void conns_close(struct sandbox *sb);
void conn_wait(struct conn *c, struct pending *p);
void conn_answer(struct conn *c, const uint8_t *msg, size_t len); /* to its pending question */
void conn_forget(struct conn *c, struct pending *p);

/* control.c */
struct control_socket {
	int fd, lock;
	uid_t owner; /* who may talk to us, beside root */
};
/* Opens and locks @path: the last thing that needs privileges. */
int control_listen(const char *path, struct control_socket *ret, struct err *e) MUST_CHECK;
/* Takes the socket; sets @s->control. */
int control_new(struct server *s, const struct control_socket *sock, struct err *e) MUST_CHECK;
void control_free(struct control *c);
void control_drain(struct control *c);
