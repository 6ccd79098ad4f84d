/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.c - clients' streams on a container or an exec
 *
 * An attachment exists from the client's request on. Before the container runs it only waits
 * (rt == NULL): writes take nothing and an early end of input is remembered. attachments_open(),
 * between create and start, connects them, so that neither the first byte out nor the early bytes
 * in are lost.
 */

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "engine/internal.h"

struct attachment {
	struct list node; /* of the container while it waits or runs; unlinked for an exec's */
	struct container *c;
	struct rt_attach_ops ops;
	struct rt_attach *rt;
	bool eof, is_exec;
};

static int on_output(int stream, const char *data, size_t len, void *d)
{
	struct attachment *a = d;

	return a->ops.output(stream, data, len, a->ops.data);
}

static void release(struct attachment *a)
{
	list_remove(&a->node);
	free(a);
}

static void on_closed(void *d)
{
	struct attachment *a = d;

	a->rt = NULL;
	list_remove(&a->node); /* whoever is told may remove the container */
	a->ops.closed(a->ops.data);
	free(a);
}

static void on_writable(void *d)
{
	struct attachment *a = d;

	if (a->ops.writable)
		a->ops.writable(a->ops.data);
}

static struct rt_attach_ops relay(struct attachment *a)
{
	return (struct rt_attach_ops){.output = on_output,
				      .closed = on_closed,
				      .writable = on_writable,
				      .data = a,
				      .what = a->ops.what};
}

static int open_one(struct attachment *a, struct err *e)
{
	struct rt_attach_ops ops = relay(a);
	int r = rt_attach_open(a->c->en->runtime, a->c->id, &ops, &a->rt, e);

	if (r < 0)
		return r;
	on_writable(a); /* early bytes go first, then the early end */
	if (a->eof)
		attachment_eof(a);
	return 0;
}

int attachments_open(struct container *c, struct err *e)
{
	struct attachment *a;

	list_for_each (a, &c->attachments, node) {
		int r = a->rt ? 0 : open_one(a, e);

		if (r < 0)
			return r;
	}
	return 0;
}

void attachments_drop(struct list *all)
{
	while (!list_empty(all)) {
		struct attachment *a = list_entry(all->next, struct attachment, node);

		if (a->rt)
			rt_attach_close(a->rt);
		on_closed(a);
	}
}

void attachments_leave(struct container *c)
{
	struct attachment *a;

	list_for_each (a, &c->attachments, node) {
		if (!a->rt)
			continue;
		list_remove(&a->node);
		a->c = NULL;
		list_append(&c->en->readers, &a->node);
	}
	attachments_drop(&c->attachments);
}

int engine_attach(struct container *c, const struct rt_attach_ops *ops, struct attachment **ret,
		  struct err *e)
{
	struct attachment *a;
	int r = 0;

	if (c->gone || c->st.status == CONTAINER_REMOVING)
		return err_not_found(e, "No such container: %s", c->id);
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_nomem(e);
	a->c = c;
	a->ops = *ops;
	list_append(&c->attachments, &a->node);
	*ret = a;
	if (c->st.status == CONTAINER_RUNNING)
		r = open_one(a, e);
	if (r < 0)
		release(a);
	else
		container_event(c, "attach", NULL, NULL);
	return r;
}

ssize_t attachment_write(struct attachment *a, const void *data, size_t len)
{
	return a->rt ? rt_attach_write(a->rt, data, len) : 0;
}

void attachment_eof(struct attachment *a)
{
	a->eof = true;
	if (!a->rt)
		return;
	if (a->is_exec || (a->c && jb(a->c->config, "StdinOnce")))
		rt_attach_eof(a->rt);
}

void attachment_resume(struct attachment *a)
{
	if (a->rt)
		rt_attach_resume(a->rt);
}

void attachment_close(struct attachment *a)
{
	if (a->rt)
		rt_attach_close(a->rt);
	release(a);
}

struct rt_attach_ops attachment_for_exec(struct container *c, const struct rt_attach_ops *ops,
					 struct attachment **ret)
{
	struct attachment *a = calloc(1, sizeof(*a));

	*ret = a;
	if (!a)
		return (struct rt_attach_ops){0};
	a->c = c;
	a->ops = *ops;
	a->is_exec = true;
	return relay(a);
}

void attachment_ready(struct attachment *a, struct rt_attach *rt)
{
	a->rt = rt;
	on_writable(a);
	if (a->eof)
		attachment_eof(a);
}

void attachment_discard(struct attachment *a)
{
	free(a);
}
