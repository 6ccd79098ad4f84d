/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.h - whole operations on containers, networks, volumes; events; restart; recovery
 *
 * Called by the API on the loop thread; calls net, storage, image, runtime and state below. What
 * takes time takes a callback, which comes exactly once, later or at once. Operations on one
 * container are queued behind each other (container_lock); others run side by side. Pointers to
 * containers are borrowed until the loop turns: keep ids, not pointers, over a wait.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"
#include "net/net.h"
#include "runtime/runtime.h"

struct engine;
struct container;
struct job_pool;
struct loop;
struct daemon_config;

/* The first thing of all: makes the folders of @config and takes their locks, so that a second
 * engine on them touches nothing. Kept until engine_close() is over. */
struct engine_locks {
	int data_root, exec_root;
};
#define ENGINE_LOCKS_NONE ((struct engine_locks){-EBADF, -EBADF})
int engine_lock(const struct daemon_config *config, struct engine_locks *ret,
		struct err *e) MUST_CHECK;
void engine_unlock(struct engine_locks *l);

/* Opens every part, brings the last life's objects back (engine/recover.c), loads the built-in
 * image. @config is borrowed until engine_close(). */
int engine_open(struct loop *l, const struct daemon_config *config, struct engine **ret,
		struct err *e) MUST_CHECK;
/* Orderly end: containers, resolver and ports live on (live-restore is always on), unless
 * @stop_containers ended them before. */
void engine_close(struct engine *en);

struct net *engine_net(struct engine *en);
struct images *engine_images(struct engine *en);
struct runtime *engine_runtime(struct engine *en);
struct storage *engine_storage(struct engine *en);
struct loop *engine_loop(struct engine *en);
struct job_pool *engine_jobs(struct engine *en);
const struct daemon_config *engine_config(struct engine *en);
/* what the configuration says of registries has changed */
void engine_reload(struct engine *en);
const char *engine_id(struct engine *en); /* a stable id of this data root */

typedef void (*engine_cb)(int result, const struct err *e, void *data);

/* ---- containers (container.c, create.c) ---- */
enum container_status {
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_RESTARTING, /* waiting for its restart policy's delay */
	CONTAINER_REMOVING,
	CONTAINER_EXITED,
	CONTAINER_DEAD,
};
const char *container_status_name(enum container_status s);

struct container_state {
	enum container_status status;
	int pid;
	int exit_code;
	bool oom_killed;
	char *error;
	int64_t started_ns, finished_ns;
	int restart_count;
	bool manual_stop; /* a user stopped it: unless-stopped stays down over an engine restart */
	bool paused;	  /* RUNNING, and frozen */
};

/* POST /containers/create. @name NULL: a random one. @warnings gets Docker's warnings. */
int engine_create_as(struct engine *en, unsigned api /* 143: a client of API 1.43 */,
		     const char *name, json_t *body, struct container **ret, char ***warnings,
		     struct err *e) MUST_CHECK;
/* likewise as a client of the newest API */
int engine_create(struct engine *en, const char *name, json_t *body, struct container **ret,
		  char ***warnings, struct err *e) MUST_CHECK;
/* by id, name (with or without the slash) or unique id prefix: "No such container: x" */
int engine_find(struct engine *en, const char *ref, struct container **ret,
		struct err *e) MUST_CHECK;
struct container *engine_container_next(struct engine *en,
					struct container *prev); /* newest first; NULL starts */

const char *container_id(const struct container *c);
const char *container_name(const struct container *c); /* without the slash */
const char *container_image_id(const struct container *c);
int64_t container_created_ns(const struct container *c);
/* Links of its endpoint on @nw as asked, borrowed; NULL: none */
const json_t *container_endpoint_links(const struct container *c, struct network *nw);
const json_t *container_config(const struct container *c);	/* normalised Config */
const json_t *container_host_config(const struct container *c); /* normalised HostConfig */
const struct container_state *container_state(const struct container *c);
bool container_running(const struct container *c);
bool container_tty(const struct container *c);
json_t *container_mounts(struct container *c); /* new reference: MountPoint objects as in inspect */
void container_command(const struct container *c,
		       struct buf *out); /* path and arguments, as ps shows them */
char *container_argv0(const struct container *c,
		      json_t **ret_args); /* malloc'ed Path; new array Args */
/* where its log is (also of one that has none); the folder, where it is one of its own */
int container_log_path(const struct container *c, char **ret) MUST_CHECK;
int container_log_folder(const struct container *c, const char *path) MUST_CHECK;
const char *container_dir(struct container *c, char *out, size_t room);
/* network mode: "bridge" for default; the peer of container:X (id, or NULL) */
const char *container_network_mode(const struct container *c);

void engine_start(struct container *c, engine_cb cb,
		  void *data); /* running already: ERR_NOT_MODIFIED */
/* @signal 0 and @timeout_s < -1 (ENGINE_STOP_DEFAULT): the container's own; -1 waits for ever */
#define ENGINE_STOP_DEFAULT (-2)
void engine_stop(struct container *c, int signal, int timeout_s, engine_cb cb, void *data);
void engine_restart(struct container *c, int signal, int timeout_s, engine_cb cb, void *data);
int engine_kill(struct container *c, int signal, struct err *e) MUST_CHECK;
void engine_remove(struct container *c, bool force, bool volumes, engine_cb cb, void *data);
int engine_rename(struct container *c, const char *name, struct err *e) MUST_CHECK;
int engine_signal_parse(const char *s, int *ret,
			struct err *e) MUST_CHECK; /* "9", "KILL", "SIGKILL" */

enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };
struct waiter;
/* cb(exit code, error text or NULL) once; @ret is NULL if it came at once, else may be cancelled */
typedef void (*wait_cb)(int exit_code, const char *error, void *data);
int engine_wait(struct container *c, enum wait_condition when, wait_cb cb, void *data,
		struct waiter **ret) MUST_CHECK;
void engine_wait_cancel(struct waiter *w); /* NULL allowed */

/* ---- attach and exec (attach.c, exec.c) ---- */
struct attachment; /* a client's stream on a container, also before it runs, or on an exec */
/* Attaches now or when the container starts; ops as for rt_attach_open (closed: freed after). */
int engine_attach(struct container *c, const struct rt_attach_ops *ops, struct attachment **ret,
		  struct err *e) MUST_CHECK;
ssize_t attachment_write(struct attachment *a, const void *data,
			 size_t len);	   /* 0: wait for writable */
void attachment_eof(struct attachment *a); /* closes stdin only with StdinOnce or for an exec */
void attachment_resume(struct attachment *a);
void attachment_close(struct attachment *a); /* detach */

struct exec;
int engine_exec_create(struct container *c, json_t *body, struct exec **ret,
		       struct err *e) MUST_CHECK;
int engine_exec_find(struct engine *en, const char *id, struct exec **ret,
		     struct err *e) MUST_CHECK;
/* @ops NULL: detached. cb when it runs or failed (err); then the attachment's closed() comes at its
 * end */
int engine_exec_start(struct exec *x, bool detach, bool tty, const struct rt_attach_ops *ops,
		      void (*cb)(int result, struct attachment *a, const struct err *e, void *data),
		      void *data, struct err *e) MUST_CHECK;
struct exec_info {
	const char *id, *container_id;
	bool running, tty, open_stdin, open_stdout, open_stderr, privileged, started;
	int exit_code, pid;
	const char *user, *detach_keys; /* NULL: none given */
	char *const *args;
};
void engine_exec_info(const struct exec *x, struct exec_info *ret);
struct exec *container_exec_next(struct container *c, struct exec *prev);
int engine_resize(struct container *c, struct exec *x /* or NULL */, unsigned rows, unsigned cols,
		  struct err *e) MUST_CHECK;

/* ---- networks of containers (networks.c): net/ plus events and files ---- */
int engine_network_create(struct engine *en, const struct network_spec *spec, struct network **ret,
			  char **ret_warning, struct err *e) MUST_CHECK;
int engine_network_remove(struct engine *en, struct network *nw, struct err *e) MUST_CHECK;
/* @endpoint: EndpointConfig JSON or NULL */
int engine_connect(struct engine *en, struct network *nw, struct container *c, json_t *endpoint,
		   struct err *e) MUST_CHECK;
int engine_disconnect(struct engine *en, struct network *nw, const char *container_ref, bool force,
		      struct err *e) MUST_CHECK;

/* ---- volumes (volumes.c) ---- */
struct volume;
int engine_volume_create(struct engine *en, const char *name /* NULL or "": anonymous */,
			 json_t *labels, json_t *options, struct volume **ret,
			 struct err *e) MUST_CHECK;
/* "" or NULL is local, another is not found */
int engine_volume_driver_check(const char *driver, struct err *e) MUST_CHECK;
int engine_volume_find(struct engine *en, const char *name, struct volume **ret,
		       struct err *e) MUST_CHECK;
int engine_volume_remove(struct engine *en, const char *name, bool force, struct err *e) MUST_CHECK;
struct volume *engine_volume_next(struct engine *en, struct volume *prev);
const char *volume_name(const struct volume *v);
bool volume_anonymous(const struct volume *v);
int64_t volume_created_ns(const struct volume *v);
json_t *volume_labels(const struct volume *v);		    /* borrowed, NULL none */
json_t *volume_options(const struct volume *v);		    /* borrowed, NULL none */
char *volume_mountpoint(const struct volume *v);	    /* malloc'ed */
int volume_refs(struct engine *en, const struct volume *v); /* containers that mount it */

/* ---- images: what engine knows beyond image/ ---- */
int engine_image_remove(struct engine *en, const char *ref, unsigned flags /* image_remove's */,
			json_t *out, struct err *e) MUST_CHECK;

/* ---- events (events.c) ---- */
struct event {
	int64_t ns;
	const char *type, *action; /* "container", "start" */
	const char *actor;	   /* id */
	const json_t *attributes;  /* object of strings */
};
typedef void (*event_fn)(const struct event *ev, void *data);
struct event_sub;
int engine_events_subscribe(struct engine *en, event_fn fn, void *data,
			    struct event_sub **ret) MUST_CHECK;
void engine_events_unsubscribe(struct event_sub *s); /* NULL allowed */
size_t engine_events_subscribers(const struct engine *en);
/* those still remembered (the last 1,000), oldest first */
void engine_events_past(struct engine *en, int64_t since_ns, int64_t until_ns, event_fn fn,
			void *data);
void engine_event(struct engine *en, const char *type, const char *action, const char *actor,
		  json_t *attributes /* taken, may be NULL */);
