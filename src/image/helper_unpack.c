/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper_unpack.c - a build's context, and the archives that ADD unpacks: plain files, no layer */

#include <errno.h>
#include <fcntl.h>

#include "image/helper.h"

/* A pipe or a socket is an archive, whatever comes; a file may be none. */
int unpack_tree(const char *verb, const char *dir, struct err *e)
{
	const struct view v = {.dir = dir, .root = -1};
	const struct tree_rules rules = {.plain = true};
	struct layer_result got = {0};
	int r = confine(&v, e);

	(void)verb;
	if (r < 0)
		return r;
	auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_sys(e, errno, "cannot open the directory");
	r = lseek(STDIN_FILENO, 0, SEEK_CUR) < 0 ? 1 : is_archive(STDIN_FILENO, e);
	if (r == 0)
		return report_flag("plain", e);
	return r < 0 ? r : layer_unpack(STDIN_FILENO, root, &rules, &got, e);
}
