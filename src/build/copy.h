/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy.h - the files of COPY and ADD: found, hashed, copied; each a job's work, by value
 *
 * Both trees are a stranger's: every lookup that follows links stays inside its root
 * (openat2(2), RESOLVE_IN_ROOT), everything else is one name relative to an open directory. No
 * thread of ours and no container changes either tree meanwhile. Sources: the Dockerfile reference,
 * COPY.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define HASH_SIZE 65

struct source {		/* what one pattern found */
	char *path;	/* in the root, cleaned; "" is the root */
	bool dir, file; /* after links */
	char hash[HASH_SIZE];
	int unpacked; /* ADD: the tree of an archive instead of the file, owned; negative: none */
	char *unpacked_dir; /* its name, to be trashed; owned */
};

/* ---- sources.c ---- */

struct find_job {
	int root;		/* borrowed */
	char **patterns;	/* owned */
	bool from_context;	/* else an image: another text for what is not there */
	const char *word;	/* "COPY" for texts */
	atomic_bool *cancelled; /* borrowed */
	/* the result */
	struct source *found; /* owned */
	size_t n;
	char key[HASH_SIZE + 8]; /* "file:<hash>", "dir:", "multi:" of all */
	struct err err;
};
int find_work(void *job); /* 0 or -errno with @err */
void find_done(struct find_job *j);

/* ---- copy.c ---- */

struct copy_job {
	int from, to;		/* roots, borrowed */
	struct source *sources; /* borrowed */
	size_t n;
	char *dest;    /* absolute; a slash at its end says directory. Owned */
	bool preserve; /* owners as in the source, else @uid and @gid */
	uid_t uid;
	gid_t gid;
	int mode; /* of all that is copied; negative: as in the source */
	atomic_bool *cancelled;
	struct err err;
};
int copy_work(void *job);
void copy_done(struct copy_job *j);

/* WORKDIR: @path and what is missing above it, 0755 root */
int copy_mkdir(int root, const char *path, struct err *e) MUST_CHECK;

/* ---- shared ---- */
#define TREE_DEPTH_MAX 256 /* descriptors and stack: two and a frame a level */
/* openat2() inside @root, links followed; -errno */
int open_inside(int root, const char *path, int flags) MUST_CHECK;
/* a regular file and nothing else, never waiting; -errno */
int open_file(int dir, const char *name) MUST_CHECK;
/* names of a directory but "." and "..", sorted; a new strv */
int read_names(int dir, char ***ret) MUST_CHECK;
