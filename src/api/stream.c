/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - frames of a multiplexed stream, detach keys; pure */

#include "api/stream.h"

#include <string.h>

#include "base/str.h"

int stream_frame(struct buf *out, bool raw, int stream, const void *data, size_t len)
{
	unsigned char head[8] = {(unsigned char)stream};

	if (!raw) {
		for (int i = 0; i < 4; i++)
			head[4 + i] = (unsigned char)(len >> (24 - 8 * i));
		(void)buf_add(out, head, sizeof(head));
	}
	return buf_add(out, data, len);
}

const char *stream_type(bool raw, unsigned version)
{
	return raw || version < 142 ? "application/vnd.docker.raw-stream"
				    : "application/vnd.docker.multiplexed-stream";
}

/* One key of @len characters. Return: its byte, or -EINVAL. */
static int key_of(const char *s, size_t len)
{
	unsigned char c = (unsigned char)s[0];

	if (len == 1)
		return c;
	if (len == 3 && !memcmp(s, "DEL", 3))
		return 127;
	if (len != 6 || memcmp(s, "ctrl-", 5) != 0)
		return -EINVAL;
	c = (unsigned char)s[5];
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 1;
	if (c == '@')
		return 0;
	return c >= '[' && c <= '_' ? c - '[' + 27 : -EINVAL;
}

int detach_parse(const char *text, struct detach *ret)
{
	struct detach d = {.keys = {16, 17}, .n = str_empty(text) ? 2 : 0};

	while (!str_empty(text)) {
		size_t len = strcspn(text, ",");
		int c = d.n < DETACH_KEYS_MAX ? key_of(text, len) : -EINVAL;

		/* a comma at the end has an empty key behind it, which is none */
		if (c < 0 || (text[len] && !text[len + 1]))
			return -EINVAL;
		d.keys[d.n++] = (unsigned char)c;
		text += len + (text[len] == ',');
	}
	*ret = d;
	return 0;
}

int detach_feed(struct detach *d, const char *data, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c != d->keys[d->at]) { /* what was held back was typing after all */
			(void)buf_add(out, d->keys, d->at);
			d->at = 0;
		}
		if (c == d->keys[d->at]) {
			if (++d->at == d->n) {
				d->at = 0;
				return 1;
			}
		} else {
			(void)buf_add(out, &c, 1);
		}
	}
	return buf_err(out);
}
