/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import.c - an image made of one root file system's tar: its config is made here */

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/internal.h"
#include "image/manifest.h"

struct import {
	char *reference; /* familiar or NULL */
	json_t *config;	 /* without its rootfs */
};

static void import_free(void *data)
{
	struct import *i = data;

	json_decref(i->config);
	free(i->reference);
	free(i);
}

static int compose(struct report *rep, void *data, struct err *e)
{
	struct import *i = data;
	char *tags[] = {i->reference, NULL};
	size_t pos = 0;
	const struct report_layer *layer = map_next(rep->layers, &pos, NULL);
	json_t *rootfs = json_pack("{s:s,s:[s]}", "type", "layers", "diff_ids", layer->diff);

	if (!rootfs || json_object_set_new(i->config, "rootfs", rootfs) < 0)
		return err_nomem(e);
	auto_free char *text = json_dumps(i->config, JSON_COMPACT);

	return text ? report_add_image(rep, text, i->reference ? tags : NULL, e) : err_nomem(e);
}

static int make_config(const char *message, char *const *changes, json_t **ret, struct err *e)
{
	auto_json json_t *inner = json_object();
	char now[RFC3339_SIZE];
	int r = inner ? changes_apply(inner, changes, e) : err_nomem(e);

	if (r < 0)
		return r;
	(void)clock_rfc3339(clock_real_ns(), now);
	if (!message)
		message = "";
	json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:O,s:[{s:s,s:s}]}", "architecture", machine_name(),
			      "os", "linux", "created", now, "comment", message, "config", inner,
			      "history", "created", now, "comment", message);

	if (!j)
		return err_invalid(e, "the message is not valid UTF-8");
	*ret = j;
	return 0;
}

static int make_name(const char *ref, char **ret, struct err *e)
{
	if (str_empty(ref))
		return 0;
	if (strchr(ref, '@'))
		return err_invalid(e, "cannot import digest reference");
	return tag_name(ref, NULL, ret, e);
}

int image_import_start(struct images *im, const char *repo_tag_or_null, char *const *changes,
		       const char *message, const struct image_load_ops *ops,
		       struct image_load **ret, struct err *e)
{
	struct import *i = calloc(1, sizeof(*i));
	struct layer_plan plan = {
		.archive = -1, .compose = compose, .drop = import_free, .data = i};
	int r = i ? make_name(repo_tag_or_null, &i->reference, e) : err_nomem(e);

	if (r >= 0)
		r = make_config(message, changes, &i->config, e);
	if (r < 0) {
		if (i)
			import_free(i);
		return r;
	}
	return layer_start(im, &plan, ops, ret, e);
}
