/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stream.c - frames on the wire, and the keys that detach */

#include "api/stream.h"
#include "base/str.h"
#include "tap.h"

static void frames(void)
{
	static const unsigned char want[] = {1,	  0, 0, 0, 0, 0, 0, 3, 'o', 'u',
					     't', 2, 0, 0, 0, 0, 0, 0, 1,   'e'};
	auto_buf struct buf b = BUF_INIT(1u << 20), small = BUF_INIT(10);
	auto_free char *large = calloc(1, 0x012345);

	ok(stream_frame(&b, false, 1, "out", 3) == 0 && stream_frame(&b, false, 2, "e", 1) == 0,
	   "two pieces are framed");
	ok(b.len == sizeof(want) && !memcmp(b.data, want, sizeof(want)), "each with its head");
	buf_clear(&b);
	ok(stream_frame(&b, true, 1, "out", 3) == 0 && b.len == 3, "a terminal's are raw");
	buf_clear(&b);
	ok(stream_frame(&b, false, 1, large, 0x012345) == 0 && b.len == 8 + 0x012345 &&
		   !memcmp(b.data, "\1\0\0\0\0\1\x23\x45", 8),
	   "the length is big-endian");
	buf_clear(&b);
	ok(stream_frame(&b, false, 1, "", 0) == 0 && b.len == 8, "an empty piece is a head");
	ok(stream_frame(&small, false, 1, "out", 3) < 0, "what does not fit is refused");
}

static void types(void)
{
	is_str(stream_type(true, 151), "application/vnd.docker.raw-stream", "a terminal");
	is_str(stream_type(false, 142), "application/vnd.docker.multiplexed-stream", "from 1.42");
	is_str(stream_type(false, 141), "application/vnd.docker.raw-stream", "before 1.42");
}

static const struct {
	const char *text;
	size_t n; /* 0: refused */
	unsigned char keys[4];
} spelled[] = {
	{NULL, 2, {16, 17}},
	{"", 2, {16, 17}},
	{"ctrl-p,ctrl-q", 2, {16, 17}},
	{"a", 1, {'a'}},
	{"a,b,c", 3, {'a', 'b', 'c'}},
	{"ctrl-a,a", 2, {1, 'a'}},
	{"ctrl-z", 1, {26}},
	{"ctrl-@", 1, {0}},
	{"ctrl-[", 1, {27}},
	{"ctrl-\\", 1, {28}},
	{"ctrl-]", 1, {29}},
	{"ctrl-^", 1, {30}},
	{"ctrl-_", 1, {31}},
	{"DEL", 1, {127}},
	{"DEL,DEL", 2, {127, 127}},
	{"-", 1, {'-'}},
	{" ", 1, {' '}},
	{"\xc3", 1, {0xc3}},
	{"ctrl-A", 0, {0}},
	{"Ctrl-a", 0, {0}},
	{"del", 0, {0}},
	{"ctrl-", 0, {0}},
	{"ctrl-ab", 0, {0}},
	{"ctrl-1", 0, {0}},
	{"ctrl-`", 0, {0}},
	{"ctrl", 0, {0}},
	{"shift-a", 0, {0}},
	{"ab", 0, {0}},
	{",", 0, {0}},
	{"a,", 0, {0}},
	{",a", 0, {0}},
	{"a,,b", 0, {0}},
	{"a, b", 0, {0}},
	{"a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", 0, {0}}, /* 17 */
};

static void parsing(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(spelled); i++) {
		const char *text = spelled[i].text ? spelled[i].text : "(absent)";
		struct detach d = {.n = 99};
		int r = detach_parse(spelled[i].text, &d);

		if (!spelled[i].n)
			ok(r == -EINVAL && d.n == 99, "\"%s\" is refused", text);
		else
			ok(r == 0 && d.n == spelled[i].n && d.at == 0 &&
				   !memcmp(d.keys, spelled[i].keys, d.n),
			   "\"%s\" is understood", text);
	}
}

static const struct {
	const char *keys, *typed, *through;
	bool detaches;
} sessions[] = {
	{"ctrl-p,ctrl-q", "ls\n", "ls\n", false},
	{"ctrl-p,ctrl-q", "\x10\x11", "", true},
	{"ctrl-p,ctrl-q", "exit\n\x10\x11lost", "exit\n", true},
	{"ctrl-p,ctrl-q", "\x10", "", false},
	{"ctrl-p,ctrl-q", "\x10x", "\x10x", false},
	{"ctrl-p,ctrl-q", "\x10\x10\x11", "\x10", true},
	{"ctrl-p,ctrl-q", "\x11\x10", "\x11", false},
	{"ctrl-p,ctrl-q", "\x11\x10\x11", "\x11", true},
	{"a", "bab", "b", true},
	{"a,b,c", "abab", "ab", false},
	{"a,b,c", "ababc", "ab", true},
	{"a,b,c", "abxabc", "abx", true},
	{"DEL", "\x7f", "", true},
};

/* whole or byte by byte: the pieces in which it comes change nothing */
static void typing(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++)
		for (size_t step = 1; step <= 16; step += 15) {
			const char *typed = sessions[i].typed;
			auto_buf struct buf out = BUF_INIT(64);
			struct detach d;
			int r = detach_parse(sessions[i].keys, &d);

			for (size_t at = 0; r == 0 && at < strlen(typed); at += step)
				r = detach_feed(&d, typed + at, MIN(step, strlen(typed) - at),
						&out);
			ok(r == sessions[i].detaches && streq(buf_str(&out), sessions[i].through),
			   "session %zu in pieces of %zu", i, step);
		}
}

static void full(void)
{
	auto_buf struct buf out = BUF_INIT(2);
	struct detach d;

	ok(detach_parse(NULL, &d) == 0 && detach_feed(&d, "abc", 3, &out) == -ENOBUFS,
	   "a full buffer is told");
}

int main(void)
{
	frames();
	types();
	parsing();
	typing();
	full();
	return tap_done();
}
