/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * context.h - a build's context: a directory as a tar, without what .dockerignore leaves out
 *
 * The directory is walked first, so that what cannot be read is known before anything is sent; the
 * files are read as they are sent. One that has shrunk meanwhile is filled up with zeros, of one
 * that has grown only the begin is sent. The Dockerfile and .dockerignore are always sent: the
 * engine reads them, and leaves them out then where they are to be.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct context;
struct context_extra { /* a Dockerfile from elsewhere */
	const char *name, *text;
	size_t len;
};
/* @dockerfile: its name in the context, which is sent whatever .dockerignore says */
int context_new(const char *dir, const char *dockerfile,
		const struct context_extra *extra /* NULL */, struct context **ret,
		struct err *e) MUST_CHECK;
void context_free(struct context *c);
DEFINE_AUTO(struct context, context_free);
/* the next bytes of the tar. Return: bytes, 0 at the end, -errno with context_error() */
ssize_t context_read(struct context *c, void *buf, size_t room);
const struct err *context_error(const struct context *c);
