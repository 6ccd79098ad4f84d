/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * glob.h - path patterns as Go's filepath.Match reads them, and "**" of .dockerignore; pure, fuzzed
 *
 * '*' any characters but '/', '?' one of them, '[a-z]' and '[^a-z]' one of a set, '\' takes the
 * next one as it is. With GLOB_DEEP "**" stands for any number of whole path parts. Characters are
 * UTF-8. Time is at most pattern times text, whatever they are.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct glob;
#define GLOB_DEEP 1u
#define GLOB_TEXT 2u /* no path: '/' is like any other */
/* ERR_INVALID "syntax error in pattern": a set without its end, a backslash at the end */
int glob_new(const char *pattern, unsigned flags, struct glob **ret, struct err *e) MUST_CHECK;
void glob_free(struct glob *g);
DEFINE_AUTO(struct glob, glob_free);
/* the whole of @text. Return: 1, 0, -ENOMEM */
int glob_match(const struct glob *g, const char *text) MUST_CHECK;
