/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs.h - key=value options and endpoint settings as the API's objects. Pure. */
#pragma once

#include "base/err.h"
#include "base/jsonw.h"

int check_pair(const char *value, struct err *e); /* key=value; for struct opt */
/* "key=value" texts as an object of strings (a key alone: ""); the last of a key wins; NULL: {} */
void pairs_object(struct jsonw *w, const char *key, char *const *pairs);

/* EndpointSettings as --network, network connect and friends give them */
struct endpoint_opts {
	const char *ip, *ip6, *mac, *gw_priority;
	char *const *aliases, *const *links, *const *link_local, *const *driver_opts;
};
void endpoint_object(struct jsonw *w, const char *key, const struct endpoint_opts *ep);
