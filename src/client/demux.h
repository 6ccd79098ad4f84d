/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demux.h - the multiplexed stream of attach, exec and logs without a terminal. Pure.
 *
 * Frames of an 8 byte head (stream 0..3, three zeros, length in network order) and a payload, as
 * the Engine API's ContainerAttach says. Fed with bytes as they come.
 */
#pragma once

#include <stdint.h>

#include "base/auto.h"

struct demux {
	unsigned char head[8];
	unsigned have; /* bytes of the head */
	uint32_t left; /* of the payload */
};

/* @out gets pieces of stream 1 (also for 0) or 2 (also for 3, an error of the
 * engine); non-zero ends with that value. Return: 0;
 * -EBADMSG where no frame begins. */
int demux_feed(struct demux *d, const char *data, size_t len,
	       int (*out)(void *arg, int stream, const char *piece, size_t len),
	       void *arg) MUST_CHECK;
