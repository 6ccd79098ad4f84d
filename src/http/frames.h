/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames.h - WebSocket frames, the server's side: an incremental parser and a writer. Pure; fuzzed.
 *
 * Payloads of data frames are given out as they come, so a message may be of any length. Control
 * frames are kept until they are whole (125 bytes). Text is not looked at: what comes is a
 * terminal's input. Source: RFC 6455, 5.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define FRAME_CONTROL_MAX 125
#define FRAME_HEAD_MAX	  10 /* of a frame without a mask */

enum frame_opcode {
	FRAME_CONTINUATION,
	FRAME_TEXT,
	FRAME_BINARY,
	FRAME_CLOSE = 8,
	FRAME_PING,
	FRAME_PONG,
};
enum frame_code { /* of a close frame */
		  FRAME_NORMAL = 1000,
		  FRAME_PROTOCOL_ERROR = 1002,
};

struct frame_parser {
	uint8_t head[14];
	size_t head_len; /* bytes of it that are there */
	bool in_payload, in_message;
	uint8_t opcode;
	uint64_t left; /* of the payload */
	uint8_t mask[4];
	unsigned mask_at;
	uint8_t control[FRAME_CONTROL_MAX];
	size_t control_len;
};
enum frame_event {
	FRAME_NOTHING, /* all was used and nothing is whole */
	FRAME_DATA,    /* a piece of a message */
	FRAME_CALL,    /* a control frame: its opcode and payload */
};
struct frame_piece {
	uint8_t opcode; /* of FRAME_CALL */
	const uint8_t *data;
	size_t len;
};

/* Takes from @data, which is unmasked in place, up to one event. @p starts as zeroes. Return: the
 * event; -EPROTO what no client may send: the connection is to be closed with 1002 */
int frame_parse(struct frame_parser *p, uint8_t *data, size_t len, size_t *used,
		struct frame_piece *ret);
/* appends one whole frame */
int frame_write(struct buf *out, enum frame_opcode opcode, const void *data, size_t len);
int frame_write_close(struct buf *out, enum frame_code code);
