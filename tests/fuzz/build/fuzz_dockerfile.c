/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_dockerfile.c - a Dockerfile: parsed, its steps expanded and applied to a config. What is
 * printed as a step parses again to the same words */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "build/runconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool about_config(enum verb v)
{
	return v != DO_FROM && v != DO_RUN && v != DO_COPY && v != DO_ADD && v != DO_ARG;
}

static void one(json_t *config, struct args *a, const struct instr *i, char escape, bool *cmd_set)
{
	auto_strv char **words = NULL;
	auto_free char *comment = NULL;

	if (runconfig_expand(config, a, escape, i, &words, NULL) < 0)
		return;
	for (char **w = words; i->verb == DO_ARG && w && *w; w++)
		if (args_declare(a, *w, false) < 0)
			return;
	if (about_config(i->verb) &&
	    runconfig_apply(config, i, words, cmd_set, &comment, NULL) >= 0) {
		json_t *key = runconfig_key_comment(config, comment, false);

		json_decref(key);
	}
}

static void again(const struct instr *i, char escape)
{
	auto_(instr_free) struct instr *twin = NULL;

	if (instr_parse(i->source, i->line, escape, &twin, NULL) < 0 || twin->verb != i->verb ||
	    strv_len(twin->args) != strv_len(i->args))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_(dockerfile_free) struct dockerfile *d = NULL;
	auto_json json_t *config = runconfig_new(NULL);
	struct err e = {0};
	struct args a;
	bool cmd_set = false;

	if (size > 16384)
		return 0;
	if (dockerfile_parse((const char *)data, size, &d, &e) < 0) {
		if (!e.code || !*e.msg)
			abort();
		return 0;
	}
	if (args_init(&a, NULL, NULL) < 0)
		return 0;
	for (size_t s = 0; s < d->n_stages; s++)
		for (size_t i = 0; i < d->stages[s].n; i++) {
			again(d->stages[s].steps[i], d->escape);
			one(config, &a, d->stages[s].steps[i], d->escape, &cmd_set);
		}
	args_done(&a);
	return 0;
}
