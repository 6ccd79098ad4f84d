/* SPDX-License-Identifier: GPL-2.0-or-later */
/* builtin.c - atoll/busybox from its archive: a machine without a registry has something to run */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "image/internal.h"
#include "loop/loop.h"

#define NAME "atoll/busybox:latest"

struct builtin {
	void (*done)(int result, void *data);
	void *data;
};

static void loaded(int result, char *const *ids, const struct err *e, void *data)
{
	struct builtin b = *(struct builtin *)data;

	(void)ids;
	free(data);
	if (result < 0)
		log_warn("the built-in image could not be loaded error=%s", e->msg);
	b.done(result, b.data);
}

int images_builtin(struct images *im, void (*done)(int result, void *data), void *data)
{
	struct image_load_ops ops = {.done = loaded};
	struct image_load *load;
	struct err e = {0};
	struct builtin *b;
	int r;

	images_sweep_hidden(im); /* recovery has made its holds */
	if (!im->builtin || map_get(im->by_tag, NAME)) {
		done(0, data);
		return 0;
	}
	auto_close int fd = open(im->builtin, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	b = malloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	*b = (struct builtin){done, data};
	ops.data = b;
	r = load_start(im, fd, &ops, &load, &e);
	if (r < 0) {
		log_warn("the built-in image could not be loaded error=%s", e.msg);
		free(b);
	}
	return r;
}
