/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_layer.c - a layer as the helper unpacks it, without its confinement: nothing outside, and
 * where it has a recipe the same bytes come out again */

#include <fcntl.h>
#include <stdbool.h>

#include "cage.h"
#include "image/helper.h"
#include "image/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int drop(const void *data, size_t len, void *unused)
{
	(void)data;
	(void)len;
	(void)unused;
	return 0;
}

static void make_again(int root, const char *diff_id)
{
	struct err e = {0};
	uint64_t size;

	if (faccessat(root, "l0.recipe", F_OK, 0) < 0)
		return;				       /* a tar that cannot be made again */
	(void)renameat(root, "l0.kept", root, "kept"); /* seldom there */
	if (renameat(root, "l0", root, "diff") < 0 ||
	    renameat(root, "l0.recipe", root, "recipe") < 0 ||
	    layer_tar_size(root, diff_id, &size, &e) < 0 ||
	    layer_tar(root, diff_id, drop, NULL, &e) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int root = cage_root();
	auto_close int fd = cage_file(data, size);
	struct layer_result result = {0};
	struct err e = {0};
	int r = layer_make(root, "l0", fd, &result, &e);

	if (r < 0 ? !e.msg[0] : !digest_ok(result.diff_id))
		abort();
	if (r >= 0)
		make_again(root, result.diff_id);
	cage_check(root);
	return 0;
}
