/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runconfig.h - the config that a build carries from step to step, and the cache key of a step;
 * pure
 *
 * A step that only says something about the image changes the config and has a comment, which
 * becomes its line in the history: "/bin/sh -c #(nop)  ENV a=b". The key of a step is the config as
 * it is before the commit, with the step's command as Cmd: a child of the same parent with an equal
 * key (the image's container_config) is the step's result.
 */
#pragma once

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "build/args.h"
#include "build/dockerfile.h"

/* from an image's whole config, NULL: FROM scratch; with a PATH. New reference, NULL: no memory */
json_t *runconfig_new(const json_t *image_config);
/* Applies ENV, LABEL, CMD, ENTRYPOINT, SHELL, EXPOSE, USER, VOLUME, STOPSIGNAL, HEALTHCHECK,
 * ONBUILD, WORKDIR, MAINTAINER (its comment alone); @args are the instruction's, expanded.
 * @cmd_set: a CMD of this stage was seen. @ret_comment is malloc'ed */
int runconfig_apply(json_t *config, const struct instr *i, char *const *args, bool *cmd_set,
		    char **ret_comment, struct err *e) MUST_CHECK;
/* the words of @args behind the shell where @json is not set; new strv */
int runconfig_command(const json_t *config, char *const *args, bool json, char ***ret) MUST_CHECK;
/* keys, new references, NULL: no memory. "#(nop) " and the comment as one word, or two */
json_t *runconfig_key_comment(const json_t *config, const char *comment, bool one_word);
json_t *runconfig_key_run(const json_t *config, const struct args *a, char *const *command,
			  char *const *pairs);
/* the Cmd of a key as the history shows it; malloc'ed */
char *runconfig_created_by(const json_t *key);
/* the arguments of an instruction with $NAME replaced, where Docker does that; new strv */
int runconfig_expand(const json_t *config, const struct args *a, char escape, const struct instr *i,
		     char ***ret, struct err *e) MUST_CHECK;
/* one word, likewise (--chown, --from of a COPY) */
int runconfig_expand_word(const json_t *config, const struct args *a, char escape, const char *word,
			  char **ret, struct err *e) MUST_CHECK;
