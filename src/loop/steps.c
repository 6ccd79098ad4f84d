/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steps.c - the runner of step lists
 *
 * States: FORWARD (step @at runs or waits), BACK (the undo of step @at runs or waits). A step that
 * resumes before its do_ returned STEP_WAIT is noted in @resumed and taken up at once.
 */

#include "loop/steps.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "loop/loop.h"

struct steps {
	struct loop *loop;
	const struct steps_def *def;
	size_t at;
	void *ctx;
	steps_finish_fn finish;
	bool back, inside, waiting, resumed, cancelled;
	int resumed_result;
	int result; /* what finish gets */
	struct err e, resumed_e;
};

/* "start:4" in ATOLL_FAIL_STEP: the fourth step of every operation "start" fails. */
static bool fault(const struct steps *s)
{
	const char *spec = getenv("ATOLL_FAIL_STEP"), *colon = spec ? strchr(spec, ':') : NULL;
	uint32_t nth;

	if (!colon || strlen(s->def->operation) != (size_t)(colon - spec) ||
	    strncmp(s->def->operation, spec, (size_t)(colon - spec)) != 0)
		return false;
	return parse_u32(colon + 1, &nth) >= 0 && s->at + 1 == nth;
}

static int step_do(struct steps *s, struct err *e)
{
	const struct step *st = &s->def->table[s->at];

	if (s->cancelled)
		return err_set(e, ERR_INTERNAL, ECANCELED, "%s was cancelled", s->def->operation);
	if (fault(s))
		return err_set(e, ERR_INTERNAL, EIO, "fault injected at step %s", st->name);
	return st->do_(s, s->ctx, e);
}

static void turn_back(struct steps *s, int r, const struct err *e)
{
	s->result = r;
	if (e && e->code)
		s->e = *e;
	else
		(void)err_sys(&s->e, -r, "%s: %s", s->def->operation, s->def->table[s->at].name);
	s->back = true;
	log_debug("step failed operation=%s step=%s error=%s", s->def->operation,
		  s->def->table[s->at].name, s->e.msg);
}

/* Runs until a step waits (false) or all is over (true). */
static bool run(struct steps *s)
{
	while (s->back || s->at < s->def->n) {
		struct err e = {0};
		int r;

		s->resumed = false;
		s->waiting = true; /* steps_resume() may come from within */
		if (s->back)
			r = s->def->table[s->at].undo ? s->def->table[s->at].undo(s, s->ctx)
						      : STEP_DONE;
		else
			r = step_do(s, &e);
		if (r == STEP_WAIT) {
			if (!s->resumed)
				return false;
			r = s->resumed_result;
			e = s->resumed_e;
		}
		s->waiting = false;
		if (s->back) {
			if (r < 0)
				log_warn("undo failed operation=%s step=%s error=%s",
					 s->def->operation, s->def->table[s->at].name,
					 strerror(-r));
			if (!s->at)
				return true;
			s->at--;
		} else if (r < 0) {
			turn_back(s, r, &e);
		} else {
			s->at++;
		}
	}
	return true;
}

static void end(struct steps *s)
{
	s->finish(s->result, s->result < 0 ? &s->e : NULL, s->ctx);
	free(s);
}

int steps_run(struct loop *l, const struct steps_def *def, void *ctx, steps_finish_fn finish,
	      struct steps **ret)
{
	struct steps *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct steps){.loop = l, .def = def, .ctx = ctx, .finish = finish};
	if (ret)
		*ret = s;
	s->inside = true;
	if (!run(s)) {
		s->inside = false;
		return 0;
	}
	if (ret)
		*ret = NULL;
	end(s);
	return 0;
}

void steps_resume(struct steps *s, int result, const struct err *e)
{
	if (!s->waiting)
		return;
	s->resumed = true;
	s->resumed_result = result;
	s->resumed_e = e ? *e : (struct err){0};
	if (s->inside)
		return; /* run() looks when the step returns */
	s->waiting = false;
	s->inside = true;
	if (s->back) {
		if (result < 0)
			log_warn("undo failed operation=%s step=%s error=%s", s->def->operation,
				 s->def->table[s->at].name, strerror(-result));
		if (!s->at) {
			end(s);
			return;
		}
		s->at--;
	} else if (result < 0) {
		turn_back(s, result, &s->resumed_e);
	} else {
		s->at++;
	}
	if (run(s))
		end(s);
	else
		s->inside = false;
}

void steps_cancel(struct steps *s)
{
	s->cancelled = true;
}

bool steps_undoing(const struct steps *s)
{
	return s->back;
}
