/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - time: nanoseconds since the epoch or since boot, and Docker's text forms (RFC 3339) */
#pragma once

#include <stdint.h>

#include "base/auto.h"

#define NS_PER_S     1000000000LL
#define NS_PER_MS    1000000LL
#define RFC3339_SIZE 40

int64_t clock_real_ns(void);
int64_t clock_mono_ns(void);
/* "2026-01-02T03:04:05.123456789Z"; ns == 0 gives Docker's "0001-01-01T00:00:00Z". Returns @out. */
const char *clock_rfc3339(int64_t real_ns, char out[RFC3339_SIZE]);
/* the same without the zeros at the end of the fraction, as Go writes a time */
const char *clock_rfc3339_short(int64_t real_ns, char out[RFC3339_SIZE]);
int clock_parse_rfc3339(const char *s, int64_t *ret_ns) MUST_CHECK; /* Z or +hh:mm, 0 to 9 digits */
/* API timestamps: "1700000000", "1700000000.123456789", RFC 3339, or Go durations "10m" before now
 */
int clock_parse_stamp(const char *s, int64_t now_ns, int64_t *ret_ns) MUST_CHECK;
/* Go's time.ParseDuration without a sign: "1m30s", "1.5h"; units h m s ms us ns */
int clock_parse_duration(const char *s, int64_t *ret_ns) MUST_CHECK;
