/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime.h - a container's processes: OCI spec, crun under our shim, attach, exec, exits
 *
 * Loop thread. crun (or runc where crun is not installed) and atoll-shim are programs; each
 * container has one shim that outlives us (src/shim/). Paths, below <exec-root>:
 *   run/<id>/            OCI bundle: config.json, the shim's attach socket, pidfile, shim.pid
 *   run/<id>/exec/<eid>/ likewise for an exec
 *   exits/<id>           the shim's exit file: "code nanoseconds"; inotify tells us
 * An exit is believed when the exit file is there; where the shim died without one, 255 after a
 * second. Signals go by pidfd. Sources: OCI runtime-spec 1.0.2, crun(1).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/idmap.h"

struct job_pool;
struct loop;
struct runtime;
struct proc; /* a running container or exec process */

struct runtime_config {
	const char *exec_root;
	const char *crun;	   /* NULL: looked up: crun, then runc */
	const char *shim;	   /* path of atoll-shim */
	const char *cgroup_parent; /* NULL: "/atoll" */
	int life_fd;
};
int runtime_open(struct loop *l, const struct runtime_config *c, struct runtime **ret,
		 struct err *e) MUST_CHECK;
void runtime_close(struct runtime *r);
const char *runtime_name(const struct runtime *r);    /* "crun" */
const char *runtime_version(const struct runtime *r); /* "1.8.1" */
int runtime_cgroup_version(const struct runtime *r);  /* 1 or 2 */

/*
 * Start-up, before loop and threads: where the host's cgroups are hybrid (v1 controllers plus a v2
 * mount below), crun refuses; then a private mount namespace without the v2 mount is made once,
 * pinned at <exec_root>/mntns, entered by this process, and re-entered by its next life. On other
 * hosts nothing happens. @ret_private: whether we are in one.
 */
int runtime_enter_mntns(const char *exec_root, bool *ret_private, struct err *e) MUST_CHECK;

/* ---- the OCI spec ---- */
/* Docker's defaults, NULL-terminated: what a container that is not privileged cannot read, write */
extern const char *const rt_masked_paths[], *const rt_readonly_paths[];

struct rt_mount {
	char *source, *target; /* source NULL for tmpfs */
	char *type;	       /* "bind", "tmpfs" */
	char *options; /* comma separated: "rw,rbind,rprivate", "ro", "size=64m,mode=1777" */
};
struct rt_rlimit {
	char *name; /* "nofile" */
	uint64_t soft, hard;
};
struct rt_spec { /* borrowed by rt_spec_write; the engine fills it from Config and HostConfig */
	const char *id;
	const char *rootfs; /* the merged directory */
	bool readonly_rootfs;
	char *const *args, *const *env;
	const char *cwd;
	const char *user; /* "", "name", "uid", "name:group", ...: resolved in the rootfs (openat2
			     RESOLVE_IN_ROOT) */
	char *const *group_add;
	const char *hostname, *domainname;
	bool tty, privileged, no_new_privileges, init;
	const char *init_path;			/* NULL: the first that is found */
	char *const *cap_add, *const *cap_drop; /* Docker's spelling, ALL allowed */
	const char *seccomp;	/* NULL: data/seccomp.json; "unconfined"; else a profile's JSON text
				   (Docker's format) */
	const char *netns_path; /* NULL: the host's */
	const char *userns_path;   /* NULL: the host's */
	const struct idmaps *maps; /* of that */
	const char *pid_mode, *ipc_mode, *uts_mode,
		*cgroupns_mode; /* "", "host", "private", "container:<pid>" */
	const struct rt_mount *mounts;
	size_t n_mounts;
	json_t *sysctls; /* object of strings or NULL */
	const struct rt_rlimit *rlimits;
	size_t n_rlimits;
	int64_t shm_size;				 /* 0: 64 MiB */
	int64_t memory, memory_swap, memory_reservation; /* bytes, 0 none, swap -1 unlimited */
	int64_t nano_cpus, cpu_shares, cpu_period, cpu_quota,
		pids_limit;		       /* 0 none; pids -1 unlimited */
	const char *cpuset_cpus, *cpuset_mems; /* NULL none */
	int oom_score_adj;
	bool oom_kill_disable;
	const int64_t *memory_swappiness;      /* 0 to 100; NULL: the parent's. v1 only */
	int64_t cpu_rt_period, cpu_rt_runtime; /* microseconds, 0 none. v1 only */
	const json_t *blkio;		       /* a HostConfig, for its Blkio* keys; or NULL */
	char *const *device_rules;	       /* "c 42:* rwm"; NULL none */
	const char *cgroup_parent;	       /* NULL: the daemon's */
	const char *const *masked_paths, *const *readonly_paths; /* NULL: none */
	json_t *devices; /* HostConfig.Devices array or NULL */
};
/* writes run/<id>/config.json; user and cwd are resolved here: "unable to find user x: no matching
 * entries in passwd file" (ERR_INVALID). rlimits and oom_score_adj are clamped to what this host
 * allows, with a warning that shows the clamped value */
int rt_spec_write(struct runtime *r, const struct rt_spec *s, struct err *e) MUST_CHECK;

/* ---- life ---- */
/* a start is likely to come: what it would wait for is begun (warm.c) */
void rt_warm(struct runtime *r, struct job_pool *jobs);
struct rt_log {
	const char *path;  /* NULL: no log */
	bool json;	   /* Docker's json-file format; else our local one (logs.h) */
	int64_t max_size;  /* bytes of one file, 0: no limit */
	int64_t max_files; /* with the one that is written; 0: 1 */
	int64_t buffer;	   /* non-blocking, with so many bytes in between; 0: blocking */
	const char *attrs; /* JSON object written with each line of json, or NULL */
};
struct rt_create {
	const char *id;
	struct rt_log log;
	bool tty, open_stdin, stdin_once;
};
/* the shim + crun create: the process exists, not yet running. cb(pid, NULL) or cb(-errno, e): text
 * from the runtime with Docker's prefix, e.g. failed to create task for container: ... exec: "x":
 * executable file not found in $PATH */
int rt_create(struct runtime *r, const struct rt_create *c,
	      void (*cb)(int pid_or_err, const struct err *e, void *data), void *data,
	      struct err *e) MUST_CHECK;
int rt_start(struct runtime *r, const char *id,
	     void (*cb)(int result, const struct err *e, void *data), void *data,
	     struct err *e) MUST_CHECK;
/* what runs is killed; bundle, sockets, the runtime's state and the cgroups are removed; also of
 * half-made ones. cb may be NULL. The exit of one that still ran is told before it */
int rt_delete(struct runtime *r, const char *id, void (*cb)(int result, void *data),
	      void *data) MUST_CHECK;
int rt_signal(struct runtime *r, const char *id,
	      int signo) MUST_CHECK; /* the main process, by pidfd; -ESRCH not running */
int rt_kill_all(struct runtime *r,
		const char *id) MUST_CHECK; /* SIGKILL to the cgroup (shared pid namespaces) */
/* Exits of containers: once for each that was created or adopted. exit code 0..255; oom: the kernel
 * killed it for memory */
void rt_on_exit(struct runtime *r,
		void (*fn)(const char *id, int exit_code, bool oom, int64_t finished_ns,
			   void *data),
		void *data);

/* Recovery: is @id still there? Return: 1 it runs (pidfd watched from now on, @ret_pid), 2 it was
 * created and not started, 0 it is gone (exit code in *ret_exit if the shim wrote it, else -1),
 * -errno. */
int rt_adopt(struct runtime *r, const char *id, int pid, int *ret_pid, int *ret_exit,
	     int64_t *ret_finished_ns) MUST_CHECK;
/* kill shims and runtimes of ids for which @known says no (a half-made container of a previous
 * life), reap bundles */
int rt_sweep(struct runtime *r, bool (*known)(const char *id, void *data), void *data) MUST_CHECK;

/* ---- attach: bytes to and from a container or exec ---- */
struct rt_attach;
struct rt_attach_ops {
	/* @stream 1 stdout, 2 stderr (a terminal: 1). Return non-zero to pause until
	 * rt_attach_resume() */
	int (*output)(int stream, const char *data, size_t len, void *data_);
	void (*closed)(
		void *data_); /* the process's output ended; the attach is freed after this */
	void (*writable)(void *data_); /* stdin takes more */
	void *data;
	unsigned what; /* RT_ATTACH_*; 0: output and input */
};
#define RT_ATTACH_NO_OUTPUT 1
#define RT_ATTACH_NO_INPUT  2 /* its end is not the end of the process's input */
#define RT_ATTACH_LOG	    4 /* while it is there, unfinished lines go to the log at once */
/* Of a container that is created or runs, any number. Those that come before rt_start() miss
 * nothing. */
int rt_attach_open(struct runtime *r, const char *id, const struct rt_attach_ops *ops,
		   struct rt_attach **ret, struct err *e) MUST_CHECK;
ssize_t rt_attach_write(struct rt_attach *a, const void *data,
			size_t len);	 /* bytes taken, 0: wait for writable */
void rt_attach_eof(struct rt_attach *a); /* half-close of stdin */
void rt_attach_resume(struct rt_attach *a);
void rt_attach_close(struct rt_attach *a); /* detach; closed() is not called */
int rt_resize(struct runtime *r, const char *id, const char *exec_id, unsigned rows,
	      unsigned cols) MUST_CHECK;

/* ---- exec ---- */
struct rt_exec {
	const char *id, *exec_id;
	char *const *args, *const *env;
	const char *user, *cwd; /* NULL: the container's */
	bool tty, open_stdin, privileged;
};
/* cb(pid) when it runs, with its attachment, which misses no byte; or cb(-errno, e) with 126/127 in
 * *e->code where the program is not there; then exit comes by @on_exit once */
int rt_exec_start(struct runtime *r, const struct rt_exec *x,
		  const struct rt_attach_ops *attach /* NULL: detached */,
		  void (*cb)(int pid_or_err, struct rt_attach *a, const struct err *e, void *data),
		  void (*on_exit)(int exit_code, void *data), void *data, struct err *e) MUST_CHECK;
