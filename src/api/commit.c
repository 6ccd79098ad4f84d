/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commit.c - what a container changed: GET /containers/{id}/changes, and POST /commit */

#include <string.h>

#include "api/internal.h"
#include "base/limits.h"
#include "base/str.h"
#include "engine/archive.h"
#include "storage/storage.h"

static void done(int result, const char *image_id, const struct err *e, void *data)
{
	struct api_call *c = data;
	struct buf b = BUF_INIT(4096);
	struct jsonw w = JSONW_INIT(&b);

	if (result < 0) {
		api_error(c, e);
		return;
	}
	jsonw_object(&w, NULL);
	jsonw_str(&w, "Id", image_id);
	jsonw_end_object(&w);
	api_json(c, 201, &b);
}

void images_commit(struct api_call *c)
{
	auto_strv char **changes = NULL;
	const char *ref = api_query(c, "container"), *v;
	struct container *k;
	struct err e = {0};
	int r = 0;

	for (size_t pos = 0; r >= 0 && (v = http_query_next(c->r, "changes", &pos));)
		r = strv_add(&changes, v) < 0 ? err_nomem(&e) : 0;
	if (r >= 0)
		r = engine_find(c->en, ref ? ref : "", &k, &e);
	if (r < 0) {
		api_error(c, &e);
		return;
	}
	const struct commit_spec spec = {
		.repo = api_query(c, "repo"),
		.tag = api_query(c, "tag"),
		.author = api_query(c, "author"),
		.comment = api_query(c, "comment"),
		.changes = changes,
		.config = c->body,
		.pause = api_query_bool(c, "pause", true),
	};

	engine_commit(k, &spec, done, c); /* a client that leaves gets its image all the same */
}

/* ---- changes ---- */

static void changes_known(int result, const struct changes *v, const struct err *e, void *data)
{
	struct api_call *c = data;
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);

	if (result < 0) {
		api_error(c, e);
		return;
	}
	if (!v->n) { /* as Go writes a list that was never made */
		jsonw_null(&w, NULL);
		api_json(c, 200, &b);
		return;
	}
	jsonw_array(&w, NULL);
	for (size_t i = 0; i < v->n; i++) {
		jsonw_object(&w, NULL);
		jsonw_str(&w, "Path", v->v[i].path);
		jsonw_i64(&w, "Kind", v->v[i].kind);
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	api_json(c, 200, &b);
}

void containers_changes(struct api_call *c)
{
	struct container *k;
	struct err e = {0};

	if (engine_find(c->en, c->params[0], &k, &e) < 0)
		api_error(c, &e);
	else
		engine_changes(k, changes_known, c);
}
