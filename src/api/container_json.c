/* SPDX-License-Identifier: GPL-2.0-or-later */
/* container_json.c - GET /containers/{id}/json */

#include <stdlib.h>

#include "api/internal.h"
#include "api/sizes.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/str.h"
#include "engine/life.h"
#include "image/image.h"
#include "storage/storage.h"

static void health_json(struct jsonw *w, const struct container *k)
{
	const struct container_health *h = container_health(k);
	char when[RFC3339_SIZE];

	if (!h)
		return;
	jsonw_object(w, "Health");
	jsonw_str(w, "Status", health_status_name(h->status));
	jsonw_i64(w, "FailingStreak", h->streak);
	jsonw_array(w, "Log");
	for (size_t i = 0; i < h->n_log; i++) {
		jsonw_object(w, NULL);
		jsonw_str(w, "Start", clock_rfc3339(h->log[i].start_ns, when));
		jsonw_str(w, "End", clock_rfc3339(h->log[i].end_ns, when));
		jsonw_i64(w, "ExitCode", h->log[i].exit_code);
		jsonw_str(w, "Output", h->log[i].output);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	jsonw_end_object(w);
}

static void state_json(struct jsonw *w, const struct container *k)
{
	const struct container_state *st = container_state(k);
	bool restarting = st->status == CONTAINER_RESTARTING;
	char when[RFC3339_SIZE];

	jsonw_object(w, "State");
	jsonw_str(w, "Status", container_state_name(st));
	jsonw_bool(w, "Running", st->status == CONTAINER_RUNNING || restarting);
	jsonw_bool(w, "Paused", st->paused);
	jsonw_bool(w, "Restarting", restarting);
	jsonw_bool(w, "OOMKilled", st->oom_killed);
	jsonw_bool(w, "Dead", st->status == CONTAINER_DEAD);
	jsonw_i64(w, "Pid", st->pid);
	jsonw_i64(w, "ExitCode", st->exit_code);
	jsonw_str(w, "Error", st->error);
	jsonw_str(w, "StartedAt", clock_rfc3339_short(st->started_ns, when));
	jsonw_str(w, "FinishedAt", clock_rfc3339_short(st->finished_ns, when));
	health_json(w, k);
	jsonw_end_object(w);
}

/* Docker names the file of this driver only. */
static bool shows_log(const struct container *k)
{
	const json_t *driver = json_get(json_get(container_host_config(k), "LogConfig"), "Type");

	return streq(json_string_value(driver), "json-file");
}

static void paths_json(struct jsonw *w, struct container *k)
{
	char dir[4096];
	auto_free char *log = NULL;

	(void)container_dir(k, dir, sizeof(dir));
	jsonw_strf(w, "ResolvConfPath", "%s/resolv.conf", dir);
	jsonw_strf(w, "HostnamePath", "%s/hostname", dir);
	jsonw_strf(w, "HostsPath", "%s/hosts", dir);
	jsonw_str(w, "LogPath", shows_log(k) && container_log_path(k, &log) >= 0 ? log : "");
}

static void lower_dirs(struct jsonw *w, struct container *k, const struct api_call *c)
{
	auto_buf struct buf b = BUF_INIT(1u << 20);
	struct image *i;

	if (image_find(engine_images(c->en), container_image_id(k), &i, NULL) >= 0)
		for (size_t n = strv_len(image_layers(i)); n > 0; n--) {
			auto_free char *path = NULL;

			if (storage_layer_path(engine_storage(c->en), image_layers(i)[n - 1],
					       &path) >= 0)
				(void)buf_printf(&b, "%s%s", b.len ? ":" : "", path);
		}
	jsonw_str(w, "LowerDir", buf_str(&b));
}

static void driver_json(struct jsonw *w, struct container *k, const struct api_call *c)
{
	char dir[4096];

	(void)container_dir(k, dir, sizeof(dir));
	jsonw_object(w, "GraphDriver");
	jsonw_object(w, "Data");
	lower_dirs(w, k, c);
	jsonw_strf(w, "MergedDir", "%s/merged", dir);
	jsonw_strf(w, "UpperDir", "%s/upper", dir);
	jsonw_strf(w, "WorkDir", "%s/work", dir);
	jsonw_end_object(w);
	jsonw_str(w, "Name", "overlay2");
	jsonw_end_object(w);
}

/* ---- ports ---- */

static void bindings_of(struct jsonw *w, const char *key, const struct net_port *v, size_t n,
			uint16_t port, uint8_t proto)
{
	bool open = false;
	char ip[IP_STR];

	for (size_t i = 0; i < n; i++) {
		if (v[i].port != port || v[i].proto != proto)
			continue;
		if (!open)
			jsonw_array(w, key);
		open = true;
		jsonw_object(w, NULL);
		jsonw_str(w, "HostIp", ip_str(v[i].host_ip, ip));
		jsonw_strf(w, "HostPort", "%u", v[i].host_port);
		jsonw_end_object(w);
	}
	if (open)
		jsonw_end_array(w);
	else
		jsonw_null(w, key);
}

static bool seen_before(const struct net_port *v, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (v[k].port == v[i].port && v[k].proto == v[i].proto)
			return true;
	return false;
}

static void ports_json(struct jsonw *w, const struct container *k, struct sandbox *sb)
{
	json_t *exposed = json_get(container_config(k), "ExposedPorts"), *unused;
	const struct net_port *v = NULL;
	size_t n = sb ? sandbox_ports(sb, &v) : 0;
	const char *name;
	char key[24];

	jsonw_object(w, "Ports");
	for (size_t i = 0; i < n; i++) {
		if (seen_before(v, i))
			continue;
		(void)snprintf(key, sizeof(key), "%u/%s", v[i].port, proto_name(v[i].proto));
		bindings_of(w, key, v, n, v[i].port, v[i].proto);
	}
	json_object_foreach(sb ? exposed : NULL, name, unused)
	{
		uint16_t port;
		uint8_t proto;

		(void)unused;
		if (exposed_only(sb, name, &port, &proto))
			jsonw_null(w, name);
	}
	jsonw_end_object(w);
}

/* ---- networks ---- */

static void top_level(struct jsonw *w, struct endpoint *ep)
{
	bool up = ep && endpoint_attached(ep);
	char mac[MAC_STR];

	jsonw_str(w, "EndpointID", up ? endpoint_id(ep) : "");
	jsonw_str(w, "MacAddress", up ? mac_str(endpoint_mac(ep), mac) : "");
	addresses_json(w, ep);
}

static void network_settings(struct jsonw *w, struct container *k, const struct api_call *c)
{
	struct net *net = engine_net(c->en);
	struct sandbox *sb = net_sandbox_find(net, container_id(k));
	struct endpoint *ep = NULL, *on_default = NULL;

	while ((ep = net_container_endpoint_next(net, container_id(k), ep)))
		if (network_is_default_bridge(endpoint_network(ep)))
			on_default = ep;
	jsonw_object(w, "NetworkSettings");
	jsonw_str(w, "Bridge", "");
	jsonw_str(w, "SandboxID", sb ? container_id(k) : ""); /* one sandbox a container */
	jsonw_str(w, "SandboxKey", sb ? sandbox_netns_path(sb) : "");
	ports_json(w, k, sb);
	jsonw_bool(w, "HairpinMode", false);
	jsonw_str(w, "LinkLocalIPv6Address", "");
	jsonw_i64(w, "LinkLocalIPv6PrefixLen", 0);
	jsonw_null(w, "SecondaryIPAddresses");
	jsonw_null(w, "SecondaryIPv6Addresses");
	top_level(w, on_default);
	jsonw_object(w, "Networks");
	while ((ep = net_container_endpoint_next(net, container_id(k), ep)))
		endpoint_settings_json(w, network_name(endpoint_network(ep)), ep, c);
	jsonw_end_object(w);
	jsonw_end_object(w);
}

static void execs_json(struct jsonw *w, struct container *k)
{
	struct exec_info info;
	struct exec *x = NULL;
	bool any = false;

	while ((x = container_exec_next(k, x))) {
		engine_exec_info(x, &info);
		if (!info.running)
			continue;
		if (!any)
			jsonw_array(w, "ExecIDs");
		any = true;
		jsonw_str(w, NULL, info.id);
	}
	if (any)
		jsonw_end_array(w);
	else
		jsonw_null(w, "ExecIDs");
}

static void head_json(struct jsonw *w, struct container *k)
{
	auto_json json_t *args = NULL;
	auto_free char *path = container_argv0(k, &args);
	char when[RFC3339_SIZE];

	jsonw_str(w, "Id", container_id(k));
	jsonw_str(w, "Created", clock_rfc3339_short(container_created_ns(k), when));
	jsonw_str(w, "Path", path);
	jsonw_json(w, "Args", args);
	state_json(w, k);
	jsonw_str(w, "Image", container_image_id(k));
	paths_json(w, k);
	jsonw_strf(w, "Name", "/%s", container_name(k));
	jsonw_i64(w, "RestartCount", container_state(k)->restart_count);
	jsonw_str(w, "Driver", "overlay2");
	jsonw_str(w, "Platform", "linux");
	jsonw_str(w, "MountLabel", "");
	jsonw_str(w, "ProcessLabel", "");
	jsonw_str(w, "AppArmorProfile", "");
}

/* @size NULL: without sizes */
static void answer(struct api_call *c, struct container *k, const int64_t *size)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_REPLY);
	auto_json json_t *mounts = container_mounts(k);
	struct jsonw w = JSONW_INIT(&out);

	jsonw_object(&w, NULL);
	head_json(&w, k);
	execs_json(&w, k);
	jsonw_json(&w, "HostConfig", container_host_config(k));
	driver_json(&w, k, c);
	if (size)
		sizes_json(&w, k, *size, c);
	jsonw_json(&w, "Mounts", mounts);
	jsonw_json(&w, "Config", container_config(k));
	network_settings(&w, k, c);
	jsonw_end_object(&w);
	api_json(c, 200, &out);
}

static void sized(struct api_call *c, const struct sizes *s)
{
	struct container *k;
	struct err e = {0};

	if (engine_find(c->en, s->ids[0], &k, &e) < 0)
		api_error(c, &e);
	else
		answer(c, k, s->bytes);
}

void containers_inspect(struct api_call *c)
{
	auto_strv char **ids = NULL;
	struct container *k;
	struct err e = {0};
	int r = engine_find(c->en, c->params[0], &k, &e);

	if (r >= 0 && strv_add(&ids, container_id(k)) < 0)
		r = err_nomem(&e);
	if (r < 0)
		api_error(c, &e);
	else if (api_query_bool(c, "size", false))
		sizes_count(c, TAKE_PTR(ids), sized);
	else
		answer(c, k, NULL);
}
