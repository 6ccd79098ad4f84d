/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.c - opening and closing: locks, parts in their order, recovery, the first turns
 *
 * Order: the folders' locks (no second engine), the life lock (no child of the last life), then
 * store, jobs, storage, images, runtime, net; then recovery; then the first turns of the loop, in
 * which the built-in image comes and what recovery began ends. Closing is the way back: what is
 * under way gets a moment, containers live on.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/heap.h"
#include "engine/life_internal.h"
#include "engine/locks.h"
#include "engine/logging.h"
#include "engine/programs.h"

#define LIFE_WAIT_MS   30000
#define FIRST_TURNS_MS 10000 /* then the engine is ready all the same */
#define JOB_THREADS    4

struct net *engine_net(struct engine *en)
{
	return en->net;
}

struct images *engine_images(struct engine *en)
{
	return en->images;
}

struct runtime *engine_runtime(struct engine *en)
{
	return en->runtime;
}

struct storage *engine_storage(struct engine *en)
{
	return en->storage;
}

struct loop *engine_loop(struct engine *en)
{
	return en->loop;
}

struct job_pool *engine_jobs(struct engine *en)
{
	return en->jobs;
}

const struct daemon_config *engine_config(struct engine *en)
{
	return en->config;
}

const char *engine_id(struct engine *en)
{
	return en->id;
}

/* ---- folders, locks, identity ---- */

int engine_lock(const struct daemon_config *c, struct engine_locks *ret, struct err *e)
{
	int r = remap_folders(c, e);

	*ret = ENGINE_LOCKS_NONE;
	if (r < 0)
		return r;
	r = fs_mkdir_p(c->data_root, 0710);
	if (r < 0)
		return err_sys(e, -r, "cannot make the data root %s", c->data_root);
	ret->data_root = lock_folder(c->data_root, "data root", e);
	if (ret->data_root < 0)
		return ret->data_root;
	r = fs_mkdir_p(c->exec_root, 0711);
	if (r < 0)
		return err_sys(e, -r, "cannot make the exec root %s", c->exec_root);
	ret->exec_root = lock_folder(c->exec_root, "exec root", e);
	return ret->exec_root < 0 ? ret->exec_root : 0;
}

void engine_unlock(struct engine_locks *l)
{
	l->data_root = fd_close(l->data_root);
	l->exec_root = fd_close(l->exec_root);
}

static int read_id(struct engine *en, struct err *e)
{
	auto_free char *path = str_printf("%s/engine-id", en->config->data_root);
	auto_buf struct buf text = BUF_INIT(256);
	int r;

	if (!path)
		return err_nomem(e);
	if (fs_read(path, 128, &text) >= 0 && text.len == ID_LEN && str_is_hex(buf_str(&text))) {
		memcpy(en->id, buf_str(&text), sizeof(en->id));
		return 0;
	}
	rand_id(en->id);
	r = fs_write_atomic(path, en->id, ID_LEN, 0600);
	return r < 0 ? err_sys(e, -r, "cannot write %s", path) : 0;
}

/* A profile that is not JSON would fail every start, or, taken for none, protect nobody. */
static int read_seccomp(struct engine *en, struct err *e)
{
	const char *path = en->config->seccomp_profile;
	auto_buf struct buf text = BUF_INIT(4u << 20);
	auto_json json_t *j = NULL;
	int r;

	if (!path || streq(path, "builtin"))
		return 0;
	if (streq(path, "unconfined"))
		return str_set(&en->seccomp, path) < 0 ? err_nomem(e) : 0;
	r = fs_read(path, 4u << 20, &text);
	if (r < 0)
		return err_sys(e, -r, "opening seccomp profile (%s) failed", path);
	r = json_read(buf_str(&text), text.len, &j, e);
	if (r < 0) {
		(void)err_wrap(e, "the seccomp profile %s", path);
		return r;
	}
	return str_set(&en->seccomp, buf_str(&text)) < 0 ? err_nomem(e) : 0;
}

/* ---- what the parts tell us ---- */

static void on_exit_of(const char *id, int exit_code, bool oom, int64_t finished_ns, void *data)
{
	struct container *c = map_get(((struct engine *)data)->by_id, id);

	if (c)
		container_exited(c, exit_code, oom, finished_ns);
}

/* "overlap" is told of the network, the rest of the daemon. */
static void on_net_event(const char *what, const char *detail, void *data)
{
	struct engine *en = data;
	struct network *nw;
	json_t *attr = NULL;

	if (streq(what, "overlap") && net_find(en->net, detail, &nw, NULL) >= 0) {
		network_event(en, nw, what, NULL);
		return;
	}
	if (detail)
		attr = json_pack("{s:s}", "detail", detail);
	engine_event(en, "daemon", what, en->id, attr);
}

/* ---- the parts ---- */

static int open_maps(struct engine *en, struct err *e)
{
	list_init(&en->containers);
	list_init(&en->tops);
	list_init(&en->mount_jobs);
	list_init(&en->readers);
	if (map_new(&en->by_id) < 0 || map_new(&en->by_name) < 0 || map_new(&en->volumes) < 0 ||
	    map_new(&en->execs) < 0 || events_open(en) < 0 || heap_open(en->loop, &en->heap) < 0)
		return err_nomem(e);
	return 0;
}

static int open_store(struct engine *en, const struct programs *p, struct err *e)
{
	auto_free char *db = str_printf("%s/atoll.db", en->config->data_root);
	struct images_config ic = {.helper = p->helper,
				   .registry = p->registry,
				   .registries = &en->registries,
				   .builtin = p->builtin,
				   .life_fd = en->life_fd};
	int r = db ? db_open(db, &en->db, e) : err_nomem(e);

	engine_reload(en);
	if (r >= 0 && job_pool_new(en->loop, JOB_THREADS, &en->jobs) < 0)
		r = err_nomem(e);
	if (r >= 0)
		r = storage_open(en->config->data_root, en->jobs, &en->storage, e);
	if (r >= 0)
		r = remap_storage(en, e);
	if (r >= 0)
		r = images_open(en->loop, en->db, en->storage, &ic, &en->images, e);
	return r;
}

static int open_runtime(struct engine *en, const struct programs *p, struct err *e)
{
	struct runtime_config rc = {.exec_root = en->config->exec_root,
				    .shim = p->shim,
				    .cgroup_parent = en->config->cgroup_parent,
				    .life_fd = en->life_fd};
	int r = runtime_open(en->loop, &rc, &en->runtime, e);

	if (r >= 0)
		rt_on_exit(en->runtime, on_exit_of, en);
	return r;
}

static int given_cidr(const char *text, struct cidr *ret)
{
	return text ? cidr_parse(text, ret) : 0;
}

static int given_ip(const char *text, struct ip *ret)
{
	return text ? ip_parse(text, ret) : 0;
}

/* Checked when they were read. */
static int net_addresses(const struct daemon_config *c, struct net_config *nc)
{
	int r = given_cidr(c->bip, &nc->bip[V4]);

	if (r >= 0)
		r = given_cidr(c->bip6, &nc->bip[V6]);
	if (r >= 0)
		r = given_cidr(c->fixed_cidr, &nc->fixed[V4]);
	if (r >= 0)
		r = given_cidr(c->fixed_cidr_v6, &nc->fixed[V6]);
	if (r >= 0)
		r = given_ip(c->default_gateway, &nc->default_gw[V4]);
	if (r >= 0)
		r = given_ip(c->default_gateway_v6, &nc->default_gw[V6]);
	return r < 0 ? r : given_ip(c->ip, &nc->default_bind);
}

/* A /48 of unique local addresses (RFC 4193 3.2): random, and the same in every life. */
static struct cidr own_ula(const char *id)
{
	char text[CIDR_STR];
	struct cidr c = {0};

	(void)snprintf(text, sizeof(text), "fd%.2s:%.4s:%.4s::/48", id, id + 2, id + 6);
	return cidr_parse(text, &c) < 0 ? (struct cidr){0} : c;
}

static int open_net(struct engine *en, const struct programs *p, struct err *e)
{
	const struct daemon_config *c = en->config;
	struct net_config nc = {
		.exec_root = c->exec_root,
		.userns = en->userns,
		.dns_program = p->dns,
		.life_fd = en->life_fd,
		.pools = c->pools,
		.n_pools = c->n_pools,
		.ula = own_ula(en->id),
		.ipv6 = c->ipv6,
		.firewall = c->firewall && streq(c->firewall, "respect") ? FIREWALL_RESPECT
			    : c->firewall && streq(c->firewall, "none")	 ? FIREWALL_NONE
									 : FIREWALL_OPEN,
		.network_opts = c->network_opts,
		.mtu = (int)c->mtu,
		.icc = c->icc,
		.ip_forward = c->ip_forward,
		.ip_masq = c->ip_masq,
		.dns = c->dns,
		.dns_search = c->dns_search,
		.dns_opts = c->dns_opts};
	int r = net_addresses(c, &nc);

	if (r < 0)
		return err_invalid(e, "invalid bip, fixed-cidr, default-gateway or ip");
	r = net_open(en->loop, en->db, en->jobs, &nc, &en->net, e);
	if (r >= 0)
		net_on_event(en->net, on_net_event, en);
	return r;
}

/* ---- the first turns ---- */

static void builtin_done(int result, void *data)
{
	struct engine *en = data;

	en->builtin_done = true;
	if (result < 0)
		log_warn("the built-in image could not be loaded error=%s", strerror(-result));
}

static bool busy(struct engine *en)
{
	struct container *c;

	list_for_each (c, &en->containers, node)
		if (c->starting || c->cleaning || c->locked)
			return true;
	return !list_empty(&en->mount_jobs);
}

/* The first turns of the loop: the first client finds the built-in image, and of the last life's
 * containers each as it will stay (undone, cleaned, removed; restarts come after). */
static int first_turns(struct engine *en, const struct programs *p, struct err *e)
{
	int64_t end = clock_mono_ns() + FIRST_TURNS_MS * NS_PER_MS;
	int r = 0;

	en->builtin_done = !p->builtin;
	if (p->builtin && (r = images_builtin(en->images, builtin_done, en)) < 0)
		builtin_done(r, en);
	for (r = 0; r >= 0 && (!en->builtin_done || busy(en)) && clock_mono_ns() < end;)
		r = loop_run_once(en->loop, 50);
	if (!en->builtin_done || busy(en))
		log_warn("the engine is ready before all of the last life is settled");
	return r < 0 ? err_sys(e, -r, "the event loop failed") : 0;
}

/* ---- open and close ---- */

int engine_open(struct loop *l, const struct daemon_config *config, struct engine **ret,
		struct err *e)
{
	auto_programs struct programs p = {0};
	struct engine *en = calloc(1, sizeof(*en));
	int r;

	if (!en)
		return err_nomem(e);
	*en = (struct engine){.loop = l, .config = config, .life_fd = -EBADF};
	r = open_maps(en, e);
	if (r >= 0)
		r = programs_find(config->lib_dir, &p) < 0 ? err_nomem(e) : 0;
	if (r >= 0) {
		r = logging_check(config->log_driver ? config->log_driver : "json-file",
				  config->log_opts, e);
		r = r < 0 ? err_wrap(e, "failed to set log opts") : 0;
	}
	if (r >= 0)
		r = en->life_fd = lock_life(config->exec_root, LIFE_WAIT_MS, e);
	if (r >= 0)
		r = read_id(en, e);
	if (r >= 0)
		r = read_seccomp(en, e);
	if (r >= 0)
		r = remap_open(en, e);
	if (r >= 0)
		r = open_store(en, &p, e);
	if (r >= 0)
		r = open_runtime(en, &p, e);
	if (r >= 0)
		r = open_net(en, &p, e);
	if (r >= 0)
		r = engine_recover(en, e);
	if (r >= 0)
		r = first_turns(en, &p, e);
	if (r < 0) {
		engine_close(en);
		return r;
	}
	*ret = en;
	return 0;
}

/* What is under way may end: half-made starts would only be undone by the next life. */
static void drain(struct engine *en)
{
	int64_t end = clock_mono_ns() + en->config->shutdown_timeout * NS_PER_S;
	bool told = false;

	while (busy(en) && clock_mono_ns() < end && loop_run_once(en->loop, 50) >= 0) {
		if (!told)
			log_info("waiting for operations that are under way");
		told = true;
	}
	(void)loop_run_once(en->loop, 0); /* deferred frees */
}

static bool any_running(struct engine *en)
{
	struct container *c;

	list_for_each (c, &en->containers, node)
		if (c->st.status == CONTAINER_RUNNING || c->starting)
			return true;
	return false;
}

static void free_objects(struct engine *en)
{
	struct container *c;
	struct volume *v;
	size_t pos = 0;

	attachments_drop(&en->readers);
	list_for_each (c, &en->containers, node) {
		restart_cancel(c);
		attachments_drop(&c->attachments);
		container_free(c);
	}
	while (en->volumes && (v = map_next(en->volumes, &pos, NULL)))
		volume_free(v);
	map_free(en->volumes);
	en->volumes = NULL; /* a mount that a job ends later finds nobody */
	map_free(en->execs);
	map_free(en->by_id);
	map_free(en->by_name);
}

void engine_close(struct engine *en)
{
	bool opened = en && en->net, live;

	if (!en)
		return;
	en->closing = true;
	if (opened)
		drain(en);
	live = !opened || any_running(en);
	if (en->images)
		images_stop(en->images); /* what they tell is about containers, too */
	net_close(en->net, opened && !live);
	if (en->tops.next)
		tops_drop(en);
	if (en->containers.next)
		free_objects(en);
	runtime_close(en->runtime);
	images_close(en->images);
	job_pool_free(en->jobs); /* before what the jobs' ends look at */
	storage_close(en->storage);
	remap_close(en, live);
	db_close(en->db);
	events_close(en);
	heap_close(en->heap);
	(void)fd_close(en->life_fd);
	free(en->seccomp);
	free(en);
}
