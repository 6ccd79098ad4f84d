/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log_files.h - the files of a log: path is written, path.1 was before it, path.2 before that
 *
 * Held open, oldest first, so that a rotation meanwhile takes nothing away.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"

#define LOG_FILES_MAX 128 /* older ones are not read */

struct log_files {
	int fd[LOG_FILES_MAX];
	size_t n; /* 0: there is none (yet) */
};

int log_files_open(const char *path, struct log_files *ret) MUST_CHECK; /* 0/-errno */
/* Those that took the place of the last one of @f are appended. Return: whether there are any */
bool log_files_newer(const char *path, struct log_files *f);
void log_files_drop(struct log_files *f); /* the oldest */
void log_files_close(struct log_files *f);
