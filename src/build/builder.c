/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * builder.c - a build's life: its start, the bytes of its context, its end; what a last life left
 *
 * <data-root>/build/<id> is an empty file while build <id> is in work. Its containers carry the id
 * as an annotation: those of a build whose file is there are nobody's when the engine starts.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "build/internal.h"
#include "engine/config.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "storage/storage.h"

#define JOB_THREADS 2
#define BUILDS_MAX  32 /* side by side; each has a context on the disk */

/* ---- the builder ---- */

static void swept(int result, const struct err *e, void *data)
{
	(void)data;
	if (result < 0)
		log_warn("a container of an ended build stays error=\"%s\"", e ? e->msg : "");
}

/* Containers of the builds that the last life did not end. */
static void sweep_containers(struct builder *bd)
{
	auto_strv char **ids = NULL;

	for (struct container *c = NULL; (c = engine_container_next(bd->en, c));) {
		const json_t *notes = json_get(container_host_config(c), "Annotations");
		const char *id = json_string_value(json_get(notes, BUILD_ANNOTATION));
		auto_free char *path = id && str_is_hex(id) && strlen(id) == ID_LEN
					       ? str_printf("%s/%s", bd->dir, id)
					       : NULL;

		if (path && fs_exists(path) && strv_add(&ids, container_id(c)) < 0)
			return;
	}
	for (char **id = ids; id && *id; id++) {
		struct container *c;

		if (engine_find(bd->en, *id, &c, NULL) >= 0)
			engine_remove(c, true, true, swept, NULL);
	}
}

static void sweep_files(struct builder *bd)
{
	DIR *d = opendir(bd->dir);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		auto_free char *path = NULL;

		if (de->d_name[0] != '.' && (path = str_printf("%s/%s", bd->dir, de->d_name)))
			(void)fs_unlink(path);
	}
	if (d)
		(void)closedir(d);
}

int builder_new(struct engine *en, struct builder **ret, struct err *e)
{
	struct builder *bd = calloc(1, sizeof(*bd));
	int r;

	if (!bd || !(bd->dir = str_printf("%s/build", engine_config(en)->data_root))) {
		free(bd);
		return err_nomem(e);
	}
	bd->en = en;
	list_init(&bd->builds);
	r = fs_mkdir_p(bd->dir, 0700);
	if (r >= 0)
		r = job_pool_new(engine_loop(en), JOB_THREADS, &bd->jobs);
	if (r < 0) {
		(void)err_sys(e, -r, "cannot prepare %s", bd->dir);
		builder_free(bd);
		return r;
	}
	sweep_containers(bd); /* their rows are marked at once: the files may go */
	sweep_files(bd);
	*ret = bd;
	return 0;
}

/* ---- the end of a build ---- */

static void release_held(struct build *b)
{
	for (char **id = b->held; b->bd && id && *id; id++)
		image_release(engine_images(b->bd->en), *id);
	strv_free(b->held);
}

static void options_done(struct options *o)
{
	free(o->dockerfile);
	free(o->target);
	free(o->platform);
	free(o->registry_config);
	strv_free(o->tags);
	json_decref(o->labels);
	json_decref(o->host);
}

static void build_free(struct build *b)
{
	auto_free char *mark = b->bd ? str_printf("%s/%s", b->bd->dir, b->id) : NULL;

	list_remove(&b->node);
	copy_release(b);
	(void)source_free(b->turn);
	(void)fd_close(b->context_fd);
	if (b->bd && b->context)
		storage_trash(engine_storage(b->bd->en), b->context);
	release_held(b);
	if (mark)
		(void)fs_unlink(mark);
	dockerfile_free(b->df);
	args_done(&b->args);
	for (size_t i = 0; i < b->n_triggers; i++)
		instr_free(b->triggers[i]);
	free(b->triggers);
	json_decref(b->config);
	json_decref(b->key);
	strv_free(b->words);
	free(b->maintainer);
	free(b->pulling);
	free(b->results);
	free(b->context);
	options_done(&b->o);
	free(b);
}

void build_end(struct build *b)
{
	struct build_ops ops = b->ops;
	struct err e = b->err;
	int r = e.code, code = b->code;
	bool tell = !b->over;
	char image[DIGEST_SIZE];

	(void)snprintf(image, sizeof(image), "%s", b->image);
	b->over = true;
	build_free(b);
	if (tell)
		ops.done(r, code, r < 0 ? &e : NULL, image, ops.data);
}

/* Without the engine nothing can be undone: the marks stay for the next life. */
void builder_free(struct builder *bd)
{
	struct err e = {0};
	struct build *b;

	if (!bd)
		return;
	(void)err_set(&e, ERR_UNAVAILABLE, ECANCELED, "the engine is being stopped");
	list_for_each (b, &bd->builds, node) {
		bool alone = !b->awaiting || b->wait; /* no callback comes that is not taken back */

		list_remove(&b->node);
		atomic_store(&b->cancelled, true);
		release_held(b);
		b->held = NULL;
		if (b->attached)
			attachment_close(b->attached);
		engine_wait_cancel(b->wait);
		b->attached = NULL;
		b->wait = NULL;
		b->bd = NULL;
		b->over = true;
		b->ops.done(e.code, 0, &e, "", b->ops.data);
		if (alone)
			build_free(b);
	}
	job_pool_free(bd->jobs); /* they see that they are cancelled */
	free(bd->dir);
	free(bd);
}

/* ---- the context ---- */

static void on_writable(void *data)
{
	struct build *b = data;

	if (b->ops.writable && !b->over)
		b->ops.writable(b->ops.data);
}

static void on_context(int result, const char *dir, const struct err *e, void *data)
{
	struct build *b = data;
	struct err own = {0};

	b->unpack = NULL;
	if (dir && b->bd && !(b->context = strdup(dir)))
		storage_trash(engine_storage(b->bd->en), dir);
	if (flow_back(b))
		return;
	if (result < 0) {
		flow_fail(b, e);
		return;
	}
	b->context_fd = b->context ? open(b->context, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (b->context_fd < 0) {
		(void)err_sys(&own, b->context ? errno : ENOMEM, "cannot open the context");
		flow_fail(b, &own);
		return;
	}
	flow_later(b, flow_begin);
}

ssize_t build_write(struct build *b, const char *data, size_t len)
{
	return b->unpack ? image_unpack_write(b->unpack, data, len) : -EPIPE;
}

void build_eof(struct build *b)
{
	if (b->unpack)
		image_unpack_eof(b->unpack);
}

void build_resume(struct build *b)
{
	run_resume(b);
	flow_unstall(b);
}

void build_cancel(struct build *b)
{
	atomic_store(&b->cancelled, true);
	log_debug("build cancelled build=%.12s", b->id);
	if (b->unpack)
		image_unpack_abort(b->unpack);
	run_cancel(b);
	/* both may end the build from within: the last words */
	if (b->pull)
		image_pull_abort(b->pull);
	else
		flow_unstall(b);
}

/* ---- the start ---- */

static int copy_options(struct build *b, const struct build_options *from, struct err *e)
{
	struct options *o = &b->o;
	json_t *notes = json_pack("{s:s}", BUILD_ANNOTATION, b->id);

	o->host = from->host ? json_deep_copy(from->host) : json_object();
	o->labels = from->labels ? json_deep_copy(from->labels) : NULL;
	o->no_cache = from->no_cache;
	o->pull = from->pull;
	o->remove = from->remove || from->force_remove;
	o->force_remove = from->force_remove;
	o->quiet = from->quiet;
	o->tags = strv_copy(from->tags);
	if (!notes || !o->host || json_object_set_new(o->host, "Annotations", notes) < 0 ||
	    (from->labels && !o->labels) || (from->tags && !o->tags) ||
	    str_set(&o->dockerfile, str_empty(from->dockerfile) ? "Dockerfile" : from->dockerfile) <
		    0 ||
	    str_set(&o->target, from->target) < 0 || str_set(&o->platform, from->platform) < 0 ||
	    str_set(&o->registry_config, from->registry_config) < 0)
		return err_nomem(e);
	return args_init(&b->args, from->args, e);
}

static int mark(struct build *b, struct err *e)
{
	auto_free char *path = str_printf("%s/%s", b->bd->dir, b->id);
	auto_close int fd = -EBADF, dir = -EBADF;

	if (!path)
		return err_nomem(e);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	dir = open(b->bd->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dir < 0 || fsync(dir) < 0) /* before any container says its name */
		return err_sys(e, errno, "cannot write %s", path);
	return 0;
}

int build_start(struct builder *bd, const struct build_options *o, const struct build_ops *ops,
		struct build **ret, struct err *e)
{
	struct image_unpack_ops unpack = {.writable = on_writable, .done = on_context};
	struct build *b;
	int r;

	if (list_len(&bd->builds) >= BUILDS_MAX)
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%d builds are in work already",
			       BUILDS_MAX);
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_nomem(e);
	*b = (struct build){.bd = bd,
			    .ops = *ops,
			    .context_fd = -EBADF,
			    .from.root = -EBADF,
			    .to.root = -EBADF};
	atomic_init(&b->cancelled, false);
	rand_id(b->id);
	list_append(&bd->builds, &b->node);
	unpack.data = b;
	r = copy_options(b, o, e);
	if (r >= 0)
		r = mark(b, e);
	if (r >= 0)
		r = image_unpack_start(engine_images(bd->en), -1, &unpack, &b->unpack, e);
	if (r < 0) {
		build_free(b);
		return r;
	}
	b->awaiting = true;
	*ret = b;
	return 0;
}
