/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - what the engine's files share: the objects and the small verbs on them */
#pragma once

#include <sys/types.h>

#include "base/list.h"
#include "base/map.h"
#include "engine/config.h"
#include "engine/engine.h"
#include "image/image.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "loop/steps.h"
#include "state/tables.h"
#include "storage/storage.h"

struct engine {
	struct loop *loop;
	const struct daemon_config *config;
	struct db *db;
	struct job_pool *jobs;
	struct storage *storage;
	struct images *images;
	struct registry_config registries; /* as @images sees the configuration */
	struct runtime *runtime;
	struct net *net;
	struct map *by_id, *by_name; /* struct container, both borrowed from @containers */
	struct list containers;	     /* oldest first */
	struct map *volumes;	     /* struct volume by name */
	struct list mount_jobs;	     /* mounted.c */
	struct map *execs;	     /* struct exec by id */
	struct list event_subs;
	struct list readers; /* struct attachment of containers that are gone */
	struct list tops;    /* struct ps: those that run (top.c) */
	struct event_log *events;
	struct heap *heap;
	char id[ID_LEN + 1];
	char *seccomp;	   /* of every container that names no profile; NULL: the built-in one */
	int userns;	   /* remap.c: of all containers; 0: there is none */
	char *userns_path; /* its pin; NULL */
	bool closing;
	int life_fd; /* inherited by children that must not outlive their engine's undoing */
	bool builtin_done;
};

/* An operation waiting for its turn on one container. */
struct turn {
	struct list node;
	void (*run)(struct container *c, void *data);
	void *data;
};

struct container {
	struct engine *en;
	struct list node;
	char id[ID_LEN + 1];
	char *name;
	char *image_id;
	int64_t created_ns;
	json_t *config, *host_config;
	json_t *mounts; /* array of resolved mount points (mounts.c) */
	json_t *wanted; /* object: network name as asked -> EndpointConfig or null, in order */
	struct container_state st;
	bool starting;	   /* claimed in the store: recovery undoes a half-made start */
	bool locked, held; /* an operation has its turn; and made it stand still for a moment */
	struct list turns; /* struct turn */
	bool cleaning;	   /* the runtime's leftovers are being removed after an exit */
	bool early_exit;   /* the process ended while the start was still being committed */
	int early_code;
	bool early_oom;
	int64_t early_ns;
	bool boot; /* found not running by this life's recovery: Docker's rules for a daemon's
		      start hold */
	bool remove_volumes; /* its removal takes anonymous volumes along */
	unsigned root_users; /* archives in work on its mounted root (rootfs.c) */
	bool gone;	     /* removed: only waiting turns and callbacks still see it */
	bool ro_flat;	     /* at create: asked by an API before 1.44, see mounts.c */
	bool mounts_told;    /* its volumes' "mount" events are out and "unmount" is due */
	int failures;	     /* failed starts or short lives in a row, for the restart delay */
	struct source *restart_timer;
	struct health *health;	 /* NULL: no check, or never started */
	struct sampler *sampler; /* NULL: nobody reads its figures */
	struct rt_oom *oom;	 /* while it runs; NULL: this host does not tell */
	struct list waiters;	 /* struct waiter */
	struct list attachments; /* struct attachment */
	struct list execs;	 /* struct exec */
	struct list
		stopped; /* struct stopped_hook: called once the leftovers of an exit are gone */
};

struct waiter {
	struct list node;
	enum wait_condition when;
	wait_cb cb;
	void *data;
};

struct stopped_hook {
	struct list node;
	void (*fn)(void *data);
	void *data;
};

struct volume {
	struct engine *en;
	char *name;
	bool anonymous;
	int64_t created_ns;
	json_t *labels, *options;
	struct list waits; /* struct volume_wait (mounted.c): what comes after the job */
};

/* container.c */
void container_lock(struct container *c, void (*run)(struct container *c, void *data), void *data);
void container_unlock(struct container *c); /* frees @c if it is gone and nobody waits */
int container_save(struct container *c, struct err *e) MUST_CHECK;	 /* the whole row */
int container_save_state(struct container *c, struct err *e) MUST_CHECK; /* the state only */
int container_load(struct engine *en, const struct container_row *r, struct container **ret,
		   struct err *e) MUST_CHECK;
int container_link(struct container *c) MUST_CHECK; /* into the engine's maps */
void container_unlink(struct container *c);
void container_free(struct container *c);
DEFINE_AUTO(struct container, container_free);
struct container *container_alloc(struct engine *en);
void container_notify(struct container *c, enum wait_condition what, const char *error);
void container_event(struct container *c, const char *action, const char *key, const char *value);
/* likewise with several: @more, an object of strings, is taken; NULL: none */
void container_event_more(struct container *c, const char *action, json_t *more);
struct container *container_netns_peer(const struct container *c); /* container:X's X, NULL */

/* spec.c: Config and HostConfig from a create body: types checked, defaults filled */
int spec_normalise(const json_t *body, const json_t *image_config, json_t **ret_config,
		   json_t **ret_host, struct err *e) MUST_CHECK;
int spec_validate(struct engine *en, const json_t *config, const json_t *host,
		  struct err *e) MUST_CHECK;
const char *js(const json_t *obj, const char *key); /* string or "" */
int64_t ji(const json_t *obj, const char *key);	    /* integer or 0 */
bool jb(const json_t *obj, const char *key);	    /* true or false */
json_t *jo(const json_t *obj, const char *key);	    /* object/array or NULL */
char **jstrv(const json_t *obj, const char *key);   /* new strv or NULL */

/* publish.c: PortBindings and -P to net_publish */
int publish_collect(const struct container *c, struct net_publish **ret, size_t *ret_n,
		    struct err *e) MUST_CHECK;
int publish_check(const json_t *config, const json_t *host, struct err *e) MUST_CHECK;

/* mounts.c: Binds, Mounts, Volumes, Tmpfs of a create to resolved mount points */
int mounts_resolve(struct container *c, const json_t *image_config, char ***warnings,
		   struct err *e) MUST_CHECK;
struct rt_mount *mounts_for_spec(struct container *c, size_t *ret_n);
void mounts_free(struct rt_mount *m, size_t n);

/* endpoints.c: the networks of a create or connect body */
int endpoints_create(struct container *c, const json_t *networking, struct err *e) MUST_CHECK;
int endpoints_ensure(struct container *c,
		     struct err *e) MUST_CHECK; /* at start: those wanted and missing */
void endpoints_remove(struct container *c);
int endpoint_spec_parse(struct container *c, const json_t *cfg, struct endpoint_spec *ret,
			struct err *e) MUST_CHECK;
void endpoint_spec_done(struct endpoint_spec *s);

/* files.c */
/* links.c */
int links_check(struct container *c, struct err *e) MUST_CHECK; /* at create */
void links_hosts(struct container *c, struct buf *out);
void links_changed(struct container *to); /* its addresses: those who link to it are told */
int files_write(struct container *c, struct err *e) MUST_CHECK; /* hostname, hosts, resolv.conf */

/* rootfs.c */
int rootfs_mount(struct container *c, struct err *e) MUST_CHECK;
/* unless an archive is in work on it: it goes with the last one then */
int rootfs_unmount(struct container *c);
void rootfs_take(struct container *c);		     /* it is mounted */
void rootfs_give(struct engine *en, const char *id); /* the container may be gone */
/* empty volumes get what the image has at their place, one after the other */
void rootfs_fill_volumes(struct container *c, engine_cb cb, void *data);
/* start.c */
/* the caller holds the lock and keeps it */
void start_locked(struct container *c, engine_cb cb, void *data);
/* exit.c */
void container_exited(struct container *c, int code, bool oom, int64_t when_ns);
void container_on_stopped(struct container *c, struct stopped_hook *h);
void restart_cancel(struct container *c);
bool should_restart(const struct container *c);
void container_clean(struct container *c);  /* after an exit: what the runtime left goes */
void container_settle(struct container *c); /* then: restart policy, --rm */
/* stop.c */
void stop_locked(struct container *c, int signal, int timeout_s, engine_cb cb, void *data);
/* REMOVING is stored; also recovery's way */
int remove_finish(struct container *c, struct err *e) MUST_CHECK;
/* attach.c */
int attachments_open(struct container *c, struct err *e) MUST_CHECK;
/* closed() to all of them, now; what they have not read is lost */
void attachments_drop(struct list *attachments);
/* the container goes: who reads its output still gets the rest, without it */
void attachments_leave(struct container *c);
struct rt_attach_ops attachment_for_exec(struct container *c, const struct rt_attach_ops *ops,
					 struct attachment **ret); /* *ret NULL: out of memory */
void attachment_ready(struct attachment *a, struct rt_attach *rt);
void attachment_discard(struct attachment *a); /* never became ready */
/* spec_oci.c */
int spec_write(struct container *c, struct err *e) MUST_CHECK;
/* exec.c */
void execs_drop(struct container *c);
/* volumes.c */
int volume_load(struct engine *en, const struct volume_row *r, struct err *e) MUST_CHECK;
int volume_save(struct volume *v, enum phase phase, struct err *e) MUST_CHECK;
int volume_refs_without(struct engine *en, const struct volume *v, const struct container *skip);
void volume_free(struct volume *v);
int volume_delete(struct engine *en, struct volume *v, struct err *e) MUST_CHECK;
/* modes.c: IpcMode, PidMode, UTSMode, CgroupnsMode, UsernsMode */
int modes_defaults(struct engine *en, json_t *host, struct err *e) MUST_CHECK;
int modes_check(const json_t *config, const json_t *host, struct err *e) MUST_CHECK;
/* "container:NAME" of any mode is kept by id, so that a rename changes nothing */
int modes_resolve(struct container *c, struct err *e) MUST_CHECK;
/* whose namespace @key ("IpcMode", "PidMode") names, running; *ret NULL: none is joined */
int modes_peer(struct container *c, const char *key, struct container **ret,
	       struct err *e) MUST_CHECK;
/* whose shared /dev/shm is mounted in @c: its own if shareable, a peer's; NULL: neither */
struct container *shm_owner(struct container *c);
/* remap.c: --userns-remap */
bool remap_on(const struct daemon_config *c);
int remap_folders(const struct daemon_config *c, struct err *e) MUST_CHECK; /* above data_root */
int remap_open(struct engine *en, struct err *e) MUST_CHECK; /* forks: before any thread */
int remap_storage(struct engine *en, struct err *e) MUST_CHECK;
void remap_close(struct engine *en, bool containers_live);
bool remapped(const struct container *c); /* it is in the user namespace */
/* @c may share a namespace of @peer: the runtime cannot mount what belongs to the host's root */
int remap_join_check(const struct container *c, const struct container *peer, const char *what,
		     struct err *e) MUST_CHECK;
int remap_check(struct engine *en, const json_t *host, struct err *e) MUST_CHECK;
/* security.c: SecurityOpt */
struct security {
	bool no_new_privileges;
	const char *seccomp; /* borrowed from the list; NULL: the default */
};
int security_parse(struct engine *en, const json_t *host, struct security *ret,
		   struct err *e) MUST_CHECK;
/* names.c */
int name_check(const char *name, struct err *e) MUST_CHECK;
char *name_random(struct engine *en);
/* recover.c */
int engine_recover(struct engine *en, struct err *e) MUST_CHECK;
/* networks.c */
void network_event(struct engine *en, struct network *nw, const char *action,
		   const char *container_id /* or NULL */);
void container_network_events(struct container *c, const char *action); /* for each of its */
int events_open(struct engine *en) MUST_CHECK;				/* events.c */
void events_close(struct engine *en);
