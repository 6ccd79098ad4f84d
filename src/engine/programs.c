/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.c - see programs.h */

#include <limits.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "engine/programs.h"

void programs_done(struct programs *p)
{
	free(p->dns);
	free(p->helper);
	free(p->registry);
	free(p->shim);
	free(p->builtin);
	*p = (struct programs){0};
}

/* The folder of the running program, without a slash at its end. */
static int own_folder(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash)
		*slash = '\0';
	return 0;
}

int programs_find(const char *lib_dir, struct programs *ret)
{
	char own[PATH_MAX];
	auto_free char *tree = NULL;
	const char *dir = ATOLL_LIBEXECDIR;

	*ret = (struct programs){0};
	ret->builtin = str_printf("%s/busybox.tar", lib_dir ? lib_dir : ATOLL_DATADIR);
	if (lib_dir) {
		dir = lib_dir;
	} else if (own_folder(own) >= 0) {
		tree = str_printf("%s/atoll-dns", own);
		if (tree && fs_exists(tree)) {
			dir = own;
			free(ret->builtin);
			ret->builtin = str_printf("%s/../../data/busybox.tar", own);
		}
	}
	ret->dns = str_printf("%s/atoll-dns", dir);
	ret->helper = str_printf("%s/atoll-helper", dir);
	ret->registry = str_printf("%s/atoll-registry", dir);
	ret->shim = str_printf("%s/atoll-shim", dir);
	if (!ret->dns || !ret->helper || !ret->registry || !ret->shim || !ret->builtin) {
		programs_done(ret);
		return -ENOMEM;
	}
	if (!fs_exists(ret->builtin)) {
		free(ret->builtin);
		ret->builtin = NULL;
	}
	return 0;
}
