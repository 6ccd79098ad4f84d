/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * context.h - docker's contexts: named engines, in docker's files, so that both programs share them
 *
 *   ~/.docker/config.json                       "currentContext"
 *   ~/.docker/contexts/meta/<sha256 of the name>/meta.json
 *   ~/.docker/contexts/tls/<the same>/docker/{ca,cert,key}.pem
 * The folder is $DOCKER_CONFIG where that is set. "default" is not stored: it is what -H and the
 * environment say. Source: github.com/docker/cli, docs/reference/commandline/context.md.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define CONTEXT_DEFAULT "default"

struct context {
	char *name, *description, *host;
	bool skip_verify;
	char *ca, *cert, *key; /* paths; NULL where there is no such file */
};
void context_done(struct context *c);

char *context_folder(void); /* docker's folder, malloc'ed; NULL: out of memory */
/* where one is stored, malloc'ed; NULL: out of memory */
char *context_meta_path(const char *name); /* the folder of meta.json */
char *context_tls_path(const char *name);  /* of the endpoints' folders */

/* the name in the environment, or config.json, or "default"; malloc'ed */
int context_current(char **ret, struct err *e) MUST_CHECK;
/* ERR_NOT_FOUND where there is none; not for "default" */
int context_load(const char *name, struct context *ret, struct err *e) MUST_CHECK;
int context_names(char ***ret, struct err *e) MUST_CHECK; /* sorted, without "default" */
int context_check_name(const char *name, struct err *e) MUST_CHECK;
/* stores a new one; the files are copied. The paths of @c may be NULL */
int context_save(const struct context *c, struct err *e) MUST_CHECK;
int context_remove(const char *name, struct err *e) MUST_CHECK;
/* writes currentContext and keeps the rest of config.json; "default" removes it */
int context_use(const char *name, struct err *e) MUST_CHECK;
