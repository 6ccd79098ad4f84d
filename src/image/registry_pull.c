/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_pull.c - manifests, configs and tags: asked for, checked against their digests, reported
 *
 * Source: OCI distribution-spec, "Pull" and "Listing Tags". A mirror that fails in any way is left
 * for the next endpoint; the registry itself is asked again only when it is busy.
 */
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/registry.h"

#define ACCEPT                                                                                     \
	TYPE_OCI_INDEX ", " TYPE_DOCKER_LIST ", " TYPE_DOCKER_MANIFEST ", " TYPE_OCI_MANIFEST      \
		       ", " TYPE_DOCKER_SCHEMA1
#define NESTED_MAX   2
#define BUSY_TRIES   3
#define BUSY_WAIT_MS 500u
#define TAGS_MAX     65536
#define PAGES_MAX    1024

/* ---- one document ---- */

static void wait_ms(unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000L};

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL); /* back-off: nothing tells when */
}

/* as reg_request(), again where the registry says that it is busy */
static int patient(struct registry *r, void *h, struct reg_call *c, struct reg_answer *a,
		   struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; i < BUSY_TRIES; i++) {
		rc = reg_request(r, h, c, a, e);
		if (rc < 0 || (a->status != 429 && a->status < 500) || i + 1 == BUSY_TRIES)
			break;
		wait_ms(a->retry_after ? MIN(a->retry_after, 10u) * 1000 : BUSY_WAIT_MS << i);
	}
	return rc;
}

struct document {
	const char *url;
	const char *accept; /* NULL: anything */
	const char *digest; /* that it must have, NULL: any */
	const char *what;   /* for the text */
};

/* @code as registry_error_text() */
static int get_text(struct registry *r, void *h, const struct document *d, struct reg_answer *a,
		    char *code, struct err *e)
{
	struct reg_call c = REG_CALL_INIT;
	char got[DIGEST_SIZE];
	int rc;

	c.url = d->url;
	c.accept = d->accept;
	c.body_max = LIMIT_MANIFEST;
	*code = '\0';
	rc = patient(r, h, &c, a, e);
	if (rc < 0)
		return rc;
	if (a->status >= 300)
		return reg_refused(a, code, e);
	digest_of(buf_str(&a->body), a->body.len, got);
	if (d->digest && !streq(got, d->digest))
		return err_invalid(e, "%s verification failed for digest %s", d->what, d->digest);
	return 0;
}

static int get_manifest(struct registry *r, void *h, const char *reference, struct reg_answer *a,
			struct registry_manifest *m, char *code, struct err *e)
{
	auto_free char *url = reg_url(r, "manifests/%s", reference);
	const struct document d = {.url = url,
				   .accept = ACCEPT,
				   .digest = digest_ok(reference) ? reference : NULL,
				   .what = "manifest"};
	int rc = url ? get_text(r, h, &d, a, code, e) : err_nomem(e);

	return rc < 0 ? rc
		      : registry_manifest_parse(buf_str(&a->body), a->body.len, a->type, r->shown,
						m, e);
}

/* ---- the pull of an image ---- */

/* @texts: what led to the config, from the first document on; taken. @config NULL: it was not asked
 * for */
static int report_image(json_t *texts, const char *config, struct err *e)
{
	json_t *text = config ? json_string(config) : json_null();

	if (!text) {
		json_decref(texts);
		return err_invalid(e, "the image's config is not valid UTF-8");
	}
	return reg_report(json_pack("{s:{s:o,s:o}}", "manifest", "texts", texts, "config", text),
			  e);
}

static int pull_config(struct registry *r, void *h, const struct registry_manifest *m,
		       const char *have, json_t *texts, char *code, struct err *e)
{
	if (streq(m->config.digest, have))
		return report_image(json_incref(texts), NULL, e);
	auto_free char *url = reg_url(r, "blobs/%s", m->config.digest);
	struct reg_answer a = {0};
	const struct document d = {.url = url, .digest = m->config.digest, .what = "image config"};
	int rc = url ? get_text(r, h, &d, &a, code, e) : err_nomem(e);

	if (rc >= 0)
		rc = report_image(json_incref(texts), buf_str(&a.body), e);
	reg_answer_done(&a);
	return rc;
}

static int keep_text(json_t *texts, const struct reg_answer *a, struct err *e)
{
	json_t *text = json_stringn(buf_str(&a->body), a->body.len);

	return !text || json_array_append_new(texts, text) < 0
		       ? err_invalid(e, "the manifest is not valid UTF-8")
		       : 0;
}

/* from an index down to the manifest of the platform that is wanted */
static int descend(struct registry *r, void *h, struct registry_manifest *m, json_t *texts,
		   char *code, struct err *e)
{
	for (int depth = 0; m->is_index; depth++) {
		const struct descriptor *d = registry_manifest_choose(m, &r->platform, e);
		struct registry_manifest below = {0};
		struct reg_answer a = {0};
		int rc = d ? 0 : -ENOENT;

		if (d && depth >= NESTED_MAX)
			rc = err_invalid(e, "image indexes are nested too deep");
		if (rc >= 0)
			rc = get_manifest(r, h, d->digest, &a, &below, code, e);
		if (rc >= 0) {
			registry_manifest_done(m);
			*m = below;
			rc = keep_text(texts, &a, e);
		}
		reg_answer_done(&a);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* @told: the manifest is there, what fails now fails after Docker's first line */
static int pull_from_here(struct registry *r, void *h, const char *reference, const char *have,
			  bool *told, char *code, struct err *e)
{
	auto_json json_t *texts = json_array();
	struct registry_manifest m = {0};
	struct reg_answer a = {0};
	int rc = texts ? get_manifest(r, h, reference, &a, &m, code, e) : err_nomem(e);

	if (rc >= 0)
		rc = keep_text(texts, &a, e);
	reg_answer_done(&a);
	if (rc >= 0) {
		*told = true;
		rc = reg_report(json_pack("{s:b}", "found", 1), e);
	}
	if (rc >= 0)
		rc = descend(r, h, &m, texts, code, e);
	if (rc >= 0)
		rc = pull_config(r, h, &m, have, texts, code, e);
	registry_manifest_done(&m);
	return rc;
}

/* each endpoint in turn, as long as mirrors fail */
int reg_manifest(struct registry *r, void *h, const char *reference, const char *have,
		 struct err *e)
{
	char code[REGISTRY_CODE_SIZE] = "";
	bool told = false;

	for (;;) {
		int rc = r->pinged ? 0 : reg_ping(r, h, e);

		r->pinged = rc >= 0;
		*code = '\0';
		if (rc >= 0)
			rc = pull_from_here(r, h, reference, have, &told, code, e);
		if (rc >= 0)
			return rc;
		if (told || !r->at->mirror || r->at + 1 >= r->endpoints + r->n_endpoints) {
			reg_report_failed(e, code, -1);
			return 0;
		}
		reg_report_left(r, e);
		r->at++;
		r->pinged = false;
	}
}

/* ---- tags ---- */

static int add_page(json_t *all, const struct reg_answer *a, struct err *e)
{
	auto_json json_t *j = NULL;
	json_t *tags, *t;
	size_t i;

	if (json_read(buf_str(&a->body), a->body.len, &j, NULL) < 0)
		return err_invalid(e, "the list of tags is no JSON");
	tags = json_get(j, "tags");
	json_array_foreach(tags, i, t)
	{
		if (!json_is_string(t) || json_array_size(all) >= TAGS_MAX)
			return err_invalid(e, "the list of tags is broken or has more than %d",
					   TAGS_MAX);
		if (json_array_append(all, t) < 0)
			return err_nomem(e);
	}
	return 0;
}

static int all_pages(struct registry *r, void *h, json_t *all, char *code, struct err *e)
{
	auto_free char *url = reg_url(r, "tags/list");
	int rc = url ? 0 : err_nomem(e);

	for (int page = 0; rc >= 0 && url && page < PAGES_MAX; page++) {
		const struct document d = {.url = url, .what = "tags"};
		struct reg_answer a = {0};
		auto_free char *next = NULL;

		rc = get_text(r, h, &d, &a, code, e);
		if (rc >= 0)
			rc = add_page(all, &a, e);
		next = rc >= 0 && a.link ? link_next(a.link) : NULL;
		free(url);
		url = next ? reg_resolve(r->at->url, next) : NULL;
		if (url && !str_has_prefix(url, r->at->url)) { /* our token is for this place */
			free(url);
			url = NULL;
		}
		reg_answer_done(&a);
	}
	return rc;
}

int reg_tags(struct registry *r, void *h, struct err *e)
{
	char code[REGISTRY_CODE_SIZE] = "";
	json_t *all = json_array();
	int rc = !all ? err_nomem(e) : r->pinged ? 0 : reg_ping(r, h, e);

	r->pinged = rc >= 0;
	if (rc >= 0)
		rc = all_pages(r, h, all, code, e);
	if (rc >= 0)
		return reg_report(json_pack("{s:o}", "tags", all), e);
	json_decref(all);
	reg_report_failed(e, code, -1);
	return 0;
}

/* ---- GET /distribution/{name}/json ---- */

static json_t *platform_json(const struct platform *p)
{
	json_t *j = json_pack("{s:s,s:s}", "architecture", p->arch, "os", p->os);

	if (j && *p->variant)
		(void)json_object_set_new(j, "variant", json_string(p->variant));
	return j;
}

/* an image's platform stands in its config */
static int platform_of(struct registry *r, void *h, const struct registry_manifest *m,
		       struct platform *ret, char *code, struct err *e)
{
	auto_free char *url = reg_url(r, "blobs/%s", m->config.digest);
	auto_json json_t *j = NULL;
	struct reg_answer a = {0};
	const char *v;
	const struct document d = {.url = url, .digest = m->config.digest, .what = "image config"};
	int rc = url ? get_text(r, h, &d, &a, code, e) : err_nomem(e);

	if (rc >= 0)
		rc = json_read(buf_str(&a.body), a.body.len, &j, e);
	v = json_string_value(json_get(j, "os"));
	(void)snprintf(ret->os, sizeof(ret->os), "%s", v ? v : "");
	v = json_string_value(json_get(j, "architecture"));
	(void)snprintf(ret->arch, sizeof(ret->arch), "%s", v ? v : "");
	v = json_string_value(json_get(j, "variant"));
	(void)snprintf(ret->variant, sizeof(ret->variant), "%s", v ? v : "");
	reg_answer_done(&a);
	return rc;
}

static int describe_platforms(struct registry *r, void *h, const struct registry_manifest *m,
			      json_t *list, char *code, struct err *e)
{
	struct platform p = {0};
	int rc = 0;

	if (!m->is_index) {
		rc = platform_of(r, h, m, &p, code, e);
		if (rc >= 0 && json_array_append_new(list, platform_json(&p)) < 0)
			rc = err_nomem(e);
		return rc;
	}
	for (size_t i = 0; rc >= 0 && i < m->n; i++)
		if (json_array_append_new(list, platform_json(&m->entries[i].platform)) < 0)
			rc = err_nomem(e);
	return rc;
}

int reg_describe(struct registry *r, void *h, const char *reference, struct err *e)
{
	char code[REGISTRY_CODE_SIZE] = "", digest[DIGEST_SIZE];
	struct registry_manifest m = {0};
	struct reg_answer a = {0};
	json_t *list = json_array();
	int64_t size = 0;
	int rc = list ? reg_ping(r, h, e) : err_nomem(e);

	if (rc >= 0)
		rc = get_manifest(r, h, reference, &a, &m, code, e);
	if (rc >= 0) {
		digest_of(buf_str(&a.body), a.body.len, digest);
		size = (int64_t)a.body.len;
		rc = describe_platforms(r, h, &m, list, code, e);
	}
	if (rc >= 0)
		rc = reg_report(json_pack("{s:{s:{s:s,s:s,s:I},s:O}}", "describe", "Descriptor",
					  "mediaType", m.media_type, "digest", digest, "size",
					  (json_int_t)size, "Platforms", list),
				e);
	else
		reg_report_failed(e, code, -1);
	json_decref(list);
	reg_answer_done(&a);
	registry_manifest_done(&m);
	return 0;
}
