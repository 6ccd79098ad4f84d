/* SPDX-License-Identifier: GPL-2.0-or-later */
/* container_list.c - GET /containers/json: the list and its filters */

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/sizes.h"
#include "api/status.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/image.h"

/* ---- ports ---- */

static void port_json(struct jsonw *w, const char *ip, uint16_t port, uint16_t host, uint8_t proto)
{
	jsonw_object(w, NULL);
	if (ip)
		jsonw_str(w, "IP", ip);
	jsonw_i64(w, "PrivatePort", port);
	if (host)
		jsonw_i64(w, "PublicPort", host);
	jsonw_str(w, "Type", proto_name(proto));
	jsonw_end_object(w);
}

bool exposed_only(struct sandbox *sb, const char *key, uint16_t *ret_port, uint8_t *ret_proto)
{
	const struct net_port *v;
	size_t n = sandbox_ports(sb, &v);
	uint16_t end;

	if (port_parse(key, ret_proto, ret_port, &end, NULL) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (v[i].port == *ret_port && v[i].proto == *ret_proto)
			return false;
	return true;
}

static void ports_json(struct jsonw *w, const struct container *k, struct sandbox *sb)
{
	json_t *exposed = json_get(container_config(k), "ExposedPorts"), *unused;
	const struct net_port *v = NULL;
	size_t n = sb ? sandbox_ports(sb, &v) : 0;
	const char *name;
	char ip[IP_STR];

	jsonw_array(w, "Ports");
	for (size_t i = 0; i < n; i++)
		port_json(w, ip_str(v[i].host_ip, ip), v[i].port, v[i].host_port, v[i].proto);
	json_object_foreach(sb ? exposed : NULL, name, unused)
	{
		uint16_t port;
		uint8_t proto;

		(void)unused;
		if (exposed_only(sb, name, &port, &proto))
			port_json(w, NULL, port, 0, proto);
	}
	jsonw_end_array(w);
}

/* ---- one row ---- */

static void networks_json(struct jsonw *w, struct container *k, const struct api_call *c)
{
	struct net *net = engine_net(c->en);
	struct endpoint *ep = NULL;

	jsonw_object(w, "NetworkSettings");
	jsonw_object(w, "Networks");
	while ((ep = net_container_endpoint_next(net, container_id(k), ep)))
		endpoint_summary_json(w, network_name(endpoint_network(ep)), ep, c);
	jsonw_end_object(w);
	jsonw_end_object(w);
}

/* The name it was created with, or the id where that name means another image now. */
static void image_name(struct jsonw *w, const struct container *k, const struct api_call *c)
{
	const char *name = json_string_value(json_get(container_config(k), "Image"));
	struct image *i;

	if (str_empty(name) || image_find(engine_images(c->en), name, &i, NULL) < 0 ||
	    !streq(image_id(i), container_image_id(k)))
		jsonw_str(w, "Image", container_image_id(k));
	else
		jsonw_str(w, "Image", name);
	jsonw_str(w, "ImageID", container_image_id(k));
}

static void host_config_json(struct jsonw *w, const struct container *k, const struct api_call *c)
{
	const json_t *annotations = json_get(container_host_config(k), "Annotations");

	jsonw_object(w, "HostConfig");
	jsonw_str(w, "NetworkMode", container_network_mode(k));
	if (c->version >= 146 && json_object_size(annotations))
		jsonw_json(w, "Annotations", annotations);
	jsonw_end_object(w);
}

static enum health_status health_of(const struct container *k)
{
	const struct container_health *h = container_health(k);

	return h ? h->status : HEALTH_NONE;
}

/* Go leaves a zero out here, though not in an inspect. */
static void list_sizes(struct jsonw *w, const struct container *k, int64_t bytes,
		       const struct api_call *c)
{
	int64_t image = sizes_image(k, c);

	if (bytes)
		jsonw_i64(w, "SizeRw", bytes);
	if (bytes + image)
		jsonw_i64(w, "SizeRootFs", bytes + image);
}

/* @size NULL: without sizes */
static void row(struct jsonw *w, struct container *k, const struct api_call *c, const int64_t *size)
{
	auto_buf struct buf command = BUF_INIT(LIMIT_JSON_BODY), status = BUF_INIT(256);
	json_t *labels = json_get(container_config(k), "Labels");
	auto_json json_t *mounts = container_mounts(k);

	container_command(k, &command);
	status_text(container_state(k), health_of(k), clock_real_ns(), &status);
	jsonw_object(w, NULL);
	jsonw_str(w, "Id", container_id(k));
	jsonw_array(w, "Names");
	jsonw_strf(w, NULL, "/%s", container_name(k));
	jsonw_end_array(w);
	image_name(w, k, c);
	jsonw_str(w, "Command", buf_str(&command));
	jsonw_i64(w, "Created", container_created_ns(k) / NS_PER_S);
	ports_json(w, k, net_sandbox_find(engine_net(c->en), container_id(k)));
	if (size)
		list_sizes(w, k, *size, c);
	if (labels)
		jsonw_json(w, "Labels", labels);
	else
		jsonw_raw(w, "Labels", "{}");
	jsonw_str(w, "State", container_state_name(container_state(k)));
	jsonw_str(w, "Status", buf_str(&status));
	host_config_json(w, k, c);
	networks_json(w, k, c);
	jsonw_json(w, "Mounts", mounts);
	jsonw_end_object(w);
}

void container_summary_json(struct jsonw *w, struct container *k, const struct api_call *c,
			    const int64_t *bytes)
{
	row(w, k, c, bytes);
}

/* ---- filters ---- */

struct query {
	const struct api_call *c;
	struct filters *f;
	int64_t before_ns, since_ns; /* of the containers named; 0 none */
	bool all;
};

/* As Docker's Match: not asked, or one of the values is a regular expression that @text holds. */
static bool pattern_fits(const struct filters *f, const char *key, const char *text)
{
	char *const *v = filters_get(f, key);
	bool fits = !v;

	for (; !fits && *v; v++) {
		regex_t re;

		if (regcomp(&re, *v, REG_EXTENDED | REG_NOSUB))
			continue;
		fits = regexec(&re, text, 0, NULL, 0) == 0;
		regfree(&re);
	}
	return fits;
}

/* with and without its slash */
static bool name_fits(const struct filters *f, const struct container *k)
{
	auto_free char *slashed = str_printf("/%s", container_name(k));

	return pattern_fits(f, "name", container_name(k)) ||
	       (slashed && pattern_fits(f, "name", slashed));
}

static bool status_fits(const struct query *q, const struct container *k)
{
	const struct container_state *st = container_state(k);
	bool up = st->status == CONTAINER_RUNNING || st->status == CONTAINER_RESTARTING;
	char text[12];

	(void)snprintf(text, sizeof(text), "%d", st->exit_code);
	return (up || q->all) && filters_exact(q->f, "status", container_state_name(st)) &&
	       (!filters_get(q->f, "exited") ||
		(!up && st->started_ns && filters_exact(q->f, "exited", text)));
}

static bool network_fits(const struct query *q, const struct container *k)
{
	struct endpoint *ep = NULL;

	if (!filters_get(q->f, "network"))
		return true;
	while ((ep = net_container_endpoint_next(engine_net(q->c->en), container_id(k), ep))) {
		struct network *nw = endpoint_network(ep);

		if (filters_exact(q->f, "network", network_name(nw)) ||
		    filters_prefix(q->f, "network", network_id(nw)))
			return true;
	}
	return false;
}

static bool volume_fits(const struct query *q, struct container *k)
{
	auto_json json_t *mounts = NULL;
	json_t *m;
	size_t i;

	if (!filters_get(q->f, "volume"))
		return true;
	mounts = container_mounts(k);
	json_array_foreach(mounts, i, m)
	{
		const char *name = json_string_value(json_get(m, "Name"));
		const char *dest = json_string_value(json_get(m, "Destination"));

		name = name ? name : json_string_value(json_get(m, "Source"));
		if ((name && filters_exact(q->f, "volume", name)) ||
		    (dest && filters_exact(q->f, "volume", dest)))
			return true;
	}
	return false;
}

static bool ancestor_fits(const struct query *q, const struct container *k)
{
	char *const *v = filters_get(q->f, "ancestor");
	struct image *i;

	for (; v && *v; v++)
		if (image_find(engine_images(q->c->en), *v, &i, NULL) >= 0 &&
		    streq(image_id(i), container_image_id(k)))
			return true;
	return !filters_get(q->f, "ancestor");
}

static bool has_port(const char *text, uint16_t port, uint8_t proto)
{
	uint16_t first, last;
	uint8_t p;

	return port_parse(text, &p, &first, &last, NULL) >= 0 && p == proto && port >= first &&
	       port <= last;
}

static bool published(const struct query *q, const struct container *k, const char *text)
{
	struct sandbox *sb = net_sandbox_find(engine_net(q->c->en), container_id(k));
	const struct net_port *v = NULL;
	size_t n = sb ? sandbox_ports(sb, &v) : 0;

	for (size_t i = 0; i < n; i++)
		if (has_port(text, v[i].host_port, v[i].proto))
			return true;
	return false;
}

/* A container that does not run exposes nothing, as in Docker. */
static bool exposed(const struct query *q, const struct container *k, const char *text)
{
	struct sandbox *sb = net_sandbox_find(engine_net(q->c->en), container_id(k));
	json_t *ports = json_get(container_config(k), "ExposedPorts"), *unused;
	const struct net_port *v = NULL;
	size_t n = sb ? sandbox_ports(sb, &v) : 0;
	const char *name;

	for (size_t i = 0; i < n; i++)
		if (has_port(text, v[i].port, v[i].proto))
			return true;
	json_object_foreach(sb ? ports : NULL, name, unused)
	{
		uint16_t port, end;
		uint8_t proto;

		(void)unused;
		if (port_parse(name, &proto, &port, &end, NULL) >= 0 && has_port(text, port, proto))
			return true;
	}
	return false;
}

/* publish= and expose= are one question: any of them fits. */
static bool ports_fit(const struct query *q, const struct container *k)
{
	char *const *publish = filters_get(q->f, "publish"), *const *expose =
								     filters_get(q->f, "expose");
	bool asked = publish || expose;

	for (; publish && *publish; publish++)
		if (published(q, k, *publish))
			return true;
	for (; expose && *expose; expose++)
		if (exposed(q, k, *expose))
			return true;
	return !asked;
}

/* None is a task of a swarm. */
static bool task_fits(const struct filters *f)
{
	bool task = false;

	return !filters_get(f, "is-task") ||
	       (filters_bool(f, "is-task", false, &task, NULL) >= 0 && !task);
}

static bool fits(const struct query *q, struct container *k)
{
	int64_t ns = container_created_ns(k);

	return status_fits(q, k) && (!q->before_ns || ns < q->before_ns) &&
	       (!q->since_ns || ns > q->since_ns) && pattern_fits(q->f, "id", container_id(k)) &&
	       name_fits(q->f, k) &&
	       filters_labels(q->f, "label", json_get(container_config(k), "Labels")) &&
	       filters_exact(q->f, "health", health_status_name(health_of(k))) && task_fits(q->f) &&
	       network_fits(q, k) && volume_fits(q, k) && ancestor_fits(q, k) && ports_fit(q, k);
}

static int named_time(const struct query *q, const char *key, int64_t *ret, struct err *e)
{
	char *const *v = filters_get(q->f, key);
	struct container *k;
	int r = 0;

	for (; r >= 0 && v && *v; v++) {
		r = engine_find(q->c->en, *v, &k, e);
		if (r >= 0)
			*ret = container_created_ns(k);
	}
	return r;
}

static int values_ok(const struct filters *f, struct err *e)
{
	static const char *const ports[] = {"publish", "expose"};
	char *const *v = filters_get(f, "status");
	uint16_t first, last;
	uint8_t proto;
	int64_t n;
	bool task;

	for (; v && *v; v++) {
		bool known = streq(*v, "paused");

		for (enum container_status s = CONTAINER_CREATED; s <= CONTAINER_DEAD; s++)
			known = known || streq(*v, container_status_name(s));
		if (!known)
			return err_invalid(e,
					   "invalid filter 'status=%s': invalid value for state "
					   "(%s): must be one of created, running, paused, "
					   "restarting, removing, exited, dead",
					   *v, *v);
	}
	for (v = filters_get(f, "health"); v && *v; v++) {
		bool known = false;

		for (enum health_status s = HEALTH_NONE; s <= HEALTH_UNHEALTHY; s++)
			known = known || streq(*v, health_status_name(s));
		if (!known)
			return err_invalid(e, "unrecognized filter value for health: %s", *v);
	}
	for (v = filters_get(f, "exited"); v && *v; v++)
		if (parse_i64(*v, &n) < 0)
			return err_invalid(e,
					   "invalid filter 'exited=%s': strconv.Atoi: parsing "
					   "\"%s\": invalid syntax",
					   *v, *v);
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		for (v = filters_get(f, ports[i]); v && *v; v++) {
			if (strchr(*v, ':'))
				return err_invalid(e, "filter for '%s' should not contain ':': %s",
						   ports[i], *v);
			if (port_parse(*v, &proto, &first, &last, NULL) < 0)
				return err_invalid(e,
						   "error while looking up for %s %s: invalid "
						   "port",
						   ports[i], *v);
		}
	return filters_bool(f, "is-task", false, &task, e);
}

/* ---- the list ---- */

static int select_all(const struct query *q, int64_t limit, char ***ret, struct err *e)
{
	struct container *k = NULL;

	for (int64_t n = 0; limit <= 0 || n < limit; n++) {
		do
			k = engine_container_next(q->c->en, k);
		while (k && !fits(q, k));
		if (!k)
			break;
		if (strv_add(ret, container_id(k)) < 0)
			return err_nomem(e);
	}
	return 0;
}

static void answer(struct api_call *c, char *const *ids, const int64_t *bytes)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&out);
	struct container *k;

	jsonw_array(&w, NULL);
	for (size_t i = 0; ids && ids[i]; i++)
		if (engine_find(c->en, ids[i], &k, NULL) >= 0)
			row(&w, k, c, bytes ? &bytes[i] : NULL);
	jsonw_end_array(&w);
	api_json(c, 200, &out);
}

static void sized(struct api_call *c, const struct sizes *s)
{
	answer(c, s->ids, s->bytes);
}

void containers_list(struct api_call *c)
{
	static const char *const allowed[] = {"ancestor", "before", "expose",	 "exited",
					      "health",	  "id",	    "isolation", "is-task",
					      "label",	  "name",   "network",	 "publish",
					      "since",	  "status", "volume",	 NULL};
	auto_(filters_free) struct filters *f = NULL;
	auto_strv char **ids = NULL;
	struct query q = {.c = c};
	int64_t limit = 0;
	struct err e = {0};
	int r = api_filters(c, allowed, &f, &e);

	q.f = f;
	if (r >= 0)
		r = values_ok(f, &e);
	if (r >= 0)
		r = api_query_i64(c, "limit", 0, &limit, &e);
	if (r >= 0)
		r = named_time(&q, "before", &q.before_ns, &e);
	if (r >= 0)
		r = named_time(&q, "since", &q.since_ns, &e);
	if (r >= 0) {
		q.all = api_query_bool(c, "all", false) || limit > 0 || filters_get(f, "status");
		r = select_all(&q, limit, &ids, &e);
	}
	if (r < 0)
		api_error(c, &e);
	else if (api_query_bool(c, "size", false))
		sizes_count(c, TAKE_PTR(ids), sized);
	else
		answer(c, ids, NULL);
}
