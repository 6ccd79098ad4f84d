/* SPDX-License-Identifier: GPL-2.0-or-later */
/* websocket.c - a WebSocket as a wire */

#include "http/websocket.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/frames.h"

#define KEY_BYTES 16
#define OUT_MAX	  (4u * RELAY_BLOCK)

struct websocket {
	struct wire wire; /* first */
	struct frame_parser parser;
	struct buf in; /* early bytes, or one read's */
	size_t in_at;
	struct buf out; /* whole frames, of which the first may be half sent */
	bool text, closing;
};

int websocket_accept(const char *key, char ret[WEBSOCKET_ACCEPT])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
	const gnutls_datum_t k = {(unsigned char *)(uintptr_t)key, (unsigned)strlen(key)};
	auto_free char *text = str_printf("%s%s", key, guid);
	gnutls_datum_t raw = {0}, base64 = {0};
	unsigned char sum[20];
	bool good;

	if (!text || gnutls_base64_decode2(&k, &raw) < 0)
		return -EINVAL;
	good = raw.size == KEY_BYTES;
	gnutls_free(raw.data);
	if (!good || gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), sum) < 0)
		return -EINVAL;
	if (gnutls_base64_encode2(&(gnutls_datum_t){sum, sizeof(sum)}, &base64) < 0)
		return -EINVAL;
	(void)snprintf(ret, WEBSOCKET_ACCEPT, "%.*s", (int)base64.size, (char *)base64.data);
	gnutls_free(base64.data);
	return 0;
}

/* ---- the wire ---- */

static int ws_flush(struct wire *w)
{
	struct websocket *s = (struct websocket *)w;

	while (s->out.len) {
		ssize_t n = send(w->fd, s->out.data, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -EAGAIN : -ECONNRESET;
		buf_consume(&s->out, (size_t)n);
	}
	return 0;
}

/* Says good-bye, as far as the socket takes it. Return: -ECONNRESET */
static ssize_t leave(struct websocket *s, enum frame_code code)
{
	if (!s->closing && frame_write_close(&s->out, code) == 0)
		(void)ws_flush(&s->wire); /* it is over either way */
	s->closing = true;
	return -ECONNRESET;
}

static ssize_t on_control(struct websocket *s, const struct frame_piece *f)
{
	if (f->opcode == FRAME_CLOSE)
		return leave(s, FRAME_NORMAL);
	/* one who pings without reading the answers gets no more of them than fit */
	if (f->opcode == FRAME_PING && s->out.len < OUT_MAX / 2)
		(void)frame_write(&s->out, FRAME_PONG, f->data, f->len); /* the buffer is checked */
	return 0;
}

/* Return: bytes put into @buf; 0: @s->in is used up; -ECONNRESET */
static ssize_t parse(struct websocket *s, void *buf, size_t room)
{
	while (s->in_at < s->in.len) {
		struct frame_piece piece;
		size_t used, len = MIN(s->in.len - s->in_at, room);
		int event = frame_parse(&s->parser, (uint8_t *)s->in.data + s->in_at, len, &used,
					&piece);

		s->in_at += used;
		if (event < 0)
			return leave(s, FRAME_PROTOCOL_ERROR);
		if (event == FRAME_DATA) {
			memcpy(buf, piece.data, piece.len); /* no more than the room was parsed */
			return (ssize_t)piece.len;
		}
		if (event == FRAME_CALL) {
			ssize_t n = on_control(s, &piece);

			if (n < 0)
				return n;
		}
	}
	return 0;
}

static ssize_t ws_recv(struct wire *w, void *buf, size_t room)
{
	struct websocket *s = (struct websocket *)w;

	for (;;) {
		char block[RELAY_BLOCK];
		ssize_t n = parse(s, buf, room);

		if (n)
			return n;
		n = recv(w->fd, block, sizeof(block), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (n <= 0) /* without a close frame */
			return -ECONNRESET;
		buf_clear(&s->in);
		s->in_at = 0;
		if (buf_add(&s->in, block, (size_t)n) < 0)
			return -ENOMEM;
	}
}

static ssize_t ws_send(struct wire *w, const void *data, size_t len)
{
	struct websocket *s = (struct websocket *)w;
	int r = ws_flush(w);

	if (r < 0)
		return r;
	if (s->closing)
		return (ssize_t)len; /* behind a close frame comes nothing */
	r = frame_write(&s->out, s->text ? FRAME_TEXT : FRAME_BINARY, data, len);
	if (r == 0)
		r = ws_flush(w);
	return r == 0 || r == -EAGAIN ? (ssize_t)len : r;
}

static int ws_end(struct wire *w)
{
	struct websocket *s = (struct websocket *)w;

	if (!s->closing && frame_write_close(&s->out, FRAME_NORMAL) < 0)
		return -ENOMEM;
	s->closing = true;
	return ws_flush(w);
}

static void ws_free(struct wire *w)
{
	struct websocket *s = (struct websocket *)w;

	(void)fd_close(w->fd);
	buf_done(&s->in);
	buf_done(&s->out);
	free(s);
}

static const struct wire_ops ws_ops = {
	.recv = ws_recv, .send = ws_send, .end = ws_end, .flush = ws_flush, .free = ws_free};

int websocket_wire(int fd, bool text, const void *early, size_t early_len, struct wire **ret)
{
	struct websocket *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	s->wire = (struct wire){.ops = &ws_ops, .fd = fd};
	s->text = text;
	s->in = BUF_INIT(LIMIT_HEADER_MEM + RELAY_BLOCK);
	s->out = BUF_INIT(OUT_MAX);
	if (early_len && buf_add(&s->in, early, early_len) < 0) {
		ws_free(&s->wire);
		return -ENOMEM;
	}
	*ret = &s->wire;
	return 0;
}
