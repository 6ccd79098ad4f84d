/* SPDX-License-Identifier: GPL-2.0-or-later */
/* living.c - containers and execs with everything that is told of them written down */

#include "living.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "tap.h"

#define LIVES_MAX 64

struct loop *loop;
struct runtime *rt;
static struct life *lives[LIVES_MAX];
static int life_fd = -EBADF;

/* ---- the runtime ---- */

static void on_exit_of(const char *id, int code, bool oom, int64_t ns, void *data)
{
	(void)data;
	for (size_t i = 0; i < LIVES_MAX; i++) {
		struct life *l = lives[i];

		if (!l || !streq(l->id, id))
			continue;
		l->exits++;
		l->exit_code = code;
		l->oom = oom;
		l->finished_ns = ns;
		l->exit_after_delete = l->deleted > 0;
	}
}

void living_runtime(void)
{
	struct runtime_config c = {.exec_root = BOX "/exec",
				   .shim = SHIM,
				   .cgroup_parent = BOX_PARENT,
				   .life_fd = life_fd};
	struct err e = {0};

	runtime_close(rt);
	rt = NULL;
	if (runtime_open(loop, &c, &rt, &e) < 0) {
		printf("Bail out! %s\n", e.msg);
		exit(1);
	}
	rt_on_exit(rt, on_exit_of, NULL);
}

/* A host's init reaps orphans. A refused crun exec leaves one in the container's pid namespace,
 * whose own init cannot end before that is done. */
static void own_init(void)
{
	int status;
	pid_t pid, test;

	(void)fflush(stdout);
	test = fork();
	if (test == 0)
		return;
	do
		pid = wait(&status);
	while (pid != test && (pid >= 0 || errno == EINTR));
	_exit(pid == test && WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

const char *living_open(void)
{
	const char *why = box_enter(true);

	if (why)
		return why;
	/* as in atolld: a shim may be gone before it is told to go on */
	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	life_fd = open(LIVING_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	own_init();
	if (loop_new(&loop) < 0)
		return "no loop";
	living_runtime();
	return NULL;
}

void living_close(void)
{
	runtime_close(rt);
	loop_free(loop);
	(void)fd_close(life_fd);
}

bool until(const int *count, int want)
{
	int64_t end = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;

	while (*count < want && clock_mono_ns() < end)
		if (loop_run_once(loop, 100) < 0)
			return false;
	return *count >= want;
}

void settle(int ms)
{
	int64_t end = clock_mono_ns() + ms * NS_PER_MS;

	for (int64_t left = ms; left > 0; left = (end - clock_mono_ns()) / NS_PER_MS)
		if (loop_run_once(loop, (int)left) < 0)
			return;
}

/* ---- what is heard ---- */

static int on_output(int stream, const char *data, size_t len, void *d)
{
	struct heard *h = d;
	h->early += !h->ready;
	(void)buf_add(stream == 1 ? &h->out : &h->err, data, len);
	if (!h->pause_at || h->out.len < h->pause_at)
		return 0;
	h->pause_at = 0;
	h->pauses++;
	return 1;
}

static void on_closed(void *d)
{
	struct heard *h = d;

	h->closed++;
	h->attach = NULL;
}

struct rt_attach_ops heard_ops(struct heard *h)
{
	h->out = h->err = BUF_INIT(64 << 20);
	return (struct rt_attach_ops){.output = on_output, .closed = on_closed, .data = h};
}

void heard_done(struct heard *h)
{
	rt_attach_close(h->attach);
	h->attach = NULL;
	buf_done(&h->out);
	buf_done(&h->err);
}

/* ---- containers ---- */

char *const *sh(const char *script)
{
	static char *args[] = {(char *)"sh", (char *)"-c", NULL, NULL};

	args[2] = (char *)(uintptr_t)script;
	return args;
}

void life_init(struct life *l)
{
	size_t i = 0;

	*l = (struct life){0};
	rand_id(l->id);
	while (lives[i])
		i++;
	lives[i] = l;
}

void life_done(struct life *l)
{
	for (size_t i = 0; i < LIVES_MAX; i++)
		if (lives[i] == l)
			lives[i] = NULL;
	heard_done(&l->heard);
}

struct rt_spec life_spec(const struct life *l, char *const *args)
{
	static char *const env[] = {(char *)"PATH=/bin", NULL};

	return (struct rt_spec){.id = l->id,
				.rootfs = BOX_ROOTFS,
				.args = args,
				.env = env,
				.cwd = "/",
				.user = "",
				.hostname = "named",
				.uts_mode = "",
				.pid_mode = "",
				.ipc_mode = "private"};
}

static void on_made(int pid_or_err, const struct err *e, void *data)
{
	struct life *l = data;

	l->made++;
	l->made_code = pid_or_err;
	l->pid = pid_or_err > 0 ? pid_or_err : 0;
	if (e)
		l->e = *e;
}

bool life_create(struct life *l, const struct rt_spec *s, const struct rt_create *how)
{
	struct rt_create c = how ? *how : (struct rt_create){0};

	c.id = l->id;
	if (rt_spec_write(rt, s, &l->e) < 0 || rt_create(rt, &c, on_made, l, &l->e) < 0)
		return false;
	return until(&l->made, 1) && l->made_code > 0;
}

pid_t shim_of(const struct life *l)
{
	auto_free char *path = rt_path(rt, l->id, NULL, SHIM_PID);
	auto_buf struct buf text = BUF_INIT(32);

	return path && fs_read(path, 31, &text) >= 0 ? atoi(buf_str(&text)) : -1;
}

bool life_attach(struct life *l)
{
	struct rt_attach_ops ops = heard_ops(&l->heard);

	l->heard.ready = true;
	return rt_attach_open(rt, l->id, &ops, &l->heard.attach, &l->e) >= 0;
}

static void on_started(int result, const struct err *e, void *data)
{
	struct life *l = data;

	l->started++;
	l->start_code = result;
	if (e)
		l->e = *e;
}

bool life_start(struct life *l)
{
	return rt_start(rt, l->id, on_started, l, &l->e) >= 0 && until(&l->started, 1) &&
	       l->start_code >= 0;
}

static void on_deleted(int result, void *data)
{
	struct life *l = data;

	l->deleted++;
	l->delete_code = result;
}

bool life_delete(struct life *l)
{
	return rt_delete(rt, l->id, on_deleted, l) >= 0 && until(&l->deleted, 1) &&
	       l->delete_code >= 0;
}

bool life_run(struct life *l, const char *script)
{
	struct rt_spec s;

	life_init(l);
	s = life_spec(l, sh(script));
	if (life_create(l, &s, NULL) && life_attach(l) && life_start(l) && until(&l->exits, 1) &&
	    until(&l->heard.closed, 1))
		return true;
	printf("# %s: %s\n", script, l->e.msg);
	return false;
}

/* ---- execs ---- */

static void on_exec(int pid_or_err, struct rt_attach *a, const struct err *e, void *data)
{
	struct run_exec *x = data;

	x->told++;
	x->pid_or_err = pid_or_err;
	x->heard.attach = a;
	x->heard.ready = true;
	if (e)
		x->e = *e;
}

static void on_exec_exit(int code, void *data)
{
	struct run_exec *x = data;

	x->exits++;
	x->exit_code = code;
	x->closed_first = x->heard.closed > 0;
}

bool exec_args(struct run_exec *x, const struct life *l, char *const *args, bool attach)
{
	struct rt_attach_ops ops;
	struct rt_exec rx;

	*x = (struct run_exec){0};
	ops = heard_ops(&x->heard);
	rand_id(x->id);
	rx = (struct rt_exec){.id = l->id, .exec_id = x->id, .args = args, .open_stdin = true};
	return rt_exec_start(rt, &rx, attach ? &ops : NULL, on_exec, on_exec_exit, x, &x->e) >= 0;
}

bool exec_start(struct run_exec *x, const struct life *l, const char *script, bool attach)
{
	return exec_args(x, l, sh(script), attach);
}
