/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - the harness of world.h */

#include "world.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "own.h"

static void clean(const char *dir)
{
	if (fs_rm_tree(dir) < 0)
		fprintf(stderr, "%s stays\n", dir);
}

const char *world_enter(struct world *w)
{
	char dir[] = "/var/tmp/atoll-storage-XXXXXX";

	*w = (struct world){0};
	if (geteuid() != 0)
		return "not root";
	if (!mkdtemp(dir))
		return "no directory can be made";
	if (own_processes(clean, dir) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "namespaces cannot be made here";
	(void)umask(022);
	w->dir = strdup(dir);
	w->root = str_printf("%s/data", dir);
	MUST(w->dir && w->root);
	return NULL;
}

void world_open(struct world *w)
{
	struct err e = {0};

	MUST(loop_new(&w->loop) >= 0 && job_pool_new(w->loop, 2, &w->jobs) >= 0);
	if (storage_open(w->root, w->jobs, &w->storage, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
}

void world_close(struct world *w)
{
	job_pool_free(w->jobs);
	storage_close(w->storage);
	loop_free(w->loop);
}

void world_settle(struct world *w)
{
	while (job_pending(w->jobs))
		(void)loop_run_once(w->loop, 50);
}

char *at(struct world *w, const char *path)
{
	char *full = str_printf("%s/%s", w->root, path);

	MUST(full);
	return full;
}

bool there(struct world *w, const char *path)
{
	auto_free char *full = at(w, path);
	struct stat st;

	return lstat(full, &st) == 0;
}

void put_file(struct world *w, const char *path, const char *text)
{
	auto_free char *full = at(w, path);
	char *slash = strrchr(full, '/');

	*slash = '\0';
	MUST(fs_mkdir_p(full, 0755) >= 0);
	*slash = '/';
	MUST(fs_write(full, text, strlen(text), 0644) >= 0);
}

void put_dir(struct world *w, const char *path, mode_t mode)
{
	auto_free char *full = at(w, path);

	MUST(fs_mkdir_p(full, 0755) >= 0 && chmod(full, mode) == 0);
}

char *text_of(struct world *w, const char *path)
{
	auto_free char *full = at(w, path);
	auto_buf struct buf b = BUF_INIT(4096);

	return fs_read(full, 4096, &b) < 0 ? NULL : strdup(buf_str(&b));
}

unsigned count(struct world *w, const char *folder)
{
	auto_free char *path = at(w, folder);
	DIR *d = opendir(path);
	unsigned n = 0;

	MUST(d);
	for (struct dirent *de; (de = readdir(d));)
		n += !streq(de->d_name, ".") && !streq(de->d_name, "..");
	closedir(d);
	return n;
}
