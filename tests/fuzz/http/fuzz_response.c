/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_response.c - an HTTP response, whole and in two pieces: both must mean the same */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int to_buf(void *data, const char *piece, size_t len)
{
	return buf_add(data, piece, len);
}

static int feed(struct response *p, const char *data, size_t len)
{
	size_t at = 0;

	while (at < len && p->state != RESPONSE_DONE) {
		struct err e = {0};
		size_t used;
		int r = response_feed(p, data + at, len - at, &used, &e);

		if (used > len - at || (r == 0 && !used) || (r < 0 && !e.msg[0]))
			abort();
		if (r)
			return r;
		at += used;
	}
	return 0;
}

static int parse(const char *data, size_t len, size_t cut, bool head, struct buf *body,
		 unsigned *status)
{
	struct response p;
	struct err e = {0};
	int r;

	response_init(&p, head, to_buf, body);
	r = feed(&p, data, cut);
	if (r == 0)
		r = feed(&p, data + cut, len - cut);
	if (r == 0)
		r = response_eof(&p, &e);
	*status = p.status;
	response_done(&p);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf a = BUF_INIT(1u << 20), b = BUF_INIT(1u << 20);
	unsigned sa, sb;
	size_t cut;
	int ra, rb;

	if (size < 2)
		return 0;
	cut = (size_t)data[0] % size;
	ra = parse((const char *)data + 1, size - 1, 0, data[0] == 'H', &a, &sa);
	rb = parse((const char *)data + 1, size - 1, cut, data[0] == 'H', &b, &sb);
	if (ra != rb || (ra == 0 && sa != sb) || a.len != b.len ||
	    (a.len && memcmp(a.data, b.data, a.len) != 0))
		abort();
	return 0;
}
