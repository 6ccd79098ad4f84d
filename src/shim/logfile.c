/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logfile.c - the files of a log: batches, rotation, full disks
 *
 * Records are collected and written at once. A file that would grow over its limit becomes path.1,
 * path.1 becomes path.2, and so on; the last is gone. A new file takes its place even where there
 * is only one, so that a reader of the old one reads it to its end.
 *
 * A disk that is full harms nobody: what was not written is cut off again at the last whole record,
 * and counted.
 */

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/internal.h"

#define BATCH (RECORD_MAX + (32u << 10))

static struct {
	const char *path;
	int64_t max_size, size; /* of the file, without the batch */
	unsigned max_files;
	int fd;
	size_t len;
	unsigned records; /* in the batch */
	uint64_t lost;
	bool writes; /* the last write went well */
	char batch[BATCH];
} f = {.fd = -1};

static int open_file(bool fresh)
{
	struct stat st;

	f.fd = open(f.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (fresh ? O_TRUNC : 0),
		    0640);
	if (f.fd < 0)
		return -errno;
	f.size = fstat(f.fd, &st) < 0 ? 0 : st.st_size;
	return 0;
}

int logfile_open(const struct log_options *o)
{
	f.path = o->path;
	f.max_size = o->max_size;
	f.max_files = MAX(o->max_files, 1u);
	f.writes = true;
	return open_file(false);
}

static void name_of(char out[PATH_MAX], unsigned n)
{
	if (n)
		(void)snprintf(out, PATH_MAX, "%s.%u", f.path, n);
	else
		(void)snprintf(out, PATH_MAX, "%s", f.path);
}

static void rotate(void)
{
	char from[PATH_MAX], to[PATH_MAX];

	f.fd = fd_close(f.fd);
	for (unsigned n = f.max_files - 1; n > 0; n--) {
		name_of(from, n - 1);
		name_of(to, n);
		(void)rename(from, to);
	}
	if (f.max_files == 1)
		(void)unlink(f.path);
	if (open_file(false) < 0)
		f.writes = false;
}

/* Of the batch @at bytes were written: half a record would spoil the next one, so the file is cut
 * behind the last whole one. Return: the bytes that stay */
static size_t keep_whole(size_t at)
{
	size_t whole = at;

	while (whole && f.batch[whole - 1] != '\n')
		whole--;
	if (whole < at && ftruncate(f.fd, f.size + (off_t)whole) < 0)
		whole = at;
	f.lost += f.records;
	for (size_t i = 0; i < whole; i++)
		f.lost -= f.batch[i] == '\n';
	return whole;
}

void logfile_flush(void)
{
	size_t at = 0;

	if (f.fd < 0 && f.len && open_file(false) < 0)
		f.writes = false;
	while (f.fd >= 0 && at < f.len) {
		ssize_t n = write(f.fd, f.batch + at, f.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	f.writes = at == f.len;
	if (!f.writes)
		at = keep_whole(at);
	f.size += (int64_t)at;
	f.len = 0;
	f.records = 0;
}

void logfile_put(const char *record, size_t len)
{
	if (f.max_size && f.size + (int64_t)(f.len + len) > f.max_size && f.size + (int64_t)f.len) {
		logfile_flush();
		if (f.writes)
			rotate();
	}
	if (f.len + len > sizeof(f.batch))
		logfile_flush();
	memcpy(f.batch + f.len, record, len);
	f.len += len;
	f.records++;
}

uint64_t logfile_lost(void)
{
	uint64_t lost = f.writes ? f.lost : 0; /* else there is no room for the news either */

	if (lost)
		f.lost = 0;
	return lost;
}

void logfile_close(void)
{
	logfile_flush();
	f.fd = fd_close(f.fd);
}
