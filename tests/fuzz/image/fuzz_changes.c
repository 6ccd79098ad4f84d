/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_changes.c - Dockerfile lines of an import; a NUL byte begins the next change */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json_t *config = json_object();
	auto_strv char **v = NULL;
	auto_free char *text = NULL;
	struct err e = {0};

	for (size_t at = 0; at < size;) {
		auto_free char *one = strndup((const char *)data + at, size - at);

		if (!one || strv_add(&v, one) < 0)
			return 0;
		at += strlen(one) + 1;
	}
	if (changes_apply(config, v, &e) < 0 && !e.msg[0])
		abort();
	text = json_dumps(config, JSON_COMPACT);
	if (!text)
		abort();
	return 0;
}
