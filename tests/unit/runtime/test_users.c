/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_users.c - users and groups of a hostile or honest rootfs */

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime/users.h"
#include "tap.h"

static char root[] = "/tmp/atoll-users-XXXXXX";

static const char passwd[] = "# users\n"
			     "root:x:0:0:root:/root:/bin/sh\n"
			     "worker:x:1000:1000::/srv/worker:/bin/sh\n"
			     "worker:x:1009:1009::/second:/bin/sh\n"
			     "broken line\n"
			     "bad:x:-5:0::/:/bin/sh\n"
			     "homeless:x:1001:1001:::\n"
			     "huge:x:4000000000:0::/:/bin/sh\n"
			     "1234:x:77:78::/digits:/bin/sh\n"
			     "last:x:5:6::/last:/bin/sh";
static const char group[] = "root:x:0:\n"
			    "disk:x:6:root,worker\n"
			    "audio:x:29:worker\n"
			    "nearly:x:30:workers,work\n"
			    "broken\n"
			    "worker:x:1000:worker\n";

static void put(const char *name, const char *text)
{
	auto_free char *path = str_printf("%s/%s", root, name);

	(void)fs_unlink(path);
	ok(fs_write(path, text, strlen(text), 0644) >= 0, "%s", name);
}

/* "uid:gid [groups] home", or the error. */
static const char *look(const char *user, const char *add)
{
	static char text[1024];
	char *list[] = {(char *)(uintptr_t)add, NULL};
	struct user_ids u = {0};
	struct err e = {0};
	size_t n;

	if (users_resolve(root, user, add ? list : NULL, &u, &e) < 0) {
		(void)snprintf(text, sizeof(text), "%s", e.msg);
		return text;
	}
	n = (size_t)snprintf(text, sizeof(text), "%u:%u [", u.uid, u.gid);
	for (size_t i = 0; i < u.n_groups; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", i ? " " : "",
				      u.groups[i]);
	(void)snprintf(text + n, sizeof(text) - n, "] %s", u.home);
	user_ids_done(&u);
	return text;
}

static void test_lookups(void)
{
	static const char no_user[] = "unable to find user x: no matching entries in passwd file";
	static const char no_group[] = "unable to find group x: no matching entries in group file";
	static const char range[] = "uids and gids must be in range 0-2147483647";
	static const struct {
		const char *user, *add, *want;
	} rows[] = {
		{"", NULL, "0:0 [6 0] /root"},
		{NULL, NULL, "0:0 [6 0] /root"},
		{"worker", NULL, "1000:1000 [6 29 1000] /srv/worker"},
		{"1000", NULL, "1000:1000 [6 29 1000] /srv/worker"},
		{"worker:audio", NULL, "1000:29 [29] /srv/worker"},
		{"worker:4711", NULL, "1000:4711 [4711] /srv/worker"},
		{"worker:", NULL, "1000:1000 [6 29 1000] /srv/worker"},
		{":audio", NULL, "0:29 [29] /root"},
		{"1234", NULL, "1234:0 [0] /"},
		{"77", NULL, "77:78 [78] /digits"},
		{"homeless", NULL, "1001:1001 [1001] /"},
		{"last", NULL, "5:6 [6] /last"},
		{"555:666", NULL, "555:666 [666] /"},
		{"555:666", "audio", "555:666 [666 29] /"},
		{"555:666", "12", "555:666 [666 12] /"},
		{"555:666", "666", "555:666 [666] /"},
		{"x", NULL, no_user},
		{"bad", NULL, "unable to find user bad: no matching entries in passwd file"},
		{"worker:x", NULL, no_group},
		{"worker", "x", no_group},
		{"huge", NULL, range},
		{"2147483648", NULL, range},
		{"-1", NULL, range},
		{"1:2147483648", NULL, range},
		{"1", "-7", range},
		{"work", NULL, "unable to find user work: no matching entries in passwd file"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		is_str(look(rows[i].user, rows[i].add), rows[i].want, "\"%s\" with \"%s\"",
		       rows[i].user ? rows[i].user : "(null)", rows[i].add ? rows[i].add : "");
}

static void test_hostile_files(void)
{
	auto_free char *path = str_printf("%s/etc/passwd", root);
	auto_buf struct buf big = BUF_INIT(4 << 20);

	(void)fs_unlink(path);
	is_str(look("5:6", NULL), "5:6 [6] /", "no passwd file");
	is_str(look("worker", NULL),
	       "unable to find user worker: no matching entries in passwd file", "no name either");
	ok(symlink("/../../../../../../etc/hostname", path) == 0, "a link that climbs");
	is_str(look("5:6", NULL), "5:6 [6] /", "does not leave the rootfs");
	(void)fs_unlink(path);
	ok(mkfifo(path, 0644) == 0, "a fifo");
	is_str(look("5:6", NULL), "5:6 [6] /", "is not opened");
	(void)fs_unlink(path);
	ok(symlink("/secret", path) == 0, "a link to a file of the rootfs");
	put("secret", "hidden:x:9:9::/hidden:/bin/sh\n");
	is_str(look("hidden", NULL), "9:9 [9] /hidden", "is followed inside");
	(void)fs_unlink(path);
	for (int i = 0; i < 20000; i++)
		(void)buf_puts(&big, "user:x:1:1::/a/home/directory/that/is/long/enough:/bin/sh\n");
	put("etc/passwd", buf_str(&big));
	ok(strstr(look("5:6", NULL), "cannot read the container's /etc/passwd") != NULL,
	   "a huge file is refused");
}

int main(void)
{
	auto_free char *etc = NULL;

	if (!mkdtemp(root))
		return tap_skip_all("no temporary directory");
	etc = str_printf("%s/etc", root);
	ok(fs_mkdir_p(etc, 0755) >= 0, "a rootfs");
	put("etc/passwd", passwd);
	put("etc/group", group);
	test_lookups();
	test_hostile_files();
	ok(fs_rm_tree(root) >= 0, "cleaned up");
	return tap_done();
}
