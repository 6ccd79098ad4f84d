/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tar.c - headers of a tar archive */

#include "base/tar.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NAME_MAX_USTAR 100
#define SIZE_MAX_USTAR 077777777777ull
#define RECORDS_MAX    (64u << 10)

struct ustar {
	char name[NAME_MAX_USTAR], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type;
	char link[NAME_MAX_USTAR], magic[6], version[2], user[32], group[32], major[8], minor[8];
	char prefix[155], pad[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

/* octal digits and a NUL */
static void number(char *field, size_t room, uint64_t value)
{
	field[--room] = '\0';
	while (room) {
		field[--room] = (char)('0' + (value & 7));
		value >>= 3;
	}
}

static void text(char *field, size_t room, const char *value)
{
	memcpy(field, value, strnlen(value, room)); /* the header is all zeros */
}

static void checksum(struct ustar *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned sum = 0;

	memset(h->sum, ' ', sizeof(h->sum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += p[i];
	number(h->sum, 7, sum);
}

static int put(struct buf *out, struct ustar *h)
{
	text(h->magic, sizeof(h->magic), "ustar");
	memcpy(h->version, "00", sizeof(h->version));
	number(h->uid, sizeof(h->uid), 0);
	number(h->gid, sizeof(h->gid), 0);
	checksum(h);
	return buf_add(out, h, sizeof(*h));
}

static int pad(struct buf *out, uint64_t size)
{
	static const char zeros[TAR_BLOCK];

	return buf_add(out, zeros, tar_padding(size));
}

/* "len key=value\n", where len counts its own digits too */
static void record(struct buf *out, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, len = rest;

	for (size_t before = 0; before != len;) {
		size_t digits = 1;

		before = len;
		for (size_t n = len; n >= 10; n /= 10)
			digits++;
		len = rest + digits;
	}
	(void)buf_printf(out, "%zu %s=%s\n", len, key, value); /* its error is sticky */
}

static int put_pax(struct buf *out, const struct tar_entry *en)
{
	auto_buf struct buf records = BUF_INIT(RECORDS_MAX);
	struct ustar h = {.type = 'x'};
	char size[24];

	if (strlen(en->name) > NAME_MAX_USTAR - 1)
		record(&records, "path", en->name);
	if (en->link && strlen(en->link) > NAME_MAX_USTAR)
		record(&records, "linkpath", en->link);
	(void)snprintf(size, sizeof(size), "%" PRIu64, en->size);
	if (en->size > SIZE_MAX_USTAR)
		record(&records, "size", size);
	if (buf_err(&records) || !records.len)
		return buf_err(&records);
	text(h.name, sizeof(h.name), "pax");
	number(h.mode, sizeof(h.mode), 0644);
	number(h.size, sizeof(h.size), records.len);
	number(h.mtime, sizeof(h.mtime), 0);
	(void)put(out, &h);
	(void)buf_add(out, records.data, records.len);
	return pad(out, records.len);
}

static char type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return '0';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFDIR:
		return '5';
	case S_IFIFO:
		return '6';
	}
	return '\0';
}

int tar_header(struct buf *out, const struct tar_entry *en)
{
	struct ustar h = {.type = type_of(en->mode)};
	size_t len = strlen(en->name);

	if (!h.type)
		return -EINVAL;
	if (put_pax(out, en) < 0)
		return buf_err(out) ? buf_err(out) : -ENOBUFS;
	text(h.name, sizeof(h.name), en->name);
	if (h.type == '5' && len < sizeof(h.name))
		h.name[len] = '/';
	number(h.mode, sizeof(h.mode), en->mode & 07777);
	number(h.size, sizeof(h.size), en->size > SIZE_MAX_USTAR ? 0 : en->size);
	number(h.mtime, sizeof(h.mtime), en->mtime > 0 ? (uint64_t)en->mtime : 0);
	if (en->link)
		text(h.link, sizeof(h.link), en->link);
	if (h.type == '3' || h.type == '4') {
		number(h.major, sizeof(h.major), major(en->rdev));
		number(h.minor, sizeof(h.minor), minor(en->rdev));
	}
	return put(out, &h);
}
