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

struct images_config {
	const char *helper;  /* path of atoll-helper */
	const char *builtin; /* path of the built-in docker-archive (busybox.tar), NULL none; loaded
				when atoll/busybox is absent */
	int life_fd;	     /* inherited by helpers */
};
int images_open(struct loop *l, struct db *db, struct storage *st, const struct images_config *c,
		struct images **ret, struct err *e) MUST_CHECK;
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
int64_t image_size(const struct image *i);
int64_t image_created_ns(const struct image *i); /* from the config */

int image_tag(struct images *im, struct image *i, const char *repo, const char *tag,
	      struct err *e) MUST_CHECK;
/* DELETE /images/{ref}: untags, and deletes the image when no tag is left. @used tells whether a
 * container uses it: returns 0 no, 1 a stopped one, 2 a running one, with its 12-digit id. Texts
 * and 409s as Docker's
 * ("conflict: unable to remove repository reference \"x\" (must force) - container y is using its
 * referenced image z", "conflict: unable to delete z (must be forced) - image is referenced in
 * multiple repositories", ...).
 * @out: array of {"Untagged":..}/{"Deleted":..} appended to a jansson array */
int image_remove(struct images *im, const char *ref, bool force,
		 int (*used)(const char *image_id, char short_id[13], void *data), void *data,
		 json_t *out, struct err *e) MUST_CHECK;
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
