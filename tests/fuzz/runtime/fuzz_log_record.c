/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_log_record.c - lines of log files, which other programs may have written */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const char *line, size_t size, const char *part, size_t len)
{
	if (part && (part < line || len > size || part + len > line + size))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct log_record r;
	bool json;

	if (!line)
		return 0;
	if (size)
		memcpy(line, data, size);
	line[size] = '\n'; /* as in the file: the text of a whole line goes to it */
	(void)log_record_peek(line, size, &r, &json);
	if (log_record_parse(line, size, &r)) {
		inside(line, size + 1, r.text, r.len + !r.partial);
		inside(line, size, r.attrs, r.attrs_len);
		if (r.stream != 1 && r.stream != 2)
			__builtin_trap();
	}
	free(line);
	return 0;
}
