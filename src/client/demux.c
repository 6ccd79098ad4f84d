/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demux.c - frames of standard output and standard error */

#include "client/demux.h"

/* Return: 0; -EBADMSG if the head is none. */
static int head_whole(struct demux *d)
{
	const unsigned char *h = d->head;

	if (h[0] > 3 || h[1] || h[2] || h[3])
		return -EBADMSG;
	d->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
	if (!d->left)
		d->have = 0; /* an empty frame */
	return 0;
}

int demux_feed(struct demux *d, const char *data, size_t len,
	       int (*out)(void *arg, int stream, const char *piece, size_t len), void *arg)
{
	while (len) {
		size_t n;
		int r;

		if (d->have < sizeof(d->head)) {
			d->head[d->have++] = (unsigned char)*data++;
			len--;
			r = d->have == sizeof(d->head) ? head_whole(d) : 0;
			if (r < 0)
				return r;
			continue;
		}
		n = MIN(len, (size_t)d->left);
		r = out(arg, d->head[0] >= 2 ? 2 : 1, data, n);
		if (r)
			return r;
		data += n;
		len -= n;
		d->left -= (uint32_t)n;
		if (!d->left)
			d->have = 0;
	}
	return 0;
}
