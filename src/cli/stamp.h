/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stamp.h - --since and --until: moments as people write them, for a query. Pure but for the clock.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* RFC 3339, seconds since the epoch, "10m" ago, or a local "2006-01-02[T15:04[:05]]" as
 * key=seconds.nanoseconds; NULL: nothing */
int url_stamp(struct buf *u, const char *key, const char *value, struct err *e) MUST_CHECK;
