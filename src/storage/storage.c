/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage.c - the folders below data-root, the layers, the trash
 *
 * What is visible is whole: a layer is unpacked in layers/tmp-*, moved to a tmp-* of its own as
 * "diff", and that directory is renamed to its id. What goes is renamed into trash/ first, so that
 * it is gone from sight at once, and deleted by a job. A crash leaves only tmp-* and trash entries,
 * which the next start sweeps.
 */
#include "storage/storage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "loop/job.h"
#include "storage/internal.h"

#define LAYER_ID_LEN (LAYER_ID_SIZE - 1)
#define TMP_PREFIX   "tmp-"

char *storage_path(const struct storage *s, const char *fmt, ...)
{
	auto_free char *rest = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&rest, fmt, ap);

	va_end(ap);
	if (n < 0) {
		rest = NULL; /* undefined after a failure */
		return NULL;
	}
	return str_printf("%s/%s", s->root, rest);
}

bool storage_name_ok(const char *name)
{
	return !str_empty(name) && name[0] != '.' && !strchr(name, '/') && strlen(name) < 256;
}

/* ---- trash ---- */

static int trash_work(void *data)
{
	return fs_rm_tree(data);
}

static void trash_done(int result, void *data)
{
	auto_free char *path = data;

	if (result < 0)
		log_warn("cannot delete path=%s error=\"%s\"", path, strerror(-result));
}

static void trash_delete(struct storage *s, char *path)
{
	if (job_run(s->jobs, trash_work, trash_done, path) < 0) {
		log_warn("deleting later path=%s", path); /* the next start sweeps it */
		free(path);
	}
}

void storage_trash(struct storage *s, const char *path)
{
	char id[ID_LEN + 1];

	rand_id(id);
	auto_free char *to = storage_path(s, "trash/%.16s", id);

	if (!to || rename(path, to) < 0) {
		if (!to || errno != ENOENT)
			log_warn("cannot move to the trash path=%s error=\"%s\"", path,
				 strerror(to ? errno : ENOMEM));
		return;
	}
	trash_delete(s, TAKE_PTR(to));
}

/* calls @fn for each name in a folder; a non-zero return ends and is returned */
static int folder_each(const struct storage *s, const char *folder,
		       int (*fn)(const char *name, void *data), void *data)
{
	auto_free char *path = storage_path(s, "%s", folder);

	if (!path)
		return -ENOMEM;
	DIR *d = opendir(path);

	if (!d)
		return -errno;
	int r = 0;

	for (;;) {
		errno = 0;
		struct dirent *de = readdir(d);

		if (!de) {
			r = -errno;
			break;
		}
		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		r = fn(de->d_name, data);
		if (r)
			break;
	}
	(void)closedir(d);
	return r;
}

static int sweep_tmp(const char *name, void *data)
{
	struct storage *s = data;

	if (!str_has_prefix(name, TMP_PREFIX))
		return 0;
	auto_free char *path = storage_path(s, "layers/%s", name);

	if (!path)
		return -ENOMEM;
	storage_trash(s, path);
	return 0;
}

static int sweep_trash(const char *name, void *data)
{
	struct storage *s = data;
	char *path = storage_path(s, "trash/%s", name);

	if (!path)
		return -ENOMEM;
	trash_delete(s, path);
	return 0;
}

/* ---- life ---- */

static int make_folders(struct storage *s, struct err *e)
{
	static const char *const folders[] = {"layers", "containers", "volumes", "trash"};
	int r = fs_mkdir_p(s->root, 0710);

	if (r < 0)
		return err_sys(e, -r, "cannot make %s", s->root);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		auto_free char *path = storage_path(s, "%s", folders[i]);

		if (!path)
			return err_nomem(e);
		r = fs_mkdir_p(path, 0700);
		if (r < 0)
			return err_sys(e, -r, "cannot make %s", path);
	}
	return 0;
}

int storage_open(const char *data_root, struct job_pool *jobs, struct storage **ret, struct err *e)
{
	struct storage *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(e);
	s->jobs = jobs;
	s->root = strdup(data_root);
	int r = s->root ? make_folders(s, e) : err_nomem(e);

	if (r >= 0) { /* first the trash: what the other sweep adds deletes itself */
		r = folder_each(s, "trash", sweep_trash, s);
		if (r >= 0)
			r = folder_each(s, "layers", sweep_tmp, s);
		if (r < 0)
			(void)err_sys(e, -r, "cannot sweep %s", s->root);
	}
	if (r < 0) {
		storage_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

void storage_close(struct storage *s)
{
	if (!s)
		return;
	free(s->root);
	if (s->mapped)
		storage_remap_sweep(s->mapped);
	free(s->mapped);
	free(s);
}

/* ---- layers ---- */

/* "sha256:<64 hex>", the hex alone, or the 32-digit id -> the id. Return: 0/-EINVAL */
int storage_layer_id(const char *chain_id, char out[LAYER_ID_SIZE])
{
	const char *hex = chain_id;

	if (str_has_prefix(hex, "sha256:"))
		hex += strlen("sha256:");
	if (!str_is_hex(hex) || strlen(hex) < LAYER_ID_LEN)
		return -EINVAL;
	memcpy(out, hex, LAYER_ID_LEN);
	out[LAYER_ID_LEN] = '\0';
	return 0;
}

char *storage_layers_dir(const struct storage *s)
{
	return storage_path(s, "layers");
}

int storage_layer_path(const struct storage *s, const char *chain_id, char **ret)
{
	char id[LAYER_ID_LEN + 1];
	int r = storage_layer_id(chain_id, id);

	if (r < 0)
		return r;
	char *path = storage_path(s, "layers/%s/diff", id);

	if (!path)
		return -ENOMEM;
	*ret = path;
	return 0;
}

bool storage_layer_exists(const struct storage *s, const char *chain_id)
{
	auto_free char *path = NULL;

	return storage_layer_path(s, chain_id, &path) >= 0 && fs_exists(path);
}

int storage_layer_tmp(struct storage *s, char **ret, struct err *e)
{
	char id[ID_LEN + 1];

	rand_id(id);
	auto_free char *path = storage_path(s, "layers/" TMP_PREFIX "%.16s", id);

	if (!path)
		return err_nomem(e);
	if (mkdir(path, 0700) < 0)
		return err_sys(e, errno, "cannot make %s", path);
	*ret = TAKE_PTR(path);
	return 0;
}

/* the rename must be on disk before the row that names it */
static int sync_folder(const struct storage *s, struct err *e)
{
	auto_free char *path = storage_path(s, "layers");

	if (!path)
		return err_nomem(e);
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, errno, "cannot sync %s", path);
	return 0;
}

/* What stands beside a layer's tree: <tmp>.<name> becomes <layer>/<name>. Return: 0, absent too */
static int adopt(const char *tmp_diff, const char *layer, const char *name, mode_t type)
{
	auto_free char *from = str_printf("%s.%s", tmp_diff, name);
	auto_free char *to = str_printf("%s/%s", layer, name);
	struct stat st;

	if (!from || !to)
		return -ENOMEM;
	if (lstat(from, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if ((st.st_mode & S_IFMT) != type)
		return -EINVAL;
	return rename(from, to) < 0 ? -errno : 0;
}

static int adopt_recipe(const char *tmp_diff, const char *layer, struct err *e)
{
	int r = adopt(tmp_diff, layer, "kept", S_IFDIR);

	if (r >= 0)
		r = adopt(tmp_diff, layer, "recipe", S_IFREG);
	return r < 0 ? err_sys(e, -r, "cannot place the recipe of a layer") : 0;
}

/* One that was unpacked before there were recipes gets that of the same content now. */
static void mend(const struct storage *s, const char *tmp_diff, const char *id)
{
	auto_free char *layer = storage_path(s, "layers/%s", id);
	auto_free char *recipe = layer ? str_printf("%s/recipe", layer) : NULL;
	struct err e = {0};

	if (recipe && !fs_exists(recipe) && adopt_recipe(tmp_diff, layer, &e) < 0)
		log_warn("layer=%s error=\"%s\"", id, e.msg);
}

int storage_layer_commit(struct storage *s, const char *tmp_diff, const char *chain_id,
			 struct err *e)
{
	char id[LAYER_ID_LEN + 1];
	auto_free char *own = NULL;
	int r = storage_layer_id(chain_id, id);

	if (r < 0)
		return err_set(e, ERR_INTERNAL, EINVAL, "not a layer id: %s", chain_id);
	if (storage_layer_exists(s, chain_id)) {
		mend(s, tmp_diff, id);
		storage_trash(s, tmp_diff);
		return 0;
	}
	r = storage_layer_tmp(s, &own, e);
	if (r < 0)
		return r;
	auto_free char *diff = str_printf("%s/diff", own);
	auto_free char *final = storage_path(s, "layers/%s", id);

	if (!diff || !final)
		r = err_nomem(e);
	else if (rename(tmp_diff, diff) < 0)
		r = err_sys(e, errno, "cannot move layer %s to its place", id);
	else if ((r = adopt_recipe(tmp_diff, own, e)) < 0)
		; /* said */
	else if (rename(own, final) < 0)
		r = err_sys(e, errno, "cannot rename layer %s", id);
	else
		return sync_folder(s, e);
	storage_trash(s, own);
	return r;
}

void storage_layer_remove(struct storage *s, const char *chain_id)
{
	char id[LAYER_ID_LEN + 1];

	if (storage_layer_id(chain_id, id) < 0)
		return;
	auto_free char *path = storage_path(s, "layers/%s", id);

	if (path)
		storage_trash(s, path);
}

struct layer_walk {
	int (*fn)(const char *id, void *data);
	void *data;
};

static int layer_one(const char *name, void *data)
{
	struct layer_walk *w = data;

	if (str_has_prefix(name, TMP_PREFIX))
		return 0;
	return w->fn(name, w->data);
}

int storage_layer_each(struct storage *s, int (*fn)(const char *id, void *data), void *data)
{
	struct layer_walk w = {fn, data};

	return folder_each(s, "layers", layer_one, &w);
}

int storage_container_each(struct storage *s, int (*fn)(const char *id, void *data), void *data)
{
	return folder_each(s, "containers", fn, data);
}
