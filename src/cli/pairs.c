/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs.c - key=value, endpoint settings */

#include "cli/pairs.h"

#include <string.h>

#include "cli/cli.h"

int check_pair(const char *value, struct err *e)
{
	if (*value == '=' || !strchr(value, '='))
		return err_invalid(e, "%s must be formatted as key=value", value);
	return 0;
}

/* A later text has the same key. */
static bool comes_again(char *const *pairs)
{
	size_t len = strcspn(*pairs, "=");

	for (char *const *p = pairs + 1; *p; p++)
		if (strcspn(*p, "=") == len && !strncmp(*p, *pairs, len))
			return true;
	return false;
}

void pairs_object(struct jsonw *w, const char *key, char *const *pairs)
{
	jsonw_object(w, key);
	for (; pairs && *pairs; pairs++) {
		size_t len = strcspn(*pairs, "=");
		auto_free char *name = need(strndup(*pairs, len));

		if (!comes_again(pairs))
			jsonw_str(w, name, (*pairs)[len] ? *pairs + len + 1 : "");
	}
	jsonw_end_object(w);
}

void endpoint_object(struct jsonw *w, const char *key, const struct endpoint_opts *ep)
{
	int64_t priority = 0;

	jsonw_object(w, key);
	if (ep->ip || ep->ip6 || ep->link_local) {
		jsonw_object(w, "IPAMConfig");
		if (ep->ip)
			jsonw_str(w, "IPv4Address", ep->ip);
		if (ep->ip6)
			jsonw_str(w, "IPv6Address", ep->ip6);
		if (ep->link_local)
			jsonw_strv(w, "LinkLocalIPs", ep->link_local);
		jsonw_end_object(w);
	}
	if (ep->aliases)
		jsonw_strv(w, "Aliases", ep->aliases);
	if (ep->links)
		jsonw_strv(w, "Links", ep->links);
	if (ep->driver_opts)
		pairs_object(w, "DriverOpts", ep->driver_opts);
	if (ep->mac)
		jsonw_str(w, "MacAddress", ep->mac);
	if (ep->gw_priority && parse_i64(ep->gw_priority, &priority) >= 0)
		jsonw_i64(w, "GwPriority", priority);
	jsonw_end_object(w);
}
