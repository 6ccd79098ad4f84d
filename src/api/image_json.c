/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_json.c - GET /images/{name}/json: an image's config as each API version shows it */

#include "api/internal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "storage/storage.h"

static const char *text(const json_t *obj, const char *key)
{
	return json_string_value(json_get(obj, key)); /* NULL is written as "" */
}

static void list_or_null(struct jsonw *w, const json_t *config, const char *key)
{
	jsonw_json(w, key, json_get(config, key));
}

static void if_there(struct jsonw *w, const json_t *config, const char *key)
{
	const json_t *v = json_get(config, key);

	if (v)
		jsonw_json(w, key, v);
}

/* What a container's config has and an image's does not: zero values until 1.49. */
static void zeros(struct jsonw *w)
{
	jsonw_str(w, "Hostname", "");
	jsonw_str(w, "Domainname", "");
	jsonw_bool(w, "AttachStdin", false);
	jsonw_bool(w, "AttachStdout", false);
	jsonw_bool(w, "AttachStderr", false);
	jsonw_bool(w, "Tty", false);
	jsonw_bool(w, "OpenStdin", false);
	jsonw_bool(w, "StdinOnce", false);
	jsonw_str(w, "Image", "");
}

static void config_json(struct jsonw *w, const char *key, const json_t *config, unsigned version)
{
	jsonw_object(w, key);
	if (version < 150)
		zeros(w);
	jsonw_str(w, "User", text(config, "User"));
	if_there(w, config, "ExposedPorts");
	list_or_null(w, config, "Env");
	list_or_null(w, config, "Cmd");
	if_there(w, config, "Healthcheck");
	if_there(w, config, "ArgsEscaped");
	list_or_null(w, config, "Volumes");
	jsonw_str(w, "WorkingDir", text(config, "WorkingDir"));
	list_or_null(w, config, "Entrypoint");
	list_or_null(w, config, "OnBuild");
	list_or_null(w, config, "Labels");
	if_there(w, config, "StopSignal");
	if_there(w, config, "Shell");
	jsonw_end_object(w);
}

/* Beside the layer's diff overlay2 has folders that are in use only while it is mounted to be
 * written, which happens to no layer here. */
static void layer_dirs(struct jsonw *w, const char *diff)
{
	int n = (int)(strrchr(diff, '/') - diff);

	jsonw_strf(w, "MergedDir", "%.*s/merged", n, diff);
	jsonw_str(w, "UpperDir", diff);
	jsonw_strf(w, "WorkDir", "%.*s/work", n, diff);
}

/* overlay2's words for where the layers are: the top one, and those below it from the top down */
static void graph_driver(struct jsonw *w, const struct image *i, struct storage *st)
{
	char *const *layers = image_layers(i);
	auto_buf struct buf lower = BUF_INIT(1 << 20);
	size_t n = strv_len(layers);
	auto_free char *top = NULL;

	for (size_t at = n; at > 1; at--) {
		auto_free char *path = NULL;

		if (storage_layer_path(st, layers[at - 2], &path) >= 0)
			(void)buf_printf(&lower, "%s%s", lower.len ? ":" : "", path);
	}
	jsonw_object(w, "GraphDriver");
	jsonw_str(w, "Name", "overlay2");
	if (n && storage_layer_path(st, layers[n - 1], &top) >= 0) {
		jsonw_object(w, "Data");
		if (lower.len)
			jsonw_str(w, "LowerDir", buf_str(&lower));
		layer_dirs(w, top);
		jsonw_end_object(w);
	} else {
		jsonw_null(w, "Data");
	}
	jsonw_end_object(w);
}

static void root_fs(struct jsonw *w, const json_t *all)
{
	const json_t *diff_ids = json_get(json_get(all, "rootfs"), "diff_ids");

	jsonw_object(w, "RootFS");
	jsonw_str(w, "Type", "layers");
	if (json_array_size(diff_ids))
		jsonw_json(w, "Layers", diff_ids);
	jsonw_end_object(w);
}

/* Docker leaves both out from 1.45 on. docker-compose 1.29 takes the newest version that an engine
 * has and ends without ContainerConfig, so that stays. */
static void old_fields(struct jsonw *w, const json_t *all, unsigned version)
{
	const json_t *made_by = json_get(all, "container_config");

	if (version < 145)
		jsonw_str(w, "Container", text(all, "container"));
	config_json(w, "ContainerConfig", made_by, version);
}

static void image_json(struct jsonw *w, const struct image *i, struct engine *en, unsigned version)
{
	const json_t *all = image_config(i), *config = json_get(all, "config");
	char when[RFC3339_SIZE];

	jsonw_object(w, NULL);
	jsonw_str(w, "Id", image_id(i));
	jsonw_strv(w, "RepoTags", image_tags(i));
	jsonw_strv(w, "RepoDigests", image_digests(i));
	jsonw_str(w, "Parent", image_parent(engine_images(en), i));
	jsonw_str(w, "Comment", text(all, "comment"));
	jsonw_str(w, "Created", clock_rfc3339_short(image_created_ns(i), when));
	old_fields(w, all, version);
	jsonw_str(w, "DockerVersion", text(all, "docker_version"));
	jsonw_str(w, "Author", text(all, "author"));
	config_json(w, "Config", config, version);
	jsonw_str(w, "Architecture", text(all, "architecture"));
	if_there(w, all, "variant");
	jsonw_str(w, "Os", text(all, "os"));
	jsonw_i64(w, "Size", image_size(i));
	if (version < 144)
		jsonw_i64(w, "VirtualSize", image_size(i));
	graph_driver(w, i, engine_storage(en));
	root_fs(w, all);
	jsonw_object(w, "Metadata");
	jsonw_str(w, "LastTagTime", clock_rfc3339_short(0, when)); /* not kept */
	jsonw_end_object(w);
	jsonw_end_object(w);
}

void images_inspect(struct api_call *c)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct image *i;
	struct err e = {0};

	if (image_find(engine_images(c->en), c->params[0], &i, &e) < 0) {
		api_error(c, &e);
		return;
	}
	image_json(&w, i, c->en, c->version);
	api_json(c, 200, &b);
}
