/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.h - an engine with a real store and storage in a folder of its own, and nothing that runs
 */
#pragma once

#include "engine/internal.h"

struct world {
	struct daemon_config config;
	struct engine en;
	char dir[64];
};

void world_open(struct world *w); /* exits where the test cannot go on */
void world_close(struct world *w);
struct container *world_container(struct world *w, const char *name, const char *config_json,
				  const char *host_json); /* linked; freed with the world */
json_t *json_of(const char *text);			  /* new reference; exits on bad JSON */
