/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - the images this engine has: find, list, tag, remove, load, import
 *
 * Loop thread. Archives are foreign bytes: they are read only by atoll-helper, a confined process;
 * what it reports (digests, sizes) is checked again here. No half image is ever visible: layers are
 * unpacked beside, renamed, and the image row commits last.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct db;
struct images;
struct image;
struct loop;
struct storage;

struct registry_config { /* of the engine; borrowed, and may change between two calls */
	char *const *insecure, *const *mirrors;
	const char *proxy_http, *proxy_https, *no_proxy; /* NULL: none */
	unsigned max_downloads, max_uploads, download_attempts;
};
struct images_config {
	const char *helper;   /* path of atoll-helper */
	const char *registry; /* path of atoll-registry, NULL: nothing is pulled or pushed */
	const struct registry_config *registries;
	const char *builtin; /* path of the built-in docker-archive (busybox.tar), NULL none; loaded
				when atoll/busybox is absent */
	int life_fd;	     /* inherited by helpers */
};
int images_open(struct loop *l, struct db *db, struct storage *st, const struct images_config *c,
		struct images **ret, struct err *e) MUST_CHECK;
/* loads, commits and helpers end with -ECANCELED now, and none begins any more */
void images_stop(struct images *im);
void images_close(struct images *im);
/* after recovery has made its holds: deletes hidden images nobody holds, and loads the built-in one
 * if it is not there; done(0 or -errno), at once where there is nothing to load */
int images_builtin(struct images *im, void (*done)(int result, void *data), void *data) MUST_CHECK;

/* by tag, id, id prefix or digest. ERR_NOT_FOUND: "No such image: busybox:latest". An image that
 * was deleted while containers hold it is found by its whole id ("sha256:...") alone: theirs */
int image_find(struct images *im, const char *ref, struct image **ret, struct err *e) MUST_CHECK;
struct image *image_next(struct images *im, struct image *prev); /* newest first */
size_t images_count(const struct images *im);
const char *image_id(const struct image *i);	   /* "sha256:..." */
const json_t *image_config(const struct image *i); /* whole config: .config, .rootfs, .history,
						      .created, .architecture, .os */
char *const *image_layers(const struct image *i);  /* chain ids, base first */
char *const *image_tags(const struct image *i);	   /* familiar, "busybox:latest"; NULL none */
char *const *image_digests(const struct image *i); /* familiar, "busybox@sha256:.."; NULL none */
int64_t image_size(const struct image *i);
/* of the layer at @n, base first; -1: not known (stored before layers' sizes were kept) */
int64_t image_layer_size(const struct image *i, size_t n);
/* such a layer's files were counted: all images that have it know it for this life */
void image_layer_counted(struct images *im, const char *chain_id, int64_t bytes);
int64_t image_created_ns(const struct image *i); /* from the config */

/* ---- steps of builds: only this engine says what an image was made from, never an archive ---- */
/* the image it was made from, NULL: it came whole, or its parent is gone */
const char *image_parent(struct images *im, const struct image *i);
/* says what @i was made from ("" nothing) and by which step: @key is a hash, "" for a commit */
int image_step_set(struct images *im, struct image *i, const char *parent, const char *key,
		   struct err *e) MUST_CHECK;
/* the newest image made from @parent ("" nothing) by the step @key, NULL none */
struct image *image_step_find(struct images *im, const char *parent, const char *key);
bool image_has_children(struct images *im, const struct image *i);
/* without a name, but another image was made from it: not shown, and no rubbish */
bool image_intermediate(struct images *im, const struct image *i);

/* is @name one that image_tag() takes as its @repo? */
int image_name_check(const char *name, struct err *e) MUST_CHECK;
int image_tag(struct images *im, struct image *i, const char *repo, const char *tag,
	      struct err *e) MUST_CHECK;
/* DELETE /images/{ref}: untags, and deletes the image when no tag is left. @used tells whether a
 * container uses it: returns 0 no, 1 a stopped one, 2 a running one, with its 12-digit id. Texts
 * and 409s as Docker's
 * ("conflict: unable to remove repository reference \"x\" (must force) - container y is using its
 * referenced image z", "conflict: unable to delete z (must be forced) - image is referenced in
 * multiple repositories", ...). An image that others were made from here only loses its names; with
 * the last of those its nameless parents go, too, unless IMAGE_NO_PRUNE.
 * @out: array of {"Untagged":..}/{"Deleted":..} appended to a jansson array */
enum { IMAGE_FORCE = 1, IMAGE_NO_PRUNE = 2 };
int image_remove(struct images *im, const char *ref, unsigned flags,
		 int (*used)(const char *image_id, char short_id[13], void *data), void *data,
		 json_t *out, struct err *e) MUST_CHECK;
/* Dockerfile lines (CMD, ENV, LABEL, ...) onto an image's inner config, as --change has them */
int changes_apply(json_t *config, char *const *changes, struct err *e) MUST_CHECK;
/* keep an image's layers while a container exists: counted by the engine telling us, in each life
 * anew. An image deleted meanwhile is hidden and goes with the last one */
void image_hold(struct images *im, const char *image_id);
void image_release(struct images *im, const char *image_id);

/* ---- load and import: bytes are pushed in as they come from the client ---- */
struct image_load;
struct image_load_ops {
	void (*progress)(const char *text,
			 void *data); /* "Loaded image: busybox:latest" lines; may be NULL */
	void (*writable)(void *data); /* after image_load_write returned less than asked */
	/* the end, exactly once (also after abort): 0, or -errno with e. @ids: images made or found
	 */
	void (*done)(int result, char *const *image_ids, const struct err *e, void *data);
	void *data;
};
/* docker-archive or OCI layout, as one tar, itself plain/gzip/zstd/xz; layers likewise */
int image_load_start(struct images *im, const struct image_load_ops *ops, struct image_load **ret,
		     struct err *e) MUST_CHECK;
/* one root file system tar as one layer. @changes: Dockerfile lines (CMD, ENV, ENTRYPOINT, EXPOSE,
 * LABEL, USER, VOLUME, WORKDIR) */
int image_import_start(struct images *im, const char *repo_tag_or_null, char *const *changes,
		       const char *message, const struct image_load_ops *ops,
		       struct image_load **ret, struct err *e) MUST_CHECK;
ssize_t image_load_write(struct image_load *l, const char *data,
			 size_t len); /* bytes taken, 0..len; -EPIPE: helper ended, done comes */
void image_load_eof(struct image_load *l);
void image_load_abort(struct image_load *l); /* client gone: nothing is left; done(-ECANCELED) */

/* ---- save: images as one archive ---- */
struct image_save;
struct image_save_ops {
	/* a piece of the archive; non-zero: no more until image_save_resume() */
	int (*piece)(const void *piece, size_t len, void *data);
	/* the end, exactly once, never within image_save_start(); an error before the first piece
	 * is all there is, one after it breaks the archive off */
	void (*done)(int result, const struct err *e, void *data);
	void *data;
};
/* "repo:tag" saves that name, "repo" all its tags, an id or digest no name. @ret_ids: those saved,
 * a new strv. The images are held until the end */
int image_save_start(struct images *im, char *const *names, const struct image_save_ops *ops,
		     struct image_save **ret, char ***ret_ids, struct err *e) MUST_CHECK;
void image_save_resume(struct image_save *s);
void image_save_abort(struct image_save *s); /* done(-ECANCELED) comes */

/* ---- commit: an image from another one and the changes of a container ---- */
struct image_commit {
	const char *parent_id; /* image id; NULL: from nothing */
	const char *upper;     /* overlay upper directory; NULL: no new layer, only config. It must
				  be there until done */
	const json_t *config;  /* the image's inner config object */
	const char *author, *comment, *created_by, *container_id; /* each may be NULL */
	const char *repo_tag;					  /* familiar "repo:tag" or NULL */
	bool no_history; /* adds no history entry (the caller's config has its own way) */
};
/* @upper is packed by one helper and unpacked by another, as every layer is; the parent is held
 * meanwhile. @done exactly once, with the image's id (borrowed) or the error; at once, before this
 * returns, where there is no @upper. An empty @upper makes no layer, as in Docker. */
int image_commit_start(struct images *im, const struct image_commit *spec,
		       void (*done)(int result, const char *image_id, const struct err *e,
				    void *data),
		       void *data, struct err *e) MUST_CHECK;
/* ---- pull ---- */
struct image_pull;
struct image_pull_spec {
	const char *name;     /* "busybox", "host:5000/x:1", "x@sha256:.." */
	bool all_tags;	      /* of the repository; the name's own counts nothing */
	const char *platform; /* "linux/arm64"; NULL: this machine's */
	const char *auth; /* X-Registry-Auth as it came, or NULL; what is broken counts as none */
};
struct image_pull_ops {
	/* a line for the client: @id "latest" or a layer's 12 digits, NULL none. @current -1: no
	 * progress belongs to it; else bytes of @total (0, 0: none yet). May be NULL */
	void (*progress)(const char *id, const char *status, int64_t current, int64_t total,
			 void *data);
	void (*pulled)(const char *name, const char *image_id, void *data); /* each; may be NULL */
	/* the end, exactly once, also after an abort: 0, or -errno with e (Docker's texts) */
	void (*done)(int result, const struct err *e, void *data);
	void *data;
};
int image_pull_start(struct images *im, const struct image_pull_spec *s,
		     const struct image_pull_ops *ops, struct image_pull **ret,
		     struct err *e) MUST_CHECK;
void image_pull_abort(
	struct image_pull *p); /* done(-ECANCELED) comes from within; nothing is left */

/* ---- push ---- */
struct image_push;
struct image_push_ops {
	/* as of a pull */
	void (*progress)(const char *id, const char *status, int64_t current, int64_t total,
			 void *data);
	/* each tag; may be NULL */
	void (*pushed)(const char *tag, const char *digest, int64_t size, void *data);
	void (*done)(int result, const struct err *e, void *data); /* once, also after an abort */
	void *data;
};
/* @tag NULL or "": the name's, else all of the repository; @auth as for a pull */
int image_push_start(struct images *im, const char *name, const char *tag, const char *auth,
		     const struct image_push_ops *ops, struct image_push **ret,
		     struct err *e) MUST_CHECK;
void image_push_abort(struct image_push *p); /* done(-ECANCELED) comes from within */

/* ---- questions to a registry: one answer each ---- */
struct image_ask;
/* 0 and @answer (borrowed), or -errno with @e; never from within the start */
typedef void (*image_ask_fn)(int result, const json_t *answer, const struct err *e, void *data);
/* POST /auth: @auth as in its body; the answer has "token". ERR_UNAUTHORIZED where refused */
int image_login(struct images *im, const json_t *auth, image_ask_fn fn, void *data,
		struct image_ask **ret, struct err *e) MUST_CHECK;
/* GET /distribution/{name}/json: "Descriptor" and "Platforms" */
int image_describe(struct images *im, const char *name, const char *auth, image_ask_fn fn,
		   void *data, struct image_ask **ret, struct err *e) MUST_CHECK;
struct image_search {
	const char *term; /* may begin with a registry's host */
	int64_t limit;	  /* 0: as the index likes */
	const char *auth;
};
/* GET /images/search: an array of the index's results */
int image_search(struct images *im, const struct image_search *q, image_ask_fn fn, void *data,
		 struct image_ask **ret, struct err *e) MUST_CHECK;
void image_ask_abort(struct image_ask *a); /* no answer comes */

/* ---- plain files of an archive: a build's context, what ADD unpacks ---- */
struct image_unpack;
struct image_unpack_ops {
	void (*writable)(void *data); /* after image_unpack_write() returned less than asked */
	/* the end, exactly once, also after an abort: 0 or -errno with @e. @dir: the files, a
	 * directory that is the callee's to give to storage_trash(); NULL with 0: the file is no
	 * archive */
	void (*done)(int result, const char *dir, const struct err *e, void *data);
	void *data;
};
/* a tar, plain or gzip, xz, zstd. @file: read from there, where it may be none; it stays the
 * caller's. Negative: its bytes are pushed in */
int image_unpack_start(struct images *im, int file, const struct image_unpack_ops *ops,
		       struct image_unpack **ret, struct err *e) MUST_CHECK;
ssize_t image_unpack_write(struct image_unpack *u, const char *data,
			   size_t len); /* bytes taken; -EPIPE: the helper ended, done comes */
void image_unpack_eof(struct image_unpack *u);
void image_unpack_abort(struct image_unpack *u); /* done(-ECANCELED) comes */
