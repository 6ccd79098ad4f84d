/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_idmap.c - subuid(5) texts: ranges are of valid ids, and the kernel's text is what they are
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/idmap.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);
	auto_buf struct buf out = BUF_INIT(16384);
	static struct idmap m;
	uint64_t inside = 0;
	size_t lines = 0;

	if (!text)
		return 0;
	if (idmap_parse(text, "web", 1000, &m) < 0 || m.n > IDMAP_MAX)
		abort();
	for (size_t i = 0; i < m.n; i++) {
		if (!m.v[i].count || m.v[i].first + (uint64_t)m.v[i].count > UINT32_MAX)
			abort();
		inside += m.v[i].count;
	}
	if (inside > UINT32_MAX || inside != idmap_size(&m) || idmap_text(&m, &out) < 0)
		abort();
	for (const char *s = buf_str(&out); *s; s++)
		lines += *s == '\n';
	if (lines != m.n)
		abort();
	return 0;
}
