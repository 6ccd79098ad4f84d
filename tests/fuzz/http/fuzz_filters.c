/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_filters.c - a request target as a client sends it: path, query, and filters in the query */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/filters.h"
#include "http/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void use_filters(const char *text)
{
	static const char *const allowed[] = {"name", "label", "id", "dangling", "until", NULL};
	auto_(filters_free) struct filters *f = NULL;
	auto_json json_t *labels = json_pack("{s:s}", "a", "b");
	struct err e = {0};
	bool b;
	int r = filters_parse(text, allowed, &f, &e);

	check(r == 0 ? f != NULL : (f == NULL && e.msg[0]));
	if (!f)
		return;
	for (size_t i = 0; allowed[i]; i++) {
		char *const *v = filters_get(f, allowed[i]);

		check(!v || *v);
		for (; v && *v; v++)
			check(filters_exact(f, allowed[i], *v) &&
			      filters_partial(f, allowed[i], *v) &&
			      filters_prefix(f, allowed[i], *v));
	}
	(void)filters_labels(f, "label", labels);
	r = filters_bool(f, "dangling", false, &b, &e);
	check(r == 0 || (r < 0 && e.msg[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *target = strndup((const char *)data, size), *path = NULL;
	auto_(query_free) struct query *q = NULL;
	struct err e = {0};

	if (!target)
		return 0;
	if (target_parse(target, &path, &q, &e) < 0) {
		check(!path && e.msg[0]);
		return 0;
	}
	check(*path && strlen(path) <= strlen(target) + 1);
	check(query_len(q) <= QUERY_PAIRS_MAX);
	use_filters(query_get(q, "filters"));
	use_filters(target); /* as it is, too */
	return 0;
}
