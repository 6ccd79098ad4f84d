/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diag.h - conntrack entries deleted by address and port (ctnetlink)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Delete conntrack entries whose ORIGINAL destination is @daddr (host order, 0 any) port @port, or
 * whose reply source is @raddr:@rport (0: not asked). Return: number deleted or -errno; no
 * conntrack in the kernel: 0 */
int conntrack_flush(uint8_t proto, uint32_t daddr, uint16_t port, uint32_t raddr,
		    uint16_t rport) MUST_CHECK;
/* all entries with @addr as original source or reply source (a removed endpoint) */
int conntrack_flush_addr(uint32_t addr) MUST_CHECK;
