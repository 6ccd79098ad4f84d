/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sockets.h - where atolld listens
 *
 * Sources: unix(7), sd_listen_fds(3) (the protocol, not the library).
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

#define SOCKETS_MAX 16

struct sockets {
	int fds[SOCKETS_MAX];	  /* -EBADF once handed on */
	char *paths[SOCKETS_MAX]; /* unix sockets made here, removed at the end; NULL else */
	bool tcp[SOCKETS_MAX];	  /* TLS is for these, if it is on */
	size_t n;
};

struct sockets_config {
	const char *fallback; /* where @hosts is NULL */
	const char *group;    /* of unix sockets (mode 0660); NULL: atoll or docker, if there */
	bool tls;	      /* TCP has TLS: another port by default */
	bool anywhere;	      /* TCP on other addresses than loopback */
};

/**
 * sockets_open() - one listening socket for each host
 * @hosts: "unix:///path", "tcp://address:port", "fd://" (what systemd hands over), or NULL
 * Without @anywhere TCP is refused but on loopback, also what systemd hands over. A unix socket
 * somebody listens on is refused.
 */
int sockets_open(struct sockets *s, char *const *hosts, const struct sockets_config *c,
		 struct err *e) MUST_CHECK;
/* one TCP socket, on whatever address is asked. Return: it, or -errno */
int sockets_listen_tcp(const char *address, struct err *e) MUST_CHECK;
void sockets_close(struct sockets *s); /* closes what was not handed on, removes our paths */
