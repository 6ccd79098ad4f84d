/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idmap.h - ids of users and groups inside of a user namespace and outside: /etc/subuid's ranges
 *
 * Sources: subuid(5), subgid(5), user_namespaces(7).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define IDMAP_MAX 340 /* lines the kernel takes (since Linux 4.15) */

struct idmap { /* the ids 0, 1, 2 ... inside are these outside, one range after the other */
	struct {
		uint32_t first, count;
	} v[IDMAP_MAX];
	size_t n;
};
struct idmaps {
	struct idmap uid, gid;
};

/* The ranges of a subuid(5) text whose owner is @name, or @id as a number. Lines that are none are
 * passed over, as shadow-utils and Docker do; so is what reaches beyond 2^32 - 2 (inside as
 * outside), and what is above IDMAP_MAX. @ret has n 0 where there are none. Return: 0 or -ENOMEM */
int idmap_parse(const char *text, const char *name, uint32_t id, struct idmap *ret) MUST_CHECK;

uint32_t idmap_size(const struct idmap *m); /* how many ids there are inside */

/* "0 100000 65536\n" a range, as /proc/<pid>/uid_map has it */
int idmap_text(const struct idmap *m, struct buf *out) MUST_CHECK;
