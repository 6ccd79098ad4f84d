/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pump.h - between a client and a container's (or exec's) streams
 *
 * Made before the attachment and before the socket is there; both come in any order. Bytes for the
 * client wait in a bounded queue (their source pauses when it is full), bytes from the client wait
 * until the process runs. It frees itself when both sides are done.
 */
#pragma once

#include "api/internal.h"
#include "api/stream.h"

struct pump;
struct pump_config {
	bool tty, in, out, err;
	bool raw;	 /* without frames, as a tty's; so over a websocket */
	bool eof_ends;	 /* once the process has all its input, the client's end of it ends all */
	bool detachable; /* the keys detach */
	struct detach keys;
	void (*detached)(void *data); /* the user detached: an event; may be NULL */
	void (*resume)(void *data);   /* whoever calls pump_put() may go on; may be NULL */
	void (*freed)(void *data);    /* the pump is gone; may be NULL */
	void *data;
};
int pump_new(struct api_call *c, const struct pump_config *config,
	     struct pump **ret) MUST_CHECK;	     /* -ENOMEM */
void pump_free(struct pump *p);			     /* before it was given anything */
struct rt_attach_ops pump_ops(struct pump *p);	     /* for the attachment */
struct rt_attach_ops pump_input_ops(struct pump *p); /* ... of which only the input is used:
						      * output and end come by pump_put(), _end() */
/* An attachment is being made and knows the pump's ops: the pump stays until one of the next two.
 */
void pump_expect(struct pump *p);
void pump_attached(struct pump *p, struct attachment *a); /* the attachment is there */
/* nothing more comes for the client but @text (may be NULL) */
void pump_end(struct pump *p, const char *text);
/* ends the call: 101 and the socket where the client asked for it, else a one-way stream */
void pump_answer(struct pump *p, struct api_call *c);
/* one piece from elsewhere (a log). Return: 1 pause until config.resume, 0 */
int pump_put(struct pump *p, int stream, const char *data, size_t len);

void pumps_close(struct api *api); /* all, at the engine's end */

/* attach.c: the event of a client that detached; @exec_id NULL: from the container itself */
void detach_event(struct engine *en, const char *container_id, const char *exec_id);
