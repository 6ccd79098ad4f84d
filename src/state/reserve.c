/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reserve.c - room on the disk that is the store's alone
 *
 * Who wants room on a full disk removes containers and images, and each removal is a write of the
 * store. So its journal and its file own some blocks behind their ends from the beginning
 * (FALLOC_FL_KEEP_SIZE, fallocate(2)): SQLite does not see them and grows into them. The journal
 * goes round within its part, as it is checkpointed every 1000 pages and never cut.
 */

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "state/internal.h"

#define JOURNAL_BYTES (5 << 20) /* 1000 pages, their heads and one large transaction */
#define FILE_BYTES    (1 << 20) /* what a checkpoint may add */

/* A disk that is full already, or a file system that cannot: it goes without. */
static void reserve(int fd, off_t from, off_t bytes, const char *what)
{
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, from, bytes) < 0)
		log_debug("no room is reserved for the store's %s error=%m", what);
}

void state_reserve_file(int fd)
{
	reserve(fd, 0, lseek(fd, 0, SEEK_END) + FILE_BYTES, "file");
}

void state_reserve_journal(sqlite3 *sq, const char *path)
{
	auto_free char *name = str_printf("%s-wal", path);
	int keep = 1;
	int fd = name ? open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

	/* else the last to close the store deletes the journal */
	(void)sqlite3_file_control(sq, NULL, SQLITE_FCNTL_PERSIST_WAL, &keep);
	if (fd < 0)
		return;
	reserve(fd, 0, JOURNAL_BYTES, "journal");
	(void)fd_close(fd);
}
