/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settle.c - what a request becomes before it is checked: --default-network-opt, --config-from
 *
 * A configuration-only network is a row of the store and nothing else: others take its IPAM, its
 * driver options and its families, and keep its name, so that it stays as long as they do.
 */

#include <string.h>

#include "base/str.h"
#include "net/internal.h"

static int add_missing(json_t *to, json_t *from)
{
	const char *key;
	json_t *v;

	json_object_foreach(from, key, v)
	{
		if (!json_object_get(to, key) && json_object_set(to, key, v) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- configuration-only networks ---- */

static int check_config_only(const struct network_spec *s, struct err *e)
{
	if (s->internal || s->attachable)
		return err_forbidden(e, "configuration network can only contain network specific "
					"fields. Network operator fields like [ ingress | internal "
					"| attachable | scope ] are not supported.");
	if (s->config_from)
		return err_forbidden(e, "a configuration network cannot depend on another "
					"configuration network");
	return 0;
}

static int take_config(struct net *n, struct network_spec *s, struct err *e)
{
	struct network *from = map_get(n->by_name, s->config_from);
	struct network_spec copy = {0};

	if (!from || !from->spec.config_only)
		return err_not_found(e, "configuration network \"%s\" does not exist",
				     s->config_from);
	if (s->n_ipam || json_object_size(s->labels) || json_object_size(s->ipam_options) ||
	    !streq(s->ipam_driver, "default") || s->off[V4] || !s->off[V6])
		return err_forbidden(e, "user-specified configurations are not supported if the "
					"network depends on a configuration network");
	if (json_object_size(s->options))
		return err_forbidden(e, "network driver options are not supported if the network "
					"depends on a configuration network");
	if (network_spec_copy(&from->spec, &copy) < 0 ||
	    str_set(&s->ipam_driver, copy.ipam_driver) < 0 ||
	    add_missing(s->options, copy.options) < 0 || add_missing(s->labels, copy.labels) < 0) {
		network_spec_done(&copy);
		return err_nomem(e);
	}
	free(s->ipam);
	s->ipam = TAKE_PTR(copy.ipam);
	s->n_ipam = copy.n_ipam;
	copy.n_ipam = 0;
	json_decref(s->ipam_options);
	s->ipam_options = TAKE_PTR(copy.ipam_options);
	memcpy(s->off, copy.off, sizeof(s->off));
	network_spec_done(&copy);
	return 0;
}

/* ---- options that say what fields say, too ---- */

static int family_option(struct network *nw, int fam, struct err *e)
{
	static const char *const keys[N_FAMILIES] = {"com.docker.network.enable_ipv4",
						     "com.docker.network.enable_ipv6"};
	const char *v = network_option(nw, keys[fam]);
	bool on;

	if (str_empty(v) || nw->spec.given[fam])
		return 0;
	if (parse_bool(v, &on) < 0)
		return err_invalid(e,
				   "failed to parse %s value: %s (strconv.ParseBool: parsing "
				   "\"%s\": invalid syntax)",
				   keys[fam], v, v);
	nw->spec.off[fam] = !on;
	return 0;
}

int network_settle(struct net *n, struct network *nw, struct err *e)
{
	struct network_spec *s = &nw->spec;
	int r = s->config_only ? check_config_only(s, e) : 0;

	if (r >= 0 && s->config_from)
		r = take_config(n, s, e);
	if (r >= 0 && !s->config_only &&
	    add_missing(s->options, json_object_get(n->config.network_opts, s->driver)) < 0)
		r = err_nomem(e);
	for (int fam = 0; r >= 0 && fam < N_FAMILIES; fam++)
		r = family_option(nw, fam, e);
	if (r < 0)
		return r;
	network_spec_drop(s, s->off); /* as Docker does */
	return s->off[V4] && s->off[V6] ? err_invalid(e, "IPv4 or IPv6 must be enabled")
					: network_ipam_check(s, e);
}
