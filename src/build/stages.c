/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stages.c - instructions to stages: what stands before the first FROM, and what each FROM begins
 */

#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "build/dockerfile.h"

static int push(struct instr ***v, size_t *n, struct instr *i)
{
	struct instr **grown = realloc(*v, (*n + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*v = grown;
	grown[(*n)++] = i;
	return 0;
}

static int begin_stage(struct dockerfile *d, struct instr *from, struct err *e)
{
	struct stage *v;

	for (size_t s = 0; from->name && s < d->n_stages; s++)
		if (streq(d->stages[s].from->name, from->name))
			return err_invalid(e, "duplicate name %s", from->name);
	v = realloc(d->stages, (d->n_stages + 1) * sizeof(*v));
	if (!v)
		return err_nomem(e);
	d->stages = v;
	v[d->n_stages++] = (struct stage){.from = from};
	return 0;
}

int dockerfile_append(struct dockerfile *d, struct instr *i)
{
	struct stage *s = &d->stages[d->n_stages - 1];

	return push(&s->steps, &s->n, i);
}

/* takes @i where it succeeds */
static int place(struct dockerfile *d, struct instr *i, struct err *e)
{
	int r;

	if (i->verb == DO_FROM)
		return begin_stage(d, i, e);
	if (d->n_stages)
		r = dockerfile_append(d, i);
	else if (i->verb == DO_ARG)
		r = push(&d->globals, &d->n_globals, i);
	else
		return err_invalid(e, "no build stage in current context");
	return r < 0 ? err_nomem(e) : 0;
}

static int add_line(struct dockerfile *d, const struct line *line, struct err *e)
{
	auto_(instr_free) struct instr *i = NULL;
	int r = instr_parse(line->text, line->number, d->escape, &i, e);

	if (r >= 0)
		r = place(d, i, e);
	if (r < 0)
		return err_wrap(e, "dockerfile parse error on line %u", line->number);
	(void)TAKE_PTR(i);
	return 0;
}

int dockerfile_parse(const char *text, size_t len, struct dockerfile **ret, struct err *e)
{
	auto_(dockerfile_free) struct dockerfile *d = calloc(1, sizeof(*d));
	struct lines lines = {0};
	int r = d ? lines_parse(text, len, &lines, e) : err_nomem(e);

	if (r < 0)
		return r;
	d->escape = lines.escape;
	for (size_t i = 0; r >= 0 && i < lines.n; i++)
		r = add_line(d, &lines.v[i], e);
	lines_done(&lines);
	if (r >= 0 && !d->n_stages)
		r = err_invalid(e, "No image was generated. Is your Dockerfile empty?");
	if (r < 0)
		return r;
	*ret = TAKE_PTR(d);
	return 0;
}

static void stage_done(struct stage *s)
{
	instr_free(s->from);
	for (size_t i = 0; i < s->n; i++)
		instr_free(s->steps[i]);
	free(s->steps);
}

void dockerfile_free(struct dockerfile *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_globals; i++)
		instr_free(d->globals[i]);
	for (size_t i = 0; i < d->n_stages; i++)
		stage_done(&d->stages[i]);
	free(d->globals);
	free(d->stages);
	free(d);
}

/* by name, or by number from 0 */
static size_t find_stage(const struct dockerfile *d, const char *target)
{
	uint32_t number;

	for (size_t i = 0; i < d->n_stages; i++)
		if (d->stages[i].from->name && !strcasecmp(d->stages[i].from->name, target))
			return i;
	return parse_u32(target, &number) >= 0 && number < d->n_stages ? number : d->n_stages;
}

int dockerfile_target(struct dockerfile *d, const char *target, struct err *e)
{
	size_t at;

	if (str_empty(target))
		return 0;
	at = find_stage(d, target);
	if (at == d->n_stages)
		return err_invalid(e, "failed to reach build target %.200s in Dockerfile", target);
	while (d->n_stages > at + 1)
		stage_done(&d->stages[--d->n_stages]);
	return 0;
}

size_t dockerfile_steps(const struct dockerfile *d)
{
	size_t n = d->n_globals + d->n_stages;

	for (size_t i = 0; i < d->n_stages; i++)
		n += d->stages[i].n;
	return n;
}
