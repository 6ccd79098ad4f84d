/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exit.c - a container's end: the shim's exit file, and the pidfd beside it
 *
 * The shim writes <exec-root>/exits/<id> ("code nanoseconds") beside and renames it; inotify tells.
 * The container's pidfd tells of its end as well, and the shim's of the shim's: where both ended
 * and a second later there is no exit file, the shim was killed and the code is unknown (255).
 * While it lives it is waited for: it may still be reading output.
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
	(void)source_free(p->shim);
	(void)source_free(p->grace);
	(void)fd_close(p->pidfd);
	free(p);
}

/* The number at @text up to @end; untouched where there is none. */
static bool number(const char *text, const char *end, int64_t *ret)
{
	char word[24];
	size_t len = (size_t)(end - text);

	if (!len || len >= sizeof(word))
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	return parse_i64(word, ret) >= 0;
}

int exit_file(const struct runtime *r, const char *id, int *ret_code, int64_t *ret_ns)
{
	auto_free char *path = str_printf("%s/exits/%s", r->exec_root, id);
	auto_buf struct buf text = BUF_INIT(64);
	int64_t code = UNKNOWN_CODE, ns = 0;
	const char *s, *p;
	struct stat st;
	int rc = path ? fs_read(path, 63, &text) : -ENOMEM;

	if (rc < 0)
		return rc;
	s = buf_str(&text);
	p = s + strcspn(s, " \n");
	(void)number(s, p, &code);
	p += strspn(p, " ");
	/* the versions before wrote the code alone: then the file's own time counts */
	if (!number(p, p + strcspn(p, " \n"), &ns) || ns <= 0)
		ns = stat(path, &st) < 0 ? clock_real_ns()
					 : st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
	*ret_code = code < 0 || code > 255 ? UNKNOWN_CODE : (int)code;
	*ret_ns = ns;
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

	log_warn("the shim died without an exit code container=%s", p->id);
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
	if (p->watch || p->grace || shim_lives(p->r, p->id))
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
	consider(p);
}

void shim_gone(struct runtime *r, const char *id)
{
	struct proc *p = proc_find(r, id);

	if (p)
		consider(p);
	dels_go_on(r, id);
}

bool shim_lives(struct runtime *r, const char *id)
{
	struct proc *p = proc_find(r, id);

	return (p && p->shim) || shim_is_ours(r, id);
}

static void adopted_shim_ended(pid_t pid, int status, void *data)
{
	struct proc *p = data;
	char id[ID_LEN + 1];

	(void)pid;
	(void)status;
	p->shim = NULL;
	memcpy(id, p->id, sizeof(id));
	shim_gone(p->r, id);
}

int shim_watch(struct runtime *r, const char *id)
{
	struct proc *p = proc_find(r, id);
	pid_t pid = 0;
	auto_close int fd = shim_open(r, id, &pid);

	if (!p || fd < 0)
		return 0; /* killed: it is not waited for */
	return loop_child(r->loop, pid, fd, adopted_shim_ended, p, &p->shim);
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
		if (ev->len)
			dels_go_on(r, ev->name);
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
