/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * archive.h - archives in and out of containers, and images from them
 *
 * Loop thread, as engine.h. Archives are foreign bytes and go through atoll-helper (image/task.h).
 */
#pragma once

#include "engine/engine.h"

/* ---- archives in and out of containers (archive.c) ---- */
struct path_stat {
	const char *name; /* the last part of the path */
	int64_t size;
	uint32_t mode; /* Go's os.FileMode */
	int64_t mtime_ns;
	const char *target; /* of a link: where it leads, all followed; else "" */
};
struct transfer;
struct transfer_ops {
	/* stat and get: once, before the first piece; borrowed */
	void (*stat)(const struct path_stat *st, void *data);
	/* get and export: of the tar; non-zero: no more until transfer_resume() */
	int (*piece)(const void *piece, size_t len, void *data);
	void (*writable)(void *data); /* put: after transfer_write() took less than asked */
	/* the end, exactly once, also after transfer_abort(); never within engine_transfer(). A
	 * path that is not there: ERR_NOT_FOUND, "Could not find the file /x" */
	void (*done)(int result, const struct err *e, void *data);
	void *data;
};
enum transfer_verb { TRANSFER_STAT, TRANSFER_GET, TRANSFER_PUT, TRANSFER_EXPORT };
enum {
	TRANSFER_NO_OVERWRITE =
		1,		 /* put: no directory takes the place of something else, or back */
	TRANSFER_COPY_OWNER = 2, /* put: all belongs to the container's user */
};
/* The files of a container, running or not, with its volumes and binds but for an export; @path is
 * resolved inside its root, links included. GET: the tar of a file or directory, named as @path's
 * last part. PUT: a tar (plain, gzip, xz, zstd) unpacked into the directory @path, by
 * transfer_write() and transfer_eof(). EXPORT: the whole root (@path NULL). One that does not run
 * is mounted for the time. A confined helper reads and writes; the caller only sees bytes. */
int engine_transfer(struct container *c, enum transfer_verb verb, const char *path, unsigned flags,
		    const struct transfer_ops *ops, struct transfer **ret,
		    struct err *e) MUST_CHECK;
ssize_t transfer_write(struct transfer *t, const char *data, size_t len); /* as image_load_write */
void transfer_eof(struct transfer *t);
void transfer_resume(struct transfer *t);
void transfer_abort(struct transfer *t); /* what was unpacked before stays */

/* what a container changed of its image (storage/storage.h); cb at once where it fails at once */
struct changes;
void engine_changes(struct container *c,
		    void (*cb)(int result, const struct changes *v, const struct err *e,
			       void *data),
		    void *data);

/* ---- commit (commit.c) ---- */
struct commit_spec {
	const char *repo, *tag;	      /* NULL or "": none */
	const char *author, *comment; /* may be NULL */
	char *const *changes;	      /* Dockerfile lines; NULL none */
	const json_t *config; /* a Config of the client's, NULL none; the container's fills it */
	bool pause;	      /* its processes stand still meanwhile */
};
/* an image from a container and its image. cb's error texts are Docker's; @image_id borrowed */
void engine_commit(struct container *c, const struct commit_spec *spec,
		   void (*cb)(int result, const char *image_id, const struct err *e, void *data),
		   void *data);
