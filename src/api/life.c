/* SPDX-License-Identifier: GPL-2.0-or-later */
/* life.c - /containers/{id}: pause, unpause, update, top */

#include "engine/life.h"
#include "base/limits.h"

#include "api/internal.h"

void containers_pause(struct api_call *c)
{
	struct container *k = api_container(c);

	if (k)
		engine_pause(k, api_done, c);
}

void containers_unpause(struct api_call *c)
{
	struct container *k = api_container(c);

	if (k)
		engine_unpause(k, api_done, c);
}

/* ---- update ---- */

static void updated(int result, char *const *warnings, const struct err *e, void *data)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_BODY);
	struct jsonw w = JSONW_INIT(&out);
	struct api_call *c = data;

	if (result < 0) {
		api_error(c, e);
		return;
	}
	jsonw_object(&w, NULL);
	if (warnings)
		jsonw_strv(&w, "Warnings", warnings);
	else
		jsonw_null(&w, "Warnings");
	jsonw_end_object(&w);
	api_json(c, 200, &out);
}

void containers_update(struct api_call *c)
{
	struct container *k = api_container(c);

	if (k)
		engine_update(k, c->body, updated, c);
}

/* ---- top ---- */

static void listed(int result, const struct top *t, const struct err *e, void *data)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&out);
	struct api_call *c = data;

	if (result < 0) {
		api_error(c, e);
		return;
	}
	jsonw_object(&w, NULL);
	jsonw_array(&w, "Processes");
	for (size_t i = 0; i < t->n; i++)
		jsonw_strv(&w, NULL, t->processes[i]);
	jsonw_end_array(&w);
	jsonw_strv(&w, "Titles", t->titles);
	jsonw_end_object(&w);
	api_json(c, 200, &out);
}

void containers_top(struct api_call *c)
{
	struct container *k = api_container(c);

	if (k)
		engine_top(k, api_query(c, "ps_args"), listed, c);
}
