/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipam_check.c - the IPAM rows of a request: Docker's checks and texts, every mistake in one answer
 */

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "net/internal.h"

static bool is6(const char *s)
{
	return s && strchr(s, ':');
}

static const char *block(struct cidr subnet)
{
	return subnet.ip.family == 6 ? "an IPv6 block" : "an IPv4 block";
}

static void check_address(struct buf *out, const char *what, const char *text,
			  const struct network_ipam *row, struct cidr subnet, const char *shown)
{
	struct ip addr;

	if (ip_parse(text, &addr) < 0)
		(void)buf_printf(out, "\ninvalid %s %s: invalid address", what, shown);
	else if (addr.family != subnet.ip.family)
		(void)buf_printf(out, "\ninvalid %s %s: parent subnet is %s", what, shown,
				 block(subnet));
	else if (!cidr_has(subnet, addr))
		(void)buf_printf(out,
				 "\ninvalid %s %s: parent subnet %s doesn't contain this address",
				 what, shown, row->subnet);
}

static void check_range(struct buf *out, const struct network_ipam *row, struct cidr subnet)
{
	struct cidr r;
	char right[CIDR_STR];

	if (cidr_parse(row->ip_range, &r) < 0) {
		(void)buf_printf(out, "\ninvalid ip-range %s: invalid CIDR block notation",
				 row->ip_range);
		return;
	}
	if (r.ip.family != subnet.ip.family) {
		(void)buf_printf(out, "\ninvalid ip-range %s: parent subnet is %s", row->ip_range,
				 block(subnet));
		return;
	}
	if (r.len < subnet.len)
		(void)buf_printf(
			out,
			"\ninvalid ip-range %s: CIDR block is bigger than its parent subnet %s",
			row->ip_range, row->subnet);
	if (!cidr_is_net(r))
		(void)buf_printf(out, "\ninvalid ip-range %s: it should be %s", row->ip_range,
				 cidr_str(cidr_net(r), right));
	if (!cidr_overlap(subnet, r))
		(void)buf_printf(out,
				 "\ninvalid ip-range %s: parent subnet %s doesn't contain ip-range",
				 row->ip_range, row->subnet);
}

static void check_subnet(struct buf *out, const char *text, struct cidr c)
{
	static const struct cidr link_local = {{.hi = 0xfe80ull << 48, .family = 6}, 64};
	unsigned most = ip_width(c.ip) - 2;
	char right[CIDR_STR];

	if (!cidr_is_net(c))
		(void)buf_printf(out, "\ninvalid subnet %s: it should be %s", text,
				 cidr_str(cidr_net(c), right));
	if (c.len < 1 || c.len > most)
		(void)buf_printf(
			out,
			"\ninvalid subnet %s: prefix lengths from 1 to %u have room for containers",
			text, most);
	if (cidr_overlap(c, link_local))
		(void)buf_printf(
			out,
			"\ninvalid subnet %s: it clashes with the Link-Local prefix 'fe80::/64'",
			text);
}

static void check_row(struct buf *out, const struct network_ipam *row)
{
	struct cidr c;
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
	if (cidr_parse(row->subnet, &c) < 0) {
		(void)buf_printf(out, "\ninvalid subnet %s: invalid CIDR block notation",
				 row->subnet);
		return;
	}
	check_subnet(out, row->subnet, c);
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
	size_t n[N_FAMILIES] = {0};

	for (size_t i = 0; i < s->n_ipam; i++) {
		int fam = is6(s->ipam[i].subnet) ? V6 : V4;

		check_row(&out, &s->ipam[i]);
		n[fam]++;
	}
	if (out.len || buf_err(&out))
		return err_invalid(e, "invalid network config:%s", buf_str(&out));
	if (n[V4] > 1 || n[V6] > 1)
		return err_forbidden(e, "bridge driver doesn't support multiple subnets");
	return 0;
}
