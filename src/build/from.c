/* SPDX-License-Identifier: GPL-2.0-or-later */
/* from.c - the images that a build names: here already, or pulled */

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "build/internal.h"
#include "image/manifest.h"
#include "image/ref.h"

#define AUTH_MAX (64u << 10)
#define HUB	 "https://index.docker.io/v1/" /* what the credentials for docker.io stand under */

/* ---- platforms ---- */

/* "linux", "linux/amd64", "linux/amd64/v2", "amd64" */
static bool platform_fits(const char *platform)
{
	auto_free char *copy = strdup(platform);
	char *arch = copy ? strchr(copy, '/') : NULL;

	if (!copy)
		return false;
	if (!arch)
		return streq(copy, "linux") || streq(copy, machine_name());
	*arch++ = '\0';
	arch[strcspn(arch, "/")] = '\0';
	return streq(copy, "linux") && streq(arch, machine_name());
}

/* ---- credentials ---- */

/* the host of a key: "https://host:5000/v1/" -> "host:5000" */
static bool is_host_of(const char *key, const char *domain)
{
	const char *host = strstr(key, "://");
	size_t len = strlen(domain);

	host = host ? host + 3 : key;
	return !strncmp(host, domain, len) && (!host[len] || host[len] == '/');
}

static const json_t *find_auth(const json_t *all, const char *domain)
{
	const char *key;
	json_t *v;

	if (streq(domain, "docker.io"))
		return json_object_get(all, HUB);
	json_object_foreach((json_t *)all, key, v)
	{
		if (is_host_of(key, domain))
			return v;
	}
	return NULL;
}

/* X-Registry-Config, {"host": AuthConfig, ..}, to the X-Registry-Auth of one image; NULL: none */
static char *auth_of(const char *registry_config, const char *name)
{
	auto_buf struct buf text = BUF_INIT(AUTH_MAX), out = BUF_INIT(2 * AUTH_MAX);
	auto_json json_t *all = NULL;
	auto_free char *one = NULL;
	struct image_ref ref = {0};
	const json_t *auth;

	if (str_empty(registry_config) ||
	    base64_decode(&text, registry_config, strlen(registry_config)) < 0 ||
	    json_read(buf_str(&text), text.len, &all, NULL) < 0 || !json_is_object(all) ||
	    image_ref_parse(name, &ref, NULL) < 0)
		return NULL;
	auth = find_auth(all, ref.domain);
	image_ref_done(&ref);
	one = auth ? json_dumps(auth, JSON_COMPACT) : NULL;
	if (!one)
		return NULL;
	base64_encode(&out, one, strlen(one), true);
	return buf_take(&out);
}

/* ---- pulling ---- */

static void on_progress(const char *id, const char *status, int64_t current, int64_t total,
			void *data)
{
	struct build *b = data;

	if (!b->over && !b->o.quiet)
		b->ops.progress(id, status, current, total, b->ops.data);
}

static void on_pulled(const char *name, const char *image_id, void *data)
{
	struct build *b = data;

	(void)image_id;
	if (b->bd)
		engine_event(b->bd->en, "image", "pull", name, json_pack("{s:s}", "name", name));
}

static void on_done(int result, const struct err *e, void *data)
{
	struct build *b = data;
	auto_free char *name = b->pulling;
	struct image *i;
	struct err own = {0};

	b->pull = NULL;
	b->pulling = NULL;
	if (flow_back(b))
		return;
	if (result < 0)
		flow_fail(b, e);
	else if (image_find(engine_images(b->bd->en), name, &i, &own) < 0)
		flow_fail(b, &own);
	else
		b->then_found(b, image_id(i));
}

static int pull(struct build *b, const char *name, const char *platform, struct err *e)
{
	auto_free char *auth = auth_of(b->o.registry_config, name);
	const struct image_pull_spec spec = {
		.name = name, .platform = str_empty(platform) ? NULL : platform, .auth = auth};
	const struct image_pull_ops ops = {
		.progress = on_progress, .pulled = on_pulled, .done = on_done, .data = b};

	b->pulling = strdup(name);
	return b->pulling ? image_pull_start(engine_images(b->bd->en), &spec, &ops, &b->pull, e)
			  : err_nomem(e);
}

/* The image is here, but for another machine. */
static int check_platform(const struct image *i, const char *ref, const char *platform,
			  struct err *e)
{
	const json_t *c = image_config(i);
	const char *os = json_string_value(json_get(c, "os"));
	const char *arch = json_string_value(json_get(c, "architecture"));

	if (str_empty(platform) || platform_fits(platform))
		return 0;
	return err_not_found(e,
			     "image with reference %.200s was found but does not provide the "
			     "specified platform (%.60s): it is for %.20s/%.20s",
			     ref, platform, os ? os : "linux", arch ? arch : machine_name());
}

void from_resolve(struct build *b, const char *ref, const char *platform,
		  void (*then)(struct build *b, const char *image_id))
{
	struct image *i = NULL;
	struct err e = {0};
	int r;

	if (streq(ref, "scratch")) {
		then(b, "");
		return;
	}
	r = image_find(engine_images(b->bd->en), ref, &i, &e);
	if (r >= 0 && !b->o.pull) {
		r = check_platform(i, ref, platform, &e);
		if (r < 0)
			flow_fail(b, &e);
		else
			then(b, image_id(i));
		return;
	}
	/* an id is known here or nowhere; what is no name at all is told as such */
	if (r < 0 && e.kind != ERR_NOT_FOUND) {
		flow_fail(b, &e);
		return;
	}
	if (r >= 0 && (digest_ok(ref) || str_is_hex(ref))) {
		then(b, image_id(i));
		return;
	}
	e = (struct err){0};
	b->then_found = then;
	b->awaiting = true;
	if (pull(b, ref, platform, &e) < 0) {
		b->awaiting = false;
		free(b->pulling);
		b->pulling = NULL;
		flow_fail(b, &e);
	}
}
