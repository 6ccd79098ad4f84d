/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * protocol.h - what atolld and atoll-dns must agree on (docs/internals/dns.md has the messages)
 *
 * The messages "hello", "sandbox", "hold", "end" and "quit" never change their meaning: with them
 * any atolld takes the sockets over from any atoll-dns, whatever their versions.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/jsonw.h"

#define DNS_PROTOCOL	2
#define DNS_MESSAGE_MAX (64u << 10) /* one message, so also the names of one endpoint */

/* Where a held socket's connections and datagrams go. */
struct relay_to {
	uint8_t proto;	  /* IPPROTO_TCP, IPPROTO_UDP */
	struct ip target; /* not set: nowhere, the socket is only kept */
	uint16_t port;
};
void relay_to_write(struct jsonw *w, const struct relay_to *to); /* keys of the open object */
int relay_to_read(const json_t *msg, struct relay_to *ret, struct err *e) MUST_CHECK;
static inline bool relay_to_eq(const struct relay_to *a, const struct relay_to *b)
{
	return a->proto == b->proto && a->port == b->port && ip_eq(a->target, b->target);
}

/* Addresses under "addr" (IPv4) and "addr6". */
void addrs_write(struct jsonw *w, const struct ip addr[N_FAMILIES]);
int addrs_read(const json_t *msg, struct ip ret[N_FAMILIES], struct err *e) MUST_CHECK;
