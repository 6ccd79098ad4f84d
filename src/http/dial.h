/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dial.h - how a client reaches an engine: unix, TCP, TLS, ssh; private to http/client.c
 *
 * Whatever the way, what comes out is one blocking stream socket. Over TLS a thread stands between:
 * it ends by itself with the connection. Over ssh it is the standard input and output of an ssh
 * that runs "atoll system dial-stdio" over there.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "http/client.h"

struct dial {
	char *host;	   /* as given, for messages */
	char *path;	   /* unix socket, or NULL */
	char *name, *port; /* TCP, ssh (port may be NULL) */
	char *user;	   /* ssh, may be NULL */
	bool ssh;
	struct tls *tls; /* NULL: none */
};
int dial_parse(struct dial *d, const char *host, const struct http_security *sec,
	       struct err *e) MUST_CHECK;
void dial_done(struct dial *d);
int dial_open(const struct dial *d, int *ret_fd, struct err *e) MUST_CHECK;
