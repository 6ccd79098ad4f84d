/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.c - load and import: the archive goes to atoll-helper, its report comes back
 *
 * The helper gets the bytes on fd 0 (a socket, or the archive itself) and an empty directory
 * (layers/tmp-*), and reports by lines on fd 3 (image/helper.h, image/report.h).
 *
 * A load lives until its child has been reaped. Before that: bytes are taken as long as the helper
 * reads them (@in open) and lines are checked as they come; the first bad one, or an abort, kills
 * the helper. After it, in one turn of the loop: what is left of the report is read, layers move
 * to their places, the rows commit, the rest of the directory is trashed, the end is told. So
 * nothing is stored unless the helper ended well, and no other operation comes between.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "image/helper.h"
#include "image/internal.h"
#include "image/manifest.h"
#include "loop/loop.h"
#include "loop/spawn.h"
#include "storage/storage.h"

#define LOADS_MAX      32		    /* side by side; each is a process and its disk */
#define LINE_MAX_BYTES (8 * LIMIT_MANIFEST) /* a config, each byte escaped */
#define CHUNK	       (64u << 10)

struct image_load {
	struct list node;
	struct images *im;
	struct image_load_ops ops;
	char *dir; /* the helper's */
	int in, report, pidfd;
	struct source *in_io, *report_io, *child;
	struct buf line; /* of the report, not yet ended */
	struct report rep;
	struct err err;		/* why the helper was killed */
	struct layer_plan plan; /* compose NULL: a load */
	int status;		/* of the helper, while the end is held */
	bool aborted, held;
};

static void load_free(struct image_load *l)
{
	list_remove(&l->node);
	(void)source_free(l->in_io);
	(void)source_free(l->report_io);
	(void)source_free(l->child);
	(void)fd_close(l->in);
	(void)fd_close(l->report);
	(void)fd_close(l->pidfd);
	if (l->dir)
		storage_trash(l->im->storage, l->dir);
	buf_done(&l->line);
	report_done(&l->rep);
	if (l->plan.drop)
		l->plan.drop(l->plan.data);
	free(l->dir);
	free(l);
}

static void kill_helper(struct image_load *l)
{
	if (l->pidfd >= 0 && !l->held)
		(void)syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0);
}

/* Blocks for the moment that a killed process takes to end. */
static int reap(struct image_load *l)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)l->pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* ---- the report ---- */

static int take_line(struct image_load *l, size_t len, struct err *e)
{
	int r = report_line(&l->rep, l->line.data, len, e);

	buf_consume(&l->line, len + 1);
	return r;
}

static int take_chunk(struct image_load *l, const char *chunk, size_t n, struct err *e)
{
	int r = 0;

	for (const char *end = chunk + n; r >= 0 && chunk < end;) {
		const char *nl = memchr(chunk, '\n', (size_t)(end - chunk));
		size_t len = (size_t)((nl ? nl + 1 : end) - chunk);

		if (buf_add(&l->line, chunk, len) < 0)
			return err_invalid(e, "the helper's report has a line too long");
		if (nl)
			r = take_line(l, l->line.len - 1, e);
		chunk += len;
	}
	return r;
}

/* Return: bytes read, 0 the end, -errno */
static ssize_t read_report(struct image_load *l)
{
	char chunk[CHUNK];
	ssize_t n = read(l->report, chunk, sizeof(chunk));

	if (n < 0)
		return -errno;
	if (n > 0 && !l->err.code && !l->aborted && take_chunk(l, chunk, (size_t)n, &l->err) < 0)
		kill_helper(l);
	return n;
}

static void on_report(int fd, uint32_t events, void *data)
{
	struct image_load *l = data;

	(void)fd;
	(void)events;
	if (read_report(l) == 0)
		l->report_io = source_free(l->report_io);
}

/* ---- the end ---- */

/* A layer's directory is the helper's work too: only a real one becomes a layer. */
static int commit_layer(struct image_load *l, const char *chain, struct err *e)
{
	const struct report_layer *layer = map_get(l->rep.layers, chain);
	auto_free char *path = str_printf("%s/%s", l->dir, layer->dir);
	struct stat st;

	if (!path)
		return err_nomem(e);
	if (!*layer->dir) /* was here before: the parent's of a commit */
		return 0;
	if (lstat(path, &st) < 0) /* another image of this load may have placed it */
		return storage_layer_exists(l->im->storage, chain)
			       ? 0
			       : err_sys(e, errno, "layer %s", chain);
	if (!S_ISDIR(st.st_mode))
		return err_invalid(e, "layer %s is not a directory", chain);
	return storage_layer_commit(l->im->storage, path, chain, e);
}

static int store(struct image_load *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->rep.n_images; i++)
		for (char **c = l->rep.images[i].layers; r >= 0 && c && *c; c++)
			r = commit_layer(l, *c, e);
	if (r >= 0)
		r = images_store(l->im, &l->rep, e);
	for (size_t i = 0; r < 0 && i < l->rep.n_images; i++)
		(void)layers_collect(l->im, l->rep.images[i].layers, NULL);
	return r;
}

static int check_end(const struct image_load *l, int status, struct err *e)
{
	if (l->aborted)
		return err_set(e, ERR_INTERNAL, ECANCELED, "the client is gone");
	if (l->err.code)
		return err_set(e, l->err.kind, -l->err.code, "%s", l->err.msg);
	if (l->rep.error.code)
		return err_set(e, l->rep.error.kind, -l->rep.error.code, "%s", l->rep.error.msg);
	if (!l->rep.ended || !WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(e, ERR_INTERNAL, EIO,
			       "the process that reads the archive ended early (%s %d)",
			       WIFSIGNALED(status) ? "signal" : "exit code",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return 0;
}

struct outcome {
	char **ids, **told;
};

/* before the names move: what they leave is told too */
static int tell_image(struct image_load *l, const struct report_image *n, struct outcome *out)
{
	int r = strv_add(&out->ids, n->id);

	if (r >= 0 && !n->tags)
		r = strv_addf(&out->told, "Loaded image ID: %s", n->id);
	for (char **t = n->tags; r >= 0 && t && *t; t++) {
		const struct image *old = map_get(l->im->by_tag, *t);

		if (old && !streq(old->id, n->id))
			r = strv_addf(&out->told,
				      "The image %s already exists, renaming the old one with ID "
				      "%s to empty string",
				      *t, old->id);
		if (r >= 0)
			r = strv_addf(&out->told, "Loaded image: %s", *t);
	}
	return r;
}

static int settle(struct image_load *l, int status, struct outcome *out, struct err *e)
{
	int r = check_end(l, status, e);

	if (r >= 0 && l->plan.compose && (map_len(l->rep.layers) != 1 || l->rep.n_images))
		r = err_invalid(e, "the archive is not one root file system");
	if (r >= 0 && l->plan.compose)
		r = l->plan.compose(&l->rep, l->plan.data, e);
	if (r >= 0 && !l->rep.n_images)
		r = err_invalid(e, "the archive has no image");
	for (size_t i = 0; r >= 0 && i < l->rep.n_images; i++)
		if (tell_image(l, &l->rep.images[i], out) < 0)
			r = err_nomem(e);
	return r < 0 ? r : store(l, e);
}

static void finish(struct image_load *l, int status)
{
	struct image_load_ops ops = l->ops;
	struct outcome out = {0};
	struct err e = {0};
	int r;

	while (!l->aborted && read_report(l) > 0)
		; /* at most what a pipe holds: nobody writes any more */
	r = settle(l, status, &out, &e);
	load_free(l);
	for (char **t = out.told; r >= 0 && ops.progress && t && *t; t++)
		ops.progress(*t, ops.data);
	ops.done(MIN(r, 0), r < 0 ? NULL : out.ids, r < 0 ? &e : NULL, ops.data);
	strv_free(out.ids);
	strv_free(out.told);
}

static void on_child(pid_t pid, int status, void *data)
{
	struct image_load *l = data;

	(void)pid;
	l->child = NULL; /* one-shot */
	if (l->plan.ready && !l->plan.ready(l->plan.data)) {
		l->held = true;
		l->status = status;
	} else {
		finish(l, status);
	}
}

void layer_go_on(struct image_load *l)
{
	if (l->held)
		finish(l, l->status);
}

void loads_drop(struct images *im)
{
	while (!list_empty(&im->loads)) {
		struct image_load *l = list_entry(im->loads.next, struct image_load, node);

		image_load_abort(l);
		if (!l->held)
			(void)reap(l);
		finish(l, 0);
	}
}

/* ---- the archive's bytes ---- */

static void close_in(struct image_load *l)
{
	l->in_io = source_free(l->in_io);
	l->in = fd_close(l->in);
}

static void on_in(int fd, uint32_t events, void *data)
{
	struct image_load *l = data;

	(void)fd;
	if (events & (EPOLLERR | EPOLLHUP))
		close_in(l); /* it reads no more: the next write says so */
	else
		(void)source_io_events(l->in_io, 0);
	if (l->ops.writable && !l->aborted)
		l->ops.writable(l->ops.data);
}

ssize_t image_load_write(struct image_load *l, const char *data, size_t len)
{
	size_t done = 0;

	while (l->in >= 0 && done < len) {
		ssize_t n = send(l->in, data + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno == EAGAIN) {
			if (source_io_events(l->in_io, EPOLLOUT) >= 0)
				return (ssize_t)done;
			close_in(l);
		} else if (errno != EINTR) {
			close_in(l);
		}
	}
	return l->in < 0 ? -EPIPE : (ssize_t)done;
}

void image_load_eof(struct image_load *l)
{
	close_in(l);
}

void image_load_abort(struct image_load *l)
{
	l->aborted = true;
	close_in(l);
	kill_helper(l);
}

/* ---- the start ---- */

static int watch(struct image_load *l, pid_t pid)
{
	struct loop *loop = l->im->loop;
	int r = fd_nonblock(l->report);

	if (r >= 0 && l->in >= 0)
		r = loop_io(loop, l->in, 0, on_in, l, &l->in_io);
	if (r >= 0)
		r = loop_io(loop, l->report, EPOLLIN, on_report, l, &l->report_io);
	return r < 0 ? r : loop_child(loop, pid, l->pidfd, on_child, l, &l->child);
}

/* @archive and @report are the helper's ends */
static int start_helper(struct image_load *l, int archive, int report)
{
	const char *const argv[] = {l->im->helper, l->plan.compose ? "import" : "load", l->dir,
				    NULL};
	const struct spawn_fd fds[] = {{report, REPORT_FD}, {l->im->life_fd, REPORT_FD + 1}};
	struct spawn s = SPAWN_INIT;
	pid_t pid;
	int r;

	s.argv = argv;
	s.in = archive;
	s.fds = fds;
	s.n_fds = l->im->life_fd >= 0 ? 2 : 1;
	s.die_with_parent = true;
	pid = spawn_start(&s, &l->pidfd);
	if (pid < 0)
		return pid;
	r = watch(l, pid);
	if (r < 0) {
		kill_helper(l);
		(void)reap(l);
	}
	return r;
}

static int begin(struct image_load *l, int archive, struct err *e)
{
	auto_close int theirs = -EBADF, report = -EBADF;
	int in[2], out[2], r = storage_layer_tmp(l->im->storage, &l->dir, e);

	if (r < 0)
		return r;
	if (archive < 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0)
			return err_sys(e, errno, "cannot make a socket");
		l->in = in[0];
		archive = theirs = in[1];
	}
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	l->report = out[0];
	report = out[1];
	r = start_helper(l, archive, report);
	return r < 0 ? err_sys(e, -r, "cannot start %s", l->im->helper) : 0;
}

static int load_new(struct images *im, const struct image_load_ops *ops, struct image_load **ret,
		    struct err *e)
{
	struct image_load *l, *other;
	size_t n = 0;

	list_for_each (other, &im->loads, node)
		n++;
	if (im->stopped)
		return err_set(e, ERR_UNAVAILABLE, ESHUTDOWN, "the engine ends");
	if (n >= LOADS_MAX)
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%d images are being loaded already",
			       LOADS_MAX);
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_nomem(e);
	*l = (struct image_load){.im = im,
				 .ops = *ops,
				 .in = -EBADF,
				 .report = -EBADF,
				 .pidfd = -EBADF,
				 .line = BUF_INIT(LINE_MAX_BYTES)};
	list_append(&im->loads, &l->node);
	if (report_new(&l->rep) < 0) {
		load_free(l);
		return err_nomem(e);
	}
	*ret = l;
	return 0;
}

int load_start(struct images *im, int archive, const struct image_load_ops *ops,
	       struct image_load **ret, struct err *e)
{
	struct image_load *l;
	int r = load_new(im, ops, &l, e);

	if (r < 0)
		return r;
	r = begin(l, archive, e);
	if (r < 0)
		load_free(l);
	else
		*ret = l;
	return r;
}

int image_load_start(struct images *im, const struct image_load_ops *ops, struct image_load **ret,
		     struct err *e)
{
	return load_start(im, -1, ops, ret, e);
}

int layer_start(struct images *im, const struct layer_plan *p, const struct image_load_ops *ops,
		struct image_load **ret, struct err *e)
{
	struct image_load *l;
	int r = load_new(im, ops, &l, e);

	if (r < 0) {
		p->drop(p->data);
		return r;
	}
	l->plan = *p;
	r = begin(l, p->archive, e);
	if (r < 0)
		load_free(l);
	else
		*ret = l;
	return r;
}
