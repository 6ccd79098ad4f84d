/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * servers.h - the name servers that unknown names are asked of
 *
 * servers_parse_resolv() is pure; struct resolv follows a file as it changes: inotify on its
 * directory and, where it is a link, on the directory it leads to; a look at the file itself at
 * most once a second while queries come covers what inotify misses (bind mounts, network file
 * systems). Loop thread only. Source: resolv.conf(5), inotify(7).
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"

#define SERVERS_MAX 3 /* as libc and Docker */

struct nameserver {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} addr;
	socklen_t len;
};
struct servers {
	struct nameserver list[SERVERS_MAX];
	char zones[SERVERS_MAX][IF_NAMESIZE]; /* "eth0" of fe80::1%eth0, its scope id not yet set */
	size_t n;
};

int server_parse(const char *text, struct nameserver *ret) MUST_CHECK; /* an address; port 53 */
bool server_eq(const struct nameserver *a, const struct nameserver *b);
bool servers_eq(const struct servers *a, const struct servers *b);
/* the first SERVERS_MAX usable "nameserver" lines; zones are left to servers_set_zones() */
void servers_parse_resolv(const char *text, struct servers *ret);

/* Sets scope ids by the files of @dir, as /sys/class/net is; a zone that is not there loses its
 * server. */
void servers_set_zones(struct servers *s, const char *dir);

struct loop;
struct resolv;
typedef void (*resolv_fn)(const struct servers *s, void *data);
/* @fn is called when the servers change, not for the first reading. A missing file has none. */
int resolv_new(struct loop *l, const char *path, resolv_fn fn, void *data,
	       struct resolv **ret) MUST_CHECK;
void resolv_free(struct resolv *r);
const struct servers *resolv_servers(const struct resolv *r);
void resolv_look(struct resolv *r); /* before a query is passed on; cheap */
