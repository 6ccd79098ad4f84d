/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template_parse.c - the text of a template to its tree */

#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "cli/template_tree.h"

#define DEPTH_MAX 32

struct parser {
	const char *p; /* in the text, or within an action */
	int depth;
	struct err *e;
	/* of the action that ended the last list of nodes: "end", "else", or none at the end */
	char ended[8];
	struct pipe *else_if; /* {{else if X}} */
};

static void pipe_free(struct pipe *p);

static void operand_done(struct operand *o)
{
	free(o->text);
	strv_free(o->fields);
	pipe_free(o->pipe);
}

static void pipe_free(struct pipe *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->commands[i].n; k++)
			operand_done(&p->commands[i].operands[k]);
		free(p->commands[i].operands);
	}
	free(p->commands);
	free(p->var[0]);
	free(p->var[1]);
	free(p);
}

static void nodes_free(struct node *n)
{
	while (n) {
		struct node *next = n->next;

		free(n->text);
		pipe_free(n->pipe);
		nodes_free(n->body);
		nodes_free(n->other);
		free(n);
		n = next;
	}
}

void tmpl_free(struct tmpl *t)
{
	if (!t)
		return;
	nodes_free(t->first);
	free(t);
}

static int wrong(struct parser *p, const char *what, const char *near)
{
	return err_invalid(p->e, "template parsing error: template: :1: %s%s%.40s%s", what,
			   near ? " \"" : "", near ? near : "", near ? "\"" : "");
}

static int no_memory(struct parser *p)
{
	return err_nomem(p->e);
}

/* ---- within an action ---- */

static void spaces(struct parser *p)
{
	p->p += strspn(p->p, " \t\r\n");
}

/* At the end of an action: "}}", or " -}}". */
static bool at_end(struct parser *p)
{
	spaces(p);
	return !strncmp(p->p, "}}", 2) || !strncmp(p->p, "-}}", 3) || !*p->p;
}

static size_t word_len(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

/* ".A.B" behind an operand */
static int fields(struct parser *p, struct operand *o)
{
	while (*p->p == '.') {
		size_t n = word_len(p->p + 1);

		if (!n)
			return o->kind == ON_DOT && !o->fields ? (p->p++, 0)
							       : wrong(p, "unexpected", p->p);
		if (strv_addf(&o->fields, "%.*s", (int)n, p->p + 1) < 0)
			return no_memory(p);
		p->p += n + 1;
	}
	return 0;
}

static int quoted(struct parser *p, struct operand *o)
{
	auto_buf struct buf b = BUF_INIT(1u << 20);
	char quote = *p->p++;

	while (*p->p && *p->p != quote) {
		char c = *p->p++;

		if (c == '\\' && quote == '"') {
			static const char from[] = "nrt\"\\'", to[] = "\n\r\t\"\\'";
			const char *at = *p->p ? strchr(from, *p->p) : NULL;

			if (!at)
				return wrong(p, "unknown escape in a string", p->p - 1);
			c = to[at - from];
			p->p++;
		}
		(void)buf_putc(&b, c);
	}
	if (*p->p != quote)
		return wrong(p, "unterminated quoted string", NULL);
	p->p++;
	o->kind = ON_TEXT;
	o->text = b.len ? buf_take(&b) : strdup("");
	return o->text ? 0 : no_memory(p);
}

static int number(struct parser *p, struct operand *o)
{
	size_t n = *p->p == '-';
	auto_free char *text = NULL;
	int64_t whole;

	n += strspn(p->p + n, "0123456789");
	text = strndup(p->p, n);
	if (!text)
		return no_memory(p);
	if (parse_i64(text, &whole) < 0 || p->p[n] == '.' || isalpha((unsigned char)p->p[n]))
		return wrong(p, "bad number syntax:", p->p);
	o->kind = ON_NUMBER;
	o->number = (double)whole;
	p->p += n;
	return 0;
}

static int parse_pipe(struct parser *p, struct pipe **ret);

static int parenthesis(struct parser *p, struct operand *o)
{
	int r;

	o->kind = ON_PIPE;
	p->p++;
	if (++p->depth > DEPTH_MAX)
		return wrong(p, "nested too deeply", NULL);
	r = parse_pipe(p, &o->pipe);
	p->depth--;
	if (r < 0)
		return r;
	spaces(p);
	if (*p->p != ')')
		return wrong(p, "unclosed left paren", NULL);
	p->p++;
	return fields(p, o);
}

/* A word: true, false, nil or a function, the last only where a command begins. */
static int word(struct parser *p, struct operand *o, bool first)
{
	size_t n = word_len(p->p);

	if (!n)
		return wrong(p, "unexpected", p->p);
	o->text = strndup(p->p, n);
	if (!o->text)
		return no_memory(p);
	p->p += n;
	if (streq(o->text, "true") || streq(o->text, "false")) {
		o->kind = ON_BOOL;
		o->number = o->text[0] == 't';
	} else if (streq(o->text, "nil")) {
		o->kind = ON_NIL;
	} else if (!tmpl_function_known(o->text)) {
		return err_invalid(p->e,
				   "template parsing error: template: :1: function \"%s\" not "
				   "defined",
				   o->text);
	} else {
		o->kind = ON_FUNCTION;
		if (!first)
			return wrong(p, "a function's result goes in parentheses:", o->text);
	}
	return 0;
}

static int parse_operand(struct parser *p, struct operand *o, bool first)
{
	size_t n;

	switch (*p->p) {
	case '.':
		o->kind = ON_DOT;
		return fields(p, o);
	case '$':
		o->kind = ON_VAR;
		n = word_len(p->p + 1);
		o->text = strndup(p->p + 1, n);
		p->p += n + 1;
		return o->text ? fields(p, o) : no_memory(p);
	case '"':
	case '`':
		return quoted(p, o);
	case '(':
		return parenthesis(p, o);
	default:
		if (isdigit((unsigned char)*p->p) ||
		    (*p->p == '-' && isdigit((unsigned char)p->p[1])))
			return number(p, o);
		return word(p, o, first);
	}
}

static int parse_command(struct parser *p, struct command_ *c)
{
	for (;;) {
		struct operand *more;
		int r;

		if (at_end(p) || *p->p == '|' || *p->p == ')')
			break;
		more = reallocarray(c->operands, c->n + 1, sizeof(*more));
		if (!more)
			return no_memory(p);
		c->operands = more;
		c->operands[c->n] = (struct operand){0};
		r = parse_operand(p, &c->operands[c->n], c->n == 0);
		c->n++;
		if (r < 0)
			return r;
	}
	if (c->n)
		return 0;
	return wrong(p, *p->p ? "missing value for command" : "unclosed action", NULL);
}

/* "$k, $v :=" or "$x :=" or "$x =" before a pipe */
static int parse_variables(struct parser *p, struct pipe *pipe)
{
	const char *begin = p->p;

	for (int i = 0; i < 2; i++) {
		size_t n;

		spaces(p);
		if (*p->p != '$' || !(n = word_len(p->p + 1)))
			break;
		pipe->var[i] = strndup(p->p + 1, n);
		if (!pipe->var[i])
			return no_memory(p);
		p->p += n + 1;
		spaces(p);
		if (!strncmp(p->p, ":=", 2) || (*p->p == '=' && p->p[1] != '=')) {
			p->p += *p->p == ':' ? 2 : 1;
			return 0;
		}
		if (*p->p != ',')
			break;
		p->p++;
	}
	p->p = begin;
	for (int i = 0; i < 2; i++) {
		free(pipe->var[i]);
		pipe->var[i] = NULL;
	}
	return 0;
}

static int parse_pipe(struct parser *p, struct pipe **ret)
{
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	int r;

	if (!pipe)
		return no_memory(p);
	*ret = pipe; /* the caller frees it whatever comes */
	spaces(p);
	r = parse_variables(p, pipe);
	while (r >= 0) {
		struct command_ *more =
			reallocarray(pipe->commands, pipe->n + 1, sizeof(*pipe->commands));

		if (!more)
			return no_memory(p);
		pipe->commands = more;
		pipe->commands[pipe->n] = (struct command_){0};
		r = parse_command(p, &pipe->commands[pipe->n++]);
		spaces(p);
		if (r < 0 || *p->p != '|')
			break;
		p->p++;
	}
	return r;
}

/* Behind "}}"; with "-}}" also behind the white space that follows. */
static int close_action(struct parser *p)
{
	bool trim;

	spaces(p);
	trim = *p->p == '-';
	p->p += trim;
	if (strncmp(p->p, "}}", 2) != 0)
		return *p->p ? wrong(p, "unexpected", p->p) : wrong(p, "unclosed action", NULL);
	p->p += 2;
	if (trim)
		spaces(p);
	return 0;
}

/* ---- nodes ---- */

static int parse_list(struct parser *p, struct node **ret);

static bool keyword(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(p->p, word, n) != 0 || word_len(p->p) != n)
		return false;
	p->p += n;
	return true;
}

/* The rest of {{if X}}: body, {{else if Y}} as a nested node, {{else}}, {{end}} */
static int block(struct parser *p, struct node *n)
{
	int r;

	if (++p->depth > DEPTH_MAX)
		return wrong(p, "nested too deeply", NULL);
	r = parse_list(p, &n->body);
	if (r >= 0 && streq(p->ended, "else")) {
		if (p->else_if) {
			n->other = calloc(1, sizeof(*n->other));
			if (!n->other)
				return no_memory(p);
			n->other->kind = NODE_IF;
			n->other->pipe = TAKE_PTR(p->else_if);
			r = block(p, n->other);
			p->depth--;
			return r; /* its {{end}} is ours too */
		}
		r = parse_list(p, &n->other);
		if (r >= 0 && streq(p->ended, "else"))
			r = wrong(p, "two {{else}}", NULL);
	}
	if (r >= 0 && !streq(p->ended, "end"))
		r = wrong(p, "unexpected EOF: {{end}} is missing", NULL);
	p->depth--;
	return r;
}

static int block_head(struct parser *p, struct node *n, enum node_kind kind)
{
	int r;

	n->kind = kind;
	r = parse_pipe(p, &n->pipe);
	if (r >= 0)
		r = close_action(p);
	if (r >= 0)
		r = block(p, n);
	return r;
}

/* {{end}} and {{else}} end a list. Return: 1 if it was one, 0, -EINVAL */
static int list_end(struct parser *p)
{
	int r;

	if (keyword(p, "end")) {
		(void)snprintf(p->ended, sizeof(p->ended), "end");
	} else if (keyword(p, "else")) {
		(void)snprintf(p->ended, sizeof(p->ended), "else");
		spaces(p);
		if (keyword(p, "if") && (r = parse_pipe(p, &p->else_if)) < 0)
			return r;
	} else {
		return 0;
	}
	r = close_action(p);
	return r < 0 ? r : 1;
}

static int action(struct parser *p, struct node *n)
{
	static const char *const refused[] = {"define", "template", "block", "break", "continue"};
	int r;

	if (keyword(p, "if"))
		return block_head(p, n, NODE_IF);
	if (keyword(p, "with"))
		return block_head(p, n, NODE_WITH);
	if (keyword(p, "range"))
		return block_head(p, n, NODE_RANGE);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (keyword(p, refused[i]))
			return wrong(p, "not supported:", refused[i]);
	n->kind = NODE_PRINT;
	r = parse_pipe(p, &n->pipe);
	if (r >= 0 && n->pipe->var[1])
		r = wrong(p, "two variables are for range", NULL);
	return r < 0 ? r : close_action(p);
}

/* Text up to the next action; "{{-" takes white space before it away. */
static int text_node(struct parser *p, struct node *n)
{
	const char *open = strstr(p->p, "{{"), *end = open ? open : p->p + strlen(p->p);

	n->kind = NODE_TEXT;
	if (open && open[2] == '-' && isspace((unsigned char)open[3]))
		while (end > p->p && isspace((unsigned char)end[-1]))
			end--;
	n->text_len = (size_t)(end - p->p);
	n->text = strndup(p->p, n->text_len);
	p->p = open ? open : p->p + strlen(p->p);
	return n->text ? 0 : no_memory(p);
}

/* A comment, or the end of the list, or a node. Return: 1 the list ended, 0, -EINVAL */
static int action_node(struct parser *p, struct node *n)
{
	int r;

	p->p += 2;
	if (*p->p == '-' && isspace((unsigned char)p->p[1]))
		p->p++;
	spaces(p);
	if (!strncmp(p->p, "/*", 2)) {
		const char *close = strstr(p->p + 2, "*/");

		n->text = strdup("");
		if (!close || !n->text)
			return close ? no_memory(p) : wrong(p, "unclosed comment", NULL);
		p->p = close + 2;
		return close_action(p);
	}
	r = list_end(p);
	return r ? r : action(p, n);
}

static int parse_list(struct parser *p, struct node **ret)
{
	struct node **at = ret;

	p->ended[0] = '\0';
	while (*p->p) {
		struct node *n = calloc(1, sizeof(*n));
		int r;

		if (!n)
			return no_memory(p);
		*at = n;
		at = &n->next;
		r = strncmp(p->p, "{{", 2) ? text_node(p, n) : action_node(p, n);
		if (r < 0)
			return r;
		if (r > 0)
			return 0;   /* @n stays an empty text */
		p->ended[0] = '\0'; /* that was a block's own end */
	}
	return 0;
}

int tmpl_parse(const char *text, struct tmpl **ret, struct err *e)
{
	auto_(tmpl_free) struct tmpl *t = calloc(1, sizeof(*t));
	struct parser p = {.p = text, .e = e};
	int r;

	if (!t)
		return err_nomem(e);
	r = parse_list(&p, &t->first);
	if (r >= 0 && (p.else_if || p.ended[0]))
		r = wrong(&p, "unexpected", p.ended);
	pipe_free(p.else_if);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}
