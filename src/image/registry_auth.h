/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_auth.h - what a client gives to be known to a registry; pure, fuzzed
 *
 * Source: Engine API, "Authentication": X-Registry-Auth is base64url of a JSON object. Secrets:
 * never logged, never in an error's text.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

#define REGISTRY_AUTH_MAX (64u << 10)

struct registry_auth { /* each NULL where not given */
	char *user, *password;
	char *identity_token; /* OAuth 2 refresh token */
	char *registry_token; /* a bearer token, used as it is */
};
/* of a decoded object ("auth" of base64 user:password is taken where there is no user) */
int registry_auth_from_json(const json_t *j, struct registry_auth *ret, struct err *e) MUST_CHECK;
/* a header's value; NULL and "" give an empty one */
int registry_auth_parse(const char *header, struct registry_auth *ret, struct err *e) MUST_CHECK;
void registry_auth_done(struct registry_auth *a); /* wipes it */
/* as an object for the helper; NULL on OOM */
json_t *registry_auth_json(const struct registry_auth *a);
/* "Basic dTpw", appended; errors are the buffer's */
void registry_auth_basic(const struct registry_auth *a, struct buf *out);
