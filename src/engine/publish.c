/* SPDX-License-Identifier: GPL-2.0-or-later */
/* publish.c - PortBindings and -P of a container as what net/ publishes */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/portspec.h"
#include "base/str.h"
#include "engine/internal.h"

static int one_binding(const char *key, const json_t *b, struct net_publish *ret, struct err *e)
{
	const char *ip = js(b, "HostIp"), *hp = js(b, "HostPort");
	auto_free char *host = NULL;
	uint8_t proto;
	int r = port_parse(key, &ret->proto, &ret->port, &ret->port_end, e);

	if (r < 0)
		return r;
	if (!json_is_object(b))
		return err_invalid(e, "json: cannot unmarshal into Go struct field PortBinding of "
				      "type nat.PortBinding");
	if (*ip && ip_parse(ip, &ret->host_ip) < 0)
		return err_invalid(e, "invalid IP address in port binding: %s", ip);
	if (!*hp || streq(hp, "0"))
		return 0;
	host = str_printf("%s/%s", hp, proto_name(ret->proto));
	if (!host)
		return err_nomem(e);
	if (port_parse(host, &proto, &ret->host_port, &ret->host_port_end, NULL) < 0)
		return err_invalid(e, "invalid port specification: \"%s\"", hp);
	if (ret->port_end != ret->port &&
	    ret->host_port_end - ret->host_port != ret->port_end - ret->port)
		return err_invalid(
			e, "Invalid ranges specified for container and host Ports: %s and %s", key,
			hp);
	return 0;
}

/* Calls @fn for each binding of @host. */
static int bindings_each(const json_t *host, int (*fn)(const struct net_publish *p, void *d),
			 void *d, struct err *e)
{
	const char *key;
	json_t *list, *b;
	size_t i;
	int r;

	json_object_foreach(jo(host, "PortBindings"), key, list)
	{
		struct net_publish none = {0};

		if (!json_is_array(list) && !json_is_null(list))
			return err_invalid(e, "json: cannot unmarshal object into Go struct field "
					      "HostConfig.PortBindings of type []nat.PortBinding");
		if (!json_array_size(list)) { /* "80/tcp": [] or null: an ephemeral port */
			r = port_parse(key, &none.proto, &none.port, &none.port_end, e);
			if (r < 0 || (json_is_array(list) && fn && (r = fn(&none, d)) < 0))
				return r;
			continue;
		}
		json_array_foreach(list, i, b)
		{
			struct net_publish p = {0};

			r = one_binding(key, b, &p, e);
			if (r < 0 || (fn && (r = fn(&p, d)) < 0))
				return r;
		}
	}
	return 0;
}

int publish_check(const json_t *config, const json_t *host, struct err *e)
{
	const char *key;
	json_t *v;

	json_object_foreach(jo(config, "ExposedPorts"), key, v)
	{
		struct net_publish p;
		int r = port_parse(key, &p.proto, &p.port, &p.port_end, e);

		if (r < 0)
			return r;
	}
	return bindings_each(host, NULL, NULL, e);
}

struct collect {
	struct net_publish *list;
	size_t n;
};

static int collect_one(const struct net_publish *p, void *d)
{
	struct collect *c = d;
	struct net_publish *more = reallocarray(c->list, c->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	c->list = more;
	c->list[c->n++] = *p;
	return 0;
}

static bool covered(const struct collect *c, const struct net_publish *p)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].proto == p->proto && c->list[i].port <= p->port &&
		    c->list[i].port_end >= p->port_end)
			return true;
	return false;
}

static int by_place(const void *a, const void *b)
{
	const struct net_publish *x = a, *y = b;

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (ip_cmp(x->host_ip, y->host_ip) != 0)
		return ip_cmp(x->host_ip, y->host_ip);
	if (!x->host_port != !y->host_port) /* those without a number stand in no range */
		return x->host_port ? -1 : 1;
	return x->port != y->port ? x->port - y->port : x->host_port - y->host_port;
}

static bool goes_on(const struct net_publish *a, const struct net_publish *b)
{
	return a->proto == b->proto && ip_eq(a->host_ip, b->host_ip) && a->host_port &&
	       a->host_port_end - a->host_port == a->port_end - a->port &&
	       b->host_port_end - b->host_port == b->port_end - b->port &&
	       b->port == a->port_end + 1 && b->host_port == a->host_port_end + 1;
}

/* Clients write a range out, port by port; here it is one again, and one element of the firewall.
 */
static void merge(struct collect *c)
{
	size_t n = 0;

	if (c->n < 2)
		return;
	qsort(c->list, c->n, sizeof(*c->list), by_place);
	for (size_t i = 1; i < c->n; i++) {
		struct net_publish *last = &c->list[n];

		if (goes_on(last, &c->list[i])) {
			last->port_end = c->list[i].port_end;
			last->host_port_end = c->list[i].host_port_end;
		} else {
			c->list[++n] = c->list[i];
		}
	}
	c->n = n + 1;
}

int publish_collect(const struct container *c, struct net_publish **ret, size_t *ret_n,
		    struct err *e)
{
	struct collect all = {0};
	const char *key;
	json_t *v;
	int r = bindings_each(c->host_config, collect_one, &all, e);

	if (r >= 0 && jb(c->host_config, "PublishAllPorts"))
		json_object_foreach(jo(c->config, "ExposedPorts"), key, v)
		{
			struct net_publish p = {0};

			r = port_parse(key, &p.proto, &p.port, &p.port_end, e);
			if (r >= 0 && !covered(&all, &p))
				r = collect_one(&p, &all);
			if (r < 0)
				break;
		}
	if (r < 0) {
		free(all.list);
		return r == -ENOMEM ? err_nomem(e) : r;
	}
	merge(&all);
	*ret = all.list;
	*ret_n = all.n;
	return 0;
}
