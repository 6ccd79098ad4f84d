/* SPDX-License-Identifier: GPL-2.0-or-later */
/* protocol.c - what both sides write and read */

#include "dns/protocol.h"

#include <netinet/in.h>

#include "base/json.h"

static const char *const addr_keys[N_FAMILIES] = {"addr", "addr6"};

static int read_ip(const json_t *msg, const char *key, struct ip *ret, struct err *e)
{
	const char *text;
	int r = json_get_str(msg, "message", key, &text, e);

	*ret = (struct ip){0};
	if (r < 0 || !text)
		return r < 0 ? r : 0;
	return ip_parse(text, ret) < 0 ? err_invalid(e, "no address: %s", text) : 0;
}

void relay_to_write(struct jsonw *w, const struct relay_to *to)
{
	char ip[IP_STR];

	if (!ip_set(to->target))
		return;
	jsonw_i64(w, "proto", to->proto);
	jsonw_str(w, "target", ip_str(to->target, ip));
	jsonw_i64(w, "port", to->port);
}

int relay_to_read(const json_t *msg, struct relay_to *ret, struct err *e)
{
	struct relay_to to = {0};
	int64_t proto, port;
	int r = read_ip(msg, "target", &to.target, e);

	if (r >= 0)
		r = json_get_i64(msg, "message", "proto", &proto, e);
	if (r >= 0)
		r = json_get_i64(msg, "message", "port", &port, e);
	if (r < 0)
		return r;
	if (ip_set(to.target)) {
		if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) || port < 1 || port > 65535 ||
		    ip_is_any(to.target))
			return err_invalid(e, "nothing to relay to");
		to.proto = (uint8_t)proto;
		to.port = (uint16_t)port;
	}
	*ret = to;
	return 0;
}

void addrs_write(struct jsonw *w, const struct ip addr[N_FAMILIES])
{
	char ip[IP_STR];

	for (int fam = 0; fam < N_FAMILIES; fam++)
		if (ip_set(addr[fam]))
			jsonw_str(w, addr_keys[fam], ip_str(addr[fam], ip));
}

int addrs_read(const json_t *msg, struct ip ret[N_FAMILIES], struct err *e)
{
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		int r = read_ip(msg, addr_keys[fam], &ret[fam], e);

		if (r < 0)
			return r;
		if (ip_set(ret[fam]) && ip_fam(ret[fam]) != fam)
			return err_invalid(e, "an address of the other family in %s",
					   addr_keys[fam]);
	}
	return 0;
}
