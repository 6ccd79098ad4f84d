/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.c - what a network was asked to be: checked, copied, stored, read back */

#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/str.h"
#include "net/internal.h"

static void row_done(struct network_ipam *row)
{
	free(row->subnet);
	free(row->ip_range);
	free(row->gateway);
	json_decref(row->aux);
}

void network_spec_done(struct network_spec *s)
{
	free(s->name);
	free(s->driver);
	free(s->ipam_driver);
	free(s->config_from);
	json_decref(s->ipam_options);
	json_decref(s->options);
	json_decref(s->labels);
	for (size_t i = 0; i < s->n_ipam; i++)
		row_done(&s->ipam[i]);
	free(s->ipam);
	*s = (struct network_spec){0};
}

static int copy_ipam(const struct network_spec *from, struct network_spec *to)
{
	/* room for the subnets chosen for those who gave none */
	to->ipam = calloc(from->n_ipam + N_FAMILIES, sizeof(*to->ipam));
	if (!to->ipam)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_ipam; i++) {
		const struct network_ipam *f = &from->ipam[i];
		struct network_ipam *t = &to->ipam[to->n_ipam++];

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
				    .config_only = from->config_only,
				    .off = {from->off[V4], from->off[V6]},
				    .given = {from->given[V4], from->given[V6]}};
	if (str_set(&to->name, from->name) < 0 ||
	    str_set(&to->driver, from->driver ? from->driver : "bridge") < 0 ||
	    str_set(&to->config_from, from->config_from) < 0 ||
	    str_set(&to->ipam_driver,
		    str_empty(from->ipam_driver) ? "default" : from->ipam_driver) < 0 ||
	    copy_ipam(from, to) < 0)
		return -ENOMEM;
	to->options = from->options ? json_deep_copy(from->options) : json_object();
	to->labels = from->labels ? json_deep_copy(from->labels) : json_object();
	to->ipam_options = from->ipam_options ? json_deep_copy(from->ipam_options) : NULL;
	return to->options && to->labels ? 0 : -ENOMEM;
}

void network_spec_drop(struct network_spec *s, const bool fam[N_FAMILIES])
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_ipam; i++) {
		struct network_ipam row = s->ipam[i];

		if (fam[row.subnet && strchr(row.subnet, ':') ? V6 : V4])
			row_done(&row);
		else
			s->ipam[kept++] = row;
	}
	for (size_t i = kept; i < s->n_ipam; i++)
		s->ipam[i] = (struct network_ipam){0};
	s->n_ipam = kept;
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
	jsonw_bool(&w, "config_only", s->config_only);
	jsonw_str_or_null(&w, "config_from", s->config_from);
	jsonw_bool(&w, "ipv4_off", s->off[V4]);
	jsonw_bool(&w, "ipv6", !s->off[V6]);
	jsonw_bool(&w, "own_parent", nw->own_parent);
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
	s->config_only = json_is_true(json_object_get(j, "config_only"));
	s->off[V4] = json_is_true(json_object_get(j, "ipv4_off"));
	s->off[V6] = !json_is_true(json_object_get(j, "ipv6"));
	nw->own_parent = json_is_true(json_object_get(j, "own_parent"));
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
	s->ipam = calloc(json_array_size(list) + N_FAMILIES, sizeof(*s->ipam));
	if (!s->ipam || take_str(j, "driver", &s->driver) < 0 ||
	    take_str(j, "ipam_driver", &s->ipam_driver) < 0 ||
	    take_str(j, "config_from", &s->config_from) < 0)
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
