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
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/internal.h"

#define CMDLINE_MAX (64u << 10)
#define END_MS	    2000 /* for a killed shim to be gone */

static bool proc_says(pid_t pid, const char *file, const void *what, size_t len)
{
	auto_free char *path = str_printf("/proc/%d/%s", pid, file);
	auto_buf struct buf text = BUF_INIT(CMDLINE_MAX);

	return path && fs_read(path, CMDLINE_MAX - 1, &text) >= 0 &&
	       memmem(buf_str(&text), text.len, what, len) != NULL;
}

/* Holds the process before its /proc is looked at, so that the two are the same. */
static int open_live(pid_t pid, const char *file, const void *what, size_t len)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd >= 0 && proc_says(pid, file, what, len))
		return fd;
	(void)fd_close(fd);
	return -ESRCH;
}

/* The cgroup is named after the container, below whichever parent. */
static int open_container(pid_t pid, const char *id)
{
	char word[ID_LEN + 2];
	int n = snprintf(word, sizeof(word), "/%s", id);

	return open_live(pid, "cgroup", word, (size_t)n);
}

/* Arguments that only a container's shim has. Return: their length */
static size_t shim_words(const char *id, char *out, size_t room)
{
	int n = snprintf(out, room, "%ccontainer=%s%cprocess=%s", 0, id, 0, id);

	return (size_t)n + 1; /* the last one's NUL as well */
}

static pid_t pid_of_file(const struct runtime *r, const char *id, const char *file)
{
	auto_free char *path = rt_path(r, id, NULL, file);
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
	int fd, rc;

	*ret_exit = -1;
	*ret_finished_ns = 0;
	if (exit_file(r, id, ret_exit, ret_finished_ns) >= 0)
		return 0;
	fd = open_container(pid, id);
	if (fd < 0) {
		pid = pid_of_file(r, id, "pidfile");
		fd = open_container(pid, id);
	}
	if (fd < 0)
		return 0;
	rc = proc_add(r, id, pid, fd, NULL);
	if (rc >= 0)
		rc = shim_watch(r, id);
	if (rc < 0) {
		proc_free(proc_find(r, id));
		return rc;
	}
	*ret_pid = pid;
	return not_started(r, id) ? 2 : 1;
}

int shim_open(const struct runtime *r, const char *id, pid_t *ret_pid)
{
	char words[2 * ID_LEN + 32];
	size_t len = shim_words(id, words, sizeof(words));

	*ret_pid = pid_of_file(r, id, SHIM_PID);
	return *ret_pid ? open_live(*ret_pid, "cmdline", words, len) : -ENOENT;
}

static void kill_and_wait(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
	if (poll(&p, 1, END_MS) == 0)
		log_warn("a shim does not end");
}

/* The engine may have died before it noted the shim's pid. Return: a pidfd, -ESRCH */
static int find_shim(const char *id)
{
	char words[2 * ID_LEN + 32];
	size_t len = shim_words(id, words, sizeof(words));
	DIR *d = opendir("/proc");
	struct dirent *de;
	uint32_t pid;
	int fd = -ESRCH;

	while (d && fd < 0 && (de = readdir(d)))
		if (parse_u32(de->d_name, &pid) >= 0)
			fd = open_live((pid_t)pid, "cmdline", words, len);
	if (d)
		(void)closedir(d);
	return fd;
}

void shim_kill(const struct runtime *r, const char *id)
{
	auto_free char *bundle = rt_path(r, id, NULL, NULL);
	pid_t pid;
	auto_close int fd = shim_open(r, id, &pid);

	if (fd == -ENOENT && bundle && fs_exists(bundle))
		fd = find_shim(id);
	if (fd >= 0)
		kill_and_wait(fd);
}

static void sweep_one(struct runtime *r, const char *id)
{
	const char *const argv[] = {"delete", "--force", id, NULL};
	auto_free char *bundle = rt_path(r, id, NULL, NULL);
	auto_free char *state = str_printf("%s/%s", r->root, id);
	auto_free char *exit = str_printf("%s/exits/%s", r->exec_root, id);
	auto_free char *cgroup = rt_cgroup(r, id);

	if (!bundle || !state || !exit || !cgroup)
		return;
	shim_kill(r, id);
	/* a create that was cut off may have made the process and no state: crun knows nothing of
	 * it */
	if (cgroup_kill(cgroup, END_MS) < 0)
		log_warn("processes of a half-made container stay container=%s", id);
	if (fs_exists(state) && call_wait(r, argv) < 0)
		log_warn("%s cannot delete what is left container=%s", r->name, id);
	if (fs_rm_tree(bundle) < 0 || fs_rm_tree(state) < 0 || fs_unlink(exit) < 0 ||
	    cgroup_remove(cgroup) < 0)
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
