/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * websocket.h - a WebSocket as a wire for http/relay.h, and its opening handshake
 *
 * Messages of the client become bytes; each piece of output becomes one message. Pings are
 * answered. A WebSocket has no half-close: a close frame is the end of both sides.
 * Source: RFC 6455.
 */
#pragma once

#include "base/err.h"
#include "http/relay.h"

#define WEBSOCKET_ACCEPT 29 /* base64 of SHA-1, NUL */

/* Sec-WebSocket-Accept of a Sec-WebSocket-Key. Return: 0, or -EINVAL: it is none of 16 bytes */
int websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT]) MUST_CHECK;
/* The server's end on @fd (non-blocking, taken also on failure), of which @early was read already.
 * @text: messages are text, else binary */
int websocket_wire(int fd, bool text, const void *early, size_t early_len,
		   struct wire **ret) MUST_CHECK;
