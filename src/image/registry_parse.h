/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_parse.h - what registries say in headers and error bodies; pure, fuzzed
 *
 * Sources: RFC 9110 11.6.1 (WWW-Authenticate), 14.4 (Content-Range), RFC 8288 (Link), RFC 6750 3
 * (Bearer), OCI distribution-spec "Error codes".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* ---- WWW-Authenticate ---- */

enum challenge_kind { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge { /* texts are NULL where not said */
	enum challenge_kind kind;
	char *realm, *service, *scope, *error, *error_description;
};
/* one header's value over what an earlier header said: Bearer counts more than Basic, the first of
 * a kind more than later ones; what is broken or of another scheme is skipped. 0/-ENOMEM */
int challenge_parse(const char *value, struct challenge *c) MUST_CHECK;
void challenge_done(struct challenge *c);

/* ---- other headers ---- */

/* "bytes 100-199/200": 0/-EINVAL. @ret_total -1: "*" */
int content_range_parse(const char *value, uint64_t *ret_first, uint64_t *ret_last,
			int64_t *ret_total) MUST_CHECK;
/* the target of rel="next", malloc'ed; NULL none */
char *link_next(const char *value);
/* the end of the Range header of an upload, "0-99" -> 99 (distribution-spec); 0/-EINVAL */
int upload_range_parse(const char *value, uint64_t *ret_last) MUST_CHECK;

/* ---- errors ---- */

/*
 * What an answer of 400 and above means, in Docker's words: "denied: requested access to ...",
 * "manifest unknown: manifest unknown", "received unexpected HTTP status: 500 ...". @code gets the
 * registry's error code ("DENIED"), "" if it gave none. @auth the challenge that came with it.
 */
#define REGISTRY_CODE_SIZE   40
#define REGISTRY_READER_GONE "READER_GONE" /* ours: a layer's reader has ended before its bytes */
void registry_error_text(unsigned status, const char *body, size_t len,
			 const struct challenge *auth, char code[REGISTRY_CODE_SIZE],
			 struct buf *out);
const char *http_status_words(unsigned status); /* "Not Found"; "" unknown */
