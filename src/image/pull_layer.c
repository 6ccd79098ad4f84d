/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pull_layer.c - one layer of a pull: its bytes go from the registry client straight into an
 * unpacker
 *
 * Two confined processes and a pipe between them: the first has the network and hashes what comes
 * (the blob's digest), the second has a directory and hashes what it unpacks (the diff id). The
 * layer counts once both have ended well and said what was expected.
 */
#include <fcntl.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/child.h"
#include "image/pull.h"
#include "image/remote.h"
#include "storage/storage.h"

#define PIPE_BYTES (1 << 20)

const struct descriptor *layer_descriptor(const struct pull_layer *l)
{
	return &l->p->manifest.entries[l - l->p->layers];
}

/* the 12 digits clients know a layer by while it comes */
static void short_id(const struct pull_layer *l, char out[13])
{
	(void)snprintf(out, 13, "%.12s", layer_descriptor(l)->digest + strlen("sha256:"));
}

static void tell(struct pull_layer *l, const char *status, int64_t current)
{
	const struct image_pull_ops *o = &l->p->ops;
	char id[13];

	short_id(l, id);
	if (o->progress)
		o->progress(id, status, current, current ? layer_descriptor(l)->size : 0, o->data);
}

void layer_tell(struct pull_layer *l, const char *status)
{
	tell(l, status, 0);
}

void layer_tell_whole(struct pull_layer *l)
{
	tell(l, "Extracting", layer_descriptor(l)->size);
	layer_tell(l, "Pull complete");
}

static void free_slot(struct pull_layer *l)
{
	if (l->slot)
		l->p->im->downloads--;
	l->slot = false;
}

void layer_done(struct pull_layer *l)
{
	child_free(l->child);
	l->child = NULL;
	free_slot(l);
	if (l->dir)
		storage_trash(l->p->im->storage, l->dir);
	free(l->dir);
	l->dir = NULL;
	report_done(&l->rep);
}

/* ---- its end ---- */

static int check_unpacked(struct pull_layer *l, struct err *e)
{
	size_t pos = 0;
	const struct report_layer *got = map_next(l->rep.layers, &pos, NULL);

	if (l->rep.error.code)
		return err_set(e, ERR_INTERNAL, EINVAL, "failed to register layer: %s",
			       l->rep.error.msg);
	if (!l->rep.ended || !got || map_len(l->rep.layers) != 1)
		return err_set(e, ERR_INTERNAL, EIO, "the process that unpacks ended early");
	if (!streq(got->diff, l->diff))
		return err_set(e, ERR_INVALID, EBADMSG,
			       "layers from manifest don't match image configuration");
	return 0;
}

/* Both ends are there: the layer is whole, or the pull fails. The session's failure comes by
 * itself. */
void layer_settle(struct pull_layer *l)
{
	struct image_pull *p = l->p;
	struct err e = {0};

	if ((!l->fetched && !l->unread) || !l->unpacked)
		return;
	if (check_unpacked(l, &e) >= 0 && l->unread)
		(void)err_set(&e, ERR_INTERNAL, EIO, "the process that unpacks ended early");
	if (e.code) {
		pull_fail(p, &e);
		return;
	}
	l->state = LAYER_DONE;
	pull_advance(p);
}

void layer_unread(struct pull_layer *l)
{
	l->unread = true;
	layer_settle(l);
}

static int on_line(const char *line, size_t len, void *data, struct err *e)
{
	struct pull_layer *l = data;

	return report_line(&l->rep, line, len, e);
}

static void on_ended(const struct err *e, void *data)
{
	struct pull_layer *l = data;

	child_free(l->child);
	l->child = NULL;
	l->unpacked = true;
	if (e && !l->rep.error.code) {
		pull_fail(l->p, e);
		return;
	}
	layer_settle(l);
}

void layer_progress(struct pull_layer *l, int64_t bytes)
{
	l->have = bytes;
	tell(l, "Downloading", bytes);
}

int layer_fetched(struct pull_layer *l, struct err *e)
{
	if (l->state != LAYER_RUNNING || l->fetched)
		return err_invalid(e, "the registry client told of a layer that it does not have");
	l->fetched = true;
	free_slot(l);
	layer_tell(l, "Verifying Checksum");
	layer_tell(l, "Download complete");
	return 0;
}

/* ---- its start ---- */

static int start_unpacker(struct pull_layer *l, int in, struct err *e)
{
	const char *const argv[] = {l->p->im->helper, "import", l->dir, NULL};
	const struct child_ops ops = {.line = on_line, .ended = on_ended, .data = l};
	struct child_spec spec = CHILD_SPEC_INIT;

	spec.argv = argv;
	spec.in = in;
	return child_start(l->p->im, &spec, &ops, &l->child, e);
}

static json_t *command(const struct pull_layer *l)
{
	const struct descriptor *d = layer_descriptor(l);

	return json_pack("{s:s,s:I,s:{s:s,s:I,s:o}}", "op", "layer", "n",
			 (json_int_t)(l - l->p->layers), "layer", "digest", d->digest, "size",
			 (json_int_t)d->size, "urls", json_strings(d->urls));
}

int pull_layer_start(struct pull_layer *l, struct err *e)
{
	auto_close int in = -EBADF, out = -EBADF;
	int pipe[2], r = storage_layer_tmp(l->p->im->storage, &l->dir, e);

	if (r >= 0 && report_new(&l->rep) < 0)
		r = err_nomem(e);
	if (r < 0)
		return r;
	if (pipe2(pipe, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	in = pipe[0];
	out = pipe[1];
	(void)fcntl(out, F_SETPIPE_SZ, PIPE_BYTES); /* fewer turns between the two; as it is else */
	r = start_unpacker(l, in, e);
	if (r >= 0)
		r = remote_send(l->p->remote, command(l), out, e);
	if (r < 0)
		return r;
	l->state = LAYER_RUNNING;
	l->slot = true;
	l->p->im->downloads++;
	return 0;
}
