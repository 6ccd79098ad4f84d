/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recover.c - what the last life left: loaded, adopted, finished or undone, swept
 *
 * The children of the last life are gone when this runs (the life lock), so nobody writes behind
 * our back. Each container of the store is one of:
 *
 *   REMOVING            the removal is finished
 *   starting            a start that was not committed: undone
 *   RUNNING, alive      adopted: the runtime watches it again, net/ mends what is missing
 *   RUNNING, gone       its exit is told now, with the shim's exit code (255 where there is none)
 *   at rest             leftovers of the runtime go (it died between exit and clean-up)
 *
 * Whatever does not run then meets its restart policy, or --rm, by the way every exit takes
 * (container_settle). Then goes what nobody knows: bundles, directories, links, names, ports.
 */

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "engine/logging.h"
#include "engine/mounts.h"
#include "runtime/control.h"

#define EXIT_UNKNOWN 255
#define EXIT_WAIT_MS 1000 /* in all, for shims that are just writing an exit code */

struct loading {
	struct engine *en;
	struct err *e;
};

static int load_volume(const struct volume_row *row, void *data)
{
	struct loading *l = data;

	return volume_load(l->en, row, l->e);
}

static int load_container(const struct container_row *row, void *data)
{
	struct loading *l = data;
	struct err e = {0};
	struct container *c;
	int r = container_load(l->en, row, &c, &e);

	if (r == -ENOMEM)
		return err_nomem(l->e);
	if (r < 0) { /* one bad row must not keep all others from coming back */
		log_error("a container of the store is left out container=%s error=%s", row->id,
			  e.msg);
		return 0;
	}
	if (container_link(c) < 0) {
		container_free(c);
		return err_nomem(l->e);
	}
	logging_migrate(c);
	image_hold(l->en->images, c->image_id);
	return 0;
}

/* ---- one container ---- */

static bool has_sandbox(const struct container *c)
{
	const char *mode = container_network_mode(c);

	return !streq(mode, "host") && !str_has_prefix(mode, "container:");
}

/* Does the runtime still hold something of a container that does not run? */
static bool leftovers(struct container *c)
{
	auto_free char *bundle = str_printf("%s/run/%s", c->en->config->exec_root, c->id);

	return !bundle || fs_exists(bundle) || storage_mounted(c->en->storage, c->id);
}

static void alive(struct container *c, int pid)
{
	struct err e = {0};
	bool frozen;
	int r = 0;

	if (has_sandbox(c))
		r = net_recover_sandbox(c->en->net, c->id, c->name, pid, &e);
	if (r < 0)
		log_error("the network of a running container could not be mended container=%s "
			  "error=%s",
			  c->name, e.msg);
	frozen = rt_frozen(c->en->runtime, c->id);
	/* it was to be paused only for a commit; or who asked for it never heard that it is */
	if (frozen && !c->st.paused && rt_thaw(c->en->runtime, c->id) >= 0)
		frozen = false;
	if (c->st.pid != pid || c->st.paused != frozen) {
		c->st.pid = pid;
		c->st.paused = frozen; /* we died between the freezer and the store */
		if (container_save_state(c, &e) < 0)
			log_warn("the state of a container could not be stored container=%s "
				 "error=%s",
				 c->name, e.msg);
	}
	health_watch(c);
	oom_watch(c);
	c->mounts_told = true;
	log_debug("container adopted container=%s pid=%d", c->name, pid);
}

static void undone(int result, const struct err *e, void *data)
{
	(void)data;
	if (result < 0 && e && e->kind != ERR_NOT_FOUND)
		log_warn("a half-started container could not be removed error=%s", e->msg);
}

/* Stored at once: should we die before the runtime's part is gone, leftovers() finds that again. */
static int undo_start(struct container *c, struct err *e)
{
	int r;

	log_info("a half-made start is undone container=%s", c->name);
	net_sandbox_stop(c->en->net, c->id);
	c->starting = false;
	c->boot = true;
	c->st.pid = 0;
	if (c->st.status == CONTAINER_RUNNING || c->st.status == CONTAINER_RESTARTING)
		c->st.status = CONTAINER_EXITED;
	r = container_save_state(c, e);
	if (r < 0)
		return r;
	container_clean(c);
	if (jb(c->host_config, "AutoRemove")) /* as after a start that failed */
		engine_remove(c, true, true, undone, NULL);
	return 0;
}

static int at_rest(struct container *c, struct err *e)
{
	int r = 0;

	if (has_sandbox(c))
		net_sandbox_stop(c->en->net, c->id);
	c->boot = true;
	c->st.pid = 0;
	if (c->st.status == CONTAINER_RESTARTING) {
		c->st.status = CONTAINER_EXITED;
		r = container_save_state(c, e);
	}
	if (r < 0)
		return r;
	if (leftovers(c))
		container_clean(c);
	else
		container_settle(c);
	return 0;
}

/* rt_adopt(), with a moment's patience for an exit code: the process may have ended just now. After
 * a reboot there is no bundle, and nothing to wait for. */
static int adopt(struct container *c, int64_t patience_until, int *pid, int *code, int64_t *when)
{
	const struct timespec pause = {.tv_nsec = 10 * NS_PER_MS};
	auto_free char *bundle = str_printf("%s/run/%s", c->en->config->exec_root, c->id);
	int r;

	for (;;) {
		r = rt_adopt(c->en->runtime, c->id, c->st.pid, pid, code, when);
		if (r != 0 || *code >= 0 || !bundle || !fs_exists(bundle) ||
		    clock_mono_ns() > patience_until)
			return r;
		(void)nanosleep(&pause, NULL);
	}
}

static int was_running(struct container *c, int64_t patience_until, struct err *e)
{
	int pid = 0, code = -1, r;
	int64_t when = 0;

	r = adopt(c, patience_until, &pid, &code, &when);
	if (r < 0) /* not known: nothing is done to a container that may well run */
		return err_sys(e, -r, "cannot tell whether container %s runs", c->name);
	if (r == 1) {
		alive(c, pid);
		return 0;
	}
	log_info("a container ended while no engine ran container=%s code=%d", c->name,
		 r == 0 && code >= 0 ? code : EXIT_UNKNOWN);
	c->boot = true;
	container_exited(c, r == 0 && code >= 0 ? code : EXIT_UNKNOWN, false,
			 when ? when : clock_real_ns());
	return 0;
}

static int finish_removal(struct container *c, struct err *e)
{
	int r;

	log_info("a removal is finished container=%s", c->name);
	c->locked = true; /* as a removal's turn has it: unlocking frees */
	net_sandbox_stop(c->en->net, c->id);
	r = remove_finish(c, e);
	if (r >= 0)
		container_unlock(c);
	return r;
}

static int recover_one(struct container *c, int64_t patience_until, struct err *e)
{
	if (c->st.status == CONTAINER_REMOVING || c->st.status == CONTAINER_DEAD)
		return finish_removal(c, e);
	if (c->starting)
		return undo_start(c, e);
	return c->st.status == CONTAINER_RUNNING ? was_running(c, patience_until, e)
						 : at_rest(c, e);
}

/* ---- what nobody knows ---- */

static bool known(const char *id, void *data)
{
	return map_get(((struct engine *)data)->by_id, id) != NULL;
}

/* A directory without a row is a create that was not committed: made, never mounted. One that was
 * mounted (it has an upper directory) holds somebody's data and is not ours to delete. */
static int sweep_directory(const char *id, void *data)
{
	struct engine *en = data;
	char dir[4096];
	auto_free char *upper = NULL;

	if (known(id, en))
		return 0;
	if (str_has_prefix(id, STORAGE_BUILD_PREFIX)) { /* of a COPY that was not committed */
		storage_container_remove(en->storage, id);
		return 0;
	}
	upper = str_printf("%s/upper", storage_container_dir(en->storage, id, dir, sizeof(dir)));
	if (!upper)
		return -ENOMEM;
	if (fs_exists(upper)) {
		log_warn("the store does not know this container's directory, it is left alone "
			 "path=%s",
			 dir);
		return 0;
	}
	storage_container_remove(en->storage, id);
	return 0;
}

/* Likewise a volume: its directory is made before the row, so one that is empty goes. */
static void sweep_volume(struct engine *en, const char *name)
{
	auto_free char *data = NULL;
	DIR *d;
	int entries = 0;

	if (map_get(en->volumes, name) || storage_volume_path(en->storage, name, &data) < 0)
		return;
	d = opendir(data);
	if (!d && errno != ENOENT)
		return;
	while (d && readdir(d))
		entries++;
	if (d)
		(void)closedir(d);
	if (entries <= 2) /* . and .. */
		storage_volume_remove(en->storage, name);
	else
		log_warn("the store does not know this volume's directory, it is left alone "
			 "path=%s",
			 data);
}

static void sweep_volumes(struct engine *en)
{
	auto_free char *dir = str_printf("%s/volumes", en->config->data_root);
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			sweep_volume(en, de->d_name);
	if (d)
		(void)closedir(d);
}

static void sweep_endpoints(struct engine *en)
{
	struct network *nw = NULL;

	while ((nw = net_next(en->net, nw))) {
		struct endpoint *ep = network_endpoint_next(nw, NULL);

		while (ep) {
			struct endpoint *next = network_endpoint_next(nw, ep);

			if (!known(endpoint_container_id(ep), en) &&
			    net_endpoint_remove(en->net, ep, NULL) < 0)
				log_warn("an endpoint without a container stays network=%s",
					 network_name(nw));
			ep = next;
		}
	}
}

/* A half-made start counts as unknown to the runtime: its shim may be creating the container
 * still, and must be gone before anything is undone. */
static bool known_to_run(const char *id, void *data)
{
	const struct container *c = map_get(((struct engine *)data)->by_id, id);

	return c && !c->starting;
}

static int sweep(struct engine *en, struct err *e)
{
	int r;

	sweep_endpoints(en);
	sweep_volumes(en);
	mounts_recovered(en);
	r = storage_container_each(en->storage, sweep_directory, en);
	if (r < 0)
		return err_sys(e, -r, "cannot sweep the containers' directories");
	return net_recovered(en->net, e);
}

int engine_recover(struct engine *en, struct err *e)
{
	int64_t patience_until = clock_mono_ns() + EXIT_WAIT_MS * NS_PER_MS;
	struct loading l = {.en = en, .e = e};
	struct container *c;
	int r = volume_each(en->db, load_volume, &l, e);

	if (r >= 0)
		r = container_each(en->db, load_container, &l, e);
	if (r < 0)
		return e && e->code ? r : err_sys(e, -r, "cannot read the store's containers");
	r = rt_sweep(en->runtime, known_to_run, en);
	if (r < 0)
		return err_sys(e, -r, "cannot sweep the runtime's leftovers");
	list_for_each (c, &en->containers, node) {
		r = recover_one(c, patience_until, e);
		if (r < 0)
			return r;
	}
	return sweep(en, e);
}
