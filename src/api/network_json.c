/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network_json.c - networks and endpoints as the API shows them */

#include "api/internal.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/str.h"

static void object_or_empty(struct jsonw *w, const char *key, const json_t *value)
{
	if (value) {
		jsonw_json(w, key, value);
	} else {
		jsonw_object(w, key);
		jsonw_end_object(w);
	}
}

static void optional(struct jsonw *w, const char *key, const char *value)
{
	if (!str_empty(value))
		jsonw_str(w, key, value);
}

static void ipam_json(struct jsonw *w, const struct network_spec *s)
{
	jsonw_object(w, "IPAM");
	jsonw_str(w, "Driver", str_empty(s->ipam_driver) ? "default" : s->ipam_driver);
	jsonw_json(w, "Options", s->ipam_options);
	jsonw_array(w, "Config");
	for (size_t i = 0; i < s->n_ipam; i++) {
		const struct network_ipam *row = &s->ipam[i];

		jsonw_object(w, NULL);
		optional(w, "Subnet", row->subnet);
		optional(w, "IPRange", row->ip_range);
		optional(w, "Gateway", row->gateway);
		if (json_object_size(row->aux))
			jsonw_json(w, "AuxiliaryAddresses", row->aux);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	jsonw_end_object(w);
}

static void address(struct jsonw *w, const char *key, struct ip ip)
{
	char text[IP_STR];

	jsonw_str(w, key, ip_str(ip, text));
}

static bool has_address(const struct endpoint *ep)
{
	return ip_set(endpoint_addr(ep, V4).ip) || ip_set(endpoint_addr(ep, V6).ip);
}

static void mac_address(struct jsonw *w, struct endpoint *ep)
{
	char text[MAC_STR];

	jsonw_str(w, "MacAddress", has_address(ep) ? mac_str(endpoint_mac(ep), text) : "");
}

static void prefix(struct jsonw *w, const char *key, struct cidr c)
{
	char text[CIDR_STR];

	jsonw_str(w, key, ip_set(c.ip) ? cidr_str(c, text) : "");
}

static void members_json(struct jsonw *w, struct network *nw)
{
	for (struct endpoint *ep = NULL; (ep = network_endpoint_next(nw, ep));) {
		if (!endpoint_attached(ep))
			continue;
		jsonw_object(w, endpoint_container_id(ep));
		jsonw_str(w, "Name", endpoint_container_name(ep));
		jsonw_str(w, "EndpointID", endpoint_id(ep));
		mac_address(w, ep);
		prefix(w, "IPv4Address", endpoint_addr(ep, V4));
		prefix(w, "IPv6Address", endpoint_addr(ep, V6));
		jsonw_end_object(w);
	}
}

void network_json(struct jsonw *w, struct network *nw, const struct api_call *c, bool containers)
{
	const struct network_spec *s = network_spec_of(nw);
	char when[RFC3339_SIZE];

	jsonw_object(w, NULL);
	jsonw_str(w, "Name", network_name(nw));
	jsonw_str(w, "Id", network_id(nw));
	jsonw_str(w, "Created", clock_rfc3339_short(network_created_ns(nw), when));
	jsonw_str(w, "Scope", "local");
	jsonw_str(w, "Driver", network_driver(nw));
	if (c->version >= 148)
		jsonw_bool(w, "EnableIPv4", network_has(nw, V4));
	jsonw_bool(w, "EnableIPv6", network_has(nw, V6));
	ipam_json(w, s);
	jsonw_bool(w, "Internal", network_internal(nw));
	jsonw_bool(w, "Attachable", s->attachable);
	jsonw_bool(w, "Ingress", false);
	jsonw_object(w, "ConfigFrom");
	jsonw_str(w, "Network", s->config_from ? s->config_from : "");
	jsonw_end_object(w);
	jsonw_bool(w, "ConfigOnly", s->config_only);
	jsonw_object(w, "Containers");
	if (containers)
		members_json(w, nw);
	jsonw_end_object(w);
	object_or_empty(w, "Options", s->options);
	object_or_empty(w, "Labels", s->labels);
	jsonw_end_object(w);
}

/* ---- endpoints ---- */

/* Before 1.45 Docker showed the short id and the hostname among the aliases; clients look there. */
static char **aliases_of(struct endpoint *ep, const struct api_call *c)
{
	const char *id = endpoint_container_id(ep);
	char **v = strv_copy(endpoint_aliases(ep));
	struct container *k;
	char short_id[13];

	if (c->version >= 145 || !endpoint_dns_names(ep))
		return v;
	/* out of memory leaves one out */
	(void)snprintf(short_id, sizeof(short_id), "%s", id);
	if (strv_add_unique(&v, short_id) >= 0 && engine_find(c->en, id, &k, NULL) >= 0) {
		const char *host = json_string_value(json_get(container_config(k), "Hostname"));

		if (!str_empty(host))
			(void)strv_add_unique(&v, host);
	}
	return v;
}

static void ipam_config(struct jsonw *w, struct endpoint *ep)
{
	struct ip v4 = endpoint_static_ip(ep, V4), v6 = endpoint_static_ip(ep, V6);
	char *const *link_local = endpoint_link_local(ep);

	if (!ip_set(v4) && !ip_set(v6) && !link_local) {
		jsonw_null(w, "IPAMConfig");
		return;
	}
	jsonw_object(w, "IPAMConfig");
	if (ip_set(v4))
		address(w, "IPv4Address", v4);
	if (ip_set(v6))
		address(w, "IPv6Address", v6);
	if (link_local)
		jsonw_strv(w, "LinkLocalIPs", link_local);
	jsonw_end_object(w);
}

static void list_or_null(struct jsonw *w, const char *key, char *const *v)
{
	if (strv_len(v))
		jsonw_strv(w, key, v);
	else
		jsonw_null(w, key);
}

/* As asked; the engine keeps them with what the container wants. */
static void links_json(struct jsonw *w, struct endpoint *ep, const struct api_call *c)
{
	struct container *k;
	const json_t *links = NULL;

	if (engine_find(c->en, endpoint_container_id(ep), &k, NULL) >= 0)
		links = container_endpoint_links(k, endpoint_network(ep));
	jsonw_json(w, "Links", links); /* NULL: null */
}

void addresses_json(struct jsonw *w, struct endpoint *ep)
{
	struct cidr v4 = {0}, v6 = {0};
	struct ip gw4 = {0}, gw6 = {0};

	if (ep) {
		v4 = endpoint_addr(ep, V4);
		v6 = endpoint_addr(ep, V6);
		gw4 = endpoint_gateway(ep, V4);
		gw6 = endpoint_gateway(ep, V6);
	}
	address(w, "Gateway", gw4);
	address(w, "IPAddress", v4.ip);
	jsonw_i64(w, "IPPrefixLen", ip_set(v4.ip) ? v4.len : 0);
	address(w, "IPv6Gateway", gw6);
	address(w, "GlobalIPv6Address", v6.ip);
	jsonw_i64(w, "GlobalIPv6PrefixLen", ip_set(v6.ip) ? v6.len : 0);
}

/* As in a list of containers, where Docker leaves out what was asked for. */
void endpoint_summary_json(struct jsonw *w, const char *key, struct endpoint *ep,
			   const struct api_call *c)
{
	bool up = endpoint_attached(ep);

	jsonw_object(w, key);
	ipam_config(w, ep);
	jsonw_null(w, "Links");
	jsonw_null(w, "Aliases");
	mac_address(w, ep);
	jsonw_null(w, "DriverOpts");
	if (c->version >= 148)
		jsonw_i64(w, "GwPriority", endpoint_gw_priority(ep));
	jsonw_str(w, "NetworkID", network_id(endpoint_network(ep)));
	jsonw_str(w, "EndpointID", up ? endpoint_id(ep) : "");
	addresses_json(w, ep);
	if (c->version >= 144)
		jsonw_null(w, "DNSNames");
	jsonw_end_object(w);
}

void endpoint_settings_json(struct jsonw *w, const char *key, struct endpoint *ep,
			    const struct api_call *c)
{
	auto_strv char **aliases = aliases_of(ep, c);
	bool up = endpoint_attached(ep);

	jsonw_object(w, key);
	ipam_config(w, ep);
	links_json(w, ep, c);
	list_or_null(w, "Aliases", aliases);
	mac_address(w, ep);
	jsonw_json(w, "DriverOpts", endpoint_driver_opts(ep));
	if (c->version >= 148)
		jsonw_i64(w, "GwPriority", endpoint_gw_priority(ep));
	jsonw_str(w, "NetworkID", network_id(endpoint_network(ep)));
	jsonw_str(w, "EndpointID", up ? endpoint_id(ep) : "");
	addresses_json(w, ep);
	if (c->version >= 144)
		list_or_null(w, "DNSNames", endpoint_dns_names(ep));
	jsonw_end_object(w);
}
