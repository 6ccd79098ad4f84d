/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * subnets.c - a network's subnets, gateways and reserved addresses: as asked, or chosen
 *
 * The rows were checked by network_ipam_check(), or come from the store. What is chosen is written
 * into them, so that the store and inspect show it and the next life chooses nothing.
 */

#include <string.h>

#include "base/str.h"
#include "net/internal.h"

static int bad_row(const struct network_ipam *row, struct err *e)
{
	return err_invalid(
		e, "invalid network config:\ninvalid subnet %s: invalid CIDR block notation",
		row->subnet ? row->subnet : "");
}

/* 0.0.0.0/n and ::/n ask for a size alone. */
static bool size_alone(struct cidr c)
{
	return ip_is_any(c.ip) && c.len;
}

static int take_subnet(struct net *n, struct network *nw, struct network_ipam *row, int fam,
		       struct err *e)
{
	struct net_family *f = &nw->fam[fam];
	char text[CIDR_STR];
	uint8_t size = 0;
	int r;

	if (!str_empty(row->subnet)) {
		if (cidr_parse(row->subnet, &f->subnet) < 0 || ip_fam(f->subnet.ip) != fam ||
		    f->subnet.len > ip_width(f->subnet.ip) - 2)
			return bad_row(row, e);
		if (!size_alone(f->subnet))
			return pools_check(n, f->subnet, e);
		size = f->subnet.len;
	}
	r = pools_pick(n, fam, size, &f->subnet, e);
	if (r < 0)
		return r;
	return str_set(&row->subnet, cidr_str(f->subnet, text)) < 0 ? err_nomem(e) : 0;
}

static int take_aux(struct net_family *f, const struct network_ipam *row, struct err *e)
{
	const char *name;
	json_t *v;

	json_object_foreach(row->aux, name, v)
	{
		const char *text = json_string_value(v);
		struct ip addr;

		if (!text || ip_parse(text, &addr) < 0)
			return bad_row(row, e);
		if (ipam_take(f->ipam, addr, &addr) < 0)
			return err_forbidden(e,
					     "failed to allocate secondary ip address (%s:%s): "
					     "Address already in use",
					     name, text);
	}
	return 0;
}

static int take_gateway(struct net_family *f, struct network_ipam *row, struct err *e)
{
	char text[IP_STR];

	if (!str_empty(row->gateway)) {
		if (ip_parse(row->gateway, &f->gateway) < 0)
			return bad_row(row, e);
		if (ipam_take(f->ipam, f->gateway, &f->gateway) < 0)
			return err_forbidden(
				e, "failed to allocate gateway (%s): Address already in use",
				row->gateway);
		return 0;
	}
	if (ipam_take(f->ipam, (struct ip){0}, &f->gateway) < 0)
		return err_invalid(
			e, "invalid network config:\nno address of %s is left for the gateway",
			row->subnet);
	return str_set(&row->gateway, ip_str(f->gateway, text)) < 0 ? err_nomem(e) : 0;
}

static int take_family(struct net *n, struct network *nw, struct network_ipam *row, int fam,
		       struct err *e)
{
	struct net_family *f = &nw->fam[fam];
	struct cidr range;
	int r = take_subnet(n, nw, row, fam, e);

	if (r < 0)
		return r;
	range = f->subnet;
	if (!str_empty(row->ip_range) &&
	    (cidr_parse(row->ip_range, &range) < 0 || range.len < f->subnet.len ||
	     !cidr_has(f->subnet, range.ip)))
		return bad_row(row, e);
	if (ipam_new(f->subnet, range, &f->ipam) < 0)
		return err_nomem(e);
	/* what was asked for by name goes before what is chosen */
	if (!str_empty(row->gateway))
		r = take_gateway(f, row, e);
	if (r >= 0)
		r = take_aux(f, row, e);
	if (r >= 0 && !ip_set(f->gateway) && f->mode != GATEWAY_ISOLATED)
		r = take_gateway(f, row, e);
	return r;
}

/* The row of a family; a new one at the end where nothing was asked. */
static struct network_ipam *row_of(struct network_spec *s, int fam)
{
	for (size_t i = 0; i < s->n_ipam; i++) {
		const char *subnet = s->ipam[i].subnet;

		if (subnet && (strchr(subnet, ':') ? V6 : V4) == fam)
			return &s->ipam[i];
	}
	return &s->ipam[s->n_ipam++]; /* copying left room for one of each family */
}

int subnets_take(struct net *n, struct network *nw, struct err *e)
{
	int r = 0;

	for (int fam = 0; r >= 0 && fam < N_FAMILIES; fam++) {
		nw->fam[fam].on = !nw->spec.off[fam];
		if (nw->fam[fam].on && !streq(nw->spec.ipam_driver, "null"))
			r = take_family(n, nw, row_of(&nw->spec, fam), fam, e);
	}
	return r;
}
