/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * authfile.h - credentials for registries: docker's config.json and its credential helpers
 *
 * $DOCKER_CONFIG/config.json, or ~/.docker/config.json: "auths" (base64 of user:password),
 * "credHelpers" and "credsStore" (docker-credential-NAME, asked over its standard input; source:
 * docker/docker-credential-helpers). Secrets are never printed.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/* an AuthConfig for a server ("https://index.docker.io/v1/", "host:5000"); an empty object if
 * nothing is known of it */
int auth_find(const char *server, json_t **ret, struct err *e) MUST_CHECK;
/* the value of X-Registry-Auth, malloc'ed */
char *auth_header(const json_t *auth);
/* keeps it, in the helper or in the file (0600); @ret_file: where it is readable, NULL: a helper's
 */
int auth_store(const char *server, const json_t *auth, char **ret_file, struct err *e) MUST_CHECK;
/* Return: 1 it was there, 0 not, -errno */
int auth_erase(const char *server, struct err *e) MUST_CHECK;
