/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - a data root in namespaces of its own for a test of storage/
 *
 * The test goes on as the first process of a new process namespace with private mounts; a process
 * outside removes the directory at the end, however that comes.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/str.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "storage/storage.h"

struct world {
	char *dir, *root; /* root: dir/data */
	struct loop *loop;
	struct job_pool *jobs;
	struct storage *storage;
};

const char *world_enter(struct world *w); /* NULL, or why it cannot be */
void world_open(struct world *w);
void world_close(struct world *w);
void world_settle(struct world *w);

/* @path is below the data root; malloc'ed */
char *at(struct world *w, const char *path);
bool there(struct world *w, const char *path);
void put_file(struct world *w, const char *path, const char *text);
void put_dir(struct world *w, const char *path, mode_t mode);
char *text_of(struct world *w, const char *path); /* NULL: no such file */
unsigned count(struct world *w, const char *folder);
