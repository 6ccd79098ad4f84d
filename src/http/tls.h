/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.h - TLS 1.2 and 1.3 with certificates on both sides, over GnuTLS; a wire for http/relay.h
 *
 * A session ends its side by close_notify, which half-closes (RFC 8446, 6.1); a connection that
 * ends without one is lost, not ended. No resumption: each connection shows its certificate.
 * Sources: RFC 8446, RFC 5246, GnuTLS's manual; Docker's "Protect the daemon socket".
 */
#pragma once

#include "base/err.h"
#include "http/relay.h"

struct tls_files {
	const char *ca, *cert, *key; /* PEM files */
};

struct tls; /* certificates, keys and what is asked of the peer */
/* @verify: a client must show a certificate that @files.ca has signed for clients. A key that
 * others can read is refused. Texts name the file. */
int tls_server_new(const struct tls_files *files, bool verify, struct tls **ret,
		   struct err *e) MUST_CHECK;
/* @verify: the server's certificate must be signed by @files.ca (NULL: the system's) for its name.
 * @files.cert and key may be NULL */
int tls_client_new(const struct tls_files *files, bool verify, struct tls **ret,
		   struct err *e) MUST_CHECK;
void tls_free(struct tls *t); /* its sessions may outlive it; NULL allowed */

/* A server's session on @fd (non-blocking, taken also on failure). */
int tls_accept(struct tls *t, int fd, struct wire **ret) MUST_CHECK;
/* One step of its handshake. Return: 0 done; -EAGAIN wait for @ret_events on the fd; -EPROTO
 * failed: the peer was told why, @why gets a text */
int tls_handshake(struct wire *w, uint32_t *ret_events, char *why, size_t room);

/* A client's session with @name on @fd (blocking, taken also on failure), handshake included; 30 s
 * at most. The socket is non-blocking after. */
int tls_connect(struct tls *t, int fd, const char *name, struct wire **ret,
		struct err *e) MUST_CHECK;
