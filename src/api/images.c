/* SPDX-License-Identifier: GPL-2.0-or-later */
/* images.c - /images: list, history, tag, remove, prune, disk use */

#include <fnmatch.h>
#include <string.h>

#include "api/internal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"

static const json_t *labels_of(const struct image *i)
{
	return json_get(json_get(image_config(i), "config"), "Labels");
}

/* How many containers were made from it. */
static int64_t users_of(struct engine *en, const struct image *i)
{
	int64_t n = 0;

	for (struct container *k = NULL; (k = engine_container_next(en, k));)
		n += streq(container_image_id(k), image_id(i));
	return n;
}

/* ---- list ---- */

struct list_query {
	struct filters *f;
	bool dangling;
	int64_t after_ns, before_ns; /* exclusive */
};

/* since=, before=: images by their age; until=: a time */
static int age_filters(struct api_call *c, struct list_query *q, struct err *e)
{
	char *const *v;
	int r = prune_until(q->f, &q->before_ns, e);

	q->after_ns = INT64_MIN;
	for (v = filters_get(q->f, "before"); r >= 0 && v && *v; v++) {
		struct image *i;

		r = image_find(engine_images(c->en), *v, &i, e);
		if (r >= 0)
			q->before_ns = MIN(q->before_ns, image_created_ns(i));
	}
	for (v = filters_get(q->f, "since"); r >= 0 && v && *v; v++) {
		struct image *i;

		r = image_find(engine_images(c->en), *v, &i, e);
		if (r >= 0)
			q->after_ns = MAX(q->after_ns, image_created_ns(i));
	}
	return r;
}

/* @tag is "name:tag"; a pattern fits all of it or the name alone, and '*' no slash. */
static bool reference_fits(char *const *patterns, const char *tag)
{
	const char *colon = strrchr(tag, ':');
	auto_free char *name =
		strndup(tag, colon && !strchr(colon, '/') ? (size_t)(colon - tag) : strlen(tag));

	for (; patterns && *patterns; patterns++)
		if (fnmatch(*patterns, tag, FNM_PATHNAME) == 0 ||
		    (name && fnmatch(*patterns, name, FNM_PATHNAME) == 0))
			return true;
	return false;
}

/* Those of its names that were asked for. Return: 1, 0 none fits, -ENOMEM. */
static int names_asked(const struct list_query *q, const struct image *i, char ***ret)
{
	char *const *patterns = filters_get(q->f, "reference");

	for (char *const *t = image_tags(i); t && *t; t++)
		if ((!patterns || reference_fits(patterns, *t)) && strv_add(ret, *t) < 0)
			return -ENOMEM;
	return *ret || !patterns;
}

static bool image_fits(const struct list_query *q, const struct image *i)
{
	int64_t ns = image_created_ns(i);

	if (filters_get(q->f, "dangling") && (strv_len(image_tags(i)) == 0) != q->dangling)
		return false;
	return ns > q->after_ns && ns < q->before_ns && prune_labels(q->f, labels_of(i));
}

/* Before 1.43 an image without a name was shown with these. */
static void names_json(struct jsonw *w, char *const *names, unsigned version)
{
	bool old = version < 143 && !strv_len(names);

	if (old) {
		jsonw_raw(w, "RepoTags", "[\"<none>:<none>\"]");
		jsonw_raw(w, "RepoDigests", "[\"<none>@<none>\"]");
	} else {
		jsonw_strv(w, "RepoTags", names);
		jsonw_raw(w, "RepoDigests", "[]");
	}
}

static void summary_json(struct jsonw *w, const struct image *i, char *const *names,
			 int64_t containers, unsigned version)
{
	jsonw_object(w, NULL);
	jsonw_i64(w, "Containers", containers);
	jsonw_i64(w, "Created", image_created_ns(i) / NS_PER_S);
	jsonw_str(w, "Id", image_id(i));
	jsonw_json(w, "Labels", labels_of(i));
	jsonw_str(w, "ParentId", "");
	names_json(w, names, version);
	jsonw_i64(w, "SharedSize", -1);
	jsonw_i64(w, "Size", image_size(i));
	if (version < 144)
		jsonw_i64(w, "VirtualSize", image_size(i));
	jsonw_end_object(w);
}

static int parse_list(struct api_call *c, struct list_query *q, struct err *e)
{
	static const char *const keys[] = {"before",	"dangling", PRUNE_KEYS,
					   "reference", "since",    NULL};
	int r = api_filters(c, keys, &q->f, e);

	if (r < 0 || (r = filters_bool(q->f, "dangling", false, &q->dangling, e)) < 0)
		return r;
	return age_filters(c, q, e);
}

static void list(struct api_call *c, const struct list_query *q)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct err e = {0};

	jsonw_array(&w, NULL);
	for (struct image *i = NULL; (i = image_next(engine_images(c->en), i));) {
		auto_strv char **names = NULL;
		int r = image_fits(q, i) ? names_asked(q, i, &names) : 0;

		if (r > 0)
			summary_json(&w, i, names, -1, c->version);
		if (r < 0) {
			buf_done(&b);
			(void)err_nomem(&e);
			api_error(c, &e);
			return;
		}
	}
	jsonw_end_array(&w);
	api_json(c, 200, &b);
}

void images_list(struct api_call *c)
{
	struct list_query q = {0};
	struct err e = {0};

	if (parse_list(c, &q, &e) < 0)
		api_error(c, &e);
	else
		list(c, &q);
	filters_free(q.f);
}

/* ---- disk use ---- */

static void images_df_list(struct jsonw *w, const struct api_call *c)
{
	jsonw_array(w, "Images");
	for (struct image *i = NULL; (i = image_next(engine_images(c->en), i));)
		summary_json(w, i, image_tags(i), users_of(c->en, i), c->version);
	jsonw_end_array(w);
}

/* Layers that images share are on the disk once, and only whole images' sizes are known: an image
 * whose layers all belong to others counts nothing, any other all of it. */
static int64_t layers_size(struct images *im)
{
	auto_(map_free) struct map *seen = NULL;
	int64_t size = 0;

	if (map_new(&seen) < 0)
		return 0;
	for (struct image *i = NULL; (i = image_next(im, i));) {
		bool own = false;

		for (char *const *l = image_layers(i); l && *l; l++)
			own = map_put(seen, *l, i) > 0 || own;
		size += own ? image_size(i) : 0;
	}
	return size;
}

void images_df(struct jsonw *w, const struct api_call *c)
{
	jsonw_i64(w, "LayersSize", layers_size(engine_images(c->en)));
	images_df_list(w, c);
}

/* ---- history ---- */

static int64_t entry_seconds(const json_t *entry)
{
	const char *when = json_string_value(json_get(entry, "created"));
	int64_t ns;

	return when && clock_parse_rfc3339(when, &ns) >= 0 ? ns / NS_PER_S : 0;
}

static void history_entry(struct jsonw *w, const json_t *entry, const struct image *i, bool newest,
			  int64_t size)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "Comment", json_string_value(json_get(entry, "comment")));
	jsonw_i64(w, "Created", entry_seconds(entry));
	jsonw_str(w, "CreatedBy", json_string_value(json_get(entry, "created_by")));
	jsonw_str(w, "Id", newest ? image_id(i) : "<missing>");
	jsonw_i64(w, "Size", size);
	if (newest && strv_len(image_tags(i)))
		jsonw_strv(w, "Tags", image_tags(i));
	else
		jsonw_null(w, "Tags");
	jsonw_end_object(w);
}

/* Only an image's whole size is known, so where one entry made all of it, it has that size. */
static int64_t entry_size(const json_t *entry, const struct image *i)
{
	bool empty = json_is_true(json_get(entry, "empty_layer"));

	return !empty && strv_len(image_layers(i)) == 1 ? image_size(i) : 0;
}

void images_history(struct api_call *c)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct image *i;
	struct err e = {0};
	json_t *history;
	size_t n;

	if (image_find(engine_images(c->en), c->params[0], &i, &e) < 0) {
		api_error(c, &e);
		return;
	}
	history = json_get(image_config(i), "history");
	n = json_array_size(history);
	jsonw_array(&w, NULL);
	for (size_t at = n; at-- > 0;) {
		const json_t *entry = json_array_get(history, at);

		history_entry(&w, entry, i, at + 1 == n, entry_size(entry, i));
	}
	jsonw_end_array(&w);
	api_json(c, 200, &b);
}

/* ---- tag and remove ---- */

void images_tag(struct api_call *c)
{
	const char *repo = api_query(c, "repo"), *tag = api_query(c, "tag");
	struct image *i;
	struct err e = {0};
	int r = image_find(engine_images(c->en), c->params[0], &i, &e);

	if (r >= 0)
		r = image_tag(engine_images(c->en), i, repo ? repo : "",
			      str_empty(tag) ? NULL : tag, &e);
	if (r < 0) {
		api_error(c, &e);
		return;
	}
	image_event(c->en, "tag", image_id(i));
	api_empty(c, 201);
}

void images_remove(struct api_call *c)
{
	auto_json json_t *out = json_array();
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct err e = {0};
	int r = out ? engine_image_remove(c->en, c->params[0], api_query_bool(c, "force", false),
					  out, &e)
		    : err_nomem(&e);

	if (r < 0) {
		api_error(c, &e);
		return;
	}
	jsonw_json(&w, NULL, out);
	api_json(c, 200, &b);
}

/* ---- prune ---- */

static char **unused_images(struct api_call *c, const struct filters *f, bool dangling,
			    int64_t until)
{
	char **ids = NULL;

	for (struct image *i = NULL; (i = image_next(engine_images(c->en), i));)
		if ((!dangling || !strv_len(image_tags(i))) && !users_of(c->en, i) &&
		    image_created_ns(i) < until && prune_labels(f, labels_of(i)) &&
		    strv_add(&ids, image_id(i)) < 0)
			break; /* out of memory: some are left for the next time */
	return ids;
}

/* Every name of it, then itself: without force, so that a use that begins meanwhile counts.
 * Return: its bytes. */
static int64_t prune_image(struct api_call *c, const char *id, json_t *out)
{
	auto_strv char **names = NULL;
	struct image *i;
	int64_t size;

	if (image_find(engine_images(c->en), id, &i, NULL) < 0)
		return 0;
	size = image_size(i);
	names = strv_copy(image_tags(i));
	for (char **n = names; n && *n; n++)
		if (engine_image_remove(c->en, *n, false, out, NULL) < 0)
			return 0;
	if (!names && engine_image_remove(c->en, id, false, out, NULL) < 0)
		return 0;
	return image_find(engine_images(c->en), id, &i, NULL) < 0 ? size : 0;
}

void images_prune(struct api_call *c)
{
	static const char *const keys[] = {"dangling", PRUNE_KEYS, NULL};
	auto_(filters_free) struct filters *f = NULL;
	auto_json json_t *out = json_array();
	auto_strv char **ids = NULL;
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	int64_t until, size = 0;
	struct err e = {0};
	bool dangling;

	if (api_filters(c, keys, &f, &e) < 0 ||
	    filters_bool(f, "dangling", true, &dangling, &e) < 0 ||
	    prune_until(f, &until, &e) < 0) {
		api_error(c, &e);
		return;
	}
	ids = unused_images(c, f, dangling, until);
	for (char **id = ids; id && *id; id++)
		size += prune_image(c, *id, out);
	jsonw_object(&w, NULL);
	if (json_array_size(out))
		jsonw_json(&w, "ImagesDeleted", out);
	else
		jsonw_null(&w, "ImagesDeleted");
	jsonw_i64(&w, "SpaceReclaimed", size);
	jsonw_end_object(&w);
	api_json(c, 200, &b);
}
