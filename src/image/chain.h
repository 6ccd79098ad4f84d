/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chain.h - digests and chain ids; pure, shared by the engine and the helper
 *
 * Source: OCI image-spec config.md, "Layer ChainID": the first chain id is the diff id, each next
 * one is sha256("<chain id> <diff id>").
 */
#pragma once

#include <stdbool.h>

#include "base/auto.h"

#define DIGEST_SIZE 72 /* "sha256:" and 64 hex digits, NUL */

bool digest_ok(const char *s);
/* "sha256:<hex>" of @len bytes */
void digest_of(const void *data, size_t len, char out[DIGEST_SIZE]);
/* @parent NULL for the base; @out may be @parent */
void chain_next(const char *parent, const char *diff_id, char out[DIGEST_SIZE]);
