/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * room.c - room for neighbours
 *
 * Who talks to whom on a link is an entry in the kernel's table of neighbours, two for each pair of
 * containers that talk. There is one table a family for all network namespaces, and it holds 1,024
 * entries unless told otherwise: a hundred services that call ten others each fill it, and then
 * packets are lost ("neighbor table overflow"). The limits are the machine's own and can be written
 * in its first network namespace only; elsewhere the files are absent. They are raised, never
 * lowered, and stay so. (Documentation/networking/ip-sysctl.rst, neigh/default/gc_thresh*)
 */

#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

static const struct {
	const char *name, *least;
} limits[] = {{"gc_thresh3", "65536"}, {"gc_thresh2", "49152"}, {"gc_thresh1", "8192"}};

/* Return: 1 raised, 0 high enough, negative errno */
static int raise_to(const char *path, const char *least)
{
	auto_buf struct buf now = BUF_INIT(64);
	uint64_t want, value;
	int r = fs_read(path, 32, &now);

	if (r >= 0 && now.len)
		now.data[strcspn(now.data, "\n")] = '\0';
	if (r >= 0)
		r = parse_u64(least, &want);
	if (r >= 0)
		r = parse_u64(buf_str(&now), &value);
	if (r < 0 || value >= want)
		return r;
	r = fs_write_str(path, least);
	return r < 0 ? r : 1;
}

void room_for_neighbours(const char *proc_sys)
{
	static const char *const families[N_FAMILIES] = {"ipv4", "ipv6"};
	bool raised = false;

	for (size_t i = 0; i < N_FAMILIES * ARRAY_SIZE(limits); i++) {
		const size_t l = i % ARRAY_SIZE(limits);
		auto_free char *path = str_printf("%s/net/%s/neigh/default/%s", proc_sys,
						  families[i / ARRAY_SIZE(limits)], limits[l].name);
		int r = path ? raise_to(path, limits[l].least) : -ENOMEM;

		raised |= r > 0;
		if (r < 0 && r != -ENOENT)
			log_warn("the kernel's table of neighbours stays small: %s: %s", path,
				 strerror(-r));
	}
	if (raised)
		log_info("the kernel's tables of neighbours were small and have room for 65,536 "
			 "now");
}
