/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mounts.h - mount points: what may be asked, what a create makes of it, what a start mounts
 *
 * Private to engine/. A mount point is a JSON object as inspect shows it, with keys of our own
 * beside (mounts.c). mounts_check.c is pure; mounts.c works at create; mounted.c at start and end.
 */
#pragma once

#include "engine/internal.h"

/* ---- mounts_check.c ---- */
/* "/a//b/./c/../d/" -> "/a/b/d", as text. Return: 0; -EINVAL relative or too long; -ENOMEM */
int mount_path_clean(const char *s, char **ret) MUST_CHECK;
struct mount_mode { /* "ro,z,rslave,nocopy" of -v */
	bool ro, nocopy;
	const char *propagation; /* NULL: none said */
};
/* Return: 0; -EINVAL no mode of Docker's; -ENOMEM */
int mount_mode_parse(const char *text, struct mount_mode *ret) MUST_CHECK;
const char *mount_propagation(const char *word); /* the same word; NULL: no propagation */
int mount_check(const json_t *m, struct err *e) MUST_CHECK; /* an entry of HostConfig.Mounts */
int tmpfs_options_check(const char *text, struct err *e) MUST_CHECK;
/* DriverOpts of a volume of the local driver; an object of strings, or NULL */
int volume_options_check(json_t *options, struct err *e) MUST_CHECK;

/* ---- mounted.c ---- */
/*
 * Makes what the mounts of @c need outside of it: missing folders of -v, the shared /dev/shm, the
 * volumes with a file system of their own, subpaths. Return: STEP_DONE; STEP_WAIT: @cb comes;
 * -errno with @e.
 */
int mounts_prepare(struct container *c, engine_cb cb, void *data, struct err *e) MUST_CHECK;
/* The same taken back, also where it was half done or done by the last life. Idempotent. */
void mounts_release(struct container *c);
/* The path in the host's eyes that is bound at @m's destination; malloc'ed, NULL: no memory */
char *mount_source(struct container *c, const json_t *m, size_t index);
/* The shared /dev/shm of a shareable container; malloc'ed, NULL: no memory */
char *shm_path(struct container *c);
void mounts_recovered(struct engine *en); /* volumes that nobody uses any more are unmounted */

/* ---- volumes.c: after a failed create ---- */
bool volume_stored(struct volume *v);		       /* the store has its row */
void volume_drop(struct engine *en, struct volume *v); /* which has no row; frees */
