/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template_tree.h - a parsed template, between template_parse.c, template.c and template_fn.c */
#pragma once

#include <stdbool.h>

#include "cli/template.h"

enum operand_kind {
	ON_DOT,	 /* .A.B; no fields: the dot itself */
	ON_VAR,	 /* $x.A; name without '$' ("" is the root) */
	ON_TEXT, /* "..." or `...` */
	ON_NUMBER,
	ON_BOOL,
	ON_NIL,
	ON_PIPE,     /* ( ... ).A */
	ON_FUNCTION, /* only first in a command */
};
struct pipe;
struct operand {
	enum operand_kind kind;
	char *text; /* of a variable, text or function */
	double number;
	char **fields;
	struct pipe *pipe;
};
struct command_ { /* operands side by side: a function and what it is given, or one value */
	struct operand *operands;
	size_t n;
};
struct pipe { /* commands between '|' */
	struct command_ *commands;
	size_t n;
	char *var[2]; /* $k, $v := of the pipe; without '$' */
};
enum node_kind { NODE_TEXT, NODE_PRINT, NODE_IF, NODE_WITH, NODE_RANGE };
struct node {
	enum node_kind kind;
	char *text;
	size_t text_len;
	struct pipe *pipe;
	struct node *body, *other; /* other: {{else}} */
	struct node *next;
};
struct tmpl {
	struct node *first;
};

/* a function's call: @argv borrowed (NULL: a key that is not there); @ret a new reference */
int tmpl_function(const char *name, json_t **argv, size_t argc, json_t **ret,
		  struct err *e) MUST_CHECK;
bool tmpl_function_known(const char *name);
bool tmpl_true(const json_t *v);
int tmpl_print(struct buf *out, const json_t *v, int depth); /* as Go's %v */
