/* SPDX-License-Identifier: GPL-2.0-or-later */
/* headers of a tar archive */

#include <sys/stat.h>

#include "base/tar.h"
#include "tap.h"

static struct buf out = BUF_INIT(1 << 20);

static int put(const char *name, mode_t mode, uint64_t size, const char *link)
{
	const struct tar_entry en = {
		.name = name, .mode = mode, .size = size, .mtime = 0x12345, .link = link};

	buf_clear(&out);
	return tar_header(&out, &en);
}

static unsigned sum(const unsigned char *h)
{
	unsigned n = 0;

	for (int i = 0; i < TAR_BLOCK; i++)
		n += i >= 148 && i < 156 ? ' ' : h[i];
	return n;
}

int main(void)
{
	char want[8], name[300];

	is_int(put("a/file", S_IFREG | 04755, 01234, NULL), 0, "a file");
	is_int(out.len, TAR_BLOCK, "is one block");
	is_str(out.data, "a/file", "its name");
	is_str(out.data + 100, "0004755", "its mode");
	is_str(out.data + 124, "00000001234", "its size");
	is_str(out.data + 136, "00000221505", "its time");
	is_str(out.data + 257, "ustar", "the magic");
	is_int(out.data[156], '0', "its type");
	(void)snprintf(want, sizeof(want), "%06o", sum((unsigned char *)out.data));
	is_str(out.data + 148, want, "its checksum");
	ok(put("d", S_IFDIR | 0755, 0, NULL) == 0 && out.data[1] == '/' && out.data[156] == '5',
	   "a directory");
	ok(put("l", S_IFLNK | 0777, 0, "to") == 0 && !strcmp(out.data + 157, "to") &&
		   out.data[156] == '2',
	   "a link");
	is_int(put("s", S_IFSOCK | 0777, 0, NULL), -EINVAL, "a socket");

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	is_int(put(name, S_IFREG, 0, NULL), 0, "a long name");
	is_int(out.len, 3 * TAR_BLOCK, "has a pax header");
	ok(out.data[156] == 'x' && !strncmp(out.data + TAR_BLOCK, "309 path=nnn", 12) &&
		   out.data[TAR_BLOCK + 308] == '\n',
	   "with its own length");
	ok(put("big", S_IFREG, 1ull << 40, NULL) == 0 &&
		   !strncmp(out.data + TAR_BLOCK, "22 size=1099511627776\n", 22),
	   "a large file");
	is_int(tar_padding(0) + tar_padding(512) + tar_padding(1) + tar_padding(513), 2 * 511,
	       "padding");
	buf_done(&out);
	return tap_done();
}
