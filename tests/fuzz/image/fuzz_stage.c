/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_stage.c - the outer archive as the helper stages it, and what is asked of it then */

#include <stdbool.h>

#include "base/buf.h"
#include "base/limits.h"
#include "cage.h"
#include "image/helper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct stage *s, const char *name)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_MANIFEST + 1);
	struct err e = {0};
	const struct blob *b = stage_find(s, name, &e);

	if (!b) {
		if (!e.msg[0])
			abort();
		return;
	}
	auto_close int fd = stage_open(s, b, &e);

	if (b->link || !digest_ok(b->digest) || fd < 0)
		abort();
	if (stage_text(s, name, &text, &e) >= 0 && text.len != b->size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_close int fd = cage_file(data, size);
	auto_(stage_free) struct stage *s = NULL;
	struct err e = {0};
	int root = cage_root();

	if (stage_new(root, &s, &e) < 0)
		abort();
	if (stage_read(s, fd, &e) < 0) {
		if (!e.msg[0])
			abort();
	} else {
		ask(s, "manifest.json");
		ask(s, "index.json");
		ask(s, "c.json");
		ask(s, "blobs/sha256/"
		       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
		ask(s, "../x");
	}
	cage_check(root);
	return 0;
}
