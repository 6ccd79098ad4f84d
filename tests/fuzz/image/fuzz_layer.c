/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_layer.c - a layer as the helper unpacks it, without its confinement: nothing outside */

#include <stdbool.h>

#include "cage.h"
#include "image/helper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int root = cage_root();
	auto_close int fd = cage_file(data, size);
	struct layer_result result = {0};
	struct err e = {0};
	int r = layer_unpack(fd, root, &result, &e);

	if (r < 0 ? !e.msg[0] : !digest_ok(result.diff_id))
		abort();
	cage_check(root);
	return 0;
}
