/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry.c - questions to registries: POST /auth, GET /distribution/{name}/json, GET
 * /images/search */
#include <string.h>

#include "api/internal.h"
#include "base/limits.h"
#include "base/str.h"

#define SEARCH_MIN 1
#define SEARCH_MAX 100

struct question {
	struct api_call *c;
	struct image_ask *ask;
	void (*answer)(struct api_call *c, const json_t *answer, struct question *q);
	struct filters *filters;
};

static void question_free(struct question *q)
{
	filters_free(q->filters);
	free(q);
}

static void on_answer(int result, const json_t *answer, const struct err *e, void *data)
{
	struct question *q = data;
	struct api_call *c = q->c;

	c->gone = NULL;
	if (result < 0)
		api_error(c, e);
	else
		q->answer(c, answer, q);
	question_free(q);
}

static void on_gone(struct api_call *c)
{
	struct question *q = c->data;

	image_ask_abort(q->ask);
	question_free(q);
	api_drop(c);
}

static struct question *question_new(struct api_call *c,
				     void (*answer)(struct api_call *c, const json_t *answer,
						    struct question *q))
{
	struct question *q = calloc(1, sizeof(*q));

	if (q) {
		q->c = c;
		q->answer = answer;
	}
	return q;
}

/* it was asked (@r >= 0) or not */
static void wait_for(struct api_call *c, struct question *q, int r, const struct err *e)
{
	if (r < 0) {
		if (q)
			question_free(q);
		api_error(c, e);
		return;
	}
	c->data = q;
	c->gone = on_gone;
}

/* ---- login ---- */

static void login_json(struct api_call *c, const json_t *answer, struct question *q)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);

	(void)q;
	jsonw_object(&w, NULL);
	jsonw_str(&w, "Status", "Login Succeeded");
	jsonw_str(&w, "IdentityToken", json_string_value(json_get(answer, "token")));
	jsonw_end_object(&w);
	api_json(c, 200, &b);
}

void registry_auth(struct api_call *c)
{
	struct question *q = question_new(c, login_json);
	struct err e = {0};
	int r = q ? image_login(engine_images(c->en), c->body, on_answer, q, &q->ask, &e)
		  : err_nomem(&e);

	wait_for(c, q, r, &e);
}

/* ---- what a name leads to ---- */

static void describe_json(struct api_call *c, const json_t *answer, struct question *q)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);

	(void)q;
	jsonw_json(&w, NULL, answer);
	api_json(c, 200, &b);
}

void registry_describe(struct api_call *c)
{
	struct question *q = question_new(c, describe_json);
	struct err e = {0};
	int r = q ? image_describe(engine_images(c->en), c->params[0],
				   http_header(c->r, "X-Registry-Auth"), on_answer, q, &q->ask, &e)
		  : err_nomem(&e);

	wait_for(c, q, r, &e);
}

/* ---- search ---- */

static bool flag_fits(const struct filters *f, const char *key, const json_t *value)
{
	bool want = false;
	struct err e;

	return !filters_get(f, key) || filters_bool(f, key, false, &want, &e) < 0 ||
	       want == json_is_true(value);
}

static bool result_fits(const struct filters *f, const json_t *one)
{
	char *const *stars = filters_get(f, "stars");
	int64_t least = 0;

	for (; stars && *stars; stars++)
		if (parse_i64(*stars, &least) >= 0 &&
		    json_integer_value(json_get(one, "star_count")) < least)
			return false;
	return flag_fits(f, "is-official", json_get(one, "is_official")) &&
	       flag_fits(f, "is-automated", json_get(one, "is_automated"));
}

static void search_json(struct api_call *c, const json_t *answer, struct question *q)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	const json_t *one;
	size_t i;

	jsonw_array(&w, NULL);
	json_array_foreach(answer, i, one)
	{
		if (!json_is_object(one) || !result_fits(q->filters, one))
			continue;
		jsonw_object(&w, NULL);
		jsonw_i64(&w, "star_count", json_integer_value(json_get(one, "star_count")));
		jsonw_bool(&w, "is_official", json_is_true(json_get(one, "is_official")));
		jsonw_str(&w, "name", json_string_value(json_get(one, "name")));
		jsonw_bool(&w, "is_automated", json_is_true(json_get(one, "is_automated")));
		jsonw_str(&w, "description", json_string_value(json_get(one, "description")));
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	api_json(c, 200, &b);
}

static int start_search(struct api_call *c, struct question *q, struct err *e)
{
	static const char *const keys[] = {"is-automated", "is-official", "stars", NULL};
	const char *term = api_query(c, "term");
	int64_t limit = 0;
	int r = api_filters(c, keys, &q->filters, e);

	if (r >= 0)
		r = api_query_i64(c, "limit", 0, &limit, e);
	if (r < 0)
		return r;
	if (str_empty(term))
		return err_invalid(e, "a term to search for is needed");
	if (limit && (limit < SEARCH_MIN || limit > SEARCH_MAX))
		return err_invalid(e, "limit %lld is outside the range of [%d, %d]",
				   (long long)limit, SEARCH_MIN, SEARCH_MAX);
	if (strstr(term, "://"))
		return err_invalid(e,
				   "invalid repository name: repository name (%.200s) should not "
				   "have a scheme",
				   term);
	const struct image_search search = {
		.term = term, .limit = limit, .auth = http_header(c->r, "X-Registry-Auth")};

	return image_search(engine_images(c->en), &search, on_answer, q, &q->ask, e);
}

void registry_search(struct api_call *c)
{
	struct question *q = question_new(c, search_json);
	struct err e = {0};
	int r = q ? start_search(c, q, &e) : err_nomem(&e);

	wait_for(c, q, r, &e);
}
