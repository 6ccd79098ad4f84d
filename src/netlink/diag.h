/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diag.h - conntrack entries deleted by address and port (ctnetlink)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"

/* Delete conntrack entries whose ORIGINAL destination is @daddr (0.0.0.0 or :: any of its family)
 * port @port. Return: number deleted or -errno; no conntrack in the kernel: 0 */
int conntrack_flush(uint8_t proto, struct ip daddr, uint16_t port) MUST_CHECK;
/* all entries with @addr as original source, original destination or reply source (a removed
 * endpoint) */
int conntrack_flush_addr(struct ip addr) MUST_CHECK;
