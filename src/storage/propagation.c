/* SPDX-License-Identifier: GPL-2.0-or-later */
/* propagation.c - is the mount that a path lies on shared? Source: proc(5), /proc/pid/mountinfo */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "storage/storage.h"

#define MOUNTINFO_MAX (16u << 20)

/* Blank, tab, newline and backslash are written as \ooo. In place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static bool holds(const char *mount, const char *path)
{
	size_t n = strlen(mount);

	return streq(mount, "/") || (!strncmp(mount, path, n) && (!path[n] || path[n] == '/'));
}

/* One line: id, parent, device, root, mount point, options, tags..., "-", ... */
static bool tagged(char *line, const char *path, char **ret_point, bool *ret_shared,
		   bool *ret_slave)
{
	char *save = NULL, *word = strtok_r(line, " ", &save), *point;

	for (int i = 0; word && i < 4; i++)
		word = strtok_r(NULL, " ", &save);
	point = word;
	if (!point)
		return false;
	unescape(point);
	if (!holds(point, path))
		return false;
	*ret_point = point;
	*ret_shared = *ret_slave = false;
	(void)strtok_r(NULL, " ", &save); /* options */
	while ((word = strtok_r(NULL, " ", &save)) && !streq(word, "-")) {
		*ret_shared = *ret_shared || str_has_prefix(word, "shared:");
		*ret_slave = *ret_slave || str_has_prefix(word, "master:");
	}
	return true;
}

int storage_propagation_check(const char *path, bool slave_will_do, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(MOUNTINFO_MAX);
	auto_free char *real = realpath(path, NULL), *best = NULL;
	bool shared = false, slave = false;
	char *save = NULL;
	int r = real ? fs_read("/proc/thread-self/mountinfo", MOUNTINFO_MAX, &text) : -errno;

	if (r < 0)
		return err_sys(e, -r, "cannot find the mount of %s", path);
	for (char *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		bool is_shared, is_slave;
		char *point;

		if (!tagged(line, real, &point, &is_shared, &is_slave) ||
		    (best && strlen(point) < strlen(best)))
			continue;
		if (str_set(&best, point) < 0)
			return err_nomem(e);
		shared = is_shared;
		slave = is_slave;
	}
	if (shared || (slave && slave_will_do))
		return 0;
	return err_set(e, ERR_INTERNAL, EINVAL,
		       "path %s is mounted on %s but it is not a shared%s mount", path,
		       best ? best : "/", slave_will_do ? " or slave" : "");
}
