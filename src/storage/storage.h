/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage.h - layers, container root file systems over overlayfs, volume directories
 *
 *   <data-root>/layers/<id>/diff     one unpacked layer, id = first 32 hex of its chain id;
 * read-only after commit <data-root>/layers/tmp-*         being unpacked; swept at start
 *   <data-root>/containers/<id>/     upper, work, merged, hostname, hosts, resolv.conf, logs
 *   <data-root>/containers/<id>/mounts   scratch.c
 *   <data-root>/volumes/<name>/_data
 *   <data-root>/trash/               renamed here first, deleted by a job; swept at start
 *
 * Loop thread; trees are deleted by jobs. Source: Documentation/filesystems/overlayfs.rst.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct storage;
struct job_pool;

int storage_open(const char *data_root, struct job_pool *jobs, struct storage **ret, struct err *e)
	MUST_CHECK; /* makes the folders (0710/0700), sweeps tmp and trash */
void storage_close(struct storage *s);
/* From now on roots are seen with mapped ids: what is root's on disk is @uid's and @gid's in them.
 * The views of the folders for that lie in @dir. Volumes belong to these two. ERR_UNSUPPORTED: the
 * kernel or the file system cannot (mount_setattr(2), overlayfs since Linux 5.19). */
struct storage_remap {
	const char *dir;
	int userns; /* whose map counts; the caller's, for this call */
	uint32_t uid, gid;
};
int storage_remap(struct storage *s, const struct storage_remap *m, struct err *e) MUST_CHECK;
void storage_remap_sweep(const char *dir); /* the views go; roots that are mounted stay */

/* layers */
int storage_layer_path(const struct storage *s, const char *chain_id,
		       char **ret) MUST_CHECK;	   /* ".../diff" */
char *storage_layers_dir(const struct storage *s); /* malloc'ed; in it layers by their ids */
/* a layer's name there. Return: 0/-EINVAL */
#define LAYER_ID_SIZE 33
int storage_layer_id(const char *chain_id, char ret[LAYER_ID_SIZE]) MUST_CHECK;
bool storage_layer_exists(const struct storage *s, const char *chain_id);
int storage_layer_tmp(struct storage *s, char **ret,
		      struct err *e) MUST_CHECK; /* a new empty tmp dir for a helper */
int storage_layer_commit(struct storage *s, const char *tmp_diff, const char *chain_id,
			 struct err *e) MUST_CHECK; /* rename; with <tmp_diff>.recipe and
						       .kept; exists already: tmp is trashed */
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
		  bool host_ids /* in spite of storage_remap() */,
		  struct err *e) MUST_CHECK; /* mounts .../merged; mounted already: 0 */
int storage_unmount(struct storage *s, const char *id,
		    struct err *e) MUST_CHECK; /* not mounted: 0 */
bool storage_mounted(struct storage *s, const char *id);
void storage_container_remove(struct storage *s,
			      const char *id); /* unmount, rename to trash, delete by job */
/* a directory of this name belongs to no container: its maker sweeps it at the next start */
#define STORAGE_BUILD_PREFIX "build-"
int storage_container_each(struct storage *s, int (*fn)(const char *id, void *data),
			   void *data) MUST_CHECK;

/* what a container changed of the layers it stands on, by path. Blocking walk by a job; done on the
 * loop thread, @c borrowed. Source: moby pkg/archive/changes.go (what is a change) */
enum change_kind { CHANGE_MODIFY, CHANGE_ADD, CHANGE_DELETE }; /* the Engine API's numbers */
struct change {
	enum change_kind kind;
	char *path;
};
struct changes {
	struct change *v;
	size_t n;
};
int storage_changes(struct storage *s, const char *id, char *const *layers,
		    void (*done)(int result, const struct changes *c, const struct err *e,
				 void *data),
		    void *data) MUST_CHECK;
void changes_done(struct changes *c);

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
/* A volume whose _data is a file system of its own: mount(8)'s words. @done once, on the loop
 * thread, unless a negative value is returned. The caller sees to it that one job a volume runs. */
struct volume_source {
	const char *type, *device, *options; /* NULL: "" */
};
int storage_volume_mount(struct storage *s, const char *name, const struct volume_source *from,
			 void (*done)(int result, const struct err *e, void *data),
			 void *data) MUST_CHECK;
int storage_volume_unmount(struct storage *s, const char *name,
			   void (*done)(int result, const struct err *e, void *data),
			   void *data) MUST_CHECK; /* not mounted: 0 */
/* the same at once and without a wait, for one that goes: open files keep what they have */
void storage_volume_detach(struct storage *s, const char *name);
bool storage_volume_mounted(struct storage *s, const char *name);

/* containers/<id>/mounts (scratch.c). The scratch_* functions may block: jobs only. */
char *storage_scratch_path(const struct storage *s, const char *id,
			   const char *name); /* malloc'ed; NULL: no memory */
int scratch_shm(const char *path, int64_t bytes, struct err *e) MUST_CHECK; /* mounted: 0 */
/* @base/@sub, never outside of @base, bound at @path */
int scratch_subpath(const char *base, const char *sub, const char *path, struct err *e) MUST_CHECK;
void storage_scratch_release(struct storage *s, const char *id); /* all of it unmounted, removed */
/* Docker's condition for shared and slave binds: the mount below @path is one. May block. */
int storage_propagation_check(const char *path, bool slave_will_do, struct err *e) MUST_CHECK;
/* trash a path anywhere below data-root */
void storage_trash(struct storage *s, const char *path);
