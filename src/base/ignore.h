/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ignore.h - .dockerignore: which paths of a build context are left out; pure, fuzzed
 *
 * One pattern a line, '#' a comment, '!' an exception; the last pattern that fits decides, and a
 * directory that is left out takes along what is below it, but for exceptions. Source: the
 * .dockerignore part of Docker's build context documentation.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct ignore;
/* ERR_INVALID with Docker's text for a pattern that is none */
int ignore_parse(const char *text, size_t len, struct ignore **ret, struct err *e) MUST_CHECK;
/* one more pattern, as a line */
int ignore_add(struct ignore *g, const char *line, struct err *e) MUST_CHECK;
void ignore_free(struct ignore *g);
DEFINE_AUTO(struct ignore, ignore_free);
/* @path relative, without a slash at its end. Return: 1 left out, 0, -ENOMEM */
int ignore_match(const struct ignore *g, const char *path) MUST_CHECK;
/* may something below a directory that is left out be in again? */
bool ignore_may_reenter(const struct ignore *g, const char *dir);
