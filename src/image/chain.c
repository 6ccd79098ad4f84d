/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain.c - digests and chain ids */
#include "image/chain.h"

#include <string.h>

#include "base/rand.h"
#include "base/str.h"

bool digest_ok(const char *s)
{
	return s && str_has_prefix(s, "sha256:") && strlen(s) == DIGEST_SIZE - 1 &&
	       str_is_hex(s + strlen("sha256:"));
}

void digest_of(const void *data, size_t len, char out[DIGEST_SIZE])
{
	char hex[65];

	sha256_hex(data, len, hex);
	(void)snprintf(out, DIGEST_SIZE, "sha256:%s", hex);
}

void chain_next(const char *parent, const char *diff_id, char out[DIGEST_SIZE])
{
	char both[2 * DIGEST_SIZE];

	if (!parent) {
		(void)snprintf(out, DIGEST_SIZE, "%s", diff_id);
		return;
	}
	int n = snprintf(both, sizeof(both), "%s %s", parent, diff_id);

	digest_of(both, (size_t)n, out);
}
