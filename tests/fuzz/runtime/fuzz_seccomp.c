/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_seccomp.c - a user's seccomp profile: what is taken becomes a JSON object of the OCI's */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "runtime/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct seccomp_target targets[] = {
		{.caps = 0, .machine = "x86_64", .release = "6.1.0-18-amd64"},
		{.caps = UINT64_MAX, .machine = "aarch64", .release = "4.19"},
	};
	auto_free char *text = strndup((const char *)data, size);

	for (size_t i = 0; text && i < ARRAY_SIZE(targets); i++) {
		auto_buf struct buf out = BUF_INIT(16u << 20);
		auto_json json_t *section = NULL;
		struct err e = {0};
		int r = seccomp_resolve(text, &targets[i], &out, &e);

		if (r < 0 ? !e.msg[0] : r == 0 && out.len)
			abort();
		if (r > 0 && (json_read(buf_str(&out), out.len, &section, NULL) < 0 ||
			      !json_is_object(section)))
			abort();
	}
	return 0;
}
