/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dockerfile.h - a Dockerfile's text to typed instructions and stages; pure, fuzzed
 *
 * Three steps: lines (parser directives, continuation, comments: lines.c), one line to a typed
 * instruction (instr.c), instructions to stages (stages.c). Errors are Docker's, with their line:
 * "dockerfile parse error on line 3: unknown instruction: FOO". What needs BuildKit is refused with
 * Docker's text. Source: the Dockerfile reference.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DOCKERFILE_MAX (1u << 20) /* bytes of one */

/* ---- lines ---- */

struct line {
	unsigned number; /* of its first line in the file */
	char *text;	 /* continued lines joined, without comments */
};
struct lines {
	char escape; /* '\\' or '`' */
	struct line *v;
	size_t n;
};
int lines_parse(const char *text, size_t len, struct lines *ret, struct err *e) MUST_CHECK;
void lines_done(struct lines *l);

/* ---- instructions ---- */

enum verb {
	DO_ADD,
	DO_ARG,
	DO_CMD,
	DO_COPY,
	DO_ENTRYPOINT,
	DO_ENV,
	DO_EXPOSE,
	DO_FROM,
	DO_HEALTHCHECK,
	DO_LABEL,
	DO_MAINTAINER,
	DO_ONBUILD,
	DO_RUN,
	DO_SHELL,
	DO_STOPSIGNAL,
	DO_USER,
	DO_VOLUME,
	DO_WORKDIR,
};

struct instr {
	enum verb verb;
	unsigned line;
	char *source; /* as the build's output shows it */
	/* ADD, COPY: sources, then the destination. ARG: "name" or "name=value". ENV, LABEL: name,
	 * value, name, value. FROM: the image. ONBUILD: the trigger. HEALTHCHECK: the Test. Others:
	 * the words */
	char **args;
	bool json;	/* the list form was used */
	bool no_expand; /* a LABEL of the request */
	char *name;	/* FROM: the stage's, lower case; or NULL */
	char *from, *chown, *chmod, *platform;
	char *needs;	/* what of it only BuildKit does ("--mount option"): an error once it is
			   reached */
	json_t *health; /* HEALTHCHECK: HealthConfig without its Test; NULL for NONE */
};
/* one line of text, as it stands after FROM or as an ONBUILD trigger */
int instr_parse(const char *text, unsigned line, char escape, struct instr **ret,
		struct err *e) MUST_CHECK;
void instr_free(struct instr *i);
DEFINE_AUTO(struct instr, instr_free);
/* --label of the request: a LABEL whose value is taken as it is */
int instr_label(const char *name, const char *value, struct instr **ret, struct err *e) MUST_CHECK;

/* ---- stages ---- */

struct stage {
	struct instr *from;
	struct instr **steps;
	size_t n;
};
struct dockerfile {
	char escape;
	struct instr **globals; /* ARGs before the first FROM */
	size_t n_globals;
	struct stage *stages;
	size_t n_stages;
};
int dockerfile_parse(const char *text, size_t len, struct dockerfile **ret,
		     struct err *e) MUST_CHECK;
void dockerfile_free(struct dockerfile *d);
DEFINE_AUTO(struct dockerfile, dockerfile_free);
/* cuts what comes after stage @target (name or number); "failed to reach build target x in
 * Dockerfile" */
int dockerfile_target(struct dockerfile *d, const char *target, struct err *e) MUST_CHECK;
/* takes @i as the last step of the last stage */
int dockerfile_append(struct dockerfile *d, struct instr *i) MUST_CHECK;
size_t dockerfile_steps(const struct dockerfile *d); /* as "Step 1/n" counts them */

/* ---- small ones, shared ---- */
/* "[" "a" "," "b" "]" to a new strv (*ret NULL: empty). Return: 1 it is a list, 0 it is not;
 * -EINVAL a list of other things than strings */
int words_json(const char *text, char ***ret, struct err *e) MUST_CHECK;
/* splits at blanks outside of quotes; quotes and escapes stay */
int words_split(const char *text, char escape, char ***ret, struct err *e) MUST_CHECK;
