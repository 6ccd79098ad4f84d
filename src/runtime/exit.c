/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exit.c - a container's end: conmon's exit file, and the pidfd beside it
 *
 * conmon writes <exec-root>/exits/<id> beside and renames it; inotify tells. The container's pidfd
 * tells of its end as well, and conmon's of conmon's: where both ended and a second later there is
 * no exit file, conmon was killed and the code is unknown (255). While conmon lives it is waited
 * for: it may still be writing output.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/internal.h"

#define GRACE_MS     1000
#define UNKNOWN_CODE 255

struct proc *proc_find(struct runtime *r, const char *id)
{
	return map_get(r->procs, id);
}

void proc_free(struct proc *p)
{
	if (!p)
		return;
	(void)map_del(p->r->procs, p->id);
	(void)source_free(p->watch);
	(void)source_free(p->conmon);
	(void)source_free(p->grace);
	(void)fd_close(p->pidfd);
	free(p);
}

int exit_file(const struct runtime *r, const char *id, int *ret_code, int64_t *ret_ns)
{
	auto_free char *path = str_printf("%s/exits/%s", r->exec_root, id);
	auto_buf struct buf text = BUF_INIT(64);
	struct stat st;
	int64_t code;
	int rc = path ? fs_read(path, 63, &text) : -ENOMEM;

	if (rc < 0)
		return rc;
	while (text.len && strchr(" \n", text.data[text.len - 1]))
		text.data[--text.len] = '\0';
	if (parse_i64(buf_str(&text), &code) < 0)
		code = UNKNOWN_CODE;
	*ret_code = code < 0 || code > 255 ? UNKNOWN_CODE : (int)code;
	*ret_ns = stat(path, &st) < 0 ? clock_real_ns()
				      : st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
	return 0;
}

static bool oom_killed(const struct runtime *r, const char *id)
{
	auto_free char *path = rt_cgroup(r, id);

	return path && cgroup_oom_killed(path);
}

static void tell(struct proc *p, int code, int64_t when_ns)
{
	struct runtime *r = p->r;
	char id[ID_LEN + 1];
	bool oom = oom_killed(r, p->id);

	memcpy(id, p->id, sizeof(id));
	proc_free(p);
	if (r->on_exit)
		r->on_exit(id, code, oom, when_ns, r->on_exit_data);
}

void proc_exit(struct proc *p, int code)
{
	int64_t ns = clock_real_ns();

	(void)exit_file(p->r, p->id, &code, &ns); /* else they stay as they are */
	tell(p, code, ns);
}

static void grace_over(void *data)
{
	struct proc *p = data;

	log_warn("conmon died without an exit code container=%s", p->id);
	proc_exit(p, UNKNOWN_CODE);
}

/* One of the two ended. */
static void consider(struct proc *p)
{
	int64_t ns;
	int code;

	if (exit_file(p->r, p->id, &code, &ns) >= 0) {
		tell(p, code, ns);
		return;
	}
	if (p->watch || p->grace || conmon_lives(p->r, p->id))
		return;
	if (loop_timer(p->r->loop, GRACE_MS, grace_over, p, &p->grace) < 0)
		grace_over(p);
}

static void process_ended(pid_t pid, int status, void *data)
{
	struct proc *p = data;

	(void)pid;
	(void)status;
	p->watch = NULL; /* one-shot: freed by the loop */
	attaches_unblock(p->r, p->id);
	consider(p);
}

void conmon_gone(struct runtime *r, const char *id)
{
	struct proc *p = proc_find(r, id);

	if (p)
		consider(p);
	dels_go_on(r, id);
}

bool conmon_lives(struct runtime *r, const char *id)
{
	struct proc *p = proc_find(r, id);

	return (p && p->conmon) || conmon_is_ours(r, id);
}

static void adopted_conmon_ended(pid_t pid, int status, void *data)
{
	struct proc *p = data;
	char id[ID_LEN + 1];

	(void)pid;
	(void)status;
	p->conmon = NULL;
	memcpy(id, p->id, sizeof(id));
	conmon_gone(p->r, id);
}

int conmon_watch(struct runtime *r, const char *id)
{
	struct proc *p = proc_find(r, id);
	pid_t pid = 0;
	auto_close int fd = conmon_open(r, id, &pid);

	if (!p || fd < 0)
		return 0; /* killed: it is not waited for */
	return loop_child(r->loop, pid, fd, adopted_conmon_ended, p, &p->conmon);
}

int proc_add(struct runtime *r, const char *id, pid_t pid, int pidfd, struct err *e)
{
	struct proc *p = calloc(1, sizeof(*p));
	int rc;

	if (!p) {
		(void)fd_close(pidfd);
		return err_nomem(e);
	}
	p->r = r;
	p->pid = pid;
	p->pidfd = pidfd;
	(void)snprintf(p->id, sizeof(p->id), "%s", id);
	rc = map_put(r->procs, id, p);
	if (rc >= 0)
		rc = loop_child(r->loop, pid, pidfd, process_ended, p, &p->watch);
	if (rc < 0) {
		proc_free(p);
		return err_sys(e, -rc, "cannot watch the process of container %s", id);
	}
	return 0;
}

static void exits_readable(int fd, uint32_t events, void *data)
{
	_Alignas(struct inotify_event) char room[4096];
	struct runtime *r = data;
	ssize_t n = read(fd, room, sizeof(room));

	(void)events;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *ev = (const struct inotify_event *)(room + at);
		struct proc *p = ev->len ? proc_find(r, ev->name) : NULL;
		int64_t ns;
		int code;

		at += (ssize_t)(sizeof(*ev) + ev->len);
		if (p && exit_file(r, p->id, &code, &ns) >= 0)
			tell(p, code, ns);
	}
}

int exits_open(struct runtime *r, struct err *e)
{
	auto_free char *dir = str_printf("%s/exits", r->exec_root);
	int rc;

	if (!dir)
		return err_nomem(e);
	r->exits = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (r->exits < 0 || inotify_add_watch(r->exits, dir, IN_MOVED_TO | IN_ONLYDIR) < 0)
		return err_sys(e, errno, "cannot watch %s", dir);
	rc = loop_io(r->loop, r->exits, EPOLLIN, exits_readable, r, &r->exits_io);
	return rc < 0 ? err_sys(e, -rc, "cannot watch %s", dir) : 0;
}

void rt_on_exit(struct runtime *r,
		void (*fn)(const char *id, int exit_code, bool oom, int64_t finished_ns,
			   void *data),
		void *data)
{
	r->on_exit = fn;
	r->on_exit_data = data;
}
