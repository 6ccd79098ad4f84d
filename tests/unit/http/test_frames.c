/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_frames.c - WebSocket frames: the RFC's examples, lengths, refusals; the handshake's key */

#include "http/frames.h"
#include "http/websocket.h"
#include "tap.h"

/* RFC 6455, 5.7: a single-frame masked text message */
static void examples(void)
{
	uint8_t hello[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
	uint8_t ping[] = {0x89, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
	struct frame_parser p = {0};
	auto_buf struct buf out = BUF_INIT(1u << 20);
	struct frame_piece f;
	size_t used;

	is_int(frame_parse(&p, hello, sizeof(hello), &used, &f), FRAME_DATA, "a message");
	ok(used == sizeof(hello) && f.len == 5 && !memcmp(f.data, "Hello", 5), "Hello");
	is_int(frame_parse(&p, ping, 4, &used, &f), FRAME_NOTHING, "half a ping");
	is_int(frame_parse(&p, ping + 4, sizeof(ping) - 4, &used, &f), FRAME_CALL, "its rest");
	ok(f.opcode == FRAME_PING && f.len == 5 && !memcmp(f.data, "Hello", 5), "its payload");
	is_int(frame_write(&out, FRAME_TEXT, "Hello", 5), 0, "written");
	ok(out.len == 7 && !memcmp(out.data, "\x81\x05Hello", 7), "as in the RFC");
	buf_clear(&out);
	is_int(frame_write_close(&out, FRAME_NORMAL), 0, "a close");
	ok(out.len == 4 && !memcmp(out.data, "\x88\x02\x03\xe8", 4), "with its code");
}

/* What is written is read again, over each way to write a length. */
static void lengths(void)
{
	static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 200000};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		auto_free char *data = calloc(1, sizes[i] + 1);
		auto_buf struct buf out = BUF_INIT(1u << 20), in = BUF_INIT(1u << 20);
		struct frame_parser p = {0};
		struct frame_piece f;
		size_t used, head, got = 0;

		memset(data, 'd', sizes[i]);
		(void)frame_write(&out, FRAME_BINARY, data, sizes[i]);
		head = out.len - sizes[i];
		is_int(head,
		       sizes[i] < 126	  ? 2
		       : sizes[i] < 65536 ? 4
					  : 10,
		       "head of %zu", sizes[i]);
		/* a client's has a mask; a mask of zeroes changes nothing */
		out.data[1] = (char)(out.data[1] | 0x80);
		(void)buf_add(&in, out.data, head);
		(void)buf_add(&in, "\0\0\0\0", 4);
		(void)buf_add(&in, out.data + head, sizes[i]);
		for (size_t at = 0; at < in.len; at += used) {
			int event = frame_parse(&p, (uint8_t *)in.data + at,
						MIN(in.len - at, 1000u), &used, &f);

			if (event < 0)
				break;
			got += event == FRAME_DATA ? f.len : 0;
		}
		is_int(got, sizes[i], "payload of %zu", sizes[i]);
	}
}

static void refusals(void)
{
	static const struct {
		const char *what, *bytes;
		size_t len;
	} rows[] = {
#define ROW(what, bytes) {what, bytes, sizeof(bytes) - 1}
		ROW("no mask", "\x82\x02hi"),
		ROW("reserved bits", "\xc2\x80"),
		ROW("opcode 3", "\x83\x80"),
		ROW("opcode 11", "\x8b\x80"),
		ROW("a long ping", "\x89\xfe"),
		ROW("a fragment of a ping", "\x09\x80"),
		ROW("a continuation of nothing", "\x80\x80"),
		ROW("a message in a message", "\x02\x80\0\0\0\0\x82\x80"),
		ROW("16 bits for 5", "\x82\xfe\0\5\1\1\1\1"),
		ROW("64 bits for 65535", "\x82\xff\0\0\0\0\0\0\xff\xff\1\1\1\1"),
		ROW("more than 63 bits", "\x82\xff\x80\0\0\0\0\0\0\0\1\1\1\1"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct frame_parser p = {0};
		struct frame_piece f;
		uint8_t copy[32];
		size_t used;

		memcpy(copy, rows[i].bytes, rows[i].len);
		is_int(frame_parse(&p, copy, rows[i].len, &used, &f), -EPROTO, "%s", rows[i].what);
	}
}

static void keys(void)
{
	static const char *const bad[] = {"",
					  "x",
					  "dGhlIHNhbXBsZSBub25jZQ",
					  "c2hvcnQ=",
					  "dGhlIHNhbXBsZSBub25jZSBpcyBsb25nZXI=",
					  "!!!!!!!!!!!!!!!!!!!!!!=="};
	char got[WEBSOCKET_ACCEPT];

	is_int(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==", got), 0, "the RFC's key");
	is_str(got, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "and its answer");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_int(websocket_accept(bad[i], got), -EINVAL, "key \"%s\"", bad[i]);
}

int main(void)
{
	examples();
	lengths();
	refusals();
	keys();
	return tap_done();
}
