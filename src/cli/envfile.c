/* SPDX-License-Identifier: GPL-2.0-or-later */
/* envfile.c - NAME=value texts, from arguments and files */

#include "cli/envfile.h"

#include <ctype.h>

#include "base/fs.h"
#include "cli/cli.h"

#define FILE_MAX (4u << 20)

int check_env(const char *value, struct err *e)
{
	if (!*value || *value == '=')
		return err_invalid(e, "invalid environment variable: %s", value);
	return 0;
}

static int check_line(const char *line, const char *what, struct err *e)
{
	size_t len = strcspn(line, "=");

	if (!len)
		return err_invalid(e, "no %s name on line '%s'", what, line);
	for (size_t i = 0; i < len; i++)
		if (isspace((unsigned char)line[i]))
			return err_invalid(e, "%s '%.*s' contains whitespaces", what, (int)len,
					   line);
	return 0;
}

static int take_file(const char *path, const char *what, bool environment, char ***out,
		     struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FILE_MAX);
	auto_strv char **lines = NULL;
	int r = fs_read(path, FILE_MAX, &text);

	if (r < 0)
		return err_sys(e, -r, "open %s", path);
	if (strv_split(buf_str(&text), "\n", &lines) < 0)
		cli_no_memory();
	for (size_t i = 0; lines && lines[i]; i++) {
		char *line = lines[i], *cr = line + strlen(line);

		if (cr > line && cr[-1] == '\r')
			cr[-1] = '\0';
		line += strspn(line, " \t");
		if (!*line || *line == '#')
			continue;
		r = check_line(line, what, e);
		if (r < 0)
			return r;
		if (strchr(line, '=') || !environment)
			list_add(out, line);
		else if (getenv(line))
			list_addf(out, "%s=%s", line, getenv(line));
	}
	return 0;
}

int env_collect(char *const *files, char *const *own, char ***ret, struct err *e)
{
	auto_strv char **out = NULL;

	for (; files && *files; files++) {
		int r = take_file(*files, "variable", true, &out, e);

		if (r < 0)
			return r;
	}
	for (; own && *own; own++) {
		const char *value = strchr(*own, '=') ? NULL : getenv(*own);

		if (value)
			list_addf(&out, "%s=%s", *own, value);
		else
			list_add(&out, *own);
	}
	*ret = TAKE_PTR(out);
	return 0;
}

int labels_collect(char *const *files, char *const *own, char ***ret, struct err *e)
{
	auto_strv char **out = NULL;

	for (; files && *files; files++) {
		int r = take_file(*files, "label", false, &out, e);

		if (r < 0)
			return r;
	}
	for (; own && *own; own++)
		list_add(&out, *own);
	*ret = TAKE_PTR(out);
	return 0;
}
