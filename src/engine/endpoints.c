/* SPDX-License-Identifier: GPL-2.0-or-later */
/* endpoints.c - the networks a create or connect body asks for, as endpoints of net/ */

#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/internal.h"

void endpoint_spec_done(struct endpoint_spec *s)
{
	strv_free(s->aliases);
	strv_free(s->link_local);
	strv_free(s->links);
	*s = (struct endpoint_spec){0};
}

/* --ip or --ip6 */
static int take_ip(const json_t *ipam, const char *key, int fam, struct ip *ret, struct err *e)
{
	const char *text = NULL;
	int r = ipam ? json_get_str(ipam, "EndpointIPAMConfig", key, &text, e) : 0;

	if (r < 0 || str_empty(text))
		return r;
	if (ip_parse(text, ret) < 0 || ip_fam(*ret) != fam)
		return err_invalid(e, "invalid endpoint settings:\ninvalid IPv%d address: %s",
				   fam == V6 ? 6 : 4, text);
	return 0;
}

static int take_mac(const json_t *cfg, uint8_t mac[6], struct err *e)
{
	const char *text = NULL;
	int r = json_get_str(cfg, "EndpointSettings", "MacAddress", &text, e);

	return r >= 0 && !str_empty(text) && mac_parse(text, mac) < 0
		       ? err_invalid(e, "invalid MAC address: %s", text)
		       : r;
}

static int parse(const json_t *cfg, struct endpoint_spec *s, struct err *e)
{
	json_t *ipam = NULL;
	int64_t priority = 0;
	int r = json_get_obj(cfg, "EndpointSettings", "IPAMConfig", &ipam, e);

	if (r >= 0)
		r = take_ip(ipam, "IPv4Address", V4, &s->ip[V4], e);
	if (r >= 0)
		r = take_ip(ipam, "IPv6Address", V6, &s->ip[V6], e);
	if (r >= 0 && ipam)
		r = json_get_strv(ipam, "EndpointIPAMConfig", "LinkLocalIPs", false, &s->link_local,
				  e);
	if (r >= 0)
		r = json_get_strv(cfg, "EndpointSettings", "Links", false, &s->links, e);
	if (r >= 0)
		r = take_mac(cfg, s->mac, e);
	if (r >= 0)
		r = json_get_i64(cfg, "EndpointSettings", "GwPriority", &priority, e);
	if (r >= 0)
		r = json_get_strmap(cfg, "EndpointSettings", "DriverOpts", &s->driver_opts, e);
	if (r >= 0)
		r = json_get_strv(cfg, "EndpointSettings", "Aliases", false, &s->aliases, e);
	if (r >= 0 && (priority < INT32_MIN || priority > INT32_MAX))
		r = err_invalid(e, "invalid GwPriority: %lld", (long long)priority);
	s->gw_priority = (int)priority;
	return r;
}

int endpoint_spec_parse(struct container *c, const json_t *cfg, struct endpoint_spec *ret,
			struct err *e)
{
	int r;

	*ret = (struct endpoint_spec){.container_id = c->id,
				      .container_name = c->name,
				      .hostname = js(c->config, "Hostname")};
	if (!cfg)
		return 0;
	if (!json_is_object(cfg))
		return err_invalid(
			e, "json: cannot unmarshal into Go struct field "
			   "NetworkingConfig.EndpointsConfig of type network.EndpointSettings");
	r = parse(cfg, ret, e);
	if (r < 0)
		endpoint_spec_done(ret);
	return r;
}

static int add_one(struct container *c, const char *name, const json_t *cfg, bool must,
		   struct err *e)
{
	struct endpoint_spec spec;
	struct endpoint *ep;
	struct network *nw;
	int r = net_find(c->en->net, name, &nw, e);

	if (r < 0)
		return must ? r : 0; /* a network that is not there yet: looked for again at the
					start */
	if (net_endpoint_find(c->en->net, nw, c->id))
		return 0;
	r = endpoint_spec_parse(c, json_is_null(cfg) ? NULL : cfg, &spec, e);
	if (r < 0)
		return r;
	r = net_endpoint_add(c->en->net, nw, &spec, &ep, e);
	endpoint_spec_done(&spec);
	return r;
}

/* Config.MacAddress of clients before 1.44 belongs to the main network. */
static json_t *main_config(struct container *c, json_t *given)
{
	const char *mac = js(c->config, "MacAddress");
	json_t *cfg = json_is_object(given) ? json_copy(given) : json_object();

	if (*mac && !*js(cfg, "MacAddress"))
		(void)json_object_set_new(cfg, "MacAddress", json_string(mac));
	return cfg;
}

static int modes_clash(const char *mode, const json_t *wanted, struct err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach((json_t *)wanted, name, v)
	{
		if (streq(name, mode))
			continue;
		if (streq(mode, "host") || streq(name, "host"))
			return err_invalid(e, "cannot connect container to host network - "
					      "container must be created in host network mode");
		if (streq(mode, "none") || streq(name, "none"))
			return err_invalid(e, "container cannot be connected to multiple networks "
					      "with one of the networks in private (none) mode");
	}
	return 0;
}

int endpoints_create(struct container *c, const json_t *networking, struct err *e)
{
	const char *mode = container_network_mode(c), *name;
	json_t *asked = NULL, *cfg, *mine = NULL;
	int r = 0;

	if (networking)
		r = json_get_obj(networking, "NetworkingConfig", "EndpointsConfig", &asked, e);
	if (r < 0)
		return r;
	c->wanted = json_object();
	if (str_has_prefix(mode, "container:"))
		return json_object_size(asked)
			       ? err_invalid(
					 e,
					 "conflicting options: cannot attach both user-defined and "
					 "non-user-defined network-modes")
			       : 0;
	/* clients write "default" where they mean the default network */
	json_object_foreach(asked, name, cfg) if (streq(name, mode) ||
						  (streq(name, "default") && streq(mode, "bridge")))
		mine = cfg;
	(void)json_object_set_new(c->wanted, mode, main_config(c, mine));
	json_object_foreach(
		asked, name,
		cfg) if (cfg != mine ||
			 json_is_null(cfg)) if (!json_object_get(c->wanted, streq(name, "default")
										    ? "bridge"
										    : name))(void)
		json_object_set(c->wanted, name, cfg);
	r = modes_clash(mode, c->wanted, e);
	if (r < 0)
		return r;
	json_object_foreach(c->wanted, name,
			    cfg) if ((r = add_one(c, name, cfg, false, e)) < 0) return r;
	return 0;
}

int endpoints_ensure(struct container *c, struct err *e)
{
	const char *name;
	json_t *cfg;
	int r;

	json_object_foreach(c->wanted, name,
			    cfg) if ((r = add_one(c, name, cfg, true, e)) < 0) return r;
	return 0;
}

void endpoints_remove(struct container *c)
{
	struct endpoint *ep;

	while ((ep = net_container_endpoint_next(c->en->net, c->id, NULL)))
		if (net_endpoint_remove(c->en->net, ep, NULL) < 0)
			break; /* the store refuses: recovery sweeps endpoints without a container
				*/
}
