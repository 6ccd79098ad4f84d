/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * expand.h - $NAME and ${NAME...} in a Dockerfile's words, quotes and escapes taken off; pure,
 * fuzzed
 *
 * ${x:-y} ${x-y} ${x:+y} ${x+y} ${x:?text} ${x?text} ${x#pattern} ## % %%. In single quotes nothing
 * is expanded, in double quotes all is. Source: the Dockerfile reference, "Environment
 * replacement".
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct expand_env {
	char escape;					  /* '\\' or '`' */
	const char *(*get)(const char *name, void *data); /* NULL: not set */
	void *data;
};
/* one word. ERR_INVALID: failed to process "...": why */
int expand_word(const struct expand_env *env, const char *word, char **ret,
		struct err *e) MUST_CHECK;
/* likewise, and what has blanks outside of quotes is several; a new strv (NULL: none) */
int expand_words(const struct expand_env *env, const char *word, char ***ret,
		 struct err *e) MUST_CHECK;
