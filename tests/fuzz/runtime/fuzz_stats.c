/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_stats.c - one text through every parser of the kernel's figures: none takes more than its
 * bounds */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/control.h"
#include "runtime/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);
	struct rt_stats s = {0};
	struct stat_io *io = NULL;
	size_t n = 0;
	uint64_t v;
	bool within;

	if (!text)
		return 0;
	if (stats_memory(text, &s) < 0 || stats_percpu(text, &s.cpu) < 0 ||
	    stats_io_v2(text, &s) < 0 || stats_links(text, &s) < 0 ||
	    stats_io_v1(text, &io, &n) < 0)
		abort();
	if (s.n_memory_stat > STAT_MEMORY_MAX || s.cpu.n_percpu > STAT_CPUS_MAX ||
	    s.n_io_bytes > STAT_IO_MAX || s.n_io_count > STAT_IO_MAX || n > STAT_IO_MAX ||
	    s.n_links > STAT_LINKS_MAX)
		abort();
	for (size_t i = 0; i < s.n_links; i++)
		if (strlen(s.links[i].name) >= sizeof(s.links[i].name))
			abort();
	(void)stats_value(text, "user", &v);
	(void)stats_number(text);
	(void)stats_host_ticks(text);
	if (cpu_list_within(text, "0-3", &within) >= 0 && within != true && within != false)
		abort();
	rt_stats_done(&s);
	free(io);
	return 0;
}
