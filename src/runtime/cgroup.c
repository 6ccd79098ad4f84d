/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup.c - the host's cgroup hierarchies: which there are, and a container's folder in each */

#include "runtime/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/fs.h"
#include "base/str.h"

#define ROOT	      "/sys/fs/cgroup"
#define DEPTH_MAX     32 /* of groups a container made below its own */
#define EVENTS_MAX    4096
#define PROCS_MAX     (1u << 20)
#define KILL_PAUSE_MS 5

static bool is_fs(const char *path, long magic)
{
	struct statfs st;

	return statfs(path, &st) == 0 && (long)st.f_type == magic;
}

enum cgroup_layout cgroup_layout(void)
{
	if (is_fs(ROOT, CGROUP2_SUPER_MAGIC))
		return CGROUP_V2;
	return is_fs(ROOT "/unified", CGROUP2_SUPER_MAGIC) ? CGROUP_HYBRID : CGROUP_V1;
}

/* Removes the group @name in @dir and those below it, deepest first. Absent: 0. */
static int remove_group(int dir, const char *name, int depth)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *de;
	int r = 0;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	d = fs_dir(fd);
	if (!d)
		return -errno;
	while (r == 0 && (de = readdir(d)))
		if (de->d_type == DT_DIR && *de->d_name != '.')
			r = depth < DEPTH_MAX ? remove_group(fd, de->d_name, depth + 1) : -ELOOP;
	(void)closedir(d);
	if (r == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int remove_in(const char *hierarchy, const char *path)
{
	auto_close int dir = open(hierarchy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -errno : remove_group(dir, path + strspn(path, "/"), 0);
}

/* A path of ours: absolute, not the root itself, never climbing. */
static bool path_ok(const char *path)
{
	return path && *path == '/' && path[strspn(path, "/")] && !strstr(path, "..");
}

/* Calls @fn for the group @path in every hierarchy; the first failure is returned, all are called.
 */
static int each_hierarchy(const char *path, int (*fn)(const char *hierarchy, const char *path))
{
	struct dirent *de;
	int r = 0;
	DIR *d;

	if (!path_ok(path))
		return -EINVAL;
	if (cgroup_layout() == CGROUP_V2)
		return fn(ROOT, path);
	d = opendir(ROOT);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((de = readdir(d))) {
		auto_free char *h = str_printf(ROOT "/%s", de->d_name);
		int one = 0;

		if (!h)
			r = -ENOMEM;
		else if (de->d_type == DT_DIR && *de->d_name != '.' &&
			 (is_fs(h, CGROUP_SUPER_MAGIC) || is_fs(h, CGROUP2_SUPER_MAGIC)))
			one = fn(h, path);
		if (one < 0)
			r = one;
	}
	(void)closedir(d);
	return r;
}

int cgroup_remove(const char *path)
{
	return each_hierarchy(path, remove_in);
}

/* -EBUSY: there were processes */
static int kill_in(const char *hierarchy, const char *path)
{
	auto_free char *file = str_printf("%s%s/cgroup.procs", hierarchy, path);
	auto_buf struct buf text = BUF_INIT(PROCS_MAX);
	auto_strv char **pids = NULL;
	int r = 0;

	if (!file)
		return -ENOMEM;
	if (fs_read(file, PROCS_MAX - 1, &text) < 0)
		return 0;
	if (strv_split(buf_str(&text), "\n", &pids) < 0)
		return -ENOMEM;
	for (size_t i = 0; pids && pids[i]; i++) {
		uint32_t pid;

		if (parse_u32(pids[i], &pid) < 0 || pid < 2)
			continue;
		(void)kill((pid_t)pid,
			   SIGKILL); /* its number cannot be another's yet: it is there */
		r = -EBUSY;
	}
	return r;
}

int cgroup_kill(const char *path, int wait_ms)
{
	const struct timespec pause = {.tv_nsec = KILL_PAUSE_MS * 1000000L};
	int r = each_hierarchy(path, kill_in);

	for (; r == -EBUSY && wait_ms > 0; wait_ms -= KILL_PAUSE_MS) {
		(void)nanosleep(&pause, NULL);
		r = each_hierarchy(path, kill_in);
	}
	return r;
}

/* The number after "@key " at the start of a line of @file; 0 where there is none. */
static uint64_t counter(const char *file, const char *key)
{
	auto_buf struct buf text = BUF_INIT(EVENTS_MAX);
	auto_strv char **lines = NULL;
	uint64_t n = 0;

	if (fs_read(file, EVENTS_MAX, &text) < 0 || strv_split(buf_str(&text), "\n", &lines) < 0)
		return 0;
	for (size_t i = 0; lines && lines[i]; i++) {
		size_t len = strlen(key);

		if (!strncmp(lines[i], key, len) && lines[i][len] == ' ' &&
		    parse_u64(lines[i] + len + 1, &n) >= 0)
			break;
	}
	return n;
}

bool cgroup_oom_killed(const char *path)
{
	bool v2 = cgroup_layout() == CGROUP_V2;
	auto_free char *file = NULL;

	if (!path_ok(path))
		return false;
	file = v2 ? str_printf(ROOT "%s/memory.events", path)
		  : str_printf(ROOT "/memory%s/memory.oom_control", path);
	return file && counter(file, "oom_kill") > 0;
}
