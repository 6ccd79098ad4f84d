/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - a small blocking HTTP/1.1 client over a unix socket, TCP, TLS or ssh, for the CLI
 *
 * Own, because of hijack. One request at a time, keep-alive. Not thread-safe. An answer that comes
 * while the request's body is still being sent ends the sending. A GET or HEAD whose kept-alive
 * connection turns out to be closed is sent once more, nothing else is. A connection that cannot be
 * made is ERR_UNAVAILABLE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "http/tls.h"

/* of a TCP connection: TLS with these files (each may be NULL); @verify: the server's name and
 * signature are checked */
struct http_security {
	struct tls_files files;
	bool verify;
};

struct http_client;
int http_client_new(const char *host /* unix:///path, tcp://address:port, ssh://user@host */,
		    const struct http_security *sec /* NULL: no TLS; not kept */,
		    struct http_client **ret, struct err *e) MUST_CHECK;
void http_client_free(struct http_client *c);
/* a connection of its own, on which nothing was sent yet: the caller's */
int http_client_raw(struct http_client *c, int *ret_fd, struct err *e) MUST_CHECK;
DEFINE_AUTO(struct http_client, http_client_free);

struct http_resp {
	unsigned status;
	struct buf body; /* when not streamed */
	char *content_type;
	char *api_version; /* the header Api-Version, or NULL */
	char *path_stat;   /* the header X-Docker-Container-Path-Stat, or NULL */
};
void http_resp_done(struct http_resp *r);
struct http_call {
	const char *method, *path;  /* path with query, encoded */
	const char *content_type;   /* of the body; NULL: application/json when there is one */
	const char *const *headers; /* more of them: name, value, ..., NULL; or NULL */
	const void *body;
	size_t body_len;
	/* a streamed request body (chunked): returns bytes put into buf, 0 at the end, -errno */
	ssize_t (*read_body)(void *data, void *buf, size_t room);
	/* a streamed response (status < 300): pieces as they come; non-zero ends the call with that
	 * value */
	int (*on_data)(void *data, const void *piece, size_t len);
	/* the head is there, the body not yet (a wait answers so); non-zero ends the call likewise
	 */
	int (*on_head)(void *data, unsigned status);
	void *data;
};
/* @ret is always valid for http_resp_done(). Return: 0, whatever the status; what on_data,
 * on_head or read_body returned to end the call; or an error. */
int http_client_call(struct http_client *c, const struct http_call *call, struct http_resp *ret,
		     struct err *e) MUST_CHECK;
/* Upgrade: tcp. On 101 @ret_fd is the raw socket (the caller's; the client reconnects for its next
 * call) with @early bytes read past the headers; else *ret_fd = -1 and ret is the answer */
int http_client_hijack(struct http_client *c, const struct http_call *call, int *ret_fd,
		       struct buf *early, struct http_resp *ret, struct err *e) MUST_CHECK;
/* appends @s for a path part or a query value: all but unreserved characters (RFC 3986) as %XX */
int http_url_escape(struct buf *out, const char *s) MUST_CHECK;
