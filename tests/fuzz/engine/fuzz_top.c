/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_top.c - what ps writes, in which processes choose the text of their command lines */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "engine/life_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const pid_t pids[] = {1, 7, 4242};
	auto_free char *text = strndup((const char *)data, size);
	struct err e = {0};
	struct top t;

	if (!text)
		return 0;
	if (top_parse(text, pids, 3, &t, &e) < 0) {
		if (!e.msg[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < t.n; i++)
		if (strv_len(t.processes[i]) > strv_len(t.titles))
			abort();
	top_done(&t);
	return 0;
}
