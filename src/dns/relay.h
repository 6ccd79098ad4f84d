/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.h - held sockets that are served: connections and datagrams go on to a target
 *
 * What the firewall cannot translate comes to the socket itself (feed.h). TCP by splice, nothing is
 * copied; half-closes and resets go through. UDP by a connected socket for each client. All relays
 * hang on one descriptor of the main loop, which serves a few of their events each turn, so that
 * names never wait for bulk data. Loop thread only. Sources: splice(2), ipv6(7), epoll(7).
 */
#pragma once

#include "dns/protocol.h"

#define RELAY_CONNS_MAX	 1024 /* of all relays; more wait in the kernel's queues */
#define RELAY_CONNS_EACH 512
#define RELAY_FLOWS_MAX	 1024 /* UDP clients of all relays; the longest idle makes room */
#define RELAY_FLOWS_EACH 512
#define RELAY_IDLE_MS	 90000 /* of a UDP client, as Docker's proxy */

struct loop;
struct relays;
struct relay;

int relays_new(struct loop *l, struct relays **ret) MUST_CHECK;
void relays_free(struct relays *all); /* after its relays */
/* Serves @fd: bound, of @to's protocol, not listening yet; borrowed, must outlive the relay. */
int relay_new(struct relays *all, int fd, const struct relay_to *to, struct relay **ret) MUST_CHECK;
/* Next connections and datagrams go to @to (of the same protocol). */
void relay_move(struct relay *r, const struct relay_to *to);
struct relay *relay_free(struct relay *r); /* its connections end. NULL allowed; returns NULL */
