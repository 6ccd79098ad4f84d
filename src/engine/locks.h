/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * locks.h - who may work in a folder: one engine at a time, and not before the children of the last
 *
 * A folder's lock file holds the pid of its holder. The life lock is taken by an engine and
 * inherited by its short-lived children (crun, helpers): it is free when the last of them is gone,
 * so what recovery undoes nobody writes again. flock(2) locks belong to the open file, not to the
 * process.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Return: the descriptor that holds @dir/lock; ERR_CONFLICT naming the folder (@what, e.g. "data
 * root") and the holder's pid; -errno */
int lock_folder(const char *dir, const char *what, struct err *e) MUST_CHECK;
/* Waits up to @wait_ms, saying so in the log. Return: the descriptor that holds @dir/life, -errno
 */
int lock_life(const char *dir, int64_t wait_ms, struct err *e) MUST_CHECK;
