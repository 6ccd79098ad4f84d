/* SPDX-License-Identifier: GPL-2.0-or-later */
/* system.c - ping, version, info, disk use, and what is not there: swarm, plugins, routes to come
 */

#include <dirent.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "api/internal.h"
#include "api/sizes.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "engine/config.h"
#include "image/manifest.h"
#include "runtime/control.h"

/* ---- ping ---- */

void system_ping(struct api_call *c)
{
	if (!c->r) {
		api_drop(c);
		return;
	}
	/* 1 is the classic builder: no client shall ask us for a BuildKit session */
	http_header_add(c->r, "Builder-Version", "1");
	http_header_add(c->r, "Swarm", "inactive");
	http_header_add(c->r, "Cache-Control", "no-cache, no-store, must-revalidate");
	http_header_add(c->r, "Pragma", "no-cache");
	api_text(c, 200, "text/plain; charset=utf-8", "OK");
}

/* ---- version ---- */

static void component(struct jsonw *w, const char *name, const char *version)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "Name", name);
	jsonw_str(w, "Version", version);
	jsonw_object(w, "Details");
	jsonw_str(w, "GitCommit", "");
	jsonw_end_object(w);
	jsonw_end_object(w);
}

#define VERSION_TEXT(v) "%u.%u", (v) / 100, (v) % 100

/* BuildTime, GitCommit and GoVersion are keys that clients print: a reproducible build of a program
 * in C has nothing to put there. */
static void engine_component(struct jsonw *w, const struct utsname *un)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "Name", "Engine");
	jsonw_str(w, "Version", ATOLL_VERSION);
	jsonw_object(w, "Details");
	jsonw_strf(w, "ApiVersion", VERSION_TEXT(API_VERSION_MAX));
	jsonw_str(w, "Arch", machine_name());
	jsonw_str(w, "BuildTime", "");
	jsonw_str(w, "Experimental", "false");
	jsonw_str(w, "GitCommit", "");
	jsonw_str(w, "GoVersion", "");
	jsonw_str(w, "KernelVersion", un->release);
	jsonw_strf(w, "MinAPIVersion", VERSION_TEXT(API_VERSION_MIN));
	jsonw_str(w, "Os", "linux");
	jsonw_end_object(w);
	jsonw_end_object(w);
}

void system_version(struct api_call *c)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	struct runtime *rt = engine_runtime(c->en);
	struct utsname un = {0};

	(void)uname(&un); /* fails for a bad pointer only */
	jsonw_object(&w, NULL);
	jsonw_object(&w, "Platform");
	jsonw_str(&w, "Name", "Atoll");
	jsonw_end_object(&w);
	jsonw_array(&w, "Components");
	engine_component(&w, &un);
	component(&w, runtime_name(rt), runtime_version(rt));
	jsonw_end_array(&w);
	jsonw_str(&w, "Version", ATOLL_VERSION);
	jsonw_strf(&w, "ApiVersion", VERSION_TEXT(API_VERSION_MAX));
	jsonw_strf(&w, "MinAPIVersion", VERSION_TEXT(API_VERSION_MIN));
	jsonw_str(&w, "GitCommit", "");
	jsonw_str(&w, "GoVersion", "");
	jsonw_str(&w, "Os", "linux");
	jsonw_str(&w, "Arch", machine_name());
	jsonw_str(&w, "KernelVersion", un.release);
	jsonw_str(&w, "BuildTime", "");
	jsonw_end_object(&w);
	api_json(c, 200, &b);
}

/* ---- info ---- */

static void info_counts(struct jsonw *w, struct engine *en)
{
	int64_t all = 0, running = 0, paused = 0;

	for (struct container *k = NULL; (k = engine_container_next(en, k));) {
		all++;
		paused += container_state(k)->paused;
		running += container_running(k) && !container_state(k)->paused;
	}
	jsonw_str(w, "ID", engine_id(en));
	jsonw_i64(w, "Containers", all);
	jsonw_i64(w, "ContainersRunning", running);
	jsonw_i64(w, "ContainersPaused", paused);
	jsonw_i64(w, "ContainersStopped", all - running - paused);
	jsonw_u64(w, "Images", images_count(engine_images(en)));
}

static void strings(struct jsonw *w, const char *key, const char *const *list)
{
	jsonw_array(w, key);
	for (; *list; list++)
		jsonw_str(w, NULL, *list);
	jsonw_end_array(w);
}

static void status_pair(struct jsonw *w, const char *key, const char *value)
{
	jsonw_array(w, NULL);
	jsonw_str(w, NULL, key);
	jsonw_str(w, NULL, value);
	jsonw_end_array(w);
}

/* Docker's names. Source: linux/magic.h */
static const char *file_system_of(const char *path)
{
	static const struct {
		long magic;
		const char *name;
	} rows[] = {{0xef53, "extfs"},	   {0x58465342, "xfs"},	      {0x9123683e, "btrfs"},
		    {0x01021994, "tmpfs"}, {0x2fc12fc1, "zfs"},	      {0xf2f52010, "f2fs"},
		    {0x6969, "nfs"},	   {0x794c7630, "overlayfs"}, {0xca451a4e, "bcachefs"}};
	struct statfs st;

	for (size_t i = 0; i < ARRAY_SIZE(rows) && statfs(path, &st) == 0; i++)
		if ((long)st.f_type == rows[i].magic)
			return rows[i].name;
	return "<unknown>";
}

static void driver_status(struct jsonw *w, struct engine *en)
{
	jsonw_array(w, "DriverStatus");
	status_pair(w, "Backing Filesystem", file_system_of(engine_config(en)->data_root));
	status_pair(w, "Supports d_type", "true");
	status_pair(w, "Using metacopy", "false");
	status_pair(w, "Native Overlay Diff", "true");
	status_pair(w, "userxattr", "false");
	jsonw_end_array(w);
}

static void info_parts(struct jsonw *w, struct engine *en)
{
	static const char *const volumes[] = {"local", NULL};
	static const char *const networks[] = {"bridge", "host", "ipvlan", "macvlan", "null", NULL};
	static const char *const logs[] = {"json-file", "local", "none", NULL};

	jsonw_str(w, "Driver", "overlay2");
	driver_status(w, en);
	jsonw_object(w, "Plugins");
	strings(w, "Volume", volumes);
	strings(w, "Network", networks);
	jsonw_null(w, "Authorization");
	strings(w, "Log", logs);
	jsonw_end_object(w);
}

static int64_t descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int64_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n > 3 ? n - 3 : 0; /* less ".", ".." and the one that looks */
}

static void info_abilities(struct jsonw *w, const struct api_call *c)
{
	struct engine *en = c->en;
	const struct daemon_config *config = engine_config(en);
	const struct rt_abilities *a = rt_abilities();
	auto_buf struct buf forward = BUF_INIT(16);
	char now[RFC3339_SIZE];

	(void)fs_read("/proc/sys/net/ipv4/ip_forward", 16, &forward); /* unreadable: off */
	jsonw_bool(w, "MemoryLimit", a->memory);
	jsonw_bool(w, "SwapLimit", a->swap);
	jsonw_bool(w, "CpuCfsPeriod", a->cpu_cfs);
	jsonw_bool(w, "CpuCfsQuota", a->cpu_cfs);
	jsonw_bool(w, "CPUShares", a->cpu_shares);
	jsonw_bool(w, "CPUSet", a->cpuset);
	jsonw_bool(w, "PidsLimit", a->pids);
	jsonw_bool(w, "OomKillDisable", a->oom_kill_disable);
	jsonw_bool(w, "IPv4Forwarding", buf_str(&forward)[0] == '1');
	if (c->version < 150) {
		/* what the fields promise, rules between containers of one bridge, holds here
		 * without br_netfilter */
		jsonw_bool(w, "BridgeNfIptables", true);
		jsonw_bool(w, "BridgeNfIp6tables", true);
	}
	jsonw_bool(w, "Debug", config->debug);
	jsonw_i64(w, "NFd", descriptors());
	jsonw_i64(w, "NGoroutines", 0);
	jsonw_str(w, "SystemTime", clock_rfc3339_short(clock_real_ns(), now));
	jsonw_str(w, "LoggingDriver", config->log_driver ? config->log_driver : "json-file");
	jsonw_str(w, "CgroupDriver", "cgroupfs");
	jsonw_str(w, "CgroupVersion", a->v2 ? "2" : "1");
	jsonw_i64(w, "NEventsListener", (int64_t)engine_events_subscribers(en));
}

/* What containers cannot be limited in, in Docker's words. */
static void info_warnings(struct jsonw *w)
{
	const struct rt_abilities *a = rt_abilities();
	auto_buf struct buf forward = BUF_INIT(16);
	const struct {
		bool can;
		const char *text;
	} rows[] = {
		{a->memory, "WARNING: No memory limit support"},
		{a->swap, "WARNING: No swap limit support"},
		{a->oom_kill_disable || a->v2, "WARNING: No oom kill disable support"},
		{a->cpu_cfs, "WARNING: No cpu cfs quota support"},
		{a->cpu_cfs, "WARNING: No cpu cfs period support"},
		{a->cpu_shares, "WARNING: No cpu shares support"},
		{a->cpuset, "WARNING: No cpuset support"},
		{a->pids, "WARNING: No pids limit support"},
		/* on v1 no kernel of today has weights: nothing that a user could do about */
		{a->blkio_weight || !a->v2, "WARNING: No io.weight support"},
		{a->blkio_weight_device || !a->v2, "WARNING: No io.weight (per device) support"},
		{a->blkio_read_bps, a->v2 ? "WARNING: No io.max (rbps) support"
					  : "WARNING: No blkio throttle.read_bps_device support"},
		{a->blkio_write_bps, a->v2 ? "WARNING: No io.max (wbps) support"
					   : "WARNING: No blkio throttle.write_bps_device support"},
		{a->blkio_read_iops, a->v2 ? "WARNING: No io.max (riops) support"
					   : "WARNING: No blkio throttle.read_iops_device support"},
		{a->blkio_write_iops,
		 a->v2 ? "WARNING: No io.max (wiops) support"
		       : "WARNING: No blkio throttle.write_iops_device support"},
		{fs_read("/proc/sys/net/ipv4/ip_forward", 16, &forward) < 0 ||
			 buf_str(&forward)[0] == '1',
		 "WARNING: IPv4 forwarding is disabled"},
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].can)
			continue;
		if (!any)
			jsonw_array(w, "Warnings");
		any = true;
		jsonw_str(w, NULL, rows[i].text);
	}
	if (any)
		jsonw_end_array(w);
	else
		jsonw_null(w, "Warnings");
}

/* PRETTY_NAME or VERSION_ID of os-release(5), without its quotes */
static void os_release(struct jsonw *w, const char *json_key, const char *key, const char *text)
{
	size_t len = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		const char *v = p + len + 1;
		size_t n;

		if (strncmp(p, key, len) != 0 || p[len] != '=')
			continue;
		v += *v == '"';
		n = strcspn(v, "\"\n");
		jsonw_strf(w, json_key, "%.*s", (int)MIN(n, (size_t)200), v);
		return;
	}
	jsonw_str(w, json_key, "");
}

static void info_host(struct jsonw *w)
{
	auto_buf struct buf os = BUF_INIT(65536);
	struct utsname un = {0};
	struct sysinfo si = {0};

	if (fs_read("/etc/os-release", 65536, &os) < 0)
		(void)fs_read("/usr/lib/os-release", 65536, &os); /* neither: blank */
	(void)uname(&un);
	(void)sysinfo(&si);
	jsonw_str(w, "KernelVersion", un.release);
	os_release(w, "OperatingSystem", "PRETTY_NAME", buf_str(&os));
	os_release(w, "OSVersion", "VERSION_ID", buf_str(&os));
	jsonw_str(w, "OSType", "linux");
	jsonw_str(w, "Architecture", un.machine);
	jsonw_i64(w, "NCPU", get_nprocs());
	jsonw_u64(w, "MemTotal", (uint64_t)si.totalram * si.mem_unit);
	jsonw_str(w, "Name", un.nodename);
}

/* mirrors with a slash at the end, as Docker shows them */
static void mirrors(struct jsonw *w, char *const *list)
{
	jsonw_array(w, "Mirrors");
	for (; list && *list; list++)
		jsonw_strf(w, NULL, "%s%s", *list, str_has_suffix(*list, "/") ? "" : "/");
	jsonw_end_array(w);
}

static void index_config(struct jsonw *w, const char *name, char *const *list, bool official,
			 bool secure)
{
	jsonw_object(w, name);
	jsonw_str(w, "Name", name);
	mirrors(w, list);
	jsonw_bool(w, "Secure", secure);
	jsonw_bool(w, "Official", official);
	jsonw_end_object(w);
}

static void info_registries(struct jsonw *w, const struct daemon_config *config, unsigned version)
{
	struct cidr c;

	jsonw_str(w, "IndexServerAddress", "https://index.docker.io/v1/");
	jsonw_object(w, "RegistryConfig");
	if (version < 148) { /* gone with foreign layers */
		jsonw_null(w, "AllowNondistributableArtifactsCIDRs");
		jsonw_null(w, "AllowNondistributableArtifactsHostnames");
	}
	jsonw_array(w, "InsecureRegistryCIDRs");
	for (char *const *p = config->insecure_registries; p && *p; p++)
		if (cidr_parse(*p, &c) >= 0)
			jsonw_str(w, NULL, *p);
	jsonw_str(w, NULL, "::1/128");
	jsonw_str(w, NULL, "127.0.0.0/8");
	jsonw_end_array(w);
	jsonw_object(w, "IndexConfigs");
	index_config(w, "docker.io", config->registry_mirrors, true, true);
	for (char *const *p = config->insecure_registries; p && *p; p++)
		if (cidr_parse(*p, &c) < 0)
			index_config(w, *p, NULL, false, false);
	jsonw_end_object(w);
	mirrors(w, config->registry_mirrors);
	jsonw_end_object(w);
}

/* without the password that may be in it, as Docker does */
static void proxy(struct jsonw *w, const char *key, const char *url)
{
	const char *p = url ? strstr(url, "://") : NULL, *at = p ? strrchr(p + 3, '@') : NULL;

	if (at)
		jsonw_strf(w, key, "%.*sxxxxx:xxxxx%s", (int)(p + 3 - url), url, at);
	else
		jsonw_str(w, key, url);
}

static void info_pools(struct jsonw *w, const struct daemon_config *config)
{
	char text[CIDR_STR];

	if (!config->n_pools)
		return;
	jsonw_array(w, "DefaultAddressPools");
	for (size_t i = 0; i < config->n_pools; i++) {
		jsonw_object(w, NULL);
		jsonw_str(w, "Base", cidr_str(config->pools[i].base, text));
		jsonw_i64(w, "Size", config->pools[i].size);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static void security_options(struct jsonw *w, struct engine *en)
{
	const struct daemon_config *config = engine_config(en);
	const char *profile = config->seccomp_profile;

	jsonw_array(w, "SecurityOptions");
	jsonw_strf(w, NULL, "name=seccomp,profile=%s", profile ? profile : "builtin");
	if (runtime_cgroup_version(engine_runtime(en)) == 2)
		jsonw_str(w, NULL, "name=cgroupns");
	if (config->remap.uid.n)
		jsonw_str(w, NULL, "name=userns");
	if (config->no_new_privileges)
		jsonw_str(w, NULL, "name=no-new-privileges");
	jsonw_end_array(w);
}

static void info_software(struct jsonw *w, struct engine *en, unsigned version)
{
	struct runtime *rt = engine_runtime(en);
	const char *name = runtime_name(rt), *init = engine_config(en)->init_path;

	jsonw_str(w, "ServerVersion", ATOLL_VERSION);
	jsonw_object(w, "Runtimes");
	jsonw_object(w, name);
	jsonw_str(w, "path", name);
	jsonw_end_object(w);
	jsonw_end_object(w);
	jsonw_str(w, "DefaultRuntime", name);
	jsonw_raw(w, "Swarm",
		  "{\"NodeID\":\"\",\"NodeAddr\":\"\",\"LocalNodeState\":\"inactive\","
		  "\"ControlAvailable\":false,\"Error\":\"\",\"RemoteManagers\":null}");
	jsonw_bool(w, "LiveRestoreEnabled", true);
	jsonw_str(w, "Isolation", "");
	jsonw_str(w, "InitBinary", init ? init : "tini");
	jsonw_raw(w, "ContainerdCommit", "{\"ID\":\"\",\"Expected\":\"\"}");
	jsonw_object(w, "RuncCommit");
	jsonw_str(w, "ID", runtime_version(rt));
	jsonw_str(w, "Expected", runtime_version(rt));
	jsonw_end_object(w);
	jsonw_raw(w, "InitCommit", "{\"ID\":\"\",\"Expected\":\"\"}");
	security_options(w, en);
	if (version >= 149)
		jsonw_raw(w, "FirewallBackend", "{\"Driver\":\"nftables\"}");
}

void system_info(struct api_call *c)
{
	const struct daemon_config *config = engine_config(c->en);
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	info_counts(&w, c->en);
	info_parts(&w, c->en);
	info_abilities(&w, c);
	info_host(&w);
	info_registries(&w, config, c->version);
	jsonw_null(&w, "GenericResources");
	jsonw_str(&w, "DockerRootDir", config->data_root);
	proxy(&w, "HttpProxy", config->http_proxy);
	proxy(&w, "HttpsProxy", config->https_proxy);
	jsonw_str(&w, "NoProxy", config->no_proxy);
	jsonw_strv(&w, "Labels", config->labels);
	jsonw_bool(&w, "ExperimentalBuild", false);
	info_software(&w, c->en, c->version);
	info_pools(&w, config);
	jsonw_str(&w, "ProductLicense", "");
	info_warnings(&w);
	if (c->version >= 144)
		jsonw_null(&w, "CDISpecDirs");
	jsonw_end_object(&w);
	api_json(c, 200, &b);
}

/* ---- disk use ---- */

/* What "type" asks for. Bits. */
enum { DF_CONTAINERS = 1, DF_IMAGES = 2, DF_VOLUMES = 4, DF_CACHE = 8, DF_ALL = 15 };

static int df_types(struct api_call *c, unsigned *ret, struct err *e)
{
	static const struct {
		const char *name;
		unsigned bit;
	} rows[] = {{"container", DF_CONTAINERS},
		    {"image", DF_IMAGES},
		    {"volume", DF_VOLUMES},
		    {"build-cache", DF_CACHE}};
	const char *type;
	size_t pos = 0;

	*ret = 0;
	while (c->version >= 142 && (type = http_query_next(c->r, "type", &pos))) {
		size_t i = 0;

		while (i < ARRAY_SIZE(rows) && !streq(rows[i].name, type))
			i++;
		if (i == ARRAY_SIZE(rows))
			return err_invalid(e, "unknown object type: %.100s", type);
		*ret |= rows[i].bit;
	}
	if (!*ret)
		*ret = DF_ALL;
	return 0;
}

static int df_wanted(struct api_call *c, unsigned types, char ***ids, char ***dirs)
{
	char dir[4096];
	int r = 0;

	for (struct container *k = NULL;
	     (types & DF_CONTAINERS) && r >= 0 && (k = engine_container_next(c->en, k));) {
		r = strv_add(ids, container_id(k));
		if (r >= 0)
			r = strv_addf(dirs, "%s/upper", container_dir(k, dir, sizeof(dir)));
	}
	for (struct volume *v = NULL;
	     (types & DF_VOLUMES) && r >= 0 && (v = engine_volume_next(c->en, v));) {
		auto_free char *path = volume_mountpoint(v);

		if (json_object_size(volume_options(v)))
			continue; /* no data of this host's, as Docker sees it */
		r = path ? strv_addf(ids, "volume:%s", volume_name(v)) : -ENOMEM;
		if (r >= 0)
			r = strv_add(dirs, path);
	}
	return r < 0 || !(types & DF_IMAGES) ? r : sizes_layers_wanted(c, NULL, ids, dirs);
}

/* Both were there when the counting began; one that has gone meanwhile is left out. */
static void df_counted_objects(struct jsonw *w, struct api_call *c, const struct sizes *s,
			       bool volumes)
{
	for (size_t i = 0; s->ids && s->ids[i]; i++) {
		struct container *k;
		struct volume *v;

		if (volumes && str_has_prefix(s->ids[i], "volume:") &&
		    engine_volume_find(c->en, s->ids[i] + strlen("volume:"), &v, NULL) >= 0)
			volume_json(w, v, c->en, &s->bytes[i]);
		else if (!volumes && !strchr(s->ids[i], ':') &&
			 engine_find(c->en, s->ids[i], &k, NULL) >= 0)
			container_summary_json(w, k, c, &s->bytes[i]);
	}
}

/* What was not asked for is null, as in Docker. */
static void df_list(struct jsonw *w, struct api_call *c, const struct sizes *s, const char *key,
		    bool asked)
{
	if (!asked) {
		jsonw_null(w, key);
		return;
	}
	jsonw_array(w, key);
	df_counted_objects(w, c, s, streq(key, "Volumes"));
	jsonw_end_array(w);
}

static void df_counted(struct api_call *c, const struct sizes *s)
{
	struct buf b = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&b);
	unsigned types = DF_ALL;

	(void)df_types(c, &types, NULL); /* it was right before the counting */
	sizes_layers_known(c, s);
	jsonw_object(&w, NULL);
	jsonw_i64(&w, "LayersSize", types & DF_IMAGES ? sizes_layers_sum(c) : 0);
	if (types & DF_IMAGES)
		images_df(&w, c);
	else
		jsonw_null(&w, "Images");
	df_list(&w, c, s, "Containers", types & DF_CONTAINERS);
	df_list(&w, c, s, "Volumes", types & DF_VOLUMES);
	if (types & DF_CACHE)
		jsonw_raw(&w, "BuildCache", "[]");
	else
		jsonw_null(&w, "BuildCache");
	if (c->version < 142)
		jsonw_i64(&w, "BuilderSize", 0);
	jsonw_end_object(&w);
	api_json(c, 200, &b);
}

void system_df(struct api_call *c)
{
	char **ids = NULL, **dirs = NULL;
	struct err e = {0};
	unsigned types;

	if (df_types(c, &types, &e) < 0) {
		api_error(c, &e);
		return;
	}
	if (df_wanted(c, types, &ids, &dirs) < 0) {
		strv_free(ids);
		strv_free(dirs);
		(void)err_nomem(&e);
		api_error(c, &e);
		return;
	}
	sizes_count_dirs(c, ids, dirs, df_counted);
}

void system_build_prune(struct api_call *c)
{
	struct buf b = BUF_INIT(256);

	(void)buf_puts(&b, "{\"CachesDeleted\":null,\"SpaceReclaimed\":0}");
	api_json(c, 200, &b);
}

/* ---- what is off or not there yet ---- */

void system_plugins(struct api_call *c)
{
	struct buf b = BUF_INIT(16);

	(void)buf_puts(&b, "[]");
	api_json(c, 200, &b);
}

void system_swarm_off(struct api_call *c)
{
	struct err e = {0};

	(void)err_set(&e, ERR_UNAVAILABLE, EAGAIN,
		      "This node is not a swarm manager. Use \"docker swarm init\" or \"docker "
		      "swarm join\" to connect this node to swarm and try again.");
	api_error(c, &e);
}

void system_not_yet(struct api_call *c)
{
	struct err e = {0};

	(void)err_set(&e, ERR_UNSUPPORTED, ENOTSUP, "%s %.200s is not implemented by this engine",
		      c->r ? http_method(c->r) : "", c->r ? http_path(c->r) : "");
	api_error(c, &e);
}
