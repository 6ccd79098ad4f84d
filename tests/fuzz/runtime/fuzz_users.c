/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_users.c - an image's /etc/passwd and /etc/group, and the user asked for
 *
 * The input is "user[:group]", a NUL, passwd, a NUL, group.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime/users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[] = "/tmp/fuzz-users-XXXXXX";

static void root_gone(void)
{
	char path[64];

	for (const char *const *p = (const char *const[]){"/etc/passwd", "/etc/group", NULL}; *p;
	     p++) {
		(void)snprintf(path, sizeof(path), "%s%s", root, *p);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/etc", root);
	(void)rmdir(path);
	(void)rmdir(root);
}

static void root_there(void)
{
	static bool there;
	char path[64];

	if (there)
		return;
	(void)umask(022);
	(void)snprintf(path, sizeof(path), "%s/etc", mkdtemp(root));
	if (mkdir(path, 0755) < 0 || atexit(root_gone) != 0)
		abort();
	there = true;
}

static void write_file(const char *name, const char *text, size_t len)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/etc/%s", root, name);
	if (fs_write(path, text, len, 0644) < 0)
		abort();
}

/* The next part, to a NUL or the end. */
static char *part(const uint8_t **data, size_t *size, size_t *ret_len)
{
	const uint8_t *end = memchr(*data, '\0', *size);
	size_t len = end ? (size_t)(end - *data) : *size;
	char *s = malloc(len + 1);

	if (!s)
		abort();
	memcpy(s, *data, len);
	s[len] = '\0';
	*data += len + (end != NULL);
	*size -= len + (end != NULL);
	*ret_len = len;
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char wheel[] = "wheel", seven[] = "7", *const add[] = {wheel, seven, NULL};
	size_t n[3];
	auto_free char *user = part(&data, &size, &n[0]);
	auto_free char *passwd = part(&data, &size, &n[1]);
	auto_free char *group = part(&data, &size, &n[2]);
	struct err e = {0};

	root_there();
	write_file("passwd", passwd, n[1]);
	write_file("group", group, n[2]);
	for (int i = 0; i < 2; i++) {
		auto_user_ids struct user_ids ids = {0};
		int r = users_resolve(root, user, i ? add : NULL, &ids, &e);

		if (r < 0 ? !e.msg[0] || ids.home
			  : !ids.home || ids.uid > INT32_MAX || ids.gid > INT32_MAX ||
				    !ids.n_groups)
			abort();
	}
	return 0;
}
