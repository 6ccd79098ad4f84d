/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log_files.c - see log_files.h */

#include "runtime/log_files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"

#define TRIES 8 /* a rotation while they are opened begins it again */

static int open_nth(const char *path, size_t n)
{
	auto_free char *name = n ? str_printf("%s.%zu", path, n) : strdup(path);
	auto_close int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	struct stat st;

	if (!name)
		return -ENOMEM;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EINVAL;
}

static bool same(int fd, int other)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

void log_files_close(struct log_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		(void)fd_close(f->fd[i]);
	f->n = 0;
}

void log_files_drop(struct log_files *f)
{
	(void)fd_close(f->fd[0]);
	f->n--;
	memmove(f->fd, f->fd + 1, f->n * sizeof(f->fd[0]));
}

/* From the newest back, until @stop (or none) is met; put in order. */
static int collect(const char *path, int stop, struct log_files *ret, bool *met)
{
	size_t n = 0;
	int fd = 0;

	*met = false;
	while (n < LOG_FILES_MAX && (fd = open_nth(path, n)) >= 0) {
		if (stop >= 0 && same(fd, stop)) {
			*met = true;
			(void)close(fd);
			break;
		}
		ret->fd[n++] = fd;
	}
	ret->n = n;
	for (size_t i = 0; i < n / 2; i++) {
		int other = ret->fd[i];

		ret->fd[i] = ret->fd[n - 1 - i];
		ret->fd[n - 1 - i] = other;
	}
	return fd < 0 && fd != -ENOENT ? fd : 0;
}

/* The name still leads to the newest one that was opened. */
static bool steady(const char *path, const struct log_files *f)
{
	auto_close int fd = open_nth(path, 0);

	return fd < 0 ? !f->n : f->n && same(fd, f->fd[f->n - 1]);
}

int log_files_open(const char *path, struct log_files *ret)
{
	bool met;
	int r = 0;

	ret->n = 0;
	for (int i = 0; i < TRIES; i++) {
		log_files_close(ret);
		r = collect(path, -1, ret, &met);
		if (r < 0 || steady(path, ret))
			break;
	}
	if (r < 0)
		log_files_close(ret);
	return r;
}

bool log_files_newer(const char *path, struct log_files *f)
{
	struct log_files more = {.n = 0};
	bool met = false;

	if (!f->n)
		return log_files_open(path, f) >= 0 && f->n;
	for (int i = 0; i < TRIES; i++) {
		log_files_close(&more);
		if (collect(path, f->fd[f->n - 1], &more, &met) < 0)
			break;
		/* between two renames the name may be nobody's: not yet */
		if (!more.n || steady(path, &more))
			break;
	}
	for (size_t i = 0; i < more.n; i++)
		if (f->n < LOG_FILES_MAX)
			f->fd[f->n++] = more.fd[i];
		else
			(void)close(more.fd[i]);
	return more.n > 0;
}
