/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hijack.c - sockets handed over after 101
 *
 * The owner gets a duplicate of the socket and libmicrohttpd closes its own at once: an attached
 * client then costs no connection memory, and outlives the server. A closed one first lingers:
 * SHUT_WR, then what still comes is dropped until the client's end, since closing a socket with
 * unread bytes makes the client see a reset instead of the last output.
 */

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/str.h"
#include "http/internal.h"
#include "http/relay.h"
#include "http/websocket.h"

#define LINGER_MS 10000

struct http_hijacked {
	struct list node;	 /* server->hijacked, while there is a server */
	struct http_server *srv; /* NULL: the server was freed */
	int fd;
	struct source *io, *timer; /* lingering */
};

static void hijacked_free(struct http_hijacked *h)
{
	if (h->srv)
		h->srv->open--;
	list_remove(&h->node);
	h->timer = source_free(h->timer);
	h->io = source_free(h->io);
	(void)fd_close(h->fd);
	free(h);
}

/* A relay takes the socket, its owner gets the plain end. */
static int wrap(struct http_hijacked *h, bool text, const char *extra, size_t len)
{
	struct wire *w;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	r = websocket_wire(TAKE_FD(h->fd), text, extra, len, &w);
	if (r < 0)
		(void)fd_close(pair[0]);
	else
		r = tunnel_new(h->srv, w, pair[0]);
	if (r < 0) {
		(void)fd_close(pair[1]);
		errno = -r;
		return r;
	}
	h->fd = pair[1];
	return 0;
}

static void upgraded(void *cls, struct MHD_Connection *conn, void *req_cls, const char *extra,
		     size_t extra_len, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
	struct http_req *r = cls;
	struct http_hijacked *h = calloc(1, sizeof(*h));

	(void)conn;
	(void)req_cls;
	r->srv->dirty = true;
	if (h)
		h->fd = fcntl(sock, F_DUPFD_CLOEXEC, 3);
	(void)MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
	if (!h || h->fd < 0) {
		log_warn("http: a hijacked socket is lost: %s req=%llu",
			 h ? "no descriptor is left" : "out of memory", (unsigned long long)r->id);
		free(h);
		return; /* the request's end tells the owner */
	}
	conn_hand_over(r->conn);
	h->srv = r->srv;
	h->srv->open++;
	list_append(&h->srv->hijacked, &h->node);
	if (r->websocket && wrap(h, r->websocket_text, extra, extra_len) < 0) {
		log_warn("http: a websocket is lost: %s", strerror(errno));
		hijacked_free(h);
		return;
	}
	r->hijack_gone = NULL;
	r->hijacked(h, h->fd, r->websocket ? NULL : extra, r->websocket ? 0 : extra_len,
		    r->hijack_data);
}

int http_websocket(struct http_req *r, bool text, struct err *e)
{
	const char *upgrade = http_header(r, "Upgrade"), *key = http_header(r, "Sec-WebSocket-Key");
	const char *version = http_header(r, "Sec-WebSocket-Version");
	char accept[WEBSOCKET_ACCEPT];

	if (!http_wants_upgrade(r) || strcasecmp(upgrade, "websocket") != 0)
		return err_invalid(e, "not websocket protocol");
	if (!streq(version, "13")) {
		http_header_add(r, "Sec-WebSocket-Version", "13");
		return err_invalid(e, "missing or bad WebSocket Version");
	}
	if (!key || websocket_accept(key, accept) < 0)
		return err_invalid(e, "mismatch challenge/response");
	http_header_add(r, "Sec-WebSocket-Accept", accept);
	r->websocket = true;
	r->websocket_text = text;
	return 0;
}

void http_hijack(struct http_req *r, const char *content_type,
		 void (*fn)(struct http_hijacked *h, int fd, const char *early, size_t early_len,
			    void *data),
		 void (*gone)(void *data), void *data)
{
	struct MHD_Response *resp;

	if (r->answered || r->dead)
		return;
	resp = MHD_create_response_for_upgrade(upgraded, r);
	if (resp)
		(void)MHD_add_response_header(resp, "Upgrade", r->websocket ? "websocket" : "tcp");
	r->hijacked = fn;
	r->hijack_gone = gone;
	r->hijack_data = data;
	req_answer(r, MHD_HTTP_SWITCHING_PROTOCOLS, content_type, resp);
}

static void drain(int fd, uint32_t events, void *data)
{
	struct http_hijacked *h = data;
	char junk[16384];
	ssize_t n;

	(void)events;
	do
		n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		hijacked_free(h);
}

static void linger_over(void *data)
{
	hijacked_free(data);
}

void http_hijack_close(struct http_hijacked *h)
{
	if (shutdown(h->fd, SHUT_WR) < 0 || !h->srv ||
	    loop_timer(h->srv->loop, LINGER_MS, linger_over, h, &h->timer) < 0 ||
	    loop_io(h->srv->loop, h->fd, EPOLLIN, drain, h, &h->io) < 0)
		hijacked_free(h);
}

/* The server goes: lingering sockets are closed, the others are their owners' alone. */
void hijack_forget(struct http_server *s)
{
	struct http_hijacked *h;

	list_for_each (h, &s->hijacked, node) {
		bool lingers = h->timer != NULL;

		h->srv = NULL;
		list_remove(&h->node);
		if (lingers)
			hijacked_free(h);
	}
}
