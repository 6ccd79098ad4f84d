/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * changes.c - what a container changed of its image: its upper directory against the layers
 *
 * Walked by a job, directory by directory. At each, the layers that have it too are known, from the
 * top down to the first that hides those below it. All is opened beneath its layer and without
 * links. What counts as a change is what Docker's comparison of two trees says: mode and owner, and
 * for what is no directory also size, time and capabilities; a directory in which something
 * changed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/limits.h"
#include "base/mountpoint.h"
#include "base/str.h"
#include "loop/job.h"
#include "storage/internal.h"

#define DEPTH_MAX 256 /* a frame and a descriptor per level */

struct walk {
	int *layers; /* top first */
	size_t n_layers;
	struct changes out;
	size_t room;
	unsigned depth;
	unsigned entries;
};

struct below { /* the layers that have a directory, by their place in the walk */
	unsigned char v[LIMIT_LAYERS];
	size_t n;
};

struct lower { /* what an entry is in the layers */
	bool there;
	struct stat st;
	struct below dirs; /* where it is a directory */
};

static int walk_dir(struct walk *w, int dirfd, const char *path, const struct below *b);

/* ---- the result ---- */

void changes_done(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].path);
	free(c->v);
	*c = (struct changes){0};
}

/* at place @at; what stands there moves up */
static int add(struct walk *w, size_t at, enum change_kind kind, const char *path)
{
	if (w->out.n == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct change *v = realloc(w->out.v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		w->out.v = v;
		w->room = room;
	}
	char *copy = str_printf("/%s", path);

	if (!copy)
		return -ENOMEM;
	memmove(&w->out.v[at + 1], &w->out.v[at], (w->out.n - at) * sizeof(*w->out.v));
	w->out.v[at] = (struct change){kind, copy};
	w->out.n++;
	return 0;
}

/* ---- the layers ---- */

static int open_beneath(int dir, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(int dirfd)
{
	char value[2];

	return fgetxattr(dirfd, "user.overlay.opaque", value, sizeof(value)) == 1 && *value == 'y';
}

/* @path in the layers of @b, as an overlay shows it */
static int find_lower(const struct walk *w, const struct below *b, const char *path,
		      struct lower *out)
{
	*out = (struct lower){0};
	for (size_t i = 0; i < b->n; i++) {
		auto_close int fd = open_beneath(w->layers[b->v[i]], path, O_PATH);
		struct stat st;

		if (fd == -ENOENT)
			continue;
		if (fd < 0 || fstat(fd, &st) < 0)
			return fd < 0 ? fd : -errno;
		if (is_whiteout(&st) || (out->there && !S_ISDIR(st.st_mode)))
			break;
		if (!out->there)
			out->st = st;
		out->there = true;
		if (!S_ISDIR(st.st_mode))
			break;
		out->dirs.v[out->dirs.n++] = b->v[i];
		auto_close int dir = open_beneath(w->layers[b->v[i]], path, O_RDONLY | O_DIRECTORY);

		if (dir >= 0 && is_opaque(dir))
			break;
	}
	return 0;
}

/* ---- names ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *de)
{
	return !streq(de->d_name, ".") && !streq(de->d_name, "..");
}

static void names_free(struct dirent **v, int n)
{
	while (n-- > 0)
		free(v[n]);
	free(v);
}

static int names_of(int dirfd, struct dirent ***ret)
{
	int n = scandirat(dirfd, ".", ret, not_dots, by_name);

	return n < 0 ? -errno : n;
}

static char *join(const char *path, const char *name)
{
	return str_printf("%s%s%s", path, *path ? "/" : "", name);
}

/* ---- comparing ---- */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec &&
	       (a->tv_nsec == b->tv_nsec || a->tv_nsec == 0 || b->tv_nsec == 0);
}

static bool differs(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return true;
	if (S_ISDIR(a->st_mode))
		return false;
	return a->st_rdev != b->st_rdev || a->st_size != b->st_size ||
	       !same_time(&a->st_mtim, &b->st_mtim);
}

static ssize_t capability(int dirfd, const char *path, char out[64])
{
	auto_close int fd = open_beneath(dirfd, path, O_RDONLY | O_NONBLOCK);

	return fd < 0 ? -1 : fgetxattr(fd, "security.capability", out, 64);
}

static bool same_capability(const struct walk *w, const struct below *b, int dirfd,
			    const char *name, const char *path)
{
	char mine[64], theirs[64];
	ssize_t n = capability(dirfd, name, mine), m = -1;

	for (size_t i = 0; i < b->n && m < 0; i++) {
		auto_close int fd = open_beneath(w->layers[b->v[i]], path, O_PATH);

		if (fd < 0)
			continue;
		m = capability(w->layers[b->v[i]], path, theirs);
		break;
	}
	return n == m && (n <= 0 || !memcmp(mine, theirs, (size_t)n));
}

/* ---- walking ---- */

/* is it in a layer above the @i-th, which then has told or hidden it? */
static bool in_upper_layer(const struct walk *w, const struct below *b, size_t i, const char *path)
{
	for (size_t k = 0; k < i; k++) {
		auto_close int fd = open_beneath(w->layers[b->v[k]], path, O_PATH);

		if (fd >= 0)
			return true;
	}
	return false;
}

/* what one layer has in a directory that began anew in @upper */
static int hidden_of_layer(struct walk *w, int upper, const char *path, const struct below *b,
			   size_t i)
{
	auto_close int dir = open_beneath(w->layers[b->v[i]], path, O_RDONLY | O_DIRECTORY);
	struct dirent **v = NULL;
	int n = dir < 0 ? dir : names_of(dir, &v), r = MIN(n, 0);

	for (int k = 0; r >= 0 && k < n; k++) {
		auto_free char *below = join(path, v[k]->d_name);
		struct lower l = {0};
		struct stat st;

		if (!below)
			r = -ENOMEM;
		else if (fstatat(upper, v[k]->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
			 !in_upper_layer(w, b, i, below))
			r = find_lower(w, b, below, &l);
		if (r >= 0 && l.there)
			r = add(w, w->out.n, CHANGE_DELETE, below);
	}
	names_free(v, n);
	return r;
}

static int walk_subdir(struct walk *w, int parent, const char *name, const char *path,
		       const struct stat *st, const struct lower *l)
{
	static const struct below none;
	size_t at = w->out.n;
	bool was_dir = l->there && S_ISDIR(l->st.st_mode);
	/* made by the runtime alone it is as if it had been there */
	bool ours = !l->there && mountpoint_is(path);
	auto_close int dir = open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
	int r = 0;

	if (dir < 0)
		return dir == -ENOENT || dir == -ENOTDIR ? 0 : dir;
	if (!ours && !was_dir)
		r = add(w, at, l->there ? CHANGE_MODIFY : CHANGE_ADD, path);
	for (size_t i = 0; r >= 0 && was_dir && i < l->dirs.n && is_opaque(dir); i++)
		r = hidden_of_layer(w, dir, path, &l->dirs, i);
	if (r >= 0)
		r = walk_dir(w, dir, path, was_dir ? &l->dirs : &none);
	if (r >= 0 && was_dir && (w->out.n > at || differs(st, &l->st)))
		r = add(w, at, CHANGE_MODIFY, path);
	return r;
}

static int walk_entry(struct walk *w, int dirfd, const char *name, const char *path,
		      const struct below *b)
{
	struct lower l;
	struct stat st;

	if (++w->entries > LIMIT_LAYER_FILES)
		return -E2BIG;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	int r = find_lower(w, b, path, &l);

	if (r < 0)
		return r;
	if (is_whiteout(&st))
		return l.there ? add(w, w->out.n, CHANGE_DELETE, path) : 0;
	if (S_ISDIR(st.st_mode))
		return walk_subdir(w, dirfd, name, path, &st, &l);
	if (!l.there)
		return S_ISREG(st.st_mode) && !st.st_size && mountpoint_is(path)
			       ? 0
			       : add(w, w->out.n, CHANGE_ADD, path);
	if (!differs(&st, &l.st) &&
	    (!S_ISREG(st.st_mode) || same_capability(w, b, dirfd, name, path)))
		return 0; /* copied up, and nothing came of it */
	return add(w, w->out.n, CHANGE_MODIFY, path);
}

static int walk_dir(struct walk *w, int dirfd, const char *path, const struct below *b)
{
	struct dirent **v = NULL;
	int n = names_of(dirfd, &v), r = MIN(n, 0);

	if (++w->depth > DEPTH_MAX)
		r = -ENAMETOOLONG;
	for (int i = 0; r >= 0 && i < n; i++) {
		auto_free char *below = join(path, v[i]->d_name);

		r = below ? walk_entry(w, dirfd, v[i]->d_name, below, b) : -ENOMEM;
	}
	w->depth--;
	names_free(v, n);
	return r;
}

/* ---- the job ---- */

struct job {
	struct walk w;
	char *upper;
	char **layers; /* their directories, base first */
	void (*done)(int result, const struct changes *c, const struct err *e, void *data);
	void *data;
};

static void job_free(struct job *j)
{
	changes_done(&j->w.out);
	strv_free(j->layers);
	free(j->w.layers);
	free(j->upper);
	free(j);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

static int work(void *data)
{
	struct job *j = data;
	struct walk *w = &j->w;
	size_t n = strv_len(j->layers);
	struct below all = {0};
	auto_close int upper = open(j->upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = 0;

	if (upper < 0)
		return errno == ENOENT ? 0 : -errno; /* never mounted: nothing changed */
	for (; r >= 0 && w->n_layers < n; w->n_layers++) {
		int fd = open(j->layers[n - 1 - w->n_layers], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		r = fd < 0 ? -errno : 0;
		w->layers[w->n_layers] = fd;
		all.v[all.n++] = (unsigned char)w->n_layers;
	}
	if (r >= 0)
		r = walk_dir(w, upper, "", &all);
	for (size_t i = 0; i < w->n_layers; i++)
		(void)fd_close(w->layers[i]);
	if (r >= 0 && w->out.n)
		qsort(w->out.v, w->out.n, sizeof(*w->out.v), by_path);
	return r;
}

static void worked(int result, void *data)
{
	struct job *j = data;
	struct err e = {0};

	if (result == -E2BIG)
		(void)err_set(&e, ERR_INTERNAL, E2BIG, "the container changed more than %d files",
			      LIMIT_LAYER_FILES);
	else if (result < 0)
		(void)err_sys(&e, -result, "cannot read the container's changes");
	j->done(result, &j->w.out, result < 0 ? &e : NULL, j->data);
	job_free(j);
}

int storage_changes(struct storage *s, const char *id, char *const *layers,
		    void (*done)(int result, const struct changes *c, const struct err *e,
				 void *data),
		    void *data)
{
	struct job *j = calloc(1, sizeof(*j));
	size_t n = strv_len(layers);

	if (!j)
		return -ENOMEM;
	j->done = done;
	j->data = data;
	j->upper = storage_path(s, "containers/%s/upper", id);
	j->w.layers = calloc(n + 1, sizeof(*j->w.layers));
	int r = !j->upper || !j->w.layers ? -ENOMEM : n > LIMIT_LAYERS ? -E2BIG : 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		auto_free char *path = NULL;

		r = storage_layer_path(s, layers[i], &path);
		if (r >= 0)
			r = strv_add(&j->layers, path);
	}
	if (r >= 0)
		r = job_run(s->jobs, work, worked, j);
	if (r < 0)
		job_free(j);
	return r;
}
