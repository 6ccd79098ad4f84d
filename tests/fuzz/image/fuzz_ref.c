/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_ref.c - an image reference: what is taken means the same in each of its forms */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "image/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void same(const char *text, const char *canonical)
{
	auto_free char *again = NULL;
	struct image_ref r = {0};

	check(image_ref_parse(text, &r, NULL) == 0);
	again = image_ref_canonical(&r);
	image_ref_done(&r);
	check(again && streq(again, canonical));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);
	auto_free char *canonical = NULL, *familiar = NULL;
	struct image_ref r = {0};
	struct err e = {0};

	if (!text)
		return 0;
	if (image_ref_parse(text, &r, &e) < 0) {
		check(e.msg[0] && e.kind == ERR_INVALID && !r.path);
		return 0;
	}
	check(r.domain && r.path && (r.tag || r.digest) && (!r.tag || image_tag_ok(r.tag)));
	check(!strpbrk(r.path, ":@ \n") && !strstr(r.path, "..") && !strchr(r.domain, '/'));
	canonical = image_ref_canonical(&r);
	familiar = image_ref_familiar(&r);
	check(canonical && familiar);
	same(canonical, canonical);
	same(familiar, canonical);
	image_ref_done(&r);
	return 0;
}
