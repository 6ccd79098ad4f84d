/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper.h - inside atoll-helper: reads foreign archives in confinement, reports on fd 3
 *
 * "atoll-helper load DIR" reads a docker-archive or OCI layout on fd 0, "atoll-helper import DIR"
 * one root file system. DIR is an empty directory; blobs are staged there as b<n>, layers unpacked
 * as l<n>. Each line on fd 3 is one JSON object:
 *   {"layer":{"chain":"sha256:..","diff":"sha256:..","dir":"l0","size":123}}
 *   {"image":{"config":"<the config's text>","tags":["busybox:latest"]}}   after its layers
 *   {"end":true}  or  {"error":"text"}                                       the last line
 * Nothing here is believed by the reader of these lines: it checks again.
 *
 * Layers are unpacked as overlayfs (with userxattr) wants them: a whiteout is a character device
 * 0:0, an opaque directory has user.overlay.opaque=y.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/chain.h"

struct archive;
struct archive_entry;

#define REPORT_FD 3

/* ---- helper_confine.c: before the first foreign byte is read ---- */

/* own mount, network, ipc and uts namespaces with @dir as the root, few capabilities,
 * no_new_privs, limits, a list of system calls. After it "/" is @dir. */
int confine(const char *dir, struct err *e) MUST_CHECK;
int confine_syscalls(struct err *e) MUST_CHECK; /* helper_syscalls.c */

/* ---- helper_stage.c: the outer archive ---- */

struct blob {
	unsigned number; /* the file b<number> */
	uint64_t size;
	char digest[DIGEST_SIZE];
	char *link; /* an alias of that name; then the rest means nothing */
};
struct stage;
int stage_new(int dirfd, struct stage **ret, struct err *e) MUST_CHECK;
void stage_free(struct stage *s);
DEFINE_AUTO(struct stage, stage_free);
int stage_read(struct stage *s, int fd, struct err *e) MUST_CHECK; /* to the archive's end */
/* by path; links followed; a blob named by its digest must have it. NULL with @e: none */
const struct blob *stage_find(struct stage *s, const char *name, struct err *e);
bool stage_has(struct stage *s, const char *name);
int stage_open(struct stage *s, const struct blob *b, struct err *e) MUST_CHECK; /* fd */
struct buf;
int stage_text(struct stage *s, const char *name, struct buf *out, struct err *e) MUST_CHECK;

/* ---- helper_layer.c: one layer ---- */

struct layer_result {
	char diff_id[DIGEST_SIZE]; /* of the uncompressed tar */
	uint64_t size;		   /* bytes of its files */
};
int layer_unpack(int fd, int dirfd, struct layer_result *ret, struct err *e) MUST_CHECK;
/* more than LIMIT_BOMB_RATIO times what came in, beyond the first 64 MiB */
bool is_bomb(uint64_t unpacked, uint64_t packed);
#define ARCHIVE_BLOCK (64u << 10)
/* the filters we take: none, gzip, xz, zstd. Return: 0/-errno with @e */
int archive_filters(struct archive *a, struct err *e) MUST_CHECK;

/* ---- helper_tree.c: one entry of a layer, never outside its directory ---- */

struct tree;
int tree_new(int dirfd, struct tree **ret, struct err *e) MUST_CHECK;
void tree_free(struct tree *t);
DEFINE_AUTO(struct tree, tree_free);
int tree_add(struct tree *t, struct archive *a, struct archive_entry *ae, struct err *e) MUST_CHECK;
int tree_finish(struct tree *t, struct err *e) MUST_CHECK; /* the directories' times */
uint64_t tree_size(const struct tree *t);

/* ---- helper_path.c: names inside a tree ---- */

/* without leading and double slashes and "." parts; "" is the root. -EINVAL with @e for ".." and
 * for what is too long or deep */
int path_clean(const char *name, char **ret, struct err *e) MUST_CHECK;
#define PATH_DEPTH_MAX 256 /* file systems and tools cope; more is an attack */
/* the directory @path below @root, opened; made with 0755 where missing; links are followed only as
 * long as they stay inside. @entry is for the text */
int path_open_dir(int root, const char *path, const char *entry, struct err *e) MUST_CHECK;
int path_remove(int dirfd, const char *name) MUST_CHECK; /* recursive; absent: 0 */
bool is_whiteout(int dirfd, const char *name);
int set_opaque(int dirfd) MUST_CHECK;
/* mkdir that turns a whiteout of this layer into an opaque directory */
int make_dir(int dirfd, const char *name) MUST_CHECK;

/* ---- helper_run.c ---- */

int helper_main(int argc, char **argv);
