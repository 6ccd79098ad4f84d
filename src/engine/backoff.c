/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backoff.c - how long a restart policy waits; pure */

#include "base/clock.h"
#include "engine/life_internal.h"

#define RESTART_MAX_MS (60 * 1000)
#define GOOD_LIFE_NS   (10 * NS_PER_S) /* a life this long forgives the failures before it */

int64_t restart_delay_ms(int *failures, int64_t lived_ns)
{
	int64_t ms = RESTART_FIRST_MS;

	*failures = lived_ns >= GOOD_LIFE_NS ? 0 : *failures + 1;
	for (int i = 1; i < *failures && ms < RESTART_MAX_MS; i++)
		ms *= 2;
	return MIN(ms, (int64_t)RESTART_MAX_MS);
}
