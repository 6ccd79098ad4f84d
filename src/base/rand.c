/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rand.c - randomness and digests */

#include "base/rand.h"

#include <nettle/sha2.h>
#include <string.h>
#include <sys/random.h>

static void to_hex(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * len] = '\0';
}

void rand_bytes(void *out, size_t len)
{
	char *p = out;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

uint32_t rand_below(uint32_t n)
{
	uint32_t v, limit = UINT32_MAX - UINT32_MAX % n;

	do
		rand_bytes(&v, sizeof(v));
	while (v >= limit);
	return v % n;
}

void rand_id(char out[ID_LEN + 1])
{
	uint8_t raw[ID_LEN / 2];

	/* a short id of digits only would look like a number to clients and resolvers */
	do {
		rand_bytes(raw, sizeof(raw));
		to_hex(raw, sizeof(raw), out);
	} while (strspn(out, "0123456789") >= 12);
}

void sha256_hex(const void *data, size_t len, char out[65])
{
	struct sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&ctx);
	sha256_update(&ctx, len, data);
	sha256_digest(&ctx, sizeof(digest), digest);
	to_hex(digest, sizeof(digest), out);
}
