/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload.c - see reload.h */

#include "reload.h"

#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/config.h"
#include "engine/engine.h"

static void set_list(json_t *attributes, const char *key, char *const *list)
{
	auto_json json_t *all = json_strings(list);
	auto_free char *text = json_dumps(all, JSON_COMPACT);

	/* an attribute that memory does not suffice for is left out */
	(void)json_object_set_new(attributes, key, json_string(text ? text : "[]"));
}

static void set_number(json_t *attributes, const char *key, uint32_t n)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", n);
	(void)json_object_set_new(attributes, key, json_string(text));
}

/* Docker's attributes, as far as there is something behind them. */
static void tell(struct engine *en, const struct daemon_config *c)
{
	json_t *attributes = json_object();
	char name[256] = "";

	(void)gethostname(name, sizeof(name) - 1);
	(void)json_object_set_new(attributes, "name", json_string(name));
	(void)json_object_set_new(attributes, "debug", json_string(c->debug ? "true" : "false"));
	(void)json_object_set_new(attributes, "live-restore", json_string("true"));
	set_number(attributes, "shutdown-timeout", c->shutdown_timeout);
	set_number(attributes, "max-concurrent-downloads", c->max_downloads);
	set_number(attributes, "max-concurrent-uploads", c->max_uploads);
	set_number(attributes, "max-download-attempts", c->download_attempts);
	set_list(attributes, "labels", c->labels);
	set_list(attributes, "insecure-registries", c->insecure_registries);
	set_list(attributes, "registry-mirrors", c->registry_mirrors);
	engine_event(en, "daemon", "reload", engine_id(en), attributes);
}

static void log_list(const char *what, char *const *list)
{
	auto_buf struct buf text = BUF_INIT(4096);

	for (size_t i = 0; list && list[i]; i++)
		(void)buf_printf(&text, "%s%s", i ? "," : "", list[i]);
	if (text.len)
		log_info("reload: %s keys=%s", what, buf_str(&text));
}

void config_reload(struct daemon_config *c, int argc, char **argv, struct engine *en)
{
	auto_strv char **changed = NULL, **refused = NULL;
	struct err e = {0};

	if (daemon_config_reload(c, argc, argv, &changed, &refused, &e) < 0) {
		log_error("reload: the configuration stays as it was: %s", e.msg);
		return;
	}
	engine_reload(en); /* before anything else: it holds the exchanged lists */
	log_setup("atolld", c->log_level, c->log_json);
	if (!changed && !refused)
		log_info("reload: the configuration is as before");
	log_list("changed", changed);
	log_list("these need a restart of the engine", refused);
	tell(en, c);
}
