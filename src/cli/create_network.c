/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create_network.c - --network and its companions, -p, --expose */

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/ip.h"
#include "base/portspec.h"
#include "cli/create.h"
#include "cli/pairs.h"

/* ---- --network ---- */

/* One --network: "name", or "name=x,alias=y,ip=z,..." */
struct network {
	char *name, *ip, *ip6, *mac, *priority;
	char **aliases, **links, **link_local, **driver_opts;
};

static void network_done(struct network *n)
{
	free(n->name);
	free(n->ip);
	free(n->ip6);
	free(n->mac);
	free(n->priority);
	strv_free(n->aliases);
	strv_free(n->links);
	strv_free(n->link_local);
	strv_free(n->driver_opts);
}

static int network_key(struct network *n, const char *key, const char *value, struct err *e)
{
	const struct {
		const char *key;
		char **text, ***list;
	} keys[] = {
		{"name", &n->name, NULL},
		{"alias", NULL, &n->aliases},
		{"ip", &n->ip, NULL},
		{"ip6", &n->ip6, NULL},
		{"mac-address", &n->mac, NULL},
		{"link-local-ip", NULL, &n->link_local},
		{"driver-opt", NULL, &n->driver_opts},
		{"gw-priority", &n->priority, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcasecmp(key, keys[i].key) != 0)
			continue;
		if (keys[i].list)
			list_add(keys[i].list, value);
		else if (str_set(keys[i].text, value) < 0)
			cli_no_memory();
		return 0;
	}
	return err_invalid(e, "invalid field key %s", key);
}

static int network_parse(const char *text, struct network *n, struct err *e)
{
	auto_strv char **fields = NULL;
	int64_t number;

	*n = (struct network){0};
	if (!strchr(text, '=')) {
		n->name = need(strdup(text));
		return 0;
	}
	if (csv_split(text, &fields) < 0)
		return err_invalid(e, "parse error: a quote does not close");
	for (size_t i = 0; fields[i]; i++) {
		char *value = strchr(fields[i], '=');
		int r;

		if (!value || !value[1])
			return err_invalid(e, "invalid field %s", fields[i]);
		*value++ = '\0';
		r = network_key(n, fields[i], value, e);
		if (r < 0)
			return r;
	}
	if (n->priority && parse_i64(n->priority, &number) < 0)
		return err_invalid(e, "invalid gw-priority (%s)", n->priority);
	return n->name ? 0 : err_invalid(e, "network name or ID is required: name=...");
}

int check_network(const char *value, struct err *e)
{
	struct network n;
	int r = network_parse(value, &n, e);

	network_done(&n);
	return r;
}

char *create_network_mode(const struct args *a)
{
	char *const *list = arg_list(a, "network");
	struct network n;
	char *mode;

	if (!list || network_parse(list[0], &n, NULL) < 0)
		return need(strdup("default")); /* check_network() has refused it before */
	mode = TAKE_PTR(n.name);
	network_done(&n);
	return mode;
}

static bool predefined(const char *name)
{
	return streq(name, "default") || streq(name, "bridge") || streq(name, "host") ||
	       streq(name, "none") || str_has_prefix(name, "container:");
}

/* --ip, --network-alias and so on belong to the first network. */
static int add_companions(struct network *n, const struct args *a, struct err *e)
{
	const struct {
		const char *option, *key;
		char **text;
	} texts[] = {{"ip", "ip", &n->ip},
		     {"ip6", "ip6", &n->ip6},
		     {"mac-address", "mac-address", &n->mac}};
	const struct {
		const char *option;
		char ***list;
	} lists[] = {{"network-alias", &n->aliases}, {"link-local-ip", &n->link_local}};
	char *const *links = predefined(n->name) ? NULL : arg_list(a, "link");

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!arg_given(a, texts[i].option))
			continue;
		if (*texts[i].text)
			return err_invalid(e,
					   "conflicting options: cannot specify both --%s and "
					   "per-network %s",
					   texts[i].option, texts[i].key);
		*texts[i].text = need(strdup(arg_str(a, texts[i].option)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (char *const *p = arg_list(a, lists[i].option); p && *p; p++)
			list_add(lists[i].list, *p);
	for (; links && *links; links++)
		list_add(&n->links, *links);
	return 0;
}

static bool says_nothing(const struct endpoint_opts *n)
{
	return !n->ip && !n->ip6 && !n->mac && !n->gw_priority && !n->aliases && !n->links &&
	       !n->link_local && !n->driver_opts;
}

static void network_object(struct jsonw *w, const struct network *n, unsigned version)
{
	struct endpoint_opts ep = {.ip = n->ip,
				   .ip6 = n->ip6,
				   .mac = version >= 144 ? n->mac : NULL,
				   .gw_priority = n->priority,
				   .aliases = n->aliases,
				   .links = n->links,
				   .link_local = n->link_local,
				   .driver_opts = n->driver_opts};

	if (!predefined(n->name) || !says_nothing(&ep))
		endpoint_object(w, n->name, &ep);
}

int create_networks(struct jsonw *w, const struct args *a, unsigned version, struct err *e)
{
	char unnamed_text[] = "default", *const unnamed[] = {unnamed_text, NULL};
	char *const *list = arg_list(a, "network");
	int r = 0;

	list = list ? list : unnamed;
	if (list[1] && version < 144)
		return err_invalid(e,
				   "several networks at once need an engine of API version 1.44");
	jsonw_object(w, "NetworkingConfig");
	jsonw_object(w, "EndpointsConfig");
	for (size_t i = 0; list[i] && r >= 0; i++) {
		struct network n;

		r = network_parse(list[i], &n, e);
		if (r >= 0 && i == 0)
			r = add_companions(&n, a, e);
		if (r >= 0)
			network_object(w, &n, version);
		network_done(&n);
	}
	jsonw_end_object(w);
	jsonw_end_object(w);
	return r;
}

/* ---- ports ---- */

/* Calls @fn for each -p with its ranges. */
static int publish_each(const struct args *a, int (*fn)(void *d, const struct net_publish *p),
			void *d, struct err *e)
{
	for (char *const *s = arg_list(a, "publish"); s && *s; s++) {
		struct net_publish p;
		int r = publish_parse(*s, &p, e);

		if (r >= 0)
			r = fn(d, &p);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The container ports of a list, each once: the keys of an object. */
struct exposed {
	struct jsonw *w;
	json_t *seen;
};

static void expose(struct exposed *x, uint8_t proto, uint16_t from, uint16_t to)
{
	for (unsigned port = from; port <= to; port++) {
		auto_free char *key = need(str_printf("%u/%s", port, proto_name(proto)));

		if (json_object_get(x->seen, key))
			continue;
		if (json_object_set_new(x->seen, key, json_true()) < 0)
			cli_no_memory();
		jsonw_object(x->w, key);
		jsonw_end_object(x->w);
	}
}

static int expose_published(void *d, const struct net_publish *p)
{
	expose(d, p->proto, p->port, p->port_end);
	return 0;
}

int create_exposed(struct jsonw *w, const struct args *a, struct err *e)
{
	auto_json json_t *seen = need(json_object());
	struct exposed x = {w, seen};
	int r;

	jsonw_object(w, "ExposedPorts");
	r = publish_each(a, expose_published, &x, e);
	for (char *const *s = arg_list(a, "expose"); r >= 0 && s && *s; s++) {
		uint16_t from = 0, to = 0;
		uint8_t proto = 0;

		r = strchr(*s, ':') ? err_invalid(e, "invalid port format for --expose: %s", *s)
				    : port_parse(*s, &proto, &from, &to, e);
		if (r >= 0)
			expose(&x, proto, from, to);
	}
	jsonw_end_object(w);
	return r;
}

/* {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}: several -p may name the same port */
static int collect_bindings(void *d, const struct net_publish *p)
{
	json_t *all = d;
	unsigned spare = (unsigned)(p->host_port_end - p->host_port);
	bool one = p->port == p->port_end;
	char ip[IP_STR];

	(void)ip_str(p->host_ip, ip);
	for (unsigned port = p->port; port <= p->port_end; port++) {
		auto_free char *key = need(str_printf("%u/%s", port, proto_name(p->proto)));
		auto_free char *host = NULL;
		json_t *list = json_object_get(all, key);

		if (!list && json_object_set_new(all, key, list = json_array()) < 0)
			cli_no_memory();
		if (!p->host_port)
			host = need(strdup(""));
		else if (one && spare) /* the engine takes the first free one of the range */
			host = need(str_printf("%u-%u", p->host_port, p->host_port_end));
		else
			host = need(str_printf("%u", p->host_port + (port - p->port)));
		if (json_array_append_new(
			    list, json_pack("{s:s, s:s}", "HostIp", ip, "HostPort", host)) < 0)
			cli_no_memory();
	}
	return 0;
}

int create_bindings(struct jsonw *w, const struct args *a, struct err *e)
{
	auto_json json_t *all = need(json_object());
	int r = publish_each(a, collect_bindings, all, e);

	if (r >= 0)
		jsonw_json(w, "PortBindings", all);
	return r;
}
