/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_steps.c - step lists: order, waiting, undoing in reverse, cancelling, injected faults */

#include "base/buf.h"
#include "base/str.h"
#include "loop/loop.h"
#include "loop/steps.h"
#include "tap.h"

/* What each step does: "d" done, "w" waits and is resumed by a later turn, "n" resumes before it
 * returns, "f" fails, "F" waits and then fails, "c" cancels itself and is done; undo: "d", "w",
 * "f",
 * "-" none. */
struct plan {
	const char *does, *undoes;
	bool over;
	int result;
	struct err e;
	struct steps *s;
	struct buf trace;
};

static struct loop *l;

static void resume_good(void *data)
{
	struct plan *p = data;

	steps_resume(p->s, 0, NULL);
}

static void resume_bad(void *data)
{
	struct plan *p = data;
	struct err e = {0};

	steps_resume(p->s, err_set(&e, ERR_CONFLICT, EBUSY, "late failure"), &e);
}

static int step_do(struct steps *s, struct plan *p, unsigned i, struct err *e)
{
	(void)buf_printf(&p->trace, "+%u", i);
	if (steps_undoing(s))
		(void)buf_puts(&p->trace, "!");
	p->s = s; /* steps_run() gives it only when it returns */
	switch (p->does[i]) {
	case 'w':
		return loop_defer(l, resume_good, p, NULL) < 0 ? -ENOMEM : STEP_WAIT;
	case 'F':
		return loop_defer(l, resume_bad, p, NULL) < 0 ? -ENOMEM : STEP_WAIT;
	case 'n':
		steps_resume(s, 0, NULL);
		return STEP_WAIT;
	case 'f':
		return err_set(e, ERR_INVALID, EINVAL, "step %u failed", i);
	case 'q':
		return -ENOSPC; /* without a word */
	case 'c':
		steps_cancel(s);
	}
	return STEP_DONE;
}

static int step_undo(struct steps *s, struct plan *p, unsigned i)
{
	(void)buf_printf(&p->trace, "-%u", i);
	if (!steps_undoing(s))
		(void)buf_puts(&p->trace, "!");
	switch (p->undoes[i]) {
	case 'w':
		return loop_defer(l, resume_good, p, NULL) < 0 ? -ENOMEM : STEP_WAIT;
	case 'f':
		return -EIO;
	}
	return STEP_DONE;
}

#define DO(n)                                                                                      \
	static int do_##n(struct steps *s, void *ctx, struct err *e)                               \
	{                                                                                          \
		return step_do(s, ctx, n, e);                                                      \
	}
#define UNDO(n)                                                                                    \
	static int undo_##n(struct steps *s, void *ctx)                                            \
	{                                                                                          \
		return step_undo(s, ctx, n);                                                       \
	}
DO(0)
DO(1)
DO(2)
DO(3)
UNDO(0)
UNDO(1)
UNDO(3)

static void finished(int result, const struct err *e, void *ctx)
{
	struct plan *p = ctx;

	(void)buf_puts(&p->trace, ".");
	p->over = true;
	p->result = result;
	if (e)
		p->e = *e;
}

static const struct step table[] = {
	{"zero", do_0, undo_0},
	{"one", do_1, undo_1},
	{"two", do_2, NULL}, /* nothing to undo */
	{"three", do_3, undo_3},
};
static const struct steps_def def = {"test", table, ARRAY_SIZE(table)};

static void run(struct plan *p)
{
	struct steps *s = (struct steps *)(uintptr_t)1;

	p->trace = BUF_INIT(1024);
	if (steps_run(l, &def, p, finished, &s) < 0)
		printf("# out of memory\n");
	if (p->over && s)
		printf("# a finished run was given out\n");
	for (int i = 0; i < 50 && !p->over; i++)
		(void)loop_run_once(l, 0);
}

static void plans(void)
{
	static const struct {
		const char *does, *undoes, *trace, *error;
		int result;
	} rows[] = {
		{"dddd", "dddd", "+0+1+2+3.", "", 0},
		{"wwww", "dddd", "+0+1+2+3.", "", 0},
		{"nnnn", "dddd", "+0+1+2+3.", "", 0},
		{"dnwd", "dddd", "+0+1+2+3.", "", 0},
		{"fddd", "dddd", "+0-0.", "step 0 failed", -EINVAL},
		{"dddf", "dddd", "+0+1+2+3-3-1-0.", "step 3 failed", -EINVAL},
		{"ddfd", "dddd", "+0+1+2-1-0.", "step 2 failed", -EINVAL},
		{"wwwF", "wwww", "+0+1+2+3-3-1-0.", "late failure", -EBUSY},
		{"Fddd", "dddd", "+0-0.", "late failure", -EBUSY},
		{"dwdf", "fwdf", "+0+1+2+3-3-1-0.", "step 3 failed", -EINVAL},
		{"dqdd", "dddd", "+0+1-1-0.", "test: one: No space left on device", -ENOSPC},
		{"dcdd", "dddd", "+0+1-1-0.", "test was cancelled", -ECANCELED},
		{"dddc", "dddd", "+0+1+2+3.", "", 0}, /* no boundary is left */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan p = {.does = rows[i].does, .undoes = rows[i].undoes};

		run(&p);
		is_str(buf_str(&p.trace), rows[i].trace, "%s/%s", rows[i].does, rows[i].undoes);
		is_int(p.result, rows[i].result, "its result");
		is_str(p.e.msg, rows[i].error, "its error");
		buf_done(&p.trace);
	}
}

/* Cancelled while a step waits: it ends first, then it and what was before it is undone. */
static void cancelled(void)
{
	struct plan p = {.does = "dwdd", .undoes = "wdwd", .trace = BUF_INIT(1024)};
	struct steps *s;

	is_int(steps_run(l, &def, &p, finished, &s), 0, "waits");
	is_str(buf_str(&p.trace), "+0+1", "in its second step");
	steps_cancel(s);
	is_str(buf_str(&p.trace), "+0+1", "cancelled: not at once");
	for (int i = 0; i < 10 && !p.over; i++)
		(void)loop_run_once(l, 0);
	/* the third step, at whose boundary it was seen, never began; its undo would allow for that
	 */
	is_str(buf_str(&p.trace), "+0+1-1-0.", "but at the next boundary");
	is_int(p.result, -ECANCELED, "and told so");
	buf_done(&p.trace);
}

static void injected(void)
{
	static const struct {
		const char *spec, *trace;
		int result;
	} rows[] = {
		{"test:1", "-0.", -EIO},       {"test:2", "+0-1-0.", -EIO},
		{"test:3", "+0+1-1-0.", -EIO}, {"test:4", "+0+1+2-3-1-0.", -EIO},
		{"test:5", "+0+1+2+3.", 0},    {"test:0", "+0+1+2+3.", 0},
		{"other:1", "+0+1+2+3.", 0},   {"tes:1", "+0+1+2+3.", 0},
		{"test", "+0+1+2+3.", 0},      {"test:x", "+0+1+2+3.", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan p = {.does = "dddd", .undoes = "dddd"};

		(void)setenv("ATOLL_FAIL_STEP", rows[i].spec, 1);
		run(&p);
		is_str(buf_str(&p.trace), rows[i].trace, "ATOLL_FAIL_STEP=%s", rows[i].spec);
		is_int(p.result, rows[i].result, "its result");
		if (!strcmp(rows[i].spec, "test:2"))
			is_str(p.e.msg, "fault injected at step one", "its error");
		buf_done(&p.trace);
	}
	(void)unsetenv("ATOLL_FAIL_STEP");
}

int main(void)
{
	if (loop_new(&l) < 0)
		return 1;
	plans();
	cancelled();
	injected();
	loop_free(l);
	return tap_done();
}
