/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - a build in work, shared by the files that carry it on
 *
 * At any time exactly one thing is awaited (the context, a pull, a job, a container, a commit) and
 * its callback carries on with one of: flow_step_done() the step has its image, flow_fail(). Both
 * return to the loop first (flow.c), so no chain of callbacks grows with the Dockerfile. A cancel
 * sets
 * @cancelled and hurries what is awaited; the end comes when that has come.
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "base/rand.h"
#include "build/args.h"
#include "build/build.h"
#include "build/copy.h"
#include "build/dockerfile.h"
#include "build/runconfig.h"
#include "engine/engine.h"
#include "image/chain.h"
#include "image/image.h"
#include "storage/storage.h"

#define BUILD_ANNOTATION "org.atoll.build" /* of its containers: the build's id */

#define WORK_NAME                                                                                  \
	STORAGE_BUILD_PREFIX "%.32s-%c" /* of a directory of storage/ that no container has */
#define WORK_SIZE 48

struct builder {
	struct engine *en;
	char *dir; /* <data-root>/build: a file a build in work, with the build's id as its name */
	struct list builds;
	struct job_pool *jobs; /* our own: copying must not keep the engine's jobs waiting */
};

struct options { /* what of the request outlives it */
	char *dockerfile, *target, *platform, *registry_config;
	char **tags;
	json_t *labels, *host;
	bool no_cache, pull, remove, force_remove, quiet;
};

struct work { /* a root file system that is not a container's */
	char name[WORK_SIZE];
	int root; /* negative: none */
};

struct build {
	struct list node;
	struct builder *bd; /* NULL: the builder is gone, nothing of the engine may be touched */
	struct build_ops ops;
	struct options o;
	char id[ID_LEN + 1];
	struct source *turn; /* the next step is due */
	void (*on_turn)(struct build *b);
	bool awaiting;	    /* a callback will come */
	bool full, stalled; /* nobody reads the output; the next step waits for that */
	bool over;	    /* done() was called */
	atomic_bool cancelled;
	struct err err; /* of the failure */
	int code;

	/* the context */
	struct image_unpack *unpack; /* being received, or an archive of ADD */
	struct image_pull *pull;     /* of a base image, by the name @pulling */
	char *pulling;
	char *context; /* its directory */
	int context_fd;

	/* the Dockerfile, and where we are in it */
	struct dockerfile *df;
	struct args args;
	size_t global, stage, step; /* next ones */
	size_t number, total;	    /* "Step 1/5" */
	struct instr **triggers;    /* ONBUILD of the base image, still to do */
	size_t n_triggers, trigger;

	/* the stage */
	bool begun;		 /* its FROM is done */
	char image[DIGEST_SIZE]; /* the last step's, "" nothing yet */
	json_t *config;
	char *maintainer;
	bool cmd_set, missed;	      /* a CMD was seen; the cache has missed */
	char (*results)[DIGEST_SIZE]; /* of the stages done */
	char **held;		      /* images that nobody may delete meanwhile */

	/* the step */
	const struct instr *now;
	char **words; /* its arguments, expanded */
	json_t *key;  /* what it is known by in the cache */
	/* RUN */
	char container[ID_LEN + 1];
	struct attachment *attached;
	struct waiter *wait;
	bool starting, paused, output_open, exited;
	int exit_code;
	/* COPY, ADD, WORKDIR */
	struct work from, to;
	struct find_job find;
	struct copy_job copy;
	size_t unpacked; /* sources looked at for archives */
	/* whoever waits for an image, a commit, a removal */
	void (*then_found)(struct build *b, const char *image_id);
	void (*then)(struct build *b);
};

/* ---- builder.c ---- */
void build_end(struct build *b); /* tells the end and frees; nothing may be awaited */

/* ---- flow.c ---- */
void flow_begin(struct build *b); /* the context is there */
/* @next in a turn of the loop of its own */
void flow_later(struct build *b, void (*next)(struct build *b));
void flow_unstall(struct build *b);   /* there is room for output again; @b may be gone then */
void flow_step_done(struct build *b); /* @image is the step's */
void flow_fail(struct build *b, const struct err *e);
void flow_printf(struct build *b, const char *fmt, ...) PRINTF(2, 3);
/* the awaited thing has come. Return: true the build is cancelled, and its end is under way */
bool flow_back(struct build *b);
/* keeps @id from deletion until the end of the build */
int flow_hold(struct build *b, const char *id, struct err *e) MUST_CHECK;

/* ---- from.c ---- */
/* an image by name, for FROM and COPY --from: found here, or pulled. @then once, with the image's
 * id in @found ("" for scratch), or flow_fail() */
void from_resolve(struct build *b, const char *ref, const char *platform,
		  void (*then)(struct build *b, const char *image_id));

/* ---- commit.c ---- */
/* Is there an image of this step (@b->key) already? Then it is the step's. Return: true: it was,
 * and flow_step_done() comes */
bool cache_probe(struct build *b);
/* the step's image from @upper (NULL: no files), then @then, or flow_fail() */
void commit_step(struct build *b, const char *upper, void (*then)(struct build *b));

/* ---- steps ---- */
void step_run(struct build *b); /* step_run.c */
void run_cancel(struct build *b);
void run_resume(struct build *b);
/* containers that are left: removed where @o says so; @then when they are gone */
void run_cleanup(struct build *b, bool failed, void (*then)(struct build *b));
void step_copy(struct build *b); /* step_copy.c */
void step_workdir(struct build *b);
void copy_release(struct build *b); /* what a COPY holds */

/* ---- work.c ---- */
/* a root over @image's layers ("" none: an empty directory) */
int work_open(struct build *b, struct work *w, char which, const char *image,
	      struct err *e) MUST_CHECK;
/* where what was written is, malloc'ed; the root is closed and unmounted first */
int work_seal(struct build *b, struct work *w, char **ret_upper, struct err *e) MUST_CHECK;
void work_close(struct build *b, struct work *w);
