/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - which engine, and how it is reached: flags, environment, contexts, in docker's order
 *
 * --context; --host; ATOLL_HOST, DOCKER_HOST; DOCKER_CONTEXT; the current context; the local
 * socket. TLS belongs to the first, second and last as --tls*, DOCKER_TLS, DOCKER_TLS_VERIFY and
 * DOCKER_CERT_PATH say; a context brings its own.
 */
#pragma once

#include "base/err.h"
#include "client/client.h"

struct target {
	char *host;
	bool tls, verify;
	char *ca, *cert, *key; /* NULL: none */
};
/* @w NULL: nothing was said by flags */
int target_find(const struct client_wish *w, struct target *ret, struct err *e) MUST_CHECK;
void target_done(struct target *t);
