/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sources.c - what the sources of a COPY name, and its hash
 *
 * The hash covers names below a directory, types, modes, owners, link targets, devices and content,
 * not times. A single file's name counts too: it may become the name in the image.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/glob.h"
#include "base/path.h"
#include "base/str.h"
#include "build/copy.h"

#define BLOCK (64u << 10)

struct hasher {
	struct sha256_ctx sum;
	const struct find_job *job;
	char *block;
	unsigned depth;
};

/* ---- shared ---- */

int open_inside(int root, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int open_file(int dir, const char *name)
{
	auto_close int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int read_names(int dir, char ***ret)
{
	auto_strv char **names = NULL;
	DIR *d = fs_dir(dir);
	int r = 0;

	if (!d)
		return -errno;
	while (r >= 0) {
		struct dirent *de;

		errno = 0;
		de = readdir(d);
		if (!de) {
			r = -errno;
			break;
		}
		if (!streq(de->d_name, ".") && !streq(de->d_name, ".."))
			r = strv_add(&names, de->d_name);
	}
	(void)closedir(d);
	if (r < 0)
		return r;
	if (names)
		qsort(names, strv_len(names), sizeof(*names), by_text);
	*ret = TAKE_PTR(names);
	return 0;
}

/* ---- hashing ---- */

static void hash_text(struct hasher *h, const char *s)
{
	sha256_update(&h->sum, strlen(s) + 1, (const uint8_t *)s);
}

static void hash_stat(struct hasher *h, const struct stat *st)
{
	char text[160];

	(void)snprintf(
		text, sizeof(text), "%o %u %u %llu %llu", st->st_mode, st->st_uid, st->st_gid,
		S_ISREG(st->st_mode) ? (unsigned long long)st->st_size : 0,
		S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? (unsigned long long)st->st_rdev : 0);
	hash_text(h, text);
}

static int hash_content(struct hasher *h, int dir, const char *name)
{
	auto_close int fd = open_file(dir, name);

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, h->block, BLOCK);

		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (atomic_load(h->job->cancelled))
			return -ECANCELED;
		sha256_update(&h->sum, (size_t)n, (const uint8_t *)h->block);
	}
}

static int hash_link(struct hasher *h, int dir, const char *name)
{
	char target[4097];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	hash_text(h, target);
	return 0;
}

static int hash_dir(struct hasher *h, int dir);

static int hash_entry(struct hasher *h, int dir, const char *name)
{
	struct stat st;

	if (atomic_load(h->job->cancelled))
		return -ECANCELED;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	hash_text(h, name);
	hash_stat(h, &st);
	if (S_ISREG(st.st_mode))
		return hash_content(h, dir, name);
	if (S_ISLNK(st.st_mode))
		return hash_link(h, dir, name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	auto_close int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return below < 0 ? -errno : hash_dir(h, below);
}

static int hash_dir(struct hasher *h, int dir)
{
	auto_strv char **names = NULL;
	int r = ++h->depth > TREE_DEPTH_MAX ? -ELOOP : read_names(dir, &names);

	for (char **n = names; r >= 0 && n && *n; n++)
		r = hash_entry(h, dir, *n);
	h->depth--;
	hash_text(h, "/"); /* a directory's end: no name has it */
	return r;
}

static void hex(struct hasher *h, char out[HASH_SIZE])
{
	uint8_t sum[SHA256_DIGEST_SIZE];

	sha256_digest(&h->sum, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

/* @path may lead over links: what it leads to is hashed */
static int hash_source(struct find_job *j, struct source *s)
{
	struct hasher h = {.job = j, .block = malloc(BLOCK)};
	auto_free char *block = h.block;
	auto_close int fd = open_inside(j->root, s->path, O_PATH);
	struct stat st;
	int r = 0;

	if (!block)
		return -ENOMEM;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	sha256_init(&h.sum);
	s->dir = S_ISDIR(st.st_mode);
	s->file = S_ISREG(st.st_mode);
	if (s->dir) {
		auto_close int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		r = dir < 0 ? -errno : hash_dir(&h, dir);
	} else {
		hash_text(&h, path_base(s->path));
		hash_stat(&h, &st);
		if (s->file) {
			auto_close int file = open_inside(j->root, s->path, O_RDONLY | O_NONBLOCK);

			/* by its descriptor's name: links were followed already */
			for (ssize_t n = 1; r >= 0 && n > 0;) {
				n = file < 0 ? -1 : read(file, block, BLOCK);
				r = n < 0 ? -errno : atomic_load(j->cancelled) ? -ECANCELED : 0;
				if (n > 0)
					sha256_update(&h.sum, (size_t)n, (const uint8_t *)block);
			}
		}
	}
	hex(&h, s->hash);
	return r;
}

/* ---- finding ---- */

static int no_source(struct find_job *j, const char *path)
{
	return err_not_found(&j->err, "%s failed: %sstat %.500s: file does not exist", j->word,
			     j->from_context ? "file not found in build context or excluded by "
					       ".dockerignore: "
					     : "",
			     path);
}

static int add_found(struct find_job *j, const char *path)
{
	struct source *v = realloc(j->found, (j->n + 1) * sizeof(*v));
	struct source *s;
	int r;

	if (!v)
		return err_nomem(&j->err);
	j->found = v;
	s = &v[j->n];
	*s = (struct source){.path = strdup(path), .unpacked = -EBADF};
	if (!s->path)
		return err_nomem(&j->err);
	j->n++;
	r = hash_source(j, s);
	if (r == -ENOENT || r == -ENOTDIR)
		return no_source(j, path);
	if (r == -ECANCELED)
		return err_set(&j->err, ERR_INTERNAL, ECANCELED, "the build was cancelled");
	return r < 0 ? err_sys(&j->err, -r, "%s failed: %.500s", j->word, path) : 0;
}

static bool has_wildcard(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		else if (strchr("*?[", *s))
			return true;
	}
	return false;
}

struct walk {
	struct find_job *job;
	const struct glob *glob;
	unsigned levels; /* slashes in the pattern: no deeper name fits */
};

static int walk_dir(struct walk *w, int dir, const char *path, unsigned depth)
{
	auto_strv char **names = NULL;
	int r = read_names(dir, &names);

	if (r < 0)
		return err_sys(&w->job->err, -r, "%s failed: %.500s", w->job->word, path);
	for (char **n = names; r >= 0 && n && *n; n++) {
		auto_free char *below = *path ? str_printf("%s/%s", path, *n) : strdup(*n);

		r = below ? glob_match(w->glob, below) : -ENOMEM;
		if (r < 0)
			return err_nomem(&w->job->err);
		if (r > 0)
			r = add_found(w->job, below);
		if (r < 0 || depth >= w->levels)
			continue;
		auto_close int sub =
			openat(dir, *n, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (sub >= 0)
			r = walk_dir(w, sub, below, depth + 1);
	}
	return r;
}

static int find_pattern(struct find_job *j, const char *pattern)
{
	auto_(glob_free) struct glob *g = NULL;
	struct walk w = {.job = j};
	int r = glob_new(pattern, 0, &g, &j->err);

	if (r < 0)
		return err_wrap(&j->err, "%s failed", j->word);
	auto_close int dir = openat(j->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(&j->err, errno, "%s failed", j->word);
	w.glob = g;
	for (const char *p = pattern; *p; p++)
		w.levels += *p == '/';
	return w.levels > TREE_DEPTH_MAX ? 0 : walk_dir(&w, dir, "", 0);
}

static int find_one(struct find_job *j, const char *text)
{
	auto_free char *clean = path_clean_lexical(text);
	const char *path = clean;

	if (!clean)
		return err_nomem(&j->err);
	path += *path == '/';
	if (str_has_prefix(path, "../") || streq(path, ".."))
		return err_invalid(&j->err,
				   "%s failed: forbidden path outside the build context: %.500s ()",
				   j->word, text);
	if (streq(path, "."))
		path = "";
	return has_wildcard(path) ? find_pattern(j, path) : add_found(j, path);
}

static void make_key(struct find_job *j)
{
	struct sha256_ctx all;
	uint8_t sum[SHA256_DIGEST_SIZE];
	char *p = j->key;

	if (j->n == 1) {
		(void)snprintf(j->key, sizeof(j->key), "%s:%s", j->found[0].dir ? "dir" : "file",
			       j->found[0].hash);
		return;
	}
	sha256_init(&all);
	for (size_t i = 0; i < j->n; i++)
		sha256_update(&all, sizeof(j->found[i].hash), (const uint8_t *)j->found[i].hash);
	sha256_digest(&all, sizeof(sum), sum);
	p += snprintf(p, sizeof(j->key), "multi:");
	for (size_t i = 0; i < sizeof(sum); i++)
		p += snprintf(p, 3, "%02x", sum[i]);
}

int find_work(void *job)
{
	struct find_job *j = job;
	int r = 0;

	for (char **p = j->patterns; r >= 0 && p && *p; p++)
		r = find_one(j, *p);
	if (r >= 0 && !j->n)
		r = err_invalid(&j->err, "%s failed: no source files were specified", j->word);
	if (r >= 0)
		make_key(j);
	return r;
}

void find_done(struct find_job *j)
{
	for (size_t i = 0; i < j->n; i++) {
		free(j->found[i].path);
		free(j->found[i].unpacked_dir);
		(void)fd_close(j->found[i].unpacked);
	}
	free(j->found);
	strv_free(j->patterns);
	j->found = NULL;
	j->patterns = NULL;
	j->n = 0;
}
