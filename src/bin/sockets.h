/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sockets.h - where atolld listens
 *
 * Sources: unix(7), sd_listen_fds(3) (the protocol, not the library).
 */
#pragma once

#include "base/err.h"

#define SOCKETS_MAX 16

struct sockets {
	int fds[SOCKETS_MAX];	  /* -EBADF once handed on */
	char *paths[SOCKETS_MAX]; /* unix sockets made here, removed at the end; NULL else */
	size_t n;
};

/**
 * sockets_open() - one listening socket for each host
 * @hosts: "unix:///path", "tcp://127.0.0.1:2375", "fd://" (what systemd hands over); NULL:
 *         @fallback
 * @group: of unix sockets (mode 0660); NULL: atoll or docker where there is one
 * TCP without TLS is served on loopback only. A unix socket somebody listens on is refused.
 */
int sockets_open(struct sockets *s, char *const *hosts, const char *fallback, const char *group,
		 struct err *e) MUST_CHECK;
void sockets_close(struct sockets *s); /* closes what was not handed on, removes our paths */
