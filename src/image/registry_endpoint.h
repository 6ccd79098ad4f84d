/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_endpoint.h - where a registry's name leads: mirrors, TLS or not; pure
 *
 * Source: dockerd's registry/service_v2.go and config.go. docker.io is registry-1.docker.io, after
 * its mirrors. An insecure registry is tried with TLS whose certificate is not checked, then
 * without TLS. Insecure is what is listed by "host", "host:port" or CIDR, and all loopback
 * addresses.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/ip.h"

struct registry_endpoint {
	char *url; /* "https://host:port", without a slash at the end; a mirror's may have a path */
	char *host; /* "host:port" as it is in the URL: the folder of its certificates */
	bool mirror, insecure;
};
/* the addresses of a host, for CIDRs of @insecure; @room entries at most. Return: how many */
typedef size_t (*registry_lookup_fn)(const char *host, struct ip *ret, size_t room);

int registry_endpoints(const char *domain, char *const *insecure, char *const *mirrors,
		       registry_lookup_fn lookup, struct registry_endpoint **ret, size_t *ret_n,
		       struct err *e) MUST_CHECK;
void registry_endpoints_free(struct registry_endpoint *v, size_t n);
/* dockerd's texts for its options; 0/-EINVAL */
int registry_mirror_check(const char *url, struct err *e) MUST_CHECK;
int registry_insecure_check(const char *entry, struct err *e) MUST_CHECK;
