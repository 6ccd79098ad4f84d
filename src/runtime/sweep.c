/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sweep.c - at start: which containers of the last life still run, and what is left of the others
 *
 * Pid files are only a hint, for numbers wrap: a process is believed to be a container's first one
 * when it is in the container's cgroup, and held by a pidfd from then on.
 */

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/internal.h"

#define CMDLINE_MAX (64u << 10)
#define END_MS	    2000 /* for a killed conmon to be gone */

/* a word of "/proc/<pid>/<file>", which has NULs or newlines between words */
static bool proc_says(const char *pid, const char *file, const char *word)
{
	auto_free char *path = str_printf("/proc/%s/%s", pid, file);
	auto_buf struct buf text = BUF_INIT(CMDLINE_MAX);

	return path && fs_read(path, CMDLINE_MAX - 1, &text) >= 0 &&
	       memmem(buf_str(&text), text.len, word, strlen(word)) != NULL;
}

static int open_live(const struct runtime *r, const char *id, pid_t pid)
{
	auto_free char *word = str_printf("%s/%s", r->cgroup_parent, id);
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	char number[16];

	if (fd < 0)
		return -ESRCH;
	(void)snprintf(number, sizeof(number), "%d", pid);
	if (word && proc_says(number, "cgroup", word))
		return fd;
	(void)fd_close(fd);
	return -ESRCH;
}

static pid_t pid_of_file(const struct runtime *r, const char *id)
{
	auto_free char *path = rt_path(r, id, NULL, "pidfile");
	auto_buf struct buf text = BUF_INIT(64);
	uint32_t pid;

	if (!path || fs_read(path, 63, &text) < 0)
		return 0;
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	return parse_u32(buf_str(&text), &pid) < 0 ? 0 : (pid_t)pid;
}

/* The runtime's fifo that holds a created container back. */
static bool not_started(const struct runtime *r, const char *id)
{
	auto_free char *path = str_printf("%s/%s/exec.fifo", r->root, id);

	return path && fs_exists(path);
}

int rt_adopt(struct runtime *r, const char *id, int pid, int *ret_pid, int *ret_exit,
	     int64_t *ret_finished_ns)
{
	int fd;

	*ret_exit = -1;
	*ret_finished_ns = 0;
	if (exit_file(r, id, ret_exit, ret_finished_ns) >= 0)
		return 0;
	fd = pid > 0 ? open_live(r, id, pid) : -ESRCH;
	if (fd < 0) {
		pid = pid_of_file(r, id);
		fd = pid > 0 ? open_live(r, id, pid) : -ESRCH;
	}
	if (fd < 0)
		return 0;
	fd = proc_add(r, id, pid, fd, NULL);
	if (fd < 0)
		return fd;
	*ret_pid = pid;
	return not_started(r, id) ? 2 : 1;
}

static void kill_and_wait(pid_t pid)
{
	auto_close int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {fd, POLLIN, 0};

	if (fd < 0)
		return;
	(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
	if (poll(&p, 1, END_MS) == 0)
		log_warn("process %d does not end", pid);
}

void conmon_kill(const struct runtime *r, const char *id)
{
	auto_free char *bundle = rt_path(r, id, NULL, NULL);
	DIR *d = opendir("/proc");
	struct dirent *de;
	uint32_t pid;

	while (bundle && d && (de = readdir(d)))
		if (parse_u32(de->d_name, &pid) >= 0 && pid != (uint32_t)getpid() &&
		    proc_says(de->d_name, "cmdline", "conmon") &&
		    proc_says(de->d_name, "cmdline", bundle))
			kill_and_wait((pid_t)pid);
	if (d)
		(void)closedir(d);
}

static void sweep_one(struct runtime *r, const char *id)
{
	const char *const argv[] = {"delete", "--force", id, NULL};
	auto_free char *bundle = rt_path(r, id, NULL, NULL);
	auto_free char *state = str_printf("%s/%s", r->root, id);
	auto_free char *exit = str_printf("%s/exits/%s", r->exec_root, id);
	auto_free char *cgroup = str_printf("%s/%s", r->cgroup_parent, id);

	if (!bundle || !state || !exit || !cgroup)
		return;
	conmon_kill(r, id);
	/* a create that was cut off may have made the process and no state: crun knows nothing of
	 * it */
	if (cgroup_kill(cgroup, END_MS) < 0)
		log_warn("processes of a half-made container stay container=%s", id);
	if (fs_exists(state) && call_wait(r, argv) < 0)
		log_warn("%s cannot delete what is left container=%s", r->name, id);
	if (fs_rm_tree(bundle) < 0 || fs_unlink(exit) < 0 || cgroup_remove(cgroup) < 0)
		log_warn("a bundle cannot be removed container=%s", id);
	log_info("the leftovers of a container are removed container=%s", id);
}

static int list_names(const char *dir, char ***ret)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r >= 0 && (de = readdir(d)))
		if (strlen(de->d_name) == ID_LEN && str_is_hex(de->d_name))
			r = strv_add_unique(ret, de->d_name);
	(void)closedir(d);
	return r < 0 ? r : 0;
}

int rt_sweep(struct runtime *r, bool (*known)(const char *id, void *data), void *data)
{
	static const char *const where[] = {"run", "crun", "exits"};
	auto_strv char **ids = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		auto_free char *dir = str_printf("%s/%s", r->exec_root, where[i]);
		int rc = dir ? list_names(dir, &ids) : -ENOMEM;

		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; ids && ids[i]; i++)
		if (!known(ids[i], data))
			sweep_one(r, ids[i]);
	return 0;
}
