/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diag.h - conntrack entries deleted by address and port (ctnetlink), the host's links watched
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct loop;

/* Delete conntrack entries whose ORIGINAL destination is @daddr (host order, 0 any) port @port, or
 * whose reply source is @raddr:@rport (0: not asked). Return: number deleted or -errno; no
 * conntrack in the kernel: 0 */
int conntrack_flush(uint8_t proto, uint32_t daddr, uint16_t port, uint32_t raddr,
		    uint16_t rport) MUST_CHECK;
/* all entries with @addr as original source or reply source (a removed endpoint) */
int conntrack_flush_addr(uint32_t addr) MUST_CHECK;

struct netwatch; /* RTNLGRP_LINK/IPV4_ROUTE/IPV4_IFADDR of the host: calls @fn after changes settle
		    (50 ms) */
int netwatch_new(struct loop *l, void (*fn)(void *data), void *data,
		 struct netwatch **ret) MUST_CHECK;
void netwatch_free(struct netwatch *w);
