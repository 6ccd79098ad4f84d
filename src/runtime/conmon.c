/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conmon.c - starting conmon, and the messages it sends
 *
 * conmon is started with --sync: it stays the process we started (in a session of its own), so its
 * end is seen. It gets pipes by environment variables:
 *   _OCI_SYNCPIPE    it writes {"data":<pid>} (or "pid"), or a negative number and "message" when
 *                    the runtime failed; for an exec a second line with the exit code
 *   _OCI_STARTPIPE   it reads: once before anything is done, and with --exec-attach once more
 *                    before the process runs
 *   _OCI_ATTACHPIPE  with --exec-attach: a line once the attach socket listens
 * It does not inherit the life lock: it outlives us. Source: conmon(8), conmon's README.
 *
 * A struct sync goes through these states, and lives until conmon is reaped:
 *   waiting  conmon starts the runtime; the next message says whether the process is there
 *   made     of an exec: its exit code is still to come
 *   over     nothing more is said (of a container: from "made" on); conmon's own end is awaited
 */

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "runtime/internal.h"

#define STDERR_MAX 4096

enum sync_state { SYNC_WAITING, SYNC_MADE, SYNC_OVER };

struct sync {
	struct list node;
	struct runtime *r;
	struct sync_ops ops;
	char id[ID_LEN + 1]; /* of the container */
	int fd, start_fd, attach_fd;
	int err; /* what conmon itself says where it cannot even begin */
	struct source *io, *attach_io, *child;
	int pidfd;
	struct buf in;
	enum sync_state state;
	bool is_exec;
};

static void close_pipes(struct sync *s)
{
	s->io = source_free(s->io);
	s->attach_io = source_free(s->attach_io);
	s->fd = fd_close(s->fd);
	s->start_fd = fd_close(s->start_fd);
	s->attach_fd = fd_close(s->attach_fd);
	s->err = fd_close(s->err);
	buf_done(&s->in);
}

static void sync_free(struct sync *s)
{
	list_remove(&s->node);
	close_pipes(s);
	(void)source_free(s->child);
	(void)fd_close(s->pidfd);
	free(s);
}

/* Nothing more is said. @s may be gone after it. */
static void over(struct sync *s)
{
	s->state = SYNC_OVER;
	close_pipes(s);
	if (!s->child)
		sync_free(s);
}

void syncs_drop(struct runtime *r)
{
	struct sync *s;

	list_for_each (s, &r->syncs, node) {
		if (s->state != SYNC_OVER)
			s->ops.dropped(s->ops.data);
		sync_free(s);
	}
}

static struct sync *sync_find(const struct runtime *r, const char *id)
{
	struct sync *s;

	list_for_each (s, &r->syncs, node)
		if (!s->is_exec && s->child && streq(s->id, id))
			return s;
	return NULL;
}

bool conmon_is_ours(const struct runtime *r, const char *id)
{
	return sync_find(r, id) != NULL;
}

void conmon_end(struct runtime *r, const char *id)
{
	struct sync *s = sync_find(r, id);
	pid_t pid;

	if (s) {
		(void)pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
	} else {
		auto_close int fd = conmon_open(r, id, &pid);

		if (fd >= 0)
			(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
	}
}

/* ---- what it says ---- */

static void fail(struct sync *s, const char *text)
{
	struct sync_ops ops = s->ops;
	struct err e = {0};
	int r = rt_failure(s->r, s->is_exec, text, &e);

	over(s);
	ops.made(r, &e, ops.data);
}

/* conmon is gone without a message: what it wrote to its standard error is all there is. */
static void fail_silent(struct sync *s)
{
	char text[STDERR_MAX];
	ssize_t n = pread(s->err, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	fail(s, n > 0 ? text : "conmon ended before the process was there");
}

static void finish(struct sync *s, int code)
{
	struct sync_ops ops = s->ops;

	over(s);
	ops.ended(code, ops.data);
}

/* The runtime repeats what users wrote, which need not be UTF-8. */
static int parse(char *text, size_t len, json_t **ret)
{
	int r = json_read(text, len, ret, NULL);

	for (size_t i = 0; r < 0 && i < len; i++)
		if (text[i] & 0x80)
			text[i] = '?';
	return r < 0 ? json_read(text, len, ret, NULL) : r;
}

/* Return: whether an exit code is to come. */
static bool made(struct sync *s, int pid)
{
	struct sync_ops ops = s->ops;
	struct runtime *r = s->r;
	char id[ID_LEN + 1];

	if (s->is_exec) {
		s->state = SYNC_MADE;
		ops.made(pid, NULL, ops.data);
		return true;
	}
	memcpy(id, s->id, sizeof(id));
	over(s);
	ops.made(pid, NULL, ops.data);
	if (!conmon_is_ours(r, id))
		conmon_gone(r, id); /* dead already */
	return false;
}

/* One line. Return: whether more are to come. */
static bool message(struct sync *s, char *text, size_t len)
{
	auto_json json_t *m = NULL;
	const char *why = NULL;
	json_int_t n = -1;
	json_t *v;

	if (parse(text, len, &m) >= 0 && json_is_object(m)) {
		v = json_get(m, "data");
		v = v ? v : json_get(m, s->state == SYNC_MADE ? "exit_code" : "pid");
		n = json_is_integer(v) ? json_integer_value(v) : -1;
		(void)json_get_str(m, "", "message", &why, NULL);
	} else {
		why = "conmon's answer is unreadable";
	}
	if (s->state == SYNC_MADE)
		finish(s, n < 0 || n > 255 ? 255 : (int)n);
	else if (n <= 0 || n > INT_MAX)
		fail(s, why ? why : "");
	else
		return made(s, (int)n);
	return false;
}

static void readable(int fd, uint32_t events, void *data)
{
	struct sync *s = data;
	char chunk[4096], *nl;
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || buf_add(&s->in, chunk, (size_t)n) < 0) {
		if (s->state == SYNC_MADE)
			finish(s, 255);
		else
			fail_silent(s);
		return;
	}
	while (s->in.len && (nl = memchr(s->in.data, '\n', s->in.len))) {
		size_t len = (size_t)(nl - s->in.data);
		auto_free char *line = strndup(s->in.data, len);

		buf_consume(&s->in, len + 1);
		if (!line || !message(s, line, len))
			return;
	}
}

static void let_run(struct sync *s)
{
	if (s->start_fd >= 0 && write(s->start_fd, "", 1) != 1)
		log_debug("conmon does not listen any more error=%s", strerror(errno));
}

/* --exec-attach: the socket listens. */
static void attachable(int fd, uint32_t events, void *data)
{
	struct sync *s = data;
	struct err e = {0};
	char line[256];
	ssize_t n = read(fd, line, sizeof(line));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	s->attach_io = source_free(s->attach_io);
	s->attach_fd = fd_close(s->attach_fd);
	if (n <= 0)
		return; /* the sync pipe tells why */
	if (s->ops.attachable(s->ops.data, &e) < 0) {
		/* a closed start pipe would let the process run: conmon, and the runtime that
		 * waits with it, must not see that */
		(void)pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
		fail(s, e.msg);
		return;
	}
	let_run(s);
	s->start_fd = fd_close(s->start_fd);
}

/* conmon itself ended: what it wrote may still have to be read. */
static void conmon_ended(pid_t pid, int status, void *data)
{
	struct sync *s = data;
	struct runtime *r = s->r;
	bool is_exec = s->is_exec;
	char id[ID_LEN + 1];

	(void)pid;
	(void)status;
	s->child = NULL; /* one-shot: freed by the loop */
	if (s->state != SYNC_OVER)
		return;
	memcpy(id, s->id, sizeof(id));
	sync_free(s);
	if (!is_exec)
		conmon_gone(r, id);
}

/* ---- its start ---- */

struct argv {
	char **v;
	int fail;
};

static void add(struct argv *a, const char *s)
{
	if (!a->fail)
		a->fail = strv_add(&a->v, s);
}

static void add_path(struct argv *a, const char *flag, const struct runtime *r,
		     const struct conmon_args *c, const char *file)
{
	auto_free char *path = rt_path(r, c->id, c->exec_id, file);

	add(a, flag);
	if (path)
		add(a, path);
	else
		a->fail = -ENOMEM;
}

static int conmon_argv(const struct runtime *r, const struct conmon_args *c, char ***ret)
{
	auto_free char *exits = str_printf("%s/exits", r->exec_root);
	auto_free char *log = c->log_path ? str_printf("k8s-file:%s", c->log_path) : NULL;
	struct argv a = {0};

	add(&a, r->conmon);
	add(&a, "--sync");
	add(&a, "--api-version");
	add(&a, "1");
	add(&a, "-c");
	add(&a, c->id);
	add(&a, "-u");
	add(&a, c->exec_id ? c->exec_id : c->id);
	add(&a, "-r");
	add(&a, r->program);
	add(&a, "--runtime-arg");
	add(&a, "--root");
	add(&a, "--runtime-arg");
	add(&a, r->root);
	add_path(&a, "-b", r, c, NULL);
	add_path(&a, "-p", r, c, "pidfile");
	add(&a, "--full-attach");
	add(&a, "-l");
	add(&a, log ? log : "off");
	if (c->log_max_bytes) {
		char text[24];

		(void)snprintf(text, sizeof(text), "%lld", (long long)c->log_max_bytes);
		add(&a, "--log-size-max");
		add(&a, text);
	}
	if (c->exec_id) {
		add(&a, "-e");
		add_path(&a, "--exec-process-spec", r, c, "process.json");
		if (c->attach)
			add(&a, "--exec-attach");
	} else {
		add(&a, "--exit-dir");
		add(&a, exits);
	}
	add(&a, "--no-sync-log"); /* an fsync of the log would delay each exit */
	if (c->tty)
		add(&a, "-t");
	if (c->open_stdin)
		add(&a, "-i");
	/* a terminal is one descriptor both ways: conmon would close it under the process when a
	 * client leaves */
	if (c->open_stdin && (!c->stdin_once || c->tty))
		add(&a, "--leave-stdin-open");
	if (a.fail || !exits) {
		strv_free(a.v);
		return -ENOMEM;
	}
	*ret = a.v;
	return 0;
}

static int pipes(int sync[2], int start[2], int attach[2], bool with_attach)
{
	if (pipe2(sync, O_CLOEXEC) < 0 || pipe2(start, O_CLOEXEC) < 0 ||
	    (with_attach && pipe2(attach, O_CLOEXEC) < 0))
		return -errno;
	(void)fd_nonblock(sync[0]);
	if (with_attach)
		(void)fd_nonblock(attach[0]);
	return 0;
}

static int watch(struct sync *s, pid_t pid)
{
	int r = loop_io(s->r->loop, s->fd, EPOLLIN, readable, s, &s->io);

	if (r >= 0 && s->attach_fd >= 0)
		r = loop_io(s->r->loop, s->attach_fd, EPOLLIN, attachable, s, &s->attach_io);
	if (r >= 0)
		r = loop_child(s->r->loop, pid, s->pidfd, conmon_ended, s, &s->child);
	return r;
}

static void close_pair(int fds[2])
{
	fds[0] = fd_close(fds[0]);
	fds[1] = fd_close(fds[1]);
}

/* Starts the program; on success @s has our ends of the pipes. */
static pid_t launch(struct sync *s, char *const *argv, bool with_attach)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"_OCI_SYNCPIPE=3", "_OCI_STARTPIPE=4", "_OCI_ATTACHPIPE=5", NULL};
	int sync[2] = {-EBADF, -EBADF}, start[2] = {-EBADF, -EBADF}, attach[2] = {-EBADF, -EBADF};
	int rc = pipes(sync, start, attach, with_attach);
	struct spawn_fd fds[] = {{sync[1], 3}, {start[0], 4}, {attach[1], 5}};
	struct spawn sp = SPAWN_INIT;
	pid_t pid;

	sp.argv = (const char *const *)argv;
	sp.env = env;
	sp.fds = fds;
	sp.n_fds = with_attach ? 3 : 2;
	sp.new_session = true;
	sp.err = s->err;
	pid = rc < 0 ? rc : spawn_start(&sp, &s->pidfd);
	if (pid > 0) {
		s->fd = TAKE_FD(sync[0]);
		s->start_fd = TAKE_FD(start[1]);
		s->attach_fd = with_attach ? TAKE_FD(attach[0]) : -EBADF;
	}
	close_pair(sync);
	close_pair(start);
	close_pair(attach);
	return pid;
}

/* For the next life. conmon, started with --sync, writes none; it still waits for the start pipe.
 */
static int write_pid(const struct runtime *r, const char *id, pid_t pid)
{
	auto_free char *path = rt_path(r, id, NULL, CONMON_PID);
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", pid);

	return path ? fs_write(path, text, (size_t)n, 0600) : -ENOMEM;
}

int conmon_start(struct runtime *r, const struct conmon_args *a, const struct sync_ops *ops,
		 struct err *e)
{
	auto_strv char **argv = NULL;
	struct sync *s = calloc(1, sizeof(*s));
	pid_t pid;
	int rc;

	if (!s)
		return err_nomem(e);
	*s = (struct sync){.r = r,
			   .ops = *ops,
			   .fd = -EBADF,
			   .start_fd = -EBADF,
			   .attach_fd = -EBADF,
			   .err = memfd_create("stderr", MFD_CLOEXEC),
			   .pidfd = -EBADF,
			   .in = BUF_INIT(SYNC_MAX),
			   .is_exec = a->exec_id != NULL};
	(void)snprintf(s->id, sizeof(s->id), "%s", a->id);
	list_append(&r->syncs, &s->node);
	rc = conmon_argv(r, a, &argv);
	pid = rc < 0 ? rc : launch(s, argv, a->attach);
	rc = pid < 0 ? (int)pid : watch(s, pid);
	if (rc >= 0 && !s->is_exec)
		rc = write_pid(r, a->id, pid);
	if (rc < 0) {
		if (s->pidfd >= 0)
			(void)pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
		over(s);
		return err_sys(e, -rc, "cannot start %s", r->conmon);
	}
	let_run(s);
	if (!a->attach)
		s->start_fd = fd_close(s->start_fd);
	return 0;
}

/* ---- the runtime's words in Docker's ---- */

/* crun: executable file `x` not found in $PATH: No such file or directory */
static bool not_found(const char *text, char *out, size_t room)
{
	static const char before[] = "executable file `";
	const char *p = strstr(text, before), *end;

	if (!p)
		return false;
	p += sizeof(before) - 1;
	end = strchr(p, '`');
	end = end ? end : strchr(p, '\'');
	if (!end)
		return false;
	(void)snprintf(out, room, "exec: \"%.*s\": executable file not found in $PATH",
		       (int)(end - p), p);
	return true;
}

/* A file without the x bit, or a directory: crun 1.21's words, and 1.8's for a directory. */
static bool not_executable(const char *text)
{
	return strstr(text, "exists but it is not executable") ||
	       strstr(text, "is not a regular file") ||
	       strstr(text, "open executable: Operation not permitted");
}

/* One line, with Docker's small letters, for which its CLI looks. */
static void in_dockers_words(const char *text, char *what, size_t room)
{
	static const char *const words[] = {"Permission denied", "No such file or directory",
					    "Is a directory"};

	if (not_executable(text))
		(void)snprintf(what, room, "open executable: permission denied");
	else if (!not_found(text, what, room))
		(void)snprintf(what, room, "%s", *text ? text : "the runtime ended without a word");
	for (char *c = what; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ' ' : '\0';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char *c = strstr(what, words[i]);

		if (c)
			*c = (char)(*c - 'A' + 'a');
	}
}

int rt_failure(const struct runtime *r, bool is_exec, const char *text, struct err *e)
{
	enum err_kind kind = ERR_INTERNAL;
	char what[512];

	in_dockers_words(text, what, sizeof(what));
	/* the user's command cannot be run: his mistake, not ours */
	if (strstr(what, "executable file not found") || strstr(what, "permission denied") ||
	    strstr(what, "no such file or directory"))
		kind = ERR_INVALID;
	if (is_exec)
		return err_set(e, kind, EIO,
			       "OCI runtime exec failed: exec failed: unable to start container "
			       "process: %s: unknown",
			       what);
	return err_set(e, kind, EIO,
		       "failed to create task for container: failed to create shim task: OCI "
		       "runtime create failed: %s: %s: unknown",
		       r->name, what);
}
