/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - what the files of runtime/ share */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"
#include "loop/loop.h"
#include "runtime/runtime.h"

#define SHIM_PID "shim.pid"

struct runtime {
	char *exec_root;
	char *cgroup_parent; /* "/atoll" */
	bool is_crun;
	struct loop *loop;
	char *program, *shim; /* paths */
	int program_fd;	      /* what the shims execute (program.c) */
	char *name, *version;
	char *root; /* of the runtime's own state: <exec_root>/crun */
	int life_fd;
	struct map *procs; /* struct proc by container id */
	struct list calls; /* struct call: running programs, cut off at the end */
	struct list syncs; /* struct sync: this life's shims */
	struct list dels;  /* struct del: deletions that wait for an exit file, or the shim's end */
	struct list attaches;
	struct list filters; /* struct filter, n_filters of them */
	unsigned n_filters;
	char *warm_file; /* warm.c; NULL: there is none */
	int64_t warmed_ns;
	int exits; /* inotify on <exec_root>/exits */
	struct source *exits_io;
	void (*on_exit)(const char *id, int exit_code, bool oom, int64_t finished_ns, void *data);
	void *on_exit_data;
};

/* One container's first process, from create or adoption to its exit. */
struct proc {
	struct runtime *r;
	char id[ID_LEN + 1];
	pid_t pid;
	int pidfd;
	struct source *watch; /* the pidfd; NULL: it ended */
	struct source *shim;  /* of a container of the last life; this life's: shim_is_ours() */
	struct source *grace; /* both ended without an exit file: it counts for a second more */
};

/* ---- runtime.c ---- */
char *rt_path(const struct runtime *r, const char *id, const char *exec_id, const char *file);

/* ---- warm.c ---- */
char *warm_file(void);

/* ---- call.c: one short run of crun ---- */
/* @argv behind the program and its global options; @done(0, "" ) or (-errno, what it wrote to
 * stderr) once; @drop instead where the runtime is closed before. */
typedef void (*call_fn)(int result, const char *text, void *data);
int call_run(struct runtime *r, const char *const *argv, call_fn done, loop_fn drop,
	     void *data) MUST_CHECK;
int call_later(struct runtime *r, int64_t ms, loop_fn fn, loop_fn drop, void *data) MUST_CHECK;
int call_wait(struct runtime *r, const char *const *argv) MUST_CHECK; /* blocks: start-up only */
void calls_drop(struct runtime *r);

/* ---- program.c ---- */
int program_open(const char *path, bool is_crun) MUST_CHECK; /* descriptor or -errno */

/* ---- shim.c: the shim's start and what it says ---- */
struct shim_args {
	const char *id, *exec_id; /* exec_id NULL: the container */
	const struct rt_log *log; /* or NULL */
	bool tty, open_stdin, stdin_once;
	int client_fd; /* the shim's end of an exec's attach; -1 none; stays the caller's */
};
struct sync;
struct sync_ops {
	/* the process exists (pid > 0), or it does not (-errno, @e) and nothing else comes */
	void (*made)(int pid_or_err, const struct err *e, void *data);
	/* an exec ended, nothing else comes. 255: unknown */
	void (*ended)(int exit_code, void *data);
	/* the runtime is closed before the last of these came: frees @data */
	void (*dropped)(void *data);
	void *data;
};
int shim_start(struct runtime *r, const struct shim_args *a, const struct sync_ops *ops,
	       struct err *e) MUST_CHECK;
bool shim_is_ours(const struct runtime *r, const char *id); /* lives, started by this life */
void shim_end(struct runtime *r, const char *id);	    /* SIGKILL, whichever life's it is */
int shim_exec_size(struct runtime *r, const char *id, const char *exec_id, unsigned rows,
		   unsigned cols) MUST_CHECK;
void syncs_drop(struct runtime *r);
/* Docker's text for what the runtime wrote: ... exec: "x": executable file not found in $PATH */
int rt_failure(const struct runtime *r, bool is_exec, const char *text, struct err *e);

/* ---- exit.c ---- */
int exits_open(struct runtime *r, struct err *e) MUST_CHECK;
int proc_add(struct runtime *r, const char *id, pid_t pid, int pidfd /* taken */,
	     struct err *e) MUST_CHECK;
struct proc *proc_find(struct runtime *r, const char *id); /* NULL: none */
void proc_free(struct proc *p);
/* its exit is told now, unless the exit file knows better */
void proc_exit(struct proc *p, int code);
void shim_gone(struct runtime *r, const char *id); /* it ended; does nothing for unknown ids */
bool shim_lives(struct runtime *r, const char *id);
int shim_watch(struct runtime *r, const char *id) MUST_CHECK; /* of an adopted container */
/* the shim's exit file. Return: 0, -ENOENT none */
int exit_file(const struct runtime *r, const char *id, int *ret_code, int64_t *ret_ns) MUST_CHECK;

/* ---- life.c ---- */
void dels_go_on(struct runtime *r, const char *id); /* exit file written, or the shim ended */
void dels_drop(struct runtime *r);

/* ---- kill.c ---- */
/* a container's cgroup, as its config.json has it; where that cannot be read the usual one */
char *rt_cgroup(const struct runtime *r, const char *id);

/* ---- sweep.c ---- */
/* The shim of a life before. Return: its pidfd, -ESRCH, -ENOENT: nothing is noted */
int shim_open(const struct runtime *r, const char *id, pid_t *ret_pid) MUST_CHECK;
void shim_kill(const struct runtime *r, const char *id); /* likewise; waits for its end */

/* ---- attach.c ---- */
void attaches_drop(struct runtime *r);
/* a socket of the shim's; -errno */
int attach_connect(const struct runtime *r, const char *id) MUST_CHECK;
/* on a socket that is connected; @fd is taken in any case */
int attach_new(struct runtime *r, int fd, const struct rt_attach_ops *ops,
	       struct rt_attach **ret) MUST_CHECK;
/* of an exec: nothing is given out before attach_uncork(), and the end of its output is told only
 * after its exit (attach_let_end), for clients ask for the exit code as soon as the stream ends.
 * *@owner becomes NULL when the attach is freed, until attach_let_end(). */
void attach_hold(struct rt_attach *a, struct rt_attach **owner);
void attach_uncork(struct rt_attach *a);
void attach_let_end(struct rt_attach *a);

/*
 * The process object of an exec, for `crun exec --process`: the container's own process section
 * (its bundle's config.json) with what @x asks for over it. User and groups are resolved in the
 * container's rootfs. x->env wins over the container's variables of the same name.
 */
int spec_exec_process(struct runtime *r, const struct rt_exec *x, struct buf *out,
		      struct err *e) MUST_CHECK;
