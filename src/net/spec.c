/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.c - what a network was asked to be: checked, copied, stored, read back */

#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/str.h"
#include "net/internal.h"

void network_spec_done(struct network_spec *s)
{
	free(s->name);
	free(s->driver);
	free(s->ipam_driver);
	json_decref(s->ipam_options);
	json_decref(s->options);
	json_decref(s->labels);
	for (size_t i = 0; i < s->n_ipam; i++) {
		free(s->ipam[i].subnet);
		free(s->ipam[i].ip_range);
		free(s->ipam[i].gateway);
		json_decref(s->ipam[i].aux);
	}
	free(s->ipam);
	*s = (struct network_spec){0};
}

static int copy_ipam(const struct network_spec *from, struct network_spec *to)
{
	to->ipam =
		calloc(from->n_ipam + 1,
		       sizeof(*to->ipam)); /* one more: the subnet chosen for those who gave none */
	if (!to->ipam)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_ipam; i++) {
		const struct network_ipam *f = &from->ipam[i];
		struct network_ipam *t = &to->ipam[to->n_ipam];

		if (f->subnet && strchr(f->subnet, ':'))
			continue; /* as Docker where IPv6 is not switched on */
		to->n_ipam++;
		if (str_set(&t->subnet, f->subnet) < 0 || str_set(&t->ip_range, f->ip_range) < 0 ||
		    str_set(&t->gateway, f->gateway) < 0)
			return -ENOMEM;
		t->aux = f->aux ? json_deep_copy(f->aux) : NULL;
	}
	return 0;
}

int network_spec_copy(const struct network_spec *from, struct network_spec *to)
{
	*to = (struct network_spec){.internal = from->internal,
				    .attachable = from->attachable,
				    .enable_ipv6 = from->enable_ipv6,
				    .ipv6_given = from->ipv6_given};
	if (str_set(&to->name, from->name) < 0 ||
	    str_set(&to->driver, from->driver ? from->driver : "bridge") < 0 ||
	    str_set(&to->ipam_driver,
		    str_empty(from->ipam_driver) ? "default" : from->ipam_driver) < 0 ||
	    copy_ipam(from, to) < 0)
		return -ENOMEM;
	to->options = from->options ? json_deep_copy(from->options) : json_object();
	to->labels = from->labels ? json_deep_copy(from->labels) : json_object();
	to->ipam_options = from->ipam_options ? json_deep_copy(from->ipam_options) : NULL;
	return to->options && to->labels ? 0 : -ENOMEM;
}

const char *network_option(const struct network *nw, const char *key)
{
	return json_string_value(json_object_get(nw->spec.options, key));
}

int network_spec_to_json(const struct network *nw, char **ret, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(LIMIT_JSON_BODY * 2);
	struct jsonw w = JSONW_INIT(&b);
	const struct network_spec *s = &nw->spec;
	char mac[MAC_STR];

	jsonw_object(&w, NULL);
	jsonw_str(&w, "driver", s->driver);
	jsonw_bool(&w, "internal", s->internal);
	jsonw_bool(&w, "attachable", s->attachable);
	jsonw_str(&w, "ipam_driver", s->ipam_driver);
	jsonw_json(&w, "ipam_options", s->ipam_options);
	jsonw_json(&w, "options", s->options);
	jsonw_json(&w, "labels", s->labels);
	jsonw_str(&w, "mac", mac_str(nw->mac, mac));
	jsonw_bool(&w, "predefined", nw->predefined);
	jsonw_bool(&w, "default_bridge", nw->default_bridge);
	jsonw_array(&w, "ipam");
	for (size_t i = 0; i < s->n_ipam; i++) {
		jsonw_object(&w, NULL);
		jsonw_str_or_null(&w, "subnet", s->ipam[i].subnet);
		jsonw_str_or_null(&w, "range", s->ipam[i].ip_range);
		jsonw_str_or_null(&w, "gateway", s->ipam[i].gateway);
		jsonw_json(&w, "aux", s->ipam[i].aux);
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	*ret = buf_take(&b);
	return *ret ? 0 : err_nomem(e);
}

static int take_str(const json_t *j, const char *key, char **dst)
{
	return str_set(dst, json_string_value(json_object_get(j, key)));
}

int network_spec_from_json(const char *text, struct network *nw, struct err *e)
{
	auto_json json_t *j = NULL;
	struct network_spec *s = &nw->spec;
	json_t *list, *row;
	size_t i;
	const char *mac;
	int r = json_read(text, strlen(text), &j, e);

	if (r < 0)
		return r;
	s->internal = json_is_true(json_object_get(j, "internal"));
	s->attachable = json_is_true(json_object_get(j, "attachable"));
	nw->predefined = json_is_true(json_object_get(j, "predefined"));
	nw->default_bridge = json_is_true(json_object_get(j, "default_bridge"));
	s->options = json_incref(json_object_get(j, "options"));
	s->labels = json_incref(json_object_get(j, "labels"));
	s->ipam_options = json_incref(json_get(j, "ipam_options"));
	mac = json_string_value(json_object_get(j, "mac"));
	if (mac && mac_parse(mac, nw->mac) < 0)
		return err_set(e, ERR_INTERNAL, EBADMSG,
			       "the store's row of network %s is unreadable", nw->id);
	list = json_object_get(j, "ipam");
	s->ipam = calloc(json_array_size(list) + 1, sizeof(*s->ipam));
	if (!s->ipam || take_str(j, "driver", &s->driver) < 0 ||
	    take_str(j, "ipam_driver", &s->ipam_driver) < 0)
		return err_nomem(e);
	json_array_foreach(list, i, row)
	{
		struct network_ipam *t = &s->ipam[s->n_ipam++];

		t->aux = json_incref(json_get(row, "aux"));
		if (take_str(row, "subnet", &t->subnet) < 0 ||
		    take_str(row, "range", &t->ip_range) < 0 ||
		    take_str(row, "gateway", &t->gateway) < 0)
			return err_nomem(e);
	}
	return 0;
}

/* ---- the IPAM rows: Docker's checks and texts, every mistake in one answer ---- */

static bool is6(const char *s)
{
	return s && strchr(s, ':');
}

static void check_address(struct buf *out, const char *what, const char *text,
			  const struct network_ipam *row, struct cidr4 subnet, const char *shown)
{
	uint32_t addr;

	if (is6(text))
		(void)buf_printf(out, "\ninvalid %s %s: parent subnet is an IPv4 block", what,
				 shown);
	else if (ip4_parse(text, &addr) < 0)
		(void)buf_printf(out, "\ninvalid %s %s: invalid address", what, shown);
	else if (!cidr4_has(subnet, addr))
		(void)buf_printf(out,
				 "\ninvalid %s %s: parent subnet %s doesn't contain this address",
				 what, shown, row->subnet);
}

static void check_range(struct buf *out, const struct network_ipam *row, struct cidr4 subnet)
{
	struct cidr4 r;
	char right[CIDR4_STR];

	if (is6(row->ip_range)) {
		(void)buf_printf(out, "\ninvalid ip-range %s: parent subnet is an IPv4 block",
				 row->ip_range);
		return;
	}
	if (cidr4_parse(row->ip_range, &r) < 0) {
		(void)buf_printf(out, "\ninvalid ip-range %s: invalid CIDR block notation",
				 row->ip_range);
		return;
	}
	if (r.len < subnet.len)
		(void)buf_printf(
			out,
			"\ninvalid ip-range %s: CIDR block is bigger than its parent subnet %s",
			row->ip_range, row->subnet);
	if (r.addr != cidr4_first(r))
		(void)buf_printf(out, "\ninvalid ip-range %s: it should be %s", row->ip_range,
				 cidr4_str((struct cidr4){cidr4_first(r), r.len}, right));
	if (!cidr4_overlap(subnet, r))
		(void)buf_printf(out,
				 "\ninvalid ip-range %s: parent subnet %s doesn't contain ip-range",
				 row->ip_range, row->subnet);
}

static void check_row(struct buf *out, const struct network_ipam *row)
{
	struct cidr4 c;
	char right[CIDR4_STR];
	const char *name;
	json_t *v;

	if (str_empty(row->subnet)) {
		if (!str_empty(row->ip_range) || !str_empty(row->gateway) ||
		    json_object_size(row->aux))
			(void)buf_puts(
				out,
				"\nevery ip-range or gateway must have a corresponding subnet");
		return;
	}
	if (is6(row->subnet)) /* left out by network_spec_copy() */
		return;
	if (cidr4_parse(row->subnet, &c) < 0) {
		(void)buf_printf(out, "\ninvalid subnet %s: invalid CIDR block notation",
				 row->subnet);
		return;
	}
	if (c.addr != cidr4_first(c))
		(void)buf_printf(out, "\ninvalid subnet %s: it should be %s", row->subnet,
				 cidr4_str((struct cidr4){cidr4_first(c), c.len}, right));
	if (c.len < 1 || c.len > 30)
		(void)buf_printf(
			out,
			"\ninvalid subnet %s: prefix lengths from 1 to 30 have room for containers",
			row->subnet);
	if (!str_empty(row->ip_range))
		check_range(out, row, c);
	if (!str_empty(row->gateway))
		check_address(out, "gateway", row->gateway, row, c, row->gateway);
	json_object_foreach(row->aux, name, v)
		check_address(out, "auxiliary address",
			      json_string_value(v) ? json_string_value(v) : "", row, c, name);
}

int network_ipam_check(const struct network_spec *s, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_BODY);
	size_t n4 = 0;

	for (size_t i = 0; i < s->n_ipam; i++) {
		check_row(&out, &s->ipam[i]);
		n4 += !is6(s->ipam[i].subnet);
	}
	if (out.len || buf_err(&out))
		return err_invalid(e, "invalid network config:%s", buf_str(&out));
	if (n4 > 1)
		return err_forbidden(e, "bridge driver doesn't support multiple subnets");
	return 0;
}
