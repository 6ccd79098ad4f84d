/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_frames.c - WebSocket frames: the same bytes whole and in pieces give the same messages */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (1u << 20)

/* What came of it: payloads, and control frames with their opcodes; an error ends it. */
static struct buf run(const uint8_t *data, size_t size, size_t step)
{
	struct frame_parser p = {0};
	struct buf out = BUF_INIT(OUT_MAX);
	auto_free uint8_t *copy = malloc(size ? size : 1);
	size_t at = 0;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	while (at < size) {
		size_t len = size - at < step ? size - at : step, used;
		struct frame_piece f;
		int event = frame_parse(&p, copy + at, len, &used, &f);

		if (event < 0) {
			(void)buf_puts(&out, "error");
			break;
		}
		if (used > len || (event == FRAME_NOTHING && used != len))
			abort();
		if (f.len && event == FRAME_DATA && (f.data < copy || f.data + f.len > copy + size))
			abort();
		if (event == FRAME_CALL) {
			if (f.len > FRAME_CONTROL_MAX || f.opcode < FRAME_CLOSE)
				abort();
			(void)buf_putc(&out, (char)f.opcode);
		}
		if (event != FRAME_NOTHING)
			(void)buf_add(&out, f.data, f.len);
		at += used;
	}
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf whole = run(data, size, size), pieces = run(data, size, 1),
			    threes = run(data, size, 3);

	if (whole.len != pieces.len || whole.len != threes.len ||
	    memcmp(buf_str(&whole), buf_str(&pieces), whole.len) != 0 ||
	    memcmp(buf_str(&whole), buf_str(&threes), whole.len) != 0)
		abort();
	return 0;
}
