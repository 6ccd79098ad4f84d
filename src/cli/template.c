/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template.c - running a parsed template over a JSON value */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/template_tree.h"

#define VARS_MAX  32
#define ARGS_MAX  16
#define STEPS_MAX 2000000 /* nodes of one run: a bound for nested ranges */

struct run {
	struct {
		const char *name;
		json_t *value; /* a reference of ours, or NULL */
	} vars[VARS_MAX];
	size_t n_vars;
	struct buf *out;
	unsigned steps;
	bool lenient; /* within a condition: a missing key is no error */
	struct err *e;
};

static int eval_pipe(struct run *run, const struct pipe *p, json_t *dot, json_t **ret);
static int run_nodes(struct run *run, const struct node *n, json_t *dot);

/* ---- values ---- */

/* @v is taken. Return: *@ret a new reference, or NULL for what is not there */
static int walk(struct run *run, json_t *v, char *const *fields, json_t **ret)
{
	json_incref(v);
	for (size_t i = 0; fields && fields[i]; i++) {
		json_t *next = json_object_get(v, fields[i]);

		if (!next && !run->lenient) {
			bool object = json_is_object(v) || !v || json_is_null(v);

			json_decref(v);
			return object ? err_invalid(run->e,
						    "template: :1: executing \"\" at <.%s>: map "
						    "has no entry for key \"%s\"",
						    fields[i], fields[i])
				      : err_invalid(
						run->e,
						"template: :1: executing \"\" at <.%s>: can't "
						"evaluate field %s in a value that is no object",
						fields[i], fields[i]);
		}
		json_incref(next);
		json_decref(v);
		v = next;
	}
	*ret = v;
	return 0;
}

static int variable(struct run *run, const struct operand *o, json_t **ret)
{
	for (size_t i = run->n_vars; i-- > 0;)
		if (streq(run->vars[i].name, o->text))
			return walk(run, run->vars[i].value, o->fields, ret);
	return err_invalid(run->e,
			   "template parsing error: template: :1: undefined variable \"$%s\"",
			   o->text);
}

static int nested(struct run *run, const struct operand *o, json_t *dot, json_t **ret)
{
	json_t *v = NULL;
	int r = eval_pipe(run, o->pipe, dot, &v);

	if (r >= 0)
		r = walk(run, v, o->fields, ret);
	json_decref(v);
	return r;
}

static int operand(struct run *run, const struct operand *o, json_t *dot, json_t **ret)
{
	*ret = NULL;
	switch (o->kind) {
	case ON_DOT:
		return walk(run, dot, o->fields, ret);
	case ON_VAR:
		return variable(run, o, ret);
	case ON_PIPE:
		return nested(run, o, dot, ret);
	case ON_TEXT:
		*ret = json_string_nocheck(o->text);
		break;
	case ON_NUMBER:
		*ret = json_integer((json_int_t)o->number);
		break;
	case ON_BOOL:
		*ret = json_boolean(o->number != 0);
		break;
	case ON_NIL:
		*ret = json_null();
		break;
	case ON_FUNCTION:
		return tmpl_function(o->text, NULL, 0, ret, run->e);
	}
	return *ret ? 0 : err_nomem(run->e);
}

/* .Label "key": the one method that docker's lists have */
static int label(struct run *run, const struct command_ *c, json_t *dot, json_t **ret)
{
	json_t *key = NULL, *value;
	int r = operand(run, &c->operands[1], dot, &key);

	if (r < 0)
		return r;
	value = json_object_get(json_object_get(dot, "_labels"),
				json_is_string(key) ? json_string_value(key) : "");
	*ret = value ? json_incref(value) : json_string("");
	json_decref(key);
	return *ret ? 0 : err_nomem(run->e);
}

static int call(struct run *run, const struct command_ *c, json_t *dot, json_t *piped, json_t **ret)
{
	json_t *argv[ARGS_MAX] = {NULL};
	size_t argc = 0;
	bool lenient = run->lenient;
	int r = 0;

	if (c->n + (piped != NULL) > ARGS_MAX)
		return err_invalid(run->e, "template: more than %d arguments", ARGS_MAX);
	/* a condition's arguments, and those of index, may be missing */
	run->lenient = lenient || streq(c->operands[0].text, "index");
	for (size_t i = 1; i < c->n && r >= 0; i++)
		r = operand(run, &c->operands[i], dot, &argv[argc++]);
	run->lenient = lenient;
	if (piped)
		argv[argc++] = json_incref(piped);
	if (r >= 0)
		r = tmpl_function(c->operands[0].text, argv, argc, ret, run->e);
	for (size_t i = 0; i < argc; i++)
		json_decref(argv[i]);
	return r;
}

static int eval_command(struct run *run, const struct command_ *c, json_t *dot, json_t *piped,
			json_t **ret)
{
	const struct operand *first = &c->operands[0];

	if (++run->steps > STEPS_MAX)
		return err_invalid(run->e, "template: too much work");
	if (first->kind == ON_FUNCTION)
		return call(run, c, dot, piped, ret);
	if (c->n == 2 && first->kind == ON_DOT && strv_len(first->fields) == 1 &&
	    streq(first->fields[0], "Label") && json_is_object(json_object_get(dot, "_labels")))
		return label(run, c, dot, ret);
	if (c->n > 1 || piped)
		return err_invalid(run->e, "template: can't give argument to non-function");
	return operand(run, first, dot, ret);
}

static int set_variable(struct run *run, const char *name, json_t *value)
{
	if (run->n_vars == VARS_MAX)
		return err_invalid(run->e, "template: more than %d variables", VARS_MAX);
	run->vars[run->n_vars].name = name;
	run->vars[run->n_vars++].value = json_incref(value);
	return 0;
}

static void drop_variables(struct run *run, size_t n)
{
	while (run->n_vars > n)
		json_decref(run->vars[--run->n_vars].value);
}

static int eval_pipe(struct run *run, const struct pipe *p, json_t *dot, json_t **ret)
{
	json_t *v = NULL;

	for (size_t i = 0; i < p->n; i++) {
		json_t *next = NULL;
		/* what comes out of the first command is piped on, a missing value as nil */
		json_t *piped = i ? (v ? v : json_null()) : NULL;
		int r = eval_command(run, &p->commands[i], dot, piped, &next);

		json_decref(v);
		if (r < 0)
			return r;
		v = next;
	}
	*ret = v;
	return 0;
}

/* ---- nodes ---- */

static int condition(struct run *run, const struct node *n, json_t *dot)
{
	bool lenient = run->lenient;
	size_t vars = run->n_vars;
	json_t *v = NULL;
	int r;

	run->lenient = true;
	r = eval_pipe(run, n->pipe, dot, &v);
	run->lenient = lenient;
	if (r >= 0 && n->pipe->var[0])
		r = set_variable(run, n->pipe->var[0], v);
	if (r >= 0) {
		if (tmpl_true(v))
			r = run_nodes(run, n->body, n->kind == NODE_WITH ? v : dot);
		else
			r = run_nodes(run, n->other, dot);
	}
	drop_variables(run, vars);
	json_decref(v);
	return r;
}

/* The body once, with its variables: one gets the value, two the key and the value. */
static int iteration(struct run *run, const struct node *n, json_t *key, json_t *value)
{
	size_t vars = run->n_vars;
	const struct pipe *p = n->pipe;
	int r = 0;

	if (p->var[0])
		r = set_variable(run, p->var[0], p->var[1] ? key : value);
	if (r >= 0 && p->var[1])
		r = set_variable(run, p->var[1], value);
	if (r >= 0)
		r = run_nodes(run, n->body, value);
	drop_variables(run, vars);
	return r;
}

static int range_array(struct run *run, const struct node *n, json_t *v)
{
	for (size_t i = 0; i < json_array_size(v); i++) {
		auto_json json_t *key = json_integer((json_int_t)i);
		int r = iteration(run, n, key, json_array_get(v, i));

		if (r < 0)
			return r;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int range_object(struct run *run, const struct node *n, json_t *v)
{
	size_t count = 0;
	auto_free const char **keys = calloc(json_object_size(v) + 1, sizeof(*keys));
	const char *k;
	json_t *x;

	if (!keys)
		return err_nomem(run->e);
	json_object_foreach(v, k, x)
	{
		keys[count++] = k;
	}
	qsort(keys, count, sizeof(*keys), by_text);
	for (size_t i = 0; i < count; i++) {
		auto_json json_t *key = json_string_nocheck(keys[i]);
		int r = iteration(run, n, key, json_object_get(v, keys[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

static int range(struct run *run, const struct node *n, json_t *dot)
{
	auto_json json_t *v = NULL;
	int r = eval_pipe(run, n->pipe, dot, &v);

	if (r < 0)
		return r;
	if (!tmpl_true(v))
		return run_nodes(run, n->other, dot);
	if (json_is_array(v))
		return range_array(run, n, v);
	if (json_is_object(v))
		return range_object(run, n, v);
	return err_invalid(run->e, "template: :1: range can't iterate over a single value");
}

static int print_node(struct run *run, const struct node *n, json_t *dot)
{
	auto_json json_t *v = NULL;
	int r = eval_pipe(run, n->pipe, dot, &v);

	if (r < 0)
		return r;
	if (n->pipe->var[0])
		return set_variable(run, n->pipe->var[0], v);
	(void)tmpl_print(run->out, v, 0);
	return 0;
}

static int run_node(struct run *run, const struct node *n, json_t *dot)
{
	if (++run->steps > STEPS_MAX)
		return err_invalid(run->e, "template: too much work");
	switch (n->kind) {
	case NODE_TEXT:
		if (n->text_len)
			(void)buf_add(run->out, n->text, n->text_len);
		break;
	case NODE_PRINT:
		return print_node(run, n, dot);
	case NODE_IF:
	case NODE_WITH:
		return condition(run, n, dot);
	case NODE_RANGE:
		return range(run, n, dot);
	}
	return 0;
}

static int run_nodes(struct run *run, const struct node *n, json_t *dot)
{
	for (; n; n = n->next) {
		int r = run_node(run, n, dot);

		if (r < 0)
			return r;
		if (buf_err(run->out))
			return err_invalid(run->e, "template: the output is too large");
	}
	return 0;
}

int tmpl_run(const struct tmpl *t, const json_t *dot, struct buf *out, struct err *e)
{
	struct run run = {.out = out, .e = e};
	json_t *root = (json_t *)(uintptr_t)dot; /* its reference count changes, its value not */
	int r = set_variable(&run, "", root);

	if (r >= 0)
		r = run_nodes(&run, t->first, root);
	drop_variables(&run, 0);
	return r;
}
