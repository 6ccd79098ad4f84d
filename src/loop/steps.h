/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steps.h - operations of several steps, undone in reverse when one fails
 *
 * A step's do_ returns STEP_DONE, STEP_WAIT (it will call steps_resume() later, exactly once) or
 * -errno with the error filled. On failure, and on cancel at the next boundary, undo runs for the
 * failed step and all before it, in reverse. undo must be idempotent, work on a half-done step, and
 * may return STEP_WAIT too; its failure is logged and the undoing goes on. When all is over @finish
 * is called once, on the loop thread, never from within steps_run() itself unless every step was
 * done without waiting; the steps object is freed after it.
 *
 * Tests: ATOLL_FAIL_STEP="operation:n" in the environment makes the nth step of that operation fail
 * (1-based) with ERR_INTERNAL "fault injected at step <name>", each time. One steps object belongs
 * to the loop thread.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

enum { STEP_DONE = 0, STEP_WAIT = 1 };

struct loop;
struct steps;

struct step {
	const char *name;
	int (*do_)(struct steps *s, void *ctx, struct err *e);
	int (*undo)(struct steps *s, void *ctx); /* NULL: nothing to undo */
};

/* @result 0 or the -errno of the failed step (-ECANCELED if cancelled); @e its error, valid during
 * the call */
typedef void (*steps_finish_fn)(int result, const struct err *e, void *ctx);

struct steps_def { /* static: must outlive the run */
	const char *operation;
	const struct step *table;
	size_t n;
};

/* @ctx is the caller's and freed in @finish. Return: 0 or -ENOMEM (then nothing ran and finish is
 * not called) */
int steps_run(struct loop *l, const struct steps_def *def, void *ctx, steps_finish_fn finish,
	      struct steps **ret) MUST_CHECK;
/* the waiting step (do_ or undo) ended: 0 or -errno with @e (may be NULL) copied */
void steps_resume(struct steps *s, int result, const struct err *e);
void steps_cancel(struct steps *s);
bool steps_undoing(const struct steps *s);
