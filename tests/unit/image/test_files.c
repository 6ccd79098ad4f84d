/* SPDX-License-Identifier: GPL-2.0-or-later */
/* where paths lead, and which are the runtime's own mount points */

#include <sys/stat.h>

#include "base/mountpoint.h"
#include "image/helper.h"
#include "tap.h"
#include "world.h"

static void make_link(struct world *w, const char *name, const char *target)
{
	auto_free char *path = str_printf("%s/%s", w->dir, name);

	if (symlink(target, path) < 0)
		abort();
}

/* @to below the test's directory where it does not begin with a slash */
static void leads(struct world *w, const char *from, const char *to)
{
	auto_free char *path = str_printf("%s/%s", w->dir, from);
	auto_free char *want = *to == '/' ? strdup(to) : str_printf("%s/%s", w->dir, to);
	auto_free char *got = files_resolve(path);

	is_str(got, want, "%s", from);
}

static void resolve(struct world *w)
{
	auto_free char *dir = str_printf("%s/d", w->dir), *got = NULL;

	if (mkdir(dir, 0755) < 0)
		abort();
	make_link(w, "abs", "/etc/hostname-or-not");
	make_link(w, "rel", "d");
	make_link(w, "d/up", "../rel/x");
	make_link(w, "chain", "rel");
	make_link(w, "loop", "loop");
	make_link(w, "root", "/../../..");
	make_link(w, "nowhere", "no/such/./place");
	leads(w, "d", "d");
	leads(w, "rel", "d");
	leads(w, "rel/", "d");
	leads(w, "chain/new/../x", "d/x");
	leads(w, "rel/up", "d/x");
	leads(w, "abs/more", "/etc/hostname-or-not/more");
	leads(w, "root", "/");
	leads(w, "nowhere/file", "no/such/place/file");
	leads(w, "loop", "loop"); /* it ends */
	got = files_resolve("/");
	is_str(got, "/", "the root");
}

static void mount_points(void)
{
	static const char *const yes[] = {"etc", "etc/hosts", "proc", "dev/pts"};
	static const char *const no[] = {"", "/etc", "etc/", "etc/passwd", "proc/1", "home"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		ok(mountpoint_is(yes[i]), "%s is one", yes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		ok(!mountpoint_is(no[i]), "\"%s\" is none", no[i]);
}

int main(void)
{
	struct world w;
	const char *why = world_enter(&w);

	if (why)
		return tap_skip_all(why);
	resolve(&w);
	mount_points();
	free(w.dir);
	return tap_done();
}
