/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * router.h - a route table: method and pattern to handler; optional /vX.Y prefix
 *
 * Pattern parts: literals and {name}; "{name...}" (only where more literals may follow, as in
 * /images/{name...}/json) takes one or more parts, shortest match that fits. Pure: no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"

#define ROUTE_PARAMS_MAX 3

struct route {
	const char *method; /* "GET" also serves HEAD where no HEAD row exists */
	const char *pattern;
	void *handler; /* the api's function, opaque here */
	unsigned flags;
};
struct route_match {
	const struct route *route;
	unsigned version;		/* 1_41 as 141; 0: no prefix */
	char *params[ROUTE_PARAMS_MAX]; /* malloc'ed, in order */
};
/* Return: 0; -ENOENT no such path; -EPROTONOSUPPORT path exists, other method; -ENOMEM. */
int route_find(const struct route *table, size_t n, const char *method, const char *path,
	       struct route_match *ret) MUST_CHECK;
void route_match_done(struct route_match *m);
