/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage.h - layers, container root file systems over overlayfs, volume directories
 *
 *   <data-root>/layers/<id>/diff     one unpacked layer, id = first 32 hex of its chain id;
 * read-only after commit <data-root>/layers/tmp-*         being unpacked; swept at start
 *   <data-root>/containers/<id>/     upper, work, merged, hostname, hosts, resolv.conf, logs
 *   <data-root>/volumes/<name>/_data
 *   <data-root>/trash/               renamed here first, deleted by a job; swept at start
 *
 * Loop thread; trees are deleted by jobs. Source: Documentation/filesystems/overlayfs.rst.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct storage;
struct job_pool;

int storage_open(const char *data_root, struct job_pool *jobs, struct storage **ret, struct err *e)
	MUST_CHECK; /* makes the folders (0710/0700), sweeps tmp and trash */
void storage_close(struct storage *s);

/* layers */
int storage_layer_path(const struct storage *s, const char *chain_id,
		       char **ret) MUST_CHECK; /* ".../diff" */
bool storage_layer_exists(const struct storage *s, const char *chain_id);
int storage_layer_tmp(struct storage *s, char **ret,
		      struct err *e) MUST_CHECK; /* a new empty tmp dir for a helper */
int storage_layer_commit(struct storage *s, const char *tmp_diff, const char *chain_id,
			 struct err *e) MUST_CHECK; /* rename; exists already: tmp is trashed */
void storage_layer_remove(struct storage *s,
			  const char *chain_id); /* caller knows nobody uses it */
int storage_layer_each(struct storage *s, int (*fn)(const char *id, void *data),
		       void *data) MUST_CHECK;

/* a container's directory and root */
int storage_container_add(struct storage *s, const char *id, struct err *e) MUST_CHECK;
const char *storage_container_dir(struct storage *s, const char *id, char *out,
				  size_t room); /* returns @out */
int storage_mount(struct storage *s, const char *id,
		  char *const *layers /* chain ids, base first */,
		  struct err *e) MUST_CHECK; /* mounts .../merged; mounted already: 0 */
int storage_unmount(struct storage *s, const char *id,
		    struct err *e) MUST_CHECK; /* not mounted: 0 */
bool storage_mounted(struct storage *s, const char *id);
void storage_container_remove(struct storage *s,
			      const char *id); /* unmount, rename to trash, delete by job */
int storage_container_each(struct storage *s, int (*fn)(const char *id, void *data),
			   void *data) MUST_CHECK;

/* volumes */
int storage_volume_add(struct storage *s, const char *name, struct err *e) MUST_CHECK;
int storage_volume_path(struct storage *s, const char *name, char **ret) MUST_CHECK;
void storage_volume_remove(struct storage *s, const char *name);
/* Docker's copy-up: an empty volume mounted over a directory of the image gets its content, owner
 * and mode.
 * @rootfs_dir the mounted root, @path inside it. Blocking copy by a job; done on the loop thread.
 */
int storage_volume_copy_up(struct storage *s, const char *volume, const char *rootfs_dir,
			   const char *path, void (*done)(int result, void *data),
			   void *data) MUST_CHECK;
/* trash a path anywhere below data-root */
void storage_trash(struct storage *s, const char *path);
