/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - see world.h */

#include "world.h"

#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

static void must(int r, const char *what, const struct err *e)
{
	if (r >= 0)
		return;
	printf("Bail out! %s: %s\n", what, e && e->msg[0] ? e->msg : strerror(-r));
	exit(1);
}

json_t *json_of(const char *text)
{
	json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);

	if (!j)
		must(-EINVAL, text, NULL);
	return j;
}

void world_open(struct world *w)
{
	struct engine *en = &w->en;
	char db[128];
	struct err e = {0};

	*w = (struct world){0};
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/atoll-test-engine-XXXXXX");
	must(mkdtemp(w->dir) ? 0 : -errno, "mkdtemp", NULL);
	(void)snprintf(db, sizeof(db), "%s/atoll.db", w->dir);
	w->config.data_root = w->config.exec_root = w->dir;
	en->config = &w->config;
	list_init(&en->containers);
	list_init(&en->mount_jobs);
	must(map_new(&en->by_id), "map", NULL);
	must(map_new(&en->by_name), "map", NULL);
	must(map_new(&en->volumes), "map", NULL);
	must(map_new(&en->execs), "map", NULL);
	must(events_open(en), "events", NULL);
	must(loop_new(&en->loop), "loop", NULL);
	must(job_pool_new(en->loop, 1, &en->jobs), "jobs", NULL);
	must(db_open(db, &en->db, &e), "db", &e);
	must(storage_open(w->dir, en->jobs, &en->storage, &e), "storage", &e);
}

void world_close(struct world *w)
{
	struct engine *en = &w->en;
	struct container *c;
	struct volume *v;
	size_t pos = 0;

	list_for_each (c, &en->containers, node)
		container_free(c);
	while ((v = map_next(en->volumes, &pos, NULL)))
		volume_free(v);
	map_free(en->volumes);
	map_free(en->by_id);
	map_free(en->by_name);
	map_free(en->execs);
	events_close(en);
	job_pool_free(en->jobs);
	storage_close(en->storage);
	db_close(en->db);
	loop_free(en->loop);
	must(fs_rm_tree(w->dir), "clean-up", NULL);
}

struct container *world_container(struct world *w, const char *name, const char *config_json,
				  const char *host_json)
{
	struct container *c = container_alloc(&w->en);

	must(c ? str_set(&c->name, name) : -ENOMEM, "container", NULL);
	must(str_set(&c->image_id, "sha256:0"), "container", NULL);
	rand_id(c->id);
	c->config = json_of(config_json);
	c->host_config = json_of(host_json);
	must(container_link(c), "container", NULL);
	return c;
}
