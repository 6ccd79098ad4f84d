/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - frames of a multiplexed stream, detach keys; pure */

#include "api/stream.h"

#include <string.h>
#include <strings.h>

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

/* One key. Return: its byte, or -EINVAL. */
static int key_of(const char *s)
{
	unsigned char c;

	if (strlen(s) == 1)
		return (unsigned char)s[0];
	if (!strcasecmp(s, "DEL"))
		return 127;
	if (strncasecmp(s, "ctrl-", 5) || strlen(s) != 6)
		return -EINVAL;
	c = (unsigned char)s[5];
	if (c >= 'A' && c <= 'Z')
		c = (unsigned char)(c - 'A' + 'a');
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 1;
	if (c == '@')
		return 0;
	return c >= '[' && c <= '_' ? c - '[' + 27 : -EINVAL;
}

int detach_parse(const char *text, struct detach *ret, struct err *e)
{
	auto_strv char **keys = NULL;

	*ret = (struct detach){.keys = {16, 17}, .n = 2};
	if (str_empty(text))
		return 0;
	if (strv_split(text, ",", &keys) < 0)
		return err_nomem(e);
	ret->n = 0;
	for (char **k = keys; *k; k++) {
		int c = ret->n < DETACH_KEYS_MAX ? key_of(*k) : -EINVAL;

		if (c < 0)
			return err_invalid(e,
					   "Invalid detach keys (%.64s) provided: Unknown "
					   "character: '%.32s'",
					   text, *k);
		ret->keys[ret->n++] = (unsigned char)c;
	}
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
