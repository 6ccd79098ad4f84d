/* SPDX-License-Identifier: GPL-2.0-or-later */
/* heap.c - see heap.h */

#include "engine/heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#define TRIM_MS	   1000
#define LARGE	   (256 << 10) /* bytes: a mapping of its own, gone when it is freed */
#define ARENAS_MAX 2	       /* the loop's, and one for the job threads, which allocate little */

struct heap {
	struct source *timer;
	bool armed, again;
};

static void trim(void *data)
{
	struct heap *h = data;
	bool again = h->again;

	h->armed = h->again = false;
	if (again) /* what is freed after the last event goes a second after it */
		heap_used(h);
	(void)malloc_trim(0);
}

void heap_used(struct heap *h)
{
	if (!h)
		return;
	h->again = h->armed;
	if (h->armed)
		return;
	h->armed = true;
	source_timer_set(h->timer, TRIM_MS);
}

int heap_open(struct loop *l, struct heap **ret)
{
	struct heap *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	/* set, these stay: else the first large free raises them, for libnftables' buffers to 4 MiB
	 */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	(void)mallopt(M_TRIM_THRESHOLD, LARGE);
	(void)mallopt(M_ARENA_MAX, ARENAS_MAX);
	r = loop_timer(l, -1, trim, h, &h->timer);
	if (r < 0)
		free(h);
	else
		*ret = h;
	return r;
}

void heap_close(struct heap *h)
{
	if (!h)
		return;
	(void)source_free(h->timer);
	free(h);
}
