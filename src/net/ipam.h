/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipam.h - the addresses of one subnet: which are taken, which are kept. Pure; one thread.
 *
 * Two bitmaps over the range automatic addresses come from (at most 2^16 of them, as many as a /16
 * has; a bridge takes 1,023 ports). Next-fit: a
 * freed address is given out last. An address may be kept for somebody who is away: it is given to
 * others only when nothing else is free. Taken addresses of the subnet outside the range are a
 * small list.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/ip.h"

struct ipam;

/* @range within @subnet; the subnet's first address, and of IPv4 its last (broadcast), are never
 * given where it has more than two */
int ipam_new(struct cidr subnet, struct cidr range, struct ipam **ret) MUST_CHECK;
void ipam_free(struct ipam *p);
DEFINE_AUTO(struct ipam, ipam_free);
/**
 * ipam_take() - take an address
 * @want: that one (anywhere in the subnet), not set: the next free of the range
 * Return: 0; -ENOSPC none free; -EADDRINUSE @want taken; -ERANGE @want outside; -ENOMEM.
 * Complexity: O(bitmap words)
 */
int ipam_take(struct ipam *p, struct ip want, struct ip *ret) MUST_CHECK;
void ipam_release(struct ipam *p, struct ip addr);	   /* not taken: nothing */
void ipam_keep(struct ipam *p, struct ip addr, bool keep); /* outside the range: nothing to do */
