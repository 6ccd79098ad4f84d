/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frames.c - WebSocket frames (RFC 6455, 5.2) */

#include "http/frames.h"

#include <errno.h>
#include <string.h>

#define FIN	   0x80
#define RSV	   0x70
#define OPCODE	   0x0f
#define MASKED	   0x80
#define LEN	   0x7f
#define LEN_16	   126
#define LEN_64	   127
#define IS_CONTROL 0x08

/* How long the head is, as far as @p knows it; a client's frame has a mask. */
static size_t head_size(const struct frame_parser *p)
{
	uint8_t len = p->head_len > 1 ? p->head[1] & LEN : 0;

	return 2 + 4 + (len == LEN_16 ? 2u : len == LEN_64 ? 8u : 0u);
}

static uint64_t number(const uint8_t *at, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | at[i];
	return v;
}

/* The payload's length; UINT64_MAX: written as it must not be. */
static uint64_t payload_length(const struct frame_parser *p)
{
	uint8_t len = p->head[1] & LEN;
	uint64_t v;

	if (len < LEN_16)
		return len;
	v = number(p->head + 2, len == LEN_16 ? 2 : 8);
	if (len == LEN_16)
		return v < LEN_16 ? UINT64_MAX : v;
	return v <= UINT16_MAX || v > INT64_MAX ? UINT64_MAX : v;
}

static bool allowed(const struct frame_parser *p)
{
	uint8_t first = p->head[0], opcode = first & OPCODE;

	if (first & RSV || !(p->head[1] & MASKED))
		return false;
	if (opcode & IS_CONTROL)
		return opcode <= FRAME_PONG && first & FIN && (p->head[1] & LEN) < LEN_16;
	if (opcode > FRAME_BINARY)
		return false;
	/* a continuation continues something, another frame does not interrupt it */
	return (opcode == FRAME_CONTINUATION) == p->in_message;
}

/* The head is whole. */
static int begin_payload(struct frame_parser *p)
{
	size_t head = head_size(p);

	p->left = payload_length(p);
	if (p->left == UINT64_MAX)
		return -EPROTO;
	p->opcode = p->head[0] & OPCODE;
	memcpy(p->mask, p->head + head - 4, 4);
	p->mask_at = 0;
	p->control_len = 0;
	p->in_payload = true;
	p->head_len = 0;
	if (!(p->opcode & IS_CONTROL))
		p->in_message = !(p->head[0] & FIN);
	return 0;
}

static void unmask(struct frame_parser *p, uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] ^= p->mask[p->mask_at++ & 3];
}

/* A piece of the payload. Return: the event. */
static int take_payload(struct frame_parser *p, uint8_t *data, size_t len, size_t *used,
			struct frame_piece *ret)
{
	size_t n = len < p->left ? len : (size_t)p->left;

	unmask(p, data, n);
	*used += n;
	p->left -= n;
	p->in_payload = p->left > 0;
	if (!(p->opcode & IS_CONTROL)) {
		*ret = (struct frame_piece){p->opcode, data, n};
		return n ? FRAME_DATA : FRAME_NOTHING;
	}
	memcpy(p->control + p->control_len, data, n); /* allowed() bounds it */
	p->control_len += n;
	*ret = (struct frame_piece){p->opcode, p->control, p->control_len};
	return p->in_payload ? FRAME_NOTHING : FRAME_CALL;
}

int frame_parse(struct frame_parser *p, uint8_t *data, size_t len, size_t *used,
		struct frame_piece *ret)
{
	*used = 0;
	*ret = (struct frame_piece){0};
	while (*used < len) {
		int event;

		if (!p->in_payload) {
			p->head[p->head_len++] = data[(*used)++];
			if (p->head_len == 2 && !allowed(p))
				return -EPROTO;
			if (p->head_len < 2 || p->head_len < head_size(p))
				continue;
			if (begin_payload(p) < 0)
				return -EPROTO;
			if (p->left && *used == len)
				break;
		}
		event = take_payload(p, data + *used, len - *used, used, ret);
		if (event != FRAME_NOTHING)
			return event;
	}
	return FRAME_NOTHING;
}

int frame_write(struct buf *out, enum frame_opcode opcode, const void *data, size_t len)
{
	uint8_t head[FRAME_HEAD_MAX] = {(uint8_t)(FIN | opcode)};
	size_t n = 2, digits = len < LEN_16 ? 0 : len <= UINT16_MAX ? 2 : 8;

	head[1] = (uint8_t)(digits == 0 ? len : digits == 2 ? LEN_16 : LEN_64);
	for (size_t i = digits; i; i--)
		head[n++] = (uint8_t)((uint64_t)len >> (8 * (i - 1)));
	(void)buf_add(out, head, n);
	return buf_add(out, data, len); /* fails if the head did */
}

int frame_write_close(struct buf *out, enum frame_code code)
{
	uint8_t text[2] = {(uint8_t)(code >> 8), (uint8_t)code};

	return frame_write(out, FRAME_CLOSE, text, sizeof(text));
}
