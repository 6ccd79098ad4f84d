/* SPDX-License-Identifier: GPL-2.0-or-later */
/* locks.c - see locks.h */

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/locks.h"

#define POLL_MS 20
#define FOLDER_WAIT_MS                                                                             \
	1000 /* a child of a killed engine holds its lock until it has called exec                 \
	      */

static int open_lock(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_sys(e, errno, "cannot open %s", path) : fd;
}

static int in_use(const char *path, const char *dir, const char *what, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(64);
	uint32_t pid;

	if (fs_read(path, 32, &text) < 0 || parse_u32(buf_str(&text), &pid) < 0)
		return err_conflict(e, "the %s %s is already in use by another engine", what, dir);
	return err_conflict(e, "the %s %s is already in use by another engine (pid %u)", what, dir,
			    pid);
}

/* Return: 0 locked, -EWOULDBLOCK held by others after @wait_ms, -errno. @told: what is logged once
 */
static int lock_within(int fd, int64_t wait_ms, const char *told)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * NS_PER_MS};
	int64_t end = clock_mono_ns() + wait_ms * NS_PER_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_mono_ns() > end)
			return -EWOULDBLOCK;
		if (told)
			log_info("%s", told);
		told = NULL;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int lock_folder(const char *dir, const char *what, struct err *e)
{
	auto_free char *path = str_printf("%s/lock", dir);
	char pid[16];
	int len = snprintf(pid, sizeof(pid), "%d", getpid());
	auto_close int fd = path ? open_lock(path, e) : err_nomem(e);
	int r = fd < 0 ? fd : lock_within(fd, FOLDER_WAIT_MS, NULL);

	if (fd < 0)
		return fd;
	if (r < 0)
		return r == -EWOULDBLOCK ? in_use(path, dir, what, e)
					 : err_sys(e, -r, "cannot lock %s", path);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len)
		return err_sys(e, errno, "cannot write %s", path);
	return TAKE_FD(fd);
}

int lock_life(const char *dir, int64_t wait_ms, struct err *e)
{
	auto_free char *path = str_printf("%s/life", dir);
	auto_close int fd = path ? open_lock(path, e) : err_nomem(e);
	int r = fd < 0 ? fd
		       : lock_within(fd, wait_ms,
				     "waiting for children of the last life of this engine");

	if (fd < 0)
		return fd;
	if (r == -EWOULDBLOCK)
		return err_set(e, ERR_CONFLICT, EBUSY,
			       "children of the last engine below %s are still at work after %lld "
			       "ms (they hold %s)",
			       dir, (long long)wait_ms, path);
	return r < 0 ? err_sys(e, -r, "cannot lock %s", path) : TAKE_FD(fd);
}
