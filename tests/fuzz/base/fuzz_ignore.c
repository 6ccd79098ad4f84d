/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_ignore.c - .dockerignore and patterns: the first line is a path, the rest the file. What a
 * pattern's own text fits must fit; a path inside of what is left out is out without exceptions */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ignore.h"
#include "base/path.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = memchr(data, '\n', size);
	auto_(ignore_free) struct ignore *g = NULL;
	struct err e = {0};

	if (!nl || size > 4096)
		return 0;
	auto_free char *raw = strndup((const char *)data, (size_t)(nl - data));
	auto_free char *path = path_clean_lexical(raw), *again = path_clean_lexical(path);

	if (!streq(path, again))
		abort();
	const char *text = (const char *)nl + 1;
	size_t len = size - (size_t)(nl - data) - 1;

	if (ignore_parse(text, len, &g, &e) < 0) {
		if (!e.code || !*e.msg)
			abort();
		return 0;
	}
	auto_free char *below = str_printf("%s/below", path);
	int out = ignore_match(g, path), in = ignore_match(g, below);

	if (out < 0 || in < 0)
		abort();
	if (out && !in && !memchr(text, '!', len))
		abort();
	return 0;
}
