/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ref.h - image references as distribution/reference reads them; pure, fuzzed
 *
 * "busybox" -> docker.io/library/busybox:latest. Errors are Docker's: "invalid reference format",
 * "invalid reference format: repository name (library/X) must be lowercase".
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct image_ref {
	char *domain; /* "docker.io", "127.0.0.1:5000" */
	char *path;   /* "library/busybox" */
	char *tag;    /* NULL if none given and a digest is, else at least "latest" */
	char *digest; /* "sha256:<64 hex>" or NULL */
	bool tag_given;
};
int image_ref_parse(const char *s, struct image_ref *ret, struct err *e) MUST_CHECK;
void image_ref_done(struct image_ref *r);
bool image_tag_ok(const char *tag);
char *
image_ref_canonical(const struct image_ref *r); /* "docker.io/library/busybox:latest", malloc'ed */
char *image_ref_familiar(const struct image_ref *r); /* "busybox:latest", malloc'ed */
