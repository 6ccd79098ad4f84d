/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_template.c - a template as a user types it, over a small object */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char object[] =
	"{\"Name\":\"/web\",\"N\":42,\"Yes\":true,\"Null\":null,\"List\":[\"a\",\"b\"],"
	"\"Map\":{\"z\":\"1\",\"a\":\"2\"},\"Deep\":{\"X\":{\"Y\":\"y\"}},\"_labels\":{\"k\":\"v\"}"
	"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);
	auto_(tmpl_free) struct tmpl *t = NULL;
	auto_buf struct buf out = BUF_INIT(1u << 16);
	auto_json json_t *j = NULL, *before = NULL;
	struct err e = {0};
	int r;

	if (!text || json_read(object, sizeof(object) - 1, &j, NULL) < 0)
		return 0;
	before = json_deep_copy(j);
	r = tmpl_parse(text, &t, &e);
	if (r < 0 ? t || !e.msg[0] : !t)
		abort();
	if (r >= 0 && tmpl_run(t, j, &out, &e) < 0 && !e.msg[0])
		abort();
	if (!json_equal(j, before)) /* a template changes nothing */
		abort();
	return 0;
}
