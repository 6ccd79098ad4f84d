/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path.c - path names as text */

#include "base/path.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

/* takes the last part away; false: there is none that could go */
static bool pop(char *out, size_t *len, size_t floor)
{
	if (*len <= floor)
		return false;
	while (*len > floor && out[*len - 1] != '/')
		(*len)--;
	if (*len > floor)
		(*len)--;
	return true;
}

char *path_clean_lexical(const char *path)
{
	bool absolute = *path == '/';
	char *out = malloc(strlen(path) + 2);
	size_t len = 0, floor;

	if (!out)
		return NULL;
	if (absolute)
		out[len++] = '/';
	floor = len;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		bool up = n == 2 && p[0] == '.' && p[1] == '.';

		if (n && !(n == 1 && *p == '.') && !(up && (pop(out, &len, floor) || absolute))) {
			if (len > (absolute ? 1u : 0u))
				out[len++] = '/';
			memcpy(out + len, p, n);
			len += n;
			if (up)
				floor = len;
		}
		p += n + (p[n] == '/');
	}
	if (!len)
		out[len++] = '.';
	out[len] = '\0';
	return out;
}

char *path_join(const char *dir, const char *path)
{
	auto_free char *both = *path == '/' ? strdup(path) : str_printf("%s/%s", dir, path);

	return both ? path_clean_lexical(both) : NULL;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
