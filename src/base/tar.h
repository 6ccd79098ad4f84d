/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tar.h - headers of a tar archive, written; pure
 *
 * ustar, and a pax header before it for what does not fit: names over 100 bytes, link targets
 * likewise, sizes over 8 GiB. Owners are root, as in the contexts that clients send. Source: POSIX
 * pax, "ustar Interchange Format" and "pax Header Block".
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

#define TAR_BLOCK 512

struct tar_entry {
	const char *name; /* without a slash at its end */
	mode_t mode;	  /* with its type: file, directory, link, fifo, device */
	uint64_t size;	  /* of a file */
	int64_t mtime;	  /* seconds */
	const char *link; /* target of a symbolic link */
	dev_t rdev;
};
/* appends the header blocks; a file's content follows, filled up to whole blocks. -EINVAL: a type
 * that archives do not have (a socket); the buffer's error */
int tar_header(struct buf *out, const struct tar_entry *en) MUST_CHECK;
/* zero bytes behind @size bytes of content */
static inline size_t tar_padding(uint64_t size)
{
	return (size_t)(-size & (TAR_BLOCK - 1));
}
#define TAR_END (2 * TAR_BLOCK) /* zero bytes at the end of all */
