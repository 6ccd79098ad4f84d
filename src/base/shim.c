/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shim.c - see shim.h */

#include "base/shim.h"

#include <string.h>

int shim_parse(const void *packet, size_t len, struct shim_packet *ret)
{
	const char *p = packet;
	size_t rest = len ? len - 1 : 0;

	if (!len)
		return -EBADMSG;
	*ret = (struct shim_packet){.kind = (enum shim_kind)p[0], .data = p + 1, .len = rest};
	switch (p[0]) {
	case SHIM_HELLO:
		ret->flags = rest ? (unsigned char)p[1] : 0;
		return rest == 1 ? 0 : -EBADMSG;
	case SHIM_SIZE:
		if (rest != 4)
			return -EBADMSG;
		memcpy(&ret->rows, p + 1, 2);
		memcpy(&ret->cols, p + 3, 2);
		return 0;
	case SHIM_MADE:
	case SHIM_ENDED:
		if (rest != 4)
			return -EBADMSG;
		memcpy(&ret->number, p + 1, 4);
		return ret->number < 0 || (p[0] == SHIM_MADE && !ret->number) ? -EBADMSG : 0;
	case SHIM_EOF:
		return rest ? -EBADMSG : 0;
	case SHIM_DATA:
	case SHIM_FAILED:
		return rest <= SHIM_DATA_MAX ? 0 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

size_t shim_format(const struct shim_packet *p, char *room, size_t size)
{
	size_t len = 0;

	room[0] = (char)p->kind;
	switch (p->kind) {
	case SHIM_HELLO:
		room[1] = (char)p->flags;
		return 2;
	case SHIM_SIZE:
		memcpy(room + 1, &p->rows, 2);
		memcpy(room + 3, &p->cols, 2);
		return 5;
	case SHIM_MADE:
	case SHIM_ENDED:
		memcpy(room + 1, &p->number, 4);
		return 5;
	case SHIM_DATA:
	case SHIM_FAILED:
		len = MIN(p->len, size - 1);
		if (len)
			memcpy(room + 1, p->data, len);
		return 1 + len;
	case SHIM_EOF:
		break;
	}
	return 1;
}
