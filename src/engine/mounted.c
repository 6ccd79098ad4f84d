/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mounted.c - what a container's mounts need while it runs, made at its start, undone at its end
 *
 * A volume with options has a file system of its own, mounted while a container that starts or
 * runs has it. Nothing is counted: who uses it is asked of the containers, whether it is mounted of
 * the kernel, so a death at any point leaves nothing to mend but what volume_turn() does at the
 * next start. Mounting and unmounting are jobs, one a volume at a time (en->mount_jobs); whoever
 * needs the volume meanwhile waits in v->waits.
 *
 * Then one job makes the rest: the shared /dev/shm, missing folders of -v, subpaths (storage's
 * scratch.c), and looks whether what shall be shared is.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/mounts.h"

/* ---- volumes ---- */

struct volume_wait {
	struct list node;
	void (*fn)(int result, const struct err *e, void *data);
	void *data;
};

struct mount_job {
	struct list node;
	struct engine *en;
	char *name;
	bool mounts; /* or unmounts */
};

static void volume_turn(struct volume *v);

static bool needs_mount(const struct volume *v)
{
	return *js(v->options, "device") || *js(v->options, "type");
}

static bool used_by(const struct container *c, const struct volume *v)
{
	size_t i;
	json_t *m;

	if (c->st.status != CONTAINER_RUNNING && !c->starting)
		return false;
	json_array_foreach(c->mounts, i, m)
	{
		if (streq(js(m, "Type"), "volume") && streq(js(m, "Name"), v->name))
			return true;
	}
	return false;
}

static bool in_use(const struct volume *v)
{
	struct container *c;

	list_for_each (c, &v->en->containers, node)
		if (used_by(c, v))
			return true;
	return false;
}

static bool job_runs(const struct volume *v)
{
	struct mount_job *j;

	list_for_each (j, &v->en->mount_jobs, node)
		if (streq(j->name, v->name))
			return true;
	return false;
}

static void serve(struct volume *v, int result, const struct err *e)
{
	struct list due;

	list_init(&due);
	while (!list_empty(&v->waits)) {
		struct list *n = v->waits.next;

		list_remove(n);
		list_append(&due, n);
	}
	while (!list_empty(&due)) {
		struct volume_wait *w = list_entry(due.next, struct volume_wait, node);

		list_remove(&w->node);
		w->fn(result, e, w->data);
		free(w);
	}
}

static void job_over(int result, const struct err *e, void *data)
{
	struct mount_job *j = data;
	struct volume *v = j->en->volumes ? map_get(j->en->volumes, j->name) : NULL;
	bool mounts = j->mounts;

	list_remove(&j->node);
	free(j->name);
	free(j);
	if (result < 0 && !mounts)
		log_warn("a volume stays mounted error=\"%s\"", e ? e->msg : strerror(-result));
	if (!v)
		return;
	if (result < 0 && mounts)
		serve(v, result, e);
	else if (result >= 0)
		volume_turn(v);
}

static int run_job(struct volume *v, bool mounts)
{
	const struct volume_source from = {.type = js(v->options, "type"),
					   .device = js(v->options, "device"),
					   .options = js(v->options, "o")};
	struct mount_job *j = calloc(1, sizeof(*j));
	int r = j && str_set(&j->name, v->name) >= 0 ? 0 : -ENOMEM;

	if (r >= 0) {
		j->en = v->en;
		j->mounts = mounts;
		list_append(&v->en->mount_jobs, &j->node);
		r = mounts ? storage_volume_mount(v->en->storage, v->name, &from, job_over, j)
			   : storage_volume_unmount(v->en->storage, v->name, job_over, j);
	}
	if (r < 0 && j) {
		list_remove(&j->node);
		free(j->name);
		free(j);
	}
	return r;
}

/* What is next for a volume: nothing while a job runs, for its end comes here again. */
static void volume_turn(struct volume *v)
{
	struct err e = {0};
	bool mounted;

	if (!needs_mount(v) || job_runs(v))
		return;
	mounted = storage_volume_mounted(v->en->storage, v->name);
	if (!list_empty(&v->waits) && mounted)
		serve(v, 0, NULL);
	else if (!list_empty(&v->waits) && run_job(v, true) < 0)
		serve(v, err_nomem(&e), &e);
	else if (list_empty(&v->waits) && mounted && !in_use(v) && run_job(v, false) < 0)
		log_warn("out of memory, a volume stays mounted volume=%s", v->name);
}

void mounts_recovered(struct engine *en)
{
	struct volume *v = NULL;

	while ((v = engine_volume_next(en, v)))
		volume_turn(v);
}

/* ---- the rest: one job ---- */

struct errand {
	enum { MAKE_FOLDER, MAKE_SHM, BIND_SUBPATH, CHECK_SHARED, CHECK_SLAVE, READ_FLAGS } what;
	char *source, *sub, *path;
	int64_t bytes;
	size_t index;	     /* of the mount */
	unsigned long flags; /* what READ_FLAGS found: ST_* */
	bool folder;	     /* likewise */
};

struct prepare {
	struct container *c;
	engine_cb cb;
	void *data;
	size_t next; /* mount whose volume is looked at */
	struct errand *v;
	size_t n;
	struct err e;
};

static void prepare_free(struct prepare *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].source);
		free(p->v[i].sub);
		free(p->v[i].path);
	}
	free(p->v);
	free(p);
}

static int errand_run(struct errand *x, struct err *e)
{
	struct statvfs st;
	struct stat file;
	int r = 0;

	switch (x->what) {
	case MAKE_FOLDER:
		r = fs_exists(x->source) ? 0 : fs_mkdir_p(x->source, 0755);
		if (r < 0 && r != -ENOTDIR)
			return err_sys(e, -r, "error while creating mount source path '%s'",
				       x->source);
		return 0;
	case MAKE_SHM:
		return scratch_shm(x->path, x->bytes, e);
	case BIND_SUBPATH:
		return scratch_subpath(x->source, x->sub, x->path, e);
	case CHECK_SHARED:
		return storage_propagation_check(x->source, false, e);
	case CHECK_SLAVE:
		return storage_propagation_check(x->source, true, e);
	case READ_FLAGS:
		if (statvfs(x->source, &st) == 0) /* else the runtime will say what is wrong */
			x->flags = st.f_flag;
		x->folder = stat(x->source, &file) < 0 || S_ISDIR(file.st_mode);
		return 0;
	}
	return r;
}

static int prepare_work(void *data)
{
	struct prepare *p = data;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->n; i++)
		r = errand_run(&p->v[i], &p->e);
	return r;
}

static int errand_add(struct prepare *p, struct errand x, bool whole)
{
	struct errand *more = whole ? realloc(p->v, (p->n + 1) * sizeof(*more)) : NULL;

	if (!more) {
		free(x.source);
		free(x.sub);
		free(x.path);
		return -ENOMEM;
	}
	p->v = more;
	p->v[p->n++] = x;
	return 0;
}

static int source_errand(struct prepare *p, int what, const json_t *m, size_t i)
{
	struct errand x = {.what = what, .source = strdup(js(m, "Source")), .index = i};

	return errand_add(p, x, x.source);
}

static bool own_file_system(const struct container *c, const json_t *m)
{
	const struct volume *v =
		streq(js(m, "Type"), "volume") ? map_get(c->en->volumes, js(m, "Name")) : NULL;

	return v && needs_mount(v);
}

static int mount_errands(struct prepare *p, const json_t *m, size_t i)
{
	const char *prop = js(m, "Propagation");
	bool bind = streq(js(m, "Type"), "bind");
	int r = 0;

	if (jb(m, "_make"))
		r = source_errand(p, MAKE_FOLDER, m, i);
	if (r >= 0 && bind && strstr(prop, "shared"))
		r = source_errand(p, CHECK_SHARED, m, i);
	if (r >= 0 && bind && strstr(prop, "slave"))
		r = source_errand(p, CHECK_SLAVE, m, i);
	if (r >= 0 && (bind || own_file_system(p->c, m)))
		r = source_errand(p, READ_FLAGS, m, i);
	if (r >= 0 && *js(m, "_subpath")) {
		struct errand x = {.what = BIND_SUBPATH,
				   .source = strdup(js(m, "Source")),
				   .sub = strdup(js(m, "_subpath")),
				   .path = mount_source(p->c, m, i)};

		r = errand_add(p, x, x.source && x.sub && x.path);
	}
	return r;
}

static int errands(struct prepare *p)
{
	struct container *c = p->c;
	size_t i;
	json_t *m;
	int r = 0;

	if (shm_owner(c) == c) {
		struct errand x = {.what = MAKE_SHM,
				   .path = shm_path(c),
				   .bytes = ji(c->host_config, "ShmSize")};

		r = errand_add(p, x, x.path);
	}
	json_array_foreach(c->mounts, i, m)
	{
		r = r < 0 ? r : mount_errands(p, m, i);
	}
	return r;
}

/* ---- events ---- */

static void volume_events(struct container *c, bool mounted)
{
	size_t i;
	json_t *m;

	json_array_foreach(c->mounts, i, m)
	{
		json_t *attr;

		if (!streq(js(m, "Type"), "volume"))
			continue;
		attr = json_pack("{s:s, s:s}", "driver", "local", "container", c->id);
		if (mounted) {
			(void)json_object_set(attr, "destination",
					      json_object_get(m, "Destination"));
			(void)json_object_set_new(attr, "read/write",
						  json_string(jb(m, "RW") ? "true" : "false"));
			(void)json_object_set(attr, "propagation",
					      json_object_get(m, "Propagation"));
		}
		engine_event(c->en, "volume", mounted ? "mount" : "unmount", js(m, "Name"), attr);
	}
	c->mounts_told = mounted;
}

/* ---- the whole ---- */

static void over(struct prepare *p, int result, const struct err *e)
{
	engine_cb cb = p->cb;
	void *data = p->data;
	struct err copy = e ? *e : (struct err){0};

	if (result >= 0)
		volume_events(p->c, true);
	prepare_free(p);
	cb(result, result < 0 ? &copy : NULL, data);
}

static void note_flags(struct container *c, const struct errand *x)
{
	static const struct {
		unsigned long flag;
		const char *word;
	} rows[] = {{ST_RDONLY, "ro"},
		    {ST_NOSUID, "nosuid"},
		    {ST_NODEV, "nodev"},
		    {ST_NOEXEC, "noexec"}};
	json_t *m = json_array_get(c->mounts, x->index);
	char text[40] = "";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (x->flags & rows[i].flag)
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				       *text ? "," : "", rows[i].word);
	(void)json_object_set_new(m, "_flags", json_string(text));
	(void)json_object_set_new(m, "_file", json_boolean(!x->folder));
}

static void worked(int result, void *data)
{
	struct prepare *p = data;

	for (size_t i = 0; result >= 0 && i < p->n; i++)
		if (p->v[i].what == READ_FLAGS)
			note_flags(p->c, &p->v[i]);
	over(p, result, &p->e);
}

/* Return: STEP_DONE, STEP_WAIT, -errno; @p lives on only with STEP_WAIT */
static int begin_job(struct prepare *p)
{
	int r = errands(p);

	if (r < 0)
		return err_nomem(&p->e);
	if (!p->n)
		return STEP_DONE;
	r = job_run(p->c->en->jobs, prepare_work, worked, p);
	return r < 0 ? err_nomem(&p->e) : STEP_WAIT;
}

static int next_volume(struct prepare *p);

static void volume_there(int result, const struct err *e, void *data)
{
	struct prepare *p = data;

	if (result >= 0)
		result = next_volume(p);
	else
		p->e = *e;
	if (result != STEP_WAIT)
		over(p, result, &p->e);
}

static int next_volume(struct prepare *p)
{
	while (p->next < json_array_size(p->c->mounts)) {
		json_t *m = json_array_get(p->c->mounts, p->next++);
		struct volume *v = streq(js(m, "Type"), "volume")
					   ? map_get(p->c->en->volumes, js(m, "Name"))
					   : NULL;
		struct volume_wait *w;

		if (!v || !needs_mount(v) ||
		    (!job_runs(v) && storage_volume_mounted(v->en->storage, v->name)))
			continue;
		w = calloc(1, sizeof(*w));
		if (!w)
			return err_nomem(&p->e);
		*w = (struct volume_wait){.fn = volume_there, .data = p};
		list_append(&v->waits, &w->node);
		if (job_runs(v) || run_job(v, true) >= 0)
			return STEP_WAIT;
		list_remove(&w->node);
		free(w);
		return err_nomem(&p->e);
	}
	return begin_job(p);
}

int mounts_prepare(struct container *c, engine_cb cb, void *data, struct err *e)
{
	struct prepare *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_nomem(e);
	*p = (struct prepare){.c = c, .cb = cb, .data = data};
	r = next_volume(p);
	if (r == STEP_WAIT)
		return r;
	if (r < 0 && e)
		*e = p->e;
	prepare_free(p);
	if (r == STEP_DONE)
		volume_events(c, true);
	return r;
}

void mounts_release(struct container *c)
{
	size_t i;
	json_t *m;

	storage_scratch_release(c->en->storage, c->id);
	if (c->mounts_told)
		volume_events(c, false);
	json_array_foreach(c->mounts, i, m)
	{
		struct volume *v = streq(js(m, "Type"), "volume")
					   ? map_get(c->en->volumes, js(m, "Name"))
					   : NULL;

		if (v)
			volume_turn(v);
	}
}

char *mount_source(struct container *c, const json_t *m, size_t index)
{
	char name[24];

	if (!*js(m, "_subpath"))
		return strdup(js(m, "Source"));
	(void)snprintf(name, sizeof(name), "%zu", index);
	return storage_scratch_path(c->en->storage, c->id, name);
}

char *shm_path(struct container *c)
{
	return storage_scratch_path(c->en->storage, c->id, "shm");
}
