/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64.h - base64 as RFC 4648 has it (4: with + and /; 5: with - and _, for URLs and headers) */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

/* appends the text of @len bytes, padded. Errors are the buffer's */
void base64_encode(struct buf *out, const void *data, size_t len, bool url);
/* appends the bytes; takes both alphabets, with or without padding. -EINVAL, or the buffer's error
 */
int base64_decode(struct buf *out, const char *text, size_t len) MUST_CHECK;
