/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zone.h - which names exist on which networks, and which sandbox sees them
 *
 * Pure. One record is one endpoint: its names and addresses on a network, and the sandbox that sees
 * that network by it. A sandbox sees its networks in the order its endpoints were first set.
 * Texts are keys as dname_text() makes them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dns/wire.h"

/*
 * Clients and caches in the container must not keep a local answer: a replaced container is found
 * by the next question. (aardvark-dns does the same; Docker says 600 and lives with the
 * complaints.)
 */
#define ZONE_TTL 0

struct zone;
struct zone_view;     /* what one sandbox sees */
struct zone_endpoint; /* one record */

struct zone_record {
	const char *network_id, *network_name;
	const char *sandbox;
	char *const *names; /* names[0] is the one PTR answers; NULL or empty: only the view */
	struct ip addr[N_FAMILIES]; /* not set: none of that family */
	/* of a hub network: neither finds other spokes nor is found by them */
	bool spoke;
	char *const *links;  /* "name:alias": what this sandbox alone calls who is on the network */
	unsigned generation; /* zone_sweep() */
};

int zone_new(struct zone **ret) MUST_CHECK;
void zone_free(struct zone *z);
DEFINE_AUTO(struct zone, zone_free);
/* Adds or replaces the record of (network_id, sandbox). A name that no query can spell is left out.
 * 0/-ENOMEM (the earlier record is then gone) */
int zone_set(struct zone *z, const struct zone_record *rec) MUST_CHECK;
void zone_del(struct zone *z, const char *network_id, const char *sandbox);
void zone_sweep(struct zone *z, unsigned generation); /* drops records of other generations */
size_t zone_len(const struct zone *z);

const struct zone_view *zone_view(const struct zone *z, const char *sandbox); /* NULL: sees none */

/* The endpoints that have a name. */
struct zone_name {
	struct zone_endpoint **eps;
	size_t n, room;
};
/*
 * zone_find() - @name (text) as @v sees it: on its networks in order, then as name.network with
 * every split. The first network that knows it answers alone. @ret_whole: without a split. NULL:
 * nobody has it
 */
const struct zone_name *zone_find(const struct zone_view *v, const char *name, bool *ret_whole);
/* A name that @v finds may stand for others, too, which it does not see. */
bool zone_sees(const struct zone_view *v, const struct zone_endpoint *ep);
struct ip zone_addr(const struct zone_endpoint *ep, int fam); /* not set: none of that family */
/* name.network of @addr on one of @v's networks. */
bool zone_ptr(const struct zone_view *v, struct ip addr, struct dname *ret);
