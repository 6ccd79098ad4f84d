/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * users.h - "user[:group]" and --group-add, looked up in the container's /etc/passwd and /etc/group
 *
 * The files are an image's, so hostile: opened inside the rootfs, regular files of at most 1 MiB
 * only, absent ones are empty. Sources: passwd(5), group(5); error texts are Docker's.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct user_ids {
	uint32_t uid, gid;
	uint32_t *groups; /* supplementary, without duplicates */
	size_t n_groups;
	char *home; /* never NULL; "/" without an entry */
};

/* ERR_INVALID: "unable to find user x: no matching entries in passwd file", "unable to find group
 * x: no matching entries in group file", "uids and gids must be in range 0-2147483647" */
int users_resolve(const char *rootfs, const char *user, char *const *group_add,
		  struct user_ids *ret, struct err *e) MUST_CHECK;
void user_ids_done(struct user_ids *u);

static inline void auto_user_ids_fn(struct user_ids *u)
{
	user_ids_done(u);
}
#define auto_user_ids __attribute__((cleanup(auto_user_ids_fn)))
