/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * images.c - what image/ cannot know: the containers that use an image when it is removed, the
 * configuration of registries, the events
 */

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/internal.h"

void engine_reload(struct engine *en)
{
	const struct daemon_config *c = en->config;

	en->registries = (struct registry_config){.insecure = c->insecure_registries,
						  .mirrors = c->registry_mirrors,
						  .proxy_http = c->http_proxy,
						  .proxy_https = c->https_proxy,
						  .no_proxy = c->no_proxy,
						  .max_downloads = c->max_downloads,
						  .max_uploads = c->max_uploads,
						  .download_attempts = c->download_attempts};
}

/* Return: 0 no container uses the image, 1 a stopped one, 2 a running one (told rather than 1). */
static int used(const char *image_id, char short_id[13], void *data)
{
	struct engine *en = data;
	struct container *c;
	int found = 0;

	list_for_each (c, &en->containers, node) {
		int now = c->st.status == CONTAINER_RUNNING || c->starting ? 2 : 1;

		if (!streq(c->image_id, image_id) || now <= found)
			continue;
		found = now;
		(void)snprintf(short_id, 13, "%.12s", c->id);
	}
	return found;
}

static void tell(struct engine *en, const char *action, const char *id, const char *name)
{
	engine_event(en, "image", action, id, json_pack("{s:s}", "name", name));
}

int engine_image_remove(struct engine *en, const char *ref, unsigned flags, json_t *out,
			struct err *e)
{
	auto_free char *id = NULL;
	struct image *image;
	json_t *row;
	size_t i;
	int r = image_find(en->images, ref, &image, e);

	if (r < 0)
		return r;
	id = strdup(image_id(image));
	if (!id)
		return err_nomem(e);
	i = json_array_size(out); /* what was there before is not of this removal */
	r = image_remove(en->images, ref, flags, used, en, out, e);
	if (r < 0)
		return r;
	for (; (row = json_array_get(out, i)); i++) {
		if (*js(row, "Untagged"))
			tell(en, "untag", id, id);
		else if (streq(js(row, "Deleted"), id))
			tell(en, "delete", id, id);
	}
	log_info("image removed ref=%s id=%s", ref, id);
	return 0;
}
