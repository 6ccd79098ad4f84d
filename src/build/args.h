/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * args.h - build arguments: what the request gave, what ARG declared, what a step sees of them;
 * pure
 *
 * A value of the request wins over an ARG's default, and that over one declared before the first
 * FROM. An ARG is declared from its line on, to the end of its stage. The proxies' names are known
 * without an ARG, and are no part of a cache key then.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct args {
	json_t *given;	  /* name -> string, or null (named without a value) */
	json_t *global;	  /* declared before the first FROM: name -> string or null */
	json_t *stage;	  /* declared in this stage, likewise */
	json_t *declared; /* names, of any stage */
};
/* @given: the request's object (NULL none), checked here */
int args_init(struct args *a, const json_t *given, struct err *e) MUST_CHECK;
void args_done(struct args *a);
int args_stage(struct args *a) MUST_CHECK; /* a stage begins: nothing is declared */
/* ARG @text ("name" or "name=value", expanded); @global: before the first FROM */
int args_declare(struct args *a, const char *text, bool global) MUST_CHECK;
/* the value that $name has, NULL not set; borrowed */
const char *args_get(const struct args *a, const char *name);
const char *args_get_global(const struct args *a, const char *name); /* in FROM */
/* "name=value" of all that are set and not in @env (an image's), sorted; a new strv (NULL: none) */
int args_list(const struct args *a, const json_t *env, char ***ret) MUST_CHECK;
/* those of args_list() that belong into a cache key */
bool args_in_key(const struct args *a, const char *pair);
/* names of the request that no ARG declared, sorted; a new strv */
int args_unused(const struct args *a, char ***ret) MUST_CHECK;
/* the value of @name in a config's Env ("name=value" strings), NULL if it is not there; borrowed */
const char *env_get(const json_t *env, const char *name);
