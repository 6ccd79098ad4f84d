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

static void address(struct jsonw *w, const char *key, uint32_t ip)
{
	char text[IP4_STR];

	jsonw_str(w, key, ip ? ip4_str(ip, text) : "");
}

static void mac_address(struct jsonw *w, struct endpoint *ep)
{
	char text[MAC_STR];

	jsonw_str(w, "MacAddress", endpoint_ip(ep) ? mac_str(endpoint_mac(ep), text) : "");
}

static void members_json(struct jsonw *w, struct network *nw)
{
	char text[CIDR4_STR];

	for (struct endpoint *ep = NULL; (ep = network_endpoint_next(nw, ep));) {
		struct cidr4 at = {.addr = endpoint_ip(ep), .len = endpoint_prefix_len(ep)};

		if (!endpoint_attached(ep))
			continue;
		jsonw_object(w, endpoint_container_id(ep));
		jsonw_str(w, "Name", endpoint_container_name(ep));
		jsonw_str(w, "EndpointID", endpoint_id(ep));
		mac_address(w, ep);
		jsonw_str(w, "IPv4Address", at.addr ? cidr4_str(at, text) : "");
		jsonw_str(w, "IPv6Address", "");
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
	jsonw_str(w, "Created", clock_rfc3339(network_created_ns(nw), when));
	jsonw_str(w, "Scope", "local");
	jsonw_str(w, "Driver", network_driver(nw));
	if (c->version >= 148)
		jsonw_bool(w, "EnableIPv4", true);
	jsonw_bool(w, "EnableIPv6", s->enable_ipv6);
	ipam_json(w, s);
	jsonw_bool(w, "Internal", network_internal(nw));
	jsonw_bool(w, "Attachable", s->attachable);
	jsonw_bool(w, "Ingress", false);
	jsonw_raw(w, "ConfigFrom", "{\"Network\":\"\"}");
	jsonw_bool(w, "ConfigOnly", false);
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

static void ipam_config(struct jsonw *w, uint32_t static_ip)
{
	if (!static_ip) {
		jsonw_null(w, "IPAMConfig");
		return;
	}
	jsonw_object(w, "IPAMConfig");
	address(w, "IPv4Address", static_ip);
	jsonw_end_object(w);
}

static void list_or_null(struct jsonw *w, const char *key, char *const *v)
{
	if (strv_len(v))
		jsonw_strv(w, key, v);
	else
		jsonw_null(w, key);
}

void endpoint_settings_json(struct jsonw *w, const char *key, struct endpoint *ep,
			    const struct api_call *c)
{
	auto_strv char **aliases = aliases_of(ep, c);
	bool up = endpoint_attached(ep);

	jsonw_object(w, key);
	ipam_config(w, endpoint_static_ip(ep));
	jsonw_null(w, "Links");
	list_or_null(w, "Aliases", aliases);
	mac_address(w, ep);
	jsonw_json(w, "DriverOpts", endpoint_driver_opts(ep));
	if (c->version >= 148)
		jsonw_i64(w, "GwPriority", 0);
	jsonw_str(w, "NetworkID", network_id(endpoint_network(ep)));
	jsonw_str(w, "EndpointID", up ? endpoint_id(ep) : "");
	address(w, "Gateway", up ? endpoint_gateway(ep) : 0);
	address(w, "IPAddress", up ? endpoint_ip(ep) : 0);
	jsonw_i64(w, "IPPrefixLen", up && endpoint_ip(ep) ? endpoint_prefix_len(ep) : 0);
	jsonw_str(w, "IPv6Gateway", "");
	jsonw_str(w, "GlobalIPv6Address", "");
	jsonw_i64(w, "GlobalIPv6PrefixLen", 0);
	if (c->version >= 144)
		list_or_null(w, "DNSNames", endpoint_dns_names(ep));
	jsonw_end_object(w);
}
