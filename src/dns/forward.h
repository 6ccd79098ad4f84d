/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward.h - questions passed on to name servers
 *
 * An upstream is a list of servers and the sockets to reach them: the host's opens sockets of its
 * own, a container's uses those it was given. A question goes to the first server; to the next at
 * once when that one fails (SERVFAIL, REFUSED, unreachable) and in parallel when it is slow; the
 * first good answer wins, after FORWARD_TOTAL_MS nobody has answered. Each query has a random id
 * and, while sockets last, a source port of its own. Loop thread only.
 * Sources: RFC 5452 (ids, ports, what to check), RFC 7766 (TCP).
 */
#pragma once

#include "dns/servers.h"
#include "dns/wire.h"

#define FORWARD_NEXT_MS	  300  /* a server this slow gets company */
#define FORWARD_RESEND_MS 1500 /* a datagram may have been lost */
#define FORWARD_TOTAL_MS  4000 /* Docker's patience; clients ask again after 5 s */

struct loop;
struct ask;
struct upstream;

int upstream_new(struct loop *l, const char *scope, bool own_sockets,
		 struct upstream **ret) MUST_CHECK;
void upstream_free(struct upstream *u); /* after its asks were cancelled */
/* Questions under way go on with the servers they have. */
void upstream_set(struct upstream *u, const struct servers *s);
bool upstream_has_servers(const struct upstream *u);
/* A new scope with every change of servers: nobody gets a cached answer of the former ones. */
const char *upstream_scope(const struct upstream *u);
/* An unbound UDP or TCP socket; borrowed, for as long as the upstream lives. */
int upstream_lend(struct upstream *u, int fd) MUST_CHECK;

/* @msg NULL: nobody had an answer. Otherwise a checked answer with the query's question, which may
 * be changed in place; @info belongs to it. The ask is gone when this is called. */
typedef void (*ask_fn)(uint8_t *msg, size_t len, const struct dns_response *info, void *data);
/* Never calls @fn itself. -EHOSTUNREACH: no server can even be sent to */
int ask_new(struct upstream *u, const struct dns_query *q, ask_fn fn, void *data,
	    struct ask **ret) MUST_CHECK;
void ask_cancel(struct ask *a);
