/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rand.h - random bytes from getrandom(2), 64-digit ids, sha256 (nettle) */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"

#define ID_LEN 64
typedef char id_t_[ID_LEN + 1];

void rand_bytes(void *out, size_t len); /* aborts only if the kernel has no randomness */
uint32_t rand_below(uint32_t n);	/* uniform in [0, n), n > 0 */
void rand_id(char out[ID_LEN + 1]); /* 64 lower-case hex digits, NUL; first 12 never all decimal */
void sha256_hex(const void *data, size_t len, char out[65]);
