/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer.h - what becomes of a container's query: answered from the zone, passed on, or dropped
 *
 * Pure but for a little randomness. The rules stand in answer.c. Source: Docker's resolver as
 * FIELD.md records it.
 */
#pragma once

#include "dns/wire.h"
#include "dns/zone.h"

enum answer {
	ANSWER_DROP,	/* not a query */
	ANSWER_DONE,	/* the answer is in @o */
	ANSWER_FORWARD, /* a name that is not ours: ask a server */
};

struct answer_scope {
	const struct zone_view *view; /* NULL: sees no network */
	bool external;		      /* on a network that reaches out */
	bool has_servers;	      /* somebody whom it may ask */
	bool ndots;		      /* the user set ndots */
};

/* @o: DNS_UDP_MAX bytes of room for UDP, DNS_TCP_MAX for TCP */
enum answer answer_query(const struct answer_scope *s, const uint8_t *msg, size_t len, bool tcp,
			 struct dns_query *q, struct wire_out *o) MUST_CHECK;
/* What is said of a name when nobody can be asked. */
enum dns_rcode answer_nobody(bool external, const struct dns_query *q);
void answer_rcode(const struct dns_query *q, enum dns_rcode rcode, struct wire_out *o);
