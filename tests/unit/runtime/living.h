/* SPDX-License-Identifier: GPL-2.0-or-later */
/* living.h - containers and execs with everything that is told of them written down */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/rand.h"
#include "box.h"
#include "loop/loop.h"
#include "runtime/runtime.h"

#define PATIENCE_MS 10000
#define LIVING_LOCK BOX "/lock" /* the life lock */

/* What one attach told. */
struct heard {
	struct buf out, err;
	struct rt_attach *attach;
	int closed, early; /* early: output before its owner was told that it is there */
	size_t pause_at;   /* output() asks for a pause when so much has come, 0: for none */
	int pauses;
	bool ready;
};

struct life {
	char id[ID_LEN + 1];
	struct heard heard;
	int made, pid, started, deleted; /* how often */
	int made_code, start_code, delete_code;
	int exits, exit_code;
	bool oom, exit_after_delete;
	int64_t finished_ns;
	struct err e;
};

struct run_exec {
	char id[ID_LEN + 1];
	struct heard heard;
	int told, pid_or_err;
	int exits, exit_code;
	bool closed_first; /* the end of its output came before its exit */
	struct err e;
};

extern struct loop *loop;
extern struct runtime *rt;

const char *living_open(void); /* into the box, loop and runtime open; NULL, or why not */
void living_runtime(void);     /* (again) a runtime on the same exec-root: the engine's next life */
void living_close(void);
bool until(const int *count, int want); /* runs the loop; false: it never came */
void settle(int ms);			/* runs the loop so long */

void life_init(struct life *l);
struct rt_spec life_spec(const struct life *l, char *const *args);
bool life_create(struct life *l, const struct rt_spec *s, const struct rt_create *how);
pid_t shim_of(const struct life *l);
bool life_attach(struct life *l);
bool life_start(struct life *l);
bool life_delete(struct life *l);
void life_done(struct life *l);
/* all of it with sh -c @script, to its exit */
bool life_run(struct life *l, const char *script);

bool exec_args(struct run_exec *x, const struct life *l, char *const *args, bool attach);
bool exec_start(struct run_exec *x, const struct life *l, const char *script, bool attach);
void heard_done(struct heard *h);
struct rt_attach_ops heard_ops(struct heard *h);
char *const *sh(const char *script); /* one at a time */
