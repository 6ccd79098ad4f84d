/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim.h - the words between atolld and atoll-shim
 *
 * Both sides speak packets (unix(7), SOCK_SEQPACKET) whose first byte is their kind. Numbers are
 * the host's own, for both sides are on it. Nothing here allocates.
 *
 * On the attach socket, to the shim:
 *   'h' flags   first of all: what the client wants (SHIM_*)
 *   'i' bytes   input of the process, at most SHIM_DATA_MAX
 *   'e'         no more input comes
 *   'w' rows, columns  the terminal's size, two uint16_t; without 'h' before
 * and from it:
 *   1 or 2, then bytes of standard output or error (a terminal's: 1); closed at their end
 *
 * On the status socket, from the shim:
 *   'P' number  the process is there: its pid
 *   'F' text    it is not, and never will be: the runtime's words
 *   'X' number  (exec) it ended: the exit code
 * and to it 'w'.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"

#define SHIM_DATA_MAX	(32u << 10)
#define SHIM_PACKET_MAX (SHIM_DATA_MAX + 1)

#define SHIM_OUTPUT   1 /* the client reads output */
#define SHIM_INPUT    2 /* it gives input: its end is the input's where that is so asked for */
#define SHIM_PARTIALS 4 /* while it is there, unfinished lines go to the log at once */

enum shim_kind {
	SHIM_HELLO = 'h',
	SHIM_DATA = 'i',
	SHIM_EOF = 'e',
	SHIM_SIZE = 'w',
	SHIM_MADE = 'P',
	SHIM_FAILED = 'F',
	SHIM_ENDED = 'X',
};

struct shim_packet {
	enum shim_kind kind;
	unsigned flags;	     /* hello */
	uint16_t rows, cols; /* size */
	int32_t number;	     /* made, ended */
	const char *data;    /* data, failed: borrowed from the packet */
	size_t len;
};

/* Return: 0, -EBADMSG for what is none of the above */
int shim_parse(const void *packet, size_t len, struct shim_packet *ret) MUST_CHECK;
/* @p into @room (SHIM_PACKET_MAX fits all but 'i' and 'F', whose text is cut off). Return: length
 */
size_t shim_format(const struct shim_packet *p, char *room, size_t size);
