/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * build.h - docker build without BuildKit: a context and a Dockerfile to images, step by step
 *
 * Each step is an image made from the one before it: a RUN by committing a container of the engine,
 * COPY, ADD and WORKDIR by committing files, the others by a new config over the same layers. A
 * step whose image is there already is taken from there (the cache). Loop thread.
 *
 * A build owns what it makes: its directories, its containers. They go at its end, by a cancel, and
 * after a kill -9 by the next builder_new(). Containers that a build leaves on purpose (rm=0, or a
 * failure without forcerm) stay, as in Docker.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct engine;
struct builder;
struct build;

/* after engine_open(): removes what builds of the last life left */
int builder_new(struct engine *en, struct builder **ret, struct err *e) MUST_CHECK;
/* before engine_close(): builds end with an error; what they leave is the next life's to remove */
void builder_free(struct builder *b);

struct build_options {		/* borrowed until build_start() returns */
	const char *dockerfile; /* NULL: "Dockerfile" */
	char *const *tags;	/* NULL none */
	const char *target;	/* NULL: the last stage */
	const json_t *args;	/* name -> string or null; NULL none */
	const json_t *labels;	/* name -> string; NULL none */
	const json_t *host;	/* HostConfig of its containers: limits, NetworkMode, ExtraHosts */
	const char *platform;	/* NULL: this machine's */
	const char *registry_config; /* the X-Registry-Config header, NULL none */
	bool no_cache, pull, remove, force_remove, quiet;
};

struct build_ops {
	/* a piece of output; non-zero: no more, but for a few lines, until build_resume() */
	int (*text)(const char *text, size_t len, void *data);
	void (*aux)(const char *image_id, void *data); /* a stage is made */
	/* of a pull, as of struct image_pull_ops */
	void (*progress)(const char *id, const char *status, int64_t current, int64_t total,
			 void *data);
	void (*writable)(void *data); /* after build_write() returned less than asked */
	/* the end, exactly once, also after build_cancel(): 0, or -errno with @e. @code: of a RUN
	 * that failed, else 0 */
	void (*done)(int result, int code, const struct err *e, const char *image_id, void *data);
	void *data;
};
/* then the context's bytes, then build_eof() */
int build_start(struct builder *bd, const struct build_options *o, const struct build_ops *ops,
		struct build **ret, struct err *e) MUST_CHECK;
ssize_t build_write(struct build *b, const char *data, size_t len); /* bytes taken; -EPIPE: no more
								       wanted, done comes */
void build_eof(struct build *b);
void build_resume(struct build *b);
void build_cancel(struct build *b); /* the client is gone */
