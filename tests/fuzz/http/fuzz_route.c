/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_route.c - "METHOD path" against a table with every shape of pattern */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route table[] = {
	{"GET", "/", NULL, 0},
	{"GET", "/_ping", NULL, 0},
	{"GET", "/containers/json", NULL, 0},
	{"GET", "/containers/{id}/json", NULL, 0},
	{"POST", "/containers/{id}/{what}", NULL, 0},
	{"GET", "/images/{name...}/json", NULL, 0},
	{"POST", "/images/{name...}/tag", NULL, 0},
	{"DELETE", "/images/{name...}", NULL, 0},
	{"GET", "/two/{x...}/mid/{y...}/end", NULL, 0},
	{"GET", "/three/{x...}/a/{y...}/a/{z...}/a", NULL, 0},
	{"GET", "/four/{a}/{b}/{c}/{d}", NULL, 0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *line = strndup((const char *)data, size);
	struct route_match m;
	size_t at, params = 0;
	int r;

	if (!line)
		return 0;
	at = strcspn(line, " ");
	if (line[at])
		line[at++] = '\0';
	r = route_find(table, ARRAY_SIZE(table), line, line + at, &m);
	for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++) {
		/* in order, never empty, and each from the path */
		if (m.params[i] &&
		    (params != i || !*m.params[i] || !strstr(line + at, m.params[i])))
			abort();
		params += m.params[i] != NULL;
	}
	if ((r == 0) != (m.route != NULL) || (r < 0 && params))
		abort();
	if (r == 0 && !streq(m.route->method, line) && !streq(line, "HEAD"))
		abort();
	route_match_done(&m);
	return 0;
}
