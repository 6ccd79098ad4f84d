/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oom.c - the kernel has killed a process of a running container for memory: its state says so */

#include <string.h>

#include "base/log.h"
#include "engine/life_internal.h"
#include "runtime/control.h"

static void killed(void *data)
{
	struct container *c = data;

	c->st.oom_killed = true;
	if (container_save_state(c, NULL) < 0)
		log_warn("a container's state could not be stored container=%s", c->name);
	container_event(c, "oom", NULL, NULL);
}

void oom_watch(struct container *c)
{
	int r = c->oom ? 0 : rt_oom_watch(c->en->runtime, c->id, killed, c, &c->oom);

	if (r < 0) /* then its end tells */
		log_debug("no word of kills for memory container=%s error=%s", c->name,
			  strerror(-r));
}

void oom_forget(struct container *c)
{
	rt_oom_free(c->oom);
	c->oom = NULL;
}
