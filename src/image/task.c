/* SPDX-License-Identifier: GPL-2.0-or-later */
/* task.c - one run of atoll-helper: its request, the objects of its report */

#include "image/task.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "image/child.h"
#include "image/helper.h"
#include "image/internal.h"
#include "loop/spawn.h"

#define TASKS_MAX 64 /* side by side: processes */

struct helper_child {
	struct list node;
	struct images *im;
	struct helper_ops ops;
	struct child *child;
	bool said_end, aborted;
};

static void task_free(struct helper_child *h)
{
	list_remove(&h->node);
	child_free(h->child);
	free(h);
}

/* ---- the end ---- */

static void finish(struct helper_child *h, const struct err *why)
{
	struct helper_ops ops = h->ops;
	struct err e = {0};
	int r = 0;

	if (h->aborted) {
		r = err_set(&e, ERR_INTERNAL, ECANCELED, "the client is gone");
	} else if (why) {
		e = *why;
		r = e.code;
	} else if (!h->said_end) {
		r = err_set(&e, ERR_INTERNAL, EIO, "atoll-helper ended early (exit code 0)");
	}
	task_free(h);
	ops.done(r, r < 0 ? &e : NULL, ops.data);
}

static void on_ended(const struct err *e, void *data)
{
	finish(data, e);
}

/* ---- its report ---- */

int helper_error(const json_t *line, struct err *ret)
{
	const char *text = json_string_value(json_object_get(line, "error"));
	const char *kind = json_string_value(json_object_get(line, "kind"));

	if (!text)
		return 0;
	if (streq(kind, "not found"))
		(void)err_not_found(ret, "%s", text);
	else if (streq(kind, "gone"))
		(void)err_set(ret, ERR_INTERNAL, EPIPE, "%s", text);
	else if (streq(kind, "internal"))
		(void)err_set(ret, ERR_INTERNAL, EIO, "%s", text);
	else
		(void)err_invalid(ret, "%s", text);
	return 1;
}

static int on_line(const char *text, size_t len, void *data, struct err *e)
{
	struct helper_child *h = data;
	auto_json json_t *line = NULL;
	struct err said = {0};
	int r = json_read(text, len, &line, e);

	if (r < 0)
		return err_wrap(e, "the helper's report");
	if (h->said_end)
		return err_invalid(e, "the helper's report goes on after its end");
	if (helper_error(line, &said)) {
		*e = said;
		return e->code;
	}
	if (json_is_true(json_object_get(line, "end"))) {
		h->said_end = true;
		return 0;
	}
	return h->ops.line ? h->ops.line(line, h->ops.data, e)
			   : err_invalid(e, "the helper's report has an unknown line");
}

/* ---- its streams ---- */

static int on_out(const void *piece, size_t len, void *data)
{
	struct helper_child *h = data;

	return h->ops.out(piece, len, h->ops.data);
}

static void on_writable(void *data)
{
	struct helper_child *h = data;

	if (h->ops.writable)
		h->ops.writable(h->ops.data);
}

ssize_t helper_write(struct helper_child *h, const char *data, size_t len)
{
	return child_write(h->child, data, len);
}

void helper_eof(struct helper_child *h)
{
	child_eof(h->child);
}

void helper_resume(struct helper_child *h)
{
	child_resume(h->child);
}

void helper_abort(struct helper_child *h)
{
	h->aborted = true;
	child_abort(h->child);
}

static void nobody(int result, const struct err *e, void *data)
{
	(void)result;
	(void)e;
	(void)data;
}

void helper_forget(struct helper_child *h)
{
	h->ops.done = nobody;
	helper_abort(h);
}

/* ---- the start ---- */

static int make_request(const json_t *request, int *ret)
{
	auto_free char *text = json_dumps(request, JSON_COMPACT);
	auto_close int fd = memfd_create("request", MFD_CLOEXEC);
	int r = !text ? -ENOMEM : fd < 0 ? -errno : fs_write_all(fd, text, strlen(text));

	if (r >= 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r >= 0)
		*ret = TAKE_FD(fd);
	return r;
}

static int begin(struct helper_child *h, const struct helper_task *t, struct err *e)
{
	const char *const argv[] = {h->im->helper, t->verb, t->dir, NULL};
	const struct child_ops ops = {.line = on_line,
				      .out = h->ops.out ? on_out : NULL,
				      .writable = on_writable,
				      .ended = on_ended,
				      .data = h};
	struct child_spec s = CHILD_SPEC_INIT;
	auto_close int request = -EBADF;
	struct spawn_fd fds[CHILD_FDS];
	int r = t->request ? make_request(t->request, &request) : 0;

	if (r < 0)
		return err_sys(e, -r, "cannot start %s", h->im->helper);
	if (request >= 0)
		fds[s.n_fds++] = (struct spawn_fd){request, REQUEST_FD};
	if (t->root >= 0)
		fds[s.n_fds++] = (struct spawn_fd){t->root, ROOT_FD};
	if (t->userns > 0)
		fds[s.n_fds++] = (struct spawn_fd){t->userns, USERNS_FD};
	s.argv = argv;
	s.what = "atoll-helper";
	s.in = t->file;
	s.write = t->in;
	s.out = t->out;
	s.fds = fds;
	return child_start(h->im, &s, &ops, &h->child, e);
}

int helper_start(struct images *im, const struct helper_task *t, const struct helper_ops *ops,
		 struct helper_child **ret, struct err *e)
{
	struct helper_child *h;

	if (im->stopped)
		return err_set(e, ERR_UNAVAILABLE, ESHUTDOWN, "the engine ends");
	if (list_len(&im->tasks) >= TASKS_MAX)
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%d archives are in work already",
			       TASKS_MAX);
	h = calloc(1, sizeof(*h));
	if (!h)
		return err_nomem(e);
	h->im = im;
	h->ops = *ops;
	list_append(&im->tasks, &h->node);
	int r = begin(h, t, e);

	if (r < 0) {
		task_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

void tasks_drop(struct images *im)
{
	while (!list_empty(&im->tasks)) {
		struct helper_child *h = list_entry(im->tasks.next, struct helper_child, node);

		h->aborted = true;
		finish(h, NULL);
	}
}
