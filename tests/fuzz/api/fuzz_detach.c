/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_detach.c - detach keys as a client spells them, then what is typed
 *
 * The first line is ?detachKeys=, the rest the terminal's input. Whatever the pieces, typing comes
 * through byte for byte, but for a begun sequence that is held back.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* Return: how many bytes came before the whole sequence; @size if it never came. */
static size_t type(struct detach d, const char *typed, size_t size, size_t step, struct buf *out)
{
	for (size_t at = 0; at < size; at += step) {
		size_t n = step < size - at ? step : size - at;
		int r = detach_feed(&d, typed + at, n, out);

		check(r == 0 || r == 1);
		check(d.at < d.n);
		if (r == 1)
			return out->len;
	}
	check(out->len + d.at == size);
	check(!memcmp(buf_str(out), typed, out->len));
	check(!memcmp(d.keys, typed + out->len, d.at));
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	size_t head = nl ? (size_t)(nl - data) : size;
	auto_free char *text = strndup((const char *)data, head);
	auto_buf struct buf whole = BUF_INIT(1u << 20), pieces = BUF_INIT(1u << 20);
	const char *typed = nl ? (const char *)nl + 1 : "";
	size_t len = nl ? size - head - 1 : 0, came;
	struct detach d = {.n = 77};

	if (!text || len > 1u << 16)
		return 0;
	if (detach_parse(text, &d) < 0) {
		check(d.n == 77);
		return 0;
	}
	check(d.n >= 1 && d.n <= DETACH_KEYS_MAX && d.at == 0);
	came = type(d, typed, len, len + 1, &whole);
	check(type(d, typed, len, 1, &pieces) == came);
	check(whole.len == pieces.len && !memcmp(buf_str(&whole), buf_str(&pieces), whole.len));
	return 0;
}
