/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_recipe.c - a recipe that is not ours: two bytes say how long "moved" is, the rest is the
 * recipe */

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "cage.h"
#include "image/helper.h"
#include "image/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(const void *data, size_t len, void *total)
{
	(void)data;
	*(uint64_t *)total += len;
	return 0;
}

static void file(int dir, const char *name, const void *data, size_t len)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || fs_write_all(fd, data, len) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char id[] =
		"sha256:0000000000000000000000000000000000000000000000000000000000000000";
	size_t moved = size < 2 ? 0 : (size_t)(data[0] << 8 | data[1]);
	int root = cage_root();
	uint64_t written = 0, told = 0;
	struct err e = {0};

	if (size < 2 || moved > size - 2) {
		cage_check(root);
		return 0;
	}
	if (mkdirat(root, "diff", 0755) < 0 || mkdirat(root, "kept", 0755) < 0 ||
	    mkdirat(root, "diff/d", 0755) < 0 || symlinkat("../..", root, "diff/up") < 0)
		abort();
	file(root, "diff/a", "hello", 5);
	file(root, "diff/d/b", "x", 1);
	file(root, "kept/k0", "before", 6);
	file(root, "kept/moved", data + 2, moved);
	file(root, "recipe", data + 2 + moved, size - 2 - moved);
	int sized = layer_tar_size(root, id, &told, &e);

	if (sized < 0 && !e.msg[0])
		abort();
	e = (struct err){0};
	/* the digest is never that one */
	if (layer_tar(root, id, count, &written, &e) >= 0 || !e.msg[0])
		abort();
	cage_check(root);
	return 0;
}
