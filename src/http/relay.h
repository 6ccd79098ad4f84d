/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.h - between a socket that speaks a protocol (TLS, WebSocket) and a plain one
 *
 * What is behind the plain socket, one end of a socketpair, knows nothing of the protocol: bytes,
 * half-closes and ends go through in both directions. Memory: one block each way; a side that does
 * not read stops the other. A wire that is lost closes the plain side once all before it was
 * delivered. Everything on the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"

struct loop;

#define RELAY_BLOCK 16384 /* as large as a TLS record (RFC 8446, 5.1) */

/* The end that speaks the protocol. All calls are non-blocking. */
struct wire {
	const struct wire_ops *ops;
	int fd; /* watched by the relay, closed by free() */
};
struct wire_ops {
	/* Return: bytes; 0: the peer has ended its side in order; -EAGAIN; -errno: lost */
	ssize_t (*recv)(struct wire *w, void *buf, size_t room);
	/* Return: bytes taken; -EAGAIN: call again with the same bytes; -errno: lost */
	ssize_t (*send)(struct wire *w, const void *data, size_t len);
	/* tells the peer that nothing more comes. Return: 0, -EAGAIN, -errno */
	int (*end)(struct wire *w);
	/* writes what the protocol itself has to say. Return: 0: nothing is left; -EAGAIN; -errno
	 */
	int (*flush)(struct wire *w);
	void (*free)(struct wire *w);
};
static inline void wire_free(struct wire *w)
{
	if (w)
		w->ops->free(w);
}

struct relay;
/**
 * relay_new() - starts one
 * @w, @plain: taken, also on failure; both non-blocking
 * @done: both sides are at their end and closed; called from the loop, never from within this; the
 *        relay is freed after it. May be NULL
 * Return: 0 or -errno
 */
int relay_new(struct loop *l, struct wire *w, int plain, void (*done)(void *data), void *data,
	      struct relay **ret) MUST_CHECK;
void relay_free(struct relay *r); /* at once, without done(); NULL allowed */
