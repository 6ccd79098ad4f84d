/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64.c - base64, both alphabets */
#include "base/base64.h"

#include <string.h>

static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static char digit(unsigned v, bool url)
{
	if (v < sizeof(common) - 1)
		return common[v];
	return v == 62 ? (url ? '-' : '+') : (url ? '_' : '/');
}

void base64_encode(struct buf *out, const void *data, size_t len, bool url)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = MIN(len - i, (size_t)3);
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);

		/* the buffer's error is sticky */
		(void)buf_putc(out, digit(v >> 18, url));
		(void)buf_putc(out, digit(v >> 12 & 63, url));
		(void)buf_putc(out, n > 1 ? digit(v >> 6 & 63, url) : '=');
		(void)buf_putc(out, n > 2 ? digit(v & 63, url) : '=');
	}
}

/* Return: 0..63, -1 none */
static int value(char c)
{
	const char *p;

	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	p = c ? strchr(common, c) : NULL;
	return p ? (int)(p - common) : -1;
}

int base64_decode(struct buf *out, const char *text, size_t len)
{
	uint32_t v = 0;
	unsigned bits = 0;

	if (len % 4 == 0 && len && text[len - 1] == '=') /* padding makes it whole, or is absent */
		len -= text[len - 2] == '=' ? 2 : 1;
	if (len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int d = value(text[i]);

		if (d < 0)
			return -EINVAL;
		v = v << 6 | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			(void)buf_putc(out, (char)(v >> bits & 0xff)); /* sticky */
		}
	}
	return buf_err(out);
}
