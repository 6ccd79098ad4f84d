/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_room.c - the kernel's limits of neighbours are raised, and never lowered; in a folder like
 * /proc/sys */

#include "base/buf.h"
#include "base/fs.h"
#include "net/internal.h"
#include "space.h"
#include "tap.h"

static const char *const names[] = {"gc_thresh1", "gc_thresh2", "gc_thresh3"};

static const char *path_of(const char *family, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), SPACE_DIR "/net/%s/neigh/default/%s", family, name);
	return path;
}

static void put(const char *family, const char *const values[3])
{
	for (size_t i = 0; i < 3; i++)
		is_int(fs_write(path_of(family, names[i]), values[i], strlen(values[i]), 0644), 0,
		       "%s/%s is %s", family, names[i], values[i]);
}

static void has(const char *family, const char *const values[3])
{
	for (size_t i = 0; i < 3; i++) {
		auto_buf struct buf b = BUF_INIT(64);

		is_int(fs_read(path_of(family, names[i]), 64, &b), 0, "%s/%s", family, names[i]);
		if (b.len)
			b.data[strcspn(b.data, "\n")] = '\0';
		is_str(buf_str(&b), values[i], "has the value");
	}
}

int main(void)
{
	static const char *const want[] = {"8192", "49152", "65536"};
	static const char *const large[] = {"100", "50000", "262144"};
	static const char *const mixed[] = {"8192", "50000", "262144"};
	const char *why = space_enter();

	if (why)
		return tap_skip_all(why);
	room_for_neighbours(SPACE_DIR); /* no such files: not the first namespace */
	ok(access(SPACE_DIR "/net", F_OK) < 0, "nothing is made where there is nothing");
	for (const char *const *f = (const char *const[]){"ipv4", "ipv6", NULL}; *f; f++)
		is_int(fs_mkdir_p(path_of(*f, ""), 0755), 0, "a folder");
	put("ipv4", (const char *const[]){"128\n", "512\n", "1024\n"});
	put("ipv6", large);
	room_for_neighbours(SPACE_DIR);
	has("ipv4", want);
	has("ipv6", mixed);
	return tap_done();
}
