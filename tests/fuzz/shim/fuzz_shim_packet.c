/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_shim_packet.c - packets between atolld and the shim: what is read is written the same */

#include <stdint.h>
#include <string.h>

#include "base/shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char room[SHIM_PACKET_MAX];
	struct shim_packet p;

	if (shim_parse(data, size, &p) < 0)
		return 0;
	if (shim_format(&p, room, sizeof(room)) != size || memcmp(room, data, size) != 0)
		__builtin_trap();
	return 0;
}
