/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry_manifest.c - manifests and indexes of registries */
#include "image/registry_manifest.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/manifest.h"

#define ENTRIES_MAX 4096 /* of an index; what a manifest may have is LIMIT_LAYERS */

static void descriptor_done(struct descriptor *d)
{
	free(d->media_type);
	strv_free(d->urls);
}

void registry_manifest_done(struct registry_manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		descriptor_done(&m->entries[i]);
	free(m->entries);
	descriptor_done(&m->config);
	free(m->media_type);
	*m = (struct registry_manifest){0};
}

/* ---- descriptors ---- */

static void copy_word(char *to, size_t room, const json_t *obj, const char *key)
{
	const char *v = json_string_value(json_get(obj, key));

	(void)snprintf(to, room, "%s", v ? v : "");
}

static int read_descriptor(const json_t *j, struct descriptor *d, struct err *e)
{
	const char *digest = NULL, *type = NULL;
	const json_t *p;
	int r = json_is_object(j) ? 0 : err_invalid(e, "a descriptor is no object");

	if (r >= 0)
		r = json_get_str(j, "Descriptor", "digest", &digest, e);
	if (r >= 0)
		r = json_get_str(j, "Descriptor", "mediaType", &type, e);
	if (r >= 0)
		r = json_get_i64(j, "Descriptor", "size", &d->size, e);
	if (r >= 0)
		r = json_get_strv(j, "Descriptor", "urls", false, &d->urls, e);
	if (r < 0)
		return r;
	if (!digest_ok(digest))
		return err_invalid(e, "invalid digest %.100s", digest ? digest : "(none)");
	if (d->size < 0 || d->size > (int64_t)LIMIT_LAYER_BYTES)
		return err_invalid(e, "the size of %s is out of range", digest);
	(void)snprintf(d->digest, sizeof(d->digest), "%s", digest);
	p = json_get(j, "platform");
	copy_word(d->platform.os, sizeof(d->platform.os), p, "os");
	copy_word(d->platform.arch, sizeof(d->platform.arch), p, "architecture");
	copy_word(d->platform.variant, sizeof(d->platform.variant), p, "variant");
	return str_set(&d->media_type, type ? type : "") < 0 ? err_nomem(e) : 0;
}

static int read_list(const json_t *j, const char *key, size_t max, struct registry_manifest *m,
		     struct err *e)
{
	json_t *list = NULL;
	int r = json_get_arr(j, "Manifest", key, &list, e);
	size_t n = json_array_size(list);

	if (r >= 0 && n > max)
		r = err_invalid(e, "the image has %zu %s, at most %zu are taken", n, key, max);
	if (r < 0)
		return r;
	m->entries = calloc(n + 1, sizeof(*m->entries));
	if (!m->entries)
		return err_nomem(e);
	for (size_t i = 0; i < n && r >= 0; i++) {
		m->n = i + 1; /* a failed one may hold memory too */
		r = read_descriptor(json_array_get(list, i), &m->entries[i], e);
	}
	return r;
}

/* ---- manifests ---- */

static int schema1(const char *shown, struct err *e)
{
	return err_set(e, ERR_INVALID, ENOTSUP,
		       "[DEPRECATION NOTICE] Docker Image Format v1 and Docker Image manifest "
		       "version 2, schema 1 support is disabled by default and will be removed in "
		       "an upcoming release. Suggest the author of %s to upgrade the image to the "
		       "OCI Format or Docker Image manifest v2, schema 2. More information at "
		       "https://docs.docker.com/go/deprecated-image-specs/",
		       shown);
}

static bool type_is(const char *type, const char *want)
{
	size_t n = strlen(want);

	return type && !strncmp(type, want, n) && (!type[n] || type[n] == ';' || type[n] == ' ');
}

/* the body's own word, else the answer's, else by what is in it */
static const char *find_type(const json_t *j, const char *content_type)
{
	static const char *const known[] = {TYPE_DOCKER_MANIFEST, TYPE_DOCKER_LIST,
					    TYPE_OCI_MANIFEST, TYPE_OCI_INDEX};
	const char *own = json_string_value(json_get(j, "mediaType"));

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_empty(own) ? type_is(content_type, known[i]) : streq(own, known[i]))
			return known[i];
	if (!str_empty(own))
		return NULL;
	if (json_is_array(json_get(j, "manifests")))
		return TYPE_OCI_INDEX;
	return json_is_array(json_get(j, "layers")) ? TYPE_OCI_MANIFEST : NULL;
}

static int read_image(const json_t *j, struct registry_manifest *m, struct err *e)
{
	static const char *const taken[] = {"", "application/octet-stream", TYPE_DOCKER_CONFIG,
					    "application/vnd.oci.image.config.v1+json"};
	int r = read_descriptor(json_get(j, "config"), &m->config, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (streq(m->config.media_type, taken[i]))
			return read_list(j, "layers", LIMIT_LAYERS, m, e);
	return err_invalid(
		e, "Encountered remote \"%.120s\"(%s) when fetching", m->config.media_type,
		str_has_prefix(m->config.media_type, "application/vnd.docker.plugin") ? "plugin"
										      : "unknown");
}

static int fill(const json_t *j, const char *content_type, const char *shown,
		struct registry_manifest *m, struct err *e)
{
	const char *type;
	int64_t version = 0;
	int r;

	if (!json_is_object(j))
		return err_invalid(e, "invalid manifest: not an object");
	r = json_get_i64(j, "Manifest", "schemaVersion", &version, e);
	if (r < 0)
		return r;
	if (version == 1)
		return schema1(shown, e);
	type = find_type(j, content_type);
	if (!type)
		return err_invalid(e,
				   "unsupported manifest media type and no default available: "
				   "%.120s",
				   json_string_value(json_get(j, "mediaType"))
					   ? json_string_value(json_get(j, "mediaType"))
				   : content_type ? content_type
						  : "");
	if (str_set(&m->media_type, type) < 0)
		return err_nomem(e);
	m->is_index = streq(type, TYPE_DOCKER_LIST) || streq(type, TYPE_OCI_INDEX);
	return m->is_index ? read_list(j, "manifests", ENTRIES_MAX, m, e) : read_image(j, m, e);
}

int registry_manifest_parse(const char *text, size_t len, const char *content_type,
			    const char *shown, struct registry_manifest *ret, struct err *e)
{
	struct registry_manifest m = {0};
	auto_json json_t *j = NULL;
	int r = json_read(text, len, &j, e);

	if (r < 0)
		return err_wrap(e, "invalid manifest");
	r = fill(j, content_type, shown, &m, e);
	if (r < 0)
		registry_manifest_done(&m);
	else
		*ret = m;
	return r;
}

const struct descriptor *registry_manifest_choose(const struct registry_manifest *m,
						  const struct platform *want, struct err *e)
{
	const struct descriptor *best = NULL;
	char text[96];
	int most = 0;

	for (size_t i = 0; i < m->n; i++) {
		int score = platform_score(want, &m->entries[i].platform);

		if (score > most) {
			most = score;
			best = &m->entries[i];
		}
	}
	if (best)
		return best;
	platform_text(want, text);
	(void)err_not_found(e, "no matching manifest for %s in the manifest list entries", text);
	return NULL;
}
