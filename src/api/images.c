/* SPDX-License-Identifier: GPL-2.0-or-later */
/* images.c - /images: list, history, tag, remove, prune, disk use */

#include <fnmatch.h>
#include <string.h>

#include "api/internal.h"
#include "api/sizes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/ref.h"

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
	bool dangling, all;
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

/* @ref is "name:tag" or "name@digest"; a pattern fits all of it or the name alone, and '*' no
 * slash. */
static bool reference_fits(char *const *patterns, const char *ref)
{
	const char *at = strchr(ref, '@'), *colon = strrchr(ref, ':');
	const char *end = at ? at : colon && !strchr(colon, '/') ? colon : ref + strlen(ref);
	auto_free char *name = strndup(ref, (size_t)(end - ref));

	for (; patterns && *patterns; patterns++)
		if (fnmatch(*patterns, ref, FNM_PATHNAME) == 0 ||
		    (name && fnmatch(*patterns, name, FNM_PATHNAME) == 0))
			return true;
	return false;
}

static int add_fitting(char ***to, char *const *refs, char *const *patterns)
{
	for (; refs && *refs; refs++)
		if ((!patterns || reference_fits(patterns, *refs)) && strv_add(to, *refs) < 0)
			return -ENOMEM;
	return 0;
}

/* Those of its names that were asked for. Return: 1, 0 none fits, -ENOMEM. */
static int names_asked(const struct list_query *q, const struct image *i, char ***tags,
		       char ***digests)
{
	char *const *patterns = filters_get(q->f, "reference");

	if (add_fitting(tags, image_tags(i), patterns) < 0 ||
	    add_fitting(digests, image_digests(i), patterns) < 0)
		return -ENOMEM;
	return *tags || *digests || !patterns;
}

static bool nameless(const struct image *i)
{
	return !strv_len(image_tags(i)) && !strv_len(image_digests(i));
}

static bool image_fits(const struct list_query *q, const struct image *i)
{
	int64_t ns = image_created_ns(i);

	if (filters_get(q->f, "dangling") && nameless(i) != q->dangling)
		return false;
	return ns > q->after_ns && ns < q->before_ns && prune_labels(q->f, labels_of(i));
}

struct names { /* those that are shown */
	char *const *tags, *const *digests;
};

/* Before 1.43 an image without a name was shown with these. */
static void names_json(struct jsonw *w, const struct names *n, unsigned version)
{
	bool old = version < 143 && !strv_len(n->tags) && !strv_len(n->digests);

	if (old) {
		jsonw_raw(w, "RepoTags", "[\"<none>:<none>\"]");
		jsonw_raw(w, "RepoDigests", "[\"<none>@<none>\"]");
	} else {
		jsonw_strv(w, "RepoTags", n->tags);
		jsonw_strv(w, "RepoDigests", n->digests);
	}
}

/* @shared: what it has in common with others, -1: not counted */
static void summary_json(struct jsonw *w, const struct api_call *c, const struct image *i,
			 const struct names *names, int64_t containers, int64_t shared)
{
	unsigned version = c->version;

	jsonw_object(w, NULL);
	jsonw_i64(w, "Containers", containers);
	jsonw_i64(w, "Created", image_created_ns(i) / NS_PER_S);
	jsonw_str(w, "Id", image_id(i));
	jsonw_json(w, "Labels", labels_of(i));
	jsonw_str(w, "ParentId", image_parent(engine_images(c->en), i));
	names_json(w, names, version);
	jsonw_i64(w, "SharedSize", shared);
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

	q->all = api_query_bool(c, "all", false);
	if (r < 0 || (r = filters_bool(q->f, "dangling", false, &q->dangling, e)) < 0)
		return r;
	q->all = api_query_bool(c, "all", false);
	return age_filters(c, q, e);
}

static void list(struct api_call *c, const struct list_query *q)
{
	bool shared = api_query_bool(c, "shared-size", false);
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct err e = {0};

	jsonw_array(&w, NULL);
	for (struct image *i = NULL; (i = image_next(engine_images(c->en), i));) {
		auto_strv char **tags = NULL, **digests = NULL;
		bool shown = q->all || !image_intermediate(engine_images(c->en), i);
		int r = shown && image_fits(q, i) ? names_asked(q, i, &tags, &digests) : 0;

		if (r > 0)
			summary_json(&w, c, i, &(struct names){tags, digests}, -1,
				     shared ? sizes_shared(c, i) : -1);
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

static void parse_and_list(struct api_call *c)
{
	struct list_query q = {0};
	struct err e = {0};

	if (parse_list(c, &q, &e) < 0)
		api_error(c, &e);
	else
		list(c, &q);
	filters_free(q.f);
}

/* Counts the layers of an image (NULL: of all) whose size is not known, then goes on. */
static void with_layers(struct api_call *c, struct image *of,
			void (*then)(struct api_call *c, const struct sizes *s))
{
	char **ids = NULL, **dirs = NULL;
	struct err e = {0};

	if (sizes_layers_wanted(c, of, &ids, &dirs) >= 0) {
		if (ids)
			sizes_count_dirs(c, ids, dirs, then);
		else
			then(c, &(struct sizes){0});
		return;
	}
	strv_free(ids);
	strv_free(dirs);
	(void)err_nomem(&e);
	api_error(c, &e);
}

static void list_counted(struct api_call *c, const struct sizes *s)
{
	sizes_layers_known(c, s);
	parse_and_list(c);
}

void images_list(struct api_call *c)
{
	if (api_query_bool(c, "shared-size", false))
		with_layers(c, NULL, list_counted);
	else
		parse_and_list(c);
}

/* ---- disk use ---- */

static void images_df_list(struct jsonw *w, const struct api_call *c)
{
	jsonw_array(w, "Images");
	for (struct image *i = NULL; (i = image_next(engine_images(c->en), i));)
		if (!image_intermediate(engine_images(c->en), i))
			summary_json(w, c, i, &(struct names){image_tags(i), image_digests(i)},
				     users_of(c->en, i), sizes_shared(c, i));
	jsonw_end_array(w);
}

void images_df(struct jsonw *w, const struct api_call *c)
{
	images_df_list(w, c);
}

/* ---- history ---- */

static int64_t entry_seconds(const json_t *entry)
{
	const char *when = json_string_value(json_get(entry, "created"));
	int64_t ns;

	return when && clock_parse_rfc3339(when, &ns) >= 0 ? ns / NS_PER_S : 0;
}

static void history_entry(struct jsonw *w, const json_t *entry, const struct image *i,
			  const char *step, bool newest, int64_t size)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "Comment", json_string_value(json_get(entry, "comment")));
	jsonw_i64(w, "Created", entry_seconds(entry));
	jsonw_str(w, "CreatedBy", json_string_value(json_get(entry, "created_by")));
	jsonw_str(w, "Id", str_empty(step) ? "<missing>" : step);
	jsonw_i64(w, "Size", size);
	if (newest && strv_len(image_tags(i)))
		jsonw_strv(w, "Tags", image_tags(i));
	else
		jsonw_null(w, "Tags");
	jsonw_end_object(w);
}

/* The image that a build made @id from, if it made it: an entry of the history each. */
static const char *step_before(struct images *im, const char *id)
{
	struct image *i;

	return id && image_find(im, id, &i, NULL) >= 0 ? image_parent(im, i) : NULL;
}

/* Entries that made a layer have its size, the base first. */
static void history_json(struct jsonw *w, struct images *im, const struct image *i)
{
	json_t *history = json_get(image_config(i), "history");
	size_t n = json_array_size(history), layer = strv_len(image_layers(i));
	const char *step = image_id(i);

	jsonw_array(w, NULL);
	for (size_t at = n; at-- > 0;) {
		const json_t *entry = json_array_get(history, at);
		int64_t size = 0;

		if (!json_is_true(json_get(entry, "empty_layer")) && layer > 0)
			size = image_layer_size(i, --layer);
		history_entry(w, entry, i, step, at + 1 == n, MAX(size, 0));
		step = step_before(im, step);
	}
	jsonw_end_array(w);
}

static void history_counted(struct api_call *c, const struct sizes *s)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct image *i;
	struct err e = {0};

	sizes_layers_known(c, s);
	if (image_find(engine_images(c->en), c->params[0], &i, &e) < 0) {
		api_error(c, &e);
		return;
	}
	history_json(&w, engine_images(c->en), i);
	api_json(c, 200, &b);
}

void images_history(struct api_call *c)
{
	struct image *i;
	struct err e = {0};

	if (image_find(engine_images(c->en), c->params[0], &i, &e) < 0)
		api_error(c, &e);
	else
		with_layers(c, i, history_counted);
}

/* ---- tag and remove ---- */

/* With the name it was given, as people write it. */
static void tag_event(struct api_call *c, const struct image *i, const char *repo, const char *tag)
{
	auto_free char *text = tag ? str_printf("%s:%s", repo, tag) : strdup(repo), *name = NULL;
	struct image_ref ref = {0};

	if (text && image_ref_parse(text, &ref, NULL) >= 0)
		name = image_ref_familiar(&ref);
	image_ref_done(&ref);
	image_event_named(c->en, "tag", image_id(i), name ? name : repo);
}

void images_tag(struct api_call *c)
{
	const char *repo = api_query(c, "repo"), *tag = api_query(c, "tag");
	struct image *i;
	struct err e = {0};
	int r = image_find(engine_images(c->en), c->params[0], &i, &e);

	repo = repo ? repo : "";
	tag = str_empty(tag) ? NULL : tag;
	if (r >= 0)
		r = image_tag(engine_images(c->en), i, repo, tag, &e);
	if (r < 0) {
		api_error(c, &e);
		return;
	}
	tag_event(c, i, repo, tag);
	api_empty(c, 201);
}

void images_remove(struct api_call *c)
{
	auto_json json_t *out = json_array();
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct err e = {0};
	unsigned flags = (api_query_bool(c, "force", false) ? IMAGE_FORCE : 0) |
			 (api_query_bool(c, "noprune", false) ? IMAGE_NO_PRUNE : 0);
	int r = out ? engine_image_remove(c->en, c->params[0], flags, out, &e) : err_nomem(&e);

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
		if ((!dangling || nameless(i)) && !users_of(c->en, i) &&
		    !image_intermediate(engine_images(c->en), i) && image_created_ns(i) < until &&
		    prune_labels(f, labels_of(i)) && strv_add(&ids, image_id(i)) < 0)
			break; /* out of memory: some are left for the next time */
	return ids;
}

/* Every name of it, then itself: without force, so that a use that begins meanwhile counts. */
static void prune_image(struct api_call *c, const char *id, json_t *out)
{
	auto_strv char **names = NULL;
	struct image *i;

	if (image_find(engine_images(c->en), id, &i, NULL) < 0)
		return;
	names = strv_copy(image_tags(i));
	for (char **n = names; n && *n; n++)
		if (engine_image_remove(c->en, *n, false, out, NULL) < 0)
			return;
	if (!names && engine_image_remove(c->en, id, false, out, NULL) < 0)
		return; /* used by now */
}

static void prune_all(struct api_call *c, char *const *ids)
{
	auto_json json_t *out = json_array();
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	int64_t before = sizes_layers_sum(c), gained;

	for (; ids && *ids; ids++)
		prune_image(c, *ids, out);
	gained = before - sizes_layers_sum(c);
	jsonw_object(&w, NULL);
	if (json_array_size(out))
		jsonw_json(&w, "ImagesDeleted", out);
	else
		jsonw_null(&w, "ImagesDeleted");
	jsonw_i64(&w, "SpaceReclaimed", gained);
	jsonw_end_object(&w);
	prune_event(c->en, "image", gained);
	api_json(c, 200, &b);
}

static void prune_counted(struct api_call *c, const struct sizes *s)
{
	static const char *const keys[] = {"dangling", PRUNE_KEYS, NULL};
	auto_(filters_free) struct filters *f = NULL;
	auto_strv char **ids = NULL;
	int64_t until;
	struct err e = {0};
	bool dangling;

	sizes_layers_known(c, s);
	if (api_filters(c, keys, &f, &e) < 0 ||
	    filters_bool(f, "dangling", true, &dangling, &e) < 0 ||
	    prune_until(f, &until, &e) < 0) {
		api_error(c, &e);
		return;
	}
	ids = unused_images(c, f, dangling, until);
	prune_all(c, ids);
}

void images_prune(struct api_call *c)
{
	with_layers(c, NULL, prune_counted);
}
