/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pump.h - between a client and a container's (or exec's) streams
 *
 * Made before the attachment and before the socket is there; both come in any order. Bytes for the
 * client wait in a bounded queue (the container's output pauses when it is full), bytes from the
 * client wait until the process runs. It frees itself when both sides are done.
 */
#pragma once

#include "api/internal.h"
#include "api/stream.h"

struct pump;
struct pump_config {
	bool tty, in, out, err;
	bool detachable; /* the keys detach */
	struct detach keys;
	void (*detached)(void *data); /* the user detached: an event; may be NULL */
	void *data;
	void (*freed)(void *data); /* the pump is gone; may be NULL */
};
int pump_new(struct api_call *c, const struct pump_config *config,
	     struct pump **ret) MUST_CHECK;		  /* -ENOMEM */
void pump_free(struct pump *p);				  /* before it was given anything */
struct rt_attach_ops pump_ops(struct pump *p);		  /* for the attachment */
void pump_attached(struct pump *p, struct attachment *a); /* the attachment is there */
void pump_failed(struct pump *p, const char *text);	  /* there will be none: told, then ended */
/* ends the call: 101 and the socket where the client asked for it, else a one-way stream */
void pump_answer(struct pump *p, struct api_call *c);
/* one piece from elsewhere (a log). Return: 1 pause until pump's resume (config), 0 */
int pump_put(struct pump *p, int stream, const char *data, size_t len);
