/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remote.h - the engine's side of a session with a registry (image/registry.h is the other)
 *
 * Loop thread. A session is one atoll-registry process; commands go to it, its answers come back as
 * JSON objects, foreign in every part.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "image/ref.h"
#include "image/registry_auth.h"

struct images;
struct remote;

struct remote_ops {
	/* an answer; a failure ends the session with that error. May close the session */
	int (*answer)(const json_t *answer, void *data, struct err *e);
	/* it ended by itself, unasked: once, no answer comes after it */
	void (*ended)(const struct err *e, void *data);
	void *data;
};
struct remote_spec {
	const struct image_ref *ref; /* domain and path count */
	const char *actions;	     /* "pull", "pull,push", NULL none */
	const struct registry_auth *auth;
	const char *platform; /* NULL: this machine's */
};
int remote_open(struct images *im, const struct remote_spec *s, const struct remote_ops *ops,
		struct remote **ret, struct err *e) MUST_CHECK;
/* takes @command (NULL: out of memory); @fd stays the caller's, negative: none */
int remote_send(struct remote *r, json_t *command, int fd, struct err *e) MUST_CHECK;
void remote_close(struct remote *r); /* also from within its callbacks; NULL allowed */
/* the error of a {"failed":..} answer, in the words of a pull of @ref (NULL: as it is). @ret_n: of
 * which layer, -1 none. Return: a negative code; 0 it is no failure */
int remote_failed(const json_t *answer, const struct image_ref *ref, int64_t *ret_n,
		  struct err *e) MUST_CHECK;
