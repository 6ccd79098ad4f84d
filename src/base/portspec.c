/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portspec.c - port texts, with the errors of docker/go-connections nat */

#include "base/portspec.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/ip.h"
#include "base/str.h"

const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	}
	return "ip";
}

static int proto_parse(const char *s, uint8_t *ret)
{
	static const uint8_t known[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcasecmp(s, proto_name(known[i]))) {
			*ret = known[i];
			return 0;
		}
	return -EINVAL;
}

/* "80" or "80-90"; both 1..65535 unless @zero_ok */
static int range_parse(const char *s, bool zero_ok, uint16_t *ret_start, uint16_t *ret_end)
{
	auto_free char *copy = strdup(s);
	char *dash = copy ? strchr(copy, '-') : NULL;
	uint16_t a, b;

	if (!copy)
		return -ENOMEM;
	if (dash)
		*dash++ = '\0';
	if (parse_u16(copy, &a) < 0)
		return -EINVAL;
	b = a;
	if (dash && (parse_u16(dash, &b) < 0 || b < a))
		return -EINVAL;
	if (!zero_ok && !a)
		return -EINVAL;
	*ret_start = a;
	*ret_end = b;
	return 0;
}

int port_parse(const char *s, uint8_t *ret_proto, uint16_t *ret_port, uint16_t *ret_end,
	       struct err *e)
{
	auto_free char *copy = strdup(s);
	char *slash = copy ? strchr(copy, '/') : NULL;
	uint8_t proto = IPPROTO_TCP;
	uint16_t a, b;

	if (!copy)
		return err_nomem(e);
	if (slash)
		*slash++ = '\0';
	if (slash && *slash && proto_parse(slash, &proto) < 0)
		return err_invalid(e, "invalid proto: %s", slash);
	if (!*copy)
		return err_invalid(e, "no port specified: %s<empty>", s);
	if (range_parse(copy, false, &a, &b) < 0)
		return err_invalid(e,
				   "invalid port number \"%s\": a number from 1 to 65535, or a "
				   "range of them, is wanted",
				   s);
	*ret_proto = proto;
	*ret_port = a;
	*ret_end = b;
	return 0;
}

/* "[ip:][host:]port"; the address loses its brackets */
static int split(char *text, char **ret_ip, char **ret_host, char **ret_port, struct err *e)
{
	char *colon = strrchr(text, ':');

	*ret_ip = *ret_host = NULL;
	*ret_port = text;
	if (!colon)
		return 0;
	*colon = '\0';
	*ret_port = colon + 1;
	*ret_host = text;
	colon = strrchr(text, ':');
	if (!colon)
		return 0;
	*colon = '\0';
	*ret_host = colon + 1;
	*ret_ip = text;
	if (*text == '[' && colon > text + 1 && colon[-1] == ']') {
		colon[-1] = '\0';
		*ret_ip = text + 1;
		return strchr(text + 1, ':') ? 0
					     : err_invalid(e, "invalid IP address: %s", text + 1);
	}
	if (strchr(text, ':'))
		return err_invalid(e,
				   "invalid IP address %s: address %s:: too many colons in address",
				   text, text);
	return 0;
}

int publish_parse(const char *s, struct net_publish *ret, struct err *e)
{
	struct net_publish p = {.proto = IPPROTO_TCP};
	auto_free char *copy = strdup(s);
	char *slash = copy ? strrchr(copy, '/') : NULL, *ip, *host, *port;
	int r;

	if (!copy)
		return err_nomem(e);
	if (slash)
		*slash++ = '\0';
	if (slash && proto_parse(slash, &p.proto) < 0)
		return err_invalid(e, "invalid proto: %s", slash);
	r = split(copy, &ip, &host, &port, e);
	if (r < 0)
		return r;
	if (!*port)
		return err_invalid(e, "no port specified: %s<empty>", s);
	if (ip && *ip && ip_parse(ip, &p.host_ip) < 0)
		return err_invalid(e, "invalid IP address: %s", ip);
	if (range_parse(port, false, &p.port, &p.port_end) < 0)
		return err_invalid(e, "invalid containerPort: %s", port);
	if (host && *host && range_parse(host, true, &p.host_port, &p.host_port_end) < 0)
		return err_invalid(e, "invalid hostPort: %s", host);
	if (p.host_port && p.host_port_end - p.host_port != p.port_end - p.port &&
	    p.port != p.port_end)
		return err_invalid(
			e, "invalid ranges specified for container and host Ports: %s and %s", port,
			host);
	*ret = p;
	return 0;
}

const char *publish_str(const struct net_publish *p, char out[PUBLISH_STR])
{
	bool v6 = p->host_ip.family == 6;
	char ip[IP_STR];

	(void)snprintf(out, PUBLISH_STR, "%s%s%s:%u-%u:%u-%u/%s", v6 ? "[" : "",
		       ip_str(p->host_ip, ip), v6 ? "]" : "", p->host_port, p->host_port_end,
		       p->port, p->port_end, proto_name(p->proto));
	return out;
}
