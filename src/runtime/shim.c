/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim.c - starting atoll-shim, and what it says of the process it makes
 *
 * The shim stays our child (in a session of its own), so its end is seen. Over the status socket
 * (base/shim.h) it says that the process is there or why not, and of an exec its exit code. The
 * runtime's program it gets as a descriptor (program.c). It does not inherit the life lock: it
 * outlives us.
 *
 *   waiting  the shim runs the runtime; the next packet says whether the process is there
 *   made     of an exec: its exit code is still to come
 *   over     nothing more is said (of a container: from "made" on); the shim's end is awaited
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/shim.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "runtime/internal.h"

#define STDERR_MAX   4096
#define UNKNOWN_CODE 255

enum sync_state { SYNC_WAITING, SYNC_MADE, SYNC_OVER };

struct sync {
	struct list node;
	struct runtime *r;
	struct sync_ops ops;
	char id[ID_LEN + 1];	  /* of the container */
	char exec_id[ID_LEN + 1]; /* "": the container itself */
	int fd;
	int err; /* what the shim itself says where it cannot even begin */
	struct source *io, *child;
	int pidfd;
	enum sync_state state;
};

static void close_socket(struct sync *s)
{
	s->io = source_free(s->io);
	s->fd = fd_close(s->fd);
	s->err = fd_close(s->err);
}

static void sync_free(struct sync *s)
{
	list_remove(&s->node);
	close_socket(s);
	(void)source_free(s->child);
	(void)fd_close(s->pidfd);
	free(s);
}

/* Nothing more is said. @s may be gone after it. */
static void over(struct sync *s)
{
	s->state = SYNC_OVER;
	close_socket(s);
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

static struct sync *sync_find(const struct runtime *r, const char *id, const char *exec_id)
{
	struct sync *s;

	list_for_each (s, &r->syncs, node)
		if (s->child && streq(s->id, id) && streq(s->exec_id, exec_id ? exec_id : ""))
			return s;
	return NULL;
}

bool shim_is_ours(const struct runtime *r, const char *id)
{
	return sync_find(r, id, NULL) != NULL;
}

void shim_end(struct runtime *r, const char *id)
{
	struct sync *s = sync_find(r, id, NULL);
	pid_t pid;

	if (s) {
		(void)pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
	} else {
		auto_close int fd = shim_open(r, id, &pid);

		if (fd >= 0)
			(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
	}
}

int shim_exec_size(struct runtime *r, const char *id, const char *exec_id, unsigned rows,
		   unsigned cols)
{
	struct shim_packet p = {.kind = SHIM_SIZE, .rows = (uint16_t)rows, .cols = (uint16_t)cols};
	struct sync *s = sync_find(r, id, exec_id);
	char room[8];
	size_t len = shim_format(&p, room, sizeof(room));

	if (!s || s->fd < 0)
		return -ESRCH;
	return send(s->fd, room, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* ---- what it says ---- */

static void fail(struct sync *s, const char *text)
{
	struct sync_ops ops = s->ops;
	struct err e = {0};
	int r = rt_failure(s->r, *s->exec_id != '\0', text, &e);

	over(s);
	ops.made(r, &e, ops.data);
}

/* The shim is gone without a word: what it wrote to its standard error is all there is. */
static void fail_silent(struct sync *s)
{
	char text[STDERR_MAX];
	ssize_t n = pread(s->err, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	fail(s, n > 0 ? text : "atoll-shim ended before the process was there");
}

static void fail_text(struct sync *s, const struct shim_packet *p)
{
	auto_free char *text = strndup(p->data, p->len);

	fail(s, text ? text : "");
}

static void finish(struct sync *s, int code)
{
	struct sync_ops ops = s->ops;

	over(s);
	ops.ended(code, ops.data);
}

static void made(struct sync *s, int pid)
{
	struct sync_ops ops = s->ops;
	struct runtime *r = s->r;
	char id[ID_LEN + 1];

	if (*s->exec_id) {
		s->state = SYNC_MADE;
		ops.made(pid, NULL, ops.data);
		return;
	}
	memcpy(id, s->id, sizeof(id));
	over(s);
	ops.made(pid, NULL, ops.data);
	if (!shim_is_ours(r, id))
		shim_gone(r, id); /* dead already */
}

static void readable(int fd, uint32_t events, void *data)
{
	static char room[SHIM_PACKET_MAX]; /* the loop's thread only */
	struct sync *s = data;
	ssize_t n = recv(fd, room, sizeof(room), MSG_DONTWAIT);
	struct shim_packet p = {0};
	bool good = n > 0 && shim_parse(room, (size_t)n, &p) >= 0;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (s->state == SYNC_MADE)
		finish(s,
		       good && p.kind == SHIM_ENDED && p.number <= 255 ? p.number : UNKNOWN_CODE);
	else if (good && p.kind == SHIM_MADE)
		made(s, p.number);
	else if (good && p.kind == SHIM_FAILED)
		fail_text(s, &p);
	else
		fail_silent(s);
}

/* The shim itself ended: what it said may still have to be read. */
static void shim_ended(pid_t pid, int status, void *data)
{
	struct sync *s = data;
	struct runtime *r = s->r;
	bool is_exec = *s->exec_id;
	char id[ID_LEN + 1];

	(void)pid;
	(void)status;
	s->child = NULL; /* one-shot: freed by the loop */
	if (s->state != SYNC_OVER)
		return;
	memcpy(id, s->id, sizeof(id));
	sync_free(s);
	if (!is_exec)
		shim_gone(r, id);
}

/* ---- its start ---- */

struct argv {
	char **v;
	int fail;
};

static void add(struct argv *a, const char *key, const char *text)
{
	if (!a->fail)
		a->fail = strv_addf(&a->v, "%s%s", key, text);
}

static void add_number(struct argv *a, const char *key, int64_t n)
{
	if (!a->fail && n)
		a->fail = strv_addf(&a->v, "%s%lld", key, (long long)n);
}

static void add_log(struct argv *a, const struct rt_log *l)
{
	if (!l || !l->path)
		return;
	add(a, l->json ? "log=json:" : "log=local:", l->path);
	add_number(a, "log-size=", l->max_size);
	add_number(a, "log-files=", l->max_files);
	add_number(a, "log-buffer=", l->buffer);
	if (l->attrs)
		add(a, "log-attrs=", l->attrs);
}

static int shim_argv(const struct runtime *r, const struct shim_args *c, char ***ret)
{
	auto_free char *exit = str_printf("%s/exits/%s", r->exec_root, c->id);
	struct argv a = {0};

	add(&a, r->shim, "");
	add(&a, "container=", c->id);
	add(&a, "process=", c->exec_id ? c->exec_id : c->id);
	add(&a, "root=", r->root);
	if (!c->exec_id && exit)
		add(&a, "exit=", exit);
	if (c->tty)
		add(&a, "tty", "");
	if (c->open_stdin)
		add(&a, "stdin", "");
	if (c->stdin_once)
		add(&a, "once", "");
	if (c->client_fd >= 0)
		add(&a, "attached", "");
	add_log(&a, c->log);
	if (a.fail || !exit) {
		strv_free(a.v);
		return -ENOMEM;
	}
	*ret = a.v;
	return 0;
}

/* Starts the program; on success @s has our end of the socket. */
static pid_t launch(struct sync *s, char *const *argv, const struct shim_args *a)
{
	auto_free char *dir = rt_path(s->r, a->id, a->exec_id, NULL);
	int pair[2] = {-EBADF, -EBADF};
	struct spawn sp = SPAWN_INIT;
	pid_t pid;

	if (!dir)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	{
		struct spawn_fd fds[] = {{pair[1], 3}, {s->r->program_fd, 4}, {a->client_fd, 5}};

		sp.argv = (const char *const *)argv;
		sp.cwd = dir;
		sp.fds = fds;
		sp.n_fds = a->client_fd >= 0 ? 3 : 2;
		sp.new_session = true;
		sp.err = s->err;
		pid = spawn_start(&sp, &s->pidfd);
	}
	if (pid > 0)
		s->fd = TAKE_FD(pair[0]);
	(void)fd_close(pair[0]);
	(void)fd_close(pair[1]);
	return pid;
}

static int watch(struct sync *s, pid_t pid)
{
	int r = loop_io(s->r->loop, s->fd, EPOLLIN, readable, s, &s->io);

	if (r >= 0)
		r = loop_child(s->r->loop, pid, s->pidfd, shim_ended, s, &s->child);
	return r;
}

int shim_start(struct runtime *r, const struct shim_args *a, const struct sync_ops *ops,
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
			   .err = memfd_create("stderr", MFD_CLOEXEC),
			   .pidfd = -EBADF};
	(void)snprintf(s->id, sizeof(s->id), "%s", a->id);
	(void)snprintf(s->exec_id, sizeof(s->exec_id), "%s", a->exec_id ? a->exec_id : "");
	list_append(&r->syncs, &s->node);
	rc = shim_argv(r, a, &argv);
	pid = rc < 0 ? rc : launch(s, argv, a);
	rc = pid < 0 ? (int)pid : watch(s, pid);
	if (rc < 0) {
		if (s->pidfd >= 0)
			(void)pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
		over(s);
		return err_sys(e, -rc, "cannot start %s", r->shim);
	}
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
