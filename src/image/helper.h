/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper.h - inside atoll-helper: reads foreign archives in confinement, reports on fd 3
 *
 * "atoll-helper load DIR" reads a docker-archive or OCI layout on fd 0, "atoll-helper import DIR"
 * one root file system. DIR is an empty directory; blobs are staged there as b<n>, layers unpacked
 * as l<n>. Each line on fd 3 is one JSON object:
 *   {"layer":{"chain":"sha256:..","diff":"sha256:..","dir":"l0","size":123}}
 *   {"image":{"config":"<the config's text>","tags":["busybox:latest"]}}   after its layers
 *   {"stat":{"name":"passwd","size":12,"mode":420,"mtime":1700000000000000000,"target":""}}
 *   {"plain":true}                      of tree: what it was given is no archive
 *   {"end":true}  or  {"error":"text","kind":"invalid"}                      the last line
 * Nothing here is believed by the reader of these lines: it checks again.
 *
 * Layers are unpacked as overlayfs (with userxattr) wants them: a whiteout is a character device
 * 0:0, an opaque directory has user.overlay.opaque=y.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/chain.h"

struct archive;
struct archive_entry;

#define REPORT_FD  3
#define REQUEST_FD 5 /* 4: the engine's life lock */
#define ROOT_FD	   6
#define USERNS_FD  7

/* ---- helper_confine.c, helper_view.c: before the first foreign byte is read ---- */

struct view_mount {
	const char *source, *target; /* on the host; in the root */
	bool read_only, optional;    /* optional: left out where the source is not there */
};
struct view { /* what "/" will be */
	const char *dir;
	int root; /* a detached mount that is placed on @dir; negative: @dir itself */
	bool read_only;
	/* who the files are seen as and made by: root of a user namespace. 0: as they are */
	int userns;
	uint32_t uid, gid;		 /* that root, outside */
	const struct view_mount *mounts; /* in the order of their depth */
	size_t n_mounts;
};
/* own mount, network, ipc and uts namespaces with the view as the root, few capabilities,
 * no_new_privs, limits, a list of system calls. After it "/" is the view. */
int confine(const struct view *v, struct err *e) MUST_CHECK;
int view_enter(const struct view *v,
	       struct err *e) MUST_CHECK; /* in a mount namespace of its own */
/* its parts, for other confinements (helper_net.c) */
struct confine_limits {
	uint64_t files, memory, file_bytes;
	uint64_t processes, cpu; /* of the user; seconds. 0: as they are */
};
int confine_limits(const struct confine_limits *l, struct err *e) MUST_CHECK;
int confine_bounding(uint64_t keep, struct err *e) MUST_CHECK; /* needs CAP_SETPCAP */
/* what is left of them now, and no_new_privs */
int confine_capabilities(uint64_t keep, struct err *e) MUST_CHECK;
/* helper_syscalls.c: for who unpacks, and for who has the network */
enum confinement { CONFINE_FILES, CONFINE_NETWORK };
int confine_syscalls(enum confinement kind, struct err *e) MUST_CHECK;

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
struct tree_rules;
int layer_unpack(int fd, int dirfd, const struct tree_rules *rules, struct layer_result *ret,
		 struct err *e) MUST_CHECK; /* @rules NULL: a layer */
/* a layer in <name> of @dirfd, its recipe beside it (recipe.h) */
int layer_make(int dirfd, const char *name, int fd, struct layer_result *ret,
	       struct err *e) MUST_CHECK;
/* more than LIMIT_BOMB_RATIO times what came in, beyond the first 64 MiB */
bool is_bomb(uint64_t unpacked, uint64_t packed);
#define ARCHIVE_BLOCK (64u << 10)
/* the filters we take: none, gzip, xz, zstd. Return: 0/-errno with @e */
int archive_filters(struct archive *a, struct err *e) MUST_CHECK;

/* ---- helper_tree.c: one entry of a layer, never outside its directory ---- */

struct tree;
struct tree_rules {
	/* files of a container instead of a layer: no whiteouts, links in a path are followed as
	 * they are (the root is all there is) */
	bool plain;
	bool no_overwrite; /* a directory and something else never take each other's place */
	bool chown;	   /* all to @uid, @gid, whatever the archive says */
	uint32_t uid, gid;
	struct recipe *recipe; /* written on the way; NULL: none */
};
/* @rules NULL: a layer */
int tree_new(int dirfd, const struct tree_rules *rules, struct tree **ret,
	     struct err *e) MUST_CHECK;
void tree_free(struct tree *t);
DEFINE_AUTO(struct tree, tree_free);
int tree_add(struct tree *t, struct archive *a, struct archive_entry *ae, struct err *e) MUST_CHECK;
/* where an entry's content will be in a layer's tree: its path, malloc'ed; NULL: nowhere, or behind
 * a link, so that the path may mean something else later */
char *tree_path(const struct tree *t, struct archive_entry *ae);
int tree_finish(struct tree *t, struct err *e) MUST_CHECK; /* the directories' times */
uint64_t tree_size(const struct tree *t);

/* ---- helper_path.c: names inside a tree ---- */

/* without leading and double slashes and "." parts; "" is the root. -EINVAL with @e for ".." and
 * for what is too long or deep */
int path_clean(const char *name, char **ret, struct err *e) MUST_CHECK;
#define PATH_DEPTH_MAX 256 /* file systems and tools cope; more is an attack */
/* the directory @path below @root, opened; made with 0755 where missing; links are followed only as
 * long as they stay inside, or, @plain, as they are. @entry is for the text */
int path_open_dir(int root, const char *path, bool plain, const char *entry,
		  struct err *e) MUST_CHECK;
bool path_is_direct(int root, const char *path); /* as far as it is there no link is in it */
int path_remove(int dirfd, const char *name) MUST_CHECK; /* recursive; absent: 0 */
bool is_whiteout(int dirfd, const char *name);
int set_opaque(int dirfd) MUST_CHECK;
/* mkdir that turns a whiteout of this layer into an opaque directory */
int make_dir(int dirfd, const char *name) MUST_CHECK;

/* ---- helper_pack.c: a tree as a tar ---- */

struct pack {
	/* a container's upper directory: whiteouts become .wh. files, and what the runtime made as
	 * mount points is left out */
	bool layer;
	/* goes before each name: "etc" makes etc/, etc/passwd; "/" makes /, /etc/, ...; NULL: names
	 * below the root, which itself is left out */
	const char *prefix;
};
/* all below @dirfd to @out */
int pack_tree(int dirfd, const struct pack *p, int out, struct err *e) MUST_CHECK;
/* one entry of @dirfd that is no directory, called as it is */
int pack_one(int dirfd, const char *name, int out, struct err *e) MUST_CHECK;

/* ---- helper_files.c: stat, get, put ---- */

struct request {
	json_t *json; /* owns the texts */
	const char *path;
	struct view_mount *mounts;
	size_t n_mounts;
	bool read_only; /* the root, for put */
	struct tree_rules rules;
};
int request_read(struct request *r, struct err *e) MUST_CHECK; /* from REQUEST_FD */
void request_done(struct request *r);
int files_work(const char *verb, const struct request *r, struct err *e) MUST_CHECK;
/* where @path leads with all links followed, as far as it is there */
char *files_resolve(const char *path);

/* ---- helper_unpack.c ---- */

/* "tree": an archive's plain files into @dir itself; {"plain":true} where a file is no archive */
int unpack_tree(const char *verb, const char *dir, struct err *e) MUST_CHECK;
/* in helper_layer.c: is what @fd, a file, holds an archive? It is read from its start again after.
 * Return: 1, 0, -errno */
int is_archive(int fd, struct err *e) MUST_CHECK;

/* ---- helper_save.c: images as one archive on fd 1 ---- */

/* {"images":[{"id":..,"config":"<text>","tags":[{"familiar":..,"canonical":..}],
 *             "layers":[{"dir":"<in @layers>","diff":..}]}]} */
int save_work(const json_t *request, int layers, struct err *e) MUST_CHECK;

/* ---- helper_blob.c: a layer as registries take it, on fd 1 ---- */

/* the directory has "diff" and "recipe". Its digest and size are reported */
int layer_blob(int layer, const char *diff_id, struct err *e) MUST_CHECK;

/* ---- helper_run.c ---- */

/* {"@key":true} */
int report_flag(const char *key, struct err *e) MUST_CHECK;

int report_stat(const char *name, uint64_t size, uint32_t mode, int64_t mtime_ns,
		const char *target, struct err *e) MUST_CHECK;

int helper_main(int argc, char **argv);
