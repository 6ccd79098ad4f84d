/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_packets.c - what atolld and the shim say to each other, there and back */

#include <string.h>

#include "base/shim.h"
#include "tap.h"

static void there_and_back(const struct shim_packet *p, const char *what)
{
	char room[64];
	struct shim_packet got;
	size_t len = shim_format(p, room, sizeof(room));

	ok(shim_parse(room, len, &got) == 0 && got.kind == p->kind && got.flags == p->flags &&
		   got.rows == p->rows && got.cols == p->cols && got.number == p->number,
	   "%s", what);
}

int main(void)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {{"", 0},
		   {"h", 1},
		   {"h12", 3},
		   {"w123", 4},
		   {"w12345", 6},
		   {"ex", 2},
		   {"P123", 4},
		   {"P\0\0\0\0", 5},
		   {"P\0\0\0\x80", 5},
		   {"X\xff\xff\xff\xff", 5},
		   {"\1data", 5},
		   {"z", 1}};
	static char long_one[SHIM_PACKET_MAX + 1] = {'i'};
	struct shim_packet p;
	char room[8];

	there_and_back(&(struct shim_packet){.kind = SHIM_HELLO, .flags = 7}, "hello");
	there_and_back(&(struct shim_packet){.kind = SHIM_EOF}, "end of input");
	there_and_back(&(struct shim_packet){.kind = SHIM_SIZE, .rows = 65535, .cols = 1}, "size");
	there_and_back(&(struct shim_packet){.kind = SHIM_MADE, .number = 4194304}, "made");
	there_and_back(&(struct shim_packet){.kind = SHIM_ENDED, .number = 255}, "ended");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(shim_parse(bad[i].bytes, bad[i].len, &p) == -EBADMSG, "no packet: %zu", i);
	ok(shim_parse(long_one, SHIM_PACKET_MAX, &p) == 0 && p.len == SHIM_DATA_MAX, "the longest");
	ok(shim_parse(long_one, SHIM_PACKET_MAX + 1, &p) == -EBADMSG, "one byte more");
	p = (struct shim_packet){.kind = SHIM_FAILED, .data = "much too long", .len = 13};
	ok(shim_format(&p, room, sizeof(room)) == 8 && !memcmp(room, "Fmuch to", 8),
	   "text is cut off");
	return tap_done();
}
