/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_router.c - paths against a table shaped like the API's */

#include "http/router.h"
#include "tap.h"

static const struct route table[] = {
	{"GET", "/_ping", NULL, 1},
	{"HEAD", "/_ping", NULL, 2},
	{"GET", "/containers/json", NULL, 3},
	{"POST", "/containers/create", NULL, 4},
	{"GET", "/containers/{id}/json", NULL, 5},
	{"DELETE", "/containers/{id}", NULL, 6},
	{"GET", "/images/json", NULL, 7},
	{"POST", "/images/create", NULL, 8},
	{"GET", "/images/{name...}/json", NULL, 9},
	{"GET", "/images/{name...}/history", NULL, 10},
	{"POST", "/images/{name...}/tag", NULL, 11},
	{"DELETE", "/images/{name...}", NULL, 12},
	{"GET", "/a/{x}/b/{y}/c/{z}", NULL, 13},
	{"GET", "/", NULL, 14},
	{"GET", "/two/{x...}/mid/{y...}/end", NULL, 15},
	{"GET", "/four/{a}/{b}/{c}/{d}", NULL, 16},
};

static const struct {
	const char *method, *path;
	int ret;
	unsigned flags, version;
	const char *params[ROUTE_PARAMS_MAX];
} cases[] = {
	{"GET", "/_ping", 0, 1, 0, {0}},
	{"HEAD", "/_ping", 0, 2, 0, {0}},
	{"POST", "/_ping", -EPROTONOSUPPORT, 0, 0, {0}},
	{"GET", "/v1.41/_ping", 0, 1, 141, {0}},
	{"GET", "/v1.5/_ping", 0, 1, 105, {0}},
	{"GET", "/v2.0/_ping", 0, 1, 200, {0}},
	{"GET", "/v1.100/_ping", -ENOENT, 0, 0, {0}},
	{"GET", "/v1./_ping", -ENOENT, 0, 0, {0}},
	{"GET", "/v1/_ping", -ENOENT, 0, 0, {0}},
	{"GET", "/v99999999999999999999.1/_ping", -ENOENT, 0, 0, {0}},
	{"GET", "/v1.99999999999999999999/_ping", -ENOENT, 0, 0, {0}},
	{"GET", "/v1.41x/_ping", -ENOENT, 0, 0, {0}},
	{"GET", "/v1.41/v1.41/_ping", -ENOENT, 0, 0, {0}},
	{"GET", "/v1.41", 0, 14, 141, {0}},
	{"GET", "/v1.41/", 0, 14, 141, {0}},
	{"GET", "/", 0, 14, 0, {0}},
	{"GET", "", -ENOENT, 0, 0, {0}},
	{"GET", "_ping", -ENOENT, 0, 0, {0}},
	{"GET", "/_ping/", -ENOENT, 0, 0, {0}},
	{"GET", "//_ping", -ENOENT, 0, 0, {0}},
	{"get", "/_ping", -EPROTONOSUPPORT, 0, 0, {0}},
	{"GET", "/containers/json", 0, 3, 0, {0}},
	{"HEAD", "/containers/json", 0, 3, 0, {0}},
	{"GET", "/containers/c1/json", 0, 5, 0, {"c1"}},
	{"HEAD", "/v1.44/containers/c1/json", 0, 5, 144, {"c1"}},
	{"GET", "/containers//json", -ENOENT, 0, 0, {0}},
	{"GET", "/containers/a/b/json", -ENOENT, 0, 0, {0}},
	{"DELETE", "/containers/json", 0, 6, 0, {"json"}},
	{"PUT", "/containers/x", -EPROTONOSUPPORT, 0, 0, {0}},
	{"GET", "/images/json", 0, 7, 0, {0}},
	{"GET", "/images/busybox/json", 0, 9, 0, {"busybox"}},
	{"GET", "/images/reg.io:5000/a/b:c@sha256:d/json", 0, 9, 0, {"reg.io:5000/a/b:c@sha256:d"}},
	{"GET", "/images/json/json", 0, 9, 0, {"json"}},
	{"GET", "/images/a/json/json", 0, 9, 0, {"a/json"}},
	{"GET", "/images/a/history", 0, 10, 0, {"a"}},
	{"GET", "/images/a/json/history", 0, 10, 0, {"a/json"}},
	{"GET", "/images//json", -ENOENT, 0, 0, {0}},
	{"GET", "/images/a//json", -ENOENT, 0, 0, {0}},
	{"GET", "/images/a/", -ENOENT, 0, 0, {0}},
	{"DELETE", "/images/a/b/c", 0, 12, 0, {"a/b/c"}},
	{"GET", "/a/1/b/2/c/3", 0, 13, 0, {"1", "2", "3"}},
	{"GET", "/a/1/b/2/c", -ENOENT, 0, 0, {0}},
	{"GET", "/two/1/2/mid/3/4/end", 0, 15, 0, {"1/2", "3/4"}},
	{"GET", "/two/1/mid/mid/3/mid/end", 0, 15, 0, {"1", "mid/3/mid"}},
	{"GET", "/two/mid/mid/mid/end/end", 0, 15, 0, {"mid", "mid/end"}},
	{"GET", "/four/1/2/3/4", -ENOMEM, 0, 0, {0}},
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct route_match m;
		int r = route_find(table, ARRAY_SIZE(table), cases[i].method, cases[i].path, &m);

		is_int(r, cases[i].ret, "%s %s", cases[i].method, cases[i].path);
		if (r == 0) {
			is_int(m.route->flags, cases[i].flags, "the route");
			is_int(m.version, cases[i].version, "the version");
		}
		for (size_t j = 0; j < ROUTE_PARAMS_MAX; j++)
			if (m.params[j] || cases[i].params[j])
				is_str(m.params[j], cases[i].params[j], "parameter %zu", j);
		route_match_done(&m);
	}
	return tap_done();
}
