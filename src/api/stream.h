/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h - container streams on the wire: the multiplexed form, and the keys that detach */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

/*
 * "application/vnd.docker.multiplexed-stream": each piece with 8 bytes before it: the stream (1
 * standard output, 2 standard error), three zeros, its length big-endian. A terminal's stream is
 * raw.
 */
int stream_frame(struct buf *out, bool raw, int stream, const void *data, size_t len);
const char *stream_type(bool raw, unsigned version); /* the Content-Type */

#define DETACH_KEYS_MAX 16

struct detach {
	unsigned char keys[DETACH_KEYS_MAX];
	size_t n, at; /* @at keys have been seen */
};
/* "ctrl-p,ctrl-q" (also for NULL and ""), "a", "ctrl-@", "DEL", case-sensitive. -EINVAL, also for
 * more than DETACH_KEYS_MAX */
int detach_parse(const char *text, struct detach *ret) MUST_CHECK;
/* appends what is not (the begin of) the sequence to @out. Return: 1 the sequence is complete and
 * what follows it was not looked at, 0, -ENOMEM or -ENOBUFS */
int detach_feed(struct detach *d, const char *data, size_t len, struct buf *out) MUST_CHECK;
